// SPDX-License-Identifier: GPL-2.0-or-later

// Cgo allocates in C called from Go and in Go called from C, and tells which Go
// functions were active at each place, as runtime.Callers says there.
//
// Each place runs once before "ready" to note its callers; the counts are those
// of the window.
package main

/*
#cgo CFLAGS: -O2 -g -fomit-frame-pointer
#cgo LDFLAGS: -lpthread
#include <stdlib.h>
#include "native.h"
*/
import "C"

import (
	"encoding/json"
	"os"
	"runtime"

	"allocsnoop.test/targets/talk"
)

const (
	objects   = 50
	deepCalls = 60
)

type place struct {
	Source  string   `json:"source"` // go or malloc
	Leaf    string   `json:"leaf"`   // the function that calls the allocator
	Objects int      `json:"objects"`
	Funcs   []string `json:"funcs"` // Go functions, innermost first
}

var (
	recording = true
	places    []*place
	sink      *[100]byte
	done      = make(chan bool)
)

// note takes down who called the function that calls note, which is active when leaf allocates.
//
//go:noinline
func note(source, leaf string, n int) {
	if !recording {
		return
	}
	pcs := make([]uintptr, 256)
	p := &place{Source: source, Leaf: leaf, Objects: n, Funcs: []string{}}
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		p.Funcs = append(p.Funcs, f.Function)
		if !more {
			break
		}
	}
	places = append(places, p)
}

//go:noinline
func siteDirect() {
	note("malloc", "c_direct", objects)
	C.c_direct(objects)
}

//go:noinline
func siteNested() {
	note("malloc", "c_direct", objects)
	C.c_nested(objects)
}

//go:noinline
func siteNumbers() {
	note("malloc", "c_busy", objects)
	C.c_numbers(objects)
}

//go:noinline
func siteAddresses() {
	note("malloc", "c_busy_addresses", objects)
	C.c_addresses(objects)
}

//go:noinline
func siteZero() {
	note("malloc", "c_busy_zero", objects)
	C.c_zero(objects)
}

//go:noinline
func siteFramed() {
	note("malloc", "c_framed", objects)
	C.c_framed(objects)
}

//go:noinline
func siteDeep(n int) int {
	if n == 0 {
		siteDirect()
		siteCallback()
		return 0
	}
	return 1 + siteDeep(n-1)
}

//go:noinline
func goAlloc(n int) {
	note("go", "main.goAlloc", n)
	for i := 0; i < n; i++ {
		sink = new([100]byte)
	}
}

//go:noinline
func siteCallback() {
	C.c_call(0)
	C.c_call_numbers(0)
	C.c_call_framed(0)
}

//go:noinline
func siteTwice() {
	C.c_call(1)
	C.c_call_numbers(1)
	C.c_call_framed(1)
	C.c_call_numbers(3)
}

//export goCallback
func goCallback(depth C.int) {
	switch {
	case depth == 0:
		goAlloc(objects)
		siteDirect()
		siteNumbers()
	case depth == 1:
		siteCallback()
	default:
		C.c_call_numbers(depth - 1)
		C.c_call(depth - 1)
	}
}

//export goThread
func goThread(n C.int) {
	goAlloc(int(n))
	siteDirect()
	siteCallback()
}

func worker() {
	siteDirect()
	siteDeep(deepCalls) // its stack has to grow on the way
	siteCallback()
	done <- true
}

//go:noinline
func workload() {
	siteDirect()
	siteNested()
	siteNumbers()
	siteAddresses()
	siteZero()
	siteFramed()
	siteCallback()
	siteTwice()
	siteDeep(deepCalls)
	go worker()
	<-done
	C.c_thread_malloc(objects)
	C.c_thread_call(objects)
}

func main() {
	workload()
	recording = false
	// In threads that know no Go, but for what called them.
	places = append(places, &place{"malloc", "c_thread_site", objects + 1, []string{}})
	talk.Ready()
	talk.AwaitLine()
	workload()
	talk.Done()
	talk.AwaitLine()
	if json.NewEncoder(os.Stdout).Encode(map[string]interface{}{"go": runtime.Version(), "places": places}) != nil {
		os.Exit(1)
	}
}
