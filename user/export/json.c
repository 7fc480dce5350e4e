// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * JSON, schema 1 of the command line's contract: one document on one line.
 *
 * What was not measured is null, never 0: totals of a source that was not captured, live and
 * freed memory, rss_bytes of an allocation, alloc_* of an RSS row, file and line that
 * nobody knows. Rows with nothing in the window are left out.
 *
 * rss: grown_bytes is what was added in the window, released_bytes what was given back, by all rows
 * of source rss; others_* is the part of them that the kernel or another process did; unexplained_bytes is the
 * rest, so that always end - start = grown - released + unexplained. kinds has the same of each
 * kind; swap is none of RSS and in no sum. A row's rss_bytes is what it added minus
 * what it gave back, rss_swap_bytes what it moved out to swap minus what came back. areas (an addition to the
 * schema) is the same by what the pages are for, as the rows' types say; where that is not known, "not known".
 * hugetlb_bytes (one more) is memory of hugetlbfs that the processes have, which is in no RSS and in none of these sums.
 * timeline (an addition as well) has moments of the window, with what go and malloc had allocated since the attach and
 * the rows that grew most since the one before, rss_trend of a row whether it keeps growing (profile/trend.h), and by how much.
 *
 * allocated_by of a row of source rss (another addition) splits its rss_grown_bytes by the stacks that had asked for the
 * memory, largest first: of source malloc the block that was touched, of go the object or, where frames begin with
 * runtime.(*mheap).setSpans, the allocation that took the span of small objects it is one of; of mmap, where no more is
 * known, the mapping. allocation_unseen_bytes is the rest. Both are null if that was not looked for.
 *
 * "incomplete" of a stack (an addition to the schema) is null, "lost" (no frames at
 * all), "truncated" (too deep) or "broken" (the walk ended early).
 */
#include <time.h>

#include "base/jsonw.h"
#include "export/formats.h"
#include "export/group.h"
#include "export/go_memory.h"
#include "export/rss_areas.h"
#include "export/touched.h"
#include "profile/frames.h"
#include "profile/labels.h"
#include "profile/timeline.h"

#define GROWERS 3 /* of a moment */

struct json {
	const struct profile *prof;
	enum window window;
	struct prof_sampling sampling;
	struct prof_counts sums[SOURCE__N]; /* of sources that are sampled */
	struct jsonw w;
};

static const char *str(const struct json *j, uint32_t id)
{
	return id ? strtab__get(j->prof->strs, id) : NULL;
}

const char *json_time(uint64_t unix_ns, char *buf, size_t size)
{
	time_t seconds = (time_t)(unix_ns / 1000000000);
	unsigned int ms = (unsigned int)(unix_ns / 1000000 % 1000);
	char date[40];
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || !strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm))
		return NULL;
	snprintf(buf, size, "%s.%03uZ", date, ms);
	return buf;
}

static void put_time(struct json *j, const char *key, uint64_t unix_ns)
{
	char buf[64];

	jsonw_str(&j->w, key, json_time(unix_ns, buf, sizeof(buf)));
}

static void put_targets(struct json *j)
{
	jsonw_array(&j->w, "target");
	for (uint32_t i = 0; i < j->prof->ntargets; i++) {
		const struct prof_target *t = &j->prof->targets[i];

		jsonw_object(&j->w, NULL);
		jsonw_u64(&j->w, "pid", t->pid);
		jsonw_str(&j->w, "comm", str(j, t->comm));
		jsonw_str(&j->w, "exe", str(j, t->exe));
		jsonw_str(&j->w, "runtime", str(j, t->runtime));
		if (t->exit_code >= 0)
			jsonw_i64(&j->w, "exit_code", t->exit_code);
		else
			jsonw_null(&j->w, "exit_code");
		jsonw_end_object(&j->w);
	}
	jsonw_end_array(&j->w);
}

/* What is there now: estimates where objects are sampled, then with their standard errors. */
static void put_live(struct json *j, enum source source, const struct prof_counts *c)
{
	const struct prof_live *live = &j->prof->live[source];
	bool sampled = live->measured && (live->rate_bytes > 1 || c->live_bytes_var > 0);

	if (live->measured) {
		jsonw_u64(&j->w, "live_objects", prof_whole(c->live_objects));
		jsonw_u64(&j->w, "live_bytes", prof_whole(c->live_bytes));
	} else {
		jsonw_null(&j->w, "live_objects");
		jsonw_null(&j->w, "live_bytes");
	}
	if (live->ages_known)
		jsonw_i64(&j->w, "live_grown_bytes", prof_signed(c->live_grown_bytes));
	else
		jsonw_null(&j->w, "live_grown_bytes");
	if (sampled) {
		jsonw_double(&j->w, "live_objects_se", prof_se(c->live_objects_var), 1);
		jsonw_double(&j->w, "live_bytes_se", prof_se(c->live_bytes_var), 1);
	} else {
		jsonw_null(&j->w, "live_objects_se");
		jsonw_null(&j->w, "live_bytes_se");
	}
}

static void put_ages(struct json *j, enum source source, const struct prof_counts *c)
{
	if (j->prof->live[source].ages_known && c->aged_objects) {
		jsonw_double(&j->w, "oldest_s", c->oldest_s, 6);
		jsonw_double(&j->w, "median_age_s", c->median_age_s, 6);
	} else {
		jsonw_null(&j->w, "oldest_s");
		jsonw_null(&j->w, "median_age_s");
	}
}

static void put_row_peak(struct json *j, enum source source, const struct prof_counts *c)
{
	if (j->prof->peak.measured && source == SOURCE_MALLOC) {
		jsonw_u64(&j->w, "peak_objects", prof_whole(c->peak_objects));
		jsonw_u64(&j->w, "peak_bytes", prof_whole(c->peak_bytes));
	} else {
		jsonw_null(&j->w, "peak_objects");
		jsonw_null(&j->w, "peak_bytes");
	}
	if (j->prof->rss_peak.measured && source == SOURCE_RSS)
		jsonw_i64(&j->w, "peak_rss_bytes", c->peak_rss_bytes);
	else
		jsonw_null(&j->w, "peak_rss_bytes");
}

/* The highest snapshot; its stacks' peak_rss_bytes and the processes' starts add up to it. */
static void put_rss_peak(struct json *j)
{
	const struct prof_peak *peak = &j->prof->rss_peak;

	if (!peak->measured) {
		jsonw_null(&j->w, "rss_peak");
		return;
	}
	jsonw_object(&j->w, "rss_peak");
	jsonw_u64(&j->w, "rss_bytes", prof_whole(peak->bytes));
	put_time(j, "at", peak->unix_ns);
	jsonw_u64(&j->w, "snapshots", peak->snapshots);
	if (peak->high_bytes)
		jsonw_u64(&j->w, "high_bytes", peak->high_bytes);
	else
		jsonw_null(&j->w, "high_bytes");
	jsonw_end_object(&j->w);
}

/* The highest snapshot; "high_bytes" is what the probes saw, of one process, between snapshots, too. */
static void put_peak(struct json *j)
{
	const struct prof_peak *peak = &j->prof->peak;
	uint64_t high = j->prof->live[SOURCE_MALLOC].high_bytes;

	if (!peak->measured) {
		jsonw_null(&j->w, "peak");
		return;
	}
	jsonw_object(&j->w, "peak");
	jsonw_u64(&j->w, "live_bytes", prof_whole(peak->bytes));
	jsonw_u64(&j->w, "live_objects", prof_whole(peak->objects));
	put_time(j, "at", peak->unix_ns);
	jsonw_u64(&j->w, "snapshots", peak->snapshots);
	if (high)
		jsonw_u64(&j->w, "high_bytes", high);
	else
		jsonw_null(&j->w, "high_bytes");
	jsonw_end_object(&j->w);
}

static void put_frees(struct json *j, enum source source, const struct prof_counts *c)
{
	if (j->prof->live[source].frees_counted) {
		jsonw_u64(&j->w, "free_objects", c->free_objects);
		jsonw_u64(&j->w, "free_bytes", c->free_bytes);
	} else {
		jsonw_null(&j->w, "free_objects");
		jsonw_null(&j->w, "free_bytes");
	}
}

/* Where live numbers of C come from; null when blocks are not followed. */
static void put_block_source(struct json *j)
{
	const struct prof_live *live = &j->prof->live[SOURCE_MALLOC];

	if (!live->measured) {
		jsonw_null(&j->w, "blocks");
		return;
	}
	jsonw_object(&j->w, "blocks");
	jsonw_u64(&j->w, "rate_bytes", live->rate_bytes);
	jsonw_u64(&j->w, "followed", live->samples);
	if (live->high_bytes)
		jsonw_u64(&j->w, "high_bytes", live->high_bytes);
	else
		jsonw_null(&j->w, "high_bytes");
	if (live->older_s > 0)
		jsonw_double(&j->w, "older_s", live->older_s, 6);
	else
		jsonw_null(&j->w, "older_s");
	jsonw_end_object(&j->w);
}

/* Where live numbers come from; null when nothing is followed. */
static void put_live_source(struct json *j)
{
	const struct prof_live *live = &j->prof->live[SOURCE_GO];

	if (!live->measured) {
		jsonw_null(&j->w, "live");
		return;
	}
	jsonw_object(&j->w, "live");
	jsonw_str(&j->w, "source", live->how);
	jsonw_u64(&j->w, "rate_bytes", live->rate_bytes);
	jsonw_u64(&j->w, "samples", live->samples);
	jsonw_u64(&j->w, "unjudged_bytes", live->unjudged_bytes);
	jsonw_u64(&j->w, "unsure_samples", live->unsure);
	jsonw_end_object(&j->w);
}

static void put_freed(struct json *j, const struct prof_freed *freed)
{
	jsonw_u64(&j->w, "free_objects", freed->objects);
	jsonw_u64(&j->w, "free_bytes", freed->bytes);
}

static void put_se(struct json *j, const char *key, double se)
{
	if (se >= 0)
		jsonw_double(&j->w, key, se, 1);
	else
		jsonw_null(&j->w, key); /* too few bursts to tell */
}

/* Null where all was counted. */
static void put_alloc_se(struct json *j, enum source source, const struct prof_counts *counts)
{
	struct prof_error se;

	if (!j->sampling.bursts || (source != SOURCE_GO && source != SOURCE_MALLOC)) {
		jsonw_null(&j->w, "alloc_objects_se");
		jsonw_null(&j->w, "alloc_bytes_se");
		return;
	}
	se = prof_alloc_se(counts, &j->sums[source], &j->sampling);
	put_se(j, "alloc_objects_se", se.objects);
	put_se(j, "alloc_bytes_se", se.bytes);
}

static void put_total(struct json *j, enum source source)
{
	struct prof_counts sum;

	if (!j->prof->has_source[source]) {
		jsonw_null(&j->w, source_name(source));
		return;
	}
	sum = profile__sum(j->prof, source, j->window);
	jsonw_object(&j->w, source_name(source));
	jsonw_u64(&j->w, "alloc_objects", sum.alloc_objects);
	jsonw_u64(&j->w, "alloc_bytes", sum.alloc_bytes);
	jsonw_u64(&j->w, "requested_bytes", sum.requested_bytes);
	if (j->prof->budget)
		put_alloc_se(j, source, &sum);
	if (source == SOURCE_MMAP) {
		struct prof_freed freed = profile__freed(j->prof, source, j->window);

		put_freed(j, &freed);
	} else if (source != SOURCE_GO) { /* Go frees by collection: nobody can count it */
		put_frees(j, source, &sum);
	}
	put_live(j, source, &sum);
	if (source == SOURCE_MMAP)
		jsonw_u64(&j->w, "before_attach_unmapped_bytes", j->prof->live[source].before_gone_bytes);
	jsonw_end_object(&j->w);
}

static void put_losses(struct json *j)
{
	const struct prof_loss *losses = j->prof->losses;

	jsonw_object(&j->w, "losses");
	jsonw_u64(&j->w, "events", profile__losses(j->prof, j->window));
	for (uint32_t i = 0; i < j->prof->nlosses; i++)
		jsonw_u64(&j->w, losses[i].name,
			  losses[i].count - (j->window == WINDOW_INTERVAL ? losses[i].marked : 0));
	jsonw_end_object(&j->w);
}

static void put_overhead(struct json *j)
{
	struct prof_cost cost = profile__cost(j->prof, j->window);
	uint64_t cpu_ns = profile__target_cpu_ns(j->prof, j->window);

	jsonw_object(&j->w, "overhead");
	jsonw_u64(&j->w, "hits", cost.hits);
	jsonw_u64(&j->w, "trap_ns", cost.trap_ns);
	jsonw_u64(&j->w, "bpf_ns", cost.bpf_ns);
	jsonw_double(&j->w, "target_cpu_s", (double)cpu_ns / 1e9, 6);
	if (cpu_ns)
		jsonw_double(&j->w, "pct", (double)(cost.trap_ns + cost.bpf_ns) * 100 / (double)cpu_ns, 4);
	else
		jsonw_null(&j->w, "pct");
	jsonw_end_object(&j->w);
}

/* What only the kernel's counters tell: what was given back, and what others did. */
static void put_released(struct json *j, const char *key, uint64_t bytes)
{
	if (j->prof->rss_method == RSS_BY_COUNTERS)
		jsonw_u64(&j->w, key, bytes);
	else
		jsonw_null(&j->w, key);
}

/* What became of @start in the window: grown, given back, and by whom. */
static void put_balance(struct json *j, bool measured, uint64_t start, uint64_t end, struct prof_moved all, struct prof_moved others)
{
	static const char *const keys[] = { "grown_bytes", "released_bytes", "others_grown_bytes", "others_released_bytes" };
	const uint64_t moved[] = { all.grown_bytes, all.released_bytes, others.grown_bytes, others.released_bytes };
	bool has_ledger = j->prof->has_source[SOURCE_RSS];

	if (measured) {
		jsonw_u64(&j->w, "start_bytes", start);
		jsonw_u64(&j->w, "end_bytes", end);
	} else {
		jsonw_null(&j->w, "start_bytes");
		jsonw_null(&j->w, "end_bytes");
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (has_ledger && i == 0)
			jsonw_u64(&j->w, keys[i], moved[i]);
		else
			put_released(j, keys[i], moved[i]);
	}
	if (has_ledger && measured)
		jsonw_i64(&j->w, "unexplained_bytes", (int64_t)(end - start - all.grown_bytes + all.released_bytes));
	else
		jsonw_null(&j->w, "unexplained_bytes");
}

static void put_rss_kinds(struct json *j, const struct prof_counts *all, const struct prof_counts *others)
{
	static const struct {
		const char *name;
		enum rss_kind kind;
	} kinds[] = { { "anon", RSS_ANON }, { "file", RSS_FILE }, { "shmem", RSS_SHMEM }, { "swap", RSS_SWAP } };

	if (!j->prof->has_rss_kinds) {
		jsonw_null(&j->w, "kinds");
		return;
	}
	jsonw_object(&j->w, "kinds");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const enum rss_kind kind = kinds[i].kind;
		const struct prof_rss_kind *k = &j->prof->rss_kinds[kind];

		jsonw_object(&j->w, kinds[i].name);
		put_balance(j, true, j->window == WINDOW_INTERVAL ? k->marked_bytes : k->start_bytes, k->now_bytes,
			    all->rss[kind], others->rss[kind]);
		jsonw_end_object(&j->w);
	}
	jsonw_end_object(&j->w);
}

static void put_rss_areas(struct json *j)
{
	struct rss_area areas[RSS_AREAS_MAX];
	size_t n = rss_areas(j->prof, j->window, areas);

	if (!j->prof->has_source[SOURCE_RSS]) {
		jsonw_null(&j->w, "areas");
		return;
	}
	jsonw_object(&j->w, "areas");
	for (size_t i = 0; i < n; i++) {
		jsonw_object(&j->w, areas[i].type ? str(j, areas[i].type) : "not known");
		jsonw_u64(&j->w, "grown_bytes", areas[i].moved.grown_bytes);
		put_released(j, "released_bytes", areas[i].moved.released_bytes);
		jsonw_end_object(&j->w);
	}
	jsonw_end_object(&j->w);
}

/* The rows that grew most from the moment before to moment @point, most first. */
static size_t find_growers(const struct profile *prof, size_t point, uint32_t ret[static GROWERS])
{
	const struct timeline *tl = prof->timeline;
	size_t n = 0, place;

	for (uint32_t row = 0; row < tl->nrows; row++) {
		int64_t step = timeline__row_step(tl, row, point);

		if (step <= 0)
			continue;
		for (place = n; place && timeline__row_step(tl, ret[place - 1], point) < step; place--)
			if (place < GROWERS)
				ret[place] = ret[place - 1];
		if (place < GROWERS)
			ret[place] = row;
		n += n < GROWERS;
	}
	return n;
}

static void put_moment(struct json *j, size_t point)
{
	const struct timeline *tl = j->prof->timeline;
	uint32_t growers[GROWERS];
	size_t n = find_growers(j->prof, point, growers);
	struct frame_view view;

	jsonw_object(&j->w, NULL);
	jsonw_double(&j->w, "t_s", ((double)tl->points[point].unix_ns - (double)j->prof->start_unix_ns) / 1e9, 3);
	jsonw_u64(&j->w, "rss_bytes", tl->points[point].rss_bytes);
	if (j->prof->live[SOURCE_GO].measured)
		jsonw_u64(&j->w, "live_bytes", tl->points[point].live_bytes);
	else
		jsonw_null(&j->w, "live_bytes");
	if (j->prof->has_source[SOURCE_GO] || j->prof->has_source[SOURCE_MALLOC]) {
		jsonw_u64(&j->w, "alloc_bytes", tl->points[point].alloc_bytes);
		jsonw_u64(&j->w, "alloc_objects", tl->points[point].alloc_objects);
	} else {
		jsonw_null(&j->w, "alloc_bytes");
		jsonw_null(&j->w, "alloc_objects");
	}
	jsonw_array(&j->w, "growers");
	for (size_t i = 0; i < n; i++) {
		bool named = stack_blame(j->prof, j->prof->rows[growers[i]].stack, &view);

		jsonw_object(&j->w, NULL);
		jsonw_str(&j->w, "func", named ? view.func : NULL);
		jsonw_i64(&j->w, "rss_bytes", timeline__row_step(tl, growers[i], point));
		jsonw_end_object(&j->w);
	}
	jsonw_end_array(&j->w);
	jsonw_end_object(&j->w);
}

static void put_timeline(struct json *j)
{
	const struct timeline *tl = j->prof->timeline;

	if (!tl) {
		jsonw_null(&j->w, "timeline");
		return;
	}
	jsonw_array(&j->w, "timeline");
	for (size_t i = 0; i < tl->n; i++)
		if (tl->points[i].unix_ns >= window_start_ns(j->prof, j->window))
			put_moment(j, i);
	jsonw_end_array(&j->w);
}

static void put_trend(struct json *j, uint32_t row)
{
	double per_s;

	/* Where nobody sees what is given back everything seems to grow. */
	if (!j->prof->timeline || j->prof->rss_method != RSS_BY_COUNTERS) {
		jsonw_null(&j->w, "rss_trend");
		jsonw_null(&j->w, "rss_trend_bytes_per_s");
		return;
	}
	jsonw_str(&j->w, "rss_trend", trend_name(timeline__row_trend(j->prof->timeline, row, &per_s)));
	jsonw_double(&j->w, "rss_trend_bytes_per_s", per_s, 1);
}

/* What RSS of Go programs is made of: null without one, its numbers null where it is not known of one of them. */
static void put_go_memory(struct json *j)
{
	struct go_memory mem;
	const bool has_go = go_memory(j->prof, &mem);
	const struct go_rss *sum = &mem.sum;
	const struct {
		const char *key;
		uint64_t bytes;
	} numbers[] = {
		{ "rss_bytes", sum->rss_bytes },
		{ "heap_inuse_bytes", sum->heap_inuse_bytes },
		{ "heap_idle_bytes", sum->heap_idle_bytes },
		{ "heap_released_bytes", sum->heap_released_bytes },
		{ "objects_bytes", sum->objects_bytes },
		{ "objects_missing_max_bytes", sum->objects_missing_bytes },
		{ "stacks_bytes", sum->stacks_bytes },
		{ "gc_work_bytes", sum->gc_work_bytes },
		{ "runtime_bytes", sum->runtime_bytes },
		{ "heap_rss_bytes", sum->arenas_bytes },
		{ "heap_lazy_free_bytes", sum->arenas_lazy_bytes },
		{ "heap_huge_bytes", sum->arenas_huge_bytes },
		{ "other_anon_rss_bytes", sum->other_anon_bytes },
	};

	if (!has_go) {
		jsonw_null(&j->w, "go");
		return;
	}
	jsonw_object(&j->w, "go");
	jsonw_str(&j->w, "not_known", mem.unknown);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (mem.unknown)
			jsonw_null(&j->w, numbers[i].key);
		else
			jsonw_u64(&j->w, numbers[i].key, numbers[i].bytes);
	}
	if (mem.unknown)
		jsonw_null(&j->w, "causes");
	else
		jsonw_array(&j->w, "causes");
	for (size_t i = 0; i < mem.ncauses; i++) {
		jsonw_object(&j->w, NULL);
		jsonw_str(&j->w, "cause", mem.causes[i].name);
		jsonw_u64(&j->w, "bytes", mem.causes[i].bytes);
		jsonw_end_object(&j->w);
	}
	if (!mem.unknown)
		jsonw_end_array(&j->w);
	jsonw_end_object(&j->w);
}

static void put_rss(struct json *j)
{
	const struct prof_counts all = profile__sum(j->prof, SOURCE_RSS, j->window);
	const struct prof_counts others = profile__sum_others(j->prof, j->window);
	uint64_t start = 0, end = 0;
	bool measured;

	for (uint32_t i = 0; i < j->prof->ntargets; i++) {
		const struct prof_target *t = &j->prof->targets[i];

		start += j->window == WINDOW_INTERVAL ? t->rss_marked_bytes : t->rss_start_bytes;
		end += t->rss_now_bytes;
	}
	measured = start || end || j->prof->has_rss_kinds; /* 0 is what a process that has ended has */
	jsonw_object(&j->w, "rss");
	jsonw_str(&j->w, "method", rss_method_name(j->prof->rss_method));
	put_balance(j, measured, start, end, prof_rss_moved(&all), prof_rss_moved(&others));
	put_rss_kinds(j, &all, &others);
	put_rss_areas(j);
	put_go_memory(j);
	if (j->prof->has_hugetlb)
		jsonw_u64(&j->w, "hugetlb_bytes", j->prof->hugetlb_bytes);
	else
		jsonw_null(&j->w, "hugetlb_bytes");
	put_timeline(j);
	jsonw_end_object(&j->w);
}

static void put_frames(struct json *j, uint32_t stack)
{
	struct frame_iter it = frames_of(j->prof, stack);
	struct frame_view view;

	jsonw_array(&j->w, "frames");
	while (frame_iter__next(&it, &view)) {
		jsonw_object(&j->w, NULL);
		jsonw_str(&j->w, "func", view.func);
		jsonw_str(&j->w, "file", *view.file ? view.file : NULL);
		if (view.line)
			jsonw_u64(&j->w, "line", view.line);
		else
			jsonw_null(&j->w, "line");
		jsonw_str(&j->w, "module", view.module == PROF_NONE ? NULL : prof_module_name(j->prof, view.module));
		jsonw_bool(&j->w, "inlined", view.flags & FRAME_INLINED);
		jsonw_end_object(&j->w);
	}
	jsonw_end_array(&j->w);
}

static void put_rss_moved(struct json *j, enum source source, const struct prof_counts *counts)
{
	const struct prof_moved moved = prof_rss_moved(counts), swap = counts->rss[RSS_SWAP];
	struct jsonw *w = &j->w;

	if (source != SOURCE_RSS) {
		jsonw_null(w, "rss_bytes");
		return;
	}
	jsonw_i64(w, "rss_bytes", prof_rss_bytes(counts));
	jsonw_u64(w, "rss_grown_bytes", moved.grown_bytes);
	put_released(j, "rss_released_bytes", moved.released_bytes);
	if (j->prof->rss_method == RSS_BY_COUNTERS)
		jsonw_i64(w, "rss_swap_bytes", (int64_t)(swap.grown_bytes - swap.released_bytes));
	else
		jsonw_null(w, "rss_swap_bytes");
}

static void put_counts(struct json *j, enum source source, const struct prof_counts *counts, const struct prof_freed *freed)
{
	struct jsonw *w = &j->w;

	if (source == SOURCE_RSS) {
		jsonw_null(w, "alloc_objects");
		jsonw_null(w, "alloc_bytes");
		jsonw_null(w, "requested_bytes");
	} else {
		jsonw_u64(w, "alloc_objects", counts->alloc_objects);
		jsonw_u64(w, "alloc_bytes", counts->alloc_bytes);
		jsonw_u64(w, "requested_bytes", counts->requested_bytes);
	}
	put_alloc_se(j, source, counts);
	if (source == SOURCE_MMAP)
		put_freed(j, freed);
	else
		put_frees(j, source, counts);
	put_live(j, source, counts);
	put_ages(j, source, counts);
	put_row_peak(j, source, counts);
	put_rss_moved(j, source, counts);
}

/* What the bursts make of the counts, and what tells how much they may be off. */
static void put_sampling(struct json *j)
{
	if (!j->prof->budget) {
		jsonw_null(&j->w, "sampling");
		return;
	}
	jsonw_object(&j->w, "sampling");
	jsonw_double(&j->w, "max_overhead_pct", 100 * j->prof->budget, 3);
	jsonw_u64(&j->w, "bursts", j->sampling.bursts);
	jsonw_double(&j->w, "bursts_s", j->sampling.seen_s, 6);
	jsonw_double(&j->w, "sampled_s", prof_sampled_s(&j->sampling), 6);
	jsonw_double(&j->w, "uncovered_s", j->sampling.uncovered_s, 6);
	jsonw_u64(&j->w, "unseen_objects", prof_whole(j->sampling.unseen_objects));
	jsonw_u64(&j->w, "unseen_bytes", prof_whole(j->sampling.unseen_bytes));
	jsonw_end_object(&j->w);
}

/* By whom the memory was asked for that @row made resident. 0 or -ENOMEM. */
static int put_touches(struct json *j, uint32_t row)
{
	struct touched touched = { 0 };
	int err = touched_add(&touched, j->prof, row, j->window, NULL);

	if (!j->prof->has_touches || err) {
		jsonw_null(&j->w, "allocated_by");
		jsonw_null(&j->w, "allocation_unseen_bytes");
		touched_free(&touched);
		return err;
	}
	touched_settle(&touched);
	jsonw_array(&j->w, "allocated_by");
	for (size_t i = 0; i < touched.len; i++) {
		jsonw_object(&j->w, NULL);
		jsonw_str(&j->w, "source", source_name(touched.items[i].source));
		jsonw_u64(&j->w, "bytes", touched.items[i].bytes);
		put_frames(j, touched.items[i].stack);
		jsonw_end_object(&j->w);
	}
	jsonw_end_array(&j->w);
	jsonw_u64(&j->w, "allocation_unseen_bytes", touched.untold_bytes);
	touched_free(&touched);
	return 0;
}

static const char *incomplete(uint32_t stack_flags)
{
	return stack_flags & STACK_LOST	     ? "lost" :
	       stack_flags & STACK_TRUNCATED ? "truncated" :
	       stack_flags & STACK_BROKEN    ? "broken" :
					       NULL;
}

static const char *walked(uint32_t stack_flags)
{
	if (!(stack_flags & STACK_BY_TABLE))
		return "frame_pointers";
	return stack_flags & STACK_BY_CHAIN ? "both" : "unwind_tables";
}

static void put_context(struct json *j, uint32_t context)
{
	const char *set = str(j, j->prof->contexts[context].labels);
	struct label label;
	char name[512];

	prof_goroutine_name(j->prof, context, name, sizeof(name));
	jsonw_str(&j->w, "goroutine", *name ? name : NULL);
	jsonw_object(&j->w, "labels");
	while (set && labels_next(&set, &label))
		jsonw_str(&j->w, label.key, label.value);
	jsonw_end_object(&j->w);
}

static int put_stacks(struct json *j)
{
	struct prof_counts counts;
	struct prof_freed freed;
	int err = 0;

	jsonw_array(&j->w, "stacks");
	for (uint32_t i = 0; !err && i < j->prof->nrows; i++) {
		const struct prof_row *row = &j->prof->rows[i];

		counts = prof_row_counts(row, j->window);
		freed = row->source == SOURCE_MMAP ? prof_row_freed(row, j->window) : (struct prof_freed){ 0 };
		if (prof_counts_are_zero(&counts) && !freed.bytes)
			continue;
		jsonw_object(&j->w, NULL);
		jsonw_u64(&j->w, "pid", row->pid);
		jsonw_str(&j->w, "source", source_name(row->source));
		jsonw_str(&j->w, "type", str(j, row->type));
		put_context(j, row->context);
		put_counts(j, row->source, &counts, &freed);
		if (row->source == SOURCE_RSS) {
			put_trend(j, i);
			err = put_touches(j, i);
		}
		jsonw_str(&j->w, "incomplete", incomplete(j->prof->stacks[row->stack].flags));
		jsonw_str(&j->w, "walked", walked(j->prof->stacks[row->stack].flags));
		put_frames(j, row->stack);
		jsonw_end_object(&j->w);
	}
	jsonw_end_array(&j->w);
	return err;
}

static struct json json_begin(const struct profile *prof, const struct export_opts *opts, const struct jsonw *w)
{
	struct json j = { .prof = prof, .window = opts->window, .w = *w };

	j.sampling = profile__sampling(prof, opts->window);
	for (int i = 0; i < SOURCE__N; i++)
		j.sums[i] = profile__sum(prof, (enum source)i, opts->window);
	return j;
}

/* All but the stacks. */
static void put_about(struct json *j, const char *tool)
{
	const struct profile *prof = j->prof;

	jsonw_u64(&j->w, "schema", 1);
	jsonw_str(&j->w, "tool", tool);
	jsonw_str(&j->w, "kernel", prof->kernel);
	put_time(j, "start", window_start_ns(prof, j->window));
	jsonw_double(&j->w, "duration_s", profile__duration_s(prof, j->window), 6);
	put_targets(j);
	jsonw_str(&j->w, "mode", prof->mode);
	put_sampling(j);
	jsonw_object(&j->w, "totals");
	put_total(j, SOURCE_GO);
	put_total(j, SOURCE_MALLOC);
	if (prof->has_source[SOURCE_MMAP])
		put_total(j, SOURCE_MMAP);
	jsonw_end_object(&j->w);
	put_losses(j);
	put_overhead(j);
	put_rss(j);
	put_live_source(j);
	put_block_source(j);
	put_peak(j);
	put_rss_peak(j);
	jsonw_null(&j->w, "gc");
}

void json_put_about(struct jsonw *w, const char *key, const struct profile *prof, const struct export_opts *opts)
{
	struct json j = json_begin(prof, opts, w);

	jsonw_object(&j.w, key);
	put_about(&j, opts->tool);
	jsonw_end_object(&j.w);
	*w = j.w;
}

int json_write(const struct profile *prof, const struct export_opts *opts, FILE *out)
{
	struct jsonw w;
	struct json j;
	int err;

	jsonw_init(&w, out);
	j = json_begin(prof, opts, &w);
	jsonw_object(&j.w, NULL);
	put_about(&j, opts->tool);
	err = put_stacks(&j);
	jsonw_end_object(&j.w);
	fputc('\n', out);
	return err;
}
