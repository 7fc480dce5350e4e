/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line for each interval of a recording: text, or JSON. */
#ifndef ALLOCSNOOP_CMD_TIMELINE_H
#define ALLOCSNOOP_CMD_TIMELINE_H

#include "cmd/options.h"
#include "cmd/recording.h"

int timeline_write(const struct options *opts, const struct recording *rec, struct err *err);

#endif
