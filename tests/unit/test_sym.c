// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Symbolizer against other readers of DWARF, over programs that the test builds.
 *
 * Two references, since neither is right everywhere:
 * - llvm-addr2line has a DWARF reader of its own: depth, files and lines must be
 *   equal at every address. Its demangler words names otherwise, so they are not compared.
 * - addr2line (binutils) has libiberty's demangler: names must be equal, but for
 *   what it is known to do:
 *   for the innermost of several inlined frames without a linkage name it prints the
 *   ELF symbol, that is the outermost function; of clones (f.part.0) it prints the symbol
 *   where DWARF says f; functions that a linker folded into one have several names, and
 *   it takes another one; with link-time optimization its file is "<artificial>", and elsewhere
 *   sometimes that of the unit for a line of an included file (so files are left to the
 *   other); and version 2.40 loses inlined frames of clang's DWARF 5 (DW_FORM_rnglistx),
 *   so for that it is not asked.
 */
#include "sym/sym.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hmap.h"
#include "profile/frames.h"
#include "sym/sym_backend.h"
#include "test.h"

#define MAX_ADDRS 6000
#define MAX_REF_FRAMES 64

static char dir[] = "/tmp/test_sym.XXXXXX"; /* the tests' folder */

static bool sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static bool sh(const char *fmt, ...)
{
	char cmd[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	return system(cmd) == 0;
}

static void put_file(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
}

struct bench {
	struct modules *mods;
	struct gomods *gomods;
	struct strtab *strs;
	struct sym *sym;
	char said[8192]; /* by diag */
};

static void note(void *ctx, enum diag_level level, const char *msg)
{
	struct bench *b = ctx;
	size_t len = strlen(b->said);

	(void)level;
	snprintf(b->said + len, sizeof(b->said) - len, "%s\n", msg);
}

static struct diag bench_diag;

static void bench__open(struct bench *b, const char *debug_root)
{
	struct sym_opts opts = { .debug_root = debug_root, .diag = &bench_diag };

	*b = (struct bench){ 0 };
	bench_diag = (struct diag){ note, b };
	modules__new(&bench_diag, &b->mods);
	gomods__new(b->mods, &b->gomods);
	strtab__new(&b->strs);
	CHECK_INT(sym__new(b->mods, b->gomods, b->strs, &opts, &b->sym), 0);
}

static void bench__close(struct bench *b)
{
	sym__free(b->sym);
	gomods__free(b->gomods);
	modules__free(b->mods);
	strtab__free(b->strs);
}

static uint32_t bench__add(struct bench *b, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? MODULE_NONE : modules__add_file(b->mods, fd, path);
}

struct addrs {
	uint64_t items[MAX_ADDRS];
	size_t len, seen;
};

/* A few addresses of each function, so that all of a large file is sampled. */
static int sample_sym(void *ctx, const struct elf_sym *sym)
{
	struct addrs *addrs = ctx;

	if (!sym->is_func || sym->size_bytes == 0)
		return 0;
	for (int i = 0; i < 40; i++) {
		uint64_t addr = sym->vaddr + (uint64_t)rand() % sym->size_bytes;

		addrs->seen++;
		if (addrs->len < MAX_ADDRS)
			addrs->items[addrs->len++] = addr;
		else if ((uint64_t)rand() % addrs->seen < MAX_ADDRS)
			addrs->items[(size_t)rand() % MAX_ADDRS] = addr;
	}
	return 0;
}

struct ref_frame {
	char func[8192];
	char file[1024]; /* last component */
	int line;
};

struct ref {
	uint64_t addr;
	int len;
	struct ref_frame frames[MAX_REF_FRAMES];
};

static void chomp(char *s)
{
	s[strcspn(s, "\n")] = 0;
}

/* Next address of `addr2line -a -i -f -C`: its address, then pairs of lines. @line holds the line read ahead. */
static bool next_ref(FILE *in, char *line, size_t size, struct ref *ref)
{
	if (strncmp(line, "0x", 2) != 0)
		return false;
	ref->addr = strtoull(line, NULL, 16);
	ref->len = 0;
	while (fgets(line, (int)size, in) && strncmp(line, "0x", 2) != 0) {
		struct ref_frame *frame = &ref->frames[ref->len < MAX_REF_FRAMES ? ref->len++ : MAX_REF_FRAMES - 1];
		char *colon, *slash;

		chomp(line);
		snprintf(frame->func, sizeof(frame->func), "%.8000s", line);
		if (!fgets(line, (int)size, in))
			break;
		chomp(line);
		colon = strrchr(line, ':');
		frame->line = colon ? atoi(colon + 1) : 0;
		if (colon)
			*colon = 0;
		slash = strrchr(line, '/');
		snprintf(frame->file, sizeof(frame->file), "%.1000s", slash ? slash + 1 : line);
	}
	return true;
}

/*
 * Is what addr2line printed for frame @i of @n (see the top) the name @ours? @outermost is our last one. "f.part.0",
 * "f(int) [clone .cold]" and "f" are one function, "std::f<int>(int)" has the short name "f<int>".
 */
static bool same_func(const char *ours, const char *theirs, const char *outermost, int i, int n)
{
	char word[256];
	size_t same = 0;

	while (ours[same] && ours[same] == theirs[same])
		same++;
	if ((!ours[same] || ours[same] == '.' || strncmp(ours + same, " [clone", 7) == 0) &&
	    (!theirs[same] || theirs[same] == '.' || strncmp(theirs + same, " [clone", 7) == 0))
		return true;
	if (same >= SYM_MAX_NAME_BYTES - 4)
		return true; /* cut */
	if (i == 0 && n > 1)
		return same_func(outermost, theirs, outermost, 1, 1);
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(theirs, "<("), theirs);
	return strlen(word) > 3 && i == n - 1 && strstr(ours, word);
}

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

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

struct named {
	const char *name;
	uint64_t want; /* 0: any */
	uint64_t vaddr;
};

static int match_name(void *ctx, const struct elf_sym *sym)
{
	struct named *named = ctx;

	if (strcmp(sym->name, named->name) != 0 || (named->want && sym->vaddr != named->want))
		return 0;
	named->vaddr = sym->vaddr;
	return 1;
}

/* Address of a symbol of module @id, of that name and (unless 0) at @want: names have versions. 0 if there is none. */
static uint64_t dynamic_vaddr(struct bench *b, uint32_t id, const char *name, uint64_t want)
{
	struct named named = { .name = name, .want = want };

	elf_file__each_sym(modules__get(b->mods, id)->elf, match_name, &named);
	return named.vaddr;
}

struct score {
	int total, depth, func, file, line, with_file, inlined;
};

static void complain(const struct bench *b, const struct ref *ref, const struct prof_frame *got, int n)
{
	if (!getenv("VERBOSE"))
		return;
	fprintf(stderr, "at %llx addr2line:\n",  (unsigned long long)ref->addr);
	for (int i = 0; i < ref->len; i++)
		fprintf(stderr, "\t%s %s:%d\n", ref->frames[i].func, ref->frames[i].file, ref->frames[i].line);
	fprintf(stderr, "  ours:\n");
	for (int i = 0; i < n; i++)
		fprintf(stderr, "\t%s %s:%u%s\n", strtab__get(b->strs, got[i].func), base(strtab__get(b->strs, got[i].file)),
			got[i].line, got[i].flags & FRAME_INLINED ? " inlined" : "");
}

static void score_one(const struct bench *b, const struct ref *ref, const struct prof_frame *got, int n,
		      struct score *score)
{
	bool func = true, file = true, line = true;

	score->total++;
	score->inlined += n > 1;
	if (n != ref->len) {
		score->depth++;
		complain(b, ref, got, n);
		return;
	}
	for (int i = 0; i < n; i++) {
		const struct ref_frame *want = &ref->frames[i];

		CHECK_INT(!!(got[i].flags & FRAME_INLINED), i < n - 1);
		func &= same_func(strtab__get(b->strs, got[i].func), plumbing_public_name(want->func),
				  strtab__get(b->strs, got[n - 1].func), i, n);
		if (want->file[0] == '?' || want->line == 0)
			continue;
		score->with_file += i == 0;
		file &= strcmp(base(strtab__get(b->strs, got[i].file)), want->file) == 0;
		line &= (int)got[i].line == want->line;
	}
	score->func += !func;
	score->file += !file;
	score->line += !line;
	if (!func || !line || !file)
		complain(b, ref, got, n);
}

/* Compare all of @addrs in @module of @b with addr2line on @path. */
static struct score compare(struct bench *b, uint32_t module, const char *tool, const char *path,
			    const struct addrs *addrs)
{
	static struct ref ref;
	struct score score = { 0 };
	char line[16384] = "", list[128];
	FILE *f;

	snprintf(list, sizeof(list), "%s/addrs", dir);
	f = fopen(list, "w");
	for (size_t i = 0; i < addrs->len; i++)
		fprintf(f, "0x%llx\n", (unsigned long long)addrs->items[i]);
	fclose(f);
	snprintf(line, sizeof(line), "%s -a -i -f -C -e '%s' < %s", tool, path, list);
	f = popen(line, "r");
	line[0] = 0;
	if (fgets(line, sizeof(line), f)) {
		while (next_ref(f, line, sizeof(line), &ref)) {
			struct prof_frame got[SYM_MAX_FRAMES];
			int n = sym__resolve(b->sym, module, ref.addr, got, SYM_MAX_FRAMES);

			score_one(b, &ref, got, n, &score);
		}
	}
	pclose(f);
	if (getenv("VERBOSE"))
		fprintf(stderr, "%s %s: %d addresses (%d inlined, %d with file); wrong: depth %d func %d file %d line %d\n",
			path, tool, score.total, score.inlined, score.with_file, score.depth, score.func, score.file,
			score.line);
	return score;
}

static struct addrs *sample(struct bench *b, uint32_t module)
{
	static struct addrs addrs;

	addrs.len = addrs.seen = 0;
	srand(7);
	elf_file__each_sym(modules__get(b->mods, module)->elf, sample_sym, &addrs);
	return &addrs;
}

static struct score compare_file(const char *tool, const char *path)
{
	struct score score = { 0 };
	struct bench b;
	uint32_t id;

	bench__open(&b, "");
	id = bench__add(&b, path);
	if (CHECK(id != MODULE_NONE))
		score = compare(&b, id, tool, path, sample(&b, id));
	bench__close(&b);
	return score;
}

static const char c_program[] =
	"#include <stdlib.h>\n#include <stdio.h>\n#include <string.h>\n"
	"struct node { struct node *next; char name[40]; };\n"
	"static inline void *grab(size_t n) { void *p = malloc(n); if (!p) abort(); return p; }\n"
	"static inline struct node *node_new(const char *s)\n{\n\tstruct node *n = grab(sizeof(*n));\n\n"
	"\tstrncpy(n->name, s, 39);\n\tn->name[39] = 0;\n\treturn n;\n}\n"
	"static __attribute__((noinline)) struct node *list_new(int count)\n{\n\tstruct node *head = NULL;\n\n"
	"\tfor (int i = 0; i < count; i++) {\n\t\tstruct node *n = node_new(i % 2 ? \"odd\" : \"even\");\n\n"
	"\t\tn->next = head;\n\t\thead = n;\n\t}\n\treturn head;\n}\n"
	"static int cmp(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }\n"
	"int deep(int n) { if (n > 100) { perror(\"deep\"); abort(); } return n ? deep(n - 1) * 3 + 1 : 0; }\n"
	"int main(int argc, char **argv)\n{\n\tint v[3] = { 3, argc, 1 };\n\tstruct node *l = list_new(argc);\n\n"
	"\t(void)argv;\n\tqsort(v, 3, sizeof(int), cmp);\n\t"
	"printf(\"%s %d\\n\", l->name, v[0] + deep(argc));\n\treturn 0;\n}\n";

static const char cxx_program[] =
	"#include <map>\n#include <string>\n#include <vector>\n#include <algorithm>\n#include <memory>\n#include <iostream>\n"
	"namespace shop { namespace detail {\n"
	"template <typename T> struct box { T value; explicit box(T v) : value(std::move(v)) {} "
	"T get() const { return value; } };\n"
	"} class cart { std::map<std::string, std::vector<detail::box<std::string>>> items;\npublic:\n"
	"  void add(const std::string &k, std::string v) { items[k].emplace_back(std::move(v)); }\n"
	"  size_t count() const { size_t n = 0; for (auto &i : items) n += i.second.size(); return n; }\n"
	"  std::string operator()(int i) const { auto f = [&](int j) { return std::to_string(j * i); }; "
	"return f(3) + f(4); }\n"
	"}; }\n"
	"int main(int argc, char **argv)\n{\n  shop::cart c;\n  "
	"for (int i = 0; i < argc * 10; i++) c.add(argv[0], std::to_string(i));\n"
	"  std::vector<int> v; for (int i = 0; i < argc; i++) v.push_back(argc - i);\n"
	"  std::sort(v.begin(), v.end(), [](int a, int b) { return a > b; });\n"
	"  auto p = std::make_shared<shop::cart>(c);\n  std::cout << p->count() << (*p)(v[0]) << '\\n';\n}\n";

static const char rust_program[] =
	"use std::collections::HashMap;\n"
	"#[inline(never)] fn fill(m: &mut HashMap<String, Vec<u32>>, n: u32) { "
	"for i in 0..n { m.entry(format!(\"k{}\", i % 7)).or_default().push(i); } }\n"
	"struct Tree { kids: Vec<Tree>, v: u64 }\n"
	"impl Tree { fn new(d: u32) -> Tree { Tree { kids: (0..d).map(|k| Tree::new(k)).collect(), v: d as u64 } }\n"
	"  fn sum(&self) -> u64 { self.v + self.kids.iter().map(|k| k.sum()).sum::<u64>() } }\n"
	"fn main() { let n = std::env::args().count() as u32; let mut m = HashMap::new(); fill(&mut m, n * 100);\n"
	"  let t = Tree::new(n + 3); println!(\"{} {}\", m.len(), t.sum()); }\n";

/* Compile @source with @command (which names dir twice) and compare. */
static bool build(const char *name, const char *source, const char *command)
{
	put_file(name, source);
	return sh("cd %s && %s", dir, command);
}

static bool have(const char *tool)
{
	return sh("command -v %s >/dev/null", tool);
}

static void check_structure(const char *path, int min_total)
{
	struct score score;

	if (!have("llvm-addr2line")) {
		SKIP("no llvm-addr2line");
		return;
	}
	score = compare_file("llvm-addr2line", path);
	CHECK(score.total >= min_total);
	CHECK(score.with_file >= score.total / 2);
	CHECK_INT(score.depth, 0);
	CHECK_INT(score.file, 0);
	CHECK_INT(score.line, 0);
}

static void check_names(const char *path, int min_total, int max_wrong_permille)
{
	struct score score;

	if (!have("addr2line")) {
		SKIP("no addr2line");
		return;
	}
	score = compare_file("addr2line", path);
	CHECK(score.total >= min_total);
	CHECK_INT(score.depth, 0);
	CHECK(score.func * 1000 <= score.total * max_wrong_permille);
	CHECK_INT(score.line, 0);
}

__attribute__((constructor)) static void make_dir(void)
{
	if (!mkdtemp(dir))
		abort();
}

__attribute__((destructor)) static void remove_dir(void)
{
	sh("rm -rf %s", dir);
}

TEST(c_as_others_read_it)
{
	static const char *const flags[] = { "-O2 -g", "-O0 -g", "-O2 -g -no-pie", "-O2 -gdwarf-4", "-O2 -g -gz=zlib",
					     "-O3 -g -flto" };
	char path[128], cmd[256];

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		snprintf(cmd, sizeof(cmd), "gcc %s -o c%zu c.c", flags[i], i);
		if (!build("c.c", c_program, cmd)) {
			SKIP("no gcc");
			return;
		}
		snprintf(path, sizeof(path), "%s/c%zu", dir, i);
		check_structure(path, 200);
		check_names(path, 200, 0);
	}
}

TEST(cxx_as_others_read_it)
{
	static const char *const commands[] = { "g++ -O2 -g -o x0 x.cc", "g++ -O0 -g -o x1 x.cc",
						"clang++ -O2 -g -o x2 x.cc" };
	char path[128];

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!build("x.cc", cxx_program, commands[i])) {
			SKIP("a C++ compiler is missing");
			continue;
		}
		snprintf(path, sizeof(path), "%s/x%zu", dir, i);
		check_structure(path, 1000);
		if (i < 2)
			check_names(path, 1000, 5);
	}
}

TEST(rust_as_others_read_it)
{
	static const char *const commands[] = { "rustc -O -g -o r0 r.rs",
						"rustc -g -C symbol-mangling-version=v0 -o r1 r.rs" };
	char path[128];

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!build("r.rs", rust_program, commands[i])) {
			SKIP("no rustc");
			return;
		}
		snprintf(path, sizeof(path), "%s/r%zu", dir, i);
		check_structure(path, 3000);
		check_names(path, 3000, 10);
	}
}

/* Compare @path, which has no DWARF itself, with the answers of addr2line on @truth. */
static struct score compare_stripped(const char *path, const char *truth, const char *debug_root)
{
	struct score score;
	struct addrs *addrs;
	struct bench b;
	uint32_t id;

	bench__open(&b, "");
	addrs = sample(&b, bench__add(&b, truth));
	bench__close(&b);
	bench__open(&b, debug_root);
	id = bench__add(&b, path);
	score = compare(&b, id, "addr2line", truth, addrs);
	bench__close(&b);
	return score;
}

static bool all_right(struct score score)
{
	return score.total > 200 && score.with_file > 100 && !score.depth && !score.func && !score.file &&
	       !score.line;
}

TEST(debug_file_by_link_and_by_build_id)
{
	char bin[128], truth[128], root[128], line[256] = "";
	FILE *f;

	if (!build("c.c", c_program, "gcc -O2 -g -Wl,--build-id=sha1 -o full c.c && cp full bin && "
		   "objcopy --only-keep-debug full bin.debug && objcopy --strip-all --add-gnu-debuglink=bin.debug bin")) {
		SKIP("no gcc or objcopy");
		return;
	}
	snprintf(bin, sizeof(bin), "%s/bin", dir);
	snprintf(truth, sizeof(truth), "%s/full", dir);
	snprintf(root, sizeof(root), "%s/root", dir);
	CHECK(all_right(compare_stripped(bin, truth, "")));
	CHECK(sh("cd %s && mkdir .debug && mv bin.debug .debug/", dir));
	CHECK(all_right(compare_stripped(bin, truth, "")));
	CHECK(sh("cd %s && mkdir -p root/usr/lib/debug%s && mv .debug/bin.debug root/usr/lib/debug%s/", dir, dir, dir));
	CHECK(all_right(compare_stripped(bin, truth, root)));
	CHECK_INT(compare_stripped(bin, truth, "").with_file - compare_stripped(bin, truth, "").file, 0);
	snprintf(line, sizeof(line), "readelf -n %s | sed -n 's/.*Build ID: //p'", bin);
	f = popen(line, "r");
	CHECK(fgets(line, sizeof(line), f));
	pclose(f);
	chomp(line);
	CHECK(sh("cd %s/root/usr/lib/debug && mkdir -p .build-id/%.2s && mv .%s/bin.debug .build-id/%.2s/%s.debug", dir,
		 line, dir, line, line + 2));
	CHECK(all_right(compare_stripped(bin, truth, root)));
	/* Another file's debug file under this name is refused. */
	CHECK(build("c.c", c_program, "gcc -O0 -g -Wl,--build-id=sha1 -o other c.c"));
	CHECK(sh("cp %s/other %s/root/usr/lib/debug/.build-id/%.2s/%s.debug", dir, dir, line, line + 2));
	CHECK(!all_right(compare_stripped(bin, truth, root)));
}

static char inner_root[128]; /* a root, or folder, that holds debug files */

static bool enter_by_chroot(void)
{
	return chroot(inner_root) == 0;
}

/* The folders that hold the debug file are seen in the namespace only. */
static bool enter_by_mounts(void)
{
	return unshare(CLONE_NEWNS) == 0 && sh("mount --make-rprivate / && mount --bind %s/usr/lib/debug /usr/lib/debug", inner_root);
}

static bool enter_by_mount_beside(void)
{
	return unshare(CLONE_NEWNS) == 0 && sh("mount --make-rprivate / && mount --bind %s/beside %s/.debug", inner_root, dir);
}

/* Does list_new of @bin, mapped by a process that went where @enter leads, have its line? false: no right to go there. */
static bool check_inside(bool (*enter)(void), const char *bin, const char *truth)
{
	struct mappings maps = { 0 };
	struct prof_frame got[8];
	int ready[2], id_seen = 0;
	struct bench b;
	bool entered;
	pid_t pid;
	char byte;

	if (pipe(ready))
		return false;
	pid = fork();
	if (pid == 0) {
		int fd = open(bin, O_RDONLY);

		if (mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED || !enter() ||
		    write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	entered = read(ready[0], &byte, 1) == 1;
	if (entered) {
		bench__open(&b, "/nowhere");
		CHECK_INT(proc_read_maps(pid, &maps), 0);
		for (size_t i = 0; i < maps.len; i++) {
			if (strcmp(maps.items[i].path, bin) != 0)
				continue;
			id_seen++;
			CHECK_INT(sym__resolve(b.sym, modules__add(b.mods, pid, &maps.items[i]),
					       nm_vaddr(truth, "list_new"), got, 8), 1);
			CHECK_STR(strtab__get(b.strs, got[0].func), "list_new");
			CHECK_STR(base(strtab__get(b.strs, got[0].file)), "c.c");
		}
		CHECK_INT(id_seen, 1);
		mappings__free(&maps);
		bench__close(&b);
	}
	close(ready[0]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return entered;
}

TEST(debug_file_in_the_root_of_the_process)
{
	char bin[128], truth[128], line[256];
	FILE *f;

	if (!build("c.c", c_program, "gcc -O2 -g -Wl,--build-id=sha1 -o full c.c && rm -rf root .debug && "
		   "objcopy --only-keep-debug full inner.debug && objcopy --strip-all full bin && mkdir -p root/beside .debug && "
		   "cp inner.debug root/beside/linked.debug && cp bin linked && "
		   "objcopy --add-gnu-debuglink=root/beside/linked.debug linked")) {
		SKIP("no gcc or objcopy");
		return;
	}
	snprintf(bin, sizeof(bin), "%s/bin", dir);
	snprintf(truth, sizeof(truth), "%s/full", dir);
	snprintf(inner_root, sizeof(inner_root), "%s/root", dir);
	snprintf(line, sizeof(line), "readelf -n %s | sed -n 's/.*Build ID: //p'", bin);
	f = popen(line, "r");
	CHECK(fgets(line, sizeof(line), f));
	pclose(f);
	chomp(line);
	CHECK(sh("cd %s && mkdir -p root/usr/lib/debug/.build-id/%.2s && "
		 "mv inner.debug root/usr/lib/debug/.build-id/%.2s/%s.debug", dir, line, line, line + 2));
	if (!check_inside(enter_by_chroot, bin, truth))
		SKIP("no right to chroot");
	if (!check_inside(enter_by_mounts, bin, truth))
		SKIP("no right to mount, or no /usr/lib/debug");
	snprintf(bin, sizeof(bin), "%s/linked", dir);
	CHECK(sh("rm %s/root/usr/lib/debug/.build-id/%.2s/%s.debug", dir, line, line + 2));
	if (!check_inside(enter_by_mount_beside, bin, truth))
		SKIP("no right to mount");
	sh("rm -rf %s/.debug", dir);
}

/* What a section may be packed with, and what index there may be: it must read as the plain file. */
TEST(packed_and_indexed_debug_sections)
{
	static const struct {
		const char *command, *proof;
	} cases[] = {
		{ "objcopy --compress-debug-sections=zlib full bin", "grep -q 'debug_info.* C '" },
		{ "objcopy --compress-debug-sections=zlib-gnu full bin", "grep -q zdebug_info" },
		{ "objcopy --compress-debug-sections=zstd full bin", "grep -q 'debug_info.* C '" },
		{ "objcopy --compress-debug-sections=zstd full bin.debug && cp full bin && objcopy --strip-all "
		  "--add-gnu-debuglink=bin.debug bin", "grep -q gnu_debuglink" },
		{ "objcopy -R .debug_aranges full bin", "awk '/debug_aranges/ { bad = 1 } END { exit bad }'" },
		{ "clang -O2 -gdwarf-5 -gpubnames -o full c.c && cp full bin", "grep -q debug_names" },
	};
	char bin[128], truth[128];

	snprintf(bin, sizeof(bin), "%s/bin", dir);
	snprintf(truth, sizeof(truth), "%s/full", dir);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct score score;

		if (!build("c.c", c_program, "rm -rf .debug && gcc -O2 -g -o full c.c") ||
		    !sh("cd %s && %s 2>/dev/null", dir, cases[i].command)) {
			SKIP("no gcc or clang, or an objcopy that does not pack with this method");
			continue;
		}
		CHECK(sh("readelf -SW %s | %s", bin, cases[i].proof));
		if (strstr(cases[i].command, "clang")) {
			/* addr2line 2.40 loses inlined frames of clang's DWARF 5. */
			check_structure(bin, 200);
			continue;
		}
		score = compare_stripped(bin, truth, "");
		CHECK(all_right(score) || test_fail(__FILE__, __LINE__, cases[i].command));
	}
}

TEST(damaged_packed_sections)
{
	struct prof_frame got[4];
	char bin[128], truth[128];
	struct bench b;

	if (!build("c.c", c_program, "gcc -O2 -g -o full c.c && objcopy --compress-debug-sections=zstd full bin")) {
		SKIP("no gcc, or an objcopy that does not know zstd");
		return;
	}
	snprintf(bin, sizeof(bin), "%s/bin", dir);
	snprintf(truth, sizeof(truth), "%s/full", dir);
	/* The size that .debug_info claims to have unpacked, then its packed bytes. */
	for (int where = 8; where <= 40; where += 32) {
		CHECK(sh("off=$(readelf -SW %s | sed -n 's/.* \\.debug_info *PROGBITS *[0-9a-f]* \\([0-9a-f]*\\).*/\\1/p') && "
			 "printf '\\377\\377\\377\\377\\377' | dd of=%s bs=1 seek=$((0x$off + %d)) conv=notrunc "
			 "2>/dev/null", bin, bin, where));
		bench__open(&b, "/nowhere");
		CHECK_INT(sym__resolve(b.sym, bench__add(&b, bin), nm_vaddr(truth, "list_new"), got, 4), 1);
		CHECK_STR(strtab__get(b.strs, got[0].func), "list_new");
		CHECK_INT(got[0].line, 0);
		bench__close(&b);
	}
}

/* Names that only the packed symbol table has, and that one only when nothing better is there. */
TEST(names_from_gnu_debugdata)
{
	char bin[128], truth[128];
	struct prof_frame got[4];
	struct bench b;

	if (!have("xz") ||
	    !build("c.c", c_program, "rm -rf .debug bin.debug && gcc -O2 -g -Wl,--build-id=sha1 -o full c.c && cp full bin && "
		   "objcopy --only-keep-debug full mini && objcopy -S --keep-symbol=list_new --keep-symbol=cmp mini && rm -f mini.xz && "
		   "xz mini && objcopy --strip-all bin && objcopy --add-section .gnu_debugdata=mini.xz bin")) {
		SKIP("no gcc, objcopy or xz");
		return;
	}
	snprintf(bin, sizeof(bin), "%s/bin", dir);
	snprintf(truth, sizeof(truth), "%s/full", dir);
	CHECK(sh("nm %s 2>&1 | grep -q 'no symbols'", bin));
	bench__open(&b, "/nowhere");
	CHECK_INT(sym__resolve(b.sym, bench__add(&b, bin), nm_vaddr(truth, "list_new"), got, 4), 1);
	CHECK_STR(strtab__get(b.strs, got[0].func), "list_new");
	sym__resolve(b.sym, bench__add(&b, bin), nm_vaddr(truth, "cmp") + 1, got, 4);
	CHECK_STR(strtab__get(b.strs, got[0].func), "cmp");
	sym__resolve(b.sym, bench__add(&b, bin), nm_vaddr(truth, "main"), got, 4);
	CHECK(got[0].flags & FRAME_UNKNOWN);
	bench__close(&b);
	/* Cut off, and a bomb: 1 GiB of zeros. No names, no harm. */
	CHECK(sh("cd %s && head -c 200 mini.xz >cut.xz && head -c 1G /dev/zero | xz -0 >bomb.xz", dir));
	for (int i = 0; i < 2; i++) {
		CHECK(sh("cd %s && cp full bad && objcopy --strip-all bad && objcopy --add-section .gnu_debugdata=%s bad", dir,
			 i ? "bomb.xz" : "cut.xz"));
		snprintf(bin, sizeof(bin), "%s/bad", dir);
		bench__open(&b, "/nowhere");
		sym__resolve(b.sym, bench__add(&b, bin), nm_vaddr(truth, "list_new"), got, 4);
		CHECK(got[0].flags & FRAME_UNKNOWN);
		bench__close(&b);
	}
}

/* Functions in .dwo files: the name is right, the line too, nothing is opened, and it is said. */
TEST(split_dwarf_is_told)
{
	static const char *const flags[] = { "-gdwarf-5 -gsplit-dwarf", "-gdwarf-4 -gsplit-dwarf" };
	char bin[128], cmd[256];
	struct prof_frame got[4];
	struct bench b;

	snprintf(bin, sizeof(bin), "%s/split", dir);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		/* Opening the .dwo would wait for ever. */
		snprintf(cmd, sizeof(cmd), "rm -f *.dwo && gcc -O2 %s -o split c.c && rm -f *.dwo && mkfifo split-c.dwo", flags[i]);
		if (!build("c.c", c_program, cmd)) {
			SKIP("no gcc");
			return;
		}
		bench__open(&b, "");
		CHECK_INT(sym__resolve(b.sym, bench__add(&b, bin), nm_vaddr(bin, "list_new"), got, 4), 1);
		CHECK_STR(strtab__get(b.strs, got[0].func), "list_new");
		CHECK_STR(base(strtab__get(b.strs, got[0].file)), "c.c");
		CHECK(strstr(b.said, ".dwo"));
		bench__close(&b);
	}
	sh("rm -f %s/*.dwo", dir);
}

TEST(debug_file_with_wrong_checksum_is_refused)
{
	char bin[128], truth[128];

	if (!build("c.c", c_program, "gcc -O2 -g -Wl,--build-id=none -o full c.c && cp full bin && rm -rf .debug && "
		   "objcopy --only-keep-debug full bin.debug && objcopy --strip-all --add-gnu-debuglink=bin.debug bin")) {
		SKIP("no gcc or objcopy");
		return;
	}
	snprintf(bin, sizeof(bin), "%s/bin", dir);
	snprintf(truth, sizeof(truth), "%s/full", dir);
	CHECK(all_right(compare_stripped(bin, truth, "")));
	CHECK(sh("printf x >> %s/bin.debug", dir));
	CHECK(!all_right(compare_stripped(bin, truth, "")));
}

TEST(debug_file_shared_by_dwz)
{
	char bin[128], truth[128], root[128];
	struct prof_frame got[4];
	struct bench b;

	if (!have("dwz")) {
		SKIP("no dwz");
		return;
	}
	if (!build("c.c", c_program, "gcc -O2 -g -gdwarf-4 -o full c.c && cp full bin && rm -rf root .debug && "
		   "objcopy --only-keep-debug full bin.debug && cp bin.debug twin.debug && "
		   "mkdir -p root/usr/lib/debug/.dwz && "
		   "dwz -m root/usr/lib/debug/.dwz/shared.debug -M /usr/lib/debug/.dwz/shared.debug "
		   "bin.debug twin.debug && objcopy --strip-all --add-gnu-debuglink=bin.debug bin")) {
		SKIP("no gcc, objcopy or dwz");
		return;
	}
	CHECK(sh("readelf -SW %s/bin.debug 2>/dev/null | grep -q gnu_debugaltlink", dir));
	CHECK(sh("cd %s && mkdir -p root%s && cp bin.debug root%s/", dir, dir, dir));
	snprintf(bin, sizeof(bin), "%s/bin", dir);
	snprintf(truth, sizeof(truth), "%s/full", dir);
	snprintf(root, sizeof(root), "%s/root", dir);
	CHECK(all_right(compare_stripped(bin, truth, root)));
	/* Without it: names from the debug file's symbol table, no lines, and a word about it. */
	CHECK(sh("rm %s/root/usr/lib/debug/.dwz/shared.debug", dir));
	bench__open(&b, root);
	CHECK_INT(sym__resolve(b.sym, bench__add(&b, bin), nm_vaddr(truth, "list_new"), got, 4), 1);
	CHECK_STR(strtab__get(b.strs, got[0].func), "list_new");
	CHECK_INT(got[0].line, 0);
	CHECK(strstr(b.said, "dwz"));
	bench__close(&b);
}

TEST(libc_exports_without_debug_file)
{
	const char *path = "/lib/x86_64-linux-gnu/libc.so.6";
	struct prof_frame got[1];
	struct bench b;
	int total = 0, wrong = 0;
	char name[512], line[1024], type;
	unsigned long long vaddr, size;
	uint32_t id;
	FILE *f;

	if (access(path, R_OK)) {
		SKIP("no libc.so.6 where it was looked for");
		return;
	}
	bench__open(&b, "/nowhere");
	id = bench__add(&b, path);
	f = popen("nm -D --defined-only -S /lib/x86_64-linux-gnu/libc.so.6", "r");
	while (fgets(line, sizeof(line), f)) {
		const char *got_name;

		if (sscanf(line, "%llx %llx %c %511s", &vaddr, &size, &type, name) != 4 || !strchr("TtWwi", type))
			continue;
		name[strcspn(name, "@")] = 0;
		CHECK_INT(sym__resolve(b.sym, id, vaddr + size - 1, got, 1), 1);
		got_name = strtab__get(b.strs, got[0].func);
		total++;
		/* Aliases stand at the same address: what we say must be one of them. */
		if (strcmp(got_name, name) != 0)
			wrong += dynamic_vaddr(&b, id, got_name, vaddr) != vaddr;
	}
	pclose(f);
	CHECK(total > 1500);
	CHECK_INT(wrong, 0);
	sym__resolve(b.sym, id, dynamic_vaddr(&b, id, "malloc", 0), got, 1);
	CHECK_STR(strtab__get(b.strs, got[0].func), "malloc");
	CHECK(got[0].flags & FRAME_PLUMBING);
	bench__close(&b);
}

TEST(libc_with_its_debug_file)
{
	const char *path = "/lib/x86_64-linux-gnu/libc.so.6";
	struct score score;

	if (!sh("echo 0x0 | addr2line -e %s >/dev/null 2>&1", path) ||
	    !sh("addr2line -e %s $(nm -D %s | awk '/ T fopen@@/{print \"0x\"$1}') | grep -q iofopen", path, path)) {
		SKIP("no libc6-dbg");
		return;
	}
	score = compare_file("addr2line", path);
	CHECK(score.total > 5000);
	CHECK(score.with_file > 4500);
	CHECK_INT(score.depth, 0);
	CHECK(score.func * 1000 <= score.total * 50); /* aliases: __write of DWARF, write of the symbol table */
	CHECK(score.line * 1000 <= score.total * 2);
}

TEST(go_as_go_tool_addr2line)
{
	char path[128], cmd[512], line[4096], want[4096];
	struct prof_frame got[SYM_MAX_FRAMES];
	struct addrs *addrs;
	struct bench b;
	int n, wrong = 0, total = 0;
	uint32_t id;
	FILE *f;

	if (!have("go") || !build("m.go", "package main\nimport (\"fmt\"; \"strings\")\n"
				  "func box(n int) []string { var r []string; "
				  "for i := 0; i < n; i++ { r = append(r, strings.Repeat(\"x\", i)) }; return r }\n"
				  "func main() { fmt.Println(len(box(9))) }\n",
				  "HOME=$PWD GOCACHE=$PWD/gocache GO111MODULE=off CGO_ENABLED=0 go build -o m m.go")) {
		SKIP("no go");
		return;
	}
	snprintf(path, sizeof(path), "%s/m", dir);
	bench__open(&b, "");
	id = bench__add(&b, path);
	addrs = sample(&b, id);
	snprintf(cmd, sizeof(cmd), "%s/addrs", dir);
	f = fopen(cmd, "w");
	for (size_t i = 0; i < addrs->len; i++)
		fprintf(f, "0x%llx\n", (unsigned long long)addrs->items[i]);
	fclose(f);
	snprintf(cmd, sizeof(cmd), "cd %s && HOME=$PWD go tool addr2line m < addrs", dir);
	f = popen(cmd, "r");
	for (size_t i = 0; i < addrs->len && fgets(line, sizeof(line), f); i++) {
		chomp(line);
		n = sym__resolve(b.sym, id, addrs->items[i], got, SYM_MAX_FRAMES);
		/* It prints the function of the outermost and the line of the innermost frame. */
		snprintf(want, sizeof(want), "%s", strtab__get(b.strs, got[n - 1].func));
		total++;
		wrong += strcmp(line, want) != 0;
		if (!fgets(line, sizeof(line), f))
			break;
		chomp(line);
		snprintf(want, sizeof(want), "%s:%u", strtab__get(b.strs, got[0].file), got[0].line);
		wrong += strcmp(line, want) != 0;
		CHECK_INT(!!(got[n - 1].flags & FRAME_PLUMBING), plumbing_is(strtab__get(b.strs, got[n - 1].func)));
	}
	pclose(f);
	CHECK(total > 1000);
	CHECK_INT(wrong, 0);
	bench__close(&b);
}

TEST(c_code_in_a_go_program)
{
	struct prof_frame got[SYM_MAX_FRAMES];
	char path[128];
	struct bench b;
	uint32_t id;
	int n;

	if (!have("go") || !build("g.go", "package main\n/*\n#include <stdlib.h>\n"
				  "static int twice_in_c(int n) { char *p = malloc(n); int r = p ? 2 * n : 0; free(p); return r; }\n"
				  "*/\nimport \"C\"\nfunc main() { println(C.twice_in_c(21)) }\n",
				  "HOME=$PWD GOCACHE=$PWD/gocache GO111MODULE=off CGO_CFLAGS='-g -O0' go build -o g g.go")) {
		SKIP("no go with cgo");
		return;
	}
	snprintf(path, sizeof(path), "%s/g", dir);
	bench__open(&b, "");
	id = bench__add(&b, path);
	n = sym__resolve(b.sym, id, nm_vaddr(path, "twice_in_c"), got, SYM_MAX_FRAMES);
	CHECK_INT(n, 1);
	CHECK_STR(strtab__get(b.strs, got[0].func), "twice_in_c");
	CHECK_STR(base(strtab__get(b.strs, got[0].file)), "g.go");
	CHECK_INT(got[0].line, 4);
	n = sym__resolve(b.sym, id, nm_vaddr(path, "main.main"), got, SYM_MAX_FRAMES);
	CHECK_STR(strtab__get(b.strs, got[n - 1].func), "main.main");
	bench__close(&b);
}

TEST(unknown_addresses)
{
	struct mapping jit = { .start = 0x1000, .end = 0x2000, .executable = true, .path = (char *)"" };
	struct mapping sys = { .start = 0x5000, .end = 0x6000, .executable = true, .path = (char *)"[vsyscall]" };
	struct prof_frame got[2];
	struct bench b;
	uint32_t id;

	bench__open(&b, "");
	CHECK_INT(sym__resolve(b.sym, MODULE_NONE, 0x1234, got, 2), 1);
	CHECK_STR(strtab__get(b.strs, got[0].func), "[unknown+0x1234]");
	CHECK_INT(got[0].flags, FRAME_UNKNOWN);
	sym__resolve(b.sym, modules__add(b.mods, 17, &jit), 0x1234, got, 2);
	CHECK_STR(strtab__get(b.strs, got[0].func), "[jit+0x1234]");
	sym__resolve(b.sym, modules__add(b.mods, 17, &sys), 0x5008, got, 2);
	CHECK_STR(strtab__get(b.strs, got[0].func), "[vsyscall+0x5008]");
	id = bench__add(&b, "/bin/true");
	sym__resolve(b.sym, id, elf_file__entry(modules__get(b.mods, id)->elf), got, 2);
	CHECK(strncmp(strtab__get(b.strs, got[0].func), "[true+0x", 8) == 0);
	bench__close(&b);
}

TEST(annotate_marks_what_rows_use)
{
	struct profile *prof = NULL;
	struct prof_module pm = { 0 };
	char path[128], cmd[128] = "gcc -O2 -g -o c0 c.c";
	uint32_t locs[3], stack, unused, nstrs;
	struct module *mod;
	struct bench b;

	if (!build("c.c", c_program, cmd)) {
		SKIP("no gcc");
		return;
	}
	snprintf(path, sizeof(path), "%s/c0", dir);
	bench__open(&b, "");
	CHECK_INT(profile__new(&prof), 0);
	/* The profile brings its own table of strings; the symbolizer must write into that one. */
	sym__free(b.sym);
	CHECK_INT(sym__new(b.mods, b.gomods, prof->strs, NULL, &b.sym), 0);
	bench__add(&b, "/bin/true"); /* so that the indices of the tables differ */
	mod = modules__get(b.mods, bench__add(&b, path));
	pm.path = strtab__adds(prof->strs, mod->path);
	pm.name = strtab__adds(prof->strs, mod->name);
	pm.build_id = strtab__adds(prof->strs, mod->build_id);
	CHECK_INT(profile__add_module(prof, &pm), 0);
	pm.path = strtab__adds(prof->strs, "/gone/lib.so");
	pm.name = strtab__adds(prof->strs, "lib.so");
	pm.build_id = strtab__adds(prof->strs, "abcd");
	CHECK_INT(profile__add_module(prof, &pm), 1);
	locs[0] = profile__add_loc(prof, 0, nm_vaddr(path, "list_new"), 1);
	locs[1] = profile__add_loc(prof, 1, 0x77, 2);
	locs[2] = profile__add_loc(prof, PROF_NONE, 0x99, 3);
	unused = profile__add_loc(prof, 0, nm_vaddr(path, "deep"), 4);
	stack = profile__add_stack(prof, locs, 3, 0);
	profile__add_stack(prof, &unused, 1, 0);
	profile__add_row(prof, 1, SOURCE_MALLOC, 0, stack);
	CHECK_INT(sym__annotate(b.sym, prof), 0);
	CHECK_STR(strtab__get(prof->strs, prof->frames[prof->locs[locs[0]].first_frame].func), "list_new");
	CHECK_STR(strtab__get(prof->strs, prof->frames[prof->locs[locs[1]].first_frame].func), "[lib.so+0x77]");
	CHECK_STR(strtab__get(prof->strs, prof->frames[prof->locs[locs[2]].first_frame].func), "[unknown+0x99]");
	CHECK_INT(prof->locs[unused].nframes, 0);
	nstrs = strtab__len(prof->strs);
	CHECK_INT(sym__annotate(b.sym, prof), 0);
	CHECK_INT(strtab__len(prof->strs), nstrs);
	CHECK_INT(prof->nframes, 3);
	sym__free(b.sym);
	b.sym = NULL;
	profile__free(prof);
	bench__close(&b);
}

static const char types_program[] =
	"package main\nimport \"unsafe\"\ntype node struct { next *node }\n"
	"func address(i interface{}) uintptr { return *(*uintptr)(unsafe.Pointer(&i)) }\n"
	"func main() { println(address(node{}), address(map[string]*node(nil))) }\n";

/* Rows of a profile whose first module is a Go program. */
struct type_rows {
	struct bench b;
	struct profile *prof;
	char path[128];
};

static uint32_t type_rows__module(struct type_rows *t, const char *path)
{
	struct module *mod = modules__get(t->b.mods, bench__add(&t->b, path));
	struct prof_module pm = { .path = strtab__adds(t->prof->strs, mod->path),
				  .name = strtab__adds(t->prof->strs, mod->name),
				  .build_id = strtab__adds(t->prof->strs, mod->build_id),
				  .start = mod->start, .end = mod->end, .file_off = mod->file_off };

	return profile__add_module(t->prof, &pm);
}

/* A row of that type, whose stack is @door (NULL: none) below mallocgc and above main.main. */
static uint32_t type_rows__add(struct type_rows *t, enum prof_typing typing, uint32_t module, uint64_t vaddr,
			       const char *door)
{
	struct prof_context context = { typing, module, vaddr, PROF_NONE, 0 };
	const char *names[3] = { "runtime.mallocgc" };
	uint32_t locs[3], n = 1;

	if (door)
		names[n++] = door;
	names[n++] = "main.main";
	for (uint32_t i = 0; i < n; i++) {
		uint64_t at = nm_vaddr(t->path, names[i]);

		if (!CHECK(at))
			fprintf(stderr, "  no %s\n", names[i]);
		locs[i] = profile__add_loc(t->prof, 0, at, at);
	}
	return profile__add_row(t->prof, 1, SOURCE_GO, profile__add_context(t->prof, &context),
				profile__add_stack(t->prof, locs, n, 0));
}

static void read_type_addresses(const char *path, unsigned long long ret[2])
{
	char cmd[256];
	FILE *f;

	snprintf(cmd, sizeof(cmd), "%s 2>&1", path);
	f = popen(cmd, "r");
	CHECK_INT(fscanf(f, "%llu %llu", &ret[0], &ret[1]), 2);
	pclose(f);
}

TEST(annotate_names_types)
{
	struct sym_stats stats;
	unsigned long long types[2] = { 0 };
	struct type_rows t;
	uint32_t nrows, nstrs, not_go;

	if (!have("go") || !build("t.go", types_program,
				  "HOME=$PWD GOCACHE=$PWD/gocache GO111MODULE=off CGO_ENABLED=0 go build -o t t.go")) {
		SKIP("no go");
		return;
	}
	snprintf(t.path, sizeof(t.path), "%s/t", dir);
	read_type_addresses(t.path, types); /* not position independent: addresses are the file's */
	bench__open(&t.b, "");
	CHECK_INT(profile__new(&t.prof), 0);
	sym__free(t.b.sym);
	CHECK_INT(sym__new(t.b.mods, t.b.gomods, t.prof->strs, NULL, &t.b.sym), 0);
	bench__add(&t.b, "/bin/false"); /* so that the indices of the tables differ */
	CHECK_INT(type_rows__module(&t, t.path), 0);
	not_go = type_rows__module(&t, "/bin/true");
	const struct {
		enum prof_typing typing;
		uint32_t module;
		uint64_t vaddr;
		const char *door, *want;
	} cases[] = {
		{ TYPING_KNOWN, 0, types[0], "runtime.newobject", "main.node" },
		{ TYPING_KNOWN, 0, types[0], "runtime.makeslice", "[]main.node" },
		{ TYPING_KNOWN, 0, types[1], NULL, "map[string]*main.node" },
		{ TYPING_NONE, 0, 0, "runtime.makeslice", "[slice without pointers]" },
		{ TYPING_NONE, 0, 0, "runtime.concatstrings", "string" },
		{ TYPING_NONE, 0, 0, "runtime.slicebytetostring", "string" },
		{ TYPING_NONE, 0, 0, NULL, "[no pointers]" },
		/* No module, none that is Go, none at all, no type at that address. */
		{ TYPING_KNOWN, PROF_NONE, 0xc000010000, NULL, "[unknown type]" },
		{ TYPING_KNOWN, not_go, types[0], NULL, "[unknown type]" },
		{ TYPING_KNOWN, 77, types[0], NULL, "[unknown type]" },
		{ TYPING_KNOWN, 0, nm_vaddr(t.path, "main.main"), NULL, "[unknown type]" },
		{ TYPING_KNOWN, 0, ~0ULL, "runtime.makeslice", "[][unknown type]" },
		{ TYPING_UNKNOWN, 0, types[0], "runtime.newobject", "" },
	};

	nrows = sizeof(cases) / sizeof(cases[0]);
	for (uint32_t i = 0; i < nrows; i++)
		CHECK_INT(type_rows__add(&t, cases[i].typing, cases[i].module, cases[i].vaddr, cases[i].door), i);
	CHECK_INT(sym__annotate(t.b.sym, t.prof), 0);
	for (uint32_t i = 0; i < nrows; i++)
		if (!CHECK_STR(strtab__get(t.prof->strs, t.prof->rows[i].type), cases[i].want))
			fprintf(stderr, "  case %u\n", i);
	/* A name stays, and is not looked for again. */
	t.prof->rows[0].type = t.prof->rows[1].type;
	nstrs = strtab__len(t.prof->strs);
	CHECK_INT(sym__annotate(t.b.sym, t.prof), 0);
	CHECK_STR(strtab__get(t.prof->strs, t.prof->rows[0].type), "[]main.node");
	CHECK_INT(strtab__len(t.prof->strs), nstrs);
	sym__stats(t.b.sym, &stats);
	CHECK(stats.unnamed_types >= 4); /* each descriptor once, whatever the doors */
	sym__free(t.b.sym);
	t.b.sym = NULL;
	profile__free(t.prof);
	bench__close(&t.b);
}

/* Who had asked for memory that a row made resident need not be a row itself. */
TEST(annotate_names_who_asked)
{
	uint32_t touched, asked, stack, asker, row;
	struct profile *prof = NULL;
	struct bench b;

	bench__open(&b, "");
	CHECK_INT(profile__new(&prof), 0);
	sym__free(b.sym);
	CHECK_INT(sym__new(b.mods, b.gomods, prof->strs, NULL, &b.sym), 0);
	touched = profile__add_loc(prof, PROF_NONE, 0x1234, 0x1234);
	asked = profile__add_loc(prof, PROF_NONE, 0x5678, 0x5678);
	stack = profile__add_stack(prof, &touched, 1, 1);
	asker = profile__add_stack(prof, &asked, 1, 2);
	row = profile__add_row(prof, 1, SOURCE_RSS, 0, stack);
	profile__add_touch(prof, row, SOURCE_GO, asker);
	CHECK_INT(sym__annotate(b.sym, prof), 0);
	CHECK_INT(prof->locs[touched].nframes, 1);
	CHECK_INT(prof->locs[asked].nframes, 1);
	sym__free(b.sym);
	b.sym = NULL;
	profile__free(prof);
	bench__close(&b);
}

/* The go statement is a location like others: it gets its name although no stack has it. */
TEST(annotate_names_creators)
{
	struct prof_context context = { .creator = PROF_NONE };
	struct profile *prof = NULL;
	char name[64];
	struct bench b;

	bench__open(&b, "");
	CHECK_INT(profile__new(&prof), 0);
	sym__free(b.sym);
	CHECK_INT(sym__new(b.mods, b.gomods, prof->strs, NULL, &b.sym), 0);
	context.creator = profile__add_loc(prof, PROF_NONE, 0x1234, 0x1234);
	profile__add_row(prof, 1, SOURCE_GO, profile__add_context(prof, &context), profile__add_stack(prof, NULL, 0, 1));
	CHECK_INT(sym__annotate(b.sym, prof), 0);
	CHECK_INT(prof->locs[context.creator].nframes, 1);
	CHECK_STR(prof_goroutine_name(prof, prof->rows[0].context, name, sizeof(name)), "[unknown+0x1234]");
	CHECK_STR(prof_goroutine_name(prof, 0, name, sizeof(name)), "");
	sym__free(b.sym);
	b.sym = NULL;
	profile__free(prof);
	bench__close(&b);
}

static const char *kernel_name(struct sym_backend *backend, struct strtab *strs, uint64_t vaddr)
{
	struct sym_sink sink = { .strs = strs };

	return backend->ops->resolve(backend, vaddr, &sink) ? strtab__get(strs, sink.frames[0].func) : "";
}

TEST(names_of_the_kernel)
{
	static const char shown[] = "ffffffff81000000 T _text\nffffffff81000000 T _stext\nffffffff81000100 t do_fault\n"
				    "ffffffff81000080 D jiffies\nno line\nffffffffc0000000 t ext4_map\t[ext4]\n"
				    "ffffffff81000140 W last";
	static const char hidden[] = "0000000000000000 T _text\n0000000000000000 t do_fault\n";
	struct sym_backend *backend = NULL;
	struct strtab *strs = NULL;

	CHECK_INT(strtab__new(&strs), 0);
	CHECK_INT(sym_kernel__parse(strdup(shown), strlen(shown), &backend), 0);
	CHECK_STR(kernel_name(backend, strs, 0xffffffff810000ff), "_text");
	CHECK_STR(kernel_name(backend, strs, 0xffffffff81000100), "do_fault");
	CHECK_STR(kernel_name(backend, strs, 0xffffffff8100013f), "do_fault");
	CHECK_STR(kernel_name(backend, strs, 0xffffffff81000140), "last");
	CHECK_STR(kernel_name(backend, strs, 0xffffffffa0000000), ""); /* between the kernel and its modules */
	CHECK_STR(kernel_name(backend, strs, 0xffffffffc0000010), "ext4_map [ext4]");
	CHECK_STR(kernel_name(backend, strs, 0x1000), "");
	backend->ops->free(backend);
	CHECK_INT(sym_kernel__parse(strdup(hidden), strlen(hidden), &backend), -EACCES);
	strtab__free(strs);
}

/* Each name that the real file gives is that of its last line at or below the address. */
TEST(kernel_frames_are_marked)
{
	char line[512], name[256] = "", type;
	unsigned long long addr, want = 0;
	struct prof_frame got[1];
	struct bench b;
	uint32_t id;
	FILE *f = fopen("/proc/kallsyms", "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%llx %c %255s", &addr, &type, name) == 3 && addr && strcmp(name, "do_exit") == 0)
			want = addr;
	}
	if (f)
		fclose(f);
	bench__open(&b, "");
	id = modules__add_kernel(b.mods);
	CHECK_INT(modules__add_kernel(b.mods), id);
	CHECK_INT(sym__resolve(b.sym, id, want ? want + 5 : 0xffffffff81000000, got, 1), 1);
	CHECK(got[0].flags & FRAME_KERNEL);
	if (want)
		CHECK_STR(strtab__get(b.strs, got[0].func), "do_exit");
	else
		CHECK(strstr(b.said, "kptr_restrict") && got[0].flags & FRAME_UNKNOWN);
	bench__close(&b);
}

TEST(demangling)
{
	char buf[256], name[2048] = "_Z1f";

	CHECK(demangle("_ZN4shop4cart3addERKSs", buf, sizeof(buf)));
	CHECK_STR(buf, "shop::cart::add(std::string const&)");
	CHECK(demangle("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", buf, sizeof(buf)));
	CHECK_STR(buf, "core::fmt::Write::write_fmt");
	CHECK(demangle("_RNvCs1234_7mycrate3foo", buf, sizeof(buf)));
	CHECK_STR(buf, "mycrate::foo");
	CHECK(demangle("_ZL3fooi.constprop.0", buf, sizeof(buf)));
	CHECK_STR(buf, "foo(int) [clone .constprop.0]");
	CHECK(!demangle("malloc", buf, sizeof(buf)));
	CHECK(!demangle("_Zqqq", buf, sizeof(buf)));
	CHECK(!demangle("", buf, sizeof(buf)));
	/* S_, S0_, S1_... each stand for a pair of the one before: 2^30 times the name, were it ever written. */
	strcat(name, "St4pairIiiE");
	for (int i = 0; i < 30; i++) {
		const char *digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
		char more[64], ref[8] = "S_";

		if (i)
			snprintf(ref, sizeof(ref), "S%c_", digits[i - 1]);
		snprintf(more, sizeof(more), "St4pairI%s%sE", ref, ref);
		strcat(name, more);
	}
	CHECK(demangle(name, buf, sizeof(buf)));
	CHECK_INT(strlen(buf), sizeof(buf) - 1);
	CHECK_STR(buf + sizeof(buf) - 4, "...");
	/* Too long for the buffer. */
	CHECK(demangle("_ZN4shop4cart3addERKSs", buf, 20));
	CHECK_STR(buf, "shop::cart::add(...");
}

TEST(plumbing)
{
	static const char *const yes[] = { "runtime.mallocgc", "runtime.mallocgcSmallNoscanSC3", "runtime.newobject",
					   "runtime.main", "runtime.(*mcache).refill", "internal/runtime/maps.newTable",
					   "reflect.unsafe_New", "malloc", "operator new(unsigned long)", "_start",
					   "__libc_start_main_impl", "__libc_start_call_main", "start_thread", "clone3" };
	static const char *const no[] = { "runtime/pprof.StartCPUProfile", "runtime/debug.FreeOSMemory", "main.main",
					  "runtimes.x", "my_malloc", "mallocate", "strings.Repeat", "main", "" };

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		CHECK(plumbing_is(yes[i]) || test_fail(__FILE__, __LINE__, yes[i]));
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		CHECK(!plumbing_is(no[i]) || test_fail(__FILE__, __LINE__, no[i]));
}

TEST(damaged_debug_information)
{
	char path[128], bad[128];
	struct addrs addrs;
	struct bench b;
	uint8_t *image;
	struct stat st;
	uint32_t id;
	FILE *f;

	if (!build("c.c", c_program, "gcc -O2 -g -o c0 c.c")) {
		SKIP("no gcc");
		return;
	}
	snprintf(path, sizeof(path), "%s/c0", dir);
	snprintf(bad, sizeof(bad), "%s/bad", dir);
	bench__open(&b, "");
	id = bench__add(&b, path);
	addrs = *sample(&b, id);
	bench__close(&b);
	f = fopen(path, "r");
	fstat(fileno(f), &st);
	image = malloc((size_t)st.st_size);
	CHECK_INT(fread(image, 1, (size_t)st.st_size, f), st.st_size);
	fclose(f);
	srand(3);
	for (int round = 0; round < 400; round++) {
		struct prof_frame got[SYM_MAX_FRAMES];
		uint8_t *copy = malloc((size_t)st.st_size);

		memcpy(copy, image, (size_t)st.st_size);
		/* The debug sections stand behind the loaded part (the last page of data ends about 0x3030). */
		for (int i = 0; i < 1 + round % 40; i++)
			copy[0x3030 + rand() % (st.st_size - 0x3030)] = rand() % 3 ? (uint8_t)rand() : 0xff;
		f = fopen(bad, "w");
		fwrite(copy, 1, (size_t)st.st_size, f);
		fclose(f);
		free(copy);
		bench__open(&b, "/nowhere");
		id = bench__add(&b, bad);
		for (size_t i = 0; i < addrs.len; i += 7)
			CHECK(sym__resolve(b.sym, id, addrs.items[i], got, SYM_MAX_FRAMES) >= 1);
		bench__close(&b);
	}
	free(image);
}

TEST_MAIN()
