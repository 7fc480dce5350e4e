// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/doubts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>


struct judge {
	const struct inspection *in;
	const struct modules *mods;
	double stepped_ns;
	doubt_fn *fn;
	void *ctx;
};

__attribute__((format(printf, 3, 4))) static void doubt(const struct judge *j, const char *kind, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	j->fn(j->ctx, kind, text);
}

static const char *name_of(const struct judge *j, uint32_t module)
{
	const struct module *mod = modules__get(j->mods, module);

	return mod ? mod->name : "?";
}

static void judge_go(const struct judge *j)
{
	const struct inspect_go *go = &j->in->go;

	if (go->error[0])
		doubt(j, "go_tables", "%s: its Go allocations cannot be counted", go->error);
	if (go->module == MODULE_NONE)
		return;
	if (!go->has_moduledata)
		doubt(j, "go_moduledata",
		      "%s: no moduledata found: the text's start is what the pclntab says, and types have no names",
		      name_of(j, go->module));
	else if (!go->types)
		doubt(j, "go_types",
		      "%s: where its types are is not known in a runtime of this layout: types have no names", name_of(j, go->module));
	if (go->layout_is_derived && !go->layout_is_guess)
		doubt(j, "go_layout", "%s: the runtime's layout of Go 1.%d was read off its source, not measured",
		      name_of(j, go->module), go->layout_minor);
	if (go->has_special_doors && go->layout_is_guess)
		doubt(j, "go_sizes",
		      "%s: has allocators for single size classes of a version that is not known: the size from which"
		      " mallocgc is a door of its own is taken from Go 1.%d",
		      name_of(j, go->module), go->layout_minor);
	for (uint32_t i = 0; i < go->nstrangers; i++)
		doubt(j, "go_door", "%s: %s is not known: what is allocated by it alone is not counted",
		      name_of(j, go->module), go->strangers[i]);
}

static void judge_image(const struct judge *j, const struct inspect_door *door)
{
	const char *module = name_of(j, door->module);

	switch (door->image) {
	case IMAGE_AS_FILE:
		break;
	case IMAGE_BREAKPOINT:
		doubt(j, "breakpoint", "%s: another tracer has a breakpoint on %s: both are hit, and cost", module,
		      door->name);
		break;
	case IMAGE_DIFFERS:
		doubt(j, "image", "%s: %s at 0x%llx is not what its file says: not probed", module, door->name,
		      (unsigned long long)door->addr);
		break;
	case IMAGE_WRITABLE:
		doubt(j, "image", "%s: %s at 0x%llx is writable code: not probed", module, door->name,
		      (unsigned long long)door->addr);
		break;
	case IMAGE_GONE:
		doubt(j, "image", "%s: the code of %s is not mapped, or cannot be read: not probed", module,
		      door->name);
		break;
	}
}

static void judge_doors(const struct judge *j)
{
	for (size_t i = 0; i < j->in->ndoors; i++) {
		const struct inspect_door *door = &j->in->doors[i];

		judge_image(j, door);
		if (door->spot != SPOT_STEPPED || !door->is_hot)
			continue;
		if (j->stepped_ns > 0)
			doubt(j, "stepped", "%s: %s has no cheap place for a probe: each hit costs about %.1f us",
			      name_of(j, door->module), door->name, j->stepped_ns / 1000);
		else
			doubt(j, "stepped", "%s: %s has no cheap place for a probe: each hit is single-stepped",
			      name_of(j, door->module), door->name);
	}
}

static bool has_c_doors(const struct inspection *in)
{
	for (size_t i = 0; i < in->ndoors; i++)
		if (!in->doors[i].is_go)
			return true;
	return false;
}

static void judge_modules(const struct judge *j)
{
	for (size_t i = 0; i < j->in->nmodules; i++) {
		const struct inspect_module *mod = &j->in->modules[i];
		const struct module *file = modules__get(j->mods, mod->id);

		if (mod->deleted)
			doubt(j, "deleted",
			      "%s was deleted or replaced: it is read through the process, a debug file is found by its"
			      " build ID only",
			      name_of(j, mod->id));
		if (file && !file->elf)
			doubt(j, "unreadable",
			      "%s is mapped as code but cannot be read as an ELF file: no probes, no names in it",
			      file->path);
	}
}

static void judge_process(const struct judge *j)
{
	const struct inspection *in = j->in;

	if (in->wants_c && in->exe_is_static && in->exe_is_stripped && in->go.module == MODULE_NONE && !has_c_doors(in))
		doubt(j, "no_symbols", "%s is static and has no symbols: no allocator can be found in it by name",
		      in->info.comm);
	else if (in->wants_c && in->exe_is_static && in->go.has_cgo && !has_c_doors(in))
		doubt(j, "no_symbols",
		      "%s is static, with C code in it, and no allocator of C is found by name: what C allocates is not"
		      " counted",
		      in->info.comm);
	if (in->seccomp > 0 && has_c_doors(in))
		doubt(j, "seccomp",
		      "it runs under seccomp: where the kernel returns from a traced function by a system call that filters"
		      " see (6.11 to 6.13), tracing malloc can kill it; --source go,rss does not use that");
	if (in->jit_bytes)
		doubt(j, "generated_code",
		      "%llu KiB of its code are in no file: frames in it have no names, and stacks may end there",
		      (unsigned long long)in->jit_bytes / 1024);
}

void doubts_each(const struct inspection *in, const struct modules *mods, double stepped_ns, doubt_fn *fn, void *ctx)
{
	const struct judge j = { in, mods, stepped_ns, fn, ctx };

	for (size_t i = 0; i < in->nwarnings; i++)
		fn(ctx, "plan", in->warnings[i]);
	judge_go(&j);
	judge_doors(&j);
	judge_process(&j);
	judge_modules(&j);
}

struct tables {
	uint32_t with, without; /* files of C code */
	uint64_t bytes;
};

static struct tables count_tables(const struct inspection *in)
{
	struct tables ret = { 0 };

	for (size_t i = 0; i < in->nmodules; i++) {
		const struct inspect_module *mod = &in->modules[i];

		ret.bytes += mod->unwind_bytes;
		if (mod->unwind_pct >= 0)
			ret.with++;
		else if (mod->id != in->go.module)
			ret.without++;
	}
	return ret;
}

const char *doubts_stacks(const struct inspection *in, char *buf, size_t size)
{
	bool go = in->go.module != MODULE_NONE;
	struct tables tables = count_tables(in);
	const char *whose = go ? "Go's by frame pointers, C's by unwind tables" : "by unwind tables";

	if (!has_c_doors(in))
		snprintf(buf, size, "%s",
			 go ? "by frame pointers, which all Go code has" : "none to be found: no doors");
	else if (!tables.with)
		snprintf(buf, size, "by frame pointers%s: no file has an unwind table", go ? ", which all Go code has" : "");
	else if (!tables.without)
		snprintf(buf, size, "%s of %u file%s, %.1f MiB", whose, tables.with, tables.with == 1 ? "" : "s",
			 (double)tables.bytes / (1 << 20));
	else
		snprintf(buf, size, "%s of %u file%s, %.1f MiB; %u %s none: a stack may end there", whose, tables.with,
			 tables.with == 1 ? "" : "s", (double)tables.bytes / (1 << 20), tables.without,
			 tables.without == 1 ? "has" : "have");
	return buf;
}
