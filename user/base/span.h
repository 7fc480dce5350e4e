/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bounds-checked view of bytes that nobody vouches for: every parser of the
 * target's files and memory reads through it. Little-endian, as both supported
 * architectures are.
 */
#ifndef ALLOCSNOOP_BASE_SPAN_H
#define ALLOCSNOOP_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *data;
	size_t len;
};

static inline bool span_has(struct span s, uint64_t off, uint64_t len)
{
	return off <= s.len && len <= s.len - off;
}

/* The part of @s from @off of @len bytes; false, and *ret untouched, if it does not lie inside. */
static inline bool span_sub(struct span s, uint64_t off, uint64_t len, struct span *ret)
{
	if (!span_has(s, off, len))
		return false;
	*ret = (struct span){ s.data + off, len };
	return true;
}

/* Everything of @s from @off on. */
static inline bool span_from(struct span s, uint64_t off, struct span *ret)
{
	return off <= s.len && span_sub(s, off, s.len - off, ret);
}

static inline bool span_read(struct span s, uint64_t off, void *ret, size_t len)
{
	if (!span_has(s, off, len))
		return false;
	memcpy(ret, s.data + off, len);
	return true;
}

static inline bool span_u8(struct span s, uint64_t off, uint8_t *ret)
{
	return span_read(s, off, ret, sizeof(*ret));
}

static inline bool span_u16(struct span s, uint64_t off, uint16_t *ret)
{
	return span_read(s, off, ret, sizeof(*ret));
}

static inline bool span_u32(struct span s, uint64_t off, uint32_t *ret)
{
	return span_read(s, off, ret, sizeof(*ret));
}

static inline bool span_u64(struct span s, uint64_t off, uint64_t *ret)
{
	return span_read(s, off, ret, sizeof(*ret));
}

/* A NUL-terminated string that ends inside @s; the pointer is borrowed from it. */
static inline bool span_cstr(struct span s, uint64_t off, const char **ret)
{
	if (off >= s.len || !memchr(s.data + off, 0, s.len - off))
		return false;
	*ret = (const char *)s.data + off;
	return true;
}

/*
 * Unsigned LEB128 / Go varint of at most 32 bits at *off; moves *off past it.
 * Source: encoding of pctab in Go's cmd/internal/objabi (readvarint in runtime/symtab.go).
 */
static inline bool span_uvarint32(struct span s, uint64_t *off, uint32_t *ret)
{
	uint64_t value = 0;
	uint8_t byte;

	for (unsigned int shift = 0; shift < 35; shift += 7) {
		if (!span_u8(s, *off, &byte))
			return false;
		(*off)++;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = (uint32_t)value;
			return true;
		}
	}
	return false;
}

/*
 * LEB128 of at most 64 bits at *off (DWARF 5, 7.6); moves *off past it. Ten bytes at most: a longer one is only
 * padding, which nobody writes.
 */
static inline bool span_uleb(struct span s, uint64_t *off, uint64_t *ret)
{
	uint64_t value = 0;
	uint8_t byte;

	for (unsigned int shift = 0; shift < 70; shift += 7) {
		if (!span_u8(s, *off, &byte))
			return false;
		(*off)++;
		value |= (uint64_t)(byte & 0x7f) << (shift < 63 ? shift : 63);
		if (!(byte & 0x80)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

static inline bool span_sleb(struct span s, uint64_t *off, int64_t *ret)
{
	uint64_t begin = *off, value;

	if (!span_uleb(s, off, &value))
		return false;
	/* The last byte's second bit is the sign. */
	if ((s.data[*off - 1] & 0x40) && *off - begin < 10)
		value |= ~0ull << 7 * (*off - begin);
	*ret = (int64_t)value;
	return true;
}

#endif
