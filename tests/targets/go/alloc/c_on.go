// SPDX-License-Identifier: GPL-2.0-or-later

//go:build cgo
// +build cgo

package main

/*
#cgo CFLAGS: -O1 -g -fno-omit-frame-pointer
#include <stdlib.h>

static void *volatile c_sink;

__attribute__((noinline)) void site_cgo(int n)
{
	for (int i = 0; i < n; i++) {
		c_sink = malloc(10 + i);
		free(c_sink);
	}
}
*/
import "C"

func (w *workload) runC(n int) {
	C.site_cgo(C.int(n))
	if w.c == nil {
		w.c = &w.cKept
	}
	w.c.Objects += uint64(n)
	w.c.RequestedBytes += uint64(10*n + n*(n-1)/2)
}
