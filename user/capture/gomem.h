/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the RSS of a running Go program is made of, by its runtime and by the kernel. */
#ifndef ALLOCSNOOP_CAPTURE_GOMEM_H
#define ALLOCSNOOP_CAPTURE_GOMEM_H

#include "base/go_rss.h"
#include "go/gostats.h"
#include "target/smaps.h"

/* Zero: nothing was looked at. */
struct gomem {
	bool looked;
	const char *unknown; /* static: why it is not known; NULL: it is */
	struct go_rss rss;
	uint32_t image; /* that @vars are of */
	struct gostats_vars vars;
};

/*
 * Look at process @pid, whose @image is the program @bin, loaded @bias bytes from where the file says. Reads some KiB of
 * its memory (once all of its variables that have pointers), and its smaps.
 */
void gomem__look(struct gomem *mem, pid_t pid, uint32_t image, const struct gobin *bin, uint64_t bias);
void gomem__forget(struct gomem *mem);
/* Where its lowest arena is, and the runtime's map of all; 0: not known, or there is none yet. */
uint64_t gomem__heap_start(struct gomem *mem, pid_t pid, uint32_t image, const struct gobin *bin, uint64_t bias,
			   uint64_t *ret_map);

/* What it has allocated, by its own count. false: not known. */
bool gomem__allocs(struct gomem *mem, pid_t pid, uint32_t image, const struct gobin *bin, uint64_t bias,
		   struct gostats_allocs *ret);

/* Where in a process its Go program has its memory. */
struct gomem_places {
	const struct gostats_arenas *arenas;
	uint64_t vars_start, vars_end; /* the program's variables */
};

/* Add what there is of @map to the kernel's half of @ret. false: a mapping of which only a part is in arenas. */
bool gomem_add(const struct gomem_places *places, const struct smap *map, struct go_rss *ret);

#endif
