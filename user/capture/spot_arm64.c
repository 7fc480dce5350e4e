// SPDX-License-Identifier: GPL-2.0-or-later
#if defined(__aarch64__)
#include "capture/spot.h"

#include <errno.h>

#include "bpf/abi.h"

#define BRK_UPROBE 0xd4200080u /* BRK64_OPCODE_UPROBES of arch/arm64/include/asm/uprobes.h */

struct pattern {
	uint32_t mask, bits;
};

/* Go's stack check: the guard, the lowest stack pointer, compare, b.ls. stacksplit() of cmd/internal/obj/arm64/obj7.go. */
static const struct pattern load_guard = { 0xffffffe0, 0xf9400b80 }; /* ldr xN, [x28, #16] */
static const struct pattern frame_top[] = {
	{ 0xff8003e0, 0xd10003e0 }, /* sub xN, sp, #imm */
	{ 0xffffffe0, 0x910003e0 }, /* mov xN, sp */
};
static const struct pattern compare[] = {
	{ 0xffe0ffff, 0xeb2063ff }, /* cmp sp, xN */
	{ 0xffe0fc1f, 0xeb00001f }, /* cmp xN, xM */
};
static const struct pattern branch = { 0xff00001f, 0x54000009 }; /* b.ls: simulated by the kernel */
static const struct pattern push_frame = { 0xffe00fff, 0xf8000ffe }; /* str x30, [sp, #-N]! */

static bool match(struct span code, uint32_t off, const struct pattern *set, size_t n)
{
	uint32_t insn;

	if (!span_u32(code, off, &insn))
		return false;
	for (size_t i = 0; i < n; i++)
		if ((insn & set[i].mask) == set[i].bits)
			return true;
	return false;
}

static uint32_t find_stack_check(struct span code)
{
	uint32_t off = 0;

	if (!match(code, off, &load_guard, 1))
		return 0;
	off += 4;
	while (off < 16 && match(code, off, frame_top, 2))
		off += 4;
	if (!match(code, off, compare, 2) || !match(code, off + 4, &branch, 1))
		return 0;
	return off + 4;
}

int spot_find_go(struct span code, bool old_abi, struct spot *ret)
{
	uint32_t abi_flags = ABI_SPOT_RA_AT_SP | (old_abi ? ABI_SPOT_GO_STACK_ARGS : 0);
	uint32_t off = find_stack_check(code);

	if (off)
		*ret = (struct spot){ off, abi_flags | ABI_SPOT_STACK_CHECK };
	else if (match(code, 0, &push_frame, 1))
		*ret = (struct spot){ 0, abi_flags | ABI_SPOT_STEPPED };
	else
		return -EILSEQ;
	return 0;
}

/* Entries of C functions are not simulated, but stepping out of line is one exception more, not a second trap. */
int spot_find_c(struct span code, struct spot *ret)
{
	uint32_t insn;

	if (!span_u32(code, 0, &insn) || insn == BRK_UPROBE)
		return -EILSEQ;
	*ret = (struct spot){ 0, ABI_SPOT_RA_AT_SP | ABI_SPOT_STEPPED };
	return 0;
}

/* The kernel simulates the cbz x0 with which free() begins. */
int spot_find_release(struct span code, struct spot *ret)
{
	int err = spot_find_c(code, ret);
	uint32_t insn;

	if (!err && span_u32(code, 0, &insn) && (insn & 0xff00001f) == 0xb4000000)
		ret->flags &= ~ABI_SPOT_STEPPED;
	return err;
}

bool spot_is_after_call(struct span before)
{
	static const struct pattern calls[] = {
		{ 0xfc000000, 0x94000000 }, /* bl */
		{ 0xfffffc1f, 0xd63f0000 }, /* blr xN */
		{ 0xfefff800, 0xd63f0800 }, /* blraa, blrab and their kin */
	};

	return before.len >= 4 && match(before, before.len - 4, calls, sizeof(calls) / sizeof(calls[0]));
}

bool spot_matches(struct span file_bytes, struct span image_bytes)
{
	uint32_t image;

	if (file_bytes.len < 4 || file_bytes.len != image_bytes.len || !span_u32(image_bytes, 0, &image))
		return false;
	if (image != BRK_UPROBE && memcmp(file_bytes.data, image_bytes.data, 4) != 0)
		return false;
	return memcmp(file_bytes.data + 4, image_bytes.data + 4, file_bytes.len - 4) == 0;
}
#endif
