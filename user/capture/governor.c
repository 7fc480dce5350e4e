// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/governor.h"

#include <string.h>

#define MS 1e6
#define FIRST_WINDOW_NS (2 * MS)
#define MIN_WINDOW_NS (2 * MS) /* putting the probes out takes the kernel a millisecond or so, which costs and is not counted */
#define MAX_WINDOW_NS (20 * MS)
#define PERIOD_NS (150 * MS) /* between two bursts: more of them see more of a program's phases */
#define MIN_PERIOD_NS (60 * MS) /* what putting probes in and out, and reading what they saw, takes of our own time */
#define MAX_PERIOD_NS (2000 * MS)
#define MAX_WAIT_NS (300 * MS) /* until it is asked again whether a debt is paid: it may be sooner than it seemed */
#define KEPT_CREDIT_NS 2e9 /* CPU time whose budget is kept */
#define RESERVE 0.5 /* of the credit that can be kept: exact tracing leaves it to the bursts that follow */
#define SAVING 0.8 /* of the income is spent while there is less than that */
#define EXACT_LOOK_MIN_NS (5 * MS)
#define EXACT_LOOK_MAX_NS (25 * MS)
#define CALM_SHARE 0.7 /* of the budget, at which exact tracing may begin */
#define CALM_BURSTS 4
#define CPUS_TIME_NS (500 * MS) /* over which the CPU time is smoothed */
#define COST_PART 0.25 /* weight of the newest burst */

/* splitmix64, as a number from 0 to 1. */
static double chance(struct governor *g)
{
	uint64_t z = g->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

static double clamp(double x, double low, double high)
{
	return x < low ? low : x > high ? high : x;
}

/* What the budget gives in a ns of time. */
static double income(const struct governor *g)
{
	return g->opts.budget * (g->cpus > GOVERNOR_MIN_CPUS ? g->cpus : GOVERNOR_MIN_CPUS);
}

static double max_credit(const struct governor *g)
{
	return g->opts.budget * KEPT_CREDIT_NS * (g->cpus > 1 ? g->cpus : 1);
}

void governor__init(struct governor *g, const struct governor_opts *opts, const struct governor_reading *reading)
{
	memset(g, 0, sizeof(*g));
	g->opts = *opts;
	g->last = *reading;
	g->window_ns = FIRST_WINDOW_NS;
	g->random = opts->seed;
	/* Before any CPU time was seen: what the first look may take. */
	g->credit_ns = max_credit(g) * (opts->begins_exact ? 1 : RESERVE);
	g->state = opts->begins_exact ? GOVERNOR_EXACT : GOVERNOR_BURSTS;
	g->due_ns = reading->now_ns + (opts->begins_exact ? (uint64_t)EXACT_LOOK_MIN_NS : 0);
}

static void note(struct governor *g, const struct governor_reading *now)
{
	double time = (double)(now->now_ns - g->last.now_ns), cpu = (double)(now->cpu_ns - g->last.cpu_ns);
	double part = time / (time + CPUS_TIME_NS), most;

	if (time > 0)
		g->cpus += ((cpu / time) - g->cpus) * part;
	if (cpu < GOVERNOR_MIN_CPUS * time)
		cpu = GOVERNOR_MIN_CPUS * time;
	g->credit_ns += g->opts.budget * cpu - (double)(now->cost_ns - g->last.cost_ns);
	most = max_credit(g);
	if (g->credit_ns > most)
		g->credit_ns = most;
	g->last = *now;
}

static bool has_reserve(const struct governor *g)
{
	return g->credit_ns >= RESERVE * max_credit(g);
}

/* How long until there is credit for a burst. */
static double until_paid(const struct governor *g)
{
	double lacking = g->burst_cost_ns - g->credit_ns;

	return lacking > 0 ? lacking / income(g) : 0;
}

static void plan_look(struct governor *g)
{
	/* All CPUs that it uses could be in probes from now on. */
	double left = (g->credit_ns - RESERVE * max_credit(g)) / (g->cpus > 1 ? g->cpus : 1);

	g->due_ns = g->last.now_ns + (uint64_t)clamp(left, EXACT_LOOK_MIN_NS, EXACT_LOOK_MAX_NS);
}

static void plan_burst(struct governor *g)
{
	/* Longer ones where the budget allows for more than there is time for; shorter ones rather than rare ones. */
	double spent = income(g) * (has_reserve(g) ? 1 : SAVING);
	double period = g->burst_cost_ns / spent, before = g->window_ns;

	if (g->nbursts && period > 0)
		g->window_ns = clamp(g->window_ns * clamp(PERIOD_NS / period, 0.25, 2), MIN_WINDOW_NS, MAX_WINDOW_NS);
	else if (g->nbursts)
		g->window_ns = clamp(g->window_ns * 2, MIN_WINDOW_NS, MAX_WINDOW_NS);
	g->burst_cost_ns *= g->window_ns / before;
	period = clamp(g->burst_cost_ns / spent, MIN_PERIOD_NS, MAX_PERIOD_NS) * (0.5 + chance(g));
	g->due_ns = g->last.now_ns + (uint64_t)period;
}

void governor__look(struct governor *g, const struct governor_reading *reading)
{
	double wait;

	note(g, reading);
	if (g->state != GOVERNOR_BURSTS && !has_reserve(g)) {
		g->state = GOVERNOR_BURSTS;
		g->ncalm = 0;
		plan_burst(g);
	} else if (g->state == GOVERNOR_EXACT) {
		plan_look(g);
	}
	if (g->state != GOVERNOR_BURSTS || reading->now_ns < g->due_ns)
		return;
	wait = until_paid(g);
	if (wait > 0)
		g->due_ns = reading->now_ns + (uint64_t)clamp(wait, MIN_PERIOD_NS, MAX_WAIT_NS);
}

void governor__burst(struct governor *g, uint64_t window_ns, const struct governor_reading *before,
		     const struct governor_reading *reading)
{
	double cost = (double)(reading->cost_ns - before->cost_ns), cpu, share;

	note(g, reading);
	/* The CPU time of so short a time is not known well; what it would have been without the probes is no less. */
	cpu = g->cpus * (double)window_ns - cost;
	share = cost / (cpu > GOVERNOR_MIN_CPUS * (double)window_ns ? cpu : GOVERNOR_MIN_CPUS * (double)window_ns);
	/* As dear as any lately. */
	g->burst_cost_ns = cost > g->burst_cost_ns ? cost : g->burst_cost_ns + (cost - g->burst_cost_ns) * COST_PART;
	g->nbursts++;
	g->ncalm = share <= g->opts.budget * CALM_SHARE ? g->ncalm + 1 : 0;
	if (g->opts.may_be_exact && g->ncalm >= CALM_BURSTS && has_reserve(g)) {
		g->state = GOVERNOR_BEGIN_EXACT;
		g->due_ns = reading->now_ns;
	} else {
		plan_burst(g);
	}
}

void governor__begin_exact(struct governor *g, const struct governor_reading *reading)
{
	g->state = GOVERNOR_EXACT;
	note(g, reading);
	plan_look(g);
}
