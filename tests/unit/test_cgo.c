// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stacks that cross between Go and C: the BPF side's code in user mode, on stacks laid
 * out as runtime/asm_amd64.s does, with what C code may leave in the frame pointer's
 * register. And what user space finds out about them in code.
 */
#include "bpfstub/bpf.h"

#include "bpf/alloc_go.bpf.h"

#include "bpfstub/run.h"

#include "capture/cgo.h"
#include "test.h"

/* Code */
#define MALLOC 0x7fff00001000ULL
#define C_SITE 0x7fff00002000ULL
#define C_CALLER 0x7fff00003000ULL
#define CGOCALL 0x400000ULL
#define IN_CGOCALL (CGOCALL + 0x60)
#define IN_CGOCALLBACK 0x401050ULL
#define IN_CROSSCALL2 0x402030ULL
#define GO_FUNC(n) (0x410000ULL + (n) * 0x100)

/* Data */
#define TLS (FAKE_BASE + 0x800)
#define TLS_G (-24)
#define M (FAKE_BASE + 0x1000)
#define G0 (FAKE_BASE + 0x2000)
#define CURG (FAKE_BASE + 0x3000)
#define STACK_LO (FAKE_BASE + 0x10000) /* the goroutine's */
#define STACK_HI (FAKE_BASE + 0x12000)
#define THREAD (FAKE_BASE + 0x20000) /* the thread's stack, upwards from here */

#define CGOCALL_FRAME 48
#define CALLBACK_FRAME (32 + 8 + 8 + 8)

static void put(uint64_t at, uint64_t word)
{
	fake_memory__put(&fake.mem, at, word);
}

static void put_frame(uint64_t at, uint64_t saved_fp, uint64_t ra)
{
	put(at, saved_fp);
	put(at + 8, ra);
}

/* A thread with its m, its g0 and the goroutine that it runs. */
static void reset(void)
{
	struct abi_go *go = &fake.go;

	fake_reset();
	*go = (struct abi_go){ .g_m = 48, .m_curg = 192, .m_g0 = 8, .g_goid = 152, .g_gopc = 280, .g_syscallsp = 112,
			       .g_syscallpc = 120, .tls_g = TLS_G, .cgocall = CGOCALL, .cgocall_bytes = 0x100,
			       .cgocall_frame = CGOCALL_FRAME, .callback_frame = CALLBACK_FRAME };
#if defined(__x86_64__)
	fake.task.thread.fsbase = TLS;
#endif
	put(TLS + TLS_G, G0);
	put(G0 + go->g_m, M);
	put(M + go->m_g0, G0);
	put(M + go->m_curg, CURG);
	put(CURG, STACK_LO);
	put(CURG + 8, STACK_HI);
	put(CURG + go->g_m, M);
	put(CURG + go->g_goid, 7);
}

/* Go functions from @fp on, @n of them, to the goroutine's beginning. */
static void put_go(uint64_t fp, uint32_t first, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++, fp += 32)
		put_frame(fp, i + 1 < n ? fp + 32 : 0, GO_FUNC(first + i));
}

/* cgocall at @sp called by Go functions. */
static void put_cgocall(uint64_t sp, uint32_t first, uint32_t n)
{
	put_frame(sp + CGOCALL_FRAME - 8, sp + CGOCALL_FRAME + 24, GO_FUNC(first));
	put_go(sp + CGOCALL_FRAME + 24, first + 1, n - 1);
}

static void set_in_c(uint64_t sp)
{
	put(CURG + fake.go.g_syscallsp, sp);
	put(CURG + fake.go.g_syscallpc, IN_CGOCALL);
}

static const struct abi_rec_stack *walk_c(uint64_t fp)
{
	struct scratch *s = &fake.scratches[0];

	s->from = (struct walk_from){ .ip = MALLOC, .sp = THREAD, .fp = fp, .ra = C_SITE };
	cgo_enter(s, FAKE_SLOT);
	walk(s, &fake.target);
	return &s->rec;
}

static const struct abi_rec_stack *walk_go(uint64_t sp, uint64_t fp)
{
	struct scratch *s = &fake.scratches[0];

	s->go.g = CURG;
	s->from = (struct walk_from){ .ip = GO_FUNC(100), .sp = sp, .fp = fp, .ra = GO_FUNC(99) };
	CHECK(read_g(s, &fake.go));
	cgo_set_stack(s);
	walk(s, &fake.target);
	return &s->rec;
}

static bool check_frames(const struct abi_rec_stack *rec, const uint64_t *want, uint32_t n)
{
	bool ok = CHECK_INT(rec->nframes, n) && CHECK_INT(rec->flags, 0);

	for (uint32_t i = 0; ok && i < n; i++)
		ok = CHECK_INT(rec->frames[i], want[i]);
	return ok;
}

#define CHECK_FRAMES(rec, ...)                                                              \
	({                                                                                  \
		const uint64_t want_[] = { __VA_ARGS__ };                                   \
		check_frames(rec, want_, sizeof(want_) / sizeof(want_[0]));                 \
	})

#define CERTAIN(addr) ((addr) | ABI_FRAME_CERTAIN)
#define GO_TAIL CERTAIN(IN_CGOCALL), GO_FUNC(0), GO_FUNC(1), GO_FUNC(2)

#if defined(__x86_64__)
TEST(c_called_by_go)
{
	static const uint64_t left[] = {
		0, 1, 12, 8, UINT64_MAX & ~7ULL, 0xffff888000000000ULL, THREAD + 0x100000,
		STACK_LO + 0x1000 + CGOCALL_FRAME - 8, /* Go's own, which skips cgocall */
		STACK_LO, STACK_HI - 8,
	};

	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		reset();
		put_cgocall(STACK_LO + 0x1000, 0, 3);
		set_in_c(STACK_LO + 0x1000);
		if (!CHECK_FRAMES(walk_c(left[i]), MALLOC, C_SITE, GO_TAIL))
			fprintf(stderr, "  frame pointer %lx\n", left[i]);
		/* A C function with a frame pointer, which keeps what it found in the register. */
		put_frame(THREAD + 64, left[i], C_CALLER);
		if (!CHECK_FRAMES(walk_c(THREAD + 64), MALLOC, C_SITE, C_CALLER, GO_TAIL))
			fprintf(stderr, "  saved frame pointer %lx\n", left[i]);
	}
	/* One that is its own caller. */
	put_frame(THREAD + 64, THREAD + 64, C_CALLER);
	CHECK_FRAMES(walk_c(THREAD + 64), MALLOC, C_SITE, C_CALLER, GO_TAIL);
}

/* Whatever does not fit leaves the stack as the frame pointers have it. */
TEST(no_go_caller)
{
	for (int what = 0; what < 9; what++) {
		reset();
		put_cgocall(STACK_LO + 0x1000, 0, 3);
		set_in_c(STACK_LO + 0x1000);
		put_frame(THREAD + 64, 0, C_CALLER);
		switch (what) {
		case 0: /* no cgo */
			fake.go.cgocall = 0;
			break;
		case 1: /* no Go in this thread */
			put(TLS + TLS_G, 0);
			break;
		case 2: /* somebody's pointer */
			put(TLS + TLS_G, CURG);
			break;
		case 3:
			put(TLS + TLS_G, 0x1234567);
			break;
		case 4: /* the thread has no goroutine */
			put(M + fake.go.m_curg, 0);
			break;
		case 5: /* which runs elsewhere */
			put(CURG + fake.go.g_m, M + 8);
			break;
		case 6: /* the runtime called C for itself */
			put(CURG + fake.go.g_syscallsp, 0);
			break;
		case 7: /* a system call, not cgocall */
			put(CURG + fake.go.g_syscallpc, CGOCALL + 0x100);
			break;
		case 8:
			put(CURG + fake.go.g_syscallsp, STACK_HI);
			break;
		}
		if (!CHECK_FRAMES(walk_c(THREAD + 64), MALLOC, C_SITE, C_CALLER))
			fprintf(stderr, "  case %d\n", what);
	}
}

/*
 * A callback whose cgocallbackg has its frame at @fp: cgocallback's and asmcgocall's above it, then
 * cgocall. Returns cgocall's SP. @c_fp: what C had in the register.
 */
static uint64_t put_callback(uint64_t fp, uint64_t thread_fp, uint64_t c_fp)
{
	uint64_t sp = fp + 16 + CALLBACK_FRAME;

	put_frame(fp, thread_fp, IN_CGOCALLBACK);
	put_frame(thread_fp, c_fp, IN_CROSSCALL2);
	put(sp - 8, IN_CGOCALL);
	return sp;
}

#define CALLBACK_FP (STACK_LO + 0x800)
#define THREAD_FP (THREAD + 256)
#define CALLBACK GO_FUNC(100), GO_FUNC(99), GO_FUNC(98), IN_CGOCALLBACK, IN_CROSSCALL2

TEST(go_called_by_c)
{
	static const uint64_t left[] = { 0, 1, 8, STACK_LO + 0x900, STACK_HI - 16, CALLBACK_FP };

	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		reset();
		put_frame(STACK_LO + 0x700, CALLBACK_FP, GO_FUNC(98));
		put_cgocall(put_callback(CALLBACK_FP, THREAD_FP, left[i]), 0, 3);
		if (!CHECK_FRAMES(walk_go(STACK_LO + 0x600, STACK_LO + 0x700), CALLBACK, GO_TAIL))
			fprintf(stderr, "  frame pointer %lx\n", left[i]);
	}
	/* With C functions in between. */
	put_frame(THREAD_FP, THREAD_FP + 64, IN_CROSSCALL2);
	put_frame(THREAD_FP + 64, 3, C_CALLER);
	CHECK_FRAMES(walk_go(STACK_LO + 0x600, STACK_LO + 0x700), CALLBACK, C_CALLER, GO_TAIL);
}

TEST(nested_callbacks)
{
	uint64_t sp, outer = STACK_LO + 0x1000;

	reset();
	put_frame(STACK_LO + 0x700, CALLBACK_FP, GO_FUNC(98));
	sp = put_callback(CALLBACK_FP, THREAD_FP, 1);
	put_frame(sp + CGOCALL_FRAME - 8, outer, GO_FUNC(50));
	put_cgocall(put_callback(outer, THREAD_FP + 512, 0), 0, 3);
	CHECK_FRAMES(walk_go(STACK_LO + 0x600, STACK_LO + 0x700), CALLBACK, CERTAIN(IN_CGOCALL), GO_FUNC(50),
		     IN_CGOCALLBACK, IN_CROSSCALL2, GO_TAIL);

	/* And C called by the innermost. */
	put_frame(STACK_LO + 0x200 + CGOCALL_FRAME - 8, STACK_LO + 0x700, GO_FUNC(97));
	set_in_c(STACK_LO + 0x200);
	CHECK_FRAMES(walk_c(1), MALLOC, C_SITE, CERTAIN(IN_CGOCALL), GO_FUNC(97), GO_FUNC(98), IN_CGOCALLBACK,
		     IN_CROSSCALL2, CERTAIN(IN_CGOCALL), GO_FUNC(50), IN_CGOCALLBACK, IN_CROSSCALL2, GO_TAIL);
}

/* The allocator often works on the thread's stack: coming from there is no crossing to C. */
TEST(allocation_on_the_system_stack)
{
	reset();
	put_frame(THREAD + 64, STACK_LO + 0x700, GO_FUNC(97));
	put_frame(STACK_LO + 0x700, CALLBACK_FP, GO_FUNC(98));
	put_cgocall(put_callback(CALLBACK_FP, THREAD_FP, 1), 0, 3);
	CHECK_FRAMES(walk_go(THREAD, THREAD + 64), GO_FUNC(100), GO_FUNC(99), GO_FUNC(97), GO_FUNC(98), IN_CGOCALLBACK,
		     IN_CROSSCALL2, GO_TAIL);
}

/* A thread that C made: below the callback is no cgocall, and C's frames are the end. */
TEST(go_called_by_a_thread_of_c)
{
	reset();
	put_frame(STACK_LO + 0x700, CALLBACK_FP, GO_FUNC(98));
	put(put_callback(CALLBACK_FP, THREAD_FP, THREAD_FP + 64) - 8, CGOCALL + 0x2000);
	put_frame(THREAD_FP + 64, 0, C_CALLER);
	CHECK_FRAMES(walk_go(STACK_LO + 0x600, STACK_LO + 0x700), CALLBACK, C_CALLER);
	/* They must not lead back. */
	put_frame(THREAD_FP + 64, STACK_LO + 0x700, C_CALLER);
	CHECK_FRAMES(walk_go(STACK_LO + 0x600, STACK_LO + 0x700), CALLBACK, C_CALLER);
	/* What is lost without a Go caller is lost. */
	put_frame(THREAD_FP + 64, 1, C_CALLER);
	CHECK_INT(walk_go(STACK_LO + 0x600, STACK_LO + 0x700)->flags, ABI_STACK_BAD_FP);
}

TEST(full)
{
	const struct abi_rec_stack *rec;
	uint64_t at = THREAD + 64;

	reset();
	put_cgocall(STACK_LO + 0x1000, 0, 3);
	set_in_c(STACK_LO + 0x1000);
	for (int i = 2; i < 127; i++, at += 16)
		put_frame(at, i < 126 ? at + 16 : 0, C_CALLER);
	rec = walk_c(THREAD + 64);
	CHECK_INT(rec->nframes, ABI_MAX_FRAMES);
	CHECK_INT(rec->flags, ABI_STACK_TRUNCATED); /* Go's part has no place */
	put_frame(at - 32, 0, C_CALLER);
	rec = walk_c(THREAD + 64);
	CHECK_INT(rec->nframes, ABI_MAX_FRAMES);
	CHECK_INT(rec->frames[126], CERTAIN(IN_CGOCALL));
	CHECK_INT(rec->flags, ABI_STACK_TRUNCATED);
}

/* C stacks that differ only in their Go callers are different. */
TEST(stack_ids)
{
	uint64_t id;

	reset();
	put_cgocall(STACK_LO + 0x1000, 0, 3);
	set_in_c(STACK_LO + 0x1000);
	id = walk_c(0)->stack_id;
	CHECK_INT(walk_c(1)->stack_id, id);
	put_cgocall(STACK_LO + 0x1000, 1, 3);
	CHECK(walk_c(0)->stack_id != id);
}

TEST(g_in_thread_local_storage)
{
	static const struct {
		uint8_t code[24];
		uint32_t len;
		bool found;
		int32_t want;
	} cases[] = {
		/* mov %fs:-8,%rcx; mov %fs:-32,%r14; mov $-88,%rcx, mov %fs:(%rcx),%r8; the same with %r14 */
		{ { 0x64, 0x48, 0x8b, 0x0c, 0x25, 0xf8, 0xff, 0xff, 0xff, 0x90, 0x90 }, 11, true, -8 },
		{ { 0x90, 0x64, 0x4c, 0x8b, 0x34, 0x25, 0xe0, 0xff, 0xff, 0xff, 0x90, 0x90 }, 12, true, -32 },
		{ { 0x48, 0xc7, 0xc1, 0xa8, 0xff, 0xff, 0xff, 0x64, 0x4c, 0x8b, 0x01 }, 11, true, -88 },
		{ { 0x49, 0xc7, 0xc6, 0xe8, 0xff, 0xff, 0xff, 0x64, 0x4d, 0x8b, 0x36 }, 11, true, -24 },
		/* another register; from memory; a store; cut off */
		{ { 0x48, 0xc7, 0xc1, 0xa8, 0xff, 0xff, 0xff, 0x64, 0x48, 0x8b, 0x02 }, 11, false, 0 },
		{ { 0x48, 0x8b, 0x0d, 0xa8, 0xff, 0xff, 0xff, 0x64, 0x48, 0x8b, 0x01 }, 11, false, 0 },
		{ { 0x64, 0x48, 0x89, 0x0c, 0x25, 0xf8, 0xff, 0xff, 0xff, 0x90, 0x90 }, 11, false, 0 },
		{ { 0x64, 0x48, 0x8b, 0x0c, 0x25, 0xf8, 0xff, 0xff }, 8, false, 0 },
		{ { 0 }, 0, false, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int32_t got = 0;

		if (!CHECK_INT(cgo_find_tls_g((struct span){ cases[i].code, cases[i].len }, &got), cases[i].found) ||
		    !CHECK_INT(got, cases[i].want))
			fprintf(stderr, "  case %zu\n", i);
	}
}
#endif

TEST_MAIN()
