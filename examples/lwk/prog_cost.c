/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an exit costs: operations that a VMM usually intercepts, timed one by one with the TSC.
 * Nothing is subtracted; the row `empty` is the price of taking the time itself.
 */
#include "cpu.h"
#include "lwk.h"

#define DEFAULT_N	1000
#define MAX_N		1000000
#define WARM_UP		16
#define IOAPIC_SELECT	0xfec00000ULL
#define IOAPIC_WINDOW	0xfec00010ULL
#define PIC_IMR		0x21
#define MSR_APIC_BASE	0x1b
#define IPI_SPINS	10000000

static uint64_t *samples;
static uint64_t count;
static bool lost;

static void report(const char *name, const char *what)
{
	lwk_bench_report(samples, count, name, what);
}

/* The operation stands inline between two time stamps, after some rounds of warm-up. */
#define MEASURE(op)							\
	do {								\
		for (uint64_t i_ = 0; i_ < count + WARM_UP; i_++) {	\
			uint64_t t_ = bm_tsc();				\
									\
			op;						\
			t_ = bm_tsc() - t_;				\
			samples[i_ < WARM_UP ? 0 : i_ - WARM_UP] = t_;	\
		}							\
	} while (0)

/* RAX = 0 on both: harmless everywhere (KVM answers -KVM_ENOSYS). False when it faults. */
static bool vmmcall(void)
{
	uint64_t rax = 0;
	uint32_t ok = 0;

	__asm__ volatile("1: vmmcall\n\t"
			 "movl $1, %1\n\t"
			 "2:\n\t" BM_FIXUP("1b", "2b")
			 : "+a"(rax), "+r"(ok) : "b"(0ULL), "c"(0ULL), "d"(0ULL), "S"(0ULL)
			 : "memory");
	return ok;
}

static bool vmcall(void)
{
	uint64_t rax = 0;
	uint32_t ok = 0;

	__asm__ volatile("1: vmcall\n\t"
			 "movl $1, %1\n\t"
			 "2:\n\t" BM_FIXUP("1b", "2b")
			 : "+a"(rax), "+r"(ok) : "b"(0ULL), "c"(0ULL), "d"(0ULL), "S"(0ULL)
			 : "memory");
	return ok;
}

static void measure_hypercall(void)
{
	struct bm_cpuid c = bm_cpuid(0, 0);

	if (!(bm_cpuid(1, 0).ecx & 1u << 31)) {
		bm_printf("  hypercall        skipped: CPUID tells of no hypervisor\n");
		return;
	}
	/* The CPU's own instruction: "AuthenticAMD", "HygonGenuine", else Intel's. */
	if (c.ebx == 0x68747541 || c.ebx == 0x6f677948) {
		if (vmmcall()) {
			MEASURE(vmmcall());
			report("hypercall", "VMMCALL with RAX = 0");
			return;
		}
	} else if (vmcall()) {
		MEASURE(vmcall());
		report("hypercall", "VMCALL with RAX = 0");
		return;
	}
	bm_printf("  hypercall        skipped: the instruction faults\n");
}

/* From the ICR write to the end of the handler, which leaves its time after the EOI. */
static uint64_t self_ipi(void)
{
	uint64_t start;

	lwk_ipi_stamp = 0;
	start = bm_tsc();
	bm_apic_self_ipi(LWK_VEC_IPI);
	for (unsigned int i = 0; i < IPI_SPINS; i++) {
		if (lwk_ipi_stamp)
			return lwk_ipi_stamp - start;
	}
	lost = true;
	return 0;
}

static void measure_self_ipi(const char *name, const void *handler, const char *what)
{
	bm_gate_set(LWK_VEC_IPI, handler);
	lost = false;
	for (uint64_t i = 0; i < count + WARM_UP && !lost; i++) {
		uint64_t t = self_ipi();

		samples[i < WARM_UP ? 0 : i - WARM_UP] = t;
	}
	if (lost)
		bm_printf("  %-16s failed: a self-IPI never arrived\n", name);
	else
		report(name, what);
}

static bool measure_apic(void)
{
	bool failed;

	if (bm_apic_is_x2()) {
		bm_printf("  mmio_lapic       skipped: firmware locked the APIC in x2APIC mode\n");
		bm_printf("  self_ipi         skipped: firmware locked the APIC in x2APIC mode\n");
		measure_self_ipi("self_ipi_x2apic", lwk_isr_ipi_x2apic, "x2APIC ICR write to EOI");
		return !lost;
	}
	MEASURE(bm_mmio_read(BM_APIC_BASE + BM_APIC_VERSION));
	report("mmio_lapic", "read local APIC 0xfee00030");
	measure_self_ipi("self_ipi", lwk_isr_ipi_xapic, "xAPIC ICR write to EOI");
	failed = lost;
	if (!bm_apic_set_x2(true)) {
		bm_printf("  self_ipi_x2apic  skipped: this CPU has no x2APIC mode\n");
		return !failed;
	}
	measure_self_ipi("self_ipi_x2apic", lwk_isr_ipi_x2apic, "x2APIC ICR write to EOI");
	failed |= lost;
	if (!bm_apic_set_x2(false)) {
		bm_printf("lwk: the local APIC does not return from x2APIC mode\n");
		return false;
	}
	/* The way back reset the APIC, and the tick with it. */
	return !failed && (!lwk_opt.hz || lwk_tick_start(lwk_opt.hz));
}

int lwk_prog_cost(void)
{
	count = lwk_opt.n ? lwk_opt.n : DEFAULT_N;
	if (count > MAX_N) {
		bm_printf("lwk: cpuid: n=%llu is over %u\n", (unsigned long long)count, MAX_N);
		return BM_EXIT_USAGE;
	}
	if (!samples)
		samples = lwk_alloc(count * sizeof(*samples), 4096);
	if (!samples) {
		bm_printf("lwk: cpuid: no memory for %llu samples\n", (unsigned long long)count);
		return BM_EXIT_FAILED;
	}
	bm_printf("Exit cost in TSC ticks, %llu samples each, nothing subtracted:\n",
		  (unsigned long long)count);
	bm_printf("  %-16s %10s %10s %10s\n", "operation", "min", "median", "max");
	MEASURE((void)0);
	report("empty", "two time stamps and nothing between");
	MEASURE(bm_cpuid(0, 0));
	report("cpuid", "CPUID leaf 0");
	MEASURE(bm_rdmsr(MSR_APIC_BASE));
	report("msr", "RDMSR 0x1b, IA32_APIC_BASE");
	MEASURE(bm_inb(PIC_IMR));
	report("port", "IN from port 0x21, 8259 mask register");
	bm_mmio_write(IOAPIC_SELECT, 0);
	MEASURE(bm_mmio_read(IOAPIC_WINDOW));
	report("mmio_ioapic", "read I/O APIC 0xfec00010");
	measure_hypercall();
	return measure_apic() ? BM_EXIT_OK : BM_EXIT_FAILED;
}
