// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lengths of instructions and the returns of functions against objdump: every
 * instruction of libraries, every function of theirs, followed once more along what
 * objdump prints. And bytes that nobody would write.
 */
#include "capture/returns.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/vec.h"
#include "target/elf.h"
#include "test.h"

#if defined(__x86_64__)

#define LIBS "/usr/lib/x86_64-linux-gnu/"

/* Code in memory, from BASE on. */
#define BASE 0x400000u

static size_t read_span(void *ctx, uint64_t vaddr, uint8_t *buf, size_t size)
{
	const struct span *code = ctx;
	size_t n;

	if (vaddr < BASE || vaddr - BASE >= code->len)
		return 0;
	n = code->len - (vaddr - BASE);
	n = n < size ? n : size;
	memcpy(buf, code->data + (vaddr - BASE), n);
	return n;
}

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

static int find_in(const uint8_t *code, size_t len, uint64_t *ret)
{
	struct span span = { code, len };
	const struct code_reader reader = { &span, read_span };

	return returns_find(&reader, BASE, ret);
}

struct function {
	const char *name, *hex;
	int n; /* or -EILSEQ */
	uint32_t first;
};

static const struct function functions[] = {
	{ "ret alone", "c3", 1, 0 },
	{ "ret imm16", "90 c2 08 00", 1, 1 },
	{ "ret with a prefix", "90 f3 c3", 1, 1 },
	{ "both ways", "85 ff  74 01  c3  c3", 2, 4 },
	{ "one return, two ways to it", "85 ff  74 01  90  c3", 1, 5 },
	{ "a jump over data", "eb 02  ff ff  c3", 1, 4 },
	{ "ret bytes in an immediate", "b8 c3 c3 c3 c3  c3", 1, 5 },
	{ "ret bytes in a 64-bit immediate", "48 b8 c3 c3 c3 c3 c3 c3 c3 c3  c3", 1, 10 },
	{ "ret bytes in a displacement", "8b 84 24 c3 c3 00 00  c3", 1, 7 },
	{ "addr32 call, as the linker relaxes it", "67 e8 00 00 00 00  c3", 1, 6 },
	{ "16-bit immediate", "66 b8 c3 c3  c3", 1, 4 },
	{ "a 32-bit immediate in spite of the prefix", "66 48 81 c0 c3 c3 00 00  c3", 1, 8 },
	{ "behind a call that may not return", "e8 00 00 00 00  0f 0b", 0, 0 },
	{ "endless loop", "eb fe", 0, 0 },
	{ "endless loop of two", "90  eb fd", 0, 0 },
	{ "loop with a way out", "48 ff c8  75 fb  c3", 1, 5 },
	{ "jump to itself, and on", "74 fe  c3", 1, 2 },
	{ "a jump into an instruction, without a return", "74 01  b8 90 90 90 90  c3", 1, 7 },
	{ "a jump into an instruction, to a return in it", "74 01  b8 c3 00 00 00  c3", -EILSEQ, 0 },
	{ "behind the prefix of a return", "74 01  f3 c3", -EILSEQ, 0 },
	{ "a jump in front of the code", "eb f0", -EILSEQ, 0 },
	{ "a jump behind its end", "eb 10  c3", -EILSEQ, 0 },
	{ "a jump to the end", "eb 01  c3", -EILSEQ, 0 },
	{ "no end", "90 90", -EILSEQ, 0 },
	{ "cut in a branch", "85 ff  0f 84 00 00", -EILSEQ, 0 },
	{ "cut in an immediate", "b8 01 02", -EILSEQ, 0 },
	{ "cut in a prefix", "f3 66", -EILSEQ, 0 },
	{ "cut in a VEX prefix", "c4 e2", -EILSEQ, 0 },
	{ "cut in an EVEX prefix", "62 f1 7c", -EILSEQ, 0 },
	{ "cut in the displacement", "8b 84 24 01", -EILSEQ, 0 },
	{ "nothing but prefixes", "66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 c3", -EILSEQ, 0 },
	{ "indirect jump", "ff e0", -EILSEQ, 0 },
	{ "jump through memory", "ff 25 00 00 00 00", -EILSEQ, 0 },
	{ "far return", "cb", -EILSEQ, 0 },
	{ "not of 64-bit code", "06 c3", -EILSEQ, 0 },
	{ "XOP", "8f e9 78 c2 c0  c3", -EILSEQ, 0 },
	{ "pop to memory", "8f 00  c3", 1, 2 },
};

TEST(functions_by_hand)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		const struct function *f = &functions[i];
		uint64_t returns[RETURNS_MAX] = { 0 };
		uint8_t bytes[64], *exact;
		size_t len = unhex(f->hex, bytes, sizeof(bytes));

		/* No byte more than there is. */
		exact = malloc(len);
		memcpy(exact, bytes, len);
		if (!CHECK_INT(find_in(exact, len, returns), f->n) || (f->n > 0 && !CHECK_INT(returns[0], BASE + f->first)))
			fprintf(stderr, "  in: %s\n", f->name);
		free(exact);
	}
}

/* jcc rel32 to @target from @at, both offsets. */
static void put_jcc(uint8_t *code, size_t at, size_t target)
{
	int32_t disp = (int32_t)((int64_t)target - (int64_t)at - 6);

	code[at] = 0x0f;
	code[at + 1] = 0x84;
	memcpy(code + at + 2, &disp, sizeof(disp));
}

/* @n branches, each to a return of its own. */
static int find_many(size_t n, size_t nreturns)
{
	uint64_t returns[RETURNS_MAX];
	size_t len = n * 6 + nreturns;
	uint8_t *code = malloc(len);
	int ret;

	memset(code, 0xc3, len);
	for (size_t i = 0; i < n; i++)
		put_jcc(code, i * 6, n * 6 + i % nreturns);
	ret = find_in(code, len, returns);
	free(code);
	return ret;
}

TEST(no_more_than_there_is_room_for)
{
	uint8_t *nops = malloc(8192);
	uint64_t returns[RETURNS_MAX];

	CHECK_INT(find_many(RETURNS_MAX, RETURNS_MAX), RETURNS_MAX);
	CHECK_INT(find_many(RETURNS_MAX + 1, RETURNS_MAX + 1), -EILSEQ);
	CHECK_INT(find_many(1000, 10), 10); /* ways that are known take no room */
	memset(nops, 0x90, 8192);
	nops[4000] = 0xc3;
	CHECK_INT(find_in(nops, 8192, returns), 1);
	nops[4000] = 0x90;
	nops[4100] = 0xc3;
	CHECK_INT(find_in(nops, 8192, returns), -EILSEQ);
	/* More ways than are kept: each jump goes to a place of its own. */
	for (size_t i = 0; i < 600; i++)
		put_jcc(nops, i * 6, 4000 + i);
	CHECK_INT(find_in(nops, 8192, returns), -EILSEQ);
	free(nops);
}

/* What objdump prints of one instruction. */
enum kind { PLAIN, RETURN, JUMP, BRANCH, INDIRECT, STOP, NOT_DECODED };

struct line {
	uint64_t addr, target;
	uint8_t len, kind;
	bool is_entry; /* of a function that has a name */
};

struct listing {
	struct line *lines; /* by address */
	size_t len, cap;
};

static const char *skip_prefixes(const char *text)
{
	static const char *const prefixes[] = { "repz ", "repnz ", "bnd ", "notrack ", "data16 ", "cs ", "ds ", "es ", "ss ", "fs ",
						"gs ", "lock ", "addr32 ", "rex.W ", "xacquire ", "xrelease " };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(text, prefixes[i], strlen(prefixes[i])) == 0)
			return skip_prefixes(text + strlen(prefixes[i]));
	return text;
}

static void classify(struct line *line, const char *text)
{
	const char *mnemonic = skip_prefixes(text), *operand = mnemonic + strcspn(mnemonic, " \t,"); /* "je,pt" */

	operand += strcspn(operand, " \t");
	operand += strspn(operand, " \t");
	line->target = strtoull(operand, NULL, 16);
	if (strstr(text, "(bad)") || strncmp(mnemonic, "rex", 3) == 0)
		line->kind = NOT_DECODED;
	else if (strncmp(mnemonic, "ret", 3) == 0)
		line->kind = RETURN;
	else if (strncmp(mnemonic, "jmp", 3) == 0)
		line->kind = *operand == '*' ? INDIRECT : JUMP;
	else if (*mnemonic == 'j' || strncmp(mnemonic, "loop", 4) == 0)
		line->kind = BRANCH;
	else if (strncmp(mnemonic, "ud2", 3) == 0 || strncmp(mnemonic, "hlt", 3) == 0 || strncmp(mnemonic, "int3", 4) == 0)
		line->kind = STOP;
	else if (strncmp(mnemonic, "lret", 4) == 0 || strncmp(mnemonic, "iret", 4) == 0 || strncmp(mnemonic, "ljmp", 4) == 0)
		line->kind = INDIRECT;
	else
		line->kind = PLAIN;
}

static int compare_addr(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static struct line *line_at(const struct listing *list, uint64_t addr)
{
	const struct line key = { .addr = addr };

	return list->len ? bsearch(&key, list->lines, list->len, sizeof(key), compare_addr) : NULL;
}

/* "  4010:\t48 89 c7             \tmov    %rax,%rdi". false: not an instruction. */
static bool parse_insn(const char *text, struct line *ret)
{
	char *end;
	uint64_t addr = strtoull(text, &end, 16);
	const char *bytes = end + 2;
	uint8_t len = 0;

	if (end == text || end[0] != ':' || end[1] != '\t')
		return false;
	while (isxdigit(bytes[0]) && isxdigit(bytes[1]) && bytes[2] == ' ') {
		bytes += 3;
		len++;
	}
	*ret = (struct line){ .addr = addr, .len = len };
	bytes = strchr(bytes, '\t');
	classify(ret, bytes ? bytes + 1 : "(bad)");
	return len > 0;
}

/* "0000000000004010 <malloc@@GLIBC_2.2.5>:" */
static uint64_t parse_label(const char *text)
{
	char *end;
	uint64_t addr = strtoull(text, &end, 16);

	return end == text + 16 && strncmp(end, " <", 2) == 0 ? addr : 0;
}

static void list(const char *path, struct listing *ret)
{
	char cmd[512], text[4096];
	uint64_t label = 0, addr;
	FILE *out;

	snprintf(cmd, sizeof(cmd), "objdump -dw --insn-width=16 '%s'", path);
	out = popen(cmd, "r");
	while (CHECK(out) && fgets(text, sizeof(text), out)) {
		struct line line;

		addr = parse_label(text);
		label = addr ? addr : label;
		if (addr || !parse_insn(text, &line) ||
		    vec_reserve((void **)&ret->lines, &ret->cap, ret->len + 1, sizeof(line)))
			continue;
		line.is_entry = line.addr == label;
		ret->lines[ret->len++] = line;
	}
	pclose(out);
	qsort(ret->lines, ret->len, sizeof(*ret->lines), compare_addr);
}

struct result {
	size_t insns, refused_insns, functions, with_returns, returns, refused;
};

/* Each instruction has the length that objdump says, or is refused. */
static void compare_lengths(struct elf_file *elf, const struct listing *list, struct result *n)
{
	size_t wrong = 0;

	for (size_t i = 0; i < list->len; i++) {
		const struct line *line = &list->lines[i];
		uint8_t code[16];
		ssize_t len = elf_file__read_vaddr(elf, line->addr, code, sizeof(code));
		uint32_t got = len > 0 ? insn_length((struct span){ code, (size_t)len }) : 0;

		/* objdump takes fwait for a part of what comes behind it. */
		if (line->kind == NOT_DECODED || (len > 0 && code[0] == 0x9b))
			continue;
		n->insns++;
		n->refused_insns += !got;
		if (got && got != line->len && wrong++ < 10)
			fprintf(stderr, "  at 0x%llx: %u bytes, objdump says %u: %02x %02x %02x %02x\n",
				(unsigned long long)line->addr, got, line->len, code[0], code[1], code[2], code[3]);
	}
	CHECK_INT(wrong, 0);
}

#define WAYS 4096

/* The walk of returns_find() along what objdump prints. Number of returns, or -1: where it goes is not known. */
struct reference {
	const struct listing *list;
	uint32_t *met; /* by line: the number of the walk that met it */
	uint32_t walk;
	uint64_t ways[WAYS], returns[WAYS];
	size_t nways, nreturns, ninsns;
};

static bool reference_step(struct reference *r, const struct line *line)
{
	if (line->kind == NOT_DECODED || line->kind == INDIRECT || r->nways == WAYS || r->nreturns == WAYS)
		return false;
	if (line->kind == RETURN)
		r->returns[r->nreturns++] = line->addr;
	if (line->kind == JUMP || line->kind == BRANCH)
		r->ways[r->nways++] = line->target;
	return true;
}

static int reference_find(struct reference *r, uint64_t entry)
{
	r->walk++;
	r->nways = 1;
	r->nreturns = r->ninsns = 0;
	r->ways[0] = entry;
	for (size_t i = 0; i < r->nways; i++) {
		const struct line *line = line_at(r->list, r->ways[i]);

		for (;;) {
			if (!line)
				return -1;
			if (r->met[line - r->list->lines] == r->walk)
				break;
			r->met[line - r->list->lines] = r->walk;
			r->ninsns++;
			if (!reference_step(r, line))
				return -1;
			if (line->kind == RETURN || line->kind == JUMP || line->kind == STOP)
				break;
			line = line_at(r->list, line->addr + line->len);
		}
	}
	return (int)r->nreturns;
}

static bool same_returns(const struct reference *r, const uint64_t *returns, int n)
{
	if ((size_t)n != r->nreturns)
		return false;
	for (size_t i = 0; i < r->nreturns; i++) {
		int k = 0;

		while (k < n && returns[k] != r->returns[i])
			k++;
		if (k == n)
			return false;
	}
	return true;
}

static size_t read_elf(void *ctx, uint64_t vaddr, uint8_t *buf, size_t size)
{
	ssize_t n = elf_file__is_code(ctx, vaddr) ? elf_file__read_vaddr(ctx, vaddr, buf, size) : 0;

	return n > 0 ? (size_t)n : 0;
}

static void compare_functions(struct elf_file *elf, const struct listing *list, struct result *n)
{
	const struct code_reader reader = { elf, read_elf };
	static struct reference r;
	size_t wrong = 0;

	r.list = list;
	r.walk = 0;
	r.met = calloc(list->len, sizeof(*r.met));
	for (size_t i = 0; r.met && i < list->len; i++) {
		uint64_t returns[RETURNS_MAX], entry = list->lines[i].addr;
		bool good;
		int got, want;

		if (!list->lines[i].is_entry)
			continue;
		got = returns_find(&reader, entry, returns);
		want = reference_find(&r, entry);
		n->functions++;
		n->refused += got < 0;
		n->with_returns += got > 0;
		n->returns += got > 0 ? (size_t)got : 0;
		/* Refused may be what is not small. */
		if (got < 0)
			good = want < 0 || r.nreturns > RETURNS_MAX || r.ninsns > 1000;
		else
			good = want >= 0 && same_returns(&r, returns, got);
		if (!good && wrong++ < 10)
			fprintf(stderr, "  at 0x%llx: %d returns, by objdump's listing %d (%zu instructions)\n",
				(unsigned long long)entry, got, want, r.ninsns);
	}
	free(r.met);
	CHECK_INT(wrong, 0);
}

static void compare_library(const char *path)
{
	struct listing listing = { 0 };
	struct result n = { 0 };
	struct elf_file *elf;

	if (!CHECK_INT(elf_file__open(open(path, O_RDONLY | O_CLOEXEC), path, &elf, NULL), 0))
		return;
	list(path, &listing);
	compare_lengths(elf, &listing, &n);
	compare_functions(elf, &listing, &n);
	fprintf(stderr, "# %s: %zu instructions, %zu not understood; %zu functions, %zu with %zu returns, %zu refused\n", path,
		n.insns, n.refused_insns, n.functions, n.with_returns, n.returns, n.refused);
	CHECK(n.insns > 10000);
	CHECK(n.refused_insns < n.insns / 100);
	CHECK(n.with_returns > n.functions / 10);
	free(listing.lines);
	elf_file__free(elf);
}

TEST(libraries_against_objdump)
{
	static const char *const libs[] = { LIBS "libc.so.6", LIBS "libstdc++.so.6", LIBS "libjemalloc.so.2",
					    LIBS "libmimalloc.so.2.0" };
	bool any = false;

	if (system("objdump --version >/dev/null 2>&1")) {
		SKIP("needs objdump");
		return;
	}
	for (size_t i = 0; i < sizeof(libs) / sizeof(libs[0]); i++) {
		if (access(libs[i], R_OK))
			continue;
		any = true;
		compare_library(libs[i]);
	}
	CHECK(any);
}

#else
TEST(returns)
{
	SKIP("returns are found on x86-64 only");
}
#endif

TEST_MAIN()
