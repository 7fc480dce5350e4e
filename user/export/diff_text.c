// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * before  monday.db  2026-11-23T08:00:00Z  10m 00s
 * after   tuesday.db  2026-11-24T08:00:00Z  10m 00s
 *
 *                               before         after        change
 * RSS                         95.1 MiB     195.3 MiB    +100.2 MiB   +105.4 %
 * go allocates              6.3 MiB/s     6.4 MiB/s    +0.1 MiB/s     +1.6 %   noise (+-0.2 MiB/s)
 * go in all                   3.7 GiB       3.8 GiB      +0.1 GiB     +1.6 %
 *
 *   #        change   +-      before         after    go: bytes allocated per second
 *   1   +4.2 MiB/s  ...
 *
 * Rows with the largest change first, whichever way it goes; those that are no more than chance come last, and say so.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "export/formats.h"
#include "export/paper.h"
#include "profile/frames.h"

#define LABEL_COLUMNS 20
#define NUMBER_COLUMNS 14

struct report {
	const struct diff *diff;
	const struct diff_opts *opts;
	struct paper paper;
};

/* A number with its unit; signed ones with a sign. */
static const char *number(char buf[static UNITS_SIZE], double value, enum diff_metric metric, bool is_rate, bool has_sign)
{
	bool bytes = metric != DIFF_ALLOC_OBJECTS && metric != DIFF_LIVE_OBJECTS;
	const char *sign = value < 0 ? "-" : has_sign ? "+" : "";
	char magnitude[UNITS_SIZE];

	if (bytes && is_rate)
		fmt_byte_rate(magnitude, fabs(value));
	else if (bytes)
		fmt_bytes(magnitude, prof_whole(fabs(value)));
	else if (is_rate)
		fmt_count_rate(magnitude, fabs(value));
	else
		fmt_grouped(magnitude, prof_whole(fabs(value)));
	snprintf(buf, UNITS_SIZE, "%s%.*s", sign, UNITS_SIZE - 2, magnitude);
	return buf;
}

static void put_numbers(struct report *r, const struct change *c, enum diff_metric metric, bool is_rate)
{
	struct paper *p = &r->paper;
	char pct[UNITS_SIZE], signed_pct[UNITS_SIZE + 4];

	paper_right(p, STYLE_PLAIN, NUMBER_COLUMNS, number(UNITS_TMP, c->before, metric, is_rate, false));
	paper_right(p, STYLE_PLAIN, NUMBER_COLUMNS, number(UNITS_TMP, c->after, metric, is_rate, false));
	paper_right(p, c->is_noise ? STYLE_DIM : STYLE_BOLD, NUMBER_COLUMNS, number(UNITS_TMP, c->by, metric, is_rate, true));
	snprintf(signed_pct, sizeof(signed_pct), "%s%s %%", c->pct < 0 ? "" : "+", fmt_fixed(pct, c->pct, 1));
	paper_right(p, STYLE_PLAIN, 12, c->has_pct ? signed_pct : c->after > 0 ? "new" : "-");
	paper_right(p, STYLE_DIM, NUMBER_COLUMNS, c->has_se ? number(UNITS_TMP, c->se, metric, is_rate, false) : "-");
	paper_put(p, STYLE_DIM, c->is_noise ? "  noise" : "");
}

static void put_origin(struct report *r, const char *label, const struct diff_origin *origin, const struct diff_sums *sums)
{
	char time[64];

	paper_put(&r->paper, STYLE_BOLD, label);
	paper_indent(&r->paper, 6);
	paper_item(&r->paper, STYLE_BOLD, "%s", origin->name);
	if (origin->from_unix_ns)
		paper_item(&r->paper, STYLE_PLAIN, "from %s", json_time(origin->from_unix_ns, time, sizeof(time)));
	paper_item(&r->paper, STYLE_PLAIN, "%s",
		   sums->seconds > 0 ? fmt_duration(UNITS_TMP, sums->seconds) : "it is not known how long");
	if (sums->losses)
		paper_item(&r->paper, STYLE_ALERT, "LOST %s events", fmt_grouped(UNITS_TMP, sums->losses));
	paper_newline(&r->paper);
}

static void put_titles(struct report *r, size_t indent)
{
	static const struct {
		const char *name;
		size_t columns;
	} titles[] = { { "before", NUMBER_COLUMNS }, { "after", NUMBER_COLUMNS }, { "change", NUMBER_COLUMNS }, { "", 12 },
		       { "+-", NUMBER_COLUMNS } };

	paper_indent(&r->paper, indent);
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		paper_right(&r->paper, STYLE_BOLD, titles[i].columns, titles[i].name);
}

static void put_total(struct report *r, const char *label, const struct change *c, enum diff_metric metric, bool is_rate)
{
	paper_put(&r->paper, STYLE_PLAIN, label);
	paper_indent(&r->paper, LABEL_COLUMNS);
	put_numbers(r, c, metric, is_rate);
	paper_newline(&r->paper);
}

/* The total of @source: per second, if it is that and known, and what it comes to. */
static void put_source_total(struct report *r, enum source source, enum diff_metric metric, const char *rate, const char *amount)
{
	struct change c;
	char label[40];

	if (!diff__has(r->diff, source, metric))
		return;
	if (diff_is_rate(metric) && diff__has_rates(r->diff)) {
		c = diff__sum(r->diff, source, metric);
		snprintf(label, sizeof(label), "%s %s", source == SOURCE_RSS ? "RSS" : source_name(source), rate);
		put_total(r, label, &c, metric, true);
	}
	c = diff__sum_amount(r->diff, source, metric);
	snprintf(label, sizeof(label), "%s %s", source == SOURCE_RSS ? "RSS" : source_name(source), amount);
	put_total(r, label, &c, metric, false);
}

static void put_totals(struct report *r)
{
	static const struct {
		enum diff_metric metric;
		const char *rate, *amount;
	} rows[] = { { DIFF_ALLOC_BYTES, "allocates", "in all" }, { DIFF_ALLOC_OBJECTS, "objects", "objects in all" },
		     { DIFF_LIVE_BYTES, NULL, "live" }, { DIFF_LIVE_OBJECTS, NULL, "live objects" } };
	const struct diff_sums *b = &r->diff->sums_before, *a = &r->diff->sums_after;
	struct change c;

	paper_newline(&r->paper);
	put_titles(r, LABEL_COLUMNS);
	paper_newline(&r->paper);
	if (b->has_rss && a->has_rss) {
		c = change_of((double)b->rss_bytes, (double)a->rss_bytes, -1, -1);
		put_total(r, "RSS at the end", &c, DIFF_LIVE_BYTES, false);
	}
	put_source_total(r, SOURCE_RSS, DIFF_RSS_BYTES, "grows", "grown");
	for (int s = SOURCE_GO; s < SOURCE_RSS; s++)
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			put_source_total(r, s, rows[i].metric, rows[i].rate, rows[i].amount);
	if (b->cost_pct >= 0 && a->cost_pct >= 0) {
		paper_put(&r->paper, STYLE_PLAIN, "cost of tracing");
		paper_indent(&r->paper, LABEL_COLUMNS);
		paper_right(&r->paper, STYLE_PLAIN, NUMBER_COLUMNS, fmt_pct(UNITS_TMP, b->cost_pct, 100));
		paper_right(&r->paper, STYLE_PLAIN, NUMBER_COLUMNS, fmt_pct(UNITS_TMP, a->cost_pct, 100));
		paper_newline(&r->paper);
	}
}

/* Is @metric shown per second? */
static bool per_second(const struct report *r, enum diff_metric metric)
{
	return diff_is_rate(metric) && diff__has_rates(r->diff);
}

struct mover {
	uint32_t row;
	struct change change;
};

static int compare(const void *a, const void *b)
{
	const struct mover *x = a, *y = b;
	double dx = fabs(x->change.by), dy = fabs(y->change.by);

	if (x->change.is_noise != y->change.is_noise)
		return x->change.is_noise ? 1 : -1;
	if (dx != dy)
		return dx > dy ? -1 : 1;
	return x->row < y->row ? -1 : x->row > y->row;
}

static void put_mover(struct report *r, const struct mover *m, size_t nr, enum diff_metric metric)
{
	const struct prof_row *row = &r->diff->prof->rows[m->row];
	const char *type = strtab__get(r->diff->prof->strs, row->type);
	struct frame_iter it = frames_of(r->diff->prof, row->stack);
	struct frame_view view;
	char buf[24];

	snprintf(buf, sizeof(buf), "%zu", nr);
	paper_right(&r->paper, STYLE_DIM, 4, buf);
	put_numbers(r, &m->change, metric, per_second(r, metric));
	if (*type && r->opts->is_stacks) {
		paper_put(&r->paper, STYLE_PLAIN, "  ");
		paper_name(&r->paper, STYLE_PLAIN, type, paper_left(&r->paper));
	}
	paper_newline(&r->paper);
	if (r->opts->is_stacks) {
		text_put_stack(&r->paper, r->diff->prof, row->stack, r->opts->export.verbose);
	} else if (frame_iter__next(&it, &view)) {
		paper_indent(&r->paper, 6);
		paper_name(&r->paper, STYLE_PLAIN, view.func, paper_left(&r->paper));
		paper_newline(&r->paper);
	}
}

/* Those of one source that changed most. */
static int put_movers(struct report *r, enum source source, enum diff_metric metric)
{
	const struct profile *prof = r->diff->prof;
	struct mover *movers;
	size_t n = 0, noise = 0;

	if (!diff__has(r->diff, source, metric))
		return 0;
	movers = calloc((size_t)prof->nrows + 1, sizeof(*movers));
	if (!movers)
		return -ENOMEM;
	for (uint32_t i = 0; i < prof->nrows; i++) {
		struct mover m = { i, per_second(r, metric) ? diff__row(r->diff, i, metric) : diff__row_amount(r->diff, i, metric) };

		if (prof->rows[i].source != source || m.change.by == 0)
			continue;
		movers[n++] = m;
		noise += m.change.is_noise;
	}
	qsort(movers, n, sizeof(*movers), compare);
	paper_newline(&r->paper);
	put_titles(r, 4);
	paper_item(&r->paper, STYLE_BOLD, "%s: %s%s", source_name(source), diff_metric_name(metric),
		   per_second(r, metric) ? " per second" : "");
	paper_newline(&r->paper);
	for (size_t i = 0; i < n && i < r->opts->export.top; i++)
		put_mover(r, &movers[i], i + 1, metric);
	paper_indent(&r->paper, 4);
	paper_item(&r->paper, STYLE_DIM, "%s rows changed%s", fmt_grouped(UNITS_TMP, n), n > r->opts->export.top ? ", these most" : "");
	if (noise)
		paper_item(&r->paper, STYLE_DIM, "%s of them by no more than chance does", fmt_grouped(UNITS_TMP, noise));
	paper_newline(&r->paper);
	free(movers);
	return 0;
}

static enum diff_metric alloc_metric(enum metric metric)
{
	return metric == METRIC_ALLOC_OBJECTS ? DIFF_ALLOC_OBJECTS : DIFF_ALLOC_BYTES;
}

static enum diff_metric live_metric(enum metric metric)
{
	return metric == METRIC_LIVE_OBJECTS ? DIFF_LIVE_OBJECTS : DIFF_LIVE_BYTES;
}

int text_diff_write(const struct diff *d, const struct diff_opts *opts, FILE *out)
{
	struct report r = { .diff = d, .opts = opts };
	int err = 0;

	paper_init(&r.paper, out, opts->export.width, opts->export.color);
	put_origin(&r, "before", &opts->before, &d->sums_before);
	put_origin(&r, "after", &opts->after, &d->sums_after);
	put_totals(&r);
	for (int s = SOURCE_GO; s < SOURCE_RSS && !err; s++) {
		err = put_movers(&r, s, alloc_metric(opts->export.metric));
		if (!err)
			err = put_movers(&r, s, live_metric(opts->export.metric));
	}
	if (!err)
		err = put_movers(&r, SOURCE_RSS, DIFF_RSS_BYTES);
	return err;
}
