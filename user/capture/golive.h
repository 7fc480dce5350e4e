/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Following the live objects of the targets that run Go: from which source, at which
 * rate, and what was there before.
 *
 * Where the memory profile of the process is on (its rate is looked at again at each
 * sweep: programs change it) its samples are followed; otherwise we sample.
 * What was live before the attach is read from the profile's own buckets, where a symbol
 * tells where they are.
 */
#ifndef ALLOCSNOOP_CAPTURE_GOLIVE_H
#define ALLOCSNOOP_CAPTURE_GOLIVE_H

#include "capture/goheap.h"
#include "capture/plan.h"

struct golive;

struct golive_stats {
	bool profiler_is_on; /* the memory profile of the process that was looked at last */
	bool from_profiler, from_marks; /* where samples came from; both: of different processes or times */
	uint64_t rate_bytes; /* of the newest */
	bool has_before; /* of a process whose memory profile is on what was there before is known, all or in part */
	uint32_t before_cut; /* processes of which it is known in part: the list of buckets was not read to its end */
	uint64_t before_samples; /* live objects from before the attach */
	uint64_t ended_samples; /* live objects of processes that have ended */
	struct goheap_stats heap;
};

struct golive_opts {
	uint32_t rate_bytes; /* one sample in so many bytes where that is ours to say */
	uint64_t min_size_bytes, max_size_bytes; /* of the objects that are wanted */
	bool want_before; /* also what was there before the attach */
};

int golive__new(const struct event_sink *sink, const struct golive_opts *opts, struct golive **ret);
void golive__free(struct golive *live);

/* How a program is followed from its first allocation on: by our samples. */
void golive__begin(struct golive *live, uint32_t slot, struct abi_go *go);

/* Turns return addresses of a process into frames for the sink. */
struct golive_frames {
	void *ctx;
	uint32_t (*resolve)(void *ctx, const uint64_t *return_addrs, uint32_t n, struct event_frame *ret);
};

/*
 * The process in @slot, which maps a Go program of @plan @bias bytes from where the file says, runs. Decides how it is
 * followed and looks at what it has now; call it again from time to time. true: @go has changed and must be handed
 * to the probes.
 */
bool golive__follow(struct golive *live, uint32_t slot, pid_t pid, const struct plan *plan, uint64_t bias,
		    const struct golive_frames *frames, struct abi_go *go);
/* A garbage collection in @slot begins. */
void golive__gc(struct golive *live, uint32_t slot);
/* SAMPLE or FREE. */
void golive__on_object(struct golive *live, uint32_t slot, const struct abi_rec_object *rec);
/* The program in @slot is gone (an exec): so are its objects. */
void golive__drop(struct golive *live, uint32_t slot);

/* The process in @slot has ended. What was live then stays so in the sums. */
void golive__forget(struct golive *live, uint32_t slot);

void golive__stats(const struct golive *live, struct golive_stats *ret);

#endif
