// SPDX-License-Identifier: GPL-2.0-or-later
/* Moments as people name them, and the intervals that are taken for them. */
#include "store/window.h"

#include <errno.h>

#include "test.h"

#define S 1000000000ull
#define START (1000000 * S)

TEST(good_moments)
{
	static const struct {
		const char *text;
		enum when_kind kind;
		uint64_t ns;
	} good[] = {
		{ "1970-01-01T00:00:00Z", WHEN_AT, 0 },
		{ "2026-11-25T02:34:08Z", WHEN_AT, 1795574048 * S }, /* date -ud 2026-11-25T02:34:08Z +%s */
		{ "2026-11-25t02:34:08.25z", WHEN_AT, 1795574048 * S + S / 4 },
		{ "2026-11-25T03:34:08+01:00", WHEN_AT, 1795574048 * S },
		{ "2026-11-24T21:04:08-05:30", WHEN_AT, 1795574048 * S },
		{ "2028-02-29T00:00:00Z", WHEN_AT, 1835395200 * S },
		{ "+30", WHEN_AFTER_START, 30 * S },
		{ "+0", WHEN_AFTER_START, 0 },
		{ "-1.5", WHEN_BEFORE_END, 3 * S / 2 },
		{ "+2.064000001", WHEN_AFTER_START, 2064000001 },
		{ "+5.123456789", WHEN_AFTER_START, 5123456789 },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct when when = { 0 };

		if (!CHECK_INT(when_parse(good[i].text, &when), 0))
			fprintf(stderr, "  of '%s'\n", good[i].text);
		CHECK_INT(when.kind, good[i].kind);
		CHECK_INT(when.ns, good[i].ns);
	}
}

TEST(bad_moments)
{
	static const char *const bad[] = {
		"", "+", "-", "30", "+1e9", "+-1", "now", "2026-11-25", "2026-11-25T02:34:08", "2026-11-25 02:34:08Z",
		"2026-13-25T02:34:08Z", "2026-00-25T02:34:08Z", "2026-04-31T00:00:00Z", "2026-02-29T00:00:00Z",
		"2026-11-25T24:00:00Z", "2026-11-25T02:60:08Z", "2026-11-25T02:34:08.Z", "2026-11-25T02:34:08Zx",
		"2026-11-25T02:34:08+1:00", "2026-11-25T02:34:08+01:60", "1969-12-31T23:59:59Z", "2026-11-25T02:34:0",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct when when = { .ns = 7 };

		if (!CHECK(when_parse(bad[i], &when) < 0 && when.ns == 7))
			fprintf(stderr, "  '%s' was taken\n", bad[i]);
	}
}

TEST(spans)
{
	struct window_spec spec;

	CHECK_INT(window_parse("+1..-2", &spec), 0);
	CHECK_INT(spec.from.kind, WHEN_AFTER_START);
	CHECK_INT(spec.to.ns, 2 * S);
	CHECK_INT(window_parse("..", &spec), 0);
	CHECK(spec.from.kind == WHEN_NONE && spec.to.kind == WHEN_NONE);
	CHECK_INT(window_parse("2026-11-25T02:34:08.5Z..", &spec), 0);
	CHECK_INT(spec.from.ns, 1795574048 * S + S / 2);
	CHECK_INT(window_parse("+1", &spec), -EINVAL);
	CHECK_INT(window_parse("+1...", &spec), -EINVAL);
	CHECK_INT(window_parse("x..+1", &spec), -EINVAL);
}

/* Ends at 10, 20, ... 60 s; the history of the first two is that of the third. */
static const struct moment moments[] = {
	{ 1, START + 10 * S, false }, { 2, START + 20 * S, false }, { 3, START + 30 * S, true },
	{ 4, START + 40 * S, true },  { 5, START + 50 * S, true },  { 6, START + 60 * S, true },
};

static struct window_ids pick(const char *text)
{
	struct window_ids ids = { 99, 99 };
	struct window_spec spec;

	CHECK_INT(window_parse(text, &spec), 0);
	if (window_pick(moments, 6, START, &spec, &ids))
		return (struct window_ids){ 77, 77 };
	return ids;
}

#define CHECK_PICK(text, first, last)                              \
	do {                                                       \
		struct window_ids ids = pick(text);                \
		CHECK_INT(ids.from, first);                        \
		if (!CHECK_INT(ids.to, last))                      \
			fprintf(stderr, "  of '%s'\n", text);      \
	} while (0)

TEST(whole_intervals_around)
{
	CHECK_PICK("..", MOMENT_START, 6);
	CHECK_PICK("+40..", 4, 6);
	CHECK_PICK("+39..", 3, 6);
	CHECK_PICK("+41..+49", 4, 5);
	CHECK_PICK("..-10", MOMENT_START, 5);
	CHECK_PICK("-15..", 4, 6);
	CHECK_PICK("-1000..", MOMENT_START, 6);
	/* In the middle of what has become one interval. */
	CHECK_PICK("+12..+18", MOMENT_START, 3);
	CHECK_PICK("1970-01-12T13:47:20Z..1970-01-12T13:47:30Z", 4, 5); /* START + 40 s, + 50 s */
}

TEST(nothing_in_it)
{
	CHECK_PICK("+60..", 77, 77);
	CHECK_PICK("+50..+40", 77, 77);
	CHECK_PICK("..2000-01-01T00:00:00Z", MOMENT_START, 6);
	CHECK_PICK("2000-01-01T00:00:00Z..", 77, 77);
	CHECK_PICK("..1970-01-01T00:00:00Z", 77, 77);
}

TEST_MAIN()
