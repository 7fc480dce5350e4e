/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Go's allocation doors.
 *
 * A door is a function (size, type, ...) that every allocation of some kind enters
 * once: runtime.mallocgc up to 1.23; from 1.24 the five that it dispatches to; with
 * size-specialised malloc (from 1.27, in 1.26 as an experiment) those that compiled
 * code calls directly, and mallocgc for the other sizes. The probe sits on the
 * branch after the stack check, where arguments are in their registers; when the
 * branch is taken the function grows the stack (or yields) and starts again, so
 * such a hit does not count.
 *
 * What an allocation is charged follows runtime/malloc.go:
 *  - size 0 returns zerobase and counts nowhere;
 *  - no pointers and under 16 bytes: the tiny allocator puts several objects into
 *    one 16-byte block. A new block is charged 16, an object that still fits
 *    nothing. The block is the mcache's of this P (g -> m -> p -> mcache), and
 *    between mallocgcTiny and the runtime's own look nothing moves the goroutine.
 *    In mallocgc itself (up to 1.23) and in the specialised doors a GC assist lies
 *    between, in which the goroutine may wait and go on with another block: that
 *    can move 16 bytes while the GC marks;
 *  - up to 32 KiB: the next size class (from 1.22 after adding a header of 8 bytes
 *    to objects with pointers over 512 bytes);
 *  - above: whole pages of 8 KiB.
 * MemStats.Mallocs and TotalAlloc count in the same way.
 */
#ifndef ALLOCSNOOP_ALLOC_GO_BPF_H
#define ALLOCSNOOP_ALLOC_GO_BPF_H

#include "live_go.bpf.h"

#define GO_HEADER_BYTES 8

/* What the tiny allocator charges for @size bytes: 0 when they fit the open block. The goroutine is in s->g. */
static __always_inline __u64 go_tiny_bytes(struct scratch *s, const struct abi_go *go, bool has_g, __u64 size)
{
	__u64 mcache, tiny, off;

	if (!has_g || !read_mcache(s, go, &mcache) || !read_word(&tiny, mcache + go->mcache_tiny) ||
	    !read_word(&off, mcache + go->mcache_tinyoffset)) {
		stat_add(s, ABI_STAT_LOST_GO_TINY_UNREADABLE, 1);
		return GO_TINY_BYTES;
	}
	if (go->g_secret && (__u32)g_word(s, go->g_secret))
		return size <= 8 ? 8 : GO_TINY_BYTES; /* runtime/secret: never beside others */
	if (!(size & 7))
		off = (off + 7) & ~7ULL;
	else if (!(size & 3))
		off = (off + 3) & ~3ULL;
	else if (!(size & 1))
		off = (off + 1) & ~1ULL;
	return tiny && off + size <= GO_TINY_BYTES ? 0 : GO_TINY_BYTES;
}

/* The door that the runtime's dispatch would choose. */
static __always_inline enum abi_door go_room(const struct abi_go *go, __u64 size, __u64 type)
{
	if (size < GO_TINY_BYTES && go_noscan(type))
		return ABI_DOOR_GO_TINY;
	if (size > (go->header_min ? ABI_GO_CLASS_MAX - GO_HEADER_BYTES : ABI_GO_CLASS_MAX))
		return ABI_DOOR_GO_LARGE;
	if (go->header_min && size > go->header_min && !go_noscan(type))
		return ABI_DOOR_GO_HEADER;
	return ABI_DOOR_GO_SMALL;
}

static __always_inline __u64 go_slot_bytes(struct scratch *s, const struct abi_go *go, bool has_g, __u64 size, __u32 room)
{
	if (room == ABI_DOOR_GO_TINY)
		return go_tiny_bytes(s, go, has_g, size);
	if (room == ABI_DOOR_GO_LARGE)
		return (size + ABI_GO_PAGE_BYTES - 1) & ~(ABI_GO_PAGE_BYTES - 1ULL);
	if (room == ABI_DOOR_GO_HEADER)
		size += GO_HEADER_BYTES;
	return go->slot[size_index(size)];
}

static __always_inline bool go_wanted(const struct go_args *args)
{
	return args->size && args->size >= min_size_bytes && args->size <= max_size_bytes &&
	       (!only_tid || only_tid == (__u32)bpf_get_current_pid_tgid());
}

/*
 * What the door was entered with, into s->go, s->g and s->room. Does it count? What is found out stays in
 * memory, in a function of its own: to the verifier all ways through it then look alike, and it
 * walks the stack once and not once for each.
 */
static __noinline int go_look(struct scratch *s, const struct abi_target *target, const struct abi_go *go, __u64 cookie)
{
	struct go_args *args = &s->go;

	s->room = ABI_COOKIE_DOOR(cookie);
	if (ABI_COOKIE_SPOT(cookie) & ABI_SPOT_GO_STACK_ARGS && !go_stack_args(args, go, s->from.sp)) {
		stat_add(s, ABI_STAT_LOST_ARGS_UNREADABLE, 1);
		return 0;
	}
	if (s->room == ABI_DOOR_GO_DISPATCH && args->size <= go->forward_max)
		return 0;
	s->has_g = read_g(s, go);
	if (s->has_g && go->live == ABI_GO_LIVE_MARKS)
		sample_find(s, target, go);
	if (!go_wanted(args)) {
		if (s->has_g && go->live == ABI_GO_LIVE_PROFILER)
			forget_door(s, go, target->slot);
		return 0;
	}
	if (s->room < ABI_DOOR_GO_TINY)
		s->room = go_room(go, args->size, args->type);
	return 1;
}

static __noinline int go_charge(struct scratch *s, const struct abi_go *go)
{
	s->bytes = go_slot_bytes(s, go, s->has_g, s->go.size, s->room);
	return 0;
}

/* What it was put into (abi.h). */
static __always_inline __u16 go_room_of(const struct scratch *s, const struct abi_go *go)
{
	if (!go_rooms || !s->bytes)
		return ABI_GO_ROOM_SHARED;
	return s->room == ABI_DOOR_GO_LARGE ? ABI_GO_ROOM_LARGE : go->class[size_index(s->bytes)];
}

/* Count it: stack and context are in s->key. */
static __noinline int go_count(struct scratch *s, const struct abi_target *target, const struct abi_go *go)
{
	struct abi_site *site = account(s, target->tgid, ABI_SOURCE_GO, go_room_of(s, go), 1, s->bytes, s->go.size);

	if (!site) {
		if (s->has_g && go->live == ABI_GO_LIVE_PROFILER)
			forget_door(s, go, target->slot);
		return 0;
	}
	if (count_goroutines && s->has_g && is_new_goroutine(s, go, target->slot))
		__sync_fetch_and_add(&site->goroutines, 1);
	if (!site->sent)
		site->sent = send_stack(s) && send_context(s, go, s->has_g);
	if (s->has_g && go->live == ABI_GO_LIVE_MARKS)
		sample_choose(s, target, go, s->room, s->bytes);
	else if (s->has_g && go->live == ABI_GO_LIVE_PROFILER)
		note_door(s, go, target->slot, s->bytes);
	return 0;
}

static __noinline void go_alloc(struct scratch *s, __u64 cookie)
{
	__u32 slot = ABI_COOKIE_SLOT(cookie);
	struct abi_target *target;
	struct abi_go *go;

	target = bpf_map_lookup_elem(&targets, &slot);
	go = bpf_map_lookup_elem(&runtimes, &slot);
	if (!target || !go || !go_look(s, target, go, cookie))
		return;
	go_charge(s, go);
	if (go->cgocall && s->has_g && g_word(s, go->g_goid))
		cgo_set_stack(s);
	walk(s, target);
	go_context(s, go);
	go_count(s, target, go);
}

SEC("uprobe")
int go_malloc(struct pt_regs *ctx)
{
	struct scratch *s = guard_enter(SCRATCH_ALLOC);
	__u64 cookie = bpf_get_attach_cookie(ctx);

	if (!s)
		goto out;
	run_begin(s, ABI_COOKIE_SPOT(cookie) & ABI_SPOT_STEPPED ? ABI_STAT_HITS_STEPPED : ABI_STAT_HITS);
	if (ABI_COOKIE_SPOT(cookie) & ABI_SPOT_STACK_CHECK && STACK_CHECK_TAKEN(ctx)) {
		stat_add(s, ABI_STAT_RESTARTED, 1);
		goto out;
	}
	if (outside_window(s))
		goto out;
	/* All registers at once: the verifier allows no arithmetic on ctx, which clang likes to share among branches. */
	s->go = (struct go_args){ GO_ARG1(ctx), GO_ARG2(ctx), GO_G(ctx), 0 };
	s->from = (struct walk_from){ .ip = PT_REGS_IP(ctx), .sp = PT_REGS_SP(ctx), .fp = PT_REGS_FP(ctx),
				      .ra = ARCH_RA(ctx) };
	go_alloc(s, cookie);
	run_end(s, ABI_STAT_TIMED, ABI_STAT_TIMED_NS);
out:
	guard_exit(s);
	return 0;
}

#endif
