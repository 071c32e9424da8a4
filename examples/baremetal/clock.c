/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TSC frequency: from CPUID where it is told, else measured once against PIT channel 2. Nothing is
 * measured unless somebody asks, so that booting stays short.
 */
#include "cpu.h"

#define PIT_HZ		1193182
#define PIT_CH2		0x42
#define PIT_MODE	0x43
#define PIT_CH2_MODE0	0xb0		/* channel 2, low then high byte, mode 0 */
#define PORT_B		0x61
#define PORT_B_GATE2	0x01
#define PORT_B_SPEAKER	0x02
#define PORT_B_OUT2	0x20
#define MEASURE_COUNT	(PIT_HZ / 100)	/* 10 ms */
#define POLL_LIMIT	20000000
#define LEAF_TIMING	0x40000010	/* EAX = TSC in kHz, where the hypervisor has the leaf */

static uint64_t from_cpuid(void)
{
	struct bm_cpuid c;

	if (bm_cpuid(0, 0).eax >= 0x15) {
		c = bm_cpuid(0x15, 0);
		if (c.eax && c.ebx && c.ecx)
			return (uint64_t)c.ecx * c.ebx / c.eax;
	}
	if (bm_cpuid(1, 0).ecx & 1u << 31) {
		c = bm_cpuid(0x40000000, 0);
		if (c.eax >= LEAF_TIMING && c.eax <= 0x4000ffff)
			return bm_cpuid(LEAF_TIMING, 0).eax * 1000ULL;
	}
	return 0;
}

uint64_t bm_tsc_hz_by_pit(void)
{
	uint8_t old = bm_inb(PORT_B);
	uint64_t start, end = 0;

	bm_outb(PORT_B, (old & ~PORT_B_SPEAKER) | PORT_B_GATE2);
	bm_outb(PIT_MODE, PIT_CH2_MODE0);
	bm_outb(PIT_CH2, MEASURE_COUNT & 0xff);
	bm_outb(PIT_CH2, MEASURE_COUNT >> 8);
	start = bm_tsc();
	/* OUT goes low with the mode and high at the end; high at once means no PIT. */
	if (!(bm_inb(PORT_B) & PORT_B_OUT2)) {
		for (unsigned int i = 0; i < POLL_LIMIT && !end; i++) {
			if (bm_inb(PORT_B) & PORT_B_OUT2)
				end = bm_tsc();
		}
	}
	bm_outb(PORT_B, old);
	return end ? bm_muldiv(end - start, PIT_HZ, MEASURE_COUNT) : 0;
}

uint64_t bm_tsc_hz(void)
{
	static uint64_t hz;
	const char *how = "CPUID";

	if (hz)
		return hz;
	hz = from_cpuid();
	if (!hz) {
		hz = bm_tsc_hz_by_pit();
		how = "the PIT";
	}
	if (hz)
		bm_printf("%s: TSC runs at %llu kHz, says %s\n", bm_name,
			  (unsigned long long)hz / 1000, how);
	else
		bm_printf("%s: TSC frequency unknown: not in CPUID, and no PIT at port 0x42\n",
			  bm_name);
	return hz;
}
