// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One made-up profile through every format. Text and folded are compared with tests/golden/ (look
 * at the difference, then UPDATE_GOLDEN=1 writes them anew); JSON and pprof are judged by
 * python3 and go, which share no code with us.
 */
#include "export/export.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"
#include "export/group.h"
#include "profile/labels.h"
#include "test.h"

#define HOSTILE "evil\033[31m;na\nme\xe2\x80\xae\xff"

/* Counts of a source that allocates. */
#define ALLOCATED(objects, bytes, requested)                                                                            \
	((struct prof_counts){ .alloc_objects = (objects), .alloc_bytes = (bytes), .requested_bytes = (requested) })

static const struct export_opts defaults = { .tool = "allocsnoop 0.1.0", .window = WINDOW_ALL, .top = 10, .width = 100,
					     .report_nr = 1 };

/* tests/golden/NAME */
static const char *golden_path(char buf[512], const char *name)
{
	const char *slash = strrchr(__FILE__, '/');

	snprintf(buf, 512, "%.*s../golden/%s", slash ? (int)(slash - __FILE__ + 1) : 0, __FILE__, name);
	return buf;
}

/* ---- the profile ---- */

static uint32_t add_module(struct profile *p, const char *path, const char *build_id, uint64_t start)
{
	const char *slash = strrchr(path, '/');

	return profile__add_module(p, &(struct prof_module){ .path = strtab__adds(p->strs, path),
							     .name = strtab__adds(p->strs, slash ? slash + 1 : path),
							     .build_id = strtab__adds(p->strs, build_id),
							     .start = start,
							     .end = start + 0x100000,
							     .file_off = 0x1000 });
}

/* A location of one frame, or, with @inlined, of two. @func NULL: no symbol. */
static uint32_t add_loc(struct profile *p, uint32_t module, uint64_t vaddr, const char *inlined, const char *func,
			const char *file, uint32_t line, uint32_t flags)
{
	uint32_t loc = profile__add_loc(p, module, vaddr, vaddr + 0x10000000);
	struct prof_frame frames[2] = { { 0 } };
	uint32_t n = 0;

	if (inlined)
		frames[n++] = (struct prof_frame){ strtab__adds(p->strs, inlined), strtab__adds(p->strs, file), line + 1,
						   FRAME_INLINED };
	if (func)
		frames[n++] = (struct prof_frame){ strtab__adds(p->strs, func), strtab__adds(p->strs, file), line, flags };
	CHECK_INT(profile__set_frames(p, loc, frames, n), 0);
	return loc;
}

static void add_row(struct profile *p, uint32_t pid, enum source source, const char *type, uint32_t stack,
		    struct prof_counts counts)
{
	struct prof_context context = { .typing = *type ? TYPING_KNOWN : TYPING_NONE, .creator = PROF_NONE };
	uint32_t row;

	context.type_vaddr = strtab__adds(p->strs, type);
	row = profile__add_row(p, pid, source, profile__add_context(p, &context), stack);
	p->rows[row].type = strtab__adds(p->strs, type);
	p->rows[row].total = counts;
}

static void add_stacks(struct profile *p, uint32_t pid)
{
	uint32_t libc = add_module(p, "/usr/lib/libc.so.6", "c0ffee", 0x7f0000000000);
	uint32_t exe = add_module(p, "/usr/bin/prometheus", "0123abcd", 0x400000);
	uint32_t mallocgc = add_loc(p, exe, 0x1000, NULL, "runtime.mallocgc", "/go/src/runtime/malloc.go", 900, FRAME_PLUMBING);
	uint32_t makeslice = add_loc(p, exe, 0x1100, NULL, "runtime.makeslice", "/go/src/runtime/slice.go", 103, FRAME_PLUMBING);
	uint32_t fill = add_loc(p, exe, 0x2000, "main.grow", "main.fill", "/src/app/main.go", 42, 0);
	uint32_t handle = add_loc(p, exe, 0x2100, NULL, "main.handle", "/src/app/main.go", 77, 0);
	uint32_t serve = add_loc(p, exe, 0x2200, NULL,
				 "github.com/prometheus/prometheus/tsdb/a/very/long/package/path/indeed/index.(*MemPostings).AddEverythingAtOnce",
				 "/src/http/server.go", 2109, 0);
	uint32_t goexit = add_loc(p, exe, 0x2300, NULL, "runtime.goexit", "/go/src/runtime/asm_amd64.s", 1594, FRAME_PLUMBING);
	uint32_t malloc_ = add_loc(p, libc, 0x9000, NULL, "malloc", "", 0, FRAME_PLUMBING);
	uint32_t evil = add_loc(p, exe, 0x3000, NULL, HOSTILE, HOSTILE, 1, 0);
	uint32_t naked = add_loc(p, libc, 0x9abc, NULL, NULL, NULL, 0, 0);
	uint32_t jit = add_loc(p, PROF_NONE, 0x5555, NULL, NULL, NULL, 0, 0);
	uint32_t deep[14] = { mallocgc, fill, handle, serve, handle, serve, handle, serve, handle, serve, handle, serve, goexit };
	uint32_t a = profile__add_stack(p, (uint32_t[]){ mallocgc, makeslice, fill, handle, serve, goexit }, 6, 0);
	uint32_t b = profile__add_stack(p, deep, 13, STACK_TRUNCATED);
	uint32_t c = profile__add_stack(p, (uint32_t[]){ malloc_, evil, naked, jit }, 4, STACK_BROKEN);
	uint32_t d = profile__add_stack(p, NULL, 0, STACK_LOST);
	uint32_t e = profile__add_stack(p, (uint32_t[]){ mallocgc, goexit }, 2, 0);
	uint32_t kswapd = profile__add_loc(p, PROF_NONE, 99, 99), others;
	const struct prof_frame frame = { .func = strtab__adds(p->strs, "[kernel: kswapd]") };

	profile__set_frames(p, kswapd, &frame, 1);
	others = profile__add_stack(p, &kswapd, 1, STACK_OTHERS);
	add_row(p, pid, SOURCE_GO, "[]uint8", a, ALLOCATED(1000, 96000000, 90000000));
	add_row(p, pid, SOURCE_GO, "main.T", a, ALLOCATED(234, 4000000, 4000000));
	add_row(p, pid, SOURCE_GO, "map[string]" HOSTILE, b, ALLOCATED(1234567, 50000000, 50000000));
	add_row(p, pid, SOURCE_GO, "", e, ALLOCATED(5, 80, 75));
	add_row(p, pid, SOURCE_MALLOC, "", c, ALLOCATED(77, 7700, 7700));
	add_row(p, pid, SOURCE_MALLOC, "", d, ALLOCATED(3, 300, 300));
	add_row(p, pid, SOURCE_GO, "never", c, (struct prof_counts){ 0 });
	add_row(p, pid, SOURCE_RSS, "Go heap", a, (struct prof_counts){ .rss[RSS_ANON] = { 6 << 20, 1 << 20 } });
	add_row(p, pid, SOURCE_RSS, "", c, (struct prof_counts){ .rss[RSS_FILE] = { 4096, 0 } });
	add_row(p, pid, SOURCE_RSS, "", b, (struct prof_counts){ .rss[RSS_ANON] = { 4096, 12288 } });
	add_row(p, pid, SOURCE_RSS, "", others, (struct prof_counts){ .rss[RSS_ANON] = { 0, 8192 }, .rss[RSS_SWAP] = { 8192, 0 } });
}

static void set_live(struct profile *p, uint32_t row, double objects, double bytes, double objects_var, double bytes_var)
{
	struct prof_counts *c = &p->rows[row].total;

	c->live_objects = objects;
	c->live_bytes = bytes;
	c->live_objects_var = objects_var;
	c->live_bytes_var = bytes_var;
}

/* Everything but rows. */
static struct profile *make_heading(void)
{
	struct profile *p = NULL;
	struct prof_target *t;

	if (!CHECK_INT(profile__new(&p), 0))
		exit(1);
	strcpy(p->kernel, "6.1.0");
	p->start_unix_ns = 1700000000000000000;
	p->now_unix_ns = 1700000005000000000;
	profile__add_target(p, 1234);
	t = &p->targets[0];
	t->comm = strtab__adds(p->strs, "prometheus");
	t->exe = strtab__adds(p->strs, "/usr/bin/prometheus");
	t->runtime = strtab__adds(p->strs, "go1.19.8");
	t->rss_start_bytes = t->rss_marked_bytes = 80 << 20;
	t->rss_now_bytes = 86 << 20;
	t->cpu_ns = 10000000000;
	p->cost = (struct prof_cost){ 1200000, 250000000, 60000000 };
	p->has_source[SOURCE_GO] = p->has_source[SOURCE_MALLOC] = p->has_source[SOURCE_RSS] = true;
	p->rss_method = RSS_BY_COUNTERS;
	p->has_rss_kinds = true;
	p->has_hugetlb = true;
	p->rss_kinds[RSS_ANON] = (struct prof_rss_kind){ 50 << 20, 50 << 20, 55 << 20 };
	p->rss_kinds[RSS_FILE] = (struct prof_rss_kind){ 30 << 20, 30 << 20, 31 << 20 };
	profile__loss(p, "site_map_full", "some stacks' counts are too low")->count = 1234;
	profile__loss(p, "ring_drop", "RSS changes were not seen");
	return p;
}

static struct profile *make_profile(void)
{
	struct profile *p = make_heading();

	add_stacks(p, 1234);
	return p;
}

/*
 * The same, with what is still there: of a stack that allocated less than others most; of one that did not
 * allocate at all since; and rounding's rest of what is gone, on either side of 0.
 */
static struct profile *make_live_profile(void)
{
	struct profile *p = make_profile();
	uint32_t stack = p->rows[0].stack;

	p->hugetlb_bytes = 4 << 20;
	p->live[SOURCE_GO] = (struct prof_live){ .measured = true, .how = "by mark bits, since the attach", .rate_bytes = 65536,
						 .samples = 1234, .unjudged_bytes = 3 << 20, .unsure = 7 };
	set_live(p, 0, 10.4, 2000000.6, 25, 1e10);
	set_live(p, 1, 200, 8000000, 400, 4e10);
	set_live(p, 2, 1e-9, 1e-7, 1e-9, 1e-7);
	set_live(p, 3, -1e-9, -1e-7, -1e-9, -1e-7);
	set_live(p, 6, -0.3, -5, -1, -1);
	add_row(p, 1234, SOURCE_GO, "*only.before", stack, (struct prof_counts){ 0 });
	set_live(p, p->nrows - 1, 3, 4096, 0, 0);
	return p;
}

static void follow_every_object(struct profile *p)
{
	for (uint32_t i = 0; i < p->nrows; i++)
		p->rows[i].total.live_bytes_var = p->rows[i].total.live_objects_var = 0;
}

/* A second interval: some more of one stack, a new one of its type. */
static void advance(struct profile *p)
{
	profile__mark(p);
	p->now_unix_ns += 2500000000;
	p->rows[0].total.alloc_objects += 10;
	p->rows[0].total.alloc_bytes += 1000;
	p->rows[0].total.requested_bytes += 900;
	p->targets[0].rss_now_bytes -= 1 << 20;
	p->targets[0].cpu_ns += 1000000000;
	p->cost.hits += 100;
	p->cost.trap_ns += 1000000;
}

/* ---- a profile with contexts ---- */

/* NULL: none. */
struct ctx {
	const char *type;
	uint32_t creator;
	const char *labels[4]; /* key, value, ... */
};

static void add_ctx_row(struct profile *p, const struct ctx *ctx, uint32_t stack, struct prof_counts counts,
			uint64_t goroutines)
{
	struct prof_context context = { .typing = ctx->type ? TYPING_KNOWN : TYPING_UNKNOWN, .creator = ctx->creator };
	struct event_label labels[2];
	uint32_t n = 0, row;

	for (; n < 2 && ctx->labels[2 * n]; n++)
		labels[n] = (struct event_label){ ctx->labels[2 * n], ctx->labels[2 * n + 1] };
	context.labels = labels_add(p->strs, labels, n);
	context.type_vaddr = ctx->type ? strtab__adds(p->strs, ctx->type) : 0;
	row = profile__add_row(p, 1234, SOURCE_GO, profile__add_context(p, &context), stack);
	p->rows[row].type = ctx->type ? strtab__adds(p->strs, ctx->type) : 0;
	p->rows[row].total = counts;
	p->rows[row].goroutines = goroutines;
}

/* Two stacks; goroutines of three statements, of the first, and of none; labels good and bad. */
static struct profile *make_context_profile(void)
{
	struct profile *p = make_heading();
	uint32_t exe = add_module(p, "/usr/bin/prometheus", "0123abcd", 0x400000);
	uint32_t door = add_loc(p, exe, 0x1000, NULL, "runtime.mallocgc", "/go/src/runtime/malloc.go", 900, FRAME_PLUMBING);
	uint32_t fill = add_loc(p, exe, 0x2000, NULL, "main.fill", "/src/app/main.go", 42, 0);
	uint32_t serve = add_loc(p, exe, 0x6000, NULL, "net/http.(*Server).Serve", "/go/src/net/http/server.go", 3285, 0);
	uint32_t first = add_loc(p, exe, 0x6100, NULL, "runtime.rt0_go.abi0", "/go/src/runtime/asm_amd64.s", 344, FRAME_PLUMBING);
	uint32_t evil = add_loc(p, exe, 0x6200, NULL, HOSTILE, HOSTILE, 7, 0);
	uint32_t naked = add_loc(p, exe, 0x6300, NULL, NULL, NULL, 0, 0);
	uint32_t a = profile__add_stack(p, (uint32_t[]){ door, fill }, 2, 0);
	uint32_t b = profile__add_stack(p, (uint32_t[]){ door, serve }, 2, 0);

	p->has_source[SOURCE_MALLOC] = p->has_source[SOURCE_RSS] = false;
	p->rss_method = RSS_NOT_WATCHED;
	p->has_goroutines = true;
	add_ctx_row(p, &(struct ctx){ "[]uint8", serve, { "handler", "/api", "code", "200" } }, a,
		    ALLOCATED(1000, 64000, 60000), 12);
	add_ctx_row(p, &(struct ctx){ "main.T", serve, { "handler", "/api", "code", "200" } }, a,
		    ALLOCATED(500, 16000, 16000), 1200);
	add_ctx_row(p, &(struct ctx){ "main.T", first, { "handler", "/metrics" } }, a, ALLOCATED(10, 320, 320), 1);
	add_ctx_row(p, &(struct ctx){ "main.T", serve, { NULL } }, b, ALLOCATED(100, 3200, 3200), 0);
	add_ctx_row(p, &(struct ctx){ "map[string]" HOSTILE, evil, { HOSTILE, HOSTILE } }, b,
		    ALLOCATED(7, 700, 700), 1);
	add_ctx_row(p, &(struct ctx){ "chan int", naked, { "", "a key that could not be read" } }, b,
		    ALLOCATED(2, 200, 200), 2);
	add_ctx_row(p, &(struct ctx){ NULL, PROF_NONE, { "an empty value", "" } }, b, ALLOCATED(1, 16, 16), 0);
	return p;
}

/* ---- helpers ---- */

/* Output of @format; the caller frees it. */
static char *export_to(const struct profile *p, const char *format, const struct export_opts *opts, size_t *ret_len)
{
	const struct exporter *exporter = exporter_by_name(format);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	CHECK(exporter && exporter->write(p, opts, out) == 0);
	fclose(out);
	if (ret_len)
		*ret_len = len;
	return text;
}

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	if (f) {
		if (fread(text, 1, (1 << 20) - 1, f) == 0)
			text[0] = 0;
		fclose(f);
	}
	return text;
}

static void check_golden(const char *name, const char *got)
{
	char path[512];
	char *want;
	FILE *f;

	golden_path(path, name);
	if (getenv("UPDATE_GOLDEN")) {
		f = fopen(path, "w");
		if (CHECK(f)) {
			fputs(got, f);
			fclose(f);
		}
	}
	want = read_file(path);
	if (strcmp(got, want) != 0) {
		fprintf(stderr, "differs from %s, is:\n%s", path, got);
		test_fail(__FILE__, __LINE__, "golden file");
	}
	free(want);
}

/* No byte of it may do anything to a terminal; only @color lets SGR sequences pass. */
static void check_terminal_safe(const char *text, bool color)
{
	uint32_t cp;

	while (*text) {
		if (color && strncmp(text, "\033[", 2) == 0) {
			text += 2 + strspn(text + 2, "0123456789;");
			if (!CHECK(*text++ == 'm'))
				return;
			continue;
		}
		text += utf8_next(text, &cp);
		if (cp != '\n' && !CHECK(!codepoint_is_unsafe(cp)))
			return;
	}
}

static bool have(const char *program)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "command -v %s >/dev/null 2>&1", program);
	return system(cmd) == 0;
}

static void check_width(const char *text, size_t width)
{
	char line[4096];

	for (const char *end; *text; text = end + 1) {
		end = strchr(text, '\n');
		snprintf(line, sizeof(line), "%.*s", (int)(end - text), text);
		if (text_columns(line) > width) {
			fprintf(stderr, "%zu columns: %s\n", text_columns(line), line);
			test_fail(__FILE__, __LINE__, "line too wide");
		}
		if (end > text && end[-1] == ' ')
			test_fail(__FILE__, __LINE__, "spaces at the end of a line");
	}
}

/* ---- text ---- */

static void check_text(const char *golden, const struct profile *p, const struct export_opts *opts)
{
	char *text = export_to(p, "text", opts, NULL);

	check_golden(golden, text);
	check_terminal_safe(text, opts->color);
	if (!opts->color)
		check_width(text, opts->width);
	free(text);
}

TEST(text)
{
	struct export_opts opts = defaults;
	struct profile *p = make_profile();

	check_text("export.txt", p, &opts);
	opts.verbose = true;
	check_text("export-verbose.txt", p, &opts);
	opts.verbose = false;
	opts.group = GROUP_FUNC;
	check_text("export-func.txt", p, &opts);
	opts.group = GROUP_LINE;
	opts.sort = SORT_WASTE;
	check_text("export-line.txt", p, &opts);
	opts.group = GROUP_MODULE;
	opts.sort = SORT_RSS;
	opts.width = 72;
	check_text("export-module.txt", p, &opts);
	opts.group = GROUP_STACK;
	opts.width = 80;
	opts.top = 2;
	check_text("export-80.txt", p, &opts);
	opts = defaults;
	opts.sort = SORT_OBJECTS;
	opts.top = 1;
	opts.color = true;
	check_text("export-color.txt", p, &opts);
	opts = defaults;
	opts.window = WINDOW_INTERVAL;
	advance(p);
	check_text("export-interval.txt", p, &opts);
	profile__free(p);
}

TEST(text_of_what_is_live)
{
	struct export_opts opts = defaults;
	struct profile *p = make_live_profile();

	opts.sort = SORT_LIVE;
	check_text("export-live.txt", p, &opts);
	opts.group = GROUP_TYPE;
	opts.width = 72;
	opts.top = 1;
	check_text("export-live-72.txt", p, &opts);
	/* Every object is followed: nothing is an estimate. What was allocated comes first. */
	p->live[SOURCE_GO] = (struct prof_live){ .measured = true, .how = "by the runtime's memory profile", .rate_bytes = 1,
						 .samples = 213 };
	follow_every_object(p);
	opts = defaults;
	check_text("export-live-exact.txt", p, &opts);
	/* What is live is a state: in an interval in which nothing was allocated it is shown all the same. */
	opts.window = WINDOW_INTERVAL;
	opts.sort = SORT_LIVE;
	advance(p);
	check_text("export-live-interval.txt", p, &opts);
	profile__free(p);
}

/* Rows of two stacks touch memory of the same two that asked; of a part nobody knows. */
static struct profile *make_touched_profile(void)
{
	struct profile *p = make_heading();
	uint32_t exe = add_module(p, "/usr/bin/redis", "0123abcd", 0x400000);
	uint32_t copy = add_loc(p, exe, 0x1000, NULL, "memcpy", "", 0, FRAME_PLUMBING);
	uint32_t set = add_loc(p, exe, 0x2000, NULL, "setKey", "db.c", 20, 0), get = add_loc(p, exe, 0x2100, NULL, "getKey", "db.c", 90, 0);
	uint32_t malloc_ = add_loc(p, exe, 0x3000, NULL, "malloc", "", 0, FRAME_PLUMBING);
	uint32_t zmalloc = add_loc(p, exe, 0x3100, NULL, "zmalloc", "zmalloc.c", 7, 0);
	uint32_t hostile = add_loc(p, exe, 0x3200, NULL, HOSTILE, "x.c", 1, 0);
	uint32_t touched[2] = { profile__add_stack(p, (uint32_t[]){ copy, set }, 2, 0), profile__add_stack(p, (uint32_t[]){ get }, 1, 0) };
	uint32_t asked[2] = { profile__add_stack(p, (uint32_t[]){ malloc_, zmalloc, set }, 3, 0),
			      profile__add_stack(p, (uint32_t[]){ hostile, zmalloc }, 2, 0) };
	const struct {
		uint32_t row, asked;
		enum source source;
		uint64_t bytes, marked;
	} parts[] = { { 0, 0, SOURCE_MALLOC, 5 << 20, 1 << 20 }, { 0, 1, SOURCE_MALLOC, 1 << 20, 1 << 20 },
		      { 0, 0, SOURCE_MMAP, 2 << 20, 0 },	  { 1, 1, SOURCE_MALLOC, 3 << 20, 0 } };

	p->has_source[SOURCE_RSS] = p->has_touches = true;
	add_row(p, 1234, SOURCE_RSS, "", touched[0], (struct prof_counts){ .rss[RSS_ANON] = { 9 << 20, 1 << 20 } });
	add_row(p, 1234, SOURCE_RSS, "", touched[1], (struct prof_counts){ .rss[RSS_ANON] = { 3 << 20, 0 } });
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		uint32_t touch = profile__add_touch(p, parts[i].row, parts[i].source, asked[parts[i].asked]);

		CHECK_INT(profile__add_touch(p, parts[i].row, parts[i].source, asked[parts[i].asked]), touch);
		p->touches[touch].bytes = parts[i].bytes;
		p->touches[touch].marked_bytes = parts[i].marked;
	}
	CHECK_INT(p->ntouches, 4);
	CHECK_INT(profile__add_touch(p, 99, SOURCE_MALLOC, asked[0]), PROF_NONE);
	return p;
}

static bool has_text(const struct profile *p, const struct export_opts *opts, const char *what)
{
	char *text = export_to(p, "text", opts, NULL);
	bool has = strstr(text, what);

	check_terminal_safe(text, false);
	if (!has)
		fputs(text, stderr);
	free(text);
	return has;
}

TEST(who_asked_for_what_was_touched)
{
	struct profile *p = make_touched_profile();
	struct export_opts opts = defaults;
	struct groups groups;

	opts.window = WINDOW_ALL;
	CHECK_INT(profile__untold_touch_bytes(p, 0, WINDOW_ALL), 1 << 20);
	CHECK_INT(profile__untold_touch_bytes(p, 0, WINDOW_INTERVAL), 3 << 20);
	CHECK_INT(profile__untold_touch_bytes(p, 1, WINDOW_ALL), 0);
	CHECK(has_text(p, &opts, "      5.0 MiB of memory allocated at: zmalloc < setKey\n"));
	CHECK(has_text(p, &opts, "      2.0 MiB of memory mapped at: zmalloc < setKey\n"));
	CHECK(has_text(p, &opts, "      1.0 MiB allocated by 1 more stack  1.0 MiB: allocation not seen\n"));
	opts.group = GROUP_ALLOCATION;
	CHECK(has_text(p, &opts, "[allocation not seen]\n"));
	/* By who asked the two rows are four others, and the sum is what grew. */
	CHECK_INT(groups_build(p, WINDOW_ALL, SOURCES_RSS, GROUP_ALLOCATION, true, SORT_RSS, &groups), 0);
	CHECK_INT(groups.len, 4);
	CHECK_INT(groups.rss_grown, 12 << 20);
	CHECK_INT(groups.items[0].order, 5 << 20);
	CHECK_INT(groups.items[0].asked_by, SOURCE_MALLOC);
	CHECK_INT(groups.items[1].order, 4 << 20); /* of both rows */
	CHECK_INT(groups.items[2].asked_by, SOURCE_MMAP);
	CHECK(groups.items[3].unknown);
	groups_free(&groups);
	CHECK_INT(groups_build(p, WINDOW_INTERVAL, SOURCES_RSS, GROUP_ALLOCATION, true, SORT_RSS, &groups), 0);
	CHECK_INT(groups.items[0].order, 4 << 20);
	groups_free(&groups);
	profile__mark(p);
	CHECK_INT(prof_touch_bytes(&p->touches[0], WINDOW_INTERVAL), 0);
	profile__free(p);
}

TEST(text_of_nothing_and_of_many)
{
	struct export_opts opts = defaults;
	struct profile *p = make_profile();
	char *text;

	add_stacks(p, 99); /* of a process that is no target */
	profile__add_target(p, 4321);
	p->targets[1].comm = strtab__adds(p->strs, HOSTILE);
	p->targets[1].exit_code = 137;
	check_text("export-pids.txt", p, &opts);
	profile__free(p);
	CHECK_INT(profile__new(&p), 0);
	text = export_to(p, "text", &opts, NULL);
	CHECK(strlen(text) > 10);
	free(text);
	profile__free(p);
}

TEST(text_of_contexts)
{
	struct export_opts opts = defaults;
	struct profile *p = make_context_profile();

	check_text("export-context.txt", p, &opts);
	opts.group = GROUP_TYPE;
	check_text("export-type.txt", p, &opts);
	opts.group = GROUP_LABELS;
	check_text("export-labels.txt", p, &opts);
	opts.width = 72;
	check_text("export-labels-72.txt", p, &opts);
	opts.width = 120;
	opts.group = GROUP_GOROUTINE;
	check_text("export-goroutine.txt", p, &opts);
	opts.width = 72;
	check_text("export-goroutine-72.txt", p, &opts);
	p->has_goroutines = false; /* nobody counted them: no column */
	opts.width = 100;
	check_text("export-goroutine-uncounted.txt", p, &opts);
	p->has_goroutines = true; /* those that began in the interval */
	opts.window = WINDOW_INTERVAL;
	advance(p);
	p->rows[0].goroutines += 3;
	check_text("export-goroutine-interval.txt", p, &opts);
	profile__free(p);
}

/* ---- folded ---- */

TEST(folded)
{
	struct export_opts opts = defaults;
	struct profile *p = make_profile();
	char *text = export_to(p, "folded", &opts, NULL);

	check_golden("export.folded", text);
	check_terminal_safe(text, false);
	free(text);
	opts.metric = METRIC_ALLOC_OBJECTS;
	text = export_to(p, "folded", &opts, NULL);
	check_golden("export-objects.folded", text);
	free(text);
	opts.metric = METRIC_RSS_BYTES;
	text = export_to(p, "folded", &opts, NULL);
	check_golden("export-rss.folded", text);
	free(text);
	opts.metric = METRIC_LIVE_BYTES; /* nothing is live */
	text = export_to(p, "folded", &opts, NULL);
	CHECK_STR(text, "");
	free(text);
	profile__free(p);
	p = make_live_profile();
	text = export_to(p, "folded", &opts, NULL);
	check_golden("export-live.folded", text);
	free(text);
	opts.metric = METRIC_LIVE_OBJECTS;
	text = export_to(p, "folded", &opts, NULL);
	check_golden("export-live-objects.folded", text);
	free(text);
	profile__free(p);
}

/* ---- prometheus ---- */

TEST(prometheus)
{
	struct profile *p = make_live_profile();
	char *text = export_to(p, "prometheus", &defaults, NULL);
	FILE *promtool;

	check_golden("export.prom", text);
	check_terminal_safe(text, false);
	if (have("promtool")) {
		promtool = popen("promtool check metrics >&2", "w");
		fputs(text, promtool);
		CHECK_INT(pclose(promtool), 0);
	} else {
		SKIP("no promtool: the format was not judged");
	}
	free(text);
	profile__free(p);
}

/* ---- speedscope ---- */

/* The golden file is what e2e/consumers.sh gives to speedscope's own importer: hostile names are in it. */
TEST(speedscope)
{
	struct export_opts opts = defaults;
	struct profile *p = make_live_profile();
	char *text;

	opts.metric = METRIC_RSS_BYTES;
	text = export_to(p, "speedscope", &opts, NULL);
	check_golden("export.speedscope.json", text);
	check_terminal_safe(text, false);
	free(text);
	profile__free(p);
	CHECK_INT(profile__new(&p), 0);
	text = export_to(p, "speedscope", &defaults, NULL);
	CHECK(strstr(text, "\"profiles\":[]"));
	free(text);
	profile__free(p);
}

/* Names in which one is the beginning of another, and bytes below ';' and ' ' follow: sort(1) is the judge. */
TEST(folded_is_sorted_as_sort_does)
{
	const char *names[] = { "a", "ab", "a b", "a!", "a;", "a\xc3\xa9", "A", "a(b)", "a 5", "a-b", "aa" };
	const size_t n = sizeof(names) / sizeof(names[0]);
	struct profile *p;
	unsigned int seed = 7;
	uint64_t sum = 0, listed = 0;
	uint32_t locs[11];
	FILE *sort;
	char *text;

	CHECK_INT(profile__new(&p), 0);
	p->has_source[SOURCE_GO] = true;
	for (size_t i = 0; i < n; i++)
		locs[i] = add_loc(p, PROF_NONE, i, NULL, names[i], "", 0, 0);
	for (int i = 0; i < 3000; i++) {
		uint32_t list[4], len = 1 + (uint32_t)rand_r(&seed) % 4, value = (uint32_t)rand_r(&seed) % 2000;

		for (uint32_t j = 0; j < len; j++)
			list[j] = locs[(size_t)rand_r(&seed) % n];
		add_row(p, 1 + i % 2, i & 1 ? SOURCE_GO : SOURCE_MALLOC, i & 2 ? "T" : "", profile__add_stack(p, list, len, 0),
			ALLOCATED(1, value, value));
	}
	for (uint32_t i = 0; i < p->nrows; i++)
		sum += p->rows[i].total.alloc_bytes;
	text = export_to(p, "folded", &defaults, NULL);
	sort = popen("LC_ALL=C sort -c -u", "w");
	fputs(text, sort);
	CHECK_INT(pclose(sort), 0);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		listed += strtoull(strrchr(line, ' '), NULL, 10);
	CHECK_INT(listed, sum);
	free(text);
	profile__free(p);
}

/* What the memory of its Go program is made of. */
static struct profile *make_go_memory_profile(void)
{
	struct profile *p = make_profile();
	struct prof_target *t = &p->targets[0];

	t->has_go_rss = true;
	t->go_rss = (struct go_rss){
		.heap_inuse_bytes = 40 << 20, .heap_idle_bytes = 20 << 20, .heap_released_bytes = 18 << 20, .objects_bytes = 15 << 20,
		.objects_missing_bytes = 1 << 20, .stacks_bytes = 2 << 20, .gc_work_bytes = 1 << 20, .runtime_bytes = 6 << 20,
		.runtime_used_bytes = 1 << 20, .rss_bytes = 85 << 20, .arenas_bytes = 50 << 20, .arenas_lazy_bytes = 9 << 20,
		.arenas_huge_bytes = 4 << 20, .other_anon_bytes = 5 << 20,
	};
	return p;
}

TEST(text_of_go_memory)
{
	struct profile *p = make_go_memory_profile();
	struct export_opts opts = defaults;
	char *text;

	opts.top = 1;
	check_text("export-go-memory.txt", p, &opts);
	p->targets[0].go_rss_unknown = "the runtime's counts do not agree";
	text = export_to(p, "text", &opts, NULL);
	CHECK(strstr(text, "\n    Go's heap of 1234 not known:  the runtime's counts do not agree\n"));
	CHECK(!strstr(text, "fragmentation"));
	free(text);
	profile__free(p);
}

/* ---- json ---- */

static void check_json(const struct profile *p, const struct export_opts *opts, const char *which)
{
	char path[512], cmd[1024];
	char *text = export_to(p, "json", opts, NULL);
	FILE *pipe;

	check_terminal_safe(text, false);
	CHECK(strchr(text, '\n') == text + strlen(text) - 1); /* one line */
	snprintf(cmd, sizeof(cmd), "python3 %s %s", golden_path(path, "check_json.py"), which);
	pipe = popen(cmd, "w");
	fputs(text, pipe);
	CHECK_INT(pclose(pipe), 0);
	free(text);
}

TEST(json)
{
	struct export_opts opts = defaults;
	struct profile *p;

	if (!have("python3")) {
		SKIP("no python3: the JSON was not judged");
		return;
	}
	p = make_profile();
	check_json(p, &opts, "all");
	opts.window = WINDOW_INTERVAL;
	advance(p);
	p->targets[0].exit_code = 3;
	check_json(p, &opts, "interval");
	profile__free(p);
	CHECK_INT(profile__new(&p), 0);
	check_json(p, &defaults, "empty");
	profile__free(p);
	p = make_context_profile();
	check_json(p, &defaults, "context");
	profile__free(p);
	p = make_live_profile();
	check_json(p, &defaults, "live");
	p->live[SOURCE_GO].rate_bytes = 1;
	follow_every_object(p);
	check_json(p, &defaults, "live-exact");
	profile__free(p);
	p = make_go_memory_profile();
	check_json(p, &defaults, "go-memory");
	p->targets[0].go_rss_unknown = "nobody knows";
	check_json(p, &defaults, "go-memory-unknown");
	profile__free(p);
}

/* ---- pprof ---- */

/* Output of `go tool pprof ARGS FILE`; the caller frees it. NULL if it failed. */
static char *go_pprof(const char *args, const char *file)
{
	char cmd[1024], line[4096];
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len), *pipe;

	snprintf(cmd, sizeof(cmd), "TZ=UTC HOME=${HOME:-/tmp} PPROF_BINARY_PATH=/nonexistent go tool pprof -symbolize=none %s %s 2>&1",
		 args, file);
	pipe = popen(cmd, "r");
	while (fgets(line, sizeof(line), pipe))
		fputs(line, out);
	fclose(out);
	if (pclose(pipe)) {
		fprintf(stderr, "%s: %s\n", cmd, text);
		free(text);
		return NULL;
	}
	return text;
}

static void check_has(const char *text, const char *what)
{
	if (!text || !strstr(text, what)) {
		fprintf(stderr, "no \"%s\" in:\n%s\n", what, text ? text : "(null)");
		test_fail(__FILE__, __LINE__, "text is missing");
	}
}

/* @format of @p in a file of @path, which becomes its name. */
static bool write_to_file(const struct profile *p, const char *format, const struct export_opts *opts, char path[32])
{
	size_t len;
	char *bytes = export_to(p, format, opts, &len);
	int fd;
	bool ok;

	strcpy(path, "/tmp/test_export.XXXXXX");
	fd = mkstemp(path);
	ok = fd >= 0 && write(fd, bytes, len) == (ssize_t)len;
	if (fd >= 0)
		close(fd);
	free(bytes);
	return CHECK(ok);
}

static bool write_pprof(const struct profile *p, char path[32])
{
	size_t len;
	char *bytes = export_to(p, "pprof", &defaults, &len);
	char *again = export_to(p, "pprof", &defaults, NULL);

	CHECK(memcmp(bytes, again, len) == 0); /* the same profile is the same file */
	free(bytes);
	free(again);
	return write_to_file(p, "pprof", &defaults, path);
}

TEST(pprof_by_go)
{
	struct profile *p;
	char path[32];
	char *text;

	if (!have("go")) {
		SKIP("no go: the pprof file was not judged");
		return;
	}
	p = make_profile();
	if (write_pprof(p, path)) {
		const char *at;

		text = go_pprof("-raw", path);
		check_has(text, "PeriodType: alloc_space bytes\nPeriod: 1\nTime: 2023-11-14 22:13:20 +0000 UTC\nDuration: 5");
		check_has(text, "alloc_objects/count alloc_space/bytes[dflt] rss_space/bytes\n");
		check_has(text, "       1000   96000000          0: 3 4 5 6 \n                source:[go] type:[[]uint8]\n");
		check_has(text, "         77       7700          0: 8 9 10 \n                source:[malloc]\n");
		check_has(text, "          3        300          0: 11 \n                source:[malloc]\n");
		check_has(text, "          0          0    5242880: 3 4 5 6 \n                source:[rss] type:[Go heap]\n");
		check_has(text, "          0          0      -8192: ");
		/* The inlined frame first. The executable is mapping 1 although libc was met first. */
		check_has(text, "3: 0x10002000 M=1 main.grow /src/app/main.go:43");
		at = text ? strstr(text, "main.grow /src/app/main.go:43") : NULL;
		CHECK(at && strncmp(strchr(at, '\n') + 1, "             main.fill /src/app/main.go:42", 42) == 0);
		check_has(text, "[libc.so.6+0x9abc]");
		check_has(text, "evil?[31m;na?me??");
		check_has(text, "1: 0x400000/0x500000/0x1000 /usr/bin/prometheus 0123abcd [FN][FL][LN][IN]\n"
				"2: 0x7f0000000000/0x7f0000100000/0x1000 /usr/lib/libc.so.6 c0ffee [FN]\n");
		check_has(text, "site_map_full: 1234");
		free(text);
		text = go_pprof("-top -unit=B -nodefraction=0", path);
		/* 96000000+4000000+50000000+80+7700+300 */
		check_has(text, "Showing nodes accounting for 150008080B, 100% of 150008080B total\n");
		CHECK(text && !strstr(text, "runtime.makeslice")); /* its caller is to blame */
		check_has(text, "150000000B   100%  main.grow (inline)\n");
		check_has(text, "300B ");
		check_has(text, "  [lost stack]\n");
		check_has(text, "Type: alloc_space\n");
		free(text);
		text = go_pprof("-top -sample_index=rss_space -unit=B", path);
		check_has(text, "Type: rss_space\n");
		free(text);
		unlink(path);
	}
	profile__free(p);
}

TEST(pprof_of_what_is_live)
{
	struct profile *p;
	char path[32];
	char *text;

	if (!have("go")) {
		SKIP("no go: the pprof file was not judged");
		return;
	}
	p = make_live_profile();
	if (write_pprof(p, path)) {
		text = go_pprof("-raw", path);
		check_has(text, "alloc_objects/count alloc_space/bytes inuse_objects/count inuse_space/bytes[dflt] rss_space/bytes\n");
		check_has(text, "       1000   96000000         10    2000001          0: 3 4 5 6 \n");
		check_has(text, "          0          0          3       4096          0: 3 4 5 6 \n");
		check_has(text, "         77       7700          0          0          0: ");
		check_has(text, "    1234567   50000000          0          0          0: ");
		free(text);
		text = go_pprof("-top -unit=B -nodefraction=0", path);
		check_has(text, "Type: inuse_space\n");
		check_has(text, "of 10004097B total\n");
		free(text);
		unlink(path);
	}
	profile__free(p);
}

TEST(pprof_of_contexts)
{
	struct profile *p;
	char path[32];
	char *text;

	if (!have("go")) {
		SKIP("no go: the pprof file was not judged");
		return;
	}
	p = make_context_profile();
	if (write_pprof(p, path)) {
		text = go_pprof("-raw", path);
		check_has(text, "source:[go] type:[[]uint8]");
		check_has(text, "code:[200] goroutine:[net/http.(*Server).Serve server.go:3285] handler:[/api]");
		check_has(text, "goroutine:[main goroutine] handler:[/metrics]");
		check_has(text, "evil?[31m;na?me??:[evil?[31m;na?me??]");
		if (text)
			check_terminal_safe(text, false);
		free(text);
		text = go_pprof("-tags -sample_index=alloc_objects", path);
		check_has(text, " handler: Total 1510.0\n");
		check_has(text, "1500.0 (99.34%): /api\n");
		check_has(text, "10.0 ( 0.66%): /metrics\n");
		check_has(text, "7.0 (  100%): evil?[31m;na?me??\n");
		check_has(text, "10.0 ( 0.62%): main goroutine\n");
		check_has(text, "2.0 ( 0.12%): [prometheus+0x6300]\n");
		check_has(text, "2.0 (  100%): a key that could not be read\n");
		check_has(text, "610.0 (37.68%): main.T\n");
		free(text);
		text = go_pprof("-top -tagfocus=handler=/metrics -sample_index=alloc_objects", path);
		check_has(text, "Showing nodes accounting for 10, ");
		free(text);
		unlink(path);
	}
	profile__free(p);
}

TEST(pprof_of_nothing_and_of_rss_alone)
{
	struct profile *p;
	char path[32];
	char *text;

	if (!have("go")) {
		SKIP("no go: the pprof file was not judged");
		return;
	}
	CHECK_INT(profile__new(&p), 0);
	if (write_pprof(p, path)) {
		text = go_pprof("-raw", path);
		check_has(text, "alloc_objects/count alloc_space/bytes[dflt]\n");
		free(text);
		unlink(path);
	}
	profile__free(p);
	p = make_profile();
	p->has_source[SOURCE_GO] = p->has_source[SOURCE_MALLOC] = false;
	profile__add_target(p, 5);
	if (write_pprof(p, path)) {
		text = go_pprof("-raw", path);
		check_has(text, "Samples:\nrss_space/bytes[dflt]\n");
		check_has(text, "pid:[1234]");
		free(text);
		unlink(path);
	}
	profile__free(p);
}

/* ---- OTLP ---- */

/* By a strict reader of its own, with the JSON of the same profile. @texts: more words for its command line. */
static void check_otlp(const struct profile *p, const struct export_opts *opts, const char *texts)
{
	char otlp[32], json[32], script[512], cmd[2048];

	if (write_to_file(p, "otlp", opts, otlp) && write_to_file(p, "json", opts, json)) {
		snprintf(cmd, sizeof(cmd), "python3 %s %s %s %s >&2", golden_path(script, "../consumers/otlp.py"), otlp, json, texts);
		CHECK_INT(system(cmd), 0);
		unlink(otlp);
		unlink(json);
	}
}

/* Names that are code elsewhere, and labels whose keys become equal once they are text, one of them by our own key. */
static struct profile *make_hostile_profile(void)
{
	const char *names[] = { "</script><script>alert(1)</script>", "\"quo'ted\\", "\xff\xfe", "\001\037\177\r\n", "\xe2\x80\xa8\033[31m" };
	const struct event_label labels[] = { { "k\001", "first" }, { "k\002", "second" }, { "allocsnoop.source", "mine" }, { "", "of no key" } };
	struct prof_context context = { .typing = TYPING_NONE, .creator = PROF_NONE };
	struct profile *p = make_heading();
	uint32_t locs[5], row;

	p->targets[0].comm = strtab__adds(p->strs, names[4]);
	p->targets[0].exe = strtab__adds(p->strs, names[2]);
	for (uint32_t i = 0; i < 5; i++)
		locs[i] = add_loc(p, add_module(p, names[i], names[4 - i], 0x1000 * (i + 1)), i, NULL, names[i], names[i], 1, 0);
	add_row(p, 1234, SOURCE_MALLOC, "", profile__add_stack(p, locs, 5, 0), ALLOCATED(1, 10, 10));
	context.labels = labels_add(p->strs, labels, 4);
	row = profile__add_row(p, 1234, SOURCE_GO, profile__add_context(p, &context), profile__add_stack(p, locs + 2, 1, 0));
	p->rows[row].total = ALLOCATED(3, 1000, 1000);
	return p;
}

TEST(otlp)
{
	struct export_opts opts = defaults;
	struct profile *p;
	char *text;
	size_t len;

	if (!have("python3")) {
		SKIP("no python3: the OTLP file was not judged");
		return;
	}
	p = make_profile();
	check_otlp(p, &opts, "'evil?[31m;na?me' '[lost stack]' '[libc.so.6+0x9abc]' c0ffee 'Go heap'");
	opts.window = WINDOW_INTERVAL;
	advance(p);
	check_otlp(p, &opts, "");
	profile__add_target(p, 5);
	check_otlp(p, &defaults, "allocsnoop.pid");
	p->has_source[SOURCE_GO] = p->has_source[SOURCE_MALLOC] = false;
	check_otlp(p, &defaults, "");
	profile__free(p);
	p = make_context_profile();
	check_otlp(p, &defaults, "'main goroutine' handler /metrics 'a key that could not be read'");
	profile__free(p);
	p = make_live_profile();
	check_otlp(p, &defaults, "inuse_space");
	profile__free(p);
	p = make_hostile_profile();
	check_otlp(p, &defaults, "'</script><script>' '\"quo' 'of no key' '?[31m'");
	text = export_to(p, "otlp", &defaults, &len);
	CHECK(memmem(text, len, "\x40\x02\x5a", 3)); /* two labels were left out */
	free(text);
	profile__free(p);
	CHECK_INT(profile__new(&p), 0);
	check_otlp(p, &defaults, "");
	profile__free(p);
}

/* ---- the table ---- */

TEST(table)
{
	char names[128] = "";
	const char *name;

	for (size_t i = 0; (name = exporter_name(i)); i++)
		sprintf(names + strlen(names), "%s%s", i ? ", " : "", CHECK(exporter_by_name(name)) ? name : "?");
	CHECK_STR(exporter_names(), names);
	CHECK(!exporter_by_name("xml"));
	CHECK(!exporter_by_name(""));
	CHECK_STR(exporter_by_path("a/b.folded")->name, "folded");
	CHECK_STR(exporter_by_path("x.pb.gz")->name, "pprof");
	CHECK_STR(exporter_by_path("x.pprof")->name, "pprof");
	CHECK_STR(exporter_by_path("x.json")->name, "json");
	CHECK_STR(exporter_by_path("x.speedscope.json")->name, "speedscope");
	CHECK_STR(exporter_by_path("x.html")->name, "html");
	CHECK_STR(exporter_by_path("x.otlp")->name, "otlp");
	CHECK(!exporter_by_path("json"));
	CHECK(!exporter_by_path(".json"));
	CHECK(!exporter_by_path(""));
}

/* ---- html: what a browser makes of it is tested in tests/e2e/html.sh ---- */

TEST(html)
{
	const struct exporter *html = exporter_by_name("html");
	const char *names[] = { "</script><script>alert(1)</script>", "<!--", "bad\xff\xe2\x80\xa8\033[31m" };
	struct profile *p;
	uint32_t locs[3];
	size_t len;
	char *text, *data, *end;
	FILE *out = open_memstream(&text, &len);

	CHECK_INT(profile__new(&p), 0);
	p->has_source[SOURCE_MALLOC] = true;
	for (uint32_t i = 0; i < 3; i++)
		locs[i] = add_loc(p, PROF_NONE, i, NULL, names[i], names[i], 1, 0);
	add_row(p, 1, SOURCE_MALLOC, names[0], profile__add_stack(p, locs, 3, 0), ALLOCATED(1, 10, 10));
	add_row(p, 1, SOURCE_MALLOC, names[0], profile__add_stack(p, locs + 1, 2, 0), ALLOCATED(2, 20, 20));
	if (html->why_not()) {
		CHECK_INT(html->write(p, &defaults, out), -ENOTSUP);
		fclose(out);
		CHECK_INT(len, 0);
	} else {
		CHECK_INT(html->write(p, &defaults, out), 0);
		fclose(out);
		data = strstr(text, "id=\"data\">{");
		end = data ? strstr(data, "</script>") : NULL;
		if (!CHECK(end))
			return;
		*end = '\0';
		CHECK(!strchr(data, '<'));
		check_has(data, "\"strings\":[\"\",\"pid-1\",\"bad???[31m\",\"\\u003c!--\",\"\\u003c/script>");
		/* Two stacks that share their outer functions, and a node that is a function of both. */
		check_has(data, "\"nodes\":{\"parent\":[0,0,1,2,3],");
		check_has(data, "\"values\":{\"alloc_bytes\":[10,20],\"alloc_objects\":[1,2]}");
	}
	profile__free(p);
	free(text);
}

/* 100,000 stacks of 30 frames through every format, in bounded time. */
TEST(large)
{
	const char *formats[] = { "text", "folded", "pprof", "json", "html", "speedscope", "perfetto", "prometheus", "otlp" };
	struct profile *p;
	uint32_t locs[30], base[5000];
	clock_t begin;
	char name[64];
	FILE *null = fopen("/dev/null", "w");

	CHECK_INT(profile__new(&p), 0);
	p->has_source[SOURCE_GO] = true;
	for (uint32_t i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "github.com/some/module/pkg%u.(*Type).Method%u", i % 50, i);
		base[i] = add_loc(p, PROF_NONE, i, NULL, name, "/src/some/file.go", i, 0);
	}
	for (uint32_t i = 0; i < 100000; i++) {
		for (uint32_t d = 0; d < 30; d++)
			locs[d] = base[d > 20 ? d : (i * 7919 + d * 31 * (i % 100)) % 5000];
		locs[0] = base[i % 5000];
		locs[1] = base[i / 5000];
		add_row(p, 1, SOURCE_GO, "", profile__add_stack(p, locs, 30, 0), ALLOCATED(1, i, i));
	}
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (exporter_by_name(formats[i])->why_not && exporter_by_name(formats[i])->why_not())
			continue;
		begin = clock();
		CHECK_INT(exporter_by_name(formats[i])->write(p, &defaults, null), 0);
		fprintf(stderr, "%s of 100,000 stacks of 30: %.2f s\n", formats[i],
			(double)(clock() - begin) / CLOCKS_PER_SEC);
		CHECK(clock() - begin < 30 * CLOCKS_PER_SEC);
	}
	fclose(null);
	profile__free(p);
}

__attribute__((constructor)) static void use_utc(void)
{
	setenv("TZ", "UTC", 1);
}

TEST_MAIN()
