// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Folded stacks: "process;outermost;...;innermost VALUE", one line per stack, for
 * flamegraph.pl, inferno and speedscope.
 *
 * - One number (opts->metric): what rows of sources go and malloc allocated, or what rows of source
 *   rss made RSS grow. Rows of source mmap only where neither go nor malloc was captured: what these
 *   hand out was mapped before, and would be in the sum twice. Types and sources of one stack are one line.
 * - The format has no negative numbers and no comments: stacks that shrank RSS, and those with
 *   nothing in the window, are left out without a word; text and json have them.
 * - A stack whose frames were lost is "process;[lost stack]", so the lines add up to the total.
 * - ';' in names becomes ':', control characters and what is no UTF-8 '?'; a process is
 *   its comm, or comm-PID when there are several targets.
 *
 * - A difference has two numbers in a line, before and after, as difffolded.pl of FlameGraph writes them. What shrank
 *   RSS is 0 there.
 * - Frames of the kernel end in "_[k]", as perf's stackcollapse writes them and flamegraph.pl colours them.
 *
 * Lines are sorted as `LC_ALL=C sort` would. They are kept as lists of interned names, not as
 * text: deep stacks share most of theirs, and 100,000 lines of 2 KiB would be 200 MB in a tool
 * that runs beside somebody's service. The comparison skips equal names at once and walks
 * bytes only from the first different one on.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "export/formats.h"
#include "profile/frames.h"

struct line {
	size_t first; /* in pieces: the process, then frames outermost first */
	uint32_t npieces;
	int64_t value, before; /* before: of a difference */
};

struct folded {
	const struct profile *prof;
	struct names names;
	uint32_t *pieces; /* name ids */
	size_t npieces, cap_pieces;
	bool is_diff;
	struct line *lines;
	size_t nlines, cap_lines;
	uint32_t *loc_names; /* name ids of the frames of each location, innermost first */
	size_t nloc_names, cap_loc_names;
	size_t *loc_first; /* by location: index in loc_names + 1, 0 is not made yet */
};

static int push(uint32_t **items, size_t *len, size_t *cap, uint32_t value)
{
	int err = vec_reserve((void **)items, cap, *len + 1, sizeof(**items));

	if (!err)
		(*items)[(*len)++] = value;
	return err;
}

static int name_loc(struct folded *f, uint32_t loc)
{
	struct frame_view view;
	char buf[FRAME_LABEL_SIZE];
	int err;

	if (f->loc_first[loc])
		return 0;
	f->loc_first[loc] = f->nloc_names + 1;
	for (uint32_t i = 0; i < prof_loc_nframes(f->prof, loc); i++) {
		prof_loc_frame(f->prof, loc, i, &view);
		err = push(&f->loc_names, &f->nloc_names, &f->cap_loc_names,
			   names_add(&f->names, frame_label(&view, buf), ';', ':'));
		if (err)
			return err;
	}
	return f->names.err;
}

static uint32_t name_process(struct folded *f, uint32_t pid)
{
	char buf[256];

	return names_add(&f->names, process_name(f->prof, pid, buf), ';', ':');
}

static int add_pieces(struct folded *f, uint32_t pid, const struct prof_stack *stack)
{
	int err = push(&f->pieces, &f->npieces, &f->cap_pieces, name_process(f, pid));

	if (!stack->nlocs && !err)
		err = push(&f->pieces, &f->npieces, &f->cap_pieces, names_add(&f->names, LOST_STACK_NAME, 0, 0));
	for (uint32_t i = stack->nlocs; i-- && !err;) {
		uint32_t loc = f->prof->stack_locs[stack->first + i];

		err = name_loc(f, loc);
		for (uint32_t n = prof_loc_nframes(f->prof, loc); n-- && !err;)
			err = push(&f->pieces, &f->npieces, &f->cap_pieces, f->loc_names[f->loc_first[loc] - 1 + n]);
	}
	return err ? err : f->names.err;
}

static int add_line(struct folded *f, uint32_t pid, uint32_t stack, int64_t value, int64_t before)
{
	size_t first = f->npieces;
	int err = vec_reserve((void **)&f->lines, &f->cap_lines, f->nlines + 1, sizeof(*f->lines));

	if (!err)
		err = add_pieces(f, pid, &f->prof->stacks[stack]);
	if (!err)
		f->lines[f->nlines++] = (struct line){ first, (uint32_t)(f->npieces - first), value, before };
	return err;
}

static int order_ids(const void *a, const void *b, void *ctx)
{
	const struct line *x = a, *y = b;
	const struct folded *f = ctx;

	if (x->npieces != y->npieces)
		return x->npieces < y->npieces ? -1 : 1;
	return memcmp(&f->pieces[x->first], &f->pieces[y->first], x->npieces * sizeof(*f->pieces));
}

/* The bytes of a line from piece @i on, one by one. */
struct cursor {
	const struct folded *f;
	const struct line *line;
	uint32_t i;
	const char *p;
	char value[48];
};

static void cursor_init(struct cursor *c, const struct folded *f, const struct line *line, uint32_t i)
{
	c->f = f;
	c->line = line;
	c->i = i;
	if (f->is_diff)
		snprintf(c->value, sizeof(c->value), " %" PRId64 " %" PRId64, line->before, line->value);
	else
		snprintf(c->value, sizeof(c->value), " %" PRId64, line->value);
	c->p = i < line->npieces ? strtab__get(f->names.strs, f->pieces[line->first + i]) : c->value;
}

static unsigned char cursor_next(struct cursor *c)
{
	if (*c->p || c->i >= c->line->npieces)
		return (unsigned char)(*c->p ? *c->p++ : 0);
	if (++c->i == c->line->npieces) {
		c->p = c->value + 1;
		return ' ';
	}
	c->p = strtab__get(c->f->names.strs, c->f->pieces[c->line->first + c->i]);
	return ';';
}

static int order_bytes(const void *a, const void *b, void *ctx)
{
	const struct line *x = a, *y = b;
	const struct folded *f = ctx;
	struct cursor cx, cy;
	unsigned char bx, by;
	uint32_t i = 0;

	while (i < x->npieces && i < y->npieces && f->pieces[x->first + i] == f->pieces[y->first + i])
		i++;
	/* One may have ended where the other goes on: begin with the last equal name, for the byte behind it. */
	i -= i > 0;
	cursor_init(&cx, f, x, i);
	cursor_init(&cy, f, y, i);
	do {
		bx = cursor_next(&cx);
		by = cursor_next(&cy);
	} while (bx == by && bx);
	return (bx > by) - (bx < by);
}

/* Equal stacks into one line; lines without a value go. */
static void merge_lines(struct folded *f)
{
	size_t n = 0, kept = 0;

	qsort_r(f->lines, f->nlines, sizeof(*f->lines), order_ids, f);
	for (size_t i = 0; i < f->nlines; i++) {
		if (n && order_ids(&f->lines[n - 1], &f->lines[i], f) == 0)
			f->lines[n - 1].value += f->lines[i].value, f->lines[n - 1].before += f->lines[i].before;
		else
			f->lines[n++] = f->lines[i];
	}
	for (size_t i = 0; i < n; i++) {
		struct line line = f->lines[i];

		line.value = line.value > 0 ? line.value : 0;
		line.before = line.before > 0 ? line.before : 0;
		if (line.value || line.before)
			f->lines[kept++] = line;
	}
	f->nlines = kept;
}

static void print_lines(const struct folded *f, FILE *out)
{
	for (size_t i = 0; i < f->nlines; i++) {
		const struct line *line = &f->lines[i];

		for (uint32_t j = 0; j < line->npieces; j++) {
			if (j)
				putc_unlocked(';', out);
			fputs_unlocked(strtab__get(f->names.strs, f->pieces[line->first + j]), out);
		}
		if (f->is_diff)
			fprintf(out, " %" PRId64, line->before);
		fprintf(out, " %" PRId64 "\n", line->value);
	}
}

/* What is different of one profile and of two: the values of a row. */
typedef void row_values_fn(const void *ctx, uint32_t row, int64_t *ret_value, int64_t *ret_before);

static int write_lines(const struct profile *prof, bool is_diff, row_values_fn *values, const void *ctx, FILE *out)
{
	struct folded f = { .prof = prof, .is_diff = is_diff };
	int64_t value, before = 0;
	int err;

	err = names_init(&f.names);
	if (err)
		return err;
	f.loc_first = calloc((size_t)prof->nlocs + 1, sizeof(*f.loc_first));
	err = f.loc_first ? 0 : -ENOMEM;
	for (uint32_t i = 0; i < prof->nrows && !err; i++) {
		values(ctx, i, &value, &before);
		if (value || before)
			err = add_line(&f, prof->rows[i].pid, prof->rows[i].stack, value, before);
	}
	if (!err && f.nlines) {
		merge_lines(&f);
		if (f.nlines)
			qsort_r(f.lines, f.nlines, sizeof(*f.lines), order_bytes, &f);
		print_lines(&f, out);
	}
	names_free(&f.names);
	free(f.pieces);
	free(f.lines);
	free(f.loc_names);
	free(f.loc_first);
	return err;
}

struct one {
	const struct profile *prof;
	const struct export_opts *opts;
};

static void values_of_one(const void *ctx, uint32_t row, int64_t *ret_value, int64_t *ret_before)
{
	const struct one *one = ctx;
	struct prof_counts c = prof_row_counts(&one->prof->rows[row], one->opts->window);

	*ret_value = metric_value(one->prof, one->prof->rows[row].source, &c, one->opts->metric);
	*ret_before = 0;
}

int folded_write(const struct profile *prof, const struct export_opts *opts, FILE *out)
{
	const struct one one = { prof, opts };

	return write_lines(prof, false, values_of_one, &one, out);
}

struct two {
	const struct diff *diff;
	enum metric metric;
};

static void values_of_two(const void *ctx, uint32_t row, int64_t *ret_value, int64_t *ret_before)
{
	const struct two *two = ctx;
	const struct profile *prof = two->diff->prof;

	*ret_value = metric_value(prof, prof->rows[row].source, &two->diff->after[row].counts, two->metric);
	*ret_before = metric_value(prof, prof->rows[row].source, &two->diff->before[row].counts, two->metric);
}

int folded_diff_write(const struct diff *diff, const struct diff_opts *opts, FILE *out)
{
	const struct two two = { diff, opts->export.metric };

	return write_lines(diff->prof, true, values_of_two, &two, out);
}
