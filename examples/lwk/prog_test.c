/* SPDX-License-Identifier: BSD-2-Clause */
/* Small programs for tests of a VMM: most of them misbehave on purpose. */
#include "cpu.h"

#define HOLE		0xd0000000ULL	/* no RAM and no device on the machines we know */
#define ROM		0xffff0ULL	/* the PC's reset vector below 1 MiB */

int lwk_prog_tick(void)
{
	uint64_t want = lwk_opt.n ? lwk_opt.n : 10;
	uint64_t start;

	if (!lwk_opt.hz && !lwk_tick_start(100))
		return LWK_EXIT_FAILED;
	lwk_irq_off();
	start = lwk_tick_count();
	while (lwk_tick_count() - start < want)
		lwk_wait();
	lwk_irq_on();
	if (!lwk_opt.hz)
		lwk_tick_stop();
	lwk_printf("tick: counted %llu\n", (unsigned long long)want);
	return LWK_EXIT_OK;
}

int lwk_prog_triple(void)
{
	lwk_printf("triple: no IDT from here on, and an invalid opcode\n");
	lwk_console_drain();
	lwk_idt_break();
	__asm__ volatile("ud2");
	return LWK_EXIT_FAILED;
}

int lwk_prog_spin(void)
{
	lwk_printf("spin: for ever\n");
	for (;;)
		lwk_pause();
}

int lwk_prog_ud(void)
{
	uint64_t addr = lwk_opt.addr ? lwk_opt.addr : HOLE;

	lwk_printf("ud: jumping to 0x%llx, where nothing is\n", (unsigned long long)addr);
	lwk_console_drain();
	((void (*)(void))addr)();
	lwk_printf("ud: came back\n");
	return LWK_EXIT_FAILED;
}

int lwk_prog_romwrite(void)
{
	uint64_t addr = lwk_opt.addr ? lwk_opt.addr : ROM;
	uint32_t before = lwk_mmio_read(addr), after;

	lwk_printf("romwrite: 0x%llx holds 0x%08x, writing its complement\n",
		   (unsigned long long)addr, before);
	lwk_mmio_write(addr, ~before);
	after = lwk_mmio_read(addr);
	lwk_printf("romwrite: now 0x%08x: %s\n", after,
		   after == before ? "unchanged" : "the write went through");
	return after == before ? LWK_EXIT_OK : LWK_EXIT_FAILED;
}

int lwk_prog_flood(void)
{
	uint64_t lines = lwk_opt.n ? lwk_opt.n : 1000;

	for (uint64_t i = 1; i <= lines; i++)
		lwk_printf("flood %12llu abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\n",
			   (unsigned long long)i);
	lwk_printf("flood: done, %llu lines\n", (unsigned long long)lines);
	return LWK_EXIT_OK;
}

static unsigned int expect(const char *what, uint64_t where, uint64_t got, uint64_t want)
{
	if (got == want)
		return 0;
	lwk_printf("absent: %s 0x%llx reads 0x%llx, not 0x%llx\n", what,
		   (unsigned long long)where, (unsigned long long)got, (unsigned long long)want);
	return 1;
}

/* Writes must be harmless and reads all ones, as on a bus where nobody answers. */
static unsigned int absent_ports(void)
{
	static const uint16_t ports[] = { 0x2e0, 0x1238, 0x5550, 0xeff8 };
	unsigned int wrong = 0;

	for (size_t i = 0; i < LWK_ARRAY_SIZE(ports); i++) {
		lwk_outb(ports[i], 0x5a);
		wrong += expect("port (8 bits)", ports[i], lwk_inb(ports[i]), 0xff);
		wrong += expect("port (16 bits)", ports[i], lwk_inw(ports[i]), 0xffff);
		wrong += expect("port (32 bits)", ports[i], lwk_inl(ports[i]), 0xffffffff);
	}
	return wrong;
}

static unsigned int absent_mmio(void)
{
	uint64_t hole = lwk_opt.addr ? lwk_opt.addr : HOLE;
	unsigned int wrong = 0;

	for (uint64_t at = hole; at < hole + 0x3000; at += 0xffc) {
		lwk_mmio_write(at, 0x5a5a5a5a);
		wrong += expect("memory", at, lwk_mmio_read(at), 0xffffffff);
	}
	return wrong;
}

static unsigned int absent_msrs(void)
{
	static const uint32_t msrs[] = { 0x3, 0x1fff, 0x40000fff, 0xc0001fff, 0xdeadbeef };
	unsigned int wrong = 0;
	uint64_t v;

	for (size_t i = 0; i < LWK_ARRAY_SIZE(msrs); i++) {
		if (lwk_rdmsr_safe(msrs[i], &v)) {
			lwk_printf("absent: RDMSR 0x%x gives 0x%llx, no #GP\n", msrs[i],
				   (unsigned long long)v);
			wrong++;
		}
		if (lwk_wrmsr_safe(msrs[i], 0)) {
			lwk_printf("absent: WRMSR 0x%x succeeds, no #GP\n", msrs[i]);
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

	lwk_printf("absent: surprises: ports=%u mmio=%u msrs=%u\n", ports, mmio, msrs);
	return ports + mmio + msrs ? LWK_EXIT_FAILED : LWK_EXIT_OK;
}

int lwk_prog_halt(void)
{
	lwk_printf("halt: HLT with interrupts off\n");
	lwk_console_drain();
	lwk_irq_off();
	__asm__ volatile("hlt");
	lwk_printf("halt: woke up\n");
	return LWK_EXIT_FAILED;
}

int lwk_prog_exit(void)
{
	return (int)lwk_opt.code;
}
