// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The governor against loads that are made up: what it lets tracing cost, and what it sees.
 *
 * The model: a program with its own CPU time of `cpus` a second and `rate` allocations in each second of it. A hit costs
 * HIT_NS, while the doors are armed; a program that is always busy does less then, one that is not uses more CPU.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "capture/bursts.h"
#include "test.h"

#define HIT_NS 2000.0
#define MS 1000000u
#define STEP_NS (MS / 10)
#define LATE_NS (1 * MS) /* the kernel takes its time to put probes out */

struct load {
	double cpus, rate; /* of one CPU at most, in this model */
};

typedef struct load load_fn(uint64_t now_ns);

struct model {
	load_fn *load;
	double now_ns, cpu_ns, cost_ns;
	double allocs; /* that there were */
	double seen; /* while armed */
	double worst_ns; /* cost above the budget, at any time */
	double budget;
	uint32_t nbursts, nexact; /* how often exact tracing began */
};

/* Until @until_ns, armed or not. */
static void run(struct model *m, uint64_t until_ns, bool armed)
{
	while (m->now_ns < (double)until_ns) {
		double step = fmin(STEP_NS, (double)until_ns - m->now_ns);
		struct load load = m->load((uint64_t)m->now_ns);
		double own = load.cpus * step, hit_ns = armed ? HIT_NS : 0;
		/* Of busy time only so much is left for its own work. */
		double work = fmin(own, step / (1 + load.rate * hit_ns / 1e9));
		double allocs = work * load.rate / 1e9;

		m->allocs += allocs;
		m->cost_ns += allocs * hit_ns;
		m->cpu_ns += work + allocs * hit_ns;
		m->now_ns += step;
		if (armed)
			m->seen += allocs;
		if (m->cost_ns - m->budget * m->cpu_ns > m->worst_ns)
			m->worst_ns = m->cost_ns - m->budget * m->cpu_ns;
	}
}

static struct governor_reading reading(const struct model *m)
{
	return (struct governor_reading){ (uint64_t)m->now_ns, (uint64_t)m->cpu_ns, (uint64_t)m->cost_ns, (uint64_t)m->cost_ns };
}

/* As capture.c does it. Returns the estimate of all allocations. */
static double govern(struct model *m, uint64_t for_ns, const struct governor_opts *opts)
{
	struct bursts b = { .nr = 0 };
	struct governor *g = &b.governor;
	struct governor_reading before, from, to;
	bool exact = opts->begins_exact;
	double estimate = 0, seen, open = 0;
	struct event_burst burst;

	m->budget = opts->budget;
	before = reading(m);
	governor__init(g, opts, &before);
	while (m->now_ns < (double)for_ns) {
		seen = m->seen;
		run(m, g->due_ns < for_ns ? g->due_ns : for_ns, exact);
		if (exact)
			estimate += m->seen - seen;
		to = reading(m);
		governor__look(g, &to);
		if (exact) {
			exact = g->state == GOVERNOR_EXACT;
			b.covered_ns = to.now_ns;
			continue;
		}
		if (g->due_ns > to.now_ns)
			continue;
		if (bursts__end(&b, bursts__middle(&b, to.now_ns), &burst))
			estimate += open * burst.scale.objects;
		before = from = to;
		seen = m->seen;
		run(m, from.now_ns + (uint64_t)g->window_ns, true);
		to = reading(m);
		bursts__add(&b, &from, &to);
		open = m->seen - seen;
		exact = g->state == GOVERNOR_BEGIN_EXACT;
		m->nbursts++;
		m->nexact += exact;
		if (exact) {
			bursts__end(&b, to.now_ns, &burst);
			estimate += open * burst.scale.objects;
			governor__begin_exact(g, &to);
			continue;
		}
		run(m, to.now_ns + LATE_NS, true);
		to = reading(m);
		governor__burst(g, (uint64_t)g->window_ns, &before, &to);
	}
	if (bursts__end(&b, (uint64_t)m->now_ns, &burst))
		estimate += open * burst.scale.objects;
	return estimate;
}

static const struct governor_opts opts = { .budget = 0.02, .may_be_exact = true, .seed = 1 };

static struct load quiet(uint64_t now_ns)
{
	(void)now_ns;
	return (struct load){ 0.3, 1000 };
}

static struct load busy(uint64_t now_ns)
{
	(void)now_ns;
	return (struct load){ 1, 3e6 };
}

/* A hundred times more within a second, and back. */
static struct load jumps(uint64_t now_ns)
{
	return now_ns / (1000 * MS) % 10 == 5 ? (struct load){ 1, 900000 } : (struct load){ 0.5, 9000 };
}

static struct load asleep(uint64_t now_ns)
{
	return now_ns < 20000u * (uint64_t)MS ? (struct load){ 0, 0 } : (struct load){ 1, 5e6 };
}

/* Allocates in the last tenth of every 100 ms only: bursts that came in time with it would see all of it, or none. */
static struct load periodic(uint64_t now_ns)
{
	return now_ns % (100 * MS) >= 90 * MS ? (struct load){ 1, 200000 } : (struct load){ 1, 0 };
}

TEST(a_quiet_program_is_traced_exactly)
{
	struct model m = { .load = quiet };
	double estimate = govern(&m, 30000u * (uint64_t)MS, &opts);

	CHECK_INT(m.nexact, 1);
	CHECK(m.nbursts < 20);
	CHECK(m.worst_ns <= 0);
	CHECK(fabs(estimate / m.allocs - 1) < 0.02);
}

TEST(a_busy_program_is_sampled_within_the_budget)
{
	struct model m = { .load = busy };

	govern(&m, 60000u * (uint64_t)MS, &opts);
	CHECK_INT(m.nexact, 0);
	CHECK(m.nbursts > 100);
	CHECK(m.cost_ns <= 1.02 * opts.budget * m.cpu_ns + 40 * MS);
	/* And by sampling, not by staying away. */
	CHECK(m.cost_ns >= 0.5 * opts.budget * m.cpu_ns);
}

TEST(a_load_that_jumps_costs_one_mistake)
{
	struct model m = { .load = jumps };
	double estimate = govern(&m, 100000u * (uint64_t)MS, &opts);

	CHECK(m.cost_ns <= 1.02 * opts.budget * m.cpu_ns + 100 * MS);
	/* One look, or one burst, too late: never a second of it. */
	CHECK(m.worst_ns < 150 * MS);
	CHECK(fabs(estimate / m.allocs - 1) < 0.25);
}

TEST(sleep_pays_for_no_feast)
{
	struct model m = { .load = asleep };

	govern(&m, 60000u * (uint64_t)MS, &opts);
	CHECK(m.worst_ns < 150 * MS);
	CHECK(m.cost_ns <= 1.02 * opts.budget * m.cpu_ns + 100 * MS);
}

TEST(a_command_is_traced_from_its_first_instruction)
{
	struct model m = { .load = busy };
	struct governor_opts first = opts;

	first.begins_exact = true;
	run(&m, 0, true);
	govern(&m, 60000u * (uint64_t)MS, &first);
	CHECK(m.worst_ns < 100 * MS);
	CHECK(m.cost_ns <= 1.02 * opts.budget * m.cpu_ns + 100 * MS);
}

TEST(bursts_do_not_march_in_step)
{
	double sum = 0, square = 0, mean, se;
	const int n = 20;

	for (int i = 0; i < n; i++) {
		struct model m = { .load = periodic };
		struct governor_opts o = opts;
		double estimate;

		o.seed = 1000 + i;
		o.may_be_exact = false;
		estimate = govern(&m, 20000u * (uint64_t)MS, &o) / m.allocs;
		sum += estimate;
		square += estimate * estimate;
	}
	mean = sum / n;
	se = sqrt((square / n - mean * mean) / (n - 1));
	CHECK(se < 0.1);
	CHECK(fabs(mean - 1) < 0.02 + 3 * se);
}

TEST(what_a_burst_stands_for)
{
	/* Nothing missing: a hundredth of the time. */
	CHECK(bursts_scale(100, 1, 0, 1) == 100);
	/* Half of a busy program's time went to the probes. */
	CHECK(bursts_scale(100, 1, 0.5, 1) == 200);
	/* One that sleeps nine tenths loses a tenth of that. */
	CHECK(fabs(bursts_scale(100, 1, 0.5, 0.1) - 100 / 0.95) < 1e-9);
	/* Four threads share it. */
	CHECK(fabs(bursts_scale(100, 1, 2, 4) - 200) < 1e-9);
	/* More missing than there was: bounded. */
	CHECK(bursts_scale(100, 1, 5, 1) <= 100 / 0.1 + 1);
	CHECK(bursts_scale(0, 1, 0, 1) == 1);
}

TEST_MAIN()
