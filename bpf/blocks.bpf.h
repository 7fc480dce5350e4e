/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The C allocator's blocks that are live: where each was allocated, how large, when.
 *
 * A block is entered when its allocation returns, which is before the program can know
 * its address, and taken out at the entry of the function that gives it back, which is
 * before anybody else can be given the address. So two owners of an address never meet.
 * realloc takes its block out at the entry and keeps it in the thread's record: when it
 * has succeeded the block is freed (valgrind counts so, too, whether it moved or not),
 * when it fails the block is put back.
 *
 * A free is counted at the stack that allocated. Of memory whose allocation was not
 * seen, for it came before the attach or before a fork, there is only a number. (In it
 * are the calls of free with which glibc empties a thread's cache at its end: of
 * chunks that the program has long given back.) An address that is handed out again without a free that we saw shows that one was
 * missed: it is made up for.
 *
 * With a rate only some blocks are entered (abi_sample_chance()), and user space
 * computes from what is in the table what is live.
 *
 * Cost: one element of 96 bytes for a block, and 16 bytes for each place of the table.
 */
#ifndef ALLOCSNOOP_BLOCKS_BPF_H
#define ALLOCSNOOP_BLOCKS_BPF_H

#include "level.bpf.h"
#include "site.bpf.h"

#define BLOCKS_EEXIST 17

/* Set once before load. */
const volatile bool follow_blocks = false;
const volatile __u32 block_rate_bytes = 0; /* one block in so many bytes, on average; 0: every block */

/* Not preallocated: the memory of blocks that never were would be most of it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, ABI_BLOCKS);
	__type(key, struct abi_block_key);
	__type(value, struct abi_block);
} blocks SEC(".maps");

/* By slot. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ABI_MAX_TARGETS);
	__type(key, __u32);
	__type(value, struct abi_heap);
} heaps SEC(".maps");

/* Are the allocations of some sizes or threads left out? Then a block that is not known means nothing. */
static __always_inline bool blocks_are_some(void)
{
	return block_rate_bytes || only_tid || min_size_bytes || max_size_bytes != ~0ULL;
}

/* By slot: at so many live bytes a sweep is asked for; 0: at none. User space sets it, a program takes it away. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ABI_MAX_TARGETS);
	__type(key, __u32);
	__type(value, __s64);
} heap_marks SEC(".maps");

static __always_inline void heap_grow(__u32 slot, __u64 bytes)
{
	struct abi_heap *heap = bpf_map_lookup_elem(&heaps, &slot);
	__s64 *mark, live;

	if (!heap)
		return;
	live = __sync_fetch_and_add(&heap->live_bytes, bytes) + bytes;
	level_raise(&heap->high_bytes, live);
	if (!watch_peak)
		return;
	mark = bpf_map_lookup_elem(&heap_marks, &slot);
	if (mark)
		level_check_mark(mark, live);
}

static __always_inline void heap_shrink(__u32 slot, __u64 bytes)
{
	struct abi_heap *heap = bpf_map_lookup_elem(&heaps, &slot);

	if (heap)
		__sync_fetch_and_add(&heap->live_bytes, -(__s64)bytes);
}

/* The address space is gone; its blocks stay in the table until user space looks at them. */
static __always_inline void heap_drop(__u32 slot)
{
	struct abi_heap *heap = bpf_map_lookup_elem(&heaps, &slot);

	if (heap)
		heap->live_bytes = 0;
}

/* @block, which is in the table no more, was given back. Changes s->key. */
static __noinline int block_freed(struct scratch *s, const struct abi_target *target, const struct abi_block *block)
{
	struct abi_site *site;

	if (block_rate_bytes)
		return 0;
	s->key.stack_id = block->stack_id;
	s->key.context_id = 0;
	s->key.tgid = target->tgid;
	s->key.source = ABI_SOURCE_MALLOC;
	s->key.detail = 0;
	heap_shrink(target->slot, block->bytes);
	site = site_get(s);
	if (!site) {
		stat_add(s, ABI_STAT_LOST_FREE_SITE, 1);
		return 0;
	}
	__sync_fetch_and_add(&site->free_objects, 1);
	__sync_fetch_and_add(&site->free_bytes, block->bytes);
	__sync_fetch_and_add(&site->live_objects, -1LL);
	__sync_fetch_and_add(&site->live_bytes, -(__s64)block->bytes);
	return 0;
}

/* Take the block at @addr out of the table into @ret. false: none is known there. */
static __noinline bool block_take(const struct abi_target *target, __u64 addr, struct abi_block *ret)
{
	struct abi_block_key key = { addr, target->slot, target->image };
	struct abi_block *block = bpf_map_lookup_elem(&blocks, &key);

	if (!block)
		return false;
	*ret = *block;
	return !bpf_map_delete_elem(&blocks, &key); /* of two threads that free it one has it */
}

/* An allocation of s->key.stack_id has returned @addr; @site has counted it. */
static __noinline int block_enter(struct scratch *s, const struct abi_target *target, struct abi_site *site, __u64 addr,
				  __u64 bytes)
{
	struct abi_block_key key = { addr, target->slot, target->image };
	struct abi_block block = { s->key.stack_id, bytes, bpf_ktime_get_ns() }, old;
	long err;

	if (block_rate_bytes && bpf_get_prandom_u32() >= abi_sample_chance(bytes ? bytes : 1, block_rate_bytes))
		return 0;
	err = bpf_map_update_elem(&blocks, &key, &block, BPF_NOEXIST);
	if (err == -BLOCKS_EEXIST) {
		stat_add(s, ABI_STAT_FREE_MISSED, 1);
		if (block_take(target, addr, &old))
			block_freed(s, target, &old);
		err = bpf_map_update_elem(&blocks, &key, &block, BPF_ANY);
	}
	if (err) {
		stat_add(s, ABI_STAT_LOST_BLOCK, 1);
		stat_add(s, ABI_STAT_LOST_BLOCK_BYTES, bytes);
		return 0;
	}
	if (block_rate_bytes)
		return 0;
	__sync_fetch_and_add(&site->live_objects, 1);
	__sync_fetch_and_add(&site->live_bytes, bytes);
	heap_grow(target->slot, bytes);
	return 0;
}

/* A realloc that was to take @block's place has failed. */
static __noinline int block_put_back(struct scratch *s, const struct abi_target *target, __u64 addr,
				     const struct abi_block *block)
{
	struct abi_block_key key = { addr, target->slot, target->image };

	if (!bpf_map_update_elem(&blocks, &key, block, BPF_ANY))
		return 0;
	/* There is no room for it any more: it counts as given back, or it would be live for ever. */
	stat_add(s, ABI_STAT_LOST_BLOCK, 1);
	stat_add(s, ABI_STAT_LOST_BLOCK_BYTES, block->bytes);
	return block_freed(s, target, block);
}

#endif
