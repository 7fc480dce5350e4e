/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who has spans of Go's heap taken, at the moment they are: see span_go.bpf.h. */
#ifndef ALLOCSNOOP_SPAN_NOTE_BPF_H
#define ALLOCSNOOP_SPAN_NOTE_BPF_H

#include "live_go.bpf.h"
#include "span_go.bpf.h"

/* The stack is in s->rec and s->key; the span in s->span. */
static __noinline int note_span(struct scratch *s, const struct abi_target *target)
{
	struct go_span_key key = { .base = s->span.base, .slot = target->slot, .image = target->image };
	struct go_span_note note = { s->key.stack_id, s->span.span, s->span.npages };

	if (!send_stack(s) || bpf_map_update_elem(&go_spans, &key, &note, BPF_ANY)) {
		bpf_map_delete_elem(&go_spans, &key); /* not that of the span before it */
		stat_add(s, ABI_STAT_TOUCH_SPANS, 1);
	}
	return 0;
}

/* setSpans(h, base, npages, s), of spans of all kinds. */
static __noinline void span_taken(struct scratch *s, __u64 cookie)
{
	__u32 slot = ABI_COOKIE_SLOT(cookie);
	const struct abi_target *target = bpf_map_lookup_elem(&targets, &slot);
	const struct abi_go *go = bpf_map_lookup_elem(&runtimes, &slot);
	__u8 state;

	if (!target || !go)
		return;
	if (ABI_COOKIE_SPOT(cookie) & ABI_SPOT_GO_STACK_ARGS &&
	    (!read_word(&s->span.base, s->from.sp + 16) || !read_word(&s->span.npages, s->from.sp + 24) ||
	     !read_word(&s->span.span, s->from.sp + 32))) {
		stat_add(s, ABI_STAT_TOUCH_SPANS, 1);
		return;
	}
	if (bpf_probe_read_user(&state, sizeof(state), (void *)(s->span.span + go->mspan_state)) || state != go->mspan_in_use)
		return;
	walk(s, (struct abi_target *)target);
	note_span(s, target);
}

/* There is no room to note it: what is known of the span before it is none of this one's. */
static __noinline int forget_span(struct pt_regs *ctx, __u32 slot, __u32 spot)
{
	const struct abi_target *target = bpf_map_lookup_elem(&targets, &slot);
	struct go_span_key key = { .base = GO_ARG2(ctx), .slot = slot };

	if (!target || (spot & ABI_SPOT_GO_STACK_ARGS && !read_word(&key.base, PT_REGS_SP(ctx) + 16)))
		return 0;
	key.image = target->image;
	bpf_map_delete_elem(&go_spans, &key);
	return 0;
}

SEC("uprobe")
int go_span_taken(struct pt_regs *ctx)
{
	struct scratch *s = guard_enter(SCRATCH_ALLOC);
	__u64 cookie = bpf_get_attach_cookie(ctx);

	if (!s) {
		forget_span(ctx, ABI_COOKIE_SLOT(cookie), ABI_COOKIE_SPOT(cookie));
	} else {
		run_begin(s, ABI_COOKIE_SPOT(cookie) & ABI_SPOT_STEPPED ? ABI_STAT_HITS_STEPPED : ABI_STAT_HITS);
		s->span = (struct go_span){ GO_ARG2(ctx), GO_ARG4(ctx), GO_ARG3(ctx) };
		s->from = (struct walk_from){ .ip = PT_REGS_IP(ctx), .sp = PT_REGS_SP(ctx), .fp = PT_REGS_FP(ctx),
					      .ra = ARCH_RA(ctx) };
		span_taken(s, cookie);
		run_end(s, ABI_STAT_TIMED, ABI_STAT_TIMED_NS);
	}
	guard_exit(s);
	return 0;
}

#endif
