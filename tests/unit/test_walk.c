// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The BPF side's stack walk and its Go door, run in user mode on hand-made and on
 * random stacks, against a walk that reads word by word and knows of no blocks.
 * The target's memory has pages that are not there, as bpf_probe_read_user() meets
 * them: all of a read or nothing.
 */
#include "bpfstub/bpf.h"

#include "bpf/alloc_go.bpf.h"

#include "bpfstub/run.h"

#include "test.h"

#define IP 0x401234
#define PAGE_AT(n) (FAKE_BASE + (uint64_t)(n) * FAKE_PAGE)

static bool word_at(uint64_t addr, uint64_t *ret)
{
	return fake_memory__read(&fake.mem, ret, 8, addr) == 0;
}

/* What walk.bpf.h says that it does, in the plainest way. */
static void reference_walk(const struct walk_from *from, struct abi_rec_stack *ret)
{
	uint64_t fp = from->fp, next, ra = from->ra;
	uint32_t n = 0;

	memset(ret, 0, sizeof(*ret));
	ret->flags = (uint16_t)from->flags;
	if (!ra && !word_at(from->sp, &ra))
		ret->flags |= ABI_STACK_UNREADABLE;
	ret->frames[n++] = from->ip;
	ret->frames[n++] = ra;
	while (fp) {
		if (n == ABI_MAX_FRAMES) {
			ret->flags |= ABI_STACK_TRUNCATED;
			break;
		}
		if (fp & 7) {
			ret->flags |= ABI_STACK_BAD_FP;
			break;
		}
		if (!word_at(fp, &next) || !word_at(fp + 8, &ra)) {
			bool near = fp >= from->sp && fp - from->sp < STACK_NEAR_BYTES;

			ret->flags |= near ? ABI_STACK_UNREADABLE : ABI_STACK_BAD_FP;
			break;
		}
		if (!ra)
			break;
		ret->frames[n++] = ra;
		if (next == fp) {
			ret->flags |= ABI_STACK_BAD_FP;
			break;
		}
		fp = next;
	}
	ret->nframes = (uint16_t)n;
}

static const struct abi_rec_stack *run_walk(const struct walk_from *from)
{
	struct scratch *s = &fake.scratches[0];

	/* What an earlier run left must not matter. */
	memset(&s->rec, 0x5a, sizeof(s->rec));
	memset(s->block, 0x5a, sizeof(s->block));
	s->block_addr = from->fp;
	s->block_len = BLOCK_BYTES;
	s->from = *from;
	walk(s, &fake.target);
	return &s->rec;
}

static bool compare(const struct walk_from *from)
{
	const struct abi_rec_stack *got = run_walk(from);
	struct abi_rec_stack want;
	bool ok;

	reference_walk(from, &want);
	ok = CHECK_INT(got->nframes, want.nframes);
	ok = CHECK_INT(got->flags, want.flags) && ok;
	for (uint32_t i = 0; ok && i < want.nframes; i++)
		ok = CHECK_INT(got->frames[i], want.frames[i]);
	ok = CHECK_INT(got->rec.kind, ABI_REC_STACK) && ok;
	ok = CHECK_INT(got->rec.tgid, fake.target.tgid) && ok;
	ok = CHECK_INT(got->image, fake.target.image) && ok;
	ok = CHECK(got->stack_id >> 63) && CHECK_INT(got->stack_id, fake.scratches[0].key.stack_id) && ok;
	return ok;
}

static void put_frame(uint64_t at, uint64_t saved_fp, uint64_t ra)
{
	fake_memory__put(&fake.mem, at, saved_fp);
	fake_memory__put(&fake.mem, at + 8, ra);
}

/*
 * A stack of @depth frames from @sp upwards, @step bytes each (the last has a saved frame pointer of 0):
 * the probed instruction, the word at [sp], and depth - 2 frames. Where the walk starts.
 */
static struct walk_from make_stack(uint64_t sp, uint32_t depth, uint32_t step)
{
	struct walk_from from = { .ip = IP, .sp = sp, .fp = depth > 2 ? sp + 16 : 0 };

	fake_memory__put(&fake.mem, sp, 0x400000);
	for (uint32_t i = 2; i < depth; i++) {
		uint64_t at = sp + 16 + (uint64_t)(i - 2) * step;

		put_frame(at, i + 1 < depth ? at + step : 0, 0x400000 + i * 16);
	}
	return from;
}

TEST(depths)
{
	static const uint32_t depths[] = { 2, 3, 12, 125, 126, 127, 128, 129, 200 };
	static const uint32_t steps[] = { 16, 48, 512, 1008, 1016, 1024 };

	for (size_t d = 0; d < sizeof(depths) / sizeof(depths[0]); d++)
		for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
			struct walk_from from;
			const struct abi_rec_stack *rec;

			fake_reset();
			from = make_stack(PAGE_AT(1) + 8, depths[d], steps[s]);
			if (!compare(&from))
				fprintf(stderr, "  depth %u, step %u\n", depths[d], steps[s]);
			rec = &fake.scratches[0].rec;
			CHECK_INT(rec->nframes, depths[d] < 127 ? depths[d] : 127);
			CHECK_INT(rec->flags, depths[d] > 127 ? ABI_STACK_TRUNCATED : 0);
			CHECK_INT(rec->frames[0], IP);
			CHECK_INT(rec->frames[1], 0x400000);
			for (uint32_t i = 2; i < rec->nframes; i++)
				CHECK_INT(rec->frames[i], 0x400000 + i * 16);
		}
}

/* Every place of a frame relative to the block and to the page, with the next page there and not. */
TEST(block_and_page_borders)
{
	for (uint32_t sp_off = 0; sp_off < FAKE_PAGE; sp_off += 8)
		for (uint32_t dist = 8; dist <= BLOCK_BYTES + 32; dist += 8)
			for (int there = 0; there < 2; there++) {
				uint64_t sp = PAGE_AT(2) + sp_off, fp = sp + dist;
				struct walk_from from = { .ip = IP, .sp = sp, .fp = fp };

				if (sp_off % 256 > 24 && sp_off < FAKE_PAGE - BLOCK_BYTES - 64)
					continue; /* far from every border: some will do */
				if (!sp_off && dist == 8)
					fake_reset();
				fake.mem.present[3] = there;
				fake_memory__put(&fake.mem, sp, 0x400000);
				put_frame(fp, fp + 24, 0x400010);
				put_frame(fp + 24, 0, 0x400020);
				if (!compare(&from)) {
					fprintf(stderr, "  sp at %u, fp %u above, next page %d\n", sp_off, dist, there);
					return;
				}
			}
}

TEST(a_page_that_is_not_resident)
{
	struct walk_from from;
	const struct abi_rec_stack *rec = &fake.scratches[0].rec;

	fake_reset();
	from = make_stack(PAGE_AT(1), 100, 256);
	fake.mem.present[3] = false;
	compare(&from);
	CHECK_INT(rec->flags, ABI_STACK_UNREADABLE);
	/* Frames at sp + 16 + k * 256 that lie below page 3 in whole. */
	CHECK_INT(rec->nframes, 2 + 2 * FAKE_PAGE / 256);

	/* Not even [sp]: the frames above are still good. */
	fake_reset();
	from = make_stack(PAGE_AT(2) - 8, 10, 64);
	fake.mem.present[1] = false;
	compare(&from);
	CHECK_INT(rec->flags, ABI_STACK_UNREADABLE);
	CHECK_INT(rec->nframes, 10);
	CHECK_INT(rec->frames[1], 0);
	CHECK_INT(rec->frames[2], 0x400020);

	/* Half a word of [sp] is none. */
	fake_reset();
	from = make_stack(PAGE_AT(2) - 4, 2, 64);
	fake.mem.present[2] = false;
	compare(&from);
	CHECK_INT(rec->flags, ABI_STACK_UNREADABLE);
	CHECK_INT(rec->frames[1], 0);
}

TEST(frame_pointers_that_are_none)
{
	static const struct {
		const char *name;
		uint64_t fp;
		uint32_t flags;
	} cases[] = {
		{ "0: complete", 0, 0 },
		{ "odd", PAGE_AT(2) + 1, ABI_STACK_BAD_FP },
		{ "not aligned", PAGE_AT(2) + 12, ABI_STACK_BAD_FP },
		{ "small number", 8, ABI_STACK_BAD_FP },
		{ "all ones", UINT64_MAX & ~7ULL, ABI_STACK_BAD_FP },
		{ "a kernel address", 0xffff888000000000ULL, ABI_STACK_BAD_FP },
		{ "just below the stack pointer, not resident", FAKE_BASE - 8, ABI_STACK_BAD_FP },
		{ "above the stack, near", PAGE_AT(FAKE_PAGES), ABI_STACK_UNREADABLE },
		{ "the last near one", PAGE_AT(1) + STACK_NEAR_BYTES - 8, ABI_STACK_UNREADABLE },
		{ "the first far one", PAGE_AT(1) + STACK_NEAR_BYTES, ABI_STACK_BAD_FP },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int deeper = 0; deeper < 2; deeper++) {
			struct walk_from from;

			fake_reset();
			from = make_stack(PAGE_AT(1), 5, 32);
			if (deeper) /* the last frame's */
				fake_memory__put(&fake.mem, PAGE_AT(1) + 16 + 2 * 32, cases[i].fp);
			else
				from.fp = cases[i].fp;
			if (!compare(&from) || !CHECK_INT(fake.scratches[0].rec.flags, cases[i].flags))
				fprintf(stderr, "  in: %s\n", cases[i].name);
			CHECK_INT(fake.scratches[0].rec.nframes, deeper ? 5 : 2);
		}
}

TEST(loops)
{
	struct walk_from from;
	const struct abi_rec_stack *rec = &fake.scratches[0].rec;

	/* A frame that is its own caller is told at once. */
	fake_reset();
	from = make_stack(PAGE_AT(1), 5, 32);
	put_frame(PAGE_AT(1) + 16 + 2 * 32, PAGE_AT(1) + 16 + 2 * 32, 0x400040);
	compare(&from);
	CHECK_INT(rec->flags, ABI_STACK_BAD_FP);
	CHECK_INT(rec->nframes, 5);

	/* A larger circle ends at the most frames. */
	fake_reset();
	from = make_stack(PAGE_AT(1), 6, 32);
	fake_memory__put(&fake.mem, PAGE_AT(1) + 16 + 3 * 32, PAGE_AT(1) + 16);
	compare(&from);
	CHECK_INT(rec->flags, ABI_STACK_TRUNCATED);
	CHECK_INT(rec->nframes, ABI_MAX_FRAMES);

	/* Its own caller in the very last place: both ends at once. */
	fake_reset();
	from = make_stack(PAGE_AT(1), 127, 32);
	put_frame(PAGE_AT(1) + 16 + 124 * 32, PAGE_AT(1) + 16 + 124 * 32, 0x400040);
	compare(&from);
	CHECK_INT(rec->flags, ABI_STACK_BAD_FP);
	CHECK_INT(rec->nframes, 127);
}

TEST(return_address_of_0_ends_it)
{
	struct walk_from from;

	fake_reset();
	from = make_stack(PAGE_AT(1), 20, 32);
	fake_memory__put(&fake.mem, PAGE_AT(1) + 16 + 5 * 32 + 8, 0);
	compare(&from);
	CHECK_INT(fake.scratches[0].rec.nframes, 7);
	CHECK_INT(fake.scratches[0].rec.flags, 0);
}

/* Go's systemstack(): the chain starts on g0's stack and goes on at a lower address. */
TEST(crosses_to_another_stack)
{
	struct walk_from from, lower;

	fake_reset();
	lower = make_stack(PAGE_AT(2) + 64, 30, 40);
	from = make_stack(PAGE_AT(40) + 128, 10, 40);
	fake_memory__put(&fake.mem, PAGE_AT(40) + 128 + 16 + 7 * 40, lower.fp);
	compare(&from);
	CHECK_INT(fake.scratches[0].rec.nframes, 10 + 28);
	CHECK_INT(fake.scratches[0].rec.flags, 0);
}

/* A return address that is known beforehand (in a register, or remembered at the entry). */
TEST(known_return_address_and_flags)
{
	struct walk_from from;
	const struct abi_rec_stack *rec = &fake.scratches[0].rec;

	fake_reset();
	from = make_stack(PAGE_AT(1), 9, 32);
	from.ra = 0x777777;
	from.flags = ABI_STACK_LEAF_GUESS;
	compare(&from);
	CHECK_INT(rec->frames[1], 0x777777);
	CHECK_INT(rec->flags, ABI_STACK_LEAF_GUESS);
	/* Then nobody minds that [sp] is not there. */
	from.sp = PAGE_AT(FAKE_PAGES) + 64;
	compare(&from);
	CHECK_INT(rec->flags, ABI_STACK_LEAF_GUESS);
	CHECK_INT(rec->nframes, 9);
}

TEST(stack_ids)
{
	struct walk_from from;
	uint64_t ids[9], again;

	fake_reset();
	fake.target.tgid = 1000;
	from = make_stack(PAGE_AT(1), 9, 32);
	ids[0] = run_walk(&from)->stack_id;
	/* The same code addresses elsewhere on the stack: the same stack. */
	from = make_stack(PAGE_AT(7) + 256, 9, 128);
	again = run_walk(&from)->stack_id;
	CHECK_INT(again, ids[0]);
	fake.target.tgid = 1001;
	ids[1] = run_walk(&from)->stack_id;
	fake.target.tgid = 1000;
	fake.target.image = 1;
	ids[2] = run_walk(&from)->stack_id;
	fake.target.image = 0;
	fake.loader = 1;
	ids[8] = run_walk(&from)->stack_id;
	fake.loader = 0;
	from.ip++;
	ids[3] = run_walk(&from)->stack_id;
	from.ip--;
	fake_memory__put(&fake.mem, from.sp, 0x400001);
	ids[4] = run_walk(&from)->stack_id;
	from = make_stack(PAGE_AT(1), 8, 32);
	ids[5] = run_walk(&from)->stack_id;
	/* Two callers the other way round. */
	from = make_stack(PAGE_AT(1), 9, 32);
	fake_memory__put(&fake.mem, from.fp + 8, 0x400030);
	fake_memory__put(&fake.mem, from.fp + 40, 0x400020);
	ids[6] = run_walk(&from)->stack_id;
	from = make_stack(PAGE_AT(1), 2, 32);
	ids[7] = run_walk(&from)->stack_id;
	for (int i = 0; i < 9; i++)
		for (int k = 0; k < i; k++)
			if (!CHECK(ids[i] != ids[k]))
				fprintf(stderr, "  %d and %d\n", i, k);
}

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((random_state >> 33) % n);
}

/* A frame pointer as native code may leave it: mostly good, sometimes anything. */
static uint64_t random_fp(uint64_t above, uint32_t one_in)
{
	if (random_below(one_in))
		return above + 16 + 8 * random_below(random_below(8) ? 30 : 300);
	switch (random_below(5)) {
	case 0:
		return 0;
	case 1:
		return FAKE_BASE + random_below(FAKE_PAGES * FAKE_PAGE);
	case 2:
		return (FAKE_BASE + random_below(FAKE_PAGES * FAKE_PAGE)) & ~7ULL;
	case 3:
		return random_state;
	default: /* at the end of a page */
		return PAGE_AT(1 + random_below(FAKE_PAGES)) - 8 * (1 + random_below(4));
	}
}

TEST(random_stacks)
{
	uint64_t nframes = 0, flags[5] = { 0 };

	for (int round = 0; round < 30000; round++) {
		struct walk_from from = { .ip = IP };
		uint32_t one_in = round % 3 ? 8 : 2000;
		uint64_t at, next;

		random_state = (uint64_t)round;
		if (round % 500 == 0)
			fake_reset();
		for (int i = 0; i < FAKE_PAGES; i++)
			fake.mem.present[i] = random_below(one_in == 8 ? 12 : 300) != 0;
		at = FAKE_BASE + random_below(FAKE_PAGES * FAKE_PAGE / 2) / 8 * 8;
		from.sp = random_below(20) ? at : at + random_below(8);
		from.ra = random_below(10) ? 0 : 0x500000;
		from.fp = random_fp(at, one_in);
		for (at = from.fp; at >= FAKE_BASE && at - FAKE_BASE < sizeof(fake.mem.bytes) - 16; at = next) {
			next = random_fp(at, one_in);
			put_frame(at, next, random_below(1000) ? 0x400000 + random_below(1 << 20) : 0);
			if (next <= at)
				break;
		}
		if (!compare(&from)) {
			fprintf(stderr, "  round %d\n", round);
			return;
		}
		nframes += fake.scratches[0].rec.nframes;
		for (int i = 0; i < 5; i++)
			flags[i] += fake.scratches[0].rec.flags >> i & 1;
	}
	fprintf(stderr, "# %lu frames, %lu truncated, %lu unreadable, %lu bad frame pointers\n", nframes, flags[0], flags[1],
		flags[2]);
	/* Else the random stacks are not worth much. */
	CHECK(nframes > 30000 * 5 && flags[0] > 1000 && flags[1] > 1000 && flags[2] > 1000);
}

#if defined(__x86_64__)
#define COOKIE ABI_COOKIE(FAKE_SLOT, ABI_SPOT_RA_AT_SP | ABI_SPOT_STACK_CHECK, ABI_DOOR_GO_MALLOC)

/* mallocgc(size, nil) from a stack of @depth frames. */
static struct pt_regs call_mallocgc(uint64_t size, uint32_t depth)
{
	struct walk_from from = make_stack(PAGE_AT(1), depth, 48);

	return (struct pt_regs){ .ax = size, .bx = 0, .r14 = PAGE_AT(50), .ip = from.ip, .sp = from.sp, .bp = from.fp };
}

static void target_reset(void)
{
	fake_reset();
	fake.target.tgid = 4711;
	fake.cookie = COOKIE;
	for (uint16_t bytes = 8; bytes < ABI_GO_SMALL_MAX; bytes += 8)
		fake.go.slot[abi_go_size_index(bytes)] = bytes;
}

TEST(door_counts_each_stack)
{
	struct pt_regs regs;

	target_reset();
	for (int i = 0; i < 10; i++) {
		regs = call_mallocgc(100, 5);
		go_malloc(&regs);
		regs = call_mallocgc(200, 7);
		go_malloc(&regs);
	}
	CHECK_INT(fake.nsites, 2);
	for (uint32_t i = 0; i < 2; i++) {
		CHECK_INT(fake.keys[i].tgid, 4711);
		CHECK_INT(fake.keys[i].source, ABI_SOURCE_GO);
		CHECK_INT(fake.sites[i].objects, 10);
		CHECK_INT(fake.sites[i].bytes, i ? 2000 : 1040);
		CHECK_INT(fake.sites[i].requested_bytes, i ? 2000 : 1000);
		CHECK_INT(fake.sites[i].sent, 1);
		/* Its frames, once. */
		CHECK_INT(fake.recs[i].stack_id, fake.keys[i].stack_id);
		CHECK_INT(fake.recs[i].nframes, i ? 7 : 5);
		CHECK_INT(fake.rec_bytes[i], ABI_REC_STACK_BYTES(fake.recs[i].nframes));
		CHECK_INT(fake.contexts[0].context_id, fake.keys[i].context_id);
	}
	CHECK_INT(fake.nrecs, 2);
	CHECK_INT(fake.ncontexts, 1); /* one for both */
	CHECK_INT(fake_stat(ABI_STAT_HITS), 20);
	CHECK_INT(sites_used, 2);
	/* Nobody sits on a scratch slot. */
	for (size_t i = 0; i < sizeof(fake.scratches) / sizeof(fake.scratches[0]); i++)
		CHECK_INT(fake.scratches[i].busy, 0);
}

TEST(door_leaves_out)
{
	struct pt_regs regs;

	target_reset();
	regs = call_mallocgc(100, 5);
	regs.flags = X86_CF; /* sp below the guard: the stack grows and the function starts again */
	go_malloc(&regs);
	regs.flags = X86_ZF;
	go_malloc(&regs);
	CHECK_INT(fake_stat(ABI_STAT_RESTARTED), 2);
	regs = call_mallocgc(0, 5); /* zerobase */
	go_malloc(&regs);
	fake.cookie = ABI_COOKIE(FAKE_SLOT, ABI_SPOT_STACK_CHECK, ABI_DOOR_GO_DISPATCH);
	fake.go.forward_max = 80;
	regs = call_mallocgc(80, 5); /* goes on to a door of its own */
	go_malloc(&regs);
	CHECK_INT(fake.nsites, 0);
	regs = call_mallocgc(81, 5);
	go_malloc(&regs);
	CHECK_INT(fake.nsites, 1);
	fake.cookie = ABI_COOKIE(FAKE_SLOT + 1, 0, ABI_DOOR_GO_MALLOC); /* no such target */
	go_malloc(&regs);
	CHECK_INT(fake.nsites, 1);
	/* Without a stack check before it the flags say nothing. */
	fake.cookie = ABI_COOKIE(FAKE_SLOT, ABI_SPOT_STEPPED, ABI_DOOR_GO_MALLOC);
	regs.flags = X86_CF | X86_ZF;
	go_malloc(&regs);
	CHECK_INT(fake.sites[0].objects, 2);
	CHECK_INT(fake_stat(ABI_STAT_HITS_STEPPED), 1);
	CHECK_INT(fake_stat(ABI_STAT_HITS), 6);
}

/* Go 1.15: size and type behind the return address, g behind the thread pointer. */
TEST(door_with_arguments_on_the_stack)
{
	struct pt_regs regs;

	target_reset();
	fake.cookie = ABI_COOKIE(FAKE_SLOT, ABI_SPOT_STACK_CHECK | ABI_SPOT_GO_STACK_ARGS, ABI_DOOR_GO_MALLOC);
	fake.task.thread.fsbase = PAGE_AT(20);
	regs = call_mallocgc(12345, 2);
	fake_memory__put(&fake.mem, regs.sp + 8, 640);
	fake_memory__put(&fake.mem, regs.sp + 16, 0);
	go_malloc(&regs);
	CHECK_INT(fake.nsites, 1);
	CHECK_INT(fake.sites[0].requested_bytes, 640);
	fake.mem.present[1] = false;
	go_malloc(&regs);
	CHECK_INT(fake.sites[0].objects, 1);
	CHECK_INT(fake_stat(ABI_STAT_LOST_ARGS_UNREADABLE), 1);
}

TEST(door_names_what_it_loses)
{
	struct pt_regs regs;

	target_reset();
	fake.max_sites = 1;
	regs = call_mallocgc(64, 5);
	go_malloc(&regs);
	regs = call_mallocgc(96, 6);
	go_malloc(&regs);
	go_malloc(&regs);
	CHECK_INT(fake_stat(ABI_STAT_LOST_SITE_MAP_FULL), 2);
	CHECK_INT(fake_stat(ABI_STAT_LOST_SITE_BYTES), 192);
	CHECK_INT(fake.nrecs, 1);

	/* A ring that is full: counted, and the next hit sends the stack. */
	target_reset();
	fake.ring_full = true;
	regs = call_mallocgc(64, 130);
	go_malloc(&regs);
	CHECK_INT(fake_stat(ABI_STAT_LOST_RING_FULL_STACK), 1);
	CHECK_INT(fake.sites[0].sent, 0);
	fake.ring_full = false;
	go_malloc(&regs);
	go_malloc(&regs);
	CHECK_INT(fake.nrecs, 1);
	CHECK_INT(fake.recs[0].nframes, 127);
	CHECK_INT(fake.sites[0].objects, 3);

	/* All scratch slots of the CPU taken by programs that were preempted. */
	target_reset();
	for (int i = 0; i < SLOTS_PER_KIND - 1; i++)
		fake.scratches[SCRATCH_ALLOC * SLOTS_PER_KIND + i].busy = 1;
	regs = call_mallocgc(64, 5);
	go_malloc(&regs);
	CHECK_INT(fake.nsites, 1);
	fake.scratches[SCRATCH_ALLOC * SLOTS_PER_KIND + SLOTS_PER_KIND - 1].busy = 1;
	go_malloc(&regs);
	CHECK_INT(fake.sites[0].objects, 1);
	CHECK_INT(lost_scratch_busy, 1);
	for (int i = 0; i < SLOTS_PER_KIND; i++)
		CHECK_INT(fake.scratches[SCRATCH_ALLOC * SLOTS_PER_KIND + i].busy, 1);
}
#endif

TEST_MAIN()
