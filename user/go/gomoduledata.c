// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * runtime.moduledata is what the linker tells the runtime about the image. It has
 * no name in a stripped binary, but its first word points at the pclntab, and the
 * slices that follow point into it at places which the pclntab's header names: a
 * wrong candidate does not survive that.
 *
 * In a position independent file the words are zero and their values stand in the
 * relocations. So the search, which looks at every word of the data, compares what
 * needs no relocation first: a slice's length and capacity are equal and not zero.
 */
#include "go/gomoduledata.h"

#include <string.h>

#define MAX_MODULEDATA_BYTES 384
#define MAX_CANDIDATES 4096

/* Places of words in the structure; 0: does not exist (offset 0 is the pclntab), or not known. */
struct md_layout {
	uint32_t magic; /* of the pclntab that goes with it */
	uint8_t minor; /* first Go 1.N */
	/* slices: where each stands, and which header word has its place in the pclntab (0: the whole) */
	struct {
		uint16_t at, header_word;
	} names, functab;
	uint16_t minpc, text, noptrdata, data, bss, types, etypes, rodata, gofunc;
};

/* Source: type moduledata in runtime/symtab.go of each version; the linker writes it in cmd/link ld/symtab.go. */
static const struct md_layout layouts[] = {
	{ .magic = 0xfffffffb, .minor = 15, .names = { 0, 0 }, .functab = { 0, 0 }, .minpc = 80, .text = 96,
	  .noptrdata = 112, .data = 128, .bss = 144, .types = 200, .etypes = 208 },
	{ .magic = 0xfffffffa, .minor = 16, .names = { 8, 24 }, .functab = { 104, 56 }, .minpc = 160, .text = 176,
	  .noptrdata = 192, .data = 208, .bss = 224, .types = 280, .etypes = 288 },
	{ .magic = 0xfffffff0, .minor = 18, .names = { 8, 32 }, .functab = { 104, 64 }, .minpc = 160, .text = 176,
	  .noptrdata = 192, .data = 208, .bss = 224, .types = 280, .etypes = 288, .rodata = 296, .gofunc = 304 },
	/* covctrs, ecovctrs; 1.26 appends epclntab */
	{ .magic = 0xfffffff1, .minor = 20, .names = { 8, 32 }, .functab = { 104, 64 }, .minpc = 160, .text = 176,
	  .noptrdata = 192, .data = 208, .bss = 224, .types = 296, .etypes = 304, .rodata = 312, .gofunc = 320 },
	/* typedesclen, itaboffset, itabsize */
	{ .magic = 0xfffffff1, .minor = 27, .names = { 8, 32 }, .functab = { 104, 64 }, .minpc = 160, .text = 176,
	  .noptrdata = 192, .data = 208, .bss = 224, .types = 296, .etypes = 312, .rodata = 336, .gofunc = 344 },
	/* Versions to come: the front has been stable since 1.16. */
	{ .magic = 0xfffffff1, .minor = 28, .names = { 8, 32 }, .functab = { 104, 64 }, .minpc = 160, .text = 176,
	  .noptrdata = 192, .data = 208, .bss = 224 },
};

#define NLAYOUTS (sizeof(layouts) / sizeof(layouts[0]))

struct finder {
	struct elf_file *elf;
	struct span pclntab;
	uint64_t pclntab_vaddr;
	uint32_t magic;
	int minor;
	uint32_t candidates;
	struct go_moduledata md;
	int md_minor;
};

/* One candidate's bytes. */
struct words {
	struct elf_file *elf;
	uint64_t vaddr;
	struct span bytes;
};

bool go_read_word(struct elf_file *elf, uint64_t vaddr, uint64_t *ret)
{
	uint64_t word;

	if (elf_file__read_vaddr(elf, vaddr, &word, sizeof(word)) != sizeof(word))
		return false;
	if (!word)
		elf_file__relative_reloc(elf, vaddr, &word);
	*ret = word;
	return true;
}

/* 0 for what is not there, which no check accepts. */
static uint64_t word_at(const struct words *w, uint64_t off)
{
	uint64_t word = 0;

	if (span_u64(w->bytes, off, &word) && !word)
		elf_file__relative_reloc(w->elf, w->vaddr + off, &word);
	return word;
}

static bool in_file(struct elf_file *elf, uint64_t vaddr)
{
	uint64_t off;

	return vaddr && elf_file__vaddr_to_off(elf, vaddr, &off);
}

static bool slice_fits(const struct finder *f, const struct words *w, uint64_t at, uint16_t header_word)
{
	uint64_t place = 0;

	if (header_word && !span_u64(f->pclntab, header_word, &place))
		return false;
	return word_at(w, at) == f->pclntab_vaddr + place && word_at(w, at + 8) &&
	       word_at(w, at + 8) == word_at(w, at + 16);
}

/* What the header says the text starts at: 0 from 1.26 on, and before 1.18. */
static uint64_t header_text(const struct finder *f)
{
	uint64_t text = 0;

	if (f->magic == 0xfffffff0 || f->magic == 0xfffffff1)
		go_read_word(f->elf, f->pclntab_vaddr + 24, &text);
	return text;
}

static bool text_fits(const struct finder *f, const struct words *w, const struct md_layout *l)
{
	uint64_t text = word_at(w, l->text), etext = word_at(w, l->text + 8ull);
	uint64_t minpc = word_at(w, l->minpc), maxpc = word_at(w, l->minpc + 8ull);
	uint64_t header = header_text(f);

	return text && text < etext && elf_file__is_code(f->elf, text) && elf_file__is_code(f->elf, etext - 1) &&
	       text <= minpc && minpc < maxpc && maxpc <= etext && (!header || header == text);
}

static bool rest_fits(const struct finder *f, const struct words *w, const struct md_layout *l)
{
	uint64_t types = word_at(w, l->types), etypes = word_at(w, l->etypes);

	if (l->types && (types >= etypes || !in_file(f->elf, types) || !in_file(f->elf, etypes - 1)))
		return false;
	if (l->rodata && !in_file(f->elf, word_at(w, l->rodata)))
		return false;
	return !l->gofunc || in_file(f->elf, word_at(w, l->gofunc));
}

static bool layout_fits(const struct finder *f, const struct words *w, const struct md_layout *l)
{
	if (l->magic != f->magic || word_at(w, 0) != f->pclntab_vaddr)
		return false;
	return slice_fits(f, w, l->names.at, l->names.header_word) &&
	       slice_fits(f, w, l->functab.at, l->functab.header_word) && text_fits(f, w, l) && rest_fits(f, w, l);
}

static void take(struct finder *f, const struct words *w, const struct md_layout *l)
{
	f->md_minor = l->minor;
	f->md = (struct go_moduledata){
		.vaddr = w->vaddr,
		.text = word_at(w, l->text),
		.etext = word_at(w, l->text + 8ull),
		.types = l->types ? word_at(w, l->types) : 0,
		.etypes = l->etypes ? word_at(w, l->etypes) : 0,
		.rodata = l->rodata ? word_at(w, l->rodata) : 0,
		.gofunc = l->gofunc ? word_at(w, l->gofunc) : 0,
		.noptrdata = word_at(w, l->noptrdata),
		.data = word_at(w, l->data),
		.bss = word_at(w, l->bss),
		.ebss = word_at(w, l->bss + 8ull),
		.enoptrbss = word_at(w, l->bss + 24ull),
	};
}

/* Is it at @vaddr? The layout of the known version first, then the others. */
static bool try_at(struct finder *f, uint64_t vaddr)
{
	const struct md_layout *known = NULL;
	uint8_t buf[MAX_MODULEDATA_BYTES];
	struct words w = { .elf = f->elf, .vaddr = vaddr };
	ssize_t n;

	if (f->candidates++ >= MAX_CANDIDATES)
		return false;
	n = elf_file__read_vaddr(f->elf, vaddr, buf, sizeof(buf));
	if (n <= 0)
		return false;
	w.bytes = (struct span){ buf, (size_t)n };
	for (size_t i = 0; i < NLAYOUTS; i++)
		if (layouts[i].magic == f->magic && f->minor >= layouts[i].minor)
			known = &layouts[i];
	if (known && layout_fits(f, &w, known)) {
		take(f, &w, known);
		return true;
	}
	for (size_t i = 0; i < NLAYOUTS; i++) {
		if (&layouts[i] == known || !layout_fits(f, &w, &layouts[i]))
			continue;
		take(f, &w, &layouts[i]);
		return true;
	}
	return false;
}

/* Length and capacity of the first slice, which need no relocation. 1.15: the slice is the first word itself. */
static bool looks_like_slice(const struct finder *f, struct span bytes, uint64_t off)
{
	uint64_t at = off + (f->magic == 0xfffffffb ? 8 : 16), len, cap;

	return span_u64(bytes, at, &len) && span_u64(bytes, at + 8, &cap) && len && len == cap;
}

static bool search_bytes(struct finder *f, struct span bytes, uint64_t vaddr)
{
	uint64_t word;

	for (uint64_t off = -vaddr & 7; span_u64(bytes, off, &word); off += 8) {
		if (word && word != f->pclntab_vaddr)
			continue;
		if (looks_like_slice(f, bytes, off) && try_at(f, vaddr + off))
			return true;
		if (f->candidates >= MAX_CANDIDATES)
			return false;
	}
	return false;
}

static int search_load(void *ctx, struct span bytes, uint64_t vaddr, uint32_t flags)
{
	(void)flags; /* relocated read-only data may carry any */
	return search_bytes(ctx, bytes, vaddr);
}

static int try_symbol(void *ctx, const struct elf_sym *sym)
{
	struct finder *f = ctx;

	return strcmp(sym->name, "runtime.firstmoduledata") == 0 && try_at(f, sym->vaddr);
}

static bool find(struct finder *f)
{
	static const char *const sections[] = { ".noptrdata", ".data" };
	struct span bytes;
	uint64_t vaddr;

	if (elf_file__section(f->elf, ".go.module", &bytes, &vaddr) && try_at(f, vaddr))
		return true;
	/* Sections before segments: they are a small part of the file. */
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		if (elf_file__section(f->elf, sections[i], &bytes, &vaddr) && search_bytes(f, bytes, vaddr))
			return true;
	return elf_file__each_sym(f->elf, try_symbol, f) > 0 || elf_file__each_load(f->elf, search_load, f) > 0;
}

bool gomoduledata_find(struct elf_file *elf, struct span pclntab, uint64_t pclntab_vaddr, int minor,
		       struct go_moduledata *ret, int *ret_minor)
{
	struct finder f = { .elf = elf, .pclntab = pclntab, .pclntab_vaddr = pclntab_vaddr, .minor = minor };

	if (!span_u32(pclntab, 0, &f.magic) || !find(&f))
		return false;
	*ret = f.md;
	*ret_minor = f.md_minor;
	return true;
}
