/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes that create, run, open and destroy VMs of the same two names, all at once. */
#include <sys/mman.h>
#include <sys/wait.h>

#include "linux_vm.h"

/* tally: VMs started, VMs opened. */
static void contender(unsigned int seed, unsigned int *tally)
{
	int i, fd = open(V3_DEV_PATH, O_RDWR);

	noise_state += seed * 7919ull;
	for (i = 0; i < 40; i++) {
		struct v3_ioc_create arg;
		struct v3_ioc_open other = { 0 };
		struct v3_ioc_load_segments load;
		struct v3_ioc_control none = { 0 };

		create_init(&arg, noise() & 1 ? "red" : "blue");
		arg.mem[0].size = 2 * MIB;
		segments_init(&load, guest_find(noise() & 1 ? "exits" : "halt"));
		load.segments[0].gpa = load.entry = 0x1000000 >> 4;
		if (!call(fd, V3_IOC_CREATE, &arg)) {
			call(arg.fd, V3_IOC_LOAD_SEGMENTS, &load);
			if (!call(arg.fd, V3_IOC_START, &none))
				__atomic_add_fetch(&tally[0], 1, __ATOMIC_SEQ_CST);
			if (noise() & 1)
				call(arg.fd, V3_IOC_PAUSE, &none);
			close(arg.fd);
		}
		snprintf(other.name, sizeof(other.name), "%s", noise() & 1 ? "red" : "blue");
		if (!call(fd, V3_IOC_OPEN, &other)) {
			struct v3_ioc_state state = { .timeout_ms = 5 };

			__atomic_add_fetch(&tally[1], 1, __ATOMIC_SEQ_CST);
			call(other.fd, V3_IOC_WAIT, &state);
			call(other.fd, noise() & 1 ? V3_IOC_DESTROY : V3_IOC_STOP, &none);
			close(other.fd);
		}
	}
	_exit(0);
}

int main(void)
{
	unsigned int *tally = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				   -1, 0);
	struct v3_ioc_list list = { 0 };
	int i, status, bad = 0;

	for (i = 0; i < 4; i++)
		if (!fork())
			contender((unsigned int)i, tally);
	for (i = 0; i < 4; i++) {
		wait(&status);
		bad += status != 0;
	}
	printf("contention: %u VMs started, %u opened, %d processes failed\n", tally[0], tally[1],
	       bad);
	if (call(dev_open(), V3_IOC_LIST, &list) || list.count) {
		printf("contention: %u VMs are left\n", list.count);
		bad++;
	}
	return bad || !tally[0] || !tally[1];
}
