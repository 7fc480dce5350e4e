/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes a recording: a profile, an interval at a time, into one file (schema.h). Each call of writer__append() is one
 * transaction, synced: whatever happens behind it, the file has it.
 */
#ifndef ALLOCSNOOP_STORE_WRITER_H
#define ALLOCSNOOP_STORE_WRITER_H

#include "base/err.h"
#include "profile/profile.h"

struct writer;

struct writer_opts {
	const char *tool, *when; /* borrowed; @when: the condition around which rows are kept, "" if there is none */
	uint64_t interval_ns;
	/*
	 * The file's bound, 0: none. When it is near, the history of the oldest intervals becomes that of one: sums stay,
	 * what was when is lost for them.
	 */
	uint64_t max_bytes;
	/* Nonzero: history older than this becomes that of one interval too, unless it is kept (writer__append()). */
	uint64_t around_ns;
};

#define WRITER_MIN_MAX_BYTES (256u << 10)

/* The file, empty, in place of a recording that is there. */
int writer__new(const char *path, const struct writer_opts *opts, struct writer **ret, struct err *err);

/*
 * What @prof has now: the end of an interval. Its frames must be known (sym__annotate()). Always the same profile, whose
 * strings and arrays only grow. @keep: the history from around_ns before to around_ns after stays.
 * On failure the recording ends with the last interval; the writer is only good for writer__free().
 */
int writer__append(struct writer *writer, struct profile *prof, bool keep, struct err *err);

/* Why it ended, at @unix_ns; nothing can be appended after that. */
int writer__end(struct writer *writer, const char *ending, uint64_t unix_ns, struct err *err);

/* Closes. A file without one interval is removed. NULL is fine. */
void writer__free(struct writer *writer);

#endif
