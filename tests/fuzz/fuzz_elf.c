// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: any bytes as an ELF file of the target, through the reader and the symbolizer.
 * Build with: clang -g -O1 -fsanitize=fuzzer,address,undefined, the sources of base, target, go, profile and
 * sym, -ldw -lelf -lz -liberty. Seeds: small programs with debug information.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sym/sym.h"
#include "target/elf.h"
#include "target/elf_fp.h"
#include "unwind/ehframe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	uint64_t vaddrs[64];
	size_t n, sum;
};

static int see_sym(void *ctx, const struct elf_sym *sym)
{
	struct seen *seen = ctx;

	seen->sum += strlen(sym->name);
	if (seen->n < 64)
		seen->vaddrs[seen->n++] = sym->vaddr;
	return seen->sum > (1u << 20);
}

static int see_load(void *ctx, struct span bytes, uint64_t vaddr, uint32_t flags)
{
	struct seen *seen = ctx;

	seen->sum += bytes.data[0] + bytes.data[bytes.len - 1] + vaddr + flags;
	return 0;
}

static void use_elf(struct elf_file *elf, struct seen *seen)
{
	static const char *const names[] = { ".text", ".symtab", ".debug_info", ".gnu_debuglink", ".eh_frame", "" };
	struct unwind_table table;
	struct span bytes;
	uint64_t value = 0;
	uint8_t buf[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (elf_file__section(elf, names[i], &bytes, &value) && bytes.len)
			seen->sum += bytes.data[bytes.len - 1];
	}
	elf_file__each_load(elf, see_load, seen);
	elf_file__each_sym(elf, see_sym, seen);
	elf_file__relative_reloc(elf, value, &value);
	elf_file__read_vaddr(elf, elf_file__entry(elf), buf, sizeof(buf));
	elf_file__vaddr_to_off(elf, value, &value);
	elf_file__off_to_vaddr(elf, value, &value);
	elf_file__build_id(elf, buf);
	seen->sum += elf_fp_percent(elf);
	if (!ehframe_compile(elf, NULL, &table))
		unwind_table__free(&table);
	if (elf_file__interp(elf))
		seen->sum += strlen(elf_file__interp(elf));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sym_opts opts = { .debug_root = "/nowhere" };
	struct modules *mods = NULL;
	struct gomods *gomods = NULL;
	struct strtab *strs = NULL;
	struct seen seen = { .n = 0 };
	struct sym *sym = NULL;
	struct module *mod;
	uint32_t id;
	int fd;

	fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size || modules__new(NULL, &mods) || strtab__new(&strs) ||
	    gomods__new(mods, &gomods) || sym__new(mods, gomods, strs, &opts, &sym))
		abort();
	id = modules__add_file(mods, fd, "/fuzz");
	mod = modules__get(mods, id);
	if (mod && mod->elf) {
		struct prof_frame frames[8];

		use_elf(mod->elf, &seen);
		for (size_t i = 0; i < seen.n; i++) {
			if (sym__resolve(sym, id, seen.vaddrs[i] + i % 3, frames, 8) < 1)
				abort();
		}
	}
	sym__free(sym);
	gomods__free(gomods);
	strtab__free(strs);
	modules__free(mods);
	return 0;
}
