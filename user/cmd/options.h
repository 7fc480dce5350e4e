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
#include "cmd/push.h"
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
	ACTION_COMPLETION,
	ACTION_MAN,
};

enum shell { SHELL_BASH, SHELL_ZSH, SHELL_FISH };

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
	bool pushes;
	struct push_url push;
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
	enum shell shell; /* completion */
};

/* Is the output @path a recording? By its ending; in `record` also any that says no other format. */
bool options_is_recording(const struct options *opts, const char *path);

/* 0, or -EINVAL with FAIL_USAGE and a message. */
int options_parse(int argc, char **argv, struct options *ret, struct err *err);
void options_free(struct options *opts);
void options_print_help(FILE *out);

/* Colours on standard output? On a terminal, unless --no-color or a NO_COLOR that is not empty (no-color.org). */
bool options_color(const struct options *opts);

/* What the help, the manual page and the completions are made of. All strings are static. */
struct option_doc {
	char letter; /* 0: none */
	const char *name;
	const char *arg; /* NULL: takes none; its first word is FILE or PID where it is one */
	const char *help;
};

struct options_example {
	const char *command; /* behind "allocsnoop " */
	const char *what; /* "" where it speaks for itself */
};

struct options_text {
	const char *const *synopsis; /* each behind "allocsnoop "; NULL-terminated */
	const char *about; /* lines */
	const struct options_example *examples; /* ends with a NULL command */
};
extern const struct options_text options_text;

/* Option @i; false behind the last. */
bool options_doc(size_t i, struct option_doc *ret);
/* Word @i of those of which the value of @option must be one; NULL behind the last, and where there are none. */
const char *options_value(size_t option, size_t i);
bool options_takes(enum action action, size_t option);
/* First word @i of a command line, NULL behind the last; what it does, in lines. */
const char *options_action(size_t i, enum action *ret_action, const char **ret_about);
/* Shell @i of completion, NULL behind the last. */
const char *options_shell(size_t i);

#endif
