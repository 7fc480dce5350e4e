// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/args.h"
#include "store/writer.h"

#define CHECK_DEFAULT_S 1.0

/* A word of a fixed set. */
struct word {
	const char *name;
	int value;
};

static const struct word sort_words[] = {
	{ "bytes", SORT_BYTES }, { "objects", SORT_OBJECTS }, { "live", SORT_LIVE }, { "rss", SORT_RSS },
	{ "waste", SORT_WASTE }, { "rate", SORT_RATE },	      { "growth", SORT_GROWTH }, { "peak", SORT_PEAK }, { NULL, 0 },
};
static const struct word group_words[] = {
	{ "stack", GROUP_STACK }, { "func", GROUP_FUNC }, { "line", GROUP_LINE },
	{ "type", GROUP_TYPE },	  { "goroutine", GROUP_GOROUTINE }, { "labels", GROUP_LABELS },
	{ "module", GROUP_MODULE }, { "allocation", GROUP_ALLOCATION }, { NULL, 0 },
};
static const struct word metric_words[] = {
	{ "alloc_bytes", METRIC_ALLOC_BYTES },
	{ "alloc_objects", METRIC_ALLOC_OBJECTS },
	{ "live_bytes", METRIC_LIVE_BYTES },
	{ "live_objects", METRIC_LIVE_OBJECTS },
	{ "rss_bytes", METRIC_RSS_BYTES },
	{ NULL, 0 },
};
static const struct word mode_words[] = {
	{ "auto", MODE_AUTO }, { "exact", MODE_EXACT }, { "sampled", MODE_SAMPLED }, { NULL, 0 },
};
static const struct word source_words[] = {
	{ "go", SOURCE_GO }, { "malloc", SOURCE_MALLOC }, { "mmap", SOURCE_MMAP }, { "rss", SOURCE_RSS }, { NULL, 0 },
};
static const struct word shell_words[] = {
	{ "bash", SHELL_BASH }, { "zsh", SHELL_ZSH }, { "fish", SHELL_FISH }, { NULL, 0 },
};

struct option_row {
	char letter;
	const char *name;
	const char *arg; /* NULL: takes none */
	const char *help; /* NULL: the names of the formats */
	int (*parse)(struct options *opts, const char *arg); /* 0 or -errno: the argument is wrong */
	const struct word *words; /* what the argument may be; NULL: anything, or the name of a format */
};

static const struct word *find_word(const struct word *words, const char *name)
{
	while (words->name && strcmp(words->name, name) != 0)
		words++;
	return words->name ? words : NULL;
}

static int parse_pid(struct options *o, const char *arg)
{
	free(o->pids);
	o->pids = NULL;
	return args_pids(arg, &o->pids, &o->npids);
}

static int parse_duration(struct options *o, const char *arg)
{
	if (o->action == ACTION_CHECK && strcmp(arg, "0") == 0) {
		o->duration_s = 0;
		return 0;
	}
	return args_seconds(arg, &o->duration_s);
}

static int parse_tid(struct options *o, const char *arg)
{
	uint64_t tid;
	int err = args_u64(arg, 1, 1 << 22, &tid);

	if (!err)
		o->tid = tid;
	return err;
}

static int parse_live(struct options *o, const char *arg)
{
	(void)arg;
	o->live = true;
	return 0;
}

#define LIVE_RATE_BYTES (64u << 10)

static int parse_live_rate(struct options *o, const char *arg)
{
	uint64_t rate;
	int err = args_size(arg, &rate);

	if (err || rate > 1u << 24)
		return err ? err : -ERANGE;
	o->live_rate_given = true;
	o->block_rate_bytes = rate;
	o->live_rate_bytes = rate ? rate : LIVE_RATE_BYTES;
	return 0;
}

static int parse_peak(struct options *o, const char *arg)
{
	(void)arg;
	o->peak = true;
	return 0;
}

static int parse_older(struct options *o, const char *arg)
{
	return args_seconds(arg, &o->older_s);
}

static int parse_malloc_prefix(struct options *o, const char *arg)
{
	o->malloc_prefixes = arg;
	return arg[0] ? 0 : -EINVAL;
}

static int parse_max_blocks(struct options *o, const char *arg)
{
	int err = args_size(arg, &o->max_blocks);

	return err || (o->max_blocks && o->max_blocks <= 1u << 28) ? err : -ERANGE;
}

static int parse_kernel_stacks(struct options *o, const char *arg)
{
	(void)arg;
	o->kernel_stacks = true;
	return 0;
}

static int parse_no_stacks(struct options *o, const char *arg)
{
	(void)arg;
	o->no_stacks = true;
	return 0;
}

static int parse_no_areas(struct options *o, const char *arg)
{
	(void)arg;
	o->no_areas = true;
	return 0;
}

static int parse_debuginfod(struct options *o, const char *arg)
{
	(void)arg;
	o->debuginfod = true;
	return 0;
}

static int parse_follow(struct options *o, const char *arg)
{
	(void)arg;
	o->follow = true;
	return 0;
}

static int parse_min_size(struct options *o, const char *arg)
{
	return args_size(arg, &o->min_size_bytes);
}

static int parse_max_size(struct options *o, const char *arg)
{
	return args_size(arg, &o->max_size_bytes);
}

static int parse_top(struct options *o, const char *arg)
{
	uint64_t top;
	int err = args_u64(arg, 1, 100000, &top);

	if (!err)
		o->top = top;
	return err;
}

static int parse_sort(struct options *o, const char *arg)
{
	const struct word *word = find_word(sort_words, arg);

	if (!word)
		return -EINVAL;
	o->sort = word->value;
	o->sort_given = true;
	return 0;
}

static int parse_group(struct options *o, const char *arg)
{
	const struct word *word = find_word(group_words, arg);

	if (!word)
		return -EINVAL;
	o->group = word->value;
	return 0;
}

static int parse_metric(struct options *o, const char *arg)
{
	const struct word *word = find_word(metric_words, arg);

	if (!word)
		return -EINVAL;
	o->metric = word->value;
	return 0;
}

static int parse_mode(struct options *o, const char *arg)
{
	const struct word *word = find_word(mode_words, arg);

	if (!word)
		return -EINVAL;
	o->mode = word->value;
	return 0;
}

static int parse_max_overhead(struct options *o, const char *arg)
{
	o->max_overhead_given = true;
	return args_double(arg, 0.01, 100, &o->max_overhead_pct);
}

static int parse_source(struct options *o, const char *arg)
{
	bool *want[SOURCE__N] = { [SOURCE_GO] = &o->want_go, [SOURCE_MALLOC] = &o->want_malloc,
				  [SOURCE_MMAP] = &o->want_mmap, [SOURCE_RSS] = &o->want_rss };

	o->want_go = o->want_malloc = o->want_mmap = o->want_rss = false;
	o->source_given = true;
	for (;;) {
		const struct word *word = source_words;
		size_t len = strcspn(arg, ",");

		while (word->name && (strlen(word->name) != len || strncmp(word->name, arg, len) != 0))
			word++;
		if (!word->name)
			return -EINVAL;
		*want[word->value] = true;
		if (!arg[len])
			return 0;
		arg += len + 1;
	}
}

static int parse_format(struct options *o, const char *arg)
{
	o->format = exporter_by_name(arg);
	return o->format ? 0 : -EINVAL;
}

static int parse_listen(struct options *o, const char *arg)
{
	o->listens = true;
	return listen_parse(arg, &o->listen);
}

static int parse_push(struct options *o, const char *arg)
{
	o->pushes = true;
	return push_parse(arg, &o->push);
}

static int parse_output(struct options *o, const char *arg)
{
	if (o->noutputs == MAX_OUTPUTS || !arg[0])
		return -EINVAL;
	o->outputs[o->noutputs++] = arg;
	return 0;
}

#define AROUND_S 60.0
#define MAX_FILE_BYTES (190u << 20) /* less than 200 MB */

static int parse_when(struct options *o, const char *arg)
{
	o->when = arg;
	return condition_parse(arg, &o->condition);
}

static int parse_around(struct options *o, const char *arg)
{
	return args_seconds(arg, &o->around_s);
}

static int parse_max_file(struct options *o, const char *arg)
{
	uint64_t bytes;
	int err = args_size(arg, &bytes);

	if (err || (bytes && bytes < WRITER_MIN_MAX_BYTES))
		return err ? err : -ERANGE;
	o->max_file_bytes = bytes;
	o->max_file_given = true;
	return 0;
}

static int parse_from(struct options *o, const char *arg)
{
	return when_parse(arg, &o->window.from);
}

static int parse_to(struct options *o, const char *arg)
{
	return when_parse(arg, &o->window.to);
}

static int parse_timeline(struct options *o, const char *arg)
{
	(void)arg;
	o->timeline = true;
	return 0;
}

static int parse_verbose(struct options *o, const char *arg)
{
	(void)arg;
	o->verbose = true;
	return 0;
}

static int parse_quiet(struct options *o, const char *arg)
{
	(void)arg;
	o->quiet = true;
	return 0;
}

static int parse_no_color(struct options *o, const char *arg)
{
	(void)arg;
	o->no_color = true;
	return 0;
}

static int parse_help(struct options *o, const char *arg)
{
	(void)arg;
	o->help = true;
	return 0;
}

static int parse_version(struct options *o, const char *arg)
{
	(void)arg;
	o->version = true;
	return 0;
}

static const struct option_row rows[] = {
	{ 'p', "pid", "PID[,PID...]", "processes to attach to", parse_pid, NULL },
	{ 'd', "duration", "SEC", "stop after SEC seconds", parse_duration, NULL },
	{ 't', "tid", "TID", "only this thread", parse_tid, NULL },
	{ 'f', "follow", NULL, "also the children; on with -- COMMAND", parse_follow, NULL },
	{ 0, "min-size", "BYTES", "only allocations of at least BYTES (4K, 1M, ...)", parse_min_size, NULL },
	{ 0, "max-size", "BYTES", "only allocations of at most BYTES", parse_max_size, NULL },
	{ 0, "source", "LIST", "go, malloc, rss (default: all of these), mmap (slows each system call of the host by 70 to 130 ns)", parse_source, source_words },
	{ 0, "malloc-prefix", "PREFIX[,PREFIX]", "also je_malloc, mi_malloc, ... as a program's own malloc", parse_malloc_prefix, NULL },
	{ 0, "live", NULL, "also what is still there of what was allocated, and since when (C)", parse_live, NULL },
	{ 0, "live-rate", "BYTES", "one sample in so many bytes: of Go (64K) where its own profile is off, of C (0: every block)", parse_live_rate, NULL },
	{ 0, "older", "SEC", "with --live: only C blocks that are at least so old count as live", parse_older, NULL },
	{ 0, "peak", NULL, "which stacks had the RSS when it was highest; with --live also the live C blocks (-s peak)", parse_peak, NULL },
	{ 0, "max-blocks", "N", "with --live: C blocks that can be followed at a time (4M; 16 bytes each, 96 more when used)", parse_max_blocks, NULL },
	{ 0, "mode", "MODE", "auto (default): every allocation while --max-overhead allows it, else those in short bursts; exact; sampled", parse_mode, mode_words },
	{ 0, "max-overhead", "PCT", "of the target's CPU time that tracing may take (2)", parse_max_overhead, NULL },
	{ 'n', "top", "N", "rows per text report (10)", parse_top, NULL },
	{ 's', "sort", "COLUMN", "bytes, objects, live, growth, peak, rss, waste, rate", parse_sort, sort_words },
	{ 'g', "group-by", "KEY", "stack, func, line, type, goroutine, labels, module, allocation (RSS growth by who asked for the memory)", parse_group, group_words },
	{ 0, "format", "FMT", NULL, parse_format, NULL },
	{ 'o', "output", "FILE", "where the result goes, may be given again; its format follows from .folded .pb.gz .json .html .speedscope.json .perfetto.json .prom .otlp; .db is a recording", parse_output, NULL },
	{ 0, "listen", "ADDR", "metrics for Prometheus on http://ADDR/metrics while it runs: PORT (on the loopback), HOST:PORT or :PORT", parse_listen, NULL },
	{ 0, "push-pyroscope", "URL", "send what each interval had, as pprof, to Pyroscope at http://HOST:PORT", parse_push, NULL },
	{ 'm', "metric", "M", "for folded: alloc_bytes, alloc_objects, live_bytes, live_objects, rss_bytes", parse_metric, metric_words },
	{ 0, "no-stacks", NULL, "with --source rss alone: only what the pages are for; costs less", parse_no_stacks, NULL },
	{ 0, "no-areas", NULL, "with --no-stacks: only anonymous, file, shared, swap; costs the least", parse_no_areas, NULL },
	{ 0, "kernel-stacks", NULL, "also the kernel's frames in stacks of source rss", parse_kernel_stacks, NULL },
	{ 0, "debuginfod", NULL, "ask the servers of DEBUGINFOD_URLS for debug files that are not installed", parse_debuginfod, NULL },
	{ 0, "when", "COND", "recordings: keep who did it only around moments when rss>2G (or heap, rate, growth; > < >= <=)", parse_when, NULL },
	{ 0, "around", "SEC", "with --when: for so long before and behind (60)", parse_around, NULL },
	{ 0, "max-file", "BYTES", "recordings: the file's bound (190M; 0: none), kept by making the oldest intervals one", parse_max_file, NULL },
	{ 0, "from", "TIME", "report: from then on; RFC 3339, +SEC behind the start, -SEC before the end", parse_from, NULL },
	{ 0, "to", "TIME", "report: up to then", parse_to, NULL },
	{ 0, "timeline", NULL, "report: a line for each interval", parse_timeline, NULL },
	{ 'v', "verbose", NULL, "every frame, and what is being done", parse_verbose, NULL },
	{ 'q', "quiet", NULL, "no warnings", parse_quiet, NULL },
	{ 0, "no-color", NULL, "no colours (also: NO_COLOR, or a pipe)", parse_no_color, NULL },
	{ 'h', "help", NULL, "this text", parse_help, NULL },
	{ 'V', "version", NULL, "the version", parse_version, NULL },
};

#define NROWS (sizeof(rows) / sizeof(rows[0]))

/* What getopt gives for a row: its letter, or a number above all letters. */
static int getopt_value(size_t row)
{
	return rows[row].letter ? rows[row].letter : 256 + (int)row;
}

static const char *row_help(const struct option_row *row)
{
	return row->help ? row->help : exporter_names();
}

/* The first words; the options that those which are no capture take; and what they do. */
static const struct action_row {
	const char *name;
	enum action action;
	const char *takes; /* NULL: all that a capture does */
	const char *about;
} actions[] = {
	{ "record", ACTION_RECORD, NULL,
	  "writes all to FILE, an SQLite database, every INTERVAL seconds (10), readable while it grows." },
	{ "report", ACTION_REPORT,
	  " from to timeline top sort group-by format output metric verbose quiet no-color help version ",
	  "the same reports and formats from it, on any machine." },
	{ "diff", ACTION_DIFF, " top group-by format output metric verbose quiet no-color help version ",
	  "what changed between recordings, windows of them, or pprof files of memory, also of others." },
	{ "check", ACTION_CHECK, " pid duration source format verbose quiet no-color help version live ",
	  "what this kernel and process allow, what is unsure, and by a trial of SEC (1; 0: none)\n"
	  "what tracing would cost." },
	{ "completion", ACTION_COMPLETION, " help version ", "completions for a shell: source <(allocsnoop completion bash)" },
	{ "man", ACTION_MAN, " help version ", "the manual page." },
};

#define NACTIONS (sizeof(actions) / sizeof(actions[0]))
static const char capture_has_none[] = " from to timeline ";

static const char *const synopsis[] = {
	"-p PID [options] [INTERVAL [COUNT]]",
	"[options] -- COMMAND [ARG...]",
	"record -p PID -o FILE [options] [INTERVAL] | record -o FILE [options] -- COMMAND",
	"report FILE [--from TIME] [--to TIME] [--timeline] [-g -s -m -n --format -o]",
	"diff BEFORE[@FROM..TO] AFTER[@FROM..TO] [-g -n -m --format -o]",
	"check [-p PID] [-d SEC] [--source LIST] [--live] [--format text|json]",
	"completion bash|zsh|fish | man",
	NULL,
};

static const struct options_example examples[] = {
	{ "check -p 1234", "would it work, and what would it cost?" },
	{ "-p 1234", "a report every 5 seconds" },
	{ "-p 1234 -d 30 -o heap.pb.gz", "half a minute, for `go tool pprof`" },
	{ "-p 1234 -d 30 --format folded | flamegraph.pl > alloc.svg", "" },
	{ "--source malloc -- ./program", "its mallocs from the first instruction on" },
	{ "record -p 1234 -o run.db", "all night, for tomorrow:" },
	{ "report run.db --from -600", "its last ten minutes" },
	{ "diff run.db@..+600 run.db@-600..", "what was different from its first ten" },
	{ NULL, NULL },
};

const struct options_text options_text = {
	.synopsis = synopsis,
	.about = "Who allocates in a running Go, C, C++ or Rust process, and what made its RSS grow.\n"
		 "Prints a report every INTERVAL seconds (5) until Ctrl-C, COUNT reports, or -d.\n"
		 "With -o, or a format other than text, and no INTERVAL: one result at the end.\n",
	.examples = examples,
};

bool options_doc(size_t i, struct option_doc *ret)
{
	if (i >= NROWS)
		return false;
	*ret = (struct option_doc){ rows[i].letter, rows[i].name, rows[i].arg, row_help(&rows[i]) };
	return true;
}

const char *options_value(size_t option, size_t i)
{
	if (rows[option].parse == parse_format)
		return exporter_name(i);
	for (const struct word *word = rows[option].words; word && word->name; word++)
		if (i-- == 0)
			return word->name;
	return NULL;
}

const char *options_action(size_t i, enum action *ret_action, const char **ret_about)
{
	if (i >= NACTIONS)
		return NULL;
	*ret_action = actions[i].action;
	*ret_about = actions[i].about;
	return actions[i].name;
}

const char *options_shell(size_t i)
{
	return i + 1 < sizeof(shell_words) / sizeof(shell_words[0]) ? shell_words[i].name : NULL;
}

void options_print_help(FILE *out)
{
	for (size_t i = 0; synopsis[i]; i++)
		fprintf(out, "%s allocsnoop %s\n", i ? "      " : "usage:", synopsis[i]);
	fprintf(out, "\n%s", options_text.about);
	for (size_t i = 0; i < NACTIONS; i++)
		fprintf(out, "%s: %s\n", actions[i].name, actions[i].about);
	fputc('\n', out);
	for (size_t i = 0; i < NROWS; i++) {
		char left[64];

		snprintf(left, sizeof(left), "%c%c%c --%s%s%s", rows[i].letter ? '-' : ' ',
			 rows[i].letter ? rows[i].letter : ' ', rows[i].letter ? ',' : ' ', rows[i].name,
			 rows[i].arg ? " " : "", rows[i].arg ? rows[i].arg : "");
		fprintf(out, "  %-26s %s\n", left, row_help(&rows[i]));
	}
	fputs("\nexamples:\n", out);
	for (const struct options_example *e = examples; e->command; e++)
		fprintf(out, "  allocsnoop %-28s%s%s\n", e->command, e->what[0] ? " " : "", e->what);
}

#define HINT " (allocsnoop -h shows the options)"
#define wrong(err, fmt, ...) err_set(err, FAIL_USAGE, -EINVAL, fmt HINT, ##__VA_ARGS__)

/* The recordings. */
static int parse_files(int argc, char **argv, int at, struct options *o, struct err *err)
{
	int n = o->action == ACTION_DIFF ? 2 : 1;

	if (o->help || o->version)
		return 0;
	for (int i = 0; i < n; i++) {
		if (at + i >= argc && n == 2)
			return wrong(err, "diff takes two recordings or pprof files: BEFORE AFTER");
		if (at + i >= argc)
			return wrong(err, "which recording? report FILE");
		o->files[i] = argv[at + i];
	}
	return at + n < argc ? wrong(err, "'%s' is one word too many", argv[at + n]) : 0;
}

/* The shell of completion; man takes nothing. */
static int parse_shell(int argc, char **argv, int at, struct options *o, struct err *err)
{
	int n = o->action == ACTION_COMPLETION;
	const struct word *word = n && at < argc ? find_word(shell_words, argv[at]) : NULL;

	if (o->help || o->version)
		return 0;
	if (n && !word)
		return wrong(err, "completion is for one of the shells bash, zsh and fish");
	if (word)
		o->shell = word->value;
	return at + n < argc ? wrong(err, "'%s' is one word too many", argv[at + n]) : 0;
}

/* INTERVAL and COUNT. */
static int parse_operands(int argc, char **argv, int at, struct options *o, struct err *err)
{
	if (o->action == ACTION_COMPLETION || o->action == ACTION_MAN)
		return parse_shell(argc, argv, at, o, err);
	if (o->action == ACTION_REPORT || o->action == ACTION_DIFF)
		return parse_files(argc, argv, at, o, err);
	if (at < argc && args_seconds(argv[at], &o->interval_s))
		return wrong(err, "'%s' is no interval: a number of seconds above 0 (to start a program: -- %s)", argv[at],
			     argv[at]);
	if (at + 1 < argc && args_u64(argv[at + 1], 1, 1u << 30, &o->count))
		return wrong(err, "the count '%s' is not a whole number above 0", argv[at + 1]);
	if (at + 2 < argc)
		return wrong(err, "'%s' is one word too many", argv[at + 2]);
	return 0;
}

static bool has_word(const char *words, const char *word)
{
	char padded[40];

	snprintf(padded, sizeof(padded), " %s ", word);
	return strstr(words, padded);
}

static const char *actions_name(enum action action)
{
	for (size_t i = 0; i < NACTIONS; i++)
		if (actions[i].action == action)
			return actions[i].name;
	return "";
}

bool options_takes(enum action action, size_t option)
{
	for (size_t i = 0; i < NACTIONS; i++)
		if (actions[i].action == action && actions[i].takes)
			return has_word(actions[i].takes, rows[option].name);
	return !has_word(capture_has_none, rows[option].name);
}

static int check_takes(const struct options *o, const struct option_row *row, struct err *err)
{
	if (options_takes(o->action, row - rows))
		return 0;
	if (o->action == ACTION_LIVE || o->action == ACTION_RECORD)
		return wrong(err, "--%s is an option of report", row->name);
	return wrong(err, "%s has no option --%s", actions_name(o->action), row->name);
}

bool options_is_recording(const struct options *o, const char *path)
{
	size_t len = strlen(path);

	if (strcmp(path, "-") == 0)
		return false;
	return (len > 3 && strcmp(path + len - 3, ".db") == 0) || (o->action == ACTION_RECORD && !exporter_by_path(path));
}

static bool has_recording(const struct options *o)
{
	for (size_t i = 0; i < o->noutputs; i++)
		if (options_is_recording(o, o->outputs[i]))
			return true;
	return false;
}

static int check_recording(const struct options *o, struct err *err)
{
	bool records = has_recording(o);

	if (o->pushes && o->action != ACTION_LIVE)
		return wrong(err, "--push-pyroscope is for captures with reports, not for record, report, check or diff");
	if (o->action == ACTION_RECORD && !records)
		return wrong(err, "record needs a file to write to: -o FILE");
	if (o->action == ACTION_RECORD && o->count)
		return wrong(err, "record takes no count: -d SEC is how long it records");
	if (!records && (o->when || o->max_file_given))
		return wrong(err, "--%s is for recordings: record, or -o FILE.db", o->when ? "when" : "max-file");
	if (o->around_s > 0 && !o->when)
		return wrong(err, "--around needs --when");
	if (!o->when)
		return 0;
	if (o->condition.metric == CONDITION_HEAP && !o->live)
		return wrong(err, "--when 'heap...' needs --live");
	if ((o->condition.metric == CONDITION_RSS || o->condition.metric == CONDITION_GROWTH) && !o->want_rss)
		return wrong(err, "--when '%s' needs the source rss", o->when);
	return 0;
}

static int check_check(const struct options *o, struct err *err)
{
	if (o->command)
		return wrong(err, "check looks at running processes (-p PID), not at a command");
	if (o->interval_s)
		return wrong(err, "check takes no interval: -d SEC is how long it tries");
	if (o->format && strcmp(o->format->name, "text") != 0 && strcmp(o->format->name, "json") != 0)
		return wrong(err, "check writes text or json, not %s", o->format->name);
	return 0;
}

static int check_exporter(const struct exporter *exporter, struct err *err)
{
	const char *why = exporter && exporter->why_not ? exporter->why_not() : NULL;

	return why ? err_set(err, FAIL_GENERAL, -ENOTSUP, "no %s: %s", exporter->name, why) : 0;
}

/* Can each format be written? Better to know before the capture than at its end. */
static int check_formats(const struct options *o, struct err *err)
{
	int code = check_exporter(o->format, err);

	for (size_t i = 0; i < o->noutputs && !code; i++)
		code = check_exporter(exporter_by_path(o->outputs[i]), err);
	return code;
}

/* Does each output say its format? */
static int check_outputs(const struct options *o, struct err *err)
{
	for (size_t i = 0; i < o->noutputs; i++) {
		bool records = options_is_recording(o, o->outputs[i]);

		if (records && o->action != ACTION_LIVE && o->action != ACTION_RECORD)
			return wrong(err, "a recording is not made from a recording: '%s'", o->outputs[i]);
		if (!records && !o->format && strcmp(o->outputs[i], "-") != 0 && !exporter_by_path(o->outputs[i]))
			return wrong(err, "the format of '%s' is not known by its ending: give --format", o->outputs[i]);
	}
	return 0;
}

static int check(struct options *o, struct err *err)
{
	int code;

	if (o->help || o->version)
		return 0;
	if (o->action == ACTION_CHECK)
		return check_check(o, err);
	if (o->action == ACTION_COMPLETION || o->action == ACTION_MAN)
		return o->command ? wrong(err, "%s starts no command", actions_name(o->action)) : 0;
	code = check_formats(o, err);
	if (code)
		return code;
	if (o->action == ACTION_REPORT || o->action == ACTION_DIFF)
		return o->command ? wrong(err, "%s reads recordings, and starts no command", actions_name(o->action)) :
				    check_outputs(o, err);
	if (!o->npids && !o->command)
		return wrong(err, "say what to attach to: -p PID, or -- COMMAND");
	if (o->mode == MODE_SAMPLED && o->live)
		return wrong(err, "--live needs every allocation: no --mode sampled");
	if (o->mode == MODE_DEFAULT)
		o->mode = o->live ? MODE_EXACT : MODE_AUTO;
	if (o->max_overhead_given && (o->mode == MODE_EXACT || o->live))
		return wrong(err, "%s sees every allocation, whatever it costs: no --max-overhead",
			     o->live ? "--live" : "--mode exact");
	if (o->group == GROUP_ALLOCATION && !(o->want_rss && (o->want_mmap || o->live)))
		return wrong(err, "-g allocation needs the source rss, and --live or the source mmap");
	if (o->tid && o->npids != 1)
		return wrong(err, "-t takes one thread of the one process of -p");
	if (o->metric == METRIC_RSS_BYTES && !o->want_rss)
		return wrong(err, "-m rss_bytes needs the source rss");
	if ((o->metric == METRIC_LIVE_BYTES || o->metric == METRIC_LIVE_OBJECTS || o->sort == SORT_LIVE ||
	     o->sort == SORT_GROWTH) &&
	    !o->live && !(o->want_mmap && o->sort != SORT_GROWTH))
		return wrong(err, "live bytes and objects need --live, or the source mmap");
	if (o->live && !o->want_go && !o->want_malloc)
		return wrong(err, "--live needs the source go or malloc");
	if (!o->live && o->live_rate_given)
		return wrong(err, "--live-rate needs --live");
	if (o->older_s > 0 && !(o->live && o->want_malloc))
		return wrong(err, "--older needs --live and the source malloc");
	if (o->peak && !(o->live && o->want_malloc) && !o->want_rss)
		return wrong(err, "--peak needs the source rss, or --live and the source malloc");
	if (o->peak && (o->block_rate_bytes || o->older_s > 0))
		return wrong(err, "--peak needs every block: no --live-rate, no --older");
	if (o->sort == SORT_PEAK && !o->peak)
		return wrong(err, "-s peak needs --peak");
	if (o->max_blocks && !(o->live && o->want_malloc))
		return wrong(err, "--max-blocks needs --live and the source malloc");
	if (o->live && !o->sort_given)
		o->sort = SORT_LIVE;
	if (o->no_stacks && (!o->want_rss || o->want_go || o->want_malloc || o->want_mmap))
		return wrong(err, "--no-stacks needs --source rss, and no other");
	if (o->no_areas && !o->no_stacks)
		return wrong(err, "--no-areas needs --no-stacks");
	if (o->no_stacks && o->kernel_stacks)
		return wrong(err, "--kernel-stacks and --no-stacks exclude each other");
	if (o->kernel_stacks && !o->want_rss)
		return wrong(err, "--kernel-stacks needs the source rss");
	if (o->npids && o->command)
		return wrong(err, "either -p PID or -- COMMAND, not both");
	if (o->min_size_bytes > o->max_size_bytes)
		return wrong(err, "--min-size is larger than --max-size");
	if (o->command)
		o->follow = true;
	if (check_recording(o, err))
		return -EINVAL;
	if (o->when && !o->around_s)
		o->around_s = AROUND_S;
	return check_outputs(o, err);
}

/* The row of a value that getopt gives. */
static const struct option_row *find_row(int value)
{
	for (size_t i = 0; i < NROWS; i++)
		if (value == getopt_value(i))
			return &rows[i];
	return NULL;
}

static int parse_all(int argc, char **argv, const char *letters, const struct option *longs, struct options *o,
		     struct err *err)
{
	int value;

	while ((value = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		const struct option_row *row = NULL;

		if (value == '?' || value == ':') {
			const char *word = optind > 0 && optind <= argc ? argv[optind - 1] : "";

			row = find_row(optopt);
			if (value == ':' && row)
				return wrong(err, "--%s needs a value: %s", row->name, row->arg);
			if (row)
				return wrong(err, "--%s takes no value", row->name);
			if (optopt) /* a letter; optind is not past its word yet if others follow it */
				return wrong(err, "there is no option '-%c'", optopt);
			return wrong(err, "there is no option '%s'", word);
		}
		row = find_row(value);
		if (check_takes(o, row, err))
			return -EINVAL;
		if (row->parse(o, optarg))
			return wrong(err, "'%s' is not a value of --%s: %s", optarg, row->name,
				     row_help(row));
	}
	return parse_operands(argc, argv, optind, o, err);
}

int options_parse(int argc, char **argv, struct options *ret, struct err *err)
{
	struct options o = { .max_size_bytes = UINT64_MAX, .live_rate_bytes = LIVE_RATE_BYTES, .max_file_bytes = MAX_FILE_BYTES, .top = 10,
			     .max_overhead_pct = 2, .want_go = true, .want_malloc = true, .want_rss = true };
	struct option longs[NROWS + 1] = { 0 };
	char letters[2 * NROWS + 3] = ":", *l = letters + 1;
	int own, code;

	for (size_t i = 0; i < NACTIONS && argc > 1; i++) {
		if (strcmp(argv[1], actions[i].name) != 0)
			continue;
		o.action = actions[i].action;
		o.duration_s = o.action == ACTION_CHECK ? CHECK_DEFAULT_S : 0;
		argc--;
		argv++;
		break;
	}
	own = argc;
	for (size_t i = 0; i < NROWS; i++) {
		longs[i].name = rows[i].name;
		longs[i].has_arg = rows[i].arg ? required_argument : no_argument;
		longs[i].val = getopt_value(i);
		if (!rows[i].letter)
			continue;
		*l++ = rows[i].letter;
		if (rows[i].arg)
			*l++ = ':';
	}
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") != 0)
			continue;
		if (i + 1 == argc)
			return wrong(err, "a command is missing behind --");
		o.command = argv + i + 1;
		own = i;
		break;
	}
	opterr = 0;
	optind = 1;
	code = parse_all(own, argv, letters, longs, &o, err);
	if (!code)
		code = check(&o, err);
	if (code) {
		options_free(&o);
		return code;
	}
	*ret = o;
	return 0;
}

bool options_color(const struct options *o)
{
	const char *no_color = getenv("NO_COLOR");

	return !o->no_color && !(no_color && no_color[0]) && isatty(STDOUT_FILENO);
}

void options_free(struct options *opts)
{
	free(opts->pids);
	opts->pids = NULL;
}
