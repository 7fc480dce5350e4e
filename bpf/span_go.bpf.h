/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose a page of Go's arenas is: that of a span, which the runtime's own table tells by address
 * (mheap_.arenas, heapArena.spans), as the runtime looks it up itself (spanOf(), runtime/mheap.go). An entry of the table
 * is made before the pages are used, and stays when the span is gone: what it leads to is believed if the
 * address lies in it and it is in use.
 *
 * A span in use for objects has the state mspan_in_use. All others in use are "manual": goroutine stacks, of which elemsize
 * says how large they are (stackalloc(), stackpoolalloc()), before anybody writes to them; and what the collector
 * works with (work buffers; up to 1.24 bits of pointers), where it is 0.
 *
 * A first touch comes long after the allocation, and the table does not say whose that was. So
 * (*mheap).setSpans(base, npages, s), which makes the entries of each new span and nothing else, has a probe: the stack
 * there is that of the allocation that took the span. Of a large object it is the object's own. Of a span of
 * many small ones it is the one that needed more pages: whose the others are it does not say.
 * The next span at the same address takes the place of the one before it; where a note could not be made none is left,
 * and it must have the same struct mspan and length: so no span is taken for another's successor.
 */
#ifndef ALLOCSNOOP_SPAN_GO_BPF_H
#define ALLOCSNOOP_SPAN_GO_BPF_H

#include "arch.bpf.h"
#include "guard.bpf.h"

#define GO_SPAN_STATE_DEAD 0 /* mSpanDead, runtime/mheap.go */

struct go_span_key {
	__u64 base;
	__u32 slot, image;
};

struct go_span_note {
	__u64 stack_id;
	__u64 span, npages;
};

/* Who had spans taken; of the oldest it is forgotten, and not known then. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, ABI_MAX_GO_SPANS);
	__type(key, struct go_span_key);
	__type(value, struct go_span_note);
} go_spans SEC(".maps");

/* The span in use that holds @addr, into s->span. False: there is none, or it is not known where to look. */
static __always_inline bool find_span(struct scratch *s, const struct abi_go *go, __u64 addr)
{
	__u64 at, page;

	if (!go->arena_map || !read_word(&at, go->arena_map + ((addr - ARCH_GO_ARENA_BASE) >> ABI_GO_ARENA_SHIFT) * 8) || !at)
		return false;
	page = (addr & ((1ULL << ABI_GO_ARENA_SHIFT) - 1)) / ABI_GO_PAGE_BYTES;
	if (!read_word(&s->span.span, at + go->arena_spans + page * 8) || !s->span.span ||
	    !read_word(&s->span.base, s->span.span + go->mspan_start_addr) ||
	    !read_word(&s->span.npages, s->span.span + go->mspan_npages))
		return false;
	return addr - s->span.base < s->span.npages * ABI_GO_PAGE_BYTES;
}

/* enum abi_area of @addr, which lies in Go's arenas; where it is of objects their span is in s->span. */
static __noinline int area_of_go(struct scratch *s, __u32 slot, __u64 addr)
{
	const struct abi_go *go = bpf_map_lookup_elem(&runtimes, &slot);
	__u64 elem_bytes;
	__u8 state = GO_SPAN_STATE_DEAD;

	if (!s || !go)
		return ABI_AREA_GO_ARENA;
	s->span.base = 0;
	if (!find_span(s, go, addr) || bpf_probe_read_user(&state, sizeof(state), (void *)(s->span.span + go->mspan_state))) {
		s->span.base = 0;
		return ABI_AREA_GO_ARENA;
	}
	if (state == GO_SPAN_STATE_DEAD || state == go->mspan_in_use) {
		s->span.base = state == go->mspan_in_use ? s->span.base : 0;
		return ABI_AREA_GO_ARENA;
	}
	s->span.base = 0;
	if (!read_word(&elem_bytes, s->span.span + go->mspan_elemsize))
		return ABI_AREA_GO_ARENA;
	return elem_bytes ? ABI_AREA_GO_STACK : ABI_AREA_GO_WORK;
}

/* Who had the span in s->span taken, into the record of a touch in it. */
static __noinline int tell_span(struct scratch *s, const struct abi_target *target)
{
	struct go_span_key key = {};
	const struct go_span_note *note;
	const struct abi_go *go;
	__u32 slot;
	__u8 class;

	if (!s || !target)
		return 0;
	s->touch.span_stack_id = 0;
	if (s->key.context_id != ABI_AREA_GO_ARENA || !s->span.base)
		return 0;
	slot = target->slot;
	key.base = s->span.base;
	key.slot = slot;
	key.image = target->image;
	go = bpf_map_lookup_elem(&runtimes, &slot);
	note = bpf_map_lookup_elem(&go_spans, &key);
	if (!go || !note || note->span != s->span.span || note->npages != s->span.npages ||
	    bpf_probe_read_user(&class, sizeof(class), (void *)(s->span.span + go->mspan_spanclass)))
		return 0;
	s->touch.span_stack_id = note->stack_id;
	s->touch.span_start = s->span.base;
	s->touch.span_bytes = s->span.npages * ABI_GO_PAGE_BYTES;
	s->touch.span_is_object = class >> 1 == 0; /* of large objects: one for each */
	return 0;
}

static __always_inline bool is_go_area(__u32 area)
{
	return area == ABI_AREA_GO_ARENA || area == ABI_AREA_GO_STACK || area == ABI_AREA_GO_WORK;
}

#endif
