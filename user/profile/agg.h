/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From events to the profile: an event sink that adds up.
 */
#ifndef ALLOCSNOOP_PROFILE_AGG_H
#define ALLOCSNOOP_PROFILE_AGG_H

#include "base/event.h"
#include "profile/profile.h"

struct agg;

/* A module as the profile wants it; agg asks once for each module id of an event. */
typedef void agg_module_fn(void *ctx, uint32_t module, struct prof_module *ret, struct strtab *strs);

/*
 * How much is kept. A target decides how many different stacks and contexts it has: one that recurses
 * at random, or passes any pointer as a type, never runs out of them. What comes later shares
 * one stack without frames, and the context of which nothing is known: counts stay right.
 */
struct agg_limits {
	uint32_t stacks, contexts, rows;
	uint32_t frames; /* of all stacks together */
	uint32_t locs; /* different places in the code */
};

/*
 * Eight times as many stacks as the kernel side knows at once, and more than anybody reads; a row takes
 * some 200 bytes, a stack 4 for each frame and a place 50: a few hundred MiB in the worst case.
 */
#define AGG_LIMITS ((struct agg_limits){ 1u << 20, 1u << 20, 1u << 20, 1u << 25, 1u << 22 })

/* @prof is borrowed. */
int agg__new(struct profile *prof, const struct agg_limits *limits, agg_module_fn *module_fn, void *ctx, struct agg **ret);
void agg__free(struct agg *agg);

/* What was not kept because of the limits. A stack or context that is told again counts again. */
struct agg_stats {
	uint64_t stacks, contexts;
	uint64_t touches; /* times that it was not kept who had asked for memory */
	uint64_t rows; /* times that something was counted without its stack, for want of a row */
};

void agg__stats(const struct agg *agg, struct agg_stats *ret);

/* Good for as long as @agg. */
struct event_sink agg__sink(struct agg *agg);

#endif
