// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Plans for real files against nm, objdump and readelf, and for made-up ones that
 * must be refused.
 * More toolchains: ALLOCSNOOP_GOROOTS="/path/of/goroot ..."
 */
#include "capture/plan.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"
#include "toolchains.h"

#define LIBC "/lib/x86_64-linux-gnu/libc.so.6"
#define LD_SO "/lib64/ld-linux-x86-64.so.2"

struct warnings {
	unsigned int n;
	char last[1024];
};

static void on_diag(void *ctx, enum diag_level level, const char *msg)
{
	struct warnings *w = ctx;

	if (level != DIAG_WARN)
		return;
	w->n++;
	snprintf(w->last, sizeof(w->last), "%s", msg);
}

struct planned {
	struct modules *mods;
	struct gomods *gomods;
	struct module *mod;
	struct warnings warnings;
	struct plan plan;
	char path[256];
};

static bool plan_file(struct planned *p, const char *path, unsigned int want)
{
	const struct diag diag = { on_diag, &p->warnings };
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*p = (struct planned){ .mods = NULL };
	snprintf(p->path, sizeof(p->path), "%s", path);
	if (!CHECK(fd >= 0) || !CHECK_INT(modules__new(NULL, &p->mods), 0) || !CHECK_INT(gomods__new(p->mods, &p->gomods), 0))
		return false;
	p->mod = modules__get(p->mods, modules__add_file(p->mods, fd, path));
	return CHECK(p->mod) && CHECK_INT(plan__add_module(&p->plan, p->gomods, p->mod, want, &diag), 0);
}

static void planned__free(struct planned *p)
{
	plan__clear(&p->plan);
	CHECK(!p->plan.sites && !p->plan.len);
	gomods__free(p->gomods);
	modules__free(p->mods);
}

static const struct probe_site *find_site(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->len; i++)
		if (strcmp(plan->sites[i].name, name) == 0)
			return &plan->sites[i];
	return NULL;
}

static const struct probe_site *site_at(const struct plan *plan, uint64_t vaddr)
{
	for (size_t i = 0; i < plan->len; i++)
		if (plan->sites[i].vaddr == vaddr)
			return &plan->sites[i];
	return NULL;
}

/* The first line of what @cmd prints, as a hexadecimal number; 0 if none. */
static uint64_t ask(const char *fmt, const char *arg1, const char *arg2)
{
	char cmd[1024], line[512] = "";
	FILE *out;

	snprintf(cmd, sizeof(cmd), fmt, arg1, arg2);
	out = popen(cmd, "r");
	if (!out)
		return 0;
	if (!fgets(line, sizeof(line), out))
		line[0] = 0;
	while (!feof(out) && fgetc(out) != EOF)
		;
	pclose(out);
	return strtoull(line, NULL, 16);
}

/* The site's place and bytes, straight from the file. */
static void check_bytes(const struct planned *p, const struct probe_site *site)
{
	uint8_t bytes[PROBE_CHECK_BYTES];
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr;
	uint64_t off = 0;
	int fd = open(p->path, O_RDONLY | O_CLOEXEC);

	CHECK_INT(pread(fd, &ehdr, sizeof(ehdr), 0), sizeof(ehdr));
	for (int i = 0; i < ehdr.e_phnum; i++) {
		CHECK_INT(pread(fd, &phdr, sizeof(phdr), (off_t)(ehdr.e_phoff + (uint64_t)i * sizeof(phdr))), sizeof(phdr));
		if (phdr.p_type == PT_LOAD && phdr.p_flags & PF_X && site->vaddr - phdr.p_vaddr < phdr.p_filesz)
			off = site->vaddr - phdr.p_vaddr + phdr.p_offset;
	}
	CHECK_INT(site->file_off, off);
	CHECK_INT(pread(fd, bytes, sizeof(bytes), (off_t)off), sizeof(bytes));
	CHECK(memcmp(bytes, site->bytes, sizeof(bytes)) == 0);
	close(fd);
}

#if defined(__x86_64__)

static const struct {
	const char *name;
	enum abi_door door;
} libc_doors[] = {
	{ "malloc", ABI_DOOR_MALLOC },
	{ "calloc", ABI_DOOR_CALLOC },
	{ "realloc", ABI_DOOR_REALLOC },
	{ "reallocarray", ABI_DOOR_REALLOCARRAY },
	{ "posix_memalign", ABI_DOOR_POSIX_MEMALIGN },
	{ "aligned_alloc", ABI_DOOR_MEMALIGN },
	{ "memalign", ABI_DOOR_MEMALIGN },
	{ "valloc", ABI_DOOR_MALLOC },
	{ "pvalloc", ABI_DOOR_MALLOC },
};

TEST(libc)
{
	struct planned p;
	uint64_t endbr;

	if (access(LIBC, R_OK)) {
		SKIP("no " LIBC);
		return;
	}
	if (!plan_file(&p, LIBC, PLAN_GO | PLAN_C))
		return;
	CHECK(p.plan.has_c && !p.plan.has_go);
	CHECK_STR(p.plan.runtime, "");
	CHECK_INT(p.warnings.n, 0);
	for (size_t i = 0; i < sizeof(libc_doors) / sizeof(libc_doors[0]); i++) {
		uint64_t entry = ask("nm -D --defined-only %s | grep -E ' %s(@|$)'", LIBC, libc_doors[i].name);
		const struct probe_site *site = site_at(&p.plan, entry);

		endbr = 0;
		if (!site) {
			endbr = 4;
			site = site_at(&p.plan, entry + endbr);
		}
		if (!CHECK(entry) || !CHECK(site)) {
			fprintf(stderr, "  %s\n", libc_doors[i].name);
			continue;
		}
		CHECK_INT(site->prog, PROBE_C);
		CHECK(site->spot_flags & ABI_SPOT_RA_AT_SP);
		/* Names that share an address share a door. */
		if (strcmp(site->name, libc_doors[i].name) == 0)
			CHECK_INT(site->door, libc_doors[i].door);
		check_bytes(&p, site);
	}
	for (size_t i = 0; i < p.plan.len; i++)
		for (size_t k = 0; k < i; k++)
			CHECK(p.plan.sites[i].file_off != p.plan.sites[k].file_off);
	CHECK(p.plan.len >= 8 && p.plan.len <= sizeof(libc_doors) / sizeof(libc_doors[0]));
	planned__free(&p);
	/* Not asked for. */
	if (plan_file(&p, LIBC, PLAN_GO)) {
		CHECK_INT(p.plan.len, 0);
		planned__free(&p);
	}
}

TEST(the_loader_tells_of_new_mappings)
{
	struct planned p;
	const struct probe_site *site;

	if (access(LD_SO, R_OK)) {
		SKIP("no " LD_SO);
		return;
	}
	if (!plan_file(&p, LD_SO, PLAN_C))
		return;
	site = find_site(&p.plan, "_dl_debug_state");
	if (CHECK(site)) {
		CHECK_INT(site->prog, PROBE_MAPS);
		CHECK_INT(site->vaddr & ~7ULL, ask("nm -D %s | grep -E ' %s(@|$)'", LD_SO, "_dl_debug_state") & ~7ULL);
		check_bytes(&p, site);
	}
	CHECK(!p.plan.has_c); /* a door it is not */
	planned__free(&p);
}

TEST(the_same_module_again)
{
	struct planned p;
	size_t len;

	if (access(LIBC, R_OK) || !plan_file(&p, LIBC, PLAN_C))
		return;
	len = p.plan.len;
	CHECK_INT(plan__add_module(&p.plan, p.gomods, p.mod, PLAN_C, NULL), 0);
	CHECK_INT(p.plan.len, len);
	planned__free(&p);
}

/* Compile @source as assembly into a shared object. */
static bool assemble(const char *dir, const char *source, char path[256])
{
	char cmd[512];
	FILE *cc;

	snprintf(path, 256, "%s/lib.so", dir);
	snprintf(cmd, sizeof(cmd), "cc -shared -nostdlib -x assembler -o %s -", path);
	cc = popen(cmd, "w");
	if (!CHECK(cc))
		return false;
	fputs(source, cc);
	return CHECK_INT(pclose(cc), 0);
}

#define FUNC(name) "\t.globl " name "\n\t.type " name ", @function\n" name ":\n"

TEST(what_must_be_refused)
{
	static const struct {
		const char *source;
		size_t nsites;
		unsigned int nwarnings;
		const char *says;
	} cases[] = {
		{ FUNC("malloc") "\tpush %rbp\n\tmov %rsp,%rbp\n\tpop %rbp\n\tret\n\tnop;nop;nop\n", 1, 0, NULL },
		{ "\t.data\n" FUNC("malloc") "\tpush %rbp\n\t.zero 64\n", 0, 1, "is not code" },
		{ FUNC("malloc") "\tint3\n\tmov %rsp,%rbp\n\tpop %rbp\n\tret\n\tnop;nop;nop\n", 0, 1,
		  "not understood (cc 48 89 e5)" },
		{ FUNC("malloc_x") "\tpush %rbp\n\t.zero 64\n" FUNC("xmalloc") "\tpush %rbp\n\t.zero 64\n", 0, 0, NULL },
		{ "\t.globl malloc\n\t.type malloc, @object\nmalloc:\n\tpush %rbp\n\t.zero 64\n", 0, 0, NULL },
		{ FUNC("malloc") FUNC("valloc") "\tpush %rbp\n\t.zero 64\n", 1, 0, NULL }, /* one address */
		{ "\t.globl malloc\n\t.type malloc, @gnu_indirect_function\nmalloc:\n\tpush %rbp\n\t.zero 64\n", 0, 1,
		  "is decided at run time" },
		{ "\t.globl malloc\n\t.type malloc, @function\n\t.set malloc, 0x7fffffffffff\n", 0, 0, NULL }, /* absolute */
		{ FUNC("malloc") "\tendbr64\n\tpush %r12\n\t.zero 64\n", 1, 0, NULL },
	};
	char dir[] = "/tmp/test_plan.XXXXXX", path[256], cmd[128];
	struct planned p;

	if (!CHECK(mkdtemp(dir)))
		return;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool ok;

		if (!assemble(dir, cases[i].source, path) || !plan_file(&p, path, PLAN_C | PLAN_GO))
			continue;
		ok = CHECK_INT(p.plan.len, cases[i].nsites);
		ok = CHECK_INT(p.plan.has_c, cases[i].nsites > 0) && ok;
		/* .symtab and .dynsym both have it: the warning may come twice. */
		ok = CHECK_INT(p.warnings.n != 0, cases[i].nwarnings != 0) && ok;
		if (cases[i].says && !strstr(p.warnings.last, cases[i].says))
			ok = CHECK_STR(p.warnings.last, cases[i].says);
		if (p.plan.len)
			check_bytes(&p, &p.plan.sites[0]);
		if (!ok)
			fprintf(stderr, "  case %zu: %s", i, cases[i].source);
		planned__free(&p);
	}
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	CHECK_INT(system(cmd), 0);
}

TEST(a_module_without_a_file)
{
	const struct module mod = { .name = "[jit]" };
	struct plan plan = { 0 };
	struct modules *mods;
	struct gomods *gomods;

	if (!CHECK_INT(modules__new(NULL, &mods), 0) || !CHECK_INT(gomods__new(mods, &gomods), 0))
		return;
	CHECK_INT(plan__add_module(&plan, gomods, &mod, PLAN_C | PLAN_GO, NULL), 0);
	CHECK_INT(plan.len, 0);
	plan__clear(&plan);
	gomods__free(gomods);
	modules__free(mods);
}

/*
 * Doors of a Go program by their names, from nm; where the stack check's branch is, from objdump. A
 * size-specialised door is runtime.mallocgc*SC<n> or *TinySize<n>, whatever comes before.
 */
static void compare_doors(const struct planned *p, int minor)
{
	char cmd[512], line[512], name[256];
	unsigned int n = 0;
	uint64_t entry, branch;
	const struct probe_site *site;
	FILE *out;

	snprintf(cmd, sizeof(cmd), "nm %s | grep -E ' runtime\\.mallocgc%s$'", p->path,
		 minor > 26 ? "([A-Za-z]*(SC|TinySize)[0-9]+|SmallNoscan|SmallScanNoHeader|SmallScanHeader|Large)" : minor < 24 ? "" : "(Tiny|SmallNoscan|SmallScanNoHeader|SmallScanHeader|Large)");
	out = popen(cmd, "r");
	if (!CHECK(out))
		return;
	while (fgets(line, sizeof(line), out)) {
		if (sscanf(line, "%lx %*c %255s", &entry, name) != 2)
			continue;
		n++;
		site = find_site(&p->plan, name);
		if (!CHECK(site)) {
			fprintf(stderr, "  %s\n", name);
			continue;
		}
		/* Functions are 16 or 32 bytes apart: what follows begins anew. */
		snprintf(cmd, sizeof(cmd), "objdump -d --start-address=0x%lx --stop-address=0x%lx '%s' | grep -m1 jbe", entry,
			 entry + 64, p->path);
		branch = ask("%s", cmd, NULL);
		CHECK_INT(site->vaddr, branch);
		CHECK_INT(site->prog, PROBE_GO);
		CHECK(site->spot_flags & ABI_SPOT_STACK_CHECK);
		check_bytes(p, site);
	}
	pclose(out);
	CHECK(n >= 1);
	CHECK_INT(p->plan.len, n);
}

static const char go_source[] = "package main\nimport (\"fmt\"; \"os\")\nfunc main() { fmt.Println(os.Args) }\n";

static void compare_program(const char *path, int minor, const char *version)
{
	const struct probe_site *mallocgc;
	struct planned p;
	bool special = minor > 26;

	if (!plan_file(&p, path, PLAN_GO | PLAN_C))
		return;
	CHECK(p.plan.has_go && !p.plan.has_c);
	CHECK_INT(p.warnings.n, 0);
	if (p.warnings.n)
		fprintf(stderr, "  %s\n", p.warnings.last);
	CHECK(strncmp(p.plan.runtime, version, strlen(version)) == 0);
	compare_doors(&p, minor);
	mallocgc = find_site(&p.plan, "runtime.mallocgc");
	if (minor >= 24)
		CHECK(!mallocgc);
	else if (CHECK(mallocgc))
		CHECK_INT(mallocgc->door, ABI_DOOR_GO_MALLOC);
	for (size_t i = 0; i < p.plan.len; i++) {
		CHECK_INT(!!(p.plan.sites[i].spot_flags & ABI_SPOT_GO_STACK_ARGS), minor < 17);
		CHECK(&p.plan.sites[i] == mallocgc || p.plan.sites[i].door >= ABI_DOOR_GO_TINY);
	}
	/* Measured: with 1.27.3 mallocgc serves what is larger than 80 bytes itself. */
	CHECK_INT(p.plan.go.forward_max, special ? 80 : 0);
	CHECK(p.plan.go.g_m && p.plan.go.slot[1] == 8);
	fprintf(stderr, "# %s: %s, %zu doors, forwards up to %u\n", path, p.plan.runtime, p.plan.len, p.plan.go.forward_max);
	planned__free(&p);
}

static void compare_toolchain(const char *goroot)
{
	char dir[] = "/tmp/test_plan.XXXXXX", path[128], cmd[1024], env[256] = "", version[64] = "";
	int minor = 0;
	FILE *f;

	if (goroot)
		snprintf(env, sizeof(env), "GOROOT=%s PATH=%s/bin:$PATH", goroot, goroot);
	snprintf(cmd, sizeof(cmd), "%s go version", env);
	f = popen(cmd, "r");
	if (f && fscanf(f, "go version %63s", version) == 1)
		sscanf(version, "go1.%d", &minor);
	if (f)
		pclose(f);
	if (!CHECK(minor) || !CHECK(mkdtemp(dir)))
		return;
	snprintf(path, sizeof(path), "%s/main.go", dir);
	f = fopen(path, "w");
	if (CHECK(f)) {
		fputs(go_source, f);
		fclose(f);
	}
	for (int pie = 0; pie < 2; pie++) {
		snprintf(path, sizeof(path), "%s/program%d", dir, pie);
		snprintf(cmd, sizeof(cmd),
			 "cd %s && %s GO111MODULE=off GOTOOLCHAIN=local GOFLAGS= GOEXPERIMENT= CGO_ENABLED=0"
			 " GOCACHE=${GOCACHE:-/tmp/allocsnoop-test-gocache} go build -buildmode=%s -o %s main.go",
			 dir, env, pie ? "pie" : "exe", path);
		if (CHECK_INT(system(cmd), 0))
			compare_program(path, minor, version);
	}
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	CHECK_INT(system(cmd), 0);
}

TEST(go_programs)
{
	if (system("command -v go >/dev/null && objdump --version >/dev/null 2>&1")) {
		SKIP("needs go and objdump");
		return;
	}
	compare_toolchain(NULL);
	each_goroot(compare_toolchain);
}

#else
TEST(plan)
{
	SKIP("compares with x86-64 code");
}
#endif

TEST_MAIN()
