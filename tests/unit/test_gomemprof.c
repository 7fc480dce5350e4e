// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The memory profile of a process made by hand, in the layouts of all versions, whole and broken; and where the code
 * of real programs keeps its rate, by symbol and without.
 * More toolchains: ALLOCSNOOP_GOROOTS="/path/of/goroot ..."
 */
#include "go/gomemprof.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"
#include "toolchains.h"

#define BASE 0x500000ULL
#define MEMORY_BYTES 0x20000u
#define HEAD (BASE + 8) /* runtime.mbuckets, of a program moved by BIAS */
#define BIAS 0x1000
#define BUCKET(n) (BASE + 0x1000 + (n) * 0x800ULL)
#define MAX_FOUND 64

enum { MEM_PROFILE = 1, BLOCK_PROFILE, MUTEX_PROFILE };

static uint8_t bytes[MEMORY_BYTES];
static uint64_t nread; /* reads that were asked for */
static const struct go_layout *layout;
static struct gomemprof_bucket found[MAX_FOUND];
static uint64_t nfound;

static void put(uint64_t addr, uint64_t word)
{
	memcpy(bytes + (addr - BASE), &word, sizeof(word));
}

static void read_fake(void *ctx, struct mem_read *reads, size_t n)
{
	(void)ctx;
	nread += n;
	for (size_t i = 0; i < n; i++) {
		uint64_t off = reads[i].addr - BASE;

		reads[i].ok = off < MEMORY_BYTES && reads[i].len <= MEMORY_BYTES - off;
		if (reads[i].ok)
			memcpy(reads[i].buf, bytes + off, reads[i].len);
	}
}

static const struct mem_reader reader = { NULL, read_fake };

static void on_bucket(void *ctx, const struct gomemprof_bucket *bucket)
{
	CHECK(ctx == &nfound);
	if (nfound < MAX_FOUND)
		found[nfound] = *bucket;
	nfound++;
}

static int each(void)
{
	struct gomemprof_vars vars = { .mbuckets = HEAD - BIAS };

	nfound = nread = 0;
	return gomemprof_each(&vars, layout, &reader, BIAS, on_bucket, &nfound);
}

static void begin(const struct go_layout *of)
{
	memset(bytes, 0, sizeof(bytes));
	layout = of;
}

static void put_bucket(uint64_t addr, uint64_t next, uint64_t type, uint64_t size, uint64_t nstk)
{
	put(addr + layout->bucket_allnext, next);
	put(addr + layout->bucket_next, 0x5a5a); /* of the hash chain */
	put(addr + layout->bucket_typ, type);
	put(addr + layout->bucket_size, size);
	put(addr + layout->bucket_nstk, nstk);
	for (uint64_t i = 0; i < nstk && i < 200; i++)
		put(addr + layout->bucket_bytes + i * 8, 0x400000 + i);
}

/* @cycle 0 is the active one. */
static void put_cycle(uint64_t addr, uint64_t nstk, uint32_t cycle, uint64_t allocs, uint64_t frees)
{
	uint64_t at = addr + layout->bucket_bytes + nstk * 8;

	at += cycle ? layout->memrecord_future + (cycle - 1) * layout->memcycle_bytes : layout->memrecord_active;
	put(at + layout->memcycle_allocs, allocs);
	put(at + layout->memcycle_frees, frees);
	if (layout->minor < 27) {
		put(at + layout->memcycle_alloc_bytes, allocs * 1000003);
		put(at + layout->memcycle_free_bytes, frees * 1000003);
	}
}

TEST(buckets)
{
	for (size_t i = 0; i < go_nlayouts; i++) {
		begin(&go_layouts[i]);
		CHECK_INT(each(), 0);
		CHECK_INT(nfound, 0);
		put(HEAD, BUCKET(2));
		put_bucket(BUCKET(2), BUCKET(1), MEM_PROFILE, 48, 3);
		put_cycle(BUCKET(2), 3, 0, 100, 40);
		for (uint32_t c = 1; c <= layout->memrecord_nfuture; c++)
			put_cycle(BUCKET(2), 3, c, 1, c == 2 ? 5 : 0);
		put_bucket(BUCKET(1), BUCKET(0), BLOCK_PROFILE, 48, 2);
		put_bucket(BUCKET(0), 0, MEM_PROFILE, 65536, 0);
		put_cycle(BUCKET(0), 0, 0, 7, 7);
		CHECK_INT(each(), 0);
		if (!CHECK_INT(nfound, 2))
			continue;
		CHECK_INT(found[0].addr, BUCKET(2));
		CHECK_INT(found[0].object_bytes, 48);
		CHECK_INT(found[0].allocs, 100 + layout->memrecord_nfuture);
		CHECK_INT(found[0].frees, 45);
		CHECK_INT(found[0].nstack, 3);
		CHECK_INT(found[0].stack[0], 0x400000);
		CHECK_INT(found[0].stack[2], 0x400002);
		CHECK_INT(found[1].object_bytes, 65536);
		CHECK_INT(found[1].nstack, 0);
		CHECK_INT(found[1].allocs, 7);
		CHECK_INT(found[1].frees, 7);
	}
}

/* debug.profstackdepth (1.23) makes stacks of up to 1024 calls: the record stands behind all of them. */
TEST(deep_stacks)
{
	begin(go_layout_for(24, NULL, NULL));
	put(HEAD, BUCKET(0));
	put_bucket(BUCKET(0), 0, MEM_PROFILE, 64, 190);
	put_cycle(BUCKET(0), 190, 0, 9, 2);
	CHECK_INT(each(), 0);
	CHECK_INT(nfound, 1);
	CHECK_INT(found[0].nstack, GOMEMPROF_MAX_STACK);
	CHECK_INT(found[0].stack[127], 0x400000 + 127);
	CHECK_INT(found[0].allocs, 9);
	CHECK_INT(found[0].frees, 2);
}

/* What was there until then is told; that it is not all, too. */
TEST(broken_lists)
{
	static const uint64_t nstks[] = { 4097, 1 << 20, UINT64_MAX, UINT64_MAX / 8 + 1, 4096 };

	begin(go_layout_for(27, NULL, NULL));
	put(HEAD, BUCKET(1));
	put_bucket(BUCKET(1), 0x1234, MEM_PROFILE, 64, 1); /* to nowhere */
	put_cycle(BUCKET(1), 1, 0, 5, 1);
	CHECK_INT(each(), -EFAULT);
	CHECK_INT(nfound, 1);
	put_bucket(BUCKET(1), UINT64_MAX - 3, MEM_PROFILE, 64, 1);
	CHECK_INT(each(), -EFAULT);
	/* The record is not there. */
	put_bucket(BUCKET(1), BASE + MEMORY_BYTES - layout->bucket_bytes, MEM_PROFILE, 64, 1);
	put_bucket(BASE + MEMORY_BYTES - layout->bucket_bytes, 0, MEM_PROFILE, 64, 0);
	CHECK_INT(each(), -EFAULT);
	CHECK_INT(nfound, 1);
	for (size_t i = 0; i < sizeof(nstks) / sizeof(nstks[0]); i++) {
		put_bucket(BUCKET(1), BUCKET(0), MEM_PROFILE, 64, 1);
		put_bucket(BASE + MEMORY_BYTES - 0x800, 0, MEM_PROFILE, 64, 0);
		put(BUCKET(1) + layout->bucket_allnext, BASE + MEMORY_BYTES - 0x800);
		put(BASE + MEMORY_BYTES - 0x800 + layout->bucket_nstk, nstks[i]);
		CHECK_INT(each(), -EFAULT);
		CHECK_INT(nfound, 1);
	}
	/* A ring has an end. */
	put_bucket(BUCKET(1), BUCKET(0), MEM_PROFILE, 64, 1);
	put_bucket(BUCKET(0), BUCKET(1), BLOCK_PROFILE, 64, 1);
	CHECK_INT(each(), -EFAULT);
	CHECK(nread < 8u << 20);
	/* No variable, or one that is not mapped. */
	put(HEAD, 0);
	CHECK_INT(gomemprof_each(&(struct gomemprof_vars){ 0 }, layout, &reader, 0, on_bucket, &nfound), -EFAULT);
	CHECK_INT(gomemprof_each(&(struct gomemprof_vars){ .mbuckets = 8 }, layout, &reader, 0, on_bucket, &nfound),
		  -EFAULT);
}

static int64_t rate_of(uint32_t n, uint64_t a, uint64_t b, uint64_t c)
{
	struct gomemprof_vars vars = { { BASE, BASE + 0x100, BASE + 0x200 }, n, 0 };
	uint64_t rate = 4711;

	begin(go_layout_for(24, NULL, NULL));
	put(BASE, a);
	put(BASE + 0x100, b);
	put(BASE + 0x200, c);
	if (!gomemprof_rate(&vars, &reader, 0, &rate))
		return -1;
	return (int64_t)rate;
}

TEST(rates)
{
	const uint64_t pointer = 0x7f1234567000;
	struct gomemprof_vars vars = { { BASE - BIAS, 8 }, 1, 0 };
	uint64_t rate;

	CHECK_INT(rate_of(0, 1, 0, 0), -1);
	CHECK_INT(rate_of(1, 0, 0, 0), 0);
	CHECK_INT(rate_of(1, 1, 0, 0), 1);
	CHECK_INT(rate_of(1, 524288, 0, 0), 524288);
	CHECK_INT(rate_of(1, -1ULL, 0, 0), 0); /* a program may set what it likes */
	CHECK_INT(rate_of(1, INT64_MAX, 0, 0), 0);
	/* mcache0 is the other that profilealloc loads. */
	CHECK_INT(rate_of(2, 524288, pointer, 0), 524288);
	CHECK_INT(rate_of(2, pointer, 524288, 0), 524288);
	CHECK_INT(rate_of(2, pointer, 0, 0), 0);
	CHECK_INT(rate_of(3, 0, pointer, 4096), 4096);
	/* The program is moved; and one that cannot be read says nothing of the others. */
	put(BASE, 77);
	CHECK(gomemprof_rate(&vars, &reader, BIAS, &rate));
	CHECK_INT(rate, 77);
	vars.nrates = 2;
	CHECK(!gomemprof_rate(&vars, &reader, BIAS, &rate));
}

TEST(chances)
{
	CHECK(gomemprof_chance(8, 1) == 1 && gomemprof_chance(8, 0) == 1);
	CHECK(fabs(gomemprof_chance(524288, 524288) - 0.6321205588285577) < 1e-12);
	CHECK(fabs(gomemprof_chance(16, 524288) / (16 / 524288.0) - 1) < 1e-4);
	CHECK(gomemprof_chance(1 << 30, 524288) == 1);
}

/* ---- real programs ---- */

#if defined(__x86_64__)
static const char go_source[] = "package main\nimport (\"fmt\"; \"os\"; \"runtime\")\n"
				"func main() { n, _ := runtime.MemProfile(nil, false); fmt.Println(os.Args, n) }\n";

static bool find_in(const char *path, struct gomemprof_vars *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct elf_file *elf = NULL;
	struct gobin *bin = NULL;
	bool found_it = false;

	if (!CHECK(fd >= 0) || !CHECK_INT(elf_file__open(fd, path, &elf, NULL), 0))
		return false;
	if (CHECK_INT(gobin__open(elf, &bin, NULL), 0)) {
		gomemprof_find(elf, bin, ret);
		found_it = true;
		gobin__free(bin);
	}
	elf_file__free(elf);
	return found_it;
}

static void compare_stripped(const char *plain, const char *stripped)
{
	struct gomemprof_vars by_symbol, by_code;
	bool same = false;

	if (!find_in(plain, &by_symbol) || !find_in(stripped, &by_code))
		return;
	CHECK_INT(by_symbol.nrates, 1);
	CHECK(by_symbol.mbuckets != 0);
	CHECK_INT(by_code.mbuckets, 0);
	/* The rate and mcache0. */
	CHECK(by_code.nrates >= 1 && by_code.nrates <= 2);
	for (uint32_t i = 0; i < by_code.nrates; i++)
		same |= by_code.rates[i] == by_symbol.rates[0];
	if (!CHECK(same))
		fprintf(stderr, "  %s\n", stripped);
}

static void build_and_compare(const char *goroot)
{
	char dir[] = "/tmp/test_gomemprof.XXXXXX", paths[2][128], cmd[1024], env[256] = "";
	FILE *f;

	if (goroot)
		snprintf(env, sizeof(env), "GOROOT=%s PATH=%s/bin:$PATH", goroot, goroot);
	if (!CHECK(mkdtemp(dir)))
		return;
	snprintf(cmd, sizeof(cmd), "%s/main.go", dir);
	f = fopen(cmd, "w");
	if (CHECK(f)) {
		fputs(go_source, f);
		fclose(f);
	}
	for (int pie = 0; pie < 2; pie++) {
		snprintf(paths[0], sizeof(paths[0]), "%s/plain%d", dir, pie);
		snprintf(paths[1], sizeof(paths[1]), "%s/stripped%d", dir, pie);
		/* By strip: the linker's -s -w is noted in the program, which moves its variables. */
		snprintf(cmd, sizeof(cmd),
			 "cd %s && %s GO111MODULE=off GOTOOLCHAIN=local GOFLAGS= GOEXPERIMENT= CGO_ENABLED=0"
			 " GOCACHE=${GOCACHE:-/tmp/allocsnoop-test-gocache} go build -buildmode=%s -o %s main.go"
			 " && strip -o %s %s",
			 dir, env, pie ? "pie" : "exe", paths[0], paths[1], paths[0]);
		if (CHECK_INT(system(cmd), 0))
			compare_stripped(paths[0], paths[1]);
	}
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	CHECK_INT(system(cmd), 0);
}

TEST(go_programs)
{
	if (system("command -v go >/dev/null && command -v strip >/dev/null")) {
		SKIP("needs go and strip");
		return;
	}
	build_and_compare(NULL);
	each_goroot(build_and_compare);
}
#else
TEST(go_programs)
{
	SKIP("reads x86-64 code");
}
#endif

TEST_MAIN()
