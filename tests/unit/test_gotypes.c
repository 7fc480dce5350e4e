// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Type descriptors made by hand, sound and hostile, and those of real programs: one is
 * built in several ways with the installed toolchain and prints what reflect says of its
 * own types. More toolchains: ALLOCSNOOP_GOROOTS="/path/of/goroot ...".
 */
#include "go/gotypes.h"

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"
#include "toolchains.h"

#define BASE 0x400000ull /* address of the file's first byte */
#define TYPES 0x1000 /* where in the file they are */
#define IMAGE_BYTES 0x8000

/* internal/abi.Type */
struct type_desc {
	uint64_t size, ptr_bytes;
	uint32_t hash;
	uint8_t tflag, align, field_align, kind;
	uint64_t equal, gcdata;
	int32_t str, ptr_to_this;
};

_Static_assert(sizeof(struct type_desc) == 48, "as in the runtime");

struct made {
	uint8_t bytes[IMAGE_BYTES];
	struct go_moduledata md;
	struct type_desc *desc; /* at the start of the types */
	const struct go_layout *layout;
	struct go_type type;
};

/* A file of one segment, all of it types behind TYPES; the first is of @name, which stands 0x100 bytes further. */
static void make(struct made *m, int minor, const char *name, size_t len)
{
	Elf64_Ehdr ehdr = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_EXEC,
			    .e_version = EV_CURRENT, .e_phoff = sizeof(ehdr), .e_ehsize = sizeof(ehdr),
			    .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1 };
	Elf64_Phdr phdr = { .p_type = PT_LOAD, .p_flags = PF_R, .p_vaddr = BASE, .p_filesz = IMAGE_BYTES,
			    .p_memsz = IMAGE_BYTES };
	uint8_t *at = m->bytes + TYPES + 0x100;

#ifdef __aarch64__
	ehdr.e_machine = EM_AARCH64;
#else
	ehdr.e_machine = EM_X86_64;
#endif
	memset(m, 0, sizeof(*m));
	memcpy(m->bytes, &ehdr, sizeof(ehdr));
	memcpy(m->bytes + sizeof(ehdr), &phdr, sizeof(phdr));
	m->md = (struct go_moduledata){ .types = BASE + TYPES, .etypes = BASE + IMAGE_BYTES };
	m->layout = go_layout_for(minor, NULL, NULL);
	m->desc = (struct type_desc *)(m->bytes + TYPES);
	*m->desc = (struct type_desc){ .size = 24, .ptr_bytes = 8, .kind = 25, .str = 0x100 };
	*at++ = 1;
	if (minor <= 16) {
		*at++ = (uint8_t)(len >> 8);
		*at++ = (uint8_t)len;
	} else {
		for (; len >= 0x80 && len < IMAGE_BYTES; len >>= 7)
			*at++ = (uint8_t)(len | 0x80);
		*at++ = (uint8_t)len;
		len = strlen(name);
	}
	memcpy(at, name, strlen(name));
}

static bool read_at(struct made *m, uint64_t vaddr)
{
	int fd = memfd_create("types", MFD_CLOEXEC);
	struct elf_file *elf;
	bool ok;

	if (!CHECK(fd >= 0 && write(fd, m->bytes, sizeof(m->bytes)) == sizeof(m->bytes)) ||
	    !CHECK(elf_file__open(fd, "types", &elf, NULL) == 0))
		return false;
	ok = go_type_read(elf, &m->md, m->layout, vaddr, &m->type);
	elf_file__free(elf);
	return ok;
}

static bool read_first(struct made *m)
{
	return read_at(m, m->md.types);
}

static bool reads_as(struct made *m, const char *name)
{
	return read_first(m) && strcmp(m->type.name, name) == 0;
}

static void make_name(struct made *m, int minor, const char *name)
{
	make(m, minor, name, strlen(name));
}

static const int minors[] = { 15, 16, 17, 19, 24, 27 };

#define NMINORS (sizeof(minors) / sizeof(minors[0]))

TEST(sound)
{
	struct made m;

	for (size_t i = 0; i < NMINORS; i++) {
		make_name(&m, minors[i], "*main.Node");
		CHECK(reads_as(&m, "*main.Node"));
		CHECK_INT(m.type.size_bytes, 24);
		CHECK_INT(m.type.kind, 25);
		CHECK(m.type.has_pointers);
		m.desc->tflag = 2 | 5;
		m.desc->ptr_bytes = 0;
		/* KindDirectIface, KindGCProg */
		m.desc->kind = 0x60 | 17;
		CHECK(reads_as(&m, "main.Node"));
		CHECK_INT(m.type.kind, 17);
		CHECK(!m.type.has_pointers);
	}
}

TEST(control_characters_stay)
{
	struct made m;

	make_name(&m, 19, "struct { \x1b[2J \xff }");
	CHECK(reads_as(&m, "struct { \x1b[2J \xff }"));
}

static char *repeat(char *buf, const char *what, size_t bytes)
{
	buf[0] = 0;
	for (size_t len = 0; len < bytes; len += strlen(what))
		strcpy(buf + len, what);
	return buf;
}

TEST(lengths)
{
	static const size_t whole[] = { 1, 127, 128, 255, 256, GO_TYPE_NAME_SIZE - 2, GO_TYPE_NAME_SIZE - 1 };
	char name[3 * GO_TYPE_NAME_SIZE];
	struct made m;

	for (size_t i = 0; i < NMINORS; i++) {
		for (size_t k = 0; k < sizeof(whole) / sizeof(whole[0]); k++) {
			make_name(&m, minors[i], repeat(name, "x", whole[k]));
			CHECK(reads_as(&m, name));
		}
		make_name(&m, minors[i], repeat(name, "x", GO_TYPE_NAME_SIZE));
		CHECK(read_first(&m));
		CHECK_INT(strlen(m.type.name), GO_TYPE_NAME_SIZE - 1);
		CHECK(strcmp(m.type.name + GO_TYPE_NAME_SIZE - 5, "x...") == 0);
		/* Of three bytes each: the cut falls between two. */
		make_name(&m, minors[i], repeat(name, "\xe4\xb8\x96", 2 * GO_TYPE_NAME_SIZE));
		CHECK(read_first(&m));
		CHECK(strcmp(m.type.name + strlen(m.type.name) - 6, "\xe4\xb8\x96...") == 0);
	}
}

TEST(outside_of_the_types)
{
	static const uint64_t places[] = { 0, 1, BASE, BASE + TYPES - 1, BASE + IMAGE_BYTES, BASE + IMAGE_BYTES - 1,
					   BASE + IMAGE_BYTES - 43, 0xc000012000, UINT64_MAX, UINT64_MAX - 40 };
	struct made m;

	make_name(&m, 19, "int");
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		CHECK(!read_at(&m, places[i]));
	/* A moduledata of which only the text is known, or one that lies. */
	m.md.types = m.md.etypes = 0;
	CHECK(!read_at(&m, BASE + TYPES));
	m.md.etypes = UINT64_MAX;
	CHECK(!read_at(&m, BASE + TYPES));
	CHECK(!read_at(&m, UINT64_MAX - 8));
	m.md.types = BASE + TYPES;
	CHECK(read_at(&m, BASE + TYPES));
	m.md.types = UINT64_MAX;
	m.md.etypes = 0;
	CHECK(!read_at(&m, BASE + TYPES));
}

TEST(hostile_offsets)
{
	static const int32_t offsets[] = { 0, -1, -0x100, INT32_MIN, INT32_MAX, IMAGE_BYTES - TYPES,
					   IMAGE_BYTES - TYPES - 1, IMAGE_BYTES - TYPES - 2, IMAGE_BYTES };
	struct made m;

	for (size_t i = 0; i < NMINORS; i++) {
		make_name(&m, minors[i], "int");
		for (size_t k = 0; k < sizeof(offsets) / sizeof(offsets[0]); k++) {
			m.desc->str = offsets[k];
			CHECK(!read_first(&m));
		}
	}
}

TEST(hostile_lengths)
{
	static const uint8_t endless[8] = { 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const size_t room = IMAGE_BYTES - TYPES - 0x100 - 3;
	struct made m;

	for (size_t i = 0; i < NMINORS; i++) {
		make(&m, minors[i], "int", 0);
		CHECK(!read_first(&m));
		/* NULs inside, as far as it is read */
		make(&m, minors[i], "int", 4);
		CHECK(!read_first(&m));
		/* past the end, by one and by far */
		make_name(&m, minors[i], "int");
		memset(m.bytes + TYPES + 0x102, 'x', IMAGE_BYTES - TYPES - 0x102);
		memcpy(m.bytes + TYPES + 0x101, minors[i] <= 16 ? "\xff\xff" : "\xff\x7f", 2);
		if (minors[i] <= 16) {
			CHECK(!read_first(&m));
			m.bytes[TYPES + 0x101] = (uint8_t)((room + 1) >> 8);
			m.bytes[TYPES + 0x102] = (uint8_t)(room + 1);
			CHECK(!read_first(&m));
			m.bytes[TYPES + 0x101] = (uint8_t)(room >> 8);
			m.bytes[TYPES + 0x102] = (uint8_t)room;
			CHECK(read_first(&m));
		} else {
			m.md.etypes = m.md.types + 0x103 + 0x3fff - 1;
			CHECK(!read_first(&m));
			m.md.etypes++;
			CHECK(read_first(&m));
			memcpy(m.bytes + TYPES + 0x100, endless, sizeof(endless));
			CHECK(!read_first(&m));
		}
	}
}

TEST(hostile_descriptors)
{
	struct made m;

	make_name(&m, 24, "int");
	m.desc->kind = 0;
	CHECK(!read_first(&m));
	m.desc->kind = 27;
	CHECK(!read_first(&m));
	m.desc->kind = 26;
	m.desc->ptr_bytes = 25;
	CHECK(!read_first(&m));
	m.desc->ptr_bytes = 24;
	CHECK(read_first(&m));
	/* an extra star that is not there, and one that is all */
	m.desc->tflag = 2;
	CHECK(!read_first(&m));
	make_name(&m, 24, "*");
	CHECK(read_first(&m));
	m.desc->tflag = 2;
	CHECK(!read_first(&m));
	/* bytes that the file does not have */
	make_name(&m, 24, "int");
	m.md.types += IMAGE_BYTES;
	m.md.etypes += IMAGE_BYTES;
	CHECK(!read_first(&m));
}

/*
 * B: where the file is mapped. T: address, size, kind, name. R: address of a type made at run time.
 * G: address of what a map allocates (abi.MapType.Group, maptype.bucket), the map's name.
 */
static const char go_source[] =
	"package main\n"
	"import (\"bufio\"; \"fmt\"; \"io/ioutil\"; \"net/url\"; \"os\"; \"reflect\"; \"strings\"; \"strconv\"; \"sync\"; \"time\"; \"unsafe\")\n"
	"type Node struct { Left, Right *Node; Value interface{}; hidden map[string][]*Node }\n"
	"func (n *Node) Walk(f func(*Node) (int, error)) (chan<- string, bool) { return nil, false }\n"
	"type Func func(a int, rest ...*Node) <-chan chan int\n"
	"type \xc3\x84hnlich struct { \xe4\xb8\x96 [3]complex64 }\n"
	"type Tagged struct { A int `json:\"a,omitempty\" yaml:\"\\\"\\x1b\"`; B struct { C, D struct { E *[7]uintptr } }; error }\n"
	"type Named int\n"
	"type Iface interface { Read(p []byte) (n int, err error); fmt.Stringer }\n"
	"var out = bufio.NewWriter(os.Stdout)\n"
	"var seen = map[reflect.Type]bool{}\n"
	"func addr(t reflect.Type) uintptr { return (*[2]uintptr)(unsafe.Pointer(&t))[1] }\n"
	"func walk(t reflect.Type) {\n"
	"	if seen[t] { return }\n"
	"	seen[t] = true\n"
	"	fmt.Fprintf(out, \"T\\t%x\\t%d\\t%d\\t%s\\n\", addr(t), t.Size(), t.Kind(), t.String())\n"
	"	switch t.Kind() {\n"
	"	case reflect.Array, reflect.Chan, reflect.Map, reflect.Ptr, reflect.Slice: walk(t.Elem())\n"
	"	}\n"
	"	if t.Kind() == reflect.Map {\n"
	"		walk(t.Key())\n"
	"		fmt.Fprintf(out, \"G\\t%x\\t%s\\n\", *(*uintptr)(unsafe.Pointer(addr(t) + 64)), t.String())\n"
	"	}\n"
	"	if t.Kind() == reflect.Struct { for i := 0; i < t.NumField(); i++ { walk(t.Field(i).Type) } }\n"
	"	if t.Kind() == reflect.Interface { for i := 0; i < t.NumMethod(); i++ { walk(t.Method(i).Type) } }\n"
	"	if t.Kind() == reflect.Func {\n"
	"		for i := 0; i < t.NumIn(); i++ { walk(t.In(i)) }\n"
	"		for i := 0; i < t.NumOut(); i++ { walk(t.Out(i)) }\n"
	"	}\n"
	"}\n"
	"var types = []interface{}{\n"
	"	false, 1, int8(1), int16(1), int32(1), int64(1), uint(1), uint8(1), uint16(1), uint32(1), uint64(1), uintptr(1),\n"
	"	float32(1), float64(1), complex64(1), complex128(1), \"\", unsafe.Pointer(nil), []byte{}, [0]int{}, [5][2]*string{},\n"
	"	&Node{}, Node{}, Func(nil), \xc3\x84hnlich{}, &\xc3\x84hnlich{}, Tagged{}, Named(1), new(Named), []Iface{}, new(Iface), new(error),\n"
	"	map[string]int{}, map[[2]*Node]map[Named][]*Tagged{}, make(chan int), make(<-chan (<-chan int)), make(chan (<-chan int)),\n"
	"	make(chan<- func()), func() {}, func(int, ...string) (a, b error) { return nil, nil }, struct{}{},\n"
	"	struct { X, y int; fmt.Stringer; Z struct { q *Node } `tag:\"\\n\\t\"` }{}, &struct { A []struct { B int } }{},\n"
	"	new(interface{}), new(interface { F(int) string; g() }), &url.URL{}, &sync.Map{}, sync.WaitGroup{}, time.Time{}, &os.File{},\n"
	"	reflect.Value{}, &bufio.Writer{}, strings.NewReplacer(\"a\", \"b\"), new(***int),\n"
	"}\n"
	"func main() {\n"
	"	maps, _ := ioutil.ReadFile(\"/proc/self/maps\")\n"
	"	text := string(maps); text = text[:strings.Index(text, os.Args[0])]\n"
	"	text = text[strings.LastIndexByte(text, '\\n')+1:]\n"
	"	start, _ := strconv.ParseUint(text[:strings.IndexByte(text, '-')], 16, 64)\n"
	"	fmt.Fprintf(out, \"B\\t%x\\n\", start)\n"
	"	for _, v := range types { walk(reflect.TypeOf(v)) }\n"
	"	for _, v := range more { walk(reflect.TypeOf(v)) }\n"
	"	made := reflect.StructOf([]reflect.StructField{{Name: \"Made\", Type: reflect.TypeOf(1)}})\n"
	"	for _, t := range []reflect.Type{made, reflect.MapOf(made, made), reflect.SliceOf(made), reflect.PtrTo(made)} {\n"
	"		fmt.Fprintf(out, \"R\\t%x\\t%s\\n\", addr(t), t.String())\n"
	"	}\n"
	"	out.Flush()\n"
	"}\n";

static const char generic_source[] =
	"//go:build go1.18\n"
	"// +build go1.18\n"
	"\n"
	"package main\n"
	"import (\"net/url\"; \"sync/atomic\")\n"
	"type List[T any] struct { next *List[T]; value T }\n"
	"type Pair[K comparable, V any] struct { k K; v V; m map[K]*Pair[K, V] }\n"
	"var p atomic.Value\n"
	"var more = []interface{}{\n"
	"	&List[int]{}, List[*Node]{}, Pair[string, List[url.URL]]{}, []Pair[[2]int, struct { A, B int }]{},\n"
	"	func(List[Named]) map[Named]Pair[int, error] { return nil }, make(chan List[List[string]]), &p, LONG{},\n"
	"}\n";

static const char plain_source[] =
	"//go:build !go1.18\n"
	"// +build !go1.18\n"
	"\n"
	"package main\n"
	"var more = []interface{}{ LONG{} }\n";

struct toolchain {
	const char *goroot; /* NULL: go in PATH */
	char dir[64];
};

static bool write_file(const struct toolchain *tc, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", tc->dir, name);
	f = fopen(path, "w");
	if (!f)
		return false;
	fputs(text, f);
	return fclose(f) == 0;
}

static bool run(const char *cmd)
{
	int rc = system(cmd);

	if (rc)
		fprintf(stderr, "failed (%d): %s\n", rc, cmd);
	return rc == 0;
}

/* LONG is a struct whose text is longer than what we keep. */
static bool prepare(struct toolchain *tc)
{
	char cmd[1024], text[6000] = "package main\ntype LONG = struct { A int `", tag[5001];

	strcat(strcat(text, repeat(tag, "\xc3\xa4", 5000)), "` }\n");
	strcpy(tc->dir, "/tmp/test_gotypes.XXXXXX");
	if (!mkdtemp(tc->dir) || !write_file(tc, "main.go", go_source) || !write_file(tc, "long.go", text) ||
	    !write_file(tc, "generic.go", generic_source) || !write_file(tc, "plain.go", plain_source))
		return false;
	/* A module's go line sets the language: the newest that this toolchain knows. */
	snprintf(cmd, sizeof(cmd),
		 "cd %s && v=$(GOTOOLCHAIN=local ${R:+$R/bin/}go version | sed 's/.*go\\(1\\.[0-9]*\\).*/\\1/') && "
		 "printf 'module probe\\ngo %%s\\n' $v > go.mod", tc->dir);
	return run(cmd);
}

static bool build(const struct toolchain *tc, const char *mode, const char *ldflags, const char *out)
{
	char cmd[1024];

	snprintf(cmd, sizeof(cmd),
		 "cd %s && CGO_ENABLED=%d GOTOOLCHAIN=local GOFLAGS= GO111MODULE=on GOWORK=off GOCACHE=${GOCACHE:-%s/cache} "
		 "${R:+$R/bin/}go build -buildmode=%s -ldflags='%s' -o %s .",
		 tc->dir, strstr(ldflags, "external") != NULL, tc->dir, mode, ldflags, out);
	return run(cmd);
}

struct tally {
	unsigned long same, bad, made, groups;
};

static bool same_name(const char *got, const char *want)
{
	size_t len = strlen(got);

	if (strlen(want) < GO_TYPE_NAME_SIZE)
		return strcmp(got, want) == 0;
	return len > GO_TYPE_NAME_SIZE - 8 && strncmp(got, want, len - 3) == 0 && strcmp(got + len - 3, "...") == 0;
}

static void compare_line(const struct elf_file *elf, const struct gobin *bin, char *line, uint64_t *bias,
			 struct tally *tally)
{
	const char *experiments = strstr(gobin__version(bin), "X:");
	const struct go_layout *layout = go_layout_for(gobin__minor(bin, NULL), experiments ? experiments + 2 : NULL,
						       NULL);
	const struct go_moduledata *md = gobin__moduledata(bin);
	char group[GO_TYPE_NAME_SIZE + 16];
	uint64_t addr, size, first;
	struct go_type type;
	int kind, name = 0;
	bool ok, swiss;

	/* A position independent file need not start at 0: Go's own linker lets it start where the other kind does. */
	if (sscanf(line, "B\t%lx", &addr) == 1 && CHECK(elf_file__off_to_vaddr(elf, 0, &first)))
		*bias = addr - first;
	if (sscanf(line, "R\t%lx", &addr) == 1) {
		tally->made++;
		CHECK(!go_type_read(elf, md, layout, addr - *bias, &type));
	}
	if (sscanf(line, "G\t%lx\t%n", &addr, &name) == 1) {
		swiss = layout->minor >= 24 && !strstr(gobin__version(bin), "noswissmap");
		snprintf(group, sizeof(group), "map.%s%s", swiss ? "group" : "bucket", line + name + 3);
		tally->groups += CHECK(go_type_read(elf, md, layout, addr - *bias, &type)) &&
				 CHECK(strcmp(type.name, group) == 0);
	}
	if (sscanf(line, "T\t%lx\t%lu\t%d\t%n", &addr, &size, &kind, &name) != 3 || !name)
		return;
	ok = go_type_read(elf, md, layout, addr - *bias, &type);
	if (ok && same_name(type.name, line + name) && type.size_bytes == size && type.kind == kind)
		tally->same++;
	else if (tally->bad++ < 10)
		fprintf(stderr, "%lx: got %s %lu %d, want %s %lu %d\n", addr - *bias, ok ? type.name : "nothing",
			ok ? type.size_bytes : 0, ok ? type.kind : 0, line + name, size, kind);
}

static void compare_with_reflect(const struct toolchain *tc, const char *name)
{
	struct tally tally = { 0 };
	static char line[65536];
	struct elf_file *elf;
	struct gobin *bin;
	uint64_t bias = 0;
	char path[128];
	FILE *f;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", tc->dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (!CHECK(fd >= 0 && elf_file__open(fd, path, &elf, NULL) == 0))
		return;
	if (!CHECK(gobin__open(elf, &bin, NULL) == 0))
		goto out_elf;
	f = popen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		compare_line(elf, bin, line, &bias, &tally);
	}
	CHECK(f && pclose(f) == 0);
	fprintf(stderr, "# %s %s: %lu types as reflect has them, %lu other, %lu of maps, %lu made at run time\n",
		gobin__version(bin), name, tally.same, tally.bad, tally.groups, tally.made);
	CHECK(tally.same > 100);
	CHECK_INT(tally.bad, 0);
	CHECK(tally.groups >= 5);
	CHECK_INT(tally.made, 4);
	gobin__free(bin);
out_elf:
	elf_file__free(elf);
}

static void check_toolchain(struct toolchain *tc)
{
	static const struct {
		const char *name, *mode, *ldflags;
	} variants[] = {
		{ "exe", "exe", "" },
		{ "stripped.exe", "exe", "-s -w" },
		{ "stripped.pie", "pie", "-s -w" },
		{ "external.pie", "pie", "-s -w -linkmode=external" },
	};
	char cmd[128];

	if (tc->goroot) {
		setenv("R", tc->goroot, 1);
		setenv("GOROOT", tc->goroot, 1);
	}
	if (CHECK(prepare(tc))) {
		for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++)
			if (CHECK(build(tc, variants[i].mode, variants[i].ldflags, variants[i].name)))
				compare_with_reflect(tc, variants[i].name);
		snprintf(cmd, sizeof(cmd), "rm -rf '%s'", tc->dir);
		run(cmd);
	}
	unsetenv("R");
	unsetenv("GOROOT");
}

TEST(installed_go)
{
	struct toolchain tc = { 0 };

	if (system("command -v go >/dev/null")) {
		SKIP("no go in PATH (golang-go)");
		return;
	}
	check_toolchain(&tc);
}

static void check_goroot(const char *goroot)
{
	struct toolchain tc = { .goroot = goroot };

	check_toolchain(&tc);
}

TEST(more_toolchains)
{
	if (!each_goroot(check_goroot))
		SKIP("ALLOCSNOOP_GOROOTS names no further toolchains");
}

TEST_MAIN()
