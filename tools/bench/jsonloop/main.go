// SPDX-License-Identifier: GPL-2.0-or-later

// A JSON document, decoded and encoded again in a loop when told to.
//
// Says "ready", then for each line N of its input goes N times round and says
// "NS ALLOCATIONS": CPU time of the process per allocation, and their number.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"syscall"
)

const document = `{"id": 17, "name": "orders", "tags": ["a", "b", "c"], "total": 12.5,
	"lines": [{"sku": "x-1", "count": 2, "price": 3.25}, {"sku": "x-2", "count": 1, "price": 6}]}`

func cpuNs() int64 {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		panic(err)
	}
	return ru.Utime.Nano() + ru.Stime.Nano()
}

func mallocs() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.Mallocs
}

func main() {
	runtime.GOMAXPROCS(1)
	fmt.Println("ready")
	for {
		var rounds int
		if _, err := fmt.Fscanln(os.Stdin, &rounds); err != nil {
			return
		}
		before, start := mallocs(), cpuNs()
		for i := 0; i < rounds; i++ {
			var doc map[string]any
			if err := json.Unmarshal([]byte(document), &doc); err != nil {
				panic(err)
			}
			if _, err := json.Marshal(doc); err != nil {
				panic(err)
			}
		}
		spent := cpuNs() - start
		made := mallocs() - before
		fmt.Printf("%.1f %d\n", float64(spent)/float64(made), made)
	}
}
