/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The runtime's own memory profile (runtime/mprof.go) as it lies in a process: its
 * sampling rate, and its buckets, one for each stack and object size. Buckets are
 * never freed, so that they can be read while the program runs.
 */
#ifndef ALLOCSNOOP_GO_GOMEMPROF_H
#define ALLOCSNOOP_GO_GOMEMPROF_H

#include "go/gobin.h"
#include "target/proc.h"

#define GOMEMPROF_MAX_RATES 4
#define GOMEMPROF_MAX_STACK 128

/* ELF addresses of its variables. */
struct gomemprof_vars {
	uint64_t rates[GOMEMPROF_MAX_RATES]; /* one of them is runtime.MemProfileRate */
	uint32_t nrates; /* 0: not found */
	uint64_t mbuckets; /* runtime.mbuckets; 0: not found (a stripped program) */
};

/* By symbol; the rate also by what the code of runtime.profilealloc reads (amd64). */
void gomemprof_find(struct elf_file *elf, const struct gobin *bin, struct gomemprof_vars *ret);

/*
 * Bytes between samples, 0: the profile is off. @bias: what the loader added to ELF addresses.
 * false when it cannot be told.
 */
bool gomemprof_rate(const struct gomemprof_vars *vars, const struct mem_reader *reader, uint64_t bias, uint64_t *ret);

struct gomemprof_bucket {
	uint64_t addr;
	uint64_t object_bytes;
	uint64_t allocs, frees; /* sampled objects, published or not */
	uint32_t nstack;
	uint64_t stack[GOMEMPROF_MAX_STACK]; /* return addresses, innermost first */
};

/* Chance that the runtime samples an object of @bytes: 1 - exp(-bytes / rate) (runtime/pprof: scaleHeapSample()). */
double gomemprof_chance(uint64_t bytes, uint64_t rate);

/*
 * Calls @fn for every bucket of the heap, newest first. 0, -ENOMEM, or -EFAULT when the list could not be read to
 * its end.
 */
int gomemprof_each(const struct gomemprof_vars *vars, const struct go_layout *layout, const struct mem_reader *reader,
		   uint64_t bias, void (*fn)(void *ctx, const struct gomemprof_bucket *bucket), void *ctx);

#endif
