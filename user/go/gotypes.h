/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Go's type descriptors: what the pointer means that an allocation hands to the runtime.
 *
 * They are read from the file: name and size are plain numbers, which no relocation
 * touches, so that a position independent file says the same as its image. Types made at
 * run time (reflect.MapOf, reflect.StructOf) lie on the heap and have no name here.
 * Pure, and keeps nothing: who asks for the same type often remembers the answer.
 *
 * Sources, Go 1.15 to 1.27: type _type (1.21 on internal/abi.Type), name, resolveNameOff in
 * runtime/type.go; cmd/compile/internal/reflectdata/reflect.go (dcommontype, dname).
 */
#ifndef ALLOCSNOOP_GO_GOTYPES_H
#define ALLOCSNOOP_GO_GOTYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "go/gobin.h"
#include "go/golayout.h"
#include "target/elf.h"

#define GO_TYPE_NAME_SIZE 4096 /* with the NUL; a longer name is cut and ends in "..." */

struct go_type {
	/*
	 * As reflect.Type.String() has it: "*bytes.Buffer", "map[string]int". Not empty, no NUL inside;
	 * otherwise bytes of the target as they are, control characters and all: whoever prints cleans.
	 */
	char name[GO_TYPE_NAME_SIZE];
	uint64_t size_bytes;
	bool has_pointers;
	uint8_t kind; /* 1 (bool) to 26 (unsafe.Pointer), as reflect.Kind */
};

/*
 * The type whose descriptor is at ELF @vaddr, of a program with @md (whose types must be known) and @layout.
 * false, and *ret undefined, if it is none of this file's, or makes no sense.
 */
bool go_type_read(const struct elf_file *elf, const struct go_moduledata *md, const struct go_layout *layout,
		  uint64_t vaddr, struct go_type *ret);

#endif
