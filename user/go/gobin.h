/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Go binary as an ELF file: version, moduledata, pclntab. Works on stripped
 * and PIE files, with or without .gopclntab and .go.buildinfo sections.
 */
#ifndef ALLOCSNOOP_GO_GOBIN_H
#define ALLOCSNOOP_GO_GOBIN_H

#include "base/err.h"
#include "go/golayout.h"
#include "go/gopclntab.h"
#include "target/elf.h"

/*
 * What runtime.moduledata (runtime/symtab.go) tells. Its address comes from .go.module (1.26 on),
 * the symbol runtime.firstmoduledata, or a search of the data for a word that points at the pclntab,
 * each checked for plausibility (text < etext, types < etypes, inside segments).
 */
struct go_moduledata {
	uint64_t vaddr; /* of the structure itself; 0: not found */
	uint64_t text, etext; /* runtime.text, runtime.etext */
	uint64_t types, etypes; /* base for nameOff and typeOff */
	uint64_t rodata; /* 0 before 1.18 */
	uint64_t gofunc; /* go:func.*, 0 before 1.18 */
	uint64_t noptrdata, data, bss; /* starts of the variables, in this order: those without pointers, with, zero */
	uint64_t ebss; /* noptrbss follows it, up to: */
	uint64_t enoptrbss;
};

struct gobin;

/*
 * -ENOENT: not a Go program (no message set). Other errors set @err. @elf is borrowed and must outlive it.
 */
int gobin__open(struct elf_file *elf, struct gobin **ret, struct err *err);
void gobin__free(struct gobin *bin);

/*
 * "go1.19.8", "go1.26.10 X:sizespecializedmalloc", or "" when the binary does not say. From its build information or,
 * where that was taken out, from the string that runtime.Version() returns (runtime/proc.go, buildVersion).
 */
const char *gobin__version(const struct gobin *bin);
/* 19 for go1.19.x; from the pclntab's magic when there is no version (then *is_guess). */
int gobin__minor(const struct gobin *bin, bool *is_guess);
/* The runtime's layout; *is_guess when the version is not one that is known. NULL before 1.15. */
const struct go_layout *gobin__layout(const struct gobin *bin, bool *is_guess);
const struct go_moduledata *gobin__moduledata(const struct gobin *bin);
const struct gopclntab *gobin__pclntab(const struct gobin *bin);
/* The section that had it; "" when it was found by its magic. */
const char *gobin__pclntab_section(const struct gobin *bin);

#endif
