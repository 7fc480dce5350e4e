/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stacks that cross between Go and C.
 *
 * Go runs C on the thread's own stack. runtime.cgocall notes its place (g.syscallsp,
 * g.syscallpc), and runtime.asmcgocall switches stacks and calls. C calls Go back
 * through crosscall2 and runtime.cgocallback, which opens a frame on the goroutine's
 * stack as if asmcgocall had called it:
 *
 *	the goroutine's stack                  the thread's stack
 *	main.f, main._Cfunc_x
 *	cgocall
 *	asmcgocall             -- calls C -->  C functions
 *	cgocallback            <- calls Go --  crosscall2, cgocallback
 *	cgocallbackg, ..., main.callback
 *
 * Go's frame pointers lead over both borders, but C code without them leaves in the
 * register what Go had there, so that the C functions and cgocall are missing, or
 * anything else. So a walk on the thread's stack follows frame pointers only until
 * they end or enter the goroutine's stack. There it goes on in cgocall, whose frame is
 * where the goroutine's notes say, or, below a callback, at a fixed distance from
 * cgocallback's. That frame is marked (ABI_FRAME_CERTAIN): it is right whatever the
 * frames before it are. Nested callbacks are more of the same.
 *
 * A thread that C made has none of it: its goroutine is the runtime's own and begins
 * with the callback.
 */
#ifndef ALLOCSNOOP_CGO_BPF_H
#define ALLOCSNOOP_CGO_BPF_H

#include "arch.bpf.h"
#include "guard.bpf.h"

#define G_STACK_LO 0 /* g.stack comes first: the runtime's own assembly relies on it */
#define G_STACK_HI 8

static __always_inline bool on_goroutine(const struct scratch *s, __u64 addr)
{
	return addr - s->from.go.stack_lo < s->from.go.stack_bytes;
}

/* Is there more of the stack behind the frames of C that are being walked? */
static __always_inline bool cgo_is_pending(const struct scratch *s)
{
	return s->from.go.in_c && s->from.go.cgocall_pc;
}

/* From the goroutine in s->g. */
static __always_inline void cgo_set_stack(struct scratch *s)
{
	s->from.go.stack_lo = g_word(s, G_STACK_LO);
	s->from.go.stack_bytes = g_word(s, G_STACK_HI) - s->from.go.stack_lo;
}

/* C runs for the goroutine: called from @pc, where its stack pointer was @sp, if that is a place of cgocall. */
static __always_inline void cgo_set_caller(struct scratch *s, const struct abi_go *go, __u64 pc, __u64 sp)
{
	s->from.go.in_c = 1;
	s->from.go.seen_c = 0;
	s->from.go.cgocall_pc = 0;
	if (!on_goroutine(s, sp) || pc - go->cgocall >= go->cgocall_bytes)
		return;
	s->from.go.cgocall_pc = pc;
	s->from.go.cgocall_fp = sp + go->cgocall_frame - 8;
}

/*
 * The frame pointers have led from the frame at @fp (0: none, the walk begins) over the border of the
 * goroutine's stack. They leave it where C called Go, and the frame is cgocallbackg's. They come to it where Go
 * works on the thread's stack, too; or from C, which had it from Go: there cgo_resume() knows better.
 */
static __noinline int cgo_cross(struct scratch *s, __u64 fp, __u32 slot)
{
	struct abi_go *go = bpf_map_lookup_elem(&runtimes, &slot);
	__u64 sp, pc = 0;

	s->from.go.on_stack ^= 1;
	if (s->from.go.on_stack) {
		if (s->from.go.in_c)
			s->from.fp = 0;
		return 0;
	}
	if (!go)
		return 0;
	sp = fp + 16 + go->callback_frame;
	if (on_goroutine(s, sp))
		read_word(&pc, sp - 8);
	cgo_set_caller(s, go, pc, sp);
	return 0;
}

/* Where the frames of C end: s->from.ra becomes the return address into cgocall, marked, and s->from.fp its frame. */
static __noinline int cgo_resume(struct scratch *s)
{
	if (!cgo_is_pending(s))
		return 0;
	s->from.go.in_c = 0;
	s->from.go.on_stack = 1;
	s->from.fp = s->from.go.cgocall_fp;
	s->from.ra = s->from.go.cgocall_pc | ABI_FRAME_CERTAIN;
	return 0;
}

/*
 * Before a walk that starts in C. In C the thread's local storage holds g0, the goroutine of its own
 * stack, and that goroutine's m knows for whom it works.
 */
static __noinline int cgo_enter(struct scratch *s, __u32 slot)
{
#ifdef TLS_BASE
	struct abi_go *go = bpf_map_lookup_elem(&runtimes, &slot);
	__u64 g0, m, word;

	if (!go || !go->cgocall)
		return 0;
	word = TLS_BASE((struct task_struct *)bpf_get_current_task()) + go->tls_g;
	/* A thread that is none of Go's has a 0 there; another library's variable if we are wrong. */
	if (!read_word(&g0, word) || !g0 || !read_word(&m, g0 + go->g_m) || !read_word(&word, m + go->m_g0) ||
	    word != g0)
		return 0;
	if (!read_word(&word, m + go->m_curg) || !word || bpf_probe_read_user(s->g, ABI_GO_G_BYTES, (void *)word))
		return 0;
	if (g_word(s, go->g_m) != m || !g_word(s, go->g_syscallsp))
		return 0;
	cgo_set_stack(s);
	cgo_set_caller(s, go, g_word(s, go->g_syscallpc), g_word(s, go->g_syscallsp));
	s->from.go.seen_c = 1;
#endif
	return 0;
}

#endif
