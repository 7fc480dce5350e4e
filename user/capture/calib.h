/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a probe costs on this machine: a loop over functions of our own, without and
 * with an empty program on them. Milliseconds; the target is not touched.
 */
#ifndef ALLOCSNOOP_CAPTURE_CALIB_H
#define ALLOCSNOOP_CAPTURE_CALIB_H

#include <stdbool.h>

#include "base/err.h"

struct calib {
	double emulated_ns; /* a hit at an instruction that the kernel emulates */
	double stepped_ns; /* at one that it single-steps */
	double return_ns; /* what a uretprobe adds to an emulated entry */
};

/* 0, or -errno with a message; @uprobe_multi as in struct kfeat. */
int calib_run(bool uprobe_multi, struct calib *ret, struct err *err);

#endif
