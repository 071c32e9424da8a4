/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest state: in the VMCS while the vCPU uses a CPU, else in an image of the same fields, because
 * a VMCS can only be read where it is current. SDM vol. 3 25.4, 27.3.1.
 */
#include "vmx/vmx.h"

#include "emul/decode.h"
#include "lib/bits.h"
#include "x86/cr.h"
#include "x86/insn.h"
#include "x86/msr.h"
#include "x86/pte.h"
#include "x86/seg.h"

#define SEG_FIELDS(field) \
	field(0), field(1), field(2), field(3), field(4), field(5), field(6), field(7)

static const uint16_t image_fields[VMX_IMAGE_FIELDS] = {
	SEG_FIELDS(V3_VMCS_GUEST_SELECTOR), SEG_FIELDS(V3_VMCS_GUEST_LIMIT),
	SEG_FIELDS(V3_VMCS_GUEST_ACCESS), SEG_FIELDS(V3_VMCS_GUEST_BASE),
	V3_VMCS_GUEST_GDTR_LIMIT, V3_VMCS_GUEST_GDTR_BASE, V3_VMCS_GUEST_IDTR_LIMIT,
	V3_VMCS_GUEST_IDTR_BASE, V3_VMCS_GUEST_CR0, V3_VMCS_GUEST_CR3, V3_VMCS_GUEST_CR4,
	V3_VMCS_CR0_SHADOW, V3_VMCS_CR4_SHADOW, V3_VMCS_GUEST_DR7, V3_VMCS_GUEST_EFER,
	V3_VMCS_GUEST_PAT, V3_VMCS_GUEST_SYSENTER_CS, V3_VMCS_GUEST_SYSENTER_ESP,
	V3_VMCS_GUEST_SYSENTER_EIP, V3_VMCS_ENTRY_CTLS, V3_VMCS_GUEST_PENDING_DEBUG,
};

static unsigned int image_index(uint32_t field)
{
	unsigned int i = 0;

	while (i < VMX_IMAGE_FIELDS - 1 && image_fields[i] != field)
		i++;
	return i;
}

V3_NOINLINE uint64_t vmx_guest_read(const struct vmx_vcpu *vmx, uint32_t field)
{
	return vmx->loaded ? vmx_read(field) : vmx->image[image_index(field)];
}

V3_NOINLINE void vmx_guest_write(struct vmx_vcpu *vmx, uint32_t field, uint64_t value)
{
	if (vmx->loaded) {
		vmx_write(field, value);
		return;
	}
	vmx->image[image_index(field)] = value;
	vmx->image_changed = true;
}

void vmx_image_save(struct vmx_vcpu *vmx)
{
	unsigned int i;

	for (i = 0; i < VMX_IMAGE_FIELDS; i++)
		vmx->image[i] = vmx_read(image_fields[i]);
}

void vmx_image_restore(const struct vmx_vcpu *vmx)
{
	unsigned int i;

	for (i = 0; i < VMX_IMAGE_FIELDS; i++)
		vmx_write(image_fields[i], vmx->image[i]);
}

/* --- Segments --- */

static uint16_t attrib_of(uint32_t access)
{
	uint16_t attrib = (uint16_t)((access & 0xff) | (access >> 4 & 0xf00));

	return access & V3_VMX_SEG_UNUSABLE ? attrib & ~V3_SEG_P : attrib;
}

void vmx_get_segment(struct v3_vcpu *vcpu, enum v3_seg reg, struct v3_segment *seg)
{
	const struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	seg->selector = (uint16_t)vmx_guest_read(vmx, V3_VMCS_GUEST_SELECTOR(reg));
	seg->attrib = attrib_of((uint32_t)vmx_guest_read(vmx, V3_VMCS_GUEST_ACCESS(reg)));
	seg->limit = (uint32_t)vmx_guest_read(vmx, V3_VMCS_GUEST_LIMIT(reg));
	seg->base = vmx_guest_read(vmx, V3_VMCS_GUEST_BASE(reg));
}

/* Access rights as VM entry wants them (27.3.1.2) where a state need not be so exact. */
static uint32_t access_of(enum v3_seg reg, const struct v3_segment *seg)
{
	uint32_t attrib = seg->attrib & V3_SEG_ATTR_MASK;

	if (reg == V3_SEG_TR)
		attrib |= V3_SEG_P | 2;				/* busy */
	else if (reg != V3_SEG_LDTR)
		attrib |= V3_SEG_ACCESSED;
	if ((seg->limit & 0xfff) != 0xfff)
		attrib &= ~V3_SEG_G;
	else if (seg->limit >> 20)
		attrib |= V3_SEG_G;
	return (attrib & 0xff) | (attrib & 0xf00) << 4 |
	       (attrib & V3_SEG_P ? 0 : V3_VMX_SEG_UNUSABLE);
}

/* What a load of the register could not have had: AMD-V takes it, WRMSR and VM entry do not. */
static uint64_t canonical(uint64_t address)
{
	return (uint64_t)((int64_t)(address << 16) >> 16);
}

static void set_segment(struct vmx_vcpu *vmx, enum v3_seg reg, const struct v3_segment *seg)
{
	bool base_32 = reg <= V3_SEG_DS;

	vmx_guest_write(vmx, V3_VMCS_GUEST_SELECTOR(reg), seg->selector);
	vmx_guest_write(vmx, V3_VMCS_GUEST_ACCESS(reg), access_of(reg, seg));
	vmx_guest_write(vmx, V3_VMCS_GUEST_LIMIT(reg), seg->limit);
	vmx_guest_write(vmx, V3_VMCS_GUEST_BASE(reg),
			base_32 ? (uint32_t)seg->base : canonical(seg->base));
}

/* --- Control registers, EFER, PAT --- */

uint64_t vmx_get_cr(struct v3_vcpu *vcpu, unsigned int cr)
{
	const struct vmx_vcpu *vmx = vmx_vcpu(vcpu);
	uint64_t mask;

	switch (cr) {
	case 0:
		return (vmx_guest_read(vmx, V3_VMCS_GUEST_CR0) & ~VMX_CR0_OWNED) |
		       (vmx_guest_read(vmx, V3_VMCS_CR0_SHADOW) & VMX_CR0_OWNED) | V3_CR0_ET;
	case 2:
		return vmx->cr2;
	case 3:
		return vmx_guest_read(vmx, V3_VMCS_GUEST_CR3);
	case 4:
		mask = vmx_vm(vcpu->vm)->cr4_mask;
		return (vmx_guest_read(vmx, V3_VMCS_GUEST_CR4) & ~mask) |
		       (vmx_guest_read(vmx, V3_VMCS_CR4_SHADOW) & mask);
	default:
		return vcpu->cr8;
	}
}

static void set_cr0(struct v3_vcpu *vcpu, struct vmx_vcpu *vmx, uint64_t value)
{
	const uint64_t caching = V3_CR0_CD | V3_CR0_NW;	/* the CPU's caches are the host's */

	vmx_guest_write(vmx, V3_VMCS_GUEST_CR0,
			(value & ~caching) | vmx_host(vcpu->host)->caps.cr0_fixed0);
	vmx_guest_write(vmx, V3_VMCS_CR0_SHADOW, value);
}

static void set_cr4(struct v3_vcpu *vcpu, struct vmx_vcpu *vmx, uint64_t value)
{
	vmx_guest_write(vmx, V3_VMCS_GUEST_CR4, value | vmx_host(vcpu->host)->caps.cr4_fixed0);
	vmx_guest_write(vmx, V3_VMCS_CR4_SHADOW, value);
}

/*
 * The guest's own moves flush and load PDPTEs in the CPU; after one that was emulated it is done
 * for it.
 */
void vmx_set_cr(struct v3_vcpu *vcpu, unsigned int cr, uint64_t value)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	switch (cr) {
	case 0:
		if ((vmx_get_cr(vcpu, 0) ^ value) & (V3_CR0_PG | V3_CR0_PE | V3_CR0_WP))
			vmx->work |= VMX_WORK_VPID;
		set_cr0(vcpu, vmx, value);
		vmx->work |= VMX_WORK_PDPTE;
		break;
	case 2:
		vmx->cr2 = value;
		break;
	case 3:
		vmx_guest_write(vmx, V3_VMCS_GUEST_CR3, value);
		vmx->work |= VMX_WORK_VPID | VMX_WORK_PDPTE;
		break;
	case 4:
		if ((vmx_get_cr(vcpu, 4) ^ value) & V3_CR4_TLB_FLUSH)
			vmx->work |= VMX_WORK_VPID;
		set_cr4(vcpu, vmx, value);
		vmx->work |= VMX_WORK_PDPTE;
		break;
	default:
		vcpu->cr8 = value & V3_CR8_TPR_MASK;
		break;
	}
}

uint64_t vmx_get_efer(struct v3_vcpu *vcpu)
{
	return vmx_guest_read(vmx_vcpu(vcpu), V3_VMCS_GUEST_EFER);
}

/* VM entry wants the control for 64-bit mode to agree with LMA (27.3.1.1). */
static void set_efer(struct v3_vcpu *vcpu, struct vmx_vcpu *vmx, uint64_t value)
{
	uint32_t entry = vmx_host(vcpu->host)->caps.entry;

	vmx_guest_write(vmx, V3_VMCS_GUEST_EFER, value);
	vmx_guest_write(vmx, V3_VMCS_ENTRY_CTLS,
			value & V3_EFER_LMA ? entry | V3_VMX_ENTRY_CTL_IA32E : entry);
}

void vmx_set_efer(struct v3_vcpu *vcpu, uint64_t value)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	if ((vmx_get_efer(vcpu) ^ value) & (V3_EFER_NXE | V3_EFER_LME | V3_EFER_LMA))
		vmx->work |= VMX_WORK_VPID | VMX_WORK_PDPTE;
	set_efer(vcpu, vmx, value);
}

uint64_t vmx_get_pat(struct v3_vcpu *vcpu)
{
	return vmx_guest_read(vmx_vcpu(vcpu), V3_VMCS_GUEST_PAT);
}

void vmx_set_pat(struct v3_vcpu *vcpu, uint64_t value)
{
	vmx_guest_write(vmx_vcpu(vcpu), V3_VMCS_GUEST_PAT, value);
	vmx_vcpu(vcpu)->work |= VMX_WORK_VPID;
}

uint64_t vmx_get_dr(struct v3_vcpu *vcpu, unsigned int dr)
{
	return dr == 6 ? vmx_vcpu(vcpu)->dr6 : vmx_vcpu(vcpu)->dr7;
}

void vmx_set_dr(struct v3_vcpu *vcpu, unsigned int dr, uint64_t value)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	if (dr == 6) {
		vmx->dr6 = value;
		return;
	}
	vmx->dr7 = value;
	vmx_guest_write(vmx, V3_VMCS_GUEST_DR7, value);
}

/* What a PDPTE may have in PAE paging, table 4-8; VM entry refuses other bits. */
static uint64_t pdpte_checked(const struct v3_vm *vm, uint64_t pdpte)
{
	const uint64_t address = ((1ull << vm->phys_bits) - 1) & V3_PTE_ADDR_MASK;
	const uint64_t allowed = address | V3_PTE_P | V3_PTE_PWT | V3_PTE_PCD | 0xe00;

	return pdpte & V3_PTE_P && !(pdpte & ~allowed) ? pdpte : 0;
}

void vmx_pdptes_load(struct v3_vcpu *vcpu)
{
	const uint64_t *table;
	unsigned int i;

	if (!(vmx_read(V3_VMCS_GUEST_CR0) & V3_CR0_PG) ||
	    !(vmx_read(V3_VMCS_GUEST_CR4) & V3_CR4_PAE) ||
	    vmx_read(V3_VMCS_GUEST_EFER) & V3_EFER_LMA)
		return;
	table = v3_memory_ptr(vcpu->vm, vmx_read(V3_VMCS_GUEST_CR3) & V3_CR3_PAE_ADDR_MASK, 32);
	for (i = 0; i < 4; i++)
		vmx_write(V3_VMCS_GUEST_PDPTE(i), table ? pdpte_checked(vcpu->vm, table[i]) : 0);
}

/* --- All of it --- */

static uint64_t *msr_slot(struct v3_vcpu_state *state, unsigned int i)
{
	uint64_t *const slots[VMX_SWITCHED_MSRS] = {
		&state->star, &state->lstar, &state->cstar, &state->sfmask, &state->kernel_gs_base,
	};

	return slots[i];
}

static void get_table(const struct vmx_vcpu *vmx, uint32_t base, uint32_t limit,
		      struct v3_segment *seg)
{
	*seg = (struct v3_segment){ .base = vmx_guest_read(vmx, base),
				    .limit = (uint32_t)vmx_guest_read(vmx, limit) };
}

void vmx_get_state(struct v3_vcpu *vcpu, struct v3_vcpu_state *state)
{
	const struct vmx_vcpu *vmx = vmx_vcpu(vcpu);
	unsigned int i;

	for (i = 0; i < V3_SEG_COUNT; i++)
		vmx_get_segment(vcpu, (enum v3_seg)i, &state->seg[i]);
	get_table(vmx, V3_VMCS_GUEST_GDTR_BASE, V3_VMCS_GUEST_GDTR_LIMIT, &state->gdtr);
	get_table(vmx, V3_VMCS_GUEST_IDTR_BASE, V3_VMCS_GUEST_IDTR_LIMIT, &state->idtr);
	state->cr0 = vmx_get_cr(vcpu, 0);
	state->cr2 = vmx->cr2;
	state->cr3 = vmx_get_cr(vcpu, 3);
	state->cr4 = vmx_get_cr(vcpu, 4);
	state->efer = vmx_get_efer(vcpu);
	state->dr6 = vmx->dr6;
	state->dr7 = vmx->dr7;
	for (i = 0; i < VMX_SWITCHED_MSRS; i++)
		*msr_slot(state, i) = vmx->loaded ? v3_x86_rdmsr(vmx_switched_msrs[i])
						  : vmx->msrs[i];
	state->sysenter_cs = vmx_guest_read(vmx, V3_VMCS_GUEST_SYSENTER_CS);
	state->sysenter_esp = vmx_guest_read(vmx, V3_VMCS_GUEST_SYSENTER_ESP);
	state->sysenter_eip = vmx_guest_read(vmx, V3_VMCS_GUEST_SYSENTER_EIP);
	state->pat = vmx_get_pat(vcpu);
}

static void set_msr(struct vmx_vcpu *vmx, unsigned int i, uint64_t value)
{
	if (vmx_switched_msrs[i] == V3_MSR_SFMASK)
		value = (uint32_t)value;
	else if (vmx_switched_msrs[i] != V3_MSR_STAR)
		value = canonical(value);
	if (vmx->loaded)
		v3_x86_wrmsr(vmx_switched_msrs[i], value);
	else
		vmx->msrs[i] = value;
}

void vmx_set_state(struct v3_vcpu *vcpu, const struct v3_vcpu_state *state)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);
	struct v3_vcpu_state copy = *state;
	unsigned int i;

	for (i = 0; i < V3_SEG_COUNT; i++)
		set_segment(vmx, (enum v3_seg)i, &state->seg[i]);
	vmx_guest_write(vmx, V3_VMCS_GUEST_GDTR_BASE, canonical(state->gdtr.base));
	vmx_guest_write(vmx, V3_VMCS_GUEST_GDTR_LIMIT, state->gdtr.limit & 0xffff);
	vmx_guest_write(vmx, V3_VMCS_GUEST_IDTR_BASE, canonical(state->idtr.base));
	vmx_guest_write(vmx, V3_VMCS_GUEST_IDTR_LIMIT, state->idtr.limit & 0xffff);
	set_cr0(vcpu, vmx, state->cr0 | V3_CR0_ET);
	vmx_guest_write(vmx, V3_VMCS_GUEST_CR3, state->cr3);
	set_cr4(vcpu, vmx, state->cr4);
	set_efer(vcpu, vmx, state->efer);
	vmx->cr2 = state->cr2;
	vmx->dr6 = state->dr6;
	vmx_set_dr(vcpu, 7, state->dr7);
	for (i = 0; i < VMX_SWITCHED_MSRS; i++)
		set_msr(vmx, i, *msr_slot(&copy, i));
	vmx_guest_write(vmx, V3_VMCS_GUEST_SYSENTER_CS, (uint32_t)state->sysenter_cs);
	vmx_guest_write(vmx, V3_VMCS_GUEST_SYSENTER_ESP, canonical(state->sysenter_esp));
	vmx_guest_write(vmx, V3_VMCS_GUEST_SYSENTER_EIP, canonical(state->sysenter_eip));
	vmx_guest_write(vmx, V3_VMCS_GUEST_PAT, state->pat);
	/*
	 * A single step that was not taken is not the new state's. In a shadow one is pending, for
	 * which the entry looks at flags that have changed.
	 */
	vmx_guest_write(vmx, V3_VMCS_GUEST_PENDING_DEBUG, 0);
	vmx->rflags = 0;
	vmx->work |= VMX_WORK_VPID | VMX_WORK_PDPTE;
}

static inline uint64_t read_hot(const struct vmx_vcpu *vmx, uint32_t field)
{
	return __builtin_expect(vmx->loaded, 1) ? vmx_read(field) : vmx_guest_read(vmx, field);
}

/* On the exit path of everything that is emulated: no more than the walk and the decoder need. */
void vmx_insn_env(struct v3_vcpu *vcpu, struct v3_insn_env *env)
{
	const struct vmx_vcpu *vmx = vmx_vcpu(vcpu);
	uint32_t cs = (uint32_t)read_hot(vmx, V3_VMCS_GUEST_ACCESS(V3_SEG_CS));
	uint32_t ss = (uint32_t)read_hot(vmx, V3_VMCS_GUEST_ACCESS(V3_SEG_SS));

	/* As the CPU has them: no bit that the host owns matters to a walk. */
	env->walk.cr0 = read_hot(vmx, V3_VMCS_GUEST_CR0);
	env->walk.cr3 = read_hot(vmx, V3_VMCS_GUEST_CR3);
	env->walk.cr4 = read_hot(vmx, V3_VMCS_GUEST_CR4);
	env->walk.efer = read_hot(vmx, V3_VMCS_GUEST_EFER);
	env->walk.rflags = vcpu->rflags;
	env->walk.phys_bits = vcpu->vm->phys_bits;
	env->cs_base = read_hot(vmx, V3_VMCS_GUEST_BASE(V3_SEG_CS));
	/* The privilege level is SS's, also where SS is unusable (25.4.1). */
	env->cpl = V3_SEG_DPL(ss);
	env->walk.user = env->cpl == 3;
	if (env->walk.efer & V3_EFER_LMA && cs & V3_SEG_L << 4)
		env->mode = V3_INSN_MODE_64;
	else
		env->mode = cs & V3_SEG_DB << 4 ? V3_INSN_MODE_32 : V3_INSN_MODE_16;
}
