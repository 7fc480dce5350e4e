/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debug files from debuginfod servers, for those who ask for it: nothing is sent to anybody otherwise. The library
 * is opened when it is wanted, so that nobody else needs it.
 */
#ifndef ALLOCSNOOP_SYM_DEBUGINFOD_H
#define ALLOCSNOOP_SYM_DEBUGINFOD_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct debuginfod;

/* The servers are those of the environment variable DEBUGINFOD_URLS. 0, or -errno with a message. @diag is borrowed. */
int debuginfod__new(const struct diag *diag, struct debuginfod **ret, struct err *err);
void debuginfod__free(struct debuginfod *self);

/*
 * The debug file with this build ID, from a server or the library's cache; @what it is for is said. A descriptor,
 * -ENOENT when nobody has it, or another -errno. Waits for two minutes at most (DEBUGINFOD_MAXTIME), and not at all
 * any more once servers did not answer, or a signal wants this process to end.
 */
int debuginfod__fetch(struct debuginfod *self, const uint8_t *build_id, size_t len, const char *what);

#endif
