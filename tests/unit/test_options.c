// SPDX-License-Identifier: GPL-2.0-or-later
/* Command lines, good and bad, and what is made of them. */
#include "cmd/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

#include "test.h"

#define MAX_ARGS 40

struct line {
	char *argv[MAX_ARGS + 1];
	int argc;
	char *text;
};

/* Words of @text, which are separated by blanks; '' is an empty word. */
static void line__split(struct line *l, const char *text)
{
	char *save = NULL;

	*l = (struct line){ .text = strdup(text) };
	l->argv[l->argc++] = (char[]){ "allocsnoop" };
	l->argv[0] = strdup("allocsnoop");
	for (char *w = strtok_r(l->text, " ", &save); w && l->argc < MAX_ARGS; w = strtok_r(NULL, " ", &save))
		l->argv[l->argc++] = strcmp(w, "''") ? w : w + 2;
	/* getopt remembers where it stopped in a word of an earlier line. */
	optind = 0;
	opterr = 0;
	getopt(1, l->argv, "");
}

static void line__free(struct line *l)
{
	free(l->argv[0]);
	free(l->text);
}

static int parse(const char *text, struct line *l, struct options *opts, struct err *err)
{
	line__split(l, text);
	memset(err, 0, sizeof(*err));
	return options_parse(l->argc, l->argv, opts, err);
}

struct bad {
	const char *line;
	const char *says; /* a part of the message */
};

static const struct bad bad_lines[] = {
	{ "completion", "one of the shells bash, zsh and fish" },
	{ "completion tcsh", "one of the shells bash, zsh and fish" },
	{ "completion bash zsh", "'zsh' is one word too many" },
	{ "completion -p 1 bash", "completion has no option --pid" },
	{ "completion bash -- true", "completion starts no command" },
	{ "man 8", "'8' is one word too many" },
	{ "man -p 1", "man has no option --pid" },
	{ "record -p 1", "record needs a file" },
	{ "record -p 1 -o x.json", "record needs a file" },
	{ "record -p 1 -o x.db 1 5", "record takes no count" },
	{ "record -p 1 -o x.db --when rss", "'rss' is not a value of --when" },
	{ "record -p 1 -o x.db --when heap>1G", "needs --live" },
	{ "record -p 1 -o x.db --source go --when rss>1G", "needs the source rss" },
	{ "record -p 1 -o x.db --around 5", "--around needs --when" },
	{ "record -p 1 -o x.db --max-file 4K", "'4K' is not a value of --max-file" },
	{ "record -p 1 -o x.db --from +1", "--from is an option of report" },
	{ "-p 1 --max-file 1G", "--max-file is for recordings" },
	{ "-p 1 -o x.json --when rss>1G", "--when is for recordings" },
	{ "report", "which recording" },
	{ "diff x.db", "diff takes two recordings" },
	{ "diff x.db y.db z.db", "'z.db' is one word too many" },
	{ "diff x.db y.db --from +1", "diff has no option --from" },
	{ "report x.db y.db", "'y.db' is one word too many" },
	{ "report x.db --live", "report has no option --live" },
	{ "report x.db --from yesterday", "'yesterday' is not a value of --from" },
	{ "report x.db -o y.db", "a recording is not made from a recording" },
	{ "report x.db -- ls", "starts no command" },
	{ "", "-p PID" },
	{ "-v", "-p PID" },
	{ "-p", "--pid needs a value" },
	{ "--pid", "--pid needs a value" },
	{ "-p ''", "--pid" },
	{ "-p 0", "'0' is not a value of --pid" },
	{ "-p -1", "'-1' is not a value of --pid" },
	{ "-p x", "'x' is not a value of --pid" },
	{ "-p 1,", "'1,' is not a value of --pid" },
	{ "-p ,1", "--pid" },
	{ "-p 1,,2", "--pid" },
	{ "-p 4194305", "--pid" },
	{ "-p 99999999999999999999", "--pid" },
	{ "-p 1x", "--pid" },
	{ "-p 0x10", "--pid" },
	{ "-p 1 --", "command is missing" },
	{ "--", "command is missing" },
	{ "-p 1 -- ls", "not both" },
	{ "-p 1 0", "'0' is no interval" },
	{ "-p 1 -- ", "command is missing" },
	{ "-p 1 five", "'five' is no interval" },
	{ "-p 1 1e3", "'1e3' is no interval" },
	{ "-p 1 5 0", "count '0'" },
	{ "-p 1 5 1.5", "count '1.5'" },
	{ "-p 1 5 2 3", "'3' is one word too many" },
	{ "-p 1 -d", "--duration needs a value" },
	{ "-p 1 -d 0", "'0' is not a value of --duration" },
	{ "-p 1 -d -5", "--duration" },
	{ "-p 1 -d 10s", "--duration" },
	{ "-p 1 --duration=nan", "--duration" },
	{ "-p 1 --duration=inf", "--duration" },
	{ "-p 1 -t 0", "--tid" },
	{ "-p 1 -t one", "--tid" },
	{ "-p 1,2 -t 1", "-t takes one thread" },
	{ "-p 1 -n 0", "--top" },
	{ "-p 1 -n -1", "--top" },
	{ "-p 1 --min-size 1X", "--min-size" },
	{ "-p 1 --min-size -1", "--min-size" },
	{ "-p 1 --min-size 2K --max-size 1K", "--min-size is larger than --max-size" },
	{ "-p 1 --max-size 17179869184G", "--max-size" },
	{ "-p 1 -s size", "'size' is not a value of --sort" },
	{ "-p 1 -s ''", "--sort" },
	{ "-p 1 -s BYTES", "--sort" },
	{ "-p 1 -g thread", "--group-by" },
	{ "-p 1 -m bytes", "--metric" },
	{ "-p 1 --mode fast", "'fast' is not a value of --mode" },
	{ "-p 1 --source heap", "'heap' is not a value of --source" },
	{ "-p 1 --source go,", "--source" },
	{ "-p 1 --source ,go", "--source" },
	{ "-p 1 --source ''", "--source" },
	{ "-p 1 --source gomalloc", "--source" },
	{ "-p 1 --format xml", "'xml' is not a value of --format" },
	{ "-p 1 --format ''", "--format" },
	{ "-p 1 -o ''", "--output" },
	{ "-p 1 -o", "--output needs a value" },
	{ "-p 1 -o result", "'result' is not known by its ending" },
	{ "-p 1 -o result.xml", "give --format" },
	{ "-p 1 -o a.json -o b", "'b'" },
	{ "-p 1 -o json", "'json'" },
	{ "--bogus -p 1", "'--bogus'" },
	{ "-p 1 --bogus=3", "'--bogus=3'" },
	{ "-p 1 -Z", "'-Z'" },
	{ "-p 1 -vZ", "'-Z'" },
	{ "-p 1 -Zv", "'-Z'" },
	{ "-p 1 --follow=yes", "--follow takes no value" },
	{ "-p 1 --m", "'--m'" }, /* min-size, max-size, metric, mode */
	{ "-p 1 --help=x", "--help takes no value" },
	{ "check -p 0", "'0' is not a value of --pid" },
	{ "check -p 1 -o x.json", "check has no option --output" },
	{ "check -p 1 -n 3", "check has no option --top" },
	{ "check -p 1 -d -1", "'-1' is not a value of --duration" },
	{ "-p 1 --peak --source malloc", "--peak needs the source rss, or --live" },
	{ "-p 1 --peak --source go --live", "--peak needs the source rss, or --live and the source malloc" },
	{ "-p 1 -s peak", "-s peak needs --peak" },
	{ "-p 1 --no-stacks", "--no-stacks needs --source rss, and no other" },
	{ "-p 1 --no-stacks --source malloc,rss", "--no-stacks needs --source rss, and no other" },
	{ "-p 1 --no-areas --source rss", "--no-areas needs --no-stacks" },
	{ "-p 1 --no-stacks --source rss --kernel-stacks", "exclude each other" },
	{ "check -p 1 5", "check takes no interval" },
	{ "check -p 1 --format folded", "text or json, not folded" },
	{ "check -- ls", "not at a command" },
	{ "check check", "'check' is no interval" },
	{ "-p 1 check", "'check' is no interval" },
	{ "-p 1 -d 0 check", "'0' is not a value of --duration" },
};

TEST(bad_lines)
{
	for (size_t i = 0; i < sizeof(bad_lines) / sizeof(bad_lines[0]); i++) {
		struct options opts = { .top = 4242 };
		struct line l;
		struct err err;
		bool ok = CHECK_INT(parse(bad_lines[i].line, &l, &opts, &err), -EINVAL);

		ok = CHECK_INT(err.kind, FAIL_USAGE) && ok;
		if (!strstr(err.msg, bad_lines[i].says))
			ok = CHECK_STR(err.msg, bad_lines[i].says);
		/* It says how to go on, and nothing was written into the result. */
		ok = CHECK(strstr(err.msg, "allocsnoop -h")) && CHECK(!strchr(err.msg, '\n')) && ok;
		ok = CHECK_INT(opts.top, 4242) && CHECK(!opts.pids) && ok;
		if (!ok)
			fprintf(stderr, "  in: allocsnoop %s: %s\n", bad_lines[i].line, err.msg);
		line__free(&l);
	}
}

/* Parses or fails the test. */
static bool good(const char *text, struct line *l, struct options *opts)
{
	struct err err;

	*opts = (struct options){ 0 };
	if (CHECK_INT(parse(text, l, opts, &err), 0) && CHECK_INT(err.kind, FAIL_NONE))
		return true;
	fprintf(stderr, "  in: allocsnoop %s: %s\n", text, err.msg);
	line__free(l);
	return false;
}

static void done(struct line *l, struct options *opts)
{
	options_free(opts);
	CHECK(!opts->pids);
	line__free(l);
}

TEST(defaults)
{
	struct options o;
	struct line l;

	if (!good("-p 1234", &l, &o))
		return;
	CHECK_INT(o.npids, 1);
	CHECK_INT(o.pids[0], 1234);
	CHECK(!o.command && !o.follow && !o.tid && !o.count && !o.format && !o.noutputs);
	CHECK(o.duration_s == 0 && o.interval_s == 0);
	CHECK_INT(o.min_size_bytes, 0);
	CHECK(o.max_size_bytes == UINT64_MAX);
	CHECK_INT(o.top, 10);
	CHECK_INT(o.sort, SORT_BYTES);
	CHECK_INT(o.group, GROUP_STACK);
	CHECK_INT(o.metric, METRIC_ALLOC_BYTES);
	CHECK(o.want_go && o.want_malloc && o.want_rss && !o.source_given);
	CHECK(!o.want_mmap); /* it costs the whole host: only when named */
	CHECK(!o.verbose && !o.quiet && !o.no_color && !o.help && !o.version);
	done(&l, &o);
}

TEST(every_option)
{
	struct options o;
	struct line l;

	if (!good("-p 1,22,333,22 -d 1.5 -f --min-size 4K --max-size 1MiB --source rss,go --mode exact -n 25 -s waste"
		  " -g line --format folded -o x -o - -m rss_bytes -v -q --no-color .25 12", &l, &o))
		return;
	CHECK_INT(o.npids, 3);
	CHECK_INT(o.pids[2], 333);
	CHECK(o.duration_s == 1.5 && o.interval_s == 0.25);
	CHECK_INT(o.count, 12);
	CHECK(o.follow && o.verbose && o.quiet && o.no_color && o.source_given);
	CHECK_INT(o.min_size_bytes, 4096);
	CHECK_INT(o.max_size_bytes, 1 << 20);
	CHECK(o.want_go && !o.want_malloc && o.want_rss);
	CHECK_INT(o.top, 25);
	CHECK_INT(o.sort, SORT_WASTE);
	CHECK_INT(o.group, GROUP_LINE);
	CHECK_INT(o.metric, METRIC_RSS_BYTES);
	CHECK(o.format == exporter_by_name("folded"));
	CHECK_INT(o.noutputs, 2);
	CHECK_STR(o.outputs[0], "x");
	CHECK_STR(o.outputs[1], "-");
	done(&l, &o);
}

/* Of RSS, of live blocks, or of both. */
TEST(peaks)
{
	static const char *const lines[] = { "-p 1 --peak", "-p 1 --peak --source rss -s peak", "-p 1 --live --peak",
					     "-p 1 --live --peak --source malloc" };
	struct options o;
	struct line l;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (!good(lines[i], &l, &o))
			continue;
		CHECK(o.peak);
		done(&l, &o);
	}
}

TEST(long_forms_and_order)
{
	struct options o;
	struct line l;

	/* Operands may stand before options, values behind '='. */
	if (!good("2 3 --pid=5 --duration=10 --tid=6 --follow --top=1 --sort=objects --group-by=module --format=json"
		  " --output=- --metric=alloc_objects --verbose --quiet", &l, &o))
		return;
	CHECK_INT(o.pids[0], 5);
	CHECK(o.interval_s == 2 && o.duration_s == 10);
	CHECK_INT(o.count, 3);
	CHECK_INT(o.tid, 6);
	CHECK_INT(o.top, 1);
	CHECK_INT(o.sort, SORT_OBJECTS);
	CHECK_INT(o.group, GROUP_MODULE);
	CHECK_INT(o.metric, METRIC_ALLOC_OBJECTS);
	done(&l, &o);
}

TEST(words_of_each_set)
{
	static const struct {
		const char *option;
		const char *words[8];
	} sets[] = {
		{ "-s", { "bytes", "objects", "rss", "waste", "rate" } },
		{ "-g", { "stack", "func", "line", "module" } },
		{ "-m", { "alloc_bytes", "alloc_objects", "rss_bytes" } },
		{ "--mode", { "auto", "exact" } },
		{ "--format", { "text", "folded", "pprof", "json" } },
		{ "--source", { "go", "malloc", "rss", "mmap", "go,malloc", "malloc,go,rss", "go,malloc,mmap,rss" } },
	};
	struct options o;
	struct line l;
	char text[128];

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		for (const char *const *word = sets[i].words; *word; word++) {
			snprintf(text, sizeof(text), "-p 1 %s %s", sets[i].option, *word);
			if (good(text, &l, &o))
				done(&l, &o);
		}
}

TEST(format_follows_from_the_ending)
{
	static const char *const names[] = { "a.folded", "a.pb.gz", "a.json", "/tmp/x.y/b.json", "-" };
	struct options o;
	struct line l;
	char text[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(text, sizeof(text), "-p 1 -o %s", names[i]);
		if (!good(text, &l, &o))
			continue;
		CHECK(!o.format);
		CHECK_STR(o.outputs[0], names[i]);
		done(&l, &o);
	}
	/* With --format any name will do. */
	if (good("-p 1 --format json -o result", &l, &o))
		done(&l, &o);
}

TEST(commands)
{
	struct options o;
	struct line l;

	if (good("-- ls", &l, &o)) {
		CHECK_STR(o.command[0], "ls");
		CHECK(!o.command[1]);
		CHECK(o.follow); /* on with a command */
		CHECK_INT(o.npids, 0);
		done(&l, &o);
	}
	/* What is behind -- is the command's, also what looks like an option of ours. */
	if (good("-n 3 2 5 -- prog -p 77 --bogus -- x", &l, &o)) {
		static const char *const want[] = { "prog", "-p", "77", "--bogus", "--", "x" };

		CHECK_INT(o.top, 3);
		CHECK(o.interval_s == 2);
		CHECK_INT(o.count, 5);
		for (size_t i = 0; i < 6; i++)
			CHECK_STR(o.command[i], want[i]);
		CHECK(!o.command[6]);
		done(&l, &o);
	}
	if (good("--source malloc -- ./program", &l, &o)) {
		CHECK(!o.want_go && o.want_malloc && !o.want_rss);
		done(&l, &o);
	}
}

TEST(help_and_version_need_no_target)
{
	struct options o;
	struct line l;

	if (good("-h", &l, &o)) {
		CHECK(o.help);
		done(&l, &o);
	}
	if (good("--version", &l, &o)) {
		CHECK(o.version);
		done(&l, &o);
	}
	if (good("-V -p 1", &l, &o))
		done(&l, &o);
}

TEST(check_command)
{
	struct options o;
	struct line l;

	if (good("check", &l, &o)) {
		CHECK(o.action == ACTION_CHECK && !o.npids && o.duration_s == 1.0 && !o.format);
		done(&l, &o);
	}
	if (good("check -p 7,8 -d 0 --format json --source go -v", &l, &o)) {
		CHECK(o.action == ACTION_CHECK && o.duration_s == 0 && o.verbose && o.want_go && !o.want_malloc);
		CHECK_INT(o.npids, 2);
		CHECK_STR(o.format->name, "json");
		done(&l, &o);
	}
	if (good("check -d 2.5 -p 7", &l, &o)) {
		CHECK(o.duration_s == 2.5);
		done(&l, &o);
	}
	/* Only as the first word: a program may be called that. */
	if (good("-- check -p 7", &l, &o)) {
		CHECK(o.action == ACTION_LIVE && !o.npids);
		CHECK_STR(o.command[0], "check");
		done(&l, &o);
	}
}

TEST(many_outputs)
{
	char text[512] = "-p 1";
	struct options o;
	struct line l;
	struct err err;

	for (int i = 0; i < MAX_OUTPUTS; i++)
		strcat(text, " -o a.json");
	if (good(text, &l, &o)) {
		CHECK_INT(o.noutputs, MAX_OUTPUTS);
		done(&l, &o);
	}
	strcat(text, " -o a.json");
	CHECK_INT(parse(text, &l, &o, &err), -EINVAL);
	CHECK_INT(err.kind, FAIL_USAGE);
	line__free(&l);
}

/* The last one given counts, and the first list is not lost memory. */
TEST(given_twice)
{
	struct options o;
	struct line l;

	if (good("-p 1,2 -p 3 -n 4 -n 5 --source go --source rss", &l, &o)) {
		CHECK_INT(o.npids, 1);
		CHECK_INT(o.pids[0], 3);
		CHECK_INT(o.top, 5);
		CHECK(!o.want_go && o.want_rss);
		done(&l, &o);
	}
}

/* The names that scripts rely on are all in the help, in lines that fit a terminal. */
TEST(help_text)
{
	static const char *const names[] = { "-p, --pid",    "-d, --duration", "-t, --tid",	 "-f, --follow",  "--min-size",
					     "--max-size",   "-n, --top",      "-s, --sort",	 "-g, --group-by", "--source",
					     "--mode",	     "--format",       "-o, --output",	 "-m, --metric",  "-v, --verbose",
					     "-q, --quiet",  "--no-color",     "-h, --help",	 "-V, --version", "-- COMMAND",
					     "INTERVAL",     "allocsnoop check" };
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!CHECK(out))
		return;
	options_print_help(out);
	fclose(out);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strstr(text, names[i]))
			CHECK_STR("(not in the help)", names[i]);
	free(text);
}

TEST(recordings)
{
	struct options o;
	struct err err;
	struct line l;

	if (CHECK_INT(parse("record -p 1 -o run --when rss>2G -o all.json 2", &l, &o, &err), 0)) {
		CHECK_INT(o.action, ACTION_RECORD);
		CHECK(options_is_recording(&o, "run") && !options_is_recording(&o, "all.json") && !options_is_recording(&o, "-"));
		CHECK(o.around_s == 60 && o.interval_s == 2 && o.condition.bytes == 2ull << 30);
		options_free(&o);
	}
	line__free(&l);
	if (CHECK_INT(parse("-p 1 -o run.db --max-file 1M", &l, &o, &err), 0)) {
		CHECK(options_is_recording(&o, "run.db") && !options_is_recording(&o, "run"));
		CHECK_INT(o.max_file_bytes, 1 << 20);
		CHECK(o.max_file_given);
		options_free(&o);
	}
	line__free(&l);
	if (CHECK_INT(parse("report run.db --from +30 --to -60 --timeline", &l, &o, &err), 0)) {
		CHECK_STR(o.files[0], "run.db");
		CHECK(o.timeline && o.window.from.kind == WHEN_AFTER_START && o.window.to.kind == WHEN_BEFORE_END);
		options_free(&o);
	}
	line__free(&l);
}

TEST_MAIN()
