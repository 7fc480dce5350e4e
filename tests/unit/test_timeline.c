// SPDX-License-Identifier: GPL-2.0-or-later
/* Moments that are kept, thinned out, and what rows did between them. */
#include "profile/timeline.h"
#include "test.h"

#define SECOND 1000000000u

static uint32_t add_row(struct profile *prof, enum source source, uint64_t addr)
{
	uint32_t loc = profile__add_loc(prof, PROF_NONE, addr, addr);

	return profile__add_row(prof, 1, source, 0, profile__add_stack(prof, &loc, 1, 0));
}

TEST(moments)
{
	struct timeline *tl = NULL;
	struct profile *prof = NULL;
	uint32_t row, late, go, c, mapped;
	double per_s;

	if (!CHECK_INT(profile__new(&prof), 0) || !CHECK_INT(timeline__new(SECOND, &tl), 0))
		return;
	prof->timeline = tl; /* its from now on */
	row = add_row(prof, SOURCE_RSS, 0x1000);
	go = add_row(prof, SOURCE_GO, 0x2000);
	c = add_row(prof, SOURCE_MALLOC, 0x2000);
	mapped = add_row(prof, SOURCE_MMAP, 0x2000);
	for (uint64_t t = 0; t < 1000; t++) {
		prof->rows[row].total.rss[RSS_ANON].grown_bytes = (t + 1) << 20;
		prof->rows[row].total.rss[RSS_SWAP].grown_bytes = t << 30; /* none of RSS */
		prof->rows[go].total.alloc_bytes = 100 * t;
		prof->rows[c].total.alloc_bytes = prof->rows[c].total.alloc_objects = t;
		prof->rows[mapped].total.alloc_bytes = t << 12; /* of which the others hand out */
		CHECK_INT(timeline__add(tl, prof, (t + 5) * SECOND, t << 20), 0);
		CHECK_INT(timeline__add(tl, prof, (t + 5) * SECOND + SECOND / 2, 0), 0); /* too soon */
		CHECK(tl->n <= TIMELINE_POINTS);
	}
	/* Evenly spaced, from the first on, with the values of their time. */
	CHECK(tl->n >= TIMELINE_POINTS / 2);
	for (size_t i = 0; i < tl->n; i++) {
		CHECK_INT(tl->points[i].unix_ns, 5ull * SECOND + i * tl->apart_ns);
		CHECK_INT(tl->points[i].rss_bytes, (tl->points[i].unix_ns / SECOND - 5) << 20);
		CHECK_INT(tl->points[i].alloc_bytes, 101 * (tl->points[i].unix_ns / SECOND - 5));
		CHECK_INT(tl->points[i].alloc_objects, tl->points[i].unix_ns / SECOND - 5);
		CHECK_INT(timeline__row_step(tl, row, i), i ? (long long)(tl->apart_ns / SECOND) << 20 : 0);
		CHECK_INT(timeline__row_step(tl, 1, i), 0);
	}
	CHECK_INT(timeline__row_trend(tl, row, &per_s), TREND_GROWING);
	CHECK(per_s > 0.9 * (1 << 20) && per_s < 1.1 * (1 << 20));
	/* A row that came later had nothing before. */
	late = add_row(prof, SOURCE_RSS, 0x3000);
	prof->rows[late].total.rss[RSS_FILE].grown_bytes = 4096;
	CHECK_INT(timeline__row_trend(tl, late, &per_s), TREND_TOO_SHORT);
	CHECK_INT(timeline__add(tl, prof, 5000ull * SECOND, 0), 0);
	CHECK_INT(timeline__row_step(tl, late, tl->n - 1), 4096);
	CHECK_INT(timeline__row_step(tl, late, tl->n - 2), 0);
	CHECK_INT(timeline__row_step(tl, late, tl->n), 0);
	profile__free(prof);
}

TEST_MAIN()
