// SPDX-License-Identifier: GPL-2.0-or-later

// grow MIB: grows by so much and gives it back through the scavenger, then tells what
// smaps_rollup says at "go" and at "done".
package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"

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

func main() {
	mib, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	rss()
	talk.Ready()
	talk.AwaitLine()
	start := rss()
	grow(mib)
	top := rss()
	giveBack()
	end := rss()
	talk.Done()
	talk.AwaitLine()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	fmt.Printf("{ \"page\": %d, \"rss_start\": %d, \"rss_top\": %d, \"rss_end\": %d, \"heap_released\": %d, \"funcs\": {} }\n",
		os.Getpagesize(), start, top, end, stats.HeapReleased)
}
