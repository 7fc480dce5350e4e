/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ALLOCSNOOP_CAPTURE_CGO_H
#define ALLOCSNOOP_CAPTURE_CGO_H

#include "bpf/abi.h"
#include "go/gobin.h"

/*
 * How the program @bin in @elf calls C and is called back, into @ret, whose fields of
 * the layout are set; cgocall is the ELF vaddr then. It stays 0 where there is no
 * runtime.cgocall (a program without cgo), or this machine or this code is not known.
 * Sources: runtime/cgocall.go, runtime/asm_amd64.s, Go 1.15 to 1.27.
 */
void cgo_find(const struct gobin *bin, struct elf_file *elf, struct abi_go *ret);

/*
 * Offset from the thread pointer to the variable that holds g, as the instructions in
 * @code load it; false if none of them does.
 */
bool cgo_find_tls_g(struct span code, int32_t *ret);

#endif
