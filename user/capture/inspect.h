/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can be known of a process before anything is armed: facts only, gathered by
 * reading. What they mean is judged by capture/doubts.h, which is pure.
 */
#ifndef ALLOCSNOOP_CAPTURE_INSPECT_H
#define ALLOCSNOOP_CAPTURE_INSPECT_H

#include "capture/image.h"
#include "go/gomods.h"
#include "target/modules.h"
#include "target/proc.h"

enum inspect_spot { SPOT_BRANCH, SPOT_PUSH, SPOT_STEPPED };

struct inspect_door {
	char name[64];
	uint32_t module;
	uint64_t vaddr, addr; /* of the probed instruction: in the file, in the process */
	enum inspect_spot spot;
	enum image_state image;
	bool is_go;
	bool is_hot; /* programs use it all the time */
};

struct inspect_module {
	uint32_t id;
	bool deleted;
	int fp_pct; /* elf_fp_percent() */
	int unwind_pct; /* of its code (without Go's) that an unwind table covers; -1: it has none, or no such code */
	uint64_t unwind_bytes; /* of the table */
};

#define INSPECT_MAX_STRANGERS 8

struct inspect_go {
	uint32_t module; /* MODULE_NONE: no Go in it */
	char version[128]; /* "": the binary does not say */
	int layout_minor;
	const char *experiment; /* that the layout is of, or "" */
	bool has_layout, layout_is_guess, layout_is_derived;
	const char *pclntab_section; /* "": found by its magic */
	uint32_t nfuncs;
	uint64_t open_ns; /* that it took to find and check all of this */
	bool has_moduledata;
	uint64_t text, types, etypes;
	bool has_cgo;
	bool has_profile_rate; /* runtime.MemProfileRate was found (go/gomemprof.h) */
	uint64_t profile_rate; /* its value now; 0: the memory profile is off */
	bool has_special_doors; /* for single size classes */
	/* Functions named like the allocator's that are no doors, and that no version known has. */
	char strangers[INSPECT_MAX_STRANGERS][64];
	uint32_t nstrangers;
	char error[512]; /* why a file that looks like Go cannot be read as such, or "" */
};

struct inspection {
	struct proc_info info;
	uint32_t exe_module; /* MODULE_NONE: not known */
	bool exe_deleted, exe_is_pie, exe_is_static, exe_is_stripped;
	uint64_t exe_bytes;
	int seccomp; /* proc_seccomp_mode() */
	uint64_t jit_bytes; /* of code without a file */
	struct inspect_go go;
	bool wants_c; /* malloc was asked for */
	struct inspect_door *doors;
	size_t ndoors, cap_doors;
	struct inspect_module *modules; /* files with code */
	size_t nmodules, cap_modules;
	char **warnings; /* of the plan */
	size_t nwarnings, cap_warnings;
};

struct inspect_opts {
	bool want_go, want_malloc;
	bool want_live; /* also what gives memory back */
};

/*
 * @mods and @gomods are borrowed; names of modules are there. 0, or -errno with @err: no such process, a kernel
 * thread, a 32-bit program, or one that these privileges do not let be read.
 */
int inspect__new(pid_t pid, const struct inspect_opts *opts, struct modules *mods, struct gomods *gomods,
		 struct inspection **ret, struct err *err);
void inspect__free(struct inspection *in);

/*
 * Is @func, of the runtime.mallocgc family and no door, one that no version known has? (*SlowPath, closures, and
 * what mallocgc of 1.24 on dispatches to are known.) Pure.
 */
bool inspect_is_stranger(const char *func);

#endif
