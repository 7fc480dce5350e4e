// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The map of an address space against one that keeps every page by itself: random calls, in and out of
 * order, and calls that make no sense.
 */
#include "capture/mmaps.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "test.h"

#define PAGE 4096ULL
#define BASE 0x7f0000000000ULL
#define NPAGES 256u
#define NSTACKS 6u
#define HEAP (BASE + NPAGES / 2 * PAGE) /* in the middle: its end goes up and down */

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

struct sums {
	uint64_t objects, requested;
	uint64_t bytes;
	double live_objects, live_bytes;
};

static struct sums got[NSTACKS], want[NSTACKS];
static uint64_t by_kind[8];
static bool negative;

static int on_counts(void *ctx, uint32_t pid, enum event_source source, uint64_t stack_id, uint64_t context_id,
		     const struct event_counts *counts)
{
	struct sums *s = &((struct sums *)ctx)[stack_id];

	CHECK_INT(pid, 42);
	CHECK_INT(source, EVENT_MMAP);
	CHECK(stack_id < NSTACKS && context_id < 8);
	by_kind[context_id] += (uint64_t)counts->bytes;
	s->objects += counts->objects;
	s->bytes += (uint64_t)counts->bytes;
	s->requested += counts->requested_bytes;
	return 0;
}

static int on_live(void *ctx, uint32_t pid, enum event_source source, uint64_t stack_id, uint64_t context_id,
		   const struct event_live *live)
{
	struct sums *s = &((struct sums *)ctx)[stack_id];

	(void)pid, (void)source, (void)context_id;
	s->live_objects += live->objects;
	s->live_bytes += live->bytes;
	negative |= s->live_objects < 0 || s->live_bytes < 0;
	return 0;
}

static struct mmaps *new_mmaps(uint64_t min, uint64_t max)
{
	const struct event_sink sink = { .ctx = got, .on_counts = on_counts, .on_live = on_live };
	const struct mmaps_opts opts = { PAGE, min, max };
	struct mmaps *m = NULL;

	memset(got, 0, sizeof(got));
	memset(want, 0, sizeof(want));
	memset(by_kind, 0, sizeof(by_kind));
	negative = false;
	CHECK_INT(mmaps__new(&sink, 42, &opts, &m), 0);
	return m;
}

/* The other model: for each page the object that it belongs to, for each object its stack and its pages. */
struct naive_object {
	uint32_t stack, pages;
};

#define MAX_OBJECTS 65536u
#define BEFORE (MAX_OBJECTS - 1)

static struct naive_object objects[MAX_OBJECTS];
static uint32_t owner[NPAGES], nobjects;
static uint64_t before_pages;
static uint32_t heap_end; /* page */

static void naive_reset(void)
{
	memset(objects, 0, sizeof(objects));
	memset(owner, 0, sizeof(owner));
	nobjects = 1;
	before_pages = 0;
	heap_end = NPAGES / 2;
}

static void naive_free(uint32_t page)
{
	uint32_t o = owner[page];

	owner[page] = 0;
	if (!o)
		return;
	if (o == BEFORE) {
		before_pages++;
		return;
	}
	objects[o].pages--;
	want[objects[o].stack].live_bytes -= PAGE;
	want[objects[o].stack].live_objects -= !objects[o].pages;
}

static void naive_map(uint32_t page, uint32_t n, uint32_t stack, uint64_t asked)
{
	uint32_t o = nobjects++;

	for (uint32_t i = page; i < page + n; i++) {
		naive_free(i);
		owner[i] = o;
	}
	objects[o] = (struct naive_object){ stack, n };
	want[stack].objects++;
	want[stack].bytes += n * PAGE;
	want[stack].requested += asked;
	want[stack].live_objects++;
	want[stack].live_bytes += (double)(n * PAGE);
}

static void naive_unmap(uint32_t page, uint32_t n)
{
	for (uint32_t i = page; i < page + n; i++)
		naive_free(i);
}

static void naive_move(uint32_t from, uint32_t to, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		naive_free(to + i);
		owner[to + i] = owner[from + i];
		owner[from + i] = 0;
	}
}

static bool is_free(uint32_t page, uint32_t n)
{
	for (uint32_t i = page; i < page + n; i++)
		if (owner[i])
			return false;
	return true;
}

static bool is_mapped(uint32_t page, uint32_t n)
{
	for (uint32_t i = page; i < page + n; i++)
		if (!owner[i])
			return false;
	return true;
}

static bool is_same(void)
{
	bool ok = CHECK(!negative);

	for (uint32_t i = 0; i < NSTACKS && ok; i++)
		ok = CHECK_INT(got[i].objects, want[i].objects) && CHECK_INT(got[i].bytes, want[i].bytes) &&
		     CHECK_INT(got[i].requested, want[i].requested) &&
		     CHECK_INT((int64_t)got[i].live_objects, (int64_t)want[i].live_objects) &&
		     CHECK_INT((int64_t)got[i].live_bytes, (int64_t)want[i].live_bytes);
	return ok;
}

static uint32_t pick(uint32_t n)
{
	return (uint32_t)rand() % n;
}

static uint64_t at(uint32_t page)
{
	return BASE + page * PAGE;
}

/* A call that a kernel whose pages are as the naive model has them would grant. false: none this time. */
static bool random_call(struct abi_rec_mmap *rec)
{
	uint32_t page = pick(NPAGES - 32), n = 1 + pick(31), to = pick(NPAGES - 32), more = pick(32);
	uint32_t stack = 1 + pick(NSTACKS - 1);
	uint64_t len = n * PAGE - pick(PAGE);
	bool fixed = pick(2);

	*rec = (struct abi_rec_mmap){ .stack_id = stack, .addr = at(page), .len = len, .flags = MAP_PRIVATE | MAP_ANONYMOUS };
	switch (pick(5)) {
	case 0:
	case 1:
		rec->call = ABI_MMAP_MAP;
		if (!fixed && !is_free(page, n))
			return false;
		rec->flags |= fixed ? MAP_FIXED : 0;
		naive_map(page, n, stack, len);
		return true;
	case 2:
		rec->call = ABI_MMAP_UNMAP;
		rec->stack_id = 0;
		naive_unmap(page, n);
		return true;
	case 3:
		rec->call = ABI_MMAP_REMAP;
		rec->old_addr = at(page);
		rec->old_len = len;
		rec->flags = MREMAP_MAYMOVE | (fixed ? MREMAP_FIXED : 0);
		if (pick(3) == 0) { /* in place: smaller or larger */
			rec->len = more ? more * PAGE : PAGE;
			more = (uint32_t)(rec->len / PAGE);
			if (more > n && (page + more > NPAGES || !is_free(page + n, more - n)))
				return false;
			if (more < n)
				naive_unmap(page + more, n - more);
			else if (more > n)
				naive_map(page + n, more - n, stack, rec->len - len);
			return true;
		}
		if (to + n + more > NPAGES || (to < page + n && page < to + n + more) || (!fixed && !is_free(to, n + more)))
			return false;
		rec->addr = at(to);
		rec->len = (n + more) * PAGE;
		if (pick(4) == 0) {
			rec->flags |= MREMAP_DONTUNMAP;
			naive_map(to, n + more, stack, rec->len);
			return true;
		}
		naive_unmap(to, n + more);
		naive_move(page, to, n);
		if (more)
			naive_map(to + n, more, stack, rec->len - len);
		return true;
	default:
		rec->call = ABI_MMAP_BRK;
		rec->old_addr = HEAP;
		n = NPAGES / 2 + pick(NPAGES / 2);
		if (n > heap_end && !is_free(heap_end, n - heap_end))
			return false;
		rec->addr = at(n) - pick(PAGE) * (n > NPAGES / 2);
		if (n > heap_end)
			naive_map(heap_end, n - heap_end, stack, (n - heap_end) * PAGE);
		else
			naive_unmap(n, heap_end - n);
		heap_end = n;
		return true;
	}
}

static void seed_both(struct mmaps *m)
{
	struct mapping items[] = { { .start = at(10), .end = at(40) }, { .start = at(100), .end = at(120) } };
	struct mappings maps = { items, 2 };

	mmaps__seed(m, &maps, 1, 2);
	for (uint32_t i = 0; i < 2; i++)
		for (uint64_t p = items[i].start; p < items[i].end; p += PAGE)
			owner[(p - BASE) / PAGE] = BEFORE;
}

TEST(random_calls)
{
	struct mmaps_stats stats;

	for (unsigned int seed = 1; seed <= 40; seed++) {
		struct mmaps *m = new_mmaps(0, UINT64_MAX);
		struct abi_rec_mmap rec;
		bool ok = true;

		srand(seed);
		naive_reset();
		seed_both(m);
		for (uint32_t i = 0; i < 3000 && ok; i++) {
			if (!random_call(&rec))
				continue;
			rec.ns = 10 + i;
			mmaps__apply(m, &rec);
			ok = is_same();
			mmaps__stats(m, &stats);
			ok = ok && CHECK_INT(stats.before_bytes, before_pages * PAGE);
			if (!ok)
				fprintf(stderr, "  seed %u, call %u: kind %u\n", seed, i, rec.call);
		}
		mmaps__drop(m);
		for (uint32_t i = 0; i < NSTACKS; i++)
			CHECK(got[i].live_bytes == 0 && got[i].live_objects == 0);
		mmaps__stats(m, &stats);
		CHECK_INT(stats.not_kept, 0);
		mmaps__free(m);
	}
}

/* A range that one thread unmapped or moved away, and another got at once: whoever returns first, the sums are the same. */
TEST(calls_out_of_order)
{
	for (unsigned int seed = 1; seed <= 40; seed++) {
		struct mmaps *m = new_mmaps(0, UINT64_MAX);
		uint64_t ns = 10;

		srand(seed);
		naive_reset();
		seed_both(m);
		for (uint32_t i = 0; i < 2000; i++) {
			struct abi_rec_mmap gone, next;
			uint32_t page = pick(64), n = 1 + pick(31), part = pick(n), stack = 1 + pick(NSTACKS - 1);
			bool in_order = pick(2);

			if (!is_mapped(page, n)) {
				next = (struct abi_rec_mmap){ .call = ABI_MMAP_MAP, .stack_id = stack, .addr = at(page), .ns = ++ns,
							      .len = n * PAGE, .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED };
				naive_map(page, n, stack, next.len);
				mmaps__apply(m, &next);
			}
			/* @gone frees [page, page + n), @next maps some of it. */
			gone = (struct abi_rec_mmap){ .call = ABI_MMAP_UNMAP, .addr = at(page), .len = n * PAGE };
			if (pick(2) && is_free(160, n)) {
				gone = (struct abi_rec_mmap){ .call = ABI_MMAP_REMAP, .addr = at(160), .len = n * PAGE,
							      .old_addr = at(page), .old_len = n * PAGE, .flags = MREMAP_MAYMOVE };
				naive_move(page, 160, n);
			} else {
				naive_unmap(page, n);
			}
			stack = 1 + pick(NSTACKS - 1);
			next = (struct abi_rec_mmap){ .call = ABI_MMAP_MAP, .stack_id = stack, .addr = at(page + part),
						      .len = (n - part) * PAGE, .flags = MAP_PRIVATE | MAP_ANONYMOUS };
			naive_map(page + part, n - part, stack, next.len);
			gone.ns = next.ns = ++ns;
			mmaps__apply(m, in_order ? &gone : &next);
			mmaps__apply(m, in_order ? &next : &gone);
			if (pick(3) == 0) {
				struct abi_rec_mmap back = { .call = ABI_MMAP_UNMAP, .addr = at(160), .len = 32 * PAGE, .ns = ++ns };

				naive_unmap(160, 32);
				mmaps__apply(m, &back);
			}
			if (!is_same()) {
				fprintf(stderr, "  seed %u, round %u\n", seed, i);
				break;
			}
		}
		mmaps__free(m);
	}
}

/* The record of an unmapping was lost: what the kernel gave away again is not taken for mapped for long. */
TEST(lost_unmapping)
{
	struct mmaps *m = new_mmaps(0, UINT64_MAX);
	struct abi_rec_mmap map = { .call = ABI_MMAP_MAP, .stack_id = 1, .addr = BASE, .len = 4 * PAGE, .ns = 10 };
	struct abi_rec_mmap unmap = { .call = ABI_MMAP_UNMAP, .addr = BASE, .len = 4 * PAGE, .ns = 3000000000u };

	mmaps__apply(m, &map);
	map.stack_id = 2;
	map.ns = 20;
	mmaps__apply(m, &map);
	CHECK_INT((int64_t)(got[1].live_bytes + got[2].live_bytes), 8 * PAGE); /* not known yet */
	mmaps__apply(m, &unmap);
	CHECK_INT((int64_t)got[1].live_bytes, 0);
	CHECK_INT((int64_t)got[2].live_bytes, 0);
	mmaps__free(m);
}

TEST(kinds_and_sizes)
{
	struct mmaps *m = new_mmaps(PAGE, 4 * PAGE);
	struct abi_rec_mmap rec = { .call = ABI_MMAP_MAP, .stack_id = 1, .addr = BASE, .len = 2 * PAGE, .flags = MAP_PRIVATE };

	mmaps__apply(m, &rec);
	CHECK_INT(by_kind[2], 2 * PAGE); /* file */
	rec.addr += 16 * PAGE;
	rec.flags |= MAP_ANONYMOUS;
	mmaps__apply(m, &rec);
	CHECK_INT(by_kind[1], 2 * PAGE); /* anonymous */
	rec.addr += 16 * PAGE;
	rec.flags |= MAP_STACK;
	mmaps__apply(m, &rec);
	CHECK_INT(by_kind[3], 2 * PAGE); /* stack */
	CHECK_INT(got[1].objects, 3);
	rec.addr += 16 * PAGE;
	rec.len = PAGE - 1; /* smaller than what is wanted */
	mmaps__apply(m, &rec);
	rec.len = 5 * PAGE; /* larger; and it takes the place of a counted one */
	rec.addr = BASE;
	rec.flags |= MAP_FIXED;
	mmaps__apply(m, &rec);
	CHECK_INT(got[1].objects, 3);
	CHECK_INT((int64_t)got[1].live_objects, 2);
	rec = (struct abi_rec_mmap){ .call = ABI_MMAP_BRK, .stack_id = 2, .addr = HEAP + 100, .old_addr = HEAP - 100 };
	mmaps__apply(m, &rec);
	CHECK_INT(by_kind[4], PAGE); /* brk */
	CHECK_INT(got[2].objects, 1);
	mmaps__free(m);
}

/* What the seed shows was mapped before, though its record comes behind: it counts as an allocation, once. */
TEST(calls_while_the_seed_is_read)
{
	struct mmaps *m = new_mmaps(0, UINT64_MAX);
	struct mapping items[] = { { .start = BASE, .end = at(4) },
				   { .start = at(8), .end = at(10), .path = (char *)"[heap]" } };
	struct mappings maps = { items, 2 };
	struct abi_rec_mmap rec = { .call = ABI_MMAP_MAP, .stack_id = 1, .addr = BASE, .len = 4 * PAGE, .ns = 50 };
	struct mmaps_stats stats;

	mmaps__seed(m, &maps, 100, 200);
	mmaps__apply(m, &rec); /* before: it is in the seed */
	CHECK_INT(got[1].objects, 0);
	rec.ns = 150;
	mmaps__apply(m, &rec);
	CHECK_INT(got[1].objects, 1);
	rec = (struct abi_rec_mmap){ .call = ABI_MMAP_UNMAP, .addr = BASE, .len = 4 * PAGE, .ns = 300 };
	mmaps__apply(m, &rec);
	CHECK_INT((int64_t)got[1].live_bytes, 0);
	rec = (struct abi_rec_mmap){ .call = ABI_MMAP_BRK, .stack_id = 2, .addr = at(9), .old_addr = at(8), .ns = 301 };
	mmaps__apply(m, &rec);
	mmaps__stats(m, &stats);
	CHECK_INT(stats.before_bytes, PAGE);
	rec.addr = at(12);
	mmaps__apply(m, &rec);
	CHECK_INT(got[2].bytes, 3 * PAGE);
	mmaps__free(m);
}

/* Whatever a record says, nothing breaks, and nothing is counted that was not mapped. */
TEST(senseless_calls)
{
	static const uint64_t odd[] = { 0, 1, PAGE - 1, PAGE, BASE, BASE + 1, UINT64_MAX, UINT64_MAX - PAGE + 1,
					1ULL << 63, 3 * PAGE };
	const uint32_t n = sizeof(odd) / sizeof(odd[0]);
	struct mmaps *m = new_mmaps(0, UINT64_MAX);

	srand(1);
	for (uint32_t i = 0; i < 200000; i++) {
		struct abi_rec_mmap rec = { .call = pick(6), .stack_id = pick(NSTACKS), .ns = i, .addr = odd[pick(n)],
					    .len = odd[pick(n)], .old_addr = odd[pick(n)], .old_len = odd[pick(n)],
					    .flags = odd[pick(n)] };

		mmaps__apply(m, &rec);
	}
	CHECK(!negative);
	mmaps__drop(m);
	for (uint32_t i = 0; i < NSTACKS; i++)
		CHECK_INT((int64_t)got[i].live_objects, 0);
	mmaps__free(m);
}

/* Many small ones, in the order that makes a plain tree a list. */
TEST(many_pieces)
{
	struct mmaps *m = new_mmaps(0, UINT64_MAX);
	struct abi_rec_mmap rec = { .call = ABI_MMAP_MAP, .stack_id = 1, .len = PAGE, .flags = MAP_PRIVATE | MAP_ANONYMOUS };
	struct mmaps_stats stats;
	const uint32_t n = (1u << 20) + 1000;

	for (uint32_t i = 0; i < n; i++) {
		rec.addr = BASE - i * PAGE;
		mmaps__apply(m, &rec);
	}
	mmaps__stats(m, &stats);
	CHECK_INT(got[1].objects, n);
	CHECK_INT(stats.not_kept, 1000);
	CHECK_INT((int64_t)got[1].live_objects, 1u << 20);
	rec = (struct abi_rec_mmap){ .call = ABI_MMAP_UNMAP, .addr = BASE - (n - 1) * PAGE, .len = (uint64_t)n * PAGE };
	mmaps__apply(m, &rec);
	CHECK_INT((int64_t)got[1].live_objects, 0);
	mmaps__free(m);
}

TEST_MAIN()
