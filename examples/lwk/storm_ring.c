/* SPDX-License-Identifier: BSD-2-Clause */
/* A token that goes round among CPUs that halt. */
#include "cpu.h"
#include "lwk.h"
#include "storm.h"

#define SECONDS		300
#define STUCK_S		20
#define LOOKS_PER_S	2

static uint64_t moved;		/* TSC when CPU 0 last saw the token move */
static uint32_t last_token;
static uint32_t passes;

/* On CPU 0 now and then: says who does not wake, and ends the machine. */
static void look(void)
{
	uint32_t token = lwk_load(&storm.token), at = token % storm.cpus;
	uint64_t now = bm_tsc();

	bm_apic_write(BM_APIC_EOI, 0);
	if (token != last_token) {
		last_token = token;
		moved = now;
	} else if (now - moved > lwk_smp_hz() * STUCK_S) {
		bm_printf("ipistorm: CPU %u does not wake from HLT: its %u. IPI was sent %u s ago, "
			  "%u were handled\n", at, storm.cpu[at].asked[STORM_WAKE], STUCK_S,
			  storm.cpu[at].received[STORM_WAKE]);
		bm_exit(BM_EXIT_FAILED);
	}
}

static void pass_on(unsigned int cpu)
{
	uint32_t token;

	bm_irq_off();
	while ((token = lwk_load(&storm.token)) < passes) {
		if (token % storm.cpus != cpu) {
			bm_wait();
			continue;
		}
		bm_irq_on();
		lwk_store(&storm.token, token + 1);
		storm_send_one((token + 1) % storm.cpus, STORM_WAKE);
		bm_irq_off();
	}
	bm_irq_on();
}

/* The last one has told only its neighbor that it is over. */
static void ring(unsigned int cpu)
{
	pass_on(cpu);
	storm_send_one((cpu + 1) % storm.cpus, STORM_WAKE);
}

bool storm_ring(const char *name)
{
	uint64_t hz = bm_tsc_hz(), apic_hz = hz ? bm_apic_timer_hz(hz) : 0;
	uint64_t start;
	bool good;

	if (apic_hz < LOOKS_PER_S) {
		bm_printf("ipistorm: no APIC timer, which would notice a CPU that does not wake\n");
		return false;
	}
	passes = (uint32_t)storm.n;
	last_token = 0;
	start = moved = bm_tsc();
	bm_irq_set(BM_VEC_TIMER, look);
	bm_apic_timer_start((uint32_t)(apic_hz / LOOKS_PER_S), true);
	good = lwk_smp_run(ring, SECONDS) && storm_quiet();
	bm_apic_timer_stop();
	bm_printf("ipistorm: %s: %u wake-ups in a ring, %llu ticks each\n", name, passes,
		  (unsigned long long)((bm_tsc() - start) / (passes ? passes : 1)));
	return good;
}
