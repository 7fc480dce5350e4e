/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to export/: what the formats share, and the functions in the table of
 * export.c. Each file says on top what its format does with the odd cases.
 */
#ifndef ALLOCSNOOP_EXPORT_FORMATS_H
#define ALLOCSNOOP_EXPORT_FORMATS_H

#include "base/jsonw.h"
#include "export/diff.h"
#include "export/export.h"
#include "export/paper.h"
#include "profile/frames.h"

int text_write(const struct profile *prof, const struct export_opts *opts, FILE *out);
int folded_write(const struct profile *prof, const struct export_opts *opts, FILE *out);
int pprof_write(const struct profile *prof, const struct export_opts *opts, FILE *out);
int json_write(const struct profile *prof, const struct export_opts *opts, FILE *out);

/* See export.h: why_not. */
const char *html_why_not(void);
int html_write(const struct profile *prof, const struct export_opts *opts, FILE *out);
int speedscope_write(const struct profile *prof, const struct export_opts *opts, FILE *out);
int perfetto_write(const struct profile *prof, const struct export_opts *opts, FILE *out);
int otlp_write(const struct profile *prof, const struct export_opts *opts, FILE *out);
int prometheus_write(const struct profile *prof, const struct export_opts *opts, FILE *out);

int text_diff_write(const struct diff *diff, const struct diff_opts *opts, FILE *out);
int folded_diff_write(const struct diff *diff, const struct diff_opts *opts, FILE *out);
int json_diff_write(const struct diff *diff, const struct diff_opts *opts, FILE *out);
int html_diff_write(const struct diff *diff, const struct diff_opts *opts, FILE *out);

/* The JSON document without its stacks or rows, as an object within another. */
void json_put_about(struct jsonw *w, const char *key, const struct profile *prof, const struct export_opts *opts);
void json_diff_put_about(struct jsonw *w, const char *key, const struct diff *diff, const struct diff_opts *opts);

/* Of text: a stack under its row, the frame to blame first; @verbose: every frame. */
void text_put_stack(struct paper *paper, const struct profile *prof, uint32_t stack, bool verbose);

/* "2026-11-25T08:15:00.250Z" in @buf of 64 bytes; NULL if that is no time. Source: RFC 3339, section 5.6, in UTC. */
const char *json_time(uint64_t unix_ns, char *buf, size_t size);

/* Stands for the frames of a STACK_LOST stack where a format needs one, so that sums still add up. */
#define LOST_STACK_NAME "[lost stack]"

/* What a reader calls process @pid: its comm, comm-PID when there are several. @buf: PROCESS_NAME_SIZE. */
#define PROCESS_NAME_SIZE 256
const char *process_name(const struct profile *prof, uint32_t pid, char *buf);

/* The name of a frame; one of the kernel ends in "_[k]", as perf's stackcollapse writes it. @buf: FRAME_LABEL_SIZE. */
#define FRAME_LABEL_SIZE 512
const char *frame_label(const struct frame_view *view, char *buf);

/*
 * Do rows of @source count for @metric? mmap only where neither go nor malloc was captured: what these hand out was mapped
 * before, and would be in the sum twice.
 */
bool metric_has_source(const struct profile *prof, enum metric metric, enum source source);
/* Was it measured, of any source that counts for it? */
bool has_metric(const struct profile *prof, enum metric metric);
/* What a row of @source is worth in @metric. */
int64_t metric_value(const struct profile *prof, enum source source, const struct prof_counts *counts, enum metric metric);

/* pprof and OTLP: what a sample has, named as Go's heap profiles are: "alloc_space" in "bytes". mmap counts beside malloc. */
struct sample_type {
	const char *type, *unit;
};
struct sample_type sample_type(enum metric metric);
bool has_sample_type(const struct profile *prof, enum metric metric);
int64_t sample_value(const struct prof_counts *counts, enum metric metric);
/* What @row has in the window; false if that makes no sample. */
bool sample_counts(const struct prof_row *row, enum window window, struct prof_counts *ret);
/*
 * Calls @put with each label of @row. @ours: source, type, goroutine and, with several targets, pid; else one that
 * the program set. Untrusted; values may be empty, and so may the program's keys.
 */
void sample_labels(const struct profile *prof, const struct prof_row *row,
		   void (*put)(void *ctx, bool ours, const char *key, const char *value), void *ctx);

/* Where the window begins. */
uint64_t window_start_ns(const struct profile *prof, enum window window);

/* Strings fit for the format, interned. */
struct names {
	struct strtab *strs;
	char *buf;
	size_t cap;
	int err; /* sticks: -ENOMEM */
};

int names_init(struct names *names);
void names_free(struct names *names);
/*
 * Id of the cleaned @name (base/units.h: name_clean()) with every @from in it (0: none)
 * replaced by @to. 0 only for "" and on error.
 */
uint32_t names_add(struct names *names, const char *name, char from, char to);

#endif
