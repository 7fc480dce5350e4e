// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer entry for Go's type descriptors: where moduledata says they are (three words: types, length,
 * the descriptor asked for), a byte that chooses the runtime's layout, and the bytes at them, in an ELF file of
 * one segment. Behind them are enough others for a name that is too long.
 */
#include <elf.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "go/gotypes.h"

#define BASE 0x400000ull
#define HEAD_BYTES (sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	uint16_t types, len, at;
	uint8_t layout;
};

static struct elf_file *open_image(const uint8_t *data, size_t size)
{
	char tail[2 * GO_TYPE_NAME_SIZE];
	Elf64_Ehdr ehdr = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_EXEC,
			    .e_version = EV_CURRENT, .e_phoff = sizeof(ehdr), .e_ehsize = sizeof(ehdr),
			    .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1 };
	Elf64_Phdr phdr = { .p_type = PT_LOAD, .p_flags = PF_R, .p_vaddr = BASE,
			    .p_filesz = HEAD_BYTES + size + sizeof(tail), .p_memsz = HEAD_BYTES + size + sizeof(tail) };
	struct elf_file *elf = NULL;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

#ifdef __aarch64__
	ehdr.e_machine = EM_AARCH64;
#else
	ehdr.e_machine = EM_X86_64;
#endif
	if (fd < 0)
		return NULL;
	memset(tail, 0x80, sizeof(tail));
	if (write(fd, &ehdr, sizeof(ehdr)) != sizeof(ehdr) || write(fd, &phdr, sizeof(phdr)) != sizeof(phdr) ||
	    write(fd, data, size) != (ssize_t)size || write(fd, tail, sizeof(tail)) != sizeof(tail)) {
		close(fd);
		return NULL;
	}
	if (elf_file__open(fd, "fuzz", &elf, NULL))
		abort();
	return elf;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct go_moduledata md = { 0 };
	struct go_type type;
	struct elf_file *elf;
	struct input in;

	if (size < sizeof(in))
		return 0;
	memcpy(&in, data, sizeof(in));
	elf = open_image(data + sizeof(in), size - sizeof(in));
	if (!elf)
		return 0;
	md.types = BASE + HEAD_BYTES + (in.types & 0xff);
	md.etypes = md.types + in.len;
	if (go_type_read(elf, &md, &go_layouts[in.layout % go_nlayouts], md.types + in.at, &type)) {
		size_t len = strnlen(type.name, sizeof(type.name));

		if (!len || len == sizeof(type.name) || !type.kind)
			abort();
	}
	elf_file__free(elf);
	return 0;
}
