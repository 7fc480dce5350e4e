/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program without any allocator: it sleeps until it is killed. With -m32 it is one of the other class. */
	.globl _start
_start:
#ifdef __x86_64__
	mov	$34, %eax	/* pause */
	syscall
#elif defined(__i386__)
	mov	$29, %eax
	int	$0x80
#elif defined(__aarch64__)
	mov	x0, #0		/* ppoll(NULL, 0, NULL, NULL) */
	mov	x1, #0
	mov	x2, #0
	mov	x3, #0
	mov	x8, #73
	svc	#0
#endif
#ifdef __aarch64__
	b	_start
#else
	jmp	_start
#endif
	.section .note.GNU-stack, "", %progbits
