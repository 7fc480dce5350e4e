/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RSS by stack, from the kernel's own counters.
 *
 * kmem:rss_stat fires after every change of an mm's page counters and names mm and
 * member, not the amount. So we keep the last value seen and take the difference.
 * Differences telescope: whatever happens between two events, the sum of all is what
 * the counter really did, and none is counted twice or lost.
 *
 * From 6.2 the counters are percpu_counters (kernel commit f1a7941243c1): a shared
 * count plus a part of every CPU. A change is made in the part of the CPU it happens
 * on, under the page table lock, so this CPU's part alone tells the amount of this
 * event, whatever other threads fault meanwhile; the sum over all CPUs, besides its
 * cost, would give a thread the pages of another. A part that reaches the batch
 * (32, or twice the number of CPUs) is moved to the shared count and is 0 then: what
 * it was is what the count grew by that no other event has claimed (claim_folded()).
 * Two CPUs that do so at the same moment may swap a batch between their stacks.
 * A CPU's part is found at the counter's per-CPU pointer plus that CPU's offset, which is learnt once from
 * a map of our own: the address of its element on that CPU minus the array's per-CPU pointer.
 *
 * Before 6.2 it is one atomic, fed by every thread after 64 faults: an event stands for up to
 * 64 of them, and the pages of up to 63 faults of a thread (each may bring 16 of a file) are not in it yet. Those that
 * were not when a process is first looked at are part of what it begins with (rss_begin_thread()), and
 * of no event.
 *
 * A counter may be changed by another task than the process's: by the kernel's threads (reclaim, khugepaged),
 * by another process (reclaim, process_madvise), by a worker of io_uring. That is a row of its own with the task's
 * name. So is an exec: a process that has left its old address space takes it down.
 */
#ifndef ALLOCSNOOP_RSS_BPF_H
#define ALLOCSNOOP_RSS_BPF_H

#include "alloc_c.bpf.h"
#include "area.bpf.h"
#include "rss_peak.bpf.h"
#include "site.bpf.h"
#include "walk.bpf.h"

#ifndef PF_EXITING
#define PF_EXITING 0x00000004
#define PF_IO_WORKER 0x00000010
#define PF_USER_WORKER 0x00004000
#define PF_KTHREAD 0x00200000
#endif

#define FOLD_MIN 32 /* the smallest batch that a CPU's part is moved at */
#define CLAIM_ROUNDS 4

/* mm_struct as it was before 6.2. */
struct mm_rss_stat___v61 {
	atomic_long_t count[4];
} __attribute__((preserve_access_index));

struct mm_struct___v61 {
	struct mm_rss_stat___v61 rss_stat;
} __attribute__((preserve_access_index));

/* What a thread has not yet put into them. */
struct task_rss_stat___v61 {
	int count[4];
} __attribute__((preserve_access_index));

struct task_struct___v61 {
	struct task_rss_stat___v61 rss_stat;
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

/* What each CPU's parts of a target's counters were at its last event, by slot. */
struct rss_parts {
	__s32 pages[ABI_RSS__N];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, ABI_MAX_TARGETS);
	__type(key, __u32);
	__type(value, struct rss_parts);
} rss_parts SEC(".maps");

/* By slot, without stacks. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, ABI_RSS_TOTALS_SLOTS);
	__type(key, __u32);
	__type(value, struct abi_rss_totals);
} rss_totals SEC(".maps");

/* Before 6.2, by thread: what it had not put into the counters when it was first looked at, and has not since. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct rss_parts);
} rss_held SEC(".maps");

/* Of which the kernel has one everywhere, and which is an int. */
struct refcount_struct___int {
	int refs;
} __attribute__((preserve_access_index));

/* Memory of the kernel as of a type that the verifier believes: a load, in place of a call (6.2). */
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

static __always_inline bool read_kernel_int(__s32 *ret, __u64 addr)
{
	if (!bpf_rdonly_cast)
		return !bpf_probe_read_kernel(ret, sizeof(*ret), (void *)addr);
	*ret = *(const __s32 *)bpf_rdonly_cast((void *)addr, bpf_core_type_id_kernel(struct refcount_struct___int));
	return true;
}

static __always_inline bool rss_is_percpu(void)
{
	return !bpf_core_type_exists(struct mm_rss_stat___v61);
}

static __always_inline const struct percpu_counter *rss_counter(const struct mm_struct *mm, __u32 member)
{
	return (const void *)mm + bpf_core_field_offset(struct mm_struct, rss_stat) +
	       member * bpf_core_type_size(struct percpu_counter);
}

/*
 * Begin to follow a counter, of the target in @slot: remember the shared count and each part. Returns the sum. Not inlined, as
 * nothing is that has a relocated offset of one kind of kernel: clang would move it to where it is reached on the
 * other, on which there is no such offset.
 */
static __noinline __s64 rss_begin_percpu(const struct mm_struct *mm, struct abi_mm *state, __u32 member)
{
	const struct percpu_counter *counter = rss_counter(mm, member);
	__s64 sum = BPF_CORE_READ(counter, count);
	__u64 parts = (__u64)BPF_CORE_READ(counter, counters), *offset; /* the same as long as the address space lives */
	struct rss_parts *seen;
	__u32 slot;
	__s32 part;

	if (!state)
		return 0; /* never: for the verifier */
	slot = state->slot;
	state->claimed_pages[member & 3] = sum;
	state->parts[member & 3] = parts;
	for (__u32 i = 0; i < ABI_RSS_MAX_CPUS && i < nr_cpus; i++) {
		__u32 cpu = i; /* its address is taken: as the loop's variable the verifier would lose it */

		offset = bpf_map_lookup_elem(&cpu_offsets, &cpu);
		seen = bpf_map_lookup_percpu_elem(&rss_parts, &slot, cpu);
		if (!offset || !seen || !*offset || bpf_probe_read_kernel(&part, sizeof(part), (void *)(parts + *offset)))
			continue;
		seen->pages[member & 3] = part;
		sum += part;
	}
	return sum;
}

/* A thread of the kernel, also one that counts as the process's: it has no stack of the process. */
static __always_inline bool is_worker(const struct task_struct *task)
{
	return task->flags & (PF_KTHREAD | PF_IO_WORKER | PF_USER_WORKER);
}

/* Does the current thread make anonymous pages of @mm, if it changes their number? Not in a call that gives memory back. */
static __always_inline bool makes_pages(const struct mm_struct *mm, __u32 member)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__s32 nr;

	if (member != ABI_RSS_ANON || task->mm != mm || is_worker(task))
		return false;
	nr = ARCH_SYSCALL_NR((struct pt_regs *)bpf_task_pt_regs(task));
	return nr != ARCH_NR_MUNMAP && nr != ARCH_NR_MADVISE && nr != ARCH_NR_MREMAP && nr != ARCH_NR_MMAP && nr != ARCH_NR_BRK;
}

/*
 * What this CPU, whose part was @before and is 0 now, has moved to the shared @count: what nobody has claimed. If two
 * have, theirs lies there as well; most often both by a page more than the largest part, and then it can be told. So it can
 * where this one @makes pages and the other gave back more of them: what is left is for the other to claim.
 */
static __always_inline __s64 claim_folded(struct abi_mm *state, __u32 member, __s64 count, __s32 before, bool makes)
{
	__s64 *claimed = &state->claimed_pages[member & 3];
	__u64 one = (before < 0 ? -before : before) + 1;

	for (int i = 0; i < CLAIM_ROUNDS; i++) {
		__s64 old = *(volatile __s64 *)claimed, waiting = count - old;
		__u64 size = waiting < 0 ? -waiting : waiting;

		if (one >= FOLD_MIN && waiting < 0 == before < 0 && size > one && !(size % one))
			waiting = before < 0 ? -(__s64)one : (__s64)one;
		else if (makes && one >= FOLD_MIN && before > 0 && waiting <= before)
			waiting = one;
		if (__sync_val_compare_and_swap(claimed, old, old + waiting) == old)
			return waiting;
	}
	return 0; /* the next one has it */
}

static __noinline __s64 rss_amount_percpu(const struct mm_struct *mm, struct abi_mm *state, __u32 member)
{
	const struct percpu_counter *counter = rss_counter(mm, member);
	__u32 slot, cpu = bpf_get_smp_processor_id();
	struct rss_parts *seen;
	__s64 amount, before;
	__u64 *offset;
	__s32 part;

	if (!state)
		return 0; /* never: for the verifier */
	slot = state->slot;
	seen = bpf_map_lookup_elem(&rss_parts, &slot);
	offset = bpf_map_lookup_elem(&cpu_offsets, &cpu);
	if (!seen || !offset || !read_kernel_int(&part, state->parts[member & 3] + *offset))
		return 0;
	before = seen->pages[member & 3];
	seen->pages[member & 3] = part;
	amount = part - before;
	if (!part)
		amount += claim_folded(state, member, BPF_CORE_READ(counter, count), before, makes_pages(mm, member));
	return amount;
}

static __noinline __s64 rss_pages_v61(const struct mm_struct *mm, __u32 member)
{
	const struct mm_struct___v61 *old = (const void *)mm;

	return BPF_CORE_READ(old, rss_stat.count[member & 3].counter);
}

static __always_inline __s64 rss_begin(const struct mm_struct *mm, struct abi_mm *state, __u32 member)
{
	__s64 pages;

	if (rss_is_percpu())
		return rss_begin_percpu(mm, state, member);
	pages = rss_pages_v61(mm, member);
	state->claimed_pages[member & 3] = pages;
	return pages;
}

/* A thread of the target whose address space is watched: what it holds back belongs to the beginning. */
static __noinline void rss_begin_thread(const struct task_struct *task, struct abi_mm *state)
{
	const struct task_struct___v61 *old = (const void *)task;
	struct rss_parts held = {};
	__u32 tid = task->pid;

	if (!state)
		return; /* never: for the verifier */
	for (__u32 i = 0; i < ABI_RSS__N; i++)
		held.pages[i] = BPF_CORE_READ(old, rss_stat.count[i]);
	if (bpf_map_update_elem(&rss_held, &tid, &held, BPF_NOEXIST))
		return;
	for (__u32 i = 0; i < ABI_RSS__N; i++) {
		state->start_pages[i] += held.pages[i];
		__sync_fetch_and_add(&state->pages[i], held.pages[i]);
	}
}

static __always_inline __s64 rss_amount_v61(const struct mm_struct *mm, struct abi_mm *state, __u32 member)
{
	__s64 now = rss_pages_v61(mm, member), amount = now - __sync_lock_test_and_set(&state->claimed_pages[member & 3], now);
	__u32 tid = bpf_get_current_pid_tgid();
	struct rss_parts *held = bpf_map_lookup_elem(&rss_held, &tid);

	if (held) {
		amount -= held->pages[member & 3];
		held->pages[member & 3] = 0;
	}
	return amount;
}

/* By how much the counter changed, as far as no event before told. */
static __always_inline __s64 rss_amount(const struct mm_struct *mm, struct abi_mm *state, __u32 member)
{
	return rss_is_percpu() ? rss_amount_percpu(mm, state, member) : rss_amount_v61(mm, state, member);
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
		state.start_pages[i] = state.pages[i] = rss_begin(mm, &state, i);
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

/* A row of the ledger: s->key.stack_id added @pages, or gave them back. */
static __always_inline void rss_account(struct scratch *s, __u32 tgid, __u32 member, __s64 pages)
{
	account_known(s, tgid, ABI_SOURCE_RSS, ABI_RSS_DETAIL(member, pages < 0), 0, pages, 0);
}

/* Put what the watched address space @key has in the ledger: as a beginning (@sign 1) or an end (-1). */
static __noinline int mm_account(struct abi_target *target, __u64 key, __u64 stack_id, __s32 sign)
{
	struct scratch *s = guard_enter(SCRATCH_TRACE);
	struct abi_mm *state = bpf_map_lookup_elem(&mms, &key);

	if (s && state && target) {
		s->key.stack_id = stack_id;
		s->key.context_id = ABI_AREA_UNKNOWN;
		for (__u32 i = 0; i < ABI_RSS__N; i++) {
			__s64 pages = state->pages[i] * sign;

			if (pages)
				rss_account(s, target->tgid, i, pages);
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

/* It was not the target: say who. */
static __noinline int name_cause(struct scratch *s, struct task_struct *task)
{
	struct abi_rec_cause *rec = &s->cause;
	__u64 id = hash_seed;

	rec->rec.kind = ABI_REC_CAUSE;
	rec->rec.tgid = task->tgid;
	rec->task = task->flags & PF_KTHREAD			    ? ABI_CAUSE_KERNEL :
		    task->flags & (PF_IO_WORKER | PF_USER_WORKER) ? ABI_CAUSE_WORKER :
								      ABI_CAUSE_PROCESS;
	bpf_get_current_comm(rec->comm, sizeof(rec->comm));
	id = hash_step(id, *(__u64 *)rec->comm);
	id = hash_step(id, *(__u64 *)(rec->comm + 8));
	id = hash_step(id, rec->task);
	rec->stack_id = (id & (ABI_STACK_CAUSE - 1)) | ABI_STACK_CAUSE;
	s->key.stack_id = send_once(s, rec->stack_id, rec, sizeof(*rec)) ? rec->stack_id : ABI_STACK_OTHERS;
	return 0;
}

/* What call of the thread may map what it touches; -1: none. */
static __always_inline __s32 mapping_call(struct pt_regs *regs)
{
	switch ((__s32)ARCH_SYSCALL_NR(regs)) {
	case ARCH_NR_MMAP:
		return ABI_MMAP_MAP;
	case ARCH_NR_MREMAP:
		return ABI_MMAP_REMAP;
	case ARCH_NR_BRK:
		return ABI_MMAP_BRK;
	}
	return -1;
}

/* The address of this thread's last fault, once; a file's pages come in several changes. 0: none. */
static __always_inline __u64 take_fault(__u32 member)
{
	struct fault *fault = last_fault();

	if (!fault || fault->told)
		return 0;
	fault->told = member == ABI_RSS_ANON;
	return fault->addr;
}

/*
 * The current thread makes @pages resident: note what is known of the memory. Before the walk, whose many ends the verifier
 * follows through all that comes after it. s->touch.pages stays 0 where there is nothing to tell.
 */
static __noinline int note_touch(struct scratch *s, struct abi_target *target, struct pt_regs *regs, __u32 member, __u32 pages)
{
	struct abi_rec_touch *rec;
	__s32 call = mapping_call(regs);

	if (!target || !s)
		return 0;
	rec = &s->touch;
	rec->how = ABI_TOUCH_DOOR;
	rec->at = door_touch(PT_REGS_SP(regs));
	if (!rec->at && call >= 0) {
		rec->how = ABI_TOUCH_CALL;
		rec->at = abi_touch_call(call, PT_REGS_PARM1_CORE_SYSCALL(regs),
					 call == ABI_MMAP_REMAP ? PT_REGS_PARM3_CORE_SYSCALL(regs) :
								  PT_REGS_PARM2_CORE_SYSCALL(regs));
	} else if (!rec->at) {
		rec->how = ABI_TOUCH_ADDR;
		rec->at = take_fault(member);
		if (!rec->at)
			return 0;
	}
	rec->rec.kind = ABI_REC_TOUCH;
	rec->rec.tgid = target->tgid;
	rec->ns = bpf_ktime_get_ns();
	rec->image = target->image;
	rec->tid = (__u32)bpf_get_current_pid_tgid();
	rec->pages = pages;
	rec->member = member;
	rec->area = s->key.context_id;
	target->touch_ns = rec->ns;
	return 0;
}

static __noinline int tell_touch(struct scratch *s)
{
	if (!s)
		return 0;
	s->touch.stack_id = s->key.stack_id;
	if (!tell(&s->touch, sizeof(s->touch)))
		stat_add(s, ABI_STAT_TOUCH_UNTOLD, s->touch.pages);
	return 0;
}

/* A row without a stack. False: it has to be a site. */
static __always_inline bool rss_total(__u32 slot, __u32 member, __u64 area, __s64 pages)
{
	struct abi_rss_totals *totals = bpf_map_lookup_elem(&rss_totals, &slot);
	__u32 i = ABI_RSS_TOTAL(ABI_RSS_DETAIL(member, pages < 0), (__u32)area);

	if (!totals || i >= sizeof(totals->pages) / sizeof(totals->pages[0]))
		return false;
	if (bpf_preempt_disable)
		totals->pages[i] += pages;
	else
		__sync_fetch_and_add(&totals->pages[i], pages);
	return true;
}

/* The stack of the current thread, into s->rec and s->key. */
static __always_inline void find_stack(struct scratch *s, struct task_struct *task, struct abi_target *target)
{
	struct pt_regs *regs;

	if (!rss_stacks) {
		s->key.stack_id = ABI_STACK_NONE;
		return;
	}
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	s->from = (struct walk_from){ .ip = user_ip(task, regs), .sp = PT_REGS_SP(regs), .fp = PT_REGS_FP(regs),
				      .flags = ABI_STACK_LEAF_GUESS };
	cgo_enter(s, target->slot);
	s->rec.nkernel = 0;
	walk(s, target);
}

static __noinline void rss_change(void *ctx, struct scratch *s, struct mm_struct *mm, struct abi_mm *state, __u32 member)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 slot = state->slot;
	struct abi_target *target = bpf_map_lookup_elem(&targets, &slot);
	__s64 pages;

	if (!target)
		return;
	pages = rss_amount(mm, state, member);
	if (!pages)
		return;
	__sync_fetch_and_add(&state->pages[member & 3], pages);
	s->key.context_id = member == ABI_RSS_FILE ? ABI_AREA_FILE : member == ABI_RSS_SHMEM ? ABI_AREA_SHARED : ABI_AREA_UNKNOWN;
	s->touch.pages = 0;
	if (task->mm == mm && !is_worker(task)) {
		struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

		if (rss_areas)
			s->key.context_id = area_of(s, mm, regs, member, slot);
		if (tell_touches && pages > 0 && member != ABI_RSS_SWAP)
			note_touch(s, target, regs, member, pages);
		if (tell_touches && s->touch.pages)
			tell_span(s, target);
		if (!rss_stacks && rss_total(slot, member, s->key.context_id, pages))
			return;
		find_stack(s, task, target);
		if (kernel_stacks)
			add_kernel_stack(ctx, s);
	} else if (task->tgid == (pid_t)target->tgid && task->mm != mm) {
		s->key.stack_id = ABI_STACK_EXEC; /* it takes down what it has left */
	} else {
		name_cause(s, task);
	}
	rss_account(s, target->tgid, member, pages);
	if (tell_touches && s->touch.pages)
		tell_touch(s);
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
	struct abi_mm *state;
	__u32 tgid, *slot;
	__u64 key;

	if (!task)
		return 0;
	if (rss_is_percpu() && !ctx->meta->seq_num)
		learn_cpu_offsets();
	tgid = task->tgid;
	slot = bpf_map_lookup_elem(&slots, &tgid);
	mm = task->mm;
	if (!slot || !mm)
		return 0;
	/* The first thread of a process comes first. */
	if (task->pid == task->tgid)
		mm_watch(mm, *slot);
	key = (__u64)mm;
	state = rss_is_percpu() ? NULL : bpf_map_lookup_elem(&mms, &key);
	if (state && state->slot == *slot)
		rss_begin_thread(task, state);
	return 0;
}

#endif
