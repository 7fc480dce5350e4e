/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where results go. Every output is opened before the capture starts, so that one
 * that cannot be written is told then and not an hour later. A file is written
 * under another name beside it and put in place when it is complete; one that takes
 * a document per interval is written as it goes. A recording is a file that
 * grows by an interval at a time, in place from the beginning (store/writer.h).
 */
#ifndef ALLOCSNOOP_CMD_OUTPUT_H
#define ALLOCSNOOP_CMD_OUTPUT_H

#include "base/err.h"
#include "cmd/options.h"
#include "export/export.h"
#include "store/writer.h"

/* How results look, by the command line and the terminal. */
struct export_opts output_export_opts(const struct options *opts, enum window window);

/* The exporter of output @path where --format does not say otherwise: with several files each ending tells. */
const struct exporter *output_exporter(const struct options *opts, const char *path);

struct output {
	const struct exporter *exporter; /* NULL: a recording */
	const char *path; /* as given; "-" is standard output */
	bool streams; /* a document per interval */
	struct writer *writer; /* of a recording */
	FILE *file;
	char *tmp_path; /* NULL: written in place */
};

int output__open(struct output *out, const struct exporter *exporter, const char *path, bool streams, struct err *err);
int output__open_recording(struct output *out, const char *path, const struct writer_opts *opts, struct err *err);
/* Neither given up nor put in place. */
bool output__is_open(const struct output *out);
/* One document. -EPIPE: nobody reads any more. */
int output__write(struct output *out, const struct profile *prof, const struct export_opts *opts, struct err *err);
/* Complete: put it in place. */
int output__commit(struct output *out, struct err *err);
/* Give up: leave nothing behind, but of a recording what it has. Takes a committed or never opened one, too. */
void output__abort(struct output *out);

#endif
