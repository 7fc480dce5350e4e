// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the file has already is known by index: strings, modules, places, stacks and contexts are written when the first
 * row uses them, and never again. Of each row the totals that the file has are kept, so that an interval
 * costs no more than the rows that changed in it.
 */
#include "store/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/vec.h"
#include "store/db.h"

#define MAX_COLUMNS 64
#define FOLD_AT_ONCE 8 /* intervals that are too old before any is folded */
#define MAX_ROOM_BYTES (12u << 20)
#define MIN_INTERVALS 2 /* with a history, whatever the bound */
#define FEW_INTERVALS 60 /* with a history: the timeline is thinned before there are less */

/* Bits by index: what the file has. */
struct marks {
	uint8_t *bytes;
	size_t cap;
};

/* What the file says of a row. */
struct stored_row {
	struct prof_counts total;
	uint64_t goroutines;
	uint32_t type;
	bool is_there;
};

struct writer {
	struct db *db;
	struct writer_opts opts;
	struct run_record run;
	char host[65];
	struct marks strings, modules, locs, frames, stacks, contexts;
	struct stored_row *rows;
	size_t nrows, cap_rows;
	uint64_t *touches; /* bytes */
	size_t ntouches, cap_touches;
	uint64_t *losses; /* counts */
	size_t nlosses, cap_losses;
	uint32_t nintervals;
	uint64_t keep_until_ns;
	bool failed;
};

static int out_of_memory(struct err *err)
{
	return err_set(err, FAIL_GENERAL, -ENOMEM, "out of memory");
}

/* Sets the mark of @index; *ret_new: it was not set. */
static int mark(struct marks *marks, uint32_t index, bool *ret_new)
{
	size_t byte = index / 8, had = marks->cap;

	if (vec_reserve((void **)&marks->bytes, &marks->cap, byte + 1, 1))
		return -ENOMEM;
	if (marks->cap > had)
		memset(marks->bytes + had, 0, marks->cap - had);
	*ret_new = !(marks->bytes[byte] >> index % 8 & 1);
	marks->bytes[byte] |= (uint8_t)(1u << index % 8);
	return 0;
}

/* ---- the dictionary ---- */

static int put_string(struct writer *w, const struct profile *prof, uint32_t id, struct err *err)
{
	const struct text_record record = { strtab__get(prof->strs, id) };
	bool is_new = false;

	if (!id)
		return 0;
	if (mark(&w->strings, id, &is_new))
		return out_of_memory(err);
	return is_new ? db__put(w->db, TABLE_STRING, &id, &record, err) : 0;
}

/* A record with the strings that it names. */
static int put(struct writer *w, const struct profile *prof, enum table_id table, const uint32_t *keys, const void *record,
	       struct err *err)
{
	const struct table *t = &store_tables[table];
	int code = 0;

	for (size_t i = 0; i < t->ncolumns && !code; i++)
		if (t->columns[i].kind == COLUMN_STRING)
			code = put_string(w, prof, *(const uint32_t *)((const char *)record + t->columns[i].offset), err);
	return code ? code : db__put(w->db, table, keys, record, err);
}

static int put_module(struct writer *w, const struct profile *prof, uint32_t module, struct err *err)
{
	bool is_new = false;

	if (module == PROF_NONE)
		return 0;
	if (mark(&w->modules, module, &is_new))
		return out_of_memory(err);
	return is_new ? put(w, prof, TABLE_MODULE, &module, &prof->modules[module], err) : 0;
}

static int put_loc(struct writer *w, const struct profile *prof, uint32_t loc, struct err *err)
{
	bool is_new = false, has_new_frames = false;
	const struct prof_loc *l;
	int code = 0;

	if (loc == PROF_NONE)
		return 0;
	l = &prof->locs[loc];
	if (mark(&w->locs, loc, &is_new) || (l->nframes && mark(&w->frames, loc, &has_new_frames)))
		return out_of_memory(err);
	if (is_new)
		code = put_module(w, prof, l->module, err);
	if (is_new && !code)
		code = put(w, prof, TABLE_LOC, &loc, l, err);
	for (uint32_t i = 0; has_new_frames && i < l->nframes && !code; i++)
		code = put(w, prof, TABLE_FRAME, (uint32_t[]){ loc, i }, &prof->frames[l->first_frame + i], err);
	return code;
}

static int put_stack(struct writer *w, const struct profile *prof, uint32_t stack, struct err *err)
{
	const struct prof_stack *s = &prof->stacks[stack];
	bool is_new = false;
	int code;

	if (mark(&w->stacks, stack, &is_new))
		return out_of_memory(err);
	if (!is_new)
		return 0;
	code = put(w, prof, TABLE_STACK, &stack, s, err);
	for (uint32_t i = 0; i < s->nlocs && !code; i++) {
		const struct stack_loc_record record = { prof->stack_locs[s->first + i] };

		code = put_loc(w, prof, record.loc, err);
		if (!code)
			code = put(w, prof, TABLE_STACK_LOC, (uint32_t[]){ stack, i }, &record, err);
	}
	return code;
}

static int put_context(struct writer *w, const struct profile *prof, uint32_t context, struct err *err)
{
	const struct prof_context *c = &prof->contexts[context];
	struct context_record record = { .typing = c->typing, .type_module = PROF_NONE, .creator = c->creator, .labels = c->labels };
	bool is_new = false;
	int code;

	if (mark(&w->contexts, context, &is_new))
		return out_of_memory(err);
	if (!is_new)
		return 0;
	if (c->typing == TYPING_KIND) {
		record.kind = (uint32_t)c->type_vaddr;
	} else if (c->typing == TYPING_KNOWN) {
		record.type_module = c->type_module;
		record.type_vaddr = c->type_vaddr;
	}
	code = put_module(w, prof, record.type_module, err);
	if (!code)
		code = put_loc(w, prof, c->creator, err);
	return code ? code : put(w, prof, TABLE_CONTEXT, &context, &record, err);
}

/* ---- an interval ---- */

/* The number of a column of a history, whole. */
static int64_t whole(const struct column *column, const void *record)
{
	const char *p = (const char *)record + column->offset;

	return column->kind == COLUMN_REAL ? prof_signed(*(const double *)p) : *(const int64_t *)p;
}

static int put_history(struct writer *w, enum table_id table, uint32_t interval, uint32_t row, const void *now,
		       const void *before, struct err *err)
{
	const struct table *t = &store_tables[table];
	int64_t grown[MAX_COLUMNS], any = 0;

	for (size_t i = 0; i < t->ncolumns; i++) {
		grown[i] = whole(&t->columns[i], now) - whole(&t->columns[i], before);
		any |= grown[i];
	}
	return any ? db__put_history(w->db, table, interval, row, grown, err) : 0;
}

static int put_row(struct writer *w, const struct profile *prof, uint32_t interval, uint32_t index, struct err *err)
{
	const struct prof_row *row = &prof->rows[index];
	struct stored_row *stored = &w->rows[index];
	const struct prof_row before = { .total = stored->total, .goroutines = stored->goroutines };
	int code;

	if (memcmp(&row->total, &stored->total, sizeof(row->total)) == 0 && row->goroutines == stored->goroutines &&
	    row->type == stored->type && (stored->is_there || row->touches == PROF_NONE))
		return 0; /* a touch needs its row, even one that has nothing yet */
	code = put_stack(w, prof, row->stack, err);
	if (!code)
		code = put_context(w, prof, row->context, err);
	if (!code)
		code = put(w, prof, TABLE_ROW, &index, row, err);
	for (int table = TABLE_HISTORY_FIRST; table < TABLE_ROW_HISTORY_END && !code; table++)
		code = put_history(w, table, interval, index, row, &before, err);
	*stored = (struct stored_row){ row->total, row->goroutines, row->type, true };
	return code;
}

static int put_rows(struct writer *w, const struct profile *prof, uint32_t interval, struct err *err)
{
	int code = 0;

	if (prof->nrows > 1u << HISTORY_ROW_BITS || prof->ntouches > 1u << HISTORY_ROW_BITS)
		return err_set(err, FAIL_GENERAL, -ERANGE, "cannot write %s: too many rows", db__path(w->db));
	if (vec_reserve((void **)&w->rows, &w->cap_rows, prof->nrows, sizeof(*w->rows)))
		return out_of_memory(err);
	if (prof->nrows > w->nrows)
		memset(&w->rows[w->nrows], 0, (prof->nrows - w->nrows) * sizeof(*w->rows));
	w->nrows = prof->nrows;
	for (uint32_t i = 0; i < prof->nrows && !code; i++)
		code = put_row(w, prof, interval, i, err);
	return code;
}

static int put_touch(struct writer *w, const struct profile *prof, uint32_t interval, uint32_t row, uint32_t index, struct err *err)
{
	const struct touch_record record = { row, prof->touches[index] };
	const struct prof_touch before = { .bytes = w->touches[index] };
	int code;

	if (record.touch.bytes == before.bytes)
		return 0;
	code = put_stack(w, prof, record.touch.stack, err);
	if (!code)
		code = put(w, prof, TABLE_TOUCH, &index, &record, err);
	w->touches[index] = record.touch.bytes;
	return code ? code : put_history(w, TABLE_TOUCHED, interval, index, &record.touch, &before, err);
}

/* By their rows, which they do not name. */
static int put_touches(struct writer *w, const struct profile *prof, uint32_t interval, struct err *err)
{
	int code = 0;

	if (vec_reserve((void **)&w->touches, &w->cap_touches, prof->ntouches, sizeof(*w->touches)))
		return out_of_memory(err);
	if (prof->ntouches > w->ntouches)
		memset(&w->touches[w->ntouches], 0, (prof->ntouches - w->ntouches) * sizeof(*w->touches));
	w->ntouches = prof->ntouches;
	for (uint32_t row = 0; row < prof->nrows && !code; row++)
		for (uint32_t i = prof->rows[row].touches; i != PROF_NONE && !code; i = prof->touches[i].next)
			code = put_touch(w, prof, interval, row, i, err);
	return code;
}

static int put_targets(struct writer *w, const struct profile *prof, uint32_t interval, struct err *err)
{
	int code = 0;

	for (uint32_t i = 0; i < prof->ntargets && !code; i++) {
		const struct prof_target *t = &prof->targets[i];
		const struct target_at_record at = {
			.rss_bytes = t->rss_now_bytes,
			.cpu_ns = t->cpu_ns,
			.exit_code = t->exit_code,
			.has_go_rss = t->has_go_rss,
			.go_rss_unknown = t->go_rss_unknown ? strtab__adds(prof->strs, t->go_rss_unknown) : 0,
			.go_rss = t->go_rss,
		};

		code = put(w, prof, TABLE_TARGET, &t->pid, t, err);
		if (!code)
			code = put(w, prof, TABLE_TARGET_AT, (uint32_t[]){ interval, t->pid }, &at, err);
	}
	for (uint32_t k = 0; k < RSS_KIND__N && prof->has_rss_kinds && !code; k++)
		code = put(w, prof, TABLE_RSS_KIND_AT, (uint32_t[]){ interval, k }, &prof->rss_kinds[k], err);
	return code;
}

static int put_sources(struct writer *w, const struct profile *prof, uint32_t interval, struct err *err)
{
	int code = 0;

	for (uint32_t s = 0; s < SOURCE__N && !code; s++) {
		const struct prof_live *live = &prof->live[s];
		const struct source_at_record record = {
			.captured = prof->has_source[s],
			.sum = profile__sum(prof, s, WINDOW_ALL),
			.live = *live,
			.how = live->how ? strtab__adds(prof->strs, live->how) : 0,
		};

		if (record.captured)
			code = put(w, prof, TABLE_SOURCE_AT, (uint32_t[]){ interval, s }, &record, err);
	}
	return code;
}

static int put_losses(struct writer *w, const struct profile *prof, uint32_t interval, struct err *err)
{
	int code = 0;

	if (vec_reserve((void **)&w->losses, &w->cap_losses, prof->nlosses, sizeof(*w->losses)))
		return out_of_memory(err);
	for (uint32_t i = 0; i < prof->nlosses && !code; i++) {
		const struct prof_loss *loss = &prof->losses[i];
		const struct loss_record record = { loss->name, loss->text, loss->is_note };
		const struct loss_at_record at = { loss->count };
		bool is_new = i >= w->nlosses;

		if (is_new) {
			code = put(w, prof, TABLE_LOSS, &i, &record, err);
			w->losses[i] = 0;
			w->nlosses = i + 1;
		}
		if (!code && loss->count != w->losses[i])
			code = put(w, prof, TABLE_LOSS_AT, (uint32_t[]){ interval, i }, &at, err);
		w->losses[i] = loss->count;
	}
	return code;
}

static int put_peaks(struct writer *w, const struct profile *prof, struct err *err)
{
	const struct prof_peak *const peaks[PEAK__N] = { [PEAK_MALLOC] = &prof->peak, [PEAK_RSS] = &prof->rss_peak };
	int code = 0;

	for (uint32_t i = 0; i < PEAK__N && !code; i++)
		code = put(w, prof, TABLE_PEAK, &i, peaks[i], err);
	return code;
}

static int put_run(struct writer *w, struct err *err)
{
	return db__put(w->db, TABLE_RUN, (uint32_t[]){ 1 }, &w->run, err);
}

/* The history within reach of a moment that is kept. */
static int keep_before(struct writer *w, uint64_t unix_ns, struct err *err)
{
	char sql[160];

	snprintf(sql, sizeof(sql), "UPDATE interval SET is_kept = 1 WHERE has_rows AND unix_ns >= %" PRIu64, unix_ns);
	return db__exec(w->db, sql, err);
}

static int put_interval(struct writer *w, struct profile *prof, uint32_t id, bool keep, struct err *err)
{
	uint64_t now = prof->now_unix_ns, around = w->opts.around_ns;
	struct interval_record record = { .unix_ns = now, .cost = prof->cost, .has_rows = true,
					   .has_hugetlb = prof->has_hugetlb, .hugetlb_bytes = prof->hugetlb_bytes };
	int code = 0;

	if (keep) {
		w->keep_until_ns = now + around;
		code = keep_before(w, now > around ? now - around : 0, err);
	}
	record.is_kept = now <= w->keep_until_ns;
	if (!code)
		code = db__put(w->db, TABLE_INTERVAL, &id, &record, err);
	if (!code)
		code = put_rows(w, prof, id, err);
	if (!code)
		code = put_touches(w, prof, id, err);
	if (!code)
		code = put_targets(w, prof, id, err);
	if (!code)
		code = put_sources(w, prof, id, err);
	if (!code)
		code = put_losses(w, prof, id, err);
	if (!code)
		code = put_peaks(w, prof, err);
	w->run.kernel = prof->kernel;
	w->run.mode = prof->mode;
	w->run.start_unix_ns = prof->start_unix_ns;
	w->run.has_goroutines = prof->has_goroutines;
	w->run.has_rss_kinds = prof->has_rss_kinds;
	w->run.has_touches = prof->has_touches;
	w->run.rss_method = prof->rss_method;
	return code ? code : put_run(w, err);
}

/* ---- the bound ---- */

/* The history of intervals @low to @high becomes that of @high. */
static int fold_table(struct writer *w, const struct table *t, uint32_t low, uint32_t high, struct err *err)
{
	int64_t first = HISTORY_AT(low, 0), last = HISTORY_AT((uint64_t)high + 1, 0) - 1;
	char *sql = NULL;
	size_t len;
	FILE *out = open_memstream(&sql, &len);
	int code;

	if (!out)
		return out_of_memory(err);
	fprintf(out, "CREATE TEMP TABLE folded AS SELECT at & %d AS row", (1 << HISTORY_ROW_BITS) - 1);
	for (size_t i = 0; i < t->ncolumns; i++)
		fprintf(out, ", sum(%s) AS %s", t->columns[i].name, t->columns[i].name);
	fprintf(out, " FROM main.%s_history WHERE at BETWEEN %" PRId64 " AND %" PRId64 " GROUP BY 1;"
		" DELETE FROM main.%s_history WHERE at BETWEEN %" PRId64 " AND %" PRId64 ";"
		" INSERT INTO main.%s_history SELECT %" PRId64 " | row", t->name, first, last, t->name, first, last, t->name,
		HISTORY_AT(high, 0));
	for (size_t i = 0; i < t->ncolumns; i++)
		fprintf(out, ", %s", t->columns[i].name);
	fputs(" FROM folded ORDER BY 1; DROP TABLE folded", out);
	code = fclose(out) ? out_of_memory(err) : db__exec(w->db, sql, err);
	free(sql);
	return code;
}

static int fold(struct writer *w, uint32_t low, uint32_t high, struct err *err)
{
	char sql[160];
	int code = db__exec(w->db, "BEGIN IMMEDIATE", err);

	for (int table = TABLE_HISTORY_FIRST; table < TABLE__N && !code; table++)
		code = fold_table(w, &store_tables[table], low, high, err);
	snprintf(sql, sizeof(sql), "UPDATE interval SET has_rows = 0 WHERE id >= %u AND id < %u", low, high);
	if (!code)
		code = db__exec(w->db, sql, err);
	return code ? code : db__exec(w->db, "COMMIT", err);
}

/* Bytes of the file that are in use. */
static int used_bytes(struct writer *w, uint64_t *ret, struct err *err)
{
	uint64_t pages, spare = 0, page_bytes = 0;
	int code = db__number(w->db, "PRAGMA page_count", &pages, err);

	if (!code)
		code = db__number(w->db, "PRAGMA freelist_count", &spare, err);
	if (!code)
		code = db__number(w->db, "PRAGMA page_size", &page_bytes, err);
	if (!code)
		*ret = (pages - spare) * page_bytes;
	return code;
}

/* The id of interval number @nr of those for which @which holds. */
static int nth_interval(struct writer *w, const char *which, uint64_t nr, uint32_t *ret, struct err *err)
{
	uint64_t id = 0;
	char sql[160];
	int code;

	snprintf(sql, sizeof(sql), "SELECT id FROM interval WHERE %s ORDER BY id LIMIT 1 OFFSET %" PRIu64, which, nr);
	code = db__number(w->db, sql, &id, err);
	*ret = (uint32_t)id;
	return code;
}

static int fold_oldest(struct writer *w, uint64_t n, struct err *err)
{
	uint32_t low = 0, high = 0;
	int code = nth_interval(w, "has_rows", 0, &low, err);

	if (!code)
		code = nth_interval(w, "has_rows", n / 4 > 1 ? n / 4 : 1, &high, err);
	return code ? code : fold(w, low, high, err);
}

/* Of intervals without a history, the oldest half of @n. What losses there were stays: it is told when it changes. */
static int drop_oldest(struct writer *w, uint64_t n, struct err *err)
{
	static const enum table_id tables[] = { TABLE_TARGET_AT, TABLE_RSS_KIND_AT, TABLE_SOURCE_AT };
	uint32_t last = 0;
	char sql[200];
	int code = nth_interval(w, "NOT has_rows", n / 2, &last, err);

	if (!code)
		code = db__exec(w->db, "BEGIN IMMEDIATE", err);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && !code; i++) {
		snprintf(sql, sizeof(sql),
			 "DELETE FROM %s WHERE interval <= %u AND interval IN (SELECT id FROM interval WHERE NOT has_rows)",
			 store_tables[tables[i]].name, last);
		code = db__exec(w->db, sql, err);
	}
	snprintf(sql, sizeof(sql), "DELETE FROM interval WHERE id <= %u AND NOT has_rows", last);
	if (!code)
		code = db__exec(w->db, sql, err);
	return code ? code : db__exec(w->db, "COMMIT", err);
}

/*
 * Room for what is to come, a quarter of the bound, or enough for thousands of new stacks. First the history of the oldest quarter of the intervals that have
 * one becomes that of one; when few are left, the oldest lines of the timeline go; then the rest of the histories.
 */
static int make_room(struct writer *w, struct err *err)
{
	uint64_t used = 0, histories = 0, bare = 0, limit = w->opts.max_bytes;
	uint64_t room = limit / 4 < MAX_ROOM_BYTES ? limit / 4 : MAX_ROOM_BYTES;
	int code;

	for (;;) {
		code = used_bytes(w, &used, err);
		if (code || used < limit - room)
			return code;
		code = db__number(w->db, "SELECT count(*) FROM interval WHERE has_rows", &histories, err);
		if (!code)
			code = db__number(w->db, "SELECT count(*) FROM interval WHERE NOT has_rows", &bare, err);
		if (code || (!bare && histories <= MIN_INTERVALS))
			return code;
		if (histories > FEW_INTERVALS || !bare)
			code = fold_oldest(w, histories, err);
		else
			code = drop_oldest(w, bare, err);
		if (code)
			return code;
	}
}

/* What is older than the window before a condition, and not kept: up to the next that is kept, one interval. */
static int forget_old(struct writer *w, uint64_t now_unix_ns, struct err *err)
{
	uint64_t n, low, high, before = now_unix_ns > w->opts.around_ns ? now_unix_ns - w->opts.around_ns : 0;
	char old[200], sql[300];
	int code;

	/* Behind the last that is kept: before it, what was to be folded has been. */
	snprintf(old, sizeof(old),
		 "FROM interval WHERE has_rows AND NOT is_kept AND unix_ns < %" PRIu64
		 " AND id > (SELECT ifnull(max(id), 0) FROM interval WHERE is_kept)", before);
	snprintf(sql, sizeof(sql), "SELECT count(*) %s", old);
	code = db__number(w->db, sql, &n, err);
	if (code || n < FOLD_AT_ONCE)
		return code;
	snprintf(sql, sizeof(sql), "SELECT min(id) %s", old);
	code = db__number(w->db, sql, &low, err);
	snprintf(sql, sizeof(sql), "SELECT max(id) %s", old);
	if (!code)
		code = db__number(w->db, sql, &high, err);
	return code ? code : fold(w, (uint32_t)low, (uint32_t)high, err);
}

/* ---- the writer ---- */

static int put_names(struct writer *w, struct err *err)
{
	static const char *const kinds[RSS_KIND__N] = {
		[RSS_FILE] = "file", [RSS_ANON] = "anon", [RSS_SWAP] = "swap", [RSS_SHMEM] = "shmem"
	};
	struct text_record record;
	int code = db__exec(w->db, "BEGIN IMMEDIATE", err);

	for (uint32_t s = 0; s < SOURCE__N && !code; s++) {
		record.text = source_name(s);
		code = db__put(w->db, TABLE_SOURCE, &s, &record, err);
	}
	for (uint32_t k = 0; k < RSS_KIND__N && !code; k++) {
		record.text = kinds[k];
		code = db__put(w->db, TABLE_RSS_KIND, &k, &record, err);
	}
	return code ? code : db__exec(w->db, "COMMIT", err);
}

static int set_bound(struct writer *w, struct err *err)
{
	uint64_t page_bytes;
	char sql[80];
	int code;

	if (!w->opts.max_bytes)
		return 0;
	code = db__number(w->db, "PRAGMA page_size", &page_bytes, err);
	if (code)
		return code;
	snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %" PRIu64, w->opts.max_bytes / page_bytes);
	return db__exec(w->db, sql, err);
}

int writer__new(const char *path, const struct writer_opts *opts, struct writer **ret, struct err *err)
{
	struct writer *w = calloc(1, sizeof(*w));
	int code;

	if (!w)
		return out_of_memory(err);
	w->opts = *opts;
	if (gethostname(w->host, sizeof(w->host) - 1))
		w->host[0] = 0;
	w->run = (struct run_record){ .tool = opts->tool, .kernel = "", .mode = "", .host = w->host, .when = opts->when,
				      .ending = "", .interval_ns = opts->interval_ns };
	code = db__create(path, &w->db, err);
	if (!code)
		code = set_bound(w, err);
	if (!code)
		code = put_names(w, err);
	if (code) {
		writer__free(w);
		return code;
	}
	*ret = w;
	return 0;
}

static int append(struct writer *w, struct profile *prof, bool keep, struct err *err)
{
	int code = db__exec(w->db, "BEGIN IMMEDIATE", err);

	if (!code)
		code = put_interval(w, prof, w->nintervals + 1, keep, err);
	if (!code)
		code = db__exec(w->db, "COMMIT", err);
	if (code)
		return code;
	w->nintervals++;
	if (w->opts.around_ns)
		code = forget_old(w, prof->now_unix_ns, err);
	if (!code && w->opts.max_bytes)
		code = make_room(w, err);
	/* Into the file itself, as far as no reader is in the way. */
	return code ? code : db__exec(w->db, "PRAGMA wal_checkpoint(PASSIVE)", err);
}

int writer__append(struct writer *w, struct profile *prof, bool keep, struct err *err)
{
	int code = append(w, prof, keep, err);

	if (code) {
		w->failed = true;
		db__exec(w->db, "ROLLBACK", NULL);
	}
	return code;
}

int writer__end(struct writer *w, const char *ending, uint64_t unix_ns, struct err *err)
{
	w->run.ending = ending;
	w->run.end_unix_ns = unix_ns;
	return put_run(w, err);
}

static void remove_file(struct db *db)
{
	char *path = strdup(db__path(db));

	db__free(db);
	if (path)
		unlink(path);
	free(path);
}

void writer__free(struct writer *w)
{
	if (!w)
		return;
	if (w->db && !w->nintervals && !w->failed)
		remove_file(w->db);
	else
		db__free(w->db);
	struct marks *const all[] = { &w->strings, &w->modules, &w->locs, &w->frames, &w->stacks, &w->contexts };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		free(all[i]->bytes);
	free(w->rows);
	free(w->touches);
	free(w->losses);
	free(w);
}
