/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The instructions by which a function returns, found by following its code. For
 * functions that may throw: a uretprobe replaces the return address on the stack, and an
 * exception that is thrown through such a frame ends the program. Pure.
 */
#ifndef ALLOCSNOOP_CAPTURE_RETURNS_H
#define ALLOCSNOOP_CAPTURE_RETURNS_H

#include "base/span.h"

#define RETURNS_MAX 64

/* Up to @size bytes of code at @vaddr; how many were there. */
struct code_reader {
	void *ctx;
	size_t (*read)(void *ctx, uint64_t vaddr, uint8_t *buf, size_t size);
};

/*
 * Addresses of every `ret` that the function at @entry, and those that it jumps to, can come to. Their number, or
 * -EILSEQ: an instruction that is not understood, an indirect jump, a return in the middle of another instruction, or
 * more code than such functions have.
 */
int returns_find(const struct code_reader *reader, uint64_t entry, uint64_t ret[static RETURNS_MAX]);

/* Length of the instruction that @code begins with, 0 if it is not understood. */
uint32_t insn_length(struct span code);

#endif
