/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The setup header of a Linux kernel (Documentation/arch/x86/boot.rst of the Linux sources).
 */
#include "bzimage.h"

#include <string.h>

/* File positions of header fields. */
#define SETUP_SECTS 0x1F1
#define SYSSIZE 0x1F4
#define BOOT_FLAG 0x1FE
#define MAGIC 0x202
#define VERSION 0x206
#define LOADFLAGS 0x211
#define XLOADFLAGS 0x236
#define HEADER_END 0x238

#define BOOT_FLAG_VALUE 0xAA55
#define LOADED_HIGH 0x01
#define XLF_KERNEL_64 0x0001
/* Versions of the protocol: command-line size; xloadflags. */
#define VERSION_MIN 0x0206
#define VERSION_64 0x020C

static uint32_t get(const uint8_t *data, unsigned int offset, unsigned int bytes)
{
	uint32_t value = 0;

	while (bytes-- > 0)
		value = value << 8 | data[offset + bytes];
	return value;
}

bool v3_bzimage_detect(const void *data, size_t size)
{
	return size >= MAGIC + 4 && !memcmp((const uint8_t *)data + MAGIC, "HdrS", 4);
}

static int check_size(const uint8_t *data, size_t size, struct v3_msg *msg)
{
	uint32_t sectors = get(data, SETUP_SECTS, 1);
	uint64_t setup, kernel;

	/* 0 means 4, for the oldest kernels. */
	setup = ((sectors ? sectors : 4) + 1) * 512ull;
	kernel = get(data, SYSSIZE, 4) * 16ull;
	if (!kernel)
		return v3_msg_set(msg, "the bzImage is empty: its header tells of no kernel");
	if (setup >= size || kernel > size - setup + 15)
		return v3_msg_set(
			msg,
			"the bzImage is cut short: its header tells of %llu bytes, the file "
			"has %llu",
			(unsigned long long)(setup + kernel), (unsigned long long)size);
	return 0;
}

int v3_bzimage_check(const void *data, size_t size, enum v3_linux_entry entry, struct v3_msg *msg)
{
	const uint8_t *bytes = data;
	uint32_t version;
	bool has_64;

	if (size < HEADER_END)
		return v3_msg_set(msg, "the bzImage is cut short within its header");
	if (get(bytes, BOOT_FLAG, 2) != BOOT_FLAG_VALUE)
		return v3_msg_set(msg, "the bzImage's boot flag is %#x, not 0xaa55",
				  get(bytes, BOOT_FLAG, 2));
	version = get(bytes, VERSION, 2);
	if (version < VERSION_MIN)
		return v3_msg_set(msg, "the kernel speaks boot protocol %u.%02u, older than 2.06",
				  version >> 8, version & 0xFF);
	if (!(get(bytes, LOADFLAGS, 1) & LOADED_HIGH))
		return v3_msg_set(msg, "the kernel is a zImage (loaded low), not a bzImage");
	has_64 = version >= VERSION_64 && (get(bytes, XLOADFLAGS, 2) & XLF_KERNEL_64);
	if (entry == V3_LINUX_ENTRY_64 && !has_64)
		return v3_msg_set(msg, "the kernel has no 64-bit entry; use --entry 32 or auto");
	return check_size(bytes, size, msg);
}
