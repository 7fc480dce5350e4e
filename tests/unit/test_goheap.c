// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Objects and their spans in a process made by hand: what stays, what is gone, what nobody knows, in the
 * layouts of several versions of Go. And the estimates, against what is to be estimated.
 */
#include "capture/goheap.h"

#include <math.h>
#include <stdlib.h>

#include "test.h"

#define BASE 0x10000ULL
#define MEMORY_BYTES 0x10000u
#define SPAN BASE
#define SPAN2 (BASE + 0x400)
#define BITS (BASE + 0x1000)
#define NEW_BITS (BASE + 0x1100)
#define HEAP (BASE + 0x8000) /* only an address: objects are not read */
#define ELEM 64u
#define NELEMS 128u
#define GEN 10u /* sweepgen of the first sweep: even */
#define SLOT 3u

/* A page that is missing cannot be read. */
struct fake {
	uint8_t bytes[MEMORY_BYTES];
	bool missing[MEMORY_BYTES / 0x400];
	uint32_t nreads; /* calls */
	uint32_t move_at; /* the call before which *move_to goes to the span's sweepgen; 0: never */
	uint32_t move_to;
	const struct go_layout *layout;
};

struct sums {
	double objects, bytes, objects_var, bytes_var;
	double min_objects, min_bytes; /* ever */
	uint32_t calls, tgid;
};

static struct fake mem;
static struct sums sums;
static struct goheap *heap;
static const struct go_layout *layout;

static void put(uint64_t addr, uint64_t value, size_t width)
{
	memcpy(mem.bytes + (addr - BASE), &value, width);
}

static void set_sweepgen(uint64_t span, uint32_t sweepgen)
{
	put(span + layout->mspan_sweepgen, sweepgen, 4);
}

static void read_fake(void *ctx, struct mem_read *reads, size_t n)
{
	struct fake *f = ctx;

	if (++f->nreads == f->move_at)
		set_sweepgen(SPAN, f->move_to);
	for (size_t i = 0; i < n; i++) {
		uint64_t off = reads[i].addr - BASE;

		reads[i].ok = off < MEMORY_BYTES && reads[i].len <= MEMORY_BYTES - off && !f->missing[off / 0x400];
		if (reads[i].ok)
			memcpy(reads[i].buf, f->bytes + off, reads[i].len);
	}
}

static int on_live(void *ctx, uint32_t pid, enum event_source source, uint64_t stack_id, uint64_t context_id,
		   const struct event_live *live)
{
	struct sums *s = ctx;

	CHECK_INT(source, EVENT_GO);
	CHECK_INT(context_id, stack_id + 1);
	s->tgid = pid;
	s->calls++;
	s->objects += live->objects;
	s->bytes += live->bytes;
	s->objects_var += live->objects_var;
	s->bytes_var += live->bytes_var;
	s->min_objects = fmin(s->min_objects, s->objects);
	s->min_bytes = fmin(s->min_bytes, s->bytes);
	return 0;
}

static void put_span(uint64_t span, uint64_t start, uint64_t elem_bytes, uint64_t nelems, uint64_t bits,
		     uint32_t sweepgen)
{
	put(span + layout->mspan_start_addr, start, 8);
	put(span + layout->mspan_elemsize, elem_bytes, 8);
	put(span + layout->mspan_nelems, nelems, layout->mspan_nelems_bytes);
	put(span + layout->mspan_alloc_bits, bits, 8);
	put(span + layout->mspan_state, layout->mspan_in_use, 1);
	set_sweepgen(span, sweepgen);
}

static void put_bit(uint64_t bits, uint32_t nr, bool bit)
{
	uint8_t *at = &mem.bytes[bits - BASE + nr / 8];

	*at = (uint8_t)((*at & ~(1u << (nr & 7))) | (unsigned int)bit << (nr & 7));
}

static void begin(const struct go_layout *of)
{
	struct event_sink sink = { .ctx = &sums, .on_live = on_live };

	memset(&mem, 0, sizeof(mem));
	memset(&sums, 0, sizeof(sums));
	layout = mem.layout = of;
	goheap__free(heap);
	heap = NULL;
	if (!CHECK_INT(goheap__new(&sink, &heap), 0))
		exit(1);
	put_span(SPAN, HEAP, ELEM, NELEMS, BITS, GEN);
}

static struct abi_rec_object object(uint32_t nr, uint64_t span, uint32_t sweepgen)
{
	return (struct abi_rec_object){ .rec = { ABI_REC_SAMPLE, 77 }, .addr = HEAP + (uint64_t)nr * ELEM,
					.bytes = ELEM, .stack_id = 100, .context_id = 101, .span = span,
					.sweepgen = sweepgen };
}

static void add(uint32_t nr, uint64_t span, uint32_t sweepgen)
{
	struct abi_rec_object rec = object(nr, span, sweepgen);

	goheap__add(heap, SLOT, &rec, 1);
}

static void check(void)
{
	struct mem_reader reader = { &mem, read_fake };

	mem.nreads = 0;
	goheap__check(heap, SLOT, layout, &reader);
}

static struct goheap_stats stats(void)
{
	struct goheap_stats st;

	goheap__stats(heap, &st);
	return st;
}

/* Of one object that was added: is it there, is it unsure? */
static void want(bool alive, bool unsure)
{
	struct goheap_stats st = stats();

	CHECK_INT(st.samples, alive);
	CHECK_INT((long long)sums.objects, alive);
	CHECK_INT((long long)sums.bytes, alive * ELEM);
	CHECK_INT(st.unsure, unsure);
}

static const struct go_layout *some_layouts[3];

static void find_layouts(void)
{
	some_layouts[0] = go_layout_for(19, NULL, NULL);
	some_layouts[1] = go_layout_for(24, NULL, NULL);
	some_layouts[2] = go_layout_for(27, NULL, NULL);
}

TEST(one_collection)
{
	for (size_t i = 0; i < go_nlayouts; i++) {
		for (uint32_t nr = 0; nr < NELEMS; nr += 9) {
			begin(&go_layouts[i]);
			add(nr, SPAN, GEN);
			CHECK_INT(sums.tgid, 77);
			check();
			want(true, false); /* no sweep since */
			memset(mem.bytes + (BITS - BASE), 0, NELEMS / 8);
			put_bit(BITS, nr, true);
			set_sweepgen(SPAN, GEN + 2);
			check();
			want(true, false);
			/* The next one does not find it, but all others. */
			memset(mem.bytes + (BITS - BASE), 0xff, NELEMS / 8);
			put_bit(BITS, nr, false);
			set_sweepgen(SPAN, GEN + 4);
			check();
			want(false, false);
			CHECK_INT(sums.calls, 2);
		}
	}
}

/* Cached by a P, before and after its sweep; about to be swept. An object's own sweepgen has the same forms. */
TEST(odd_sweepgens)
{
	find_layouts();
	for (size_t i = 0; i < 3; i++) {
		begin(some_layouts[i]);
		add(5, SPAN, GEN + 3); /* its span was cached when it was made */
		set_sweepgen(SPAN, GEN + 3);
		check();
		want(true, false);
		set_sweepgen(SPAN, GEN); /* given back */
		check();
		want(true, false);
		set_sweepgen(SPAN, GEN + 1); /* being swept: bits are old or new */
		check();
		want(true, false);
		put_bit(BITS, 5, true);
		set_sweepgen(SPAN, GEN + 2 + 3); /* swept, and cached */
		check();
		want(true, false);
		put_bit(BITS, 5, false); /* the bits of now are those of the sweep before, still */
		set_sweepgen(SPAN, GEN + 3 + 2 - 1);
		check();
		want(false, false);
	}
	/* The counter begins anew after 2^32. */
	begin(some_layouts[0]);
	add(5, SPAN, UINT32_MAX - 1);
	set_sweepgen(SPAN, UINT32_MAX - 1);
	check();
	want(true, false);
	put_bit(BITS, 5, true);
	set_sweepgen(SPAN, 0);
	check();
	want(true, false);
}

TEST(too_late)
{
	begin(go_layout_for(24, NULL, NULL));
	add(5, SPAN, GEN);
	put_bit(BITS, 5, true);
	set_sweepgen(SPAN, GEN + 4);
	check();
	want(true, true);
	/* It stays unsure: it may be another object since. */
	set_sweepgen(SPAN, GEN + 6);
	check();
	want(true, true);
	put_bit(BITS, 5, false);
	set_sweepgen(SPAN, GEN + 12);
	check();
	want(false, false);
}

TEST(the_span_is_another)
{
	static const struct {
		uint64_t start, elem_bytes, nelems;
		uint32_t state;
	} others[] = {
		{ HEAP, ELEM, NELEMS, 0 }, /* free */
		{ HEAP, ELEM * 2, NELEMS, 1 }, /* another size */
		{ HEAP, 0, NELEMS, 1 },
		{ HEAP + 0x2000, ELEM, NELEMS, 1 }, /* elsewhere, behind */
		{ HEAP - 0x4000, ELEM, NELEMS, 1 }, /* before */
		{ HEAP + 8, ELEM, NELEMS, 1 }, /* the object would be in the middle of a slot */
		{ HEAP, ELEM, 5, 1 }, /* too short by one */
	};

	find_layouts();
	for (size_t k = 0; k < 3; k++) {
		for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
			begin(some_layouts[k]);
			add(5, SPAN, GEN);
			put_span(SPAN, others[i].start, others[i].elem_bytes, others[i].nelems, BITS, GEN);
			put(SPAN + layout->mspan_state, others[i].state ? layout->mspan_in_use : 0, 1);
			check();
			want(false, false);
		}
		/* The same again, but new: its bits are 0. */
		begin(some_layouts[k]);
		add(5, SPAN, GEN);
		put_bit(BITS, 5, true);
		put_span(SPAN, HEAP, ELEM, NELEMS, NEW_BITS, GEN + 2);
		check();
		want(false, false);
	}
}

TEST(what_cannot_be_read)
{
	begin(go_layout_for(27, NULL, NULL));
	add(5, SPAN, GEN);
	add(6, BASE - 0x1000, GEN);
	add(7, ~0ULL - 16, GEN);
	set_sweepgen(SPAN, GEN + 2);
	mem.missing[(SPAN - BASE) / 0x400] = true;
	check();
	CHECK_INT(stats().samples, 3);
	mem.missing[(SPAN - BASE) / 0x400] = false;
	mem.missing[(BITS - BASE) / 0x400] = true;
	check();
	CHECK_INT(stats().samples, 3);
	put(SPAN + layout->mspan_alloc_bits, ~0ULL, 8);
	check();
	CHECK_INT(stats().samples, 3);
	mem.missing[(BITS - BASE) / 0x400] = false;
	put(SPAN + layout->mspan_alloc_bits, BITS, 8);
	check();
	CHECK_INT(stats().samples, 2); /* now it is known, and gone */
}

/* Swept between the look at the span and that at the bits: they are of neither. */
TEST(the_sweep_comes_in_between)
{
	begin(go_layout_for(24, NULL, NULL));
	add(5, SPAN, GEN);
	set_sweepgen(SPAN, GEN + 2);
	mem.move_at = 2;
	mem.move_to = GEN + 3; /* has begun: the bits may have been exchanged */
	check();
	CHECK_INT(mem.nreads, 2);
	want(true, false);
	set_sweepgen(SPAN, GEN + 2);
	mem.move_to = GEN + 4; /* is over */
	check();
	want(true, false);
	set_sweepgen(SPAN, GEN + 2);
	mem.move_to = GEN + 2 + 3; /* cached meanwhile: its bits are the same */
	check();
	want(false, false);
}

/* Made since the last collection began, by whichever source: of these nobody knows. */
TEST(younger_than_the_last_collection)
{
	begin(go_layout_for(24, NULL, NULL));
	add(1, SPAN, GEN);
	add(2, 0, 0);
	CHECK_INT((long long)stats().unjudged_bytes, 2 * ELEM);
	goheap__gc(heap, SLOT + 1); /* another process's */
	CHECK_INT((long long)stats().unjudged_bytes, 2 * ELEM);
	goheap__gc(heap, SLOT);
	CHECK_INT((long long)stats().unjudged_bytes, 0);
	add(3, SPAN, GEN);
	add(1, SPAN, GEN); /* a new one */
	CHECK_INT((long long)stats().unjudged_bytes, 2 * ELEM);
	goheap__gc(heap, SLOT);
	CHECK_INT((long long)stats().unjudged_bytes, 0);
}

TEST(a_place_is_used_again)
{
	begin(go_layout_for(24, NULL, NULL));
	add(5, SPAN, GEN);
	add(5, SPAN, GEN + 2);
	want(true, false);
	CHECK_INT(sums.calls, 3);
	/* The new one's sweepgen counts. */
	set_sweepgen(SPAN, GEN + 2);
	check();
	want(true, false);
	/* Also where the old one had been found dead. */
	set_sweepgen(SPAN, GEN + 4);
	check();
	want(false, false);
	add(5, SPAN, GEN + 4);
	want(true, false);
}

TEST(objects_of_the_profile)
{
	struct abi_rec_object rec = object(5, 0, 0), freed = rec;

	begin(go_layout_for(24, NULL, NULL));
	goheap__add(heap, SLOT, &rec, 1);
	check();
	CHECK_INT(mem.nreads, 0); /* nothing of it is looked at */
	CHECK_INT(stats().samples, 1);
	freed.span = 0x1234; /* FREE has the bucket there */
	CHECK(!goheap__free_profiled(heap, SLOT + 1, &freed)); /* another process */
	freed.addr++;
	CHECK(!goheap__free_profiled(heap, SLOT, &freed));
	freed.addr--;
	CHECK(goheap__free_profiled(heap, SLOT, &freed));
	CHECK(!goheap__free_profiled(heap, SLOT, &freed)); /* once */
	CHECK_INT((long long)sums.objects, 0);
	/* One that we have sampled is not the profile's to free. */
	add(5, SPAN, GEN);
	CHECK(!goheap__free_profiled(heap, SLOT, &freed));
	CHECK_INT(stats().samples, 1);
}

TEST(a_process_goes)
{
	struct abi_rec_object rec = object(5, SPAN, GEN);

	begin(go_layout_for(24, NULL, NULL));
	for (uint32_t nr = 0; nr < 10; nr++)
		add(nr, nr % 2 ? SPAN : 0, GEN);
	rec.bytes = 4096;
	goheap__add(heap, SLOT + 1, &rec, 1);
	goheap__drop(heap, SLOT);
	CHECK_INT(stats().samples, 1);
	CHECK_INT((long long)sums.bytes, 4096);
	goheap__drop(heap, SLOT);
	CHECK_INT(sums.calls, 21);
	/* One that has ended is followed no more, but was there to the last. */
	CHECK_INT(goheap__forget(heap, SLOT + 1), 1);
	CHECK_INT(goheap__forget(heap, SLOT + 1), 0);
	CHECK_INT(stats().samples, 0);
	CHECK_INT((long long)sums.bytes, 4096);
	set_sweepgen(SPAN, GEN + 2);
	check();
	CHECK_INT(sums.calls, 21);
}

/* Objects of two spans and several slots, more than are read at once: each is judged by its own bit. */
TEST(many_at_once)
{
	static uint8_t truth[2][1000];
	uint32_t live = 0;

	begin(go_layout_for(27, NULL, NULL));
	put_span(SPAN, HEAP, ELEM, 1000, BITS, GEN);
	put_span(SPAN2, HEAP + 0x20000, ELEM, 1000, BITS + 0x200, GEN);
	srand(1);
	for (uint32_t k = 0; k < 2000; k++) {
		uint32_t i = k * 7 % 2000; /* not in order */
		struct abi_rec_object rec = object(i % 1000, i < 1000 ? SPAN : SPAN2, GEN);

		rec.addr += i < 1000 ? 0 : 0x20000;
		truth[i / 1000][i % 1000] = rand() & 1;
		put_bit(BITS + i / 1000 * 0x200, i % 1000, truth[i / 1000][i % 1000]);
		live += truth[i / 1000][i % 1000];
		goheap__add(heap, SLOT, &rec, 1);
	}
	set_sweepgen(SPAN, GEN + 2);
	set_sweepgen(SPAN2, GEN + 2);
	check();
	CHECK_INT(stats().samples, live);
	CHECK_INT((long long)sums.objects, live);
	for (uint32_t i = 0; i < 2000; i++) {
		struct abi_rec_object rec = object(i % 1000, i < 1000 ? SPAN : SPAN2, GEN);
		uint32_t before = sums.calls;

		/* Who is there is buried for a new one, which is two calls. */
		rec.addr += i < 1000 ? 0 : 0x20000;
		goheap__add(heap, SLOT, &rec, 1);
		if (!CHECK_INT(sums.calls - before, 1 + truth[i / 1000][i % 1000]))
			break;
	}
}

/* Births and deaths without end: what is told adds up to what is alive, and the table does not grow with the dead. */
TEST(sums_come_back)
{
	static double weights[20000];
	double objects = 0, bytes = 0;
	uint32_t n = 0;

	begin(go_layout_for(24, NULL, NULL));
	srand(2);
	for (uint32_t i = 0; i < 400000; i++) {
		uint32_t nr = (uint32_t)rand() % 20000;
		struct abi_rec_object rec = object(nr, 0, 0);
		double p = 1 / (1.0 + rand() % 1000);

		rec.addr = 0x1000000000 + (uint64_t)(i / 100000) * 0x1000000 + nr * 64ULL; /* places change with time */
		rec.bytes = 16 + nr % 100;
		if (i % 100000 == 0) {
			goheap__drop(heap, SLOT);
			memset(weights, 0, sizeof(weights));
			n = 0;
			objects = bytes = 0;
		}
		if (weights[nr]) {
			CHECK(goheap__free_profiled(heap, SLOT, &rec));
			objects -= weights[nr];
			bytes -= weights[nr] * (double)rec.bytes;
			weights[nr] = 0;
			n--;
		} else {
			goheap__add(heap, SLOT, &rec, p);
			weights[nr] = 1 / p;
			objects += 1 / p;
			bytes += 1 / p * (double)rec.bytes;
			n++;
		}
	}
	CHECK_INT(stats().samples, n);
	CHECK_INT(stats().table_full, 0);
	CHECK(fabs(sums.objects - objects) < 1e-3 && fabs(sums.bytes - bytes) < 1e-1);
	CHECK(sums.min_objects > -1e-6 && sums.min_bytes > -1e-4);
	goheap__drop(heap, SLOT);
	CHECK(fabs(sums.objects) < 1e-3 && fabs(sums.bytes) < 1e-1);
	CHECK(fabs(sums.objects_var) < 1 && fabs(sums.bytes_var) < 1e3);
}

TEST(the_table_is_full)
{
	const uint32_t max = 1u << 20;
	struct abi_rec_object rec = object(0, 0, 0);

	begin(go_layout_for(24, NULL, NULL));
	for (uint32_t i = 0; i < max + 1000; i++) {
		rec.addr = 0x1000000000 + i * 64ULL;
		goheap__add(heap, SLOT, &rec, 1);
	}
	CHECK_INT(stats().samples, max);
	CHECK_INT(stats().table_full, 1000);
	CHECK_INT((long long)sums.objects, max);
	/* One goes, one comes. */
	rec.addr = 0x1000000000;
	CHECK(goheap__free_profiled(heap, SLOT, &rec));
	rec.addr = 0x2000000000;
	goheap__add(heap, SLOT, &rec, 1);
	CHECK_INT(stats().samples, max);
	CHECK_INT(stats().table_full, 1000);
}

/* Births and deaths of more than the table has room for, several times over. Who lives keeps what it is. */
TEST(no_room_for_the_dead)
{
	struct abi_rec_object rec = object(0, 0, 0);
	uint64_t bytes = 0;

	begin(go_layout_for(24, NULL, NULL));
	for (uint32_t i = 0; i < 4u << 20; i++) {
		rec.addr = 0x1000000000 + i * 64ULL;
		rec.bytes = 16 + i % 1000;
		bytes += rec.bytes;
		goheap__add(heap, SLOT, &rec, 1);
		if (i >= 100) {
			rec.addr -= 100 * 64;
			bytes -= 16 + (i - 100) % 1000;
			goheap__free_profiled(heap, SLOT, &rec);
		}
	}
	CHECK_INT(stats().table_full, 0);
	CHECK_INT(stats().samples, 100);
	CHECK_INT((long long)sums.objects, 100);
	CHECK_INT((long long)sums.bytes, bytes);
}

/* ---- estimates ---- */

static uint64_t random_state = 88172645463325252ULL;

static uint32_t random_u32(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 32);
}

/* Sampling as the probe does it: the mean of the estimates is the truth, and they scatter as they say. */
TEST(estimates_are_unbiased)
{
	static const struct {
		uint64_t bytes, mean;
	} cases[] = { { 16, 16 }, { 64, 512 }, { 1536, 16384 }, { 65536, 65536 }, { 65536, 16384 }, { 32, 4096 } };
	enum { RUNS = 400, OBJECTS = 5000 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t chance = abi_sample_chance(cases[i].bytes, cases[i].mean);
		double p = (double)chance / 4294967296.0, sum = 0, squares = 0, vars = 0, mean, se, var;
		double truth = (double)(OBJECTS * cases[i].bytes);

		for (int run = 0; run < RUNS; run++) {
			struct event_live all = { 0 };

			for (int k = 0; k < OBJECTS; k++) {
				struct event_live one = goheap_estimate(1, cases[i].bytes, p);

				if (random_u32() >= chance)
					continue;
				all.bytes += one.bytes;
				all.bytes_var += one.bytes_var;
			}
			sum += all.bytes;
			squares += (all.bytes - truth) * (all.bytes - truth);
			vars += all.bytes_var;
		}
		mean = sum / RUNS;
		var = OBJECTS * (1 - p) / p * (double)(cases[i].bytes * cases[i].bytes);
		se = sqrt(var / RUNS);
		if (!CHECK(fabs(mean - truth) <= 4 * se))
			fprintf(stderr, "  case %zu: %.0f, want %.0f +- %.0f\n", i, mean, truth, se);
		/* A variance of RUNS values scatters by sqrt(2 / RUNS). */
		CHECK(fabs(vars / RUNS / var - 1) < 0.1);
		CHECK(fabs(squares / RUNS / var - 1) < 5 * sqrt(2.0 / RUNS));
	}
}

TEST(estimate)
{
	struct event_live e = goheap_estimate(3, 100, 0.25);

	CHECK(e.objects == 12 && e.bytes == 1200);
	CHECK(e.objects_var == 3 * 4 * 3 && e.bytes_var == 36 * 10000);
	e = goheap_estimate(-3, 100, 0.25);
	CHECK(e.objects == -12 && e.bytes == -1200 && e.objects_var == -36);
	e = goheap_estimate(7, 100, 1);
	CHECK(e.objects == 7 && e.bytes == 700 && e.objects_var == 0 && e.bytes_var == 0);
}

static void check_chance(uint64_t bytes, uint64_t mean, double *worst)
{
	double truth = -expm1(-(double)bytes / (double)mean);
	double got = (double)abi_sample_chance(bytes, mean) / 4294967296.0;
	/* Chances come in steps of 2^-32. */
	double error = fmax(fabs(got - truth) - 1.0 / 4294967296.0, 0) / truth;

	*worst = fmax(*worst, error);
	if (!CHECK(error < 1e-4 && got <= 1))
		fprintf(stderr, "  of %llu at %llu: %g, want %g\n", (unsigned long long)bytes,
			(unsigned long long)mean, got, truth);
}

TEST(sample_chance)
{
	double worst = 0;

	for (uint64_t mean = 1; mean <= 1 << 24 && !test_failed; mean += 1 + mean / 7) {
		uint64_t before = 0;

		for (uint64_t bytes = 8; bytes <= 1 << 30 && !test_failed; bytes += 8 + (bytes / 37 & ~7ULL)) {
			uint64_t chance = abi_sample_chance(bytes, mean);

			check_chance(bytes, mean, &worst);
			CHECK(chance >= before);
			CHECK(chance <= 1ULL << 32);
			before = chance;
		}
	}
	/* Around the borders of the method. */
	for (uint64_t mean = 1024; mean <= 1 << 24; mean <<= 1) {
		for (int k = 0; k < 8; k++)
			for (int d = -2; d <= 2; d++)
				check_chance((mean >> 3 << k) + (uint64_t)d, mean, &worst);
		CHECK_INT(abi_sample_chance(16 * mean, mean), 1LL << 32);
		CHECK_INT(abi_sample_chance(UINT64_MAX >> 1, mean), 1LL << 32);
	}
	CHECK_INT(abi_sample_chance(0, 1), 0);
	CHECK(worst > 0);
}

TEST_MAIN()
