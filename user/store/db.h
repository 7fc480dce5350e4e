/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to store/: the file as a set of tables of schema.h. The only room that calls SQLite.
 *
 * A file that is read may come from anybody. SQLite's own advice for such files is followed (no views, no
 * triggers, no functions that could do anything, cells checked, the whole structure checked first), and
 * every value must have the type and range of its column.
 */
#ifndef ALLOCSNOOP_STORE_DB_H
#define ALLOCSNOOP_STORE_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/schema.h"

struct db;

/* A new file at @path in place of a recording that is there; other files are refused. Its tables are there, and empty. */
int db__create(const char *path, struct db **ret, struct err *err);
/* For reading, in one transaction: whoever writes goes on, and is not seen. */
int db__open(const char *path, struct db **ret, struct err *err);
/* NULL is fine. Of a file that was written, what is beside it is put into it. */
void db__free(struct db *db);

const char *db__path(const struct db *db);

/* Plain statements, ours. */
int db__exec(struct db *db, const char *sql, struct err *err);
/* The integer that @sql gives; *ret is 0 if it gives none. */
int db__number(struct db *db, const char *sql, uint64_t *ret, struct err *err);

/*
 * One row, in place of one with the same keys. Of a history the row has by how much each column grew, in whole
 * numbers. Strings: the caller has put them before.
 */
int db__put(struct db *db, enum table_id table, const uint32_t *keys, const void *record, struct err *err);
int db__put_history(struct db *db, enum table_id table, uint32_t interval, uint32_t row, const int64_t *values, struct err *err);

/*
 * Rows by their keys: `db__select(db, TABLE_LOC, 0, UINT32_MAX, err)`, then db__next() until it gives 0. @low and
 * @high bound the first key (of a history the interval), both included. One selection at a time for each table.
 */
int db__select(struct db *db, enum table_id table, uint32_t low, uint32_t high, struct err *err);
/* 1: there is one, 0: there is none left, or -errno. Strings in @record are ids of the file. */
int db__next(struct db *db, enum table_id table, uint32_t *keys, void *record, struct err *err);
int db__next_history(struct db *db, enum table_id table, uint32_t *interval, uint32_t *row, int64_t *values, struct err *err);

/* For what the reader finds: "FILE is damaged: ...", -EBADMSG. */
int db__damaged(const struct db *db, struct err *err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
