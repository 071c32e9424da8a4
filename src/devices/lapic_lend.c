/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC while hardware is the guest's: registers to and from a virtual-APIC page. SDM vol.
 * 3 30.1, table 11-6 (numbers of the x2APIC).
 */
#include "intc.h"
#include "lapic.h"
#include "x86/apic.h"

static uint32_t page_get(const uint8_t *page, uint32_t reg)
{
	return *(const volatile uint32_t *)(const void *)(page + reg);
}

static void page_set(uint8_t *page, uint32_t reg, uint32_t value)
{
	*(volatile uint32_t *)(void *)(page + reg) = value;
}

/* One of the four words of ISR, TMR, IRR: two registers. */
static uint64_t word_get(const uint8_t *page, uint32_t reg, unsigned int w)
{
	return page_get(page, reg + 32 * w) | (uint64_t)page_get(page, reg + 32 * w + 16) << 32;
}

static void word_set(uint8_t *page, uint32_t reg, unsigned int w, uint64_t word)
{
	page_set(page, reg + 32 * w, (uint32_t)word);
	page_set(page, reg + 32 * w + 16, (uint32_t)(word >> 32));
}

static uint8_t highest(unsigned int w, uint64_t word)
{
	return (uint8_t)(w * 64 + 63 - (unsigned int)__builtin_clzll(word));
}

/*
 * What waits moves to the page. A sender sets IRR and then looks at pending; here pending is
 * cleared first: one bit too many may be left in it, not one too few.
 */
static void irr_lend(struct v3_lapic *la, uint8_t *page, struct v3_lent *lent)
{
	unsigned int w;

	lent->irr = 0;
	__atomic_and_fetch(&la->pending, ~V3_LAPIC_PENDING_IRR, __ATOMIC_SEQ_CST);
	for (w = 0; w < 4; w++) {
		uint64_t word = 0;

		if (__atomic_load_n(&la->irr[w], __ATOMIC_RELAXED))
			word = __atomic_exchange_n(&la->irr[w], 0, __ATOMIC_SEQ_CST);
		word_set(page, V3_APIC_IRR, w, word);
		word_set(page, V3_APIC_ISR, w, la->isr[w]);
		if (word)
			lent->irr = highest(w, word);
	}
	/* After IRR: senders set TMR first. */
	for (w = 0; w < 4; w++) {
		lent->level[w] = __atomic_load_n(&la->tmr[w], __ATOMIC_SEQ_CST);
		word_set(page, V3_APIC_TMR, w, lent->level[w]);
	}
	lent->isr = la->isrv;
}

/* What only writes by the guest change, and a reset. */
static void regs_lend(struct v3_lapic *la, uint8_t *page)
{
	static const uint16_t regs[] = {
		V3_APIC_ID, V3_APIC_VERSION, V3_APIC_EOI, V3_APIC_LDR, V3_APIC_DFR, V3_APIC_SVR,
		V3_APIC_ESR, V3_APIC_LVT_TIMER,
		V3_APIC_LVT_THERMAL, V3_APIC_LVT_PERF, V3_APIC_LVT_LINT0, V3_APIC_LVT_LINT1,
		V3_APIC_LVT_ERROR, V3_APIC_TIMER_INITIAL, V3_APIC_TIMER_DIVIDE,
	};
	unsigned int i;

	for (i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		page_set(page, regs[i], (uint32_t)v3_lapic_reg(la, regs[i]));
	if (la->mode == V3_LAPIC_X2APIC)
		page_set(page, V3_APIC_ID, la->id);
	la->written = false;
}

void v3_lapic_lend(struct v3_lapic *la, uint8_t *page, unsigned int how, struct v3_lent *lent)
{
	lent->mode = V3_LENT_NOTHING;
	if (la->mode == V3_LAPIC_XAPIC && how & V3_LEND_MMIO)
		lent->mode = V3_LENT_MMIO;
	else if (la->mode == V3_LAPIC_X2APIC && how & V3_LEND_MSR)
		lent->mode = V3_LENT_MSR;
	else
		return;
	page_set(page, V3_APIC_TPR, la->tpr);
	if (!(how & V3_LEND_ALL))
		return;
	page_set(page, V3_APIC_PPR, la->ppr);
	irr_lend(la, page, lent);
	if (la->written)
		regs_lend(la, page);
	page_set(page, V3_APIC_ICR_LOW, (uint32_t)la->icr);
	page_set(page, lent->mode == V3_LENT_MSR ? V3_APIC_ICR_LOW + 4 : V3_APIC_ICR_HIGH,
		 (uint32_t)(la->icr >> 32));
	/* Level-triggered, another thread gives it a bit that is read. */
	page_set(page, V3_APIC_LVT_LINT0, (uint32_t)v3_lapic_reg(la, V3_APIC_LVT_LINT0));
}

static void irr_take_back(struct v3_lapic *la, const uint8_t *page)
{
	unsigned int w;

	la->isr_words = 0;
	la->isrv = 0;
	for (w = 0; w < 4; w++) {
		uint64_t word = word_get(page, V3_APIC_IRR, w);

		if (word) {
			__atomic_or_fetch(&la->irr[w], word, __ATOMIC_SEQ_CST);
			__atomic_or_fetch(&la->pending, 1u << w, __ATOMIC_SEQ_CST);
		}
		la->isr[w] = word_get(page, V3_APIC_ISR, w);
		if (la->isr[w]) {
			la->isr_words |= (uint8_t)(1u << w);
			la->isrv = highest(w, la->isr[w]);
		}
	}
}

void v3_lapic_take_back(struct v3_lapic *la, const uint8_t *page, unsigned int how)
{
	if (how & V3_LEND_ALL) {
		irr_take_back(la, page);
		/* A vector to itself may have been sent without us. */
		if (la->mode == V3_LAPIC_XAPIC)
			la->icr = page_get(page, V3_APIC_ICR_LOW) |
				  (uint64_t)(page_get(page, V3_APIC_ICR_HIGH) & 0xff000000) << 32;
	}
	v3_lapic_set_tpr(la, (uint8_t)page_get(page, V3_APIC_TPR));
}
