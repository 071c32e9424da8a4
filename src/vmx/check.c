/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which state of a guest VM entry takes, SDM vol. 3 27.3.1: without unrestricted guest to know what
 * has to be emulated, and to say what was wrong, as the CPU does not tell.
 */
#include "vmx/vmx.h"

#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/seg.h"

static bool limit_ok(const struct v3_segment *seg)
{
	return seg->attrib & V3_SEG_G ? (seg->limit & 0xfff) == 0xfff : !(seg->limit >> 20);
}

static unsigned int rpl(const struct v3_segment *seg)
{
	return seg->selector & V3_SEL_RPL_MASK;
}

static const char *vm86_refuses(const struct v3_segment *seg)
{
	const uint16_t attrib = V3_SEG_ATTR_DATA16 | V3_SEG_DPL_MASK;
	unsigned int i;

	for (i = 0; i < 6; i++)
		if (seg[i].base != (uint64_t)seg[i].selector << 4 || seg[i].limit != 0xffff ||
		    seg[i].attrib != attrib)
			return "a segment in virtual-8086 mode";
	return NULL;
}

/* A CS of real mode, of which unrestricted guest takes all. */
static bool is_data(const struct v3_segment *cs)
{
	const uint16_t data = V3_SEG_P | V3_SEG_S | V3_SEG_WRITABLE | V3_SEG_ACCESSED;

	return (cs->attrib & (data | V3_SEG_CODE | V3_SEG_EXPAND_DOWN)) == data;
}

static const char *cs_refused(const struct v3_segment *cs, const struct v3_segment *ss,
			      bool long_mode, bool unrestricted)
{
	const uint16_t code = V3_SEG_S | V3_SEG_CODE | V3_SEG_ACCESSED, both = V3_SEG_L | V3_SEG_DB;
	bool conforming = cs->attrib & V3_SEG_CONFORMING;

	if (unrestricted && is_data(cs)) {
		if (V3_SEG_DPL(cs->attrib))
			return "privilege level of CS";
		return limit_ok(cs) ? NULL : "limit of CS";
	}
	if (!(cs->attrib & V3_SEG_P) || (cs->attrib & code) != code)
		return "CS is no code segment";
	if (conforming ? V3_SEG_DPL(cs->attrib) > V3_SEG_DPL(ss->attrib)
		       : V3_SEG_DPL(cs->attrib) != V3_SEG_DPL(ss->attrib))
		return "privilege level of CS";
	if (long_mode && (cs->attrib & both) == both)
		return "CS of 64 and of 32 bits";
	return limit_ok(cs) ? NULL : "limit of CS";
}

static const char *ss_refused(const struct v3_segment *ss, const struct v3_segment *cs, bool pe,
			      bool unrestricted)
{
	const uint16_t need = V3_SEG_S | V3_SEG_WRITABLE | V3_SEG_ACCESSED;
	unsigned int dpl = V3_SEG_DPL(ss->attrib);

	if (!unrestricted && rpl(ss) != rpl(cs))
		return "RPL of SS";
	if (unrestricted ? dpl && (!pe || is_data(cs)) : dpl != rpl(ss))
		return "privilege level of SS";
	if (!(ss->attrib & V3_SEG_P))
		return NULL;
	if ((ss->attrib & (need | V3_SEG_CODE)) != need)
		return "SS cannot be written";
	return limit_ok(ss) ? NULL : "limit of SS";
}

/* DS, ES, FS, GS */
static const char *data_refused(const struct v3_segment *seg, bool unrestricted)
{
	const uint16_t conforming = V3_SEG_CODE | V3_SEG_CONFORMING;

	if (!(seg->attrib & V3_SEG_P))
		return NULL;
	if (!(seg->attrib & V3_SEG_S) || !(seg->attrib & V3_SEG_ACCESSED) ||
	    (seg->attrib & V3_SEG_CODE && !(seg->attrib & V3_SEG_READABLE)))
		return "type of a data segment";
	if (!unrestricted && (seg->attrib & conforming) != conforming &&
	    V3_SEG_DPL(seg->attrib) < rpl(seg))
		return "privilege level of a data segment";
	return limit_ok(seg) ? NULL : "limit of a data segment";
}

static const char *system_refused(const struct v3_vcpu_state *state, bool long_mode)
{
	const struct v3_segment *tr = &state->seg[V3_SEG_TR], *ldtr = &state->seg[V3_SEG_LDTR];
	unsigned int type = tr->attrib & V3_SEG_TYPE_MASK;

	if (!(tr->attrib & V3_SEG_P) || tr->attrib & V3_SEG_S || tr->selector & V3_SEL_TI ||
	    (type != V3_SEG_TYPE_TSS_BUSY && (long_mode || type != V3_SEG_TYPE_TSS16_BUSY)) ||
	    !limit_ok(tr))
		return "TR";
	if (ldtr->attrib & V3_SEG_P &&
	    (ldtr->attrib & V3_SEG_S || ldtr->selector & V3_SEL_TI ||
	     (ldtr->attrib & V3_SEG_TYPE_MASK) != V3_SEG_TYPE_LDT || !limit_ok(ldtr)))
		return "LDTR";
	return NULL;
}

const char *vmx_not_enterable(const struct v3_vcpu_state *state, uint64_t rflags,
			      bool unrestricted)
{
	const struct v3_segment *cs = &state->seg[V3_SEG_CS], *ss = &state->seg[V3_SEG_SS];
	bool long_mode = state->efer & V3_EFER_LMA, pe = state->cr0 & V3_CR0_PE;
	const char *why;
	unsigned int i;

	if (!pe && !unrestricted)
		return "real mode";
	if (rflags & V3_RFLAGS_VM) {
		if (long_mode || !pe)
			return "virtual-8086 mode in long mode or in real mode";
		why = vm86_refuses(state->seg);
		return why ? why : system_refused(state, long_mode);
	}
	why = cs_refused(cs, ss, long_mode, unrestricted);
	if (!why)
		why = ss_refused(ss, cs, pe, unrestricted);
	for (i = 0; i < 6 && !why; i++)
		if (i != V3_SEG_CS && i != V3_SEG_SS)
			why = data_refused(&state->seg[i], unrestricted);
	return why ? why : system_refused(state, long_mode);
}

/* Control registers and what goes with them (27.3.1.1): only what state of ours can be wrong in. */
static const char *control_refused(const struct v3_vcpu *vcpu, const struct v3_vcpu_state *state)
{
	bool pg = state->cr0 & V3_CR0_PG, long_mode = state->efer & V3_EFER_LMA;

	if (pg && !(state->cr0 & V3_CR0_PE))
		return "CR0.PG without CR0.PE";
	if (state->cr4 & ~vmx_host(vcpu->host)->caps.cr4_fixed1)
		return "a bit of CR4 that it lacks";
	if (long_mode && !(pg && state->cr4 & V3_CR4_PAE))
		return "long mode without paging or CR4.PAE";
	if (!long_mode && state->cr4 & V3_CR4_PCIDE)
		return "CR4.PCIDE outside of long mode";
	if (pg && long_mode != !!(state->efer & V3_EFER_LME))
		return "EFER.LMA and EFER.LME";
	if (state->cr3 >> vcpu->vm->phys_bits)
		return "CR3";
	if (state->dr7 >> 32)
		return "DR7";
	return v3_pat_valid(state->pat) ? NULL : "IA32_PAT";
}

const char *vmx_state_refused(const struct v3_vcpu *vcpu, const struct v3_vcpu_state *state,
			      uint64_t rflags, uint64_t rip)
{
	bool bits_64 = state->efer & V3_EFER_LMA && state->seg[V3_SEG_CS].attrib & V3_SEG_L;
	const char *why = control_refused(vcpu, state);

	if (!why)
		why = vmx_not_enterable(state, rflags, vmx_host(vcpu->host)->caps.unrestricted);
	if (why)
		return why;
	/* 27.3.1.4: it may be one past the lower half of addresses, too. */
	if (bits_64 ? rip >> 48 && rip >> 48 != 0xffff : rip >> 32 != 0)
		return "RIP";
	return NULL;
}

const char *vmx_entry_why(struct v3_vcpu *vcpu, uint32_t reason, uint64_t qual)
{
	struct v3_vcpu_state state;

	if ((reason & V3_VMX_REASON_MASK) != V3_VMX_REASON_ENTRY_STATE || qual)
		return NULL;
	vcpu->vm->arch->get_state(vcpu, &state);
	return vmx_state_refused(vcpu, &state, vcpu->rflags, vcpu->rip);
}
