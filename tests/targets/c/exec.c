// SPDX-License-Identifier: GPL-2.0-or-later
/* exec N PROGRAM [ARG...]: after "go", allocates N blocks of 40 bytes and becomes PROGRAM. */
#include "ledger.h"

static void *volatile sink;

static SITE void site_before(int n)
{
	for (int i = 0; i < n; i++)
		sink = malloc(40);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	say_ready();
	await_line();
	site_before(atoi(argv[1]));
	execv(argv[2], argv + 2);
	return 127;
}
