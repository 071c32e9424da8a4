/* SPDX-License-Identifier: BSD-2-Clause */
/* Small programs for tests of a VMM: most of them misbehave on purpose. */
#include "cpu.h"
#include "lwk.h"

#define HOLE		0xd0000000ULL	/* no RAM and no device on the machines we know */
#define FIRMWARE	0xc0000ULL
#define FIRMWARE_END	0x100000ULL

int lwk_prog_tick(void)
{
	uint64_t want = lwk_opt.n ? lwk_opt.n : 10;
	uint64_t start;

	if (!lwk_opt.hz && !lwk_tick_start(100))
		return BM_EXIT_FAILED;
	bm_irq_off();
	start = lwk_tick_count();
	while (lwk_tick_count() - start < want)
		bm_wait();
	bm_irq_on();
	if (!lwk_opt.hz)
		lwk_tick_stop();
	bm_printf("tick: counted %llu\n", (unsigned long long)want);
	return BM_EXIT_OK;
}

static volatile uint64_t fired;	/* TSC of the interrupt */

static void oneshot_interrupt(void)
{
	fired = bm_tsc();
	bm_apic_write(BM_APIC_EOI, 0);
}

/*
 * Arms the timer for 1 ms and moves that back to 4 ms, then spins: a VMM that only remembers the
 * first deadline has no other exit at which to notice the second.
 */
int lwk_prog_rearm(void)
{
	uint64_t hz = bm_tsc_hz(), apic_hz = hz ? bm_apic_timer_hz(hz) : 0;
	uint64_t start, us;

	if (!apic_hz || lwk_opt.hz) {
		bm_printf("rearm: needs a working APIC timer, and none with hz=\n");
		return BM_EXIT_FAILED;
	}
	bm_irq_set(BM_VEC_TIMER, oneshot_interrupt);
	fired = 0;
	bm_apic_timer_start((uint32_t)(apic_hz / 1000), false);
	start = bm_tsc();
	bm_apic_timer_start((uint32_t)(apic_hz / 250), false);
	while (!fired && bm_tsc() - start < hz / 2)
		;
	bm_apic_timer_stop();
	us = fired ? bm_muldiv(fired - start, 1000000, hz) : 0;
	bm_printf("rearm: timer of 4000 us fired after %llu us\n", (unsigned long long)us);
	return us >= 3900 && us < 100000 ? BM_EXIT_OK : BM_EXIT_FAILED;
}

int lwk_prog_triple(void)
{
	bm_printf("triple: no IDT from here on, and an invalid opcode\n");
	bm_console_drain();
	bm_idt_break();
	__asm__ volatile("ud2");
	return BM_EXIT_FAILED;
}

int lwk_prog_spin(void)
{
	bm_printf("spin: for ever\n");
	for (;;)
		bm_pause();
}

int lwk_prog_ud(void)
{
	uint64_t addr = lwk_opt.addr ? lwk_opt.addr : HOLE;

	bm_printf("ud: jumping to 0x%llx, where nothing is\n", (unsigned long long)addr);
	bm_console_drain();
	((void (*)(void))addr)();
	bm_printf("ud: came back\n");
	return BM_EXIT_FAILED;
}

/* Whether 16-byte aligned text is somewhere in the BIOS's last 64 KiB. */
static bool in_firmware(const char *text, size_t len)
{
	for (uint64_t at = 0xf0000; at < FIRMWARE_END; at += 16)
		if (!memcmp((const void *)at, text, len))
			return true;
	return false;
}

/*
 * Finds the firmware's tables, then uses their memory for itself, as it may: only its next life
 * needs them again.
 */
int lwk_prog_firmware(void)
{
	volatile uint32_t *word = (volatile uint32_t *)FIRMWARE;
	bool acpi = in_firmware("RSD PTR ", 8), mp = in_firmware("_MP_", 4);
	unsigned int lost = 0, i, words = (FIRMWARE_END - FIRMWARE) / sizeof(*word);

	bm_printf("firmware: ACPI %s, MP table %s\n", acpi ? "found" : "missing",
		  mp ? "found" : "missing");
	for (i = 0; i < words; i++)
		word[i] = ~i;
	for (i = 0; i < words; i++)
		lost += word[i] != ~i;
	bm_printf("firmware: %u of %u words lost\n", lost, words);
	return acpi && mp && !lost ? BM_EXIT_OK : BM_EXIT_FAILED;
}

int lwk_prog_flood(void)
{
	uint64_t lines = lwk_opt.n ? lwk_opt.n : 1000;

	for (uint64_t i = 1; i <= lines; i++)
		bm_printf("flood %12llu abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\n",
			  (unsigned long long)i);
	bm_printf("flood: done, %llu lines\n", (unsigned long long)lines);
	return BM_EXIT_OK;
}

static unsigned int expect(const char *what, uint64_t where, uint64_t got, uint64_t want)
{
	if (got == want)
		return 0;
	bm_printf("absent: %s 0x%llx reads 0x%llx, not 0x%llx\n", what,
		  (unsigned long long)where, (unsigned long long)got, (unsigned long long)want);
	return 1;
}

/* Writes must be harmless and reads all ones, as on a bus where nobody answers. */
static unsigned int absent_ports(void)
{
	static const uint16_t ports[] = { 0x2e0, 0x1238, 0x5550, 0xeff8 };
	unsigned int wrong = 0;

	for (size_t i = 0; i < BM_ARRAY_SIZE(ports); i++) {
		bm_outb(ports[i], 0x5a);
		wrong += expect("port (8 bits)", ports[i], bm_inb(ports[i]), 0xff);
		wrong += expect("port (16 bits)", ports[i], bm_inw(ports[i]), 0xffff);
		wrong += expect("port (32 bits)", ports[i], bm_inl(ports[i]), 0xffffffff);
	}
	return wrong;
}

static unsigned int absent_mmio(void)
{
	uint64_t hole = lwk_opt.addr ? lwk_opt.addr : HOLE;
	unsigned int wrong = 0;

	for (uint64_t at = hole; at < hole + 0x3000; at += 0xffc) {
		bm_mmio_write(at, 0x5a5a5a5a);
		wrong += expect("memory", at, bm_mmio_read(at), 0xffffffff);
	}
	return wrong;
}

static unsigned int absent_msrs(void)
{
	static const uint32_t msrs[] = { 0x3, 0x1fff, 0x40000fff, 0xc0001fff, 0xdeadbeef };
	unsigned int wrong = 0;
	uint64_t v;

	for (size_t i = 0; i < BM_ARRAY_SIZE(msrs); i++) {
		if (bm_rdmsr_safe(msrs[i], &v)) {
			bm_printf("absent: RDMSR 0x%x gives 0x%llx, no #GP\n", msrs[i],
				  (unsigned long long)v);
			wrong++;
		}
		if (bm_wrmsr_safe(msrs[i], 0)) {
			bm_printf("absent: WRMSR 0x%x succeeds, no #GP\n", msrs[i]);
			wrong++;
		}
	}
	return wrong;
}

int lwk_prog_absent(void)
{
	unsigned int ports = absent_ports();
	unsigned int mmio = absent_mmio();
	unsigned int msrs = absent_msrs();

	bm_printf("absent: surprises: ports=%u mmio=%u msrs=%u\n", ports, mmio, msrs);
	return ports + mmio + msrs ? BM_EXIT_FAILED : BM_EXIT_OK;
}

int lwk_prog_halt(void)
{
	bm_printf("halt: HLT with interrupts off\n");
	bm_console_drain();
	bm_irq_off();
	__asm__ volatile("hlt");
	bm_printf("halt: woke up\n");
	return BM_EXIT_FAILED;
}

int lwk_prog_exit(void)
{
	return (int)lwk_opt.code;
}
