// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * crowd N: allocates once on each of N different stacks, of eight functions whose names would like to be
 * something else: markup, scripts, controls, no UTF-8. Says "OBJECTS BYTES" of what it allocated there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEVELS 6 /* 8^6 stacks */

typedef void walk_fn(unsigned int path, int level);

#define WALK(id, name) static walk_fn walk_##id __asm__("\"" name "\"");
#define NAMES \
	WALK(0, "</script><script>document.title='owned'</script>") \
	WALK(1, "<img src=x onerror=document.title='owned'>") \
	WALK(2, "<!--<script>") \
	WALK(3, "${document.title='owned'}&lt;b&gt;&amp;") \
	WALK(4, "line\u2028paragraph\u2029end") \
	WALK(5, "right\u202eto left") \
	WALK(6, "no \xff\xfe utf-8") \
	WALK(7, "control\001\033[31m\177")
NAMES
#undef WALK

static unsigned long long objects, bytes;
static void *volatile kept;

static __attribute__((noinline)) void crowd_block(unsigned int path)
{
	size_t size = 16 + path % 1000;

	kept = malloc(size);
	objects++;
	bytes += size;
}

static walk_fn *const walks[] = { walk_0, walk_1, walk_2, walk_3, walk_4, walk_5, walk_6, walk_7 };

static unsigned int path_now;

/* Each calls the next as its last act but one, so that none is a tail call. */
static inline __attribute__((always_inline)) void go_on(unsigned int path, int level)
{
	if (level)
		walks[path % 8](path / 8, level - 1);
	else
		crowd_block(path_now);
	__asm__ volatile("" ::: "memory");
}

#define WALK(id, name) \
	static __attribute__((noinline, used)) void walk_##id(unsigned int path, int level) \
	{ \
		go_on(path, level); \
		__asm__ volatile("" : : "i"(id)); \
	}
NAMES

int main(int argc, char **argv)
{
	unsigned int n = argc > 1 ? (unsigned int)atoi(argv[1]) : 1000;

	for (path_now = 0; path_now < n; path_now++)
		walks[path_now % 8](path_now / 8, LEVELS - 1);
	printf("%llu %llu\n", objects, bytes);
	return 0;
}
