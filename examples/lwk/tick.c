/* SPDX-License-Identifier: BSD-2-Clause */
/* The optional periodic tick. */
#include "lwk.h"

static volatile uint64_t ticks;

static void tick(void)
{
	ticks = ticks + 1;
	bm_apic_write(BM_APIC_EOI, 0);
}

bool lwk_tick_start(uint64_t hz)
{
	uint64_t tsc_hz = bm_tsc_hz();
	uint64_t rate = tsc_hz ? bm_apic_timer_hz(tsc_hz) : 0;

	if (!rate || rate / hz == 0) {
		bm_printf("lwk: cannot tick at %llu Hz: the APIC timer runs at %llu Hz\n",
			  (unsigned long long)hz, (unsigned long long)rate);
		return false;
	}
	bm_irq_set(BM_VEC_TIMER, tick);
	bm_apic_timer_start((uint32_t)(rate / hz), true);
	bm_printf("lwk: tick at %llu Hz, APIC timer at %llu kHz\n", (unsigned long long)hz,
		  (unsigned long long)rate / 1000);
	return true;
}

void lwk_tick_stop(void)
{
	bm_apic_timer_stop();
}

uint64_t lwk_tick_count(void)
{
	return ticks;
}
