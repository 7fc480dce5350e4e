// SPDX-License-Identifier: GPL-2.0-or-later
#include "profile/diff.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "profile/frames.h"
#include "profile/labels.h"

#define NOISE_SE 2.0 /* standard errors: chance does more than that once in twenty times */
#define MAX_PLACES 1024 /* frames of a stack; what is further out is left out */

struct builder {
	struct diff *diff;
	enum diff_key key;
	size_t cap_before, cap_after;
};

/* ---- names ---- */

/* A place that has only a name: equal names, equal places. */
static uint32_t add_place(struct profile *to, uint32_t module, const char *func, const char *file, uint32_t line, uint32_t flags)
{
	struct prof_frame frame = { strtab__adds(to->strs, func), strtab__adds(to->strs, file), line, flags };
	uint32_t loc = profile__add_loc(to, module, frame.func, frame.func);

	if (loc == PROF_NONE || profile__set_frames(to, loc, &frame, 1))
		return PROF_NONE;
	return loc;
}

static uint32_t add_module(struct profile *to, const struct profile *from, uint32_t module)
{
	struct prof_module mod = { 0 };

	if (module == PROF_NONE)
		return PROF_NONE;
	mod.path = mod.name = strtab__adds(to->strs, prof_module_name(from, module));
	return profile__add_module(to, &mod);
}

static uint32_t add_named_stack(struct profile *to, const struct profile *from, uint32_t stack)
{
	struct frame_iter it = frames_of(from, stack);
	uint32_t places[MAX_PLACES], n = 0;
	struct frame_view view;

	while (n < MAX_PLACES && frame_iter__next(&it, &view)) {
		places[n] = add_place(to, add_module(to, from, view.module), view.func, view.file, view.line, view.flags);
		if (places[n++] == PROF_NONE)
			return PROF_NONE;
	}
	return profile__add_stack(to, places, n, from->stacks[stack].flags & (STACK_LOST | STACK_TRUNCATED | STACK_BROKEN));
}

/* What @row is counted under, where that is no stack. */
static const char *subject(const struct profile *prof, const struct prof_row *row, enum diff_key key, char *buf, size_t size)
{
	struct frame_view view;
	const char *slash;
	bool has_frame = (key == DIFF_FUNC || key == DIFF_LINE || key == DIFF_MODULE) && stack_blame(prof, row->stack, &view);

	snprintf(buf, size, "[not known]");
	if (has_frame && key == DIFF_FUNC) {
		snprintf(buf, size, "%s", view.func);
	} else if (has_frame && key == DIFF_LINE) {
		slash = strrchr(view.file, '/');
		if (view.line)
			snprintf(buf, size, "%.400s  %.80s:%u", view.func, slash ? slash + 1 : view.file, view.line);
		else
			snprintf(buf, size, "%s", view.func);
	} else if (has_frame && key == DIFF_MODULE && view.module != PROF_NONE) {
		snprintf(buf, size, "%s", prof_module_name(prof, view.module));
	} else if (key == DIFF_TYPE && row->type) {
		snprintf(buf, size, "%s", strtab__get(prof->strs, row->type));
	} else if (key == DIFF_GOROUTINE && prof->contexts[row->context].creator != PROF_NONE) {
		prof_goroutine_name(prof, row->context, buf, size);
	} else if (key == DIFF_LABELS && prof->contexts[row->context].labels) {
		labels_text(strtab__get(prof->strs, prof->contexts[row->context].labels), buf, size);
	}
	return buf;
}

/* The row of the difference that @row is part of. */
static uint32_t find_row(struct builder *b, const struct profile *from, const struct prof_row *row)
{
	struct profile *to = b->diff->prof;
	struct prof_context context = { .creator = PROF_NONE };
	uint32_t stack, place, index, type = 0;
	char name[600];

	if (b->key == DIFF_STACK) {
		stack = add_named_stack(to, from, row->stack);
		type = row->type ? strtab__adds(to->strs, strtab__get(from->strs, row->type)) : 0;
	} else {
		place = add_place(to, PROF_NONE, subject(from, row, b->key, name, sizeof(name)), "", 0, 0);
		stack = place == PROF_NONE ? PROF_NONE : profile__add_stack(to, &place, 1, 0);
	}
	if (type) {
		context.typing = TYPING_KIND;
		context.type_vaddr = type;
	}
	index = stack == PROF_NONE ? PROF_NONE : profile__add_row(to, 0, row->source, profile__add_context(to, &context), stack);
	if (index != PROF_NONE)
		to->rows[index].type = type;
	return index;
}

/* ---- building ---- */

static int reserve(struct builder *b)
{
	struct diff *d = b->diff;
	size_t had = b->cap_before < b->cap_after ? b->cap_before : b->cap_after;

	if (vec_reserve((void **)&d->before, &b->cap_before, d->prof->nrows, sizeof(*d->before)) ||
	    vec_reserve((void **)&d->after, &b->cap_after, d->prof->nrows, sizeof(*d->after)))
		return -ENOMEM;
	if (b->cap_before > had)
		memset(&d->before[had], 0, (b->cap_before - had) * sizeof(*d->before));
	if (b->cap_after > had)
		memset(&d->after[had], 0, (b->cap_after - had) * sizeof(*d->after));
	return 0;
}

static int add_side(struct builder *b, const struct diff_side *side, bool is_after)
{
	for (uint32_t i = 0; i < side->prof->nrows; i++) {
		const struct prof_row *row = &side->prof->rows[i];
		struct prof_counts counts = prof_row_counts(row, side->window);
		struct diff_part *part;
		uint32_t index;

		if (prof_counts_are_zero(&counts))
			continue;
		index = find_row(b, side->prof, row);
		if (index == PROF_NONE || reserve(b))
			return -ENOMEM;
		part = &(is_after ? b->diff->after : b->diff->before)[index];
		prof_counts_add(&part->counts, &counts);
		part->alloc_bytes_var += side->spread ? side->spread[i] : 0;
	}
	return 0;
}

static void sum_side(const struct diff_side *side, struct diff_sums *ret)
{
	const struct profile *prof = side->prof;
	struct prof_cost cost = profile__cost(prof, side->window);
	uint64_t cpu_ns = profile__target_cpu_ns(prof, side->window);

	*ret = (struct diff_sums){ .seconds = profile__duration_s(prof, side->window), .has_spread = side->spread,
				   .has_rss = prof->has_rss_kinds, .losses = profile__losses(prof, side->window) };
	for (uint32_t i = 0; i < prof->ntargets; i++)
		ret->rss_bytes += prof->targets[i].rss_now_bytes;
	for (int s = 0; s < SOURCE__N; s++) {
		ret->captured[s] = prof->has_source[s];
		ret->live[s] = prof->live[s].measured;
		ret->sums[s] = profile__sum(prof, s, side->window);
	}
	for (uint32_t i = 0; side->spread && i < prof->nrows; i++)
		ret->alloc_bytes_var[prof->rows[i].source] += side->spread[i];
	ret->cost_pct = cpu_ns ? (double)(cost.trap_ns + cost.bpf_ns) * 100 / (double)cpu_ns : -1;
}

/* What a profile has besides rows, for formats that show one: where it is from, and that it is a difference. */
static int describe(struct diff *d, const struct profile *after)
{
	struct profile *to = d->prof;
	uint32_t target = profile__add_target(to, 0);

	if (target == PROF_NONE)
		return -ENOMEM;
	to->targets[target].comm = after->ntargets ? strtab__adds(to->strs, strtab__get(after->strs, after->targets[0].comm)) : 0;
	to->mode = "difference";
	snprintf(to->kernel, sizeof(to->kernel), "%s", after->kernel);
	to->start_unix_ns = to->mark_unix_ns = after->start_unix_ns;
	to->now_unix_ns = after->now_unix_ns;
	for (int s = 0; s < SOURCE__N; s++) {
		to->has_source[s] = d->sums_before.captured[s] && d->sums_after.captured[s];
		to->live[s].measured = d->sums_before.live[s] && d->sums_after.live[s];
		to->live[s].how = "";
	}
	return 0;
}

static void set_differences(struct diff *d)
{
	for (uint32_t i = 0; i < d->prof->nrows; i++) {
		const struct prof_counts *b = &d->before[i].counts, *a = &d->after[i].counts;
		struct prof_counts *to = &d->prof->rows[i].total;

		to->alloc_objects = a->alloc_objects - b->alloc_objects;
		to->alloc_bytes = a->alloc_bytes - b->alloc_bytes;
		to->requested_bytes = a->requested_bytes - b->requested_bytes;
		to->live_objects = a->live_objects - b->live_objects;
		to->live_bytes = a->live_bytes - b->live_bytes;
		for (int k = 0; k < RSS_KIND__N; k++) {
			to->rss[k].grown_bytes = a->rss[k].grown_bytes - b->rss[k].grown_bytes;
			to->rss[k].released_bytes = a->rss[k].released_bytes - b->rss[k].released_bytes;
		}
	}
}

int diff__new(const struct diff_side *before, const struct diff_side *after, enum diff_key key, struct diff **ret)
{
	struct diff *d = calloc(1, sizeof(*d));
	struct builder b = { .diff = d, .key = key };
	int err = d ? profile__new(&d->prof) : -ENOMEM;

	if (!err) {
		sum_side(before, &d->sums_before);
		sum_side(after, &d->sums_after);
		err = describe(d, after->prof);
	}
	/* After comes first: where a function's lines moved, the new ones are shown. */
	if (!err)
		err = add_side(&b, after, true);
	if (!err)
		err = add_side(&b, before, false);
	if (err) {
		diff__free(d);
		return err;
	}
	set_differences(d);
	*ret = d;
	return 0;
}

void diff__free(struct diff *d)
{
	if (!d)
		return;
	profile__free(d->prof);
	free(d->before);
	free(d->after);
	free(d);
}

/* ---- changes ---- */

struct change change_of(double before, double after, double before_var, double after_var)
{
	struct change c = { .before = before, .after = after, .by = after - before };

	c.has_pct = before > 0;
	if (c.has_pct)
		c.pct = c.by * 100 / before;
	c.has_se = before_var >= 0 && after_var >= 0;
	if (c.has_se) {
		c.se = sqrt(before_var + after_var);
		c.is_noise = fabs(c.by) <= NOISE_SE * c.se && c.se > 0;
	}
	return c;
}

const char *diff_metric_name(enum diff_metric metric)
{
	static const char *const names[DIFF_METRIC__N] = {
		[DIFF_ALLOC_BYTES] = "alloc_bytes",   [DIFF_ALLOC_OBJECTS] = "alloc_objects", [DIFF_LIVE_BYTES] = "live_bytes",
		[DIFF_LIVE_OBJECTS] = "live_objects", [DIFF_RSS_BYTES] = "rss_bytes",
	};

	return names[metric];
}

bool diff_is_rate(enum diff_metric metric)
{
	return metric != DIFF_LIVE_BYTES && metric != DIFF_LIVE_OBJECTS;
}

bool diff__has(const struct diff *d, enum source source, enum diff_metric metric)
{
	if (!diff_is_rate(metric))
		return d->sums_before.live[source] && d->sums_after.live[source];
	return d->sums_before.captured[source] && d->sums_after.captured[source] &&
	       (metric == DIFF_RSS_BYTES) == (source == SOURCE_RSS);
}

static double value_of(const struct prof_counts *c, enum diff_metric metric)
{
	switch (metric) {
	case DIFF_ALLOC_OBJECTS:
		return (double)c->alloc_objects;
	case DIFF_LIVE_BYTES:
		return c->live_bytes;
	case DIFF_LIVE_OBJECTS:
		return c->live_objects;
	case DIFF_RSS_BYTES:
		return (double)prof_rss_bytes(c);
	default:
		return (double)c->alloc_bytes;
	}
}

/* Negative: not known. What is counted and not drawn by chance has none. */
static double variance_of(const struct prof_counts *c, enum diff_metric metric, bool has_spread, double alloc_bytes_var)
{
	switch (metric) {
	case DIFF_ALLOC_BYTES:
		return has_spread ? alloc_bytes_var : -1;
	case DIFF_LIVE_BYTES:
		return c->live_bytes_var;
	case DIFF_LIVE_OBJECTS:
		return c->live_objects_var;
	default:
		return -1;
	}
}

/* @before_s, @after_s: by what rates are divided. */
static struct change compare(const struct diff *d, enum diff_metric metric, const struct prof_counts *before, double before_var,
			     double before_s, const struct prof_counts *after, double after_var, double after_s)
{
	double b = value_of(before, metric), a = value_of(after, metric);
	double bv = variance_of(before, metric, d->sums_before.has_spread, before_var);
	double av = variance_of(after, metric, d->sums_after.has_spread, after_var);

	if (!diff_is_rate(metric))
		return change_of(b, a, bv, av);
	return change_of(before_s > 0 ? b / before_s : 0, after_s > 0 ? a / after_s : 0,
			 before_s > 0 ? bv / (before_s * before_s) : -1, after_s > 0 ? av / (after_s * after_s) : -1);
}

bool diff__has_rates(const struct diff *d)
{
	return d->sums_before.seconds > 0 && d->sums_after.seconds > 0;
}

static struct change compare_row(const struct diff *d, uint32_t row, enum diff_metric metric, double before_s, double after_s)
{
	const struct diff_part *b = &d->before[row], *a = &d->after[row];

	return compare(d, metric, &b->counts, b->alloc_bytes_var, before_s, &a->counts, a->alloc_bytes_var, after_s);
}

static struct change compare_sum(const struct diff *d, enum source source, enum diff_metric metric, double before_s, double after_s)
{
	const struct diff_sums *b = &d->sums_before, *a = &d->sums_after;

	return compare(d, metric, &b->sums[source], b->alloc_bytes_var[source], before_s, &a->sums[source],
		       a->alloc_bytes_var[source], after_s);
}

struct change diff__row(const struct diff *d, uint32_t row, enum diff_metric metric)
{
	return compare_row(d, row, metric, d->sums_before.seconds, d->sums_after.seconds);
}

struct change diff__sum(const struct diff *d, enum source source, enum diff_metric metric)
{
	return compare_sum(d, source, metric, d->sums_before.seconds, d->sums_after.seconds);
}

struct change diff__row_amount(const struct diff *d, uint32_t row, enum diff_metric metric)
{
	return compare_row(d, row, metric, 1, 1);
}

struct change diff__sum_amount(const struct diff *d, enum source source, enum diff_metric metric)
{
	return compare_sum(d, source, metric, 1, 1);
}
