// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Perf maps.
 *
 * The file is hostile, and it may be long: V8 writes a line for each function it compiles. Everything is bounded:
 * bytes, lines, the length of a name. What is beyond is left out, and said.
 *
 * Look-up: ranges overlap, and the latest wins. Their bounds, sorted, cut the addresses into cells; painting the
 * ranges from the last to the first, each cell takes the first colour it gets. A link from each
 * painted cell to the next unpainted one (path halving) keeps that from being quadratic in what a file may claim.
 */
#include "target/perfmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/vec.h"

#define MAX_FILE_BYTES (256ull << 20)
#define MAX_ENTRIES (1u << 20)
#define MAX_NAMES_BYTES (128u << 20)
#define MAX_NAME_BYTES 1024u /* longer names are cut */
#define CHUNK_BYTES (1u << 20) /* a line that is longer is none */
#define NOBODY UINT32_MAX

struct entry {
	uint64_t start, end;
	uint32_t name, name_len; /* in names */
};

struct perfmap {
	int fd;
	uint64_t read_bytes; /* of the file, up to the end of a line */
	struct entry *entries; /* in the order of the file */
	size_t nentries, entries_cap;
	char *names;
	size_t names_len, names_cap;
	bool is_full, is_indexed;
	uint64_t *bounds; /* cell i is [bounds[i], bounds[i + 1]) */
	uint32_t *owners; /* entry that a cell belongs to, or NOBODY */
	size_t nbounds;
};

int perfmap__new(int fd, struct perfmap **ret)
{
	struct perfmap *map = calloc(1, sizeof(*map));

	if (!map) {
		if (fd >= 0)
			close(fd);
		return -ENOMEM;
	}
	map->fd = fd;
	*ret = map;
	return 0;
}

static void forget_index(struct perfmap *map)
{
	free(map->bounds);
	free(map->owners);
	map->bounds = NULL;
	map->owners = NULL;
	map->nbounds = 0;
	map->is_indexed = false;
}

void perfmap__free(struct perfmap *map)
{
	if (!map)
		return;
	forget_index(map);
	free(map->entries);
	free(map->names);
	if (map->fd >= 0)
		close(map->fd);
	free(map);
}

/* Of @c, or 16. */
static unsigned int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a') + 10;
	return c >= 'A' && c <= 'F' ? (unsigned int)(c - 'A') + 10 : 16;
}

/* Hexadecimal digits at *@s and the blank behind them, with "0x" or without; moves *@s past both. */
static bool eat_hex(const char **s, const char *end, uint64_t *ret)
{
	const char *p = *s;
	uint64_t value = 0;
	int digits = 0;

	if (end - p > 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X'))
		p += 2;
	for (; p < end && *p != ' '; p++, digits++) {
		unsigned int digit = hex_digit(*p);

		if (digit > 15 || value >> 60)
			return false;
		value = value << 4 | digit;
	}
	if (!digits || p == end)
		return false;
	*s = p + 1;
	*ret = value;
	return true;
}

static void add_line(struct perfmap *map, const char *line, const char *end)
{
	struct entry entry = { 0 };
	uint64_t size;
	size_t len;

	if (!eat_hex(&line, end, &entry.start) || !eat_hex(&line, end, &size) || size == 0 ||
	    size > UINT64_MAX - entry.start)
		return;
	if (end > line && end[-1] == '\r')
		end--;
	len = (size_t)(end - line);
	if (len == 0 || memchr(line, 0, len))
		return;
	if (len > MAX_NAME_BYTES)
		len = MAX_NAME_BYTES;
	if (map->nentries >= MAX_ENTRIES || map->names_len + len > MAX_NAMES_BYTES ||
	    vec_reserve((void **)&map->entries, &map->entries_cap, map->nentries + 1, sizeof(entry)) ||
	    vec_reserve((void **)&map->names, &map->names_cap, map->names_len + len, 1)) {
		map->is_full = true;
		return;
	}
	entry.end = entry.start + size;
	entry.name = (uint32_t)map->names_len;
	entry.name_len = (uint32_t)len;
	memcpy(map->names + map->names_len, line, len);
	map->names_len += len;
	map->entries[map->nentries++] = entry;
	map->is_indexed = false;
}

size_t perfmap__feed(struct perfmap *map, const char *text, size_t len)
{
	const char *line = text, *end = text + len, *eol;

	while (line < end && (eol = memchr(line, '\n', (size_t)(end - line)))) {
		add_line(map, line, eol);
		line = eol + 1;
	}
	return (size_t)(line - text);
}

/* The program began anew: an exec, or a file that was cut. */
static void start_over(struct perfmap *map)
{
	forget_index(map);
	map->nentries = map->names_len = 0;
	map->read_bytes = 0;
	map->is_full = false;
}

int perfmap__refresh(struct perfmap *map, bool *ret_full)
{
	struct stat st;
	char *buf = NULL;
	int err = 0;

	if (ret_full)
		*ret_full = map->is_full;
	if (map->fd < 0 || fstat(map->fd, &st))
		return -EBADF;
	if ((uint64_t)st.st_size < map->read_bytes)
		start_over(map);
	if ((uint64_t)st.st_size == map->read_bytes)
		return 0;
	buf = malloc(CHUNK_BYTES);
	if (!buf)
		return -ENOMEM;
	while (!map->is_full) {
		ssize_t n = pread(map->fd, buf, CHUNK_BYTES, (off_t)map->read_bytes);
		size_t used;

		if (n <= 0) {
			err = n ? -errno : 0;
			break;
		}
		used = perfmap__feed(map, buf, (size_t)n);
		if (!used && n < (ssize_t)CHUNK_BYTES)
			break; /* the beginning of a line */
		map->read_bytes += used ? used : (size_t)n;
		map->is_full |= map->read_bytes > MAX_FILE_BYTES;
	}
	free(buf);
	if (ret_full)
		*ret_full = map->is_full;
	return err;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Index of the last bound that is not above @addr, which must not be below the first. */
static size_t last_bound(const struct perfmap *map, uint64_t addr)
{
	size_t lo = 0, hi = map->nbounds;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (map->bounds[mid] <= addr)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

static int collect_bounds(struct perfmap *map)
{
	size_t n = 0, kept = 0;

	map->bounds = malloc(2 * map->nentries * sizeof(*map->bounds));
	if (!map->bounds)
		return -ENOMEM;
	for (size_t i = 0; i < map->nentries; i++) {
		map->bounds[n++] = map->entries[i].start;
		map->bounds[n++] = map->entries[i].end;
	}
	qsort(map->bounds, n, sizeof(*map->bounds), by_value);
	for (size_t i = 0; i < n; i++) {
		if (!kept || map->bounds[kept - 1] != map->bounds[i])
			map->bounds[kept++] = map->bounds[i];
	}
	map->nbounds = kept;
	return 0;
}

/* The first cell from @cell on that @next does not lead over. */
static uint32_t unpainted(uint32_t *next, uint32_t cell)
{
	while (next[cell] != cell) {
		next[cell] = next[next[cell]];
		cell = next[cell];
	}
	return cell;
}

static int make_index(struct perfmap *map)
{
	uint32_t *next;
	int err;

	forget_index(map);
	if (!map->nentries)
		return -ENOENT;
	err = collect_bounds(map);
	if (err)
		return err;
	next = malloc(map->nbounds * sizeof(*next));
	map->owners = malloc(map->nbounds * sizeof(*map->owners));
	if (!next || !map->owners) {
		free(next);
		forget_index(map);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < map->nbounds; i++) {
		next[i] = i;
		map->owners[i] = NOBODY;
	}
	/* The last bound begins no cell: nothing is painted there, so that every walk ends at it. */
	for (size_t i = map->nentries; i-- > 0;) {
		size_t end = last_bound(map, map->entries[i].end);
		uint32_t cell = unpainted(next, (uint32_t)last_bound(map, map->entries[i].start));

		for (; cell < end; cell = unpainted(next, cell)) {
			map->owners[cell] = (uint32_t)i;
			next[cell] = cell + 1;
		}
	}
	free(next);
	map->is_indexed = true;
	return 0;
}

bool perfmap__find(struct perfmap *map, uint64_t addr, const char **ret, size_t *ret_len)
{
	uint32_t owner;

	if (!map->is_indexed && make_index(map))
		return false;
	if (addr < map->bounds[0])
		return false;
	owner = map->owners[last_bound(map, addr)];
	if (owner == NOBODY)
		return false;
	*ret = map->names + map->entries[owner].name;
	*ret_len = map->entries[owner].name_len;
	return true;
}
