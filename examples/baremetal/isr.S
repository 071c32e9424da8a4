/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupt entry: one 16-byte stub per vector makes all frames alike (struct bm_frame), the
 * common part saves the registers and calls bm_trap().
 */
#include "bm.h"

	.text
	.balign	16
	.globl	bm_isr_stubs
bm_isr_stubs:
	.set	vector, 0
	.rept	256
	.balign	16
	/* Vectors whose exception pushes an error code (APM2 8.2, SDM3 6.15). */
	.if	(vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || \
		(vector == 21) || (vector == 29) || (vector == 30)
	.else
	pushq	$0
	.endif
	pushq	$vector
	jmp	isr_common
	.set	vector, vector + 1
	.endr

	.balign	16
isr_common:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
	pushq	%rbp
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	cld
	movq	%rsp, %rdi
	call	bm_trap
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rbp
	popq	%rbx
	popq	%rdx
	popq	%rcx
	popq	%rax
	addq	$16, %rsp
	iretq

	.section .note.GNU-stack, "", @progbits
