// SPDX-License-Identifier: GPL-2.0-or-later

// spans SHAPE: pages of Go's arenas that somebody else touches first than who asked for them. It says which, and what its
// own page table has of them ("/proc/self/pagemap").
package main

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"runtime"
	"runtime/debug"
	"unsafe"

	"allocsnoop.test/targets/talk"
)

const (
	page  = 4096
	arena = 64 << 20
	large = 1 << 20
	small = 4096 // half a span
)

var (
	stop  = make(chan struct{})
	ready = make(chan struct{})
	kept  [][]byte
	words []byte
)

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

//go:noinline
func askLarge(i int) { kept[i] = make([]byte, large) }

//go:noinline
func askSmall(i int) { kept[i] = make([]byte, small) }

//go:noinline
func touchAll(all [][]byte) {
	for _, b := range all {
		for i := 0; i < len(b); i += page {
			b[i] = 1
		}
	}
}

// Bytes of the heap's pages that are there. Arenas are of 64 MiB; it begins anywhere in one (1.26 on) and needs the next at most.
func heap() uint64 {
	return present(uintptr(unsafe.Pointer(&words[0]))&^(arena-1), 2*arena/page)
}

func resident(b []byte) uint64 {
	return present(uintptr(unsafe.Pointer(&b[0])), (len(b)+page-1)/page)
}

// Bytes of the n pages from at on that are there.
func present(at uintptr, n int) uint64 {
	file, err := os.Open("/proc/self/pagemap")
	if err != nil {
		panic(err)
	}
	defer file.Close()
	if _, err := file.ReadAt(words[:8*n], int64(at/page*8)); err != nil {
		panic(err)
	}
	found := uint64(0)
	for i := 0; i < n; i++ {
		found += binary.LittleEndian.Uint64(words[8*i:]) >> 63
	}
	return found * page
}

func sum(all [][]byte) (bytes uint64) {
	for _, b := range all {
		bytes += resident(b)
	}
	return
}

func main() {
	var before, after runtime.MemStats
	debug.SetGCPercent(-1)
	shape := os.Args[1]
	kept = make([][]byte, 4096)
	words = make([]byte, 8*2*arena/page)
	for i := range words {
		words[i] = 1
	}
	sum(kept[:0])
	runtime.ReadMemStats(&before)
	talk.Ready()
	talk.AwaitLine()
	runtime.ReadMemStats(&before)
	missing := uint64(0) // what the touch will bring
	begun := heap()
	switch shape {
	case "stacks":
		for i := 0; i < 500; i++ {
			go deep(40)
			<-ready
		}
	case "large":
		kept = kept[:48]
		for i := range kept {
			askLarge(i)
		}
	case "small": // two in each span
		for i := range kept {
			askSmall(i)
		}
	}
	if shape != "stacks" {
		there := sum(kept)
		touchAll(kept)
		missing = sum(kept) - there
	}
	grown := heap() - begun
	runtime.ReadMemStats(&after)
	talk.Done()
	talk.AwaitLine()
	json.NewEncoder(os.Stdout).Encode(map[string]interface{}{"go": runtime.Version(), "touched": missing, "arena": grown,
		"stacks": after.StackInuse - before.StackInuse})
	close(stop)
	runtime.KeepAlive(kept)
}
