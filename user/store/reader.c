// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From the tables back to a profile. Ids of the file are not trusted to be dense, or small, or there at all: each kind
 * has a map from them to what the profile's builders gave, and one that is missing makes the file a damaged one.
 *
 * A window is made from its far end: totals are those of the end of the recording, less the history behind the window;
 * marks are those totals, less the history in it. So nothing must be added up from the start.
 *
 * What exporters take for words of ours (the names of losses, the mode) comes from the file here: it is cleaned.
 */
#include "store/reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/units.h"
#include "base/vec.h"
#include "profile/agg.h"
#include "profile/timeline.h"
#include "store/db.h"

#define MAX_COLUMNS 64
#define MAX_FRAMES 256 /* of a stack, and of a place */
#define MAX_MODULES (1u << 16)
#define MAX_TARGETS (1u << 16)
#define MAX_STRINGS (1u << 24)
#define MAX_MOMENTS (1u << 24)
#define FINEST_MOMENTS_NS 500000000u

struct reader {
	struct db *db;
	struct reader_run run;
	char kernel[128], mode[32];
	bool has_goroutines, has_rss_kinds, has_touches;
	enum rss_method rss_method;
	struct moment *moments;
	struct interval_record *intervals; /* as the moments */
	size_t nmoments;
};

/* Ids of the file to indices of the profile. */
struct idmap {
	struct hmap *ids;
	uint32_t *to;
	size_t cap;
};

/* A load under way. */
struct load {
	struct reader *reader;
	struct db *db;
	struct window_ids window;
	struct profile *prof;
	struct idmap strings, modules, locs, stacks, contexts, rows, touches;
	struct err *err;
};

static int out_of_memory(struct err *err)
{
	return err_set(err, FAIL_GENERAL, -ENOMEM, "out of memory");
}

static int idmap__add(struct idmap *map, uint32_t id, uint32_t to)
{
	uint32_t index;

	if (!map->ids && hmap__new(sizeof(id), &map->ids))
		return -ENOMEM;
	if (vec_reserve((void **)&map->to, &map->cap, (size_t)hmap__len(map->ids) + 1, sizeof(*map->to)))
		return -ENOMEM;
	index = hmap__add(map->ids, &id, NULL);
	if (index == HMAP_NONE)
		return -ENOMEM;
	map->to[index] = to;
	return 0;
}

/* PROF_NONE if it is not there. */
static uint32_t idmap__get(const struct idmap *map, uint32_t id)
{
	uint32_t index = map->ids ? hmap__find(map->ids, &id) : HMAP_NONE;

	return index == HMAP_NONE ? PROF_NONE : map->to[index];
}

static size_t idmap__len(const struct idmap *map)
{
	return map->ids ? hmap__len(map->ids) : 0;
}

static void idmap__free(struct idmap *map)
{
	hmap__free(map->ids);
	free(map->to);
}

/* ---- opening ---- */

static int read_run(struct reader *r, struct err *err)
{
	struct run_record record = { 0 };
	uint32_t key;
	int code = db__select(r->db, TABLE_RUN, 1, 1, err);

	if (!code)
		code = db__next(r->db, TABLE_RUN, &key, &record, err);
	if (code <= 0)
		return code ? code : db__damaged(r->db, err, "nothing was recorded");
	name_clean(r->run.tool, sizeof(r->run.tool), record.tool);
	name_clean(r->run.host, sizeof(r->run.host), record.host);
	name_clean(r->run.when, sizeof(r->run.when), record.when);
	name_clean(r->run.ending, sizeof(r->run.ending), record.ending);
	name_clean(r->kernel, sizeof(r->kernel), record.kernel);
	name_clean(r->mode, sizeof(r->mode), record.mode);
	r->run.start_unix_ns = record.start_unix_ns;
	r->run.interval_ns = record.interval_ns;
	r->run.end_unix_ns = record.end_unix_ns;
	r->has_goroutines = record.has_goroutines;
	r->has_rss_kinds = record.has_rss_kinds;
	r->has_touches = record.has_touches;
	r->rss_method = record.rss_method;
	if ((unsigned int)record.rss_method > RSS_BY_COUNTERS)
		return db__damaged(r->db, err, "method %d of RSS is none", (int)record.rss_method);
	return 0;
}

static int read_moments(struct reader *r, struct err *err)
{
	struct interval_record record;
	size_t cap = 0, cap_intervals = 0;
	uint32_t id;
	int code = db__select(r->db, TABLE_INTERVAL, 1, UINT32_MAX, err);

	if (code)
		return code;
	while ((code = db__next(r->db, TABLE_INTERVAL, &id, &record, err)) == 1) {
		if (r->nmoments == MAX_MOMENTS)
			return db__damaged(r->db, err, "it has too many intervals");
		if (vec_reserve((void **)&r->moments, &cap, r->nmoments + 1, sizeof(*r->moments)) ||
		    vec_reserve((void **)&r->intervals, &cap_intervals, r->nmoments + 1, sizeof(*r->intervals)))
			return out_of_memory(err);
		r->intervals[r->nmoments] = record;
		r->moments[r->nmoments++] = (struct moment){ id, record.unix_ns, record.has_rows };
	}
	if (!code && !r->nmoments)
		return db__damaged(r->db, err, "it has no interval");
	return code;
}

int reader__open(const char *path, struct reader **ret, struct err *err)
{
	struct reader *r = calloc(1, sizeof(*r));
	int code;

	if (!r)
		return out_of_memory(err);
	code = db__open(path, &r->db, err);
	if (!code)
		code = read_run(r, err);
	if (!code)
		code = read_moments(r, err);
	if (code) {
		reader__free(r);
		return code;
	}
	*ret = r;
	return 0;
}

void reader__free(struct reader *r)
{
	if (!r)
		return;
	db__free(r->db);
	free(r->moments);
	free(r->intervals);
	free(r);
}

const struct reader_run *reader__run(const struct reader *r)
{
	return &r->run;
}

const struct moment *reader__moments(const struct reader *r, size_t *ret_n)
{
	*ret_n = r->nmoments;
	return r->moments;
}

/* Index of moment @id, which is one of them; -1 for MOMENT_START. */
static long moment_index(const struct reader *r, uint32_t id)
{
	for (size_t i = 0; i < r->nmoments; i++)
		if (r->moments[i].id == id)
			return (long)i;
	return -1;
}

static uint64_t moment_unix_ns(const struct reader *r, uint32_t id)
{
	long i = moment_index(r, id);

	return i < 0 ? r->run.start_unix_ns : r->moments[i].unix_ns;
}

static bool is_last(const struct reader *r, uint32_t id)
{
	return id == r->moments[r->nmoments - 1].id;
}

/* ---- the dictionary ---- */

/* A string of the file, as the profile has it. */
static int get_string(struct load *l, uint32_t *id)
{
	uint32_t to = *id ? idmap__get(&l->strings, *id) : 0;

	if (to == PROF_NONE)
		return db__damaged(l->db, l->err, "string %u is missing", *id);
	*id = to;
	return 0;
}

static int get_strings(struct load *l, enum table_id table, void *record)
{
	const struct table *t = &store_tables[table];
	int code = 0;

	for (size_t i = 0; i < t->ncolumns && !code; i++)
		if (t->columns[i].kind == COLUMN_STRING)
			code = get_string(l, (uint32_t *)((char *)record + t->columns[i].offset));
	return code;
}

/* The next row with its strings: 1, 0 or -errno. */
static int next(struct load *l, enum table_id table, uint32_t *keys, void *record)
{
	int code = db__next(l->db, table, keys, record, l->err);

	if (code == 1 && get_strings(l, table, record))
		return -EBADMSG;
	return code;
}

static int get_ref(struct load *l, const struct idmap *map, const char *what, uint32_t *id)
{
	uint32_t to = *id == PROF_NONE ? PROF_NONE : idmap__get(map, *id);

	if (*id != PROF_NONE && to == PROF_NONE)
		return db__damaged(l->db, l->err, "%s %u is missing", what, *id);
	*id = to;
	return 0;
}

static int keep(struct load *l, struct idmap *map, uint32_t id, uint32_t to, size_t max, const char *what)
{
	if (to == PROF_NONE)
		return out_of_memory(l->err);
	if (idmap__len(map) >= max)
		return db__damaged(l->db, l->err, "it has too many %ss", what);
	return idmap__add(map, id, to) ? out_of_memory(l->err) : 0;
}

static int read_strings(struct load *l)
{
	struct text_record record;
	uint32_t id;
	int code = db__select(l->db, TABLE_STRING, 1, UINT32_MAX, l->err);

	if (code)
		return code;
	while ((code = db__next(l->db, TABLE_STRING, &id, &record, l->err)) == 1) {
		code = keep(l, &l->strings, id, strtab__adds(l->prof->strs, record.text), MAX_STRINGS, "string");
		if (code)
			return code;
	}
	return code;
}

static int read_modules(struct load *l)
{
	struct prof_module record = { 0 };
	uint32_t id;
	int code = db__select(l->db, TABLE_MODULE, 0, UINT32_MAX, l->err);

	if (code)
		return code;
	while ((code = next(l, TABLE_MODULE, &id, &record)) == 1) {
		code = keep(l, &l->modules, id, profile__add_module(l->prof, &record), MAX_MODULES, "module");
		if (code)
			return code;
	}
	return code;
}

static int read_locs(struct load *l)
{
	struct prof_loc record = { 0 };
	uint32_t id;
	int code = db__select(l->db, TABLE_LOC, 0, UINT32_MAX, l->err);

	if (code)
		return code;
	while ((code = next(l, TABLE_LOC, &id, &record)) == 1) {
		code = get_ref(l, &l->modules, "module", &record.module);
		if (!code)
			code = keep(l, &l->locs, id, profile__add_loc(l->prof, record.module, record.vaddr, record.addr),
				    AGG_LIMITS.locs, "place");
		if (code)
			return code;
	}
	return code;
}

static int set_frames(struct load *l, uint32_t loc, const struct prof_frame *frames, uint32_t n)
{
	int code = n ? get_ref(l, &l->locs, "place", &loc) : 0;

	if (!code && n && profile__set_frames(l->prof, loc, frames, n))
		code = out_of_memory(l->err);
	return code;
}

static int read_frames(struct load *l)
{
	struct prof_frame frames[MAX_FRAMES], record;
	uint32_t keys[TABLE_MAX_KEYS], loc = 0, n = 0;
	int code = db__select(l->db, TABLE_FRAME, 0, UINT32_MAX, l->err);

	if (code)
		return code;
	while ((code = next(l, TABLE_FRAME, keys, &record)) == 1) {
		if (n && keys[0] != loc) {
			code = set_frames(l, loc, frames, n);
			if (code)
				return code;
			n = 0;
		}
		loc = keys[0];
		if (keys[1] != n || n == MAX_FRAMES)
			return db__damaged(l->db, l->err, "the frames of place %u are not in order", loc);
		frames[n++] = record;
	}
	return code ? code : set_frames(l, loc, frames, n);
}

static int read_stacks(struct load *l)
{
	uint32_t locs[MAX_FRAMES], keys[TABLE_MAX_KEYS] = { 0 }, id, n;
	struct prof_stack record = { 0 };
	struct stack_loc_record place = { 0 };
	int code = db__select(l->db, TABLE_STACK, 0, UINT32_MAX, l->err), more;

	if (!code)
		code = db__select(l->db, TABLE_STACK_LOC, 0, UINT32_MAX, l->err);
	if (code)
		return code;
	more = next(l, TABLE_STACK_LOC, keys, &place);
	while (more >= 0 && (code = next(l, TABLE_STACK, &id, &record)) == 1) {
		for (n = 0; more == 1 && keys[0] == id; n++) {
			if (keys[1] != n || n == MAX_FRAMES)
				return db__damaged(l->db, l->err, "the places of stack %u are not in order", id);
			locs[n] = place.loc;
			if (get_ref(l, &l->locs, "place", &locs[n]))
				return -EBADMSG;
			more = next(l, TABLE_STACK_LOC, keys, &place);
		}
		if (more < 0)
			return more;
		if (l->prof->nstack_locs + (uint64_t)n > AGG_LIMITS.frames)
			return db__damaged(l->db, l->err, "its stacks have too many frames");
		code = keep(l, &l->stacks, id, profile__add_stack(l->prof, locs, n, record.flags), AGG_LIMITS.stacks, "stack");
		if (code)
			return code;
	}
	if (more == 1 && !code)
		return db__damaged(l->db, l->err, "stack %u is missing", keys[0]);
	return more < 0 ? more : code;
}

static int read_contexts(struct load *l)
{
	struct context_record record = { 0 };
	uint32_t id;
	int code = db__select(l->db, TABLE_CONTEXT, 0, UINT32_MAX, l->err);

	if (code)
		return code;
	while ((code = next(l, TABLE_CONTEXT, &id, &record)) == 1) {
		struct prof_context context = { .typing = record.typing, .type_vaddr = record.type_vaddr };

		if ((unsigned int)record.typing > TYPING_KIND)
			return db__damaged(l->db, l->err, "typing %d is none", (int)record.typing);
		code = get_ref(l, &l->modules, "module", &record.type_module);
		if (!code)
			code = get_ref(l, &l->locs, "place", &record.creator);
		if (code)
			return code;
		if (record.typing == TYPING_KNOWN)
			context.type_module = record.type_module;
		if (record.typing == TYPING_KIND)
			context.type_vaddr = record.kind;
		context.creator = record.creator;
		context.labels = record.labels;
		code = keep(l, &l->contexts, id, profile__add_context(l->prof, &context), AGG_LIMITS.contexts, "context");
		if (code)
			return code;
	}
	return code;
}

/* ---- rows and their history ---- */

static int add_row(struct load *l, uint32_t id, struct prof_row *record)
{
	struct profile *prof = l->prof;
	uint32_t row;
	int code = get_ref(l, &l->stacks, "stack", &record->stack);

	if (!code)
		code = get_ref(l, &l->contexts, "context", &record->context);
	if (!code && (unsigned int)record->source >= SOURCE__N)
		code = db__damaged(l->db, l->err, "source %d is none", (int)record->source);
	if (!code && profile__has_row(prof, record->pid, record->source, record->context, record->stack))
		code = db__damaged(l->db, l->err, "row %u is there twice", id);
	if (code)
		return code;
	row = profile__add_row(prof, record->pid, record->source, record->context, record->stack);
	code = keep(l, &l->rows, id, row, AGG_LIMITS.rows, "row");
	if (code)
		return code;
	prof->rows[row].type = record->type;
	prof->rows[row].total = record->total;
	prof->rows[row].goroutines = record->goroutines;
	return 0;
}

static int read_rows(struct load *l)
{
	struct prof_row record = { 0 };
	uint32_t id;
	int code = db__select(l->db, TABLE_ROW, 0, UINT32_MAX, l->err);

	if (code)
		return code;
	while ((code = next(l, TABLE_ROW, &id, &record)) == 1) {
		code = add_row(l, id, &record);
		if (code)
			return code;
	}
	return code;
}

/* Adds @values (@sign: 1 or -1) to the numbers of @record, a row or a touch; false if a count would leave its range. */
static bool add_values(enum table_id table, void *record, const int64_t *values, int sign)
{
	const struct table *t = &store_tables[table];

	for (size_t i = 0; i < t->ncolumns; i++) {
		char *p = (char *)record + t->columns[i].offset;
		int64_t n;

		if (t->columns[i].kind == COLUMN_REAL) {
			*(double *)p += sign * (double)values[i];
			continue;
		}
		n = *(int64_t *)p;
		if (sign > 0 ? __builtin_add_overflow(n, values[i], &n) : __builtin_sub_overflow(n, values[i], &n))
			return false;
		if (n < 0)
			return false;
		*(int64_t *)p = n;
	}
	return true;
}

/* Takes the history of the intervals @low to @high off @rows, which are as the profile's. */
static int take_off(struct load *l, struct prof_row *rows, uint32_t low, uint32_t high)
{
	int64_t values[MAX_COLUMNS];
	uint32_t interval, id, row;
	int code = 0;

	for (int table = TABLE_HISTORY_FIRST; table < TABLE_ROW_HISTORY_END && low <= high && !code; table++) {
		code = db__select(l->db, table, low, high, l->err);
		while (!code && (code = db__next_history(l->db, table, &interval, &id, values, l->err)) == 1) {
			row = id;
			code = get_ref(l, &l->rows, "row", &row);
			if (!code && !add_values(table, &rows[row], values, -1))
				code = db__damaged(l->db, l->err, "row %u did more in interval %u than in all", id, interval);
		}
	}
	return code;
}

/* Of the end of the window only the whole numbers are known, and no states but what is live. */
static int go_back(struct load *l)
{
	struct profile *prof = l->prof;

	if (is_last(l->reader, l->window.to))
		return 0;
	for (uint32_t i = 0; i < prof->nrows; i++) {
		struct prof_counts *c = &prof->rows[i].total;

		c->live_objects = (double)prof_signed(c->live_objects);
		c->live_bytes = (double)prof_signed(c->live_bytes);
		c->live_objects_var = (double)prof_signed(c->live_objects_var);
		c->live_bytes_var = (double)prof_signed(c->live_bytes_var);
		c->peak_objects = c->peak_bytes = 0;
		c->peak_rss_bytes = 0;
		c->aged_objects = 0;
	}
	return take_off(l, prof->rows, l->window.to + 1, UINT32_MAX - 1);
}

static int mark_rows(struct load *l)
{
	struct profile *prof = l->prof;
	struct prof_row *rows;
	int code;

	if (l->window.from == MOMENT_START)
		return 0;
	rows = malloc(((size_t)prof->nrows + 1) * sizeof(*rows));
	if (!rows)
		return out_of_memory(l->err);
	memcpy(rows, prof->rows, prof->nrows * sizeof(*rows));
	code = take_off(l, rows, l->window.from + 1, l->window.to);
	for (uint32_t i = 0; i < prof->nrows && !code; i++) {
		prof->rows[i].marked = rows[i].total;
		prof->rows[i].goroutines_marked = rows[i].goroutines;
	}
	free(rows);
	return code;
}

/* ---- whose memory ---- */

static int add_touch(struct load *l, uint32_t id, struct touch_record *record)
{
	struct profile *prof = l->prof;
	uint32_t touch, had = prof->ntouches;
	int code = get_ref(l, &l->rows, "row", &record->row);

	if (!code)
		code = get_ref(l, &l->stacks, "stack", &record->touch.stack);
	if (!code && ((unsigned int)record->touch.source >= SOURCE__N || prof->rows[record->row].source != SOURCE_RSS))
		code = db__damaged(l->db, l->err, "touch %u is of no row of source rss", id);
	if (code)
		return code;
	touch = profile__add_touch(prof, record->row, record->touch.source, record->touch.stack);
	if (touch != PROF_NONE && prof->ntouches == had)
		return db__damaged(l->db, l->err, "touch %u is there twice", id);
	code = keep(l, &l->touches, id, touch, AGG_LIMITS.rows, "touche");
	if (!code)
		prof->touches[touch].bytes = record->touch.bytes;
	return code;
}

/* Takes the history of the intervals @low to @high off @touches, which are as the profile's. */
static int take_off_touches(struct load *l, struct prof_touch *touches, uint32_t low, uint32_t high)
{
	uint32_t interval, id, touch;
	int64_t values[MAX_COLUMNS];
	int code = low <= high ? db__select(l->db, TABLE_TOUCHED, low, high, l->err) : 0;

	while (low <= high && !code && (code = db__next_history(l->db, TABLE_TOUCHED, &interval, &id, values, l->err)) == 1) {
		touch = id;
		code = get_ref(l, &l->touches, "touch", &touch);
		if (!code && !add_values(TABLE_TOUCHED, &touches[touch], values, -1))
			code = db__damaged(l->db, l->err, "touch %u had more in interval %u than in all", id, interval);
	}
	return code;
}

static int read_touches(struct load *l)
{
	struct touch_record record = { 0 };
	struct profile *prof = l->prof;
	struct prof_touch *touches;
	uint32_t id;
	int code = db__select(l->db, TABLE_TOUCH, 0, UINT32_MAX, l->err);

	while (!code && (code = db__next(l->db, TABLE_TOUCH, &id, &record, l->err)) == 1)
		code = add_touch(l, id, &record);
	if (!code && !is_last(l->reader, l->window.to))
		code = take_off_touches(l, prof->touches, l->window.to + 1, UINT32_MAX - 1);
	if (code || l->window.from == MOMENT_START)
		return code;
	touches = malloc(((size_t)prof->ntouches + 1) * sizeof(*touches));
	if (!touches)
		return out_of_memory(l->err);
	if (prof->ntouches)
		memcpy(touches, prof->touches, prof->ntouches * sizeof(*touches));
	code = take_off_touches(l, touches, l->window.from + 1, l->window.to);
	for (uint32_t i = 0; i < prof->ntouches && !code; i++)
		prof->touches[i].marked_bytes = touches[i].bytes;
	free(touches);
	return code;
}

/* ---- RSS over time ---- */

static uint64_t rss_at(struct load *l, uint32_t interval, int *ret_code)
{
	struct target_at_record record;
	uint32_t keys[TABLE_MAX_KEYS];
	uint64_t sum = 0;

	*ret_code = db__select(l->db, TABLE_TARGET_AT, interval, interval, l->err);
	while (!*ret_code && (*ret_code = db__next(l->db, TABLE_TARGET_AT, keys, &record, l->err)) == 1) {
		sum += record.rss_bytes;
		*ret_code = 0;
	}
	return sum;
}

/* From nothing on, an interval after the other, as the capture saw it. @rows have only their RSS. */
static int replay_rss(struct load *l, struct timeline *tl)
{
	const struct reader *r = l->reader;
	int64_t values[MAX_COLUMNS];
	uint32_t interval, id;
	int code = db__select(l->db, TABLE_RSS, 0, l->window.to, l->err), more = 0;
	uint64_t rss_bytes;

	if (!code)
		more = db__next_history(l->db, TABLE_RSS, &interval, &id, values, l->err);
	for (size_t i = 0; i < r->nmoments && r->moments[i].id <= l->window.to && !code; i++) {
		for (; more == 1 && interval <= r->moments[i].id && !code;
		     more = db__next_history(l->db, TABLE_RSS, &interval, &id, values, l->err)) {
			uint32_t row = id;

			code = get_ref(l, &l->rows, "row", &row);
			if (!code && !add_values(TABLE_RSS, &l->prof->rows[row], values, 1))
				code = db__damaged(l->db, l->err, "row %u has more RSS than there is", id);
		}
		if (more < 0 || code)
			return code ? code : more;
		if (tl->n && r->moments[i].unix_ns - tl->points[tl->n - 1].unix_ns < tl->apart_ns)
			continue;
		rss_bytes = rss_at(l, r->moments[i].id, &code);
		if (!code && timeline__add(tl, l->prof, r->moments[i].unix_ns, rss_bytes))
			code = out_of_memory(l->err);
	}
	return code;
}

/* timeline__add() has nothing of what is in no row while RSS is replayed: live and allocated memory. */
static int set_heap_moments(struct load *l, struct timeline *tl)
{
	struct source_at_record record = { 0 };
	uint32_t keys[TABLE_MAX_KEYS];
	int code = 0;

	for (size_t p = 0, i = 0; p < tl->n && !code; p++) {
		while (i < l->reader->nmoments && l->reader->moments[i].unix_ns != tl->points[p].unix_ns)
			i++;
		if (i == l->reader->nmoments)
			break;
		tl->points[p].alloc_bytes = tl->points[p].alloc_objects = 0;
		code = db__select(l->db, TABLE_SOURCE_AT, l->reader->moments[i].id, l->reader->moments[i].id, l->err);
		while (!code && (code = next(l, TABLE_SOURCE_AT, keys, &record)) == 1) {
			if (keys[1] == SOURCE_GO && record.live.measured)
				tl->points[p].live_bytes = prof_whole(record.sum.live_bytes);
			if (keys[1] == SOURCE_GO || keys[1] == SOURCE_MALLOC) {
				tl->points[p].alloc_bytes += record.sum.alloc_bytes;
				tl->points[p].alloc_objects += record.sum.alloc_objects;
			}
			code = 0;
		}
	}
	return code;
}

/* Whether the replay came to what the rows say of the end of the recording. */
static bool is_rss_whole(const struct load *l, const struct prof_row *rows)
{
	for (uint32_t i = 0; i < l->prof->nrows; i++)
		if (memcmp(l->prof->rows[i].total.rss, rows[i].total.rss, sizeof(rows[i].total.rss)) != 0)
			return false;
	return true;
}

static int read_timeline(struct load *l)
{
	struct profile *prof = l->prof;
	struct prof_row *rows;
	int code = 0;

	rows = malloc(((size_t)prof->nrows + 1) * sizeof(*rows));
	if (!rows || timeline__new(FINEST_MOMENTS_NS, &prof->timeline)) {
		free(rows);
		return out_of_memory(l->err);
	}
	memcpy(rows, prof->rows, prof->nrows * sizeof(*rows));
	for (uint32_t i = 0; i < prof->nrows; i++)
		memset(prof->rows[i].total.rss, 0, sizeof(prof->rows[i].total.rss));
	code = replay_rss(l, prof->timeline);
	if (!code && is_last(l->reader, l->window.to) && !is_rss_whole(l, rows))
		code = db__damaged(l->db, l->err, "what rows added to RSS is not the sum of what they did");
	memcpy(prof->rows, rows, prof->nrows * sizeof(*rows));
	free(rows);
	return code ? code : set_heap_moments(l, prof->timeline);
}

/* ---- states ---- */

static int read_targets(struct load *l)
{
	struct prof_target record = { 0 };
	uint32_t pid, index;
	int code = db__select(l->db, TABLE_TARGET, 0, UINT32_MAX, l->err);

	if (code)
		return code;
	while ((code = next(l, TABLE_TARGET, &pid, &record)) == 1) {
		if (l->prof->ntargets == MAX_TARGETS)
			return db__damaged(l->db, l->err, "it has too many targets");
		index = profile__add_target(l->prof, pid);
		if (index == PROF_NONE)
			return out_of_memory(l->err);
		record.pid = pid;
		record.exit_code = PROF_RUNNING;
		record.rss_marked_bytes = record.rss_now_bytes = record.rss_start_bytes;
		l->prof->targets[index] = record;
	}
	return code;
}

/* A text of the file that exporters take for ours. Lives as long as the profile. */
static const char *clean_text(struct profile *prof, const char *text)
{
	char clean[512];

	name_clean(clean, sizeof(clean), text);
	return strtab__get(prof->strs, strtab__adds(prof->strs, clean));
}

static int read_targets_at(struct load *l, uint32_t interval, bool mark)
{
	struct target_at_record record;
	uint32_t keys[TABLE_MAX_KEYS];
	int code = db__select(l->db, TABLE_TARGET_AT, interval, interval, l->err);

	if (code)
		return code;
	while ((code = next(l, TABLE_TARGET_AT, keys, &record)) == 1) {
		struct prof_target *t = profile__find_target(l->prof, keys[1]);

		if (!t)
			return db__damaged(l->db, l->err, "target %u is missing", keys[1]);
		if (mark) {
			t->rss_marked_bytes = record.rss_bytes;
			t->cpu_marked_ns = record.cpu_ns;
			continue;
		}
		t->rss_now_bytes = record.rss_bytes;
		t->cpu_ns = record.cpu_ns;
		t->exit_code = record.exit_code < PROF_EXIT_UNKNOWN ? PROF_EXIT_UNKNOWN : record.exit_code;
		t->has_go_rss = record.has_go_rss;
		t->go_rss_unknown = record.go_rss_unknown ?
					    clean_text(l->prof, strtab__get(l->prof->strs, record.go_rss_unknown)) : NULL;
		t->go_rss = record.go_rss;
	}
	return code;
}

static int read_rss_kinds_at(struct load *l, uint32_t interval, bool mark)
{
	struct prof_rss_kind record = { 0 };
	uint32_t keys[TABLE_MAX_KEYS];
	int code = db__select(l->db, TABLE_RSS_KIND_AT, interval, interval, l->err);

	if (code)
		return code;
	while ((code = db__next(l->db, TABLE_RSS_KIND_AT, keys, &record, l->err)) == 1) {
		struct prof_rss_kind *kind = &l->prof->rss_kinds[keys[1] < RSS_KIND__N ? keys[1] : 0];

		if (keys[1] >= RSS_KIND__N)
			return db__damaged(l->db, l->err, "kind %u is none", keys[1]);
		if (mark)
			kind->marked_bytes = record.now_bytes;
		else
			*kind = (struct prof_rss_kind){ record.start_bytes, record.start_bytes, record.now_bytes };
	}
	return code;
}

static bool sums_are(const struct prof_counts *a, const struct prof_counts *b)
{
	return a->alloc_objects == b->alloc_objects && a->alloc_bytes == b->alloc_bytes &&
	       a->requested_bytes == b->requested_bytes && a->free_objects == b->free_objects && a->free_bytes == b->free_bytes;
}

static int read_sources(struct load *l)
{
	struct source_at_record record = { 0 };
	struct profile *prof = l->prof;
	uint32_t keys[TABLE_MAX_KEYS];
	struct prof_counts sum;
	int code = db__select(l->db, TABLE_SOURCE_AT, l->window.to, l->window.to, l->err);

	if (code)
		return code;
	while ((code = next(l, TABLE_SOURCE_AT, keys, &record)) == 1) {
		if (keys[1] >= SOURCE__N)
			return db__damaged(l->db, l->err, "source %u is none", keys[1]);
		sum = profile__sum(prof, keys[1], WINDOW_ALL);
		if (!sums_are(&sum, &record.sum))
			return db__damaged(l->db, l->err, "the rows of source %s do not add up to its sum", source_name(keys[1]));
		prof->has_source[keys[1]] = record.captured;
		prof->live[keys[1]] = record.live;
		prof->live[keys[1]].how = clean_text(prof, strtab__get(prof->strs, record.how));
		prof->live[keys[1]].ages_known &= is_last(l->reader, l->window.to);
	}
	return code;
}

static int read_losses(struct load *l)
{
	struct loss_at_record at;
	struct loss_record record = { 0 };
	uint32_t keys[TABLE_MAX_KEYS], id;
	struct idmap losses = { 0 };
	int code = db__select(l->db, TABLE_LOSS, 0, UINT32_MAX, l->err);

	while (!code && (code = db__next(l->db, TABLE_LOSS, &id, &record, l->err)) == 1) {
		struct prof_loss *loss = profile__loss(l->prof, clean_text(l->prof, record.name), clean_text(l->prof, record.text));

		loss->is_note = record.is_note;
		code = keep(l, &losses, id, (uint32_t)(loss - l->prof->losses), PROF_MAX_LOSSES, "loss");
	}
	if (!code)
		code = db__select(l->db, TABLE_LOSS_AT, 1, l->window.to, l->err);
	while (!code && (code = db__next(l->db, TABLE_LOSS_AT, keys, &at, l->err)) == 1) {
		code = get_ref(l, &losses, "loss", &keys[1]);
		if (code)
			break;
		l->prof->losses[keys[1]].count = at.count;
		if (keys[0] <= l->window.from)
			l->prof->losses[keys[1]].marked = at.count;
	}
	idmap__free(&losses);
	return code;
}

static int read_peaks(struct load *l)
{
	struct prof_peak record = { 0 };
	uint32_t id;
	int code;

	if (!is_last(l->reader, l->window.to))
		return 0;
	code = db__select(l->db, TABLE_PEAK, 0, UINT32_MAX, l->err);
	while (!code && (code = db__next(l->db, TABLE_PEAK, &id, &record, l->err)) == 1) {
		if (id == PEAK_MALLOC)
			l->prof->peak = record;
		if (id == PEAK_RSS)
			l->prof->rss_peak = record;
		code = 0;
	}
	return code;
}

static int read_states(struct load *l)
{
	const struct reader *r = l->reader;
	struct profile *prof = l->prof;
	uint32_t from = l->window.from, to = l->window.to;
	int code = read_targets(l);

	if (!code)
		code = read_targets_at(l, to, false);
	if (!code)
		code = read_rss_kinds_at(l, to, false);
	if (!code && from != MOMENT_START)
		code = read_targets_at(l, from, true);
	if (!code && from != MOMENT_START)
		code = read_rss_kinds_at(l, from, true);
	if (!code)
		code = read_sources(l);
	if (!code)
		code = read_losses(l);
	if (!code)
		code = read_peaks(l);
	if (code)
		return code;
	snprintf(prof->kernel, sizeof(prof->kernel), "%s", r->kernel);
	prof->mode = clean_text(prof, r->mode);
	prof->has_goroutines = r->has_goroutines;
	prof->has_rss_kinds = r->has_rss_kinds;
	prof->has_touches = r->has_touches;
	prof->rss_method = r->rss_method;
	prof->start_unix_ns = r->run.start_unix_ns;
	prof->mark_unix_ns = moment_unix_ns(r, from);
	prof->now_unix_ns = moment_unix_ns(r, to);
	prof->cost = r->intervals[moment_index(r, to)].cost;
	prof->has_hugetlb = r->intervals[moment_index(r, to)].has_hugetlb;
	prof->hugetlb_bytes = r->intervals[moment_index(r, to)].hugetlb_bytes;
	if (from != MOMENT_START)
		prof->cost_marked = r->intervals[moment_index(r, from)].cost;
	return 0;
}

/* ---- how uneven the intervals are ---- */

/* What is known of a row's intervals: sums of bytes x seconds, and of bytes squared. */
struct evenness {
	double bytes, bytes_s, bytes2;
};

/* Seconds that the history under moment @index covers: since the one before that has any. */
static double covered_s(const struct reader *r, size_t index)
{
	uint64_t before = r->run.start_unix_ns;

	for (size_t i = index; i-- > 0;) {
		if (r->moments[i].has_rows) {
			before = r->moments[i].unix_ns;
			break;
		}
	}
	return r->moments[index].unix_ns > before ? (double)(r->moments[index].unix_ns - before) / 1e9 : 0;
}

static int gather_evenness(struct load *l, struct evenness *rows)
{
	int64_t values[MAX_COLUMNS];
	uint32_t interval, id, row, known = 0;
	double seconds = 0;
	int code = db__select(l->db, TABLE_ALLOC, l->window.from + 1, l->window.to, l->err);

	while (!code && (code = db__next_history(l->db, TABLE_ALLOC, &interval, &id, values, l->err)) == 1) {
		long index = interval == known ? 0 : moment_index(l->reader, interval);
		double bytes = (double)values[1];

		row = id;
		code = get_ref(l, &l->rows, "row", &row);
		if (!code && index < 0)
			code = db__damaged(l->db, l->err, "interval %u is missing", interval);
		if (code)
			return code;
		if (interval != known)
			seconds = covered_s(l->reader, (size_t)index);
		known = interval;
		rows[row].bytes += bytes;
		rows[row].bytes_s += bytes * seconds;
		rows[row].bytes2 += bytes * bytes;
	}
	return code;
}

/*
 * Each interval is taken for a draw of its own around one rate R: the variance of the sum of n of them is n/(n-1) times
 * the sum of (bytes - R seconds) squared.
 */
static int read_spread(struct load *l, double **ret)
{
	const struct reader *r = l->reader;
	double total_s = 0, total_s2 = 0, seconds, rate, *spread;
	struct evenness *rows;
	size_t n = 0;
	int code;

	*ret = NULL;
	for (size_t i = 0; i < r->nmoments; i++) {
		if (!r->moments[i].has_rows || r->moments[i].id <= l->window.from || r->moments[i].id > l->window.to)
			continue;
		seconds = covered_s(r, i);
		total_s += seconds;
		total_s2 += seconds * seconds;
		n++;
	}
	if (n < SPREAD_MIN_INTERVALS || total_s <= 0)
		return 0;
	rows = calloc((size_t)l->prof->nrows + 1, sizeof(*rows));
	spread = calloc((size_t)l->prof->nrows + 1, sizeof(*spread));
	code = rows && spread ? gather_evenness(l, rows) : out_of_memory(l->err);
	for (uint32_t i = 0; i < l->prof->nrows && !code; i++) {
		rate = rows[i].bytes / total_s;
		spread[i] = rows[i].bytes2 - 2 * rate * rows[i].bytes_s + rate * rate * total_s2;
		spread[i] = spread[i] > 0 ? spread[i] * (double)n / (double)(n - 1) : 0;
	}
	free(rows);
	if (code)
		free(spread);
	else
		*ret = spread;
	return code;
}

/* ---- */

static int read_profile(struct load *l, double **ret_spread)
{
	int (*const steps[])(struct load *) = { read_strings, read_modules,  read_locs, read_frames, read_stacks,
						read_contexts, read_rows,     read_timeline, go_back,	 mark_rows, read_touches, read_states };
	int code = 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !code; i++)
		code = steps[i](l);
	if (!code && ret_spread)
		code = read_spread(l, ret_spread);
	return code;
}

int reader__load(struct reader *reader, const struct window_ids *window, struct profile **ret, double **ret_spread,
		 struct err *err)
{
	struct load l = { .reader = reader, .db = reader->db, .window = *window, .err = err };
	struct idmap *const maps[] = { &l.strings, &l.modules, &l.locs, &l.stacks, &l.contexts, &l.rows, &l.touches };
	int code;

	if (profile__new(&l.prof))
		return out_of_memory(err);
	code = read_profile(&l, ret_spread);
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		idmap__free(maps[i]);
	if (!code && !l.prof->has_source[SOURCE_RSS]) {
		timeline__free(l.prof->timeline);
		l.prof->timeline = NULL;
	}
	if (code)
		profile__free(l.prof);
	else
		*ret = l.prof;
	return code;
}

/* ---- a line for each interval ---- */

/* What the lines are differences of. */
struct sums {
	uint64_t objects, bytes, cpu_ns, losses;
	struct prof_cost cost;
};

static int sum_sources(struct reader *r, uint32_t interval, struct sums *sums, struct reader_line *line, struct err *err)
{
	struct source_at_record record = { 0 };
	uint32_t keys[TABLE_MAX_KEYS];
	int code = db__select(r->db, TABLE_SOURCE_AT, interval, interval, err);

	while (!code && (code = db__next(r->db, TABLE_SOURCE_AT, keys, &record, err)) == 1) {
		code = 0;
		if (keys[1] != SOURCE_GO && keys[1] != SOURCE_MALLOC)
			continue;
		sums->objects += record.sum.alloc_objects;
		sums->bytes += record.sum.alloc_bytes;
		line->has_live |= record.live.measured;
		line->live_bytes += record.live.measured ? record.sum.live_bytes : 0;
	}
	return code;
}

static int sum_targets(struct reader *r, uint32_t interval, struct sums *sums, struct reader_line *line, struct err *err)
{
	struct target_at_record record;
	uint32_t keys[TABLE_MAX_KEYS];
	int code = db__select(r->db, TABLE_TARGET_AT, interval, interval, err);

	while (!code && (code = db__next(r->db, TABLE_TARGET_AT, keys, &record, err)) == 1) {
		code = 0;
		sums->cpu_ns += record.cpu_ns;
		line->rss_bytes += record.rss_bytes;
	}
	return code;
}

/* Counts of losses that are no notes; [PROF_MAX_LOSSES] is never one. */
struct losses {
	bool counts[PROF_MAX_LOSSES];
	uint64_t count[PROF_MAX_LOSSES];
};

static int read_loss_kinds(struct reader *r, struct losses *losses, struct err *err)
{
	struct loss_record record = { 0 };
	uint32_t id;
	int code = db__select(r->db, TABLE_LOSS, 0, PROF_MAX_LOSSES - 1, err);

	while (!code && (code = db__next(r->db, TABLE_LOSS, &id, &record, err)) == 1) {
		code = 0;
		losses->counts[id] = !record.is_note;
	}
	return code;
}

static int sum_losses(struct reader *r, uint32_t interval, struct losses *losses, struct sums *sums, struct err *err)
{
	struct loss_at_record record;
	uint32_t keys[TABLE_MAX_KEYS];
	int code = db__select(r->db, TABLE_LOSS_AT, interval, interval, err);

	while (!code && (code = db__next(r->db, TABLE_LOSS_AT, keys, &record, err)) == 1) {
		code = 0;
		if (keys[1] < PROF_MAX_LOSSES && losses->counts[keys[1]])
			losses->count[keys[1]] = record.count;
	}
	for (size_t i = 0; i < PROF_MAX_LOSSES; i++)
		sums->losses += losses->count[i];
	return code;
}

static uint64_t grown(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

static void set_differences(struct reader_line *line, const struct sums *now, const struct sums *before)
{
	line->alloc_objects = grown(now->objects, before->objects);
	line->alloc_bytes = grown(now->bytes, before->bytes);
	line->cpu_ns = grown(now->cpu_ns, before->cpu_ns);
	line->losses = grown(now->losses, before->losses);
	line->cost = (struct prof_cost){ grown(now->cost.hits, before->cost.hits), grown(now->cost.trap_ns, before->cost.trap_ns),
					 grown(now->cost.bpf_ns, before->cost.bpf_ns) };
}

int reader__timeline(struct reader *r, const struct window_ids *window, struct reader_line **ret, size_t *ret_n,
		     struct err *err)
{
	struct reader_line *lines = calloc(r->nmoments, sizeof(*lines));
	struct sums before = { 0 }, now;
	struct losses losses = { 0 };
	uint64_t last_ns = r->run.start_unix_ns;
	size_t n = 0;
	int code = lines ? read_loss_kinds(r, &losses, err) : out_of_memory(err);

	for (size_t i = 0; i < r->nmoments && !code; i++) {
		struct reader_line line = { .unix_ns = r->moments[i].unix_ns, .has_rows = r->moments[i].has_rows,
					    .is_kept = r->intervals[i].is_kept };
		uint32_t id = r->moments[i].id;

		if (id > window->to)
			break;
		now = (struct sums){ .cost = r->intervals[i].cost };
		code = sum_sources(r, id, &now, &line, err);
		if (!code)
			code = sum_targets(r, id, &now, &line, err);
		if (!code)
			code = sum_losses(r, id, &losses, &now, err);
		line.seconds = (double)grown(line.unix_ns, last_ns) / 1e9;
		set_differences(&line, &now, &before);
		last_ns = line.unix_ns;
		before = now;
		if (id > window->from)
			lines[n++] = line;
	}
	if (code) {
		free(lines);
		return code;
	}
	*ret = lines;
	*ret_n = n;
	return 0;
}
