// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/protow.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_LEN = 2 };

#define VARINT_MAX 10

static size_t varint_encode(uint8_t buf[static VARINT_MAX], uint64_t value)
{
	size_t n = 0;

	for (; value >= 0x80; value >>= 7)
		buf[n++] = (uint8_t)(value | 0x80);
	buf[n++] = (uint8_t)value;
	return n;
}

static bool reserve(struct protow *w, size_t more)
{
	if (!w->err)
		w->err = vec_reserve((void **)&w->data, &w->cap, w->len + more, 1);
	return !w->err;
}

static void put(struct protow *w, const void *data, size_t len)
{
	if (!len || !reserve(w, len))
		return;
	memcpy(w->data + w->len, data, len);
	w->len += len;
}

static void put_tag(struct protow *w, uint32_t field, enum wire wire)
{
	protow_varint(w, (uint64_t)field << 3 | wire);
}

void protow_init(struct protow *w)
{
	*w = (struct protow){ 0 };
}

void protow_free(struct protow *w)
{
	free(w->data);
	protow_init(w);
}

void protow_reset(struct protow *w)
{
	w->len = 0;
}

void protow_varint(struct protow *w, uint64_t value)
{
	uint8_t buf[VARINT_MAX];

	put(w, buf, varint_encode(buf, value));
}

void protow_u64(struct protow *w, uint32_t field, uint64_t value)
{
	if (!value)
		return;
	put_tag(w, field, WIRE_VARINT);
	protow_varint(w, value);
}

void protow_i64(struct protow *w, uint32_t field, int64_t value)
{
	protow_u64(w, field, (uint64_t)value);
}

void protow_bool(struct protow *w, uint32_t field, bool value)
{
	protow_u64(w, field, value);
}

void protow_fixed64(struct protow *w, uint32_t field, uint64_t value)
{
	uint8_t buf[8];

	if (!value)
		return;
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(value >> 8 * i);
	put_tag(w, field, WIRE_FIXED64);
	put(w, buf, sizeof(buf));
}

void protow_bytes(struct protow *w, uint32_t field, const void *data, size_t len)
{
	put_tag(w, field, WIRE_LEN);
	protow_varint(w, len);
	put(w, data, len);
}

void protow_str(struct protow *w, uint32_t field, const char *value)
{
	protow_bytes(w, field, value, strlen(value));
}

/*
 * The length stands before the contents and is known after them. One byte is left for
 * it, which is right for most messages; close moves the contents when it takes more.
 */
size_t protow_open(struct protow *w, uint32_t field)
{
	put_tag(w, field, WIRE_LEN);
	put(w, "", 1);
	return w->len;
}

void protow_close(struct protow *w, size_t open)
{
	uint8_t buf[VARINT_MAX];
	size_t len, n;

	if (w->err)
		return;
	len = w->len - open;
	n = varint_encode(buf, len);
	if (!reserve(w, n - 1))
		return;
	memmove(w->data + open + n - 1, w->data + open, len);
	memcpy(w->data + open - 1, buf, n);
	w->len += n - 1;
}
