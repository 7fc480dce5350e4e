// SPDX-License-Identifier: GPL-2.0-or-later
/* /proc/PID/smaps, as kernels write it and as nobody does; and whose the pages of a mapping are in a Go program. */
#include "target/smaps.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/gomem.h"
#include "test.h"

#define MAX 8

static struct smap found[MAX];
static size_t nfound;

static void on_map(void *ctx, const struct smap *map)
{
	CHECK(ctx == &nfound);
	if (nfound < MAX)
		found[nfound] = *map;
	nfound++;
}

static int parse(const char *text)
{
	FILE *in = fmemopen((void *)text, strlen(text), "r");
	int err;

	nfound = 0;
	memset(found, 0, sizeof(found));
	err = smaps_parse(in, on_map, &nfound);
	fclose(in);
	return err;
}

TEST(mappings_with_their_numbers)
{
	CHECK(!parse(
		"00400000-00401000 r-xp 00000000 08:01 1234   /usr/bin/a b\n"
		"Size:                  4 kB\nRss:                   4 kB\nLazyFree:              0 kB\n"
		"VmFlags: rd ex mr mw me \n"
		"c000000000-c000400000 rw-p 00000000 00:00 0    [anon: Go: heap]\n"
		"Rss:                2060 kB\nPss:                2060 kB\nAnonHugePages:      2048 kB\nLazyFree:             12 kB\n"
		"7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0    [stack]\nRss: 8 kB\n"));
	CHECK_INT(nfound, 3);
	CHECK(found[0].has_file && !found[1].has_file && !found[2].has_file);
	CHECK_INT(found[0].start, 0x400000);
	CHECK_INT(found[0].rss_bytes, 4096);
	CHECK_INT(found[1].end, 0xc000400000);
	CHECK_INT(found[1].rss_bytes, 2060 * 1024);
	CHECK_INT(found[1].anon_huge_bytes, 2 << 20);
	CHECK_INT(found[1].lazy_free_bytes, 12 * 1024);
	CHECK_INT(found[2].rss_bytes, 8192);
}

TEST(lines_that_make_no_sense)
{
	CHECK(!parse(""));
	CHECK_INT(nfound, 0);
	CHECK(!parse("Rss: 4 kB\nAnonHugePages: 4 kB\n\n-\n"));
	CHECK_INT(nfound, 0);
	CHECK(!parse(
		"1000-3000 rw-p 0 00:00 0\nRss: 99999999999999999999999 kB\nRss: x\nRss:\nLazyFree: -4 kB\nRss 4\n2000-1000 rw-p 0 00:00 0\n"));
	CHECK_INT(nfound, 1);
	CHECK_INT(found[0].rss_bytes, 0);
	CHECK_INT(found[0].lazy_free_bytes, 0);
}

TEST(of_this_process)
{
	const size_t len = 64 * (size_t)sysconf(_SC_PAGESIZE);
	char *mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t total = 0;

	if (!CHECK(mem != MAP_FAILED))
		return;
	memset(mem, 1, len);
	nfound = 0;
	if (CHECK_INT(smaps_each(getpid(), on_map, &nfound), 0)) {
		for (size_t i = 0; i < nfound && i < MAX; i++)
			total += found[i].rss_bytes;
		CHECK(nfound > 4 && total);
	}
	munmap(mem, len);
	CHECK_INT(smaps_each(0x3fffffff, on_map, &nfound), -ESRCH);
}

#define ARENA 0xc000000000ull
#define SECOND (ARENA + 3 * GOSTATS_ARENA_BYTES)

static uint64_t starts[] = { ARENA, ARENA + GOSTATS_ARENA_BYTES, SECOND };
static const struct gostats_arenas arenas = { starts, 3, 0 };
static const struct gomem_places places = { &arenas, 0x600010, 0x700123 };

static bool add(struct go_rss *rss, uint64_t start, uint64_t end, bool has_file)
{
	const struct smap map = { start, end, has_file, 100, 20, 3 };

	memset(rss, 0, sizeof(*rss));
	return gomem_add(&places, &map, rss);
}

TEST(whose_pages_they_are)
{
	struct go_rss rss;

	/* The heap: within an arena, over two that touch each other. */
	CHECK(add(&rss, ARENA + 0x1000, ARENA + 0x9000, false));
	CHECK_INT(rss.arenas_bytes, 100);
	CHECK_INT(rss.arenas_lazy_bytes, 20);
	CHECK_INT(rss.arenas_huge_bytes, 3);
	CHECK_INT(rss.rss_bytes, 100);
	CHECK_INT(rss.other_anon_bytes, 0);
	CHECK(add(&rss, ARENA, ARENA + 2 * GOSTATS_ARENA_BYTES, false));
	CHECK_INT(rss.arenas_bytes, 100);
	CHECK(add(&rss, SECOND, SECOND + GOSTATS_ARENA_BYTES, false));
	CHECK_INT(rss.arenas_bytes, 100);
	/* Partly: what of it is the heap's nobody knows. */
	CHECK(!add(&rss, ARENA - 0x1000, ARENA + 0x1000, false));
	CHECK(!add(&rss, ARENA, SECOND + 0x1000, false));
	CHECK(!add(&rss, SECOND, SECOND + GOSTATS_ARENA_BYTES + 0x1000, false));
	/* Between them, and around. */
	CHECK(add(&rss, ARENA + 2 * GOSTATS_ARENA_BYTES, SECOND, false));
	CHECK_INT(rss.other_anon_bytes, 100);
	CHECK_INT(rss.arenas_bytes, 0);
	CHECK(add(&rss, SECOND + GOSTATS_ARENA_BYTES, SECOND + 2 * GOSTATS_ARENA_BYTES, false));
	CHECK_INT(rss.other_anon_bytes, 100);
	/* Files, and the program's variables. */
	CHECK(add(&rss, 0x400000, 0x500000, true));
	CHECK_INT(rss.rss_bytes, 100);
	CHECK_INT(rss.other_anon_bytes, 0);
	CHECK(add(&rss, 0x600000, 0x701000, false));
	CHECK_INT(rss.other_anon_bytes, 0);
	CHECK(add(&rss, 0x701000, 0x801000, false));
	CHECK_INT(rss.other_anon_bytes, 100);
}

TEST_MAIN()
