// SPDX-License-Identifier: GPL-2.0-or-later
#include "target/elf_fp.h"

#include <string.h>

#define MAX_SAMPLES 500
#define PROLOGUE_BYTES 32
#define TABLE_OFF 12 /* behind version, three encodings, the pointer and the count */
#define ENTRY_BYTES 8

#if defined(__x86_64__)
static const uint8_t set_up[] = { 0x55, 0x48, 0x89, 0xe5 }; /* push %rbp; mov %rsp,%rbp */
#else
static const uint8_t set_up[] = { 0xfd, 0x03, 0x00, 0x91 }; /* mov x29, sp */
#endif

static bool sets_up_frame(const struct elf_file *elf, uint64_t vaddr)
{
	uint8_t code[PROLOGUE_BYTES];
	ssize_t n = elf_file__read_vaddr(elf, vaddr, code, sizeof(code));

	for (ssize_t i = 0; i + (ssize_t)sizeof(set_up) <= n; i++)
		if (memcmp(code + i, set_up, sizeof(set_up)) == 0)
			return true;
	return false;
}

int elf_fp_percent(struct elf_file *elf)
{
	static const uint8_t head[] = { 1, 0x1b, 0x03, 0x3b }; /* sorted table of 32-bit offsets from the section */
	uint32_t count, step, offset, seen = 0, with = 0;
	struct span hdr;
	uint64_t vaddr;

	if (!elf_file__section(elf, ".eh_frame_hdr", &hdr, &vaddr) || !span_has(hdr, 0, TABLE_OFF) ||
	    memcmp(hdr.data, head, sizeof(head)) != 0 || !span_u32(hdr, 8, &count) || !count)
		return -1;
	step = count / MAX_SAMPLES + 1;
	for (uint64_t i = 0; i < count && span_u32(hdr, TABLE_OFF + i * ENTRY_BYTES, &offset); i += step) {
		uint64_t func = vaddr + (uint64_t)(int64_t)(int32_t)offset;

		if (!elf_file__is_code(elf, func))
			continue;
		seen++;
		with += sets_up_frame(elf, func);
	}
	return seen ? (int)(with * 100 / seen) : -1;
}
