// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/goheap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/vec.h"

#define MAX_OBJECTS (1u << 20)
#define COMPACT_MIN 4096 /* dead entries that are not worth the trouble */
#define SPANS_AT_ONCE 256
#define SPAN_BYTES 128 /* of a runtime.mspan: all that is looked at lies below */

struct object_key {
	uint64_t addr;
	uint32_t slot, zero;
};

_Static_assert(sizeof(struct object_key) == 16, "padding in a key");

struct object {
	uint64_t span; /* 0: sampled by the memory profile, which tells of its end */
	uint64_t stack_id, context_id;
	uint64_t bytes;
	double chance;
	uint32_t tgid;
	uint32_t swept; /* the sweep of its span that was seen last */
	uint32_t gcs; /* that had begun when it was made */
	bool alive, unsure;
};

struct goheap {
	struct event_sink sink;
	struct hmap *index;
	struct object *objects; /* by index */
	size_t cap;
	uint32_t nalive, nmarked; /* nmarked: alive, and known by mark bits */
	uint32_t *gcs; /* by slot: collections that have begun */
	size_t ngcs, cap_gcs;
	uint64_t unsure, table_full;
};

int goheap__new(const struct event_sink *sink, struct goheap **ret)
{
	struct goheap *heap = calloc(1, sizeof(*heap));

	if (!heap)
		return -ENOMEM;
	if (hmap__new(sizeof(struct object_key), &heap->index)) {
		free(heap);
		return -ENOMEM;
	}
	heap->sink = *sink;
	*ret = heap;
	return 0;
}

void goheap__free(struct goheap *heap)
{
	if (!heap)
		return;
	hmap__free(heap->index);
	free(heap->objects);
	free(heap->gcs);
	free(heap);
}

struct event_live goheap_estimate(double objects, uint64_t bytes, double chance)
{
	double weight = 1 / chance, var = objects * weight * (weight - 1), size = (double)bytes;

	return (struct event_live){ objects * weight, objects * weight * size, var, var * size * size };
}

/* Tell that @object came (1) or went (-1). */
static void tell(const struct goheap *heap, const struct object *object, int sign)
{
	struct event_live live = goheap_estimate(sign, object->bytes, object->chance);

	heap->sink.on_live(heap->sink.ctx, object->tgid, EVENT_GO, object->stack_id, object->context_id, &live);
}

static void unfollow(struct goheap *heap, struct object *object)
{
	object->alive = false;
	heap->nalive--;
	heap->nmarked -= object->span != 0;
	heap->unsure -= object->unsure;
}

static void bury(struct goheap *heap, struct object *object)
{
	unfollow(heap, object);
	tell(heap, object, -1);
}

/* Drop the entries of the dead: keys of the index stay for ever, so it is made anew. */
static void compact(struct goheap *heap)
{
	uint32_t len = hmap__len(heap->index), kept = 0;
	struct object *objects;
	struct hmap *index;

	if (len - heap->nalive < COMPACT_MIN || heap->nalive > len / 2)
		return;
	objects = calloc((size_t)heap->nalive + 1, sizeof(*objects));
	if (!objects || hmap__new(sizeof(struct object_key), &index)) {
		free(objects);
		return; /* it is only larger than it need be */
	}
	for (uint32_t i = 0; i < len; i++) {
		if (!heap->objects[i].alive)
			continue;
		if (hmap__add(index, hmap__key(heap->index, i), NULL) == HMAP_NONE)
			break;
		objects[kept++] = heap->objects[i];
	}
	if (kept == heap->nalive) {
		hmap__free(heap->index);
		free(heap->objects);
		heap->index = index;
		heap->objects = objects;
		heap->cap = (size_t)heap->nalive + 1;
	} else {
		hmap__free(index);
		free(objects);
	}
}

/* The collection whose sweep a span has behind it: see the header. */
static uint32_t last_sweep(uint32_t sweepgen)
{
	return sweepgen & 1 ? sweepgen - 3 : sweepgen;
}

static uint32_t gcs_of(const struct goheap *heap, uint32_t slot)
{
	return slot < heap->ngcs ? heap->gcs[slot] : 0;
}

void goheap__gc(struct goheap *heap, uint32_t slot)
{
	if (vec_reserve((void **)&heap->gcs, &heap->cap_gcs, (size_t)slot + 1, sizeof(*heap->gcs)))
		return;
	while (heap->ngcs <= slot)
		heap->gcs[heap->ngcs++] = 0;
	heap->gcs[slot]++;
}

void goheap__add(struct goheap *heap, uint32_t slot, const struct abi_rec_object *rec, double chance)
{
	struct object_key key = { rec->addr, slot, 0 };
	struct object *object;
	uint32_t i;
	bool added;

	compact(heap);
	if (heap->nalive >= MAX_OBJECTS || hmap__len(heap->index) >= MAX_OBJECTS * 3 ||
	    vec_reserve((void **)&heap->objects, &heap->cap, (size_t)hmap__len(heap->index) + 1, sizeof(*heap->objects))) {
		heap->table_full++;
		return;
	}
	i = hmap__add(heap->index, &key, &added);
	if (i == HMAP_NONE) {
		heap->table_full++;
		return;
	}
	object = &heap->objects[i];
	if (!added && object->alive)
		bury(heap, object);
	*object = (struct object){ .span = rec->span, .stack_id = rec->stack_id, .context_id = rec->context_id,
				   .bytes = rec->bytes, .chance = chance, .tgid = rec->rec.tgid,
				   .swept = last_sweep(rec->sweepgen), .gcs = gcs_of(heap, slot), .alive = true };
	heap->nalive++;
	heap->nmarked += object->span != 0;
	tell(heap, object, 1);
}

bool goheap__free_profiled(struct goheap *heap, uint32_t slot, const struct abi_rec_object *rec)
{
	struct object_key key = { rec->addr, slot, 0 };
	uint32_t i = hmap__find(heap->index, &key);

	if (i == HMAP_NONE || !heap->objects[i].alive || heap->objects[i].span)
		return false;
	bury(heap, &heap->objects[i]);
	return true;
}

void goheap__drop(struct goheap *heap, uint32_t slot)
{
	for (uint32_t i = 0; i < hmap__len(heap->index); i++) {
		const struct object_key *key = hmap__key(heap->index, i);

		if (key->slot == slot && heap->objects[i].alive)
			bury(heap, &heap->objects[i]);
	}
}

uint32_t goheap__forget(struct goheap *heap, uint32_t slot)
{
	uint32_t n = heap->nalive;

	for (uint32_t i = 0; i < hmap__len(heap->index); i++) {
		const struct object_key *key = hmap__key(heap->index, i);

		if (key->slot != slot || !heap->objects[i].alive)
			continue;
		unfollow(heap, &heap->objects[i]);
	}
	return n - heap->nalive;
}

/* An object that is to be looked at. */
struct look {
	uint64_t addr, span;
	uint32_t object;
};

static int by_span(const void *a, const void *b)
{
	const struct look *x = a, *y = b;

	if (x->span != y->span)
		return x->span < y->span ? -1 : 1;
	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* A span as it was read. */
struct span_view {
	uint8_t bytes[SPAN_BYTES];
	bool ok;
};

static uint64_t field(const struct span_view *view, uint16_t off, uint16_t width)
{
	uint64_t value = 0;

	if (off <= SPAN_BYTES - 8)
		memcpy(&value, view->bytes + off, width);
	return value;
}

/* Slot number of @addr in the span; -1 when it is no place for an object of @bytes there. */
static int64_t slot_number(const struct go_layout *layout, const struct span_view *view, uint64_t addr, uint64_t bytes)
{
	uint64_t start = field(view, layout->mspan_start_addr, 8), elem_bytes = field(view, layout->mspan_elemsize, 8);

	if (field(view, layout->mspan_state, 1) != layout->mspan_in_use || elem_bytes != bytes || !bytes || addr < start ||
	    (addr - start) % bytes || (addr - start) / bytes >= field(view, layout->mspan_nelems, layout->mspan_nelems_bytes))
		return -1;
	return (int64_t)((addr - start) / bytes);
}

/* The span was swept by @swept, and the object's bit was @bit then. */
static void judge(struct goheap *heap, struct object *object, uint32_t swept, bool bit)
{
	if (!bit) {
		bury(heap, object);
		return;
	}
	if (swept - object->swept > 2 && !object->unsure) {
		object->unsure = true;
		heap->unsure++;
	}
	object->swept = swept;
}

/* Bit and, once more, sweepgen: if that has not moved the bit is of the sweep that the view tells of. */
struct bit_view {
	uint8_t bits;
	uint32_t sweepgen;
	uint32_t object, swept;
	uint8_t mask;
};

static void judge_bits(struct goheap *heap, struct bit_view *views, struct mem_read *reads, size_t n,
		       const struct mem_reader *reader)
{
	if (n)
		reader->read(reader->ctx, reads, n * 2);
	for (size_t i = 0; i < n; i++) {
		if (reads[2 * i].ok && reads[2 * i + 1].ok && last_sweep(views[i].sweepgen) == views[i].swept)
			judge(heap, &heap->objects[views[i].object], views[i].swept, views[i].bits & views[i].mask);
	}
}

/* @looks are at most SPANS_AT_ONCE objects; spans[i] is that of looks[i]. */
static void look_at(struct goheap *heap, const struct look *looks, const struct span_view *spans, size_t n,
		    const struct go_layout *layout, const struct mem_reader *reader)
{
	struct mem_read reads[SPANS_AT_ONCE * 2];
	struct bit_view views[SPANS_AT_ONCE];
	size_t nviews = 0;

	for (size_t i = 0; i < n; i++) {
		struct object *object = &heap->objects[looks[i].object];
		uint32_t swept = last_sweep((uint32_t)field(&spans[i], layout->mspan_sweepgen, 4));
		uint64_t bits = field(&spans[i], layout->mspan_alloc_bits, 8);
		int64_t nr;

		if (!spans[i].ok)
			continue;
		nr = slot_number(layout, &spans[i], looks[i].addr, object->bytes);
		if (nr < 0) {
			bury(heap, object); /* the span was freed */
			continue;
		}
		if ((int32_t)(swept - object->swept) < 2)
			continue;
		views[nviews] = (struct bit_view){ .object = looks[i].object, .swept = swept, .mask = (uint8_t)(1u << (nr & 7)) };
		reads[2 * nviews] = (struct mem_read){ bits + (uint64_t)nr / 8, &views[nviews].bits, 1, false };
		reads[2 * nviews + 1] = (struct mem_read){ looks[i].span + layout->mspan_sweepgen, &views[nviews].sweepgen, 4,
							   false };
		nviews++;
	}
	judge_bits(heap, views, reads, nviews, reader);
}

/* Read the spans of the objects, each once, and look at the objects. */
static void look_at_some(struct goheap *heap, const struct look *looks, size_t n, struct span_view *spans,
			 const struct go_layout *layout, const struct mem_reader *reader)
{
	struct mem_read reads[SPANS_AT_ONCE];
	size_t nreads = 0;

	for (size_t i = 0; i < n; i++)
		if (!i || looks[i].span != looks[i - 1].span)
			reads[nreads++] = (struct mem_read){ looks[i].span, spans[i].bytes, SPAN_BYTES, false };
	reader->read(reader->ctx, reads, nreads);
	nreads = 0;
	for (size_t i = 0; i < n; i++) {
		if (!i || looks[i].span != looks[i - 1].span)
			spans[i].ok = reads[nreads++].ok;
		else
			spans[i] = spans[i - 1];
	}
	look_at(heap, looks, spans, n, layout, reader);
}

void goheap__check(struct goheap *heap, uint32_t slot, const struct go_layout *layout, const struct mem_reader *reader)
{
	struct look *looks = heap->nmarked ? calloc((size_t)heap->nmarked, sizeof(*looks)) : NULL;
	struct span_view *spans = looks ? calloc(SPANS_AT_ONCE, sizeof(*spans)) : NULL;
	size_t n = 0;

	for (uint32_t i = 0; looks && spans && i < hmap__len(heap->index); i++) {
		const struct object_key *key = hmap__key(heap->index, i);

		if (key->slot == slot && heap->objects[i].alive && heap->objects[i].span)
			looks[n++] = (struct look){ key->addr, heap->objects[i].span, i };
	}
	if (n)
		qsort(looks, n, sizeof(*looks), by_span);
	for (size_t at = 0; at < n; at += SPANS_AT_ONCE)
		look_at_some(heap, looks + at, n - at < SPANS_AT_ONCE ? n - at : SPANS_AT_ONCE, spans, layout, reader);
	free(looks);
	free(spans);
}

void goheap__stats(const struct goheap *heap, struct goheap_stats *ret)
{
	*ret = (struct goheap_stats){ heap->nalive, 0, heap->unsure, heap->table_full };
	for (uint32_t i = 0; i < hmap__len(heap->index); i++) {
		const struct object_key *key = hmap__key(heap->index, i);
		const struct object *object = &heap->objects[i];

		if (object->alive && object->gcs == gcs_of(heap, key->slot))
			ret->unjudged_bytes += (double)object->bytes / object->chance;
	}
}
