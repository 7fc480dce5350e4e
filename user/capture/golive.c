// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/golive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/vec.h"

#define MAX_BEFORE (1u << 30) /* sampled objects of one bucket; more is nonsense */

/* A bucket of the memory profile that had live objects at the attach. */
struct before {
	uint64_t stack_id;
	uint64_t object_bytes;
	uint64_t objects; /* sampled ones that are still there */
	double chance;
};

struct process {
	pid_t pid;
	bool begun;
	bool starts; /* its runtime may not have set itself up yet */
	uint64_t profile_rate; /* as last seen when the profile was on */
	struct hmap *index; /* bucket -> index in before; NULL: not known */
	struct before *before;
	size_t cap;
};

struct golive {
	struct event_sink sink;
	struct goheap *heap;
	struct golive_opts opts;
	struct process *processes; /* by slot */
	size_t nprocesses, cap;
	struct golive_stats stats;
};

int golive__new(const struct event_sink *sink, const struct golive_opts *opts, struct golive **ret)
{
	struct golive *live = calloc(1, sizeof(*live));

	if (!live)
		return -ENOMEM;
	live->sink = *sink;
	live->opts = *opts;
	if (goheap__new(sink, &live->heap)) {
		free(live);
		return -ENOMEM;
	}
	*ret = live;
	return 0;
}

static void forget_before(struct process *p)
{
	hmap__free(p->index);
	free(p->before);
	p->index = NULL;
	p->before = NULL;
	p->cap = 0;
}

void golive__free(struct golive *live)
{
	if (!live)
		return;
	for (size_t i = 0; i < live->nprocesses; i++)
		forget_before(&live->processes[i]);
	free(live->processes);
	goheap__free(live->heap);
	free(live);
}

static struct process *process_of(struct golive *live, uint32_t slot)
{
	if (vec_reserve((void **)&live->processes, &live->cap, (size_t)slot + 1, sizeof(*live->processes)))
		return NULL;
	while (live->nprocesses <= slot)
		live->processes[live->nprocesses++] = (struct process){ 0 };
	return &live->processes[slot];
}

struct reading {
	struct golive *live;
	struct process *process;
	const struct golive_frames *frames;
};

/* The stack of a bucket has an id that no stack of the probes has: these have their top bit set. */
static uint64_t before_stack_id(const struct process *p, uint64_t bucket)
{
	uint64_t key[] = { (uint64_t)p->pid, bucket };

	return (hash_bytes(key, sizeof(key)) >> 1) | 1ull << 62;
}

static void on_bucket(void *ctx, const struct gomemprof_bucket *bucket)
{
	struct reading *r = ctx;
	struct process *p = r->process;
	struct event_frame frames[GOMEMPROF_MAX_STACK];
	struct event_live live;
	struct before *before;
	uint32_t index, n;
	bool added;

	if (bucket->allocs <= bucket->frees || bucket->allocs - bucket->frees > MAX_BEFORE || !bucket->object_bytes ||
	    bucket->object_bytes < r->live->opts.min_size_bytes || bucket->object_bytes > r->live->opts.max_size_bytes ||
	    vec_reserve((void **)&p->before, &p->cap, (size_t)hmap__len(p->index) + 1, sizeof(*p->before)))
		return;
	index = hmap__add(p->index, &bucket->addr, &added);
	if (index == HMAP_NONE || !added)
		return; /* a list that comes back to itself */
	before = &p->before[index];
	*before = (struct before){ before_stack_id(p, bucket->addr), bucket->object_bytes, bucket->allocs - bucket->frees,
				   gomemprof_chance(bucket->object_bytes, p->profile_rate) };
	r->live->stats.before_samples += before->objects;
	n = r->frames->resolve(r->frames->ctx, bucket->stack, bucket->nstack, frames);
	r->live->sink.on_stack(r->live->sink.ctx, before->stack_id, frames, n, 0);
	live = goheap_estimate((double)before->objects, before->object_bytes, before->chance);
	r->live->sink.on_live(r->live->sink.ctx, (uint32_t)p->pid, EVENT_GO, before->stack_id, 0, &live);
}

/* What is live already, by the profile's own books. */
static void read_before(struct golive *live, struct process *p, const struct plan *plan, uint64_t bias,
			const struct golive_frames *frames, const struct mem_reader *reader)
{
	struct reading r = { live, p, frames };

	if (!plan->memprof.mbuckets || hmap__new(sizeof(uint64_t), &p->index))
		return;
	live->stats.before_cut += gomemprof_each(&plan->memprof, plan->layout, reader, bias, on_bucket, &r) != 0;
	live->stats.has_before |= hmap__len(p->index) != 0;
}

void golive__begin(struct golive *live, uint32_t slot, struct abi_go *go)
{
	struct process *p = process_of(live, slot);

	if (p)
		p->begun = p->starts = true; /* nothing was there before */
	go->live = ABI_GO_LIVE_MARKS;
	go->sample_bytes = live->opts.rate_bytes;
}

/* false: the process cannot be asked, it is ending. Where no rate is to be found it is 0: we sample. */
static bool read_rate(const struct plan *plan, const struct mem_reader *reader, uint64_t bias, uint64_t *ret)
{
	*ret = 0;
	return !plan->memprof.nrates || gomemprof_rate(&plan->memprof, reader, bias, ret);
}

bool golive__follow(struct golive *live, uint32_t slot, pid_t pid, const struct plan *plan, uint64_t bias,
		    const struct golive_frames *frames, struct abi_go *go)
{
	struct process *p = process_of(live, slot);
	struct mem_reader reader = proc_mem_reader(&pid);
	uint64_t rate;
	uint16_t mode;

	if (!p || !read_rate(plan, &reader, bias, &rate))
		return false;
	p->pid = pid;
	goheap__check(live->heap, slot, plan->layout, &reader);
	if (p->starts) {
		/* The rate is what the file says: the runtime may turn the profile off, main() set another. */
		p->starts = false;
		return false;
	}
	if (rate)
		p->profile_rate = rate;
	mode = rate ? ABI_GO_LIVE_PROFILER : ABI_GO_LIVE_MARKS;
	live->stats.profiler_is_on = rate != 0;
	live->stats.rate_bytes = rate ? rate : live->opts.rate_bytes;
	if (!p->begun && rate && live->opts.want_before)
		read_before(live, p, plan, bias, frames, &reader);
	p->begun = true;
	if (go->live == mode && go->sample_bytes == live->opts.rate_bytes)
		return false;
	go->live = mode;
	go->sample_bytes = live->opts.rate_bytes;
	return true;
}

void golive__gc(struct golive *live, uint32_t slot)
{
	goheap__gc(live->heap, slot);
}

/* @n objects of a bucket are gone. */
static void take_before(struct golive *live, const struct process *p, struct before *before, uint64_t n)
{
	struct event_live gone = goheap_estimate(-(double)n, before->object_bytes, before->chance);

	before->objects -= n;
	live->stats.before_samples -= n;
	live->sink.on_live(live->sink.ctx, (uint32_t)p->pid, EVENT_GO, before->stack_id, 0, &gone);
}

static void free_before(struct golive *live, struct process *p, const struct abi_rec_object *rec)
{
	uint32_t index = p->index ? hmap__find(p->index, &rec->span) : HMAP_NONE;

	if (index != HMAP_NONE && p->before[index].objects)
		take_before(live, p, &p->before[index], 1);
}

void golive__on_object(struct golive *live, uint32_t slot, const struct abi_rec_object *rec)
{
	struct process *p = process_of(live, slot);
	double chance;

	if (!p || !rec->bytes)
		return;
	if (rec->rec.kind == ABI_REC_FREE) {
		if (!goheap__free_profiled(live->heap, slot, rec))
			free_before(live, p, rec);
		return;
	}
	live->stats.from_marks |= rec->span != 0;
	live->stats.from_profiler |= rec->span == 0;
	chance = rec->span ? (double)abi_sample_chance(rec->bytes, live->opts.rate_bytes) / 4294967296.0 :
			     gomemprof_chance(rec->bytes, p->profile_rate);
	goheap__add(live->heap, slot, rec, chance);
}

void golive__drop(struct golive *live, uint32_t slot)
{
	struct process *p = process_of(live, slot);

	goheap__drop(live->heap, slot);
	if (!p)
		return;
	for (uint32_t i = 0; p->index && i < hmap__len(p->index); i++)
		take_before(live, p, &p->before[i], p->before[i].objects);
	forget_before(p);
	p->begun = false;
}

void golive__forget(struct golive *live, uint32_t slot)
{
	struct process *p = process_of(live, slot);

	live->stats.ended_samples += goheap__forget(live->heap, slot);
	if (p)
		forget_before(p);
}

void golive__stats(const struct golive *live, struct golive_stats *ret)
{
	*ret = live->stats;
	goheap__stats(live->heap, &ret->heap);
}
