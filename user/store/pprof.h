/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads pprof files, ours and anybody's (Go's heap profiles, gperftools' by way of pprof), as far as they tell of
 * memory. The file is hostile input. Source: proto/profile.proto of google/pprof, and what its parser checks.
 */
#ifndef ALLOCSNOOP_STORE_PPROF_H
#define ALLOCSNOOP_STORE_PPROF_H

#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"
#include "profile/profile.h"

/* Is it one, by its first bytes (gzip) or its ending (.pb, .pprof, .gz)? false also where it cannot be read. */
bool pprof_is(const char *path);

/*
 * The profile, with frames: rows told apart by the labels source, type and goroutine, the other labels as labels. Where
 * there is no label source it is go if any function is of Go's runtime, else malloc. Numbers without a variance.
 * 0 or -errno with one line in @err; @name is what that calls the file.
 */
int pprof_load(const char *path, struct profile **ret, struct err *err);
/* The same of bytes that are not packed. */
int pprof_parse(struct span bytes, const char *name, struct profile **ret, struct err *err);
/* Unpacks @bytes, if they are packed, and parses. */
int pprof_read(struct span bytes, const char *name, struct profile **ret, struct err *err);

#endif
