// SPDX-License-Identifier: GPL-2.0-or-later
#include "go/golayout.h"

#include <string.h>

#define GO_PAGE_BYTES 8192

/* Is @name an item of the comma-separated @list? Either may end in blanks, as version strings do. */
static bool list_has(const char *list, const char *name)
{
	size_t len = strlen(name);

	while (list && *list) {
		size_t item = strcspn(list, ", ");

		if (item == len && memcmp(list, name, len) == 0)
			return true;
		list += item;
		list += strspn(list, ", ");
	}
	return false;
}

const struct go_layout *go_layout_for(int minor, const char *experiments, bool *ret_is_guess)
{
	const struct go_layout *best = NULL;
	int newest = go_layouts[go_nlayouts - 1].minor;
	bool is_guess = minor > newest;

	if (is_guess)
		minor = newest;
	for (size_t i = 0; i < go_nlayouts; i++) {
		const struct go_layout *layout = &go_layouts[i];

		if (layout->minor != minor)
			continue;
		if (!layout->experiment[0])
			best = layout;
		else if (list_has(experiments, layout->experiment)) {
			best = layout;
			break;
		}
	}
	if (best && ret_is_guess)
		*ret_is_guess = is_guess;
	return best;
}

uint64_t go_layout__rounded(const struct go_layout *layout, uint64_t size_bytes, bool has_pointers)
{
	uint64_t largest_small = layout->max_small_size - layout->malloc_header_size, header = 0;
	size_t low = 1, high = layout->nclasses - 1;

	if (!size_bytes)
		return 0;
	/* Up to min_size_for_malloc_header the pointer bits stand at the span's end; large objects have their type there. */
	if (has_pointers && layout->malloc_headers && size_bytes > layout->min_size_for_malloc_header)
		header = layout->malloc_header_size;
	if (size_bytes > largest_small)
		return (size_bytes + GO_PAGE_BYTES - 1) / GO_PAGE_BYTES * GO_PAGE_BYTES;
	size_bytes += header;
	while (low < high) {
		size_t mid = (low + high) / 2;

		if (layout->class_to_size[mid] >= size_bytes)
			high = mid;
		else
			low = mid + 1;
	}
	return layout->class_to_size[low];
}
