// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * malloc and free in a tight loop, under a stack of known depth, when told to.
 *
 * Says "ready", then for each line "DEPTH MS" of its input goes DEPTH calls deep, makes
 * pairs for MS milliseconds, and says "NS PAIRS": CPU time of this thread per pair (the
 * median of batches), and how many pairs it made in all. CPU time, because others may use
 * the machine, too; what a trap costs is in it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BATCHES 4096
#define BATCH_NS 2000000
#define SIZE_BYTES 64

static volatile int after; /* a call with work behind it is no tail call */
static void *volatile block;
static double batch_pair_ns[BATCHES];

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + ts.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* In line, so that the depth is what the caller made it. */
static inline __attribute__((always_inline)) uint64_t batch_ns(uint64_t pairs)
{
	uint64_t start = cpu_ns();

	for (uint64_t i = 0; i < pairs; i++) {
		block = malloc(SIZE_BYTES);
		free(block);
	}
	return cpu_ns() - start;
}

static __attribute__((noinline)) void measure(uint64_t run_ns)
{
	uint64_t pairs = 16, made = 0, spent = 0;
	int n = 0;

	for (uint64_t ns = 0; ns < BATCH_NS; made += pairs) {
		pairs *= 2;
		ns = batch_ns(pairs);
	}
	while (n < BATCHES && spent < run_ns) {
		uint64_t ns = batch_ns(pairs);

		batch_pair_ns[n++] = (double)ns / pairs;
		spent += ns;
		made += pairs;
	}
	qsort(batch_pair_ns, n, sizeof(batch_pair_ns[0]), by_value);
	printf("%.1f %llu\n", batch_pair_ns[n / 2], (unsigned long long)made);
}

static __attribute__((noinline)) void descend(int depth, uint64_t run_ns)
{
	if (depth > 1)
		descend(depth - 1, run_ns);
	else
		measure(run_ns);
	after++;
}

int main(void)
{
	static char in[256], out[256];
	int depth, ms;

	/* So that stdio allocates nothing. */
	setvbuf(stdin, in, _IOLBF, sizeof(in));
	setvbuf(stdout, out, _IOLBF, sizeof(out));
	puts("ready");
	while (scanf("%d %d", &depth, &ms) == 2 && depth > 0 && ms > 0)
		descend(depth, (uint64_t)ms * 1000000u);
	return 0;
}
