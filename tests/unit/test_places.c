// SPDX-License-Identifier: GPL-2.0-or-later
/* Random taking and giving back, against a map of every word. */
#include "capture/places.h"

#include <errno.h>
#include <stdlib.h>

#include "bpf/abi.h"

#include "test.h"

#define SLABS 4
#define HELD 400

enum { FREE, TAKEN, RESTING };

static uint8_t words[SLABS * ABI_SLAB_WORDS];
static uint64_t random_state = 1;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((random_state >> 33) % n);
}

static void paint(uint32_t place, uint32_t n, uint8_t from, uint8_t to)
{
	for (uint32_t i = place; i < place + n; i++) {
		if (words[i] != from) {
			CHECK_INT(words[i], from);
			return;
		}
		words[i] = to;
	}
}

TEST(random_use)
{
	struct {
		uint32_t place, n;
	} held[HELD] = { 0 };
	struct places *places;
	uint64_t used = 0;
	uint32_t full = 0;

	CHECK_INT(places__new(SLABS, &places), 0);
	for (int round = 0; round < 20000; round++) {
		uint32_t i = random_below(HELD), n = 1 + random_below(random_below(4) ? 600 : 9000);

		if (held[i].n) {
			places__give(places, held[i].place, held[i].n);
			paint(held[i].place, held[i].n, TAKEN, RESTING);
			used -= held[i].n;
			held[i].n = 0;
		} else if (!places__take(places, n, &held[i].place)) {
			CHECK(held[i].place != 0);
			CHECK_INT(held[i].place / ABI_SLAB_WORDS, (held[i].place + n - 1) / ABI_SLAB_WORDS);
			CHECK(held[i].place / ABI_SLAB_WORDS < places__slabs(places));
			paint(held[i].place, n, FREE, TAKEN);
			held[i].n = n;
			used += n;
		} else {
			full++;
		}
		if (round % 64 == 0) {
			places__settle(places);
			for (uint32_t k = 0; k < sizeof(words); k++)
				words[k] = words[k] == RESTING ? FREE : words[k];
		}
		if (!CHECK_INT(places__used_words(places), used))
			break;
	}
	CHECK(full > 0);
	/* All given back is whole again. */
	for (uint32_t i = 0; i < HELD; i++)
		places__give(places, held[i].place, held[i].n);
	places__settle(places);
	for (uint32_t i = 1; i < SLABS; i++) {
		uint32_t place;

		CHECK_INT(places__take(places, ABI_SLAB_WORDS, &place), 0);
	}
	CHECK_INT(places__take(places, ABI_SLAB_WORDS, &(uint32_t){ 0 }), -ENOSPC);
	CHECK_INT(places__take(places, ABI_SLAB_WORDS - 1, &(uint32_t){ 0 }), 0); /* place 0 is nobody's */
	places__free(places);
}

TEST(limits)
{
	struct places *places;
	uint32_t place;

	CHECK_INT(places__new(1, &places), 0);
	CHECK_INT(places__take(places, 0, &place), -EINVAL);
	CHECK_INT(places__take(places, ABI_SLAB_WORDS + 1, &place), -EINVAL);
	CHECK_INT(places__take(places, ABI_SLAB_WORDS, &place), -ENOSPC);
	CHECK_INT(places__take(places, 1, &place), 0);
	CHECK_INT(place, 1);
	places__free(places);
	places__free(NULL);
	/* The first slab is short of a word: a whole one is in the second. */
	CHECK_INT(places__new(2, &places), 0);
	CHECK_INT(places__take(places, ABI_SLAB_WORDS, &place), 0);
	CHECK_INT(place, ABI_SLAB_WORDS);
	places__free(places);
}

TEST_MAIN()
