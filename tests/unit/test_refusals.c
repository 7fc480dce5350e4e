// SPDX-License-Identifier: GPL-2.0-or-later
/* A sink that refuses, and what is counted of it. */
#include "capture/refusals.h"

#include <errno.h>

#include "test.h"

struct heard {
	int answer;
	uint64_t stacks, contexts, counts, live, ages, causes, touches;
};

static int on_stack(void *ctx, uint64_t stack_id, const struct event_frame *frames, uint32_t nframes, uint32_t flags)
{
	struct heard *heard = ctx;

	heard->stacks += stack_id == 11 && !frames && !nframes && flags == EVENT_STACK_BROKEN;
	return heard->answer;
}

static int on_context(void *ctx, uint64_t context_id, const struct event_context *context)
{
	struct heard *heard = ctx;

	heard->contexts += context_id == 12 && context->type_vaddr == 13;
	return heard->answer;
}

static int on_counts(void *ctx, uint32_t pid, enum event_source source, uint64_t stack_id, uint64_t context_id,
		     const struct event_counts *counts)
{
	struct heard *heard = ctx;

	heard->counts += pid == 7 && source == EVENT_GO && stack_id == 11 && context_id == 12 ? counts->bytes : 0;
	return heard->answer;
}

static int on_live(void *ctx, uint32_t pid, enum event_source source, uint64_t stack_id, uint64_t context_id,
		   const struct event_live *live)
{
	struct heard *heard = ctx;

	heard->live += pid == 7 && source == EVENT_GO && stack_id == 11 && context_id == 12 && live->objects == 1;
	return heard->answer;
}

static int on_age(void *ctx, uint32_t pid, enum event_source source, uint64_t stack_id, uint64_t context_id,
		  const struct event_age *age)
{
	struct heard *heard = ctx;

	heard->ages += pid == 7 && source == EVENT_MALLOC && stack_id == 11 && context_id == 0 && age->objects == 2;
	return heard->answer;
}

static void on_burst(void *ctx, const struct event_burst *burst)
{
	(void)ctx;
	(void)burst;
}

static int on_cause(void *ctx, uint64_t stack_id, const char *name)
{
	struct heard *heard = ctx;

	heard->causes += stack_id == 14 && strcmp(name, "kswapd0") == 0;
	return heard->answer;
}

static int on_touch(void *ctx, uint32_t pid, uint64_t stack_id, uint64_t context_id, const struct event_touch *touch)
{
	struct heard *heard = ctx;

	heard->touches += pid == 7 && stack_id == 11 && context_id == 12 && touch->by == EVENT_MMAP && touch->bytes == 4096;
	return heard->answer;
}

static void tell_all(const struct event_sink *sink, int want)
{
	const struct event_context context = { .type_vaddr = 13 };
	const struct event_counts some = { .objects = 5, .bytes = 80, .requested_bytes = 75 }, none = { .bytes = -4096 };
	const struct event_live live = { .objects = 1 };
	const struct event_age age = { .objects = 2 };
	const struct event_touch touch = { EVENT_MMAP, 15, 4096 };

	CHECK_INT(sink->on_stack(sink->ctx, 11, NULL, 0, EVENT_STACK_BROKEN), want);
	CHECK_INT(sink->on_context(sink->ctx, 12, &context), want);
	CHECK_INT(sink->on_counts(sink->ctx, 7, EVENT_GO, 11, 12, &some), want);
	CHECK_INT(sink->on_counts(sink->ctx, 7, EVENT_RSS, 11, 0, &none), want);
	CHECK_INT(sink->on_live(sink->ctx, 7, EVENT_GO, 11, 12, &live), want);
	CHECK_INT(sink->on_cause(sink->ctx, 14, "kswapd0"), want);
	CHECK_INT(sink->on_age(sink->ctx, 7, EVENT_MALLOC, 11, 0, &age), want);
	CHECK_INT(sink->on_touch(sink->ctx, 7, 11, 12, &touch), want);
}

TEST(counted)
{
	struct heard heard = { .answer = 0 };
	struct refusals refusals = { .to = { &heard, on_stack, on_context, on_counts, on_live, on_age, on_cause, on_touch, on_burst } };
	struct event_sink sink = refusals__sink(&refusals);

	tell_all(&sink, 0);
	CHECK_INT(refusals.objects + refusals.names + refusals.live, 0);
	heard.answer = -ENOMEM;
	tell_all(&sink, -ENOMEM);
	tell_all(&sink, -ENOMEM);
	CHECK_INT(refusals.objects, 2 * (5 + 1)); /* a change of RSS has no objects */
	CHECK_INT(refusals.names, 2 * 3);
	CHECK_INT(refusals.live, 2 * 2);
	CHECK_INT(refusals.touches, 2);
	/* All has been passed on as it was. */
	CHECK_INT(heard.stacks, 3);
	CHECK_INT(heard.contexts, 3);
	CHECK_INT(heard.counts, 3 * 80);
	CHECK_INT(heard.live, 3);
	CHECK_INT(heard.ages, 3);
	CHECK_INT(heard.causes, 3);
	CHECK_INT(heard.touches, 3);
}

TEST_MAIN()
