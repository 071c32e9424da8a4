/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two ways in: bm_entry64 (ELF entry, 64-bit mode, RSI = Linux boot_params) and bm_entry32
 * (multiboot, 32-bit protected mode, EBX = multiboot information). They meet in start64, which
 * sends the program's bm_first_line to COM1 before it does anything else: launch cost is measured
 * up to that line.
 */
#include "bm.h"

#define MB_FLAGS	0x00010003	/* address fields, memory information, aligned modules */
#define COM1		0x3f8
#define COM1_LSR	0x3fd
#define LSR_THRE	0x20
#define POLLS		100000		/* go on without a UART rather than hang */

	.section .multiboot, "a"
	.balign 8
multiboot_header:
	.long	BM_MULTIBOOT_HEADER
	.long	MB_FLAGS
	.long	-(BM_MULTIBOOT_HEADER + MB_FLAGS)
	.long	multiboot_header
	.long	bm_image_start
	.long	bm_data_end
	.long	bm_image_end
	.long	bm_entry32

	.section .rodata
no_long_mode:
	.asciz	"this CPU has no 64-bit mode, cannot boot\n"

	.text
	.code32
	.globl	bm_entry32
bm_entry32:
	cli
	cld
	movl	%eax, %edi		/* CPUID leaves EDI and ESI alone */
	movl	%ebx, %esi
	movl	$bm_stack_top, %esp
	movl	$0x80000000, %eax
	cpuid
	cmpl	$0x80000001, %eax
	jb	5f
	movl	$0x80000001, %eax
	cpuid
	btl	$29, %edx
	jnc	5f

	/* Identity map of the low 4 GiB: one PML4 entry, four PDPT entries, 2048 2-MiB leaves. */
	movl	$boot_pdpt + 3, boot_pml4
	movl	$boot_pd + 3, %eax
	movl	$boot_pdpt, %edx
	movl	$4, %ecx
1:	movl	%eax, (%edx)
	addl	$4096, %eax
	addl	$8, %edx
	decl	%ecx
	jnz	1b
	movl	$0x83, %eax		/* present, writable, large */
	movl	$boot_pd, %edx
	movl	$2048, %ecx
2:	movl	%eax, (%edx)
	addl	$0x200000, %eax
	addl	$8, %edx
	decl	%ecx
	jnz	2b

	movl	%cr4, %eax
	orl	$0x20, %eax		/* PAE */
	movl	%eax, %cr4
	movl	$boot_pml4, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx	/* EFER.LME */
	rdmsr
	btsl	$8, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$0x80000001, %eax	/* PG, PE */
	movl	%eax, %cr0
	lgdt	bm_gdt_pointer
	ljmp	$BM_SEL_CODE, $start64

5:	movl	$no_long_mode, %esi
	movl	$COM1, %edx
6:	lodsb
	testb	%al, %al
	jz	8f
	outb	%al, (%dx)
	movl	$POLLS, %ecx		/* give a slow UART the time to send the byte */
7:	decl	%ecx
	jnz	7b
	jmp	6b
8:	movb	$BM_EXIT_BOOT, %al
	outb	%al, $BM_EXIT_PORT
9:	hlt
	jmp	9b

	.code64
	.globl	bm_entry64
bm_entry64:
	cli
	cld
	xorl	%edi, %edi		/* no multiboot magic: RSI is boot_params */
start64:
	movq	%rsi, %r8
	leaq	bm_first_line(%rip), %rsi
1:	movl	$COM1_LSR, %edx
	movl	$POLLS, %ecx
2:	inb	(%dx), %al
	testb	$LSR_THRE, %al
	jnz	3f
	decl	%ecx
	jnz	2b
3:	lodsb
	testb	%al, %al
	jz	4f
	movl	$COM1, %edx
	outb	%al, (%dx)
	jmp	1b

4:	lgdt	bm_gdt_pointer(%rip)
	movl	$BM_SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	leaq	bm_stack_top(%rip), %rsp
	pushq	$BM_SEL_CODE
	leaq	5f(%rip), %rax
	pushq	%rax
	lretq
5:	xorl	%ebp, %ebp
	movq	%r8, %rsi
	call	bm_main
6:	hlt
	jmp	6b

	.data
	.balign	16
	.globl	bm_gdt
bm_gdt:				/* selectors as the 64-bit boot protocol has them */
	.quad	0
	.quad	0
	.quad	0x00af9b000000ffff	/* 0x10: 64-bit code */
	.quad	0x00cf93000000ffff	/* 0x18: data */
	.quad	0, 0			/* 0x20: TSS, filled by bm_trap_init() */
bm_gdt_pointer:
	.word	bm_gdt_pointer - bm_gdt - 1
	.quad	bm_gdt

	.bss
	.balign	4096
boot_pml4:
	.skip	4096
boot_pdpt:
	.skip	4096
boot_pd:
	.skip	4 * 4096
	.skip	32768
	.globl	bm_stack_top
bm_stack_top:

	.section .note.GNU-stack, "", @progbits
