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

static uint64_t charged_by(const struct abi_go *go, uint64_t size, enum abi_door room)
{
	struct scratch *s = &fake.scratches[0];

	s->go.g = G;
	return go_slot_bytes(s, go, read_g(s, go), size, room);
}

/* From 1.24 on the door says what kind of slot it is; a probe at the dispatch must come to the same. */
TEST(rooms)
{
	for (size_t i = 0; i < go_nlayouts; i++) {
		const struct go_layout *layout = &go_layouts[i];
		struct abi_go go;

		fake_reset();
		set_types();
		goabi_from_layout(layout, &go);
		CHECK_INT(charged_by(&go, 16, ABI_DOOR_GO_SMALL), 16);
		CHECK_INT(charged_by(&go, 8, ABI_DOOR_GO_SMALL), 8); /* not a share of a block */
		CHECK_INT(charged_by(&go, 1024, ABI_DOOR_GO_SMALL), 1024);
		CHECK_INT(charged_by(&go, 1024, ABI_DOOR_GO_HEADER), 1152);
		CHECK_INT(charged_by(&go, 513, ABI_DOOR_GO_HEADER), 576);
		CHECK_INT(charged_by(&go, 32760, ABI_DOOR_GO_HEADER), 32768);
		CHECK_INT(charged_by(&go, 32768, ABI_DOOR_GO_SMALL), 32768);
		CHECK_INT(charged_by(&go, 32761, ABI_DOOR_GO_LARGE), 32768);
		CHECK_INT(charged_by(&go, 32769, ABI_DOOR_GO_LARGE), 40960);
		CHECK_INT(charged_by(&go, 8192 * 7, ABI_DOOR_GO_LARGE), 8192 * 7);
		/* What no such door ever gets is charged nothing, and reads no table behind its end. */
		CHECK_INT(charged_by(&go, 1 << 20, ABI_DOOR_GO_SMALL), 0);
		CHECK_INT(charged_by(&go, 32768, ABI_DOOR_GO_HEADER), 0);
		CHECK_INT(charged_by(&go, ~0ULL, ABI_DOOR_GO_SMALL), 0);
		for (uint64_t size = 1; size <= 40000; size++) {
			CHECK_INT(go_room(&go, size, 0), size < 16 ? ABI_DOOR_GO_TINY :
				  size > (layout->malloc_headers ? 32760 : 32768) ? ABI_DOOR_GO_LARGE : ABI_DOOR_GO_SMALL);
			CHECK_INT(go_room(&go, size, TYPE_SCAN),
				  size > (layout->malloc_headers ? 32760 : 32768) ? ABI_DOOR_GO_LARGE :
				  layout->malloc_headers && size > 512 ? ABI_DOOR_GO_HEADER : ABI_DOOR_GO_SMALL);
		}
	}
}

/* In runtime/secret.Do (1.26 on) a tiny object has a slot of its own, whatever the block has left. */
TEST(secret_tiny_objects)
{
	unsigned int with_secret = 0;

	for (size_t i = 0; i < go_nlayouts; i++) {
		struct abi_go go;

		fake_reset();
		goabi_from_layout(&go_layouts[i], &go);
		CHECK_INT(go.g_secret != 0, go_layouts[i].minor >= 26);
		if (!go.g_secret)
			continue;
		with_secret++;
		set_tiny(&go, 0xc000012340, 0);
		fake_memory__put(&fake.mem, G + go.g_secret, 1ULL << 32); /* the next field's */
		CHECK_INT(charged_by(&go, 8, ABI_DOOR_GO_TINY), 0);
		fake_memory__put(&fake.mem, G + go.g_secret, 1);
		for (uint64_t size = 1; size < 16; size++)
			CHECK_INT(charged_by(&go, size, ABI_DOOR_GO_TINY), size <= 8 ? 8 : 16);
	}
	CHECK(with_secret > 0);
}

/* Fields of the goroutine lie in the part of it that is read, in every version. */
TEST(fields_of_the_goroutine)
{
	for (size_t i = 0; i < go_nlayouts; i++) {
		const struct go_layout *layout = &go_layouts[i];
		struct abi_go go;

		goabi_from_layout(layout, &go);
		CHECK_INT(go.g_m, layout->g_m);
		CHECK_INT(go.g_goid, layout->g_goid);
		CHECK_INT(go.g_gopc, layout->g_gopc);
		CHECK_INT(go.g_labels, layout->g_labels);
		CHECK_INT(go.m_curg, layout->m_curg);
		CHECK(go.g_m && go.g_m + 8 <= ABI_GO_G_BYTES);
		CHECK(go.g_goid && go.g_goid + 8 <= ABI_GO_G_BYTES);
		CHECK(go.g_gopc && go.g_gopc + 8 <= ABI_GO_G_BYTES);
		CHECK(go.g_labels && go.g_labels + 8 <= ABI_GO_G_BYTES);
		CHECK(go.g_secret + 4 <= ABI_GO_G_BYTES);
		CHECK_INT(go.labels, layout->minor >= 24 ? ABI_GO_LABELS_LIST : ABI_GO_LABELS_MAP);
		/* What the BPF side has as constants of its own. */
		if (layout->labels_are_list) {
			CHECK_INT(layout->labels_list, 0);
		} else {
			CHECK_INT(layout->hmap_count, 0);
			CHECK_INT(layout->hmap_b, HMAP_B);
			CHECK_INT(layout->hmap_buckets, HMAP_BUCKETS);
		}
		CHECK_INT(layout->type_ptrdata, GO_TYPE_PTRDATA);
	}
}

TEST_MAIN()
