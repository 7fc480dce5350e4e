// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/units.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "base/args.h"
#include "test.h"

TEST(bytes)
{
	CHECK_STR(fmt_bytes(UNITS_TMP, 0), "0 B");
	CHECK_STR(fmt_bytes(UNITS_TMP, 1023), "1023 B");
	CHECK_STR(fmt_bytes(UNITS_TMP, 1024), "1.0 KiB");
	CHECK_STR(fmt_bytes(UNITS_TMP, 312 * 1024), "312.0 KiB");
	CHECK_STR(fmt_bytes(UNITS_TMP, 3ull << 29), "1.5 GiB");
	CHECK_STR(fmt_bytes(UNITS_TMP, (1 << 20) - 1), "1.0 MiB"); /* not 1024.0 KiB */
	CHECK_STR(fmt_bytes(UNITS_TMP, UINT64_MAX), "16.0 EiB");
	CHECK_STR(fmt_bytes_signed(UNITS_TMP, 1536), "+1.5 KiB");
	CHECK_STR(fmt_bytes_signed(UNITS_TMP, -17), "-17 B");
	CHECK_STR(fmt_bytes_signed(UNITS_TMP, INT64_MIN), "-8.0 EiB");
	CHECK_STR(fmt_byte_rate(UNITS_TMP, 62.5 * 1048576), "62.5 MiB/s");
	CHECK_STR(fmt_byte_rate(UNITS_TMP, (double)INFINITY), "16.0 EiB/s");
	CHECK_STR(fmt_byte_rate(UNITS_TMP, (double)NAN), "0 B/s");
}

TEST(counts)
{
	CHECK_STR(fmt_count(UNITS_TMP, 999), "999");
	CHECK_STR(fmt_count(UNITS_TMP, 1200000), "1.2M");
	CHECK_STR(fmt_count(UNITS_TMP, 999960), "1.0M");
	CHECK_STR(fmt_count(UNITS_TMP, UINT64_MAX), "18.4E");
	CHECK_STR(fmt_grouped(UNITS_TMP, 0), "0");
	CHECK_STR(fmt_grouped(UNITS_TMP, 999), "999");
	CHECK_STR(fmt_grouped(UNITS_TMP, 1000), "1,000");
	CHECK_STR(fmt_grouped(UNITS_TMP, 1234567), "1,234,567");
	CHECK_STR(fmt_grouped(UNITS_TMP, UINT64_MAX), "18,446,744,073,709,551,615");
	CHECK_STR(fmt_count_rate(UNITS_TMP, 1.52), "1.5/s");
	CHECK_STR(fmt_count_rate(UNITS_TMP, 246913.4), "246,913/s");
}

TEST(durations)
{
	CHECK_STR(fmt_duration(UNITS_TMP, 0.000012), "12 us");
	CHECK_STR(fmt_duration(UNITS_TMP, 0.012), "12 ms");
	CHECK_STR(fmt_duration(UNITS_TMP, 0.9999), "1.0 s");
	CHECK_STR(fmt_duration(UNITS_TMP, 59.99), "1m 00s");
	CHECK_STR(fmt_duration(UNITS_TMP, 80), "1m 20s");
	CHECK_STR(fmt_duration(UNITS_TMP, 7500), "2h 05m");
	CHECK_STR(fmt_duration(UNITS_TMP, -1), "0 us");
	CHECK_STR(fmt_pct(UNITS_TMP, 1, 3), "33.3 %");
	CHECK_STR(fmt_pct(UNITS_TMP, 1, 0), "-");
}

TEST(fixed_in_any_locale)
{
	const char *const locales[] = { "C", "de_DE.UTF-8", "fr_FR.UTF-8" };

	for (size_t i = 0; i < 3; i++) {
		setlocale(LC_ALL, locales[i]); /* where it is installed */
		CHECK_STR(fmt_fixed(UNITS_TMP, -1234.5678, 2), "-1234.57");
		CHECK_STR(fmt_fixed(UNITS_TMP, 5, 0), "5");
	}
	setlocale(LC_ALL, "C");
	CHECK_STR(fmt_fixed(UNITS_TMP, (double)NAN, 2), "nan");
	CHECK_STR(fmt_fixed(UNITS_TMP, (double)-INFINITY, 2), "-inf");
	CHECK(strlen(fmt_fixed(UNITS_TMP, 1e300, 9)) < UNITS_SIZE);
}

/* @name on the heap and the result in exactly the promised bytes: the sanitizer sees a step too far. */
static void check_clean(const char *name, const char *want)
{
	char *in = strdup(name), *out = malloc(strlen(name) + 1);

	CHECK_INT(name_clean(out, strlen(name) + 1, in), strlen(want));
	CHECK_STR(out, want);
	free(in);
	free(out);
}

TEST(names_are_cleaned)
{
	check_clean("plain.(*T).Name[...]", "plain.(*T).Name[...]");
	check_clean("\033[31mred\033[0m\r\n\t\x7f", "?[31mred?[0m????");
	check_clean("caf\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x98\x80 main\xc2\xb7""f", "caf\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x98\x80 main\xc2\xb7""f");
	check_clean("c1\xc2\x9b""31m", "c1?31m"); /* U+009B is CSI */
	check_clean("raw\x9b""31m", "raw?31m");
	check_clean("bidi\xe2\x80\xae\xe2\x81\xa6\xe2\x80\x8f", "bidi???");
	check_clean("bom\xef\xbb\xbf sep\xe2\x80\xa8", "bom? sep?");
	check_clean("tag\xf3\xa0\x81\x81", "tag?");
	check_clean("\xc0\xaf \xe0\x80\xaf \xed\xa0\x80 \xf4\x90\x80\x80", "?? ??? ??? ????"); /* overlong, surrogate, too large */
	check_clean("cut\xe2\x82", "cut??");
	check_clean("cut\xf0", "cut?");
}

TEST(cleaning_fits_the_buffer)
{
	char buf[8];

	CHECK_INT(name_clean(buf, 5, "abcdefgh"), 4);
	CHECK_STR(buf, "abcd");
	CHECK_INT(name_clean(buf, 5, "abc\xe2\x82\xac"), 3); /* no half of a character */
	CHECK_STR(buf, "abc");
	CHECK_INT(name_clean(buf, 1, "abc"), 0);
	CHECK_STR(buf, "");
}

TEST(cleaning_random_bytes_leaves_nothing_unsafe)
{
	unsigned int seed = 1;
	char in[64], out[64];
	uint32_t cp;

	for (int round = 0; round < 200000; round++) {
		size_t n = (size_t)rand_r(&seed) % 60;

		for (size_t i = 0; i < n; i++) {
			int r = rand_r(&seed);

			in[i] = (char)(r & 0x1000 ? 0x80 | (r & 0x7f) : 1 + r % 255);
		}
		in[n] = 0;
		if (!CHECK(name_clean(out, sizeof(out), in) <= n))
			return;
		for (const char *p = out; *p;) {
			p += utf8_next(p, &cp);
			if (!CHECK(!codepoint_is_unsafe(cp)))
				return;
		}
	}
}

TEST(columns_and_cuts)
{
	char buf[256];

	CHECK_INT(text_columns("caf\xc3\xa9"), 4);
	CHECK_INT(text_columns("\xe6\xbc\xa2\xe5\xad\x97"), 4);
	CHECK_INT(text_columns("e\xcc\x81"), 1);
	CHECK_INT(text_cut_middle(buf, sizeof(buf), "short", 10), 5);
	CHECK_STR(buf, "short");
	CHECK_INT(text_cut_middle(buf, sizeof(buf), "0123456789abcdefghij", 13), 13);
	CHECK_STR(buf, "0123...efghij");
	CHECK_INT(text_cut_middle(buf, sizeof(buf), "0123456789", 4), 4);
	CHECK_STR(buf, "0123");
	for (size_t columns = 0; columns < 40; columns++)
		CHECK(text_cut_middle(buf, sizeof(buf),
				      "\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2"
				      "e\xcc\x81\xcc\x81\xcc\x81 tail of it",
				      columns) <= columns);
}

TEST(endless_combining_marks_are_cut_whole)
{
	char text[2001], buf[256];
	uint32_t cp;

	for (size_t i = 0; i < 2000; i += 2)
		memcpy(text + i, "\xcc\x81", 2);
	text[2000] = 0;
	for (size_t size = 20; size < 24; size++) {
		text_cut_middle(buf, size, text, 10);
		CHECK(strlen(buf) < size);
		for (const char *p = buf; *p;) {
			p += utf8_next(p, &cp);
			CHECK(cp != UTF8_BAD);
		}
	}
}

static void check_size(const char *text, int err, uint64_t want)
{
	uint64_t got = 77;

	if (!CHECK_INT(args_size(text, &got), err) || !CHECK(got == (err ? 77 : want)))
		fprintf(stderr, "... for \"%s\"\n", text);
}

TEST(args_sizes)
{
	check_size("0", 0, 0);
	check_size("64", 0, 64);
	check_size("64B", 0, 64);
	check_size("64K", 0, 65536);
	check_size("64k", 0, 65536);
	check_size("64KiB", 0, 65536);
	check_size("1M", 0, 1 << 20);
	check_size("16777215T", 0, 16777215ull << 40);
	check_size("16777216T", -ERANGE, 0);
	check_size("18446744073709551615", 0, UINT64_MAX);
	check_size("18446744073709551616", -ERANGE, 0);
	check_size("", -EINVAL, 0);
	check_size("K", -EINVAL, 0);
	check_size("64KB", -EINVAL, 0);
	check_size("64 K", -EINVAL, 0);
	check_size(" 64", -EINVAL, 0);
	check_size("-1", -EINVAL, 0);
	check_size("+1", -EINVAL, 0);
	check_size("1.5M", -EINVAL, 0);
	check_size("0x10", -EINVAL, 0);
	check_size("64MM", -EINVAL, 0);
}

TEST(args_numbers)
{
	double d = 7;
	uint64_t u = 7;

	CHECK_INT(args_u64("10", 1, 10, &u), 0);
	CHECK_INT(u, 10);
	CHECK_INT(args_u64("11", 1, 10, &u), -ERANGE);
	CHECK_INT(args_u64("1x", 1, 10, &u), -EINVAL);
	CHECK_INT(args_double("0.5", 0, 100, &d), 0);
	CHECK(d == 0.5);
	CHECK_INT(args_double(".25", 0, 100, &d), 0);
	CHECK(d == 0.25);
	CHECK_INT(args_double("100.1", 0, 100, &d), -ERANGE);
	CHECK_INT(args_double("1e3", 0, 1e9, &d), -EINVAL);
	CHECK_INT(args_double("1.2.3", 0, 1e9, &d), -EINVAL);
	CHECK_INT(args_double(".", 0, 1e9, &d), -EINVAL);
	CHECK_INT(args_double("nan", 0, 1e9, &d), -EINVAL);
	CHECK_INT(args_double("1,5", 0, 1e9, &d), -EINVAL);
	CHECK_INT(args_seconds("0", &d), -ERANGE);
	CHECK_INT(args_seconds("-5", &d), -EINVAL);
	CHECK_INT(args_seconds("5", &d), 0);
	CHECK(d == 5);
}

TEST(args_pid_lists)
{
	char many[ARGS_MAX_PIDS * 8 + 16] = "1";
	pid_t *pids = NULL;
	size_t n = 0;

	if (CHECK_INT(args_pids("1234,1,1234,4194304", &pids, &n), 0)) {
		CHECK_INT(n, 3);
		CHECK(pids[0] == 1234 && pids[1] == 1 && pids[2] == 4194304);
		free(pids);
	}
	pids = NULL;
	CHECK_INT(args_pids("", &pids, &n), -EINVAL);
	CHECK_INT(args_pids("1,", &pids, &n), -EINVAL);
	CHECK_INT(args_pids(",1", &pids, &n), -EINVAL);
	CHECK_INT(args_pids("1,,2", &pids, &n), -EINVAL);
	CHECK_INT(args_pids("1 2", &pids, &n), -EINVAL);
	CHECK_INT(args_pids("-1", &pids, &n), -EINVAL);
	CHECK_INT(args_pids("0", &pids, &n), -ERANGE);
	CHECK_INT(args_pids("4194305", &pids, &n), -ERANGE);
	CHECK_INT(args_pids("99999999999999999999999", &pids, &n), -ERANGE);
	for (int i = 2; i <= ARGS_MAX_PIDS + 1; i++)
		sprintf(many + strlen(many), ",%d", i);
	CHECK_INT(args_pids(many, &pids, &n), -ERANGE);
	CHECK(!pids && n == 3);
}

TEST_MAIN()
