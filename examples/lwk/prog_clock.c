/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether the TSC counts as CPUID says, and all that goes by it; for guests of hypervisors. */
#include "cpu.h"
#include "lwk.h"

#define LEAF_TIMING	0x40000010	/* EAX, EBX: TSC and APIC timer in kHz */
#define MSR_TSC		0x10
#define MSR_TSC_ADJUST	0x3b
#define MSR_DEADLINE	0x6e0
#define LVT_TIMER	0x320
#define LVT_DEADLINE	0x40000
#define APIC_DIVISOR	16		/* of bm_apic_timer_hz() */
#define TRIES		5
#define JUMP		1000000000000ULL

static volatile uint64_t fired;	/* TSC of the interrupt */

static void deadline_interrupt(void)
{
	fired = bm_tsc();
	bm_apic_write(BM_APIC_EOI, 0);
}

/* Within 2%: exits take their time, and what interrupts a measurement makes it longer. */
static bool near(uint64_t value, uint64_t want)
{
	return value > want - want / 50 && value < want + want / 50;
}

static uint64_t shortest(uint64_t (*measure)(uint64_t hz), uint64_t hz)
{
	uint64_t best = ~0ULL, value;

	for (unsigned int i = 0; i < TRIES; i++) {
		value = measure(hz);
		if (value < best)
			best = value;
	}
	return best;
}

static uint64_t by_pit(uint64_t hz)
{
	(void)hz;
	return bm_tsc_hz_by_pit();
}

/* Microseconds until a deadline 4 ms from now, by the TSC; 0: too early, or never. */
static uint64_t deadline_us(uint64_t hz)
{
	uint64_t start, deadline;

	fired = 0;
	bm_irq_set(BM_VEC_TIMER, deadline_interrupt);
	bm_apic_write(LVT_TIMER, LVT_DEADLINE | BM_VEC_TIMER);
	start = bm_tsc();
	deadline = start + hz / 250;
	bm_wrmsr(MSR_DEADLINE, deadline);
	while (!fired && bm_tsc() - start < hz / 2)
		;
	bm_apic_timer_stop();
	return fired < deadline ? 0 : bm_muldiv(fired - start, 1000000, hz);
}

static unsigned int surprise(bool wrong, const char *what)
{
	if (wrong)
		bm_printf("clock: surprise: %s\n", what);
	return wrong;
}

/* RDTSC, RDMSR and RDTSCP give the same, and follow what is written. */
static unsigned int registers(uint64_t hz)
{
	uint64_t first = bm_tsc(), second = bm_rdmsr(MSR_TSC), third = bm_tsc(), adjust;
	unsigned int wrong = surprise(second < first || third < second, "RDMSR and RDTSC differ");
	uint32_t lo, hi;

	if (bm_cpuid(0x80000001, 0).edx & 1u << 27) {
		__asm__ volatile("rdtscp" : "=a"(lo), "=d"(hi) : : "ecx", "memory");
		first = (uint64_t)hi << 32 | lo;
		wrong += surprise(first < third || first - third > hz, "RDTSCP and RDTSC differ");
	}
	if (!(bm_cpuid(7, 0).ebx & 1u << 1))
		return wrong;
	adjust = bm_rdmsr(MSR_TSC_ADJUST);
	first = bm_tsc();
	bm_wrmsr(MSR_TSC_ADJUST, adjust + JUMP);
	second = bm_tsc() - first;
	wrong += surprise(second < JUMP || second - JUMP > hz, "TSC_ADJUST does not move the TSC");
	bm_wrmsr(MSR_TSC, bm_tsc() - JUMP);
	third = bm_tsc() - first;
	wrong += surprise(third > hz, "the TSC is not what was written");
	second = bm_rdmsr(MSR_TSC_ADJUST) - adjust;
	wrong += surprise(second > hz && -second > hz, "TSC_ADJUST does not follow the TSC");
	bm_wrmsr(MSR_TSC_ADJUST, adjust);
	return wrong;
}

int lwk_prog_clock(void)
{
	uint64_t told = bm_tsc_hz(), pit, apic, want, us;
	unsigned int wrong;

	if (bm_cpuid(0x40000000, 0).eax < LEAF_TIMING || !told || lwk_opt.hz) {
		bm_printf("clock: needs CPUID 0x40000010, and not hz=\n");
		return BM_EXIT_FAILED;
	}
	want = bm_cpuid(LEAF_TIMING, 0).ebx * 1000ULL / APIC_DIVISOR;
	pit = shortest(by_pit, 0);
	apic = shortest(bm_apic_timer_hz, told);
	us = deadline_us(told);
	wrong = surprise(bm_cpuid(LEAF_TIMING, 0).eax != told / 1000, "CPUID contradicts itself") +
		surprise(!near(pit, told), "by the PIT the TSC runs at another rate") +
		surprise(!near(apic, want), "by the TSC the APIC timer runs at another rate") +
		surprise(us < 4000 || us > 100000, "the deadline was missed") + registers(told);
	bm_printf("clock: tsc_khz=%llu pit=%llu apic_khz=%llu told=%llu deadline_us=%llu surprises=%u\n",
		  (unsigned long long)told / 1000, (unsigned long long)pit / 1000,
		  (unsigned long long)apic / 1000, (unsigned long long)want / 1000,
		  (unsigned long long)us, wrong);
	return wrong ? BM_EXIT_FAILED : BM_EXIT_OK;
}
