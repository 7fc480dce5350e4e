/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much a Go program allocated, by its runtime's own count, shared out among bursts: what a burst has seen is a sample
 * of known shares, and the runtime says of how much.
 *
 * Vocabulary. A room is what an object was put into: a size class of the runtime, a block of the tiny allocator
 * that it shares, or pages of its own. An amount that came to be is due until rows of a burst are credited with it.
 *
 * The runtime counts small objects when a P has filled a span: up to a span of each room and P is not counted yet. Where
 * what is due is not much more than that, the clock tells how much a burst stands for, as for other allocators, but never
 * that it is more than there can be; what was credited so is taken off all the same, and what is due may be negative. So the
 * sums over all bursts stay with the runtime's, to within those spans, and what no burst has seen a row of stays due.
 *
 * Pure.
 */
#ifndef ALLOCSNOOP_CAPTURE_GOTOTALS_H
#define ALLOCSNOOP_CAPTURE_GOTOTALS_H

#include "base/event.h"
#include "bpf/abi.h"
#include "go/gostats.h"

struct gototals_amount {
	double objects, bytes;
};

struct gototals {
	bool is_known; /* @last is of @image */
	uint32_t image;
	struct gostats_allocs last;
	struct gototals_room {
		struct gototals_amount due; /* to the burst that is open */
		struct gototals_amount next; /* to the one after it */
		struct gototals_amount seen, seen_last; /* in the open burst, in the last one that saw any */
		double late; /* objects that may not be counted yet */
		struct event_scale scale; /* once it was asked for */
		bool is_credited;
	} rooms[ABI_GO_ROOM__N];
};

/* From now on: what came before was all seen. Of another @image nothing is due any more. */
void gototals__restart(struct gototals *t, uint32_t image, const struct gostats_allocs *now);
/* What came since the last look is due: @share of it to the open burst, the rest to the next. */
void gototals__add(struct gototals *t, const struct go_layout *layout, const struct gostats_allocs *now, double share);
/* The open burst has seen this. false: there is no such room. */
bool gototals__see(struct gototals *t, uint32_t room, double objects, double bytes);
/*
 * For how much it stands, when all is seen; @by_time: if the clock is asked. It is credited at the first call.
 */
struct event_scale gototals__scale(struct gototals *t, uint32_t room, const struct event_scale *by_time);
/*
 * When no burst is open: how much more the last one stands for, as far as the runtime has counted it. It is credited at the
 * first call. Zero: not worth it, or not known.
 */
struct event_scale gototals__scale_more(struct gototals *t, uint32_t room);
/* The next burst is the open one. */
void gototals__turn(struct gototals *t);
/* What was allocated and no burst has seen the like of. */
struct gototals_amount gototals__unseen(const struct gototals *t);

#endif
