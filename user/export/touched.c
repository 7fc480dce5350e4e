// SPDX-License-Identifier: GPL-2.0-or-later
#include "export/touched.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

int touched_add(struct touched *touched, const struct profile *prof, uint32_t row, enum window window,
		touched_identity_fn *identity_fn)
{
	touched->untold_bytes += profile__untold_touch_bytes(prof, row, window);
	for (uint32_t i = prof->rows[row].touches; i != PROF_NONE; i = prof->touches[i].next) {
		const struct prof_touch *touch = &prof->touches[i];
		uint64_t bytes = prof_touch_bytes(touch, window);

		if (!bytes)
			continue;
		if (vec_reserve((void **)&touched->items, &touched->cap, touched->len + 1, sizeof(*touched->items)))
			return -ENOMEM;
		touched->items[touched->len++] = (struct touched_part){
			.source = touch->source, .stack = touch->stack, .bytes = bytes, .top_bytes = bytes,
			.identity = identity_fn ? identity_fn(prof, touch->stack) : touch->stack };
	}
	return 0;
}

static int compare_identity(const void *a, const void *b)
{
	const struct touched_part *x = a, *y = b;

	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	if (x->identity != y->identity)
		return x->identity < y->identity ? -1 : 1;
	return x->stack < y->stack ? -1 : x->stack > y->stack;
}

static int compare_bytes(const void *a, const void *b)
{
	const struct touched_part *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return compare_identity(a, b);
}

void touched_settle(struct touched *touched)
{
	struct touched_part *items = touched->items;
	size_t n = 0;

	if (!touched->len)
		return;
	qsort(items, touched->len, sizeof(*items), compare_identity);
	for (size_t i = 1; i < touched->len; i++) {
		if (items[i].source != items[n].source || items[i].identity != items[n].identity) {
			items[++n] = items[i];
			continue;
		}
		items[n].bytes += items[i].bytes;
		if (items[i].top_bytes > items[n].top_bytes) {
			items[n].top_bytes = items[i].top_bytes;
			items[n].stack = items[i].stack;
		}
	}
	touched->len = n + 1;
	qsort(items, touched->len, sizeof(*items), compare_bytes);
}

bool touched_took_span(const struct profile *prof, const struct touched_part *part)
{
	struct frame_iter it = frames_of(prof, part->stack);
	struct frame_view view;

	return part->source == SOURCE_GO && frame_iter__next(&it, &view) && strcmp(view.func, "runtime.(*mheap).setSpans") == 0;
}

void touched_free(struct touched *touched)
{
	free(touched->items);
	*touched = (struct touched){ 0 };
}
