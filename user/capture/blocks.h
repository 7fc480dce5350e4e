/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The live blocks of the C allocator, as the table of the BPF side holds them, summed by
 * stack: how many there are, how old. A scan is begin(), add() for every block, end(),
 * which tells the sink what has changed. Pure.
 *
 * How many are live the probes count themselves, when every block is in the table. When
 * it is a sample, or only the older ones are wanted, that is computed here: each block
 * stands for 1 / chance of its size (Horvitz and Thompson), as in goheap.h.
 */
#ifndef ALLOCSNOOP_CAPTURE_BLOCKS_H
#define ALLOCSNOOP_CAPTURE_BLOCKS_H

#include "base/event.h"
#include "bpf/abi.h"

struct blocks;

struct blocks_opts {
	uint32_t rate_bytes; /* one block in so many bytes is in the table; 0: every one */
	uint64_t older_ns; /* younger ones do not count as live */
};

int blocks__new(const struct event_sink *sink, const struct blocks_opts *opts, struct blocks **ret);
void blocks__free(struct blocks *blocks);

void blocks__begin(struct blocks *blocks);
/* @is_last: the process has ended, its blocks will not be in a later scan. 0 or -ENOMEM. */
int blocks__add(struct blocks *blocks, uint32_t pid, const struct abi_block *block, uint64_t age_ns, bool is_last);
/* 0 or -ENOMEM; then the ages are those of before. */
int blocks__end(struct blocks *blocks);

/* Does the sink hear from us how many are live? Else only how old they are. */
bool blocks__counts_live(const struct blocks *blocks);
/* In the table at the last scan. */
uint64_t blocks__len(const struct blocks *blocks);

#endif
