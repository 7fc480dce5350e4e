/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose memory it is that becomes resident: touches of a process (bpf/touch.bpf.h) joined
 * with the allocations of it that are known. Pure: records go in, events come out.
 *
 * What cannot be joined is not told: it is the rest of the ledger's row.
 */
#ifndef ALLOCSNOOP_CAPTURE_TOUCHES_H
#define ALLOCSNOOP_CAPTURE_TOUCHES_H

#include "base/event.h"
#include "bpf/abi.h"
#include "capture/mmaps.h"

struct touches;

struct touches_opts {
	uint64_t page_bytes; /* a power of two */
	bool blocks; /* touches wait for a look at the blocks (touches__begin()) before mappings are asked */
};

/* @sink is copied. 0 or -ENOMEM. */
int touches__new(const struct event_sink *sink, uint32_t pid, const struct touches_opts *opts, struct touches **ret);
void touches__free(struct touches *touches);

/* @context_id: of the row. @mmaps, here and below: as of now; NULL: not watched. */
void touches__add(struct touches *touches, const struct abi_rec_touch *rec, uint64_t context_id, const struct mmaps *mmaps);
/* The same where it is known that the memory was allocated at @by_stack_id. */
void touches__add_known(struct touches *touches, const struct abi_rec_touch *rec, uint64_t context_id, enum event_source by,
			uint64_t by_stack_id);
/* The same for a span of Go's heap, of which @rec tells where it lies: what else a folio has is not told. */
void touches__add_in_span(struct touches *touches, const struct abi_rec_touch *rec, uint64_t context_id, uint64_t by_stack_id);
/* An allocation that touched pages itself is over. */
void touches__door(struct touches *touches, const struct abi_rec_door *rec);
/* A call has mapped something, which @mmaps knows by now. */
void touches__call(struct touches *touches, const struct abi_rec_mmap *rec, const struct mmaps *mmaps);
/* A block was given back. */
void touches__freed(struct touches *touches, const struct abi_rec_freed *rec);
/* An exec: what waits will find no block. */
void touches__drop(struct touches *touches);

/*
 * A look at the blocks: begin(), block() for each that is live, end(). @before_ns: when that began. Records may come
 * between. Touches from before @before_ns wait no longer.
 */
void touches__begin(struct touches *touches);
void touches__block(struct touches *touches, uint64_t addr, const struct abi_block *block);
void touches__end(struct touches *touches, uint64_t before_ns);
/* So many wait that a look is due. */
bool touches__wants_look(const struct touches *touches);

/* Pages whose block was not looked for: too many waited. */
uint64_t touches__not_kept(const struct touches *touches);

#endif
