// SPDX-License-Identifier: GPL-2.0-or-later
#include "target/smaps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* "7f12a000-7f12b000 rw-p 00000000 08:01 1234   /path": the head of a mapping. */
static bool parse_head(const char *line, struct smap *ret)
{
	uint64_t start, end, inode;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*4s %*x %*x:%*x %" SCNu64, &start, &end, &inode) != 3 ||
	    start >= end)
		return false;
	*ret = (struct smap){ .start = start, .end = end, .has_file = inode != 0 };
	return true;
}

/* "Rss:                 12 kB" */
static void parse_field(const char *line, struct smap *map)
{
	const struct {
		const char *name;
		uint64_t *value;
	} fields[] = { { "Rss:", &map->rss_bytes },
		       { "LazyFree:", &map->lazy_free_bytes },
		       { "AnonHugePages:", &map->anon_huge_bytes } };

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const size_t len = strlen(fields[i].name);
		uint64_t kb;

		if (strncmp(line, fields[i].name, len) == 0 && sscanf(line + len, "%" SCNu64, &kb) == 1 &&
		    kb < UINT64_MAX / 1024)
			*fields[i].value = kb * 1024;
	}
}

int smaps_parse(FILE *in, smap_fn *fn, void *ctx)
{
	struct smap map, next;
	bool has_map = false;
	char *line = NULL;
	size_t cap = 0;
	int err;

	errno = 0;
	while (getline(&line, &cap, in) > 0) {
		if (!parse_head(line, &next)) {
			if (has_map)
				parse_field(line, &map);
			continue;
		}
		if (has_map)
			fn(ctx, &map);
		map = next;
		has_map = true;
	}
	err = ferror(in) ? errno : 0;
	if (has_map && !err)
		fn(ctx, &map);
	free(line);
	return -err;
}

int smaps_each(pid_t pid, smap_fn *fn, void *ctx)
{
	char path[32];
	FILE *in;
	int err;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	in = fopen(path, "re");
	if (!in)
		return errno == ENOENT ? -ESRCH : -errno;
	err = smaps_parse(in, fn, ctx);
	fclose(in);
	return err;
}
