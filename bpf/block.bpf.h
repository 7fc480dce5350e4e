/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of the target's stack that a walk has before it. */
#ifndef ALLOCSNOOP_BLOCK_BPF_H
#define ALLOCSNOOP_BLOCK_BPF_H

#include "guard.bpf.h"

#define PAGE_MIN 4096

/*
 * Read the block at @addr: whole, or up to the end of the page, or nothing.
 * Position and length stay in memory and the function is not inlined: the verifier
 * then sees the same state at every round of the walk's loop, and its work is
 * linear in the depth instead of exponential.
 */
static __noinline int read_block(struct scratch *s, __u64 addr)
{
	__u32 len = PAGE_MIN - (addr & (PAGE_MIN - 1));

	s->block_addr = addr;
	s->block_len = BLOCK_BYTES;
	if (!bpf_probe_read_user(s->block, BLOCK_BYTES, (void *)addr))
		return 0;
	s->block_len = 0;
	if (len < BLOCK_BYTES && !bpf_probe_read_user(s->block, len & (BLOCK_BYTES - 1), (void *)addr))
		s->block_len = len;
	return 0;
}

#endif
