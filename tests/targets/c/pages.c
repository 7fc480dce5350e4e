// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pages that come and go in every way there is, by functions of known names. The
 * ledger: what each function added and gave back, and what smaps_rollup says at
 * "go" and at "done".
 *
 * pages pattern N     map, touch, read(2) into, remap, unmap, replace, madvise, brk
 * pages thp N         N huge pages, half of them given back
 * pages nothp N       the same with huge pages switched off
 * pages cow N         a child that shares N pages and writes to them; so does the parent
 * pages file N        mappings of a file, private and shared, and of shared memory
 * pages threads N     eight threads at once, each N pages, four times
 * pages wait N        mappings for others to change: tells their addresses
 * pages swap N        touched, for others to push out to swap, and touched again
 * pages zeros N       nothing but zeros, for others to merge
 * pages hugetlb N     N huge pages of hugetlbfs, which are in no RSS
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "ledger.h"

#define HUGE_BYTES (2u << 20)
#define NTHREADS 8
#define ROUNDS 4

static size_t page;
static volatile char sink;

static struct {
	const char *func;
	size_t grown, released; /* pages */
} moved[32];
static size_t nmoved;

static void expect(const char *func, size_t grown, size_t released)
{
	size_t i = 0;

	while (i < nmoved && strcmp(moved[i].func, func))
		i++;
	if (i == nmoved)
		nmoved++;
	moved[i].func = func;
	moved[i].grown += grown;
	moved[i].released += released;
}

/* No stdio: it would allocate, and touch pages, in the window. */
static long rollup_bytes(const char *key)
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
	p = strstr(buf, key);
	return p ? strtol(p + strlen(key), NULL, 10) * 1024 : -1;
}

static long rss_bytes(void)
{
	return rollup_bytes("\nRss:");
}

static char *map(size_t pages, int flags, int fd)
{
	char *mem = mmap(NULL, pages * page, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (mem == MAP_FAILED)
		_exit(4);
	return mem;
}

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static inline __attribute__((always_inline)) void write_pages(char *mem, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		((volatile char *)mem)[i * page] = 1;
}

static inline __attribute__((always_inline)) void read_pages(const char *mem, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		sink = mem[i * page];
}

/* Each ends with a store: the call before it is none to be jumped to. */
#define TOUCH(name)                                                                                                    \
	static SITE void name(char *mem, size_t pages)                                                                 \
	{                                                                                                              \
		write_pages(mem, pages);                                                                               \
	}

TOUCH(touch)
TOUCH(touch_again)
TOUCH(touch_back)
TOUCH(touch_remapped)
TOUCH(touch_brk)
TOUCH(touch_huge)
TOUCH(write_private)
TOUCH(write_shared)
TOUCH(write_shmem)
TOUCH(write_copied)
TOUCH(touch_a)
TOUCH(touch_b)
TOUCH(touch_c)
TOUCH(touch_d)

static SITE void read_file(char *mem, size_t pages)
{
	read_pages(mem, pages);
	sink = 0;
}

/* It is the kernel that touches the pages. */
static SITE void read_into(char *mem, size_t pages)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	for (size_t done = 0; done < pages * page;) {
		ssize_t n = read(fd, mem + done, pages * page - done);

		if (n <= 0)
			_exit(4);
		done += (size_t)n;
	}
	close(fd);
	sink = 0;
}

static SITE void dontneed(char *mem, size_t pages)
{
	madvise(mem, pages * page, MADV_DONTNEED);
	sink = 0;
}

static SITE void unmap(char *mem, size_t pages)
{
	munmap(mem, pages * page);
	sink = 0;
}

static SITE void replace(char *mem, size_t pages)
{
	if (mmap(mem, pages * page, PROT_READ, ANON | MAP_FIXED, -1, 0) == MAP_FAILED)
		_exit(4);
	sink = 0;
}

static SITE char *remap_larger(char *mem, size_t pages, size_t new_pages)
{
	char *to = mremap(mem, pages * page, new_pages * page, MREMAP_MAYMOVE);

	if (to == MAP_FAILED)
		_exit(4);
	sink = 0;
	return to;
}

static SITE void remap_smaller(char *mem, size_t pages, size_t new_pages)
{
	mremap(mem, pages * page, new_pages * page, 0);
	sink = 0;
}

static SITE void brk_shrink(size_t pages)
{
	sbrk(-(intptr_t)(pages * page));
	sink = 0;
}

static char *brk_grow(size_t pages)
{
	sbrk((intptr_t)(page - (uintptr_t)sbrk(0) % page));
	return sbrk((intptr_t)(pages * page));
}

static char *mem, *mem2, *mem3;

static void pattern(size_t n)
{
	char *heap;

	touch(mem, n);
	expect("touch", n, 0);
	dontneed(mem, n / 4);
	touch_again(mem, n / 4);
	expect("dontneed", 0, n / 4);
	expect("touch_again", n / 4, 0);
	replace(mem + n / 2 * page, n / 8);
	expect("replace", 0, n / 8);
	unmap(mem + (n - n / 8) * page, n / 8);
	expect("unmap", 0, n / 8);
	read_into(mem2, n / 2);
	expect("read_into", n / 2, 0);
	mem2 = remap_larger(mem2, n / 2, n);
	expect("remap_larger", 0, 0);
	touch_remapped(mem2 + n / 2 * page, n / 2);
	expect("touch_remapped", n / 2, 0);
	remap_smaller(mem2, n, n / 4);
	expect("remap_smaller", 0, n - n / 4);
	heap = brk_grow(n / 2);
	touch_brk(heap, n / 2);
	expect("touch_brk", n / 2, 0);
	brk_shrink(n / 4);
	expect("brk_shrink", 0, n / 4);
}

static void huge(size_t n)
{
	char *start = (char *)(((uintptr_t)mem + HUGE_BYTES - 1) & -(uintptr_t)HUGE_BYTES);

	touch_huge(start, n * HUGE_BYTES / page);
	expect("touch_huge", n * HUGE_BYTES / page, 0);
	dontneed(start, n / 2 * HUGE_BYTES / page);
	expect("dontneed", 0, n / 2 * HUGE_BYTES / page);
	unmap(start + n / 2 * HUGE_BYTES, n / 4 * HUGE_BYTES / page);
	expect("unmap", 0, n / 4 * HUGE_BYTES / page);
}

/* Neither who copies nor whose page it was has more pages than before. */
static void cow(size_t n)
{
	int to_child[2], status;
	pid_t pid;

	touch(mem, n);
	expect("touch", n, 0);
	if (pipe(to_child))
		_exit(4);
	pid = fork();
	if (!pid) {
		char c;

		write_copied(mem, n);
		dontneed(mem, n / 2);
		_exit(read(to_child[0], &c, 1) != 1);
	}
	write_copied(mem, n);
	expect("write_copied", 0, 0);
	unmap(mem, n / 2);
	expect("unmap", 0, n / 2);
	if (write(to_child[1], "", 1) != 1 || waitpid(pid, &status, 0) != pid || status)
		_exit(4);
}

static void files(size_t n)
{
	read_file(mem, n);
	expect("read_file", n, 0);
	write_private(mem, n / 2); /* file pages become anonymous ones: both are counted */
	expect("write_private", n / 2, n / 2);
	unmap(mem, n / 4);
	expect("unmap", 0, n / 4);
	write_shared(mem2, n);
	expect("write_shared", n, 0);
	dontneed(mem2, n / 2);
	expect("dontneed", 0, n / 2);
	write_shmem(mem3, n);
	expect("write_shmem", n, 0);
	unmap(mem3, n / 2);
	expect("unmap", 0, n / 2);
}

static pthread_barrier_t barrier;
static size_t per_thread;

static void *work(void *arg)
{
	static void (*const funcs[])(char *, size_t) = { touch_a, touch_b, touch_c, touch_d };
	size_t nr = (size_t)arg;
	char *mine = mem + nr * per_thread * page;

	pthread_barrier_wait(&barrier);
	for (int i = 0; i < ROUNDS; i++) {
		funcs[nr % 4](mine, per_thread);
		dontneed(mine, per_thread);
	}
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void threads(size_t n)
{
	static const char *const names[] = { "touch_a", "touch_b", "touch_c", "touch_d" };

	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	for (size_t i = 0; i < NTHREADS; i++) {
		expect(names[i % 4], ROUNDS * n, 0);
		expect("dontneed", 0, ROUNDS * n);
	}
}

/* Until the harness has seen to it that others have done what they do. */
static void wait_for_others(size_t n)
{
	read_file(mem, n);
	expect("read_file", n, 0);
	mem2 = (char *)(((uintptr_t)mem2 + HUGE_BYTES - 1) & -(uintptr_t)HUGE_BYTES);
	touch(mem2, 1); /* a page, as no huge one is to be had */
	expect("touch", 1, 0);
}

static long swapped; /* bytes in swap when the others were done */

static void touch_all(size_t n)
{
	touch(mem, n);
	expect("touch", n, 0);
}

static void zeros(size_t n)
{
	read_into(mem, n);
	expect("read_into", n, 0);
	madvise(mem, n * page, MADV_MERGEABLE);
}

static void hugetlb(size_t n)
{
	mem3 = map(n * HUGE_BYTES / page, ANON | MAP_HUGETLB, -1);
	touch_huge(mem3, n * HUGE_BYTES / page);
	expect("touch_huge", 0, 0);
}

/* What is to be done when the others are. */
static void after(const char *what, size_t n)
{
	swapped = rollup_bytes("\nSwap:");
	if (strcmp(what, "swap"))
		return;
	touch_back(mem, n);
	expect("touch_back", (size_t)swapped / page, 0);
}

static int file_of(size_t pages)
{
	char name[] = "pages.XXXXXX";
	int fd = mkostemp(name, O_CLOEXEC);

	if (fd < 0)
		_exit(4);
	unlink(name);
	for (size_t i = 0; i < pages; i++)
		if (write(fd, mem3, page) != (ssize_t)page)
			_exit(4);
	fsync(fd); /* a page that is dirty cannot be paged out at once */
	/* Without fault-around a fault is a page. */
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	return fd;
}

static void prepare(const char *what, size_t n)
{
	pthread_t thread;

	if (strcmp(what, "thp") && prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
		_exit(4);
	if (!strcmp(what, "thp") || !strcmp(what, "nothp")) {
		mem = map((n + 1) * HUGE_BYTES / page, ANON, -1);
		madvise(mem, (n + 1) * HUGE_BYTES, MADV_HUGEPAGE);
		return;
	}
	mem3 = map(1, ANON, -1);
	if (!strcmp(what, "file") || !strcmp(what, "wait")) {
		int fd = file_of(n);

		mem = map(n, MAP_PRIVATE, fd);
		madvise(mem, n * page, MADV_RANDOM);
		if (*what == 'w') { /* no other advice: a huge page has to lie in one area */
			mem2 = map(2 * HUGE_BYTES / page, ANON, -1);
			return;
		}
		mem2 = map(n, MAP_SHARED, file_of(n));
		madvise(mem2, n * page, MADV_RANDOM);
		mem3 = map(n, MAP_SHARED | MAP_ANONYMOUS, -1);
		return;
	}
	mem = map(n * NTHREADS, ANON, -1);
	mem2 = map(n / 2 + 1, ANON, -1);
	if (strcmp(what, "threads"))
		return;
	per_thread = n;
	pthread_barrier_init(&barrier, NULL, NTHREADS + 1);
	for (size_t i = 0; i < NTHREADS; i++)
		if (pthread_create(&thread, NULL, work, (void *)i))
			_exit(4);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(size_t n);
	} modes[] = { { "pattern", pattern }, { "thp", huge }, { "nothp", huge }, { "cow", cow },
		      { "file", files }, { "threads", threads }, { "wait", wait_for_others }, { "swap", touch_all },
		      { "zeros", zeros }, { "hugetlb", hugetlb } };
	size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 0, mode = 0;
	long rss[2];

	page = (size_t)sysconf(_SC_PAGESIZE);
	while (mode < sizeof(modes) / sizeof(modes[0]) && argc > 1 && strcmp(argv[1], modes[mode].name))
		mode++;
	if (argc != 3 || mode == sizeof(modes) / sizeof(modes[0]) || !n)
		return 3;
	prepare(argv[1], n);
	rss_bytes(); /* its pages are there from now on */
	say_ready();
	await_line();
	rss[0] = rss_bytes();
	modes[mode].run(n);
	if (!strcmp(argv[1], "wait") || !strcmp(argv[1], "swap") || !strcmp(argv[1], "zeros")) {
		char line[128];

		snprintf(line, sizeof(line), "at %lu %zu %lu\n", (unsigned long)mem, n * page, (unsigned long)mem2);
		if (!strcmp(argv[1], "wait")) {
			prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
			madvise(mem2, HUGE_BYTES, MADV_HUGEPAGE); /* khugepaged hears of it but now */
		}
		say(line);
		await_line();
		after(argv[1], n);
	}
	rss[1] = rss_bytes();
	say("done\n");
	await_line();
	printf("{ \"page\": %zu, \"rss_start\": %ld, \"rss_end\": %ld, \"swapped\": %ld, \"funcs\": {", page, rss[0], rss[1],
	       swapped);
	for (size_t i = 0; i < nmoved; i++)
		printf("%s \"%s\": { \"grown\": %zu, \"released\": %zu }", i ? "," : "", moved[i].func, moved[i].grown * page,
		       moved[i].released * page);
	printf(" } }\n");
	return 0;
}
