/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `allocsnoop check`: what this kernel and these processes allow, what tracing would
 * cost, and what allocsnoop is not sure of.
 */
#ifndef ALLOCSNOOP_CMD_CHECK_H
#define ALLOCSNOOP_CMD_CHECK_H

#include <stdio.h>

#include "capture/calib.h"
#include "capture/inspect.h"
#include "capture/kfeat.h"
#include "cmd/options.h"
#include "cmd/trial.h"

/* What was found out: of this machine, */
struct check_host {
	char release[65], machine[65];
	struct kfeat_row rows[KFEAT_MAX_ROWS];
	size_t nrows;
	struct err err; /* why it cannot run here, kind FAIL_NONE: it can */
	bool has_calib;
	struct calib calib;
};

/* and of a process. */
struct check_target {
	pid_t pid;
	struct inspection *in; /* NULL: see err */
	struct err err; /* why it cannot be traced */
	struct trial trial; /* seconds 0: none */
	struct err trial_err;
};

struct check {
	const struct options *opts;
	struct check_host host;
	struct modules *mods;
	struct gomods *gomods;
	struct check_target *targets; /* opts->npids of them */
};

/* Print it and do it. 0, or -errno with @err. */
int check_run(const struct options *opts, struct err *err);

/* Which table names a door: "pclntab", "symtab", "dynsym". */
const char *check_door_source(const struct check *check, const struct inspect_door *door);

/* The two forms of the result. */
void check_write_text(const struct check *check, FILE *out, bool color);
void check_write_json(const struct check *check, FILE *out);

#endif
