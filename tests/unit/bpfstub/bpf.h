/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lets a test include bpf/NAME.bpf.h and run it as a part of itself: what the BPF
 * side takes from libbpf's headers and the kernel's types, in user mode. Include it
 * before any of them, then define the helpers below: each test has its own maps
 * and its own memory of the target.
 */
#ifndef ALLOCSNOOP_TESTS_BPFSTUB_BPF_H
#define ALLOCSNOOP_TESTS_BPFSTUB_BPF_H

/* libbpf's own headers turn out empty. */
#define __BPF_HELPERS__
#define __BPF_CORE_READ_H__
#define __BPF_TRACING_H__

#include <errno.h>
#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

/* Programs have no prototypes, and not every test calls each of them. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wunused-function"

#define SEC(name)
#define __ksym
#define __weak __attribute__((weak))
#define __hidden
/* BPF code reads words where they stand: both machines can. */
#define __noinline __attribute__((noinline, no_sanitize("alignment")))
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define __uint(name, val) int (*name)[val]
#define __type(name, val) __typeof__(val) *name
#define __array(name, val) __typeof__(val) *name[]
#define barrier() __asm__ volatile("" ::: "memory")
#ifndef barrier_var
#define barrier_var(var) __asm__ volatile("" : "+r"(var))
#endif

/* Functions whose return is probed, and that a thread has not left. */
struct return_instance {
	unsigned long stack, orig_ret_vaddr;
	struct return_instance *next;
};
struct uprobe_task {
	struct return_instance *return_instances;
};

/* The registers and the task, as far as arch.bpf.h and unwind.bpf.h look at them. */
#if defined(__x86_64__)
#define __TARGET_ARCH_x86
struct pt_regs {
	unsigned long ax, bx, cx, dx, si, di, bp, sp, ip, flags, r8, r9, r10, r11, r12, r13, r14, r15;
};
struct task_struct {
	struct uprobe_task *utask;
	struct {
		unsigned long fsbase;
	} thread;
};
#define PT_REGS_IP(ctx) ((ctx)->ip)
#define PT_REGS_SP(ctx) ((ctx)->sp)
#define PT_REGS_FP(ctx) ((ctx)->bp)
#else
#define __TARGET_ARCH_arm64
struct user_pt_regs {
	__u64 regs[31], sp, pc, pstate;
};
struct pt_regs {
	struct user_pt_regs user;
};
struct task_struct {
	struct uprobe_task *utask;
	struct {
		struct {
			unsigned long tp_value;
		} uw;
	} thread;
};
#define PT_REGS_IP(ctx) ((ctx)->user.pc)
#define PT_REGS_SP(ctx) ((ctx)->user.sp)
#define PT_REGS_FP(ctx) ((ctx)->user.regs[29])
#endif
/* A field, or a field of what a field points to: zero behind a null pointer. */
#define BPF_CORE_READ(base, ...) FAKE_READ_N(__VA_ARGS__, FAKE_READ_2, FAKE_READ_1)(base, __VA_ARGS__)
#define FAKE_READ_N(a, b, name, ...) name
#define FAKE_READ_1(base, field) ((base)->field)
#define FAKE_READ_2(base, a, b)                                                                                         \
	({                                                                                                              \
		__typeof__((base)->a) fake_p = (base)->a;                                                               \
		fake_p ? fake_p->b : (__typeof__(fake_p->b))0;                                                          \
	})

/* As the kernel does it: until the function returns other than 0. */
static inline long bpf_loop(__u32 n, void *fn, void *ctx, __u64 flags)
{
	long (*round)(__u32 i, void *ctx) = (long (*)(__u32, void *))fn;

	(void)flags;
	for (__u32 i = 0; i < n; i++)
		if (round(i, ctx))
			return i + 1;
	return n;
}
#define has_loop() true

static void *bpf_map_lookup_elem(void *map, const void *key);
static long bpf_map_update_elem(void *map, const void *key, const void *value, __u64 flags);
static long bpf_ringbuf_output(void *ring, void *data, __u64 size, __u64 flags);
static __u64 bpf_ringbuf_query(void *ring, __u64 flags);
static long bpf_probe_read_user(void *dst, __u32 size, const void *addr);
static __u64 bpf_get_attach_cookie(void *ctx);
static __u64 bpf_get_current_pid_tgid(void);
static void *bpf_get_current_task(void);
static __u64 bpf_ktime_get_ns(void);
static __u32 bpf_get_prandom_u32(void);
static long bpf_map_delete_elem(void *map, const void *key);

/* The target's memory: pages that are there or not, as bpf_probe_read_user() finds them. */
#define FAKE_PAGE 4096u
#define FAKE_PAGES 64
#define FAKE_BASE 0x7f0000000000ULL

struct fake_memory {
	uint8_t bytes[FAKE_PAGES * FAKE_PAGE];
	bool present[FAKE_PAGES];
};

/* All or nothing: on a fault the kernel gives zeroes and -EFAULT. */
static inline long fake_memory__read(const struct fake_memory *mem, void *dst, uint64_t size, uint64_t addr)
{
	uint64_t off = addr - FAKE_BASE;

	memset(dst, 0, size);
	if (off >= sizeof(mem->bytes) || size > sizeof(mem->bytes) - off)
		return -EFAULT;
	for (uint64_t page = off / FAKE_PAGE; page * FAKE_PAGE < off + size; page++)
		if (!mem->present[page])
			return -EFAULT;
	memcpy(dst, mem->bytes + off, size);
	return 0;
}

/* For tests that lay it out: @addr is in it. */
static inline void fake_memory__put(struct fake_memory *mem, uint64_t addr, uint64_t word)
{
	memcpy(mem->bytes + (addr - FAKE_BASE), &word, sizeof(word));
}

#endif
