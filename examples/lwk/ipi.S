/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two self-IPI handlers of the cost program. They do not go through the common entry, because
 * their length is part of what is measured.
 */
#include "bm.h"

	.text
	/* Acknowledge, take the time, return. */
	.balign	16
	.globl	lwk_isr_ipi_xapic
lwk_isr_ipi_xapic:
	pushq	%rax
	pushq	%rdx
	movl	$BM_APIC_BASE + BM_APIC_EOI, %eax
	movl	$0, (%rax)
	lfence
	rdtsc
	shlq	$32, %rdx
	orq	%rdx, %rax
	movq	%rax, lwk_ipi_stamp(%rip)
	popq	%rdx
	popq	%rax
	iretq

	.balign	16
	.globl	lwk_isr_ipi_x2apic
lwk_isr_ipi_x2apic:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	movl	$BM_MSR_X2APIC + (BM_APIC_EOI >> 4), %ecx
	xorl	%eax, %eax
	xorl	%edx, %edx
	wrmsr
	lfence
	rdtsc
	shlq	$32, %rdx
	orq	%rdx, %rax
	movq	%rax, lwk_ipi_stamp(%rip)
	popq	%rdx
	popq	%rcx
	popq	%rax
	iretq

	.bss
	.balign	8
	.globl	lwk_ipi_stamp
lwk_ipi_stamp:
	.skip	8

	.section .note.GNU-stack, "", @progbits
