/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The C allocation doors.
 *
 * An allocation counts when it has succeeded, so every door has a probe at its
 * entry, which remembers size and caller, and one at its return, which looks at
 * the result, walks the stack and counts. Doors nest (a small memalign calls
 * malloc, realloc(NULL) jumps to it): only the outermost counts. All that is kept
 * per thread is the outermost door in flight; it is recognised by the stack
 * pointer: a door entered deeper is nested in it, a return at its own depth ends it.
 *
 * A return can be missed (longjmp out of a signal handler, more than 64 uretprobes
 * nested). A door entered above the remembered depth shows that at once; below it,
 * more nested doors without a return than uretprobes can nest do.
 */
#ifndef ALLOCSNOOP_ALLOC_C_BPF_H
#define ALLOCSNOOP_ALLOC_C_BPF_H

#include "arch.bpf.h"
#include "site.bpf.h"
#include "walk.bpf.h"

#define NESTED_MAX 64 /* MAX_URETPROBE_DEPTH of linux/uprobes.h */

struct in_flight {
	__u64 sp; /* at the entry, where the return address is; 0: none */
	__u64 ip, ra;
	__u64 size_bytes;
	__u32 door; /* enum abi_door */
	__u32 nested; /* doors entered below this one and not left yet */
};

struct c_args {
	__u64 a, b, c;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ABI_MAX_THREADS);
	__type(key, __u32); /* tid */
	__type(value, struct in_flight);
} threads SEC(".maps");

static __always_inline __u64 door_size(const struct c_args *args, __u32 door)
{
	switch (door) {
	case ABI_DOOR_CALLOC:
		return args->a * args->b; /* one that overflows fails and is not counted */
	case ABI_DOOR_REALLOCARRAY:
		return args->b * args->c;
	case ABI_DOOR_REALLOC:
	case ABI_DOOR_MEMALIGN:
		return args->b;
	case ABI_DOOR_POSIX_MEMALIGN:
		return args->c;
	default:
		return args->a;
	}
}

/* The place of this thread, made if new. */
static __always_inline struct in_flight *thread_get(struct scratch *s)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct in_flight none = {};
	struct in_flight *f;

	f = bpf_map_lookup_elem(&threads, &tid);
	if (f)
		return f;
	bpf_map_update_elem(&threads, &tid, &none, BPF_NOEXIST);
	f = bpf_map_lookup_elem(&threads, &tid);
	if (!f)
		stat_add(s, ABI_STAT_LOST_THREAD_TABLE_FULL, 1);
	return f;
}

static __noinline void c_enter(struct pt_regs *ctx, struct scratch *s, __u64 cookie)
{
	struct c_args args = { PT_REGS_PARM1(ctx), PT_REGS_PARM2(ctx), PT_REGS_PARM3(ctx) };
	__u64 sp = PT_REGS_SP(ctx), ip = PT_REGS_IP(ctx), ra = ARCH_RA(ctx);
	struct in_flight *f = thread_get(s);

	if (!f)
		return;
	if (f->sp && sp < f->sp && f->nested < NESTED_MAX) {
		f->nested++;
		return;
	}
	if (!ra && bpf_probe_read_user(&ra, sizeof(ra), (void *)sp)) {
		stat_add(s, ABI_STAT_LOST_ARGS_UNREADABLE, 1);
		f->sp = 0;
		return;
	}
	/*
	 * At the depth of the door in flight: a tail call from it (realloc(NULL) to malloc), whose word at
	 * [sp] is by now the uretprobe's trampoline, so keep the caller that is known. If it is a caller
	 * instead, or at another depth, the return of the former was missed.
	 */
	if (f->sp != sp || ra == f->ra) {
		if (f->sp)
			stat_add(s, ABI_STAT_LOST_RETURN_MISSED, 1);
		f->ra = ra;
		f->ip = ip;
	}
	f->sp = sp;
	f->nested = 0;
	f->door = ABI_COOKIE_DOOR(cookie);
	f->size_bytes = door_size(&args, f->door);
}

static __noinline void c_return(struct pt_regs *ctx, struct scratch *s, __u64 cookie)
{
	__u32 slot = ABI_COOKIE_SLOT(cookie), tid = (__u32)bpf_get_current_pid_tgid();
	struct abi_target *target = bpf_map_lookup_elem(&targets, &slot);
	struct in_flight *f = bpf_map_lookup_elem(&threads, &tid);
	__u64 size, sp = PT_REGS_SP(ctx);
	bool failed;

	if (!target || !f || !f->sp)
		return;
#if defined(__TARGET_ARCH_x86)
	sp -= 8; /* the return address is off the stack */
#endif
	if (sp != f->sp) {
		if (sp < f->sp && f->nested)
			f->nested--;
		return;
	}
	f->sp = 0;
	size = f->size_bytes;
	failed = f->door == ABI_DOOR_POSIX_MEMALIGN ? (__u32)PT_REGS_RC(ctx) != 0 : !PT_REGS_RC(ctx);
	if (failed || size < min_size_bytes || size > max_size_bytes || (only_tid && only_tid != tid))
		return;
	s->from = (struct walk_from){ .ip = f->ip, .sp = PT_REGS_SP(ctx), .fp = PT_REGS_FP(ctx), .ra = f->ra };
	cgo_enter(s, slot);
	walk(s, target);
	account_stack(s, target->tgid, ABI_SOURCE_MALLOC, 0, 1, size, size);
}

SEC("uprobe")
int c_malloc(struct pt_regs *ctx)
{
	struct scratch *s = guard_enter(SCRATCH_ALLOC);
	__u64 cookie = bpf_get_attach_cookie(ctx);

	if (s) {
		run_begin(s, ABI_COOKIE_SPOT(cookie) & ABI_SPOT_STEPPED ? ABI_STAT_HITS_STEPPED : ABI_STAT_HITS);
		c_enter(ctx, s, cookie);
		run_end(s, ABI_STAT_TIMED, ABI_STAT_TIMED_NS);
	}
	guard_exit(s);
	return 0;
}

SEC("uretprobe")
int c_malloc_return(struct pt_regs *ctx)
{
	struct scratch *s = guard_enter(SCRATCH_ALLOC);
	__u64 cookie = bpf_get_attach_cookie(ctx);

	if (s) {
		run_begin(s, ABI_STAT_HITS_RETURN);
		c_return(ctx, s, cookie);
		run_end(s, ABI_STAT_TIMED, ABI_STAT_TIMED_NS);
	}
	guard_exit(s);
	return 0;
}

#endif
