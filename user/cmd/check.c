// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static void look_at_host(struct check_host *host)
{
	struct kfeat feat;
	struct utsname uts;

	if (!uname(&uts)) {
		snprintf(host->release, sizeof(host->release), "%s", uts.release);
		snprintf(host->machine, sizeof(host->machine), "%s", uts.machine);
	}
	host->nrows = kfeat_rows(host->rows);
	if (!kfeat_probe(&feat, &host->err) && !calib_run(feat.uprobe_multi, &host->calib, &host->err))
		host->has_calib = true;
}

static void look_at_target(const struct check *check, struct check_target *target)
{
	const struct options *o = check->opts;
	const struct inspect_opts opts = { o->want_go, o->want_malloc, o->live };

	if (inspect__new(target->pid, &opts, check->mods, check->gomods, &target->in, &target->err))
		return;
	if (!target->in->ndoors && (o->want_go || o->want_malloc)) {
		err_set(&target->err, FAIL_TARGET, -ENOENT, "nothing to probe in PID %d (%s)", target->pid,
			target->in->info.comm);
		return;
	}
	if (o->duration_s > 0 && check->host.err.kind == FAIL_NONE &&
	    trial_run(o, target->pid, check->mods, check->gomods, &target->trial, &target->trial_err))
		target->trial = (struct trial){ 0 };
}

static int open_check(struct check *check, struct err *err)
{
	int code = modules__new(NULL, &check->mods);

	if (!code)
		code = gomods__new(check->mods, &check->gomods);
	check->targets = calloc(check->opts->npids + 1, sizeof(*check->targets));
	if (!code && !check->targets)
		code = -ENOMEM;
	return code ? err_set(err, FAIL_GENERAL, code, "%s", strerror(-code)) : 0;
}

const char *check_door_source(const struct check *check, const struct inspect_door *door)
{
	if (door->is_go)
		return "pclntab";
	return elf_file__has_section(modules__get(check->mods, door->module)->elf, ".symtab") ? "symtab" : "dynsym";
}

static int write_result(const struct check *check, struct err *err)
{
	const struct options *o = check->opts;

	if (o->format && strcmp(o->format->name, "json") == 0)
		check_write_json(check, stdout);
	else
		check_write_text(check, stdout, options_color(o));
	if (fflush(stdout) || ferror(stdout))
		return err_set(err, FAIL_GENERAL, -EIO, "cannot write the result: %s", strerror(errno));
	return 0;
}

/* What the exit code tells: the kernel first, then the first process that cannot be traced. */
static int judge(const struct check *check, struct err *err)
{
	const struct err *worst = &check->host.err;

	for (size_t i = 0; worst->kind == FAIL_NONE && i < check->opts->npids; i++) {
		worst = &check->targets[i].err;
		if (worst->kind == FAIL_NONE)
			worst = &check->targets[i].trial_err;
	}
	if (worst->kind == FAIL_NONE)
		return 0;
	*err = *worst;
	return -EINVAL;
}

static void check_free(struct check *check)
{
	for (size_t i = 0; check->targets && i < check->opts->npids; i++)
		inspect__free(check->targets[i].in);
	free(check->targets);
	gomods__free(check->gomods);
	modules__free(check->mods);
}

int check_run(const struct options *opts, struct err *err)
{
	struct check check = { .opts = opts };
	int code = open_check(&check, err);

	if (!code) {
		look_at_host(&check.host);
		for (size_t i = 0; i < opts->npids; i++) {
			check.targets[i].pid = opts->pids[i];
			look_at_target(&check, &check.targets[i]);
		}
		code = write_result(&check, err);
	}
	if (!code)
		code = judge(&check, err);
	check_free(&check);
	return code;
}
