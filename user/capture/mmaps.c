// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Vocabulary
 *   piece    a range of addresses that belongs to one object. Pieces never overlap.
 *   object   what one call mapped: its stack, its kind, how much of it is left.
 *   before   the object of what was there before the watch began.
 *   tree     pieces by address in a treap: every operation cuts a range out of the tree
 *            (two splits) or puts one in (two merges), in O(log n). The priorities are
 *            seeded: the target chooses addresses, and shall not choose the tree's depth.
 *   limbo    pieces that the kernel has unmapped by a call whose record has not come yet.
 *
 * Order. A record is written when its call returns, which is after the kernel has done
 * it. So two threads' records can change places: one unmaps A, the other gets A from the
 * kernel and its record comes first. The kernel gives no address that is in use (but for
 * MAP_FIXED), so where a new range meets pieces these are gone already, by a call that is
 * still to be told: they go to limbo, and the record that unmaps or moves that range
 * next means them, not the new ones. What nobody asked for within a second
 * (its record was lost) is released. One case is not told apart: a call that unmaps a range with
 * holes in it, while another thread's new mapping falls into such a hole.
 *
 * Not known here: memory attached by shmat(), and lengths rounded to huge pages.
 */
#include "capture/mmaps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#define MAX_PIECES (1u << 20) /* of a process: a hundred times what the kernel lets it have by default */
#define LIMBO_NS 1000000000u

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

enum kind { KIND_UNKNOWN, KIND_ANONYMOUS, KIND_FILE, KIND_STACK, KIND_BRK, KIND__N };

struct object {
	uint64_t stack_id; /* 0: not counted */
	uint64_t bytes; /* that are left */
	enum kind kind;
};

struct piece {
	uint64_t start, end;
	struct object *object;
	struct piece *left, *right;
	uint32_t prio;
};

struct mmaps {
	struct event_sink sink;
	uint32_t pid;
	struct mmaps_opts opts;
	struct piece *mapped, *limbo; /* trees */
	uint64_t limbo_ns; /* when something went there last */
	size_t npieces;
	uint64_t random;
	struct object before;
	uint64_t brk; /* end of the heap; 0: not known yet */
	uint64_t seed_from_ns, seed_to_ns;
	struct mmaps_stats stats;
};

struct range {
	uint64_t start, end;
};

void mmaps_tell_contexts(const struct event_sink *sink)
{
	static const char *const names[KIND__N] = {
		[KIND_ANONYMOUS] = "anonymous",
		[KIND_FILE] = "file",
		[KIND_STACK] = "stack",
		[KIND_BRK] = "brk",
	};

	for (uint64_t kind = KIND_UNKNOWN + 1; kind < KIND__N; kind++) {
		const struct event_context context = { .type_module = UINT32_MAX, .kind = names[kind] };

		sink->on_context(sink->ctx, kind, &context);
	}
}

int mmaps__new(const struct event_sink *sink, uint32_t pid, const struct mmaps_opts *opts, struct mmaps **ret)
{
	struct mmaps *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->sink = *sink;
	m->pid = pid;
	m->opts = *opts;
	if (getrandom(&m->random, sizeof(m->random), GRND_NONBLOCK) != sizeof(m->random))
		m->random = (uintptr_t)m;
	m->random |= 1;
	*ret = m;
	return 0;
}

static uint32_t next_random(struct mmaps *m)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return (uint32_t)(m->random >> 16);
}

/* NULL: counted. */
static struct piece *piece_new(struct mmaps *m, struct range range, struct object *object)
{
	struct piece *p = m->npieces < MAX_PIECES ? calloc(1, sizeof(*p)) : NULL;

	if (!p) {
		m->stats.not_kept++;
		return NULL;
	}
	*p = (struct piece){ .start = range.start, .end = range.end, .object = object, .prio = next_random(m) };
	m->npieces++;
	return p;
}

/* All of @a lies below @b. */
static struct piece *merge(struct piece *a, struct piece *b)
{
	if (!a || !b)
		return a ? a : b;
	if (a->prio > b->prio) {
		a->right = merge(a->right, b);
		return a;
	}
	b->left = merge(a, b->left);
	return b;
}

/* Cut @tree at @addr, and a piece that lies across; without memory for that it stays whole, below. */
static void split(struct mmaps *m, struct piece *tree, uint64_t addr, struct piece **ret_below, struct piece **ret_above)
{
	struct piece *upper, *rest;

	if (!tree) {
		*ret_below = *ret_above = NULL;
		return;
	}
	if (tree->start >= addr) {
		split(m, tree->left, addr, ret_below, &tree->left);
		*ret_above = tree;
		return;
	}
	split(m, tree->right, addr, &tree->right, &rest);
	if (tree->end > addr) {
		upper = piece_new(m, (struct range){ addr, tree->end }, tree->object);
		if (upper) {
			tree->end = addr;
			rest = merge(upper, rest);
		}
	}
	*ret_below = tree;
	*ret_above = rest;
}

/* Take what lies in @range out of *@tree: a tree of its own. */
static struct piece *cut_out(struct mmaps *m, struct piece **tree, struct range range)
{
	struct piece *below, *inside, *above;

	split(m, *tree, range.start, &below, &inside);
	split(m, inside, range.end, &inside, &above);
	*tree = merge(below, above);
	return inside;
}

/* Put @pieces, which lie in @range, where nothing is. */
static void put_in(struct mmaps *m, struct piece **tree, struct range range, struct piece *pieces)
{
	struct piece *below, *above;

	split(m, *tree, range.start, &below, &above);
	*tree = merge(merge(below, pieces), above);
}

static void tell_live(const struct mmaps *m, const struct object *object, double objects, double bytes)
{
	const struct event_live live = { .objects = objects, .bytes = bytes };

	m->sink.on_live(m->sink.ctx, m->pid, EVENT_MMAP, object->stack_id, object->kind, &live);
}

/* @bytes of @object are not mapped any more. */
static void release_bytes(struct mmaps *m, struct object *object, uint64_t bytes)
{
	if (object == &m->before) {
		m->stats.before_bytes += bytes;
		return;
	}
	object->bytes -= bytes;
	if (object->stack_id)
		tell_live(m, object, object->bytes ? 0 : -1, -(double)bytes);
	if (!object->bytes)
		free(object);
}

/* Depth of recursion here and elsewhere: a treap of a million pieces is some 60 deep. */
static void free_pieces(struct mmaps *m, struct piece *pieces, bool is_released)
{
	if (!pieces)
		return;
	free_pieces(m, pieces->left, is_released);
	free_pieces(m, pieces->right, is_released);
	if (is_released) {
		release_bytes(m, pieces->object, pieces->end - pieces->start);
	} else if (pieces->object != &m->before) {
		pieces->object->bytes -= pieces->end - pieces->start;
		if (!pieces->object->bytes)
			free(pieces->object);
	}
	m->npieces--;
	free(pieces);
}

static void release(struct mmaps *m, struct piece *pieces)
{
	free_pieces(m, pieces, true);
}

void mmaps__free(struct mmaps *mmaps)
{
	if (!mmaps)
		return;
	free_pieces(mmaps, mmaps->mapped, false);
	free_pieces(mmaps, mmaps->limbo, false);
	free(mmaps);
}

void mmaps__drop(struct mmaps *mmaps)
{
	const uint64_t before_bytes = mmaps->stats.before_bytes;

	release(mmaps, mmaps->mapped);
	release(mmaps, mmaps->limbo);
	mmaps->mapped = mmaps->limbo = NULL;
	mmaps->brk = 0;
	mmaps->stats.before_bytes = before_bytes; /* an exec is no unmapping that anybody asked for */
}

/* Rounded outward to pages; false if it is none. */
static bool pages(const struct mmaps *m, uint64_t start, uint64_t len, struct range *ret)
{
	const uint64_t mask = m->opts.page_bytes - 1;

	if (!len || start & mask || len > UINT64_MAX - mask || start > UINT64_MAX - ((len + mask) & ~mask))
		return false;
	*ret = (struct range){ start, start + ((len + mask) & ~mask) };
	return true;
}

static uint64_t page_up(const struct mmaps *m, uint64_t addr)
{
	return (addr + m->opts.page_bytes - 1) & ~(m->opts.page_bytes - 1);
}

static struct piece *pop_first(struct piece **tree)
{
	struct piece **link = tree, *first;

	while ((*link)->left)
		link = &(*link)->left;
	first = *link;
	*link = first->right;
	first->right = NULL;
	return first;
}

/* The pieces that a call means which unmaps or moves @range: those in limbo first, of the rest what is mapped. */
static struct piece *withdraw(struct mmaps *m, struct range range)
{
	struct piece *owed = m->limbo ? cut_out(m, &m->limbo, range) : NULL, *all = NULL, *piece;

	while (owed) {
		piece = pop_first(&owed);
		all = merge(all, cut_out(m, &m->mapped, (struct range){ range.start, piece->start }));
		range.start = piece->end < range.end ? piece->end : range.end;
		all = merge(all, piece);
	}
	return merge(all, cut_out(m, &m->mapped, range));
}

/* Make room for what the kernel has mapped in @range: with @replaces by that call, else another has made it. */
static void clear(struct mmaps *m, struct range range, bool replaces, uint64_t ns)
{
	struct piece *there = cut_out(m, &m->mapped, range);

	if (!there)
		return;
	if (ns <= m->seed_to_ns) { /* this very call may be what the seed shows */
		const uint64_t before_bytes = m->stats.before_bytes;

		release(m, there);
		m->stats.before_bytes = before_bytes;
	} else if (replaces) {
		release(m, there);
	} else {
		release(m, cut_out(m, &m->limbo, range)); /* has been there too long */
		put_in(m, &m->limbo, range, there);
		m->limbo_ns = ns;
	}
}

/* Something new in @range, which is clear. */
static void add(struct mmaps *m, struct range range, enum kind kind, uint64_t stack_id, uint64_t asked_bytes)
{
	const uint64_t bytes = range.end - range.start;
	struct event_counts counts = { .objects = 1, .bytes = (int64_t)bytes, .requested_bytes = asked_bytes };
	struct object *object = malloc(sizeof(*object));
	struct piece *piece = object ? piece_new(m, range, object) : NULL;

	if (asked_bytes < m->opts.min_size_bytes || asked_bytes > m->opts.max_size_bytes)
		stack_id = 0;
	if (stack_id)
		m->sink.on_counts(m->sink.ctx, m->pid, EVENT_MMAP, stack_id, kind, &counts);
	if (!piece) {
		m->stats.not_kept += !object;
		free(object);
		return;
	}
	*object = (struct object){ stack_id, bytes, kind };
	put_in(m, &m->mapped, range, piece);
	if (stack_id)
		tell_live(m, object, 1, (double)bytes);
}

static enum kind kind_of(uint64_t mmap_flags)
{
	return !(mmap_flags & MAP_ANONYMOUS) ? KIND_FILE : mmap_flags & MAP_STACK ? KIND_STACK : KIND_ANONYMOUS;
}

static void on_map(struct mmaps *m, const struct abi_rec_mmap *rec)
{
	struct range range;

	if (!pages(m, rec->addr, rec->len, &range))
		return;
	/* MAP_FIXED_NOREPLACE has a bit of its own, and finds its place empty. */
	clear(m, range, rec->flags & MAP_FIXED, rec->ns);
	add(m, range, kind_of(rec->flags), rec->stack_id, rec->len);
}

static void on_unmap(struct mmaps *m, const struct abi_rec_mmap *rec)
{
	struct range range;

	if (pages(m, rec->addr, rec->len, &range))
		release(m, withdraw(m, range));
}

static void shift(struct piece *pieces, uint64_t by)
{
	if (!pieces)
		return;
	shift(pieces->left, by);
	shift(pieces->right, by);
	pieces->start += by;
	pieces->end += by;
}

static const struct object *object_at(const struct mmaps *m, uint64_t addr)
{
	const struct piece *p = m->mapped;

	while (p && (addr < p->start || addr >= p->end))
		p = addr < p->start ? p->left : p->right;
	return p ? p->object : NULL;
}

/* The kind of what is mapped at the end of @range. */
static enum kind kind_at_end(const struct mmaps *m, struct range range)
{
	const struct object *object = object_at(m, range.end - 1);

	return object ? object->kind : KIND_UNKNOWN;
}

uint64_t mmaps__find(const struct mmaps *mmaps, uint64_t addr)
{
	const struct object *object = object_at(mmaps, addr);

	return object ? object->stack_id : 0;
}

/*
 * From @old to @new, of any lengths; what lies behind the shorter is unmapped or new. With DONTUNMAP, and where
 * the old length is 0 (another view of shared memory), the old place stays, and all of the new is new.
 */
static void on_remap(struct mmaps *m, const struct abi_rec_mmap *rec)
{
	bool copies = rec->flags & MREMAP_DONTUNMAP || !rec->old_len;
	struct range old, new, kept, tail;
	struct piece *moved = NULL;
	enum kind kind;

	if (!pages(m, rec->addr, rec->len, &new) ||
	    !pages(m, rec->old_addr, rec->old_len ? rec->old_len : 1, &old))
		return;
	kind = kind_at_end(m, old);
	if (copies) {
		clear(m, new, rec->flags & MREMAP_FIXED, rec->ns);
		add(m, new, kind, rec->stack_id, rec->len);
		return;
	}
	kept = old;
	if (new.end - new.start < old.end - old.start) {
		kept.end = old.start + (new.end - new.start);
		release(m, withdraw(m, (struct range){ kept.end, old.end }));
	}
	tail = (struct range){ new.start + (kept.end - kept.start), new.end };
	if (new.start != old.start) {
		moved = withdraw(m, kept);
		clear(m, new, rec->flags & MREMAP_FIXED, rec->ns);
		shift(moved, new.start - old.start);
		put_in(m, &m->mapped, new, moved);
	} else {
		clear(m, tail, false, rec->ns);
	}
	if (tail.start < tail.end)
		add(m, tail, kind, rec->stack_id, rec->len - rec->old_len);
}

static void on_brk(struct mmaps *m, const struct abi_rec_mmap *rec)
{
	const uint64_t old = page_up(m, m->brk ? m->brk : rec->old_addr), new = page_up(m, rec->addr);
	struct range grown = { old, new }, shrunk = { new, old };

	m->brk = rec->addr;
	if (new > old) {
		clear(m, grown, false, rec->ns);
		add(m, grown, KIND_BRK, rec->stack_id, new - old);
	} else if (new < old) {
		release(m, withdraw(m, shrunk));
	}
}

void mmaps__apply(struct mmaps *mmaps, const struct abi_rec_mmap *rec)
{
	if (rec->ns < mmaps->seed_from_ns)
		return;
	if (mmaps->limbo && rec->ns > mmaps->limbo_ns + LIMBO_NS) {
		release(mmaps, mmaps->limbo);
		mmaps->limbo = NULL;
	}
	switch (rec->call) {
	case ABI_MMAP_MAP:
		on_map(mmaps, rec);
		break;
	case ABI_MMAP_UNMAP:
		on_unmap(mmaps, rec);
		break;
	case ABI_MMAP_REMAP:
		on_remap(mmaps, rec);
		break;
	case ABI_MMAP_BRK:
		on_brk(mmaps, rec);
		break;
	}
}

void mmaps__seed(struct mmaps *mmaps, const struct mappings *maps, uint64_t from_ns, uint64_t to_ns)
{
	mmaps->seed_from_ns = from_ns;
	mmaps->seed_to_ns = to_ns;
	for (size_t i = 0; i < maps->len; i++) {
		const struct mapping *map = &maps->items[i];
		struct range range = { map->start, map->end };
		struct piece *piece;

		if (map->path && strcmp(map->path, "[heap]") == 0)
			mmaps->brk = map->end;
		if (map->start >= map->end)
			continue;
		free_pieces(mmaps, cut_out(mmaps, &mmaps->mapped, range), false); /* the file was not read at one instant */
		piece = piece_new(mmaps, range, &mmaps->before);
		if (piece)
			put_in(mmaps, &mmaps->mapped, range, piece);
	}
}

void mmaps__stats(const struct mmaps *mmaps, struct mmaps_stats *ret)
{
	*ret = mmaps->stats;
}
