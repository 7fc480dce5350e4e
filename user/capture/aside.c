// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/aside.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

#define THREADS_MAX 64

struct aside {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	unsigned int nthreads;
};

struct job {
	struct aside *aside;
	void (*fn)(void *);
	void *arg;
};

int aside__new(struct aside **ret)
{
	struct aside *aside = calloc(1, sizeof(*aside));

	if (!aside)
		return -ENOMEM;
	pthread_mutex_init(&aside->lock, NULL);
	pthread_cond_init(&aside->ended, NULL);
	*ret = aside;
	return 0;
}

/* A place for one more thread, when there are at most @max then. */
static void enter(struct aside *aside, unsigned int max)
{
	pthread_mutex_lock(&aside->lock);
	while (aside->nthreads >= max)
		pthread_cond_wait(&aside->ended, &aside->lock);
	aside->nthreads++;
	pthread_mutex_unlock(&aside->lock);
}

static void leave(struct aside *aside)
{
	pthread_mutex_lock(&aside->lock);
	aside->nthreads--;
	pthread_cond_signal(&aside->ended);
	pthread_mutex_unlock(&aside->lock);
}

void aside__free(struct aside *aside)
{
	if (!aside)
		return;
	enter(aside, 1);
	pthread_cond_destroy(&aside->ended);
	pthread_mutex_destroy(&aside->lock);
	free(aside);
}

static void *run(void *arg)
{
	struct job job = *(struct job *)arg;

	free(arg);
	setpriority(PRIO_PROCESS, 0, ASIDE_NICE); /* of this thread; where it is not allowed, later */
	job.fn(job.arg);
	leave(job.aside);
	return NULL;
}

void aside__run(struct aside *aside, void (*fn)(void *), void *arg)
{
	struct job *job = malloc(sizeof(*job));
	pthread_attr_t attr;
	pthread_t thread;

	enter(aside, THREADS_MAX);
	if (job && !pthread_attr_init(&attr)) {
		*job = (struct job){ aside, fn, arg };
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		if (!pthread_create(&thread, &attr, run, job))
			job = NULL, fn = NULL;
		pthread_attr_destroy(&attr);
	}
	free(job);
	if (!fn)
		return;
	fn(arg);
	leave(aside);
}
