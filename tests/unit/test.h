/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A unit test is a program: TEST(name) bodies and TEST_MAIN(). Each test prints
 * one line, "ok NAME" or "not ok NAME", failures with file, line and both values.
 * A test that misses what it needs calls SKIP("why") and prints "skip NAME # why".
 * The exit code is 1 if any failed.
 */
#ifndef ALLOCSNOOP_TESTS_TEST_H
#define ALLOCSNOOP_TESTS_TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct test_case {
	const char *name;
	void (*fn)(void);
	struct test_case *next;
};

static struct test_case *test_first, **test_last = &test_first;
static bool test_failed;
static const char *test_skip_why;

#define TEST(id)                                                                      \
	static void test_##id(void);                                                  \
	static struct test_case test_case_##id = { #id, test_##id, NULL };            \
	__attribute__((constructor)) static void test_add_##id(void)                  \
	{                                                                             \
		*test_last = &test_case_##id;                                         \
		test_last = &test_case_##id.next;                                     \
	}                                                                             \
	static void test_##id(void)

static inline bool test_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	test_failed = true;
	return false;
}

static inline bool test_int(const char *file, int line, const char *expr, long long got, long long want)
{
	char msg[512];

	if (got == want)
		return true;
	snprintf(msg, sizeof(msg), "%s is %lld (0x%llx), want %lld (0x%llx)", expr, got, (unsigned long long)got, want,
		 (unsigned long long)want);
	return test_fail(file, line, msg);
}

static inline bool test_str(const char *file, int line, const char *expr, const char *got, const char *want)
{
	char msg[2048];

	if (got && want && strcmp(got, want) == 0)
		return true;
	snprintf(msg, sizeof(msg), "%s is \"%s\", want \"%s\"", expr, got ? got : "(null)", want ? want : "(null)");
	return test_fail(file, line, msg);
}

/* All are expressions that are true when the check held; a failed one does not end the test. */
#define CHECK(cond) ((cond) ? true : test_fail(__FILE__, __LINE__, "not true: " #cond))
#define CHECK_INT(got, want) test_int(__FILE__, __LINE__, #got, (long long)(got), (long long)(want))
#define CHECK_STR(got, want) test_str(__FILE__, __LINE__, #got, got, want)
#define SKIP(why) (test_skip_why = (why))

#define TEST_MAIN()                                                                   \
	int main(void)                                                                \
	{                                                                             \
		bool any = false;                                                     \
		for (struct test_case *t = test_first; t; t = t->next) {              \
			test_failed = false;                                          \
			test_skip_why = NULL;                                         \
			t->fn();                                                      \
			if (test_failed)                                              \
				printf("not ok %s\n", t->name);                       \
			else if (test_skip_why)                                       \
				printf("skip %s # %s\n", t->name, test_skip_why);     \
			else                                                          \
				printf("ok %s\n", t->name);                           \
			any |= test_failed;                                           \
		}                                                                     \
		return any;                                                           \
	}

#endif
