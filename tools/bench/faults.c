// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Faults as fast as it can: at each line of input it touches PAGES fresh pages below DEPTH
 * frames and gives them back, ROUNDS times, and prints nanoseconds a page, of CPU time.
 *
 * faults PAGES ROUNDS DEPTH
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static size_t page;

static __attribute__((noinline, noipa)) void touch(char *mem, size_t pages, long depth)
{
	if (depth > 0) {
		touch(mem, pages, depth - 1);
		((volatile char *)mem)[0] = 2; /* not a tail call */
		return;
	}
	for (size_t i = 0; i < pages; i++)
		((volatile char *)mem)[i * page] = 1;
}

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

int main(int argc, char **argv)
{
	size_t pages = argc > 1 ? strtoul(argv[1], NULL, 10) : 5000;
	long rounds = argc > 2 ? atol(argv[2]) : 20, depth = argc > 3 ? atol(argv[3]) : 12;
	char line[16], *mem;

	page = (size_t)sysconf(_SC_PAGESIZE);
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	mem = mmap(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED || !pages)
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		double start = now_ns();

		for (long i = 0; i < rounds; i++) {
			touch(mem, pages, depth);
			madvise(mem, pages * page, MADV_DONTNEED);
		}
		printf("%.1f\n", (now_ns() - start) / (double)rounds / (double)pages);
		fflush(stdout);
	}
	return 0;
}
