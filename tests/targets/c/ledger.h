/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the C targets share: the handshake with the harness.
 *
 *	target: ready PID
 *	harness: go
 *	target: done
 *	harness: quit
 *	target: its ledger, one line of JSON
 *
 * Nothing between "ready" and "quit" but the workload may allocate: the
 * handshake is read(2) and write(2) on buffers of the stack.
 */
#ifndef ALLOCSNOOP_TESTS_LEDGER_H
#define ALLOCSNOOP_TESTS_LEDGER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A function that stays one: not inlined, not cloned under another name. */
#if defined(__GNUC__) && !defined(__clang__)
#define SITE __attribute__((noinline, noipa))
#else
#define SITE __attribute__((noinline))
#endif

static inline void say(const char *text)
{
	if (write(STDOUT_FILENO, text, strlen(text)) < 0)
		_exit(3);
}

static inline void say_ready(void)
{
	char line[32];

	snprintf(line, sizeof(line), "ready %d\n", (int)getpid());
	say(line);
}

/* The harness went away: so do we. */
static inline void await_line(void)
{
	char c;

	do {
		if (read(STDIN_FILENO, &c, 1) != 1)
			_exit(3);
	} while (c != '\n');
}

struct site {
	const char *func;
	const char *door; /* the allocator's function that it calls */
	uint64_t objects, requested_bytes, free_objects;
	uint64_t live_bytes; /* at "done", of the objects that were not given back */
};

static inline void print_sites(const struct site *sites, size_t n)
{
	printf("{ \"sites\": [");
	for (size_t i = 0; i < n; i++)
		printf("%s{ \"func\": \"%s\", \"door\": \"%s\", \"objects\": %llu, \"requested_bytes\": %llu, "
		       "\"free_objects\": %llu, \"live_bytes\": %llu }",
		       i ? ", " : " ", sites[i].func, sites[i].door, (unsigned long long)sites[i].objects,
		       (unsigned long long)sites[i].requested_bytes, (unsigned long long)sites[i].free_objects,
		       (unsigned long long)sites[i].live_bytes);
	printf(" ] }\n");
}

#endif
