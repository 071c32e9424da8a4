/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of `ipistorm`. */
#ifndef LWK_STORM_H
#define LWK_STORM_H

#include "smp.h"

#define STORM_TSC_TOLERANCE	1000	/* ticks */

/* Kinds of interrupt: four fixed vectors, then those with a meaning */
enum {
	STORM_FIXED,
	STORM_WAKE = 4,
	STORM_LOWEST,
	STORM_NMI,
	STORM_VECTORS
};

enum storm_mode { STORM_FLAT, STORM_CLUSTER, STORM_X2APIC };

struct storm_cpu {
	uint32_t asked[STORM_VECTORS];		/* by the senders */
	uint32_t seen[STORM_VECTORS];		/* of asked, by the handler */
	uint32_t received[STORM_VECTORS];
	uint32_t sleeping, woken, naps, esr;
	uint64_t random, back;
} __attribute__((aligned(64)));

struct storm {
	struct storm_cpu cpu[LWK_MAX_CPUS];
	uint64_t n, last_tsc;
	uint32_t lowest_asked, lowest_seen, lowest_received;
	uint32_t cpus, awake, finished;
	uint32_t token;		/* of the ring: how often it was passed on */
	enum storm_mode mode;
};

extern struct storm storm;
uint8_t storm_vector(unsigned int v);
/* Waits until all that was sent was handled; false, and said, when something was lost. */
bool storm_quiet(void);

/* storm_send.c */
void storm_send_random(struct storm_cpu *me, uint32_t random);
/* To one CPU, fixed, by its physical or logical destination */
void storm_send_one(unsigned int cpu, unsigned int v);

/*
 * storm_ring.c: all CPUs halt but one, which wakes the next and halts, and so on: nothing else ends
 * the HLT of one whose wake-up is lost.
 */
bool storm_ring(const char *name);

#endif /* LWK_STORM_H */
