// A Go program that keeps N blocks of 1000 bytes and writes its own heap profile (and an empty CPU profile): heap N HEAP [CPU]
package main

import (
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
)

var kept [][]byte

//go:noinline
func keep(n, size int) {
	for i := 0; i < n; i++ {
		kept = append(kept, make([]byte, size))
	}
}

func main() {
	runtime.MemProfileRate = 1
	n, _ := strconv.Atoi(os.Args[1])
	keep(n, 1000)
	runtime.GC()
	f, _ := os.Create(os.Args[2])
	pprof.Lookup("heap").WriteTo(f, 0)
	f.Close()
	if len(os.Args) > 3 {
		f, _ = os.Create(os.Args[3])
		pprof.StartCPUProfile(f)
		pprof.StopCPUProfile()
		f.Close()
	}
}
