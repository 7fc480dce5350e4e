// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/units.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *fmt_bytes(char buf[static UNITS_SIZE], uint64_t bytes)
{
	static const char *const names[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	uint64_t unit = 1024, whole, tenths;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(buf, UNITS_SIZE, "%u B", (unsigned int)bytes);
		return buf;
	}
	for (;;) {
		whole = bytes / unit;
		tenths = (bytes % unit * 10 + unit / 2) / unit; /* the remainder is below 2^60 */
		if (tenths == 10) {
			whole++;
			tenths = 0;
		}
		/* Asked after rounding: 1023.97 KiB is 1.0 MiB. */
		if (whole < 1024 || i + 1 == sizeof(names) / sizeof(names[0]))
			break;
		unit *= 1024;
		i++;
	}
	snprintf(buf, UNITS_SIZE, "%u.%u %s", (unsigned int)whole, (unsigned int)tenths, names[i]);
	return buf;
}

const char *fmt_bytes_signed(char buf[static UNITS_SIZE], int64_t bytes)
{
	char digits[UNITS_SIZE];
	uint64_t magnitude = bytes < 0 ? -(uint64_t)bytes : (uint64_t)bytes;

	fmt_bytes(digits, magnitude);
	snprintf(buf, UNITS_SIZE, "%c%.40s", bytes < 0 ? '-' : '+', digits);
	return buf;
}

/* To the nearest integer; what is no rate is 0, what is too large the largest. */
static uint64_t round_u64(double value)
{
	if (!(value > 0))
		return 0;
	if (value >= 18446744073709549568.0)
		return UINT64_MAX;
	return (uint64_t)(value + 0.5);
}

const char *fmt_byte_rate(char buf[static UNITS_SIZE], double bytes_per_s)
{
	char digits[UNITS_SIZE];

	fmt_bytes(digits, round_u64(bytes_per_s));
	snprintf(buf, UNITS_SIZE, "%.40s/s", digits);
	return buf;
}

const char *fmt_count(char buf[static UNITS_SIZE], uint64_t count)
{
	static const char names[] = "kMGTPE";
	uint64_t unit = 1000, whole, tenths;
	size_t i = 0;

	if (count < 1000) {
		snprintf(buf, UNITS_SIZE, "%u", (unsigned int)count);
		return buf;
	}
	for (;;) {
		whole = count / unit;
		tenths = (count % unit * 10 + unit / 2) / unit;
		if (tenths == 10) {
			whole++;
			tenths = 0;
		}
		if (whole < 1000 || !names[i + 1])
			break;
		unit *= 1000;
		i++;
	}
	snprintf(buf, UNITS_SIZE, "%u.%u%c", (unsigned int)whole, (unsigned int)tenths, names[i]);
	return buf;
}

const char *fmt_grouped(char buf[static UNITS_SIZE], uint64_t count)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)count);
	char *p = buf;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*p++ = ',';
		*p++ = digits[i];
	}
	*p = 0;
	return buf;
}

const char *fmt_count_rate(char buf[static UNITS_SIZE], double per_s)
{
	char digits[UNITS_SIZE];

	if (per_s > 0 && per_s < 9.95)
		fmt_fixed(digits, per_s, 1);
	else
		fmt_grouped(digits, round_u64(per_s));
	snprintf(buf, UNITS_SIZE, "%.40s/s", digits);
	return buf;
}

const char *fmt_duration(char buf[static UNITS_SIZE], double seconds)
{
	char digits[UNITS_SIZE];
	uint64_t s;

	if (!(seconds > 0))
		seconds = 0;
	if (seconds < 0.0009995) {
		snprintf(buf, UNITS_SIZE, "%u us", (unsigned int)(seconds * 1e6 + 0.5));
	} else if (seconds < 0.9995) {
		snprintf(buf, UNITS_SIZE, "%u ms", (unsigned int)(seconds * 1e3 + 0.5));
	} else if (seconds < 59.95) {
		snprintf(buf, UNITS_SIZE, "%.40s s", fmt_fixed(digits, seconds, 1));
	} else {
		s = round_u64(seconds);
		if (s < 3600)
			snprintf(buf, UNITS_SIZE, "%um %02us", (unsigned int)(s / 60), (unsigned int)(s % 60));
		else
			snprintf(buf, UNITS_SIZE, "%lluh %02um", (unsigned long long)(s / 3600),
				 (unsigned int)(s % 3600 / 60));
	}
	return buf;
}

const char *fmt_pct(char buf[static UNITS_SIZE], double part, double whole)
{
	char digits[UNITS_SIZE];

	if (!(whole > 0)) {
		memcpy(buf, "-", 2);
		return buf;
	}
	snprintf(buf, UNITS_SIZE, "%.40s %%", fmt_fixed(digits, part * 100 / whole, 1));
	return buf;
}

const char *fmt_fixed(char buf[static UNITS_SIZE], double value, int decimals)
{
	char text[400]; /* %f of DBL_MAX has 309 digits */
	char *out = buf;

	if (!isfinite(value)) {
		memcpy(buf, isnan(value) ? "nan" : value < 0 ? "-inf" : "inf", value < 0 ? 5 : 4);
		return buf;
	}
	snprintf(text, sizeof(text), fabs(value) < 1e30 ? "%.*f" : "%.*e", decimals, value);
	/* The decimal point of a locale can be any bytes, but no digit. */
	for (const char *p = text; *p && out < buf + UNITS_SIZE - 1; p++) {
		if ((*p >= '0' && *p <= '9') || *p == '-' || *p == '+' || *p == 'e')
			*out++ = *p;
		else if (out > buf && out[-1] != '.')
			*out++ = '.';
	}
	*out = 0;
	return buf;
}

static bool is_tail(char c)
{
	return ((uint8_t)c & 0xc0) == 0x80;
}

/* Source: RFC 3629, section 4. A NUL is never a tail byte, so nothing past it is read. */
size_t utf8_next(const char *s, uint32_t *ret)
{
	uint8_t c = (uint8_t)s[0];
	size_t len = c < 0x80		     ? 1 :
		     c >= 0xc2 && c <= 0xdf ? 2 :
		     (c & 0xf0) == 0xe0	     ? 3 :
		     c >= 0xf0 && c <= 0xf4 ? 4 :
					      0;
	uint32_t cp = len == 1 ? c : len == 2 ? c & 0x1f : len == 3 ? c & 0x0f : c & 0x07;

	for (size_t i = 1; i < len; i++) {
		if (!is_tail(s[i]))
			len = 0;
		else
			cp = cp << 6 | ((uint8_t)s[i] & 0x3f);
	}
	if (!len || (len == 3 && (cp < 0x800 || (cp >= 0xd800 && cp <= 0xdfff))) ||
	    (len == 4 && (cp < 0x10000 || cp > 0x10ffff))) {
		*ret = UTF8_BAD;
		return 1;
	}
	*ret = cp;
	return len;
}

struct range {
	uint32_t first, last;
};

static bool in_ranges(uint32_t cp, const struct range *ranges, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (cp >= ranges[i].first && cp <= ranges[i].last)
			return true;
	}
	return false;
}

bool codepoint_is_unsafe(uint32_t cp)
{
	/* Source: Unicode's Bidi_Control and Default_Ignorable_Code_Point, without the variation selectors. */
	static const struct range unsafe[] = {
		{ 0, 0x1f },	      { 0x7f, 0x9f },	    { 0xad, 0xad },	{ 0x34f, 0x34f },
		{ 0x61c, 0x61c },     { 0x115f, 0x1160 },   { 0x17b4, 0x17b5 }, { 0x180b, 0x180f },
		{ 0x200b, 0x200f },   { 0x2028, 0x202e },   { 0x2060, 0x206f }, { 0x3164, 0x3164 },
		{ 0xfeff, 0xfeff },   { 0xffa0, 0xffa0 },   { 0xfff0, 0xfffb }, { 0x1bca0, 0x1bca3 },
		{ 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff },
	};

	if (cp >= 0x20 && cp < 0x7f)
		return false;
	return cp == UTF8_BAD || in_ranges(cp, unsafe, sizeof(unsafe) / sizeof(unsafe[0]));
}

size_t name_clean(char *buf, size_t size, const char *name)
{
	size_t len = 0, bytes;
	uint32_t cp;

	for (; *name; name += bytes) {
		bytes = utf8_next(name, &cp);
		if (codepoint_is_unsafe(cp)) {
			if (len + 1 >= size)
				break;
			buf[len++] = '?';
		} else {
			if (len + bytes >= size)
				break;
			memcpy(buf + len, name, bytes);
			len += bytes;
		}
	}
	buf[len] = 0;
	return len;
}

static size_t codepoint_columns(uint32_t cp)
{
	/* Source: Unicode's EastAsianWidth W and F, in blocks; exact enough to keep a table's edge. */
	static const struct range wide[] = {
		{ 0x1100, 0x115f },   { 0x2e80, 0x303e },   { 0x3041, 0xa4cf },	  { 0xac00, 0xd7a3 },
		{ 0xf900, 0xfaff },   { 0xfe30, 0xfe6f },   { 0xff00, 0xff60 },	  { 0xffe0, 0xffe6 },
		{ 0x1f300, 0x1f64f }, { 0x1f900, 0x1f9ff }, { 0x20000, 0x3fffd },
	};
	static const struct range none[] = {
		{ 0x300, 0x36f }, { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f },
	};

	if (cp < 0x300)
		return 1;
	if (in_ranges(cp, none, sizeof(none) / sizeof(none[0])))
		return 0;
	return in_ranges(cp, wide, sizeof(wide) / sizeof(wide[0])) ? 2 : 1;
}

size_t text_columns(const char *text)
{
	size_t columns = 0;
	uint32_t cp;

	while (*text) {
		text += utf8_next(text, &cp);
		columns += codepoint_columns(cp);
	}
	return columns;
}

/* Bytes at the beginning of @text that take at most @columns; *ret_columns is what they take. */
static size_t head_bytes(const char *text, size_t columns, size_t *ret_columns)
{
	const char *p = text;
	size_t used = 0, bytes, width;
	uint32_t cp;

	while (*p) {
		bytes = utf8_next(p, &cp);
		width = codepoint_columns(cp);
		if (used + width > columns)
			break;
		used += width;
		p += bytes;
	}
	*ret_columns = used;
	return (size_t)(p - text);
}

static void trim_broken_end(char *buf, size_t len)
{
	size_t start = len;
	uint32_t cp;

	while (start && is_tail(buf[start - 1]))
		start--;
	if (start && (uint8_t)buf[start - 1] >= 0xc0)
		start--;
	if (start < len && (utf8_next(buf + start, &cp) != len - start || cp == UTF8_BAD))
		buf[start] = 0;
}

size_t text_cut_middle(char *buf, size_t size, const char *text, size_t columns)
{
	size_t total = text_columns(text), head, head_columns, skipped, tail_columns, dots;
	const char *tail;
	int len;

	if (total <= columns && strlen(text) < size) {
		memcpy(buf, text, strlen(text) + 1);
		return total;
	}
	if (columns > size / 5) /* four bytes to a character at most, and the dots */
		columns = size / 5;
	dots = columns >= 8 ? 3 : 0;
	tail_columns = dots ? (columns - dots) * 3 / 5 : 0;
	head = head_bytes(text, columns - dots - tail_columns, &head_columns);
	tail = text + strlen(text);
	if (tail_columns) {
		/* The least that must go so that the rest fits; a wide character may take one more. */
		tail = text + head_bytes(text, total - tail_columns, &skipped);
		while (*tail && text_columns(tail) > tail_columns) {
			uint32_t cp;

			tail += utf8_next(tail, &cp);
		}
	}
	len = snprintf(buf, size, "%.*s%.*s%s", (int)head, text, (int)dots, "...", tail);
	if (len >= (int)size) /* combining characters without end: cut the last one whole */
		trim_broken_end(buf, size - 1);
	return text_columns(buf);
}
