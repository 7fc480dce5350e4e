/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Symbolizer: (module, vaddr) to function, file, line, inlined frames.
 * Backends, tried in this order for each module: Go's pclntab; DWARF (of the file
 * itself or its separate debug file) for lines and inlines; ELF symbols; else
 * "[module+0xOFFSET]". Names are demangled (C++, Rust).
 */
#ifndef ALLOCSNOOP_SYM_SYM_H
#define ALLOCSNOOP_SYM_SYM_H

#include "base/err.h"
#include "base/strtab.h"
#include "profile/profile.h"
#include "go/gomods.h"
#include "sym/debuginfod.h"
#include "target/modules.h"

struct sym;

struct sym_opts {
	/* Root folder in which debug files are looked up besides the target's own root; "" is the host's. */
	const char *debug_root;
	struct debuginfod *debuginfod; /* asked for debug files that are not on disk; NULL: none */
	const struct diag *diag; /* progress and warnings */
};

/* @mods, @gomods, @strs and what @opts points at are borrowed and must outlive it. */
int sym__new(const struct modules *mods, struct gomods *gomods, struct strtab *strs, const struct sym_opts *opts,
	     struct sym **ret);
void sym__free(struct sym *sym);

/* Frames at (module, vaddr), innermost first, at least one and at most @cap (>= 1). */
int sym__resolve(struct sym *sym, uint32_t module, uint64_t vaddr, struct prof_frame *ret, int cap);

/*
 * Give frames to every location of @prof that has none yet and that a row uses, and names to the types of rows.
 * 0, -ENOMEM, or -EINVAL when @prof uses another strtab than @sym.
 */
int sym__annotate(struct sym *sym, struct profile *prof);

struct sym_stats {
	uint64_t unnamed_go; /* addresses in Go code that the function table does not know, or damages */
	uint64_t unnamed_types; /* type descriptors whose name could not be read */
};

/* Since sym__new(). */
void sym__stats(const struct sym *sym, struct sym_stats *ret);

#endif
