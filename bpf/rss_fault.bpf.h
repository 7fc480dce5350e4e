/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RSS by page faults, where kmem:rss_stat cannot be read: perf's software event page-faults, which every kernel
 * and architecture has. It comes before the fault is handled, with the address, also where the kernel
 * takes the fault for the process in a system call.
 *
 * Each fault counts as one page more. A huge page and pages that are mapped around it are more than one;
 * a write to a page that was read only, or shared after a fork, is none, nor is a first read of what
 * reads as zeros. Nobody tells here what is given back. So this is an estimate of what grew, and user
 * space says what is left between it and RSS as /proc has it.
 */
#ifndef ALLOCSNOOP_RSS_FAULT_BPF_H
#define ALLOCSNOOP_RSS_FAULT_BPF_H

#include "rss.bpf.h"

#define VM_WRITE 0x2 /* linux/mm.h */
#define VM_SHARED 0x8
#define TMPFS_MAGIC 0x01021994 /* linux/magic.h; of shared anonymous memory, too */

struct super_block___magic {
	unsigned long s_magic;
} __attribute__((preserve_access_index));

/* Which counter a fault in the file mapping s->area will most likely raise; the area of it into s->key. */
static __always_inline __u32 member_of_file(struct scratch *s)
{
	const struct file *file = (const void *)s->area.file;
	const struct super_block___magic *sb;

	if (!(s->area.flags & VM_SHARED)) {
		s->key.context_id = s->area.flags & VM_WRITE ? ABI_AREA_FILE_COPY : ABI_AREA_FILE;
		return s->area.flags & VM_WRITE ? ABI_RSS_ANON : ABI_RSS_FILE;
	}
	sb = (const void *)BPF_CORE_READ(file, f_inode, i_sb);
	if (BPF_CORE_READ(sb, s_magic) != TMPFS_MAGIC) {
		s->key.context_id = ABI_AREA_FILE;
		return ABI_RSS_FILE;
	}
	s->key.context_id = ABI_AREA_SHARED;
	return ABI_RSS_SHMEM;
}

static __noinline int count_fault(struct scratch *s, __u64 addr, __u32 slot)
{
	struct abi_target *target = bpf_map_lookup_elem(&targets, &slot);
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	__u32 member = ABI_RSS_ANON;

	if (!target || !s)
		return 0;
	s->key.context_id = area_of_anon(s, task->mm, addr, PT_REGS_SP(regs), slot);
	if (s->key.context_id == ABI_AREA_FILE_COPY)
		member = member_of_file(s);
	if (is_worker(task))
		name_cause(s, task);
	else
		find_stack(s, task, target);
	rss_account(s, target->tgid, member, 1);
	return 0;
}

SEC("perf_event")
int page_fault(struct bpf_perf_event_data *ctx)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32, *slot = bpf_map_lookup_elem(&slots, &tgid);
	struct scratch *s;

	if (!slot)
		return 0;
	s = guard_enter(SCRATCH_TRACE);
	if (s) {
		run_begin(s, ABI_STAT_HITS_RSS);
		count_fault(s, ctx->addr, *slot);
		run_end(s, ABI_STAT_TIMED_RSS, ABI_STAT_TIMED_RSS_NS);
	}
	guard_exit(s);
	return 0;
}

#endif
