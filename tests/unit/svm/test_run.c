/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMRUN by VMRUN: which ASID, which TLB_CONTROL and which clean bits the hardware gets. Emulators
 * do not show a flush that is missing, so this is the place that does. APM2 15.15, 15.16.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fakes/fake_host.h"
#include "fakes/fake_host_state.h"
#include "fakes/fake_x86.h"
#include "svm/svm.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/msr.h"

#define NUM_VCPUS 4u
#define NUM_ASIDS 4u	/* 1, 2, 3 */

static struct v3_fake_host *fake;
static struct v3_host *host;
static struct v3_vm *vm;

/* What the last VMRUN got. */
static struct svm_vmcb seen;
static unsigned int runs;
/* The CPU scales TSCs; the ratio that the last VMRUN found. */
static bool scales;
static uint64_t seen_ratio;

/* What the next VMRUN does with a virtual interrupt, and its EXITINTINFO. */
static bool leaves_virq;
static uint64_t next_int_info;

void svm_enter(uint64_t *gpr, v3_hpa_t vmcb_hpa, v3_hpa_t host_vmcb)
{
	struct svm_vmcb *vmcb = host->os.phys_to_virt(host->os.ctx, vmcb_hpa);

	(void)gpr;
	(void)host_vmcb;
	assert_false(v3_fake_gif());
	seen = *vmcb;
	vmcb->exit_code = SVM_EXIT_INTR;
	if (!(vmcb->intercept_misc1 & SVM_I1_VINTR) && !leaves_virq)
		vmcb->int_ctl &= ~SVM_V_IRQ;
	if (next_int_info)
		vmcb->exit_int_info = next_int_info;
	if (scales)
		seen_ratio = v3_fake_msr_get(V3_MSR_AMD_TSC_RATIO);
	runs++;
}

static uint64_t tsc_khz;

static void create(uint32_t features)
{
	const struct v3_mem_config mem = { .size = 2ull << 20, .node = V3_NODE_ANY };
	const struct v3_vm_config config = {
		.struct_size = sizeof(config), .num_vcpus = NUM_VCPUS, .name = "vm", .mem = &mem,
		.num_mem = 1, .tsc_khz = tsc_khz,
	};
	unsigned int cpu;

	fake = v3_fake_host_create();
	v3_fake_cpuid_at(V3_CPUID_LEAF_SVM, 0)->ebx = NUM_ASIDS;
	v3_fake_cpuid_at(V3_CPUID_LEAF_SVM, 0)->edx |= features;
	if (scales) {
		v3_fake_svm_tsc_scaling();
		v3_fake_msr_set_on(1, V3_MSR_AMD_TSC_RATIO, 5);
	}
	assert_int_equal(v3_init(v3_fake_host_hooks(fake), &host), V3_OK);
	assert_int_equal(v3_vm_create(host, &config, &vm), V3_OK);
	for (cpu = 0; cpu < 4; cpu++)
		assert_int_equal(v3_cpu_enable(host, cpu), V3_OK);
	fake_context.pinned = true;
}

static void destroy(void)
{
	fake_context.pinned = false;
	v3_fake_set_cpu(0);
	v3_vm_destroy(vm);
	assert_int_equal(v3_exit(host), V3_OK);
	v3_fake_host_destroy(fake);
}

/* One VMRUN of vCPU i on a CPU, with the TLB_CONTROL that it must get. */
static uint32_t run(unsigned int i, unsigned int cpu, unsigned int tlb_control)
{
	struct v3_vcpu *vcpu = v3_vm_vcpu(vm, i);
	struct v3_exit exit;
	unsigned int before = runs;

	v3_fake_set_cpu(cpu);
	svm_load(vcpu);
	svm_run(vcpu, &exit);
	svm_put(vcpu);
	assert_int_equal(exit.kind, V3_EXIT_INTR);
	assert_int_equal(runs, before + 1);
	assert_int_equal(seen.tlb_control, tlb_control);
	assert_true(seen.asid >= 1 && seen.asid < NUM_ASIDS);
	return seen.asid;
}

/* Several on one CPU until the ASIDs run out. */
static void test_generations(void **state)
{
	(void)state;
	create(0);
	/* Somebody else may have used SVM before us: the first flushes everything. */
	assert_int_equal(run(0, 0, SVM_TLB_FLUSH_ALL), 1);
	assert_int_equal(run(1, 0, SVM_TLB_NONE), 2);
	assert_int_equal(run(2, 0, SVM_TLB_NONE), 3);
	/* Their own again: nothing to do. */
	assert_int_equal(run(0, 0, SVM_TLB_NONE), 1);
	assert_int_equal(run(1, 0, SVM_TLB_NONE), 2);
	/* The fourth finds none left: everything goes, and all others get new ones. */
	assert_int_equal(run(3, 0, SVM_TLB_FLUSH_ALL), 1);
	assert_int_equal(run(0, 0, SVM_TLB_NONE), 2);
	assert_int_equal(run(1, 0, SVM_TLB_NONE), 3);
	assert_int_equal(run(2, 0, SVM_TLB_FLUSH_ALL), 1);
	assert_int_equal(run(3, 0, SVM_TLB_NONE), 2);
	/* Never two vCPUs of one generation with one ASID. */
	assert_int_equal(run(2, 0, SVM_TLB_NONE), 1);
	destroy();
}

/* ASIDs belong to a CPU. */
static void test_migration(void **state)
{
	(void)state;
	create(0);
	assert_int_equal(run(0, 0, SVM_TLB_FLUSH_ALL), 1);
	assert_int_equal(run(1, 1, SVM_TLB_FLUSH_ALL), 1);
	assert_int_equal(run(0, 1, SVM_TLB_NONE), 2);
	/* Back: what CPU 0 still has under its old ASID may be stale. */
	assert_int_equal(run(0, 0, SVM_TLB_NONE), 2);
	assert_int_equal(run(0, 0, SVM_TLB_NONE), 2);
	destroy();
}

/* Giving SVM back and taking it again: others were there in between. */
static void test_disable_and_enable(void **state)
{
	(void)state;
	create(0);
	assert_int_equal(run(0, 0, SVM_TLB_FLUSH_ALL), 1);
	assert_int_equal(run(0, 0, SVM_TLB_NONE), 1);
	fake_context.pinned = false;
	assert_int_equal(v3_cpu_disable(host, 0), V3_OK);
	assert_int_equal(v3_cpu_enable(host, 0), V3_OK);
	fake_context.pinned = true;
	assert_int_equal(run(0, 0, SVM_TLB_FLUSH_ALL), 1);
	destroy();
}

/* What asks for a flush; each starts from the state that create() and reset leave. */
static void flush_tlb(struct v3_vcpu *vcpu)
{
	v3_svm_ops.flush_tlb(vcpu);
}

static void set_cr3(struct v3_vcpu *vcpu)
{
	svm_set_cr(vcpu, 3, 0x5000);
}

static void set_cr0_wp(struct v3_vcpu *vcpu)
{
	svm_set_cr(vcpu, 0, svm_get_cr(vcpu, 0) ^ V3_CR0_WP);
}

static void set_cr0_pg(struct v3_vcpu *vcpu)
{
	svm_set_cr(vcpu, 0, svm_get_cr(vcpu, 0) ^ (V3_CR0_PG | V3_CR0_PE));
}

static void set_cr4_pge(struct v3_vcpu *vcpu)
{
	svm_set_cr(vcpu, 4, svm_get_cr(vcpu, 4) ^ V3_CR4_PGE);
}

static void set_cr4_smep(struct v3_vcpu *vcpu)
{
	svm_set_cr(vcpu, 4, svm_get_cr(vcpu, 4) ^ V3_CR4_SMEP);
}

static void set_efer_nxe(struct v3_vcpu *vcpu)
{
	svm_set_efer(vcpu, svm_get_efer(vcpu) ^ V3_EFER_NXE);
}

static void set_pat(struct v3_vcpu *vcpu)
{
	svm_set_pat(vcpu, 0x0606060606060606);
}

static void set_state(struct v3_vcpu *vcpu)
{
	struct v3_vcpu_state state;

	assert_int_equal(v3_vcpu_get_state(vcpu, &state), V3_OK);
	assert_int_equal(v3_vcpu_set_state(vcpu, &state), V3_OK);
}

static void (*const flushing[])(struct v3_vcpu *vcpu) = {
	flush_tlb, set_cr3, set_cr0_wp, set_cr0_pg, set_cr4_pge, set_cr4_smep, set_efer_nxe,
	set_pat, set_state,
};

/* Without flush by ASID a flush is a new ASID, and a full flush when there is none. */
static void test_flush_by_new_asid(void **state)
{
	unsigned int i, asid = 1;

	(void)state;
	create(0);
	run(0, 0, SVM_TLB_FLUSH_ALL);
	for (i = 0; i < sizeof(flushing) / sizeof(flushing[0]); i++) {
		bool none_left = ++asid == NUM_ASIDS;

		flushing[i](v3_vm_vcpu(vm, 0));
		asid = none_left ? 1 : asid;
		assert_int_equal(run(0, 0, none_left ? SVM_TLB_FLUSH_ALL : SVM_TLB_NONE), asid);
		/* Once. */
		assert_int_equal(run(0, 0, SVM_TLB_NONE), asid);
	}
	destroy();
}

static void test_flush_by_asid(void **state)
{
	unsigned int i;

	(void)state;
	create(V3_CPUID_SVM_EDX_FLUSH_BY_ASID);
	run(0, 0, SVM_TLB_FLUSH_ALL);
	for (i = 0; i < sizeof(flushing) / sizeof(flushing[0]); i++) {
		flushing[i](v3_vm_vcpu(vm, 0));
		assert_int_equal(run(0, 0, SVM_TLB_FLUSH_ASID), 1);
		assert_int_equal(run(0, 0, SVM_TLB_NONE), 1);
	}
	/*
	 * A flush that is asked for before a move to another CPU needs no more than the new ASID.
	 */
	run(1, 1, SVM_TLB_FLUSH_ALL);
	flush_tlb(v3_vm_vcpu(vm, 0));
	assert_int_equal(run(0, 1, SVM_TLB_NONE), 2);
	destroy();
}

/* What must not flush, because guests do it all the time. */
static void test_no_flush(void **state)
{
	struct v3_vcpu *vcpu;

	(void)state;
	create(0);
	vcpu = v3_vm_vcpu(vm, 0);
	run(0, 0, SVM_TLB_FLUSH_ALL);
	svm_set_cr(vcpu, 0, svm_get_cr(vcpu, 0) ^ V3_CR0_TS);
	svm_set_cr(vcpu, 2, 0x1234);
	svm_set_cr(vcpu, 4, svm_get_cr(vcpu, 4) ^ (V3_CR4_OSFXSR | V3_CR4_TSD));
	svm_set_cr(vcpu, 8, 5);
	svm_set_efer(vcpu, svm_get_efer(vcpu) ^ V3_EFER_SCE);
	svm_set_dr(vcpu, 7, 0x401);
	assert_int_equal(run(0, 0, SVM_TLB_NONE), 1);
	destroy();
}

/* An entry that is abandoned keeps the flush for the next. */
static void test_abandoned_entry(void **state)
{
	struct v3_vcpu *vcpu;
	struct v3_exit exit;

	(void)state;
	create(V3_CPUID_SVM_EDX_FLUSH_BY_ASID);
	vcpu = v3_vm_vcpu(vm, 0);
	run(0, 0, SVM_TLB_FLUSH_ALL);
	flush_tlb(vcpu);
	v3_vcpu_check_intr(vcpu);
	svm_load(vcpu);
	svm_run(vcpu, &exit);
	svm_put(vcpu);
	assert_int_equal(exit.kind, V3_EXIT_NONE);
	assert_int_equal(vcpu->mode, V3_VCPU_OUTSIDE);
	assert_true(v3_fake_gif());
	__atomic_store_n(&vcpu->requests, 0, __ATOMIC_SEQ_CST);
	v3_fake_host_set_should_yield(fake, true);
	svm_load(vcpu);
	svm_run(vcpu, &exit);
	svm_put(vcpu);
	assert_int_equal(exit.kind, V3_EXIT_NONE);
	assert_int_equal(runs, 1);
	v3_fake_host_set_should_yield(fake, false);
	run(0, 0, SVM_TLB_FLUSH_ASID);
	destroy();
}

/*
 * An entry that is abandoned gives its event back: one of higher priority may come before the next
 * entry, and would take its place.
 */
static void test_abandoned_event(void **state)
{
	static const struct v3_event events[] = {
		{ .valid = true, .type = V3_EVENT_INTR, .vector = 0x23 },
		{ .valid = true, .type = V3_EVENT_NMI, .vector = 2 },
		{ .valid = true, .type = V3_EVENT_EXCEPTION, .vector = 14, .has_error = true,
		  .error = 7 },
		/*
		 * From the host's emulation: RIP is behind the instruction, so it does not come
		 * again.
		 */
		{ .valid = true, .type = V3_EVENT_EXCEPTION, .vector = 3 },
	};
	struct v3_vcpu *vcpu;
	struct v3_exit exit;
	unsigned int i;

	(void)state;
	create(0);
	vcpu = v3_vm_vcpu(vm, 0);
	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		vm->arch->inject(vcpu, &events[i]);
		v3_vcpu_check_intr(vcpu);
		svm_load(vcpu);
		svm_run(vcpu, &exit);
		svm_put(vcpu);
		assert_int_equal(exit.kind, V3_EXIT_NONE);
		assert_true(vcpu->interrupted.valid);
		assert_int_equal(vcpu->interrupted.type, events[i].type);
		assert_int_equal(vcpu->interrupted.vector, events[i].vector);
		assert_int_equal(vcpu->interrupted.has_error, events[i].has_error);
		assert_int_equal(vcpu->interrupted.error, events[i].error);
		assert_true(svm_vcpu(vcpu)->vmcb->event_inj == 0);
		vcpu->interrupted.valid = false;
		__atomic_store_n(&vcpu->requests, 0, __ATOMIC_SEQ_CST);
	}
	destroy();
}

/* --- Clean bits --- */

/* Runs twice without putting the vCPU in between; returns what the second VMRUN gets. */
static uint32_t clean_after(unsigned int i, void (*change)(struct v3_vcpu *vcpu))
{
	struct v3_vcpu *vcpu = v3_vm_vcpu(vm, i);
	struct v3_exit exit;

	v3_fake_set_cpu(0);
	svm_load(vcpu);
	svm_run(vcpu, &exit);
	svm_run(vcpu, &exit);
	if (change)
		change(vcpu);
	svm_run(vcpu, &exit);
	svm_put(vcpu);
	return seen.clean;
}

static void set_cr2(struct v3_vcpu *vcpu)
{
	svm_set_cr(vcpu, 2, 0x1000);
}

static void set_cr8(struct v3_vcpu *vcpu)
{
	svm_set_cr(vcpu, 8, vcpu->cr8 ^ 1);
}

static void set_dr6(struct v3_vcpu *vcpu)
{
	svm_set_dr(vcpu, 6, V3_DR6_RESET | 1);
}

static void set_dr7(struct v3_vcpu *vcpu)
{
	svm_set_dr(vcpu, 7, V3_DR7_RESET);
}

static void set_windows(struct v3_vcpu *vcpu)
{
	v3_svm_ops.set_windows(vcpu, V3_WINDOW_INTR | V3_WINDOW_NMI | V3_WINDOW_TPR);
}

static void set_tsc(struct v3_vcpu *vcpu)
{
	v3_svm_ops.set_tsc_offset(vcpu, 12345);
}

static void run_state_back(struct v3_vcpu *vcpu)
{
	struct v3_vcpu_state state;

	svm_get_state(vcpu, &state);
	state.seg[V3_SEG_DS].base ^= 0x1000;
	svm_set_state(vcpu, &state);
}

static const struct {
	void (*change)(struct v3_vcpu *vcpu);
	uint32_t dirty;
	bool all;
} changes[] = {
	{ set_cr0_wp, SVM_CLEAN_CR | SVM_CLEAN_ASID, false },
	{ set_cr2, SVM_CLEAN_CR2, false },
	{ set_cr3, SVM_CLEAN_CR | SVM_CLEAN_ASID, false },
	{ set_cr4_pge, SVM_CLEAN_CR | SVM_CLEAN_ASID, false },
	{ set_cr8, SVM_CLEAN_TPR, false },
	{ set_efer_nxe, SVM_CLEAN_CR | SVM_CLEAN_ASID, false },
	{ set_pat, SVM_CLEAN_NP | SVM_CLEAN_ASID, false },
	{ set_dr6, SVM_CLEAN_DR, false },
	{ set_dr7, SVM_CLEAN_DR, false },
	{ set_windows, SVM_CLEAN_I | SVM_CLEAN_TPR, false },
	{ set_tsc, SVM_CLEAN_I, false },
	{ flush_tlb, SVM_CLEAN_ASID, false },
	{ run_state_back, SVM_CLEAN_ALL, true },
};

static void test_clean_bits(void **state)
{
	unsigned int i;

	(void)state;
	create(V3_CPUID_SVM_EDX_CLEAN_BITS);
	assert_int_equal(clean_after(0, NULL), SVM_CLEAN_ALL);
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		assert_int_equal(clean_after(0, changes[i].change),
				 SVM_CLEAN_ALL & ~changes[i].dirty);
	/* The first VMRUN after a load trusts nothing: the CPU may be another one. */
	run(0, 0, SVM_TLB_NONE);
	assert_int_equal(seen.clean, 0);
	destroy();
}

static void test_no_clean_bits(void **state)
{
	unsigned int i;

	(void)state;
	create(0);
	assert_int_equal(clean_after(0, NULL), 0);
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		assert_int_equal(clean_after(0, changes[i].change), 0);
	destroy();
}

/* --- The rest of an entry --- */

static void test_windows(void **state)
{
	struct v3_vcpu *vcpu;

	(void)state;
	create(0);
	vcpu = v3_vm_vcpu(vm, 0);
	v3_svm_ops.set_windows(vcpu, V3_WINDOW_INTR);
	run(0, 0, SVM_TLB_FLUSH_ALL);
	assert_int_equal(seen.int_ctl, SVM_V_INTR_MASKING | SVM_V_IRQ | SVM_V_IGN_TPR | 0xf0000);
	assert_int_equal(seen.intercept_misc1 & (SVM_I1_VINTR | SVM_I1_IRET), SVM_I1_VINTR);
	assert_false(seen.intercept_cr & SVM_I_CR_WRITE(8));
	v3_svm_ops.set_windows(vcpu, V3_WINDOW_NMI | V3_WINDOW_TPR);
	run(0, 0, SVM_TLB_NONE);
	assert_int_equal(seen.int_ctl, SVM_V_INTR_MASKING);
	assert_int_equal(seen.intercept_misc1 & (SVM_I1_VINTR | SVM_I1_IRET), SVM_I1_IRET);
	assert_true(seen.intercept_cr & SVM_I_CR_WRITE(8));
	assert_true(seen.intercept_cr & SVM_I_CR_WRITE(4));
	v3_svm_ops.set_windows(vcpu, 0);
	run(0, 0, SVM_TLB_NONE);
	assert_int_equal(seen.intercept_misc1 & (SVM_I1_VINTR | SVM_I1_IRET), 0);
	assert_int_equal(seen.intercept_cr, SVM_I_CR_WRITE(4));
	destroy();
}

static void test_host_state(void **state)
{
	struct v3_vcpu *vcpu;
	struct v3_exit exit;

	(void)state;
	create(0);
	vcpu = v3_vm_vcpu(vm, 0);
	v3_fake_set_cpu(0);
	v3_fake_trace_clear();
	svm_load(vcpu);
	/* FS, GS, TR and system-call MSRs of the host are kept once, for many entries. */
	assert_int_equal(v3_fake_trace_find(V3_FAKE_VMSAVE), 1);
	svm_run(vcpu, &exit);
	svm_run(vcpu, &exit);
	assert_int_equal(v3_fake_trace_find(V3_FAKE_VMSAVE), 1);
	assert_int_equal(v3_fake_trace_find(V3_FAKE_CLGI), 2);
	assert_int_equal(v3_fake_trace_find(V3_FAKE_STGI), 2);
	/* No debug register is touched unless somebody uses breakpoints. */
	assert_int_equal(v3_fake_trace_find(V3_FAKE_WRITE_DR), 0);
	svm_put(vcpu);
	assert_int_equal(v3_fake_trace_find(V3_FAKE_WRITE_DR), 0);
	assert_true(v3_fake_gif());
	destroy();
}

/* The ratio is the CPU's: a guest's is there as long as the guest has the CPU. APM2 15.30.5 */
static void test_tsc_ratio(void **state)
{
	(void)state;
	scales = true;
	tsc_khz = V3_FAKE_TSC_KHZ / 4 * 5;
	create(0);
	/* Whoever had SVM before left it. */
	assert_int_equal(v3_fake_msr_get_on(1, V3_MSR_AMD_TSC_RATIO), V3_TSC_RATIO_ONE);
	run(0, 0, SVM_TLB_FLUSH_ALL);
	assert_int_equal(seen_ratio, 5ull << 30);
	assert_int_equal(v3_fake_msr_get_on(0, V3_MSR_AMD_TSC_RATIO), V3_TSC_RATIO_ONE);
	/* On another CPU, by another vCPU */
	run(1, 1, SVM_TLB_FLUSH_ALL);
	assert_int_equal(seen_ratio, 5ull << 30);
	assert_int_equal(v3_fake_msr_get_on(1, V3_MSR_AMD_TSC_RATIO), V3_TSC_RATIO_ONE);
	destroy();
}

/* Guests with the host's frequency do not pay for it. */
static void test_tsc_ratio_unused(void **state)
{
	unsigned int writes;

	(void)state;
	scales = true;
	tsc_khz = V3_FAKE_TSC_KHZ;
	create(0);
	v3_fake_set_cpu(0);
	writes = v3_fake_msr_writes(V3_MSR_AMD_TSC_RATIO);
	run(0, 0, SVM_TLB_FLUSH_ALL);
	assert_int_equal(seen_ratio, V3_TSC_RATIO_ONE);
	assert_int_equal(v3_fake_msr_writes(V3_MSR_AMD_TSC_RATIO), writes);
	destroy();
}

/* A guest that spins disturbs nobody on a CPU of its own. */
static void test_pause(void **state)
{
	struct v3_vcpu *vcpu;

	(void)state;
	create(V3_CPUID_SVM_EDX_PAUSE_FILTER);
	vcpu = v3_vm_vcpu(vm, 0);
	assert_true(svm_vcpu(vcpu)->vmcb->intercept_misc1 & SVM_I1_PAUSE);
	svm_vcpu_destroy(vcpu);
	vm->yield_policy = V3_YIELD_NEVER;
	assert_int_equal(svm_vcpu_create(vcpu), V3_OK);
	assert_false(svm_vcpu(vcpu)->vmcb->intercept_misc1 & SVM_I1_PAUSE);
	destroy();
}

/*
 * An event goes out once: an exception as EVENTINJ, an interrupt as a virtual interrupt that is
 * neither intercepted nor lost if the CPU did not take it.
 */
static void test_injection(void **state)
{
	const struct v3_event excp = { .valid = true, .type = V3_EVENT_EXCEPTION, .vector = 6 };
	const struct v3_event event = { .valid = true, .type = V3_EVENT_INTR, .vector = 0x31 };
	const uint64_t virq = SVM_V_IRQ | SVM_V_IGN_TPR | 0xf0000 | 0x31ull << 32;
	struct v3_vcpu *vcpu;

	(void)state;
	create(0);
	vcpu = v3_vm_vcpu(vm, 0);
	v3_svm_ops.inject(vcpu, &excp);
	run(0, 0, SVM_TLB_FLUSH_ALL);
	assert_int_equal(seen.event_inj, 0x80000306);
	run(0, 0, SVM_TLB_NONE);
	assert_int_equal(seen.event_inj, 0);
	/* Taken */
	v3_svm_ops.inject(vcpu, &event);
	run(0, 0, SVM_TLB_NONE);
	assert_int_equal(seen.event_inj, 0);
	assert_int_equal(seen.int_ctl, SVM_V_INTR_MASKING | virq);
	assert_false(seen.intercept_misc1 & SVM_I1_VINTR);
	assert_false(vcpu->interrupted.valid);
	run(0, 0, SVM_TLB_NONE);
	assert_int_equal(seen.int_ctl, SVM_V_INTR_MASKING);
	/* Not taken: it comes back */
	leaves_virq = true;
	v3_svm_ops.inject(vcpu, &event);
	run(0, 0, SVM_TLB_NONE);
	assert_true(vcpu->interrupted.valid);
	assert_int_equal(vcpu->interrupted.vector, 0x31);
	vcpu->interrupted.valid = false;
	/* Interrupted while it was delivered: it comes back once */
	next_int_info = 0x80000031;
	v3_svm_ops.inject(vcpu, &event);
	run(0, 0, SVM_TLB_NONE);
	assert_true(vcpu->interrupted.valid);
	vcpu->interrupted.valid = false;
	leaves_virq = false;
	next_int_info = 0;
	/* A window makes room for it, and is open again at the next entry. */
	v3_svm_ops.set_windows(vcpu, V3_WINDOW_INTR);
	vcpu->windows = V3_WINDOW_INTR;
	v3_svm_ops.inject(vcpu, &event);
	run(0, 0, SVM_TLB_NONE);
	assert_int_equal(seen.event_inj, 0);
	assert_int_equal(seen.int_ctl, SVM_V_INTR_MASKING | virq);
	assert_false(seen.intercept_misc1 & SVM_I1_VINTR);
	assert_false(seen.clean & SVM_CLEAN_I);
	run(0, 0, SVM_TLB_NONE);
	assert_int_equal(seen.int_ctl, SVM_V_INTR_MASKING | SVM_V_IRQ | SVM_V_IGN_TPR | 0xf0000);
	assert_true(seen.intercept_misc1 & SVM_I1_VINTR);
	assert_false(seen.clean & SVM_CLEAN_I);
	destroy();
}

/* Where the next RIP is saved, an interrupt is an injected event, and an open window stays open. */
static void test_injection_next_rip(void **state)
{
	const struct v3_event event = { .valid = true, .type = V3_EVENT_INTR, .vector = 0x31 };
	struct v3_vcpu *vcpu;

	(void)state;
	create(V3_CPUID_SVM_EDX_NRIPS);
	vcpu = v3_vm_vcpu(vm, 0);
	v3_svm_ops.inject(vcpu, &event);
	run(0, 0, SVM_TLB_FLUSH_ALL);
	assert_int_equal(seen.event_inj, 0x80000031);
	assert_int_equal(seen.int_ctl, SVM_V_INTR_MASKING);
	assert_false(vcpu->interrupted.valid);
	run(0, 0, SVM_TLB_NONE);
	assert_int_equal(seen.event_inj, 0);
	v3_svm_ops.set_windows(vcpu, V3_WINDOW_INTR);
	vcpu->windows = V3_WINDOW_INTR;
	v3_svm_ops.inject(vcpu, &event);
	run(0, 0, SVM_TLB_NONE);
	assert_int_equal(seen.event_inj, 0x80000031);
	assert_int_equal(seen.int_ctl, SVM_V_INTR_MASKING | SVM_V_IRQ | SVM_V_IGN_TPR | 0xf0000);
	assert_true(seen.intercept_misc1 & SVM_I1_VINTR);
	/* Interrupted while it was delivered */
	next_int_info = 0x80000031;
	v3_svm_ops.inject(vcpu, &event);
	run(0, 0, SVM_TLB_NONE);
	assert_true(vcpu->interrupted.valid);
	assert_int_equal(vcpu->interrupted.vector, 0x31);
	next_int_info = 0;
	destroy();
}

static int reset_runs(void **state)
{
	(void)state;
	runs = 0;
	scales = false;
	tsc_khz = 0;
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, reset_runs)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_generations),
		TEST(test_migration),
		TEST(test_disable_and_enable),
		TEST(test_flush_by_new_asid),
		TEST(test_flush_by_asid),
		TEST(test_no_flush),
		TEST(test_abandoned_entry),
		TEST(test_abandoned_event),
		TEST(test_clean_bits),
		TEST(test_no_clean_bits),
		TEST(test_windows),
		TEST(test_host_state),
		TEST(test_tsc_ratio),
		TEST(test_tsc_ratio_unused),
		TEST(test_pause),
		TEST(test_injection),
		TEST(test_injection_next_rip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
