/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `allocsnoop report`: from a recording. */
#ifndef ALLOCSNOOP_CMD_REPORT_H
#define ALLOCSNOOP_CMD_REPORT_H

#include "base/err.h"
#include "cmd/options.h"

int report_run(const struct options *opts, struct err *err);

#endif
