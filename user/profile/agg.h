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

/* @prof is borrowed. */
int agg__new(struct profile *prof, agg_module_fn *module_fn, void *ctx, struct agg **ret);
void agg__free(struct agg *agg);

/* Good for as long as @agg. */
struct event_sink agg__sink(struct agg *agg);

#endif
