/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An unwind table ("Unwind tables" in bpf/abi.h) in memory, how it is searched, and how it is built from rules
 * that come in the order of their addresses.
 */
#ifndef ALLOCSNOOP_UNWIND_TABLE_H
#define ALLOCSNOOP_UNWIND_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi.h"

/* What was made of a module's unwind information, for a preflight to tell. */
struct unwind_stats {
	uint64_t cies, fdes; /* read and understood */
	uint64_t fdes_of_debug_frame; /* of them: described code that .eh_frame did not */
	uint64_t fdes_with_fp; /* have code whose CFA hangs on the frame pointer */
	uint64_t fdes_outside; /* described no code of the module (functions that the linker dropped), or only Go's */
	uint64_t fdes_overlapping; /* described code that a later one in the same section claimed, too */
	uint64_t malformed; /* CIEs and FDEs that could not be read; a section's end that could not counts once */
	uint64_t too_many; /* CIEs and FDEs beyond the bounds */
	uint64_t code_bytes; /* of the module's executable segments */
	uint64_t fp_lost_bytes; /* of code whose caller is found, but not that caller's frame pointer */
	uint64_t rows[ABI_UNWIND__N], bytes[ABI_UNWIND__N]; /* by cause: rows, and bytes of code, that say nothing */
	bool debug_frame_unread; /* there is one, of a compression that this build does not read */
};

struct unwind_table {
	uint64_t base_vaddr; /* of page 0; a multiple of a page */
	uint32_t npages;
	uint32_t nrows, nrules;
	uint32_t *page_first; /* npages + 1: index of the first row of each page */
	uint32_t *rows; /* ABI_UNWIND_ROW */
	struct abi_unwind_rule *rules; /* the first ABI_UNWIND__N say nothing, each for its own cause */
	struct unwind_stats stats;
};

/* Frees what @table holds; one of zeroes, or half built, will do. */
void unwind_table__free(struct unwind_table *table);

/* The rule for @vaddr; false if the table does not reach there. */
bool unwind_table__find(const struct unwind_table *table, uint64_t vaddr, struct abi_unwind_rule *ret);

struct hmap;

/* Owned by whoever builds; the fields are table.c's. */
struct unwind_builder {
	struct unwind_table *table;
	struct hmap *rules;
	uint32_t salt;
	struct abi_unwind_rule last; /* added, and its number: neighbours are often equal */
	uint32_t last_index;
	uint32_t max_rows;
	size_t rows_cap, rules_cap;
	uint64_t next_vaddr; /* everything below is said */
	uint64_t limit_vaddr; /* behind the last page */
	uint64_t said_bytes; /* of code, not of gaps */
	uint32_t rule; /* of the newest row */
	bool full;
	int error;
};

/*
 * Start @table, which is overwritten, for the code from @start to @end with at most @max_rows rows (more if there
 * are more pages than that). Code more than 4 GiB behind @start counts as ABI_UNWIND_TOO_MANY. unwind_builder__close()
 * must follow a success.
 */
int unwind_builder__open(struct unwind_builder *b, struct unwind_table *table, uint64_t start, uint64_t end,
			 uint32_t max_rows);
/* @rule holds from @start to @end; calls come in ascending order, what lies between is a gap. */
void unwind_builder__add(struct unwind_builder *b, uint64_t start, uint64_t end, const struct abi_unwind_rule *rule);
/* Will rules from @vaddr on still make rows? */
static inline bool unwind_builder__takes(const struct unwind_builder *b, uint64_t vaddr)
{
	return !b->full && !b->error && vaddr < b->limit_vaddr;
}
/* 0, or -ENOMEM for any of the calls before; then the table is freed. */
int unwind_builder__close(struct unwind_builder *b);

static inline struct abi_unwind_rule unwind_rule_none(enum abi_unwind_cause cause)
{
	return (struct abi_unwind_rule){ .cfa = ABI_CFA_NONE, .cfa_off = (int32_t)cause };
}

#endif
