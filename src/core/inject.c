/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events on their way to the guest: exceptions from emulation, events that an exit interrupted,
 * NMIs and interrupts, in the order of APM2 8.5 (exceptions of the instruction before interrupts).
 */
#include "core/vm.h"

#include "lib/bits.h"
#include "x86/cr.h"
#include "x86/excp.h"

static void triple_fault(struct v3_vcpu *vcpu, unsigned int first, unsigned int second)
{
	v3_vm_end(vcpu->vm, V3_END_CRASH, 0,
		  "vCPU %u: triple fault: exception %u while delivering exception %u at RIP 0x%llx",
		  vcpu->index, second, first, (unsigned long long)vcpu->rip);
}

void v3_vcpu_exception(struct v3_vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error)
{
	int combined = vector;

	/*
	 * An exit that took an exception back leaves it in the slot: this one came while it was
	 * delivered.
	 */
	if (vcpu->exception.valid) {
		combined = v3_excp_combine(vcpu->exception.vector, vector);
		if (combined < 0) {
			triple_fault(vcpu, vcpu->exception.vector, vector);
			return;
		}
		if (combined == V3_EXCP_DF) {
			has_error = true;
			error = 0;
		}
	}
	/* Real mode pushes none (APM2 8.2, table 8-1; 14.1.5). */
	if (has_error && !(vcpu->vm->arch->get_cr(vcpu, 0) & V3_CR0_PE))
		has_error = false;
	vcpu->exception = (struct v3_event){
		.valid = true, .type = V3_EVENT_EXCEPTION, .vector = (uint8_t)combined,
		.has_error = has_error, .error = has_error ? error : 0,
	};
	vcpu->inject_work = true;
}

void v3_vcpu_page_fault(struct v3_vcpu *vcpu, uint64_t cr2, uint32_t error)
{
	vcpu->vm->arch->set_cr(vcpu, 2, cr2);
	v3_vcpu_exception(vcpu, V3_EXCP_PF, true, error);
}

static void nmi_take_back(struct v3_vcpu *vcpu)
{
	vcpu->nmi_pending = true;
	vcpu->nmi_blocked = false;
}

/* Sorts the event that the last exit took back into its slot. */
void v3_inject_requeue(struct v3_vcpu *vcpu)
{
	struct v3_event *event = &vcpu->interrupted;

	if (event->type == V3_EVENT_EXCEPTION)
		vcpu->exception = *event;
	else if (!vcpu->intr.valid)
		vcpu->intr = *event;
	else /* an interrupt waits there, which only an NMI can have overtaken */
		nmi_take_back(vcpu);
	event->valid = false;
	vcpu->inject_work = true;
}

static bool can_take_intr(const struct v3_vcpu *vcpu)
{
	return vcpu->rflags & V3_RFLAGS_IF && !vcpu->shadow;
}

static bool intr_waits(struct v3_vcpu *vcpu, bool *tpr_blocked)
{
	return vcpu->vm->intc->peek(vcpu, vcpu->vm->intc_ctx, tpr_blocked) >= 0;
}

/* An NMI that could go in: one that was taken back, or a new one. */
static bool nmi_waits(const struct v3_vcpu *vcpu)
{
	return (vcpu->intr.valid && vcpu->intr.type == V3_EVENT_NMI) ||
	       (vcpu->nmi_pending && !vcpu->nmi_blocked);
}

bool v3_inject_pending(struct v3_vcpu *vcpu)
{
	bool tpr_blocked;

	if (vcpu->exception.valid || nmi_waits(vcpu))
		return true;
	return vcpu->rflags & V3_RFLAGS_IF &&
	       (vcpu->intr.valid || intr_waits(vcpu, &tpr_blocked));
}

static void deliver(struct v3_vcpu *vcpu, struct v3_event *event)
{
	vcpu->vm->arch->inject(vcpu, event);
	if (v3_trace_wanted(vcpu))
		v3_trace_inject(vcpu, event);
	v3_stat_add(&vcpu->stats.injected, 1);
	event->valid = false;
	vcpu->shadow = false;
}

static void deliver_nmi(struct v3_vcpu *vcpu)
{
	struct v3_event nmi = { .valid = true, .type = V3_EVENT_NMI, .vector = V3_EXCP_NMI };

	deliver(vcpu, &nmi);
	vcpu->nmi_pending = false;
	vcpu->nmi_blocked = true;
}

/* Acknowledges and delivers an interrupt; false if it went away. */
static bool deliver_intr(struct v3_vcpu *vcpu)
{
	struct v3_event intr = { .valid = true, .type = V3_EVENT_INTR };
	int vector = vcpu->vm->intc->ack(vcpu, vcpu->vm->intc_ctx);

	if (vector < 0)
		return false;
	intr.vector = (uint8_t)vector;
	deliver(vcpu, &intr);
	return true;
}

/* What goes before new interrupts; at most one event goes out; true if one did. */
static bool deliver_first(struct v3_vcpu *vcpu)
{
	if (vcpu->exception.valid) {
		deliver(vcpu, &vcpu->exception);
		return true;
	}
	if (vcpu->intr.valid && vcpu->intr.type == V3_EVENT_NMI) {
		vcpu->nmi_blocked = true;
		deliver(vcpu, &vcpu->intr);
		return true;
	}
	if (nmi_waits(vcpu)) {
		deliver_nmi(vcpu);
		return true;
	}
	/* One that an exception or NMI overtook has to wait until its handler allows interrupts. */
	if (vcpu->intr.valid && can_take_intr(vcpu)) {
		deliver(vcpu, &vcpu->intr);
		return true;
	}
	return false;
}

/* With more than new interrupts to see to. Returns the windows beside those for interrupts. */
static V3_NOINLINE unsigned int prepare_rare(struct v3_vcpu *vcpu)
{
	unsigned int windows = 0;
	bool delivered = deliver_first(vcpu) || (can_take_intr(vcpu) && deliver_intr(vcpu));

	/*
	 * Only an exception goes before an NMI, whose turn it is at the handler's first
	 * instruction.
	 */
	if (nmi_waits(vcpu))
		windows |= V3_WINDOW_SOON;
	if (vcpu->intr.valid && vcpu->intr.type != V3_EVENT_NMI)
		windows |= V3_WINDOW_INTR;
	if (vcpu->nmi_blocked && !vcpu->nmi_iret)
		windows |= V3_WINDOW_NMI;
	/*
	 * One step over the IRET, unless the guest steps itself, or a handler would see the flag.
	 */
	if (vcpu->nmi_iret && vcpu->nmi_pending && !delivered &&
	    !(vcpu->rflags & V3_RFLAGS_TF)) {
		vcpu->rflags |= V3_RFLAGS_TF;
		vcpu->nmi_step = true;
	}
	return windows;
}

void v3_inject_prepare(struct v3_vcpu *vcpu)
{
	unsigned int windows = 0;
	bool tpr_blocked = false;

	if (vcpu->exception.valid | vcpu->intr.valid | vcpu->nmi_pending | vcpu->nmi_blocked)
		windows = prepare_rare(vcpu);
	else if (can_take_intr(vcpu))
		deliver_intr(vcpu);
	if (intr_waits(vcpu, &tpr_blocked))
		windows |= V3_WINDOW_INTR;
	if (tpr_blocked)
		windows |= V3_WINDOW_TPR;
	if (windows != vcpu->windows) {
		vcpu->vm->arch->set_windows(vcpu, windows);
		vcpu->windows = windows;
	}
	vcpu->inject_work = windows != 0 || vcpu->nmi_iret;
}
