/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the loader says: command line and RAM, from Linux boot_params (Documentation/arch/x86/
 * zero-page.rst) or from multiboot information (Multiboot 0.6.96, 3.3).
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
#define MBI_MMAP_LENGTH		44
#define MBI_MMAP_ADDR		48
#define MBI_HAS_MEM		(1u << 0)
#define MBI_HAS_CMDLINE		(1u << 2)
#define MBI_HAS_MMAP		(1u << 6)

struct e820_entry {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
} __attribute__((packed));

struct mmap_entry {
	uint32_t size;		/* of the rest */
	struct e820_entry e;
} __attribute__((packed));

struct lwk_bootinfo lwk_boot;

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
	unsigned int at = lwk_boot.ram_count;

	if (e->type != E820_RAM || __builtin_add_overflow(e->addr, e->size, &end))
		return;
	end &= ~4095ULL;
	if (start >= end)
		return;
	if (at == LWK_MAX_RANGES) {
		lwk_printf("lwk: more than %u RAM ranges, ignoring 0x%llx-0x%llx\n",
			   LWK_MAX_RANGES, (unsigned long long)start, (unsigned long long)end);
		return;
	}
	for (; at > 0 && lwk_boot.ram[at - 1].start > start; at--)
		lwk_boot.ram[at] = lwk_boot.ram[at - 1];
	lwk_boot.ram[at] = (struct lwk_range){ start, end };
	lwk_boot.ram_count++;
}

static void copy_cmdline(uint64_t addr)
{
	const char *s = (const char *)addr;
	size_t n = 0;

	if (!addr)
		return;
	for (; n < LWK_CMDLINE_SIZE - 1 && s[n]; n++)
		lwk_boot.cmdline[n] = s[n];
	if (s[n]) {
		lwk_printf("lwk: command line is longer than %u bytes\n", LWK_CMDLINE_SIZE - 1);
		lwk_exit(LWK_EXIT_USAGE);
	}
}

static void read_boot_params(uint64_t bp)
{
	const struct e820_entry *table = (const struct e820_entry *)(bp + BP_E820_TABLE);
	unsigned int count;

	if (!bp || load32(bp + BP_HEADER_MAGIC) != BP_MAGIC) {
		lwk_printf("lwk: RSI (0x%llx) is no Linux boot_params: no \"HdrS\" at +0x202\n",
			   (unsigned long long)bp);
		lwk_exit(LWK_EXIT_BOOT);
	}
	count = load32(bp + BP_E820_ENTRIES) & 0xff;
	if (count > BP_E820_MAX)
		count = BP_E820_MAX;
	for (unsigned int i = 0; i < count; i++)
		add_ram(&table[i]);
	copy_cmdline((uint64_t)load32(bp + BP_EXT_CMD_LINE_PTR) << 32 |
		     load32(bp + BP_CMD_LINE_PTR));
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
		struct e820_entry high = { LWK_MIB, load32(mbi + MBI_MEM_UPPER) * 1024ULL,
					   E820_RAM };

		add_ram(&high);
	}
	if (flags & MBI_HAS_CMDLINE)
		copy_cmdline(load32(mbi + MBI_CMDLINE));
}

void lwk_bootinfo_read(uint64_t magic, uint64_t info)
{
	if (magic == LWK_MULTIBOOT_LOADER)
		read_multiboot(info);
	else
		read_boot_params(info);
	if (lwk_boot.ram_count == 0) {
		lwk_printf("lwk: the loader's memory map has no RAM\n");
		lwk_exit(LWK_EXIT_BOOT);
	}
}
