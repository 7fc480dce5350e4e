// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fork CHILDREN N [PROGRAM ARG...]: after "go", makes CHILDREN children; each
 * allocates N blocks of 48 bytes and, with PROGRAM, executes that. The parent
 * allocates N blocks of 32 bytes itself.
 */
#include <sys/wait.h>

#include "ledger.h"

static void *volatile sink;

static SITE void site_child(int n)
{
	for (int i = 0; i < n; i++)
		sink = malloc(48);
}

static SITE void site_parent(int n)
{
	for (int i = 0; i < n; i++)
		sink = malloc(32);
}

int main(int argc, char **argv)
{
	int children = argc > 1 ? atoi(argv[1]) : 2, n = argc > 2 ? atoi(argv[2]) : 100, failed = 0;
	struct site sites[2] = { { "site_child", "malloc", 0, 0, 0 }, { "site_parent", "malloc", 0, 0, 0 } };

	say_ready();
	await_line();
	for (int i = 0; i < children; i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			site_child(n);
			if (argc > 3)
				execv(argv[3], argv + 3);
			_exit(argc > 3 ? 127 : 0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			failed = 1;
	}
	site_parent(n);
	say("done\n");
	await_line();
	sites[0].objects = (uint64_t)children * n;
	sites[0].requested_bytes = sites[0].objects * 48;
	sites[1].objects = n;
	sites[1].requested_bytes = n * 32;
	print_sites(sites, 2);
	return failed;
}
