// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the BPF side charges an allocation, computed by the BPF side's own code in
 * user mode from the tables of goabi, against the size class look-up of each Go
 * version's layout: all sizes, with and without pointers.
 */
#include "bpfstub/bpf.h"

#include "bpf/alloc_go.bpf.h"

#include "bpfstub/run.h"

#include "capture/goabi.h"
#include "test.h"

/* Types in the target's memory: the second word tells how many of their bytes may be pointers. */
#define TYPE_NOSCAN (FAKE_BASE + 0x100)
#define TYPE_SCAN (FAKE_BASE + 0x200)
#define TYPE_GONE (FAKE_BASE - 0x1000)
#define G (FAKE_BASE + 0x1000)
#define M (FAKE_BASE + 0x2000)
#define P (FAKE_BASE + 0x3000 + 8)
#define MCACHE (FAKE_BASE + 0x8000)

static void set_types(void)
{
	fake_memory__put(&fake.mem, TYPE_NOSCAN + 8, 0);
	fake_memory__put(&fake.mem, TYPE_SCAN + 8, 8);
}

static uint64_t charged(const struct abi_go *go, uint64_t size, uint64_t type)
{
	struct scratch *s = &fake.scratches[0];

	s->go.g = G;
	return go_slot_bytes(s, go, read_g(s, go), size, go_room(go, size, type));
}

static void compare_layout(const struct go_layout *layout)
{
	struct abi_go go;
	unsigned int bad = 0;

	goabi_from_layout(layout, &go);
	CHECK_INT(go.forward_max, 0);
	for (uint64_t size = 1; size <= 200000 && bad < 5; size++) {
		/* A type that cannot be read is taken for one with pointers, no type for one without. */
		const struct {
			uint64_t type;
			bool has_pointers;
		} kinds[] = { { TYPE_SCAN, true }, { TYPE_GONE, true }, { TYPE_NOSCAN, false }, { 0, false } };

		for (size_t k = 0; k < 4; k++) {
			uint64_t want = go_layout__rounded(layout, size, kinds[k].has_pointers);

			if (size < layout->tiny_size && !kinds[k].has_pointers)
				continue; /* tiny, below */
			if (charged(&go, size, kinds[k].type) != want) {
				fprintf(stderr, "  1.%d %s, kind %zu, size %lu\n", layout->minor, layout->experiment, k, size);
				CHECK_INT(charged(&go, size, kinds[k].type), want);
				bad++;
			}
		}
	}
}

TEST(every_size_of_every_version)
{
	CHECK(go_nlayouts > 8);
	for (size_t i = 0; i < go_nlayouts; i++) {
		fake_reset();
		set_types();
		compare_layout(&go_layouts[i]);
	}
}

/* Go's published table, 1.15 to this day, at the places where an off by one would show. */
TEST(known_classes)
{
	static const struct {
		uint64_t size, want;
	} known[] = { { 16, 16 },     { 17, 24 },     { 1016, 1024 },  { 1017, 1024 },	{ 1024, 1024 },
		      { 1025, 1152 }, { 1152, 1152 }, { 1153, 1280 },  { 32767, 32768 }, { 32768, 32768 },
		      { 32769, 40960 }, { 40960, 40960 }, { 40961, 49152 }, { 1 << 20, 1 << 20 } };
	struct abi_go go;

	fake_reset();
	set_types();
	goabi_from_layout(go_layout_for(19, NULL, NULL), &go);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		CHECK_INT(charged(&go, known[i].size, 0), known[i].want);
		CHECK_INT(charged(&go, known[i].size, TYPE_SCAN), known[i].want);
	}
	/* 1.22 on: 8 bytes in front of objects with pointers over 512. */
	goabi_from_layout(go_layout_for(22, NULL, NULL), &go);
	CHECK_INT(charged(&go, 512, TYPE_SCAN), 512);
	CHECK_INT(charged(&go, 513, TYPE_SCAN), 576);
	CHECK_INT(charged(&go, 1024, TYPE_SCAN), 1152);
	CHECK_INT(charged(&go, 1024, TYPE_NOSCAN), 1024);
	CHECK_INT(charged(&go, 32760, TYPE_SCAN), 32768);
	CHECK_INT(charged(&go, 32761, TYPE_SCAN), 32768);
	CHECK_INT(charged(&go, 32768, TYPE_SCAN), 32768);
}

static void set_tiny(const struct abi_go *go, uint64_t tiny, uint64_t off)
{
	fake_memory__put(&fake.mem, G + go->g_m, M);
	fake_memory__put(&fake.mem, G + go->g_goid, 1);
	fake_memory__put(&fake.mem, M + go->m_p, P);
	fake_memory__put(&fake.mem, P + go->p_mcache, MCACHE);
	fake_memory__put(&fake.mem, MCACHE + go->mcache_tiny, tiny);
	fake_memory__put(&fake.mem, MCACHE + go->mcache_tinyoffset, off);
}

/*
 * The tiny allocator, written anew from mallocgc() of runtime/malloc.go: aligned to what the size's last
 * bits allow, a new block of 16 when it does not fit.
 */
static uint64_t tiny_by_the_book(uint64_t tiny, uint64_t off, uint64_t size)
{
	uint64_t align = size % 8 == 0 ? 8 : size % 4 == 0 ? 4 : size % 2 == 0 ? 2 : 1;

	while (off % align)
		off++;
	return tiny && off + size <= 16 ? 0 : 16;
}

TEST(tiny_objects)
{
	for (size_t i = 0; i < go_nlayouts; i++) {
		struct abi_go go;

		fake_reset();
		set_types();
		goabi_from_layout(&go_layouts[i], &go);
		for (uint64_t off = 0; off <= 16; off++)
			for (uint64_t size = 1; size < 16; size++) {
				set_tiny(&go, 0xc000012340, off);
				CHECK_INT(charged(&go, size, TYPE_NOSCAN), tiny_by_the_book(0xc000012340, off, size));
				CHECK_INT(charged(&go, size, 0), tiny_by_the_book(0xc000012340, off, size));
				set_tiny(&go, 0, off); /* no block yet */
				CHECK_INT(charged(&go, size, 0), 16);
			}
		CHECK_INT(fake_stat(ABI_STAT_LOST_GO_TINY_UNREADABLE), 0);
	}
}

TEST(tiny_block_that_cannot_be_read)
{
	struct abi_go go;

	fake_reset();
	goabi_from_layout(go_layout_for(19, NULL, NULL), &go);
	set_tiny(&go, 0xc000012340, 0);
	CHECK_INT(charged(&go, 8, 0), 0);
	fake.mem.present[(P - FAKE_BASE) / FAKE_PAGE] = false;
	fake.mem.present[(P + go.p_mcache - FAKE_BASE) / FAKE_PAGE] = false;
	CHECK_INT(charged(&go, 8, 0), 16);
	CHECK_INT(fake_stat(ABI_STAT_LOST_GO_TINY_UNREADABLE), 1);
	memset(fake.mem.present, 1, sizeof(fake.mem.present));
	fake_memory__put(&fake.mem, M + go.m_p, 0); /* a thread without a P */
	CHECK_INT(charged(&go, 8, 0), 16);
	CHECK_INT(fake_stat(ABI_STAT_LOST_GO_TINY_UNREADABLE), 2);
	go.g_gopc = 0; /* a runtime that we do not know */
	CHECK_INT(charged(&go, 8, 0), 16);
	CHECK_INT(fake_stat(ABI_STAT_LOST_GO_TINY_UNREADABLE), 3);
}

TEST_MAIN()
