/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looking up how code is unwound, and a frame of a walk by it.
 *
 * Three searches lead from an address to a rule: which code of the target holds it (a
 * sorted list in a slab, by slot), which page of its module's table, which row of
 * that page. All three search memory of a map with plain loads; the positions stay in
 * the scratch slot, so that the verifier sees the same state after each half.
 *
 * Most addresses were looked up a moment ago: what was found is remembered by CPU.
 *
 * Code that is in no list yet (a program that has just been executed, a library
 * that has just been loaded) is asked of the kernel: bpf_find_vma() names the file, and a
 * file's table may be loaded before anybody maps it. It needs the mmap lock and may
 * not get it; then the frame counts as code without a table.
 *
 * Where a return is probed (by us, in an allocating function that is not left yet, or by others)
 * the kernel has put its trampoline in the place of the return address, and remembers what
 * stood there.
 *
 * Code that keeps frame pointers (Go) is walked by them, and code of which nothing
 * is known as if it did; what comes of the latter is judged in user space.
 */
#ifndef ALLOCSNOOP_UNWIND_BPF_H
#define ALLOCSNOOP_UNWIND_BPF_H

#include "block.bpf.h"
#include "cgo.bpf.h"

#define MAP_HALVES 13 /* of ABI_MAX_MAPS */
#define ROW_HALVES 17 /* of ABI_SLAB_WORDS */

_Static_assert(ABI_MAX_MAPS < 1 << MAP_HALVES && ABI_SLAB_WORDS < 1 << ROW_HALVES, "searches come to an end");

#ifdef __bpf__
#define has_find_vma() bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_find_vma)
#endif

static __always_inline struct slab *slab_of(__u32 place)
{
	__u32 index = place / ABI_SLAB_WORDS, zero = 0;
	void *inner = bpf_map_lookup_elem(&slabs, &index);

	return inner ? bpf_map_lookup_elem(inner, &zero) : NULL;
}

/* Behind the last word of a slab there is room for the longest thing that is read at once. */
static __always_inline void *slab_at(struct slab *slab, __u32 place)
{
	__u64 word = place;

	barrier_var(word); /* or clang drops the mask, which the verifier wants to see */
	return slab->bytes + (word & (ABI_SLAB_WORDS - 1)) * 4;
}

/* low becomes the number of maps that begin at or below pc. */
static __noinline int search_maps(struct scratch *s, struct slab *slab, __u32 place)
{
	for (int i = 0; i < MAP_HALVES; i++) {
		__u32 half = s->unwind.len / 2, middle = s->unwind.low + half;
		const struct abi_unwind_map *map;

		if (!s->unwind.len)
			break;
		map = slab_at(slab, place + middle * (sizeof(*map) / 4));
		if (map->start <= s->unwind.pc) {
			s->unwind.low = middle + 1;
			s->unwind.len -= half + 1;
		} else {
			s->unwind.len = half;
		}
	}
	return 0;
}

/* low becomes the number of rows at or below @addr of the page. */
static __noinline int search_rows(struct scratch *s, struct slab *slab, __u32 place, __u32 addr)
{
	for (int i = 0; i < ROW_HALVES; i++) {
		__u32 half = s->unwind.len / 2, middle = s->unwind.low + half;
		const __u32 *row;

		if (!s->unwind.len)
			break;
		row = slab_at(slab, place + middle);
		if (*row >> 16 <= addr) {
			s->unwind.low = middle + 1;
			s->unwind.len -= half + 1;
		} else {
			s->unwind.len = half;
		}
	}
	return 0;
}

struct vma_look {
	struct scratch *s;
};

static __always_inline bool file_has(const struct abi_unwind_file *file, __u32 i, __u64 off)
{
	return i < file->nsegments && off >= file->segments[i].file_off && off < file->segments[i].end_off;
}

#ifdef __bpf__
struct dentry___user {
	struct inode *d_inode;
} __attribute__((preserve_access_index));

struct path___user {
	struct dentry___user *dentry;
} __attribute__((preserve_access_index));

/* Since 6.5 (fs/file_table.c). */
struct backing_file___user {
	struct path___user user_path;
} __attribute__((preserve_access_index));

static __always_inline const struct abi_unwind_file *file_of(const struct inode *inode)
{
	struct abi_file_key key = { .inode = BPF_CORE_READ(inode, i_ino) };

	key.dev = BPF_CORE_READ(inode, i_sb, s_dev);
	return bpf_map_lookup_elem(&unwind_files, &key);
}

/*
 * On overlayfs the pages of another file are mapped than the one that was opened, which is what maps tells of and stands
 * behind the other. Behind any other file lies something else, which is no inode of a file that is known.
 */
static __always_inline const struct abi_unwind_file *mapped_file(const struct vm_area_struct *vma)
{
	const struct abi_unwind_file *file = file_of(BPF_CORE_READ(vma, vm_file, f_inode));
	const struct backing_file___user *backing = (const void *)vma->vm_file;

	if (!file && bpf_core_field_exists(struct backing_file___user, user_path))
		file = file_of(BPF_CORE_READ(backing, user_path.dentry, d_inode));
	return file;
}

/* The file that @vma maps, if its table is loaded, into unwind.map. */
static long look_at_vma(struct task_struct *task, struct vm_area_struct *vma, struct vma_look *look)
{
	struct scratch *s = look->s;
	struct abi_unwind_map *map = &s->unwind.map;
	const struct abi_unwind_file *file;
	__u64 off;

	map->start = vma->vm_start;
	map->end = vma->vm_end;
	if (!vma->vm_file)
		return 0;
	file = mapped_file(vma);
	if (!file)
		return 0;
	off = s->unwind.pc - vma->vm_start + (vma->vm_pgoff << 12);
	for (__u32 i = 0; i < ABI_MAX_SEGMENTS; i++) {
		if (!file_has(file, i, off))
			continue;
		map->bias = s->unwind.pc - (file->segments[i].vaddr + off - file->segments[i].file_off);
		map->mod = file->mod;
		break;
	}
	return 0;
}
#endif

/* Not in the list: what the kernel says, for this walk. */
static __always_inline int ask_for_map(struct scratch *s)
{
	s->unwind.space = 0;
	s->unwind.map = (struct abi_unwind_map){};
#ifdef __bpf__
	struct vma_look look = { .s = s };

	if (has_find_vma())
		bpf_find_vma(bpf_get_current_task_btf(), s->unwind.pc, look_at_vma, &look, 0);
#endif
	return 0;
}

/* What the target's list of code says of unwind.pc; NULL: nothing. */
static __always_inline const struct abi_unwind_map *listed_map(struct scratch *s)
{
	const struct abi_unwind_map *map;
	__u64 space = s->unwind.current;
	__u32 place = ABI_SPACE_PLACE(space);
	struct slab *slab;

	s->unwind.low = 0;
	s->unwind.len = ABI_SPACE_LEN(space);
	slab = s->unwind.len ? slab_of(place) : NULL;
	if (!slab)
		return NULL;
	search_maps(s, slab, place);
	if (!s->unwind.low)
		return NULL;
	map = slab_at(slab, place + (s->unwind.low - 1) * (sizeof(*map) / 4));
	return s->unwind.pc < map->end ? map : NULL;
}

/* The code that holds unwind.pc, into unwind.map; one that starts and ends at 0 if there is none. */
static __always_inline int find_map(struct scratch *s)
{
	__u64 space = s->unwind.current;
	const struct abi_unwind_map *map;

	if (s->unwind.space && s->unwind.space != space)
		s->unwind.map.end = s->unwind.map.start;
	if (s->unwind.pc - s->unwind.map.start < s->unwind.map.end - s->unwind.map.start)
		return 0;
	map = listed_map(s);
	if (!map)
		return ask_for_map(s);
	s->unwind.map = *map;
	s->unwind.space = space;
	return 0;
}

/* The rule for unwind.pc in unwind.map, whose code has a table, into unwind.rule. */
static __noinline int find_rule(struct scratch *s)
{
	const struct abi_unwind_map *map = &s->unwind.map;
	__u64 off = s->unwind.pc - map->bias - map->mod.base, page = off >> ABI_UNWIND_PAGE_SHIFT;
	const struct abi_unwind_rule *rule;
	const struct abi_unwind_page *entry;
	struct slab *slab;
	__u32 rows, id;

	s->unwind.rule = (struct abi_unwind_rule){ .cfa = ABI_CFA_NONE, .cfa_off = ABI_UNWIND_GAP };
	if (page >= map->mod.npages)
		return 0;
	slab = slab_of(map->mod.pages);
	if (!slab)
		return 0;
	entry = slab_at(slab, map->mod.pages + page * (sizeof(*entry) / 4));
	rows = entry->rows;
	s->unwind.low = 0;
	s->unwind.len = entry->nrows;
	slab = slab_of(rows);
	if (!slab || !s->unwind.len)
		return 0;
	search_rows(s, slab, rows, off & 0xffff);
	if (!s->unwind.low)
		return 0;
	id = *(__u32 *)slab_at(slab, rows + s->unwind.low - 1) & 0xffff;
	rule = bpf_map_lookup_elem(&rules, &id);
	if (rule)
		s->unwind.rule = *rule;
	return 0;
}

#if defined(__TARGET_ARCH_x86)
#define SIGRETURN_BYTES 9
/* mov $__NR_rt_sigreturn,%rax; syscall: what every libc has signal handlers return to, also one without unwind information. */
static __noinline int is_sigreturn(__u64 pc)
{
	const __u64 want = 0x050f0000000fc0c7ULL;
	__u64 code = 0;
	__u8 prefix = 0;

	return !bpf_probe_read_user(&prefix, 1, (void *)pc) && prefix == 0x48 && read_word(&code, pc + 1) && code == want;
}
#else
static __always_inline int is_sigreturn(__u64 pc)
{
	return 0; /* in the vdso, which has a table */
}
#endif

/* A word of the target's stack, out of the block if it is there. */
static int stack_word(void *ctx, __u64 addr, __u64 *ret)
{
	struct scratch *s = ctx;
	__u64 off = addr - s->block_addr;

	if (s->block_len < 8 || off > s->block_len - 8) {
		/* Words that were saved below come with it. */
		read_block(s, addr - s->unwind.regs.sp < BLOCK_BYTES / 2 ? s->unwind.regs.sp : addr - 64);
		off = addr - s->block_addr;
		if (s->block_len < 8 || off > s->block_len - 8)
			return read_word(ret, addr);
	}
	off &= BLOCK_BYTES - 1;
	*ret = *(__u64 *)(s->block + off);
	return 1;
}

/* Look at the return address that the kernel has hidden in @instance. */
static __always_inline void look_at_hidden(struct scratch *s, const struct return_instance *instance)
{
	s->unwind.hidden = (__u64)instance;
	s->unwind.hidden_at = 0;
	if (!instance)
		return;
	s->unwind.hidden_at = BPF_CORE_READ(instance, stack);
	s->unwind.hidden_ra = BPF_CORE_READ(instance, orig_ret_vaddr);
}

static __always_inline void first_hidden(struct scratch *s)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	look_at_hidden(s, BPF_CORE_READ(task, utask, return_instances));
}

#define HIDDEN_MAX 8 /* of one frame: functions that left by a jump into another share its place */

/* What really stood at @at, where @ra stands. Walks go upwards, as the kernel's list does. */
static __noinline __u64 unhide(struct scratch *s, __u64 at, __u64 ra)
{
	for (int i = 0; i < HIDDEN_MAX && s->unwind.hidden && s->unwind.hidden_at <= at; i++) {
		const struct return_instance *instance = (void *)s->unwind.hidden;

		if (s->unwind.hidden_at == at)
			ra = s->unwind.hidden_ra;
		look_at_hidden(s, BPF_CORE_READ(instance, next));
	}
	return ra;
}

/* Searches. Returns an enum abi_code. */
static __always_inline int search_rule(struct scratch *s)
{
	find_map(s);
	if (s->unwind.map.mod.code == ABI_CODE_TABLE) {
		find_rule(s);
		if (s->unwind.rule.cfa == ABI_CFA_CHAIN)
			return ABI_CODE_CHAIN;
		if (s->unwind.rule.cfa != ABI_CFA_NONE)
			return ABI_CODE_TABLE;
		s->unwind.flags = ABI_STACK_NO_RULE | s->unwind.rule.cfa_off << ABI_STACK_CAUSE_SHIFT;
	}
	if (s->unwind.map.mod.code == ABI_CODE_FRAME) {
		s->unwind.rule = (struct abi_unwind_rule){ .cfa = ABI_CFA_SP, .fp = ABI_FP_SAME,
							   .cfa_off = (__s32)s->unwind.map.mod.base };
		return ABI_CODE_TABLE;
	}
	s->unwind.rule.cfa = ABI_CFA_CHAIN;
	if (s->unwind.map.mod.code == ABI_CODE_CHAIN)
		return ABI_CODE_CHAIN;
	if (is_sigreturn(s->unwind.regs.pc)) {
		s->unwind.rule.cfa = ABI_CFA_SIGNAL;
		return ABI_CODE_TABLE;
	}
	if (!s->unwind.flags)
		s->unwind.flags = ABI_STACK_NO_TABLE;
	return ABI_CODE_UNKNOWN;
}

/* Where the rule for unwind.pc is remembered, if it is. */
static __always_inline struct remembered_rule *remembered_at(struct scratch *s)
{
	__u64 hash = s->unwind.pc * 0x9e3779b97f4a7c15ULL >> 40;
	__u32 index = s->index;
	struct remembered *all = bpf_map_lookup_elem(&remembered, &index);

	barrier_var(hash);
	return all ? &all->rules[hash & (REMEMBERED_RULES - 1)] : NULL;
}

/* The rule for the frame in unwind.regs, into unwind.rule. Returns its enum abi_code. */
static __noinline int choose_rule(struct scratch *s)
{
	struct remembered_rule *known;
	int code;

	s->unwind.pc = unwind_lookup_pc(&s->unwind.regs);
	known = remembered_at(s);
	if (known && known->pc == s->unwind.pc && known->space == s->unwind.current) {
		s->unwind.rule = known->rule;
		return ABI_CODE_TABLE;
	}
	code = search_rule(s);
	/* What was asked of the kernel is of no list; frame pointers are as cheap as this is. */
	if (known && code == ABI_CODE_TABLE && s->unwind.space) {
		known->pc = s->unwind.pc;
		known->space = s->unwind.space;
		known->rule = s->unwind.rule;
	}
	return code;
}

static __always_inline void end_of_walk(struct scratch *s, enum unwind_result why, int code)
{
	if (why == UNWIND_UNREADABLE)
		s->rec.flags |= code == ABI_CODE_UNKNOWN ? ABI_STACK_BAD_FP : ABI_STACK_UNREADABLE;
	else if (why == UNWIND_LOOP)
		s->rec.flags |= ABI_STACK_LOOP;
	else if (why == UNWIND_END && code != ABI_CODE_UNKNOWN)
		s->rec.flags |= ABI_STACK_TO_END;
}

/*
 * From the frame in unwind.regs to its caller: s->from.ra becomes the word for the record, 0 where the walk ends,
 * and s->from.fp the frame pointer for a walk along frame pointers.
 */
static __noinline int next_by_table(struct scratch *s, __u32 slot)
{
	struct unwind_regs *regs = &s->unwind.regs;
	enum unwind_result result;
	__u64 fp = s->from.fp, words = 0;
	int code;

	s->from.ra = 0;
	s->unwind.flags = 0;
	regs->fp = fp;
	code = choose_rule(s);
	if (code != ABI_CODE_CHAIN) {
		s->from.go.seen_c = 1;
	} else if (s->from.go.seen_c && cgo_is_pending(s)) {
		cgo_resume(s); /* out of C, into what called it */
		goto next;
	}
	result = unwind_step(regs, &s->unwind.rule, stack_word, s);
	s->from.fp = regs->fp;
	if (result != UNWIND_NEXT) {
		s->rec.flags |= s->unwind.flags;
		end_of_walk(s, result, code);
		if (result != UNWIND_END || code == ABI_CODE_UNKNOWN)
			cgo_resume(s);
		goto next;
	}
	if (!regs->is_exact && s->unwind.hidden)
		regs->pc = unhide(s, regs->sp - 8, regs->pc);
	s->rec.flags |= s->unwind.flags | (code == ABI_CODE_TABLE ? ABI_STACK_BY_TABLE : ABI_STACK_BY_CHAIN);
	if (code == ABI_CODE_TABLE)
		words = ABI_FRAME_BY_TABLE;
	else if (regs->fp && !s->from.go.in_c && on_goroutine(s, regs->fp) != s->from.go.on_stack)
		cgo_cross(s, fp, slot);
	if (regs->is_exact)
		words |= ABI_FRAME_EXACT;
	s->from.ra = regs->pc | words;
next:
	regs->pc = s->from.ra & ~ABI_FRAME_FLAGS;
	return 0;
}

/* Does the target's list, or what was looked up last, have code at @addr? Costs little, and asks nobody else. */
static __noinline int is_listed_code(struct scratch *s, __u64 addr)
{
	const struct abi_unwind_map *map = &s->unwind.map;

	if (addr - map->start < map->end - map->start)
		return 1;
	s->unwind.pc = addr;
	return listed_map(s) != NULL;
}

/* Are unwind tables used for the target? Then the walk can begin. */
static __always_inline bool tables_begin(struct scratch *s, __u32 slot)
{
	__u64 *space = bpf_map_lookup_elem(&spaces, &slot);

	if (!space)
		return false;
	s->unwind.current = *(volatile __u64 *)space;
	if (!s->unwind.current)
		return false;
	if (!s->unwind.space)
		s->unwind.map = (struct abi_unwind_map){}; /* of another walk */
	s->unwind.regs.sp = s->from.sp;
	first_hidden(s);
	return true;
}

/* Is the frame in unwind.regs one of code that keeps frame pointers for sure, as the last one was? */
static __always_inline bool is_in_chain(const struct scratch *s)
{
	const struct abi_unwind_map *map = &s->unwind.map;

	return map->mod.code == ABI_CODE_CHAIN && s->unwind.regs.pc - map->start < map->end - map->start;
}

#endif
