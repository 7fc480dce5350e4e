/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Objects on Go's heap that are followed, to see which of them stay.
 *
 * Where the program's own memory profile is on, its samples are ours: mProf_Malloc(p, size)
 * is called for each of them, behind the allocation, and freeSpecial(s, p, size) when
 * the sweep frees it. The door that the allocation came through has just been seen on
 * the same goroutine and left its stack and context in `doors`.
 *
 * Otherwise we sample. A door is entered before the object has an address, and no probe
 * may sit on the return of a Go function. But a P allocates from the spans in its mcache
 * alone, one object after the other, and freeindex of a span is one behind the object
 * taken from it last. So a sample waits under its mcache until the next door is entered
 * on that P: then the span of its class in that mcache, freeindex and the size of a slot
 * give the address. If freeindex has not moved the goroutine still waits for the GC (an
 * assist stands before the allocation) and so does the sample. Large objects have a span
 * of their own, which allocLarge() hands to (*spanSet).push before it returns.
 *
 * What is sent: the address, the span, and the span's sweepgen; user space sees from
 * the span's mark bits which of them the collector has found (capture/goheap.h). The best
 * time to look is while the next collection marks, so its start is told.
 */
#ifndef ALLOCSNOOP_LIVE_GO_BPF_H
#define ALLOCSNOOP_LIVE_GO_BPF_H

#include "goroutine.bpf.h"

#define GO_TINY_BYTES 16
#define GO_TYPE_PTRDATA 8 /* _type.ptrdata, PtrBytes from 1.20: the second word in all versions */
#define GO_TINY_SPANCLASS 5 /* size class 2, without pointers (runtime/mcache.go: tinySpanClass) */
#define DOORS 16384

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DOORS);
	__type(key, __u32);
	__type(value, struct door_note);
} doors SEC(".maps");

/*
 * Samples without an address. Not an LRU map, which would drop some silently: there are as many as Ps and
 * goroutines in the middle of a large allocation, and user space removes those of a target that has ended.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ABI_MAX_WAITING);
	__type(key, struct abi_waiting_key);
	__type(value, struct waiting);
} waiting SEC(".maps");

/* Clang would drop a mask that it takes for idle, and the verifier wants to see one. */
static __always_inline __u64 size_index(__u64 bytes)
{
	__u64 i = abi_go_size_index(bytes);

	barrier_var(i);
	return i & (ABI_GO_SIZES - 1);
}

static __always_inline bool go_noscan(__u64 type)
{
	__u64 ptrdata;

	if (!type)
		return true;
	/* A read that fails leaves a zero, which is not what the type says. */
	return !bpf_probe_read_user(&ptrdata, sizeof(ptrdata), (void *)(type + GO_TYPE_PTRDATA)) && !ptrdata;
}

static __always_inline bool read_mcache(struct scratch *s, const struct abi_go *go, __u64 *ret)
{
	__u64 p;

	return read_word(&p, g_word(s, go->g_m) + go->m_p) && p && read_word(ret, p + go->p_mcache) && *ret;
}

/* Before the register ABI size and type are on the stack, behind the return address; on amd64 g is in thread-local storage. */
static __always_inline bool go_stack_args(struct go_args *args, const struct abi_go *go, __u64 sp)
{
	if (bpf_probe_read_user(args, offsetof(struct go_args, g), (void *)(sp + 8)) || !read_word(&args->third, sp + 24))
		return false;
#if GO_OLD_ABI_G_IN_TLS
	return read_word(&args->g, TLS_BASE((struct task_struct *)bpf_get_current_task()) + go->tls_g);
#else
	return true;
#endif
}

static __always_inline __u64 read_freeindex(const struct abi_go *go, __u64 span)
{
	__u64 index = 0;
	__u16 narrow = 0;

	if (go->freeindex_bytes != sizeof(narrow))
		return read_word(&index, span + go->mspan_freeindex) ? index : 0;
	bpf_probe_read_user(&narrow, sizeof(narrow), (void *)(span + go->mspan_freeindex));
	return narrow;
}

static __noinline void send_object(struct scratch *s, struct abi_rec_object *rec, const struct abi_target *target)
{
	__u64 flags;

	rec->rec.tgid = target->tgid;
	rec->image = target->image;
	ring_wake_flags(&flags);
	if (bpf_ringbuf_output(&ring, rec, sizeof(*rec), flags))
		stat_add(s, ABI_STAT_LOST_SAMPLE, 1);
}

/* The object at @addr of @span is the one that waited. */
static __noinline int send_sample(struct scratch *s, const struct abi_target *target, const struct abi_go *go,
				  const struct waiting *w)
{
	struct abi_rec_object *rec = &s->object;

	rec->rec.kind = ABI_REC_SAMPLE;
	rec->bytes = w->bytes;
	rec->stack_id = w->stack_id;
	rec->context_id = w->context_id;
	rec->sweepgen = 0;
	bpf_probe_read_user(&rec->sweepgen, sizeof(rec->sweepgen), (void *)(rec->span + go->mspan_sweepgen));
	send_object(s, rec, target);
	return 0;
}

/* A P enters a door: has it taken the object that waits for an address? The goroutine is in s->g. */
static __noinline int sample_find(struct scratch *s, const struct abi_target *target, const struct abi_go *go)
{
	struct abi_waiting_key key = { .slot = target->slot };
	__u64 span, base, elem_bytes, index;
	struct waiting *w;

	if (!read_mcache(s, go, &key.at))
		return 0;
	w = bpf_map_lookup_elem(&waiting, &key);
	if (!w)
		return 0;
	if (!read_word(&span, key.at + go->mcache_alloc + w->spanclass * 8) || !span ||
	    !read_word(&base, span + go->mspan_start_addr) || !read_word(&elem_bytes, span + go->mspan_elemsize))
		goto lost;
	index = read_freeindex(go, span);
	if (span == w->span && index == w->freeindex)
		return 0;
	/* A span without objects is what the GC leaves in the mcache: the object's own is not known. */
	if (!index || !base || elem_bytes != w->bytes || w->image != target->image)
		goto lost;
	s->object.addr = base + (index - 1) * elem_bytes;
	s->object.span = span;
	send_sample(s, target, go, w);
	bpf_map_delete_elem(&waiting, &key);
	return 0;
lost:
	stat_add(s, ABI_STAT_LOST_SAMPLE, 1);
	bpf_map_delete_elem(&waiting, &key);
	return 0;
}

/* Shall the object, charged @bytes, be followed? Its stack and context are in s->key. */
static __noinline int sample_choose(struct scratch *s, const struct abi_target *target, const struct abi_go *go,
				    __u32 room, __u64 bytes)
{
	struct abi_waiting_key key = { .slot = target->slot };
	struct waiting *w = &s->waiting;

	if (!bytes || bpf_get_prandom_u32() >= abi_sample_chance(bytes, go->sample_bytes))
		return 0;
	w->stack_id = s->key.stack_id;
	w->context_id = s->key.context_id;
	w->bytes = bytes;
	w->image = target->image;
	w->span = 0;
	w->freeindex = 0;
	if (room == ABI_DOOR_GO_LARGE) {
		key.is_large = 1;
		key.at = g_word(s, go->g_goid);
	} else {
		bool noscan = room == ABI_DOOR_GO_TINY || (room == ABI_DOOR_GO_SMALL && go_noscan(s->go.type));

		w->spanclass = room == ABI_DOOR_GO_TINY ? GO_TINY_SPANCLASS : go->class[size_index(bytes)] << 1 | noscan;
		if (!read_mcache(s, go, &key.at) ||
		    !read_word(&w->span, key.at + go->mcache_alloc + (w->spanclass & 255) * 8)) {
			stat_add(s, ABI_STAT_LOST_SAMPLE, 1);
			return 0;
		}
		w->freeindex = read_freeindex(go, w->span);
	}
	/* One that still waits there has missed its object. */
	if (bpf_map_lookup_elem(&waiting, &key))
		stat_add(s, ABI_STAT_LOST_SAMPLE, 1);
	if (bpf_map_update_elem(&waiting, &key, w, BPF_ANY))
		stat_add(s, ABI_STAT_LOST_SAMPLE, 1);
	return 0;
}

/* Whose note it is. */
static __always_inline __u64 door_owner(__u64 goid, __u32 slot)
{
	return hash_step(slot, goid);
}

static __always_inline __u32 door_index(__u64 owner)
{
	return (__u32)(owner >> 40) & (DOORS - 1);
}

static __always_inline __u64 door_check(__u64 owner, __u64 bytes, __u64 stack_id, __u64 context_id)
{
	return hash_step(hash_step(owner, bytes), stack_id) ^ context_id;
}

static __always_inline bool door_is_of(const struct door_note *note, __u64 owner)
{
	return note->check == door_check(owner, note->bytes, note->stack_id, note->context_id);
}

/* Leave the door's stack and context for mProf_Malloc. */
static __noinline int note_door(struct scratch *s, const struct abi_go *go, __u32 slot, __u64 bytes)
{
	__u64 owner = door_owner(g_word(s, go->g_goid), slot);
	__u32 index = door_index(owner);
	struct door_note *note = bpf_map_lookup_elem(&doors, &index);

	if (note)
		*note = (struct door_note){ door_check(owner, bytes, s->key.stack_id, s->key.context_id), bytes,
					    s->key.stack_id, s->key.context_id };
	return 0;
}

/* The goroutine in s->g came through a door that does not count: a sample is not of the door before it. */
static __noinline int forget_door(struct scratch *s, const struct abi_go *go, __u32 slot)
{
	__u64 owner = door_owner(g_word(s, go->g_goid), slot);
	__u32 index = door_index(owner);
	struct door_note *note = bpf_map_lookup_elem(&doors, &index);

	if (note && door_is_of(note, owner))
		note->check = ~note->check;
	return 0;
}

/* What a probe on the runtime's own functions has in s->go; before the register ABI on the stack. */
static __always_inline struct abi_go *live_enter(struct scratch *s, __u64 cookie, struct abi_target **ret_target)
{
	__u32 slot = ABI_COOKIE_SLOT(cookie);
	struct abi_go *go = bpf_map_lookup_elem(&runtimes, &slot);

	*ret_target = bpf_map_lookup_elem(&targets, &slot);
	if (!go || !*ret_target)
		return NULL;
	if (ABI_COOKIE_SPOT(cookie) & ABI_SPOT_GO_STACK_ARGS && !go_stack_args(&s->go, go, s->from.sp))
		return NULL;
	return go;
}

/*
 * Is it the door that led to a sample of @bytes? A tiny object that found its block gone behind the door (see
 * alloc_go.bpf.h) was charged nothing there.
 */
static __always_inline bool door_fits(const struct door_note *note, __u64 owner, __u64 bytes)
{
	return door_is_of(note, owner) && (note->bytes == bytes || (!note->bytes && bytes <= GO_TINY_BYTES));
}

/* mProf_Malloc(p, size), from 1.23 on (mp, p, size). */
static __noinline void profile_malloc(struct scratch *s, __u64 cookie)
{
	struct abi_rec_object *rec = &s->object;
	struct abi_target *target;
	struct abi_go *go = live_enter(s, cookie, &target);
	struct door_note *at, *note = &s->door;
	__u64 owner, bytes;
	__u32 index;

	if (!go || go->live != ABI_GO_LIVE_PROFILER || !read_g(s, go))
		return;
	rec->addr = go->profile_malloc_has_mp ? s->go.type : s->go.size;
	bytes = go->profile_malloc_has_mp ? s->go.third : s->go.type;
	owner = door_owner(g_word(s, go->g_goid), target->slot);
	index = door_index(owner);
	at = bpf_map_lookup_elem(&doors, &index);
	if (at)
		*note = *at; /* what is checked is what is used */
	if (!at || !door_fits(note, owner, bytes)) {
		/* Not through a door of ours, or one that leaves sizes out. */
		stat_add(s, ABI_STAT_LOST_SAMPLE, !only_tid && !min_size_bytes && !(max_size_bytes + 1));
		return;
	}
	rec->rec.kind = ABI_REC_SAMPLE;
	rec->bytes = bytes;
	rec->stack_id = note->stack_id;
	rec->context_id = note->context_id;
	rec->span = 0;
	rec->sweepgen = 0;
	send_object(s, rec, target);
}

/* freeSpecial(s, p, size) */
static __noinline void profile_free(struct scratch *s, __u64 cookie)
{
	struct abi_rec_object *rec = &s->object;
	struct abi_target *target;
	struct abi_go *go = live_enter(s, cookie, &target);
	__u8 kind = 0;

	if (!go || go->live == ABI_GO_LIVE_OFF ||
	    bpf_probe_read_user(&kind, sizeof(kind), (void *)(s->go.size + go->special_kind)) ||
	    kind != go->special_kind_profile || !read_word(&rec->span, s->go.size + go->specialprofile_b))
		return;
	rec->rec.kind = ABI_REC_FREE;
	rec->addr = s->go.type;
	rec->bytes = s->go.third;
	rec->stack_id = 0;
	rec->context_id = 0;
	rec->sweepgen = 0;
	send_object(s, rec, target);
}

/* (*spanSet).push(b, s): also of spans that the mcache or the sweeper hand back. */
static __noinline void span_push(struct scratch *s, __u64 cookie)
{
	struct abi_waiting_key key = { .is_large = 1 };
	struct abi_target *target;
	struct abi_go *go = live_enter(s, cookie, &target);
	__u64 span = s->go.type, elem_bytes, bits;
	struct waiting *w;
	__u8 spanclass, marked;

	if (!go || go->live != ABI_GO_LIVE_MARKS ||
	    bpf_probe_read_user(&spanclass, sizeof(spanclass), (void *)(span + go->mspan_spanclass)) || spanclass >> 1 ||
	    !read_g(s, go))
		return;
	key.slot = target->slot;
	key.at = g_word(s, go->g_goid);
	w = bpf_map_lookup_elem(&waiting, &key);
	if (!w || !read_word(&elem_bytes, span + go->mspan_elemsize) || elem_bytes != w->bytes ||
	    w->image != target->image || !read_word(&s->object.addr, span + go->mspan_start_addr))
		return;
	/* One that this goroutine sweeps on its way to an allocation holds an object that was marked; a new one none. */
	if (!read_word(&bits, span + go->mspan_alloc_bits) ||
	    (!bpf_probe_read_user(&marked, sizeof(marked), (void *)bits) && marked & 1))
		return; /* (a page that is not there yet has no bits set) */
	s->object.span = span;
	send_sample(s, target, go, w);
	bpf_map_delete_elem(&waiting, &key);
}

/* gcMarkRootPrepare(): the world is stopped, the sweep of the last collection is done. */
static __noinline void gc_start(struct scratch *s, __u64 cookie)
{
	struct abi_rec_proc *rec = &s->proc;
	struct abi_target *target;
	struct abi_go *go = live_enter(s, cookie, &target);

	if (!go || go->live == ABI_GO_LIVE_OFF)
		return;
	rec->rec.kind = ABI_REC_GC;
	rec->rec.tgid = target->tgid;
	rec->image = target->image;
	/* Lost, it is as if user space had come too late, which it sees. */
	bpf_ringbuf_output(&ring, rec, sizeof(*rec), BPF_RB_FORCE_WAKEUP);
}

#define LIVE_PROGRAM(name, body)                                                                                        \
	SEC("uprobe")                                                                                                   \
	int name(struct pt_regs *ctx)                                                                                   \
	{                                                                                                               \
		struct scratch *s = guard_enter(SCRATCH_ALLOC);                                                         \
		__u64 cookie = bpf_get_attach_cookie(ctx);                                                              \
                                                                                                                        \
		if (s) {                                                                                                \
			run_begin(s, ABI_COOKIE_SPOT(cookie) & ABI_SPOT_STEPPED ? ABI_STAT_HITS_STEPPED :               \
										  ABI_STAT_HITS);                       \
			s->go = (struct go_args){ GO_ARG1(ctx), GO_ARG2(ctx), GO_G(ctx), GO_ARG3(ctx) };                \
			s->from.sp = PT_REGS_SP(ctx);                                                                   \
			if (!(ABI_COOKIE_SPOT(cookie) & ABI_SPOT_STACK_CHECK && STACK_CHECK_TAKEN(ctx)))                \
				body(s, cookie);                                                                        \
			run_end(s, ABI_STAT_TIMED, ABI_STAT_TIMED_NS);                                                  \
		}                                                                                                       \
		guard_exit(s);                                                                                          \
		return 0;                                                                                               \
	}

LIVE_PROGRAM(go_profile_malloc, profile_malloc)
LIVE_PROGRAM(go_profile_free, profile_free)
LIVE_PROGRAM(go_span_push, span_push)
LIVE_PROGRAM(go_gc_start, gc_start)

#endif
