// SPDX-License-Identifier: GPL-2.0-or-later

package main

import "unsafe"

// Each site is one function that is never inlined and allocates in one way.
// What it made is kept only until the next object of the site, so that a GC in
// the middle has something to free.

type node struct { // 24 bytes with pointers: scan, class 24
	next *node
	val  [2]uint64
}

type wide struct { // 136 bytes with a pointer: scan, class 144
	p *node
	b [128]byte
}

type huge struct { // 960 bytes with a pointer: over 512, header from 1.22 on
	p *node
	b [952]byte
}

const (
	sNode = iota
	sWide
	sHuge
	sTiny
	sTinyOdd
	sPlain64
	sString
	sBytes100
	sBytesClass
	sBytesLarge
	sBytesPage
	sPointers
	sGrow
	sMap
	sZero
	sDeep
	sStack
	sParallel
	nSites
)

type sinks struct {
	node  *node
	wide  *wide
	huge  *huge
	i32   *int32
	odd   *[5]byte
	plain *[64]byte
	str   string
	bytes []byte
	ptrs  []*node
	grow  []uint64
	m     map[uint64]uint64
	zero  *struct{}
}

type workload struct {
	n, depth int
	sites    [nSites]site
	sinks    sinks
	text     []byte
	done     chan int
	par      [4]*node
	c        *cLedger // &cKept when there is a C part
	cKept    cLedger
}

func newWorkload(n, depth int) *workload {
	w := &workload{n: n, depth: depth, text: make([]byte, 4096), done: make(chan int, 64)}
	for i := range w.text {
		w.text[i] = byte('a' + i%26)
	}
	names := [nSites]string{"siteNode", "siteWide", "siteHuge", "siteTiny", "siteTinyOdd", "sitePlain64", "siteString",
		"siteBytes100", "siteBytesClass", "siteBytesLarge", "siteBytesPage", "sitePointers", "siteGrow", "siteMap",
		"siteZero", "siteDeep", "siteStack", "siteParallel"}
	for i := range names {
		w.sites[i].Func = "main." + names[i]
	}
	w.sites[sTiny].Tiny, w.sites[sTinyOdd].Tiny, w.sites[sString].Tiny = true, true, true
	w.sites[sGrow].Tiny = true // its first 8 bytes
	w.cKept.Func = "site_cgo"
	return w
}

func (w *workload) add(i int, objects, bytes uintptr) {
	w.sites[i].Objects += uint64(objects)
	w.sites[i].RequestedBytes += uint64(bytes)
}

//go:noinline
func siteNode(s *sinks) { s.node = new(node) }

//go:noinline
func siteWide(s *sinks) { s.wide = new(wide) }

//go:noinline
func siteHuge(s *sinks) { s.huge = new(huge) }

//go:noinline
func siteTiny(s *sinks) { s.i32 = new(int32) }

//go:noinline
func siteTinyOdd(s *sinks) { s.odd = new([5]byte) }

//go:noinline
func sitePlain64(s *sinks) { s.plain = new([64]byte) }

//go:noinline
func siteString(s *sinks, b []byte) { s.str = string(b) }

//go:noinline
func siteBytes100(s *sinks, n int) { s.bytes = make([]byte, n) }

//go:noinline
func siteBytesClass(s *sinks, n int) { s.bytes = make([]byte, n) }

//go:noinline
func siteBytesLarge(s *sinks, n int) { s.bytes = make([]byte, n) }

//go:noinline
func siteBytesPage(s *sinks, n int) { s.bytes = make([]byte, n) }

//go:noinline
func sitePointers(s *sinks, n int) { s.ptrs = make([]*node, n) }

// How often and by how much append grows is the runtime's business: the profile knows.
//
//go:noinline
func siteGrow(s *sinks, n int) {
	s.grow = nil
	for i := 0; i < n; i++ {
		s.grow = append(s.grow, uint64(i))
	}
}

//go:noinline
func siteMap(s *sinks, n int) {
	s.m = make(map[uint64]uint64)
	for i := 0; i < n; i++ {
		s.m[uint64(i)] = uint64(i)
	}
}

// Reaches mallocgc in some versions, and counts in no statistic in any.
//
//go:noinline
func siteZero(s *sinks) { s.zero = new(struct{}) }

//go:noinline
func siteDeep(s *sinks, depth int) {
	if depth > 0 {
		siteDeep(s, depth-1)
		s.node.val[0]++ // not a tail call
		return
	}
	s.node = new(node)
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

//go:noinline
func siteParallel(p **node) { *p = new(node) }

// Shifts where the stack of the goroutine stands when the recursion starts.
//
//go:noinline
func pad(p **node, n, depth int) int {
	if n == 0 {
		return siteStack(p, depth)
	}
	return 1 + pad(p, n-1, depth)
}

func workloadStack(p **node, i, depth int, done chan int) {
	done <- pad(p, i%8, depth)
}

func workloadParallel(p **node, n int, done chan int) {
	for i := 0; i < n; i++ {
		siteParallel(p)
	}
	done <- n
}

const (
	stackRuns  = 64
	stackDepth = 100
	workers    = 4
)

//go:noinline
func workloadRun(w *workload) {
	s := &w.sinks
	n := w.n
	for i := 0; i < n; i++ {
		siteNode(s)
		siteWide(s)
		siteHuge(s)
		siteTiny(s)
		siteTinyOdd(s)
		sitePlain64(s)
		siteString(s, w.text[:2+i%200])
		siteBytes100(s, 100)
		siteBytesClass(s, 1024)
		siteZero(s)
		siteDeep(s, w.depth)
	}
	for i := 0; i < n/10; i++ {
		siteBytesPage(s, 8192)
		sitePointers(s, 10+i)
		w.add(sPointers, 1, uintptr(10+i)*8)
	}
	for i := 0; i < n/50; i++ {
		siteBytesLarge(s, 32769+i*5000)
		w.add(sBytesLarge, 1, uintptr(32769+i*5000))
		siteGrow(s, 3000)
		siteMap(s, 500)
	}
	for i := 0; i < stackRuns; i++ {
		go workloadStack(&w.par[0], i, stackDepth, w.done)
		<-w.done
	}
	for i := 0; i < workers; i++ {
		go workloadParallel(&w.par[i], 4*n, w.done)
	}
	for i := 0; i < workers; i++ {
		<-w.done
	}
	w.runC(n)
}

// siteString's text has 2 to 201 bytes (one alone is not allocated); those under 16 are tiny objects.
func stringBytes(n int) (bytes uintptr) {
	for i := 0; i < n; i++ {
		bytes += uintptr(2 + i%200)
	}
	return bytes
}

func (w *workload) run() {
	n := uintptr(w.n)
	workloadRun(w)
	w.add(sNode, n, n*unsafe.Sizeof(node{}))
	w.add(sWide, n, n*unsafe.Sizeof(wide{}))
	w.add(sHuge, n, n*unsafe.Sizeof(huge{}))
	w.add(sTiny, n, n*4)
	w.add(sTinyOdd, n, n*5)
	w.add(sPlain64, n, n*64)
	w.add(sString, n, stringBytes(w.n))
	w.add(sBytes100, n, n*100)
	w.add(sBytesClass, n, n*1024)
	w.add(sBytesPage, n/10, n/10*8192)
	w.add(sDeep, n, n*unsafe.Sizeof(node{}))
	w.add(sStack, stackRuns*(stackDepth+1), stackRuns*(stackDepth+1)*unsafe.Sizeof(node{}))
	w.add(sParallel, workers*4*n, workers*4*n*unsafe.Sizeof(node{}))
	// siteGrow and siteMap: 0 objects here, the profile is the truth for them.
}
