// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/strtab.h"

#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/vec.h"

struct entry {
	char *str;
	size_t len;
};

struct strtab {
	struct entry *items; /* [0] is "" */
	size_t cap;
	uint32_t len;
	uint32_t *slots; /* id, 0 is free; open addressing */
	uint32_t mask;
};

int strtab__new(struct strtab **ret)
{
	struct strtab *tab = calloc(1, sizeof(*tab));

	if (!tab)
		return -ENOMEM;
	tab->mask = 255;
	tab->slots = calloc(tab->mask + 1, sizeof(*tab->slots));
	if (!tab->slots || vec_reserve((void **)&tab->items, &tab->cap, 1, sizeof(*tab->items))) {
		strtab__free(tab);
		return -ENOMEM;
	}
	tab->items[0] = (struct entry){ NULL, 0 };
	tab->len = 1;
	*ret = tab;
	return 0;
}

void strtab__free(struct strtab *tab)
{
	if (!tab)
		return;
	for (uint32_t i = 1; i < tab->len; i++)
		free(tab->items[i].str);
	free(tab->items);
	free(tab->slots);
	free(tab);
}

static uint32_t *find_slot(const struct strtab *tab, const char *s, size_t len)
{
	uint32_t i = (uint32_t)hash_bytes(s, len) & tab->mask;

	while (tab->slots[i]) {
		const struct entry *e = &tab->items[tab->slots[i]];

		if (e->len == len && memcmp(e->str, s, len) == 0)
			break;
		i = (i + 1) & tab->mask;
	}
	return &tab->slots[i];
}

static int grow(struct strtab *tab)
{
	uint32_t new_mask = tab->mask * 2 + 1;
	uint32_t *old = tab->slots;
	uint32_t *slots = calloc((size_t)new_mask + 1, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	tab->slots = slots;
	tab->mask = new_mask;
	for (uint32_t i = 1; i < tab->len; i++)
		*find_slot(tab, tab->items[i].str, tab->items[i].len) = i;
	free(old);
	return 0;
}

uint32_t strtab__add(struct strtab *tab, const char *s, size_t len)
{
	uint32_t *slot;
	char *copy;

	if (!len)
		return 0;
	slot = find_slot(tab, s, len);
	if (*slot)
		return *slot;
	if (tab->len >= tab->mask / 4 * 3) {
		if (grow(tab))
			return 0;
		slot = find_slot(tab, s, len);
	}
	if (vec_reserve((void **)&tab->items, &tab->cap, (size_t)tab->len + 1, sizeof(*tab->items)))
		return 0;
	copy = malloc(len + 1);
	if (!copy)
		return 0;
	memcpy(copy, s, len);
	copy[len] = 0;
	tab->items[tab->len] = (struct entry){ copy, len };
	*slot = tab->len;
	return tab->len++;
}

uint32_t strtab__adds(struct strtab *tab, const char *s)
{
	return strtab__add(tab, s, strlen(s));
}

const char *strtab__get(const struct strtab *tab, uint32_t id)
{
	return id && id < tab->len ? tab->items[id].str : "";
}

uint32_t strtab__len(const struct strtab *tab)
{
	return tab->len;
}
