/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The BPF side as an object: loads it, attaches and detaches probes, gives its
 * maps. Sole owner of the skeleton. Closing it takes out every breakpoint; so does
 * the death of this process, however it dies.
 */
#ifndef ALLOCSNOOP_CAPTURE_SESSION_H
#define ALLOCSNOOP_CAPTURE_SESSION_H

#include "base/err.h"
#include "base/event.h"
#include "capture/kfeat.h"
#include "capture/plan.h"

struct session;

struct session_opts {
	const struct kfeat *feat;
	uint64_t min_size_bytes, max_size_bytes;
	uint32_t only_tid; /* 0: all */
	bool count_goroutines;
	bool go_rooms; /* Go's sites are apart by what objects were put into (abi.h) */
	bool no_rss_stacks; /* none in the RSS ledger */
	bool no_rss_areas; /* nor what anonymous pages are for */
	bool kernel_stacks; /* the kernel's frames in stacks of the RSS ledger */
	bool live; /* follow objects */
	bool peak; /* marks of heaps and of RSS are looked at */
	bool blocks; /* follow the C allocator's blocks: */
	uint32_t block_rate_bytes; /* one in so many bytes; 0: every one */
	uint32_t max_blocks; /* 0: ABI_BLOCKS */
	bool go, malloc; /* the programs of their doors are wanted: the kernel looks long at each */
	bool rss; /* attach the RSS ledger's programs, those of the best way that the kernel has */
	bool touches; /* of the ledger: tell whose memory the pages are that come, where addresses are known */
	bool mmap; /* attach to the calls that map address space, if the kernel has a way to */
	bool kernel_log; /* let libbpf print what the kernel says of a program it refuses */
};

int session__open(const struct session_opts *opts, struct session **ret, struct err *err);
void session__free(struct session *session);

/* By the kernel's counters? */
bool session__has_rss(const struct session *session);
enum event_rss_method session__rss_method(const struct session *session);
bool session__has_mmap(const struct session *session);
/* Is told whose memory it is that becomes resident? */
bool session__has_touches(const struct session *session);

/* Make @pid known under @slot, with what its probes must know. */
int session__add_target(struct session *session, uint32_t slot, const struct abi_target *target);
/* Which image (abi.h) of the target runs now. */
uint32_t session__image(struct session *session, uint32_t slot);
/* Other code is mapped where code had been: from now on stacks have other ids. */
void session__set_loader(struct session *session, uint32_t slot, uint32_t loader);
/* What is known of the Go runtime in a slot. */
int session__set_go(struct session *session, uint32_t slot, const struct abi_go *go);
void session__remove_target(struct session *session, pid_t pid);
/* At so many live bytes of a slot a sweep is asked for, once. */
void session__set_heap_mark(struct session *session, uint32_t slot, int64_t bytes);
/* The same of its RSS; the most that it had at a time since it was watched, 0: not known. */
void session__set_rss_mark(struct session *session, uint32_t slot, int64_t pages);
int64_t session__rss_high(struct session *session, uint32_t slot);
/* The blocks of a slot. */
int session__heap(struct session *session, uint32_t slot, struct abi_heap *ret);
/* Start the RSS ledger of @pid, which was added, from the kernel's counters of now. */
int session__seed_rss(struct session *session, pid_t pid);
/*
 * The kernel's counters of a slot's address space, exact, at the start of its watch and now.
 * -ENOENT when it is not watched: no ledger, gone, or a vfork child that shares its parent's.
 */
int session__rss(struct session *session, uint32_t slot, struct abi_mm *ret);

/*
 * Probe @sites of one module, open as @module_fd, in @pid. The links are remembered
 * under (pid, module). The number of probes, or -errno with a message.
 */
int session__attach(struct session *session, pid_t pid, uint32_t slot, uint32_t module, int module_fd,
		    const struct probe_site *sites, size_t n, struct err *err);
bool session__is_attached(const struct session *session, pid_t pid, uint32_t module);
/*
 * Take the doors' probes of all processes out, and put them back: for bursts. Taking out does not wait for the kernel
 * to be done with them; what is attached in the meantime is put in with the rest. The number of probes, or -errno.
 */
void session__disarm(struct session *session);
int session__arm(struct session *session);
bool session__is_armed(const struct session *session);
/* Doors count until then (CLOCK_MONOTONIC, ns); UINT64_MAX: for ever. */
void session__set_window(struct session *session, uint64_t end_ns);
/* Take out all probes of @pid; where it has ended there is no hurry, and it costs no time here. */
void session__detach(struct session *session, pid_t pid, bool has_ended);

/* The maps, as descriptors that the session keeps. */
struct session_maps {
	int targets;
	int sites; /* outer */
	int sites_inner[2];
	int ring;
	int scratches;
	int slabs, rules, spaces, unwind_files; /* of stack walks by unwind tables: slabs.h */
	/* The types of the map that one slab is: kernels before 6.2 take no map in `slabs` without them. */
	int slab_btf; /* 0: without */
	uint32_t slab_key_type, slab_value_type;
	int blocks;
	int rss_totals; /* -1: rows of RSS are sites */
};
void session__maps(const struct session *session, struct session_maps *ret);
/* Counters in memory shared with the programs. */
uint64_t session__lost_scratch_busy(const struct session *session);
uint64_t session__lost_ring_full_proc(const struct session *session);
void session__reset_sites_used(struct session *session);
int session__ncpus(const struct session *session);

#endif
