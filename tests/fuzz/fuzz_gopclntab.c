// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer entry for the pclntab parser:
 *   clang -fsanitize=fuzzer,address,undefined -g -O1 -D_GNU_SOURCE -Iuser tests/fuzz/fuzz_gopclntab.c
 *     user/go/gopclntab.c
 * Input: Go minor (1 byte), length of funcdata in bytes (2), then funcdata, then the
 * table. A seed from a program: printf '\x13\0\0'; objcopy -O binary --only-section=.gopclntab PROG /dev/stdout
 */
#include <stdlib.h>
#include <string.h>

#include "go/gopclntab.h"

#define TEXT 0x401000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes are read, so that a name which is not terminated is found. */
static size_t use(const char *s)
{
	return strlen(s);
}

static size_t look_up(const struct gopclntab *tab, uint64_t pc)
{
	struct go_frame frames[8];
	struct go_func func;
	size_t sum = 0;
	int32_t delta;
	int n;

	if (gopclntab__find_pc(tab, pc, &func)) {
		if (pc < func.entry || pc >= func.end)
			abort();
		sum += use(func.name);
	}
	n = gopclntab__frames(tab, pc, frames, 8);
	if (n < 0 || n > 8)
		abort();
	for (int i = 0; i < n; i++)
		sum += use(frames[i].func) + use(frames[i].file);
	if (gopclntab__sp_delta(tab, pc, &delta) && delta < 0)
		abort();
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gopclntab_input in = { .text_vaddr = TEXT, .funcdata_vaddr = 0x500000 };
	struct gopclntab *tab = NULL;
	struct go_func func;
	uint16_t len;

	if (size < 3)
		return 0;
	in.go_minor = data[0];
	memcpy(&len, data + 1, sizeof(len));
	if (len > size - 3)
		return 0;
	in.funcdata = (struct span){ data + 3, len };
	in.bytes = (struct span){ data + 3 + len, size - 3 - len };
	gopclntab_probe(in.bytes);
	if (gopclntab__open(&in, &tab))
		return 0;
	for (uint32_t i = 0; i < gopclntab__nfuncs(tab) && i < 64; i++) {
		if (!gopclntab__func(tab, i, &func))
			continue;
		look_up(tab, func.entry);
		look_up(tab, func.entry + (func.end - func.entry) / 2);
		look_up(tab, func.end - 1);
	}
	look_up(tab, 0);
	look_up(tab, TEXT + size);
	look_up(tab, UINT64_MAX);
	gopclntab__free(tab);
	return 0;
}
