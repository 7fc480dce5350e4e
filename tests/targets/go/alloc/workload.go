// SPDX-License-Identifier: GPL-2.0-or-later

package main

import (
	"runtime/debug"
	"sync"
	"unsafe"
)

// A site is one function that is never inlined and allocates in one way. What it
// made is kept only until the next object of the site, so that a GC in the middle
// has something to free.
//
// It returns what it allocated by the rules of the language: objects, and bytes
// asked for. Where either is the runtime's business it is 0, and the memory profile
// alone is the truth.
type siteFunc func(s *sinks, i int) (objects, bytes uintptr)

type row struct {
	site
	every int // runs in each of so many rounds
	run   siteFunc
}

// Type is "" where it is not one, or not the allocator's to know.
func newRow(fn, typ string, every int, run siteFunc) row {
	return row{site{Func: "main." + fn, Type: typ}, every, run}
}

func (r row) tiny() row {
	r.Tiny = true
	return r
}

func newRows() []row {
	rows := objectRows()
	rows = append(rows, sliceRows()...)
	rows = append(rows, stringRows()...)
	rows = append(rows, mapRows()...)
	rows = append(rows, callRows()...)
	rows = append(rows, genericRows()...)
	return append(rows,
		newRow("siteStack", "main.node", 0, nil),
		newRow("siteParallel", "main.node", 0, nil),
		newRow("siteMany", "main.wide", 0, nil))
}

type node struct { // 24 bytes with pointers: scan, class 24
	next *node
	val  [2]uint64
}

const nodeBytes = unsafe.Sizeof(node{})

type sinks struct {
	objectSinks
	sliceSinks
	stringSinks
	mapSinks
	callSinks
	genericSinks
	depth int // calls still to go below siteDeep
}

type workload struct {
	n     int
	rows  []row
	sinks sinks
	done  chan int
	par   [workers]*node
	many  [crowd]*wide
	c     *cLedger // &cKept when there is a C part
	cKept cLedger
}

func newWorkload(n, depth int) *workload {
	w := &workload{n: n, rows: newRows(), done: make(chan int, 64)}
	w.sinks.depth = depth
	w.sinks.init()
	w.cKept.Func = "site_cgo"
	return w
}

func (w *workload) add(fn string, objects, bytes uintptr) {
	for i := range w.rows {
		if w.rows[i].Func == fn {
			w.rows[i].Objects += uint64(objects)
			w.rows[i].RequestedBytes += uint64(bytes)
		}
	}
}

// siteStack allocates at each level of a recursion on a fresh goroutine, whose
// stack starts small: somewhere the check in the allocator's own prologue is the
// one that finds it full, grows it and starts the function again.
//
//go:noinline
func siteStack(p **node, depth int) int {
	*p = new(node)
	if depth == 0 {
		return 0
	}
	return 1 + siteStack(p, depth-1)
}

// Shifts where the stack of the goroutine stands when the recursion starts.
//
//go:noinline
func pad(p **node, n, depth int) int {
	if n == 0 {
		return siteStack(p, depth)
	}
	return 1 + pad(p, n-1, depth)
}

//go:noinline
func siteParallel(p **node) { *p = new(node) }

//go:noinline
func siteMany(p **wide) { *p = new(wide) }

func workloadStack(p **node, i, depth int, done chan int) {
	done <- pad(p, i%8, depth)
}

func workloadParallel(p **node, n int, done chan int) {
	for i := 0; i < n; i++ {
		siteParallel(p)
	}
	done <- n
}

func workloadMany(p **wide, n int, start *sync.WaitGroup, done chan int) {
	start.Wait()
	for i := 0; i < n; i++ {
		siteMany(p)
	}
	done <- n
}

const (
	stackRuns  = 64
	stackDepth = 100
	workers    = 4
	crowd      = 200
)

// One call for each, in one line: the profile tells the sites apart by their names.
//
//go:noinline
func workloadRounds(w *workload) {
	for i := 0; i < w.n; i++ {
		if i == w.n/2 {
			debug.FreeOSMemory() // a GC, and what is free goes back to the kernel
		}
		for j := range w.rows {
			r := &w.rows[j]
			if r.run == nil || i%r.every != 0 {
				continue
			}
			objects, bytes := r.run(&w.sinks, i)
			r.Objects += uint64(objects)
			r.RequestedBytes += uint64(bytes)
		}
	}
}

//go:noinline
func workloadGoroutines(w *workload) {
	for i := 0; i < stackRuns; i++ {
		go workloadStack(&w.par[0], i, stackDepth, w.done)
		<-w.done
	}
	w.add("main.siteStack", stackRuns*(stackDepth+1), stackRuns*(stackDepth+1)*nodeBytes)
	for i := range w.par {
		go workloadParallel(&w.par[i], 4*w.n, w.done)
	}
	for range w.par {
		<-w.done
	}
	n := uintptr(w.n)
	w.add("main.siteParallel", workers*4*n, workers*4*n*nodeBytes)
}

// All of them wait at the same gate, and then allocate at once.
//
//go:noinline
func workloadCrowd(w *workload) {
	var gate sync.WaitGroup
	gate.Add(1)
	for i := range w.many {
		go workloadMany(&w.many[i], w.n/20, &gate, w.done)
	}
	gate.Done()
	for range w.many {
		<-w.done
	}
	n := uintptr(w.n / 20)
	w.add("main.siteMany", crowd*n, crowd*n*unsafe.Sizeof(wide{}))
}

func (w *workload) run() {
	workloadRounds(w)
	workloadGoroutines(w)
	workloadCrowd(w)
	w.runC(w.n)
}
