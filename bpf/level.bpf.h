/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Levels that go up and down: the highest that one ever was, and marks. At a mark a
 * program asks for a sweep, so that what there is then is looked at (--peak).
 */
#ifndef ALLOCSNOOP_LEVEL_BPF_H
#define ALLOCSNOOP_LEVEL_BPF_H

#include "maps.bpf.h"

const volatile bool watch_peak = false; /* set once before load: marks are looked at */

static __always_inline void level_raise(__s64 *highest, __s64 level)
{
	__s64 high = *highest;

	for (int i = 0; i < 4 && level > high; i++) {
		__s64 seen = __sync_val_compare_and_swap(highest, high, level);

		if (seen == high)
			break;
		high = seen;
	}
}

/* One of those that see @mark passed tells user space, which sets the next; 0: there is none. */
static __always_inline void level_check_mark(__s64 *mark, __s64 level)
{
	struct abi_rec rec = { .kind = ABI_REC_SWEEP };
	__s64 at = *mark;

	if (at && level >= at && __sync_val_compare_and_swap(mark, at, 0) == at)
		bpf_ringbuf_output(&ring, &rec, sizeof(rec), BPF_RB_FORCE_WAKEUP);
}

#endif
