/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers and untrusted names as people read them. Nothing here looks at the
 * locale: a report is the same bytes everywhere.
 */
#ifndef ALLOCSNOOP_BASE_UNITS_H
#define ALLOCSNOOP_BASE_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNITS_SIZE 48
/* A buffer for one number, good until the end of the enclosing block: fmt_bytes(UNITS_TMP, n). */
#define UNITS_TMP ((char[UNITS_SIZE]){ 0 })

/* All return @buf. */
const char *fmt_bytes(char buf[static UNITS_SIZE], uint64_t bytes); /* "17 B", "1.5 GiB" */
const char *fmt_bytes_signed(char buf[static UNITS_SIZE], int64_t bytes); /* "+1.5 GiB", "-17 B", "+0 B" */
const char *fmt_byte_rate(char buf[static UNITS_SIZE], double bytes_per_s); /* "62.5 MiB/s" */
const char *fmt_count(char buf[static UNITS_SIZE], uint64_t count); /* "999", "1.2k", "3.4M", "5.6G" */
const char *fmt_grouped(char buf[static UNITS_SIZE], uint64_t count); /* "1,234,567" */
const char *fmt_count_rate(char buf[static UNITS_SIZE], double per_s); /* "1,234,567/s", below ten "1.5/s" */
const char *fmt_duration(char buf[static UNITS_SIZE], double seconds); /* "12 us", "5.0 s", "1m 20s", "2h 05m" */
const char *fmt_pct(char buf[static UNITS_SIZE], double part, double whole); /* "7.1 %"; "-" when @whole is 0 */
/* @decimals (0-9) places after a point, whatever the locale; "nan" and "inf" as they are. */
const char *fmt_fixed(char buf[static UNITS_SIZE], double value, int decimals);

#define UTF8_BAD UINT32_MAX

/*
 * The code point at @s (not at its NUL): the number of bytes it takes. Bytes that are no UTF-8
 * (overlong, surrogates, above U+10FFFF, cut short) give UTF8_BAD and count one each.
 */
size_t utf8_next(const char *s, uint32_t *ret);

/*
 * May this code point not reach a terminal as it is? C0 and C1 controls, DEL, line and paragraph
 * separators, and everything that changes direction or is invisible (bidi marks, embeddings,
 * overrides and isolates, zero-width characters, the byte order mark, tags).
 */
bool codepoint_is_unsafe(uint32_t cp);

/*
 * Copy the untrusted @name to @buf of @size bytes (>= 1), each unsafe code point and each byte that
 * is no UTF-8 replaced by '?', cut between code points if it does not fit. Never longer than @name,
 * so strlen(name) + 1 bytes always suffice. Returns the length.
 */
size_t name_clean(char *buf, size_t size, const char *name);

/* Columns that the (clean) text takes on a terminal: wide East Asian characters take two, combining ones none. */
size_t text_columns(const char *text);

/*
 * Copy the (clean) @text to @buf of @size bytes, with "..." in place of its middle where it has more
 * than @columns columns. Returns the columns of the copy. The end gets more than the
 * beginning: that is where the name of a qualified name is.
 */
size_t text_cut_middle(char *buf, size_t size, const char *text, size_t columns);

#endif
