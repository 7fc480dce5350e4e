// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/recording.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"

const char *recording_time(uint64_t unix_ns, char *buf, size_t size)
{
	time_t seconds = (time_t)(unix_ns / 1000000000u);
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || !strftime(buf, size, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(buf, size, "?");
	return buf;
}

/* Cuts "@FROM..TO" off @file, into @spec. */
static int split_name(char *file, struct window_spec *spec, struct err *err)
{
	char *at = access(file, F_OK) == 0 ? NULL : strrchr(file, '@');

	if (!at || !strstr(at, ".."))
		return 0;
	if (window_parse(at + 1, spec))
		return err_set(err, FAIL_USAGE, -EINVAL, "'%s' is no window: FROM..TO, each RFC 3339, +SEC, -SEC or nothing", at + 1);
	*at = 0;
	return 0;
}

static int pick(struct recording *rec, const char *file, const struct window_spec *spec, struct err *err)
{
	const struct reader_run *run = reader__run(rec->reader);
	const struct moment *moments;
	char from[40], to[40];
	size_t n;

	moments = reader__moments(rec->reader, &n);
	rec->window = spec->from.kind == WHEN_NONE && spec->to.kind == WHEN_NONE ? WINDOW_ALL : WINDOW_INTERVAL;
	if (window_pick(moments, n, run->start_unix_ns, spec, &rec->ids))
		return err_set(err, FAIL_USAGE, -ERANGE, "%s has nothing in that window: it is from %s to %s", file,
			       recording_time(run->start_unix_ns, from, sizeof(from)),
			       recording_time(moments[n - 1].unix_ns, to, sizeof(to)));
	rec->from_unix_ns = run->start_unix_ns;
	for (size_t i = 0; i < n; i++) {
		if (moments[i].id == rec->ids.from)
			rec->from_unix_ns = moments[i].unix_ns;
		if (moments[i].id == rec->ids.to)
			rec->to_unix_ns = moments[i].unix_ns;
	}
	return 0;
}

int recording__open(struct recording *ret, const char *name, const struct window_spec *spec, struct err *err)
{
	struct window_spec own = *spec;
	char *file = strdup(name);
	int code;

	*ret = (struct recording){ 0 };
	code = file ? split_name(file, &own, err) : err_set(err, FAIL_GENERAL, -ENOMEM, "out of memory");
	if (!code)
		code = reader__open(file, &ret->reader, err);
	if (!code)
		code = pick(ret, file, &own, err);
	free(file);
	return code;
}

void recording__close(struct recording *rec)
{
	reader__free(rec->reader);
	rec->reader = NULL;
}

void recording__describe(const struct recording *rec, const char *name)
{
	const struct reader_run *run = reader__run(rec->reader);
	char from[40], to[40], clean[256];
	const struct moment *moments;
	size_t n;

	moments = reader__moments(rec->reader, &n);
	name_clean(clean, sizeof(clean), name);
	recording_time(run->start_unix_ns, from, sizeof(from));
	recording_time(moments[n - 1].unix_ns, to, sizeof(to));
	fprintf(stderr, "allocsnoop: %s: %zu intervals on %s, %s to %s; %s%s\n", clean, n, *run->host ? run->host : "?", from, to,
		run->end_unix_ns ? "its end: " : "it still records, or was cut off: the last interval is whole",
		run->end_unix_ns ? run->ending : "");
}
