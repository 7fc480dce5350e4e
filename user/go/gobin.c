// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From an ELF file to its Go tables: is it Go, which version, where is the pclntab,
 * which moduledata belongs to it, and where do inline trees lie.
 *
 * A table is taken only together with its moduledata or, failing that, with the
 * text start in its header: probes are placed relative to it, and a guess such as
 * the start of .text is wrong in externally linked programs, where it would put a
 * breakpoint into the middle of an instruction.
 *
 * Files without section headers are searched: the pclntab by its magic, at every
 * place it may be aligned to. A binary can hold other binaries as data, so a table
 * with a moduledata wins over one without.
 *
 * Up to 1.17 the pclntab holds addresses; in a PIE they are zero in the file. Then
 * the table is copied and relocated, which is the only time it is copied.
 */
#include "go/gobin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "go/gomoduledata.h"

#define BUILDINFO_MAGIC "\xff Go buildinf:"
#define BUILDINFO_MAGIC_LEN 14
#define BUILDINFO_HEADER_LEN 32
#define BUILDINFO_ALIGN 16
#define BUILDINFO_INLINE 2 /* flag: strings follow instead of pointers to them */
#define PCLNTAB_ALIGN 8
#define MAX_TABLES 8 /* places that look like a table and are not */
#define MAX_STRINGS (1u << 20) /* read in the search for one that names a version */

struct gobin {
	struct elf_file *elf;
	char version[128];
	int minor;
	bool minor_is_guess;
	struct go_moduledata md;
	struct gopclntab *tab;
	const char *tab_section;
	uint8_t *relocated; /* own copy of the table's bytes, or NULL */
};

/* Part of the image. */
struct place {
	struct span bytes;
	uint64_t vaddr;
};

static bool span_magic(struct span s, uint64_t off, const char *magic, size_t len)
{
	return span_has(s, off, len) && memcmp(s.data + off, magic, len) == 0;
}

/* Keeps what can be printed. An empty one is no version. */
static bool set_version(struct gobin *bin, const uint8_t *text, uint64_t len)
{
	const char *at;

	if (!len || len >= sizeof(bin->version))
		return false;
	for (uint64_t i = 0; i < len; i++)
		bin->version[i] = text[i] >= 0x20 && text[i] < 0x7f ? (char)text[i] : '?';
	bin->version[len] = '\0';
	/* "go1.19.8", "devel go1.27-0a1b2c3 Thu Jan 1 ..." */
	at = strstr(bin->version, "go1.");
	if (at)
		bin->minor = (int)strtoul(at + 4, NULL, 10) & 0xffff;
	return true;
}

/* Up to 1.17: the address of a Go string, a pointer and a length. */
static bool version_by_pointer(struct gobin *bin, struct span info, uint64_t vaddr)
{
	uint64_t header, text, len;
	uint8_t buf[sizeof(bin->version)];

	if (!span_u64(info, 16, &header) ||
	    (!header && !go_read_word(bin->elf, vaddr + 16, &header)) ||
	    !go_read_word(bin->elf, header, &text) || !go_read_word(bin->elf, header + 8, &len) ||
	    len > sizeof(buf) || elf_file__read_vaddr(bin->elf, text, buf, len) != (ssize_t)len)
		return false;
	return set_version(bin, buf, len);
}

/* Source: debug/buildinfo/buildinfo.go, cmd/link/internal/ld/data.go (buildinfo). */
static bool parse_buildinfo(struct gobin *bin, struct span info, uint64_t vaddr)
{
	uint8_t ptr_size, flags;
	uint64_t at = BUILDINFO_HEADER_LEN;
	uint32_t len;

	if (!span_u8(info, 14, &ptr_size) || !span_u8(info, 15, &flags))
		return false;
	if (!(flags & BUILDINFO_INLINE))
		return ptr_size == 8 && !(flags & 1) && version_by_pointer(bin, info, vaddr);
	return span_uvarint32(info, &at, &len) && span_has(info, at, len) && set_version(bin, info.data + at, len);
}

static bool search_buildinfo(struct gobin *bin, struct span bytes, uint64_t vaddr)
{
	struct span info;

	for (uint64_t off = -vaddr & (BUILDINFO_ALIGN - 1); span_has(bytes, off, BUILDINFO_HEADER_LEN);
	     off += BUILDINFO_ALIGN)
		if (span_magic(bytes, off, BUILDINFO_MAGIC, BUILDINFO_MAGIC_LEN) && span_from(bytes, off, &info) &&
		    parse_buildinfo(bin, info, vaddr + off))
			return true;
	return false;
}

static int search_buildinfo_load(void *ctx, struct span bytes, uint64_t vaddr, uint32_t flags)
{
	(void)flags;
	return search_buildinfo(ctx, bytes, vaddr);
}

static void find_version(struct gobin *bin)
{
	struct span bytes;
	uint64_t vaddr;

	if (!elf_file__section(bin->elf, ".go.buildinfo", &bytes, &vaddr) || !search_buildinfo(bin, bytes, vaddr))
		elf_file__each_load(bin->elf, search_buildinfo_load, bin);
}

/* "go1.26", "go1.26.5", "go1.27rc1", "go1.26.5 X:..." */
static bool is_release(const uint8_t *text, uint64_t len)
{
	uint64_t at = 4;

	if (len <= at || memcmp(text, "go1.", at) != 0)
		return false;
	while (at < len && text[at] >= '0' && text[at] <= '9')
		at++;
	return at > 4 && (at == len || memchr(".rb- ", text[at], 5));
}

struct release_search {
	struct gobin *bin;
	uint32_t tried;
};

/* The Go string whose header is at @off of @bytes, if it names a release. Its length, or 0. */
static uint64_t release_at(struct release_search *search, struct span bytes, uint64_t vaddr, uint64_t off, uint8_t *buf)
{
	struct gobin *bin = search->bin;
	uint64_t text, len;

	/* The length first: it needs no relocation and leaves few words to look behind. */
	if (!span_u64(bytes, off + 8, &len) || len < sizeof("go1.") || len >= sizeof(bin->version) ||
	    !go_read_word(bin->elf, vaddr + off, &text) || !elf_file__vaddr_to_off(bin->elf, text, &(uint64_t){ 0 }))
		return 0;
	search->tried++;
	if (elf_file__read_vaddr(bin->elf, text, buf, len) != (ssize_t)len || !is_release(buf, len))
		return 0;
	return len;
}

static int search_release(void *ctx, struct span bytes, uint64_t vaddr, uint32_t flags)
{
	struct release_search *search = ctx;
	struct gobin *bin = search->bin;
	uint8_t buf[sizeof(bin->version)];
	uint64_t off = bin->md.data > vaddr ? bin->md.data - vaddr : 0, len;
	int minor;

	(void)flags;
	for (; vaddr + off < bin->md.bss && span_has(bytes, off, 16) && search->tried < MAX_STRINGS; off += 8) {
		len = release_at(search, bytes, vaddr, off, buf);
		minor = bin->minor;
		if (!len || !set_version(bin, buf, len) || !minor || minor == bin->minor)
			continue;
		/* Two that differ: either may be something else. */
		bin->version[0] = '\0';
		bin->minor = 0;
		return 1;
	}
	return 0;
}

/*
 * Publishers take .go.buildinfo out (esbuild 0.28 is like that). What runtime.Version() returns stays:
 * runtime.buildVersion, a string variable in the data, whose bounds the moduledata knows.
 */
static void find_version_in_data(struct gobin *bin)
{
	struct release_search search = { .bin = bin };

	if (bin->md.data < bin->md.bss)
		elf_file__each_load(bin->elf, search_release, &search);
}

/* Without a version: the first that has this table and moduledata. */
static void guess_minor(struct gobin *bin, uint32_t magic, int md_minor)
{
	static const struct {
		uint32_t magic;
		int minor;
	} firsts[] = { { 0xfffffffb, 15 }, { 0xfffffffa, 16 }, { 0xfffffff0, 18 }, { 0xfffffff1, 20 } };

	bin->minor_is_guess = true;
	bin->minor = md_minor;
	for (size_t i = 0; !bin->minor && i < sizeof(firsts) / sizeof(firsts[0]); i++)
		if (firsts[i].magic == magic)
			bin->minor = firsts[i].minor;
}

/* Inline trees: see find_trees(). */
struct tree_search {
	uint64_t vaddr; /* inside what is sought, or */
	uint64_t after; /* read-only data behind this */
	struct place found;
};

static int find_holder(void *ctx, struct span bytes, uint64_t vaddr, uint32_t flags)
{
	struct tree_search *search = ctx;
	bool holds;

	if (search->vaddr)
		holds = search->vaddr >= vaddr && search->vaddr - vaddr < bytes.len;
	else
		holds = !(flags & 2) && vaddr + bytes.len > search->after; /* 2: PF_W */
	if (holds)
		search->found = (struct place){ bytes, vaddr };
	/* Behind the text there may be more in the same segment, or a segment of its own, which is better. */
	return holds && (search->vaddr || !(flags & 1));
}

/*
 * From 1.18 on inline trees are offsets from gofunc. Before, they are addresses in
 * read-only data, which the linker puts behind the text.
 */
static struct place find_trees(struct gobin *bin, bool has_pointers)
{
	static const char *const sections[] = { ".rodata", ".gopclntab", ".go.func", ".data.rel.ro" };
	struct tree_search search = { .vaddr = bin->md.gofunc, .after = bin->md.etext };
	struct place place = { .vaddr = 0 };
	uint64_t skip;

	if (!bin->md.vaddr || (!has_pointers && !bin->md.gofunc))
		return place;
	for (size_t i = 0; search.vaddr && i < sizeof(sections) / sizeof(sections[0]); i++)
		if (elf_file__section(bin->elf, sections[i], &place.bytes, &place.vaddr) &&
		    find_holder(&search, place.bytes, place.vaddr, 0))
			break;
	if (!search.found.bytes.len)
		elf_file__each_load(bin->elf, find_holder, &search);
	place = search.found;
	if (!place.bytes.len || has_pointers)
		return place;
	skip = bin->md.gofunc - place.vaddr;
	return (struct place){ { place.bytes.data + skip, place.bytes.len - skip }, bin->md.gofunc };
}

/* The table with its addresses as the loader would leave them. */
static int relocate_table(struct gobin *bin, struct place *table)
{
	uint64_t word;
	uint8_t *copy;

	copy = malloc(table->bytes.len);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, table->bytes.data, table->bytes.len);
	for (uint64_t off = 0; span_u64(table->bytes, off, &word); off += 8)
		if (!word && elf_file__relative_reloc(bin->elf, table->vaddr + off, &word))
			memcpy(copy + off, &word, sizeof(word));
	bin->relocated = copy;
	table->bytes.data = copy;
	return 0;
}

/* Open the table at @table. With @need_md only if its moduledata is found. 0, -ENOEXEC, -ENOMEM. */
static int open_table(struct gobin *bin, struct place table, bool need_md)
{
	struct gopclntab_input in = { .go_minor = bin->minor };
	struct place trees;
	bool has_pointers;
	uint32_t magic = 0;
	int md_minor = 0, err;

	if (!gopclntab_probe(table.bytes) || !span_u32(table.bytes, 0, &magic))
		return -ENOEXEC;
	has_pointers = magic == 0xfffffffb || magic == 0xfffffffa;
	if (!gomoduledata_find(bin->elf, table.bytes, table.vaddr, bin->minor, &bin->md, &md_minor) && need_md)
		return -ENOEXEC;
	if (!bin->minor) {
		find_version_in_data(bin);
		if (bin->minor)
			gomoduledata_find(bin->elf, table.bytes, table.vaddr, bin->minor, &bin->md, &md_minor);
		in.go_minor = bin->minor;
	}
	if (has_pointers && elf_file__is_pie(bin->elf)) {
		err = relocate_table(bin, &table);
		if (err)
			return err;
	}
	in.bytes = table.bytes;
	in.text_vaddr = bin->md.text;
	/* Relocated, as the parser does not know that it may have to be. */
	if (!in.text_vaddr && !has_pointers)
		go_read_word(bin->elf, table.vaddr + 24, &in.text_vaddr);
	trees = find_trees(bin, has_pointers);
	in.funcdata = trees.bytes;
	in.funcdata_vaddr = trees.vaddr;
	err = gopclntab__open(&in, &bin->tab);
	if (err) {
		free(bin->relocated);
		bin->relocated = NULL;
		bin->md = (struct go_moduledata){ .vaddr = 0 };
		return err;
	}
	if (!bin->minor)
		guess_minor(bin, magic, md_minor);
	return 0;
}

struct table_search {
	struct gobin *bin;
	bool need_md;
	uint32_t tried;
	int err; /* -ENOEXEC: none fits; 0: found */
};

static int search_tables(void *ctx, struct span bytes, uint64_t vaddr, uint32_t flags)
{
	struct table_search *search = ctx;
	struct place table;
	uint32_t magic;

	(void)flags;
	for (uint64_t off = -vaddr & (PCLNTAB_ALIGN - 1); span_u32(bytes, off, &magic); off += PCLNTAB_ALIGN) {
		if (magic < 0xfffffff0 || magic == 0xffffffff)
			continue;
		table.vaddr = vaddr + off;
		if (!span_from(bytes, off, &table.bytes) || !gopclntab_probe(table.bytes))
			continue;
		search->err = open_table(search->bin, table, search->need_md);
		if (search->err != -ENOEXEC || ++search->tried >= MAX_TABLES)
			return 1;
	}
	return 0;
}

static int find_table(struct gobin *bin)
{
	static const char *const sections[] = { ".gopclntab", ".data.rel.ro.gopclntab" };
	struct table_search search = { .bin = bin, .need_md = true, .err = -ENOEXEC };
	struct place table;
	int err;

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		if (!elf_file__section(bin->elf, sections[i], &table.bytes, &table.vaddr))
			continue;
		err = open_table(bin, table, false);
		if (!err)
			bin->tab_section = sections[i];
		if (err != -ENOEXEC)
			return err;
	}
	elf_file__each_load(bin->elf, search_tables, &search);
	if (search.err == -ENOEXEC) {
		search.need_md = false;
		search.tried = 0;
		elf_file__each_load(bin->elf, search_tables, &search);
	}
	return search.err;
}

/*
 * Cheap no for the many modules that are not Go: a file that still has sections
 * would have one of these. One without sections is searched.
 */
static bool may_be_go(struct elf_file *elf)
{
	static const char *const marks[] = { ".gopclntab", ".data.rel.ro.gopclntab", ".go.buildinfo",
					     ".note.go.buildid", ".gosymtab" };
	struct span bytes;

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (elf_file__section(elf, marks[i], &bytes, NULL))
			return true;
	return !elf_file__section(elf, ".text", &bytes, NULL);
}

int gobin__open(struct elf_file *elf, struct gobin **ret, struct err *err)
{
	struct gobin *bin;
	int code;

	if (!may_be_go(elf))
		return -ENOENT;
	bin = calloc(1, sizeof(*bin));
	if (!bin)
		return err_set(err, FAIL_GENERAL, -ENOMEM, "%s: out of memory", elf_file__name(elf));
	bin->elf = elf;
	find_version(bin);
	code = find_table(bin);
	if (code == -ENOMEM) {
		err_set(err, FAIL_GENERAL, code, "%s: out of memory", elf_file__name(elf));
		goto free_bin;
	}
	if (code && !bin->version[0]) {
		code = -ENOENT;
		goto free_bin;
	}
	if (code) {
		err_set(err, FAIL_TARGET, code, "%s: built with %s, but its function table cannot be read",
			elf_file__name(elf), bin->version);
		goto free_bin;
	}
	*ret = bin;
	return 0;
free_bin:
	gobin__free(bin);
	return code;
}

void gobin__free(struct gobin *bin)
{
	if (!bin)
		return;
	gopclntab__free(bin->tab);
	free(bin->relocated);
	free(bin);
}

const char *gobin__version(const struct gobin *bin)
{
	return bin->version;
}

int gobin__minor(const struct gobin *bin, bool *is_guess)
{
	if (is_guess)
		*is_guess = bin->minor_is_guess;
	return bin->minor;
}

const struct go_layout *gobin__layout(const struct gobin *bin, bool *is_guess)
{
	const char *experiments = strstr(bin->version, "X:");
	bool minor_guess, layout_guess = false;
	const struct go_layout *layout;

	layout = go_layout_for(gobin__minor(bin, &minor_guess), experiments ? experiments + 2 : "", &layout_guess);
	*is_guess = minor_guess || layout_guess;
	return layout;
}

const struct go_moduledata *gobin__moduledata(const struct gobin *bin)
{
	return &bin->md;
}

const struct gopclntab *gobin__pclntab(const struct gobin *bin)
{
	return bin->tab;
}

const char *gobin__pclntab_section(const struct gobin *bin)
{
	return bin->tab_section ? bin->tab_section : "";
}
