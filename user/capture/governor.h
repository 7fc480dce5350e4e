/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The governor: is every allocation seen, or are there bursts, and when is the next one?
 *
 * Vocabulary. The cost is what the doors' probes took of the target's CPU time. The budget is the share of that time
 * that they may take. Credit is what of the budget is not spent: CPU time adds to it, cost takes from it. A burst
 * is a time of a few milliseconds in which all doors are armed.
 *
 * Invariant: what was spent never exceeds the budget of the time that has passed by more than one mistake: a burst that
 * turned out dearer than the last ones, or what exact tracing cost until the governor was asked again. A mistake
 * is a debt, which is paid before the next burst begins. So a load that jumps cannot be followed, but neither does it
 * have to: the debt is bounded by the length of a burst, or by the time between two looks, and both are short
 * when little credit is left.
 *
 * Exact tracing begins when bursts predict, several in turn, that it would stay clear of the budget, and ends when half of
 * the credit that can be kept is used up: the other half is for the bursts of the load that has come. Credit is kept for a few seconds of CPU time only: a quiet hour does not pay for a busy minute.
 *
 * Bursts come at random times, so that a program that does things at regular ones is not always met at the same.
 *
 * Pure: time, CPU time and cost are told, and chance comes from a seed.
 */
#ifndef ALLOCSNOOP_CAPTURE_GOVERNOR_H
#define ALLOCSNOOP_CAPTURE_GOVERNOR_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A program that hardly runs is watched as if it used so much of a CPU: what that allows is nothing to anybody, and
 * without it a program that wakes up, allocates and sleeps again would never be seen whole.
 */
#define GOVERNOR_MIN_CPUS 0.05

struct governor_opts {
	double budget; /* share of the target's CPU time: 0.02 */
	bool may_be_exact; /* else bursts only */
	bool begins_exact; /* a program from its first instruction on */
	uint64_t seed;
};

/* So far, in ns: a clock, the CPU time of all targets, the cost, and the part of it within bursts. Each grows only. */
struct governor_reading {
	uint64_t now_ns, cpu_ns, cost_ns, inside_ns;
};

enum governor_state {
	GOVERNOR_BURSTS, /* the next is due at due_ns */
	GOVERNOR_BEGIN_EXACT, /* the next burst goes on, as exact tracing */
	GOVERNOR_EXACT, /* and the governor wants to be asked again at due_ns */
};

struct governor {
	struct governor_opts opts;
	struct governor_reading last;
	enum governor_state state;
	double credit_ns;
	double cpus; /* of CPU time a second, lately */
	double burst_cost_ns; /* that the next one is expected to have */
	uint32_t ncalm; /* bursts in turn that allow exact tracing */
	uint32_t nbursts;
	double window_ns; /* of the next burst */
	uint64_t due_ns;
	uint64_t random;
};

void governor__init(struct governor *g, const struct governor_opts *opts, const struct governor_reading *reading);

/* Time has passed. Exact tracing may end here; a burst that is due may be put off. */
void governor__look(struct governor *g, const struct governor_reading *reading);

/* A burst of @window_ns is over, and @reading is what there was when it was; @before when it began. */
void governor__burst(struct governor *g, uint64_t window_ns, const struct governor_reading *before,
		     const struct governor_reading *reading);

/* A burst that was to go on does. */
void governor__begin_exact(struct governor *g, const struct governor_reading *reading);

#endif
