// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/gototals.h"

#define SPAN_BYTES 8192 /* of most spans of small objects (runtime/sizeclasses.go) */
#define SPAN_OBJECTS 8 /* at least so many objects are in larger ones, about */
#define TINY_BYTES 16 /* maxTinySize, runtime/sizeclasses.go */
#define MUCH 8 /* times what is not counted yet: the count is good for an eighth then */

void gototals__restart(struct gototals *t, uint32_t image, const struct gostats_allocs *now)
{
	if (t->image != image)
		*t = (struct gototals){ .image = image };
	t->is_known = true;
	t->last = *now;
}

static void add(struct gototals_room *room, double objects, double bytes, double share)
{
	room->due.objects += objects * share;
	room->due.bytes += bytes * share;
	room->next.objects += objects * (1 - share);
	room->next.bytes += bytes * (1 - share);
}

/* Counters of a process that may write what it likes: they only grow. */
static double grown(uint64_t now, uint64_t before)
{
	return now > before ? (double)(now - before) : 0;
}

void gototals__add(struct gototals *t, const struct go_layout *layout, const struct gostats_allocs *now, double share)
{
	struct gototals_room *shared = &t->rooms[ABI_GO_ROOM_SHARED];

	for (uint32_t i = 1; i < layout->nclasses && i < ABI_GO_ROOM_LARGE; i++) {
		double bytes = layout->class_to_size[i], objects = grown(now->small_objects[i], t->last.small_objects[i]);

		add(&t->rooms[i], objects, objects * bytes, share);
		t->rooms[i].late = now->ncaches * (SPAN_BYTES / bytes > SPAN_OBJECTS ? SPAN_BYTES / bytes : SPAN_OBJECTS);
	}
	add(shared, grown(now->tiny_objects, t->last.tiny_objects), 0, share);
	shared->late = (double)now->ncaches * SPAN_BYTES / TINY_BYTES; /* told when a span is full, too */
	add(&t->rooms[ABI_GO_ROOM_LARGE], grown(now->large_objects, t->last.large_objects),
	    grown(now->large_bytes, t->last.large_bytes), share);
	t->last = *now;
}

bool gototals__see(struct gototals *t, uint32_t room, double objects, double bytes)
{
	if (room >= ABI_GO_ROOM__N)
		return false;
	t->rooms[room].seen.objects += objects;
	t->rooms[room].seen.bytes += bytes;
	return true;
}

static double within(double value, double least, double most)
{
	return value > most ? (most > least ? most : least) : value < least ? least : value;
}

static struct event_scale scale_of(const struct gototals_room *room, const struct event_scale *by_time)
{
	const struct gototals_amount *due = &room->due, *seen = &room->seen;
	struct event_scale scale = { 1, 1, 0 };
	double most;

	if (!seen->objects)
		return scale;
	most = (due->objects + room->late) / seen->objects;
	if (due->objects >= seen->objects && due->objects >= MUCH * room->late) {
		scale.objects = due->objects / seen->objects;
		scale.doubt = room->late / due->objects;
	} else { /* a count that lags behind, or of what is due to another burst */
		scale.objects = within(by_time->objects, 1, most);
		scale.doubt = within((most - 1) / 2 / scale.objects, by_time->doubt, 1);
	}
	/* Large objects have sizes of their own; others as many bytes as objects. */
	scale.bytes = room->late > 0 ? scale.objects : seen->bytes > 0 ? within(due->bytes / seen->bytes, 1, due->bytes) : 1;
	return scale;
}

struct event_scale gototals__scale(struct gototals *t, uint32_t index, const struct event_scale *by_time)
{
	struct gototals_room *room = &t->rooms[index];

	if (room->is_credited)
		return room->scale;
	room->is_credited = true;
	room->scale = scale_of(room, by_time);
	room->due.objects -= room->seen.objects * room->scale.objects;
	room->due.bytes -= room->seen.bytes * room->scale.bytes;
	return room->scale;
}

struct event_scale gototals__scale_more(struct gototals *t, uint32_t index)
{
	struct gototals_room *room = &t->rooms[index];
	const struct gototals_amount *due = &room->due, *seen = &room->seen_last;

	if (room->is_credited)
		return room->scale;
	if (!seen->objects || due->objects < 1 || due->objects < MUCH * room->late)
		return (struct event_scale){ 0 };
	room->is_credited = true;
	room->scale = (struct event_scale){ due->objects / seen->objects,
					    seen->bytes > 0 ? within(due->bytes / seen->bytes, 0, due->bytes) : 0,
					    room->late / due->objects };
	room->due = (struct gototals_amount){ 0 };
	return room->scale;
}

void gototals__turn(struct gototals *t)
{
	for (uint32_t i = 0; i < ABI_GO_ROOM__N; i++) {
		struct gototals_room *room = &t->rooms[i];

		room->due.objects += room->next.objects;
		room->due.bytes += room->next.bytes;
		if (room->seen.objects > 0)
			room->seen_last = room->seen;
		room->next = room->seen = (struct gototals_amount){ 0 };
		room->is_credited = false;
	}
}

struct gototals_amount gototals__unseen(const struct gototals *t)
{
	struct gototals_amount sum = { 0 };

	for (uint32_t i = 0; i < ABI_GO_ROOM__N; i++) {
		const struct gototals_amount *due = &t->rooms[i].due;

		if (due->objects <= t->rooms[i].late)
			continue;
		sum.objects += due->objects;
		sum.bytes += due->bytes;
	}
	return sum;
}
