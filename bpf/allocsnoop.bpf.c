// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The BPF side. One object; the rooms are:
 *   alloc_go   Go's allocation doors          walk   the stack walk
 *   alloc_c    malloc and its family          site   counting, handing out stacks
 *   rss        RSS counters                   guard  scratch memory under preemption
 *   rss_fault  page faults in their place
 *   mmap       mmap, munmap, mremap, brk      maps   all maps and constants
 *   span_go    Go's spans and who took them
 *   proc       exec, fork, exit, dlopen       touch    whose memory the pages are that come
 */
#include "alloc_go.bpf.h"
#include "alloc_c.bpf.h"
#include "span_note.bpf.h"
#include "rss.bpf.h"
#include "rss_fault.bpf.h"
#include "proc.bpf.h"
#include "mmap.bpf.h"

char LICENSE[] SEC("license") = "GPL";
