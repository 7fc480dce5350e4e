/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Differences of two profiles (profile/diff.h), in the formats that can show one. */
#ifndef ALLOCSNOOP_EXPORT_DIFF_H
#define ALLOCSNOOP_EXPORT_DIFF_H

#include <stdio.h>

#include "export/export.h"
#include "profile/diff.h"

/* Where each side is from. */
struct diff_origin {
	const char *name; /* as the command line has it */
	uint64_t from_unix_ns, to_unix_ns;
};

struct diff_opts {
	struct diff_origin before, after;
	struct export_opts export; /* metric, top, width, colour, verbose, tool */
	bool is_stacks; /* of DIFF_STACK: rows are stacks, else names */
};

/*
 * In the format of @exporter: text and json; folded as difffolded.pl writes it ("stack BEFORE AFTER"), one metric, in
 * units and not per second; html per second, as json; pprof with after less before, as `go tool pprof -diff_base` makes it.
 * 0 or -errno; -ENOTSUP for the others.
 */
int diff_write(const struct diff *diff, const struct exporter *exporter, const struct diff_opts *opts, FILE *out);

#endif
