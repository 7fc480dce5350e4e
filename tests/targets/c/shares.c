// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Allocates in fixed proportions, with some work in between: when told "busy" as fast as it can, when told "quiet" a
 * thousandth of that. Each line is answered by the number of rounds done so far; a round is what RULES says.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "ledger.h"

static void *volatile sink;
static atomic_ulong rounds;
static atomic_bool is_busy;

static SITE void work_some(void)
{
	for (volatile int i = 0; i < 1500; i++)
		;
}

static SITE void site_often(void)
{
	for (int i = 0; i < 6; i++) {
		sink = malloc(100);
		free(sink);
		work_some();
	}
}

static SITE void site_large(void)
{
	sink = malloc(3000);
	free(sink);
	work_some();
}

static SITE void site_zeroed(void)
{
	for (int i = 0; i < 3; i++) {
		sink = calloc(5, 40);
		free(sink);
		work_some();
	}
}

static void *work(void *arg)
{
	for (;;) {
		site_often();
		site_large();
		site_zeroed();
		atomic_fetch_add(&rounds, 1);
		if (!atomic_load(&is_busy))
			nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
	}
	return arg;
}

int main(void)
{
	pthread_t thread;
	char line[64];

	if (pthread_create(&thread, NULL, work, NULL))
		return 3;
	say_ready();
	while (fgets(line, sizeof(line), stdin)) {
		atomic_store(&is_busy, line[0] == 'b' ? true : line[0] == 'q' ? false : atomic_load(&is_busy));
		snprintf(line, sizeof(line), "rounds %lu\n", atomic_load(&rounds));
		say(line);
	}
	return 0;
}
