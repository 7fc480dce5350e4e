/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An ELF file of the target, read with pread(2) and never mapped: the target
 * may truncate it while we look. Sizes are bounded, offsets checked.
 */
#ifndef ALLOCSNOOP_TARGET_ELF_H
#define ALLOCSNOOP_TARGET_ELF_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/span.h"

struct elf_file;

struct elf_sym {
	const char *name; /* borrowed from the elf_file; bytes of the target, unchecked */
	uint64_t vaddr;
	uint64_t size_bytes; /* may be 0 */
	bool is_func; /* STT_FUNC or STT_GNU_IFUNC (is_ifunc) */
	bool is_ifunc;
	uint8_t type, bind; /* STT_*, STB_* of elf.h */
};

/*
 * Open the file behind @fd (which is then owned by the elf_file, also on
 * failure). @name is used in messages only and copied.
 * -ENOEXEC: not an ELF file, of a class or machine that this build does not
 * handle (the message says which), or its headers contradict themselves.
 */
int elf_file__open(int fd, const char *name, struct elf_file **ret, struct err *err);
void elf_file__free(struct elf_file *elf);

/* For attaching: "/proc/self/fd/N" of this is the file itself, also when it was deleted. */
int elf_file__fd(const struct elf_file *elf);
const char *elf_file__name(const struct elf_file *elf);
uint64_t elf_file__size(const struct elf_file *elf);
bool elf_file__is_pie(const struct elf_file *elf); /* ET_DYN */
uint64_t elf_file__entry(const struct elf_file *elf);

/* GNU build ID, its length in bytes (0: none). */
size_t elf_file__build_id(const struct elf_file *elf, uint8_t ret[static 64]);

/* PT_INTERP, or NULL; lives as long as the file. */
const char *elf_file__interp(const struct elf_file *elf);

/* Between ELF virtual addresses and file offsets, through PT_LOAD; false if it lies in none. */
bool elf_file__vaddr_to_off(const struct elf_file *elf, uint64_t vaddr, uint64_t *ret);
bool elf_file__off_to_vaddr(const struct elf_file *elf, uint64_t off, uint64_t *ret);
/* Is @vaddr inside an executable PT_LOAD? */
bool elf_file__is_code(const struct elf_file *elf, uint64_t vaddr);

/* Where a segment lies. */
struct elf_segment {
	uint64_t vaddr, file_bytes;
	uint32_t flags; /* PF_* */
};
/* The @nth program header of @type (PT_*), from 0; false if there are not so many. Reads nothing. */
bool elf_file__segment(const struct elf_file *elf, uint32_t type, uint32_t nth, struct elf_segment *ret);

/* Up to @len bytes of the file image at @vaddr into @buf; the number read, or -errno. */
ssize_t elf_file__read_vaddr(const struct elf_file *elf, uint64_t vaddr, void *buf, size_t len);

/*
 * Contents of the section @name, decompressed; read once, kept until
 * elf_file__free(). false if there is none, or it lies outside the file, or is
 * larger than 1 GiB. *ret_vaddr (may be NULL) is its address.
 */
bool elf_file__section(struct elf_file *elf, const char *name, struct span *ret,
		       uint64_t *ret_vaddr);
/* Is there one with contents? Reads nothing. */
bool elf_file__has_section(const struct elf_file *elf, const char *name);

/*
 * All PT_LOAD segments that hold data, for searches without sections.
 * Calls @fn with the segment's file bytes, its address and its PF_* flags until it
 * returns non-zero, and returns that. The bytes live until elf_file__free().
 */
int elf_file__each_load(struct elf_file *elf,
			int (*fn)(void *ctx, struct span bytes, uint64_t vaddr, uint32_t flags),
			void *ctx);

/*
 * Relative relocations (R_X86_64_RELATIVE, R_AARCH64_RELATIVE) give pointers in a
 * PIE's data. The addend for the word at @vaddr, or false if there is none.
 */
bool elf_file__relative_reloc(struct elf_file *elf, uint64_t vaddr, uint64_t *ret);

/*
 * Defined symbols of .symtab and .dynsym (both, .symtab first; a name may come
 * twice). Calls @fn until it returns non-zero, and returns that.
 */
int elf_file__each_sym(struct elf_file *elf, int (*fn)(void *ctx, const struct elf_sym *sym),
		       void *ctx);

#endif
