/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Linux x86 boot protocol's structures. Documentation/arch/x86/boot.rst of the kernel, "The
 * Real-Mode Kernel Header" and "Details of Header Fields"; Documentation/arch/x86/zero-page.rst.
 */
#ifndef V3_LOADER_BOOT_PARAMS_H
#define V3_LOADER_BOOT_PARAMS_H

#include <v3/boot.h>

#include "place.h"

/* Low memory while the guest starts. All of it is RAM to the guest once it has its own tables. */
#define V3_BOOT_STACK_TOP	0x7000ull	/* a stack for kernels without one of their own */
#define V3_BOOT_PARAMS_GPA	0x7000ull
#define V3_BOOT_CMDLINE_GPA	0x8000ull
#define V3_BOOT_GDT_GPA		0x9000ull
#define V3_BOOT_TABLES_GPA	0xa000ull	/* six pages of page tables */
#define V3_BOOT_LOW_END		0x10000ull	/* images must not reach below it */
/* Conventional memory ends here; up to 640 KiB the extended BIOS data area. */
#define V3_BOOT_EBDA		0x9fc00ull
#define V3_BOOT_640K		0xa0000ull

#define V3_SETUP_BOOT_FLAG	0xaa55
#define V3_SETUP_MAGIC		0x53726448u	/* HdrS */
#define V3_SETUP_LOADED_HIGH	0x01		/* loadflags */
#define V3_SETUP_XLF_KERNEL_64	0x0001		/* xloadflags */
#define V3_SETUP_LOADER_UNKNOWN	0xff		/* type_of_loader: no number assigned */

struct v3_setup_header {
	uint8_t setup_sects;
	uint16_t root_flags;
	uint32_t syssize;
	uint16_t ram_size;
	uint16_t vid_mode;
	uint16_t root_dev;
	uint16_t boot_flag;
	uint16_t jump;
	uint32_t header;
	uint16_t version;
	uint32_t realmode_swtch;
	uint16_t start_sys_seg;
	uint16_t kernel_version;
	uint8_t type_of_loader;
	uint8_t loadflags;
	uint16_t setup_move_size;
	uint32_t code32_start;
	uint32_t ramdisk_image;
	uint32_t ramdisk_size;
	uint32_t bootsect_kludge;
	uint16_t heap_end_ptr;
	uint8_t ext_loader_ver;
	uint8_t ext_loader_type;
	uint32_t cmd_line_ptr;
	uint32_t initrd_addr_max;
	uint32_t kernel_alignment;
	uint8_t relocatable_kernel;
	uint8_t min_alignment;
	uint16_t xloadflags;
	uint32_t cmdline_size;
	uint32_t hardware_subarch;
	uint64_t hardware_subarch_data;
	uint32_t payload_offset;
	uint32_t payload_length;
	uint64_t setup_data;
	uint64_t pref_address;
	uint32_t init_size;
	uint32_t handover_offset;
	uint32_t kernel_info_offset;
} __attribute__((packed));

#define V3_SETUP_OFFSET 0x1f1	/* of the header, in the file and in boot_params */
#define V3_SETUP_END_MAX 0x290	/* what follows it in boot_params */

struct v3_e820_entry {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
} __attribute__((packed));

#define V3_E820_RAM 1
#define V3_E820_RESERVED 2
#define V3_E820_MAX 128

struct v3_boot_params {
	uint8_t screen_info[0x40];
	uint8_t pad_040[0x70 - 0x40];
	uint64_t acpi_rsdp_addr;
	uint8_t pad_078[0x1e8 - 0x78];
	uint8_t e820_entries;
	uint8_t pad_1e9[V3_SETUP_OFFSET - 0x1e9];
	struct v3_setup_header hdr;
	uint8_t pad_hdr[0x2d0 - V3_SETUP_OFFSET - sizeof(struct v3_setup_header)];
	struct v3_e820_entry e820_table[V3_E820_MAX];
	uint8_t pad_cd0[0x1000 - 0xcd0];
} __attribute__((packed));

#define V3_AT(field, offset) \
	_Static_assert(offsetof(struct v3_boot_params, field) == (offset), "boot.rst: " #field)
V3_AT(acpi_rsdp_addr, 0x070);
V3_AT(e820_entries, 0x1e8);
V3_AT(hdr, 0x1f1);
V3_AT(hdr.root_flags, 0x1f2);
V3_AT(hdr.syssize, 0x1f4);
V3_AT(hdr.ram_size, 0x1f8);
V3_AT(hdr.vid_mode, 0x1fa);
V3_AT(hdr.root_dev, 0x1fc);
V3_AT(hdr.boot_flag, 0x1fe);
V3_AT(hdr.jump, 0x200);
V3_AT(hdr.header, 0x202);
V3_AT(hdr.version, 0x206);
V3_AT(hdr.realmode_swtch, 0x208);
V3_AT(hdr.start_sys_seg, 0x20c);
V3_AT(hdr.kernel_version, 0x20e);
V3_AT(hdr.type_of_loader, 0x210);
V3_AT(hdr.loadflags, 0x211);
V3_AT(hdr.setup_move_size, 0x212);
V3_AT(hdr.code32_start, 0x214);
V3_AT(hdr.ramdisk_image, 0x218);
V3_AT(hdr.ramdisk_size, 0x21c);
V3_AT(hdr.bootsect_kludge, 0x220);
V3_AT(hdr.heap_end_ptr, 0x224);
V3_AT(hdr.ext_loader_ver, 0x226);
V3_AT(hdr.ext_loader_type, 0x227);
V3_AT(hdr.cmd_line_ptr, 0x228);
V3_AT(hdr.initrd_addr_max, 0x22c);
V3_AT(hdr.kernel_alignment, 0x230);
V3_AT(hdr.relocatable_kernel, 0x234);
V3_AT(hdr.min_alignment, 0x235);
V3_AT(hdr.xloadflags, 0x236);
V3_AT(hdr.cmdline_size, 0x238);
V3_AT(hdr.hardware_subarch, 0x23c);
V3_AT(hdr.hardware_subarch_data, 0x240);
V3_AT(hdr.payload_offset, 0x248);
V3_AT(hdr.payload_length, 0x24c);
V3_AT(hdr.setup_data, 0x250);
V3_AT(hdr.pref_address, 0x258);
V3_AT(hdr.init_size, 0x260);
V3_AT(hdr.handover_offset, 0x264);
V3_AT(hdr.kernel_info_offset, 0x268);
V3_AT(e820_table, 0x2d0);
#undef V3_AT
_Static_assert(sizeof(struct v3_e820_entry) == 20, "zero-page.rst: e820_table");
_Static_assert(sizeof(struct v3_boot_params) == 0x1000, "zero-page.rst: one page");

/*
 * Checks the length of the command line against the kernel's and our maximum. Logs errors.
 * V3_ERR_INVALID: too long.
 */
enum v3_status v3_cmdline_check(struct v3_vm *vm, const char *cmdline, uint32_t kernel_max);

/*
 * Writes boot_params, command line and the words of the BIOS data area that tell where
 * conventional memory ends. @p hdr is copied; loader type, command line and initrd are filled in
 * here. Logs errors. V3_ERR_NOMEM (no low memory), V3_ERR_NOTSUP (memory map too long).
 */
enum v3_status v3_boot_params_write(struct v3_vm *vm, const struct v3_boot_config *config,
				    const struct v3_setup_header *hdr,
				    const struct v3_extent *initrd);

#endif
