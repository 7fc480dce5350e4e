// SPDX-License-Identifier: GPL-2.0-or-later
#include "go/gostats.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 8192 /* of the runtime: pageSize, runtime/sizeclasses.go */
#define MAX_BYTES (1ull << 47) /* there is no more address space */
#define CHUNK_BYTES (64u << 10)
#define MAX_SEARCH_BYTES (64ull << 20) /* of variables with pointers; more is a program that wants to keep us busy */
#define MAX_MHEAP_BYTES (256u << 10) /* of runtime.mheap */
#define MAX_CANDIDATES 4096
#define MAX_CACHES 65536 /* Ps */
#define MAX_DELTAS 4
#define MAX_DELTA_BYTES 2048
#define MAX_ARENAS (1u << 16) /* 4 TiB */
#define TRIES 16

/* ARENA_BASE: of the arena with index 0 (arenaBaseOffset, runtime/malloc.go). Padding to cache lines moves the list. */
#ifdef __x86_64__
#define ARENA_BASE 0xffff800000000000ull
#define MHEAP_ARENAS mheap_arenas_amd64
#else
#define ARENA_BASE 0ull
#define MHEAP_ARENAS mheap_arenas_arm64
#endif

static const char no_layout[] = "where this version of Go keeps its statistics is not known";
static const char not_found[] = "the runtime's heap was not found among the program's variables";
static const char not_readable[] = "the runtime's statistics cannot be read";
static const char moving[] = "the runtime's counts do not agree";

static bool read_one(const struct mem_reader *reader, uint64_t addr, void *buf, size_t len)
{
	struct mem_read read = { addr, buf, len, false };

	reader->read(reader->ctx, &read, 1);
	return read.ok;
}

static uint64_t word(const uint8_t *bytes, size_t off)
{
	uint64_t value;

	memcpy(&value, bytes + off, sizeof(value));
	return value;
}

/* runtime.fixalloc */
struct fixalloc {
	uint64_t size, arg, inuse, stat;
};

static bool read_fixalloc(const struct go_layout *l, const struct mem_reader *reader, uint64_t addr,
			  struct fixalloc *ret)
{
	struct mem_read reads[] = {
		{ addr + l->fixalloc_size, &ret->size, 8, false },
		{ addr + l->fixalloc_arg, &ret->arg, 8, false },
		{ addr + l->fixalloc_inuse, &ret->inuse, 8, false },
		{ addr + l->fixalloc_stat, &ret->stat, 8, false },
	};
	bool ok = true;

	reader->read(reader->ctx, reads, sizeof(reads) / sizeof(reads[0]));
	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++)
		ok &= reads[i].ok;
	/* Elements in use, and none in part. */
	return ok && ret->size && ret->inuse && ret->inuse < MAX_BYTES && ret->inuse % ret->size == 0;
}

/* Is the allocator of the spans of the heap @mheap at @addr? With that of caches it tells where memstats is. */
static bool try_spans(const struct go_layout *l, const struct mem_reader *reader, uint64_t mheap, uint64_t addr,
		      struct gostats_vars *ret)
{
	struct fixalloc spans, caches;
	uint64_t memstats;

	if (!read_fixalloc(l, reader, addr, &spans) || spans.arg != mheap || spans.size <= l->mspan_elemsize ||
	    !read_fixalloc(l, reader, addr + l->mheap_caches_behind_spans, &caches) || caches.arg ||
	    caches.size <= l->mcache_alloc)
		return false;
	memstats = spans.stat - l->memstats_mspan_sys;
	if (memstats + l->memstats_mcache_sys != caches.stat || memstats & 7)
		return false;
	*ret = (struct gostats_vars){ mheap, addr, memstats };
	return true;
}

/* Look for it among the @n bytes that are at @addr. */
static bool search(const struct go_layout *l, const struct mem_reader *reader, const uint8_t *bytes, size_t n,
		   uint64_t addr, uint32_t *tries, struct gostats_vars *ret)
{
	for (size_t off = 0; off + 8 <= n && *tries; off += 8) {
		const uint64_t at = addr + off, back = at - word(bytes, off);

		if (back <= l->MHEAP_ARENAS || back > MAX_MHEAP_BYTES || back & 7)
			continue;
		--*tries;
		if (try_spans(l, reader, at - back, at - l->fixalloc_arg, ret))
			return true;
	}
	return false;
}

const char *gostats_find(const struct go_layout *l, const struct go_moduledata *md, uint64_t bias,
			 const struct mem_reader *reader, struct gostats_vars *ret)
{
	const uint64_t start = (md->bss + bias + 7) & ~7ull;
	uint64_t len = md->ebss > md->bss ? md->ebss - md->bss : 0;
	uint32_t tries = MAX_CANDIDATES;
	bool found = false;
	uint8_t *chunk;

	if (l->mheap_caches_behind_spans == GO_NO_FIELD || l->MHEAP_ARENAS == GO_NO_FIELD)
		return no_layout;
	chunk = malloc(CHUNK_BYTES);
	if (!chunk)
		return not_readable;
	if (len > MAX_SEARCH_BYTES)
		len = MAX_SEARCH_BYTES;
	for (uint64_t at = start; !found && at < start + len; at += CHUNK_BYTES) {
		const size_t n = start + len - at < CHUNK_BYTES ? start + len - at : CHUNK_BYTES;

		found = read_one(reader, at, chunk, n) && search(l, reader, chunk, n, at, &tries, ret);
	}
	free(chunk);
	return found ? NULL : not_found;
}

/* One reading of what is counted, not judged. */
struct counts {
	uint64_t pages_in_use, narenas;
	struct fixalloc spans, caches;
	uint64_t stacks_sys, mspan_sys, mcache_sys, buckhash_sys, gc_sys, other_sys;
	uint64_t heap_inuse, heap_idle, heap_released, heap_live, stacks; /* 1.15 */
	uint8_t deltas[MAX_DELTAS * MAX_DELTA_BYTES];
};

static bool has_deltas(const struct go_layout *l)
{
	return l->memstats_deltas != GO_NO_FIELD;
}

static bool read_counts(const struct go_layout *l, const struct gostats_vars *vars, const struct mem_reader *reader,
			struct counts *c)
{
	const struct {
		uint64_t base;
		uint32_t at;
		uint64_t *to;
	} words[] = {
		{ vars->mheap, l->mheap_pages_in_use, &c->pages_in_use },
		{ vars->mheap, l->MHEAP_ARENAS + 8, &c->narenas }, /* the length of the slice */
		{ vars->memstats, l->memstats_stacks_sys, &c->stacks_sys },
		{ vars->memstats, l->memstats_mspan_sys, &c->mspan_sys },
		{ vars->memstats, l->memstats_mcache_sys, &c->mcache_sys },
		{ vars->memstats, l->memstats_buckhash_sys, &c->buckhash_sys },
		{ vars->memstats, l->memstats_gc_sys, &c->gc_sys },
		{ vars->memstats, l->memstats_other_sys, &c->other_sys },
		{ vars->memstats, l->memstats_heap_inuse, &c->heap_inuse },
		{ vars->memstats, l->memstats_heap_idle, &c->heap_idle },
		{ vars->memstats, l->memstats_heap_released, &c->heap_released },
		{ vars->memstats, l->memstats_heap_live, &c->heap_live },
		{ vars->memstats, l->memstats_stacks_inuse, &c->stacks },
	};
	struct mem_read reads[sizeof(words) / sizeof(words[0]) + 1];
	size_t n = 0;
	bool ok = true;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].at != GO_NO_FIELD)
			reads[n++] = (struct mem_read){ words[i].base + words[i].at, words[i].to, 8, false };
	if (has_deltas(l))
		reads[n++] = (struct mem_read){ vars->memstats + l->memstats_deltas, c->deltas,
						(size_t)l->memstats_ndeltas * l->delta_bytes, false };
	reader->read(reader->ctx, reads, n);
	for (size_t i = 0; i < n; i++)
		ok &= reads[i].ok;
	return ok && read_fixalloc(l, reader, vars->spans, &c->spans) &&
	       read_fixalloc(l, reader, vars->spans + l->mheap_caches_behind_spans, &c->caches);
}

/* Of a member of runtime.heapStatsDelta: the deltas add up to what there is, in whichever of them it was counted. */
static uint64_t delta_sum(const struct go_layout *l, const struct counts *c, size_t at)
{
	uint64_t sum = 0;

	for (size_t i = 0; at != GO_NO_FIELD && i < l->memstats_ndeltas; i++)
		sum += word(c->deltas, i * l->delta_bytes + at);
	return sum;
}

/* Allocated less freed, by size class: MemStats.HeapAlloc. Modulo 2^64, as counters of a moving target may give. */
static uint64_t objects(const struct go_layout *l, const struct counts *c)
{
	uint64_t sum = delta_sum(l, c, l->delta_large_alloc) - delta_sum(l, c, l->delta_large_free);

	for (size_t i = 1; i < l->nclasses; i++)
		sum += l->class_to_size[i] * (delta_sum(l, c, l->delta_small_alloc_count + 8 * i) -
					      delta_sum(l, c, l->delta_small_free_count + 8 * i));
	return sum;
}

/* runtime/mstats.go, readmemstats_m() */
static struct go_rss from_deltas(const struct go_layout *l, const struct counts *c)
{
	struct go_rss rss = {
		.heap_inuse_bytes = delta_sum(l, c, l->delta_in_heap),
		.heap_released_bytes = delta_sum(l, c, l->delta_released),
		.objects_bytes = objects(l, c),
		.objects_missing_bytes = c->caches.inuse / c->caches.size * l->mcache_spans_bytes,
		.stacks_bytes = delta_sum(l, c, l->delta_in_stacks),
		.gc_work_bytes = delta_sum(l, c, l->delta_in_work_bufs) + delta_sum(l, c, l->delta_in_scalar_bits),
	};

	rss.heap_idle_bytes = delta_sum(l, c, l->delta_committed) + rss.heap_released_bytes - rss.heap_inuse_bytes -
			      rss.stacks_bytes - rss.gc_work_bytes;
	return rss;
}

/* 1.15 counts all in single words; work buffers are in gc_sys, and cached spans count as full of objects. */
static struct go_rss from_words(const struct counts *c)
{
	return (struct go_rss){
		.heap_inuse_bytes = c->heap_inuse,
		.heap_idle_bytes = c->heap_idle,
		.heap_released_bytes = c->heap_released,
		.objects_bytes = c->heap_live,
		.stacks_bytes = c->stacks,
	};
}

/* Do the counts agree with each other? Each is less than MAX_BYTES before anything is added. */
static bool agrees(const struct go_rss *rss, const struct counts *c)
{
	const uint64_t all[] = { rss->heap_inuse_bytes,
				 rss->heap_idle_bytes,
				 rss->heap_released_bytes,
				 rss->objects_bytes,
				 rss->stacks_bytes,
				 rss->gc_work_bytes,
				 c->stacks_sys,
				 c->mspan_sys,
				 c->mcache_sys,
				 c->buckhash_sys,
				 c->gc_sys,
				 c->other_sys };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i] >= MAX_BYTES)
			return false;
	return c->pages_in_use < MAX_BYTES / PAGE_BYTES && c->pages_in_use * PAGE_BYTES == rss->heap_inuse_bytes &&
	       c->narenas <= MAX_ARENAS &&
	       rss->heap_inuse_bytes + rss->heap_idle_bytes + rss->stacks_bytes + rss->gc_work_bytes <=
		       c->narenas * GOSTATS_ARENA_BYTES &&
	       rss->heap_released_bytes <= rss->heap_idle_bytes && rss->objects_bytes <= rss->heap_inuse_bytes &&
	       c->spans.inuse <= c->mspan_sys && c->caches.inuse <= c->mcache_sys &&
	       c->caches.inuse / c->caches.size <= MAX_CACHES;
}

const char *gostats_read(const struct go_layout *l, const struct gostats_vars *vars, const struct mem_reader *reader,
			 struct go_rss *ret)
{
	struct counts *c = calloc(1, sizeof(*c));
	const char *why = moving;
	struct go_rss rss;

	if (!c || (has_deltas(l) && (l->delta_bytes > MAX_DELTA_BYTES || l->memstats_ndeltas > MAX_DELTAS ||
				     l->delta_small_free_count + 8u * l->nclasses > l->delta_bytes ||
				     l->delta_small_alloc_count + 8u * l->nclasses > l->delta_bytes)))
		why = not_readable;
	for (int i = 0; i < TRIES && why == moving; i++) {
		if (!read_counts(l, vars, reader, c)) {
			why = not_readable;
			break;
		}
		rss = has_deltas(l) ? from_deltas(l, c) : from_words(c);
		if (agrees(&rss, c))
			why = NULL;
	}
	if (!why) {
		rss.runtime_used_bytes = c->spans.inuse + c->caches.inuse + c->buckhash_sys;
		rss.runtime_bytes =
			c->stacks_sys + c->mspan_sys + c->mcache_sys + c->buckhash_sys + c->gc_sys + c->other_sys;
		*ret = rss;
	}
	free(c);
	return why;
}

/* tinyAllocCount, largeAlloc, largeAllocCount, smallAllocCount: in this order, and nothing before the first but inPtrScalarBits. */
static bool has_tiny_count(const struct go_layout *l)
{
	return l->delta_in_scalar_bits != GO_NO_FIELD ? l->delta_in_scalar_bits + 16u == l->delta_large_alloc :
							l->delta_in_work_bufs + 16u == l->delta_large_alloc;
}

const char *gostats_allocs(const struct go_layout *l, const struct gostats_vars *vars, const struct mem_reader *reader,
			   struct gostats_allocs *ret)
{
	struct gostats_allocs allocs = { 0 };
	struct counts *c;

	if (!has_deltas(l) || l->nclasses > GOSTATS_CLASSES || !has_tiny_count(l) ||
	    l->delta_large_alloc + 16u != l->delta_small_alloc_count || l->delta_bytes > MAX_DELTA_BYTES ||
	    l->memstats_ndeltas > MAX_DELTAS || l->delta_small_alloc_count + 8u * l->nclasses > l->delta_bytes)
		return no_layout;
	c = calloc(1, sizeof(*c));
	if (!c || !read_counts(l, vars, reader, c)) {
		free(c);
		return not_readable;
	}
	for (size_t i = 1; i < l->nclasses; i++)
		allocs.small_objects[i] = delta_sum(l, c, l->delta_small_alloc_count + 8 * i);
	allocs.tiny_objects = delta_sum(l, c, l->delta_large_alloc - 8);
	allocs.large_bytes = delta_sum(l, c, l->delta_large_alloc);
	allocs.large_objects = delta_sum(l, c, l->delta_large_alloc + 8);
	allocs.ncaches = c->caches.inuse / c->caches.size;
	if (allocs.ncaches > MAX_CACHES) {
		free(c);
		return moving;
	}
	*ret = allocs;
	free(c);
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

const char *gostats_arenas(const struct go_layout *l, const struct gostats_vars *vars, const struct mem_reader *reader,
			   struct gostats_arenas *ret)
{
	uint64_t slice[2]; /* the words and how many */
	uint64_t *starts;

	if (!read_one(reader, vars->mheap + l->MHEAP_ARENAS, slice, sizeof(slice)))
		return not_readable;
	if (!slice[1] || slice[1] > MAX_ARENAS)
		return moving;
	starts = calloc(slice[1], sizeof(*starts));
	if (!starts || !read_one(reader, slice[0], starts, slice[1] * sizeof(*starts))) {
		free(starts);
		return not_readable;
	}
	for (uint64_t i = 0; i < slice[1]; i++)
		starts[i] = starts[i] * GOSTATS_ARENA_BYTES + ARENA_BASE;
	qsort(starts, slice[1], sizeof(*starts), by_value);
	*ret = (struct gostats_arenas){ starts, slice[1], 0 };
	if (l->mheap_arena_map != GO_NO_FIELD && l->heap_arena_spans != GO_NO_FIELD &&
	    !read_one(reader, vars->mheap + l->mheap_arena_map, &ret->map, sizeof(ret->map)))
		ret->map = 0;
	return NULL;
}
