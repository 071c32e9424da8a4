/* SPDX-License-Identifier: BSD-2-Clause */
/* The other CPUs. Nothing of this runs unless a program asks for it. */
#ifndef LWK_SMP_H
#define LWK_SMP_H

#include "bm.h"

#define LWK_MAX_CPUS	64
#define LWK_VEC_WORK	0x42	/* there is work for you */

/* madt.c: APIC IDs of the enabled CPUs; 0 when there is no such table. */
unsigned int lwk_madt_read(uint32_t *ids, unsigned int max);

/*
 * smp.c. Starts the other CPUs, at most cpus= in all, the first time; later calls say again how
 * many there are. CPUs are numbered in the order in which they came; the caller is 0. 0: it failed,
 * and that was said.
 */
unsigned int lwk_smp_start(void);
/* Whether no other CPU hears a broadcast: the firmware's code on one would not survive an NMI. */
bool lwk_smp_complete(void);
/* APIC ID of a CPU that has started */
uint32_t lwk_smp_apic_id(unsigned int cpu);
/*
 * Runs fn(cpu) on all CPUs at once, with interrupts on, and waits for all of them. False, and said,
 * when one is not done in `seconds`.
 */
bool lwk_smp_run(void (*fn)(unsigned int cpu), unsigned int seconds);
/* Waits in fn() until all CPUs are here. */
void lwk_smp_barrier(void);
/* TSC ticks per second, or a guess that is rather too much. */
uint64_t lwk_smp_hz(void);

/* Number of this CPU; only after lwk_smp_start(). */
static inline unsigned int lwk_cpu(void)
{
	unsigned int cpu;

	__asm__ volatile("movl %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

/* One at a time, for console output */
void lwk_lock(void);
void lwk_unlock(void);

static inline uint32_t lwk_add(uint32_t *p, uint32_t n)
{
	return __atomic_add_fetch(p, n, __ATOMIC_SEQ_CST);
}

static inline uint32_t lwk_load(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

static inline void lwk_store(uint32_t *p, uint32_t v)
{
	__atomic_store_n(p, v, __ATOMIC_SEQ_CST);
}

#endif /* LWK_SMP_H */
