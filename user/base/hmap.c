// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/hmap.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

struct hmap {
	size_t key_size;
	uint8_t *keys; /* len keys, dense */
	size_t cap_keys;
	uint32_t len;
	uint32_t *slots; /* index + 1, 0 is free; open addressing */
	uint32_t mask;
};

/* FNV-1a over eight-byte words with a final avalanche (splitmix64's). */
uint64_t hash_bytes(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t h = 0xcbf29ce484222325u ^ len;
	uint64_t word;

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&word, p, 8);
		h = (h ^ word) * 0x100000001b3u;
		h ^= h >> 32;
	}
	for (; len; len--, p++)
		h = (h ^ *p) * 0x100000001b3u;
	h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
	h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
	return h ^ (h >> 31);
}

int hmap__new(size_t key_size, struct hmap **ret)
{
	struct hmap *map = calloc(1, sizeof(*map));

	if (!map)
		return -ENOMEM;
	map->key_size = key_size;
	map->mask = 63;
	map->slots = calloc(map->mask + 1, sizeof(*map->slots));
	if (!map->slots) {
		free(map);
		return -ENOMEM;
	}
	*ret = map;
	return 0;
}

void hmap__free(struct hmap *map)
{
	if (!map)
		return;
	free(map->keys);
	free(map->slots);
	free(map);
}

const void *hmap__key(const struct hmap *map, uint32_t index)
{
	return map->keys + (size_t)index * map->key_size;
}

uint32_t hmap__len(const struct hmap *map)
{
	return map->len;
}

/* The slot that holds @key, or the free one where it belongs. */
static uint32_t *find_slot(const struct hmap *map, const void *key)
{
	uint32_t i = (uint32_t)hash_bytes(key, map->key_size) & map->mask;

	while (map->slots[i] &&
	       memcmp(hmap__key(map, map->slots[i] - 1), key, map->key_size) != 0)
		i = (i + 1) & map->mask;
	return &map->slots[i];
}

uint32_t hmap__find(const struct hmap *map, const void *key)
{
	return *find_slot(map, key) - 1;
}

static int grow(struct hmap *map)
{
	uint32_t new_mask = map->mask * 2 + 1;
	uint32_t *old = map->slots;
	uint32_t *slots = calloc((size_t)new_mask + 1, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	map->slots = slots;
	map->mask = new_mask;
	for (uint32_t i = 0; i < map->len; i++)
		*find_slot(map, hmap__key(map, i)) = i + 1;
	free(old);
	return 0;
}

uint32_t hmap__add(struct hmap *map, const void *key, bool *added)
{
	uint32_t *slot = find_slot(map, key);

	if (added)
		*added = !*slot;
	if (*slot)
		return *slot - 1;
	if (map->len >= HMAP_NONE / 4 ||
	    vec_reserve((void **)&map->keys, &map->cap_keys, (size_t)map->len + 1, map->key_size))
		return HMAP_NONE;
	if (map->len >= map->mask / 4 * 3) {
		if (grow(map))
			return HMAP_NONE;
		slot = find_slot(map, key);
	}
	memcpy(map->keys + (size_t)map->len * map->key_size, key, map->key_size);
	*slot = ++map->len;
	return map->len - 1;
}
