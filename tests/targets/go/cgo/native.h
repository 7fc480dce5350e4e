/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stddef.h>

/* How a C site leaves the frame pointer's register at malloc. */
void c_direct(int n); /* untouched: still Go's */
void c_nested(int n); /* the same, three functions deep */
void c_numbers(int n); /* any number */
void c_addresses(int n); /* addresses in the C stack that are no frames */
void c_zero(int n);
void c_framed(int n); /* a frame pointer */

/* Call goCallback(depth) back; from a function with a frame pointer or without one. */
void c_call(int depth);
void c_call_numbers(int depth);
void c_call_framed(int depth);

void c_thread_malloc(int n); /* in a thread of its own that knows nothing of Go */
void c_thread_call(int n); /* the same, and it calls goThread() n times */
