// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Spots against hand-assembled prologues, and against objdump: every function of a
 * Go program, every call of libc. Where objdump says that an instruction begins is
 * where one begins.
 * More toolchains: ALLOCSNOOP_GOROOTS="/path/of/goroot ..."
 */
#include "capture/spot.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "bpf/abi.h"
#include "target/elf.h"
#include "test.h"
#include "toolchains.h"

#if defined(__x86_64__)

#define LIBC "/lib/x86_64-linux-gnu/libc.so.6"
#define RA ABI_SPOT_RA_AT_SP
#define CHECKED (ABI_SPOT_RA_AT_SP | ABI_SPOT_STACK_CHECK)
#define STEPPED (ABI_SPOT_RA_AT_SP | ABI_SPOT_STEPPED)

/* "64 48 8b" to bytes. */
static size_t unhex(const char *hex, uint8_t *buf, size_t size)
{
	size_t n = 0;
	unsigned int byte;
	int used;

	while (n < size && sscanf(hex, "%2x%n", &byte, &used) == 1) {
		buf[n++] = (uint8_t)byte;
		hex += used;
	}
	return n;
}

struct prologue {
	const char *name, *hex;
	int err;
	uint32_t offset, flags;
};

/* Assembled with GNU as; the text behind each is what objdump makes of it. */
static const struct prologue go_prologues[] = {
	{ "1.17 on", "49 3b 66 10  76 40  55  48 89 e5", 0, 4, CHECKED },
	{ "1.17 on, far morestack", "49 3b 66 10  0f 86 00 01 00 00  48 83 ec 18", 0, 4, CHECKED },
	{ "frame over 128", "4c 8d 64 24 e8  4d 3b 66 10  0f 86 a0 0b 00 00", 0, 9, CHECKED },
	{ "frame over 256", "4c 8d a4 24 48 ff ff ff  4d 3b 66 10  76 05", 0, 12, CHECKED },
	{ "1.15", "64 48 8b 0c 25 f8 ff ff ff  48 3b 61 10  76 51", 0, 13, CHECKED },
	{ "1.15, far morestack", "64 48 8b 0c 25 f8 ff ff ff  48 3b 61 10  0f 86 51 01 00 00", 0, 13, CHECKED },
	{ "1.15, frame over 128", "64 48 8b 0c 25 f8 ff ff ff  48 8d 44 24 d8  48 3b 41 10  0f 86 1 0 0 0", 0, 18, CHECKED },
	{ "1.15, frame over 256", "64 48 8b 0c 25 f8 ff ff ff  48 8d 84 24 68 ff ff ff  48 3b 41 10  76 00", 0, 21, CHECKED },
	{ "1.15 PIE", "48 8b 0d 11 22 33 00  64 48 8b 09  48 3b 61 10  76 51", 0, 15, CHECKED },
	{ "1.15 PIE, frame over 128",
	  "48 8b 0d 11 22 33 00  64 48 8b 09  48 8d 44 24 d8  48 3b 41 10  76 51", 0, 20, CHECKED },
	{ "1.15, C has thread-local variables", "64 48 8b 0c 25 f0 ff ff ff 48 3b 61 10 76 51", 0, 13, CHECKED },
	{ "1.15 external linking", "48 c7 c1 f8 ff ff ff  64 48 8b 09  48 3b 61 10  76 51", 0, 15, CHECKED },
	{ "nosplit, a frame's push", "55 48 89 e5 48 83 ec 10", 0, 0, RA },
	{ "push of a high register", "41 57 48 89 e5 48 83 ec", 0, 0, RA },
	{ "nosplit, sub imm8", "48 83 ec 18 48 89 6c 24", 0, 0, STEPPED },
	{ "nosplit, sub imm32", "48 81 ec 98 00 00 00 48", 0, 0, STEPPED },
	{ "sub, and a jbe that is no stack check", "48 83 ec 18 49 3b 66 10 76 10", 0, 0, STEPPED },
	/* Not understood: nothing may be probed. */
	{ "nothing", "", -EILSEQ, 0, 0 },
	{ "g0's stackguard1", "49 3b 66 18 76 40 55", -EILSEQ, 0, 0 },
	{ "another register than g", "49 3b 67 10 76 40 55", -EILSEQ, 0, 0 },
	{ "jb instead of jbe", "49 3b 66 10 72 40 55", -EILSEQ, 0, 0 },
	{ "ja rel32", "49 3b 66 10 0f 87 00 00 00 00", -EILSEQ, 0, 0 },
	{ "something between", "49 3b 66 10 90 76 40", -EILSEQ, 0, 0 },
	{ "g in another segment", "65 48 8b 0c 25 f8 ff ff ff 48 3b 61 10 76 51", -EILSEQ, 0, 0 },
	{ "offset of g, not loaded", "48 c7 c1 f8 ff ff ff 48 3b 61 10 76 51", -EILSEQ, 0, 0 },
	{ "sub of another register", "48 83 e9 18 90 90 90 90", -EILSEQ, 0, 0 },
	{ "add", "48 83 c4 18 90 90 90 90", -EILSEQ, 0, 0 },
	{ "pop", "58 90 90 90 90 90 90 90", -EILSEQ, 0, 0 },
	{ "pop of a high register", "41 58 90 90 90 90 90 90", -EILSEQ, 0, 0 },
	{ "int3", "cc 3b 66 10 76 40", -EILSEQ, 0, 0 },
	{ "huge frame", "49 89 e4 49 81 ec 00 00 02 00 72 10 4d 3b 66 10 76 05", -EILSEQ, 0, 0 },
	{ "zeroes", "00 00 00 00 00 00 00 00", -EILSEQ, 0, 0 },
};

TEST(go_prologues)
{
	for (size_t i = 0; i < sizeof(go_prologues) / sizeof(go_prologues[0]); i++) {
		const struct prologue *p = &go_prologues[i];
		uint8_t code[64];
		struct span span = { code, unhex(p->hex, code, sizeof(code)) };

		for (int old_abi = 0; old_abi < 2; old_abi++) {
			struct spot spot = { 77, 88 };
			bool ok = CHECK_INT(spot_find_go(span, old_abi, &spot), p->err);

			ok = CHECK_INT(spot.offset, p->err ? 77 : p->offset) && ok;
			ok = CHECK_INT(spot.flags, p->err ? 88 : p->flags | (old_abi ? ABI_SPOT_GO_STACK_ARGS : 0)) && ok;
			if (!ok)
				fprintf(stderr, "  in: %s\n", p->name);
		}
	}
}

/* An instruction that is not there in whole is not understood, and nothing behind the end is looked at. */
TEST(go_prologues_cut_short)
{
	for (size_t i = 0; i < sizeof(go_prologues) / sizeof(go_prologues[0]); i++) {
		const struct prologue *p = &go_prologues[i];
		uint8_t code[64], *part;
		size_t len = unhex(p->hex, code, sizeof(code)), need;
		struct spot spot, whole;

		if (p->err || !(p->flags & ABI_SPOT_STACK_CHECK))
			continue;
		need = p->offset + (code[p->offset] == 0x0f ? 6 : 2);
		CHECK(len >= need);
		for (size_t cut = 0; cut < need; cut++) {
			part = malloc(cut + !cut); /* so that a sanitizer sees a read past it */
			memcpy(part, code, cut);
			if (!CHECK_INT(spot_find_go((struct span){ part, cut }, false, &spot), -EILSEQ))
				fprintf(stderr, "  in: %s, %zu bytes\n", p->name, cut);
			free(part);
		}
		CHECK_INT(spot_find_go((struct span){ code, need }, false, &whole), 0);
		CHECK_INT(whole.offset, p->offset);
	}
}

static const struct prologue c_prologues[] = {
	{ "push", "55 48 89 e5", 0, 0, RA },
	{ "push of a high register", "41 54 55 53", 0, 0, RA },
	{ "endbr64, push", "f3 0f 1e fa 55 48 89 e5", 0, 4, RA },
	{ "endbr64, push of a high register", "f3 0f 1e fa 41 57 41 56", 0, 4, RA },
	{ "endbr64, another", "f3 0f 1e fa 48 83 ec 08", 0, 0, STEPPED },
	{ "endbr32 is not known", "f3 0f 1e fb 55 48 89 e5", 0, 0, STEPPED },
	{ "endbr64, a prefix of something else", "f3 0f 1e fa 41 89 e5 90", 0, 0, STEPPED },
	{ "endbr64 and no more", "f3 0f 1e fa", 0, 0, STEPPED },
	{ "test", "48 85 ff 74 10", 0, 0, STEPPED },
	{ "pop", "5d c3", 0, 0, STEPPED },
	{ "nothing", "", -EILSEQ, 0, 0 },
	{ "another tracer's int3", "cc 48 89 e5", -EILSEQ, 0, 0 },
};

TEST(c_prologues)
{
	for (size_t i = 0; i < sizeof(c_prologues) / sizeof(c_prologues[0]); i++) {
		const struct prologue *p = &c_prologues[i];
		struct spot spot = { 77, 88 };
		uint8_t code[64];
		struct span span = { code, unhex(p->hex, code, sizeof(code)) };
		bool ok = CHECK_INT(spot_find_c(span, &spot), p->err);

		ok = CHECK_INT(spot.offset, p->err ? 77 : p->offset) && ok;
		ok = CHECK_INT(spot.flags, p->err ? 88 : p->flags) && ok;
		if (!ok)
			fprintf(stderr, "  in: %s\n", p->name);
	}
}

TEST(matches)
{
	static const uint8_t file[4] = { 0x55, 0x48, 0x89, 0xe5 };
	uint8_t image[4];

	CHECK(spot_matches((struct span){ file, 4 }, (struct span){ file, 4 }));
	memcpy(image, file, 4);
	image[0] = 0xcc; /* another tracer's breakpoint on the same spot */
	CHECK(spot_matches((struct span){ file, 4 }, (struct span){ image, 4 }));
	CHECK(spot_matches((struct span){ file, 1 }, (struct span){ image, 1 }));
	image[0] = 0x90;
	CHECK(!spot_matches((struct span){ file, 4 }, (struct span){ image, 4 }));
	for (int i = 1; i < 4; i++) {
		memcpy(image, file, 4);
		image[i] = 0xcc; /* one behind it means that ours would be in its middle */
		CHECK(!spot_matches((struct span){ file, 4 }, (struct span){ image, 4 }));
	}
	CHECK(!spot_matches((struct span){ file, 4 }, (struct span){ file, 3 }));
	CHECK(!spot_matches((struct span){ file, 3 }, (struct span){ file, 4 }));
	CHECK(!spot_matches((struct span){ file, 0 }, (struct span){ file, 0 }));
}

/* One line of `objdump -dw`. */
struct insn {
	uint64_t addr;
	uint8_t bytes[16];
	size_t len;
	char text[256]; /* "jbe    1234 <main.main+0x40>" */
};

enum line_kind { LINE_OTHER, LINE_LABEL, LINE_INSN };

/* "  401000:\t49 3b 66 10          \tcmp    0x10(%r14),%rsp" or "0000000000401000 <main.main>:" */
static enum line_kind parse_line(const char *line, struct insn *insn, char *label, size_t label_size)
{
	const char *text, *open;
	char *end, hex[64];

	insn->addr = strtoull(line + strspn(line, " "), &end, 16);
	open = strstr(end, " <");
	if (open == end && isxdigit(line[0])) {
		snprintf(label, label_size, "%s", open + 2);
		label[strcspn(label, "\n")] = 0;
		if (strlen(label) > 2)
			label[strlen(label) - 2] = 0; /* ">:" */
		return LINE_LABEL;
	}
	if (end == line || end[0] != ':' || end[1] != '\t')
		return LINE_OTHER;
	text = strchr(end + 2, '\t');
	snprintf(hex, sizeof(hex), "%.*s", (int)strcspn(end + 2, "\t\n"), end + 2);
	insn->len = unhex(hex, insn->bytes, sizeof(insn->bytes));
	snprintf(insn->text, sizeof(insn->text), "%s", text ? text + 1 : "");
	insn->text[strcspn(insn->text, "\n")] = 0;
	return insn->len ? LINE_INSN : LINE_OTHER;
}

static bool starts_with(const char *text, const char *word)
{
	size_t len = strlen(word);

	return strncmp(text, word, len) == 0 && (text[len] == ' ' || !text[len]);
}

/* Is the mnemonic, behind any prefixes, a near call? */
static bool is_call(const char *text)
{
	static const char *const prefixes[] = { "bnd", "notrack", "data16", "rex.W", "addr32",
						"cs",  "ds",	   "es",     "ss",    "fs",	"gs" };
	bool again = true;

	while (again) {
		again = false;
		for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
			if (!starts_with(text, prefixes[i]))
				continue;
			text += strlen(prefixes[i]);
			text += strspn(text, " ");
			again = true;
		}
	}
	return starts_with(text, "call") || starts_with(text, "callq");
}

struct after_call_count {
	uint64_t calls, missed, others, wrong;
};

/* Every instruction boundary of @path: is it behind a call, by objdump and by us? */
static bool compare_calls(const char *path, struct after_call_count *ret)
{
	char cmd[512], line[4096], label[512];
	struct after_call_count n = { 0 };
	struct insn insn;
	uint8_t window[8];
	size_t have = 0;
	uint64_t next = 0;
	FILE *out;

	snprintf(cmd, sizeof(cmd), "objdump -dw --insn-width=16 '%s'", path);
	out = popen(cmd, "r");
	if (!CHECK(out))
		return false;
	while (fgets(line, sizeof(line), out)) {
		bool call, ours;

		if (parse_line(line, &insn, label, sizeof(label)) != LINE_INSN)
			continue;
		if (insn.addr != next)
			have = 0;
		next = insn.addr + insn.len;
		for (size_t i = 0; i < insn.len; i++) {
			if (have == sizeof(window))
				memmove(window, window + 1, --have);
			window[have++] = insn.bytes[i];
		}
		if (have < sizeof(window))
			continue;
		call = is_call(insn.text);
		ours = spot_is_after_call((struct span){ window, sizeof(window) });
		n.calls += call;
		n.others += !call;
		n.missed += call && !ours;
		n.wrong += !call && ours;
		if (call && !ours && n.missed < 5)
			fprintf(stderr, "  missed: %s", line);
	}
	*ret = n;
	return CHECK_INT(pclose(out), 0);
}

/* Every return address of libc must be taken for one; few others may. */
TEST(every_call_of_libc)
{
	static const char *const files[] = { LIBC, "/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libm.so.6" };
	struct after_call_count n;

	if (system("objdump --version >/dev/null 2>&1") || access(LIBC, R_OK)) {
		SKIP("needs objdump and a libc");
		return;
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (access(files[i], R_OK) || !compare_calls(files[i], &n))
			continue;
		fprintf(stderr, "# %s: %lu return addresses, %lu of %lu other boundaries look like one (%.3f %%)\n", files[i],
			n.calls, n.wrong, n.others, 100.0 * (double)n.wrong / (double)n.others);
		CHECK(n.calls > 100 && n.others > n.calls);
		CHECK_INT(n.missed, 0);
		CHECK(n.wrong * 20 < n.others);
	}
}

static const char *const registers[] = { "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
					 "r8",	"r9",  "r10", "r11", "r12", "r13", "r14", "r15" };

/* All that a near call can look like: 16 registers, and every form of address of each. */
static void write_calls(FILE *as)
{
	static const char *const disps[] = { "", "0x10", "-0x10", "0x12345", "-0x12345" };

	fprintf(as, "\t.text\nstart:\n\tcall start\n\tcall far\n\tdata16 rex.W call far\n");
	fprintf(as, "\tcall *far(%%rip)\n\tcall *0x1234\n\tcall *%%fs:0x28\n\tcall *%%gs:(%%rax)\n\tcall *(%%eax)\n");
	for (size_t r = 0; r < 16; r++) {
		fprintf(as, "\tcall *%%%s\n\tnotrack call *%%%s\n", registers[r], registers[r]);
		for (size_t d = 0; d < sizeof(disps) / sizeof(disps[0]); d++) {
			fprintf(as, "\tcall *%s(%%%s)\n", disps[d], registers[r]);
			for (size_t x = 0; x < 16; x++) {
				if (strcmp(registers[x], "rsp") == 0)
					continue; /* there is no such index */
				fprintf(as, "\tcall *%s(%%%s,%%%s,%d)\n", disps[d], registers[r], registers[x], 1 << x % 4);
				if (!r)
					fprintf(as, "\tcall *%s(,%%%s,%d)\n", disps[d], registers[x], 1 << x % 4);
			}
		}
	}
	fprintf(as, "far:\tret\n");
}

TEST(every_form_of_call)
{
	struct after_call_count n = { 0 };
	char dir[] = "/tmp/test_spot.XXXXXX", path[128], cmd[512];
	FILE *as;

	if (system("as --version >/dev/null 2>&1 && objdump --version >/dev/null 2>&1")) {
		SKIP("needs as and objdump");
		return;
	}
	if (!CHECK(mkdtemp(dir)))
		return;
	snprintf(path, sizeof(path), "%s/calls.o", dir);
	snprintf(cmd, sizeof(cmd), "as -o %s -", path);
	as = popen(cmd, "w");
	if (CHECK(as)) {
		write_calls(as);
		CHECK_INT(pclose(as), 0);
		compare_calls(path, &n);
		fprintf(stderr, "# %lu forms of call\n", n.calls);
		CHECK(n.calls > 1000);
		CHECK_INT(n.missed, 0);
	}
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	CHECK_INT(system(cmd), 0);
}

TEST(not_after_call)
{
	static const char *const hex[] = {
		"90 90 90 90 90 90 90 90", /* nop */
		"90 90 90 e9 00 00 00 00", /* jmp rel32 */
		"90 90 90 90 90 90 ff e0", /* jmp *%rax */
		"90 90 90 90 90 90 ff 08", /* decl (%rax) */
		"90 90 90 90 90 90 ff 30", /* push (%rax) */
		"90 90 90 90 90 90 ff 50", /* the displacement of call *x(%rax) is missing */
		"90 90 90 90 90 ff 14 25", /* the displacement of call *x is missing */
		"e8 00 00 00 00 90 90 90", /* a call, but not the last */
		"ff d0 90 90 90 90 90 90",
		"90 90 90 90 90 90 90 e8",
	};
	uint8_t code[8];

	for (size_t i = 0; i < sizeof(hex) / sizeof(hex[0]); i++) {
		CHECK_INT(unhex(hex[i], code, sizeof(code)), 8);
		if (!CHECK(!spot_is_after_call((struct span){ code, 8 })))
			fprintf(stderr, "  in: %s\n", hex[i]);
	}
	/* Fewer bytes than the longest call: rather no. */
	for (size_t len = 0; len < 7; len++) {
		uint8_t *part = malloc(len + !len);

		memset(part, 0x90, len);
		CHECK(!spot_is_after_call((struct span){ part, len }));
		free(part);
	}
}

static const char go_source[] = "package main\n"
				"import (\"encoding/json\"; \"fmt\"; \"os\")\n"
				"type big [1 << 17]byte\n"
				"//go:noinline\n"
				"func huge(n int) byte { var b big; b[n] = 1; return b[n/2] }\n"
				"func main() { b, _ := json.Marshal(os.Args); fmt.Println(string(b), huge(len(b))) }\n";

/* What objdump shows of the first instructions of a function. */
struct shape {
	char name[512];
	uint64_t entry, check; /* of the branch after the stack check */
	uint32_t ninsns;
	bool is_open; /* still what may stand before the check */
	bool compared; /* the last instruction was the comparison */
	bool first_is_push, first_is_sub;
};

static void shape__add(struct shape *s, const struct insn *insn)
{
	const char *t = insn->text;

	if (!s->ninsns++) {
		s->first_is_push = starts_with(t, "push");
		s->first_is_sub = starts_with(t, "sub") && strstr(t, ",%rsp") && t[strcspn(t, " ")] && strchr(t, '$');
	}
	if (!s->is_open)
		return;
	if (s->compared && starts_with(t, "jbe"))
		s->check = insn->addr;
	if (s->compared) {
		s->is_open = false;
		return;
	}
	/*
	 * stackguard0 of g in %r14, or before 1.17 in %rcx from thread-local storage. Assembly functions load %r14
	 * from there up to this day; none of them is a door.
	 */
	s->compared = starts_with(t, "cmp") && (strstr(t, " 0x10(%r14),") || strstr(t, " 0x10(%rcx),"));
	if (s->compared || (starts_with(t, "mov") && strstr(t, ",%rcx") && (strstr(t, "%fs:") || strstr(t, "(%rip)"))) ||
	    (starts_with(t, "mov") && strchr(t, '$') && strstr(t, ",%rcx")) ||
	    (starts_with(t, "lea") && strstr(t, "(%rsp),%r")))
		return;
	s->is_open = false;
}

struct go_count {
	uint64_t checked, pushed, stepped, refused, wrong;
};

static void shape__compare(const struct shape *s, const struct elf_file *elf, bool old_abi, struct go_count *n)
{
	uint32_t abi = ABI_SPOT_RA_AT_SP | (old_abi ? ABI_SPOT_GO_STACK_ARGS : 0);
	struct spot spot = { 0 }, want = { 0 };
	int err, want_err = 0;
	uint8_t code[64];
	ssize_t len;

	if (!s->ninsns)
		return;
	len = elf_file__read_vaddr(elf, s->entry, code, sizeof(code));
	if (len < 8)
		return;
	err = spot_find_go((struct span){ code, (size_t)len }, old_abi, &spot);
	if (s->check)
		want = (struct spot){ (uint32_t)(s->check - s->entry), abi | ABI_SPOT_STACK_CHECK };
	else if (s->first_is_push)
		want = (struct spot){ 0, abi };
	else if (s->first_is_sub)
		want = (struct spot){ 0, abi | ABI_SPOT_STEPPED };
	else
		want_err = -EILSEQ;
	n->checked += s->check != 0;
	n->pushed += !s->check && s->first_is_push;
	n->stepped += !s->check && s->first_is_sub;
	n->refused += want_err != 0;
	if (err == want_err && spot.offset == want.offset && spot.flags == want.flags)
		return;
	if (n->wrong++ < 10)
		fprintf(stderr, "  %s: %d, offset %u, flags %x; want %d, offset %u, flags %x\n", s->name, err, spot.offset,
			spot.flags, want_err, want.offset, want.flags);
}

static void compare_program(const char *path, bool old_abi)
{
	char cmd[512], line[4096], label[512];
	struct shape shape = { .ninsns = 0 };
	struct go_count n = { 0 };
	bool has_mallocgc = false;
	struct elf_file *elf;
	struct insn insn;
	FILE *out;

	if (!CHECK_INT(elf_file__open(open(path, O_RDONLY | O_CLOEXEC), path, &elf, NULL), 0))
		return;
	snprintf(cmd, sizeof(cmd), "objdump -dw --insn-width=16 -j .text '%s'", path);
	out = popen(cmd, "r");
	while (CHECK(out) && fgets(line, sizeof(line), out)) {
		switch (parse_line(line, &insn, label, sizeof(label))) {
		case LINE_LABEL:
			shape__compare(&shape, elf, old_abi, &n);
			has_mallocgc |= shape.check && strcmp(shape.name, "runtime.mallocgc") == 0;
			shape = (struct shape){ .entry = insn.addr, .is_open = true };
			memcpy(shape.name, label, sizeof(label));
			break;
		case LINE_INSN:
			shape__add(&shape, &insn);
			break;
		case LINE_OTHER:
			break;
		}
	}
	shape__compare(&shape, elf, old_abi, &n);
	pclose(out);
	elf_file__free(elf);
	fprintf(stderr, "# %s: %lu with a stack check, %lu push, %lu sub, %lu others refused\n", path, n.checked, n.pushed,
		n.stepped, n.refused);
	CHECK(has_mallocgc);
	CHECK(n.checked > 500);
	CHECK_INT(n.wrong, 0);
}

/* @goroot NULL: the go in PATH. */
static void compare_toolchain(const char *goroot)
{
	static const char *const modes[] = { "exe", "pie" };
	char dir[] = "/tmp/test_spot.XXXXXX", path[128], cmd[1024], env[256] = "";
	int minor = 0;
	FILE *f;

	if (goroot)
		snprintf(env, sizeof(env), "GOROOT=%s PATH=%s/bin:$PATH", goroot, goroot);
	snprintf(cmd, sizeof(cmd), "%s go version", env);
	f = popen(cmd, "r");
	if (!CHECK(f) || !CHECK(fscanf(f, "go version go1.%d", &minor) == 1))
		minor = 0;
	if (f)
		pclose(f);
	if (!minor || !CHECK(mkdtemp(dir)))
		return;
	snprintf(path, sizeof(path), "%s/main.go", dir);
	f = fopen(path, "w");
	if (CHECK(f)) {
		fputs(go_source, f);
		fclose(f);
	}
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/1.%d-%s", dir, minor, modes[i]);
		snprintf(cmd, sizeof(cmd),
			 "cd %s && %s GO111MODULE=off GOTOOLCHAIN=local GOFLAGS= GOEXPERIMENT= CGO_ENABLED=0"
			 " GOCACHE=${GOCACHE:-/tmp/allocsnoop-test-gocache} go build -buildmode=%s -o %s main.go",
			 dir, env, modes[i], path);
		if (CHECK_INT(system(cmd), 0))
			compare_program(path, minor < 17);
	}
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	CHECK_INT(system(cmd), 0);
}

/* Every function that the Go compiler made: the branch that objdump shows, or what else is safe. */
TEST(every_function_of_a_go_program)
{
	if (system("command -v go >/dev/null && objdump --version >/dev/null 2>&1")) {
		SKIP("needs go and objdump");
		return;
	}
	compare_toolchain(NULL);
	each_goroot(compare_toolchain);
}

#else
TEST(spot)
{
	SKIP("spots are found on x86-64 only");
}
#endif

TEST_MAIN()
