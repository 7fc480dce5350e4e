/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Go side of the module table: each module's gobin, opened at the first question and kept. */
#ifndef ALLOCSNOOP_GO_GOMODS_H
#define ALLOCSNOOP_GO_GOMODS_H

#include "go/gobin.h"
#include "target/modules.h"

struct gomods;

/* @mods is borrowed and must outlive it. */
int gomods__new(const struct modules *mods, struct gomods **ret);
void gomods__free(struct gomods *gomods);

/* NULL when the module is no Go program, or one that cannot be read. */
const struct gobin *gomods__get(struct gomods *gomods, uint32_t module);

#endif
