// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The preflight as text:
 *
 * Linux 6.18.44 x86_64  allocsnoop 0.1.0 can run here
 *   yes  uprobe_multi    all probes of a file in one link, filtered by process
 *   NO   rss_stat        no RSS growth by stack, RSS from /proc only
 *   a trap costs 0.8 us, where it is single-stepped 14 us; a return 0.9 us more
 *
 * orders (pid 1234, go1.19.8)  /usr/bin/orders
 *   file     PIE, static, stripped, 6.1 MiB
 *   ...
 *   unsure:
 *     - ...
 */
#include <stdint.h>
#include <string.h>

#include "base/units.h"
#include "capture/doubts.h"
#include "cmd/check.h"
#include "export/paper.h"
#include "sym/sym_survey.h"

#define TITLE_COLUMN 2
#define TEXT_COLUMN 12
#define REPORT_COLUMNS 120 /* a door on one line */
#define MAX_MODULES_SHOWN 12
#define MAX_DOORS_SHOWN 16

static void put_title(struct paper *p, const char *title)
{
	paper_indent(p, TITLE_COLUMN);
	paper_put(p, STYLE_BOLD, title);
	paper_indent(p, TEXT_COLUMN - 2);
}

/* A sentence: cleaned, whole, the terminal wraps it. */
static void put_sentence(struct paper *p, enum style style, const char *untrusted)
{
	char clean[2048];

	name_clean(clean, sizeof(clean), untrusted);
	paper_put(p, style, clean);
	paper_newline(p);
}

static void put_row(struct paper *p, const struct kfeat_row *row)
{
	static const char *const words[] = { [KFEAT_NO] = "NO", [KFEAT_YES] = "yes", [KFEAT_UNKNOWN] = "?" };
	bool have = row->state == KFEAT_YES;

	paper_indent(p, TITLE_COLUMN);
	paper_put(p, have ? STYLE_PLAIN : STYLE_ALERT, words[row->state]);
	paper_indent(p, 7);
	paper_put(p, STYLE_BOLD, row->name);
	paper_indent(p, 27);
	put_sentence(p, STYLE_PLAIN, have ? row->text : row->without);
}

static void put_host(struct paper *p, const struct check_host *host)
{
	bool runs = host->err.kind == FAIL_NONE;
	char text[160];

	paper_item(p, STYLE_BOLD, "Linux %s %s", host->release, host->machine);
	paper_item(p, runs ? STYLE_PLAIN : STYLE_ALERT, "allocsnoop " ALLOCSNOOP_VERSION " %s",
		   runs ? "can run here" : "cannot run here");
	paper_newline(p);
	for (size_t i = 0; i < host->nrows; i++)
		put_row(p, &host->rows[i]);
	if (!host->has_calib)
		return;
	paper_indent(p, TITLE_COLUMN);
	snprintf(text, sizeof(text), "a trap costs %s us here, where it is single-stepped %s us; a return %s us more",
		 fmt_fixed(UNITS_TMP, host->calib.emulated_ns / 1e3, 2),
		 fmt_fixed(UNITS_TMP, host->calib.stepped_ns / 1e3, 1),
		 fmt_fixed(UNITS_TMP, host->calib.return_ns / 1e3, 2));
	put_sentence(p, STYLE_PLAIN, text);
}

static void put_file(struct paper *p, const struct inspection *in)
{
	put_title(p, "file");
	paper_item(p, STYLE_PLAIN, "%s, %s, %s, %s%s", in->exe_is_pie ? "PIE" : "EXEC",
		   in->exe_is_static ? "static" : "dynamic", in->exe_is_stripped ? "stripped" : "with symbols",
		   fmt_bytes(UNITS_TMP, in->exe_bytes), in->exe_deleted ? ", deleted" : "");
	paper_newline(p);
}

static const char *layout_origin(const struct inspect_go *go)
{
	if (go->layout_is_guess)
		return "guessed: this version is not known";
	return go->layout_is_derived ? "derived from its source" : "measured";
}

static void put_go(struct paper *p, const struct inspect_go *go)
{
	if (go->module == MODULE_NONE)
		return;
	put_title(p, "Go");
	paper_item(p, STYLE_PLAIN, "%s", go->version[0] ? go->version : "version not told, guessed from its tables");
	if (go->has_layout)
		paper_item(p, STYLE_PLAIN, "layout of 1.%d%s%s %s", go->layout_minor, go->experiment[0] ? " X:" : "",
			   go->experiment, layout_origin(go));
	else
		paper_item(p, STYLE_ALERT, "no layout: older than Go 1.15");
	paper_item(p, STYLE_PLAIN, "%s", go->has_cgo ? "with cgo" : "no cgo");
	paper_newline(p);
	put_title(p, "tables");
	paper_item(p, STYLE_PLAIN, "pclntab %s%s, %s functions, read in %s",
		   go->pclntab_section[0] ? "in " : "by its magic", go->pclntab_section,
		   fmt_grouped(UNITS_TMP, go->nfuncs), fmt_duration(UNITS_TMP, (double)go->open_ns / 1e9));
	paper_item(p, STYLE_PLAIN, "%s", go->has_moduledata ? "moduledata found" : "no moduledata");
	paper_item(p, STYLE_PLAIN, "%s", go->types ? "types known" : "types not known");
	if (!go->has_profile_rate)
		paper_item(p, STYLE_PLAIN, "memory profile: not found");
	else if (go->profile_rate)
		paper_item(p, STYLE_PLAIN, "memory profile: one sample in %s", fmt_bytes(UNITS_TMP, go->profile_rate));
	else
		paper_item(p, STYLE_PLAIN, "memory profile: off");
	paper_newline(p);
}

static void put_door(struct paper *p, const struct check *check, const struct inspect_door *door)
{
	static const char *const spots[] = {
		[SPOT_BRANCH] = "emulated jump after the stack check",
		[SPOT_PUSH] = "emulated push",
		[SPOT_STEPPED] = "single-stepped first instruction",
	};
	const struct module *mod = modules__get(check->mods, door->module);

	paper_item(p, STYLE_BOLD, "%s", door->name);
	paper_item(p, STYLE_PLAIN, "0x%llx", (unsigned long long)door->addr);
	paper_item(p, door->spot == SPOT_STEPPED && door->is_hot ? STYLE_ALERT : STYLE_PLAIN, "%s", spots[door->spot]);
	if (door->is_go)
		paper_item(p, STYLE_DIM, "%s", check_door_source(check, door));
	else
		paper_item(p, STYLE_DIM, "%s of %s", check_door_source(check, door), mod->name);
	paper_newline(p);
}

static void put_rest(struct paper *p, size_t n, const char *what)
{
	if (!n)
		return;
	put_title(p, "");
	paper_item(p, STYLE_DIM, "and %zu more %s (-v)", n, what);
	paper_newline(p);
}

/* Those first that are used all the time. */
static void put_doors(struct paper *p, const struct check *check, const struct inspection *in)
{
	size_t shown = 0, max = check->opts->verbose ? SIZE_MAX : MAX_DOORS_SHOWN;

	for (int hot = 1; hot >= 0; hot--) {
		for (size_t i = 0; i < in->ndoors; i++) {
			if (in->doors[i].is_hot != hot || shown == max)
				continue;
			put_title(p, shown++ ? "" : "doors");
			put_door(p, check, &in->doors[i]);
		}
	}
	put_rest(p, in->ndoors - shown, "doors");
}

static void put_module(struct paper *p, const struct check *check, const struct inspection *in, size_t index)
{
	const struct inspect_module *m = &in->modules[index];
	const struct module *mod = modules__get(check->mods, m->id);
	const struct sym_survey has = sym_survey(mod, "");
	bool is_go = m->id == in->go.module;

	put_title(p, index ? "" : "names");
	paper_item(p, STYLE_BOLD, "%s", mod->name);
	if (is_go)
		paper_item(p, STYLE_PLAIN, "pclntab");
	if (has.dwarf || has.debug_file)
		paper_item(p, STYLE_PLAIN, "%s", has.dwarf ? "DWARF" : "debug file");
	if (has.symtab)
		paper_item(p, STYLE_PLAIN, "symbols");
	else if (!has.debug_file && !is_go)
		paper_item(p, STYLE_ALERT, "%s", has.dynsym ? "dynamic symbols only" : "none");
	if (m->unwind_pct >= 0)
		paper_item(p, STYLE_DIM, "unwind table for %d %% of its %scode", m->unwind_pct, is_go ? "C " : "");
	else if (m->fp_pct >= 0)
		paper_item(p, STYLE_DIM, "frame pointers in %d %% of its %sfunctions", m->fp_pct, is_go ? "C " : "");
	paper_newline(p);
}

static void put_modules(struct paper *p, const struct check *check, const struct inspection *in)
{
	size_t shown = in->nmodules;

	if (shown > MAX_MODULES_SHOWN && !check->opts->verbose)
		shown = MAX_MODULES_SHOWN;
	for (size_t i = 0; i < shown; i++)
		put_module(p, check, in, i);
	put_rest(p, in->nmodules - shown, "files");
}

static void put_trial(struct paper *p, const struct check_target *t)
{
	const struct trial *trial = &t->trial;

	if (!trial->seconds)
		return;
	put_title(p, "cost");
	if (trial->cpu_ns)
		paper_item(p, STYLE_BOLD, "predicted cost: %s of its CPU (%s hits/s)",
			   fmt_pct(UNITS_TMP, (double)trial->cost_ns, (double)trial->cpu_ns),
			   fmt_count(UNITS_TMP, (uint64_t)((double)trial->hits / trial->seconds)));
	else
		paper_item(p, STYLE_BOLD, "predicted cost: it used no CPU while it was watched (%s hits)",
			   fmt_count(UNITS_TMP, trial->hits));
	paper_item(p, STYLE_PLAIN, "measured for %s", fmt_duration(UNITS_TMP, trial->seconds));
	paper_newline(p);
}

struct doubt_list {
	struct paper *p;
	size_t n;
};

static void put_doubt(void *ctx, const char *kind, const char *text)
{
	struct doubt_list *list = ctx;

	(void)kind;
	if (!list->n++) {
		paper_indent(list->p, TITLE_COLUMN);
		paper_put(list->p, STYLE_ALERT, "unsure:");
		paper_newline(list->p);
	}
	paper_indent(list->p, TITLE_COLUMN + 2);
	paper_put(list->p, STYLE_PLAIN, "- ");
	put_sentence(list->p, STYLE_PLAIN, text);
}

static void put_inspection(struct paper *p, const struct check *check, const struct check_target *t)
{
	const struct inspection *in = t->in;
	struct doubt_list list = { p, 0 };
	char stacks[256];

	put_file(p, in);
	put_go(p, &in->go);
	put_doors(p, check, in);
	put_title(p, "stacks");
	paper_indent(p, TEXT_COLUMN);
	put_sentence(p, STYLE_PLAIN, doubts_stacks(in, stacks, sizeof(stacks)));
	put_modules(p, check, in);
	put_trial(p, t);
	doubts_each(in, check->mods, check->host.has_calib ? check->host.calib.stepped_ns : 0, put_doubt, &list);
}

static void put_target(struct paper *p, const struct check *check, const struct check_target *t)
{
	paper_newline(p);
	if (!t->in) {
		paper_item(p, STYLE_BOLD, "pid %d", t->pid);
		paper_newline(p);
	} else {
		paper_item(p, STYLE_BOLD, "%s (pid %d, %s)", t->in->info.comm, t->pid,
			   t->in->go.module == MODULE_NONE ? "native" :
			   t->in->go.version[0]		   ? t->in->go.version :
							     "go");
		paper_item(p, STYLE_PLAIN, "%s", t->in->info.exe);
		paper_newline(p);
		put_inspection(p, check, t);
	}
	if (t->err.kind != FAIL_NONE || t->trial_err.kind != FAIL_NONE) {
		put_title(p, "cannot");
		paper_indent(p, TEXT_COLUMN);
		put_sentence(p, STYLE_ALERT, t->err.kind != FAIL_NONE ? t->err.msg : t->trial_err.msg);
	}
}

void check_write_text(const struct check *check, FILE *out, bool color)
{
	struct paper paper;

	paper_init(&paper, out, REPORT_COLUMNS, color);
	put_host(&paper, &check->host);
	for (size_t i = 0; i < check->opts->npids; i++)
		put_target(&paper, check, &check->targets[i]);
}
