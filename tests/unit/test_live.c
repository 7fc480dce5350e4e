// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How the BPF side finds the objects that are followed, run in user mode on a runtime laid out by hand: the address
 * of a sampled object from the mcache, of a large one from its span, and the samples of the memory profile.
 */
#include "bpfstub/bpf.h"

/* A constant before load, which this test changes. */
#define max_size_bytes max_size_bytes_const; static __u64 max_size_bytes
#include "bpf/maps.bpf.h"
#undef max_size_bytes

#include "bpf/alloc_go.bpf.h"

#include "bpfstub/run.h"

#include "capture/goabi.h"
#include "test.h"

#define PAGE_AT(n) (FAKE_BASE + (uint64_t)(n) * FAKE_PAGE)
#define STACK PAGE_AT(1)
#define G PAGE_AT(2)
#define G2 PAGE_AT(3)
#define M PAGE_AT(4)
#define M2 PAGE_AT(5)
#define P PAGE_AT(6) /* a runtime.p is large */
#define P2 PAGE_AT(16)
#define MCACHE PAGE_AT(26)
#define MCACHE2 PAGE_AT(28)
#define SPAN PAGE_AT(30)
#define SPAN2 PAGE_AT(31)
#define EMPTY PAGE_AT(32) /* runtime.emptymspan: all 0 */
#define TYPE PAGE_AT(33) /* with pointers */
#define SPECIAL PAGE_AT(34)
#define BITS PAGE_AT(35)

#define OBJECTS 0xc000100000ULL /* the spans' */
#define OBJECTS2 0xc000200000ULL
#define NOSCAN 0
#define GEN 12

static const struct go_layout *layout;

static void put(uint64_t addr, uint64_t word)
{
	fake_memory__put(&fake.mem, addr, word);
}

static void put_narrow(uint64_t addr, uint64_t value, size_t width)
{
	memcpy(fake.mem.bytes + (addr - FAKE_BASE), &value, width);
}

static void put_thread(uint64_t g, uint64_t goid, uint64_t m, uint64_t p, uint64_t mcache)
{
	put(g + fake.go.g_m, m);
	put(g + fake.go.g_goid, goid);
	put(m + fake.go.m_p, p);
	put(p + fake.go.p_mcache, mcache);
}

static void put_span(uint64_t span, uint64_t start, uint64_t elem_bytes, uint64_t freeindex)
{
	put(span + fake.go.mspan_start_addr, start);
	put(span + fake.go.mspan_elemsize, elem_bytes);
	/* What stands behind a narrow one is not part of it. */
	put_narrow(span + layout->mspan_freeindex, ~0ULL, 4);
	put_narrow(span + layout->mspan_freeindex, freeindex, layout->mspan_freeindex_bytes);
	put_narrow(span + layout->mspan_sweepgen, GEN + 3, 4);
}

/* The number of the class of @bytes, found in the runtime's own way. */
static uint32_t spanclass(uint64_t bytes, bool noscan)
{
	uint32_t class = 1;

	while (layout->class_to_size[class] < bytes)
		class++;
	return class << 1 | noscan;
}

static void cache(uint64_t mcache, uint32_t class, uint64_t span)
{
	put(mcache + fake.go.mcache_alloc + class * 8, span);
}

static void reset(const struct go_layout *of, enum abi_go_live live)
{
	fake_reset();
	layout = of;
	goabi_from_layout(layout, &fake.go);
	fake.go.live = live;
	fake.go.sample_bytes = 1 << 20;
	fake.target.tgid = 4711;
	max_size_bytes = ~0ULL;
	put(STACK, 0x400000); /* the return address, and no frame above */
	put_thread(G, 17, M, P, MCACHE);
	put_thread(G2, 18, M2, P2, MCACHE2);
	put(TYPE + 8, 8);
	for (uint32_t class = 0; class < 136; class++) {
		cache(MCACHE, class, EMPTY);
		cache(MCACHE2, class, EMPTY);
	}
}

/* An allocation of @size bytes by @g comes to the door, with this throw of the dice. */
static void enter(uint64_t g, enum abi_door which, uint64_t size, uint64_t type, uint32_t random)
{
	struct scratch *s = &fake.scratches[0];

	/* What an earlier run left must not matter. */
	memset(s->block, 0x5a, sizeof(s->block));
	memset(s->g, 0x5a, sizeof(s->g));
	memset(&s->waiting, 0x5a, sizeof(s->waiting));
	memset(&s->object, 0x5a, sizeof(s->object));
	fake.random = random;
	s->go = (struct go_args){ .size = size, .type = type, .g = g };
	s->from = (struct walk_from){ .ip = 0x401234 + (size << 4), .sp = STACK };
	go_alloc(s, ABI_COOKIE(FAKE_SLOT, 0, which));
}

static void door(uint64_t g, enum abi_door which, uint64_t size, uint64_t type, bool sample)
{
	enter(g, which, size, type, sample ? 0 : UINT32_MAX);
}

static void at_random(uint64_t size, uint64_t random)
{
	enter(G, ABI_DOOR_GO_SMALL, size, NOSCAN, (uint32_t)random);
}

static void small(uint64_t g, uint64_t size, uint64_t type, bool sample)
{
	door(g, ABI_DOOR_GO_SMALL, size, type, sample);
}

/* The next door on the P of @g. */
static void next(uint64_t g)
{
	small(g, 8, TYPE, false);
}

static uint64_t lost(void)
{
	return fake_stat(ABI_STAT_LOST_SAMPLE);
}

static const struct abi_rec_object *last(void)
{
	static const struct abi_rec_object none;

	return fake.nobjects ? &fake.objects[fake.nobjects - 1] : &none;
}

TEST(a_small_object)
{
	for (size_t i = 0; i < go_nlayouts; i++) {
		for (int noscan = 0; noscan < 2; noscan++) {
			uint32_t class;
			uint64_t stack_id, context_id;

			reset(&go_layouts[i], ABI_GO_LIVE_MARKS);
			class = spanclass(48, noscan);
			fake.target.image = 2;
			put_span(SPAN, OBJECTS, 48, 7);
			cache(MCACHE, class, SPAN);
			small(G, 41, noscan ? NOSCAN : TYPE, true);
			stack_id = fake.scratches[0].key.stack_id;
			context_id = fake.scratches[0].key.context_id;
			CHECK_INT(fake.nwaiting, 1);
			CHECK_INT(fake.nobjects, 0);
			put_span(SPAN, OBJECTS, 48, 10); /* 8 and 9 were in use */
			next(G2); /* another P says nothing */
			CHECK_INT(fake.nobjects, 0);
			next(G);
			if (!CHECK_INT(fake.nobjects, 1))
				continue;
			CHECK_INT(last()->rec.kind, ABI_REC_SAMPLE);
			CHECK_INT(last()->rec.tgid, 4711);
			CHECK_INT(last()->image, 2);
			CHECK_INT(last()->addr, OBJECTS + 9 * 48);
			CHECK_INT(last()->bytes, 48);
			CHECK_INT(last()->span, SPAN);
			CHECK_INT(last()->sweepgen, GEN + 3);
			CHECK_INT(last()->stack_id, stack_id);
			CHECK_INT(last()->context_id, context_id);
			CHECK_INT(fake.nwaiting, 0);
			next(G);
			CHECK_INT(fake.nobjects, 1);
			CHECK_INT(lost(), 0);
		}
	}
}

/* Every class has its place in the mcache, up to the largest. */
TEST(classes)
{
	for (size_t i = 0; i < go_nlayouts; i++) {
		uint64_t header;

		reset(&go_layouts[i], ABI_GO_LIVE_MARKS);
		header = layout->malloc_headers ? layout->malloc_header_size : 0;
		for (uint32_t class = 1; class < layout->nclasses; class++) {
			uint64_t bytes = layout->class_to_size[class];
			bool with_header = header && bytes > layout->min_size_for_malloc_header;

			fake.nobjects = 0;
			put_span(SPAN, OBJECTS, bytes, 0);
			cache(MCACHE, class << 1, SPAN);
			if (with_header)
				door(G, ABI_DOOR_GO_HEADER, bytes - header, TYPE, true);
			else
				small(G, bytes, TYPE, true);
			put_span(SPAN, OBJECTS, bytes, 3);
			next(G);
			CHECK_INT(fake.nobjects, 1);
			CHECK_INT(last()->bytes, bytes);
			CHECK_INT(last()->addr, OBJECTS + 2 * bytes);
			cache(MCACHE, class << 1, EMPTY);
		}
		CHECK_INT(lost(), 0);
	}
}

TEST(the_span_was_full)
{
	reset(go_layout_for(24, NULL, NULL), ABI_GO_LIVE_MARKS);
	put_span(SPAN, OBJECTS, 64, 128);
	cache(MCACHE, spanclass(64, true), SPAN);
	small(G, 64, NOSCAN, true);
	put_span(SPAN2, OBJECTS2, 64, 1);
	cache(MCACHE, spanclass(64, true), SPAN2);
	next(G);
	CHECK_INT(fake.nobjects, 1);
	CHECK_INT(last()->addr, OBJECTS2);
	CHECK_INT(last()->span, SPAN2);
	/* The first object of a P has no span before it. */
	cache(MCACHE, spanclass(64, true), EMPTY);
	small(G, 64, NOSCAN, true);
	cache(MCACHE, spanclass(64, true), SPAN2);
	next(G);
	CHECK_INT(fake.nobjects, 2);
	CHECK_INT(lost(), 0);
}

TEST(the_mcache_was_flushed)
{
	reset(go_layout_for(24, NULL, NULL), ABI_GO_LIVE_MARKS);
	put_span(SPAN, OBJECTS, 64, 5);
	cache(MCACHE, spanclass(64, true), SPAN);
	small(G, 64, NOSCAN, true);
	cache(MCACHE, spanclass(64, true), EMPTY);
	next(G);
	CHECK_INT(fake.nobjects, 0);
	CHECK_INT(fake.nwaiting, 0);
	CHECK_INT(lost(), 1);
	/* And filled again, from which nothing has been taken. */
	cache(MCACHE, spanclass(64, true), SPAN);
	small(G, 64, NOSCAN, true);
	put_span(SPAN2, OBJECTS2, 64, 0);
	cache(MCACHE, spanclass(64, true), SPAN2);
	next(G);
	CHECK_INT(fake.nobjects, 0);
	CHECK_INT(lost(), 2);
}

/* Before it allocates the goroutine may have to help the GC, and others go on. */
TEST(it_waits_for_the_gc)
{
	reset(go_layout_for(19, NULL, NULL), ABI_GO_LIVE_MARKS);
	put_span(SPAN, OBJECTS, 64, 5);
	cache(MCACHE, spanclass(64, true), SPAN);
	small(G, 64, NOSCAN, true);
	for (int i = 0; i < 5; i++)
		next(G);
	CHECK_INT(fake.nwaiting, 1);
	CHECK_INT(fake.nobjects, 0);
	put_span(SPAN, OBJECTS, 64, 6);
	next(G);
	CHECK_INT(fake.nobjects, 1);
	CHECK_INT(lost(), 0);
	/* Who waits when the next is chosen is lost, and that is said. */
	small(G, 64, NOSCAN, true);
	small(G, 64, NOSCAN, true);
	CHECK_INT(fake.nwaiting, 1);
	CHECK_INT(lost(), 1);
}

TEST(not_what_was_expected)
{
	uint32_t class;

	reset(go_layout_for(24, NULL, NULL), ABI_GO_LIVE_MARKS);
	class = spanclass(64, true);
	put_span(SPAN, OBJECTS, 64, 5);
	cache(MCACHE, class, SPAN);
	small(G, 64, NOSCAN, true);
	put_span(SPAN, OBJECTS, 80, 6); /* another size */
	next(G);
	CHECK_INT(lost(), 1);
	put_span(SPAN, OBJECTS, 64, 6);
	small(G, 64, NOSCAN, true);
	fake.target.image++; /* another program */
	put_span(SPAN, OBJECTS, 64, 7);
	next(G);
	CHECK_INT(lost(), 2);
	small(G, 64, NOSCAN, true);
	fake.mem.present[(SPAN - FAKE_BASE) / FAKE_PAGE] = false;
	next(G);
	CHECK_INT(lost(), 3);
	fake.mem.present[(SPAN - FAKE_BASE) / FAKE_PAGE] = true;
	small(G, 64, NOSCAN, true);
	put(MCACHE + fake.go.mcache_alloc + class * 8, 0);
	next(G);
	CHECK_INT(lost(), 4);
	/* No P, no mcache: no place to look at. */
	put(M + fake.go.m_p, 0);
	small(G, 64, NOSCAN, true);
	CHECK_INT(lost(), 5);
	CHECK_INT(fake.nwaiting, 0);
	CHECK_INT(fake.nobjects, 0);
	/* The ring is full. */
	put(M + fake.go.m_p, P);
	cache(MCACHE, class, SPAN);
	put_span(SPAN, OBJECTS, 64, 5);
	small(G, 64, NOSCAN, true);
	put_span(SPAN, OBJECTS, 64, 6);
	fake.ring_full = true;
	next(G);
	CHECK_INT(lost(), 6);
	CHECK_INT(fake.nobjects, 0);
}

/* The block is the object: only who opens one can be sampled. */
TEST(tiny_objects)
{
	reset(go_layout_for(24, NULL, NULL), ABI_GO_LIVE_MARKS);
	put_span(SPAN, OBJECTS, 16, 5);
	cache(MCACHE, GO_TINY_SPANCLASS, SPAN);
	put(MCACHE + fake.go.mcache_tiny, OBJECTS + 3 * 16);
	put(MCACHE + fake.go.mcache_tinyoffset, 8);
	door(G, ABI_DOOR_GO_TINY, 8, NOSCAN, true);
	CHECK_INT(fake.nwaiting, 0);
	put(MCACHE + fake.go.mcache_tinyoffset, 16);
	door(G, ABI_DOOR_GO_TINY, 8, NOSCAN, true);
	CHECK_INT(fake.nwaiting, 1);
	put_span(SPAN, OBJECTS, 16, 6);
	next(G);
	CHECK_INT(fake.nobjects, 1);
	CHECK_INT(last()->addr, OBJECTS + 5 * 16);
	CHECK_INT(last()->bytes, 16);
	CHECK_INT(spanclass(16, true), GO_TINY_SPANCLASS);
}

TEST(only_what_is_chosen)
{
	reset(go_layout_for(24, NULL, NULL), ABI_GO_LIVE_MARKS);
	put_span(SPAN, OBJECTS, 64, 5);
	cache(MCACHE, spanclass(64, true), SPAN);
	small(G, 64, NOSCAN, false);
	CHECK_INT(fake.nwaiting, 0);
	/* By the bytes that are charged, to the last unit. */
	at_random(64, abi_sample_chance(64, fake.go.sample_bytes));
	CHECK_INT(fake.nwaiting, 0);
	at_random(64, abi_sample_chance(64, fake.go.sample_bytes) - 1);
	CHECK_INT(fake.nwaiting, 1);
	/* What is larger than 16 means is sure to be. */
	fake.nwaiting = 0;
	fake.go.sample_bytes = 4;
	at_random(64, UINT32_MAX);
	CHECK_INT(fake.nwaiting, 1);
	fake.nwaiting = 0;
	/* Not in the other mode, nor in none. */
	fake.go.live = ABI_GO_LIVE_PROFILER;
	small(G, 64, NOSCAN, true);
	fake.go.live = ABI_GO_LIVE_OFF;
	small(G, 64, NOSCAN, true);
	CHECK_INT(fake.nwaiting, 0);
}

/* ---- large objects ---- */

/* A probe on the runtime: its arguments in registers, or on the stack. */
static void hit(void (*body)(struct scratch *, __u64), uint64_t g, uint64_t a, uint64_t b, uint64_t c, bool on_stack)
{
	struct scratch *s = &fake.scratches[0];

	memset(s->g, 0x5a, sizeof(s->g));
	memset(&s->object, 0x5a, sizeof(s->object));
	s->go = on_stack ? (struct go_args){ .g = g } : (struct go_args){ a, b, g, c };
	s->from.sp = STACK;
	if (on_stack) {
		put(STACK + 8, a);
		put(STACK + 16, b);
		put(STACK + 24, c);
	}
	body(s, ABI_COOKIE(FAKE_SLOT, on_stack ? ABI_SPOT_GO_STACK_ARGS : 0, 0));
}

static void put_large(uint64_t span, uint64_t start, uint64_t bytes, uint8_t class, bool marked)
{
	put_span(span, start, bytes, 0);
	put_narrow(span + layout->mspan_spanclass, class, 1);
	put(span + layout->mspan_alloc_bits, BITS + (span - SPAN) / 64);
	put_narrow(BITS + (span - SPAN) / 64, marked, 1);
}

TEST(a_large_object)
{
	for (size_t i = 0; i < go_nlayouts; i++) {
		reset(&go_layouts[i], ABI_GO_LIVE_MARKS);
		put_large(SPAN, OBJECTS, 65536, 1, false);
		door(G, ABI_DOOR_GO_LARGE, 65530, NOSCAN, true);
		CHECK_INT(fake.nwaiting, 1);
		next(G); /* that is no answer */
		hit(span_push, G2, 0, SPAN, 0, false); /* nor another goroutine's */
		CHECK_INT(fake.nobjects, 0);
		hit(span_push, G, 0, SPAN, 0, false);
		CHECK_INT(fake.nobjects, 1);
		CHECK_INT(last()->addr, OBJECTS);
		CHECK_INT(last()->bytes, 65536);
		CHECK_INT(last()->span, SPAN);
		CHECK_INT(last()->sweepgen, GEN + 3);
		CHECK_INT(fake.nwaiting, 0);
		hit(span_push, G, 0, SPAN, 0, false);
		CHECK_INT(fake.nobjects, 1);
		CHECK_INT(lost(), 0);
	}
}

/* Before it makes the span the goroutine may have to sweep others, and those are pushed, too. */
TEST(spans_that_are_not_its_own)
{
	reset(go_layout_for(24, NULL, NULL), ABI_GO_LIVE_MARKS);
	door(G, ABI_DOOR_GO_LARGE, 65536, NOSCAN, true);
	put_large(SPAN2, OBJECTS2, 65536, 1, true); /* the same size, and its object was found by the GC */
	hit(span_push, G, 0, SPAN2, 0, false);
	put_large(SPAN2, OBJECTS2, 73728, 1, false); /* another size */
	hit(span_push, G, 0, SPAN2, 0, false);
	put_large(SPAN2, OBJECTS2, 65536, 2 << 1, false); /* not of one object */
	hit(span_push, G, 0, SPAN2, 0, false);
	hit(span_push, G, 0, 8, 0, false); /* nowhere */
	CHECK_INT(fake.nobjects, 0);
	CHECK_INT(fake.nwaiting, 1);
	/* Its own, whose bits nobody has touched: their page is not there. */
	put_large(SPAN, OBJECTS, 65536, 0, false);
	fake.mem.present[(BITS - FAKE_BASE) / FAKE_PAGE] = false;
	hit(span_push, G, 0, SPAN, 0, false);
	CHECK_INT(fake.nobjects, 1);
	CHECK_INT(last()->addr, OBJECTS);
	/* Not for another program, nor when nobody waits for it. */
	door(G, ABI_DOOR_GO_LARGE, 65536, NOSCAN, true);
	fake.target.image++;
	hit(span_push, G, 0, SPAN, 0, false);
	fake.target.image--;
	fake.go.live = ABI_GO_LIVE_PROFILER;
	hit(span_push, G, 0, SPAN, 0, false);
	CHECK_INT(fake.nobjects, 1);
}

/* ---- the memory profile ---- */

/* Before the register ABI g is in thread-local storage on some machines. */
static void put_tls(uint64_t g)
{
#if GO_OLD_ABI_G_IN_TLS
	fake.go.tls_g = -8;
	fake.task.thread.fsbase = PAGE_AT(40) + 64;
	put(PAGE_AT(40) + 56, g);
#else
	(void)g;
#endif
}

/* mProf_Malloc has its arguments in three forms. */
static const int profile_minors[] = { 15, 19, 22, 23, 24, 27 };

static void profiled(uint64_t g, uint64_t addr, uint64_t bytes)
{
	if (layout->minor >= 23)
		hit(profile_malloc, g, M, addr, bytes, false);
	else
		hit(profile_malloc, g, addr, bytes, 0x5a5a, layout->minor < 17);
}

TEST(the_profile_samples)
{
	for (size_t i = 0; i < sizeof(profile_minors) / sizeof(profile_minors[0]); i++) {
		uint64_t stack_id, context_id;

		reset(go_layout_for(profile_minors[i], NULL, NULL), ABI_GO_LIVE_PROFILER);
		put_tls(G);
		small(G, 41, TYPE, false);
		stack_id = fake.scratches[0].key.stack_id;
		context_id = fake.scratches[0].key.context_id;
		small(G2, 41, NOSCAN, false); /* another goroutine's is another note */
		profiled(G, OBJECTS + 96, 48);
		if (!CHECK_INT(fake.nobjects, 1))
			continue;
		CHECK_INT(last()->rec.kind, ABI_REC_SAMPLE);
		CHECK_INT(last()->addr, OBJECTS + 96);
		CHECK_INT(last()->bytes, 48);
		CHECK_INT(last()->span, 0);
		CHECK_INT(last()->stack_id, stack_id);
		CHECK_INT(last()->context_id, context_id);
		CHECK_INT(lost(), 0);
		profiled(G, OBJECTS + 96, 64); /* not what came through the door */
		CHECK_INT(fake.nobjects, 1);
		CHECK_INT(lost(), 1);
		/* With doors that leave sizes out it is no loss. */
		max_size_bytes = 1000;
		profiled(G, OBJECTS + 96, 64);
		CHECK_INT(lost(), 1);
		max_size_bytes = ~0ULL;
		fake.go.live = ABI_GO_LIVE_MARKS;
		profiled(G, OBJECTS + 96, 48);
		CHECK_INT(fake.nobjects, 1);
		CHECK_INT(lost(), 1);
	}
}

/* Goroutines share places for their notes: who comes later has the place. */
TEST(another_goroutine_took_the_note)
{
	uint64_t goid = 18;

	reset(go_layout_for(24, NULL, NULL), ABI_GO_LIVE_PROFILER);
	while (door_index(door_owner(goid, FAKE_SLOT)) != door_index(door_owner(17, FAKE_SLOT)))
		goid++;
	put_thread(G2, goid, M2, P2, MCACHE2);
	small(G, 48, TYPE, false);
	small(G2, 48, TYPE, false);
	profiled(G, OBJECTS, 48);
	CHECK_INT(fake.nobjects, 0);
	CHECK_INT(lost(), 1);
	profiled(G2, OBJECTS, 48);
	CHECK_INT(fake.nobjects, 1);
}

/* A sample of a size that an earlier door had, but the last one did not count: not that one's stack. */
TEST(a_door_that_does_not_count)
{
	reset(go_layout_for(24, NULL, NULL), ABI_GO_LIVE_PROFILER);
	small(G, 48, TYPE, false);
	small(G2, 48, TYPE, false);
	/* The site map is full. */
	fake.max_sites = 0;
	fake.nsites = 0;
	small(G, 47, TYPE, false);
	profiled(G, OBJECTS, 48);
	CHECK_INT(fake.nobjects, 0);
	CHECK_INT(lost(), 1);
	/* A size that is left out. */
	fake.max_sites = FAKE_SITES;
	small(G, 48, TYPE, false);
	max_size_bytes = 47;
	small(G, 48, TYPE, false);
	profiled(G, OBJECTS, 48);
	CHECK_INT(fake.nobjects, 0);
	CHECK_INT(lost(), 1);
	max_size_bytes = ~0ULL;
	/* The other goroutine's note is still there. */
	profiled(G2, OBJECTS, 48);
	CHECK_INT(fake.nobjects, 1);
}

/* Two CPUs write one place at once: what comes of it is nobody's, whichever words are whose. */
TEST(a_torn_note)
{
	const uint32_t index = door_index(door_owner(17, FAKE_SLOT));
	struct door_note mine, others;
	uint64_t goid = 18;

	reset(go_layout_for(24, NULL, NULL), ABI_GO_LIVE_PROFILER);
	while (door_index(door_owner(goid, FAKE_SLOT)) != index)
		goid++;
	put_thread(G2, goid, M2, P2, MCACHE2);
	small(G2, 48, NOSCAN, false);
	others = fake.doors[index];
	small(G, 47, TYPE, false);
	mine = fake.doors[index];
	CHECK(mine.bytes == others.bytes && mine.stack_id != others.stack_id && mine.context_id != others.context_id);
	for (int from = 1; from < 15; from++) {
		fake.doors[index] = (struct door_note){ from & 1 ? mine.check : others.check, mine.bytes,
							from & 4 ? mine.stack_id : others.stack_id,
							from & 8 ? mine.context_id : others.context_id };
		if ((from & 13) == 13 || !(from & 13))
			continue; /* whole: the sizes are the same */
		profiled(G, OBJECTS, 48);
		profiled(G2, OBJECTS, 48);
		CHECK_INT(fake.nobjects, 0);
	}
	fake.doors[index] = mine;
	profiled(G, OBJECTS, 48);
	CHECK_INT(fake.nobjects, 1);
	CHECK_INT(last()->stack_id, mine.stack_id);
}

/* No room for one more that waits: told, and the others are not pushed out. */
TEST(too_many_wait)
{
	reset(go_layout_for(24, NULL, NULL), ABI_GO_LIVE_MARKS);
	for (uint64_t i = 0; i < FAKE_CONTEXTS; i++) {
		put(G + fake.go.g_goid, 100 + i);
		door(G, ABI_DOOR_GO_LARGE, 65536, NOSCAN, true);
	}
	CHECK_INT(fake.nwaiting, FAKE_CONTEXTS);
	CHECK_INT(lost(), 0);
	put(G + fake.go.g_goid, 99);
	door(G, ABI_DOOR_GO_LARGE, 65536, NOSCAN, true);
	CHECK_INT(lost(), 1);
	CHECK_INT(fake.nwaiting, FAKE_CONTEXTS);
	put_large(SPAN, OBJECTS, 65536, 1, false);
	put(G + fake.go.g_goid, 100);
	hit(span_push, G, 0, SPAN, 0, false);
	CHECK_INT(fake.nobjects, 1);
	CHECK_INT(lost(), 1);
}

/* The block was there at the door, and the GC took it away behind it. */
TEST(a_tiny_sample_that_was_charged_nothing)
{
	reset(go_layout_for(19, NULL, NULL), ABI_GO_LIVE_PROFILER);
	put(MCACHE + fake.go.mcache_tiny, OBJECTS);
	put(MCACHE + fake.go.mcache_tinyoffset, 8);
	door(G, ABI_DOOR_GO_TINY, 8, NOSCAN, false);
	profiled(G, OBJECTS + 32, 16);
	CHECK_INT(fake.nobjects, 1);
	CHECK_INT(last()->bytes, 16);
	profiled(G, OBJECTS + 32, 32);
	CHECK_INT(fake.nobjects, 1);
	CHECK_INT(lost(), 1);
}

TEST(the_profile_frees)
{
	for (size_t i = 0; i < sizeof(profile_minors) / sizeof(profile_minors[0]); i++) {
		bool on_stack;

		reset(go_layout_for(profile_minors[i], NULL, NULL), ABI_GO_LIVE_PROFILER);
		on_stack = layout->minor < 17;
		put_tls(G);
		put_narrow(SPECIAL + layout->special_kind, layout->special_kind_profile, 1);
		put(SPECIAL + layout->specialprofile_b, 0xb0c0d0);
		hit(profile_free, G, SPECIAL, OBJECTS + 96, 48, on_stack);
		if (!CHECK_INT(fake.nobjects, 1))
			continue;
		CHECK_INT(last()->rec.kind, ABI_REC_FREE);
		CHECK_INT(last()->rec.tgid, 4711);
		CHECK_INT(last()->addr, OBJECTS + 96);
		CHECK_INT(last()->bytes, 48);
		CHECK_INT(last()->span, 0xb0c0d0);
		/* Finalizers and what else hangs on an object are nothing to us. */
		for (uint32_t kind = 0; kind < 256; kind++) {
			if (kind == layout->special_kind_profile)
				continue;
			put_narrow(SPECIAL + layout->special_kind, kind, 1);
			hit(profile_free, G, SPECIAL, OBJECTS + 96, 48, on_stack);
		}
		hit(profile_free, G, 8, OBJECTS + 96, 48, on_stack);
		CHECK_INT(fake.nobjects, 1);
		/* The program has turned its profile off: what it sampled before is freed all the same. */
		put_narrow(SPECIAL + layout->special_kind, layout->special_kind_profile, 1);
		fake.go.live = ABI_GO_LIVE_MARKS;
		hit(profile_free, G, SPECIAL, OBJECTS + 96, 48, on_stack);
		CHECK_INT(fake.nobjects, 2);
		fake.go.live = ABI_GO_LIVE_OFF;
		hit(profile_free, G, SPECIAL, OBJECTS + 96, 48, on_stack);
		CHECK_INT(fake.nobjects, 2);
	}
}

TEST(a_collection_starts)
{
	reset(go_layout_for(24, NULL, NULL), ABI_GO_LIVE_MARKS);
	hit(gc_start, G, 0, 0, 0, false);
	CHECK_INT(fake.ngcs, 1);
	/* There may be objects of ours from before the program turned its profile on. */
	fake.go.live = ABI_GO_LIVE_PROFILER;
	hit(gc_start, G, 0, 0, 0, false);
	CHECK_INT(fake.ngcs, 2);
	fake.go.live = ABI_GO_LIVE_OFF;
	hit(gc_start, G, 0, 0, 0, false);
	CHECK_INT(fake.ngcs, 2);
}

TEST_MAIN()
