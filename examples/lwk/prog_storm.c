/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All CPUs send interrupts to each other at random: fixed, lowest priority and NMI, to physical and
 * logical destinations and by shorthand, with the local APICs in flat, cluster and x2APIC mode.
 *
 * Several interrupts of one vector may become one, so counts alone prove little. Each sender first
 * raises a number that belongs to target and vector; the handler notes the number that it finds.
 * When all is quiet, the note must equal the number, or the last interrupt was lost; and no handler
 * may have run more often than interrupts were sent.
 */
#include "cpu.h"
#include "lwk.h"
#include "storm.h"

#define DEFAULT_N	1000
#define SECONDS		300
#define QUIET_S		20
#define REG_TPR		0x80
#define REG_ESR		0x280
#define NAP_ONE_IN	8

struct storm storm;

static const uint8_t vectors[STORM_VECTORS] = { 0x61, 0x7f, 0x80, 0xb3, 0xc2, 0xe1, 2 };
static const char *const mode_names[] = { "flat", "cluster", "x2apic" };

static void note(unsigned int v)
{
	struct storm_cpu *me = &storm.cpu[lwk_cpu()];

	lwk_store(&me->seen[v], lwk_load(&me->asked[v]));
	lwk_add(&me->received[v], 1);
	if (vectors[v] != 2)
		bm_apic_write(BM_APIC_EOI, 0);
}

static void got_0(void) { note(0); }
static void got_1(void) { note(1); }
static void got_2(void) { note(2); }
static void got_3(void) { note(3); }
static void got_wake(void) { note(STORM_WAKE); }
static void got_nmi(void) { note(STORM_NMI); }

/* Whoever takes it, the number is common to all. */
static void got_lowest(void)
{
	uint32_t asked = lwk_load(&storm.lowest_asked), seen = lwk_load(&storm.lowest_seen);

	while (seen < asked &&
	       !__atomic_compare_exchange_n(&storm.lowest_seen, &seen, asked, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	lwk_add(&storm.lowest_received, 1);
	bm_apic_write(BM_APIC_EOI, 0);
}

uint8_t storm_vector(unsigned int v)
{
	return vectors[v];
}

static uint32_t rnd(struct storm_cpu *me)
{
	me->random ^= me->random << 13;
	me->random ^= me->random >> 7;
	me->random ^= me->random << 17;
	return (uint32_t)(me->random >> 16);
}

/* Time must not go back from one CPU to another, also not over a pause of the machine. */
static void check_time(struct storm_cpu *me)
{
	uint64_t last = __atomic_load_n(&storm.last_tsc, __ATOMIC_SEQ_CST), now = bm_tsc();

	if (now < last && last - now > me->back)
		me->back = last - now;
	while (last < now && !__atomic_compare_exchange_n(&storm.last_tsc, &last, now, false,
							  __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
}

/* Wakes one that sleeps, if there is one from a random place on. */
static void wake_one(struct storm_cpu *me)
{
	unsigned int first = rnd(me) % storm.cpus;

	for (unsigned int i = 0; i < storm.cpus; i++) {
		unsigned int t = (first + i) % storm.cpus;
		uint32_t yes = 1;

		if (!__atomic_compare_exchange_n(&storm.cpu[t].sleeping, &yes, 0, false,
						 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			continue;
		lwk_store(&storm.cpu[t].woken, 1);
		storm_send_one(t, STORM_WAKE);
		return;
	}
}

/* HLT until another CPU ends it, unless all others sleep already. */
static void nap(struct storm_cpu *me)
{
	uint32_t awake = lwk_load(&storm.awake);

	do {
		if (awake < 2)
			return;
	} while (!__atomic_compare_exchange_n(&storm.awake, &awake, awake - 1, false,
					      __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	lwk_store(&me->woken, 0);
	lwk_store(&me->sleeping, 1);
	bm_irq_off();
	while (!lwk_load(&me->woken))
		bm_wait();
	bm_irq_on();
	lwk_add(&storm.awake, 1);
	me->naps++;
}

/* Interrupts wait for IF, or for the task priority. */
static void hold(struct storm_cpu *me, uint32_t r)
{
	bool by_tpr = r & 1;

	if (by_tpr)
		bm_apic_write(REG_TPR, (r & 0xf0) | 0x10);
	else
		bm_irq_off();
	storm_send_random(me, rnd(me));
	if (by_tpr)
		bm_apic_write(REG_TPR, 0);
	else
		bm_irq_on();
}

static void storm_cpu(unsigned int cpu)
{
	struct storm_cpu *me = &storm.cpu[cpu];

	lwk_smp_barrier();
	for (uint64_t i = 0; i < storm.n; i++) {
		uint32_t r = rnd(me);

		if (r % 4 == 0)
			hold(me, r >> 8);
		else
			storm_send_random(me, rnd(me));
		check_time(me);
		if ((r >> 4) % NAP_ONE_IN == 0)
			nap(me);
		else if ((r >> 4) % NAP_ONE_IN < 3)
			wake_one(me);
	}
	lwk_add(&storm.finished, 1);
	while (lwk_load(&storm.finished) < storm.cpus) {
		wake_one(me);
		bm_pause();
	}
}

/* Whether all that was sent was received; says what was not if `say`. */
static bool complete(bool say)
{
	bool good = lwk_load(&storm.lowest_seen) == lwk_load(&storm.lowest_asked);

	if (!good && say)
		bm_printf("ipistorm: lowest priority: %u sent, the last one lost (%u)\n",
			  storm.lowest_asked, storm.lowest_seen);
	for (unsigned int c = 0; c < storm.cpus; c++) {
		for (unsigned int v = 0; v < STORM_VECTORS; v++) {
			struct storm_cpu *to = &storm.cpu[c];

			if (v == STORM_LOWEST || lwk_load(&to->seen[v]) == lwk_load(&to->asked[v]))
				continue;
			good = false;
			if (say)
				bm_printf("ipistorm: CPU %u, vector 0x%x: %u sent, the last one "
					  "lost (%u)\n", c, vectors[v], to->asked[v], to->seen[v]);
		}
	}
	return good;
}

bool storm_quiet(void)
{
	uint64_t start = bm_tsc();

	while (!complete(false)) {
		bm_pause();
		if (bm_tsc() - start > lwk_smp_hz() * QUIET_S)
			return complete(true);
	}
	return true;
}

/* How many more were handled than sent */
static uint64_t excess(const char *who, unsigned int number, uint64_t sent, uint64_t received)
{
	if (received <= sent)
		return 0;
	bm_printf("ipistorm: %s %u: %llu sent, %llu handled\n", who, number,
		  (unsigned long long)sent, (unsigned long long)received);
	return received - sent;
}

static bool totals(const char *name)
{
	uint64_t sent = storm.lowest_asked, received = storm.lowest_received, naps = 0, back = 0;
	uint64_t doubled = excess("lowest priority", 0, storm.lowest_asked, received);
	bool good = true;

	for (unsigned int c = 0; c < storm.cpus; c++) {
		struct storm_cpu *of = &storm.cpu[c];

		for (unsigned int v = 0; v < STORM_VECTORS; v++) {
			sent += of->asked[v];
			received += of->received[v];
			doubled += excess("CPU", c, of->asked[v], of->received[v]);
		}
		naps += of->naps;
		back = of->back > back ? of->back : back;
		if (of->esr) {
			good = false;
			bm_printf("ipistorm: CPU %u: APIC error 0x%x\n", c, of->esr);
		}
	}
	bm_printf("ipistorm: %s: %llu sent, %llu handled, %llu naps, TSC back by %llu\n", name,
		  (unsigned long long)sent, (unsigned long long)received,
		  (unsigned long long)naps, (unsigned long long)back);
	return good && doubled <= lwk_opt.doubled && back <= STORM_TSC_TOLERANCE;
}

/* All switch together, with interrupts off: an EOI must find the mode that it is meant for. */
static void enter_mode(unsigned int cpu)
{
	bm_irq_off();
	lwk_smp_barrier();
	if (!bm_apic_set_x2(storm.mode == STORM_X2APIC)) {
		bm_printf("ipistorm: CPU %u does not enter %s mode\n", cpu, mode_names[storm.mode]);
		bm_exit(BM_EXIT_FAILED);
	}
	if (storm.mode == STORM_FLAT)
		bm_apic_set_logical(true, (uint8_t)(1u << cpu));
	else if (storm.mode == STORM_CLUSTER)
		bm_apic_set_logical(false, (uint8_t)(cpu / 4 << 4 | 1u << cpu % 4));
	bm_apic_write(REG_ESR, 0);
	lwk_smp_barrier();
	bm_irq_on();
}

static void read_errors(unsigned int cpu)
{
	bm_apic_write(REG_ESR, 0);
	storm.cpu[cpu].esr = bm_apic_read(REG_ESR);
}

static void reset(unsigned int cpus)
{
	memset(&storm, 0, sizeof(storm));
	storm.cpus = storm.awake = cpus;
	storm.n = lwk_opt.n ? lwk_opt.n : DEFAULT_N;
	for (unsigned int c = 0; c < cpus; c++)
		storm.cpu[c].random = (lwk_opt.seed + 1) * 0x9e3779b97f4a7c15ULL + c;
}

static bool run_mode(unsigned int cpus, enum storm_mode mode)
{
	const char *name = mode_names[mode];

	if (mode == STORM_X2APIC && !(bm_cpuid(1, 0).ecx & 1u << 21)) {
		bm_printf("ipistorm: x2apic: left out, this CPU has no such mode\n");
		return true;
	}
	if (mode == STORM_FLAT && cpus > 8) {
		bm_printf("ipistorm: flat: left out, it has 8 CPUs at most\n");
		return true;
	}
	reset(cpus);
	storm.mode = mode;
	return lwk_smp_run(enter_mode, SECONDS) && lwk_smp_run(storm_cpu, SECONDS) &&
	       storm_quiet() && lwk_smp_run(read_errors, SECONDS) && totals(name) &&
	       storm_ring(name);
}

int lwk_prog_ipistorm(void)
{
	static const bm_irq_fn handlers[STORM_VECTORS] = {
		got_0, got_1, got_2, got_3, got_wake, got_lowest, got_nmi,
	};
	unsigned int cpus = lwk_smp_start();
	bool good = cpus != 0;

	for (unsigned int v = 0; good && v < STORM_VECTORS; v++)
		bm_irq_set(vectors[v], handlers[v]);
	for (unsigned int m = STORM_FLAT; good && m <= STORM_X2APIC; m++)
		good = run_mode(cpus, m);
	if (cpus) {
		storm.mode = STORM_CLUSTER;
		good = lwk_smp_run(enter_mode, SECONDS) && good;
	}
	bm_irq_set(2, NULL);
	return good ? BM_EXIT_OK : BM_EXIT_FAILED;
}
