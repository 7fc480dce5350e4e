// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From unwind information to a table.
 *
 * Vocabulary
 *   CIE, FDE  entries of .eh_frame and .debug_frame. An FDE describes the code of a function, or
 *             of a part of one, by instructions (cfi.c) that begin where those of its CIE end.
 *   piece     what of an FDE's code the table takes from that FDE.
 *
 * The sections are walked once, from their first byte to the last; that gives a list of FDEs, which is sorted by
 * address, for the sections are in the order of the linker's input. Where FDEs overlap, the pieces are cut:
 * - Go's code is nobody else's.
 * - Within a section the FDE that starts later has the code from there on, and what the earlier one says behind its end
 *   is forgotten: both unwinders that search .eh_frame_hdr (libgcc's and libdw) see it so. Of those that start at the
 *   same address the first counts.
 * - .debug_frame has what .eh_frame leaves over; of each of its FDEs one run of code at most, so that it need not
 *   be run for each hole that .eh_frame has in it.
 * Then each FDE's instructions are run, in the order of their addresses, and make rows.
 *
 * What the file may cost, whatever it claims: a step for each of its bytes and each row, the sorting, 32 bytes for
 * each FDE of which there are at most as many as rows, MAX_CIES CIEs. A CIE is read where the walk meets it, and
 * never where an FDE points that is no CIE, or one that is still to come: pointers cannot make us read bytes twice.
 *
 * The search table in .eh_frame_hdr would spare the walk, but must be checked against it to be believed, and
 * some linkers leave it out.
 *
 * Formats: LSB 5.0, 10.6 (.eh_frame, .eh_frame_hdr); DWARF 5, 6.4.1 (.debug_frame). In .eh_frame a CIE's identity is
 * 0 and four bytes long, also behind an extended length (LSB), and an FDE points backwards from where the pointer
 * stands; in .debug_frame it is all ones, and pointers are offsets in the section.
 */
#include "unwind/ehframe.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/vec.h"
#include "unwind/cfi.h"

#define MAX_CIES (1u << 18)
#define MAX_CODE_SEGMENTS 64
#define MAX_UNSIZED_BYTES (256u << 20) /* of .eh_frame when no section header tells how long it is */
#define MAX_ENTRY_BYTES 128 /* of code that is taken for that at the entry point if nobody describes it */
#define MAX_USER_VADDR (1ull << 56)

struct cie {
	uint64_t off; /* where it stands; ascending within a section */
	struct cfi_cie cfi;
};

struct fde {
	uint64_t vaddr;
	uint32_t piece_start, piece_end; /* from vaddr */
	uint32_t insns_off, insns_end;
	uint32_t cie; /* index; those of .eh_frame come first */
	uint32_t pad;
};

struct compile {
	const struct ehframe_image *image;
	struct ehframe_range go;
	uint32_t max_rows;
	struct unwind_stats stats;
	struct cie *cies;
	uint32_t ncies, neh_cies; /* all, those of .eh_frame */
	size_t cies_cap;
	struct fde *fdes;
	uint32_t nfdes;
	size_t fdes_cap;
	uint32_t last_code; /* the segment where the last FDE was found: the next is there, too */
};

/* One section's walk. */
struct walk {
	struct compile *c;
	struct cfi_section section;
	bool is_debug;
	uint32_t first_cie; /* index of the section's first */
	uint32_t last_cie;
};

/* An entry of a section, its identity or pointer read. */
struct entry {
	struct cfi_section section; /* up to its end */
	uint64_t off; /* where it starts */
	uint64_t body_off; /* behind the identity */
	bool is_cie;
	uint64_t cie_off; /* of an FDE */
};

enum step {
	STEP_ENTRY,
	STEP_SKIP, /* an entry that is none */
	STEP_END,
	STEP_BROKEN, /* nobody knows where the next entry is */
};

/* The entry at *off; moves *off to the next. */
static enum step next_entry(const struct walk *w, uint64_t *off, struct entry *ret)
{
	struct span bytes = w->section.bytes;
	uint64_t at = *off, len, id = 0, id_off;
	size_t id_bytes = 4;
	uint32_t len32;

	if (at >= bytes.len)
		return STEP_END;
	if (!span_u32(bytes, at, &len32))
		return STEP_BROKEN;
	len = len32;
	id_off = at + 4;
	if (len32 == UINT32_MAX) {
		if (!span_u64(bytes, id_off, &len))
			return STEP_BROKEN;
		id_off += 8;
		id_bytes = w->is_debug ? 8 : 4;
	}
	if (!span_has(bytes, id_off, len))
		return STEP_BROKEN;
	*off = id_off + len;
	if (len == 0)
		return w->is_debug ? STEP_SKIP : STEP_END;
	ret->section = w->section;
	ret->section.bytes.len = id_off + len;
	ret->off = at;
	ret->body_off = id_off + id_bytes;
	if (!span_read(ret->section.bytes, id_off, &id, id_bytes))
		return STEP_SKIP;
	if (w->is_debug)
		ret->is_cie = id == (id_bytes == 8 ? UINT64_MAX : UINT32_MAX);
	else
		ret->is_cie = id == 0;
	ret->cie_off = w->is_debug ? id : id_off - id;
	return STEP_ENTRY;
}

/* The bytes of augmentation from @off to @end, one or more for each letter of @letters. */
static bool read_augmentation(const struct cfi_section *section, uint64_t off, const char *letters, struct cfi_cie *cie)
{
	uint64_t ignored;
	uint8_t enc;

	for (; *letters; letters++) {
		switch (*letters) {
		case 'S':
			cie->is_signal_frame = true;
			break;
		case 'B': /* arm64: return addresses are signed with the other key */
		case 'G': /* arm64: the frame's memory is tagged */
			break;
		case 'L': /* how FDEs write the address of their exception table */
			if (!span_u8(section->bytes, off++, &enc))
				return false;
			break;
		case 'P': /* the personality routine; skipped, so it does not matter what it is relative to */
			if (!span_u8(section->bytes, off++, &enc) ||
			    !cfi_pointer(section, &off, enc & CFI_PTR_FORMAT, &ignored))
				return false;
			break;
		case 'R':
			if (!span_u8(section->bytes, off++, &cie->ptr_enc))
				return false;
			break;
		default: /* what it has is skipped by its length, and so is what follows */
			return true;
		}
	}
	return true;
}

/* What stands in front of the instructions; *off is left there. */
static bool read_cie_head(const struct entry *entry, bool is_debug, struct cfi_cie *ret, uint64_t *off)
{
	struct cfi_section section = entry->section;
	struct span bytes = section.bytes;
	const char *letters;
	uint8_t version, sizes[2], ra8;
	uint64_t ra, len;

	*off = entry->body_off;
	if (!span_u8(bytes, (*off)++, &version) || (version != 1 && version != 3 && version != 4) ||
	    !span_cstr(bytes, *off, &letters))
		return false;
	*off += strlen(letters) + 1;
	if (version == 4) {
		/* Of an address and a segment selector. */
		if (!span_read(bytes, *off, sizes, sizeof(sizes)) || sizes[0] != 8 || sizes[1] != 0)
			return false;
		*off += sizeof(sizes);
	}
	if (!is_debug && strcmp(letters, "eh") == 0) { /* GCC 2: a pointer to the exception table */
		*off += 8;
		letters = "";
	}
	if (!span_uleb(bytes, off, &ret->code_align) || !span_sleb(bytes, off, &ret->data_align))
		return false;
	if (version == 1) {
		if (!span_u8(bytes, (*off)++, &ra8))
			return false;
		ra = ra8;
	} else if (!span_uleb(bytes, off, &ra)) {
		return false;
	}
	if (ra != cfi_machine.ra)
		return false;
	ret->ptr_enc = CFI_PTR_ABS;
	if (!*letters)
		return true;
	if (*letters != 'z' || !span_uleb(bytes, off, &len) || !span_has(bytes, *off, len))
		return false;
	ret->has_aug_data = true;
	section.bytes.len = *off + len;
	if (!read_augmentation(&section, *off, letters + 1, ret))
		return false;
	*off += len;
	return true;
}

static int add_cie(struct walk *w, const struct entry *entry)
{
	struct compile *c = w->c;
	struct cie cie = { .off = entry->off };
	uint64_t off;

	if (c->ncies == MAX_CIES) {
		c->stats.too_many++;
		return 0;
	}
	if (!read_cie_head(entry, w->is_debug, &cie.cfi, &off)) {
		c->stats.malformed++;
		return 0;
	}
	if (vec_reserve((void **)&c->cies, &c->cies_cap, (size_t)c->ncies + 1, sizeof(*c->cies)))
		return -ENOMEM;
	/* If they are malformed, its FDEs tell and count which code that is about. */
	cie.cfi.is_malformed = !cfi_run(&cie.cfi, &entry->section, off, entry->section.bytes.len, 0, 0, NULL, NULL);
	w->last_cie = c->ncies;
	c->cies[c->ncies++] = cie;
	c->stats.cies++;
	return 0;
}

/* Index of the section's CIE at @off. */
static bool find_cie(struct walk *w, uint64_t off, uint32_t *ret)
{
	const struct compile *c = w->c;
	uint32_t lo = w->first_cie, hi = c->ncies;

	if (w->last_cie < hi && c->cies[w->last_cie].off == off) {
		*ret = w->last_cie;
		return true;
	}
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (c->cies[mid].off < off)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == c->ncies || c->cies[lo].off != off)
		return false;
	w->last_cie = lo;
	*ret = lo;
	return true;
}

/* The part of *range that is executable and not Go's; false if there is none. */
static bool clip_to_code(struct compile *c, struct ehframe_range *range)
{
	const struct ehframe_image *image = c->image;
	uint32_t i = c->last_code;

	if (i >= image->ncode || range->start < image->code[i].start || range->start >= image->code[i].end)
		for (i = 0; i < image->ncode; i++)
			if (range->start >= image->code[i].start && range->start < image->code[i].end)
				break;
	if (i >= image->ncode)
		return false;
	c->last_code = i;
	if (range->end > image->code[i].end || range->end < range->start)
		range->end = image->code[i].end;
	if (range->start < c->go.start && range->end > c->go.start)
		range->end = c->go.start;
	else if (range->start >= c->go.start && range->start < c->go.end)
		range->start = c->go.end;
	return range->start < range->end && range->end - range->start <= UINT32_MAX;
}

static int add_fde(struct walk *w, const struct entry *entry)
{
	struct compile *c = w->c;
	const struct cfi_section *section = &entry->section;
	uint64_t off = entry->body_off, vaddr, len, aug_len;
	const struct cfi_cie *cie;
	struct ehframe_range piece;
	struct fde fde = { 0 };

	if (!find_cie(w, entry->cie_off, &fde.cie))
		goto malformed;
	cie = &c->cies[fde.cie].cfi;
	if (!cfi_pointer(section, &off, cie->ptr_enc, &vaddr) ||
	    !cfi_pointer(section, &off, cie->ptr_enc & CFI_PTR_FORMAT, &len))
		goto malformed;
	if (cie->has_aug_data) {
		if (!span_uleb(section->bytes, &off, &aug_len) || !span_has(section->bytes, off, aug_len))
			goto malformed;
		off += aug_len;
	}
	c->stats.fdes++;
	piece = (struct ehframe_range){ vaddr, vaddr + len };
	if (len == 0 || !clip_to_code(c, &piece)) {
		c->stats.fdes_outside++;
		return 0;
	}
	if (c->nfdes == c->max_rows) {
		c->stats.too_many++;
		return 0;
	}
	if (vec_reserve((void **)&c->fdes, &c->fdes_cap, (size_t)c->nfdes + 1, sizeof(*c->fdes)))
		return -ENOMEM;
	fde.vaddr = vaddr;
	fde.piece_start = (uint32_t)(piece.start - vaddr);
	fde.piece_end = (uint32_t)(piece.end - vaddr);
	fde.insns_off = (uint32_t)off;
	fde.insns_end = (uint32_t)section->bytes.len;
	c->fdes[c->nfdes++] = fde;
	return 0;

malformed:
	c->stats.malformed++;
	return 0;
}

static int walk_section(struct compile *c, const struct cfi_section *section, bool is_debug)
{
	struct walk w = { .c = c, .section = *section, .is_debug = is_debug, .first_cie = c->ncies };
	struct entry entry;
	uint64_t off = 0;
	int code = 0;

	w.last_cie = w.first_cie;
	for (;;) {
		switch (next_entry(&w, &off, &entry)) {
		case STEP_ENTRY:
			code = entry.is_cie ? add_cie(&w, &entry) : add_fde(&w, &entry);
			if (code)
				return code;
			break;
		case STEP_SKIP:
			break;
		case STEP_BROKEN:
			c->stats.malformed++;
			return 0;
		case STEP_END:
			return 0;
		}
	}
}

/* Sections of .debug_frame behind those of .eh_frame, each in its own order. */
static int by_vaddr(const void *a, const void *b)
{
	const struct fde *x = a, *y = b;

	if (x->vaddr != y->vaddr)
		return x->vaddr < y->vaddr ? -1 : 1;
	if (x->cie != y->cie)
		return x->cie < y->cie ? -1 : 1;
	return x->insns_off < y->insns_off ? -1 : x->insns_off > y->insns_off;
}

static bool is_debug(const struct compile *c, const struct fde *fde)
{
	return fde->cie >= c->neh_cies;
}

static void sort_fdes(struct compile *c)
{
	uint32_t i = 1;

	while (i < c->nfdes && by_vaddr(&c->fdes[i - 1], &c->fdes[i]) < 0)
		i++;
	if (i < c->nfdes)
		qsort(c->fdes, c->nfdes, sizeof(*c->fdes), by_vaddr);
}

/* Of FDEs that start at the same address the first stays. */
static void drop_twins(struct compile *c)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->nfdes; i++) {
		const struct fde *fde = &c->fdes[i];

		if (n && c->fdes[n - 1].vaddr == fde->vaddr) {
			if (is_debug(c, &c->fdes[n - 1]) == is_debug(c, fde))
				c->stats.fdes_overlapping++;
			continue;
		}
		c->fdes[n++] = *fde;
	}
	c->nfdes = n;
}

/* Cut the pieces so that they are apart; some become empty. The FDEs are in the order of their addresses. */
static void cut_pieces(struct compile *c)
{
	uint64_t next_eh = UINT64_MAX, next = UINT64_MAX, covered_to = 0;

	for (uint32_t i = c->nfdes; i-- > 0;) {
		struct fde *fde = &c->fdes[i];
		bool debug = is_debug(c, fde);
		uint64_t limit = debug ? next : next_eh;

		if (limit - fde->vaddr < fde->piece_end) {
			fde->piece_end = (uint32_t)(limit - fde->vaddr);
			c->stats.fdes_overlapping += !debug;
		}
		next = fde->vaddr;
		if (!debug)
			next_eh = next;
	}
	for (uint32_t i = 0; i < c->nfdes; i++) {
		struct fde *fde = &c->fdes[i];

		if (!is_debug(c, fde))
			covered_to = fde->vaddr + fde->piece_end;
		else if (covered_to > fde->vaddr + fde->piece_start)
			fde->piece_start = covered_to - fde->vaddr < fde->piece_end ?
						   (uint32_t)(covered_to - fde->vaddr) : fde->piece_end;
	}
}

/* Where the rows of an FDE go. */
struct emit {
	struct unwind_builder *builder;
	const struct cfi_cie *cie;
	struct ehframe_range piece;
	bool with_fp, malformed;
};

/* The two rules of a procedure linkage table take turns in each slot. */
static void emit_plt(struct emit *e, uint64_t start, uint64_t stop, const struct cfi_state *state)
{
	const struct abi_unwind_rule early = cfi_rule(e->cie, state, false), late = cfi_rule(e->cie, state, true);

	while (start < stop && unwind_builder__takes(e->builder, start)) {
		uint64_t slot = start & ~(uint64_t)(CFI_PLT_SLOT_BYTES - 1);
		bool is_late = start - slot >= state->plt_from;
		uint64_t next = slot + CFI_PLT_SLOT_BYTES;

		if (!is_late && state->plt_from < CFI_PLT_SLOT_BYTES)
			next = slot + state->plt_from;
		if (next > stop)
			next = stop;
		unwind_builder__add(e->builder, start, next, is_late ? &late : &early);
		start = next;
	}
	unwind_builder__add(e->builder, start, stop, &early); /* beyond the bounds, which is what will be said */
}

static void emit_row(void *ctx, uint64_t start, uint64_t stop, const struct cfi_state *state)
{
	struct emit *e = ctx;
	struct abi_unwind_rule rule;

	if (start < e->piece.start)
		start = e->piece.start;
	if (start >= stop)
		return;
	if (state && state->cfa == CFI_CFA_PLT) {
		emit_plt(e, start, stop, state);
		return;
	}
	rule = state ? cfi_rule(e->cie, state, false) : unwind_rule_none(ABI_UNWIND_MALFORMED);
	e->malformed |= rule.cfa == ABI_CFA_NONE && rule.cfa_off == ABI_UNWIND_MALFORMED;
	e->with_fp |= rule.cfa == ABI_CFA_FP || rule.cfa == ABI_CFA_FP_DEREF;
	unwind_builder__add(e->builder, start, stop, &rule);
}

static void emit_fde(struct compile *c, struct unwind_builder *builder, const struct cfi_section *sections,
		     const struct fde *fde)
{
	struct unwind_stats *stats = &builder->table->stats;
	struct cfi_cie *cie = &c->cies[fde->cie].cfi;
	struct emit e = {
		.builder = builder,
		.cie = cie,
		.piece = { fde->vaddr + fde->piece_start, fde->vaddr + fde->piece_end },
	};

	if (e.piece.start >= e.piece.end)
		return;
	if (cie->is_malformed)
		emit_row(&e, e.piece.start, e.piece.end, NULL);
	else
		cfi_run(cie, &sections[is_debug(c, fde)], fde->insns_off, fde->insns_end, fde->vaddr, e.piece.end,
			emit_row, &e);
	stats->malformed += e.malformed;
	stats->fdes_with_fp += e.with_fp;
	stats->fdes_of_debug_frame += is_debug(c, fde);
}

static void emit_go(const struct compile *c, struct unwind_builder *builder)
{
	const struct abi_unwind_rule chain = { .cfa = ABI_CFA_CHAIN };

	unwind_builder__add(builder, c->go.start, c->go.end, &chain);
}

/*
 * The code at the entry point, which nobody calls: the dynamic linker's is assembly without unwind information, and calls
 * constructors. Empty if there is none; if it is described, that has precedence.
 */
static struct ehframe_range find_entry(const struct compile *c)
{
	const uint64_t entry = c->image->entry_vaddr;

	for (uint32_t i = 0; entry && c->nfdes && i < c->image->ncode; i++) {
		const struct ehframe_range *code = &c->image->code[i];

		if (entry >= code->start && entry < code->end)
			return (struct ehframe_range){ entry, code->end - entry < MAX_ENTRY_BYTES ? code->end
												  : entry + MAX_ENTRY_BYTES };
	}
	return (struct ehframe_range){ 0, 0 };
}

/* What nothing up to @next says of the entry, which then is empty. */
static void emit_entry(struct ehframe_range *entry, struct unwind_builder *builder, uint64_t next)
{
	const struct abi_unwind_rule end = { .cfa = ABI_CFA_END };

	if (next <= entry->start)
		return;
	if (builder->next_vaddr <= entry->start)
		unwind_builder__add(builder, entry->start, next < entry->end ? next : entry->end, &end);
	entry->start = entry->end = UINT64_MAX;
}

/* First and last address of what the table is about. */
static struct ehframe_range extent(const struct compile *c, const struct ehframe_range *entry)
{
	struct ehframe_range all = { UINT64_MAX, 0 };

	if (c->go.start < c->go.end)
		all = c->go;
	for (uint32_t i = 0; i < c->nfdes; i++) {
		const struct fde *fde = &c->fdes[i];

		if (fde->piece_start >= fde->piece_end)
			continue;
		if (fde->vaddr + fde->piece_start < all.start)
			all.start = fde->vaddr + fde->piece_start;
		if (fde->vaddr + fde->piece_end > all.end)
			all.end = fde->vaddr + fde->piece_end;
	}
	if (entry->start < entry->end && all.start < all.end) {
		all.start = entry->start < all.start ? entry->start : all.start;
		all.end = entry->end > all.end ? entry->end : all.end;
	}
	return all;
}

static int emit_table(struct compile *c, const struct cfi_section *sections, struct unwind_table *ret)
{
	struct ehframe_range entry = find_entry(c), all = extent(c, &entry);
	bool go_is_due = c->go.start < c->go.end;
	struct unwind_builder builder;
	int code;

	code = unwind_builder__open(&builder, ret, all.start, all.end, c->max_rows);
	if (code)
		return code;
	ret->stats = c->stats;
	for (uint32_t i = 0; i < c->nfdes; i++) {
		const struct fde *fde = &c->fdes[i];

		if (go_is_due && fde->vaddr + fde->piece_start >= c->go.start) {
			emit_entry(&entry, &builder, c->go.start);
			emit_go(c, &builder);
			go_is_due = false;
		}
		if (fde->piece_start < fde->piece_end)
			emit_entry(&entry, &builder, fde->vaddr + fde->piece_start);
		emit_fde(c, &builder, sections, fde);
	}
	if (go_is_due) {
		emit_entry(&entry, &builder, c->go.start);
		emit_go(c, &builder);
	}
	if (entry.start < entry.end)
		emit_entry(&entry, &builder, entry.end);
	for (uint32_t i = 0; i < c->image->ncode; i++)
		ret->stats.code_bytes += c->image->code[i].end - c->image->code[i].start;
	if (ret->stats.code_bytes > builder.said_bytes)
		ret->stats.bytes[ABI_UNWIND_GAP] = ret->stats.code_bytes - builder.said_bytes;
	return unwind_builder__close(&builder);
}

int ehframe_compile_image(const struct ehframe_image *image, const struct ehframe_opts *opts, struct unwind_table *ret)
{
	const struct cfi_section sections[] = {
		{ .bytes = image->eh_frame, .vaddr = image->eh_frame_vaddr },
		{ .bytes = image->debug_frame },
	};
	struct compile c = { .image = image, .max_rows = EHFRAME_MAX_ROWS };
	int code;

	if (image->eh_frame.len > UINT32_MAX || image->debug_frame.len > UINT32_MAX)
		return -E2BIG;
	if (opts && opts->max_rows)
		c.max_rows = opts->max_rows;
	if (opts && opts->go.start < opts->go.end && opts->go.end <= MAX_USER_VADDR)
		c.go = opts->go;
	code = walk_section(&c, &sections[0], false);
	c.neh_cies = c.ncies;
	if (!code)
		code = walk_section(&c, &sections[1], true);
	if (!code) {
		sort_fdes(&c);
		drop_twins(&c);
		cut_pieces(&c);
		code = emit_table(&c, sections, ret);
	}
	free(c.cies);
	free(c.fdes);
	return code;
}

/* The executable segments; those out of order, which no loader accepts, are left out. */
static uint32_t find_code(const struct elf_file *elf, struct ehframe_range code[static MAX_CODE_SEGMENTS])
{
	struct elf_segment seg;
	uint32_t n = 0;

	for (uint32_t i = 0; n < MAX_CODE_SEGMENTS && elf_file__segment(elf, PT_LOAD, i, &seg); i++) {
		if (!(seg.flags & PF_X) || !seg.file_bytes || (n && seg.vaddr < code[n - 1].end) ||
		    seg.vaddr + seg.file_bytes > MAX_USER_VADDR)
			continue;
		code[n++] = (struct ehframe_range){ seg.vaddr, seg.vaddr + seg.file_bytes };
	}
	return n;
}

/*
 * .eh_frame by the program header of .eh_frame_hdr: version, encodings of the pointer to .eh_frame, of a count and of
 * a search table, then the pointer. It ends with its zero entry, or with the segment. *ret_buf is the caller's.
 */
static bool find_without_sections(const struct elf_file *elf, struct span *ret, uint64_t *ret_vaddr, uint8_t **ret_buf)
{
	struct cfi_section hdr = { 0 };
	struct elf_segment seg;
	uint8_t head[16], *buf;
	uint64_t off = 4, vaddr, room = 0;
	ssize_t n;

	if (!elf_file__segment(elf, PT_GNU_EH_FRAME, 0, &seg))
		return false;
	n = elf_file__read_vaddr(elf, seg.vaddr, head, sizeof(head));
	if (n < 4 || head[0] != 1)
		return false;
	hdr = (struct cfi_section){ { head, (size_t)n }, seg.vaddr, seg.vaddr };
	if (!cfi_pointer(&hdr, &off, head[1], &vaddr))
		return false;
	for (uint32_t i = 0; !room && elf_file__segment(elf, PT_LOAD, i, &seg); i++)
		if (vaddr >= seg.vaddr && vaddr - seg.vaddr < seg.file_bytes)
			room = seg.file_bytes - (vaddr - seg.vaddr);
	if (room > MAX_UNSIZED_BYTES)
		room = MAX_UNSIZED_BYTES;
	if (room > elf_file__size(elf))
		room = elf_file__size(elf);
	buf = malloc(room + 1);
	if (!buf)
		return false;
	n = elf_file__read_vaddr(elf, vaddr, buf, room);
	if (n <= 0) {
		free(buf);
		return false;
	}
	*ret = (struct span){ buf, (size_t)n };
	*ret_vaddr = vaddr;
	*ret_buf = buf;
	return true;
}

int ehframe_compile(struct elf_file *elf, const struct ehframe_opts *opts, struct unwind_table *ret)
{
	struct ehframe_range code[MAX_CODE_SEGMENTS];
	struct ehframe_image image = { .code = code, .ncode = find_code(elf, code), .entry_vaddr = elf_file__entry(elf) };
	bool has_go = opts && opts->go.start < opts->go.end, found, unread;
	uint8_t *buf = NULL;
	int err;

	found = elf_file__section(elf, ".eh_frame", &image.eh_frame, &image.eh_frame_vaddr) ||
		find_without_sections(elf, &image.eh_frame, &image.eh_frame_vaddr, &buf);
	found |= elf_file__section(elf, ".debug_frame", &image.debug_frame, NULL);
	unread = !image.debug_frame.data && elf_file__has_section(elf, ".debug_frame");
	if (!found && !unread && !has_go)
		return -ENOENT;
	err = ehframe_compile_image(&image, opts, ret);
	if (!err)
		ret->stats.debug_frame_unread = unread;
	free(buf);
	return err;
}
