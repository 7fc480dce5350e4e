/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the pages are for that come and go: by the address, where one is known, and by the mapping that
 * holds it at that moment.
 *
 * The address. Of a fault it is told by the tracepoint exceptions:page_fault_user, of one that the
 * kernel takes in a system call (read(2) into fresh memory) by page_fault_kernel; both come before the
 * counter changes. Of the calls that give memory
 * back it is their argument. Which of these it was tells the system call's number in the registers
 * that the thread entered the kernel with: none in a fault.
 *
 * The mapping. Kernel kinds say file and shared memory by themselves. Go's arenas lie where Go asks
 * for them first or, where that is by chance, behind the first one that user space has found; what is in them says their
 * spans (span_go.bpf.h). Else bpf_find_vma() tells; it only tries the lock. What it told holds until somebody
 * changes the mappings, which the address space counts (mm_lock_seq, 6.4): nearly all faults are in
 * the mapping of the one before. In munmap() the mapping is out of the list already: there it is what
 * was seen at a fault in it, kept by address.
 */
#ifndef ALLOCSNOOP_AREA_BPF_H
#define ALLOCSNOOP_AREA_BPF_H

#include "arch.bpf.h"
#include "span_go.bpf.h"
#include "unwind.bpf.h"

#define VM_GROWSDOWN 0x100 /* linux/mm.h */
#define HEAP_MAX_BYTES (64u << 20) /* of an arena of malloc, which is aligned to it: glibc malloc/arena.c */

struct mm_struct___heap {
	unsigned long start_brk, brk;
} __attribute__((preserve_access_index));

/* A count that any change of the mappings raises: an int, from 6.13 on a seqcount_t. */
struct mm_struct___seq64 {
	int mm_lock_seq;
} __attribute__((preserve_access_index));

struct seqcount___any {
	unsigned int sequence;
} __attribute__((preserve_access_index));

struct mm_struct___seq613 {
	struct seqcount___any mm_lock_seq;
} __attribute__((preserve_access_index));

/* What anonymous mappings were for, by an address in them, for when they are gone. */
#define SEEN_SHIFT 21
struct seen_key {
	__u64 part; /* address >> SEEN_SHIFT */
	__u32 slot, pad;
};

struct seen_area {
	__u64 start, end;
	__u64 area; /* enum abi_area */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct seen_key);
	__type(value, struct seen_area);
} seen_areas SEC(".maps");

/* A cache line: threads that fault beside each other share none. */
struct fault {
	__u64 addr;
	__u64 check; /* fault_check(): half of one note and half of another has none that fits */
	__u64 told; /* pages came, and whose they are was told (rss.bpf.h) */
	__u64 pad[5];
};

#define FAULTS 4096 /* a power of two */

/*
 * The last fault of each thread; places are shared by threads whose numbers are alike. Not one for each CPU: while the
 * kernel clears a huge page the thread may go to another CPU, and others fault on this one.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FAULTS);
	__type(key, __u32);
	__type(value, struct fault);
} faults SEC(".maps");

static __always_inline __u64 fault_check(__u64 addr, __u32 tid)
{
	return addr ^ (tid + 1) * 0x9e3779b97f4a7c15ULL;
}

static __always_inline int keep_fault(__u64 addr)
{
	__u32 tid = bpf_get_current_pid_tgid(), i = tid & (FAULTS - 1);
	struct fault *fault = bpf_map_lookup_elem(&faults, &i);

	/* Whether it is a target's is dearer to know than to forget. */
	if (fault) {
		fault->addr = addr;
		fault->check = fault_check(addr, tid);
		fault->told = 0;
	}
	return 0;
}

/* Of this thread; NULL: it is not known. */
static __always_inline struct fault *last_fault(void)
{
	__u32 tid = bpf_get_current_pid_tgid(), i = tid & (FAULTS - 1);
	struct fault *fault = bpf_map_lookup_elem(&faults, &i);

	return fault && fault->check == fault_check(fault->addr, tid) ? fault : NULL;
}

SEC("tp_btf/page_fault_user")
int BPF_PROG(fault_user, unsigned long address)
{
	return keep_fault(address);
}

SEC("tp_btf/page_fault_kernel")
int BPF_PROG(fault_kernel, unsigned long address)
{
	return keep_fault(address);
}

/* 0: not known. */
static __always_inline __u64 area_addr(struct pt_regs *regs)
{
	__s32 nr = ARCH_SYSCALL_NR(regs);
	const struct fault *fault;

	if (nr == ARCH_NR_MUNMAP || nr == ARCH_NR_MADVISE || nr == ARCH_NR_MREMAP || nr == ARCH_NR_MMAP)
		return PT_REGS_PARM1_CORE_SYSCALL(regs);
	fault = last_fault();
	return fault ? fault->addr : 0;
}

struct area_look {
	struct scratch *s;
};

static long look_at_area(struct task_struct *task, struct vm_area_struct *vma, struct area_look *look)
{
	struct scratch *s = look->s;

	s->area.start = vma->vm_start;
	s->area.end = vma->vm_end;
	s->area.flags = vma->vm_flags;
	s->area.file = (__u64)vma->vm_file;
	return 0;
}

/* Is there an arena of malloc around @addr? struct heap_info: the arena, the one before, bytes in use, bytes mapped. */
static __always_inline bool is_malloc_arena(struct scratch *s, __u64 addr)
{
	__u64 base = addr & ~(__u64)(HEAP_MAX_BYTES - 1), *info = s->area.words;

	if (base < s->area.start || bpf_probe_read_user(info, sizeof(s->area.words), (void *)base))
		return false;
	return info[0] && !(info[0] & 7) && info[2] > addr - base && info[2] <= HEAP_MAX_BYTES && !(info[2] & 4095) &&
	       info[3] >= info[2] && info[3] <= HEAP_MAX_BYTES && !(info[3] & 4095);
}

/* False: the kernel does not count. */
static __always_inline bool read_mm_seq(const struct mm_struct *mm, __u32 *ret)
{
	const struct mm_struct___seq613 *now = (const void *)mm;
	const struct mm_struct___seq64 *before = (const void *)mm;

	if (bpf_core_field_exists(now->mm_lock_seq.sequence))
		*ret = now->mm_lock_seq.sequence;
	else if (bpf_core_field_exists(before->mm_lock_seq))
		*ret = before->mm_lock_seq;
	else
		return false;
	return true;
}

/* The mapping that holds @addr into s->area. */
static __always_inline bool find_area(struct scratch *s, struct mm_struct *mm, __u64 addr)
{
	const struct mm_struct___heap *heap = (const void *)mm;
	struct area_look look = { .s = s };
	__u32 seq = 0;
	bool counts = read_mm_seq(mm, &seq);

	if (counts && s->area.mm == (__u64)mm && s->area.seq == seq && addr - s->area.start < s->area.end - s->area.start)
		return true;
	s->area.mm = 0;
	s->area.end = 0;
	s->area.noted = ~0ULL;
	if (!has_find_vma() || bpf_find_vma(bpf_get_current_task_btf(), addr, look_at_area, &look, 0) || addr >= s->area.end)
		return false;
	s->area.is_brk = addr >= BPF_CORE_READ(heap, start_brk) && addr < BPF_CORE_READ(heap, brk);
	s->area.seq = seq;
	s->area.mm = counts ? (__u64)mm : 0;
	return true;
}

static __always_inline __u64 go_heap_start(__u32 slot)
{
	const struct abi_go *go = bpf_map_lookup_elem(&runtimes, &slot);

	return go && go->heap_start ? go->heap_start : ARCH_GO_ARENA;
}

/* Of anonymous pages, also those in swap. */
static __noinline int area_of_anon(struct scratch *s, struct mm_struct *mm, __u64 addr, __u64 sp, __u32 slot)
{
	if (!s)
		return ABI_AREA_UNKNOWN;
	if (addr - go_heap_start(slot) < ARCH_GO_ARENA_BYTES)
		return area_of_go(s, slot, addr);
	if (!addr || !find_area(s, mm, addr))
		return ABI_AREA_UNKNOWN;
	if (s->area.file)
		return ABI_AREA_FILE_COPY;
	if (s->area.flags & VM_GROWSDOWN || sp - s->area.start < s->area.end - s->area.start)
		return ABI_AREA_STACK;
	return s->area.is_brk || is_malloc_arena(s, addr) ? ABI_AREA_C_HEAP : ABI_AREA_ANON;
}

/* The page at @addr, which is there, is for @area. */
static __noinline int note_seen(struct scratch *s, __u64 addr, __u32 slot, __u32 area)
{
	struct seen_key key = { .part = addr >> SEEN_SHIFT, .slot = slot };
	struct seen_area now = { s->area.start, s->area.end, area }, *seen = bpf_map_lookup_elem(&seen_areas, &key);

	s->area.noted = key.part;
	if (!seen || seen->start != now.start || seen->end != now.end || seen->area != area)
		bpf_map_update_elem(&seen_areas, &key, &now, BPF_ANY);
	return 0;
}

/* What the page at @addr was for, whose mapping is gone. */
static __always_inline __u32 area_seen(__u64 addr, __u32 slot)
{
	struct seen_key key = { .part = addr >> SEEN_SHIFT, .slot = slot };
	struct seen_area *seen = bpf_map_lookup_elem(&seen_areas, &key);

	return seen && addr >= seen->start && addr < seen->end ? seen->area : ABI_AREA_UNKNOWN;
}

/* enum abi_area of the page that the current thread of @mm is about. */
static __always_inline __u32 area_of(struct scratch *s, struct mm_struct *mm, struct pt_regs *regs, __u32 member, __u32 slot)
{
	__u64 addr;
	__u32 area;

	if (member == ABI_RSS_FILE)
		return ABI_AREA_FILE;
	if (member == ABI_RSS_SHMEM)
		return ABI_AREA_SHARED;
	if ((__s32)ARCH_SYSCALL_NR(regs) == ARCH_NR_BRK)
		return ABI_AREA_C_HEAP;
	if (!watch_faults)
		return ABI_AREA_UNKNOWN;
	addr = area_addr(regs);
	area = area_of_anon(s, mm, addr, PT_REGS_SP(regs), slot);
	if (area == ABI_AREA_UNKNOWN)
		return area_seen(addr, slot);
	if (!is_go_area(area) && addr >> SEEN_SHIFT != s->area.noted)
		note_seen(s, addr, slot, area);
	return area;
}

#endif
