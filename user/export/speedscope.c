// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * speedscope's own file format. Source: file-format-spec.ts of jlfwong/speedscope (the npm package speedscope carries it
 * as file-format-schema.json), and what its importer checks.
 *
 * - One "sampled" profile for each number that was measured, named as --metric names it: what folded stacks hold
 *   in a file each. --metric says which one is shown first. A profile may be empty.
 * - A sample is a stack, outermost first, with the process at its root; its weight is bytes or objects. Rows are not merged:
 *   speedscope does that ("left heavy").
 * - As folded: no negative weights, so stacks that shrank RSS are left out; a stack whose frames were lost is
 *   "process;[lost stack]", so that the weights add up.
 * - What was lost stands in the name of the file, which the page shows: there is no other place.
 * - Strings are UTF-8 without control characters.
 *
 * Weights are JSON numbers, which speedscope reads as doubles: exact up to 2^53.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/jsonw.h"
#include "base/units.h"
#include "base/vec.h"
#include "export/formats.h"
#include "profile/frames.h"

struct frame_key {
	uint32_t name, file, line;
};

struct speedscope {
	const struct profile *prof;
	const struct export_opts *opts;
	struct jsonw w;
	struct names names;
	struct hmap *frames; /* frame_key -> index in "frames" */
	uint32_t *loc_frames; /* the frames of each location, innermost first, as indices of them */
	size_t nloc_frames, cap_loc_frames;
	size_t *loc_first; /* by location: index in loc_frames + 1, 0 is not made yet */
};

/* Index of a frame; HMAP_NONE when memory is out. */
static uint32_t add_frame(struct speedscope *s, const char *name, const char *file, uint32_t line)
{
	const struct frame_key key = { names_add(&s->names, name, 0, 0), names_add(&s->names, file, 0, 0), line };

	return s->names.err ? HMAP_NONE : hmap__add(s->frames, &key, NULL);
}

static uint32_t process_frame(struct speedscope *s, uint32_t pid)
{
	char buf[PROCESS_NAME_SIZE];

	return add_frame(s, process_name(s->prof, pid, buf), "", 0);
}

static int name_loc(struct speedscope *s, uint32_t loc)
{
	uint32_t n = prof_loc_nframes(s->prof, loc);
	struct frame_view view;

	if (s->loc_first[loc])
		return 0;
	if (vec_reserve((void **)&s->loc_frames, &s->cap_loc_frames, s->nloc_frames + n, sizeof(*s->loc_frames)))
		return -ENOMEM;
	s->loc_first[loc] = s->nloc_frames + 1;
	for (uint32_t i = 0; i < n; i++) {
		prof_loc_frame(s->prof, loc, i, &view);
		s->loc_frames[s->nloc_frames++] = add_frame(s, view.func, view.file, view.line);
	}
	return 0;
}

typedef int frame_fn(struct speedscope *s, uint32_t frame);

/* The frames of @row, outermost first. */
static int each_frame(struct speedscope *s, const struct prof_row *row, frame_fn *fn)
{
	const struct prof_stack *stack = &s->prof->stacks[row->stack];
	int err = fn(s, process_frame(s, row->pid));

	if (!stack->nlocs && !err)
		err = fn(s, add_frame(s, LOST_STACK_NAME, "", 0));
	for (uint32_t i = stack->nlocs; i-- && !err;) {
		uint32_t loc = s->prof->stack_locs[stack->first + i];

		err = name_loc(s, loc);
		for (uint32_t n = prof_loc_nframes(s->prof, loc); n-- && !err;)
			err = fn(s, s->loc_frames[s->loc_first[loc] - 1 + n]);
	}
	return err;
}

static int note_frame(struct speedscope *s, uint32_t frame)
{
	(void)s;
	return frame == HMAP_NONE ? -ENOMEM : 0;
}

static int put_frame_index(struct speedscope *s, uint32_t frame)
{
	jsonw_u64(&s->w, NULL, frame);
	return note_frame(s, frame);
}

static uint64_t weight_of(const struct speedscope *s, uint32_t row, enum metric metric)
{
	struct prof_counts counts = prof_row_counts(&s->prof->rows[row], s->opts->window);
	int64_t value = metric_value(s->prof, s->prof->rows[row].source, &counts, metric);

	return value > 0 ? (uint64_t)value : 0;
}

static bool is_shown(const struct speedscope *s, uint32_t row)
{
	for (int m = 0; m < METRIC__N; m++)
		if (has_metric(s->prof, m) && weight_of(s, row, m))
			return true;
	return false;
}

/* They stand before the samples, which name them by number. */
static int put_frames(struct speedscope *s)
{
	int err = 0;

	for (uint32_t i = 0; i < s->prof->nrows && !err; i++)
		if (is_shown(s, i))
			err = each_frame(s, &s->prof->rows[i], note_frame);
	jsonw_object(&s->w, "shared");
	jsonw_array(&s->w, "frames");
	for (uint32_t i = 0; i < hmap__len(s->frames); i++) {
		const struct frame_key *key = hmap__key(s->frames, i);

		jsonw_object(&s->w, NULL);
		jsonw_str(&s->w, "name", strtab__get(s->names.strs, key->name));
		if (key->file)
			jsonw_str(&s->w, "file", strtab__get(s->names.strs, key->file));
		if (key->line)
			jsonw_u64(&s->w, "line", key->line);
		jsonw_end_object(&s->w);
	}
	jsonw_end_array(&s->w);
	jsonw_end_object(&s->w);
	return err;
}

static int put_profile(struct speedscope *s, enum metric metric)
{
	const bool objects = metric == METRIC_ALLOC_OBJECTS || metric == METRIC_LIVE_OBJECTS;
	uint64_t sum = 0;
	int err = 0;

	jsonw_object(&s->w, NULL);
	jsonw_str(&s->w, "type", "sampled");
	jsonw_str(&s->w, "name", diff_metric_name((enum diff_metric)metric));
	jsonw_str(&s->w, "unit", objects ? "none" : "bytes");
	jsonw_array(&s->w, "samples");
	for (uint32_t i = 0; i < s->prof->nrows && !err; i++) {
		if (!weight_of(s, i, metric))
			continue;
		jsonw_array(&s->w, NULL);
		err = each_frame(s, &s->prof->rows[i], put_frame_index);
		jsonw_end_array(&s->w);
	}
	jsonw_end_array(&s->w);
	jsonw_array(&s->w, "weights");
	for (uint32_t i = 0; i < s->prof->nrows; i++) {
		uint64_t weight = weight_of(s, i, metric);

		if (weight)
			jsonw_u64(&s->w, NULL, weight);
		sum += weight;
	}
	jsonw_end_array(&s->w);
	jsonw_u64(&s->w, "startValue", 0);
	jsonw_u64(&s->w, "endValue", sum);
	jsonw_end_object(&s->w);
	return err;
}

static int put_profiles(struct speedscope *s)
{
	uint32_t n = 0, active = 0;
	int err = 0;

	jsonw_array(&s->w, "profiles");
	for (int m = 0; m < METRIC__N && !err; m++) {
		if (!has_metric(s->prof, m))
			continue;
		if (m == (int)s->opts->metric)
			active = n;
		err = put_profile(s, m);
		n++;
	}
	jsonw_end_array(&s->w);
	jsonw_u64(&s->w, "activeProfileIndex", active);
	return err;
}

static void put_name(struct speedscope *s)
{
	const struct profile *prof = s->prof;
	uint64_t lost = profile__losses(prof, s->opts->window);
	char name[PROCESS_NAME_SIZE], buf[512], clean[1024];
	size_t len;

	len = (size_t)snprintf(buf, sizeof(buf), "%s, %s, %s", prof->ntargets ? process_name(prof, prof->targets[0].pid, name) : "nothing",
			       fmt_duration(UNITS_TMP, profile__duration_s(prof, s->opts->window)), prof->mode ? prof->mode : "exact");
	if (lost)
		snprintf(buf + len, sizeof(buf) - len, ", %s events LOST", fmt_grouped(UNITS_TMP, lost));
	name_clean(clean, sizeof(clean), buf);
	jsonw_str(&s->w, "name", clean);
}

int speedscope_write(const struct profile *prof, const struct export_opts *opts, FILE *out)
{
	struct speedscope s = { .prof = prof, .opts = opts };
	int err = names_init(&s.names), samples_err;

	if (!err)
		err = hmap__new(sizeof(struct frame_key), &s.frames);
	s.loc_first = err ? NULL : calloc((size_t)prof->nlocs + 1, sizeof(*s.loc_first));
	if (!err && !s.loc_first)
		err = -ENOMEM;
	if (!err) {
		jsonw_init(&s.w, out);
		jsonw_object(&s.w, NULL);
		jsonw_str(&s.w, "$schema", "https://www.speedscope.app/file-format-schema.json");
		jsonw_str(&s.w, "exporter", opts->tool);
		put_name(&s);
		err = put_frames(&s);
		samples_err = put_profiles(&s);
		err = err ? err : samples_err;
		jsonw_end_object(&s.w);
		fputc('\n', out);
	}
	free(s.loc_first);
	free(s.loc_frames);
	hmap__free(s.frames);
	names_free(&s.names);
	return err;
}
