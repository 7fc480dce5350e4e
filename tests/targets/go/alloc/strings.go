// SPDX-License-Identifier: GPL-2.0-or-later

package main

import (
	"strconv"
	"strings"
)

type stringSinks struct {
	str   string
	runes []rune
	raw   []byte
	text  string
}

func stringRows() []row {
	return []row{
		newRow("siteString", "string", 1, siteString).tiny(),
		newRow("siteConcat", "string", 1, siteConcat),
		newRow("siteConcatMany", "string", 1, siteConcatMany),
		newRow("siteItoa", "string", 1, siteItoa).tiny(),
		newRow("siteToBytes", "[]uint8", 1, siteToBytes).tiny(),
		newRow("siteToRunes", "[]int32", 1, siteToRunes),
		newRow("siteFromRunes", "string", 1, siteFromRunes).tiny(),
		newRow("siteBuilder", "", 1, siteBuilder),
		newRow("siteRepeat", "", 10, siteRepeat),
	}
}

// 2 to 201 bytes (one alone is not allocated); those under 16 are tiny objects.
//
//go:noinline
func siteString(s *sinks, i int) (objects, bytes uintptr) {
	s.str = string(s.raw[:2+i%200])
	return 1, uintptr(len(s.str))
}

//go:noinline
func siteConcat(s *sinks, i int) (objects, bytes uintptr) {
	s.str = s.text[:16+i%50] + s.text[:1+i%70]
	return 1, uintptr(len(s.str))
}

//go:noinline
func siteConcatMany(s *sinks, i int) (objects, bytes uintptr) {
	t := s.text
	s.str = t[:16] + t[:1+i%3] + t[:1+i%5] + t[:1+i%7] + t[:1+i%11] + t[:1+i%13] + t[:1+i%17]
	return 1, uintptr(len(s.str))
}

//go:noinline
func siteItoa(s *sinks, i int) (objects, bytes uintptr) {
	s.str = strconv.Itoa(100000 + i)
	return 1, uintptr(len(s.str))
}

// The runtime asks for a whole slot.
//
//go:noinline
func siteToBytes(s *sinks, i int) (objects, bytes uintptr) {
	s.bytes = []byte(s.text[:1+i%300])
	return 1, uintptr(cap(s.bytes))
}

//go:noinline
func siteToRunes(s *sinks, i int) (objects, bytes uintptr) {
	s.runes = []rune(s.text[:8+i%100])
	return 1, uintptr(cap(s.runes)) * 4
}

// The runtime asks for 3 more, room for the longest rune that it may just have begun.
//
//go:noinline
func siteFromRunes(s *sinks, i int) (objects, bytes uintptr) {
	s.str = string(s.runes)
	return 1, uintptr(len(s.str)) + 3
}

//go:noinline
func siteBuilder(s *sinks, i int) (objects, bytes uintptr) {
	var b strings.Builder
	b.Grow(20 + i%300)
	bytes = uintptr(b.Cap())
	b.WriteString(s.text[:20])
	s.str = b.String()
	return 1, bytes
}

//go:noinline
func siteRepeat(s *sinks, i int) (objects, bytes uintptr) {
	s.str = strings.ToUpper(strings.Repeat(s.text[:26], 1+i%40))
	return 0, 0
}
