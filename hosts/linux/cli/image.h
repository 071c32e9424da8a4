/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files of a guest: mapped, and told apart.
 */
#ifndef V3_CLI_IMAGE_H
#define V3_CLI_IMAGE_H

#include "elf_image.h"

/* A whole file, mapped for reading. Zero it, or v3_file_map(). */
struct v3_file {
	const char *path; /* of the caller */
	const void *data;
	size_t size;
};

/* Maps a regular file that is not empty. Returns 0, or -1 with a message that names it. */
int v3_file_map(struct v3_file *file, const char *path, struct v3_msg *msg);
void v3_file_unmap(struct v3_file *file);

enum v3_kernel_kind { V3_KERNEL_ELF, V3_KERNEL_LINUX, V3_KERNEL_MULTIBOOT };

/*
 * Finds out what kind of kernel it is and checks it. Fills @elf for V3_KERNEL_ELF and, as
 * v3_multiboot_check(), for V3_KERNEL_MULTIBOOT: what is no ELF64 kernel, but has its header.
 * Returns 0, or -1 with a message that names the file.
 */
int v3_kernel_check(const struct v3_file *file, enum v3_linux_entry entry,
		    enum v3_kernel_kind *kind, struct v3_elf_image *elf, struct v3_msg *msg);
/* Checks a kernel of any kind of file that is to be started by its multiboot header. */
int v3_kernel_check_multiboot(const struct v3_file *file, struct v3_elf_image *elf,
			      struct v3_msg *msg);

#endif
