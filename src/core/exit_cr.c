/* SPDX-License-Identifier: BSD-2-Clause */
/* Control and debug registers, XSETBV. Checks are those of APM2 3.1, 13.1 and 11.5. */
#include "core/vm.h"

#include "emul/decode.h"
#include "x86/cr.h"
#include "x86/excp.h"
#include "x86/insn.h"
#include "x86/seg.h"

/* --- CR0, CR4 --- */

static bool cr0_valid(struct v3_vcpu *vcpu, uint64_t value)
{
	const struct v3_arch_ops *arch = vcpu->vm->arch;
	uint64_t old = arch->get_cr(vcpu, 0), efer = arch->get_efer(vcpu);
	struct v3_segment cs;

	if (value >> 32 || (value & V3_CR0_PG && !(value & V3_CR0_PE)) ||
	    (value & V3_CR0_NW && !(value & V3_CR0_CD)))
		return false;
	if (!((old ^ value) & V3_CR0_PG) || !(efer & V3_EFER_LME))
		return true;
	/*
	 * Into long mode, and out of it: not from 64-bit code, nor with PCIDs (APM2 14.6.1; SDM 3A
	 * 2.5).
	 */
	arch->get_segment(vcpu, V3_SEG_CS, &cs);
	if (cs.attrib & V3_SEG_L)
		return false;
	if (value & V3_CR0_PG)
		return arch->get_cr(vcpu, 4) & V3_CR4_PAE;
	return !(arch->get_cr(vcpu, 4) & V3_CR4_PCIDE);
}

static void cr0_write(struct v3_vcpu *vcpu, uint64_t value)
{
	const struct v3_arch_ops *arch = vcpu->vm->arch;
	uint64_t old = arch->get_cr(vcpu, 0), efer = arch->get_efer(vcpu);

	value = (value & V3_CR0_DEFINED) | V3_CR0_ET;
	if ((old ^ value) & V3_CR0_PG && efer & V3_EFER_LME)
		arch->set_efer(vcpu, value & V3_CR0_PG ? efer | V3_EFER_LMA : efer & ~V3_EFER_LMA);
	arch->set_cr(vcpu, 0, value);
}

/* Legacy paging takes what it needs of 32 bits. */
static bool cr3_valid(struct v3_vcpu *vcpu, uint64_t *value)
{
	if (!(vcpu->vm->arch->get_efer(vcpu) & V3_EFER_LMA))
		return true;
	if (vcpu->vm->arch->get_cr(vcpu, 4) & V3_CR4_PCIDE)
		*value &= ~V3_CR3_NOFLUSH;
	return !(*value >> vcpu->vm->phys_bits);
}

static bool cr4_valid(struct v3_vcpu *vcpu, uint64_t value)
{
	uint64_t old = vcpu->vm->arch->get_cr(vcpu, 4);

	if (value & ~vcpu->vm->cpu.cr4_mask)
		return false;
	if (vcpu->vm->arch->get_efer(vcpu) & V3_EFER_LMA) {
		if (!(value & V3_CR4_PAE))
			return false;
	} else if (value & V3_CR4_PCIDE) {
		return false;
	}
	/* Setting PCIDE needs CR3[11:0] = 0 (SDM 3A 4.10.1). */
	return !(value & ~old & V3_CR4_PCIDE) || !(vcpu->vm->arch->get_cr(vcpu, 3) & 0xfff);
}

/* --- Moves --- */

struct cr_insn {
	uint8_t cr, gpr, length;
	bool write, lmsw, clts, smsw_reg;
	uint8_t opsize;
};

/*
 * The instruction at RIP, if it is one that reads or writes CRs. MOV takes its register from
 * ModRM.rm whatever mod says. That LOCK makes CR0 mean CR8 (APM3 MOV CRn) is not offered to guests.
 */
static bool cr_insn_decode(const struct v3_insn *insn, struct cr_insn *cr)
{
	*cr = (struct cr_insn){ .length = insn->length, .opsize = insn->opsize };
	if (insn->map != V3_MAP_0F)
		return false;
	if (insn->opcode == 0x20 || insn->opcode == 0x22) {
		cr->cr = insn->reg;
		cr->gpr = insn->rm;
		cr->write = insn->opcode == 0x22;
		return true;
	}
	if (insn->opcode == 0x06) {
		cr->clts = cr->write = true;
		return true;
	}
	if (insn->opcode == 0x01 && (insn->reg & 7) == 6 && insn->mod == 3) {
		cr->lmsw = cr->write = true;
		cr->gpr = insn->rm;
		return true;
	}
	if (insn->opcode == 0x01 && (insn->reg & 7) == 4 && insn->mod == 3) {
		cr->smsw_reg = true;
		cr->gpr = insn->rm;
		return true;
	}
	return false;
}

static uint64_t gpr_read(const struct v3_vcpu *vcpu, unsigned int reg, bool mode64)
{
	return mode64 ? vcpu->gpr[reg] : (uint32_t)vcpu->gpr[reg];
}

static uint64_t cr_new_value(struct v3_vcpu *vcpu, const struct cr_insn *cr, bool mode64)
{
	uint64_t cr0 = vcpu->vm->arch->get_cr(vcpu, 0);

	if (cr->clts)
		return cr0 & ~V3_CR0_TS;
	if (cr->lmsw) /* can set PE, not clear it */
		return (cr0 & ~(V3_CR0_LMSW_MASK & ~V3_CR0_PE)) |
		       (vcpu->gpr[cr->gpr] & V3_CR0_LMSW_MASK);
	return gpr_read(vcpu, cr->gpr, mode64);
}

static bool cr_write(struct v3_vcpu *vcpu, unsigned int cr, uint64_t value)
{
	switch (cr) {
	case 0:
		if (!cr0_valid(vcpu, value))
			return false;
		cr0_write(vcpu, value);
		return true;
	case 2:
		vcpu->vm->arch->set_cr(vcpu, 2, value);
		return true;
	case 3:
		if (!cr3_valid(vcpu, &value))
			return false;
		vcpu->vm->arch->set_cr(vcpu, 3, value);
		return true;
	case 4:
		if (!cr4_valid(vcpu, value))
			return false;
		vcpu->vm->arch->set_cr(vcpu, 4, value);
		return true;
	case 8:
		if (value & ~V3_CR8_TPR_MASK)
			return false;
		/*
		 * Told at once: what waits behind the old priority is looked at before the next
		 * entry.
		 */
		vcpu->cr8 = vcpu->cr8_seen = (uint8_t)value;
		vcpu->vm->intc->tpr_set(vcpu, vcpu->vm->intc_ctx, vcpu->cr8);
		vcpu->inject_work = true;
		return true;
	default:
		return false;
	}
}

static void cr_read(struct v3_vcpu *vcpu, const struct cr_insn *cr, bool mode64)
{
	uint64_t value = cr->cr == 8 ? vcpu->cr8 : vcpu->vm->arch->get_cr(vcpu, cr->cr);
	uint64_t *gpr = &vcpu->gpr[cr->gpr];

	if (cr->smsw_reg && cr->opsize == 2)
		*gpr = (*gpr & ~0xffffull) | (value & 0xffff);
	else
		*gpr = mode64 ? value : (uint32_t)value;
}

void v3_exit_cr(struct v3_vcpu *vcpu, const struct v3_exit *exit)
{
	struct v3_insn_env env;
	struct v3_insn insn;
	struct cr_insn cr;
	uint8_t bytes[V3_INSN_BUFFER];
	bool mode64;

	(void)exit;
	vcpu->vm->arch->insn_env(vcpu, &env);
	if (!v3_insn_get(vcpu, &env, &insn, bytes))
		return;
	if (!cr_insn_decode(&insn, &cr)) {
		v3_vm_end(vcpu->vm, V3_END_CRASH, 0,
			  "vCPU %u: no emulation for this form of access to CR%u, RIP 0x%llx",
			  vcpu->index, exit->cr.cr, (unsigned long long)vcpu->rip);
		return;
	}
	mode64 = env.mode == V3_INSN_MODE_64;
	if (!cr.write)
		cr_read(vcpu, &cr, mode64);
	else if (!cr_write(vcpu, cr.cr, cr_new_value(vcpu, &cr, mode64))) {
		v3_vcpu_gp(vcpu);
		return;
	}
	v3_vcpu_skip(vcpu, cr.length);
}

/* --- Debug registers --- */

static uint64_t dr_read(struct v3_vcpu *vcpu, unsigned int dr)
{
	return dr < 4 ? vcpu->dr[dr] : vcpu->vm->arch->get_dr(vcpu, dr);
}

static bool dr_write(struct v3_vcpu *vcpu, unsigned int dr, uint64_t value)
{
	if (dr < 4) {
		vcpu->dr[dr] = value;
		return true;
	}
	if (value >> 32)
		return false;
	if (dr == 6)
		value = (value & 0x1e00f) | V3_DR6_RESET;
	else
		value = (value & ~0xd000ull) | V3_DR7_RESET;
	vcpu->vm->arch->set_dr(vcpu, dr, value);
	return true;
}

/*
 * Every access exits, so that DR0-3 are only loaded when a guest enables a breakpoint: the back
 * end does that on entry while DR7 has one enabled.
 */
void v3_exit_dr(struct v3_vcpu *vcpu, const struct v3_exit *exit)
{
	const struct v3_arch_ops *arch = vcpu->vm->arch;
	struct v3_insn_env env;
	struct v3_insn insn;
	uint8_t bytes[V3_INSN_BUFFER];
	unsigned int dr;

	(void)exit;
	arch->insn_env(vcpu, &env);
	if (!v3_insn_get(vcpu, &env, &insn, bytes))
		return;
	/*
	 * Another vCPU may have put something else here since: the guest executes that one itself.
	 */
	if (insn.map != V3_MAP_0F || (insn.opcode != 0x21 && insn.opcode != 0x23))
		return;
	dr = insn.reg;
	if (dr > 7 || ((dr == 4 || dr == 5) && arch->get_cr(vcpu, 4) & V3_CR4_DE)) {
		v3_vcpu_ud(vcpu);
		return;
	}
	if (arch->get_dr(vcpu, 7) & V3_DR7_GD) {
		arch->set_dr(vcpu, 7, arch->get_dr(vcpu, 7) & ~V3_DR7_GD);
		arch->set_dr(vcpu, 6, arch->get_dr(vcpu, 6) | V3_DR6_BD);
		v3_vcpu_exception(vcpu, V3_EXCP_DB, false, 0);
		return;
	}
	if (dr == 4 || dr == 5)
		dr += 2;
	if (insn.opcode == 0x21) {
		vcpu->gpr[insn.rm] = dr_read(vcpu, dr);
	} else if (!dr_write(vcpu, dr, gpr_read(vcpu, insn.rm, env.mode == V3_INSN_MODE_64))) {
		v3_vcpu_gp(vcpu);
		return;
	}
	v3_vcpu_skip(vcpu, insn.length);
}

/* --- XSETBV --- */

void v3_exit_xsetbv(struct v3_vcpu *vcpu, const struct v3_exit *exit)
{
	uint64_t value = vcpu->gpr[2] << 32 | (uint32_t)vcpu->gpr[0];
	uint64_t supported = vcpu->vm->cpu.xcr0;
	struct v3_insn_env env;

	if (!supported || !(vcpu->vm->arch->get_cr(vcpu, 4) & V3_CR4_OSXSAVE)) {
		v3_vcpu_ud(vcpu);
		return;
	}
	/* Not every CPU looks at the privilege level before it exits. */
	vcpu->vm->arch->insn_env(vcpu, &env);
	if (env.cpl || (uint32_t)vcpu->gpr[1] != 0 || !v3_xcr0_valid(value, supported)) {
		v3_vcpu_gp(vcpu);
		return;
	}
	if (!v3_vcpu_skip(vcpu, exit->insn_len ? exit->insn_len : 3))
		return;
	/* The section's XCR0 is live: v3_fpu_put() compares with the host's. */
	vcpu->xcr0 = value;
	v3_x86_xsetbv(0, value);
}
