/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints the segments of an ELF kernel as v3 loads them: address, position, bytes in file,
 * bytes in memory; then the entry point.
 */
#include <stdio.h>

#include "image.h"

int main(int argc, char **argv)
{
	enum v3_kernel_kind kind;
	struct v3_elf_image image;
	struct v3_file file;
	struct v3_msg msg;
	unsigned int i;

	if (argc != 2)
		return 2;
	if (v3_file_map(&file, argv[1], &msg) ||
	    v3_kernel_check(&file, V3_LINUX_ENTRY_AUTO, &kind, &image, &msg)) {
		fprintf(stderr, "%s\n", msg.text);
		return 1;
	}
	for (i = 0; i < image.count; i++)
		printf("%llx %llx %llx %llx\n", (unsigned long long)image.segments[i].gpa,
		       (unsigned long long)image.segments[i].offset,
		       (unsigned long long)image.segments[i].file_size,
		       (unsigned long long)image.segments[i].mem_size);
	printf("entry %llx\n", (unsigned long long)image.entry);
	v3_file_unmap(&file);
	return 0;
}
