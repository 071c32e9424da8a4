/* SPDX-License-Identifier: BSD-2-Clause */
/* Architectural state: reset, start-up IPIs, and the public get and set. */
#include "core/vm.h"

#include "lib/mem.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/seg.h"

static struct v3_segment segment(uint16_t selector, uint64_t base, uint32_t limit, uint16_t attrib)
{
	return (struct v3_segment){ selector, attrib, limit, base };
}

/* APM2 14.1.3, table 14-1 */
static void reset_state(struct v3_vcpu_state *state)
{
	unsigned int i;

	memset(state, 0, sizeof(*state));
	for (i = 0; i < 6; i++)
		state->seg[i] = segment(0, 0, 0xffff, V3_SEG_ATTR_DATA16);
	state->seg[V3_SEG_CS] = segment(0xf000, 0xffff0000, 0xffff, V3_SEG_ATTR_CODE16);
	state->seg[V3_SEG_LDTR] = segment(0, 0, 0xffff, V3_SEG_ATTR_LDT);
	state->seg[V3_SEG_TR] = segment(0, 0, 0xffff, V3_SEG_ATTR_TSS_BUSY);
	state->gdtr = state->idtr = segment(0, 0, 0xffff, 0);
	state->rip = 0xfff0;
	state->rflags = V3_RFLAGS_RESET;
	state->cr0 = V3_CR0_RESET;
	state->gpr[2] = 0x600;	/* family, as EDX shows it */
	state->dr6 = V3_DR6_RESET;
	state->dr7 = V3_DR7_RESET;
	state->xcr0 = V3_XCR0_X87;
	state->pat = V3_PAT_RESET;
}

/* Core's part of a state; the back end has the rest. */
static void core_state_set(struct v3_vcpu *vcpu, const struct v3_vcpu_state *state)
{
	memcpy(vcpu->gpr, state->gpr, sizeof(vcpu->gpr));
	vcpu->rip = state->rip;
	vcpu->rflags = state->rflags;
	vcpu->xcr0 = state->xcr0;
	memcpy(vcpu->dr, state->dr, sizeof(vcpu->dr));
	vcpu->cr8 = vcpu->cr8_seen = (uint8_t)state->cr8;
}

/* INIT keeps CD and NW, XCR0, the FPU and all MSRs but EFER (APM2 14.1.3; SDM 3A table 10-1). */
static void init_keep(struct v3_vcpu_state *state, const struct v3_vcpu_state *old)
{
	state->cr0 = (old->cr0 & (V3_CR0_CD | V3_CR0_NW)) | V3_CR0_ET;
	state->pat = old->pat;
	state->star = old->star;
	state->lstar = old->lstar;
	state->cstar = old->cstar;
	state->sfmask = old->sfmask;
	state->kernel_gs_base = old->kernel_gs_base;
	state->sysenter_cs = old->sysenter_cs;
	state->sysenter_esp = old->sysenter_esp;
	state->sysenter_eip = old->sysenter_eip;
}

void v3_vcpu_reset(struct v3_vcpu *vcpu, bool init)
{
	struct v3_vcpu_state state, old;

	reset_state(&state);
	if (init) {
		vcpu->vm->arch->get_state(vcpu, &old);
		init_keep(&state, &old);
		state.xcr0 = vcpu->xcr0;
	}
	core_state_set(vcpu, &state);
	vcpu->vm->arch->set_state(vcpu, &state);
	vcpu->shadow = vcpu->nmi_blocked = vcpu->nmi_pending = false;
	vcpu->nmi_iret = vcpu->nmi_step = false;
	vcpu->interrupted.valid = vcpu->exception.valid = vcpu->intr.valid = false;
	vcpu->run = vcpu->index ? V3_RUN_WAIT_SIPI : V3_RUN_RUNNABLE;
	vcpu->inject_work = true;
}

void v3_vcpu_power_on(struct v3_vcpu *vcpu)
{
	v3_vcpu_reset(vcpu, false);
	vcpu->tsc_adjust = 0;
	vcpu->pvclock = 0;
	vcpu->tsc_aux = 0;
	v3_mtrr_reset(vcpu);
}

/* APM2 14.8: the vector is the page where the processor starts in real mode. */
static void start_at(struct v3_vcpu *vcpu, uint8_t vector)
{
	struct v3_vcpu_state state;

	vcpu->vm->arch->get_state(vcpu, &state);
	state.seg[V3_SEG_CS] = segment((uint16_t)(vector << 8), (uint64_t)vector << 12, 0xffff,
				       V3_SEG_ATTR_CODE16);
	vcpu->vm->arch->set_state(vcpu, &state);
	vcpu->rip = 0;
	vcpu->run = V3_RUN_RUNNABLE;
}

void v3_vcpu_handle_startup(struct v3_vcpu *vcpu, uint32_t requests)
{
	if (requests & V3_REQ_INIT) {
		v3_vcpu_reset(vcpu, true);
		vcpu->vm->intc->init(vcpu, vcpu->vm->intc_ctx);
	}
	if (requests & V3_REQ_SIPI && vcpu->run == V3_RUN_WAIT_SIPI)
		start_at(vcpu, __atomic_load_n(&vcpu->sipi_vector, __ATOMIC_RELAXED));
}

/* The vCPU's thread is away, or parked by pause(). */
static bool is_stopped(const struct v3_vcpu *vcpu)
{
	enum v3_vm_state state = __atomic_load_n(&vcpu->vm->state, __ATOMIC_ACQUIRE);

	/*
	 * A VM that has ended may have threads that are still on their way out; the end is parking,
	 * too.
	 */
	if (state == V3_VM_STOPPED)
		return !__atomic_load_n(&vcpu->thread, __ATOMIC_ACQUIRE) ||
		       __atomic_load_n(&vcpu->parked, __ATOMIC_ACQUIRE) == V3_PARKED_FOR_GOOD;
	return state != V3_VM_RUNNING;
}

void v3_vcpu_state_copy(struct v3_vcpu *vcpu, struct v3_vcpu_state *state)
{
	memset(state, 0, sizeof(*state));
	vcpu->vm->arch->get_state(vcpu, state);
	memcpy(state->gpr, vcpu->gpr, sizeof(state->gpr));
	state->rip = vcpu->rip;
	state->rflags = vcpu->rflags;
	state->xcr0 = vcpu->xcr0;
	state->cr8 = vcpu->cr8;
	memcpy(state->dr, vcpu->dr, sizeof(state->dr));
}

enum v3_status v3_vcpu_get_state(struct v3_vcpu *vcpu, struct v3_vcpu_state *state)
{
	if (!is_stopped(vcpu))
		return V3_ERR_STATE;
	v3_vcpu_state_copy(vcpu, state);
	return V3_OK;
}

/* Combinations that VMRUN would refuse (APM2 15.5.1) or that no CPU can be in. */
static bool state_valid(const struct v3_vcpu *vcpu, const struct v3_vcpu_state *state)
{
	const struct v3_vm *vm = vcpu->vm;
	const uint16_t long_and_32 = V3_SEG_L | V3_SEG_DB;
	bool pg = state->cr0 & V3_CR0_PG, lme = state->efer & V3_EFER_LME;

	if (state->cr0 & ~V3_CR0_DEFINED || state->cr4 & ~vm->cpu.cr4_mask ||
	    state->efer & ~(vm->cpu.efer_mask | V3_EFER_LMA))
		return false;
	if (pg && !(state->cr0 & V3_CR0_PE))
		return false;
	if (state->cr0 & V3_CR0_NW && !(state->cr0 & V3_CR0_CD))
		return false;
	if (!(state->efer & V3_EFER_LMA) != !(pg && lme))
		return false;
	if (pg && lme && !(state->cr4 & V3_CR4_PAE))
		return false;
	if (state->cr4 & V3_CR4_PCIDE && !(state->efer & V3_EFER_LMA))
		return false;
	if (state->dr6 >> 32 || state->dr7 >> 32 || state->cr8 > 15)
		return false;
	/* Bits above the address, too: the one that a MOV keeps TLB entries with is not stored. */
	if (state->cr3 >> vm->phys_bits || !v3_pat_valid(state->pat))
		return false;
	if (pg && lme && (state->seg[V3_SEG_CS].attrib & long_and_32) == long_and_32)
		return false;
	return state->xcr0 == V3_XCR0_X87 || v3_xcr0_valid(state->xcr0, vm->cpu.xcr0);
}

enum v3_status v3_vcpu_set_state(struct v3_vcpu *vcpu, const struct v3_vcpu_state *state)
{
	if (!is_stopped(vcpu))
		return V3_ERR_STATE;
	if (!state_valid(vcpu, state))
		return V3_ERR_INVALID;
	core_state_set(vcpu, state);
	vcpu->rflags |= V3_RFLAGS_FIXED1;
	vcpu->vm->arch->set_state(vcpu, state);
	vcpu->inject_work = true;
	return V3_OK;
}
