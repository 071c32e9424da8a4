/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * debug_host CODE DATA SECONDS: executes at the address CODE and writes to DATA (hexadecimal, where
 * guests have breakpoints) for so long. Ends with 1 if a debug exception came of it.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static volatile sig_atomic_t traps;

static void on_trap(int signal)
{
	(void)signal;
	traps++;
}

static void map(uintptr_t at, size_t size)
{
	void *place = (void *)(at & ~(uintptr_t)4095);
	const int prot = PROT_READ | PROT_WRITE | PROT_EXEC;

	if (mmap(place, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != place) {
		perror("mmap");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	uintptr_t code, data;
	unsigned long rounds = 0;
	time_t end;

	if (argc != 4)
		return 2;
	code = strtoul(argv[1], NULL, 16);
	data = strtoul(argv[2], NULL, 16);
	map(code, 8192);
	if ((data ^ code) & ~(uintptr_t)4095)
		map(data, 8192);
	*(volatile uint16_t *)code = 0xc390;	/* nop; ret */
	signal(SIGTRAP, on_trap);
	for (end = time(NULL) + atoi(argv[3]); time(NULL) < end; rounds++) {
		((void (*)(void))code)();
		*(volatile uint64_t *)data = rounds;
	}
	printf("host: rounds=%lu traps=%d\n", rounds, (int)traps);
	return traps || rounds < 1000;
}
