// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/vec.h"
#include "capture/unwind_module.h"
#include "target/elf_fp.h"

#define FAMILY "runtime.mallocgc"
#define MAX_WARNINGS 64

struct inspector {
	struct inspection *in;
	struct modules *mods;
	struct gomods *gomods;
	struct aspace as;
	unsigned int want; /* PLAN_* */
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + ts.tv_nsec;
}

/* The plan's warnings are things that we are not sure of. */
static void on_warning(void *ctx, enum diag_level level, const char *msg)
{
	struct inspection *in = ctx;
	char *copy;

	if (level != DIAG_WARN || in->nwarnings >= MAX_WARNINGS ||
	    vec_reserve((void **)&in->warnings, &in->cap_warnings, in->nwarnings + 1, sizeof(*in->warnings)))
		return;
	copy = strdup(msg);
	if (copy)
		in->warnings[in->nwarnings++] = copy;
}

static bool ends_with(const char *s, const char *end)
{
	size_t len = strlen(s), end_len = strlen(end);

	return len >= end_len && strcmp(s + len - end_len, end) == 0;
}

bool inspect_is_stranger(const char *func)
{
	/* runtime/malloc.go of 1.24 to 1.27 */
	static const char *const known[] = { "", "Tiny", "SmallNoscan", "SmallScanNoHeader",
					     "SmallScanHeader", "Large" };
	const char *rest = func + strlen(FAMILY);

	if (strncmp(func, FAMILY, strlen(FAMILY)) != 0 || strchr(rest, '.') || ends_with(rest, "SlowPath"))
		return false;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(rest, known[i]) == 0)
			return false;
	return true;
}

static bool is_door(const struct inspection *in, const char *name)
{
	for (size_t i = 0; i < in->ndoors; i++)
		if (in->doors[i].is_go && strcmp(in->doors[i].name, name) == 0)
			return true;
	return false;
}

/* One pass over the functions: cgo, and names of the allocator that mean nothing to us. */
static void look_at_funcs(struct inspection *in, const struct gopclntab *tab)
{
	struct inspect_go *go = &in->go;
	struct go_func func;

	go->nfuncs = gopclntab__nfuncs(tab);
	for (uint32_t i = 0; i < go->nfuncs; i++) {
		if (!gopclntab__func(tab, i, &func))
			continue;
		go->has_cgo |= strncmp(func.name, "runtime/cgo.", 12) == 0 || strcmp(func.name, "crosscall2") == 0;
		if (!inspect_is_stranger(func.name))
			continue;
		if (is_door(in, func.name))
			go->has_special_doors = true;
		else if (go->nstrangers < INSPECT_MAX_STRANGERS)
			snprintf(go->strangers[go->nstrangers++], sizeof(go->strangers[0]), "%s", func.name);
	}
}

static void read_profile_rate(struct inspector *it, const struct module *mod, const struct gobin *bin)
{
	struct mem_reader reader = proc_mem_reader(&it->in->info.pid);
	struct inspect_go *go = &it->in->go;
	struct gomemprof_vars vars;
	uint64_t bias;

	gomemprof_find(mod->elf, bin, &vars);
	go->has_profile_rate = aspace__find_bias(&it->as, it->mods, mod->id, &bias) &&
			       gomemprof_rate(&vars, &reader, bias, &go->profile_rate);
}

static void look_at_go(struct inspector *it, const struct module *mod, const struct gobin *bin)
{
	const struct go_moduledata *md = gobin__moduledata(bin);
	struct inspect_go *go = &it->in->go;
	const struct go_layout *layout;

	go->module = mod->id;
	snprintf(go->version, sizeof(go->version), "%s", gobin__version(bin));
	layout = gobin__layout(bin, &go->layout_is_guess);
	go->has_layout = layout;
	if (layout) {
		go->layout_minor = layout->minor;
		go->experiment = layout->experiment;
		go->layout_is_derived = layout->derived;
	}
	go->pclntab_section = gobin__pclntab_section(bin);
	go->has_moduledata = md->vaddr;
	go->text = md->text;
	go->types = md->types;
	go->etypes = md->etypes;
	if (gobin__pclntab(bin))
		look_at_funcs(it->in, gobin__pclntab(bin));
	read_profile_rate(it, mod, bin);
}

/* A file that is no Go program to us: is that because its tables are broken? */
static void look_for_broken_go(struct inspector *it, const struct module *mod)
{
	struct inspect_go *go = &it->in->go;
	struct err err = { 0 };
	struct gobin *bin;

	if (go->error[0])
		return;
	if (gobin__open(mod->elf, &bin, &err) == 0)
		gobin__free(bin);
	else if (err.msg[0])
		snprintf(go->error, sizeof(go->error), "%.500s", err.msg);
	else if (elf_file__has_section(mod->elf, ".gopclntab") || elf_file__has_section(mod->elf, ".go.buildinfo"))
		snprintf(go->error, sizeof(go->error),
			 "%.300s: has Go's sections, but neither a version nor a function table", mod->name);
}

static enum inspect_spot spot_of(const struct probe_site *site)
{
	if (site->spot_flags & ABI_SPOT_STEPPED)
		return SPOT_STEPPED;
	return site->spot_flags & ABI_SPOT_STACK_CHECK ? SPOT_BRANCH : SPOT_PUSH;
}

static int add_door(struct inspector *it, uint32_t module, const struct probe_site *site)
{
	struct inspection *in = it->in;
	struct inspect_door *door;

	if (site->prog != PROBE_GO && site->prog != PROBE_C && site->prog != PROBE_C_NEW && site->prog != PROBE_C_FREE)
		return 0;
	if (vec_reserve((void **)&in->doors, &in->cap_doors, in->ndoors + 1, sizeof(*in->doors)))
		return -ENOMEM;
	door = &in->doors[in->ndoors++];
	*door = (struct inspect_door){ .module = module, .vaddr = site->vaddr, .spot = spot_of(site) };
	memcpy(door->name, site->name, sizeof(door->name));
	door->image = image_check(&it->as, in->info.pid, module, site, &door->addr);
	door->is_go = site->prog == PROBE_GO;
	door->is_hot = probe_site__is_hot(site);
	return 0;
}

static int plan_module(struct inspector *it, const struct module *mod)
{
	const struct diag diag = { on_warning, it->in };
	struct plan plan = { 0 };
	int err = plan__add_module(&plan, it->gomods, mod, it->want, &diag);

	for (size_t i = 0; !err && i < plan.len; i++)
		err = add_door(it, mod->id, &plan.sites[i]);
	plan__clear(&plan);
	return err;
}

static bool is_listed(const struct inspection *in, uint32_t module)
{
	for (size_t i = 0; i < in->nmodules; i++)
		if (in->modules[i].id == module)
			return true;
	return false;
}

static void look_at_table(struct inspector *it, const struct module *mod, struct inspect_module *ret)
{
	struct unwind_table table;
	struct unwind_chain chain;
	uint64_t code, unknown = 0;

	if (unwind_module_compile(mod, it->gomods, &table, &chain))
		return;
	code = table.stats.code_bytes;
	for (int cause = 0; cause < ABI_UNWIND__N; cause++)
		unknown += table.stats.bytes[cause];
	for (uint32_t i = 0; i < chain.n; i++)
		code -= chain.ranges[i].end - chain.ranges[i].start < code ? chain.ranges[i].end - chain.ranges[i].start : code;
	if (code)
		ret->unwind_pct = unknown < code ? (int)((code - unknown) * 100 / code) : 0;
	ret->unwind_bytes = 4ull * table.nrows + sizeof(struct abi_unwind_page) * table.npages;
	unwind_table__free(&table);
}

static int add_module(struct inspector *it, const struct module *mod, bool deleted)
{
	struct inspection *in = it->in;
	struct inspect_module *to;
	const struct gobin *bin;
	uint64_t start = now_ns();
	int err;

	if (vec_reserve((void **)&in->modules, &in->cap_modules, in->nmodules + 1, sizeof(*in->modules)))
		return -ENOMEM;
	to = &in->modules[in->nmodules++];
	*to = (struct inspect_module){ .id = mod->id, .deleted = deleted, .fp_pct = -1, .unwind_pct = -1 };
	if (!mod->elf)
		return 0;
	bin = gomods__get(it->gomods, mod->id);
	if (bin && in->go.module == MODULE_NONE)
		in->go.open_ns = now_ns() - start;
	to->fp_pct = elf_fp_percent(mod->elf);
	look_at_table(it, mod, to);
	err = plan_module(it, mod);
	if (err)
		return err;
	if (bin && in->go.module == MODULE_NONE)
		look_at_go(it, mod, bin);
	else if (!bin)
		look_for_broken_go(it, mod);
	return 0;
}

static int look_at_modules(struct inspector *it)
{
	int err = 0;

	for (size_t i = 0; !err && i < it->as.maps.len; i++) {
		const struct mapping *map = &it->as.maps.items[i];
		const struct module *mod = modules__get(it->mods, it->as.modules[i]);

		if (!map->inode && !map->path[0])
			it->in->jit_bytes += map->end - map->start;
		if (mod && mod->name[0] != '[' && !is_listed(it->in, mod->id))
			err = add_module(it, mod, map->deleted);
	}
	return err;
}

/* The program itself; its errors are the ones that the user must read. */
static int look_at_exe(struct inspection *in, struct err *err)
{
	const pid_t pid = in->info.pid;
	struct elf_file *elf;
	char path[64];
	int fd, code;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno == ENOENT ? FAIL_TARGET : FAIL_KERNEL, -errno, "cannot open %s: %s", path,
			       strerror(errno));
	code = elf_file__open(fd, in->info.exe, &elf, err);
	if (code)
		return code;
	in->exe_is_pie = elf_file__is_pie(elf);
	in->exe_is_static = !elf_file__interp(elf);
	in->exe_is_stripped = !elf_file__has_section(elf, ".symtab");
	in->exe_bytes = elf_file__size(elf);
	in->exe_deleted = ends_with(in->info.exe, " (deleted)");
	in->seccomp = proc_seccomp_mode(pid);
	elf_file__free(elf);
	return 0;
}

static int read_process(struct inspection *in, pid_t pid, struct err *err)
{
	if (proc_read_info(pid, &in->info))
		return err_set(err, FAIL_TARGET, -ESRCH, "no such process: PID %d", pid);
	if (in->info.is_kernel_thread)
		return err_set(err, FAIL_TARGET, -EINVAL, "PID %d (%s) is a kernel thread: it has no user memory", pid,
			       in->info.comm);
	if (in->info.is_zombie)
		return err_set(err, FAIL_TARGET, -ESRCH, "PID %d (%s) has exited and waits for its parent", pid,
			       in->info.comm);
	if (pid == getpid())
		return err_set(err, FAIL_TARGET, -EINVAL, "PID %d is allocsnoop itself", pid);
	return look_at_exe(in, err);
}

/* The module that has the program's file: the path is what both know. */
static uint32_t find_exe(const struct inspector *it)
{
	const char *exe = it->in->info.exe;
	size_t len = strlen(exe) - (it->in->exe_deleted ? strlen(" (deleted)") : 0);

	for (size_t i = 0; i < it->in->nmodules; i++) {
		const char *path = modules__get(it->mods, it->in->modules[i].id)->path;

		if (strlen(path) == len && memcmp(path, exe, len) == 0)
			return it->in->modules[i].id;
	}
	return MODULE_NONE;
}

static int gather(struct inspector *it, struct err *err)
{
	const pid_t pid = it->in->info.pid;
	int code = aspace__read(&it->as, it->mods, pid, NULL);

	if (code)
		return err_set(err, code == -EACCES || code == -EPERM ? FAIL_KERNEL : FAIL_TARGET, code,
			       "cannot read /proc/%d/maps: %s", pid, strerror(-code));
	code = look_at_modules(it);
	if (code)
		return err_set(err, FAIL_GENERAL, code, "%s", strerror(-code));
	it->in->exe_module = find_exe(it);
	return 0;
}

int inspect__new(pid_t pid, const struct inspect_opts *opts, struct modules *mods, struct gomods *gomods,
		 struct inspection **ret, struct err *err)
{
	struct inspection *in = calloc(1, sizeof(*in));
	struct inspector it = { .in = in, .mods = mods, .gomods = gomods };
	int code;

	if (!in)
		return err_set(err, FAIL_GENERAL, -ENOMEM, "out of memory");
	in->go.module = in->exe_module = MODULE_NONE;
	in->go.experiment = in->go.pclntab_section = "";
	in->wants_c = opts->want_malloc;
	it.want = (opts->want_go ? PLAN_GO : 0) | (opts->want_malloc ? PLAN_C : 0) | (opts->want_live ? PLAN_LIVE : 0);
	code = read_process(in, pid, err);
	if (!code)
		code = gather(&it, err);
	aspace__free(&it.as);
	if (code) {
		inspect__free(in);
		return code;
	}
	*ret = in;
	return 0;
}

void inspect__free(struct inspection *in)
{
	if (!in)
		return;
	for (size_t i = 0; i < in->nwarnings; i++)
		free(in->warnings[i]);
	free(in->warnings);
	free(in->doors);
	free(in->modules);
	free(in);
}
