// SPDX-License-Identifier: GPL-2.0-or-later

// The test target for live objects: sites that keep all they allocate, and sites that
// keep nothing, of every kind of object there is, before the probes are in and after.
//
// It speaks the lines of package talk: "go" allocates, then collects twice, so that
// both what the sweep finds and what the memory profile publishes is settled. Its ledger
// has what each site keeps by its own arithmetic and, unless built with the tag
// noprofile, by the memory profile.
package main

import (
	"encoding/json"
	"flag"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"allocsnoop.test/targets/talk"
)

// Sizes are size classes of every Go version, so that the arithmetic needs no table.
type node struct { // 128 bytes with a pointer: nothing of the runtime's own that a goroutine needs to wait
	next *node
	pad  [15]uint64
}

type big struct { // a slot of 1536 bytes, from Go 1.22 on with the header in it
	next *big
	pad  [190]uint64
}

type kept struct {
	tiny  []*uint64
	small []*[64]byte
	large [][]byte
	node  *node
	big   *big
}

type sinks struct {
	tiny  *uint64
	small *[64]byte
	large []byte
	node  *node
	big   *big
}

//go:noinline
func siteTiny(k *kept) { k.tiny = append(k.tiny, new(uint64)) }

//go:noinline
func siteSmall(k *kept) { k.small = append(k.small, new([64]byte)) }

//go:noinline
func siteNode(k *kept) { k.node = &node{next: k.node} }

//go:noinline
func siteBig(k *kept) { k.big = &big{next: k.big} }

//go:noinline
func siteLarge(k *kept) { k.large = append(k.large, make([]byte, 65536)) }

//go:noinline
func garbageTiny(s *sinks) { s.tiny = new(uint64) }

//go:noinline
func garbageSmall(s *sinks) { s.small = new([64]byte) }

//go:noinline
func garbageNode(s *sinks) { s.node = &node{} }

//go:noinline
func garbageBig(s *sinks) { s.big = &big{} }

//go:noinline
func garbageLarge(s *sinks) { s.large = make([]byte, 65536) }

const (
	nTiny  = 4096
	nSmall = 2048
	nNode  = 2048
	nBig   = 256
	nLarge = 8
)

// keep is one round of one goroutine; the garbage of the same kinds lies among it.
func keep(k *kept, churn int) {
	var s sinks
	for i := 0; i < nTiny; i++ {
		siteTiny(k)
		for c := 0; c < churn; c++ {
			garbageTiny(&s)
		}
		if i%(nTiny/nSmall) == 0 {
			siteSmall(k)
			siteNode(k)
			for c := 0; c < churn; c++ {
				garbageSmall(&s)
				garbageNode(&s)
			}
		}
		if i%(nTiny/nBig) == 0 {
			siteBig(k)
			for c := 0; c < churn; c++ {
				garbageBig(&s)
			}
		}
		if i%(nTiny/nLarge) == 0 {
			siteLarge(k)
			for c := 0; c < churn; c++ {
				garbageLarge(&s)
			}
		}
	}
}

type site struct {
	Func    string `json:"func"`
	Objects uint64 `json:"objects"` // kept in all
	Bytes   uint64 `json:"bytes"`
	Before  uint64 `json:"before_bytes"` // of them before "go"
}

// inuse is what the memory profile has at a site of one size, not scaled.
type inuse struct {
	Func    string `json:"func"`
	Objects int64  `json:"objects"`
	Bytes   int64  `json:"bytes"`
}

type ledger struct {
	Go        string  `json:"go"`
	Rate      int     `json:"rate"`
	Sites     []site  `json:"sites"`
	Profile   []inuse `json:"profile"` // null: this program has none
	HeapAlloc uint64  `json:"heap_alloc"`
	NumGC     uint32  `json:"num_gc"`
}

// allSites is what rounds of keep() before and after leave. A tiny object is half of a block of 16
// bytes, which is there as long as one of the two is: blocks that siteTiny keeps, garbageTiny may
// have made. No two of siteTiny share one, for there is garbage in between.
func allSites(before, after uint64) []site {
	all := before + after
	return []site{
		{"main.siteTiny", all * nTiny, all * nTiny * 16, before * nTiny * 16},
		{"main.siteSmall", all * nSmall, all * nSmall * 64, before * nSmall * 64},
		{"main.siteNode", all * nNode, all * nNode * 128, before * nNode * 128},
		{"main.siteBig", all * nBig, all * nBig * 1536, before * nBig * 1536},
		{"main.siteLarge", all * nLarge, all * nLarge * 65536, before * nLarge * 65536},
	}
}

// ownerOf is the function of ours that allocated: the compiler and the runtime have theirs on top.
func ownerOf(stack []uintptr) string {
	frames := runtime.CallersFrames(stack)
	for {
		f, more := frames.Next()
		if strings.HasPrefix(f.Function, "main.") || !more {
			return f.Function
		}
	}
}

func run(all []*kept, rounds, churn int) {
	var wg sync.WaitGroup
	for _, k := range all {
		wg.Add(1)
		go func(k *kept) {
			defer wg.Done()
			for i := 0; i < rounds; i++ {
				keep(k, churn)
			}
		}(k)
	}
	wg.Wait()
}

// The sweep of the first finds the garbage, the second publishes that in the memory profile. Who
// follows by mark bits looks in between.
func settle() {
	runtime.GC()
	time.Sleep(50 * time.Millisecond)
	runtime.GC()
}

const nOnce = 1000

//go:noinline
func siteOnce(to []*[64]byte) {
	for i := range to {
		to[i] = new([64]byte)
	}
}

// once makes garbage of objects that the memory profile has sampled, after it was turned off.
func once(off time.Duration) {
	to := make([]*[64]byte, nOnce)
	siteOnce(to)
	setRate(0)
	time.Sleep(off)
	runtime.KeepAlive(to)
}

// become replaces the program by another one, which begins anew.
func become(path string) {
	err := syscall.Exec(path, []string{path, "-before", "0", "-rounds", "12"}, os.Environ())
	panic(err)
}

func main() {
	rate := flag.Int("rate", -1, "runtime.MemProfileRate; -1 leaves it")
	rounds := flag.Int("rounds", 4, "to keep")
	before := flag.Int("before", 2, "rounds before the probes are in")
	churn := flag.Int("churn", 2, "garbage objects for each one kept, at least 1")
	gogc := flag.Int("gogc", 100, "GOGC")
	procs := flag.Int("procs", 2, "GOMAXPROCS, and goroutines")
	wait := flag.Bool("wait", true, "speak with a test; otherwise allocate and end")
	linger := flag.Duration("linger", 0, "before the end, when nobody is spoken with")
	off := flag.Duration("off", 0, "turn the memory profile off, and wait so long, before the end of the work")
	exec := flag.String("exec", "", "program to become after the work")
	flag.Parse()
	setRate(*rate)
	debug.SetGCPercent(*gogc)
	runtime.GOMAXPROCS(*procs)
	all := make([]*kept, *procs)
	for i := range all {
		n := *rounds + *before
		all[i] = &kept{
			tiny:  make([]*uint64, 0, n*nTiny),
			small: make([]*[64]byte, 0, n*nSmall),
			large: make([][]byte, 0, n*nLarge),
		}
	}
	run(all, *before, *churn)
	settle()
	if *wait {
		talk.Ready()
		talk.AwaitLine()
	}
	run(all, *rounds, *churn)
	if *off > 0 {
		once(*off)
	}
	settle()
	if *wait {
		talk.Done()
		talk.AwaitLine()
	}
	if *exec != "" {
		become(*exec)
	}
	time.Sleep(*linger)

	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	l := ledger{Go: runtime.Version(), Rate: profileRate(), HeapAlloc: mem.HeapAlloc, NumGC: mem.NumGC,
		Sites: allSites(uint64(*before**procs), uint64(*rounds**procs)), Profile: profile()}
	if err := json.NewEncoder(os.Stdout).Encode(&l); err != nil {
		os.Exit(1)
	}
	runtime.KeepAlive(all)
}
