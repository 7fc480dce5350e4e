/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What changed between two captures, or two windows of one. Pure: two profiles in, rows out.
 *
 * Two captures share no addresses, no process and perhaps no line numbers: rows are the same when their source and the
 * names of all their functions are (with DIFF_STACK also their type); a place without a symbol is named by module and
 * offset. Whose process it was is left out.
 *
 * Windows are seldom equally long. So counters are compared per second, and states (live, RSS) as they are. What counters
 * come to in their windows can be asked for, too; it is all there is where nobody wrote down how long a window was.
 *
 * Noise. A difference means something when it is larger than what chance does. For counters chance is how uneven the
 * intervals of each window were (reader.h: spread); for live objects that are sampled it is the variance of the
 * estimates. A change within two standard errors of it is called noise.
 */
#ifndef ALLOCSNOOP_PROFILE_DIFF_H
#define ALLOCSNOOP_PROFILE_DIFF_H

#include "profile/profile.h"

enum diff_key { DIFF_STACK, DIFF_FUNC, DIFF_LINE, DIFF_MODULE, DIFF_TYPE, DIFF_GOROUTINE, DIFF_LABELS };

struct diff_side {
	const struct profile *prof; /* with frames; borrowed for diff__new() */
	enum window window;
	const double *spread; /* by row: variance of alloc_bytes in the window; NULL: not known */
};

/* One side of a row: counts of the window; rss as gains and losses in it, live at its end. */
struct diff_part {
	struct prof_counts counts;
	double alloc_bytes_var;
};

struct diff_sums {
	double seconds;
	bool has_spread;
	bool has_rss; /* in bytes, at the end of the window */
	uint64_t rss_bytes;
	bool captured[SOURCE__N], live[SOURCE__N]; /* what was measured */
	struct prof_counts sums[SOURCE__N];
	double alloc_bytes_var[SOURCE__N];
	uint64_t losses;
	double cost_pct; /* of the CPU that the targets used; negative: not known */
};

struct diff {
	/*
	 * The rows: source, type and stack, named; total has after less before, modulo 2^64, so that a format of signed
	 * numbers can show it. Of DIFF_STACK stacks are stacks, else one made-up frame each.
	 */
	struct profile *prof;
	struct diff_part *before, *after; /* by row */
	struct diff_sums sums_before, sums_after;
};

/* 0 or -ENOMEM. */
int diff__new(const struct diff_side *before, const struct diff_side *after, enum diff_key key, struct diff **ret);
void diff__free(struct diff *diff);

/* How two numbers differ. */
struct change {
	double before, after, by; /* in the same unit */
	bool has_pct; /* there was something before */
	double pct;
	bool has_se;
	double se; /* of by */
	bool is_noise; /* no more than chance does */
};

/* @before_var and @after_var: variances, negative where one is not known. */
struct change change_of(double before, double after, double before_var, double after_var);

enum diff_metric { DIFF_ALLOC_BYTES, DIFF_ALLOC_OBJECTS, DIFF_LIVE_BYTES, DIFF_LIVE_OBJECTS, DIFF_RSS_BYTES, DIFF_METRIC__N };

/* "alloc_bytes", ... */
const char *diff_metric_name(enum diff_metric metric);
/* Is it a number per second, not a state? RSS is: what was added in the window less what was given back. */
bool diff_is_rate(enum diff_metric metric);
/* Was it measured of @source on both sides? */
bool diff__has(const struct diff *diff, enum source source, enum diff_metric metric);
/* Does it know how long both windows are? Else nothing of it is per second. */
bool diff__has_rates(const struct diff *diff);
/* Of a row, and of all rows of a source: rates per second. */
struct change diff__row(const struct diff *diff, uint32_t row, enum diff_metric metric);
struct change diff__sum(const struct diff *diff, enum source source, enum diff_metric metric);
/* The same, rates as what they come to in their windows, however long those are. */
struct change diff__row_amount(const struct diff *diff, uint32_t row, enum diff_metric metric);
struct change diff__sum_amount(const struct diff *diff, enum source source, enum diff_metric metric);

#endif
