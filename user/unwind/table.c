// SPDX-License-Identifier: GPL-2.0-or-later
#include "unwind/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/hmap.h"
#include "base/vec.h"

#define PAGE_BYTES (1ull << ABI_UNWIND_PAGE_SHIFT)
#define MAX_PAGES (1u << 16) /* 4 GiB of code: whatever headers claim, a table takes no more memory than its rows */

void unwind_table__free(struct unwind_table *table)
{
	free(table->page_first);
	free(table->rows);
	free(table->rules);
	*table = (struct unwind_table){ 0 };
}

bool unwind_table__find(const struct unwind_table *table, uint64_t vaddr, struct abi_unwind_rule *ret)
{
	uint64_t page = (vaddr - table->base_vaddr) >> ABI_UNWIND_PAGE_SHIFT;
	uint32_t lo, hi, key = (uint32_t)vaddr << 16 | 0xffff;

	if (vaddr < table->base_vaddr || page >= table->npages)
		return false;
	/* The last row that does not begin behind @vaddr; the first begins with the page. */
	lo = table->page_first[page];
	hi = table->page_first[page + 1];
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (table->rows[mid] <= key)
			lo = mid;
		else
			hi = mid;
	}
	*ret = table->rules[table->rows[lo] & 0xffff];
	return true;
}

/* The salt keeps whoever writes the rules from choosing such as all fall into one place of the hash. */
struct rule_key {
	uint32_t salt;
	struct abi_unwind_rule rule;
};

/* Number of @rule among the table's, added if it is new. */
static uint32_t rule_index(struct unwind_builder *b, const struct abi_unwind_rule *rule)
{
	const struct rule_key key = { b->salt, *rule };
	struct unwind_table *table = b->table;
	uint32_t index;
	bool added;

	if (table->nrules && memcmp(rule, &b->last, sizeof(*rule)) == 0)
		return b->last_index;
	if (table->nrules == ABI_UNWIND_MAX_RULES && hmap__find(b->rules, &key) == HMAP_NONE)
		return ABI_UNWIND_TOO_MANY;
	if (vec_reserve((void **)&table->rules, &b->rules_cap, (size_t)table->nrules + 1, sizeof(*rule)))
		goto err_nomem;
	index = hmap__add(b->rules, &key, &added);
	if (index == HMAP_NONE)
		goto err_nomem;
	if (added)
		table->rules[table->nrules++] = *rule;
	b->last = *rule;
	b->last_index = index;
	return index;

err_nomem:
	b->error = -ENOMEM;
	return ABI_UNWIND_GAP;
}

int unwind_builder__open(struct unwind_builder *b, struct unwind_table *table, uint64_t start, uint64_t end,
			 uint32_t max_rows)
{
	uint64_t npages;

	*table = (struct unwind_table){ .base_vaddr = start & ~(PAGE_BYTES - 1) };
	npages = start < end ? ((end - 1 - table->base_vaddr) >> ABI_UNWIND_PAGE_SHIFT) + 1 : 0;
	table->npages = npages < MAX_PAGES ? (uint32_t)npages : MAX_PAGES;
	*b = (struct unwind_builder){
		.table = table,
		.max_rows = max_rows > table->npages ? max_rows : table->npages,
		.next_vaddr = table->base_vaddr,
		.limit_vaddr = table->base_vaddr + ((uint64_t)table->npages << ABI_UNWIND_PAGE_SHIFT),
	};
	if (getrandom(&b->salt, sizeof(b->salt), GRND_NONBLOCK) != sizeof(b->salt))
		b->salt = (uint32_t)(uintptr_t)b; /* early in the boot; the stack's place is some salt, too */
	table->page_first = calloc((size_t)table->npages + 1, sizeof(*table->page_first));
	if (!table->page_first || hmap__new(sizeof(struct rule_key), &b->rules)) {
		unwind_table__free(table);
		return -ENOMEM;
	}
	for (int cause = 0; cause < ABI_UNWIND__N; cause++) {
		const struct abi_unwind_rule none = unwind_rule_none(cause);

		rule_index(b, &none);
	}
	return 0;
}

/*
 * A row at @vaddr. The bound keeps one row free for each page that follows, so that the
 * pages of a table that became too large still have a row that says so.
 */
static void push_row(struct unwind_builder *b, uint64_t vaddr, uint32_t rule)
{
	struct unwind_table *table = b->table;
	uint64_t page = (vaddr - table->base_vaddr) >> ABI_UNWIND_PAGE_SHIFT;
	bool is_first = !(vaddr & (PAGE_BYTES - 1));

	if (!b->full && (uint64_t)table->nrows + (table->npages - page) >= b->max_rows)
		b->full = true;
	if (b->full)
		rule = ABI_UNWIND_TOO_MANY;
	if (!is_first && rule == b->rule)
		return;
	if (vec_reserve((void **)&table->rows, &b->rows_cap, (size_t)table->nrows + 1, sizeof(*table->rows))) {
		b->error = -ENOMEM;
		return;
	}
	if (is_first)
		table->page_first[page] = table->nrows;
	if (table->rules[rule].cfa == ABI_CFA_NONE)
		table->stats.rows[table->rules[rule].cfa_off]++;
	table->rows[table->nrows++] = ABI_UNWIND_ROW(vaddr, rule);
	b->rule = rule;
}

/* @rule from b->next_vaddr to @end. */
static void extend(struct unwind_builder *b, uint64_t end, uint32_t rule)
{
	while (b->next_vaddr < end && !b->error) {
		uint64_t stop = (b->next_vaddr | (PAGE_BYTES - 1)) + 1;

		push_row(b, b->next_vaddr, rule);
		b->next_vaddr = stop < end ? stop : end;
	}
}

void unwind_builder__add(struct unwind_builder *b, uint64_t start, uint64_t end, const struct abi_unwind_rule *rule)
{
	struct unwind_stats *stats = &b->table->stats;
	uint64_t limit = b->limit_vaddr;
	uint64_t kept_end = end < limit ? end : limit;
	uint32_t index;

	if (start >= end || b->error)
		return;
	b->said_bytes += end - start;
	if (end > limit)
		stats->bytes[ABI_UNWIND_TOO_MANY] += end - (start > limit ? start : limit);
	if (start >= kept_end)
		return;
	index = rule_index(b, rule);
	extend(b, start, ABI_UNWIND_GAP);
	extend(b, kept_end, index);
	if (b->full)
		index = ABI_UNWIND_TOO_MANY;
	if (b->table->rules[index].cfa == ABI_CFA_NONE)
		stats->bytes[b->table->rules[index].cfa_off] += kept_end - start;
	else if (b->table->rules[index].fp == ABI_FP_UNKNOWN)
		stats->fp_lost_bytes += kept_end - start;
}

int unwind_builder__close(struct unwind_builder *b)
{
	struct unwind_table *table = b->table;
	uint32_t *rows;

	extend(b, b->limit_vaddr, ABI_UNWIND_GAP);
	hmap__free(b->rules);
	b->rules = NULL;
	if (b->error) {
		unwind_table__free(table);
		return b->error;
	}
	table->page_first[table->npages] = table->nrows;
	rows = table->nrows ? realloc(table->rows, table->nrows * sizeof(*rows)) : NULL;
	if (rows)
		table->rows = rows;
	return 0;
}
