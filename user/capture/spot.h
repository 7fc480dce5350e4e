/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where in a function to put a probe. Pure: decides from the function's bytes.
 *
 * A breakpoint in the middle of an instruction kills the target, and one on an
 * instruction that the kernel must single-step costs ten times one that it
 * emulates (push, jcc, nop). So a prologue is recognised byte by byte, never
 * guessed, and the result says what it is.
 */
#ifndef ALLOCSNOOP_CAPTURE_SPOT_H
#define ALLOCSNOOP_CAPTURE_SPOT_H

#include <stdbool.h>

#include "base/span.h"

struct spot {
	uint32_t offset; /* from the function's first byte */
	uint32_t flags; /* enum abi_spot_flag */
};

/*
 * A Go function: the branch after the stack check, else a frame's push, else the
 * entry when its first instruction is known. @old_abi: Go before 1.17, arguments
 * on the stack. -EILSEQ: the bytes are not understood, probe nothing.
 * Source: stacksplit() of cmd/internal/obj/x86/obj6.go, Go 1.15 to 1.27.
 */
int spot_find_go(struct span code, bool old_abi, struct spot *ret);

/* A C function: its first instruction, past an endbr64 if the next one is cheaper. */
int spot_find_c(struct span code, struct spot *ret);

/*
 * A function (ptr, ...) that gives memory back: where @ptr is still in its register, which may be behind the
 * test for NULL that it begins with.
 */
int spot_find_release(struct span code, struct spot *ret);

/* Do the bytes @before an address end in a call instruction, so that the address can be a return address? */
bool spot_is_after_call(struct span before);

/* Does the running image still have the file's bytes at the spot? A breakpoint of another tracer is fine. */
bool spot_matches(struct span file_bytes, struct span image_bytes);

#endif
