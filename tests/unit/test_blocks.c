// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * C's doors and the table of live blocks, as the BPF side runs them, in user mode: one
 * thread after the other, each with its own stack pointer, in any order.
 */
#include "bpfstub/bpf.h"

/* Arguments as the System V AMD64 psABI has them. */
#if defined(__x86_64__)
#define PT_REGS_PARM1(ctx) ((ctx)->di)
#define PT_REGS_PARM2(ctx) ((ctx)->si)
#define PT_REGS_PARM3(ctx) ((ctx)->dx)
#define PT_REGS_RC(ctx) ((ctx)->ax)

#include "bpf/alloc_go.bpf.h"
#include "bpf/alloc_c.bpf.h"

#define FAKE_C
#include "bpfstub/run.h"

#include "capture/blocks.h"
#include "test.h"

#include <math.h>

#define SP (FAKE_BASE + 8 * FAKE_PAGE)
#define TRAMPOLINE 0x7fffffffe000
#define CALLER 0x401000

static void begin(void)
{
	fake_reset();
	fake.target.tgid = 100;
	fake.tid = 100;
	*(bool *)&follow_blocks = true;
	*(__u32 *)&block_rate_bytes = 0;
	*(__u64 *)&min_size_bytes = 0;
	*(__u64 *)&max_size_bytes = ~0ULL;
	*(__u32 *)&only_tid = 0;
}

static struct pt_regs regs_at(uint64_t sp, uint64_t a, uint64_t b, uint64_t c)
{
	return (struct pt_regs){ .sp = sp, .ip = 0x500000, .di = a, .si = b, .dx = c };
}

/* A door is entered by @ra: the uretprobe takes the return address's place behind the probe. */
static void enter(enum abi_door door, uint64_t sp, uint64_t ra, uint64_t a, uint64_t b, uint64_t c)
{
	struct pt_regs regs = regs_at(sp, a, b, c);

	fake_memory__put(&fake.mem, sp, ra);
	fake.cookie = ABI_COOKIE(FAKE_SLOT, 0, door);
	c_malloc(&regs);
	fake_memory__put(&fake.mem, sp, TRAMPOLINE);
}

static void leave(uint64_t sp, uint64_t result)
{
	struct pt_regs regs = { .sp = sp + 8, .ax = result };

	fake.cookie = ABI_COOKIE(FAKE_SLOT, 0, 0);
	c_malloc_return(&regs);
}

static void release(uint64_t sp, uint64_t ra, uint64_t addr)
{
	struct pt_regs regs = regs_at(sp, addr, 0, 0);

	fake_memory__put(&fake.mem, sp, ra);
	fake.cookie = ABI_COOKIE(FAKE_SLOT, 0, ABI_DOOR_FREE);
	c_free(&regs);
}

static void allocate(uint64_t sp, uint64_t size, uint64_t addr)
{
	enter(ABI_DOOR_MALLOC, sp, CALLER, size, 0, 0);
	leave(sp, addr);
}

static struct abi_site sum(void)
{
	struct abi_site sum = { 0 };

	for (uint32_t i = 0; i < fake.nsites; i++) {
		sum.objects += fake.sites[i].objects;
		sum.bytes += fake.sites[i].bytes;
		sum.free_objects += fake.sites[i].free_objects;
		sum.free_bytes += fake.sites[i].free_bytes;
		sum.live_objects += fake.sites[i].live_objects;
		sum.live_bytes += fake.sites[i].live_bytes;
	}
	return sum;
}

/* Allocated, given back, live objects and bytes; the last also in the heap's own sum and in the table. */
#define EXPECT(objects_, bytes_, free_, free_bytes_) \
	do { \
		struct abi_site got = sum(); \
		CHECK_INT(got.objects, objects_); \
		CHECK_INT(got.bytes, bytes_); \
		CHECK_INT(got.free_objects, free_); \
		CHECK_INT(got.free_bytes, free_bytes_); \
		CHECK_INT(got.live_objects, (objects_) - (free_)); \
		CHECK_INT(got.live_bytes, (bytes_) - (free_bytes_)); \
		CHECK_INT(fake.heap.live_bytes, (bytes_) - (free_bytes_)); \
		CHECK_INT(fake.nblocks, (objects_) - (free_)); \
	} while (0)

TEST(allocate_and_free)
{
	begin();
	allocate(SP, 100, 0xa000);
	allocate(SP - 64, 50, 0xb000);
	EXPECT(2, 150, 0, 0);
	release(SP, CALLER, 0xa000);
	EXPECT(2, 150, 1, 100);
	release(SP, CALLER, 0);
	release(SP, CALLER, 0xc000); /* from before the attach */
	EXPECT(2, 150, 1, 100);
	CHECK_INT(fake_stat(ABI_STAT_FREE_BEFORE), 1);
	allocate(SP, 7, 0); /* failed */
	EXPECT(2, 150, 1, 100);
	CHECK_INT(fake.heap.high_bytes, 150);
}

TEST(realloc_in_all_ways)
{
	begin();
	allocate(SP, 100, 0xa000);
	enter(ABI_DOOR_REALLOC, SP, CALLER + 1, 0xa000, 300, 0);
	CHECK_INT(fake.nblocks, 0); /* while it may move it is nobody's */
	leave(SP, 0xb000);
	EXPECT(2, 400, 1, 100);
	/* In place. */
	enter(ABI_DOOR_REALLOC, SP, CALLER + 1, 0xb000, 30, 0);
	leave(SP, 0xb000);
	EXPECT(3, 430, 2, 400);
	/* It fails: all is as it was. */
	enter(ABI_DOOR_REALLOC, SP, CALLER + 1, 0xb000, 1ULL << 60, 0);
	leave(SP, 0);
	EXPECT(3, 430, 2, 400);
	enter(ABI_DOOR_REALLOCARRAY, SP, CALLER + 1, 0xb000, 1ULL << 63, 2); /* the product is 0 in 64 bits */
	leave(SP, 0);
	EXPECT(3, 430, 2, 400);
	/* realloc(p, 0) that frees, and realloc(NULL, n). */
	enter(ABI_DOOR_REALLOC, SP, CALLER + 1, 0xb000, 0, 0);
	leave(SP, 0);
	EXPECT(3, 430, 3, 430);
	enter(ABI_DOOR_REALLOC, SP, CALLER + 1, 0, 5, 0);
	leave(SP, 0xb000);
	EXPECT(4, 435, 3, 430);
	CHECK_INT(fake_stat(ABI_STAT_FREE_BEFORE), 0);
	/* Of a block from before the attach. */
	enter(ABI_DOOR_REALLOC, SP, CALLER + 1, 0xc000, 5, 0);
	leave(SP, 0xc000);
	CHECK_INT(fake_stat(ABI_STAT_FREE_BEFORE), 1);
	enter(ABI_DOOR_REALLOC, SP, CALLER + 1, 0xd000, 5, 0);
	leave(SP, 0);
	CHECK_INT(fake_stat(ABI_STAT_FREE_BEFORE), 1);
}

/* The outermost door counts, and what is freed inside of it is its own affair. */
TEST(nested_doors)
{
	begin();
	allocate(SP, 100, 0xa000);
	enter(ABI_DOOR_REALLOC, SP, CALLER, 0xa000, 200, 0);
	enter(ABI_DOOR_MALLOC, SP - 64, CALLER + 2, 208, 0, 0);
	leave(SP - 64, 0xb000);
	release(SP - 64, CALLER + 3, 0xa000);
	leave(SP, 0xb000);
	EXPECT(2, 300, 1, 100);
	/* realloc(p, 0) that ends by a jump to free: at its depth, above the trampoline. */
	enter(ABI_DOOR_REALLOC, SP, CALLER, 0xb000, 0, 0);
	release(SP, TRAMPOLINE, 0xb000);
	leave(SP, 0);
	EXPECT(2, 300, 2, 300);
	/* A wrapper's free that calls another. */
	allocate(SP, 9, 0xa000);
	release(SP, CALLER, 0xa000);
	release(SP - 32, CALLER + 4, 0xa000);
	EXPECT(3, 309, 3, 309);
	CHECK_INT(fake_stat(ABI_STAT_FREE_BEFORE), 0);
	CHECK_INT(fake_stat(ABI_STAT_LOST_RETURN_MISSED), 0);
}

TEST(posix_memalign_says_where_in_memory)
{
	begin();
	enter(ABI_DOOR_POSIX_MEMALIGN, SP, CALLER, SP + 128, 64, 77);
	fake_memory__put(&fake.mem, SP + 128, 0xa040);
	leave(SP, 0);
	EXPECT(1, 77, 0, 0);
	release(SP, CALLER, 0xa040);
	EXPECT(1, 77, 1, 77);
	enter(ABI_DOOR_POSIX_MEMALIGN, SP, CALLER, SP + 128, 3, 77);
	leave(SP, EINVAL);
	EXPECT(1, 77, 1, 77);
}

/* An address passes from one thread to another: it is free before anybody else can have it. */
TEST(threads_interleaved)
{
	begin();
	allocate(SP, 100, 0xa000);
	fake.tid = 101;
	enter(ABI_DOOR_MALLOC, SP + 4096, CALLER, 60, 0, 0);
	fake.tid = 100;
	release(SP, CALLER, 0xa000);
	fake.tid = 101;
	leave(SP + 4096, 0xa000); /* the same memory, now of the other */
	EXPECT(2, 160, 1, 100);
	/* A realloc in flight moves away; its old address is handed out before it returns. */
	enter(ABI_DOOR_REALLOC, SP + 4096, CALLER, 0xa000, 500, 0);
	fake.tid = 100;
	allocate(SP, 11, 0xa000);
	fake.tid = 101;
	leave(SP + 4096, 0xb000);
	EXPECT(4, 671, 2, 160);
	fake.tid = 100;
	release(SP, CALLER, 0xa000);
	release(SP, CALLER, 0xb000); /* of the other thread */
	EXPECT(4, 671, 4, 671);
	CHECK_INT(fake_stat(ABI_STAT_FREE_MISSED), 0);
}

TEST(what_is_missed_is_made_up_for)
{
	begin();
	allocate(SP, 100, 0xa000);
	allocate(SP, 40, 0xa000); /* without a free that was seen */
	EXPECT(2, 140, 1, 100);
	CHECK_INT(fake_stat(ABI_STAT_FREE_MISSED), 1);
	/* longjmp out of a realloc: its block counts as given back. */
	enter(ABI_DOOR_REALLOC, SP - 256, CALLER, 0xa000, 90, 0);
	allocate(SP, 1, 0xc000);
	EXPECT(3, 141, 2, 140);
	CHECK_INT(fake_stat(ABI_STAT_LOST_RETURN_MISSED), 1);
	/* Out of a malloc, and called again by the same code. */
	enter(ABI_DOOR_MALLOC, SP, CALLER, 5, 0, 0);
	allocate(SP, 6, 0xd000);
	EXPECT(4, 147, 2, 140);
	CHECK_INT(fake_stat(ABI_STAT_LOST_RETURN_MISSED), 2);
}

/* A door that throws stays in flight: that is no loss, and does not swallow what follows for long. */
TEST(operator_new_throws)
{
	struct pt_regs regs = regs_at(SP, 100, 0, 0);

	begin();
	fake_memory__put(&fake.mem, SP, CALLER);
	fake.cookie = ABI_COOKIE(FAKE_SLOT, ABI_SPOT_MAY_THROW, ABI_DOOR_MALLOC);
	c_malloc(&regs);
	c_malloc(&regs); /* thrown, caught, tried again */
	regs.ax = 0xa000;
	c_new_return(&regs);
	EXPECT(1, 100, 0, 0);
	c_malloc(&regs);
	allocate(SP + 64, 5, 0xb000); /* further out */
	EXPECT(2, 105, 0, 0);
	/* Seen to throw: what is allocated deeper counts at once. */
	fake_memory__put(&fake.mem, SP, CALLER);
	fake.cookie = ABI_COOKIE(FAKE_SLOT, ABI_SPOT_MAY_THROW, ABI_DOOR_MALLOC);
	c_malloc(&regs);
	regs.sp = SP - 32;
	c_throw(&regs);
	regs.sp = SP;
	allocate(SP - 64, 6, 0xe000);
	EXPECT(3, 111, 0, 0);
	CHECK_INT(fake_stat(ABI_STAT_LOST_RETURN_MISSED), 0);
	fake_memory__put(&fake.mem, SP, CALLER);
	fake.cookie = ABI_COOKIE(FAKE_SLOT, ABI_SPOT_MAY_THROW, ABI_DOOR_MALLOC);
	c_malloc(&regs);
	for (int i = 0; i < 20; i++)
		allocate(SP - 64, 1, 0xc000 + i);
	CHECK_INT(sum().objects, 3 + 20 - THROW_NESTED_MAX);
	CHECK_INT(fake_stat(ABI_STAT_LOST_RETURN_MISSED), 1);
}

TEST(table_full)
{
	begin();
	fake.max_blocks = 2;
	allocate(SP, 1, 0xa000);
	allocate(SP, 2, 0xb000);
	allocate(SP, 4, 0xc000);
	CHECK_INT(sum().objects, 3);
	CHECK_INT(sum().live_objects, 2); /* nobody will know when the third goes */
	CHECK_INT(sum().live_bytes, 3);
	CHECK_INT(fake_stat(ABI_STAT_LOST_BLOCK), 1);
	CHECK_INT(fake_stat(ABI_STAT_LOST_BLOCK_BYTES), 4);
}

/* The record of that kind that was sent last, and how many there were. */
static const void *last_rec(uint32_t kind, uint32_t *ret_n)
{
	const void *last = NULL;

	*ret_n = 0;
	for (uint32_t i = 0; i < fake.nrecs; i++) {
		if (fake.recs[i].rec.kind != kind)
			continue;
		last = &fake.recs[i];
		++*ret_n;
	}
	return last;
}

/* Pages that come in a door are told with its number, and whose it is when it returns. */
TEST(doors_that_touch)
{
	const struct abi_rec_door *door;
	uint32_t n;
	__u64 nr;

	begin();
	CHECK_INT(door_touch(SP - 8), 0); /* in no door */
	enter(ABI_DOOR_CALLOC, SP, CALLER, 1, 100, 0);
	CHECK_INT(door_touch(SP + 8), 0); /* above it */
	nr = door_touch(SP - 80);
	CHECK(nr);
	CHECK_INT(door_touch(SP), nr); /* in what it jumped to */
	leave(SP, 0xa000);
	door = last_rec(ABI_REC_DOOR, &n);
	CHECK_INT(n, 1);
	if (!door)
		return;
	CHECK_INT(door->door, nr);
	CHECK_INT(door->stack_id, fake.blocks[0].stack_id);
	CHECK_INT(door->tid, 100);
	CHECK_INT(door_touch(SP - 8), 0); /* it is over */
	allocate(SP, 100, 0xb000); /* touches nothing */
	last_rec(ABI_REC_DOOR, &n);
	CHECK_INT(n, 1);
	/* One that fails is nobody's; one that was left is not taken for the next. */
	enter(ABI_DOOR_MALLOC, SP, CALLER, 100, 0, 0);
	door_touch(SP - 8);
	leave(SP, 0);
	door = last_rec(ABI_REC_DOOR, &n);
	CHECK_INT(n, 2);
	CHECK_INT(door->stack_id, 0);
	enter(ABI_DOOR_MALLOC, SP, CALLER, 100, 0, 0);
	door_touch(SP - 8);
	enter(ABI_DOOR_MALLOC, SP + 64, CALLER, 100, 0, 0);
	leave(SP + 64, 0xc000);
	last_rec(ABI_REC_DOOR, &n);
	CHECK_INT(n, 2);
}

/* Of blocks that pages may have come for it is told when they were given back. */
TEST(blocks_that_were_touched)
{
	const struct abi_rec_freed *freed;
	uint32_t n;

	begin();
	*(bool *)&tell_touches = true;
	allocate(SP, 5000, 0xa000);
	allocate(SP, 5000, 0x14000);
	allocate(SP, 4000, 0x20000);
	fake.target.touch_ns = fake.now_ns += 10;
	fake.now_ns += 10;
	allocate(SP, 5000, 0x30000);
	release(SP, CALLER, 0x30000); /* no page has come since */
	release(SP, CALLER, 0x20000); /* a small one */
	last_rec(ABI_REC_FREED, &n);
	CHECK_INT(n, 0);
	release(SP, CALLER, 0xa000);
	freed = last_rec(ABI_REC_FREED, &n);
	CHECK_INT(n, 1);
	if (!freed)
		return;
	CHECK_INT(freed->addr, 0xa000);
	CHECK_INT(freed->block.bytes, 5000);
	CHECK(freed->block.time_ns <= fake.target.touch_ns && freed->ns >= fake.target.touch_ns);
	/* realloc that fails gives nothing back. */
	enter(ABI_DOOR_REALLOC, SP, CALLER, 0x14000, 9000, 0);
	leave(SP, 0);
	last_rec(ABI_REC_FREED, &n);
	CHECK_INT(n, 1);
	enter(ABI_DOOR_REALLOC, SP, CALLER, 0x14000, 9000, 0);
	leave(SP, 0x40000);
	freed = last_rec(ABI_REC_FREED, &n);
	CHECK_INT(n, 2);
	CHECK_INT(freed->addr, 0x14000);
	*(bool *)&tell_touches = false;
}

/* Filters: what was left out is no loss when it is freed, and a block is freed whoever does it. */
TEST(filters)
{
	begin();
	*(__u64 *)&min_size_bytes = 10;
	allocate(SP, 5, 0xa000);
	allocate(SP, 50, 0xb000);
	EXPECT(1, 50, 0, 0);
	release(SP, CALLER, 0xa000);
	enter(ABI_DOOR_REALLOC, SP, CALLER, 0xb000, 3, 0); /* becomes too small to be wanted */
	leave(SP, 0xb000);
	EXPECT(1, 50, 1, 50);
	CHECK_INT(fake_stat(ABI_STAT_FREE_BEFORE), 0);
	begin();
	*(__u32 *)&only_tid = 100;
	allocate(SP, 5, 0xa000);
	fake.tid = 101;
	allocate(SP, 6, 0xb000);
	release(SP, CALLER, 0xa000);
	EXPECT(1, 5, 1, 5);
	*(__u32 *)&only_tid = 0;
}

TEST(images_are_apart)
{
	begin();
	allocate(SP, 100, 0xa000);
	fake.target.image++;
	heap_drop(FAKE_SLOT);
	release(SP, CALLER, 0xa000);
	CHECK_INT(sum().free_objects, 0);
	CHECK_INT(fake.nblocks, 1); /* until user space takes it out */
	CHECK_INT(fake.heap.live_bytes, 0);
	CHECK_INT(fake_stat(ABI_STAT_FREE_BEFORE), 1);
}

/* ---- user space's part ---- */

static struct event_live told_live;
static struct event_age told_age;
static uint32_t nages;

static int on_live(void *ctx, uint32_t pid, enum event_source source, uint64_t stack_id, uint64_t context_id,
		   const struct event_live *live)
{
	(void)ctx, (void)pid, (void)source, (void)stack_id, (void)context_id;
	told_live.objects += live->objects;
	told_live.bytes += live->bytes;
	told_live.objects_var += live->objects_var;
	told_live.bytes_var += live->bytes_var;
	return 0;
}

static int on_age(void *ctx, uint32_t pid, enum event_source source, uint64_t stack_id, uint64_t context_id,
		  const struct event_age *age)
{
	(void)ctx, (void)pid, (void)source, (void)stack_id, (void)context_id;
	told_age = *age;
	nages++;
	return 0;
}

static struct blocks *new_blocks(uint32_t rate_bytes, uint64_t older_ns)
{
	const struct event_sink sink = { .on_live = on_live, .on_age = on_age };
	const struct blocks_opts opts = { rate_bytes, older_ns };
	struct blocks *blocks;

	told_live = (struct event_live){ 0 };
	nages = 0;
	CHECK_INT(blocks__new(&sink, &opts, &blocks), 0);
	return blocks;
}

TEST(ages)
{
	static const uint64_t ages_s[] = { 9, 1, 4, 30, 2 };
	struct abi_block block = { .stack_id = 1, .bytes = 10 };
	struct blocks *blocks = new_blocks(0, 0);

	blocks__begin(blocks);
	for (size_t i = 0; i < 5; i++)
		CHECK_INT(blocks__add(blocks, 100, &block, ages_s[i] * 1000000000, false), 0);
	CHECK_INT(blocks__end(blocks), 0);
	CHECK(told_age.oldest_s == 30 && told_age.median_s == 4 && told_age.objects == 5);
	CHECK_INT(nages, 1);
	CHECK(told_live.objects == 0); /* the probes count that */
	/* All gone: told once. */
	blocks__begin(blocks);
	CHECK_INT(blocks__end(blocks), 0);
	CHECK_INT(told_age.objects, 0);
	blocks__begin(blocks);
	CHECK_INT(blocks__end(blocks), 0);
	CHECK_INT(nages, 2);
	/* What a process had at its end stays. */
	blocks__begin(blocks);
	blocks__add(blocks, 100, &block, 5000000000, true);
	blocks__end(blocks);
	blocks__begin(blocks);
	blocks__end(blocks);
	CHECK(told_age.objects == 1 && told_age.median_s == 5);
	CHECK_INT(nages, 3);
	blocks__free(blocks);
	/* Only old ones count as live. */
	blocks = new_blocks(0, 4000000000);
	blocks__begin(blocks);
	for (size_t i = 0; i < 5; i++)
		blocks__add(blocks, 100, &block, ages_s[i] * 1000000000, false);
	blocks__end(blocks);
	CHECK(told_live.objects == 3 && told_live.bytes == 30 && told_live.objects_var == 0);
	CHECK_INT(blocks__len(blocks), 5);
	blocks__free(blocks);
}

static double standard_errors(double got, double want, double var)
{
	return fabs(got - want) / sqrt(var);
}

/* What the BPF side samples and what user space makes of it: no bias, and the error that is told. */
TEST(sampled_blocks_are_weighted)
{
	const uint32_t rate = 1000, rounds = 400;
	double objects = 0, bytes = 0, spread = 0, told_var = 0, want_bytes = 0;
	struct blocks *blocks;

	for (uint32_t round = 0; round < rounds; round++) {
		begin();
		*(__u32 *)&block_rate_bytes = rate;
		fake.random_state = (round + 1) * 1000000;
		want_bytes = 0;
		for (uint64_t i = 0; i < 200; i++) {
			uint64_t size = i % 4 == 0 ? 0 : i % 4 == 1 ? 16 : i % 4 == 2 ? 700 : 5000;

			want_bytes += (double)size;
			allocate(SP, size, 0xa000 + i * 64);
		}
		CHECK_INT(sum().objects, 200); /* all are counted */
		CHECK_INT(sum().live_objects, 0);
		blocks = new_blocks(rate, 0);
		blocks__begin(blocks);
		for (uint32_t i = 0; i < fake.nblocks; i++)
			blocks__add(blocks, 100, &fake.blocks[i], 1, false);
		blocks__end(blocks);
		blocks__free(blocks);
		objects += told_live.objects / rounds;
		bytes += told_live.bytes / rounds;
		told_var += told_live.bytes_var / rounds;
		spread += (told_live.bytes - want_bytes) * (told_live.bytes - want_bytes) / rounds;
	}
	CHECK(standard_errors(bytes, want_bytes, told_var / rounds) < 4);
	CHECK(fabs(objects - 200) < 40);
	CHECK(spread / told_var > 0.75 && spread / told_var < 1.33);
	*(__u32 *)&block_rate_bytes = 0;
}
#else
#include "test.h"
#endif

TEST_MAIN()
