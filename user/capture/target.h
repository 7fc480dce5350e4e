/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One traced process: who it is, its address space, what it uses.
 *
 * Images. An exec gives a process another address space, and stacks of the old one
 * may still be on their way. The ring tells of stacks and execs in order, so the
 * address space in use changes when the ring says so. perf's mapping records run
 * ahead of it: what they tell of a later image waits in `next`.
 */
#ifndef ALLOCSNOOP_CAPTURE_TARGET_H
#define ALLOCSNOOP_CAPTURE_TARGET_H

#include "capture/aspace.h"
#include "capture/gomem.h"
#include "capture/gototals.h"
#include "capture/mmaps.h"
#include "capture/session.h"
#include "capture/touches.h"

#define TARGET_RUNNING (-1)
#define TARGET_EXIT_UNKNOWN (-2)

struct target {
	struct proc_info info;
	uint32_t slot;
	uint32_t image; /* that `as` is of */
	uint32_t loader; /* abi.h */
	struct aspace as;
	struct aspace *next; /* images that the ring has not told of yet */
	size_t nnext;
	struct mmaps *mmaps; /* NULL: who maps address space is not watched */
	struct touches *touches; /* NULL: it is not looked for, whose the memory is that becomes resident */
	struct abi_go go;
	uint32_t go_module, go_image; /* that `go` is of; MODULE_NONE: none */
	char runtime[64];
	uint32_t nprobes;
	bool is_command; /* it is armed for its first exec */
	bool maps_changed; /* the loader said so */
	uint64_t maps_step; /* of the capture, in which that was last followed at once */
	uint32_t nlabelled; /* contexts with labels */
	uint32_t nheap_looks; /* for Go's heap, in vain */
	bool gc_started; /* of a Go program whose objects are followed */
	bool may_be_stale; /* the address space was not read in this step */
	int exit_code; /* TARGET_RUNNING, TARGET_EXIT_UNKNOWN, 0-255, 128 + signal */
	uint64_t end_ns; /* CLOCK_MONOTONIC, when it was known to have ended */
	uint64_t cpu_start_ns, cpu_ns;
	bool has_rss_start, has_ledger;
	struct proc_rss rss_start, rss;
	struct gomem gomem; /* of go_module; looked at for reports */
	struct gototals totals; /* of go_module, for bursts */
	bool has_hugetlb;
	uint64_t hugetlb_bytes; /* as last seen alive */
	bool has_mm;
	struct abi_mm mm; /* the counters as of target__note_counters() */
};

/* -ESRCH: no such process. -ENOMEM. */
int target__new(pid_t pid, uint32_t slot, struct target **ret);
void target__free(struct target *t);

static inline bool target__is_running(const struct target *t)
{
	return t->exit_code == TARGET_RUNNING;
}

/* The address space as perf's records tell it: an exec, or one more mapping of code. */
void target__announce_image(struct target *t);
/* Its module, or MODULE_NONE. */
uint32_t target__add_mapping(struct target *t, struct modules *mods, const struct mapping *map);
/* The ring has come to the exec that began @image. */
void target__begin_image(struct target *t, uint32_t image);

/*
 * Read /proc/PID/maps, if that is still the image which `as` is of. Tells the programs when other
 * code stands where code was known.
 */
void target__refresh(struct target *t, struct session *session, struct modules *mods);

/* The clock of end_ns, and of the BPF side's times. */
uint64_t target_clock_ns(void);

/* Just before a sweep: the counters that its sites add up to. */
void target__note_counters(struct target *t, struct session *session);
/* CPU time of now; where it has ended, of its end. The first call is the start. */
void target__follow_cpu(struct target *t);
/* CPU time of now, and RSS as noted, or else of now; the first call gives the start values. */
void target__follow(struct target *t, struct session *session);
/*
 * RSS from /proc, of the time when the counters were noted: a truth of its own, but smaps_rollup walks the target's page
 * tables. For the end.
 */
void target__check_rss(struct target *t, struct session *session);
/* It has ended. @cpu_ns: all that it ever used, 0 if not known. */
void target__end(struct target *t, int exit_code, uint64_t cpu_ns);

#endif
