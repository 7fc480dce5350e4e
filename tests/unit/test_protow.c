// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/protow.h"

#include <stdlib.h>

#include "test.h"

static void check_bytes(const struct protow *w, const char *want, size_t len)
{
	CHECK_INT(w->err, 0);
	CHECK_INT(w->len, len);
	CHECK(w->len == len && (!len || memcmp(w->data, want, len) == 0));
}

/* The examples of the encoding documentation: 150 in field 1, "testing" in 2, a message in 3, packed in 6. */
TEST(documented_examples)
{
	struct protow w;
	size_t open;

	protow_init(&w);
	protow_u64(&w, 1, 150);
	check_bytes(&w, "\x08\x96\x01", 3);
	protow_reset(&w);
	protow_str(&w, 2, "testing");
	check_bytes(&w, "\x12\x07testing", 9);
	protow_reset(&w);
	open = protow_open(&w, 3);
	protow_u64(&w, 1, 150);
	protow_close(&w, open);
	check_bytes(&w, "\x1a\x03\x08\x96\x01", 5);
	protow_reset(&w);
	open = protow_open(&w, 6);
	protow_varint(&w, 3);
	protow_varint(&w, 270);
	protow_varint(&w, 86942);
	protow_close(&w, open);
	check_bytes(&w, "\x32\x06\x03\x8e\x02\x9e\xa7\x05", 8);
	protow_reset(&w);
	protow_i64(&w, 1, -2);
	check_bytes(&w, "\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11);
	protow_reset(&w);
	protow_fixed64(&w, 3, 0x0102030405060708);
	check_bytes(&w, "\x19\x08\x07\x06\x05\x04\x03\x02\x01", 9);
	protow_free(&w);
}

TEST(zero_scalars_are_left_out_and_empty_strings_not)
{
	struct protow w;

	protow_init(&w);
	protow_u64(&w, 1, 0);
	protow_bool(&w, 2, false);
	protow_fixed64(&w, 4, 0);
	check_bytes(&w, NULL, 0);
	protow_str(&w, 3, "");
	protow_bool(&w, 16, true);
	check_bytes(&w, "\x1a\x00\x80\x01\x01", 5);
	protow_free(&w);
}

TEST(lengths_over_one_byte_move_the_contents)
{
	static const size_t sizes[] = { 0, 1, 127 - 2, 127, 128, 300, 16383, 16384, 3000000 };
	struct protow w;
	size_t outer, inner;

	protow_init(&w);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t len[2] = { 0 };
		uint8_t *fill = malloc(sizes[i] + 1);
		size_t at = 0;

		memset(fill, 0x5a, sizes[i]);
		protow_reset(&w);
		outer = protow_open(&w, 1);
		inner = protow_open(&w, 2);
		protow_bytes(&w, 3, fill, sizes[i]);
		protow_close(&w, inner);
		protow_u64(&w, 4, 1);
		protow_close(&w, outer);
		/* Read it back by hand: two nested headers, the bytes, the trailer. */
		for (int level = 0; level < 2; level++) {
			CHECK_INT(w.data[at++], level ? 0x12 : 0x0a);
			for (int shift = 0;; shift += 7) {
				len[level] |= (uint64_t)(w.data[at] & 0x7f) << shift;
				if (!(w.data[at++] & 0x80))
					break;
			}
			if (!level)
				CHECK_INT(len[0], w.len - at);
		}
		CHECK_INT(at + len[1] + 2, w.len);
		CHECK(memcmp(w.data + w.len - 2 - sizes[i], fill, sizes[i]) == 0);
		CHECK(memcmp(w.data + w.len - 2, "\x20\x01", 2) == 0);
		free(fill);
	}
	protow_free(&w);
}

TEST_MAIN()
