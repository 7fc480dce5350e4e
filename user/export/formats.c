// SPDX-License-Identifier: GPL-2.0-or-later
#include "export/formats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "base/vec.h"
#include "profile/labels.h"

uint64_t window_start_ns(const struct profile *prof, enum window window)
{
	return window == WINDOW_INTERVAL && prof->mark_unix_ns ? prof->mark_unix_ns : prof->start_unix_ns;
}

const char *process_name(const struct profile *prof, uint32_t pid, char *buf)
{
	const struct prof_target *target = profile__find_target(prof, pid);
	const char *comm = target ? strtab__get(prof->strs, target->comm) : "";

	if (!*comm)
		snprintf(buf, 256, "pid-%u", pid);
	else if (prof->ntargets > 1)
		snprintf(buf, 256, "%.200s-%u", comm, pid);
	else
		snprintf(buf, 256, "%.200s", comm);
	return buf;
}

const char *frame_label(const struct frame_view *view, char *buf)
{
	if (!(view->flags & FRAME_KERNEL))
		return view->func;
	snprintf(buf, FRAME_LABEL_SIZE, "%.500s_[k]", view->func);
	return buf;
}

bool metric_has_source(const struct profile *prof, enum metric metric, enum source source)
{
	if (metric == METRIC_RSS_BYTES)
		return source == SOURCE_RSS;
	return source == SOURCE_GO || source == SOURCE_MALLOC ||
	       (source == SOURCE_MMAP && !prof->has_source[SOURCE_GO] && !prof->has_source[SOURCE_MALLOC]);
}

int64_t metric_value(const struct profile *prof, enum source source, const struct prof_counts *c, enum metric metric)
{
	if (!metric_has_source(prof, metric, source))
		return 0;
	switch (metric) {
	case METRIC_RSS_BYTES:
		return prof_rss_bytes(c);
	case METRIC_LIVE_OBJECTS:
		return (int64_t)prof_whole(c->live_objects);
	case METRIC_LIVE_BYTES:
		return (int64_t)prof_whole(c->live_bytes);
	case METRIC_ALLOC_OBJECTS:
		return (int64_t)c->alloc_objects;
	default:
		return (int64_t)c->alloc_bytes;
	}
}

bool has_metric(const struct profile *prof, enum metric metric)
{
	const bool is_live = metric == METRIC_LIVE_BYTES || metric == METRIC_LIVE_OBJECTS;

	for (int s = 0; s < SOURCE__N; s++)
		if (metric_has_source(prof, metric, s) && (is_live ? prof->live[s].measured : prof->has_source[s]))
			return true;
	return false;
}

struct sample_type sample_type(enum metric metric)
{
	static const struct sample_type types[METRIC__N] = {
		[METRIC_ALLOC_BYTES] = { "alloc_space", "bytes" },    [METRIC_ALLOC_OBJECTS] = { "alloc_objects", "count" },
		[METRIC_LIVE_BYTES] = { "inuse_space", "bytes" },     [METRIC_LIVE_OBJECTS] = { "inuse_objects", "count" },
		[METRIC_RSS_BYTES] = { "rss_space", "bytes" },
	};

	return types[metric];
}

bool has_sample_type(const struct profile *prof, enum metric metric)
{
	const bool *has = prof->has_source;

	switch (metric) {
	case METRIC_RSS_BYTES:
		return has[SOURCE_RSS];
	case METRIC_LIVE_OBJECTS:
	case METRIC_LIVE_BYTES:
		return prof->live[SOURCE_GO].measured || prof->live[SOURCE_MALLOC].measured || prof->live[SOURCE_MMAP].measured;
	default:
		return has[SOURCE_GO] || has[SOURCE_MALLOC] || has[SOURCE_MMAP] || !has[SOURCE_RSS];
	}
}

int64_t sample_value(const struct prof_counts *counts, enum metric metric)
{
	switch (metric) {
	case METRIC_RSS_BYTES:
		return prof_rss_bytes(counts);
	case METRIC_LIVE_OBJECTS:
		return prof_signed(counts->live_objects);
	case METRIC_LIVE_BYTES:
		return prof_signed(counts->live_bytes);
	case METRIC_ALLOC_OBJECTS:
		return (int64_t)counts->alloc_objects;
	default:
		return (int64_t)counts->alloc_bytes;
	}
}

bool sample_counts(const struct prof_row *row, enum window window, struct prof_counts *ret)
{
	*ret = prof_row_counts(row, window);
	return !prof_counts_are_zero(ret) && (row->source != SOURCE_RSS || prof_rss_bytes(ret));
}

void sample_labels(const struct profile *prof, const struct prof_row *row,
		   void (*put)(void *ctx, bool ours, const char *key, const char *value), void *ctx)
{
	const char *set = strtab__get(prof->strs, prof->contexts[row->context].labels);
	struct label label;
	char name[512];

	put(ctx, true, "source", source_name(row->source));
	put(ctx, true, "type", strtab__get(prof->strs, row->type));
	put(ctx, true, "goroutine", prof_goroutine_name(prof, row->context, name, sizeof(name)));
	while (labels_next(&set, &label))
		put(ctx, false, label.key, label.value);
	if (prof->ntargets > 1) {
		snprintf(name, sizeof(name), "%u", row->pid);
		put(ctx, true, "pid", name);
	}
}

int names_init(struct names *names)
{
	*names = (struct names){ 0 };
	return strtab__new(&names->strs);
}

void names_free(struct names *names)
{
	strtab__free(names->strs);
	free(names->buf);
	*names = (struct names){ 0 };
}

uint32_t names_add(struct names *names, const char *name, char from, char to)
{
	size_t len;
	uint32_t id;

	if (!*name || names->err)
		return 0;
	names->err = vec_reserve((void **)&names->buf, &names->cap, strlen(name) + 1, 1);
	if (names->err)
		return 0;
	len = name_clean(names->buf, names->cap, name);
	for (char *p = names->buf; from && *p; p++) {
		if (*p == from)
			*p = to;
	}
	id = strtab__add(names->strs, names->buf, len);
	if (!id)
		names->err = -ENOMEM;
	return id;
}
