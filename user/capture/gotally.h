/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a burst has seen of Go, held back until all of it is there and the runtime's counts can scale it (gototals.h). */
#ifndef ALLOCSNOOP_CAPTURE_GOTALLY_H
#define ALLOCSNOOP_CAPTURE_GOTALLY_H

#include <stddef.h>

#include "capture/gototals.h"

struct gotally_row {
	struct gototals *totals; /* borrowed: its target outlives the sweep */
	struct abi_site_key key;
	struct abi_site site;
};

struct gotally_rows {
	struct gotally_row *rows;
	size_t n, cap;
};

struct gotally {
	struct gotally_rows held, last; /* of the open burst, of the one before */
};

/* false: not held, nobody knows more of it than the clock. */
bool gotally__hold(struct gotally *tally, struct gototals *totals, const struct abi_site_key *key,
		   const struct abi_site *site);
/* Hand on what is held, each with its scale; @by_time: what the clock says. */
typedef void gotally_fn(void *ctx, const struct abi_site_key *key, const struct abi_site *site,
			const struct event_scale *scale);
void gotally__tell(struct gotally *tally, const struct event_scale *by_time, gotally_fn *fn, void *ctx);
/*
 * No burst is open, and a report is made: what has come since the last one is as that was. Hand its rows on again, each with
 * the scale for what is new.
 */
void gotally__tell_more(struct gotally *tally, gotally_fn *fn, void *ctx);
void gotally__free(struct gotally *tally);

#endif
