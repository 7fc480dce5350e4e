/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scratch memory that nobody else writes while we use it.
 *
 * Programs need about 2 KiB of working memory, so it lives in a per-CPU map. But
 * a uprobe program is only kept from migrating, not from being preempted: another
 * thread can run the same program on the same CPU in its middle. From Linux 6.13
 * its BPF stack, too, is per CPU ("private stack") if it uses 64 bytes or more.
 *
 * Where the kernel has bpf_preempt_disable() (6.10) we hold preemption off for the
 * whole program, which guards both. Before, there are no private stacks, and a
 * program claims one of several scratch slots of its CPU by an atomic flag; none
 * free is a counted loss. Probes and tracepoints have slots of their own.
 */
#ifndef ALLOCSNOOP_GUARD_BPF_H
#define ALLOCSNOOP_GUARD_BPF_H

#include "maps.bpf.h"
#include "unwind.h"

#define BLOCK_BYTES 1024 /* of the user's stack, read at once */
#define SLOTS_PER_KIND 4

enum scratch_kind { SCRATCH_ALLOC, SCRATCH_TRACE, SCRATCH__N };

/* What a walk knows of the goroutine whose stack it may cross to (cgo.bpf.h). */
struct walk_go {
	__u64 stack_lo, stack_bytes; /* 0 bytes: it knows of none */
	__u64 cgocall_pc, cgocall_fp; /* where Go called the C code that is being walked; pc 0: it did not */
	__u32 in_c; /* C code is being walked, or the way from it into Go, which ends where C begins */
	__u32 seen_c; /* it has begun: Go code comes next where C was called from */
	__u32 on_stack; /* the walk is on the goroutine's stack */
};

/* Where a stack walk starts. */
struct walk_from {
	__u64 ip, sp, fp;
	__u64 ra; /* return address to the immediate caller; 0: it is at [sp] */
	__u32 flags; /* enum abi_stack_flag that is known before */
	__u32 pad;
	struct walk_go go;
};

/* A walk by unwind tables (unwind.bpf.h). */
struct walk_unwind {
	struct unwind_regs regs;
	struct abi_unwind_map map; /* the code that was looked up last; start == end: none */
	__u64 space; /* the list that the map is of; 0: of none, good for this walk only */
	__u64 current; /* the target's list as the walk began */
	__u64 pc; /* to look up */
	struct abi_unwind_rule rule;
	__u32 low, len; /* what is left to search */
	__u32 flags; /* enum abi_stack_flag of the frame that is being left */
	__u32 n; /* frames so far */
	__u64 hash; /* of them */
	__u64 hidden; /* struct return_instance * whose return address is met next; 0: none */
	__u64 hidden_at, hidden_ra; /* where on the stack, and what stood there */
};

/* What a Go door was called with; the first three arguments of another function. */
struct go_args {
	__u64 size, type;
	__u64 g;
	__u64 third;
};

/* A pprof label as the program has it: two Go strings. */
struct label_words {
	__u64 key, key_len, value, value_len;
};

/* A sampled object of Go's heap that has no address yet (live_go.bpf.h). */
struct waiting {
	__u64 stack_id, context_id, bytes;
	__u64 span, freeindex; /* of its class in the mcache, when the door was entered */
	__u32 spanclass;
	__u32 image;
};

/*
 * The door that a goroutine came through last; places are shared by what hashes alike. Two CPUs can write one
 * at once: half of one note and half of another has no check that fits.
 */
struct door_note {
	__u64 check; /* door_check() of live_go.bpf.h */
	__u64 bytes;
	__u64 stack_id, context_id;
};

/* The mapping of an address, as it was looked up last (area.bpf.h). */
struct area {
	__u64 mm; /* struct mm_struct * that it is of; 0: of none */
	__u32 seq; /* and when */
	__u32 is_brk; /* it is the heap of brk() */
	__u64 noted; /* of which part of it was last noted what it is for */
	__u64 start, end, flags;
	__u64 file; /* struct file *; 0: none */
	__u64 words[4]; /* of the user's memory */
};

/* A span of Go's objects, as it was looked up last (span_go.bpf.h). */
struct go_span {
	__u64 base; /* 0: none */
	__u64 span, npages; /* its runtime.mspan */
};

struct scratch {
	struct abi_stats stats; /* first: user space reads it (abi.h) */
	__u32 busy;
	__u32 index; /* of this slot */
	__u64 start_ns; /* 0: this run is not timed */
	struct walk_from from;
	struct walk_unwind unwind;
	struct go_args go;
	__u64 bytes; /* that a Go allocation is charged */
	__u32 room; /* enum abi_door: the kind of Go allocation */
	__u32 has_g; /* s->g is filled */
	struct label_words label;
	struct abi_rec_object object;
	struct waiting waiting;
	struct door_note door;
	struct abi_rec_proc proc;
	struct abi_rec_mmap mmap;
	struct abi_rec_cause cause;
	struct abi_rec_touch touch;
	struct abi_rec_door returned;
	struct abi_rec_freed freed;
	struct area area;
	struct go_span span;
	struct abi_site_key key;
	struct abi_site fresh; /* an all-zero site to insert */
	struct abi_rec_stack rec;
	__u64 block_addr; /* what of the user's stack the block holds */
	__u32 block_len;
	__u32 pad2;
	struct abi_rec_context context;
	__u8 block[BLOCK_BYTES + 16];
	__u64 kernel[ABI_MAX_KERNEL_FRAMES]; /* its stack */
	__u8 g[512 + 8]; /* the start of the goroutine's runtime.g; ABI_GO_G_BYTES are filled */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SCRATCH__N * SLOTS_PER_KIND);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

/*
 * The rules that were looked up last, by a hash of the code address: stacks come again and again, and a rule that
 * is remembered costs a tenth of one that is searched. Beside the slot that they belong to, which user space
 * reads often.
 */
#define REMEMBERED_RULES 512 /* a power of two */

struct remembered_rule {
	__u64 pc, space; /* looked up in this list */
	struct abi_unwind_rule rule;
	__u32 pad;
};

struct remembered {
	struct remembered_rule rules[REMEMBERED_RULES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SCRATCH__N * SLOTS_PER_KIND);
	__type(key, __u32);
	__type(value, struct remembered);
} remembered SEC(".maps");

extern void bpf_preempt_disable(void) __ksym __weak;
extern void bpf_preempt_enable(void) __ksym __weak;

/*
 * Scratch for this run; NULL (counted) when all are taken. Every program body
 * stands between guard_enter() and guard_exit(), also when the first gave NULL.
 */
static __always_inline struct scratch *guard_enter(enum scratch_kind kind)
{
	__u32 index = kind * SLOTS_PER_KIND;
	struct scratch *s;

	if (bpf_preempt_disable) {
		bpf_preempt_disable();
		s = bpf_map_lookup_elem(&scratches, &index);
		if (s)
			s->index = index;
		return s;
	}
	for (int i = 0; i < SLOTS_PER_KIND; i++, index++) {
		s = bpf_map_lookup_elem(&scratches, &index);
		if (s && !__sync_fetch_and_or(&s->busy, 1)) {
			s->index = index;
			return s;
		}
	}
	__sync_fetch_and_add(&lost_scratch_busy, 1);
	return NULL;
}

static __always_inline void guard_exit(struct scratch *s)
{
	if (bpf_preempt_disable) {
		bpf_preempt_enable();
	} else if (s) {
		barrier(); /* nothing of ours behind this store */
		*(volatile __u32 *)&s->busy = 0;
	}
}

/* No atomics: the slot is ours until guard_exit(). */
static __always_inline void stat_add(struct scratch *s, enum abi_stat id, __u64 n)
{
	s->stats.v[id] += n;
}

static __always_inline bool read_word(__u64 *ret, __u64 addr)
{
	return !bpf_probe_read_user(ret, sizeof(*ret), (void *)addr);
}

/* Of the runtime.g that was read into s->g. */
static __always_inline __u64 g_word(const struct scratch *s, __u16 off)
{
	return *(__u64 *)(s->g + (off & 511));
}

#endif
