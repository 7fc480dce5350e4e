/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RSS over time: at evenly spaced moments what the targets had and what each row of source rss had added
 * until then. Of bounded size: when it is full every other moment is dropped, and from then on they
 * are twice as far apart.
 */
#ifndef ALLOCSNOOP_PROFILE_TIMELINE_H
#define ALLOCSNOOP_PROFILE_TIMELINE_H

#include "profile/profile.h"
#include "profile/trend.h"

#define TIMELINE_POINTS 60
#define TIMELINE_ROWS 20000 /* the others have no history */

struct timeline_point {
	uint64_t unix_ns;
	uint64_t rss_bytes;
	uint64_t live_bytes; /* of Go's heap, where it is measured */
	uint64_t alloc_bytes, alloc_objects; /* of go and malloc, since the attach */
};

struct timeline {
	struct timeline_point points[TIMELINE_POINTS];
	size_t n;
	uint64_t apart_ns;
	int64_t (*rows)[TIMELINE_POINTS]; /* by row of the profile: bytes added until then, minus given back */
	size_t nrows, cap_rows;
};

int timeline__new(uint64_t apart_ns, struct timeline **ret);
void timeline__free(struct timeline *tl);

/* At @unix_ns the targets have @rss_bytes. Nothing happens if the last moment is too near. 0 or -ENOMEM. */
int timeline__add(struct timeline *tl, const struct profile *prof, uint64_t unix_ns, uint64_t rss_bytes);

/* What @row added from the moment before to moment @point, minus what it gave back. */
int64_t timeline__row_step(const struct timeline *tl, uint32_t row, size_t point);
/* Whether @row keeps growing; @ret_per_s: by how much, in bytes a second. */
enum trend timeline__row_trend(const struct timeline *tl, uint32_t row, double *ret_per_s);

#endif
