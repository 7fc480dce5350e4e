// SPDX-License-Identifier: GPL-2.0-or-later

package main

import "unsafe"

type sliceSinks struct {
	bytes  []byte
	ptrs   []*node
	words  []uint64
	nodes  []*node // 20, never changed
	array  []int
	length int
	freed  freed
}

func sliceRows() []row {
	return []row{
		newRow("siteBytes100", "[]uint8", 1, siteBytes100),
		newRow("siteBytesClass", "[]uint8", 1, siteBytesClass),
		newRow("siteBytesPage", "[]uint8", 10, siteBytesPage),
		newRow("siteBytesLarge", "[]uint8", 50, siteBytesLarge),
		newRow("siteBytesSizes", "[]uint8", 1, siteBytesSizes),
		newRow("sitePointers", "[]*main.node", 10, sitePointers),
		newRow("sitePointersLarge", "[]*main.node", 50, sitePointersLarge),
		newRow("sitePointersSizes", "[]*main.node", 1, sitePointersSizes),
		newRow("siteLiteral", "[4]int", 1, siteLiteral),
		newRow("siteCopyPointers", "[]*main.node", 1, siteCopyPointers),
		newRow("siteCopyBytes", "", 1, siteCopyBytes),
		newRow("siteGrow", "", 50, siteGrow).tiny(), // its first 8 bytes
		newRow("siteGrowPointers", "[]*main.node", 50, siteGrowPointers),
		newRow("siteGrowLocal", "", 50, siteGrowLocal),
		newRow("siteGrowMany", "", 10, siteGrowMany).tiny(),
		newRow("siteGiveBack", "[]uint8", 1, siteGiveBack),
		newRow("siteCollect", "", 10, siteCollect),
	}
}

//go:noinline
func siteBytes100(s *sinks, i int) (objects, bytes uintptr) {
	s.bytes = make([]byte, 100+i-i)
	return 1, 100
}

//go:noinline
func siteBytesClass(s *sinks, i int) (objects, bytes uintptr) {
	s.bytes = make([]byte, 1024+i-i)
	return 1, 1024
}

//go:noinline
func siteBytesPage(s *sinks, i int) (objects, bytes uintptr) {
	s.bytes = make([]byte, 8192+i-i)
	return 1, 8192
}

//go:noinline
func siteBytesLarge(s *sinks, i int) (objects, bytes uintptr) {
	n := 32769 + i%1000*100
	s.bytes = make([]byte, n)
	return 1, uintptr(n)
}

// Through all size classes, and over the border to large objects.
//
//go:noinline
func siteBytesSizes(s *sinks, i int) (objects, bytes uintptr) {
	n := 16 + i*37%33000
	s.bytes = make([]byte, n)
	return 1, uintptr(n)
}

//go:noinline
func sitePointers(s *sinks, i int) (objects, bytes uintptr) {
	n := 10 + i%1000/10
	s.ptrs = make([]*node, n)
	return 1, uintptr(n) * 8
}

//go:noinline
func sitePointersLarge(s *sinks, i int) (objects, bytes uintptr) {
	n := 4097 + i%1000*10
	s.ptrs = make([]*node, n)
	return 1, uintptr(n) * 8
}

//go:noinline
func sitePointersSizes(s *sinks, i int) (objects, bytes uintptr) {
	n := 1 + i*5%4200
	s.ptrs = make([]*node, n)
	return 1, uintptr(n) * 8
}

//go:noinline
func siteLiteral(s *sinks, i int) (objects, bytes uintptr) {
	s.array = []int{i, i + 1, i + 2, i + 3}
	return 1, unsafe.Sizeof([4]int{})
}

// The compiler makes one call of make and copy.
//
//go:noinline
func siteCopyPointers(s *sinks, i int) (objects, bytes uintptr) {
	ptrs := make([]*node, len(s.nodes))
	copy(ptrs, s.nodes)
	s.ptrs = ptrs
	return 1, uintptr(len(ptrs)) * 8
}

//go:noinline
func siteCopyBytes(s *sinks, i int) (objects, bytes uintptr) {
	b := make([]byte, len(s.raw))
	copy(b, s.raw)
	s.bytes = b
	return 1, uintptr(len(b))
}

// Appends grow by the runtime's rules: up to a whole slot, which is what it asks
// the allocator for. So a new capacity is a new object of that size.
//
//go:noinline
func siteGrow(s *sinks, i int) (objects, bytes uintptr) {
	s.words = nil
	for j := 0; j < 3000; j++ {
		before := cap(s.words)
		s.words = append(s.words, uint64(j))
		if cap(s.words) != before {
			objects++
			bytes += uintptr(cap(s.words)) * 8
		}
	}
	return objects, bytes
}

//go:noinline
func siteGrowPointers(s *sinks, i int) (objects, bytes uintptr) {
	s.ptrs = nil
	for j := 0; j < 1000; j++ {
		before := cap(s.ptrs)
		s.ptrs = append(s.ptrs, s.node)
		if cap(s.ptrs) != before {
			objects++
			bytes += uintptr(cap(s.ptrs)) * 8
		}
	}
	return objects, bytes
}

// Nobody else has the slice, so that a compiler with GOEXPERIMENT=runtimefreegc gives
// the old array back at once.
//
//go:noinline
func siteGrowLocal(s *sinks, i int) (objects, bytes uintptr) {
	words := make([]uint64, 0, 8+i-i)
	objects, bytes = 1, 64
	for j := 0; j < 3000; j++ {
		before := cap(words)
		words = append(words, uint64(j))
		if cap(words) != before {
			objects++
			bytes += uintptr(cap(words)) * 8
			s.freed.Objects++
			s.freed.Bytes += uint64(before) * 8
		}
	}
	s.length += len(words)
	return objects, bytes
}

// With GOEXPERIMENT=runtimefreegc the next object may get the same place again.
//
//go:noinline
func siteGiveBack(s *sinks, i int) (objects, bytes uintptr) {
	n := 64 + 64*(i%2)
	b := make([]byte, n)
	s.sum += int(b[i%n])
	s.bytes = b
	s.bytes = nil
	if giveBack(unsafe.Pointer(&b[0]), uintptr(n)) {
		s.freed.Objects++
		s.freed.Bytes += uint64(n)
	}
	return 1, uintptr(n)
}

//go:noinline
func siteGrowMany(s *sinks, i int) (objects, bytes uintptr) {
	s.bytes = nil
	for j := 0; j < 40; j++ {
		before := cap(s.bytes)
		s.bytes = append(s.bytes, s.raw[:3+j]...)
		if cap(s.bytes) != before {
			objects++
			bytes += uintptr(cap(s.bytes))
		}
	}
	return objects, bytes
}

// From 1.26 on such a slice grows on the stack and moves to the heap when it is done.
//
//go:noinline
func siteCollect(s *sinks, i int) (objects, bytes uintptr) {
	var found []*node
	for j := 0; j < 2+i%9; j++ {
		found = append(found, s.node)
	}
	s.ptrs = found
	return 0, 0
}
