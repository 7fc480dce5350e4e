// SPDX-License-Identifier: GPL-2.0-or-later
/* The preflight as one JSON document; what was not found out is null. */
#include <string.h>

#include "base/jsonw.h"
#include "capture/doubts.h"
#include "cmd/check.h"
#include "sym/sym_survey.h"

static void write_message(struct jsonw *w, const char *key, const struct err *err)
{
	jsonw_str(w, key, err->kind == FAIL_NONE ? NULL : err->msg);
}

static void write_row(struct jsonw *w, const struct kfeat_row *row)
{
	jsonw_object(w, NULL);
	jsonw_str(w, "name", row->name);
	if (row->state == KFEAT_UNKNOWN)
		jsonw_null(w, "available");
	else
		jsonw_bool(w, "available", row->state == KFEAT_YES);
	jsonw_bool(w, "needed", row->needed);
	jsonw_str(w, "text", row->text);
	jsonw_str(w, "without", row->without);
	jsonw_end_object(w);
}

static void write_host(struct jsonw *w, const struct check_host *host)
{
	jsonw_object(w, "kernel");
	jsonw_str(w, "release", host->release);
	jsonw_str(w, "machine", host->machine);
	jsonw_bool(w, "can_run", host->err.kind == FAIL_NONE);
	write_message(w, "error", &host->err);
	jsonw_array(w, "features");
	for (size_t i = 0; i < host->nrows; i++)
		write_row(w, &host->rows[i]);
	jsonw_end_array(w);
	if (host->has_calib) {
		jsonw_object(w, "trap_ns");
		jsonw_double(w, "emulated", host->calib.emulated_ns, 0);
		jsonw_double(w, "single_stepped", host->calib.stepped_ns, 0);
		jsonw_double(w, "return", host->calib.return_ns, 0);
		jsonw_end_object(w);
	} else {
		jsonw_null(w, "trap_ns");
	}
	jsonw_end_object(w);
}

static void write_file(struct jsonw *w, const struct inspection *in)
{
	jsonw_object(w, "file");
	jsonw_str(w, "type", in->exe_is_pie ? "PIE" : "EXEC");
	jsonw_bool(w, "static", in->exe_is_static);
	jsonw_bool(w, "stripped", in->exe_is_stripped);
	jsonw_bool(w, "deleted", in->exe_deleted);
	jsonw_u64(w, "bytes", in->exe_bytes);
	jsonw_end_object(w);
}

static void write_layout(struct jsonw *w, const struct inspect_go *go)
{
	if (!go->has_layout) {
		jsonw_null(w, "layout");
		return;
	}
	jsonw_object(w, "layout");
	jsonw_u64(w, "minor", (uint64_t)go->layout_minor);
	jsonw_str(w, "experiment", go->experiment);
	jsonw_str(w, "origin", go->layout_is_guess ? "guess" : go->layout_is_derived ? "derived" : "measured");
	jsonw_end_object(w);
}

static void write_go(struct jsonw *w, const struct inspect_go *go)
{
	if (go->module == MODULE_NONE) {
		jsonw_null(w, "go");
		return;
	}
	jsonw_object(w, "go");
	jsonw_str(w, "version", go->version[0] ? go->version : NULL);
	write_layout(w, go);
	jsonw_str(w, "pclntab_section", go->pclntab_section[0] ? go->pclntab_section : NULL);
	jsonw_u64(w, "functions", go->nfuncs);
	jsonw_u64(w, "read_ns", go->open_ns);
	jsonw_bool(w, "moduledata", go->has_moduledata);
	jsonw_bool(w, "types", go->types);
	jsonw_bool(w, "cgo", go->has_cgo);
	if (go->has_profile_rate)
		jsonw_u64(w, "mem_profile_rate", go->profile_rate);
	else
		jsonw_null(w, "mem_profile_rate");
	jsonw_end_object(w);
}

static void write_door(struct jsonw *w, const struct check *check, const struct inspect_door *door)
{
	static const char *const spots[] = {
		[SPOT_BRANCH] = "branch",
		[SPOT_PUSH] = "push",
		[SPOT_STEPPED] = "entry",
	};
	const struct module *mod = modules__get(check->mods, door->module);

	jsonw_object(w, NULL);
	jsonw_str(w, "name", door->name);
	jsonw_str(w, "module", mod->name);
	jsonw_u64(w, "address", door->addr);
	jsonw_str(w, "instruction", spots[door->spot]);
	jsonw_bool(w, "single_stepped", door->spot == SPOT_STEPPED);
	jsonw_str(w, "source", check_door_source(check, door));
	jsonw_bool(w, "as_file", door->image == IMAGE_AS_FILE);
	jsonw_end_object(w);
}

static void write_module(struct jsonw *w, const struct check *check, const struct inspection *in,
			 const struct inspect_module *m)
{
	const struct module *mod = modules__get(check->mods, m->id);
	const struct sym_survey has = sym_survey(mod, "");
	const struct {
		const char *name;
		bool have;
	} names[] = {
		{ "pclntab", m->id == in->go.module }, { "dwarf", has.dwarf },	 { "debug_file", has.debug_file },
		{ "symtab", has.symtab },	       { "dynsym", has.dynsym },
	};

	jsonw_object(w, NULL);
	jsonw_str(w, "name", mod->name);
	jsonw_str(w, "path", mod->path);
	jsonw_array(w, "symbols");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].have)
			jsonw_str(w, NULL, names[i].name);
	jsonw_end_array(w);
	if (m->fp_pct >= 0)
		jsonw_u64(w, "frame_pointer_pct", (uint64_t)m->fp_pct);
	else
		jsonw_null(w, "frame_pointer_pct");
	if (m->unwind_pct >= 0)
		jsonw_u64(w, "unwind_table_pct", (uint64_t)m->unwind_pct);
	else
		jsonw_null(w, "unwind_table_pct");
	jsonw_u64(w, "unwind_table_bytes", m->unwind_bytes);
	jsonw_bool(w, "deleted", m->deleted);
	jsonw_end_object(w);
}

static void write_trial(struct jsonw *w, const struct trial *trial)
{
	if (!trial->seconds) {
		jsonw_null(w, "cost");
		return;
	}
	jsonw_object(w, "cost");
	jsonw_double(w, "duration_s", trial->seconds, 3);
	jsonw_u64(w, "hits", trial->hits);
	jsonw_u64(w, "cost_ns", trial->cost_ns);
	jsonw_u64(w, "cpu_ns", trial->cpu_ns);
	if (trial->cpu_ns)
		jsonw_double(w, "pct", 100.0 * (double)trial->cost_ns / (double)trial->cpu_ns, 1);
	else
		jsonw_null(w, "pct");
	jsonw_end_object(w);
}

static void write_doubt(void *ctx, const char *kind, const char *text)
{
	jsonw_object(ctx, NULL);
	jsonw_str(ctx, "kind", kind);
	jsonw_str(ctx, "text", text);
	jsonw_end_object(ctx);
}

static void write_inspection(struct jsonw *w, const struct check *check, const struct check_target *t)
{
	const struct inspection *in = t->in;
	char stacks[256];

	jsonw_str(w, "comm", in->info.comm);
	jsonw_str(w, "exe", in->info.exe);
	jsonw_str(w, "runtime", in->go.module == MODULE_NONE ? "native" : in->go.version[0] ? in->go.version : "go");
	write_file(w, in);
	write_go(w, &in->go);
	jsonw_array(w, "doors");
	for (size_t i = 0; i < in->ndoors; i++)
		write_door(w, check, &in->doors[i]);
	jsonw_end_array(w);
	jsonw_str(w, "stacks", doubts_stacks(in, stacks, sizeof(stacks)));
	jsonw_array(w, "modules");
	for (size_t i = 0; i < in->nmodules; i++)
		write_module(w, check, in, &in->modules[i]);
	jsonw_end_array(w);
	write_trial(w, &t->trial);
	jsonw_array(w, "unsure");
	doubts_each(in, check->mods, check->host.has_calib ? check->host.calib.stepped_ns : 0, write_doubt, w);
	jsonw_end_array(w);
}

static void write_target(struct jsonw *w, const struct check *check, const struct check_target *t)
{
	jsonw_object(w, NULL);
	jsonw_i64(w, "pid", t->pid);
	write_message(w, "error", t->err.kind != FAIL_NONE ? &t->err : &t->trial_err);
	if (t->in)
		write_inspection(w, check, t);
	jsonw_end_object(w);
}

void check_write_json(const struct check *check, FILE *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w, NULL);
	jsonw_u64(&w, "schema", 1);
	jsonw_str(&w, "tool", "allocsnoop " ALLOCSNOOP_VERSION);
	write_host(&w, &check->host);
	jsonw_array(&w, "targets");
	for (size_t i = 0; i < check->opts->npids; i++)
		write_target(&w, check, &check->targets[i]);
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	fputc('\n', out);
}
