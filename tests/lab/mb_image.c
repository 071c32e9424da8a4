/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mb_image KIND FILE: writes a small multiboot kernel that prints what it was given (command line,
 * modules, memory map) and exits with 0, or with 1 if it was not entered as the specification says.
 * KIND: elf32, elf64, high32 and high64 (linked for the upper half), flat (with address fields).
 */
#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define LOAD 0x100000u
#define MEMORY 0x10000u		/* with bss, the stack at its end */
#define HEADER 32u
#define ENTRY (LOAD + HEADER)
#define HIGH32 0xC0000000u
#define HIGH64 0xFFFFFFFF80000000ull

extern const uint8_t mb_code[], mb_code_end[];
__asm__(
	".pushsection .rodata\n"
	".code32\n"
	"mb_code:\n"
	"	mov $0x110000, %esp\n"
	"	cmp $0x2badb002, %eax\n"
	"	jne fail\n"
	"	mov %cr0, %eax\n"
	"	test $0x80000000, %eax\n"	/* paging is off */
	"	jnz fail\n"
	"	mov (%ebx), %eax\n"
	"	and $0x24d, %eax\n"		/* memory, command line, modules, map, loader */
	"	cmp $0x24d, %eax\n"
	"	jne fail\n"
	"	cmpl $0, 0x10fff0\n"		/* bss is clear */
	"	jne fail\n"
	"	mov 16(%ebx), %esi\n"
	"	call puts\n"
	"	call newline\n"
	"	mov 20(%ebx), %ebp\n"
	"	mov 24(%ebx), %edi\n"
	"module:\n"
	"	test %ebp, %ebp\n"
	"	jz modules_end\n"
	"	mov 8(%edi), %esi\n"
	"	call puts\n"
	"	mov $'=', %al\n"
	"	call putc\n"
	"	mov (%edi), %esi\n"
	"	test $0xfff, %esi\n"		/* page-aligned, as the header asks */
	"	jnz fail\n"
	"byte:	cmp 4(%edi), %esi\n"
	"	jae module_end\n"
	"	lodsb\n"
	"	call putc\n"
	"	jmp byte\n"
	"module_end:\n"
	"	call newline\n"
	"	add $16, %edi\n"
	"	dec %ebp\n"
	"	jmp module\n"
	"modules_end:\n"
	"	mov 48(%ebx), %edi\n"
	"	mov %edi, %ebp\n"
	"	add 44(%ebx), %ebp\n"
	"range:	cmp %ebp, %edi\n"
	"	jae ranges_end\n"
	"	mov 4(%edi), %edx\n"
	"	call hex\n"
	"	mov 12(%edi), %edx\n"
	"	call hex\n"
	"	mov 20(%edi), %edx\n"
	"	call hex\n"
	"	call newline\n"
	"	add (%edi), %edi\n"
	"	add $4, %edi\n"
	"	jmp range\n"
	"ranges_end:\n"
	"	xor %eax, %eax\n"
	"	jmp end\n"
	"fail:	mov $1, %al\n"
	"end:	out %al, $0xf4\n"
	"	hlt\n"
	"	jmp end\n"
	"putc:	push %edx\n"
	"	mov $0x3f8, %dx\n"
	"	out %al, %dx\n"
	"	pop %edx\n"
	"	ret\n"
	"newline:\n"
	"	mov $10, %al\n"
	"	jmp putc\n"
	"puts:	lodsb\n"
	"	test %al, %al\n"
	"	jz puts_end\n"
	"	call putc\n"
	"	jmp puts\n"
	"puts_end:\n"
	"	ret\n"
	"hex:	mov $8, %ecx\n"			/* EDX, and a blank */
	"digit:	rol $4, %edx\n"
	"	mov %dl, %al\n"
	"	and $15, %al\n"
	"	cmp $10, %al\n"
	"	jb decimal\n"
	"	add $39, %al\n"
	"decimal:\n"
	"	add $48, %al\n"
	"	call putc\n"
	"	loop digit\n"
	"	mov $32, %al\n"
	"	jmp putc\n"
	"mb_code_end:\n"
	".code64\n"
	".popsection\n");

/* Header and code, as they lie at LOAD. */
static uint8_t text[4096];
static uint32_t text_size;

static void text_make(bool addresses)
{
	const uint32_t flags = 3 | (addresses ? 1u << 16 : 0);
	const uint32_t header[HEADER / 4] = {
		0x1BADB002, flags, -(0x1BADB002u + flags), LOAD, LOAD, 0, LOAD + MEMORY, ENTRY,
	};

	text_size = HEADER + (uint32_t)(mb_code_end - mb_code);
	memcpy(text, header, HEADER);
	memcpy(text + HEADER, mb_code, text_size - HEADER);
}

#define IDENT(class) { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, class, ELFDATA2LSB, EV_CURRENT }

static void write_elf32(FILE *file, uint32_t base)
{
	struct {
		Elf32_Ehdr ehdr;
		Elf32_Phdr phdr;
	} elf = {
		.ehdr = { .e_ident = IDENT(ELFCLASS32), .e_type = ET_EXEC, .e_machine = EM_386,
			  .e_version = EV_CURRENT, .e_entry = base + ENTRY,
			  .e_phoff = sizeof(Elf32_Ehdr), .e_ehsize = sizeof(Elf32_Ehdr),
			  .e_phentsize = sizeof(Elf32_Phdr), .e_phnum = 1,
			  .e_shentsize = sizeof(Elf32_Shdr) },
		.phdr = { .p_type = PT_LOAD, .p_offset = sizeof(elf), .p_vaddr = base + LOAD,
			  .p_paddr = LOAD, .p_filesz = text_size, .p_memsz = MEMORY,
			  .p_flags = PF_R | PF_W | PF_X, .p_align = 4 },
	};

	fwrite(&elf, sizeof(elf), 1, file);
}

static void write_elf64(FILE *file, uint64_t base)
{
	struct {
		Elf64_Ehdr ehdr;
		Elf64_Phdr phdr;
	} elf = {
		.ehdr = { .e_ident = IDENT(ELFCLASS64), .e_type = ET_EXEC, .e_machine = EM_X86_64,
			  .e_version = EV_CURRENT, .e_entry = base + ENTRY,
			  .e_phoff = sizeof(Elf64_Ehdr), .e_ehsize = sizeof(Elf64_Ehdr),
			  .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1,
			  .e_shentsize = sizeof(Elf64_Shdr) },
		.phdr = { .p_type = PT_LOAD, .p_offset = sizeof(elf), .p_vaddr = base + LOAD,
			  .p_paddr = LOAD, .p_filesz = text_size, .p_memsz = MEMORY,
			  .p_flags = PF_R | PF_W | PF_X, .p_align = 8 },
	};

	fwrite(&elf, sizeof(elf), 1, file);
}

int main(int argc, char **argv)
{
	const char *kind = argc == 3 ? argv[1] : "";
	FILE *file = argc == 3 ? fopen(argv[2], "wb") : NULL;

	if (!file)
		return 2;
	text_make(!strcmp(kind, "flat"));
	if (!strcmp(kind, "elf32"))
		write_elf32(file, 0);
	else if (!strcmp(kind, "high32"))
		write_elf32(file, HIGH32);
	else if (!strcmp(kind, "elf64"))
		write_elf64(file, 0);
	else if (!strcmp(kind, "high64"))
		write_elf64(file, HIGH64);
	else if (strcmp(kind, "flat"))
		return 2;
	fwrite(text, text_size, 1, file);
	return fclose(file) ? 2 : 0;
}
