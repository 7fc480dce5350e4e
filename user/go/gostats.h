/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The runtime's own statistics of its heap, as they lie in a process: what
 * runtime.ReadMemStats() makes a program's MemStats of.
 *
 * Finding them needs no symbol. runtime.mheap_ points at itself: the allocator of spans, a
 * member of it, has the heap's address as the argument of its callback (runtime/mheap.go,
 * mheap.init: h.spanalloc.init(..., recordspan, unsafe.Pointer(h), &memstats.mspan_sys)).
 * So the variables of the program are searched for a word that points a little back.
 * The same member points into runtime.memstats, as the allocator of mcaches behind it does:
 * where both say the same place, they are these.
 *
 * What is read is of one moment only by luck. The pages of spans in use are counted twice, in
 * mheap_ and in memstats: where both are equal, and sums are not smaller than their parts
 * nor larger than the arenas, it is believed.
 */
#ifndef ALLOCSNOOP_GO_GOSTATS_H
#define ALLOCSNOOP_GO_GOSTATS_H

#include "base/go_rss.h"
#include "go/gobin.h"
#include "target/proc.h"

/* Addresses in the process; 0: not found. */
struct gostats_vars {
	uint64_t mheap, spans; /* spans: mheap_.spanalloc */
	uint64_t memstats;
};

/*
 * Find them in a process that has the program of @md loaded @bias bytes from where the file says. NULL, or (static) why
 * they were not found: the runtime may not have begun yet.
 */
const char *gostats_find(const struct go_layout *layout, const struct go_moduledata *md, uint64_t bias,
			 const struct mem_reader *reader, struct gostats_vars *ret);

/* What the runtime counts into the first half of @ret. NULL, or (static) why it is not known; @ret is untouched then. */
const char *gostats_read(const struct go_layout *layout, const struct gostats_vars *vars,
			 const struct mem_reader *reader, struct go_rss *ret);

#define GOSTATS_CLASSES 68 /* of sizes, at most; 0 is none */

/*
 * What was allocated since the program began. What Ps have allocated from the spans that they hold is not in it yet:
 * up to a span of each class and P.
 */
struct gostats_allocs {
	uint64_t small_objects[GOSTATS_CLASSES]; /* by class; blocks of the tiny allocator are of that of 16 bytes */
	uint64_t tiny_objects; /* that shared such a block: without bytes of their own */
	uint64_t large_objects, large_bytes;
	uint32_t ncaches; /* Ps that hold spans */
};

/* From Go 1.17 on. NULL, or (static) why it is not known. */
const char *gostats_allocs(const struct go_layout *layout, const struct gostats_vars *vars,
			   const struct mem_reader *reader, struct gostats_allocs *ret);

#define GOSTATS_ARENA_BYTES (64ull << 20) /* on Linux with 64-bit words: heapArenaBytes, runtime/malloc.go */

struct gostats_arenas {
	uint64_t *starts; /* ascending; owned: free(3) */
	size_t n;
	uint64_t map; /* of golayout.h, mheap_arena_map: the array of what the runtime knows of each arena; 0: not known */
};

/* Where the heap lies. NULL, or (static) why it is not known. */
const char *gostats_arenas(const struct go_layout *layout, const struct gostats_vars *vars,
			   const struct mem_reader *reader, struct gostats_arenas *ret);

#endif
