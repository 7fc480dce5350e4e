// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A heap that is highest for a moment in the middle: site_low stays, site_high is given back at once, and
 * what comes behind it is less. Says nothing, ends by itself.
 */
#include <stdlib.h>
#include <unistd.h>

#define SITE __attribute__((noinline, noipa))

static void *volatile low[100], *volatile high[100];

static SITE void site_low(int i)
{
	low[i] = malloc(1000);
}

static SITE void site_high(int i)
{
	high[i] = malloc(50000);
}

static SITE void site_late(int i)
{
	high[i] = malloc(2000);
}

int main(void)
{
	for (int i = 0; i < 100; i++)
		site_low(i);
	for (int i = 0; i < 100; i++) {
		site_high(i);
		usleep(5000); /* slow enough that whoever is told of it can come and look */
	}
	for (int i = 0; i < 100; i++)
		free(high[i]);
	for (int i = 0; i < 100; i++)
		site_late(i);
	return 0;
}
