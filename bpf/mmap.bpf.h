/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who maps address space: mmap, munmap, mremap and brk of the targets, whoever makes
 * the call: libc, the dynamic loader, Go's runtime, generated code.
 *
 * Everything is looked at when a call returns: the arguments are still in the user's
 * registers then, so there is nothing to remember, and nothing to lose with a thread that
 * dies in a call. What follows from a call is for user space, which has the map of the
 * address space (user/capture/mmaps.c): here is only told what was done.
 *
 * Cost. Any program on a system call's return makes all system calls of the host take the kernel's slow
 * path. Measured with getppid() of another process (200 ns): the tracepoints syscalls:sys_exit_* of
 * the four calls add 70 ns to each, sys_enter_* besides 13 more, tp_btf on raw_syscalls:sys_exit, which
 * runs the program for every call, 130. So it is the four of syscalls:, or, without tracefs, the one.
 */
#ifndef ALLOCSNOOP_MMAP_BPF_H
#define ALLOCSNOOP_MMAP_BPF_H

#include "arch.bpf.h"
#include "proc.bpf.h"

#define MAX_ERRNO 4095
#define MREMAP_DONTUNMAP 4 /* uapi/linux/mman.h */

/* What the generated types leave out. */
struct mm_struct___brk {
	unsigned long start_brk;
} __attribute__((preserve_access_index));

/* Fill s->mmap from the call that returns. false: it changed nothing. */
static __always_inline bool mmap_read(struct abi_rec_mmap *rec, struct pt_regs *regs, __u32 call)
{
	__u64 ret = PT_REGS_RC(regs), first = PT_REGS_PARM1_CORE_SYSCALL(regs);

	if (call == ABI_MMAP_BRK ? ret != first : ret >= -(__u64)MAX_ERRNO)
		return false;
	rec->call = call;
	rec->addr = call == ABI_MMAP_UNMAP ? first : ret;
	rec->len = call == ABI_MMAP_REMAP ? PT_REGS_PARM3_CORE_SYSCALL(regs) : PT_REGS_PARM2_CORE_SYSCALL(regs);
	rec->old_addr = first;
	rec->old_len = PT_REGS_PARM2_CORE_SYSCALL(regs);
	rec->flags = PT_REGS_PARM4_CORE_SYSCALL(regs);
	return true;
}

/* May it have mapped something? */
static __always_inline bool mmap_allocates(const struct abi_rec_mmap *rec)
{
	if (rec->call == ABI_MMAP_REMAP)
		return rec->len > rec->old_len || rec->flags & MREMAP_DONTUNMAP;
	return rec->call != ABI_MMAP_UNMAP;
}

static __noinline int mmap_returned(struct scratch *s, struct abi_target *target, __u32 call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct abi_rec_mmap *rec = &s->mmap;
	__u64 flags;

	if (!target || !mmap_read(rec, regs, call))
		return 0;
	rec->rec.kind = ABI_REC_MMAP;
	rec->rec.tgid = target->tgid;
	rec->image = target->image;
	rec->tid = task->pid;
	rec->ns = bpf_ktime_get_ns();
	rec->stack_id = 0;
	if (call == ABI_MMAP_BRK)
		rec->old_addr = BPF_CORE_READ((struct mm_struct___brk *)task->mm, start_brk);
	if (mmap_allocates(rec) && (!only_tid || only_tid == (__u32)task->pid)) {
		s->from = (struct walk_from){ .ip = PT_REGS_IP(regs), .sp = PT_REGS_SP(regs), .fp = PT_REGS_FP(regs),
					      .flags = ABI_STACK_LEAF_GUESS };
		cgo_enter(s, target->slot);
		walk(s, target);
		send_stack(s);
		rec->stack_id = s->key.stack_id;
	}
	ring_wake_flags(&flags);
	if (bpf_ringbuf_output(&ring, rec, sizeof(*rec), flags))
		stat_add(s, ABI_STAT_LOST_MMAP, 1);
	return 0;
}

static __always_inline int mmap_hit(__u32 call)
{
	struct abi_target *target = target_of(bpf_get_current_pid_tgid() >> 32);
	struct scratch *s;

	if (!target)
		return 0;
	s = guard_enter(SCRATCH_TRACE);
	if (s) {
		run_begin(s, ABI_STAT_HITS_MMAP);
		mmap_returned(s, target, call);
		run_end(s, ABI_STAT_TIMED_MMAP, ABI_STAT_TIMED_MMAP_NS);
	}
	guard_exit(s);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_mmap")
int sys_exit_mmap(void *ctx)
{
	return mmap_hit(ABI_MMAP_MAP);
}

SEC("tracepoint/syscalls/sys_exit_munmap")
int sys_exit_munmap(void *ctx)
{
	return mmap_hit(ABI_MMAP_UNMAP);
}

SEC("tracepoint/syscalls/sys_exit_mremap")
int sys_exit_mremap(void *ctx)
{
	return mmap_hit(ABI_MMAP_REMAP);
}

SEC("tracepoint/syscalls/sys_exit_brk")
int sys_exit_brk(void *ctx)
{
	return mmap_hit(ABI_MMAP_BRK);
}

/* Instead of these four where there is no tracefs. */
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit_any, struct pt_regs *regs, long ret)
{
	switch (ARCH_SYSCALL_NR(regs)) {
	case ARCH_NR_MMAP:
		return mmap_hit(ABI_MMAP_MAP);
	case ARCH_NR_MUNMAP:
		return mmap_hit(ABI_MMAP_UNMAP);
	case ARCH_NR_MREMAP:
		return mmap_hit(ABI_MMAP_REMAP);
	case ARCH_NR_BRK:
		return mmap_hit(ABI_MMAP_BRK);
	}
	return 0;
}

#endif
