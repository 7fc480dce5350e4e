/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command that we start: held before its first instruction until its probes are armed. */
#ifndef ALLOCSNOOP_CMD_CHILD_H
#define ALLOCSNOOP_CMD_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

struct child {
	pid_t pid; /* 0: none */
	int go_fd; /* closing it ends the child, a byte lets it run */
	int result_fd; /* errno of a failed exec, or end of file */
	char **paths; /* the program (or the interpreter of a script) and the libraries that it will load */
	size_t npaths;
};

/* Fork, and find out what the command will map. FAIL_TARGET when there is no such command. */
int child__start(char **command, struct child *ret, struct err *err);
/* Let it execute. FAIL_TARGET when it cannot. */
int child__release(struct child *child, struct err *err);
/* Has it ended? Then its exit code (0-255, 128 + signal) and the child is reaped. */
bool child__reap(struct child *child, int *ret_exit_code);
void child__free(struct child *child);

#endif
