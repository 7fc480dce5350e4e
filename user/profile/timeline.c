// SPDX-License-Identifier: GPL-2.0-or-later
#include "profile/timeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

int timeline__new(uint64_t apart_ns, struct timeline **ret)
{
	struct timeline *tl = calloc(1, sizeof(*tl));

	if (!tl)
		return -ENOMEM;
	tl->apart_ns = apart_ns;
	*ret = tl;
	return 0;
}

void timeline__free(struct timeline *tl)
{
	if (!tl)
		return;
	free(tl->rows);
	free(tl);
}

static void halve(struct timeline *tl)
{
	for (size_t i = 0; i < TIMELINE_POINTS / 2; i++) {
		tl->points[i] = tl->points[2 * i];
		for (size_t r = 0; r < tl->nrows; r++)
			tl->rows[r][i] = tl->rows[r][2 * i];
	}
	tl->n = TIMELINE_POINTS / 2;
	tl->apart_ns *= 2;
}

/* Rows that are new had added nothing before. */
static int add_rows(struct timeline *tl, const struct profile *prof)
{
	size_t n = prof->nrows < TIMELINE_ROWS ? prof->nrows : TIMELINE_ROWS;

	if (vec_reserve((void **)&tl->rows, &tl->cap_rows, n, sizeof(*tl->rows)))
		return -ENOMEM;
	if (n > tl->nrows)
		memset(tl->rows[tl->nrows], 0, (n - tl->nrows) * sizeof(*tl->rows));
	tl->nrows = n;
	return 0;
}

int timeline__add(struct timeline *tl, const struct profile *prof, uint64_t unix_ns, uint64_t rss_bytes)
{
	struct timeline_point *point;

	if (tl->n && unix_ns - tl->points[tl->n - 1].unix_ns < tl->apart_ns)
		return 0;
	if (add_rows(tl, prof))
		return -ENOMEM;
	if (tl->n == TIMELINE_POINTS) {
		halve(tl);
		if (unix_ns - tl->points[tl->n - 1].unix_ns < tl->apart_ns)
			return 0;
	}
	point = &tl->points[tl->n];
	*point = (struct timeline_point){ .unix_ns = unix_ns, .rss_bytes = rss_bytes };
	for (int s = SOURCE_GO; s <= SOURCE_MALLOC; s++) {
		const struct prof_counts sum = profile__sum(prof, (enum source)s, WINDOW_ALL);

		point->alloc_bytes += sum.alloc_bytes;
		point->alloc_objects += sum.alloc_objects;
	}
	if (prof->live[SOURCE_GO].measured)
		point->live_bytes = prof_whole(profile__sum(prof, SOURCE_GO, WINDOW_ALL).live_bytes);
	for (size_t r = 0; r < tl->nrows; r++)
		tl->rows[r][tl->n] = prof->rows[r].source == SOURCE_RSS ? prof_rss_bytes(&prof->rows[r].total) : 0;
	tl->n++;
	return 0;
}

int64_t timeline__row_step(const struct timeline *tl, uint32_t row, size_t point)
{
	if (row >= tl->nrows || !point || point >= tl->n)
		return 0;
	return tl->rows[row][point] - tl->rows[row][point - 1];
}

enum trend timeline__row_trend(const struct timeline *tl, uint32_t row, double *ret_per_s)
{
	enum trend trend;
	int64_t rise;

	*ret_per_s = 0;
	if (row >= tl->nrows)
		return TREND_TOO_SHORT;
	trend = trend_of(tl->rows[row], tl->n, &rise);
	if (trend != TREND_TOO_SHORT)
		*ret_per_s = (double)rise * 2e9 / (double)(tl->points[tl->n - 1].unix_ns - tl->points[0].unix_ns);
	return trend;
}
