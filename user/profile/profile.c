// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How the profile finds what it has.
 *
 * Everything is a dense array with an index beside it, from key to position, so
 * consumers walk plain arrays and never see the indices. Modules, targets, locations
 * and rows have fixed-size keys and use base/hmap.h.
 *
 * Stacks are lists of any length. Their key is their content: an open addressing table of
 * stack numbers, with a full 64-bit hash per stack that saves most comparisons and makes
 * growing cheap. Equality is decided by comparing the lists, never by the hash: two
 * stacks are merged only if they are the same, whatever the hash does. (The hash of the
 * kernel side could not be used: it covers addresses, which differ between processes.)
 *
 * The value arrays are grown before the index takes the key, so that when memory is out both
 * stay as they were.
 */
#include "profile/profile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/vec.h"
#include "profile/timeline.h"

struct profile_priv {
	struct hmap *modules, *targets, *locs, *contexts, *rows, *touches;
	size_t cap_modules, cap_targets, cap_locs, cap_frames, cap_stack_locs, cap_stacks, cap_contexts, cap_rows, cap_touches;

	uint64_t *stack_hashes; /* by stack */
	size_t cap_stack_hashes;
	uint32_t *stack_slots; /* stack + 1, 0 is free */
	uint32_t stack_mask;
};

/* Keys are compared as bytes: no padding in any of them. */
struct module_key {
	uint32_t path, build_id;
	uint64_t start, end, file_off; /* 0 when there is a build ID */
};

struct loc_key {
	uint32_t module, zero;
	uint64_t vaddr;
};

struct context_key {
	uint32_t typing, type_module;
	uint64_t type_vaddr;
	uint32_t creator, labels;
};

struct row_key {
	uint32_t pid, source, context, stack;
};

struct touch_key {
	uint32_t row, source, stack;
};

_Static_assert(sizeof(struct module_key) == 32, "padding in a key");
_Static_assert(sizeof(struct loc_key) == 16, "padding in a key");
_Static_assert(sizeof(struct context_key) == 24, "padding in a key");
_Static_assert(sizeof(struct row_key) == 16, "padding in a key");
_Static_assert(sizeof(struct touch_key) == 12, "padding in a key");

#define STACK_SLOTS_MIN 256u

const char *source_name(enum source source)
{
	static const char *const names[SOURCE__N] = {
		[SOURCE_GO] = "go",
		[SOURCE_MALLOC] = "malloc",
		[SOURCE_MMAP] = "mmap",
		[SOURCE_RSS] = "rss",
	};

	return (unsigned int)source < SOURCE__N ? names[source] : "unknown";
}

int profile__new(struct profile **ret)
{
	static const struct prof_context nothing = { .creator = PROF_NONE };
	struct profile *prof = calloc(1, sizeof(*prof));
	struct profile_priv *priv;

	if (!prof)
		return -ENOMEM;
	prof->mode = "exact";
	priv = prof->priv = calloc(1, sizeof(*priv));
	prof->losses = calloc(PROF_MAX_LOSSES, sizeof(*prof->losses));
	if (!priv || !prof->losses)
		goto out_free;
	priv->stack_mask = STACK_SLOTS_MIN - 1;
	priv->stack_slots = calloc(STACK_SLOTS_MIN, sizeof(*priv->stack_slots));
	if (!priv->stack_slots || strtab__new(&prof->strs) ||
	    hmap__new(sizeof(struct module_key), &priv->modules) || hmap__new(sizeof(uint32_t), &priv->targets) ||
	    hmap__new(sizeof(struct loc_key), &priv->locs) || hmap__new(sizeof(struct context_key), &priv->contexts) ||
	    hmap__new(sizeof(struct row_key), &priv->rows) || hmap__new(sizeof(struct touch_key), &priv->touches) ||
	    profile__add_context(prof, &nothing) == PROF_NONE)
		goto out_free;
	*ret = prof;
	return 0;
out_free:
	profile__free(prof);
	return -ENOMEM;
}

void profile__free(struct profile *prof)
{
	if (!prof)
		return;
	if (prof->priv) {
		hmap__free(prof->priv->modules);
		hmap__free(prof->priv->targets);
		hmap__free(prof->priv->locs);
		hmap__free(prof->priv->contexts);
		hmap__free(prof->priv->rows);
		hmap__free(prof->priv->touches);
		free(prof->priv->stack_hashes);
		free(prof->priv->stack_slots);
		free(prof->priv);
	}
	timeline__free(prof->timeline);
	free(prof->modules);
	free(prof->targets);
	free(prof->locs);
	free(prof->frames);
	free(prof->stack_locs);
	free(prof->stacks);
	free(prof->contexts);
	free(prof->rows);
	free(prof->touches);
	free(prof->losses);
	strtab__free(prof->strs);
	free(prof);
}

uint32_t profile__add_module(struct profile *prof, const struct prof_module *mod)
{
	struct profile_priv *priv = prof->priv;
	struct module_key key = { .path = mod->path, .build_id = mod->build_id };
	uint32_t index;
	bool added;

	if (!mod->build_id) {
		key.start = mod->start;
		key.end = mod->end;
		key.file_off = mod->file_off;
	}
	if (vec_reserve((void **)&prof->modules, &priv->cap_modules, (size_t)prof->nmodules + 1,
			sizeof(*prof->modules)))
		return PROF_NONE;
	index = hmap__add(priv->modules, &key, &added);
	if (index == HMAP_NONE)
		return PROF_NONE;
	if (added)
		prof->modules[prof->nmodules++] = *mod;
	return index;
}

uint32_t profile__add_target(struct profile *prof, uint32_t pid)
{
	struct profile_priv *priv = prof->priv;
	uint32_t index;
	bool added;

	if (vec_reserve((void **)&prof->targets, &priv->cap_targets, (size_t)prof->ntargets + 1,
			sizeof(*prof->targets)))
		return PROF_NONE;
	index = hmap__add(priv->targets, &pid, &added);
	if (index == HMAP_NONE)
		return PROF_NONE;
	if (added)
		prof->targets[prof->ntargets++] = (struct prof_target){ .pid = pid, .exit_code = PROF_RUNNING };
	return index;
}

struct prof_target *profile__find_target(const struct profile *prof, uint32_t pid)
{
	uint32_t index = hmap__find(prof->priv->targets, &pid);

	return index == HMAP_NONE ? NULL : &prof->targets[index];
}

uint32_t profile__add_loc(struct profile *prof, uint32_t module, uint64_t vaddr, uint64_t addr)
{
	struct profile_priv *priv = prof->priv;
	struct loc_key key = { .module = module, .vaddr = vaddr };
	uint32_t index;
	bool added;

	if (module != PROF_NONE && module >= prof->nmodules)
		return PROF_NONE;
	if (vec_reserve((void **)&prof->locs, &priv->cap_locs, (size_t)prof->nlocs + 1, sizeof(*prof->locs)))
		return PROF_NONE;
	index = hmap__add(priv->locs, &key, &added);
	if (index == HMAP_NONE)
		return PROF_NONE;
	if (added)
		prof->locs[prof->nlocs++] = (struct prof_loc){ .module = module, .vaddr = vaddr, .addr = addr };
	return index;
}

static uint64_t hash_stack(const uint32_t *locs, uint32_t nlocs, uint32_t flags)
{
	return hash_bytes(locs, (size_t)nlocs * sizeof(*locs)) ^ flags * 0x9e3779b97f4a7c15u;
}

static bool stack_is(const struct profile *prof, uint32_t stack, const uint32_t *locs, uint32_t nlocs, uint32_t flags)
{
	const struct prof_stack *s = &prof->stacks[stack];

	return s->nlocs == nlocs && s->flags == flags &&
	       (!nlocs || memcmp(&prof->stack_locs[s->first], locs, nlocs * sizeof(*locs)) == 0);
}

static int grow_stack_slots(struct profile *prof)
{
	struct profile_priv *priv = prof->priv;
	uint32_t mask = priv->stack_mask * 2 + 1, slot;
	uint32_t *slots = calloc((size_t)mask + 1, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < prof->nstacks; i++) {
		for (slot = (uint32_t)priv->stack_hashes[i] & mask; slots[slot]; slot = (slot + 1) & mask)
			;
		slots[slot] = i + 1;
	}
	free(priv->stack_slots);
	priv->stack_slots = slots;
	priv->stack_mask = mask;
	return 0;
}

static int reserve_stack(struct profile *prof, uint32_t nlocs)
{
	struct profile_priv *priv = prof->priv;

	if (prof->nstacks >= PROF_NONE / 4 || nlocs > PROF_NONE - prof->nstack_locs)
		return -ENOMEM;
	if (vec_reserve((void **)&prof->stacks, &priv->cap_stacks, (size_t)prof->nstacks + 1, sizeof(*prof->stacks)) ||
	    vec_reserve((void **)&priv->stack_hashes, &priv->cap_stack_hashes, (size_t)prof->nstacks + 1,
			sizeof(*priv->stack_hashes)) ||
	    vec_reserve((void **)&prof->stack_locs, &priv->cap_stack_locs, (size_t)prof->nstack_locs + nlocs,
			sizeof(*prof->stack_locs)))
		return -ENOMEM;
	return prof->nstacks < priv->stack_mask / 4 * 3 ? 0 : grow_stack_slots(prof);
}

uint32_t profile__add_stack(struct profile *prof, const uint32_t *locs, uint32_t nlocs, uint32_t flags)
{
	struct profile_priv *priv = prof->priv;
	uint64_t hash = hash_stack(locs, nlocs, flags);
	uint32_t slot;

	for (uint32_t i = 0; i < nlocs; i++) {
		if (locs[i] >= prof->nlocs)
			return PROF_NONE;
	}
	if (reserve_stack(prof, nlocs))
		return PROF_NONE;
	for (slot = (uint32_t)hash & priv->stack_mask; priv->stack_slots[slot]; slot = (slot + 1) & priv->stack_mask) {
		uint32_t stack = priv->stack_slots[slot] - 1;

		if (priv->stack_hashes[stack] == hash && stack_is(prof, stack, locs, nlocs, flags))
			return stack;
	}
	if (nlocs)
		memcpy(&prof->stack_locs[prof->nstack_locs], locs, nlocs * sizeof(*locs));
	prof->stacks[prof->nstacks] = (struct prof_stack){ prof->nstack_locs, nlocs, flags };
	prof->nstack_locs += nlocs;
	priv->stack_hashes[prof->nstacks] = hash;
	priv->stack_slots[slot] = ++prof->nstacks;
	return prof->nstacks - 1;
}

uint32_t profile__add_context(struct profile *prof, const struct prof_context *context)
{
	struct profile_priv *priv = prof->priv;
	struct context_key key = { context->typing, context->type_module, context->type_vaddr, context->creator,
				   context->labels };
	uint32_t index;
	bool added;

	if (context->creator != PROF_NONE && context->creator >= prof->nlocs)
		return PROF_NONE;
	if (vec_reserve((void **)&prof->contexts, &priv->cap_contexts, (size_t)prof->ncontexts + 1, sizeof(*prof->contexts)))
		return PROF_NONE;
	index = hmap__add(priv->contexts, &key, &added);
	if (index != HMAP_NONE && added)
		prof->contexts[prof->ncontexts++] = *context;
	return index == HMAP_NONE ? PROF_NONE : index;
}

uint32_t profile__add_row(struct profile *prof, uint32_t pid, enum source source, uint32_t context, uint32_t stack)
{
	struct profile_priv *priv = prof->priv;
	struct row_key key = { pid, source, context, stack };
	uint32_t index;
	bool added;

	if (stack >= prof->nstacks || context >= prof->ncontexts || (unsigned int)source >= SOURCE__N)
		return PROF_NONE;
	if (vec_reserve((void **)&prof->rows, &priv->cap_rows, (size_t)prof->nrows + 1, sizeof(*prof->rows)))
		return PROF_NONE;
	index = hmap__add(priv->rows, &key, &added);
	if (index == HMAP_NONE)
		return PROF_NONE;
	if (added)
		prof->rows[prof->nrows++] = (struct prof_row){
			.pid = pid, .source = source, .context = context, .stack = stack, .touches = PROF_NONE };
	return index;
}

uint32_t profile__add_touch(struct profile *prof, uint32_t row, enum source source, uint32_t stack)
{
	struct profile_priv *priv = prof->priv;
	struct touch_key key = { row, source, stack };
	uint32_t index;
	bool added;

	if (row >= prof->nrows || stack >= prof->nstacks || (unsigned int)source >= SOURCE__N)
		return PROF_NONE;
	if (vec_reserve((void **)&prof->touches, &priv->cap_touches, (size_t)prof->ntouches + 1, sizeof(*prof->touches)))
		return PROF_NONE;
	index = hmap__add(priv->touches, &key, &added);
	if (index == HMAP_NONE)
		return PROF_NONE;
	if (added) {
		prof->touches[prof->ntouches++] =
			(struct prof_touch){ .source = source, .stack = stack, .next = prof->rows[row].touches };
		prof->rows[row].touches = index;
	}
	return index;
}

bool profile__has_row(const struct profile *prof, uint32_t pid, enum source source, uint32_t context, uint32_t stack)
{
	const struct row_key key = { pid, source, context, stack };

	return hmap__find(prof->priv->rows, &key) != HMAP_NONE;
}

int profile__set_frames(struct profile *prof, uint32_t loc, const struct prof_frame *frames, uint32_t nframes)
{
	struct prof_loc *l = &prof->locs[loc];

	if (l->nframes || !nframes)
		return 0;
	if (nframes > PROF_NONE - prof->nframes ||
	    vec_reserve((void **)&prof->frames, &prof->priv->cap_frames, (size_t)prof->nframes + nframes,
			sizeof(*prof->frames)))
		return -ENOMEM;
	memcpy(&prof->frames[prof->nframes], frames, nframes * sizeof(*frames));
	l->first_frame = prof->nframes;
	l->nframes = nframes;
	prof->nframes += nframes;
	return 0;
}

struct prof_loss *profile__loss(struct profile *prof, const char *name, const char *text)
{
	for (uint32_t i = 0; i < prof->nlosses; i++) {
		if (strcmp(prof->losses[i].name, name) == 0)
			return &prof->losses[i];
	}
	if (prof->nlosses == PROF_MAX_LOSSES)
		return &prof->losses[PROF_MAX_LOSSES - 1];
	if (prof->nlosses == PROF_MAX_LOSSES - 1) {
		name = "other";
		text = "more kinds of losses than can be told apart";
	}
	prof->losses[prof->nlosses] = (struct prof_loss){ .name = name, .text = text };
	return &prof->losses[prof->nlosses++];
}

void profile__mark(struct profile *prof)
{
	for (uint32_t i = 0; i < prof->nrows; i++) {
		prof->rows[i].marked = prof->rows[i].total;
		prof->rows[i].goroutines_marked = prof->rows[i].goroutines;
	}
	for (uint32_t i = 0; i < prof->ntouches; i++)
		prof->touches[i].marked_bytes = prof->touches[i].bytes;
	for (uint32_t i = 0; i < prof->ntargets; i++) {
		prof->targets[i].rss_marked_bytes = prof->targets[i].rss_now_bytes;
		prof->targets[i].cpu_marked_ns = prof->targets[i].cpu_ns;
	}
	for (uint32_t i = 0; i < prof->nlosses; i++)
		prof->losses[i].marked = prof->losses[i].count;
	for (int i = 0; i < RSS_KIND__N; i++)
		prof->rss_kinds[i].marked_bytes = prof->rss_kinds[i].now_bytes;
	prof->cost_marked = prof->cost;
	prof->sampling_marked = prof->sampling;
	prof->mark_unix_ns = prof->now_unix_ns;
}

static bool is_at_peak(const struct profile *prof, const struct prof_row *row)
{
	const struct prof_target *t = row->source == SOURCE_MALLOC ? profile__find_target(prof, row->pid) : NULL;

	return row->source == SOURCE_MALLOC && (!t || t->exit_code == PROF_RUNNING);
}

void profile__note_peak(struct profile *prof, uint64_t now_unix_ns)
{
	struct prof_peak now = { .measured = true, .unix_ns = now_unix_ns, .snapshots = prof->peak.snapshots + 1 };

	prof->peak.measured = true;
	for (uint32_t i = 0; i < prof->nrows; i++) {
		if (!is_at_peak(prof, &prof->rows[i]))
			continue;
		now.bytes += prof->rows[i].total.live_bytes;
		now.objects += prof->rows[i].total.live_objects;
	}
	if (now.bytes <= prof->peak.bytes)
		return;
	prof->peak = now;
	for (uint32_t i = 0; i < prof->nrows; i++) {
		struct prof_row *row = &prof->rows[i];
		bool counts = is_at_peak(prof, row);

		row->total.peak_bytes = counts ? row->total.live_bytes : 0;
		row->total.peak_objects = counts ? row->total.live_objects : 0;
	}
}

void profile__note_rss_peak(struct profile *prof, uint64_t now_unix_ns)
{
	struct prof_peak now = { .measured = true, .unix_ns = now_unix_ns, .snapshots = prof->rss_peak.snapshots + 1,
				 .high_bytes = prof->rss_peak.high_bytes };

	prof->rss_peak.measured = true;
	for (uint32_t i = 0; i < prof->ntargets; i++)
		now.bytes += (double)prof->targets[i].rss_start_bytes;
	for (uint32_t i = 0; i < prof->nrows; i++)
		if (prof->rows[i].source == SOURCE_RSS)
			now.bytes += (double)prof_rss_bytes(&prof->rows[i].total);
	if (now.bytes <= prof->rss_peak.bytes)
		return;
	prof->rss_peak = now;
	for (uint32_t i = 0; i < prof->nrows; i++)
		if (prof->rows[i].source == SOURCE_RSS)
			prof->rows[i].total.peak_rss_bytes = prof_rss_bytes(&prof->rows[i].total);
}

/* What a counter grew by; one that went back (a process that is gone reads 0) did not grow. */
static uint64_t grown(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

double prof_se(double var)
{
	return var > 0 ? sqrt(var) : 0;
}

const char *rss_method_name(enum rss_method method)
{
	static const char *const names[] = {
		[RSS_BY_PROC] = "proc",
		[RSS_BY_FAULTS] = "page_faults",
		[RSS_BY_COUNTERS] = "rss_stat",
	};

	return names[method];
}

struct prof_moved prof_rss_moved(const struct prof_counts *counts)
{
	struct prof_moved sum = { 0 };

	for (int k = 0; k < RSS_KIND__N; k++) {
		if (k == RSS_SWAP)
			continue;
		sum.grown_bytes += counts->rss[k].grown_bytes;
		sum.released_bytes += counts->rss[k].released_bytes;
	}
	return sum;
}

int64_t prof_rss_bytes(const struct prof_counts *counts)
{
	struct prof_moved sum = prof_rss_moved(counts);

	return (int64_t)(sum.grown_bytes - sum.released_bytes);
}

bool prof_counts_are_zero(const struct prof_counts *counts)
{
	/* A sum of estimates comes back to 0 but for its rounding. */
	for (int k = 0; k < RSS_KIND__N; k++)
		if (counts->rss[k].grown_bytes || counts->rss[k].released_bytes)
			return false;
	return !counts->alloc_objects && !counts->alloc_bytes && !counts->requested_bytes &&
	       !counts->free_objects && counts->live_objects < 0.5 &&
	       counts->peak_objects < 0.5 && !counts->peak_rss_bytes;
}

void prof_counts_add(struct prof_counts *to, const struct prof_counts *counts)
{
	to->alloc_objects += counts->alloc_objects;
	to->alloc_bytes += counts->alloc_bytes;
	to->requested_bytes += counts->requested_bytes;
	for (int i = 0; i < PROF_PARTS; i++) {
		to->parts.objects[i] += counts->parts.objects[i];
		to->parts.bytes[i] += counts->parts.bytes[i];
	}
	to->parts.objects_doubt += counts->parts.objects_doubt;
	to->parts.bytes_doubt += counts->parts.bytes_doubt;
	to->parts.objects_by_time += counts->parts.objects_by_time;
	to->parts.bytes_by_time += counts->parts.bytes_by_time;
	to->free_objects += counts->free_objects;
	to->free_bytes += counts->free_bytes;
	for (int k = 0; k < RSS_KIND__N; k++) {
		to->rss[k].grown_bytes += counts->rss[k].grown_bytes;
		to->rss[k].released_bytes += counts->rss[k].released_bytes;
	}
	to->live_objects += counts->live_objects;
	to->live_bytes += counts->live_bytes;
	to->live_objects_var += counts->live_objects_var;
	to->live_bytes_var += counts->live_bytes_var;
	to->live_grown_bytes += counts->live_grown_bytes;
	to->peak_bytes += counts->peak_bytes;
	to->peak_rss_bytes += counts->peak_rss_bytes;
	to->peak_objects += counts->peak_objects;
	if (!counts->aged_objects)
		return;
	to->oldest_s = fmax(to->oldest_s, counts->oldest_s);
	to->median_age_s = (to->median_age_s * (double)to->aged_objects +
			    counts->median_age_s * (double)counts->aged_objects) /
			   (double)(to->aged_objects + counts->aged_objects);
	to->aged_objects += counts->aged_objects;
}

struct prof_counts prof_row_counts(const struct prof_row *row, enum window window)
{
	struct prof_counts c = row->total;

	c.live_grown_bytes = c.live_bytes;
	if (window == WINDOW_INTERVAL) {
		c.alloc_objects = grown(c.alloc_objects, row->marked.alloc_objects);
		c.alloc_bytes = grown(c.alloc_bytes, row->marked.alloc_bytes);
		c.requested_bytes = grown(c.requested_bytes, row->marked.requested_bytes);
		for (int i = 0; i < PROF_PARTS; i++) {
			c.parts.objects[i] -= row->marked.parts.objects[i];
			c.parts.bytes[i] -= row->marked.parts.bytes[i];
		}
		c.parts.objects_doubt -= row->marked.parts.objects_doubt;
		c.parts.bytes_doubt -= row->marked.parts.bytes_doubt;
		c.parts.objects_by_time -= row->marked.parts.objects_by_time;
		c.parts.bytes_by_time -= row->marked.parts.bytes_by_time;
		c.free_objects = grown(c.free_objects, row->marked.free_objects);
		c.free_bytes = grown(c.free_bytes, row->marked.free_bytes);
		c.live_grown_bytes -= row->marked.live_bytes;
		for (int k = 0; k < RSS_KIND__N; k++) {
			c.rss[k].grown_bytes -= row->marked.rss[k].grown_bytes;
			c.rss[k].released_bytes -= row->marked.rss[k].released_bytes;
		}
	}
	return c;
}

uint64_t prof_touch_bytes(const struct prof_touch *touch, enum window window)
{
	return touch->bytes - (window == WINDOW_INTERVAL ? touch->marked_bytes : 0);
}

uint64_t profile__untold_touch_bytes(const struct profile *prof, uint32_t row, enum window window)
{
	const struct prof_counts counts = prof_row_counts(&prof->rows[row], window);
	uint64_t told = 0;

	for (uint32_t i = prof->rows[row].touches; i != PROF_NONE; i = prof->touches[i].next)
		told += prof_touch_bytes(&prof->touches[i], window);
	return grown(prof_rss_moved(&counts).grown_bytes, told);
}

static struct prof_freed freed_so_far(const struct prof_counts *c)
{
	return (struct prof_freed){ grown(c->alloc_objects, prof_whole(c->live_objects)),
				    grown(c->alloc_bytes, prof_whole(c->live_bytes)) };
}

struct prof_freed prof_row_freed(const struct prof_row *row, enum window window)
{
	struct prof_freed now = freed_so_far(&row->total), marked = freed_so_far(&row->marked);

	return window == WINDOW_ALL ? now :
				      (struct prof_freed){ grown(now.objects, marked.objects), grown(now.bytes, marked.bytes) };
}

struct prof_freed profile__freed(const struct profile *prof, enum source source, enum window window)
{
	struct prof_freed sum = { 0 }, freed;

	for (uint32_t i = 0; i < prof->nrows; i++) {
		if (prof->rows[i].source != source)
			continue;
		freed = prof_row_freed(&prof->rows[i], window);
		sum.objects += freed.objects;
		sum.bytes += freed.bytes;
	}
	return sum;
}

struct prof_counts profile__sum(const struct profile *prof, enum source source, enum window window)
{
	struct prof_counts sum = { 0 }, c;

	for (uint32_t i = 0; i < prof->nrows; i++) {
		if (prof->rows[i].source != source)
			continue;
		c = prof_row_counts(&prof->rows[i], window);
		prof_counts_add(&sum, &c);
	}
	return sum;
}

struct prof_counts profile__sum_others(const struct profile *prof, enum window window)
{
	struct prof_counts sum = { 0 }, c;

	for (uint32_t i = 0; i < prof->nrows; i++) {
		if (!(prof->stacks[prof->rows[i].stack].flags & STACK_OTHERS))
			continue;
		c = prof_row_counts(&prof->rows[i], window);
		prof_counts_add(&sum, &c);
	}
	return sum;
}

struct prof_sampling profile__sampling(const struct profile *prof, enum window window)
{
	struct prof_sampling s = prof->sampling;

	if (window == WINDOW_ALL)
		return s;
	s.bursts -= prof->sampling_marked.bursts;
	s.seen_s -= prof->sampling_marked.seen_s;
	for (int i = 0; i < PROF_PARTS; i++)
		s.parts_s[i] -= prof->sampling_marked.parts_s[i];
	return s;
}

double prof_sampled_s(const struct prof_sampling *sampling)
{
	double sum = 0;

	for (int i = 0; i < PROF_PARTS; i++)
		sum += sampling->parts_s[i];
	return sum;
}

/*
 * Var(x) of x = sum of @parts, from what each is off the share @of that it would have if all were alike: the random
 * groups' estimator for a ratio. Parts without a burst tell nothing.
 */
static double parts_var(const float *parts, const double *of)
{
	double x = 0, all = 0, sum = 0;
	int n = 0;

	for (int i = 0; i < PROF_PARTS; i++) {
		x += parts[i];
		all += of[i];
		n += of[i] > 0;
	}
	if (x == 0)
		return 0;
	if (n < 2)
		return NAN;
	for (int i = 0; i < PROF_PARTS; i++) {
		double off = of[i] > 0 ? parts[i] - x * of[i] / all : 0;

		sum += off * off;
	}
	return sum * n / (n - 1);
}

static double sampled(const float *parts)
{
	double sum = 0;

	for (int i = 0; i < PROF_PARTS; i++)
		sum += parts[i];
	return sum;
}

/*
 * Its share of all that was sampled, by the parts; and how much that was, by the time that the bursts stand for, as far as
 * nothing else told: @by_time of it.
 */
static double part_se(const float *parts, const float *sums, double by_time, double doubt, const double *seconds)
{
	double of[PROF_PARTS], all = sampled(sums), share = all > 0 ? sampled(parts) / all * (by_time / all) : 0;

	for (int i = 0; i < PROF_PARTS; i++)
		of[i] = sums[i];
	return sqrt(parts_var(parts, of) + share * share * parts_var(sums, seconds) + doubt * doubt);
}

struct prof_error prof_alloc_se(const struct prof_counts *counts, const struct prof_counts *sum,
				const struct prof_sampling *sampling)
{
	return (struct prof_error){
		part_se(counts->parts.objects, sum->parts.objects, sum->parts.objects_by_time, counts->parts.objects_doubt, sampling->parts_s),
		part_se(counts->parts.bytes, sum->parts.bytes, sum->parts.bytes_by_time, counts->parts.bytes_doubt, sampling->parts_s),
	};
}

struct prof_cost profile__cost(const struct profile *prof, enum window window)
{
	struct prof_cost cost = prof->cost;

	if (window == WINDOW_INTERVAL) {
		cost.hits = grown(cost.hits, prof->cost_marked.hits);
		cost.trap_ns = grown(cost.trap_ns, prof->cost_marked.trap_ns);
		cost.bpf_ns = grown(cost.bpf_ns, prof->cost_marked.bpf_ns);
	}
	return cost;
}

uint64_t profile__target_cpu_ns(const struct profile *prof, enum window window)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < prof->ntargets; i++)
		sum += grown(prof->targets[i].cpu_ns, window == WINDOW_INTERVAL ? prof->targets[i].cpu_marked_ns : 0);
	return sum;
}

uint64_t profile__losses(const struct profile *prof, enum window window)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < prof->nlosses; i++) {
		const struct prof_loss *loss = &prof->losses[i];

		if (!loss->is_note)
			sum += grown(loss->count, window == WINDOW_INTERVAL ? loss->marked : 0);
	}
	return sum;
}

double profile__duration_s(const struct profile *prof, enum window window)
{
	uint64_t from = window == WINDOW_INTERVAL && prof->mark_unix_ns ? prof->mark_unix_ns : prof->start_unix_ns;

	return (double)grown(prof->now_unix_ns, from) / 1e9;
}
