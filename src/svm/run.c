/* SPDX-License-Identifier: BSD-2-Clause */
/* Running the guest: everything here is on the exit path. APM2 15.5, 15.17. */
#include "svm/svm.h"

#include "x86/cr.h"
#include "x86/insn.h"
#include "x86/msr.h"

/* --- Debug registers: VMRUN switches DR6 and DR7 only (APM2 15.5.1) --- */

static void dr_write_all(const uint64_t dr[4])
{
	v3_x86_write_dr0(dr[0]);
	v3_x86_write_dr1(dr[1]);
	v3_x86_write_dr2(dr[2]);
	v3_x86_write_dr3(dr[3]);
}

/* Around one entry, and only while the guest has a breakpoint enabled. */
static void dr_enter(struct v3_vcpu *vcpu, struct svm_vcpu *svm)
{
	svm->host_dr[0] = v3_x86_read_dr0();
	svm->host_dr[1] = v3_x86_read_dr1();
	svm->host_dr[2] = v3_x86_read_dr2();
	svm->host_dr[3] = v3_x86_read_dr3();
	dr_write_all(vcpu->dr);
}

void svm_load(struct v3_vcpu *vcpu)
{
	struct svm_vcpu *svm = svm_vcpu(vcpu);

	svm->cpu = svm_host(vcpu->host)->cpus[v3_os_cpu(vcpu->host)];
	/* An exit leaves DR7 disabled: the host's breakpoints come back in svm_put(). */
	svm->host_dr7 = v3_x86_read_dr7();
	v3_x86_vmsave(svm->cpu->host_vmcb);
	/* Of the CPU, not of the VMCB, but only in guests (APM2 15.30.5). */
	if (svm->tsc_ratio)
		v3_x86_wrmsr(V3_MSR_AMD_TSC_RATIO, svm->tsc_ratio);
	/* Another CPU's cache of this VMCB may be older. */
	svm->vmcb->clean = 0;
}

void svm_put(struct v3_vcpu *vcpu)
{
	struct svm_vcpu *svm = svm_vcpu(vcpu);

	if (svm->host_dr7 & V3_DR7_ENABLE_MASK)
		v3_x86_write_dr7(svm->host_dr7);
	if (svm->tsc_ratio)
		v3_x86_wrmsr(V3_MSR_AMD_TSC_RATIO, V3_TSC_RATIO_ONE);
	svm->cpu = NULL;
}

/* Registers that live in the VMCB while the guest runs. */
static void regs_to_vmcb(const struct v3_vcpu *vcpu, struct svm_vmcb *vmcb)
{
	vmcb->rax = vcpu->gpr[0];
	vmcb->rsp = vcpu->gpr[4];
	vmcb->rip = vcpu->rip;
	vmcb->rflags = vcpu->rflags;
	vmcb->int_shadow = vcpu->shadow;
	if ((vmcb->int_ctl & SVM_V_TPR_MASK) != vcpu->cr8) {
		vmcb->int_ctl = (vmcb->int_ctl & ~SVM_V_TPR_MASK) | vcpu->cr8;
		vmcb->clean &= ~SVM_CLEAN_TPR;
	}
}

static void regs_from_vmcb(struct v3_vcpu *vcpu, const struct svm_vmcb *vmcb)
{
	vcpu->gpr[0] = vmcb->rax;
	vcpu->gpr[4] = vmcb->rsp;
	vcpu->rip = vmcb->rip;
	vcpu->rflags = vmcb->rflags;
	vcpu->shadow = vmcb->int_shadow & 1;
	vcpu->cr8 = vmcb->int_ctl & SVM_V_TPR_MASK;
}

static void enter(struct v3_vcpu *vcpu, struct svm_vcpu *svm)
{
	bool breakpoints = svm->vmcb->dr7 & V3_DR7_ENABLE_MASK;

	if (breakpoints)
		dr_enter(vcpu, svm);
	svm_enter(vcpu->gpr, svm->vmcb_hpa, svm->cpu->host_vmcb);
	if (breakpoints)
		dr_write_all(svm->host_dr);
}

/*
 * On a CPU that does not save the next RIP, as QEMU's, an interrupt goes in as a virtual interrupt
 * (APM2 15.21.4), which the CPU takes at the first instruction boundary, rather than as an injected
 * event: QEMU can deliver one of those twice. Bochs, which saves it, has the injected event right,
 * but leaves a virtual interrupt pending until the guest turns interrupts off and on. The window
 * for another interrupt, which is a virtual interrupt as well, is left out meanwhile: what came
 * after this one was acknowledged waits for the handler's end of interrupt, which is an exit.
 * Returns the event, or 0.
 */
static uint64_t virq_set(const struct v3_vcpu *vcpu, struct svm_vmcb *vmcb)
{
	uint64_t event = vmcb->event_inj;

	if (!(event & SVM_EVENT_VALID))
		return 0;
	if (event >> SVM_EVENT_TYPE_SHIFT & SVM_EVENT_TYPE_MASK || vcpu->host->caps.next_rip) {
		/*
		 * Pending until VMRUN sets GIF, and taken when the event is delivered (APM2 15.17,
		 * 15.20).
		 */
		if (vcpu->windows & V3_WINDOW_SOON)
			v3_os_cpu_kick(vcpu->host, (unsigned int)vcpu->cpu);
		return 0;
	}
	if (vcpu->windows & V3_WINDOW_INTR)
		svm_intr_window(vmcb, false);
	vmcb->event_inj = 0;
	vmcb->int_ctl = (vmcb->int_ctl & ~SVM_V_IRQ_FIELDS) | SVM_V_IRQ | SVM_V_IGN_TPR |
			0xfull << SVM_V_INTR_PRIO_SHIFT |
			(event & 0xff) << SVM_V_INTR_VECTOR_SHIFT;
	vmcb->clean &= ~SVM_CLEAN_TPR;
	return event;
}

/*
 * After the exit: one that was not taken is still there. EXITINTINFO has one that was interrupted.
 */
static void virq_take_back(struct v3_vcpu *vcpu, struct svm_vmcb *vmcb, uint64_t event)
{
	bool waits = vmcb->int_ctl & SVM_V_IRQ;

	vmcb->int_ctl &= ~SVM_V_IRQ_FIELDS;
	vmcb->clean &= ~SVM_CLEAN_TPR;
	if (vcpu->windows & V3_WINDOW_INTR)
		svm_intr_window(vmcb, true);
	if (waits && !(vmcb->exit_int_info & SVM_EVENT_VALID))
		svm_event_decode(event, &vcpu->interrupted);
}

/* Twice, for CPUs that others use, too, and for owned ones: neither pays for the other. */
static inline __attribute__((always_inline)) void run(struct v3_vcpu *vcpu, struct v3_exit *exit,
						      bool owned)
{
	struct svm_vcpu *svm = svm_vcpu(vcpu);
	struct svm_vmcb *vmcb = svm->vmcb;
	uint64_t virq;

	/*
	 * With GIF = 0 and IF = 1, interrupts stay pending from the last look at requests until the
	 * guest runs, and exit from it at once (APM2 15.17, 15.21.1).
	 */
	v3_x86_clgi();
	if (!(owned ? v3_vcpu_may_enter_owned(vcpu) : v3_vcpu_may_enter(vcpu))) {
		v3_x86_stgi();
		/*
		 * Its event goes back: what keeps it from entering may have to be delivered first.
		 */
		if (vmcb->event_inj & SVM_EVENT_VALID) {
			svm_event_decode(vmcb->event_inj, &vcpu->interrupted);
			vmcb->event_inj = 0;
		}
		exit->kind = V3_EXIT_NONE;
		return;
	}
	if (svm->flush || svm->asid_generation != svm->cpu->asid_generation ||
	    svm->asid_cpu != svm->cpu)
		svm_asid_prepare(vcpu, svm);
	regs_to_vmcb(vcpu, vmcb);
	virq = virq_set(vcpu, vmcb);
	enter(vcpu, svm);
	if (owned)
		v3_vcpu_left_owned(vcpu);
	else
		v3_vcpu_left_guest(vcpu);
	v3_x86_stgi();
	regs_from_vmcb(vcpu, vmcb);
	vmcb->clean = svm->clean_mask;
	vmcb->event_inj = 0;
	vmcb->tlb_control = SVM_TLB_NONE;
	if (vmcb->exit_int_info & SVM_EVENT_VALID)
		svm_interrupted_decode(vmcb, &vcpu->interrupted);
	if (virq)
		virq_take_back(vcpu, vmcb, virq);
	svm_exit_decode(vmcb, &vcpu->host->caps, exit);
}

void svm_run(struct v3_vcpu *vcpu, struct v3_exit *exit)
{
	run(vcpu, exit, false);
}

void svm_run_owned(struct v3_vcpu *vcpu, struct v3_exit *exit)
{
	run(vcpu, exit, true);
}
