// SPDX-License-Identifier: GPL-2.0-or-later
#include "export/rss_areas.h"

#include <stdlib.h>

static struct rss_area *find_area(struct rss_area *areas, size_t *n, uint32_t type)
{
	size_t i = 0;

	while (i < *n && areas[i].type != type)
		i++;
	if (i == *n && type && *n >= RSS_AREAS_MAX - 1)
		return find_area(areas, n, 0);
	if (i == *n)
		areas[(*n)++] = (struct rss_area){ .type = type };
	return &areas[i];
}

static int compare(const void *a, const void *b)
{
	const struct rss_area *x = a, *y = b;
	uint64_t x_bytes = x->moved.grown_bytes + x->moved.released_bytes;
	uint64_t y_bytes = y->moved.grown_bytes + y->moved.released_bytes;

	if (x_bytes != y_bytes)
		return x_bytes > y_bytes ? -1 : 1;
	return x->type < y->type ? -1 : x->type > y->type;
}

size_t rss_areas(const struct profile *prof, enum window window, struct rss_area ret[static RSS_AREAS_MAX])
{
	size_t n = 0;

	for (uint32_t i = 0; i < prof->nrows; i++) {
		struct prof_counts counts;
		struct prof_moved moved;
		struct rss_area *area;

		if (prof->rows[i].source != SOURCE_RSS)
			continue;
		counts = prof_row_counts(&prof->rows[i], window);
		moved = prof_rss_moved(&counts);
		if (!moved.grown_bytes && !moved.released_bytes)
			continue;
		area = find_area(ret, &n, prof->rows[i].type);
		area->moved.grown_bytes += moved.grown_bytes;
		area->moved.released_bytes += moved.released_bytes;
	}
	qsort(ret, n, sizeof(*ret), compare);
	return n;
}
