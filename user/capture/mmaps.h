/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address space of one process as its own calls made it: which call mapped which
 * part, and what of that is still there. Pure: records go in, events come out.
 *
 * An object is what one call mapped (mmap, the growth of an mremap or brk); it is live
 * as long as any page of it is mapped, under the stack that mapped it. A pure move keeps it.
 */
#ifndef ALLOCSNOOP_CAPTURE_MMAPS_H
#define ALLOCSNOOP_CAPTURE_MMAPS_H

#include "base/event.h"
#include "bpf/abi.h"
#include "target/proc.h"

struct mmaps;

struct mmaps_opts {
	uint64_t page_bytes; /* a power of two */
	uint64_t min_size_bytes, max_size_bytes; /* of the calls that are wanted, as they asked */
};

struct mmaps_stats {
	uint64_t before_bytes; /* mapped before the watch began, and unmapped since */
	uint64_t not_kept; /* parts that could not be remembered: too many, or no memory */
};

/* The contexts of its events, one for each kind of memory: told to the sink once, by whoever has it. */
void mmaps_tell_contexts(const struct event_sink *sink);

/* @sink is copied. 0 or -ENOMEM. */
int mmaps__new(const struct event_sink *sink, uint32_t pid, const struct mmaps_opts *opts, struct mmaps **ret);
/* What is live stays so in the sums. */
void mmaps__free(struct mmaps *mmaps);

/*
 * What is there before any call is looked at: @maps was read between the times @from_ns and @to_ns (as in
 * abi_rec_mmap). Calls done before @from_ns are in it.
 */
void mmaps__seed(struct mmaps *mmaps, const struct mappings *maps, uint64_t from_ns, uint64_t to_ns);
void mmaps__apply(struct mmaps *mmaps, const struct abi_rec_mmap *rec);
/* An exec: all of it is gone. */
void mmaps__drop(struct mmaps *mmaps);

/* The stack that mapped the page at @addr; 0: nothing is mapped there, or it is not known, or not wanted, who did. */
uint64_t mmaps__find(const struct mmaps *mmaps, uint64_t addr);

void mmaps__stats(const struct mmaps *mmaps, struct mmaps_stats *ret);

#endif
