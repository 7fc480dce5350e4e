/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RSS by what the pages are for: the rows of source rss added up by type. Pure. */
#ifndef ALLOCSNOOP_EXPORT_RSS_AREAS_H
#define ALLOCSNOOP_EXPORT_RSS_AREAS_H

#include "profile/profile.h"

struct rss_area {
	uint32_t type; /* strtab id; 0: not known */
	struct prof_moved moved;
};

#define RSS_AREAS_MAX 16

/* Those that changed in the window, the one that moved most first. Past RSS_AREAS_MAX they count as not known. */
size_t rss_areas(const struct profile *prof, enum window window, struct rss_area ret[static RSS_AREAS_MAX]);

#endif
