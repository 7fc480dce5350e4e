// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names of generated code, from the perf map of the process that has it.
 *
 * A compiler may begin to write one at any time: so code without an ELF file has this backend, map or not.
 */
#include "sym/sym_backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct sym_perfmap {
	struct sym_backend base;
	struct module *mod;
	const struct diag *diag;
	bool said_full;
};

static void perfmap_refresh(struct sym_backend *backend)
{
	struct sym_perfmap *self = (struct sym_perfmap *)backend;
	struct perfmap *map = module__perfmap(self->mod);
	bool is_full = false;

	if (!map || perfmap__refresh(map, &is_full) || !is_full || self->said_full)
		return;
	self->said_full = true;
	diag_emit(self->diag, DIAG_WARN, "%s: its perf map is too long; names are missing", self->mod->path);
}

static bool perfmap_resolve(struct sym_backend *backend, uint64_t vaddr, struct sym_sink *sink)
{
	struct sym_perfmap *self = (struct sym_perfmap *)backend;
	struct perfmap *map = module__perfmap(self->mod);
	char name[SYM_MAX_NAME_BYTES];
	const char *found;
	size_t len;

	if (!map || !perfmap__find(map, vaddr, &found, &len))
		return false;
	if (len >= sizeof(name))
		len = sizeof(name) - 1;
	memcpy(name, found, len);
	name[len] = 0;
	sym_sink__add(sink, name, NULL, 0, false);
	return true;
}

static void perfmap_free(struct sym_backend *backend)
{
	free(backend);
}

static const struct sym_backend_ops perfmap_ops = {
	.name = "perfmap",
	.resolve = perfmap_resolve,
	.refresh = perfmap_refresh,
	.free = perfmap_free,
};

int sym_perfmap__open(struct sym_source *src, struct sym_backend **ret)
{
	struct sym_perfmap *self;

	if (src->mod->elf || src->mod->kind == MODULE_VIRTUAL || src->mod->kind == MODULE_KERNEL)
		return -ENOENT;
	self = calloc(1, sizeof(*self));
	if (!self)
		return -ENOMEM;
	self->base.ops = &perfmap_ops;
	self->mod = src->mod;
	self->diag = src->diag;
	*ret = &self->base;
	perfmap_refresh(&self->base);
	return 0;
}
