// SPDX-License-Identifier: GPL-2.0-or-later
#include "sym/typename.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SLICE "[]", "[slice without pointers]"
#define CHAN "chan ", "chan" /* without pointers the header and the elements are one block */
#define STRING "", "string"
#define BYTES "", "[]uint8"
#define RUNES "", "[]int32"

/*
 * Who hands the allocator an element's type, or none. Most call mallocgc themselves; their callers stand here
 * too, for tables without inlined functions.
 * Sources, Go 1.15 to 1.27: the callers of mallocgc in runtime/{slice,string,chan,malloc,iface,mfinal}.go.
 */
static const struct door {
	const char *func;
	const char *before; /* the type's name */
	const char *untyped; /* when there is no type */
} known_doors[] = {
	{ "runtime.makeslice", SLICE },
	{ "runtime.makeslice64", SLICE },
	{ "runtime.makeslicecopy", SLICE },
	{ "runtime.growslice", SLICE },
	{ "runtime.newarray", SLICE },
	{ "reflect.unsafe_NewArray", SLICE },
	{ "reflect.growslice", SLICE }, /* 1.20 on */
	{ "runtime.growsliceBuf", SLICE }, /* this and the rest of them: 1.26 on */
	{ "runtime.growsliceNoAlias", SLICE },
	{ "runtime.moveSlice", SLICE },
	{ "runtime.moveSliceNoScan", SLICE },
	{ "runtime.moveSliceNoCap", SLICE },
	{ "runtime.moveSliceNoCapNoScan", SLICE },

	{ "runtime.makechan", CHAN },
	{ "runtime.makechan64", CHAN },
	{ "reflect.makechan", CHAN },

	{ "runtime.rawstring", STRING },
	{ "runtime.rawstringtmp", STRING },
	{ "runtime.slicebytetostring", STRING },
	{ "runtime.slicerunetostring", STRING },
	{ "runtime.concatstrings", STRING },
	{ "runtime.intstring", STRING },
	{ "runtime.gostring", STRING },
	{ "runtime.gostringn", STRING },

	{ "runtime.rawbyteslice", BYTES },
	{ "runtime.stringtoslicebyte", BYTES },
	{ "runtime.concatbytes", BYTES }, /* 1.24 on */
	{ "runtime.gobytes", BYTES },
	{ "internal/bytealg.MakeNoZero", BYTES }, /* 1.21 on: strings.Builder */
	{ "runtime.rawruneslice", RUNES },
	{ "runtime.stringtoslicerune", RUNES },

	{ "runtime.itabAdd", "", "[table of itabs]" },
	{ "runtime.buildTypeAssertCache", "", "[cache of type assertions]" }, /* 1.22 on */
	{ "runtime.buildInterfaceSwitchCache", "", "[cache of type switches]" }, /* 1.22 on */
	{ "runtime.runfinq", "", "[arguments of a finalizer]" },
	{ "runtime.runFinalizers", "", "[arguments of a finalizer]" }, /* 1.25 on */
};

/*
 * The door is who called the allocator. Whoever is further out did not: a goroutine that the GC starts in the
 * middle of growslice is no slice.
 */
static const struct door *find_door(const char *const *doors, size_t ndoors)
{
	size_t i = 0;

	while (i < ndoors && strncmp(doors[i], "runtime.mallocgc", 16) == 0)
		i++;
	for (size_t k = 0; i < ndoors && k < sizeof(known_doors) / sizeof(known_doors[0]); k++) {
		if (strcmp(doors[i], known_doors[k].func) == 0)
			return &known_doors[k];
	}
	return NULL;
}

/* "[string]int" of a map's bucket (up to 1.23) or group (1.24 on), types that no source has; or NULL. */
static const char *map_inside(const char *raw)
{
	static const char *const parts[] = { "map.bucket", "map.group" };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		size_t len = strlen(parts[i]);

		if (strncmp(raw, parts[i], len) == 0 && raw[len] == '[')
			return raw + len;
	}
	return NULL;
}

const char *typename_shown(const char *raw, const char *const *doors, size_t ndoors, char *buf, size_t size)
{
	const struct door *door = find_door(doors, ndoors);
	const char *map = raw ? map_inside(raw) : NULL, *before = door ? door->before : "";
	bool parens;

	if (!raw) {
		snprintf(buf, size, "%s", door ? door->untyped : "[no pointers]");
		return buf;
	}
	if (map) {
		snprintf(buf, size, "map%s", map);
		return buf;
	}
	/* The channel itself, which comes through the same door as its elements. */
	if (strcmp(raw, "runtime.hchan") == 0)
		before = "";
	/* As Go writes it: "chan (<-chan int)". */
	parens = strcmp(before, "chan ") == 0 && strncmp(raw, "<-", 2) == 0;
	snprintf(buf, size, "%s%s%s%s", before, parens ? "(" : "", *raw ? raw : "[unknown type]", parens ? ")" : "");
	return buf;
}
