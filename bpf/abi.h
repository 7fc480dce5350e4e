/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the BPF programs and user/capture/ say to each other: the only file that
 * both worlds include. Fixed-width types, explicit padding, asserted sizes.
 *
 * Vocabulary
 *   target   one traced process (thread group); it has a slot in the array map
 *            `targets`, and every uprobe of it carries the slot in its cookie.
 *   site     one row of the counts: (target, source, stack, context, detail).
 *   context  what an allocation has besides its stack: the type, the go statement that
 *            made its goroutine, the goroutine's pprof labels.
 *   image    number of the target's exec since it became one: another address space.
 *   loader   number of times that user space found other code mapped where code had
 *            been (dlclose and dlopen). Image and loader are hashed into the stack id,
 *            so that equal addresses before and after are different stacks.
 *   stack id 64-bit hash over a per-run seed, slot, tgid, image, loader and the frames.
 *   context id  the same over slot, tgid, image and what makes up the context.
 */
#ifndef ALLOCSNOOP_BPF_ABI_H
#define ALLOCSNOOP_BPF_ABI_H

#ifdef __bpf__
#include "vmlinux.h"
#else
#include <linux/types.h>
#endif

#define ABI_MAX_FRAMES 127 /* kernel.perf_event_max_stack's own limit */
#define ABI_MAX_KERNEL_FRAMES 48 /* of these, the kernel's, if they are asked for */
#define ABI_MAX_TARGETS 4096
#define ABI_MAX_THREADS 65536
#define ABI_RSS_MAX_CPUS 512 /* possible CPUs up to which the verifier follows the sums of RSS counters */
#define ABI_RING_BYTES (4u << 20)
#define ABI_BLOCKS (4u << 20) /* of the C allocator that can be followed, unless told otherwise */

enum abi_source {
	ABI_SOURCE_GO,
	ABI_SOURCE_MALLOC,
	ABI_SOURCE_RSS,
};

/* Members of mm->rss_stat, in the order of enum { MM_FILEPAGES, ... } of linux/mm_types_task.h. */
enum { ABI_RSS_FILE, ABI_RSS_ANON, ABI_RSS_SWAP, ABI_RSS_SHMEM, ABI_RSS__N };

/* What was added and what was given back are sites of their own. */
#define ABI_RSS_DETAIL(member, released) ((member) | ((released) ? ABI_RSS__N : 0))
#define ABI_RSS_MEMBER(detail) ((detail) & (ABI_RSS__N - 1))
#define ABI_RSS_DETAIL__N (2 * ABI_RSS__N)

/* What pages are for; the context of a site of ABI_SOURCE_RSS. */
enum abi_area {
	ABI_AREA_UNKNOWN,
	ABI_AREA_FILE,
	ABI_AREA_SHARED, /* with other processes: shared memory, tmpfs */
	ABI_AREA_FILE_COPY, /* private copies of a file's pages: data of a program, breakpoints */
	ABI_AREA_STACK, /* the main thread's, or the mapping that the thread's stack pointer is in */
	ABI_AREA_C_HEAP, /* brk, arenas of malloc */
	ABI_AREA_GO_ARENA, /* where Go's arenas lie, if it is Go, and none of the following two */
	ABI_AREA_GO_STACK, /* a span of goroutine stacks */
	ABI_AREA_GO_WORK, /* a span that the collector works with */
	ABI_AREA_ANON, /* mapped, and no file */
	ABI_AREA__N,
};

/*
 * Without stacks there is a row for each kind and area, of the targets in the first slots; the
 * others' are sites like those of stacks. Each CPU counts for itself, from the beginning on: nobody takes anything out.
 */
#define ABI_RSS_TOTALS_SLOTS 64
#define ABI_RSS_TOTAL(detail, area) ((detail) * ABI_AREA__N + (area))

struct abi_rss_totals {
	__s64 pages[ABI_RSS_DETAIL__N * ABI_AREA__N]; /* of ABI_RSS_TOTAL(); negative where they were given back */
};

/*
 * What an object of Go was put into, the detail of a site where bursts are scaled by the runtime's own counts: the number
 * of its size class, or one of these.
 */
#define ABI_GO_ROOM_SHARED 0 /* a block of the tiny allocator that was there */
#define ABI_GO_ROOM_LARGE 68 /* pages of its own */
#define ABI_GO_ROOM__N 69

struct abi_site_key {
	__u64 stack_id;
	__u64 context_id; /* 0: none is known; ABI_SOURCE_RSS: enum abi_area */
	__u32 tgid;
	__u16 source; /* enum abi_source */
	__u16 detail; /* ABI_SOURCE_RSS: ABI_RSS_DETAIL(); ABI_SOURCE_GO: ABI_GO_ROOM, in bursts; else 0 */
};

struct abi_site {
	__u64 objects;
	__s64 bytes; /* Go: rounded to the slot as the runtime charges it; RSS: pages, negative if they were given back */
	__u64 requested_bytes;
	__u32 sent; /* the stack's frames and the context are on the ring, or were before */
	__u32 goroutines; /* that had not been seen to allocate before, anywhere */
	/* ABI_SOURCE_MALLOC, when every block is followed: what was given back, and what came to the table less what left it. */
	__u64 free_objects, free_bytes;
	__s64 live_objects, live_bytes;
};

/* A live block of the C allocator, in the map `blocks`. */
struct abi_block_key {
	__u64 addr;
	__u32 slot;
	__u32 image;
};

struct abi_block {
	__u64 stack_id;
	__u64 bytes; /* that were asked for */
	__u64 time_ns; /* CLOCK_MONOTONIC */
};

/* The blocks of a target, by slot in the map `heaps`. */
struct abi_heap {
	__s64 live_bytes, high_bytes; /* now, and the most there ever was */
};

_Static_assert(sizeof(struct abi_block_key) == 16, "abi");
_Static_assert(sizeof(struct abi_block) == 24, "abi");
_Static_assert(sizeof(struct abi_heap) == 16, "abi");

_Static_assert(sizeof(struct abi_site_key) == 24, "abi");
_Static_assert(sizeof(struct abi_site) == 64, "abi");

/*
 * A hash has its top bit set; other stack ids are reserved, all for RSS. OTHERS: another
 * task than the target changed the target's counter (reclaim, khugepaged, ...).
 */
#define ABI_STACK_OTHERS 1
#define ABI_STACK_EXEC 2 /* what a new image had when it began; what was left of the old one */
#define ABI_STACK_EXIT 3 /* what the process still had when it ended */
#define ABI_STACK_NONE 4 /* the process, where nobody wants to know at which place */
/* This bit without the top bit: another task, of which there is a record (ABI_REC_CAUSE). */
#define ABI_STACK_CAUSE (1ULL << 62)

/* Records on the ring; each starts with struct abi_rec. */
enum abi_rec_kind {
	ABI_REC_STACK = 1,
	ABI_REC_CONTEXT,
	ABI_REC_SAMPLE,
	ABI_REC_FREE,
	ABI_REC_GC, /* Go's collector is about to mark: all spans are swept, and none will be until it has marked */
	ABI_REC_EXEC,
	ABI_REC_FORK,
	ABI_REC_EXIT,
	ABI_REC_MAPS, /* the dynamic loader is about to change the mappings, or has */
	ABI_REC_SWEEP, /* the site map is filling up: sweep now */
	ABI_REC_MMAP, /* the target mapped address space, or gave some back */
	ABI_REC_CAUSE, /* a task that changed the RSS of a target and is none of its threads */
	ABI_REC_TOUCH, /* a thread of the target made pages resident */
	ABI_REC_DOOR, /* an allocation that did so itself has returned */
	ABI_REC_FREED, /* a block that pages may have come for was given back */
};

struct abi_rec {
	__u32 kind; /* enum abi_rec_kind */
	__u32 tgid;
};

enum abi_stack_flag {
	ABI_STACK_TRUNCATED = 1, /* deeper than ABI_MAX_FRAMES */
	ABI_STACK_UNREADABLE = 2, /* a page of the stack was not resident */
	ABI_STACK_BAD_FP = 4, /* the register or word in a frame pointer's place was none */
	ABI_STACK_LEAF_GUESS = 8, /* frames[1] is the word at [sp]: a caller only if frames[0] has no frame of its own */
	/* How it was walked. */
	ABI_STACK_BY_CHAIN = 16, /* some frames by frame pointers */
	ABI_STACK_BY_TABLE = 32, /* some frames by unwind tables */
	ABI_STACK_NO_RULE = 64, /* it ended where a table says nothing; enum abi_unwind_cause from ABI_STACK_CAUSE_SHIFT on */
	ABI_STACK_LOOP = 128, /* the caller's frame would lie below its own */
	ABI_STACK_TO_END = 256, /* it reached the thread's first frame, by a table's word */
	ABI_STACK_NO_TABLE = 512, /* a frame's code is not Go's and has no table, or none yet */
};

#define ABI_STACK_CAUSE_SHIFT 12

struct abi_rec_stack {
	struct abi_rec rec;
	__u64 stack_id;
	__u32 image;
	__u8 nframes;
	__u8 nkernel; /* frames of the kernel, behind the nframes of the process; innermost first, too */
	__u16 flags; /* enum abi_stack_flag */
	/* frames[0] is the probed or faulting instruction, the others return addresses. */
	__u64 frames[ABI_MAX_FRAMES + 1];
};

/*
 * Added to a return address that was found without the frames before it: what is wrong
 * with those says nothing of this one and the next.
 */
#define ABI_FRAME_CERTAIN (1ULL << 63)

/* Added to an address that an unwind table led to: nobody needs to judge it. */
#define ABI_FRAME_BY_TABLE (1ULL << 62)
/* Added to one that is not behind a call: where a signal came. */
#define ABI_FRAME_EXACT (1ULL << 61)
#define ABI_FRAME_FLAGS (7ULL << 61)

#define ABI_REC_STACK_BYTES(nframes) (__builtin_offsetof(struct abi_rec_stack, frames) + (nframes) * 8)

/*
 * Unwind tables (user/unwind/): for each code address of a module, how to find its caller. A table is cut into
 * pages of 64 KiB of code; a row is `address in the page << 16 | number of its rule`, holds up to the next
 * row, and every page begins with one at address 0. Rules are shared: a program of some
 * megabytes has a few hundred.
 *
 * CFA, the canonical frame address (DWARF 5, 6.4): the stack pointer of the caller after the call
 * returned; on x86-64 the return address is right below it.
 */
#define ABI_UNWIND_PAGE_SHIFT 16
#define ABI_UNWIND_ROW(addr, rule) (((__u32)(addr) & 0xffff) << 16 | ((__u32)(rule) & 0xffff))
#define ABI_UNWIND_MAX_RULES 65536

enum abi_cfa {
	ABI_CFA_NONE, /* not known; cfa_off is an enum abi_unwind_cause */
	ABI_CFA_SP, /* sp + cfa_off */
	ABI_CFA_FP, /* fp + cfa_off */
	ABI_CFA_SP_DEREF, /* word at sp + cfa_off, + cfa_add */
	ABI_CFA_FP_DEREF, /* word at fp + cfa_off, + cfa_add */
	ABI_CFA_CHAIN, /* code that keeps frame pointers: Go */
	ABI_CFA_SIGNAL, /* the kernel's signal frame lies at sp */
	ABI_CFA_END, /* a thread's first frame: it has no caller */
};

/* Where the caller's frame pointer is. */
enum abi_fp_rule {
	ABI_FP_SAME, /* still in its register */
	ABI_FP_AT_CFA, /* at CFA + fp_off */
	ABI_FP_AT_FP, /* at fp + fp_off */
	ABI_FP_AT_SP, /* at sp + fp_off */
	ABI_FP_UNKNOWN, /* lost, or in a place that no rule here can say */
};

/* Why a rule says nothing. */
enum abi_unwind_cause {
	ABI_UNWIND_GAP, /* no unwind information covers the code */
	ABI_UNWIND_REGISTER, /* the CFA hangs on another register than sp and fp */
	ABI_UNWIND_EXPRESSION, /* a DWARF expression that no rule here can say */
	ABI_UNWIND_RETURN_ADDRESS, /* the return address is not where calls put it */
	ABI_UNWIND_MALFORMED, /* unwind information that contradicts itself or ends early */
	ABI_UNWIND_TOO_MANY, /* more rules or rows than are kept */
	ABI_UNWIND__N,
};

struct abi_unwind_rule {
	__u8 cfa; /* enum abi_cfa */
	__u8 fp; /* enum abi_fp_rule */
	__s16 cfa_add;
	__s32 cfa_off;
	__s32 fp_off;
};

_Static_assert(sizeof(struct abi_unwind_rule) == 12, "abi");

/*
 * Where tables are: in slabs, which user space adds as they are needed. A place counts words of four bytes
 * through all slabs; nothing that is looked up at once lies in two. Place 0 is never given away.
 */
#define ABI_SLAB_SHIFT 18
#define ABI_SLAB_BYTES (1u << ABI_SLAB_SHIFT)
#define ABI_SLAB_WORDS (ABI_SLAB_BYTES / 4)
#define ABI_SLAB_TAIL_BYTES 64 /* behind the last word: what is read from there may be longer */
#define ABI_MAX_SLABS 1024

/* Where the rows of 64 KiB of code are. */
struct abi_unwind_page {
	__u32 rows; /* place */
	__u32 nrows; /* at most ABI_SLAB_WORDS */
};

/* How the stacks of code are walked. */
enum abi_code {
	ABI_CODE_UNKNOWN, /* no table: as if it kept frame pointers, which user space doubts */
	ABI_CODE_CHAIN, /* it keeps frame pointers, for sure: Go */
	ABI_CODE_TABLE,
	ABI_CODE_FRAME, /* its frame has a fixed size, and it leaves the frame pointer alone */
};

struct abi_unwind_module {
	__u64 base; /* ELF vaddr of the table's first page; ABI_CODE_FRAME: bytes from the stack pointer to the CFA */
	__u32 pages; /* place of its struct abi_unwind_page */
	__u32 npages;
	__u32 code; /* enum abi_code */
	__u32 pad;
};

/* Code of an address space; the list of a target is ascending, in a slab. */
struct abi_unwind_map {
	__u64 start, end;
	__u64 bias; /* address - ELF vaddr */
	struct abi_unwind_module mod;
};

#define ABI_MAX_MAPS 4096 /* of a target; the code in others has no table */

/*
 * Of a target, by slot: the place of the first of its maps and how many there are, in one word, so that it changes
 * at once; with the number of the change, so that no two lists have the same word, though they may have the same place.
 * 0: no unwind tables are used. Without maps: none is known yet, the kernel is asked.
 */
#define ABI_SPACE_LEN_BITS 13
#define ABI_SPACE(place, n, change) ((__u64)(place) << 32 | 1u << 31 | ((change) & 0x3ffff) << ABI_SPACE_LEN_BITS | (n))
#define ABI_SPACE_PLACE(space) ((__u32)((space) >> 32))
#define ABI_SPACE_LEN(space) ((__u32)(space) & ((1u << ABI_SPACE_LEN_BITS) - 1))
_Static_assert(ABI_MAX_MAPS < 1 << ABI_SPACE_LEN_BITS, "abi");

_Static_assert(sizeof(struct abi_unwind_page) == 8, "abi");
_Static_assert(sizeof(struct abi_unwind_map) == 48 && sizeof(struct abi_unwind_map) <= ABI_SLAB_TAIL_BYTES, "abi");

/* What a file is known by to the kernel, as in /proc/PID/maps. */
struct abi_file_key {
	__u64 inode;
	__u32 dev; /* MKDEV(major, minor): major << 20 | minor */
	__u32 pad;
};

/* A file whose table is loaded, by its key; for code that is in no list yet. */
#define ABI_MAX_SEGMENTS 8
#define ABI_MAX_UNWIND_FILES 16384

struct abi_unwind_file {
	struct abi_unwind_module mod;
	__u32 nsegments;
	__u32 pad;
	struct {
		__u64 file_off, end_off; /* of an executable segment, whole pages */
		__u64 vaddr; /* of file_off */
	} segments[ABI_MAX_SEGMENTS];
};

/*
 * A pprof label (runtime/pprof.Do) of a goroutine, cut where it is longer; the lengths are what the
 * program says, and not to be believed.
 */
#define ABI_MAX_LABELS 8
#define ABI_LABEL_KEY_BYTES 40
#define ABI_LABEL_VALUE_BYTES 72

struct abi_label {
	__u64 key_len, value_len;
	char key[ABI_LABEL_KEY_BYTES];
	char value[ABI_LABEL_VALUE_BYTES];
};

struct abi_rec_context {
	struct abi_rec rec;
	__u64 context_id;
	__u64 type; /* address of the type's descriptor; 0: the allocator was given none */
	__u64 gopc; /* behind the call in the go statement that made the goroutine; 0: no goroutine */
	__u32 image;
	__u16 nlabels;
	__u16 more_labels; /* there are others, not told */
	struct abi_label labels[ABI_MAX_LABELS];
};

#define ABI_REC_CONTEXT_BYTES(nlabels) \
	(__builtin_offsetof(struct abi_rec_context, labels) + (nlabels) * sizeof(struct abi_label))

/* SAMPLE: an object on Go's heap to be followed. FREE: one that the memory profile had sampled was freed. */
struct abi_rec_object {
	struct abi_rec rec;
	__u64 addr;
	__u64 bytes; /* of its slot */
	__u64 stack_id, context_id; /* SAMPLE */
	__u64 span; /* SAMPLE: its runtime.mspan (ABI_GO_LIVE_MARKS); FREE: its runtime.bucket */
	__u32 sweepgen; /* of the span */
	__u32 image;
};

/* A sampled object that has no address yet: key of the map `waiting`. */
#define ABI_MAX_WAITING 16384

struct abi_waiting_key {
	__u64 at; /* the mcache; of a large object the goroutine */
	__u32 slot;
	__u32 is_large;
};

struct abi_rec_proc { /* EXEC, FORK, EXIT, MAPS, GC */
	struct abi_rec rec;
	__u32 child_tgid; /* FORK */
	__u32 exit_code; /* EXIT: as in task_struct.exit_code (wait status) */
	__u32 leader_changed; /* EXEC by a thread that was not the leader */
	__u32 image; /* EXEC: the new one's number */
	__u64 cpu_ns; /* EXIT: of the whole process */
	char comm[16]; /* EXEC */
};

/* A call that has succeeded, as the program made it and as the kernel answered. */
enum abi_mmap_call {
	ABI_MMAP_MAP, /* mmap() */
	ABI_MMAP_UNMAP, /* munmap() */
	ABI_MMAP_REMAP, /* mremap() */
	ABI_MMAP_BRK, /* brk() */
};

struct abi_rec_mmap {
	struct abi_rec rec;
	__u32 call; /* enum abi_mmap_call */
	__u32 image;
	__u64 ns; /* when it was done: CLOCK_MONOTONIC */
	__u64 stack_id; /* 0: not looked at, it cannot have mapped anything that is wanted */
	__u64 addr, len; /* MAP, UNMAP, REMAP: what it is about now; BRK: addr is the new end of the heap */
	__u64 old_addr, old_len; /* REMAP: where it was; BRK: old_addr is the beginning of the heap */
	__u64 flags; /* MAP, REMAP */
	__u32 tid;
	__u32 pad;
};

/* What a call is recognised by, of its thread, before it has returned. */
static inline __u64 abi_touch_call(__u32 call, __u64 addr, __u64 len)
{
	return (call == ABI_MMAP_BRK ? addr : len) << 2 | call;
}

enum abi_cause {
	ABI_CAUSE_KERNEL, /* a thread of the kernel */
	ABI_CAUSE_WORKER, /* of io_uring or vhost, for the target */
	ABI_CAUSE_PROCESS, /* another process */
};

struct abi_rec_cause {
	struct abi_rec rec; /* tgid: of that task */
	__u64 stack_id;
	__u32 task; /* enum abi_cause */
	__u32 pad;
	char comm[16];
};

/* What is known of the memory that was touched. */
enum abi_touch {
	ABI_TOUCH_ADDR, /* where: .at is the address, to the byte */
	ABI_TOUCH_DOOR, /* by the allocator itself: .at is a number that the record of its return has, too */
	ABI_TOUCH_CALL, /* by the system call that maps it: .at is what abi_touch_call() says of it */
};

struct abi_rec_touch {
	struct abi_rec rec;
	__u64 stack_id;
	__u64 at;
	__u64 ns; /* CLOCK_MONOTONIC */
	__u32 image;
	__u32 tid;
	__u64 span_stack_id; /* of the allocation that took the span of Go's heap; 0: not known, or there is none. Else: */
	__u64 span_start, span_bytes; /* where that lies: a large folio holds others, too */
	__u32 pages; /* of a fault that brought several: a large folio, or a file's pages around it */
	__u8 member; /* of mm->rss_stat */
	__u8 area; /* enum abi_area */
	__u8 how; /* enum abi_touch */
	__u8 span_is_object; /* that allocation is all of the span; else of one of its objects */
};

struct abi_rec_door {
	struct abi_rec rec;
	__u64 door; /* as in the touches before it */
	__u64 stack_id; /* that is charged with the allocation; 0: none, it failed or is not wanted */
	__u32 image;
	__u32 tid;
};

/* Blocks smaller than that are not told of: their pages are mostly others', too. */
#define ABI_FREED_MIN_BYTES 4096

struct abi_rec_freed {
	struct abi_rec rec;
	__u64 addr;
	struct abi_block block;
	__u64 ns; /* when it was given back */
	__u32 image;
	__u32 pad;
};

_Static_assert(sizeof(struct abi_rec_touch) == 72, "abi");
_Static_assert(sizeof(struct abi_rec_door) == 32, "abi");
_Static_assert(sizeof(struct abi_rec_freed) == 56, "abi");
_Static_assert(sizeof(struct abi_rec_cause) == 40, "abi");
_Static_assert(sizeof(struct abi_rec_mmap) == 80, "abi");
_Static_assert(sizeof(struct abi_label) == 128, "abi");
_Static_assert(sizeof(struct abi_rec_context) == 40 + 128 * ABI_MAX_LABELS, "abi");
_Static_assert(sizeof(struct abi_rec_stack) == 24 + 8 * (ABI_MAX_FRAMES + 1), "abi");
_Static_assert(sizeof(struct abi_rec_object) == 56, "abi");
_Static_assert(sizeof(struct abi_waiting_key) == 16, "abi");
_Static_assert(sizeof(struct abi_rec_proc) == 48, "abi");

/*
 * The cookie of a uprobe: slot, what kind of instruction it sits on, and which
 * door it is. Cookie bits 0-15 slot, 16-23 flags, 24-31 enum abi_door.
 */
enum abi_spot_flag {
	ABI_SPOT_RA_AT_SP = 1, /* return address at [sp], frame pointer still the caller's */
	ABI_SPOT_STACK_CHECK = 2, /* a jbe after Go's stack check: taken means the function starts again */
	ABI_SPOT_STEPPED = 4, /* the kernel single-steps this instruction: a dear trap */
	ABI_SPOT_GO_STACK_ARGS = 8, /* Go before 1.17: arguments on the stack */
	ABI_SPOT_MAY_THROW = 16, /* the door's end is seen at its return instructions, unless it throws */
};

enum abi_door {
	ABI_DOOR_GO_MALLOC, /* (size, type, ...): any allocation; what is charged follows from size and type */
	ABI_DOOR_GO_DISPATCH, /* the same, but sizes up to go.forward_max go on to a door of their own */
	/* Doors that the runtime's own dispatch leads to: what is charged follows from the door, too. */
	ABI_DOOR_GO_TINY, /* a share of a block of 16 bytes */
	ABI_DOOR_GO_SMALL, /* the size class */
	ABI_DOOR_GO_HEADER, /* the size class with a header */
	ABI_DOOR_GO_LARGE, /* pages */
	ABI_DOOR_MALLOC, /* (size) */
	ABI_DOOR_CALLOC, /* (n, size) */
	ABI_DOOR_REALLOC, /* (ptr, size) */
	ABI_DOOR_REALLOCARRAY, /* (ptr, n, size) */
	ABI_DOOR_POSIX_MEMALIGN, /* (&ptr, align, size) returns errno */
	ABI_DOOR_MEMALIGN, /* (align, size) */
	ABI_DOOR_FREE, /* (ptr, ...) */
};

#define ABI_COOKIE(slot, spot, door) ((__u64)(slot) | (__u64)(spot) << 16 | (__u64)(door) << 24)
#define ABI_COOKIE_SLOT(cookie) ((__u32)(cookie) & 0xffff)
#define ABI_COOKIE_SPOT(cookie) ((__u32)((cookie) >> 16) & 0xff)
#define ABI_COOKIE_DOOR(cookie) ((__u32)((cookie) >> 24) & 0xff)

/*
 * What a probe must know of a Go runtime: where a goroutine keeps who created it and
 * its labels; to charge an allocation as the runtime does, where the mcache's tiny block
 * is, and the size classes; to follow objects, the runtime's spans and specials.
 */
#define ABI_GO_SMALL_MAX 1024
#define ABI_GO_CLASS_MAX 32768
#define ABI_GO_PAGE_BYTES 8192
#define ABI_GO_ARENA_SHIFT 26 /* heapArenaBytes, runtime/malloc.go, on Linux with 64-bit words */
#define ABI_MAX_GO_SPANS 131072 /* of which it is known who had them taken */
#define ABI_GO_G_BYTES 384 /* of a runtime.g, read at once: what is needed lies below */

/* How objects are followed to see which of them stay. */
enum abi_go_live {
	ABI_GO_LIVE_OFF,
	ABI_GO_LIVE_PROFILER, /* the objects that the runtime's memory profile samples; it tells when they are freed */
	ABI_GO_LIVE_MARKS, /* objects that we sample; user space looks at their mark bits */
};

/*
 * The chance, of 2^32, that an object of @bytes is sampled when one byte in @mean_bytes is (1 to 2^24):
 * 1 - exp(-bytes / mean). Both sides compute it here, so that the weight of a sample is its exact inverse.
 */
static inline __u64 abi_sample_chance(__u64 bytes, __u64 mean_bytes)
{
	__u64 x, x2, x3, p, k = 0;

	if (bytes >= 16 * mean_bytes)
		return 1ULL << 32;
	x = (bytes << 32) / mean_bytes;
	/* The series for small x; 1 - (1 - p)^2 is the chance of twice the bytes. */
	for (int i = 0; i < 8; i++) {
		if (x > 1ULL << 29) {
			x >>= 1;
			k++;
		}
	}
	x2 = x * x >> 32;
	x3 = x2 * x >> 32;
	p = x - x2 / 2 + x3 / 6;
	for (__u64 i = 0; i < 8; i++)
		if (i < k)
			p = 2 * p - (p * p >> 32);
	return p;
}

/* What g.labels points at (runtime/pprof/label.go). */
enum abi_go_labels {
	ABI_GO_LABELS_UNKNOWN,
	ABI_GO_LABELS_MAP, /* a variable that holds a *hmap of map[string]string; up to 1.23 */
	ABI_GO_LABELS_LIST, /* a []label of two strings each */
};

/*
 * The place of a size in the tables of size classes: one for every 8 bytes up to 1024 and one for every 128
 * above, like size_to_class8 and size_to_class128 of runtime/sizeclasses.go. The last place is empty, and that
 * of all sizes that are of no class.
 */
#define ABI_GO_SIZES 512 /* a power of two: a mask keeps any index inside */
_Static_assert(ABI_GO_SMALL_MAX / 8 + (ABI_GO_CLASS_MAX - ABI_GO_SMALL_MAX) / 128 < ABI_GO_SIZES - 1, "abi");

static inline __u64 abi_go_size_index(__u64 bytes)
{
	if (bytes <= ABI_GO_SMALL_MAX - 8)
		return (bytes + 7) >> 3;
	if (bytes > ABI_GO_CLASS_MAX)
		return ABI_GO_SIZES - 1;
	return ABI_GO_SMALL_MAX / 8 + ((bytes - ABI_GO_SMALL_MAX + 127) >> 7);
}

struct abi_go {
	__u16 g_m, m_p, p_mcache, mcache_tiny, mcache_tinyoffset; /* byte offsets; g_m 0: unknown */
	__u16 header_min; /* scan objects larger than this carry a header of 8 bytes (0: none do) */
	__u16 forward_max; /* ABI_DOOR_GO_DISPATCH: larger sizes only */
	__u16 g_goid, g_gopc, g_labels; /* g_gopc 0: unknown */
	__u16 g_secret; /* int32: tiny objects get slots of their own while it is not 0; 0: no such field */
	__u16 m_g0, m_curg;
	__u16 labels; /* enum abi_go_labels */
	__u16 live; /* enum abi_go_live; changes while probes are armed */
	__u16 mcache_alloc, mspan_start_addr, mspan_elemsize, mspan_spanclass;
	__u16 mspan_freeindex, mspan_sweepgen, mspan_alloc_bits;
	__u16 freeindex_bytes; /* its width: 2 or 8 */
	__u16 special_kind, special_kind_profile, specialprofile_b;
	__u16 profile_malloc_has_mp; /* mProf_Malloc(mp, p, size), not (p, size) */
	__u16 mspan_npages;
	__u16 mspan_state; /* a byte */
	__u16 mspan_in_use; /* its value for a span of objects */
	__u32 arena_spans; /* from a runtime.heapArena to its table of spans */
	__u32 sample_bytes; /* ABI_GO_LIVE_MARKS: one sample in so many bytes, on average */
	/* By abi_go_size_index() of a size: bytes of its slot, and the number of the size class. */
	__u16 slot[ABI_GO_SIZES];
	__u8 class[ABI_GO_SIZES];
	/* How Go calls C and is called back (bpf/cgo.bpf.h). */
	__u64 cgocall; /* address of runtime.cgocall in the process; 0: Go calls no C, or it is not known how */
	__u32 cgocall_bytes; /* of its code */
	__s32 tls_g; /* from the thread pointer to the variable that holds g */
	__u16 g_syscallsp, g_syscallpc; /* the place of cgocall while C runs; sp 0: it does not */
	__u16 cgocall_frame; /* bytes from cgocall's SP to its return address */
	__u16 callback_frame; /* bytes from cgocallback's SP to that of the cgocall below it */
	__u64 arena_map; /* address of the array of pointers to the arenas' runtime.heapArena; 0: not known */
	__u64 heap_start; /* of the first arena; 0: where Go asks for it first (from 1.26 on anywhere: randomizedheapbase64) */
};

_Static_assert(sizeof(struct abi_go) % 8 == 0, "abi");

/* Written by user space once; after that by the programs. */
struct abi_target {
	__u32 tgid, slot;
	__u32 image;
	__u32 pad;
	__u64 mm; /* struct mm_struct *, a key of the map `mms`; 0: not watched */
	__u64 touch_ns; /* when pages came last that were told of */
};

/* An address space whose counters are watched. */
struct abi_mm {
	__u32 slot;
	__u32 pad;
	__s64 start_pages[ABI_RSS__N]; /* when the watch began */
	__s64 pages[ABI_RSS__N]; /* after the newest change: start_pages and all that sites were told */
	__s64 claimed_pages[ABI_RSS__N]; /* of the shared count, as far as sites were told */
	__u64 parts[ABI_RSS__N]; /* per-CPU pointers to the CPUs' parts of the counts */
};

/*
 * Counters: the first member of every value of the per-CPU map `scratches`; a total is the sum over its
 * entries and CPUs. Those from ABI_STAT_LOST on are losses and appear in every report.
 */
enum abi_stat {
	ABI_STAT_HITS, /* uprobe hits at instructions that the kernel emulates */
	ABI_STAT_HITS_STEPPED, /* at single-stepped ones */
	ABI_STAT_HITS_RETURN, /* uretprobe hits */
	ABI_STAT_HITS_RSS, /* rss_stat events of a target */
	ABI_STAT_TIMED, /* uprobe runs whose duration was taken */
	ABI_STAT_TIMED_NS,
	ABI_STAT_TIMED_RSS, /* the same for rss_stat */
	ABI_STAT_TIMED_RSS_NS,
	ABI_STAT_HITS_MMAP, /* calls of a target that change its address space */
	ABI_STAT_TIMED_MMAP, /* the same for them */
	ABI_STAT_TIMED_MMAP_NS,
	ABI_STAT_RESTARTED, /* Go doors that went to grow the stack and will start again: not a loss */
	ABI_STAT_FREE_BEFORE, /* blocks given back whose allocation was not seen: not a loss */
	ABI_STAT_TOUCH_UNTOLD, /* pages whose allocation is not looked for: the ring was full */
	ABI_STAT_TOUCH_SPANS, /* spans of Go of which it is not known who had them taken: the ring was full, or the like */
	ABI_STAT_FREE_MISSED, /* blocks whose address was handed out again: that they were given back was not seen */
	ABI_STAT_OUTSIDE, /* hits at doors when no burst was: they cost, and count for nothing */
	ABI_STAT_BURST_ENDED, /* C doors whose return came when the burst of their entry had ended: not a loss */
	ABI_STAT_LOST, /* first loss */
	ABI_STAT_LOST_SITE_MAP_FULL = ABI_STAT_LOST,
	ABI_STAT_LOST_SITE_BYTES, /* not an event count: bytes of the allocations above */
	ABI_STAT_LOST_THREAD_TABLE_FULL,
	ABI_STAT_LOST_RETURN_MISSED,
	ABI_STAT_LOST_ARGS_UNREADABLE,
	ABI_STAT_LOST_RING_FULL_STACK,
	ABI_STAT_LOST_GO_TINY_UNREADABLE,
	ABI_STAT_LOST_BLOCK, /* blocks that are not followed for lack of room */
	ABI_STAT_LOST_BLOCK_BYTES,
	ABI_STAT_LOST_FREE_SITE, /* frees that found no room in the site map */
	ABI_STAT_LOST_SAMPLE, /* sampled objects whose address could not be found out, or not be told */
	ABI_STAT_LOST_MMAP, /* calls that changed the address space and could not be told */
	ABI_STAT__N,
};

struct abi_stats {
	__u64 v[ABI_STAT__N];
};

#endif
