/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One failure, one message.
 *
 * A function that can fail for a reason the user must read takes a struct err
 * and fills it where the context is known; everything above only passes it on.
 * cmd/ prints it once and exits with err.kind.
 */
#ifndef ALLOCSNOOP_BASE_ERR_H
#define ALLOCSNOOP_BASE_ERR_H

/* The values are the program's exit codes. */
enum fail {
	FAIL_NONE = 0,
	FAIL_GENERAL = 1, /* it did not work */
	FAIL_USAGE = 2, /* wrong command line */
	FAIL_KERNEL = 3, /* the kernel or the privileges do not allow it */
	FAIL_TARGET = 4, /* no such process, or nothing in it to probe */
};

struct err {
	enum fail kind;
	char msg[1024];
};

/*
 * Fill @err (which may be NULL) and return @code, a negative errno, so that a
 * caller writes `return err_set(err, FAIL_TARGET, -ESRCH, "...")`.
 */
int err_set(struct err *err, enum fail kind, int code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

enum diag_level {
	DIAG_WARN, /* shown always but with -q */
	DIAG_INFO, /* shown always but with -q */
	DIAG_DEBUG, /* shown with -v */
};

/* Where warnings and progress go; passed down, never a global. */
struct diag {
	void (*emit)(void *ctx, enum diag_level level, const char *msg);
	void *ctx;
};

/* @diag may be NULL. The text carries no newline. */
void diag_emit(const struct diag *diag, enum diag_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
