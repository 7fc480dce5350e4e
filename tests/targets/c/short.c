// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * short N [CODE]: no handshake: allocates N blocks of 64 bytes, N strings
 * through libc, prints through stdio, and is gone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *volatile sink;

__attribute__((constructor)) static void before_main(void)
{
	for (int i = 0; i < 7; i++)
		sink = malloc(11);
}

__attribute__((noinline)) static void site_short(int n)
{
	for (int i = 0; i < n; i++)
		sink = malloc(64);
}

__attribute__((noinline)) static void site_free(int n)
{
	for (int i = 0; i < n; i++) {
		char *s = strdup("gone at once");

		sink = s;
		s = realloc(s, 100 + i);
		free(s);
	}
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 100;

	site_short(n);
	site_free(n);
	printf("%d blocks\n", n);
	return argc > 2 ? atoi(argv[2]) : 0;
}
