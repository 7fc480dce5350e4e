/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Protocol buffers writer into a growing buffer. Source: the encoding chapter of
 * the Protocol Buffers documentation (varint, fixed64, length-delimited, packed).
 *
 * An error sticks: after memory ran out nothing more is written, and @err says so at
 * the end. Between two top-level fields the buffer may be taken away and reset with
 * protow_reset(), so a message larger than memory can be streamed.
 */
#ifndef ALLOCSNOOP_BASE_PROTOW_H
#define ALLOCSNOOP_BASE_PROTOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct protow {
	uint8_t *data; /* borrowed until the next call */
	size_t len, cap;
	int err; /* 0 or -ENOMEM */
};

void protow_init(struct protow *w);
void protow_free(struct protow *w);
/* Empty it and keep its memory. */
void protow_reset(struct protow *w);

/* proto3 leaves zero scalars out, and so do these four. */
void protow_u64(struct protow *w, uint32_t field, uint64_t value);
void protow_i64(struct protow *w, uint32_t field, int64_t value);
void protow_bool(struct protow *w, uint32_t field, bool value);
void protow_fixed64(struct protow *w, uint32_t field, uint64_t value);

/* Also when it is empty: it may be an element of a repeated field. */
void protow_bytes(struct protow *w, uint32_t field, const void *data, size_t len);
void protow_str(struct protow *w, uint32_t field, const char *value);

/* Open a nested message (or packed field) and close it with what open returned. They nest. */
size_t protow_open(struct protow *w, uint32_t field);
void protow_close(struct protow *w, size_t open);

/* A bare varint: an element of a packed field between open and close. */
void protow_varint(struct protow *w, uint64_t value);

#endif
