// SPDX-License-Identifier: GPL-2.0-or-later
#include "export/go_memory.h"

#include <stdlib.h>

#define MIN_BYTES (1u << 20)
#define MIN_PART 10 /* of RSS */

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void go_memory_causes(const struct go_rss *r, struct go_cause ret[static GO_CAUSES_MAX])
{
	const uint64_t lazy = min(r->arenas_lazy_bytes, r->arenas_bytes), there = r->arenas_bytes - lazy;
	const uint64_t kept = less(r->heap_idle_bytes, r->heap_released_bytes);
	const uint64_t counted = r->heap_inuse_bytes + kept + r->stacks_bytes + r->gc_work_bytes;
	const uint64_t absent = less(counted, there);
	const uint64_t unused = less(r->heap_inuse_bytes, r->objects_bytes + r->objects_missing_bytes);
	/* Where there is other memory besides the runtime's, only what the runtime has written to is sure to be there. */
	const bool is_mixed = r->has_cgo || r->other_anon_bytes > r->runtime_bytes;
	const uint64_t books = is_mixed ? r->runtime_used_bytes : r->runtime_bytes;
	const struct go_cause causes[GO_CAUSES_MAX] = {
		{ "fragmentation", "free places between objects in spans in use", less(unused, absent) },
		{ "not_scavenged", "idle, not yet given back to the kernel", less(kept, absent) },
		{ "madv_free_pending", "released, not yet taken by the kernel", lazy },
		{ "huge_pages", "released, but huge pages brought it back",
		  min(less(there, counted), r->arenas_huge_bytes) },
		{ "goroutine_stacks", "stacks of goroutines", less(r->stacks_bytes, absent) },
		{ "off_heap", "the runtime's own books, outside of the heap", min(books, r->other_anon_bytes) },
		{ "not_go", "C's heap, or other memory that is not Go's", less(r->other_anon_bytes, r->runtime_bytes) },
	};

	for (size_t i = 0; i < GO_CAUSES_MAX; i++)
		ret[i] = causes[i];
}

static void add(struct go_rss *to, const struct go_rss *r)
{
	to->heap_inuse_bytes += r->heap_inuse_bytes;
	to->heap_idle_bytes += r->heap_idle_bytes;
	to->heap_released_bytes += r->heap_released_bytes;
	to->objects_bytes += r->objects_bytes;
	to->objects_missing_bytes += r->objects_missing_bytes;
	to->stacks_bytes += r->stacks_bytes;
	to->gc_work_bytes += r->gc_work_bytes;
	to->runtime_bytes += r->runtime_bytes;
	to->runtime_used_bytes += r->runtime_used_bytes;
	to->rss_bytes += r->rss_bytes;
	to->arenas_bytes += r->arenas_bytes;
	to->arenas_lazy_bytes += r->arenas_lazy_bytes;
	to->arenas_huge_bytes += r->arenas_huge_bytes;
	to->other_anon_bytes += r->other_anon_bytes;
	to->has_cgo |= r->has_cgo;
}

static int by_bytes(const void *a, const void *b)
{
	const struct go_cause *x = a, *y = b;

	return x->bytes > y->bytes ? -1 : x->bytes < y->bytes;
}

bool go_memory(const struct profile *prof, struct go_memory *ret)
{
	struct go_cause causes[GO_CAUSES_MAX], sums[GO_CAUSES_MAX];
	bool any = false;

	*ret = (struct go_memory){ 0 };
	go_memory_causes(&ret->sum, sums);
	for (uint32_t i = 0; i < prof->ntargets; i++) {
		const struct prof_target *t = &prof->targets[i];

		if (!t->has_go_rss || t->exit_code != PROF_RUNNING)
			continue;
		any = true;
		if (t->go_rss_unknown) {
			ret->unknown = t->go_rss_unknown;
			ret->unknown_pid = t->pid;
			continue;
		}
		add(&ret->sum, &t->go_rss);
		go_memory_causes(&t->go_rss, causes);
		for (size_t k = 0; k < GO_CAUSES_MAX; k++)
			sums[k].bytes += causes[k].bytes;
	}
	for (size_t k = 0; k < GO_CAUSES_MAX && !ret->unknown; k++)
		if (sums[k].bytes >= MIN_BYTES && sums[k].bytes >= ret->sum.rss_bytes / MIN_PART)
			ret->causes[ret->ncauses++] = sums[k];
	qsort(ret->causes, ret->ncauses, sizeof(ret->causes[0]), by_bytes);
	return any;
}
