/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All maps, constants and counters of the BPF side. */
#ifndef ALLOCSNOOP_MAPS_BPF_H
#define ALLOCSNOOP_MAPS_BPF_H

#include "abi.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* Set once before load. */
const volatile __u64 hash_seed = 0;
const volatile __u64 min_size_bytes = 0;
const volatile __u64 max_size_bytes = ~0ULL;
const volatile __u32 only_tid = 0; /* 0: all threads */
const volatile __u32 nr_cpus = 1; /* possible CPUs */
const volatile __u32 sweep_mark = 32768; /* new sites in one epoch after which user space is asked to sweep */
const volatile bool watch_rss = false; /* the RSS ledger is on */
const volatile bool watch_faults = false; /* and the addresses of faults are known */
const volatile bool count_goroutines = false;
const volatile bool go_rooms = false; /* sites of Go are apart by what the objects were put into */
const volatile bool rss_stacks = true; /* else RSS is counted without them */
const volatile bool rss_areas = true; /* and what anonymous pages are for is told, as far as it is known */
const volatile bool kernel_stacks = false; /* the kernel's frames, too, where it is in the kernel that things happen */

/* New sites since the last sweep; user space sets it back to 0. */
__u32 sites_used = 0;

/*
 * Doors count until then (CLOCK_MONOTONIC), and not at all behind it: probes that are put in and taken out for bursts
 * go when the kernel finds the time, but the burst ends here. ~0: for ever.
 */
__u64 window_end_ns = ~0ULL;

/* Losses outside a scratch slot, which has its own counters. */
__u64 lost_scratch_busy = 0;
__u64 lost_ring_full_proc = 0;

/*
 * The counts. One inner map is live; user space puts the other in its place and
 * then reads the first at rest: updating a map in map waits until no program
 * uses the old one any more (maybe_wait_bpf_programs() in kernel/bpf/syscall.c).
 */
struct site_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct abi_site_key);
	__type(value, struct abi_site);
} sites_a SEC(".maps"), sites_b SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct site_map);
} sites SEC(".maps") = { .values = { (void *)&sites_a } };

/* Stacks and contexts whose records user space has. An evicted one is sent again: no harm. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 131072);
	__type(key, __u64);
	__type(value, __u8);
} ids_sent SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, ABI_RING_BYTES);
} ring SEC(".maps");

/* By slot. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ABI_MAX_TARGETS);
	__type(key, __u32);
	__type(value, struct abi_target);
} targets SEC(".maps");

/* By slot, of targets that run Go; written by user space only. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ABI_MAX_TARGETS);
	__type(key, __u32);
	__type(value, struct abi_go);
} runtimes SEC(".maps");

struct goroutine_key {
	__u64 goid;
	__u32 slot, image;
};

/*
 * Goroutines that have allocated, if they are to be counted. One that is forgotten, when more than that
 * many others came after it, counts again.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 262144);
	__type(key, struct goroutine_key);
	__type(value, __u8);
} goroutines SEC(".maps");

/* By slot: see "loader" in abi.h; written by user space only. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ABI_MAX_TARGETS);
	__type(key, __u32);
	__type(value, __u32);
} loaders SEC(".maps");

/* Unwind tables and the lists of code: see abi.h. Inner maps are made by user space. */
struct slab {
	__u8 bytes[ABI_SLAB_BYTES + ABI_SLAB_TAIL_BYTES];
};

struct slab_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct slab);
} slab_first SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, ABI_MAX_SLABS);
	__type(key, __u32);
	__array(values, struct slab_map);
} slabs SEC(".maps") = { .values = { (void *)&slab_first } };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ABI_UNWIND_MAX_RULES);
	__type(key, __u32);
	__type(value, struct abi_unwind_rule);
} rules SEC(".maps");

/* By slot: ABI_SPACE(); 0: no tables for this target. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ABI_MAX_TARGETS);
	__type(key, __u32);
	__type(value, __u64);
} spaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ABI_MAX_UNWIND_FILES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct abi_file_key);
	__type(value, struct abi_unwind_file);
} unwind_files SEC(".maps");

/* Slot by tgid, for the tracepoints, which see the whole system. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ABI_MAX_TARGETS);
	__type(key, __u32);
	__type(value, __u32);
} slots SEC(".maps");

#endif
