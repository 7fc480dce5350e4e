// SPDX-License-Identifier: GPL-2.0-or-later

// memory SHAPE: a heap whose RSS has one cause, and holds still. The ledger: MemStats and
// what /proc/self/smaps has in the heap's arenas, before "ready" and after "quit".
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"unsafe"

	"allocsnoop.test/targets/talk"
)

const mib = 1 << 20

var (
	stats runtime.MemStats
	kept  [][]byte

	object *[64]byte // on the heap
	stop   = make(chan struct{})
	ready  = make(chan struct{})
)

// One of every so many objects of 1 KiB stays, which is one in each span.
func fragmented() {
	const perSpan = 8
	all := make([][]byte, 64*mib/1024)
	for i := range all {
		all[i] = touched(1024)
	}
	for i := 0; i < len(all); i += perSpan {
		kept = append(kept, all[i])
	}
}

func touched(n int) []byte {
	b := make([]byte, n)
	for i := 0; i < n; i += 4096 {
		b[i] = 1
	}
	return b
}

func filled(bytes int) {
	all := make([][]byte, bytes/mib)
	for i := range all {
		all[i] = touched(mib)
	}
	kept = all
}

//go:noinline
func deep(n int) byte {
	var frame [1024]byte
	frame[n&1023] = byte(n)
	if n > 0 {
		return deep(n-1) + frame[(n*7)&1023]
	}
	ready <- struct{}{}
	<-stop
	return frame[1]
}

func stacks() {
	for i := 0; i < 500; i++ {
		go deep(40)
		<-ready
	}
}

// Spans are never touched, what the runtime writes down of them is.
func spans() {
	all := make([][]byte, 1<<16)
	for i := range all {
		all[i] = make([]byte, 8192)
	}
	kept = all
}

func mapped() {
	mem, err := syscall.Mmap(-1, 0, 64*mib, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		panic(err)
	}
	for i := 0; i < len(mem); i += 4096 {
		mem[i] = 1
	}
}

func drop() {
	kept = nil
	runtime.GC()
}

var shapes = map[string]func(){
	"objects":    func() { filled(64 * mib) },
	"fragmented": fragmented,
	"idle":       func() { filled(64 * mib); drop() },
	"returned":   func() { filled(64 * mib); drop(); debug.FreeOSMemory() }, // pending with GODEBUG=madvdontneed=0
	"stacks":     stacks,
	"spans":      func() { spans(); drop(); debug.FreeOSMemory() },
	"mapped":     mapped,
	"untouched":  func() { kept = append(kept, make([]byte, 256*mib)) },
}

// By the names of MemStats and smaps; what smaps has is in bytes, of all and of the heap's arenas.
type reading struct {
	HeapAlloc, HeapInuse, HeapIdle, HeapReleased, StackInuse uint64
	Runtime                                                  uint64 // with the work buffers of the GC
	Rss, HeapRss, HeapLazyFree                               uint64
}

// From 1.26 on the heap is anywhere, but in one piece.
func near(a, b uint64) bool {
	return a-b+1<<32 < 1<<33
}

func (r *reading) kernel() {
	heap := uint64(uintptr(unsafe.Pointer(&(*object)[0])))
	file, err := os.Open("/proc/self/smaps")
	if err != nil {
		panic(err)
	}
	defer file.Close()
	inHeap := false
	for in := bufio.NewScanner(file); in.Scan(); {
		var start, end, kib uint64
		var name string
		if n, _ := fmt.Sscanf(in.Text(), "%x-%x ", &start, &end); n == 2 {
			inHeap = near(start, heap)
		}
		if n, _ := fmt.Sscanf(in.Text(), "%s %d kB", &name, &kib); n != 2 {
			continue
		}
		switch {
		case name == "Rss:":
			r.Rss += kib << 10
			if inHeap {
				r.HeapRss += kib << 10
			}
		case name == "LazyFree:" && inHeap:
			r.HeapLazyFree += kib << 10
		}
	}
}

func (r *reading) runtime() {
	m := &stats
	runtime.ReadMemStats(m)
	r.HeapAlloc, r.HeapInuse, r.HeapIdle, r.HeapReleased, r.StackInuse = m.HeapAlloc, m.HeapInuse, m.HeapIdle, m.HeapReleased,
		m.StackInuse
	r.Runtime = m.MSpanSys + m.MCacheSys + m.BuckHashSys + m.GCSys + m.OtherSys + m.StackSys - m.StackInuse
}

func main() {
	shape := shapes[strings.Join(os.Args[1:], " ")]
	if shape == nil {
		panic("which shape?")
	}
	object = new([64]byte)
	// A goal far away: no GC comes by itself, and what is idle the scavenger leaves alone.
	debug.SetGCPercent(100000)
	shape()
	runtime.GC()
	runtime.GC() // sweeps what the one before has left
	debug.SetGCPercent(-1)
	var before, after, first reading
	first.kernel() // whatever is made once
	first.runtime()
	before.kernel()
	before.runtime() // last, and first behind it: reading the other allocates
	talk.Ready()
	talk.AwaitLine()
	after.runtime()
	after.kernel()
	json.NewEncoder(os.Stdout).Encode(map[string]interface{}{"go": runtime.Version(), "before": before, "after": after})
	runtime.KeepAlive(kept)
}
