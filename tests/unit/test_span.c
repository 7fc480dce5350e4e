// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/span.h"

#include <stdlib.h>

#include "test.h"

TEST(bounds_do_not_wrap)
{
	uint8_t bytes[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct span s = { bytes, sizeof(bytes) }, sub = { NULL, 99 };

	CHECK(span_has(s, 0, 8));
	CHECK(span_has(s, 8, 0));
	CHECK(!span_has(s, 0, 9));
	CHECK(!span_has(s, 9, 0));
	CHECK(!span_has(s, 1, UINT64_MAX));
	CHECK(!span_has(s, UINT64_MAX, 1));
	CHECK(!span_has(s, UINT64_MAX, UINT64_MAX));
	CHECK(!span_sub(s, 4, 5, &sub));
	CHECK_INT(sub.len, 99); /* untouched */
	CHECK(span_sub(s, 4, 4, &sub) && sub.data == bytes + 4 && sub.len == 4);
	CHECK(span_from(s, 8, &sub) && sub.len == 0);
	CHECK(!span_from(s, 9, &sub));
}

TEST(little_endian_words)
{
	uint8_t bytes[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, u8 = 0;
	struct span s = { bytes, sizeof(bytes) };
	uint16_t u16 = 0;
	uint32_t u32 = 0;
	uint64_t u64 = 0;

	CHECK(span_u8(s, 7, &u8) && u8 == 8);
	CHECK(span_u16(s, 6, &u16) && u16 == 0x0807);
	CHECK(span_u32(s, 1, &u32) && u32 == 0x05040302);
	CHECK(span_u64(s, 0, &u64) && u64 == 0x0807060504030201);
	CHECK(!span_u8(s, 8, &u8));
	CHECK(!span_u16(s, 7, &u16));
	CHECK(!span_u32(s, 5, &u32));
	CHECK(!span_u64(s, 1, &u64));
	CHECK(u64 == 0x0807060504030201);
}

TEST(strings_end_inside)
{
	/* On the heap, so that a read past the end is seen by the sanitizer. */
	char *bytes = malloc(6);
	struct span s = { (uint8_t *)bytes, 6 };
	const char *str = NULL;

	memcpy(bytes, "ab\0cde", 6);
	CHECK(span_cstr(s, 0, &str));
	CHECK_STR(str, "ab");
	CHECK(span_cstr(s, 2, &str));
	CHECK_STR(str, "");
	CHECK(!span_cstr(s, 3, &str)); /* never ends */
	CHECK(!span_cstr(s, 6, &str));
	CHECK(!span_cstr(s, UINT64_MAX, &str));
	free(bytes);
}

TEST(varints)
{
	static const uint8_t max[] = { 0xff, 0xff, 0xff, 0xff, 0x0f }, endless[] = { 0x80, 0x80, 0x80, 0x80, 0x80, 0x00 },
			     cut[] = { 0x80 }, two[] = { 0xac, 0x02, 0x07 };
	uint32_t value = 0;
	uint64_t off = 0;

	CHECK(span_uvarint32((struct span){ two, 3 }, &off, &value) && value == 300 && off == 2);
	CHECK(span_uvarint32((struct span){ two, 3 }, &off, &value) && value == 7 && off == 3);
	CHECK(!span_uvarint32((struct span){ two, 3 }, &off, &value));
	off = 0;
	CHECK(span_uvarint32((struct span){ max, 5 }, &off, &value) && value == UINT32_MAX);
	off = 0;
	CHECK(!span_uvarint32((struct span){ endless, 6 }, &off, &value));
	off = 0;
	CHECK(!span_uvarint32((struct span){ cut, 1 }, &off, &value));
}

static void check_leb(const char *bytes, size_t len, bool ok, uint64_t want_unsigned, int64_t want_signed, int line)
{
	struct span s = { (const uint8_t *)bytes, len };
	uint64_t value = 1, off = 0, soff = 0;
	int64_t svalue = 1;

	test_int(__FILE__, line, "read", span_uleb(s, &off, &value), ok);
	test_int(__FILE__, line, "read signed", span_sleb(s, &soff, &svalue), ok);
	if (!ok)
		return;
	test_int(__FILE__, line, "unsigned", (long long)value, (long long)want_unsigned);
	test_int(__FILE__, line, "signed", svalue, want_signed);
	test_int(__FILE__, line, "length", (long long)off, (long long)len);
	test_int(__FILE__, line, "signed length", (long long)soff, (long long)len);
}

#define LEB(bytes, ok, u, s) check_leb(bytes, sizeof(bytes) - 1, ok, u, s, __LINE__)

/* DWARF 5, 7.6, tables 7.7 and 7.8, and the ends of what 64 bits hold. */
TEST(leb128)
{
	LEB("\x02", true, 2, 2);
	LEB("\x7f", true, 127, -1);
	LEB("\x80\x01", true, 128, 128);
	LEB("\xb9\x64", true, 12857, -3527);
	LEB("\xff\x00", true, 127, 127);
	LEB("\x80\x7f", true, 0x3f80, -128);
	LEB("\x81\x80\x80\x00", true, 1, 1); /* padded */
	LEB("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", true, UINT64_MAX, -1);
	LEB("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x7f", true, 1ull << 63, INT64_MIN);
	LEB("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00", true, INT64_MAX, INT64_MAX);
	LEB("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", false, 0, 0);
	LEB("", false, 0, 0);
	LEB("\x80", false, 0, 0);
}

TEST_MAIN()
