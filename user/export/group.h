/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of a profile gathered and sorted into the lines of a report. Pure: no text, no output. */
#ifndef ALLOCSNOOP_EXPORT_GROUP_H
#define ALLOCSNOOP_EXPORT_GROUP_H

#include "export/export.h"
#include "export/touched.h"
#include "profile/frames.h"

struct group_type {
	uint32_t type; /* strtab id, 0: not known */
	uint64_t objects, bytes; /* what is live where the report is sorted by that; else what was allocated */
};

struct group {
	uint32_t pid;
	enum source source;
	uint32_t stack; /* GROUP_STACK: the stack; else the one of the group with most bytes */
	uint32_t type; /* of the row with most bytes, 0: not known; GROUP_TYPE: of all */
	/* What the group stands for; NULL for stacks, types, labels, and what is not known; owned. */
	struct frame_view *frame;
	struct group_type *types; /* GROUP_STACK: most bytes first; owned */
	uint32_t ntypes;
	uint32_t labels; /* the set of the row with most bytes of those that have any, or 0 */
	bool more_labels; /* it is not the set of all rows */
	bool unknown; /* nobody knows what the key asks for: C's types, Go's objects from before the attach */
	enum source asked_by; /* GROUP_ALLOCATION: how that is known, of source RSS */
	struct touched touched; /* of source RSS by GROUP_STACK: whose memory it is; owned */
	struct prof_counts counts;
	uint64_t goroutines; /* whose first allocation seen was in the window, if they were counted */
	int64_t order; /* sort key: descending */
	uint64_t top_bytes, top_label_bytes; /* bytes of the rows that gave stack and labels */
	uint32_t nr; /* order of appearance, to break ties */
};

struct groups {
	struct group *items;
	size_t len;
	struct prof_counts sum;
	int64_t rss_grown, rss_released; /* of RSS groups: sums of the positive and of the negated negative `order` */
};

#define SOURCES_ALLOC (1u << SOURCE_GO | 1u << SOURCE_MALLOC | 1u << SOURCE_MMAP)
#define SOURCES_RSS (1u << SOURCE_RSS)

/*
 * Rows of @sources (bits 1 << enum source) that have anything in the window, by process, source and
 * @key, largest first. Stacks that differ in context only are one group; with @trimmed so are those that
 * differ only in what a report without -v leaves out (addresses in one line, plumbing). By GROUP_ALLOCATION
 * what was allocated goes by stack, and RSS by the stacks that asked for the memory: only what grew. 0 or -ENOMEM.
 */
int groups_build(const struct profile *prof, enum window window, uint32_t sources, enum group_key key, bool trimmed,
		 enum sort_key sort, struct groups *ret);
void groups_free(struct groups *groups);

#endif
