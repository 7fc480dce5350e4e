// SPDX-License-Identifier: GPL-2.0-or-later

package main

import "strconv"

// How often and by how much a map grows is the runtime's business (and the hash
// seed's): the profile knows.

type fat struct { // values over 128 bytes live outside of the map
	p *node
	b [160]byte
}

type mapSinks struct {
	m       map[uint64]uint64
	strings map[string]int
	byID    map[int32]*node
	fats    map[[2]uint64]fat
	any     map[interface{}]string
	small   map[string]bool
	keys    []string
	boxes   []interface{}
}

func mapRows() []row {
	return []row{
		newRow("siteMap", "map[uint64]uint64", 50, siteMap),
		newRow("siteMapString", "map[string]int", 50, siteMapString),
		newRow("siteMapPointers", "map[int32]*main.node", 50, siteMapPointers),
		newRow("siteMapFat", "", 50, siteMapFat),
		newRow("siteMapAny", "map[interface {}]string", 50, siteMapAny),
		newRow("siteMapSmall", "map[string]bool", 1, siteMapSmall),
		newRow("siteMapHint", "map[uint64]uint64", 10, siteMapHint),
	}
}

const mapKeys = 300

func (s *mapSinks) init() {
	for i := 0; i < mapKeys; i++ {
		s.keys = append(s.keys, "key "+strconv.Itoa(i))
		s.boxes = append(s.boxes, interface{}(s.keys[i]))
	}
}

//go:noinline
func siteMap(s *sinks, i int) (objects, bytes uintptr) {
	s.m = make(map[uint64]uint64)
	for j := 0; j < 500; j++ {
		s.m[uint64(j)] = uint64(i)
	}
	return 0, 0
}

//go:noinline
func siteMapString(s *sinks, i int) (objects, bytes uintptr) {
	s.strings = make(map[string]int)
	for j, key := range s.keys {
		s.strings[key] = j
	}
	return 0, 0
}

//go:noinline
func siteMapPointers(s *sinks, i int) (objects, bytes uintptr) {
	s.byID = make(map[int32]*node)
	for j := 0; j < 200; j++ {
		s.byID[int32(j)] = s.node
	}
	return 0, 0
}

//go:noinline
func siteMapFat(s *sinks, i int) (objects, bytes uintptr) {
	s.fats = make(map[[2]uint64]fat)
	for j := 0; j < 50; j++ {
		s.fats[[2]uint64{uint64(i), uint64(j)}] = fat{p: s.node}
	}
	return 0, 0
}

//go:noinline
func siteMapAny(s *sinks, i int) (objects, bytes uintptr) {
	s.any = make(map[interface{}]string)
	for j, box := range s.boxes {
		s.any[box] = s.keys[j]
	}
	return 0, 0
}

//go:noinline
func siteMapSmall(s *sinks, i int) (objects, bytes uintptr) {
	s.small = make(map[string]bool)
	s.small[s.keys[i%mapKeys]] = true
	s.small[s.keys[(i+1)%mapKeys]] = false
	return 0, 0
}

//go:noinline
func siteMapHint(s *sinks, i int) (objects, bytes uintptr) {
	s.m = make(map[uint64]uint64, 10+i%500)
	s.m[1] = 2
	return 0, 0
}
