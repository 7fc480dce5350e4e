// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/link.h"

#include <linux/perf_event.h>
#include <linux/types.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CMD_LINK_CREATE 28 /* BPF_LINK_CREATE */
#define FLAG_RETURN 1 /* BPF_F_UPROBE_MULTI_RETURN */

/* union bpf_attr, link_create with uprobe_multi (linux/bpf.h, 6.6). */
struct link_create_attr {
	__u32 prog_fd, target_fd, attach_type, flags;
	struct {
		__aligned_u64 path, offsets, ref_ctr_offsets, cookies;
		__u32 cnt, flags, pid, pad;
	} uprobe_multi;
};

int link_uprobe_multi(int prog_fd, const char *path, const unsigned long *offsets, const uint64_t *cookies, uint32_t n,
		      enum link_when when, pid_t pid)
{
	struct link_create_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_fd = prog_fd;
	attr.attach_type = when == LINK_SESSION ? ATTACH_TYPE_UPROBE_SESSION : ATTACH_TYPE_UPROBE_MULTI;
	attr.uprobe_multi.path = (uintptr_t)path;
	attr.uprobe_multi.offsets = (uintptr_t)offsets;
	attr.uprobe_multi.cookies = (uintptr_t)cookies;
	attr.uprobe_multi.cnt = n;
	attr.uprobe_multi.flags = when == LINK_RETURN ? FLAG_RETURN : 0;
	attr.uprobe_multi.pid = pid;
	return (int)syscall(SYS_bpf, CMD_LINK_CREATE, &attr, sizeof(attr));
}

int link_fault_event(pid_t pid, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_PAGE_FAULTS,
		.sample_period = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}
