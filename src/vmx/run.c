/* SPDX-License-Identifier: BSD-2-Clause */
/* Running the guest: everything here is on the exit path. SDM vol. 3 chapters 27, 28. */
#include "vmx/vmx.h"

#include "lib/bits.h"
#include "x86/cr.h"
#include "x86/insn.h"
#include "x86/msr.h"

#define BLOCK_SHADOW (V3_VMX_BLOCK_STI | V3_VMX_BLOCK_MOV_SS)

/* RFLAGS bits that VM entry takes; the rest must be 0 (27.3.1.4). */
#define RFLAGS_DEFINED \
	(V3_RFLAGS_ARITH | V3_RFLAGS_TF | V3_RFLAGS_IF | V3_RFLAGS_DF | V3_RFLAGS_IOPL | \
	 V3_RFLAGS_NT | V3_RFLAGS_RF | V3_RFLAGS_VM | V3_RFLAGS_AC | V3_RFLAGS_VIF | \
	 V3_RFLAGS_VIP | V3_RFLAGS_ID)

/* Exits that can come while an event is delivered; others have no IDT event (28.2.4). */
#define IN_DELIVERY \
	(1ull << V3_VMX_REASON_EXCEPTION | 1ull << V3_VMX_REASON_TASK_SWITCH | \
	 1ull << V3_VMX_REASON_APIC_ACCESS | 1ull << V3_VMX_REASON_EPT_VIOLATION | \
	 1ull << V3_VMX_REASON_EPT_MISCONFIG)

/* --- Coming and going --- */

static bool make_current(struct vmx_vcpu *vmx)
{
	return (vmx->initialized || v3_x86_vmclear(vmx->vmcs) == V3_VMX_OK) &&
	       v3_x86_vmptrld(vmx->vmcs) == V3_VMX_OK;
}

void vmx_load(struct v3_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	vmx->cpu = vmx_host(vcpu->host)->cpus[v3_os_cpu(vcpu->host)];
	vmx->broken = !make_current(vmx);
	if (vmx->broken) {
		vmx->work |= VMX_WORK_LOOK;
		return;
	}
	if (!vmx->initialized)
		vmx_vmcs_init(vcpu);
	vmx->initialized = true;
	if (vmx->image_changed)
		vmx_image_restore(vmx);
	vmx->image_changed = false;
	/* These may have been asked for meanwhile. */
	vmx_write(V3_VMCS_TSC_OFFSET, vmx->tsc_offset);
	vmx_write(V3_VMCS_PROC_CTLS, vmx->proc);
	if (vmx->virtual_apic)
		vmx_write(V3_VMCS_TPR_THRESHOLD, vmx->windows & V3_WINDOW_TPR ? vmx->cr8 : 0);
	vmx_host_save(vmx);
	if (vmx_host(vcpu->host)->caps.l1d_flush || vmx_host(vcpu->host)->caps.md_clear)
		vmx->work |= VMX_WORK_CLEAR;
	vmx_tlb_load(vcpu, vmx);
	vmx->loaded = true;
}

/*
 * VMCLEAR: no VMCS stays behind in a CPU, where another one's VMPTRLD or VMXOFF would spoil it
 * (25.11.1).
 */
void vmx_put(struct v3_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	if (vmx->loaded) {
		vmx_intc_take_back(vcpu);
		vmx_image_save(vmx);
		vmx_host_restore(vmx);
		vmx->loaded = vmx->launched = false;
		vmx->broken = v3_x86_vmclear(vmx->vmcs) != V3_VMX_OK;
	}
	vmx->cpu = NULL;
}

/* --- One entry --- */

static void dr_write_all(const uint64_t dr[4])
{
	v3_x86_write_dr0(dr[0]);
	v3_x86_write_dr1(dr[1]);
	v3_x86_write_dr2(dr[2]);
	v3_x86_write_dr3(dr[3]);
}

/* VMX switches DR7 only; the others, while the guest has a breakpoint enabled. */
static V3_NOINLINE int enter_with_breakpoints(struct v3_vcpu *vcpu, struct vmx_vcpu *vmx)
{
	int failed;

	vmx->host.dr[0] = v3_x86_read_dr0();
	vmx->host.dr[1] = v3_x86_read_dr1();
	vmx->host.dr[2] = v3_x86_read_dr2();
	vmx->host.dr[3] = v3_x86_read_dr3();
	dr_write_all(vcpu->dr);
	failed = vmx_enter(vcpu->gpr, vmx->launched, &vmx->host.rsp);
	dr_write_all(vmx->host.dr);
	return failed;
}

static void event_write(struct vmx_vcpu *vmx)
{
	if (vmx->event.has_error)
		vmx_write(V3_VMCS_ENTRY_ERROR, vmx->event.error & 0xffff);
	vmx_write(V3_VMCS_ENTRY_EVENT, vmx_event_encode(&vmx->event));
}

/* What follows until the entry are the vCPU's registers. */
static void clear(const struct vmx_caps *caps)
{
	if (caps->l1d_flush)
		v3_x86_wrmsr(V3_MSR_FLUSH_CMD, V3_FLUSH_CMD_L1D);
	if (caps->md_clear)
		v3_x86_verw();
}

/* What most entries need not do. False: there is no VMCS to enter with. */
static V3_NOINLINE bool work_do(struct v3_vcpu *vcpu, struct vmx_vcpu *vmx)
{
	if (vmx->broken)
		return false;
	/* First: it may choose the other EPT pointer, which has to be flushed then. */
	if (vmx->work & VMX_WORK_APIC)
		vmx_apic_lend(vcpu, vmx);
	vmx_tlb_flush(vcpu, vmx);
	if (vmx->work & VMX_WORK_PDPTE)
		vmx_pdptes_load(vcpu);
	if (vmx->event.valid)
		event_write(vmx);
	vmx->work &= VMX_WORK_CLEAR;
	if (vmx->work)
		clear(&vmx_host(vcpu->host)->caps);
	return true;
}

/* What the host may have changed since the last entry, with interrupts on. */
static void host_refresh(struct vmx_host_state *host)
{
	uint64_t cr3 = v3_x86_read_cr3(), cr4 = v3_x86_read_cr4();

	if (cr3 != host->cr3)
		vmx_write(V3_VMCS_HOST_CR3, host->cr3 = cr3);
	if (cr4 != host->cr4)
		vmx_write(V3_VMCS_HOST_CR4, host->cr4 = cr4);
}

static V3_NOINLINE void cr8_write(const struct v3_vcpu *vcpu, struct vmx_vcpu *vmx)
{
	vmx->cr8 = vcpu->cr8;
	if (!vmx->virtual_apic)
		return;
	/* Lower bits are the guest's that has written them. */
	if (vmx->virtual_apic[VMX_APIC_TPR] >> 4 != vcpu->cr8)
		vmx->virtual_apic[VMX_APIC_TPR] = (uint8_t)(vcpu->cr8 << 4);
	vmx->tpr = vmx->virtual_apic[VMX_APIC_TPR];
	/* Not above the priority (27.2.1.1): any lower one ends the guest's run. */
	if (vmx->windows & V3_WINDOW_TPR)
		vmx_write(V3_VMCS_TPR_THRESHOLD, vcpu->cr8);
}

/*
 * Blocking by STI or MOV SS, of the kind it was, if the flags allow that; blocking by NMI, but for
 * the NMI that goes in (27.3.1.5).
 */
static uint32_t blocking_wanted(const struct v3_vcpu *vcpu, const struct vmx_vcpu *vmx)
{
	uint32_t blocking = 0;

	if (vcpu->shadow) {
		blocking = vmx->blocking & V3_VMX_BLOCK_MOV_SS;
		if (!blocking)
			blocking = vcpu->rflags & V3_RFLAGS_IF ? V3_VMX_BLOCK_STI
							       : V3_VMX_BLOCK_MOV_SS;
	}
	if (vcpu->nmi_blocked && !(vmx->event.valid && vmx->event.type == V3_EVENT_NMI))
		blocking |= V3_VMX_BLOCK_NMI;
	return blocking;
}

static V3_NOINLINE void blocking_write(const struct v3_vcpu *vcpu, struct vmx_vcpu *vmx)
{
	uint32_t blocking = blocking_wanted(vcpu, vmx);
	bool traps = blocking & BLOCK_SHADOW && vcpu->rflags & V3_RFLAGS_TF;

	/* A single step in the shadow is pending, and nothing is without one. */
	if ((blocking ^ vmx->blocking) & BLOCK_SHADOW ||
	    (blocking & BLOCK_SHADOW && vcpu->rflags != vmx->rflags))
		vmx_write(V3_VMCS_GUEST_PENDING_DEBUG, traps ? V3_VMX_PENDING_BS : 0);
	if (blocking != vmx->blocking)
		vmx_write(V3_VMCS_GUEST_INTERRUPTIBILITY, blocking);
	/* The entry with an NMI blocks them. */
	vmx->blocking = blocking | (vcpu->nmi_blocked ? V3_VMX_BLOCK_NMI : 0);
}

static V3_NOINLINE void cr2_write(const struct vmx_vcpu *vmx)
{
	v3_x86_write_cr2(vmx->cr2);
}

/*
 * Registers that live in the VMCS while the guest runs: what changed, and RIP, as nearly every exit
 * moves it.
 */
static inline void regs_to_vmcs(const struct v3_vcpu *vcpu, struct vmx_vcpu *vmx)
{
	vmx_write(V3_VMCS_GUEST_RIP, vcpu->rip);
	if (vcpu->gpr[4] != vmx->rsp)
		vmx_write(V3_VMCS_GUEST_RSP, vcpu->gpr[4]);
	if (vcpu->rflags != vmx->rflags)
		vmx_write(V3_VMCS_GUEST_RFLAGS,
			  (vcpu->rflags & RFLAGS_DEFINED) | V3_RFLAGS_FIXED1);
	if (vmx->blocking | vcpu->shadow | vcpu->nmi_blocked)
		blocking_write(vcpu, vmx);
	if (vcpu->cr8 != vmx->cr8)
		cr8_write(vcpu, vmx);
	if (v3_x86_read_cr2() != vmx->cr2)
		cr2_write(vmx);
}

/*
 * 26.5.1. It counts changes of a bit of the TSC, so the first count may be short: the end is
 * earlier than the deadline by at most that. Saved at exits it would fall behind by the time
 * outside.
 */
static inline void timer_write(uint64_t tsc, unsigned int shift)
{
	uint64_t now = v3_x86_rdtsc(), left = 0;

	if (tsc > now)
		left = ((tsc - now) >> shift) + 1;
	vmx_write(V3_VMCS_PREEMPTION_TIMER, left < VMX_TIMER_MAX ? left : VMX_TIMER_MAX);
}

static V3_NOINLINE void blocking_take(struct v3_vcpu *vcpu, struct vmx_vcpu *vmx)
{
	vmx->blocking = (uint32_t)vmx_read(V3_VMCS_GUEST_INTERRUPTIBILITY);
	vcpu->shadow = vmx->blocking & BLOCK_SHADOW;
	vcpu->nmi_blocked = vmx->blocking & V3_VMX_BLOCK_NMI;
}

static V3_NOINLINE void cr8_take(struct v3_vcpu *vcpu, struct vmx_vcpu *vmx)
{
	vmx->tpr = *vmx->tpr_now;
	vcpu->cr8 = vmx->tpr >> 4;
	/* Where a threshold is set the next entry has to see that the priority has changed. */
	if (!(vmx->windows & V3_WINDOW_TPR))
		vmx->cr8 = vcpu->cr8;
}

static inline void regs_from_vmcs(struct v3_vcpu *vcpu, struct vmx_vcpu *vmx)
{
	vcpu->rip = vmx_read(V3_VMCS_GUEST_RIP);
	vcpu->gpr[4] = vmx->rsp = vmx_read(V3_VMCS_GUEST_RSP);
	vcpu->rflags = vmx->rflags = vmx_read(V3_VMCS_GUEST_RFLAGS);
	/* The entry left them equal, see blocking_write(). */
	if ((uint32_t)vmx_read(V3_VMCS_GUEST_INTERRUPTIBILITY) != vmx->blocking)
		blocking_take(vcpu, vmx);
	if (*vmx->tpr_now != vmx->tpr)
		cr8_take(vcpu, vmx);
}

/*
 * An event was on its way into the guest, or an IRET that ended an NMI's blocking did not get to
 * its end: the blocking is put right for the next entry (28.2.3, 28.7.1.2).
 */
static V3_NOINLINE void delivery_look(struct v3_vcpu *vcpu, uint32_t reason)
{
	uint64_t qual;

	vmx_interrupted_decode(&vcpu->interrupted);
	if (vmx_read(V3_VMCS_IDT_EVENT) & V3_VMX_EVENT_VALID) {
		if (vcpu->interrupted.type == V3_EVENT_NMI)
			vcpu->nmi_blocked = false;
		return;
	}
	qual = reason == V3_VMX_REASON_EXCEPTION ? vmx_read(V3_VMCS_EXIT_EVENT)
						 : vmx_read(V3_VMCS_EXIT_QUALIFICATION);
	_Static_assert(V3_VMX_EVENT_IRET_UNBLOCKED == V3_VMX_QUAL_EPT_IRET, "28.2.3");
	if ((reason == V3_VMX_REASON_EXCEPTION || reason == V3_VMX_REASON_EPT_VIOLATION) &&
	    qual & V3_VMX_QUAL_EPT_IRET)
		vcpu->nmi_blocked = true;
}

/* VMLAUNCH or VMRESUME refused, or there was no VMCS to begin with. */
static V3_NOINLINE void entry_refused(struct v3_vcpu *vcpu, struct vmx_vcpu *vmx, int failed,
				      struct v3_exit *exit)
{
	unsigned int error = failed == V3_VMX_FAIL_VALID ?
			     (unsigned int)vmx_read(V3_VMCS_INSN_ERROR) : 0;

	v3_host_log(vcpu->host, V3_LOG_ERROR, "v3: %s: vCPU %u: VM entry failed: %s (error %u)",
		    vcpu->vm->name, vcpu->index,
		    vmx->broken ? "the VMCS cannot be loaded" : vmx_error_text(error), error);
	/* One of the bits, or what belongs to it (27.2.1). */
	if (error == V3_VMX_ERROR_CONTROLS)
		v3_host_log(vcpu->host, V3_LOG_ERROR,
			    "v3: %s: vCPU %u: controls: pin 0x%x, primary 0x%x, secondary 0x%x, "
			    "exit 0x%x, entry 0x%x, event 0x%x",
			    vcpu->vm->name, vcpu->index,
			    (unsigned int)vmx_read(V3_VMCS_PIN_CTLS),
			    (unsigned int)vmx_read(V3_VMCS_PROC_CTLS),
			    (unsigned int)vmx_read(V3_VMCS_PROC_CTLS2),
			    (unsigned int)vmx_read(V3_VMCS_EXIT_CTLS),
			    (unsigned int)vmx_read(V3_VMCS_ENTRY_CTLS),
			    (unsigned int)vmx_read(V3_VMCS_ENTRY_EVENT));
	/* It would be injected after a reset. */
	vmx_write(V3_VMCS_ENTRY_EVENT, 0);
	exit->kind = V3_EXIT_INVALID;
	exit->insn_len = 0;
	exit->raw.code = ~0ull;
	exit->raw.info1 = error;
	exit->raw.info2 = (uint64_t)failed;
}

/* The CPU did not like the guest's state (27.8). */
static V3_NOINLINE void entry_failed(struct v3_vcpu *vcpu, uint32_t reason)
{
	uint64_t qual = vmx_read(V3_VMCS_EXIT_QUALIFICATION);
	const char *why = vmx_entry_why(vcpu, reason, qual);

	/* It would be injected again. */
	vmx_write(V3_VMCS_ENTRY_EVENT, 0);
	v3_host_log(vcpu->host, V3_LOG_ERROR,
		    "v3: %s: vCPU %u: VM entry failed: %s%s%s (reason 0x%x, qualification 0x%llx)",
		    vcpu->vm->name, vcpu->index, vmx_entry_text(reason, qual), why ? ": " : "",
		    why ? why : "", reason, (unsigned long long)qual);
}

static bool is_nmi(void)
{
	uint64_t event = vmx_read(V3_VMCS_EXIT_EVENT);

	return (event >> V3_VMX_EVENT_TYPE_SHIFT & V3_VMX_EVENT_TYPE_MASK) == V3_VMX_EVENT_NMI;
}

/* An exit that is more than an instruction, or none: the CPU found the guest's state wanting. */
static V3_NOINLINE void other_exit(struct v3_vcpu *vcpu, struct vmx_vcpu *vmx, uint32_t reason,
				   struct v3_exit *exit)
{
	/*
	 * NMIs stay blocked until the host's handler has run, and before interrupts is where it
	 * belongs.
	 */
	if (reason == V3_VMX_REASON_EXCEPTION && is_nmi())
		v3_x86_int_nmi();
	v3_x86_sti();
	regs_from_vmcs(vcpu, vmx);
	if (reason < 64 && IN_DELIVERY >> reason & 1)
		delivery_look(vcpu, reason);
	if (reason & V3_VMX_REASON_ENTRY_FAILED)
		entry_failed(vcpu, reason);
	else
		vmx->launched = true;
	vmx_exit_decode(vcpu, vmx, reason, exit);
}

static inline void after_exit(struct v3_vcpu *vcpu, struct vmx_vcpu *vmx, struct v3_exit *exit)
{
	uint64_t reason = vmx_read(V3_VMCS_EXIT_REASON);

	exit->kind = reason < sizeof(vmx_insn_exits) ? vmx_insn_exits[reason] : V3_EXIT_NONE;
	if (exit->kind == V3_EXIT_NONE) {
		other_exit(vcpu, vmx, (uint32_t)reason, exit);
		return;
	}
	v3_x86_sti();
	regs_from_vmcs(vcpu, vmx);
	vmx->launched = true;
	exit->insn_len = (uint8_t)vmx_read(V3_VMCS_EXIT_INSN_LEN);
	if (exit->kind == V3_EXIT_IO)
		vmx_io_decode(vcpu, exit);
}

/* Its event goes back: what keeps it from entering may have to be delivered first. */
static V3_NOINLINE void stay_out(struct v3_vcpu *vcpu, struct vmx_vcpu *vmx, struct v3_exit *exit)
{
	v3_x86_sti();
	if (vmx->event.valid)
		vcpu->interrupted = vmx->event;
	vmx->event.valid = false;
	exit->kind = V3_EXIT_NONE;
}

/* Twice, for CPUs that others use, too, and for owned ones: neither pays for the other. */
static inline __attribute__((always_inline)) void run(struct v3_vcpu *vcpu, struct v3_exit *exit,
						      bool owned)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);
	int failed = V3_VMX_FAIL_INVALID;

	/*
	 * From the last look at requests on, interrupts stay pending, and end the guest's run at
	 * once (26.2).
	 */
	v3_x86_cli();
	if (!(owned ? v3_vcpu_may_enter_owned(vcpu) : v3_vcpu_may_enter(vcpu))) {
		stay_out(vcpu, vmx, exit);
		return;
	}
	if (!vmx->work || work_do(vcpu, vmx)) {
		host_refresh(&vmx->host);
		regs_to_vmcs(vcpu, vmx);
		if (*vmx->timer_tsc != ~0ull)
			timer_write(*vmx->timer_tsc, vmx->timer_shift);
		if (__builtin_expect(vmx->dr7 & V3_DR7_ENABLE_MASK, 0))
			failed = enter_with_breakpoints(vcpu, vmx);
		else
			failed = vmx_enter(vcpu->gpr, vmx->launched, &vmx->host.rsp);
	}
	if (owned)
		v3_vcpu_left_owned(vcpu);
	else
		v3_vcpu_left_guest(vcpu);
	vmx->event.valid = false;
	if (failed) {
		v3_x86_sti();
		entry_refused(vcpu, vmx, failed, exit);
		return;
	}
	vmx->cr2 = v3_x86_read_cr2();
	after_exit(vcpu, vmx, exit);
}

void vmx_run(struct v3_vcpu *vcpu, struct v3_exit *exit)
{
	run(vcpu, exit, false);
}

void vmx_run_owned(struct v3_vcpu *vcpu, struct v3_exit *exit)
{
	run(vcpu, exit, true);
}
