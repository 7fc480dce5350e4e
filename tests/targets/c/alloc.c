// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each way into the C allocator, from a function of its own, counted exactly.
 *
 * The rules of the ledger: an allocation is a call that returned memory; its
 * size is what was asked for (calloc: the product). realloc is a free and an
 * allocation of the new size; of NULL only an allocation; to 0 only a free where
 * it returns NULL (glibc); one that fails is neither. free(NULL) is nothing.
 *
 * Threads are made before "ready", because pthread_create() allocates; they wait
 * in a barrier, which does not.
 *
 * alloc [N [THREADS]]
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>

#include "ledger.h"

#define NKEPT 512

static void *volatile sink; /* keeps the compiler from removing or tail-calling anything */
static volatile size_t too_much = SIZE_MAX / 2;

static SITE void took(struct site *site, void *p, size_t size)
{
	sink = p;
	if (!p)
		return;
	site->objects++;
	site->requested_bytes += size;
}

static SITE void drop(struct site *site, void *p)
{
	if (p)
		site->free_objects++;
	free(p);
	sink = NULL;
}

static SITE void site_malloc(struct site *site, size_t size)
{
	void *p = malloc(size);

	took(site, p, size);
	drop(site, p);
}

static SITE void site_malloc_zero(struct site *site)
{
	void *p = malloc(0);

	took(site, p, 0);
	drop(site, p);
	drop(site, NULL);
}

static SITE void site_malloc_big(struct site *site, size_t size)
{
	void *p = malloc(size); /* above the mmap threshold */

	took(site, p, size);
	drop(site, p);
}

static SITE void site_malloc_fails(struct site *site)
{
	took(site, malloc(too_much), too_much);
}

static SITE void site_calloc(struct site *site, size_t n, size_t size)
{
	void *p = calloc(n, size);

	took(site, p, n * size);
	drop(site, p);
}

static SITE void site_calloc_fails(struct site *site)
{
	took(site, calloc(too_much, 4), 0); /* the product overflows */
	took(site, calloc(1, too_much), 0);
}

/* realloc of a live block: one object freed, one made. Part of its callers, as a frame without a stack of its own. */
static inline __attribute__((always_inline)) void *resize(struct site *site, void *p, size_t size)
{
	void *old = p, *q = realloc(p, size);

	if (old && (q || !size))
		site->free_objects++;
	took(site, q, size);
	return q ? q : size ? old : NULL;
}

static SITE void site_realloc_null(struct site *site)
{
	void *p = realloc(NULL, 77);

	took(site, p, 77);
	drop(site, p);
}

static SITE void site_realloc_grow(struct site *site)
{
	void *p = malloc(40), *wall;

	took(site, p, 40);
	p = resize(site, p, 3000);
	wall = malloc(3000); /* something behind it: the next one cannot grow in place */
	took(site, wall, 3000);
	p = resize(site, p, 60000);
	p = resize(site, p, 100); /* shrinks */
	drop(site, wall);
	drop(site, p);
}

static SITE void site_realloc_fails(struct site *site)
{
	void *p = malloc(50);

	took(site, p, 50);
	p = resize(site, p, too_much); /* the old block stays */
	drop(site, p);
}

static SITE void site_realloc_zero(struct site *site)
{
	void *p = malloc(60);

	took(site, p, 60);
	p = resize(site, p, 0);
	drop(site, p);
}

static SITE void site_reallocarray(struct site *site)
{
	void *p = reallocarray(NULL, 11, 13);

	took(site, p, 11 * 13);
	drop(site, p);
	took(site, reallocarray(NULL, too_much, 8), 0); /* overflows */
}

static SITE void site_posix_memalign(struct site *site, size_t align, size_t size)
{
	void *p = NULL;

	if (posix_memalign(&p, align, size) == 0)
		took(site, p, size);
	drop(site, p);
}

static SITE void site_posix_memalign_fails(struct site *site)
{
	void *p = NULL;

	if (posix_memalign(&p, 24, 100) != EINVAL) /* not a power of two */
		abort();
	if (posix_memalign(&p, 64, too_much) != ENOMEM)
		abort();
	(void)site;
}

static SITE void site_aligned_alloc(struct site *site)
{
	void *p = aligned_alloc(64, 640);

	took(site, p, 640);
	drop(site, p);
}

static SITE void site_memalign(struct site *site)
{
	void *p = memalign(16, 33), *q = memalign(4096, 5000); /* the first is a plain malloc inside */

	took(site, p, 33);
	took(site, q, 5000);
	drop(site, p);
	drop(site, q);
}

static SITE void site_valloc(struct site *site)
{
	void *p = valloc(700);

	took(site, p, 700);
	drop(site, p);
}

/* libc allocates on the site's behalf: the frame between must be there. */
static SITE void site_strdup(struct site *site, const char *text)
{
	char *p = strdup(text);

	took(site, p, strlen(text) + 1);
	drop(site, p);
}

static SITE void site_thread(struct site *site, size_t size)
{
	void *p = malloc(size);

	took(site, p, size);
	drop(site, p);
}

/* Some of it stays; what goes is given back by code, and in the second case by a thread, that did not allocate it. */
static void *volatile kept[2][NKEPT];

static SITE void site_keep(struct site *site, int i)
{
	size_t size = 10 + i % 77;
	void *p = malloc(size);

	took(site, p, size);
	if (i % 3 == 0) {
		p = resize(site, p, size = 500);
		p = resize(site, p, too_much); /* put back */
	}
	site->live_bytes += size;
	kept[0][i] = p;
}

static SITE void site_hand_over(struct site *site, int i)
{
	void *p = NULL;

	if (posix_memalign(&p, 64, 300) == 0)
		took(site, p, 300);
	site->live_bytes += 300;
	__atomic_store_n(&kept[1][i], p, __ATOMIC_RELEASE);
}

/* The blocks with even numbers. */
static SITE void give_back(struct site *site, int which, int n)
{
	for (int i = 0; i < n; i += 2) {
		void *p;

		while (!(p = __atomic_exchange_n(&kept[which][i], NULL, __ATOMIC_ACQUIRE)))
			;
		site->live_bytes -= which ? 300 : i % 3 == 0 ? 500 : 10 + i % 77;
		drop(site, p);
	}
}

enum {
	MALLOC,
	MALLOC_ZERO,
	MALLOC_BIG,
	MALLOC_FAILS,
	CALLOC,
	CALLOC_FAILS,
	REALLOC_NULL,
	REALLOC_GROW,
	REALLOC_FAILS,
	REALLOC_ZERO,
	REALLOCARRAY,
	POSIX_MEMALIGN,
	POSIX_MEMALIGN_FAILS,
	ALIGNED_ALLOC,
	MEMALIGN,
	VALLOC,
	STRDUP,
	THREAD,
	KEEP,
	HAND_OVER,
	NSITES
};

static struct site sites[NSITES] = {
	[MALLOC] = { "site_malloc", "malloc", 0, 0, 0, 0 },
	[MALLOC_ZERO] = { "site_malloc_zero", "malloc", 0, 0, 0, 0 },
	[MALLOC_BIG] = { "site_malloc_big", "malloc", 0, 0, 0, 0 },
	[MALLOC_FAILS] = { "site_malloc_fails", "malloc", 0, 0, 0, 0 },
	[CALLOC] = { "site_calloc", "calloc", 0, 0, 0, 0 },
	[CALLOC_FAILS] = { "site_calloc_fails", "calloc", 0, 0, 0, 0 },
	[REALLOC_NULL] = { "site_realloc_null", "realloc", 0, 0, 0, 0 },
	[REALLOC_GROW] = { "site_realloc_grow", "malloc|realloc", 0, 0, 0, 0 },
	[REALLOC_FAILS] = { "site_realloc_fails", "malloc|realloc", 0, 0, 0, 0 },
	[REALLOC_ZERO] = { "site_realloc_zero", "malloc|realloc", 0, 0, 0, 0 },
	[REALLOCARRAY] = { "site_reallocarray", "reallocarray", 0, 0, 0, 0 },
	[POSIX_MEMALIGN] = { "site_posix_memalign", "posix_memalign", 0, 0, 0, 0 },
	[POSIX_MEMALIGN_FAILS] = { "site_posix_memalign_fails", "posix_memalign", 0, 0, 0, 0 },
	[ALIGNED_ALLOC] = { "site_aligned_alloc", "aligned_alloc", 0, 0, 0, 0 },
	[MEMALIGN] = { "site_memalign", "memalign", 0, 0, 0, 0 },
	[VALLOC] = { "site_valloc", "valloc", 0, 0, 0, 0 },
	[STRDUP] = { "site_strdup", "strdup", 0, 0, 0, 0 },
	[THREAD] = { "site_thread", "malloc", 0, 0, 0, 0 },
	[KEEP] = { "site_keep", "malloc|realloc", 0, 0, 0, 0 },
	[HAND_OVER] = { "site_hand_over", "posix_memalign", 0, 0, 0, 0 },
};

struct worker {
	pthread_t thread;
	pthread_barrier_t *start, *stop;
	struct site site;
	struct site taken; /* by the first, of what it is handed over */
	int n;
};

static void *work(void *arg)
{
	struct worker *w = arg;

	pthread_barrier_wait(w->start);
	if (w->taken.func)
		give_back(&w->taken, 1, NKEPT);
	for (int i = 0; i < 2 * w->n; i++)
		site_thread(&w->site, 24 + i % 100);
	pthread_barrier_wait(w->stop);
	return NULL;
}

static SITE void run_sites(int n)
{
	for (int i = 0; i < n; i++) {
		site_malloc(&sites[MALLOC], 1 + i % 500);
		site_malloc_zero(&sites[MALLOC_ZERO]);
		site_malloc_fails(&sites[MALLOC_FAILS]);
		site_calloc(&sites[CALLOC], 3, 10 + i % 50);
		site_calloc_fails(&sites[CALLOC_FAILS]);
		site_realloc_null(&sites[REALLOC_NULL]);
		site_realloc_grow(&sites[REALLOC_GROW]);
		site_realloc_fails(&sites[REALLOC_FAILS]);
		site_realloc_zero(&sites[REALLOC_ZERO]);
		site_reallocarray(&sites[REALLOCARRAY]);
		site_posix_memalign(&sites[POSIX_MEMALIGN], 8, 20);
		site_posix_memalign(&sites[POSIX_MEMALIGN], 256, 999);
		site_posix_memalign_fails(&sites[POSIX_MEMALIGN_FAILS]);
		site_aligned_alloc(&sites[ALIGNED_ALLOC]);
		site_memalign(&sites[MEMALIGN]);
		site_valloc(&sites[VALLOC]);
		site_strdup(&sites[STRDUP], "a few bytes of text");
	}
	for (int i = 0; i < NKEPT; i++) {
		site_keep(&sites[KEEP], i);
		site_hand_over(&sites[HAND_OVER], i);
	}
	give_back(&sites[KEEP], 0, NKEPT);
	for (int i = 0; i < n / 20; i++)
		site_malloc_big(&sites[MALLOC_BIG], 200000 + i);
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1000, nthreads = argc > 2 ? atoi(argv[2]) : 4;
	pthread_barrier_t start, stop;
	struct worker workers[16] = {};

	if (n < 1 || nthreads < 0 || nthreads > 16)
		return 2;
	pthread_barrier_init(&start, NULL, nthreads + 1);
	pthread_barrier_init(&stop, NULL, nthreads + 1);
	for (int i = 0; i < nthreads; i++) {
		workers[i] = (struct worker){ .start = &start, .stop = &stop, .n = n };
		workers[i].taken.func = i ? NULL : "give_back";
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			return 3;
	}
	say_ready();
	await_line();
	pthread_barrier_wait(&start);
	run_sites(n);
	pthread_barrier_wait(&stop);
	say("done\n");
	await_line();
	for (int i = 0; i < nthreads; i++) {
		pthread_join(workers[i].thread, NULL);
		sites[THREAD].objects += workers[i].site.objects;
		sites[THREAD].requested_bytes += workers[i].site.requested_bytes;
		sites[THREAD].free_objects += workers[i].site.free_objects;
		sites[HAND_OVER].free_objects += workers[i].taken.free_objects;
		sites[HAND_OVER].live_bytes += workers[i].taken.live_bytes;
	}
	print_sites(sites, NSITES);
	return 0;
}
