// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/image.h"

#include <string.h>

#include "capture/spot.h"
#include "target/proc.h"

static const struct mapping *find_mapping(const struct aspace *as, uint32_t module, uint64_t file_off)
{
	for (size_t i = 0; i < as->maps.len; i++) {
		const struct mapping *map = &as->maps.items[i];

		if (as->modules[i] == module && file_off >= map->file_off &&
		    file_off - map->file_off < map->end - map->start)
			return map;
	}
	return NULL;
}

enum image_state image_check(const struct aspace *as, pid_t pid, uint32_t module, const struct probe_site *site,
			     uint64_t *ret_addr)
{
	const struct mapping *map = find_mapping(as, module, site->file_off);
	uint8_t image[PROBE_CHECK_BYTES];

	*ret_addr = map ? map->start + (site->file_off - map->file_off) : 0;
	if (!map || proc_read_mem(pid, *ret_addr, image, sizeof(image)) != sizeof(image))
		return IMAGE_GONE;
	if (map->writable)
		return IMAGE_WRITABLE;
	if (!spot_matches((struct span){ site->bytes, sizeof(site->bytes) }, (struct span){ image, sizeof(image) }))
		return IMAGE_DIFFERS;
	return memcmp(site->bytes, image, sizeof(image)) == 0 ? IMAGE_AS_FILE : IMAGE_BREAKPOINT;
}
