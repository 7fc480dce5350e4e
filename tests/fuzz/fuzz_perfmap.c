// SPDX-License-Identifier: GPL-2.0-or-later
/* libFuzzer: any bytes as a perf map, in two pieces; what is found must be what a search from the end finds. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "target/perfmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The name of the last line of @text that holds @addr, by another parser; NULL: none. */
static const char *search(const char *text, uint64_t addr)
{
	const char *found = NULL;

	for (const char *line = text, *eol; (eol = strchr(line, '\n')); line = eol + 1) {
		char *end;
		uint64_t start, len;

		errno = 0;
		if (strspn(line, "0123456789abcdefABCDEFxX") == 0)
			continue;
		start = strtoull(line, &end, 16);
		if (end == line || *end != ' ' || strspn(end + 1, "0123456789abcdefABCDEFxX") == 0)
			continue;
		line = end + 1;
		len = strtoull(line, &end, 16);
		if (errno || end == line || *end != ' ' || end + 1 == eol || (end + 2 == eol && end[1] == '\r'))
			continue;
		if (addr >= start && addr - start < len && len <= UINT64_MAX - start)
			found = end + 1;
	}
	return found;
}

static void check_at(struct perfmap *map, const char *text, uint64_t addr)
{
	const char *want = search(text, addr), *got;
	size_t len;

	if (!perfmap__find(map, addr, &got, &len)) {
		if (want)
			abort();
		return;
	}
	if (!want || len == 0 || memcmp(got, want, len) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct perfmap *map;
	size_t half, used;
	char *text;

	if (memchr(data, 0, size) || size > 4096)
		return 0;
	text = malloc(size + 1);
	memcpy(text, data, size);
	text[size] = 0;
	if (perfmap__new(-1, &map))
		abort();
	half = size / 2;
	used = perfmap__feed(map, text, half);
	if (used > half || (used && text[used - 1] != '\n'))
		abort();
	perfmap__find(map, 0, &(const char *){ NULL }, &(size_t){ 0 }); /* makes an index of what there is so far */
	perfmap__feed(map, text + used, size - used);
	for (size_t i = 0; i < size; i++) {
		if (i == 0 || text[i - 1] == '\n' || text[i - 1] == ' ') {
			uint64_t addr = strtoull(text + i, NULL, 16);

			check_at(map, text, addr);
			check_at(map, text, addr - 1);
			check_at(map, text, addr + 1);
		}
	}
	perfmap__free(map);
	free(text);
	return 0;
}
