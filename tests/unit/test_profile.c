// SPDX-License-Identifier: GPL-2.0-or-later
#include "profile/profile.h"

#include <stdlib.h>
#include <time.h>

#include "profile/frames.h"
#include "test.h"

/* Counts of a source that allocates. */
#define ALLOCATED(objects, bytes, requested)                                                                            \
	((struct prof_counts){ .alloc_objects = (objects), .alloc_bytes = (bytes), .requested_bytes = (requested) })

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct profile *new_profile(void)
{
	struct profile *prof = NULL;

	CHECK_INT(profile__new(&prof), 0);
	return prof;
}

TEST(empty)
{
	struct profile *prof = new_profile();

	CHECK_INT(profile__losses(prof, WINDOW_ALL), 0);
	CHECK_INT(profile__sum(prof, SOURCE_GO, WINDOW_ALL).alloc_bytes, 0);
	CHECK(profile__duration_s(prof, WINDOW_INTERVAL) == 0);
	CHECK(!profile__find_target(prof, 1));
	CHECK_STR(source_name(SOURCE_RSS), "rss");
	profile__mark(prof);
	profile__free(prof);
	profile__free(NULL);
}

TEST(equal_input_gives_equal_indices)
{
	struct profile *prof = new_profile();
	struct prof_module mod = { .path = strtab__adds(prof->strs, "/bin/a"),
				   .build_id = strtab__adds(prof->strs, "aa"), .start = 0x1000 };
	uint32_t a, b, l1, l2, s, context;

	a = profile__add_module(prof, &mod);
	mod.start = 0x7000; /* the same file elsewhere */
	CHECK_INT(profile__add_module(prof, &mod), a);
	CHECK_INT(prof->modules[a].start, 0x1000);
	mod.build_id = 0;
	b = profile__add_module(prof, &mod);
	CHECK(b != a);
	CHECK_INT(profile__add_module(prof, &mod), b);
	mod.start = 0x8000; /* nothing says that it is the same */
	CHECK(profile__add_module(prof, &mod) != b);

	l1 = profile__add_loc(prof, a, 0x10, 0x1010);
	CHECK_INT(profile__add_loc(prof, a, 0x10, 0x9010), l1);
	CHECK_INT(prof->locs[l1].addr, 0x1010);
	l2 = profile__add_loc(prof, b, 0x10, 0x1010);
	CHECK(l1 != l2);
	CHECK(profile__add_loc(prof, PROF_NONE, 0x10, 0x10) != PROF_NONE);
	CHECK(profile__add_loc(prof, 99, 0x10, 0x10) == PROF_NONE);

	s = profile__add_stack(prof, (uint32_t[]){ l1, l2 }, 2, 0);
	CHECK_INT(profile__add_stack(prof, (uint32_t[]){ l1, l2 }, 2, 0), s);
	CHECK(profile__add_stack(prof, (uint32_t[]){ l2, l1 }, 2, 0) != s);
	CHECK(profile__add_stack(prof, (uint32_t[]){ l1, l2 }, 2, STACK_BROKEN) != s);
	CHECK(profile__add_stack(prof, (uint32_t[]){ l1 }, 1, 0) != s);
	CHECK(profile__add_stack(prof, (uint32_t[]){ 77 }, 1, 0) == PROF_NONE);
	CHECK_INT(profile__add_stack(prof, NULL, 0, STACK_LOST), profile__add_stack(prof, NULL, 0, STACK_LOST));

	CHECK_INT(profile__add_row(prof, 1, SOURCE_GO, 0, s), 0);
	CHECK_INT(profile__add_row(prof, 2, SOURCE_GO, 0, s), 1);
	CHECK_INT(profile__add_row(prof, 1, SOURCE_RSS, 0, s), 2);
	context = profile__add_context(prof, &(struct prof_context){ .typing = TYPING_NONE, .creator = PROF_NONE });
	CHECK_INT(context, 1);
	CHECK_INT(profile__add_row(prof, 1, SOURCE_GO, context, s), 3);
	CHECK(profile__add_row(prof, 1, SOURCE_GO, 5, s) == PROF_NONE);
	CHECK_INT(profile__add_row(prof, 1, SOURCE_GO, 0, s), 0);
	CHECK(profile__add_row(prof, 1, SOURCE_GO, 0, 1000) == PROF_NONE);
	CHECK_INT(prof->nrows, 4);

	CHECK_INT(profile__add_target(prof, 42), profile__add_target(prof, 42));
	CHECK_INT(profile__find_target(prof, 42)->exit_code, PROF_RUNNING);
	profile__free(prof);
}

TEST(windows)
{
	struct profile *prof = new_profile();
	uint32_t stack = profile__add_stack(prof, NULL, 0, STACK_LOST);
	uint32_t row_nr = profile__add_row(prof, 7, SOURCE_GO, 0, stack), target_nr = profile__add_target(prof, 7);
	struct prof_row *row = &prof->rows[row_nr];
	struct prof_target *t = &prof->targets[target_nr];
	struct prof_loss *loss = profile__loss(prof, "ring_full", "text");
	struct prof_counts c;

	prof->start_unix_ns = 1000000000;
	prof->now_unix_ns = 3000000000;
	row->total = ALLOCATED(10, 1000, 900);
	loss->count = 5;
	t->cpu_ns = 100;
	t->rss_now_bytes = 4096;
	prof->cost = (struct prof_cost){ 10, 20, 30 };
	prof->rss_kinds[RSS_ANON].now_bytes = 64;
	CHECK(profile__duration_s(prof, WINDOW_INTERVAL) == 2);
	CHECK_INT(profile__sum(prof, SOURCE_GO, WINDOW_INTERVAL).alloc_bytes, 1000);

	profile__mark(prof);
	CHECK_INT(profile__sum(prof, SOURCE_GO, WINDOW_INTERVAL).alloc_bytes, 0);
	CHECK_INT(profile__sum(prof, SOURCE_GO, WINDOW_ALL).alloc_bytes, 1000);
	CHECK_INT(profile__sum(prof, SOURCE_MALLOC, WINDOW_ALL).alloc_bytes, 0);
	CHECK_INT(t->rss_marked_bytes, 4096);
	CHECK_INT(prof->rss_kinds[RSS_ANON].marked_bytes, 64);

	prof->now_unix_ns = 3500000000;
	row->total = (struct prof_counts){ .alloc_objects = 13, .alloc_bytes = 1500, .requested_bytes = 1300, .rss_bytes = -4096 };
	loss->count = 6;
	t->cpu_ns = 0; /* a process that is gone */
	prof->cost = (struct prof_cost){ 11, 22, 33 };
	c = prof_row_counts(row, WINDOW_INTERVAL);
	CHECK(c.alloc_objects == 3 && c.alloc_bytes == 500 && c.requested_bytes == 400 && c.rss_bytes == -4096);
	CHECK_INT(profile__losses(prof, WINDOW_INTERVAL), 1);
	CHECK_INT(profile__losses(prof, WINDOW_ALL), 6);
	CHECK_INT(profile__target_cpu_ns(prof, WINDOW_INTERVAL), 0);
	CHECK_INT(profile__cost(prof, WINDOW_INTERVAL).bpf_ns, 3);
	CHECK(profile__duration_s(prof, WINDOW_INTERVAL) == 0.5);
	CHECK(profile__duration_s(prof, WINDOW_ALL) == 2.5);
	profile__free(prof);
}

static void set_rss(struct profile *p, uint32_t row, int64_t bytes)
{
	p->rows[row].total.rss_bytes = bytes;
}

/* The snapshot with the highest sum of all; rows that came later were not there then. */
TEST(peak_of_rss)
{
	struct profile *p = new_profile();
	uint32_t locs[3] = { profile__add_loc(p, PROF_NONE, 1, 1), profile__add_loc(p, PROF_NONE, 2, 2),
			     profile__add_loc(p, PROF_NONE, 3, 3) }, rows[3];
	uint32_t target = profile__add_target(p, 7);

	for (int i = 0; i < 3; i++)
		rows[i] = profile__add_row(p, 7, i < 2 ? SOURCE_RSS : SOURCE_MALLOC, 0, profile__add_stack(p, &locs[i], 1, 0));
	p->targets[target].rss_start_bytes = 1000;
	p->rows[rows[2]].total.alloc_bytes = 1 << 20;
	CHECK(!p->rss_peak.measured);
	set_rss(p, rows[0], 4096);
	profile__note_rss_peak(p, 11);
	CHECK(p->rss_peak.measured && p->rss_peak.bytes == 5096);
	set_rss(p, rows[0], 8192);
	set_rss(p, rows[1], -2048);
	p->rss_peak.high_bytes = 9000;
	profile__note_rss_peak(p, 12);
	CHECK(p->rss_peak.bytes == 1000 + 8192 - 2048);
	set_rss(p, rows[0], 4096); /* lower */
	profile__note_rss_peak(p, 13);
	CHECK(p->rss_peak.bytes == 1000 + 8192 - 2048);
	CHECK_INT(p->rss_peak.unix_ns, 12);
	CHECK_INT(p->rss_peak.snapshots, 2);
	CHECK_INT(p->rss_peak.high_bytes, 9000);
	CHECK_INT(p->rows[rows[0]].total.peak_rss_bytes, 8192);
	CHECK_INT(p->rows[rows[1]].total.peak_rss_bytes, -2048);
	CHECK_INT(p->rows[rows[2]].total.peak_rss_bytes, 0);
	CHECK_INT(profile__sum(p, SOURCE_RSS, WINDOW_INTERVAL).peak_rss_bytes, 8192 - 2048); /* a state */
	/* Nothing else than that it was there then: a row all the same. */
	set_rss(p, rows[0], 0);
	CHECK(!prof_counts_are_zero(&p->rows[rows[0]].total));
	profile__free(p);
}

TEST(losses_stay_where_they_are)
{
	struct profile *prof = new_profile();
	struct prof_loss *first = profile__loss(prof, "first", "t");
	static char names[200][24];

	for (int i = 0; i < 200; i++) {
		snprintf(names[i], sizeof(names[i]), "cause_%d", i);
		profile__loss(prof, names[i], "t")->count++;
	}
	CHECK(profile__loss(prof, "first", "t") == first);
	CHECK_INT(prof->nlosses, PROF_MAX_LOSSES);
	CHECK_STR(prof->losses[PROF_MAX_LOSSES - 1].name, "other");
	CHECK_INT(profile__losses(prof, WINDOW_ALL), 200); /* none fell through */
	CHECK_INT(profile__loss(prof, "cause_61", "t")->count, 1);
	profile__free(prof);
}

TEST(frames)
{
	struct profile *prof = new_profile();
	struct prof_module mod = { .path = strtab__adds(prof->strs, "/bin/a"), .name = strtab__adds(prof->strs, "a") };
	uint32_t m = profile__add_module(prof, &mod);
	uint32_t locs[3] = { profile__add_loc(prof, m, 0x10, 1), profile__add_loc(prof, m, 0x20, 2),
			     profile__add_loc(prof, PROF_NONE, 0x30, 3) };
	uint32_t stack = profile__add_stack(prof, locs, 3, 0), f = strtab__adds(prof->strs, "f");
	struct prof_frame two[2] = { { f, 0, 3, FRAME_INLINED }, { strtab__adds(prof->strs, "g"), 0, 4, 0 } };
	const char *want[] = { "f", "g", "[a+0x20]", "[unknown+0x30]" };
	struct frame_iter it = frames_of(prof, stack);
	struct frame_view view;
	int n = 0;

	CHECK_INT(profile__set_frames(prof, locs[0], two, 2), 0);
	CHECK_INT(profile__set_frames(prof, locs[0], two + 1, 1), 0); /* once */
	for (; frame_iter__next(&it, &view); n++) {
		if (!CHECK(n < 4))
			break;
		CHECK_STR(view.func, want[n]);
		CHECK_INT(!!(view.flags & FRAME_UNKNOWN), n >= 2);
	}
	CHECK_INT(n, 4);
	profile__free(prof);
}

#define MANY_STACKS 100000
#define MANY_SAMPLES 1000000
#define DEPTH 30

/* Location @d of stack @i: like real stacks, the same at the root and different at the leaf. */
static uint32_t many_loc(uint32_t i, uint32_t d)
{
	return (uint32_t)((uint64_t)i * 2654435761u >> (d < 16 ? d * 2 : 31)) % 5000;
}

TEST(a_hundred_thousand_stacks)
{
	struct profile *prof = new_profile();
	uint32_t locs[DEPTH], base, *first = calloc(MANY_STACKS, sizeof(*first)), wrong = 0, row;
	double begin = now_s(), spent;

	profile__add_module(prof, &(struct prof_module){ .path = 1 });
	base = profile__add_loc(prof, 0, 1u << 30, 1);
	for (uint32_t i = 0; i < 5000; i++)
		profile__add_loc(prof, 0, i * 16, i * 16);
	for (uint32_t n = 0; n < MANY_SAMPLES; n++) {
		uint32_t i = n % MANY_STACKS, stack;

		for (uint32_t d = 0; d < DEPTH; d++)
			locs[d] = base + 1 + many_loc(i, d);
		/* The number in two digits makes each stack one of its own. */
		locs[0] = base + 1 + i % 5000;
		locs[1] = base + 1 + i / 5000;
		stack = profile__add_stack(prof, locs, DEPTH, 0);
		if (n < MANY_STACKS)
			first[i] = stack;
		wrong += stack != first[i];
		row = profile__add_row(prof, 1, SOURCE_GO, 0, stack); /* moves rows: not inside of the index */
		prof->rows[row].total.alloc_objects++;
	}
	spent = now_s() - begin;
	fprintf(stderr, "1,000,000 samples of 100,000 stacks of 30: %.2f s\n", spent);
	CHECK_INT(wrong, 0);
	CHECK_INT(prof->nstacks, MANY_STACKS);
	CHECK_INT(prof->nrows, MANY_STACKS);
	CHECK_INT(profile__sum(prof, SOURCE_GO, WINDOW_ALL).alloc_objects, MANY_SAMPLES);
	CHECK(spent < 20); /* about 0.5 s; many times that with a sanitizer */
	free(first);
	profile__free(prof);
}

TEST_MAIN()
