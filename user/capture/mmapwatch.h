/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code mappings as the kernel makes them: perf's own mmap records for one process
 * and all that it will fork. A program that we start may have ended before anyone
 * could read its /proc/PID/maps; these records stay.
 */
#ifndef ALLOCSNOOP_CAPTURE_MMAPWATCH_H
#define ALLOCSNOOP_CAPTURE_MMAPWATCH_H

#include "base/err.h"
#include "target/proc.h"

struct mmapwatch;

struct mmapwatch_event {
	pid_t pid;
	bool is_exec; /* the old mappings are gone; else one is new: */
	struct mapping map; /* path is borrowed for the call */
};

/* Watch @pid, which has one thread and waits, on each of @ncpus CPUs. 0 or -errno. */
int mmapwatch__open(pid_t pid, int ncpus, struct mmapwatch **ret);
void mmapwatch__free(struct mmapwatch *watch);
/* Hand on what has come. Number of records that the kernel had no room for. */
uint64_t mmapwatch__read(struct mmapwatch *watch, void (*fn)(void *ctx, const struct mmapwatch_event *event), void *ctx);

#endif
