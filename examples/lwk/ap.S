/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the other CPUs start. A start-up IPI begins in real mode at CS:IP = page:0, so this is
 * copied to a page of low memory; addresses in it are offsets from its start. From there straight
 * to long mode with the GDT and the page tables of the first CPU.
 */
#include "bm.h"

#define CR0_LONG	0x80000011	/* PG, ET, PE; caches on */
#define CR4_PAE		0x20
#define MSR_EFER	0xc0000080
#define EFER_LME	8

	.section .rodata
	.code16
	.balign	16
	.globl	lwk_ap_start, lwk_ap_end, lwk_ap_cr3, lwk_ap_gdt
lwk_ap_start:
	cli
	cld
	movw	%cs, %ax
	movw	%ax, %ds
	lgdtl	lwk_ap_gdt - lwk_ap_start
	movl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	lwk_ap_cr3 - lwk_ap_start, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	btsl	$EFER_LME, %eax
	wrmsr
	movl	$CR0_LONG, %eax
	movl	%eax, %cr0
	ljmpl	*(ap_far - lwk_ap_start)

	.balign	8
ap_far:
	.long	ap_entry64
	.word	BM_SEL_CODE
	.balign	8
lwk_ap_gdt:			/* filled by lwk_smp_start(), as is CR3 */
	.skip	8
lwk_ap_cr3:
	.skip	4
lwk_ap_end:

	/* The first to come is CPU 1, and so on; those that are too many sleep for good. */
	.text
	.code64
ap_entry64:
	movl	$BM_SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	movl	$1, %edi
	lock xaddl %edi, lwk_ap_ticket(%rip)
	cmpl	lwk_ap_limit(%rip), %edi
	jae	1f
	movq	lwk_ap_stacks(, %rdi, 8), %rsp
	xorl	%ebp, %ebp
	call	lwk_ap_main
1:	cli
	hlt
	jmp	1b

	.section .note.GNU-stack, "", @progbits
