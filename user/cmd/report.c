// SPDX-License-Identifier: GPL-2.0-or-later
/* The reports of the live command, from a recording: what differs is only where the profile comes from. */
#include "cmd/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/output.h"
#include "cmd/recording.h"
#include "cmd/timeline.h"

/* The order that the live command would have: by what is live, where that was looked at. */
static enum sort_key default_sort(const struct profile *prof)
{
	return prof->live[SOURCE_GO].measured || prof->live[SOURCE_MALLOC].measured ? SORT_LIVE : SORT_BYTES;
}

/* What was not recorded is not there to be shown. */
static int check_measured(const struct options *o, const struct profile *prof, struct err *err)
{
	bool live = prof->live[SOURCE_GO].measured || prof->live[SOURCE_MALLOC].measured || prof->live[SOURCE_MMAP].measured;

	if (!live && (o->metric == METRIC_LIVE_BYTES || o->metric == METRIC_LIVE_OBJECTS || o->sort == SORT_LIVE ||
		      o->sort == SORT_GROWTH))
		return err_set(err, FAIL_USAGE, -EINVAL, "what is live was not recorded: record with --live");
	if (o->metric == METRIC_RSS_BYTES && !prof->has_source[SOURCE_RSS])
		return err_set(err, FAIL_USAGE, -EINVAL, "RSS was not recorded");
	if (o->sort == SORT_PEAK && !prof->peak.measured && !prof->rss_peak.measured)
		return err_set(err, FAIL_USAGE, -EINVAL, "the peak was not recorded (--peak), or the window ends before the recording does");
	return 0;
}

static int write_one(const struct options *o, const struct recording *rec, const struct profile *prof, const char *path,
		     struct err *err)
{
	struct export_opts opts = output_export_opts(o, rec->window);
	struct output out = { 0 };
	int code;

	if (!o->sort_given)
		opts.sort = default_sort(prof);
	code = output__open(&out, output_exporter(o, path), path, false, err);
	if (!code)
		code = output__write(&out, prof, &opts, err);
	if (!code)
		code = output__commit(&out, err);
	output__abort(&out);
	return code == -EPIPE ? 0 : code;
}

static int write_profile(const struct options *o, const struct recording *rec, struct err *err)
{
	struct profile *prof;
	int code = reader__load(rec->reader, &rec->ids, &prof, NULL, err);

	if (code)
		return code;
	code = check_measured(o, prof, err);
	if (!code && !o->noutputs)
		code = write_one(o, rec, prof, "-", err);
	for (size_t i = 0; i < o->noutputs && !code; i++)
		code = write_one(o, rec, prof, o->outputs[i], err);
	profile__free(prof);
	return code;
}

int report_run(const struct options *o, struct err *err)
{
	struct recording rec;
	int code = recording__open(&rec, o->files[0], &o->window, err);

	if (!code && !o->quiet)
		recording__describe(&rec, o->files[0]);
	if (!code)
		code = o->timeline ? timeline_write(o, &rec, err) : write_profile(o, &rec, err);
	recording__close(&rec);
	return code;
}
