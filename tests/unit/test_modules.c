// SPDX-License-Identifier: GPL-2.0-or-later
/* Module table over our own mappings, against dl_iterate_phdr() and dlsym(). */
#include "target/modules.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"

static const struct mapping *code_at(const struct mappings *maps, const void *addr)
{
	return mappings__find(maps, (uintptr_t)addr);
}

struct sym_query {
	const char *name;
	uint64_t vaddr;
};

static int match_sym(void *ctx, const struct elf_sym *sym)
{
	struct sym_query *query = ctx;

	if (!sym->is_func || sym->is_ifunc || strcmp(sym->name, query->name) != 0)
		return 0;
	query->vaddr = sym->vaddr;
	return 1;
}

static int check_object(struct dl_phdr_info *info, size_t size, void *ctx)
{
	void **args = ctx;
	struct modules *mods = args[0];
	const struct mappings *maps = args[1];

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *phdr = &info->dlpi_phdr[i];
		const struct mapping *map;
		uint64_t addr = info->dlpi_addr + phdr->p_vaddr;
		struct module *mod;
		uint32_t id;

		if (phdr->p_type != PT_LOAD || !(phdr->p_flags & PF_X))
			continue;
		map = mappings__find(maps, addr);
		id = modules__add(mods, getpid(), map);
		if (!CHECK(id != MODULE_NONE))
			continue;
		CHECK_INT(modules__add(mods, getpid(), map), id);
		mod = modules__get(mods, id);
		CHECK(mod->elf);
		/* The dynamic linker knows the load bias from another source (the auxiliary vector, its own mmaps). */
		CHECK_INT(module__vaddr(mod, map, addr), phdr->p_vaddr);
		CHECK_INT(module__vaddr(mod, map, addr + phdr->p_filesz - 1), phdr->p_vaddr + phdr->p_filesz - 1);
	}
	return 0;
}

TEST(vaddr_of_every_loaded_object)
{
	struct mappings maps = { 0 };
	struct modules *mods = NULL;
	void *args[2];

	CHECK_INT(modules__new(NULL, &mods), 0);
	CHECK_INT(proc_read_maps(getpid(), &maps), 0);
	args[0] = mods;
	args[1] = &maps;
	dl_iterate_phdr(check_object, args);
	CHECK(modules__len(mods) >= 3);
	CHECK(!modules__get(mods, modules__len(mods)));
	CHECK(!modules__get(mods, MODULE_NONE));
	modules__free(mods);
	mappings__free(&maps);
}

TEST(vaddr_of_a_libc_function)
{
	struct sym_query query = { .name = "fopen" };
	struct mappings maps = { 0 };
	struct modules *mods = NULL;
	void *fn = dlsym(RTLD_NEXT, "fopen");
	const struct mapping *map;
	struct module *mod;
	Dl_info info;

	if (!fn || !dladdr(fn, &info) || !strstr(info.dli_fname, "libc.so"))
		return;
	CHECK_INT(modules__new(NULL, &mods), 0);
	CHECK_INT(proc_read_maps(getpid(), &maps), 0);
	map = code_at(&maps, fn);
	mod = modules__get(mods, modules__add(mods, getpid(), map));
	if (CHECK(mod && mod->elf)) {
		CHECK_INT(elf_file__each_sym(mod->elf, match_sym, &query), 1);
		CHECK_INT(module__vaddr(mod, map, (uintptr_t)fn), query.vaddr);
		CHECK_STR(mod->name, "libc.so.6");
		CHECK(mod->build_id[0]);
		CHECK_INT(mod->start, map->start);
		CHECK_INT(mod->pid, getpid());
	}
	modules__free(mods);
	mappings__free(&maps);
}

TEST(vdso_is_an_elf_file)
{
	struct sym_query query = { .name = "__vdso_clock_gettime" };
	uint64_t base = getauxval(AT_SYSINFO_EHDR);
	struct mappings maps = { 0 };
	struct modules *mods = NULL;
	const struct mapping *map;
	struct module *mod;

#ifdef __aarch64__
	query.name = "__kernel_clock_gettime";
#endif
	if (!base) {
		SKIP("no vdso here");
		return;
	}
	CHECK_INT(modules__new(NULL, &mods), 0);
	CHECK_INT(proc_read_maps(getpid(), &maps), 0);
	map = mappings__find(&maps, base);
	mod = modules__get(mods, modules__add(mods, getpid(), map));
	if (CHECK(mod && mod->elf)) {
		CHECK_STR(mod->name, "[vdso]");
		CHECK(mod->build_id[0]);
		CHECK_INT(elf_file__each_sym(mod->elf, match_sym, &query), 1);
		CHECK_INT(module__vaddr(mod, map, base + query.vaddr), query.vaddr);
		/* One for all processes. */
		CHECK_INT(modules__add(mods, 1, map), mod->id);
	}
	modules__free(mods);
	mappings__free(&maps);
}

TEST(generated_code_is_a_module_of_its_process)
{
	struct modules *mods = NULL;
	struct mapping one = { .start = 0x1000, .end = 0x2000, .executable = true, .path = (char *)"" };
	struct mapping two = { .start = 0x3000, .end = 0x4000, .executable = true, .path = (char *)"[anon: jit]" };
	struct mapping sys = { .start = 0x5000, .end = 0x6000, .executable = true, .path = (char *)"[vsyscall]" };
	uint32_t id;

	CHECK_INT(modules__new(NULL, &mods), 0);
	id = modules__add(mods, 17, &one);
	CHECK_STR(modules__get(mods, id)->name, "[jit]");
	CHECK_STR(modules__get(mods, id)->path, "[jit 17]");
	CHECK_INT(modules__add(mods, 17, &two), id);
	CHECK(modules__add(mods, 18, &one) != id);
	CHECK_INT(module__vaddr(modules__get(mods, id), &one, 0x1234), 0x1234);
	id = modules__add(mods, 17, &sys);
	CHECK_INT(modules__add(mods, 18, &sys), id);
	CHECK_STR(modules__get(mods, id)->name, "[vsyscall]");
	modules__free(mods);
}

TEST(file_by_name_and_by_mapping_is_one_module)
{
	struct mappings maps = { 0 };
	struct modules *mods = NULL;
	const struct mapping *map;
	uint32_t id;

	CHECK_INT(modules__new(NULL, &mods), 0);
	CHECK_INT(proc_read_maps(getpid(), &maps), 0);
	map = code_at(&maps, (void *)(uintptr_t)code_at);
	id = modules__add_file(mods, open(map->path, O_RDONLY | O_CLOEXEC), map->path);
	CHECK_INT(modules__get(mods, id)->end, 0);
	CHECK_INT(modules__add(mods, getpid(), map), id);
	CHECK_INT(modules__get(mods, id)->start, map->start);
	CHECK_INT(modules__get(mods, id)->file_off, map->file_off);
	CHECK_INT(modules__add_file(mods, open(map->path, O_RDONLY | O_CLOEXEC), map->path), id);
	CHECK_INT(modules__len(mods), 1);
	modules__free(mods);
	mappings__free(&maps);
}

TEST(file_deleted_and_replaced_after_mapping)
{
	char dir[] = "/tmp/test_modules.XXXXXX", path[64], cmd[256];
	struct mappings maps = { 0 };
	struct modules *mods = NULL;
	const struct mapping *map;
	struct module *old, *new;
	void *a, *b;
	int fd;

	if (!mkdtemp(dir))
		return;
	snprintf(path, sizeof(path), "%s/prog", dir);
	snprintf(cmd, sizeof(cmd), "cp /bin/true %s", path);
	CHECK_INT(system(cmd), 0);
	fd = open(path, O_RDONLY);
	a = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	close(fd);
	unlink(path);
	snprintf(cmd, sizeof(cmd), "cp /bin/false %s", path);
	CHECK_INT(system(cmd), 0);
	fd = open(path, O_RDONLY);
	b = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	close(fd);
	CHECK_INT(modules__new(NULL, &mods), 0);
	CHECK_INT(proc_read_maps(getpid(), &maps), 0);
	map = code_at(&maps, a);
	CHECK(map->deleted);
	old = modules__get(mods, modules__add(mods, getpid(), map));
	new = modules__get(mods, modules__add(mods, getpid(), code_at(&maps, b)));
	CHECK(old != new);
	CHECK_STR(old->path, path);
	CHECK_STR(new->path, path);
	CHECK(old->build_id[0] && strcmp(old->build_id, new->build_id) != 0);
	modules__free(mods);
	mappings__free(&maps);
	munmap(a, 4096);
	munmap(b, 4096);
	unlink(path);
	rmdir(dir);
}

static void note(void *ctx, enum diag_level level, const char *msg)
{
	(void)level;
	snprintf(ctx, 256, "%s", msg);
}

TEST(mapped_file_that_is_no_elf)
{
	char path[] = "/tmp/test_modules.XXXXXX", said[256] = "";
	const struct diag diag = { note, said };
	struct mappings maps = { 0 };
	struct modules *mods = NULL;
	const struct mapping *map;
	struct module *mod;
	void *a;
	int fd;

	fd = mkstemp(path);
	CHECK_INT(write(fd, "just text", 9), 9);
	a = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	close(fd);
	CHECK_INT(modules__new(&diag, &mods), 0);
	CHECK_INT(proc_read_maps(getpid(), &maps), 0);
	map = code_at(&maps, a);
	mod = modules__get(mods, modules__add(mods, getpid(), map));
	CHECK(mod && !mod->elf);
	CHECK(strstr(said, "not an ELF file"));
	CHECK_INT(module__vaddr(mod, map, 0x1234), 0x1234);
	modules__free(mods);
	mappings__free(&maps);
	munmap(a, 4096);
	unlink(path);
}

TEST_MAIN()
