// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer entry for the compiler of unwind tables.
 * Input: length of .eh_frame in bytes (2 bytes), rows that are kept (1), pages of 256 bytes of Go code (1), then
 * .eh_frame, then .debug_frame. A seed from a program, with an .eh_frame of 4 KiB and no .debug_frame:
 *   printf '\0\20\377\0'; objcopy -O binary --only-section=.eh_frame PROG /dev/stdout
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unwind/ehframe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool cond)
{
	if (!cond)
		abort();
}

static void check_table(const struct unwind_table *t, uint32_t max_rows)
{
	require(t->nrows <= (max_rows > t->npages ? max_rows : t->npages));
	require(t->nrules >= ABI_UNWIND__N && t->nrules <= ABI_UNWIND_MAX_RULES);
	require(t->page_first[t->npages] == t->nrows && !(t->base_vaddr & 0xffff));
	for (uint32_t page = 0; page < t->npages; page++) {
		uint64_t vaddr = t->base_vaddr + ((uint64_t)page << ABI_UNWIND_PAGE_SHIFT);

		require(t->page_first[page] < t->page_first[page + 1]);
		require(t->rows[t->page_first[page]] >> 16 == 0);
		for (uint32_t i = t->page_first[page]; i < t->page_first[page + 1]; i++) {
			uint32_t index = t->rows[i] & 0xffff;
			struct abi_unwind_rule rule;

			require(index < t->nrules);
			require(i == t->page_first[page] || t->rows[i] >> 16 > t->rows[i - 1] >> 16);
			require(unwind_table__find(t, vaddr + (t->rows[i] >> 16), &rule));
			require(memcmp(&rule, &t->rules[index], sizeof(rule)) == 0);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Low, so that plain, relative and short pointers reach it; its end is not that of a page. */
	static const struct ehframe_range code[] = { { 0x1000, 0x23456 }, { 0x30000, 0x50000 } };
	static const struct ehframe_range vast[] = { { 0x1000, 0x23456 }, { 0x30000, 0x100000000000 } };
	struct ehframe_opts opts = { .max_rows = 1 };
	struct ehframe_image image = { .eh_frame_vaddr = 0x2000, .ncode = 2 };
	struct unwind_table table;
	uint16_t len;
	int err;

	if (size < 4)
		return 0;
	memcpy(&len, data, sizeof(len));
	if (len > size - 4)
		len = (uint16_t)(size - 4);
	opts.max_rows += data[2] == 0xff ? 100000 : data[2];
	opts.go = (struct ehframe_range){ 0x8000, 0x8000 + data[3] * 256ull };
	image.code = data[3] == 0xff ? vast : code; /* 65536 pages take a while */
	image.eh_frame = (struct span){ data + 4, len };
	image.debug_frame = (struct span){ data + 4 + len, size - 4 - len };
	err = ehframe_compile_image(&image, &opts, &table);
	require(err == 0 || err == -ENOMEM);
	if (!err) {
		check_table(&table, opts.max_rows);
		unwind_table__free(&table);
	}
	return 0;
}
