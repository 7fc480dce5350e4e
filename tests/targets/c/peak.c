// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A heap that is highest for a moment in the middle: site_low stays, site_high is given back at once, and
 * what comes behind it is less. Every block is written to. At its end it says what its RSS was then, and
 * what the kernel knows of the highest.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SITE __attribute__((noinline, noipa))

static void *volatile low[100], *volatile high[100];

static SITE void site_low(int i)
{
	low[i] = memset(malloc(1000), 1, 1000);
}

static SITE void site_high(int i)
{
	high[i] = memset(malloc(50000), 1, 50000);
}

static SITE void site_warm(int i)
{
	high[i] = memset(malloc(50000), 1, 50000);
}

static SITE void site_late(int i)
{
	high[i] = memset(malloc(2000), 1, 2000);
}

/* The line of @path that begins with @key, into @line. Without stdio, which allocates. */
static SITE void read_line(const char *path, const char *key, char *line, size_t size)
{
	static char text[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	const char *at;

	close(fd);
	text[n > 0 ? n : 0] = 0;
	at = strstr(text, key);
	if (!at || strcspn(at, "\n") + 2 > size)
		_exit(3);
	size = strcspn(at, "\n") + 1;
	memcpy(line, at, size);
	line[size] = 0;
}

int main(void)
{
	char at_peak[80], highest[80];

	/* Everything that runs behind the peak has run before: code that comes into memory is RSS, too. */
	for (int i = 0; i < 5; i++)
		site_warm(i);
	for (int i = 0; i < 5; i++)
		free(high[i]);
	read_line("/proc/self/status", "VmHWM:", highest, sizeof(highest));
	for (int i = 0; i < 100; i++)
		site_low(i);
	for (int i = 0; i < 100; i++) {
		site_high(i);
		usleep(5000); /* slow enough that whoever is told of it can come and look */
	}
	read_line("/proc/self/smaps_rollup", "Rss:", at_peak, sizeof(at_peak));
	for (int i = 0; i < 100; i++)
		free(high[i]);
	for (int i = 0; i < 100; i++)
		site_late(i);
	read_line("/proc/self/status", "VmHWM:", highest, sizeof(highest));
	return write(STDOUT_FILENO, at_peak, strlen(at_peak)) < 0 || write(STDOUT_FILENO, highest, strlen(highest)) < 0;
}
