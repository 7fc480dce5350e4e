// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * .gnu_debugdata ("MiniDebugInfo", in gdb's manual): an ELF file with a symbol table of the functions that
 * .dynsym does not name, packed with xz into a section of the stripped file. Fedora's packages have it.
 *
 * A few KiB of xz can stand for gigabytes: the decoder's memory and its output are bounded, and the output goes
 * to memory of ours that is read like any other file of the target.
 */
#include "sym/sym_backend.h"

#include <errno.h>
#include <lzma.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_DECODER_BYTES (128u << 20) /* xz -9 needs 65 MiB */
#define MAX_OUTPUT_BYTES (256u << 20)

static bool write_all(int fd, const uint8_t *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n <= 0)
			return false;
		buf += n;
		len -= (size_t)n;
	}
	return true;
}

static bool unpack(lzma_stream *xz, int fd)
{
	lzma_ret rc = LZMA_OK;
	uint8_t buf[32768];

	while (rc == LZMA_OK && xz->total_out <= MAX_OUTPUT_BYTES) {
		xz->next_out = buf;
		xz->avail_out = sizeof(buf);
		rc = lzma_code(xz, LZMA_FINISH);
		if (!write_all(fd, buf, sizeof(buf) - xz->avail_out))
			return false;
	}
	return rc == LZMA_STREAM_END;
}

int minidebug_open(struct elf_file *elf, struct elf_file **ret)
{
	lzma_stream xz = LZMA_STREAM_INIT;
	struct span packed;
	bool ok;
	int fd;

	if (!elf_file__section(elf, ".gnu_debugdata", &packed, NULL))
		return -ENOENT;
	fd = memfd_create("gnu_debugdata", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	xz.next_in = packed.data;
	xz.avail_in = packed.len;
	ok = lzma_stream_decoder(&xz, MAX_DECODER_BYTES, 0) == LZMA_OK && unpack(&xz, fd);
	lzma_end(&xz);
	if (!ok) {
		close(fd);
		return -ENOEXEC;
	}
	return elf_file__open(fd, ".gnu_debugdata", ret, NULL);
}
