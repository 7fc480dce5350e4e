// SPDX-License-Identifier: GPL-2.0-or-later
/* ELF reader against libelf and nm over real files, and over damaged ones for survival. */
#include "target/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"

static const char *const real_files[] = {
	"/proc/self/exe", "/lib/x86_64-linux-gnu/libc.so.6", "/lib/aarch64-linux-gnu/libc.so.6", "/bin/bash",
	"/usr/bin/prometheus", "/usr/bin/gdb",
};

static struct elf_file *open_path(const char *path)
{
	struct elf_file *elf = NULL;
	struct err err = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && elf_file__open(fd, path, &elf, &err))
		fprintf(stderr, "%s\n", err.msg);
	return elf;
}

static Elf *open_libelf(const char *path, int *fd)
{
	elf_version(EV_CURRENT);
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	return *fd < 0 ? NULL : elf_begin(*fd, ELF_C_READ, NULL);
}

static bool run(const char *fmt, const char *dir)
{
	char cmd[4096];

	snprintf(cmd, sizeof(cmd), fmt, dir, dir, dir, dir);
	return system(cmd) == 0;
}

struct sym_sum {
	uint64_t count, funcs, hash;
};

static uint64_t name_hash(const char *s)
{
	uint64_t h = 14695981039346656037ull;

	while (*s)
		h = (h ^ (uint8_t)*s++) * 1099511628211ull;
	return h;
}

static int sum_sym(void *ctx, const struct elf_sym *sym)
{
	struct sym_sum *sum = ctx;

	sum->count++;
	sum->funcs += sym->is_func;
	sum->hash += name_hash(sym->name) * (sym->vaddr + 1) + sym->size_bytes;
	return 0;
}

static void sum_libelf(Elf *elf, struct sym_sum *sum)
{
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(elf, scn))) {
		GElf_Shdr shdr;
		Elf_Data *data;

		gelf_getshdr(scn, &shdr);
		if (shdr.sh_type != SHT_SYMTAB && shdr.sh_type != SHT_DYNSYM)
			continue;
		data = elf_getdata(scn, NULL);
		for (size_t i = 0; data && i < shdr.sh_size / shdr.sh_entsize; i++) {
			GElf_Sym sym;
			const char *name;
			int type;

			gelf_getsym(data, (int)i, &sym);
			name = elf_strptr(elf, shdr.sh_link, sym.st_name);
			type = GELF_ST_TYPE(sym.st_info);
			if (sym.st_shndx == SHN_UNDEF || sym.st_shndx == SHN_ABS || sym.st_shndx == SHN_COMMON ||
			    type == STT_SECTION || type == STT_FILE || type == STT_TLS || !name || !*name)
				continue;
			sum->count++;
			sum->funcs += type == STT_FUNC || type == STT_GNU_IFUNC;
			sum->hash += name_hash(name) * (sym.st_value + 1) + sym.st_size;
		}
	}
}

TEST(symbols_as_libelf_sees_them)
{
	for (size_t i = 0; i < sizeof(real_files) / sizeof(real_files[0]); i++) {
		struct elf_file *elf = open_path(real_files[i]);
		struct sym_sum ours = { 0 }, theirs = { 0 };
		Elf *lib;
		int fd;

		if (!elf)
			continue;
		lib = open_libelf(real_files[i], &fd);
		elf_file__each_sym(elf, sum_sym, &ours);
		sum_libelf(lib, &theirs);
		CHECK_INT(ours.count, theirs.count);
		CHECK_INT(ours.funcs, theirs.funcs);
		CHECK_INT(ours.hash, theirs.hash);
		elf_end(lib);
		close(fd);
		elf_file__free(elf);
	}
}

TEST(sections_as_libelf_sees_them)
{
	for (size_t i = 0; i < sizeof(real_files) / sizeof(real_files[0]); i++) {
		struct elf_file *elf = open_path(real_files[i]);
		Elf_Scn *scn = NULL;
		size_t names, seen = 0;
		Elf *lib;
		int fd;

		if (!elf)
			continue;
		lib = open_libelf(real_files[i], &fd);
		elf_getshdrstrndx(lib, &names);
		while ((scn = elf_nextscn(lib, scn))) {
			uint64_t vaddr = 0, back = 0;
			struct span bytes;
			GElf_Shdr shdr;
			Elf_Data *data;
			const char *name;

			gelf_getshdr(scn, &shdr);
			name = elf_strptr(lib, names, shdr.sh_name);
			if (shdr.sh_type == SHT_NOBITS || !name || (shdr.sh_flags & SHF_COMPRESSED))
				continue;
			if (!CHECK(elf_file__section(elf, name, &bytes, &vaddr)))
				continue;
			data = elf_rawdata(scn, NULL);
			CHECK_INT(vaddr, shdr.sh_addr);
			if (CHECK_INT(bytes.len, data->d_size) && bytes.len)
				CHECK(memcmp(bytes.data, data->d_buf, bytes.len) == 0);
			if ((shdr.sh_flags & SHF_ALLOC) && shdr.sh_size) {
				CHECK(elf_file__vaddr_to_off(elf, vaddr, &back));
				CHECK_INT(back, shdr.sh_offset);
				CHECK(elf_file__off_to_vaddr(elf, shdr.sh_offset, &back));
				CHECK_INT(back, vaddr);
				if (shdr.sh_flags & SHF_EXECINSTR)
					CHECK(elf_file__is_code(elf, vaddr));
				if (shdr.sh_flags & SHF_WRITE)
					CHECK(!elf_file__is_code(elf, vaddr));
			}
			seen++;
		}
		CHECK(seen > 10);
		elf_end(lib);
		close(fd);
		elf_file__free(elf);
	}
}

TEST(segments_as_libelf_sees_them)
{
	for (size_t i = 0; i < sizeof(real_files) / sizeof(real_files[0]); i++) {
		struct elf_file *elf = open_path(real_files[i]);
		uint32_t nloads = 0;
		struct elf_segment seg;
		size_t count = 0;
		Elf *lib;
		int fd;

		if (!elf)
			continue;
		lib = open_libelf(real_files[i], &fd);
		elf_getphdrnum(lib, &count);
		for (size_t n = 0; n < count; n++) {
			GElf_Phdr phdr;

			gelf_getphdr(lib, (int)n, &phdr);
			if (phdr.p_type != PT_LOAD || !CHECK(elf_file__segment(elf, PT_LOAD, nloads++, &seg)))
				continue;
			CHECK_INT(seg.vaddr, phdr.p_vaddr);
			CHECK_INT(seg.file_bytes, phdr.p_filesz);
			CHECK_INT(seg.flags, phdr.p_flags);
		}
		CHECK(nloads > 0);
		CHECK(!elf_file__segment(elf, PT_LOAD, nloads, &seg));
		CHECK(!elf_file__segment(elf, PT_SHLIB, 0, &seg));
		elf_end(lib);
		close(fd);
		elf_file__free(elf);
	}
}

TEST(build_id_interp_entry_of_ourselves)
{
	struct elf_file *elf = open_path("/proc/self/exe");
	char cmd[512], want[256] = "", got[129] = "", line[512];
	uint8_t id[64];
	size_t len;
	FILE *out;

	if (!CHECK(elf))
		return;
	snprintf(cmd, sizeof(cmd), "readelf -nW /proc/%d/exe | sed -n 's/.*Build ID: //p'", getpid());
	out = popen(cmd, "r");
	if (out && fgets(want, sizeof(want), out))
		want[strcspn(want, "\n")] = 0;
	pclose(out);
	len = elf_file__build_id(elf, id);
	for (size_t i = 0; i < len; i++)
		snprintf(got + 2 * i, 3, "%02x", id[i]);
	CHECK_STR(got, want);
	snprintf(cmd, sizeof(cmd), "readelf -lW /proc/%d/exe | sed -n 's/.*interpreter: \\(.*\\)]/\\1/p'", getpid());
	out = popen(cmd, "r");
	if (out && fgets(line, sizeof(line), out))
		line[strcspn(line, "\n")] = 0;
	pclose(out);
	CHECK_STR(elf_file__interp(elf), line);
	CHECK(elf_file__is_code(elf, elf_file__entry(elf)));
	CHECK(elf_file__is_pie(elf));
	elf_file__free(elf);
}

static const char reloc_program[] =
	"int f0(void){return 0;} int f1(void){return 1;} int f2(void){return 2;}\n"
	"#define T3 f0,f1,f2\n"
	"int (*table[])(void) = { T3,T3,T3,T3,T3,T3,T3,T3,T3,T3,T3,T3,T3,T3,T3,T3,T3,T3,T3,T3,T3,T3,T3,T3,T3,T3 };\n"
	"int main(int c,char**v){(void)v;return table[c]();}\n";

static uint64_t nm_vaddr(const char *file, const char *name)
{
	unsigned long long vaddr = 0;
	char cmd[512];
	FILE *out;

	snprintf(cmd, sizeof(cmd), "nm %s | awk '$3==\"%s\"{print $1}'", file, name);
	out = popen(cmd, "r");
	if (!out || fscanf(out, "%llx", &vaddr) != 1)
		vaddr = 0;
	pclose(out);
	return vaddr;
}

static void check_relocs(const char *file)
{
	struct elf_file *elf = open_path(file);
	uint64_t table, f[3], got;

	if (!CHECK(elf))
		return;
	table = nm_vaddr(file, "table");
	f[0] = nm_vaddr(file, "f0");
	f[1] = nm_vaddr(file, "f1");
	f[2] = nm_vaddr(file, "f2");
	CHECK(table && f[0]);
	for (uint64_t i = 0; i < 78; i++) {
		got = 0;
		CHECK(elf_file__relative_reloc(elf, table + 8 * i, &got));
		CHECK_INT(got, f[i % 3]);
	}
	CHECK(!elf_file__relative_reloc(elf, table + 78 * 8 + 4, &got));
	CHECK(!elf_file__relative_reloc(elf, f[0], &got));
	elf_file__free(elf);
}

TEST(relative_relocations_rela_and_relr)
{
	char dir[] = "/tmp/test_elf.XXXXXX", file[64];
	FILE *src;

	if (!mkdtemp(dir))
		return;
	snprintf(file, sizeof(file), "%s/r.c", dir);
	src = fopen(file, "w");
	fputs(reloc_program, src);
	fclose(src);
	if (run("gcc -fPIE -pie -o %s/rela %s/r.c", dir)) {
		snprintf(file, sizeof(file), "%s/rela", dir);
		check_relocs(file);
	} else {
		SKIP("no gcc");
	}
	if (run("gcc -fPIE -pie -Wl,-z,pack-relative-relocs -o %s/relr %s/r.c 2>/dev/null", dir)) {
		snprintf(file, sizeof(file), "%s/relr", dir);
		check_relocs(file);
	} else {
		SKIP("this linker cannot pack relative relocations");
	}
	run("rm -rf %s", dir);
}

static void check_packed(const char *dir, const char *method)
{
	struct elf_file *zipped, *plain;
	char file[64], cmd[256];
	struct span a, b;

	snprintf(cmd, sizeof(cmd), "objcopy --compress-debug-sections=%s %%s/p %%s/z 2>/dev/null", method);
	if (!run(cmd, dir)) {
		SKIP("this objcopy does not pack with one of the methods");
		return;
	}
	snprintf(file, sizeof(file), "%s/z", dir);
	zipped = open_path(file);
	snprintf(file, sizeof(file), "%s/p", dir);
	plain = open_path(file);
	if (CHECK(zipped && plain) && CHECK(elf_file__section(zipped, ".debug_str", &a, NULL)) &&
	    CHECK(elf_file__section(plain, ".debug_str", &b, NULL)) && CHECK_INT(a.len, b.len)) {
		CHECK(a.len > 1000);
		CHECK(memcmp(a.data, b.data, a.len) == 0);
		CHECK(elf_file__size(zipped) + 1000 < elf_file__size(plain));
	}
	elf_file__free(zipped);
	elf_file__free(plain);
}

TEST(compressed_section_reads_as_the_plain_one)
{
	char dir[] = "/tmp/test_elf.XXXXXX", file[64];
	FILE *src;

	if (!mkdtemp(dir))
		return;
	snprintf(file, sizeof(file), "%s/r.c", dir);
	src = fopen(file, "w");
	fprintf(src, "#include <stdio.h>\n#include <stdlib.h>\n%s", reloc_program);
	fclose(src);
	if (run("gcc -g3 -gz=none -o %s/p %s/r.c", dir)) {
		check_packed(dir, "zlib");
		check_packed(dir, "zstd");
	} else {
		SKIP("no gcc");
	}
	run("rm -rf %s", dir);
}

/* A memfd with @len bytes of @image. */
static int image_fd(const uint8_t *image, size_t len)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);

	if (fd < 0 || write(fd, image, len) != (ssize_t)len)
		abort();
	return fd;
}

static uint8_t *read_image(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *image;
	off_t size;

	if (fd < 0)
		return NULL;
	size = lseek(fd, 0, SEEK_END);
	image = malloc((size_t)size);
	if (pread(fd, image, (size_t)size, 0) != size)
		abort();
	close(fd);
	*len = (size_t)size;
	return image;
}

TEST(refuses_what_is_not_for_us)
{
	struct elf_file *elf = (void *)1;
	struct err err = { 0 };
	uint8_t *image;
	size_t len;

	image = read_image("/bin/true", &len);
	if (!CHECK(image))
		return;
	image[EI_CLASS] = ELFCLASS32;
	CHECK_INT(elf_file__open(image_fd(image, 52), "/usr/bin/x", &elf, &err), -ENOEXEC);
	CHECK(strncmp(err.msg, "/usr/bin/x: 32-bit ELF file: allocsnoop probes 64-bit ", 54) == 0);
	CHECK_INT(err.kind, FAIL_TARGET);
	image[EI_CLASS] = ELFCLASS64;
	image[18] = EM_RISCV;
	image[19] = 0;
	CHECK_INT(elf_file__open(image_fd(image, len), "x", &elf, &err), -ENOEXEC);
	CHECK(strstr(err.msg, "RISC-V"));
	CHECK_INT(elf_file__open(image_fd((const uint8_t *)"#!/bin/sh\necho hello\n", 20), "x", &elf, &err), -ENOEXEC);
	CHECK_STR(err.msg, "x: not an ELF file");
	CHECK_INT(elf_file__open(image_fd(image, 0), "x", &elf, &err), -ENOEXEC);
	CHECK_INT(elf_file__open(open("/dev/null", O_RDONLY), "x", &elf, &err), -ENOEXEC);
	CHECK(elf == (void *)1);
	free(image);
}

static int touch_load(void *ctx, struct span bytes, uint64_t vaddr, uint32_t flags)
{
	uint64_t *sum = ctx;

	*sum += bytes.data[0] + bytes.data[bytes.len - 1] + vaddr + flags;
	return 0;
}

/* Ask everything of @elf. */
static void use_all(struct elf_file *elf)
{
	static const char *const names[] = { ".text", ".symtab", ".debug_info", ".eh_frame", ".dynstr", "" };
	struct sym_sum sum = { 0 };
	struct span bytes;
	uint64_t value = 0;
	uint8_t buf[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (elf_file__section(elf, names[i], &bytes, &value) && bytes.len)
			value += bytes.data[bytes.len - 1];
	}
	elf_file__each_load(elf, touch_load, &value);
	elf_file__each_sym(elf, sum_sym, &sum);
	elf_file__relative_reloc(elf, value, &value);
	elf_file__read_vaddr(elf, elf_file__entry(elf), buf, sizeof(buf));
	elf_file__vaddr_to_off(elf, elf_file__entry(elf), &value);
	elf_file__build_id(elf, buf);
	if (elf_file__interp(elf))
		value += strlen(elf_file__interp(elf));
}

/* Bytes worth damaging: the ELF header, the program headers, the section headers, the dynamic section. */
static size_t pick_victim(uint64_t shoff, size_t len)
{
	switch (rand() % 4) {
	case 0:
		return (size_t)rand() % 64;
	case 1:
		return 64 + (size_t)rand() % 700;
	case 2:
		return shoff + (size_t)rand() % (len - shoff);
	default:
		return (size_t)rand() % len;
	}
}

TEST(survives_damage)
{
	static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff, 8, 24, 64 };
	size_t len, opened = 0, refused = 0;
	uint64_t shoff;
	uint8_t *image;

	image = read_image("/bin/true", &len);
	if (!CHECK(image))
		return;
	memcpy(&shoff, image + 40, sizeof(shoff));
	srand(1);
	for (int round = 0; round < 4000; round++) {
		struct elf_file *elf = NULL;
		size_t where[8];
		uint8_t old[8];
		int n = 1 + rand() % 8;
		int fd;

		for (int i = 0; i < n; i++) {
			where[i] = pick_victim(shoff, len);
			old[i] = image[where[i]];
			image[where[i]] = rand() % 2 ? values[rand() % 8] : (uint8_t)rand();
		}
		fd = image_fd(image, rand() % 4 ? len : (size_t)rand() % len);
		if (elf_file__open(fd, "x", &elf, NULL) == 0) {
			opened++;
			use_all(elf);
			elf_file__free(elf);
		} else {
			refused++;
		}
		while (n-- > 0)
			image[where[n]] = old[n];
	}
	CHECK(opened > 100);
	CHECK(refused > 100);
	free(image);
}

TEST(truncated_while_open)
{
	struct elf_file *elf = NULL;
	struct span bytes;
	uint8_t *image, byte;
	size_t len;
	int fd;

	image = read_image("/bin/true", &len);
	if (!CHECK(image))
		return;
	fd = image_fd(image, len);
	if (CHECK_INT(elf_file__open(fd, "x", &elf, NULL), 0)) {
		CHECK_INT(ftruncate(fd, 100), 0);
		CHECK(!elf_file__section(elf, ".text", &bytes, NULL));
		CHECK(elf_file__read_vaddr(elf, elf_file__entry(elf), &byte, 1) <= 0);
		use_all(elf);
	}
	elf_file__free(elf);
	free(image);
}

TEST_MAIN()
