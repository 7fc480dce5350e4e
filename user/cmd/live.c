// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The live command: wires capture, aggregation, symbolizer and exporters, and owns
 * the one loop of the program. Nothing is decided elsewhere about time.
 */
#include "cmd/live.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"
#include "capture/capture.h"
#include "cmd/child.h"
#include "cmd/ending.h"
#include "cmd/listen.h"
#include "cmd/output.h"
#include "cmd/push.h"
#include "profile/agg.h"
#include "profile/timeline.h"
#include "sym/sym.h"

#define DEFAULT_INTERVAL_S 5.0
#define DEFAULT_RECORD_S 10.0
#define STEP_MS 100
#define SWEEP_NS 500000000u
#define MIN_REST_NS 1000000u
#define PEAK_STEP_MIN_BYTES 4096
#define PEAK_RSS_STEP_MIN_BYTES 262144 /* below that a program's own noise asks for sweeps */
#define PEAK_STEP_PART 20 /* 5 % */

/* For which outputs a report is. */
enum {
	REPORT_INTERVAL = 1, /* those that take one each interval */
	REPORT_RECORD = 2, /* recordings */
	REPORT_END = 4, /* the others, and recordings, too */
};

struct live {
	const struct options *opts;
	struct diag diag;
	struct modules *mods;
	struct gomods *gomods;
	struct profile *prof;
	struct agg *agg;
	struct debuginfod *debuginfod; /* NULL: not asked for */
	struct sym *sym;
	struct capture *capture;
	struct child child;
	struct output outputs[MAX_OUTPUTS + 1];
	size_t noutputs;
	struct listen *listen; /* NULL: not asked for */
	struct push *push; /* NULL: not asked for */
	struct err output_err; /* the first output that could not be written; the others go on */
	double interval_s; /* 0: one result at the end */
	double record_s; /* 0: there is no recording */
	struct watch watch; /* for the condition of --when */
	bool keep; /* the condition held since recordings were last written */
	const char *why; /* it ended, if not because the targets are gone */
	uint64_t oom_kills; /* of the machine, before the attach */
	int signal_fd;
	uint32_t nreports;
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + ts.tv_nsec;
}

static void print_diag(void *ctx, enum diag_level level, const char *msg)
{
	const struct options *opts = ctx;
	char clean[1024];

	if (opts->quiet || (level == DIAG_DEBUG && !opts->verbose))
		return;
	name_clean(clean, sizeof(clean), msg);
	fprintf(stderr, "allocsnoop: %s%s\n", level == DIAG_WARN ? "warning: " : "", clean);
}

static void describe_module(void *ctx, uint32_t id, struct prof_module *ret, struct strtab *strs)
{
	const struct live *live = ctx;
	const struct module *mod = modules__get(live->mods, id);

	ret->path = strtab__adds(strs, mod->path);
	ret->name = strtab__adds(strs, mod->name);
	ret->build_id = strtab__adds(strs, mod->build_id);
	ret->start = mod->start;
	ret->end = mod->end;
	ret->file_off = mod->file_off;
}

static int open_recording(struct live *live, const char *path, struct err *err)
{
	const struct options *o = live->opts;
	struct writer_opts opts = { .tool = "allocsnoop " ALLOCSNOOP_VERSION, .when = o->when ? o->when : "" };

	live->record_s = o->interval_s > 0 ? o->interval_s : DEFAULT_RECORD_S;
	opts.interval_ns = (uint64_t)(live->record_s * 1e9);
	opts.max_bytes = o->max_file_bytes;
	opts.around_ns = (uint64_t)(o->around_s * 1e9);
	return output__open_recording(&live->outputs[live->noutputs++], path, &opts, err);
}

/* Before anything is armed: can every result be written? */
static int open_outputs(struct live *live, struct err *err)
{
	const struct options *o = live->opts;
	bool text_shown = false;
	int code;

	/* In `record` the interval is that of the recording, and other results are of the whole. */
	live->interval_s = o->action == ACTION_RECORD ? 0 : o->interval_s;
	for (size_t i = 0; i < o->noutputs; i++) {
		const struct exporter *exporter;

		if (options_is_recording(o, o->outputs[i])) {
			code = open_recording(live, o->outputs[i], err);
			if (code)
				return code;
			continue;
		}
		exporter = output_exporter(o, o->outputs[i]);
		code = output__open(&live->outputs[live->noutputs], exporter, o->outputs[i],
				    live->interval_s > 0 && exporter->one_per_line, err);
		if (code)
			return code;
		text_shown |= strcmp(o->outputs[i], "-") == 0;
		live->noutputs++;
	}
	if (!o->noutputs && !o->format && !o->interval_s)
		live->interval_s = DEFAULT_INTERVAL_S;
	/* Reports go to standard output, unless files were asked for and no interval. */
	if (o->noutputs && (!live->interval_s || text_shown))
		return 0;
	return output__open(&live->outputs[live->noutputs++], o->format && !o->noutputs ? o->format : exporter_by_name("text"), "-",
			    live->interval_s > 0, err);
}

/* Probes, modules and their debug files each hold a descriptor. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_signals(struct live *live, struct err *err)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	live->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return live->signal_fd < 0 ? err_set(err, FAIL_GENERAL, -errno, "signalfd: %s", strerror(errno)) : 0;
}

/* What follows objects must see all of them. */
static enum capture_mode capture_mode(const struct options *o)
{
	if (o->mode == MODE_EXACT || o->live || !(o->want_go || o->want_malloc))
		return CAPTURE_EXACT;
	return o->mode == MODE_SAMPLED ? CAPTURE_SAMPLED : CAPTURE_AUTO;
}

static int open_model(struct live *live, struct err *err)
{
	struct sym_opts sym_opts = { .debug_root = "", .diag = &live->diag };
	struct utsname uts;
	int code;

	if (live->opts->debuginfod) {
		code = debuginfod__new(&live->diag, &live->debuginfod, err);
		if (code)
			return code;
	}
	sym_opts.debuginfod = live->debuginfod;
	code = modules__new(&live->diag, &live->mods);
	if (!code)
		code = gomods__new(live->mods, &live->gomods);
	if (!code)
		code = profile__new(&live->prof);
	if (!code)
		code = agg__new(live->prof, &AGG_LIMITS, describe_module, live, &live->agg);
	if (!code)
		code = sym__new(live->mods, live->gomods, live->prof->strs, &sym_opts, &live->sym);
	if (code)
		return err_set(err, FAIL_GENERAL, code, "%s", strerror(-code));
	live->prof->mode = "exact";
	live->prof->budget = capture_mode(live->opts) == CAPTURE_EXACT ? 0 : live->opts->max_overhead_pct / 100;
	live->prof->has_goroutines = live->opts->group == GROUP_GOROUTINE && live->opts->want_go;
	if (!uname(&uts))
		snprintf(live->prof->kernel, sizeof(live->prof->kernel), "%s", uts.release);
	return 0;
}

static int open_capture(struct live *live, struct err *err)
{
	const struct options *o = live->opts;
	struct capture_opts opts = {
		.want_go = o->want_go,
		.want_malloc = o->want_malloc,
		.want_rss = o->want_rss,
		.no_rss_stacks = o->no_stacks,
		.no_rss_areas = o->no_areas,
		.want_mmap = o->want_mmap,
		.follow = o->follow,
		.min_size_bytes = o->min_size_bytes,
		.max_size_bytes = o->max_size_bytes,
		.only_tid = o->tid,
		.want_live = o->live,
		.live_rate_bytes = o->live_rate_bytes,
		.malloc_prefixes = o->malloc_prefixes,
		.block_rate_bytes = o->block_rate_bytes,
		.max_blocks = o->max_blocks,
		.want_peak = o->peak,
		.older_s = o->older_s,
		.count_goroutines = o->group == GROUP_GOROUTINE,
		.kernel_stacks = o->kernel_stacks,
		.mode = capture_mode(o),
		.budget = o->max_overhead_pct / 100,
		.kernel_log = o->verbose,
		.diag = &live->diag,
	};
	struct event_sink sink = agg__sink(live->agg);

	return capture__open(&opts, live->mods, live->gomods, &sink, &live->capture, err);
}

static void say_attached(struct live *live)
{
	struct capture_target target;

	for (uint32_t i = 0; i < capture__ntargets(live->capture); i++) {
		capture__target(live->capture, i, &target);
		fprintf(stderr, "allocsnoop: attached to %d (%u probes)\n", target.pid, target.nprobes);
	}
	fflush(stderr);
}

static const enum rss_method rss_methods[] = {
	[EVENT_RSS_BY_PROC] = RSS_BY_PROC,
	[EVENT_RSS_BY_FAULTS] = RSS_BY_FAULTS,
	[EVENT_RSS_BY_COUNTERS] = RSS_BY_COUNTERS,
};

static int attach(struct live *live, struct err *err)
{
	int code = 0;

	for (size_t i = 0; !code && i < live->opts->npids; i++)
		code = capture__attach_pid(live->capture, live->opts->pids[i], err);
	if (!code && live->opts->command)
		code = capture__attach_command(live->capture, live->child.pid, live->child.paths, live->child.npaths, err);
	if (code)
		return code;
	if (live->opts->want_rss)
		live->prof->rss_method = rss_methods[capture__rss_method(live->capture)];
	live->prof->start_unix_ns = live->prof->mark_unix_ns = live->prof->now_unix_ns = clock_ns(CLOCK_REALTIME);
	if (live->opts->peak) {
		capture__mark_heaps(live->capture, PEAK_STEP_MIN_BYTES);
		capture__mark_rss(live->capture, PEAK_RSS_STEP_MIN_BYTES);
	}
	if (live->opts->want_rss && timeline__new(SWEEP_NS, &live->prof->timeline))
		return err_set(err, FAIL_GENERAL, -ENOMEM, "out of memory");
	capture__start(live->capture);
	say_attached(live);
	return live->opts->command ? child__release(&live->child, err) : 0;
}

static void set_loss(void *ctx, const char *name, const char *text, uint64_t count, bool is_uncounted)
{
	struct prof_loss *loss = profile__loss(ctx, name, text);

	loss->count = count;
	loss->is_note = !is_uncounted;
}

/* Returns whether it came since the last mark. */
static bool update_target(struct live *live, const struct capture_target *from)
{
	struct profile *prof = live->prof;
	bool is_new = !profile__find_target(prof, from->pid);
	uint32_t index = profile__add_target(prof, from->pid);
	struct prof_target *to;

	if (index == PROF_NONE)
		return false;
	to = &prof->targets[index];
	to->comm = strtab__adds(prof->strs, from->comm);
	to->exe = strtab__adds(prof->strs, from->exe);
	to->runtime = strtab__adds(prof->strs, from->runtime);
	to->exit_code = from->exit_code == CAPTURE_RUNNING ? PROF_RUNNING :
			from->exit_code < 0		   ? PROF_EXIT_UNKNOWN :
							     from->exit_code;
	to->rss_start_bytes = from->rss_start.rss_bytes;
	to->rss_now_bytes = from->rss.rss_bytes;
	to->cpu_ns = from->cpu_ns;
	to->has_go_rss = from->go_memory;
	if (from->go_memory) {
		to->go_rss_unknown = from->go_memory->unknown;
		to->go_rss = from->go_memory->rss;
	}
	if (is_new)
		to->rss_marked_bytes = to->rss_start_bytes;
	return is_new;
}

static void add_rss(struct profile *prof, const struct capture_target *t, bool is_new)
{
	const uint64_t start[RSS_KIND__N] = { t->rss_start.file_bytes, t->rss_start.anon_bytes, t->rss_start.swap_bytes,
					      t->rss_start.shmem_bytes };
	const uint64_t now[RSS_KIND__N] = { t->rss.file_bytes, t->rss.anon_bytes, t->rss.swap_bytes, t->rss.shmem_bytes };

	for (int k = 0; k < RSS_KIND__N; k++) {
		prof->rss_kinds[k].start_bytes += start[k];
		prof->rss_kinds[k].marked_bytes += is_new ? start[k] : 0;
		prof->rss_kinds[k].now_bytes += now[k];
	}
	prof->has_rss_kinds = true;
	prof->has_hugetlb |= t->has_hugetlb;
	prof->hugetlb_bytes += t->hugetlb_bytes;
}

static void update_live(struct live *live)
{
	struct prof_live *to = &live->prof->live[SOURCE_GO];
	struct golive_stats stats;

	if (!capture__live(live->capture, &stats) || !live->prof->has_source[SOURCE_GO])
		return;
	*to = (struct prof_live){ .measured = true, .rate_bytes = stats.rate_bytes,
				  .samples = stats.heap.samples + stats.before_samples + stats.ended_samples,
				  .unjudged_bytes = (uint64_t)stats.heap.unjudged_bytes, .unsure = stats.heap.unsure };
	if (stats.from_profiler && stats.from_marks)
		to->how = "by the runtime's memory profile and mark bits";
	else if (stats.from_marks || !stats.profiler_is_on)
		to->how = "by mark bits, since the attach";
	else if (stats.has_before)
		to->how = "by the runtime's memory profile";
	else
		to->how = "by the runtime's memory profile, since the attach";
	set_loss(live->prof, "live_table_full", "objects not followed: too many", stats.heap.table_full, false);
	set_loss(live->prof, "live_before_cut", "processes of which not all that was live before the attach could be read",
		 stats.before_cut, false);
}

static void update_mmaps(struct live *live)
{
	struct mmaps_stats stats;

	if (!capture__mmaps(live->capture, &stats))
		return;
	live->prof->live[SOURCE_MMAP] = (struct prof_live){ .measured = true,
							    .how = "by mmap, munmap, mremap and brk, since the attach",
							    .before_gone_bytes = stats.before_bytes };
}

static void update_blocks(struct live *live)
{
	const struct options *o = live->opts;
	struct capture_blocks blocks;

	if (!capture__blocks(live->capture, &blocks) || !live->prof->has_source[SOURCE_MALLOC])
		return;
	live->prof->live[SOURCE_MALLOC] = (struct prof_live){
		.measured = true,
		.how = "blocks since the attach",
		.rate_bytes = o->block_rate_bytes,
		.samples = blocks.blocks,
		.frees_counted = blocks.counted,
		.ages_known = true,
		.high_bytes = blocks.high_bytes,
		.older_s = o->older_s,
	};
}

static void update_limits(struct live *live)
{
	struct agg_stats stats;

	agg__stats(live->agg, &stats);
	set_loss(live->prof, "stacks_not_kept", "stacks beyond those that are kept: counted, as one without frames", stats.stacks,
		 false);
	set_loss(live->prof, "contexts_not_kept", "types, goroutines and labels beyond those that are kept: counted as unknown",
		 stats.contexts, false);
	set_loss(live->prof, "touches_not_kept", "pages of which it is not kept who had asked for them: too many stacks", stats.touches,
		 false);
	set_loss(live->prof, "rows_not_kept", "counts beyond the rows that are kept: in one without frames", stats.rows, false);
}

/* Bring the profile's states up to date with the capture's. */
static void update_profile(struct live *live)
{
	struct profile *prof = live->prof;
	struct capture_target target;
	struct capture_cost cost;

	prof->now_unix_ns = clock_ns(CLOCK_REALTIME);
	for (int k = 0; k < RSS_KIND__N; k++)
		prof->rss_kinds[k].start_bytes = prof->rss_kinds[k].now_bytes = 0;
	prof->hugetlb_bytes = 0;
	for (uint32_t i = 0; i < capture__ntargets(live->capture); i++) {
		capture__target(live->capture, i, &target);
		add_rss(prof, &target, update_target(live, &target));
	}
	capture__cost(live->capture, &cost);
	prof->mode = prof->sampling.bursts ? "sampled" : "exact";
	prof->sampling.unseen_objects = capture__unseen(live->capture).objects;
	prof->sampling.unseen_bytes = capture__unseen(live->capture).bytes;
	prof->sampling.uncovered_s = capture__uncovered_s(live->capture);
	prof->cost = (struct prof_cost){ cost.hits, cost.trap_ns, cost.bpf_ns };
	capture__each_loss(live->capture, set_loss, prof);
	update_limits(live);
	prof->has_source[SOURCE_GO] = capture__has_source(live->capture, EVENT_GO);
	update_live(live);
	prof->has_source[SOURCE_MALLOC] = capture__has_source(live->capture, EVENT_MALLOC);
	prof->has_source[SOURCE_MMAP] = capture__has_source(live->capture, EVENT_MMAP);
	update_mmaps(live);
	update_blocks(live);
	prof->has_source[SOURCE_RSS] = prof->rss_method >= RSS_BY_FAULTS;
	prof->has_touches = capture__has_touches(live->capture);
}

/* How much more than @level there is to be until the next snapshot can be the highest, by enough to be worth it. */
static uint64_t peak_step(const struct prof_peak *peak, double level, uint64_t min_bytes)
{
	double step = peak->bytes + peak->bytes / PEAK_STEP_PART - level;

	return step > (double)min_bytes ? (uint64_t)step : min_bytes;
}

static void look_for_rss_peak(struct live *live)
{
	struct profile *prof = live->prof;
	double rss_bytes = 0;

	if (prof->rss_method != RSS_BY_COUNTERS)
		return; /* without what is given back nobody knows what was there */
	profile__note_rss_peak(prof, clock_ns(CLOCK_REALTIME));
	prof->rss_peak.high_bytes = capture__rss_high(live->capture);
	for (uint32_t i = 0; i < prof->ntargets; i++)
		rss_bytes += (double)prof->targets[i].rss_now_bytes;
	capture__mark_rss(live->capture, peak_step(&prof->rss_peak, rss_bytes, PEAK_RSS_STEP_MIN_BYTES));
}

/* A snapshot, if it is the highest so far; the next sweep comes when there is some more than at that. */
static void look_for_peak(struct live *live)
{
	struct profile *prof = live->prof;
	bool blocks = live->opts->live && live->opts->want_malloc;
	struct capture_target target;
	double live_bytes;

	/* A process that has just ended still counts: as it was at its end. */
	if (blocks)
		profile__note_peak(prof, clock_ns(CLOCK_REALTIME));
	for (uint32_t i = 0; i < capture__ntargets(live->capture); i++) {
		capture__target(live->capture, i, &target);
		update_target(live, &target);
	}
	live_bytes = profile__sum(prof, SOURCE_MALLOC, WINDOW_ALL).live_bytes;
	if (blocks)
		capture__mark_heaps(live->capture, peak_step(&prof->peak, live_bytes, PEAK_STEP_MIN_BYTES));
	look_for_rss_peak(live);
}

/* A moment of the timeline, unless there was one just before. */
static int keep_moment(struct live *live)
{
	struct capture_target target;
	uint64_t rss_bytes = 0;

	if (!live->prof->timeline)
		return 0;
	for (uint32_t i = 0; i < capture__ntargets(live->capture); i++) {
		capture__target(live->capture, i, &target);
		rss_bytes += target.rss.rss_bytes;
	}
	update_live(live);
	return timeline__add(live->prof->timeline, live->prof, clock_ns(CLOCK_REALTIME), rss_bytes);
}

static int sweep(struct live *live, bool is_last, struct err *err)
{
	int code = is_last ? capture__finish(live->capture) : capture__sweep(live->capture);

	if (!code && live->opts->peak)
		look_for_peak(live);
	if (!code)
		code = keep_moment(live);
	return code ? err_set(err, FAIL_GENERAL, code, "cannot read the counts: %s", strerror(-code)) : 0;
}

/* An interval more; at the end also why that is. */
static int write_recording(struct live *live, struct output *out, bool is_final, struct err *err)
{
	uint64_t kills = ending_oom_kills();
	int code = writer__append(out->writer, live->prof, live->keep, err);
	char text[1024];

	if (code || !is_final)
		return code;
	ending_text(live->prof, live->why, kills > live->oom_kills ? kills - live->oom_kills : 0, text, sizeof(text));
	return writer__end(out->writer, text, live->prof->now_unix_ns, err);
}

/* One that fails is given up. A reader that has gone (a closed pipe) is no failure. */
static void write_output(struct live *live, struct output *out, const struct export_opts *opts, bool is_final)
{
	struct err err = { 0 };
	int code = out->writer ? write_recording(live, out, is_final, &err) : output__write(out, live->prof, opts, &err);

	if (!code)
		return;
	if (code != -EPIPE && live->output_err.kind == FAIL_NONE)
		live->output_err = err;
	output__abort(out);
}

static bool can_write(const struct live *live)
{
	for (size_t i = 0; i < live->noutputs; i++)
		if (output__is_open(&live->outputs[i]))
			return true;
	return false;
}

/* What could not be named, for the report that is about to be written. */
static void update_names(struct live *live)
{
	struct sym_stats stats;

	sym__stats(live->sym, &stats);
	set_loss(live->prof, "code_unnamed", "addresses in Go code that its function table does not know", stats.unnamed_go, false);
	set_loss(live->prof, "type_unnamed", "Go types whose names are not in the program's file, as those that reflection makes",
		 stats.unnamed_types, false);
}

static bool wants(const struct output *out, int what)
{
	return what & (out->writer ? REPORT_RECORD | REPORT_END : out->streams ? REPORT_INTERVAL : REPORT_END);
}

/* Bring all that a report shows up to date. */
static int look(struct live *live, struct err *err)
{
	int code = capture__look_at_blocks(live->capture);
	if (code)
		return err_set(err, FAIL_GENERAL, code, "cannot read the live blocks: %s", strerror(-code));
	capture__look_at_go_memory(live->capture);
	update_profile(live);
	code = sym__annotate(live->sym, live->prof);
	if (code)
		return err_set(err, FAIL_GENERAL, code, "cannot find the names of functions: %s", strerror(-code));
	update_names(live);
	return 0;
}

/* The page that somebody waits for. It stands for what was there when it was swept. */
static int make_page(struct live *live, struct err *err)
{
	struct export_opts opts = output_export_opts(live->opts, WINDOW_ALL);
	uint64_t begin = clock_ns(CLOCK_MONOTONIC), end;
	char *text = NULL;
	size_t len;
	FILE *out;
	int code = sweep(live, false, err);

	if (!code)
		code = look(live, err);
	if (code)
		return code;
	out = open_memstream(&text, &len);
	code = out ? exporter_by_name("prometheus")->write(live->prof, &opts, out) : -ENOMEM;
	if (out && fclose(out))
		code = -ENOMEM;
	if (code) {
		free(text);
		return err_set(err, FAIL_GENERAL, code, "cannot make the metrics: %s", strerror(-code));
	}
	end = clock_ns(CLOCK_MONOTONIC);
	listen__set_page(live->listen, text, len, end, end - begin);
	return 0;
}

/* What the interval had, to the thread that sends it. */
static int push_interval(struct live *live, struct err *err)
{
	struct export_opts opts = output_export_opts(live->opts, WINDOW_INTERVAL);
	const struct profile *prof = live->prof;
	char *pprof = NULL;
	size_t len;
	FILE *out = open_memstream(&pprof, &len);
	int code = out ? exporter_by_name("pprof")->write(prof, &opts, out) : -ENOMEM;

	if (out && fclose(out))
		code = -ENOMEM;
	if (code) {
		free(pprof);
		return err_set(err, FAIL_GENERAL, code, "cannot make the profile for Pyroscope: %s", strerror(-code));
	}
	push__send(live->push, prof->ntargets ? strtab__get(prof->strs, prof->targets[0].comm) : "",
		   prof->mark_unix_ns ? prof->mark_unix_ns : prof->start_unix_ns, prof->now_unix_ns, pprof, len);
	return 0;
}

/* With an INTERVAL each is sent, else the one result; failures are a count in the report, and said once. */
static int update_push(struct live *live, int what, struct err *err)
{
	const struct push_url *url = &live->opts->push;
	uint64_t failed;
	char why[256];
	int code = 0;

	if (!live->push)
		return 0;
	if (what & (live->interval_s > 0 ? REPORT_INTERVAL : REPORT_END))
		code = push_interval(live, err);
	if (what & REPORT_END)
		push__finish(live->push);
	failed = push__failed(live->push, why);
	if (failed)
		set_loss(live->prof, "push_failed", "profiles that could not be sent to Pyroscope", failed, false);
	if (*why)
		diag_emit(&live->diag, DIAG_WARN, "cannot send a profile to Pyroscope at %s:%s: %s; the capture goes on, the reports count it as push_failed",
			  url->host, url->port, why);
	return code;
}

static int open_push(struct live *live, struct err *err)
{
	int code = push__open(&live->opts->push, &live->push);

	return code ? err_set(err, FAIL_GENERAL, code, "cannot start the thread that sends to Pyroscope: %s", strerror(-code)) : 0;
}

/* Write to the outputs that want this. */
static int report(struct live *live, int what, struct err *err)
{
	struct export_opts opts;
	int code = look(live, err);

	if (!code)
		code = update_push(live, what, err);
	if (code)
		return code;
	if (what & REPORT_INTERVAL)
		live->nreports++;
	for (size_t i = 0; i < live->noutputs; i++) {
		if (!output__is_open(&live->outputs[i]) || !wants(&live->outputs[i], what))
			continue;
		opts = output_export_opts(live->opts, what & REPORT_END ? WINDOW_ALL : WINDOW_INTERVAL);
		opts.report_nr = live->nreports;
		write_output(live, &live->outputs[i], &opts, what & REPORT_END);
	}
	if (what & REPORT_INTERVAL)
		profile__mark(live->prof);
	if (what & REPORT_RECORD)
		live->keep = false;
	return 0;
}

/* Does the condition of --when hold, and did it not just before? */
static bool condition_begins(struct live *live, uint64_t now_ns)
{
	struct condition_sample sample = { .now_ns = now_ns };
	struct capture_target target;
	bool held = live->watch.holds;

	if (!live->opts->when)
		return false;
	for (uint32_t i = 0; i < capture__ntargets(live->capture); i++) {
		capture__target(live->capture, i, &target);
		sample.rss_bytes += target.rss.rss_bytes;
	}
	for (int source = SOURCE_GO; source <= SOURCE_MALLOC; source++) {
		struct prof_counts sum = profile__sum(live->prof, source, WINDOW_ALL);

		sample.alloc_bytes += sum.alloc_bytes;
		sample.heap_bytes += sum.live_bytes;
	}
	live->keep |= watch__look(&live->watch, &sample);
	return live->watch.holds && !held;
}

static bool told_to_stop(const struct live *live)
{
	struct signalfd_siginfo info;

	return read(live->signal_fd, &info, sizeof(info)) == sizeof(info);
}

static void reap(struct live *live)
{
	pid_t pid = live->child.pid;
	int exit_code;

	if (child__reap(&live->child, &exit_code))
		capture__set_exit(live->capture, pid, exit_code);
}

/* What is due, as bits of REPORT_*; the rest of an interval that was cut short is a report, too. */
static int due_reports(const struct live *live, uint64_t now, bool over, uint64_t next_report, uint64_t next_record)
{
	uint64_t interval_ns = live->interval_s * 1e9;
	int what = 0;

	if (interval_ns && (now >= next_report ||
			    (over && (!live->nreports || now - (next_report - interval_ns) > MIN_REST_NS))))
		what |= REPORT_INTERVAL;
	if (now >= next_record && !over) /* its last interval is written at the end */
		what |= REPORT_RECORD;
	return what;
}

/* Is there a reason to stop? */
static bool is_over(struct live *live, uint64_t now, uint64_t next_report, uint64_t end)
{
	const struct options *o = live->opts;

	if (told_to_stop(live))
		live->why = "stopped";
	else if (now >= end || (now >= next_report && o->count && live->nreports + 1 >= o->count))
		live->why = "the time was up";
	else if (!can_write(live))
		live->why = "nobody reads any more";
	return live->why || !capture__alive(live->capture);
}

/* Until it is over: steps, sweeps, and a report at every interval. */
static int loop(struct live *live, struct err *err)
{
	const struct options *o = live->opts;
	uint64_t start = clock_ns(CLOCK_MONOTONIC), now = start, last_sweep = start;
	uint64_t interval_ns = live->interval_s * 1e9, record_ns = live->record_s * 1e9;
	uint64_t next_report = interval_ns ? start + interval_ns : UINT64_MAX;
	uint64_t next_record = record_ns ? start + record_ns : UINT64_MAX;
	uint64_t end = o->duration_s > 0 ? start + (uint64_t)(o->duration_s * 1e9) : UINT64_MAX;
	struct pollfd fds[] = { { capture__fd(live->capture), POLLIN, 0 }, { live->signal_fd, POLLIN, 0 },
				{ live->listen ? listen__fd(live->listen) : -1, POLLIN, 0 } };
	bool over = false;
	int code = 0, what;

	while (!code && !over) {
		uint64_t due = next_report < next_record ? next_report : next_record, next = due < end ? due : end;
		uint64_t burst = capture__due_ns(live->capture), wait_ms;

		next = burst < next ? burst : next;
		wait_ms = next > now ? (next - now + 999999) / 1000000 : 0;

		poll(fds, 3, wait_ms < STEP_MS ? (int)wait_ms : STEP_MS);
		capture__step(live->capture);
		reap(live);
		now = clock_ns(CLOCK_MONOTONIC);
		if (live->listen) {
			listen__step(live->listen, now);
			if (listen__wants_page(live->listen, now))
				code = make_page(live, err);
		}
		over = is_over(live, now, next_report, end);
		if (!code && (over || now >= due || now - last_sweep >= SWEEP_NS || capture__wants_sweep(live->capture))) {
			code = sweep(live, over, err);
			last_sweep = now;
			if (!code && condition_begins(live, now)) /* this moment is an interval's end, too */
				next_record = now;
		}
		what = code ? 0 : due_reports(live, now, over, next_report, next_record);
		if (!what)
			continue;
		code = report(live, what, err);
		if (what & REPORT_INTERVAL)
			next_report += interval_ns;
		if (what & REPORT_RECORD)
			next_record = next_record + record_ns > now ? next_record + record_ns : now + record_ns;
	}
	return code;
}

static int finish(struct live *live, struct err *err)
{
	int code = report(live, REPORT_END, err);

	for (size_t i = 0; !code && i < live->noutputs; i++) {
		struct err commit_err = { 0 };

		if (output__commit(&live->outputs[i], &commit_err) && live->output_err.kind == FAIL_NONE)
			live->output_err = commit_err;
	}
	if (!code && live->output_err.kind != FAIL_NONE) {
		*err = live->output_err;
		return -EIO;
	}
	return code;
}

static void live_free(struct live *live)
{
	listen__free(live->listen);
	push__free(live->push);
	capture__free(live->capture);
	child__free(&live->child);
	sym__free(live->sym);
	debuginfod__free(live->debuginfod);
	agg__free(live->agg);
	profile__free(live->prof);
	gomods__free(live->gomods);
	modules__free(live->mods);
	for (size_t i = 0; i < live->noutputs; i++)
		output__abort(&live->outputs[i]);
	if (live->signal_fd >= 0)
		close(live->signal_fd);
}

int live_run(const struct options *opts, struct err *err)
{
	struct live live = { .opts = opts, .signal_fd = -1, .child = { .go_fd = -1, .result_fd = -1 } };
	int code;

	live.diag = (struct diag){ print_diag, (void *)opts };
	live.watch.condition = opts->condition;
	live.oom_kills = ending_oom_kills();
	code = open_outputs(&live, err);
	if (!code)
		code = open_model(&live, err);
	if (!code && opts->listens)
		code = listen__open(&opts->listen, &live.listen, err);
	if (!code)
		code = open_signals(&live, err);
	if (!code)
		code = open_capture(&live, err);
	if (!code && opts->command)
		code = child__start(opts->command, &live.child, err);
	if (!code)
		raise_file_limit(); /* behind the fork: the command has its own */
	if (!code)
		code = attach(&live, err);
	if (!code && opts->pushes)
		code = open_push(&live, err);
	if (!code)
		code = loop(&live, err);
	if (!code)
		code = finish(&live, err);
	if (!code && live.child.pid && capture__alive(live.capture))
		diag_emit(&live.diag, DIAG_INFO, "the command (PID %d) goes on without us", live.child.pid);
	live_free(&live);
	return code;
}
