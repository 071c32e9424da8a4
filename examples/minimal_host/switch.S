/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * void mh_switch(uint64_t *from, uint64_t to): what a call must preserve goes onto the old stack
 * and comes from the new one. A new thread's stack is laid out alike by mh_thread_start().
 */
	.text
	.globl	mh_switch
mh_switch:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

	.section .note.GNU-stack, "", @progbits
