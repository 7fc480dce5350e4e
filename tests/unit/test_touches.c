// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Touches against a model that knows at every moment whose each byte is: random blocks that come and go at the
 * same addresses, looks at them now and then, and what calls and mappings tell.
 */
#include "capture/goasker.h"
#include "capture/touches.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "test.h"

#define PAGE 4096ULL
#define BASE 0x7f0000000000ULL
#define NSTACKS 8u

static uint64_t got[NSTACKS][NSTACKS], want[NSTACKS][NSTACKS]; /* [touched by][asked for by] */
static uint64_t by_source[4];

static int on_touch(void *ctx, uint32_t pid, uint64_t stack_id, uint64_t context_id, const struct event_touch *touch)
{
	(void)ctx;
	CHECK_INT(pid, 42);
	CHECK_INT(context_id, 70);
	CHECK(stack_id < NSTACKS && touch->by_stack_id && touch->by_stack_id < NSTACKS);
	got[stack_id][touch->by_stack_id] += touch->bytes;
	by_source[touch->by] += touch->bytes;
	return 0;
}

static int on_counts(void *ctx, uint32_t pid, enum event_source source, uint64_t stack_id, uint64_t context_id,
		     const struct event_counts *counts)
{
	(void)ctx, (void)pid, (void)source, (void)stack_id, (void)context_id, (void)counts;
	return 0;
}

static int on_live(void *ctx, uint32_t pid, enum event_source source, uint64_t stack_id, uint64_t context_id,
		   const struct event_live *live)
{
	(void)ctx, (void)pid, (void)source, (void)stack_id, (void)context_id, (void)live;
	return 0;
}

static const struct event_sink sink = { .on_touch = on_touch, .on_counts = on_counts, .on_live = on_live };

static struct touches *new_touches(bool blocks)
{
	const struct touches_opts opts = { PAGE, blocks };
	struct touches *t = NULL;

	memset(got, 0, sizeof(got));
	memset(want, 0, sizeof(want));
	memset(by_source, 0, sizeof(by_source));
	CHECK_INT(touches__new(&sink, 42, &opts, &t), 0);
	return t;
}

static struct mmaps *new_mmaps(void)
{
	const struct mmaps_opts opts = { PAGE, 0, UINT64_MAX };
	struct mmaps *m = NULL;

	CHECK_INT(mmaps__new(&sink, 42, &opts, &m), 0);
	return m;
}

static void map(struct mmaps *m, uint64_t addr, uint64_t len, uint64_t stack_id)
{
	const struct abi_rec_mmap rec = { .call = ABI_MMAP_MAP, .ns = 1, .stack_id = stack_id, .addr = addr, .len = len,
					  .flags = MAP_PRIVATE | MAP_ANONYMOUS };

	mmaps__apply(m, &rec);
}

static void touch(struct touches *t, uint64_t stack_id, uint64_t addr, uint64_t ns, uint32_t pages, const struct mmaps *m)
{
	const struct abi_rec_touch rec = { .stack_id = stack_id, .at = addr, .ns = ns, .pages = pages, .tid = 1,
					   .member = ABI_RSS_ANON, .how = ABI_TOUCH_ADDR };

	touches__add(t, &rec, 70, m);
}

static void compare(const char *what)
{
	for (uint32_t i = 0; i < NSTACKS; i++)
		for (uint32_t k = 1; k < NSTACKS; k++)
			if (got[i][k] != want[i][k])
				fprintf(stderr, "%s: touched by %u, asked for by %u:\n", what, i, k),
					CHECK_INT(got[i][k], want[i][k]);
}

/* --- blocks --- */

#define NBLOCKS 64u
#define BYTES (96 * PAGE)

static struct abi_block live[NBLOCKS]; /* bytes 0: none; block i lies in its part of memory */
static uint64_t addrs[NBLOCKS];

static int block_at(uint64_t addr)
{
	for (uint32_t i = 0; i < NBLOCKS; i++)
		if (addr - addrs[i] < live[i].bytes)
			return (int)i;
	return -1;
}

static void look(struct touches *t, uint64_t ns)
{
	touches__begin(t);
	for (uint32_t i = 0; i < NBLOCKS; i++)
		if (live[i].bytes)
			touches__block(t, addrs[i], &live[i]);
	touches__end(t, ns);
}

static void give_back(struct touches *t, uint32_t i, uint64_t ns)
{
	const struct abi_rec_freed rec = { .addr = addrs[i], .block = live[i], .ns = ns };

	touches__freed(t, &rec);
	live[i].bytes = 0;
}

static bool is_free(uint64_t addr, uint64_t bytes)
{
	for (uint32_t i = 0; i < NBLOCKS; i++)
		if (live[i].bytes && addrs[i] < addr + bytes && addr < addrs[i] + live[i].bytes)
			return false;
	return true;
}

static void random_run(unsigned int seed)
{
	struct touches *t = new_touches(true);
	uint64_t ns = 100;

	srand(seed);
	memset(live, 0, sizeof(live));
	for (int step = 0; step < 4000; step++, ns += 1 + (uint64_t)rand() % 2) {
		uint32_t i = (uint32_t)rand() % NBLOCKS, stack = 1 + (uint32_t)rand() % (NSTACKS - 1);
		uint64_t addr = BASE + (uint64_t)rand() % BYTES, bytes = 1 + (uint64_t)rand() % (rand() % 4 ? 300 : 5 * PAGE);
		int block;

		switch (rand() % 8) {
		case 0:
		case 1:
			if (live[i].bytes)
				give_back(t, i, ns);
			if (is_free(addr, bytes)) {
				addrs[i] = addr;
				live[i] = (struct abi_block){ stack, bytes, ns };
				ns++; /* nobody touches it before it is told of */
			}
			break;
		case 2:
			if (rand() % 30 == 0)
				look(t, ns);
			break;
		default:
			block = block_at(addr);
			touch(t, stack, addr, ns, 1, NULL);
			if (block >= 0)
				want[stack][live[block].stack_id] += PAGE;
		}
	}
	look(t, ns);
	compare("random blocks");
	look(t, ns); /* nothing is told twice */
	compare("a second look");
	touches__free(t);
}

TEST(random_blocks)
{
	for (unsigned int seed = 0; seed < 30; seed++)
		random_run(seed);
}

/* What was given back between the look and its end, and what was touched after it began. */
TEST(records_come_during_a_look)
{
	const struct abi_block block = { 3, 8 * PAGE, 10 };
	const struct abi_rec_freed freed = { .addr = BASE, .block = block, .ns = 40 };
	struct touches *t = new_touches(true);

	touch(t, 1, BASE + 5, 20, 1, NULL);
	touches__begin(t);
	touches__freed(t, &freed);
	touch(t, 1, BASE + PAGE, 35, 1, NULL); /* before it was given back: waits for the next look */
	touch(t, 2, BASE + PAGE, 45, 1, NULL); /* after: not its page */
	touches__end(t, 30);
	want[1][3] = PAGE;
	compare("the first look");
	touches__begin(t);
	touches__end(t, 50);
	want[1][3] = 2 * PAGE;
	compare("the second look");
	touches__free(t);
}

/* The page of the byte goes by the byte, the others by their beginning; what no block holds by its mapping. */
TEST(large_folios)
{
	struct mmaps *m = new_mmaps();
	struct touches *t = new_touches(true);
	const struct abi_block small = { 1, 100, 10 }, large = { 2, 3 * PAGE, 10 };

	map(m, BASE, 512 * PAGE, 5);
	map(m, BASE + 512 * PAGE, PAGE, 6);
	touch(t, 4, BASE + 7 * PAGE + 50, 20, 512, m);
	touches__begin(t);
	touches__block(t, BASE + 7 * PAGE, &small);
	touches__block(t, BASE + 8 * PAGE - 100, &large); /* the beginnings of three pages */
	touches__end(t, 30);
	want[4][1] = PAGE;
	want[4][2] = 3 * PAGE;
	want[4][5] = 508 * PAGE;
	compare("a folio");
	CHECK_INT(by_source[EVENT_MALLOC], 4 * PAGE);
	CHECK_INT(by_source[EVENT_MMAP], 508 * PAGE);
	/* Of another number of pages nothing is known but the byte. */
	touch(t, 4, BASE + 512 * PAGE, 40, 3, m);
	touches__begin(t);
	touches__end(t, 50);
	want[4][6] = 3 * PAGE;
	compare("three pages");
	touches__free(t);
	mmaps__free(m);
}

static void touch_span(struct touches *t, uint64_t addr, uint32_t pages, uint64_t start, uint64_t npages)
{
	const struct abi_rec_touch rec = { .stack_id = 4, .at = addr, .ns = 20, .pages = pages, .tid = 1, .member = ABI_RSS_ANON,
					   .how = ABI_TOUCH_ADDR, .span_start = start, .span_bytes = npages * PAGE };

	touches__add_in_span(t, &rec, 70, 3);
}

/* A folio brings pages of the spans around the one that was touched, which are not of who took that one. */
TEST(folios_in_spans)
{
	struct touches *t = new_touches(false);
	const uint64_t folio = BASE + 512 * PAGE;

	touch_span(t, folio + 700, 1, folio, 2);
	want[4][3] = PAGE;
	compare("a page");
	touch_span(t, folio + 9 * PAGE + 1, 512, folio + 8 * PAGE, 16); /* inside */
	want[4][3] += 16 * PAGE;
	touch_span(t, folio + 3, 512, folio - 100 * PAGE, 130); /* from before it */
	want[4][3] += 30 * PAGE;
	touch_span(t, folio + 511 * PAGE, 512, folio + 500 * PAGE, 600); /* and beyond */
	want[4][3] += 12 * PAGE;
	touch_span(t, folio + 5, 512, folio - PAGE, 1000); /* all of it */
	want[4][3] += 512 * PAGE;
	compare("folios");
	CHECK_INT(by_source[EVENT_GO], want[4][3]);
	touch_span(t, folio, 512, folio, UINT64_MAX / PAGE); /* the target's word is not to be believed */
	want[4][3] += 512 * PAGE;
	touch_span(t, folio, 512, UINT64_MAX - PAGE, 4);
	compare("nonsense");
	touches__free(t);
}

/* --- mappings --- */

TEST(mappings)
{
	const struct abi_rec_mmap gone = { .call = ABI_MMAP_UNMAP, .ns = 2, .addr = BASE, .len = PAGE };
	struct mmaps *m = new_mmaps();
	struct touches *t = new_touches(false);

	map(m, BASE, 2 * PAGE, 3);
	touch(t, 1, BASE + 4095, 10, 1, m);
	mmaps__apply(m, &gone);
	touch(t, 1, BASE, 20, 1, m); /* nobody's */
	map(m, BASE, PAGE, 4);
	touch(t, 1, BASE, 30, 1, m);
	touch(t, 1, BASE + PAGE, 30, 1, m);
	want[1][3] = 2 * PAGE;
	want[1][4] = PAGE;
	compare("at once");
	touches__free(t);
	/* With blocks to look for it is the mapping of then that counts. */
	t = new_touches(true);
	touch(t, 1, BASE, 40, 1, m);
	map(m, BASE, PAGE, 5);
	compare("none yet");
	touches__begin(t);
	touches__end(t, 50);
	want[1][4] = PAGE;
	compare("when no block was found");
	touch(t, 2, BASE, 60, 1, m);
	touches__drop(t);
	want[2][5] = PAGE;
	compare("at an exec");
	touches__free(t);
	mmaps__free(m);
}

/* Of a file's pages that come together all are of one mapping, wherever they lie. */
TEST(file_pages)
{
	const struct abi_rec_touch rec = { .stack_id = 1, .at = BASE + PAGE, .ns = 9, .pages = 16, .member = ABI_RSS_FILE };
	struct mmaps *m = new_mmaps();
	struct touches *t = new_touches(true);

	map(m, BASE, 2 * PAGE, 3);
	touches__add(t, &rec, 70, m);
	want[1][3] = 16 * PAGE;
	compare("a file");
	touches__free(t);
	mmaps__free(m);
}

/* --- calls --- */

static void hold(struct touches *t, uint32_t how, uint32_t tid, uint64_t at, uint64_t stack_id, uint32_t pages)
{
	const struct abi_rec_touch rec = { .stack_id = stack_id, .at = at, .tid = tid, .pages = pages,
					   .member = ABI_RSS_ANON, .how = (uint8_t)how };

	touches__add(t, &rec, 70, NULL);
}

TEST(doors)
{
	struct touches *t = new_touches(true);

	hold(t, ABI_TOUCH_DOOR, 7, 100, 1, 2);
	hold(t, ABI_TOUCH_DOOR, 8, 100, 2, 3); /* the same number in another thread */
	hold(t, ABI_TOUCH_DOOR, 7, 100, 1, 1);
	hold(t, ABI_TOUCH_DOOR, 7, 100, 2, 1);
	compare("before the return");
	touches__door(t, &(struct abi_rec_door){ .door = 100, .stack_id = 4, .tid = 7 });
	want[1][4] = 3 * PAGE;
	want[2][4] = PAGE;
	compare("one");
	touches__door(t, &(struct abi_rec_door){ .door = 100, .stack_id = 5, .tid = 7 }); /* nothing is left of it */
	touches__door(t, &(struct abi_rec_door){ .door = 101, .stack_id = 5, .tid = 8 }); /* not that one */
	touches__door(t, &(struct abi_rec_door){ .door = 100, .stack_id = 5, .tid = 8 });
	hold(t, ABI_TOUCH_DOOR, 7, 102, 1, 1);
	touches__door(t, &(struct abi_rec_door){ .door = 102, .stack_id = 0, .tid = 7 }); /* it failed */
	compare("the others");
	/* One that did not return, and the next. */
	hold(t, ABI_TOUCH_DOOR, 7, 103, 1, 9);
	hold(t, ABI_TOUCH_DOOR, 7, 104, 1, 1);
	touches__door(t, &(struct abi_rec_door){ .door = 104, .stack_id = 6, .tid = 7 });
	want[1][6] = PAGE;
	compare("one that was left");
	for (uint32_t tid = 0; tid < 5000; tid++)
		hold(t, ABI_TOUCH_DOOR, tid, 1, 1, 1);
	for (uint32_t i = 0; i < 100; i++)
		hold(t, ABI_TOUCH_DOOR, 4999, 1, i % NSTACKS, 1);
	touches__free(t);
}

TEST(calls)
{
	const struct abi_rec_mmap rec = { .call = ABI_MMAP_MAP, .ns = 1, .stack_id = 4, .addr = BASE, .len = 3 * PAGE,
					  .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, .tid = 7 };
	struct mmaps *m = new_mmaps();
	struct touches *t = new_touches(true);

	hold(t, ABI_TOUCH_CALL, 7, abi_touch_call(ABI_MMAP_MAP, 0, 3 * PAGE), 1, 3);
	hold(t, ABI_TOUCH_CALL, 8, abi_touch_call(ABI_MMAP_MAP, 0, 5 * PAGE), 1, 3);
	mmaps__apply(m, &rec);
	touches__call(t, &rec, m);
	want[1][4] = 3 * PAGE;
	compare("a call that fills what it maps");
	CHECK_INT(by_source[EVENT_MMAP], 3 * PAGE);
	touches__free(t);
	mmaps__free(m);
}

/* Too many to wait for blocks: counted, and what is known of them is told. */
TEST(bounded)
{
	struct mmaps *m = new_mmaps();
	struct touches *t = new_touches(true);
	uint64_t n = 0;

	map(m, BASE, PAGE, 3);
	CHECK(!touches__wants_look(t));
	while (!touches__not_kept(t) && n < 1u << 22)
		touch(t, 1, BASE, 10 + n++, 1, m);
	CHECK(touches__wants_look(t));
	CHECK_INT(touches__not_kept(t), 1);
	CHECK_INT(got[1][3], PAGE);
	touches__begin(t);
	touches__block(t, UINT64_MAX - 10, &(struct abi_block){ 2, UINT64_MAX, 0 }); /* nonsense */
	touches__block(t, 0, &(struct abi_block){ 2, UINT64_MAX, 10 + n / 2 });
	touches__end(t, UINT64_MAX);
	CHECK_INT(got[1][2] + got[1][3], n * PAGE);
	CHECK_INT(got[1][2], (n - 1 - n / 2) * PAGE);
	CHECK(!touches__wants_look(t));
	touches__free(t);
	mmaps__free(m);
}

TEST(go_functions_that_fill_what_they_allocate)
{
	CHECK(goasker_fills("runtime.mallocgc"));
	CHECK(goasker_fills("runtime.mallocgcSmallNoScanSC3"));
	CHECK(goasker_fills("runtime.growslice"));
	CHECK(!goasker_fills("runtime.growslicex"));
	CHECK(!goasker_fills("runtime.memmove"));
	CHECK(!goasker_fills("main.mallocgc"));
	CHECK(!goasker_fills("runtim"));
	CHECK(!goasker_fills(""));
}

TEST_MAIN()
