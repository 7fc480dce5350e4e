/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which functions are not the program's own: by their names. */
#ifndef ALLOCSNOOP_PROFILE_PLUMBING_H
#define ALLOCSNOOP_PROFILE_PLUMBING_H

#include <stdbool.h>

/*
 * Is @func (demangled) runtime or allocator internals, which a text report leaves out? A pure function of the
 * name; a stack that consists of nothing else is the report's case to care for.
 */
bool plumbing_is(const char *func);
/* glibc's inner names of what it exports ("__GI___libc_malloc") as programs call it ("malloc"); others as they are. */
const char *plumbing_public_name(const char *func);

#endif
