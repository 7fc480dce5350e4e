// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Recordings: what is written is read, as JSON has it (every field of it, in one comparison); windows are what the
 * profile's own marks say; folding keeps sums; a damaged file is an error, never a crash.
 */
#include "store/reader.h"
#include "store/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export/export.h"
#include "made_profile.h"
#include "test.h"

#define STEPS 12

/* In memory where there is such a place: thousands of intervals are synced. */
static char dir[] = "/dev/shm/test_store.XXXXXX", other_dir[] = "/tmp/test_store.XXXXXX";
static char path[64];

static const char *make_path(void)
{
	if (!*path) {
		if (!mkdtemp(dir) && !mkdtemp(strcpy(dir, other_dir)))
			abort();
		snprintf(path, sizeof(path), "%s/run.db", dir);
	}
	return path;
}

static void remove_all(void)
{
	char cmd[96];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	if (*path && system(cmd))
		perror(dir);
}

static char *format_profile(const char *format, const struct profile *prof, enum window window)
{
	const struct export_opts opts = { .tool = "test", .window = window, .top = 100, .width = 100, .verbose = true };
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	CHECK_INT(exporter_by_name(format)->write(prof, &opts, out), 0);
	fclose(out);
	return text;
}

/* Says where two documents part. */
static void check_same(const char *got, const char *want)
{
	size_t i = 0;

	while (got[i] && got[i] == want[i])
		i++;
	if (!CHECK(got[i] == want[i]))
		fprintf(stderr, "  got  ...%.160s\n  want ...%.160s\n", got + (i > 60 ? i - 60 : 0), want + (i > 60 ? i - 60 : 0));
}

static const struct writer_opts plain = { .tool = "test", .when = "" };

static struct writer *new_writer(const struct writer_opts *opts)
{
	struct err err = { 0 };
	struct writer *w = NULL;

	if (!CHECK_INT(writer__new(make_path(), opts, &w, &err), 0)) {
		fprintf(stderr, "  %s\n", err.msg);
		abort();
	}
	return w;
}

static void append(struct writer *w, struct profile *p, bool keep)
{
	struct err err = { 0 };

	if (!CHECK_INT(writer__append(w, p, keep, &err), 0))
		fprintf(stderr, "  %s\n", err.msg);
}

/* A recording of STEPS intervals; the profile at its end. */
static struct profile *record(const struct writer_opts *opts, uint32_t steps)
{
	struct writer *w = new_writer(opts);
	struct profile *p = made_profile();
	struct err err = { 0 };

	for (uint32_t k = 1; k <= steps; k++) {
		made_step(p, k);
		append(w, p, false);
	}
	CHECK_INT(writer__end(w, "the test\033[31m ended", p->now_unix_ns, &err), 0);
	writer__free(w);
	return p;
}

static struct reader *open_reader(void)
{
	struct reader *r = NULL;
	struct err err = { 0 };

	if (!CHECK_INT(reader__open(make_path(), &r, &err), 0))
		fprintf(stderr, "  %s\n", err.msg);
	return r;
}

static struct profile *load(struct reader *r, uint32_t from, uint32_t to, double **spread)
{
	const struct window_ids ids = { from, to };
	struct profile *p = NULL;
	struct err err = { 0 };

	if (!CHECK_INT(reader__load(r, &ids, &p, spread, &err), 0))
		fprintf(stderr, "  %s\n", err.msg);
	return p;
}

static uint64_t number(const char *sql)
{
	sqlite3_stmt *stmt;
	uint64_t n = UINT64_MAX;
	sqlite3 *db;

	if (CHECK_INT(sqlite3_open_v2(make_path(), &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK) &&
	    CHECK_INT(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK)) {
		if (sqlite3_step(stmt) == SQLITE_ROW)
			n = (uint64_t)sqlite3_column_int64(stmt, 0);
		sqlite3_finalize(stmt);
	}
	sqlite3_close(db);
	return n;
}

static void change(const char *sql)
{
	sqlite3 *db;

	CHECK_INT(sqlite3_open_v2(make_path(), &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	if (!CHECK_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK))
		fprintf(stderr, "  %s: %s\n", sql, sqlite3_errmsg(db));
	sqlite3_close(db);
}

TEST(whole_run)
{
	static const char *const formats[] = { "json", "folded", "text" };
	struct profile *want = record(&plain, STEPS), *got;
	struct reader *r = open_reader();

	got = load(r, MOMENT_START, STEPS, NULL);
	for (size_t i = 0; i < 3 && got; i++) {
		char *a = format_profile(formats[i], got, WINDOW_ALL), *b = format_profile(formats[i], want, WINDOW_ALL);

		check_same(a, b);
		CHECK(strlen(b) > 200);
		free(a);
		free(b);
	}
	CHECK_STR(reader__run(r)->ending, "the test?[31m ended");
	CHECK_INT(reader__run(r)->end_unix_ns, want->now_unix_ns);
	profile__free(got);
	reader__free(r);
	profile__free(want);
}

/* The same as marking at the begin and looking at the end. States that only the end has are left out of both. */
static void check_window(struct reader *r, uint32_t from, uint32_t to)
{
	struct profile *want = made_profile(), *got = load(r, from, to, NULL);
	char *a, *b;

	for (uint32_t k = 1; k <= to; k++) {
		made_step(want, k);
		if (k == from)
			profile__mark(want);
	}
	if (to != STEPS) {
		want->peak.measured = want->rss_peak.measured = want->live[SOURCE_MALLOC].ages_known = false;
		want->peak = want->rss_peak = (struct prof_peak){ 0 };
		for (uint32_t i = 0; i < want->nrows; i++) {
			struct prof_counts *c = &want->rows[i].total;

			c->peak_objects = c->peak_bytes = 0;
			c->peak_rss_bytes = 0;
			/* Whole numbers are all that is known. */
			c->live_objects = (double)prof_signed(c->live_objects);
			c->live_bytes = (double)prof_signed(c->live_bytes);
			c->live_objects_var = (double)prof_signed(c->live_objects_var);
			c->live_bytes_var = (double)prof_signed(c->live_bytes_var);
		}
	}
	for (uint32_t i = 0; i < want->nrows; i++) /* no rows of later */
		want->rows[i].marked.live_bytes = (double)prof_signed(want->rows[i].marked.live_bytes);
	a = format_profile("json", got, WINDOW_INTERVAL);
	b = format_profile("json", want, WINDOW_INTERVAL);
	check_same(a, b);
	free(a);
	free(b);
	profile__free(got);
	profile__free(want);
}

TEST(windows)
{
	struct profile *p = record(&plain, STEPS);
	struct reader *r = open_reader();

	check_window(r, 3, 7);
	check_window(r, MOMENT_START, 5);
	check_window(r, 11, 12);
	check_window(r, 5, 12);
	reader__free(r);
	profile__free(p);
}

/* While it is written: the last whole interval, whatever the writer does. */
TEST(read_while_written)
{
	struct writer *w = new_writer(&plain);
	struct profile *p = made_profile(), *got;
	struct reader *r, *late;
	char *a, *b;

	made_step(p, 1);
	append(w, p, false);
	r = open_reader();
	a = format_profile("json", p, WINDOW_ALL);
	made_step(p, 2);
	append(w, p, false); /* not held up by the reader */
	got = load(r, MOMENT_START, 1, NULL);
	b = format_profile("json", got, WINDOW_ALL);
	check_same(b, a);
	late = open_reader();
	profile__free(got);
	got = load(late, MOMENT_START, 2, NULL);
	CHECK_INT(got->rows[0].total.alloc_bytes, p->rows[0].total.alloc_bytes);
	CHECK_INT(reader__run(late)->end_unix_ns, 0);
	free(a);
	free(b);
	profile__free(got);
	reader__free(r);
	reader__free(late);
	writer__free(w);
	profile__free(p);
}

/* With a bound the oldest become one, and all that is known of the whole is as without. */
TEST(bound)
{
	const struct writer_opts bounded = { .tool = "test", .when = "", .max_bytes = WRITER_MIN_MAX_BYTES };
	uint32_t steps = 3000, cut;
	struct profile *want = record(&bounded, steps), *got;
	struct reader *r = open_reader();
	struct stat st;
	char *a, *b;

	CHECK(stat(make_path(), &st) == 0 && st.st_size <= WRITER_MIN_MAX_BYTES);
	CHECK(number("SELECT count(*) FROM interval") < steps);
	cut = (uint32_t)number("SELECT min(id) FROM interval WHERE has_rows");
	CHECK(cut > 100 && cut < steps);
	CHECK_INT(number("SELECT count(*) FROM row r WHERE r.alloc_bytes != (SELECT ifnull(sum(bytes), 0) FROM alloc WHERE row = r.id)"), 0);
	CHECK_INT(number("SELECT count(*) FROM alloc WHERE interval NOT IN (SELECT id FROM interval WHERE has_rows)"), 0);
	got = load(r, MOMENT_START, steps, NULL);
	/* Its moments are cut otherwise than those that came one by one. */
	timeline__free(want->timeline);
	timeline__free(got->timeline);
	want->timeline = got->timeline = NULL;
	a = format_profile("json", got, WINDOW_ALL);
	b = format_profile("json", want, WINDOW_ALL);
	check_same(a, b);
	free(a);
	free(b);
	profile__free(got);
	reader__free(r);
	profile__free(want);
}

TEST(bound_too_small)
{
	const struct writer_opts tiny = { .tool = "test", .when = "", .max_bytes = WRITER_MIN_MAX_BYTES };
	struct writer *w = new_writer(&tiny);
	struct profile *p = made_profile(), *got = NULL;
	struct err err = { 0 };
	struct reader *r;
	uint32_t loc;
	char name[300];

	made_step(p, 1);
	append(w, p, false);
	/* More names than there is room for. */
	for (uint32_t i = 0; i < 5000; i++) {
		struct prof_frame frame = { .line = i };

		snprintf(name, sizeof(name), "%0280u", i);
		frame.func = made_str(p, name);
		loc = profile__add_loc(p, PROF_NONE, i + 1000000, i);
		profile__set_frames(p, loc, &frame, 1);
		loc = profile__add_row(p, MADE_PID, SOURCE_GO, 0, profile__add_stack(p, &loc, 1, 0));
		p->rows[loc].total.alloc_bytes = 1;
	}
	CHECK_INT(writer__append(w, p, false, &err), -ENOSPC);
	CHECK(strstr(err.msg, "--max-file"));
	writer__free(w);
	r = open_reader();
	got = load(r, MOMENT_START, 1, NULL);
	CHECK(got && got->nrows < 100);
	profile__free(got);
	reader__free(r);
	profile__free(p);
}

/* Rows stay by interval around a moment that is kept, and at the end; the rest becomes one. */
TEST(around)
{
	const struct writer_opts opts = { .tool = "test", .when = "rss>1", .around_ns = 5 * MADE_STEP_NS };
	struct writer *w = new_writer(&opts);
	struct profile *p = made_profile();

	for (uint32_t k = 1; k <= 100; k++) {
		made_step(p, k);
		append(w, p, k == 50);
	}
	writer__free(w);
	CHECK_INT(number("SELECT min(id) FROM interval WHERE is_kept"), 45);
	CHECK_INT(number("SELECT max(id) FROM interval WHERE is_kept"), 55);
	CHECK_INT(number("SELECT count(*) FROM interval WHERE is_kept AND has_rows"), 11);
	CHECK_INT(number("SELECT count(*) FROM interval WHERE has_rows AND id > 95"), 5);
	CHECK(number("SELECT count(*) FROM interval WHERE has_rows") < 11 + 6 + 2 * 9);
	CHECK_INT(number("SELECT count(*) FROM row r WHERE r.alloc_bytes != (SELECT ifnull(sum(bytes), 0) FROM alloc WHERE row = r.id)"), 0);
	profile__free(p);
}

/* One row at an even pace, one that jumps. */
TEST(spread)
{
	static const uint64_t jumps[] = { 0, 400, 0, 0, 400, 0, 0, 200 };
	struct writer *w = new_writer(&plain);
	struct profile *p = made_profile(), *got;
	uint32_t even = profile__add_row(p, MADE_PID, SOURCE_GO, 0, made_stack(p, PROF_NONE, 1));
	uint32_t odd = profile__add_row(p, MADE_PID, SOURCE_GO, 0, made_stack(p, PROF_NONE, 2));
	struct reader *r;
	double *spread = NULL;

	for (uint32_t k = 0; k < 8; k++) {
		p->now_unix_ns += MADE_STEP_NS;
		p->rows[even].total.alloc_bytes += 100;
		p->rows[odd].total.alloc_bytes += jumps[k];
		append(w, p, false);
	}
	writer__free(w);
	r = open_reader();
	got = load(r, MOMENT_START, 8, &spread);
	CHECK(spread && spread[0] < 1e-6);
	/* n / (n - 1) * sum (x - mean)^2: mean 125; 5 * 125^2 + 2 * 275^2 + 75^2 = 235000, * 8 / 7 */
	CHECK(spread && spread[1] > 268571 - 1 && spread[1] < 268572 + 1);
	free(spread);
	profile__free(got);
	got = load(r, 5, 8, &spread);
	CHECK(!spread); /* three intervals say nothing */
	profile__free(got);
	reader__free(r);
	profile__free(p);
}

TEST(lines)
{
	const struct window_ids ids = { 2, 5 };
	struct profile *p = record(&plain, STEPS);
	struct reader *r = open_reader();
	struct reader_line *lines = NULL;
	struct err err = { 0 };
	size_t n = 0;

	CHECK_INT(reader__timeline(r, &ids, &lines, &n, &err), 0);
	if (CHECK_INT(n, 3)) {
		CHECK_INT(lines[0].unix_ns, MADE_START_NS + 3 * MADE_STEP_NS);
		CHECK(lines[0].seconds == 10.0);
		CHECK_INT(lines[0].rss_bytes, (1 << 20) + 12288 * 3 * 1);
		CHECK_INT(lines[0].losses, 1);
		CHECK_INT(lines[1].losses, 0);
		CHECK_INT(lines[0].cost.hits, 103);
		CHECK_INT(lines[0].cpu_ns, 3000000);
		CHECK(lines[0].has_live && lines[0].has_rows && lines[0].alloc_bytes > 0);
	}
	free(lines);
	reader__free(r);
	profile__free(p);
}

/* Opened and loaded in every way: 0, or an error in words. */
static int try_file(void)
{
	struct window_ids ids = { MOMENT_START, 0 };
	const struct moment *moments;
	struct reader_line *lines;
	struct err err = { 0 };
	struct profile *p;
	struct reader *r;
	double *spread;
	size_t n;
	int code = reader__open(make_path(), &r, &err);

	if (code) {
		CHECK(*err.msg);
		return code;
	}
	moments = reader__moments(r, &n);
	for (int i = 0; i < 2 && !code; i++) {
		ids.to = moments[n - 1].id;
		ids.from = i ? moments[n / 2].id : MOMENT_START;
		code = reader__load(r, &ids, &p, &spread, &err);
		if (!code) {
			char *json = format_profile("json", p, i ? WINDOW_INTERVAL : WINDOW_ALL);

			free(json);
			free(format_profile("text", p, WINDOW_ALL));
			free(format_profile("folded", p, WINDOW_ALL));
			free(spread);
			profile__free(p);
		}
	}
	if (!code) {
		code = reader__timeline(r, &ids, &lines, &n, &err);
		if (!code)
			free(lines);
	}
	CHECK(!code || *err.msg);
	reader__free(r);
	return code;
}

TEST(hostile_values)
{
	static const char *const changes[] = {
		"UPDATE row SET source = 77 WHERE id = 0",
		"UPDATE row SET stack = 999999 WHERE id = 0",
		"UPDATE row SET alloc_bytes = 'x' WHERE id = 0",
		"UPDATE row SET alloc_bytes = -1 WHERE id = 0",
		"UPDATE row SET alloc_bytes = NULL WHERE id = 0",
		"UPDATE row SET alloc_bytes = alloc_bytes + 1 WHERE id = 0",
		"UPDATE row SET live_bytes = 9e999 WHERE id = 0",
		"UPDATE row SET anon_grown_bytes = anon_grown_bytes + 4096 WHERE source = 3",
		"UPDATE row SET type = 4000000000 WHERE id = 0",
		"UPDATE alloc_history SET bytes = 9223372036854775807",
		"UPDATE alloc_history SET bytes = bytes + 100000, waste_bytes = waste_bytes + 100000",
		"UPDATE rss_history SET anon_grown_bytes = 9223372036854775807",
		"UPDATE loc SET module = 3000000",
		"UPDATE stack_loc SET pos = 5000 WHERE pos = 1",
		"UPDATE stack_loc SET stack = 5000 WHERE stack = (SELECT max(stack) FROM stack_loc)",
		"UPDATE frame SET pos = 1000 WHERE pos = 0",
		"UPDATE frame SET line = -1",
		"UPDATE context SET typing = 9",
		"UPDATE context SET creator = 70000",
		"DELETE FROM string",
		"DELETE FROM interval",
		"DELETE FROM run",
		"DELETE FROM target",
		"UPDATE rss_kind_at SET kind = 9 WHERE kind = 3",
		"UPDATE source_at SET source = 9 WHERE source = 3",
		"UPDATE loss_at SET loss = 60 WHERE loss = 1",
		"UPDATE source_at SET alloc_bytes = 5",
		"UPDATE run SET rss_method = 4",
		"UPDATE touch SET stack = 70000",
		"UPDATE touch SET row = (SELECT id FROM row WHERE source = 0)",
		"UPDATE touched_history SET bytes = bytes + 1000000",
		"UPDATE target_at SET go_rss_bytes = -1",
		"DROP TABLE alloc_history",
		"DROP VIEW named_row; DROP VIEW timeline; ALTER TABLE row DROP COLUMN alloc_bytes",
		"DROP TABLE string; CREATE VIEW string AS SELECT 1 AS id, 'x' AS text",
		"PRAGMA user_version = 2",
		"PRAGMA application_id = 1",
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		profile__free(record(&plain, 4));
		CHECK_INT(try_file(), 0);
		change(changes[i]);
		if (!CHECK(try_file() < 0))
			fprintf(stderr, "  after %s\n", changes[i]);
	}
	unlink(make_path()); /* it is no recording any more */
}

/* Bytes changed all over the file: whatever comes of it, nothing worse than an error. */
TEST(damaged_bytes)
{
	uint32_t seed = 12345, failed = 0, rounds = 1500;
	uint8_t *whole, *bytes;
	struct stat st;
	ssize_t len;
	int fd;

	profile__free(record(&plain, 4));
	fd = open(make_path(), O_RDWR | O_CLOEXEC);
	if (!CHECK(fd >= 0 && fstat(fd, &st) == 0))
		return;
	len = (ssize_t)st.st_size;
	whole = malloc((size_t)len);
	bytes = malloc((size_t)len);
	CHECK_INT(pread(fd, whole, (size_t)len, 0), len);
	for (uint32_t i = 0; i < rounds; i++) {
		memcpy(bytes, whole, (size_t)len);
		for (uint32_t n = 0; n < 1 + i % 8; n++) {
			seed = seed * 1664525 + 1013904223;
			bytes[(seed >> 8) % (uint32_t)(i % 2 ? len : 4096)] = (uint8_t)(seed >> 3);
		}
		CHECK_INT(pwrite(fd, bytes, (size_t)len, 0), len);
		failed += try_file() != 0;
	}
	CHECK(failed > rounds / 10 && failed < rounds);
	/* Cut short: the last pages may be spare ones. */
	for (ssize_t cut = len - 1; cut > 0; cut -= 3001) {
		CHECK_INT(pwrite(fd, whole, (size_t)len, 0), len);
		CHECK(ftruncate(fd, cut) == 0 && (try_file() < 0 || cut > len - 5 * 4096));
	}
	close(fd);
	free(whole);
	free(bytes);
}

TEST(what_is_there)
{
	struct err err = { 0 };
	struct writer *w;
	FILE *out;

	/* Somebody else's file stays. */
	unlink(make_path());
	out = fopen(make_path(), "w");
	fputs("precious", out);
	fclose(out);
	CHECK_INT(writer__new(make_path(), &plain, &w, &err), -EEXIST);
	CHECK(strstr(err.msg, "is no recording"));
	unlink(make_path());
	CHECK_INT(symlink("/etc/passwd", make_path()), 0);
	CHECK_INT(writer__new(make_path(), &plain, &w, &err), -EEXIST);
	unlink(make_path());
	/* A recording is replaced; one in which nothing was recorded goes. */
	profile__free(record(&plain, 2));
	w = new_writer(&plain);
	writer__free(w);
	CHECK(access(make_path(), F_OK) != 0);
	CHECK_INT(reader__open(make_path(), &(struct reader *){ NULL }, &err), -ENOENT);
	CHECK_INT(reader__open(dir, &(struct reader *){ NULL }, &err), -EINVAL);
}

/* Every table and column says what it is. */
TEST(documented)
{
	profile__free(record(&plain, 1));
	CHECK_INT(number("SELECT count(*) FROM sqlite_schema s JOIN pragma_table_info(s.name) c"
			 " LEFT JOIN doc d ON d.table_name = s.name AND d.column_name = c.name"
			 " WHERE s.type = 'table' AND s.name != 'doc' AND d.text IS NULL"), 0);
	CHECK_INT(number("PRAGMA user_version"), 1);
	CHECK_INT(number("PRAGMA application_id"), 0x61536e70);
	CHECK(number("SELECT count(*) FROM named_row WHERE func LIKE 'inlined%'") > 3);
	CHECK_INT(number("SELECT alloc_bytes FROM timeline"), number("SELECT sum(alloc_bytes) FROM row"));
	remove_all();
}

TEST_MAIN()
