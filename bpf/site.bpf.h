/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Add what happened to its site, and see that user space gets the stack's frames once. */
#ifndef ALLOCSNOOP_SITE_BPF_H
#define ALLOCSNOOP_SITE_BPF_H

#include "guard.bpf.h"

static __always_inline void ring_wake_flags(__u64 *flags)
{
	/* User space looks at the ring with every sweep; wake it only before it fills. */
	*flags = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > ABI_RING_BYTES / 4 ? BPF_RB_FORCE_WAKEUP :
										    BPF_RB_NO_WAKEUP;
}

/* Put the @len bytes of the record @rec on the ring, unless user space has what @id stands for. */
static __always_inline bool send_once(struct scratch *s, __u64 id, void *rec, __u32 len)
{
	__u64 flags;
	__u8 one = 1;

	if (bpf_map_lookup_elem(&ids_sent, &id))
		return true;
	ring_wake_flags(&flags);
	if (bpf_ringbuf_output(&ring, rec, len, flags)) {
		stat_add(s, ABI_STAT_LOST_RING_FULL_STACK, 1);
		return false; /* the next hit of the site tries again */
	}
	bpf_map_update_elem(&ids_sent, &id, &one, BPF_ANY);
	return true;
}

static __noinline int send_stack(struct scratch *s)
{
	__u32 len = ABI_REC_STACK_BYTES((s->rec.nframes + s->rec.nkernel) & ABI_MAX_FRAMES);

	return len <= sizeof(s->rec) && send_once(s, s->key.stack_id, &s->rec, len);
}

static __always_inline void ask_for_sweep(void)
{
	struct abi_rec rec = { .kind = ABI_REC_SWEEP };

	if (__sync_fetch_and_add(&sites_used, 1) == sweep_mark)
		bpf_ringbuf_output(&ring, &rec, sizeof(rec), BPF_RB_FORCE_WAKEUP);
}

/* The site of s->key, made if new; NULL when the map is full. */
static __always_inline struct abi_site *site_get(struct scratch *s)
{
	struct abi_site *site;
	__u32 zero = 0;
	void *live;

	live = bpf_map_lookup_elem(&sites, &zero);
	if (!live)
		return NULL;
	site = bpf_map_lookup_elem(live, &s->key);
	if (site)
		return site;
	bpf_map_update_elem(live, &s->key, &s->fresh, BPF_NOEXIST);
	ask_for_sweep();
	return bpf_map_lookup_elem(live, &s->key);
}

/* Add to the site of s->key, whose ids are set (walk(), go_context()). NULL: counted as lost. */
static __always_inline struct abi_site *account(struct scratch *s, __u32 tgid, __u16 source, __u16 detail, __u64 objects,
						__s64 bytes, __u64 requested_bytes)
{
	struct abi_site *site;

	s->key.tgid = tgid;
	s->key.source = source;
	s->key.detail = detail;
	site = site_get(s);
	if (!site) {
		stat_add(s, ABI_STAT_LOST_SITE_MAP_FULL, 1);
		if (bytes > 0)
			stat_add(s, ABI_STAT_LOST_SITE_BYTES, bytes);
		return NULL;
	}
	if (objects)
		__sync_fetch_and_add(&site->objects, objects);
	__sync_fetch_and_add(&site->bytes, bytes);
	if (requested_bytes)
		__sync_fetch_and_add(&site->requested_bytes, requested_bytes);
	return site;
}

/* The same for a source whose contexts need no record of their own. */
static __always_inline struct abi_site *account_known(struct scratch *s, __u32 tgid, __u16 source, __u16 detail,
						      __u64 objects, __s64 bytes, __u64 requested_bytes)
{
	struct abi_site *site;

	site = account(s, tgid, source, detail, objects, bytes, requested_bytes);
	if (site && !site->sent && s->key.stack_id >> 63)
		site->sent = send_stack(s);
	return site;
}

/* The same for a source without contexts. */
static __always_inline struct abi_site *account_stack(struct scratch *s, __u32 tgid, __u16 source, __u16 detail,
						      __u64 objects, __s64 bytes, __u64 requested_bytes)
{
	s->key.context_id = 0;
	return account_known(s, tgid, source, detail, objects, bytes, requested_bytes);
}

/*
 * Count the hit. Every 64th run is timed, so that the cost of the programs can be
 * told without kernel.bpf_stats_enabled.
 */
static __always_inline void run_begin(struct scratch *s, enum abi_stat hits)
{
	stat_add(s, hits, 1);
	s->start_ns = s->stats.v[hits] & 63 ? 0 : bpf_ktime_get_ns();
}

static __always_inline void run_end(struct scratch *s, enum abi_stat timed, enum abi_stat timed_ns)
{
	if (!s->start_ns)
		return;
	stat_add(s, timed, 1);
	stat_add(s, timed_ns, bpf_ktime_get_ns() - s->start_ns);
}

/* Is the burst over (maps.bpf.h)? */
static __always_inline bool outside_window(struct scratch *s)
{
	__u64 end = *(volatile __u64 *)&window_end_ns;

	if (end == ~0ULL || bpf_ktime_get_ns() < end)
		return false;
	stat_add(s, ABI_STAT_OUTSIDE, 1);
	return true;
}

#endif
