/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of a module's code for stack walks: its unwind table, and where it keeps frame pointers. No libbpf. */
#ifndef ALLOCSNOOP_CAPTURE_UNWIND_MODULE_H
#define ALLOCSNOOP_CAPTURE_UNWIND_MODULE_H

#include "bpf/abi.h"
#include "go/gomods.h"
#include "target/modules.h"
#include "unwind/ehframe.h"

#define UNWIND_MAX_CHAINS 3

/* Code that needs no table, as ELF vaddrs; ascending. */
struct unwind_chain {
	uint32_t n;
	struct {
		uint64_t start, end;
		uint32_t code; /* ABI_CODE_CHAIN: Go's, which keeps frame pointers; ABI_CODE_FRAME: the way from C into Go */
		uint32_t frame_bytes; /* ABI_CODE_FRAME: from the stack pointer to behind the return address */
	} ranges[UNWIND_MAX_CHAINS];
};

/*
 * The table of @mod; *ret_chain: code that needs no search. -ENOENT: nothing is known of any of its code beyond that.
 * -ENOMEM.
 */
int unwind_module_compile(const struct module *mod, struct gomods *gomods, struct unwind_table *ret,
			  struct unwind_chain *ret_chain);

/* How the kernel knows the file, and where its code is in it. @ret->mod is left alone. */
void unwind_module_file(const struct module *mod, struct abi_file_key *ret_key, struct abi_unwind_file *ret);

#endif
