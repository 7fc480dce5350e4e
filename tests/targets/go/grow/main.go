// SPDX-License-Identifier: GPL-2.0-or-later

// grow MIB: grows by so much and gives it back through the scavenger; and touches pages in ways
// that are no code of its own. The ledger: what functions added, and what smaps_rollup says at
// "go" and at "done".
package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"

	"allocsnoop.test/targets/talk"
)

var kept [][]byte

func rss() int {
	data, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		panic(err)
	}
	_, rest, _ := bytes.Cut(data, []byte("\nRss:"))
	kib, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
	if err != nil {
		panic(err)
	}
	return kib << 10
}

//go:noinline
func grow(mib int) {
	for i := 0; i < mib; i++ {
		kept = append(kept, make([]byte, 1<<20))
		for j := 0; j < 1<<20; j += 4096 {
			kept[i][j] = 1
		}
	}
}

//go:noinline
func giveBack() {
	kept = nil
	debug.FreeOSMemory()
}

const (
	pages          = 2000
	madvNoHugePage = 15
)

func mapped() []byte {
	mem, err := syscall.Mmap(-1, 0, pages*os.Getpagesize(), syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		panic(err)
	}
	syscall.Madvise(mem, madvNoHugePage)
	return mem
}

// It is runtime.memclrNoHeapPointers that touches the pages, a leaf without a frame.
//
//go:noinline
func clearPages(mem []byte) {
	for i := range mem {
		mem[i] = 0
	}
}

// It is runtime.memmove.
//
//go:noinline
func movePages(mem, from []byte) {
	copy(mem, from)
}

// It is the kernel.
//
//go:noinline
func readPages(mem []byte) {
	fd, err := syscall.Open("/dev/zero", syscall.O_RDONLY, 0)
	if err != nil {
		panic(err)
	}
	for len(mem) > 0 {
		n, err := syscall.Read(fd, mem)
		if err != nil {
			panic(err)
		}
		mem = mem[n:]
	}
	syscall.Close(fd)
}

func main() {
	mib, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	cleared, moved, read, from := mapped(), mapped(), mapped(), mapped()
	clearPages(from)
	rss()
	talk.Ready()
	talk.AwaitLine()
	start := rss()
	grow(mib)
	top := rss()
	giveBack()
	clearPages(cleared)
	movePages(moved, from)
	readPages(read)
	end := rss()
	talk.Done()
	talk.AwaitLine()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	fmt.Printf("{ \"page\": %d, \"rss_start\": %d, \"rss_top\": %d, \"rss_end\": %d, \"heap_released\": %d, \"funcs\": {",
		os.Getpagesize(), start, top, end, stats.HeapReleased)
	sep := ""
	for _, name := range []string{"clearPages", "movePages", "readPages"} {
		fmt.Printf("%s \"main.%s\": { \"grown\": %d, \"released\": 0 }", sep, name, len(from))
		sep = ","
	}
	fmt.Printf(" } }\n")
}
