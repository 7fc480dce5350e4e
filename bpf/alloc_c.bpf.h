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
 * What gives memory back (free, and realloc on its way) is looked at only when blocks
 * are followed (blocks.bpf.h). free has a probe at its entry alone: a free inside of
 * a door is recognised by the stack pointer, too, and is the door's own affair.
 *
 * operator new may throw, and an exception that meets a uretprobe's trampoline ends the
 * program: such a door has probes on its return instructions instead (ABI_SPOT_MAY_THROW).
 * That it throws is seen at __cxa_throw, into which it comes by then. (The exception's
 * own memory, allocated below the door, is the door's affair, as all that is nested.)
 * Where that was missed, more doors entered below it than it can need show it.
 *
 * Other ways to see a return, measured (make bench-return; 2-core VM, Linux 6.18, ns for a
 * malloc and a free of which malloc is probed by programs that do nothing, median of 25
 * rounds, and the fastest):
 *	entry alone, the return not seen		  851	  837
 *	uprobe and uretprobe, as it is done here	1,479	1,458
 *	uprobe session, one program for both (6.13)	1,502	1,455
 *	a session whose entry declines the return	  869	  844
 *	a uprobe on each ret, single-stepped		4,971	4,843
 * A session costs the same trap and the same trampoline. What it could save is the return
 * of doors that are nested in others, which are few, at the price of a second set of
 * programs for kernels that have it: not used.
 *
 * A return can be missed (longjmp out of a signal handler, more than 64 uretprobes
 * nested). A door entered above the remembered depth shows that at once; below it,
 * more nested doors without a return than uretprobes can nest do.
 */
#ifndef ALLOCSNOOP_ALLOC_C_BPF_H
#define ALLOCSNOOP_ALLOC_C_BPF_H

#include "arch.bpf.h"
#include "blocks.bpf.h"
#include "site.bpf.h"
#include "touch.bpf.h"
#include "walk.bpf.h"

#define NESTED_MAX 64 /* MAX_URETPROBE_DEPTH of linux/uprobes.h */
#define THROW_NESTED_MAX 8 /* doors that operator new comes through: malloc, the exception, a handler */

#if defined(__TARGET_ARCH_x86)
#define RETURN_POPS 8 /* a return takes its address off the stack */
#else
#define RETURN_POPS 0
#endif

struct in_flight {
	__u64 sp; /* at the entry, where the return address is; 0: none */
	__u64 ip, ra;
	__u64 size_bytes;
	__u32 door; /* enum abi_door */
	__u32 nested; /* doors entered below this one and not left yet */
	__u64 ptr; /* the first argument */
	__u64 last_freed; /* what this thread gave back last: one free may lead to another */
	struct abi_block old; /* realloc: the block that it was given */
	__u32 has_old;
	__u32 nested_frees; /* frees below this door */
	__u64 touched; /* number of this allocation, if pages came in it */
	__u32 may_throw; /* ABI_SPOT_MAY_THROW: then `nested` counts all that were entered */
	__u32 pad;
	__u64 window; /* the burst (window_end_ns) in which it was entered */
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

/* What calloc takes; more than there is when the product overflows: then it fails. */
static __always_inline __u64 product(__u64 n, __u64 size)
{
	__u64 bytes = n * size;

	barrier_var(bytes); /* or clang sees the multiplication of 128 bits, which BPF has not */
	return size && bytes / size != n ? ~0ULL : bytes;
}

static __always_inline __u64 door_size(const struct c_args *args, __u32 door)
{
	switch (door) {
	case ABI_DOOR_CALLOC:
		return product(args->a, args->b);
	case ABI_DOOR_REALLOCARRAY:
		return product(args->b, args->c);
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

/* realloc takes its block out, unless the door that it tail-called from has done so. */
static __noinline int realloc_take(struct in_flight *f, __u32 slot)
{
	struct abi_target *target = bpf_map_lookup_elem(&targets, &slot);

	if (target && f->ptr && !f->has_old)
		f->has_old = block_take(target, f->ptr, &f->old);
	return 0;
}

/* The door in flight will not be seen to return. What realloc had taken out counts as freed. */
static __noinline int give_up(struct scratch *s, struct in_flight *f, __u32 slot)
{
	struct abi_target *target = bpf_map_lookup_elem(&targets, &slot);

	/* One that threw has allocated nothing. */
	if (!f->may_throw || f->nested >= THROW_NESTED_MAX)
		stat_add(s, ABI_STAT_LOST_RETURN_MISSED, 1);
	f->sp = 0;
	if (target && f->has_old) {
		tell_freed(s, target, f->ptr, &f->old);
		block_freed(s, target, &f->old);
	}
	f->has_old = 0;
	return 0;
}

static __always_inline bool is_realloc(__u32 door)
{
	return door == ABI_DOOR_REALLOC || door == ABI_DOOR_REALLOCARRAY;
}

static __noinline void c_enter(struct pt_regs *ctx, struct scratch *s, __u64 cookie)
{
	struct c_args args = { PT_REGS_PARM1(ctx), PT_REGS_PARM2(ctx), PT_REGS_PARM3(ctx) };
	__u64 sp = PT_REGS_SP(ctx), ip = PT_REGS_IP(ctx), ra = ARCH_RA(ctx);
	__u64 window = *(volatile __u64 *)&window_end_ns;
	struct in_flight *f = thread_get(s);

	if (!f)
		return;
	if (f->sp && f->window != window) {
		stat_add(s, ABI_STAT_BURST_ENDED, 1);
		f->sp = 0;
	}
	f->window = window;
	if (f->sp && sp < f->sp && f->nested < (f->may_throw ? THROW_NESTED_MAX : NESTED_MAX)) {
		f->nested++;
		return;
	}
	if (!ra && bpf_probe_read_user(&ra, sizeof(ra), (void *)sp)) {
		if (f->sp)
			give_up(s, f, ABI_COOKIE_SLOT(cookie));
		stat_add(s, ABI_STAT_LOST_ARGS_UNREADABLE, 1);
		return;
	}
	/*
	 * At the depth of the door in flight: a tail call from it (realloc(NULL) to malloc), whose word at
	 * [sp] is by now the uretprobe's trampoline, so keep the caller that is known. If it is a caller
	 * instead, or at another depth, the return of the former was missed. (One that may throw leaves
	 * the word as it was; called again by the same code after it threw, it is the same door.)
	 */
	if (f->sp != sp || (ra == f->ra && !f->may_throw)) {
		if (f->sp)
			give_up(s, f, ABI_COOKIE_SLOT(cookie));
		f->ra = ra;
		f->ip = ip;
	}
	f->sp = sp;
	f->nested = 0;
	f->nested_frees = 0;
	f->touched = 0;
	f->may_throw = !!(ABI_COOKIE_SPOT(cookie) & ABI_SPOT_MAY_THROW);
	f->door = ABI_COOKIE_DOOR(cookie);
	f->size_bytes = door_size(&args, f->door);
	f->ptr = args.a;
	if (follow_blocks && is_realloc(f->door))
		realloc_take(f, ABI_COOKIE_SLOT(cookie));
}

/* The block that realloc was given, now that it has returned. realloc(ptr, 0) that returns NULL has freed it. */
static __noinline int settle_old(struct scratch *s, const struct abi_target *target, struct in_flight *f, bool failed)
{
	bool stays = failed && f->size_bytes;

	if (f->has_old && !stays)
		tell_freed(s, target, f->ptr, &f->old);
	if (f->has_old && stays)
		block_put_back(s, target, f->ptr, &f->old);
	else if (f->has_old)
		block_freed(s, target, &f->old);
	else if (!stays && !blocks_are_some())
		stat_add(s, ABI_STAT_FREE_BEFORE, 1);
	f->has_old = 0;
	return 0;
}

/* posix_memalign says where the block is in memory. */
static __always_inline __u64 block_addr(__u64 result, const struct in_flight *f)
{
	if (f->door == ABI_DOOR_POSIX_MEMALIGN && !read_word(&result, f->ptr))
		return 0;
	return result;
}

/* @sp: where the return address is, or was. */
static __noinline void c_return(struct pt_regs *ctx, struct scratch *s, __u64 cookie, __u64 sp)
{
	__u32 slot = ABI_COOKIE_SLOT(cookie), tid = (__u32)bpf_get_current_pid_tgid();
	struct abi_target *target = bpf_map_lookup_elem(&targets, &slot);
	struct in_flight *f = bpf_map_lookup_elem(&threads, &tid);
	__u64 size, result = PT_REGS_RC(ctx);
	struct abi_site *site;
	bool failed;

	if (!target || !f || !f->sp)
		return;
	if (sp != f->sp) {
		if (sp < f->sp && f->nested && !f->may_throw)
			f->nested--;
		return;
	}
	f->sp = 0;
	size = f->size_bytes;
	failed = f->door == ABI_DOOR_POSIX_MEMALIGN ? (__u32)result != 0 : !result;
	if (follow_blocks && f->ptr && is_realloc(f->door))
		settle_old(s, target, f, failed);
	if (failed || size < min_size_bytes || size > max_size_bytes || (only_tid && only_tid != tid)) {
		if (f->touched)
			tell_door(s, target, f->touched, 0);
		return;
	}
	s->from = (struct walk_from){ .ip = f->ip, .sp = sp + RETURN_POPS, .fp = PT_REGS_FP(ctx), .ra = f->ra };
	cgo_enter(s, slot);
	walk(s, target);
	site = account_stack(s, target->tgid, ABI_SOURCE_MALLOC, 0, 1, size, size);
	if (f->touched)
		tell_door(s, target, f->touched, s->key.stack_id);
	if (follow_blocks && site)
		block_enter(s, target, site, block_addr(result, f), size);
}

/*
 * For pages that came while this thread's stack pointer was @sp: the number of the allocation that it is
 * inside of, made if it has none yet; 0: of none. At the door's own depth it is in what the door has jumped to,
 * as calloc does to memset.
 */
static __noinline __u64 door_touch(__u64 sp)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct in_flight *f = bpf_map_lookup_elem(&threads, &tid);

	if (!f || !f->sp || sp > f->sp)
		return 0;
	if (!f->touched)
		f->touched = bpf_ktime_get_ns();
	return f->touched;
}

/*
 * Is a free at stack pointer @sp a part of the door in flight? At its depth it is, if the door ends by a jump to
 * free: then the word at [sp] is the uretprobe's trampoline, not the caller that is known.
 */
static __always_inline bool free_is_nested(struct in_flight *f, __u64 sp, __u64 ra)
{
	if (!f->sp || sp > f->sp)
		return false;
	if (sp == f->sp && !ra && !read_word(&ra, sp))
		return true;
	return (sp < f->sp || ra != f->ra) && f->nested_frees++ < NESTED_MAX;
}

static __noinline void c_give_back(struct pt_regs *ctx, struct scratch *s, __u64 cookie)
{
	__u32 slot = ABI_COOKIE_SLOT(cookie);
	struct abi_target *target = bpf_map_lookup_elem(&targets, &slot);
	__u64 addr = PT_REGS_PARM1(ctx), last;
	struct abi_block block;
	struct in_flight *f;

	if (!addr || !target)
		return;
	f = thread_get(s);
	if (!f)
		return;
	if (free_is_nested(f, PT_REGS_SP(ctx), ARCH_RA(ctx)))
		return;
	if (f->sp && PT_REGS_SP(ctx) <= f->sp)
		give_up(s, f, slot);
	last = f->last_freed;
	f->last_freed = addr;
	if (block_take(target, addr, &block)) {
		tell_freed(s, target, addr, &block);
		block_freed(s, target, &block);
	} else if (last != addr && !blocks_are_some())
		stat_add(s, ABI_STAT_FREE_BEFORE, 1);
}

SEC("uprobe")
int c_malloc(struct pt_regs *ctx)
{
	struct scratch *s = guard_enter(SCRATCH_ALLOC);
	__u64 cookie = bpf_get_attach_cookie(ctx);

	if (s) {
		run_begin(s, ABI_COOKIE_SPOT(cookie) & ABI_SPOT_STEPPED ? ABI_STAT_HITS_STEPPED : ABI_STAT_HITS);
		if (!outside_window(s))
			c_enter(ctx, s, cookie);
		run_end(s, ABI_STAT_TIMED, ABI_STAT_TIMED_NS);
	}
	guard_exit(s);
	return 0;
}

SEC("uprobe")
int c_free(struct pt_regs *ctx)
{
	struct scratch *s = guard_enter(SCRATCH_ALLOC);
	__u64 cookie = bpf_get_attach_cookie(ctx);

	if (s) {
		run_begin(s, ABI_COOKIE_SPOT(cookie) & ABI_SPOT_STEPPED ? ABI_STAT_HITS_STEPPED : ABI_STAT_HITS);
		c_give_back(ctx, s, cookie);
		run_end(s, ABI_STAT_TIMED, ABI_STAT_TIMED_NS);
	}
	guard_exit(s);
	return 0;
}

/* __cxa_throw: a door below which it is called will not return, unless it may not throw: then it catches. */
SEC("uprobe")
int c_throw(struct pt_regs *ctx)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct in_flight *f = bpf_map_lookup_elem(&threads, &tid);

	if (f && f->may_throw && PT_REGS_SP(ctx) < f->sp)
		f->sp = 0;
	return 0;
}

SEC("uretprobe")
int c_malloc_return(struct pt_regs *ctx)
{
	struct scratch *s = guard_enter(SCRATCH_ALLOC);
	__u64 cookie = bpf_get_attach_cookie(ctx);

	if (s) {
		run_begin(s, ABI_STAT_HITS_RETURN);
		c_return(ctx, s, cookie, PT_REGS_SP(ctx) - RETURN_POPS);
		run_end(s, ABI_STAT_TIMED, ABI_STAT_TIMED_NS);
	}
	guard_exit(s);
	return 0;
}

/* On a return instruction of a door that may throw. */
SEC("uprobe")
int c_new_return(struct pt_regs *ctx)
{
	struct scratch *s = guard_enter(SCRATCH_ALLOC);
	__u64 cookie = bpf_get_attach_cookie(ctx);

	if (s) {
		run_begin(s, ABI_STAT_HITS_STEPPED);
		c_return(ctx, s, cookie, PT_REGS_SP(ctx));
		run_end(s, ABI_STAT_TIMED, ABI_STAT_TIMED_NS);
	}
	guard_exit(s);
	return 0;
}

#endif
