// SPDX-License-Identifier: GPL-2.0-or-later
#include "profile/agg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/vec.h"
#include "profile/labels.h"

#define MAX_FRAMES 256

/* What is left of a row's estimates when whole numbers are taken out of them. */
struct rest {
	double objects, bytes, requested_bytes;
};

struct agg {
	struct profile *prof;
	struct agg_limits limits;
	struct agg_stats stats;
	agg_module_fn *module_fn;
	void *ctx;
	struct hmap *ids; /* stack id -> index in stacks */
	uint32_t *stacks; /* index in the profile */
	size_t cap_stacks;
	uint32_t *modules; /* event module -> profile module */
	size_t nmodules, cap_modules;
	struct hmap *context_ids; /* context id -> index in contexts */
	uint32_t *contexts; /* index in the profile */
	size_t cap_contexts;
	uint32_t lost_stack; /* PROF_NONE until needed */
	struct event_burst burst; /* of the counts that come */
	struct rest *rests; /* by row */
	size_t nrests, cap_rests;
	uint32_t special_stacks[EVENT_STACK__N]; /* by reserved stack id; PROF_NONE until needed */
};

int agg__new(struct profile *prof, const struct agg_limits *limits, agg_module_fn *module_fn, void *ctx, struct agg **ret)
{
	struct agg *agg = calloc(1, sizeof(*agg));
	int err;

	if (!agg)
		return -ENOMEM;
	err = hmap__new(sizeof(uint64_t), &agg->ids);
	if (!err)
		err = hmap__new(sizeof(uint64_t), &agg->context_ids);
	if (err) {
		agg__free(agg);
		return err;
	}
	agg->prof = prof;
	agg->limits = *limits;
	agg->module_fn = module_fn;
	agg->ctx = ctx;
	agg->lost_stack = PROF_NONE;
	for (int i = 0; i < EVENT_STACK__N; i++)
		agg->special_stacks[i] = PROF_NONE;
	*ret = agg;
	return 0;
}

void agg__free(struct agg *agg)
{
	if (!agg)
		return;
	hmap__free(agg->ids);
	hmap__free(agg->context_ids);
	free(agg->contexts);
	free(agg->stacks);
	free(agg->modules);
	free(agg->rests);
	free(agg);
}

static uint32_t module_of(struct agg *agg, uint32_t module)
{
	struct prof_module mod = { 0 };

	if (module == UINT32_MAX)
		return PROF_NONE;
	if (vec_reserve((void **)&agg->modules, &agg->cap_modules, (size_t)module + 1, sizeof(*agg->modules)))
		return PROF_NONE;
	while (agg->nmodules <= module)
		agg->modules[agg->nmodules++] = PROF_NONE;
	if (agg->modules[module] == PROF_NONE) {
		agg->module_fn(agg->ctx, module, &mod, agg->prof->strs);
		agg->modules[module] = profile__add_module(agg->prof, &mod);
	}
	return agg->modules[module];
}

static uint32_t stack_flags(uint32_t event_flags)
{
	static const struct {
		uint32_t event, prof;
	} same[] = {
		{ EVENT_STACK_TRUNCATED, STACK_TRUNCATED },
		{ EVENT_STACK_BROKEN, STACK_BROKEN },
		{ EVENT_STACK_BY_CHAIN, STACK_BY_CHAIN },
		{ EVENT_STACK_BY_TABLE, STACK_BY_TABLE },
	};
	uint32_t ret = 0;

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (event_flags & same[i].event)
			ret |= same[i].prof;
	return ret;
}

static bool has_room_for_stack(const struct agg *agg, uint32_t nframes)
{
	const struct profile *prof = agg->prof;
	const struct agg_limits *max = &agg->limits;

	return hmap__len(agg->ids) < max->stacks && prof->nstack_locs + (uint64_t)nframes <= max->frames &&
	       prof->nlocs + (uint64_t)nframes <= max->locs;
}

static int on_stack(void *ctx, uint64_t stack_id, const struct event_frame *frames, uint32_t nframes, uint32_t flags)
{
	struct agg *agg = ctx;
	uint32_t locs[MAX_FRAMES], index, stack;
	uint32_t prof_flags;
	bool added;

	if (nframes > MAX_FRAMES)
		nframes = MAX_FRAMES;
	if (!has_room_for_stack(agg, nframes)) {
		agg->stats.stacks += hmap__find(agg->ids, &stack_id) == HMAP_NONE;
		return 0;
	}
	if (vec_reserve((void **)&agg->stacks, &agg->cap_stacks, (size_t)hmap__len(agg->ids) + 1, sizeof(*agg->stacks)))
		return -ENOMEM;
	index = hmap__add(agg->ids, &stack_id, &added);
	if (index == HMAP_NONE)
		return -ENOMEM;
	if (!added)
		return 0; /* sent again: the kernel side had forgotten that we know it */
	for (uint32_t i = 0; i < nframes; i++)
		locs[i] = profile__add_loc(agg->prof, module_of(agg, frames[i].module), frames[i].vaddr, frames[i].addr);
	prof_flags = stack_flags(flags) | (nframes ? 0 : STACK_LOST);
	stack = profile__add_stack(agg->prof, locs, nframes, prof_flags);
	agg->stacks[index] = stack;
	return stack == PROF_NONE ? -ENOMEM : 0;
}

static int on_context(void *ctx, uint64_t context_id, const struct event_context *context)
{
	struct agg *agg = ctx;
	struct prof_context to = { .creator = PROF_NONE };
	uint32_t index, place;
	bool added;

	if (hmap__len(agg->context_ids) >= agg->limits.contexts) {
		agg->stats.contexts += hmap__find(agg->context_ids, &context_id) == HMAP_NONE;
		return 0;
	}
	if (vec_reserve((void **)&agg->contexts, &agg->cap_contexts, (size_t)hmap__len(agg->context_ids) + 1,
			sizeof(*agg->contexts)))
		return -ENOMEM;
	index = hmap__add(agg->context_ids, &context_id, &added);
	if (index == HMAP_NONE)
		return -ENOMEM;
	if (!added)
		return 0;
	agg->contexts[index] = 0;
	to.typing = context->kind ? TYPING_KIND : context->type_vaddr ? TYPING_KNOWN : TYPING_NONE;
	if (context->kind) {
		to.type_vaddr = strtab__adds(agg->prof->strs, context->kind);
	} else if (context->type_vaddr) {
		to.type_module = module_of(agg, context->type_module);
		to.type_vaddr = context->type_vaddr;
	}
	if (context->has_creator)
		to.creator = profile__add_loc(agg->prof, module_of(agg, context->creator.module), context->creator.vaddr,
					      context->creator.addr);
	to.labels = labels_add(agg->prof->strs, context->labels, context->nlabels);
	place = profile__add_context(agg->prof, &to);
	if (place == PROF_NONE)
		return -ENOMEM;
	agg->contexts[index] = place;
	return 0;
}

static uint32_t context_of(const struct agg *agg, uint64_t context_id)
{
	uint32_t index = context_id ? hmap__find(agg->context_ids, &context_id) : HMAP_NONE;

	return index == HMAP_NONE ? 0 : agg->contexts[index];
}

/* A cause that is no code of the process: one made-up frame. No code lies at the first addresses: @nr tells them apart. */
static uint32_t add_cause(struct agg *agg, uint64_t nr, uint32_t name, uint32_t flags)
{
	uint32_t loc = profile__add_loc(agg->prof, PROF_NONE, nr, nr);
	struct prof_frame frame = { .func = name };

	if (!name || loc == PROF_NONE || profile__set_frames(agg->prof, loc, &frame, 1))
		return PROF_NONE;
	return profile__add_stack(agg->prof, &loc, 1, flags);
}

static uint32_t special_stack(struct agg *agg, enum event_stack_id id)
{
	static const char *const names[EVENT_STACK__N] = {
		[EVENT_STACK_OTHERS] = "[the kernel or another process]",
		[EVENT_STACK_EXEC] = "[exec]",
		[EVENT_STACK_EXIT] = "[exit]",
		[EVENT_STACK_NONE] = "[no stacks]",
	};
	uint32_t *stack = &agg->special_stacks[id];

	if (*stack == PROF_NONE)
		*stack = add_cause(agg, id, strtab__adds(agg->prof->strs, names[id]),
				   id == EVENT_STACK_OTHERS ? STACK_OTHERS : 0);
	return *stack;
}

/* Of which no frames are known. */
static uint32_t lost_stack(struct agg *agg)
{
	if (agg->lost_stack == PROF_NONE)
		agg->lost_stack = profile__add_stack(agg->prof, NULL, 0, STACK_LOST);
	return agg->lost_stack;
}

/* Tasks of one name are one row. */
static int on_cause(void *ctx, uint64_t stack_id, const char *name)
{
	struct agg *agg = ctx;
	uint32_t index, id;
	bool added;

	if (vec_reserve((void **)&agg->stacks, &agg->cap_stacks, (size_t)hmap__len(agg->ids) + 1, sizeof(*agg->stacks)))
		return -ENOMEM;
	index = hmap__add(agg->ids, &stack_id, &added);
	if (index == HMAP_NONE)
		return -ENOMEM;
	if (!added)
		return 0;
	id = strtab__adds(agg->prof->strs, name);
	agg->stacks[index] = add_cause(agg, EVENT_STACK__N + (uint64_t)id, id, STACK_OTHERS);
	return agg->stacks[index] == PROF_NONE ? -ENOMEM : 0;
}

static uint32_t stack_of(struct agg *agg, uint64_t stack_id)
{
	uint32_t index;

	if (stack_id < EVENT_STACK__N)
		return special_stack(agg, (enum event_stack_id)stack_id);
	index = hmap__find(agg->ids, &stack_id);
	return index != HMAP_NONE && agg->stacks[index] != PROF_NONE ? agg->stacks[index] : lost_stack(agg);
}

static const enum source sources[] = {
	[EVENT_GO] = SOURCE_GO,
	[EVENT_MALLOC] = SOURCE_MALLOC,
	[EVENT_RSS] = SOURCE_RSS,
	[EVENT_MMAP] = SOURCE_MMAP,
};

/* Where it is counted. NULL when memory is out. */
static struct prof_row *row_of(struct agg *agg, uint32_t pid, enum event_source event, uint64_t stack_id, uint64_t context_id)
{
	struct profile *prof = agg->prof;
	enum source source = sources[event];
	uint32_t stack = stack_of(agg, stack_id), context = context_of(agg, context_id), row;

	if (prof->nrows >= agg->limits.rows && !profile__has_row(prof, pid, source, context, stack)) {
		agg->stats.rows++;
		stack = lost_stack(agg); /* one row for each process and source: these are few */
		context = 0;
	}
	row = stack == PROF_NONE ? PROF_NONE : profile__add_row(prof, pid, source, context, stack);
	return row == PROF_NONE ? NULL : &prof->rows[row];
}

static int on_live(void *ctx, uint32_t pid, enum event_source source, uint64_t stack_id, uint64_t context_id,
		   const struct event_live *live)
{
	struct prof_row *row = row_of(ctx, pid, source, stack_id, context_id);

	if (!row)
		return -ENOMEM;
	row->total.live_objects += live->objects;
	row->total.live_bytes += live->bytes;
	row->total.live_objects_var += live->objects_var;
	row->total.live_bytes_var += live->bytes_var;
	return 0;
}

static int on_age(void *ctx, uint32_t pid, enum event_source source, uint64_t stack_id, uint64_t context_id,
		  const struct event_age *age)
{
	struct prof_row *row = row_of(ctx, pid, source, stack_id, context_id);

	if (!row)
		return -ENOMEM;
	row->total.aged_objects = age->objects;
	row->total.oldest_s = age->oldest_s;
	row->total.median_age_s = age->median_s;
	return 0;
}

static const enum rss_kind rss_kinds[] = {
	[EVENT_RSS_FILE] = RSS_FILE,
	[EVENT_RSS_ANON] = RSS_ANON,
	[EVENT_RSS_SWAP] = RSS_SWAP,
	[EVENT_RSS_SHMEM] = RSS_SHMEM,
};

static void on_burst(void *ctx, const struct event_burst *burst)
{
	struct agg *agg = ctx;
	struct prof_sampling *sampling = &agg->prof->sampling;

	agg->burst = *burst;
	sampling->bursts++;
	sampling->seen_s += burst->seen_s;
	sampling->parts_s[burst->nr % PROF_PARTS] += burst->stands_for_s;
}

/* The whole part of @rest + @value; the rest is kept. */
static uint64_t take_whole(double *rest, double value)
{
	uint64_t whole = (uint64_t)(*rest + value);

	*rest += value - (double)whole;
	return whole;
}

/* What the counts of a burst stand for. */
static int add_sampled(struct agg *agg, struct prof_row *row, const struct event_counts *counts)
{
	size_t index = row - agg->prof->rows;
	bool by_time = counts->scale.objects == 0;
	const struct event_scale *scale = by_time ? &agg->burst.scale : &counts->scale;
	double objects = (double)counts->objects * scale->objects, bytes = (double)counts->bytes * scale->bytes;
	uint32_t part = agg->burst.nr % PROF_PARTS;
	struct rest *rest;

	if (vec_reserve((void **)&agg->rests, &agg->cap_rests, index + 1, sizeof(*agg->rests)))
		return -ENOMEM;
	while (agg->nrests <= index)
		agg->rests[agg->nrests++] = (struct rest){ 0 };
	rest = &agg->rests[index];
	row->total.alloc_objects += take_whole(&rest->objects, objects);
	row->total.alloc_bytes += take_whole(&rest->bytes, bytes);
	row->total.requested_bytes += take_whole(&rest->requested_bytes, (double)counts->requested_bytes * scale->bytes);
	row->total.parts.objects[part] += (float)objects;
	row->total.parts.bytes[part] += (float)bytes;
	row->total.parts.objects_doubt += (float)(objects * scale->doubt);
	row->total.parts.bytes_doubt += (float)(bytes * scale->doubt);
	if (by_time) {
		row->total.parts.objects_by_time += (float)objects;
		row->total.parts.bytes_by_time += (float)bytes;
	}
	return 0;
}

static int on_counts(void *ctx, uint32_t pid, enum event_source source, uint64_t stack_id, uint64_t context_id,
		     const struct event_counts *counts)
{
	struct prof_row *row = row_of(ctx, pid, source, stack_id, context_id);

	if (!row)
		return -ENOMEM;
	if (source == EVENT_RSS) {
		struct prof_moved *moved = &row->total.rss[rss_kinds[counts->rss_kind]];

		if (counts->bytes > 0)
			moved->grown_bytes += counts->bytes;
		else
			moved->released_bytes -= counts->bytes;
		return 0;
	}
	row->goroutines += counts->goroutines;
	if (counts->is_sampled)
		return add_sampled(ctx, row, counts);
	row->total.alloc_objects += counts->objects;
	row->total.alloc_bytes += counts->bytes;
	row->total.requested_bytes += counts->requested_bytes;
	row->total.free_objects += counts->free_objects;
	row->total.free_bytes += counts->free_bytes;
	return 0;
}

static int on_touch(void *ctx, uint32_t pid, uint64_t stack_id, uint64_t context_id, const struct event_touch *touch)
{
	struct agg *agg = ctx;
	struct prof_row *row = row_of(agg, pid, EVENT_RSS, stack_id, context_id);
	uint32_t index;

	if (!row)
		return -ENOMEM;
	if (agg->prof->ntouches >= agg->limits.rows) {
		agg->stats.touches++;
		return 0;
	}
	index = profile__add_touch(agg->prof, (uint32_t)(row - agg->prof->rows), sources[touch->by],
				   stack_of(agg, touch->by_stack_id));
	if (index == PROF_NONE)
		return -ENOMEM;
	agg->prof->touches[index].bytes += touch->bytes;
	return 0;
}

void agg__stats(const struct agg *agg, struct agg_stats *ret)
{
	*ret = agg->stats;
}

struct event_sink agg__sink(struct agg *agg)
{
	return (struct event_sink){ agg, on_stack, on_context, on_counts, on_live, on_age, on_cause, on_touch, on_burst };
}
