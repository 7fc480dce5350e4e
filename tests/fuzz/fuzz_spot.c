// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: any bytes as the code of a function. Whatever they are, a spot lies on an
 * instruction that spot.h promises: the branch after a stack check, a push, or the
 * first one; and no byte behind the end is looked at.
 */
#include <stdlib.h>

#include "bpf/abi.h"
#include "capture/spot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_go(struct span code, bool old_abi)
{
	const uint32_t known = ABI_SPOT_RA_AT_SP | ABI_SPOT_STACK_CHECK | ABI_SPOT_STEPPED | ABI_SPOT_GO_STACK_ARGS;
	struct spot spot;

	if (spot_find_go(code, old_abi, &spot))
		return;
	if (spot.offset >= code.len || spot.flags & ~known || !(spot.flags & ABI_SPOT_RA_AT_SP) ||
	    !(spot.flags & ABI_SPOT_GO_STACK_ARGS) != !old_abi)
		abort();
#if defined(__x86_64__)
	if (spot.flags & ABI_SPOT_STACK_CHECK) {
		/* A whole jbe rel8 or rel32, behind a comparison. */
		bool near = code.data[spot.offset] == 0x76 && code.len - spot.offset >= 2;
		bool far = code.len - spot.offset >= 6 && code.data[spot.offset] == 0x0f && code.data[spot.offset + 1] == 0x86;

		if (spot.offset < 4 || (!near && !far) || code.data[spot.offset - 1] != 0x10)
			abort();
	} else if (spot.offset) {
		abort();
	}
#endif
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span code = { data, size };
	struct spot spot;

	check_go(code, false);
	check_go(code, true);
	if (spot_find_c(code, &spot) == 0 && (spot.offset >= size || (spot.offset && spot.offset != 4)))
		abort();
	for (size_t len = 0; len <= size && len < 16; len++)
		spot_is_after_call((struct span){ data, len });
	if (size && !spot_matches(code, code))
		abort();
	if (size && spot_matches(code, (struct span){ data, size - 1 }))
		abort();
	return 0;
}
