// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Module table.
 *
 * Vocabulary: an origin is what a line of /proc/PID/maps tells about where code
 * comes from; a module is what we make of it. Several origins may be one module:
 * overlayfs and btrfs show one (device, inode) in maps and another to fstat(2), and
 * a file that was opened by name before anybody mapped it is only known by the
 * latter. So a file is entered under both, and a mapping with a new origin first
 * asks whether its file is already here by another way.
 *
 * An open file keeps its inode from being given to another file, so (device, inode)
 * stays a name for as long as the table lives, also after the file was deleted.
 * What this cannot tell apart is two btrfs subvolumes, whose maps show the device of the
 * file system and may use an inode number twice; snapshots of one image are the
 * case that happens, and there the contents are the same too.
 *
 * Code without a file: the kernel's own pages ("[vdso]", "[vsyscall]", "[uprobes]")
 * are one module each for all processes; generated code in anonymous memory is one
 * module "[jit PID]" for each process, since its addresses mean something there only. Its names,
 * if any, are in the process's perf map.
 */
#include "target/modules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/hmap.h"
#include "base/vec.h"

#define MAX_VDSO_BYTES (1u << 20)

enum origin_kind {
	ORIGIN_MAPS, /* device and inode as in maps */
	ORIGIN_STAT, /* device and inode as of fstat() */
	ORIGIN_KERNEL, /* inode: index in kernel_names */
	ORIGIN_JIT, /* inode: pid */
	ORIGIN_VMLINUX,
};

/* Key of the index: compared as bytes, no padding. */
struct origin {
	uint64_t inode;
	uint32_t dev_major, dev_minor;
	uint32_t kind, zero;
};

struct modules {
	const struct diag *diag;
	struct module **items;
	size_t cap;
	uint32_t len;
	struct hmap *origins;
	uint32_t *ids; /* module of each origin */
	size_t ids_cap;
};

static const char *const kernel_names[] = { "[vdso]", "[vsyscall]", "[uprobes]", "[vectors]", "[sigpage]" };

int modules__new(const struct diag *diag, struct modules **ret)
{
	struct modules *mods = calloc(1, sizeof(*mods));
	int err;

	if (!mods)
		return -ENOMEM;
	mods->diag = diag;
	err = hmap__new(sizeof(struct origin), &mods->origins);
	if (err) {
		free(mods);
		return err;
	}
	*ret = mods;
	return 0;
}

static void module__free(struct module *mod)
{
	if (!mod)
		return;
	elf_file__free(mod->elf);
	perfmap__free(mod->perfmap);
	free(mod->path);
	free(mod);
}

void modules__free(struct modules *mods)
{
	if (!mods)
		return;
	for (uint32_t i = 0; i < mods->len; i++)
		module__free(mods->items[i]);
	free(mods->items);
	free(mods->ids);
	hmap__free(mods->origins);
	free(mods);
}

struct module *modules__get(const struct modules *mods, uint32_t id)
{
	return id < mods->len ? mods->items[id] : NULL;
}

uint32_t modules__len(const struct modules *mods)
{
	return mods->len;
}

/* Let @origin mean module @id from now on. */
static int remember(struct modules *mods, const struct origin *origin, uint32_t id)
{
	uint32_t index;
	bool added;

	if (vec_reserve((void **)&mods->ids, &mods->ids_cap, (size_t)hmap__len(mods->origins) + 1, sizeof(*mods->ids)))
		return -ENOMEM;
	index = hmap__add(mods->origins, origin, &added);
	if (index == HMAP_NONE)
		return -ENOMEM;
	if (added)
		mods->ids[index] = id;
	return 0;
}

static uint32_t find(const struct modules *mods, const struct origin *origin)
{
	uint32_t index = hmap__find(mods->origins, origin);

	return index == HMAP_NONE ? MODULE_NONE : mods->ids[index];
}

static bool origin_of_fd(int fd, struct origin *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	*ret = (struct origin){
		.inode = st.st_ino,
		.dev_major = major(st.st_dev),
		.dev_minor = minor(st.st_dev),
		.kind = ORIGIN_STAT,
	};
	return true;
}

static struct origin origin_of_mapping(pid_t pid, const struct mapping *map)
{
	if (map->inode)
		return (struct origin){ map->inode, map->dev_major, map->dev_minor, ORIGIN_MAPS, 0 };
	for (size_t i = 0; i < sizeof(kernel_names) / sizeof(kernel_names[0]); i++) {
		if (strcmp(map->path, kernel_names[i]) == 0)
			return (struct origin){ i, 0, 0, ORIGIN_KERNEL, 0 };
	}
	/* "", "[heap]", "[stack]", "[anon:...]": memory that somebody wrote code into. */
	return (struct origin){ (uint64_t)pid, 0, 0, ORIGIN_JIT, 0 };
}

/* A module of @path at the end of the table. */
static struct module *append(struct modules *mods, const char *path)
{
	struct module *mod;
	const char *slash;

	if (vec_reserve((void **)&mods->items, &mods->cap, (size_t)mods->len + 1, sizeof(*mods->items)))
		return NULL;
	mod = calloc(1, sizeof(*mod));
	if (!mod)
		return NULL;
	mod->path = strdup(path);
	if (!mod->path) {
		free(mod);
		return NULL;
	}
	slash = strrchr(mod->path, '/');
	mod->name = slash && slash[1] ? slash + 1 : mod->path;
	mod->id = mods->len;
	mods->items[mods->len++] = mod;
	return mod;
}

/* Give @mod the ELF file behind @fd (taken over); a file that is none of ours leaves it without. */
static void attach_elf(struct modules *mods, struct module *mod, int fd)
{
	uint8_t id[64];
	struct err err = { 0 };
	size_t len;

	if (elf_file__open(fd, mod->path, &mod->elf, &err)) {
		diag_emit(mods->diag, DIAG_DEBUG, "%s", err.msg);
		return;
	}
	len = elf_file__build_id(mod->elf, id);
	for (size_t i = 0; i < len; i++)
		snprintf(mod->build_id + 2 * i, 3, "%02x", id[i]);
}

/*
 * The vdso has no file: copy it out of the process, where the whole ELF image,
 * section headers included, is mapped. fd or -errno.
 */
static int copy_vdso(pid_t pid, const struct mapping *map)
{
	uint64_t len = map->end - map->start;
	uint8_t *image;
	ssize_t n;
	int fd;

	if (len > MAX_VDSO_BYTES)
		return -EFBIG;
	image = malloc(len);
	if (!image)
		return -ENOMEM;
	n = proc_read_mem(pid, map->start, image, len);
	if (n < 0) {
		free(image);
		return (int)n;
	}
	fd = memfd_create("vdso", MFD_CLOEXEC);
	if (fd < 0) {
		fd = -errno;
	} else if (pwrite(fd, image, (size_t)n, 0) != n) {
		close(fd);
		fd = -EIO;
	}
	free(image);
	return fd;
}

static int open_code(pid_t pid, const struct mapping *map, const struct origin *origin)
{
	if (origin->kind == ORIGIN_MAPS)
		return proc_open_mapping(pid, map);
	if (origin->kind == ORIGIN_KERNEL && strcmp(map->path, "[vdso]") == 0)
		return copy_vdso(pid, map);
	return -ENOENT;
}

/* It is opened while the process lives: its names may be asked for after its end. */
struct perfmap *module__perfmap(struct module *mod)
{
	struct proc_info info;
	int fd;

	if (mod->perfmap || mod->elf || mod->kind == MODULE_VIRTUAL || mod->kind == MODULE_KERNEL || !mod->pid)
		return mod->perfmap;
	if (proc_read_info(mod->pid, &info) || info.start_ticks != mod->pid_start_ticks)
		return NULL;
	fd = proc_open_perf_map(mod->pid);
	if (fd >= 0 && perfmap__new(fd, &mod->perfmap))
		mod->perfmap = NULL;
	return mod->perfmap;
}

static void begin_perfmap(struct modules *mods, struct module *mod)
{
	struct proc_info info;

	if (proc_read_info(mod->pid, &info))
		return;
	mod->pid_start_ticks = info.start_ticks;
	if (module__perfmap(mod))
		diag_emit(mods->diag, DIAG_DEBUG, "%s: names from the perf map of process %d", mod->path, mod->pid);
}

/* The module of @map, whose file (if any) is not here yet under another origin; @fd is taken over or negative. */
static uint32_t add_new(struct modules *mods, pid_t pid, const struct mapping *map, const struct origin *origin, int fd)
{
	char jit_path[32];
	struct module *mod;

	snprintf(jit_path, sizeof(jit_path), "[jit %d]", pid);
	mod = append(mods, origin->kind == ORIGIN_JIT ? jit_path : map->path);
	if (!mod) {
		if (fd >= 0)
			close(fd);
		return MODULE_NONE;
	}
	if (origin->kind == ORIGIN_JIT) {
		mod->kind = MODULE_JIT;
		mod->name = "[jit]";
	} else if (origin->kind == ORIGIN_KERNEL) {
		mod->kind = MODULE_VIRTUAL;
	}
	mod->pid = pid;
	mod->dev_major = map->dev_major;
	mod->dev_minor = map->dev_minor;
	mod->inode = map->inode;
	mod->start = map->start;
	mod->end = map->end;
	mod->file_off = map->file_off;
	if (fd >= 0)
		attach_elf(mods, mod, fd);
	if (!mod->elf && mod->kind != MODULE_VIRTUAL)
		begin_perfmap(mods, mod);
	return mod->id;
}

/* A module that was opened by name and is now seen mapped. */
static void note_mapping(struct module *mod, pid_t pid, const struct mapping *map)
{
	if (mod->end)
		return;
	mod->pid = pid;
	mod->dev_major = map->dev_major;
	mod->dev_minor = map->dev_minor;
	mod->inode = map->inode;
	mod->start = map->start;
	mod->end = map->end;
	mod->file_off = map->file_off;
}

uint32_t modules__add(struct modules *mods, pid_t pid, const struct mapping *map)
{
	struct origin origin = origin_of_mapping(pid, map), by_stat;
	uint32_t id = find(mods, &origin);
	bool has_stat;
	int fd;

	if (id != MODULE_NONE)
		return id;
	fd = open_code(pid, map, &origin);
	if (fd < 0 && origin.kind == ORIGIN_MAPS)
		diag_emit(mods->diag, DIAG_DEBUG, "%s: %s", map->path, strerror(-fd));
	has_stat = fd >= 0 && origin.kind == ORIGIN_MAPS && origin_of_fd(fd, &by_stat);
	if (has_stat)
		id = find(mods, &by_stat);
	if (id != MODULE_NONE) {
		close(fd);
		note_mapping(mods->items[id], pid, map);
	} else {
		id = add_new(mods, pid, map, &origin, fd);
		if (id == MODULE_NONE)
			return MODULE_NONE;
		/* Only what is held open keeps its inode number. */
		if (has_stat && mods->items[id]->elf)
			remember(mods, &by_stat, id);
	}
	/* When memory is out here the module is found by fstat() next time, or twice in the table: both are right. */
	remember(mods, &origin, id);
	return id;
}

uint32_t modules__add_file(struct modules *mods, int fd, const char *path)
{
	struct mapping map = { 0 };
	struct origin origin;
	struct module *mod;
	uint32_t id;

	if (!origin_of_fd(fd, &origin)) {
		close(fd);
		return MODULE_NONE;
	}
	id = find(mods, &origin);
	if (id != MODULE_NONE) {
		close(fd);
		return id;
	}
	mod = append(mods, path);
	if (!mod) {
		close(fd);
		return MODULE_NONE;
	}
	mod->dev_major = origin.dev_major;
	mod->dev_minor = origin.dev_minor;
	mod->inode = origin.inode;
	attach_elf(mods, mod, fd);
	if (!mod->elf)
		return mod->id;
	remember(mods, &origin, mod->id);
	if (!proc_mapped_origin(elf_file__fd(mod->elf), &map)) {
		mod->dev_major = map.dev_major;
		mod->dev_minor = map.dev_minor;
		mod->inode = map.inode;
	}
	return mod->id;
}

uint32_t modules__add_kernel(struct modules *mods)
{
	const struct origin origin = { .kind = ORIGIN_VMLINUX };
	uint32_t id = find(mods, &origin);
	struct module *mod;

	if (id != MODULE_NONE)
		return id;
	mod = append(mods, "[kernel]");
	if (!mod)
		return MODULE_NONE;
	mod->kind = MODULE_KERNEL;
	remember(mods, &origin, mod->id);
	return mod->id;
}

uint64_t module__vaddr(const struct module *mod, const struct mapping *map, uint64_t addr)
{
	uint64_t off, vaddr;

	if (!mod->elf)
		return addr;
	off = addr - map->start + map->file_off;
	/* The rest of a segment's last page is mapped too, but belongs to no segment: its offset is all there is to say. */
	return elf_file__off_to_vaddr(mod->elf, off, &vaddr) ? vaddr : off;
}
