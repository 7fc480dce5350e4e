// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Counters over time as a Chrome trace, which ui.perfetto.dev and chrome://tracing open. Source: "Trace Event Format" of
 * the Chromium project: the object form, counter events ("ph": "C") and metadata events ("ph": "M").
 *
 * - Moments are those of the timeline (profile/timeline.h); where none was kept, the beginning and the end of the window.
 * - A counter holds until the next event of its name. So a rate, which is the mean of the time from one moment to the next,
 *   stands at its beginning, and 0 at the last moment; states stand where they were.
 * - Times are microseconds since the attach. All is of all targets together and stands under the first one's PID.
 */
#include <stdlib.h>

#include "base/jsonw.h"
#include "base/units.h"
#include "export/formats.h"
#include "profile/timeline.h"

struct perfetto {
	const struct profile *prof;
	struct jsonw w;
	uint32_t pid;
};

/* An event that is open, up to its args. */
static void open_event(struct perfetto *p, const char *ph, const char *name)
{
	jsonw_object(&p->w, NULL);
	jsonw_str(&p->w, "ph", ph);
	jsonw_str(&p->w, "name", name);
	jsonw_u64(&p->w, "pid", p->pid);
	jsonw_u64(&p->w, "tid", p->pid);
}

static void close_event(struct perfetto *p)
{
	jsonw_end_object(&p->w);
	jsonw_end_object(&p->w);
}

static void put_counter(struct perfetto *p, const char *name, uint64_t unix_ns, double value)
{
	open_event(p, "C", name);
	jsonw_double(&p->w, "ts", ((double)unix_ns - (double)p->prof->start_unix_ns) / 1e3, 3);
	jsonw_object(&p->w, "args");
	jsonw_double(&p->w, "value", value, 3);
	close_event(p);
}

static void put_rate(struct perfetto *p, const char *name, uint64_t from_ns, uint64_t to_ns, uint64_t before, uint64_t after)
{
	if (to_ns > from_ns && after >= before)
		put_counter(p, name, from_ns, (double)(after - before) * 1e9 / (double)(to_ns - from_ns));
}

static void put_states(struct perfetto *p, const struct timeline_point *point)
{
	if (p->prof->has_source[SOURCE_RSS] || p->prof->has_rss_kinds)
		put_counter(p, "RSS (bytes)", point->unix_ns, (double)point->rss_bytes);
	if (p->prof->live[SOURCE_GO].measured)
		put_counter(p, "Go live (bytes)", point->unix_ns, (double)point->live_bytes);
}

/* From one moment to the next. */
static void put_step(struct perfetto *p, const struct timeline_point *from, const struct timeline_point *to)
{
	if (has_metric(p->prof, METRIC_ALLOC_BYTES)) {
		put_rate(p, "allocated (bytes/s)", from->unix_ns, to->unix_ns, from->alloc_bytes, to->alloc_bytes);
		put_rate(p, "allocations (1/s)", from->unix_ns, to->unix_ns, from->alloc_objects, to->alloc_objects);
	}
	put_states(p, to);
}

/* The state at the end of the window (@at_end) or at its beginning. */
static struct timeline_point edge(const struct profile *prof, enum window window, bool at_end)
{
	struct timeline_point point = { .unix_ns = at_end ? prof->now_unix_ns : window_start_ns(prof, window) };

	for (uint32_t i = 0; i < prof->ntargets; i++) {
		const struct prof_target *t = &prof->targets[i];

		point.rss_bytes += at_end ? t->rss_now_bytes : window == WINDOW_INTERVAL ? t->rss_marked_bytes : t->rss_start_bytes;
	}
	for (int s = SOURCE_GO; s <= SOURCE_MALLOC; s++) {
		const struct prof_counts all = profile__sum(prof, s, WINDOW_ALL), in_window = profile__sum(prof, s, window);

		point.alloc_objects += all.alloc_objects - (at_end ? 0 : in_window.alloc_objects);
		point.alloc_bytes += all.alloc_bytes - (at_end ? 0 : in_window.alloc_bytes);
	}
	if (at_end)
		point.live_bytes = prof_whole(profile__sum(prof, SOURCE_GO, WINDOW_ALL).live_bytes);
	return point;
}

static void put_counters(struct perfetto *p, enum window window)
{
	const struct timeline *tl = p->prof->timeline;
	struct timeline_point last = edge(p->prof, window, false);
	const struct timeline_point end = edge(p->prof, window, true);

	if (p->prof->has_rss_kinds)
		put_counter(p, "RSS (bytes)", last.unix_ns, (double)last.rss_bytes);
	for (size_t i = 0; tl && i < tl->n; i++) {
		if (tl->points[i].unix_ns <= last.unix_ns || tl->points[i].unix_ns >= end.unix_ns)
			continue;
		put_step(p, &last, &tl->points[i]);
		last = tl->points[i];
	}
	put_step(p, &last, &end);
	if (has_metric(p->prof, METRIC_ALLOC_BYTES)) {
		put_counter(p, "allocated (bytes/s)", end.unix_ns, 0);
		put_counter(p, "allocations (1/s)", end.unix_ns, 0);
	}
}

int perfetto_write(const struct profile *prof, const struct export_opts *opts, FILE *out)
{
	struct perfetto p = { .prof = prof, .pid = prof->ntargets ? prof->targets[0].pid : 0 };
	char name[PROCESS_NAME_SIZE], clean[PROCESS_NAME_SIZE], time[64];

	name_clean(clean, sizeof(clean), process_name(prof, p.pid, name));
	jsonw_init(&p.w, out);
	jsonw_object(&p.w, NULL);
	jsonw_str(&p.w, "displayTimeUnit", "ms");
	jsonw_object(&p.w, "otherData");
	jsonw_str(&p.w, "tool", opts->tool);
	jsonw_str(&p.w, "start", json_time(prof->start_unix_ns, time, sizeof(time)));
	jsonw_u64(&p.w, "lost_events", profile__losses(prof, opts->window));
	jsonw_end_object(&p.w);
	jsonw_array(&p.w, "traceEvents");
	open_event(&p, "M", "process_name");
	jsonw_object(&p.w, "args");
	jsonw_str(&p.w, "name", clean);
	close_event(&p);
	put_counters(&p, opts->window);
	jsonw_end_array(&p.w);
	jsonw_end_object(&p.w);
	fputc('\n', out);
	return 0;
}
