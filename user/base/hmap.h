/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hash index: fixed-size keys to dense indices 0, 1, 2, ... in order of
 * insertion, so that the owner keeps its values in a plain array beside it.
 * Keys are copied in and compared as bytes: pad them with zeroes.
 */
#ifndef ALLOCSNOOP_BASE_HMAP_H
#define ALLOCSNOOP_BASE_HMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hmap;

#define HMAP_NONE UINT32_MAX

int hmap__new(size_t key_size, struct hmap **ret);
void hmap__free(struct hmap *map);

/* Index of @key, or HMAP_NONE. */
uint32_t hmap__find(const struct hmap *map, const void *key);

/*
 * Index of @key, added if new (*added, which may be NULL, tells).
 * HMAP_NONE when memory is out.
 */
uint32_t hmap__add(struct hmap *map, const void *key, bool *added);

uint32_t hmap__len(const struct hmap *map);

/* The key at @index; borrowed until the next hmap__add(). */
const void *hmap__key(const struct hmap *map, uint32_t index);

/* 64-bit hash of bytes (also used by strtab). */
uint64_t hash_bytes(const void *data, size_t len);

#endif
