// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From where live objects are known, of a Go program whose variables are ours: its start, its rate on and off, what it
 * had before, and books that are nonsense.
 */
#include "capture/golive.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"

#define SLOT 2
#define OUR_RATE 4096

/* The program's. */
static uint64_t rate, mbuckets;
static uint8_t buckets[8][512];

static struct plan plan;
static struct golive *live;
static struct abi_go go;
static double objects, bytes;
static uint32_t nstacks;
static uint64_t max_bytes = UINT64_MAX;

static int on_stack(void *ctx, uint64_t stack_id, const struct event_frame *frames, uint32_t n, uint32_t flags)
{
	(void)ctx, (void)frames, (void)flags;
	CHECK(!(stack_id >> 63)); /* those are the probes' */
	CHECK_INT(n, 2);
	nstacks++;
	return 0;
}

static int on_live(void *ctx, uint32_t pid, enum event_source source, uint64_t stack_id, uint64_t context_id,
		   const struct event_live *change)
{
	(void)ctx, (void)stack_id, (void)context_id;
	CHECK_INT(pid, getpid());
	CHECK_INT(source, EVENT_GO);
	objects += change->objects;
	bytes += change->bytes;
	return 0;
}

static uint32_t resolve(void *ctx, const uint64_t *return_addrs, uint32_t n, struct event_frame *ret)
{
	(void)ctx, (void)return_addrs;
	memset(ret, 0, n * sizeof(*ret));
	return n;
}

static void put(void *at, uint16_t off, uint64_t word)
{
	memcpy((uint8_t *)at + off, &word, sizeof(word));
}

static void put_bucket(uint32_t i, uint32_t next, uint64_t size, uint64_t allocs, uint64_t frees)
{
	const struct go_layout *layout = plan.layout;
	uint16_t rec = (uint16_t)(layout->bucket_bytes + 2 * 8 + layout->memrecord_active);

	memset(buckets[i], 0, sizeof(buckets[i]));
	put(buckets[i], layout->bucket_allnext, next ? (uintptr_t)buckets[next] : 0);
	put(buckets[i], layout->bucket_typ, 1);
	put(buckets[i], layout->bucket_size, size);
	put(buckets[i], layout->bucket_nstk, 2);
	put(buckets[i], rec + layout->memcycle_allocs, allocs);
	put(buckets[i], rec + layout->memcycle_frees, frees);
}

static void begin(uint64_t first_rate, bool has_symbols, bool starts)
{
	struct event_sink sink = { .on_stack = on_stack, .on_live = on_live };
	struct golive_opts opts = { OUR_RATE, 0, max_bytes, true };

	golive__free(live);
	objects = bytes = 0;
	nstacks = 0;
	rate = first_rate;
	mbuckets = (uintptr_t)buckets[1];
	memset(&plan, 0, sizeof(plan));
	plan.layout = go_layout_for(24, NULL, NULL);
	plan.memprof.rates[0] = (uintptr_t)&rate;
	plan.memprof.nrates = 1;
	plan.memprof.mbuckets = has_symbols ? (uintptr_t)&mbuckets : 0;
	put_bucket(1, 2, 1 << 20, 5, 2);
	put_bucket(2, 0, 1 << 20, 4, 4);
	memset(&go, 0, sizeof(go));
	if (!CHECK_INT(golive__new(&sink, &opts, &live), 0))
		exit(1);
	if (starts)
		golive__begin(live, SLOT, &go);
}

static bool follow(void)
{
	struct golive_frames frames = { NULL, resolve };

	return golive__follow(live, SLOT, getpid(), &plan, 0, &frames, &go);
}

/* @span: an object that we sampled, where nobody can look. */
static void sample(uint64_t addr, uint64_t span)
{
	struct abi_rec_object rec = { .rec = { ABI_REC_SAMPLE, (uint32_t)getpid() }, .addr = addr, .bytes = 1 << 20,
				      .span = span };

	golive__on_object(live, SLOT, &rec);
}

static void freed(uint64_t addr, const void *bucket)
{
	struct abi_rec_object rec = { .rec = { ABI_REC_FREE, (uint32_t)getpid() }, .addr = addr, .bytes = 1 << 20,
				      .span = (uintptr_t)bucket };

	golive__on_object(live, SLOT, &rec);
}

static struct golive_stats stats(void)
{
	struct golive_stats st;

	golive__stats(live, &st);
	return st;
}

TEST(by_the_profile)
{
	begin(1, true, false);
	CHECK_INT(go.live, ABI_GO_LIVE_OFF);
	CHECK(follow());
	CHECK_INT(go.live, ABI_GO_LIVE_PROFILER);
	CHECK_INT((long long)objects, 3);
	CHECK_INT(nstacks, 1);
	CHECK(stats().has_before && stats().profiler_is_on);
	CHECK_INT(stats().before_samples, 3);
	CHECK_INT(stats().rate_bytes, 1);
	CHECK(!follow()); /* nothing new, and what was before is not read again */
	CHECK_INT((long long)objects, 3);
	sample(0x1000, 0);
	CHECK_INT((long long)objects, 4);
	CHECK(stats().from_profiler && !stats().from_marks);
	freed(0x1000, buckets[1]); /* it is the new one that goes */
	freed(0x2000, buckets[1]);
	CHECK_INT((long long)objects, 2);
	freed(0x2000, buckets[2]); /* there was none */
	freed(0x2000, &rate);
	CHECK_INT((long long)objects, 2);
	freed(0x2000, buckets[1]);
	freed(0x2000, buckets[1]);
	freed(0x2000, buckets[1]);
	CHECK_INT((long long)objects, 0);
	CHECK_INT(stats().before_samples, 0);
	/* Of sizes that nobody wants nothing was there before. */
	max_bytes = 4096;
	begin(1, true, false);
	CHECK(follow());
	CHECK_INT(nstacks, 0);
	max_bytes = UINT64_MAX;
}

/* Ours from the first allocation on; what the file says of the rate at the first look is not yet so. */
TEST(a_program_starts)
{
	begin(1, true, true);
	CHECK_INT(go.live, ABI_GO_LIVE_MARKS);
	CHECK_INT(go.sample_bytes, OUR_RATE);
	sample(0x1000, 8);
	CHECK(!follow());
	CHECK_INT(go.live, ABI_GO_LIVE_MARKS);
	sample(0x2000, 8);
	CHECK(follow());
	CHECK_INT(go.live, ABI_GO_LIVE_PROFILER);
	/* The books have these, too: they are not read. */
	CHECK(fabs(objects - 2) < 1e-6);
	sample(0x3000, 0);
	CHECK(fabs(objects - 3) < 1e-6);
	CHECK(stats().from_marks && stats().from_profiler && !stats().has_before);

	begin(1, true, true);
	CHECK(!follow());
	rate = 0; /* the runtime has turned it off */
	CHECK(!follow());
	CHECK_INT(go.live, ABI_GO_LIVE_MARKS);
	CHECK_INT(nstacks, 0);
	CHECK_INT(stats().rate_bytes, OUR_RATE);
	CHECK(!stats().profiler_is_on);
}

TEST(the_rate_changes)
{
	begin(1, true, false);
	CHECK(follow());
	sample(0x1000, 0);
	rate = 0;
	CHECK(follow());
	CHECK_INT(go.live, ABI_GO_LIVE_MARKS);
	sample(0x2000, 8);
	CHECK_INT((long long)objects, 5);
	freed(0x1000, buckets[1]);
	freed(0x3000, buckets[1]);
	CHECK_INT((long long)objects, 3);
	CHECK(stats().from_profiler && stats().from_marks);
	rate = 1;
	CHECK(follow());
	CHECK_INT((long long)objects, 3); /* ours stays */
	/* A process that cannot be asked is ending: nothing changes. */
	plan.memprof.rates[0] = 8;
	CHECK(!follow());
	CHECK_INT(go.live, ABI_GO_LIVE_PROFILER);
	CHECK_INT(stats().rate_bytes, 1);
}

TEST(another_program)
{
	begin(1, true, false);
	CHECK(follow());
	sample(0x1000, 0);
	golive__drop(live, SLOT);
	CHECK_INT((long long)objects, 0);
	golive__begin(live, SLOT, &go);
	CHECK_INT(go.live, ABI_GO_LIVE_MARKS);
	/* And one that ends keeps what it had. */
	CHECK(!follow());
	CHECK(follow());
	sample(0x1000, 0);
	golive__forget(live, SLOT);
	CHECK_INT((long long)objects, 1);
	CHECK_INT(stats().heap.samples, 0);
	CHECK_INT(stats().ended_samples, 1);
}

TEST(books_of_nonsense)
{
	begin(1 << 20, true, false);
	put_bucket(1, 2, 0, 5, 2); /* of nothing */
	put_bucket(2, 3, UINT64_MAX, 1ULL << 29, 0);
	put_bucket(3, 4, 64, 1ULL << 63, 1);
	put_bucket(4, 1, 64, 2, 1); /* a ring */
	CHECK(follow());
	CHECK_INT(nstacks, 2);
	CHECK(stats().has_before);
	CHECK_INT(stats().before_cut, 1); /* in part */
	CHECK(isfinite(objects) && isfinite(bytes) && objects > 0);
	golive__drop(live, SLOT); /* in no time */
	CHECK(fabs(objects) < 1e-3 && isfinite(bytes));
}

TEST_MAIN()
