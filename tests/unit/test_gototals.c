// SPDX-License-Identifier: GPL-2.0-or-later
/* What bursts have seen of Go, scaled by what the runtime has counted. */
#include "capture/gotally.h"

#include <string.h>

#include "test.h"

static const uint16_t sizes[] = { 0, 8, 16, 1024 };
static const struct go_layout layout = { .nclasses = 4, .class_to_size = sizes };
static const struct event_scale by_time = { 10, 10, 0.2 };

static struct gostats_allocs allocs(uint64_t small3, uint64_t tiny, uint64_t large, uint64_t large_bytes)
{
	return (struct gostats_allocs){
		.small_objects = { [3] = small3 }, .tiny_objects = tiny, .large_objects = large, .large_bytes = large_bytes, .ncaches = 2
	};
}

struct told {
	double objects[ABI_GO_ROOM__N], bytes[ABI_GO_ROOM__N]; /* as scaled */
};

static void on_row(void *ctx, const struct abi_site_key *key, const struct abi_site *site, const struct event_scale *scale)
{
	struct told *told = ctx;

	told->objects[key->detail] += (double)site->objects * scale->objects;
	told->bytes[key->detail] += (double)site->bytes * scale->bytes;
}

static bool hold(struct gotally *tally, struct gototals *t, uint16_t room, uint64_t objects, int64_t bytes)
{
	return gotally__hold(tally, t, &(struct abi_site_key){ .detail = room },
			     &(struct abi_site){ .objects = objects, .bytes = bytes });
}

TEST(what_is_counted_is_shared_out)
{
	struct gostats_allocs now = allocs(1000, 50, 7, 700000);
	struct gotally tally = { 0 };
	struct gototals t = { 0 };
	struct told told = { 0 };

	CHECK(!hold(&tally, &t, 3, 1, 1024)); /* the runtime was not asked yet */
	gototals__restart(&t, 1, &now);
	/* Before the burst, in it, and half of what comes behind it. */
	now = allocs(11000, 50, 7, 700000);
	gototals__add(&t, &layout, &now, 1);
	now = allocs(12000, 30050, 9, 900000);
	gototals__add(&t, &layout, &now, 1);
	now = allocs(14000, 30050, 9, 900000);
	gototals__add(&t, &layout, &now, 0.5);
	CHECK(hold(&tally, &t, 3, 100, 102400));
	CHECK(hold(&tally, &t, 3, 20, 20480));
	CHECK(hold(&tally, &t, ABI_GO_ROOM_SHARED, 300, 0));
	CHECK(hold(&tally, &t, ABI_GO_ROOM_LARGE, 1, 120000));
	CHECK(!hold(&tally, &t, ABI_GO_ROOM__N, 1, 1));
	gotally__tell(&tally, &by_time, on_row, &told);
	gototals__turn(&t);
	CHECK_INT(told.objects[3], 12000);
	CHECK_INT(told.bytes[3], 12000 * 1024);
	CHECK_INT(told.objects[ABI_GO_ROOM_SHARED], 30000);
	CHECK_INT(told.bytes[ABI_GO_ROOM_SHARED], 0);
	CHECK_INT(told.objects[ABI_GO_ROOM_LARGE], 2);
	CHECK_INT(told.bytes[ABI_GO_ROOM_LARGE], 200000);
	/* The other half is the next one's. */
	memset(&told, 0, sizeof(told));
	CHECK(hold(&tally, &t, 3, 10, 10240));
	gotally__tell(&tally, &by_time, on_row, &told);
	CHECK_INT(told.objects[3], 1000);
	gototals__turn(&t);
	/* A report when there was no burst since: it is as the last one was. */
	memset(&told, 0, sizeof(told));
	now = allocs(14700, 39000, 9, 900000);
	gototals__add(&t, &layout, &now, 1);
	gotally__tell_more(&tally, on_row, &told);
	gototals__turn(&t);
	CHECK_INT(told.objects[3], 700);
	CHECK_INT(told.objects[ABI_GO_ROOM_SHARED], 0); /* it saw none */
	CHECK_INT(gototals__unseen(&t).objects, 8950);
	memset(&told, 0, sizeof(told));
	gotally__tell_more(&tally, on_row, &told);
	CHECK_INT(told.objects[3], 0); /* once */
	gotally__free(&tally);
}

TEST(a_count_that_lags_is_made_good_later)
{
	struct gostats_allocs now = allocs(0, 0, 0, 0);
	struct gototals t = { 0 };
	struct event_scale scale;

	gototals__restart(&t, 1, &now);
	now = allocs(20, 0, 0, 0); /* no more than the spans of two Ps */
	gototals__add(&t, &layout, &now, 1);
	gototals__see(&t, 3, 15, 15 * 1024);
	scale = gototals__scale(&t, 3, &by_time);
	CHECK_INT(scale.objects * 10, 24); /* by time 10, but no more than what came and may have: 36 */
	CHECK(scale.doubt > 0.2);
	gototals__turn(&t);
	now = allocs(10036, 0, 0, 0);
	gototals__add(&t, &layout, &now, 1);
	gototals__see(&t, 3, 100, 102400);
	scale = gototals__scale(&t, 3, &by_time);
	CHECK_INT(scale.objects * 100, 10000);
	CHECK(scale.doubt > 0 && scale.doubt < 0.01);
	CHECK_INT(gototals__unseen(&t).objects, 0);
}

TEST(what_no_burst_has_seen_is_said)
{
	struct gostats_allocs now = allocs(0, 0, 0, 0);
	struct gototals t = { 0 };

	gototals__restart(&t, 0, &now);
	now = allocs(5000, 0, 3, 300000);
	gototals__add(&t, &layout, &now, 1);
	gototals__turn(&t);
	CHECK_INT(gototals__unseen(&t).objects, 5003);
	CHECK_INT(gototals__unseen(&t).bytes, 5000 * 1024 + 300000);
	/* More bytes than are due: not less than what was seen, and no more. */
	gototals__see(&t, ABI_GO_ROOM_LARGE, 1, 400000);
	CHECK_INT(gototals__scale(&t, ABI_GO_ROOM_LARGE, &by_time).objects, 3);
	CHECK_INT(gototals__scale(&t, ABI_GO_ROOM_LARGE, &by_time).bytes, 1);
	/* Nor are they forgotten when for a while everything is seen; with another program they are. */
	now.small_objects[3] += 1000;
	gototals__restart(&t, 0, &now);
	CHECK_INT(gototals__unseen(&t).objects, 5000);
	/* A counter that goes back is a process that writes what it likes. */
	now = allocs(0, 0, 0, 0);
	gototals__add(&t, &layout, &now, 1);
	CHECK_INT(gototals__unseen(&t).objects, 5000);
	gototals__restart(&t, 1, &now);
	CHECK_INT(gototals__unseen(&t).objects, 0);
}

TEST_MAIN()
