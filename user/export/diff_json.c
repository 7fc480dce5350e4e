// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A difference as JSON, schema 1: each number as { before, after, change, change_pct, change_se, noise }. Names that end
 * in _per_s are rates of the windows (null where it is not known how long these are), others what there was in them, of live
 * objects at their ends. change_se and noise are null where chance is not
 * known: a window of few intervals, numbers that are only counted. noise is true where the change is no more than chance.
 */
#include "base/jsonw.h"
#include "export/formats.h"
#include "profile/frames.h"

static void put_change(struct jsonw *w, const char *key, const struct change *c)
{
	jsonw_object(w, key);
	jsonw_double(w, "before", c->before, 3);
	jsonw_double(w, "after", c->after, 3);
	jsonw_double(w, "change", c->by, 3);
	if (c->has_pct)
		jsonw_double(w, "change_pct", c->pct, 2);
	else
		jsonw_null(w, "change_pct");
	if (c->has_se) {
		jsonw_double(w, "change_se", c->se, 3);
		jsonw_bool(w, "noise", c->is_noise);
	} else {
		jsonw_null(w, "change_se");
		jsonw_null(w, "noise");
	}
	jsonw_end_object(w);
}

/* @rate NULL: it is not known how long the windows are. */
static void put_metric(struct jsonw *w, enum diff_metric metric, const struct change *amount, const struct change *rate)
{
	char key[40];

	put_change(w, diff_metric_name(metric), amount);
	if (!diff_is_rate(metric))
		return;
	snprintf(key, sizeof(key), "%s_per_s", diff_metric_name(metric));
	if (rate)
		put_change(w, key, rate);
	else
		jsonw_null(w, key);
}

static void put_side(struct jsonw *w, const char *key, const struct diff_origin *origin, const struct diff_sums *sums)
{
	char buf[64];

	jsonw_object(w, key);
	jsonw_str(w, "name", origin->name);
	jsonw_str(w, "start", origin->from_unix_ns ? json_time(origin->from_unix_ns, buf, sizeof(buf)) : NULL);
	if (sums->seconds > 0)
		jsonw_double(w, "duration_s", sums->seconds, 6);
	else
		jsonw_null(w, "duration_s");
	jsonw_u64(w, "lost_events", sums->losses);
	jsonw_end_object(w);
}

static void put_summary(struct jsonw *w, const struct diff *d)
{
	const struct diff_sums *b = &d->sums_before, *a = &d->sums_after;
	struct change c, rate;

	jsonw_object(w, "totals");
	if (b->has_rss && a->has_rss) {
		c = change_of((double)b->rss_bytes, (double)a->rss_bytes, -1, -1);
		put_change(w, "rss_bytes", &c);
	} else {
		jsonw_null(w, "rss_bytes");
	}
	if (b->cost_pct >= 0 && a->cost_pct >= 0) {
		c = change_of(b->cost_pct, a->cost_pct, -1, -1);
		put_change(w, "overhead_pct", &c);
	} else {
		jsonw_null(w, "overhead_pct");
	}
	jsonw_null(w, "gc"); /* not measured */
	for (int s = 0; s < SOURCE__N; s++) {
		jsonw_object(w, source_name(s));
		for (int m = 0; m < DIFF_METRIC__N; m++) {
			if (!diff__has(d, s, m))
				continue;
			c = diff__sum_amount(d, s, m);
			rate = diff__sum(d, s, m);
			put_metric(w, m, &c, diff__has_rates(d) ? &rate : NULL);
		}
		jsonw_end_object(w);
	}
	jsonw_end_object(w);
}

static void put_row(struct jsonw *w, const struct diff *d, uint32_t index, bool is_stacks)
{
	const struct prof_row *row = &d->prof->rows[index];
	struct frame_iter it = frames_of(d->prof, row->stack);
	struct frame_view view;
	struct change c, rate;

	jsonw_object(w, NULL);
	jsonw_str(w, "source", source_name(row->source));
	if (is_stacks)
		jsonw_str(w, "type", row->type ? strtab__get(d->prof->strs, row->type) : NULL);
	for (int m = 0; m < DIFF_METRIC__N; m++) {
		if (!diff__has(d, row->source, m))
			continue;
		c = diff__row_amount(d, index, m);
		rate = diff__row(d, index, m);
		put_metric(w, m, &c, diff__has_rates(d) ? &rate : NULL);
	}
	if (is_stacks) {
		jsonw_array(w, "frames");
		while (frame_iter__next(&it, &view)) {
			jsonw_object(w, NULL);
			jsonw_str(w, "func", view.func);
			jsonw_str(w, "file", *view.file ? view.file : NULL);
			if (view.line)
				jsonw_u64(w, "line", view.line);
			else
				jsonw_null(w, "line");
			jsonw_end_object(w);
		}
		jsonw_end_array(w);
	} else {
		jsonw_str(w, "name", frame_iter__next(&it, &view) ? view.func : NULL);
	}
	jsonw_end_object(w);
}

/* All but the rows. */
static void put_about(struct jsonw *w, const struct diff *d, const struct diff_opts *opts)
{
	jsonw_u64(w, "schema", 1);
	jsonw_str(w, "tool", opts->export.tool);
	put_side(w, "before", &opts->before, &d->sums_before);
	put_side(w, "after", &opts->after, &d->sums_after);
	put_summary(w, d);
}

void json_diff_put_about(struct jsonw *w, const char *key, const struct diff *d, const struct diff_opts *opts)
{
	jsonw_object(w, key);
	put_about(w, d, opts);
	jsonw_end_object(w);
}

int json_diff_write(const struct diff *d, const struct diff_opts *opts, FILE *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w, NULL);
	put_about(&w, d, opts);
	jsonw_array(&w, "rows");
	for (uint32_t i = 0; i < d->prof->nrows; i++)
		put_row(&w, d, i, opts->is_stacks);
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	fputc('\n', out);
	return 0;
}
