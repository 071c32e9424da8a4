/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot206 FILE: writes a bzImage of boot protocol 2.06 with nothing but a 32-bit entry, which does
 * what lightweight kernels do that know no ACPI: finds the CPUs in the MP table, measures TSC and
 * local APIC timer by channel 2 of the 8254 and port 0x61, and starts the other CPUs by INIT and
 * two start-up IPIs. It prints command line, initial RAM disk, CPUs of the table and CPUs that ran,
 * and exits with 0, or else with the number of what was wrong.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

extern const uint8_t code[], code_end[];
__asm__(
	".pushsection .rodata\n"
	".code32\n"
	"code:	mov $0x1f0000, %esp\n"
	"	mov %esi, %ebx\n"
	"	movb $1, status\n"		/* boot_params */
	"	cmpl $0x53726448, 0x202(%ebx)\n"
	"	jne fail\n"
	"	cmpb $0, 0x210(%ebx)\n"		/* type of loader */
	"	je fail\n"
	"	cmpb $2, 0x1e8(%ebx)\n"		/* memory map */
	"	jb fail\n"
	"	mov 0x228(%ebx), %esi\n"
	"	call puts\n"
	"	mov 0x218(%ebx), %esi\n"	/* initial RAM disk, a string here */
	"	call puts\n"
	"	movb $2, status\n"		/* MP table */
	"	mov $0xf0000, %edi\n"
	"find:	cmpl $0x5f504d5f, (%edi)\n"
	"	je found\n"
	"	add $16, %edi\n"
	"	cmp $0x100000, %edi\n"
	"	jb find\n"
	"	jmp fail\n"
	"found:	cmpb $0, 11(%edi)\n"
	"	jne fail\n"
	"	mov 4(%edi), %edi\n"
	"	cmpl $0x504d4350, (%edi)\n"
	"	jne fail\n"
	"	movzwl 34(%edi), %ecx\n"
	"	lea 44(%edi), %esi\n"
	"	xor %edx, %edx\n"
	"entry:	cmpb $0, (%esi)\n"
	"	jne other\n"
	"	testb $1, 3(%esi)\n"
	"	jz unused\n"
	"	inc %edx\n"
	"unused: add $12, %esi\n"
	"other:	add $8, %esi\n"
	"	loop entry\n"
	"	mov %edx, %edi\n"
	"	call digit\n"
	/*
	 * The local APIC's timer by the 8254: 1 GHz, so 10000000 in 10 ms, or more if we come late.
	 */
	"	movb $3, status\n"
	"	movl $0x1ff, 0xfee000f0\n"
	"	movl $0x10000, 0xfee00320\n"
	"	movl $0xb, 0xfee003e0\n"
	"	call pit_start\n"
	"	movl $-1, 0xfee00380\n"
	"	rdtsc\n"
	"	mov %eax, %ebp\n"
	"	call pit_wait\n"
	"	rdtsc\n"
	"	sub %ebp, %eax\n"
	"	mov 0xfee00390, %edx\n"
	"	not %edx\n"
	"	cmp $9900000, %edx\n"
	"	jb fail\n"
	"	cmp $400000000, %edx\n"
	"	ja fail\n"
	"	movb $4, status\n"		/* the TSC runs at 500 MHz or more */
	"	cmp $5000000, %eax\n"
	"	jb fail\n"
	/* The others */
	"	mov $trampoline - code + 0x100000, %esi\n"
	"	mov %edi, %ebp\n"
	"	mov $0x6000, %edi\n"
	"	mov $16, %ecx\n"
	"	rep movsb\n"
	"	movl $0, 0x6100\n"
	"	movl $0xc4500, 0xfee00300\n"
	"	call delay\n"
	"	movl $0xc4606, 0xfee00300\n"
	"	call delay\n"
	"	movl $0xc4606, 0xfee00300\n"
	"	mov $100, %ecx\n"
	"more:	call delay\n"
	"	mov 0x6100, %edx\n"
	"	inc %edx\n"
	"	cmp %ebp, %edx\n"
	"	je all\n"
	"	loop more\n"
	"all:	call delay\n"
	"	mov 0x6100, %edx\n"
	"	inc %edx\n"
	"	call digit\n"
	"	movb $0, status\n"
	"fail:	mov status, %al\n"
	"	out %al, $0xf4\n"
	"	hlt\n"
	"	jmp fail\n"
	/* Channel 2, mode 0, 11932 ticks; the gate is on, the speaker off. */
	"pit_start: in $0x61, %al\n"
	"	and $0xfd, %al\n"
	"	or $1, %al\n"
	"	out %al, $0x61\n"
	"	mov $0xb0, %al\n"
	"	out %al, $0x43\n"
	"	mov $0x9c, %al\n"
	"	out %al, $0x42\n"
	"	mov $0x2e, %al\n"
	"	out %al, $0x42\n"
	"	ret\n"
	"pit_wait: in $0x61, %al\n"
	"	test $0x20, %al\n"
	"	jz pit_wait\n"
	"	ret\n"
	"delay:	call pit_start\n"
	"	jmp pit_wait\n"
	"digit:	mov %dl, %al\n"
	"	add $48, %al\n"
	"	call putc\n"
	"	jmp newline\n"
	"putc:	push %edx\n"
	"	mov %al, %ah\n"
	"	mov $0x3fd, %dx\n"
	"busy:	in %dx, %al\n"
	"	test $0x20, %al\n"
	"	jz busy\n"
	"	mov %ah, %al\n"
	"	mov $0x3f8, %dx\n"
	"	out %al, %dx\n"
	"	pop %edx\n"
	"	ret\n"
	"puts:	lodsb\n"
	"	test %al, %al\n"
	"	jz newline\n"
	"	call putc\n"
	"	jmp puts\n"
	"newline: mov $10, %al\n"
	"	jmp putc\n"
	".code16\n"
	"trampoline: lock incw %cs:0x100\n"
	"	wbinvd\n"
	"1:	cli\n"
	"	hlt\n"
	"	jmp 1b\n"
	".code64\n"
	"code_end:\n"
	".set status, 0x1e0000\n"
	".popsection\n");

static uint8_t image[1024 + 4096];

static void put(unsigned int at, unsigned int bytes, uint32_t value)
{
	memcpy(image + at, &value, bytes);
}

int main(int argc, char **argv)
{
	const size_t size = (size_t)(code_end - code);
	FILE *file = argc == 2 ? fopen(argv[1], "wb") : NULL;

	if (!file || size > 4096)
		return 2;
	put(0x1f1, 1, 1);			/* setup_sects */
	put(0x1f4, 4, 4096 / 16);
	put(0x1fe, 2, 0xaa55);
	put(0x200, 2, 0x3aeb);			/* a jump over the header */
	memcpy(image + 0x202, "HdrS", 4);
	put(0x206, 2, 0x0206);
	put(0x211, 1, 1);			/* loaded high */
	put(0x214, 4, 0x100000);
	put(0x22c, 4, 0x37ffffff);		/* initrd_addr_max */
	put(0x238, 4, 255);			/* cmdline_size */
	memcpy(image + 1024, code, size);
	fwrite(image, sizeof(image), 1, file);
	return fclose(file) ? 2 : 0;
}
