/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the facts about a process leave open, in words for its user. Pure. */
#ifndef ALLOCSNOOP_CAPTURE_DOUBTS_H
#define ALLOCSNOOP_CAPTURE_DOUBTS_H

#include "capture/inspect.h"

/* @kind is a word for scripts ("go_version"), @text a sentence; untrusted names are in it as they are. */
typedef void doubt_fn(void *ctx, const char *kind, const char *text);

/*
 * Calls @fn for each doubt about @in, the weightiest first. @mods gives names to modules; @stepped_ns is what a
 * single-stepped trap costs here, 0 when it was not measured.
 */
void doubts_each(const struct inspection *in, const struct modules *mods, double stepped_ns, doubt_fn *fn, void *ctx);

/* How the stacks of its allocations are found, and where they end. @buf of @size bytes; returns it. */
const char *doubts_stacks(const struct inspection *in, char *buf, size_t size);

#endif
