/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this kernel and these privileges allow, found out by trying, never by version. */
#ifndef ALLOCSNOOP_CAPTURE_KFEAT_H
#define ALLOCSNOOP_CAPTURE_KFEAT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct kfeat {
	bool uprobe_multi; /* many uprobes in one link, with the PID filter that works for all threads (6.10, stable 6.6) */
	bool fault_tps; /* tp_btf on exceptions:page_fault_user and _kernel: what the pages of RSS are for */
	bool rss_by_fault; /* that tells of every change when it is made, not of a thread's 64 (6.2) */
	bool rss_tp; /* tp_btf on kmem:rss_stat with what its program needs (5.15) */
	bool fault_event; /* perf's software event page-faults: instead of it, an estimate */
	bool syscall_tps; /* syscalls:sys_exit_mmap and its like (CONFIG_FTRACE_SYSCALLS), and tracefs to find them in */
	bool sys_exit_tp; /* tp_btf on raw_syscalls:sys_exit: instead of them, and dearer */
};

/*
 * 0, or -EPERM / -EOPNOTSUPP with FAIL_KERNEL and a message that names what is
 * missing and what would help.
 */
int kfeat_probe(struct kfeat *ret, struct err *err);

enum kfeat_state { KFEAT_NO, KFEAT_YES, KFEAT_UNKNOWN /* these privileges do not let it be tried */ };

/* For a preflight: one thing that the kernel or the privileges give, or not. */
struct kfeat_row {
	const char *name; /* "uprobe_multi" */
	const char *text; /* what it is for */
	const char *without; /* what is lost without it; for one that is needed: what would help */
	bool needed;
	enum kfeat_state state;
};

#define KFEAT_MAX_ROWS 16

/* All of them, whatever is missing; their number. */
size_t kfeat_rows(struct kfeat_row ret[static KFEAT_MAX_ROWS]);

#endif
