/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts, NMIs and exceptions on their way into the guest. APM2 8.5, 15.20, 15.21. */
#include "guest.h"

#include <string.h>

#include "x86/cr.h"
#include "x86/excp.h"

/* hlt; nop ... */
static const uint8_t code[16] = { 0xf4, 0x90, 0x90, 0x90 };

static struct fake_intc intc;

static struct script *start(void)
{
	struct script *script = guest_create(NULL, code, sizeof(code));

	fake_intc_attach(&intc, script->vm);
	guest_start(script);
	script->vmcb->rflags |= V3_RFLAGS_IF;
	return script;
}

static bool window_open(const struct script *script)
{
	return script->vmcb->intercept_misc1 & SVM_I1_VINTR && script->vmcb->int_ctl & SVM_V_IRQ;
}

static void test_interrupt(void **state)
{
	struct script *script = start();

	(void)state;
	assert_int_equal(script->vmcb->event_inj, 0);
	fake_intc_raise(&intc, script->vcpu, 0x31);
	assert_true(v3_fake_host_kicks(script->fake, (unsigned int)v3_vcpu_cpu(script->vcpu)) > 0);
	guest_intr(script);
	assert_int_equal(script->vmcb->event_inj, INJ_INTR(0x31));
	assert_false(window_open(script));
	assert_int_equal(script->vcpu->stats.injected, 1);
	guest_intr(script);
	assert_int_equal(script->vmcb->event_inj, 0);
	/* Two: the higher first, and a window for the other from the next entry on. */
	fake_intc_raise(&intc, script->vcpu, 0x40);
	fake_intc_raise(&intc, script->vcpu, 0x50);
	guest_intr(script);
	assert_int_equal(script->vmcb->event_inj, INJ_INTR(0x50));
	assert_false(window_open(script));
	script->vmcb->rflags &= ~V3_RFLAGS_IF;	/* as the gate did */
	guest_intr(script);
	assert_int_equal(script->vmcb->event_inj, 0);
	assert_true(window_open(script));
	script->vmcb->rflags |= V3_RFLAGS_IF;
	guest_exit(script, SVM_EXIT_VINTR, 0, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_INTR(0x40));
	assert_false(window_open(script));
	guest_destroy(script);
}

static void test_interrupt_went_away(void **state)
{
	struct script *script = start();

	(void)state;
	intc.spurious = true;
	fake_intc_raise(&intc, script->vcpu, 0x31);
	guest_intr(script);
	assert_int_equal(script->vmcb->event_inj, 0);
	assert_int_equal(intc.acks, 1);
	assert_false(window_open(script));
	assert_int_equal(script->vcpu->stats.injected, 0);
	guest_destroy(script);
}

static void test_shadow(void **state)
{
	struct script *script = start();

	(void)state;
	fake_intc_raise(&intc, script->vcpu, 0x31);
	script->vmcb->rip += 1;		/* at a NOP */
	script->vmcb->int_shadow = 1;
	guest_intr(script);
	assert_int_equal(script->vmcb->event_inj, 0);
	assert_int_equal(script->vmcb->int_shadow, 1);
	assert_true(window_open(script));
	/* An emulated instruction ends the shadow. */
	guest_exit(script, SVM_EXIT_PAUSE, 0, 0);
	assert_int_equal(script->vmcb->int_shadow, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_INTR(0x31));
	guest_destroy(script);
}

/*
 * STI; HLT with the host's interrupt in between: the guest's interrupt ends the HLT, it does not
 * precede it.
 */
static void test_shadow_before_hlt(void **state)
{
	struct script *script = start();

	(void)state;
	fake_intc_raise(&intc, script->vcpu, 0x31);
	script->vmcb->int_shadow = 1;
	guest_intr(script);
	assert_int_equal(guest_rip(script), 1);
	assert_int_equal(script->vmcb->int_shadow, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_INTR(0x31));
	assert_int_equal(script->vcpu->stats.halts, 1);
	guest_destroy(script);
}

/* The IRET of an NMI handler executes; with an NMI waiting the step over it traps. */
static void guest_iret(struct script *script, bool waits)
{
	guest_exit(script, SVM_EXIT_IRET, 0, 0);
	assert_int_equal(script->vmcb->event_inj, 0);
	assert_false(script->vmcb->intercept_misc1 & SVM_I1_IRET);
	assert_int_equal(!!(script->vmcb->rflags & V3_RFLAGS_TF), waits);
	script->vmcb->rflags &= ~V3_RFLAGS_TF;
	script->vmcb->rip += 0x100;
	if (waits)
		guest_exit(script, SVM_EXIT_EXCEPTION + V3_EXCP_DB, 0, 0);
}

static void test_nmi(void **state)
{
	struct script *script = start();

	(void)state;
	script->vmcb->rflags &= ~V3_RFLAGS_IF;
	v3_vcpu_nmi(script->vcpu);
	guest_intr(script);
	assert_int_equal(script->vmcb->event_inj, INJ_NMI);
	assert_true(script->vmcb->intercept_misc1 & SVM_I1_IRET);
	/* A second one waits for the IRET. */
	v3_vcpu_nmi(script->vcpu);
	guest_intr(script);
	assert_int_equal(script->vmcb->event_inj, 0);
	guest_iret(script, true);
	assert_int_equal(script->vmcb->event_inj, INJ_NMI);
	guest_iret(script, false);
	/* No longer blocked. */
	v3_vcpu_nmi(script->vcpu);
	guest_intr(script);
	assert_int_equal(script->vmcb->event_inj, INJ_NMI);
	guest_destroy(script);
}

/* The IRET faults: it is still to be executed, and NMIs stay blocked. */
static void test_nmi_iret_faults(void **state)
{
	struct script *script = start();

	(void)state;
	v3_vcpu_nmi(script->vcpu);
	guest_intr(script);
	v3_vcpu_nmi(script->vcpu);
	guest_exit(script, SVM_EXIT_IRET, 0, 0);
	assert_true(script->vmcb->rflags & V3_RFLAGS_TF);
	guest_exit(script, SVM_EXIT_EXCEPTION + V3_EXCP_AC, 0, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP_ERR(V3_EXCP_AC, 0));
	assert_false(script->vmcb->rflags & V3_RFLAGS_TF);
	assert_true(script->vcpu->nmi_blocked);
	guest_destroy(script);
}

/* NMI before interrupts; an exception of the instruction before both. */
static void test_order(void **state)
{
	struct script *script = start();

	(void)state;
	fake_intc_raise(&intc, script->vcpu, 0x31);
	v3_vcpu_nmi(script->vcpu);
	guest_exit(script, SVM_EXIT_RDPMC, 0, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP_ERR(V3_EXCP_GP, 0));
	assert_int_equal(guest_rip(script), 0);
	assert_true(window_open(script));
	guest_intr(script);
	assert_int_equal(script->vmcb->event_inj, INJ_NMI);
	assert_true(window_open(script));
	guest_exit(script, SVM_EXIT_VINTR, 0, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_INTR(0x31));
	guest_destroy(script);
}

static void test_tpr_window(void **state)
{
	struct script *script = start();

	(void)state;
	script->vmcb->int_ctl |= 5;	/* the guest's MOV to CR8: no exit */
	guest_intr(script);
	assert_int_equal(intc.tpr, 5);
	assert_false(script->vmcb->intercept_cr & SVM_I_CR_WRITE(8));
	fake_intc_raise(&intc, script->vcpu, 0x51);
	guest_intr(script);
	assert_int_equal(script->vmcb->event_inj, 0);
	assert_true(script->vmcb->intercept_cr & SVM_I_CR_WRITE(8));
	assert_false(window_open(script));
	assert_int_equal(script->vmcb->int_ctl & SVM_V_TPR_MASK, 5);
	guest_destroy(script);
}

/* mov cr8,rax; mov rbx,cr8 */
static const uint8_t cr8_code[] = { 0x44, 0x0f, 0x22, 0xc0, 0x44, 0x0f, 0x20, 0xc3 };

/* The write that the TPR window watches for has to let the interrupt in at once. */
static void test_tpr_lowered(void **state)
{
	struct script *script = guest_create(NULL, cr8_code, sizeof(cr8_code));

	(void)state;
	fake_intc_attach(&intc, script->vm);
	guest_start(script);
	script->vmcb->rflags |= V3_RFLAGS_IF;
	script->vmcb->int_ctl |= 5;
	fake_intc_raise(&intc, script->vcpu, 0x51);
	guest_intr(script);
	assert_int_equal(script->vmcb->event_inj, 0);
	script->vmcb->rax = 4;
	guest_exit(script, SVM_EXIT_CR_WRITE + 8, 0, 0);
	assert_int_equal(guest_rip(script), 4);
	assert_int_equal(intc.tpr, 4);
	assert_int_equal(script->vmcb->event_inj, INJ_INTR(0x51));
	assert_false(script->vmcb->intercept_cr & SVM_I_CR_WRITE(8));
	guest_exit(script, SVM_EXIT_CR_READ + 8, 0, 0);
	assert_int_equal(script->gpr[RBX], 4);
	/* Reserved bits. */
	guest_set_rip(script, 0);
	script->vmcb->rax = 0x10;
	guest_exit(script, SVM_EXIT_CR_WRITE + 8, 0, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP_ERR(V3_EXCP_GP, 0));
	assert_int_equal(guest_rip(script), 0);
	assert_int_equal(intc.tpr, 4);
	guest_destroy(script);
}

/* A request that comes with the exit must not undo the write. */
static void test_tpr_raised(void **state)
{
	struct script *script = guest_create(NULL, cr8_code, sizeof(cr8_code));

	(void)state;
	fake_intc_attach(&intc, script->vm);
	guest_start(script);
	script->vmcb->rflags |= V3_RFLAGS_IF;
	script->vmcb->rax = 9;
	fake_intc_raise(&intc, script->vcpu, 0x51);
	guest_exit(script, SVM_EXIT_CR_WRITE + 8, 0, 0);
	assert_int_equal(intc.tpr, 9);
	assert_int_equal(script->vmcb->int_ctl & SVM_V_TPR_MASK, 9);
	assert_int_equal(script->vmcb->event_inj, 0);
	/* The controller changes it (an MMIO write of its TPR): CR8 follows. */
	intc.tpr = 3;
	v3_vcpu_check_intr(script->vcpu);
	guest_intr(script);
	assert_int_equal(script->vmcb->int_ctl & SVM_V_TPR_MASK, 3);
	assert_int_equal(script->vmcb->event_inj, INJ_INTR(0x51));
	guest_destroy(script);
}

/* --- Events that an exit took back --- */

static void test_reinjection(void **state)
{
	static const uint64_t events[] = {
		INJ_INTR(0x31), INJ_NMI, INJ_EXCP(V3_EXCP_DE), INJ_EXCP_ERR(V3_EXCP_GP, 0x1234),
		INJ_EXCP_ERR(V3_EXCP_DF, 0),
	};
	struct script *script = start();
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		script->vmcb->exit_int_info = events[i];
		guest_intr(script);
		assert_int_equal(script->vmcb->event_inj, events[i]);
		guest_exit(script, SVM_EXIT_IRET, 0, 0);
		assert_int_equal(script->vmcb->event_inj, 0);
	}
	guest_destroy(script);
}

/* The guest executes INT n, INT3 and INTO again: RIP is still at them. */
static void test_software_events(void **state)
{
	static const uint64_t events[] = {
		INJ_SOFT(0x80), INJ_EXCP(V3_EXCP_BP), INJ_EXCP(V3_EXCP_OF),
	};
	struct script *script = start();
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		script->vmcb->exit_int_info = events[i];
		guest_intr(script);
		assert_int_equal(script->vmcb->event_inj, 0);
		assert_int_equal(guest_rip(script), 0);
	}
	guest_destroy(script);
}

/* A nested fault while an NMI is delivered: it goes first and NMIs stay blocked. */
static void test_interrupted_nmi(void **state)
{
	struct script *script = start();

	(void)state;
	fake_intc_raise(&intc, script->vcpu, 0x31);
	v3_vcpu_nmi(script->vcpu);
	script->vmcb->exit_int_info = INJ_NMI;
	guest_exit(script, SVM_EXIT_NPF, 0, 0x1000);
	assert_int_equal(script->vmcb->event_inj, INJ_NMI);
	guest_intr(script);
	assert_int_equal(script->vmcb->event_inj, INJ_INTR(0x31));
	guest_iret(script, true);
	assert_int_equal(script->vmcb->event_inj, INJ_NMI);
	guest_destroy(script);
}

/* The guest enters the handler of an exception that overtook an acknowledged interrupt. */
static struct script *start_overtaken(void)
{
	struct script *script = start();

	script->vmcb->exit_int_info = INJ_INTR(0x31);
	guest_exit(script, SVM_EXIT_EXCEPTION + V3_EXCP_AC, 0, 0);
	script->vmcb->exit_int_info = 0;
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP_ERR(V3_EXCP_AC, 0));
	assert_true(window_open(script));
	return script;
}

/* The interrupt waits for the handler to allow interrupts. */
static void test_interrupted_and_exception(void **state)
{
	struct script *script = start_overtaken();

	(void)state;
	script->vmcb->rflags &= ~V3_RFLAGS_IF;
	guest_intr(script);
	assert_int_equal(script->vmcb->event_inj, 0);
	assert_true(window_open(script));
	/* An NMI may overtake it, too, and be taken back: nothing is lost. */
	v3_vcpu_nmi(script->vcpu);
	guest_intr(script);
	assert_int_equal(script->vmcb->event_inj, INJ_NMI);
	script->vmcb->exit_int_info = INJ_NMI;
	guest_intr(script);
	assert_int_equal(script->vmcb->event_inj, INJ_NMI);
	script->vmcb->rflags |= V3_RFLAGS_IF;
	guest_exit(script, SVM_EXIT_VINTR, 0, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_INTR(0x31));
	guest_destroy(script);
}

static void test_double_fault(void **state)
{
	struct script *script = start();
	struct v3_vm_end end;

	(void)state;
	/* #PF while #PF is delivered. */
	script->vmcb->exit_int_info = INJ_EXCP_ERR(V3_EXCP_PF, 2);
	guest_exit(script, SVM_EXIT_EXCEPTION + V3_EXCP_PF, 2, 0xdead000);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP_ERR(V3_EXCP_DF, 0));
	/* #GP, then #PF: one after the other. */
	script->vmcb->exit_int_info = INJ_EXCP_ERR(V3_EXCP_GP, 0);
	guest_exit(script, SVM_EXIT_EXCEPTION + V3_EXCP_PF, 2, 0xbeef000);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP_ERR(V3_EXCP_PF, 2));
	assert_int_equal(script->vmcb->cr2, 0xbeef000);
	script->vmcb->exit_int_info = INJ_EXCP_ERR(V3_EXCP_DF, 0);
	guest_exit_ends(script, SVM_EXIT_EXCEPTION + V3_EXCP_PF, 2, 0xdead000, &end);
	assert_int_equal(end.kind, V3_END_CRASH);
	assert_non_null(strstr(end.reason, "triple fault"));
	guest_destroy(script);
}

/* --- HLT --- */

static void test_hlt_and_interrupt(void **state)
{
	struct script *script = start();

	(void)state;
	guest_exit_halts(script, SVM_EXIT_HLT);
	fake_intc_raise(&intc, script->vcpu, 0x31);
	guest_wait(script);
	assert_int_equal(guest_rip(script), 1);
	assert_int_equal(script->vmcb->event_inj, INJ_INTR(0x31));
	assert_int_equal(script->vcpu->stats.halts, 1);
	/* With one waiting it does not sleep. */
	guest_set_rip(script, 0);
	fake_intc_raise(&intc, script->vcpu, 0x32);
	guest_exit(script, SVM_EXIT_HLT, 0, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_INTR(0x32));
	guest_destroy(script);
}

/* With interrupts off nothing but a kick ends the run in which the exception goes in. */
static void test_nmi_behind_exception(void **state)
{
	struct script *script = guest_create(NULL, "\x0f\x01\xd8", 3);
	unsigned int cpu, kicks;

	(void)state;
	guest_start(script);
	cpu = (unsigned int)v3_vcpu_cpu(script->vcpu);
	script->vmcb->rflags &= ~(uint64_t)V3_RFLAGS_IF;
	v3_vcpu_nmi(script->vcpu);
	kicks = v3_fake_host_kicks(script->fake, cpu);
	guest_exit(script, SVM_EXIT_VMRUN, 0, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP(V3_EXCP_UD));
	assert_int_equal(v3_fake_host_kicks(script->fake, cpu), kicks + 1);
	guest_intr(script);
	assert_int_equal(script->vmcb->event_inj, INJ_NMI);
	/* No more of them than are needed. */
	guest_intr(script);
	assert_int_equal(v3_fake_host_kicks(script->fake, cpu), kicks + 1);
	/* The same for an NMI that an exit took back, as an exception came of its delivery. */
	script->vcpu->nmi_blocked = false;
	script->vmcb->exit_int_info = INJ_NMI;
	guest_exit(script, SVM_EXIT_VMRUN, 0, 0);
	script->vmcb->exit_int_info = 0;
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP(V3_EXCP_UD));
	assert_int_equal(v3_fake_host_kicks(script->fake, cpu), kicks + 2);
	guest_intr(script);
	assert_int_equal(script->vmcb->event_inj, INJ_NMI);
	guest_destroy(script);
}

/*
 * Nor may it come between MOV SS or STI and the next instruction, or end an HLT with interrupts
 * off.
 */
static void test_overtaken_waits(void **state)
{
	struct script *script = start_overtaken();

	(void)state;
	/* The handler halts with interrupts off. */
	script->vmcb->rflags &= ~V3_RFLAGS_IF;
	guest_exit_halts(script, SVM_EXIT_HLT);
	v3_vcpu_nmi(script->vcpu);
	guest_wait(script);
	assert_int_equal(script->vmcb->event_inj, INJ_NMI);
	/* The next one has just allowed them. */
	script->vmcb->rflags |= V3_RFLAGS_IF;
	script->vmcb->int_shadow = 1;
	guest_intr(script);
	assert_int_equal(script->vmcb->event_inj, 0);
	assert_int_equal(script->vmcb->int_shadow, 1);
	assert_true(window_open(script));
	script->vmcb->int_shadow = 0;
	guest_exit(script, SVM_EXIT_VINTR, 0, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_INTR(0x31));
	guest_destroy(script);
}

/*
 * Whoever asks a vCPU for something may find it in the guest, and its thread over a moment later.
 */
static void test_request_as_thread_ends(void **state)
{
	struct script *script = guest_create(NULL, code, sizeof(code));
	unsigned int cpu, kicks = 0, after = 0;

	(void)state;
	for (cpu = 0; cpu < script->host->num_cpus; cpu++)
		kicks += v3_fake_host_kicks(script->fake, cpu);
	/*
	 * It is not on any CPU yet; the fake host ends the test for a kick of a CPU that is none.
	 */
	assert_int_equal(v3_vcpu_cpu(script->vcpu), V3_CPU_ANY);
	script->vcpu->mode = V3_VCPU_GUEST;
	v3_vcpu_check_intr(script->vcpu);
	script->vcpu->mode = V3_VCPU_OUTSIDE;
	assert_true(script->vcpu->requests & V3_REQ_INTR);
	for (cpu = 0; cpu < script->host->num_cpus; cpu++)
		after += v3_fake_host_kicks(script->fake, cpu);
	assert_int_equal(after, kicks);
	guest_destroy(script);
}

static void test_hlt_and_nmi(void **state)
{
	struct script *script = start();

	(void)state;
	script->vmcb->rflags &= ~V3_RFLAGS_IF;
	guest_exit_halts(script, SVM_EXIT_HLT);
	assert_true(v3_fake_host_log_has(script->fake, V3_LOG_INFO, "interrupts off"));
	/* An interrupt does not end it. */
	fake_intc_raise(&intc, script->vcpu, 0x31);
	v3_vcpu_nmi(script->vcpu);
	guest_wait(script);
	assert_int_equal(script->vmcb->event_inj, INJ_NMI);
	assert_int_equal(guest_rip(script), 1);
	guest_destroy(script);
}

static void wake(struct v3_timer *timer, void *ctx)
{
	fake_intc_raise(ctx, timer->vcpu, 0x41);
}

static void test_hlt_and_timer(void **state)
{
	struct script *script = start();
	struct v3_timer timer;

	(void)state;
	v3_timer_init(&timer, script->vcpu, wake, &intc);
	v3_timer_arm(&timer, v3_now(script->vm) + 1000000);
	guest_exit_halts(script, SVM_EXIT_HLT);
	v3_fake_host_advance(script->fake, 999000);
	v3_fake_host_advance(script->fake, 2000);
	guest_wait(script);
	assert_int_equal(script->vmcb->event_inj, INJ_INTR(0x41));
	assert_true(script->vcpu->stats.halt_ns >= 1000000);
	assert_true(script->vcpu->stats.halt_ns <= 1001000);
	guest_destroy(script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_interrupt_went_away),
		cmocka_unit_test(test_shadow),
		cmocka_unit_test(test_shadow_before_hlt),
		cmocka_unit_test(test_nmi),
		cmocka_unit_test(test_nmi_iret_faults),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_tpr_window),
		cmocka_unit_test(test_tpr_lowered),
		cmocka_unit_test(test_tpr_raised),
		cmocka_unit_test(test_reinjection),
		cmocka_unit_test(test_software_events),
		cmocka_unit_test(test_interrupted_nmi),
		cmocka_unit_test(test_interrupted_and_exception),
		cmocka_unit_test(test_double_fault),
		cmocka_unit_test(test_hlt_and_interrupt),
		cmocka_unit_test(test_nmi_behind_exception),
		cmocka_unit_test(test_overtaken_waits),
		cmocka_unit_test(test_request_as_thread_ends),
		cmocka_unit_test(test_hlt_and_nmi),
		cmocka_unit_test(test_hlt_and_timer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
