// SPDX-License-Identifier: GPL-2.0-or-later
/* Differences: arithmetic, what is the same row, and every format. */
#include "profile/diff.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "export/diff.h"
#include "test.h"

#define S 1000000000ull

TEST(changes)
{
	struct change c = change_of(100, 150, -1, -1);

	CHECK(c.by == 50 && c.has_pct && c.pct == 50 && !c.has_se && !c.is_noise);
	c = change_of(100, 150, 900, 1600); /* standard error 50: exactly one */
	CHECK(c.has_se && c.se == 50 && c.is_noise);
	c = change_of(100, 150, 225, 400); /* 25: exactly two */
	CHECK(c.is_noise);
	c = change_of(100, 151, 225, 400);
	CHECK(!c.is_noise);
	c = change_of(150, 100, 225, 400);
	CHECK(c.by == -50 && c.is_noise);
	c = change_of(0, 7, 0, 0); /* followed one by one: no chance */
	CHECK(c.by == 7 && !c.has_pct && c.has_se && c.se == 0 && !c.is_noise);
	c = change_of(7, 7, 1, -1);
	CHECK(!c.has_se && !c.is_noise);
}

/* A capture of @seconds; its functions are main.a, main.b, ... at addresses that begin at @base. */
struct made {
	struct profile *prof;
	double *spread;
	uint64_t base;
};

static struct made make(double seconds, uint64_t base)
{
	struct made m = { .base = base };

	if (profile__new(&m.prof))
		abort();
	m.prof->start_unix_ns = m.prof->mark_unix_ns = 1000 * S;
	m.prof->now_unix_ns = 1000 * S + (uint64_t)(seconds * 1e9);
	m.prof->has_source[SOURCE_GO] = m.prof->has_source[SOURCE_RSS] = true;
	m.prof->live[SOURCE_GO] = (struct prof_live){ .measured = true, .rate_bytes = 1000, .how = "" };
	m.spread = calloc(16, sizeof(*m.spread));
	return m;
}

static void done(struct made *m)
{
	profile__free(m->prof);
	free(m->spread);
}

/* @funcs: a letter a frame, innermost first. */
static uint32_t add(struct made *m, enum source source, const char *funcs, const char *type, uint64_t bytes, double var)
{
	struct profile *p = m->prof;
	uint32_t locs[8], n = 0, row, module;
	struct prof_module mod = { .path = strtab__adds(p->strs, "/bin/made"), .name = strtab__adds(p->strs, "made") };

	module = profile__add_module(p, &mod);
	for (; funcs[n]; n++) {
		char name[16];
		struct prof_frame frame = { .line = (uint32_t)(m->base + n) };

		snprintf(name, sizeof(name), "main.%c", funcs[n]);
		frame.func = strtab__adds(p->strs, name);
		frame.file = strtab__adds(p->strs, "/src/main.go");
		locs[n] = profile__add_loc(p, module, m->base + (uint64_t)funcs[n] * 16, 0);
		profile__set_frames(p, locs[n], &frame, funcs[n] == '?' ? 0 : 1);
	}
	row = profile__add_row(p, 1, source, profile__add_context(p, &(struct prof_context){ .typing = TYPING_KIND, .creator = PROF_NONE,
				       .type_vaddr = strtab__adds(p->strs, type) }), profile__add_stack(p, locs, n, 0));
	p->rows[row].type = strtab__adds(p->strs, type);
	if (source == SOURCE_RSS) {
		p->rows[row].total.rss[RSS_ANON].grown_bytes += bytes;
	} else {
		p->rows[row].total.alloc_bytes += bytes;
		p->rows[row].total.alloc_objects += bytes / 10;
		p->rows[row].total.live_bytes += (double)bytes / 2;
		p->rows[row].total.live_bytes_var += 100;
	}
	m->spread[row] = var;
	return row;
}

static const struct prof_row *find(const struct diff *d, const char *innermost, const char *type, uint32_t *ret)
{
	for (uint32_t i = 0; i < d->prof->nrows; i++) {
		const struct prof_row *row = &d->prof->rows[i];
		uint32_t loc = d->prof->stack_locs[d->prof->stacks[row->stack].first];
		const struct prof_frame *frame = &d->prof->frames[d->prof->locs[loc].first_frame];

		if (strcmp(strtab__get(d->prof->strs, frame->func), innermost) == 0 &&
		    strcmp(strtab__get(d->prof->strs, row->type), type) == 0) {
			*ret = i;
			return row;
		}
	}
	return NULL;
}

/* Two builds of a program: other addresses and lines, the same functions; windows of 10 and 20 seconds. */
static struct diff *compare(enum diff_key key)
{
	struct made a = make(10, 0x1000), b = make(20, 0x7000);
	struct diff_side before = { a.prof, WINDOW_ALL, a.spread }, after = { b.prof, WINDOW_ALL, b.spread };
	struct diff *d = NULL;

	add(&a, SOURCE_GO, "ab", "T", 1000, 2500); /* 100/s, standard error 5/s */
	add(&a, SOURCE_GO, "cb", "T", 500, 0);
	add(&a, SOURCE_GO, "ab", "U", 70, 0);
	add(&a, SOURCE_RSS, "ab", "heap", 4096, 0);
	add(&b, SOURCE_GO, "ab", "T", 2100, 10000); /* 105/s, the same: 5 is no more than chance */
	add(&b, SOURCE_GO, "db", "T", 400, 0);
	add(&b, SOURCE_GO, "ab", "U", 400, 0);
	add(&b, SOURCE_RSS, "ab", "heap", 0, 0);
	CHECK_INT(diff__new(&before, &after, key, &d), 0);
	done(&a);
	done(&b);
	return d;
}

TEST(rows)
{
	struct diff *d = compare(DIFF_STACK);
	struct change c;
	uint32_t row;

	CHECK_INT(d->prof->nrows, 5);
	if (CHECK(find(d, "main.a", "T", &row))) {
		c = diff__row(d, row, DIFF_ALLOC_BYTES);
		CHECK(c.before == 100 && c.after == 105 && c.by == 5 && c.pct == 5 && c.is_noise);
		CHECK(fabs(c.se - sqrt(50)) < 1e-9);
		c = diff__row(d, row, DIFF_ALLOC_OBJECTS);
		CHECK(c.by == 0.5 && !c.has_se);
		c = diff__row(d, row, DIFF_LIVE_BYTES); /* a state: not per second */
		CHECK(c.before == 500 && c.after == 1050 && !c.is_noise && fabs(c.se - sqrt(200)) < 1e-9);
		CHECK_INT(d->prof->rows[row].total.alloc_bytes, 1100);
		/* The lines of after. */
		CHECK(d->prof->frames[d->prof->locs[d->prof->stack_locs[d->prof->stacks[d->prof->rows[row].stack].first]].first_frame].line >= 0x7000);
	}
	if (CHECK(find(d, "main.c", "T", &row))) {
		c = diff__row(d, row, DIFF_ALLOC_BYTES);
		CHECK(c.before == 50 && c.after == 0 && c.by == -50 && !c.is_noise);
		CHECK_INT((int64_t)d->prof->rows[row].total.alloc_bytes, -500);
	}
	if (CHECK(find(d, "main.d", "T", &row)))
		CHECK(!diff__row(d, row, DIFF_ALLOC_BYTES).has_pct);
	if (CHECK(find(d, "main.a", "heap", &row)))
		CHECK(diff__row(d, row, DIFF_RSS_BYTES).before == 409.6 && diff__row(d, row, DIFF_RSS_BYTES).after == 0);
	c = diff__sum(d, SOURCE_GO, DIFF_ALLOC_BYTES);
	CHECK(c.before == 157 && c.after == 145);
	CHECK(diff__has(d, SOURCE_GO, DIFF_LIVE_BYTES) && !diff__has(d, SOURCE_GO, DIFF_RSS_BYTES));
	CHECK(!diff__has(d, SOURCE_MALLOC, DIFF_ALLOC_BYTES) && diff__has(d, SOURCE_RSS, DIFF_RSS_BYTES));
	diff__free(d);
}

TEST(keys)
{
	struct diff *d = compare(DIFF_FUNC);
	uint32_t row;

	CHECK_INT(d->prof->nrows, 4); /* a c d of go, a of rss */
	if (CHECK(find(d, "main.a", "", &row)))
		CHECK(diff__row(d, row, DIFF_ALLOC_BYTES).before == 107);
	diff__free(d);
	d = compare(DIFF_TYPE);
	CHECK_INT(d->prof->nrows, 3);
	if (CHECK(find(d, "T", "", &row)))
		CHECK(diff__row(d, row, DIFF_ALLOC_BYTES).after == 125);
	diff__free(d);
	d = compare(DIFF_LINE);
	CHECK_INT(d->prof->nrows, 5); /* lines moved: nothing of go is the same */
	diff__free(d);
	d = compare(DIFF_MODULE);
	CHECK_INT(d->prof->nrows, 2);
	diff__free(d);
}

static char *write(const struct diff *d, const char *format, enum metric metric)
{
	const struct diff_opts opts = { .before = { "a.db", 1000 * S, 1010 * S }, .after = { "b\033.db", 2000 * S, 2020 * S },
					.export = { .tool = "test", .metric = metric, .top = 10, .width = 100 }, .is_stacks = true };
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	CHECK_INT(diff_write(d, exporter_by_name(format), &opts, out), 0);
	fclose(out);
	return text;
}

TEST(formats)
{
	struct diff *d = compare(DIFF_STACK);
	char *text = write(d, "folded", METRIC_ALLOC_BYTES);

	CHECK_STR(text, "pid-0;main.b;main.a 1070 2500\npid-0;main.b;main.c 500 0\npid-0;main.b;main.d 0 400\n");
	free(text);
	text = write(d, "folded", METRIC_RSS_BYTES);
	CHECK_STR(text, "pid-0;main.b;main.a 4096 0\n");
	free(text);
	text = write(d, "text", METRIC_ALLOC_BYTES);
	CHECK(strstr(text, "go allocates") && strstr(text, "main.c") && strstr(text, "-100.0 %") && strstr(text, "noise"));
	CHECK(strstr(text, "1 of them by no more than chance does") && !strchr(text, '\033'));
	/* What is no noise comes first, the largest first. */
	CHECK(strstr(text, "main.c") < strstr(text, "main.d"));
	free(text);
	text = write(d, "json", METRIC_ALLOC_BYTES);
	CHECK(strstr(text, "\"alloc_bytes_per_s\":{\"before\":100.000,\"after\":105.000,\"change\":5.000,\"change_pct\":5.00,"
			   "\"change_se\":7.071,\"noise\":true}"));
	free(text);
	text = write(d, "pprof", METRIC_ALLOC_BYTES);
	CHECK((uint8_t)text[0] == 0x1f && (uint8_t)text[1] == 0x8b);
	free(text);
	diff__free(d);
}

/* Nothing against nothing. */
TEST(empty)
{
	struct made a = make(0, 0), b = make(0, 0);
	struct diff_side before = { a.prof, WINDOW_ALL, NULL }, after = { b.prof, WINDOW_ALL, NULL };
	struct diff *d = NULL;

	CHECK_INT(diff__new(&before, &after, DIFF_STACK, &d), 0);
	free(write(d, "text", METRIC_ALLOC_BYTES));
	free(write(d, "json", METRIC_ALLOC_BYTES));
	free(write(d, "folded", METRIC_ALLOC_BYTES));
	free(write(d, "pprof", METRIC_ALLOC_BYTES));
	diff__free(d);
	done(&a);
	done(&b);
}

TEST_MAIN()
