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
// It stands for the offset of the last field; #bytes behind it for the size, #count for the length of an array.
type field struct {
	name  string
	paths []string
}

var fields = []field{
	{"g_stack_lo", []string{"runtime.g stack lo"}},
	{"g_stack_hi", []string{"runtime.g stack hi"}},
	{"g_stackguard0", []string{"runtime.g stackguard0"}},
	{"g_m", []string{"runtime.g m"}},
	{"g_sched_sp", []string{"runtime.g sched sp"}},
	{"g_sched_pc", []string{"runtime.g sched pc"}},
	{"g_sched_bp", []string{"runtime.g sched bp"}},
	{"g_goid", []string{"runtime.g goid"}},
	{"g_gopc", []string{"runtime.g gopc"}},
	{"g_startpc", []string{"runtime.g startpc"}},
	{"g_labels", []string{"runtime.g labels"}},
	{"g_syscallsp", []string{"runtime.g syscallsp"}},
	{"g_syscallpc", []string{"runtime.g syscallpc"}},
	{"g_syscallbp", []string{"", "runtime.g syscallbp"}},
	{"g_parent_goid", []string{"", "runtime.g parentGoid"}},
	{"g_secret", []string{"", "runtime.g secret"}},
	{"m_g0", []string{"runtime.m g0"}},
	{"m_gsignal", []string{"runtime.m gsignal"}},
	{"m_procid", []string{"runtime.m procid"}},
	{"m_curg", []string{"runtime.m curg"}},
	{"m_p", []string{"runtime.m p"}},
	{"m_id", []string{"runtime.m id"}},
	{"m_mallocing", []string{"runtime.m mallocing"}},
	{"m_locks", []string{"runtime.m locks"}},
	{"p_id", []string{"runtime.p id"}},
	{"p_mcache", []string{"runtime.p mcache"}},
	{"mcache_next_sample", []string{"runtime.mcache nextSample", "runtime.mcache next_sample"}},
	{"mcache_tiny", []string{"runtime.mcache tiny"}},
	{"mcache_tinyoffset", []string{"runtime.mcache tinyoffset"}},
	{"mcache_tiny_allocs", []string{"runtime.mcache tinyAllocs", "runtime.mcache local_tinyallocs"}},
	{"mcache_alloc", []string{"runtime.mcache alloc"}},
	{"mcache_flush_gen", []string{"runtime.mcache flushGen"}},
	{"mheap_sweepgen", []string{"runtime.mheap sweepgen"}},
	{"mspan_start_addr", []string{"runtime.mspan startAddr"}},
	{"mspan_npages", []string{"runtime.mspan npages"}},
	{"mspan_elemsize", []string{"runtime.mspan elemsize"}},
	{"mspan_spanclass", []string{"runtime.mspan spanclass"}},
	{"mspan_freeindex", []string{"runtime.mspan freeindex"}},
	{"mspan_freeindex_bytes", []string{"runtime.mspan freeindex #bytes"}},
	{"mspan_nelems", []string{"runtime.mspan nelems"}},
	{"mspan_nelems_bytes", []string{"runtime.mspan nelems #bytes"}},
	{"mspan_free_index_for_scan", []string{"", "runtime.mspan freeIndexForScan"}},
	{"mspan_free_index_for_scan_bytes", []string{"", "runtime.mspan freeIndexForScan #bytes"}},
	{"mspan_alloc_cache", []string{"runtime.mspan allocCache"}},
	{"mspan_alloc_bits", []string{"runtime.mspan allocBits"}},
	{"mspan_gcmark_bits", []string{"runtime.mspan gcmarkBits"}},
	{"mspan_sweepgen", []string{"runtime.mspan sweepgen"}},
	{"mspan_state", []string{"runtime.mspan state"}},
	{"mspan_specials", []string{"runtime.mspan specials"}},
	{"special_next", []string{"runtime.special next"}},
	{"special_offset", []string{"runtime.special offset"}},
	{"special_offset_bytes", []string{"runtime.special offset #bytes"}},
	{"special_kind", []string{"runtime.special kind"}},
	{"specialprofile_b", []string{"runtime.specialprofile b"}},
	{"bucket_next", []string{"runtime.bucket next"}},
	{"bucket_allnext", []string{"runtime.bucket allnext"}},
	{"bucket_typ", []string{"runtime.bucket typ"}},
	{"bucket_hash", []string{"runtime.bucket hash"}},
	{"bucket_size", []string{"runtime.bucket size"}},
	{"bucket_nstk", []string{"runtime.bucket nstk"}},
	{"bucket_bytes", []string{"runtime.bucket #bytes"}},
	{"memrecord_active", []string{"runtime.memRecord active"}},
	{"memrecord_future", []string{"runtime.memRecord future"}},
	{"memrecord_nfuture", []string{"runtime.memRecord future #count"}},
	{"memcycle_bytes", []string{"runtime.memRecordCycle #bytes"}},
	{"memcycle_allocs", []string{"runtime.memRecordCycle allocs"}},
	{"memcycle_frees", []string{"runtime.memRecordCycle frees"}},
	{"memcycle_alloc_bytes", []string{"", "runtime.memRecordCycle alloc_bytes"}},
	{"memcycle_free_bytes", []string{"", "runtime.memRecordCycle free_bytes"}},
	{"labels_list", []string{"", "runtime/pprof.labelMap LabelSet list", "runtime/pprof.labelMap Set List"}},
	{"hmap_count", []string{"", "runtime.hmap count"}},
	{"hmap_b", []string{"", "runtime.hmap B"}},
	{"hmap_buckets", []string{"", "runtime.hmap buckets"}},
	{"hmap_oldbuckets", []string{"", "runtime.hmap oldbuckets"}},
	{"md_text", []string{"runtime.moduledata text"}},
	{"md_etext", []string{"runtime.moduledata etext"}},
	{"md_noptrdata", []string{"runtime.moduledata noptrdata"}},
	{"md_data", []string{"runtime.moduledata data"}},
	{"md_bss", []string{"runtime.moduledata bss"}},
	{"md_noptrbss", []string{"runtime.moduledata noptrbss"}},
	{"md_types", []string{"runtime.moduledata types"}},
	{"md_etypes", []string{"runtime.moduledata etypes"}},
	{"md_rodata", []string{"", "runtime.moduledata rodata"}},
	{"md_gofunc", []string{"", "runtime.moduledata gofunc"}},
	{"type_size", []string{"runtime._type size", "internal/abi.Type Size_"}},
	{"type_ptrdata", []string{"runtime._type ptrdata", "internal/abi.Type PtrBytes"}},
	{"type_tflag", []string{"runtime._type tflag", "internal/abi.Type TFlag"}},
	{"type_kind", []string{"runtime._type kind", "internal/abi.Type Kind_"}},
	{"type_str", []string{"runtime._type str", "internal/abi.Type Str"}},
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

// The table runtime.class_to_size, as the program holds it.
func readClasses(file *elf.File) ([]uint16, error) {
	syms, err := file.Symbols()
	if err != nil {
		return nil, err
	}
	for _, s := range syms {
		if s.Name != "runtime.class_to_size" && s.Name != "internal/runtime/gc.SizeClassToSize" {
			continue
		}
		section := file.Sections[s.Section]
		table := make([]uint16, s.Size/2)
		b := make([]byte, s.Size)
		if _, err := section.ReadAt(b, int64(s.Value-section.Addr)); err != nil {
			return nil, err
		}
		for i := range table {
			table[i] = binary.LittleEndian.Uint16(b[2*i:])
		}
		return table, nil
	}
	return nil, fmt.Errorf("no table of size classes")
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
		if l.offsets[f.name], err = p.find(f); err != nil {
			return nil, err
		}
	}
	for _, c := range constants {
		l.constants[c.name] = p.constants[c.symbol]
	}
	if l.constants["malloc_header_size"] == 0 { // GOEXPERIMENT=noallocheaders has a header of 0 bytes
		l.constants["min_size_for_malloc_header"] = 0
	}
	l.classes, err = readClasses(file)
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
		if a.offsets[f.name] != b.offsets[f.name] {
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
	return diff
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
