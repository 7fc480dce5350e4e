/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * First touch against allocation: the ledger's stacks are those that touched memory first; what is told here
 * lets user space find out who had asked for it (user/capture/touches.c).
 *
 * A page's allocation is known by one of three things. The address of the fault, to the byte: it lies
 * in a block or in a mapping, which user space looks up. Or the page came while the thread was inside of an
 * allocation (calloc fills its block, malloc writes its own notes): then that allocation is it, and its stack is
 * known when it returns. Or inside of the system call that maps it (MAP_POPULATE): the same.
 *
 * The address is that of the thread's last fault, and good once: pages that come without one (mlock(), O_DIRECT)
 * are not told of, rather than with the address of another.
 *
 * A block that is given back is told of as well, if any page came while it was there and
 * it is not small: afterwards nobody could say whose its pages were.
 *
 * Not on kernels before 6.2: there an event stands for the faults of 64.
 */
#ifndef ALLOCSNOOP_TOUCH_BPF_H
#define ALLOCSNOOP_TOUCH_BPF_H

#include "site.bpf.h"

/* Set once before load. */
const volatile bool tell_touches = false;

static __always_inline bool tell(void *rec, __u32 len)
{
	__u64 flags;

	ring_wake_flags(&flags);
	return !bpf_ringbuf_output(&ring, rec, len, flags);
}

/* The allocation @door, in which pages came, is over. */
static __noinline int tell_door(struct scratch *s, const struct abi_target *target, __u64 door, __u64 stack_id)
{
	struct abi_rec_door *rec = &s->returned;

	if (!target)
		return 0;
	rec->rec.kind = ABI_REC_DOOR;
	rec->rec.tgid = target->tgid;
	rec->door = door;
	rec->stack_id = stack_id;
	rec->image = target->image;
	rec->tid = (__u32)bpf_get_current_pid_tgid();
	tell(rec, sizeof(*rec)); /* else nobody can say whose the pages are, which is what is shown */
	return 0;
}

/* @block at @addr is in the table no more. */
static __noinline int tell_freed(struct scratch *s, const struct abi_target *target, __u64 addr, const struct abi_block *block)
{
	struct abi_rec_freed *rec = &s->freed;

	if (!target || !block || !tell_touches || block->bytes < ABI_FREED_MIN_BYTES || target->touch_ns < block->time_ns)
		return 0;
	rec->rec.kind = ABI_REC_FREED;
	rec->rec.tgid = target->tgid;
	rec->addr = addr;
	rec->block = *block;
	rec->ns = bpf_ktime_get_ns();
	rec->image = target->image;
	tell(rec, sizeof(*rec));
	return 0;
}

#endif
