/* SPDX-License-Identifier: BSD-2-Clause */
/* Local APIC in both modes, and its timer (APM2 16, SDM3 11). */
#include "cpu.h"

#define MSR_APIC_BASE		0x1b
#define BASE_ENABLE		(1ULL << 11)
#define BASE_X2APIC		(1ULL << 10)
#define BASE_ADDR		0xffffff000ULL

#define REG_TPR			0x80
#define REG_SVR			0xf0
#define REG_LDR			0xd0
#define REG_DFR			0xe0
#define REG_ICR			0x300
#define REG_ICR_HIGH		0x310
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
#define ICR_BUSY		0x1000
#define DFR_FLAT		0xffffffff
#define DFR_CLUSTER		0x0fffffff
#define DIVIDE_BY_16		3

static bool x2;

bool bm_apic_is_x2(void)
{
	return x2;
}

uint32_t bm_apic_read(unsigned int reg)
{
	if (x2)
		return (uint32_t)bm_rdmsr(BM_MSR_X2APIC + (reg >> 4));
	return bm_mmio_read(BM_APIC_BASE + reg);
}

void bm_apic_write(unsigned int reg, uint32_t value)
{
	if (x2)
		bm_wrmsr(BM_MSR_X2APIC + (reg >> 4), value);
	else
		bm_mmio_write(BM_APIC_BASE + reg, value);
}

void bm_apic_self_ipi(unsigned int vector)
{
	bm_apic_write(REG_ICR, BM_ICR_SELF | vector);
}

uint32_t bm_apic_id(void)
{
	uint32_t id = bm_apic_read(BM_APIC_ID);

	return x2 ? id : id >> 24;
}

void bm_apic_send(uint32_t dest, uint32_t command)
{
	if (x2) {
		/* Not serializing: what was stored before has to be seen (SDM3 11.12.3). */
		__asm__ volatile("mfence\n\tlfence" : : : "memory");
		bm_wrmsr(BM_MSR_X2APIC + (REG_ICR >> 4), (uint64_t)dest << 32 | command);
		return;
	}
	while (bm_mmio_read(BM_APIC_BASE + REG_ICR) & ICR_BUSY)
		bm_pause();
	bm_mmio_write(BM_APIC_BASE + REG_ICR_HIGH, dest << 24);
	bm_mmio_write(BM_APIC_BASE + REG_ICR, command);
}

void bm_apic_set_logical(bool flat, uint8_t logical)
{
	bm_apic_write(REG_DFR, flat ? DFR_FLAT : DFR_CLUSTER);
	bm_apic_write(REG_LDR, (uint32_t)logical << 24);
}

static void spurious(void)
{
	/* A spurious interrupt is not acknowledged (APM2 16.4.7). */
}

static void setup(void)
{
	bm_irq_set(BM_VEC_SPURIOUS, spurious);
	bm_apic_write(REG_SVR, SVR_ENABLE | BM_VEC_SPURIOUS);
	bm_apic_write(REG_TPR, 0);
	bm_apic_write(REG_LVT_TIMER, LVT_MASKED | BM_VEC_TIMER);
	bm_apic_write(REG_LVT_LINT0, LVT_MASKED);
	bm_apic_write(REG_LVT_LINT1, LVT_MASKED);
	bm_apic_write(REG_LVT_ERROR, LVT_MASKED);
	/* Whatever the firmware left in service would block our vectors: at most one per bit. */
	for (unsigned int i = 0; i < 256; i++) {
		uint32_t busy = 0;

		for (unsigned int r = 0; r < 8; r++)
			busy |= bm_apic_read(0x100 + r * 16);
		if (!busy)
			break;
		bm_apic_write(BM_APIC_EOI, 0);
	}
}

/*
 * Switches between xAPIC and x2APIC mode. The way back leads through the disabled state, which
 * resets the APIC (SDM3 11.12.5). False when the CPU has no such mode. Each CPU switches its own;
 * all of them have to, before any goes on.
 */
bool bm_apic_set_x2(bool on)
{
	uint64_t base = BM_APIC_BASE | (bm_rdmsr(MSR_APIC_BASE) & ~BASE_ADDR);
	bool was = base & BASE_X2APIC;

	if (on && !(bm_cpuid(1, 0).ecx & 1u << 21))
		return false;
	base &= ~(BASE_ENABLE | BASE_X2APIC);
	if (!on && was && !bm_wrmsr_safe(MSR_APIC_BASE, base))
		return false;
	if (!(on && was) && !bm_wrmsr_safe(MSR_APIC_BASE, base | BASE_ENABLE))
		return false;
	if (on && !was && !bm_wrmsr_safe(MSR_APIC_BASE, base | BASE_ENABLE | BASE_X2APIC))
		return false;
	x2 = on;
	setup();
	return true;
}

bool bm_apic_init_cpu(void)
{
	return bm_apic_set_x2(x2);
}

/* Prefers xAPIC mode; a machine that firmware locked in x2APIC mode is used as it is. */
bool bm_apic_init(void)
{
	if (!(bm_cpuid(1, 0).edx & 1u << 9))
		return false;
	x2 = bm_rdmsr(MSR_APIC_BASE) & BASE_X2APIC;
	if (!bm_apic_set_x2(false)) {
		if (!x2)
			return false;
		setup();
	}
	return true;
}

/* Counts down from count (not 0) in units of 16 bus clocks; interrupts with BM_VEC_TIMER. */
void bm_apic_timer_start(uint32_t count, bool periodic)
{
	bm_apic_write(REG_TIMER_DIVIDE, DIVIDE_BY_16);
	bm_apic_write(REG_LVT_TIMER, (periodic ? LVT_PERIODIC : 0) | BM_VEC_TIMER);
	bm_apic_write(REG_TIMER_INITIAL, count);
}

void bm_apic_timer_again(uint32_t count)
{
	bm_apic_write(REG_TIMER_INITIAL, count);
}

void bm_apic_timer_stop(void)
{
	bm_apic_write(REG_LVT_TIMER, LVT_MASKED | BM_VEC_TIMER);
	bm_apic_write(REG_TIMER_INITIAL, 0);
}

/* Timer counts in 1/128 s of the TSC, which is as long as the measurement takes. */
uint64_t bm_apic_timer_hz(uint64_t tsc_hz)
{
	uint64_t start, wait = tsc_hz / 128;
	uint32_t left;

	bm_apic_timer_start(0xffffffff, false);
	start = bm_tsc();
	while (bm_tsc() - start < wait)
		bm_pause();
	left = bm_apic_read(REG_TIMER_CURRENT);
	bm_apic_timer_stop();
	return (uint64_t)(0xffffffff - left) * 128;
}
