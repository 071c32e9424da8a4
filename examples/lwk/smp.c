/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starts the other CPUs and gives them work: one INIT and two start-up IPIs each (MP specification
 * B.4) to those in the MADT, or to all at once where there is no MADT. Between two pieces of work
 * they halt, so a CPU that is not woken by its interrupt is noticed.
 */
#include "cpu.h"
#include "lwk.h"
#include "smp.h"

#define MSR_GS_BASE	0xc0000101
#define STACK		16384
#define PAGE		4096
#define LOW_START	0x8000		/* below may be the firmware's */
#define LOW_END		0x9f000
#define ROLL_CALL_MS	1000
#define GUESS_HZ	4000000000ULL

extern char lwk_ap_start[], lwk_ap_end[], lwk_ap_gdt[], lwk_ap_cr3[];
extern uint64_t bm_gdt[];
void lwk_ap_main(unsigned int cpu);

uint32_t lwk_ap_ticket, lwk_ap_limit;
uint64_t lwk_ap_stacks[LWK_MAX_CPUS];

static uint32_t apic_ids[LWK_MAX_CPUS];
static uint32_t here, count;		/* CPUs that came; CPUs that work */
static void (*work)(unsigned int cpu);
static uint32_t work_number, work_done;
static bool all_here;
static uint32_t barrier_in, barrier_round;
static uint32_t lock_next, lock_now;
static uint32_t working[LWK_MAX_CPUS], numbers[LWK_MAX_CPUS];

void lwk_lock(void)
{
	uint32_t ticket = lwk_add(&lock_next, 1) - 1;

	while (lwk_load(&lock_now) != ticket)
		bm_pause();
}

void lwk_unlock(void)
{
	lwk_store(&lock_now, lock_now + 1);
}

uint64_t lwk_smp_hz(void)
{
	uint64_t hz = bm_tsc_hz();

	return hz ? hz : GUESS_HZ;
}

static void delay_us(uint64_t us)
{
	uint64_t start = bm_tsc(), wait = lwk_smp_hz() / 1000000 * us;

	while (bm_tsc() - start < wait)
		bm_pause();
}

static void work_interrupt(void)
{
	bm_apic_write(BM_APIC_EOI, 0);
}

static void set_number(unsigned int cpu)
{
	numbers[cpu] = cpu;
	bm_wrmsr(MSR_GS_BASE, (uint64_t)&numbers[cpu]);
}

/* Of each further CPU, from ap.S */
void lwk_ap_main(unsigned int cpu)
{
	uint32_t seen = 0;

	set_number(cpu);
	bm_trap_init_cpu((void *)(lwk_ap_stacks[cpu]));
	if (!bm_apic_init_cpu()) {
		bm_printf("lwk: CPU %u: its local APIC cannot be switched on\n", cpu);
		bm_exit(BM_EXIT_FAILED);
	}
	apic_ids[cpu] = bm_apic_id();
	lwk_add(&here, 1);
	for (;;) {
		bm_irq_off();
		while (lwk_load(&work_number) == seen)
			bm_wait();
		seen++;
		lwk_store(&working[cpu], 1);
		bm_irq_on();
		work(cpu);
		lwk_store(&working[cpu], 0);
		lwk_add(&work_done, 1);
	}
}

bool lwk_smp_complete(void)
{
	return all_here;
}

uint32_t lwk_smp_apic_id(unsigned int cpu)
{
	return apic_ids[cpu];
}

/* A page below 640 KiB that is RAM, for the code that CPUs start in; 0: none */
static uint64_t low_page(void)
{
	for (unsigned int i = 0; i < bm_boot.ram_count; i++) {
		uint64_t start = bm_boot.ram[i].start;

		if (start < LOW_START)
			start = LOW_START;
		if (start < LOW_END && start + PAGE <= bm_boot.ram[i].end)
			return start;
	}
	return 0;
}

static void fill_page(uint64_t page)
{
	struct {
		uint16_t limit;
		uint32_t base;
	} __attribute__((packed)) gdt = { 6 * 8 - 1, (uint32_t)(uint64_t)bm_gdt };
	uint32_t cr3 = (uint32_t)bm_read_cr3();
	char *to = (char *)page;

	__asm__("" : "+r"(to));
	memcpy(to, lwk_ap_start, (size_t)(lwk_ap_end - lwk_ap_start));
	memcpy(to + (lwk_ap_gdt - lwk_ap_start), &gdt, sizeof(gdt));
	memcpy(to + (lwk_ap_cr3 - lwk_ap_start), &cr3, sizeof(cr3));
}

/* The tables of a CPU lie above its stack. */
static bool make_stacks(unsigned int cpus)
{
	for (unsigned int i = 1; i < cpus; i++) {
		char *room = lwk_alloc(STACK + BM_TRAP_CPU_SIZE, PAGE);

		if (!room) {
			bm_printf("lwk: no memory for the stack of CPU %u\n", i);
			return false;
		}
		lwk_ap_stacks[i] = (uint64_t)room + STACK;
	}
	return true;
}

static void start_one(uint32_t dest, uint32_t shorthand, uint64_t page)
{
	bm_apic_send(dest, shorthand | BM_ICR_INIT | BM_ICR_ASSERT);
	delay_us(10000);
	for (unsigned int i = 0; i < 2; i++) {
		bm_apic_send(dest, shorthand | BM_ICR_STARTUP | BM_ICR_ASSERT |
					   (uint32_t)(page >> 12));
		delay_us(200);
	}
}

/* Waits until want CPUs are here or the time is over; 0: as many as come in that time. */
static void roll_call(unsigned int want)
{
	uint64_t start = bm_tsc(), limit = lwk_smp_hz() / 1000 * (want ? ROLL_CALL_MS : 100);

	while ((!want || lwk_load(&here) < want) && bm_tsc() - start < limit)
		bm_pause();
}

static bool start_others(const uint32_t *ids, unsigned int told, uint64_t page)
{
	unsigned int max = lwk_opt.cpus ? (unsigned int)lwk_opt.cpus : LWK_MAX_CPUS;

	if (!told) {
		lwk_ap_limit = max;
		if (!make_stacks(max))
			return false;
		start_one(0, BM_ICR_OTHERS, page);
		roll_call(0);
		return true;
	}
	lwk_ap_limit = told < max ? told : max;
	if (!make_stacks(lwk_ap_limit))
		return false;
	for (unsigned int i = 0; i < told && here < lwk_ap_limit; i++) {
		unsigned int want = here + 1;

		if (ids[i] == apic_ids[0])
			continue;
		start_one(ids[i], 0, page);
		roll_call(want);
		if (lwk_load(&here) < want) {
			bm_printf("lwk: CPU with APIC ID %u does not start\n", ids[i]);
			return false;
		}
	}
	return true;
}

unsigned int lwk_smp_start(void)
{
	uint32_t ids[LWK_MAX_CPUS];
	uint64_t start, page = low_page();
	unsigned int told;

	if (count)
		return count;
	if (!page) {
		bm_printf("lwk: no RAM below 640 KiB for other CPUs to start in\n");
		return 0;
	}
	bm_irq_set(LWK_VEC_WORK, work_interrupt);
	apic_ids[0] = bm_apic_id();
	set_number(0);
	here = 1;
	lwk_ap_ticket = 1;
	fill_page(page);
	told = lwk_madt_read(ids, LWK_MAX_CPUS);
	lwk_smp_hz();
	start = bm_tsc();
	if (!start_others(ids, told, page))
		return 0;
	count = lwk_load(&here);
	/* Those that answered the roll call too late for cpus= sleep in our code. */
	all_here = told <= count;
	bm_printf("lwk: %u CPUs, started in %llu ticks, found by %s\n", count,
		  (unsigned long long)(bm_tsc() - start), told ? "the MADT" : "roll call");
	return count;
}

bool lwk_smp_run(void (*fn)(unsigned int cpu), unsigned int seconds)
{
	uint64_t start = bm_tsc(), limit = lwk_smp_hz() * seconds;

	work = fn;
	lwk_store(&work_done, 0);
	lwk_add(&work_number, 1);
	if (count > 1)
		bm_apic_send(0, BM_ICR_OTHERS | BM_ICR_ASSERT | LWK_VEC_WORK);
	fn(0);
	while (lwk_load(&work_done) < count - 1) {
		bm_pause();
		if (bm_tsc() - start < limit)
			continue;
		for (unsigned int i = 1; i < count; i++) {
			if (lwk_load(&working[i]))
				bm_printf("lwk: CPU %u is still at work after %u s\n", i, seconds);
		}
		bm_printf("lwk: %u of %u CPUs are done after %u s\n", work_done + 1, count,
			  seconds);
		return false;
	}
	return true;
}

void lwk_smp_barrier(void)
{
	uint32_t round = lwk_load(&barrier_round);

	if (lwk_add(&barrier_in, 1) == count) {
		lwk_store(&barrier_in, 0);
		lwk_add(&barrier_round, 1);
		return;
	}
	while (lwk_load(&barrier_round) == round)
		bm_pause();
}
