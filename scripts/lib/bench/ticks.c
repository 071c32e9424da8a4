/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ticks - whether one tick of the TSC is one instruction: a loop of known length, timed some times.
 * An interrupt may come in between, so the shortest counts. Ends with 0 if it is so.
 */
#include <stdint.h>
#include <stdio.h>
#include <x86intrin.h>

#define ROUNDS 5000	/* of two instructions; a tick of the kernel is 20 times as long */
#define TRIES 50

static uint64_t loop(void)
{
	uint64_t rounds = ROUNDS, start = __rdtsc();

	__asm__ volatile("1: decq %0\n\tjnz 1b" : "+r"(rounds));
	return __rdtsc() - start;
}

int main(void)
{
	uint64_t best = UINT64_MAX, took;

	for (int i = 0; i < TRIES; i++) {
		took = loop();
		if (took < best)
			best = took;
	}
	printf("ticks: %d instructions took %llu ticks\n", 2 * ROUNDS, (unsigned long long)best);
	/* A few more for taking the time; CPUs of an emulator take turns of some instructions. */
	return best < 2 * ROUNDS - 20 || best > 2 * ROUNDS + 40;
}
