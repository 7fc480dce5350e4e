// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A service in one file: a thread allocates without pause, and each line read is
 * answered at once by "answer K", where K is the number of rounds done so far.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "ledger.h"

static void *volatile sink;
static atomic_ulong rounds;

static SITE void site_loop(size_t size)
{
	sink = malloc(size);
	free(sink);
}

static void *work(void *arg)
{
	for (size_t i = 0;; i++) {
		site_loop(16 + i % 400);
		atomic_fetch_add(&rounds, 1);
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
	for (;;) {
		await_line();
		snprintf(line, sizeof(line), "answer %lu\n", atomic_load(&rounds));
		say(line);
	}
}
