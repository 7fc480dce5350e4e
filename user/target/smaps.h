/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /proc/PID/smaps: what there is of each mapping. To read it makes the kernel walk the
 * page tables of the process, some milliseconds for each GiB that is there.
 */
#ifndef ALLOCSNOOP_TARGET_SMAPS_H
#define ALLOCSNOOP_TARGET_SMAPS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct smap {
	uint64_t start, end;
	bool has_file;
	uint64_t rss_bytes, lazy_free_bytes, anon_huge_bytes; /* Rss, LazyFree, AnonHugePages */
};

typedef void smap_fn(void *ctx, const struct smap *map);

/* Calls @fn for each mapping, ascending. 0, or -errno: -ESRCH when the process is gone. */
int smaps_each(pid_t pid, smap_fn *fn, void *ctx);
/* The same from the text in @in; lines that make no sense are left out. */
int smaps_parse(FILE *in, smap_fn *fn, void *ctx);

#endif
