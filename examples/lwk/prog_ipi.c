/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What interrupts cost, in TSC ticks: an IPI to another CPU and one back, an IPI that ends a HLT, a
 * one-shot timer, and the serial port's through the I/O APIC.
 */
#include "cpu.h"
#include "lwk.h"
#include "smp.h"

#define DEFAULT_N	1000
#define MAX_N		1000000
#define WARM_UP		16
#define VEC_PING	0x50
#define VEC_PONG	0x51
#define VEC_WAKE	0x52
#define VEC_SERIAL	0x53
#define SECONDS		60
#define LIMIT_S		10
#define TIMER_US	20
#define SETTLE_US	100	/* until the other CPU is in HLT */
#define CALIBRATION	4096	/* rounds of the loop that measures what a timer takes */
#define COM1		0x3f8
#define COM1_IRQ	4
#define IOAPIC		0xfec00000

static uint64_t *samples, samples_room, count;
static uint32_t pongs, wakes, over;
static uint64_t stamp;
static bool failed;

static void eoi(void)
{
	bm_apic_write(BM_APIC_EOI, 0);
}

static void ping(void)
{
	eoi();
	bm_apic_send(lwk_smp_apic_id(0), BM_ICR_ASSERT | VEC_PONG);
}

static void pong(void)
{
	lwk_add(&pongs, 1);
	eoi();
}

static void take_stamp(void)
{
	__atomic_store_n(&stamp, bm_tsc(), __ATOMIC_SEQ_CST);
	eoi();
	lwk_add(&wakes, 1);
}

/* Waits for a change of *p from old; false, and failed, when it takes too long. */
static bool changed(const uint32_t *p, uint32_t old)
{
	uint64_t start = bm_tsc();

	while (lwk_load(p) == old) {
		bm_pause();
		if (bm_tsc() - start > lwk_smp_hz() * LIMIT_S) {
			failed = true;
			return false;
		}
	}
	return true;
}

static void keep(uint64_t i, uint64_t ticks)
{
	samples[i < WARM_UP ? 0 : i - WARM_UP] = ticks;
}

/* CPU 0 asks, CPU 1 spins with interrupts on, the others are done at once. */
static void round_trips(unsigned int cpu)
{
	if (cpu == 1) {
		while (!lwk_load(&over))
			bm_pause();
	}
	if (cpu != 0)
		return;
	for (uint64_t i = 0; i < count + WARM_UP && !failed; i++) {
		uint32_t before = lwk_load(&pongs);
		uint64_t start = bm_tsc();

		bm_apic_send(lwk_smp_apic_id(1), BM_ICR_ASSERT | VEC_PING);
		if (changed(&pongs, before))
			keep(i, bm_tsc() - start);
	}
	lwk_store(&over, 1);
}

static void sleeper(void)
{
	bm_irq_off();
	while (!lwk_load(&over))
		bm_wait();
	bm_irq_on();
}

static void settle(void)
{
	uint64_t start = bm_tsc(), wait = lwk_smp_hz() / 1000000 * SETTLE_US;

	while (bm_tsc() - start < wait)
		bm_pause();
}

static void wake_ups(unsigned int cpu)
{
	if (cpu == 1)
		sleeper();
	if (cpu != 0)
		return;
	for (uint64_t i = 0; i < count + WARM_UP && !failed; i++) {
		uint32_t before = lwk_load(&wakes);
		uint64_t start;

		settle();
		start = bm_tsc();
		bm_apic_send(lwk_smp_apic_id(1), BM_ICR_ASSERT | VEC_WAKE);
		if (changed(&wakes, before))
			keep(i, __atomic_load_n(&stamp, __ATOMIC_SEQ_CST) - start);
	}
	lwk_store(&over, 1);
	bm_apic_send(lwk_smp_apic_id(1), BM_ICR_ASSERT | VEC_WAKE);
}

static bool measure(void (*fn)(unsigned int cpu), const char *name, const char *what)
{
	over = 0;
	if (!lwk_smp_run(fn, SECONDS))
		return false;
	if (failed) {
		bm_printf("ipi: %s: no answer from CPU 1 in %u s\n", name, LIMIT_S);
		return false;
	}
	lwk_bench_report(samples, count, name, what);
	return true;
}

/* A loop whose rounds are all the same, until the count of wake-ups changes or so many rounds. */
static uint64_t __attribute__((noinline)) spin(uint32_t before, uint64_t most)
{
	uint64_t n = 0;

	while (lwk_load(&wakes) == before && n < most)
		n++;
	return n;
}

static uint64_t calibrate(void)
{
	uint64_t best = ~0ull, start, took;

	for (unsigned int i = 0; i < WARM_UP; i++) {
		start = bm_tsc();
		spin(lwk_load(&wakes), CALIBRATION);
		took = bm_tsc() - start;
		if (took < best)
			best = took;
	}
	return best;
}

/*
 * One timer interrupt: how late its handler is, or what it takes from a program that computes
 * meanwhile.
 */
static bool one_timer(uint32_t units, uint64_t ticks, uint64_t calibration, uint64_t *sample)
{
	uint32_t before = lwk_load(&wakes);
	uint64_t start = bm_tsc(), took, useful;

	bm_apic_timer_again(units);
	useful = spin(before, lwk_smp_hz() * LIMIT_S);
	took = (calibration ? bm_tsc() : __atomic_load_n(&stamp, __ATOMIC_SEQ_CST)) - start;
	if (lwk_load(&wakes) == before) {
		bm_printf("ipi: a timer interrupt of %u us did not come\n", TIMER_US);
		return false;
	}
	if (calibration)
		ticks = useful * calibration / CALIBRATION;
	*sample = took > ticks ? took - ticks : 0;
	return true;
}

/*
 * From before the timer is armed to its handler, less the time it was armed for; and all that it
 * takes.
 */
static bool measure_timer(void)
{
	uint64_t hz = bm_tsc_hz(), apic_hz = hz ? bm_apic_timer_hz(hz) : 0, sample;
	uint32_t units = (uint32_t)(apic_hz / (1000000 / TIMER_US));
	uint64_t ticks = apic_hz ? bm_muldiv(units, hz, apic_hz) : 0, calibration = 0;

	if (!units || lwk_opt.hz) {
		bm_printf("ipi: timer_fire needs a working APIC timer and TSC, not hz=\n");
		return false;
	}
	bm_irq_set(BM_VEC_TIMER, take_stamp);
	bm_apic_timer_start(units, false);
	bm_apic_timer_again(0);
	for (unsigned int which = 0; which < 2; which++) {
		for (uint64_t i = 0; i < count + WARM_UP; i++) {
			if (!one_timer(units, ticks, calibration, &sample))
				return false;
			keep(i, sample);
		}
		lwk_bench_report(samples, count, which ? "timer_cost" : "timer_fire",
				 which ? "what this timer takes from a program" :
					 "APIC timer of 20 us, less these");
		calibration = calibrate();
	}
	bm_apic_timer_stop();
	return true;
}

static void ioapic_write(uint32_t reg, uint32_t value)
{
	bm_mmio_write(IOAPIC, reg);
	bm_mmio_write(IOAPIC + 0x10, value);
}

/* As a driver does: reading IIR takes "transmitter empty" away. */
static void serial(void)
{
	bm_inb(COM1 + 2);
	eoi();
	lwk_add(&wakes, 1);
}

/*
 * From enabling "transmitter empty", which is true, to the end of its handler. OUT2 is the wire's
 * switch.
 */
static bool measure_serial(void)
{
	uint8_t ier = bm_inb(COM1 + 1), mcr = bm_inb(COM1 + 4);

	bm_console_drain();
	bm_irq_set(VEC_SERIAL, serial);
	bm_outb(COM1 + 1, 0);
	bm_outb(COM1 + 4, mcr | 8);
	ioapic_write(0x11 + 2 * COM1_IRQ, lwk_smp_apic_id(0) << 24);
	ioapic_write(0x10 + 2 * COM1_IRQ, VEC_SERIAL);
	for (uint64_t i = 0; i < count + WARM_UP && !failed; i++) {
		uint32_t before = lwk_load(&wakes);
		uint64_t start = bm_tsc();

		bm_outb(COM1 + 1, 2);
		if (changed(&wakes, before))
			keep(i, bm_tsc() - start);
		bm_outb(COM1 + 1, 0);
	}
	ioapic_write(0x10 + 2 * COM1_IRQ, 1 << 16);
	bm_outb(COM1 + 4, mcr);
	bm_outb(COM1 + 1, ier);
	if (failed) {
		bm_printf("ipi: the serial port's interrupt did not come in %u s\n", LIMIT_S);
		return false;
	}
	lwk_bench_report(samples, count, "serial_irq", "serial port through the I/O APIC, with EOI");
	return true;
}

static bool allocate(void)
{
	count = lwk_opt.n ? lwk_opt.n : DEFAULT_N;
	if (count > MAX_N) {
		bm_printf("ipi: n=%llu is over %u\n", (unsigned long long)count, MAX_N);
		return false;
	}
	if (samples_room < count) {
		samples = lwk_alloc(count * sizeof(*samples), 4096);
		samples_room = samples ? count : 0;
	}
	if (!samples)
		bm_printf("ipi: no memory for %llu samples\n", (unsigned long long)count);
	return samples;
}

int lwk_prog_ipi(void)
{
	unsigned int cpus = lwk_smp_start();

	if (!cpus || !allocate())
		return BM_EXIT_FAILED;
	if (cpus < 2) {
		bm_printf("ipi: needs two CPUs, this machine has one\n");
		return BM_EXIT_FAILED;
	}
	failed = false;
	bm_irq_set(VEC_PING, ping);
	bm_irq_set(VEC_PONG, pong);
	bm_irq_set(VEC_WAKE, take_stamp);
	return measure(round_trips, "ipi_roundtrip", "IPI to a spinning CPU and one back") &&
	       measure(wake_ups, "hlt_wake", "IPI to a halted CPU, until its handler") &&
	       measure_timer() && measure_serial() ? BM_EXIT_OK : BM_EXIT_FAILED;
}
