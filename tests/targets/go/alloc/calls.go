// SPDX-License-Identifier: GPL-2.0-or-later

package main

import (
	"reflect"
	"sync"
	"unsafe"
)

// Closures, interfaces, channels, and ways to be called.

type point struct{ x, y int }

type maker struct{ n int }

type allocator interface{ allocate(s *sinks) }

type callSinks struct {
	fn       func() int
	box      interface{}
	boxes2   []interface{}
	ints     chan int
	nodeChan chan *node
	signals  chan struct{}
	alloc    allocator
	pool     sync.Pool
	kind     reflect.Type
	slice    reflect.Value
	sum      int
}

func callRows() []row {
	return []row{
		newRow("siteClosure", "", 1, siteClosure),
		newRow("siteMethodValue", "", 1, siteMethodValue),
		newRow("siteBoxStruct", "main.point", 1, siteBoxStruct),
		newRow("siteBoxInt", "", 1, siteBoxInt).tiny(),
		newRow("siteBoxString", "", 1, siteBoxString),
		newRow("siteBoxSlice", "", 1, siteBoxSlice),
		newRow("siteVariadic", "[2]interface {}", 1, siteVariadic),
		newRow("siteChan", "", 1, siteChan),
		newRow("siteChanPointers", "chan *main.node", 1, siteChanPointers),
		newRow("siteChanEmpty", "", 1, siteChanEmpty),
		newRow("siteInlined", "main.node", 1, siteInlined),
		newRow("siteWrapper", "main.node", 1, siteWrapper),
		newRow("siteDefer", "", 1, siteDefer),
		newRow("sitePanic", "", 1, sitePanic),
		newRow("sitePanicBounds", "", 1, sitePanicBounds),
		newRow("sitePool", "", 1, sitePool),
		newRow("siteReflect", "main.node", 1, siteReflect),
		newRow("siteReflectSlice", "", 1, siteReflectSlice),
	}
}

func (s *sinks) init() {
	for i := 0; i < 4096; i++ {
		s.raw = append(s.raw, byte('a'+i%26))
	}
	s.text = string(s.raw)
	s.nodes = make([]*node, 20)
	s.alloc = &maker{}
	s.pool.New = newPooled
	s.kind = reflect.TypeOf(node{})
	s.mapSinks.init()
	// What these keep for the next time is not the workload's.
	siteReflect(s, 0)
	siteReflectSlice(s, 0)
}

//go:noinline
func siteClosure(s *sinks, i int) (objects, bytes uintptr) {
	n := s.node
	s.fn = func() int { return int(n.val[0]) }
	return 1, 16
}

//go:noinline
func (m maker) count() int { return m.n }

//go:noinline
func siteMethodValue(s *sinks, i int) (objects, bytes uintptr) {
	s.fn = maker{i}.count
	return 1, 16
}

//go:noinline
func siteBoxStruct(s *sinks, i int) (objects, bytes uintptr) {
	s.box = point{i, i}
	return 1, unsafe.Sizeof(point{})
}

//go:noinline
func siteBoxInt(s *sinks, i int) (objects, bytes uintptr) {
	s.box = 1000 + i // small ones are there already
	return 1, 8
}

//go:noinline
func siteBoxString(s *sinks, i int) (objects, bytes uintptr) {
	s.box = s.text[:1+i%10]
	return 1, 16
}

//go:noinline
func siteBoxSlice(s *sinks, i int) (objects, bytes uintptr) {
	s.box = s.raw[:1+i%10]
	return 1, 24
}

//go:noinline
func (s *sinks) keep(boxes ...interface{}) { s.boxes2 = boxes }

//go:noinline
func siteVariadic(s *sinks, i int) (objects, bytes uintptr) {
	s.keep(s.wide, s.node)
	return 1, 32
}

// What a channel itself takes is the version's.
//
//go:noinline
func siteChan(s *sinks, i int) (objects, bytes uintptr) {
	s.ints = make(chan int, 4+i%10)
	return 1, 0
}

//go:noinline
func siteChanPointers(s *sinks, i int) (objects, bytes uintptr) {
	s.nodeChan = make(chan *node, 3+i%10)
	return 2, 0
}

//go:noinline
func siteChanEmpty(s *sinks, i int) (objects, bytes uintptr) {
	s.signals = make(chan struct{})
	return 1, 0
}

func inlinedInner(val uint64) *node { return &node{val: [2]uint64{val, 1}} }

func inlinedOuter(val uint64) *node { return inlinedInner(val + 1) }

// Two functions that the compiler puts in here: the stack has them.
//
//go:noinline
func siteInlined(s *sinks, i int) (objects, bytes uintptr) {
	s.node = inlinedOuter(uint64(i))
	return 1, nodeBytes
}

//go:noinline
func (m maker) allocate(s *sinks) { s.node = new(node) }

// A pointer in the interface, a method of the value: the compiler makes a function in
// between that the runtime shows to nobody.
//
//go:noinline
func siteWrapper(s *sinks, i int) (objects, bytes uintptr) {
	s.alloc.allocate(s)
	return 1, nodeBytes
}

//go:noinline
func deferred(s *sinks) { s.node = new(node) }

// In a loop, so that the runtime must keep them in a list, whose parts it allocates now and then.
//
//go:noinline
func siteDefer(s *sinks, i int) (objects, bytes uintptr) {
	for j := 0; j < 3; j++ {
		defer deferred(s)
	}
	s.node = new(node)
	return 0, 0
}

//go:noinline
func raise(i int) { panic(point{i, i}) }

//go:noinline
func sitePanic(s *sinks, i int) (objects, bytes uintptr) {
	defer func() {
		if recover() != nil {
			s.node = new(node)
		}
	}()
	objects, bytes = 2, unsafe.Sizeof(point{})+nodeBytes
	raise(i)
	return objects, bytes
}

// The runtime's own error is an object as well.
//
//go:noinline
func sitePanicBounds(s *sinks, i int) (objects, bytes uintptr) {
	defer func() {
		if recover() != nil {
			s.node = new(node)
		}
	}()
	s.sum += int(s.raw[len(s.raw)+i])
	return 0, 0
}

func newPooled() interface{} { return new(wide) }

// Two at a time, one kept back now and then: the pool's own lists grow, too.
//
//go:noinline
func sitePool(s *sinks, i int) (objects, bytes uintptr) {
	a, b := s.pool.Get(), s.pool.Get()
	s.pool.Put(a)
	if i%3 != 0 {
		s.pool.Put(b)
	}
	return 0, 0
}

//go:noinline
func siteReflect(s *sinks, i int) (objects, bytes uintptr) {
	s.node = reflect.New(s.kind).Interface().(*node)
	return 1, nodeBytes
}

//go:noinline
func siteReflectSlice(s *sinks, i int) (objects, bytes uintptr) {
	s.slice = reflect.MakeSlice(reflect.TypeOf(s.array), 5+i%50, 5+i%50)
	return 0, 0
}
