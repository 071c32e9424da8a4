/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Small kernel images that are sound, for tests to damage.
 */
#ifndef V3_BUILD_IMAGE_H
#define V3_BUILD_IMAGE_H

#include <elf.h>
#include <stdint.h>
#include <string.h>

#define TEST_ELF_SEGMENTS 2
struct test_elf {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr[TEST_ELF_SEGMENTS];
	uint8_t pad[0x1000 - sizeof(Elf64_Ehdr) - TEST_ELF_SEGMENTS * sizeof(Elf64_Phdr)];
	uint8_t text[0x1000], data[0x800];
};

/* Text at 1 MiB, data and bss at 2 MiB. */
static inline void test_elf_build(struct test_elf *elf)
{
	memset(elf, 0, sizeof(*elf));
	elf->ehdr = (Elf64_Ehdr){
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			    EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = 0x100010,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = TEST_ELF_SEGMENTS,
		.e_shentsize = sizeof(Elf64_Shdr),
	};
	elf->phdr[0] = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = 0x1000,
		.p_vaddr = 0x100000, .p_paddr = 0x100000,
		.p_filesz = 0x1000, .p_memsz = 0x1000, .p_align = 0x1000,
	};
	elf->phdr[1] = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 0x2000,
		.p_vaddr = 0x200000, .p_paddr = 0x200000,
		.p_filesz = 0x800, .p_memsz = 0x3000, .p_align = 0x1000,
	};
}

struct test_bzimage {
	uint8_t bytes[5 * 512 + 4096];
};

static inline void test_put(struct test_bzimage *image, unsigned int offset, unsigned int bytes,
			    uint32_t value)
{
	memcpy(image->bytes + offset, &value, bytes);
}

/* Protocol 2.15, both entries, four setup sectors and 4 KiB of kernel. */
static inline void test_bzimage_build(struct test_bzimage *image)
{
	memset(image, 0, sizeof(*image));
	memcpy(image->bytes, "MZ", 2);
	test_put(image, 0x1F1, 1, 4);
	test_put(image, 0x1F4, 4, 4096 / 16);
	test_put(image, 0x1FE, 2, 0xAA55);
	memcpy(image->bytes + 0x202, "HdrS", 4);
	test_put(image, 0x206, 2, 0x020F);
	test_put(image, 0x211, 1, 1);
	test_put(image, 0x236, 2, 1);
}

#endif
