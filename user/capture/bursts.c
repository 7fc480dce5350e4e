// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/bursts.h"

#define LEFT_MIN 0.1 /* of a burst: cost and clock are not known better */

/*
 * Of the burst the program has had so much less. On one CPU that it always uses every ns is missing; of several at a time
 * it is missing on one. What it would have slept through is not missing.
 */
static double missing(double cost_ns, double cpus)
{
	return cpus > 1 ? cost_ns / cpus : cost_ns * cpus;
}

static double left_of(double window_ns, double missing_ns)
{
	double left = window_ns - missing_ns;

	return left < LEFT_MIN * window_ns ? LEFT_MIN * window_ns : left;
}

double bursts_scale(double stands_for_ns, double window_ns, double cost_ns, double cpus)
{
	double left = left_of(window_ns, missing(cost_ns, cpus));

	return stands_for_ns > left ? stands_for_ns / left : 1;
}

double bursts_doubt(double window_ns, double cost_ns, double cpus)
{
	double missing_ns = missing(cost_ns, cpus), left = left_of(window_ns, missing_ns);
	/* A program that does not use all of a CPU may have to share it, and not sleep: then all that the probes took is missing. */
	double least = cpus < 1 ? left_of(window_ns, cost_ns / cpus) : left;
	double doubt = BURSTS_COST_DOUBT * missing_ns / left + (left / least - 1) / 2;

	return doubt < 1 ? doubt : 1;
}

void bursts__add(struct bursts *b, const struct governor_reading *from, const struct governor_reading *to)
{
	b->from = *from;
	b->to = *to;
	b->is_open = true;
}

uint64_t bursts__middle(const struct bursts *b, uint64_t now_ns)
{
	return now_ns > b->to.now_ns ? b->to.now_ns + (now_ns - b->to.now_ns) / 2 : b->to.now_ns;
}

bool bursts__end(struct bursts *b, uint64_t until_ns, struct event_burst *ret)
{
	double window_ns = (double)(b->to.now_ns - b->from.now_ns);
	double cost_ns = (double)(b->to.inside_ns - b->from.inside_ns), stands_for_ns;

	if (!b->is_open)
		return false;
	if (until_ns < b->to.now_ns)
		until_ns = b->to.now_ns;
	stands_for_ns = (double)(until_ns - b->covered_ns);
	*ret = (struct event_burst){
		.nr = b->nr++,
		.seen_s = window_ns / 1e9,
		.stands_for_s = stands_for_ns / 1e9,
	};
	ret->scale.objects = bursts_scale(stands_for_ns, window_ns, cost_ns, b->governor.cpus);
	ret->scale.bytes = ret->scale.objects;
	ret->scale.doubt = bursts_doubt(window_ns, cost_ns, b->governor.cpus);
	b->covered_ns = until_ns;
	b->is_open = false;
	return true;
}
