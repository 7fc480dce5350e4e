/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory that unwind tables are searched in by the BPF programs (bpf/abi.h, "Where tables are"). Thin: no decisions. */
#ifndef ALLOCSNOOP_CAPTURE_SLABS_H
#define ALLOCSNOOP_CAPTURE_SLABS_H

#include <stdint.h>

#include "bpf/abi.h"
#include "capture/session.h"

struct slabs;

/* @session is borrowed. */
int slabs__new(struct session *session, struct slabs **ret);
void slabs__free(struct slabs *slabs);

/* Make the first @n slabs, those that are not there yet. 0 or -errno. */
int slabs__grow(struct slabs *slabs, uint32_t n);
/* How many there are. */
uint32_t slabs__len(const struct slabs *slabs);
/* The word at @place of a slab that is there. */
uint32_t *slabs__at(const struct slabs *slabs, uint32_t place);
/* Return when every program that runs now has ended. */
void slabs__wait(struct slabs *slabs);

int slabs__set_rule(struct slabs *slabs, uint32_t id, const struct abi_unwind_rule *rule);
int slabs__set_space(struct slabs *slabs, uint32_t slot, uint64_t space);
int slabs__set_file(struct slabs *slabs, const struct abi_file_key *key, const struct abi_unwind_file *file);
void slabs__forget_file(struct slabs *slabs, const struct abi_file_key *key);

#endif
