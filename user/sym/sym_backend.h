/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to sym/: what a source of names is, and what it writes to.
 *
 * A backend belongs to one module. sym.c opens the backends of a module in the
 * order of its table, each when the ones before it did not know an address.
 */
#ifndef ALLOCSNOOP_SYM_BACKEND_H
#define ALLOCSNOOP_SYM_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strtab.h"
#include "go/gobin.h"
#include "profile/profile.h"
#include "profile/plumbing.h"
#include "sym/debuginfod.h"
#include "target/elf.h"
#include "target/modules.h"

#define SYM_MAX_FRAMES 64 /* at one address; deeper inlining loses its outermost frames */
#define SYM_MAX_NAME_BYTES 4096 /* longer names are cut */

/* Frames of one address, innermost first. Names are copied, demangled and judged on the way in. */
struct sym_sink {
	struct strtab *strs;
	struct prof_frame frames[SYM_MAX_FRAMES];
	int len;
	bool last_was_mangled; /* the name of the frame added last: it says all there is to say */
	/*
	 * Set by a backend that has only the short name of the outermost function: a C++ one without linkage, for which
	 * GCC writes no linkage name into DWARF but the assembler a mangled one into the symbol table.
	 */
	bool wants_mangled;
};

/* @func NULL: not known, a later backend may (outermost frame only). @file NULL: not known. Nothing when full. */
void sym_sink__add(struct sym_sink *sink, const char *func, const char *file, uint32_t line, bool inlined);

/* What a backend can draw from. */
struct sym_source {
	struct module *mod;
	const struct gobin *go; /* NULL: no Go program */
	const char *debug_root;
	struct debuginfod *debuginfod; /* or NULL */
	const struct diag *diag;
	struct elf_file *debug; /* separate debug file; see sym_source__debug() */
	bool debug_searched;
};

bool sym_has_dwarf(const struct elf_file *elf);
/* The module's separate debug file, searched once; NULL if there is none. Lives as long as the source. */
struct elf_file *sym_source__debug(struct sym_source *src);

struct sym_backend;

struct sym_backend_ops {
	const char *name;
	/* Write the frames at @vaddr; false, and nothing written, when it is not known here. */
	bool (*resolve)(struct sym_backend *backend, uint64_t vaddr, struct sym_sink *sink);
	/* Before each round of questions; NULL where nothing is ever added. */
	void (*refresh)(struct sym_backend *backend);
	void (*free)(struct sym_backend *backend);
};

/* First member of every backend. */
struct sym_backend {
	const struct sym_backend_ops *ops;
};

/* Each: 0, -ENOENT when @src has nothing of the kind, another -errno when it is unusable. @src outlives it. */
int sym_go__open(struct sym_source *src, struct sym_backend **ret);
int sym_dwarf__open(struct sym_source *src, struct sym_backend **ret);
int sym_elf__open(struct sym_source *src, struct sym_backend **ret);
int sym_perfmap__open(struct sym_source *src, struct sym_backend **ret);
int sym_kernel__open(struct sym_source *src, struct sym_backend **ret);
/* The same from the text of kallsyms, which it takes over (for tests); @text ends with a NUL at @len. */
int sym_kernel__parse(char *text, size_t len, struct sym_backend **ret);

/*
 * The debug file of @mod (build ID, .gnu_debuglink), checked to belong to it, from the root of the process that has the
 * module or from @debug_root ("" is the host's). 0, or -ENOENT.
 */
int debugfile_find(const struct module *mod, const char *debug_root, struct elf_file **ret);
/* The same from @debuginfod, by its build ID. */
int debugfile_fetch(const struct module *mod, struct debuginfod *debuginfod, struct elf_file **ret);
/*
 * The file that @debug, the debug file of @src or its module, shares strings and DIEs with (.gnu_debugaltlink, made
 * by dwz). 0 with *ret NULL when it shares none, -ENOENT when the file is missing.
 */
int debugfile_find_alt(const struct sym_source *src, struct elf_file *debug, struct elf_file **ret);

/* The ELF file that is packed in .gnu_debugdata of @elf; 0, -ENOENT when there is none, or another -errno. */
int minidebug_open(struct elf_file *elf, struct elf_file **ret);

/*
 * The debug sections of @elf, unpacked, as an ELF image for libelf, which the caller frees.
 * 0, -ENOMEM, or -EFBIG when it would be larger than 512 MiB.
 */
int debugimage_make(struct elf_file *elf, uint16_t machine, char **ret, size_t *ret_len);

/*
 * C++ (Itanium ABI) and Rust (legacy and v0) names, with parameters as c++filt writes them, into @buf (always
 * terminated); cut with "..." when longer. false, @buf untouched or "", if it is not mangled.
 */
bool demangle(const char *mangled, char *buf, size_t size);

#endif
