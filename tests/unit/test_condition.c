// SPDX-License-Identifier: GPL-2.0-or-later
/* Conditions of --when: as text, and in time. */
#include "cmd/condition.h"

#include <errno.h>

#include "test.h"

#define S 1000000000ull

TEST(good)
{
	static const struct {
		const char *text;
		struct condition want;
	} good[] = {
		{ "rss>2G", { CONDITION_RSS, false, false, 2ull << 30 } },
		{ "rss >= 512MiB", { CONDITION_RSS, false, true, 512ull << 20 } },
		{ " heap<=1M ", { CONDITION_HEAP, true, true, 1 << 20 } },
		{ "rate>100M/s", { CONDITION_RATE, false, false, 100 << 20 } },
		{ "growth<4096", { CONDITION_GROWTH, true, false, 4096 } },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct condition c = { 0 };

		if (!CHECK_INT(condition_parse(good[i].text, &c), 0))
			fprintf(stderr, "  of '%s'\n", good[i].text);
		CHECK_INT(c.metric, good[i].want.metric);
		CHECK_INT(c.below, good[i].want.below);
		CHECK_INT(c.or_equal, good[i].want.or_equal);
		CHECK_INT(c.bytes, good[i].want.bytes);
	}
}

TEST(bad)
{
	static const char *const bad[] = { "", "rss", "rss>", ">2G", "rss=2G", "rss==2G", "rss>2X", "rss>-1", "rss>2G/s", "RSS>2G",
					   "rssx>2G", "rss>2G and heap>1G", "rate>/s", "rss>99999999999999999999", "growth>>1",
					   "heap>11111111111111111111111111111111111111111111111111111111" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct condition c = { .bytes = 7 };

		if (!CHECK(condition_parse(bad[i], &c) < 0 && c.bytes == 7))
			fprintf(stderr, "  '%s' was taken\n", bad[i]);
	}
}

static struct watch watch_of(const char *text)
{
	struct watch w = { 0 };

	CHECK_INT(condition_parse(text, &w.condition), 0);
	return w;
}

TEST(states)
{
	struct watch rss = watch_of("rss>100"), heap = watch_of("heap<=100");

	CHECK(!watch__look(&rss, &(struct condition_sample){ .rss_bytes = 100 }));
	CHECK(watch__look(&rss, &(struct condition_sample){ .rss_bytes = 101 }));
	CHECK(!watch__look(&rss, &(struct condition_sample){ .rss_bytes = 99 }));
	CHECK(watch__look(&heap, &(struct condition_sample){ .heap_bytes = 100 }));
	CHECK(!watch__look(&heap, &(struct condition_sample){ .heap_bytes = 100.5 }));
}

/* Over a second or more; looks in between change nothing. */
TEST(rates)
{
	struct watch w = watch_of("rate>1000"), growth = watch_of("growth>1000");

	CHECK(!watch__look(&w, &(struct condition_sample){ .now_ns = 5 * S, .alloc_bytes = 1 << 30 }));
	CHECK(!watch__look(&w, &(struct condition_sample){ .now_ns = 5 * S + S / 2, .alloc_bytes = 2u << 30 }));
	CHECK(!watch__look(&w, &(struct condition_sample){ .now_ns = 7 * S, .alloc_bytes = (1 << 30) + 2000 }));
	CHECK(watch__look(&w, &(struct condition_sample){ .now_ns = 8 * S, .alloc_bytes = (1 << 30) + 3001 }));
	CHECK(watch__look(&w, &(struct condition_sample){ .now_ns = 8 * S + 1, .alloc_bytes = (1 << 30) + 3001 }));
	CHECK(!watch__look(&w, &(struct condition_sample){ .now_ns = 9 * S, .alloc_bytes = (1 << 30) + 3002 }));
	/* RSS that falls is no large number. */
	CHECK(!watch__look(&growth, &(struct condition_sample){ .now_ns = S, .rss_bytes = 1 << 20 }));
	CHECK(!watch__look(&growth, &(struct condition_sample){ .now_ns = 2 * S, .rss_bytes = 0 }));
	CHECK(watch__look(&growth, &(struct condition_sample){ .now_ns = 4 * S, .rss_bytes = 2002 }));
}

TEST_MAIN()
