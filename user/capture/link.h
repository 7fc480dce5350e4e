/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libbpf does not do: uprobe_multi links (it has them from 1.3 on), and perf events, by the bare system call. */
#ifndef ALLOCSNOOP_CAPTURE_LINK_H
#define ALLOCSNOOP_CAPTURE_LINK_H

#include <stdint.h>
#include <sys/types.h>

#define ATTACH_TYPE_UPROBE_MULTI 48 /* BPF_TRACE_UPROBE_MULTI of linux/bpf.h, 6.6 */
#define ATTACH_TYPE_UPROBE_SESSION 57 /* BPF_TRACE_UPROBE_SESSION, 6.13 */

/* When the program runs: at the instruction, at the return of the function that it begins, or at both. */
enum link_when { LINK_ENTRY, LINK_RETURN, LINK_SESSION };

/*
 * Probe @n instructions of the file at @path, given by file offset, in the address
 * space of @pid only. @cookies may be NULL. The program's expected attach type is ATTACH_TYPE_UPROBE_SESSION for
 * LINK_SESSION, else ATTACH_TYPE_UPROBE_MULTI. The link's descriptor, or -1 with errno.
 */
int link_uprobe_multi(int prog_fd, const char *path, const unsigned long *offsets, const uint64_t *cookies, uint32_t n,
		      enum link_when when, pid_t pid);

/*
 * perf's software event page-faults, at each of them, of a process (@cpu -1) or, with @pid -1, of a CPU. Its descriptor,
 * or -1 with errno: ENODEV, the CPU is off.
 */
int link_fault_event(pid_t pid, int cpu);

#endif
