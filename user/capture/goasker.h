/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Go's runtime touches much of what it allocates itself: mallocgc clears it, growslice copies into it. A stack of the
 * RSS ledger that passes through such a function is also that of who asked for the memory, from
 * that function on: told to the sink as a stack of its own, once. Pure.
 */
#ifndef ALLOCSNOOP_CAPTURE_GOASKER_H
#define ALLOCSNOOP_CAPTURE_GOASKER_H

#include "base/event.h"
#include "go/gomods.h"

struct goasker;

/* @sink is copied, @gomods borrowed. 0 or -ENOMEM. */
int goasker__new(const struct event_sink *sink, struct gomods *gomods, struct goasker **ret);
void goasker__free(struct goasker *asker);

/* A stack whose touches may come, as it is told to the sink. */
void goasker__stack(struct goasker *asker, uint64_t stack_id, const struct event_frame *frames, uint32_t nframes, uint32_t flags);
/* The stack that asked for the memory of Go's heap that @stack_id touches; 0: not known. */
uint64_t goasker__find(const struct goasker *asker, uint64_t stack_id);

/* Does the function of that name allocate the memory that it, or what it calls, touches? */
bool goasker_fills(const char *func);

#endif
