/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Static ELF kernels: the checked list of segments to load. libelf reads, this decides.
 */
#ifndef V3_CLI_ELF_IMAGE_H
#define V3_CLI_ELF_IMAGE_H

#include <v3/boot.h>

#include "cli.h"

struct v3_elf_image {
	/* PT_LOAD segments with memory, in the order of the file; at least one. */
	struct v3_segment_load segments[V3_MAX_SEGMENTS];
	unsigned int count;
	/* Guest-physical; within a segment and below 4 GiB. */
	v3_gpa_t entry;
	/* End of the highest segment. */
	v3_gpa_t end;
};

/* Reads the image in [data, data+size). Returns 0, or -1 with a message. */
int v3_elf_parse(const void *data, size_t size, struct v3_elf_image *image, struct v3_msg *msg);
/* The same for protocols that enter in 32-bit mode: ELF32 for i386 as well. */
int v3_elf_parse_any(const void *data, size_t size, struct v3_elf_image *image,
		     struct v3_msg *msg);

#endif
