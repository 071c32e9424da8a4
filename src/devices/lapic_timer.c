/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timer of the local APIC, SDM 3A 11.5.4. The count is never stored: it follows from the deadline.
 * The host's timer is only armed while an expiry would be seen, so a masked timer costs nothing.
 */
#include "intc.h"
#include "lapic.h"
#include "x86/apic.h"

static uint32_t timer_lvt(const struct v3_lapic *la)
{
	return la->lvt[V3_LVT_TIMER];
}

static bool in_deadline_mode(const struct v3_lapic *la)
{
	return (timer_lvt(la) & V3_APIC_TIMER_MODE_MASK) == V3_APIC_TIMER_DEADLINE;
}

static uint64_t now_of(const struct v3_lapic *la)
{
	return v3_now(v3_lapic_intc(la)->vm);
}

static uint64_t ticks_to_ns(const struct v3_lapic *la, uint32_t ticks)
{
	return ((uint64_t)ticks << la->divide_shift) * V3_LAPIC_TICK_NS;
}

/* Puts the deadline of a periodic timer into the future. */
static void skip_periods(struct v3_lapic *la, uint64_t now)
{
	if (la->deadline <= now)
		la->deadline += ((now - la->deadline) / la->period + 1) * la->period;
}

/* When a TSC value will be reached, in v3_now(); 0: it has been. Late rather than early. */
static uint64_t tsc_to_now(const struct v3_lapic *la, uint64_t tsc)
{
	const struct v3_vm *vm = v3_lapic_intc(la)->vm;
	uint64_t khz = v3_vm_tsc_khz(vm);
	uint64_t current = v3_guest_tsc(la->vcpu);
	uint64_t ms, rest, now;

	if (tsc <= current)
		return 0;
	/* No 128-bit division in a kernel: whole milliseconds, then the rest. */
	ms = (tsc - current) / khz;
	rest = (tsc - current) % khz;
	now = v3_now(vm);
	/* 2^40 ms are 34 years: farther deadlines are looked at again then. */
	if (ms >= 1ull << 40)
		ms = 1ull << 40;
	return now + ms * 1000000 + rest * 1000000 / khz + 1;
}

/* Arms or disarms the host's timer after any change. */
static void rearm(struct v3_lapic *la)
{
	if (la->deadline && !(timer_lvt(la) & V3_APIC_LVT_MASKED))
		v3_vcpu_timer_set(la->vcpu, la->deadline);
	else
		v3_vcpu_timer_set(la->vcpu, UINT64_MAX);
}

void v3_lapic_timer_expired(struct v3_lapic *la, bool due)
{
	if (la->deadline == 0)
		return;
	if (in_deadline_mode(la)) {
		/* The two clocks may differ a little, and the guest may have set its TSC. */
		la->deadline = tsc_to_now(la, la->tsc_deadline);
		if (la->deadline) {
			rearm(la);
			return;
		}
		la->tsc_deadline = 0;
	} else if (!due) {
		rearm(la);
		return;
	} else if (la->period) {
		skip_periods(la, now_of(la));
		rearm(la);
	} else {
		la->deadline = 0;
	}
	if (!(timer_lvt(la) & V3_APIC_LVT_MASKED))
		v3_lapic_accept_own(la, timer_lvt(la) & V3_APIC_LVT_VECTOR_MASK);
}

void v3_lapic_timer_stop(struct v3_lapic *la)
{
	la->deadline = 0;
	la->period = 0;
	la->tsc_deadline = 0;
	v3_vcpu_timer_set(la->vcpu, UINT64_MAX);
}

/* Starts counting @p ticks down, in the mode of the LVT entry. */
static void start(struct v3_lapic *la, uint32_t ticks)
{
	bool periodic = (timer_lvt(la) & V3_APIC_TIMER_MODE_MASK) == V3_APIC_TIMER_PERIODIC;

	la->period = 0;
	la->deadline = 0;
	if (la->initial_count != 0 && ticks != 0)
		la->deadline = now_of(la) + ticks_to_ns(la, ticks);
	if (la->deadline && periodic) {
		la->period = ticks_to_ns(la, la->initial_count);
		if (la->period < V3_LAPIC_MIN_PERIOD_NS)
			la->period = V3_LAPIC_MIN_PERIOD_NS;
	}
	rearm(la);
}

uint32_t v3_lapic_timer_current(const struct v3_lapic *la)
{
	uint64_t now = now_of(la);
	uint64_t left, ticks;

	if (in_deadline_mode(la) || la->deadline == 0)
		return 0;
	if (la->deadline > now)
		left = la->deadline - now;
	else if (la->period)
		left = la->period - (now - la->deadline) % la->period;
	else
		return 0;
	/* Rounded up: 0 is only read when it is over. */
	ticks = (left / V3_LAPIC_TICK_NS + (1ull << la->divide_shift) - 1) >> la->divide_shift;
	return ticks > la->initial_count ? la->initial_count : (uint32_t)ticks;
}

void v3_lapic_timer_lvt(struct v3_lapic *la, uint32_t old)
{
	uint32_t changed = old ^ timer_lvt(la);
	uint64_t now;

	if (changed & V3_APIC_TIMER_MODE_MASK) {
		/*
		 * SDM 11.5.4.1: to or from TSC-deadline mode disarms the timer. The reserved mode
		 * has the same bit set.
		 */
		if ((old | timer_lvt(la)) & V3_APIC_TIMER_DEADLINE)
			v3_lapic_timer_stop(la);
		else
			start(la, v3_lapic_timer_current(la));
		return;
	}
	if (!(changed & V3_APIC_LVT_MASKED) || la->deadline == 0)
		return;
	/* What expired while masked is lost. */
	now = now_of(la);
	if (la->deadline <= now) {
		if (la->period)
			skip_periods(la, now);
		else
			v3_lapic_timer_stop(la);
	}
	rearm(la);
}

void v3_lapic_timer_set_initial(struct v3_lapic *la, uint32_t count)
{
	/* SDM 11.5.4.1: ignored in TSC-deadline mode; bit 18 also stands for the reserved mode. */
	if (timer_lvt(la) & V3_APIC_TIMER_DEADLINE)
		return;
	la->initial_count = count;
	start(la, count);
}

void v3_lapic_timer_set_divide(struct v3_lapic *la, uint32_t divide)
{
	uint32_t current = v3_lapic_timer_current(la);

	la->divide = divide & V3_APIC_TIMER_DIVIDE_MASK;
	/* Bits 3, 1, 0: 000 divides by 2, ..., 110 by 128, 111 by 1. */
	la->divide_shift = (uint8_t)((((divide >> 1) & 4) | (divide & 3)) + 1) & 7;
	/* The count goes on from where it is, at the new rate. */
	if (!in_deadline_mode(la) && la->deadline)
		start(la, current);
}

void v3_lapic_timer_set_deadline(struct v3_lapic *la, uint64_t tsc)
{
	if (!in_deadline_mode(la) || la->mode == V3_LAPIC_DISABLED)
		return;
	la->tsc_deadline = tsc;
	la->deadline = tsc ? tsc_to_now(la, tsc) : 0;
	if (tsc && !la->deadline) {
		/* In the past: it expires at once. */
		la->tsc_deadline = 0;
		if (!(timer_lvt(la) & V3_APIC_LVT_MASKED))
			v3_lapic_accept_own(la, timer_lvt(la) & V3_APIC_LVT_VECTOR_MASK);
	}
	rearm(la);
}

uint64_t v3_lapic_timer_deadline(const struct v3_lapic *la)
{
	/* Reads zero once it has expired, also while masked, when no host timer notices. */
	if (!in_deadline_mode(la) || la->tsc_deadline <= v3_guest_tsc(la->vcpu))
		return 0;
	return la->tsc_deadline;
}
