/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupt acceptance, priorities and EOI of the local APIC. SDM 3A 11.8; APM2 16.6. */
#include "intc.h"
#include "lapic.h"
#include "lib/bits.h"
#include "x86/apic.h"
#include "x86/msr.h"

#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Priority class of a vector or of a priority register */
static inline unsigned int class_of(unsigned int vector)
{
	return vector & 0xf0;
}

/* IRR and ISR hold no vectors below 16, so 0 stands for none. */
static unsigned int highest_irr(const struct v3_lapic *la)
{
	uint32_t words = __atomic_load_n(&la->pending, __ATOMIC_ACQUIRE) & V3_LAPIC_PENDING_IRR;

	while (words) {
		unsigned int w = 31 - (unsigned int)__builtin_clz(words);
		uint64_t word = __atomic_load_n(&la->irr[w], __ATOMIC_RELAXED);

		if (word)
			return w * 64 + 63 - (unsigned int)__builtin_clzll(word);
		words &= ~(1u << w);
	}
	return 0;
}

/* APM2 16.6.4: PPR is TPR unless a vector of a higher class is in service. */
static void update_ppr(struct v3_lapic *la)
{
	unsigned int service = class_of(la->isrv);

	__atomic_store_n(&la->ppr, class_of(la->tpr) >= service ? la->tpr : service,
			 __ATOMIC_RELAXED);
}

void v3_lapic_error(struct v3_lapic *la, uint32_t esr_bit)
{
	uint32_t lvt = __atomic_load_n(&la->lvt[V3_LVT_ERROR], __ATOMIC_RELAXED);
	uint8_t vector = lvt & V3_APIC_LVT_VECTOR_MASK;
	uint32_t before = __atomic_fetch_or(&la->esr_next, esr_bit, __ATOMIC_SEQ_CST);

	/* An error vector that is illegal itself would raise an error for ever. */
	if (!(before & esr_bit) && !(lvt & V3_APIC_LVT_MASKED) && vector >= 16)
		v3_lapic_accept(la, vector, false);
}

static inline bool accept(struct v3_lapic *la, uint8_t vector, bool level,
			  void (*check)(struct v3_vcpu *vcpu))
{
	unsigned int w = vector >> 6;
	uint64_t bit = 1ull << (vector & 63);

	if (UNLIKELY(!__atomic_load_n(&la->accepts, __ATOMIC_RELAXED)))
		return false;
	if (UNLIKELY(vector < 16)) {
		v3_lapic_error(la, V3_APIC_ESR_RECV_ILLEGAL);
		return true;
	}
	if (UNLIKELY(level))
		__atomic_or_fetch(&la->tmr[w], bit, __ATOMIC_SEQ_CST);
	else if (UNLIKELY(__atomic_load_n(&la->tmr[w], __ATOMIC_RELAXED) & bit))
		__atomic_and_fetch(&la->tmr[w], ~bit, __ATOMIC_SEQ_CST);
	/* Whoever set the bit first has told the vCPU, or is about to. */
	if (__atomic_fetch_or(&la->irr[w], bit, __ATOMIC_SEQ_CST) & bit)
		return true;
	/* Ordered after the IRR: see v3_lapic_ack(). */
	if (!(__atomic_load_n(&la->pending, __ATOMIC_SEQ_CST) & (1u << w)))
		__atomic_or_fetch(&la->pending, 1u << w, __ATOMIC_SEQ_CST);
	check(la->vcpu);
	return true;
}

bool v3_lapic_accept(struct v3_lapic *la, uint8_t vector, bool level)
{
	return accept(la, vector, level, v3_vcpu_check_intr);
}

void v3_lapic_accept_own(struct v3_lapic *la, uint8_t vector)
{
	accept(la, vector, false, v3_vcpu_check_own);
}

void v3_lapic_accept_extint(struct v3_lapic *la)
{
	__atomic_or_fetch(&la->pending, V3_LAPIC_PENDING_EXTINT, __ATOMIC_SEQ_CST);
	v3_vcpu_check_intr(la->vcpu);
}

int v3_lapic_peek(const struct v3_lapic *la, bool *blocked)
{
	unsigned int vector = highest_irr(la);

	*blocked = false;
	if (class_of(vector) > class_of(la->ppr))
		return (int)vector;
	*blocked = class_of(vector) > class_of(la->isrv);
	return -1;
}

int v3_lapic_ack(struct v3_lapic *la)
{
	unsigned int vector = highest_irr(la);
	unsigned int w = vector >> 6;
	uint64_t bit = 1ull << (vector & 63);

	if (class_of(vector) <= class_of(la->ppr))
		return -1;
	__atomic_and_fetch(&la->irr[w], ~bit, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&la->irr[w], __ATOMIC_SEQ_CST)) {
		/*
		 * A sender sets IRR and then looks at pending; here pending is cleared and then
		 * the IRR looked at. One of the two sees the other, so no bit is forgotten.
		 */
		__atomic_and_fetch(&la->pending, ~(1u << w), __ATOMIC_SEQ_CST);
		if (UNLIKELY(__atomic_load_n(&la->irr[w], __ATOMIC_SEQ_CST)))
			__atomic_or_fetch(&la->pending, 1u << w, __ATOMIC_SEQ_CST);
	}
	la->isr[w] |= bit;
	la->isr_words |= (uint8_t)(1u << w);
	la->isrv = (uint8_t)vector;	/* above all others in service, by the check above */
	/* Its class is above TPR's too. */
	__atomic_store_n(&la->ppr, class_of(vector), __ATOMIC_RELAXED);
	return (int)vector;
}

/* Level-triggered: the source has to look at its line again. */
static void eoi_level(struct v3_lapic *la, uint8_t vector)
{
	uint32_t lint0 = __atomic_load_n(&la->lvt[V3_LVT_LINT0], __ATOMIC_RELAXED);

	if (__atomic_load_n(&la->lint0_irr, __ATOMIC_RELAXED) &&
	    (lint0 & V3_APIC_LVT_VECTOR_MASK) == vector) {
		__atomic_store_n(&la->lint0_irr, 0, __ATOMIC_SEQ_CST);
		if (v3_pic_output(&v3_lapic_intc(la)->pic))
			v3_lapic_lint0(la, true);
	}
	if (!(la->svr & V3_APIC_SVR_EOI_SUPPRESS))
		v3_ioapic_eoi(&v3_lapic_intc(la)->ioapic, vector);
}

void v3_lapic_eoi_done(struct v3_lapic *la, uint8_t vector)
{
	if (__atomic_load_n(&la->tmr[vector >> 6], __ATOMIC_RELAXED) & 1ull << (vector & 63))
		eoi_level(la, vector);
}

void v3_lapic_eoi(struct v3_lapic *la)
{
	unsigned int vector = la->isrv;
	unsigned int w = vector >> 6;
	uint64_t bit = 1ull << (vector & 63);

	if (UNLIKELY(!vector))
		return;
	la->isr[w] &= ~bit;
	if (!la->isr[w])
		la->isr_words &= (uint8_t)~(1u << w);
	if (UNLIKELY(la->isr_words)) {
		w = 31 - (unsigned int)__builtin_clz(la->isr_words);
		la->isrv = (uint8_t)(w * 64 + 63 - (unsigned int)__builtin_clzll(la->isr[w]));
	} else {
		la->isrv = 0;
	}
	update_ppr(la);
	if (UNLIKELY(__atomic_load_n(&la->tmr[vector >> 6], __ATOMIC_RELAXED) & bit))
		eoi_level(la, (uint8_t)vector);
	if (__atomic_load_n(&la->pending, __ATOMIC_ACQUIRE))
		v3_vcpu_check_intr(la->vcpu);
}

/* APM2 16.6.4: the highest class of what is waited for, in service, or kept away by TPR. */
uint8_t v3_lapic_apr(const struct v3_lapic *la)
{
	unsigned int waiting = class_of(highest_irr(la)), service = class_of(la->isrv);

	if (class_of(la->tpr) >= waiting && class_of(la->tpr) > service)
		return la->tpr;
	return (uint8_t)(waiting > service ? waiting : service);
}

void v3_lapic_set_tpr(struct v3_lapic *la, uint8_t tpr)
{
	la->tpr = tpr;
	update_ppr(la);
}

static void lint0_fixed(struct v3_lapic *la, uint32_t lvt)
{
	uint8_t vector = lvt & V3_APIC_LVT_VECTOR_MASK;

	if (!(lvt & V3_APIC_LVT_LEVEL))
		v3_lapic_accept(la, vector, false);
	else if (!__atomic_exchange_n(&la->lint0_irr, 1, __ATOMIC_SEQ_CST) &&
		 !v3_lapic_accept(la, vector, true))
		__atomic_store_n(&la->lint0_irr, 0, __ATOMIC_SEQ_CST);
}

void v3_lapic_lint0(struct v3_lapic *la, bool level)
{
	uint32_t lvt = __atomic_load_n(&la->lvt[V3_LVT_LINT0], __ATOMIC_RELAXED);

	if (!level)
		return;
	if (__atomic_load_n(&la->extint, __ATOMIC_RELAXED)) {
		v3_vcpu_check_intr(la->vcpu);
		return;
	}
	if ((lvt & V3_APIC_LVT_MASKED) ||
	    __atomic_load_n(&la->mode, __ATOMIC_RELAXED) == V3_LAPIC_DISABLED)
		return;
	switch ((lvt & V3_APIC_LVT_MODE_MASK) >> V3_APIC_LVT_MODE_SHIFT) {
	case V3_APIC_DM_FIXED:
		lint0_fixed(la, lvt);
		break;
	case V3_APIC_DM_NMI:
		v3_vcpu_nmi(la->vcpu);
		break;
	default:
		/* SMI: there is no SMM. INIT from the 8259 pair makes no sense. */
		break;
	}
}

void v3_lapic_setup(struct v3_lapic *la, struct v3_vcpu *vcpu)
{
	la->vcpu = vcpu;
	la->id = (uint8_t)v3_vcpu_index(vcpu);
}

/* Registers other than IA32_APIC_BASE and the ID to their reset values, SDM 11.4.7.1 */
static void reset_registers(struct v3_lapic *la)
{
	unsigned int i;

	v3_lapic_timer_stop(la);
	__atomic_store_n(&la->accepts, false, __ATOMIC_RELAXED);
	/* Before the IRR: of a sender still at work a bit too many may be left, not one too few. */
	__atomic_store_n(&la->pending, 0, __ATOMIC_SEQ_CST);
	for (i = 0; i < 4; i++) {
		__atomic_store_n(&la->irr[i], 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&la->tmr[i], 0, __ATOMIC_SEQ_CST);
		la->isr[i] = 0;
	}
	__atomic_store_n(&la->esr_next, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&la->lint0_irr, 0, __ATOMIC_SEQ_CST);
	la->isr_words = 0;
	la->isrv = 0;
	la->tpr = 0;
	update_ppr(la);
	for (i = 0; i < V3_LVT_COUNT; i++)
		__atomic_store_n(&la->lvt[i], V3_APIC_LVT_MASKED, __ATOMIC_RELAXED);
	__atomic_store_n(&la->ldr, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&la->dfr, V3_APIC_DFR_FLAT, __ATOMIC_RELAXED);
	la->svr = V3_APIC_SVR_RESET;
	la->esr = 0;
	la->icr = 0;
	la->initial_count = 0;
	v3_lapic_timer_set_divide(la, 0);
	la->written = true;
}

V3_RARE void v3_lapic_init(struct v3_lapic *la)
{
	reset_registers(la);
	/* With the local APIC off, LINT0 is the INTR pin; only the first CPU's is wired. */
	__atomic_store_n(&la->extint, la->mode == V3_LAPIC_DISABLED && la->id == 0,
			 __ATOMIC_RELAXED);
}

void v3_lapic_reset(struct v3_lapic *la)
{
	la->base_flags = V3_APIC_BASE_ENABLE;
	__atomic_store_n(&la->mode, V3_LAPIC_XAPIC, __ATOMIC_RELAXED);
	v3_lapic_init(la);
	if (la->id != 0)
		return;
	/* Virtual wire mode, MP specification 3.6.2.2: what a PC's firmware hands over. */
	la->base_flags |= V3_APIC_BASE_BSP;
	la->svr |= V3_APIC_SVR_ENABLE;
	/* A console's input may send an interrupt at the same time. */
	__atomic_store_n(&la->lvt[V3_LVT_LINT0], V3_APIC_DM_EXTINT << V3_APIC_LVT_MODE_SHIFT,
			 __ATOMIC_RELAXED);
	__atomic_store_n(&la->lvt[V3_LVT_LINT1], V3_APIC_DM_NMI << V3_APIC_LVT_MODE_SHIFT,
			 __ATOMIC_RELAXED);
	__atomic_store_n(&la->accepts, true, __ATOMIC_RELAXED);
	__atomic_store_n(&la->extint, true, __ATOMIC_RELAXED);
}
