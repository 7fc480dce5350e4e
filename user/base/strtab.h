/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interned strings: equal strings have equal ids, id 0 is "". The bytes are
 * stored as they came, control characters and all: whoever prints cleans.
 */
#ifndef ALLOCSNOOP_BASE_STRTAB_H
#define ALLOCSNOOP_BASE_STRTAB_H

#include <stddef.h>
#include <stdint.h>

struct strtab;

int strtab__new(struct strtab **ret);
void strtab__free(struct strtab *tab);

/* Id of the @len bytes at @s; 0 (the empty string) when memory is out. */
uint32_t strtab__add(struct strtab *tab, const char *s, size_t len);
uint32_t strtab__adds(struct strtab *tab, const char *s);

/* NUL-terminated; lives as long as the table. */
const char *strtab__get(const struct strtab *tab, uint32_t id);

/* Number of strings, the empty one included. */
uint32_t strtab__len(const struct strtab *tab);

#endif
