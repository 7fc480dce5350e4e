/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Was a file compiled with frame pointers? By a sample of its functions, also of a stripped one. */
#ifndef ALLOCSNOOP_TARGET_ELF_FP_H
#define ALLOCSNOOP_TARGET_ELF_FP_H

#include "target/elf.h"

/*
 * Percent of the functions named by .eh_frame_hdr that set up a frame pointer first thing.
 * -1: not known (no such section, or of another encoding than every linker writes).
 * Source: Linux Standard Base, "Exception Frame Header".
 */
int elf_fp_percent(struct elf_file *elf);

#endif
