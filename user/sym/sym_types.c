// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names for the types of a profile's rows: the descriptor's own name, read once for
 * each descriptor, and what the doors on the row's stack make of it.
 */
#include "sym/sym_types.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/vec.h"
#include "go/gotypes.h"
#include "profile/frames.h"
#include "sym/typename.h"

#define MAX_DOORS 16
#define SHOWN_BYTES (GO_TYPE_NAME_SIZE + 64)

struct type_key {
	uint64_t vaddr;
	uint32_t module, zero;
};

_Static_assert(sizeof(struct type_key) == 16, "padding in a key");

struct sym_types {
	const struct modules *mods;
	struct gomods *gomods;
	struct strtab *strs;
	struct hmap *index; /* type_key -> index in names */
	uint32_t *names; /* strtab ids; 0: it has none */
	size_t cap;
	uint64_t unnamed;
};

int sym_types__new(const struct modules *mods, struct gomods *gomods, struct strtab *strs, struct sym_types **ret)
{
	struct sym_types *types = calloc(1, sizeof(*types));

	if (!types)
		return -ENOMEM;
	if (hmap__new(sizeof(struct type_key), &types->index)) {
		free(types);
		return -ENOMEM;
	}
	types->mods = mods;
	types->gomods = gomods;
	types->strs = strs;
	*ret = types;
	return 0;
}

void sym_types__free(struct sym_types *types)
{
	if (!types)
		return;
	hmap__free(types->index);
	free(types->names);
	free(types);
}

static uint32_t read_name(struct sym_types *types, uint32_t module, uint64_t vaddr)
{
	const struct gobin *bin = module == MODULE_NONE ? NULL : gomods__get(types->gomods, module);
	const struct go_layout *layout;
	struct go_type type;
	bool is_guess;

	layout = bin ? gobin__layout(bin, &is_guess) : NULL;
	if (!layout || !go_type_read(modules__get(types->mods, module)->elf, gobin__moduledata(bin), layout, vaddr, &type))
		return 0;
	return strtab__adds(types->strs, type.name);
}

/* The name of the type at @vaddr, 0 if it has none that can be found. */
static uint32_t name_of(struct sym_types *types, uint32_t module, uint64_t vaddr)
{
	struct type_key key = { vaddr, module, 0 };
	uint32_t index;
	bool added;

	if (vec_reserve((void **)&types->names, &types->cap, (size_t)hmap__len(types->index) + 1, sizeof(*types->names)))
		return 0;
	index = hmap__add(types->index, &key, &added);
	if (index == HMAP_NONE)
		return 0;
	if (added)
		types->names[index] = read_name(types, module, vaddr);
	types->unnamed += added && !types->names[index];
	return types->names[index];
}

uint64_t sym_types__unnamed(const struct sym_types *types)
{
	return types->unnamed;
}

static bool is_runtime(const char *func)
{
	return strncmp(func, "runtime.", 8) == 0 || strncmp(func, "internal/", 9) == 0 || strncmp(func, "reflect.", 8) == 0;
}

/* The functions between the allocator and the first that is not the runtime's; names live in the string table. */
static size_t find_doors(const struct profile *prof, uint32_t stack, const char *ret[MAX_DOORS])
{
	struct frame_iter it = frames_of(prof, stack);
	struct frame_view view;
	size_t n = 0;

	while (n < MAX_DOORS && frame_iter__next(&it, &view) && view.func_id && is_runtime(view.func))
		ret[n++] = view.func;
	return n;
}

void sym_types__name_row(struct sym_types *types, struct profile *prof, uint32_t row, const uint32_t *modules)
{
	struct prof_row *r = &prof->rows[row];
	const struct prof_context *context = &prof->contexts[r->context];
	const char *doors[MAX_DOORS], *raw = NULL;
	char shown[SHOWN_BYTES];
	size_t ndoors;

	if (r->type || context->typing == TYPING_UNKNOWN)
		return;
	if (context->typing == TYPING_KIND) {
		r->type = (uint32_t)context->type_vaddr;
		return;
	}
	if (context->typing == TYPING_KNOWN) {
		uint32_t module = context->type_module < prof->nmodules ? modules[context->type_module] : MODULE_NONE;

		raw = strtab__get(types->strs, name_of(types, module, context->type_vaddr));
	}
	ndoors = find_doors(prof, r->stack, doors);
	r->type = strtab__adds(types->strs, typename_shown(raw, doors, ndoors, shown, sizeof(shown)));
}
