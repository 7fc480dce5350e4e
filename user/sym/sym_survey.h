/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What names a module has to give, without reading them: for a preflight. */
#ifndef ALLOCSNOOP_SYM_SYM_SURVEY_H
#define ALLOCSNOOP_SYM_SYM_SURVEY_H

#include <stdbool.h>

#include "target/modules.h"

struct sym_survey {
	bool dwarf; /* in the file itself */
	bool debug_file; /* a separate one was found, and belongs to the file */
	bool symtab, dynsym;
};

/* @debug_root as in struct sym_opts. Nothing for a module without an ELF file. */
struct sym_survey sym_survey(const struct module *mod, const char *debug_root);

#endif
