// SPDX-License-Identifier: GPL-2.0-or-later

// The test target for what an allocation has besides its stack: goroutines of known go
// statements allocate known types under known pprof labels.
//
// It speaks the lines of package talk, and writes its ledger as JSON at the end: what
// each site allocated of each type, by the go statement that made the goroutine, and by labels.
package main

import (
	"context"
	"encoding/json"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"

	"allocsnoop.test/targets/talk"
)

// Sizes are size classes of every Go version: what is asked for is what is charged.
type thing struct { // 32 bytes with a pointer
	next *thing
	val  [3]uint64
}

type point struct { // 32 bytes without
	at [4]uint64
}

type sinks struct {
	thing  *thing
	things []*thing
	bytes  []byte
	str    string
	box    interface{}
	m      map[string]interface{}
	c      chan *thing
	f      func() uint64
}

//go:noinline
func siteThing(s *sinks) { s.thing = new(thing) }

//go:noinline
func siteThings(s *sinks, n int) { s.things = make([]*thing, n) }

//go:noinline
func siteBytes(s *sinks, n int) { s.bytes = make([]byte, n) }

//go:noinline
func siteConcat(s *sinks, a, b string) { s.str = a + b }

//go:noinline
func siteBox(s *sinks, p point) { s.box = p }

// A header of the runtime's own, and the room for the entries.
//
//go:noinline
func siteMap(s *sinks, key string) {
	m := make(map[string]interface{})
	m[key] = nil
	s.m = m
}

//go:noinline
func siteChan(s *sinks, n int) { s.c = make(chan *thing, n) }

//go:noinline
func siteClosure(s *sinks, v [3]uint64) { s.f = func() uint64 { return v[0] + v[1] + v[2] } }

// What is known of a type's allocations. bytes 0: that is the version's business.
type made struct {
	site, typ      string
	objects, bytes uint64
}

const text = "the first half of a string of 48"

func doThing(s *sinks, n uint64) made {
	for i := uint64(0); i < n; i++ {
		siteThing(s)
	}
	return made{"main.siteThing", "main.thing", n, n * 32}
}

func doThings(s *sinks) made {
	siteThings(s, 8)
	return made{"main.siteThings", "[]*main.thing", 1, 64}
}

func doBytes(s *sinks) made {
	siteBytes(s, 256)
	return made{"main.siteBytes", "[]uint8", 1, 256}
}

func doConcat(s *sinks) made {
	siteConcat(s, text, text[:16])
	return made{"main.siteConcat", "string", 1, 48}
}

func doBox(s *sinks) made {
	siteBox(s, point{})
	return made{"main.siteBox", "main.point", 1, 32}
}

func doMap(s *sinks) made {
	siteMap(s, text)
	return made{"main.siteMap", "map[string]interface {}", 1, 0}
}

func doChan(s *sinks) made {
	siteChan(s, 4)
	return made{"main.siteChan", "chan *main.thing", 1, 32}
}

func doClosure(s *sinks) made {
	siteClosure(s, [3]uint64{1, 2, 3})
	return made{"main.siteClosure", "struct { F uintptr*", 1, 32} // names of the fields differ by version
}

type labels map[string]string

// entry is one line of the ledger: a sum over all goroutines of that statement with those labels.
type entry struct {
	Site      string `json:"site"`
	Type      string `json:"type"` // a * at its end stands for anything
	Goroutine string `json:"goroutine"`
	Labels    labels `json:"labels"`
	Objects   uint64 `json:"objects"`
	Bytes     uint64 `json:"bytes"` // 0: not known
}

// creator is a go statement.
type creator struct {
	Goroutine  string `json:"goroutine"`
	Goroutines int    `json:"goroutines"`
	Whole      bool   `json:"whole"` // they allocate nothing but what the entries say
}

type ledger struct {
	Go        string    `json:"go"`
	Entries   []*entry  `json:"entries"`
	Creators  []creator `json:"creators"`
	LabelSets []labels  `json:"label_sets"` // under which nothing else is allocated
}

// work is what one goroutine did with one set of labels. Written by it, read when it is done.
type work struct {
	goroutine *string
	labels    labels
	made      [8]made
}

type book struct {
	works []*work // made beforehand
	used  int
	done  chan *work
	s     []sinks
}

// next is for the goroutine that makes others, and for them by way of it: no locks.
func (b *book) next(goroutine *string, l labels) (*work, *sinks) {
	w, s := b.works[b.used], &b.s[b.used]
	b.used++
	w.goroutine, w.labels = goroutine, l
	return w, s
}

// here is the line of the call, as a goroutine made on the next line is called.
func here(name *string) {
	if *name == "" {
		_, _, line, _ := runtime.Caller(1)
		*name = strconv.Itoa(line + 1)
	}
}

const (
	goroutinesA     = 40
	goroutinesB     = 7
	goroutinesB2    = 3
	goroutinesOuter = 5
	goroutinesInner = 3 // of each
)

var names struct{ a, b, b2, outer, inner, labeled, heir, main string }

func workA(b *book, w *work, s *sinks) {
	w.made = [8]made{doThing(s, 3), doBytes(s)}
	b.done <- w
}

func workB(b *book, w *work, s *sinks) {
	w.made = [8]made{doBox(s), doConcat(s), doThings(s)}
	b.done <- w
}

func workInner(b *book, w *work, s *sinks) {
	w.made = [8]made{doChan(s), doClosure(s), doMap(s)}
	b.done <- w
}

func spawnA(b *book) {
	for i := 0; i < goroutinesA; i++ {
		w, s := b.next(&names.a, nil)
		here(&names.a)
		go workA(b, w, s)
	}
}

// Two statements of one function are two creators.
//
//go:noinline
func spawnB(b *book) {
	for i := 0; i < goroutinesB; i++ {
		w, s := b.next(&names.b, nil)
		here(&names.b)
		go workB(b, w, s)
	}
	for i := 0; i < goroutinesB2; i++ {
		w, s := b.next(&names.b2, nil)
		here(&names.b2)
		go workB(b, w, s)
	}
}

//go:noinline
func spawnInner(b *book) {
	for i := 0; i < goroutinesInner; i++ {
		w, s := b.next(&names.inner, nil)
		here(&names.inner)
		go workInner(b, w, s)
	}
}

// Each waits for the one before it: book.next takes no lock.
func spawnOuter(b *book) {
	turn := make(chan bool, 1)
	for i := 0; i < goroutinesOuter; i++ {
		w, s := b.next(&names.outer, nil)
		here(&names.outer)
		go func() {
			w.made = [8]made{doThing(s, 1)}
			spawnInner(b)
			b.done <- w
			turn <- true
		}()
		<-turn
	}
}

// Values as a program may have them: what is no text stays what it is, but never reaches a terminal.
var labelSets = []labels{
	{"endpoint": "/a", "tenant": "x"},
	{"endpoint": "/a", "tenant": "y"},
	{"endpoint": "/b", "tenant": "x"},
	{"endpoint": "/\x1b[2J\nc", "tenant": "x"},
	{"endpoint": "/nested", "tenant": "x"},
	{"endpoint": "/heir"},
}

const (
	setNested = 4
	setHeir   = 5
)

func do(l labels, f func(context.Context)) {
	pairs := []string{}
	for k, v := range l {
		pairs = append(pairs, k, v)
	}
	pprof.Do(context.Background(), pprof.Labels(pairs...), f)
}

func workLabeled(b *book, w *work, s *sinks, i int) {
	if w.labels == nil {
		w.made[0] = doThing(s, 11)
	} else {
		do(w.labels, func(context.Context) { w.made = [8]made{doThing(s, uint64(i+1)), doMap(s)} })
	}
	b.done <- w
}

// A label within a label.
func workNested(b *book, w *work, s *sinks) {
	pprof.Do(context.Background(), pprof.Labels("endpoint", w.labels["endpoint"]), func(ctx context.Context) {
		pprof.Do(ctx, pprof.Labels("tenant", w.labels["tenant"]), func(context.Context) {
			w.made = [8]made{doBytes(s), doConcat(s)}
		})
	})
	b.done <- w
}

func spawnLabeled(b *book) {
	for i := 0; i < setNested+1; i++ {
		var l labels // the last without
		if i < setNested {
			l = labelSets[i]
		}
		w, s := b.next(&names.labeled, l)
		here(&names.labeled)
		go workLabeled(b, w, s, i)
	}
}

// A goroutine made under labels has them, too.
func spawnHeir(b *book) {
	w, s := b.next(&names.heir, labelSets[setHeir])
	do(w.labels, func(context.Context) {
		here(&names.heir)
		go workA(b, w, s)
	})
}

func workMain(b *book) {
	w, s := b.next(&names.main, nil)
	w.made = [8]made{doThing(s, 2), doMap(s)}
	b.done <- w
	w, s = b.next(&names.main, labelSets[setNested])
	workNested(b, w, s)
}

func run(b *book) {
	spawnA(b)
	spawnB(b)
	spawnOuter(b)
	spawnLabeled(b)
	spawnHeir(b)
	workMain(b)
	for i := 0; i < b.used; i++ {
		<-b.done
	}
}

func newBook(n int) *book {
	b := &book{done: make(chan *work, n), s: make([]sinks, n)}
	for i := 0; i < n; i++ {
		b.works = append(b.works, new(work))
	}
	return b
}

func (l *ledger) add(w *work, m made) {
	key := labels{}
	for k, v := range w.labels {
		key[k] = v
	}
	e := &entry{Site: m.site, Type: m.typ, Goroutine: *w.goroutine, Labels: key, Objects: m.objects, Bytes: m.bytes}
	l.Entries = append(l.Entries, e)
}

// name makes the lines that were noted the names that a report has.
func (l *ledger) name() {
	names.main = "main goroutine"
	for _, c := range []struct {
		name  *string
		fn    string
		n     int
		whole bool
	}{
		{&names.a, "main.spawnA", goroutinesA, true},
		{&names.b, "main.spawnB", goroutinesB, true},
		{&names.b2, "main.spawnB", goroutinesB2, true},
		{&names.inner, "main.spawnInner", goroutinesOuter * goroutinesInner, true},
		{&names.outer, "main.spawnOuter", goroutinesOuter, false},   // they make goroutines
		{&names.labeled, "main.spawnLabeled", setNested + 1, false}, // and these label sets
		{&names.heir, "main.spawnHeir.func1", 1, true},
	} {
		*c.name = strings.TrimSpace(c.fn + " main.go:" + *c.name)
		l.Creators = append(l.Creators, creator{*c.name, c.n, c.whole})
	}
}

func main() {
	debug.SetGCPercent(-1) // a GC assist would allocate in a goroutine's name
	warm := newBook(200)
	run(warm) // what the runtime makes once, and goroutines to be used again
	b := newBook(200)
	runtime.GC()
	talk.Ready()
	talk.AwaitLine()
	run(b)
	talk.Done()
	talk.AwaitLine()

	l := ledger{Go: runtime.Version(), LabelSets: labelSets[:setHeir]}
	l.name()
	for _, w := range b.works[:b.used] {
		for _, m := range w.made {
			if m.site != "" {
				l.add(w, m)
			}
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(&l); err != nil {
		os.Exit(1)
	}
	runtime.KeepAlive(warm)
	runtime.KeepAlive(b)
}
