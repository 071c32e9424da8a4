/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * real_image FILE: writes a multiboot kernel that goes to real mode and tries there what kernels,
 * boot loaders and firmware do: interrupts, faults, far calls, strings, the timer, "unreal" mode.
 * It says "real mode: ok" and exits with 0, or with the number of the step that failed. By the
 * first letter of its command line: s spins there for ever, x executes FNINIT first.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define LOAD 0x100000u
#define HEADER 32u

/* Where the 16-bit code runs; variables below it. */
#define REAL "0x8000"
#define AT(label) "(" #label " - code16 + " REAL ")"
#define LETTER "0x7800"
#define STEP_NOW "0x7801"
#define TICKS "0x7804"
#define COUNT "0x7806"
#define STEP(n) "	movb $" #n ", " STEP_NOW "\n"
#define FAIL_IF(condition) "	j" condition " fail\n"
#define VECTOR(n, label) "	movw $" AT(label) ", " #n " * 4\n	movw $0, " #n " * 4 + 2\n"

extern const uint8_t real_code[], real_code_end[];
__asm__(
	".pushsection .rodata\n"
	".code32\n"
	"real_code:\n"
	"	mov $0x7000, %esp\n"
	"	mov 16(%ebx), %edx\n"		/* command line */
	"	mov (%edx), %dl\n"
	"	mov %dl, " LETTER "\n"
	"	cld\n"
	"	mov $(0x100020 + code16 - real_code), %esi\n"
	"	mov $" REAL ", %edi\n"
	"	mov $(real_code_end - code16), %ecx\n"
	"	rep movsb\n"
	"	lgdt " AT(gdtr) "\n"
	"	lidt " AT(ivt) "\n"
	"	ljmp $0x08, $" REAL "\n"

	".code16\n"
	"code16:\n"
	"	mov $0x10, %ax\n"
	"	mov %ax, %ds\n"
	"	mov %ax, %es\n"
	"	mov %ax, %ss\n"
	"	mov %ax, %fs\n"
	"	mov %ax, %gs\n"
	"	mov %cr0, %eax\n"
	"	and $0xfe, %al\n"
	"	mov %eax, %cr0\n"
	"	ljmp $0, $" AT(real) "\n"
	"real:	xor %ax, %ax\n"
	"	mov %ax, %ds\n"
	"	mov %ax, %es\n"
	"	mov %ax, %ss\n"
	"	mov $0x7000, %sp\n"
	"	cmpb $'s', " LETTER "\n"
	"spin:	je spin\n"
	"	cmpb $'x', " LETTER "\n"
	"	jne 1f\n"
	"	fninit\n"
	"1:\n"
	/* An interrupt of its own, and a far call to the same code by another segment. */
	STEP(1)
	VECTOR(0x60, int60)
	"	mov $0x1234, %ax\n"
	"	int $0x60\n"
	"	cmp $0x1235, %ax\n"
	FAIL_IF("ne")
	STEP(2)
	"	lcall $0x100, $(" AT(far) " - 0x1000)\n"
	"	cmp $0x1236, %ax\n"
	FAIL_IF("ne")
	/* #DE and #UD: the handler skips two bytes. */
	STEP(3)
	VECTOR(0, skip)
	VECTOR(6, skip)
	"	xor %cx, %cx\n"
	"	xor %dx, %dx\n"
	"	xor %bx, %bx\n"
	"	div %bx\n"
	"	ud2\n"
	"	cmp $2, %cx\n"
	FAIL_IF("ne")
	STEP(4)
	"	mov $0xabcd, %ax\n"
	"	mov $0xa000, %di\n"
	"	mov $0x400, %cx\n"
	"	rep stosw\n"
	"	mov $0xa000, %si\n"
	"	mov $0xb000, %di\n"
	"	mov $0x400, %cx\n"
	"	rep movsw\n"
	"	movb $0, 0xb7ff\n"
	"	mov $0xa000, %si\n"
	"	mov $0xb000, %di\n"
	"	mov $0x800, %cx\n"
	"	repe cmpsb\n"
	FAIL_IF("e")
	"	cmp $0, %cx\n"
	FAIL_IF("ne")
	/* FS with a limit of 4 GiB stays so in real mode. */
	STEP(5)
	"	mov %cr0, %eax\n"
	"	or $1, %al\n"
	"	mov %eax, %cr0\n"
	"	mov $0x18, %bx\n"
	"	mov %bx, %fs\n"
	"	and $0xfe, %al\n"
	"	mov %eax, %cr0\n"
	"	smsw %ax\n"
	"	test $1, %al\n"
	FAIL_IF("nz")
	"	mov $0x100000, %ebx\n"
	"	cmpl $0x1badb002, %fs:(%ebx)\n"
	FAIL_IF("ne")
	/* The local APIC passes on what the 8259 has, at 100 Hz from the 8254. */
	STEP(6)
	"	mov $0xfee000f0, %ebx\n"
	"	movl $0x1ff, %fs:(%ebx)\n"
	"	mov $0xfee00350, %ebx\n"
	"	movl $0x700, %fs:(%ebx)\n"
	"	cmpl $0x700, %fs:(%ebx)\n"
	FAIL_IF("ne")
	VECTOR(8, tick)
	"	movw $0, " TICKS "\n"
	"	mov $0x11, %al\n"
	"	out %al, $0x20\n"
	"	mov $8, %al\n"
	"	out %al, $0x21\n"
	"	mov $4, %al\n"
	"	out %al, $0x21\n"
	"	mov $1, %al\n"
	"	out %al, $0x21\n"
	"	mov $0xfe, %al\n"
	"	out %al, $0x21\n"
	"	mov $0x34, %al\n"
	"	out %al, $0x43\n"
	"	mov $0x9c, %al\n"
	"	out %al, $0x40\n"
	"	mov $0x2e, %al\n"
	"	out %al, $0x40\n"
	STEP(7)
	"1:	sti\n"
	"	hlt\n"
	"	cli\n"
	"	cmpw $3, " TICKS "\n"
	"	jb 1b\n"
	STEP(8)
	"	sti\n"
	"1:	cmpw $5, " TICKS "\n"
	"	jb 1b\n"
	"	cli\n"
	/* What else is found in such code. */
	STEP(9)
	"	xor %eax, %eax\n"
	"	cpuid\n"
	"	test %eax, %eax\n"
	FAIL_IF("z")
	"	mov $0xc0000080, %ecx\n"
	"	rdmsr\n"
	"	wrmsr\n"
	"	wbinvd\n"
	"	mov %cr3, %eax\n"
	"	mov %eax, %cr3\n"
	"	sgdt 0x7810\n"
	"	mov 0x7812, %eax\n"
	"	cmp $" AT(gdt) ", %eax\n"
	FAIL_IF("ne")
	STEP(10)
	"	mov %sp, %bp\n"
	"	pusha\n"
	"	pushf\n"
	"	popf\n"
	"	popa\n"
	"	enter $8, $1\n"
	"	leave\n"
	"	cmp %sp, %bp\n"
	FAIL_IF("ne")
	"	movl $0x20005678, 0x7820\n"
	"	les 0x7820, %di\n"
	"	mov %es, %ax\n"
	"	cmp $0x2000, %ax\n"
	FAIL_IF("ne")
	"	cmp $0x5678, %di\n"
	FAIL_IF("ne")
	"	lock incw " COUNT "\n"
	"	mov $0x12345678, %eax\n"
	"	bswap %eax\n"
	"	cmp $0x78563412, %eax\n"
	FAIL_IF("ne")
	"	mov $" AT(text) ", %si\n"
	"	mov $0x3f8, %dx\n"
	"1:	lodsb\n"
	"	test %al, %al\n"
	"	jz 2f\n"
	"	out %al, %dx\n"
	"	jmp 1b\n"
	"2:	movb $0, " STEP_NOW "\n"
	"fail:	mov " STEP_NOW ", %al\n"
	"	out %al, $0xf4\n"
	"3:	hlt\n"
	"	jmp 3b\n"
	"int60:	inc %ax\n"
	"	iret\n"
	"far:	inc %ax\n"
	"	lret\n"
	"skip:	push %bp\n"
	"	mov %sp, %bp\n"
	"	addw $2, 2(%bp)\n"
	"	pop %bp\n"
	"	inc %cx\n"
	"	iret\n"
	"tick:	push %ax\n"
	"	incw " TICKS "\n"
	"	mov $0x20, %al\n"
	"	out %al, $0x20\n"
	"	pop %ax\n"
	"	iret\n"
	"	.balign 8\n"
	/* 16-bit code and data of 64 KiB, data of 4 GiB */
	"gdt:	.quad 0, 0x00009b000000ffff, 0x000093000000ffff, 0x00cf93000000ffff\n"
	"gdtr:	.word 31\n"
	"	.long " AT(gdt) "\n"
	"ivt:	.word 0x3ff\n"
	"	.long 0\n"
	"text:	.asciz \"real mode: ok\\n\"\n"
	"real_code_end:\n"
	".code64\n"
	".popsection\n");

int main(int argc, char **argv)
{
	static uint8_t image[4096];
	const uint32_t flags = 3 | 1u << 16;
	const uint32_t header[HEADER / 4] = {
		0x1BADB002, flags, -(0x1BADB002u + flags), LOAD, LOAD, 0, 0, LOAD + HEADER,
	};
	size_t size = HEADER + (size_t)(real_code_end - real_code);
	FILE *file = argc == 2 ? fopen(argv[1], "wb") : NULL;

	if (!file || size > sizeof(image))
		return 2;
	memcpy(image, header, HEADER);
	memcpy(image + HEADER, real_code, size - HEADER);
	fwrite(image, size, 1, file);
	return fclose(file) ? 2 : 0;
}
