// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/vec.h"
#include "capture/goheap.h"

/* The blocks of one stack; its id is no other process's. */
struct group {
	uint32_t pid;
	bool is_last; /* of a process that has ended: stays as it is */
	uint32_t n; /* in this scan, of those that count as live */
	uint64_t oldest_ns;
	struct event_live live, told;
	uint64_t aged; /* objects at the last on_age */
};

struct blocks {
	struct event_sink sink;
	struct blocks_opts opts;
	struct hmap *index; /* stack id -> group */
	struct group *groups;
	size_t cap_groups;
	/* By block, in the order of the scan. */
	uint32_t *owners;
	uint64_t *ages_ns;
	size_t n, cap_owners, cap_ages;
	uint64_t seen, len;
};

int blocks__new(const struct event_sink *sink, const struct blocks_opts *opts, struct blocks **ret)
{
	struct blocks *b = calloc(1, sizeof(*b));

	if (!b || hmap__new(sizeof(uint64_t), &b->index)) {
		free(b);
		return -ENOMEM;
	}
	b->sink = *sink;
	b->opts = *opts;
	*ret = b;
	return 0;
}

void blocks__free(struct blocks *blocks)
{
	if (!blocks)
		return;
	hmap__free(blocks->index);
	free(blocks->groups);
	free(blocks->owners);
	free(blocks->ages_ns);
	free(blocks);
}

bool blocks__counts_live(const struct blocks *blocks)
{
	return blocks->opts.rate_bytes || blocks->opts.older_ns;
}

uint64_t blocks__len(const struct blocks *blocks)
{
	return blocks->len;
}

void blocks__begin(struct blocks *blocks)
{
	blocks->n = 0;
	blocks->seen = 0;
	for (uint32_t i = 0; i < hmap__len(blocks->index); i++) {
		struct group *g = &blocks->groups[i];

		if (g->is_last)
			continue;
		g->n = 0;
		g->oldest_ns = 0;
		g->live = (struct event_live){ 0 };
	}
}

static struct group *group_of(struct blocks *b, uint64_t stack_id, uint32_t pid, uint32_t *ret)
{
	bool added;

	if (vec_reserve((void **)&b->groups, &b->cap_groups, (size_t)hmap__len(b->index) + 1, sizeof(*b->groups)))
		return NULL;
	*ret = hmap__add(b->index, &stack_id, &added);
	if (*ret == HMAP_NONE)
		return NULL;
	if (added)
		b->groups[*ret] = (struct group){ .pid = pid };
	return &b->groups[*ret];
}

static void add_live(struct event_live *to, const struct event_live *live)
{
	to->objects += live->objects;
	to->bytes += live->bytes;
	to->objects_var += live->objects_var;
	to->bytes_var += live->bytes_var;
}

int blocks__add(struct blocks *blocks, uint32_t pid, const struct abi_block *block, uint64_t age_ns, bool is_last)
{
	const uint64_t rate = blocks->opts.rate_bytes, bytes = block->bytes;
	/* One of no bytes has the chance of one of 1 (bpf/blocks.bpf.h). */
	double chance = rate ? (double)abi_sample_chance(bytes ? bytes : 1, rate) / 4294967296.0 : 1;
	struct event_live live = goheap_estimate(1, bytes, chance);
	struct group *g;
	uint32_t owner;

	blocks->seen++;
	if (age_ns < blocks->opts.older_ns)
		return 0;
	if (vec_reserve((void **)&blocks->owners, &blocks->cap_owners, blocks->n + 1, sizeof(*blocks->owners)) ||
	    vec_reserve((void **)&blocks->ages_ns, &blocks->cap_ages, blocks->n + 1, sizeof(*blocks->ages_ns)))
		return -ENOMEM;
	g = group_of(blocks, block->stack_id, pid, &owner);
	if (!g)
		return -ENOMEM;
	g->n++;
	g->is_last |= is_last;
	g->oldest_ns = age_ns > g->oldest_ns ? age_ns : g->oldest_ns;
	add_live(&g->live, &live);
	blocks->owners[blocks->n] = owner;
	blocks->ages_ns[blocks->n++] = age_ns;
	return 0;
}

static int compare_u64(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Of blocks with the same chance; where sizes at one stack differ much, large ones weigh more than they should. */
static double median_s(uint64_t *ages_ns, uint32_t n)
{
	qsort(ages_ns, n, sizeof(*ages_ns), compare_u64);
	return ((double)ages_ns[(n - 1) / 2] + (double)ages_ns[n / 2]) / 2e9;
}

static void tell(struct blocks *b, uint64_t stack_id, struct group *g, uint64_t *ages_ns)
{
	struct event_live change = { g->live.objects - g->told.objects, g->live.bytes - g->told.bytes,
				     g->live.objects_var - g->told.objects_var, g->live.bytes_var - g->told.bytes_var };
	struct event_age age = { .objects = g->n };

	if (blocks__counts_live(b))
		b->sink.on_live(b->sink.ctx, g->pid, EVENT_MALLOC, stack_id, 0, &change);
	g->told = g->live;
	if (!g->n && !g->aged)
		return;
	age.oldest_s = (double)g->oldest_ns / 1e9;
	age.median_s = g->n ? median_s(ages_ns, g->n) : 0;
	b->sink.on_age(b->sink.ctx, g->pid, EVENT_MALLOC, stack_id, 0, &age);
	g->aged = g->n;
}

int blocks__end(struct blocks *blocks)
{
	uint32_t ngroups = hmap__len(blocks->index);
	uint64_t *sorted = malloc((blocks->n + 1) * sizeof(*sorted));
	size_t *ends = calloc((size_t)ngroups + 1, sizeof(*ends));
	size_t at = 0;

	if (!sorted || !ends) {
		free(sorted);
		free(ends);
		return -ENOMEM;
	}
	/* By group: where each begins, then where the next of it goes. */
	for (size_t i = 0; i < blocks->n; i++)
		ends[blocks->owners[i] + 1]++;
	for (uint32_t i = 0; i < ngroups; i++)
		ends[i + 1] += ends[i];
	for (size_t i = 0; i < blocks->n; i++)
		sorted[ends[blocks->owners[i]]++] = blocks->ages_ns[i];
	for (uint32_t i = 0; i < ngroups; i++) {
		struct group *g = &blocks->groups[i];
		bool is_old = g->is_last && ends[i] == at; /* nothing new of it */

		if (!is_old)
			tell(blocks, *(const uint64_t *)hmap__key(blocks->index, i), g, sorted + at);
		at = ends[i];
	}
	blocks->len = blocks->seen;
	free(sorted);
	free(ends);
	return 0;
}
