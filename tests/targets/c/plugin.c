// SPDX-License-Identifier: GPL-2.0-or-later
/* The library that dlopen.c loads while it is being watched. */
#include <stdlib.h>

#include "plugin.h"

static void *volatile sink;

__attribute__((noinline)) void plugin_work(int n)
{
	for (int i = 0; i < n; i++) {
		sink = malloc(72);
		free(sink);
	}
}
