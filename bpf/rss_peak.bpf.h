/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The highest RSS of the targets, exact to the ledger's last change, and marks on the way there. */
#ifndef ALLOCSNOOP_RSS_PEAK_BPF_H
#define ALLOCSNOOP_RSS_PEAK_BPF_H

#include "level.bpf.h"

/* By slot, in pages. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ABI_MAX_TARGETS);
	__type(key, __u32);
	__type(value, __s64);
} rss_highs SEC(".maps");

/* By slot, in pages. User space sets it, a program takes it away. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ABI_MAX_TARGETS);
	__type(key, __u32);
	__type(value, __s64);
} rss_marks SEC(".maps");

/* At the beginning of the watch, and after every change of the pages, which is in the ledger by now. */
static __always_inline void rss_note_high(const struct abi_mm *state)
{
	__s64 pages = state->pages[ABI_RSS_FILE] + state->pages[ABI_RSS_ANON] + state->pages[ABI_RSS_SHMEM];
	__s64 *high, *mark;
	__u32 slot = state->slot;

	if (!watch_peak)
		return;
	high = bpf_map_lookup_elem(&rss_highs, &slot);
	if (high)
		level_raise(high, pages);
	mark = bpf_map_lookup_elem(&rss_marks, &slot);
	if (mark)
		level_check_mark(mark, pages);
}

#endif
