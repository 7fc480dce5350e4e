// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: any bytes as the text of /proc/PID/maps.
 * Build with: clang -g -O1 -fsanitize=fuzzer,address,undefined, user/target/proc.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "target/proc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mappings maps;
	uint64_t last = 0;

	if (proc_parse_maps((const char *)data, size, &maps))
		abort();
	for (size_t i = 0; i < maps.len; i++) {
		const struct mapping *map = &maps.items[i];

		/* What callers rely on. */
		if (map->start < last || map->end <= map->start || strlen(map->path) > size ||
		    mappings__find(&maps, map->start) != map || mappings__find(&maps, map->end - 1) != map)
			abort();
		last = map->end;
	}
	mappings__free(&maps);
	return 0;
}
