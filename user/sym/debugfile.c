// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Separate debug files.
 *
 * A module tells its debug file in two ways: by the build ID that both carry, and by
 * .gnu_debuglink, a file name with a CRC-32 of the whole file. Folders as in gdb
 * ("Separate Debug Files" in its manual): /usr/lib/debug/.build-id/ab/cdef.debug;
 * for a link the module's own folder, .debug/ in it, and the same folder below /usr/lib/debug.
 * Both are tried in the root of the process that has the module (a container may
 * bring its own) and in the host's.
 *
 * A name proves nothing: the process may be another one by now, the folder may be
 * anybody's, the server somebody's. Nothing is taken without an equal build ID or checksum.
 */
#include "sym/sym_backend.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "target/proc.h"

#define DEBUG_DIR "/usr/lib/debug"
#define MAX_CRC_BYTES (8ull << 30)

struct build_id {
	uint8_t bytes[64];
	size_t len;
};

struct debuglink {
	const char *name; /* without a slash; borrowed from the module */
	uint32_t crc;
};

/* What a candidate must match. */
struct wanted {
	const struct build_id *id; /* NULL: no matter */
	const struct debuglink *link; /* NULL: no checksum */
};

/* .gnu_debuglink: name, NUL, padding to 4, CRC-32. */
static bool read_debuglink(struct elf_file *elf, struct debuglink *ret)
{
	struct debuglink link;
	struct span bytes;

	if (!elf_file__section(elf, ".gnu_debuglink", &bytes, NULL) || !span_cstr(bytes, 0, &link.name) ||
	    !span_u32(bytes, (strlen(link.name) + 4) & ~3ull, &link.crc))
		return false;
	if (!link.name[0] || strchr(link.name, '/') || strlen(link.name) > NAME_MAX || strcmp(link.name, "..") == 0)
		return false;
	*ret = link;
	return true;
}

static bool crc_matches(const struct elf_file *elf, uint32_t want)
{
	uint64_t size = elf_file__size(elf), off = 0;
	uLong crc = crc32(0, NULL, 0);
	uint8_t *buf;

	if (size > MAX_CRC_BYTES)
		return false;
	buf = malloc(1u << 20);
	if (!buf)
		return false;
	while (off < size) {
		ssize_t n = pread(elf_file__fd(elf), buf, 1u << 20, (off_t)off);

		if (n <= 0)
			break;
		crc = crc32(crc, buf, (uInt)n);
		off += (uint64_t)n;
	}
	free(buf);
	return off == size && crc == want;
}

static bool id_matches(const struct elf_file *elf, const struct build_id *want)
{
	uint8_t id[64];
	size_t len = elf_file__build_id(elf, id);

	return len == want->len && memcmp(id, want->bytes, len) == 0;
}

static bool try_file(const char *root, const char *path, const struct wanted *wanted, struct elf_file **ret)
{
	struct elf_file *elf;
	uint8_t id[64];
	int fd;

	fd = proc_open_in_root(root, path);
	if (fd < 0 || elf_file__open(fd, path, &elf, NULL))
		return false;
	/* A debug file without a build ID can only be told by its checksum; one with another is another's. */
	if (wanted->id && (elf_file__build_id(elf, id) || !wanted->link) && !id_matches(elf, wanted->id))
		goto no;
	if (wanted->link && !crc_matches(elf, wanted->link->crc))
		goto no;
	*ret = elf;
	return true;
no:
	elf_file__free(elf);
	return false;
}

static bool try_build_id(const char *root, const struct build_id *id, struct elf_file **ret)
{
	const struct wanted wanted = { .id = id };
	char path[256];
	int n;

	if (id->len < 2)
		return false;
	n = snprintf(path, sizeof(path), DEBUG_DIR "/.build-id/%02x/", id->bytes[0]);
	for (size_t i = 1; i < id->len; i++)
		n += snprintf(path + n, sizeof(path) - (size_t)n, "%02x", id->bytes[i]);
	snprintf(path + n, sizeof(path) - (size_t)n, ".debug");
	return try_file(root, path, &wanted, ret);
}

static bool try_debuglink(const char *root, const struct module *mod, const struct wanted *wanted,
			  struct elf_file **ret)
{
	static const char *const shapes[] = { "%.*s/%s", "%.*s/.debug/%s", DEBUG_DIR "%.*s/%s" };
	const char *slash = strrchr(mod->path, '/');

	if (mod->path[0] != '/' || !slash)
		return false;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		char path[PATH_MAX];
		int n = snprintf(path, sizeof(path), shapes[i], (int)(slash - mod->path), mod->path,
				 wanted->link->name);

		if (n > 0 && (size_t)n < sizeof(path) && try_file(root, path, wanted, ret))
			return true;
	}
	return false;
}

/* The roots to look into, most particular first; returns their number. */
static int list_roots(const struct module *mod, const char *debug_root, char process_root[32], const char *ret[2])
{
	int n = 0;

	if (mod->pid) {
		snprintf(process_root, 32, "/proc/%d/root", mod->pid);
		ret[n++] = process_root;
	}
	ret[n++] = debug_root && debug_root[0] ? debug_root : "/";
	return n;
}

int debugfile_find(const struct module *mod, const char *debug_root, struct elf_file **ret)
{
	struct build_id id;
	struct debuglink link;
	struct wanted wanted = { 0 };
	char process_root[32];
	const char *roots[2];
	int nroots;

	id.len = elf_file__build_id(mod->elf, id.bytes);
	if (id.len)
		wanted.id = &id;
	if (read_debuglink(mod->elf, &link))
		wanted.link = &link;
	nroots = list_roots(mod, debug_root, process_root, roots);
	for (int i = 0; i < nroots; i++) {
		if (wanted.id && try_build_id(roots[i], &id, ret))
			return 0;
		if (wanted.link && try_debuglink(roots[i], mod, &wanted, ret))
			return 0;
	}
	return -ENOENT;
}

static int fetch(struct debuginfod *debuginfod, const struct build_id *id, const char *what, struct elf_file **ret)
{
	struct elf_file *elf;
	int fd = debuginfod__fetch(debuginfod, id->bytes, id->len, what);

	if (fd < 0 || elf_file__open(fd, what, &elf, NULL))
		return -ENOENT;
	if (id_matches(elf, id)) {
		*ret = elf;
		return 0;
	}
	elf_file__free(elf);
	return -ENOENT;
}

int debugfile_fetch(const struct module *mod, struct debuginfod *debuginfod, struct elf_file **ret)
{
	struct build_id id;

	id.len = elf_file__build_id(mod->elf, id.bytes);
	return fetch(debuginfod, &id, mod->name, ret);
}

/*
 * .gnu_debugaltlink: name, NUL, build ID of the shared file. Distributions write a
 * name like "../../.dwz/x86_64-linux-gnu/pkg.debug"; only the part from .dwz/ on is taken
 * from it, so that a crafted name cannot point elsewhere.
 */
int debugfile_find_alt(const struct sym_source *src, struct elf_file *debug, struct elf_file **ret)
{
	struct build_id id = { .len = 0 };
	const struct wanted wanted = { .id = &id };
	char process_root[32], path[PATH_MAX];
	const char *name, *dwz, *roots[2];
	struct span bytes, id_bytes;
	int nroots;

	if (!elf_file__section(debug, ".gnu_debugaltlink", &bytes, NULL)) {
		*ret = NULL;
		return 0;
	}
	if (!span_cstr(bytes, 0, &name) || !span_from(bytes, strlen(name) + 1, &id_bytes) || id_bytes.len < 2 ||
	    id_bytes.len > sizeof(id.bytes))
		return -ENOENT;
	memcpy(id.bytes, id_bytes.data, id_bytes.len);
	id.len = id_bytes.len;
	dwz = strstr(name, ".dwz/");
	nroots = list_roots(src->mod, src->debug_root, process_root, roots);
	for (int i = 0; i < nroots; i++) {
		if (try_build_id(roots[i], &id, ret))
			return 0;
		if (!dwz || (size_t)snprintf(path, sizeof(path), DEBUG_DIR "/%s", dwz) >= sizeof(path))
			continue;
		if (try_file(roots[i], path, &wanted, ret))
			return 0;
	}
	return src->debuginfod ? fetch(src->debuginfod, &id, src->mod->name, ret) : -ENOENT;
}
