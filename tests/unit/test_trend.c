// SPDX-License-Identifier: GPL-2.0-or-later
/* Leaks and what looks like them, as made-up curves. */
#include "profile/trend.h"
#include "test.h"

#define N 60
#define MIB (1 << 20)

/* Deterministic noise of +-@amount. */
static int64_t noise(uint64_t i, int64_t amount)
{
	uint64_t x = (i + 1) * 0x9e3779b97f4a7c15u;

	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9u;
	return (int64_t)((x >> 33) % (uint64_t)(2 * amount + 1)) - amount;
}

static enum trend trend(int64_t (*curve)(int64_t t), size_t n, int64_t *rise)
{
	int64_t values[N];

	for (size_t i = 0; i < n; i++)
		values[i] = curve((int64_t)i);
	return trend_of(values, n, rise);
}

static int64_t flat(int64_t t)
{
	return t ? 10 * MIB : 10 * MIB;
}

static int64_t leak(int64_t t)
{
	return t * MIB / 4;
}

static int64_t noisy_leak(int64_t t)
{
	return t * MIB / 4 + noise((uint64_t)t, MIB);
}

static int64_t warm_up(int64_t t)
{
	return t < 10 ? t * 4 * MIB : 40 * MIB;
}

static int64_t late_step(int64_t t)
{
	return t < 50 ? 10 * MIB : 30 * MIB;
}

static int64_t sawtooth(int64_t t)
{
	return 10 * MIB + t % 7 * 3 * MIB;
}

static int64_t leaking_sawtooth(int64_t t)
{
	return sawtooth(t) + t * MIB / 4;
}

static int64_t only_noise(int64_t t)
{
	return 100 * MIB + noise((uint64_t)t, 10 * MIB);
}

static int64_t falling(int64_t t)
{
	return (N - t) * MIB;
}

/* Ever slower: what a cache does that fills up. */
static int64_t saturating(int64_t t)
{
	return 50 * MIB - 50 * (int64_t)MIB / (1 + t / 2);
}

static int64_t speeding_up(int64_t t)
{
	return t < 44 ? 0 : (t - 44) * 4 * MIB;
}

TEST(curves)
{
	static const struct {
		const char *name;
		int64_t (*curve)(int64_t t);
		enum trend want;
	} cases[] = {
		{ "flat", flat, TREND_PLATEAU },
		{ "leak", leak, TREND_GROWING },
		{ "leak with noise", noisy_leak, TREND_GROWING },
		{ "warm-up, then nothing", warm_up, TREND_PLATEAU },
		{ "sawtooth", sawtooth, TREND_PLATEAU },
		{ "sawtooth on a leak", leaking_sawtooth, TREND_GROWING },
		{ "noise", only_noise, TREND_PLATEAU },
		{ "falling", falling, TREND_PLATEAU },
		{ "saturating", saturating, TREND_PLATEAU },
		{ "a step near the end", late_step, TREND_PLATEAU }, /* the floor of the last part is still low */
		{ "a rise that has just begun", speeding_up, TREND_UNCLEAR },
	};
	int64_t rise;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (!CHECK_STR(trend_name(trend(cases[i].curve, N, &rise)), trend_name(cases[i].want)))
			printf("%s: rise %lld\n", cases[i].name, (long long)rise);
}

TEST(rise)
{
	int64_t rise = 1;

	CHECK_INT(trend(leak, N, &rise), TREND_GROWING);
	CHECK_INT(rise, N / 2 * MIB / 4); /* of half the time */
	CHECK_INT(trend(flat, N, &rise), TREND_PLATEAU);
	CHECK_INT(rise, 0);
}

TEST(too_short)
{
	int64_t rise = 1;

	CHECK_INT(trend(leak, TREND_MIN_POINTS - 1, &rise), TREND_TOO_SHORT);
	CHECK_INT(rise, 0);
	CHECK_INT(trend_of(NULL, 0, &rise), TREND_TOO_SHORT);
	CHECK_INT(trend(leak, TREND_MIN_POINTS, &rise), TREND_GROWING);
}

TEST_MAIN()
