/* SPDX-License-Identifier: BSD-2-Clause */
/* What VM entry checks of guest state, SDM vol. 3 27.3.1. */
#include "fakes/fake_vmx_state.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/pte.h"
#include "x86/vmcs.h"
#include "x86/vmx.h"

/* Segments in the order of the VMCS, and parts of their access rights */
enum { ES, CS, SS, DS, FS, GS, LDTR, TR };
#define AR_TYPE(ar)	((ar) & 15)
#define AR_S		(1u << 4)
#define AR_DPL(ar)	((ar) >> 5 & 3)
#define AR_P		(1u << 7)
#define AR_L		(1u << 13)
#define AR_D		(1u << 14)
#define AR_G		(1u << 15)

struct guest {
	const struct fake_vmcs *vmcs;
	uint64_t cr0, cr4, rflags, entry;
	bool unrestricted, ept, vm86, long_mode;
};

static uint64_t get(const struct guest *g, uint32_t field)
{
	return fake_vmcs_read(g->vmcs, field);
}

static struct guest guest_of(const struct fake_vmcs *vmcs)
{
	struct guest g = { .vmcs = vmcs };
	uint64_t proc2 = fake_vmcs_read(vmcs, V3_VMCS_PROC_CTLS) & V3_VMX_PROC_SECONDARY ?
			 fake_vmcs_read(vmcs, V3_VMCS_PROC_CTLS2) : 0;

	g.cr0 = get(&g, V3_VMCS_GUEST_CR0);
	g.cr4 = get(&g, V3_VMCS_GUEST_CR4);
	g.rflags = get(&g, V3_VMCS_GUEST_RFLAGS);
	g.entry = get(&g, V3_VMCS_ENTRY_CTLS);
	g.unrestricted = proc2 & V3_VMX_PROC2_UNRESTRICTED;
	g.ept = proc2 & V3_VMX_PROC2_EPT;
	g.vm86 = g.rflags & V3_RFLAGS_VM;
	g.long_mode = g.entry & V3_VMX_ENTRY_CTL_IA32E;
	return g;
}

static const char *check_cr(const struct guest *g)
{
	uint64_t fixed0 = fake_vmx_msr(V3_MSR_VMX_CR0_FIXED0), efer;

	if (g->unrestricted)
		fixed0 &= ~(V3_CR0_PE | V3_CR0_PG);
	if (~g->cr0 & fixed0 || g->cr0 & ~fake_vmx_msr(V3_MSR_VMX_CR0_FIXED1) ||
	    (g->cr0 & V3_CR0_PG && !(g->cr0 & V3_CR0_PE)))
		return "guest CR0";
	if (~g->cr4 & fake_vmx_msr(V3_MSR_VMX_CR4_FIXED0) ||
	    g->cr4 & ~fake_vmx_msr(V3_MSR_VMX_CR4_FIXED1))
		return "guest CR4";
	if (g->long_mode && (!(g->cr0 & V3_CR0_PG) || !(g->cr4 & V3_CR4_PAE)))
		return "IA-32e mode without paging or PAE";
	if (!g->long_mode && g->cr4 & V3_CR4_PCIDE)
		return "CR4.PCIDE outside of IA-32e mode";
	if (!fake_vmx_address_ok(get(g, V3_VMCS_GUEST_CR3) & ~0xfffULL, V3_PAGE_SIZE))
		return "guest CR3";
	if (g->entry & V3_VMX_ENTRY_CTL_LOAD_DEBUG && get(g, V3_VMCS_GUEST_DR7) >> 32)
		return "guest DR7";
	if (!v3_is_canonical(get(g, V3_VMCS_GUEST_SYSENTER_ESP), 48) ||
	    !v3_is_canonical(get(g, V3_VMCS_GUEST_SYSENTER_EIP), 48))
		return "guest SYSENTER";
	if (g->entry & V3_VMX_ENTRY_CTL_LOAD_PAT && !fake_vmx_pat_ok(get(g, V3_VMCS_GUEST_PAT)))
		return "guest PAT";
	if (!(g->entry & V3_VMX_ENTRY_CTL_LOAD_EFER))
		return NULL;
	efer = get(g, V3_VMCS_GUEST_EFER);
	if (efer & ~(V3_EFER_SCE | V3_EFER_LME | V3_EFER_LMA | V3_EFER_NXE) ||
	    !(efer & V3_EFER_LMA) != !g->long_mode ||
	    (g->cr0 & V3_CR0_PG && !(efer & V3_EFER_LMA) != !(efer & V3_EFER_LME)))
		return "guest EFER";
	return NULL;
}

/* Granularity has to agree with the limit. */
static bool limit_ok(uint64_t limit, uint64_t ar)
{
	return !((ar & AR_G && (limit & 0xfff) != 0xfff) || (!(ar & AR_G) && limit >> 20));
}

static const char *check_vm86_segment(const struct guest *g, unsigned int i)
{
	if (get(g, V3_VMCS_GUEST_BASE(i)) != get(g, V3_VMCS_GUEST_SELECTOR(i)) << 4 ||
	    get(g, V3_VMCS_GUEST_LIMIT(i)) != 0xffff || get(g, V3_VMCS_GUEST_ACCESS(i)) != 0xf3)
		return "a segment in virtual-8086 mode";
	return NULL;
}

static const char *check_cs(const struct guest *g, uint64_t ar)
{
	unsigned int type = AR_TYPE(ar), ss_dpl = AR_DPL(get(g, V3_VMCS_GUEST_ACCESS(SS)));

	if (ar & V3_VMX_SEG_UNUSABLE)
		return "CS is unusable";
	if (type == 3)
		return g->unrestricted && AR_DPL(ar) == 0 ? NULL : "data segment in CS";
	if (type != 9 && type != 11 && type != 13 && type != 15)
		return "type of CS";
	if (type < 12 ? AR_DPL(ar) != ss_dpl : AR_DPL(ar) > ss_dpl)
		return "DPL of CS";
	if (g->long_mode && ar & AR_L && ar & AR_D)
		return "CS with L and D";
	return NULL;
}

static const char *check_ss_dpl(const struct guest *g, uint64_t ar)
{
	bool real = !(g->cr0 & V3_CR0_PE) || AR_TYPE(get(g, V3_VMCS_GUEST_ACCESS(CS))) == 3;

	if (!g->unrestricted && AR_DPL(ar) != (get(g, V3_VMCS_GUEST_SELECTOR(SS)) & 3))
		return "DPL of SS";
	return real && AR_DPL(ar) ? "DPL of SS with CS or CR0 of real mode" : NULL;
}

static const char *check_segment(const struct guest *g, unsigned int i)
{
	uint64_t ar = get(g, V3_VMCS_GUEST_ACCESS(i)), type = AR_TYPE(ar);
	const char *wrong = i == CS ? check_cs(g, ar) : NULL;

	/* Whether it can be used or not. */
	if (!wrong && i == SS)
		wrong = check_ss_dpl(g, ar);
	if (wrong || ar & V3_VMX_SEG_UNUSABLE)
		return wrong;
	if (i == SS && type != 3 && type != 7)
		return "type of SS";
	/* 27.3.1.2: up to conforming code. */
	if (i != CS && i != SS && !g->unrestricted && type < 12 &&
	    AR_DPL(ar) < (get(g, V3_VMCS_GUEST_SELECTOR(i)) & 3))
		return "DPL of a data segment";
	if (i != CS && i != SS && (!(type & 1) || (type & 8 && !(type & 2))))
		return "type of a data segment";
	if (!(ar & AR_S) || !(ar & AR_P) || ar & 0xfffe0f00)
		return "access rights of a segment";
	if (!limit_ok(get(g, V3_VMCS_GUEST_LIMIT(i)), ar))
		return "limit of a segment";
	if ((i == FS || i == GS) ? !v3_is_canonical(get(g, V3_VMCS_GUEST_BASE(i)), 48) :
				   get(g, V3_VMCS_GUEST_BASE(i)) >> 32 != 0)
		return "base of a segment";
	return NULL;
}

static const char *check_system_segments(const struct guest *g)
{
	uint64_t tr = get(g, V3_VMCS_GUEST_ACCESS(TR)), ldtr = get(g, V3_VMCS_GUEST_ACCESS(LDTR));

	if (tr & V3_VMX_SEG_UNUSABLE || get(g, V3_VMCS_GUEST_SELECTOR(TR)) & 4 || tr & AR_S ||
	    !(tr & AR_P) || !v3_is_canonical(get(g, V3_VMCS_GUEST_BASE(TR)), 48) ||
	    (AR_TYPE(tr) != 11 && (g->long_mode || AR_TYPE(tr) != 3)) ||
	    !limit_ok(get(g, V3_VMCS_GUEST_LIMIT(TR)), tr))
		return "TR";
	if (!(ldtr & V3_VMX_SEG_UNUSABLE) &&
	    (get(g, V3_VMCS_GUEST_SELECTOR(LDTR)) & 4 || AR_TYPE(ldtr) != 2 || ldtr & AR_S ||
	     !(ldtr & AR_P) || !v3_is_canonical(get(g, V3_VMCS_GUEST_BASE(LDTR)), 48) ||
	     !limit_ok(get(g, V3_VMCS_GUEST_LIMIT(LDTR)), ldtr)))
		return "LDTR";
	if (get(g, V3_VMCS_GUEST_GDTR_LIMIT) >> 16 || get(g, V3_VMCS_GUEST_IDTR_LIMIT) >> 16 ||
	    !v3_is_canonical(get(g, V3_VMCS_GUEST_GDTR_BASE), 48) ||
	    !v3_is_canonical(get(g, V3_VMCS_GUEST_IDTR_BASE), 48))
		return "GDTR or IDTR";
	return NULL;
}

static const char *check_segments(const struct guest *g)
{
	const char *wrong = NULL;

	if (!g->vm86 && !g->unrestricted &&
	    (get(g, V3_VMCS_GUEST_SELECTOR(SS)) ^ get(g, V3_VMCS_GUEST_SELECTOR(CS))) & 3)
		return "RPL of SS";

	for (unsigned int i = ES; i <= GS && !wrong; i++)
		wrong = g->vm86 ? check_vm86_segment(g, i) : check_segment(g, i);
	return wrong ? wrong : check_system_segments(g);
}

static const char *check_rip_rflags(const struct guest *g)
{
	const uint64_t reserved = 1ULL << 3 | 1ULL << 5 | 1ULL << 15 | ~0ULL << 22;
	uint64_t event = get(g, V3_VMCS_ENTRY_EVENT), rip = get(g, V3_VMCS_GUEST_RIP);

	if (g->rflags & reserved || !(g->rflags & V3_RFLAGS_FIXED1))
		return "guest RFLAGS";
	if (g->vm86 && (g->long_mode || !(g->cr0 & V3_CR0_PE)))
		return "guest RFLAGS.VM";
	/* Not canonical: it may be one past the lower half of addresses. */
	if (g->long_mode && get(g, V3_VMCS_GUEST_ACCESS(CS)) & AR_L ?
	    rip >> 48 && rip >> 48 != 0xffff : rip >> 32 != 0)
		return "guest RIP";
	if (event & V3_VMX_EVENT_VALID && !(g->rflags & V3_RFLAGS_IF) &&
	    !(event >> V3_VMX_EVENT_TYPE_SHIFT & V3_VMX_EVENT_TYPE_MASK))
		return "external interrupt with RFLAGS.IF clear";
	return NULL;
}

/* A single-step trap that the shadow holds back is pending there, and no other is (27.3.1.5). */
static const char *check_pending_debug(const struct guest *g, bool shadow)
{
	const uint64_t known = 0xf | 1ULL << 12 | V3_VMX_PENDING_BS | 1ULL << 16;
	uint64_t pending = get(g, V3_VMCS_GUEST_PENDING_DEBUG);

	if (pending & ~known)
		return "reserved bits of pending debug exceptions";
	if (shadow && !(pending & V3_VMX_PENDING_BS) != !(g->rflags & V3_RFLAGS_TF))
		return "pending debug exceptions";
	return NULL;
}

static const char *check_other(const struct guest *g)
{
	uint64_t blocks = get(g, V3_VMCS_GUEST_INTERRUPTIBILITY);
	uint64_t event = get(g, V3_VMCS_ENTRY_EVENT);
	unsigned int type = (unsigned int)event >> V3_VMX_EVENT_TYPE_SHIFT & V3_VMX_EVENT_TYPE_MASK;
	const uint64_t shadow = V3_VMX_BLOCK_STI | V3_VMX_BLOCK_MOV_SS;

	if (get(g, V3_VMCS_GUEST_ACTIVITY) > 3 ||
	    (get(g, V3_VMCS_GUEST_ACTIVITY) && blocks & shadow))
		return "activity state";
	if (blocks & ~0xfULL || (blocks & shadow) == shadow || blocks & V3_VMX_BLOCK_SMI ||
	    (blocks & V3_VMX_BLOCK_STI && !(g->rflags & V3_RFLAGS_IF)))
		return "interruptibility";
	if (event & V3_VMX_EVENT_VALID && type == V3_VMX_EVENT_INTR && blocks & shadow)
		return "external interrupt in the shadow of STI or MOV SS";
	if (event & V3_VMX_EVENT_VALID && type == V3_VMX_EVENT_NMI &&
	    (blocks & shadow ||	/* by STI: CPUs may refuse it */
	     (blocks & V3_VMX_BLOCK_NMI &&
	      get(g, V3_VMCS_PIN_CTLS) & V3_VMX_PIN_VIRTUAL_NMI)))
		return "NMI where NMIs are blocked";
	if (get(g, V3_VMCS_LINK_POINTER) != ~0ULL)
		return "VMCS link pointer";
	return check_pending_debug(g, blocks & shadow);
}

/* With EPT the four PDPTEs of PAE paging come from the VMCS. */
static const char *check_pdptes(const struct guest *g)
{
	if (!g->ept || g->long_mode || !(g->cr0 & V3_CR0_PG) || !(g->cr4 & V3_CR4_PAE))
		return NULL;
	for (unsigned int i = 0; i < 4; i++) {
		uint64_t pdpte = get(g, V3_VMCS_GUEST_PDPTE(i));

		if (pdpte & V3_PTE_P && (pdpte & V3_PDPE_PAE_RSVD_LOW ||
					 !fake_vmx_address_ok(pdpte & ~0xfffULL, V3_PAGE_SIZE)))
			return "a PDPTE";
	}
	return NULL;
}

const char *fake_vmx_guest_check(const struct fake_vmcs *vmcs)
{
	const struct guest g = guest_of(vmcs);
	const char *wrong = check_cr(&g);

	if (!wrong)
		wrong = check_segments(&g);
	if (!wrong)
		wrong = check_rip_rflags(&g);
	if (!wrong)
		wrong = check_other(&g);
	return wrong ? wrong : check_pdptes(&g);
}
