// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The text report, for an engineer at 3 a.m.:
 *
 * 15:04:05  #1  5.0 s  prometheus (pid 1234, go1.19.8)  exact  tracing cost 3.1 % of its CPU (1.2M hits)
 * LOST 1,234 events:  site_map_full 1,234 (some stacks' counts are too low)
 * go      312.4 MiB  62.5 MiB/s  1,234,567 objects  246,913/s  requested 290.1 MiB, waste 7.1 %
 * RSS     95.1 MiB  +14.9 MiB since attach, +5.1 MiB in this interval  ...
 *
 *   #    share       bytes     bytes/s       objects       avg   waste  source  type
 *   1   45.2 %   141.2 MiB  28.2 MiB/s       512,123     289 B   3.1 %  go      []uint8
 *      main.fill  main.go:42  via runtime.makeslice
 *      main.handle  main.go:77
 *      ... 4 more frames
 *
 * The first lines say whether the numbers can be believed (what was lost, what it cost), then the
 * sums, then who. Under a row of numbers stands its stack, the frame to blame first: the innermost
 * that is not plumbing. Of the plumbing inside of it only the door is named (via ...), which
 * says what kind of allocation it was; other plumbing is left out. -v shows every frame.
 * Tables end with what they leave out, so they add up to the sums above.
 *
 * Rejected: numbers and stack side by side. Names of 60 columns are common, and cutting
 * them costs more than a second line.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/units.h"
#include "export/formats.h"
#include "export/go_memory.h"
#include "export/rss_areas.h"
#include "profile/timeline.h"
#include "export/group.h"
#include "export/paper.h"
#include "profile/labels.h"

#define MAX_FRAMES 6
#define STACK_INDENT 6
#define MIN_NAME_COLUMNS 30 /* with less left, a name goes to a line of its own */
#define WIDE_COLUMNS 96
#define PID_COLUMNS 9
#define GOROUTINE_COLUMNS 11
#define GROWN_COLUMNS 12
#define AGE_COLUMNS 9

struct report {
	const struct profile *prof;
	const struct export_opts *opts;
	struct paper paper;
	enum group_key group; /* of the table that is being written */
	double seconds; /* of the window */
	bool wide; /* room for the columns that can be missed */
	bool live; /* columns for what is there now */
	bool narrow; /* no room for all of those */
	bool estimated; /* some of it has a standard error */
	bool aged; /* of some it is known since when */
	struct prof_sampling sampling; /* of the window; with bursts there is a column of standard errors */
};

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* "comm (pid 1234, go1.19.8, exited with 1)" */
static void put_target(struct report *r, const struct prof_target *t)
{
	const struct strtab *strs = r->prof->strs;
	const char *runtime = strtab__get(strs, t->runtime);
	char state[48] = "";

	if (t->exit_code >= 0)
		snprintf(state, sizeof(state), ", exited with %d", t->exit_code);
	else if (t->exit_code == PROF_EXIT_UNKNOWN)
		snprintf(state, sizeof(state), ", exited");
	paper_item(&r->paper, STYLE_BOLD, "%.100s (pid %u%s%.100s%s)", strtab__get(strs, t->comm), t->pid,
		   *runtime ? ", " : "", runtime, state);
}

static void put_cost(struct report *r)
{
	struct prof_cost cost = profile__cost(r->prof, r->opts->window);
	uint64_t cpu_ns = profile__target_cpu_ns(r->prof, r->opts->window);
	double spent_ns = (double)(cost.trap_ns + cost.bpf_ns);

	if (cpu_ns)
		paper_item(&r->paper, STYLE_PLAIN, "tracing cost %s of its CPU (%s hits)",
			   fmt_pct(UNITS_TMP, spent_ns, (double)cpu_ns), fmt_count(UNITS_TMP, cost.hits));
	else
		paper_item(&r->paper, STYLE_PLAIN, "tracing cost %s of CPU (%s hits)",
			   fmt_duration(UNITS_TMP, spent_ns / 1e9), fmt_count(UNITS_TMP, cost.hits));
}

#define MAX_TARGETS_SHOWN 5

/* How little of the time was looked at, and how much of it that stands for. */
static void put_sampling(struct report *r)
{
	const struct prof_sampling *s = &r->sampling;
	double of_s = prof_sampled_s(s);

	if (r->prof->budget && !s->bursts)
		paper_item(&r->paper, STYLE_PLAIN, "at most %.3g %% of its CPU", 100 * r->prof->budget);
	if (!s->bursts)
		return;
	paper_item(&r->paper, STYLE_PLAIN, "%s bursts of %s for %s", fmt_grouped(UNITS_TMP, s->bursts),
		   fmt_duration(UNITS_TMP, s->seen_s / (double)s->bursts), fmt_duration(UNITS_TMP, of_s));
	if (prof_whole(s->unseen_bytes))
		paper_item(&r->paper, STYLE_PLAIN, "%s of Go not seen", fmt_bytes(UNITS_TMP, prof_whole(s->unseen_bytes)));
	if (s->uncovered_s > r->seconds / 20)
		paper_item(&r->paper, STYLE_ALERT, "%s of the time not looked at", fmt_duration(UNITS_TMP, s->uncovered_s));
}

static void put_heading(struct report *r)
{
	time_t now = (time_t)(r->prof->now_unix_ns / 1000000000);
	uint32_t shown = r->prof->ntargets;
	char clock[16];
	struct tm tm;

	if (!localtime_r(&now, &tm) || !strftime(clock, sizeof(clock), "%H:%M:%S", &tm))
		snprintf(clock, sizeof(clock), "--:--:--");
	paper_put(&r->paper, STYLE_BOLD, clock);
	if (r->opts->report_nr)
		paper_item(&r->paper, STYLE_PLAIN, "#%u", r->opts->report_nr);
	paper_item(&r->paper, STYLE_PLAIN, "%s", fmt_duration(UNITS_TMP, r->seconds));
	if (shown > MAX_TARGETS_SHOWN && !r->opts->verbose)
		shown = MAX_TARGETS_SHOWN;
	for (uint32_t i = 0; i < shown; i++)
		put_target(r, &r->prof->targets[i]);
	if (shown < r->prof->ntargets)
		paper_item(&r->paper, STYLE_BOLD, "and %u more processes", r->prof->ntargets - shown);
	paper_item(&r->paper, STYLE_PLAIN, "%s", r->prof->mode);
	put_sampling(r);
	put_cost(r);
	paper_newline(&r->paper);
}

/* One line for what is missing from the counts, one for what is incomplete otherwise. */
static void put_loss_line(struct report *r, bool notes, const char *title)
{
	bool interval = r->opts->window == WINDOW_INTERVAL, any = false;

	for (uint32_t i = 0; i < r->prof->nlosses; i++) {
		const struct prof_loss *loss = &r->prof->losses[i];
		uint64_t count = loss->count - (interval ? loss->marked : 0);

		if (!count || loss->is_note != notes)
			continue;
		if (!any)
			paper_item(&r->paper, STYLE_ALERT, "%s", title);
		any = true;
		paper_item(&r->paper, STYLE_PLAIN, "%s %s (%s)", loss->name, fmt_grouped(UNITS_TMP, count), loss->text);
	}
	if (any)
		paper_newline(&r->paper);
}

static void put_losses(struct report *r)
{
	char title[80];

	snprintf(title, sizeof(title), "LOST %s events:", fmt_grouped(UNITS_TMP, profile__losses(r->prof, r->opts->window)));
	put_loss_line(r, false, title);
	put_loss_line(r, true, "INCOMPLETE:");
}

static uint64_t waste_bytes(const struct prof_counts *c)
{
	return c->alloc_bytes > c->requested_bytes ? c->alloc_bytes - c->requested_bytes : 0;
}

/* A rate has no meaning without time. */
static double per_second(const struct report *r, uint64_t n)
{
	return r->seconds > 0 ? (double)n / r->seconds : 0;
}

/* Into @buf; "?" where there were too few bursts to tell. */
static const char *bytes_se(char buf[static UNITS_SIZE], const struct prof_counts *counts, const struct prof_counts *sum,
			    const struct prof_sampling *sampling)
{
	double se = prof_alloc_se(counts, sum, sampling).bytes;

	return se >= 0 ? fmt_bytes(buf, prof_whole(se)) : "?";
}

static void put_sum(struct report *r, enum source source)
{
	struct prof_counts sum = profile__sum(r->prof, source, r->opts->window);

	paper_put(&r->paper, STYLE_BOLD, source_name(source));
	paper_indent(&r->paper, 6);
	paper_item(&r->paper, STYLE_BOLD, "%s", fmt_bytes(UNITS_TMP, sum.alloc_bytes));
	if (r->sampling.bursts && source != SOURCE_MMAP)
		paper_item(&r->paper, STYLE_PLAIN, "+-%s", bytes_se(UNITS_TMP, &sum, &sum, &r->sampling));
	paper_item(&r->paper, STYLE_PLAIN, "%s", fmt_byte_rate(UNITS_TMP, per_second(r, sum.alloc_bytes)));
	paper_item(&r->paper, STYLE_PLAIN, "%s objects", fmt_grouped(UNITS_TMP, sum.alloc_objects));
	paper_item(&r->paper, STYLE_PLAIN, "%s", fmt_count_rate(UNITS_TMP, per_second(r, sum.alloc_objects)));
	if (sum.alloc_bytes != sum.requested_bytes)
		paper_item(&r->paper, STYLE_PLAIN, "requested %s, waste %s", fmt_bytes(UNITS_TMP, sum.requested_bytes),
			   fmt_pct(UNITS_TMP, (double)waste_bytes(&sum), (double)sum.alloc_bytes));
	paper_newline(&r->paper);
}

/* "live  1.2 GiB +-20 MiB  ...": how much, how sure, and from where that is known. */
static void put_live(struct report *r, enum source source)
{
	const struct prof_live *live = &r->prof->live[source];
	struct prof_counts sum;

	if (!live->measured)
		return;
	sum = profile__sum(r->prof, source, r->opts->window);
	paper_put(&r->paper, STYLE_BOLD, "live");
	paper_indent(&r->paper, 6);
	paper_item(&r->paper, STYLE_BOLD, "%s", fmt_bytes(UNITS_TMP, prof_whole(sum.live_bytes)));
	if (live->rate_bytes > 1 && !live->samples) /* with 95 % confidence: exp(-3) */
		paper_item(&r->paper, STYLE_PLAIN, "no sample: less than %s", fmt_bytes(UNITS_TMP, 3 * live->rate_bytes));
	else if (sum.live_bytes_var > 0)
		paper_item(&r->paper, STYLE_PLAIN, "+-%s", fmt_bytes(UNITS_TMP, prof_whole(prof_se(sum.live_bytes_var))));
	paper_item(&r->paper, STYLE_PLAIN, "%s objects", fmt_grouped(UNITS_TMP, prof_whole(sum.live_objects)));
	if (live->older_s > 0)
		paper_item(&r->paper, STYLE_BOLD, "at least %s old", fmt_duration(UNITS_TMP, live->older_s));
	if (live->ages_known && r->opts->window == WINDOW_INTERVAL)
		paper_item(&r->paper, STYLE_PLAIN, "%s in this interval",
			   fmt_bytes_signed(UNITS_TMP, prof_signed(sum.live_grown_bytes)));
	if (live->frees_counted)
		paper_item(&r->paper, STYLE_PLAIN, "%s in %s objects given back", fmt_bytes(UNITS_TMP, sum.free_bytes),
			   fmt_grouped(UNITS_TMP, sum.free_objects));
	if (live->high_bytes)
		paper_item(&r->paper, STYLE_PLAIN, "at most %s at a time", fmt_bytes(UNITS_TMP, live->high_bytes));
	if (live->unjudged_bytes)
		paper_item(&r->paper, STYLE_PLAIN, "%s of it younger than the last GC",
			   fmt_bytes(UNITS_TMP, live->unjudged_bytes));
	if (live->rate_bytes > 1 || sum.live_bytes_var > 0)
		paper_item(&r->paper, STYLE_DIM, "%s: %s samples, one in %s", live->how,
			   fmt_grouped(UNITS_TMP, live->samples), fmt_bytes(UNITS_TMP, live->rate_bytes));
	else
		paper_item(&r->paper, STYLE_DIM, "%s: every object", live->how);
	if (live->before_gone_bytes)
		paper_item(&r->paper, STYLE_PLAIN, "%s from before the attach unmapped",
			   fmt_bytes(UNITS_TMP, live->before_gone_bytes));
	if (live->unsure)
		paper_item(&r->paper, STYLE_ALERT, "%s samples looked at too late to be sure",
			   fmt_grouped(UNITS_TMP, live->unsure));
	paper_newline(&r->paper);
}

/* "peak    1.2 GiB  in 12,345 objects  3.4 s after the attach  ...": @high is what there was between snapshots, too. */
static void put_peak(struct report *r, const char *label, const struct prof_peak *peak, uint64_t high)
{
	if (!peak->measured)
		return;
	paper_put(&r->paper, STYLE_BOLD, label);
	paper_indent(&r->paper, 6);
	paper_item(&r->paper, STYLE_BOLD, "%s", fmt_bytes(UNITS_TMP, prof_whole(peak->bytes)));
	if (peak->objects > 0)
		paper_item(&r->paper, STYLE_PLAIN, "%s objects", fmt_grouped(UNITS_TMP, prof_whole(peak->objects)));
	if (peak->unix_ns > r->prof->start_unix_ns)
		paper_item(&r->paper, STYLE_PLAIN, "%s after the attach",
			   fmt_duration(UNITS_TMP, (double)(peak->unix_ns - r->prof->start_unix_ns) / 1e9));
	if (high)
		paper_item(&r->paper, STYLE_DIM, "the highest of the snapshots: %s of what there was at most",
			   fmt_pct(UNITS_TMP, peak->bytes, (double)high));
	paper_newline(&r->paper);
}

static void put_rss_kinds(struct report *r)
{
	const struct prof_rss_kind *k = r->prof->rss_kinds;

	if (!r->prof->has_rss_kinds)
		return;
	paper_item(&r->paper, STYLE_DIM, "anon %s, file %s, shmem %s, swap %s",
		   fmt_bytes(UNITS_TMP, k[RSS_ANON].now_bytes), fmt_bytes(UNITS_TMP, k[RSS_FILE].now_bytes),
		   fmt_bytes(UNITS_TMP, k[RSS_SHMEM].now_bytes), fmt_bytes(UNITS_TMP, k[RSS_SWAP].now_bytes));
	if (r->prof->hugetlb_bytes)
		paper_item(&r->paper, STYLE_PLAIN, "hugetlb %s (not in RSS)", fmt_bytes(UNITS_TMP, r->prof->hugetlb_bytes));
}

/* "5.2 MiB by page faults, an estimate: ...  -1.2 MiB unexplained" */
static void put_faults_balance(struct report *r, uint64_t grown_bytes, int64_t unexplained_bytes)
{
	paper_item(&r->paper, STYLE_PLAIN, "%s by page faults, an estimate", fmt_bytes(UNITS_TMP, grown_bytes));
	paper_item(&r->paper, STYLE_PLAIN, "%s unexplained", fmt_bytes_signed(UNITS_TMP, unexplained_bytes));
	paper_newline(&r->paper);
	paper_indent(&r->paper, 2);
	paper_item(&r->paper, STYLE_DIM, "what is given back is not seen");
	paper_item(&r->paper, STYLE_DIM, "huge and read-around pages count too little, copied ones too much");
}

/* "5.2 MiB grown, 1.2 MiB released  of it by others +0 B, -12.0 KiB  +0 B unexplained": the balance of @grown. */
static void put_rss_balance(struct report *r, int64_t grown)
{
	const struct prof_counts sum = profile__sum(r->prof, SOURCE_RSS, r->opts->window);
	const struct prof_counts by_others = profile__sum_others(r->prof, r->opts->window);
	const struct prof_moved all = prof_rss_moved(&sum), others = prof_rss_moved(&by_others);
	int64_t unexplained = grown - prof_rss_bytes(&sum);

	paper_newline(&r->paper);
	paper_indent(&r->paper, 2);
	if (r->prof->rss_method == RSS_BY_FAULTS) {
		put_faults_balance(r, all.grown_bytes, unexplained);
		return;
	}
	paper_item(&r->paper, STYLE_PLAIN, "%s grown, %s released", fmt_bytes(UNITS_TMP, all.grown_bytes),
		   fmt_bytes(UNITS_TMP, all.released_bytes));
	if (others.grown_bytes || others.released_bytes)
		paper_item(&r->paper, STYLE_PLAIN, "of it by others %s, %s",
			   fmt_bytes_signed(UNITS_TMP, (int64_t)others.grown_bytes),
			   fmt_bytes_signed(UNITS_TMP, -(int64_t)others.released_bytes));
	if (sum.rss[RSS_SWAP].grown_bytes || sum.rss[RSS_SWAP].released_bytes)
		paper_item(&r->paper, STYLE_PLAIN, "%s to swap, %s back",
			   fmt_bytes(UNITS_TMP, sum.rss[RSS_SWAP].grown_bytes),
			   fmt_bytes(UNITS_TMP, sum.rss[RSS_SWAP].released_bytes));
	paper_item(&r->paper, STYLE_PLAIN, "%s unexplained", fmt_bytes_signed(UNITS_TMP, unexplained));
}

static void put_proc_balance(struct report *r)
{
	paper_newline(&r->paper);
	paper_indent(&r->paper, 2);
	paper_item(&r->paper, STYLE_DIM, "from /proc now and then: who grew it and who gave back is not seen");
}

/* "Go heap +12.0 MiB, C heap -4.0 KiB": the balance by what the pages are for. */
static void put_rss_areas(struct report *r)
{
	struct rss_area areas[RSS_AREAS_MAX];
	size_t n = rss_areas(r->prof, r->opts->window, areas), named = 0;

	for (size_t i = 0; i < n; i++)
		named += areas[i].type != 0;
	if (!named)
		return;
	paper_newline(&r->paper);
	paper_indent(&r->paper, 2);
	for (size_t i = 0; i < n; i++)
		paper_item(&r->paper, STYLE_PLAIN, "%s %s", areas[i].type ? strtab__get(r->prof->strs, areas[i].type) : "not known",
			   fmt_bytes_signed(UNITS_TMP, (int64_t)(areas[i].moved.grown_bytes - areas[i].moved.released_bytes)));
}

/*
 * "of it Go's heap 3.0 GiB  in use 2.9 GiB, objects 400.0 MiB  idle 1.3 GiB, of it released 1.2 GiB  stacks 1.0 MiB  ...",
 * and under it what is not objects: "2.5 GiB fragmentation  free places between objects in spans in use".
 */
static void put_go_memory(struct report *r)
{
	struct go_memory mem;
	const struct go_rss *sum = &mem.sum;

	if (!go_memory(r->prof, &mem))
		return;
	paper_newline(&r->paper);
	paper_indent(&r->paper, 2);
	if (mem.unknown) {
		paper_item(&r->paper, STYLE_PLAIN, "Go's heap of %u not known:", mem.unknown_pid);
		paper_item(&r->paper, STYLE_PLAIN, "%s", mem.unknown);
		return;
	}
	paper_item(&r->paper, STYLE_PLAIN, "of it Go's heap %s", fmt_bytes(UNITS_TMP, sum->arenas_bytes));
	paper_item(&r->paper, STYLE_PLAIN, "in use %s, objects %s", fmt_bytes(UNITS_TMP, sum->heap_inuse_bytes),
		   fmt_bytes(UNITS_TMP, sum->objects_bytes));
	paper_item(&r->paper, STYLE_PLAIN, "idle %s, of it released %s", fmt_bytes(UNITS_TMP, sum->heap_idle_bytes),
		   fmt_bytes(UNITS_TMP, sum->heap_released_bytes));
	paper_item(&r->paper, STYLE_PLAIN, "stacks %s", fmt_bytes(UNITS_TMP, sum->stacks_bytes));
	paper_item(&r->paper, STYLE_PLAIN, "runtime %s", fmt_bytes(UNITS_TMP, sum->runtime_bytes));
	for (size_t i = 0; i < mem.ncauses; i++) {
		paper_newline(&r->paper);
		paper_indent(&r->paper, 4);
		paper_item(&r->paper, STYLE_BOLD, "%s %s", fmt_bytes(UNITS_TMP, mem.causes[i].bytes), mem.causes[i].name);
		paper_item(&r->paper, STYLE_DIM, "%s", mem.causes[i].text);
	}
}

/* "36.6 MiB |...:::---====****####| 95.1 MiB in 30 s": RSS since the attach, from the lowest to the highest. */
static void put_rss_chart(struct report *r)
{
	static const char ramp[] = "_.:-=+*#";
	const struct timeline *tl = r->prof->timeline;
	char chart[TIMELINE_POINTS + 1] = "";
	uint64_t low = UINT64_MAX, high = 0;

	if (!tl || tl->n < 3)
		return;
	for (size_t i = 0; i < tl->n; i++) {
		low = tl->points[i].rss_bytes < low ? tl->points[i].rss_bytes : low;
		high = tl->points[i].rss_bytes > high ? tl->points[i].rss_bytes : high;
	}
	if (low == high)
		return;
	for (size_t i = 0; i < tl->n; i++)
		chart[i] = ramp[(tl->points[i].rss_bytes - low) * (sizeof(ramp) - 2) / (high - low)];
	paper_newline(&r->paper);
	paper_indent(&r->paper, 2);
	paper_item(&r->paper, STYLE_PLAIN, "|%s|", chart);
	paper_item(&r->paper, STYLE_DIM, "from %s (_) to %s (#)", fmt_bytes(UNITS_TMP, low), fmt_bytes(UNITS_TMP, high));
}

/* "keeps growing  1.2 MiB/s  main.remember": the stacks whose balance looks like a leak's, largest first. */
static void put_rss_trends(struct report *r)
{
	const struct timeline *tl = r->prof->timeline;
	double shown = 1e300, best, per_s;
	struct frame_view view;
	uint32_t top;

	/* Where nobody sees what is given back everything seems to grow. */
	for (int i = 0; tl && r->prof->rss_method == RSS_BY_COUNTERS && i < 3; i++, shown = best) {
		best = 0;
		for (uint32_t row = 0; row < tl->nrows; row++) {
			if (timeline__row_trend(tl, row, &per_s) == TREND_GROWING && per_s > best && per_s < shown) {
				best = per_s;
				top = row;
			}
		}
		if (best <= 0)
			return;
		paper_newline(&r->paper);
		paper_indent(&r->paper, 2);
		paper_item(&r->paper, STYLE_BOLD, "keeps growing");
		paper_item(&r->paper, STYLE_PLAIN, "%s", fmt_byte_rate(UNITS_TMP, best));
		paper_put(&r->paper, STYLE_PLAIN, "  ");
		paper_name(&r->paper, STYLE_PLAIN,
			   stack_blame(r->prof, r->prof->rows[top].stack, &view) ? view.func : "[lost stack]",
			   r->paper.width - 32);
	}
}

static void put_rss(struct report *r)
{
	bool interval = r->opts->window == WINDOW_INTERVAL && r->prof->mark_unix_ns > r->prof->start_unix_ns;
	uint64_t start = 0, marked = 0, now = 0;
	int64_t grown;

	for (uint32_t i = 0; i < r->prof->ntargets; i++) {
		start += r->prof->targets[i].rss_start_bytes;
		marked += r->prof->targets[i].rss_marked_bytes;
		now += r->prof->targets[i].rss_now_bytes;
	}
	if (!start && !now && !r->prof->has_rss_kinds)
		return;
	grown = (int64_t)(now - (interval ? marked : start));
	paper_put(&r->paper, STYLE_BOLD, "RSS");
	paper_indent(&r->paper, 6);
	paper_item(&r->paper, STYLE_BOLD, "%s", fmt_bytes(UNITS_TMP, now));
	paper_item(&r->paper, STYLE_PLAIN, "%s since attach", fmt_bytes_signed(UNITS_TMP, (int64_t)(now - start)));
	if (interval)
		paper_item(&r->paper, STYLE_PLAIN, "%s in this interval", fmt_bytes_signed(UNITS_TMP, grown));
	put_rss_kinds(r);
	if (r->prof->has_source[SOURCE_RSS])
		put_rss_balance(r, grown);
	else if (r->prof->rss_method == RSS_BY_PROC)
		put_proc_balance(r);
	put_rss_areas(r);
	put_go_memory(r);
	put_rss_chart(r);
	put_rss_trends(r);
	paper_newline(&r->paper);
}

/* "main.fill  main.go:42  via runtime.makeslice  [inlined]", "do_anonymous_page  [kernel]"; @door may be NULL. */
static void put_frame(struct report *r, const struct frame_view *view, const struct frame_view *door)
{
	enum style style = view->flags & FRAME_PLUMBING ? STYLE_DIM : STYLE_PLAIN;
	const char *mark = view->flags & FRAME_KERNEL			     ? "  [kernel]" :
			   r->opts->verbose && view->flags & FRAME_INLINED ? "  [inlined]" :
									     "";
	char place[280] = "", via[192] = "", file[512];
	size_t used;

	if (*view->file) {
		name_clean(file, sizeof(file), last_component(view->file));
		text_cut_middle(place, sizeof(place) - 16, file, 40);
		if (view->line)
			snprintf(place + strlen(place), 16, ":%u", view->line);
	}
	if (door) {
		char name[512];

		name_clean(name, sizeof(name), door->func);
		text_cut_middle(via, sizeof(via), name, 32);
	}
	used = STACK_INDENT + strlen(mark);
	used += *place ? 2 + text_columns(place) : 0;
	used += *via ? 6 + text_columns(via) : 0;
	paper_indent(&r->paper, STACK_INDENT);
	paper_name(&r->paper, style, view->func, used + 16 < r->paper.width ? r->paper.width - used : 16);
	if (*place) {
		paper_put(&r->paper, STYLE_PLAIN, "  ");
		paper_put(&r->paper, STYLE_DIM, place);
	}
	if (*via) {
		paper_put(&r->paper, STYLE_DIM, "  via ");
		paper_put(&r->paper, STYLE_DIM, via);
	}
	paper_put(&r->paper, STYLE_DIM, mark);
	paper_newline(&r->paper);
}

static void put_note(struct report *r, const char *text)
{
	paper_indent(&r->paper, STACK_INDENT);
	paper_put(&r->paper, STYLE_DIM, text);
	paper_newline(&r->paper);
}

/* How many frames of @stack are not plumbing. */
static uint32_t count_user_frames(const struct report *r, uint32_t stack)
{
	struct frame_iter it = frames_of(r->prof, stack);
	struct frame_view view;
	uint32_t n = 0;

	while (frame_iter__next(&it, &view))
		n += !(view.flags & FRAME_PLUMBING);
	return n;
}

/* The C library's code around main() has no frame pointers: that a walk ends there is no loss. */
static bool ends_where_threads_start(const struct report *r, uint32_t stack)
{
	static const char *const starts[] = { "main", "_start", "__libc_start_call_main", "__libc_start_main", "start_thread" };
	struct frame_iter it = frames_of(r->prof, stack);
	struct frame_view view;
	bool starts_here = false;

	while (frame_iter__next(&it, &view)) {
		starts_here = false;
		for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
			starts_here |= strcmp(view.func, starts[i]) == 0;
	}
	return starts_here;
}

static void put_stack(struct report *r, uint32_t stack)
{
	uint32_t flags = r->prof->stacks[stack].flags, users = count_user_frames(r, stack), shown = 0, hidden = 0;
	bool all = r->opts->verbose || !users; /* plumbing is better than nothing */
	struct frame_iter it = frames_of(r->prof, stack);
	struct frame_view view, door;
	bool has_door = false;
	char note[64];

	while (frame_iter__next(&it, &view)) {
		if (!all && view.flags & FRAME_PLUMBING) {
			if (!shown) {
				door = view; /* the outermost of the run is what the user's code called */
				if (!view.func_id)
					door.func = door.buf;
				has_door = true;
			}
			continue;
		}
		if (shown >= MAX_FRAMES && !r->opts->verbose) {
			hidden++;
			continue;
		}
		put_frame(r, &view, !shown && has_door ? &door : NULL);
		shown++;
	}
	if (hidden) {
		snprintf(note, sizeof(note), "... %u more frame%s", hidden, hidden == 1 ? "" : "s");
		put_note(r, note);
	}
	if (flags & STACK_LOST || !r->prof->stacks[stack].nlocs)
		put_note(r, LOST_STACK_NAME);
	else if (flags & STACK_TRUNCATED)
		put_note(r, "[too deep: the outer frames were not recorded]");
	else if (flags & STACK_BROKEN && !ends_where_threads_start(r, stack))
		put_note(r, "[the walk broke here: callers are not known]");
}

static const char *group_noun(enum group_key key, size_t n)
{
	switch (key) {
	case GROUP_STACK:
		return n == 1 ? "stack" : "stacks";
	case GROUP_ALLOCATION:
		return n == 1 ? "stack that allocated" : "stacks that allocated";
	case GROUP_FUNC:
		return n == 1 ? "function" : "functions";
	case GROUP_LINE:
		return n == 1 ? "line" : "lines";
	case GROUP_TYPE:
		return n == 1 ? "type" : "types";
	case GROUP_GOROUTINE:
		return n == 1 ? "creator of goroutines" : "creators of goroutines";
	case GROUP_LABELS:
		return n == 1 ? "label set" : "label sets";
	case GROUP_MODULE:
		break;
	}
	return n == 1 ? "module" : "modules";
}

/* What to call rows about which nobody knows what @key asks for. */
static const char *unknown_name(enum group_key key, const struct group *g)
{
	if (g->unknown)
		return g->source == SOURCE_GO ? "[from before the attach: not known]" : "[not known of this source]";
	switch (key) {
	case GROUP_TYPE:
		return "[type not known]";
	case GROUP_GOROUTINE:
		return "[no goroutine]";
	case GROUP_LABELS:
		return "[no labels]";
	default:
		return LOST_STACK_NAME;
	}
}

/* "  main.go:42" of a group that is a line of code, else "". */
static void group_place(const struct group *g, enum group_key key, char place[64])
{
	const struct frame_view *view = g->frame;
	char file[40];

	place[0] = 0;
	if (!view || !*view->file || (key != GROUP_LINE && key != GROUP_GOROUTINE) ||
	    (key == GROUP_GOROUTINE && creator_is_main(view)))
		return;
	name_clean(file, sizeof(file), last_component(view->file));
	snprintf(place, 64, view->line ? "  %s:%u" : "  %s", file, view->line);
}

/* The name of a group that is not a stack, @gap columns behind its numbers, or on a line of its own. */
static void put_group_name(struct report *r, const struct group *g, size_t gap)
{
	const struct frame_view *view = g->frame;
	enum group_key key = r->group;
	char place[64], labels[1024];
	size_t left, used;

	group_place(g, key, place);
	used = text_columns(place);
	if (paper_left(&r->paper) < gap + (used + 16 > MIN_NAME_COLUMNS ? used + 16 : MIN_NAME_COLUMNS)) {
		paper_newline(&r->paper);
		gap = STACK_INDENT;
	}
	paper_indent(&r->paper, r->paper.column + gap);
	left = paper_left(&r->paper);
	if (key == GROUP_TYPE && g->type) {
		paper_name(&r->paper, STYLE_PLAIN, strtab__get(r->prof->strs, g->type), left);
		return;
	}
	if (key == GROUP_LABELS && g->labels) {
		labels_text(strtab__get(r->prof->strs, g->labels), labels, sizeof(labels));
		paper_name(&r->paper, STYLE_PLAIN, labels, left);
		return;
	}
	if (!view) {
		paper_name(&r->paper, STYLE_DIM, unknown_name(key, g), left);
		return;
	}
	if (key == GROUP_GOROUTINE && creator_is_main(view)) {
		paper_name(&r->paper, STYLE_PLAIN, "main goroutine", left);
		return;
	}
	if (key == GROUP_MODULE) {
		const char *name = prof_module_name(r->prof, view->module);

		paper_name(&r->paper, STYLE_PLAIN, *name ? name : "[unknown]", left);
		return;
	}
	paper_name(&r->paper, STYLE_PLAIN, view->func, used + 16 < left ? left - used : 16);
	paper_put(&r->paper, STYLE_DIM, place);
}

static bool has_goroutine_column(const struct report *r)
{
	return r->group == GROUP_GOROUTINE && r->prof->has_goroutines;
}

static void put_age_titles(struct report *r)
{
	if (!r->aged)
		return;
	paper_right(&r->paper, STYLE_BOLD, AGE_COLUMNS, "oldest");
	if (!r->narrow)
		paper_right(&r->paper, STYLE_BOLD, AGE_COLUMNS, "median");
}

static void put_ages(struct report *r, const struct prof_counts *c)
{
	if (!r->aged)
		return;
	paper_right(&r->paper, STYLE_PLAIN, AGE_COLUMNS, c->aged_objects ? fmt_duration(UNITS_TMP, c->oldest_s) : "-");
	if (!r->narrow)
		paper_right(&r->paper, STYLE_PLAIN, AGE_COLUMNS,
			    c->aged_objects ? fmt_duration(UNITS_TMP, c->median_age_s) : "-");
}

static void put_title(struct report *r, const char *what)
{
	struct paper *p = &r->paper;

	paper_newline(p);
	paper_right(p, STYLE_BOLD, 4, "#");
	paper_right(p, STYLE_BOLD, 9, "share");
	if (r->live) {
		paper_right(p, STYLE_BOLD, 12, "live");
		if (r->estimated)
			paper_right(p, STYLE_BOLD, 11, "+-");
		if (r->aged)
			paper_right(p, STYLE_BOLD, GROWN_COLUMNS, "grown");
		if (!r->narrow)
			paper_right(p, STYLE_BOLD, 14, "live objects");
		put_age_titles(r);
	}
	paper_right(p, STYLE_BOLD, 12, r->prof->peak.measured ? "at peak" : r->live ? "allocated" : "bytes");
	if (r->sampling.bursts && !r->live)
		paper_right(p, STYLE_BOLD, 11, "+-");
	if (r->opts->sort == SORT_WASTE)
		paper_right(p, STYLE_BOLD, 14, "wasted");
	else if (!r->narrow && !r->aged)
		paper_right(p, STYLE_BOLD, 14, "bytes/s");
	if (!r->live)
		paper_right(p, STYLE_BOLD, 14, "objects");
	if (r->wide) {
		paper_right(p, STYLE_BOLD, 10, "avg");
		paper_right(p, STYLE_BOLD, 8, "waste");
	}
	if (has_goroutine_column(r))
		paper_right(p, STYLE_BOLD, GOROUTINE_COLUMNS, "goroutines");
	if (r->prof->ntargets > 1)
		paper_right(p, STYLE_BOLD, PID_COLUMNS, "pid");
	paper_put(p, STYLE_BOLD, "  source");
	if (paper_left(p) >= 2 + strlen(what)) {
		paper_indent(p, p->column + 2);
	} else { /* the names have lines of their own, too */
		paper_newline(p);
		paper_indent(p, STACK_INDENT);
	}
	paper_put(p, STYLE_BOLD, what);
	paper_newline(p);
}

/* What is there now; a source of which that is not known has none of it, which is not 0. */
static void put_live_numbers(struct report *r, const struct prof_counts *c, bool known)
{
	struct paper *p = &r->paper;

	paper_right(p, STYLE_BOLD, 12, known ? fmt_bytes(UNITS_TMP, prof_whole(c->live_bytes)) : "-");
	if (r->estimated)
		paper_right(p, STYLE_PLAIN, 11, known ? fmt_bytes(UNITS_TMP, prof_whole(prof_se(c->live_bytes_var))) : "-");
	if (r->aged)
		paper_right(p, STYLE_PLAIN, GROWN_COLUMNS,
			    known ? fmt_bytes_signed(UNITS_TMP, prof_signed(c->live_grown_bytes)) : "-");
	if (!r->narrow)
		paper_right(p, STYLE_PLAIN, 14, known ? fmt_grouped(UNITS_TMP, prof_whole(c->live_objects)) : "-");
	put_ages(r, c);
}

static void put_alloc_numbers(struct report *r, const struct prof_counts *c, const struct prof_counts *sum, bool live_known)
{
	struct paper *p = &r->paper;
	bool by_live = r->live && r->opts->sort == SORT_LIVE;

	paper_right(p, STYLE_BOLD, 9,
		    by_live ? fmt_pct(UNITS_TMP, (double)prof_whole(c->live_bytes), sum->live_bytes) :
			      fmt_pct(UNITS_TMP, (double)c->alloc_bytes, (double)sum->alloc_bytes));
	if (r->live)
		put_live_numbers(r, c, live_known);
	paper_right(p, STYLE_BOLD, 12,
		    fmt_bytes(UNITS_TMP, r->prof->peak.measured ? prof_whole(c->peak_bytes) : c->alloc_bytes));
	if (r->sampling.bursts && !r->live)
		paper_right(p, STYLE_PLAIN, 11, bytes_se(UNITS_TMP, c, sum, &r->sampling));
	if (r->opts->sort == SORT_WASTE)
		paper_right(p, STYLE_PLAIN, 14, fmt_bytes(UNITS_TMP, waste_bytes(c)));
	else if (!r->narrow && !r->aged)
		paper_right(p, STYLE_PLAIN, 14, fmt_byte_rate(UNITS_TMP, per_second(r, c->alloc_bytes)));
	if (!r->live)
		paper_right(p, STYLE_PLAIN, 14, fmt_grouped(UNITS_TMP, c->alloc_objects));
	if (!r->wide)
		return;
	paper_right(p, STYLE_PLAIN, 10,
		    c->alloc_objects ? fmt_bytes(UNITS_TMP, c->alloc_bytes / c->alloc_objects) : "-");
	paper_right(p, STYLE_PLAIN, 8, fmt_pct(UNITS_TMP, (double)waste_bytes(c), (double)c->alloc_bytes));
}

static void put_type(struct report *r, const struct group *g, size_t gap)
{
	char more[24] = "";

	/* With the columns of --live a name has no room beside them. */
	if (r->live && paper_left(&r->paper) < MIN_NAME_COLUMNS + gap) {
		paper_newline(&r->paper);
		gap = STACK_INDENT;
	} else if (paper_left(&r->paper) < gap + 8) {
		return;
	}
	paper_indent(&r->paper, r->paper.column + gap);
	if (g->ntypes > 1)
		snprintf(more, sizeof(more), " +%u", g->ntypes - 1 > 9999 ? 9999 : g->ntypes - 1);
	paper_name(&r->paper, STYLE_PLAIN, strtab__get(r->prof->strs, g->types[0].type),
		   paper_left(&r->paper) - strlen(more));
	paper_put(&r->paper, STYLE_DIM, more);
}

#define MAX_TYPES 4

/* A stack's types, one a line, where there are several. */
static void put_types(struct report *r, const struct group *g)
{
	uint32_t shown = g->ntypes > MAX_TYPES && !r->opts->verbose ? MAX_TYPES : g->ntypes;
	char note[64];

	if (g->ntypes < 2)
		return;
	for (uint32_t i = 0; i < shown; i++) {
		paper_indent(&r->paper, STACK_INDENT);
		paper_right(&r->paper, STYLE_DIM, 12, fmt_bytes(UNITS_TMP, g->types[i].bytes));
		paper_right(&r->paper, STYLE_DIM, 14, fmt_grouped(UNITS_TMP, g->types[i].objects));
		paper_put(&r->paper, STYLE_DIM, "  ");
		paper_name(&r->paper, STYLE_DIM, strtab__get(r->prof->strs, g->types[i].type), paper_left(&r->paper));
		paper_newline(&r->paper);
	}
	if (shown < g->ntypes) {
		snprintf(note, sizeof(note), "... %u more types", g->ntypes - shown);
		put_note(r, note);
	}
}

static void put_labels(struct report *r, const struct group *g)
{
	char labels[1024];

	if (!g->labels)
		return;
	labels_text(strtab__get(r->prof->strs, g->labels), labels, sizeof(labels));
	paper_indent(&r->paper, STACK_INDENT);
	paper_put(&r->paper, STYLE_DIM, g->more_labels ? "labels (among others): " : "labels: ");
	paper_name(&r->paper, STYLE_DIM, labels, paper_left(&r->paper));
	paper_newline(&r->paper);
}

static void put_alloc_row(struct report *r, const struct group *g, size_t nr, const struct prof_counts *sum)
{
	struct paper *p = &r->paper;
	char buf[24];
	size_t gap;

	snprintf(buf, sizeof(buf), "%zu", nr);
	paper_right(p, STYLE_DIM, 4, buf);
	put_alloc_numbers(r, &g->counts, sum, r->prof->live[g->source].measured);
	if (has_goroutine_column(r))
		paper_right(p, STYLE_PLAIN, GOROUTINE_COLUMNS,
			    g->unknown ? "-" : fmt_grouped(UNITS_TMP, g->goroutines));
	if (r->prof->ntargets > 1) {
		snprintf(buf, sizeof(buf), "%u", g->pid);
		paper_right(p, STYLE_PLAIN, PID_COLUMNS, buf);
	}
	paper_put(p, STYLE_PLAIN, "  ");
	paper_put(p, STYLE_PLAIN, source_name(g->source));
	/* Column of what follows: names of sources have at most six letters. */
	gap = 8 - strlen(source_name(g->source));
	if (r->group != GROUP_STACK)
		put_group_name(r, g, gap);
	else if (g->ntypes)
		put_type(r, g, gap);
	paper_newline(p);
	if (r->group != GROUP_STACK)
		return;
	put_types(r, g);
	put_labels(r, g);
	put_stack(r, g->stack);
}

/* What the table leaves out. */
static void put_alloc_rest(struct report *r, const struct groups *groups, size_t shown)
{
	struct prof_counts rest = { 0 };
	char buf[64];

	if (shown == groups->len)
		return;
	for (size_t i = shown; i < groups->len; i++)
		prof_counts_add(&rest, &groups->items[i].counts);
	paper_right(&r->paper, STYLE_DIM, 4, "");
	put_alloc_numbers(r, &rest, &groups->sum, true);
	snprintf(buf, sizeof(buf), "  in %s more %s", fmt_grouped(UNITS_TMP, groups->len - shown),
		 group_noun(r->group, groups->len - shown));
	paper_put(&r->paper, STYLE_DIM, buf);
	paper_newline(&r->paper);
}

static int put_alloc_table(struct report *r)
{
	static const char *const titles[] = {
		[GROUP_STACK] = "type",
		[GROUP_FUNC] = "function that allocates",
		[GROUP_LINE] = "line that allocates",
		[GROUP_MODULE] = "module",
		[GROUP_TYPE] = "type",
		[GROUP_GOROUTINE] = "goroutines created by",
		[GROUP_LABELS] = "pprof labels",
	};
	struct groups groups;
	size_t shown;
	int err;

	r->group = r->opts->group == GROUP_ALLOCATION ? GROUP_STACK : r->opts->group;
	if (!r->prof->has_source[SOURCE_GO] && !r->prof->has_source[SOURCE_MALLOC] && !r->prof->has_source[SOURCE_MMAP])
		return 0;
	err = groups_build(r->prof, r->opts->window, SOURCES_ALLOC, r->group, !r->opts->verbose, r->opts->sort,
			   &groups);
	if (err)
		return err;
	shown = groups.len < r->opts->top ? groups.len : r->opts->top;
	if (groups.len)
		put_title(r, titles[r->group]);
	else
		fputs("\nno allocations\n", r->paper.out);
	for (size_t i = 0; i < shown; i++)
		put_alloc_row(r, &groups.items[i], i + 1, &groups.sum);
	put_alloc_rest(r, &groups, shown);
	groups_free(&groups);
	return 0;
}

#define TOUCHED_SHOWN 2
#define TOUCHED_FRAMES 3

/* "  9.1 MiB of memory allocated at: zmalloc < sdsnew < main", for the largest: who asked for what was touched. */
static void put_touched_part(struct report *r, const struct touched_part *part)
{
	struct frame_iter it = frames_of(r->prof, part->stack);
	struct frame_view view;
	int shown = 0;

	paper_indent(&r->paper, STACK_INDENT - 2);
	paper_item(&r->paper, STYLE_DIM, "%s of memory %s at:", fmt_bytes(UNITS_TMP, part->bytes),
		   part->source == SOURCE_MMAP	    ? "mapped" :
		   touched_took_span(r->prof, part) ? "in spans taken" :
						      "allocated");
	while (shown < TOUCHED_FRAMES && paper_left(&r->paper) > MIN_NAME_COLUMNS / 2 && frame_iter__next(&it, &view)) {
		if (view.flags & FRAME_PLUMBING && !r->opts->verbose)
			continue;
		paper_put(&r->paper, STYLE_DIM, shown ? " < " : " ");
		paper_name(&r->paper, STYLE_DIM, view.func, paper_left(&r->paper));
		shown++;
	}
	if (!shown && stack_blame(r->prof, part->stack, &view)) {
		paper_put(&r->paper, STYLE_DIM, " ");
		paper_name(&r->paper, STYLE_DIM, view.func, paper_left(&r->paper));
	}
	paper_newline(&r->paper);
}

static void put_touched(struct report *r, const struct touched *touched)
{
	size_t shown = touched->len < TOUCHED_SHOWN || r->opts->verbose ? touched->len : TOUCHED_SHOWN;
	uint64_t rest_bytes = 0;

	for (size_t i = 0; i < shown; i++)
		put_touched_part(r, &touched->items[i]);
	for (size_t i = shown; i < touched->len; i++)
		rest_bytes += touched->items[i].bytes;
	if (!rest_bytes && !touched->untold_bytes)
		return;
	paper_indent(&r->paper, STACK_INDENT - 2);
	if (rest_bytes)
		paper_item(&r->paper, STYLE_DIM, "%s allocated by %s more stack%s", fmt_bytes(UNITS_TMP, rest_bytes),
			   fmt_grouped(UNITS_TMP, touched->len - shown), touched->len - shown == 1 ? "" : "s");
	if (touched->untold_bytes)
		paper_item(&r->paper, STYLE_DIM, "%s: allocation not seen", fmt_bytes(UNITS_TMP, touched->untold_bytes));
	paper_newline(&r->paper);
}

static void put_rss_row(struct report *r, const struct group *g, size_t nr, const struct groups *groups)
{
	const struct prof_moved moved = prof_rss_moved(&g->counts);
	int64_t bytes = prof_rss_bytes(&g->counts);
	struct paper *p = &r->paper;
	char buf[24];

	snprintf(buf, sizeof(buf), "%zu", nr);
	paper_right(p, STYLE_DIM, 4, buf);
	paper_right(p, STYLE_BOLD, 9,
		    fmt_pct(UNITS_TMP, (double)llabs(g->order), (double)(g->order > 0 ? groups->rss_grown : groups->rss_released)));
	paper_right(p, STYLE_BOLD, 12, fmt_bytes_signed(UNITS_TMP, bytes));
	paper_right(p, STYLE_PLAIN, 14,
		    r->prof->rss_peak.measured ? fmt_bytes_signed(UNITS_TMP, g->counts.peak_rss_bytes) :
						 fmt_byte_rate(UNITS_TMP, per_second(r, (uint64_t)llabs(bytes))));
	if (p->width >= WIDE_COLUMNS) {
		paper_right(p, STYLE_PLAIN, 12, fmt_bytes(UNITS_TMP, moved.grown_bytes));
		paper_right(p, STYLE_PLAIN, 12,
			    r->prof->rss_method == RSS_BY_COUNTERS ? fmt_bytes(UNITS_TMP, moved.released_bytes) : "-");
	}
	if (r->prof->ntargets > 1) {
		snprintf(buf, sizeof(buf), "%u", g->pid);
		paper_right(p, STYLE_PLAIN, PID_COLUMNS, buf);
	}
	if (r->group == GROUP_ALLOCATION)
		paper_item(p, STYLE_PLAIN, "%s", g->unknown ? "[allocation not seen]" : source_name(g->asked_by));
	else if (r->group != GROUP_STACK)
		put_group_name(r, g, 2);
	paper_newline(p);
	if (r->group == GROUP_STACK || (r->group == GROUP_ALLOCATION && !g->unknown))
		put_stack(r, g->stack);
	if (r->prof->has_touches && r->group == GROUP_STACK && g->order > 0)
		put_touched(r, &g->touched);
}

static void put_rss_title(struct report *r, const char *what)
{
	struct paper *p = &r->paper;

	paper_newline(p);
	paper_right(p, STYLE_BOLD, 4, "#");
	paper_right(p, STYLE_BOLD, 9, "share");
	paper_right(p, STYLE_BOLD, 12, "RSS");
	paper_right(p, STYLE_BOLD, 14, r->prof->rss_peak.measured ? "at peak" : "bytes/s");
	if (p->width >= WIDE_COLUMNS) {
		paper_right(p, STYLE_BOLD, 12, "grown");
		paper_right(p, STYLE_BOLD, 12, "released");
	}
	if (r->prof->ntargets > 1)
		paper_right(p, STYLE_BOLD, PID_COLUMNS, "pid");
	paper_put(p, STYLE_BOLD, "  ");
	paper_put(p, STYLE_BOLD, what);
	paper_put(p, STYLE_BOLD, group_noun(r->group, 1));
	paper_newline(p);
}

/* "   +38.1 MiB in 12 more stacks", of the @n from @items on. */
static void put_rss_rest(struct report *r, const struct group *items, size_t n)
{
	int64_t bytes = 0;

	for (size_t i = 0; i < n; i++)
		bytes += items[i].order;
	if (!n)
		return;
	paper_indent(&r->paper, STACK_INDENT - 2);
	paper_item(&r->paper, STYLE_DIM, "%s in %s more %s", fmt_bytes_signed(UNITS_TMP, bytes), fmt_grouped(UNITS_TMP, n),
		   group_noun(r->group, n));
	paper_newline(&r->paper);
}

/* Those that grew, most first, then those that gave back, most first. */
static void put_rss_rows(struct report *r, const struct groups *groups)
{
	size_t grew = 0, shrank = 0, shown;

	if (!groups->len)
		return;
	while (grew < groups->len && groups->items[grew].order > 0)
		grew++;
	while (shrank < groups->len - grew && groups->items[groups->len - 1 - shrank].order < 0)
		shrank++;
	if (grew)
		put_rss_title(r, r->prof->rss_method == RSS_BY_FAULTS ? "page faults by " : "RSS growth by ");
	shown = grew < r->opts->top ? grew : r->opts->top;
	for (size_t i = 0; i < shown; i++)
		put_rss_row(r, &groups->items[i], i + 1, groups);
	put_rss_rest(r, groups->items + shown, grew - shown);
	if (shrank)
		put_rss_title(r, "RSS released by ");
	shown = shrank < r->opts->top ? shrank : r->opts->top;
	for (size_t i = 0; i < shown; i++)
		put_rss_row(r, &groups->items[groups->len - 1 - i], i + 1, groups);
	put_rss_rest(r, groups->items + groups->len - shrank, shrank - shown);
}

static int put_rss_table(struct report *r)
{
	struct groups groups;
	int err;

	r->group = r->opts->group;
	/* Pages have no type, and nobody asked whose goroutine touched them. */
	if (!r->prof->has_source[SOURCE_RSS] || r->group == GROUP_TYPE || r->group == GROUP_GOROUTINE ||
	    r->group == GROUP_LABELS)
		return 0;
	err = groups_build(r->prof, r->opts->window, SOURCES_RSS, r->group, !r->opts->verbose,
			   r->opts->sort == SORT_PEAK ? SORT_PEAK : SORT_RSS, &groups);
	if (err)
		return err;
	put_rss_rows(r, &groups);
	groups_free(&groups);
	return 0;
}

void text_put_stack(struct paper *paper, const struct profile *prof, uint32_t stack, bool verbose)
{
	const struct export_opts opts = { .verbose = verbose };
	struct report r = { .prof = prof, .opts = &opts, .paper = *paper };

	put_stack(&r, stack);
	*paper = r.paper;
}

int text_write(const struct profile *prof, const struct export_opts *opts, FILE *out)
{
	struct report r = { .prof = prof, .opts = opts, .seconds = profile__duration_s(prof, opts->window) };
	int err;

	paper_init(&r.paper, out, opts->width, opts->color);
	r.live = prof->live[SOURCE_GO].measured || prof->live[SOURCE_MALLOC].measured || prof->live[SOURCE_MMAP].measured;
	r.narrow = r.live && r.paper.width < WIDE_COLUMNS;
	r.aged = prof->live[SOURCE_MALLOC].ages_known;
	/* Go's objects are samples nearly always. */
	r.sampling = profile__sampling(prof, opts->window);
	r.estimated = prof->live[SOURCE_GO].measured || prof->live[SOURCE_MALLOC].rate_bytes;
	if (r.aged && r.narrow)
		r.estimated = false;
	r.wide = (opts->group == GROUP_STACK || opts->group == GROUP_ALLOCATION) && !r.live &&
		 r.paper.width >= WIDE_COLUMNS + (prof->ntargets > 1 ? PID_COLUMNS - 5 : 0);
	put_heading(&r);
	put_losses(&r);
	for (int source = SOURCE_GO; source < SOURCE_RSS; source++) {
		if (prof->has_source[source])
			put_sum(&r, source);
		put_live(&r, source);
	}
	put_peak(&r, "peak", &prof->peak, prof->live[SOURCE_MALLOC].high_bytes);
	put_rss(&r);
	put_peak(&r, "RSS peak", &prof->rss_peak, prof->rss_peak.high_bytes);
	/* What was asked for comes first. */
	err = opts->sort == SORT_RSS ? put_rss_table(&r) : put_alloc_table(&r);
	if (!err)
		err = opts->sort == SORT_RSS ? put_alloc_table(&r) : put_rss_table(&r);
	fputc('\n', out);
	return err;
}
