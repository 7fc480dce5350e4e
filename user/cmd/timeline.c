// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * time (UTC)                  s         RSS        live   allocated     bytes/s     objects/s    cost    lost
 * 2026-11-25T08:15:00Z     10.0    95.1 MiB    12.0 MiB    62.5 MiB   6.3 MiB/s     24,691/s   3.1 %       0
 *
 * A line that ends in "+" has its stacks together with those of the next that does not: --from and --to go to the
 * borders of those. "*" is where the condition of --when held nearby.
 */
#include "cmd/timeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonw.h"
#include "base/units.h"
#include "cmd/output.h"
#include "export/paper.h"

static double per_second(uint64_t n, double seconds)
{
	return seconds > 0 ? (double)n / seconds : 0;
}

static void put_title(struct paper *p)
{
	static const struct {
		const char *name;
		size_t columns;
	} titles[] = { { "s", 8 },	   { "RSS", 12 },	{ "live", 12 }, { "allocated", 12 }, { "bytes/s", 13 },
		       { "objects/s", 13 }, { "cost", 9 }, { "lost", 9 } };

	paper_put(p, STYLE_BOLD, "time (UTC)          ");
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		paper_right(p, STYLE_BOLD, titles[i].columns, titles[i].name);
	paper_newline(p);
}

static void put_line(struct paper *p, const struct reader_line *line)
{
	char time[40];

	paper_put(p, STYLE_PLAIN, recording_time(line->unix_ns, time, sizeof(time)));
	paper_right(p, STYLE_PLAIN, 8, fmt_fixed(UNITS_TMP, line->seconds, 1));
	paper_right(p, STYLE_BOLD, 12, fmt_bytes(UNITS_TMP, line->rss_bytes));
	paper_right(p, STYLE_PLAIN, 12, line->has_live ? fmt_bytes(UNITS_TMP, prof_whole(line->live_bytes)) : "-");
	paper_right(p, STYLE_PLAIN, 12, fmt_bytes(UNITS_TMP, line->alloc_bytes));
	paper_right(p, STYLE_BOLD, 13, fmt_byte_rate(UNITS_TMP, per_second(line->alloc_bytes, line->seconds)));
	paper_right(p, STYLE_PLAIN, 13, fmt_count_rate(UNITS_TMP, per_second(line->alloc_objects, line->seconds)));
	paper_right(p, STYLE_PLAIN, 9, fmt_pct(UNITS_TMP, (double)(line->cost.trap_ns + line->cost.bpf_ns), (double)line->cpu_ns));
	paper_right(p, line->losses ? STYLE_ALERT : STYLE_PLAIN, 9, fmt_count(UNITS_TMP, line->losses));
	paper_put(p, STYLE_DIM, line->is_kept ? " *" : "");
	paper_put(p, STYLE_DIM, line->has_rows ? "" : " +");
	paper_newline(p);
}

static void put_json_line(struct jsonw *w, const struct reader_line *line)
{
	char time[40];

	jsonw_object(w, NULL);
	jsonw_str(w, "end", recording_time(line->unix_ns, time, sizeof(time)));
	jsonw_u64(w, "end_unix_ns", line->unix_ns);
	jsonw_double(w, "seconds", line->seconds, 6);
	jsonw_u64(w, "rss_bytes", line->rss_bytes);
	if (line->has_live)
		jsonw_u64(w, "live_bytes", prof_whole(line->live_bytes));
	else
		jsonw_null(w, "live_bytes");
	jsonw_u64(w, "alloc_objects", line->alloc_objects);
	jsonw_u64(w, "alloc_bytes", line->alloc_bytes);
	jsonw_u64(w, "lost_events", line->losses);
	jsonw_u64(w, "hits", line->cost.hits);
	jsonw_u64(w, "trap_ns", line->cost.trap_ns);
	jsonw_u64(w, "bpf_ns", line->cost.bpf_ns);
	jsonw_u64(w, "target_cpu_ns", line->cpu_ns);
	jsonw_bool(w, "has_stacks", line->has_rows);
	jsonw_bool(w, "kept", line->is_kept);
	jsonw_end_object(w);
}

static void put_lines(FILE *out, const struct options *o, bool is_json, const struct reader_line *lines, size_t n)
{
	struct export_opts opts = output_export_opts(o, WINDOW_ALL);
	struct paper paper;
	struct jsonw w;

	if (!is_json) {
		paper_init(&paper, out, 120, opts.color);
		put_title(&paper);
		for (size_t i = 0; i < n; i++)
			put_line(&paper, &lines[i]);
		return;
	}
	jsonw_init(&w, out);
	jsonw_object(&w, NULL);
	jsonw_u64(&w, "schema", 1);
	jsonw_array(&w, "intervals");
	for (size_t i = 0; i < n; i++)
		put_json_line(&w, &lines[i]);
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	fputc('\n', out);
}

int timeline_write(const struct options *o, const struct recording *rec, struct err *err)
{
	const char *path = o->noutputs ? o->outputs[0] : "-";
	const struct exporter *exporter = output_exporter(o, path);
	bool is_json = strcmp(exporter->name, "json") == 0;
	struct reader_line *lines;
	struct output out;
	size_t n;
	int code;

	if ((!is_json && strcmp(exporter->name, "text") != 0) || o->noutputs > 1)
		return err_set(err, FAIL_USAGE, -EINVAL, "--timeline writes one result, text or json");
	code = reader__timeline(rec->reader, &rec->ids, &lines, &n, err);
	if (code)
		return code;
	code = output__open(&out, exporter, path, false, err);
	if (!code) {
		put_lines(out.file, o, is_json, lines, n);
		code = output__commit(&out, err);
		output__abort(&out);
	}
	free(lines);
	return code;
}
