// SPDX-License-Identifier: GPL-2.0-or-later
#include "export/group.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/vec.h"
#include "export/formats.h"

enum subject {
	SUBJECT_STACK,
	SUBJECT_FRAME,
	SUBJECT_ADDRESS,
	SUBJECT_MODULE,
	SUBJECT_TYPE,
	SUBJECT_LABELS,
	SUBJECT_LOST, /* there is nothing of what the key asks for */
	SUBJECT_UNKNOWN, /* there may be, nobody knows */
};

/* Compared as bytes: no padding. */
struct group_id {
	uint32_t pid, source, subject;
	uint32_t a, b, c;
};

_Static_assert(sizeof(struct group_id) == 24, "padding in a key");

/*
 * What a reader sees of @stack as a number: its frames that are no plumbing, and the outermost plumbing
 * frame inside of them (all frames if there are no others). 64 bits: two stacks that fall together by
 * chance would share a line of a text report, and nothing else.
 */
static uint64_t trimmed_hash(const struct profile *prof, uint32_t stack)
{
	struct frame_iter it = frames_of(prof, stack);
	struct frame_view view;
	uint64_t hash = prof->stacks[stack].flags, all = hash;
	uint32_t door = 0;
	bool any = false;

	while (frame_iter__next(&it, &view)) {
		uint64_t frame[] = { view.func_id ? view.func_id : ~(uint64_t)view.loc, view.file_id, view.line, 0 };

		frame[3] = all;
		all = hash_bytes(frame, sizeof(frame));
		if (view.flags & FRAME_PLUMBING) {
			door = any ? door : view.func_id;
			continue;
		}
		frame[3] = any ? hash : hash + door;
		hash = hash_bytes(frame, sizeof(frame));
		any = true;
	}
	return any ? hash : all;
}

/* Keys that tell rows apart by their context; true if @key is one of them. */
static bool identify_context(const struct profile *prof, const struct prof_row *row, enum group_key key,
			     struct group_id *id, struct frame_view *view)
{
	enum prof_typing typing = prof->contexts[row->context].typing;

	if ((key == GROUP_TYPE && typing == TYPING_UNKNOWN) ||
	    ((key == GROUP_LABELS || key == GROUP_GOROUTINE) && (typing == TYPING_UNKNOWN || typing == TYPING_KIND))) {
		id->subject = SUBJECT_UNKNOWN;
		return true;
	}
	switch (key) {
	case GROUP_TYPE:
		id->subject = SUBJECT_TYPE;
		id->a = row->type;
		return true;
	case GROUP_LABELS:
		id->subject = SUBJECT_LABELS;
		id->a = prof->contexts[row->context].labels;
		return true;
	case GROUP_GOROUTINE:
		id->subject = SUBJECT_LOST;
		if (!prof_creator(prof, row->context, view))
			return true;
		id->subject = view->func_id ? SUBJECT_FRAME : SUBJECT_ADDRESS;
		id->a = view->func_id ? view->func_id : view->loc;
		id->b = view->func_id ? view->file_id : 0;
		id->c = view->func_id ? view->line : 0;
		return true;
	default:
		return false;
	}
}

static struct group_id identify(const struct profile *prof, const struct prof_row *row, enum group_key key,
				bool trimmed, struct frame_view *view)
{
	struct group_id id = { .pid = row->pid, .source = row->source };

	if (identify_context(prof, row, key, &id, view)) {
		return id;
	} else if ((key == GROUP_STACK || key == GROUP_ALLOCATION) && trimmed) {
		uint64_t hash = trimmed_hash(prof, row->stack);

		id.subject = SUBJECT_STACK;
		id.a = (uint32_t)hash;
		id.b = (uint32_t)(hash >> 32);
	} else if (key == GROUP_STACK || key == GROUP_ALLOCATION) {
		id.subject = SUBJECT_STACK;
		id.a = row->stack;
	} else if (!stack_blame(prof, row->stack, view)) {
		id.subject = SUBJECT_LOST;
	} else if (key == GROUP_MODULE) {
		id.subject = SUBJECT_MODULE;
		id.a = view->module;
	} else if (!view->func_id) {
		id.subject = SUBJECT_ADDRESS;
		id.a = view->loc;
	} else {
		id.subject = SUBJECT_FRAME;
		id.a = view->func_id;
		id.b = key == GROUP_LINE ? view->file_id : 0;
		id.c = key == GROUP_LINE ? view->line : 0;
	}
	return id;
}

/* There are few at a stack: a list. */
static int add_type(struct group *group, uint32_t type, const struct prof_counts *counts, bool by_live)
{
	uint64_t objects = by_live ? prof_whole(counts->live_objects) : counts->alloc_objects;
	uint64_t bytes = by_live ? prof_whole(counts->live_bytes) : counts->alloc_bytes;
	size_t cap = group->ntypes && !(group->ntypes & (group->ntypes - 1)) ? group->ntypes : 0;
	struct group_type *types;
	uint32_t i = group->ntypes;

	while (i > 0 && group->types[i - 1].type != type)
		i--;
	if (i > 0) {
		group->types[i - 1].objects += objects;
		group->types[i - 1].bytes += bytes;
		return 0;
	}
	if (cap || !group->ntypes) {
		types = realloc(group->types, (cap ? cap * 2 : 1) * sizeof(*types));
		if (!types)
			return -ENOMEM;
		group->types = types;
	}
	group->types[group->ntypes++] = (struct group_type){ type, objects, bytes };
	return 0;
}

static int compare_types(const void *a, const void *b)
{
	const struct group_type *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return x->type < y->type ? -1 : x->type > y->type;
}

static void add_labels(struct group *group, uint32_t labels, uint64_t bytes, bool first)
{
	group->more_labels |= !first && labels != group->labels;
	if (labels && (!group->labels || bytes > group->top_label_bytes)) {
		group->labels = labels;
		group->top_label_bytes = bytes;
	}
}

static int add_row(const struct profile *prof, struct group *group, enum group_key key, const struct prof_row *row,
		   const struct prof_counts *counts, uint64_t goroutines, bool first, bool by_live)
{
	uint64_t bytes = row->source == SOURCE_RSS ? (uint64_t)llabs(prof_rss_bytes(counts)) : counts->alloc_bytes;

	prof_counts_add(&group->counts, counts);
	group->goroutines += goroutines;
	add_labels(group, prof->contexts[row->context].labels, bytes, first);
	if (first || bytes > group->top_bytes) {
		group->top_bytes = bytes;
		group->stack = row->stack;
		group->type = row->type;
	}
	return (key == GROUP_STACK || key == GROUP_ALLOCATION) && row->type ? add_type(group, row->type, counts, by_live) : 0;
}

static int64_t order_of(const struct group *group, enum sort_key sort)
{
	const struct prof_counts *c = &group->counts;

	if (group->source == SOURCE_RSS)
		return sort == SORT_PEAK ? c->peak_rss_bytes : prof_rss_bytes(c);
	switch (sort) {
	case SORT_LIVE:
		return (int64_t)c->live_bytes;
	case SORT_PEAK:
		return (int64_t)c->peak_bytes;
	case SORT_GROWTH:
		return (int64_t)c->live_grown_bytes;
	case SORT_OBJECTS:
		return (int64_t)c->alloc_objects;
	case SORT_WASTE:
		return (int64_t)(c->alloc_bytes - c->requested_bytes);
	case SORT_RSS: /* says how RSS rows go; allocations have none */
	case SORT_RATE: /* all rows have the same time */
	case SORT_BYTES:
		break;
	}
	return (int64_t)c->alloc_bytes;
}

static int compare(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->order != y->order)
		return x->order > y->order ? -1 : 1;
	if (x->counts.alloc_bytes != y->counts.alloc_bytes)
		return x->counts.alloc_bytes > y->counts.alloc_bytes ? -1 : 1;
	return x->nr < y->nr ? -1 : 1;
}

/* Frames only for groups that are shown by name, and they own them: a view is large. */
static int keep_frame(struct group *group, const struct group_id *id, const struct frame_view *view)
{
	if (id->subject != SUBJECT_FRAME && id->subject != SUBJECT_ADDRESS && id->subject != SUBJECT_MODULE)
		return 0;
	group->frame = malloc(sizeof(*group->frame));
	if (!group->frame)
		return -ENOMEM;
	*group->frame = *view;
	if (!view->func_id)
		group->frame->func = group->frame->buf;
	return 0;
}

struct gathering {
	const struct profile *prof;
	enum window window;
	enum group_key key;
	bool trimmed, by_live;
	struct hmap *index;
	struct groups *groups;
	size_t cap;
};

/* The group of @id, made if new; HMAP_NONE when memory is out. */
static uint32_t group_of(struct gathering *g, const struct group_id *id, const struct frame_view *view, bool *added)
{
	struct groups *groups = g->groups;
	uint32_t nr;

	if (vec_reserve((void **)&groups->items, &g->cap, groups->len + 1, sizeof(*groups->items)))
		return HMAP_NONE;
	nr = hmap__add(g->index, id, added);
	if (nr == HMAP_NONE || !*added)
		return nr;
	groups->items[groups->len++] = (struct group){ .pid = id->pid, .source = id->source, .nr = nr,
						       .unknown = id->subject == SUBJECT_UNKNOWN };
	return keep_frame(&groups->items[nr], id, view) ? HMAP_NONE : nr;
}

static int gather_row(struct gathering *g, const struct prof_row *row, const struct prof_counts *counts)
{
	uint64_t goroutines = row->goroutines - (g->window == WINDOW_INTERVAL ? row->goroutines_marked : 0);
	struct frame_view view;
	struct group_id id = identify(g->prof, row, g->key, g->trimmed, &view);
	struct group *group;
	uint32_t nr;
	bool added;
	int err;

	nr = group_of(g, &id, &view, &added);
	if (nr == HMAP_NONE)
		return -ENOMEM;
	group = &g->groups->items[nr];
	err = add_row(g->prof, group, g->key, row, counts, goroutines, added, g->by_live);
	if (!err && g->key == GROUP_STACK && row->source == SOURCE_RSS)
		err = touched_add(&group->touched, g->prof, (uint32_t)(row - g->prof->rows), g->window,
				  g->trimmed ? trimmed_hash : NULL);
	prof_counts_add(&g->groups->sum, counts);
	return err;
}

/* @bytes of the growth of the RSS of @pid, by the stack of @part that asked for the memory; NULL: not known. */
static int gather_part(struct gathering *g, uint32_t pid, const struct touched_part *part, uint64_t bytes)
{
	struct group_id id = { .pid = pid, .source = SOURCE_RSS, .subject = part ? SUBJECT_STACK : SUBJECT_UNKNOWN };
	const struct prof_counts counts = { .rss[RSS_ANON].grown_bytes = bytes };
	struct group *group;
	uint32_t nr;
	bool added;

	if (!bytes)
		return 0;
	if (part) {
		id.a = (uint32_t)part->identity;
		id.b = (uint32_t)(part->identity >> 32);
		id.c = part->source;
	}
	nr = group_of(g, &id, NULL, &added);
	if (nr == HMAP_NONE)
		return -ENOMEM;
	group = &g->groups->items[nr];
	prof_counts_add(&group->counts, &counts);
	prof_counts_add(&g->groups->sum, &counts);
	if (part && bytes > group->top_bytes) {
		group->top_bytes = bytes;
		group->stack = part->stack;
		group->asked_by = part->source;
	}
	return 0;
}

static int gather_asked(struct gathering *g, const struct prof_row *row)
{
	struct touched touched = { 0 };
	int err = touched_add(&touched, g->prof, (uint32_t)(row - g->prof->rows), g->window, g->trimmed ? trimmed_hash : NULL);

	for (size_t i = 0; !err && i < touched.len; i++)
		err = gather_part(g, row->pid, &touched.items[i], touched.items[i].bytes);
	if (!err)
		err = gather_part(g, row->pid, NULL, touched.untold_bytes);
	touched_free(&touched);
	return err;
}

static int gather(struct gathering *g, uint32_t sources)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < g->prof->nrows; i++) {
		const struct prof_row *row = &g->prof->rows[i];
		struct prof_counts counts = prof_row_counts(row, g->window);

		if (!(sources & 1u << row->source) || prof_counts_are_zero(&counts))
			continue;
		err = g->key == GROUP_ALLOCATION && row->source == SOURCE_RSS ? gather_asked(g, row) : gather_row(g, row, &counts);
	}
	return err;
}

int groups_build(const struct profile *prof, enum window window, uint32_t sources, enum group_key key,
		 bool trimmed, enum sort_key sort, struct groups *ret)
{
	struct groups groups = { 0 };
	struct gathering gathering = { prof, window, key, trimmed, sort == SORT_LIVE, NULL, &groups, 0 };
	int err = hmap__new(sizeof(struct group_id), &gathering.index);

	if (err)
		return err;
	err = gather(&gathering, sources);
	hmap__free(gathering.index);
	if (err) {
		groups_free(&groups);
		return err;
	}
	for (size_t i = 0; i < groups.len; i++) {
		int64_t rss;

		groups.items[i].order = order_of(&groups.items[i], sort);
		rss = groups.items[i].source == SOURCE_RSS ? groups.items[i].order : 0;
		if (groups.items[i].ntypes)
			qsort(groups.items[i].types, groups.items[i].ntypes, sizeof(*groups.items[i].types), compare_types);
		touched_settle(&groups.items[i].touched);
		groups.rss_grown += rss > 0 ? rss : 0;
		groups.rss_released -= rss < 0 ? rss : 0;
	}
	if (groups.len)
		qsort(groups.items, groups.len, sizeof(*groups.items), compare);
	*ret = groups;
	return 0;
}

void groups_free(struct groups *groups)
{
	for (size_t i = 0; i < groups->len; i++) {
		free(groups->items[i].frame);
		free(groups->items[i].types);
		touched_free(&groups->items[i].touched);
	}
	free(groups->items);
	*groups = (struct groups){ 0 };
}
