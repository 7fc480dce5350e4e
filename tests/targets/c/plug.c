// SPDX-License-Identifier: GPL-2.0-or-later
/* A library of which a test makes many: in each it writes another number over that of plug_0000, which is in no hash table. */
#include <stdlib.h>

#define SITE __attribute__((noinline, noipa))

static void *volatile sink;

static SITE void plug_0000(int n)
{
	for (int i = 0; i < n; i++) {
		sink = malloc(48);
		free(sink);
	}
}

SITE void plug_entry(int n)
{
	plug_0000(n);
	__asm__ volatile("" ::: "memory");
}
