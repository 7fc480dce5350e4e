// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How the file stays whole. It is in WAL mode: a transaction goes to a file beside it (-wal) first, is synced, and is
 * then copied to its place. Whoever reads meanwhile sees the last whole interval and holds nobody up, and after a
 * crash or a power cut the next one who opens it finds all transactions that were complete. After every
 * interval all is copied (db__exec of "PRAGMA wal_checkpoint" by the writer), so that the file alone, too, is whole
 * and up to date, unless a reader is at it. At an orderly end the file becomes a plain one without anything beside it.
 *
 * Rejected: a rollback journal. A reader would hold the writer up, and with it the reading of the counts.
 */
#include "store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef ALLOCSNOOP_STATIC
/* What SQLite calls for dlopen() there (Makefile). */
void *static_has_no_dlopen(const char *file, int mode);

void *static_has_no_dlopen(const char *file, int mode)
{
	(void)file;
	(void)mode;
	return NULL;
}
#endif

#define BUSY_MS 5000
#define MAX_TEXT_BYTES (1 << 20)
#define HEADER_BYTES 72
#define HEADER_APPLICATION_ID 68 /* big-endian; https://sqlite.org/fileformat.html, 1.3 */

struct db {
	char *path;
	sqlite3 *sqlite;
	bool writes;
	sqlite3_stmt *put[TABLE__N], *select[TABLE__N];
};

const char *db__path(const struct db *db)
{
	return db->path;
}

int db__damaged(const struct db *db, struct err *err, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return err_set(err, FAIL_GENERAL, -EBADMSG, "%s is damaged, or no recording: %s", db->path, text);
}

static int failed(const struct db *db, struct err *err)
{
	int code = sqlite3_errcode(db->sqlite);
	bool full = code == SQLITE_FULL;

	if (!db->writes)
		return db__damaged(db, err, "%s", sqlite3_errmsg(db->sqlite));
	return err_set(err, FAIL_GENERAL, full ? -ENOSPC : -EIO, "cannot write %s: %s%s", db->path, sqlite3_errmsg(db->sqlite),
		       full ? " (no room on the disk, or --max-file is too small for the stacks alone)" : "");
}

int db__exec(struct db *db, const char *sql, struct err *err)
{
	return sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(db, err);
}

int db__number(struct db *db, const char *sql, uint64_t *ret, struct err *err)
{
	sqlite3_stmt *stmt;
	int rc;

	if (sqlite3_prepare_v2(db->sqlite, sql, -1, &stmt, NULL) != SQLITE_OK)
		return failed(db, err);
	rc = sqlite3_step(stmt);
	*ret = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : failed(db, err);
}

/* ---- statements, made from the tables ---- */

static size_t nkeys(const struct table *t)
{
	return t->keys[1] ? 2 : 1;
}

static const char *sql_type(enum column_kind kind)
{
	return kind == COLUMN_REAL ? "REAL" : kind == COLUMN_TEXT ? "TEXT" : "INTEGER";
}

static bool is_history(enum table_id id)
{
	return id >= TABLE_HISTORY_FIRST;
}

static const char *suffix(enum table_id id)
{
	return is_history(id) ? "_history" : "";
}

/* With a line of comment for each column: `.schema` of the sqlite3 shell shows them. */
static void write_create(FILE *out, enum table_id id)
{
	const struct table *t = &store_tables[id];

	fprintf(out, "CREATE TABLE %s%s ( -- %s\n", t->name, suffix(id), t->doc);
	for (size_t i = 0; i < nkeys(t); i++)
		fprintf(out, "  %s INTEGER NOT NULL%s, -- %s\n", t->keys[i], is_history(id) ? " PRIMARY KEY" : "", t->key_docs[i]);
	for (size_t i = 0; i < t->ncolumns; i++)
		fprintf(out, "  %s %s%s -- %s\n", t->columns[i].name, is_history(id) ? "INTEGER" : sql_type(t->columns[i].kind),
			is_history(id) && i + 1 == t->ncolumns ? "" : ",", t->columns[i].doc);
	if (is_history(id))
		fputs(");\n", out);
	else
		fprintf(out, "  PRIMARY KEY (%s%s%s)) WITHOUT ROWID;\n", t->keys[0], t->keys[1] ? ", " : "",
			t->keys[1] ? t->keys[1] : "");
}

static void write_history_view(FILE *out, const struct table *t)
{
	fprintf(out, "CREATE VIEW %s AS -- %s\n  SELECT at >> %d AS interval, at & %d AS row", t->name, t->doc, HISTORY_ROW_BITS,
		(1 << HISTORY_ROW_BITS) - 1);
	for (size_t i = 0; i < t->ncolumns; i++) {
		const struct column *c = &t->columns[i];

		fprintf(out, ", %s", c->name);
		if (c->whole)
			fprintf(out, ", %s - %s AS %s", t->columns[i - 1].name, c->name, c->whole);
	}
	fprintf(out, " FROM %s_history;\n", t->name);
}

static void write_insert(FILE *out, enum table_id id)
{
	const struct table *t = &store_tables[id];

	fprintf(out, "INSERT OR REPLACE INTO %s%s VALUES (?", t->name, suffix(id));
	for (size_t i = 1; i < nkeys(t) + t->ncolumns; i++)
		fputs(", ?", out);
	fputc(')', out);
}

static void write_select(FILE *out, enum table_id id)
{
	const struct table *t = &store_tables[id];

	fprintf(out, "SELECT %s", t->keys[0]);
	if (t->keys[1])
		fprintf(out, ", %s", t->keys[1]);
	for (size_t i = 0; i < t->ncolumns; i++)
		fprintf(out, ", %s", t->columns[i].name);
	fprintf(out, " FROM %s%s WHERE %s BETWEEN ? AND ? ORDER BY %s%s%s", t->name, suffix(id), t->keys[0], t->keys[0],
		t->keys[1] ? ", " : "", t->keys[1] ? t->keys[1] : "");
}

static int prepare(struct db *db, enum table_id id, void (*write)(FILE *, enum table_id), sqlite3_stmt **ret,
		   struct err *err)
{
	char *sql = NULL;
	size_t len;
	FILE *out = open_memstream(&sql, &len);
	int rc;

	if (!out)
		return err_set(err, FAIL_GENERAL, -ENOMEM, "out of memory");
	write(out, id);
	if (fclose(out)) {
		free(sql);
		return err_set(err, FAIL_GENERAL, -ENOMEM, "out of memory");
	}
	rc = sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
	free(sql);
	return rc == SQLITE_OK ? 0 : failed(db, err);
}

static int put_doc(struct db *db, const char *table, const char *column, const char *text, struct err *err)
{
	sqlite3_stmt *stmt;
	int rc;

	if (sqlite3_prepare_v2(db->sqlite, "INSERT INTO doc VALUES (?, ?, ?)", -1, &stmt, NULL) != SQLITE_OK)
		return failed(db, err);
	sqlite3_bind_text(stmt, 1, table, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(stmt, 2, column, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 3, text, -1, SQLITE_STATIC);
	rc = sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? 0 : failed(db, err);
}

static int create_docs(struct db *db, struct err *err)
{
	int code = db__exec(db,
			    "CREATE TABLE doc ( -- what every table and column is; of a table where column_name is empty\n"
			    "  table_name TEXT NOT NULL, column_name TEXT NOT NULL, text TEXT,\n"
			    "  PRIMARY KEY (table_name, column_name)) WITHOUT ROWID;",
			    err);

	for (int id = 0; id < TABLE__N && !code; id++) {
		const struct table *t = &store_tables[id];
		char name[64];

		snprintf(name, sizeof(name), "%s%s", t->name, suffix(id));
		code = put_doc(db, name, "", t->doc, err);
		for (size_t i = 0; i < nkeys(t) && !code; i++)
			code = put_doc(db, name, t->keys[i], t->key_docs[i], err);
		for (size_t i = 0; i < t->ncolumns && !code; i++)
			code = put_doc(db, name, t->columns[i].name, t->columns[i].doc, err);
	}
	return code;
}

static int create_tables(struct db *db, struct err *err)
{
	char *sql = NULL, pragmas[128];
	size_t len;
	FILE *out = open_memstream(&sql, &len);
	int code;

	if (!out)
		return err_set(err, FAIL_GENERAL, -ENOMEM, "out of memory");
	for (int id = 0; id < TABLE__N; id++)
		write_create(out, id);
	for (int id = TABLE_HISTORY_FIRST; id < TABLE__N; id++)
		write_history_view(out, &store_tables[id]);
	fputs(store_views, out);
	if (fclose(out)) {
		free(sql);
		return err_set(err, FAIL_GENERAL, -ENOMEM, "out of memory");
	}
	snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id = %d; PRAGMA user_version = %d; BEGIN", STORE_APPLICATION_ID,
		 STORE_VERSION);
	code = db__exec(db, pragmas, err);
	if (!code)
		code = db__exec(db, sql, err);
	if (!code)
		code = create_docs(db, err);
	if (!code)
		code = db__exec(db, "COMMIT", err);
	free(sql);
	return code;
}

/* ---- opening ---- */

static int new_db(const char *path, bool writes, struct db **ret, struct err *err)
{
	struct db *db = calloc(1, sizeof(*db));

	if (db)
		db->path = strdup(path);
	if (!db || !db->path) {
		free(db);
		return err_set(err, FAIL_GENERAL, -ENOMEM, "out of memory");
	}
	db->writes = writes;
	*ret = db;
	return 0;
}

/* Is what is at @path a recording of ours, or empty? */
static bool may_replace(const char *path)
{
	static const uint8_t id[] = { STORE_APPLICATION_ID >> 24, STORE_APPLICATION_ID >> 16 & 255,
				      STORE_APPLICATION_ID >> 8 & 255, STORE_APPLICATION_ID & 255 };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	uint8_t header[HEADER_BYTES];
	struct stat st;
	ssize_t n = -1;

	if (fd < 0)
		return false;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		n = pread(fd, header, sizeof(header), 0);
	close(fd);
	return n == 0 || (n == HEADER_BYTES && memcmp(header + HEADER_APPLICATION_ID, id, sizeof(id)) == 0);
}

static int remove_old(const char *path)
{
	static const char *const endings[] = { "-wal", "-shm", "-journal", "" };
	char *name;
	int error = 0;

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]) && !error; i++) {
		if (asprintf(&name, "%s%s", path, endings[i]) < 0)
			return -ENOMEM;
		if (unlink(name) && errno != ENOENT)
			error = -errno;
		free(name);
	}
	return error;
}

/* An empty file that nobody else made; SQLite takes it as a new database. */
static int make_file(const char *path, struct err *err)
{
	struct stat st;
	int fd, error = 0;

	if (!lstat(path, &st)) {
		if (!may_replace(path))
			return err_set(err, FAIL_GENERAL, -EEXIST,
				       "cannot record to %s: it is there, and is no recording: remove it, or take another name",
				       path);
		error = remove_old(path);
	}
	fd = error ? -1 : open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd < 0)
		return err_set(err, FAIL_GENERAL, error ? error : -errno, "cannot write %s: %s", path,
			       strerror(error ? -error : errno));
	close(fd);
	return 0;
}

int db__create(const char *path, struct db **ret, struct err *err)
{
	struct db *db;
	int code = new_db(path, true, &db, err);

	if (code)
		return code;
	code = make_file(path, err);
	if (!code && sqlite3_open_v2(path, &db->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL) != SQLITE_OK)
		code = failed(db, err);
	if (!code) {
		sqlite3_busy_timeout(db->sqlite, BUSY_MS);
		code = db__exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY", err);
	}
	if (!code)
		code = create_tables(db, err);
	for (int id = 0; id < TABLE__N && !code; id++)
		code = prepare(db, id, write_insert, &db->put[id], err);
	if (code) {
		db__free(db);
		return code;
	}
	*ret = db;
	return 0;
}

/* https://sqlite.org/security.html: files from elsewhere. */
static int distrust(struct db *db, struct err *err)
{
	sqlite3 *s = db->sqlite;

	sqlite3_limit(s, SQLITE_LIMIT_LENGTH, MAX_TEXT_BYTES);
	sqlite3_limit(s, SQLITE_LIMIT_SQL_LENGTH, MAX_TEXT_BYTES);
	sqlite3_limit(s, SQLITE_LIMIT_EXPR_DEPTH, 20);
	sqlite3_limit(s, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_db_config(s, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(s, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(s, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(s, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	return db__exec(db, "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA query_only = ON; BEGIN", err);
}

static int check_file(struct db *db, struct err *err)
{
	uint64_t id, version;
	sqlite3_stmt *stmt;
	int code = db__number(db, "PRAGMA application_id", &id, err);

	if (!code && id != STORE_APPLICATION_ID)
		return err_set(err, FAIL_GENERAL, -EBADMSG, "%s is no recording of allocsnoop", db->path);
	if (!code)
		code = db__number(db, "PRAGMA user_version", &version, err);
	if (!code && version != STORE_VERSION)
		return err_set(err, FAIL_GENERAL, -EBADMSG, "%s is a recording of version %llu, and this program reads version %d",
			       db->path, (unsigned long long)version, STORE_VERSION);
	if (code)
		return code;
	if (sqlite3_prepare_v2(db->sqlite, "PRAGMA quick_check(1)", -1, &stmt, NULL) != SQLITE_OK)
		return failed(db, err);
	if (sqlite3_step(stmt) != SQLITE_ROW)
		code = failed(db, err);
	else if (strcmp((const char *)sqlite3_column_text(stmt, 0) ?: "", "ok") != 0)
		code = db__damaged(db, err, "%s", sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	return code;
}

/* As file:PATH?immutable=1: what is beside the file is not looked at. */
static char *immutable_uri(const char *path)
{
	char *uri = NULL;
	size_t len;
	FILE *out = open_memstream(&uri, &len);

	if (!out)
		return NULL;
	fputs("file:", out);
	for (; *path; path++) {
		if (strchr("%?#", *path))
			fprintf(out, "%%%02X", (unsigned char)*path);
		else
			fputc(*path, out);
	}
	fputs("?immutable=1", out);
	if (fclose(out)) {
		free(uri);
		return NULL;
	}
	return uri;
}

static int open_read_only(struct db *db, const char *name, int flags, struct err *err)
{
	int rc = sqlite3_open_v2(name, &db->sqlite, SQLITE_OPEN_READONLY | flags, NULL);

	if (rc != SQLITE_OK)
		return err_set(err, FAIL_GENERAL, -EIO, "cannot read %s: %s", db->path,
			       db->sqlite ? sqlite3_errmsg(db->sqlite) : "out of memory");
	sqlite3_busy_timeout(db->sqlite, BUSY_MS);
	return distrust(db, err);
}

/* A file that was left without an orderly end, in a folder where nothing may be made: as it is. */
static bool needs_immutable(struct db *db)
{
	uint64_t n;

	if (db__number(db, "SELECT count(*) FROM sqlite_schema", &n, NULL) == 0)
		return false;
	switch (sqlite3_errcode(db->sqlite)) {
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
		return true;
	default:
		return false;
	}
}

int db__open(const char *path, struct db **ret, struct err *err)
{
	struct stat st;
	struct db *db;
	int code, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		int error = fd < 0 ? errno : EINVAL;

		if (fd >= 0)
			close(fd);
		return err_set(err, FAIL_GENERAL, -error, "cannot read %s: %s", path, fd < 0 ? strerror(error) : "it is no file");
	}
	close(fd);
	code = new_db(path, false, &db, err);
	if (code)
		return code;
	code = open_read_only(db, path, 0, err);
	if (!code && needs_immutable(db)) {
		char *uri = immutable_uri(path);

		sqlite3_close(db->sqlite);
		db->sqlite = NULL;
		code = uri ? open_read_only(db, uri, SQLITE_OPEN_URI, err) : err_set(err, FAIL_GENERAL, -ENOMEM, "out of memory");
		free(uri);
	}
	if (!code)
		code = check_file(db, err);
	for (int id = 0; id < TABLE__N && !code; id++)
		code = prepare(db, id, write_select, &db->select[id], err);
	if (code) {
		db__free(db);
		return code;
	}
	*ret = db;
	return 0;
}

void db__free(struct db *db)
{
	if (!db)
		return;
	for (int id = 0; id < TABLE__N; id++) {
		sqlite3_finalize(db->put[id]);
		sqlite3_finalize(db->select[id]);
	}
	if (db->writes && db->sqlite && sqlite3_get_autocommit(db->sqlite)) /* with a reader at it, it stays as it is */
		sqlite3_exec(db->sqlite, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
	sqlite3_close(db->sqlite);
	free(db->path);
	free(db);
}

/* ---- rows ---- */

static void bind(sqlite3_stmt *stmt, int at, const struct column *c, const void *record)
{
	const char *p = (const char *)record + c->offset;

	switch (c->kind) {
	case COLUMN_COUNT:
	case COLUMN_ADDR:
	case COLUMN_SIGNED:
		sqlite3_bind_int64(stmt, at, *(const int64_t *)p);
		break;
	case COLUMN_REAL:
		sqlite3_bind_double(stmt, at, *(const double *)p);
		break;
	case COLUMN_U32:
	case COLUMN_STRING:
		sqlite3_bind_int64(stmt, at, *(const uint32_t *)p);
		break;
	case COLUMN_INT:
		sqlite3_bind_int64(stmt, at, *(const int *)p);
		break;
	case COLUMN_BOOL:
		sqlite3_bind_int64(stmt, at, *(const bool *)p);
		break;
	case COLUMN_REF:
		if (*(const uint32_t *)p == PROF_NONE)
			sqlite3_bind_null(stmt, at);
		else
			sqlite3_bind_int64(stmt, at, *(const uint32_t *)p);
		break;
	case COLUMN_TEXT:
		sqlite3_bind_text(stmt, at, *(const char *const *)p, -1, SQLITE_STATIC);
		break;
	}
}

static int finish_put(struct db *db, sqlite3_stmt *stmt, struct err *err)
{
	int rc = sqlite3_step(stmt);
	int code = rc == SQLITE_DONE ? 0 : failed(db, err);

	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return code;
}

int db__put(struct db *db, enum table_id table, const uint32_t *keys, const void *record, struct err *err)
{
	const struct table *t = &store_tables[table];
	sqlite3_stmt *stmt = db->put[table];
	int at = 1;

	for (size_t i = 0; i < nkeys(t); i++)
		sqlite3_bind_int64(stmt, at++, keys[i]);
	for (size_t i = 0; i < t->ncolumns; i++)
		bind(stmt, at++, &t->columns[i], record);
	return finish_put(db, stmt, err);
}

int db__put_history(struct db *db, enum table_id table, uint32_t interval, uint32_t row, const int64_t *values, struct err *err)
{
	const struct table *t = &store_tables[table];
	sqlite3_stmt *stmt = db->put[table];

	sqlite3_bind_int64(stmt, 1, HISTORY_AT(interval, row));
	for (size_t i = 0; i < t->ncolumns; i++)
		sqlite3_bind_int64(stmt, (int)(2 + i), t->columns[i].whole ? values[i - 1] - values[i] : values[i]);
	return finish_put(db, stmt, err);
}

int db__select(struct db *db, enum table_id table, uint32_t low, uint32_t high, struct err *err)
{
	sqlite3_stmt *stmt = db->select[table];
	int64_t first = is_history(table) ? HISTORY_AT(low, 0) : low;
	int64_t last = is_history(table) ? HISTORY_AT((uint64_t)high + 1, 0) - 1 : high;

	sqlite3_reset(stmt);
	if (sqlite3_bind_int64(stmt, 1, first) != SQLITE_OK || sqlite3_bind_int64(stmt, 2, last) != SQLITE_OK)
		return failed(db, err);
	return 0;
}

/* 1, 0 or -errno. */
static int step(struct db *db, sqlite3_stmt *stmt, struct err *err)
{
	int rc = sqlite3_step(stmt);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE) {
		sqlite3_reset(stmt);
		return 0;
	}
	return failed(db, err);
}

static int wrong_value(const struct db *db, const struct table *t, const char *column, struct err *err)
{
	return db__damaged(db, err, "a value of %s.%s is none that allocsnoop writes", t->name, column);
}

static bool get_int(sqlite3_stmt *stmt, int at, int64_t low, int64_t high, int64_t *ret)
{
	if (sqlite3_column_type(stmt, at) != SQLITE_INTEGER)
		return false;
	*ret = sqlite3_column_int64(stmt, at);
	return *ret >= low && *ret <= high;
}

static bool get(sqlite3_stmt *stmt, int at, const struct column *c, void *record)
{
	char *p = (char *)record + c->offset;
	int type = sqlite3_column_type(stmt, at);
	int64_t n = 0;
	double real;

	switch (c->kind) {
	case COLUMN_COUNT:
		return get_int(stmt, at, 0, INT64_MAX, (int64_t *)p);
	case COLUMN_ADDR:
	case COLUMN_SIGNED:
		return get_int(stmt, at, INT64_MIN, INT64_MAX, (int64_t *)p);
	case COLUMN_REAL: /* NaN is NULL in the file: an integer or a float it must be */
		real = sqlite3_column_double(stmt, at);
		*(double *)p = real;
		return (type == SQLITE_FLOAT || type == SQLITE_INTEGER) && isfinite(real);
	case COLUMN_REF:
		*(uint32_t *)p = PROF_NONE;
		if (type == SQLITE_NULL)
			return true;
		/* fallthrough */
	case COLUMN_U32:
	case COLUMN_STRING:
		if (!get_int(stmt, at, 0, UINT32_MAX - 1, &n))
			return false;
		*(uint32_t *)p = (uint32_t)n;
		return true;
	case COLUMN_INT:
		if (!get_int(stmt, at, INT32_MIN, INT32_MAX, &n))
			return false;
		*(int *)p = (int)n;
		return true;
	case COLUMN_BOOL:
		if (!get_int(stmt, at, 0, 1, &n))
			return false;
		*(bool *)p = n;
		return true;
	case COLUMN_TEXT:
		*(const char **)p = type == SQLITE_TEXT ? (const char *)sqlite3_column_text(stmt, at) : NULL;
		return *(const char **)p;
	}
	return false;
}

static int get_keys(struct db *db, const struct table *t, sqlite3_stmt *stmt, uint32_t *keys, struct err *err)
{
	int64_t n;

	for (size_t i = 0; i < nkeys(t); i++) {
		if (!get_int(stmt, (int)i, 0, UINT32_MAX - 1, &n))
			return wrong_value(db, t, t->keys[i], err);
		keys[i] = (uint32_t)n;
	}
	return 1;
}

int db__next(struct db *db, enum table_id table, uint32_t *keys, void *record, struct err *err)
{
	const struct table *t = &store_tables[table];
	sqlite3_stmt *stmt = db->select[table];
	int code = step(db, stmt, err);

	if (code == 1)
		code = get_keys(db, t, stmt, keys, err);
	for (size_t i = 0; i < t->ncolumns && code == 1; i++)
		if (!get(stmt, (int)(nkeys(t) + i), &t->columns[i], record))
			code = wrong_value(db, t, t->columns[i].name, err);
	return code;
}

int db__next_history(struct db *db, enum table_id table, uint32_t *interval, uint32_t *row, int64_t *values, struct err *err)
{
	const struct table *t = &store_tables[table];
	sqlite3_stmt *stmt = db->select[table];
	int code = step(db, stmt, err);
	int64_t at;

	if (code != 1)
		return code;
	if (!get_int(stmt, 0, 0, HISTORY_AT(UINT32_MAX, 0) - 1, &at))
		return wrong_value(db, t, t->keys[0], err);
	*interval = (uint32_t)(at >> HISTORY_ROW_BITS);
	*row = (uint32_t)(at & ((1 << HISTORY_ROW_BITS) - 1));
	for (size_t i = 0; i < t->ncolumns; i++) {
		if (!get_int(stmt, (int)(1 + i), INT64_MIN, INT64_MAX, &values[i]) ||
		    (t->columns[i].whole && __builtin_sub_overflow(values[i - 1], values[i], &values[i])))
			return wrong_value(db, t, t->columns[i].name, err);
	}
	return 1;
}
