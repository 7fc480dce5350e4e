/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the Go runtime of each version keeps what the probes read: offsets in its
 * structures and the constants of its allocator, the same on amd64 and arm64.
 *
 * Generated from the DWARF of programs built by each version (tools/gen_golayout.sh);
 * offsets do not change in a minor version's patch releases, as far as is known: who
 * relies on one for a count proves it against the target.
 */
#ifndef ALLOCSNOOP_GO_GOLAYOUT_H
#define ALLOCSNOOP_GO_GOLAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* This version has no such field. */
#define GO_NO_FIELD UINT16_MAX

struct go_layout {
	uint8_t minor;
	const char *experiment; /* the GOEXPERIMENT that makes the difference, "" for the version as released */
	bool derived; /* read off the source of that version, not measured */

	/*
	 * Size classes: rounded size by class, [0] is 0 (large objects, rounded up to pages of 8192 bytes).
	 * With malloc headers (1.22 on) an object with pointers of more than min_size_for_malloc_header bytes
	 * gets malloc_header_size bytes in front before it is rounded, and is large from max_small_size less
	 * that header on. An object without pointers of less than tiny_size bytes shares a block of tiny_size.
	 */
	const uint16_t *class_to_size;
	uint16_t nclasses;
	uint16_t tiny_size, max_small_size;
	bool malloc_headers;
	uint16_t malloc_header_size, min_size_for_malloc_header; /* 0 without malloc headers */

	/* runtime.g: in the register R14 (amd64) or R28 (arm64), or in thread-local storage */
	uint16_t g_stack_lo, g_stack_hi, g_stackguard0, g_m;
	uint16_t g_sched_sp, g_sched_pc, g_sched_bp; /* of a goroutine that does not run */
	/* in a system call or in C: of the caller of entersyscall (runtime/proc.go); bp 1.23 on; sp is 0 elsewhere */
	uint16_t g_syscallsp, g_syscallpc, g_syscallbp;
	uint16_t g_goid, g_gopc, g_startpc, g_labels; /* gopc: where its go statement is */
	uint16_t g_parent_goid; /* 1.21 on */
	uint16_t g_secret; /* int32; 1.26 on. Tiny objects have slots of their own while it is not 0. */

	/* runtime.m: a thread */
	uint16_t m_g0, m_gsignal, m_procid, m_curg, m_p;
	uint16_t m_id, m_mallocing, m_locks;

	/* runtime.p: a processor, with its mcache and the tiny allocator's state in it */
	uint16_t p_id, p_mcache;
	uint16_t mcache_next_sample, mcache_tiny, mcache_tinyoffset, mcache_tiny_allocs, mcache_alloc;
	uint16_t mcache_flush_gen; /* uint32: mheap.sweepgen when it was last flushed */

	/* runtime.mheap, the variable runtime.mheap_: uint32, 2 more from one GC to the next */
	uint32_t mheap_sweepgen;
	uint32_t mheap_pages_in_use; /* uint64: pages of spans with objects */
	uint32_t mheap_arenas_amd64, mheap_arenas_arm64; /* a slice of the indexes of the heap's arenas */
	/*
	 * Whose a page is: mheap.arenas is, on Linux with 64-bit words, a pointer to an array of pointers to a runtime.heapArena
	 * each, by (address - that of arena 0) / 64 MiB; spans in there one of pointers to runtime.mspan, by page of 8192
	 * bytes. What was a page of a span that is gone still points to where that was: its own address and state tell.
	 */
	uint32_t mheap_arena_map, heap_arena_spans;
	/*
	 * The allocators of mspans and of mcaches, runtime.fixalloc. The first has &mheap_ as its arg; where in mheap it is
	 * depends on the architecture. GO_NO_FIELD: of this version nothing of the following is known.
	 */
	uint16_t mheap_caches_behind_spans;
	uint32_t mcache_spans_bytes; /* of the spans that an mcache holds, at most */
	/* size of an element, bytes in use; stat points to a member of runtime.memstats: mspan_sys, mcache_sys */
	uint16_t fixalloc_bytes, fixalloc_size, fixalloc_arg, fixalloc_inuse, fixalloc_stat;

	/*
	 * runtime.mstats, the variable runtime.memstats: bytes, uint64. From 1.16 on what the heap has is the sum
	 * of a few runtime.heapStatsDelta, in which cumulative counts by size class tell of the objects.
	 */
	uint16_t memstats_heap_inuse, memstats_heap_idle, memstats_heap_released, memstats_stacks_inuse; /* 1.15 */
	uint16_t memstats_heap_live; /* 1.15: objects that the last GC found or that were made since */
	uint16_t memstats_stacks_sys, memstats_mspan_sys, memstats_mcache_sys, memstats_buckhash_sys, memstats_gc_sys,
		memstats_other_sys;
	uint16_t memstats_deltas, memstats_ndeltas, delta_bytes; /* from here on 1.16 on */
	uint16_t delta_committed, delta_released, delta_in_heap, delta_in_stacks, delta_in_work_bufs;
	uint16_t delta_in_scalar_bits; /* up to 1.24 */
	uint16_t delta_large_alloc, delta_large_free, delta_small_alloc_count, delta_small_free_count;

	/*
	 * runtime.mspan. A field with a _bytes beside it changed its width: that is the width.
	 * sweepgen (uint32) less mheap's: -2 to be swept, -1 being swept, 0 swept; and, in an mcache,
	 * 1 cached before the sweep began and to be swept, 3 swept, then cached.
	 * From its sweep to its next one, bit i of *allocBits tells whether the last GC marked slot i (bits of
	 * a new span are 0); slots below freeindex are in use, whatever their bit; from it on a bit of 0 is free.
	 * allocCache is 64 bits of ~allocBits, bit 0 of it that of freeindex.
	 */
	uint16_t mspan_start_addr, mspan_npages, mspan_elemsize, mspan_spanclass;
	uint16_t mspan_freeindex, mspan_freeindex_bytes, mspan_nelems, mspan_nelems_bytes;
	uint16_t mspan_free_index_for_scan, mspan_free_index_for_scan_bytes; /* patch releases of 1.19 on */
	uint16_t mspan_alloc_cache, mspan_alloc_bits, mspan_gcmark_bits, mspan_sweepgen;
	uint16_t mspan_state; /* a byte */
	uint8_t mspan_in_use; /* the state of a span of the heap */
	uint16_t mspan_specials; /* a list, ascending by offset, then kind */

	/* runtime.special: offset from the span's start; kind is a byte */
	uint16_t special_next, special_offset, special_offset_bytes, special_kind;
	uint8_t special_kind_profile; /* this kind is the beginning of a runtime.specialprofile */
	uint16_t specialprofile_b;

	/*
	 * runtime.bucket of the memory profile: bucket_bytes, then nstk return addresses, then the memRecord.
	 * A memRecord has the cycle "active" and an array of nfuture cycles, of memcycle_bytes each.
	 * From 1.27 on cycles count objects only, all of bucket_size bytes.
	 */
	uint16_t bucket_next, bucket_allnext, bucket_typ, bucket_hash, bucket_size, bucket_nstk, bucket_bytes;
	uint16_t memrecord_active, memrecord_future, memrecord_nfuture;
	uint16_t memcycle_bytes, memcycle_allocs, memcycle_frees;
	uint16_t memcycle_alloc_bytes, memcycle_free_bytes; /* up to 1.26 */

	/*
	 * What g.labels points to (runtime/pprof/label.go). labels_are_list (1.24 on): a struct with a slice of
	 * pairs of strings, sorted by the first, at labels_list. Otherwise a variable that holds a
	 * map[string]string: a *hmap, with 1 << b buckets of 8 bytes of top hashes (below 5: empty), 8 keys,
	 * 8 values and the pointer to an overflow bucket (runtime/map.go, 1.15 to 1.23); not all are in buckets
	 * while oldbuckets is not nil.
	 */
	bool labels_are_list;
	uint16_t labels_list;
	uint16_t hmap_count, hmap_b, hmap_buckets, hmap_oldbuckets; /* b: a byte */

	/* runtime.moduledata */
	uint16_t md_text, md_etext, md_noptrdata, md_data, md_bss, md_noptrbss, md_types, md_etypes;
	uint16_t md_rodata, md_gofunc; /* 1.18 on */

	/* runtime._type, internal/abi.Type */
	uint16_t type_size, type_ptrdata, type_tflag, type_kind, type_str;
};

/* Every layout that is known, ascending by version, a version's own before its experiments'. */
extern const struct go_layout go_layouts[];
extern const size_t go_nlayouts;

/*
 * Layout of Go 1.@minor built with @experiments, a list as the version string has it behind "X:"
 * ("a,b"; NULL or "" for none); of several that matter the first in the table is taken.
 * A version newer than all of the table gets the newest, and *ret_is_guess (may be NULL) tells so.
 * NULL before 1.15.
 */
const struct go_layout *go_layout_for(int minor, const char *experiments, bool *ret_is_guess);

/*
 * Bytes that the heap charges for an object of @size_bytes (0: 0), less than 2^48, which holds pointers or
 * does not. The caller knows of tiny objects: this is the block, not the share.
 */
uint64_t go_layout__rounded(const struct go_layout *layout, uint64_t size_bytes, bool has_pointers);

#endif
