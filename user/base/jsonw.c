// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/jsonw.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/units.h"

/* The bytes from @from to @to as they are. */
static void put_run(FILE *out, const char *from, const char *to)
{
	if (to > from)
		fwrite_unlocked(from, 1, (size_t)(to - from), out);
}

static void put_escape(FILE *out, uint32_t cp)
{
	/* The short forms of RFC 8259, section 7. */
	static const char shorts[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *p = cp && cp < 0x80 ? strchr(shorts, (int)cp) : NULL;

	if (p)
		fprintf(out, "\\%c", letters[p - shorts]);
	else if (cp == UTF8_BAD)
		fputs_unlocked("\xef\xbf\xbd", out);
	else if (cp >= 0x10000)
		fprintf(out, "\\u%04x\\u%04x", 0xd800 + ((cp - 0x10000) >> 10), 0xdc00 + (cp & 0x3ff));
	else
		fprintf(out, "\\u%04x", cp);
}

/*
 * JSON would let DEL, C1 controls and bidi overrides through as they are, but the
 * document may be printed to a terminal: they are escaped too, which loses nothing.
 */
static void put_string(FILE *out, const char *s, bool in_html)
{
	const char *run = s;
	size_t bytes;
	uint32_t cp;

	putc_unlocked('"', out);
	for (; *s; s += bytes) {
		bytes = utf8_next(s, &cp);
		if (cp != '"' && cp != '\\' && !(in_html && cp == '<') && !codepoint_is_unsafe(cp))
			continue;
		put_run(out, run, s);
		put_escape(out, cp);
		run = s + bytes;
	}
	put_run(out, run, s);
	putc_unlocked('"', out);
}

/* What comes before every value. */
static void put_prefix(struct jsonw *w, const char *key)
{
	if (w->has_item[w->depth])
		putc_unlocked(',', w->out);
	w->has_item[w->depth] = true;
	if (key) {
		put_string(w->out, key, w->in_html);
		putc_unlocked(':', w->out);
	}
}

static void open_level(struct jsonw *w, const char *key, char bracket)
{
	put_prefix(w, key);
	putc_unlocked(bracket, w->out);
	assert(w->depth + 1 < JSONW_MAX_DEPTH); /* the document's shape is ours, not the data's */
	w->has_item[++w->depth] = false;
}

static void close_level(struct jsonw *w, char bracket)
{
	assert(w->depth > 0);
	w->depth--;
	putc_unlocked(bracket, w->out);
}

void jsonw_init(struct jsonw *w, FILE *out)
{
	*w = (struct jsonw){ .out = out };
}

void jsonw_object(struct jsonw *w, const char *key)
{
	open_level(w, key, '{');
}

void jsonw_end_object(struct jsonw *w)
{
	close_level(w, '}');
}

void jsonw_array(struct jsonw *w, const char *key)
{
	open_level(w, key, '[');
}

void jsonw_end_array(struct jsonw *w)
{
	close_level(w, ']');
}

void jsonw_str(struct jsonw *w, const char *key, const char *value)
{
	put_prefix(w, key);
	if (value)
		put_string(w->out, value, w->in_html);
	else
		fputs_unlocked("null", w->out);
}

void jsonw_u64(struct jsonw *w, const char *key, uint64_t value)
{
	put_prefix(w, key);
	fprintf(w->out, "%" PRIu64, value);
}

void jsonw_i64(struct jsonw *w, const char *key, int64_t value)
{
	put_prefix(w, key);
	fprintf(w->out, "%" PRId64, value);
}

/* JSON has no NaN and no infinity: they were not measured, so they are null. */
void jsonw_double(struct jsonw *w, const char *key, double value, int decimals)
{
	put_prefix(w, key);
	fputs_unlocked(isfinite(value) ? fmt_fixed(UNITS_TMP, value, decimals) : "null", w->out);
}

void jsonw_bool(struct jsonw *w, const char *key, bool value)
{
	put_prefix(w, key);
	fputs_unlocked(value ? "true" : "false", w->out);
}

void jsonw_null(struct jsonw *w, const char *key)
{
	jsonw_str(w, key, NULL);
}
