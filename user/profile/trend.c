// SPDX-License-Identifier: GPL-2.0-or-later
#include "profile/trend.h"

#define PARTS 4
#define NOISE_BYTES (64 << 10)
#define NOISE_SHARE 50
#define UNEVEN 3 /* one rise is that many times the other */

const char *trend_name(enum trend trend)
{
	static const char *const names[TREND__N] = { "too short", "growing", "plateau", "unclear" };

	return names[trend];
}

static int64_t floor_of(const int64_t *values, size_t n, size_t part)
{
	size_t from = n * part / PARTS, to = n * (part + 1) / PARTS;
	int64_t low = values[from];

	for (size_t i = from + 1; i < to; i++)
		if (values[i] < low)
			low = values[i];
	return low;
}

static int64_t noise_of(const int64_t *values, size_t n)
{
	int64_t high = 0;

	for (size_t i = 0; i < n; i++)
		if (values[i] > high)
			high = values[i];
	return high / NOISE_SHARE > NOISE_BYTES ? high / NOISE_SHARE : NOISE_BYTES;
}

enum trend trend_of(const int64_t *values, size_t n, int64_t *ret_rise)
{
	int64_t first, second, noise;

	*ret_rise = 0;
	if (n < TREND_MIN_POINTS)
		return TREND_TOO_SHORT;
	first = floor_of(values, n, 2) - floor_of(values, n, 1);
	second = floor_of(values, n, 3) - floor_of(values, n, 2);
	noise = noise_of(values, n);
	*ret_rise = first + second;
	if (first > 0 && second > 0 && first + second > noise && first >= second / UNEVEN && second >= first / UNEVEN)
		return TREND_GROWING;
	return second <= noise ? TREND_PLATEAU : TREND_UNCLEAR;
}
