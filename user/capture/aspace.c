// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What makes a word of the stack a caller? It lies in mapped code, and
 *  - in a Go function, by the pclntab: Go's frame pointers are always right; or
 *  - right behind a call instruction. Native code built without frame pointers
 *    keeps anything in the register, and a walk along it ends in data or in code
 *    that nobody returns to: there the stack is cut and marked broken.
 * Where Go called that code the walk goes on in Go for certain: only frames of C are
 * missing then, and the stack is not broken.
 * The word at [sp] of a page fault is a caller only in a function without a frame:
 * Go's pclntab knows, for native code it must lie behind a call.
 */
#include "capture/aspace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "capture/spot.h"

/* A module, and the first mapping of its code. */
struct of_module {
	uint32_t module, map;
};

/* Where the type descriptors of a Go program are. */
struct go_types {
	uint64_t start, end, bias;
	uint32_t module;
};

struct aspace_index {
	struct of_module *modules; /* ascending, each once */
	size_t nmodules;
	struct go_types *types; /* ascending; NULL: nobody has asked for types yet */
	size_t ntypes;
	uint64_t steps;
};

static void drop_index(struct aspace *as)
{
	if (!as->index)
		return;
	free(as->index->modules);
	free(as->index->types);
	free(as->index);
	as->index = NULL;
}

static int by_module(const void *a, const void *b)
{
	const struct of_module *x = a, *y = b;

	if (x->module != y->module)
		return x->module < y->module ? -1 : 1;
	return x->map < y->map ? -1 : x->map > y->map;
}

/* NULL when memory is out. */
static struct aspace_index *index_of(struct aspace *as)
{
	struct aspace_index *index = as->index ? as->index : calloc(1, sizeof(*index));
	size_t n = as->maps.len;

	if (!index || as->index)
		return index;
	index->modules = calloc(n + 1, sizeof(*index->modules));
	if (!index->modules) {
		free(index);
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		index->modules[i] = (struct of_module){ as->modules[i], (uint32_t)i };
	qsort(index->modules, n, sizeof(*index->modules), by_module);
	for (size_t i = 0; i < n; i++)
		if (!i || index->modules[i].module != index->modules[i - 1].module)
			index->modules[index->nmodules++] = index->modules[i];
	as->index = index;
	return index;
}

/* Index of the first mapping that ends behind @addr. A hostile target has as many as it likes: no linear search. */
static size_t first_behind(const struct aspace *as, uint64_t addr)
{
	size_t low = 0, high = as->maps.len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (as->maps.items[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Is @map already known, as the same part of the same module? *ret_other: something else is known there. */
static bool is_known(const struct aspace *as, const struct mapping *map, uint32_t module, bool *ret_other)
{
	bool known = false;

	for (size_t i = first_behind(as, map->start); i < as->maps.len; i++) {
		const struct mapping *old = &as->maps.items[i];

		if (old->start >= map->end)
			break;
		if (as->modules[i] != module || (map->inode && old->start - old->file_off != map->start - map->file_off))
			*ret_other = true;
		else if (old->start <= map->start && old->end >= map->end && old->writable == map->writable)
			known = true;
	}
	return known;
}

int aspace__read(struct aspace *as, struct modules *mods, pid_t pid, bool *ret_replaced)
{
	struct mappings maps;
	bool replaced = false, any = false;
	int err = proc_read_maps(pid, &maps);

	if (err)
		return err;
	for (size_t i = 0; !err && i < maps.len; i++) {
		const struct mapping *map = &maps.items[i];
		uint32_t module;

		any = true;
		if (!map->executable)
			continue;
		module = modules__add(mods, pid, map);
		if (module == MODULE_NONE)
			err = -ENOMEM;
		else if (!is_known(as, map, module, &replaced))
			err = aspace__add(as, map, module);
	}
	mappings__free(&maps);
	if (!err && !any)
		return -ESRCH; /* exiting: what we knew is better than nothing */
	if (!err && ret_replaced)
		*ret_replaced = replaced;
	return err;
}

int aspace__copy(struct aspace *as, const struct aspace *from)
{
	struct aspace fresh = { 0 };

	for (size_t i = 0; i < from->maps.len; i++) {
		int err = aspace__add(&fresh, &from->maps.items[i], from->modules[i]);

		if (err) {
			aspace__free(&fresh);
			return err;
		}
	}
	aspace__free(as);
	*as = fresh;
	return 0;
}

static void remove_at(struct aspace *as, size_t i)
{
	free(as->maps.items[i].path);
	memmove(&as->maps.items[i], &as->maps.items[i + 1], (as->maps.len - i - 1) * sizeof(*as->maps.items));
	memmove(&as->modules[i], &as->modules[i + 1], (as->maps.len - i - 1) * sizeof(*as->modules));
	as->maps.len--;
}

int aspace__add(struct aspace *as, const struct mapping *map, uint32_t module)
{
	struct mapping *items;
	uint32_t *modules;
	size_t at = first_behind(as, map->start);
	char *path;

	drop_index(as);
	while (at < as->maps.len && as->maps.items[at].start < map->end)
		remove_at(as, at);
	path = strdup(map->path ? map->path : "");
	items = realloc(as->maps.items, (as->maps.len + 1) * sizeof(*items));
	if (items)
		as->maps.items = items;
	modules = realloc(as->modules, (as->maps.len + 1) * sizeof(*modules));
	if (modules)
		as->modules = modules;
	if (!path || !items || !modules) {
		free(path);
		return -ENOMEM;
	}
	memmove(&items[at + 1], &items[at], (as->maps.len - at) * sizeof(*items));
	memmove(&modules[at + 1], &modules[at], (as->maps.len - at) * sizeof(*modules));
	items[at] = *map;
	items[at].path = path;
	modules[at] = module;
	as->maps.len++;
	return 0;
}

void aspace__free(struct aspace *as)
{
	drop_index(as);
	mappings__free(&as->maps);
	free(as->modules);
	memset(as, 0, sizeof(*as));
}

int aspace__find_code(const struct aspace *as, uint64_t addr)
{
	const struct mapping *map = mappings__find(&as->maps, addr);

	return map && map->executable ? (int)(map - as->maps.items) : -1;
}

struct judge {
	const struct aspace *as;
	const struct modules *mods;
	struct gomods *gomods;
};

/* The frame at @addr; false when there is no code. */
static bool locate(const struct judge *j, uint64_t addr, struct event_frame *ret)
{
	int at = aspace__find_code(j->as, addr);
	const struct module *mod;

	if (at < 0)
		return false;
	ret->addr = addr;
	ret->module = j->as->modules[at];
	mod = ret->module == MODULE_NONE ? NULL : modules__get(j->mods, ret->module);
	ret->vaddr = mod ? module__vaddr(mod, &j->as->maps.items[at], addr) : addr;
	return true;
}

static const struct gopclntab *go_table(const struct judge *j, uint32_t module)
{
	const struct gobin *bin = module == MODULE_NONE ? NULL : gomods__get(j->gomods, module);

	return bin ? gobin__pclntab(bin) : NULL;
}

/* The Go function at @vaddr of the frame's module; NULL: none. */
static const char *go_name(const struct judge *j, const struct event_frame *frame, uint64_t vaddr)
{
	const struct gopclntab *tab = go_table(j, frame->module);
	struct go_func func;

	return tab && gopclntab__find_pc(tab, vaddr, &func) ? func.name : NULL;
}

static bool is_behind_call(const struct judge *j, const struct event_frame *frame)
{
	const struct module *mod;
	uint8_t before[8];

	mod = frame->module == MODULE_NONE ? NULL : modules__get(j->mods, frame->module);
	if (!mod || !mod->elf)
		return true; /* generated code: no file to look at */
	if (frame->vaddr < sizeof(before) ||
	    elf_file__read_vaddr(mod->elf, frame->vaddr - sizeof(before), before, sizeof(before)) != sizeof(before))
		return false;
	return spot_is_after_call((struct span){ before, sizeof(before) });
}

/*
 * Is this word what a signal handler returns to? It is behind no call; the frame that the walk found behind it, where the
 * signal came, says so.
 */
static bool is_behind_handler(const struct abi_rec_stack *rec, uint32_t i)
{
	return i && i + 1 < rec->nframes && i + 1 < ABI_MAX_FRAMES && rec->frames[i + 1] & ABI_FRAME_EXACT;
}

/* Is the word at [sp] the caller of the function that faulted at @leaf? */
static bool leaf_has_no_frame(const struct judge *j, const struct event_frame *leaf)
{
	const struct gopclntab *tab = go_table(j, leaf->module);
	int32_t delta;

	return !tab || !gopclntab__sp_delta(tab, leaf->vaddr, &delta) || delta == 0;
}

/*
 * Is the Go function @name the first one of the scheduler's stack, and what stands above it not of this thread any more?
 * At mcall and morestack the frame pointer still leads to the goroutine, but that has been given up: another thread may
 * run it by now, and write the very words that are read (morestack gives it up only to schedule). A thread that begins
 * has the frame pointer of the one that made it. (runtime/traceback.go, topofstack(); runtime/sys_linux_amd64.s, clone.)
 */
static bool is_top(const char *name, bool *scheduled)
{
	static const char *const tops[] = { "runtime.mcall", "runtime.mstart", "runtime.clone" };

	if (!name)
		return false;
	*scheduled |= strcmp(name, "runtime.schedule") == 0;
	for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++)
		if (strcmp(name, tops[i]) == 0)
			return true;
	return *scheduled && strcmp(name, "runtime.morestack") == 0;
}

uint32_t aspace__resolve_stack(const struct aspace *as, const struct modules *mods, struct gomods *gomods,
			       const struct abi_rec_stack *rec, struct event_frame *ret, uint32_t *ret_flags,
			       bool *ret_unmapped)
{
	struct judge j = { as, mods, gomods };
	bool guess = rec->flags & ABI_STACK_LEAF_GUESS, lost = false, unmapped = false, scheduled = false, top = false;
	bool missed = false;
	uint32_t n = 0, flags = 0;

	for (uint32_t i = 0; i < rec->nframes && i < ABI_MAX_FRAMES && !top; i++) {
		uint64_t addr = rec->frames[i] & ~ABI_FRAME_FLAGS, how = rec->frames[i] & ABI_FRAME_FLAGS;
		struct event_frame frame = { 0 };
		const char *go;
		bool mapped, ok, behind = is_behind_handler(rec, i);

		if (lost && !(how & ABI_FRAME_CERTAIN))
			continue;
		mapped = locate(&j, addr, &frame);
		go = mapped ? go_name(&j, &frame, frame.vaddr - (i > 0)) : NULL;
		ok = mapped && (!i || behind || go || how & ABI_FRAME_BY_TABLE || is_behind_call(&j, &frame));
		if (i == 1 && guess && n && (!ok || !leaf_has_no_frame(&j, &ret[0]))) {
			missed = !addr && leaf_has_no_frame(&j, &ret[0]);
			continue;
		}
		lost = !ok;
		unmapped |= !mapped;
		if (lost)
			continue;
		if (i && !behind && !(how & ABI_FRAME_EXACT))
			frame.vaddr--; /* the call, not what follows it */
		ret[n++] = frame;
		top = is_top(go, &scheduled);
	}
	if (rec->flags & ABI_STACK_TRUNCATED && !top)
		flags |= EVENT_STACK_TRUNCATED;
	if (missed ||
	    (!top && (lost || rec->flags & (ABI_STACK_UNREADABLE | ABI_STACK_BAD_FP | ABI_STACK_LOOP) ||
		      (rec->flags & (ABI_STACK_NO_RULE | ABI_STACK_NO_TABLE) && !(rec->flags & ABI_STACK_TO_END)))))
		flags |= EVENT_STACK_BROKEN;
	if (rec->flags & ABI_STACK_BY_TABLE)
		flags |= EVENT_STACK_BY_TABLE;
	if (rec->flags & ABI_STACK_BY_CHAIN)
		flags |= EVENT_STACK_BY_CHAIN;
	*ret_flags = flags;
	if (ret_unmapped)
		*ret_unmapped = unmapped;
	return n;
}

static uint64_t bias_of(const struct modules *mods, uint32_t module, const struct mapping *map)
{
	return map->start - module__vaddr(modules__get(mods, module), map, map->start);
}

/* The first mapping of @module, or -1. */
static int64_t first_of(struct aspace *as, uint32_t module)
{
	struct aspace_index *index = index_of(as);
	size_t low = 0, high = index ? index->nmodules : 0;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		index->steps++;
		if (index->modules[mid].module == module)
			return index->modules[mid].map;
		if (index->modules[mid].module < module)
			low = mid + 1;
		else
			high = mid;
	}
	return -1;
}

bool aspace__has_module(struct aspace *as, uint32_t module)
{
	return first_of(as, module) >= 0;
}

bool aspace__find_bias(struct aspace *as, const struct modules *mods, uint32_t module, uint64_t *ret)
{
	int64_t at = first_of(as, module);

	if (at < 0)
		return false;
	*ret = bias_of(mods, module, &as->maps.items[at]);
	return true;
}

static int by_start(const void *a, const void *b)
{
	const struct go_types *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* A program that is mapped at two places has its types at two. */
static void index_types(const struct aspace *as, struct aspace_index *index, const struct modules *mods, struct gomods *gomods)
{
	struct go_types *types = calloc(as->maps.len + 1, sizeof(*types));
	size_t n = 0;

	if (!types)
		return;
	for (size_t i = 0; i < as->maps.len; i++) {
		uint32_t module = as->modules[i];
		const struct gobin *bin = module == MODULE_NONE ? NULL : gomods__get(gomods, module);
		const struct go_moduledata *md = bin ? gobin__moduledata(bin) : NULL;
		uint64_t bias = bin ? bias_of(mods, module, &as->maps.items[i]) : 0;

		if (!md || md->types >= md->etypes || (n && types[n - 1].module == module && types[n - 1].bias == bias))
			continue;
		types[n++] = (struct go_types){ md->types + bias, md->etypes + bias, bias, module };
	}
	qsort(types, n, sizeof(*types), by_start);
	index->types = types;
	index->ntypes = n;
}

bool aspace__find_go_type(struct aspace *as, const struct modules *mods, struct gomods *gomods, uint64_t addr,
			  uint32_t *ret_module, uint64_t *ret_vaddr)
{
	struct aspace_index *index = index_of(as);
	const struct go_types *types;
	size_t low = 0, high;

	if (index && !index->types)
		index_types(as, index, mods, gomods);
	if (!index || !index->types)
		return false;
	/* Those before low start at or before @addr. */
	for (high = index->ntypes; low < high;) {
		size_t mid = low + (high - low) / 2;

		index->steps++;
		if (index->types[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	types = low ? &index->types[low - 1] : NULL;
	if (!types || addr >= types->end)
		return false;
	*ret_module = types->module;
	*ret_vaddr = addr - types->bias;
	return true;
}

uint64_t aspace__index_steps(const struct aspace *as)
{
	return as->index ? as->index->steps : 0;
}

bool aspace__find_call(const struct aspace *as, const struct modules *mods, uint64_t return_addr, struct event_frame *ret)
{
	struct judge j = { as, mods, NULL };

	if (!locate(&j, return_addr, ret))
		return false;
	ret->vaddr--;
	return true;
}
