/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pprof labels: a set of key-value pairs kept as one string, so that equal sets are equal ids. */
#ifndef ALLOCSNOOP_PROFILE_LABELS_H
#define ALLOCSNOOP_PROFILE_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/event.h"
#include "base/strtab.h"

/*
 * The strtab id of the set, 0 for none (or when memory is out). Of a key that comes twice, as two do that
 * were cut, the first by value stays: a key has one value.
 */
uint32_t labels_add(struct strtab *strs, const struct event_label *labels, uint32_t nlabels);

#define LABEL_TEXT_BYTES 256 /* longer keys and values are cut */

struct label {
	char key[LABEL_TEXT_BYTES], value[LABEL_TEXT_BYTES]; /* untrusted */
};

/* Takes one label after the other, by key, off *@set, which starts as the string of the id; false at its end. */
bool labels_next(const char **set, struct label *ret);

/* "key=value, key=value" for people. */
const char *labels_text(const char *set, char *buf, size_t size);

#endif
