// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/places.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "bpf/abi.h"

struct room {
	uint32_t place, words;
};

struct rooms {
	struct room *items;
	size_t len, cap;
};

struct places {
	uint32_t max_slabs, nslabs;
	uint64_t used_words;
	struct rooms free; /* ascending, neighbours in a slab merged */
	struct rooms resting;
};

int places__new(uint32_t max_slabs, struct places **ret)
{
	struct places *places = calloc(1, sizeof(*places));

	if (!places)
		return -ENOMEM;
	places->max_slabs = max_slabs;
	*ret = places;
	return 0;
}

void places__free(struct places *places)
{
	if (!places)
		return;
	free(places->free.items);
	free(places->resting.items);
	free(places);
}

static bool is_before(const struct room *a, const struct room *b)
{
	return a->place + a->words == b->place && b->place % ABI_SLAB_WORDS != 0;
}

static void remove_room(struct rooms *rooms, size_t i)
{
	memmove(&rooms->items[i], &rooms->items[i + 1], (rooms->len - i - 1) * sizeof(*rooms->items));
	rooms->len--;
}

/* Without memory for the list the room is not used again: no harm but its loss. */
static void add_free(struct places *places, struct room room)
{
	struct rooms *rooms = &places->free;
	size_t low = 0, high = rooms->len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (rooms->items[mid].place < room.place)
			low = mid + 1;
		else
			high = mid;
	}
	if (low > 0 && is_before(&rooms->items[low - 1], &room)) {
		rooms->items[--low].words += room.words;
	} else {
		if (vec_reserve((void **)&rooms->items, &rooms->cap, rooms->len + 1, sizeof(room)))
			return;
		memmove(&rooms->items[low + 1], &rooms->items[low], (rooms->len - low) * sizeof(room));
		rooms->items[low] = room;
		rooms->len++;
	}
	if (low + 1 < rooms->len && is_before(&rooms->items[low], &rooms->items[low + 1])) {
		rooms->items[low].words += rooms->items[low + 1].words;
		remove_room(rooms, low + 1);
	}
}

static bool take_free(struct places *places, uint32_t words, uint32_t *ret)
{
	struct rooms *rooms = &places->free;

	for (size_t i = 0; i < rooms->len; i++) {
		if (rooms->items[i].words < words)
			continue;
		*ret = rooms->items[i].place;
		rooms->items[i].place += words;
		rooms->items[i].words -= words;
		if (!rooms->items[i].words)
			remove_room(rooms, i);
		places->used_words += words;
		return true;
	}
	return false;
}

static void add_slab(struct places *places)
{
	uint32_t place = places->nslabs++ * ABI_SLAB_WORDS;

	/* Place 0 is nobody's: it means none. */
	add_free(places, (struct room){ place ? place : 1, place ? ABI_SLAB_WORDS : ABI_SLAB_WORDS - 1 });
}

int places__take(struct places *places, uint32_t words, uint32_t *ret)
{
	if (!words || words > ABI_SLAB_WORDS)
		return -EINVAL;
	while (!take_free(places, words, ret)) {
		if (places->nslabs >= places->max_slabs)
			return -ENOSPC;
		add_slab(places);
	}
	return 0;
}

void places__give(struct places *places, uint32_t place, uint32_t words)
{
	struct rooms *rooms = &places->resting;

	if (!words)
		return;
	places->used_words -= words;
	if (!vec_reserve((void **)&rooms->items, &rooms->cap, rooms->len + 1, sizeof(*rooms->items)))
		rooms->items[rooms->len++] = (struct room){ place, words };
}

void places__settle(struct places *places)
{
	for (size_t i = 0; i < places->resting.len; i++)
		add_free(places, places->resting.items[i]);
	places->resting.len = 0;
}

uint32_t places__slabs(const struct places *places)
{
	return places->nslabs;
}

uint64_t places__used_words(const struct places *places)
{
	return places->used_words;
}
