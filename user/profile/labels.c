// SPDX-License-Identifier: GPL-2.0-or-later
#include "profile/labels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LABELS 64
/* Ends of keys and values in the string; in the texts themselves they are replaced. */
#define KEY_END '\x1f'
#define VALUE_END '\x1e'

static int compare(const void *a, const void *b)
{
	const struct event_label *x = a, *y = b;
	int order = strcmp(x->key, y->key);

	return order ? order : strcmp(x->value, y->value);
}

static void put(FILE *out, const char *text, char end)
{
	for (size_t i = 0; text[i] && i < LABEL_TEXT_BYTES - 1; i++)
		fputc(text[i] == KEY_END || text[i] == VALUE_END ? '?' : text[i], out);
	fputc(end, out);
}

uint32_t labels_add(struct strtab *strs, const struct event_label *labels, uint32_t nlabels)
{
	struct event_label sorted[MAX_LABELS];
	uint32_t n = nlabels < MAX_LABELS ? nlabels : MAX_LABELS, id = 0;
	char *text = NULL;
	size_t len;
	FILE *out;

	if (!n)
		return 0;
	memcpy(sorted, labels, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare);
	out = open_memstream(&text, &len);
	if (!out)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		if (i && strcmp(sorted[i].key, sorted[i - 1].key) == 0)
			continue;
		put(out, sorted[i].key, KEY_END);
		put(out, sorted[i].value, VALUE_END);
	}
	if (!fclose(out))
		id = strtab__adds(strs, text);
	free(text);
	return id;
}

static bool take(const char **at, char end, char *ret)
{
	const char *stop = strchr(*at, end);
	size_t len = stop ? (size_t)(stop - *at) : 0;

	if (!stop || len >= LABEL_TEXT_BYTES)
		return false;
	memcpy(ret, *at, len);
	ret[len] = 0;
	*at = stop + 1;
	return true;
}

bool labels_next(const char **set, struct label *ret)
{
	return take(set, KEY_END, ret->key) && take(set, VALUE_END, ret->value);
}

const char *labels_text(const char *set, char *buf, size_t size)
{
	struct label label;
	size_t len = 0;

	buf[0] = 0;
	while (len < size && labels_next(&set, &label))
		len += (size_t)snprintf(buf + len, size - len, "%s%s=%s", len ? ", " : "", label.key, label.value);
	return buf;
}
