/* SPDX-License-Identifier: BSD-2-Clause */
#include "boot_params.h"
#include <v3/pc.h>

/* BIOS data area: segment of the extended BIOS data area, KiB of conventional memory */
#define BDA_EBDA_SEGMENT 0x40e
#define BDA_MEMORY_KIB 0x413

/* More than V3_CMDLINE_MAX if it is too long. NULL is empty. */
static size_t cmdline_len(const char *cmdline)
{
	size_t len = 0;

	while (cmdline && len <= V3_CMDLINE_MAX && cmdline[len])
		len++;
	return len;
}

/* Appends a range, or lengthens the last one. False: the table is full. */
static bool e820_add(struct v3_boot_params *params, v3_gpa_t start, uint64_t size, uint32_t type)
{
	struct v3_e820_entry *last = params->e820_table + params->e820_entries;

	if (size == 0)
		return true;
	if (params->e820_entries != 0 && last[-1].type == type &&
	    last[-1].addr + last[-1].size == start) {
		last[-1].size += size;
		return true;
	}
	if (params->e820_entries == V3_E820_MAX)
		return false;
	last->addr = start;
	last->size = size;
	last->type = type;
	params->e820_entries++;
	return true;
}

/* RAM up to the extended BIOS data area, which is part of the first range, is the guest's. */
static bool e820_add_ram(struct v3_boot_params *params, v3_gpa_t start, uint64_t size)
{
	v3_gpa_t end = start + size;
	v3_gpa_t low_end = end < V3_BOOT_640K ? end : V3_BOOT_640K;

	if (start >= V3_BOOT_640K || end <= V3_BOOT_EBDA)
		return e820_add(params, start, size, V3_E820_RAM);
	if (start < V3_BOOT_EBDA) {
		if (!e820_add(params, start, V3_BOOT_EBDA - start, V3_E820_RAM))
			return false;
		start = V3_BOOT_EBDA;
	}
	return e820_add(params, start, low_end - start, V3_E820_RESERVED) &&
	       e820_add(params, low_end, end - low_end, V3_E820_RAM);
}

static bool write_e820(struct v3_vm *vm, struct v3_boot_params *params)
{
	struct v3_mem_range range;
	unsigned int i;

	for (i = 0; v3_vm_mem_range(vm, i, &range) == V3_OK; i++) {
		bool ok = true;

		if (range.kind == V3_MEM_RAM)
			ok = e820_add_ram(params, range.gpa, range.size);
		else if (range.kind == V3_MEM_ROM)
			ok = e820_add(params, range.gpa, range.size, V3_E820_RESERVED);
		if (!ok)
			return false;
	}
	return true;
}

enum v3_status v3_cmdline_check(struct v3_vm *vm, const char *cmdline, uint32_t kernel_max)
{
	uint32_t max = kernel_max < V3_CMDLINE_MAX ? kernel_max : V3_CMDLINE_MAX;

	if (cmdline_len(cmdline) <= max)
		return V3_OK;
	v3_vm_log(vm, V3_LOG_ERROR,
		  "boot: the command line is longer than the %u characters that %s", max,
		  max == kernel_max ? "this kernel takes" : "can be passed");
	return V3_ERR_INVALID;
}

static bool write_cmdline(struct v3_vm *vm, const char *cmdline)
{
	size_t len = cmdline_len(cmdline);
	char *to = v3_vm_ptr(vm, V3_BOOT_CMDLINE_GPA, V3_CMDLINE_MAX + 1);

	if (!to)
		return false;
	if (len > V3_CMDLINE_MAX)
		len = V3_CMDLINE_MAX;
	if (len > 0)
		__builtin_memcpy(to, cmdline, len);
	to[len] = 0;
	return true;
}

/* Where the ACPI tables start, if a platform has put them there; else 0, and the guest searches. */
static uint64_t find_rsdp(struct v3_vm *vm)
{
	char signature[8];

	if (v3_vm_read(vm, V3_PC_RSDP_GPA, signature, sizeof(signature)) != V3_OK ||
	    __builtin_memcmp(signature, "RSD PTR ", sizeof(signature)) != 0)
		return 0;
	return V3_PC_RSDP_GPA;
}

enum v3_status v3_boot_params_write(struct v3_vm *vm, const struct v3_boot_config *config,
				    const struct v3_setup_header *hdr,
				    const struct v3_extent *initrd)
{
	struct v3_boot_params *params = v3_vm_ptr(vm, V3_BOOT_PARAMS_GPA, sizeof(*params));
	const uint16_t ebda = V3_BOOT_EBDA >> 4, kib = V3_BOOT_EBDA >> 10;

	if (!params || !write_cmdline(vm, config->cmdline) ||
	    v3_vm_write(vm, BDA_EBDA_SEGMENT, &ebda, sizeof(ebda)) != V3_OK ||
	    v3_vm_write(vm, BDA_MEMORY_KIB, &kib, sizeof(kib)) != V3_OK) {
		v3_vm_log(vm, V3_LOG_ERROR, "boot: the VM has no RAM below 640 KiB");
		return V3_ERR_NOMEM;
	}
	__builtin_memset(params, 0, sizeof(*params));
	params->hdr = *hdr;
	params->hdr.type_of_loader = V3_SETUP_LOADER_UNKNOWN;
	params->hdr.ext_loader_type = 0;
	params->hdr.ext_loader_ver = 0;
	params->hdr.cmd_line_ptr = (uint32_t)V3_BOOT_CMDLINE_GPA;
	params->hdr.ramdisk_image = (uint32_t)initrd->start;
	params->hdr.ramdisk_size = (uint32_t)initrd->size;
	/* A list of pointers that the guest follows: none comes from a file. */
	params->hdr.setup_data = 0;
	params->hdr.hardware_subarch = 0;
	params->hdr.hardware_subarch_data = 0;
	params->acpi_rsdp_addr = find_rsdp(vm);
	if (!write_e820(vm, params)) {
		v3_vm_log(vm, V3_LOG_ERROR, "boot: the memory map has more than %u pieces",
			  V3_E820_MAX);
		return V3_ERR_NOTSUP;
	}
	return V3_OK;
}
