/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the kernel's maps and ring to records: no decisions, no state but buffers.
 */
#ifndef ALLOCSNOOP_CAPTURE_DRAIN_H
#define ALLOCSNOOP_CAPTURE_DRAIN_H

#include "bpf/abi.h"
#include "capture/session.h"

struct drain;

struct drain_sink {
	void *ctx;
	void (*on_rec)(void *ctx, const struct abi_rec *rec, size_t len);
	void (*on_site)(void *ctx, const struct abi_site_key *key, const struct abi_site *site);
};

/* @session is borrowed. */
int drain__new(struct session *session, const struct drain_sink *sink, struct drain **ret);
void drain__free(struct drain *drain);

/* For poll(2): readable when the ring wants to be read at once. */
int drain__fd(const struct drain *drain);
/* Hand on everything on the ring. */
void drain__ring(struct drain *drain);
/*
 * Put the other site map in place, then hand on the ring (whose stacks belong to
 * the counts that follow), then the counts of the map that was live. 0 or -errno.
 */
int drain__sweep(struct drain *drain);
/*
 * Every block in the table, while the probes go on: those that come or go meanwhile may be among them. Those for
 * which the function says so are taken out. 0 or -errno.
 */
typedef bool drain_block_fn(void *ctx, const struct abi_block_key *key, const struct abi_block *block);
int drain__blocks(struct drain *drain, drain_block_fn *fn, void *ctx);
/* Sum of every counter. */
int drain__stats(struct drain *drain, struct abi_stats *ret);

#endif
