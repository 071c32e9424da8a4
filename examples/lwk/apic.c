/* SPDX-License-Identifier: BSD-2-Clause */
/* Local APIC in both modes, and its timer as an optional periodic tick (APM2 16, SDM3 11). */
#include "cpu.h"

#define MSR_APIC_BASE		0x1b
#define BASE_ENABLE		(1ULL << 11)
#define BASE_X2APIC		(1ULL << 10)
#define BASE_ADDR		0xffffff000ULL

#define REG_TPR			0x80
#define REG_SVR			0xf0
#define REG_ICR			0x300
#define REG_LVT_TIMER		0x320
#define REG_LVT_LINT0		0x350
#define REG_LVT_LINT1		0x360
#define REG_LVT_ERROR		0x370
#define REG_TIMER_INITIAL	0x380
#define REG_TIMER_CURRENT	0x390
#define REG_TIMER_DIVIDE	0x3e0

#define SVR_ENABLE		0x100
#define LVT_MASKED		0x10000
#define LVT_PERIODIC		0x20000
#define ICR_SELF		0x40000
#define DIVIDE_BY_16		3

static bool x2;
static volatile uint64_t ticks;

bool lwk_apic_is_x2(void)
{
	return x2;
}

uint32_t lwk_apic_read(unsigned int reg)
{
	if (x2)
		return (uint32_t)lwk_rdmsr(LWK_MSR_X2APIC + (reg >> 4));
	return lwk_mmio_read(LWK_APIC_BASE + reg);
}

void lwk_apic_write(unsigned int reg, uint32_t value)
{
	if (x2)
		lwk_wrmsr(LWK_MSR_X2APIC + (reg >> 4), value);
	else
		lwk_mmio_write(LWK_APIC_BASE + reg, value);
}

void lwk_apic_self_ipi(unsigned int vector)
{
	lwk_apic_write(REG_ICR, ICR_SELF | vector);
}

static void spurious(void)
{
	/* A spurious interrupt is not acknowledged (APM2 16.4.7). */
}

static void tick(void)
{
	ticks = ticks + 1;
	lwk_apic_write(LWK_APIC_EOI, 0);
}

static void setup(void)
{
	lwk_irq_set(LWK_VEC_SPURIOUS, spurious);
	lwk_irq_set(LWK_VEC_TIMER, tick);
	lwk_apic_write(REG_SVR, SVR_ENABLE | LWK_VEC_SPURIOUS);
	lwk_apic_write(REG_TPR, 0);
	lwk_apic_write(REG_LVT_TIMER, LVT_MASKED | LWK_VEC_TIMER);
	lwk_apic_write(REG_LVT_LINT0, LVT_MASKED);
	lwk_apic_write(REG_LVT_LINT1, LVT_MASKED);
	lwk_apic_write(REG_LVT_ERROR, LVT_MASKED);
	/* Whatever the firmware left in service would block our vectors: at most one per bit. */
	for (unsigned int i = 0; i < 256; i++) {
		uint32_t busy = 0;

		for (unsigned int r = 0; r < 8; r++)
			busy |= lwk_apic_read(0x100 + r * 16);
		if (!busy)
			break;
		lwk_apic_write(LWK_APIC_EOI, 0);
	}
}

/*
 * Switches between xAPIC and x2APIC mode. The way back leads through the disabled state, which
 * resets the APIC (SDM3 11.12.5). False when the CPU has no such mode.
 */
bool lwk_apic_set_x2(bool on)
{
	uint64_t base = LWK_APIC_BASE | (lwk_rdmsr(MSR_APIC_BASE) & ~BASE_ADDR);

	if (on && !(lwk_cpuid(1, 0).ecx & 1u << 21))
		return false;
	base &= ~(BASE_ENABLE | BASE_X2APIC);
	if (!on && x2 && !lwk_wrmsr_safe(MSR_APIC_BASE, base))
		return false;
	if (!lwk_wrmsr_safe(MSR_APIC_BASE, base | BASE_ENABLE))
		return false;
	if (on && !lwk_wrmsr_safe(MSR_APIC_BASE, base | BASE_ENABLE | BASE_X2APIC))
		return false;
	x2 = on;
	setup();
	return true;
}

/* Prefers xAPIC mode; a machine that firmware locked in x2APIC mode is used as it is. */
bool lwk_apic_init(void)
{
	if (!(lwk_cpuid(1, 0).edx & 1u << 9))
		return false;
	x2 = lwk_rdmsr(MSR_APIC_BASE) & BASE_X2APIC;
	if (!lwk_apic_set_x2(false)) {
		if (!x2)
			return false;
		setup();
	}
	return true;
}

/* Timer counts in 1/128 s of the TSC, which is as long as the measurement takes. */
static uint64_t timer_hz(uint64_t tsc_hz)
{
	uint64_t start, wait = tsc_hz / 128;
	uint32_t left;

	lwk_apic_write(REG_TIMER_DIVIDE, DIVIDE_BY_16);
	lwk_apic_write(REG_TIMER_INITIAL, 0xffffffff);
	start = lwk_tsc();
	while (lwk_tsc() - start < wait)
		lwk_pause();
	left = lwk_apic_read(REG_TIMER_CURRENT);
	lwk_apic_write(REG_TIMER_INITIAL, 0);
	return (uint64_t)(0xffffffff - left) * 128;
}

bool lwk_tick_start(uint64_t hz)
{
	uint64_t tsc_hz = lwk_tsc_hz();
	uint64_t rate = tsc_hz ? timer_hz(tsc_hz) : 0;

	if (!rate || rate / hz == 0) {
		lwk_printf("lwk: cannot tick at %llu Hz: the APIC timer runs at %llu Hz\n",
			   (unsigned long long)hz, (unsigned long long)rate);
		return false;
	}
	lwk_apic_write(REG_LVT_TIMER, LVT_PERIODIC | LWK_VEC_TIMER);
	lwk_apic_write(REG_TIMER_INITIAL, (uint32_t)(rate / hz));
	lwk_printf("lwk: tick at %llu Hz, APIC timer at %llu kHz\n", (unsigned long long)hz,
		   (unsigned long long)rate / 1000);
	return true;
}

void lwk_tick_stop(void)
{
	lwk_apic_write(REG_LVT_TIMER, LVT_MASKED | LWK_VEC_TIMER);
	lwk_apic_write(REG_TIMER_INITIAL, 0);
}

uint64_t lwk_tick_count(void)
{
	return ticks;
}
