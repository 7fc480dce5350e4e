/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Completions of the command line for a shell, made of the table of options (options.h). */
#ifndef ALLOCSNOOP_CMD_COMPLETION_H
#define ALLOCSNOOP_CMD_COMPLETION_H

#include <stdio.h>

#include "base/err.h"
#include "cmd/options.h"

/* 0, or -EIO with a message. */
int completion_print(enum shell shell, FILE *out, struct err *err);

#endif
