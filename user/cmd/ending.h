/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why a capture ended, in words: for a recording. */
#ifndef ALLOCSNOOP_CMD_ENDING_H
#define ALLOCSNOOP_CMD_ENDING_H

#include <stddef.h>
#include <stdint.h>

#include "profile/profile.h"

/*
 * "stopped", "the time was up", or, where all targets are gone, how each went: "orders (pid 12) was killed by signal 9
 * (SIGKILL), and the kernel killed for want of memory meanwhile". @oom_kills: how often it did, on this machine, since
 * the attach; the kernel does not say whom.
 */
const char *ending_text(const struct profile *prof, const char *why, uint64_t oom_kills, char *buf, size_t size);

/* The kernel's count of processes killed for want of memory, 0 where it has none. Source: proc(5), /proc/vmstat, oom_kill. */
uint64_t ending_oom_kills(void);

#endif
