// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/refusals.h"

static int on_stack(void *ctx, uint64_t stack_id, const struct event_frame *frames, uint32_t nframes, uint32_t flags)
{
	struct refusals *r = ctx;
	int err = r->to.on_stack(r->to.ctx, stack_id, frames, nframes, flags);

	r->names += err != 0;
	return err;
}

static int on_context(void *ctx, uint64_t context_id, const struct event_context *context)
{
	struct refusals *r = ctx;
	int err = r->to.on_context(r->to.ctx, context_id, context);

	r->names += err != 0;
	return err;
}

static int on_counts(void *ctx, uint32_t pid, enum event_source source, uint64_t stack_id, uint64_t context_id,
		     const struct event_counts *counts)
{
	struct refusals *r = ctx;
	int err = r->to.on_counts(r->to.ctx, pid, source, stack_id, context_id, counts);

	if (err)
		r->objects += counts->objects ? counts->objects : 1;
	return err;
}

static int on_live(void *ctx, uint32_t pid, enum event_source source, uint64_t stack_id, uint64_t context_id,
		   const struct event_live *live)
{
	struct refusals *r = ctx;
	int err = r->to.on_live(r->to.ctx, pid, source, stack_id, context_id, live);

	r->live += err != 0;
	return err;
}

static int on_age(void *ctx, uint32_t pid, enum event_source source, uint64_t stack_id, uint64_t context_id,
		  const struct event_age *age)
{
	struct refusals *r = ctx;
	int err = r->to.on_age(r->to.ctx, pid, source, stack_id, context_id, age);

	r->live += err != 0;
	return err;
}

static int on_cause(void *ctx, uint64_t stack_id, const char *name)
{
	struct refusals *r = ctx;
	int err = r->to.on_cause(r->to.ctx, stack_id, name);

	r->names += err != 0;
	return err;
}

static void on_burst(void *ctx, const struct event_burst *burst)
{
	struct refusals *r = ctx;

	r->to.on_burst(r->to.ctx, burst);
}

static int on_touch(void *ctx, uint32_t pid, uint64_t stack_id, uint64_t context_id, const struct event_touch *touch)
{
	struct refusals *r = ctx;
	int err = r->to.on_touch(r->to.ctx, pid, stack_id, context_id, touch);

	r->touches += err != 0;
	return err;
}

struct event_sink refusals__sink(struct refusals *refusals)
{
	return (struct event_sink){ refusals, on_stack, on_context, on_counts, on_live, on_age, on_cause, on_touch, on_burst };
}
