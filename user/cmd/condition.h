/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "rss>2G": when a recording keeps who did what. Pure. */
#ifndef ALLOCSNOOP_CMD_CONDITION_H
#define ALLOCSNOOP_CMD_CONDITION_H

#include <stdbool.h>
#include <stdint.h>

enum condition_metric {
	CONDITION_RSS, /* bytes of RSS, of all targets */
	CONDITION_HEAP, /* bytes that are live, of Go and malloc */
	CONDITION_RATE, /* bytes allocated in a second, by Go and malloc */
	CONDITION_GROWTH, /* bytes by which RSS grew in a second */
};

struct condition {
	enum condition_metric metric;
	bool below; /* < and <=, else > and >= */
	bool or_equal;
	uint64_t bytes;
};

/* METRIC OPERATOR SIZE, as "rss>2G" or "rate >= 100M/s"; 0, -EINVAL or -ERANGE. */
int condition_parse(const char *text, struct condition *ret);

/* What is looked at: counters so far, and states. */
struct condition_sample {
	uint64_t now_ns; /* of any clock that does not jump */
	uint64_t rss_bytes, alloc_bytes;
	double heap_bytes;
};

#define CONDITION_SPAN_NS 1000000000u /* rates are over at least so long */

/* A condition in time: rates need two moments. Starts as { .condition = ... }. */
struct watch {
	struct condition condition;
	struct condition_sample last;
	bool has_last;
	bool holds; /* as of the last look */
};

/* Whether the condition holds. A rate is not known, and does not hold, until the first span is over. */
bool watch__look(struct watch *watch, const struct condition_sample *now);

#endif
