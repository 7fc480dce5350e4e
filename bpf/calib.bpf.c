// SPDX-License-Identifier: GPL-2.0-or-later
/* An empty program: what a trap costs on this machine, measured on a function of our own. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

__u64 hits = 0;

SEC("uprobe")
int calib(void *ctx)
{
	hits++;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
