// SPDX-License-Identifier: GPL-2.0-or-later
/* Events fed by hand, and the rows, stacks and modules that come of them. */
#include "profile/agg.h"
#include "profile/labels.h"

#include <math.h>
#include <stdlib.h>

#include "test.h"

struct asked {
	uint32_t times[8];
};

/* Modules 0 and 2 are the same file, seen under two numbers. */
static void describe_module(void *ctx, uint32_t module, struct prof_module *ret, struct strtab *strs)
{
	struct asked *asked = ctx;
	char path[32];

	if (module < 8)
		asked->times[module]++;
	snprintf(path, sizeof(path), "/lib/m%u.so", module == 2 ? 0 : module);
	ret->path = strtab__adds(strs, path);
	ret->name = strtab__adds(strs, path + 5);
	ret->build_id = strtab__adds(strs, module == 1 ? "beef" : "cafe");
	ret->start = 0x1000;
	ret->end = 0x2000;
}

struct fixture {
	struct asked asked;
	struct profile *prof;
	struct agg *agg;
	struct event_sink sink;
};

static bool setup_limits(struct fixture *f, const struct agg_limits *limits)
{
	*f = (struct fixture){ .prof = NULL };
	if (!CHECK_INT(profile__new(&f->prof), 0) ||
	    !CHECK_INT(agg__new(f->prof, limits, describe_module, &f->asked, &f->agg), 0))
		return false;
	f->sink = agg__sink(f->agg);
	return true;
}

static bool setup(struct fixture *f)
{
	return setup_limits(f, &AGG_LIMITS);
}

static void teardown(struct fixture *f)
{
	agg__free(f->agg);
	profile__free(f->prof);
}

static int add_stack(struct fixture *f, uint64_t id, const struct event_frame *frames, uint32_t n, uint32_t flags)
{
	return f->sink.on_stack(f->sink.ctx, id, frames, n, flags);
}

static int add_counts(struct fixture *f, uint32_t pid, enum event_source source, uint64_t id, uint64_t objects,
		      int64_t bytes, uint64_t requested)
{
	struct event_counts counts = { .objects = objects, .bytes = bytes, .requested_bytes = requested, .goroutines = 0, .rss_kind = EVENT_RSS_ANON };

	return f->sink.on_counts(f->sink.ctx, pid, source, id, 0, &counts);
}

static const struct event_frame frames_a[] = { { 0, 0x111, 0x7f0111 },
					       { 1, 0x222, 0x7f1222 },
					       { UINT32_MAX, 0x333, 0x333 } };
static const struct event_frame frames_b[] = { { 0, 0x111, 0x7f0111 }, { 1, 0x223, 0x7f1223 } };

TEST(counts_add_up_by_row)
{
	struct fixture f;
	const struct prof_row *row;

	if (!setup(&f))
		return;
	CHECK_INT(add_stack(&f, 101, frames_a, 3, 0), 0);
	CHECK_INT(add_stack(&f, 102, frames_b, 2, 0), 0);
	for (int i = 1; i <= 3; i++) {
		CHECK_INT(add_counts(&f, 7, EVENT_GO, 101, 10, 160, 150), 0);
		CHECK_INT(add_counts(&f, 7, EVENT_GO, 102, 1, 16, 9), 0);
		CHECK_INT(add_counts(&f, 8, EVENT_GO, 101, 100, 1600, 1500), 0);
		CHECK_INT(add_counts(&f, 7, EVENT_MALLOC, 101, 2, 64, 64), 0);
		/* Signed, and its number of events is nobody's objects. */
		CHECK_INT(add_counts(&f, 7, EVENT_RSS, 101, 5, i == 2 ? -12288 : 4096, 0), 0);
	}
	CHECK_INT(f.prof->nrows, 5);
	row = &f.prof->rows[0];
	CHECK_INT(row->pid, 7);
	CHECK_INT(row->source, SOURCE_GO);
	CHECK_INT(row->total.alloc_objects, 30);
	CHECK_INT(row->total.alloc_bytes, 480);
	CHECK_INT(row->total.requested_bytes, 450);
	CHECK_INT(f.prof->rows[1].total.requested_bytes, 27);
	CHECK_INT(f.prof->rows[2].pid, 8);
	CHECK_INT(f.prof->rows[2].total.alloc_objects, 300);
	CHECK_INT(f.prof->rows[3].source, SOURCE_MALLOC);
	CHECK_INT(f.prof->rows[3].total.alloc_bytes, 192);
	CHECK_INT(f.prof->rows[4].source, SOURCE_RSS);
	CHECK_INT(prof_rss_bytes(&f.prof->rows[4].total), -4096);
	CHECK_INT(f.prof->rows[4].total.alloc_objects, 0);
	CHECK_INT(f.prof->rows[4].total.alloc_bytes, 0);
	CHECK_INT(profile__sum(f.prof, SOURCE_GO, WINDOW_ALL).alloc_objects, 333);
	teardown(&f);
}

/* Equal contexts of different ids are one, and a row has one context. */
TEST(contexts)
{
	const struct event_label ab[] = { { "a", "1" }, { "b", "2" } }, ba[] = { { "b", "2" }, { "a", "1" } };
	struct event_context context = { .type_module = 1, .type_vaddr = 0x4000, .has_creator = true,
					 .creator = { 0, 0x111, 0x7f0111 }, .labels = ab, .nlabels = 2 };
	struct event_counts counts = { .objects = 1, .bytes = 16, .requested_bytes = 9, .goroutines = 1, .rss_kind = EVENT_RSS_ANON };
	const struct prof_context *got;
	struct label label;
	const char *set;
	struct fixture f;
	char text[64];

	if (!setup(&f))
		return;
	CHECK_INT(add_stack(&f, 101, frames_a, 3, 0), 0);
	CHECK_INT(f.sink.on_context(f.sink.ctx, 900, &context), 0);
	context.labels = ba;
	CHECK_INT(f.sink.on_context(f.sink.ctx, 901, &context), 0);
	context.type_vaddr = 0;
	CHECK_INT(f.sink.on_context(f.sink.ctx, 902, &context), 0);
	for (uint64_t id = 900; id < 903; id++)
		CHECK_INT(f.sink.on_counts(f.sink.ctx, 7, EVENT_GO, 101, id, &counts), 0);
	CHECK_INT(f.sink.on_counts(f.sink.ctx, 7, EVENT_GO, 101, 12345, &counts), 0); /* one that never came */
	CHECK_INT(f.prof->nrows, 3);
	CHECK_INT(f.prof->rows[0].total.alloc_objects, 2);
	CHECK_INT(f.prof->rows[0].goroutines, 2);
	CHECK_INT(f.prof->rows[2].context, 0);
	got = &f.prof->contexts[f.prof->rows[0].context];
	CHECK_INT(got->typing, TYPING_KNOWN);
	CHECK_INT(got->type_vaddr, 0x4000);
	CHECK_INT(f.prof->locs[got->creator].vaddr, 0x111);
	CHECK_STR(labels_text(strtab__get(f.prof->strs, got->labels), text, sizeof(text)), "a=1, b=2");
	CHECK_INT(f.prof->contexts[f.prof->rows[1].context].typing, TYPING_NONE);
	set = strtab__get(f.prof->strs, got->labels);
	CHECK(labels_next(&set, &label) && !strcmp(label.key, "a") && !strcmp(label.value, "1"));
	CHECK(labels_next(&set, &label) && !labels_next(&set, &label));
	teardown(&f);
}

/* Ends of labels inside of labels, and no end at all. */
TEST(hostile_labels)
{
	const struct event_label odd[] = { { "a\x1f" "b", "\x1e" }, { "", "" } };
	struct strtab *strs;
	struct label label;
	char longest[1000];
	const char *set;
	uint32_t id;

	if (!CHECK_INT(strtab__new(&strs), 0))
		return;
	CHECK_INT(labels_add(strs, NULL, 0), 0);
	set = strtab__get(strs, labels_add(strs, odd, 2));
	CHECK(labels_next(&set, &label));
	CHECK_STR(label.key, "");
	CHECK(labels_next(&set, &label));
	CHECK_STR(label.key, "a?b");
	CHECK_STR(label.value, "?");
	CHECK(!labels_next(&set, &label));
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	id = labels_add(strs, &(struct event_label){ longest, "v" }, 1);
	set = strtab__get(strs, id);
	CHECK(labels_next(&set, &label));
	CHECK_INT(strlen(label.key), LABEL_TEXT_BYTES - 1);
	strtab__free(strs);
}

TEST(frames_as_they_came)
{
	struct fixture f;
	const struct prof_stack *stack;

	if (!setup(&f))
		return;
	CHECK_INT(add_stack(&f, 101, frames_a, 3, EVENT_STACK_TRUNCATED), 0);
	CHECK_INT(add_stack(&f, 102, frames_b, 2, EVENT_STACK_BROKEN), 0);
	if (!CHECK_INT(f.prof->nstacks, 2))
		return;
	stack = &f.prof->stacks[0];
	CHECK_INT(stack->nlocs, 3);
	CHECK_INT(stack->flags, STACK_TRUNCATED);
	CHECK_INT(f.prof->stacks[1].flags, STACK_BROKEN);
	for (uint32_t i = 0; i < 3; i++) {
		const struct prof_loc *loc = &f.prof->locs[f.prof->stack_locs[stack->first + i]];

		CHECK_INT(loc->vaddr, frames_a[i].vaddr);
		CHECK_INT(loc->addr, frames_a[i].addr);
		if (i == 2)
			CHECK_INT(loc->module, PROF_NONE);
		else
			CHECK_STR(strtab__get(f.prof->strs, f.prof->modules[loc->module].path), i ? "/lib/m1.so" : "/lib/m0.so");
	}
	CHECK_INT(f.prof->nlocs, 4); /* the common one once */
	teardown(&f);
}

TEST(modules_are_asked_for_once)
{
	const struct event_frame first[] = { { 5, 0x10, 0x10 }, { 0, 0x20, 0x20 } };
	const struct event_frame second[] = { { 2, 0x20, 0x20 }, { 5, 0x30, 0x30 }, { 1, 0x40, 0x40 } };
	struct fixture f;

	if (!setup(&f))
		return;
	add_stack(&f, 1, first, 2, 0);
	add_stack(&f, 2, second, 3, 0);
	for (uint32_t i = 0; i < 8; i++)
		CHECK_INT(f.asked.times[i], i == 0 || i == 1 || i == 2 || i == 5);
	CHECK_INT(f.prof->nmodules, 3); /* 0 and 2 are equal */
	CHECK_INT(f.prof->nlocs, 4);
	teardown(&f);
}

TEST(stacks_sent_again)
{
	struct fixture f;

	if (!setup(&f))
		return;
	add_stack(&f, 101, frames_a, 3, 0);
	add_counts(&f, 7, EVENT_GO, 101, 1, 16, 16);
	/* The kernel side had forgotten that we know it. */
	CHECK_INT(add_stack(&f, 101, frames_a, 3, 0), 0);
	add_counts(&f, 7, EVENT_GO, 101, 1, 16, 16);
	CHECK_INT(f.prof->nstacks, 1);
	CHECK_INT(f.prof->nrows, 1);
	CHECK_INT(f.prof->rows[0].total.alloc_objects, 2);
	/* The same frames under another id (another image): one stack, one row. */
	CHECK_INT(add_stack(&f, 201, frames_a, 3, 0), 0);
	add_counts(&f, 7, EVENT_GO, 201, 1, 16, 16);
	CHECK_INT(f.prof->nstacks, 1);
	CHECK_INT(f.prof->nrows, 1);
	CHECK_INT(f.prof->rows[0].total.alloc_objects, 3);
	teardown(&f);
}

TEST(counts_without_a_stack)
{
	struct fixture f;
	uint32_t lost;

	if (!setup(&f))
		return;
	CHECK_INT(add_counts(&f, 7, EVENT_GO, 901, 3, 48, 40), 0);
	CHECK_INT(add_counts(&f, 7, EVENT_GO, 902, 4, 64, 64), 0);
	CHECK_INT(add_counts(&f, 8, EVENT_GO, 902, 1, 16, 16), 0);
	/* All in one row for each process; the numbers stay right. */
	CHECK_INT(f.prof->nrows, 2);
	CHECK_INT(f.prof->rows[0].total.alloc_objects, 7);
	lost = f.prof->rows[0].stack;
	CHECK_INT(f.prof->stacks[lost].flags, STACK_LOST);
	CHECK_INT(f.prof->stacks[lost].nlocs, 0);
	/* It arrives late: from then on its counts are its own. */
	add_stack(&f, 901, frames_a, 3, 0);
	CHECK_INT(add_counts(&f, 7, EVENT_GO, 901, 5, 80, 80), 0);
	CHECK_INT(f.prof->nrows, 3);
	CHECK_INT(f.prof->rows[2].total.alloc_objects, 5);
	CHECK_INT(f.prof->stacks[f.prof->rows[2].stack].nlocs, 3);
	CHECK_INT(f.prof->rows[0].total.alloc_objects, 7);
	/* A stack of which nothing could be made out is lost, too. */
	add_stack(&f, 903, NULL, 0, EVENT_STACK_BROKEN);
	CHECK_INT(add_counts(&f, 7, EVENT_GO, 903, 1, 16, 16), 0);
	CHECK(f.prof->stacks[f.prof->rows[3].stack].flags & STACK_LOST);
	teardown(&f);
}

TEST(changed_by_others)
{
	struct fixture f;
	const struct prof_stack *stack;
	const struct prof_loc *loc;

	if (!setup(&f))
		return;
	CHECK_INT(add_counts(&f, 7, EVENT_RSS, 0, 1, -4096, 0), 0);
	CHECK_INT(add_counts(&f, 7, EVENT_RSS, 0, 1, -8192, 0), 0);
	CHECK_INT(add_counts(&f, 9, EVENT_RSS, 0, 1, 4096, 0), 0);
	CHECK_INT(add_counts(&f, 9, EVENT_RSS, 77, 1, 4096, 0), 0); /* lost: something else */
	CHECK_INT(f.prof->nrows, 3);
	CHECK_INT(prof_rss_bytes(&f.prof->rows[0].total), -12288);
	CHECK_INT(f.prof->rows[1].stack, f.prof->rows[0].stack);
	CHECK(f.prof->rows[2].stack != f.prof->rows[0].stack);
	stack = &f.prof->stacks[f.prof->rows[0].stack];
	CHECK_INT(stack->flags, STACK_OTHERS);
	CHECK_INT(stack->nlocs, 1);
	loc = &f.prof->locs[f.prof->stack_locs[stack->first]];
	CHECK_INT(loc->nframes, 1);
	CHECK_STR(strtab__get(f.prof->strs, f.prof->frames[loc->first_frame].func), "[the kernel or another process]");
	teardown(&f);
}

/* Tasks are told apart by name, whatever their ids; what they and the process gave back is kept by kind. */
TEST(changed_by_named_tasks)
{
	struct event_counts counts = { .bytes = -4096, .rss_kind = EVENT_RSS_ANON };
	struct prof_counts sum, others;
	struct fixture f;

	if (!setup(&f))
		return;
	CHECK_INT(f.sink.on_cause(f.sink.ctx, 1ULL << 62 | 1, "[kernel: kswapd]"), 0);
	CHECK_INT(f.sink.on_cause(f.sink.ctx, 1ULL << 62 | 2, "[kernel: kswapd]"), 0);
	CHECK_INT(f.sink.on_cause(f.sink.ctx, 1ULL << 62 | 3, "[process: x]"), 0);
	for (uint64_t i = 1; i <= 3; i++)
		CHECK_INT(f.sink.on_counts(f.sink.ctx, 7, EVENT_RSS, 1ULL << 62 | i, 0, &counts), 0);
	counts = (struct event_counts){ .bytes = 8192, .rss_kind = EVENT_RSS_SWAP };
	CHECK_INT(f.sink.on_counts(f.sink.ctx, 7, EVENT_RSS, 1ULL << 62 | 1, 0, &counts), 0);
	CHECK_INT(add_stack(&f, 101, frames_a, 3, 0), 0);
	CHECK_INT(add_counts(&f, 7, EVENT_RSS, 101, 1, 16384, 0), 0);
	CHECK_INT(add_counts(&f, 7, EVENT_RSS, 101, 1, -4096, 0), 0);
	CHECK_INT(f.prof->nrows, 3);
	sum = profile__sum(f.prof, SOURCE_RSS, WINDOW_ALL);
	others = profile__sum_others(f.prof, WINDOW_ALL);
	CHECK_INT(prof_rss_moved(&sum).grown_bytes, 16384); /* swap is none of RSS */
	CHECK_INT(prof_rss_moved(&sum).released_bytes, 16384);
	CHECK_INT(prof_rss_bytes(&f.prof->rows[0].total), -8192);
	CHECK_INT(f.prof->rows[0].total.rss[RSS_SWAP].grown_bytes, 8192);
	CHECK_INT(prof_rss_moved(&others).grown_bytes, 0);
	CHECK_INT(prof_rss_moved(&others).released_bytes, 12288);
	teardown(&f);
}

TEST(many_stacks)
{
	const uint64_t n = 50000;
	struct fixture f;
	uint64_t sum = 0;

	if (!setup(&f))
		return;
	for (uint64_t i = 1; i <= n; i++) {
		struct event_frame frames[2] = { { 0, i, i }, { 1, i * 3, i * 3 } };

		add_stack(&f, i << 32, frames, 2, 0);
		add_counts(&f, 7, EVENT_MALLOC, i << 32, i, (int64_t)i * 16, i);
	}
	for (uint64_t i = 1; i <= n; i++)
		add_counts(&f, 7, EVENT_MALLOC, i << 32, 1, 0, 0);
	CHECK_INT(f.prof->nrows, n);
	for (uint32_t i = 0; i < f.prof->nrows; i++) {
		const struct prof_row *row = &f.prof->rows[i];
		uint64_t vaddr = f.prof->locs[f.prof->stack_locs[f.prof->stacks[row->stack].first]].vaddr;

		sum += row->total.alloc_objects;
		if (row->total.alloc_objects != vaddr + 1)
			CHECK_INT(row->total.alloc_objects, vaddr + 1);
	}
	CHECK_INT(sum, n * (n + 1) / 2 + n);
	teardown(&f);
}

/* More frames than any stack has: cut, not written past the end. */
TEST(too_many_frames)
{
	struct event_frame *frames = calloc(1000, sizeof(*frames));
	struct fixture f;

	if (!CHECK(frames) || !setup(&f))
		return;
	for (uint32_t i = 0; i < 1000; i++)
		frames[i] = (struct event_frame){ 0, i + 1, i + 1 };
	CHECK_INT(add_stack(&f, 5, frames, 1000, 0), 0);
	CHECK(f.prof->stacks[0].nlocs >= 128 && f.prof->stacks[0].nlocs <= 1000);
	free(frames);
	teardown(&f);
}

/* Memory that is followed: what was given back in a window is what was allocated and is not live; it has a kind. */
TEST(followed_memory)
{
	struct event_context context = { .type_module = UINT32_MAX, .kind = "brk" };
	struct event_live more = { .objects = 2, .bytes = 8192 }, less = { .objects = -1, .bytes = -4096 };
	struct event_counts counts = { .objects = 2, .bytes = 8192, .requested_bytes = 8000, .goroutines = 0, .rss_kind = EVENT_RSS_ANON };
	const struct prof_context *got;
	struct fixture f;

	if (!setup(&f))
		return;
	CHECK_INT(add_stack(&f, 101, frames_a, 3, 0), 0);
	CHECK_INT(f.sink.on_context(f.sink.ctx, 4, &context), 0);
	CHECK_INT(f.sink.on_counts(f.sink.ctx, 7, EVENT_MMAP, 101, 4, &counts), 0);
	CHECK_INT(f.sink.on_live(f.sink.ctx, 7, EVENT_MMAP, 101, 4, &more), 0);
	CHECK_INT(f.prof->nrows, 1);
	CHECK_INT(f.prof->rows[0].source, SOURCE_MMAP);
	CHECK_INT(prof_row_freed(&f.prof->rows[0], WINDOW_ALL).bytes, 0);
	CHECK_INT(f.sink.on_live(f.sink.ctx, 7, EVENT_MMAP, 101, 4, &less), 0);
	CHECK_INT(prof_row_freed(&f.prof->rows[0], WINDOW_ALL).bytes, 4096);
	profile__mark(f.prof);
	CHECK_INT(prof_row_freed(&f.prof->rows[0], WINDOW_INTERVAL).bytes, 0);
	CHECK_INT(f.sink.on_live(f.sink.ctx, 7, EVENT_MMAP, 101, 4, &less), 0);
	CHECK_INT(profile__freed(f.prof, SOURCE_MMAP, WINDOW_INTERVAL).objects, 1);
	CHECK_INT(profile__freed(f.prof, SOURCE_MMAP, WINDOW_ALL).bytes, 8192);
	CHECK_INT(profile__freed(f.prof, SOURCE_GO, WINDOW_ALL).bytes, 0);
	got = &f.prof->contexts[f.prof->rows[0].context];
	CHECK_INT(got->typing, TYPING_KIND);
	CHECK_STR(strtab__get(f.prof->strs, (uint32_t)got->type_vaddr), "brk");
	teardown(&f);
}

/* A program without end of stacks and types: what is kept has a bound, and no count is missing. */
TEST(limits)
{
	const struct agg_limits limits = { .stacks = 10, .contexts = 5, .rows = 40, .frames = 1000, .locs = 1000 };
	struct agg_stats stats;
	struct fixture f;
	uint64_t objects = 0;

	if (!setup_limits(&f, &limits))
		return;
	for (int round = 1; round <= 2; round++) {
		for (uint64_t i = 1; i <= 1000; i++) {
			const struct event_frame frame = { 0, i, i };
			const struct event_context context = { .type_module = 1, .type_vaddr = i };
			const struct event_counts counts = { .objects = i, .bytes = (int64_t)i * 16, .requested_bytes = i };
			const struct event_live live = { .objects = 1, .bytes = 16 };

			CHECK_INT(add_stack(&f, i << 32, &frame, 1, 0), 0);
			CHECK_INT(f.sink.on_context(f.sink.ctx, i << 32, &context), 0);
			CHECK_INT(f.sink.on_counts(f.sink.ctx, 7, EVENT_GO, i << 32, i << 32, &counts), 0);
			CHECK_INT(f.sink.on_live(f.sink.ctx, 7, EVENT_GO, i << 32, i << 32, &live), 0);
			objects += i;
		}
		agg__stats(f.agg, &stats);
		CHECK_INT(stats.stacks, round * 990);
		CHECK_INT(stats.contexts, round * 995);
		CHECK_INT(stats.rows, 0);
		CHECK_INT(f.prof->nstacks, 11);
		CHECK_INT(f.prof->ncontexts, 6);
		CHECK_INT(f.prof->nrows, 11);
		CHECK_INT(profile__sum(f.prof, SOURCE_GO, WINDOW_ALL).alloc_objects, objects);
		CHECK_INT(profile__sum(f.prof, SOURCE_GO, WINDOW_ALL).alloc_bytes, objects * 16);
		CHECK_INT(profile__sum(f.prof, SOURCE_GO, WINDOW_ALL).live_bytes, round * 16000);
		/* Those that came in time are on their own. */
		CHECK_INT(f.prof->rows[9].total.alloc_objects, round * 10);
		CHECK_INT(f.prof->stacks[f.prof->rows[9].stack].flags, 0);
		CHECK_INT(f.prof->stacks[f.prof->rows[10].stack].flags, STACK_LOST);
	}
	teardown(&f);
}

/* Every stack with every context would be a row. */
TEST(limits_of_rows)
{
	const struct agg_limits limits = { .stacks = 100, .contexts = 100, .rows = 40, .frames = 1000, .locs = 1000 };
	const struct event_counts counts = { .objects = 1, .bytes = 16, .requested_bytes = 9 };
	struct agg_stats stats;
	struct fixture f;

	if (!setup_limits(&f, &limits))
		return;
	for (uint64_t i = 1; i <= 20; i++) {
		const struct event_frame frame = { 0, i, i };
		const struct event_context context = { .type_module = 1, .type_vaddr = i };

		CHECK_INT(add_stack(&f, i << 32, &frame, 1, 0), 0);
		CHECK_INT(f.sink.on_context(f.sink.ctx, i << 32, &context), 0);
	}
	for (uint64_t i = 0; i < 800; i++)
		CHECK_INT(f.sink.on_counts(f.sink.ctx, 7, EVENT_GO, (i / 20 % 20 + 1) << 32, (i % 20 + 1) << 32, &counts), 0);
	agg__stats(f.agg, &stats);
	CHECK_INT(stats.rows, 2 * (400 - 40));
	CHECK_INT(f.prof->nrows, 41);
	CHECK_INT(f.prof->rows[39].total.alloc_objects, 2);
	CHECK_INT(f.prof->rows[40].total.alloc_objects, 720);
	CHECK_INT(f.prof->rows[40].context, 0);
	CHECK_INT(f.prof->stacks[f.prof->rows[40].stack].flags, STACK_LOST);
	CHECK_INT(profile__sum(f.prof, SOURCE_GO, WINDOW_ALL).alloc_bytes, 800 * 16);
	teardown(&f);
}

/* Few stacks, but long ones, or ones that have no place in common. */
TEST(limits_of_frames)
{
	const struct agg_limits by_frames = { .stacks = 1000, .contexts = 10, .rows = 1000, .frames = 64, .locs = 1000 };
	const struct agg_limits by_locs = { .stacks = 1000, .contexts = 10, .rows = 1000, .frames = 1000, .locs = 64 };

	for (int i = 0; i < 2; i++) {
		struct agg_stats stats;
		struct fixture f;

		if (!setup_limits(&f, i ? &by_locs : &by_frames))
			return;
		for (uint64_t stack = 1; stack <= 100; stack++) {
			struct event_frame frames[8];

			for (uint64_t n = 0; n < 8; n++)
				frames[n] = (struct event_frame){ 0, stack * 8 + n, stack * 8 + n };
			CHECK_INT(add_stack(&f, stack << 32, frames, 8, 0), 0);
			CHECK_INT(add_counts(&f, 7, EVENT_MALLOC, stack << 32, 1, 16, 16), 0);
		}
		agg__stats(f.agg, &stats);
		CHECK_INT(stats.stacks, 92);
		CHECK_INT(f.prof->nlocs, 64);
		CHECK_INT(f.prof->nstack_locs, 64);
		CHECK_INT(profile__sum(f.prof, SOURCE_MALLOC, WINDOW_ALL).alloc_objects, 100);
		teardown(&f);
	}
}

TEST(free_of_nothing)
{
	agg__free(NULL);
}

/* Uniform, from -1 to 1. */
static double chance(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (double)(*state >> 11) * 0x1p-52 - 1;
}

/* A hundred bursts, in which two stacks do as they like: how far the estimates are off is what their standard errors say. */
static void simulate(uint64_t seed, double *ret_off, double *ret_se)
{
	enum { BURSTS = 100, SCALE = 50 };
	struct event_burst burst = { .seen_s = 0.01, .stands_for_s = 0.5, .scale = { SCALE, SCALE, 0 } };
	uint64_t state = seed;
	struct prof_counts sum;
	struct prof_sampling sampling;
	struct fixture f;

	if (!setup(&f) || !CHECK_INT(add_stack(&f, 101, frames_a, 3, 0), 0) || !CHECK_INT(add_stack(&f, 102, frames_b, 2, 0), 0))
		return;
	for (burst.nr = 0; burst.nr < BURSTS; burst.nr++) {
		struct event_counts a = { .objects = (uint64_t)(100 + 60 * chance(&state)), .is_sampled = true };
		struct event_counts b = { .objects = 300, .is_sampled = true };

		a.bytes = (int64_t)(16 * a.objects);
		b.bytes = (int64_t)(16 * b.objects);
		f.sink.on_burst(f.sink.ctx, &burst);
		CHECK_INT(f.sink.on_counts(f.sink.ctx, 7, EVENT_GO, 101, 0, &a), 0);
		CHECK_INT(f.sink.on_counts(f.sink.ctx, 7, EVENT_GO, 102, 0, &b), 0);
	}
	sampling = profile__sampling(f.prof, WINDOW_ALL);
	CHECK_INT(sampling.bursts, BURSTS);
	CHECK(fabs(prof_sampled_s(&sampling) - 50) < 1e-6);
	sum = profile__sum(f.prof, SOURCE_GO, WINDOW_ALL);
	CHECK_INT(f.prof->rows[1].total.alloc_objects, 300 * SCALE * BURSTS);
	CHECK_INT(f.prof->rows[0].total.alloc_bytes, 16 * f.prof->rows[0].total.alloc_objects);
	/* 99.5: the mean of the whole numbers that are drawn. */
	*ret_off = (double)f.prof->rows[0].total.alloc_objects - 99.5 * SCALE * BURSTS;
	*ret_se = prof_alloc_se(&f.prof->rows[0].total, &sum, &sampling).objects;
	/* What never varies but for the other has the error of the total in its share only. */
	CHECK(prof_alloc_se(&sum, &sum, &sampling).objects >= 0);
	profile__mark(f.prof);
	CHECK_INT(profile__sum(f.prof, SOURCE_GO, WINDOW_INTERVAL).alloc_objects, 0);
	CHECK_INT(profile__sampling(f.prof, WINDOW_INTERVAL).bursts, 0);
	teardown(&f);
}

TEST(standard_errors_of_bursts)
{
	double off, se, squares = 0, variance = 0;

	for (uint64_t seed = 1; seed <= 200; seed++) {
		simulate(seed * 7919, &off, &se);
		squares += off * off;
		variance += se * se;
	}
	/* 200 draws of a variance from twelve groups. */
	CHECK(variance > 0.6 * squares && variance < 1.7 * squares);
}

TEST(one_burst_has_no_error_to_tell)
{
	struct event_burst burst = { .seen_s = 0.01, .stands_for_s = 0.5, .scale = { 2.5, 2.5, 0.1 } };
	struct event_counts counts = { .objects = 3, .bytes = 30, .requested_bytes = 29, .is_sampled = true };
	struct prof_sampling sampling;
	struct prof_counts sum;
	struct fixture f;

	if (!setup(&f))
		return;
	CHECK_INT(add_stack(&f, 101, frames_a, 3, 0), 0);
	f.sink.on_burst(f.sink.ctx, &burst);
	CHECK_INT(f.sink.on_counts(f.sink.ctx, 7, EVENT_GO, 101, 0, &counts), 0);
	CHECK_INT(f.prof->rows[0].total.alloc_objects, 7);
	CHECK_INT(f.prof->rows[0].total.alloc_bytes, 75);
	/* What is left of whole numbers comes with the next. */
	CHECK_INT(f.sink.on_counts(f.sink.ctx, 7, EVENT_GO, 101, 0, &counts), 0);
	CHECK_INT(f.prof->rows[0].total.alloc_objects, 15);
	sum = profile__sum(f.prof, SOURCE_GO, WINDOW_ALL);
	sampling = profile__sampling(f.prof, WINDOW_ALL);
	CHECK(isnan(prof_alloc_se(&sum, &sum, &sampling).objects));
	/* What was seen whole has none. */
	CHECK_INT(add_counts(&f, 7, EVENT_MALLOC, 101, 5, 50, 50), 0);
	sum = profile__sum(f.prof, SOURCE_MALLOC, WINDOW_ALL);
	CHECK(prof_alloc_se(&sum, &sum, &sampling).objects == 0);
	teardown(&f);
}

TEST_MAIN()
