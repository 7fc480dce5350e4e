// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tables made by hand, one in each of the four layouts, from the runtime's own
 * structures written down here a second time. test_gobin compares with real programs.
 */
#include "go/gopclntab.h"

#include <errno.h>
#include <stdlib.h>

#include "test.h"

#define TEXT 0x401000ull
#define TREES 0x500000ull /* address of the funcdata span */
#define TREE_OFF 16 /* of the inline tree in it */
#define OUTER_SIZE 64
#define NEXT_SIZE 32

/* runtime/runtime2.go of 1.15, 1.16, 1.18 and 1.20 */
struct func_15 {
	uint64_t entry;
	int32_t nameoff, args;
	uint32_t deferreturn;
	int32_t pcsp, pcfile, pcln, npcdata;
	uint8_t func_id, pad[2], nfuncdata;
};

struct func_16 {
	uint64_t entry;
	int32_t nameoff, args;
	uint32_t deferreturn, pcsp, pcfile, pcln, npcdata, cu_offset;
	uint8_t func_id, pad[2], nfuncdata;
} __attribute__((packed));

struct func_18 {
	uint32_t entryoff;
	int32_t nameoff, args;
	uint32_t deferreturn, pcsp, pcfile, pcln, npcdata, cu_offset;
	uint8_t func_id, flag, pad, nfuncdata;
};

struct func_20 {
	uint32_t entryoff;
	int32_t nameoff, args;
	uint32_t deferreturn, pcsp, pcfile, pcln, npcdata, cu_offset;
	int32_t start_line;
	uint8_t func_id, flag, pad, nfuncdata;
};

/* runtime/symtab.go */
struct inlined_15 {
	int16_t parent;
	uint8_t func_id, pad;
	int32_t file, line, func, parent_pc;
};

struct inlined_20 {
	uint8_t func_id, pad[3];
	int32_t name_off, parent_pc, start_line;
};

_Static_assert(sizeof(struct func_15) == 40 && sizeof(struct func_16) == 44 && sizeof(struct func_18) == 40 &&
	       sizeof(struct func_20) == 44 && sizeof(struct inlined_15) == 20 && sizeof(struct inlined_20) == 16,
	       "as in the runtime");

struct made {
	uint8_t bytes[1024], trees[128];
	size_t len, trees_len;
	size_t ftab; /* where it is */
	struct gopclntab_input in;
};

static size_t put(struct made *m, const void *data, size_t len)
{
	size_t at = m->len;

	memcpy(m->bytes + at, data, len);
	m->len += len;
	return at;
}

static size_t put_str(struct made *m, const char *s)
{
	return put(m, s, strlen(s) + 1);
}

static void put32(struct made *m, uint32_t value)
{
	put(m, &value, 4);
}

static void put64(struct made *m, uint64_t value)
{
	put(m, &value, 8);
}

static void set64(struct made *m, size_t at, uint64_t value)
{
	memcpy(m->bytes + at, &value, 8);
}

static void align(struct made *m, size_t to)
{
	while (m->len % to)
		m->bytes[m->len++] = 0;
}

static void put_varint(struct made *m, uint32_t value)
{
	uint8_t byte;

	for (; value >= 0x80; value >>= 7) {
		byte = (uint8_t)(value | 0x80);
		put(m, &byte, 1);
	}
	byte = (uint8_t)value;
	put(m, &byte, 1);
}

struct range {
	uint32_t end;
	int32_t value;
};

/* A table of values up to each end; its place. */
static size_t put_values(struct made *m, const struct range *ranges, size_t n)
{
	size_t at = m->len;
	uint32_t pc = 0;
	int32_t value = -1, delta;

	for (size_t i = 0; i < n; i++) {
		delta = ranges[i].value - value;
		put_varint(m, ((uint32_t)delta << 1) ^ (uint32_t)(delta >> 31));
		put_varint(m, ranges[i].end - pc);
		value = ranges[i].value;
		pc = ranges[i].end;
	}
	put(m, "", 1);
	return at;
}

struct places {
	size_t names, cutab, files, pctab, functab;
	uint32_t outer, mid, leaf, next; /* names, from where the version counts */
	uint32_t file_offs[3];
	uint32_t line, file, inl, sp, next_line, next_file; /* tables, likewise */
};

/*
 * outer() a.go, its call of mid() (b.go) at 8, in which is that of leaf() (c.go) at 16:
 * 0-12 outer's own lines 10 and 11, 12-20 mid's 20 and 21, 20-40 leaf's 30, 40-64 outer's 12.
 */
static void put_tables(struct made *m, int minor, struct places *p)
{
	int32_t first = minor < 16 ? 1 : 0;
	const struct range line[] = { { 8, 10 }, { 12, 11 }, { 16, 20 }, { 20, 21 }, { 40, 30 }, { 64, 12 } };
	const struct range file[] = { { 12, first }, { 20, first + 1 }, { 40, first + 2 }, { 64, first } };
	const struct range inl[] = { { 12, -1 }, { 20, 0 }, { 40, 1 }, { 64, -1 } };
	const struct range sp[] = { { 4, 0 }, { 64, 24 } };
	const struct range next_line[] = { { 32, 70000 } }, next_file[] = { { 32, first } };
	size_t base;

	p->names = m->len;
	base = minor < 16 ? 0 : p->names;
	put(m, "", 1);
	p->outer = (uint32_t)(put_str(m, "main.outer") - base);
	p->mid = (uint32_t)(put_str(m, "main.mid") - base);
	p->leaf = (uint32_t)(put_str(m, "main.leaf") - base);
	p->next = (uint32_t)(put_str(m, "main.next") - base);
	align(m, 4);
	p->cutab = m->len;
	if (minor >= 16) {
		put32(m, 999); /* another unit's */
		for (uint32_t i = 0; i < 3; i++)
			put32(m, i * 5);
	}
	p->files = m->len;
	base = minor < 16 ? 0 : p->files;
	p->file_offs[0] = (uint32_t)(put_str(m, "a.go") - base);
	p->file_offs[1] = (uint32_t)(put_str(m, "b.go") - base);
	p->file_offs[2] = (uint32_t)(put_str(m, "c.go") - base);
	p->pctab = m->len;
	base = minor < 16 ? 0 : p->pctab;
	put(m, "", 1);
	p->line = (uint32_t)(put_values(m, line, 6) - base);
	p->file = (uint32_t)(put_values(m, file, 4) - base);
	p->inl = (uint32_t)(put_values(m, inl, 4) - base);
	p->sp = (uint32_t)(put_values(m, sp, 2) - base);
	p->next_line = (uint32_t)(put_values(m, next_line, 1) - base);
	p->next_file = (uint32_t)(put_values(m, next_file, 1) - base);
	align(m, 8);
}

static void put_trees(struct made *m, int minor, const struct places *p)
{
	struct inlined_15 old[2] = { { -1, 0, 0, 0, 0, (int32_t)p->mid, 8 }, { 0, 0, 0, 0, 0, (int32_t)p->leaf, 16 } };
	struct inlined_20 new[2] = { { 0, { 0 }, (int32_t)p->mid, 8, 19 }, { 0, { 0 }, (int32_t)p->leaf, 16, 29 } };
	size_t len = minor < 20 ? sizeof(old) : sizeof(new);

	memcpy(m->trees + TREE_OFF, minor < 20 ? (void *)old : (void *)new, len);
	m->trees_len = TREE_OFF + len;
}

static size_t put_rec(struct made *m, int minor, const struct places *p, bool outer)
{
	int32_t name = (int32_t)(outer ? p->outer : p->next);
	uint32_t sp = outer ? p->sp : 0, file = outer ? p->file : p->next_file, line = outer ? p->line : p->next_line;
	uint32_t npcdata = outer ? 3 : 0, off = outer ? 0 : OUTER_SIZE;
	uint8_t nfuncdata = outer ? 5 : 0;
	struct func_15 f15 = { TEXT + off,	 name, 0,     0,	(int32_t)sp, (int32_t)file, (int32_t)line,
			       (int32_t)npcdata, 0,    { 0 }, nfuncdata };
	struct func_16 f16 = { TEXT + off, name, 0, 0, sp, file, line, npcdata, 1, 0, { 0 }, nfuncdata };
	struct func_18 f18 = { off, name, 0, 0, sp, file, line, npcdata, 1, 0, 0, 0, nfuncdata };
	struct func_20 f20 = { off, name, 0, 0, sp, file, line, npcdata, 1, outer ? 9 : 69999, 0, 0, 0, nfuncdata };
	int inltree = minor < 16 ? 4 : 3;
	size_t at;

	align(m, 8);
	if (minor < 16)
		at = put(m, &f15, sizeof(f15));
	else if (minor < 18)
		at = put(m, &f16, sizeof(f16));
	else
		at = minor < 20 ? put(m, &f18, sizeof(f18)) : put(m, &f20, sizeof(f20));
	if (!outer)
		return at;
	put32(m, 0);
	put32(m, 0);
	put32(m, p->inl);
	if (minor < 18)
		align(m, 8);
	for (int i = 0; i < nfuncdata; i++) {
		if (minor < 18)
			put64(m, i == inltree ? TREES + TREE_OFF : 0);
		else
			put32(m, i == inltree ? TREE_OFF : UINT32_MAX);
	}
	return at;
}

static uint32_t magic_of(int minor)
{
	return minor < 16 ? 0xfffffffb : minor < 18 ? 0xfffffffa : minor < 20 ? 0xfffffff0 : 0xfffffff1;
}

/* Starts and places of the two records, and the end. */
static void put_ftab(struct made *m, int minor, const size_t at[2])
{
	uint64_t starts[3] = { 0, OUTER_SIZE, OUTER_SIZE + NEXT_SIZE };
	size_t keep = m->len;

	m->len = m->ftab;
	for (int i = 0; i < 3; i++) {
		if (minor < 18)
			put64(m, TEXT + starts[i]);
		else
			put32(m, (uint32_t)starts[i]);
		if (i < 2 && minor < 18)
			put64(m, at[i]);
		else if (i < 2)
			put32(m, (uint32_t)at[i]);
	}
	m->len = keep;
}

static void make_whole(struct made *m, struct places *p)
{
	size_t recs[2], file_off;

	m->ftab = m->len;
	m->len += 5 * 8;
	file_off = m->len;
	m->len += 8;
	put_tables(m, 15, p);
	align(m, 4);
	memcpy(m->bytes + file_off, &(uint32_t){ (uint32_t)m->len }, 4);
	put32(m, 4);
	for (int i = 0; i < 3; i++)
		put32(m, p->file_offs[i]);
	recs[0] = put_rec(m, 15, p, true);
	recs[1] = put_rec(m, 15, p, false);
	put_ftab(m, 15, recs);
}

static void make_split(struct made *m, int minor, struct places *p)
{
	size_t words = m->len + (minor < 18 ? 8 : 16), recs[2];

	set64(m, m->len, 3); /* files */
	if (minor >= 18 && minor < 26)
		set64(m, m->len + 8, TEXT);
	m->len = words + 5 * 8;
	put_tables(m, minor, p);
	m->ftab = m->len;
	m->len += minor < 18 ? 5 * 8 : 5 * 4;
	set64(m, words, p->names);
	set64(m, words + 8, p->cutab);
	set64(m, words + 16, p->files);
	set64(m, words + 24, p->pctab);
	set64(m, words + 32, m->ftab);
	recs[0] = put_rec(m, minor, p, true) - m->ftab;
	recs[1] = put_rec(m, minor, p, false) - m->ftab;
	put_ftab(m, minor, recs);
}

/* For tests/fuzz/fuzz_gopclntab.c, which does not come upon an inline tree by itself: in the form that it reads. */
static void save_seed(const struct made *m, int minor)
{
	const char *folder = getenv("ALLOCSNOOP_FUZZ_SEEDS");
	uint8_t head[3] = { (uint8_t)minor, (uint8_t)m->trees_len, (uint8_t)(m->trees_len >> 8) };
	char path[4096];
	FILE *f;

	if (!folder)
		return;
	snprintf(path, sizeof(path), "%s/go1.%d", folder, minor);
	f = fopen(path, "w");
	if (!CHECK(f))
		return;
	CHECK(fwrite(head, sizeof(head), 1, f) == 1 && fwrite(m->trees, m->trees_len, 1, f) == 1 &&
	      fwrite(m->bytes, m->len, 1, f) == 1);
	fclose(f);
}

static void make(struct made *m, int minor)
{
	struct places p = { 0 };

	memset(m, 0, sizeof(*m));
	put32(m, magic_of(minor));
	put32(m, 0x08010000); /* two pad bytes, quantum 1, pointers of 8 */
	put64(m, 2);
	if (minor < 16)
		make_whole(m, &p);
	else
		make_split(m, minor, &p);
	put_trees(m, minor, &p);
	m->in = (struct gopclntab_input){ .bytes = { m->bytes, m->len }, .text_vaddr = minor >= 26 ? TEXT : 0,
					  .funcdata = { m->trees, m->trees_len }, .funcdata_vaddr = TREES,
					  .go_minor = minor };
	save_seed(m, minor);
}

static const int minors[] = { 15, 16, 17, 18, 19, 20, 21, 25, 26, 27 };

static void check_frame(const struct go_frame *f, const char *func, const char *file, uint32_t line, uint32_t start,
			bool inl)
{
	CHECK_STR(f->func, func);
	CHECK_STR(f->file, file);
	CHECK_INT(f->line, line);
	CHECK_INT(f->start_line, start);
	CHECK_INT(f->inlined, inl);
}

TEST(every_layout)
{
	struct go_frame f[8];
	struct gopclntab *tab;
	struct go_func func;
	struct made m;
	int32_t delta;

	for (size_t i = 0; i < sizeof(minors) / sizeof(minors[0]); i++) {
		bool new = minors[i] >= 20;

		make(&m, minors[i]);
		CHECK(gopclntab_probe(m.in.bytes));
		if (!CHECK_INT(gopclntab__open(&m.in, &tab), 0))
			continue;
		CHECK_INT(gopclntab__nfuncs(tab), 2);
		if (CHECK(gopclntab__func(tab, 1, &func))) {
			CHECK_STR(func.name, "main.next");
			CHECK_INT(func.entry, TEXT + OUTER_SIZE);
			CHECK_INT(func.end, TEXT + OUTER_SIZE + NEXT_SIZE);
		}
		CHECK(!gopclntab__func(tab, 2, &func));
		CHECK(gopclntab__find_pc(tab, TEXT, &func) && func.index == 0);
		CHECK(gopclntab__find_pc(tab, TEXT + OUTER_SIZE - 1, &func) && func.index == 0);
		CHECK(!gopclntab__find_pc(tab, TEXT - 1, &func));
		CHECK(!gopclntab__find_pc(tab, TEXT + OUTER_SIZE + NEXT_SIZE, &func));

		if (CHECK_INT(gopclntab__frames(tab, TEXT + 30, f, 8), 3)) {
			check_frame(&f[0], "main.leaf", "c.go", 30, new ? 29 : 0, true);
			check_frame(&f[1], "main.mid", "b.go", 21, new ? 19 : 0, true);
			check_frame(&f[2], "main.outer", "a.go", 11, new ? 9 : 0, false);
		}
		if (CHECK_INT(gopclntab__frames(tab, TEXT + 12, f, 8), 2)) {
			check_frame(&f[0], "main.mid", "b.go", 20, new ? 19 : 0, true);
			check_frame(&f[1], "main.outer", "a.go", 11, new ? 9 : 0, false);
		}
		if (CHECK_INT(gopclntab__frames(tab, TEXT + 63, f, 8), 1))
			check_frame(&f[0], "main.outer", "a.go", 12, new ? 9 : 0, false);
		if (CHECK_INT(gopclntab__frames(tab, TEXT + OUTER_SIZE, f, 8), 1))
			check_frame(&f[0], "main.next", "a.go", 70000, new ? 69999 : 0, false);
		/* The innermost ones when there is no room. */
		if (CHECK_INT(gopclntab__frames(tab, TEXT + 30, f, 2), 2))
			check_frame(&f[1], "main.mid", "b.go", 21, new ? 19 : 0, true);
		CHECK_INT(gopclntab__frames(tab, TEXT + 30, f, 0), 0);

		CHECK(gopclntab__sp_delta(tab, TEXT + 3, &delta) && delta == 0);
		CHECK(gopclntab__sp_delta(tab, TEXT + 4, &delta) && delta == 24);
		CHECK(!gopclntab__sp_delta(tab, TEXT + OUTER_SIZE, &delta));
		gopclntab__free(tab);
	}
}

TEST(no_inline_tree)
{
	struct go_frame f[8];
	struct gopclntab *tab;
	struct made m;

	make(&m, 19);
	m.in.funcdata.len = 0;
	if (CHECK_INT(gopclntab__open(&m.in, &tab), 0)) {
		CHECK_INT(gopclntab__frames(tab, TEXT + 30, f, 8), 1);
		gopclntab__free(tab);
	}
	/* Older than what is known of this magic. */
	make(&m, 15);
	m.in.go_minor = 13;
	if (CHECK_INT(gopclntab__open(&m.in, &tab), 0)) {
		CHECK_INT(gopclntab__frames(tab, TEXT + 30, f, 8), 1);
		gopclntab__free(tab);
	}
}

TEST(quantum)
{
	struct go_frame f[8];
	struct gopclntab *tab;
	struct made m;

	/* Distances count fours: the call of leaf, at 20, is now at 80; its ftab ends earlier, though. */
	make(&m, 27);
	m.bytes[6] = 4;
	if (!CHECK_INT(gopclntab__open(&m.in, &tab), 0))
		return;
	if (CHECK(gopclntab__frames(tab, TEXT + 31, f, 8) == 1))
		check_frame(&f[0], "main.outer", "a.go", 10, 9, false);
	if (CHECK(gopclntab__frames(tab, TEXT + 32, f, 8) == 1))
		check_frame(&f[0], "main.outer", "a.go", 11, 9, false);
	gopclntab__free(tab);
}

static void expect_refused(struct made *m)
{
	struct gopclntab *tab = NULL;

	CHECK_INT(gopclntab__open(&m->in, &tab), -ENOEXEC);
	CHECK(!tab);
}

TEST(refused)
{
	struct made m;

	for (int at = 4; at < 8; at++) {
		make(&m, 19);
		m.bytes[at] = 3;
		CHECK(!gopclntab_probe(m.in.bytes));
		expect_refused(&m);
	}
	make(&m, 19);
	m.bytes[0] = 0xf2; /* a magic to come */
	expect_refused(&m);
	make(&m, 19);
	set64(&m, 8, 1ull << 61); /* count that overflows */
	expect_refused(&m);
	make(&m, 19);
	set64(&m, 8, 0);
	expect_refused(&m);
	make(&m, 19);
	set64(&m, 24, 0); /* no text start and none given */
	expect_refused(&m);
	make(&m, 19);
	m.bytes[m.ftab + 8] = 200; /* starts that go back */
	expect_refused(&m);
	make(&m, 17); /* nobody relocated it */
	for (int i = 0; i < 3; i++)
		set64(&m, m.ftab + (size_t)i * 16, 0);
	memset(m.bytes + m.len - sizeof(struct func_16), 0, 8);
	expect_refused(&m);
}

/* Whatever the bytes: nothing is read outside of them (sanitizers see), and it ends. */
static void poke(const struct gopclntab_input *in)
{
	struct gopclntab *tab;
	struct go_frame f[4];
	struct go_func func;
	int32_t delta;

	gopclntab_probe(in->bytes);
	if (gopclntab__open(in, &tab))
		return;
	for (uint32_t i = 0; i < 3; i++)
		gopclntab__func(tab, i, &func);
	for (uint64_t pc = TEXT - 1; pc < TEXT + 100; pc += 5) {
		int n = gopclntab__frames(tab, pc, f, 4);

		CHECK(n >= 0 && n <= 4);
		for (int i = 0; i < n; i++)
			CHECK(strlen(f[i].func) + strlen(f[i].file) < sizeof(((struct made *)0)->bytes) * 2);
		gopclntab__sp_delta(tab, pc, &delta);
	}
	gopclntab__free(tab);
}

TEST(cut_and_broken)
{
	static const uint8_t values[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	struct made m;
	uint8_t *exact;

	for (size_t i = 0; i < sizeof(minors) / sizeof(minors[0]); i++) {
		make(&m, minors[i]);
		for (size_t len = 0; len <= m.len; len++) {
			/* A block of its own, so that one byte too far is seen. */
			exact = malloc(len ? len : 1);
			if (!CHECK(exact))
				return;
			memcpy(exact, m.bytes, len);
			m.in.bytes = (struct span){ exact, len };
			poke(&m.in);
			free(exact);
		}
		for (size_t at = 0; at < m.len; at++) {
			uint8_t was = m.bytes[at];

			m.in.bytes = (struct span){ m.bytes, m.len };
			for (size_t v = 0; v < sizeof(values); v++) {
				m.bytes[at] = values[v];
				poke(&m.in);
			}
			m.bytes[at] = was;
		}
		for (size_t len = 0; len < m.trees_len; len++) {
			m.in.funcdata.len = len;
			poke(&m.in);
		}
	}
}

/* A tree in which a call is its own caller ends at the caller's room. */
TEST(inline_cycle)
{
	struct go_frame f[64];
	struct gopclntab *tab;
	struct made m;

	make(&m, 19);
	memset(m.trees + TREE_OFF, 0, 2); /* parent of entry 0: 0 */
	if (!CHECK_INT(gopclntab__open(&m.in, &tab), 0))
		return;
	CHECK_INT(gopclntab__frames(tab, TEXT + 30, f, 64), 64);
	gopclntab__free(tab);
}

TEST_MAIN()
