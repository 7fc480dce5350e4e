/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A recording, or a window of one, as a command line names it. */
#ifndef ALLOCSNOOP_CMD_RECORDING_H
#define ALLOCSNOOP_CMD_RECORDING_H

#include "base/err.h"
#include "cmd/options.h"
#include "store/reader.h"

struct recording {
	struct reader *reader;
	struct window_ids ids;
	enum window window; /* WINDOW_ALL: the whole */
	uint64_t from_unix_ns, to_unix_ns;
};

/*
 * "FILE", or "FILE@FROM..TO" (store/window.h) where no file has that whole name. @spec is the window of a plain FILE.
 * Opened, its window found. @ret is for recording__close(), also after a failure.
 */
int recording__open(struct recording *ret, const char *name, const struct window_spec *spec, struct err *err);
void recording__close(struct recording *rec);

/* "until 2026-11-25T08:15:00Z": of @unix_ns, to seconds. */
const char *recording_time(uint64_t unix_ns, char *buf, size_t size);

/* To standard error: where it is from, why it ended. */
void recording__describe(const struct recording *rec, const char *name);

#endif
