// SPDX-License-Identifier: GPL-2.0-or-later

//go:build go1.18
// +build go1.18

package main

type pair[K comparable, V any] struct {
	key K
	val V
	p   *node
}

type genericSinks struct {
	pair  *pair[int, string]
	pairs []pair[string, node]
}

func genericRows() []row {
	return []row{
		newRow("siteGeneric", "main.pair[int,string]", 1, siteGeneric),
		newRow("siteGenericSlice", "[]main.pair[string,main.node]", 1, siteGenericSlice),
	}
}

//go:noinline
func newPair[K comparable, V any](key K, val V) *pair[K, V] { return &pair[K, V]{key: key, val: val} }

//go:noinline
func makePairs[K comparable, V any](n int) []pair[K, V] { return make([]pair[K, V], n) }

//go:noinline
func siteGeneric(s *sinks, i int) (objects, bytes uintptr) {
	s.pair = newPair[int, string](i, s.text)
	return 1, 32
}

//go:noinline
func siteGenericSlice(s *sinks, i int) (objects, bytes uintptr) {
	s.pairs = makePairs[string, node](1 + i%20)
	return 1, uintptr(1+i%20) * 48
}
