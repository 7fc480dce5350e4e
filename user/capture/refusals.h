/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An event sink before another one, that counts what the other refuses (it has no
 * memory left): whoever tells an event can do nothing about it, and nobody may lose it silently.
 */
#ifndef ALLOCSNOOP_CAPTURE_REFUSALS_H
#define ALLOCSNOOP_CAPTURE_REFUSALS_H

#include "base/event.h"

struct refusals {
	struct event_sink to;
	uint64_t objects; /* allocations in counts that were refused; of RSS, changes */
	uint64_t names; /* stacks and contexts */
	uint64_t live; /* changes of what is live */
	uint64_t touches; /* times that it was told who had asked for memory */
};

/* Good for as long as @refusals, of which only .to need be set. */
struct event_sink refusals__sink(struct refusals *refusals);

#endif
