// SPDX-License-Identifier: GPL-2.0-or-later

// Golayout writes user/go/golayout_table.c: where the Go runtime of each version keeps
// what the probes read, out of the DWARF of programs built by that version.
//
//	golayout DERIVED PROGRAM... > golayout_table.c
//
// A PROGRAM is MINOR:EXPERIMENT:FILE; two of the same minor and experiment (for
// amd64 and arm64) must agree. DERIVED lists versions for which there is no
// toolchain: see derived.txt.
package main

import (
	"bufio"
	"debug/dwarf"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"
)

const none = 0xffff // GO_NO_FIELD

// A member of struct go_layout: the first of the paths that exists.
// A path is the type, then the fields inside each other; an empty one allows that there is none.
// It stands for the offset of the last field; #bytes behind it for the size, #count for the length of an array,
// -field for how far behind that field of the type it is.
type field struct {
	name  string
	paths []string
	arch  elf.Machine // not 0: of programs for this architecture alone
}

var fields = []field{
	{"g_stack_lo", []string{"runtime.g stack lo"}, 0},
	{"g_stack_hi", []string{"runtime.g stack hi"}, 0},
	{"g_stackguard0", []string{"runtime.g stackguard0"}, 0},
	{"g_m", []string{"runtime.g m"}, 0},
	{"g_sched_sp", []string{"runtime.g sched sp"}, 0},
	{"g_sched_pc", []string{"runtime.g sched pc"}, 0},
	{"g_sched_bp", []string{"runtime.g sched bp"}, 0},
	{"g_goid", []string{"runtime.g goid"}, 0},
	{"g_gopc", []string{"runtime.g gopc"}, 0},
	{"g_startpc", []string{"runtime.g startpc"}, 0},
	{"g_labels", []string{"runtime.g labels"}, 0},
	{"g_syscallsp", []string{"runtime.g syscallsp"}, 0},
	{"g_syscallpc", []string{"runtime.g syscallpc"}, 0},
	{"g_syscallbp", []string{"", "runtime.g syscallbp"}, 0},
	{"g_parent_goid", []string{"", "runtime.g parentGoid"}, 0},
	{"g_secret", []string{"", "runtime.g secret"}, 0},
	{"m_g0", []string{"runtime.m g0"}, 0},
	{"m_gsignal", []string{"runtime.m gsignal"}, 0},
	{"m_procid", []string{"runtime.m procid"}, 0},
	{"m_curg", []string{"runtime.m curg"}, 0},
	{"m_p", []string{"runtime.m p"}, 0},
	{"m_id", []string{"runtime.m id"}, 0},
	{"m_mallocing", []string{"runtime.m mallocing"}, 0},
	{"m_locks", []string{"runtime.m locks"}, 0},
	{"p_id", []string{"runtime.p id"}, 0},
	{"p_mcache", []string{"runtime.p mcache"}, 0},
	{"mcache_next_sample", []string{"runtime.mcache nextSample", "runtime.mcache next_sample"}, 0},
	{"mcache_tiny", []string{"runtime.mcache tiny"}, 0},
	{"mcache_tinyoffset", []string{"runtime.mcache tinyoffset"}, 0},
	{"mcache_tiny_allocs", []string{"runtime.mcache tinyAllocs", "runtime.mcache local_tinyallocs"}, 0},
	{"mcache_alloc", []string{"runtime.mcache alloc"}, 0},
	{"mcache_flush_gen", []string{"runtime.mcache flushGen"}, 0},
	{"mheap_sweepgen", []string{"runtime.mheap sweepgen"}, 0},
	{"mheap_pages_in_use", []string{"runtime.mheap pagesInUse"}, 0},
	{"mheap_arenas_amd64", []string{"runtime.mheap heapArenas", "runtime.mheap allArenas"}, elf.EM_X86_64},
	{"mheap_arenas_arm64", []string{"runtime.mheap heapArenas", "runtime.mheap allArenas"}, elf.EM_AARCH64},
	{"mheap_arena_map", []string{"runtime.mheap arenas"}, 0},
	{"heap_arena_spans", []string{"runtime.heapArena spans"}, 0},
	{"mheap_caches_behind_spans", []string{"runtime.mheap cachealloc -spanalloc"}, 0},
	{"fixalloc_bytes", []string{"runtime.fixalloc #bytes"}, 0},
	{"fixalloc_size", []string{"runtime.fixalloc size"}, 0},
	{"fixalloc_arg", []string{"runtime.fixalloc arg"}, 0},
	{"fixalloc_inuse", []string{"runtime.fixalloc inuse"}, 0},
	{"fixalloc_stat", []string{"runtime.fixalloc stat"}, 0},
	{"memstats_heap_inuse", []string{"", "runtime.mstats heap_inuse"}, 0},
	{"memstats_heap_idle", []string{"", "runtime.mstats heap_idle"}, 0},
	{"memstats_heap_released", []string{"", "runtime.mstats heap_released"}, 0},
	{"memstats_heap_live", []string{"", "runtime.mstats heap_live"}, 0},
	{"memstats_stacks_inuse", []string{"", "runtime.mstats stacks_inuse"}, 0},
	{"memstats_stacks_sys", []string{"runtime.mstats stacks_sys"}, 0},
	{"memstats_mspan_sys", []string{"runtime.mstats mspan_sys"}, 0},
	{"memstats_mcache_sys", []string{"runtime.mstats mcache_sys"}, 0},
	{"memstats_buckhash_sys", []string{"runtime.mstats buckhash_sys"}, 0},
	{"memstats_gc_sys", []string{"runtime.mstats gcMiscSys", "runtime.mstats gc_sys"}, 0},
	{"memstats_other_sys", []string{"runtime.mstats other_sys"}, 0},
	{"memstats_deltas", []string{"", "runtime.mstats heapStats stats"}, 0},
	{"memstats_ndeltas", []string{"", "runtime.mstats heapStats stats #count"}, 0},
	{"delta_bytes", []string{"", "runtime.heapStatsDelta #bytes"}, 0},
	{"delta_committed", []string{"", "runtime.heapStatsDelta committed"}, 0},
	{"delta_released", []string{"", "runtime.heapStatsDelta released"}, 0},
	{"delta_in_heap", []string{"", "runtime.heapStatsDelta inHeap"}, 0},
	{"delta_in_stacks", []string{"", "runtime.heapStatsDelta inStacks"}, 0},
	{"delta_in_work_bufs", []string{"", "runtime.heapStatsDelta inWorkBufs"}, 0},
	{"delta_in_scalar_bits", []string{"", "runtime.heapStatsDelta inPtrScalarBits"}, 0},
	{"delta_large_alloc", []string{"", "runtime.heapStatsDelta largeAlloc"}, 0},
	{"delta_large_free", []string{"", "runtime.heapStatsDelta largeFree"}, 0},
	{"delta_small_alloc_count", []string{"", "runtime.heapStatsDelta smallAllocCount"}, 0},
	{"delta_small_free_count", []string{"", "runtime.heapStatsDelta smallFreeCount"}, 0},
	{"mspan_start_addr", []string{"runtime.mspan startAddr"}, 0},
	{"mspan_npages", []string{"runtime.mspan npages"}, 0},
	{"mspan_elemsize", []string{"runtime.mspan elemsize"}, 0},
	{"mspan_spanclass", []string{"runtime.mspan spanclass"}, 0},
	{"mspan_freeindex", []string{"runtime.mspan freeindex"}, 0},
	{"mspan_freeindex_bytes", []string{"runtime.mspan freeindex #bytes"}, 0},
	{"mspan_nelems", []string{"runtime.mspan nelems"}, 0},
	{"mspan_nelems_bytes", []string{"runtime.mspan nelems #bytes"}, 0},
	{"mspan_free_index_for_scan", []string{"", "runtime.mspan freeIndexForScan"}, 0},
	{"mspan_free_index_for_scan_bytes", []string{"", "runtime.mspan freeIndexForScan #bytes"}, 0},
	{"mspan_alloc_cache", []string{"runtime.mspan allocCache"}, 0},
	{"mspan_alloc_bits", []string{"runtime.mspan allocBits"}, 0},
	{"mspan_gcmark_bits", []string{"runtime.mspan gcmarkBits"}, 0},
	{"mspan_sweepgen", []string{"runtime.mspan sweepgen"}, 0},
	{"mspan_state", []string{"runtime.mspan state"}, 0},
	{"mspan_specials", []string{"runtime.mspan specials"}, 0},
	{"special_next", []string{"runtime.special next"}, 0},
	{"special_offset", []string{"runtime.special offset"}, 0},
	{"special_offset_bytes", []string{"runtime.special offset #bytes"}, 0},
	{"special_kind", []string{"runtime.special kind"}, 0},
	{"specialprofile_b", []string{"runtime.specialprofile b"}, 0},
	{"bucket_next", []string{"runtime.bucket next"}, 0},
	{"bucket_allnext", []string{"runtime.bucket allnext"}, 0},
	{"bucket_typ", []string{"runtime.bucket typ"}, 0},
	{"bucket_hash", []string{"runtime.bucket hash"}, 0},
	{"bucket_size", []string{"runtime.bucket size"}, 0},
	{"bucket_nstk", []string{"runtime.bucket nstk"}, 0},
	{"bucket_bytes", []string{"runtime.bucket #bytes"}, 0},
	{"memrecord_active", []string{"runtime.memRecord active"}, 0},
	{"memrecord_future", []string{"runtime.memRecord future"}, 0},
	{"memrecord_nfuture", []string{"runtime.memRecord future #count"}, 0},
	{"memcycle_bytes", []string{"runtime.memRecordCycle #bytes"}, 0},
	{"memcycle_allocs", []string{"runtime.memRecordCycle allocs"}, 0},
	{"memcycle_frees", []string{"runtime.memRecordCycle frees"}, 0},
	{"memcycle_alloc_bytes", []string{"", "runtime.memRecordCycle alloc_bytes"}, 0},
	{"memcycle_free_bytes", []string{"", "runtime.memRecordCycle free_bytes"}, 0},
	{"labels_list", []string{"", "runtime/pprof.labelMap LabelSet list", "runtime/pprof.labelMap Set List"}, 0},
	{"hmap_count", []string{"", "runtime.hmap count"}, 0},
	{"hmap_b", []string{"", "runtime.hmap B"}, 0},
	{"hmap_buckets", []string{"", "runtime.hmap buckets"}, 0},
	{"hmap_oldbuckets", []string{"", "runtime.hmap oldbuckets"}, 0},
	{"md_text", []string{"runtime.moduledata text"}, 0},
	{"md_etext", []string{"runtime.moduledata etext"}, 0},
	{"md_noptrdata", []string{"runtime.moduledata noptrdata"}, 0},
	{"md_data", []string{"runtime.moduledata data"}, 0},
	{"md_bss", []string{"runtime.moduledata bss"}, 0},
	{"md_noptrbss", []string{"runtime.moduledata noptrbss"}, 0},
	{"md_types", []string{"runtime.moduledata types"}, 0},
	{"md_etypes", []string{"runtime.moduledata etypes"}, 0},
	{"md_rodata", []string{"", "runtime.moduledata rodata"}, 0},
	{"md_gofunc", []string{"", "runtime.moduledata gofunc"}, 0},
	{"type_size", []string{"runtime._type size", "internal/abi.Type Size_"}, 0},
	{"type_ptrdata", []string{"runtime._type ptrdata", "internal/abi.Type PtrBytes"}, 0},
	{"type_tflag", []string{"runtime._type tflag", "internal/abi.Type TFlag"}, 0},
	{"type_kind", []string{"runtime._type kind", "internal/abi.Type Kind_"}, 0},
	{"type_str", []string{"runtime._type str", "internal/abi.Type Str"}, 0},
}

// Constants of the allocator and its profiler; a missing one is 0.
var constants = []struct{ name, symbol string }{
	{"tiny_size", "runtime.maxTinySize"},
	{"max_small_size", "runtime.maxSmallSize"},
	{"malloc_header_size", "runtime.mallocHeaderSize"},
	{"min_size_for_malloc_header", "runtime.minSizeForMallocHeader"},
	{"mspan_in_use", "runtime.mSpanInUse"},
	{"special_kind_profile", "runtime._KindSpecialProfile"},
}

type layout struct {
	minor      int
	experiment string
	derived    bool
	offsets    map[string]int
	constants  map[string]uint64
	classes    []uint16
	// Of the spans that a P caches at most: one of each class with pointers and one without.
	cacheBytes int
}

// program is what the DWARF of one file says.
type program struct {
	structs   map[string]*dwarf.StructType
	constants map[string]uint64
}

func readProgram(file *elf.File) (*program, error) {
	d, err := file.DWARF()
	if err != nil {
		return nil, err
	}
	p := &program{map[string]*dwarf.StructType{}, map[string]uint64{}}
	for r := d.Reader(); ; {
		e, err := r.Next()
		if err != nil {
			return nil, err
		}
		if e == nil {
			return p, nil
		}
		name, _ := e.Val(dwarf.AttrName).(string)
		switch e.Tag {
		case dwarf.TagStructType:
			if !wanted(name) {
				continue
			}
			t, err := d.Type(e.Offset)
			if err != nil {
				return nil, err
			}
			if s, ok := t.(*dwarf.StructType); ok {
				p.structs[name] = s
			}
		case dwarf.TagConstant:
			if v, ok := e.Val(dwarf.AttrConstValue).(int64); ok {
				p.constants[name] = uint64(v)
			}
		}
	}
}

func wanted(name string) bool {
	for _, f := range fields {
		for _, path := range f.paths {
			if path != "" && strings.Fields(path)[0] == name {
				return true
			}
		}
	}
	return false
}

func structOf(t dwarf.Type) *dwarf.StructType {
	for {
		switch u := t.(type) {
		case *dwarf.TypedefType:
			t = u.Type
		case *dwarf.StructType:
			return u
		default:
			return nil
		}
	}
}

// value of a path, -1 if this version has no such field.
func (p *program) value(path string) int {
	words := strings.Fields(path)
	s, off := p.structs[words[0]], 0
	if s == nil {
		return -1
	}
	var t dwarf.Type = s
	for _, word := range words[1:] {
		switch word {
		case "#bytes":
			return int(t.Size())
		case "#count":
			return arrayLength(t)
		}
		if strings.HasPrefix(word, "-") {
			return off - p.value(words[0]+" "+word[1:])
		}
		var found *dwarf.StructField
		for _, f := range fieldsOf(s) {
			if f.Name == word {
				found = f
			}
		}
		if found == nil {
			return -1
		}
		off += int(found.ByteOffset)
		t = found.Type
		s = structOf(t)
	}
	return off
}

func arrayLength(t dwarf.Type) int {
	if a, ok := t.(*dwarf.ArrayType); ok {
		return int(a.Count)
	}
	return -1
}

func fieldsOf(s *dwarf.StructType) []*dwarf.StructField {
	if s == nil {
		return nil
	}
	return s.Field
}

func (p *program) find(f field) (int, error) {
	optional := false
	for _, path := range f.paths {
		if path == "" {
			optional = true
		} else if v := p.value(path); v >= 0 {
			return v, nil
		}
	}
	if optional {
		return none, nil
	}
	return 0, fmt.Errorf("no field %s (%q)", f.name, f.paths)
}

// The bytes of the variable of one of these names, as the program holds it.
func readVariable(file *elf.File, names ...string) ([]byte, error) {
	syms, err := file.Symbols()
	if err != nil {
		return nil, err
	}
	for _, s := range syms {
		for _, name := range names {
			if s.Name != name {
				continue
			}
			section := file.Sections[s.Section]
			b := make([]byte, s.Size)
			_, err := section.ReadAt(b, int64(s.Value-section.Addr))
			return b, err
		}
	}
	return nil, fmt.Errorf("no variable %q", names)
}

func readClasses(file *elf.File) ([]uint16, error) {
	b, err := readVariable(file, "runtime.class_to_size", "internal/runtime/gc.SizeClassToSize")
	table := make([]uint16, len(b)/2)
	for i := range table {
		table[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return table, err
}

func readCacheBytes(file *elf.File) (int, error) {
	pages, err := readVariable(file, "runtime.class_to_allocnpages", "internal/runtime/gc.SizeClassToNPages")
	sum := 0
	for _, n := range pages {
		sum += int(n)
	}
	return 2 * sum * 8192, err
}

func readLayout(minor int, experiment, path string) (*layout, error) {
	file, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	p, err := readProgram(file)
	if err != nil {
		return nil, err
	}
	l := &layout{minor: minor, experiment: experiment, offsets: map[string]int{}, constants: map[string]uint64{}}
	for _, f := range fields {
		if f.arch != 0 && f.arch != file.Machine {
			l.offsets[f.name] = none
		} else if l.offsets[f.name], err = p.find(f); err != nil {
			return nil, err
		}
	}
	for _, c := range constants {
		l.constants[c.name] = p.constants[c.symbol]
	}
	if l.constants["malloc_header_size"] == 0 { // GOEXPERIMENT=noallocheaders has a header of 0 bytes
		l.constants["min_size_for_malloc_header"] = 0
	}
	if l.classes, err = readClasses(file); err != nil {
		return nil, err
	}
	l.cacheBytes, err = readCacheBytes(file)
	return l, err
}

// readDerived adds the versions of derived.txt, each a copy of another one with some values changed.
func readDerived(path string, have []*layout) ([]*layout, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var cur *layout
	in := bufio.NewScanner(file)
	for number := 1; in.Scan(); number++ {
		words := strings.Fields(strings.SplitN(in.Text(), "#", 2)[0])
		if len(words) == 0 {
			continue
		}
		bad := fmt.Errorf("%s:%d: not understood", path, number)
		if words[0] == "version" && len(words) == 4 && words[2] == "like" {
			minor, err1 := strconv.Atoi(words[1])
			like, err2 := strconv.Atoi(words[3])
			if cur = copyOf(find(have, like, "")); cur == nil || err1 != nil || err2 != nil {
				return nil, bad
			}
			if find(have, minor, "") != nil {
				return nil, fmt.Errorf("%s:%d: version %d was measured, it need not be derived", path, number, minor)
			}
			cur.minor, cur.derived = minor, true
			have = append(have, cur)
			continue
		}
		if cur == nil || len(words) != 2 {
			return nil, bad
		}
		value, err := strconv.Atoi(words[1])
		if words[1] == "none" {
			value, err = none, nil
		}
		if _, ok := cur.offsets[words[0]]; !ok || err != nil {
			return nil, bad
		}
		cur.offsets[words[0]] = value
	}
	return have, in.Err()
}

func find(all []*layout, minor int, experiment string) *layout {
	for _, l := range all {
		if l.minor == minor && l.experiment == experiment {
			return l
		}
	}
	return nil
}

func copyOf(l *layout) *layout {
	if l == nil {
		return nil
	}
	c := *l
	c.offsets = map[string]int{}
	for k, v := range l.offsets {
		c.offsets[k] = v
	}
	return &c
}

// compare names what differs between two layouts.
func compare(a, b *layout) []string {
	var diff []string
	for _, f := range fields {
		one := f.arch != 0 && (a.offsets[f.name] == none || b.offsets[f.name] == none)
		if a.offsets[f.name] != b.offsets[f.name] && !one {
			diff = append(diff, fmt.Sprintf("%s %d %d", f.name, a.offsets[f.name], b.offsets[f.name]))
		}
	}
	for _, c := range constants {
		if a.constants[c.name] != b.constants[c.name] {
			diff = append(diff, fmt.Sprintf("%s %d %d", c.name, a.constants[c.name], b.constants[c.name]))
		}
	}
	if !reflect.DeepEqual(a.classes, b.classes) {
		diff = append(diff, "size classes")
	}
	if a.cacheBytes != b.cacheBytes {
		diff = append(diff, "spans of a cache")
	}
	return diff
}

// addArch takes what only programs for the architecture of another one tell.
func (l *layout) addArch(other *layout) {
	for _, f := range fields {
		if f.arch != 0 && l.offsets[f.name] == none {
			l.offsets[f.name] = other.offsets[f.name]
		}
	}
}

func readAll(args []string) []*layout {
	var all []*layout
	for _, arg := range args {
		words := strings.SplitN(arg, ":", 3)
		if len(words) != 3 {
			log.Fatalf("not MINOR:EXPERIMENT:FILE: %s", arg)
		}
		minor, err := strconv.Atoi(words[0])
		if err != nil {
			log.Fatal(err)
		}
		l, err := readLayout(minor, words[1], words[2])
		if err != nil {
			log.Fatalf("%s: %v", arg, err)
		}
		if other := find(all, minor, words[1]); other == nil {
			all = append(all, l)
		} else if diff := compare(other, l); diff != nil {
			log.Fatalf("%s: architectures differ: %v", arg, diff)
		} else {
			other.addArch(l)
		}
	}
	return all
}

// An experiment that changes nothing needs no row.
func dropSame(all []*layout) []*layout {
	var kept []*layout
	for _, l := range all {
		if base := find(all, l.minor, ""); l.experiment == "" || base == nil || compare(base, l) != nil {
			kept = append(kept, l)
		}
	}
	return kept
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("golayout: ")
	if len(os.Args) < 3 {
		log.Fatal("usage: golayout DERIVED MINOR:EXPERIMENT:FILE...")
	}
	all, err := readDerived(os.Args[1], dropSame(readAll(os.Args[2:])))
	if err != nil {
		log.Fatal(err)
	}
	sort.SliceStable(all, func(i, j int) bool {
		if all[i].minor != all[j].minor {
			return all[i].minor < all[j].minor
		}
		return all[i].experiment < all[j].experiment
	})
	out := bufio.NewWriter(os.Stdout)
	writeC(out, all)
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}
