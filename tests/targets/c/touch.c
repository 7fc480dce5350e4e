// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pages of memory, touched and given back by functions of known names. Huge
 * pages are off, so that a page is a page. The ledger: signed bytes of RSS per
 * function, and what smaps_rollup says of the whole at "go" and at "done".
 *
 * touch [PAGES]
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "ledger.h"

static size_t page;

/* No stdio: it would allocate, and touch pages, in the window. */
static long rss_bytes(void)
{
	static char buf[4096];
	int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	const char *p;

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return -1;
	buf[n] = 0;
	p = strstr(buf, "Rss:");
	return p ? strtol(p + 4, NULL, 10) * 1024 : -1;
}

static SITE void touch_few(char *mem, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		((volatile char *)mem)[i * page] = 1;
}

static SITE void touch_many(char *mem, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		((volatile char *)mem)[i * page] = 1;
}

static SITE void release_dontneed(char *mem, size_t pages)
{
	madvise(mem, pages * page, MADV_DONTNEED);
	((volatile size_t *)&page)[0] = page; /* not a tail call */
}

static SITE void release_unmap(char *mem, size_t pages)
{
	munmap(mem, pages * page);
	((volatile size_t *)&page)[0] = page;
}

int main(int argc, char **argv)
{
	size_t few = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000, many = 5 * few;
	long rss[2];
	char *mem;

	page = (size_t)sysconf(_SC_PAGESIZE);
	if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
		perror("PR_SET_THP_DISABLE");
	mem = mmap(NULL, (few + many) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED || !few)
		return 3;
	rss_bytes(); /* its pages are there from now on */
	say_ready();
	await_line();
	rss[0] = rss_bytes();
	touch_few(mem, few);
	touch_many(mem + few * page, many);
	release_dontneed(mem, few / 2);
	release_unmap(mem + few * page, few / 4);
	rss[1] = rss_bytes();
	say("done\n");
	await_line();
	printf("{ \"page\": %zu, \"rss_start\": %ld, \"rss_end\": %ld, \"funcs\": { \"touch_few\": %zu, \"touch_many\": %zu, "
	       "\"release_dontneed\": -%zu, \"release_unmap\": -%zu } }\n",
	       page, rss[0], rss[1], few * page, many * page, few / 2 * page, few / 4 * page);
	return 0;
}
