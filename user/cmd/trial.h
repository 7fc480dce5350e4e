/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A capture that throws away what it sees: what would tracing this process cost? */
#ifndef ALLOCSNOOP_CMD_TRIAL_H
#define ALLOCSNOOP_CMD_TRIAL_H

#include <stdint.h>

#include "cmd/options.h"
#include "go/gomods.h"

struct trial {
	double seconds; /* that it took; 0: there was none */
	uint64_t hits;
	uint64_t cost_ns; /* traps and programs */
	uint64_t cpu_ns; /* of the process, tracing included */
};

/* For duration_s of @opts, or until the process ends; nothing is left behind. 0 or -errno with @err. */
int trial_run(const struct options *opts, pid_t pid, struct modules *mods, struct gomods *gomods, struct trial *ret,
	      struct err *err);

#endif
