// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What becomes of blocks, in ways that ordinary programs rarely go. stay MODE N:
 *
 * fork	a child gives back the N blocks that it inherited, and some of its own;
 *	"forked PID" is said when it waits, "go" lets it go
 * old	N blocks, "done", "go", N more; the ledger says how old the young ones are
 * own	N blocks of allocators of its own, je_malloc and my_malloc
 * die	the same, and threads that end in the middle of my_malloc
 * storm	threads take blocks from each other, resize them and pass them on
 */
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "ledger.h"

#define NKEPT 4096
#define NTHREADS 8

static void *volatile kept[NKEPT];

static void took(struct site *site, void *p, size_t size)
{
	if (!p)
		abort();
	site->objects++;
	site->requested_bytes += size;
	site->live_bytes += size;
}

static void gave(struct site *site, size_t size)
{
	site->free_objects++;
	site->live_bytes -= size;
}

/* --- fork --- */

static SITE void site_inherited(struct site *site, int n)
{
	for (int i = 0; i < n; i++) {
		kept[i] = malloc(100);
		took(site, kept[i], 100);
	}
}

static SITE void site_child(int n)
{
	for (int i = 0; i < n; i++)
		free(kept[i]);
	for (int i = 0; i < n; i++)
		kept[i] = malloc(50);
	for (int i = 0; i < n; i += 2)
		free(kept[i]);
}

static int run_fork(int n)
{
	struct site sites[2] = { { .func = "site_inherited", .door = "malloc" }, { .func = "site_child", .door = "malloc" } };
	char line[32];
	pid_t pid;
	int status;

	site_inherited(&sites[0], n);
	pid = fork();
	if (pid < 0)
		return 3;
	if (!pid) {
		await_line();
		site_child(n);
		say("done\n");
		await_line();
		_exit(0);
	}
	snprintf(line, sizeof(line), "forked %d\n", (int)pid);
	say(line);
	if (waitpid(pid, &status, 0) != pid || status)
		return 3;
	sites[1].objects = n;
	sites[1].requested_bytes = n * 50u;
	sites[1].free_objects = (n + 1) / 2;
	sites[1].live_bytes = n / 2 * 50u;
	print_sites(sites, 2);
	return 0;
}

/* --- old --- */

static SITE void site_old(struct site *site, int n)
{
	for (int i = 0; i < n; i++)
		took(site, kept[i] = malloc(64), 64);
}

static SITE void site_young(struct site *site, int n)
{
	for (int i = 0; i < n; i++)
		took(site, kept[i] = malloc(32), 32);
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int run_old(int n)
{
	struct site sites[2] = { { .func = "site_old", .door = "malloc" }, { .func = "site_young", .door = "malloc" } };
	double start;

	site_old(&sites[0], n);
	say("done\n");
	await_line();
	start = now_s();
	site_young(&sites[1], n);
	say("done\n");
	await_line();
	printf("{ \"young_s\": %.6f }\n", now_s() - start);
	print_sites(sites, 2);
	return 0;
}

/* --- own, die --- */

/* A block is in its pool for ever: nothing is used again. Of its size there is a word in front of it. */
static char pool[1 << 20];
static size_t pool_used;

#define DIES 12345 /* asked for so much the thread ends */

static void *pool_take(size_t size)
{
	size_t at = __atomic_fetch_add(&pool_used, (size + 31) & ~(size_t)15, __ATOMIC_RELAXED);

	if (at + size + 16 > sizeof(pool))
		return NULL;
	*(size_t *)(pool + at) = size;
	return pool + at + 16;
}

SITE void *my_malloc(size_t size);
SITE void my_free(void *p);
SITE void *je_malloc(size_t size);
SITE void *je_realloc(void *p, size_t size);
SITE void je_free(void *p);

SITE void *my_malloc(size_t size)
{
	if (size == DIES)
		syscall(SYS_exit, 0);
	return pool_take(size);
}

SITE void my_free(void *p)
{
	if (p)
		*(volatile size_t *)((char *)p - 16) = 0;
}

SITE void *je_malloc(size_t size)
{
	return pool_take(size);
}

SITE void je_free(void *p)
{
	if (p)
		*(volatile size_t *)((char *)p - 16) = 0;
}

/* Comes through two doors of its own. */
SITE void *je_realloc(void *p, size_t size)
{
	void *q = je_malloc(size);

	if (p && q) {
		memcpy(q, p, size < 16 ? size : 16);
		je_free(p);
	}
	return q;
}

static SITE void site_my(struct site *site, int i)
{
	void *p = my_malloc(16 + i);

	took(site, p, 16 + i);
	if (i % 3)
		return;
	gave(site, 16 + i);
	my_free(p);
}

static SITE void site_je(struct site *site, int i)
{
	void *p = je_malloc(20);

	took(site, p, 20);
	gave(site, 20);
	p = je_realloc(p, 40);
	took(site, p, 40);
	if (i % 2)
		return;
	gave(site, 40);
	je_free(p);
}

static SITE void site_libc(struct site *site)
{
	void *p = malloc(33);

	took(site, p, 33);
	gave(site, 33);
	free(p);
}

static int run_own(int n, const char *more)
{
	struct site sites[3] = { { .func = "site_my", .door = "my_malloc" },
				 { .func = "site_je", .door = "je_malloc|je_realloc" },
				 { .func = "site_libc", .door = "malloc" } };

	for (int i = 0; i < n; i++) {
		site_my(&sites[0], i % 200);
		site_je(&sites[1], i);
		site_libc(&sites[2]);
	}
	say("done\n");
	await_line();
	printf("%s", more);
	print_sites(sites, 3);
	return 0;
}

static pthread_barrier_t start;

static void *die(void *arg)
{
	(void)arg;
	pthread_barrier_wait(&start);
	kept[0] = my_malloc(DIES);
	abort();
}

static int run_die(int n, const pthread_t *threads)
{
	char line[64];

	pthread_barrier_wait(&start);
	for (int i = 0; i < NTHREADS; i++)
		pthread_join(threads[i], NULL);
	snprintf(line, sizeof(line), "{ \"pid\": %d }\n", (int)getpid());
	return run_own(n, line);
}

/* --- storm --- */

enum { STORM_NEW, STORM_RESIZE, STORM__N };

struct header {
	uint32_t size;
	uint32_t site;
};

struct stormer {
	struct site sites[STORM__N];
	uint32_t rand, n;
};

#define NSLOTS 64

static struct header *slots[NSLOTS];
static struct stormer stormers[NTHREADS];
static pthread_barrier_t stop;

static uint32_t next_rand(struct stormer *s)
{
	s->rand = s->rand * 1664525 + 1013904223;
	return s->rand >> 8;
}

static SITE struct header *site_storm_new(struct stormer *s, uint32_t size)
{
	struct header *h = malloc(size);

	took(&s->sites[STORM_NEW], h, size);
	*h = (struct header){ size, STORM_NEW };
	return h;
}

static SITE struct header *site_storm_resize(struct stormer *s, struct header *h, uint32_t size)
{
	gave(&s->sites[h->site], h->size);
	h = realloc(h, size);
	took(&s->sites[STORM_RESIZE], h, size);
	*h = (struct header){ size, STORM_RESIZE };
	return h;
}

static SITE void *storm(void *arg)
{
	struct stormer *s = arg;

	pthread_barrier_wait(&start);
	for (uint32_t i = 0; i < s->n; i++) {
		/* Small sizes move within a cache, the largest by mremap. */
		uint32_t size = next_rand(s) % 16 ? 8 + next_rand(s) % 3000 : 100000 + next_rand(s) % 100000;
		struct header *h = __atomic_exchange_n(&slots[next_rand(s) % NSLOTS], NULL, __ATOMIC_ACQ_REL);

		h = h ? site_storm_resize(s, h, size) : site_storm_new(s, size);
		h = __atomic_exchange_n(&slots[next_rand(s) % NSLOTS], h, __ATOMIC_ACQ_REL);
		if (!h)
			continue;
		gave(&s->sites[h->site], h->size);
		free(h);
	}
	pthread_barrier_wait(&stop);
	return NULL;
}

static int run_storm(const pthread_t *threads)
{
	struct site sum[STORM__N] = { { .func = "site_storm_new", .door = "malloc" }, { .func = "site_storm_resize", .door = "realloc" } };

	pthread_barrier_wait(&start);
	pthread_barrier_wait(&stop);
	say("done\n");
	await_line();
	for (int i = 0; i < NTHREADS; i++) {
		pthread_join(threads[i], NULL);
		for (int k = 0; k < STORM__N; k++) {
			sum[k].objects += stormers[i].sites[k].objects;
			sum[k].requested_bytes += stormers[i].sites[k].requested_bytes;
			sum[k].free_objects += stormers[i].sites[k].free_objects;
			sum[k].live_bytes += stormers[i].sites[k].live_bytes;
		}
	}
	print_sites(sum, STORM__N);
	return 0;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	int n = argc > 2 ? atoi(argv[2]) : 100;
	bool dies = strcmp(mode, "die") == 0, storms = strcmp(mode, "storm") == 0;
	pthread_t threads[NTHREADS];

	if (n < 1 || (!storms && n > NKEPT))
		return 2;
	pthread_barrier_init(&start, NULL, NTHREADS + 1);
	pthread_barrier_init(&stop, NULL, NTHREADS + 1);
	for (int i = 0; (dies || storms) && i < NTHREADS; i++) {
		stormers[i] = (struct stormer){ .rand = i, .n = n };
		if (pthread_create(&threads[i], NULL, dies ? die : storm, &stormers[i]))
			return 3;
	}
	say_ready();
	await_line();
	if (dies)
		return run_die(n, threads);
	if (storms)
		return run_storm(threads);
	if (strcmp(mode, "fork") == 0)
		return run_fork(n);
	if (strcmp(mode, "old") == 0)
		return run_old(n);
	return strcmp(mode, "own") == 0 ? run_own(n, "") : 2;
}
