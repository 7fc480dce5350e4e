// SPDX-License-Identifier: GPL-2.0-or-later

// Alloc allocates in a known way between two handshakes and then tells exactly
// what it did, so that a tool that watched it from outside can be compared.
//
//	alloc: ready PID          everything below is set up
//	  (the tool attaches)
//	harness: go
//	alloc: done               the workload ran
//	  (the tool detaches)
//	harness: quit
//	alloc: one JSON document, the ledger
//
// The window between "ready" and "quit" holds nothing but the workload: the
// handshakes are raw read(2) and write(2) on buffers of the stack, and the ledger
// is made after "quit". What the runtime allocates on its own (a new thread's m,
// a mark worker's g) is provoked before "ready" as far as it can be and measured
// for the rest: the statistics are read four times, before "ready", after "go",
// before "done" and after "quit". The tool's counts must lie between those of
// the inner two (it saw at least the workload) and the outer two (it saw nothing
// before "ready" or after "quit"); in a quiet run both are the same.
//
// Three truths, independent of each other:
//   - MemStats.Mallocs and TotalAlloc, kept by the runtime's allocator;
//   - the memory profile at rate 1: objects and bytes of every stack. It counts a
//     tiny block (16 bytes that several pointer-free objects share) once, at the
//     site that opened it;
//   - the sites' own arithmetic: objects and requested bytes by construction.
package main

import (
	"encoding/json"
	"flag"
	"os"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
	"time"

	"allocsnoop.test/targets/talk"
)

// First of all initializations, so that nothing is allocated unprofiled.
var profileRate = setProfileRate()

func setProfileRate() int {
	runtime.MemProfileRate = 1
	if os.Getenv("ALLOC_PROFILE") == "0" {
		runtime.MemProfileRate = 0
	}
	return runtime.MemProfileRate
}

type site struct {
	Func           string `json:"func"`
	Objects        uint64 `json:"objects"`
	RequestedBytes uint64 `json:"requested_bytes"`
	Tiny           bool   `json:"tiny"` // may share 16-byte blocks
	Type           string `json:"type"` // as reflect prints it; "" is not checked
}

type stats struct {
	Mallocs    uint64 `json:"mallocs"`
	TotalAlloc uint64 `json:"total_alloc"`
	NumGC      uint32 `json:"num_gc"`
	ForcedGC   uint32 `json:"forced_gc"` // those that the workload itself waits for
	NS         int64  `json:"ns"`
}

type frame struct {
	Func string `json:"func"`
	Line int    `json:"line"`
}

type stack struct {
	Objects int64   `json:"objects"`
	Bytes   int64   `json:"bytes"`
	Frames  []frame `json:"frames"` // innermost first, without mallocgc itself; at most 32 calls deep
}

type ledger struct {
	Go     string   `json:"go"`
	Inner  stats    `json:"inner"` // "go" to "done"
	Outer  stats    `json:"outer"` // "ready" to "quit"
	Procs  int      `json:"procs"`
	Sites  []site   `json:"sites"`
	Freed  freed    `json:"freed"`
	Stacks []stack  `json:"stacks"` // of the workload, by the memory profile; null without it
	C      *cLedger `json:"c"`      // cgo builds
}

// What the program could have given back itself: see siteGrowLocal.
type freed struct {
	Objects uint64 `json:"objects"`
	Bytes   uint64 `json:"bytes"`
}

type cLedger struct {
	Func           string `json:"func"`
	Objects        uint64 `json:"objects"`
	RequestedBytes uint64 `json:"requested_bytes"`
}

type moment struct {
	m  runtime.MemStats
	ns int64
}

func read(at *moment) {
	runtime.ReadMemStats(&at.m)
	at.ns = time.Now().UnixNano()
}

func delta(a, b *moment) stats {
	return stats{b.m.Mallocs - a.m.Mallocs, b.m.TotalAlloc - a.m.TotalAlloc, b.m.NumGC - a.m.NumGC,
		b.m.NumForcedGC - a.m.NumForcedGC, b.ns - a.ns}
}

// settle runs what makes the runtime start its helpers until the statistics stand still.
func settle() {
	var a, b moment
	quiet := 0
	for i := 0; i < 200 && quiet < 5; i++ {
		read(&a)
		// Every P gets a thread and a mark worker; free Gs are there for reuse.
		var wait = make(chan bool, 64)
		for j := 0; j < crowd; j++ {
			go func() {
				spin(20000)
				wait <- true
			}()
		}
		for j := 0; j < crowd; j++ {
			<-wait
		}
		runtime.GC()
		read(&b)
		// The channel and the closures above are 2 objects and one per goroutine.
		if b.m.Mallocs-a.m.Mallocs <= uint64(2+crowd) {
			quiet++
		} else {
			quiet = 0
		}
	}
}

var spinSink uint64

//go:noinline
func spin(n int) {
	x := spinSink
	for i := 0; i < n; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	if x == 42 {
		spinSink = x
	}
}

// Stacks of the workload out of the memory profile: all those with one of its functions.
func profileStacks() []stack {
	runtime.GC() // allocations are published when the sweep of the next cycle is over
	runtime.GC()
	recs := make([]runtime.MemProfileRecord, 4096)
	n, ok := runtime.MemProfile(recs, true)
	for !ok {
		recs = make([]runtime.MemProfileRecord, 2*n)
		n, ok = runtime.MemProfile(recs, true)
	}
	var out []stack
	for _, r := range recs[:n] {
		s := stack{Objects: r.AllocObjects, Bytes: r.AllocBytes}
		ours, before := false, false
		frames := runtime.CallersFrames(r.Stack())
		for {
			f, more := frames.Next()
			s.Frames = append(s.Frames, frame{f.Function, f.Line})
			ours = ours || strings.HasPrefix(f.Function, "main.workload") || strings.HasPrefix(f.Function, "main.site")
			before = before || f.Function == "main.newWorkload"
			if !more {
				break
			}
		}
		if ours && !before {
			out = append(out, s)
		}
	}
	return out
}

func main() {
	gogc := flag.Int("gogc", 100, "GC percentage, -1 for off")
	procs := flag.Int("procs", 2, "GOMAXPROCS")
	scale := flag.Int("n", 1000, "objects of the plain sites")
	depth := flag.Int("depth", 60, "calls below the deep site")
	loop := flag.Bool("loop", false, "after go, run the workload until killed")
	answer := flag.Bool("answer", false, "with -loop: write a line for each line read")
	flag.Parse()

	debug.SetGCPercent(*gogc)
	runtime.GOMAXPROCS(*procs)
	w := newWorkload(*scale, *depth)
	settle()

	// Escapes to the heap once, here, and not in the window.
	m := make([]moment, 4)

	read(&m[0])
	read(&m[0])
	talk.Ready()
	talk.AwaitLine()
	if *loop {
		if *answer {
			go func() {
				for {
					talk.AwaitLine()
					talk.Done()
				}
			}()
		}
		for {
			w.run()
		}
	}
	read(&m[1])
	w.run()
	read(&m[2])
	talk.Done()
	talk.AwaitLine()
	read(&m[3])

	l := ledger{Go: runtime.Version(), Inner: delta(&m[1], &m[2]), Outer: delta(&m[0], &m[3]),
		Procs: *procs, Freed: w.sinks.freed}
	for i := range w.rows {
		l.Sites = append(l.Sites, w.rows[i].site)
	}
	sort.Slice(l.Sites, func(i, j int) bool { return l.Sites[i].Func < l.Sites[j].Func })
	if profileRate == 1 {
		l.Stacks = profileStacks()
	}
	l.C = w.c
	if err := json.NewEncoder(os.Stdout).Encode(&l); err != nil {
		os.Exit(1)
	}
	runtime.KeepAlive(w)
}
