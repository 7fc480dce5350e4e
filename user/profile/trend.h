/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does a number that goes up and down keep growing? Pure.
 *
 * What is garbage, cached or waiting to be given back makes a curve go up and down; a leak
 * raises what it comes down to. So the time is cut into four equal parts, the first is left out (a
 * start is no leak), and of each other part the lowest value is taken, its floor.
 *
 *   GROWING  each floor is above the one before, none of both rises is less than a third
 *            of the other, and together they are more than the noise
 *   PLATEAU  the last floor is above the one before by no more than the noise
 *   UNCLEAR  the rest: a rise that has just begun, or is uneven
 *
 * Noise is 64 KiB, or a 50th of the highest value where that is more. A trend is a reason to look,
 * not a proof: a cache that still fills grows, too.
 */
#ifndef ALLOCSNOOP_PROFILE_TREND_H
#define ALLOCSNOOP_PROFILE_TREND_H

#include <stddef.h>
#include <stdint.h>

#define TREND_MIN_POINTS 12

enum trend { TREND_TOO_SHORT, TREND_GROWING, TREND_PLATEAU, TREND_UNCLEAR, TREND__N };

/* "too short", "growing", "plateau", "unclear". */
const char *trend_name(enum trend trend);

/*
 * Of @n values, evenly spaced in time. @ret_rise: by how much the floor rose from the second part to the last, half the
 * time; 0 if it is too short.
 */
enum trend trend_of(const int64_t *values, size_t n, int64_t *ret_rise);

#endif
