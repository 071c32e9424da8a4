/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Multiboot 1: enough of the header to tell such kernels from other files and to complain early.
 * Loading is libv3's work.
 */
#ifndef V3_CLI_MULTIBOOT_H
#define V3_CLI_MULTIBOOT_H

#include "elf_image.h"

/* True if the file has a multiboot header. */
bool v3_multiboot_detect(const void *data, size_t size);

/*
 * Fills @elf: without segments if the header says itself what is loaded and where, else with those
 * of the ELF file, of 32 or 64 bits. Returns 0, or -1 with a message.
 */
int v3_multiboot_check(const void *data, size_t size, struct v3_elf_image *elf,
		       struct v3_msg *msg);

#endif
