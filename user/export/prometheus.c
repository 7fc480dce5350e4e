// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Prometheus' text format 0.0.4, for a scrape (cmd/listen.h) or node_exporter's textfile collector. Source: "Exposition
 * formats" of the Prometheus documentation, and what `promtool check metrics` says of names.
 *
 *	# HELP allocsnoop_alloc_bytes_total Bytes allocated since the attach.
 *	# TYPE allocsnoop_alloc_bytes_total counter
 *	allocsnoop_alloc_bytes_total{source="go"} 150000080
 *
 * - Everything is since the attach, whatever the window: a server makes the intervals. What was not measured is
 *   absent, never 0.
 * - The number of series is bounded: sites are the opts->top that allocated most (at most MAX_SITES) of each source, by the
 *   innermost frame that is not plumbing. Their counters only grow; one that falls out of the top is absent for a
 *   while. What is at no site shown is the total less their sum.
 * - Label values are UTF-8 without control characters; quotes and backslashes are escaped.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/units.h"
#include "export/formats.h"
#include "export/go_memory.h"
#include "export/group.h"
#include "export/rss_areas.h"

#define MAX_SITES 100

/* The head of a metric; its samples follow. */
static void put_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP allocsnoop_%s %s\n# TYPE allocsnoop_%s %s\n", name, help, name, type);
}

/* NAME="VALUE" of a set of labels that is open. */
static void put_label(FILE *out, const char *name, const char *value, bool is_first)
{
	char clean[512];

	name_clean(clean, sizeof(clean), value);
	fprintf(out, "%s%s=\"", is_first ? "" : ",", name);
	for (const char *p = clean; *p; p++) {
		if (*p == '"' || *p == '\\')
			putc('\\', out);
		putc(*p, out);
	}
	putc('"', out);
}

static void put_name(FILE *out, const char *name, const char *label, const char *value)
{
	fprintf(out, "allocsnoop_%s", name);
	if (!label)
		return;
	putc('{', out);
	put_label(out, label, value, true);
	putc('}', out);
}

static void put_u64(FILE *out, const char *name, const char *label, const char *value, uint64_t number)
{
	put_name(out, name, label, value);
	fprintf(out, " %" PRIu64 "\n", number);
}

static void put_i64(FILE *out, const char *name, const char *label, const char *value, int64_t number)
{
	put_name(out, name, label, value);
	fprintf(out, " %" PRId64 "\n", number);
}

static void put_seconds(FILE *out, const char *name, uint64_t ns)
{
	put_name(out, name, NULL, NULL);
	fprintf(out, " %" PRIu64 ".%09" PRIu64 "\n", ns / 1000000000, ns % 1000000000);
}

/* ---- the targets ---- */

static void put_targets(const struct profile *prof, const struct export_opts *opts, FILE *out)
{
	char pid[16];

	put_head(out, "build_info", "gauge", "Always 1; the labels say which program this is.");
	put_u64(out, "build_info", "version", opts->tool, 1);
	put_head(out, "target_info", "gauge", "1 while the process runs, 0 behind its end.");
	for (uint32_t i = 0; i < prof->ntargets; i++) {
		const struct prof_target *t = &prof->targets[i];

		snprintf(pid, sizeof(pid), "%u", t->pid);
		fputs("allocsnoop_target_info{", out);
		put_label(out, "pid", pid, true);
		put_label(out, "comm", strtab__get(prof->strs, t->comm), false);
		put_label(out, "runtime", strtab__get(prof->strs, t->runtime), false);
		fprintf(out, "} %d\n", t->exit_code == PROF_RUNNING);
	}
	put_head(out, "capture_seconds_total", "counter", "How long it has been captured.");
	put_seconds(out, "capture_seconds_total", prof->now_unix_ns - prof->start_unix_ns);
}

/* ---- allocations ---- */

enum total { TOTAL_OBJECTS, TOTAL_BYTES, TOTAL_REQUESTED, TOTAL_FREED_OBJECTS, TOTAL_FREED_BYTES, TOTAL_LIVE_OBJECTS, TOTAL_LIVE_BYTES, TOTAL__N };

static bool has_total(const struct profile *prof, enum source source, enum total which)
{
	if (which <= TOTAL_REQUESTED)
		return prof->has_source[source];
	return prof->live[source].measured && (which >= TOTAL_LIVE_OBJECTS || prof->live[source].frees_counted);
}

static uint64_t total_of(const struct prof_counts *c, enum total which)
{
	switch (which) {
	case TOTAL_OBJECTS:
		return c->alloc_objects;
	case TOTAL_BYTES:
		return c->alloc_bytes;
	case TOTAL_REQUESTED:
		return c->requested_bytes;
	case TOTAL_FREED_OBJECTS:
		return c->free_objects;
	case TOTAL_FREED_BYTES:
		return c->free_bytes;
	case TOTAL_LIVE_OBJECTS:
		return prof_whole(c->live_objects);
	default:
		return prof_whole(c->live_bytes);
	}
}

static void put_totals(const struct profile *prof, FILE *out)
{
	static const struct {
		const char *name, *type, *help;
	} totals[TOTAL__N] = {
		[TOTAL_OBJECTS] = { "alloc_objects_total", "counter", "Allocations since the attach." },
		[TOTAL_BYTES] = { "alloc_bytes_total", "counter", "Bytes allocated since the attach." },
		[TOTAL_REQUESTED] = { "requested_bytes_total", "counter", "Of the bytes allocated, those that were asked for." },
		[TOTAL_FREED_OBJECTS] = { "free_objects_total", "counter", "Of the allocations since the attach, those given back." },
		[TOTAL_FREED_BYTES] = { "free_bytes_total", "counter", "Of the bytes allocated since the attach, those given back." },
		[TOTAL_LIVE_OBJECTS] = { "live_objects", "gauge", "Allocations that are still there." },
		[TOTAL_LIVE_BYTES] = { "live_bytes", "gauge", "Bytes that are still there." },
	};

	for (int which = 0; which < TOTAL__N; which++) {
		bool any = false;

		for (int s = 0; s < SOURCE_RSS; s++) {
			const struct prof_counts sum = profile__sum(prof, (enum source)s, WINDOW_ALL);

			if (!has_total(prof, (enum source)s, which))
				continue;
			if (!any)
				put_head(out, totals[which].name, totals[which].type, totals[which].help);
			any = true;
			put_u64(out, totals[which].name, "source", source_name(s), total_of(&sum, which));
		}
	}
}

/* ---- sites ---- */

static void put_site(const struct profile *prof, FILE *out, const char *name, const struct group *group, int64_t value)
{
	char site[600] = "[not known]", pid[16];
	const struct frame_view *f = group->frame;
	const char *slash;

	if (f) {
		slash = strrchr(f->file, '/');
		if (f->line)
			snprintf(site, sizeof(site), "%.400s %.80s:%u", f->func, slash ? slash + 1 : f->file, f->line);
		else
			snprintf(site, sizeof(site), "%.400s", f->func);
	}
	fprintf(out, "allocsnoop_%s{", name);
	put_label(out, "source", source_name(group->source), true);
	put_label(out, "site", site, false);
	if (prof->ntargets > 1) {
		snprintf(pid, sizeof(pid), "%u", group->pid);
		put_label(out, "pid", pid, false);
	}
	fprintf(out, "} %" PRId64 "\n", value);
}

static int put_sites(const struct profile *prof, const struct export_opts *opts, FILE *out)
{
	static const struct {
		const char *name, *type, *help;
		enum sort_key sort;
		enum metric metric;
	} sites[] = {
		{ "site_alloc_bytes_total", "counter", "Bytes allocated since the attach, by the lines that allocated most.", SORT_BYTES,
		  METRIC_ALLOC_BYTES },
		{ "site_alloc_objects_total", "counter", "Allocations since the attach, by the lines that allocated most.", SORT_OBJECTS,
		  METRIC_ALLOC_OBJECTS },
		{ "site_live_bytes", "gauge", "Bytes that are still there, by the lines that have most.", SORT_LIVE, METRIC_LIVE_BYTES },
		{ "site_rss_bytes", "gauge", "Pages added less pages given back since the attach, by the lines that added most.",
		  SORT_RSS, METRIC_RSS_BYTES },
	};
	const size_t top = opts->top < MAX_SITES ? opts->top : MAX_SITES;

	for (size_t i = 0; i < sizeof(sites) / sizeof(sites[0]); i++) {
		const uint32_t sources = sites[i].metric == METRIC_RSS_BYTES ? SOURCES_RSS : SOURCES_ALLOC;
		struct groups groups;
		size_t shown[SOURCE__N] = { 0 };

		if (!has_metric(prof, sites[i].metric))
			continue;
		if (groups_build(prof, WINDOW_ALL, sources, GROUP_LINE, true, sites[i].sort, &groups))
			return -ENOMEM;
		put_head(out, sites[i].name, sites[i].type, sites[i].help);
		for (size_t g = 0; g < groups.len; g++) {
			const struct group *group = &groups.items[g];
			const struct prof_counts *c = &group->counts;
			const int64_t value = sites[i].metric == METRIC_RSS_BYTES	? prof_rss_bytes(c) :
					      sites[i].metric == METRIC_LIVE_BYTES	? (int64_t)prof_whole(c->live_bytes) :
					      sites[i].metric == METRIC_ALLOC_OBJECTS ? (int64_t)c->alloc_objects :
										(int64_t)c->alloc_bytes;

			if (value && shown[group->source]++ < top)
				put_site(prof, out, sites[i].name, group, value);
		}
		groups_free(&groups);
	}
	return 0;
}

/* ---- RSS ---- */

static void put_rss_kinds(const struct profile *prof, FILE *out)
{
	static const struct {
		const char *name;
		enum rss_kind kind;
	} kinds[] = { { "anon", RSS_ANON }, { "file", RSS_FILE }, { "shmem", RSS_SHMEM } };

	if (!prof->has_rss_kinds)
		return;
	put_head(out, "rss_bytes", "gauge", "Resident memory of the targets, by the kind of its pages.");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		put_u64(out, "rss_bytes", "kind", kinds[i].name, prof->rss_kinds[kinds[i].kind].now_bytes);
	put_head(out, "swap_bytes", "gauge", "Memory of the targets that is in swap.");
	put_u64(out, "swap_bytes", NULL, NULL, prof->rss_kinds[RSS_SWAP].now_bytes);
}

static void put_rss(const struct profile *prof, FILE *out)
{
	const bool released = prof->rss_method == RSS_BY_COUNTERS;
	struct rss_area areas[RSS_AREAS_MAX];
	size_t n = rss_areas(prof, WINDOW_ALL, areas);

	put_rss_kinds(prof, out);
	if (!prof->has_source[SOURCE_RSS])
		return;
	put_head(out, "rss_grown_bytes_total", "counter", "Pages added since the attach, by what they are for.");
	for (size_t i = 0; i < n; i++)
		put_u64(out, "rss_grown_bytes_total", "class", areas[i].type ? strtab__get(prof->strs, areas[i].type) : "not known",
			areas[i].moved.grown_bytes);
	if (!released)
		return;
	put_head(out, "rss_released_bytes_total", "counter", "Pages given back since the attach, by what they were for.");
	for (size_t i = 0; i < n; i++)
		put_u64(out, "rss_released_bytes_total", "class", areas[i].type ? strtab__get(prof->strs, areas[i].type) : "not known",
			areas[i].moved.released_bytes);
}

static void put_rss_balance(const struct profile *prof, FILE *out)
{
	const struct prof_counts all = profile__sum(prof, SOURCE_RSS, WINDOW_ALL);
	const struct prof_moved moved = prof_rss_moved(&all);
	uint64_t start = 0, now = 0;

	for (uint32_t i = 0; i < prof->ntargets; i++) {
		start += prof->targets[i].rss_start_bytes;
		now += prof->targets[i].rss_now_bytes;
	}
	if (!prof->has_source[SOURCE_RSS] || !prof->has_rss_kinds)
		return;
	put_head(out, "rss_unexplained_bytes", "gauge", "What RSS changed by since the attach and no stack accounts for.");
	put_i64(out, "rss_unexplained_bytes", NULL, NULL, (int64_t)(now - start - moved.grown_bytes + moved.released_bytes));
}

static void put_go(const struct profile *prof, FILE *out)
{
	struct go_memory mem;
	const bool has_go = go_memory(prof, &mem);
	const struct go_rss *sum = &mem.sum;
	const struct {
		const char *name, *help;
		uint64_t bytes;
	} numbers[] = {
		{ "go_heap_inuse_bytes", "Spans of Go's heap that are in use.", sum->heap_inuse_bytes },
		{ "go_heap_idle_bytes", "Spans of Go's heap that are not in use.", sum->heap_idle_bytes },
		{ "go_heap_released_bytes", "Of Go's idle heap, what was given back to the kernel.", sum->heap_released_bytes },
		{ "go_heap_objects_bytes", "Objects in Go's heap, reachable or not yet swept.", sum->objects_bytes },
		{ "go_stacks_bytes", "Stacks of goroutines.", sum->stacks_bytes },
		{ "go_heap_rss_bytes", "Resident pages of Go's heap.", sum->arenas_bytes },
		{ "go_runtime_bytes", "What Go's runtime takes outside of its heap.", sum->runtime_bytes },
	};

	for (size_t i = 0; has_go && !mem.unknown && i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		put_head(out, numbers[i].name, "gauge", numbers[i].help);
		put_u64(out, numbers[i].name, NULL, NULL, numbers[i].bytes);
	}
}

/* ---- what is missing, and what it costs ---- */

static void put_own(const struct profile *prof, FILE *out)
{
	const struct prof_cost cost = profile__cost(prof, WINDOW_ALL);

	put_head(out, "lost_events_total", "counter", "Allocations that are missing from the counts.");
	put_u64(out, "lost_events_total", NULL, NULL, profile__losses(prof, WINDOW_ALL));
	if (prof->nlosses)
		put_head(out, "losses_total", "counter", "What is missing, or counted but not whole, by cause.");
	for (uint32_t i = 0; i < prof->nlosses; i++)
		put_u64(out, "losses_total", "cause", prof->losses[i].name, prof->losses[i].count);
	put_head(out, "hits_total", "counter", "How often a probe was hit.");
	put_u64(out, "hits_total", NULL, NULL, cost.hits);
	put_head(out, "trap_seconds_total", "counter", "CPU time of the targets that traps took.");
	put_seconds(out, "trap_seconds_total", cost.trap_ns);
	put_head(out, "bpf_seconds_total", "counter", "CPU time of the targets that the BPF programs took.");
	put_seconds(out, "bpf_seconds_total", cost.bpf_ns);
	put_head(out, "target_cpu_seconds_total", "counter", "CPU time of the targets, tracing included.");
	put_seconds(out, "target_cpu_seconds_total", profile__target_cpu_ns(prof, WINDOW_ALL));
}

int prometheus_write(const struct profile *prof, const struct export_opts *opts, FILE *out)
{
	put_targets(prof, opts, out);
	put_totals(prof, out);
	put_rss(prof, out);
	put_rss_balance(prof, out);
	put_go(prof, out);
	put_own(prof, out);
	return put_sites(prof, opts, out);
}
