/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Include behind bpf/alloc_go.bpf.h (with FAKE_C also behind bpf/alloc_c.bpf.h): its maps, its helpers and one thread, so that
 * the program runs. One test program has one of each; fake_reset() starts afresh.
 */
#ifndef ALLOCSNOOP_TESTS_BPFSTUB_RUN_H
#define ALLOCSNOOP_TESTS_BPFSTUB_RUN_H

#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#define FAKE_SITES 512
#define FAKE_RECS 512
#define FAKE_CONTEXTS 64
#define FAKE_RULES 16384
#define FAKE_SLABS 256
#define FAKE_BLOCKS 512

static struct {
	struct fake_memory mem;
	struct scratch scratches[SCRATCH__N * SLOTS_PER_KIND];
	struct remembered remembered[SCRATCH__N * SLOTS_PER_KIND];
	struct abi_target target; /* both in slot FAKE_SLOT */
	struct abi_go go;
	uint32_t loader;
	struct abi_site_key keys[FAKE_SITES];
	struct abi_site sites[FAKE_SITES];
	uint32_t nsites, max_sites;
	uint64_t sent[FAKE_SITES]; /* ids_sent */
	uint32_t nsent;
	struct abi_rec_stack recs[FAKE_RECS];
	size_t rec_bytes[FAKE_RECS];
	uint32_t nrecs;
	struct abi_rec_context contexts[FAKE_CONTEXTS];
	uint32_t ncontexts;
	struct label_set label_sets[LABEL_SETS];
	struct abi_waiting_key waiting_keys[FAKE_CONTEXTS];
	struct waiting waiting[FAKE_CONTEXTS];
	uint32_t nwaiting;
	struct door_note doors[DOORS];
	struct abi_rec_object objects[FAKE_RECS]; /* SAMPLE, FREE */
	uint32_t nobjects;
	uint32_t ngcs; /* records of a GC */
	uint32_t random; /* what bpf_get_prandom_u32() gives */
	struct goroutine_key goroutines[FAKE_CONTEXTS];
	uint32_t ngoroutines;
	uint32_t tid; /* 0: the target's tgid */
#ifdef FAKE_C
	uint32_t random_state; /* not 0: random numbers in place of `random` */
	struct abi_block_key block_keys[FAKE_BLOCKS];
	struct abi_block blocks[FAKE_BLOCKS];
	uint32_t nblocks, max_blocks;
	uint32_t thread_ids[FAKE_CONTEXTS];
	struct in_flight threads[FAKE_CONTEXTS];
	uint32_t nthreads;
	struct abi_heap heap;
#endif
	bool ring_full;
	uint64_t cookie, now_ns;
	struct task_struct task;
	/* Unwind tables, and what the target's space is; 0: it has none. */
	uint64_t space;
	struct slab *slabs[FAKE_SLABS];
	void *slab; /* that was looked up last */
	struct abi_unwind_rule rules[FAKE_RULES];
	bool is_self; /* the target's memory is this process's own */
} fake;

#define FAKE_SLOT 3

static void fake_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	memset(fake.mem.present, 1, sizeof(fake.mem.present));
	fake.max_sites = FAKE_SITES;
	fake.target.slot = FAKE_SLOT;
#ifdef FAKE_C
	fake.max_blocks = FAKE_BLOCKS;
#endif
	sites_used = 0;
	lost_scratch_busy = 0;
}

#ifdef FAKE_C
static void *lookup_c(void *map, const void *key)
{
	if (map == (void *)&blocks)
		for (uint32_t i = 0; i < fake.nblocks; i++)
			if (memcmp(&fake.block_keys[i], key, sizeof(fake.block_keys[i])) == 0)
				return &fake.blocks[i];
	if (map == (void *)&threads)
		for (uint32_t i = 0; i < fake.nthreads; i++)
			if (memcmp(&fake.thread_ids[i], key, sizeof(fake.thread_ids[i])) == 0)
				return &fake.threads[i];
	if (map == (void *)&heaps)
		return &fake.heap;
	return NULL;
}

static long update_c(void *map, const void *key, const void *value, __u64 flags)
{
	struct abi_block *block = lookup_c(map, key);

	if (map == (void *)&threads) {
		if (fake.nthreads == FAKE_CONTEXTS)
			return -E2BIG;
		memcpy(&fake.thread_ids[fake.nthreads], key, sizeof(fake.thread_ids[0]));
		memcpy(&fake.threads[fake.nthreads++], value, sizeof(fake.threads[0]));
		return 0;
	}
	if (block && flags == BPF_NOEXIST)
		return -EEXIST;
	if (!block) {
		if (fake.nblocks == fake.max_blocks)
			return -E2BIG;
		memcpy(&fake.block_keys[fake.nblocks], key, sizeof(fake.block_keys[0]));
		block = &fake.blocks[fake.nblocks++];
	}
	memcpy(block, value, sizeof(*block));
	return 0;
}

static long delete_block(const void *key)
{
	struct abi_block *block = lookup_c(&blocks, key);
	uint32_t i;

	if (!block)
		return -ENOENT;
	i = (uint32_t)(block - fake.blocks);
	fake.nblocks--;
	fake.blocks[i] = fake.blocks[fake.nblocks];
	fake.block_keys[i] = fake.block_keys[fake.nblocks];
	return 0;
}
#endif

static void *bpf_map_lookup_elem(void *map, const void *key)
{
	uint32_t index;

#ifdef FAKE_C
	if (map == (void *)&blocks || map == (void *)&threads || map == (void *)&heaps)
		return lookup_c(map, key);
#endif
	memcpy(&index, key, sizeof(index));
	if (map == (void *)&scratches)
		return index < SCRATCH__N * SLOTS_PER_KIND ? &fake.scratches[index] : NULL;
	if (map == (void *)&targets)
		return index == FAKE_SLOT ? &fake.target : NULL;
	if (map == (void *)&runtimes)
		return index == FAKE_SLOT ? &fake.go : NULL;
	if (map == (void *)&loaders)
		return index == FAKE_SLOT ? &fake.loader : NULL;
	if (map == (void *)&remembered)
		return index < SCRATCH__N * SLOTS_PER_KIND ? &fake.remembered[index] : NULL;
	if (map == (void *)&spaces)
		return index == FAKE_SLOT ? &fake.space : NULL;
	if (map == (void *)&slabs) {
		fake.slab = index < FAKE_SLABS ? fake.slabs[index] : NULL;
		return fake.slab ? &slab_first : NULL;
	}
	if (map == (void *)&slab_first)
		return index == 0 ? fake.slab : NULL;
	if (map == (void *)&rules)
		return index < FAKE_RULES ? &fake.rules[index] : NULL;
	if (map == (void *)&sites)
		return index == 0 ? &sites_a : NULL;
	if (map == (void *)&sites_a)
		for (uint32_t i = 0; i < fake.nsites; i++)
			if (memcmp(&fake.keys[i], key, sizeof(fake.keys[i])) == 0)
				return &fake.sites[i];
	if (map == (void *)&label_sets)
		return index < LABEL_SETS ? &fake.label_sets[index] : NULL;
	if (map == (void *)&doors)
		return index < DOORS ? &fake.doors[index] : NULL;
	if (map == (void *)&waiting)
		for (uint32_t i = 0; i < fake.nwaiting; i++)
			if (memcmp(&fake.waiting_keys[i], key, sizeof(fake.waiting_keys[i])) == 0)
				return &fake.waiting[i];
	if (map == (void *)&goroutines)
		for (uint32_t i = 0; i < fake.ngoroutines; i++)
			if (memcmp(&fake.goroutines[i], key, sizeof(fake.goroutines[i])) == 0)
				return &fake.goroutines[i];
	if (map == (void *)&ids_sent)
		for (uint32_t i = 0; i < fake.nsent; i++)
			if (memcmp(&fake.sent[i], key, sizeof(fake.sent[i])) == 0)
				return &fake.sent[i];
	return NULL;
}

static long bpf_map_delete_elem(void *map, const void *key)
{
	struct waiting *entry;
	uint32_t i;

#ifdef FAKE_C
	if (map == (void *)&blocks)
		return delete_block(key);
#endif
	entry = bpf_map_lookup_elem(map, key);
	if (map != (void *)&waiting || !entry)
		return -ENOENT;
	i = (uint32_t)(entry - fake.waiting);
	fake.nwaiting--;
	fake.waiting[i] = fake.waiting[fake.nwaiting];
	fake.waiting_keys[i] = fake.waiting_keys[fake.nwaiting];
	return 0;
}

static long bpf_map_update_elem(void *map, const void *key, const void *value, __u64 flags)
{
#ifdef FAKE_C
	if (map == (void *)&blocks || map == (void *)&threads)
		return update_c(map, key, value, flags);
#endif
	if (map == (void *)&waiting && (bpf_map_lookup_elem(map, key) || fake.nwaiting < FAKE_CONTEXTS)) {
		struct waiting *entry = bpf_map_lookup_elem(map, key);

		if (!entry) {
			memcpy(&fake.waiting_keys[fake.nwaiting], key, sizeof(fake.waiting_keys[0]));
			entry = &fake.waiting[fake.nwaiting++];
		}
		memcpy(entry, value, sizeof(*entry));
		return 0;
	}
	if (map == (void *)&ids_sent && fake.nsent < FAKE_SITES) {
		memcpy(&fake.sent[fake.nsent++], key, sizeof(fake.sent[0]));
		return 0;
	}
	if (map == (void *)&goroutines && fake.ngoroutines < FAKE_CONTEXTS) {
		memcpy(&fake.goroutines[fake.ngoroutines++], key, sizeof(fake.goroutines[0]));
		return 0;
	}
	if (map != (void *)&sites_a || fake.nsites >= fake.max_sites)
		return -E2BIG;
	if (flags == BPF_NOEXIST && bpf_map_lookup_elem(map, key))
		return -EEXIST;
	memcpy(&fake.keys[fake.nsites], key, sizeof(fake.keys[0]));
	memcpy(&fake.sites[fake.nsites++], value, sizeof(fake.sites[0]));
	return 0;
}

static long bpf_ringbuf_output(void *to, void *data, __u64 size, __u64 flags)
{
	const struct abi_rec *rec = data;

	(void)flags;
	if (to != (void *)&ring || size > (rec->kind == ABI_REC_CONTEXT ? sizeof(fake.contexts[0]) : sizeof(fake.recs[0])))
		abort();
	if (fake.ring_full || fake.nrecs == FAKE_RECS || fake.ncontexts == FAKE_CONTEXTS)
		return -EAGAIN;
	if (rec->kind == ABI_REC_GC) {
		fake.ngcs++;
		return 0;
	}
	if (rec->kind == ABI_REC_SAMPLE || rec->kind == ABI_REC_FREE) {
		memcpy(&fake.objects[fake.nobjects++ % FAKE_RECS], data, size);
		return 0;
	}
	if (rec->kind == ABI_REC_CONTEXT) {
		memcpy(&fake.contexts[fake.ncontexts++], data, size);
		return 0;
	}
	memcpy(&fake.recs[fake.nrecs], data, size);
	fake.rec_bytes[fake.nrecs++] = size;
	return 0;
}

static __u64 bpf_ringbuf_query(void *of, __u64 flags)
{
	(void)of;
	(void)flags;
	return 0;
}

static long bpf_probe_read_user(void *dst, __u32 size, const void *addr)
{
	struct iovec local = { dst, size }, remote = { (void *)(uintptr_t)addr, size };

	if (fake.is_self)
		return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)size ? 0 : -EFAULT;
	return fake_memory__read(&fake.mem, dst, size, (uintptr_t)addr);
}

static __u64 bpf_get_attach_cookie(void *ctx)
{
	(void)ctx;
	return fake.cookie;
}

static __u64 bpf_get_current_pid_tgid(void)
{
	return (uint64_t)fake.target.tgid << 32 | (fake.tid ? fake.tid : fake.target.tgid);
}

static void *bpf_get_current_task(void)
{
	return &fake.task;
}

static __u32 bpf_get_prandom_u32(void)
{
#ifdef FAKE_C
	if (fake.random_state) { /* a 64-bit step of splitmix */
		uint64_t z = (uint64_t)fake.random_state++ * 0x9e3779b97f4a7c15u;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
		return (__u32)((z ^ z >> 27) >> 32);
	}
#endif
	return fake.random;
}

static __u64 bpf_ktime_get_ns(void)
{
	return fake.now_ns += 100;
}

static __attribute__((unused)) uint64_t fake_stat(enum abi_stat id)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(fake.scratches) / sizeof(fake.scratches[0]); i++)
		sum += fake.scratches[i].stats.v[id];
	return sum;
}

#endif
