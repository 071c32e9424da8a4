/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Driver of the device in ../own_device: rings it by its port, and takes its level-triggered interrupt
 * by way of the I/O APIC. With count= the device must be as an earlier guest left it.
 */
#include "../own_device/doorbell_regs.h"
#include "cpu.h"
#include "lwk.h"

#define IOAPIC_SELECT	0xfec00000ULL
#define IOAPIC_WINDOW	0xfec00010ULL
#define REDIR_LEVEL	(1u << 15)
#define REDIR_MASKED	(1u << 16)
#define VEC_DOORBELL	0x45
#define LEFT_RUNNING	100000000u	/* ns: the timer that the next guest finds */
#define RINGS		3

static volatile uint32_t interrupts, reasons;

static uint32_t reg_read(unsigned int reg)
{
	return bm_mmio_read(DOORBELL_MMIO + reg);
}

static void reg_write(unsigned int reg, uint32_t value)
{
	bm_mmio_write(DOORBELL_MMIO + reg, value);
}

/* The line falls with the reason, before the EOI: else it would interrupt again. */
static void doorbell(void)
{
	uint32_t status = reg_read(DOORBELL_STATUS);

	reg_write(DOORBELL_STATUS, status);
	reasons |= status;
	interrupts = interrupts + 1;
	bm_apic_write(BM_APIC_EOI, 0);
}

static void route(uint32_t low)
{
	uint32_t reg = 0x10 + 2 * DOORBELL_GSI;

	bm_mmio_write(IOAPIC_SELECT, reg + 1);
	bm_mmio_write(IOAPIC_WINDOW, bm_apic_id() << 24);
	bm_mmio_write(IOAPIC_SELECT, reg);
	bm_mmio_write(IOAPIC_WINDOW, low);
}

/* Sleeps until the next interrupt of the device; false if its reason is another one. */
static bool wait_for(uint32_t reason)
{
	uint32_t before = interrupts;

	reasons = 0;
	while (interrupts == before)
		bm_wait();
	return reasons == reason && interrupts == before + 1;
}

static int ring(uint64_t rings)
{
	for (uint64_t i = 0; i < rings; i++) {
		uint32_t before = interrupts;

		bm_outl(DOORBELL_PORT, 1);
		/* Interrupts are off: it is pending until they are not. */
		if (interrupts != before || !(reg_read(DOORBELL_STATUS) & DOORBELL_RUNG) ||
		    !wait_for(DOORBELL_RUNG))
			return BM_EXIT_FAILED;
	}
	return BM_EXIT_OK;
}

int lwk_prog_doorbell(void)
{
	uint64_t rings = lwk_opt.n ? lwk_opt.n : RINGS;
	uint32_t count = reg_read(DOORBELL_COUNT);
	int code;

	if (reg_read(DOORBELL_ID) != DOORBELL_ID_VALUE || count != lwk_opt.count) {
		bm_printf("doorbell: ID 0x%x, rung %u times before: not what count= says\n",
			  reg_read(DOORBELL_ID), count);
		return BM_EXIT_FAILED;
	}
	bm_irq_off();
	bm_irq_set(VEC_DOORBELL, doorbell);
	route(REDIR_LEVEL | VEC_DOORBELL);
	reg_write(DOORBELL_CONTROL, DOORBELL_ENABLE);
	if (count && !wait_for(DOORBELL_TIMER)) {
		bm_printf("doorbell: no timer from the guest before\n");
		return BM_EXIT_FAILED;
	}
	code = ring(rings);
	route(REDIR_MASKED);
	bm_irq_on();
	count = bm_inl(DOORBELL_PORT);
	bm_printf("doorbell: %u rings, %u interrupts%s\n", count, interrupts,
		  lwk_opt.count ? ", the first by the timer of the guest before" : "");
	reg_write(DOORBELL_DELAY, LEFT_RUNNING);
	return count == lwk_opt.count + rings ? code : BM_EXIT_FAILED;
}
