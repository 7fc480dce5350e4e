/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Life of the targets: exec, fork, exit, and what the dynamic loader maps. */
#ifndef ALLOCSNOOP_PROC_BPF_H
#define ALLOCSNOOP_PROC_BPF_H

#include "alloc_c.bpf.h"
#include "rss.bpf.h"

static __always_inline void send_proc(struct abi_rec_proc *rec)
{
	if (bpf_ringbuf_output(&ring, rec, sizeof(*rec), BPF_RB_FORCE_WAKEUP))
		__sync_fetch_and_add(&lost_ring_full_proc, 1);
}

static __always_inline struct abi_target *target_of(__u32 tgid)
{
	__u32 *slot = bpf_map_lookup_elem(&slots, &tgid);

	return slot ? bpf_map_lookup_elem(&targets, slot) : NULL;
}

/* The new address space; the old one is being taken down, and what is left of it goes with it. */
static __always_inline void rss_watch_exec(struct task_struct *task, struct abi_target *target, __u32 tgid)
{
	__u32 *slot = bpf_map_lookup_elem(&slots, &tgid);
	struct mm_struct *mm = task->mm;
	__u64 old = mm_unwatch(target);

	mm_account(target, old, ABI_STACK_EXEC, -1);
	mm_forget(old);
	if (slot && mm) {
		mm_watch(mm, *slot);
		mm_account(target, target->mm, ABI_STACK_EXEC, 1);
	}
}

/* The code of the old address space means nothing in the new one. */
static __always_inline void forget_space(__u32 slot)
{
	__u64 *space = bpf_map_lookup_elem(&spaces, &slot);

	if (space && *space)
		*space = ABI_SPACE(0, 0, 0);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(proc_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	struct abi_rec_proc rec = { .rec.kind = ABI_REC_EXEC };
	struct abi_target *target;

	rec.rec.tgid = task->tgid;
	target = target_of(rec.rec.tgid);
	if (!target)
		return 0;
	rec.leader_changed = old_pid != task->pid;
	bpf_get_current_comm(rec.comm, sizeof(rec.comm));
	rec.image = ++target->image; /* one thread at a time executes */
	forget_space(target->slot);
	if (follow_blocks)
		heap_drop(target->slot);
	if (watch_rss)
		rss_watch_exec(task, target, rec.rec.tgid);
	send_proc(&rec);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(proc_fork, struct task_struct *parent, struct task_struct *child)
{
	struct abi_rec_proc rec = { .rec.kind = ABI_REC_FORK };

	rec.rec.tgid = parent->tgid;
	rec.child_tgid = child->tgid;
	if (rec.child_tgid != rec.rec.tgid && target_of(rec.rec.tgid))
		send_proc(&rec);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(proc_exit, struct task_struct *task)
{
	struct abi_rec_proc rec = { .rec.kind = ABI_REC_EXIT };
	struct abi_target *target;
	__u32 tid = task->pid;
	__u64 mm;

	/* Also of a process that is no target: a child of vfork() calls the target's malloc, in its memory. */
	bpf_map_delete_elem(&threads, &tid);
	rec.rec.tgid = task->tgid;
	target = target_of(rec.rec.tgid);
	if (!target)
		return 0;
	if (BPF_CORE_READ(task, signal, live.counter))
		return 0; /* other threads go on */
	if (watch_rss) {
		mm = mm_unwatch(target);
		mm_account(target, mm, ABI_STACK_EXIT, -1);
		mm_forget(mm);
	}
	rec.exit_code = BPF_CORE_READ(task, signal, group_exit_code);
	if (!rec.exit_code)
		rec.exit_code = task->exit_code;
	/* The threads that have ended, and this one, the last. */
	rec.cpu_ns = BPF_CORE_READ(task, signal, sum_sched_runtime) + BPF_CORE_READ(task, se.sum_exec_runtime);
	send_proc(&rec);
	return 0;
}

/* On _dl_debug_state(), which the loader calls for debuggers whenever its list of objects changed (r_brk of <link.h>). */
SEC("uprobe")
int maps_changed(struct pt_regs *ctx)
{
	__u32 slot = ABI_COOKIE_SLOT(bpf_get_attach_cookie(ctx));
	struct abi_rec_proc rec = { .rec.kind = ABI_REC_MAPS };
	struct abi_target *target = bpf_map_lookup_elem(&targets, &slot);

	if (!target)
		return 0;
	rec.rec.tgid = target->tgid;
	send_proc(&rec);
	return 0;
}

#endif
