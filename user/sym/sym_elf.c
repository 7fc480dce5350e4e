// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Symbol tables: .symtab and .dynsym of the file, of its debug file, and of the ELF file in its .gnu_debugdata, as
 * one sorted list with one name for each address.
 */
#include "sym/sym_backend.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

#define MAX_SYMS (1u << 24)
#define MAX_LOOK_BACK 64 /* how many symbols may lie nested in the one that is looked for */

struct entry {
	uint64_t vaddr, end; /* end == vaddr: size unknown */
	uint64_t max_end; /* of this and all before */
	const char *name; /* borrowed from the ELF file */
	uint8_t bind;
};

struct sym_elf {
	struct sym_backend base;
	const struct elf_file *elf;
	struct elf_file *mini; /* its .gnu_debugdata, or NULL */
	struct entry *items; /* ascending */
	size_t len, cap;
};

/* Labels that the assembler leaves for itself: AArch64's mapping symbols $x and $d, and .L names. */
static bool is_label(const char *name)
{
	return name[0] == '$' || (name[0] == '.' && name[1] == 'L');
}

static int add_sym(void *ctx, const struct elf_sym *sym)
{
	struct sym_elf *self = ctx;
	struct entry entry;

	/* Hand-written code often has no type. */
	if ((!sym->is_func && sym->type != STT_NOTYPE) || is_label(sym->name) ||
	    !elf_file__is_code(self->elf, sym->vaddr))
		return 0;
	if (self->len >= MAX_SYMS ||
	    vec_reserve((void **)&self->items, &self->cap, self->len + 1, sizeof(*self->items)))
		return 1;
	entry = (struct entry){ .vaddr = sym->vaddr, .end = sym->vaddr, .name = sym->name, .bind = sym->bind };
	if (sym->size_bytes <= UINT64_MAX - sym->vaddr)
		entry.end += sym->size_bytes;
	self->items[self->len++] = entry;
	return 0;
}

static int bind_rank(uint8_t bind)
{
	switch (bind) {
	case STB_GLOBAL:
		return 0;
	case STB_LOCAL:
		return 1;
	default:
		return 2;
	}
}

/* By address; of several names the best first: "malloc" before "__libc_malloc". */
static int by_vaddr(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	size_t x_bars, y_bars;

	if (x->vaddr != y->vaddr)
		return x->vaddr < y->vaddr ? -1 : 1;
	if ((x->end > x->vaddr) != (y->end > y->vaddr))
		return x->end > x->vaddr ? -1 : 1;
	if (bind_rank(x->bind) != bind_rank(y->bind))
		return bind_rank(x->bind) - bind_rank(y->bind);
	if (x->end != y->end)
		return x->end > y->end ? -1 : 1;
	x_bars = strspn(x->name, "_");
	y_bars = strspn(y->name, "_");
	if (x_bars != y_bars)
		return x_bars < y_bars ? -1 : 1;
	/* Only to be the same every time; bounded, since names of the target may share any length of beginning. */
	return strncmp(x->name, y->name, 128);
}

static void sort_and_unify(struct sym_elf *self)
{
	uint64_t max_end = 0;
	size_t kept = 0;

	if (!self->len)
		return;
	qsort(self->items, self->len, sizeof(*self->items), by_vaddr);
	for (size_t i = 0; i < self->len; i++) {
		if (kept && self->items[kept - 1].vaddr == self->items[i].vaddr)
			continue;
		if (self->items[i].end > max_end)
			max_end = self->items[i].end;
		self->items[kept] = self->items[i];
		self->items[kept++].max_end = max_end;
	}
	self->len = kept;
}

/* The last entry at or below @vaddr, or NULL. */
static const struct entry *last_below(const struct sym_elf *self, uint64_t vaddr)
{
	size_t lo = 0, hi = self->len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (self->items[mid].vaddr <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? &self->items[lo - 1] : NULL;
}

static const struct entry *find(const struct sym_elf *self, uint64_t vaddr)
{
	const struct entry *nearest = last_below(self, vaddr), *entry = nearest;

	for (int i = 0; entry && i < MAX_LOOK_BACK && entry->max_end > vaddr; i++) {
		if (entry->end > vaddr)
			return entry;
		entry = entry > self->items ? entry - 1 : NULL;
	}
	/* A symbol without a size reaches up to the next one. */
	return nearest && nearest->end == nearest->vaddr && elf_file__is_code(self->elf, vaddr) ? nearest : NULL;
}

static bool elf_resolve(struct sym_backend *backend, uint64_t vaddr, struct sym_sink *sink)
{
	const struct entry *entry = find((struct sym_elf *)backend, vaddr);
	char name[SYM_MAX_NAME_BYTES];
	size_t len;

	if (!entry)
		return false;
	/* "memcpy@@GLIBC_2.14": the linker writes versions into .symtab names. */
	len = strnlen(entry->name, sizeof(name) - 1);
	memcpy(name, entry->name, len);
	name[len] = 0;
	name[1 + strcspn(name + 1, "@")] = 0;
	sym_sink__add(sink, name, NULL, 0, false);
	return true;
}

static void elf_free(struct sym_backend *backend)
{
	struct sym_elf *self = (struct sym_elf *)backend;

	free(self->items);
	elf_file__free(self->mini);
	free(self);
}

static const struct sym_backend_ops elf_ops = {
	.name = "elf",
	.resolve = elf_resolve,
	.free = elf_free,
};

int sym_elf__open(struct sym_source *src, struct sym_backend **ret)
{
	struct elf_file *debug;
	struct sym_elf *self;

	if (!src->mod->elf)
		return -ENOENT;
	debug = sym_source__debug(src);
	self = calloc(1, sizeof(*self));
	if (!self)
		return -ENOMEM;
	self->base.ops = &elf_ops;
	self->elf = src->mod->elf;
	elf_file__each_sym(src->mod->elf, add_sym, self);
	if (debug)
		elf_file__each_sym(debug, add_sym, self);
	else if (!elf_file__has_section(src->mod->elf, ".symtab") && !minidebug_open(src->mod->elf, &self->mini))
		elf_file__each_sym(self->mini, add_sym, self);
	sort_and_unify(self);
	*ret = &self->base;
	return 0;
}
