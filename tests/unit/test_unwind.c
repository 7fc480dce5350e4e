// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stacks of this very process, walked by the BPF side's own code through the tables that
 * user space would load for it, and compared with what libgcc's unwinder says of the same
 * place (backtrace(3)). The tables lie in slabs of ours; everything between a file's
 * .eh_frame and the frames of a record is what runs in the tool.
 */
#include "bpfstub/bpf.h"

#include "bpf/alloc_go.bpf.h"

#include "bpfstub/run.h"

#include "capture/slabs.h"
#include "capture/unwind_load.h"

#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "test.h"

/* Instead of capture/slabs.c. */
struct slabs {
	uint32_t n, waits;
	uint32_t nfiles;
};

static struct slabs the_slabs;

int slabs__new(struct session *session, struct slabs **ret)
{
	(void)session;
	for (uint32_t i = 0; i < FAKE_SLABS; i++) {
		free(fake.slabs[i]);
		fake.slabs[i] = NULL;
	}
	the_slabs = (struct slabs){ 0 };
	*ret = &the_slabs;
	return 0;
}

void slabs__free(struct slabs *slabs)
{
	(void)slabs;
}

int slabs__grow(struct slabs *slabs, uint32_t n)
{
	for (; slabs->n < n; slabs->n++)
		fake.slabs[slabs->n] = calloc(1, sizeof(struct slab));
	return 0;
}

uint32_t slabs__len(const struct slabs *slabs)
{
	return slabs->n;
}

uint32_t *slabs__at(const struct slabs *slabs, uint32_t place)
{
	(void)slabs;
	return (uint32_t *)fake.slabs[place / ABI_SLAB_WORDS]->bytes + place % ABI_SLAB_WORDS;
}

void slabs__wait(struct slabs *slabs)
{
	slabs->waits++;
}

int slabs__set_rule(struct slabs *slabs, uint32_t id, const struct abi_unwind_rule *rule)
{
	(void)slabs;
	if (CHECK(id < FAKE_RULES))
		fake.rules[id] = *rule;
	return 0;
}

int slabs__set_space(struct slabs *slabs, uint32_t slot, uint64_t space)
{
	(void)slabs;
	if (slot == FAKE_SLOT)
		fake.space = space;
	return 0;
}

int slabs__set_file(struct slabs *slabs, const struct abi_file_key *key, const struct abi_unwind_file *file)
{
	CHECK(key->inode && file->nsegments && file->mod.code == ABI_CODE_TABLE);
	slabs->nfiles++;
	return 0;
}

void slabs__forget_file(struct slabs *slabs, const struct abi_file_key *key)
{
	CHECK(key->inode);
	slabs->nfiles--;
}

static struct modules *mods;
static struct gomods *gomods;
static struct aspace as;
static struct unwind_load *ul;

static void load_self(uint64_t max_bytes)
{
	struct unwind_load_opts opts = { .max_bytes = max_bytes };

	fake_reset();
	fake.is_self = true;
	fake.target.tgid = getpid();
	if (!mods) {
		CHECK_INT(modules__new(NULL, &mods), 0);
		CHECK_INT(gomods__new(mods, &gomods), 0);
	}
	CHECK_INT(aspace__read(&as, mods, getpid(), NULL), 0);
	unwind_load__free(ul);
	CHECK_INT(unwind_load__new(&opts, NULL, mods, gomods, &ul), 0);
	CHECK_INT(unwind_load__space(ul, FAKE_SLOT, &as), 0);
}

/* The registers of whoever calls this, as they are behind its return. */
static __attribute__((noinline, optimize("omit-frame-pointer"))) void take_regs(struct walk_from *from)
{
	memset(from, 0, sizeof(*from));
#if defined(__x86_64__)
	from->ra = (uintptr_t)__builtin_return_address(0);
	from->sp = (uintptr_t)__builtin_dwarf_cfa();
	__asm__ volatile("mov %%rbp, %0" : "=r"(from->fp));
#endif
}

static unsigned int compared;
static uint32_t last_flags;

/* Walk from the caller on, as behind the return of a door, and compare with libgcc. */
static __attribute__((noinline)) void compare_here(void)
{
	struct scratch *s = &fake.scratches[0];
	struct walk_from from;
	void *want[256];
	int nwant;

	take_regs(&from);
	nwant = backtrace(want, 256);
	from.ip = 1;
	s->from = from;
	walk(s, &fake.target);
	last_flags = s->rec.flags;
	compared++;
	/* Ours: [0] the door, [1] this function; theirs: [0] this function. */
	if (!CHECK_INT(s->rec.nframes, nwant < ABI_MAX_FRAMES ? nwant + 1 : ABI_MAX_FRAMES))
		fprintf(stderr, "  flags 0x%x\n", s->rec.flags);
	for (uint32_t i = 2; i < s->rec.nframes && (int)i <= nwant; i++)
		if (!CHECK_INT(s->rec.frames[i] & ~ABI_FRAME_FLAGS, (uintptr_t)want[i - 1]))
			break;
	CHECK(s->rec.flags & ABI_STACK_BY_TABLE);
	CHECK(!(s->rec.flags & (ABI_STACK_NO_RULE | ABI_STACK_LOOP | ABI_STACK_BAD_FP | ABI_STACK_UNREADABLE)));
}

static __attribute__((noinline)) uint64_t deep(uint32_t depth, uint64_t x)
{
	volatile uint64_t keep[7] = { x, depth };

	if (!depth)
		compare_here();
	else
		keep[0] += deep(depth - 1, x * 3);
	return keep[0] + keep[1];
}

#if defined(__x86_64__)

TEST(plain_frames)
{
	load_self(UNWIND_MAX_BYTES);
	for (uint32_t depth = 0; depth < 40; depth++) {
		deep(depth, depth);
		CHECK(last_flags & ABI_STACK_TO_END);
	}
	CHECK_INT(last_flags & ABI_STACK_TRUNCATED, 0);
	deep(300, 1);
	CHECK(last_flags & ABI_STACK_TRUNCATED);
}

/* Frames larger than a block, and with a frame pointer since their size is not known. */
static __attribute__((noinline)) void large_frame(size_t bytes)
{
	volatile char *room = __builtin_alloca(bytes);

	room[0] = room[bytes - 1] = 1;
	deep(3, bytes);
	room[0]++;
}

TEST(large_and_variable_frames)
{
	load_self(UNWIND_MAX_BYTES);
	for (size_t bytes = 16; bytes < 20000; bytes = bytes * 5 / 4 + 8)
		large_frame(bytes);
}

/* gcc finds its way back through a register that it saves below the aligned frame. */
static __attribute__((noinline)) void realigned(size_t bytes)
{
	volatile char aligned[256] __attribute__((aligned(128)));
	volatile char *room = __builtin_alloca(bytes);

	CHECK_INT((uintptr_t)aligned % 128, 0);
	aligned[3] = room[0] = 1;
	deep(2, bytes);
	aligned[3] = room[0];
}

TEST(realigned_frames)
{
	load_self(UNWIND_MAX_BYTES);
	for (size_t bytes = 16; bytes < 300; bytes += 8)
		realigned(bytes);
}

static int by_value(const void *a, const void *b)
{
	static unsigned int calls;

	if (calls++ % 64 == 0)
		compare_here();
	return *(const int *)a - *(const int *)b;
}

/* Callbacks from libc, which has no frame pointers. */
TEST(through_libc)
{
	int values[2000];

	load_self(UNWIND_MAX_BYTES);
	compared = 0;
	for (int i = 0; i < 2000; i++)
		values[i] = (i * 7919) % 2003;
	qsort(values, 2000, sizeof(values[0]), by_value);
	CHECK(compared > 50);
}

/* Callee-saved registers, the frame pointer among them, hold other things. */
static __attribute__((noinline, optimize("O2"))) uint64_t busy_registers(uint64_t n)
{
	uint64_t a = n, b = n * 3, c = n ^ 5, d = n + 7, e = n * 11, f = ~n;

	for (uint64_t i = 0; i < 3; i++) {
		a += b * i;
		b ^= c + d;
		c += e * f;
		d ^= a;
		e += b;
		f ^= c;
		deep(1, a + b + c + d + e + f);
		f += a ^ b ^ c ^ d ^ e;
	}
	return a + b + c + d + e + f;
}

TEST(frame_pointer_as_a_register)
{
	load_self(UNWIND_MAX_BYTES);
	for (uint64_t n = 0; n < 20; n++)
		busy_registers(n * 0x123456789abcdefULL);
}

static volatile sig_atomic_t handled;

static void on_signal(int sig)
{
	(void)sig;
	deep(2, 1);
	handled++;
}

/* Interrupted in the middle of a function, on this stack and on another one. */
TEST(signal_frames)
{
	struct sigaction action = { .sa_handler = on_signal };
	stack_t alternate = { .ss_sp = malloc(1 << 18), .ss_size = 1 << 18 };

	load_self(UNWIND_MAX_BYTES);
	handled = 0;
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	CHECK(last_flags & ABI_STACK_TO_END);
	sigaltstack(&alternate, NULL);
	action.sa_flags = SA_ONSTACK;
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	CHECK(last_flags & ABI_STACK_TO_END);
	CHECK_INT(handled, 2);
	alternate.ss_flags = SS_DISABLE;
	sigaltstack(&alternate, NULL);
	free(alternate.ss_sp);
	signal(SIGUSR1, SIG_DFL);
}

static void *in_thread(void *arg)
{
	deep(4, (uintptr_t)arg);
	CHECK(last_flags & ABI_STACK_TO_END);
	return NULL;
}

TEST(outermost_frame_of_a_thread)
{
	pthread_t thread;

	load_self(UNWIND_MAX_BYTES);
	CHECK_INT(pthread_create(&thread, NULL, in_thread, NULL), 0);
	pthread_join(thread, NULL);
}

/* A fault: the walk begins at an instruction, anywhere in a function, also in its prologue. */
static __attribute__((noinline)) void walk_interrupted(const ucontext_t *context)
{
	const greg_t *regs = context->uc_mcontext.gregs;
	struct scratch *s = &fake.scratches[0];
	void *want[256];
	int nwant = backtrace(want, 256), from = 0;

	s->from = (struct walk_from){ .ip = regs[REG_RIP], .sp = regs[REG_RSP], .fp = regs[REG_RBP],
				      .flags = ABI_STACK_LEAF_GUESS };
	walk(s, &fake.target);
	while (from < nwant && (uintptr_t)want[from] != (uintptr_t)regs[REG_RIP])
		from++;
	CHECK(s->rec.flags & ABI_STACK_TO_END);
	CHECK(!(s->rec.flags & ABI_STACK_LEAF_GUESS));
	if (!CHECK_INT(s->rec.nframes, nwant - from))
		return;
	for (uint32_t i = 0; i < s->rec.nframes; i++)
		if (!CHECK_INT(s->rec.frames[i] & ~ABI_FRAME_FLAGS, (uintptr_t)want[from + i]))
			break;
	compared++;
}

static void on_trap(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	walk_interrupted(context);
}

static __attribute__((noinline)) uint64_t leaf(uint64_t x)
{
	return x * 3 + 1;
}

/* Every instruction of some functions, by single-stepping them. */
TEST(every_instruction)
{
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
	volatile uint64_t sum = 0;
	char text[32];

	load_self(UNWIND_MAX_BYTES);
	compared = 0;
	snprintf(text, sizeof(text), "%d %s", 1, "warm"); /* the dynamic linker's part is not to be stepped through */
	sigaction(SIGTRAP, &action, NULL);
	__asm__ volatile("pushf; orq $0x100, (%%rsp); popf" ::: "cc", "memory");
	for (uint64_t i = 0; i < 3; i++)
		sum += leaf(i);
	snprintf(text, sizeof(text), "%d %s", 12, "abc");
	__asm__ volatile("pushf; andq $~0x100, (%%rsp); popf" ::: "cc", "memory");
	signal(SIGTRAP, SIG_DFL);
	CHECK(compared > 300);
	CHECK_STR(text, "12 abc");
}

#define LIBSTDCXX "/usr/lib/x86_64-linux-gnu/libstdc++.so.6"

TEST(a_budget)
{
	struct unwind_load_stats before, stats;
	uint32_t module;
	int fd;

	load_self(0);
	unwind_load__stats(ul, &stats);
	CHECK(stats.no_room >= 2);
	CHECK_INT(stats.modules, 0);
	CHECK_INT(fake.space, 0);

	/* One slab has room for this process, or for the C++ library. */
	load_self(ABI_SLAB_BYTES);
	unwind_load__stats(ul, &before);
	CHECK(before.modules >= 2 && before.rows > 10000 && before.bytes >= 4 * before.rows);
	CHECK(before.bytes <= ABI_SLAB_BYTES);
	CHECK_INT(before.no_room, 0);
	fd = open(LIBSTDCXX, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		SKIP("no " LIBSTDCXX);
		return;
	}
	module = modules__add_file(mods, fd, LIBSTDCXX);
	unwind_load__module(ul, module);
	unwind_load__stats(ul, &stats);
	if (!CHECK_INT(stats.no_room, 1))
		return; /* what is in use stays */
	CHECK_INT(stats.modules, before.modules);
	deep(3, 1);

	load_self(ABI_SLAB_BYTES);
	unwind_load__forget(ul, FAKE_SLOT);
	CHECK_INT(fake.space, 0);
	unwind_load__module(ul, module);
	unwind_load__stats(ul, &stats);
	CHECK_INT(stats.no_room, 0);
	CHECK(stats.modules < before.modules + 1); /* made room */
	CHECK(the_slabs.waits > 0);
	/* And back. */
	unwind_load__space(ul, FAKE_SLOT, &as);
	deep(3, 1);
	unwind_load__stats(ul, &stats);
	CHECK_INT(stats.no_room, 0);
}

#endif

TEST_MAIN()
