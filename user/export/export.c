// SPDX-License-Identifier: GPL-2.0-or-later
#include "export/export.h"

#include <string.h>

#include "export/formats.h"

static const struct exporter exporters[] = {
	{ "text", ".txt", true, NULL, text_write },
	{ "folded", ".folded", false, NULL, folded_write },
	{ "pprof", ".pb.gz .pprof", false, NULL, pprof_write },
	{ "json", ".json", true, NULL, json_write },
	{ "html", ".html", false, html_why_not, html_write },
	{ "speedscope", ".speedscope.json", false, NULL, speedscope_write },
	{ "perfetto", ".perfetto.json", false, NULL, perfetto_write },
	{ "prometheus", ".prom", false, NULL, prometheus_write },
	{ "otlp", ".otlp", false, NULL, otlp_write },
};

#define N_EXPORTERS (sizeof(exporters) / sizeof(exporters[0]))

const char *exporter_names(void)
{
	return "text, folded, pprof, json, html, speedscope, perfetto, prometheus, otlp"; /* a test holds it against the table */
}

const char *exporter_name(size_t i)
{
	return i < N_EXPORTERS ? exporters[i].name : NULL;
}

const struct exporter *exporter_by_name(const char *name)
{
	for (size_t i = 0; i < N_EXPORTERS; i++) {
		if (strcmp(exporters[i].name, name) == 0)
			return &exporters[i];
	}
	return NULL;
}

/* Does @path, longer than that, end in the @len bytes at @suffix? */
static bool ends_in(const char *path, const char *suffix, size_t len)
{
	size_t path_len = strlen(path);

	return path_len > len && memcmp(path + path_len - len, suffix, len) == 0;
}

/* Length of the longest of the space-separated @suffixes that @path has, 0 if none. */
static size_t match_suffix(const char *path, const char *suffixes)
{
	size_t best = 0, len;

	for (; *suffixes; suffixes += len + (suffixes[len] == ' ')) {
		len = strcspn(suffixes, " ");
		if (len > best && ends_in(path, suffixes, len))
			best = len;
	}
	return best;
}

const struct exporter *exporter_by_path(const char *path)
{
	const struct exporter *found = NULL;
	size_t best = 0, len;

	for (size_t i = 0; i < N_EXPORTERS; i++) {
		len = match_suffix(path, exporters[i].suffixes);
		if (len > best) {
			best = len;
			found = &exporters[i];
		}
	}
	return found;
}
