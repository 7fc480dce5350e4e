// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Formats: DWARF 5, 6.4 and 7.24 (call frame instructions), 2.5 (expressions); LSB 5.0, 10.5 and 10.6 (pointer
 * encodings, GNU instructions); the numbers of registers are in the psABI of each machine.
 *
 * Every instruction costs at least the byte that it is written in, and none is looked at twice: time is linear
 * in the bytes, whatever they say. Arithmetic on what the file says is checked; what overflows is malformed.
 */
#include "unwind/cfi.h"

#include "unwind/table.h"

#define MAX_REMEMBERED 64 /* depth of DW_CFA_remember_state; compilers need one or two */

#if defined(__x86_64__)
const struct cfi_machine cfi_machine = {
	.sp = 7,
	.fp = 6,
	.ra = 16,
	.ra_at_cfa_off = -8,
	.signal_sp_off = 160, /* offsetof(ucontext_t, uc_mcontext.gregs[REG_RSP]) */
};
#elif defined(__aarch64__)
/*
 * The return address is in x30 until a function saves it, anywhere, and may be signed: struct abi_unwind_rule
 * needs a word for that (and cfi_rule() a line) before any but leaf code can be said. Until then
 * ABI_UNWIND_RETURN_ADDRESS says so, for all code.
 */
const struct cfi_machine cfi_machine = {
	.sp = 31,
	.fp = 29,
	.ra = 30,
	.ra_at_cfa_off = INT64_MIN,
	.signal_sp_off = INT64_MIN,
	.has_negate_ra_state = true,
};
#else
#error "unsupported architecture"
#endif

enum { /* DW_EH_PE_* */
	PE_ABSPTR = 0x00,
	PE_ULEB = 0x01,
	PE_UDATA2 = 0x02,
	PE_UDATA4 = 0x03,
	PE_UDATA8 = 0x04,
	PE_SLEB = 0x09,
	PE_SDATA2 = 0x0a,
	PE_SDATA4 = 0x0b,
	PE_SDATA8 = 0x0c,
	PE_PCREL = 0x10,
	PE_DATAREL = 0x30,
};

enum { /* DW_OP_* */
	OP_DEREF = 0x06,
	OP_AND = 0x1a,
	OP_PLUS = 0x22,
	OP_PLUS_UCONST = 0x23,
	OP_SHL = 0x24,
	OP_GE = 0x2a,
	OP_LIT0 = 0x30,
	OP_LIT3 = 0x33,
	OP_LIT15 = 0x3f,
	OP_LIT31 = 0x4f,
	OP_BREG0 = 0x70,
	OP_BREG31 = 0x8f,
	OP_BREGX = 0x92,
};

enum { /* DW_CFA_* */
	CFA_NOP = 0x00,
	CFA_SET_LOC = 0x01,
	CFA_ADVANCE_LOC1 = 0x02,
	CFA_ADVANCE_LOC2 = 0x03,
	CFA_ADVANCE_LOC4 = 0x04,
	CFA_OFFSET_EXTENDED = 0x05,
	CFA_RESTORE_EXTENDED = 0x06,
	CFA_UNDEFINED = 0x07,
	CFA_SAME_VALUE = 0x08,
	CFA_REGISTER = 0x09,
	CFA_REMEMBER_STATE = 0x0a,
	CFA_RESTORE_STATE = 0x0b,
	CFA_DEF_CFA = 0x0c,
	CFA_DEF_CFA_REGISTER = 0x0d,
	CFA_DEF_CFA_OFFSET = 0x0e,
	CFA_DEF_CFA_EXPRESSION = 0x0f,
	CFA_EXPRESSION = 0x10,
	CFA_OFFSET_EXTENDED_SF = 0x11,
	CFA_DEF_CFA_SF = 0x12,
	CFA_DEF_CFA_OFFSET_SF = 0x13,
	CFA_VAL_OFFSET = 0x14,
	CFA_VAL_OFFSET_SF = 0x15,
	CFA_VAL_EXPRESSION = 0x16,
	CFA_AARCH64_NEGATE_RA_STATE = 0x2d,
	CFA_GNU_ARGS_SIZE = 0x2e,
	CFA_GNU_NEGATIVE_OFFSET_EXTENDED = 0x2f,
	/* The upper two bits, an operand in the others. */
	CFA_ADVANCE_LOC = 0x40,
	CFA_OFFSET = 0x80,
	CFA_RESTORE = 0xc0,
	CFA_PRIMARY = 0xc0,
	CFA_OPERAND = 0x3f,
};

/* A number of @len bytes at *off, with its sign if @is_signed. */
static bool read_fixed(struct span bytes, uint64_t *off, size_t len, bool is_signed, uint64_t *ret)
{
	uint64_t value = 0;

	if (!span_read(bytes, *off, &value, len))
		return false;
	*off += len;
	if (is_signed && len < 8 && value >> (8 * len - 1))
		value |= ~0ull << 8 * len;
	*ret = value;
	return true;
}

bool cfi_pointer(const struct cfi_section *section, uint64_t *off, uint8_t enc, uint64_t *ret)
{
	uint64_t at = section->vaddr + *off, value;
	bool ok;

	switch (enc & CFI_PTR_FORMAT) {
	case PE_ABSPTR:
	case PE_UDATA8:
	case PE_SDATA8:
		ok = read_fixed(section->bytes, off, 8, false, &value);
		break;
	case PE_UDATA2:
	case PE_SDATA2:
		ok = read_fixed(section->bytes, off, 2, (enc & CFI_PTR_FORMAT) == PE_SDATA2, &value);
		break;
	case PE_UDATA4:
	case PE_SDATA4:
		ok = read_fixed(section->bytes, off, 4, (enc & CFI_PTR_FORMAT) == PE_SDATA4, &value);
		break;
	case PE_ULEB:
		ok = span_uleb(section->bytes, off, &value);
		break;
	case PE_SLEB:
		ok = span_sleb(section->bytes, off, (int64_t *)&value);
		break;
	default:
		return false;
	}
	if (!ok)
		return false;
	switch (enc & ~CFI_PTR_FORMAT) {
	case PE_ABSPTR:
		break;
	case PE_PCREL:
		value += at;
		break;
	case PE_DATAREL:
		if (!section->datarel_vaddr)
			return false;
		value += section->datarel_vaddr;
		break;
	default:
		return false;
	}
	*ret = value;
	return true;
}

/* `register + number` at *off of an expression. */
static bool expr_breg(struct span expr, uint64_t *off, uint64_t *ret_reg, int64_t *ret_off)
{
	uint8_t op;

	if (!span_u8(expr, *off, &op))
		return false;
	if (op >= OP_BREG0 && op <= OP_BREG31) {
		(*off)++;
		*ret_reg = op - OP_BREG0;
	} else if (op == OP_BREGX) {
		(*off)++;
		if (!span_uleb(expr, off, ret_reg))
			return false;
	} else {
		return false;
	}
	return span_sleb(expr, off, ret_off);
}

/*
 * What linkers write for a procedure linkage table: a slot of 16 bytes pushes one word somewhere in it, and
 *	CFA = sp + off + ((pc & 15) >= N ? 8 : 0)
 * i.e. breg(sp) off; breg(pc) 0; lit15; and; litN; ge; lit3; shl; plus.
 */
static bool expr_plt(struct span rest, struct cfi_state *ret)
{
	static const uint8_t before[] = { OP_LIT15, OP_AND }, behind[] = { OP_GE, OP_LIT3, OP_SHL, OP_PLUS };
	uint64_t off = 0, reg;
	int64_t add;
	uint8_t lit;

	if (!expr_breg(rest, &off, &reg, &add) || reg != cfi_machine.ra || add != 0 ||
	    rest.len - off != sizeof(before) + 1 + sizeof(behind) ||
	    memcmp(rest.data + off, before, sizeof(before)) != 0 ||
	    memcmp(rest.data + off + sizeof(before) + 1, behind, sizeof(behind)) != 0)
		return false;
	lit = rest.data[off + sizeof(before)];
	if (lit < OP_LIT0 || lit > OP_LIT31)
		return false;
	ret->cfa = CFI_CFA_PLT;
	ret->plt_from = lit - OP_LIT0;
	ret->add = 8;
	return true;
}

/* What @expr says that the CFA is. */
static void cfa_by_expr(struct span expr, struct cfi_state *ret)
{
	uint64_t off = 0, add = 0;
	struct span rest;

	ret->cfa = CFI_CFA_OTHER;
	if (!expr_breg(expr, &off, &ret->reg, &ret->off))
		return;
	if (off == expr.len) {
		ret->cfa = CFI_CFA_REG;
		return;
	}
	span_from(expr, off, &rest);
	if (rest.data[0] != OP_DEREF) {
		expr_plt(rest, ret);
		return;
	}
	off = 1;
	if (rest.len > 1 && (rest.data[off++] != OP_PLUS_UCONST || !span_uleb(rest, &off, &add)))
		return;
	if (off != rest.len || add > INT32_MAX)
		return;
	ret->cfa = CFI_CFA_DEREF;
	ret->add = (int64_t)add;
}

/* The place in memory that @expr says; it starts with the CFA on the stack, which the expressions known here ignore. */
static struct cfi_place place_by_expr(struct span expr)
{
	struct cfi_place place = { CFI_PLACE_OTHER, 0 };
	uint64_t off = 0, reg;

	if (!expr_breg(expr, &off, &reg, &place.off) || off != expr.len)
		return place;
	if (reg == cfi_machine.fp)
		place.kind = CFI_PLACE_AT_FP;
	else if (reg == cfi_machine.sp)
		place.kind = CFI_PLACE_AT_SP;
	return place;
}

struct run {
	const struct cfi_cie *cie;
	struct cfi_section section; /* up to the end of the instructions */
	uint64_t off;
	uint64_t vaddr, stop;
	bool is_cie;
	void (*row)(void *ctx, uint64_t start, uint64_t stop, const struct cfi_state *state);
	void *ctx;
	struct cfi_state state;
	uint32_t nremembered;
	struct cfi_state remembered[MAX_REMEMBERED];
};

static bool read_uleb(struct run *run, uint64_t *ret)
{
	return span_uleb(run->section.bytes, &run->off, ret);
}

/* A number that is to be multiplied with the CIE's data alignment, or is not. */
static bool read_offset(struct run *run, bool is_signed, bool is_factored, int64_t *ret)
{
	int64_t value;

	if (is_signed) {
		if (!span_sleb(run->section.bytes, &run->off, &value))
			return false;
	} else if (!read_uleb(run, (uint64_t *)&value) || value < 0) {
		return false;
	}
	return !__builtin_mul_overflow(value, is_factored ? run->cie->data_align : 1, ret);
}

static bool read_block(struct run *run, struct span *ret)
{
	uint64_t len;

	if (!read_uleb(run, &len) || !span_sub(run->section.bytes, run->off, len, ret))
		return false;
	run->off += len;
	return true;
}

static bool set_place(struct run *run, uint64_t reg, struct cfi_place place)
{
	if (reg == cfi_machine.fp)
		run->state.fp = place;
	else if (reg == cfi_machine.ra)
		run->state.ra = place;
	else if (reg == cfi_machine.sp)
		run->state.sp_is_not_cfa = place.kind != CFI_PLACE_DEFAULT && place.kind != CFI_PLACE_SAME;
	return true;
}

static bool restore(struct run *run, uint64_t reg)
{
	if (run->is_cie)
		return false; /* to what? */
	if (reg == cfi_machine.fp)
		run->state.fp = run->cie->initial.fp;
	else if (reg == cfi_machine.ra)
		run->state.ra = run->cie->initial.ra;
	else if (reg == cfi_machine.sp)
		run->state.sp_is_not_cfa = run->cie->initial.sp_is_not_cfa;
	return true;
}

/* What was said so far holds up to @vaddr. */
static bool advance_to(struct run *run, uint64_t vaddr)
{
	if (run->is_cie || vaddr < run->vaddr)
		return false;
	if (vaddr > run->stop)
		vaddr = run->stop;
	if (vaddr > run->vaddr)
		run->row(run->ctx, run->vaddr, vaddr, &run->state);
	run->vaddr = vaddr;
	return true;
}

static bool advance_by(struct run *run, uint64_t units)
{
	uint64_t bytes, vaddr;

	if (__builtin_mul_overflow(units, run->cie->code_align, &bytes) ||
	    __builtin_add_overflow(run->vaddr, bytes, &vaddr))
		return false;
	return advance_to(run, vaddr);
}

static bool run_advance(struct run *run, uint8_t op)
{
	uint64_t value;

	if (op == CFA_SET_LOC)
		return cfi_pointer(&run->section, &run->off, run->cie->ptr_enc, &value) && advance_to(run, value);
	/* 1, 2 and 4 bytes */
	return read_fixed(run->section.bytes, &run->off, 1u << (op - CFA_ADVANCE_LOC1), false, &value) &&
	       advance_by(run, value);
}

/* DW_CFA_def_cfa_register and _offset, each alone. */
static bool change_cfa(struct run *run, uint8_t op)
{
	struct cfi_state *state = &run->state;
	bool is_sf = op == CFA_DEF_CFA_OFFSET_SF;

	if (state->cfa == CFI_CFA_UNSET)
		return false;
	/*
	 * DWARF allows neither behind an expression, but people write it (libgcrypt), and mean what libgcc and gdb
	 * make of it: the offset waits for a register, which takes the newest offset.
	 */
	if (op == CFA_DEF_CFA_REGISTER) {
		if (!read_uleb(run, &state->reg))
			return false;
		state->cfa = CFI_CFA_REG;
		state->cfa_by_expr = false;
	} else if (!read_offset(run, is_sf, is_sf, &state->plain_off)) {
		return false;
	}
	if (!state->cfa_by_expr)
		state->off = state->plain_off;
	return true;
}

/* Instructions that say what the CFA is. */
static bool run_cfa(struct run *run, uint8_t op)
{
	struct cfi_state *state = &run->state;
	bool is_sf = op == CFA_DEF_CFA_SF;
	struct span expr;

	switch (op) {
	case CFA_DEF_CFA:
	case CFA_DEF_CFA_SF:
		if (!read_uleb(run, &state->reg) || !read_offset(run, is_sf, is_sf, &state->plain_off))
			return false;
		state->cfa = CFI_CFA_REG;
		state->cfa_by_expr = false;
		state->off = state->plain_off;
		return true;
	case CFA_DEF_CFA_EXPRESSION:
		if (!read_block(run, &expr))
			return false;
		cfa_by_expr(expr, state);
		state->cfa_by_expr = true;
		return true;
	default:
		return change_cfa(run, op);
	}
}

/* Instructions that say where the register is whose number comes first. */
static bool run_register(struct run *run, uint8_t op)
{
	struct cfi_place place = { CFI_PLACE_OTHER, 0 };
	struct span expr;
	uint64_t reg, other;
	int64_t off;

	if (!read_uleb(run, &reg))
		return false;
	switch (op) {
	case CFA_OFFSET_EXTENDED:
	case CFA_OFFSET_EXTENDED_SF:
		place.kind = CFI_PLACE_AT_CFA;
		return read_offset(run, op == CFA_OFFSET_EXTENDED_SF, true, &place.off) && set_place(run, reg, place);
	case CFA_GNU_NEGATIVE_OFFSET_EXTENDED:
		place.kind = CFI_PLACE_AT_CFA;
		return read_offset(run, false, true, &off) && !__builtin_sub_overflow(0, off, &place.off) &&
		       set_place(run, reg, place);
	case CFA_VAL_OFFSET:
	case CFA_VAL_OFFSET_SF:
		if (!read_offset(run, op == CFA_VAL_OFFSET_SF, true, &off))
			return false;
		/* The ABI's own rule for the stack pointer. */
		if (reg == cfi_machine.sp && off == 0)
			place.kind = CFI_PLACE_DEFAULT;
		return set_place(run, reg, place);
	case CFA_RESTORE_EXTENDED:
		return restore(run, reg);
	case CFA_UNDEFINED:
		return set_place(run, reg, (struct cfi_place){ CFI_PLACE_UNDEFINED, 0 });
	case CFA_SAME_VALUE:
		return set_place(run, reg, (struct cfi_place){ CFI_PLACE_SAME, 0 });
	case CFA_REGISTER:
		return read_uleb(run, &other) && set_place(run, reg, place);
	case CFA_EXPRESSION:
		return read_block(run, &expr) && set_place(run, reg, place_by_expr(expr));
	default: /* CFA_VAL_EXPRESSION */
		return read_block(run, &expr) && set_place(run, reg, place);
	}
}

static bool remember(struct run *run)
{
	if (run->nremembered == MAX_REMEMBERED)
		return false;
	run->remembered[run->nremembered++] = run->state;
	return true;
}

static bool recall(struct run *run)
{
	if (run->nremembered == 0)
		return false;
	run->state = run->remembered[--run->nremembered];
	return true;
}

static bool run_extended(struct run *run, uint8_t op)
{
	uint64_t ignored;

	switch (op) {
	case CFA_NOP:
		return true;
	case CFA_SET_LOC:
	case CFA_ADVANCE_LOC1:
	case CFA_ADVANCE_LOC2:
	case CFA_ADVANCE_LOC4:
		return run_advance(run, op);
	case CFA_DEF_CFA:
	case CFA_DEF_CFA_SF:
	case CFA_DEF_CFA_REGISTER:
	case CFA_DEF_CFA_OFFSET:
	case CFA_DEF_CFA_OFFSET_SF:
	case CFA_DEF_CFA_EXPRESSION:
		return run_cfa(run, op);
	case CFA_OFFSET_EXTENDED:
	case CFA_OFFSET_EXTENDED_SF:
	case CFA_GNU_NEGATIVE_OFFSET_EXTENDED:
	case CFA_VAL_OFFSET:
	case CFA_VAL_OFFSET_SF:
	case CFA_RESTORE_EXTENDED:
	case CFA_UNDEFINED:
	case CFA_SAME_VALUE:
	case CFA_REGISTER:
	case CFA_EXPRESSION:
	case CFA_VAL_EXPRESSION:
		return run_register(run, op);
	case CFA_REMEMBER_STATE:
		return remember(run);
	case CFA_RESTORE_STATE:
		return recall(run);
	case CFA_GNU_ARGS_SIZE: /* matters to who lands in the function, not to who leaves it */
		return read_uleb(run, &ignored);
	case CFA_AARCH64_NEGATE_RA_STATE: /* x30 is signed from here on, or no longer */
		return cfi_machine.has_negate_ra_state;
	default:
		return false;
	}
}

static bool run_one(struct run *run)
{
	struct cfi_place place = { CFI_PLACE_AT_CFA, 0 };
	uint8_t op;

	if (!span_u8(run->section.bytes, run->off, &op))
		return false;
	run->off++;
	switch (op & CFA_PRIMARY) {
	case CFA_ADVANCE_LOC:
		return advance_by(run, op & CFA_OPERAND);
	case CFA_OFFSET:
		return read_offset(run, false, true, &place.off) && set_place(run, op & CFA_OPERAND, place);
	case CFA_RESTORE:
		return restore(run, op & CFA_OPERAND);
	default:
		return run_extended(run, op);
	}
}

bool cfi_run(struct cfi_cie *cie, const struct cfi_section *section, uint64_t off, uint64_t end, uint64_t start,
	     uint64_t stop, void (*row)(void *ctx, uint64_t start, uint64_t stop, const struct cfi_state *state),
	     void *ctx)
{
	struct run run; /* remembered[] is large, and need not be cleared */
	bool ok = true;

	run.cie = cie;
	run.section = *section;
	run.section.bytes.len = end < section->bytes.len ? end : section->bytes.len;
	run.off = off;
	run.vaddr = start;
	run.stop = stop;
	run.is_cie = !row;
	run.row = row;
	run.ctx = ctx;
	run.state = cie->initial;
	run.nremembered = 0;
	while (ok && run.off < run.section.bytes.len && (run.is_cie || run.vaddr < stop))
		ok = run_one(&run);
	if (run.is_cie)
		cie->initial = run.state;
	else if (run.vaddr < stop)
		row(ctx, run.vaddr, stop, ok ? &run.state : NULL);
	return ok;
}

static bool fits_int32(int64_t value)
{
	return value == (int32_t)value;
}

/* The CFA's part of a rule; false and the cause if there is none. */
static bool cfa_rule(const struct cfi_state *state, bool plt_late, struct abi_unwind_rule *rule,
		     enum abi_unwind_cause *cause)
{
	int64_t off = state->off;
	bool is_deref = state->cfa == CFI_CFA_DEREF;

	*cause = state->cfa == CFI_CFA_UNSET ? ABI_UNWIND_MALFORMED : ABI_UNWIND_EXPRESSION;
	if (state->cfa == CFI_CFA_UNSET || state->cfa == CFI_CFA_OTHER)
		return false;
	if (state->reg == cfi_machine.sp) {
		rule->cfa = is_deref ? ABI_CFA_SP_DEREF : ABI_CFA_SP;
	} else if (state->reg == cfi_machine.fp) {
		rule->cfa = is_deref ? ABI_CFA_FP_DEREF : ABI_CFA_FP;
	} else {
		*cause = ABI_UNWIND_REGISTER;
		return false;
	}
	if (__builtin_add_overflow(off, state->cfa == CFI_CFA_PLT && plt_late ? state->add : 0, &off) ||
	    !fits_int32(off) || (is_deref && state->add != (int16_t)state->add) || state->sp_is_not_cfa)
		return false;
	rule->cfa_off = (int32_t)off;
	rule->cfa_add = is_deref ? (int16_t)state->add : 0;
	return true;
}

static void fp_rule(struct cfi_place place, struct abi_unwind_rule *rule)
{
	static const uint8_t kinds[] = {
		[CFI_PLACE_DEFAULT] = ABI_FP_SAME,	[CFI_PLACE_SAME] = ABI_FP_SAME,
		[CFI_PLACE_UNDEFINED] = ABI_FP_UNKNOWN, [CFI_PLACE_AT_CFA] = ABI_FP_AT_CFA,
		[CFI_PLACE_AT_FP] = ABI_FP_AT_FP,	[CFI_PLACE_AT_SP] = ABI_FP_AT_SP,
		[CFI_PLACE_OTHER] = ABI_FP_UNKNOWN,
	};

	rule->fp = fits_int32(place.off) ? kinds[place.kind] : ABI_FP_UNKNOWN;
	if (rule->fp != ABI_FP_UNKNOWN)
		rule->fp_off = (int32_t)place.off;
}

struct abi_unwind_rule cfi_rule(const struct cfi_cie *cie, const struct cfi_state *state, bool plt_late)
{
	struct abi_unwind_rule rule = { 0 };
	enum abi_unwind_cause cause;

	/*
	 * Others than the C library's return from a handler call their frames signal frames, too, because their
	 * callers' addresses are not behind calls. Only what finds the caller's stack pointer in the kernel's
	 * ucontext is the kernel's frame.
	 */
	if (cie->is_signal_frame && state->cfa == CFI_CFA_DEREF && state->reg == cfi_machine.sp &&
	    state->off == cfi_machine.signal_sp_off && state->add == 0)
		return (struct abi_unwind_rule){ .cfa = ABI_CFA_SIGNAL };
	if (state->ra.kind == CFI_PLACE_UNDEFINED)
		return (struct abi_unwind_rule){ .cfa = ABI_CFA_END };
	if (!cfa_rule(state, plt_late, &rule, &cause))
		return unwind_rule_none(cause);
	if (state->ra.kind != CFI_PLACE_AT_CFA || state->ra.off != cfi_machine.ra_at_cfa_off)
		return unwind_rule_none(ABI_UNWIND_RETURN_ADDRESS);
	fp_rule(state->fp, &rule);
	return rule;
}
