/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stack walk: the word at [sp], then frame pointers.
 *
 * Model. At a probe in a function's prologue the return address is still at [sp]
 * and the frame pointer is the caller's; the kernel's own walk (bpf_get_stack)
 * starts at the frame pointer and loses the immediate caller there. A frame is
 * two words, saved frame pointer and return address. The stack is read in blocks
 * of BLOCK_BYTES and frames are taken out of the block: one helper call for a
 * dozen frames instead of one for each (561 ns instead of 798 ns a hit at a depth
 * of 12).
 *
 * Frame pointers need not ascend: Go's systemstack() continues on another stack
 * and the chain crosses over. The walk ends at a frame pointer or return address
 * of 0 (complete), at ABI_MAX_FRAMES, at memory that is not resident, or at a
 * frame pointer that is none. What native code without frame pointers leaves in
 * the register is judged in user space, which sees the code.
 */
#ifndef ALLOCSNOOP_WALK_BPF_H
#define ALLOCSNOOP_WALK_BPF_H

#include "guard.bpf.h"

#define PAGE_MIN 4096
#define STACK_NEAR_BYTES (8u << 20) /* the usual limit of a stack */

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

static __always_inline __u64 hash_step(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 32;
}

/* From s->from: fill s->rec with the stack and s->key.stack_id with its hash. */
static __noinline int walk(struct scratch *s, const struct abi_target *target)
{
	__u64 fp = s->from.fp, ra = s->from.ra, off, hash;
	__u32 n, slot, *loader;

	s->rec.rec.kind = ABI_REC_STACK;
	s->rec.rec.tgid = target->tgid;
	s->rec.image = target->image;
	s->rec.flags = s->from.flags;
	slot = target->slot;
	loader = bpf_map_lookup_elem(&loaders, &slot);
	hash = hash_step(hash_seed, (__u64)slot << 32 | s->rec.rec.tgid);
	hash = hash_step(hash, (__u64)s->rec.image << 32 | (loader ? *loader : 0));
	hash = hash_step(hash, s->from.ip);
	s->rec.frames[0] = s->from.ip;
	read_block(s, s->from.sp);
	if (!ra && s->block_len >= 8)
		ra = *(__u64 *)s->block;
	if (!s->from.ra && s->block_len < 8)
		s->rec.flags |= ABI_STACK_UNREADABLE;
	s->rec.frames[1] = ra;
	hash = hash_step(hash, ra);

	for (n = 2; n < ABI_MAX_FRAMES; n++) {
		if (!fp)
			break;
		off = fp - s->block_addr;
		if (fp & 7 || s->block_len < 16 || off > s->block_len - 16) {
			read_block(s, fp);
			off = 0;
			if (fp & 7 || s->block_len < 16) {
				/* Near by it was a frame, on a page that is not resident; far off it was any word. */
				s->rec.flags |= !(fp & 7) && fp - s->from.sp < STACK_NEAR_BYTES ? ABI_STACK_UNREADABLE :
												  ABI_STACK_BAD_FP;
				break;
			}
		}
		off &= BLOCK_BYTES - 1;
		ra = *(__u64 *)(s->block + off + 8);
		if (!ra)
			break;
		s->rec.frames[n & ABI_MAX_FRAMES] = ra;
		hash = hash_step(hash, ra);
		off = *(__u64 *)(s->block + off);
		if (off == fp) {
			s->rec.flags |= ABI_STACK_BAD_FP;
			fp = 0;
			n++;
			break;
		}
		fp = off;
	}
	if (n == ABI_MAX_FRAMES && fp)
		s->rec.flags |= ABI_STACK_TRUNCATED;
	s->rec.nframes = n;
	hash |= 1ULL << 63; /* small ids are reserved (abi.h) */
	s->rec.stack_id = hash;
	s->key.stack_id = hash;
	return 0;
}

#endif
