/* SPDX-License-Identifier: BSD-2-Clause */
/* What each kind of exit does. */
#include "core/vm.h"

#include "lib/bits.h"
#include "x86/cr.h"
#include "x86/excp.h"
#include "x86/insn.h"

static void exit_hlt(struct v3_vcpu *vcpu, unsigned int len)
{
	if (!v3_vcpu_skip(vcpu, len ? len : 1))
		return;
	vcpu->run = V3_RUN_HALTED;
	if (!(vcpu->rflags & V3_RFLAGS_IF) && vcpu->vm->num_vcpus == 1 && !vcpu->nmi_pending)
		v3_vm_log(vcpu->vm, V3_LOG_INFO,
			  "vCPU %u: HLT with interrupts off at RIP 0x%llx: only an NMI ends it",
			  vcpu->index, (unsigned long long)vcpu->rip);
}

/*
 * A host interrupt came between STI and the next instruction. Where that is HLT, it is executed
 * here: an interrupt that became pending meanwhile must end the HLT, not come before it, or the
 * guest would sleep over the work that the handler left. A CPU that loads the shadow from its
 * control block does the same; QEMU's AMD-V forgets it.
 */
static void exit_host_event(struct v3_vcpu *vcpu)
{
	if (vcpu->shadow && vcpu->rflags & V3_RFLAGS_IF && v3_insn_is_hlt(vcpu))
		exit_hlt(vcpu, 1);
}

/*
 * An exception that is intercepted only so that it cannot loop in microcode (#AC, #DB): it goes on.
 */
static void exit_exception(struct v3_vcpu *vcpu, const struct v3_exit *exit)
{
	if (exit->exception.vector == V3_EXCP_PF)
		v3_vcpu_page_fault(vcpu, exit->exception.cr2, exit->exception.error);
	else
		v3_vcpu_exception(vcpu, exit->exception.vector, exit->exception.has_error,
				  exit->exception.error);
}

static void exit_shutdown(struct v3_vcpu *vcpu)
{
	v3_vm_end(vcpu->vm, V3_END_CRASH, 0, "vCPU %u: triple fault at RIP 0x%llx", vcpu->index,
		  (unsigned long long)vcpu->rip);
}

/*
 * The hardware or this library is at fault, not the guest. Not inlined: every exit would pay for
 * the buffer, by saved registers and a stack protector.
 */
static V3_NOINLINE void exit_broken(struct v3_vcpu *vcpu, const struct v3_exit *exit)
{
	char state[96];

	vcpu->vm->arch->describe(vcpu, state, sizeof(state));
	v3_host_log(vcpu->host, V3_LOG_ERROR, "v3: %s: vCPU %u: %s", vcpu->vm->name, vcpu->index,
		    state);
	v3_vm_end(vcpu->vm, V3_END_ERROR, 0,
		  "vCPU %u: %s exit, code 0x%llx info 0x%llx 0x%llx, RIP 0x%llx", vcpu->index,
		  v3_exit_name(exit->kind), (unsigned long long)exit->raw.code,
		  (unsigned long long)exit->raw.info1, (unsigned long long)exit->raw.info2,
		  (unsigned long long)vcpu->rip);
}

/*
 * INVD and WBINVD: no device here bypasses the caches, so there is nothing to write back or to
 * drop.
 */
static void exit_invd(struct v3_vcpu *vcpu, const struct v3_exit *exit)
{
	v3_vcpu_skip(vcpu, exit->insn_len);
}

/*
 * Stopped before the IRET that ends an NMI handler: NMIs may come again once it is done (APM2
 * 15.21.9).
 */
static void exit_nmi_window(struct v3_vcpu *vcpu)
{
	/* A back end that follows the blocking itself stops when it is over. */
	if (!vcpu->nmi_blocked) {
		vcpu->inject_work = true;
		return;
	}
	vcpu->nmi_iret = true;
	vcpu->nmi_iret_rip = vcpu->rip;
	vcpu->inject_work = true;
}

/*
 * The first exit after that one. With an NMI waiting it is the trap of a single step, which the
 * guest does not see; if the IRET faulted instead, RIP has not moved and the trap flag is taken
 * back.
 */
bool v3_exit_nmi_iret(struct v3_vcpu *vcpu, const struct v3_exit *exit)
{
	bool stepped = vcpu->nmi_step, same = vcpu->rip == vcpu->nmi_iret_rip;

	vcpu->nmi_step = false;
	if (stepped && same)
		vcpu->rflags &= ~V3_RFLAGS_TF;
	if (same)
		return false;
	vcpu->nmi_iret = vcpu->nmi_blocked = false;
	vcpu->inject_work = true;
	return stepped && exit->kind == V3_EXIT_EXCEPTION &&
	       exit->exception.vector == V3_EXCP_DB;
}

void v3_exit_handle(struct v3_vcpu *vcpu, const struct v3_exit *exit)
{
	/* Before the switch, which kernels compile to a search. */
	if (exit->kind == V3_EXIT_IO) {
		v3_exit_io(vcpu, exit);
		return;
	}
	switch (exit->kind) {
	case V3_EXIT_NONE:
	case V3_EXIT_IO:
		break;
	case V3_EXIT_INTR:
		v3_timers_interrupted(vcpu);
		exit_host_event(vcpu);
		break;
	case V3_EXIT_NMI:
	case V3_EXIT_SMI:
	case V3_EXIT_INIT:
		/* The host has taken it by now. */
		exit_host_event(vcpu);
		break;
	case V3_EXIT_INTR_WINDOW:
		vcpu->inject_work = true;
		break;
	case V3_EXIT_NMI_WINDOW:
		exit_nmi_window(vcpu);
		break;
	case V3_EXIT_CPUID:
		v3_exit_cpuid(vcpu, exit);
		break;
	case V3_EXIT_RDMSR:
		v3_exit_rdmsr(vcpu, exit);
		break;
	case V3_EXIT_WRMSR:
		v3_exit_wrmsr(vcpu, exit);
		break;
	case V3_EXIT_NESTED_FAULT:
		v3_exit_nested_fault(vcpu, exit);
		break;
	case V3_EXIT_HLT:
		exit_hlt(vcpu, exit->insn_len);
		break;
	case V3_EXIT_PAUSE:
		v3_vcpu_skip(vcpu, exit->insn_len ? exit->insn_len : 2);
		break;
	case V3_EXIT_CR:
		v3_exit_cr(vcpu, exit);
		break;
	case V3_EXIT_DR:
		v3_exit_dr(vcpu, exit);
		break;
	case V3_EXIT_XSETBV:
		v3_exit_xsetbv(vcpu, exit);
		break;
	case V3_EXIT_INVD:
		exit_invd(vcpu, exit);
		break;
	case V3_EXIT_HYPERCALL:
		v3_exit_hypercall(vcpu, exit);
		break;
	case V3_EXIT_EXCEPTION:
		exit_exception(vcpu, exit);
		break;
	case V3_EXIT_UNDEFINED:
		v3_vcpu_ud(vcpu);
		break;
	case V3_EXIT_MACHINE_CHECK:
		v3_x86_int_mce();
		break;
	case V3_EXIT_SHUTDOWN:
		exit_shutdown(vcpu);
		break;
	case V3_EXIT_EMULATE:
		v3_exit_emulate(vcpu, exit);
		break;
	case V3_EXIT_INTC:
		v3_exit_intc(vcpu, exit);
		break;
	case V3_EXIT_INVALID:
	case V3_EXIT_UNKNOWN:
	case V3_EXIT_COUNT:
	default:
		exit_broken(vcpu, exit);
		break;
	}
}
