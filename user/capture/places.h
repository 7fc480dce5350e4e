/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Room in slabs (bpf/abi.h): which words are free. Knows nothing of the memory itself. Pure.
 *
 * What is given back may still be in use by a program that found it a moment ago, so it
 * rests until places__settle(), which is called when all programs that ran before have ended.
 */
#ifndef ALLOCSNOOP_CAPTURE_PLACES_H
#define ALLOCSNOOP_CAPTURE_PLACES_H

#include <stdint.h>

struct places;

int places__new(uint32_t max_slabs, struct places **ret);
void places__free(struct places *places);

/*
 * Room for @words (1 to ABI_SLAB_WORDS) in one slab; *ret is its place. It may be in the slab behind those that
 * were in use: the caller makes that one. -ENOSPC: all slabs are full. -ENOMEM, -EINVAL.
 */
int places__take(struct places *places, uint32_t words, uint32_t *ret);
/* Give back @words at @place, as they were taken. */
void places__give(struct places *places, uint32_t place, uint32_t words);
/* What was given back before this may be taken again. */
void places__settle(struct places *places);

/* Slabs that were ever in use; those are the first. */
uint32_t places__slabs(const struct places *places);
uint64_t places__used_words(const struct places *places);

#endif
