/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The manual page allocsnoop(8), in man(7), made of what the help says (options.h). */
#ifndef ALLOCSNOOP_CMD_MANUAL_H
#define ALLOCSNOOP_CMD_MANUAL_H

#include <stdio.h>

#include "base/err.h"

/* 0, or -EIO with a message. */
int manual_print(FILE *out, struct err *err);

#endif
