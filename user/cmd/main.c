// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <stdio.h>

#include "base/units.h"
#include "cmd/check.h"
#include "cmd/completion.h"
#include "cmd/live.h"
#include "cmd/manual.h"
#include "cmd/options.h"
#include "cmd/report.h"

static int run(const struct options *opts, struct err *err)
{
	switch (opts->action) {
	case ACTION_CHECK:
		return check_run(opts, err);
	case ACTION_REPORT:
		return report_run(opts, err);
	case ACTION_DIFF:
		return diff_run(opts, err);
	case ACTION_COMPLETION:
		return completion_print(opts->shell, stdout, err);
	case ACTION_MAN:
		return manual_print(stdout, err);
	default:
		return live_run(opts, err);
	}
}

int main(int argc, char **argv)
{
	struct options opts;
	struct err err = { FAIL_NONE, "" };
	char clean[sizeof(err.msg)];
	int code;

	/* Else the first files that we open would be taken for standard output. */
	for (int fd = open("/dev/null", O_RDWR); fd >= 0 && fd <= 2;)
		fd = open("/dev/null", O_RDWR);
	code = options_parse(argc, argv, &opts, &err);
	if (!code) {
		if (opts.help)
			options_print_help(stdout);
		else if (opts.version)
			puts("allocsnoop " ALLOCSNOOP_VERSION);
		else
			code = run(&opts, &err);
		options_free(&opts);
	}
	if (!code)
		return 0;
	name_clean(clean, sizeof(clean), err.msg);
	fprintf(stderr, "allocsnoop: %s\n", clean);
	return err.kind == FAIL_NONE ? FAIL_GENERAL : (int)err.kind;
}
