// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/window.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/args.h"

#define NS 1000000000u

/* @n digits. */
static int digits(const char **text, int n, int max, int *ret)
{
	int value = 0;

	for (int i = 0; i < n; i++) {
		char c = *(*text)++;

		if (c < '0' || c > '9')
			return -EINVAL;
		value = value * 10 + (c - '0');
	}
	*ret = value;
	return value > max ? -ERANGE : 0;
}

static int expect(const char **text, char c, char lower)
{
	return **text == c || **text == lower ? (*text)++, 0 : -EINVAL;
}

/* ".25": at most nine places count. */
static int fraction(const char **text, uint64_t *ret_ns)
{
	uint64_t place = NS / 10;

	*ret_ns = 0;
	if (**text != '.')
		return 0;
	(*text)++;
	if (**text < '0' || **text > '9')
		return -EINVAL;
	for (; **text >= '0' && **text <= '9'; (*text)++, place /= 10)
		*ret_ns += (uint64_t)(**text - '0') * place;
	return 0;
}

/* "Z", "+01:00": seconds east of Greenwich. */
static int offset(const char **text, int *ret_s)
{
	int sign, hours = 0, minutes = 0, err;

	*ret_s = 0;
	if (!expect(text, 'Z', 'z'))
		return 0;
	sign = **text == '-' ? -1 : 1;
	err = expect(text, '+', '-');
	if (!err)
		err = digits(text, 2, 23, &hours);
	if (!err)
		err = expect(text, ':', ':');
	if (!err)
		err = digits(text, 2, 59, &minutes);
	*ret_s = sign * (hours * 3600 + minutes * 60);
	return err;
}

/* Source: RFC 3339, section 5.6. */
static int parse_date(const char *text, uint64_t *ret_ns)
{
	static const struct {
		char behind, lower;
		int n, max;
	} parts[] = { { '-', '-', 4, 9999 }, { '-', '-', 2, 12 }, { 'T', 't', 2, 31 },
		      { ':', ':', 2, 23 },   { ':', ':', 2, 59 }, { 0, 0, 2, 60 } };
	int v[6], east_s = 0, err = 0;
	uint64_t ns = 0;
	struct tm tm = { 0 };
	time_t at;

	for (int i = 0; i < 6 && !err; i++) {
		err = digits(&text, parts[i].n, parts[i].max, &v[i]);
		if (!err && parts[i].behind)
			err = expect(&text, parts[i].behind, parts[i].lower);
	}
	if (!err)
		err = fraction(&text, &ns);
	if (!err)
		err = offset(&text, &east_s);
	if (err || *text)
		return err ? err : -EINVAL;
	tm = (struct tm){ .tm_year = v[0] - 1900, .tm_mon = v[1] - 1, .tm_mday = v[2],
			  .tm_hour = v[3], .tm_min = v[4], .tm_sec = v[5] };
	at = timegm(&tm) - east_s;
	/* timegm() makes the 31st of April the 1st of May. */
	if (v[1] < 1 || v[2] < 1 || tm.tm_mday != v[2] || at < 0 || (uint64_t)at > UINT64_MAX / NS / 2)
		return -ERANGE;
	*ret_ns = (uint64_t)at * NS + ns;
	return 0;
}

int when_parse(const char *text, struct when *ret)
{
	bool after = *text == '+', before = *text == '-';
	double seconds;
	int err;

	if (!after && !before) {
		struct when when = { .kind = WHEN_AT };

		err = strlen(text) < 16 ? -EINVAL : parse_date(text, &when.ns);
		if (!err)
			*ret = when;
		return err;
	}
	err = args_double(text + 1, 0, 100 * 366 * 86400.0, &seconds);
	if (!err)
		*ret = (struct when){ after ? WHEN_AFTER_START : WHEN_BEFORE_END, (uint64_t)(seconds * NS + 0.5) };
	return err;
}

int window_parse(const char *text, struct window_spec *ret)
{
	const char *dots = strstr(text, "..");
	struct window_spec spec = { 0 };
	char from[64];
	int err = 0;

	if (!dots || (size_t)(dots - text) >= sizeof(from))
		return -EINVAL;
	memcpy(from, text, (size_t)(dots - text));
	from[dots - text] = 0;
	if (*from)
		err = when_parse(from, &spec.from);
	if (!err && dots[2])
		err = when_parse(dots + 2, &spec.to);
	if (!err)
		*ret = spec;
	return err;
}

static uint64_t unix_ns_of(const struct when *when, uint64_t start, uint64_t end)
{
	switch (when->kind) {
	case WHEN_AFTER_START:
		return start + when->ns;
	case WHEN_BEFORE_END:
		return end > when->ns ? end - when->ns : 0;
	default:
		return when->ns;
	}
}

int window_pick(const struct moment *moments, size_t n, uint64_t start_unix_ns, const struct window_spec *spec,
		struct window_ids *ret)
{
	uint64_t end = moments[n - 1].unix_ns;
	uint64_t from = spec->from.kind == WHEN_NONE ? 0 : unix_ns_of(&spec->from, start_unix_ns, end);
	uint64_t to = spec->to.kind == WHEN_NONE ? UINT64_MAX : unix_ns_of(&spec->to, start_unix_ns, end);
	struct window_ids ids = { MOMENT_START, moments[n - 1].id };

	if (from >= end || to <= start_unix_ns || from >= to)
		return -ERANGE;
	for (size_t i = 0; i < n; i++)
		if (moments[i].has_rows && moments[i].unix_ns <= from)
			ids.from = moments[i].id;
	for (size_t i = n; i-- > 0;)
		if (moments[i].has_rows && moments[i].unix_ns >= to)
			ids.to = moments[i].id;
	*ret = ids;
	return 0;
}
