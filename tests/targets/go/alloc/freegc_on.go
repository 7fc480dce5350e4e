// SPDX-License-Identifier: GPL-2.0-or-later

//go:build goexperiment.runtimefreegc
// +build goexperiment.runtimefreegc

package main

import "unsafe"

// Meant for the compiler, and only a compiler that was itself built with the
// experiment calls it. So do it in its place (the linker wants -checklinkname=0).
//
//go:linkname freegc runtime.freegc
func freegc(p unsafe.Pointer, size uintptr, noscan bool) bool

func giveBack(p unsafe.Pointer, size uintptr) bool { return freegc(p, size, true) }
