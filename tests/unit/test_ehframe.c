// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unwind tables. Truth is libdw, which runs the same instructions by another's code: at many addresses of real files
 * its description of a frame and our rule are both evaluated, on made-up registers and memory, and must
 * give the same CFA, frame pointer and place of the return address. EHFRAME_ALL=1 asks at every row of every file,
 * EHFRAME_FILE=PATH about that file instead of those that are listed here.
 */
#include "unwind/ehframe.h"

#include <dwarf.h>
#include <elf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "test.h"

#if defined(__x86_64__) /* registers, instructions and rules are those of this machine */

#define SAMPLES 3000 /* of each kind of address, in each file */

/* A machine of which nobody knows more than these numbers. */
#define SP 0x7ffd00112230ull
#define FP 0x7ffd00445560ull

static uint64_t reg_value(uint64_t reg, uint64_t pc)
{
	return reg == 7 ? SP : reg == 6 ? FP : reg == 16 ? pc : 0x5555000000ull + reg * 0x1010;
}

static uint64_t word_at(uint64_t addr)
{
	return (addr ^ 0x9e3779b97f4a7c15ull) * 0xbf58476d1ce4e5b9ull >> 8;
}

struct value {
	enum { NOTHING, KNOWN, STRANGE } state; /* STRANGE: more than the evaluator here knows */
	bool is_addr; /* of a word in memory, not the value itself */
	uint64_t value;
};

static uint64_t final_value(struct value v)
{
	return v.is_addr ? word_at(v.value) : v.value;
}

/* DWARF 5, 2.5, as far as CFI uses it. */
static struct value eval_ops(const Dwarf_Op *ops, size_t nops, uint64_t cfa, uint64_t pc)
{
	struct value ret = { .state = KNOWN, .is_addr = true };
	uint64_t stack[16];
	size_t n = 0;

	for (size_t i = 0; i < nops; i++) {
		uint8_t op = ops[i].atom;

		if (n + 1 >= sizeof(stack) / sizeof(stack[0]))
			return (struct value){ .state = STRANGE };
		if (op >= DW_OP_breg0 && op <= DW_OP_breg31)
			stack[n++] = reg_value(op - DW_OP_breg0, pc) + ops[i].number;
		else if (op == DW_OP_bregx)
			stack[n++] = reg_value(ops[i].number, pc) + ops[i].number2;
		else if (op >= DW_OP_lit0 && op <= DW_OP_lit31)
			stack[n++] = op - DW_OP_lit0;
		else if (op == DW_OP_call_frame_cfa)
			stack[n++] = cfa;
		else if (op == DW_OP_regx && nops == 1)
			return (struct value){ KNOWN, false, reg_value(ops[i].number, pc) };
		else if (op == DW_OP_deref && n)
			stack[n - 1] = word_at(stack[n - 1]);
		else if (op == DW_OP_plus_uconst && n)
			stack[n - 1] += ops[i].number;
		else if (op == DW_OP_stack_value && n)
			ret.is_addr = false;
		else if (op == DW_OP_and && n > 1)
			n--, stack[n - 1] &= stack[n];
		else if (op == DW_OP_plus && n > 1)
			n--, stack[n - 1] += stack[n];
		else if (op == DW_OP_shl && n > 1)
			n--, stack[n - 1] <<= stack[n];
		else if (op == DW_OP_ge && n > 1)
			n--, stack[n - 1] = (int64_t)stack[n - 1] >= (int64_t)stack[n];
		else
			return (struct value){ .state = STRANGE };
	}
	if (!n)
		return (struct value){ .state = STRANGE };
	ret.value = stack[n - 1];
	return ret;
}

static struct value truth_reg(Dwarf_Frame *frame, int reg, uint64_t cfa, uint64_t pc)
{
	Dwarf_Op mem[3], *ops;
	size_t nops;

	if (dwarf_frame_register(frame, reg, mem, &ops, &nops))
		return (struct value){ .state = STRANGE };
	if (nops == 0 && ops == mem)
		return (struct value){ .state = NOTHING };
	if (nops == 0)
		return (struct value){ KNOWN, false, reg_value(reg, pc) };
	return eval_ops(ops, nops, cfa, pc);
}

struct tally {
	uint64_t asked, equal, unable, unable_at[ABI_UNWIND__N], fp_unknown, wrong;
	uint64_t truth_unable; /* instructions in an order that libdw does not allow, and others do */
};

static uint64_t our_cfa(const struct abi_unwind_rule *rule)
{
	uint64_t base = rule->cfa == ABI_CFA_SP || rule->cfa == ABI_CFA_SP_DEREF ? SP : FP;
	uint64_t at = base + (int64_t)rule->cfa_off;

	return rule->cfa == ABI_CFA_SP || rule->cfa == ABI_CFA_FP ? at : word_at(at) + (int64_t)rule->cfa_add;
}

static uint64_t our_fp(const struct abi_unwind_rule *rule, uint64_t cfa)
{
	switch (rule->fp) {
	case ABI_FP_AT_CFA:
		return word_at(cfa + (int64_t)rule->fp_off);
	case ABI_FP_AT_FP:
		return word_at(FP + (int64_t)rule->fp_off);
	case ABI_FP_AT_SP:
		return word_at(SP + (int64_t)rule->fp_off);
	default:
		return FP;
	}
}

/* Is it as hopeless as the rule says? */
static bool is_unable(const struct abi_unwind_rule *rule, Dwarf_Frame *frame, const Dwarf_Op *cfa_ops, size_t ncfa_ops,
		      uint64_t pc)
{
	bool by_reg = ncfa_ops == 1 && cfa_ops[0].atom == DW_OP_bregx, by_sp_or_fp;
	struct value ra, sp;

	by_sp_or_fp = by_reg && (cfa_ops[0].number == 6 || cfa_ops[0].number == 7);
	switch (rule->cfa_off) {
	case ABI_UNWIND_REGISTER:
		return by_reg && !by_sp_or_fp;
	case ABI_UNWIND_EXPRESSION:
		sp = truth_reg(frame, 7, 1ull << 40, pc);
		return !by_reg || (sp.state == KNOWN && final_value(sp) != 1ull << 40);
	case ABI_UNWIND_RETURN_ADDRESS:
		ra = truth_reg(frame, 16, 1ull << 40, pc);
		return ra.state != KNOWN || !ra.is_addr || ra.value != (1ull << 40) - 8;
	default:
		return false;
	}
}

static bool agrees(const struct abi_unwind_rule *rule, Dwarf_Frame *frame, uint64_t pc, struct tally *tally)
{
	struct value cfa, ra, fp;
	Dwarf_Op *cfa_ops;
	size_t ncfa_ops;
	bool is_signal;

	if (dwarf_frame_cfa(frame, &cfa_ops, &ncfa_ops) || dwarf_frame_info(frame, NULL, NULL, &is_signal) < 0) {
		tally->truth_unable++;
		return rule->cfa == ABI_CFA_SP || rule->cfa == ABI_CFA_FP;
	}
	if (rule->cfa == ABI_CFA_NONE) {
		tally->unable++;
		tally->unable_at[rule->cfa_off]++;
		return is_unable(rule, frame, cfa_ops, ncfa_ops, pc);
	}
	cfa = eval_ops(cfa_ops, ncfa_ops, 0, pc);
	ra = truth_reg(frame, 16, cfa.value, pc);
	fp = truth_reg(frame, 6, cfa.value, pc);
	if (rule->cfa == ABI_CFA_END)
		return ra.state == NOTHING;
	if (cfa.state != KNOWN || ra.state != KNOWN || !ra.is_addr)
		return false;
	if (rule->cfa == ABI_CFA_SIGNAL)
		return is_signal && ra.value == SP + offsetof(ucontext_t, uc_mcontext.gregs[REG_RIP]) &&
		       cfa.value == word_at(SP + offsetof(ucontext_t, uc_mcontext.gregs[REG_RSP])) && fp.is_addr &&
		       fp.value == SP + offsetof(ucontext_t, uc_mcontext.gregs[REG_RBP]);
	if (our_cfa(rule) != cfa.value || ra.value != cfa.value - 8)
		return false;
	if (rule->fp != ABI_FP_UNKNOWN)
		return fp.state == KNOWN && our_fp(rule, cfa.value) == final_value(fp);
	tally->fp_unknown++;
	/* A place that a rule could say is not far from the registers. */
	return fp.state != KNOWN || (fp.is_addr ? fp.value >> 40 != SP >> 40 : fp.value != FP);
}

struct subject {
	struct unwind_table table;
	Dwarf_CFI *cfi;
	Elf *libelf;
	Dwarf *dwarf;
	uint64_t entry;
	int fd;
};

static void ask(const struct subject *s, uint64_t pc, struct tally *tally)
{
	struct abi_unwind_rule rule = unwind_rule_none(ABI_UNWIND_GAP);
	Dwarf_Frame *frame = NULL;
	bool ok;

	tally->asked++;
	unwind_table__find(&s->table, pc, &rule);
	if (dwarf_cfi_addrframe(s->cfi, pc, &frame)) {
		/* Of the dynamic linker's entry point we know without being told that nobody calls it. */
		ok = rule.cfa == ABI_CFA_NONE ? rule.cfa_off == ABI_UNWIND_GAP || rule.cfa_off == ABI_UNWIND_MALFORMED
					      : rule.cfa == ABI_CFA_END && pc >= s->entry && pc - s->entry < 128;
		tally->unable += rule.cfa == ABI_CFA_NONE;
		tally->unable_at[rule.cfa == ABI_CFA_NONE ? rule.cfa_off : 0]++;
	} else {
		ok = agrees(&rule, frame, pc, tally);
	}
	free(frame);
	if (ok && rule.cfa != ABI_CFA_NONE)
		tally->equal++;
	if (!ok && tally->wrong++ < 5)
		fprintf(stderr, "at 0x%llx: cfa %u off %d add %d, fp %u off %d: libdw %s\n", (unsigned long long)pc,
			rule.cfa, rule.cfa_off, rule.cfa_add, rule.fp, rule.fp_off,
			frame ? "differs" : dwarf_errmsg(-1));
}

static uint64_t random_number(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 20;
}

static void ask_rows(const struct subject *s, struct tally *tally)
{
	const struct unwind_table *t = &s->table;
	uint32_t step = getenv("EHFRAME_ALL") ? 1 : t->nrows / SAMPLES + 1;
	uint64_t seed = 1, end = (uint64_t)t->npages << ABI_UNWIND_PAGE_SHIFT;

	for (uint32_t page = 0, row = 0; page < t->npages; page++) {
		for (; row < t->page_first[page + 1]; row += step) {
			uint64_t pc = t->base_vaddr + ((uint64_t)page << ABI_UNWIND_PAGE_SHIFT) + (t->rows[row] >> 16);

			ask(s, pc, tally);
			ask(s, pc - 1, tally);
		}
	}
	for (int i = 0; i < SAMPLES && end; i++)
		ask(s, t->base_vaddr + random_number(&seed) % end, tally);
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* What every table must be, whatever it was made of. */
static void check_shape(const struct unwind_table *t)
{
	CHECK(t->npages == 0 || t->page_first[0] == 0);
	CHECK(t->page_first[t->npages] == t->nrows);
	CHECK(t->nrules <= ABI_UNWIND_MAX_RULES && t->nrules >= ABI_UNWIND__N);
	for (uint32_t page = 0; page < t->npages; page++) {
		uint32_t first = t->page_first[page], end = t->page_first[page + 1];

		if (!CHECK(first < end && end <= t->nrows) || !CHECK_INT(t->rows[first] >> 16, 0))
			return;
		for (uint32_t i = first; i < end; i++) {
			if (!CHECK((t->rows[i] & 0xffff) < t->nrules))
				return;
			if (i > first && !CHECK(t->rows[i - 1] >> 16 < t->rows[i] >> 16 &&
						(t->rows[i - 1] & 0xffff) != (t->rows[i] & 0xffff)))
				return;
		}
	}
	for (uint32_t i = 0; i < t->nrules; i++)
		for (uint32_t j = 0; j < i && t->nrules < 2000; j++)
			if (!CHECK(memcmp(&t->rules[i], &t->rules[j], sizeof(t->rules[i])) != 0))
				return;
}

static bool open_subject(const char *path, const struct ehframe_opts *opts, struct subject *ret, double *ret_ms)
{
	struct elf_file *elf;
	struct err err;
	double t0;
	int code;

	*ret = (struct subject){ .fd = -1 };
	code = elf_file__open(open(path, O_RDONLY | O_CLOEXEC), path, &elf, &err);
	if (!CHECK_INT(code, 0))
		return false;
	t0 = now_ms();
	code = ehframe_compile(elf, opts, &ret->table);
	*ret_ms = now_ms() - t0;
	ret->entry = elf_file__entry(elf);
	elf_file__free(elf);
	if (!CHECK_INT(code, 0))
		return false;
	check_shape(&ret->table);
	return true;
}

/* @debug: its .debug_frame is the truth. */
static bool open_truth(const char *path, bool debug, struct subject *s)
{
	elf_version(EV_CURRENT);
	s->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (debug) {
		s->dwarf = dwarf_begin(s->fd, DWARF_C_READ);
		s->cfi = s->dwarf ? dwarf_getcfi(s->dwarf) : NULL;
	} else {
		s->libelf = elf_begin(s->fd, ELF_C_READ_MMAP, NULL);
		s->cfi = s->libelf ? dwarf_getcfi_elf(s->libelf) : NULL;
	}
	return CHECK(s->cfi != NULL);
}

static void close_subject(struct subject *s)
{
	unwind_table__free(&s->table);
	if (s->cfi && !s->dwarf)
		dwarf_cfi_end(s->cfi);
	if (s->dwarf)
		dwarf_end(s->dwarf);
	if (s->libelf)
		elf_end(s->libelf);
	if (s->fd >= 0)
		close(s->fd);
}

static const char *const causes[] = { "gap", "register", "expression", "return-address", "malformed", "too-many" };

typedef unsigned long long ull; /* for printf */

static void print_subject(const char *path, const struct unwind_table *t, double ms, const struct tally *tally)
{
	const struct unwind_stats *stats = &t->stats;
	size_t bytes = t->nrows * sizeof(*t->rows) + t->nrules * sizeof(*t->rules) +
		       ((size_t)t->npages + 1) * sizeof(*t->page_first);

	printf("# %s: %u rows, %u rules, %zu bytes, %.1f ms; ", path, t->nrows, t->nrules, bytes, ms);
	printf("%llu FDEs (%llu with fp, %llu outside, %llu overlap)", (ull)stats->fdes, (ull)stats->fdes_with_fp,
	       (ull)stats->fdes_outside, (ull)stats->fdes_overlapping);
	printf("; %llu addresses, %llu equal, %llu unable, %llu lost fp", (ull)tally->asked, (ull)tally->equal,
	       (ull)tally->unable, (ull)tally->fp_unknown);
	if (tally->truth_unable)
		printf(", %llu libdw unable", (ull)tally->truth_unable);
	for (int i = 0; i < ABI_UNWIND__N; i++)
		if (stats->rows[i])
			printf("; %s %llu rows, %llu bytes", causes[i], (ull)stats->rows[i], (ull)stats->bytes[i]);
	printf(" of %llu\n", (ull)stats->code_bytes);
}

static void compare(const char *path, bool debug)
{
	struct tally tally = { 0 };
	struct subject s;
	double ms;

	if (open_subject(path, NULL, &s, &ms) && open_truth(path, debug, &s)) {
		ask_rows(&s, &tally);
		print_subject(path, &s.table, ms, &tally);
		CHECK_INT(tally.wrong, 0);
		CHECK_INT(tally.equal + tally.unable, tally.asked);
		CHECK(tally.equal > 0 && tally.truth_unable <= tally.asked / 1000);
		CHECK_INT(s.table.stats.malformed + s.table.stats.too_many, 0);
		CHECK_INT(tally.unable_at[ABI_UNWIND_MALFORMED] + tally.unable_at[ABI_UNWIND_TOO_MANY], 0);
	}
	close_subject(&s);
}

static bool has_eh_frame(const char *path)
{
	struct elf_file *elf;
	struct err err;
	bool has = false;

	if (CHECK_INT(elf_file__open(open(path, O_RDONLY | O_CLOEXEC), path, &elf, &err), 0)) {
		has = elf_file__has_section(elf, ".eh_frame");
		elf_file__free(elf);
	}
	return has;
}

TEST(real_files_agree_with_libdw)
{
	static const char *const paths[] = {
		"/lib/x86_64-linux-gnu/libc.so.6",
		"/lib64/libc.so.6",
		"/lib64/ld-linux-x86-64.so.2",
		"/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
		"/usr/lib/x86_64-linux-gnu/libgcc_s.so.1",
		"/usr/lib/x86_64-linux-gnu/libcrypto.so.3",
		"/usr/lib/x86_64-linux-gnu/libssl.so.3",
		"/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0",
		"/usr/lib/x86_64-linux-gnu/libdw.so.1",
		"/usr/bin/python3",
		"/usr/bin/redis-server",
		"/usr/sbin/nginx",
		"/usr/bin/node",
		"/usr/bin/gdb",
		"/usr/lib/gcc/x86_64-linux-gnu/12/cc1",
		"/usr/lib/x86_64-linux-gnu/libLLVM-14.so.1",
		"/usr/lib/x86_64-linux-gnu/libLLVM.so.19.1",
		"/usr/lib/x86_64-linux-gnu/libclang-cpp.so.19.1",
	};
	const char *only = getenv("EHFRAME_FILE");
	int found = 0;

	if (only) {
		compare(only, !has_eh_frame(only));
		return;
	}
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (access(paths[i], R_OK)) {
			printf("# not here: %s\n", paths[i]);
			continue;
		}
		compare(paths[i], false);
		found++;
	}
	CHECK(found >= 2);
}


/*
 * Sections made by hand: entries at TABLE_VADDR, about code at CODE.
 */
#define TABLE_VADDR 0x200000ull
#define CODE 0x10000ull /* where a page begins */
#define CODE_END 0x40000ull

struct made {
	uint8_t bytes[65536];
	size_t len;
	size_t entry; /* where the last began */
};

static void put(struct made *m, const void *data, size_t len)
{
	memcpy(m->bytes + m->len, data, len);
	m->len += len;
}

static void put_u32(struct made *m, uint32_t value)
{
	put(m, &value, sizeof(value));
}

static void put_u64(struct made *m, uint64_t value)
{
	put(m, &value, sizeof(value));
}

static void begin(struct made *m)
{
	m->entry = m->len;
	put_u32(m, 0);
}

static void end(struct made *m)
{
	uint32_t len = (uint32_t)(m->len - m->entry - 4);

	memcpy(m->bytes + m->entry, &len, sizeof(len));
}

/* CIE "z@letters": @aug is what it has for them, @insns its instructions behind def_cfa(rsp, 8), offset(rip, -8). */
static size_t put_cie(struct made *m, const char *letters, const char *aug, size_t aug_len, const char *insns,
		      size_t len)
{
	begin(m);
	put_u32(m, 0);
	put(m, "\1z", 2);
	put(m, letters, strlen(letters) + 1);
	put(m, "\1\x78\x10", 3); /* alignment of code 1, of data -8; column of the return address */
	put(m, (uint8_t[]){ (uint8_t)aug_len }, 1);
	put(m, aug, aug_len);
	put(m, "\x0c\x07\x08\x90\x01", 5);
	put(m, insns, len);
	end(m);
	return m->entry;
}

/* The usual one: pointers are sdata4, relative to themselves. */
static size_t put_usual_cie(struct made *m)
{
	return put_cie(m, "R", "\x1b", 1, "", 0);
}

static void put_fde(struct made *m, size_t cie, uint64_t vaddr, uint32_t len, const char *insns, size_t insns_len)
{
	begin(m);
	put_u32(m, (uint32_t)(m->len - cie));
	put_u32(m, (uint32_t)(vaddr - (TABLE_VADDR + m->len)));
	put_u32(m, len);
	put(m, "", 1);
	put(m, insns, insns_len);
	end(m);
}

static const struct ehframe_range made_code = { CODE, CODE_END };

static bool compile(const struct made *m, const struct made *debug, const struct ehframe_opts *opts,
		    struct unwind_table *ret)
{
	const struct ehframe_image image = {
		.eh_frame = { m ? m->bytes : NULL, m ? m->len : 0 },
		.eh_frame_vaddr = TABLE_VADDR,
		.debug_frame = { debug ? debug->bytes : NULL, debug ? debug->len : 0 },
		.code = &made_code,
		.ncode = 1,
	};

	if (!CHECK_INT(ehframe_compile_image(&image, opts, ret), 0))
		return false;
	check_shape(ret);
	return true;
}

/* "sp+8 same", "none gap", ... */
static const char *say(const struct unwind_table *t, uint64_t vaddr)
{
	static const char *const fps[] = { "same", "cfa", "fp", "sp", "lost" };
	static char text[4][80];
	static int next;
	struct abi_unwind_rule r;
	char *out = text[next++ % 4];
	int n = 0;

	if (!unwind_table__find(t, vaddr, &r))
		return "outside";
	switch (r.cfa) {
	case ABI_CFA_NONE:
		snprintf(out, sizeof(text[0]), "none %s", causes[r.cfa_off]);
		return out;
	case ABI_CFA_CHAIN:
		return "chain";
	case ABI_CFA_SIGNAL:
		return "signal";
	case ABI_CFA_END:
		return "end";
	case ABI_CFA_SP:
	case ABI_CFA_FP:
		n = snprintf(out, sizeof(text[0]), "%s%+d", r.cfa == ABI_CFA_SP ? "sp" : "fp", r.cfa_off);
		break;
	default:
		n = snprintf(out, sizeof(text[0]), "[%s%+d]%+d", r.cfa == ABI_CFA_SP_DEREF ? "sp" : "fp", r.cfa_off,
			     r.cfa_add);
	}
	n += snprintf(out + n, sizeof(text[0]) - (size_t)n, " %s", fps[r.fp]);
	if (r.fp != ABI_FP_SAME && r.fp != ABI_FP_UNKNOWN)
		snprintf(out + n, sizeof(text[0]) - (size_t)n, "%+d", r.fp_off);
	return out;
}

/* What @insns say of the second half of a function of 0x20 bytes; "advance 0x10" is in front of them. */
static void check_insns(const char *file_insns, size_t len, const char *want, int line)
{
	struct unwind_table t;
	struct made m = { 0 };
	char insns[256] = "\x50";
	size_t cie = put_usual_cie(&m);

	memcpy(insns + 1, file_insns, len);
	put_fde(&m, cie, CODE + 0x100, 0x20, insns, len + 1);
	if (!compile(&m, NULL, NULL, &t))
		return;
	test_str(__FILE__, line, "before", say(&t, CODE + 0xff), "none gap");
	test_str(__FILE__, line, "first half", say(&t, CODE + 0x10f), "sp+8 same");
	test_str(__FILE__, line, "second half", say(&t, CODE + 0x110), want);
	test_str(__FILE__, line, "its end", say(&t, CODE + 0x11f), want);
	test_str(__FILE__, line, "behind", say(&t, CODE + 0x120), "none gap");
	test_int(__FILE__, line, "malformed", (long long)t.stats.malformed, strcmp(want, "none malformed") == 0);
	unwind_table__free(&t);
}

#define INSNS(insns, want) check_insns(insns, sizeof(insns) - 1, want, __LINE__)

TEST(each_instruction)
{
	INSNS("", "sp+8 same");
	INSNS("\0\0\0", "sp+8 same"); /* nop */
	INSNS("\x0e\x90\x01", "sp+144 same"); /* def_cfa_offset */
	INSNS("\x0e\x10\x86\x02", "sp+16 cfa-16"); /* offset */
	INSNS("\x0e\x10\x86\x02\x0d\x06", "fp+16 cfa-16"); /* def_cfa_register */
	INSNS("\x0c\x06\x18", "fp+24 same"); /* def_cfa */
	INSNS("\x12\x06\x7e", "fp+16 same"); /* def_cfa_sf */
	INSNS("\x13\x7c", "sp+32 same"); /* def_cfa_offset_sf */
	INSNS("\x05\x06\x03", "sp+8 cfa-24"); /* offset_extended */
	INSNS("\x11\x06\x7f", "sp+8 cfa+8"); /* offset_extended_sf */
	INSNS("\x2f\x06\x02", "sp+8 cfa+16"); /* GNU_negative_offset_extended */
	INSNS("\x14\x06\x02", "sp+8 lost"); /* val_offset */
	INSNS("\x15\x06\x7e", "sp+8 lost"); /* val_offset_sf */
	INSNS("\x09\x06\x03", "sp+8 lost"); /* register */
	INSNS("\x07\x06", "sp+8 lost"); /* undefined */
	INSNS("\x07\x06\x08\x06", "sp+8 same"); /* same_value */
	INSNS("\x86\x02\xc6", "sp+8 same"); /* restore */
	INSNS("\x86\x02\x06\x06", "sp+8 same"); /* restore_extended */
	INSNS("\x0a\x0e\x20\x86\x02\x0b", "sp+8 same"); /* remember_state, restore_state */
	INSNS("\x0a\x0e\x20\x0a\x86\x02\x0b", "sp+32 same"); /* two deep */
	INSNS("\x2e\x10", "sp+8 same"); /* GNU_args_size */
	INSNS("\x16\x06\x02\x77\x08", "sp+8 lost"); /* val_expression */
	INSNS("\x10\x06\x02\x76\x70", "sp+8 fp-16"); /* expression */
	INSNS("\x10\x06\x02\x77\x08", "sp+8 sp+8");
	INSNS("\x10\x06\x03\x92\x07\x08", "sp+8 sp+8"); /* bregx */
	INSNS("\x10\x06\x02\x73\x08", "sp+8 lost"); /* by another register */
	INSNS("\x10\x06\x03\x76\x00\x06", "sp+8 lost");
	INSNS("\x10\x06\x01\x32", "sp+8 lost");
	INSNS("\x86\x02\x07\x10", "end"); /* undefined return address */
	INSNS("\x10\x10\x02\x77\x08", "none return-address");
	INSNS("\x90\x02", "none return-address");
	INSNS("\x08\x10", "none return-address");
	INSNS("\x0c\x0a\x08", "none register");
	INSNS("\x0c\xff\xff\xff\xff\x0f\x08", "none register");
	INSNS("\x09\x07\x08", "none expression"); /* the caller's stack pointer is in r8 */
	INSNS("\x14\x07\x00", "sp+8 same"); /* it is the CFA */
	INSNS("\x0e\xff\xff\xff\xff\x0f", "none expression"); /* more than a rule's number holds */
	INSNS("\x05\x06\x80\x80\x80\x80\x02", "sp+8 lost");
}

TEST(cfa_expressions)
{
	INSNS("\x0f\x02\x77\x10", "sp+16 same");
	INSNS("\x0f\x03\x76\x78\x06", "[fp-8]+0 same");
	INSNS("\x0f\x03\x77\x08\x06", "[sp+8]+0 same");
	INSNS("\x0f\x05\x77\x08\x06\x23\x08", "[sp+8]+8 same");
	INSNS("\x0f\x05\x76\x08\x06\x23\x08\x07\x06", "[fp+8]+8 lost");
	INSNS("\x0f\x03\x7a\x08\x06", "none register");
	INSNS("\x0f\x02\x7a\x08", "none register");
	INSNS("\x0f\x07\x77\x08\x06\x23\x80\x80\x02", "none expression"); /* 32768 */
	INSNS("\x0f\x04\x77\x08\x06\x06", "none expression");
	INSNS("\x0f\x04\x77\x08\x06\x23", "none expression"); /* cut off */
	INSNS("\x0f\x06\x77\x08\x06\x23\x08\x06", "none expression");
	INSNS("\x0f\x01\x77", "none expression");
	INSNS("\x0f\x00", "none expression");
	INSNS("\x0f\x00\x0c\x07\x10", "sp+16 same");
	/* The newest offset waits for the next register. */
	INSNS("\x0f\x03\x77\x10\x06\x0d\x06", "fp+8 same");
	INSNS("\x0f\x03\x77\x10\x06\x0e\x18", "[sp+16]+0 same");
	INSNS("\x0f\x02\x77\x10\x0e\x18", "sp+16 same");
	INSNS("\x0f\x03\x77\x10\x06\x0e\x18\x0d\x06", "fp+24 same");
	INSNS("\x0f\x03\x77\x10\x06\x13\x7c\x0d\x06", "fp+32 same");
}

TEST(malformed_instructions)
{
	INSNS("\x0e", "none malformed"); /* every operand cut off */
	INSNS("\x0c\x07", "none malformed");
	INSNS("\x12", "none malformed");
	INSNS("\x0d", "none malformed");
	INSNS("\x86", "none malformed");
	INSNS("\x05\x06", "none malformed");
	INSNS("\x07", "none malformed");
	INSNS("\x09\x06", "none malformed");
	INSNS("\x2e", "none malformed");
	INSNS("\x01\x00\x00", "none malformed");
	INSNS("\x02", "none malformed");
	INSNS("\x03\x00", "none malformed");
	INSNS("\x04\x00\x00\x00", "none malformed");
	INSNS("\x0f\x05\x77\x08", "none malformed"); /* block longer than the entry */
	INSNS("\x10\x06\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "none malformed");
	INSNS("\x0e\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "none malformed"); /* 2^64 - 1 */
	INSNS("\x0e\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", "none malformed");
	INSNS("\x05\x06\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "none malformed"); /* times -8 */
	INSNS("\x0b", "none malformed"); /* nothing was remembered */
	INSNS("\x1c", "none malformed"); /* unknown */
	INSNS("\x2d", "none malformed"); /* another machine's */
	INSNS("\x3f", "none malformed");
}

/* An FDE of any pointer encoding: @ptrs are its address and length. */
static void put_fde_with(struct made *m, size_t cie, const void *ptrs, size_t ptrs_len, bool has_aug)
{
	begin(m);
	put_u32(m, (uint32_t)(m->len - cie));
	put(m, ptrs, ptrs_len);
	put(m, "", has_aug);
	end(m);
}

static void check_made(const struct made *m, const char *want, uint64_t malformed, int line)
{
	struct unwind_table t;

	if (!compile(m, NULL, NULL, &t))
		return;
	test_str(__FILE__, line, "the function", say(&t, CODE + 0x100), want);
	test_int(__FILE__, line, "malformed", (long long)t.stats.malformed, (long long)malformed);
	unwind_table__free(&t);
}

/* A CIE of @body (behind the identity), an FDE whose pointers are plain. */
static void check_cie(const char *body, size_t len, bool has_aug, const char *want, int line)
{
	const uint64_t ptrs[] = { CODE + 0x100, 0x20 };
	struct made m = { 0 };

	begin(&m);
	put_u32(&m, 0);
	put(&m, body, len);
	end(&m);
	put_fde_with(&m, 0, ptrs, sizeof(ptrs), has_aug);
	check_made(&m, want, strcmp(want, "outside") == 0 ? 2 : strcmp(want, "none malformed") == 0, line);
}

#define CIE(body, has_aug, want) check_cie(body, sizeof(body) - 1, has_aug, want, __LINE__)
#define CIE_INSNS "\x0c\x07\x08\x90\x01"

TEST(each_kind_of_cie)
{
	CIE("\1\0\1\x78\x10" CIE_INSNS, false, "sp+8 same");
	CIE("\3\0\1\x78\x10" CIE_INSNS, false, "sp+8 same");
	CIE("\4\0\x08\0\1\x78\x10" CIE_INSNS, false, "sp+8 same");
	CIE("\1z\0\1\x78\x10\0" CIE_INSNS, true, "sp+8 same");
	CIE("\1zS\0\1\x78\x10\0" CIE_INSNS, true, "sp+8 same"); /* a signal frame, but not the kernel's */
	CIE("\1zS\0\1\x78\x10\0" CIE_INSNS "\x0f\x04\x77\xa0\x01\x06", true, "signal");
	CIE("\1z\0\1\x78\x10\0" CIE_INSNS "\x0f\x04\x77\xa0\x01\x06", true, "[sp+160]+0 same");
	CIE("\1zPLR\0\1\x78\x10\x0b\x04........\xff\0" CIE_INSNS, true, "sp+8 same");
	CIE("\1zPLR\0\1\x78\x10\x07\x9b....\x1b\0" CIE_INSNS, true, "sp+8 same");
	CIE("\1zB\0\1\x78\x10\0" CIE_INSNS, true, "sp+8 same");
	CIE("\1zX\0\1\x78\x10\3abc" CIE_INSNS, true, "sp+8 same"); /* unknown, skipped */
	CIE("\1eh\0........\1\x78\x10" CIE_INSNS, false, "sp+8 same"); /* GCC 2 */
	CIE("\3\0\1\x78\x90\0" CIE_INSNS, false, "sp+8 same"); /* column in two bytes */
	CIE("\1\0\1\x78\x10\x0c\x07\x08", false, "none return-address"); /* nothing said of it */
	CIE("\1\0\1\x78\x10\x90\x01", false, "none malformed"); /* no CFA */
	CIE("\1\0\1\x78\x10\x0d\x07", false, "none malformed"); /* half a CFA */
	CIE("\1\0\1\x78\x10\x0e\x08", false, "none malformed");
}

TEST(malformed_cies)
{
	/* Those whose FDEs cannot be read count twice: the FDE has no CIE. */
	CIE("\2\0\1\x78\x10" CIE_INSNS, false, "outside");
	CIE("\5\0\1\x78\x10" CIE_INSNS, false, "outside");
	CIE("", false, "outside");
	CIE("\1", false, "outside");
	CIE("\1zR", false, "outside"); /* no end */
	CIE("\1\0", false, "outside");
	CIE("\1\0\1", false, "outside");
	CIE("\1\0\1\x78", false, "outside");
	CIE("\3\0\1\x78\x80", false, "outside");
	CIE("\4\0\x08", false, "outside");
	CIE("\4\0\x04\0\1\x78\x10" CIE_INSNS, false, "outside"); /* addresses of 32 bits */
	CIE("\4\0\x08\4\1\x78\x10" CIE_INSNS, false, "outside"); /* segments */
	CIE("\1\0\1\x78\x08" CIE_INSNS, false, "outside"); /* another column */
	CIE("\1armcc+\0\1\x78\x10" CIE_INSNS, false, "outside");
	CIE("\1z\0\1\x78\x10\x7f" CIE_INSNS, true, "outside"); /* longer than the entry */
	CIE("\1zR\0\1\x78\x10\0" CIE_INSNS, true, "outside"); /* no byte for R */
	CIE("\1zPR\0\1\x78\x10\3\x1b..\0" CIE_INSNS, true, "outside");
	CIE("\1zPR\0\1\x78\x10\x0a\x50........\0" CIE_INSNS, true, "sp+8 same");
	/* Instructions that are none are the FDEs' affair. */
	CIE("\1\0\1\x78\x10\x0c\x07", false, "none malformed");
	CIE("\1\0\1\x78\x10" CIE_INSNS "\x41", false, "none malformed"); /* advance in a CIE */
	CIE("\1\0\1\x78\x10" CIE_INSNS "\xc6", false, "none malformed"); /* restore to what? */
	CIE("\1\0\1\x78\x10" CIE_INSNS "\x0b", false, "none malformed");
}

static void check_encoding(uint8_t enc, const void *ptrs, size_t len, const char *want, int line)
{
	struct made m = { 0 };
	size_t cie = put_cie(&m, "R", (char *)&enc, 1, "", 0);

	put_fde_with(&m, cie, ptrs, len, true);
	check_made(&m, want, strcmp(want, "outside") == 0, line);
}

TEST(each_encoding)
{
	const uint64_t abs64[] = { CODE + 0x100, 0x20 };
	const uint32_t abs32[] = { CODE + 0x100, 0x20 };
	const uint8_t uleb[] = { 0x80, 0x82, 0x04, 0x20 };
	/* The pointer stands behind a CIE of 22 bytes, a length and a pointer. */
	const uint64_t rel64[] = { CODE + 0x100 - (TABLE_VADDR + 30), 0x20 };
	static const uint8_t refused[] = { 0x80, 0x9b, 0x50, 0x20, 0x30, 0x40, 0xff, 0x05, 0x0f, 0x60 };
	struct made m = { 0 };

	CHECK_INT(put_cie(&m, "R", "", 1, "", 0) + m.len, 22);
	check_encoding(0x00, abs64, sizeof(abs64), "sp+8 same", __LINE__);
	check_encoding(0x04, abs64, sizeof(abs64), "sp+8 same", __LINE__);
	check_encoding(0x0c, abs64, sizeof(abs64), "sp+8 same", __LINE__);
	check_encoding(0x03, abs32, sizeof(abs32), "sp+8 same", __LINE__);
	check_encoding(0x0b, abs32, sizeof(abs32), "sp+8 same", __LINE__);
	check_encoding(0x01, uleb, sizeof(uleb), "sp+8 same", __LINE__);
	check_encoding(0x09, uleb, sizeof(uleb), "sp+8 same", __LINE__);
	check_encoding(0x10, rel64, sizeof(rel64), "sp+8 same", __LINE__);
	check_encoding(0x1c, rel64, sizeof(rel64), "sp+8 same", __LINE__);
	for (size_t i = 0; i < sizeof(refused); i++)
		check_encoding(refused[i], abs64, sizeof(abs64), "outside", __LINE__);
	check_encoding(0x00, abs64, 15, "outside", __LINE__); /* cut off */
	check_encoding(0x02, abs64, 2, "outside", __LINE__);
}

TEST(set_loc)
{
	struct unwind_table t;
	struct made m = { 0 };
	size_t cie = put_cie(&m, "R", "\0", 1, "", 0);
	const uint64_t ptrs[] = { CODE + 0x100, 0x20 };

	put_fde_with(&m, cie, ptrs, sizeof(ptrs), true);
	put(&m, "\1", 1);
	put_u64(&m, CODE + 0x118);
	put(&m, "\x0e\x10\1", 3);
	put_u64(&m, CODE + 0x117); /* backwards */
	put(&m, "\x0e\x18", 2);
	end(&m);
	if (!compile(&m, NULL, NULL, &t))
		return;
	CHECK_STR(say(&t, CODE + 0x117), "sp+8 same");
	CHECK_STR(say(&t, CODE + 0x118), "none malformed");
	CHECK_INT(t.stats.bytes[ABI_UNWIND_MALFORMED], 8);
	unwind_table__free(&t);
}

TEST(remember_is_bounded)
{
	char deep[67];

	memset(deep, 0x0a, sizeof(deep));
	check_insns(deep, 64, "sp+8 same", __LINE__);
	check_insns(deep, 65, "none malformed", __LINE__);
}

TEST(code_alignment_and_long_advances)
{
	static const uint64_t ptrs[] = { CODE + 0x100, 0x28000 };
	struct unwind_table t;
	struct made m = { 0 };

	begin(&m);
	put_u32(&m, 0);
	put(&m, "\1\0\4\x78\x10" CIE_INSNS, 10);
	end(&m);
	put_fde_with(&m, 0, ptrs, sizeof(ptrs), false);
	put(&m, "\x41\x0e\x10\2\1\x0e\x18\3\0\1\x0e\x20\4\0\x40\0\0\x0e\x28", 19);
	put(&m, "\4\xff\xff\xff\xff\x0e\x30", 7); /* past the end */
	end(&m);
	if (!compile(&m, NULL, NULL, &t))
		return;
	CHECK_STR(say(&t, CODE + 0x103), "sp+8 same");
	CHECK_STR(say(&t, CODE + 0x104), "sp+16 same");
	CHECK_STR(say(&t, CODE + 0x108), "sp+24 same");
	CHECK_STR(say(&t, CODE + 0x507), "sp+24 same");
	CHECK_STR(say(&t, CODE + 0x508), "sp+32 same");
	CHECK_STR(say(&t, CODE + 0x10507), "sp+32 same");
	CHECK_STR(say(&t, CODE + 0x10508), "sp+40 same");
	CHECK_STR(say(&t, CODE + 0x280ff), "sp+40 same");
	CHECK_STR(say(&t, CODE + 0x28100), "none gap");
	CHECK_STR(say(&t, CODE - 1), "outside");
	CHECK_INT(t.npages, 3);
	/* gap, +8, +16, +24, +32; page; +32, +40; page; +40, gap */
	CHECK_INT(t.nrows, 9);
	CHECK_INT(t.stats.malformed, 0);
	unwind_table__free(&t);
	/* 2^64 by the alignment: the product is not an address. */
	m = (struct made){ 0 };
	begin(&m);
	put_u32(&m, 0);
	put(&m, "\1\0\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\x78\x10" CIE_INSNS, 19);
	end(&m);
	put_fde_with(&m, 0, ptrs, sizeof(ptrs), false);
	put(&m, "\x42", 1);
	end(&m);
	check_made(&m, "none malformed", 1, __LINE__);
}

TEST(linkage_table)
{
	struct unwind_table t;
	struct made m = { 0 };
	size_t cie = put_usual_cie(&m);

	/* What ld writes: the first slot by itself. */
	put_fde(&m, cie, CODE + 0x20, 0x40,
		"\x0e\x10\x46\x0e\x18\x4a\x0f\x0b\x77\x08\x80\0\x3f\x1a\x3b\x2a\x33\x24\x22", 19);
	/* In the middle of a slot; N beyond it, and 0. */
	put_fde(&m, cie, CODE + 0x105, 0x10, "\x0f\x0b\x77\x08\x80\0\x3f\x1a\x35\x2a\x33\x24\x22", 13);
	put_fde(&m, cie, CODE + 0x200, 0x20, "\x0f\x0b\x77\x08\x80\0\x3f\x1a\x42\x2a\x33\x24\x22", 13);
	put_fde(&m, cie, CODE + 0x300, 0x20, "\x0f\x0b\x77\x08\x80\0\x3f\x1a\x30\x2a\x33\x24\x22", 13);
	/* Almost. */
	put_fde(&m, cie, CODE + 0x400, 0x20, "\x0f\x0b\x77\x08\x80\0\x3f\x1a\x3b\x2a\x34\x24\x22", 13);
	put_fde(&m, cie, CODE + 0x500, 0x20, "\x0f\x0b\x77\x08\x81\0\x3f\x1a\x3b\x2a\x33\x24\x22", 13);
	put_fde(&m, cie, CODE + 0x600, 0x20, "\x0f\x0b\x7a\x08\x80\0\x3f\x1a\x3b\x2a\x33\x24\x22", 13);
	if (!compile(&m, NULL, NULL, &t))
		return;
	CHECK_STR(say(&t, CODE + 0x25), "sp+16 same");
	CHECK_STR(say(&t, CODE + 0x26), "sp+24 same");
	for (uint64_t slot = CODE + 0x30; slot < CODE + 0x60; slot += 16) {
		CHECK_STR(say(&t, slot), "sp+8 same");
		CHECK_STR(say(&t, slot + 10), "sp+8 same");
		CHECK_STR(say(&t, slot + 11), "sp+16 same");
		CHECK_STR(say(&t, slot + 15), "sp+16 same");
	}
	CHECK_STR(say(&t, CODE + 0x60), "none gap");
	CHECK_STR(say(&t, CODE + 0x105), "sp+16 same");
	CHECK_STR(say(&t, CODE + 0x110), "sp+8 same");
	CHECK_STR(say(&t, CODE + 0x114), "sp+8 same");
	CHECK_STR(say(&t, CODE + 0x115), "none gap");
	CHECK_STR(say(&t, CODE + 0x21f), "sp+8 same");
	CHECK_STR(say(&t, CODE + 0x300), "sp+16 same");
	CHECK_STR(say(&t, CODE + 0x400), "none expression");
	CHECK_STR(say(&t, CODE + 0x500), "none expression");
	CHECK_STR(say(&t, CODE + 0x600), "none register");
	unwind_table__free(&t);
}

TEST(wild_pointers_to_cies)
{
	struct unwind_table t;
	struct made m = { 0 };
	size_t cie = put_usual_cie(&m), later, first;

	put_fde(&m, cie, CODE + 0x100, 0x10, "", 0);
	first = m.entry;
	put_fde(&m, first, CODE + 0x110, 0x10, "", 0); /* an FDE is no CIE */
	put_fde(&m, m.len, CODE + 0x120, 0x10, "", 0); /* itself */
	put_fde(&m, cie + 1, CODE + 0x130, 0x10, "", 0); /* not where one begins */
	put_fde(&m, cie - 1, CODE + 0x140, 0x10, "", 0); /* in front of the section */
	later = m.len + 4 + 4 + 4 + 4 + 1;
	put_fde(&m, later, CODE + 0x150, 0x10, "", 0); /* forwards */
	CHECK_INT(put_usual_cie(&m), later);
	put_fde(&m, later, CODE + 0x160, 0x10, "", 0);
	put_fde(&m, cie, CODE + 0x170, 0x10, "", 0);
	if (!compile(&m, NULL, NULL, &t))
		return;
	CHECK_INT(t.stats.malformed, 5);
	CHECK_INT(t.stats.fdes, 3);
	CHECK_STR(say(&t, CODE + 0x10f), "sp+8 same");
	for (uint64_t at = CODE + 0x110; at < CODE + 0x160; at += 0x10)
		CHECK_STR(say(&t, at), "none gap");
	CHECK_STR(say(&t, CODE + 0x160), "sp+8 same");
	CHECK_STR(say(&t, CODE + 0x170), "sp+8 same");
	unwind_table__free(&t);
}

TEST(the_end_of_a_section)
{
	struct unwind_table t;
	struct made m = { 0 };
	size_t cie = put_usual_cie(&m), end_of_good;

	put_fde(&m, cie, CODE + 0x100, 0x10, "", 0);
	end_of_good = m.len;
	put_u32(&m, 0);
	put_fde(&m, cie, CODE + 0x200, 0x10, "", 0);
	if (compile(&m, NULL, NULL, &t)) {
		CHECK_INT(t.stats.fdes, 1);
		CHECK_INT(t.stats.malformed, 0);
		unwind_table__free(&t);
	}
	/* An entry that is longer than the section. */
	m.bytes[end_of_good] = 0x7f;
	if (compile(&m, NULL, NULL, &t)) {
		CHECK_INT(t.stats.fdes, 1);
		CHECK_INT(t.stats.malformed, 1);
		unwind_table__free(&t);
	}
	memset(m.bytes + end_of_good, 0xff, 12);
	if (compile(&m, NULL, NULL, &t)) {
		CHECK_INT(t.stats.malformed, 1);
		unwind_table__free(&t);
	}
	for (m.len = 0; m.len < end_of_good; m.len++) {
		if (!compile(&m, NULL, NULL, &t))
			return;
		CHECK_INT(t.npages, 0);
		CHECK_INT(t.nrows, 0);
		CHECK_INT(t.stats.malformed, m.len != 0 && m.len != 22);
		CHECK_STR(say(&t, CODE + 0x100), "outside");
		unwind_table__free(&t);
	}
}

TEST(extended_length)
{
	struct unwind_table t;
	struct made m = { 0 };

	put_u32(&m, UINT32_MAX);
	put_u64(&m, 4 + 10);
	put_u32(&m, 0);
	put(&m, "\1\0\1\x78\x10" CIE_INSNS, 10);
	put_u32(&m, UINT32_MAX);
	put_u64(&m, 4 + 16 + 2);
	put_u32(&m, (uint32_t)m.len);
	put_u64(&m, CODE + 0x100);
	put_u64(&m, 0x10);
	put(&m, "\x0e\x10", 2);
	if (!compile(&m, NULL, NULL, &t))
		return;
	CHECK_STR(say(&t, CODE + 0x100), "sp+16 same");
	CHECK_INT(t.stats.malformed, 0);
	unwind_table__free(&t);
}

/* .debug_frame: offsets of 4 bytes, or of 8. */
static void put_debug(struct made *m, bool wide, uint64_t vaddr, uint64_t len, uint8_t cfa_off)
{
	const char insns[] = { 0x0e, (char)cfa_off };
	uint64_t body = 16 + sizeof(insns);
	size_t cie = m->len;

	if (wide) {
		put_u32(m, UINT32_MAX);
		put_u64(m, 8 + 12);
		put_u64(m, UINT64_MAX);
	} else {
		put_u32(m, 4 + 12);
		put_u32(m, UINT32_MAX);
	}
	put(m, "\4\0\x08\0\1\x78\x10" CIE_INSNS, 12);
	if (wide) {
		put_u32(m, UINT32_MAX);
		put_u64(m, 8 + body);
		put_u64(m, cie);
	} else {
		put_u32(m, (uint32_t)(4 + body));
		put_u32(m, (uint32_t)cie);
	}
	put_u64(m, vaddr);
	put_u64(m, len);
	put(m, insns, sizeof(insns));
}

TEST(debug_frame_has_what_is_left)
{
	struct made m = { 0 }, debug = { 0 };
	struct unwind_table t;
	size_t cie = put_usual_cie(&m);

	put_fde(&m, cie, CODE + 0x200, 0x20, "", 0);
	put_fde(&m, cie, CODE + 0x100, 0x20, "", 0);
	put_debug(&debug, false, CODE + 0x200, 0x20, 16); /* has one */
	put_debug(&debug, true, CODE + 0x300, 0x20, 24);
	put_debug(&debug, false, CODE + 0x110, 0x20, 32); /* its second half has none */
	put_debug(&debug, false, CODE + 0x1f0, 0x40, 40); /* up to one */
	put_debug(&debug, false, 0, 0x40, 48); /* dropped by the linker */
	if (!compile(&m, &debug, NULL, &t))
		return;
	CHECK_STR(say(&t, CODE + 0x100), "sp+8 same");
	CHECK_STR(say(&t, CODE + 0x11f), "sp+8 same");
	CHECK_STR(say(&t, CODE + 0x120), "sp+32 same");
	CHECK_STR(say(&t, CODE + 0x12f), "sp+32 same");
	CHECK_STR(say(&t, CODE + 0x130), "none gap");
	CHECK_STR(say(&t, CODE + 0x1f0), "sp+40 same");
	CHECK_STR(say(&t, CODE + 0x200), "sp+8 same");
	CHECK_STR(say(&t, CODE + 0x220), "none gap");
	CHECK_STR(say(&t, CODE + 0x300), "sp+24 same");
	CHECK_INT(t.stats.fdes_of_debug_frame, 3);
	CHECK_INT(t.stats.fdes, 7);
	CHECK_INT(t.stats.fdes_outside, 1);
	CHECK_INT(t.stats.malformed, 0);
	CHECK_INT(t.stats.fdes_overlapping, 0);
	unwind_table__free(&t);
}

TEST(overlapping_fdes)
{
	struct made m = { 0 };
	struct unwind_table t;
	size_t cie = put_usual_cie(&m);

	put_fde(&m, cie, CODE + 0x200, 0x40, "\x0e\x10", 2);
	put_fde(&m, cie, CODE + 0x210, 0x10, "\x0e\x18", 2); /* starts later: has its code, and ends the other's */
	put_fde(&m, cie, CODE + 0x100, 0x10, "\x0e\x20", 2);
	put_fde(&m, cie, CODE + 0x100, 0x20, "\x0e\x28", 2); /* of twins the first */
	put_fde(&m, cie, CODE + 0x300, 0, "", 0);
	put_fde(&m, cie, CODE_END - 0x10, 0x20, "\x0e\x30", 2); /* longer than the segment */
	put_fde(&m, cie, CODE_END, 0x20, "\x0e\x30", 2);
	if (!compile(&m, NULL, NULL, &t))
		return;
	CHECK_STR(say(&t, CODE + 0x20f), "sp+16 same");
	CHECK_STR(say(&t, CODE + 0x210), "sp+24 same");
	CHECK_STR(say(&t, CODE + 0x220), "none gap");
	CHECK_STR(say(&t, CODE + 0x100), "sp+32 same");
	CHECK_STR(say(&t, CODE + 0x110), "none gap");
	CHECK_STR(say(&t, CODE_END - 1), "sp+48 same");
	CHECK_STR(say(&t, CODE_END), "outside");
	CHECK_INT(t.stats.fdes_overlapping, 2);
	CHECK_INT(t.stats.fdes_outside, 2);
	CHECK_INT(t.stats.code_bytes, CODE_END - CODE);
	CHECK_INT(t.stats.bytes[ABI_UNWIND_GAP], CODE_END - CODE - 0x40);
	unwind_table__free(&t);
}

TEST(gos_code_keeps_frame_pointers)
{
	const struct ehframe_opts opts = { .go = { CODE + 0x1000, CODE + 0x12000 } };
	struct made m = { 0 };
	struct unwind_table t;
	size_t cie = put_usual_cie(&m);

	put_fde(&m, cie, CODE + 0xff0, 0x20, "", 0); /* reaches into it */
	put_fde(&m, cie, CODE + 0x2000, 0x20, "", 0);
	put_fde(&m, cie, CODE + 0x11ff0, 0x20, "", 0); /* out of it */
	if (!compile(&m, NULL, &opts, &t))
		return;
	CHECK_STR(say(&t, CODE + 0xfff), "sp+8 same");
	CHECK_STR(say(&t, CODE + 0x1000), "chain");
	CHECK_STR(say(&t, CODE + 0x2000), "chain");
	CHECK_STR(say(&t, CODE + 0x11fff), "chain");
	CHECK_STR(say(&t, CODE + 0x12000), "sp+8 same");
	CHECK_STR(say(&t, CODE + 0x12010), "none gap");
	unwind_table__free(&t);
	if (!compile(NULL, NULL, &opts, &t))
		return;
	CHECK_STR(say(&t, CODE + 0xfff), "none gap");
	CHECK_STR(say(&t, CODE + 0x1000), "chain");
	CHECK_INT(t.npages, 2);
	CHECK_INT(t.nrows, 4); /* gap, chain; chain, gap */
	unwind_table__free(&t);
}

TEST(rows_are_bounded)
{
	const struct ehframe_opts opts = { .max_rows = 10 };
	struct made m = { 0 };
	struct unwind_table t;
	size_t cie = put_usual_cie(&m);
	char insns[60];

	for (size_t i = 0; i < sizeof(insns); i += 3)
		memcpy(insns + i, (char[]){ 0x41, 0x0e, (char)(i + 16) }, 3);
	put_fde(&m, cie, CODE + 0x100, 0x1000, insns, sizeof(insns));
	put_fde(&m, cie, CODE + 0x20000, 0x10, "", 0);
	if (!compile(&m, NULL, &opts, &t))
		return;
	CHECK_INT(t.npages, 3);
	CHECK_INT(t.nrows, 10);
	CHECK_STR(say(&t, CODE + 0x105), "sp+28 same");
	CHECK_STR(say(&t, CODE + 0x110), "none too-many");
	CHECK_STR(say(&t, CODE + 0x20000), "none too-many");
	CHECK(t.stats.bytes[ABI_UNWIND_TOO_MANY] >= 0x1000 - 0x10);
	CHECK_INT(t.stats.rows[ABI_UNWIND_TOO_MANY], 3);
	unwind_table__free(&t);
}

TEST(rules_are_bounded)
{
	struct unwind_builder b;
	struct unwind_table t;

	if (!CHECK_INT(unwind_builder__open(&b, &t, 0, 1 << 20, 1 << 20), 0))
		return;
	for (uint32_t i = 0; i < ABI_UNWIND_MAX_RULES + 1000; i++) {
		const struct abi_unwind_rule rule = { .cfa = ABI_CFA_SP, .cfa_off = (int32_t)i };

		unwind_builder__add(&b, i * 8, i * 8 + 8, &rule);
	}
	if (!CHECK_INT(unwind_builder__close(&b), 0))
		return;
	check_shape(&t);
	CHECK_INT(t.nrules, ABI_UNWIND_MAX_RULES);
	CHECK_STR(say(&t, 8), "sp+1 same");
	CHECK_STR(say(&t, (ABI_UNWIND_MAX_RULES - ABI_UNWIND__N) * 8 - 1), "sp+65529 same");
	CHECK_STR(say(&t, (ABI_UNWIND_MAX_RULES - ABI_UNWIND__N) * 8), "none too-many");
	unwind_table__free(&t);
}

/* Where a process begins in a file nobody has called, as far as no unwind information says otherwise. */
TEST(entry_point)
{
	struct ehframe_image image = { .eh_frame_vaddr = TABLE_VADDR, .code = &made_code, .ncode = 1 };
	struct unwind_table t;
	struct made m = { 0 };
	size_t cie = put_usual_cie(&m);

	put_fde(&m, cie, CODE, 0x100, "", 0);
	put_fde(&m, cie, CODE + 0x140, 0x10, "", 0);
	image.eh_frame = (struct span){ m.bytes, m.len };
	image.entry_vaddr = CODE + 0x108;
	if (!CHECK_INT(ehframe_compile_image(&image, NULL, &t), 0))
		return;
	check_shape(&t);
	CHECK_STR(say(&t, CODE + 0xff), "sp+8 same");
	CHECK_STR(say(&t, CODE + 0x107), "none gap");
	CHECK_STR(say(&t, CODE + 0x108), "end");
	CHECK_STR(say(&t, CODE + 0x13f), "end");
	CHECK_STR(say(&t, CODE + 0x140), "sp+8 same");
	CHECK_STR(say(&t, CODE + 0x150), "none gap");
	unwind_table__free(&t);
	/* Behind all that is said, and not far; in what is said; outside of the code. */
	image.entry_vaddr = CODE + 0x200;
	CHECK_INT(ehframe_compile_image(&image, NULL, &t), 0);
	CHECK_STR(say(&t, CODE + 0x1ff), "none gap");
	CHECK_STR(say(&t, CODE + 0x27f), "end");
	CHECK_STR(say(&t, CODE + 0x280), "none gap");
	unwind_table__free(&t);
	image.entry_vaddr = CODE + 0x80;
	CHECK_INT(ehframe_compile_image(&image, NULL, &t), 0);
	CHECK_STR(say(&t, CODE + 0x80), "sp+8 same");
	CHECK_STR(say(&t, CODE + 0x101), "none gap");
	unwind_table__free(&t);
	image.entry_vaddr = CODE_END;
	CHECK_INT(ehframe_compile_image(&image, NULL, &t), 0);
	CHECK_STR(say(&t, CODE + 0x101), "none gap");
	unwind_table__free(&t);
}

/* A few bytes that claim gigabytes of code, of rows and of pages. */
TEST(huge_ranges)
{
	static const struct ehframe_range code = { CODE, 1ull << 40 };
	struct ehframe_image image = { .eh_frame_vaddr = TABLE_VADDR, .code = &code, .ncode = 1 };
	struct unwind_table t;
	struct made m = { 0 };
	size_t cie = put_cie(&m, "R", "\0", 1, "\x0f\x0b\x77\x08\x80\0\x3f\x1a\x3b\x2a\x33\x24\x22", 13);

	for (uint64_t i = 0; i < 200; i++) {
		const uint64_t ptrs[] = { CODE + (i << 32), 0xfffffff0 };

		put_fde_with(&m, cie, ptrs, sizeof(ptrs), true);
	}
	image.eh_frame = (struct span){ m.bytes, m.len };
	if (!CHECK_INT(ehframe_compile_image(&image, NULL, &t), 0))
		return;
	check_shape(&t);
	CHECK_INT(t.npages, 65536);
	CHECK(t.nrows <= EHFRAME_MAX_ROWS);
	CHECK_STR(say(&t, CODE + 0x100), "sp+8 same");
	CHECK_STR(say(&t, CODE + 0xf0000000), "none too-many");
	CHECK_STR(say(&t, CODE + (1ull << 32)), "outside");
	CHECK(t.stats.bytes[ABI_UNWIND_TOO_MANY] > 199 * 0xfffffff0ull);
	unwind_table__free(&t);
}


/* A folder of this program's own, and files in it built by the host's compiler. */
static char folder[64];

static void clean_up(void)
{
	char path[128];

	for (const char *const *name = (const char *const[]){ "a.c", "a.S", "a.out", NULL }; *name; name++) {
		snprintf(path, sizeof(path), "%s/%s", folder, *name);
		unlink(path);
	}
	rmdir(folder);
}

static bool build(const char *name, const char *source, const char *flags, char path[static 128])
{
	char cmd[512], src[128];
	FILE *f;

	if (!*folder) {
		snprintf(folder, sizeof(folder), "/tmp/test_ehframe.XXXXXX");
		if (!CHECK(mkdtemp(folder) != NULL))
			return false;
		atexit(clean_up);
	}
	snprintf(src, sizeof(src), "%s/%s", folder, name);
	snprintf(path, 128, "%s/a.out", folder);
	f = fopen(src, "w");
	if (!f)
		return false;
	fputs(source, f);
	fclose(f);
	snprintf(cmd, sizeof(cmd), "gcc %s -o %s %s", flags, path, src);
	return CHECK_INT(system(cmd), 0);
}

struct wanted {
	const char *name;
	uint64_t vaddr, size_bytes;
};

static int see_sym(void *ctx, const struct elf_sym *sym)
{
	struct wanted *wanted = ctx;

	if (strcmp(sym->name, wanted->name) != 0)
		return 0;
	wanted->vaddr = sym->vaddr;
	wanted->size_bytes = sym->size_bytes;
	return 1;
}

static struct wanted find_sym(const char *path, const char *name)
{
	struct wanted wanted = { .name = name };
	struct elf_file *elf;
	struct err err;

	if (!elf_file__open(open(path, O_RDONLY | O_CLOEXEC), path, &elf, &err)) {
		CHECK(elf_file__each_sym(elf, see_sym, &wanted));
		elf_file__free(elf);
	}
	return wanted;
}

/* Realigned stacks: the CFA is a word in the frame, the caller's rbp is at rbp itself. */
TEST(realigned_stacks)
{
	static const char source[] =
		"#include <alloca.h>\n"
		"void use(void *, ...);\n"
		"__attribute__((noipa)) void use(void *p, ...) { (void)p; }\n"
		"__attribute__((noipa)) int dynamic(int n) {\n"
		"	long a __attribute__((aligned(64))) = n; char *p = alloca(n);\n"
		"	use(p, &a, n); return p[0] + (int)a; }\n"
		"__attribute__((noipa)) int fixed(int n, ...) { long a[8] __attribute__((aligned(128))) = { n };\n"
		"	use(a); return (int)a[n & 7]; }\n"
		"int main(void) { return dynamic(8) + fixed(3); }\n";
	static const char *const flags[] = { "-O2", "-O2 -mstackrealign", "-O0 -mstackrealign",
					     "-O1 -fno-omit-frame-pointer", "-O2 -mavx2 -mno-red-zone" };
	char path[128];

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		uint32_t by_word = 0;
		struct wanted sym;
		struct subject s;
		double ms;

		if (!build("a.c", source, flags[i], path))
			return;
		compare(path, false);
		sym = find_sym(path, "dynamic");
		if (open_subject(path, NULL, &s, &ms)) {
			for (uint64_t at = sym.vaddr; at < sym.vaddr + sym.size_bytes; at++)
				by_word += strncmp(say(&s.table, at), "[fp-", 4) == 0 &&
					   strcmp(strchr(say(&s.table, at), ' '), " fp+0") == 0;
			CHECK(by_word > 10);
		}
		close_subject(&s);
	}
}

/* CFI as people write it, and code that has none. */
TEST(assembly)
{
	static const char source[] =
		".text\n.globl main\nmain:\n.cfi_startproc\n"
		"push %rbx\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset rbx, 0\n"
		"push %rbp\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset rbp, 0\n"
		".cfi_remember_state\npop %rbp\n.cfi_adjust_cfa_offset -8\n.cfi_restore rbp\n"
		"pop %rbx\n.cfi_def_cfa rsp, 8\n.cfi_restore rbx\nret\n.cfi_restore_state\n"
		"mov %rsp, %rax\n.cfi_def_cfa_register rax\nnop\n"
		"mov %rax, %rsp\n.cfi_def_cfa_register rsp\n.cfi_undefined rip\nud2\n"
		".cfi_endproc\n"
		"none: nop\nret\n"
		".cfi_startproc\n.cfi_signal_frame\n.cfi_undefined rbp\nodd: nop\n.cfi_register rbp, rax\nnop\n"
		".cfi_val_offset rbp, -16\nnop\n.cfi_offset rip, -16\nnop\n.cfi_register rsp, rax\nnop\nret\n"
		".cfi_endproc\n"
		".section .note.GNU-stack,\"\",@progbits\n";
	struct wanted sym;
	struct subject s;
	char path[128];
	double ms;

	if (!build("a.S", source, "", path))
		return;
	compare(path, false);
	if (open_subject(path, NULL, &s, &ms)) {
		sym = find_sym(path, "main");
		CHECK_STR(say(&s.table, sym.vaddr), "sp+8 same");
		CHECK_STR(say(&s.table, sym.vaddr + 2), "sp+24 cfa-24");
		CHECK_STR(say(&s.table, sym.vaddr + 4), "sp+8 same");
		CHECK_STR(say(&s.table, sym.vaddr + 5), "sp+24 cfa-24");
		CHECK_STR(say(&s.table, sym.vaddr + 8), "none register");
		CHECK_STR(say(&s.table, sym.vaddr + 12), "end");
		CHECK_STR(say(&s.table, find_sym(path, "none").vaddr), "none gap");
		sym = find_sym(path, "odd");
		CHECK_STR(say(&s.table, sym.vaddr), "sp+8 lost");
		CHECK_STR(say(&s.table, sym.vaddr + 3), "none return-address");
		CHECK_STR(say(&s.table, sym.vaddr + 4), "none expression");
		CHECK_INT(s.table.stats.fp_lost_bytes, 3);
	}
	close_subject(&s);
}

#define NO_EH_FRAME "-fno-asynchronous-unwind-tables -fno-unwind-tables "

static const char freestanding[] = "static int f(int n) { volatile char a[64]; a[n & 63] = 1; return a[n & 31] + n; }\n"
				   "int g(int n) { return f(n) + f(n + 1); }\n"
				   "void _start(void) { for (;;) g(3); }\n";

TEST(debug_frame_of_programs)
{
	static const char *const flags[] = { "-gz=none", "-gz=zlib" };
	char path[128], all[256];
	struct wanted sym;
	struct subject s;
	double ms;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		snprintf(all, sizeof(all), "-O1 -g " NO_EH_FRAME "-nostdlib -static %s", flags[i]);
		if (!build("a.c", freestanding, all, path))
			return;
		compare(path, true);
		/* Beside an .eh_frame, that of the C library's part. */
		if (!build("a.c", "int main(void) { return 0; }", "-g " NO_EH_FRAME, path))
			return;
		sym = find_sym(path, "main");
		if (open_subject(path, NULL, &s, &ms)) {
			CHECK_INT(s.table.stats.fdes_of_debug_frame, 1);
			CHECK_STR(say(&s.table, sym.vaddr), "sp+8 same");
			CHECK_STR(say(&s.table, sym.vaddr + 4), "fp+16 cfa-16");
			sym = find_sym(path, "_start");
			CHECK_STR(say(&s.table, sym.vaddr), "end");
		}
		close_subject(&s);
	}
}

TEST(no_unwind_information)
{
	struct unwind_table t;
	struct elf_file *elf;
	struct err err;
	char path[128];
	const struct ehframe_opts opts = { .go = { 0x401000, 0x402000 } };

	if (!build("a.c", freestanding, NO_EH_FRAME "-nostdlib -static", path) ||
	    !CHECK_INT(elf_file__open(open(path, O_RDONLY | O_CLOEXEC), path, &elf, &err), 0))
		return;
	CHECK_INT(ehframe_compile(elf, NULL, &t), -ENOENT);
	if (CHECK_INT(ehframe_compile(elf, &opts, &t), 0)) {
		CHECK_STR(say(&t, 0x401000), "chain");
		unwind_table__free(&t);
	}
	elf_file__free(elf);
}

/* The image at @bytes as a file. */
static int to_memfd(const void *bytes, size_t len)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	CHECK(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	return fd;
}

static bool compile_bytes(const uint8_t *bytes, size_t len, struct unwind_table *ret)
{
	struct elf_file *elf;
	struct err err;
	bool ok;

	if (!CHECK_INT(elf_file__open(to_memfd(bytes, len), "image", &elf, &err), 0))
		return false;
	ok = CHECK_INT(ehframe_compile(elf, NULL, ret), 0);
	elf_file__free(elf);
	return ok;
}

TEST(without_section_headers)
{
	struct unwind_table with, without;
	uint8_t *bytes;
	Elf64_Ehdr *ehdr;
	struct stat st;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (!CHECK(fd >= 0 && fstat(fd, &st) == 0))
		return;
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	close(fd);
	if (!CHECK(bytes != MAP_FAILED))
		return;
	if (compile_bytes(bytes, (size_t)st.st_size, &with)) {
		ehdr = (Elf64_Ehdr *)bytes;
		ehdr->e_shoff = 0;
		ehdr->e_shnum = ehdr->e_shstrndx = 0;
		if (compile_bytes(bytes, (size_t)st.st_size, &without)) {
			CHECK(with.nrows > 1000);
			CHECK_INT(without.nrows, with.nrows);
			CHECK_INT(without.nrules, with.nrules);
			CHECK_INT(without.npages, with.npages);
			CHECK_INT(without.stats.malformed, 0);
			CHECK(memcmp(with.rows, without.rows, with.nrows * sizeof(*with.rows)) == 0);
			CHECK(memcmp(with.rules, without.rules, with.nrules * sizeof(*with.rules)) == 0);
			unwind_table__free(&without);
		}
		unwind_table__free(&with);
	}
	munmap(bytes, (size_t)st.st_size);
}

TEST(vdso)
{
	const uint8_t *vdso = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	char line[256], path[64];
	unsigned long start, end, len = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	int fd;

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && start == (unsigned long)vdso)
			len = end - start;
	if (maps)
		fclose(maps);
	if (!vdso || !len) {
		SKIP("no vdso");
		return;
	}
	fd = to_memfd(vdso, len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	compare(path, false);
	close(fd);
}

#endif

TEST_MAIN()
