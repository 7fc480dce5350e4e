/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to sym/: names for the types of rows. */
#ifndef ALLOCSNOOP_SYM_TYPES_H
#define ALLOCSNOOP_SYM_TYPES_H

#include "base/strtab.h"
#include "go/gomods.h"
#include "profile/profile.h"
#include "target/modules.h"

struct sym_types;

/* All borrowed. 0 or -ENOMEM. */
int sym_types__new(const struct modules *mods, struct gomods *gomods, struct strtab *strs, struct sym_types **ret);
void sym_types__free(struct sym_types *types);

/*
 * Give a row the name of its type, unless it has one or nothing is known. Its stack's frames must have names.
 * @modules: for each module of the profile that of the module table, or MODULE_NONE.
 */
void sym_types__name_row(struct sym_types *types, struct profile *prof, uint32_t row, const uint32_t *modules);

/* Number of descriptors that have no name. */
uint64_t sym_types__unnamed(const struct sym_types *types);

#endif
