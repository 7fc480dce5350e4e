// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/args.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PID_MAX_LIMIT (4u << 20)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits at *text; moves it past them. */
static int parse_digits(const char **text, uint64_t *ret)
{
	const char *p = *text;
	uint64_t value = 0;

	if (!is_digit(*p))
		return -EINVAL;
	for (; is_digit(*p); p++) {
		if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return -ERANGE;
	}
	*text = p;
	*ret = value;
	return 0;
}

int args_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t value;
	int err = parse_digits(&text, &value);

	if (err)
		return err;
	if (*text)
		return -EINVAL;
	if (value < min || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

int args_size(const char *text, uint64_t *ret)
{
	static const char units[] = "KMGT";
	unsigned int shift = 0;
	const char *unit;
	uint64_t value;
	char upper;
	int err = parse_digits(&text, &value);

	if (err)
		return err;
	if (strcmp(text, "B") == 0) {
		text++;
	} else if (*text) {
		upper = *text >= 'a' && *text <= 'z' ? (char)(*text - 'a' + 'A') : *text;
		unit = strchr(units, upper);
		if (!unit)
			return -EINVAL;
		shift = 10 * (unsigned int)(unit - units + 1);
		text++;
		/* "KB" is 1000 to some and 1024 to others: not taken. */
		if (strcmp(text, "iB") == 0)
			text += 2;
	}
	if (*text)
		return -EINVAL;
	if (value > UINT64_MAX >> shift)
		return -ERANGE;
	*ret = value << shift;
	return 0;
}

int args_double(const char *text, double min, double max, double *ret)
{
	double value = 0, scale = 1;
	bool digits = false, point = false;

	if (strlen(text) > 40)
		return -EINVAL;
	for (; *text; text++) {
		if (*text == '.' && !point) {
			point = true;
		} else if (is_digit(*text)) {
			digits = true;
			value = value * 10 + (*text - '0');
			if (point)
				scale *= 10;
		} else {
			return -EINVAL;
		}
	}
	if (!digits)
		return -EINVAL;
	value /= scale;
	if (value < min || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

int args_seconds(const char *text, double *ret)
{
	double value;
	int err = args_double(text, 0, 366 * 86400.0, &value);

	if (err)
		return err;
	if (value < 1e-3) /* nothing is measured in less than a millisecond */
		return -ERANGE;
	*ret = value;
	return 0;
}

static bool has_pid(const pid_t *pids, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++) {
		if (pids[i] == pid)
			return true;
	}
	return false;
}

int args_pids(const char *text, pid_t **ret, size_t *ret_len)
{
	pid_t *pids = calloc(ARGS_MAX_PIDS, sizeof(*pids));
	uint64_t value;
	size_t n = 0;
	int err;

	if (!pids)
		return -ENOMEM;
	for (;; text++) {
		err = parse_digits(&text, &value);
		if (err)
			goto out_free;
		err = *text && *text != ',' ? -EINVAL : value < 1 || value > PID_MAX_LIMIT ? -ERANGE : 0;
		if (err)
			goto out_free;
		if (!has_pid(pids, n, (pid_t)value)) {
			if (n == ARGS_MAX_PIDS) {
				err = -ERANGE;
				goto out_free;
			}
			pids[n++] = (pid_t)value;
		}
		if (!*text)
			break;
	}
	*ret = pids;
	*ret_len = n;
	return 0;
out_free:
	free(pids);
	return err;
}
