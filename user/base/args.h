/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of the command line. Strict: the whole string must be the value, no
 * spaces, no sign, nothing depends on the locale. All return 0, -EINVAL (not such a
 * value) or -ERANGE (one that is too large or too small), and leave *ret alone on failure.
 */
#ifndef ALLOCSNOOP_BASE_ARGS_H
#define ALLOCSNOOP_BASE_ARGS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Decimal digits, @min to @max. */
int args_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/* Bytes: digits and one of "", B, K, KiB, M, MiB, G, GiB, T, TiB (k m g t too); powers of 1024. */
int args_size(const char *text, uint64_t *ret);

/* Digits with at most one point ("5", "0.5", ".5"), no exponent; @min to @max. */
int args_double(const char *text, double min, double max, double *ret);

/* More than 0 and at most a year. */
int args_seconds(const char *text, double *ret);

#define ARGS_MAX_PIDS 1024

/*
 * PID[,PID...]: at most ARGS_MAX_PIDS, each 1 to 2^22 (the kernel's PID_MAX_LIMIT); one named twice counts
 * once. *ret is for the caller to free. Also -ENOMEM.
 */
int args_pids(const char *text, pid_t **ret, size_t *ret_len);

#endif
