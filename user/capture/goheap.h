/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The objects on the heaps of Go programs that are followed, and which of them are
 * still there.
 *
 * They come from two sources. The runtime's memory profile samples objects and tells
 * when the sweep frees one (goheap__add(), goheap__free_profiled()). Where it is off we
 * sample, and look at what the collector found (goheap__check()):
 *
 * A span's sweepgen grows by 2 with each collection, when the span is swept: 3 more while
 * the span is cached by a P, odd also while it is being swept. The sweep makes the mark
 * bits of the collection that has just ended the span's allocBits, and these stay until the next
 * sweep: allocating moves freeindex only. So when the span of an object has been swept
 * once since we last looked, the object's bit in allocBits says whether that collection
 * found it (objects that are made while it marks count as found). Swept twice, the place may have
 * been freed by the first and be another object's: that counts as still there, and as
 * `unsure`. An object whose span was not swept since counts as there: nobody knows.
 *
 * Weights make up for the chance of being sampled, as pprof's do (Horvitz and Thompson):
 * an estimate, with its variance. Pure but for the reader of the target's memory.
 */
#ifndef ALLOCSNOOP_CAPTURE_GOHEAP_H
#define ALLOCSNOOP_CAPTURE_GOHEAP_H

#include "base/event.h"
#include "bpf/abi.h"
#include "go/golayout.h"
#include "target/proc.h"

struct goheap;

struct goheap_stats {
	uint64_t samples; /* objects that are followed now */
	double unjudged_bytes; /* of the live ones those made since the last collection began to mark */
	uint64_t unsure; /* of them those that were once looked at too late */
	uint64_t table_full; /* objects that are not followed for lack of room */
};

/* What changed at (stack, context) goes to @sink's on_live. */
int goheap__new(const struct event_sink *sink, struct goheap **ret);
void goheap__free(struct goheap *heap);

/*
 * @rec of the target in @slot is followed from now on; what was at its address is gone. @chance: that an object of
 * its size is sampled.
 */
void goheap__add(struct goheap *heap, uint32_t slot, const struct abi_rec_object *rec, double chance);
/* The memory profile says that an object of @slot was freed. false: not one that is followed. */
bool goheap__free_profiled(struct goheap *heap, uint32_t slot, const struct abi_rec_object *rec);
/* A collection in @slot begins to mark. */
void goheap__gc(struct goheap *heap, uint32_t slot);
/* Look at the mark bits of what we sampled in @slot. */
void goheap__check(struct goheap *heap, uint32_t slot, const struct go_layout *layout, const struct mem_reader *reader);
/* The address space of @slot is gone. */
void goheap__drop(struct goheap *heap, uint32_t slot);

/* The process in @slot has ended: what it had stays as it was last known, and is followed no more. How many objects. */
uint32_t goheap__forget(struct goheap *heap, uint32_t slot);

void goheap__stats(const struct goheap *heap, struct goheap_stats *ret);

/* @objects of @bytes each, sampled with @chance, as an estimate. */
struct event_live goheap_estimate(double objects, uint64_t bytes, double chance);

#endif
