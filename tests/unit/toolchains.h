/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Toolchains of Go that a test is to run with besides the one in PATH. */
#ifndef ALLOCSNOOP_TESTS_TOOLCHAINS_H
#define ALLOCSNOOP_TESTS_TOOLCHAINS_H

#include <stdlib.h>
#include <string.h>

/* Calls @fn for each folder in ALLOCSNOOP_GOROOTS, a list with blanks between them. How many there were. */
static inline unsigned int each_goroot(void (*fn)(const char *goroot))
{
	const char *env = getenv("ALLOCSNOOP_GOROOTS");
	char *list = strdup(env ? env : ""), *save = NULL;
	unsigned int n = 0;

	for (char *root = strtok_r(list, " ", &save); root; root = strtok_r(NULL, " ", &save), n++)
		fn(root);
	free(list);
	return n;
}

#endif
