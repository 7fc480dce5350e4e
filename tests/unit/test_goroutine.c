// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the BPF side reads of a goroutine, run in user mode on goroutines laid out by hand: who it is,
 * its labels in both of their forms, and what of it goes to user space, once.
 */
#include "bpfstub/bpf.h"

/* A constant before load, which this test changes. */
#define count_goroutines count_goroutines_const; static bool count_goroutines
#include "bpf/maps.bpf.h"
#undef count_goroutines

#include "bpf/alloc_go.bpf.h"

#include "bpfstub/run.h"

#include "capture/goabi.h"
#include "test.h"

#define PAGE_AT(n) (FAKE_BASE + (uint64_t)(n) * FAKE_PAGE)
#define STACK PAGE_AT(1)
#define G PAGE_AT(2)
#define G0 PAGE_AT(3)
#define G2 PAGE_AT(4)
#define M PAGE_AT(5)
#define LABELS PAGE_AT(10) /* what g.labels points to */
#define PAIRS PAGE_AT(11) /* the list, or the first bucket */
#define HMAP PAGE_AT(12)
#define TEXT PAGE_AT(13)
#define NOWHERE (FAKE_BASE - 0x1000)

#define GOPC 0x401000
#define TYPE 0x402000

static uint64_t text_at; /* where the next string goes */

static void put(uint64_t addr, uint64_t word)
{
	fake_memory__put(&fake.mem, addr, word);
}

static void put_goroutine(uint64_t g, uint64_t goid, uint64_t gopc, uint64_t labels)
{
	put(g + fake.go.g_m, M);
	put(g + fake.go.g_goid, goid);
	put(g + fake.go.g_gopc, gopc);
	put(g + fake.go.g_labels, labels);
}

static void put_string(uint64_t addr, const char *text, uint64_t len)
{
	memcpy(fake.mem.bytes + (text_at - FAKE_BASE), text, strlen(text));
	put(addr, text_at);
	put(addr + 8, len);
	text_at += strlen(text);
}

static void reset(const struct go_layout *layout)
{
	fake_reset();
	goabi_from_layout(layout, &fake.go);
	fake.target.tgid = 4711;
	count_goroutines = false;
	text_at = TEXT;
	put(STACK, 0x400000); /* the return address, and no frame above */
	put_goroutine(G, 17, GOPC, 0);
}

static const struct go_layout *with_list(void)
{
	return go_layout_for(24, NULL, NULL);
}

static const struct go_layout *with_map(void)
{
	return go_layout_for(23, NULL, NULL);
}

/* An allocation of 64 bytes by the goroutine at @g: its context's id. */
static uint64_t allocate(uint64_t g, uint64_t type)
{
	struct scratch *s = &fake.scratches[0];

	/* What an earlier run left must not matter. */
	memset(s->block, 0x5a, sizeof(s->block));
	memset(s->g, 0x5a, sizeof(s->g));
	memset(&s->label, 0x5a, sizeof(s->label));
	memset(&s->context, 0x5a, sizeof(s->context));
	s->go = (struct go_args){ .size = 64, .type = type, .g = g };
	s->from = (struct walk_from){ .ip = 0x401234, .sp = STACK };
	go_alloc(s, ABI_COOKIE(FAKE_SLOT, 0, ABI_DOOR_GO_SMALL));
	return s->key.context_id;
}

static const struct abi_rec_context *last_context(void)
{
	return fake.ncontexts ? &fake.contexts[fake.ncontexts - 1] : NULL;
}

TEST(reads_the_goroutine)
{
	for (size_t i = 0; i < go_nlayouts; i++) {
		struct scratch *s = &fake.scratches[0];

		reset(&go_layouts[i]);
		s->go.g = G;
		CHECK_INT(read_g(s, &fake.go), 1);
		CHECK_INT(g_word(s, fake.go.g_goid), 17);
		CHECK_INT(g_word(s, fake.go.g_gopc), GOPC);
		CHECK_INT(g_word(s, fake.go.g_labels), 0);

		/* On a system stack the thread's goroutine is meant. */
		put_goroutine(G0, 0, 0, 0);
		put(M + fake.go.m_curg, G);
		s->go.g = G0;
		CHECK_INT(read_g(s, &fake.go), 1);
		CHECK_INT(g_word(s, fake.go.g_goid), 17);

		/* There may be none: then it is what g0 says. */
		put(M + fake.go.m_curg, 0);
		CHECK_INT(read_g(s, &fake.go), 1);
		CHECK_INT(g_word(s, fake.go.g_goid), 0);
		CHECK_INT(g_word(s, fake.go.g_m), M);
	}
}

TEST(goroutines_that_cannot_be_read)
{
	struct scratch *s = &fake.scratches[0];

	reset(with_list());
	s->go.g = NOWHERE;
	CHECK_INT(read_g(s, &fake.go), 0);
	s->go.g = G - 8; /* no more than the end of it is missing */
	fake.mem.present[(G - FAKE_BASE) / FAKE_PAGE] = false;
	CHECK_INT(read_g(s, &fake.go), 0);
	/* A current goroutine that is not there is not taken for g0, and g0 without a thread stays g0. */
	put_goroutine(G0, 0, 0, 0);
	put(M + fake.go.m_curg, NOWHERE);
	s->go.g = G0;
	CHECK_INT(read_g(s, &fake.go), 0);
	put(G0 + fake.go.g_m, NOWHERE);
	CHECK_INT(read_g(s, &fake.go), 1);
	CHECK_INT(g_word(s, fake.go.g_goid), 0);
	fake.go.g_gopc = 0; /* a runtime that is not known */
	s->go.g = G0;
	CHECK_INT(read_g(s, &fake.go), 0);

	/* Allocations count all the same; the type is known without the goroutine. */
	reset(with_list());
	allocate(NOWHERE, TYPE);
	CHECK_INT(fake.sites[0].objects, 1);
	CHECK_INT(fake.sites[0].sent, 1);
	CHECK_INT(fake.contexts[0].type, TYPE);
	CHECK_INT(fake.contexts[0].gopc, 0);
	CHECK_INT(fake.contexts[0].nlabels, 0);
}

TEST(record)
{
	reset(with_list());
	fake.target.image = 3;
	allocate(G, TYPE);
	CHECK_INT(fake.ncontexts, 1);
	CHECK_INT(fake.contexts[0].rec.kind, ABI_REC_CONTEXT);
	CHECK_INT(fake.contexts[0].rec.tgid, 4711);
	CHECK_INT(fake.contexts[0].image, 3);
	CHECK_INT(fake.contexts[0].context_id, fake.keys[0].context_id);
	CHECK_INT(fake.contexts[0].type, TYPE);
	CHECK_INT(fake.contexts[0].gopc, GOPC);
	CHECK_INT(fake.contexts[0].nlabels, 0);
	CHECK_INT(fake.contexts[0].more_labels, 0);
	/* For a system stack: who it works for. */
	put_goroutine(G0, 0, 0, 0);
	put(M + fake.go.m_curg, G);
	CHECK_INT(allocate(G0, TYPE), fake.keys[0].context_id);
	CHECK_INT(fake.ncontexts, 1);
	CHECK_INT(fake.nsites, 1);
	CHECK_INT(fake.sites[0].objects, 2);
}

/* labels_list of the layout: a struct with a slice of pairs of strings. */
static void put_list(uint64_t labels, uint64_t pairs, uint64_t n)
{
	put(labels, pairs);
	put(labels + 8, n);
	put(labels + 16, n);
}

static void put_pair(uint64_t pairs, uint32_t i, const char *key, const char *value)
{
	put_string(pairs + i * 32, key, strlen(key));
	put_string(pairs + i * 32 + 16, value, strlen(value));
}

/* A variable that holds a map; the bucket has its places free. */
static void put_map(uint64_t labels, uint64_t hmap, uint64_t bucket, uint64_t n, uint8_t b)
{
	const struct go_layout *layout = with_map();

	put(labels, hmap);
	put(hmap + layout->hmap_count, n);
	fake.mem.bytes[hmap - FAKE_BASE + layout->hmap_b] = b;
	put(hmap + layout->hmap_buckets, bucket);
	put(bucket, 0);
}

static void put_place(uint64_t bucket, uint32_t i, uint8_t tophash, const char *key, const char *value)
{
	fake.mem.bytes[bucket - FAKE_BASE + i] = tophash;
	put_string(bucket + 8 + i * 16, key, strlen(key));
	put_string(bucket + 8 + 8 * 16 + i * 16, value, strlen(value));
}

static bool check_label(const struct abi_rec_context *c, uint32_t i, const char *key, const char *value)
{
	char got[200], want[200];

	if (!CHECK(c && i < c->nlabels))
		return false;
	snprintf(got, sizeof(got), "%.*s=%.*s", (int)c->labels[i].key_len, c->labels[i].key, (int)c->labels[i].value_len,
		 c->labels[i].value);
	snprintf(want, sizeof(want), "%s=%s", key, value);
	return CHECK_STR(got, want);
}

TEST(labels_as_a_list)
{
	reset(with_list());
	CHECK_INT(fake.go.labels, ABI_GO_LABELS_LIST);
	put_goroutine(G, 17, GOPC, LABELS);
	put_list(LABELS, PAIRS, 2);
	put_pair(PAIRS, 0, "handler", "/api/v1/query");
	put_pair(PAIRS, 1, "tenant", "a");
	allocate(G, TYPE);
	CHECK_INT(last_context()->nlabels, 2);
	CHECK_INT(last_context()->more_labels, 0);
	check_label(last_context(), 0, "handler", "/api/v1/query");
	check_label(last_context(), 1, "tenant", "a");
	/* pprof.Labels() */
	put_list(LABELS, 0, 0);
	allocate(G, TYPE);
	CHECK_INT(fake.ncontexts, 2);
	CHECK_INT(last_context()->nlabels, 0);
}

TEST(labels_as_a_map)
{
	reset(with_map());
	CHECK_INT(fake.go.labels, ABI_GO_LABELS_MAP);
	put_goroutine(G, 17, GOPC, LABELS);
	put_map(LABELS, HMAP, PAIRS, 3, 0);
	put_place(PAIRS, 0, 5, "a", "first");
	put_place(PAIRS, 1, 4, "b", "moved or free");
	put_place(PAIRS, 2, 0, "c", "free, and all behind it");
	put_place(PAIRS, 3, 255, "d", "second");
	put_place(PAIRS, 7, 128, "e", "last");
	allocate(G, TYPE);
	CHECK_INT(last_context()->nlabels, 3);
	CHECK_INT(last_context()->more_labels, 0);
	check_label(last_context(), 0, "a", "first");
	check_label(last_context(), 1, "d", "second");
	check_label(last_context(), 2, "e", "last");

	/* More than one bucket: the first, and that it is not all. */
	put_map(LABELS, HMAP, PAIRS, 9, 1);
	put_place(PAIRS, 3, 9, "only", "this");
	allocate(G, TYPE);
	CHECK_INT(fake.ncontexts, 2);
	CHECK_INT(last_context()->more_labels, 1);
	CHECK_INT(last_context()->nlabels, 1);
	check_label(last_context(), 0, "only", "this");

	/* No bucket, no map, no variable. */
	put(HMAP + with_map()->hmap_buckets, NOWHERE);
	allocate(G, TYPE);
	CHECK_INT(last_context()->nlabels, 0);
	put(LABELS, 0);
	allocate(G, TYPE);
	CHECK_INT(last_context()->nlabels, 0);
	put_goroutine(G, 17, GOPC, NOWHERE);
	allocate(G, TYPE);
	CHECK_INT(last_context()->nlabels, 0);
	CHECK_INT(fake.ncontexts, 4); /* no labels, but more than one bucket of them; the others are the same */
}

/* A full bucket is the most that is kept. */
TEST(eight_labels_and_more)
{
	for (int map = 0; map < 2; map++) {
		reset(map ? with_map() : with_list());
		put_goroutine(G, 17, GOPC, LABELS);
		put_map(LABELS, HMAP, PAIRS, 8, 0);
		for (uint32_t i = 0; map && i < 8; i++)
			put_place(PAIRS, i, 5, (char[]){ 'a' + i, 0 }, "x");
		for (uint32_t i = 0; !map && i < 12; i++)
			put_pair(PAIRS, i, (char[]){ 'a' + i, 0 }, "x");
		for (uint64_t n = 8; n < (map ? 9 : 12); n++) {
			if (!map)
				put_list(LABELS, PAIRS, n);
			allocate(G, TYPE);
			CHECK_INT(last_context()->nlabels, 8);
			CHECK_INT(last_context()->more_labels, n > 8);
			check_label(last_context(), 0, "a", "x");
			check_label(last_context(), 7, "h", "x");
		}
		CHECK_INT(fake.ncontexts, map ? 1 : 2); /* that there are more is told, not how many */
	}
}

TEST(long_labels_are_cut)
{
	static const char text[] = "01234567890123456789012345678901234567890123456789"
				   "01234567890123456789012345678901234567890123456789";
	const struct abi_rec_context *c;

	for (uint32_t over = 0; over < 3; over++) {
		reset(with_list());
		put_goroutine(G, 17, GOPC, LABELS);
		put_list(LABELS, PAIRS, 1);
		put_string(PAIRS, text, ABI_LABEL_KEY_BYTES + over - 1);
		put_string(PAIRS + 16, text, ABI_LABEL_VALUE_BYTES + over - 1);
		allocate(G, TYPE);
		c = last_context();
		CHECK_INT(c->nlabels, 1);
		CHECK_INT(c->labels[0].key_len, ABI_LABEL_KEY_BYTES + over - 1);
		CHECK_INT(c->labels[0].value_len, ABI_LABEL_VALUE_BYTES + over - 1);
		CHECK(memcmp(c->labels[0].key, text, ABI_LABEL_KEY_BYTES - !over) == 0);
		CHECK(memcmp(c->labels[0].value, text, ABI_LABEL_VALUE_BYTES - !over) == 0);
	}
}

TEST(labels_that_cannot_be_read)
{
	reset(with_list());
	put_goroutine(G, 17, GOPC, LABELS);
	put_list(LABELS, PAIRS, 2);
	put_pair(PAIRS, 0, "gone", "there");
	put_pair(PAIRS, 1, "key", "value");
	put(PAIRS, NOWHERE);
	put(PAIRS + 32 + 16, NOWHERE);
	allocate(G, TYPE);
	CHECK_INT(last_context()->nlabels, 2); /* each string for itself */
	check_label(last_context(), 0, "", "there");
	check_label(last_context(), 1, "key", "");

	put_list(LABELS, NOWHERE, 2);
	allocate(G, TYPE);
	CHECK_INT(last_context()->nlabels, 0);
	put_list(LABELS, PAIRS, 2);
	fake.mem.present[(LABELS - FAKE_BASE) / FAKE_PAGE] = false;
	allocate(G, TYPE);
	CHECK_INT(last_context()->nlabels, 0);
	CHECK_INT(fake.ncontexts, 2);
	CHECK_INT(fake.nsites, 2);
}

/* Numbers of labels and lengths of strings that no program has. */
TEST(hostile_lengths)
{
	static const uint64_t lengths[] = { 1ULL << 63, ~0ULL, 1ULL << 32, 128, 127 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		const struct abi_label *l;

		reset(with_list());
		put_goroutine(G, 17, GOPC, LABELS);
		put_list(LABELS, PAIRS, lengths[i]);
		put_string(PAIRS, "k", lengths[i]);
		put_string(PAIRS + 16, "v", lengths[i]);
		allocate(G, TYPE);
		CHECK_INT(last_context()->nlabels, 8);
		CHECK_INT(last_context()->more_labels, 1);
		l = last_context()->labels;
		CHECK_INT(l->key_len, lengths[i]);
		CHECK_INT(l->value_len, lengths[i]);
		CHECK(l->key[0] == 'k' && l->value[0] == 'v' && l->key[ABI_LABEL_KEY_BYTES - 1] == 0);
		CHECK_INT(fake.sites[0].sent, 1);
		/* A string that ends where memory does is not copied in part. */
		put(PAIRS, PAGE_AT(FAKE_PAGES) - 8);
		put(PAIRS + 16, ~0ULL);
		allocate(G, TYPE + 1);
		CHECK_INT(last_context()->labels[0].key_len, 0);
		CHECK_INT(last_context()->labels[0].value_len, 0);
	}
}

/* Everything that makes a context, one after the other; the same again is the same. */
TEST(context_ids)
{
	for (int map = 0; map < 2; map++) {
		uint64_t ids[8];
		uint32_t n = 0;

		reset(map ? with_map() : with_list());
		ids[n++] = allocate(G, TYPE);
		ids[n++] = allocate(G, TYPE + 64);
		ids[n++] = allocate(G, 0);
		put_goroutine(G, 17, GOPC + 5, 0);
		ids[n++] = allocate(G, TYPE);
		fake.target.image = 1;
		ids[n++] = allocate(G, TYPE);
		fake.target.image = 0;
		fake.target.tgid++;
		ids[n++] = allocate(G, TYPE);
		fake.target.tgid--;
		put_goroutine(G, 17, GOPC, LABELS);
		if (map) {
			put_map(LABELS, HMAP, PAIRS, 1, 0);
			put_place(PAIRS, 0, 5, "k", "v");
		} else {
			put_pair(PAIRS, 0, "k", "v");
			put_list(LABELS, PAIRS, 1);
		}
		ids[n++] = allocate(G, TYPE);
		/* Other labels at the same place; the same ones at another. */
		if (map)
			put(HMAP + 8, 0x12345678ULL << 32); /* another map has another hash0 */
		if (map)
			put_place(PAIRS, 0, 5, "k", "w");
		else
			put_pair(PAIRS, 0, "k", "w");
		ids[n++] = allocate(G, TYPE);
		put_goroutine(G, 17, GOPC, LABELS + 128);
		if (map) {
			put_map(LABELS + 128, HMAP + 64, PAIRS + 512, 1, 0);
			put_place(PAIRS + 512, 3, 5, "k", "w");
		} else {
			put_pair(PAIRS + 512, 0, "k", "w");
			put_list(LABELS + 128, PAIRS + 512, 1);
		}
		CHECK_INT(allocate(G, TYPE), ids[n - 1]);
		CHECK_INT(n, 8);
		CHECK_INT(fake.ncontexts, 8);
		for (uint32_t i = 0; i < n; i++) {
			CHECK(ids[i] >> 63);
			for (uint32_t k = 0; k < i; k++)
				if (!CHECK(ids[i] != ids[k]))
					fprintf(stderr, "  %u and %u\n", i, k);
		}
		/* Another goroutine of the same statement is the same context. */
		put_goroutine(G2, 18, GOPC, 0);
		CHECK_INT(allocate(G2, TYPE), ids[0]);
		put_goroutine(G2, 19, GOPC, LABELS + 128);
		CHECK_INT(allocate(G2, TYPE), ids[7]);
		CHECK_INT(fake.ncontexts, 8);
	}
}

static uint64_t goroutines_counted(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < fake.nsites; i++)
		sum += fake.sites[i].goroutines;
	return sum;
}

TEST(a_goroutine_counts_once)
{
	reset(with_list());
	allocate(G, TYPE);
	CHECK_INT(goroutines_counted(), 0); /* nobody asked */
	CHECK_INT(fake.ngoroutines, 0);

	count_goroutines = true;
	allocate(G, TYPE);
	allocate(G, TYPE);
	allocate(G, TYPE + 64);
	CHECK_INT(goroutines_counted(), 1);
	put_goroutine(G, 18, GOPC, 0); /* the runtime uses a dead goroutine's memory again */
	allocate(G, TYPE + 64);
	allocate(G, TYPE);
	CHECK_INT(goroutines_counted(), 2);
	CHECK_INT(fake.sites[0].goroutines, 1);
	CHECK_INT(fake.sites[1].goroutines, 1);

	/* On behalf of one; for none; by one that cannot be read. */
	put_goroutine(G0, 0, 0, 0);
	put(M + fake.go.m_curg, G);
	allocate(G0, TYPE);
	put(M + fake.go.m_curg, 0);
	allocate(G0, TYPE);
	allocate(NOWHERE, TYPE);
	CHECK_INT(goroutines_counted(), 2);

	/* Another program of the same process counts from 1 again. */
	fake.target.image++;
	allocate(G, TYPE);
	CHECK_INT(goroutines_counted(), 3);
}

/* An allocation that is lost for want of a site leaves its goroutine to be counted with the next. */
TEST(a_goroutine_without_a_site_is_not_counted)
{
	reset(with_list());
	count_goroutines = true;
	fake.max_sites = 1;
	put_goroutine(G2, 18, GOPC + 5, 0);
	allocate(G, TYPE);
	allocate(G2, TYPE);
	CHECK_INT(fake_stat(ABI_STAT_LOST_SITE_MAP_FULL), 1);
	CHECK_INT(goroutines_counted(), 1);
	fake.max_sites = 2;
	allocate(G2, TYPE);
	CHECK_INT(goroutines_counted(), 2);
}

TEST(a_full_ring_sends_it_again)
{
	reset(with_list());
	allocate(G, TYPE);
	CHECK_INT(fake.sites[0].sent, 1);
	/* User space has the stack, but not this context. */
	fake.ring_full = true;
	put_goroutine(G2, 18, GOPC + 5, 0);
	allocate(G2, TYPE);
	allocate(G2, TYPE);
	CHECK_INT(fake.nsites, 2);
	CHECK_INT(fake.sites[1].sent, 0);
	CHECK_INT(fake.sites[1].objects, 2);
	CHECK_INT(fake_stat(ABI_STAT_LOST_RING_FULL_STACK), 2);
	fake.ring_full = false;
	allocate(G2, TYPE);
	allocate(G2, TYPE);
	CHECK_INT(fake.sites[1].sent, 1);
	CHECK_INT(fake.ncontexts, 2);
	CHECK_INT(fake.contexts[1].gopc, GOPC + 5);
	CHECK_INT(fake.contexts[1].context_id, fake.keys[1].context_id);
	CHECK_INT(fake.nrecs, 1);
}

TEST_MAIN()
