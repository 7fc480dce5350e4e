// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * short N [CODE [MS]]: no handshake: allocates N blocks of 64 bytes, N strings
 * through libc, prints through stdio, and is gone (after MS milliseconds).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
	if (argc > 3)
		usleep(atoi(argv[3]) * 1000);
	return argc > 2 ? atoi(argv[2]) : 0;
}
