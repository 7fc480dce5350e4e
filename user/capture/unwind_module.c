// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/unwind_module.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MAX_FRAME_BYTES 4096

static void add_range(struct unwind_chain *chain, uint64_t start, uint64_t end, uint32_t code, uint32_t frame_bytes)
{
	if (start >= end || chain->n >= UNWIND_MAX_CHAINS)
		return;
	chain->ranges[chain->n].start = start;
	chain->ranges[chain->n].end = end;
	chain->ranges[chain->n].code = code;
	chain->ranges[chain->n++].frame_bytes = frame_bytes;
}

/* The largest frame of @func: that at its calls. */
static uint32_t frame_bytes(const struct gopclntab *tab, const struct go_func *func)
{
	int32_t largest = 0, delta;

	for (uint64_t pc = func->entry; pc < func->end && pc - func->entry < MAX_FRAME_BYTES; pc++)
		if (gopclntab__sp_delta(tab, pc, &delta) && delta > largest && delta < MAX_FRAME_BYTES)
			largest = delta;
	return (uint32_t)largest;
}

/*
 * crosscall2, by which C calls Go, is assembly without a frame pointer: on its stack lie the registers that C wants
 * back, and it is entered with C's frame pointer, which its callee saves (runtime/cgo/asm_amd64.s).
 */
static void find_chain(const struct gobin *bin, struct unwind_chain *ret)
{
	const struct go_moduledata *md = gobin__moduledata(bin);
	const struct gopclntab *tab = gobin__pclntab(bin);
	struct go_func border;
	uint32_t bytes = 0;

	if (!md->vaddr || md->text >= md->etext || !tab)
		return;
	if (gopclntab__find_name(tab, "crosscall2", &border) && border.entry >= md->text && border.end <= md->etext)
		bytes = frame_bytes(tab, &border);
	if (!bytes) {
		add_range(ret, md->text, md->etext, ABI_CODE_CHAIN, 0);
		return;
	}
	add_range(ret, md->text, border.entry, ABI_CODE_CHAIN, 0);
	add_range(ret, border.entry, border.end, ABI_CODE_FRAME, bytes + 8);
	add_range(ret, border.end, md->etext, ABI_CODE_CHAIN, 0);
}

/* Has the table anything to say of code that is not Go's? */
static bool has_rules(const struct unwind_table *table)
{
	for (uint32_t i = 0; i < table->nrows; i++) {
		uint8_t cfa = table->rules[table->rows[i] & 0xffff].cfa;

		if (cfa != ABI_CFA_NONE && cfa != ABI_CFA_CHAIN)
			return true;
	}
	return false;
}

int unwind_module_compile(const struct module *mod, struct gomods *gomods, struct unwind_table *ret,
			  struct unwind_chain *ret_chain)
{
	const struct gobin *bin = gomods__get(gomods, mod->id);
	struct ehframe_opts opts = { 0 };
	int err;

	memset(ret_chain, 0, sizeof(*ret_chain));
	memset(ret, 0, sizeof(*ret));
	if (bin)
		find_chain(bin, ret_chain);
	if (ret_chain->n) {
		opts.go.start = ret_chain->ranges[0].start;
		opts.go.end = ret_chain->ranges[ret_chain->n - 1].end;
	}
	err = ehframe_compile(mod->elf, &opts, ret);
	if (!err && !has_rules(ret)) {
		unwind_table__free(ret);
		memset(ret, 0, sizeof(*ret));
		err = -ENOENT;
	}
	return err;
}

void unwind_module_file(const struct module *mod, struct abi_file_key *ret_key, struct abi_unwind_file *ret)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct elf_segment seg;

	memset(ret, 0, sizeof(*ret));
	*ret_key = (struct abi_file_key){ .inode = mod->inode, .dev = mod->dev_major << 20 | mod->dev_minor };
	for (uint32_t i = 0; elf_file__segment(mod->elf, PT_LOAD, i, &seg); i++) {
		uint64_t off, slack;

		if (!(seg.flags & PF_X) || ret->nsegments >= ABI_MAX_SEGMENTS ||
		    !elf_file__vaddr_to_off(mod->elf, seg.vaddr, &off))
			continue;
		slack = off & (page - 1);
		if (slack > seg.vaddr)
			continue;
		ret->segments[ret->nsegments].file_off = off - slack;
		ret->segments[ret->nsegments].end_off = (off + seg.file_bytes + page - 1) & ~(page - 1);
		ret->segments[ret->nsegments++].vaddr = seg.vaddr - slack;
	}
}
