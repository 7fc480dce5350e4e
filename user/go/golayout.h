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
	uint16_t g_goid, g_gopc, g_startpc, g_labels; /* gopc: where its go statement is */
	uint16_t g_parent_goid; /* 1.21 on */
	uint16_t g_secret; /* int32; 1.26 on. Tiny objects have slots of their own while it is not 0. */

	/* runtime.m: a thread */
	uint16_t m_g0, m_gsignal, m_procid, m_curg, m_p;
	uint16_t m_id, m_mallocing, m_locks;

	/* runtime.p: a processor, with its mcache and the tiny allocator's state in it */
	uint16_t p_id, p_mcache;
	uint16_t mcache_next_sample, mcache_tiny, mcache_tinyoffset, mcache_tiny_allocs, mcache_alloc;
	uint16_t mspan_start_addr, mspan_npages, mspan_elemsize, mspan_spanclass;

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
