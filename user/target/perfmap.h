/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of generated code, as a JIT compiler writes them for perf: lines "HEXSTART HEXSIZE name", appended while
 * the program runs (tools/perf/Documentation/jit-interface.txt in Linux). Where code was thrown away and other
 * code made in its place the later line holds.
 */
#ifndef ALLOCSNOOP_TARGET_PERFMAP_H
#define ALLOCSNOOP_TARGET_PERFMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct perfmap;

/* @fd: the file, which is then owned by the perfmap, also on failure; -1: none. Reads nothing yet. */
int perfmap__new(int fd, struct perfmap **ret);
void perfmap__free(struct perfmap *map);

/* Read what was appended since the last time. *ret_full (may be NULL): some of it was beyond the bounds. -errno. */
int perfmap__refresh(struct perfmap *map, bool *ret_full);

/* Take in @len bytes that follow those before; the number of bytes that were whole lines. */
size_t perfmap__feed(struct perfmap *map, const char *text, size_t len);

/* The name of the code at @addr, not terminated, with its length; borrowed until the next refresh or feed. */
bool perfmap__find(struct perfmap *map, uint64_t addr, const char **ret, size_t *ret_len);

#endif
