// SPDX-License-Identifier: GPL-2.0-or-later
#include "native.h"

#include <pthread.h>
#include <stdlib.h>

#include "_cgo_export.h"

#define NOINLINE __attribute__((noinline, no_icf))
/* Not a tail call. */
#define STAY() __asm__ volatile("" ::: "memory")

static void *volatile sink;
/* Go's g then is not where it would be alone. */
static __thread volatile unsigned long counts[3];

NOINLINE void c_direct(int n)
{
	for (int i = 0; i < n; i++) {
		counts[i & 1]++;
		sink = malloc(100);
		free(sink);
	}
}

static NOINLINE void c_middle(int n)
{
	c_direct(n);
	STAY();
}

NOINLINE void c_nested(int n)
{
	c_middle(n);
	STAY();
}

/* Six values that outlive the call fill all the registers that it keeps, rbp too. */
#define BUSY(name, call)                                                                                      \
	static NOINLINE unsigned long name(unsigned long a, unsigned long b, unsigned long c, unsigned long d, \
					   unsigned long e, unsigned long f)                                   \
	{                                                                                                      \
		call;                                                                                          \
		STAY();                                                                                        \
		return (a ^ b) + (c ^ d) * 3 + (e ^ f) * 5 + (a & f) + (b | d) * (c + e);                       \
	}

BUSY(c_busy, sink = malloc(100))
BUSY(c_busy_addresses, sink = malloc(100))
BUSY(c_busy_zero, sink = malloc(100))
BUSY(c_busy_call, goCallback((int)(a >> 32)))

static volatile unsigned long result;

NOINLINE void c_numbers(int n)
{
	for (unsigned long i = 0; i < (unsigned long)n; i++) {
		result = c_busy(i + 3, i * 5 + 1, i * 7 + 1, i * 9 + 3, i * 11 + 5, i * 13 + 7);
		free(sink);
	}
}

NOINLINE void c_addresses(int n)
{
	unsigned long words[64];

	for (int i = 0; i < 64; i++)
		words[i] = (unsigned long)&words[i & ~1] + 16;
	for (int i = 0; i < n; i++) {
		unsigned long at = (unsigned long)&words[(i & 7) * 2];

		__asm__ volatile("" : : "r"(words) : "memory");
		result = c_busy_addresses(at, at, at, at, at, at);
		free(sink);
	}
}

NOINLINE void c_zero(int n)
{
	for (int i = 0; i < n; i++) {
		result = c_busy_zero(0, 0, 0, 0, 0, 0);
		free(sink);
	}
}

__attribute__((noinline, optimize("no-omit-frame-pointer"))) void c_framed(int n)
{
	for (int i = 0; i < n; i++) {
		sink = malloc(100);
		free(sink);
	}
}

NOINLINE void c_call(int depth)
{
	goCallback(depth);
	STAY();
}

NOINLINE void c_call_numbers(int depth)
{
	unsigned long i = (unsigned long)depth << 32;

	result = c_busy_call(i + 3, i + 5, i + 7, i + 9, i + 11, i + 13);
}

__attribute__((noinline, optimize("no-omit-frame-pointer"))) void c_call_framed(int depth)
{
	goCallback(depth);
	STAY();
}

NOINLINE void c_thread_site(int n)
{
	for (int i = 0; i < n; i++) {
		sink = malloc(100);
		free(sink);
	}
}

static void *only_malloc(void *arg)
{
	c_thread_site((int)(long)arg);
	return NULL;
}

static void *call_go(void *arg)
{
	goThread((int)(long)arg);
	c_thread_site(1); /* the thread still has what it needed to run Go */
	goThread((int)(long)arg);
	return NULL;
}

static void in_thread(void *(*run)(void *), int n)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, (void *)(long)n))
		abort();
	pthread_join(thread, NULL);
}

void c_thread_malloc(int n)
{
	in_thread(only_malloc, n);
}

void c_thread_call(int n)
{
	in_thread(call_go, n);
}
