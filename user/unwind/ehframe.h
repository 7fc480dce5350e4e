/* SPDX-License-Identifier: GPL-2.0-or-later */
/* .eh_frame and .debug_frame of a module, compiled into an unwind table. */
#ifndef ALLOCSNOOP_UNWIND_EHFRAME_H
#define ALLOCSNOOP_UNWIND_EHFRAME_H

#include <stdint.h>

#include "base/span.h"
#include "target/elf.h"
#include "unwind/table.h"

/* Addresses from start to before end; none if they are equal. */
struct ehframe_range {
	uint64_t start, end;
};

struct ehframe_opts {
	/* Go's own code (runtime.text to etext of its pclntab): it keeps frame pointers, whatever is said about it. */
	struct ehframe_range go;
	uint32_t max_rows; /* 0: EHFRAME_MAX_ROWS; a table has one row for each of its pages at least */
};

#define EHFRAME_MAX_ROWS (1u << 22) /* 16 MiB of rows; node and libLLVM 19 have 0.4 and 1 million */

struct ehframe_image {
	struct span eh_frame, debug_frame; /* empty: there is none */
	uint64_t eh_frame_vaddr;
	const struct ehframe_range *code; /* executable segments, ascending and apart from each other */
	uint32_t ncode;
	uint64_t entry_vaddr; /* where a process begins in it; 0: nowhere */
};

/*
 * Compile what @image says into *ret, which is overwritten and belongs to the caller (unwind_table__free()). @opts may
 * be NULL. Code that nothing can be said about is not an error: the table and its stats have the causes. It may
 * have no pages at all. -ENOMEM; -E2BIG: a section of 4 GiB or more.
 */
int ehframe_compile_image(const struct ehframe_image *image, const struct ehframe_opts *opts, struct unwind_table *ret);

/*
 * The same for a file, or for the vdso, written into a memfd. Without section headers .eh_frame is found by its
 * program header. -ENOENT: it has neither section, and @opts no Go code.
 */
int ehframe_compile(struct elf_file *elf, const struct ehframe_opts *opts, struct unwind_table *ret);

#endif
