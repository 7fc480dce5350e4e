// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "cmd/output.h"
#include "cmd/recording.h"
#include "cmd/report.h"
#include "export/diff.h"
#include "store/pprof.h"

/* A recording with its window, or a pprof file, read. */
struct side {
	bool is_pprof;
	struct recording rec; /* of a pprof file only the window */
	struct profile *prof;
	double *spread;
};

static enum diff_key key_of(enum group_key group)
{
	static const enum diff_key keys[] = {
		[GROUP_STACK] = DIFF_STACK,   [GROUP_FUNC] = DIFF_FUNC, [GROUP_LINE] = DIFF_LINE,
		[GROUP_MODULE] = DIFF_MODULE, [GROUP_TYPE] = DIFF_TYPE, [GROUP_GOROUTINE] = DIFF_GOROUTINE,
		[GROUP_LABELS] = DIFF_LABELS,
	};

	return keys[group];
}

static int side__open(struct side *side, const char *name, struct err *err)
{
	const struct window_spec whole = { 0 };
	int code;

	side->is_pprof = pprof_is(name);
	if (side->is_pprof) {
		code = pprof_load(name, &side->prof, err);
		if (code)
			return code;
		side->rec.from_unix_ns = side->prof->start_unix_ns;
		side->rec.to_unix_ns = side->prof->now_unix_ns;
		return 0;
	}
	code = recording__open(&side->rec, name, &whole, err);

	return code ? code : reader__load(side->rec.reader, &side->rec.ids, &side->prof, &side->spread, err);
}

static void side__close(struct side *side)
{
	free(side->spread);
	profile__free(side->prof);
	recording__close(&side->rec);
}

/*
 * A pprof file does not say which sources were captured, only what they did: one that did nothing in this file, and
 * something in the other, had nothing to do.
 */
static void agree(struct side *side, const struct side *other)
{
	bool allocs = false, lives = false;

	for (int s = 0; s < SOURCE_RSS; s++) {
		allocs |= side->prof->has_source[s];
		lives |= side->prof->live[s].measured;
	}
	for (int s = 0; side->is_pprof && s < SOURCE_RSS; s++) {
		side->prof->has_source[s] |= allocs && other->prof->has_source[s];
		side->prof->live[s].measured |= lives && other->prof->live[s].measured;
	}
}

static struct diff_origin origin_of(const struct side *side, const char *name)
{
	return (struct diff_origin){ name, side->rec.from_unix_ns, side->rec.to_unix_ns };
}

static int write_one(const struct options *o, const struct diff *diff, struct diff_opts *opts, const char *path, struct err *err)
{
	const struct exporter *exporter = output_exporter(o, path);
	struct output out = { 0 };
	int code = output__open(&out, exporter, path, false, err);

	if (code)
		return code;
	opts->export = output_export_opts(o, WINDOW_ALL);
	code = diff_write(diff, exporter, opts, out.file);
	if (code == -ENOTSUP)
		err_set(err, FAIL_USAGE, code, "a difference can be text, json, folded, pprof or html, not %s", exporter->name);
	else if (code)
		err_set(err, FAIL_GENERAL, code, "cannot make the difference in %s", exporter->name);
	else
		code = output__commit(&out, err);
	output__abort(&out);
	return code;
}

int diff_run(const struct options *o, struct err *err)
{
	struct side before = { 0 }, after = { 0 };
	struct diff *diff = NULL;
	struct diff_opts opts = { .is_stacks = o->group == GROUP_STACK };
	int code = side__open(&before, o->files[0], err);

	if (!code)
		code = side__open(&after, o->files[1], err);
	if (!code) {
		agree(&before, &after);
		agree(&after, &before);
	}
	if (!code) {
		const struct diff_side a = { before.prof, before.rec.window, before.spread };
		const struct diff_side b = { after.prof, after.rec.window, after.spread };

		code = diff__new(&a, &b, key_of(o->group), &diff);
		if (code)
			err_set(err, FAIL_GENERAL, code, "out of memory");
		opts.before = origin_of(&before, o->files[0]);
		opts.after = origin_of(&after, o->files[1]);
	}
	if (!code && !o->noutputs)
		code = write_one(o, diff, &opts, "-", err);
	for (size_t i = 0; i < o->noutputs && !code; i++)
		code = write_one(o, diff, &opts, o->outputs[i], err);
	diff__free(diff);
	side__close(&before);
	side__close(&after);
	return code;
}
