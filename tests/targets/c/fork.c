// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fork [-w] CHILDREN N [PROGRAM ARG...]: after "go", makes CHILDREN children; each
 * allocates N blocks of 48 bytes and, with PROGRAM, executes that. The parent
 * allocates N blocks of 32 bytes itself. With -w the children wait, their parent
 * says "forked PID PID...", and "go" lets them go.
 */
#include <stdbool.h>
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

static void child(int n, int gate, char **program)
{
	char c;

	/* The end of the file is the start. */
	if (gate >= 0 && read(gate, &c, 1) != 0)
		_exit(3);
	site_child(n);
	if (!program)
		_exit(0);
	execv(program[0], program);
	_exit(127);
}

static void say_forked(const pid_t *pids, int n)
{
	char line[512];
	int len = snprintf(line, sizeof(line), "forked");

	for (int i = 0; i < n; i++)
		len += snprintf(line + len, sizeof(line) - len, " %d", (int)pids[i]);
	snprintf(line + len, sizeof(line) - len, "\n");
	say(line);
}

int main(int argc, char **argv)
{
	bool wait_for_go = argc > 1 && strcmp(argv[1], "-w") == 0;
	int children, n, gate[2] = { -1, -1 }, failed = 0;
	struct site sites[2] = { { "site_child", "malloc", 0, 0, 0, 0 }, { "site_parent", "malloc", 0, 0, 0, 0 } };
	pid_t pids[32];

	argc -= wait_for_go;
	argv += wait_for_go;
	children = argc > 1 ? atoi(argv[1]) : 2;
	n = argc > 2 ? atoi(argv[2]) : 100;
	if (children < 0 || children > 32 || (wait_for_go && pipe(gate)))
		return 2;
	say_ready();
	await_line();
	for (int i = 0; i < children; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			return 3;
		if (pids[i] == 0) {
			if (wait_for_go)
				close(gate[1]);
			child(n, gate[0], argc > 3 ? argv + 3 : NULL);
		}
	}
	if (wait_for_go) {
		say_forked(pids, children);
		await_line();
		close(gate[1]);
	}
	for (int i = 0; i < children; i++) {
		int status;

		if (waitpid(pids[i], &status, 0) != pids[i] || status)
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
