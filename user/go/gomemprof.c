// SPDX-License-Identifier: GPL-2.0-or-later
#include "go/gomemprof.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MEM_PROFILE 1 /* runtime/mprof.go: memProfile, bucketType */
#define MAX_BUCKETS (1u << 16) /* more is a list that has no end, or a program that wants to keep us busy */
#define MAX_RATE_BYTES (1ull << 40)
#define MAX_RECORD_BYTES 512

static int on_sym(void *ctx, const struct elf_sym *sym)
{
	struct gomemprof_vars *vars = ctx;

	if (strcmp(sym->name, "runtime.MemProfileRate") == 0) {
		vars->rates[0] = sym->vaddr;
		vars->nrates = 1;
	} else if (strcmp(sym->name, "runtime.mbuckets") == 0) {
		vars->mbuckets = sym->vaddr;
	}
	return 0;
}

static void add_rate(struct gomemprof_vars *vars, uint64_t vaddr)
{
	for (uint32_t i = 0; i < vars->nrates; i++)
		if (vars->rates[i] == vaddr)
			return;
	if (vars->nrates < GOMEMPROF_MAX_RATES)
		vars->rates[vars->nrates++] = vaddr;
}

/*
 * What profilealloc loads by `mov disp32(%rip), %reg`: the rate, and mcache0, which is no plausible rate (nil or a
 * pointer) once the program runs. Source: Intel SDM, volume 2, MOV (REX.W 8B /r), ModRM 00 reg 101.
 */
static void find_loads(const uint8_t *code, size_t len, uint64_t vaddr, struct gomemprof_vars *vars)
{
	int32_t disp;

	for (size_t i = 0; i + 7 <= len; i++) {
		if ((code[i] & 0xfb) != 0x48 || code[i + 1] != 0x8b || (code[i + 2] & 0xc7) != 0x05)
			continue;
		memcpy(&disp, code + i + 3, sizeof(disp));
		add_rate(vars, vaddr + i + 7 + (uint64_t)(int64_t)disp);
	}
}

void gomemprof_find(struct elf_file *elf, const struct gobin *bin, struct gomemprof_vars *ret)
{
	const struct gopclntab *tab = gobin__pclntab(bin);
	struct go_func func;
	uint8_t code[512];
	ssize_t len;

	memset(ret, 0, sizeof(*ret));
	elf_file__each_sym(elf, on_sym, ret);
	if (ret->nrates || !tab)
		return;
	for (uint32_t i = 0; i < gopclntab__nfuncs(tab); i++) {
		if (!gopclntab__func(tab, i, &func) || strcmp(func.name, "runtime.profilealloc") != 0)
			continue;
		len = func.end - func.entry < sizeof(code) ? (ssize_t)(func.end - func.entry) : (ssize_t)sizeof(code);
		len = elf_file__read_vaddr(elf, func.entry, code, (size_t)len);
		if (len > 0)
			find_loads(code, (size_t)len, func.entry, ret);
		return;
	}
}

bool gomemprof_rate(const struct gomemprof_vars *vars, const struct mem_reader *reader, uint64_t bias, uint64_t *ret)
{
	uint64_t values[GOMEMPROF_MAX_RATES];
	struct mem_read reads[GOMEMPROF_MAX_RATES];

	for (uint32_t i = 0; i < vars->nrates; i++)
		reads[i] = (struct mem_read){ vars->rates[i] + bias, &values[i], sizeof(values[i]), false };
	if (vars->nrates)
		reader->read(reader->ctx, reads, vars->nrates);
	*ret = 0;
	for (uint32_t i = 0; i < vars->nrates; i++) {
		if (!reads[i].ok)
			return false;
		/* A negative or absurd one is not the rate, or one that samples nothing. */
		if (values[i] && values[i] < MAX_RATE_BYTES)
			*ret = values[i];
	}
	return vars->nrates != 0;
}

double gomemprof_chance(uint64_t bytes, uint64_t rate)
{
	return rate <= 1 ? 1 : -expm1(-(double)bytes / (double)rate);
}

static uint64_t word(const uint8_t *bytes, uint16_t off)
{
	uint64_t value;

	memcpy(&value, bytes + off, sizeof(value));
	return value;
}

/* Sampled objects of the record's active cycle and of those to come. */
static void add_cycles(const struct go_layout *layout, const uint8_t *rec, struct gomemprof_bucket *to)
{
	uint16_t at = layout->memrecord_active;

	for (uint16_t i = 0; i <= layout->memrecord_nfuture; i++) {
		to->allocs += word(rec, at + layout->memcycle_allocs);
		to->frees += word(rec, at + layout->memcycle_frees);
		at = layout->memrecord_future + i * layout->memcycle_bytes;
	}
}

/* The bucket at @addr; *ret_next is the one before it in time. false: not readable, or nonsense. */
static bool read_bucket(const struct go_layout *layout, const struct mem_reader *reader, uint64_t addr,
			struct gomemprof_bucket *ret, uint64_t *ret_next, uint64_t *ret_type)
{
	size_t record_bytes = layout->memrecord_future + (size_t)layout->memrecord_nfuture * layout->memcycle_bytes;
	uint8_t head[256], rec[MAX_RECORD_BYTES];
	struct mem_read read = { addr, head, layout->bucket_bytes, false };
	struct mem_read rest[2];
	uint64_t nstk;

	if (layout->bucket_bytes > sizeof(head) || record_bytes > sizeof(rec))
		return false;
	reader->read(reader->ctx, &read, 1);
	if (!read.ok)
		return false;
	nstk = word(head, layout->bucket_nstk);
	*ret_next = word(head, layout->bucket_allnext);
	*ret_type = word(head, layout->bucket_typ);
	memset(ret, 0, sizeof(*ret));
	if (*ret_type != MEM_PROFILE)
		return true;
	if (nstk > 4096)
		return false;
	ret->addr = addr;
	ret->object_bytes = word(head, layout->bucket_size);
	ret->nstack = nstk < GOMEMPROF_MAX_STACK ? (uint32_t)nstk : GOMEMPROF_MAX_STACK;
	rest[0] = (struct mem_read){ addr + layout->bucket_bytes, ret->stack, ret->nstack * sizeof(uint64_t), false };
	rest[1] = (struct mem_read){ addr + layout->bucket_bytes + nstk * sizeof(uint64_t), rec, record_bytes, false };
	reader->read(reader->ctx, nstk ? rest : rest + 1, nstk ? 2 : 1);
	if ((nstk && !rest[0].ok) || !rest[1].ok)
		return false;
	add_cycles(layout, rec, ret);
	return true;
}

int gomemprof_each(const struct gomemprof_vars *vars, const struct go_layout *layout, const struct mem_reader *reader,
		   uint64_t bias, void (*fn)(void *ctx, const struct gomemprof_bucket *bucket), void *ctx)
{
	uint64_t addr = 0, type;
	struct gomemprof_bucket *bucket;
	struct mem_read read = { vars->mbuckets + bias, &addr, sizeof(addr), false };
	int err = 0;

	if (!vars->mbuckets)
		return -EFAULT;
	bucket = malloc(sizeof(*bucket));
	if (!bucket)
		return -ENOMEM;
	reader->read(reader->ctx, &read, 1);
	if (!read.ok)
		err = -EFAULT;
	for (uint32_t i = 0; addr && !err; i++) {
		if (i == MAX_BUCKETS || !read_bucket(layout, reader, addr, bucket, &addr, &type))
			err = -EFAULT;
		else if (type == MEM_PROFILE)
			fn(ctx, bucket);
	}
	free(bucket);
	return err;
}
