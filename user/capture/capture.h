/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A capture: the targets, their probes, and what they did since it began.
 *
 * capture__step() follows the lives of the targets (exec, fork, exit, dlopen) and
 * hands on new stacks, capture__sweep() hands on the counts as well. Everything
 * arrives at the event sink; states (targets, losses, cost) are asked for.
 */
#ifndef ALLOCSNOOP_CAPTURE_CAPTURE_H
#define ALLOCSNOOP_CAPTURE_CAPTURE_H

#include "base/event.h"
#include "capture/calib.h"
#include "capture/golive.h"
#include "capture/gomem.h"
#include "capture/gototals.h"
#include "capture/mmaps.h"
#include "go/gomods.h"
#include "target/modules.h"

struct capture;

enum capture_mode {
	CAPTURE_EXACT, /* every allocation */
	CAPTURE_SAMPLED, /* those in bursts */
	CAPTURE_AUTO, /* every one while the budget allows it */
};

struct capture_opts {
	bool want_go, want_malloc, want_rss;
	bool want_mmap; /* costs every system call of the host something */
	bool follow; /* children, too */
	uint64_t min_size_bytes, max_size_bytes;
	uint32_t only_tid; /* 0: all threads */
	bool count_goroutines;
	bool no_rss_stacks; /* RSS by kind and area only */
	bool no_rss_areas; /* by kind only */
	bool kernel_stacks; /* the kernel's frames in stacks of source RSS, too */
	bool want_live; /* follow objects to see which of them stay */
	uint32_t live_rate_bytes; /* where that is ours to say: one sample in so many bytes */
	const char *malloc_prefixes; /* "je_,mi_": of doors that are called malloc with a prefix; NULL: none */
	uint32_t block_rate_bytes; /* of the C allocator's blocks; 0: every one is followed */
	uint32_t max_blocks; /* that can be followed at a time; 0: ABI_BLOCKS */
	bool want_peak; /* sweeps when live C blocks or RSS grow: see capture__mark_heaps() */
	double older_s; /* C blocks that are younger do not count as live */
	enum capture_mode mode;
	double budget; /* CAPTURE_SAMPLED and CAPTURE_AUTO: the share of the targets' CPU time that doors may cost */
	bool kernel_log; /* let libbpf print what the kernel says of a program it refuses */
	const struct diag *diag;
};

/* @mods and @gomods are borrowed. Loads the BPF side, probes nothing yet. */
int capture__open(const struct capture_opts *opts, struct modules *mods, struct gomods *gomods,
		  const struct event_sink *sink, struct capture **ret, struct err *err);
void capture__free(struct capture *capture);

/* Arm the probes of a running process. */
int capture__attach_pid(struct capture *capture, pid_t pid, struct err *err);

/*
 * Arm the probes of a program that @pid, a child of ours that waits, is about to
 * execute: of the program and of the libraries it will load, by path.
 */
int capture__attach_command(struct capture *capture, pid_t pid, char *const *paths, size_t npaths, struct err *err);

/* All targets are attached. */
void capture__start(struct capture *capture);
/* When capture__step() wants to be called again, by CLOCK_MONOTONIC; UINT64_MAX: when there is something. */
uint64_t capture__due_ns(const struct capture *capture);
/* For poll(2): readable when capture__step() wants to be called. */
int capture__fd(const struct capture *capture);
void capture__step(struct capture *capture);
int capture__sweep(struct capture *capture);
/* The last sweep: RSS is read from /proc once more, so that what the stacks explain is compared with another source. */
int capture__finish(struct capture *capture);
/* For a report: how old the live blocks of C programs are, and what exec and exit made of them. 0 or -errno. */
int capture__look_at_blocks(struct capture *capture);
/* For a report: what RSS of Go programs is made of. */
void capture__look_at_go_memory(struct capture *capture);
/* Ask for a sweep when the live C blocks of any process have grown by @step_bytes; when its RSS has. */
void capture__mark_heaps(struct capture *capture, uint64_t step_bytes);
void capture__mark_rss(struct capture *capture, uint64_t step_bytes);
/* The highest RSS of the one process that there is, by the kernel's counters; 0: not known, or there are several. */
uint64_t capture__rss_high(const struct capture *capture);
/* The site map is filling up: sweep before it is full. */
bool capture__wants_sweep(const struct capture *capture);

enum { CAPTURE_RUNNING = -1, CAPTURE_EXIT_UNKNOWN = -2 };

struct capture_target {
	pid_t pid;
	char comm[64];
	const char *exe;
	const char *runtime; /* "go1.19.8" or "native" */
	uint32_t nprobes;
	int exit_code; /* CAPTURE_RUNNING, CAPTURE_EXIT_UNKNOWN, 0-255, 128 + signal */
	uint64_t cpu_ns; /* since the attach */
	struct proc_rss rss_start, rss; /* now, or the last seen alive */
	const struct gomem *go_memory; /* NULL: no Go program, or not looked at; borrowed until the next step */
	bool has_hugetlb;
	uint64_t hugetlb_bytes; /* in no RSS; now, or the last seen alive */
};

uint32_t capture__ntargets(const struct capture *capture);
/* Strings are borrowed until the next step. */
void capture__target(struct capture *capture, uint32_t index, struct capture_target *ret);
/* Is any target still alive? */
bool capture__alive(const struct capture *capture);
/* A child of ours was reaped: wait(2)'s word is better than the tracepoint's. */
void capture__set_exit(struct capture *capture, pid_t pid, int exit_code);

enum event_rss_method capture__rss_method(const struct capture *capture);
bool capture__has_source(const struct capture *capture, enum event_source source);

/* Is it looked for, who had asked for the memory that becomes resident? */
bool capture__has_touches(const struct capture *capture);

/* What is known of live Go objects. false: nothing is followed. */
bool capture__live(const struct capture *capture, struct golive_stats *ret);

/* What is known of mapped address space, of all targets. false: it is not watched. */
bool capture__mmaps(const struct capture *capture, struct mmaps_stats *ret);
/* What is known of live C blocks. false: none is followed. */
struct capture_blocks {
	uint64_t blocks; /* in the table */
	bool counted; /* all frees are: else live counts are estimates, or of some blocks only */
	uint64_t high_bytes; /* the most that was live at a time, by the probes; 0: not known (samples, several processes) */
};
bool capture__blocks(const struct capture *capture, struct capture_blocks *ret);

struct capture_cost {
	uint64_t hits, trap_ns, bpf_ns;
	uint64_t outside_ns; /* the part of it when no burst was */
};

/* How much time nobody has looked at, at the end: of bursts, since the last one. 0 in exact mode. */
double capture__uncovered_s(const struct capture *capture);
/* Go: what the runtimes have counted and no burst has seen the like of (yet). */
struct gototals_amount capture__unseen(const struct capture *capture);

void capture__cost(struct capture *capture, struct capture_cost *ret);

/* @is_uncounted: @count are events missing from the counts; else it is something to know about what is there. */
typedef void capture_loss_fn(void *ctx, const char *name, const char *text, uint64_t count, bool is_uncounted);

/* Every loss with its name and what it means, also those of 0. */
void capture__each_loss(struct capture *capture, capture_loss_fn *fn, void *ctx);

#endif
