// SPDX-License-Identifier: GPL-2.0-or-later
#if defined(__x86_64__)
#include "capture/spot.h"

#include <errno.h>

#include "bpf/abi.h"

#define INT3 0xcc

/* Instructions as bytes and a mask (00: any byte), for prologues. */
struct pattern {
	uint8_t len;
	uint8_t bytes[12], mask[12];
};

#define ANY4 0, 0, 0, 0
#define FF4 0xff, 0xff, 0xff, 0xff

/* Go's stack check by steps; each step is one of several instructions. */
static const struct pattern load_g[] = { /* before 1.17; later g is in r14 */
	{ 9, { 0x64, 0x48, 0x8b, 0x0c, 0x25, ANY4 }, { FF4, 0xff, ANY4 } }, /* mov %fs:x,%rcx */
};
static const struct pattern tls_offset[] = { /* PIE and external linking: the offset of g first */
	{ 7, { 0x48, 0x8b, 0x0d, ANY4 }, { 0xff, 0xff, 0xff, ANY4 } }, /* mov x(%rip),%rcx */
	{ 7, { 0x48, 0xc7, 0xc1, ANY4 }, { 0xff, 0xff, 0xff, ANY4 } }, /* mov $x,%rcx */
};
static const struct pattern load_g_rcx[] = {
	{ 4, { 0x64, 0x48, 0x8b, 0x09 }, { FF4 } }, /* mov %fs:(%rcx),%rcx */
};
static const struct pattern frame_top[] = { /* frames over 128 bytes */
	{ 5, { 0x4c, 0x8d, 0x64, 0x24 }, { FF4 } }, /* lea x8(%rsp),%r12 */
	{ 8, { 0x4c, 0x8d, 0xa4, 0x24 }, { FF4 } }, /* lea x32(%rsp),%r12 */
	{ 5, { 0x48, 0x8d, 0x44, 0x24 }, { FF4 } }, /* lea x8(%rsp),%rax */
	{ 8, { 0x48, 0x8d, 0x84, 0x24 }, { FF4 } }, /* lea x32(%rsp),%rax */
};
static const struct pattern compare[] = {
	{ 4, { 0x49, 0x3b, 0x66, 0x10 }, { FF4 } }, /* cmp 0x10(%r14),%rsp */
	{ 4, { 0x4d, 0x3b, 0x66, 0x10 }, { FF4 } }, /* cmp 0x10(%r14),%r12 */
	{ 4, { 0x48, 0x3b, 0x61, 0x10 }, { FF4 } }, /* cmp 0x10(%rcx),%rsp */
	{ 4, { 0x48, 0x3b, 0x41, 0x10 }, { FF4 } }, /* cmp 0x10(%rcx),%rax */
};
static const struct pattern branch[] = {
	{ 2, { 0x76, 0 }, { 0xff, 0 } }, /* jbe rel8 */
	{ 6, { 0x0f, 0x86, ANY4 }, { 0xff, 0xff, ANY4 } }, /* jbe rel32 */
};
static const struct pattern entry_step[] = { /* first instructions of functions without a stack check */
	{ 4, { 0x48, 0x83, 0xec, 0 }, { 0xff, 0xff, 0xff, 0 } }, /* sub $x8,%rsp */
	{ 7, { 0x48, 0x81, 0xec, ANY4 }, { 0xff, 0xff, 0xff, ANY4 } }, /* sub $x32,%rsp */
};

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* Length of the instruction at @off if it is one of @set, else 0. */
static uint32_t match(struct span code, uint32_t off, const struct pattern *set, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool same = span_has(code, off, set[i].len);

		for (uint32_t k = 0; same && k < set[i].len; k++)
			same = (code.data[off + k] & set[i].mask[k]) == (set[i].bytes[k] & set[i].mask[k]);
		if (same)
			return set[i].len;
	}
	return 0;
}

/* Offset of the branch after the stack check, 0 if the code does not begin with one. */
static uint32_t find_stack_check(struct span code)
{
	uint32_t off = match(code, 0, load_g, N(load_g));
	uint32_t len;

	if (!off) {
		len = match(code, 0, tls_offset, N(tls_offset));
		off = len ? match(code, len, load_g_rcx, N(load_g_rcx)) : 0;
		off = off ? off + len : 0;
	}
	off += match(code, off, frame_top, N(frame_top));
	len = match(code, off, compare, N(compare));
	if (!len || !match(code, off + len, branch, N(branch)))
		return 0;
	return off + len;
}

/* push %reg, also %r8-%r15: the kernel emulates it. */
static bool is_push(struct span code, uint32_t off)
{
	uint8_t op = 0;

	if (!span_u8(code, off, &op))
		return false;
	if (op == 0x41 && !span_u8(code, off + 1, &op))
		return false;
	return op >= 0x50 && op <= 0x57;
}

int spot_find_go(struct span code, bool old_abi, struct spot *ret)
{
	uint32_t abi_flags = ABI_SPOT_RA_AT_SP | (old_abi ? ABI_SPOT_GO_STACK_ARGS : 0);
	uint32_t off = find_stack_check(code);

	if (off)
		*ret = (struct spot){ off, abi_flags | ABI_SPOT_STACK_CHECK };
	else if (is_push(code, 0))
		*ret = (struct spot){ 0, abi_flags };
	else if (match(code, 0, entry_step, N(entry_step)))
		*ret = (struct spot){ 0, abi_flags | ABI_SPOT_STEPPED };
	else
		return -EILSEQ;
	return 0;
}

static const struct pattern endbr = { 4, { 0xf3, 0x0f, 0x1e, 0xfa }, { FF4 } };

/* The branch of `test %rdi,%rdi; je`, with which free() begins: nothing else leads to it. */
int spot_find_release(struct span code, struct spot *ret)
{
	static const struct pattern test = { 3, { 0x48, 0x85, 0xff }, { 0xff, 0xff, 0xff } };
	static const struct pattern je[] = {
		{ 2, { 0x74, 0 }, { 0xff, 0 } }, /* je rel8 */
		{ 6, { 0x0f, 0x84, ANY4 }, { 0xff, 0xff, ANY4 } }, /* je rel32 */
	};
	uint32_t off = match(code, 0, &endbr, 1), len = match(code, off, &test, 1);

	if (!len || !match(code, off + len, je, N(je)))
		return spot_find_c(code, ret);
	*ret = (struct spot){ off + len, ABI_SPOT_RA_AT_SP };
	return 0;
}

int spot_find_c(struct span code, struct spot *ret)
{
	uint32_t off = match(code, 0, &endbr, 1);
	uint8_t op;

	if (!is_push(code, off))
		off = 0;
	if (!span_u8(code, off, &op) || op == INT3)
		return -EILSEQ;
	*ret = (struct spot){ off, ABI_SPOT_RA_AT_SP };
	if (!is_push(code, off))
		ret->flags |= ABI_SPOT_STEPPED;
	return 0;
}

/* Are the @len (at least 2) bytes at @insn one `call *r/m` (ff /2)? Intel SDM vol. 2, tables 2-2 and 2-3. */
static bool is_indirect_call(const uint8_t *insn, uint32_t len)
{
	uint8_t modrm = insn[1], mod = modrm >> 6, rm = modrm & 7;
	uint32_t need = 2;

	if (insn[0] != 0xff || (modrm >> 3 & 7) != 2)
		return false;
	if (mod != 3 && rm == 4) { /* SIB, whose base 5 is none without mod, as rm 5 is %rip */
		if (len < 3)
			return false;
		need++;
		rm = insn[2] & 7;
	}
	if (mod == 1)
		need += 1;
	else if (mod == 2 || (mod == 0 && rm == 5))
		need += 4;
	return need == len;
}

bool spot_is_after_call(struct span before)
{
	if (before.len < 7)
		return false;
	if (before.data[before.len - 5] == 0xe8)
		return true;
	for (uint32_t len = 2; len <= 7; len++)
		if (is_indirect_call(before.data + before.len - len, len))
			return true;
	return false;
}

bool spot_matches(struct span file_bytes, struct span image_bytes)
{
	if (!file_bytes.len || file_bytes.len != image_bytes.len)
		return false;
	if (image_bytes.data[0] != file_bytes.data[0] && image_bytes.data[0] != INT3)
		return false;
	return memcmp(file_bytes.data + 1, image_bytes.data + 1, file_bytes.len - 1) == 0;
}
#endif
