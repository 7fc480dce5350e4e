// SPDX-License-Identifier: GPL-2.0-or-later
#include "go/gomods.h"

#include <stdlib.h>

#include "base/vec.h"

struct entry {
	bool asked;
	struct gobin *bin;
};

struct gomods {
	const struct modules *mods;
	struct entry *items; /* by module id */
	size_t len, cap;
};

int gomods__new(const struct modules *mods, struct gomods **ret)
{
	struct gomods *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->mods = mods;
	*ret = g;
	return 0;
}

void gomods__free(struct gomods *gomods)
{
	if (!gomods)
		return;
	for (size_t i = 0; i < gomods->len; i++)
		gobin__free(gomods->items[i].bin);
	free(gomods->items);
	free(gomods);
}

const struct gobin *gomods__get(struct gomods *gomods, uint32_t module)
{
	struct module *mod;
	struct entry *e;

	if (module >= modules__len(gomods->mods))
		return NULL;
	if (vec_reserve((void **)&gomods->items, &gomods->cap, (size_t)module + 1, sizeof(*gomods->items)))
		return NULL;
	for (; gomods->len <= module; gomods->len++)
		gomods->items[gomods->len] = (struct entry){ false, NULL };
	e = &gomods->items[module];
	if (e->asked)
		return e->bin;
	e->asked = true;
	mod = modules__get(gomods->mods, module);
	if (mod->elf && gobin__open(mod->elf, &e->bin, NULL))
		e->bin = NULL;
	return e->bin;
}
