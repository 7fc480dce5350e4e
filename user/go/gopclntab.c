// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Vocabulary
 *
 * ftab: sorted pairs (start of function, offset of its record), one more start
 * at the end that closes the last function. Record: Go's struct _func, fixed
 * fields, then npcdata 32-bit offsets of pc-value tables, then nfuncdata
 * references to other data. Pc-value table: pairs of varints (zig-zag value
 * delta, pc delta in units of the instruction quantum) from the function's entry
 * on; the value starts at -1, and a value delta of 0 but the first ends it.
 *
 * A line number, a file number, the depth of the stack and the index of the
 * innermost inlined call are each such a table. The inline index points into the
 * function's inline tree, an array of calls: the callee's name and parent_pc, an
 * instruction of the function whose line is the line of the call. So one level
 * outwards is: look everything up again at entry + parent_pc. The trees up to
 * 1.19 also name the parent entry, and the runtime follows that one: so do we.
 *
 * Versions
 *
 * All that differs between them stands in layouts[]; the magic decides. What the
 * version number adds is only whether an 0xfffffffb table is older than 1.15:
 * then the place of the inline tree is not known, and there are no inlined frames.
 *
 * Hostile input
 *
 * Offsets are read through spans. A table may be megabytes of steps that never
 * reach the pc asked for: steps are bounded by the function's size in instructions
 * and by MAX_STEPS. Strings are bounded by MAX_STRING, so that a million lookups
 * of an endless name stay linear. Inline chains end at the caller's capacity.
 *
 * Not done: decoding all tables at open. It makes lookups a little faster and the
 * start slow, which is what the user sees; Go's findfunctab is not used either, it
 * lies outside the table and a binary search is fast enough.
 */
#include "go/gopclntab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PCDATA_INLTREE_INDEX 2
#define MAX_STEPS (1u << 20)
#define MAX_STRING (1u << 16)
#define PROBE_FUNCS 8
#define MAX_VARINT 5
#define MAGIC_GO12 0xfffffffbu

/* Fields that a version does not have are 0 in the header (no offset there is 0), -1 elsewhere. */
struct layout {
	uint32_t magic;
	/* ftab entries and record entries are addresses of 8 bytes, funcdata are pointers; else 32-bit offsets */
	bool has_pointers;
	uint8_t header_size;
	uint8_t text_start, funcnametab, cutab, filetab, pctab, functab; /* places in the header of 8-byte words */
	struct {
		int8_t name_off, pcsp, pcfile, pcln, npcdata, cu_off, start_line, nfuncdata, size;
		int8_t inltree; /* FUNCDATA_InlTree */
	} func;
	struct {
		int8_t parent, name_off, parent_pc, start_line, size;
	} inl;
};

/*
 * Go 1.2-1.15, 1.16-1.17, 1.18-1.19, 1.20 on.
 * runtime/symtab.go (pcHeader, inlinedCall), runtime/runtime2.go (_func), internal/abi/symtab.go of each.
 */
static const struct layout layouts[] = {
	{ .magic = MAGIC_GO12, .has_pointers = true, .header_size = 16,
	  .func = { .name_off = 8, .pcsp = 20, .pcfile = 24, .pcln = 28, .npcdata = 32, .cu_off = -1, .start_line = -1,
		    .nfuncdata = 39, .size = 40, .inltree = 4 },
	  .inl = { .parent = 0, .name_off = 12, .parent_pc = 16, .start_line = -1, .size = 20 } },
	{ .magic = 0xfffffffa, .has_pointers = true, .header_size = 64,
	  .funcnametab = 24, .cutab = 32, .filetab = 40, .pctab = 48, .functab = 56,
	  .func = { .name_off = 8, .pcsp = 20, .pcfile = 24, .pcln = 28, .npcdata = 32, .cu_off = 36, .start_line = -1,
		    .nfuncdata = 43, .size = 44, .inltree = 3 },
	  .inl = { .parent = 0, .name_off = 12, .parent_pc = 16, .start_line = -1, .size = 20 } },
	{ .magic = 0xfffffff0, .header_size = 72,
	  .text_start = 24, .funcnametab = 32, .cutab = 40, .filetab = 48, .pctab = 56, .functab = 64,
	  .func = { .name_off = 4, .pcsp = 16, .pcfile = 20, .pcln = 24, .npcdata = 28, .cu_off = 32, .start_line = -1,
		    .nfuncdata = 39, .size = 40, .inltree = 3 },
	  .inl = { .parent = 0, .name_off = 12, .parent_pc = 16, .start_line = -1, .size = 20 } },
	{ .magic = 0xfffffff1, .header_size = 72,
	  .text_start = 24, .funcnametab = 32, .cutab = 40, .filetab = 48, .pctab = 56, .functab = 64,
	  .func = { .name_off = 4, .pcsp = 16, .pcfile = 20, .pcln = 24, .npcdata = 28, .cu_off = 32, .start_line = 36,
		    .nfuncdata = 43, .size = 44, .inltree = 3 },
	  .inl = { .parent = -1, .name_off = 4, .parent_pc = 8, .start_line = 12, .size = 16 } },
};

struct gopclntab {
	const struct layout *layout;
	struct span all;
	struct span names, cutab, files, pctab; /* what name, file and pc-value offsets count from */
	struct span funcs; /* ftab, then records; record offsets count from its start */
	uint64_t ftab_off; /* in funcs */
	uint32_t nfuncs;
	uint8_t quantum;
	bool has_inltree;
	uint64_t text; /* base of 32-bit entries; 0 when entries are addresses */
	struct span funcdata;
	uint64_t funcdata_vaddr;
};

/* A function with its record, all in bounds. */
struct rec {
	uint64_t entry, end;
	struct span bytes; /* of the record and what follows it */
	uint32_t npcdata;
	uint8_t nfuncdata;
};

/* Which call at a pc; what newer and older trees say of it. */
struct inl_call {
	int32_t parent; /* INT32_MIN: look it up at parent_pc */
	uint32_t name_off, start_line;
	uint32_t parent_pc; /* from the function's entry */
};

static const struct layout *find_layout(uint32_t magic)
{
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (layouts[i].magic == magic)
			return &layouts[i];
	return NULL;
}

static const char *bounded_cstr(struct span s, uint64_t off)
{
	const char *str;

	if (off >= s.len)
		return NULL;
	s.data += off;
	s.len -= off;
	if (s.len > MAX_STRING)
		s.len = MAX_STRING;
	return span_cstr(s, 0, &str) ? str : NULL;
}

static uint64_t ftab_entry_size(const struct layout *layout)
{
	return layout->has_pointers ? 16 : 8;
}

/* Start of function @i, or the end of the last one for i == nfuncs. @i is in range: ftab was measured at open. */
static uint64_t ftab_pc(const struct gopclntab *tab, uint32_t i)
{
	uint64_t off = tab->ftab_off + i * ftab_entry_size(tab->layout);
	uint64_t addr = 0;
	uint32_t rel = 0;

	if (tab->layout->has_pointers) {
		span_u64(tab->funcs, off, &addr);
		return addr;
	}
	span_u32(tab->funcs, off, &rel);
	return tab->text + rel;
}

static uint64_t ftab_rec_off(const struct gopclntab *tab, uint32_t i)
{
	uint64_t off = tab->ftab_off + i * ftab_entry_size(tab->layout);
	uint64_t wide = 0;
	uint32_t narrow = 0;

	if (tab->layout->has_pointers) {
		span_u64(tab->funcs, off + 8, &wide);
		return wide;
	}
	span_u32(tab->funcs, off + 4, &narrow);
	return narrow;
}

static bool read_rec(const struct gopclntab *tab, uint32_t i, struct rec *ret)
{
	const struct layout *l = tab->layout;
	struct rec rec;

	if (!span_from(tab->funcs, ftab_rec_off(tab, i), &rec.bytes) || !span_has(rec.bytes, 0, l->func.size) ||
	    !span_u32(rec.bytes, l->func.npcdata, &rec.npcdata) ||
	    !span_u8(rec.bytes, l->func.nfuncdata, &rec.nfuncdata))
		return false;
	rec.entry = ftab_pc(tab, i);
	rec.end = ftab_pc(tab, i + 1);
	*ret = rec;
	return true;
}

/* A 32-bit field of the record, 0 where the version has none. */
static uint32_t rec_u32(const struct rec *rec, int8_t field)
{
	uint32_t value = 0;

	if (field >= 0)
		span_u32(rec->bytes, (uint64_t)field, &value);
	return value;
}

/*
 * As span_uvarint32(), for bytes that are known to be there: a varint of 32 bits
 * takes MAX_VARINT at most. This is where lookups spend their time, and nearly all
 * are of one or two bytes.
 */
static inline bool varint(const uint8_t **p, uint32_t *ret)
{
	const uint8_t *at = *p;
	uint32_t value = at[0];

	if (value & 0x80) {
		value = (value & 0x7f) | (uint32_t)(at[1] & 0x7f) << 7;
		at++;
	}
	for (unsigned int shift = 14; *at & 0x80; shift += 7) {
		if (shift >= 7 * MAX_VARINT)
			return false;
		value |= (uint32_t)(*++at & 0x7f) << shift;
	}
	*ret = value;
	*p = at + 1;
	return true;
}

/* One step: a change of the value and how far the value before it reached. Most are of one byte each. */
static inline bool step(const uint8_t **p, uint32_t *value_delta, uint32_t *pc_delta)
{
	const uint8_t *at = *p;

	if (!((at[0] | at[1]) & 0x80)) {
		*value_delta = at[0];
		*pc_delta = at[1];
		*p = at + 2;
		return true;
	}
	return varint(p, value_delta) && varint(p, pc_delta);
}

/* The value at @pc of the table at @off; false if there is no table or it does not reach so far. */
static bool pcvalue(const struct gopclntab *tab, const struct rec *rec, uint32_t off, uint64_t pc, int32_t *ret)
{
	uint64_t steps = (rec->end - rec->entry) / tab->quantum + 2;
	uint64_t target = (pc - rec->entry) / tab->quantum, at = 0;
	uint32_t delta, value = (uint32_t)-1, advance;
	uint8_t tail[4 * MAX_VARINT] = { 0 };
	const uint8_t *p, *end;
	bool in_tail = false;

	if (!off || off >= tab->pctab.len)
		return false;
	if (steps > MAX_STEPS)
		steps = MAX_STEPS;
	p = tab->pctab.data + off;
	end = tab->pctab.data + tab->pctab.len;
	for (; steps; steps--) {
		if (end - p < 2 * MAX_VARINT) {
			if (in_tail)
				return false;
			/* The last few bytes once more, with zeroes behind them, which end any table. */
			memcpy(tail, p, (size_t)(end - p));
			p = tail;
			end = tail + sizeof(tail);
			in_tail = true;
		}
		if (!step(&p, &delta, &advance) || (!delta && at))
			return false;
		value += -(delta & 1) ^ (delta >> 1);
		at += advance;
		if (target < at) {
			*ret = (int32_t)value;
			return true;
		}
	}
	return false;
}

/* Value of pcdata table @index, -1 if there is none. */
static int32_t pcdata(const struct gopclntab *tab, const struct rec *rec, uint32_t index, uint64_t pc)
{
	int32_t value = -1;
	uint32_t off;

	if (index < rec->npcdata && span_u32(rec->bytes, (uint64_t)tab->layout->func.size + index * 4, &off))
		pcvalue(tab, rec, off, pc, &value);
	return value;
}

/* The function's inline tree; false if it has none. */
static bool inline_tree(const struct gopclntab *tab, const struct rec *rec, struct span *ret)
{
	const struct layout *l = tab->layout;
	uint64_t at = l->func.size + (uint64_t)rec->npcdata * 4;
	uint64_t addr, start;
	uint32_t off;

	if (!tab->has_inltree || l->func.inltree >= rec->nfuncdata)
		return false;
	if (!l->has_pointers)
		return span_u32(rec->bytes, at + (uint64_t)l->func.inltree * 4, &off) && off != UINT32_MAX &&
		       span_from(tab->funcdata, off, ret);
	/* Pointers are aligned as addresses; the table itself is, so offsets from its start tell the same. */
	start = (uint64_t)(rec->bytes.data - tab->all.data);
	at = ((start + at + 7) & ~7ull) - start;
	return span_u64(rec->bytes, at + (uint64_t)l->func.inltree * 8, &addr) && addr >= tab->funcdata_vaddr && addr &&
	       span_from(tab->funcdata, addr - tab->funcdata_vaddr, ret);
}

static bool inline_call(const struct gopclntab *tab, struct span tree, int32_t index, struct inl_call *ret)
{
	const struct layout *l = tab->layout;
	struct inl_call call = { .parent = INT32_MIN };
	struct span entry;
	uint16_t parent;

	if (index < 0 || !span_sub(tree, (uint64_t)index * (uint64_t)l->inl.size, (uint64_t)l->inl.size, &entry))
		return false;
	span_u32(entry, (uint64_t)l->inl.name_off, &call.name_off);
	span_u32(entry, (uint64_t)l->inl.parent_pc, &call.parent_pc);
	if (l->inl.start_line >= 0)
		span_u32(entry, (uint64_t)l->inl.start_line, &call.start_line);
	if (l->inl.parent >= 0 && span_u16(entry, (uint64_t)l->inl.parent, &parent))
		call.parent = (int16_t)parent;
	*ret = call;
	return true;
}

/* Name of file number @index of the function's unit; "" if it says none. */
static const char *file_name(const struct gopclntab *tab, const struct rec *rec, uint32_t index)
{
	uint64_t slot = index;
	const char *name;
	uint32_t off;

	if (tab->layout->func.cu_off >= 0)
		slot += rec_u32(rec, tab->layout->func.cu_off);
	if (!span_u32(tab->cutab, slot * 4, &off) || off == UINT32_MAX)
		return "";
	name = bounded_cstr(tab->files, off);
	return name ? name : "";
}

static void file_line(const struct gopclntab *tab, const struct rec *rec, uint64_t pc, struct go_frame *frame)
{
	int32_t file, line;

	frame->file = "";
	frame->line = 0;
	if (!pcvalue(tab, rec, rec_u32(rec, tab->layout->func.pcfile), pc, &file) || file < 0 ||
	    !pcvalue(tab, rec, rec_u32(rec, tab->layout->func.pcln), pc, &line) || line < 0)
		return;
	frame->file = file_name(tab, rec, (uint32_t)file);
	frame->line = (uint32_t)line;
}

static uint32_t plausible_line(uint32_t line)
{
	return line <= INT32_MAX ? line : 0;
}

/* Tables of 1.16 on: the header says where each starts, and each ends where the next starts. */
static bool split_tables(struct gopclntab *tab)
{
	const struct layout *l = tab->layout;
	uint64_t names, cutab, files, pctab, funcs;

	if (!span_u64(tab->all, l->funcnametab, &names) || !span_u64(tab->all, l->cutab, &cutab) ||
	    !span_u64(tab->all, l->filetab, &files) || !span_u64(tab->all, l->pctab, &pctab) ||
	    !span_u64(tab->all, l->functab, &funcs))
		return false;
	if (names < l->header_size || names > cutab || cutab > files || files > pctab || pctab > funcs)
		return false;
	return span_from(tab->all, funcs, &tab->funcs) && span_sub(tab->all, names, cutab - names, &tab->names) &&
	       span_sub(tab->all, cutab, files - cutab, &tab->cutab) &&
	       span_sub(tab->all, files, pctab - files, &tab->files) &&
	       span_sub(tab->all, pctab, funcs - pctab, &tab->pctab);
}

/*
 * Up to 1.15 all offsets count from the start of the whole, ftab follows the
 * count of functions, and behind it stands the offset of the file table: a
 * count, then offsets of names. Files count from 1, so the count is slot 0.
 */
static bool whole_table(struct gopclntab *tab)
{
	uint32_t off, count;

	tab->names = tab->files = tab->pctab = tab->funcs = tab->all;
	tab->ftab_off = tab->layout->header_size;
	return span_u32(tab->all, tab->ftab_off + tab->nfuncs * 16ull + 8, &off) &&
	       span_u32(tab->all, off, &count) && span_sub(tab->all, off, count * 4ull, &tab->cutab);
}

/* Everything but the order of ftab. */
static bool parse_header(struct span bytes, struct gopclntab *tab)
{
	uint8_t pad[2], quantum, ptr_size;
	uint64_t nfuncs, ftab_len;
	uint32_t magic;

	if (!span_u32(bytes, 0, &magic) || !span_read(bytes, 4, pad, sizeof(pad)) || !span_u8(bytes, 6, &quantum) ||
	    !span_u8(bytes, 7, &ptr_size) || !span_u64(bytes, 8, &nfuncs))
		return false;
	tab->layout = find_layout(magic);
	if (!tab->layout || pad[0] || pad[1] || ptr_size != 8 || (quantum != 1 && quantum != 2 && quantum != 4))
		return false;
	if (!nfuncs || nfuncs >= bytes.len / ftab_entry_size(tab->layout) || nfuncs > INT32_MAX)
		return false;
	tab->all = bytes;
	tab->nfuncs = (uint32_t)nfuncs;
	tab->quantum = quantum;
	if (!(tab->layout->funcnametab ? split_tables(tab) : whole_table(tab)))
		return false;
	/* The last start has no record offset. */
	ftab_len = nfuncs * ftab_entry_size(tab->layout) + ftab_entry_size(tab->layout) / 2;
	return span_has(tab->funcs, tab->ftab_off, ftab_len);
}

/*
 * The record of function @i repeats its start. Compared as stored: a PIE of up to
 * 1.17 has zeroes in both places before it is relocated.
 */
static bool entry_agrees(const struct gopclntab *tab, uint32_t i)
{
	struct span rec;
	uint64_t addr;
	uint32_t rel;

	if (!span_from(tab->funcs, ftab_rec_off(tab, i), &rec))
		return false;
	if (tab->layout->has_pointers)
		return span_u64(rec, 0, &addr) && addr == ftab_pc(tab, i);
	return span_u32(rec, 0, &rel) && tab->text + rel == ftab_pc(tab, i);
}

bool gopclntab_probe(struct span bytes)
{
	struct gopclntab tab = { .text = 0 };

	if (!parse_header(bytes, &tab))
		return false;
	for (uint32_t i = 0; i < tab.nfuncs && i < PROBE_FUNCS; i++)
		if (!entry_agrees(&tab, i) || ftab_pc(&tab, i) > ftab_pc(&tab, i + 1))
			return false;
	return true;
}

int gopclntab__open(const struct gopclntab_input *in, struct gopclntab **ret)
{
	struct gopclntab *tab;

	tab = calloc(1, sizeof(*tab));
	if (!tab)
		return -ENOMEM;
	if (!parse_header(in->bytes, tab) || !entry_agrees(tab, 0))
		goto bad;
	if (!tab->layout->has_pointers) {
		tab->text = in->text_vaddr;
		if (!tab->text && (!span_u64(tab->all, tab->layout->text_start, &tab->text) || !tab->text))
			goto bad;
		/* So that no sum of it and an offset wraps. */
		if (tab->text > UINT64_MAX - UINT32_MAX)
			goto bad;
	}
	for (uint32_t i = 0; i < tab->nfuncs; i++)
		if (ftab_pc(tab, i) > ftab_pc(tab, i + 1))
			goto bad;
	/* All zeroes: addresses that nobody relocated. */
	if (ftab_pc(tab, 0) == ftab_pc(tab, tab->nfuncs))
		goto bad;
	tab->funcdata = in->funcdata;
	tab->funcdata_vaddr = in->funcdata_vaddr;
	tab->has_inltree = in->funcdata.len &&
			   (tab->layout->magic != MAGIC_GO12 || !in->go_minor || in->go_minor >= 15);
	*ret = tab;
	return 0;
bad:
	free(tab);
	return -ENOEXEC;
}

void gopclntab__free(struct gopclntab *tab)
{
	free(tab);
}

uint32_t gopclntab__nfuncs(const struct gopclntab *tab)
{
	return tab->nfuncs;
}

bool gopclntab__func(const struct gopclntab *tab, uint32_t index, struct go_func *ret)
{
	const char *name;
	struct rec rec;

	if (index >= tab->nfuncs || !read_rec(tab, index, &rec))
		return false;
	name = bounded_cstr(tab->names, rec_u32(&rec, tab->layout->func.name_off));
	if (!name)
		return false;
	*ret = (struct go_func){ .name = name, .entry = rec.entry, .end = rec.end, .index = index };
	return true;
}

/* The last function that starts at or before @pc; false outside of all. */
static bool find_index(const struct gopclntab *tab, uint64_t pc, uint32_t *ret)
{
	uint32_t lo = 0, hi = tab->nfuncs, mid;

	if (pc < ftab_pc(tab, 0) || pc >= ftab_pc(tab, tab->nfuncs))
		return false;
	/* pc(lo) <= pc < pc(hi) */
	while (hi - lo > 1) {
		mid = lo + (hi - lo) / 2;
		if (ftab_pc(tab, mid) <= pc)
			lo = mid;
		else
			hi = mid;
	}
	*ret = lo;
	return true;
}

bool gopclntab__find_name(const struct gopclntab *tab, const char *name, struct go_func *ret)
{
	uint32_t n = gopclntab__nfuncs(tab);
	struct go_func func;
	bool found = false;

	for (uint32_t i = 0; i < n; i++) {
		if (!gopclntab__func(tab, i, &func) || strcmp(func.name, name) != 0)
			continue;
		if (!found || func.end - func.entry > ret->end - ret->entry)
			*ret = func;
		found = true;
	}
	return found;
}

bool gopclntab__find_pc(const struct gopclntab *tab, uint64_t pc, struct go_func *ret)
{
	uint32_t index;

	return find_index(tab, pc, &index) && gopclntab__func(tab, index, ret);
}

/* The tables lie far apart in megabytes that no cache holds: ask for all at once. */
static void prefetch(const struct gopclntab *tab, const struct rec *rec)
{
	const struct layout *l = tab->layout;
	uint32_t offs[3] = { rec_u32(rec, l->func.pcfile), rec_u32(rec, l->func.pcln), 0 };

	span_u32(rec->bytes, (uint64_t)l->func.size + PCDATA_INLTREE_INDEX * 4, &offs[2]);
	for (size_t i = 0; i < sizeof(offs) / sizeof(offs[0]); i++)
		if (offs[i] < tab->pctab.len)
			__builtin_prefetch(tab->pctab.data + offs[i]);
}

int gopclntab__frames(const struct gopclntab *tab, uint64_t pc, struct go_frame *ret, int cap)
{
	struct inl_call call;
	int32_t index = -1;
	const char *name;
	struct span tree;
	struct rec rec;
	uint32_t at;
	int n = 0;

	if (cap <= 0 || !find_index(tab, pc, &at) || !read_rec(tab, at, &rec))
		return 0;
	prefetch(tab, &rec);
	name = bounded_cstr(tab->names, rec_u32(&rec, tab->layout->func.name_off));
	if (!name)
		return 0;
	if (inline_tree(tab, &rec, &tree))
		index = pcdata(tab, &rec, PCDATA_INLTREE_INDEX, pc);
	for (; index >= 0 && inline_call(tab, tree, index, &call); n++) {
		if (n == cap)
			return n;
		ret[n].func = bounded_cstr(tab->names, call.name_off);
		if (!ret[n].func || call.parent_pc >= rec.end - rec.entry)
			break;
		file_line(tab, &rec, pc, &ret[n]);
		ret[n].start_line = plausible_line(call.start_line);
		ret[n].inlined = true;
		pc = rec.entry + call.parent_pc;
		index = call.parent != INT32_MIN ? call.parent : pcdata(tab, &rec, PCDATA_INLTREE_INDEX, pc);
	}
	if (n == cap)
		return n;
	file_line(tab, &rec, pc, &ret[n]);
	ret[n].func = name;
	ret[n].start_line = plausible_line(rec_u32(&rec, tab->layout->func.start_line));
	ret[n].inlined = false;
	return n + 1;
}

bool gopclntab__sp_delta(const struct gopclntab *tab, uint64_t pc, int32_t *ret)
{
	struct rec rec;
	uint32_t index;
	int32_t delta;

	/* -1 before the first step of a table, and no frame is smaller or of an odd size. */
	if (!find_index(tab, pc, &index) || !read_rec(tab, index, &rec) ||
	    !pcvalue(tab, &rec, rec_u32(&rec, tab->layout->func.pcsp), pc, &delta) || delta < 0 || delta & 7)
		return false;
	*ret = delta;
	return true;
}
