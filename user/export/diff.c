// SPDX-License-Identifier: GPL-2.0-or-later
#include "export/diff.h"

#include <errno.h>
#include <string.h>

#include "export/formats.h"

static int pprof_diff_write(const struct diff *diff, const struct diff_opts *opts, FILE *out)
{
	struct export_opts export = opts->export;

	export.window = WINDOW_ALL;
	return pprof_write(diff->prof, &export, out);
}

int diff_write(const struct diff *diff, const struct exporter *exporter, const struct diff_opts *opts, FILE *out)
{
	static const struct {
		const char *name;
		int (*write)(const struct diff *diff, const struct diff_opts *opts, FILE *out);
	} formats[] = { { "text", text_diff_write }, { "json", json_diff_write }, { "folded", folded_diff_write },
			{ "pprof", pprof_diff_write },	{ "html", html_diff_write } };

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (strcmp(formats[i].name, exporter->name) == 0)
			return formats[i].write(diff, opts, out);
	return -ENOTSUP;
}
