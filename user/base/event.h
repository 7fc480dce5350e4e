/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a capture tells whoever listens: decoded, with no trace of maps or rings.
 * capture/ calls the sink, profile/agg is one; a test feeds it by hand.
 */
#ifndef ALLOCSNOOP_BASE_EVENT_H
#define ALLOCSNOOP_BASE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

enum event_source { EVENT_GO, EVENT_MALLOC, EVENT_RSS, EVENT_MMAP };

/* One code address: where it is, independent of any process, and where it stood. */
struct event_frame {
	uint32_t module; /* in the module table; UINT32_MAX: in no mapped file */
	uint64_t vaddr; /* for look-ups: a return address minus one, another as is */
	uint64_t addr; /* as it stood in the process */
};

enum event_stack_flag {
	EVENT_STACK_TRUNCATED = 1, /* too deep to walk to its end */
	EVENT_STACK_BROKEN = 2, /* the walk met something that is no caller */
	/* How it was walked: */
	EVENT_STACK_BY_CHAIN = 4, /* some frames by frame pointers */
	EVENT_STACK_BY_TABLE = 8, /* some frames by unwind tables */
};

/* Causes of RSS changes that are no stack. */
enum event_stack_id {
	EVENT_STACK_OTHERS, /* another task than the process, which could not be told (on_cause()) */
	EVENT_STACK_EXEC, /* what a new program began with; what the old one still had */
	EVENT_STACK_EXIT, /* what the process still had when it ended */
	EVENT_STACK_NONE, /* the process, whose stacks are not looked at */
	EVENT_STACK__N,
};

/* How it is known what RSS does. */
enum event_rss_method {
	EVENT_RSS_BY_PROC, /* /proc now and then: no counts */
	EVENT_RSS_BY_FAULTS, /* each page fault counts as a page more; what is given back is not told */
	EVENT_RSS_BY_COUNTERS, /* the kernel's counters, at each change */
};

/* Kinds of pages; swap is none of RSS. In the order of the kernel's counters (mm_types_task.h). */
enum event_rss_kind { EVENT_RSS_FILE, EVENT_RSS_ANON, EVENT_RSS_SWAP, EVENT_RSS_SHMEM };

struct event_label {
	const char *key, *value; /* untrusted; may hold anything but NUL */
};

/* What an allocation has besides its stack. */
struct event_context {
	/* The type's descriptor, as the allocator got it; vaddr 0: it got none. Module UINT32_MAX: in no file. */
	uint32_t type_module;
	uint64_t type_vaddr;
	const char *kind; /* not NULL: what it is in one word, where there are no descriptors; the rest is not known */
	bool has_creator;
	struct event_frame creator; /* the go statement that made the goroutine */
	const struct event_label *labels; /* of runtime/pprof.Do */
	uint32_t nlabels;
};

/* By what counts of a burst are to be multiplied. */
struct event_scale {
	double objects, bytes;
	double doubt; /* how far it may be off, as a part of it: by the same for all bursts */
};

struct event_counts {
	uint64_t objects;
	int64_t bytes; /* RSS: signed; what was added and what was given back come apart */
	uint64_t requested_bytes;
	uint64_t goroutines; /* not seen before to allocate, if they are counted */
	uint64_t free_objects, free_bytes; /* given back of what this stack allocated, where that is seen */
	enum event_rss_kind rss_kind; /* RSS */
	bool is_sampled; /* of the burst that on_burst() told of: each stands for several */
	struct event_scale scale; /* for how many, if it is known better than by the burst's length: else zero */
};

/* A time in which allocations were seen, among others in which they were not. */
struct event_burst {
	uint32_t nr; /* 0, 1, 2... */
	double seen_s; /* its length */
	double stands_for_s; /* the time that its counts stand for, the burst included */
	struct event_scale scale;
};

/* What is live more (or, negative, less) than before: an estimate, with its variance. */
struct event_live {
	double objects, bytes;
	double objects_var, bytes_var;
};

/* How long ago the live objects of a stack were allocated. */
struct event_age {
	uint64_t objects; /* of which that is known; 0: there are none */
	double oldest_s, median_s;
};

/* Memory that became resident, by who had asked for it. */
struct event_touch {
	enum event_source by; /* MALLOC: a block; MMAP: address space; GO: an object, or its span (touched.h) */
	uint64_t by_stack_id; /* one that came before */
	uint64_t bytes; /* whole pages */
};

struct event_sink {
	void *ctx;
	/* A stack id that the counts will use from now on. Frames innermost first, borrowed for the call. */
	int (*on_stack)(void *ctx, uint64_t stack_id, const struct event_frame *frames, uint32_t nframes,
			uint32_t flags);
	/* A context id that the counts will use from now on. Everything borrowed for the call. */
	int (*on_context)(void *ctx, uint64_t context_id, const struct event_context *context);
	/*
	 * Counts to add. @stack_id: one that came before, or an enum event_stack_id. @context_id: one that
	 * came before, or 0 when nothing is known.
	 */
	int (*on_counts)(void *ctx, uint32_t pid, enum event_source source, uint64_t stack_id, uint64_t context_id,
			 const struct event_counts *counts);
	/* Objects that are there now, or are not any more. */
	int (*on_live)(void *ctx, uint32_t pid, enum event_source source, uint64_t stack_id, uint64_t context_id,
		       const struct event_live *live);
	/* A state: takes the place of what was told before. */
	int (*on_age)(void *ctx, uint32_t pid, enum event_source source, uint64_t stack_id, uint64_t context_id,
		      const struct event_age *age);
	/* A stack id that the counts will use from now on: no stack, but another task of that (untrusted) name. */
	int (*on_cause)(void *ctx, uint64_t stack_id, const char *name);
	/* A part of what the counts of source RSS say, or will say, of that stack and context. */
	int (*on_touch)(void *ctx, uint32_t pid, uint64_t stack_id, uint64_t context_id, const struct event_touch *touch);
	/* The burst of the counts that follow. */
	void (*on_burst)(void *ctx, const struct event_burst *burst);
};

#endif
