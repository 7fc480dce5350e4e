// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory that one function asks for and another touches first. The ledger: for each pair of them how
 * many pages became resident so, by the page table itself (/proc/self/pagemap).
 *
 * asker plain N     mappings and blocks of N pages, large and small ones, and one that its asker touches
 * asker reuse N     the same address for one after the other, given back between
 * asker threads N   threads that touch what others have asked for, all at once
 */
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "ledger.h"

#define NTHREADS 4
#define ROUNDS 16
#define SMALL_PAGES 5 /* of a block that lies in the heap */

static size_t page;
static int pagemap;
static volatile char after; /* something to do behind a call: it is no tail call */

static struct {
	const char *touched, *asked;
	size_t pages;
} pairs[64];
static size_t npairs;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void expect(const char *touched, const char *asked, size_t pages)
{
	size_t i = 0;

	pthread_mutex_lock(&lock);
	while (i < npairs && (strcmp(pairs[i].touched, touched) || strcmp(pairs[i].asked, asked)))
		i++;
	npairs += i == npairs;
	pairs[i].touched = touched;
	pairs[i].asked = asked;
	pairs[i].pages += pages;
	pthread_mutex_unlock(&lock);
}

/* Pages of [@mem, @mem + @bytes) that are resident: the topmost bit of each word (Documentation/admin-guide/mm/pagemap.rst). */
static size_t resident(const char *mem, size_t bytes)
{
	static __thread uint64_t words[512];
	size_t first = (uintptr_t)mem / page, end = ((uintptr_t)mem + bytes + page - 1) / page, n = 0;

	while (first < end) {
		size_t some = end - first < 512 ? end - first : 512;

		if (pread(pagemap, words, some * 8, (off_t)first * 8) != (ssize_t)(some * 8))
			_exit(4);
		for (size_t i = 0; i < some; i++)
			n += words[i] >> 63;
		first += some;
	}
	return n;
}

#define TOUCH(name)                                                                                                    \
	static SITE void name(char *mem, size_t bytes, const char *asked)                                              \
	{                                                                                                              \
		size_t before = resident(mem, bytes);                                                                  \
                                                                                                                       \
		memset(mem, 1, bytes);                                                                                 \
		expect(#name, asked, resident(mem, bytes) - before);                                                   \
	}

TOUCH(touch_mapping)
TOUCH(touch_file)
TOUCH(touch_large)
TOUCH(touch_small)
TOUCH(touch_first)
TOUCH(touch_second)
TOUCH(touch_early)
TOUCH(touch_a)
TOUCH(touch_b)
TOUCH(touch_c)
TOUCH(touch_d)

#define ASK_BLOCK(name)                                                                                                \
	static SITE char *name(size_t bytes)                                                                           \
	{                                                                                                              \
		char *mem = malloc(bytes);                                                                             \
                                                                                                                       \
		after = 1;                                                                                             \
		return mem ? mem : (_exit(4), NULL);                                                                   \
	}

ASK_BLOCK(ask_large)
ASK_BLOCK(ask_small)
ASK_BLOCK(ask_first)
ASK_BLOCK(ask_second)
ASK_BLOCK(ask_early)
ASK_BLOCK(ask_a)
ASK_BLOCK(ask_b)
ASK_BLOCK(ask_c)
ASK_BLOCK(ask_d)

static SITE char *ask_mapping(size_t bytes, int flags, int fd)
{
	char *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

	after = 1;
	return mem != MAP_FAILED ? mem : (_exit(4), NULL);
}

static SITE char *ask_populated(size_t bytes)
{
	char *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	after = 1;
	if (mem == MAP_FAILED)
		_exit(4);
	expect("ask_populated", "ask_populated", resident(mem, bytes));
	return mem;
}

/* calloc of memory that was used before fills it itself; here its pages have gone meanwhile. */
static SITE char *ask_zeroed(size_t bytes, char *used)
{
	size_t before = resident(used, bytes);
	char *mem = calloc(1, bytes);

	after = 1;
	if (mem != used)
		_exit(5);
	expect("ask_zeroed", "ask_zeroed", resident(mem, bytes) - before);
	return mem;
}

static void release(char *mem, size_t bytes)
{
	char *start = (char *)(((uintptr_t)mem + page - 1) / page * page), *end = (char *)(((uintptr_t)mem + bytes) / page * page);

	madvise(start, (size_t)(end - start), MADV_DONTNEED);
}

static char *early;

static void plain(size_t n)
{
	char *mem, *volatile used;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	touch_mapping(ask_mapping(n * page, MAP_PRIVATE | MAP_ANONYMOUS, -1), n * page, "ask_mapping");
	touch_file(ask_mapping(page, MAP_PRIVATE, fd), page, "ask_mapping");
	ask_populated(n / 2 * page);
	touch_large(ask_large(n * page), n * page, "ask_large");
	for (size_t i = 0; i < n / SMALL_PAGES; i++)
		touch_small(ask_small(SMALL_PAGES * page), SMALL_PAGES * page, "ask_small");
	/* From the heap, and below the top of it. */
	mem = ask_first(SMALL_PAGES * page);
	ask_small(100);
	touch_first(mem, SMALL_PAGES * page, "ask_first");
	used = mem;
	free(mem);
	release(used + 64, SMALL_PAGES * page - 64);
	ask_zeroed(SMALL_PAGES * page, used);
	touch_early(early, n * page, "");
	close(fd);
}

static void reuse(size_t n)
{
	char *first, *second, *volatile old = NULL;
	size_t same = 0;

	for (int i = 0; i < ROUNDS; i++) {
		first = ask_first(n * page);
		same += first == old;
		touch_first(first, n * page, "ask_first");
		old = first;
		free(first);
		second = ask_second(n * page);
		same += second == old;
		touch_second(second, n * page / 2, "ask_second");
		old = second;
		if (i < ROUNDS - 1)
			free(second);
	}
	if (same < ROUNDS)
		_exit(6); /* it is not what it is meant to be */
}

static pthread_barrier_t barrier, begin; /* of the workers; and of who lets them go */
static size_t per_thread;
static char *passed[NTHREADS];

static void *work(void *arg)
{
	static char *(*const asks[])(size_t) = { ask_a, ask_b, ask_c, ask_d };
	static void (*const touches[])(char *, size_t, const char *) = { touch_a, touch_b, touch_c, touch_d };
	static const char *const names[] = { "ask_a", "ask_b", "ask_c", "ask_d" };
	size_t nr = (size_t)arg, from;

	pthread_barrier_wait(&begin);
	for (size_t i = 0; i < ROUNDS; i++) {
		passed[nr] = asks[nr](per_thread * page);
		pthread_barrier_wait(&barrier);
		from = (nr + i) % NTHREADS;
		touches[nr](passed[from], per_thread * page, names[from]);
		free(passed[from]);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static pthread_t workers[NTHREADS];

static void threads(size_t n)
{
	(void)n;
	pthread_barrier_wait(&begin);
	for (size_t i = 0; i < NTHREADS; i++)
		pthread_join(workers[i], NULL);
}

static void prepare(const char *what, size_t n)
{
	pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (pagemap < 0 || prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
		_exit(4);
	mallopt(M_MMAP_THRESHOLD, (int)(16 * page)); /* and it stays that */
	early = ask_early(n * page);
	resident(early, page);
	per_thread = n;
	if (strcmp(what, "threads"))
		return;
	pthread_barrier_init(&barrier, NULL, NTHREADS);
	pthread_barrier_init(&begin, NULL, NTHREADS + 1);
	for (size_t i = 0; i < NTHREADS; i++)
		if (pthread_create(&workers[i], NULL, work, (void *)i))
			_exit(4);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(size_t n);
	} modes[] = { { "plain", plain }, { "reuse", reuse }, { "threads", threads } };
	size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 0, mode = 0;

	page = (size_t)sysconf(_SC_PAGESIZE);
	while (mode < sizeof(modes) / sizeof(modes[0]) && argc > 1 && strcmp(argv[1], modes[mode].name))
		mode++;
	if (argc != 3 || mode == sizeof(modes) / sizeof(modes[0]) || n < 32)
		return 3;
	prepare(argv[1], n);
	say_ready();
	await_line();
	modes[mode].run(n);
	say("done\n");
	await_line();
	printf("{ \"page\": %zu, \"pairs\": [", page);
	for (size_t i = 0; i < npairs; i++)
		printf("%s{ \"touched\": \"%s\", \"asked\": \"%s\", \"bytes\": %zu }", i ? ", " : " ", pairs[i].touched,
		       pairs[i].asked, pairs[i].pages * page);
	printf(" ] }\n");
	return 0;
}
