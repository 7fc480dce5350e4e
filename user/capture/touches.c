// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Vocabulary
 *   touch    pages that became resident, with the stack that made them so.
 *   waiting  touches of known address whose block is to be found, and the stack that had mapped
 *            the address when it was touched, if no block is.
 *   held     touches that a call of the process is in the middle of: the allocation is known when
 *            it returns, which is a record of the same thread with the same number.
 *   gone     blocks that were given back after pages had come while they were there.
 *
 * Time. The table of blocks tells what is live now, not what was live when a page was touched. But a block that is in
 * it and older than the touch was there all the time between; one that is gone
 * tells from when to when it was. So an address that was handed out again is not taken for its
 * former owner's, nor a touch of the former one for the latter's. Blocks do not overlap at one time, so of
 * those that hold the address and were there at that time there is one.
 *
 * A mapping is looked up when the record is read: the ring tells of a mapping before anybody can touch it, and of its
 * end after.
 *
 * Pages. A fault may bring a large folio, of which one byte was touched: of the page with that byte the block at the
 * byte is told, of each other the one at its beginning. What shares a page with others is charged with all of it: the page
 * came for it. Pages of files come with others around; those are of the same mapping.
 */
#include "capture/touches.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

#define WAITING_MAX (1u << 19)
#define WAITING_LOOK (1u << 17) /* half a GiB of growth */
#define GONE_MAX (1u << 18)
#define GONE_LOOK (1u << 17)
#define HELD_MAX 1024 /* calls; those of threads that ended in the middle stay until there are so many */
#define HELD_ROWS 16 /* of a call; what comes in others is not told */
#define FOLIO_MAX_PAGES (1u << 16)

struct waiting {
	uint64_t addr, ns;
	uint64_t stack_id, mapped_by; /* 0: nobody known */
	uint32_t context_id; /* few: kinds of memory */
	uint32_t pages;
};

struct held_row {
	uint64_t stack_id, context_id, pages;
};

struct held {
	uint32_t tid, how; /* enum abi_touch */
	uint64_t at;
	struct held_row rows[HELD_ROWS];
	uint32_t nrows;
};

struct gone {
	uint64_t addr, bytes;
	uint64_t stack_id;
	uint64_t from_ns, to_ns;
};

struct touches {
	struct event_sink sink;
	uint32_t pid;
	struct touches_opts opts;
	struct waiting *waiting; /* between begin() and end() the first nsorted are by address, then by time */
	size_t nwaiting, cap_waiting, nsorted;
	uint64_t low, high; /* of all that wait: their addresses lie in [low, high] */
	uint32_t *next; /* by place among the sorted: itself, or one behind if its block is found */
	struct gone *gone;
	size_t ngone, cap_gone;
	struct held *held;
	size_t nheld, cap_held;
	uint64_t not_kept;
};

int touches__new(const struct event_sink *sink, uint32_t pid, const struct touches_opts *opts, struct touches **ret)
{
	struct touches *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->sink = *sink;
	t->pid = pid;
	t->opts = *opts;
	t->low = UINT64_MAX;
	*ret = t;
	return 0;
}

void touches__free(struct touches *touches)
{
	if (!touches)
		return;
	free(touches->waiting);
	free(touches->next);
	free(touches->gone);
	free(touches->held);
	free(touches);
}

static void tell(const struct touches *t, uint64_t stack_id, uint64_t context_id, enum event_source by, uint64_t by_stack,
		 uint64_t pages)
{
	const struct event_touch touch = { by, by_stack, pages * t->opts.page_bytes };

	if (by_stack && pages)
		t->sink.on_touch(t->sink.ctx, t->pid, stack_id, context_id, &touch);
}

static void tell_waiting(const struct touches *t, const struct waiting *w, enum event_source by, uint64_t by_stack)
{
	tell(t, w->stack_id, w->context_id, by, by_stack, w->pages);
}

/* @w is complete: let it wait for its block, or be told at once if nobody will look for one. */
static void keep(struct touches *t, const struct waiting *w)
{
	bool has_room = t->opts.blocks && t->nwaiting < WAITING_MAX &&
			!vec_reserve((void **)&t->waiting, &t->cap_waiting, t->nwaiting + 1, sizeof(*t->waiting));

	if (!has_room) {
		t->not_kept += t->opts.blocks ? w->pages : 0;
		tell_waiting(t, w, EVENT_MMAP, w->mapped_by);
		return;
	}
	t->waiting[t->nwaiting++] = *w;
	t->low = w->addr < t->low ? w->addr : t->low;
	t->high = w->addr > t->high ? w->addr : t->high;
}

static uint64_t mapped_by(const struct mmaps *mmaps, uint64_t addr)
{
	return mmaps ? mmaps__find(mmaps, addr) : 0;
}

/* Where a block ends that begins at @addr, in an address space that may be told nonsense. */
static uint64_t end_of(uint64_t addr, uint64_t bytes)
{
	return bytes > UINT64_MAX - addr ? UINT64_MAX : addr + bytes;
}

/* Has the fault brought pages around the one that was touched? They lie at a multiple of their size. */
static bool is_folio(const struct abi_rec_touch *rec)
{
	return rec->pages > 1 && rec->pages <= FOLIO_MAX_PAGES && !(rec->pages & (rec->pages - 1));
}

static uint64_t folio_start(const struct touches *t, const struct abi_rec_touch *rec)
{
	return rec->at & ~(rec->pages * t->opts.page_bytes - 1);
}

static void add_addr(struct touches *t, const struct abi_rec_touch *rec, uint64_t context_id, const struct mmaps *mmaps)
{
	const uint64_t page_mask = t->opts.page_bytes - 1, touched = rec->at & ~page_mask;
	struct waiting w = { .addr = rec->at, .ns = rec->ns, .stack_id = rec->stack_id,
			     .context_id = (uint32_t)context_id, .pages = rec->pages };
	uint64_t page;

	if (rec->member != ABI_RSS_ANON) {
		tell(t, rec->stack_id, context_id, EVENT_MMAP, mapped_by(mmaps, rec->at), rec->pages);
		return;
	}
	if (!is_folio(rec)) {
		w.mapped_by = mapped_by(mmaps, w.addr);
		keep(t, &w);
		return;
	}
	page = folio_start(t, rec);
	w.pages = 1;
	for (uint32_t i = 0; i < rec->pages; i++, page += t->opts.page_bytes) {
		w.addr = page == touched ? rec->at : page;
		w.mapped_by = mapped_by(mmaps, w.addr);
		keep(t, &w);
	}
}

void touches__add_known(struct touches *touches, const struct abi_rec_touch *rec, uint64_t context_id, enum event_source by,
			uint64_t by_stack_id)
{
	tell(touches, rec->stack_id, context_id, by, by_stack_id, rec->pages);
}

void touches__add_in_span(struct touches *touches, const struct abi_rec_touch *rec, uint64_t context_id, uint64_t by_stack_id)
{
	uint64_t start = rec->span_start, end = end_of(start, rec->span_bytes), pages = rec->pages;

	if (is_folio(rec)) {
		const uint64_t folio = folio_start(touches, rec), folio_end = folio + pages * touches->opts.page_bytes;

		start = start > folio ? start : folio;
		end = end < folio_end ? end : folio_end;
		pages = end > start ? (end - start) / touches->opts.page_bytes : 0;
	}
	tell(touches, rec->stack_id, context_id, EVENT_GO, by_stack_id, pages);
}

static struct held *find_held(struct touches *t, uint32_t tid)
{
	for (size_t i = 0; i < t->nheld; i++)
		if (t->held[i].tid == tid)
			return &t->held[i];
	return NULL;
}

static void hold(struct touches *t, const struct abi_rec_touch *rec, uint64_t context_id)
{
	struct held *held = find_held(t, rec->tid);
	uint32_t i = 0;

	if (!held && t->nheld == HELD_MAX)
		held = &t->held[0];
	if (!held) {
		if (vec_reserve((void **)&t->held, &t->cap_held, t->nheld + 1, sizeof(*t->held)))
			return;
		held = &t->held[t->nheld++];
		held->nrows = 0;
	}
	/* Of another call: that one did not return. */
	if (held->tid != rec->tid || held->how != rec->how || held->at != rec->at)
		held->nrows = 0;
	held->tid = rec->tid;
	held->how = rec->how;
	held->at = rec->at;
	while (i < held->nrows && (held->rows[i].stack_id != rec->stack_id || held->rows[i].context_id != context_id))
		i++;
	if (i == HELD_ROWS)
		return;
	if (i == held->nrows)
		held->rows[held->nrows++] = (struct held_row){ rec->stack_id, context_id, 0 };
	held->rows[i].pages += rec->pages;
}

void touches__add(struct touches *touches, const struct abi_rec_touch *rec, uint64_t context_id, const struct mmaps *mmaps)
{
	if (rec->how == ABI_TOUCH_ADDR)
		add_addr(touches, rec, context_id, mmaps);
	else
		hold(touches, rec, context_id);
}

/* The thread's call has returned: what it touched was for @by_stack, if it is the call that was meant. */
static void release(struct touches *t, uint32_t tid, enum abi_touch how, uint64_t at, enum event_source by, uint64_t by_stack)
{
	struct held *held = find_held(t, tid);

	if (!held || held->how != (uint32_t)how)
		return;
	if (held->at == at)
		for (uint32_t i = 0; i < held->nrows; i++)
			tell(t, held->rows[i].stack_id, held->rows[i].context_id, by, by_stack, held->rows[i].pages);
	*held = t->held[--t->nheld];
}

void touches__door(struct touches *touches, const struct abi_rec_door *rec)
{
	release(touches, rec->tid, ABI_TOUCH_DOOR, rec->door, EVENT_MALLOC, rec->stack_id);
}

void touches__call(struct touches *touches, const struct abi_rec_mmap *rec, const struct mmaps *mmaps)
{
	uint64_t end = rec->call == ABI_MMAP_BRK ? rec->addr : rec->addr + rec->len;

	/* What is touched in a call that grows something lies at its end, in the part that is new. */
	release(touches, rec->tid, ABI_TOUCH_CALL, abi_touch_call(rec->call, rec->addr, rec->len), EVENT_MMAP,
		mapped_by(mmaps, end - 1));
}

void touches__freed(struct touches *touches, const struct abi_rec_freed *rec)
{
	const struct abi_block *block = &rec->block;

	if (rec->addr > touches->high || end_of(rec->addr, block->bytes) <= touches->low)
		return;
	if (touches->ngone >= GONE_MAX ||
	    vec_reserve((void **)&touches->gone, &touches->cap_gone, touches->ngone + 1, sizeof(*touches->gone)))
		return; /* its pages will find no block */
	touches->gone[touches->ngone++] = (struct gone){ rec->addr, block->bytes, block->stack_id, block->time_ns, rec->ns };
}

bool touches__wants_look(const struct touches *touches)
{
	return touches->nwaiting >= WAITING_LOOK || touches->ngone >= GONE_LOOK;
}

uint64_t touches__not_kept(const struct touches *touches)
{
	return touches->not_kept;
}

static int compare_waiting(const void *a, const void *b)
{
	const struct waiting *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->ns < y->ns ? -1 : x->ns > y->ns;
}

static int compare_gone(const void *a, const void *b)
{
	const struct gone *x = a, *y = b;

	return x->to_ns < y->to_ns ? -1 : x->to_ns > y->to_ns;
}

/* The first at place @i or behind it whose block is not found; nsorted if there is none. */
static uint32_t first_open(const struct touches *t, uint32_t i)
{
	uint32_t open = i, next;

	while (t->next[open] != open)
		open = t->next[open];
	for (; i != open; i = next) {
		next = t->next[i];
		t->next[i] = open;
	}
	return open;
}

static uint32_t lower_bound(const struct touches *t, uint64_t addr)
{
	size_t low = 0, high = t->nsorted;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->waiting[middle].addr < addr)
			low = middle + 1;
		else
			high = middle;
	}
	return (uint32_t)low;
}

/* All touches of a block that was there from @from_ns to @to_ns. */
static void claim(struct touches *t, uint64_t addr, uint64_t bytes, uint64_t stack_id, uint64_t from_ns, uint64_t to_ns)
{
	const uint64_t end = end_of(addr, bytes);

	if (!t->nsorted)
		return;
	for (uint32_t i = first_open(t, lower_bound(t, addr)); i < t->nsorted && t->waiting[i].addr < end;
	     i = first_open(t, i + 1)) {
		const struct waiting *w = &t->waiting[i];

		if (w->ns < from_ns || w->ns > to_ns)
			continue;
		tell_waiting(t, w, EVENT_MALLOC, stack_id);
		t->next[i] = i + 1;
	}
}

static void claim_gone(struct touches *t)
{
	if (!t->ngone)
		return;
	/* The oldest first: what it had no successor walks over. */
	qsort(t->gone, t->ngone, sizeof(*t->gone), compare_gone);
	for (size_t i = 0; i < t->ngone; i++)
		claim(t, t->gone[i].addr, t->gone[i].bytes, t->gone[i].stack_id, t->gone[i].from_ns, t->gone[i].to_ns);
}

void touches__begin(struct touches *touches)
{
	touches->nsorted = 0;
	free(touches->next);
	touches->next = malloc((touches->nwaiting + 1) * sizeof(*touches->next));
	if (!touches->next || !touches->nwaiting)
		return; /* without memory no block is found */
	touches->nsorted = touches->nwaiting;
	qsort(touches->waiting, touches->nsorted, sizeof(*touches->waiting), compare_waiting);
	for (uint32_t i = 0; i <= touches->nsorted; i++)
		touches->next[i] = i;
	claim_gone(touches);
}

void touches__block(struct touches *touches, uint64_t addr, const struct abi_block *block)
{
	claim(touches, addr, block->bytes, block->stack_id, block->time_ns, UINT64_MAX);
}

/* Keep of what waits, and of blocks that are gone, what is not over: from @before_ns on. */
static void forget_before(struct touches *t, uint64_t before_ns)
{
	size_t nwaiting = 0, ngone = 0;

	t->low = UINT64_MAX;
	t->high = 0;
	for (size_t i = 0; i < t->nwaiting; i++) {
		const struct waiting *w = &t->waiting[i];

		if (i < t->nsorted && t->next[i] != i)
			continue;
		if (w->ns < before_ns) {
			tell_waiting(t, w, EVENT_MMAP, w->mapped_by);
			continue;
		}
		t->low = w->addr < t->low ? w->addr : t->low;
		t->high = w->addr > t->high ? w->addr : t->high;
		t->waiting[nwaiting++] = *w;
	}
	for (size_t i = 0; nwaiting && i < t->ngone; i++)
		if (t->gone[i].to_ns >= before_ns)
			t->gone[ngone++] = t->gone[i];
	t->nwaiting = nwaiting;
	t->ngone = ngone;
	t->nsorted = 0;
	free(t->next);
	t->next = NULL;
	if (nwaiting)
		return;
	/* There may be thousands of processes, of which most have ended. */
	free(t->waiting);
	t->waiting = NULL;
	free(t->gone);
	t->gone = NULL;
	t->cap_waiting = t->cap_gone = 0;
}

void touches__end(struct touches *touches, uint64_t before_ns)
{
	claim_gone(touches); /* also of those that were given back while the others were looked at */
	forget_before(touches, before_ns);
}

void touches__drop(struct touches *touches)
{
	touches__begin(touches);
	touches__end(touches, UINT64_MAX);
	touches->nheld = 0;
}
