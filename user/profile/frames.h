/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A stack as a list of frames: inlined ones unfolded, addresses without a symbol named. */
#ifndef ALLOCSNOOP_PROFILE_FRAMES_H
#define ALLOCSNOOP_PROFILE_FRAMES_H

#include "profile/profile.h"

struct frame_view {
	const char *func; /* untrusted; never empty; "[module+0xOFFSET]" without a symbol; good until the next frame */
	const char *file; /* untrusted; "" if unknown */
	uint32_t func_id, file_id; /* strtab ids; func_id 0: func was made up here, from loc */
	uint32_t line; /* 0 if unknown */
	uint32_t flags; /* enum frame_flag */
	uint32_t module; /* index or PROF_NONE */
	uint32_t loc;
	char buf[320];
};

struct frame_iter {
	const struct profile *prof;
	uint32_t pos, end; /* in stack_locs */
	uint32_t frame; /* of the location at pos */
};

/* Innermost first: `for (it = frames_of(prof, stack); frame_iter__next(&it, &view);)`. */
struct frame_iter frames_of(const struct profile *prof, uint32_t stack);
bool frame_iter__next(struct frame_iter *it, struct frame_view *ret);

/* Number of frames of location @loc (at least 1: one without a symbol is a frame too), and the @i-th of them. */
uint32_t prof_loc_nframes(const struct profile *prof, uint32_t loc);
void prof_loc_frame(const struct profile *prof, uint32_t loc, uint32_t i, struct frame_view *ret);

/*
 * The frame to blame for @stack: the innermost that is not plumbing, else the innermost.
 * false if it has no frames.
 */
bool stack_blame(const struct profile *prof, uint32_t stack, struct frame_view *ret);

/*
 * The go statement that made the goroutine of @context: the innermost frame there. false when it is not
 * known, or there is none: on a thread's system stack without a goroutine.
 */
bool prof_creator(const struct profile *prof, uint32_t context, struct frame_view *ret);
/* Is @creator what starts the first goroutine, of main.main? */
bool creator_is_main(const struct frame_view *creator);
/* What a reader calls the goroutines of @context: "main goroutine", "net/http.(*Server).Serve server.go:3285", "" if not known. */
const char *prof_goroutine_name(const struct profile *prof, uint32_t context, char *buf, size_t size);

/*
 * The name of an address without a symbol: "[libc.so.6+0x1234]", "[unknown+0x1234]" in no module (""). Names with
 * brackets of their own lose them: "[vdso+0x9a0]". @buf has 320 bytes.
 */
void prof_name_address(const char *module, uint64_t vaddr, char *buf);

/* Name of a module, "" for PROF_NONE. Untrusted. */
const char *prof_module_name(const struct profile *prof, uint32_t module);

#endif
