/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line, parsed by one table from which the help is printed, too. */
#ifndef ALLOCSNOOP_CMD_OPTIONS_H
#define ALLOCSNOOP_CMD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "cmd/condition.h"
#include "cmd/listen.h"
#include "export/export.h"
#include "store/window.h"

#define MAX_OUTPUTS 16

enum mode_option { MODE_DEFAULT, MODE_AUTO, MODE_EXACT, MODE_SAMPLED };
/* The first word of the command line. */
enum action {
	ACTION_LIVE, /* none */
	ACTION_CHECK, /* duration_s 0 is no trial */
	ACTION_RECORD,
	ACTION_REPORT,
	ACTION_DIFF,
};

struct options {
	enum action action;
	pid_t *pids;
	size_t npids;
	char **command; /* NULL-terminated, points into argv; NULL: none */
	double duration_s; /* 0: none given */
	double interval_s; /* 0: none given */
	uint64_t count; /* 0: none given */
	uint32_t tid;
	enum mode_option mode;
	double max_overhead_pct; /* of the target's CPU time */
	bool max_overhead_given;
	bool follow;
	uint64_t min_size_bytes, max_size_bytes;
	uint32_t top;
	enum sort_key sort;
	enum group_key group;
	enum metric metric;
	bool want_go, want_malloc, want_mmap, want_rss;
	bool source_given, sort_given;
	bool live, live_rate_given, peak;
	uint64_t live_rate_bytes; /* of Go's objects */
	uint64_t block_rate_bytes; /* of C blocks; 0: every one */
	uint64_t max_blocks; /* 0: as many as usual */
	double older_s; /* 0: any age */
	const char *malloc_prefixes; /* NULL: none */
	const struct exporter *format; /* NULL: not given */
	bool listens;
	struct listen_addr listen;
	const char *outputs[MAX_OUTPUTS];
	size_t noutputs;
	bool no_stacks;
	bool no_areas;
	/* Of recordings. */
	const char *files[2]; /* report: the one; diff: before and after */
	struct window_spec window;
	bool timeline;
	const char *when; /* NULL: not given */
	struct condition condition;
	double around_s;
	uint64_t max_file_bytes; /* 0: no bound */
	bool max_file_given;
	bool kernel_stacks;
	bool debuginfod; /* ask servers for debug files */
	bool verbose, quiet, no_color;
	bool help, version;
};

/* Is the output @path a recording? By its ending; in `record` also any that says no other format. */
bool options_is_recording(const struct options *opts, const char *path);

/* 0, or -EINVAL with FAIL_USAGE and a message. */
int options_parse(int argc, char **argv, struct options *ret, struct err *err);
void options_free(struct options *opts);
void options_print_help(FILE *out);

#endif
