/* SPDX-License-Identifier: BSD-2-Clause */
/* The debug program's #DB handler, and the code that it sets breakpoints on and steps through. */
#define RFLAGS_TF	0x100
#define RFLAGS_RF	0x10000
#define DR6_CLEAR	0xffff0ff0
#define LOG_SIZE	32	/* as in prog_debug.c */

	.text
	/* Notes DR6 and RIP and clears DR6. Past a breakpoint: RF lets the instruction at RIP go on. */
	.balign	16
	.globl	lwk_isr_db
lwk_isr_db:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	movl	lwk_db_count(%rip), %ecx
	cmpl	$LOG_SIZE, %ecx
	jae	1f
	leaq	lwk_db_dr6(%rip), %rdx
	movq	%dr6, %rax
	movq	%rax, (%rdx, %rcx, 8)
	leaq	lwk_db_rip(%rip), %rdx
	movq	24(%rsp), %rax
	movq	%rax, (%rdx, %rcx, 8)
1:	incl	lwk_db_count(%rip)
	movq	%dr6, %rax
	testb	$0xf, %al
	jz	2f
	orq	$RFLAGS_RF, 40(%rsp)
2:	movl	$DR6_CLEAR, %eax
	movq	%rax, %dr6
	popq	%rdx
	popq	%rcx
	popq	%rax
	iretq

	.balign	16
	.globl	lwk_db_target
lwk_db_target:
	nop
	ret

	/* Steps: behind the first NOP, the CPUID (which exits), the second NOP, PUSHF, AND, POPF. */
	.balign	16
	.globl	lwk_db_step, lwk_db_step_cpuid, lwk_db_step_nop
lwk_db_step:
	pushq	%rbx
	xorl	%eax, %eax
	xorl	%ecx, %ecx
	pushfq
	orq	$RFLAGS_TF, (%rsp)
	popfq
	nop
lwk_db_step_cpuid:
	cpuid
lwk_db_step_nop:
	nop
	pushfq
	andq	$~RFLAGS_TF, (%rsp)
	popfq
	popq	%rbx
	ret

	.section .note.GNU-stack, "", @progbits
