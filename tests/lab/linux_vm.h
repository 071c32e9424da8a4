/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests and tiny guests, for programs that talk to /dev/v3 without the v3 command. */
#ifndef V3_TESTS_LINUX_VM_H
#define V3_TESTS_LINUX_VM_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <v3/boot.h>
#include <v3_ioctl.h>

#define GUEST_GPA 0x200000ull
#define MIB (1ull << 20)

/* Guests of a few bytes, entered at GUEST_GPA in 64-bit mode. */
struct guest {
	const char *name;
	size_t size;
	unsigned char code[32];
};
static const struct guest guests[] = {
	{ "spin", 2, { 0xeb, 0xfe } },			/* jmp . */
	{ "pause", 4, { 0xf3, 0x90, 0xeb, 0xfc } },	/* pause; jmp . - 2 */
	{ "halt", 3, { 0xf4, 0xeb, 0xfd } },		/* hlt with interrupts off; again */
	{ "exit", 7, { 0xb0, 0x2a, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd } }, /* exit code 42 */
	{ "crash", 2, { 0x0f, 0x0b } },			/* ud2 without an IDT: triple fault */
	{ "flood", 9, { 0x66, 0xba, 0xf8, 0x03, 0xb0, 'x', 0xee, 0xeb, 0xfd } }, /* 'x' to COM1 */
	{ "exits", 4, { 0x0f, 0xa2, 0xeb, 0xfc } },	/* cpuid; jmp . - 2 */
	/* 60 MiB from 4 MiB on: 42 if they are zeros, else 1; and the same filled with ones */
	{ "zeros", 26, { 0xbf, 0x00, 0x00, 0x40, 0x00, 0xb9, 0x00, 0x00, 0x78, 0x00, 0x31, 0xc0,
			 0xf3, 0x48, 0xaf, 0xb0, 0x2a, 0x74, 0x02, 0xb0, 0x01, 0xe6, 0xf4, 0xf4,
			 0xeb, 0xfd } },
	{ "ones", 24, { 0xbf, 0x00, 0x00, 0x40, 0x00, 0xb9, 0x00, 0x00, 0x78, 0x00, 0x48, 0x83,
			0xc8, 0xff, 0xf3, 0x48, 0xab, 0xb0, 0x2a, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd } },
	/* INIT and start-up IPI to all others by the local APIC's ICR; again */
	{ "starts", 26, { 0x67, 0xc7, 0x04, 0x25, 0x00, 0x03, 0xe0, 0xfe, 0x00, 0x45, 0x0c, 0x00,
			  0x67, 0xc7, 0x04, 0x25, 0x00, 0x03, 0xe0, 0xfe, 0x08, 0x46, 0x0c, 0x00,
			  0xeb, 0xe6 } },
};

static inline const struct guest *guest_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(guests) / sizeof(guests[0]); i++)
		if (!strcmp(guests[i].name, name))
			return &guests[i];
	fprintf(stderr, "no guest is called %s\n", name);
	exit(2);
}

/* Sends a request with struct_size filled in. 0, or the errno. */
static inline int call(int fd, unsigned long request, void *arg)
{
	((struct v3_ioc_head *)arg)->struct_size = _IOC_SIZE(request);
	return ioctl(fd, request, arg) ? errno : 0;
}

static inline int control(int fd, unsigned long request)
{
	struct v3_ioc_control arg = { 0 };
	int err = call(fd, request, &arg);

	if (err)
		printf("%s\n", arg.head.message);
	return err;
}

static inline int dev_open(void)
{
	int fd = open(V3_DEV_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		perror(V3_DEV_PATH);
		exit(2);
	}
	return fd;
}

static inline void create_init(struct v3_ioc_create *arg, const char *name)
{
	memset(arg, 0, sizeof(*arg));
	snprintf(arg->name, sizeof(arg->name), "%s", name);
	arg->num_vcpus = 1;
	arg->cpus[0] = -1;
	arg->num_mem = 1;
	arg->mem[0].size = 8 * MIB;
	arg->mem[0].node = -1;
}

static inline void segments_init(struct v3_ioc_load_segments *arg, const struct guest *guest)
{
	memset(arg, 0, sizeof(*arg));
	arg->image = (uintptr_t)guest->code;
	arg->image_size = guest->size;
	arg->num_segments = 1;
	arg->entry = GUEST_GPA;
	arg->segments[0].gpa = GUEST_GPA;
	arg->segments[0].file_size = guest->size;
	arg->segments[0].mem_size = 4096;
}

/* Seeded noise: xorshift64. */
static unsigned long long noise_state = 88172645463325252ull;

static inline unsigned long long noise(void)
{
	noise_state ^= noise_state << 13;
	noise_state ^= noise_state >> 7;
	noise_state ^= noise_state << 17;
	return noise_state;
}

/* A counter of the module, as pages_in_use. */
static inline long counter(const char *name)
{
	char path[80];
	long value = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/module/v3/parameters/%s", name);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%ld", &value) != 1) {
		perror(path);
		exit(2);
	}
	fclose(file);
	return value;
}

#endif
