/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RSS by stack, from the kernel's own counters.
 *
 * kmem:rss_stat fires after every change of an mm's page counters and names mm and
 * member, not the amount. So we keep the last value seen and take the difference:
 * differences telescope, so whatever happens between two events the sum of all is
 * what the counter really did. Threads that fault at the same moment may swap a
 * page among their stacks; none is counted twice or lost.
 *
 * From 6.2 the counters are percpu_counters (kernel commit f1a7941243c1): the
 * value is the shared count plus every CPU's part. A CPU's part is found at the
 * counter's per-CPU pointer plus that CPU's offset, which is learnt once from a
 * map of our own: the address of its element on that CPU minus the array's
 * per-CPU pointer. Before 6.2 it is one atomic, fed by per-thread batches of 64.
 */
#ifndef ALLOCSNOOP_RSS_BPF_H
#define ALLOCSNOOP_RSS_BPF_H

#include "rss_peak.bpf.h"
#include "site.bpf.h"
#include "walk.bpf.h"

#ifndef PF_EXITING
#define PF_EXITING 0x00000004
#endif

/* mm_struct as it was before 6.2. */
struct mm_rss_stat___v61 {
	atomic_long_t count[4];
} __attribute__((preserve_access_index));

struct mm_struct___v61 {
	struct mm_rss_stat___v61 rss_stat;
} __attribute__((preserve_access_index));

/* Address spaces of targets. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ABI_MAX_TARGETS);
	__type(key, __u64); /* struct mm_struct * */
	__type(value, struct abi_mm);
} mms SEC(".maps");

/* Distance of each CPU's per-CPU area from a per-CPU pointer. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ABI_RSS_MAX_CPUS);
	__type(key, __u32);
	__type(value, __u64);
} cpu_offsets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} cpu_landmark SEC(".maps");

static __always_inline bool rss_is_percpu(void)
{
	return !bpf_core_type_exists(struct mm_rss_stat___v61);
}

static __always_inline __s64 rss_pages_percpu(const struct mm_struct *mm, __u32 member)
{
	const struct percpu_counter *counter;
	__u64 parts, *offset;
	__s64 sum;
	__s32 part;

	counter = (const void *)mm + bpf_core_field_offset(struct mm_struct, rss_stat) +
		  member * bpf_core_type_size(struct percpu_counter);
	sum = BPF_CORE_READ(counter, count);
	parts = (__u64)BPF_CORE_READ(counter, counters);
	for (__u32 i = 0; i < ABI_RSS_MAX_CPUS && i < nr_cpus; i++) {
		__u32 cpu = i; /* its address is taken: as the loop's variable the verifier would lose it */

		offset = bpf_map_lookup_elem(&cpu_offsets, &cpu);
		if (offset && *offset && !bpf_probe_read_kernel(&part, sizeof(part), (void *)(parts + *offset)))
			sum += part;
	}
	return sum;
}

/* Not inlined: clang would move its relocated offset, void on new kernels, to where it is reached on them. */
static __noinline __s64 rss_pages_v61(const struct mm_struct *mm, __u32 member)
{
	const struct mm_struct___v61 *old = (const void *)mm;

	return BPF_CORE_READ(old, rss_stat.count[member & 3].counter);
}

static __always_inline __s64 rss_pages(const struct mm_struct *mm, __u32 member)
{
	return rss_is_percpu() ? rss_pages_percpu(mm, member) : rss_pages_v61(mm, member);
}

/* Watch @mm for the target in @slot, unless it is watched: a vfork child shares its parent's until it executes. */
static __noinline int mm_watch(const struct mm_struct *mm, __u32 slot)
{
	struct abi_target *target = bpf_map_lookup_elem(&targets, &slot);
	struct abi_mm state = { .slot = slot };
	__u64 key = (__u64)mm;

	if (!target || target->mm)
		return 0;
	for (__u32 i = 0; i < ABI_RSS__N; i++)
		state.start_pages[i] = state.pages[i] = rss_pages(mm, i);
	if (!bpf_map_update_elem(&mms, &key, &state, BPF_NOEXIST))
		target->mm = key;
	rss_note_high(&state);
	return 0;
}

/*
 * At an exec or exit: end the watch. The address space is still in `mms`, for mm_forget(), and 0 is returned to
 * all callers but one: the last two threads of a process may both find that no other is left.
 */
static __always_inline __u64 mm_unwatch(struct abi_target *target)
{
	return __sync_lock_test_and_set(&target->mm, 0);
}

/* Before the kernel can give the same address to another process's mm_struct. */
static __always_inline void mm_forget(__u64 key)
{
	if (key)
		bpf_map_delete_elem(&mms, &key);
}

/* Put what the watched address space @key has in the ledger: as a beginning (@sign 1) or an end (-1). */
static __noinline int mm_account(struct abi_target *target, __u64 key, __u64 stack_id, __s32 sign)
{
	struct scratch *s = guard_enter(SCRATCH_TRACE);
	struct abi_mm *state = bpf_map_lookup_elem(&mms, &key);

	if (s && state) {
		s->key.stack_id = stack_id;
		for (__u32 i = 0; i < ABI_RSS__N; i++) {
			__s64 pages = state->pages[i] * sign;

			if (pages)
				account_stack(s, target->tgid, ABI_SOURCE_RSS, i, 0, pages, 0);
		}
	}
	guard_exit(s);
	return 0;
}

/* Innermost frames that are tracing itself: add_kernel_stack(), rss_change(), rss_stat(), the kernel's bpf_trace_run2(). */
#define OWN_KERNEL_FRAMES 4

/*
 * Put the kernel's frames behind those of the process that walk() left in s->rec, and into the stack's id. All
 * together are ABI_MAX_FRAMES: where that is not enough the process's outermost go.
 */
static __noinline int add_kernel_stack(void *ctx, struct scratch *s)
{
	__u64 hash = s->rec.stack_id;
	long bytes = bpf_get_stack(ctx, s->kernel, sizeof(s->kernel), OWN_KERNEL_FRAMES);
	__u32 n = bytes > 0 ? bytes / sizeof(__u64) : 0;

	s->rec.nkernel = n;
	if (s->rec.nframes + n > ABI_MAX_FRAMES) {
		s->rec.nframes = ABI_MAX_FRAMES - n;
		s->rec.flags |= ABI_STACK_TRUNCATED;
	}
	for (__u32 i = 0; i < ABI_MAX_KERNEL_FRAMES; i++) {
		if (i >= n)
			break;
		s->rec.frames[(s->rec.nframes + i) & ABI_MAX_FRAMES] = s->kernel[i];
		hash = hash_step(hash, s->kernel[i]);
	}
	hash |= 1ULL << 63;
	s->rec.stack_id = hash;
	s->key.stack_id = hash;
	return 0;
}

/*
 * Where the process was. A probed instruction that the kernel single-steps runs from a copy: a fault in it is one at
 * the instruction itself.
 */
static __always_inline __u64 user_ip(struct task_struct *task, struct pt_regs *regs)
{
	__u64 ip = PT_REGS_IP(regs);

	return ip && BPF_CORE_READ(task, utask, xol_vaddr) == ip ? BPF_CORE_READ(task, utask, vaddr) : ip;
}

static __noinline void rss_change(void *ctx, struct scratch *s, struct mm_struct *mm, struct abi_mm *state, __u32 member)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 slot = state->slot;
	struct abi_target *target = bpf_map_lookup_elem(&targets, &slot);
	struct pt_regs *regs;
	__s64 now, delta;

	if (!target)
		return;
	now = rss_pages(mm, member);
	delta = now - __sync_lock_test_and_set(&state->pages[member & 3], now);
	if (!delta)
		return;
	if (task->mm == mm) {
		regs = (struct pt_regs *)bpf_task_pt_regs(task);
		s->from = (struct walk_from){ .ip = user_ip(task, regs), .sp = PT_REGS_SP(regs), .fp = PT_REGS_FP(regs),
					      .flags = ABI_STACK_LEAF_GUESS };
		cgo_enter(s, slot);
		s->rec.nkernel = 0;
		walk(s, target);
		if (kernel_stacks)
			add_kernel_stack(ctx, s);
	} else {
		s->key.stack_id = ABI_STACK_OTHERS;
	}
	account_stack(s, target->tgid, ABI_SOURCE_RSS, member, 0, delta, 0);
}

SEC("tp_btf/rss_stat")
int BPF_PROG(rss_stat, struct mm_struct *mm, int member)
{
	__u64 key = (__u64)mm;
	struct abi_mm *state = bpf_map_lookup_elem(&mms, &key);
	struct scratch *s;

	/* The end of a process gives everything back: not news. */
	if (!state || member < 0 || member >= ABI_RSS__N || bpf_get_current_task_btf()->flags & PF_EXITING)
		return 0;
	s = guard_enter(SCRATCH_TRACE);
	if (s) {
		run_begin(s, ABI_STAT_HITS_RSS);
		rss_change(ctx, s, mm, state, member);
		rss_note_high(state);
		run_end(s, ABI_STAT_TIMED_RSS, ABI_STAT_TIMED_RSS_NS);
	}
	guard_exit(s);
	return 0;
}

static __noinline void learn_cpu_offsets(void)
{
	void *map = &cpu_landmark, *elem;
	const struct bpf_array *array;
	__u64 base, offset;
	__u32 zero = 0;

	/* Pointers go through memory here: the verifier does no arithmetic on these. */
	bpf_probe_read_kernel(&array, sizeof(array), &map);
	base = (__u64)BPF_CORE_READ(array, pptrs[0]);
	for (__u32 i = 0; i < ABI_RSS_MAX_CPUS && i < nr_cpus; i++) {
		__u32 cpu = i;

		elem = bpf_map_lookup_percpu_elem(&cpu_landmark, &zero, cpu);
		if (!elem)
			continue;
		bpf_probe_read_kernel(&offset, sizeof(offset), &elem);
		offset -= base;
		bpf_map_update_elem(&cpu_offsets, &cpu, &offset, BPF_ANY);
	}
}

/* Run once by user space for every new target: start watching its address space from its counters of now. */
SEC("iter/task")
int mm_seed(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct mm_struct *mm;
	__u32 tgid, *slot;

	if (!task)
		return 0;
	if (rss_is_percpu() && !ctx->meta->seq_num)
		learn_cpu_offsets();
	tgid = task->tgid;
	slot = bpf_map_lookup_elem(&slots, &tgid);
	if (!slot || task->pid != task->tgid)
		return 0;
	mm = task->mm;
	if (mm)
		mm_watch(mm, *slot);
	return 0;
}

#endif
