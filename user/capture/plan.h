/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan: what to probe in a module, where, and why. Reads files, attaches nothing.
 * A new allocator is a row of a table in plan.c.
 */
#ifndef ALLOCSNOOP_CAPTURE_PLAN_H
#define ALLOCSNOOP_CAPTURE_PLAN_H

#include "base/err.h"
#include "bpf/abi.h"
#include "go/gomemprof.h"
#include "go/gomods.h"
#include "target/modules.h"

enum probe_prog {
	PROBE_GO, /* go_malloc */
	PROBE_C_FREE, /* c_free; before PROBE_C, so that no block is followed whose free would not be seen */
	PROBE_C_RETURN, /* c_new_return, on a return instruction */
	PROBE_C, /* c_malloc and, at the return, c_malloc_return */
	PROBE_C_THROW, /* c_throw, on what C++ throws by */
	PROBE_C_NEW, /* c_malloc on a door that may throw */
	PROBE_MAPS, /* maps_changed */
	PROBE_GO_SAMPLED, /* go_profile_malloc */
	PROBE_GO_FREED, /* go_profile_free */
	PROBE_GO_SPAN, /* go_span_push */
	PROBE_GO_GC, /* go_gc_start */
	PROBE_GO_SPAN_TAKEN, /* go_span_taken */
	PROBE__N,
};

#define PROBE_CHECK_BYTES 8

struct probe_site {
	enum probe_prog prog;
	uint64_t file_off, vaddr; /* of the probed instruction */
	uint32_t spot_flags; /* enum abi_spot_flag */
	uint32_t door; /* enum abi_door */
	uint8_t bytes[PROBE_CHECK_BYTES]; /* the file's bytes there */
	char name[64]; /* the function */
};

struct plan {
	struct probe_site *sites;
	size_t len, cap;
	const char *malloc_prefixes; /* "je_,mi_": names that doors have, too; set before, borrowed; NULL: none */
	bool has_go; /* doors of Go */
	bool has_c;
	bool has_runtime; /* a Go runtime of which something is known, with doors or without. Then: */
	struct abi_go go;
	const struct go_layout *layout;
	struct gomemprof_vars memprof; /* PLAN_LIVE */
	char runtime[64]; /* "go1.19.8", or "" */
};

enum { PLAN_GO = 1, PLAN_C = 2, PLAN_LIVE = 4, PLAN_GO_SPANS = 8 };

/*
 * Add what @mod has to probe to @plan: doors of the kinds in @want. Sites that
 * must be refused are left out with a warning. 0 or -ENOMEM.
 */
int plan__add_module(struct plan *plan, struct gomods *gomods, const struct module *mod, unsigned int want,
		     const struct diag *diag);
void plan__clear(struct plan *plan);

/* Is this a door that programs use all the time, so that a dear probe hurts? */
bool probe_site__is_hot(const struct probe_site *site);

#endif
