/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Structures of the Multiboot Specification 0.6.96, which is version 1: "MB" in comments.
 */
#ifndef V3_LOADER_MULTIBOOT_H
#define V3_LOADER_MULTIBOOT_H

#include <stddef.h>
#include <stdint.h>

/* MB 3.1: the header is in the first 8192 bytes, 4-byte aligned. */
#define V3_MB_SEARCH		8192u
#define V3_MB_ALIGN		4u
#define V3_MB_HEADER_MAGIC	0x1badb002u
#define V3_MB_LOADER_MAGIC	0x2badb002u

/* MB 3.1.2: bits 15:0 must be understood, bits 31:16 may be ignored. */
#define V3_MB_PAGE_ALIGN	(1u << 0)
#define V3_MB_MEMORY_INFO	(1u << 1)
#define V3_MB_VIDEO_MODE	(1u << 2)
#define V3_MB_REQUIRED		0xffffu
#define V3_MB_ADDRESSES		(1u << 16)

struct v3_mb_header {
	uint32_t magic;
	uint32_t flags;
	uint32_t checksum;	/* the sum of the three is 0 */
	/* With V3_MB_ADDRESSES: */
	uint32_t header_addr;
	uint32_t load_addr;
	uint32_t load_end_addr;	/* 0: to the end of the file */
	uint32_t bss_end_addr;	/* 0: no bss */
	uint32_t entry_addr;
};
_Static_assert(sizeof(struct v3_mb_header) == 32, "MB 3.1.1");
#define V3_MB_HEADER_MIN	12u	/* without addresses */

/* MB 3.3 */
#define V3_MB_INFO_MEMORY	(1u << 0)
#define V3_MB_INFO_CMDLINE	(1u << 2)
#define V3_MB_INFO_MODULES	(1u << 3)
#define V3_MB_INFO_MMAP		(1u << 6)
#define V3_MB_INFO_LOADER	(1u << 9)

struct v3_mb_info {
	uint32_t flags;
	uint32_t mem_lower;	/* KiB from 0 */
	uint32_t mem_upper;	/* KiB from 1 MiB to the first hole */
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count;
	uint32_t mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length;
	uint32_t mmap_addr;
	uint32_t drives_length;
	uint32_t drives_addr;
	uint32_t config_table;
	uint32_t boot_loader_name;
	uint32_t apm_table;
	uint32_t vbe[4];
};
_Static_assert(offsetof(struct v3_mb_info, mmap_length) == 44, "MB 3.3");
_Static_assert(offsetof(struct v3_mb_info, boot_loader_name) == 64, "MB 3.3");
_Static_assert(sizeof(struct v3_mb_info) == 88, "MB 3.3");

struct v3_mb_module {
	uint32_t start;
	uint32_t end;		/* behind the last byte */
	uint32_t string;
	uint32_t reserved;
};

struct v3_mb_mmap {
	uint32_t size;		/* of the rest */
	uint64_t addr;
	uint64_t len;
	uint32_t type;		/* as e820: 1 is RAM */
} __attribute__((packed));
_Static_assert(sizeof(struct v3_mb_mmap) == 24, "MB 3.3");

#endif
