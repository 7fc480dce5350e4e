/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A made-up capture that goes on interval by interval: for what keeps profiles. Fuzzers use it, too. */
#ifndef ALLOCSNOOP_TESTS_MADE_PROFILE_H
#define ALLOCSNOOP_TESTS_MADE_PROFILE_H

#include <stdlib.h>

#include "base/event.h"
#include "profile/labels.h"
#include "profile/profile.h"
#include "profile/timeline.h"

#define MADE_START_NS 1795574048000000000ull
#define MADE_STEP_NS 10000000000ull
#define MADE_PID 4711

static uint32_t made_str(struct profile *p, const char *text)
{
	return strtab__adds(p->strs, text);
}

static uint32_t made_stack(struct profile *p, uint32_t module, uint32_t nr)
{
	uint32_t locs[3];
	char name[64];

	for (uint32_t i = 0; i < 3; i++) {
		struct prof_frame frames[2];
		uint32_t n = 0;

		locs[i] = profile__add_loc(p, i == 2 ? PROF_NONE : module, 0x1000 + nr * 64 + i, 0x401000 + nr * 64 + i);
		snprintf(name, sizeof(name), "main.work%u.%u", nr, i);
		if (!i)
			frames[n++] = (struct prof_frame){ made_str(p, "inlined\n\xff"), made_str(p, "/src/in.go"), nr + 1, FRAME_INLINED };
		frames[n++] = (struct prof_frame){ made_str(p, name), made_str(p, "/src/main.go"), 10 + nr, i ? 0 : FRAME_PLUMBING };
		profile__set_frames(p, locs[i], frames, i == 2 ? 0 : n); /* the outermost has no symbol */
	}
	return profile__add_stack(p, locs, nr % 7 == 6 ? 0 : 3, nr % 7 == 6 ? STACK_LOST : STACK_BY_CHAIN);
}

static uint32_t made_context(struct profile *p, uint32_t module, uint32_t nr)
{
	struct event_label label = { "shard", nr % 2 ? "odd" : "even" };
	struct prof_context c = { .typing = nr % 3 ? TYPING_KNOWN : TYPING_NONE, .creator = PROF_NONE };

	if (c.typing == TYPING_KNOWN) {
		c.type_module = module;
		c.type_vaddr = 0x9000 + nr;
	}
	if (nr % 2)
		c.creator = p->stack_locs[0];
	c.labels = nr % 4 ? labels_add(p->strs, &label, 1) : 0;
	return profile__add_context(p, &c);
}

/* The capture at its attach: a Go program with rows of go and rss, and a C library. */
static struct profile *made_profile(void)
{
	struct profile *p;
	uint32_t index;

	if (profile__new(&p) || timeline__new(500000000, &p->timeline))
		abort();
	snprintf(p->kernel, sizeof(p->kernel), "6.1.0-made");
	p->start_unix_ns = p->mark_unix_ns = p->now_unix_ns = MADE_START_NS;
	index = profile__add_target(p, MADE_PID);
	p->targets[index].comm = made_str(p, "made");
	p->targets[index].exe = made_str(p, "/usr/bin/made");
	p->targets[index].runtime = made_str(p, "go1.19.8");
	p->targets[index].rss_start_bytes = p->targets[index].rss_marked_bytes = 1 << 20;
	p->has_source[SOURCE_GO] = p->has_source[SOURCE_MALLOC] = p->has_source[SOURCE_RSS] = true;
	p->has_rss_kinds = p->has_touches = true;
	p->rss_method = RSS_BY_COUNTERS;
	p->rss_kinds[RSS_ANON] = (struct prof_rss_kind){ 1 << 20, 1 << 20, 1 << 20 };
	p->live[SOURCE_GO] = (struct prof_live){ .measured = true, .how = "by mark bits, since the attach", .rate_bytes = 65536 };
	p->live[SOURCE_MALLOC] = (struct prof_live){ .measured = true, .how = "blocks since the attach", .frees_counted = true,
						     .ages_known = true, .older_s = 0.25 };
	profile__loss(p, "site_map_full", "some stacks' counts are too low");
	profile__loss(p, "code_unnamed", "a note")->is_note = true;
	return p;
}

static void made_go(struct prof_counts *c, uint32_t k)
{
	c->alloc_objects += 10 + k;
	c->alloc_bytes += 1000 + 7 * k;
	c->requested_bytes += 900 + 7 * k;
	c->live_objects += 1.25;
	c->live_bytes += 333.4 - k;
	c->live_objects_var += 0.7;
	c->live_bytes_var += 99.6;
}

static void made_malloc(struct prof_counts *c, uint32_t k)
{
	c->alloc_objects += 4;
	c->alloc_bytes += c->requested_bytes = 100ull * k;
	c->free_objects += 1;
	c->free_bytes += 20;
	c->live_objects = (double)(c->alloc_objects - c->free_objects);
	c->live_bytes = (double)(c->alloc_bytes - c->free_bytes);
	c->peak_objects = c->live_objects;
	c->peak_bytes = c->live_bytes;
	c->aged_objects = (uint64_t)c->live_objects;
	c->oldest_s = 1.5 * k;
	c->median_age_s = 0.75 * k;
	c->requested_bytes = c->alloc_bytes;
}

static void made_rss(struct prof_counts *c, uint32_t k)
{
	c->rss[RSS_ANON].grown_bytes += 8192;
	c->rss[RSS_ANON].released_bytes += k % 3 ? 0 : 4096;
	c->rss[RSS_FILE].grown_bytes += k % 2 ? 4096 : 0;
	c->rss[RSS_SWAP].grown_bytes += k == 3 ? 4096 : 0;
	c->peak_rss_bytes = prof_rss_bytes(c);
}

/* Interval @k (1, 2, ...): some rows change, with each third there is one more. */
static void made_step(struct profile *p, uint32_t k)
{
	struct prof_module mod = { .path = made_str(p, "/usr/bin/made"), .name = made_str(p, "made"),
				   .build_id = made_str(p, "c0ffee"), .start = 0x400000, .end = 0x500000, .file_off = 0x1000 };
	uint32_t module = profile__add_module(p, &mod);

	p->now_unix_ns = MADE_START_NS + k * MADE_STEP_NS;
	for (uint32_t nr = 0; nr < (k < 90 ? 9 + k / 3 : 39); nr++) {
		enum source source = nr % 3 == 0 ? SOURCE_GO : nr % 3 == 1 ? SOURCE_MALLOC : SOURCE_RSS;
		uint32_t stack = made_stack(p, module, nr), context = source == SOURCE_GO ? made_context(p, module, nr) : 0, row;

		if ((nr + k) % 4 == 0)
			continue;
		row = profile__add_row(p, MADE_PID, source, context, stack);
		p->rows[row].type = source == SOURCE_GO ? made_str(p, nr % 2 ? "[]uint8" : "map[string]int") :
				    source == SOURCE_RSS ? made_str(p, "Go heap") : 0;
		p->rows[row].goroutines += source == SOURCE_GO && k % 2;
		(source == SOURCE_GO ? made_go : source == SOURCE_MALLOC ? made_malloc : made_rss)(&p->rows[row].total, k);
	}
	for (uint32_t row = 0; row < p->nrows; row++) {
		uint32_t touch;

		if (p->rows[row].source != SOURCE_RSS || (row + k) % 2)
			continue;
		touch = profile__add_touch(p, row, k % 3 ? SOURCE_GO : SOURCE_MMAP, made_stack(p, module, 100 + k % 4));
		p->touches[touch].bytes += 512 * k;
	}
	if (k == 1) { /* asked for before any page was there */
		uint32_t row = profile__add_row(p, MADE_PID, SOURCE_RSS, 0, made_stack(p, module, 200));

		row = profile__add_touch(p, row, SOURCE_MALLOC, made_stack(p, module, 202));
		p->touches[row].bytes = 4096;
	}
	p->targets[0].has_go_rss = true;
	p->targets[0].go_rss_unknown = k == 2 ? "it ran away" : NULL;
	p->targets[0].go_rss = (struct go_rss){ .heap_inuse_bytes = 5000 * k, .heap_idle_bytes = 3000, .heap_released_bytes = 1000,
						.objects_bytes = 4000 * k, .rss_bytes = 99999, .arenas_bytes = 7000, .has_cgo = k % 2 };
	p->targets[0].rss_now_bytes = (1 << 20) + 12288ull * k * (1 + k % 3);
	p->targets[0].cpu_ns += 1000000ull * k;
	p->rss_kinds[RSS_ANON].now_bytes = p->targets[0].rss_now_bytes;
	p->cost.hits += 100 + k;
	p->cost.trap_ns += 5000;
	p->cost.bpf_ns += 700;
	p->losses[0].count += k % 2;
	p->losses[1].count += 3;
	p->live[SOURCE_GO].samples = 10 * k;
	p->live[SOURCE_GO].unjudged_bytes = 512 * k;
	p->peak = (struct prof_peak){ true, 1000.0 * k, 10.0 * k, p->now_unix_ns, k, 0 };
	p->rss_peak = (struct prof_peak){ true, 2000.0 * k, 0, p->now_unix_ns, k, 9999 };
	if (timeline__add(p->timeline, p, p->now_unix_ns, p->targets[0].rss_now_bytes))
		abort();
}

#endif
