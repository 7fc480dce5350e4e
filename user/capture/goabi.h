/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ALLOCSNOOP_CAPTURE_GOABI_H
#define ALLOCSNOOP_CAPTURE_GOABI_H

#include "bpf/abi.h"
#include "go/golayout.h"

/* What the BPF side must know of @layout; forward_max is left 0. */
void goabi_from_layout(const struct go_layout *layout, struct abi_go *ret);

#endif
