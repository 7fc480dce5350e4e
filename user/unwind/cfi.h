/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Call frame instructions (DWARF 5, 6.4.2): run, they say for each address of a function where the caller's
 * registers are. Of the registers only three matter here: the stack pointer (by the CFA), the frame pointer and the
 * return address.
 */
#ifndef ALLOCSNOOP_UNWIND_CFI_H
#define ALLOCSNOOP_UNWIND_CFI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "bpf/abi.h"

/* A section, or its beginning; offsets count from where it starts. */
struct cfi_section {
	struct span bytes;
	uint64_t vaddr;
	uint64_t datarel_vaddr; /* what DW_EH_PE_datarel is relative to; 0: such pointers are refused */
};

#define CFI_PTR_ABS 0x00 /* DW_EH_PE_absptr */
#define CFI_PTR_FORMAT 0x0f /* mask: how the number is written, not what it is relative to */

/*
 * The pointer at *off in the encoding @enc (DW_EH_PE_*, LSB 5.0, 10.5); moves *off past it. False for one that is cut
 * off, indirect (its value lies in memory that only a running process has), aligned, or relative to a
 * base that x86-64 and arm64 do not define (text, function).
 */
bool cfi_pointer(const struct cfi_section *section, uint64_t *off, uint8_t enc, uint64_t *ret);

/* Where the caller's value of a register is. */
enum cfi_place_kind {
	CFI_PLACE_DEFAULT, /* nothing was said: as the ABI has it */
	CFI_PLACE_SAME,
	CFI_PLACE_UNDEFINED,
	CFI_PLACE_AT_CFA, /* in memory at CFA + off */
	CFI_PLACE_AT_FP, /* at frame pointer + off */
	CFI_PLACE_AT_SP, /* at stack pointer + off */
	CFI_PLACE_OTHER, /* somewhere that no rule can say */
};

struct cfi_place {
	enum cfi_place_kind kind;
	int64_t off;
};

enum cfi_cfa_kind {
	CFI_CFA_UNSET,
	CFI_CFA_REG, /* reg + off */
	CFI_CFA_DEREF, /* word at reg + off, + add */
	CFI_CFA_PLT, /* reg + off, + add from the byte plt_from of each slot of CFI_PLT_SLOT_BYTES on */
	CFI_CFA_OTHER, /* an expression that no rule can say */
};

#define CFI_PLT_SLOT_BYTES 16

/* What holds at one address. */
struct cfi_state {
	enum cfi_cfa_kind cfa;
	uint8_t plt_from;
	bool sp_is_not_cfa; /* the caller's stack pointer was said to be something else */
	bool cfa_by_expr;
	uint64_t reg;
	int64_t off, add;
	int64_t plain_off; /* the newest offset that was not in an expression: DW_CFA_def_cfa_register returns to it */
	struct cfi_place fp, ra;
};

struct cfi_cie {
	uint64_t code_align;
	int64_t data_align;
	uint8_t ptr_enc; /* of addresses in its FDEs and in DW_CFA_set_loc */
	bool has_aug_data; /* its FDEs have a length and bytes of augmentation */
	bool is_signal_frame;
	bool is_malformed; /* its instructions are */
	struct cfi_state initial;
};

/* The machine's DWARF register numbers. */
extern const struct cfi_machine {
	uint64_t sp, fp, ra;
	/* The default place of the return address, and the only one that struct abi_unwind_rule knows. */
	int64_t ra_at_cfa_off;
	/* In a signal frame: from sp to the interrupted code's sp, which is what its CFA is said to be. */
	int64_t signal_sp_off;
	bool has_negate_ra_state;
} cfi_machine;

/*
 * Run the instructions from @off to @end that describe the code from @start to @stop, and tell @row, in ascending order
 * and with no holes, what holds where. @state is NULL from an instruction that cannot be right to the end. With
 * @row NULL these are the instructions of @cie itself; then @cie->initial becomes what they say.
 * False if they are malformed.
 */
bool cfi_run(struct cfi_cie *cie, const struct cfi_section *section, uint64_t off, uint64_t end, uint64_t start,
	     uint64_t stop, void (*row)(void *ctx, uint64_t start, uint64_t stop, const struct cfi_state *state),
	     void *ctx);

/*
 * The rule for @state, one of @cie's. CFI_CFA_PLT has two: @plt_late asks for that of a slot's later part, and is
 * of no matter to others.
 */
struct abi_unwind_rule cfi_rule(const struct cfi_cie *cie, const struct cfi_state *state, bool plt_late);

#endif
