// SPDX-License-Identifier: GPL-2.0-or-later

//go:build !goexperiment.runtimefreegc
// +build !goexperiment.runtimefreegc

package main

import "unsafe"

func giveBack(p unsafe.Pointer, size uintptr) bool { return false }
