// SPDX-License-Identifier: GPL-2.0-or-later
/* Go's own table as a source of names. C code of a cgo program lies outside of it and falls to the next. */
#include "sym/sym_backend.h"

#include <errno.h>
#include <stdlib.h>

#include "go/gobin.h"
#include "go/gopclntab.h"

struct sym_go {
	struct sym_backend base;
	const struct gobin *bin; /* the source's */
};

static const struct gopclntab *table_at(struct sym_backend *backend, uint64_t vaddr)
{
	const struct sym_go *go = (const struct sym_go *)backend;
	const struct go_moduledata *md = gobin__moduledata(go->bin);

	/* An externally linked program has C code on both sides of Go's. */
	if (md && md->vaddr && md->etext > md->text && (vaddr < md->text || vaddr >= md->etext))
		return NULL;
	return gobin__pclntab(go->bin);
}

static bool go_resolve(struct sym_backend *backend, uint64_t vaddr, struct sym_sink *sink)
{
	const struct gopclntab *tab = table_at(backend, vaddr);
	struct go_frame frames[SYM_MAX_FRAMES];
	int n;

	n = tab ? gopclntab__frames(tab, vaddr, frames, SYM_MAX_FRAMES) : 0;
	for (int i = 0; i < n; i++)
		sym_sink__add(sink, frames[i].func, frames[i].file, frames[i].line, frames[i].inlined);
	return n > 0;
}

static void go_free(struct sym_backend *backend)
{
	free(backend);
}

static const struct sym_backend_ops go_ops = {
	.name = "go",
	.resolve = go_resolve,
	.free = go_free,
};

int sym_go__open(struct sym_source *src, struct sym_backend **ret)
{
	struct sym_go *go;

	if (!src->go)
		return -ENOENT;
	go = calloc(1, sizeof(*go));
	if (!go)
		return -ENOMEM;
	go->base.ops = &go_ops;
	go->bin = src->go;
	*ret = &go->base;
	return 0;
}
