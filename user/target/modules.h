/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Module table: every distinct file (device, inode) that any target has mapped
 * executable, once, with its ELF open. A stack frame is (module, ELF vaddr), which
 * means the same in every process and after the target is gone.
 */
#ifndef ALLOCSNOOP_TARGET_MODULES_H
#define ALLOCSNOOP_TARGET_MODULES_H

#include "base/err.h"
#include "target/elf.h"
#include "target/perfmap.h"
#include "target/proc.h"

#define MODULE_NONE UINT32_MAX

enum module_kind {
	MODULE_FILE,
	MODULE_VIRTUAL, /* pages that the kernel gives to every process */
	MODULE_KERNEL, /* the kernel's own code, at its own addresses */
	MODULE_JIT, /* code in anonymous memory of one process */
};

struct module {
	uint32_t id; /* index in the table */
	enum module_kind kind;
	char *path; /* as the target sees it */
	const char *name; /* last component of path; "[jit]" */
	uint32_t dev_major, dev_minor;
	uint64_t inode;
	struct elf_file *elf; /* NULL: not readable, or not an ELF file (JIT, [vdso] of another kind) */
	char build_id[129]; /* hex, "" if none */
	/* Where a target had it first: for pprof mappings and for messages. */
	uint64_t start, end, file_off;
	/* Who had it first, 0: nobody yet. Its root may hold the debug file, if the process still lives. */
	pid_t pid;
	uint64_t pid_start_ticks; /* code without an ELF file: tells a recycled PID */
	struct perfmap *perfmap; /* code without an ELF file: see module__perfmap() */
};

struct modules;

int modules__new(const struct diag *diag, struct modules **ret);
void modules__free(struct modules *mods);

/* The module of @map in @pid, opened if new. MODULE_NONE when memory is out. */
uint32_t modules__add(struct modules *mods, pid_t pid, const struct mapping *map);
/* The module of an open file that no process has mapped yet (takes over @fd). */
uint32_t modules__add_file(struct modules *mods, int fd, const char *path);

/* The kernel as a module "[kernel]". MODULE_NONE when memory is out. */
uint32_t modules__add_kernel(struct modules *mods);

struct module *modules__get(const struct modules *mods, uint32_t id);
uint32_t modules__len(const struct modules *mods);

/*
 * Names of code without an ELF file, if the process that has it writes a perf map: opened when the module came
 * into the table, or now. NULL when there is none (yet).
 */
struct perfmap *module__perfmap(struct module *mod);

/* ELF vaddr in @mod of @addr, which @map maps; @addr itself when the file is not ELF. */
uint64_t module__vaddr(const struct module *mod, const struct mapping *map, uint64_t addr);

#endif
