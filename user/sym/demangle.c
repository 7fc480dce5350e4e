// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Demangling of hostile names.
 *
 * A mangled name can refer back to parts of itself, so a few hundred bytes can
 * stand for a text of terabytes. libiberty bounds its recursion (and refuses names over
 * about a thousand bytes), not its output. Its callback forms hand the text over in pieces
 * and take no memory for it, but give the callback no way to say stop: hence the
 * longjmp out of it once the buffer is full. What is jumped over owns nothing (the C++
 * demangler works on its own stack; the Rust one may lose one small buffer while it
 * prints a punycode identifier).
 */
#include "sym/sym_backend.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <string.h>

struct output {
	char *buf;
	size_t size, len;
	jmp_buf full;
};

static void collect(const char *text, size_t len, void *opaque)
{
	struct output *out = opaque;
	size_t room = out->size - 1 - out->len;

	if (len > room) {
		memcpy(out->buf + out->len, text, room);
		longjmp(out->full, 1);
	}
	memcpy(out->buf + out->len, text, len);
	out->len += len;
}

typedef int demangle_fn(const char *mangled, int options, demangle_callbackref callback, void *opaque);

static bool try_demangler(demangle_fn *fn, const char *mangled, char *buf, size_t size)
{
	struct output out = { .buf = buf, .size = size };

	if (setjmp(out.full)) {
		memcpy(buf + size - 4, "...", 4);
		return true;
	}
	if (!fn(mangled, DMGL_PARAMS | DMGL_ANSI, collect, &out) || out.len == 0) {
		buf[0] = 0;
		return false;
	}
	buf[out.len] = 0;
	return true;
}

bool demangle(const char *mangled, char *buf, size_t size)
{
	bool itanium = strncmp(mangled, "_Z", 2) == 0;

	if (size < 8 || (!itanium && strncmp(mangled, "_R", 2) != 0))
		return false;
	/* Rust's older names are C++ names that end in a hash; the Rust demangler knows them by it. */
	return try_demangler(rust_demangle_callback, mangled, buf, size) ||
	       (itanium && try_demangler(cplus_demangle_v3_callback, mangled, buf, size));
}
