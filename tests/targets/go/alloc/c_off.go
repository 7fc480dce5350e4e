// SPDX-License-Identifier: GPL-2.0-or-later

//go:build !cgo
// +build !cgo

package main

func (w *workload) runC(n int) {}
