// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables of an ELF file: relative relocations and symbols. See elf.c for how bytes are read and bounded. */
#include "target/elf.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "target/elf_private.h"

#define MAX_DYNAMIC_BYTES (1u << 20)
#define MAX_RELOCS (1u << 25)

#if defined(__x86_64__)
#define OUR_RELATIVE R_X86_64_RELATIVE
#elif defined(__aarch64__)
#define OUR_RELATIVE R_AARCH64_RELATIVE
#endif

/* elf.h of older C libraries lacks these. */
#ifndef DT_RELRSZ
#define DT_RELRSZ 35
#define DT_RELR 36
#endif

/* What the dynamic section says about relocations without symbols. */
struct dynamic {
	uint64_t rela, rela_bytes, relr, relr_bytes;
};

static bool read_dynamic(struct elf_file *elf, struct dynamic *ret)
{
	for (uint32_t i = 0; i < elf->nphdrs; i++) {
		const Elf64_Phdr *phdr = &elf->phdrs[i];
		struct content content = { 0 };
		struct dynamic dyn = { 0 };
		Elf64_Dyn entry;

		if (phdr->p_type != PT_DYNAMIC)
			continue;
		if (phdr->p_filesz > MAX_DYNAMIC_BYTES ||
		    !elf_file__read_content(elf, phdr->p_offset, phdr->p_filesz, &content))
			return false;
		for (uint64_t off = 0; span_read(content.bytes, off, &entry, sizeof(entry)); off += sizeof(entry)) {
			if (entry.d_tag == DT_NULL)
				break;
			if (entry.d_tag == DT_RELA)
				dyn.rela = entry.d_un.d_ptr;
			else if (entry.d_tag == DT_RELASZ)
				dyn.rela_bytes = entry.d_un.d_val;
			else if (entry.d_tag == DT_RELR)
				dyn.relr = entry.d_un.d_ptr;
			else if (entry.d_tag == DT_RELRSZ)
				dyn.relr_bytes = entry.d_un.d_val;
		}
		free(content.buf);
		*ret = dyn;
		return true;
	}
	return false;
}

static int by_where(const void *a, const void *b)
{
	const struct reloc *x = a, *y = b;

	return x->where < y->where ? -1 : x->where > y->where;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void collect_rela(struct elf_file *elf, struct span table)
{
	size_t count = table.len / sizeof(Elf64_Rela);

	if (count == 0 || count > MAX_RELOCS)
		return;
	elf->relocs = malloc(count * sizeof(*elf->relocs));
	if (!elf->relocs)
		return;
	for (size_t i = 0; i < count; i++) {
		Elf64_Rela rela;

		if (span_read(table, i * sizeof(rela), &rela, sizeof(rela)) &&
		    ELF64_R_TYPE(rela.r_info) == OUR_RELATIVE)
			elf->relocs[elf->nrelocs++] = (struct reloc){ rela.r_offset, (uint64_t)rela.r_addend };
	}
	qsort(elf->relocs, elf->nrelocs, sizeof(*elf->relocs), by_where);
}

/*
 * SHT_RELR (gABI): an even word is the address of one relocation and the start of
 * a run; an odd one is a bitmap over the 63 words that follow where the run stands.
 */
static void collect_relr(struct elf_file *elf, struct span table)
{
	size_t cap = 0;
	uint64_t run = 0, word;

	for (uint64_t off = 0; span_u64(table, off, &word); off += sizeof(word)) {
		if (elf->nrelr > MAX_RELOCS || vec_reserve((void **)&elf->relr, &cap, elf->nrelr + 64, sizeof(word)))
			break;
		if (!(word & 1)) {
			elf->relr[elf->nrelr++] = word;
			run = word + 8;
			continue;
		}
		for (uint32_t bit = 1; bit < 64; bit++) {
			if (word >> bit & 1)
				elf->relr[elf->nrelr++] = run + (bit - 1) * 8ull;
		}
		run += 63 * 8;
	}
	if (elf->nrelr)
		qsort(elf->relr, elf->nrelr, sizeof(*elf->relr), by_value);
}

static void read_relocs(struct elf_file *elf)
{
	struct content content = { 0 };
	struct dynamic dyn = { 0 };
	struct span section;
	uint64_t off;

	elf->relocs_read = true;
	if (!read_dynamic(elf, &dyn))
		return;
	if (dyn.rela && elf_file__vaddr_to_off(elf, dyn.rela, &off) &&
	    elf_file__read_content(elf, off, dyn.rela_bytes, &content)) {
		collect_rela(elf, content.bytes);
		free(content.buf);
	} else if (elf_file__section(elf, ".rela.dyn", &section, NULL)) {
		collect_rela(elf, section);
	}
	if (dyn.relr && elf_file__vaddr_to_off(elf, dyn.relr, &off) &&
	    elf_file__read_content(elf, off, dyn.relr_bytes, &content)) {
		collect_relr(elf, content.bytes);
		free(content.buf);
	}
}

bool elf_file__relative_reloc(struct elf_file *elf, uint64_t vaddr, uint64_t *ret)
{
	const struct reloc key = { .where = vaddr }, *found = NULL;
	uint64_t word;

	if (!elf->relocs_read)
		read_relocs(elf);
	if (elf->nrelocs)
		found = bsearch(&key, elf->relocs, elf->nrelocs, sizeof(key), by_where);
	if (found) {
		*ret = found->addend;
		return true;
	}
	if (!elf->nrelr || !bsearch(&vaddr, elf->relr, elf->nrelr, sizeof(vaddr), by_value) ||
	    elf_file__read_vaddr(elf, vaddr, &word, sizeof(word)) != sizeof(word))
		return false;
	*ret = word;
	return true;
}

/* Does @sym name an address of this file? */
static bool sym_is_defined(const Elf64_Sym *sym)
{
	switch (ELF64_ST_TYPE(sym->st_info)) {
	case STT_SECTION:
	case STT_FILE:
	case STT_TLS: /* an offset in the thread's block, not an address */
		return false;
	default:
		return sym->st_shndx != SHN_UNDEF && sym->st_shndx != SHN_ABS && sym->st_shndx != SHN_COMMON;
	}
}

static int each_sym_of(struct elf_file *elf, uint32_t index, int (*fn)(void *ctx, const struct elf_sym *sym),
		       void *ctx)
{
	struct span table, names;
	Elf64_Sym raw;

	if (!elf_file__section_at(elf, index, &table) || !elf_file__section_at(elf, elf->shdrs[index].sh_link, &names))
		return 0;
	for (uint64_t off = 0; span_read(table, off, &raw, sizeof(raw)); off += sizeof(raw)) {
		struct elf_sym sym;
		int stop;

		if (!sym_is_defined(&raw) || raw.st_name >= names.len || names.data[raw.st_name] == 0)
			continue;
		sym = (struct elf_sym){
			.name = (const char *)names.data + raw.st_name, /* terminated: see elf.c */
			.vaddr = raw.st_value,
			.size_bytes = raw.st_size,
			.type = ELF64_ST_TYPE(raw.st_info),
			.bind = ELF64_ST_BIND(raw.st_info),
		};
		sym.is_ifunc = sym.type == STT_GNU_IFUNC;
		sym.is_func = sym.type == STT_FUNC || sym.is_ifunc;
		stop = fn(ctx, &sym);
		if (stop)
			return stop;
	}
	return 0;
}

int elf_file__each_sym(struct elf_file *elf, int (*fn)(void *ctx, const struct elf_sym *sym), void *ctx)
{
	static const uint32_t types[] = { SHT_SYMTAB, SHT_DYNSYM };

	for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
		for (uint32_t i = 1; i < elf->nshdrs; i++) {
			int stop;

			if (elf->shdrs[i].sh_type != types[t])
				continue;
			stop = each_sym_of(elf, i, fn, ctx);
			if (stop)
				return stop;
			break; /* gABI: at most one of each */
		}
	}
	return 0;
}
