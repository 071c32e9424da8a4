/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest state in the VMCB's save area. Each change clears the clean bit that covers it (APM2
 * 15.15.3).
 */
#include "svm/svm.h"

#include "emul/decode.h"
#include "x86/cr.h"
#include "x86/seg.h"

static struct svm_seg *seg_at(struct svm_vmcb *vmcb, enum v3_seg reg)
{
	switch (reg) {
	case V3_SEG_ES:
		return &vmcb->es;
	case V3_SEG_CS:
		return &vmcb->cs;
	case V3_SEG_SS:
		return &vmcb->ss;
	case V3_SEG_DS:
		return &vmcb->ds;
	case V3_SEG_FS:
		return &vmcb->fs;
	case V3_SEG_GS:
		return &vmcb->gs;
	case V3_SEG_LDTR:
		return &vmcb->ldtr;
	case V3_SEG_TR:
	case V3_SEG_COUNT:
	default:
		return &vmcb->tr;
	}
}

static struct v3_segment seg_get(const struct svm_seg *seg)
{
	return (struct v3_segment){ seg->selector, seg->attrib, seg->limit, seg->base };
}

static void seg_set(struct svm_seg *seg, const struct v3_segment *from)
{
	seg->selector = from->selector;
	seg->attrib = from->attrib & V3_SEG_ATTR_MASK;
	seg->limit = from->limit;
	seg->base = from->base;
}

static void changed(struct v3_vcpu *vcpu, uint32_t what)
{
	svm_vcpu(vcpu)->vmcb->clean &= ~what;
}

void svm_get_segment(struct v3_vcpu *vcpu, enum v3_seg reg, struct v3_segment *seg)
{
	*seg = seg_get(seg_at(svm_vcpu(vcpu)->vmcb, reg));
}

void svm_get_state(struct v3_vcpu *vcpu, struct v3_vcpu_state *state)
{
	struct svm_vmcb *vmcb = svm_vcpu(vcpu)->vmcb;
	unsigned int i;

	for (i = 0; i < V3_SEG_COUNT; i++)
		state->seg[i] = seg_get(seg_at(vmcb, (enum v3_seg)i));
	state->gdtr = seg_get(&vmcb->gdtr);
	state->idtr = seg_get(&vmcb->idtr);
	state->cr0 = vmcb->cr0;
	state->cr2 = vmcb->cr2;
	state->cr3 = vmcb->cr3;
	state->cr4 = vmcb->cr4;
	state->efer = vmcb->efer & ~V3_EFER_SVME;
	state->dr6 = vmcb->dr6;
	state->dr7 = vmcb->dr7;
	state->star = vmcb->star;
	state->lstar = vmcb->lstar;
	state->cstar = vmcb->cstar;
	state->sfmask = vmcb->sfmask;
	state->kernel_gs_base = vmcb->kernel_gs_base;
	state->sysenter_cs = vmcb->sysenter_cs;
	state->sysenter_esp = vmcb->sysenter_esp;
	state->sysenter_eip = vmcb->sysenter_eip;
	state->pat = vmcb->g_pat;
}

void svm_set_state(struct v3_vcpu *vcpu, const struct v3_vcpu_state *state)
{
	struct svm_vcpu *svm = svm_vcpu(vcpu);
	struct svm_vmcb *vmcb = svm->vmcb;
	unsigned int i;

	for (i = 0; i < V3_SEG_COUNT; i++)
		seg_set(seg_at(vmcb, (enum v3_seg)i), &state->seg[i]);
	seg_set(&vmcb->gdtr, &state->gdtr);
	seg_set(&vmcb->idtr, &state->idtr);
	/* The privilege level is SS's, where the CPU keeps it too (APM2 4.8). */
	vmcb->cpl = state->cr0 & V3_CR0_PE ? V3_SEG_DPL(state->seg[V3_SEG_SS].attrib) : 0;
	vmcb->cr0 = state->cr0 | V3_CR0_ET;
	vmcb->cr2 = state->cr2;
	vmcb->cr3 = state->cr3;
	vmcb->cr4 = state->cr4;
	vmcb->efer = state->efer | V3_EFER_SVME;
	vmcb->dr6 = state->dr6;
	vmcb->dr7 = state->dr7;
	vmcb->star = state->star;
	vmcb->lstar = state->lstar;
	vmcb->cstar = state->cstar;
	vmcb->sfmask = state->sfmask;
	vmcb->kernel_gs_base = state->kernel_gs_base;
	vmcb->sysenter_cs = state->sysenter_cs;
	vmcb->sysenter_esp = state->sysenter_esp;
	vmcb->sysenter_eip = state->sysenter_eip;
	vmcb->g_pat = state->pat;
	vmcb->clean = 0;
	svm->flush = true;
}

/* On the exit path of everything that is emulated: no more than the walk and the decoder need. */
void svm_insn_env(struct v3_vcpu *vcpu, struct v3_insn_env *env)
{
	const struct svm_vmcb *vmcb = svm_vcpu(vcpu)->vmcb;

	env->walk.cr0 = vmcb->cr0;
	env->walk.cr3 = vmcb->cr3;
	env->walk.cr4 = vmcb->cr4;
	env->walk.efer = vmcb->efer;
	env->walk.rflags = vcpu->rflags;
	env->walk.user = vmcb->cpl == 3;
	env->walk.phys_bits = vcpu->vm->phys_bits;
	env->cs_base = vmcb->cs.base;
	env->cpl = vmcb->cpl;
	if (vmcb->efer & V3_EFER_LMA && vmcb->cs.attrib & V3_SEG_L)
		env->mode = V3_INSN_MODE_64;
	else
		env->mode = vmcb->cs.attrib & V3_SEG_DB ? V3_INSN_MODE_32 : V3_INSN_MODE_16;
}

uint64_t svm_get_cr(struct v3_vcpu *vcpu, unsigned int cr)
{
	const struct svm_vmcb *vmcb = svm_vcpu(vcpu)->vmcb;

	switch (cr) {
	case 0:
		return vmcb->cr0;
	case 2:
		return vmcb->cr2;
	case 3:
		return vmcb->cr3;
	case 4:
		return vmcb->cr4;
	default:
		return vcpu->cr8;
	}
}

void svm_set_cr(struct v3_vcpu *vcpu, unsigned int cr, uint64_t value)
{
	struct svm_vcpu *svm = svm_vcpu(vcpu);
	struct svm_vmcb *vmcb = svm->vmcb;

	switch (cr) {
	case 0:
		/* APM2 5.5.2: changes of PG, PE and WP need fresh translations. */
		if ((vmcb->cr0 ^ value) & (V3_CR0_PG | V3_CR0_PE | V3_CR0_WP))
			svm->flush = true;
		vmcb->cr0 = value;
		changed(vcpu, SVM_CLEAN_CR);
		break;
	case 2:
		vmcb->cr2 = value;
		changed(vcpu, SVM_CLEAN_CR2);
		break;
	case 3:
		vmcb->cr3 = value;
		svm->flush = true;
		changed(vcpu, SVM_CLEAN_CR);
		break;
	case 4:
		if ((vmcb->cr4 ^ value) & V3_CR4_TLB_FLUSH)
			svm->flush = true;
		vmcb->cr4 = value;
		changed(vcpu, SVM_CLEAN_CR);
		break;
	default:
		vcpu->cr8 = value & V3_CR8_TPR_MASK;
		break;
	}
}

uint64_t svm_get_efer(struct v3_vcpu *vcpu)
{
	return svm_vcpu(vcpu)->vmcb->efer & ~V3_EFER_SVME;
}

/* VMRUN demands SVME in the guest's EFER (APM2 15.5.1); the guest does not see it. */
void svm_set_efer(struct v3_vcpu *vcpu, uint64_t value)
{
	struct svm_vcpu *svm = svm_vcpu(vcpu);

	if ((svm->vmcb->efer ^ value) & (V3_EFER_NXE | V3_EFER_LME | V3_EFER_LMA))
		svm->flush = true;
	svm->vmcb->efer = value | V3_EFER_SVME;
	changed(vcpu, SVM_CLEAN_CR);
}

uint64_t svm_get_pat(struct v3_vcpu *vcpu)
{
	return svm_vcpu(vcpu)->vmcb->g_pat;
}

void svm_set_pat(struct v3_vcpu *vcpu, uint64_t value)
{
	svm_vcpu(vcpu)->vmcb->g_pat = value;
	svm_vcpu(vcpu)->flush = true;
	changed(vcpu, SVM_CLEAN_NP);
}

uint64_t svm_get_dr(struct v3_vcpu *vcpu, unsigned int dr)
{
	const struct svm_vmcb *vmcb = svm_vcpu(vcpu)->vmcb;

	return dr == 6 ? vmcb->dr6 : vmcb->dr7;
}

void svm_set_dr(struct v3_vcpu *vcpu, unsigned int dr, uint64_t value)
{
	struct svm_vmcb *vmcb = svm_vcpu(vcpu)->vmcb;

	if (dr == 6)
		vmcb->dr6 = value;
	else
		vmcb->dr7 = value;
	changed(vcpu, SVM_CLEAN_DR);
}
