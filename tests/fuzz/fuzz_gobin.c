// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer entry for Go binaries as ELF files: the input is the file.
 *   clang -fsanitize=fuzzer,address,undefined -g -O1 -D_GNU_SOURCE -Iuser tests/fuzz/fuzz_gobin.c
 *     user/go/gobin.c user/go/gomoduledata.c user/go/gopclntab.c user/target/elf*.c user/base/err.c -lz
 */
#include <sys/mman.h>
#include <unistd.h>

#include "go/gobin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_file *elf = NULL;
	struct gobin *bin = NULL;
	struct go_frame frames[8];
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0)
		return 0;
	if (write(fd, data, size) != (ssize_t)size) {
		close(fd);
		return 0;
	}
	if (elf_file__open(fd, "fuzz", &elf, NULL))
		return 0;
	if (gobin__open(elf, &bin, NULL) == 0) {
		const struct go_moduledata *md = gobin__moduledata(bin);

		for (uint64_t pc = md->text; pc < md->text + 4096; pc += 64)
			gopclntab__frames(gobin__pclntab(bin), pc, frames, 8);
		gobin__free(bin);
	}
	elf_file__free(elf);
	return 0;
}
