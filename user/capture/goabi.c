// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/goabi.h"

#include <string.h>

/* The start of a g is read at once: a field behind it is one that is not known. */
static uint16_t g_field(uint16_t off, uint16_t bytes)
{
	return off != GO_NO_FIELD && off + bytes <= ABI_GO_G_BYTES ? off : 0;
}

static uint8_t class_of(const struct go_layout *layout, uint16_t slot_bytes)
{
	uint8_t class = 0;

	while (class + 1 < layout->nclasses && layout->class_to_size[class] < slot_bytes)
		class++;
	return class;
}

void goabi_from_layout(const struct go_layout *layout, struct abi_go *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->g_m = layout->g_m;
	ret->g_goid = g_field(layout->g_goid, 8);
	ret->g_gopc = g_field(layout->g_gopc, 8);
	ret->g_labels = g_field(layout->g_labels, 8);
	ret->g_secret = g_field(layout->g_secret, 4);
	ret->g_syscallsp = g_field(layout->g_syscallsp, 8);
	ret->g_syscallpc = g_field(layout->g_syscallpc, 8);
	ret->m_g0 = layout->m_g0;
	ret->mspan_alloc_bits = layout->mspan_alloc_bits;
	ret->m_curg = layout->m_curg;
	ret->labels = layout->labels_are_list ? ABI_GO_LABELS_LIST : ABI_GO_LABELS_MAP;
	ret->m_p = layout->m_p;
	ret->p_mcache = layout->p_mcache;
	ret->mcache_tiny = layout->mcache_tiny;
	ret->mcache_tinyoffset = layout->mcache_tinyoffset;
	ret->header_min = layout->malloc_headers ? layout->min_size_for_malloc_header : 0;
	ret->mcache_alloc = layout->mcache_alloc;
	ret->mspan_start_addr = layout->mspan_start_addr;
	ret->mspan_npages = layout->mspan_npages;
	ret->mspan_state = layout->mspan_state;
	ret->mspan_in_use = layout->mspan_in_use;
	ret->arena_spans = layout->heap_arena_spans;
	ret->mspan_elemsize = layout->mspan_elemsize;
	ret->mspan_spanclass = layout->mspan_spanclass;
	ret->mspan_freeindex = layout->mspan_freeindex;
	ret->mspan_sweepgen = layout->mspan_sweepgen;
	ret->freeindex_bytes = layout->mspan_freeindex_bytes;
	ret->special_kind = layout->special_kind;
	ret->special_kind_profile = layout->special_kind_profile;
	ret->specialprofile_b = layout->specialprofile_b;
	ret->profile_malloc_has_mp = layout->minor >= 23;
	/* Without pointers: the header of an object that has some is added where the object is seen. */
	for (uint32_t bytes = 8; bytes <= ABI_GO_CLASS_MAX; bytes += bytes < ABI_GO_SMALL_MAX ? 8 : 128) {
		uint64_t i = abi_go_size_index(bytes);

		ret->slot[i] = go_layout__rounded(layout, bytes, false);
		ret->class[i] = class_of(layout, ret->slot[i]);
	}
}
