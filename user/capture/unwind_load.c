// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/unwind_load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/vec.h"
#include "capture/places.h"
#include "capture/slabs.h"
#include "capture/unwind_module.h"

#define CHUNK_WORDS 4096 /* of rows, if a page has no more: small enough to fill slabs */
#define SPARE_SLABS 4 /* there before they are needed: to make some takes longer than a library needs to begin to run */
#define PAGE_WORDS (sizeof(struct abi_unwind_page) / 4)
#define MAP_WORDS (sizeof(struct abi_unwind_map) / 4)

struct chunk {
	uint32_t place, words;
};

enum load_state {
	LOAD_NEW,
	LOAD_NONE, /* it has nothing to load */
	LOAD_NO_ROOM,
	LOAD_DONE,
};

struct loaded {
	enum load_state state;
	struct abi_unwind_module mod;
	struct unwind_chain chain; /* code that keeps frame pointers, out of the table's range */
	struct chunk *chunks;
	size_t nchunks, cap_chunks;
	uint64_t rows;
	uint32_t users; /* spaces that list it */
	uint64_t last_used; /* tick of the last space that did */
};

struct space {
	uint32_t place, len; /* the list of maps */
	uint32_t *modules; /* each once */
	size_t nmodules;
};

struct unwind_load {
	struct unwind_load_opts opts;
	const struct modules *mods;
	struct gomods *gomods;
	struct places *places;
	struct slabs *slabs;
	struct hmap *rules;
	struct loaded *loaded; /* by module id */
	size_t nloaded, cap_loaded;
	struct space *spaces; /* by slot */
	size_t nspaces, cap_spaces;
	uint64_t tick;
	uint32_t changes; /* of any space */
	uint64_t no_room, unmapped;
	bool told;
};

int unwind_load__new(const struct unwind_load_opts *opts, struct session *session, const struct modules *mods,
		     struct gomods *gomods, struct unwind_load **ret)
{
	struct unwind_load *ul = calloc(1, sizeof(*ul));
	uint64_t max_slabs = opts->max_bytes >> ABI_SLAB_SHIFT;
	const struct abi_unwind_rule none = { .cfa = ABI_CFA_NONE, .cfa_off = ABI_UNWIND_TOO_MANY };

	if (!ul)
		return -ENOMEM;
	ul->opts = *opts;
	ul->mods = mods;
	ul->gomods = gomods;
	/* Rule 0 stands for all that find no place. */
	if (slabs__new(session, &ul->slabs) || places__new(max_slabs < ABI_MAX_SLABS ? max_slabs : ABI_MAX_SLABS, &ul->places) ||
	    hmap__new(sizeof(none), &ul->rules) || hmap__add(ul->rules, &none, NULL) == HMAP_NONE) {
		unwind_load__free(ul);
		return -ENOMEM;
	}
	slabs__set_rule(ul->slabs, 0, &none);
	*ret = ul;
	return 0;
}

void unwind_load__free(struct unwind_load *ul)
{
	if (!ul)
		return;
	for (size_t i = 0; i < ul->nloaded; i++)
		free(ul->loaded[i].chunks);
	for (size_t i = 0; i < ul->nspaces; i++)
		free(ul->spaces[i].modules);
	places__free(ul->places);
	hmap__free(ul->rules);
	slabs__free(ul->slabs);
	free(ul->loaded);
	free(ul->spaces);
	free(ul);
}

static struct loaded *loaded_of(struct unwind_load *ul, uint32_t module)
{
	size_t old = ul->nloaded;

	if (module >= old) {
		if (vec_reserve((void **)&ul->loaded, &ul->cap_loaded, module + 1, sizeof(*ul->loaded)))
			return NULL;
		memset(ul->loaded + old, 0, (module + 1 - old) * sizeof(*ul->loaded));
		ul->nloaded = module + 1;
	}
	return &ul->loaded[module];
}

static struct space *space_of(struct unwind_load *ul, uint32_t slot)
{
	size_t old = ul->nspaces;

	if (slot >= old) {
		if (vec_reserve((void **)&ul->spaces, &ul->cap_spaces, slot + 1, sizeof(*ul->spaces)))
			return NULL;
		memset(ul->spaces + old, 0, (slot + 1 - old) * sizeof(*ul->spaces));
		ul->nspaces = slot + 1;
	}
	return &ul->spaces[slot];
}

/* Take the table of @l out of the kernel. */
static void unload(struct unwind_load *ul, struct loaded *l)
{
	for (size_t i = 0; i < l->nchunks; i++)
		places__give(ul->places, l->chunks[i].place, l->chunks[i].words);
	l->nchunks = 0;
	l->rows = 0;
	l->state = LOAD_NEW;
}

static void forget_file(struct unwind_load *ul, uint32_t module)
{
	struct abi_unwind_file file;
	struct abi_file_key key;

	unwind_module_file(modules__get(ul->mods, module), &key, &file);
	if (key.inode)
		slabs__forget_file(ul->slabs, &key);
}

/* The table that nobody has used for longest. Its room is free after the next settling. */
static bool evict_one(struct unwind_load *ul)
{
	struct loaded *oldest = NULL;
	uint32_t module = 0;

	for (size_t i = 0; i < ul->nloaded; i++) {
		struct loaded *l = &ul->loaded[i];

		if (l->state == LOAD_DONE && !l->users && (!oldest || l->last_used < oldest->last_used)) {
			oldest = l;
			module = i;
		}
	}
	if (!oldest)
		return false;
	forget_file(ul, module);
	unload(ul, oldest);
	return true;
}

/* The memory of the slabs that are in use, and of some that will be. */
static int grow(struct unwind_load *ul)
{
	uint64_t max = ul->opts.max_bytes >> ABI_SLAB_SHIFT;
	uint32_t n = places__slabs(ul->places) + SPARE_SLABS;

	return slabs__grow(ul->slabs, n < max ? n : max);
}

/* Room for @words, with its slab's memory there. */
static int take(struct unwind_load *ul, uint32_t words, uint32_t *ret)
{
	int err;

	while ((err = places__take(ul->places, words, ret)) == -ENOSPC) {
		if (!evict_one(ul))
			return err;
		slabs__wait(ul->slabs);
		places__settle(ul->places);
	}
	if (!err && places__slabs(ul->places) > slabs__len(ul->slabs))
		err = grow(ul);
	return err;
}

static int take_chunk(struct unwind_load *ul, struct loaded *l, uint32_t words, uint32_t *ret)
{
	int err;

	if (vec_reserve((void **)&l->chunks, &l->cap_chunks, l->nchunks + 1, sizeof(*l->chunks)))
		return -ENOMEM;
	err = take(ul, words, ret);
	if (!err)
		l->chunks[l->nchunks++] = (struct chunk){ *ret, words };
	return err;
}

/* The numbers of @table's rules among those of all. */
static int share_rules(struct unwind_load *ul, const struct unwind_table *table, uint32_t *ret)
{
	for (uint32_t i = 0; i < table->nrules; i++) {
		bool added;
		uint32_t id = hmap__find(ul->rules, &table->rules[i]);

		if (id == HMAP_NONE && hmap__len(ul->rules) < ABI_UNWIND_MAX_RULES) {
			id = hmap__add(ul->rules, &table->rules[i], &added);
			if (id == HMAP_NONE)
				return -ENOMEM;
			slabs__set_rule(ul->slabs, id, &table->rules[i]);
		}
		ret[i] = id == HMAP_NONE ? 0 : id;
	}
	return 0;
}

/* How many pages from @first on go into one chunk; *ret_words: of their rows. */
static uint32_t pages_of_chunk(const struct unwind_table *table, uint32_t first, uint32_t *ret_words)
{
	uint32_t n = 1, words = table->page_first[first + 1] - table->page_first[first];

	while (first + n < table->npages) {
		uint32_t more = table->page_first[first + n + 1] - table->page_first[first + n];

		if (words + more > CHUNK_WORDS)
			break;
		words += more;
		n++;
	}
	*ret_words = words;
	return n;
}

static int copy_pages(struct unwind_load *ul, struct loaded *l, const struct unwind_table *table, const uint32_t *rule_ids,
		      struct abi_unwind_page *pages)
{
	uint32_t words, n, place;

	for (uint32_t first = 0; first < table->npages; first += n) {
		const uint32_t *rows = &table->rows[table->page_first[first]];
		uint32_t *to;
		int err;

		n = pages_of_chunk(table, first, &words);
		if (!words)
			continue;
		err = take_chunk(ul, l, words, &place);
		if (err)
			return err;
		to = slabs__at(ul->slabs, place);
		for (uint32_t i = 0; i < words; i++)
			to[i] = ABI_UNWIND_ROW(rows[i] >> 16, rule_ids[rows[i] & 0xffff]);
		for (uint32_t page = first; page < first + n; page++) {
			pages[page].rows = place + table->page_first[page] - table->page_first[first];
			pages[page].nrows = table->page_first[page + 1] - table->page_first[page];
		}
	}
	return 0;
}

/* Copy @table into the slabs and describe it in @l. */
static int copy_table(struct unwind_load *ul, struct loaded *l, const struct unwind_table *table)
{
	uint32_t *rule_ids = calloc(table->nrules + 1, sizeof(*rule_ids));
	struct abi_unwind_page *pages = NULL;
	uint32_t place;
	int err = rule_ids ? share_rules(ul, table, rule_ids) : -ENOMEM;

	/* One list of pages lies in one slab: 2 GiB of code. */
	if (!err && table->npages * PAGE_WORDS > ABI_SLAB_WORDS)
		err = -ENOSPC;
	if (!err)
		err = take_chunk(ul, l, table->npages * PAGE_WORDS, &place);
	if (!err) {
		pages = (struct abi_unwind_page *)slabs__at(ul->slabs, place);
		memset(pages, 0, table->npages * sizeof(*pages));
		err = copy_pages(ul, l, table, rule_ids, pages);
	}
	free(rule_ids);
	if (err) {
		unload(ul, l);
		return err;
	}
	l->rows = table->nrows;
	l->mod = (struct abi_unwind_module){ .base = table->base_vaddr, .pages = place, .npages = table->npages,
					     .code = ABI_CODE_TABLE };
	return 0;
}

static void tell_file(struct unwind_load *ul, uint32_t module, const struct loaded *l)
{
	struct abi_unwind_file file;
	struct abi_file_key key;

	unwind_module_file(modules__get(ul->mods, module), &key, &file);
	if (!key.inode)
		return; /* the vdso */
	file.mod = l->mod;
	/* A list that is full has only code wait for user space to look that was mapped just now. */
	slabs__set_file(ul->slabs, &key, &file);
}

static void load(struct unwind_load *ul, uint32_t module, struct loaded *l)
{
	const struct module *mod = modules__get(ul->mods, module);
	struct unwind_table table = { 0 };
	int err = mod->elf ? unwind_module_compile(mod, ul->gomods, &table, &l->chain) : -ENOENT;

	if (!err)
		err = copy_table(ul, l, &table);
	unwind_table__free(&table);
	l->state = err ? LOAD_NONE : LOAD_DONE;
	if (err == -ENOENT && l->chain.n)
		l->mod.code = ABI_CODE_CHAIN; /* Go, and nothing else */
	if (l->mod.code != ABI_CODE_UNKNOWN)
		tell_file(ul, module, l);
	if (err != -ENOSPC && err != -ENOMEM)
		return;
	l->state = LOAD_NO_ROOM;
	ul->no_room++;
	diag_emit(ul->opts.diag, ul->told ? DIAG_DEBUG : DIAG_WARN,
		  "%s: no room for its unwind table (%llu MiB are in use): stacks through it may be broken", mod->name,
		  (unsigned long long)(places__used_words(ul->places) * 4 >> 20));
	ul->told = true;
}

static struct loaded *get(struct unwind_load *ul, uint32_t module)
{
	struct loaded *l = module == MODULE_NONE ? NULL : loaded_of(ul, module);

	if (!l)
		return NULL;
	l->last_used = ++ul->tick;
	if (l->state == LOAD_NEW) {
		l->users++; /* nothing to make room for itself with */
		load(ul, module, l);
		l->users--;
	}
	return l;
}

void unwind_load__module(struct unwind_load *ul, uint32_t module)
{
	get(ul, module);
}

static void drop_space(struct unwind_load *ul, struct space *space)
{
	for (size_t i = 0; i < space->nmodules; i++)
		ul->loaded[space->modules[i]].users--;
	free(space->modules);
	places__give(ul->places, space->place, space->len * MAP_WORDS);
	memset(space, 0, sizeof(*space));
}

void unwind_load__expect(struct unwind_load *ul, uint32_t slot)
{
	slabs__set_space(ul->slabs, slot, ABI_SPACE(0, 0, 0));
}

void unwind_load__forget(struct unwind_load *ul, uint32_t slot)
{
	slabs__set_space(ul->slabs, slot, 0);
	if (slot < ul->nspaces)
		drop_space(ul, &ul->spaces[slot]);
}

void unwind_load__settle(struct unwind_load *ul)
{
	places__settle(ul->places);
	if (places__slabs(ul->places))
		grow(ul); /* or when they are needed */
}

struct maps {
	struct abi_unwind_map *items;
	size_t len, cap;
	int err;
};

static void add_map(struct maps *maps, uint64_t start, uint64_t end, uint64_t bias, struct abi_unwind_module mod)
{
	if (start >= end || maps->err)
		return;
	maps->err = vec_reserve((void **)&maps->items, &maps->cap, maps->len + 1, sizeof(*maps->items));
	if (!maps->err)
		maps->items[maps->len++] = (struct abi_unwind_map){ start, end, bias, mod };
}

/* The code of @map; what needs no table becomes a map of its own. */
static void add_code(struct maps *maps, const struct loaded *l, const struct mapping *map, uint64_t bias)
{
	uint64_t at = map->start;

	for (uint32_t i = 0; i < l->chain.n; i++) {
		uint64_t start = l->chain.ranges[i].start + bias, end = l->chain.ranges[i].end + bias;

		if (end <= at || start >= map->end)
			continue;
		start = start < at ? at : start;
		end = end > map->end ? map->end : end;
		add_map(maps, at, start, bias, l->mod);
		add_map(maps, start, end, bias,
			(struct abi_unwind_module){ .base = l->chain.ranges[i].frame_bytes,
						    .code = l->chain.ranges[i].code });
		at = end;
	}
	add_map(maps, at, map->end, bias, l->mod);
}

static int note_module(struct space *space, struct loaded *l, uint32_t module)
{
	uint32_t *grown;

	for (size_t i = space->nmodules; i > 0; i--)
		if (space->modules[i - 1] == module)
			return 0;
	grown = realloc(space->modules, (space->nmodules + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	space->modules = grown;
	grown[space->nmodules++] = module;
	l->users++;
	return 0;
}

static int collect(struct unwind_load *ul, const struct aspace *as, struct space *space, struct maps *maps, bool *ret_any)
{
	for (size_t i = 0; i < as->maps.len && !maps->err; i++) {
		const struct mapping *map = &as->maps.items[i];
		uint32_t module = as->modules[i];
		struct loaded *l = map->executable ? get(ul, module) : NULL;

		if (!l || (l->state != LOAD_DONE && !l->chain.n))
			continue;
		if (maps->len >= ABI_MAX_MAPS) {
			ul->unmapped++;
			continue;
		}
		maps->err = note_module(space, l, module);
		*ret_any |= l->state == LOAD_DONE && modules__get(ul->mods, module)->inode; /* all have the vdso */
		add_code(maps, l, map, map->start - module__vaddr(modules__get(ul->mods, module), map, map->start));
	}
	if (maps->len > ABI_MAX_MAPS)
		maps->len = ABI_MAX_MAPS;
	return maps->err;
}

int unwind_load__space(struct unwind_load *ul, uint32_t slot, const struct aspace *as)
{
	struct space fresh = { 0 }, *space;
	struct maps maps = { 0 };
	bool any = false;
	int err = collect(ul, as, &fresh, &maps, &any);

	/* A program that is all Go walks faster without. */
	if (!err && any) {
		err = take(ul, maps.len * MAP_WORDS, &fresh.place);
		if (!err) {
			fresh.len = maps.len;
			memcpy(slabs__at(ul->slabs, fresh.place), maps.items, maps.len * sizeof(*maps.items));
		}
	}
	free(maps.items);
	space = space_of(ul, slot);
	if (!space) {
		drop_space(ul, &fresh);
		return -ENOMEM;
	}
	__atomic_thread_fence(__ATOMIC_RELEASE);
	slabs__set_space(ul->slabs, slot, fresh.len ? ABI_SPACE(fresh.place, fresh.len, ++ul->changes) : any ? ABI_SPACE(0, 0, 0) : 0);
	drop_space(ul, space);
	*space = fresh;
	return err;
}

void unwind_load__stats(const struct unwind_load *ul, struct unwind_load_stats *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < ul->nloaded; i++) {
		ret->modules += ul->loaded[i].state == LOAD_DONE;
		ret->rows += ul->loaded[i].rows;
	}
	ret->bytes = places__used_words(ul->places) * 4;
	ret->no_room = ul->no_room;
	ret->unmapped = ul->unmapped;
}
