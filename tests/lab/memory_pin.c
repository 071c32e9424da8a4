/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory_pin MIB: takes that much memory, pins a page in every 256 KiB of it as RDMA or a device
 * would (io_uring's fixed buffers), says so, and sleeps until it is killed.
 */
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EVERY (256ul << 10)
/* Of one ring. */
#define BUFFERS 1024u

static void pin(char *start, unsigned int count)
{
	struct io_uring_params params;
	struct iovec vec[BUFFERS];
	unsigned int i;
	int ring;

	memset(&params, 0, sizeof(params));
	ring = (int)syscall(SYS_io_uring_setup, 4, &params);
	for (i = 0; i < count; i++)
		vec[i] = (struct iovec){ start + i * EVERY, 4096 };
	if (ring < 0 ||
	    syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, vec, count)) {
		perror("io_uring");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	size_t size = argc > 1 ? strtoul(argv[1], NULL, 0) << 20 : 0, at, pages;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	/* single pages, so that each is pinned by itself */
	madvise(memory, size, MADV_NOHUGEPAGE);
	for (at = 0; at < size; at += 4096)
		memory[at] = 1;
	for (at = 0; at < size; at += BUFFERS * EVERY) {
		pages = (size - at) / EVERY;
		pin(memory + at, pages < BUFFERS ? (unsigned int)pages : BUFFERS);
	}
	printf("pinned\n");
	fflush(stdout);
	for (;;)
		pause();
}
