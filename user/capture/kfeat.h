/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this kernel and these privileges allow, found out by trying, never by version. */
#ifndef ALLOCSNOOP_CAPTURE_KFEAT_H
#define ALLOCSNOOP_CAPTURE_KFEAT_H

#include <stdbool.h>

#include "base/err.h"

struct kfeat {
	bool uprobe_multi; /* many uprobes in one link, with the PID filter that works for all threads (6.10, stable 6.6) */
	bool rss_tp; /* tp_btf on kmem:rss_stat with what its program needs (5.15) */
};

/*
 * 0, or -EPERM / -EOPNOTSUPP with FAIL_KERNEL and a message that names what is
 * missing and what would help.
 */
int kfeat_probe(struct kfeat *ret, struct err *err);

#endif
