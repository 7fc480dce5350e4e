/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The profile: what a capture gathered, as exporters and reports see it.
 *
 * Vocabulary: a location is one code address (module, vaddr); it has one or more
 * frames (inlined ones innermost first); a stack is a list of locations, innermost
 * first; a row is what one stack did: its counts for one (process, source, context).
 *
 * Every row carries its totals since the attach; the counts at the last mark are
 * kept beside them, so that any consumer can ask for the whole capture or for the
 * interval since that mark (profile__mark()).
 *
 * Frames are attached late: a profile is gathered as addresses, and whoever needs
 * names calls the symbolizer on it (sym/sym.h: sym__annotate()).
 */
#ifndef ALLOCSNOOP_PROFILE_PROFILE_H
#define ALLOCSNOOP_PROFILE_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/go_rss.h"
#include "base/strtab.h"

enum source {
	SOURCE_GO,
	SOURCE_MALLOC,
	SOURCE_MMAP,
	SOURCE_RSS,
	SOURCE__N,
};

/* "go", "malloc", "mmap", "rss". */
const char *source_name(enum source source);

struct prof_module {
	uint32_t path, name; /* strtab ids */
	uint32_t build_id; /* hex, 0 if none */
	uint64_t start, end, file_off; /* where a target had its code mapped */
};

enum frame_flag {
	FRAME_INLINED = 1, /* into the next frame */
	FRAME_PLUMBING = 2, /* runtime or allocator internals, left out of text reports unless -v */
	FRAME_KERNEL = 8, /* of the kernel, not of the process */
	FRAME_UNKNOWN = 4, /* no symbol: func is "[module+0xOFFSET]" */
};

struct prof_frame {
	uint32_t func, file; /* strtab ids; file 0 if unknown */
	uint32_t line; /* 0 if unknown */
	uint32_t flags;
};

struct prof_loc {
	uint32_t module; /* index in modules; PROF_NONE: in no module */
	uint32_t nframes; /* 0: not symbolized yet */
	uint32_t first_frame; /* index in frames */
	uint64_t vaddr; /* ELF vaddr for lookups: a return address minus one, a fault or probe address as is */
	uint64_t addr; /* as it stood in the target (first seen): pprof wants it */
};

#define PROF_NONE UINT32_MAX

enum stack_flag {
	STACK_LOST = 1, /* the frames never arrived; counts are right */
	STACK_TRUNCATED = 2, /* deeper than 127 frames */
	STACK_BROKEN = 4, /* the walk ended before the thread's first frame */
	/* How it was walked; neither: by frame pointers. */
	STACK_BY_CHAIN = 8, /* some frames by frame pointers */
	STACK_BY_TABLE = 16, /* some frames by unwind tables */
	STACK_OTHERS = 32, /* no code of the process: another task's doing, one made-up frame */
};

struct prof_stack {
	uint32_t first; /* index in stack_locs */
	uint32_t nlocs;
	uint32_t flags;
};

enum prof_typing {
	TYPING_UNKNOWN, /* nobody asked */
	TYPING_NONE, /* the allocator was given no type: memory without pointers */
	TYPING_KNOWN,
	TYPING_KIND, /* of a source that has kinds instead */
};

/* What an allocation has besides its stack. */
struct prof_context {
	enum prof_typing typing;
	uint32_t type_module; /* TYPING_KNOWN: where the descriptor of the type is; PROF_NONE: made at run time */
	uint64_t type_vaddr; /* TYPING_KIND: strtab id of the kind's name */
	uint32_t creator; /* location of the go statement that made the goroutine, or PROF_NONE */
	uint32_t labels; /* strtab id of a set of pprof labels (labels.h); 0: none */
};

enum rss_kind { RSS_FILE, RSS_ANON, RSS_SWAP, RSS_SHMEM, RSS_KIND__N }; /* MM_FILEPAGES.. order of mm_types_task.h */

/* How it is known what RSS does. */
enum rss_method {
	RSS_NOT_WATCHED, /* nobody asked */
	RSS_BY_PROC, /* /proc now and then: no rows */
	RSS_BY_FAULTS, /* an estimate: one page more for each page fault; what is given back is not told */
	RSS_BY_COUNTERS, /* the kernel's counters, at each change */
};

/* "proc", "page_faults", "rss_stat"; NULL if nobody asked. */
const char *rss_method_name(enum rss_method method);

/* What pages of a kind were added and given back. */
struct prof_moved {
	uint64_t grown_bytes, released_bytes;
};

/*
 * Of what was sampled in bursts: a part of the estimate from every twelfth burst. That is what standard errors of
 * rows, and of any sum of rows, are made from (prof_alloc_se()): bursts that follow each other are in different parts, so
 * the parts differ by chance only ("random groups": K. Wolter, Introduction to Variance Estimation, ch. 2).
 */
#define PROF_PARTS 12
struct prof_parts {
	float objects[PROF_PARTS], bytes[PROF_PARTS];
	float objects_doubt, bytes_doubt; /* by how much all of them may be off in the same direction */
	float objects_by_time, bytes_by_time; /* of the estimate: only the length of the bursts tells how much it is */
};

struct prof_counts {
	uint64_t alloc_objects, alloc_bytes, requested_bytes;
	struct prof_parts parts; /* of the first two */
	uint64_t free_objects, free_bytes; /* of what was allocated since the attach */
	struct prof_moved rss[RSS_KIND__N];
	/* A state, the same in every window; estimates where objects are sampled, with their variances. */
	double live_objects, live_bytes, live_objects_var, live_bytes_var;
	double peak_objects, peak_bytes; /* live when most was: a state (profile__note_peak()) */
	int64_t peak_rss_bytes; /* rss_bytes since the attach when RSS was highest (profile__note_rss_peak()) */
	double live_grown_bytes; /* by how much live_bytes grew in the window */
	/* How long the live objects are there: a state. Of counts that were added up the mean of their medians, by objects. */
	uint64_t aged_objects; /* of which it is known; 0: of none */
	double oldest_s, median_age_s;
};

struct prof_row {
	uint32_t pid;
	enum source source;
	uint32_t context; /* index in contexts */
	uint32_t type; /* strtab id of the name a reader knows it by; 0: not known (yet: see sym__annotate()) */
	uint32_t stack;
	struct prof_counts total; /* since attach */
	struct prof_counts marked; /* total at the last mark */
	uint64_t goroutines, goroutines_marked; /* whose first allocation seen was one of these, if they are counted */
	uint32_t touches; /* SOURCE_RSS: index of its first in touches, PROF_NONE: none */
};

/* Memory that a row of source RSS made resident, by who had asked for it. */
struct prof_touch {
	enum source source; /* what is known of it: a block, an object, or the mapping that it lies in */
	uint32_t stack; /* that allocated or mapped it */
	uint64_t bytes, marked_bytes; /* since the attach, and at the last mark */
	uint32_t next; /* of the same row; PROF_NONE: none */
};

struct prof_target {
	uint32_t pid;
	uint32_t comm, exe, runtime; /* strtab ids; runtime "go1.19.8" or "native" */
	int exit_code; /* PROF_RUNNING, PROF_EXIT_UNKNOWN, or as wait(2) would shape it: 0-255, 128 + signal */
	/* RSS in bytes. */
	uint64_t rss_start_bytes, rss_marked_bytes, rss_now_bytes;
	uint64_t cpu_ns, cpu_marked_ns; /* CPU time of the target since attach, and at the last mark */
	/* Of a Go program, a state, if it was looked at: what its RSS is made of, or why that is not known (static). */
	bool has_go_rss;
	const char *go_rss_unknown;
	struct go_rss go_rss;
};

#define PROF_RUNNING (-1)
#define PROF_EXIT_UNKNOWN (-2)

struct prof_loss {
	const char *name; /* static, e.g. "site_map_full" */
	const char *text; /* static: what it means for the reader, one line */
	uint64_t count, marked;
	bool is_note; /* nothing is missing from the counts: stacks, names or starts that are incomplete; not in the sum of events */
};

/* Cost of tracing, since attach and at the last mark. */
struct prof_cost {
	uint64_t hits, trap_ns, bpf_ns;
};

struct prof_rss_kind {
	uint64_t start_bytes, marked_bytes, now_bytes;
};

/* How it is known what is live. */
struct prof_live {
	bool measured; /* else live counts of this source are null */
	const char *how; /* static: what the reader should know of where the numbers come from */
	uint64_t rate_bytes; /* one sample in so many bytes, on average; 0: every object */
	uint64_t samples;
	uint64_t unjudged_bytes; /* made since the last garbage collection: nobody knows whether they are garbage */
	uint64_t unsure; /* samples that were looked at too late to be sure */
	uint64_t before_gone_bytes; /* there before the attach, given back since; in no row */
	bool frees_counted; /* else free counts of this source are null */
	bool ages_known;
	uint64_t high_bytes; /* the most that was live at a time; 0: not known */
	double older_s; /* what is younger does not count as live */
};

/* The snapshot of the moment when most was live, of those that there were. */
struct prof_peak {
	bool measured;
	double bytes, objects;
	uint64_t unix_ns;
	uint64_t snapshots; /* that were larger than all before */
	uint64_t high_bytes; /* of RSS: the most that there was at a time, also between snapshots; 0: not known */
};

/* The bursts in which allocations were seen. */
struct prof_sampling {
	uint64_t bursts;
	double seen_s; /* their length */
	double parts_s[PROF_PARTS]; /* what the bursts of each part stand for */
	double unseen_objects, unseen_bytes; /* Go: counted by the runtime, and no burst has seen the like: in no row; a state */
	double uncovered_s; /* since the last one: of that time nothing is known (yet); a state */
};

struct timeline;

struct profile {
	struct strtab *strs;
	char kernel[128];
	const char *mode; /* static: "exact", or "sampled" if anything was */
	double budget; /* of the target's CPU time that tracing may take; 0: any */
	struct prof_sampling sampling, sampling_marked;
	uint64_t start_unix_ns, mark_unix_ns, now_unix_ns;

	struct prof_module *modules;
	uint32_t nmodules;
	struct prof_target *targets;
	uint32_t ntargets;
	struct prof_loc *locs;
	uint32_t nlocs;
	struct prof_frame *frames;
	uint32_t nframes;
	uint32_t *stack_locs;
	uint32_t nstack_locs;
	struct prof_stack *stacks;
	uint32_t nstacks;
	struct prof_context *contexts; /* [0]: nothing is known */
	uint32_t ncontexts;
	struct prof_row *rows;
	uint32_t nrows;
	struct prof_touch *touches;
	uint32_t ntouches;
	bool has_touches; /* was it looked for, who had asked for the memory that became resident? */

	struct prof_loss *losses;
	uint32_t nlosses;
	bool has_source[SOURCE__N]; /* was it captured at all? else its numbers are null, not 0 */
	bool has_goroutines; /* were they counted? */
	struct prof_live live[SOURCE__N];
	struct prof_peak peak; /* of malloc */
	struct prof_peak rss_peak; /* of RSS, which has no objects */
	struct prof_cost cost, cost_marked;
	struct prof_rss_kind rss_kinds[RSS_KIND__N]; /* sums over targets */
	bool has_rss_kinds;
	enum rss_method rss_method;
	bool has_hugetlb;
	uint64_t hugetlb_bytes; /* of hugetlbfs, in no RSS: the sum over targets, of now */
	struct timeline *timeline; /* owned; NULL: none is kept (timeline.h) */

	struct profile_priv *priv; /* indices; profile.c */
};

enum window { WINDOW_ALL, WINDOW_INTERVAL };

/* Starts empty, with a string table of its own and losses that need no more memory. */
int profile__new(struct profile **ret);
void profile__free(struct profile *prof);

/*
 * Builders; each returns an index or PROF_NONE when memory is out (or an index among the
 * arguments is none). Equal input gives the same index. Pointers into the arrays live
 * until the next builder of that array, indices for ever. (So never
 * `prof->rows[profile__add_row(...)]`: C may read prof->rows before the call moves it.)
 *
 * Modules are equal when path and build ID are; without a build ID, when they are mapped
 * the same as well. So the index need not be the one of target/modules.h: keep a map.
 * Stacks are equal when locations and flags are.
 */
uint32_t profile__add_module(struct profile *prof, const struct prof_module *mod);
uint32_t profile__add_target(struct profile *prof, uint32_t pid);
uint32_t profile__add_loc(struct profile *prof, uint32_t module, uint64_t vaddr, uint64_t addr);
uint32_t profile__add_stack(struct profile *prof, const uint32_t *locs, uint32_t nlocs, uint32_t flags);
uint32_t profile__add_context(struct profile *prof, const struct prof_context *context);
uint32_t profile__add_row(struct profile *prof, uint32_t pid, enum source source, uint32_t context, uint32_t stack);
/* A part of what @row, of source RSS, made resident: of memory that @stack allocated or, by @source, mapped. */
uint32_t profile__add_touch(struct profile *prof, uint32_t row, enum source source, uint32_t stack);
/* Is there that row already? */
bool profile__has_row(const struct profile *prof, uint32_t pid, enum source source, uint32_t context, uint32_t stack);
/* Sets the frames of a location, once: later calls change nothing. 0 or -ENOMEM. */
int profile__set_frames(struct profile *prof, uint32_t loc, const struct prof_frame *frames, uint32_t nframes);
/*
 * The loss of that (static) name, added if new: never NULL, and good for as long as the profile.
 * The names are ours, so they are few; past PROF_MAX_LOSSES the rest share one, "other".
 */
#define PROF_MAX_LOSSES 64
struct prof_loss *profile__loss(struct profile *prof, const char *name, const char *text);
struct prof_target *profile__find_target(const struct profile *prof, uint32_t pid);

/* Start a new interval: everything's "marked" becomes its total of now. */
void profile__mark(struct profile *prof);

/* If more of malloc is live now than at any call before, in processes that run: keep what each row has. */
void profile__note_peak(struct profile *prof, uint64_t now_unix_ns);
/* The same of the RSS of all targets, as the ledger's rows have it. */
void profile__note_rss_peak(struct profile *prof, uint64_t now_unix_ns);

/* Views: all derived, nothing stored twice. */
/* An estimate as the number to show: whole, and never below 0 for its rounding. */
static inline uint64_t prof_whole(double value)
{
	return value > 0 && value < 9e18 ? (uint64_t)(value + 0.5) : 0;
}

static inline int64_t prof_signed(double value)
{
	return value < 0 ? -(int64_t)prof_whole(-value) : (int64_t)prof_whole(value);
}

/* Standard error. */
double prof_se(double var);

/* The change of RSS: of all kinds but swap. */
struct prof_moved prof_rss_moved(const struct prof_counts *counts);
int64_t prof_rss_bytes(const struct prof_counts *counts);

/* Is there nothing to tell of? */
bool prof_counts_are_zero(const struct prof_counts *counts);
/* Adds, variances too. */
void prof_counts_add(struct prof_counts *to, const struct prof_counts *counts);
struct prof_counts prof_row_counts(const struct prof_row *row, enum window window);
/*
 * What was given back in the window of all that was allocated since the attach: it was allocated and is not live.
 * For sources of which every object is followed.
 */
struct prof_freed {
	uint64_t objects, bytes;
};
struct prof_freed prof_row_freed(const struct prof_row *row, enum window window);
struct prof_freed profile__freed(const struct profile *prof, enum source source, enum window window);
uint64_t prof_touch_bytes(const struct prof_touch *touch, enum window window);
/*
 * What @row, of source RSS, made resident in the window of memory whose allocation was not seen: from before the attach,
 * the kernel's doing, of no allocator that is known. Pages that come as the window ends may be among the touches
 * before they are in the row: then it is 0 rather than less.
 */
uint64_t profile__untold_touch_bytes(const struct profile *prof, uint32_t row, enum window window);
struct prof_counts profile__sum(const struct profile *prof, enum source source, enum window window);
/* What others than the process did (STACK_OTHERS): a part of the sum. */
struct prof_counts profile__sum_others(const struct profile *prof, enum window window);
/* The bursts of the window. */
struct prof_sampling profile__sampling(const struct profile *prof, enum window window);
/* The time that they stand for. */
double prof_sampled_s(const struct prof_sampling *sampling);
/*
 * The standard errors of alloc_objects and alloc_bytes of @counts, which are of one @source or a sum of such, in the
 * @window: how far they may be off because they come from bursts. 0 where all was seen; NaN where there were too few bursts
 * to tell. @sum: profile__sum() of the source.
 */
struct prof_error {
	double objects, bytes;
};
struct prof_error prof_alloc_se(const struct prof_counts *counts, const struct prof_counts *sum,
				const struct prof_sampling *sampling);
struct prof_cost profile__cost(const struct profile *prof, enum window window);
uint64_t profile__target_cpu_ns(const struct profile *prof, enum window window);
uint64_t profile__losses(const struct profile *prof, enum window window);
double profile__duration_s(const struct profile *prof, enum window window);

#endif
