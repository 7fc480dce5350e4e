// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Debug sections in a form that libdw can read.
 *
 * libelf unpacks sections that zlib packed; those of zstd it knows from 0.189 on, and before
 * libdw says that there are none, or leaves out the one that is packed so. Such a file is given to it as an ELF
 * image of our own making, with the debug sections as our reader unpacked them, and nothing else.
 */
#include "sym/sym_backend.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_IMAGE_BYTES (512ull << 20)

/* What libdw uses for functions, lines and inlined calls. */
static const char *const names[] = {
	"", /* section 0 is nobody's */
	".debug_info", ".debug_abbrev", ".debug_line", ".debug_line_str", ".debug_str", ".debug_str_offsets",
	".debug_ranges", ".debug_rnglists", ".debug_addr", ".debug_aranges", ".debug_types", ".shstrtab",
};

#define NSECTIONS (sizeof(names) / sizeof(names[0]))

struct layout {
	Elf64_Shdr shdrs[NSECTIONS];
	struct span contents[NSECTIONS];
	char strings[512];
	uint64_t end;
};

/* Where everything will stand: header, section headers, contents. */
static void lay_out(struct elf_file *elf, struct layout *ret)
{
	size_t strings_len = 1;

	ret->end = sizeof(Elf64_Ehdr) + sizeof(ret->shdrs);
	for (size_t i = 1; i < NSECTIONS; i++) {
		bool is_strings = i == NSECTIONS - 1;

		ret->shdrs[i].sh_name = (Elf64_Word)strings_len;
		memcpy(ret->strings + strings_len, names[i], strlen(names[i]) + 1);
		strings_len += strlen(names[i]) + 1;
		if (is_strings)
			ret->contents[i] = (struct span){ (const uint8_t *)ret->strings, strings_len };
		else if (!elf_file__section(elf, names[i], &ret->contents[i], NULL))
			ret->contents[i] = (struct span){ 0 };
		ret->shdrs[i].sh_type = is_strings ? SHT_STRTAB : SHT_PROGBITS;
		ret->shdrs[i].sh_offset = ret->end;
		ret->shdrs[i].sh_size = ret->contents[i].len;
		ret->shdrs[i].sh_addralign = 1;
		ret->end += (ret->contents[i].len + 7) & ~7ull;
	}
}

int debugimage_make(struct elf_file *elf, uint16_t machine, char **ret, size_t *ret_len)
{
	struct layout layout = { 0 };
	Elf64_Ehdr ehdr = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_DYN,
		.e_machine = machine,
		.e_version = EV_CURRENT,
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_shoff = sizeof(Elf64_Ehdr),
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = NSECTIONS,
		.e_shstrndx = NSECTIONS - 1,
	};
	char *image;

	lay_out(elf, &layout);
	if (layout.end > MAX_IMAGE_BYTES)
		return -EFBIG;
	image = calloc(1, layout.end);
	if (!image)
		return -ENOMEM;
	memcpy(image, &ehdr, sizeof(ehdr));
	memcpy(image + sizeof(ehdr), layout.shdrs, sizeof(layout.shdrs));
	for (size_t i = 1; i < NSECTIONS; i++) {
		if (layout.contents[i].len)
			memcpy(image + layout.shdrs[i].sh_offset, layout.contents[i].data, layout.contents[i].len);
	}
	*ret = image;
	*ret_len = layout.end;
	return 0;
}
