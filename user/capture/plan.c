// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Doors. A door is a function that every allocation of some kind enters exactly
 * once. Native ones are found by name in the symbol tables, Go's by name in the
 * pclntab, which a stripped binary still has.
 *
 * Go 1.15 to 1.23 have one door, runtime.mallocgc. From 1.24 it assists the GC and then
 * dispatches to five functions; these are the doors there, because behind the assist
 * nothing comes between the probe and the tiny allocator. With size-specialised malloc (an experiment in 1.26, the default from 1.27) compiled code calls
 * mallocgc<Kind>SC<n> and mallocgcTinySize<n> itself, and mallocgc forwards small
 * sizes to them. So each of those is a door, and mallocgc is one only for sizes
 * that no SC<n> takes. *SlowPath functions are continuations, entered while the GC
 * marks, and never doors. Where mallocgc's other rooms are known as well they take its place: then no allocation
 * passes two probes.
 *
 * C's doors are the malloc family, whatever defines it: a libc, an allocator that is
 * preloaded, linked or static, found by the names. Where several do (python's libc and a
 * preloaded jemalloc) all are probed: the BPF side counts the outermost door. operator
 * new is a door where the same file defines malloc: then it need not come by malloc. (That
 * of libstdc++ always does.) It may throw, so its end is probed at its return
 * instructions (capture/returns.h), not by a uretprobe.
 */
#include "capture/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "capture/cgo.h"
#include "capture/goabi.h"
#include "capture/returns.h"
#include "capture/spot.h"

#define CODE_BYTES 64 /* of a function, enough for any prologue */
/* Go's register ABI came to amd64 in 1.17, to arm64 in 1.18. */
#if defined(__x86_64__)
#define FIRST_REGISTER_ABI_MINOR 17
#else
#define FIRST_REGISTER_ABI_MINOR 18
#endif
#define GO_SPECIAL_PREFIX "runtime.mallocgc"

struct c_door {
	const char *name;
	enum abi_door door;
};

static const struct c_door c_doors[] = {
	{ "malloc", ABI_DOOR_MALLOC },
	{ "calloc", ABI_DOOR_CALLOC },
	{ "realloc", ABI_DOOR_REALLOC },
	{ "reallocarray", ABI_DOOR_REALLOCARRAY },
	{ "posix_memalign", ABI_DOOR_POSIX_MEMALIGN },
	{ "aligned_alloc", ABI_DOOR_MEMALIGN },
	{ "memalign", ABI_DOOR_MEMALIGN },
	{ "valloc", ABI_DOOR_MALLOC },
	{ "pvalloc", ABI_DOOR_MALLOC },
	{ "mallocx", ABI_DOOR_MALLOC }, /* jemalloc; its xallocx resizes in place: the block stays what was asked for first */
	{ "rallocx", ABI_DOOR_REALLOC },
};

/* Names that are common words without a prefix. */
static const struct c_door prefixed_doors[] = {
	{ "zalloc", ABI_DOOR_MALLOC }, /* mimalloc */
	{ "malloc_aligned", ABI_DOOR_MALLOC },
	{ "realloc_aligned", ABI_DOOR_REALLOC },
};

/* What gives memory back, probed when blocks are followed. realloc is a door already. */
static const char *const c_releases[] = {
	"free", "cfree", "free_sized", "free_aligned_sized", "dallocx", "sdallocx",
};

/* What follows _Znw, _Zna (operator new, new[]) and _Zdl, _Zda; size_t is m or, with 32 bits, j (Itanium C++ ABI, 5.1). */
static const char *const new_suffixes[] = { "m", "mRKSt9nothrow_t", "mSt11align_val_t", "mSt11align_val_tRKSt9nothrow_t" };
static const char *const delete_suffixes[] = {
	"Pv", "Pvm", "PvRKSt9nothrow_t", "PvSt11align_val_t", "PvmSt11align_val_t", "PvSt11align_val_tRKSt9nothrow_t",
};

struct planner {
	struct plan *plan;
	const struct module *mod;
	const struct diag *diag;
	unsigned int want;
	bool defines_malloc;
};

static bool has_site(const struct plan *plan, uint64_t file_off)
{
	for (size_t i = 0; i < plan->len; i++)
		if (plan->sites[i].file_off == file_off)
			return true;
	return false;
}

/* 1: added, 0: refused or there already, or -ENOMEM. @code: of the instruction at site->vaddr. */
static int keep_site(struct planner *p, struct probe_site *site, const uint8_t *code, const char *name)
{
	if (!elf_file__vaddr_to_off(p->mod->elf, site->vaddr, &site->file_off) || has_site(p->plan, site->file_off))
		return 0;
	memcpy(site->bytes, code, PROBE_CHECK_BYTES);
	snprintf(site->name, sizeof(site->name), "%s", name);
	if (vec_reserve((void **)&p->plan->sites, &p->plan->cap, p->plan->len + 1, sizeof(*site)))
		return -ENOMEM;
	p->plan->sites[p->plan->len++] = *site;
	return 1;
}

/* Add the spot in the function at @entry. 1: added, 0: refused or there already, or -ENOMEM. */
static int add_site(struct planner *p, enum probe_prog prog, enum abi_door door, const char *name, uint64_t entry,
		    bool old_abi)
{
	struct probe_site site = { .prog = prog, .door = door };
	uint8_t code[CODE_BYTES];
	struct spot spot;
	ssize_t len;
	int err;

	len = elf_file__read_vaddr(p->mod->elf, entry, code, sizeof(code));
	if (len < PROBE_CHECK_BYTES || !elf_file__is_code(p->mod->elf, entry)) {
		diag_emit(p->diag, DIAG_WARN, "%s: %s at 0x%llx is not code: not probed", p->mod->name, name,
			  (unsigned long long)entry);
		return 0;
	}
	if (prog == PROBE_C_FREE)
		err = spot_find_release((struct span){ code, len }, &spot);
	else if (prog == PROBE_C || prog == PROBE_C_NEW || prog == PROBE_C_THROW || prog == PROBE_MAPS)
		err = spot_find_c((struct span){ code, len }, &spot);
	else
		err = spot_find_go((struct span){ code, len }, old_abi, &spot);
	if (err || spot.offset + PROBE_CHECK_BYTES > (size_t)len) {
		diag_emit(p->diag, DIAG_WARN,
			  "%s: the code of %s begins with bytes that are not understood (%02x %02x %02x %02x): not probed",
			  p->mod->name, name, code[0], code[1], code[2], code[3]);
		return 0;
	}
	site.vaddr = entry + spot.offset;
	site.spot_flags = spot.flags | (prog == PROBE_C_NEW ? ABI_SPOT_MAY_THROW : 0);
	return keep_site(p, &site, code + spot.offset, name);
}

static size_t read_code(void *ctx, uint64_t vaddr, uint8_t *buf, size_t size)
{
	const struct elf_file *elf = ctx;
	ssize_t n = elf_file__is_code(elf, vaddr) ? elf_file__read_vaddr(elf, vaddr, buf, size) : 0;

	return n > 0 ? (size_t)n : 0;
}

/* A door that may throw: its entry and its return instructions, or nothing. */
static int add_new(struct planner *p, const struct elf_sym *sym)
{
	const struct code_reader reader = { p->mod->elf, read_code };
	struct probe_site site = { .prog = PROBE_C_RETURN, .spot_flags = ABI_SPOT_STEPPED };
	uint64_t returns[RETURNS_MAX];
	uint8_t code[PROBE_CHECK_BYTES];
	size_t before = p->plan->len;
	int n, err;

	/* What throws inside of these is caught inside. */
	if (strstr(sym->name, "nothrow"))
		return add_site(p, PROBE_C, ABI_DOOR_MALLOC, sym->name, sym->vaddr, false);
	n = returns_find(&reader, sym->vaddr, returns);
	if (n <= 0) {
		diag_emit(p->diag, DIAG_WARN, "%s: where %s returns is not understood: not probed, what it allocates is not counted",
			  p->mod->name, sym->name);
		return 0;
	}
	err = add_site(p, PROBE_C_NEW, ABI_DOOR_MALLOC, sym->name, sym->vaddr, false);
	for (int i = 0; err > 0 && i < n; i++) {
		int kept;

		site.vaddr = returns[i];
		if (elf_file__read_vaddr(p->mod->elf, site.vaddr, code, sizeof(code)) < (ssize_t)sizeof(code))
			kept = -EILSEQ;
		else
			kept = keep_site(p, &site, code, sym->name);
		err = kept < 0 ? kept : err;
	}
	if (err == -EILSEQ) {
		p->plan->len = before;
		return 0;
	}
	return err;
}

static bool is_one_of(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

#define N(array) (sizeof(array) / sizeof((array)[0]))

static bool is_new(const char *name)
{
	return (strncmp(name, "_Znw", 4) == 0 || strncmp(name, "_Zna", 4) == 0) &&
	       is_one_of(name + 4, new_suffixes, N(new_suffixes));
}

static bool is_delete(const char *name)
{
	return (strncmp(name, "_Zdl", 4) == 0 || strncmp(name, "_Zda", 4) == 0) &&
	       is_one_of(name + 4, delete_suffixes, N(delete_suffixes));
}

static const struct c_door *find_door(const struct c_door *doors, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, doors[i].name) == 0)
			return &doors[i];
	return NULL;
}

/* @name behind the prefix of --malloc-prefix that it has, or NULL. */
static const char *without_prefix(const struct planner *p, const char *name)
{
	const char *prefix = p->plan->malloc_prefixes;

	while (prefix && *prefix) {
		size_t len = strcspn(prefix, ",");

		if (len && strncmp(name, prefix, len) == 0)
			return name + len;
		prefix += len + (prefix[len] == ',');
	}
	return NULL;
}

/* The allocation door of that name, with a prefix or without; NULL: none. */
static const struct c_door *door_of(const struct planner *p, const char *name)
{
	const struct c_door *door = find_door(c_doors, N(c_doors), name);
	const char *bare = door ? NULL : without_prefix(p, name);

	if (bare)
		door = find_door(c_doors, N(c_doors), bare);
	if (bare && !door)
		door = find_door(prefixed_doors, N(prefixed_doors), bare);
	return door;
}

static bool is_release(const struct planner *p, const char *name)
{
	const char *bare = without_prefix(p, name);

	return is_one_of(name, c_releases, N(c_releases)) || (bare && is_one_of(bare, c_releases, N(c_releases))) ||
	       (p->defines_malloc && is_delete(name));
}

static int on_malloc_sym(void *ctx, const struct elf_sym *sym)
{
	struct planner *p = ctx;

	p->defines_malloc |= sym->is_func && strcmp(sym->name, "malloc") == 0;
	return p->defines_malloc;
}

static int on_c_sym(void *ctx, const struct elf_sym *sym)
{
	struct planner *p = ctx;
	const struct c_door *door = door_of(p, sym->name);
	int err = 0;

	if (sym->is_ifunc && door)
		diag_emit(p->diag, DIAG_WARN, "%s: which function %s is (an ifunc) is decided at run time: not probed",
			  p->mod->name, sym->name);
	if (!sym->is_func || sym->is_ifunc)
		return 0;
	if (strcmp(sym->name, "_dl_debug_state") == 0) {
		err = add_site(p, PROBE_MAPS, 0, sym->name, sym->vaddr, false);
	} else if (strcmp(sym->name, "__cxa_throw") == 0) {
		err = add_site(p, PROBE_C_THROW, 0, sym->name, sym->vaddr, false);
	} else if (door || (p->defines_malloc && is_new(sym->name))) {
		err = door ? add_site(p, PROBE_C, door->door, sym->name, sym->vaddr, false) : add_new(p, sym);
		p->plan->has_c |= err > 0;
	} else if (p->want & PLAN_LIVE && is_release(p, sym->name)) {
		err = add_site(p, PROBE_C_FREE, ABI_DOOR_FREE, sym->name, sym->vaddr, false);
	}
	return err < 0 ? err : 0;
}

/* A size-specialised door? Then the number of its size class, or 0 for one without (TinySize<n>); else -1. */
static int special_class(const char *name)
{
	const char *digits = name + strlen(name);

	if (strncmp(name, GO_SPECIAL_PREFIX, strlen(GO_SPECIAL_PREFIX)) != 0)
		return -1;
	while (digits > name && digits[-1] >= '0' && digits[-1] <= '9')
		digits--;
	if (!*digits)
		return -1;
	if (digits - name > 2 && strncmp(digits - 2, "SC", 2) == 0)
		return atoi(digits);
	if (digits - name > 8 && strncmp(digits - 8, "TinySize", 8) == 0)
		return 0;
	return -1;
}

/* The specialised doors; *ret_class is the largest size class among them, -1 if there are none. */
static int add_special_doors(struct planner *p, const struct gopclntab *tab, int *ret_class)
{
	uint32_t n = gopclntab__nfuncs(tab);
	struct go_func func;
	int err, class;

	*ret_class = -1;
	for (uint32_t i = 0; i < n; i++) {
		if (!gopclntab__func(tab, i, &func))
			continue;
		class = special_class(func.name);
		if (class < 0)
			continue;
		/* TinySize<n> and TinySC2 share blocks; the others are of sizes that never carry a header. */
		err = add_site(p, PROBE_GO, strstr(func.name, "Tiny") ? ABI_DOOR_GO_TINY : ABI_DOOR_GO_SMALL, func.name,
			       func.entry, false);
		if (err < 0)
			return err;
		if (class > *ret_class)
			*ret_class = class;
	}
	return 0;
}

struct go_door {
	const char *name;
	enum abi_door door;
};

/* What mallocgc dispatches to from 1.24 on (runtime/malloc.go). */
static const struct go_door go_rooms[] = {
	{ "runtime.mallocgcTiny", ABI_DOOR_GO_TINY },
	{ "runtime.mallocgcSmallNoscan", ABI_DOOR_GO_SMALL },
	{ "runtime.mallocgcSmallScanNoHeader", ABI_DOOR_GO_SMALL },
	{ "runtime.mallocgcSmallScanHeader", ABI_DOOR_GO_HEADER },
	{ "runtime.mallocgcLarge", ABI_DOOR_GO_LARGE },
};

#define NROOMS (sizeof(go_rooms) / sizeof(go_rooms[0]))

/*
 * 1: the rooms are the doors; 0: they are not those that are expected, or one has no place for a probe. Or -ENOMEM.
 * @special: behind size-specialised doors the linker leaves out rooms that nothing reaches, the tiny one always.
 */
static int add_rooms(struct planner *p, const struct gopclntab *tab, bool special)
{
	struct go_func rooms[NROOMS];
	size_t before = p->plan->len;
	int err = 1;

	for (size_t i = 0; i < NROOMS; i++) {
		bool found = gopclntab__find_name(tab, go_rooms[i].name, &rooms[i]);

		if (special ? found && go_rooms[i].door == ABI_DOOR_GO_TINY : !found)
			return 0;
		if (!found)
			rooms[i].entry = 0;
	}
	for (size_t i = 0; i < NROOMS && err > 0; i++)
		if (rooms[i].entry)
			err = add_site(p, PROBE_GO, go_rooms[i].door, rooms[i].name, rooms[i].entry, false);
	if (err > 0 && p->plan->len == before)
		err = 0;
	if (err <= 0)
		p->plan->len = before; /* all or none */
	return err;
}

struct live_probe {
	const char *names[2]; /* the first that is there */
	enum probe_prog prog;
};

/* What is probed to follow objects: see bpf/live_go.bpf.h. */
static const struct live_probe live_probes[] = {
	{ { "runtime.mProf_Malloc", NULL }, PROBE_GO_SAMPLED },
	{ { "runtime.freeSpecial", "runtime.freespecial" /* up to 1.15 */ }, PROBE_GO_FREED },
	{ { "runtime.(*spanSet).push", NULL }, PROBE_GO_SPAN },
	{ { "runtime.gcPrepareMarkRoots", "runtime.gcMarkRootPrepare" /* up to 1.24 */ }, PROBE_GO_GC },
};

static int add_live(struct planner *p, const struct gobin *bin, bool old_abi)
{
	const struct gopclntab *tab = gobin__pclntab(bin);
	struct go_func func;

	gomemprof_find(p->mod->elf, bin, &p->plan->memprof);
	for (size_t i = 0; i < sizeof(live_probes) / sizeof(live_probes[0]); i++) {
		const struct live_probe *probe = &live_probes[i];
		int err = 0;

		if (gopclntab__find_name(tab, probe->names[0], &func) ||
		    (probe->names[1] && gopclntab__find_name(tab, probe->names[1], &func)))
			err = add_site(p, probe->prog, ABI_DOOR_GO_MALLOC, func.name, func.entry, old_abi);
		else
			diag_emit(p->diag, DIAG_WARN, "%s: no %s in its pclntab: live objects are not all followed",
				  p->mod->name, probe->names[0]);
		if (err < 0)
			return err;
	}
	return 0;
}

/* What stacks through the runtime need, whatever is probed. */
static void add_runtime(struct planner *p, const struct gobin *bin)
{
	bool is_guess;
	const struct go_layout *layout = gobin__layout(bin, &is_guess);
	const char *version = gobin__version(bin);

	if (!layout)
		return;
	goabi_from_layout(layout, &p->plan->go);
	cgo_find(bin, p->mod->elf, &p->plan->go);
	p->plan->layout = layout;
	p->plan->has_runtime = true;
	snprintf(p->plan->runtime, sizeof(p->plan->runtime), "%s", version[0] ? version : "go");
}

static int add_go(struct planner *p, const struct gobin *bin, bool live)
{
	const struct gopclntab *tab = gobin__pclntab(bin);
	const char *version = gobin__version(bin);
	const struct go_layout *layout;
	struct go_func func;
	bool is_guess;
	int class, err;

	layout = gobin__layout(bin, &is_guess);
	if (!layout) {
		diag_emit(p->diag, DIAG_WARN, "%s: %s is older than Go 1.15: its allocations cannot be counted",
			  p->mod->name, version);
		return 0;
	}
	if (is_guess)
		diag_emit(p->diag, DIAG_WARN,
			  "%s: Go version %s is not known: taken for 1.%d, bytes of small objects may be off", p->mod->name,
			  version[0] ? version : "(not told)", layout->minor);
	if (!tab || !gopclntab__find_name(tab, "runtime.mallocgc", &func)) {
		diag_emit(p->diag, DIAG_WARN, "%s: a Go program without runtime.mallocgc in its pclntab: not probed",
			  p->mod->name);
		return 0;
	}
	err = add_special_doors(p, tab, &class);
	if (err < 0)
		return err;
	if (class >= 0 && class < layout->nclasses)
		p->plan->go.forward_max = class ? layout->class_to_size[class] : layout->tiny_size - 1;
	err = add_rooms(p, tab, class >= 0);
	if (!err)
		err = add_site(p, PROBE_GO, class >= 0 ? ABI_DOOR_GO_DISPATCH : ABI_DOOR_GO_MALLOC, func.name,
			       func.entry, layout->minor < FIRST_REGISTER_ABI_MINOR);
	if (err <= 0)
		return err;
	p->plan->has_go = true;
	return live ? add_live(p, bin, layout->minor < FIRST_REGISTER_ABI_MINOR) : 0;
}

/* Who takes spans (bpf/span_go.bpf.h). */
static int add_spans(struct planner *p, const struct gobin *bin)
{
	const struct gopclntab *tab = gobin__pclntab(bin);
	struct go_func func;
	int err;

	if (!p->plan->has_runtime || p->plan->layout->heap_arena_spans == GO_NO_FIELD || !tab ||
	    !gopclntab__find_name(tab, "runtime.(*mheap).setSpans", &func))
		return 0;
	err = add_site(p, PROBE_GO_SPAN_TAKEN, ABI_DOOR_GO_MALLOC, func.name, func.entry,
		       p->plan->layout->minor < FIRST_REGISTER_ABI_MINOR);
	return err < 0 ? err : 0;
}

int plan__add_module(struct plan *plan, struct gomods *gomods, const struct module *mod, unsigned int want,
		     const struct diag *diag)
{
	struct planner p = { .plan = plan, .mod = mod, .diag = diag, .want = want };
	const struct gobin *bin;
	int err = 0;

	if (!mod->elf)
		return 0;
	bin = gomods__get(gomods, mod->id);
	if (bin)
		add_runtime(&p, bin);
	if (bin && want & PLAN_GO)
		err = add_go(&p, bin, want & PLAN_LIVE);
	if (!err && bin && want & PLAN_GO_SPANS)
		err = add_spans(&p, bin);
	if (!err && want & PLAN_C) {
		err = elf_file__each_sym(mod->elf, on_malloc_sym, &p);
		err = err < 0 ? err : elf_file__each_sym(mod->elf, on_c_sym, &p);
	}
	return err;
}

void plan__clear(struct plan *plan)
{
	free(plan->sites);
	memset(plan, 0, sizeof(*plan));
}

bool probe_site__is_hot(const struct probe_site *site)
{
	return site->prog == PROBE_GO || strcmp(site->name, "free") == 0 || strcmp(site->name, "malloc") == 0 || strcmp(site->name, "calloc") == 0 ||
	       strcmp(site->name, "realloc") == 0;
}
