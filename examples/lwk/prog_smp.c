/* SPDX-License-Identifier: BSD-2-Clause */
/* All CPUs come up, agree on a sum and on the time. */
#include "cpu.h"
#include "lwk.h"
#include "smp.h"

#define DEFAULT_N	10000
#define TSC_ROUNDS	1000
#define TSC_SECONDS	5	/* at most: where CPUs share one, each turn takes long */
#define TSC_TOLERANCE	1000	/* ticks */
#define SECONDS		60

static uint32_t turn, sum, rounds;
static uint64_t last_tsc, worst;

/* In the order of their numbers, so that the output can be compared. */
static void say_hello(unsigned int cpu)
{
	while (lwk_load(&turn) != cpu)
		bm_pause();
	bm_printf("smp: hello from CPU %u, APIC ID %u\n", cpu, bm_apic_id());
	lwk_add(&turn, 1);
}

static void add_up(unsigned int cpu)
{
	(void)cpu;
	for (uint32_t i = 0; i < rounds; i++)
		lwk_add(&sum, 1);
}

/* Under a lock each reading has to be at least the one before, whichever CPU took that. */
static void compare_tsc(unsigned int cpu)
{
	uint64_t now, limit;

	(void)cpu;
	lwk_smp_barrier();
	limit = bm_tsc() + lwk_smp_hz() * TSC_SECONDS;
	for (unsigned int i = 0; i < TSC_ROUNDS && bm_tsc() < limit; i++) {
		lwk_lock();
		now = bm_tsc();
		if (now < last_tsc && last_tsc - now > worst)
			worst = last_tsc - now;
		last_tsc = now;
		lwk_unlock();
	}
}

int lwk_prog_smp(void)
{
	unsigned int cpus = lwk_smp_start();

	if (!cpus)
		return BM_EXIT_FAILED;
	turn = sum = 0;
	last_tsc = worst = 0;
	rounds = lwk_opt.n ? (uint32_t)lwk_opt.n : DEFAULT_N;
	if (!lwk_smp_run(say_hello, SECONDS) || !lwk_smp_run(add_up, SECONDS) ||
	    !lwk_smp_run(compare_tsc, SECONDS))
		return BM_EXIT_FAILED;
	bm_printf("smp: %u CPUs added up %u, %u expected\n", cpus, sum, cpus * rounds);
	bm_printf("smp: TSC went back by at most %llu ticks from one CPU to another\n",
		  (unsigned long long)worst);
	return sum == cpus * rounds && worst <= TSC_TOLERANCE ? BM_EXIT_OK : BM_EXIT_FAILED;
}
