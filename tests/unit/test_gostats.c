// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The runtime's statistics in a process made by hand, in the layouts of all versions: found by how its heap points at
 * itself and at them, read, and refused where they do not agree.
 */
#include "go/gostats.h"

#include <stdlib.h>

#include "test.h"

#define BASE 0x500000ULL
#define MEMORY_BYTES (1u << 20)
#define BIAS 0x1000
#define MHEAP (BASE + 0x4040)
#define MEMSTATS (BASE + 0x60000)
#define ARENAS (BASE + 0x80000)
#define NARENAS 3
#define SPANALLOC 0x10000 /* in mheap: anywhere behind what is looked at, as architectures differ */
#define MIB (1ull << 20)

#ifdef __x86_64__
#define ARENA_BASE 0xffff800000000000ull
#define MHEAP_ARENAS mheap_arenas_amd64
#else
#define ARENA_BASE 0ull
#define MHEAP_ARENAS mheap_arenas_arm64
#endif

static uint8_t bytes[MEMORY_BYTES];
static uint64_t nread;
static const struct go_layout *layout;
static uint64_t spanalloc; /* address */

static void put(uint64_t addr, uint64_t word)
{
	memcpy(bytes + (addr - BASE), &word, sizeof(word));
}

static uint64_t get(uint64_t addr)
{
	uint64_t word;

	memcpy(&word, bytes + (addr - BASE), sizeof(word));
	return word;
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
static const struct go_moduledata md = { .bss = BASE + 0x4000 - BIAS, .ebss = BASE + 0x90000 - BIAS };

static bool is_known(const struct go_layout *l)
{
	return l->mheap_caches_behind_spans != GO_NO_FIELD && l->MHEAP_ARENAS != GO_NO_FIELD;
}

static void put_fixalloc(uint64_t at, uint64_t size, uint64_t n, uint64_t arg, uint64_t stat)
{
	put(at + layout->fixalloc_size, size);
	put(at + layout->fixalloc_inuse, size * n);
	put(at + layout->fixalloc_arg, arg);
	put(at + layout->fixalloc_stat, stat);
}

/* In the first delta @a, in the last one what is missing to @value: a sum. */
static void put_delta(uint16_t at, uint64_t a, uint64_t value)
{
	const uint64_t first = MEMSTATS + layout->memstats_deltas;

	if (at == GO_NO_FIELD)
		return;
	put(first + at, a);
	put(first + (layout->memstats_ndeltas - 1u) * layout->delta_bytes + at, value - a);
}

/* 16 MiB in use, 5 of it objects; 12 idle, 8 of it released; 2 stacks, 1 work buffers (from 1.16 on). */
static void put_heap(void)
{
	const uint16_t words[][2] = {
		{ layout->memstats_heap_inuse, 16 },   { layout->memstats_heap_idle, 12 },
		{ layout->memstats_heap_released, 8 }, { layout->memstats_heap_live, 5 },
		{ layout->memstats_stacks_inuse, 2 },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i][0] != GO_NO_FIELD)
			put(MEMSTATS + words[i][0], words[i][1] * MIB);
	if (layout->memstats_deltas == GO_NO_FIELD)
		return;
	put_delta(layout->delta_in_heap, -3 * MIB, 16 * MIB);
	put_delta(layout->delta_committed, 40 * MIB, (16 + 4 + 2 + 1) * MIB);
	put_delta(layout->delta_released, 0, 8 * MIB);
	put_delta(layout->delta_in_stacks, 5 * MIB, 2 * MIB);
	put_delta(layout->delta_in_work_bufs, 1, MIB);
	put_delta(layout->delta_large_alloc, 3 * MIB, 14 * MIB);
	put_delta(layout->delta_large_free, 0, 10 * MIB);
	for (unsigned int class = 1; class < layout->nclasses; class ++) {
		put_delta(layout->delta_small_alloc_count + 8 * class, 7, 1000 * class);
		put_delta(layout->delta_small_free_count + 8 * class, 0, 1000 * class);
	}
	/* 1 MiB of 8 KiB objects */
	for (unsigned int class = 1; class < layout->nclasses; class ++)
		if (layout->class_to_size[class] == 8192)
			put_delta(layout->delta_small_alloc_count + 8 * class, 7, 1000 * class + 128);
}

static void begin(const struct go_layout *of)
{
	memset(bytes, 0, sizeof(bytes));
	layout = of;
	nread = 0;
	spanalloc = MHEAP + SPANALLOC + (layout->MHEAP_ARENAS > SPANALLOC ? layout->MHEAP_ARENAS : 0);
	/* Words that point a little back, and are not it. */
	for (uint64_t at = MHEAP + SPANALLOC - 800; at < MHEAP + SPANALLOC; at += 8)
		put(at, MHEAP - 0x40);
	put_fixalloc(spanalloc, 160, 1000, MHEAP, MEMSTATS + layout->memstats_mspan_sys);
	put_fixalloc(spanalloc + layout->mheap_caches_behind_spans, 1200 + layout->mcache_alloc, 2, 0,
		     MEMSTATS + layout->memstats_mcache_sys);
	put(MHEAP + layout->mheap_pages_in_use, 16 * MIB / 8192);
	put(MHEAP + layout->MHEAP_ARENAS, ARENAS);
	put(MHEAP + layout->MHEAP_ARENAS + 8, NARENAS);
	for (unsigned int i = 0; i < NARENAS; i++)
		put(ARENAS + 8 * i, (0xc000000000 - ARENA_BASE) / GOSTATS_ARENA_BYTES + (NARENAS - 1 - i));
	put(MEMSTATS + layout->memstats_stacks_sys, 100000);
	put(MEMSTATS + layout->memstats_mspan_sys, 200000);
	put(MEMSTATS + layout->memstats_mcache_sys, 16384);
	put(MEMSTATS + layout->memstats_buckhash_sys, 5000);
	put(MEMSTATS + layout->memstats_gc_sys, 3 * MIB);
	put(MEMSTATS + layout->memstats_other_sys, 600000);
	put_heap();
}

static const char *find(struct gostats_vars *vars)
{
	return gostats_find(layout, &md, BIAS, &reader, vars);
}

TEST(reads_what_the_runtime_counts)
{
	size_t nknown = 0;

	for (size_t i = 0; i < go_nlayouts; i++) {
		struct gostats_vars vars = { 0 };
		struct go_rss rss = { .rss_bytes = 77 };

		if (!is_known(&go_layouts[i]))
			continue;
		nknown++;
		begin(&go_layouts[i]);
		if (!CHECK(!find(&vars)) || !CHECK(!gostats_read(layout, &vars, &reader, &rss))) {
			fprintf(stderr, "  go1.%d %s\n", layout->minor, layout->experiment);
			continue;
		}
		CHECK_INT(vars.mheap, MHEAP);
		CHECK_INT(vars.memstats, MEMSTATS);
		CHECK_INT(rss.heap_inuse_bytes, 16 * MIB);
		CHECK_INT(rss.heap_idle_bytes, 12 * MIB);
		CHECK_INT(rss.heap_released_bytes, 8 * MIB);
		CHECK_INT(rss.objects_bytes, 5 * MIB);
		CHECK_INT(rss.stacks_bytes, 2 * MIB);
		CHECK_INT(rss.gc_work_bytes, layout->minor == 15 ? 0 : MIB);
		CHECK_INT(rss.objects_missing_bytes, layout->minor == 15 ? 0 : 2ull * layout->mcache_spans_bytes);
		CHECK_INT(rss.runtime_bytes, 100000 + 200000 + 16384 + 5000 + 3 * MIB + 600000);
		CHECK_INT(rss.runtime_used_bytes, 160 * 1000 + 2 * (1200 + layout->mcache_alloc) + 5000);
		CHECK_INT(rss.rss_bytes, 0); /* of which it knows nothing */
	}
	CHECK(nknown >= 8);
}

/* MemStats.Mallocs and TotalAlloc, by what they are made of. */
TEST(reads_what_was_allocated)
{
	size_t nknown = 0;

	for (size_t i = 0; i < go_nlayouts; i++) {
		struct gostats_allocs allocs = { .tiny_objects = 77 };
		struct gostats_vars vars;

		if (!is_known(&go_layouts[i]))
			continue;
		begin(&go_layouts[i]);
		if (!CHECK(!find(&vars)))
			continue;
		if (layout->minor < 17) {
			CHECK_STR(gostats_allocs(layout, &vars, &reader, &allocs),
				  "where this version of Go keeps its statistics is not known");
			CHECK_INT(allocs.tiny_objects, 77);
			continue;
		}
		nknown++;
		put_delta(layout->delta_large_alloc - 8, 1000, 123456);
		put_delta(layout->delta_large_alloc + 8, 1, 21);
		if (!CHECK(!gostats_allocs(layout, &vars, &reader, &allocs)))
			continue;
		CHECK_INT(allocs.small_objects[0], 0);
		CHECK_INT(allocs.small_objects[1], 1000);
		CHECK_INT(allocs.small_objects[layout->nclasses - 1], 1000 * (layout->nclasses - 1));
		CHECK_INT(allocs.tiny_objects, 123456);
		CHECK_INT(allocs.large_objects, 21);
		CHECK_INT(allocs.large_bytes, 14 * MIB);
		CHECK_INT(allocs.ncaches, 2);
	}
	CHECK(nknown >= 7);
}

TEST(versions_whose_statistics_are_not_known_say_so)
{
	struct gostats_vars vars = { 0 };

	for (size_t i = 0; i < go_nlayouts; i++) {
		if (is_known(&go_layouts[i]))
			continue;
		layout = &go_layouts[i];
		CHECK_STR(find(&vars), "where this version of Go keeps its statistics is not known");
	}
}

TEST(arenas_are_where_their_indexes_say)
{
	struct gostats_arenas arenas = { 0 };
	struct gostats_vars vars;

	begin(go_layout_for(27, NULL, NULL));
	if (!CHECK(!find(&vars)) || !CHECK(!gostats_arenas(layout, &vars, &reader, &arenas)))
		return;
	CHECK_INT(arenas.n, NARENAS);
	for (unsigned int i = 0; i < arenas.n; i++)
		CHECK_INT(arenas.starts[i], 0xc000000000 + i * GOSTATS_ARENA_BYTES);
	free(arenas.starts);
	/* A list with no end, or that is not there. */
	put(MHEAP + layout->MHEAP_ARENAS + 8, 1ull << 40);
	CHECK(gostats_arenas(layout, &vars, &reader, &arenas));
	put(MHEAP + layout->MHEAP_ARENAS + 8, 0);
	CHECK(gostats_arenas(layout, &vars, &reader, &arenas));
	put(MHEAP + layout->MHEAP_ARENAS + 8, NARENAS);
	put(MHEAP + layout->MHEAP_ARENAS, 8);
	CHECK(gostats_arenas(layout, &vars, &reader, &arenas));
}

/* One word of a good process, changed: @at must make @want of it. */
static void check_changed(uint64_t at, uint64_t word, const char *want)
{
	struct gostats_vars vars;
	struct go_rss rss = { .heap_inuse_bytes = 4711 };
	const uint64_t was = get(at);
	const char *why;

	if (!CHECK(!find(&vars)))
		return;
	put(at, word);
	why = gostats_read(layout, &vars, &reader, &rss);
	put(at, was);
	if (want ? !CHECK_STR(why, want) : !CHECK(!why))
		fprintf(stderr, "  go1.%d: word at 0x%llx\n", layout->minor, (unsigned long long)at);
	if (want)
		CHECK_INT(rss.heap_inuse_bytes, 4711);
}

TEST(refuses_counts_that_do_not_agree)
{
	static const char refused[] = "the runtime's counts do not agree";
	const uint8_t minors[] = { 15, 19, 24, 27 };

	for (size_t i = 0; i < sizeof(minors); i++) {
		uint64_t first, released, inuse, objects;

		begin(go_layout_for(minors[i], NULL, NULL));
		first = MEMSTATS + layout->memstats_deltas;
		released = minors[i] == 15 ? MEMSTATS + layout->memstats_heap_released : first + layout->delta_released;
		inuse = minors[i] == 15 ? MEMSTATS + layout->memstats_heap_inuse : first + layout->delta_in_heap;
		objects = minors[i] == 15 ? MEMSTATS + layout->memstats_heap_live : first + layout->delta_large_alloc;
		check_changed(MEMSTATS, get(MEMSTATS), NULL);
		check_changed(MHEAP + layout->mheap_pages_in_use, 16 * MIB / 8192 + 1, refused);
		check_changed(MHEAP + layout->mheap_pages_in_use, ~0ull, refused);
		check_changed(MHEAP + layout->MHEAP_ARENAS + 8, 0, refused); /* more heap than arenas */
		check_changed(MHEAP + layout->MHEAP_ARENAS + 8, ~0ull, refused);
		check_changed(inuse, get(inuse) + 8192, refused);
		check_changed(released, get(released) + (1ull << 48), refused);
		check_changed(objects, get(objects) + 12 * MIB, refused); /* more objects than places */
		check_changed(MEMSTATS + layout->memstats_mspan_sys, 100, refused); /* less than is in use */
		check_changed(MEMSTATS + layout->memstats_other_sys, ~0ull, refused);
		if (minors[i] > 15)
			check_changed(first + layout->delta_committed, 0, refused);
		else
			check_changed(released, 13 * MIB, refused); /* more than is idle */
		check_changed(spanalloc + layout->fixalloc_size, 0, "the runtime's statistics cannot be read");
	}
}

/* Tries again: the counts come to agree as the program goes on. */
static void read_settling(void *ctx, struct mem_read *reads, size_t n)
{
	int *left = ctx;

	put(MHEAP + layout->mheap_pages_in_use, 16 * MIB / 8192 + (*left > 0));
	--*left;
	read_fake(NULL, reads, n);
}

TEST(tries_again_while_the_program_counts)
{
	int left = 9;
	const struct mem_reader settling = { &left, read_settling };
	struct gostats_vars vars;
	struct go_rss rss;

	begin(go_layout_for(26, NULL, NULL));
	if (CHECK(!find(&vars)))
		CHECK(!gostats_read(layout, &vars, &settling, &rss));
}

TEST(is_not_led_astray_by_the_search)
{
	struct gostats_vars vars;

	/* Not begun yet: no words. */
	begin(go_layout_for(24, NULL, NULL));
	memset(bytes, 0, sizeof(bytes));
	CHECK(find(&vars));
	/* The allocator of caches says another place. */
	begin(layout);
	put(spanalloc + layout->mheap_caches_behind_spans + layout->fixalloc_stat, MEMSTATS);
	CHECK(find(&vars));
	/* Its elements are too small for spans; none is in use; half a one is. */
	begin(layout);
	put(spanalloc + layout->fixalloc_size, 8);
	CHECK(find(&vars));
	begin(layout);
	put(spanalloc + layout->fixalloc_inuse, 0);
	CHECK(find(&vars));
	begin(layout);
	put(spanalloc + layout->fixalloc_inuse, 161);
	CHECK(find(&vars));
	/* Every word points back, to keep us busy. */
	for (uint64_t at = BASE; at < BASE + MEMORY_BYTES; at += 8)
		put(at, at - MEMORY_BYTES / 8);
	nread = 0;
	CHECK(find(&vars));
	CHECK(nread < 50000);
	/* Variables that are not there, or have no end. */
	begin(layout);
	CHECK(gostats_find(layout, &(struct go_moduledata){ .bss = 1 << 30, .ebss = 2u << 30 }, 0, &reader, &vars));
	CHECK(gostats_find(layout, &(struct go_moduledata){ .bss = BASE, .ebss = ~0ull }, 1ull << 40, &reader, &vars));
	CHECK(gostats_find(layout, &(struct go_moduledata){ .bss = BASE, .ebss = 8 }, 0, &reader, &vars));
}

TEST_MAIN()
