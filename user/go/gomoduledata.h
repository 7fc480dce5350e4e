/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding runtime.moduledata in a Go binary; part of gobin. */
#ifndef ALLOCSNOOP_GO_GOMODULEDATA_H
#define ALLOCSNOOP_GO_GOMODULEDATA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "go/gobin.h"
#include "target/elf.h"

/* The pointer-sized word at @vaddr as the loader leaves it (less the load bias). */
bool go_read_word(struct elf_file *elf, uint64_t vaddr, uint64_t *ret);

/*
 * The moduledata whose pclntab is @pclntab at @pclntab_vaddr. @minor (0: unknown) says which layout to
 * try first; *ret_minor is the first Go 1.N that has the layout which fits.
 * false: none found. A layout of which only the text is known leaves the rest 0.
 */
bool gomoduledata_find(struct elf_file *elf, struct span pclntab, uint64_t pclntab_vaddr, int minor,
		       struct go_moduledata *ret, int *ret_minor);

#endif
