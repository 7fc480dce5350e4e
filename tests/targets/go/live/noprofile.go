// SPDX-License-Identifier: GPL-2.0-or-later

//go:build noprofile
// +build noprofile

package main

import "runtime"

// Where nothing links runtime.MemProfile the linker turns the memory profile off, from Go 1.17 on.

func setRate(rate int) {
	if rate >= 0 {
		runtime.MemProfileRate = rate
	}
}

func profileRate() int { return runtime.MemProfileRate }

func profile() []inuse { return nil }
