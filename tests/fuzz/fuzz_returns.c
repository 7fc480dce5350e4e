// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: any bytes as code, entered anywhere. Whatever they are: the search ends,
 * looks at no byte behind the end, and what it calls returns are return instructions
 * within the code, each once.
 */
#include <stdlib.h>

#include "capture/returns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BASE 0x10000u

/* A copy of its own for each read, or the sanitizer would not see what is read behind it. */
static size_t read_code(void *ctx, uint64_t vaddr, uint8_t *buf, size_t size)
{
	const struct span *code = ctx;
	size_t n;

	if (vaddr < BASE || vaddr - BASE >= code->len)
		return 0;
	n = code->len - (vaddr - BASE);
	n = n < size ? n : size;
	memcpy(buf, code->data + (vaddr - BASE), n);
	return n;
}

static void check_lengths(struct span code)
{
	for (size_t len = 0; len <= code.len && len < 20; len++) {
		uint8_t *exact = malloc(len + !len);
		uint32_t n;

		memcpy(exact, code.data, len);
		n = insn_length((struct span){ exact, len });
		if (n > len || n > 15)
			abort();
		free(exact);
	}
}

#if defined(__x86_64__)
/* c2 or c3 behind prefixes: the instruction ends with it. */
static bool is_return(struct span code)
{
	uint32_t n = insn_length(code);

	return n && (code.data[n - 1] == 0xc3 || (n >= 3 && code.data[n - 3] == 0xc2));
}
#else
static bool is_return(struct span code)
{
	return code.len >= 4;
}
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span code = { data, size }, at;
	const struct code_reader reader = { &code, read_code };
	uint64_t returns[RETURNS_MAX];
	int n;

	check_lengths(code);
	n = returns_find(&reader, BASE + (size ? data[0] : 0), returns);
	if (n > RETURNS_MAX)
		abort();
	for (int i = 0; i < n; i++) {
		if (returns[i] < BASE || !span_from(code, returns[i] - BASE, &at) || !is_return(at))
			abort();
		for (int k = 0; k < i; k++)
			if (returns[k] == returns[i])
				abort();
	}
	return 0;
}
