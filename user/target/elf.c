// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ELF reader for files that the target owns.
 *
 * Every byte comes by pread(2) into memory of our own: a mapping would raise
 * SIGBUS when the target truncates the file under us, and bytes that are checked
 * once and read again later could have changed in between.
 *
 * Invariants:
 * - Program headers are copied and checked at open: at most MAX_PHDRS, no address
 *   or offset range wraps. Ranges may lie behind the end of the file (debug files
 *   made by eu-strip keep those of the original): reads notice.
 * - Section headers are optional. If they make no sense the file has no sections,
 *   which costs names, not the file.
 * - Contents are read once and kept, each with one NUL behind its end, so that a
 *   name at any offset inside a string table is terminated and nobody has to scan
 *   for the end of each of a million names.
 * - All contents of one file together stay under BUDGET_BYTES, whatever overlapping
 *   headers claim; what a compressed section claims to hold is checked against the
 *   best ratio that its method can reach before memory is taken for it.
 *
 * libelf was the other choice. It reads as carefully, but gives no bound over all
 * sections, and its symbol iteration costs a call and a copy for each symbol.
 *
 * Formats: System V gABI chapters 4 and 5 (with SHF_COMPRESSED and SHT_RELR), elf.h.
 */
#include "target/elf.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "target/elf_private.h"

#define MAX_PHDRS 1024
#define MAX_SHDRS (1u << 20)
#define MAX_CONTENT_BYTES (1ull << 30)
#define BUDGET_BYTES (2ull << 30)
#define MAX_NOTE_BYTES (1u << 20)
#define MAX_INTERP_BYTES 4096
#define DEFLATE_MAX_RATIO 1032
#define ZSTD_MAX_RATIO (1u << 15) /* a block of 128 KiB that repeats one byte takes 4 (RFC 8878, 3.1.1.2) */

/* elf.h of older C libraries lacks it. */
#ifndef ELFCOMPRESS_ZSTD
#define ELFCOMPRESS_ZSTD 2
#endif

#if defined(__x86_64__)
#define OUR_MACHINE EM_X86_64
#define OUR_MACHINE_NAME "x86-64"
#elif defined(__aarch64__)
#define OUR_MACHINE EM_AARCH64
#define OUR_MACHINE_NAME "AArch64"
#else
#error "unsupported architecture"
#endif

/* All of @len bytes, or false. */
static bool read_at(const struct elf_file *elf, uint64_t off, void *buf, size_t len)
{
	size_t done = 0;

	if (off > elf->size_bytes || len > elf->size_bytes - off)
		return false;
	while (done < len) {
		ssize_t n = pread(elf->fd, (uint8_t *)buf + done, len - done, (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* Reserve @len bytes and the NUL behind them out of the file's budget. */
static uint8_t *take_buffer(struct elf_file *elf, uint64_t len)
{
	uint8_t *buf;

	if (len > MAX_CONTENT_BYTES || len > elf->budget_bytes)
		return NULL;
	buf = malloc(len + 1);
	if (!buf)
		return NULL;
	buf[len] = 0;
	elf->budget_bytes -= len;
	return buf;
}

bool elf_file__read_content(struct elf_file *elf, uint64_t off, uint64_t len, struct content *ret)
{
	uint8_t *buf;

	/* Before memory is taken: sizes are claims. */
	if (off > elf->size_bytes || len > elf->size_bytes - off)
		return false;
	buf = take_buffer(elf, len);
	if (!buf)
		return false;
	if (!read_at(elf, off, buf, len)) {
		free(buf);
		return false;
	}
	ret->buf = buf;
	ret->bytes = (struct span){ buf, len };
	return true;
}

/* All of @in, which must give @len bytes. */
static bool inflate_zlib(struct span in, uint8_t *out, uint64_t len)
{
	uLongf out_len = len;

	return uncompress(out, &out_len, in.data, in.len) == Z_OK && out_len == len;
}

static bool inflate_zstd(struct span in, uint8_t *out, uint64_t len)
{
	return ZSTD_decompress(out, len, in.data, in.len) == len;
}

/* Inflate @content, an SHF_COMPRESSED section, in its place. */
static bool decompress(struct elf_file *elf, struct content *content)
{
	struct span in = content->bytes, data;
	Elf64_Chdr chdr;
	uint64_t max_ratio;
	uint8_t *buf;
	bool is_zstd;

	if (!span_read(in, 0, &chdr, sizeof(chdr)) || !span_from(in, sizeof(chdr), &data))
		return false;
	is_zstd = chdr.ch_type == ELFCOMPRESS_ZSTD;
	max_ratio = is_zstd ? ZSTD_MAX_RATIO : DEFLATE_MAX_RATIO;
	if ((!is_zstd && chdr.ch_type != ELFCOMPRESS_ZLIB) || chdr.ch_size / max_ratio > data.len)
		return false;
	buf = take_buffer(elf, chdr.ch_size);
	if (!buf)
		return false;
	if (!(is_zstd ? inflate_zstd : inflate_zlib)(data, buf, chdr.ch_size)) {
		free(buf);
		return false;
	}
	free(content->buf);
	content->buf = buf;
	content->bytes = (struct span){ buf, chdr.ch_size };
	return true;
}

bool elf_file__section_at(struct elf_file *elf, uint32_t index, struct span *ret)
{
	const Elf64_Shdr *shdr;
	struct content *content;

	if (index >= elf->nshdrs)
		return false;
	shdr = &elf->shdrs[index];
	content = &elf->sections[index];
	if (!content->tried) {
		content->tried = true;
		if (shdr->sh_type != SHT_NOBITS && shdr->sh_type != SHT_NULL &&
		    elf_file__read_content(elf, shdr->sh_offset, shdr->sh_size, content) &&
		    (shdr->sh_flags & SHF_COMPRESSED) && !decompress(elf, content)) {
			free(content->buf);
			content->buf = NULL;
		}
	}
	if (!content->buf)
		return false;
	*ret = content->bytes;
	return true;
}

/* Index of the section @name with contents, or 0 (which is nobody's). */
static uint32_t find_section(const struct elf_file *elf, const char *name)
{
	for (uint32_t i = 1; i < elf->nshdrs; i++) {
		const Elf64_Shdr *shdr = &elf->shdrs[i];

		if (shdr->sh_name < elf->section_names.len && shdr->sh_type != SHT_NOBITS &&
		    strcmp((const char *)elf->section_names.data + shdr->sh_name, name) == 0)
			return i;
	}
	return 0;
}

bool elf_file__has_section(const struct elf_file *elf, const char *name)
{
	return find_section(elf, name) != 0;
}

bool elf_file__section(struct elf_file *elf, const char *name, struct span *ret, uint64_t *ret_vaddr)
{
	uint32_t index = find_section(elf, name);

	if (!index || !elf_file__section_at(elf, index, ret))
		return false;
	if (ret_vaddr)
		*ret_vaddr = elf->shdrs[index].sh_addr;
	return true;
}

static const char *machine_name(uint16_t machine)
{
	switch (machine) {
	case EM_X86_64:
		return "x86-64";
	case EM_AARCH64:
		return "AArch64";
	case EM_386:
		return "i386";
	case EM_ARM:
		return "ARM";
	case EM_RISCV:
		return "RISC-V";
	case EM_PPC64:
		return "PowerPC64";
	case EM_S390:
		return "s390";
	default:
		return "another machine's";
	}
}

static int check_ident(const struct elf_file *elf, struct err *err)
{
	const unsigned char *ident = elf->ehdr.e_ident;

	if (memcmp(ident, ELFMAG, SELFMAG) != 0)
		return err_set(err, FAIL_TARGET, -ENOEXEC, "%s: not an ELF file", elf->name);
	if (ident[EI_CLASS] == ELFCLASS32)
		return err_set(err, FAIL_TARGET, -ENOEXEC,
			       "%s: 32-bit ELF file: allocsnoop probes 64-bit " OUR_MACHINE_NAME " programs", elf->name);
	if (ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != ELFDATA2LSB || ident[EI_VERSION] != EV_CURRENT)
		return err_set(err, FAIL_TARGET, -ENOEXEC,
			       "%s: not a little-endian 64-bit ELF file: allocsnoop probes 64-bit " OUR_MACHINE_NAME
			       " programs", elf->name);
	if (elf->ehdr.e_machine != OUR_MACHINE)
		return err_set(err, FAIL_TARGET, -ENOEXEC,
			       "%s: %s ELF file (machine %u): this build of allocsnoop probes 64-bit " OUR_MACHINE_NAME
			       " programs", elf->name, machine_name(elf->ehdr.e_machine), elf->ehdr.e_machine);
	return 0;
}

static int read_ehdr(struct elf_file *elf, struct err *err)
{
	struct stat st;

	if (fstat(elf->fd, &st) < 0) {
		int code = -errno;

		return err_set(err, FAIL_TARGET, code, "%s: %s", elf->name, strerror(-code));
	}
	if (!S_ISREG(st.st_mode))
		return err_set(err, FAIL_TARGET, -ENOEXEC, "%s: not a regular file", elf->name);
	elf->size_bytes = (uint64_t)st.st_size;
	/* The identification first: a 32-bit header is shorter. */
	if (!read_at(elf, 0, elf->ehdr.e_ident, EI_NIDENT))
		return err_set(err, FAIL_TARGET, -ENOEXEC, "%s: not an ELF file", elf->name);
	if (memcmp(elf->ehdr.e_ident, ELFMAG, SELFMAG) == 0 && elf->ehdr.e_ident[EI_CLASS] == ELFCLASS64 &&
	    !read_at(elf, 0, &elf->ehdr, sizeof(elf->ehdr)))
		return err_set(err, FAIL_TARGET, -ENOEXEC, "%s: ELF file cut off in its header", elf->name);
	return check_ident(elf, err);
}

/* Do the ranges of @phdr fit into 64 bits and each other? */
static bool phdr_is_sane(const Elf64_Phdr *phdr)
{
	return phdr->p_vaddr + phdr->p_memsz >= phdr->p_vaddr && phdr->p_offset + phdr->p_filesz >= phdr->p_offset &&
	       phdr->p_filesz <= phdr->p_memsz;
}

static int read_phdrs(struct elf_file *elf, struct err *err)
{
	const Elf64_Ehdr *ehdr = &elf->ehdr;

	if (ehdr->e_phnum == 0)
		return 0;
	if (ehdr->e_phentsize != sizeof(Elf64_Phdr) || ehdr->e_phnum > MAX_PHDRS)
		return err_set(err, FAIL_TARGET, -ENOEXEC, "%s: damaged ELF file: %u program headers of %u bytes",
			       elf->name, ehdr->e_phnum, ehdr->e_phentsize);
	elf->phdrs = calloc(ehdr->e_phnum, sizeof(*elf->phdrs));
	elf->loads = calloc(ehdr->e_phnum, sizeof(*elf->loads));
	if (!elf->phdrs || !elf->loads)
		return err_set(err, FAIL_GENERAL, -ENOMEM, "%s: out of memory", elf->name);
	if (!read_at(elf, ehdr->e_phoff, elf->phdrs, ehdr->e_phnum * sizeof(*elf->phdrs)))
		return err_set(err, FAIL_TARGET, -ENOEXEC, "%s: ELF file cut off: program headers lie behind its end",
			       elf->name);
	elf->nphdrs = ehdr->e_phnum;
	for (uint32_t i = 0; i < elf->nphdrs; i++) {
		if (elf->phdrs[i].p_type == PT_LOAD && !phdr_is_sane(&elf->phdrs[i]))
			return err_set(err, FAIL_TARGET, -ENOEXEC,
				       "%s: damaged ELF file: segment %u has an impossible size", elf->name, i);
	}
	return 0;
}

/* Leaves the file without sections when the headers make no sense; only memory is an error. */
static int read_shdrs(struct elf_file *elf)
{
	const Elf64_Ehdr *ehdr = &elf->ehdr;
	uint64_t count = ehdr->e_shnum;
	uint32_t names = ehdr->e_shstrndx;
	Elf64_Shdr first;

	if (ehdr->e_shoff == 0 || ehdr->e_shentsize != sizeof(Elf64_Shdr) ||
	    !read_at(elf, ehdr->e_shoff, &first, sizeof(first)))
		return 0;
	if (count == 0)
		count = first.sh_size;
	if (names == SHN_XINDEX)
		names = first.sh_link;
	if (count == 0 || count > MAX_SHDRS || count > (elf->size_bytes - ehdr->e_shoff) / sizeof(Elf64_Shdr))
		return 0;
	elf->shdrs = calloc(count, sizeof(*elf->shdrs));
	elf->sections = calloc(count, sizeof(*elf->sections));
	if (!elf->shdrs || !elf->sections)
		return -ENOMEM;
	if (!read_at(elf, ehdr->e_shoff, elf->shdrs, count * sizeof(*elf->shdrs)))
		return 0;
	elf->nshdrs = (uint32_t)count;
	elf_file__section_at(elf, names, &elf->section_names);
	return 0;
}

/* The GNU build ID in @notes: name size, descriptor size, type, both padded to 4 (gABI "Note Section"). */
static bool find_build_id(struct elf_file *elf, struct span notes)
{
	Elf64_Nhdr nhdr;
	uint64_t off = 0;

	while (span_read(notes, off, &nhdr, sizeof(nhdr))) {
		uint64_t name_off = off + sizeof(nhdr);
		uint64_t desc_off = name_off + (((uint64_t)nhdr.n_namesz + 3) & ~3ull);
		char owner[4];

		if (nhdr.n_type == NT_GNU_BUILD_ID && nhdr.n_namesz == sizeof(owner) &&
		    span_read(notes, name_off, owner, sizeof(owner)) && memcmp(owner, "GNU", sizeof(owner)) == 0 &&
		    nhdr.n_descsz > 0 && nhdr.n_descsz <= sizeof(elf->build_id) &&
		    span_read(notes, desc_off, elf->build_id, nhdr.n_descsz)) {
			elf->build_id_len = nhdr.n_descsz;
			return true;
		}
		off = desc_off + (((uint64_t)nhdr.n_descsz + 3) & ~3ull);
	}
	return false;
}

static void read_build_id(struct elf_file *elf)
{
	struct content notes = { 0 };
	struct span section;

	if (elf_file__section(elf, ".note.gnu.build-id", &section, NULL) && find_build_id(elf, section))
		return;
	for (uint32_t i = 0; i < elf->nphdrs && !elf->build_id_len; i++) {
		const Elf64_Phdr *phdr = &elf->phdrs[i];

		if (phdr->p_type != PT_NOTE || phdr->p_filesz > MAX_NOTE_BYTES ||
		    !elf_file__read_content(elf, phdr->p_offset, phdr->p_filesz, &notes))
			continue;
		find_build_id(elf, notes.bytes);
		free(notes.buf);
	}
}

static void read_interp(struct elf_file *elf)
{
	struct content content = { 0 };

	for (uint32_t i = 0; i < elf->nphdrs; i++) {
		const Elf64_Phdr *phdr = &elf->phdrs[i];

		if (phdr->p_type != PT_INTERP || phdr->p_filesz > MAX_INTERP_BYTES)
			continue;
		if (elf_file__read_content(elf, phdr->p_offset, phdr->p_filesz, &content))
			elf->interp = (char *)content.buf;
		return;
	}
}

int elf_file__open(int fd, const char *name, struct elf_file **ret, struct err *err)
{
	struct elf_file *elf;
	int code;

	elf = calloc(1, sizeof(*elf));
	if (!elf) {
		close(fd);
		return err_set(err, FAIL_GENERAL, -ENOMEM, "%s: out of memory", name);
	}
	elf->fd = fd;
	elf->budget_bytes = BUDGET_BYTES;
	elf->name = strdup(name);
	if (!elf->name) {
		code = err_set(err, FAIL_GENERAL, -ENOMEM, "%s: out of memory", name);
		goto err_free;
	}
	code = read_ehdr(elf, err);
	if (code)
		goto err_free;
	code = read_phdrs(elf, err);
	if (code)
		goto err_free;
	code = read_shdrs(elf);
	if (code) {
		err_set(err, FAIL_GENERAL, code, "%s: out of memory", name);
		goto err_free;
	}
	read_build_id(elf);
	read_interp(elf);
	*ret = elf;
	return 0;

err_free:
	elf_file__free(elf);
	return code;
}

void elf_file__free(struct elf_file *elf)
{
	if (!elf)
		return;
	for (uint32_t i = 0; i < elf->nshdrs; i++)
		free(elf->sections[i].buf);
	for (uint32_t i = 0; i < elf->nphdrs; i++)
		free(elf->loads[i].buf);
	free(elf->sections);
	free(elf->loads);
	free(elf->shdrs);
	free(elf->phdrs);
	free(elf->relocs);
	free(elf->relr);
	free(elf->interp);
	free(elf->name);
	close(elf->fd);
	free(elf);
}

int elf_file__fd(const struct elf_file *elf)
{
	return elf->fd;
}

const char *elf_file__name(const struct elf_file *elf)
{
	return elf->name;
}

uint64_t elf_file__size(const struct elf_file *elf)
{
	return elf->size_bytes;
}

bool elf_file__is_pie(const struct elf_file *elf)
{
	return elf->ehdr.e_type == ET_DYN;
}

uint64_t elf_file__entry(const struct elf_file *elf)
{
	return elf->ehdr.e_entry;
}

size_t elf_file__build_id(const struct elf_file *elf, uint8_t ret[static 64])
{
	memcpy(ret, elf->build_id, elf->build_id_len);
	return elf->build_id_len;
}

const char *elf_file__interp(const struct elf_file *elf)
{
	return elf->interp;
}

/* The PT_LOAD whose bytes in the file hold @vaddr. */
static const Elf64_Phdr *load_of_vaddr(const struct elf_file *elf, uint64_t vaddr)
{
	for (uint32_t i = 0; i < elf->nphdrs; i++) {
		const Elf64_Phdr *phdr = &elf->phdrs[i];

		if (phdr->p_type == PT_LOAD && vaddr >= phdr->p_vaddr && vaddr - phdr->p_vaddr < phdr->p_filesz)
			return phdr;
	}
	return NULL;
}

bool elf_file__vaddr_to_off(const struct elf_file *elf, uint64_t vaddr, uint64_t *ret)
{
	const Elf64_Phdr *phdr = load_of_vaddr(elf, vaddr);

	if (!phdr)
		return false;
	*ret = vaddr - phdr->p_vaddr + phdr->p_offset;
	return true;
}

bool elf_file__off_to_vaddr(const struct elf_file *elf, uint64_t off, uint64_t *ret)
{
	const Elf64_Phdr *found = NULL;

	for (uint32_t i = 0; i < elf->nphdrs; i++) {
		const Elf64_Phdr *phdr = &elf->phdrs[i];

		if (phdr->p_type != PT_LOAD || off < phdr->p_offset || off - phdr->p_offset >= phdr->p_filesz)
			continue;
		/* Where two segments show the same bytes, offsets that come from code mean the code. */
		if (!found || (!(found->p_flags & PF_X) && (phdr->p_flags & PF_X)))
			found = phdr;
	}
	if (!found)
		return false;
	*ret = off - found->p_offset + found->p_vaddr;
	return true;
}

bool elf_file__is_code(const struct elf_file *elf, uint64_t vaddr)
{
	for (uint32_t i = 0; i < elf->nphdrs; i++) {
		const Elf64_Phdr *phdr = &elf->phdrs[i];

		if (phdr->p_type == PT_LOAD && (phdr->p_flags & PF_X) && vaddr >= phdr->p_vaddr &&
		    vaddr - phdr->p_vaddr < phdr->p_memsz)
			return true;
	}
	return false;
}

bool elf_file__segment(const struct elf_file *elf, uint32_t type, uint32_t nth, struct elf_segment *ret)
{
	for (uint32_t i = 0; i < elf->nphdrs; i++) {
		const Elf64_Phdr *phdr = &elf->phdrs[i];

		if (phdr->p_type != type || nth-- > 0)
			continue;
		*ret = (struct elf_segment){ phdr->p_vaddr, phdr->p_filesz, phdr->p_flags };
		return true;
	}
	return false;
}

ssize_t elf_file__read_vaddr(const struct elf_file *elf, uint64_t vaddr, void *buf, size_t len)
{
	const Elf64_Phdr *phdr = load_of_vaddr(elf, vaddr);
	uint64_t skip, off;
	ssize_t n;

	if (!phdr)
		return -EFAULT;
	skip = vaddr - phdr->p_vaddr;
	off = phdr->p_offset + skip;
	if (len > phdr->p_filesz - skip)
		len = phdr->p_filesz - skip;
	if (off >= elf->size_bytes)
		return -EFAULT;
	n = pread(elf->fd, buf, len, (off_t)off);
	return n < 0 ? -errno : n;
}

int elf_file__each_load(struct elf_file *elf,
			int (*fn)(void *ctx, struct span bytes, uint64_t vaddr, uint32_t flags), void *ctx)
{
	for (uint32_t i = 0; i < elf->nphdrs; i++) {
		const Elf64_Phdr *phdr = &elf->phdrs[i];
		struct content *content = &elf->loads[i];
		int stop;

		if (phdr->p_type != PT_LOAD || phdr->p_filesz == 0)
			continue;
		if (!content->tried) {
			content->tried = true;
			elf_file__read_content(elf, phdr->p_offset, phdr->p_filesz, content);
		}
		if (!content->buf)
			continue;
		stop = fn(ctx, content->bytes, phdr->p_vaddr, phdr->p_flags);
		if (stop)
			return stop;
	}
	return 0;
}
