/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The context of a Go allocation: its type, the go statement that made its
 * goroutine, and the pprof labels that the goroutine carries.
 *
 * All of it but the type lies in the goroutine's runtime.g, of which the start is
 * read at once. On a system stack (g0, which has no number) the runtime works for
 * the thread's current goroutine, and that one is meant.
 *
 * Labels are text on the target's heap. It is copied while the goroutine that holds
 * the labels stands still: read later from outside, it may be something else, because
 * labels of a request live no longer than the request. Sets are the same when their
 * texts are, whatever order they stand in, so that a program that makes a set for each
 * request has as many contexts as it has different texts. A hit only looks at where the
 * labels lie: which text that is, is remembered in `label_sets`. Two sets are taken
 * for one there when their headers and their first label lie at the same addresses
 * with the same lengths, one after the other.
 */
#ifndef ALLOCSNOOP_GOROUTINE_BPF_H
#define ALLOCSNOOP_GOROUTINE_BPF_H

#include "arch.bpf.h"
#include "site.bpf.h"
#include "walk.bpf.h"

#define LABEL_BYTES 32 /* struct { key, value string } */
#define HMAP_BYTES 24 /* count int; flags, B uint8; noverflow uint16; hash0 uint32; buckets pointer (runtime/map.go) */
#define HMAP_B 9
#define HMAP_HASH0 12
#define HMAP_BUCKETS 16
#define BUCKET_BYTES (8 + 8 * 16 + 8 * 16) /* tophash, keys, values */
#define BUCKET_KEYS 8
#define BUCKET_VALUES (8 + 8 * 16)
#define LABEL_SETS 4096
#define BUCKET_MIN_TOP_HASH 5 /* smaller: the place is free */

static __always_inline __u64 block_word(const struct scratch *s, __u32 off)
{
	return *(__u64 *)(s->block + (off & (BLOCK_BYTES - 1)));
}

/* The goroutine that @g, a register's content, works for, into s->g. */
static __noinline int read_g(struct scratch *s, const struct abi_go *go)
{
	__u64 g = s->go.g, m;

	if (!go->g_gopc || bpf_probe_read_user(s->g, ABI_GO_G_BYTES, (void *)g))
		return 0;
	if (g_word(s, go->g_goid))
		return 1;
	m = g_word(s, go->g_m);
	if (!read_word(&g, m + go->m_curg) || !g)
		return 1; /* none */
	return !bpf_probe_read_user(s->g, ABI_GO_G_BYTES, (void *)g);
}

/* Where the labels lie, as a number; their header is in the block then. */
static __noinline __u64 labels_hash(struct scratch *s, const struct abi_go *go, __u64 labels)
{
	/* Of this process and program: others have other text at the same addresses. */
	__u64 hash = hash_step(hash_step(hash_seed, (__u64)s->rec.image << 32 | s->rec.rec.tgid), labels), first;

	if (go->labels == ABI_GO_LABELS_LIST) {
		if (bpf_probe_read_user(s->block, 24, (void *)labels))
			return hash;
		first = block_word(s, 0);
		hash = hash_step(hash_step(hash, first), block_word(s, 8));
		if (bpf_probe_read_user(s->block, LABEL_BYTES, (void *)first))
			return hash;
		hash = hash_step(hash_step(hash, block_word(s, 0)), block_word(s, 8));
		return hash_step(hash_step(hash, block_word(s, 16)), block_word(s, 24));
	}
	if (!read_word(&first, labels) || bpf_probe_read_user(s->block, HMAP_BYTES, (void *)first))
		return hash;
	hash = hash_step(hash_step(hash, first), block_word(s, 0));
	return hash_step(hash_step(hash, block_word(s, HMAP_HASH0 - 4) >> 32), block_word(s, HMAP_BUCKETS));
}

struct label_set {
	__u64 id;
	__u64 check; /* id ^ labels_hash(): half of one entry and half of another is none */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LABEL_SETS);
	__type(key, __u32);
	__type(value, struct label_set);
} label_sets SEC(".maps");

/* The list of labels, or the one bucket of a small map, into the block: their number. */
static __noinline int read_labels(struct scratch *s, const struct abi_go *go, __u64 labels)
{
	__u64 at, n;

	s->context.more_labels = 0;
	if (go->labels == ABI_GO_LABELS_LIST) {
		if (bpf_probe_read_user(s->block, 16, (void *)labels))
			return 0;
		at = block_word(s, 0);
		n = block_word(s, 8);
		if (n > ABI_MAX_LABELS) {
			s->context.more_labels = 1;
			n = ABI_MAX_LABELS;
		}
		return bpf_probe_read_user(s->block, (n & 15) * LABEL_BYTES, (void *)at) ? 0 : n;
	}
	if (!read_word(&at, labels) || bpf_probe_read_user(s->block, HMAP_BYTES, (void *)at))
		return 0;
	at = block_word(s, HMAP_BUCKETS);
	s->context.more_labels = s->block[HMAP_B] != 0; /* more than one bucket */
	return bpf_probe_read_user(s->block, BUCKET_BYTES, (void *)at) ? 0 : 8;
}

/* At most @max bytes of a string, whose length @len the program says. Returns the length to report: 0 if unreadable. */
static __always_inline __u64 copy_text(char *to, __u64 text, __u64 len, __u32 max)
{
	__u64 n = len < max ? len : max;

	barrier_var(n); /* or clang drops the mask, which the verifier wants to see */
	n &= 127;
	return bpf_probe_read_user(to, n, (void *)text) ? 0 : len;
}

static __always_inline void copy_label(struct scratch *s, struct abi_label *to)
{
	to->key_len = copy_text(to->key, s->label.key, s->label.key_len, ABI_LABEL_KEY_BYTES);
	to->value_len = copy_text(to->value, s->label.value, s->label.value_len, ABI_LABEL_VALUE_BYTES);
}

/* The labels of the goroutine in s->g, as text, into s->context. */
static __noinline int fill_labels(struct scratch *s, const struct abi_go *go)
{
	__u32 n = read_labels(s, go, g_word(s, go->g_labels)), kept = 0;

	s->context.nlabels = 0;
	__builtin_memset(s->context.labels, 0, sizeof(s->context.labels)); /* texts are hashed with what follows them */
	for (__u32 i = 0; i < ABI_MAX_LABELS && i < n; i++) {
		if (go->labels == ABI_GO_LABELS_LIST) {
			s->label = (struct label_words){ block_word(s, i * 32), block_word(s, i * 32 + 8),
							 block_word(s, i * 32 + 16), block_word(s, i * 32 + 24) };
		} else {
			if (s->block[i & 7] < BUCKET_MIN_TOP_HASH)
				continue;
			s->label = (struct label_words){ block_word(s, BUCKET_KEYS + i * 16),
							 block_word(s, BUCKET_KEYS + i * 16 + 8),
							 block_word(s, BUCKET_VALUES + i * 16),
							 block_word(s, BUCKET_VALUES + i * 16 + 8) };
		}
		copy_label(s, &s->context.labels[kept & (ABI_MAX_LABELS - 1)]);
		kept++;
	}
	s->context.nlabels = kept;
	return 0;
}

static __noinline __u64 hash_label(const struct abi_label *label)
{
	const __u64 *words = (const __u64 *)label;
	__u64 hash = hash_seed;

	for (__u32 i = 0; i < sizeof(*label) / 8; i++)
		hash = hash_step(hash, words[i]);
	return hash;
}

/* What tells the goroutine's set of labels from others: of their texts. */
static __noinline __u64 labels_id(struct scratch *s, const struct abi_go *go, __u64 labels)
{
	__u64 at = labels_hash(s, go, labels), id;
	__u32 index = (at >> 40) & (LABEL_SETS - 1);
	struct label_set *set = bpf_map_lookup_elem(&label_sets, &index);

	if (set && (set->id ^ set->check) == at)
		return set->id;
	fill_labels(s, go);
	id = s->context.more_labels;
	for (__u32 i = 0; i < ABI_MAX_LABELS && i < s->context.nlabels; i++)
		id += hash_label(&s->context.labels[i]);
	if (set)
		*set = (struct label_set){ id, id ^ at };
	return id;
}


/* The key of the site, from s->g (if s->has_g), s->go and s->rec of walk(). */
static __noinline int go_context(struct scratch *s, const struct abi_go *go)
{
	struct abi_rec_context *c = &s->context;
	__u64 labels = s->has_g ? g_word(s, go->g_labels) : 0;
	__u64 hash;

	c->type = s->go.type;
	c->gopc = s->has_g ? g_word(s, go->g_gopc) : 0;
	hash = hash_step(hash_seed + 1, (__u64)s->rec.image << 32 | s->rec.rec.tgid);
	hash = hash_step(hash_step(hash, c->type), c->gopc);
	if (labels && go->labels)
		hash = hash_step(hash, labels_id(s, go, labels));
	hash |= 1ULL << 63; /* 0 is none */
	c->context_id = hash;
	s->key.context_id = hash;
	return 0;
}

static __noinline int send_context(struct scratch *s, const struct abi_go *go, bool has_g)
{
	struct abi_rec_context *c = &s->context;
	__u32 len;

	c->rec.kind = ABI_REC_CONTEXT;
	c->rec.tgid = s->rec.rec.tgid;
	c->image = s->rec.image;
	c->nlabels = 0;
	c->more_labels = 0;
	if (has_g && go->labels && g_word(s, go->g_labels))
		fill_labels(s, go);
	len = ABI_REC_CONTEXT_BYTES(c->nlabels & 15);
	return len <= sizeof(*c) && send_once(s, c->context_id, c, len);
}

/* Has the goroutine in s->g not been seen to allocate before? */
static __noinline int is_new_goroutine(struct scratch *s, const struct abi_go *go, __u32 slot)
{
	struct goroutine_key key = { g_word(s, go->g_goid), slot, s->rec.image };
	__u8 one = 1;

	return key.goid && !bpf_map_lookup_elem(&goroutines, &key) &&
	       !bpf_map_update_elem(&goroutines, &key, &one, BPF_NOEXIST);
}

#endif
