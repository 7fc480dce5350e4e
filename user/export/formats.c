// SPDX-License-Identifier: GPL-2.0-or-later
#include "export/formats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "base/vec.h"

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
