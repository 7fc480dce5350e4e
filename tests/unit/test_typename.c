// SPDX-License-Identifier: GPL-2.0-or-later
/* What allocations are called, with stacks as the runtimes of several versions have them. */
#include "sym/typename.h"

#include "test.h"

#define D(...) { __VA_ARGS__ }

static const struct {
	const char *raw;
	const char *doors[8];
	const char *want;
} rows[] = {
	/* new(T), &T{}, closures, what escapes; 1.27 compiles the door itself in */
	{ "main.Node", D("runtime.mallocgc", "runtime.newobject"), "main.Node" },
	{ "main.Node", D("runtime.mallocgcSmallScanNoHeaderSC4"), "main.Node" },
	{ "main.Node", D(NULL), "main.Node" },
	{ "struct { F uintptr; x *int }", D("runtime.newobject"), "struct { F uintptr; x *int }" },
	{ "[5]uint8", D("runtime.newobject"), "[5]uint8" },
	{ "runtime.g", D("runtime.mallocgc", "runtime.newobject", "runtime.malg", "runtime.gcStart", "runtime.mallocgc",
			 "runtime.growslice"), "runtime.g" },
	{ "main.Node", D("runtime.mallocgc", "reflect.unsafe_New"), "main.Node" },
	{ "uint64", D("runtime.mallocgc", "runtime.convT64"), "uint64" },
	{ "string", D("runtime.mallocgc", "runtime.convTstring"), "string" },

	/* slices: the element's type */
	{ "*foo.Bar", D("runtime.mallocgc", "runtime.makeslice"), "[]*foo.Bar" },
	{ "uint8", D("runtime.makeslice"), "[]uint8" },
	{ "[]int", D("runtime.makeslice"), "[][]int" },
	{ "int", D("runtime.makeslice", "runtime.makeslice64"), "[]int" },
	{ "*int", D("runtime.makeslicecopy"), "[]*int" },
	{ NULL, D("runtime.makeslicecopy"), "[slice without pointers]" },
	{ "main.Node", D("runtime.mallocgc", "runtime.growslice"), "[]main.Node" },
	{ NULL, D("runtime.mallocgc", "runtime.growslice"), "[slice without pointers]" },
	{ "string", D("runtime.mallocgc", "runtime.growslice", "reflect.growslice"), "[]string" },
	{ "string", D("runtime.mallocgc", "runtime.newarray", "reflect.unsafe_NewArray"), "[]string" },
	{ "*int", D("runtime.growslice", "runtime.growsliceNoAlias"), "[]*int" },
	{ "*int", D("runtime.growslice", "runtime.growsliceBuf"), "[]*int" },
	{ "*int", D("runtime.moveSlice"), "[]*int" },
	{ NULL, D("runtime.moveSliceNoScan"), "[slice without pointers]" },
	{ "*int", D("runtime.moveSliceNoCap"), "[]*int" },
	{ NULL, D("runtime.moveSliceNoCapNoScan"), "[slice without pointers]" },

	/* maps: 1.15-1.23 */
	{ "map.bucket[string]int", D("runtime.newobject", "runtime.mapassign_faststr"), "map[string]int" },
	{ "map.bucket[string]int", D("runtime.mallocgc", "runtime.newarray", "runtime.makeBucketArray",
				     "runtime.hashGrow", "runtime.mapassign_faststr"), "map[string]int" },
	{ "map.bucket[[2]*main.Node]map[string]bool", D("runtime.newobject", "runtime.(*hmap).newoverflow"),
	  "map[[2]*main.Node]map[string]bool" },
	{ "runtime.hmap", D("runtime.newobject", "runtime.makemap_small"), "runtime.hmap" },
	{ "[]*runtime.bmap", D("runtime.newobject", "runtime.(*hmap).createOverflow"), "[]*runtime.bmap" },
	/* a large key, which has a block of its own */
	{ "[200]uint8", D("runtime.newobject", "runtime.mapassign"), "[200]uint8" },
	/* 1.24 on */
	{ "map.group[string]int", D("runtime.mallocgc", "runtime.newarray", "internal/runtime/maps.newarray",
				    "internal/runtime/maps.newGroups", "internal/runtime/maps.(*table).reset"),
	  "map[string]int" },
	{ "map.group[string]int", D("runtime.newobject", "internal/runtime/maps.newobject"), "map[string]int" },
	{ "maps.Map", D("internal/runtime/maps.NewEmptyMap", "runtime.makemap_small"), "maps.Map" },
	{ "maps.table", D("internal/runtime/maps.newTable", "internal/runtime/maps.(*table).split"), "maps.table" },
	{ "*maps.table", D("runtime.makeslice", "internal/runtime/maps.(*Map).growToTable"), "[]*maps.table" },
	/* nobody's bucket */
	{ "map.bucketful", D("runtime.newobject"), "map.bucketful" },
	{ "map[string]int", D("runtime.makeslice"), "[]map[string]int" },

	/* channels: the header apart from elements with pointers, in one block with others */
	{ "*int", D("runtime.mallocgc", "runtime.makechan"), "chan *int" },
	{ "<-chan int", D("runtime.mallocgc", "runtime.makechan", "reflect.makechan"), "chan (<-chan int)" },
	{ "runtime.hchan", D("runtime.mallocgc", "runtime.newobject", "runtime.makechan"), "runtime.hchan" },
	{ "runtime.hchan", D("runtime.mallocgcSmallScanNoHeaderSC7", "runtime.makechan"), "runtime.hchan" },
	{ NULL, D("runtime.mallocgc", "runtime.makechan", "runtime.makechan64"), "chan" },

	/* no type: strings and bytes */
	{ NULL, D("runtime.mallocgc", "runtime.rawstring", "runtime.rawstringtmp", "runtime.concatstrings",
		  "runtime.concatstring2"), "string" },
	/* a stack without inlined functions */
	{ NULL, D("runtime.concatstrings", "runtime.concatstring3"), "string" },
	{ NULL, D("runtime.mallocgc", "runtime.slicebytetostring"), "string" },
	{ NULL, D("runtime.rawstring", "runtime.rawstringtmp", "runtime.slicerunetostring"), "string" },
	{ NULL, D("runtime.rawstring", "runtime.intstring"), "string" },
	{ NULL, D("runtime.rawstring", "runtime.gostring"), "string" },
	{ NULL, D("runtime.rawbyteslice", "runtime.stringtoslicebyte"), "[]uint8" },
	{ NULL, D("runtime.rawbyteslice", "runtime.concatbytes", "runtime.concatbyte2"), "[]uint8" },
	{ NULL, D("runtime.mallocgc", "internal/bytealg.MakeNoZero"), "[]uint8" },
	{ NULL, D("runtime.gobytes", "runtime._cgo_gobytes"), "[]uint8" },
	{ NULL, D("runtime.rawruneslice", "runtime.stringtoslicerune"), "[]int32" },

	/* the runtime's own */
	{ NULL, D("runtime.itabAdd", "runtime.getitab"), "[table of itabs]" },
	{ NULL, D("runtime.buildTypeAssertCache", "runtime.typeAssert"), "[cache of type assertions]" },
	{ NULL, D("runtime.mallocgc"), "[no pointers]" },
	{ NULL, D(NULL), "[no pointers]" },

	/* made at run time, or of a file that cannot be read */
	{ "", D("runtime.newobject"), "[unknown type]" },
	{ "", D("runtime.makeslice"), "[][unknown type]" },

	/* Names of others only look like doors. */
	{ "int", D("runtime.makeslicer"), "int" },
	{ "int", D("main.makeslice"), "int" },
};

TEST(shown)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char buf[128];
		size_t n = 0;

		while (rows[i].doors[n])
			n++;
		CHECK_STR(typename_shown(rows[i].raw, rows[i].doors, n, buf, sizeof(buf)), rows[i].want);
	}
}

TEST(cut)
{
	const char *doors[] = { "runtime.makeslice" };
	char buf[8];

	CHECK_STR(typename_shown("main.Node", doors, 1, buf, sizeof(buf)), "[]main.");
	CHECK_STR(typename_shown("main.Node", doors, 1, buf, 1), "");
}

TEST_MAIN()
