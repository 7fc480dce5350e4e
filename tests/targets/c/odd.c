// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Programs of an unusual shape.
 *
 * odd vfork PAGES           touches PAGES, has a vfork child for a third of a second, touches 5 * PAGES
 * odd vforks N             N vfork children, one after the other, that call malloc once
 * odd nested N INNER        N mallocs of 1000 bytes by an allocator of its own that calls its calloc INNER times in each
 * odd split N               N mallocs and N callocs whose code lies in two mappings of one file
 * odd burst N PROGRAM ARG.. N mallocs, and at once executes PROGRAM
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "ledger.h"

static char pool[1 << 20];
static size_t pool_used;
static int inner;
static void *volatile sink;

static void *take(size_t size)
{
	if (pool_used + size > sizeof(pool))
		pool_used = 0;
	pool_used += (size + 15) & ~(size_t)15;
	return pool + pool_used - ((size + 15) & ~(size_t)15);
}

/* The program's own doors, each on a page of its own. */
__attribute__((aligned(4096), noinline, noipa)) void *calloc(size_t n, size_t size)
{
	return take(n * size);
}

__attribute__((aligned(4096), noinline, noipa)) void *malloc(size_t size)
{
	for (int i = 0; i < inner; i++)
		sink = calloc(1, 16);
	return take(size);
}

__attribute__((aligned(4096), noinline, noipa)) void free(void *p)
{
	sink = p;
}

static SITE void touch_before(char *mem, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		((volatile char *)mem)[i * 4096] = 1;
}

static SITE void touch_after(char *mem, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		((volatile char *)mem)[i * 4096] = 1;
}

static void run_vfork(size_t pages)
{
	const struct timespec third = { 0, 333000000 };
	char *mem = mmap(NULL, 6 * pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	touch_before(mem, pages);
	pid = vfork();
	if (pid == 0) {
		nanosleep(&third, NULL);
		execl("/bin/true", "true", (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	touch_after(mem + pages * 4096, 5 * pages);
}

static SITE void site_malloc(int n)
{
	for (int i = 0; i < n; i++)
		sink = malloc(1000);
}

static SITE void vfork_once(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		sink = malloc(1000);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void run_vforks(int n)
{
	for (int i = 0; i < n; i++)
		vfork_once();
}

static SITE void site_calloc(int n)
{
	for (int i = 0; i < n; i++)
		sink = calloc(2, 100);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[1] : "";
	int n = argc > 2 ? atoi(argv[2]) : 0;

	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	if (strcmp(mode, "nested") == 0 && argc > 3)
		inner = atoi(argv[3]);
	/* Another flag on one page of code makes three mappings of one. */
	if (strcmp(mode, "split") == 0 && madvise((void *)calloc, 4096, MADV_DONTDUMP))
		return 2;
	if (strcmp(mode, "burst") == 0 && argc > 3) {
		site_malloc(n);
		execv(argv[3], argv + 3);
		return 3;
	}
	say_ready();
	await_line();
	if (strcmp(mode, "vfork") == 0)
		run_vfork(n);
	else if (strcmp(mode, "vforks") == 0)
		run_vforks(n);
	else
		site_malloc(n);
	if (strcmp(mode, "split") == 0)
		site_calloc(n);
	say("done\n");
	await_line();
	return 0;
}
