/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An address space of a target as a list of code mappings with their modules, and
 * the judgement of a raw stack by it: which words are code addresses of which file,
 * and where the walk left the ground.
 *
 * It remembers: a library that was unloaded stays until other code is mapped in its
 * place, because stacks through it may still be on their way.
 */
#ifndef ALLOCSNOOP_CAPTURE_ASPACE_H
#define ALLOCSNOOP_CAPTURE_ASPACE_H

#include "base/event.h"
#include "bpf/abi.h"
#include "go/gomods.h"
#include "target/modules.h"

struct aspace_index;

struct aspace {
	struct mappings maps; /* of code */
	uint32_t *modules; /* by index of the mapping */
	struct aspace_index *index; /* made when it is asked for, and again when the mappings have changed */
};

/*
 * Add what is mapped in @pid now. *ret_replaced (may be NULL): other code stands where
 * code was known, so the same address has meant two things. -errno leaves it as it was.
 */
int aspace__read(struct aspace *as, struct modules *mods, pid_t pid, bool *ret_replaced);
/* The same mappings as @from (a forked child's). */
int aspace__copy(struct aspace *as, const struct aspace *from);
/* Add one mapping that is not in /proc any more, or not yet; what it overlaps is cut away. */
int aspace__add(struct aspace *as, const struct mapping *map, uint32_t module);
void aspace__free(struct aspace *as);

/* Index of the code mapping that holds @addr, or -1. */
int aspace__find_code(const struct aspace *as, uint64_t addr);

/*
 * The frames of @rec in @ret (places for ABI_MAX_FRAMES + 1), innermost first, up to
 * the first word that cannot be a caller, and again from the next that is certain
 * (ABI_FRAME_CERTAIN); *ret_flags are enum event_stack_flag.
 * *ret_unmapped (may be NULL): that word lies in no code that is known here.
 * The number of frames.
 */
uint32_t aspace__resolve_stack(const struct aspace *as, const struct modules *mods, struct gomods *gomods,
			       const struct abi_rec_stack *rec, struct event_frame *ret, uint32_t *ret_flags,
			       bool *ret_unmapped);

/* The code address @return_addr, not judged, as the call before it; false when no code is mapped there. */
bool aspace__find_call(const struct aspace *as, const struct modules *mods, uint64_t return_addr, struct event_frame *ret);

/* The look-ups below are told of by every record: each costs O(log n), once the index is there. */

/*
 * The file and the address in it of the Go type descriptor at @addr; false when no file's types hold it (or, with
 * a file mapped over another's types, when it cannot be told).
 */
bool aspace__find_go_type(struct aspace *as, const struct modules *mods, struct gomods *gomods, uint64_t addr,
			  uint32_t *ret_module, uint64_t *ret_vaddr);

/* Is any code of @module mapped? */
bool aspace__has_module(struct aspace *as, uint32_t module);

/* How far @module is from where its file says: of all its segments. false when no code of it is mapped. */
bool aspace__find_bias(struct aspace *as, const struct modules *mods, uint32_t module, uint64_t *ret);

/* Entries of the index that look-ups have compared since it was made: what they cost. */
uint64_t aspace__index_steps(const struct aspace *as);

#endif
