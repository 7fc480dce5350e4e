/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streaming JSON writer on a FILE. Commas and nesting are its business; strings
 * may hold any bytes: control characters are escaped, invalid UTF-8 becomes U+FFFD.
 * A NULL key writes an array element or the top-level value.
 */
#ifndef ALLOCSNOOP_BASE_JSONW_H
#define ALLOCSNOOP_BASE_JSONW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JSONW_MAX_DEPTH 32

struct jsonw {
	FILE *out;
	bool in_html; /* the document stands in a <script> of HTML: no '<' as it is, which could end that */
	int depth;
	bool has_item[JSONW_MAX_DEPTH];
};

void jsonw_init(struct jsonw *w, FILE *out);
void jsonw_object(struct jsonw *w, const char *key);
void jsonw_end_object(struct jsonw *w);
void jsonw_array(struct jsonw *w, const char *key);
void jsonw_end_array(struct jsonw *w);
void jsonw_str(struct jsonw *w, const char *key, const char *value); /* NULL: null */
void jsonw_u64(struct jsonw *w, const char *key, uint64_t value);
void jsonw_i64(struct jsonw *w, const char *key, int64_t value);
void jsonw_double(struct jsonw *w, const char *key, double value, int decimals);
void jsonw_bool(struct jsonw *w, const char *key, bool value);
void jsonw_null(struct jsonw *w, const char *key);

#endif
