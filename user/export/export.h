/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exporters: a profile, already symbolized, to one format. A new one is one .c
 * file and one row of the table in export.c.
 */
#ifndef ALLOCSNOOP_EXPORT_EXPORT_H
#define ALLOCSNOOP_EXPORT_EXPORT_H

#include <stdio.h>

#include "profile/profile.h"

enum metric { METRIC_ALLOC_BYTES, METRIC_ALLOC_OBJECTS, METRIC_LIVE_BYTES, METRIC_LIVE_OBJECTS, METRIC_RSS_BYTES, METRIC__N };

/* Column that orders rows. */
enum sort_key { SORT_BYTES, SORT_OBJECTS, SORT_LIVE, SORT_RSS, SORT_WASTE, SORT_RATE, SORT_GROWTH, SORT_PEAK };

enum group_key { GROUP_STACK, GROUP_FUNC, GROUP_LINE, GROUP_MODULE, GROUP_TYPE, GROUP_GOROUTINE, GROUP_LABELS, GROUP_ALLOCATION };

struct export_opts {
	const char *tool; /* "allocsnoop 0.1.0" */
	enum window window;
	enum metric metric; /* one-valued formats */
	enum sort_key sort; /* text */
	enum group_key group; /* text */
	uint32_t top; /* text: rows per report */
	uint32_t width; /* text: columns */
	bool color; /* text */
	bool verbose; /* text: plumbing frames too */
	uint32_t report_nr; /* text: 1, 2, ... */
};

struct exporter {
	const char *name; /* --format */
	const char *suffixes; /* space-separated, longest first: ".pb.gz .pprof" */
	bool one_per_line; /* may be written once per interval into one file */
	const char *(*why_not)(void); /* why this build cannot write it, static; NULL if it can; no function: it always can */
	/* 0 or -errno (errors of @out are found by the caller with ferror). */
	int (*write)(const struct profile *prof, const struct export_opts *opts, FILE *out);
};

/* NULL when there is none. */
const struct exporter *exporter_by_name(const char *name);
const struct exporter *exporter_by_path(const char *path);
/* Names for a usage message, "text, folded, ...". */
const char *exporter_names(void);
/* Name @i, NULL behind the last. */
const char *exporter_name(size_t i);

#endif
