/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unwind tables in the kernel: which modules have theirs loaded, and which code of which target they are for.
 *
 * A module's table is compiled at the first target that maps it, and shared by all. It stays
 * when nobody maps it any more, until its room is wanted by another. The room is
 * bounded; code of modules that find none is walked as if it kept frame pointers, and counted.
 */
#ifndef ALLOCSNOOP_CAPTURE_UNWIND_LOAD_H
#define ALLOCSNOOP_CAPTURE_UNWIND_LOAD_H

#include "capture/aspace.h"
#include "capture/session.h"
#include "go/gomods.h"
#include "target/modules.h"

struct unwind_load;

#define UNWIND_MAX_BYTES (128u << 20)

struct unwind_load_opts {
	uint64_t max_bytes; /* of all tables */
	const struct diag *diag;
};

/* @session, @mods and @gomods are borrowed. */
int unwind_load__new(const struct unwind_load_opts *opts, struct session *session, const struct modules *mods,
		     struct gomods *gomods, struct unwind_load **ret);
void unwind_load__free(struct unwind_load *ul);

/* Before any target maps @module: a command will. */
void unwind_load__module(struct unwind_load *ul, uint32_t module);

/* The target in @slot has not mapped anything yet, or it is not known what. */
void unwind_load__expect(struct unwind_load *ul, uint32_t slot);
/* It has these mappings now. 0, or -errno: then its stacks are walked by frame pointers. */
int unwind_load__space(struct unwind_load *ul, uint32_t slot, const struct aspace *as);
/* It is gone. */
void unwind_load__forget(struct unwind_load *ul, uint32_t slot);
/* All programs that ran when this was called the last time have ended. */
void unwind_load__settle(struct unwind_load *ul);

struct unwind_load_stats {
	uint32_t modules; /* with a table that is loaded */
	uint64_t rows, bytes;
	uint64_t no_room; /* modules whose table was not loaded for lack of room */
	uint64_t unmapped; /* code mappings of targets beyond what the list holds */
};

void unwind_load__stats(const struct unwind_load *ul, struct unwind_load_stats *ret);

#endif
