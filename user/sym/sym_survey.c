// SPDX-License-Identifier: GPL-2.0-or-later
#include "sym/sym_survey.h"

#include "sym/sym_backend.h"

struct sym_survey sym_survey(const struct module *mod, const char *debug_root)
{
	struct sym_survey ret = { 0 };
	struct elf_file *debug;

	if (!mod->elf)
		return ret;
	ret.dwarf = sym_has_dwarf(mod->elf);
	ret.symtab = elf_file__has_section(mod->elf, ".symtab");
	ret.dynsym = elf_file__has_section(mod->elf, ".dynsym");
	if (!ret.dwarf && debugfile_find(mod, debug_root, &debug) == 0) {
		ret.debug_file = true;
		elf_file__free(debug);
	}
	return ret;
}
