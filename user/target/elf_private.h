/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by elf.c (headers, contents, addresses) and elf_tables.c (relocations, symbols); see the top of elf.c. */
#ifndef ALLOCSNOOP_TARGET_ELF_PRIVATE_H
#define ALLOCSNOOP_TARGET_ELF_PRIVATE_H

#include <elf.h>

#include "target/elf.h"

struct content {
	uint8_t *buf; /* owned; one NUL behind the end */
	struct span bytes;
	bool tried;
};

struct reloc {
	uint64_t where, addend;
};

struct elf_file {
	int fd;
	char *name;
	uint64_t size_bytes;
	uint64_t budget_bytes; /* what may still be read */
	Elf64_Ehdr ehdr;
	Elf64_Phdr *phdrs;
	uint32_t nphdrs;
	Elf64_Shdr *shdrs;
	uint32_t nshdrs;
	struct content *sections; /* nshdrs, filled when asked for */
	struct content *loads; /* nphdrs, likewise */
	struct span section_names;
	uint8_t build_id[64];
	size_t build_id_len;
	char *interp;

	bool relocs_read;
	struct reloc *relocs; /* ascending */
	size_t nrelocs;
	uint64_t *relr; /* ascending addresses of words that hold their addend themselves */
	size_t nrelr;
};

/* @len bytes at @off, within the file's budget; the caller frees ret->buf. false, *ret untouched, if there are none. */
bool elf_file__read_content(struct elf_file *elf, uint64_t off, uint64_t len, struct content *ret);
/* Contents of section @index, decompressed; kept until elf_file__free(). */
bool elf_file__section_at(struct elf_file *elf, uint32_t index, struct span *ret);

#endif
