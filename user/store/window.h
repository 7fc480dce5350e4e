/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moments of a recording, as people name them, and the intervals between them. Pure. */
#ifndef ALLOCSNOOP_STORE_WINDOW_H
#define ALLOCSNOOP_STORE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The end of an interval. */
struct moment {
	uint32_t id;
	uint64_t unix_ns;
	bool has_rows; /* a window can begin or end here */
};

#define MOMENT_START 0 /* the attach; ids begin at 1 */

enum when_kind { WHEN_NONE, WHEN_AT, WHEN_AFTER_START, WHEN_BEFORE_END };

struct when {
	enum when_kind kind;
	uint64_t ns; /* WHEN_AT: since 1970 in UTC, else the distance */
};

/*
 * "2026-11-25T08:15:00Z", "2026-11-25T08:15:00.5+01:00" (RFC 3339), "+30", "+1.5" (seconds after the start), "-60" (before
 * the end). 0, -EINVAL or -ERANGE.
 */
int when_parse(const char *text, struct when *ret);

struct window_spec {
	struct when from, to;
};

/* "FROM..TO", either may be empty. 0, -EINVAL or -ERANGE. */
int window_parse(const char *text, struct window_spec *ret);

struct window_ids {
	uint32_t from, to; /* what came behind the end of @from, up to the end of @to */
};

/*
 * The smallest window of whole intervals around @spec: of @n moments (at least one), oldest first, and a
 * recording that began at @start_unix_ns. -ERANGE: nothing of the recording is in there, or it ends before it begins.
 */
int window_pick(const struct moment *moments, size_t n, uint64_t start_unix_ns, const struct window_spec *spec,
		struct window_ids *ret);

#endif
