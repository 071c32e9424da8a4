/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time from the TSC, deadlines by the local APIC timer. Interrupts have little to do here: that
 * they come makes a running guest exit and ends a HLT.
 */
#include "cpu.h"
#include "host.h"

#define NS_PER_S	1000000000ULL

static uint64_t tsc_hz, tsc_start, apic_hz;
static struct v3_host_timer *timers;

uint64_t mh_clock_ns(void)
{
	return bm_muldiv(bm_tsc() - tsc_start, NS_PER_S, tsc_hz);
}

uint64_t mh_clock_tsc(uint64_t ns)
{
	/* Rounded up, and centuries are for ever. */
	if (ns >= UINT64_MAX / 16)
		return UINT64_MAX;
	return tsc_start + bm_muldiv(ns, tsc_hz, NS_PER_S) + 1;
}

uint64_t mh_tsc_khz(void)
{
	return tsc_hz / 1000;
}

/* Interrupts off and their former state back: timers are armed from any context. */
static bool irq_save(void)
{
	uint64_t flags;

	__asm__ volatile("pushfq\n\tpopq %0\n\tcli" : "=r"(flags) : : "memory");
	return flags & 1u << 9;
}

static void irq_restore(bool on)
{
	if (on)
		bm_irq_on();
}

static uint64_t first_deadline(uint64_t after)
{
	uint64_t first = mh_sched_deadline(after);

	for (struct v3_host_timer *t = timers; t; t = t->next)
		if (t->deadline < first)
			first = t->deadline;
	return first;
}

/* For the first deadline of those later than a time. One that has passed comes at once. */
static void program(uint64_t after)
{
	uint64_t first = first_deadline(after), now = mh_clock_ns();

	if (first == UINT64_MAX) {
		bm_apic_timer_stop();
	} else {
		uint64_t wait = first > now ? first - now : 0, count = UINT32_MAX;

		/* The counter has 32 bits: a longer wait is continued when it ends. */
		if (wait < UINT32_MAX / (apic_hz / NS_PER_S + 1))
			count = bm_muldiv(wait, apic_hz, NS_PER_S) + 1;
		bm_apic_timer_start(count < UINT32_MAX ? (uint32_t)count : UINT32_MAX, false);
	}
}

/* Also for what passed while nobody looked: nothing else would end a HLT or a guest's run. */
void mh_timer_program(void)
{
	bool on = irq_save();

	program(0);
	irq_restore(on);
}

/* This is the interrupt for all that has passed; threads among it run when they are picked. */
static void timer_interrupt(void)
{
	uint64_t now = mh_clock_ns();

	bm_apic_write(BM_APIC_EOI, 0);
	for (struct v3_host_timer *t = timers; t; t = t->next)
		if (t->deadline <= now)
			t->deadline = UINT64_MAX;
	program(now);
}

static void kick_interrupt(void)
{
	bm_apic_write(BM_APIC_EOI, 0);
}

bool mh_timer_init(void)
{
	tsc_hz = bm_tsc_hz();
	if (!tsc_hz)
		return false;
	tsc_start = bm_tsc();
	apic_hz = bm_apic_timer_hz(tsc_hz);
	if (!apic_hz) {
		bm_printf("%s: the local APIC timer does not count\n", bm_name);
		return false;
	}
	bm_irq_set(BM_VEC_TIMER, timer_interrupt);
	bm_irq_set(MH_VEC_KICK, kick_interrupt);
	return true;
}

struct v3_host_timer *mh_timer_create(void)
{
	struct v3_host_timer *t = mh_heap_alloc(sizeof(*t));
	bool on;

	if (!t)
		return NULL;
	t->deadline = UINT64_MAX;
	on = irq_save();
	t->next = timers;
	timers = t;
	irq_restore(on);
	return t;
}

void mh_timer_destroy(struct v3_host_timer *timer)
{
	struct v3_host_timer **at = &timers;
	bool on = irq_save();

	while (*at != timer)
		at = &(*at)->next;
	*at = timer->next;
	irq_restore(on);
	mh_heap_free(timer, sizeof(*timer));
}

void mh_timer_arm(struct v3_host_timer *timer, uint64_t deadline)
{
	bool on = irq_save();

	timer->deadline = deadline;
	mh_timer_program();
	irq_restore(on);
}
