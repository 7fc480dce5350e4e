/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers by role. Go's register ABI: amd64 from 1.17, arm64 from 1.18
 * (cmd/compile/abi-internal.md). C: System V AMD64 psABI, AAPCS64.
 */
#ifndef ALLOCSNOOP_ARCH_BPF_H
#define ALLOCSNOOP_ARCH_BPF_H

#ifdef __bpf__
#include "vmlinux.h"
#endif

#if defined(__TARGET_ARCH_x86)
#define GO_ARG1(ctx) ((ctx)->ax)
#define GO_ARG2(ctx) ((ctx)->bx)
#define GO_ARG3(ctx) ((ctx)->cx)
#define GO_ARG4(ctx) ((ctx)->di)
#define GO_G(ctx) ((ctx)->r14)
#define GO_OLD_ABI_G_IN_TLS 1
#define TLS_BASE(task) BPF_CORE_READ(task, thread.fsbase)
#define X86_CF 0x01
#define X86_ZF 0x40
/* Will the conditional branch after `cmp stackguard, sp` (jbe) be taken? */
#define STACK_CHECK_TAKEN(ctx) ((ctx)->flags & (X86_CF | X86_ZF))
#define ARCH_RA(ctx) 0 /* on the stack */
/* arch/x86/entry/syscalls/syscall_64.tbl */
enum { ARCH_NR_MMAP = 9, ARCH_NR_MUNMAP = 11, ARCH_NR_BRK = 12, ARCH_NR_MREMAP = 25, ARCH_NR_MADVISE = 28 };
/* Where Go asks for its heap first (runtime/malloc.go, mallocinit), and how far it is believed to reach. */
#define ARCH_GO_ARENA 0xc000000000
#define ARCH_GO_ARENA_BYTES 0x4000000000
#define ARCH_GO_ARENA_BASE 0xffff800000000000 /* arenaBaseOffset, runtime/malloc.go: of the arena with index 0 */
#define ARCH_SYSCALL_NR(regs) ((regs)->orig_ax)
#elif defined(__TARGET_ARCH_arm64)
#define UREGS(ctx) ((const volatile struct user_pt_regs *)(ctx))
#define GO_ARG1(ctx) (UREGS(ctx)->regs[0])
#define GO_ARG2(ctx) (UREGS(ctx)->regs[1])
#define GO_ARG3(ctx) (UREGS(ctx)->regs[2])
#define GO_ARG4(ctx) (UREGS(ctx)->regs[3])
#define GO_G(ctx) (UREGS(ctx)->regs[28])
#define GO_OLD_ABI_G_IN_TLS 0
#define PSR_C 0x20000000
#define PSR_Z 0x40000000
/* b.ls: C clear or Z set. */
#define STACK_CHECK_TAKEN(ctx) (!(UREGS(ctx)->pstate & PSR_C) || (UREGS(ctx)->pstate & PSR_Z))
#define ARCH_RA(ctx) (UREGS(ctx)->regs[30])
/* include/uapi/asm-generic/unistd.h */
enum { ARCH_NR_BRK = 214, ARCH_NR_MUNMAP = 215, ARCH_NR_MREMAP = 216, ARCH_NR_MMAP = 222, ARCH_NR_MADVISE = 233 };
#define ARCH_GO_ARENA 0x4000000000 /* runtime/malloc.go, mallocinit */
#define ARCH_GO_ARENA_BYTES 0x4000000000
#define ARCH_GO_ARENA_BASE 0
#define ARCH_SYSCALL_NR(regs) ((regs)->syscallno)
#else
#error "no register names for this architecture"
#endif

#endif
