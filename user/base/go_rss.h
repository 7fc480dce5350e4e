/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the RSS of a Go process is made of: what its runtime counts, and what of it
 * the kernel says is there. Two views that were taken one after the other, of a
 * process that runs: a state.
 *
 * The heap of the runtime is made of spans. Those in use have objects and free places;
 * what is idle the runtime keeps for spans to come, until the scavenger returns it to
 * the kernel ("released"). Stacks and work buffers of the GC lie in the arenas of the
 * heap, too, and count in none of these; the runtime's books about all that lie outside.
 */
#ifndef ALLOCSNOOP_BASE_GO_RSS_H
#define ALLOCSNOOP_BASE_GO_RSS_H

#include <stdbool.h>
#include <stdint.h>

struct go_rss {
	/* By the runtime, in bytes: what it may use, whether there are pages or not. */
	uint64_t heap_inuse_bytes, heap_idle_bytes; /* MemStats.HeapInuse, HeapIdle */
	uint64_t heap_released_bytes; /* MemStats.HeapReleased: a part of what is idle */
	uint64_t objects_bytes; /* in spans in use, garbage that was not swept included: MemStats.HeapAlloc, less up to: */
	uint64_t objects_missing_bytes; /* what Ps may have allocated from the spans that they cache; counted when these are full */
	uint64_t stacks_bytes; /* of goroutines: MemStats.StackInuse */
	uint64_t gc_work_bytes; /* work buffers of the GC, in the arenas */
	uint64_t runtime_bytes; /* outside of the arenas: MSpanSys, MCacheSys, BuckHashSys, OtherSys and the like */
	uint64_t runtime_used_bytes; /* of it spans', caches' and profile buckets, which have been written to */

	/* By the kernel: pages that are there. */
	uint64_t rss_bytes;
	uint64_t arenas_bytes; /* in the arenas of the heap */
	uint64_t arenas_lazy_bytes; /* of it given back by MADV_FREE: until the kernel wants it, it is there */
	uint64_t arenas_huge_bytes; /* of it in huge pages */
	uint64_t other_anon_bytes; /* anonymous memory outside of the arenas and of the program's variables: the runtime's and C's */
	bool has_cgo; /* else there is no C in it */
};

#endif
