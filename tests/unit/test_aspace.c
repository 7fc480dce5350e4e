// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Address spaces made by hand and our own, and raw stacks judged by them: real
 * modules (an assembled library, a Go program), addresses from nm and objdump.
 */
#include "capture/aspace.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define PAGE 0x1000ULL

static int add(struct aspace *as, uint64_t start, uint64_t end, uint32_t module)
{
	char path[32] = "/file";
	struct mapping map = { .start = start, .end = end, .executable = true, .path = path };
	int err = aspace__add(as, &map, module);

	memset(path, 'x', sizeof(path) - 1); /* copied, then */
	return err;
}

static uint32_t module_at(const struct aspace *as, uint64_t addr)
{
	int at = aspace__find_code(as, addr);

	return at < 0 ? MODULE_NONE : as->modules[at];
}

TEST(add_in_any_order)
{
	struct aspace as = { 0 };

	CHECK_INT(aspace__find_code(&as, 0x5000), -1);
	CHECK_INT(add(&as, 0x5000, 0x7000, 1), 0);
	CHECK_INT(add(&as, 0x1000, 0x2000, 2), 0);
	CHECK_INT(add(&as, 0x9000, 0xa000, 3), 0);
	CHECK_INT(add(&as, 0x3000, 0x5000, 4), 0); /* up against the next */
	CHECK_INT(as.maps.len, 4);
	CHECK_INT(module_at(&as, 0x0fff), MODULE_NONE);
	CHECK_INT(module_at(&as, 0x1000), 2);
	CHECK_INT(module_at(&as, 0x1fff), 2);
	CHECK_INT(module_at(&as, 0x2000), MODULE_NONE);
	CHECK_INT(module_at(&as, 0x4fff), 4);
	CHECK_INT(module_at(&as, 0x5000), 1);
	CHECK_INT(module_at(&as, 0x6fff), 1);
	CHECK_INT(module_at(&as, 0x9000), 3);
	CHECK_INT(module_at(&as, 0xa000), MODULE_NONE);
	CHECK_STR(as.maps.items[0].path, "/file");
	aspace__free(&as);
	CHECK(!as.maps.items && !as.modules);
	aspace__free(&as);
}

/* The new mapping holds what it covers, whatever was there; its neighbours stay. */
TEST(add_over_others)
{
	static const struct {
		uint64_t start, end;
	} news[] = { { 0x5000, 0x7000 }, { 0x4000, 0x8000 }, { 0x5000, 0x6000 }, { 0x5800, 0x6000 },
		     { 0x6000, 0x9000 }, { 0x3000, 0x6000 }, { 0x2000, 0x9000 }, { 0x1800, 0x9800 } };

	for (size_t i = 0; i < sizeof(news) / sizeof(news[0]); i++) {
		struct aspace as = { 0 };

		CHECK_INT(add(&as, 0x1000, 0x2000, 1), 0);
		CHECK_INT(add(&as, 0x5000, 0x7000, 2), 0);
		CHECK_INT(add(&as, 0x9000, 0xa000, 3), 0);
		CHECK_INT(add(&as, news[i].start, news[i].end, 4), 0);
		for (uint64_t addr = 0; addr < 0xb000; addr += 0x100) {
			bool covered = addr >= news[i].start && addr < news[i].end;
			uint32_t before = addr >= 0x1000 && addr < 0x2000 ? 1 :
					  addr >= 0x5000 && addr < 0x7000 ? 2 :
					  addr >= 0x9000 && addr < 0xa000 ? 3 :
									    MODULE_NONE;
			uint32_t now = module_at(&as, addr);
			/* The rest of one that is cut may be gone, but never anybody else's. */
			bool ok = covered ? now == 4 : now == before || now == MODULE_NONE;

			if (!CHECK(ok))
				fprintf(stderr, "  case %zu: %lx is %u\n", i, addr, now);
		}
		if (news[i].start >= 0x2000)
			CHECK_INT(module_at(&as, 0x1000), 1);
		if (news[i].end <= 0x9000)
			CHECK_INT(module_at(&as, 0x9000), 3);
		for (size_t k = 1; k < as.maps.len; k++)
			CHECK(as.maps.items[k - 1].end <= as.maps.items[k].start);
		aspace__free(&as);
	}
}

/* Against a plain array with one entry for each page. */
TEST(add_at_random)
{
	enum { PAGES = 64 };
	struct aspace as = { 0 };
	uint32_t pages[PAGES];
	uint64_t state = 7;

	memset(pages, 0xff, sizeof(pages));
	for (uint32_t round = 0; round < 3000; round++) {
		uint32_t start, len;

		state = state * 6364136223846793005ULL + 1442695040888963407ULL;
		start = (state >> 33) % (PAGES - 8);
		len = 1 + (state >> 50) % 8;
		CHECK_INT(add(&as, start * PAGE, (start + len) * PAGE, round), 0);
		for (uint32_t i = 0; i < len; i++)
			pages[start + i] = round;
		for (uint32_t i = 0; i < PAGES; i++) {
			uint32_t now = module_at(&as, i * PAGE + 5);

			if (now != pages[i] && now != MODULE_NONE) {
				CHECK_INT(now, pages[i]);
				round = 3000;
			}
			if (i >= start && i < start + len)
				CHECK_INT(now, pages[i]);
		}
	}
	aspace__free(&as);
}

TEST(copy_of_a_parent)
{
	struct aspace as = { 0 }, copy = { 0 };

	CHECK_INT(add(&as, 0x1000, 0x2000, 1), 0);
	CHECK_INT(add(&as, 0x3000, 0x4000, 2), 0);
	CHECK_INT(add(&as, 0x5000, 0x6000, 3), 0);
	CHECK_INT(add(&copy, 0x8000, 0x9000, 9), 0);
	CHECK_INT(aspace__copy(&copy, &as), 0);
	CHECK_INT(module_at(&copy, 0x1000), 1);
	CHECK_INT(module_at(&copy, 0x5fff), 3);
	CHECK_INT(module_at(&copy, 0x8000), MODULE_NONE);
	aspace__free(&as); /* nothing is shared */
	CHECK_STR(copy.maps.items[0].path, "/file");
	CHECK_INT(add(&copy, 0x1000, 0x6000, 7), 0);
	CHECK_INT(module_at(&copy, 0x5000), 7);
	CHECK_INT(aspace__copy(&copy, &as), 0); /* of an empty one */
	CHECK_INT(copy.maps.len, 0);
	aspace__free(&copy);
}

struct scene {
	struct modules *mods;
	struct gomods *gomods;
	struct aspace as;
};

static bool scene__open(struct scene *s)
{
	*s = (struct scene){ .mods = NULL };
	return CHECK_INT(modules__new(NULL, &s->mods), 0) && CHECK_INT(gomods__new(s->mods, &s->gomods), 0);
}

static void scene__free(struct scene *s)
{
	aspace__free(&s->as);
	gomods__free(s->gomods);
	modules__free(s->mods);
}

static int check_object(struct dl_phdr_info *info, size_t size, void *ctx)
{
	struct scene *s = ctx;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *phdr = &info->dlpi_phdr[i];
		uint64_t addr = info->dlpi_addr + phdr->p_vaddr;

		if (phdr->p_type != PT_LOAD)
			continue;
		CHECK_INT(aspace__find_code(&s->as, addr) >= 0, (phdr->p_flags & PF_X) != 0);
		if (phdr->p_flags & PF_X)
			CHECK(modules__get(s->mods, module_at(&s->as, addr)));
	}
	return 0;
}

TEST(our_own)
{
	struct scene s;
	bool replaced = true;
	size_t len;
	pid_t pid;
	int local;

	if (!scene__open(&s))
		return;
	CHECK_INT(aspace__read(&s.as, s.mods, getpid(), &replaced), 0);
	CHECK(!replaced);
	dl_iterate_phdr(check_object, &s);
	CHECK_INT(aspace__find_code(&s.as, (uintptr_t)&local), -1);
	CHECK_INT(aspace__find_code(&s.as, 0), -1);
	CHECK_INT(aspace__find_code(&s.as, UINT64_MAX), -1);
	/* One that is gone, and one that is going, leave what we know. */
	len = s.as.maps.len;
	pid = fork();
	if (pid == 0)
		_exit(0);
	waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT);
	CHECK_INT(aspace__read(&s.as, s.mods, pid, NULL), -ESRCH);
	waitpid(pid, NULL, 0);
	CHECK_INT(aspace__read(&s.as, s.mods, pid, NULL), -ESRCH);
	CHECK_INT(s.as.maps.len, len);
	CHECK(aspace__find_code(&s.as, (uintptr_t)aspace__read) >= 0);
	scene__free(&s);
}

/* What was unloaded stays until something else stands there, which is told. */
TEST(remembers_what_is_gone)
{
	struct scene s;
	bool replaced = true;
	uint64_t addr;
	size_t len;
	void *page;

	if (!scene__open(&s))
		return;
	page = mmap(NULL, 4 * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED) {
		SKIP("no executable memory to be had");
		scene__free(&s);
		return;
	}
	addr = (uintptr_t)page;
	CHECK_INT(aspace__read(&s.as, s.mods, getpid(), NULL), 0);
	CHECK(aspace__find_code(&s.as, addr + 5) >= 0);
	len = s.as.maps.len;
	munmap(page, 4 * PAGE);
	CHECK_INT(aspace__read(&s.as, s.mods, getpid(), &replaced), 0);
	CHECK(!replaced);
	CHECK(aspace__find_code(&s.as, addr + 5) >= 0);
	CHECK_INT(s.as.maps.len, len); /* nothing is there twice */
	/* Other code in the place of ours: of a module that is not even in the table. */
	addr = (uintptr_t)aspace__read & ~(PAGE - 1);
	CHECK_INT(add(&s.as, addr, addr + PAGE, 4711), 0);
	CHECK_INT(aspace__read(&s.as, s.mods, getpid(), &replaced), 0);
	CHECK(replaced);
	CHECK(module_at(&s.as, addr) != 4711);
	CHECK(module_at(&s.as, (uintptr_t)scene__open) == module_at(&s.as, (uintptr_t)aspace__read));
	CHECK_INT(aspace__read(&s.as, s.mods, getpid(), &replaced), 0);
	CHECK(!replaced);
	scene__free(&s);
}

#if defined(__x86_64__)

/* A program or library, mapped by hand with its code at @base: file offset 0 there. */
struct image {
	char path[160];
	uint32_t module;
	uint64_t base;
};

static bool map_image(struct scene *s, struct image *img)
{
	int fd = open(img->path, O_RDONLY | O_CLOEXEC);
	struct mapping map = { .start = img->base, .end = img->base + 0x10000000, .executable = true, .path = img->path };

	if (!CHECK(fd >= 0))
		return false;
	img->module = modules__add_file(s->mods, fd, img->path);
	return CHECK(img->module != MODULE_NONE) && CHECK_INT(aspace__add(&s->as, &map, img->module), 0);
}

/* Where the byte at @vaddr stands. */
static uint64_t addr_of(const struct scene *s, const struct image *img, uint64_t vaddr)
{
	uint64_t off = 0;

	CHECK(elf_file__vaddr_to_off(modules__get(s->mods, img->module)->elf, vaddr, &off));
	return img->base + off;
}

/* First field of the first line that @fmt (a command) prints, hexadecimal; 0 if none. */
static uint64_t ask(const char *fmt, const char *path, const char *name)
{
	char cmd[512], line[512] = "";
	FILE *out;

	snprintf(cmd, sizeof(cmd), fmt, path, name);
	out = popen(cmd, "r");
	if (!out)
		return 0;
	if (!fgets(line, sizeof(line), out))
		line[0] = 0;
	while (fgetc(out) != EOF)
		;
	pclose(out);
	return strtoull(line, NULL, 16);
}

#define NM "nm '%s' | grep -E ' %s$'"

static const char library_source[] =
	"\t.globl leaf, caller, after, direct, after2, notcall, notcall2\n"
	"\t.type leaf, @function\n\t.type caller, @function\n"
	"leaf:\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tret\n"
	"caller:\n\tsub $8, %rsp\n\tcall *8(%rax)\nafter:\n\tnop\n\tcall 1f\nafter2:\n\tadd $8, %rsp\n\tret\n"
	"1:\tnop\n\tnop\n\tnop\n\tnop\nnotcall:\n\tnop\n\tjmp leaf\n"
	"notcall2:\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n";

static bool make_library(const char *dir, struct image *img)
{
	char cmd[256];
	FILE *cc;

	snprintf(img->path, sizeof(img->path), "%s/lib.so", dir);
	img->base = 0x7f1000000000;
	snprintf(cmd, sizeof(cmd), "cc -shared -nostdlib -x assembler -o %s - 2>&1", img->path);
	cc = popen(cmd, "w");
	if (!CHECK(cc))
		return false;
	fputs(library_source, cc);
	return CHECK_INT(pclose(cc), 0);
}

static bool make_dir(char *dir)
{
	return CHECK(mkdtemp(dir));
}

static void remove_dir(const char *dir)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	CHECK_INT(system(cmd), 0);
}

/*
 * Judge @n words; compares frames by @want: its i-th is the index in @words, -1 ends it. What comes behind
 * the last one is told as unmapped if it is in no code (and is not only left out).
 */
static void judge(struct scene *s, const char *name, uint16_t rec_flags, const uint64_t *words, uint16_t n,
		  uint32_t want_flags, const int *want)
{
	struct event_frame frames[ABI_MAX_FRAMES + 1];
	struct abi_rec_stack rec = { .nframes = n, .flags = rec_flags };
	uint32_t flags = 77, got, len = 0, next;
	bool ok, unmapped = true;

	memcpy(rec.frames, words, n * sizeof(*words));
	got = aspace__resolve_stack(&s->as, s->mods, s->gomods, &rec, frames, &flags, &unmapped);
	while (want[len] >= 0)
		len++;
	next = len ? (uint32_t)want[len - 1] + 1 : 0;
	if (next == 1 && rec_flags & ABI_STACK_LEAF_GUESS)
		next++;
	ok = CHECK_INT(got, len) && CHECK_INT(flags, want_flags) &&
	     CHECK_INT(unmapped, next < n && aspace__find_code(&s->as, words[next] & ~ABI_FRAME_FLAGS) < 0);
	for (uint32_t i = 0; ok && i < len; i++)
		ok = CHECK_INT(frames[i].addr, words[want[i]] & ~ABI_FRAME_FLAGS);
	if (!ok)
		fprintf(stderr, "  in: %s\n", name);
}

#define WORDS(...) (const uint64_t[]){ __VA_ARGS__ }, sizeof((const uint64_t[]){ __VA_ARGS__ }) / 8
#define WANT(...) (const int[]){ __VA_ARGS__ }
#define ALL(n) (const int[]){ 0, (n) > 1 ? 1 : -1, (n) > 2 ? 2 : -1, (n) > 3 ? 3 : -1, -1 }

TEST(native_stacks)
{
	char dir[] = "/tmp/test_aspace.XXXXXX";
	struct image lib = { .module = 0 };
	uint64_t leaf, after, after2, notcall, notcall2;
	struct event_frame frames[ABI_MAX_FRAMES + 1];
	struct abi_rec_stack rec = { .nframes = 2 };
	struct scene s;
	uint32_t flags;

	if (!make_dir(dir) || !scene__open(&s) || !make_library(dir, &lib) || !map_image(&s, &lib))
		return;
	leaf = addr_of(&s, &lib, ask(NM, lib.path, "leaf"));
	after = addr_of(&s, &lib, ask(NM, lib.path, "after"));
	after2 = addr_of(&s, &lib, ask(NM, lib.path, "after2"));
	notcall = addr_of(&s, &lib, ask(NM, lib.path, "notcall"));
	notcall2 = addr_of(&s, &lib, ask(NM, lib.path, "notcall2"));

	judge(&s, "a whole stack", 0, WORDS(leaf, after, after2, after), 0, ALL(4));
	judge(&s, "the first word needs no call before it", 0, WORDS(notcall, after), 0, ALL(2));
	judge(&s, "no call before a caller", 0, WORDS(leaf, after, notcall, after2), EVENT_STACK_BROKEN, ALL(2));
	judge(&s, "behind a jmp", 0, WORDS(leaf, notcall2, after), EVENT_STACK_BROKEN, ALL(1));
	judge(&s, "the middle of a call", 0, WORDS(leaf, after - 1, after2), EVENT_STACK_BROKEN, ALL(1));
	judge(&s, "garbage", 0, WORDS(leaf, after, 0x4141414141414141, after2), EVENT_STACK_BROKEN, ALL(2));
	judge(&s, "a caller at 0", 0, WORDS(leaf, 0, after), EVENT_STACK_BROKEN, ALL(1));
	judge(&s, "the first one is no code", 0, WORDS(0x10, after), EVENT_STACK_BROKEN, WANT(-1));
	judge(&s, "too deep", ABI_STACK_TRUNCATED, WORDS(leaf, after), EVENT_STACK_TRUNCATED, ALL(2));
	judge(&s, "unreadable", ABI_STACK_UNREADABLE, WORDS(leaf, after), EVENT_STACK_BROKEN, ALL(2));
	judge(&s, "a bad frame pointer", ABI_STACK_BAD_FP, WORDS(leaf, after), EVENT_STACK_BROKEN, ALL(2));
	judge(&s, "nothing", 0, WORDS(leaf), 0, ALL(1));
	judge(&s, "a guess that is a caller", ABI_STACK_LEAF_GUESS, WORDS(leaf, after, after2), 0, ALL(3));
	judge(&s, "a guess that is none", ABI_STACK_LEAF_GUESS, WORDS(leaf, notcall, after2), 0, WANT(0, 2, -1));
	judge(&s, "a guess in no code", ABI_STACK_LEAF_GUESS, WORDS(leaf, 0x1234, after2, after), 0, WANT(0, 2, 3, -1));
	judge(&s, "a guess that is none, then garbage", ABI_STACK_LEAF_GUESS, WORDS(leaf, 0x1234, 0x1234), EVENT_STACK_BROKEN,
	      WANT(0, -1));

	/* A handler returns to code that is behind no call: where the signal came says that it is right. */
	judge(&s, "behind a handler", 0, WORDS(leaf, after, notcall, after2 | ABI_FRAME_BY_TABLE | ABI_FRAME_EXACT, after), 0,
	      WANT(0, 1, 2, 3, 4, -1));
	judge(&s, "a handler's leaf", ABI_STACK_LEAF_GUESS, WORDS(leaf, notcall, after2 | ABI_FRAME_BY_TABLE | ABI_FRAME_EXACT), 0,
	      ALL(3));
	judge(&s, "garbage behind a handler", 0, WORDS(leaf, after, 0x1234, after2 | ABI_FRAME_BY_TABLE | ABI_FRAME_EXACT),
	      EVENT_STACK_BROKEN, ALL(2));
	judge(&s, "a guess that could not be read", ABI_STACK_LEAF_GUESS, WORDS(leaf, 0, after2), EVENT_STACK_BROKEN,
	      WANT(0, 2, -1));

	/* What is wrong with C frames ends where Go called them. */
	judge(&s, "certain", 0, WORDS(leaf, after | ABI_FRAME_CERTAIN, after2), 0, ALL(3));
	judge(&s, "garbage, then certain", 0, WORDS(leaf, notcall, after, after2 | ABI_FRAME_CERTAIN, after), 0,
	      WANT(0, 3, 4, -1));
	judge(&s, "garbage twice", 0,
	      WORDS(leaf, notcall, after | ABI_FRAME_CERTAIN, notcall, after2, after | ABI_FRAME_CERTAIN), 0,
	      WANT(0, 2, 5, -1));
	judge(&s, "certain, then garbage", 0, WORDS(leaf, after | ABI_FRAME_CERTAIN, notcall, after2),
	      EVENT_STACK_BROKEN, WANT(0, 1, -1));
	judge(&s, "certain garbage", 0, WORDS(leaf, notcall | ABI_FRAME_CERTAIN, after2), EVENT_STACK_BROKEN,
	      WANT(0, -1));

	/* What look-ups want: the first as it is, callers in the call. */
	rec.frames[0] = leaf;
	rec.frames[1] = after;
	CHECK_INT(aspace__resolve_stack(&s.as, s.mods, s.gomods, &rec, frames, &flags, NULL), 2);
	CHECK_INT(frames[0].vaddr, ask(NM, lib.path, "leaf"));
	CHECK_INT(frames[1].vaddr, ask(NM, lib.path, "after") - 1);
	CHECK_INT(frames[1].module, lib.module);

	/* As many as there can be, and a record that says more. */
	rec.nframes = UINT8_MAX;
	for (int i = 0; i <= ABI_MAX_FRAMES; i++)
		rec.frames[i] = after;
	CHECK(aspace__resolve_stack(&s.as, s.mods, s.gomods, &rec, frames, &flags, NULL) <= ABI_MAX_FRAMES + 1);
	scene__free(&s);
	remove_dir(dir);
}

TEST(code_without_a_file)
{
	struct scene s;

	if (!scene__open(&s))
		return;
	CHECK_INT(add(&s.as, 0x10000, 0x20000, MODULE_NONE), 0);
	judge(&s, "generated code has no bytes to look at", 0, WORDS(0x10100, 0x10200, 0x10300), 0, ALL(3));
	judge(&s, "its end", 0, WORDS(0x10100, 0x20000), EVENT_STACK_BROKEN, ALL(1));
	/* Mapped, but not as code. */
	s.as.maps.items[0].executable = false;
	judge(&s, "data", 0, WORDS(0x10100), EVENT_STACK_BROKEN, WANT(-1));
	scene__free(&s);
}

static bool make_go_program(const char *dir, struct image *img)
{
	char cmd[1024];
	FILE *f;

	snprintf(cmd, sizeof(cmd), "%s/main.go", dir);
	f = fopen(cmd, "w");
	if (!CHECK(f))
		return false;
	fputs("package main\nimport \"fmt\"\nfunc main() { fmt.Println(1) }\n", f);
	fclose(f);
	snprintf(img->path, sizeof(img->path), "%s/program", dir);
	img->base = 0x550000000000;
	snprintf(cmd, sizeof(cmd),
		 "cd %s && GO111MODULE=off GOTOOLCHAIN=local GOFLAGS= CGO_ENABLED=0"
		 " GOCACHE=${GOCACHE:-/tmp/allocsnoop-test-gocache} go build -o program main.go",
		 dir);
	return CHECK_INT(system(cmd), 0);
}

TEST(go_stacks)
{
	char dir[] = "/tmp/test_aspace.XXXXXX";
	struct image prog = { .module = 0 }, lib = { .module = 0 };
	uint64_t mallocgc, main_main, clear, stored, after, call, mcall, morestack, schedule, clone;
	struct scene s;

	if (system("command -v go >/dev/null")) {
		SKIP("needs go");
		return;
	}
	if (!make_dir(dir) || !scene__open(&s) || !make_go_program(dir, &prog) || !map_image(&s, &prog) ||
	    !make_library(dir, &lib) || !map_image(&s, &lib))
		return;
	mallocgc = addr_of(&s, &prog, ask(NM, prog.path, "runtime.mallocgc"));
	clear = addr_of(&s, &prog, ask(NM, prog.path, "runtime.memclrNoHeapPointers"));
	/* The instruction behind a call of main.main: objdump's next line. */
	call = ask("objdump -d --no-show-raw-insn --disassemble=main.main '%s' | grep -A1 call | sed -n 2p%s", prog.path, "");
	main_main = addr_of(&s, &prog, call);
	/* In mallocgc behind its prologue, where the frame is there: past the sub of %rsp and some more. */
	stored = addr_of(&s, &prog, ask("objdump -d --no-show-raw-insn --disassemble=runtime.mallocgc '%s' |"
					" grep -A12 'sub .*,%%rsp' | tail -1%s", prog.path, ""));
	after = addr_of(&s, &lib, ask(NM, lib.path, "after"));
	if (!CHECK(call && stored > mallocgc && clear))
		return;

	judge(&s, "Go", 0, WORDS(mallocgc, main_main, main_main), 0, ALL(3));
	/* Frame pointers of Go are right: whatever the pclntab knows is a caller, call or not (goexit + 1). */
	judge(&s, "Go, not behind a call", 0, WORDS(mallocgc, mallocgc + 1, main_main), 0, ALL(3));
	judge(&s, "Go and native code", 0, WORDS(mallocgc, after, main_main), 0, ALL(3));
	judge(&s, "an address of the file that is no function", 0, WORDS(mallocgc, prog.base + 16, main_main),
	      EVENT_STACK_BROKEN, ALL(1));
	/* A leaf without a frame: [sp] is its caller. */
	judge(&s, "a leaf's caller", ABI_STACK_LEAF_GUESS, WORDS(clear, main_main, main_main), 0, ALL(3));
	/* With a frame [sp] is anything, even if it looks like a caller. */
	judge(&s, "a word of a frame", ABI_STACK_LEAF_GUESS, WORDS(stored, main_main, mallocgc), 0, WANT(0, 2, -1));
	judge(&s, "a word of a frame that could not be read", ABI_STACK_LEAF_GUESS, WORDS(stored, 0, main_main), 0, WANT(0, 2, -1));
	judge(&s, "a caller that could not be read", ABI_STACK_LEAF_GUESS, WORDS(clear, 0, main_main), EVENT_STACK_BROKEN,
	      WANT(0, 2, -1));
	judge(&s, "garbage in a frame", ABI_STACK_LEAF_GUESS, WORDS(stored, 0xc000012340, main_main), 0, WANT(0, 2, -1));
	/* On the scheduler's stack: the goroutine above may run elsewhere by now, and its stack be anything. */
	mcall = addr_of(&s, &prog, ask(NM, prog.path, "runtime.mcall")) + 16;
	morestack = addr_of(&s, &prog, ask(NM, prog.path, "runtime.morestack.abi0")) + 16;
	schedule = addr_of(&s, &prog, ask(NM, prog.path, "runtime.schedule")) + 16;
	judge(&s, "above mcall", ABI_STACK_NO_TABLE, WORDS(mallocgc, mcall, prog.base + 16), 0, ALL(2));
	judge(&s, "above mcall, too deep", ABI_STACK_TRUNCATED | ABI_STACK_LOOP, WORDS(mallocgc, mcall, main_main), 0, ALL(2));
	judge(&s, "above mcall, that a table led to", ABI_STACK_NO_TABLE, WORDS(mallocgc, mcall | ABI_FRAME_BY_TABLE, prog.base + 16), 0,
	      ALL(2));
	clone = addr_of(&s, &prog, ask(NM, prog.path, "runtime.clone.abi0")) + 16;
	judge(&s, "a thread that begins", ABI_STACK_BAD_FP, WORDS(clone, main_main), 0, ALL(1));
	judge(&s, "a stack that grows", 0, WORDS(mallocgc, morestack, main_main), 0, ALL(3));
	judge(&s, "a goroutine that yields where its stack grows", 0, WORDS(mallocgc, schedule, morestack, main_main), 0, ALL(3));
	scene__free(&s);
	remove_dir(dir);
}

/* As many mappings as a process can have: every module its own, or a Go program again and again. */
TEST(look_ups_among_many_mappings)
{
	enum { N = 65000, LOG_N = 17 };
	const uint64_t apart = 0x1000000;
	char dir[] = "/tmp/test_aspace.XXXXXX";
	struct image prog = { .module = 0 };
	const struct go_moduledata *md;
	uint64_t bias, vaddr, steps;
	uint32_t module, wrong = 0;
	struct scene s;

	if (system("command -v go >/dev/null")) {
		SKIP("needs go");
		return;
	}
	if (!make_dir(dir) || !scene__open(&s) || !make_go_program(dir, &prog))
		return;
	prog.module = modules__add_file(s.mods, open(prog.path, O_RDONLY | O_CLOEXEC), prog.path);
	md = gobin__moduledata(gomods__get(s.gomods, prog.module));
	if (!CHECK(md->etypes > md->types && md->etypes < apart))
		return;
	for (uint32_t i = 1; i <= N; i++) {
		uint64_t start = i * apart;

		wrong += add(&s.as, start, start + PAGE, i % 4 ? 1000 + i : prog.module) != 0;
	}
	CHECK(!aspace__has_module(&s.as, 1000)); /* the index is made here */
	CHECK(!aspace__find_go_type(&s.as, s.mods, s.gomods, apart - PAGE, &module, &vaddr));
	steps = aspace__index_steps(&s.as);
	for (uint32_t i = 1; i <= N; i++) {
		uint64_t type = i * apart - 0x400000 + md->types + 64;

		wrong += aspace__has_module(&s.as, 1000 + i) != (i % 4 != 0);
		wrong += aspace__find_go_type(&s.as, s.mods, s.gomods, type, &module, &vaddr) != (i % 4 == 0);
		wrong += i % 4 == 0 && (module != prog.module || vaddr != md->types + 64);
		wrong += !aspace__find_bias(&s.as, s.mods, prog.module, &bias) || bias != 4 * apart - 0x400000;
	}
	CHECK_INT(wrong, 0);
	/* It was not made anew, and no look-up went through all. */
	CHECK(aspace__index_steps(&s.as) - steps > N);
	CHECK(aspace__index_steps(&s.as) - steps <= 3ull * N * LOG_N);
	/* It follows what is mapped. */
	CHECK_INT(add(&s.as, 5 * apart, 6 * apart, 77), 0);
	CHECK(aspace__has_module(&s.as, 77));
	CHECK(!aspace__has_module(&s.as, 1005));
	CHECK_INT(add(&s.as, 4 * apart, 5 * apart, 78), 0);
	CHECK(aspace__find_bias(&s.as, s.mods, prog.module, &bias));
	CHECK_INT(bias, 8 * apart - 0x400000);
	CHECK(!aspace__find_go_type(&s.as, s.mods, s.gomods, 4 * apart - 0x400000 + md->types + 64, &module, &vaddr));
	scene__free(&s);
	remove_dir(dir);
}
#endif

TEST_MAIN()
