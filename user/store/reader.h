/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a recording: rebuilds the profile of the whole run, or of a window of it, with frames and names, so that all
 * that takes a profile takes a recording. The file is hostile input (db.h).
 */
#ifndef ALLOCSNOOP_STORE_READER_H
#define ALLOCSNOOP_STORE_READER_H

#include "base/err.h"
#include "profile/profile.h"
#include "store/window.h"

struct reader;

struct reader_run {
	/* Cleaned: they may be printed. */
	char tool[128], host[128], when[128], ending[256];
	uint64_t start_unix_ns, interval_ns;
	uint64_t end_unix_ns; /* 0: it ended without a word, or still runs */
};

int reader__open(const char *path, struct reader **ret, struct err *err);
void reader__free(struct reader *reader);

const struct reader_run *reader__run(const struct reader *reader);

/* The ends of the intervals, oldest first; borrowed. There is at least one. */
const struct moment *reader__moments(const struct reader *reader, size_t *ret_n);

/*
 * The profile at the end of the interval @window->to, marked at that of @window->from (MOMENT_START: at the attach).
 * A window that ends before the recording does knows neither peaks nor ages: the file has those of the end only.
 * With a timeline where RSS was captured: its moments are the intervals.
 *
 * @ret_spread (may be NULL): for each row the variance of alloc_bytes in the window, as the intervals in it let one
 * estimate it, for the caller to free; *ret_spread is NULL when there are fewer than SPREAD_MIN_INTERVALS.
 */
#define SPREAD_MIN_INTERVALS 4
int reader__load(struct reader *reader, const struct window_ids *window, struct profile **ret, double **ret_spread,
		 struct err *err);

/* One interval's sums, for a table of them. */
struct reader_line {
	uint64_t unix_ns;
	double seconds;
	uint64_t rss_bytes;
	bool has_live;
	double live_bytes; /* of all sources but mmap */
	uint64_t alloc_objects, alloc_bytes; /* in the interval, of Go and malloc */
	uint64_t losses; /* events, in the interval */
	struct prof_cost cost; /* in the interval */
	uint64_t cpu_ns; /* of the targets, in the interval */
	bool has_rows; /* else who it was is known for a longer time only */
	bool is_kept;
};

/* Of the intervals behind window->from up to window->to. @ret is for the caller to free. */
int reader__timeline(struct reader *reader, const struct window_ids *window, struct reader_line **ret, size_t *ret_n,
		     struct err *err);

#endif
