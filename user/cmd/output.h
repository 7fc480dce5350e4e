/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where results go. Every output is opened before the capture starts, so that one
 * that cannot be written is told then and not an hour later. A file is written
 * under another name beside it and put in place when it is complete; one that takes
 * a document per interval is written as it goes.
 */
#ifndef ALLOCSNOOP_CMD_OUTPUT_H
#define ALLOCSNOOP_CMD_OUTPUT_H

#include "base/err.h"
#include "export/export.h"

struct output {
	const struct exporter *exporter;
	const char *path; /* as given; "-" is standard output */
	bool streams; /* a document per interval */
	FILE *file;
	char *tmp_path; /* NULL: written in place */
};

int output__open(struct output *out, const struct exporter *exporter, const char *path, bool streams, struct err *err);
/* One document. -EPIPE: nobody reads any more. */
int output__write(struct output *out, const struct profile *prof, const struct export_opts *opts, struct err *err);
/* Complete: put it in place. */
int output__commit(struct output *out, struct err *err);
/* Give up: leave nothing behind. Takes a committed or never opened one, too. */
void output__abort(struct output *out);

#endif
