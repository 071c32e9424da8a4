/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupt messages between local APICs and from the I/O APIC. SDM 3A 11.6; APM2 16.5. */
#include "intc.h"
#include "lapic.h"
#include "x86/apic.h"

#define BROADCAST_NARROW 0xffu
#define BROADCAST_WIDE 0xffffffffu

/* In x2APIC mode: cluster in bits 31:16, one bit of the 16 in it. SDM 11.12.10.2 */
static uint32_t wide_ldr(const struct v3_lapic *la)
{
	return (uint32_t)(la->id >> 4) << 16 | 1u << (la->id & 15);
}

uint32_t v3_lapic_ldr(const struct v3_lapic *la)
{
	if (__atomic_load_n(&la->mode, __ATOMIC_RELAXED) == V3_LAPIC_X2APIC)
		return wide_ldr(la);
	return __atomic_load_n(&la->ldr, __ATOMIC_RELAXED);
}

static bool matches_logical(const struct v3_lapic *la, uint32_t dest)
{
	uint32_t ldr = v3_lapic_ldr(la);

	if (__atomic_load_n(&la->mode, __ATOMIC_RELAXED) == V3_LAPIC_X2APIC)
		return dest >> 16 == ldr >> 16 && (dest & ldr & 0xffff);
	if (dest > 0xff)
		return false;
	/* SDM 11.6.2.2: all ones are for all, in both models and whatever the LDR. */
	if (dest == BROADCAST_NARROW)
		return true;
	ldr >>= V3_APIC_ID_SHIFT;
	/* Flat model if DFR[31:28] is all ones; else clusters of four, cluster 15 meaning all. */
	if (__atomic_load_n(&la->dfr, __ATOMIC_RELAXED) >> 28 == 0xf)
		return dest & ldr;
	return (dest >> 4 == 0xf || dest >> 4 == ldr >> 4) && (dest & ldr & 0xf);
}

/* Whether a message is for a local APIC; one that is switched off is not on the bus. */
static bool matches(const struct v3_lapic *la, const struct v3_intr_msg *msg)
{
	if (__atomic_load_n(&la->mode, __ATOMIC_RELAXED) == V3_LAPIC_DISABLED)
		return false;
	if (msg->wide && msg->dest == BROADCAST_WIDE)
		return true;
	if (msg->logical)
		return matches_logical(la, msg->dest);
	return msg->dest == la->id || (!msg->wide && msg->dest == BROADCAST_NARROW);
}

static bool deliver(struct v3_lapic *la, const struct v3_intr_msg *msg)
{
	switch (msg->mode) {
	case V3_APIC_DM_FIXED:
	case V3_APIC_DM_LOWEST:
		return v3_lapic_accept(la, msg->vector, msg->level);
	case V3_APIC_DM_NMI:
		v3_vcpu_nmi(la->vcpu);
		return true;
	case V3_APIC_DM_INIT:
		v3_vcpu_init(la->vcpu);
		return true;
	case V3_APIC_DM_STARTUP:
		v3_vcpu_sipi(la->vcpu, msg->vector);
		return true;
	case V3_APIC_DM_EXTINT:
		v3_lapic_accept_extint(la);
		return true;
	default:
		/* SMI: there is no SMM to enter. The rest is reserved. */
		return false;
	}
}

/* Who takes a lowest-priority message: the lowest PPR class, by turns among equals. */
static struct v3_lapic *arbitrate(struct v3_intc *intc, const struct v3_intr_msg *msg,
				  const struct v3_lapic *except)
{
	unsigned int i, n = intc->num_lapics;
	unsigned int first = __atomic_load_n(&intc->rotor, __ATOMIC_RELAXED) % n;
	struct v3_lapic *best = NULL;
	unsigned int best_class = 0x100;

	for (i = 0; i < n; i++) {
		unsigned int at = first + i < n ? first + i : first + i - n;
		struct v3_lapic *la = &intc->lapic[at];
		unsigned int prio = __atomic_load_n(&la->ppr, __ATOMIC_RELAXED) & 0xf0;

		if (la != except && prio < best_class &&
		    __atomic_load_n(&la->accepts, __ATOMIC_RELAXED) && matches(la, msg)) {
			best = la;
			best_class = prio;
		}
	}
	if (best)
		__atomic_store_n(&intc->rotor, best->id + 1u, __ATOMIC_RELAXED);
	return best;
}

static bool send(struct v3_intc *intc, const struct v3_intr_msg *msg,
		 const struct v3_lapic *except)
{
	bool taken = false;
	unsigned int i;

	if (msg->mode == V3_APIC_DM_LOWEST) {
		struct v3_lapic *la = arbitrate(intc, msg, except);

		return la && deliver(la, msg);
	}
	for (i = 0; i < intc->num_lapics; i++) {
		struct v3_lapic *la = &intc->lapic[i];

		if (la != except && matches(la, msg))
			taken |= deliver(la, msg);
	}
	return taken;
}

bool v3_intc_send(struct v3_intc *intc, const struct v3_intr_msg *msg)
{
	/* IDs are indices: the common case needs no search. */
	if (!msg->logical && msg->mode != V3_APIC_DM_LOWEST && msg->dest < intc->num_lapics) {
		struct v3_lapic *la = &intc->lapic[msg->dest];

		return matches(la, msg) && deliver(la, msg);
	}
	return send(intc, msg, NULL);
}

/* All, or all but the sender */
static void send_all(struct v3_lapic *la, bool with_self, struct v3_intr_msg *msg)
{
	/* SDM table 11-3: with itself, only fixed interrupts are valid. */
	if (with_self && msg->mode != V3_APIC_DM_FIXED)
		return;
	msg->wide = true;
	msg->logical = false;
	msg->dest = BROADCAST_WIDE;
	send(v3_lapic_intc(la), msg, with_self ? NULL : la);
}

void v3_lapic_send_ipi(struct v3_lapic *la, uint32_t icr_low, uint32_t dest)
{
	uint32_t shorthand = icr_low & V3_APIC_ICR_SHORTHAND_MASK;
	struct v3_intr_msg msg;

	/* The most frequent one first: fixed, to itself. */
	if ((icr_low & (V3_APIC_ICR_SHORTHAND_MASK | V3_APIC_ICR_MODE_MASK)) == V3_APIC_ICR_SELF &&
	    (icr_low & V3_APIC_ICR_VECTOR_MASK) >= 16) {
		v3_lapic_accept_own(la, (uint8_t)icr_low);
		return;
	}
	msg.dest = dest;
	msg.vector = (uint8_t)icr_low;
	msg.mode = (icr_low & V3_APIC_ICR_MODE_MASK) >> V3_APIC_ICR_MODE_SHIFT;
	msg.logical = icr_low & V3_APIC_ICR_LOGICAL;
	msg.level = false;	/* SDM 11.6.1: IPIs are edge-triggered */
	msg.wide = la->mode == V3_LAPIC_X2APIC;

	if (msg.mode <= V3_APIC_DM_LOWEST && msg.vector < 16) {
		v3_lapic_error(la, V3_APIC_ESR_SEND_ILLEGAL);
		return;
	}
	/* INIT level de-assert only synchronized arbitration IDs, on CPUs of the past. */
	if (msg.mode == V3_APIC_DM_INIT && (icr_low & V3_APIC_ICR_LEVEL) &&
	    !(icr_low & V3_APIC_ICR_ASSERT))
		return;
	if (msg.mode == V3_APIC_DM_EXTINT)
		return;		/* reserved in the ICR */
	if (shorthand == V3_APIC_ICR_NO_SHORTHAND)
		v3_intc_send(v3_lapic_intc(la), &msg);
	else if (shorthand != V3_APIC_ICR_SELF)	/* SDM table 11-3: to itself only fixed ones */
		send_all(la, shorthand == V3_APIC_ICR_ALL, &msg);
}
