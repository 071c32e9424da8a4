/* SPDX-License-Identifier: BSD-2-Clause */
/* From the current VMCS to the neutral exit. SDM vol. 3 28.2, 25.9. */
#include "vmx/vmx.h"

#include "x86/cr.h"
#include "x86/excp.h"
#include "x86/seg.h"

static uint8_t insn_len(void)
{
	return (uint8_t)vmx_read(V3_VMCS_EXIT_INSN_LEN);
}

static bool in_64bit_mode(void)
{
	return vmx_read(V3_VMCS_GUEST_EFER) & V3_EFER_LMA &&
	       vmx_read(V3_VMCS_GUEST_ACCESS(V3_SEG_CS)) & V3_SEG_L << 4;
}

void vmx_io_decode(const struct v3_vcpu *vcpu, struct v3_exit *exit)
{
	uint64_t qual = vmx_read(V3_VMCS_EXIT_QUALIFICATION);
	uint64_t next = vcpu->rip + exit->insn_len;

	if (next >> 32 && !in_64bit_mode())
		next = (uint32_t)next;
	exit->insn_len = 0;
	exit->io.port = V3_VMX_QUAL_IO_PORT(qual);
	exit->io.size = (uint8_t)V3_VMX_QUAL_IO_SIZE(qual);
	exit->io.in = qual & V3_VMX_QUAL_IO_IN;
	exit->io.string = qual & V3_VMX_QUAL_IO_STRING;
	exit->io.next_rip = next;
}

static void decode_ept_violation(struct v3_exit *exit)
{
	uint64_t qual = vmx_read(V3_VMCS_EXIT_QUALIFICATION);

	exit->kind = V3_EXIT_NESTED_FAULT;
	exit->npf.gpa = vmx_read(V3_VMCS_GUEST_PHYSICAL);
	exit->npf.write = qual & V3_VMX_QUAL_EPT_WRITE;
	exit->npf.fetch = qual & V3_VMX_QUAL_EPT_FETCH;
	exit->npf.present = qual & V3_VMX_QUAL_EPT_PERMITS;
	/* Without a linear address it is a load of PDPTEs. */
	exit->npf.walk = !(qual & V3_VMX_QUAL_EPT_LINEAR) || !(qual & V3_VMX_QUAL_EPT_FINAL);
	exit->npf.delivery = vmx_read(V3_VMCS_IDT_EVENT) & V3_VMX_EVENT_VALID;
}

/* The CPU leaves DR6 alone and tells what it would have set (table 28-1). */
static void decode_debug(struct vmx_vcpu *vmx)
{
	const uint64_t told = V3_DR6_B(0) | V3_DR6_B(1) | V3_DR6_B(2) | V3_DR6_B(3) | V3_DR6_BD |
			      V3_DR6_BS;

	vmx->dr6 = (vmx->dr6 & ~(V3_DR6_B(0) | V3_DR6_B(1) | V3_DR6_B(2) | V3_DR6_B(3))) |
		   (vmx_read(V3_VMCS_EXIT_QUALIFICATION) & told);
}

static void decode_exception(struct v3_vcpu *vcpu, struct vmx_vcpu *vmx, struct v3_exit *exit)
{
	uint32_t event = (uint32_t)vmx_read(V3_VMCS_EXIT_EVENT);
	unsigned int vector = event & V3_VMX_EVENT_VECTOR_MASK;
	unsigned int type = event >> V3_VMX_EVENT_TYPE_SHIFT & V3_VMX_EVENT_TYPE_MASK;

	if (type == V3_VMX_EVENT_NMI) {
		exit->kind = V3_EXIT_NMI;
		return;
	}
	if (vector == V3_EXCP_MC) {
		exit->kind = V3_EXIT_MACHINE_CHECK;
		return;
	}
	exit->kind = V3_EXIT_EXCEPTION;
	exit->exception.vector = (uint8_t)vector;
	exit->exception.has_error = event & V3_VMX_EVENT_HAS_ERROR;
	exit->exception.error = exit->exception.has_error ?
				(uint32_t)vmx_read(V3_VMCS_EXIT_ERROR) : 0;
	exit->exception.cr2 = vector == V3_EXCP_PF ? vmx_read(V3_VMCS_EXIT_QUALIFICATION) : 0;
	if (vector == V3_EXCP_DB)
		decode_debug(vmx);
	/* INT1: a trap, for which RIP is still at the instruction (28.2.2). */
	if (type == V3_VMX_EVENT_PRIV_EXCEPTION)
		vcpu->rip += insn_len();
}

static void decode_gp(struct v3_exit *exit)
{
	exit->kind = V3_EXIT_EXCEPTION;
	exit->exception.vector = V3_EXCP_GP;
	exit->exception.has_error = true;
	exit->exception.error = 0;
}

static void decode_cr(struct v3_exit *exit)
{
	uint64_t qual = vmx_read(V3_VMCS_EXIT_QUALIFICATION);

	exit->kind = V3_EXIT_CR;
	exit->cr.cr = (uint8_t)V3_VMX_QUAL_CR(qual);	/* 0 for CLTS and LMSW */
	exit->cr.write = V3_VMX_QUAL_CR_TYPE(qual) != V3_VMX_QUAL_CR_FROM;
}

static void decode_dr(struct v3_exit *exit)
{
	uint64_t qual = vmx_read(V3_VMCS_EXIT_QUALIFICATION);

	exit->kind = V3_EXIT_DR;
	exit->dr.dr = (uint8_t)V3_VMX_QUAL_DR(qual);
	exit->dr.write = !(qual & V3_VMX_QUAL_DR_FROM);
}

static void decode_raw(uint32_t reason, enum v3_exit_kind kind, struct v3_exit *exit)
{
	exit->kind = kind;
	exit->raw.code = reason;
	exit->raw.info1 = vmx_read(V3_VMCS_EXIT_QUALIFICATION);
	exit->raw.info2 = reason == V3_VMX_REASON_EPT_MISCONFIG ? vmx_read(V3_VMCS_GUEST_PHYSICAL)
								: 0;
}

const uint8_t vmx_insn_exits[64] = {
	[V3_VMX_REASON_CPUID] = V3_EXIT_CPUID, [V3_VMX_REASON_HLT] = V3_EXIT_HLT,
	[V3_VMX_REASON_INVD] = V3_EXIT_INVD, [V3_VMX_REASON_VMCALL] = V3_EXIT_HYPERCALL,
	[V3_VMX_REASON_RDMSR] = V3_EXIT_RDMSR, [V3_VMX_REASON_WRMSR] = V3_EXIT_WRMSR,
	[V3_VMX_REASON_PAUSE] = V3_EXIT_PAUSE, [V3_VMX_REASON_WBINVD] = V3_EXIT_INVD,
	[V3_VMX_REASON_XSETBV] = V3_EXIT_XSETBV, [V3_VMX_REASON_IO] = V3_EXIT_IO,
};

/* Table 28-2. The CPU does not do them in VMX operation, and they are not emulated. */
static void decode_task_switch(struct v3_vcpu *vcpu, struct v3_exit *exit)
{
	static const char *const by[] = { "CALL", "IRET", "JMP", "an interrupt or exception" };
	uint64_t qual = vmx_read(V3_VMCS_EXIT_QUALIFICATION);

	v3_vm_end(vcpu->vm, V3_END_CRASH, 0,
		  "vCPU %u: %s switches to task 0x%x at RIP 0x%llx: VT-x has no task switches",
		  vcpu->index, by[V3_VMX_QUAL_TASK_BY(qual)], V3_VMX_QUAL_TASK(qual),
		  (unsigned long long)vcpu->rip);
	decode_raw(V3_VMX_REASON_TASK_SWITCH, V3_EXIT_SHUTDOWN, exit);
}

void vmx_exit_decode(struct v3_vcpu *vcpu, struct vmx_vcpu *vmx, uint32_t reason,
		     struct v3_exit *exit)
{
	exit->insn_len = 0;
	/* Before the switch, which kernels compile to a search: the commonest of these exits. */
	if (reason == V3_VMX_REASON_EPT_VIOLATION) {
		decode_ept_violation(exit);
		return;
	}
	switch (reason) {
	case V3_VMX_REASON_EXCEPTION:
		decode_exception(vcpu, vmx, exit);
		return;
	case V3_VMX_REASON_INTR:
		exit->kind = V3_EXIT_INTR;
		return;
	case V3_VMX_REASON_TIMER:
		/*
		 * In place of the host's timer. The next entry sets it, but for a deadline that is
		 * none any more.
		 */
		vmx_write(V3_VMCS_PREEMPTION_TIMER, VMX_TIMER_MAX);
		exit->kind = V3_EXIT_INTR;
		return;
	case V3_VMX_REASON_INIT:
		exit->kind = V3_EXIT_INIT;
		return;
	case V3_VMX_REASON_IO_SMI:
	case V3_VMX_REASON_SMI:
		exit->kind = V3_EXIT_SMI;
		return;
	case V3_VMX_REASON_INTR_WINDOW:
	case V3_VMX_REASON_TPR:
		/*
		 * After the MOV to CR8: the core sees the new priority, and looks at interrupts
		 * anew.
		 */
		exit->kind = V3_EXIT_INTR_WINDOW;
		return;
	case V3_VMX_REASON_NMI_WINDOW:
		exit->kind = V3_EXIT_NMI_WINDOW;
		return;
	case V3_VMX_REASON_RDPMC:
		decode_gp(exit);
		return;
	case V3_VMX_REASON_CR:
		decode_cr(exit);
		return;
	case V3_VMX_REASON_DR:
		decode_dr(exit);
		return;
	case V3_VMX_REASON_TASK_SWITCH:
		decode_task_switch(vcpu, exit);
		return;
	case V3_VMX_REASON_TRIPLE_FAULT:
		decode_raw(reason, V3_EXIT_SHUTDOWN, exit);
		return;
	case V3_VMX_REASON_APIC_ACCESS:
		vmx_decode_apic_access(exit);
		return;
	case V3_VMX_REASON_APIC_WRITE:
		vmx_decode_apic_write(vmx, exit);
		return;
	case V3_VMX_REASON_EOI:
		vmx_decode_eoi(exit);
		return;
	case V3_VMX_REASON_GETSEC:
	case V3_VMX_REASON_VMCLEAR ... V3_VMX_REASON_VMXON:
	case V3_VMX_REASON_MWAIT:
	case V3_VMX_REASON_MONITOR:
	case V3_VMX_REASON_INVEPT:
	case V3_VMX_REASON_INVVPID:
	case V3_VMX_REASON_VMFUNC:
		exit->kind = V3_EXIT_UNDEFINED;
		return;
	default:
		decode_raw(reason, reason & V3_VMX_REASON_ENTRY_FAILED ? V3_EXIT_INVALID
								      : V3_EXIT_UNKNOWN,
			   exit);
		return;
	}
}

void vmx_interrupted_decode(struct v3_event *event)
{
	uint32_t info = (uint32_t)vmx_read(V3_VMCS_IDT_EVENT);
	unsigned int type = info >> V3_VMX_EVENT_TYPE_SHIFT & V3_VMX_EVENT_TYPE_MASK;

	/*
	 * INT n, INT3, INTO, INT1: RIP is still at the instruction, and the guest executes it again
	 * (28.2.4).
	 */
	event->valid = info & V3_VMX_EVENT_VALID && type < V3_VMX_EVENT_SOFT_INTR;
	event->type = (uint8_t)type;
	event->vector = (uint8_t)info;
	event->has_error = info & V3_VMX_EVENT_HAS_ERROR;
	event->error = event->valid && event->has_error ? (uint32_t)vmx_read(V3_VMCS_IDT_ERROR) : 0;
}

uint32_t vmx_event_encode(const struct v3_event *event)
{
	/* The neutral types are numbered as these are. */
	_Static_assert(V3_EVENT_INTR == V3_VMX_EVENT_INTR && V3_EVENT_NMI == V3_VMX_EVENT_NMI &&
		       V3_EVENT_EXCEPTION == V3_VMX_EVENT_EXCEPTION, "25.8.3");

	return V3_VMX_EVENT_VALID | event->vector |
	       (uint32_t)event->type << V3_VMX_EVENT_TYPE_SHIFT |
	       (event->has_error ? V3_VMX_EVENT_HAS_ERROR : 0);
}
