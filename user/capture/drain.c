// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/drain.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

#define BATCH 4096

struct drain {
	struct session *session;
	struct session_maps maps;
	struct drain_sink sink;
	struct ring_buffer *ring;
	int live; /* index of the inner map that the programs write */
	struct abi_site_key *keys;
	struct abi_site *sites;
	uint8_t *scratch; /* one value of each CPU */
	uint32_t scratch_bytes, nscratches;
	struct abi_rss_totals *totals; /* of each CPU */
	struct abi_rss_totals told[ABI_RSS_TOTALS_SLOTS]; /* of all CPUs, as far as they were handed on */
};

static int on_ring(void *ctx, void *data, size_t len)
{
	struct drain *drain = ctx;

	if (len >= sizeof(struct abi_rec))
		drain->sink.on_rec(drain->sink.ctx, data, len);
	return 0;
}

int drain__new(struct session *session, const struct drain_sink *sink, struct drain **ret)
{
	struct drain *drain = calloc(1, sizeof(*drain));
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	int err = -ENOMEM;

	if (!drain)
		return -ENOMEM;
	drain->session = session;
	drain->sink = *sink;
	session__maps(session, &drain->maps);
	if (bpf_obj_get_info_by_fd(drain->maps.scratches, &info, &len)) {
		err = -errno;
		goto fail;
	}
	drain->scratch_bytes = (info.value_size + 7) & ~7u;
	drain->nscratches = info.max_entries;
	drain->keys = calloc(BATCH, sizeof(*drain->keys));
	drain->sites = calloc(BATCH, sizeof(*drain->sites));
	drain->scratch = calloc(session__ncpus(session), drain->scratch_bytes);
	drain->totals = calloc(session__ncpus(session), sizeof(*drain->totals));
	if (!drain->keys || !drain->sites || !drain->scratch || !drain->totals)
		goto fail;
	drain->ring = ring_buffer__new(drain->maps.ring, on_ring, drain, NULL);
	if (!drain->ring) {
		err = -errno;
		goto fail;
	}
	*ret = drain;
	return 0;
fail:
	drain__free(drain);
	return err;
}

void drain__free(struct drain *drain)
{
	if (!drain)
		return;
	ring_buffer__free(drain->ring);
	free(drain->keys);
	free(drain->sites);
	free(drain->scratch);
	free(drain->totals);
	free(drain);
}

int drain__fd(const struct drain *drain)
{
	return ring_buffer__epoll_fd(drain->ring);
}

void drain__ring(struct drain *drain)
{
	ring_buffer__consume(drain->ring);
}

/* Nobody writes the map any more: read and empty it. */
static int read_sites(struct drain *drain, int fd)
{
	__u32 in = 0, out = 0, n;
	void *start = NULL;
	bool end = false;
	int err;

	while (!end) {
		n = BATCH;
		err = bpf_map_lookup_and_delete_batch(fd, start, &out, drain->keys, drain->sites, &n, NULL);
		/* -ENOSPC: one bucket holds more than a batch; cannot be with this many places. */
		if (err && errno != ENOENT)
			return -errno;
		end = err != 0;
		for (__u32 i = 0; i < n; i++)
			drain->sink.on_site(drain->sink.ctx, &drain->keys[i], &drain->sites[i]);
		in = out;
		start = &in;
	}
	return 0;
}

/* What has come in @slot to the rows without stacks since they were read last. */
static int read_totals(struct drain *drain, uint32_t slot, uint32_t tgid)
{
	int ncpus = session__ncpus(drain->session);

	if (bpf_map_lookup_elem(drain->maps.rss_totals, &slot, drain->totals))
		return -errno;
	for (uint16_t detail = 0; detail < ABI_RSS_DETAIL__N; detail++) {
		for (uint32_t area = 0; area < ABI_AREA__N; area++) {
			struct abi_site_key key = { ABI_STACK_NONE, area, tgid, ABI_SOURCE_RSS, detail };
			__s64 *told = &drain->told[slot].pages[ABI_RSS_TOTAL(detail, area)];
			struct abi_site site = { .bytes = -*told };

			for (int cpu = 0; cpu < ncpus; cpu++)
				site.bytes += drain->totals[cpu].pages[ABI_RSS_TOTAL(detail, area)];
			*told += site.bytes;
			if (site.bytes)
				drain->sink.on_site(drain->sink.ctx, &key, &site);
		}
	}
	return 0;
}

static int read_all_totals(struct drain *drain)
{
	struct abi_target target;

	if (drain->maps.rss_totals < 0)
		return 0;
	for (uint32_t slot = 0; slot < ABI_RSS_TOTALS_SLOTS; slot++) {
		int err;

		/* Slots are given away in turn, and once. */
		if (bpf_map_lookup_elem(drain->maps.targets, &slot, &target) || !target.tgid)
			break;
		err = read_totals(drain, slot, target.tgid);
		if (err)
			return err;
	}
	return 0;
}

int drain__sweep(struct drain *drain)
{
	int rest = drain->live, next = !drain->live, err;
	__u32 zero = 0;

	if (bpf_map_update_elem(drain->maps.sites, &zero, &drain->maps.sites_inner[next], BPF_ANY))
		return -errno;
	drain->live = next;
	session__reset_sites_used(drain->session);
	drain__ring(drain);
	err = read_sites(drain, drain->maps.sites_inner[rest]);
	return err ? err : read_all_totals(drain);
}

struct block_batch {
	struct abi_block_key *keys;
	struct abi_block *blocks;
	__u32 size;
	struct abi_block_key *gone; /* to be taken out */
	size_t ngone, cap_gone;
};

static int batch_resize(struct block_batch *batch, __u32 size)
{
	free(batch->keys);
	free(batch->blocks);
	batch->size = size;
	batch->keys = calloc(size, sizeof(*batch->keys));
	batch->blocks = calloc(size, sizeof(*batch->blocks));
	return batch->keys && batch->blocks ? 0 : -ENOMEM;
}

static int batch_take(struct block_batch *batch, __u32 n, drain_block_fn *fn, void *ctx)
{
	for (__u32 i = 0; i < n; i++) {
		if (!fn(ctx, &batch->keys[i], &batch->blocks[i]))
			continue;
		if (vec_reserve((void **)&batch->gone, &batch->cap_gone, batch->ngone + 1, sizeof(*batch->gone)))
			return -ENOMEM;
		batch->gone[batch->ngone++] = batch->keys[i];
	}
	return 0;
}

#define BLOCK_BATCH 8192
#define BLOCK_BATCH_MAX (1u << 20)

static int read_blocks(int fd, struct block_batch *batch, drain_block_fn *fn, void *ctx)
{
	__u32 in = 0, out = 0, n;
	void *start = NULL;
	int err = batch_resize(batch, BLOCK_BATCH);

	while (!err) {
		bool end;

		n = batch->size;
		err = bpf_map_lookup_batch(fd, start, &out, batch->keys, batch->blocks, &n, NULL) ? -errno : 0;
		if (err == -ENOSPC && !n && batch->size < BLOCK_BATCH_MAX) { /* one bucket holds more */
			err = batch_resize(batch, batch->size * 4);
			continue;
		}
		end = err == -ENOENT;
		if (err && !end)
			break;
		err = batch_take(batch, n, fn, ctx);
		if (end)
			break;
		in = out;
		start = &in;
	}
	return err;
}

int drain__blocks(struct drain *drain, drain_block_fn *fn, void *ctx)
{
	struct block_batch batch = { 0 };
	int err = read_blocks(drain->maps.blocks, &batch, fn, ctx);

	/* Not while reading: that goes on behind the key it read last. */
	for (size_t i = 0; i < batch.ngone; i++)
		bpf_map_delete_elem(drain->maps.blocks, &batch.gone[i]);
	free(batch.keys);
	free(batch.blocks);
	free(batch.gone);
	return err;
}

int drain__stats(struct drain *drain, struct abi_stats *ret)
{
	struct abi_stats sum = { 0 };
	int ncpus = session__ncpus(drain->session);

	for (__u32 i = 0; i < drain->nscratches; i++) {
		if (bpf_map_lookup_elem(drain->maps.scratches, &i, drain->scratch))
			return -errno;
		for (int cpu = 0; cpu < ncpus; cpu++) {
			const struct abi_stats *part = (const void *)(drain->scratch + (size_t)cpu * drain->scratch_bytes);

			for (int k = 0; k < ABI_STAT__N; k++)
				sum.v[k] += part->v[k];
		}
	}
	*ret = sum;
	return 0;
}
