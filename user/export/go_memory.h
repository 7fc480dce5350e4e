/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why RSS of Go programs is what it is: what there is besides objects, by name. Pure.
 *
 * The runtime's counts say what may be there, the kernel's what is. Where less is there than the runtime counts, it
 * is not known of which part, so each part has at least its count less all that is absent. That much is
 * named, and nothing that is less than a tenth of RSS or 1 MiB.
 */
#ifndef ALLOCSNOOP_EXPORT_GO_MEMORY_H
#define ALLOCSNOOP_EXPORT_GO_MEMORY_H

#include <stddef.h>

#include "profile/profile.h"

struct go_cause {
	const char *name; /* static: "fragmentation" */
	const char *text; /* static: what it means, for a reader */
	uint64_t bytes; /* at least so much of RSS */
};

#define GO_CAUSES_MAX 7

/* What the sum of processes' memory is made of, and why. */
struct go_memory {
	uint32_t unknown_pid; /* of this process it is not known: */
	const char *unknown; /* static; NULL: it is known of all */
	struct go_rss sum;
	struct go_cause causes[GO_CAUSES_MAX]; /* the largest first */
	size_t ncauses;
};

/* The causes of one process's RSS, all of GO_CAUSES_MAX in a fixed order, those of 0 too. */
void go_memory_causes(const struct go_rss *rss, struct go_cause ret[static GO_CAUSES_MAX]);

/* Of the targets that run. false: none of them was looked at. */
bool go_memory(const struct profile *prof, struct go_memory *ret);

#endif
