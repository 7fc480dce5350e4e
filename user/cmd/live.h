/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ALLOCSNOOP_CMD_LIVE_H
#define ALLOCSNOOP_CMD_LIVE_H

#include "base/err.h"
#include "cmd/options.h"

/* Capture and report until told to stop. 0, or -errno with @err. */
int live_run(const struct options *opts, struct err *err);

#endif
