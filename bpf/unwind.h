/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One step of a stack walk by unwind tables: from the registers of a frame and the rule
 * for its code to the registers of its caller. Pure: what it reads of the target's stack
 * comes through a function, so tests run it on recorded stacks.
 *
 * Model. On x86-64 a call pushes the return address; the canonical frame address (CFA) is
 * the stack pointer before that, which is the caller's stack pointer after the return. The
 * rule says where the CFA is, relative to the stack or frame pointer, and where the caller's frame
 * pointer was saved, if it was. Of the callee-saved registers only the frame pointer
 * is followed: compilers hang CFAs on no other but for some instructions (System V ABI for
 * AMD64, 3.2; DWARF 5, 6.4).
 *
 * A frame pointer that is lost (ABI_FP_UNKNOWN) is set to 0, and a rule that needs it ends the walk.
 *
 * Stacks grow down, so a caller's CFA is higher: a walk that does not ascend is a
 * loop or a table that lies, and ends. Only a signal frame may lead anywhere (an alternate
 * signal stack).
 */
#ifndef ALLOCSNOOP_BPF_UNWIND_H
#define ALLOCSNOOP_BPF_UNWIND_H

#include "abi.h"

struct unwind_regs {
	__u64 pc, sp, fp;
	__u32 is_exact; /* pc is the instruction that was interrupted; else it is a return address */
	__u32 pad;
};

enum unwind_result {
	UNWIND_NEXT, /* regs are the caller's */
	UNWIND_END, /* there is none */
	UNWIND_NO_RULE,
	UNWIND_UNREADABLE,
	UNWIND_LOOP,
};

/* 0: the word could not be read. */
typedef int unwind_read_fn(void *ctx, __u64 addr, __u64 *ret);

/* The address to look up a rule for: that of the call, which may be the last instruction of its function. */
static inline __u64 unwind_lookup_pc(const struct unwind_regs *regs)
{
	return regs->is_exact ? regs->pc : regs->pc - 1;
}

/*
 * struct rt_sigframe behind the handler's return (arch/x86/include/asm/sigframe.h): sp is at its ucontext;
 * uc_mcontext begins at byte 40 (arch/x86/include/uapi/asm/sigcontext.h: struct sigcontext).
 */
#define UNWIND_SIGNAL_FP (40 + 80)
#define UNWIND_SIGNAL_SP (40 + 120)
#define UNWIND_SIGNAL_PC (40 + 128)

static inline enum unwind_result unwind_signal(struct unwind_regs *regs, unwind_read_fn *read, void *ctx)
{
	__u64 at = regs->sp;

	if (!read(ctx, at + UNWIND_SIGNAL_FP, &regs->fp) || !read(ctx, at + UNWIND_SIGNAL_SP, &regs->sp) ||
	    !read(ctx, at + UNWIND_SIGNAL_PC, &regs->pc))
		return UNWIND_UNREADABLE;
	regs->is_exact = 1;
	return regs->pc ? UNWIND_NEXT : UNWIND_END;
}

/* Code that keeps frame pointers: two words at the frame pointer. */
static inline enum unwind_result unwind_chain(struct unwind_regs *regs, unwind_read_fn *read, void *ctx)
{
	__u64 fp = regs->fp;

	if (!fp)
		return UNWIND_END;
	if (fp & 7 || !read(ctx, fp, &regs->fp) || !read(ctx, fp + 8, &regs->pc))
		return UNWIND_UNREADABLE;
	regs->sp = fp + 16;
	regs->is_exact = 0;
	return regs->pc ? UNWIND_NEXT : UNWIND_END;
}

/* After anything but UNWIND_NEXT, *regs are not to be used. */
static inline enum unwind_result unwind_step(struct unwind_regs *regs, const struct abi_unwind_rule *rule,
					     unwind_read_fn *read, void *ctx)
{
	__u64 sp = regs->sp, fp = regs->fp, cfa, at;

	switch (rule->cfa) {
	case ABI_CFA_SP:
	case ABI_CFA_SP_DEREF:
		cfa = sp + rule->cfa_off;
		break;
	case ABI_CFA_FP:
	case ABI_CFA_FP_DEREF:
		if (!fp)
			return UNWIND_NO_RULE;
		cfa = fp + rule->cfa_off;
		break;
	case ABI_CFA_CHAIN:
		return unwind_chain(regs, read, ctx);
	case ABI_CFA_SIGNAL:
		return unwind_signal(regs, read, ctx);
	case ABI_CFA_END:
		return UNWIND_END;
	default:
		return UNWIND_NO_RULE;
	}
	if (rule->cfa == ABI_CFA_SP_DEREF || rule->cfa == ABI_CFA_FP_DEREF) {
		if (!read(ctx, cfa, &cfa))
			return UNWIND_UNREADABLE;
		cfa += rule->cfa_add;
	}
	if (cfa <= sp || cfa & 7)
		return UNWIND_LOOP;
	at = rule->fp == ABI_FP_AT_CFA ? cfa : rule->fp == ABI_FP_AT_FP ? fp : sp;
	if (rule->fp == ABI_FP_UNKNOWN)
		regs->fp = 0;
	else if (rule->fp != ABI_FP_SAME && !read(ctx, at + rule->fp_off, &regs->fp))
		return UNWIND_UNREADABLE;
	if (!read(ctx, cfa - 8, &regs->pc))
		return UNWIND_UNREADABLE;
	regs->sp = cfa;
	regs->is_exact = 0;
	return regs->pc ? UNWIND_NEXT : UNWIND_END;
}

#endif
