/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Around one entry: events, windows, blocking, what is written when. SDM vol. 3
 * chapters 27, 28.
 */
#include "machine.h"

#include "x86/cr.h"
#include "x86/insn.h"
#include "x86/msr.h"

static struct v3_vcpu *vcpu;

static void begin_with(const char *features_off)
{
	machine_create(V3_FAKE_SKYLAKE_X, features_off);
	vcpu = v3_vm_vcpu(vm, 0);
	v3_fake_set_cpu(0);
	vmx_load(vcpu);
}

static void begin(void)
{
	begin_with(NULL);
}

static void end(void)
{
	vmx_put(vcpu);
	machine_destroy();
}

/* The exit's VMCS has lost the valid bit. */
static void expect_event(uint64_t type, uint64_t vector)
{
	assert_int_equal(entered(vcpu, V3_VMCS_ENTRY_EVENT) & 0x7ff, type << 8 | vector);
}

/* --- Events --- */

static uint64_t injected;

static void note_event(void *arg, v3_hpa_t vmcs, uint64_t *gpr)
{
	(void)arg;
	(void)gpr;
	injected = v3_fake_vmcs_get(vmcs, V3_VMCS_ENTRY_EVENT);
	v3_fake_vmcs_set(vmcs, V3_VMCS_ENTRY_EVENT, injected & ~V3_VMX_EVENT_VALID);
	v3_fake_vmcs_set(vmcs, V3_VMCS_EXIT_REASON, V3_VMX_REASON_INTR);
}

static void test_injection(void **state)
{
	const struct v3_event intr = { .valid = true, .type = V3_EVENT_INTR, .vector = 0x31 };
	const struct v3_event ud = { .valid = true, .type = V3_EVENT_EXCEPTION, .vector = 6 };
	const struct v3_event gp = { .valid = true, .type = V3_EVENT_EXCEPTION, .vector = 13,
				     .has_error = true, .error = 0x18 };

	(void)state;
	begin();
	v3_fake_vmx_set_script(note_event, NULL);
	vmx_set_cr(vcpu, 0, vmx_get_cr(vcpu, 0) | V3_CR0_PE);
	enter(vcpu);
	assert_int_equal(injected & V3_VMX_EVENT_VALID, 0);
	vcpu->rflags |= V3_RFLAGS_IF;
	v3_vmx_ops.inject(vcpu, &intr);
	enter(vcpu);
	assert_int_equal(injected, 0x80000031);
	/* Once. */
	enter(vcpu);
	assert_int_equal(injected & V3_VMX_EVENT_VALID, 0);
	v3_vmx_ops.inject(vcpu, &ud);
	enter(vcpu);
	assert_int_equal(injected, 0x80000306);
	v3_vmx_ops.inject(vcpu, &gp);
	enter(vcpu);
	assert_int_equal(injected, 0x80000b0d);
	assert_int_equal(entered(vcpu, V3_VMCS_ENTRY_ERROR), 0x18);
	end();
}

/* The handler of a debug exception may use the debug registers, others may not. */
static void test_general_detect(void **state)
{
	const struct v3_event ud = { .valid = true, .type = V3_EVENT_EXCEPTION, .vector = 6 };
	const struct v3_event intr = { .valid = true, .type = V3_EVENT_INTR, .vector = 1 };
	const struct v3_event db = { .valid = true, .type = V3_EVENT_EXCEPTION, .vector = 1 };

	(void)state;
	begin();
	vcpu->rflags |= V3_RFLAGS_IF;
	vmx_set_dr(vcpu, 7, V3_DR7_GD | V3_DR7_RESET);
	v3_vmx_ops.inject(vcpu, &ud);
	enter(vcpu);
	v3_vmx_ops.inject(vcpu, &intr);
	enter(vcpu);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_DR7), V3_DR7_GD | V3_DR7_RESET);
	v3_vmx_ops.inject(vcpu, &db);
	enter(vcpu);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_DR7), V3_DR7_RESET);
	assert_int_equal(vmx_get_dr(vcpu, 7), V3_DR7_RESET);
	end();
}

/* One that the exit interrupted comes back, unless the guest executes its instruction again. */
static void test_interrupted(void **state)
{
	static const struct {
		uint64_t info;
		bool valid;
	} cases[] = {
		{ 0x80000031, true },		/* interrupt */
		{ 0x80000b0e, true },		/* #PF */
		{ 0x80000306, true },		/* #UD */
		{ 0x80000480, false },		/* INT 0x80 */
		{ 0x80000603, false },		/* INT3 */
		{ 0x80000501, false },		/* INT1 */
		{ 0x00000b0e, false },		/* none */
	};
	unsigned int i;

	(void)state;
	begin();
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct v3_exit exit;

		EXIT_WITH({ V3_VMCS_EXIT_REASON, V3_VMX_REASON_EPT_VIOLATION },
			  { V3_VMCS_GUEST_PHYSICAL, 0xfee00000 },
			  { V3_VMCS_IDT_EVENT, cases[i].info }, { V3_VMCS_IDT_ERROR, 5 });
		vcpu->interrupted.valid = false;
		exit = enter(vcpu);
		assert_int_equal(vcpu->interrupted.valid, cases[i].valid);
		assert_int_equal(exit.kind, V3_EXIT_NESTED_FAULT);
		assert_int_equal(exit.npf.delivery, !!(cases[i].info & V3_VMX_EVENT_VALID));
		if (!cases[i].valid)
			continue;
		assert_int_equal(vcpu->interrupted.vector, cases[i].info & 0xff);
		assert_int_equal(vcpu->interrupted.type, cases[i].info >> 8 & 7);
		assert_int_equal(vcpu->interrupted.has_error, !!(cases[i].info & 0x800));
		assert_int_equal(vcpu->interrupted.error, cases[i].info & 0x800 ? 5 : 0);
	}
	end();
}

static void test_abandoned_event(void **state)
{
	const struct v3_event intr = { .valid = true, .type = V3_EVENT_INTR, .vector = 0x23 };
	struct v3_exit exit;

	(void)state;
	begin();
	v3_vmx_ops.inject(vcpu, &intr);
	v3_vcpu_check_intr(vcpu);
	vmx_run(vcpu, &exit);
	assert_int_equal(exit.kind, V3_EXIT_NONE);
	assert_int_equal(v3_fake_vmx_entries(), 0);
	assert_true(vcpu->interrupted.valid);
	assert_int_equal(vcpu->interrupted.vector, 0x23);
	vcpu->interrupted.valid = false;
	__atomic_store_n(&vcpu->requests, 0, __ATOMIC_SEQ_CST);
	enter(vcpu);
	expect_event(0, 0);
	end();
}

/* --- NMIs --- */

static void test_nmi_blocking(void **state)
{
	const struct v3_event nmi = { .valid = true, .type = V3_EVENT_NMI, .vector = 2 };

	(void)state;
	begin();
	/* Delivered: the CPU blocks further ones, and says so at the exit. */
	vcpu->nmi_blocked = true;
	v3_vmx_ops.inject(vcpu, &nmi);
	EXIT_WITH({ V3_VMCS_EXIT_REASON, V3_VMX_REASON_INTR },
		  { V3_VMCS_GUEST_INTERRUPTIBILITY, V3_VMX_BLOCK_NMI });
	enter(vcpu);
	expect_event(2, 2);
	assert_true(vcpu->nmi_blocked);
	/* The handler's IRET. */
	EXIT_WITH({ V3_VMCS_EXIT_REASON, V3_VMX_REASON_NMI_WINDOW },
		  { V3_VMCS_GUEST_INTERRUPTIBILITY, 0 });
	assert_int_equal(enter(vcpu).kind, V3_EXIT_NMI_WINDOW);
	assert_false(vcpu->nmi_blocked);
	/* One whose delivery an exit interrupted: not blocked, or it could not go in again. */
	vcpu->nmi_blocked = true;
	v3_vmx_ops.inject(vcpu, &nmi);
	EXIT_WITH({ V3_VMCS_EXIT_REASON, V3_VMX_REASON_EPT_VIOLATION },
		  { V3_VMCS_GUEST_PHYSICAL, 0xfee00000 }, { V3_VMCS_IDT_EVENT, 0x80000202 },
		  { V3_VMCS_GUEST_INTERRUPTIBILITY, V3_VMX_BLOCK_NMI });
	enter(vcpu);
	assert_true(vcpu->interrupted.valid && vcpu->interrupted.type == V3_EVENT_NMI);
	assert_false(vcpu->nmi_blocked);
	vcpu->nmi_blocked = true;
	v3_vmx_ops.inject(vcpu, &nmi);
	exit_intr();
	enter(vcpu);
	expect_event(2, 2);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_INTERRUPTIBILITY), 0);
	end();
}

/* An IRET that faults after it ended the blocking (28.2.3). */
static void test_iret_faults(void **state)
{
	(void)state;
	begin();
	EXIT_WITH({ V3_VMCS_EXIT_REASON, V3_VMX_REASON_EPT_VIOLATION },
		  { V3_VMCS_GUEST_PHYSICAL, 0xfee00000 },
		  { V3_VMCS_EXIT_QUALIFICATION, V3_VMX_QUAL_EPT_IRET | V3_VMX_QUAL_EPT_READ });
	enter(vcpu);
	assert_true(vcpu->nmi_blocked);
	exit_intr();
	enter(vcpu);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_INTERRUPTIBILITY), V3_VMX_BLOCK_NMI);
	EXIT_WITH({ V3_VMCS_EXIT_REASON, V3_VMX_REASON_EXCEPTION },
		  { V3_VMCS_EXIT_EVENT, 0x80001b11 }, { V3_VMCS_GUEST_INTERRUPTIBILITY, 0 });
	enter(vcpu);
	assert_true(vcpu->nmi_blocked);
	/* With an event on its way the bit means nothing. */
	EXIT_WITH({ V3_VMCS_EXIT_REASON, V3_VMX_REASON_EXCEPTION },
		  { V3_VMCS_EXIT_EVENT, 0x80001b11 }, { V3_VMCS_IDT_EVENT, 0x8000030d },
		  { V3_VMCS_GUEST_INTERRUPTIBILITY, 0 });
	enter(vcpu);
	assert_false(vcpu->nmi_blocked);
	end();
}

/* The host's own NMI: its handler runs, before interrupts may. */
static void test_host_nmi(void **state)
{
	unsigned int i, nmi = 0, sti = 0;

	(void)state;
	begin();
	EXIT_WITH({ V3_VMCS_EXIT_REASON, V3_VMX_REASON_EXCEPTION },
		  { V3_VMCS_EXIT_EVENT, 0x80000202 });
	v3_fake_trace_clear();
	assert_int_equal(enter(vcpu).kind, V3_EXIT_NMI);
	for (i = 0; i < v3_fake_trace_count(); i++) {
		if (v3_fake_trace_at(i)->op == V3_FAKE_INT_NMI)
			nmi = i + 1;
		if (v3_fake_trace_at(i)->op == V3_FAKE_STI)
			sti = i + 1;
	}
	assert_true(nmi && nmi < sti);
	end();
}

/* --- Windows --- */

static uint64_t window_bits(void)
{
	return entered(vcpu, V3_VMCS_PROC_CTLS) &
	       (V3_VMX_PROC_INTR_WINDOW | V3_VMX_PROC_NMI_WINDOW);
}

static void test_windows(void **state)
{
	(void)state;
	begin();
	enter(vcpu);
	assert_int_equal(window_bits(), 0);
	v3_vmx_ops.set_windows(vcpu, V3_WINDOW_INTR);
	enter(vcpu);
	assert_int_equal(window_bits(), V3_VMX_PROC_INTR_WINDOW);
	v3_vmx_ops.set_windows(vcpu, V3_WINDOW_NMI);
	enter(vcpu);
	assert_int_equal(window_bits(), V3_VMX_PROC_NMI_WINDOW);
	v3_vmx_ops.set_windows(vcpu, V3_WINDOW_SOON | V3_WINDOW_INTR);
	enter(vcpu);
	assert_int_equal(window_bits(), V3_VMX_PROC_NMI_WINDOW | V3_VMX_PROC_INTR_WINDOW);
	/* Also while the vCPU is away. */
	vmx_put(vcpu);
	v3_vmx_ops.set_windows(vcpu, 0);
	v3_vmx_ops.set_tsc_offset(vcpu, 77);
	vmx_load(vcpu);
	enter(vcpu);
	assert_int_equal(window_bits(), 0);
	assert_int_equal(entered(vcpu, V3_VMCS_TSC_OFFSET), 77);
	v3_vmx_ops.set_tsc_offset(vcpu, 78);
	enter(vcpu);
	assert_int_equal(entered(vcpu, V3_VMCS_TSC_OFFSET), 78);
	end();
}

/* The guest's TPR is in the virtual APIC page, and any lower one ends its run if somebody waits. */
static void guest_cr8(void *arg, v3_hpa_t vmcs, uint64_t *gpr)
{
	uint8_t *page = v3_os_virt(host, v3_fake_vmcs_get(vmcs, V3_VMCS_VIRTUAL_APIC));

	(void)gpr;
	assert_int_equal(page[0x80], ((uint8_t *)arg)[0] << 4);
	page[0x80] = (uint8_t)(((uint8_t *)arg)[1] << 4);
	v3_fake_vmcs_set(vmcs, V3_VMCS_EXIT_REASON, V3_VMX_REASON_TPR);
}

static void test_tpr(void **state)
{
	uint8_t tpr[2] = { 7, 3 };

	(void)state;
	begin();
	v3_fake_vmx_set_script(guest_cr8, tpr);
	vcpu->cr8 = 7;
	assert_int_equal(enter(vcpu).kind, V3_EXIT_INTR_WINDOW);
	assert_int_equal(vcpu->cr8, 3);
	assert_int_equal(entered(vcpu, V3_VMCS_TPR_THRESHOLD), 0);
	tpr[0] = 3;
	v3_vmx_ops.set_windows(vcpu, V3_WINDOW_TPR);
	enter(vcpu);
	assert_int_equal(entered(vcpu, V3_VMCS_TPR_THRESHOLD), 3);
	/* Lower, by the APIC's other register. */
	vcpu->cr8 = tpr[0] = 1;
	enter(vcpu);
	assert_int_equal(entered(vcpu, V3_VMCS_TPR_THRESHOLD), 1);
	/*
	 * By the guest, and not low enough for who waits: an entry with the old threshold would
	 * fail (27.2.1.1).
	 */
	vcpu->cr8 = tpr[0] = 5;
	tpr[1] = 2;
	enter(vcpu);
	assert_int_equal(entered(vcpu, V3_VMCS_TPR_THRESHOLD), 5);
	assert_int_equal(vcpu->cr8, 2);
	tpr[0] = 2;
	tpr[1] = 3;
	enter(vcpu);
	assert_int_equal(entered(vcpu, V3_VMCS_TPR_THRESHOLD), 2);
	v3_vmx_ops.set_windows(vcpu, 0);
	tpr[0] = 3;
	enter(vcpu);
	assert_int_equal(entered(vcpu, V3_VMCS_TPR_THRESHOLD), 0);
	end();
	/* Without a shadow all accesses exit. */
	begin_with("tpr-shadow");
	exit_intr();
	vcpu->cr8 = 5;
	v3_vmx_ops.set_windows(vcpu, V3_WINDOW_TPR);
	enter(vcpu);
	assert_int_equal(vcpu->cr8, 5);
	end();
}

/* --- Registers --- */

/* The STI's shadow, or MOV SS's, as it was; ended by the core; with a single step pending. */
static void test_shadow(void **state)
{
	(void)state;
	begin();
	EXIT_WITH({ V3_VMCS_EXIT_REASON, V3_VMX_REASON_HLT }, { V3_VMCS_EXIT_INSN_LEN, 1 },
		  { V3_VMCS_GUEST_INTERRUPTIBILITY, V3_VMX_BLOCK_MOV_SS });
	enter(vcpu);
	assert_true(vcpu->shadow);
	exit_intr();
	enter(vcpu);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_INTERRUPTIBILITY), V3_VMX_BLOCK_MOV_SS);
	vcpu->shadow = false;
	enter(vcpu);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_INTERRUPTIBILITY), 0);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_PENDING_DEBUG), 0);
	vcpu->shadow = true;
	vcpu->rflags |= V3_RFLAGS_IF | V3_RFLAGS_TF;
	enter(vcpu);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_INTERRUPTIBILITY), V3_VMX_BLOCK_STI);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_PENDING_DEBUG), V3_VMX_PENDING_BS);
	end();
}

/* Flags that are set in a shadow are flags that VM entry takes with it. */
static void test_shadow_flags(void **state)
{
	static const struct {
		uint64_t set, clear, blocking, pending;
	} cases[] = {
		{ 0, 0, V3_VMX_BLOCK_STI, 0 },
		{ V3_RFLAGS_TF, 0, V3_VMX_BLOCK_STI, V3_VMX_PENDING_BS },
		{ 0, 0, V3_VMX_BLOCK_STI, V3_VMX_PENDING_BS },
		{ 0, V3_RFLAGS_TF, V3_VMX_BLOCK_STI, 0 },
		/* STI cannot have been before. */
		{ 0, V3_RFLAGS_IF, V3_VMX_BLOCK_MOV_SS, 0 },
		{ V3_RFLAGS_TF, 0, V3_VMX_BLOCK_MOV_SS, V3_VMX_PENDING_BS },
		/* MOV SS can. */
		{ V3_RFLAGS_IF, 0, V3_VMX_BLOCK_MOV_SS, V3_VMX_PENDING_BS },
	};
	struct v3_vcpu_state regs;
	unsigned int i;

	(void)state;
	begin();
	EXIT_WITH({ V3_VMCS_EXIT_REASON, V3_VMX_REASON_INTR },
		  { V3_VMCS_GUEST_RFLAGS, V3_RFLAGS_FIXED1 | V3_RFLAGS_IF },
		  { V3_VMCS_GUEST_INTERRUPTIBILITY, V3_VMX_BLOCK_STI });
	enter(vcpu);
	assert_true(vcpu->shadow);
	exit_intr();
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		vmx_put(vcpu);
		assert_int_equal(v3_vcpu_get_state(vcpu, &regs), V3_OK);
		regs.rflags = (regs.rflags & ~cases[i].clear) | cases[i].set;
		assert_int_equal(v3_vcpu_set_state(vcpu, &regs), V3_OK);
		vmx_load(vcpu);
		enter(vcpu);
		assert_true(vcpu->shadow);
		assert_int_equal(entered(vcpu, V3_VMCS_GUEST_INTERRUPTIBILITY), cases[i].blocking);
		assert_int_equal(entered(vcpu, V3_VMCS_GUEST_PENDING_DEBUG), cases[i].pending);
	}
	end();
}

/* Nothing but RIP is written that did not change: an exit costs what it has to. */
static void test_writes(void **state)
{
	unsigned int reads, writes;

	(void)state;
	begin();
	enter(vcpu);
	writes = v3_fake_vmx_vmwrites();
	reads = v3_fake_vmx_vmreads();
	enter(vcpu);
	assert_int_equal(v3_fake_vmx_vmwrites() - writes, 1);
	assert_true(v3_fake_vmx_vmreads() - reads <= 5);
	vcpu->rip += 2;
	vcpu->gpr[4] -= 8;
	vcpu->rflags ^= V3_RFLAGS_CF;
	writes = v3_fake_vmx_vmwrites();
	enter(vcpu);
	assert_int_equal(v3_fake_vmx_vmwrites() - writes, 3);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_RIP), vcpu->rip);
	/* The host's tables may be others after an interrupt. */
	v3_x86_write_cr3(v3_x86_read_cr3() + 0x1000);
	v3_x86_write_cr4(v3_x86_read_cr4() ^ V3_CR4_TSD);
	writes = v3_fake_vmx_vmwrites();
	enter(vcpu);
	assert_int_equal(v3_fake_vmx_vmwrites() - writes, 3);
	end();
}

static void guest_cr2(void *arg, v3_hpa_t vmcs, uint64_t *gpr)
{
	(void)gpr;
	assert_int_equal(v3_x86_read_cr2(), *(uint64_t *)arg);
	v3_x86_write_cr2(0x7000);
	v3_fake_vmcs_set(vmcs, V3_VMCS_EXIT_REASON, V3_VMX_REASON_INTR);
}

static void test_cr2(void **state)
{
	uint64_t cr2 = 0x1234;

	(void)state;
	begin();
	v3_fake_vmx_set_script(guest_cr2, &cr2);
	vmx_set_cr(vcpu, 2, cr2);
	enter(vcpu);
	assert_int_equal(vmx_get_cr(vcpu, 2), 0x7000);
	/* A page fault of the host's in between. */
	v3_x86_write_cr2(0xdead);
	cr2 = 0x7000;
	enter(vcpu);
	end();
}

static void breakpoints(void *arg, v3_hpa_t vmcs, uint64_t *gpr)
{
	(void)arg;
	(void)gpr;
	assert_int_equal(v3_x86_read_dr0(), 0x4440);
	assert_int_equal(v3_x86_read_dr1(), 0x4441);
	assert_int_equal(v3_x86_read_dr2(), 0x4442);
	assert_int_equal(v3_x86_read_dr3(), 0x4443);
	v3_fake_vmcs_set(vmcs, V3_VMCS_EXIT_REASON, V3_VMX_REASON_INTR);
}

static void test_breakpoints(void **state)
{
	unsigned int i;

	(void)state;
	begin();
	v3_x86_write_dr0(0x9990);
	v3_x86_write_dr1(0x9991);
	v3_x86_write_dr2(0x9992);
	v3_x86_write_dr3(0x9993);
	v3_fake_trace_clear();
	enter(vcpu);
	assert_int_equal(v3_fake_trace_find(V3_FAKE_WRITE_DR), 0);
	for (i = 0; i < 4; i++)
		vcpu->dr[i] = 0x4440 + i;
	vmx_set_dr(vcpu, 7, V3_DR7_RESET | V3_DR7_G(1));
	v3_fake_vmx_set_script(breakpoints, NULL);
	enter(vcpu);
	assert_int_equal(v3_x86_read_dr0(), 0x9990);
	assert_int_equal(v3_x86_read_dr1(), 0x9991);
	assert_int_equal(v3_x86_read_dr2(), 0x9992);
	assert_int_equal(v3_x86_read_dr3(), 0x9993);
	end();
}

/* What exits leave different is as before after put(). */
static void test_host_state(void **state)
{
	struct v3_x86_segs before, after;
	unsigned int i;

	(void)state;
	machine_create(V3_FAKE_SKYLAKE_X, NULL);
	vcpu = v3_vm_vcpu(vm, 0);
	v3_fake_set_cpu(0);
	v3_x86_lldt(0x58);
	v3_x86_write_ds(0x2b);
	v3_x86_write_es(0x2b);
	v3_x86_write_dr7(V3_DR7_RESET | V3_DR7_L(0));
	v3_fake_msr_set_on(0, V3_MSR_DEBUGCTL, V3_DEBUGCTL_LBR);
	for (i = 0; i < VMX_SWITCHED_MSRS; i++)
		v3_fake_msr_set_on(0, vmx_switched_msrs[i], 0x1000 * (i + 1));
	v3_x86_segs_get(&before);
	run_once(0, 0);
	v3_x86_segs_get(&after);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(v3_x86_read_dr7(), V3_DR7_RESET | V3_DR7_L(0));
	assert_int_equal(v3_fake_msr_get(V3_MSR_DEBUGCTL), V3_DEBUGCTL_LBR);
	for (i = 0; i < VMX_SWITCHED_MSRS; i++)
		assert_int_equal(v3_fake_msr_get(vmx_switched_msrs[i]), 0x1000 * (i + 1));
	machine_destroy();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_injection),
		cmocka_unit_test(test_general_detect), cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_abandoned_event),
		cmocka_unit_test(test_nmi_blocking),
		cmocka_unit_test(test_iret_faults),
		cmocka_unit_test(test_host_nmi),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_tpr),
		cmocka_unit_test(test_shadow), cmocka_unit_test(test_shadow_flags),
		cmocka_unit_test(test_writes),
		cmocka_unit_test(test_cr2),
		cmocka_unit_test(test_breakpoints),
		cmocka_unit_test(test_host_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
