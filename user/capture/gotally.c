// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/gotally.h"

#include <stdlib.h>

#include "base/vec.h"

bool gotally__hold(struct gotally *tally, struct gototals *totals, const struct abi_site_key *key,
		   const struct abi_site *site)
{
	if (!totals->is_known ||
	    vec_reserve((void **)&tally->rows, &tally->cap_rows, tally->nrows + 1, sizeof(*tally->rows)) ||
	    !gototals__see(totals, key->detail, (double)site->objects, (double)site->bytes))
		return false;
	tally->rows[tally->nrows++] = (struct gotally_row){ totals, *key, *site };
	return true;
}

void gotally__tell(struct gotally *tally, const struct event_scale *by_time, gotally_fn *fn, void *ctx)
{
	for (size_t i = 0; i < tally->nrows; i++) {
		const struct gotally_row *row = &tally->rows[i];
		const struct event_scale scale = gototals__scale(row->totals, row->key.detail, by_time);

		fn(ctx, &row->key, &row->site, &scale);
	}
	tally->nrows = 0;
}

void gotally__free(struct gotally *tally)
{
	free(tally->rows);
}
