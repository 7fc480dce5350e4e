// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/hmap.h"

#include "test.h"

struct key {
	uint64_t a;
	uint32_t b, c;
};

static struct key key_of(uint32_t i)
{
	return (struct key){ .a = (uint64_t)i * 4096, .b = i % 7, .c = 0 };
}

TEST(empty_finds_nothing)
{
	struct hmap *map;
	struct key k = key_of(1);

	if (!CHECK_INT(hmap__new(sizeof(k), &map), 0))
		return;
	CHECK_INT(hmap__len(map), 0);
	CHECK(hmap__find(map, &k) == HMAP_NONE);
	hmap__free(map);
	hmap__free(NULL);
}

TEST(indices_are_dense_and_in_order)
{
	struct hmap *map;
	struct key k;
	bool added;

	if (!CHECK_INT(hmap__new(sizeof(k), &map), 0))
		return;
	for (uint32_t i = 0; i < 200000; i++) {
		k = key_of(i);
		if (!CHECK_INT(hmap__add(map, &k, &added), i) || !CHECK(added))
			break;
	}
	for (uint32_t i = 0; i < 200000; i++) {
		k = key_of(i);
		if (!CHECK_INT(hmap__add(map, &k, &added), i) || !CHECK(!added) || !CHECK_INT(hmap__find(map, &k), i) ||
		    !CHECK(memcmp(hmap__key(map, i), &k, sizeof(k)) == 0))
			break;
	}
	CHECK_INT(hmap__len(map), 200000);
	k = key_of(200000);
	CHECK(hmap__find(map, &k) == HMAP_NONE);
	CHECK_INT(hmap__len(map), 200000);
	hmap__free(map);
}

TEST(keys_that_differ_in_one_byte_are_two)
{
	struct hmap *map;
	uint8_t k[21] = { 0 };

	if (!CHECK_INT(hmap__new(sizeof(k), &map), 0))
		return;
	hmap__add(map, k, NULL);
	for (size_t i = 0; i < sizeof(k); i++) {
		k[i] = 1;
		CHECK_INT(hmap__add(map, k, NULL), i + 1);
		k[i] = 0;
	}
	CHECK_INT(hmap__find(map, k), 0);
	hmap__free(map);
}

TEST(hash_spreads_page_aligned_words)
{
	uint32_t buckets[256] = { 0 }, most = 0;

	for (uint64_t i = 0; i < 65536; i++) {
		uint64_t word = i << 12;

		buckets[hash_bytes(&word, sizeof(word)) & 255]++;
	}
	for (int i = 0; i < 256; i++)
		most = buckets[i] > most ? buckets[i] : most;
	CHECK(most < 350); /* 256 on average */
	CHECK(hash_bytes("\0", 1) != hash_bytes("\0\0", 2));
}

TEST_MAIN()
