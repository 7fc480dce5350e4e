/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads protocol buffers that nobody vouches for, field by field. Source: the encoding chapter of the Protocol Buffers
 * documentation. Groups, which proto3 does not have, are wrong.
 */
#ifndef ALLOCSNOOP_BASE_PROTOR_H
#define ALLOCSNOOP_BASE_PROTOR_H

#include "base/span.h"

enum proto_wire { PROTO_VARINT = 0, PROTO_I64 = 1, PROTO_LEN = 2, PROTO_I32 = 5 };

struct proto_field {
	uint32_t number;
	enum proto_wire wire;
	uint64_t value; /* of PROTO_VARINT */
	struct span bytes; /* of PROTO_LEN; borrowed */
};

/* 1: @ret is the next field, *@off behind it; 0: the end; -1: these bytes are no message. */
static inline int protor_next(struct span msg, uint64_t *off, struct proto_field *ret)
{
	uint64_t tag, len;

	if (*off == msg.len)
		return 0;
	if (!span_uleb(msg, off, &tag) || tag >> 3 == 0 || tag >> 3 > (1u << 29) - 1)
		return -1;
	*ret = (struct proto_field){ .number = (uint32_t)(tag >> 3), .wire = (enum proto_wire)(tag & 7) };
	switch (tag & 7) {
	case PROTO_VARINT:
		return span_uleb(msg, off, &ret->value) ? 1 : -1;
	case PROTO_LEN:
		if (!span_uleb(msg, off, &len) || !span_sub(msg, *off, len, &ret->bytes))
			return -1;
		*off += len;
		return 1;
	case PROTO_I64:
	case PROTO_I32:
		len = (tag & 7) == PROTO_I64 ? 8 : 4;
		if (!span_has(msg, *off, len))
			return -1;
		*off += len;
		return 1;
	default:
		return -1;
	}
}

/* Of a repeated number: a packed field, or one element. Calls for each; false: wrong bytes, or @each said so. */
static inline bool protor_each(const struct proto_field *field, bool (*each)(void *ctx, uint64_t value), void *ctx)
{
	uint64_t off = 0, value;

	if (field->wire == PROTO_VARINT)
		return each(ctx, field->value);
	if (field->wire != PROTO_LEN)
		return false;
	while (off < field->bytes.len)
		if (!span_uleb(field->bytes, &off, &value) || !each(ctx, value))
			return false;
	return true;
}

#endif
