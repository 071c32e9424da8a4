/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * void cpu_enter(const struct machine *in, struct machine *out, const struct cpu_target *target, int avx)
 *
 * Loads the registers, jumps to the target, which ends with a jump to cpu_leave, and stores them.
 * MOV keeps the flags, so nothing but MOV stands between the instruction and the PUSHFQ.
 * A target with a code segment is entered by a far jump, with data segments of its own.
 */
	.text
	.globl	cpu_enter
	.hidden	cpu_enter
	.type	cpu_enter, @function
cpu_enter:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	movq	%rsp, host_rsp(%rip)
	movq	%rsi, result(%rip)
	movq	0(%rdx), %rax
	movq	%rax, code(%rip)
	movw	8(%rdx), %ax
	movw	%ax, code + 4(%rip)	/* offset and selector: m16:32 */
	movw	%ax, is_far(%rip)
	testw	%ax, %ax
	leaq	enter_far(%rip), %rax
	cmovzq	code(%rip), %rax
	movq	%rax, entry(%rip)
	movl	%ecx, has_avx(%rip)
	testl	%ecx, %ecx
	jz	1f
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vmovdqu	136 + 32 * \n(%rdi), %ymm\n
	.endr
	jmp	2f
1:
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movdqu	136 + 32 * \n(%rdi), %xmm\n
	.endr
2:
	cmpw	$0, is_far(%rip)
	je	3f
	mov	10(%rdx), %es
	mov	12(%rdx), %ds
	mov	14(%rdx), %gs
	mov	16(%rdx), %ss
3:
	pushq	128(%rdi)
	popfq
	movq	0(%rdi), %rax
	movq	8(%rdi), %rcx
	movq	16(%rdi), %rdx
	movq	24(%rdi), %rbx
	movq	32(%rdi), %rsp
	movq	40(%rdi), %rbp
	movq	48(%rdi), %rsi
	movq	64(%rdi), %r8
	movq	72(%rdi), %r9
	movq	80(%rdi), %r10
	movq	88(%rdi), %r11
	movq	96(%rdi), %r12
	movq	104(%rdi), %r13
	movq	112(%rdi), %r14
	movq	120(%rdi), %r15
	movq	56(%rdi), %rdi
	jmp	*entry(%rip)
enter_far:
	ljmpl	*code(%rip)

	.globl	cpu_leave
	.hidden	cpu_leave
	.type	cpu_leave, @function
cpu_leave:
	movq	%rax, saved_rax(%rip)
	movq	result(%rip), %rax
	movq	%rcx, 8(%rax)
	movq	%rdx, 16(%rax)
	movq	%rbx, 24(%rax)
	movq	%rsp, 32(%rax)
	movq	%rbp, 40(%rax)
	movq	%rsi, 48(%rax)
	movq	%rdi, 56(%rax)
	movq	%r8, 64(%rax)
	movq	%r9, 72(%rax)
	movq	%r10, 80(%rax)
	movq	%r11, 88(%rax)
	movq	%r12, 96(%rax)
	movq	%r13, 104(%rax)
	movq	%r14, 112(%rax)
	movq	%r15, 120(%rax)
	movq	saved_rax(%rip), %rcx
	movq	%rcx, 0(%rax)
	movq	host_rsp(%rip), %rsp
	pushfq
	popq	128(%rax)
	cld
	cmpw	$0, is_far(%rip)
	je	3f
	xorl	%ecx, %ecx
	mov	%ecx, %ds
	mov	%ecx, %es
	mov	%ecx, %gs
	movl	$0x2b, %ecx		/* Linux's only stack segment */
	mov	%ecx, %ss
3:
	cmpl	$0, has_avx(%rip)
	je	1f
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vmovdqu	%ymm\n, 136 + 32 * \n(%rax)
	.endr
	vzeroupper
	jmp	2f
1:
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movdqu	%xmm\n, 136 + 32 * \n(%rax)
	.endr
2:
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.bss
	.balign	8
host_rsp:	.quad	0
result:		.quad	0
code:		.quad	0
entry:		.quad	0
saved_rax:	.quad	0
has_avx:	.long	0
is_far:		.word	0

	.section .note.GNU-stack, "", @progbits
