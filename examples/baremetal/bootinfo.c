/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the loader says: command line, modules and RAM, from Linux boot_params (the kernel's
 * Documentation/arch/x86/zero-page.rst) or multiboot information (Multiboot 0.6.96, 3.3).
 */
#include "cpu.h"

#define BP_E820_ENTRIES		0x1e8
#define BP_HEADER_MAGIC		0x202
#define BP_CMD_LINE_PTR		0x228
#define BP_EXT_CMD_LINE_PTR	0x0c8
#define BP_E820_TABLE		0x2d0
#define BP_E820_MAX		128
#define BP_MAGIC		0x53726448	/* "HdrS" */
#define E820_RAM		1

#define MBI_FLAGS		0
#define MBI_MEM_UPPER		8
#define MBI_CMDLINE		16
#define MBI_MODS_COUNT		20
#define MBI_MODS_ADDR		24
#define MBI_MMAP_LENGTH		44
#define MBI_MMAP_ADDR		48
#define MBI_HAS_MEM		(1u << 0)
#define MBI_HAS_CMDLINE		(1u << 2)
#define MBI_HAS_MODS		(1u << 3)
#define MBI_HAS_MMAP		(1u << 6)
#define MOD_ENTRY_SIZE		16	/* start, end, string, reserved */

struct e820_entry {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
} __attribute__((packed));

struct mmap_entry {
	uint32_t size;		/* of the rest */
	struct e820_entry e;
} __attribute__((packed));

struct bm_bootinfo bm_boot;

static uint32_t load32(uint64_t addr)
{
	uint32_t v;

	/* Launder: the compiler must not think it knows objects at small addresses. */
	__asm__ volatile("movl (%1), %0" : "=r"(v) : "r"(addr) : "memory");
	return v;
}

static void add_ram(const struct e820_entry *e)
{
	uint64_t end, start = (e->addr + 4095) & ~4095ULL;
	unsigned int at = bm_boot.ram_count;

	if (e->type != E820_RAM || __builtin_add_overflow(e->addr, e->size, &end))
		return;
	end &= ~4095ULL;
	if (start >= end)
		return;
	if (at == BM_MAX_RANGES) {
		bm_printf("%s: more than %u RAM ranges, ignoring 0x%llx-0x%llx\n",
			  bm_name, BM_MAX_RANGES, (unsigned long long)start, (unsigned long long)end);
		return;
	}
	for (; at > 0 && bm_boot.ram[at - 1].start > start; at--)
		bm_boot.ram[at] = bm_boot.ram[at - 1];
	bm_boot.ram[at] = (struct bm_range){ start, end };
	bm_boot.ram_count++;
}

static void copy_string(char *out, uint64_t addr)
{
	const char *s = (const char *)addr;
	size_t n = 0;

	if (!addr)
		return;
	for (; n < BM_CMDLINE_SIZE - 1 && s[n]; n++)
		out[n] = s[n];
	if (s[n]) {
		bm_printf("%s: command line is longer than %u bytes\n", bm_name,
			  BM_CMDLINE_SIZE - 1);
		bm_exit(BM_EXIT_USAGE);
	}
}

static void read_boot_params(uint64_t bp)
{
	const struct e820_entry *table = (const struct e820_entry *)(bp + BP_E820_TABLE);
	unsigned int count;

	if (!bp || load32(bp + BP_HEADER_MAGIC) != BP_MAGIC) {
		bm_printf("%s: RSI (0x%llx) is no Linux boot_params: no \"HdrS\" at +0x202\n",
			  bm_name, (unsigned long long)bp);
		bm_exit(BM_EXIT_BOOT);
	}
	count = load32(bp + BP_E820_ENTRIES) & 0xff;
	if (count > BP_E820_MAX)
		count = BP_E820_MAX;
	for (unsigned int i = 0; i < count; i++)
		add_ram(&table[i]);
	copy_string(bm_boot.cmdline, (uint64_t)load32(bp + BP_EXT_CMD_LINE_PTR) << 32 |
					     load32(bp + BP_CMD_LINE_PTR));
}

static void read_modules(uint64_t at, uint32_t count)
{
	if (count > BM_MAX_MODULES) {
		bm_printf("%s: %u boot modules, at most %u are possible\n", bm_name, count,
			  BM_MAX_MODULES);
		bm_exit(BM_EXIT_BOOT);
	}
	for (uint32_t i = 0; i < count; i++, at += MOD_ENTRY_SIZE) {
		struct bm_module *m = &bm_boot.module[bm_boot.module_count++];

		m->mem = (struct bm_range){ load32(at), load32(at + 4) };
		copy_string(m->string, load32(at + 8));
	}
}

static void read_multiboot(uint64_t mbi)
{
	uint32_t flags = load32(mbi + MBI_FLAGS);

	if (flags & MBI_HAS_MMAP) {
		uint64_t at = load32(mbi + MBI_MMAP_ADDR);
		uint64_t end = at + load32(mbi + MBI_MMAP_LENGTH);

		while (at + sizeof(struct mmap_entry) <= end) {
			const struct mmap_entry *m = (const struct mmap_entry *)at;

			add_ram(&m->e);
			at += m->size + sizeof(m->size);
		}
	} else if (flags & MBI_HAS_MEM) {
		struct e820_entry high = { BM_MIB, load32(mbi + MBI_MEM_UPPER) * 1024ULL,
					   E820_RAM };

		add_ram(&high);
	}
	if (flags & MBI_HAS_MODS)
		read_modules(load32(mbi + MBI_MODS_ADDR), load32(mbi + MBI_MODS_COUNT));
	if (flags & MBI_HAS_CMDLINE)
		copy_string(bm_boot.cmdline, load32(mbi + MBI_CMDLINE));
}

void bm_bootinfo_read(uint64_t magic, uint64_t info)
{
	if (magic == BM_MULTIBOOT_LOADER)
		read_multiboot(info);
	else
		read_boot_params(info);
	if (bm_boot.ram_count == 0) {
		bm_printf("%s: the loader's memory map has no RAM\n", bm_name);
		bm_exit(BM_EXIT_BOOT);
	}
}
