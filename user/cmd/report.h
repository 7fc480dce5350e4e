/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `allocsnoop report` and `allocsnoop diff`: from recordings. */
#ifndef ALLOCSNOOP_CMD_REPORT_H
#define ALLOCSNOOP_CMD_REPORT_H

#include "base/err.h"
#include "cmd/options.h"

int report_run(const struct options *opts, struct err *err);
int diff_run(const struct options *opts, struct err *err);

#endif
