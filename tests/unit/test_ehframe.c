// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unwind tables. Truth is libdw, which runs the same instructions by another's code: at many addresses of real files
 * its description of a frame and our rule are both evaluated, on made-up registers and memory, and must
 * give the same CFA, frame pointer and place of the return address. EHFRAME_ALL=1 asks at every row of every file.
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

	if (dwarf_frame_cfa(frame, &cfa_ops, &ncfa_ops) || dwarf_frame_info(frame, NULL, NULL, &is_signal) < 0)
		return rule->cfa == ABI_CFA_NONE && rule->cfa_off == ABI_UNWIND_MALFORMED;
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
	return fp.state != KNOWN || (fp.value != FP && fp.value != cfa.value - 16);
}

struct subject {
	struct unwind_table table;
	Dwarf_CFI *cfi;
	Elf *libelf;
	Dwarf *dwarf;
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
		ok = rule.cfa == ABI_CFA_NONE &&
		     (rule.cfa_off == ABI_UNWIND_GAP || rule.cfa_off == ABI_UNWIND_MALFORMED);
		tally->unable++;
		tally->unable_at[rule.cfa == ABI_CFA_NONE ? rule.cfa_off : 0]++;
	} else {
		ok = agrees(&rule, frame, pc, tally);
	}
	free(frame);
	if (ok && rule.cfa != ABI_CFA_NONE)
		tally->equal++;
	if (!ok && tally->wrong++ < 5)
		fprintf(stderr, "at 0x%llx: cfa %u off %d add %d, fp %u off %d: libdw %s\n", (unsigned long long)pc,
			rule.cfa, rule.cfa_off, rule.cfa_add, rule.fp, rule.fp_off, frame ? "differs" : dwarf_errmsg(-1));
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
	for (int i = 0; i < SAMPLES; i++)
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

static void compare(const char *path, bool debug)
{
	static const char *const causes[] = { "gap", "register", "expression", "return address", "malformed", "too many" };
	struct tally tally = { 0 };
	const struct unwind_stats *stats;
	struct subject s;
	double ms;

	if (open_subject(path, NULL, &s, &ms) && open_truth(path, debug, &s)) {
		stats = &s.table.stats;
		ask_rows(&s, &tally);
		printf("# %s: %u rows, %u rules, %zu bytes, %.1f ms; %llu FDEs (%llu with fp, %llu outside, %llu overlap); "
		       "%llu addresses, %llu equal, %llu unable, %llu lost fp", path, s.table.nrows, s.table.nrules,
		       s.table.nrows * sizeof(*s.table.rows) + s.table.nrules * sizeof(*s.table.rules) +
			       ((size_t)s.table.npages + 1) * sizeof(*s.table.page_first), ms,
		       (unsigned long long)stats->fdes, (unsigned long long)stats->fdes_with_fp,
		       (unsigned long long)stats->fdes_outside, (unsigned long long)stats->fdes_overlapping,
		       (unsigned long long)tally.asked, (unsigned long long)tally.equal,
		       (unsigned long long)tally.unable, (unsigned long long)tally.fp_unknown);
		for (int i = 0; i < ABI_UNWIND__N; i++)
			if (stats->rows[i])
				printf("; %s %llu rows %llu of %llu bytes", causes[i], (unsigned long long)stats->rows[i],
				       (unsigned long long)stats->bytes[i], (unsigned long long)stats->code_bytes);
		printf("\n");
		CHECK_INT(tally.wrong, 0);
		CHECK_INT(tally.equal + tally.unable, tally.asked);
		CHECK(tally.equal > 0);
		CHECK_INT(stats->malformed + stats->too_many, 0);
		CHECK_INT(tally.unable_at[ABI_UNWIND_MALFORMED] + tally.unable_at[ABI_UNWIND_TOO_MANY], 0);
	}
	close_subject(&s);
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
	const char *more = getenv("EHFRAME_FILE");
	int found = 0;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (access(paths[i], R_OK)) {
			printf("# not here: %s\n", paths[i]);
			continue;
		}
		compare(paths[i], false);
		found++;
	}
	if (more)
		compare(more, false);
	CHECK(found >= 2);
}

TEST_MAIN()
