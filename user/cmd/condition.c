// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/condition.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/args.h"

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " ");
}

int condition_parse(const char *text, struct condition *ret)
{
	static const char *const names[] = { [CONDITION_RSS] = "rss", [CONDITION_HEAP] = "heap", [CONDITION_RATE] = "rate",
					     [CONDITION_GROWTH] = "growth" };
	struct condition c = { 0 };
	size_t metric, len, n = sizeof(names) / sizeof(names[0]);
	char size[32];
	int err;

	text = skip_blanks(text);
	len = strspn(text, "abcdefghijklmnopqrstuvwxyz");
	for (metric = 0; metric < n; metric++)
		if (strlen(names[metric]) == len && memcmp(names[metric], text, len) == 0)
			break;
	if (metric == n)
		return -EINVAL;
	c.metric = (enum condition_metric)metric;
	text = skip_blanks(text + len);
	if (*text != '<' && *text != '>')
		return -EINVAL;
	c.below = *text++ == '<';
	c.or_equal = *text == '=';
	text = skip_blanks(text + c.or_equal);
	len = strlen(text);
	while (len && text[len - 1] == ' ')
		len--;
	if (len > 2 && memcmp(text + len - 2, "/s", 2) == 0) {
		if (c.metric != CONDITION_RATE && c.metric != CONDITION_GROWTH)
			return -EINVAL;
		len -= 2;
	}
	if (len >= sizeof(size))
		return -EINVAL;
	memcpy(size, text, len);
	size[len] = 0;
	err = args_size(size, &c.bytes);
	if (!err)
		*ret = c;
	return err;
}

static double per_second(double now, double before, uint64_t ns)
{
	return (now - before) * 1e9 / (double)ns;
}

bool watch__look(struct watch *w, const struct condition_sample *now)
{
	const struct condition *c = &w->condition;
	bool is_rate = c->metric == CONDITION_RATE || c->metric == CONDITION_GROWTH;
	uint64_t span_ns = now->now_ns - w->last.now_ns;
	double value, limit = (double)c->bytes;

	if (is_rate && w->has_last && span_ns < CONDITION_SPAN_NS)
		return w->holds;
	switch (c->metric) {
	case CONDITION_HEAP:
		value = now->heap_bytes;
		break;
	case CONDITION_RATE:
		value = per_second((double)now->alloc_bytes, (double)w->last.alloc_bytes, span_ns);
		break;
	case CONDITION_GROWTH:
		value = per_second((double)now->rss_bytes, (double)w->last.rss_bytes, span_ns);
		break;
	default:
		value = (double)now->rss_bytes;
	}
	w->holds = (!is_rate || w->has_last) &&
		   ((c->below ? value < limit : value > limit) || (c->or_equal && value == limit));
	w->last = *now;
	w->has_last = true;
	return w->holds;
}
