/* SPDX-License-Identifier: BSD-2-Clause */
/* From a VMCB to the neutral exit. Pure: reads the VMCB, writes the exit. */
#include "svm/svm.h"

#include "x86/excp.h"
#include "x86/pte.h"

static uint8_t saved_len(const struct svm_vmcb *vmcb, const struct v3_host_caps *caps)
{
	uint64_t len = vmcb->next_rip - vmcb->rip;

	/* APM2 15.7.1: 0 where the CPU did not save it. */
	return caps->next_rip && vmcb->next_rip && len <= 15 ? (uint8_t)len : 0;
}

static void decode_ioio(const struct svm_vmcb *vmcb, struct v3_exit *exit)
{
	uint64_t info = vmcb->exit_info1;

	exit->kind = V3_EXIT_IO;
	exit->io.port = (uint16_t)(info >> SVM_IOIO_PORT_SHIFT);
	exit->io.size = (uint8_t)(info >> SVM_IOIO_SIZE_SHIFT & SVM_IOIO_SIZE_MASK);
	exit->io.in = info & SVM_IOIO_IN;
	exit->io.string = info & SVM_IOIO_STRING;
	exit->io.next_rip = vmcb->exit_info2;
}

/* APM2 15.25.6 */
static void decode_npf(const struct svm_vmcb *vmcb, struct v3_exit *exit)
{
	exit->kind = V3_EXIT_NESTED_FAULT;
	exit->npf.gpa = vmcb->exit_info2;
	exit->npf.write = vmcb->exit_info1 & V3_PFEC_W;
	exit->npf.fetch = vmcb->exit_info1 & V3_PFEC_I;
	exit->npf.present = vmcb->exit_info1 & V3_PFEC_P;
	exit->npf.walk = vmcb->exit_info1 & V3_PFEC_NPF_WALK;
	exit->npf.delivery = vmcb->exit_int_info & SVM_EVENT_VALID;
}

static void decode_exception(const struct svm_vmcb *vmcb, unsigned int vector,
			     struct v3_exit *exit)
{
	if (vector == V3_EXCP_MC) {
		exit->kind = V3_EXIT_MACHINE_CHECK;
		return;
	}
	exit->kind = V3_EXIT_EXCEPTION;
	exit->exception.vector = (uint8_t)vector;
	exit->exception.has_error = v3_excp_has_error_code(vector);
	exit->exception.error = exit->exception.has_error ? (uint32_t)vmcb->exit_info1 : 0;
	exit->exception.cr2 = vmcb->exit_info2;
}

static void decode_gp(struct v3_exit *exit)
{
	exit->kind = V3_EXIT_EXCEPTION;
	exit->exception.vector = V3_EXCP_GP;
	exit->exception.has_error = true;
	exit->exception.error = 0;
}

static void decode_raw(const struct svm_vmcb *vmcb, enum v3_exit_kind kind, struct v3_exit *exit)
{
	exit->kind = kind;
	exit->raw.code = vmcb->exit_code;
	exit->raw.info1 = vmcb->exit_info1;
	exit->raw.info2 = vmcb->exit_info2;
}

static bool decode_ranges(const struct svm_vmcb *vmcb, struct v3_exit *exit)
{
	uint64_t code = vmcb->exit_code;

	if (code < SVM_EXIT_DR_READ) {
		exit->kind = V3_EXIT_CR;
		exit->cr.cr = code & 15;
		exit->cr.write = code >= SVM_EXIT_CR_WRITE;
	} else if (code < SVM_EXIT_EXCEPTION) {
		exit->kind = V3_EXIT_DR;
		exit->dr.dr = code & 15;
		exit->dr.write = code >= SVM_EXIT_DR_WRITE;
	} else if (code < SVM_EXIT_EXCEPTION + V3_EXCP_COUNT) {
		decode_exception(vmcb, (unsigned int)(code - SVM_EXIT_EXCEPTION), exit);
	} else {
		return false;
	}
	return true;
}

void svm_exit_decode(const struct svm_vmcb *vmcb, const struct v3_host_caps *caps,
		     struct v3_exit *exit)
{
	exit->insn_len = 0;
	/* Before the switch, which kernels compile to a search: the commonest exits. */
	if (vmcb->exit_code == SVM_EXIT_IOIO) {
		decode_ioio(vmcb, exit);
		return;
	}
	if (vmcb->exit_code == SVM_EXIT_NPF) {
		decode_npf(vmcb, exit);
		return;
	}
	switch (vmcb->exit_code) {
	case SVM_EXIT_INTR:
		exit->kind = V3_EXIT_INTR;
		return;
	case SVM_EXIT_NMI:
		exit->kind = V3_EXIT_NMI;
		return;
	case SVM_EXIT_SMI:
		exit->kind = V3_EXIT_SMI;
		return;
	case SVM_EXIT_INIT:
		exit->kind = V3_EXIT_INIT;
		return;
	case SVM_EXIT_VINTR:
		exit->kind = V3_EXIT_INTR_WINDOW;
		return;
	case SVM_EXIT_IRET:
		exit->kind = V3_EXIT_NMI_WINDOW;
		return;
	case SVM_EXIT_CR0_SEL:
		exit->kind = V3_EXIT_CR;
		exit->cr.cr = 0;
		exit->cr.write = true;
		return;
	case SVM_EXIT_RDPMC:
		decode_gp(exit);
		return;
	case SVM_EXIT_CPUID:
		exit->kind = V3_EXIT_CPUID;
		break;
	case SVM_EXIT_INVD:
	case SVM_EXIT_WBINVD:
		exit->kind = V3_EXIT_INVD;
		break;
	case SVM_EXIT_PAUSE:
		exit->kind = V3_EXIT_PAUSE;
		break;
	case SVM_EXIT_HLT:
		exit->kind = V3_EXIT_HLT;
		break;
	case SVM_EXIT_MSR:
		exit->kind = vmcb->exit_info1 & 1 ? V3_EXIT_WRMSR : V3_EXIT_RDMSR;
		break;
	case SVM_EXIT_VMMCALL:
		exit->kind = V3_EXIT_HYPERCALL;
		break;
	case SVM_EXIT_XSETBV:
		exit->kind = V3_EXIT_XSETBV;
		break;
	case SVM_EXIT_SHUTDOWN:
		decode_raw(vmcb, V3_EXIT_SHUTDOWN, exit);
		return;
	case SVM_EXIT_INVLPGA:
	case SVM_EXIT_VMRUN:
	case SVM_EXIT_VMLOAD:
	case SVM_EXIT_VMLOAD + 1:	/* VMSAVE */
	case SVM_EXIT_VMLOAD + 2:	/* STGI */
	case SVM_EXIT_VMLOAD + 3:	/* CLGI */
	case SVM_EXIT_SKINIT:
	case SVM_EXIT_RDTSCP:
	case SVM_EXIT_MONITOR:
	case SVM_EXIT_MWAIT:
	case SVM_EXIT_MWAIT_ARMED:
	case SVM_EXIT_RDPRU:
		exit->kind = V3_EXIT_UNDEFINED;
		return;
	default:
		if (decode_ranges(vmcb, exit))
			return;
		/* VMEXIT_INVALID is -1; emulators differ in its width. */
		decode_raw(vmcb, (uint32_t)vmcb->exit_code == 0xffffffff ? V3_EXIT_INVALID
									  : V3_EXIT_UNKNOWN,
			   exit);
		return;
	}
	exit->insn_len = saved_len(vmcb, caps);
}

/*
 * INT n, INT3 and INTO: RIP is still at the instruction, and the guest executes it again
 * (APM2 15.7.2, 15.20).
 */
static bool is_software_event(unsigned int type, unsigned int vector)
{
	return type == SVM_EVENT_SOFT_INTR ||
	       (type == V3_EVENT_EXCEPTION && (vector == V3_EXCP_BP || vector == V3_EXCP_OF));
}

void svm_event_decode(uint64_t info, struct v3_event *event)
{
	event->valid = info & SVM_EVENT_VALID;
	event->type = (uint8_t)(info >> SVM_EVENT_TYPE_SHIFT) & SVM_EVENT_TYPE_MASK;
	event->vector = (uint8_t)info;
	event->has_error = info & SVM_EVENT_HAS_ERROR;
	event->error = (uint32_t)(info >> 32);
}

void svm_interrupted_decode(const struct svm_vmcb *vmcb, struct v3_event *event)
{
	svm_event_decode(vmcb->exit_int_info, event);
	if (is_software_event(event->type, event->vector))
		event->valid = false;
}

uint64_t svm_event_encode(const struct v3_event *event)
{
	uint64_t value = SVM_EVENT_VALID | event->vector |
			 (uint64_t)event->type << SVM_EVENT_TYPE_SHIFT;

	if (event->has_error)
		value |= SVM_EVENT_HAS_ERROR | (uint64_t)event->error << 32;
	return value;
}
