// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lengths by the opcode maps of the Intel SDM, volume 2, appendix A, for 64-bit code.
 *
 * The walk begins at the entry and takes both ways of every branch, so it needs no
 * symbol sizes and meets instruction boundaries only. Behind a call it goes on, though
 * some never return (abort, __cxa_throw): then what it meets is the next function, whose
 * returns are boundaries, too; a probe there is a hit that fits no door in flight. Where
 * it meets data instead, a `ret` may come out that lies in the middle of an instruction
 * which was met as well: then nothing of the function is believed.
 */
#if defined(__x86_64__)
#include "capture/returns.h"

#include <errno.h>
#include <stdbool.h>

#define INSN_MAX 15
#define MAX_INSNS 4096
#define MAX_WAYS 512

enum imm { IMM_NONE, IMM_8, IMM_16, IMM_Z, IMM_V, IMM_MOFFS, IMM_MOFFS32, IMM_ENTER, IMM_BAD };

struct insn {
	uint32_t len; /* up to and with the opcode, then of all */
	uint8_t map; /* 0, 1 (0f), 2 (0f 38), 3 (0f 3a) */
	uint8_t op;
	uint8_t modrm;
	bool has_modrm, opsize16, addrsize32, rex_w, is_vex;
};

/* One-byte opcodes: m has a ModRM byte, - none; then the immediate. By rows of 16. */
static bool map0_has_modrm(uint8_t op)
{
	if (op < 0x40)
		return (op & 7) < 4;
	return op == 0x63 || op == 0x69 || op == 0x6b || (op >= 0x80 && op <= 0x8f) || op == 0xc0 || op == 0xc1 ||
	       op == 0xc6 || op == 0xc7 || (op >= 0xd0 && op <= 0xd3) || (op >= 0xd8 && op <= 0xdf) || op == 0xf6 ||
	       op == 0xf7 || op == 0xfe || op == 0xff;
}

static enum imm map0_imm(const struct insn *i)
{
	uint8_t op = i->op;

	if (op < 0x40)
		return (op & 7) == 4 ? IMM_8 : (op & 7) == 5 ? IMM_Z : (op & 7) > 5 ? IMM_BAD : IMM_NONE;
	if (op >= 0x70 && op <= 0x7f)
		return IMM_8;
	if (op >= 0xb0 && op <= 0xb7)
		return IMM_8;
	if (op >= 0xb8 && op <= 0xbf)
		return IMM_V;
	if (op >= 0xa0 && op <= 0xa3)
		return i->addrsize32 ? IMM_MOFFS32 : IMM_MOFFS;
	switch (op) {
	case 0x6a: case 0x6b: case 0x80: case 0x83: case 0xa8: case 0xc0: case 0xc1: case 0xc6: case 0xcd:
	case 0xe0: case 0xe1: case 0xe2: case 0xe3: case 0xe4: case 0xe5: case 0xe6: case 0xe7: case 0xeb:
		return IMM_8;
	case 0x68: case 0x69: case 0x81: case 0xa9: case 0xc7: case 0xe8: case 0xe9:
		return IMM_Z;
	case 0x8f: /* pop; the others are AMD's XOP */
		return (i->modrm >> 3 & 7) ? IMM_BAD : IMM_NONE;
	case 0xf6:
		return (i->modrm >> 3 & 7) < 2 ? IMM_8 : IMM_NONE;
	case 0xf7:
		return (i->modrm >> 3 & 7) < 2 ? IMM_Z : IMM_NONE;
	case 0xc2: case 0xca:
		return IMM_16;
	case 0xc8:
		return IMM_ENTER;
	case 0x60: case 0x61: case 0x82: case 0x9a: case 0xce: case 0xd4: case 0xd5: case 0xd6: case 0xea:
		return IMM_BAD;
	}
	return IMM_NONE;
}

static bool map1_has_modrm(uint8_t op)
{
	return !((op >= 0x05 && op <= 0x0b) || (op >= 0x30 && op <= 0x37) || op == 0x77 || (op >= 0x80 && op <= 0x8f) ||
		 (op >= 0xa0 && op <= 0xa2) || (op >= 0xa8 && op <= 0xaa) || (op >= 0xc8 && op <= 0xcf));
}

static enum imm map1_imm(uint8_t op)
{
	if (op >= 0x80 && op <= 0x8f)
		return IMM_Z;
	if (op == 0x78 || (op >= 0x20 && op <= 0x27)) /* AMD's extrq, moves of control registers: of other lengths */
		return IMM_BAD;
	return op == 0x0f /* 3DNow! */ || (op >= 0x70 && op <= 0x73) || op == 0xa4 || op == 0xac || op == 0xba || op == 0xc2 ||
			       (op >= 0xc4 && op <= 0xc6) ? IMM_8 : IMM_NONE;
}

static bool take(struct span code, struct insn *i, uint8_t *ret)
{
	return span_u8(code, i->len++, ret);
}

/* VEX and EVEX: the map is in the prefix. */
static bool take_vex(struct span code, struct insn *i, uint8_t lead)
{
	uint8_t p0 = 0, skip;

	if (!take(code, i, &p0))
		return false;
	i->is_vex = true;
	i->map = lead == 0xc5 ? 1 : lead == 0xc4 ? p0 & 0x1f : p0 & 7;
	for (int n = lead == 0xc5 ? 0 : lead == 0xc4 ? 1 : 2; n > 0; n--)
		if (!take(code, i, &skip))
			return false;
	return i->map >= 1 && i->map <= 3 && take(code, i, &i->op);
}

static bool take_opcode(struct span code, struct insn *i)
{
	uint8_t byte;

	for (;;) {
		if (i->len > INSN_MAX || !take(code, i, &byte))
			return false;
		if (byte == 0x66)
			i->opsize16 = true;
		else if (byte == 0x67)
			i->addrsize32 = true;
		else if (byte != 0xf0 && byte != 0xf2 && byte != 0xf3 && byte != 0x2e && byte != 0x36 &&
			 byte != 0x3e && byte != 0x26 && byte != 0x64 && byte != 0x65)
			break;
	}
	if (byte >> 4 == 4) {
		i->rex_w = byte & 8;
		if (!take(code, i, &byte))
			return false;
	}
	if (byte == 0xc4 || byte == 0xc5 || byte == 0x62)
		return take_vex(code, i, byte);
	i->op = byte;
	if (byte != 0x0f)
		return true;
	i->map = 1;
	if (!take(code, i, &i->op))
		return false;
	if (i->op != 0x38 && i->op != 0x3a)
		return true;
	i->map = i->op == 0x38 ? 2 : 3;
	return take(code, i, &i->op);
}

static bool take_modrm(struct span code, struct insn *i)
{
	uint8_t mod, rm, sib;

	i->has_modrm = i->map == 0 ? map0_has_modrm(i->op) : i->map == 1 ? map1_has_modrm(i->op) : true;
	if (!i->has_modrm)
		return true;
	if (!take(code, i, &i->modrm))
		return false;
	mod = i->modrm >> 6;
	rm = i->modrm & 7;
	if (mod == 3)
		return true;
	if (rm == 4) {
		if (!take(code, i, &sib))
			return false;
		rm = sib & 7;
	}
	i->len += mod == 1 ? 1 : mod == 2 || (mod == 0 && rm == 5) ? 4 : 0;
	return true;
}

static bool decode(struct span code, struct insn *i)
{
	static const uint8_t bytes[] = { [IMM_8] = 1, [IMM_16] = 2, [IMM_MOFFS] = 8, [IMM_MOFFS32] = 4, [IMM_ENTER] = 3 };
	enum imm imm;

	*i = (struct insn){ 0 };
	if (!take_opcode(code, i) || !take_modrm(code, i))
		return false;
	imm = i->map == 0 ? map0_imm(i) : i->map == 1 ? map1_imm(i->op) : i->map == 3 ? IMM_8 : IMM_NONE;
	if (imm == IMM_BAD)
		return false;
	if (imm == IMM_V && i->rex_w)
		i->len += 8;
	else if (imm == IMM_Z || imm == IMM_V) /* branches have 32 bits whatever the prefix says */
		i->len += i->opsize16 && !i->rex_w && !(i->map == 0 && (i->op == 0xe8 || i->op == 0xe9)) && i->map != 1 ? 2 : 4;
	else
		i->len += bytes[imm];
	return i->len <= INSN_MAX && span_has(code, 0, i->len);
}

uint32_t insn_length(struct span code)
{
	struct insn i;

	return decode(code, &i) ? i.len : 0;
}

struct walk {
	uint64_t ways[MAX_WAYS]; /* starts of code that is to be followed, or was */
	size_t nways;
	struct {
		uint64_t vaddr;
		uint32_t len;
	} insns[MAX_INSNS]; /* that were met */
	size_t ninsns;
	uint64_t *returns;
	int nreturns;
};

static int add_way(struct walk *w, uint64_t vaddr)
{
	for (size_t i = 0; i < w->nways; i++)
		if (w->ways[i] == vaddr)
			return 0;
	if (w->nways == MAX_WAYS)
		return -EILSEQ;
	w->ways[w->nways++] = vaddr;
	return 0;
}

static int add_return(struct walk *w, uint64_t vaddr)
{
	if (w->nreturns == RETURNS_MAX)
		return -EILSEQ;
	w->returns[w->nreturns++] = vaddr;
	return 0;
}

static bool was_met(const struct walk *w, uint64_t vaddr)
{
	for (size_t i = 0; i < w->ninsns; i++)
		if (w->insns[i].vaddr == vaddr)
			return true;
	return false;
}

/* Is a return in the middle of another instruction? */
static bool overlaps(const struct walk *w)
{
	for (int i = 0; i < w->nreturns; i++)
		for (size_t k = 0; k < w->ninsns; k++)
			if (w->returns[i] - w->insns[k].vaddr - 1 < w->insns[k].len - 1)
				return true;
	return false;
}

static int64_t displacement(struct span code, const struct insn *i, uint32_t bytes)
{
	uint32_t disp = 0;
	uint8_t disp8 = 0;

	if (bytes == 1)
		return span_u8(code, i->len - 1, &disp8) ? (int8_t)disp8 : 0;
	return span_u32(code, i->len - 4, &disp) ? (int32_t)disp : 0;
}

/* What the instruction at @vaddr leads to. 1: also the next one, 0: not, or -EILSEQ. */
static int follow(struct walk *w, struct span code, const struct insn *i, uint64_t vaddr)
{
	uint64_t next = vaddr + i->len;
	int err;

	if (i->is_vex || i->map > 1)
		return 1;
	if (i->map == 1) {
		if (i->op == 0x0b) /* ud2 */
			return 0;
		if (i->op < 0x80 || i->op > 0x8f)
			return 1;
		err = add_way(w, next + (uint64_t)displacement(code, i, 4));
		return err ? err : 1;
	}
	if (i->op == 0xc3 || i->op == 0xc2)
		return add_return(w, vaddr);
	if (i->op == 0xe9 || i->op == 0xeb)
		return add_way(w, next + (uint64_t)displacement(code, i, i->op == 0xe9 ? 4 : 1));
	if ((i->op >= 0x70 && i->op <= 0x7f) || (i->op >= 0xe0 && i->op <= 0xe3)) {
		err = add_way(w, next + (uint64_t)displacement(code, i, 1));
		return err ? err : 1;
	}
	if (i->op == 0xff && ((i->modrm >> 3 & 7) == 4 || (i->modrm >> 3 & 7) == 5))
		return -EILSEQ; /* jmp *r/m */
	if (i->op == 0xca || i->op == 0xcb || i->op == 0xcf)
		return -EILSEQ; /* far returns */
	return i->op != 0xcc && i->op != 0xf4; /* int3, hlt: nothing comes behind them */
}

/* From @vaddr to where its way ends, or joins another. */
static int follow_way(struct walk *w, const struct code_reader *reader, uint64_t vaddr)
{
	uint8_t bytes[INSN_MAX + 1];
	struct insn insn;
	int more = 1;

	while (more > 0 && !was_met(w, vaddr)) {
		struct span code = { bytes, reader->read(reader->ctx, vaddr, bytes, sizeof(bytes)) };

		if (w->ninsns == MAX_INSNS || !decode(code, &insn))
			return -EILSEQ;
		w->insns[w->ninsns].vaddr = vaddr;
		w->insns[w->ninsns++].len = insn.len;
		more = follow(w, code, &insn, vaddr);
		vaddr += insn.len;
	}
	return more < 0 ? more : 0;
}

int returns_find(const struct code_reader *reader, uint64_t entry, uint64_t ret[static RETURNS_MAX])
{
	struct walk w;
	int err = 0;

	w.nways = w.ninsns = 0;
	w.nreturns = 0;
	w.returns = ret;
	add_way(&w, entry);
	for (size_t way = 0; !err && way < w.nways; way++)
		err = follow_way(&w, reader, w.ways[way]);
	if (err)
		return err;
	return overlaps(&w) ? -EILSEQ : w.nreturns;
}
#endif
