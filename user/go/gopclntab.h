/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Go's program counter line table: functions, files, lines, inlined calls and
 * stack depths, present in every Go binary also when it is stripped.
 * Pure: works on bytes. All versions from Go 1.2's format to 1.20's magic
 * (Go 1.15 writes 0xfffffffb, 1.16 0xfffffffa, 1.18 0xfffffff0, 1.20 on 0xfffffff1).
 * Sources: Go's runtime/symtab.go, debug/gosym/pclntab.go, internal/abi/symtab.go of each version.
 */
#ifndef ALLOCSNOOP_GO_GOPCLNTAB_H
#define ALLOCSNOOP_GO_GOPCLNTAB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct gopclntab;

struct gopclntab_input {
	struct span bytes; /* of .gopclntab, or from its magic on; borrowed for the table's lifetime */
	uint64_t text_vaddr; /* runtime.text (moduledata.text); 0: take the header's, which must then be there */
	/*
	 * go:func.* (moduledata.gofunc, 1.18 on), where inline trees live; an empty span: no inlined frames.
	 * For 1.15-1.17 funcdata are absolute addresses: @funcdata_vaddr gives the address of the span's first byte.
	 */
	struct span funcdata;
	uint64_t funcdata_vaddr;
	int go_minor; /* 15 for Go 1.15; 0: unknown, take what the magic implies */
};

struct go_func {
	/* Borrowed from the table, e.g. "runtime.mallocgc"; type arguments as they stand there: "[...]" up to 1.20. */
	const char *name;
	uint64_t entry, end; /* ELF vaddr, end exclusive */
	uint32_t index;
};

struct go_frame {
	const char *func; /* borrowed */
	const char *file; /* borrowed, "" if unknown */
	uint32_t line; /* 0 if unknown */
	uint32_t start_line; /* line of the function itself where the version has it, else 0 */
	bool inlined; /* into the next frame */
};

/* 0, -ENOEXEC (not a table, or one that contradicts itself), -ENOMEM. */
int gopclntab__open(const struct gopclntab_input *in, struct gopclntab **ret);
void gopclntab__free(struct gopclntab *tab);

/* Does a table start at @bytes? Checks magic, pad bytes, quantum, pointer size and the first entries. */
bool gopclntab_probe(struct span bytes);

uint32_t gopclntab__nfuncs(const struct gopclntab *tab);
bool gopclntab__func(const struct gopclntab *tab, uint32_t index, struct go_func *ret);
/*
 * By full name; of several (a function and the wrapper by which code of the other calling convention
 * reaches it) the one with the most code.
 */
bool gopclntab__find_name(const struct gopclntab *tab, const char *name, struct go_func *ret);
bool gopclntab__find_pc(const struct gopclntab *tab, uint64_t pc, struct go_func *ret);

/*
 * Frames at @pc, innermost first, inlined ones before the function that holds
 * them; wrapper functions are kept. For a return address pass pc - 1.
 * Number of frames (at most @cap), 0 when @pc is in no function.
 */
int gopclntab__frames(const struct gopclntab *tab, uint64_t pc, struct go_frame *ret, int cap);

/* Bytes between SP and the return address's slot at @pc (0: the return address is at [SP]). */
bool gopclntab__sp_delta(const struct gopclntab *tab, uint64_t pc, int32_t *ret);

#endif
