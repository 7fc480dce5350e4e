// SPDX-License-Identifier: GPL-2.0-or-later

package main

import "unsafe"

type wide struct { // 136 bytes with a pointer: scan, class 144
	p *node
	b [128]byte
}

type most struct { // 512 bytes with a pointer: the most without a header
	p *node
	b [504]byte
}

type least struct { // 520 bytes with a pointer: the least with one, from 1.22 on
	p *node
	b [512]byte
}

type huge struct { // 960 bytes with a pointer
	p *node
	b [952]byte
}

type objectSinks struct {
	node  *node
	wide  *wide
	most  *most
	least *least
	huge  *huge
	i32   *int32
	odd   *[5]byte
	plain *[64]byte
	zero  *struct{}
	none  *[0]node
}

func objectRows() []row {
	return []row{
		newRow("siteNode", "main.node", 1, siteNode),
		newRow("siteWide", "main.wide", 1, siteWide),
		newRow("siteMost", "main.most", 1, siteMost),
		newRow("siteLeast", "main.least", 1, siteLeast),
		newRow("siteHuge", "main.huge", 1, siteHuge),
		newRow("siteTiny", "int32", 1, siteTiny).tiny(),
		newRow("siteTinyOdd", "[5]uint8", 1, siteTinyOdd).tiny(),
		newRow("sitePlain64", "[64]uint8", 1, sitePlain64),
		newRow("siteZero", "", 1, siteZero),
		newRow("siteDeep", "main.node", 1, siteDeep),
	}
}

//go:noinline
func siteNode(s *sinks, i int) (objects, bytes uintptr) {
	s.node = new(node)
	return 1, nodeBytes
}

//go:noinline
func siteWide(s *sinks, i int) (objects, bytes uintptr) {
	s.wide = new(wide)
	return 1, unsafe.Sizeof(wide{})
}

//go:noinline
func siteMost(s *sinks, i int) (objects, bytes uintptr) {
	s.most = new(most)
	return 1, unsafe.Sizeof(most{})
}

//go:noinline
func siteLeast(s *sinks, i int) (objects, bytes uintptr) {
	s.least = new(least)
	return 1, unsafe.Sizeof(least{})
}

//go:noinline
func siteHuge(s *sinks, i int) (objects, bytes uintptr) {
	s.huge = new(huge)
	return 1, unsafe.Sizeof(huge{})
}

//go:noinline
func siteTiny(s *sinks, i int) (objects, bytes uintptr) {
	s.i32 = new(int32)
	return 1, 4
}

//go:noinline
func siteTinyOdd(s *sinks, i int) (objects, bytes uintptr) {
	s.odd = new([5]byte)
	return 1, 5
}

//go:noinline
func sitePlain64(s *sinks, i int) (objects, bytes uintptr) {
	s.plain = new([64]byte)
	return 1, 64
}

// Reaches mallocgc in some versions, and counts in no statistic in any.
//
//go:noinline
func siteZero(s *sinks, i int) (objects, bytes uintptr) {
	s.zero = new(struct{})
	s.none = new([0]node)
	s.bytes = make([]byte, i-i)
	return 0, 0
}

//go:noinline
func siteDeep(s *sinks, i int) (objects, bytes uintptr) {
	if s.depth > 0 {
		s.depth--
		objects, bytes = siteDeep(s, i)
		s.depth++ // not a tail call
		return objects, bytes
	}
	s.node = new(node)
	return 1, nodeBytes
}
