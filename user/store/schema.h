/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is in a recording: the tables of the file, and where each column comes from in memory.
 *
 * One row of a table here makes the CREATE statement, the statements that write and read, the
 * documentation that the file carries (table `doc`), and the checks of a file that nobody vouches
 * for. So a new field is one line in schema.c: what is in no column is in no recording.
 *
 * A table has integer keys, told apart from the record that its columns come from.
 *
 * Tables of history say by how much numbers of a row grew in an interval; they have only rows of which one did. They
 * are nearly all of a file, so their key is one number: HISTORY_AT(interval, row), by which SQLite fills its
 * pages to the last byte (a WITHOUT ROWID table with two keys took a fifth more). Views show the two. Whatever is thinned out is added to the next interval that stays: for each row of
 * the profile the sum of its history is always what table `row` has, in whole numbers.
 */
#ifndef ALLOCSNOOP_STORE_SCHEMA_H
#define ALLOCSNOOP_STORE_SCHEMA_H

#include "profile/profile.h"

#define STORE_APPLICATION_ID 0x61536e70 /* "aSnp", as file(1) and the header of the file have it */
#define STORE_VERSION 1 /* PRAGMA user_version: older programs cannot read a newer one */

enum column_kind {
	COLUMN_COUNT, /* uint64_t, never negative in the file */
	COLUMN_ADDR, /* uint64_t; above 2^63 negative in the file */
	COLUMN_SIGNED, /* int64_t */
	COLUMN_REAL, /* double, finite */
	COLUMN_U32, /* uint32_t */
	COLUMN_INT, /* int, or an enum */
	COLUMN_BOOL,
	COLUMN_REF, /* uint32_t, an id of another table; NULL in the file for PROF_NONE */
	COLUMN_STRING, /* uint32_t, a strtab id; in the file an id of table `string` */
	COLUMN_TEXT, /* const char *: reading, borrowed until the next row; never NULL */
};

struct column {
	const char *name;
	enum column_kind kind;
	size_t offset; /* in the record */
	const char *doc;
	/* Of a history: the file has what the column before has more than this, under @name; @whole is this, in the view. */
	const char *whole;
};

enum table_id {
	TABLE_RUN,
	TABLE_STRING,
	TABLE_SOURCE,
	TABLE_RSS_KIND,
	TABLE_MODULE,
	TABLE_LOC,
	TABLE_FRAME,
	TABLE_STACK,
	TABLE_STACK_LOC,
	TABLE_CONTEXT,
	TABLE_TARGET,
	TABLE_ROW,
	TABLE_TOUCH,
	TABLE_LOSS,
	TABLE_PEAK,
	TABLE_INTERVAL,
	TABLE_TARGET_AT,
	TABLE_RSS_KIND_AT,
	TABLE_SOURCE_AT,
	TABLE_LOSS_AT,
	/* History; the record is struct prof_row. Tables are called NAME_history, their views NAME. */
	TABLE_ALLOC,
	TABLE_FREED,
	TABLE_LIVE,
	TABLE_RSS,
	TABLE_GOROUTINES,
	TABLE_TOUCHED, /* of struct prof_touch, by touch instead of row */
	TABLE__N,
};

#define TABLE_ROW_HISTORY_END TABLE_TOUCHED

#define TABLE_HISTORY_FIRST TABLE_ALLOC
#define HISTORY_ROW_BITS 21 /* twice the rows of AGG_LIMITS */
#define HISTORY_AT(interval, row) ((int64_t)(interval) << HISTORY_ROW_BITS | (row))
#define TABLE_MAX_KEYS 2

struct table {
	const char *name, *doc;
	const char *keys[TABLE_MAX_KEYS], *key_docs[TABLE_MAX_KEYS]; /* NULL behind the last */
	const struct column *columns;
	size_t ncolumns;
};

extern const struct table store_tables[TABLE__N];
/* What is there beside the tables: views for people with a shell. */
extern const char store_views[];

/* Records of tables that are kept otherwise in memory. */
struct run_record {
	const char *tool, *kernel, *mode, *host, *when, *ending;
	uint64_t start_unix_ns, interval_ns, end_unix_ns;
	bool has_goroutines, has_rss_kinds, has_touches;
	enum rss_method rss_method;
};

struct text_record {
	const char *text;
};

struct stack_loc_record {
	uint32_t loc;
};

struct context_record {
	enum prof_typing typing;
	uint32_t type_module;
	uint64_t type_vaddr;
	uint32_t kind; /* string: TYPING_KIND */
	uint32_t creator, labels;
};

struct loss_record {
	const char *name, *text;
	bool is_note;
};

struct interval_record {
	uint64_t unix_ns;
	struct prof_cost cost;
	bool has_rows, is_kept;
	bool has_hugetlb;
	uint64_t hugetlb_bytes;
};

struct target_at_record {
	uint64_t rss_bytes, cpu_ns;
	int exit_code;
	bool has_go_rss;
	uint32_t go_rss_unknown; /* string */
	struct go_rss go_rss;
};

struct touch_record {
	uint32_t row;
	struct prof_touch touch;
};

struct source_at_record {
	bool captured;
	struct prof_counts sum;
	struct prof_live live;
	uint32_t how; /* string */
};

struct loss_at_record {
	uint64_t count;
};

/* Rows of table `peak`. */
enum peak_id { PEAK_MALLOC, PEAK_RSS, PEAK__N };

#endif
