/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bursts: what was seen in each, and what that stands for.
 *
 * A burst stands for the time around it: from the middle between it and the one before to the middle between it and the
 * next, or from the end of exact tracing, or to the moment when somebody wants the counts. Its counts are multiplied by
 * that time over its own length, less what of that the probes took: a program that allocates all the time does less in a
 * burst than it would have done (bursts_scale()). Where the kernel puts probes in and out late nothing is off, for the
 * programs look at the clock.
 *
 * Tried before: a burst for the time since the last one. The gap behind a dear burst is the longer one, so the end of
 * each busy phase went to the quiet that came after it, a third of what there was.
 *
 * Pure, but for the governor's state inside.
 */
#ifndef ALLOCSNOOP_CAPTURE_BURSTS_H
#define ALLOCSNOOP_CAPTURE_BURSTS_H

#include "base/event.h"
#include "capture/governor.h"

struct bursts {
	struct governor governor;
	uint64_t covered_ns; /* until when the counts stand for something */
	uint32_t nr;
	bool is_sampling; /* counts are of bursts: event.h */
	bool is_open; /* a burst is over, but it is not known yet for how long it stands: */
	struct governor_reading from, to;
};

/*
 * How many times what was seen in @window_ns happened in @stands_for_ns. The probes took @cost_ns of CPU time in it, of a
 * program that uses @cpus CPUs: as far as it was running, that time is missing.
 */
double bursts_scale(double stands_for_ns, double window_ns, double cost_ns, double cpus);

/*
 * What the probes take is not known better than to this part of it: what they push out of the CPU's caches costs the
 * program later. (Measured: a malloc cost 2.73 us more, of which 2.38 were accounted for.)
 */
#define BURSTS_COST_DOUBT 0.15

/* How far that may be off for it, as a part of it. */
double bursts_doubt(double window_ns, double cost_ns, double cpus);

/* A burst from @from to @to is over. */
void bursts__add(struct bursts *b, const struct governor_reading *from, const struct governor_reading *to);
/* Until when it stands, if the next one begins now. */
uint64_t bursts__middle(const struct bursts *b, uint64_t now_ns);
/* It stands until @until_ns. false: none is open. */
bool bursts__end(struct bursts *b, uint64_t until_ns, struct event_burst *ret);

#endif
