/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that rows of source RSS made resident, by the stacks that had asked for it: a list for a report. Pure. */
#ifndef ALLOCSNOOP_EXPORT_TOUCHED_H
#define ALLOCSNOOP_EXPORT_TOUCHED_H

#include "profile/frames.h"

struct touched_part {
	enum source source;
	uint32_t stack; /* of those that fell together the one with most bytes */
	uint64_t identity; /* of the stack: what is equal falls together */
	uint64_t bytes, top_bytes; /* of all, and of the one with most */
};

struct touched {
	struct touched_part *items;
	size_t len, cap;
	uint64_t untold_bytes; /* of which it is not known who had asked for it */
};

/* What a stack is to whoever asks: two of the same identity are shown as one. */
typedef uint64_t touched_identity_fn(const struct profile *prof, uint32_t stack);

/* Add the parts of @row. With no @identity_fn every stack is one of its own. 0 or -ENOMEM. */
int touched_add(struct touched *touched, const struct profile *prof, uint32_t row, enum window window,
		touched_identity_fn *identity_fn);
/* When all are added: those of one source and identity become one, then most bytes first. */
void touched_settle(struct touched *touched);
/*
 * Of Go's heap: was it told of the allocation that made the runtime take the span of small objects (bpf/span_go.bpf.h), and
 * not of the object's own? Its innermost frame is the runtime's function that notes spans down.
 */
bool touched_took_span(const struct profile *prof, const struct touched_part *part);
void touched_free(struct touched *touched);

#endif
