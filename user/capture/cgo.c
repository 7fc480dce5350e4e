// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/cgo.h"

#define CODE_BYTES 96 /* of a function: its prologue and the load of g */
#define TLS_G_ALONE (-8) /* where there is no other thread-local variable (runtime/go_tls.h, linux/amd64) */

/*
 * mov %fs:disp32,%reg; or in a PIE mov $imm32,%reg; mov %fs:(%reg),%reg2 (cmd/internal/obj/x86). A
 * library's code reads the offset from memory, where it is not known before it runs.
 */
bool cgo_find_tls_g(struct span code, int32_t *ret)
{
#if defined(__x86_64__)
	for (size_t off = 0; span_has(code, off, 11); off++) {
		const uint8_t *p = code.data + off;
		/* REX.W alone or with R, B; ModRM without the register */
		bool direct = p[0] == 0x64 && (p[1] & 0xfb) == 0x48 && p[2] == 0x8b && (p[3] & 0xc7) == 0x04 &&
			      p[4] == 0x25;
		bool by_reg = (p[0] & 0xfe) == 0x48 && p[1] == 0xc7 && (p[2] & 0xf8) == 0xc0 && p[7] == 0x64 &&
			      (p[8] & 0xfa) == 0x48 && (p[8] & 1) == (p[0] & 1) && p[9] == 0x8b &&
			      (p[10] & 0xc7) == (p[2] & 7);
		uint32_t value = 0;

		if ((direct || by_reg) && span_u32(code, off + (direct ? 5 : 3), &value)) {
			*ret = (int32_t)value;
			return true;
		}
	}
#else
	(void)code;
	(void)ret;
#endif
	return false;
}

/* The bytes of the function's frame behind its prologue: from SP to the return address. */
static bool frame_bytes(const struct gopclntab *tab, const struct go_func *func, uint16_t *ret)
{
	int32_t largest = -1, delta;

	for (uint64_t pc = func->entry; pc < func->end && pc < func->entry + CODE_BYTES; pc++)
		if (gopclntab__sp_delta(tab, pc, &delta) && delta > largest)
			largest = delta;
	*ret = (uint16_t)largest;
	return largest >= 0 && largest < 4096;
}

void cgo_find(const struct gobin *bin, struct elf_file *elf, struct abi_go *ret)
{
	const struct gopclntab *tab = gobin__pclntab(bin);
	struct go_func cgocall, asmcgocall, callback;
	uint16_t cgocall_frame, asm_frame, callback_frame;
	uint8_t code[CODE_BYTES];
	ssize_t len;

	ret->tls_g = TLS_G_ALONE;
	/* Up to 1.15 cgocallback is Go's side of it, and cgocallback_gofunc switches the stacks. */
	if (!tab || !gopclntab__find_name(tab, "runtime.cgocall", &cgocall) ||
	    !gopclntab__find_name(tab, "runtime.asmcgocall", &asmcgocall) ||
	    (!gopclntab__find_name(tab, "runtime.cgocallback_gofunc", &callback) &&
	     !gopclntab__find_name(tab, "runtime.cgocallback", &callback)))
		return;
	len = elf_file__read_vaddr(elf, callback.entry, code, sizeof(code));
	if (len <= 0 || !cgo_find_tls_g((struct span){ code, len }, &ret->tls_g))
		return;
	if (!ret->g_syscallsp || !ret->g_syscallpc || !frame_bytes(tab, &cgocall, &cgocall_frame) ||
	    !frame_bytes(tab, &asmcgocall, &asm_frame) || !frame_bytes(tab, &callback, &callback_frame))
		return;
	ret->cgocall_frame = cgocall_frame;
	/* cgocallback's frame and return address, then asmcgocall's. */
	ret->callback_frame = callback_frame + 8 + asm_frame + 8;
	ret->cgocall_bytes = (uint32_t)(cgocall.end - cgocall.entry);
	ret->cgocall = cgocall.entry;
}
