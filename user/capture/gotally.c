// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/gotally.h"

#include <stdlib.h>

#include "base/vec.h"

bool gotally__hold(struct gotally *tally, struct gototals *totals, const struct abi_site_key *key,
		   const struct abi_site *site)
{
	struct gotally_rows *held = &tally->held;

	if (!totals->is_known || vec_reserve((void **)&held->rows, &held->cap, held->n + 1, sizeof(*held->rows)) ||
	    !gototals__see(totals, key->detail, (double)site->objects, (double)site->bytes))
		return false;
	held->rows[held->n++] = (struct gotally_row){ totals, *key, *site };
	return true;
}

void gotally__tell(struct gotally *tally, const struct event_scale *by_time, gotally_fn *fn, void *ctx)
{
	const struct gotally_rows told = tally->held;

	for (size_t i = 0; i < told.n; i++) {
		struct gotally_row *row = &told.rows[i];
		const struct event_scale scale = gototals__scale(row->totals, row->key.detail, by_time);

		fn(ctx, &row->key, &row->site, &scale);
		row->site.goroutines = 0; /* they are new once */
	}
	if (!told.n)
		return;
	tally->held = tally->last;
	tally->held.n = 0;
	tally->last = told;
}

void gotally__tell_more(struct gotally *tally, gotally_fn *fn, void *ctx)
{
	for (size_t i = 0; i < tally->last.n; i++) {
		const struct gotally_row *row = &tally->last.rows[i];
		const struct event_scale scale = row->totals->is_known ? gototals__scale_more(row->totals, row->key.detail) :
									 (struct event_scale){ 0 };

		if (scale.objects > 0)
			fn(ctx, &row->key, &row->site, &scale);
	}
}

void gotally__free(struct gotally *tally)
{
	free(tally->held.rows);
	free(tally->last.rows);
}
