// SPDX-License-Identifier: GPL-2.0-or-later

//go:build !noprofile
// +build !noprofile

package main

import "runtime"

func setRate(rate int) {
	if rate >= 0 {
		runtime.MemProfileRate = rate
	}
}

func profileRate() int { return runtime.MemProfileRate }

func profile() []inuse {
	n, _ := runtime.MemProfile(nil, false)
	records := make([]runtime.MemProfileRecord, n+50)
	n, ok := runtime.MemProfile(records, false)
	if !ok {
		panic("the profile grows")
	}
	out := []inuse{}
	for i := range records[:n] {
		r := &records[i]
		if r.InUseObjects() > 0 {
			out = append(out, inuse{ownerOf(r.Stack()), r.InUseObjects(), r.InUseBytes()})
		}
	}
	return out
}
