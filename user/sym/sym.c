// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The symbolizer's face: which backends a module has, and what was asked before.
 *
 * A module's backends are opened one by one, each when the ones before it did not
 * know an address: a Go program's DWARF is never read unless C code in it allocates.
 * An answer is kept for each (module, vaddr), so that repeated reports cost one lookup.
 */
#include "sym/sym.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/vec.h"
#include "profile/frames.h"
#include "sym/sym_backend.h"
#include "sym/sym_types.h"

/* In order of trust. A new source of names is a row here. */
static const struct {
	const char *name;
	int (*open)(struct sym_source *src, struct sym_backend **ret);
} backend_rows[] = {
	{ "Go's pclntab", sym_go__open },
	{ "DWARF", sym_dwarf__open },
	{ "ELF symbols", sym_elf__open },
	{ "the perf map", sym_perfmap__open },
	{ "kallsyms", sym_kernel__open },
};

#define NBACKENDS ((int)(sizeof(backend_rows) / sizeof(backend_rows[0])))

struct sym_module {
	struct sym_source src;
	struct sym_backend *backends[NBACKENDS]; /* NULL: not there */
	bool opened[NBACKENDS];
};

/* Key of the cache: compared as bytes, no padding. */
struct cache_key {
	uint64_t vaddr;
	uint32_t module, zero;
};

struct cached {
	uint32_t first, len; /* in frames */
};

struct sym {
	const struct modules *mods;
	struct gomods *gomods;
	struct strtab *strs;
	char *debug_root;
	struct debuginfod *debuginfod;
	const struct diag *diag;
	struct sym_module **modules; /* by module id; NULL: not asked yet */
	size_t nmodules, modules_cap;
	struct hmap *cache;
	struct cached *cached;
	size_t cached_cap;
	struct prof_frame *frames;
	size_t nframes, frames_cap;
	struct sym_types *types;
	uint64_t unnamed_go;
};

void sym_sink__add(struct sym_sink *sink, const char *func, const char *file, uint32_t line, bool inlined)
{
	struct prof_frame frame = { .line = line, .flags = inlined ? FRAME_INLINED : 0 };
	char name[SYM_MAX_NAME_BYTES];

	if (sink->len >= SYM_MAX_FRAMES)
		return;
	if (func)
		func = plumbing_public_name(func);
	sink->last_was_mangled = func && demangle(func, name, sizeof(name));
	if (sink->last_was_mangled)
		func = name;
	if (func) {
		frame.func = strtab__add(sink->strs, func, strnlen(func, SYM_MAX_NAME_BYTES));
		if (plumbing_is(func))
			frame.flags |= FRAME_PLUMBING;
	}
	if (file)
		frame.file = strtab__add(sink->strs, file, strnlen(file, SYM_MAX_NAME_BYTES));
	sink->frames[sink->len++] = frame;
}

bool sym_has_dwarf(const struct elf_file *elf)
{
	return elf_file__has_section(elf, ".debug_info") || elf_file__has_section(elf, ".zdebug_info");
}

struct elf_file *sym_source__debug(struct sym_source *src)
{
	if (!src->debug_searched) {
		int err;

		src->debug_searched = true;
		err = debugfile_find(src->mod, src->debug_root, &src->debug);
		/* Of the kernel's own pages, and of a file that has it all, there is nothing to ask. */
		if (err && src->debuginfod && src->mod->kind == MODULE_FILE && !sym_has_dwarf(src->mod->elf))
			err = debugfile_fetch(src->mod, src->debuginfod, &src->debug);
		if (!err)
			diag_emit(src->diag, DIAG_DEBUG, "%s: debug file %s", src->mod->name,
				  elf_file__name(src->debug));
	}
	return src->debug;
}

int sym__new(const struct modules *mods, struct gomods *gomods, struct strtab *strs, const struct sym_opts *opts,
	     struct sym **ret)
{
	struct sym *sym = calloc(1, sizeof(*sym));

	if (!sym)
		return -ENOMEM;
	sym->mods = mods;
	sym->gomods = gomods;
	sym->strs = strs;
	sym->diag = opts ? opts->diag : NULL;
	sym->debuginfod = opts ? opts->debuginfod : NULL;
	sym->debug_root = strdup(opts && opts->debug_root ? opts->debug_root : "");
	if (!sym->debug_root || hmap__new(sizeof(struct cache_key), &sym->cache) ||
	    sym_types__new(mods, gomods, strs, &sym->types)) {
		sym__free(sym);
		return -ENOMEM;
	}
	*ret = sym;
	return 0;
}

static void sym_module__free(struct sym_module *mod)
{
	if (!mod)
		return;
	for (int i = 0; i < NBACKENDS; i++) {
		if (mod->backends[i])
			mod->backends[i]->ops->free(mod->backends[i]);
	}
	elf_file__free(mod->src.debug);
	free(mod);
}

void sym__free(struct sym *sym)
{
	if (!sym)
		return;
	for (size_t i = 0; i < sym->nmodules; i++)
		sym_module__free(sym->modules[i]);
	free(sym->modules);
	hmap__free(sym->cache);
	free(sym->cached);
	free(sym->frames);
	sym_types__free(sym->types);
	free(sym->debug_root);
	free(sym);
}

/* Ours of module @id; NULL when there is no such module or memory is out. */
static struct sym_module *module_of(struct sym *sym, uint32_t id)
{
	struct module *mod = modules__get(sym->mods, id);
	struct sym_module *ours;

	if (!mod)
		return NULL;
	if (vec_reserve((void **)&sym->modules, &sym->modules_cap, (size_t)id + 1, sizeof(*sym->modules)))
		return NULL;
	while (sym->nmodules <= id)
		sym->modules[sym->nmodules++] = NULL;
	if (sym->modules[id])
		return sym->modules[id];
	ours = calloc(1, sizeof(*ours));
	if (!ours)
		return NULL;
	ours->src = (struct sym_source){ .mod = mod, .debug_root = sym->debug_root,
					 .debuginfod = sym->debuginfod, .diag = sym->diag };
	ours->src.go = gomods__get(sym->gomods, id);
	sym->modules[id] = ours;
	return ours;
}

/* Let the backends see what became known since the last time. */
static void refresh(struct sym *sym)
{
	for (size_t m = 0; m < sym->nmodules; m++) {
		struct sym_module *mod = sym->modules[m];

		for (int i = 0; mod && i < NBACKENDS; i++) {
			if (mod->backends[i] && mod->backends[i]->ops->refresh)
				mod->backends[i]->ops->refresh(mod->backends[i]);
		}
	}
}

static struct sym_backend *backend_of(struct sym_module *mod, int i)
{
	if (!mod->opened[i]) {
		int err;

		mod->opened[i] = true;
		err = backend_rows[i].open(&mod->src, &mod->backends[i]);
		if (err && err != -ENOENT)
			diag_emit(mod->src.diag, DIAG_DEBUG, "%s: %s not usable: %s", mod->src.mod->name,
				  backend_rows[i].name, strerror(-err));
	}
	return mod->backends[i];
}

/* @sink has lines and lacks the (full) name of the function around them, which @more may have. */
static void take_outermost_name(struct sym_sink *sink, const struct sym_sink *more)
{
	struct prof_frame *outermost = &sink->frames[sink->len - 1];
	const struct prof_frame *other = &more->frames[more->len - 1];

	if (outermost->func && !more->last_was_mangled)
		return;
	outermost->func = other->func;
	outermost->flags = (outermost->flags & ~(uint32_t)FRAME_PLUMBING) | (other->flags & FRAME_PLUMBING);
	sink->wants_mangled = false;
}

/* Ask one backend after the other until the outermost frame has a name. */
static void ask_backends(struct sym_module *mod, uint64_t vaddr, struct sym_sink *sink)
{
	for (int i = 0; i < NBACKENDS; i++) {
		struct sym_backend *backend = backend_of(mod, i);
		struct sym_sink more = { .strs = sink->strs };

		if (!backend || !backend->ops->resolve(backend, vaddr, &more) || !more.len)
			continue;
		if (!sink->len)
			*sink = more;
		else
			take_outermost_name(sink, &more);
		if (sink->frames[sink->len - 1].func && !sink->wants_mangled)
			return;
	}
}

static uint32_t made_up_name(struct strtab *strs, const char *module, uint64_t vaddr)
{
	char name[320];

	prof_name_address(module, vaddr, name);
	return strtab__adds(strs, name);
}

/* Code that the function table of a Go program should know; C code beside it lies elsewhere. */
static bool is_go_code(const struct sym_source *src, uint64_t vaddr)
{
	const struct go_moduledata *md = src->go ? gobin__moduledata(src->go) : NULL;

	return md && vaddr >= md->text && vaddr < md->etext;
}

static void resolve(struct sym *sym, uint32_t module, uint64_t vaddr, struct sym_sink *sink)
{
	const struct module *info = modules__get(sym->mods, module);
	struct sym_module *mod = module_of(sym, module);

	if (mod)
		ask_backends(mod, vaddr, sink);
	if (!sink->len)
		sink->frames[sink->len++] = (struct prof_frame){ 0 };
	for (int i = 0; i < sink->len; i++) {
		if (info && info->kind == MODULE_KERNEL)
			sink->frames[i].flags |= FRAME_KERNEL;
		if (sink->frames[i].func)
			continue;
		sink->frames[i].func = made_up_name(sym->strs, info ? info->name : "", vaddr);
		sink->frames[i].flags |= FRAME_UNKNOWN;
		sym->unnamed_go += mod && is_go_code(&mod->src, vaddr);
	}
}

/* May there be a name tomorrow for what has none today? A JIT compiler writes names while it runs. */
static bool may_learn(const struct module *mod, const struct prof_frame *frame)
{
	return mod && !mod->elf && (mod->kind == MODULE_JIT || mod->kind == MODULE_FILE) && frame->flags & FRAME_UNKNOWN;
}

/* Keep what @sink holds; when memory is out it is looked up again next time. */
static void remember(struct sym *sym, const struct cache_key *key, const struct sym_sink *sink)
{
	size_t count = (size_t)sink->len;
	uint32_t index;
	bool added;

	if (sym->nframes + count > UINT32_MAX ||
	    vec_reserve((void **)&sym->frames, &sym->frames_cap, sym->nframes + count, sizeof(*sym->frames)) ||
	    vec_reserve((void **)&sym->cached, &sym->cached_cap, (size_t)hmap__len(sym->cache) + 1,
			sizeof(*sym->cached)))
		return;
	index = hmap__add(sym->cache, key, &added);
	if (index == HMAP_NONE)
		return;
	sym->cached[index] = (struct cached){ (uint32_t)sym->nframes, (uint32_t)count };
	memcpy(&sym->frames[sym->nframes], sink->frames, count * sizeof(*sym->frames));
	sym->nframes += count;
}

int sym__resolve(struct sym *sym, uint32_t module, uint64_t vaddr, struct prof_frame *ret, int cap)
{
	const struct cache_key key = { .vaddr = vaddr, .module = module };
	uint32_t index = hmap__find(sym->cache, &key);
	struct sym_sink sink = { .strs = sym->strs };
	const struct prof_frame *frames;
	int len;

	if (index != HMAP_NONE) {
		frames = &sym->frames[sym->cached[index].first];
		len = (int)sym->cached[index].len;
	} else {
		resolve(sym, module, vaddr, &sink);
		if (!may_learn(modules__get(sym->mods, module), &sink.frames[0]))
			remember(sym, &key, &sink);
		frames = sink.frames;
		len = sink.len;
	}
	if (len > cap)
		len = cap;
	memcpy(ret, frames, (size_t)len * sizeof(*ret));
	return len;
}

/* The module of the table that @pm was made from, by what tells modules apart in a profile (see profile.c). */
static uint32_t find_module(const struct sym *sym, const struct prof_module *pm, uint32_t guess)
{
	const char *path = strtab__get(sym->strs, pm->path), *build_id = strtab__get(sym->strs, pm->build_id);
	uint32_t count = modules__len(sym->mods);

	for (uint32_t i = 0; i < count; i++) {
		/* Usually both tables grew together, so the same index comes first. */
		uint32_t id = (guess + i) % count;
		const struct module *mod = modules__get(sym->mods, id);

		if (strcmp(mod->path, path) != 0 || strcmp(mod->build_id, build_id) != 0)
			continue;
		if (build_id[0] ||
		    (mod->start == pm->start && mod->end == pm->end && mod->file_off == pm->file_off))
			return id;
	}
	return MODULE_NONE;
}

static void mark_stack(const struct profile *prof, uint32_t index, bool *used)
{
	const struct prof_stack *stack;

	if (index >= prof->nstacks)
		return;
	stack = &prof->stacks[index];
	for (uint32_t i = 0; i < stack->nlocs; i++) {
		uint32_t loc = prof->stack_locs[stack->first + i];

		used[loc] = prof->locs[loc].nframes == 0;
	}
}

/* Mark the locations that need frames: those of stacks of rows, and of who had asked for their memory, that have none. */
static void mark_used(const struct profile *prof, bool *used)
{
	for (uint32_t r = 0; r < prof->nrows; r++) {
		uint32_t creator = prof->contexts[prof->rows[r].context].creator;

		if (creator != PROF_NONE)
			used[creator] = prof->locs[creator].nframes == 0;
		mark_stack(prof, prof->rows[r].stack, used);
		for (uint32_t i = prof->rows[r].touches; i != PROF_NONE; i = prof->touches[i].next)
			mark_stack(prof, prof->touches[i].stack, used);
	}
}

static int annotate_loc(struct sym *sym, struct profile *prof, uint32_t loc, const uint32_t *ids)
{
	const struct prof_loc *l = &prof->locs[loc];
	struct prof_frame frames[SYM_MAX_FRAMES];
	int len;

	if (l->module < prof->nmodules && ids[l->module] == MODULE_NONE) {
		const char *name = strtab__get(prof->strs, prof->modules[l->module].name);

		frames[0] = (struct prof_frame){ .func = made_up_name(prof->strs, name, l->vaddr),
						 .flags = FRAME_UNKNOWN };
		len = 1;
	} else {
		uint32_t id = l->module < prof->nmodules ? ids[l->module] : MODULE_NONE;

		len = sym__resolve(sym, id, l->vaddr, frames, SYM_MAX_FRAMES);
		if (may_learn(modules__get(sym->mods, id), &frames[0]))
			return 0; /* without frames it is asked for again */
	}
	return profile__set_frames(prof, loc, frames, (uint32_t)len);
}

int sym__annotate(struct sym *sym, struct profile *prof)
{
	uint32_t *ids;
	bool *used;
	int err = 0;

	if (prof->strs != sym->strs)
		return -EINVAL; /* ids of one table mean nothing in the other */
	used = calloc((size_t)prof->nlocs + 1, sizeof(*used));
	ids = calloc((size_t)prof->nmodules + 1, sizeof(*ids));
	if (!used || !ids) {
		err = -ENOMEM;
		goto out;
	}
	refresh(sym);
	mark_used(prof, used);
	for (uint32_t i = 0; i < prof->nmodules; i++)
		ids[i] = find_module(sym, &prof->modules[i], i);
	for (uint32_t loc = 0; loc < prof->nlocs && !err; loc++) {
		if (used[loc])
			err = annotate_loc(sym, prof, loc, ids);
	}
	for (uint32_t row = 0; row < prof->nrows && !err; row++)
		sym_types__name_row(sym->types, prof, row, ids);
out:
	free(used);
	free(ids);
	return err;
}

void sym__stats(const struct sym *sym, struct sym_stats *ret)
{
	*ret = (struct sym_stats){ sym->unnamed_go, sym_types__unnamed(sym->types) };
}
