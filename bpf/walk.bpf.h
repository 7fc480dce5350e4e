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
 * the register is judged in user space, which sees the code. Where Go called that
 * code the walk goes on in Go (cgo.bpf.h).
 */
#ifndef ALLOCSNOOP_WALK_BPF_H
#define ALLOCSNOOP_WALK_BPF_H

#include "block.bpf.h"
#include "unwind.bpf.h"

#define STACK_NEAR_BYTES (8u << 20) /* the usual limit of a stack */

static __always_inline __u64 hash_step(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 32;
}

/* The frame pointer s->from.fp leads nowhere. */
static __noinline int walk_is_lost(struct scratch *s)
{
	__u64 fp = s->from.fp;

	if (cgo_is_pending(s))
		return 0; /* in C that is nothing new, and no loss of what follows */
	/* Near by it was a frame, on a page that is not resident; far off it was any word. */
	if (!(fp & 7) && (s->from.go.on_stack || fp - s->from.sp < STACK_NEAR_BYTES))
		s->rec.flags |= ABI_STACK_UNREADABLE;
	else
		s->rec.flags |= ABI_STACK_BAD_FP;
	return 0;
}

/*
 * One frame: s->from.ra becomes the return address of that at s->from.fp (0: it ends here), which becomes its
 * caller's. Not inlined, and all in memory, for the same reason as above.
 */
static __noinline int next_frame(struct scratch *s, __u32 slot)
{
	__u64 fp = s->from.fp, off = fp - s->block_addr, next;

	s->from.ra = 0;
	if (!fp)
		return 0;
	if (fp & 7 || s->block_len < 16 || off > s->block_len - 16) {
		read_block(s, fp);
		off = fp - s->block_addr; /* 0, but the verifier shall not see another case in it */
		if (fp & 7 || s->block_len < 16) {
			walk_is_lost(s);
			return 0;
		}
	}
	off &= BLOCK_BYTES - 1;
	next = *(__u64 *)(s->block + off);
	s->from.ra = *(__u64 *)(s->block + off + 8);
	s->from.fp = next;
	if (next == fp) {
		s->from.fp = 1; /* is none */
		if (s->from.ra)
			walk_is_lost(s);
		s->from.fp = 0;
	} else if (next && on_goroutine(s, next) != s->from.go.on_stack) {
		cgo_cross(s, fp, slot);
	}
	return 0;
}

/* The same for a frame that lies in the block with a plain one behind it, as nearly all do. 0: it is another. */
static __always_inline __u64 next_plain_frame(struct scratch *s)
{
	__u64 fp = s->from.fp, off = fp - s->block_addr, next, ra;

	if (fp & 7 || s->block_len < 16 || off > s->block_len - 16)
		return 0;
	off &= BLOCK_BYTES - 1;
	next = *(__u64 *)(s->block + off);
	ra = *(__u64 *)(s->block + off + 8);
	if (!ra || next == fp || on_goroutine(s, next) != s->from.go.on_stack)
		return 0;
	s->from.fp = next;
	s->unwind.regs.sp = fp + 16;
	return ra;
}

/* What begins every stack id. */
static __always_inline __u64 begin_rec(struct scratch *s, const struct abi_target *target, __u32 slot)
{
	__u32 *loader = bpf_map_lookup_elem(&loaders, &slot);
	__u64 hash;

	s->rec.rec.kind = ABI_REC_STACK;
	s->rec.rec.tgid = target->tgid;
	s->rec.image = target->image;
	s->rec.flags = s->from.flags;
	hash = hash_step(hash_seed, (__u64)slot << 32 | s->rec.rec.tgid);
	return hash_step(hash, (__u64)s->rec.image << 32 | (loader ? *loader : 0));
}

/* The record is full, or the walk is at its end. */
static __always_inline void end_rec(struct scratch *s, __u32 n, __u64 hash)
{
	if (n == ABI_MAX_FRAMES && (s->from.fp || cgo_is_pending(s)) && !(s->rec.flags & ABI_STACK_TO_END))
		s->rec.flags |= ABI_STACK_TRUNCATED;
	s->rec.nframes = n;
	hash |= 1ULL << 63; /* small ids are reserved (abi.h) */
	s->rec.stack_id = hash;
	s->key.stack_id = hash;
}

/* The word at [sp], or what is known to have been there. */
static __always_inline __u64 first_return_address(struct scratch *s)
{
	__u64 ra = s->from.ra;

	if (!ra && s->block_len >= 8)
		ra = *(__u64 *)s->block;
	/* Of one that is only guessed user space says whether it is missed: a fault is often the first touch of that page. */
	if (!s->from.ra && s->block_len < 8 && !(s->from.flags & ABI_STACK_LEAF_GUESS))
		s->rec.flags |= ABI_STACK_UNREADABLE;
	return ra;
}

static __always_inline void walk_chain(struct scratch *s, __u32 slot, __u64 hash)
{
	__u64 ra = first_return_address(s);
	__u32 n;

	s->rec.frames[1] = ra;
	hash = hash_step(hash, ra);
	if (on_goroutine(s, s->from.fp))
		cgo_cross(s, 0, slot);
	for (n = 2; n < ABI_MAX_FRAMES; n++) {
		ra = next_plain_frame(s);
		if (!ra) {
			next_frame(s, slot);
			if (!s->from.ra)
				cgo_resume(s);
			ra = s->from.ra;
		}
		if (!ra)
			break;
		s->rec.frames[n & ABI_MAX_FRAMES] = ra;
		hash = hash_step(hash, ra);
	}
	end_rec(s, n, hash);
}

#ifdef __bpf__
#define has_loop() bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_loop)
#endif

static __always_inline void keep_frame(struct scratch *s, __u64 word)
{
	s->rec.frames[s->unwind.n & ABI_MAX_FRAMES] = word;
	s->unwind.hash = hash_step(s->unwind.hash, word);
	s->unwind.n++;
}

struct table_walk {
	struct scratch *s;
	__u32 slot;
};

/* 1: that was the last. */
static long table_frame(__u32 round, struct table_walk *w)
{
	struct scratch *s = w->s;
	__u64 word = 0;

	(void)round;
	if (is_in_chain(s)) {
		word = next_plain_frame(s);
		if (word) {
			s->unwind.regs.pc = word;
			s->unwind.regs.is_exact = 0;
			s->rec.flags |= ABI_STACK_BY_CHAIN;
		}
	}
	if (!word) {
		next_by_table(s, w->slot);
		word = s->from.ra;
	}
	if (!word)
		return 1;
	keep_frame(s, word);
	return s->unwind.n >= ABI_MAX_FRAMES;
}

/*
 * A table knows the caller of a function that was interrupted anywhere. Without one the word at [sp] may be it.
 * Returns the enum abi_code of the function, ABI_CODE_UNKNOWN where there is nothing to guess.
 */
static __noinline int leaf_code(struct scratch *s)
{
	int code;

	s->unwind.regs.pc = s->from.ip;
	s->unwind.regs.is_exact = 1;
	/* In the kernel's trampoline: the function has returned, and what it was to return to is hidden. */
	if (s->from.flags & ABI_STACK_LEAF_GUESS && s->unwind.hidden && s->from.sp == s->unwind.hidden_at + 8) {
		s->from.ra = s->unwind.hidden_ra;
		s->from.flags &= ~ABI_STACK_LEAF_GUESS;
		s->rec.flags &= ~ABI_STACK_LEAF_GUESS;
		return ABI_CODE_UNKNOWN;
	}
	if (!(s->from.flags & ABI_STACK_LEAF_GUESS))
		return ABI_CODE_UNKNOWN;
	code = choose_rule(s);
	if (code == ABI_CODE_TABLE)
		s->rec.flags &= ~ABI_STACK_LEAF_GUESS;
	return code;
}

/*
 * In Go, most functions have a frame and anything at [sp]. 0 stands for a word that leads to no code: it would only make
 * stacks differ that are the same.
 */
static __always_inline __u64 leaf_caller(struct scratch *s, int code)
{
	__u64 ra = s->from.ra ? s->from.ra : unhide(s, s->from.sp, first_return_address(s));

	return code == ABI_CODE_CHAIN && !is_listed_code(s, ra) ? 0 : ra;
}

/* As a loop of the kernel's: the verifier looks at one round, not at a hundred. */
static __always_inline void walk_tables(struct scratch *s, __u32 slot, __u64 hash)
{
	struct table_walk w = { s, slot };
	int code;

	s->unwind.n = 1;
	s->unwind.hash = hash;
	code = leaf_code(s);
	if (code != ABI_CODE_TABLE) {
		keep_frame(s, leaf_caller(s, code));
		if (!(s->from.flags & ABI_STACK_LEAF_GUESS)) {
			s->unwind.regs.pc = s->rec.frames[1];
			s->unwind.regs.is_exact = 0;
		}
	}
	if (on_goroutine(s, s->from.fp) && !s->from.go.in_c)
		cgo_cross(s, 0, slot);
	bpf_loop(ABI_MAX_FRAMES, table_frame, &w, 0);
	end_rec(s, s->unwind.n, s->unwind.hash);
}

/* From s->from: fill s->rec with the stack and s->key.stack_id with its hash. */
static __noinline int walk(struct scratch *s, const struct abi_target *target)
{
	__u32 slot = target->slot;
	__u64 hash = hash_step(begin_rec(s, target, slot), s->from.ip);

	s->rec.frames[0] = s->from.ip;
	read_block(s, s->from.sp);
	if (has_loop() && tables_begin(s, slot))
		walk_tables(s, slot, hash);
	else
		walk_chain(s, slot, hash);
	return 0;
}

#endif
