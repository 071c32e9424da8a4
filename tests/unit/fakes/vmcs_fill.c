/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmcs_fill.h"

#include "fakes/fake_vmx.h"
#include "fakes/fake_x86.h"
#include "paging/ept.h"
#include "x86/cr.h"
#include "x86/insn_vmx.h"
#include "x86/msr.h"
#include "x86/vmcs.h"
#include "x86/vmx.h"

#define SET(field, value) v3_fake_vmcs_set(vmcs, field, value)
#define PAGE 0x80000000ull

/* What the "true" MSR demands, and what is wanted of what it allows. */
static uint64_t adjust(uint32_t msr, uint32_t wanted)
{
	uint64_t cap = v3_fake_msr_get(msr);

	return (uint32_t)cap | (wanted & cap >> 32);
}

static void fill_controls(v3_hpa_t vmcs)
{
	uint64_t proc2 = adjust(V3_MSR_VMX_PROCBASED_CTLS2,
				V3_VMX_PROC2_EPT | V3_VMX_PROC2_VPID | V3_VMX_PROC2_UNRESTRICTED);

	SET(V3_VMCS_PIN_CTLS,
	    adjust(V3_MSR_VMX_TRUE_PINBASED_CTLS, V3_VMX_PIN_INTR | V3_VMX_PIN_NMI));
	SET(V3_VMCS_PROC_CTLS, adjust(V3_MSR_VMX_TRUE_PROCBASED_CTLS,
				      V3_VMX_PROC_HLT | V3_VMX_PROC_IO | V3_VMX_PROC_MSR_BITMAPS |
					      V3_VMX_PROC_SECONDARY));
	SET(V3_VMCS_PROC_CTLS2, proc2);
	SET(V3_VMCS_EXIT_CTLS,
	    adjust(V3_MSR_VMX_TRUE_EXIT_CTLS,
		   V3_VMX_EXIT_CTL_HOST_64 | V3_VMX_EXIT_CTL_SAVE_PAT | V3_VMX_EXIT_CTL_LOAD_PAT |
			   V3_VMX_EXIT_CTL_SAVE_EFER | V3_VMX_EXIT_CTL_LOAD_EFER));
	SET(V3_VMCS_ENTRY_CTLS,
	    adjust(V3_MSR_VMX_TRUE_ENTRY_CTLS,
		   V3_VMX_ENTRY_CTL_LOAD_DEBUG | V3_VMX_ENTRY_CTL_IA32E |
			   V3_VMX_ENTRY_CTL_LOAD_PAT | V3_VMX_ENTRY_CTL_LOAD_EFER));
	SET(V3_VMCS_MSR_BITMAP, PAGE);
	if (proc2 & V3_VMX_PROC2_EPT)
		SET(V3_VMCS_EPTP, PAGE | V3_EPTP_WALK_4 | V3_MEMTYPE_WB);
	if (proc2 & V3_VMX_PROC2_VPID)
		SET(V3_VMCS_VPID, 1);
}

static void fill_zeros(v3_hpa_t vmcs)
{
	static const uint32_t zeros[] = {
		V3_VMCS_EXCEPTION_BITMAP, V3_VMCS_PF_ERROR_MASK, V3_VMCS_PF_ERROR_MATCH,
		V3_VMCS_CR3_TARGET_COUNT, V3_VMCS_EXIT_MSR_STORE_COUNT, V3_VMCS_EXIT_MSR_LOAD_COUNT,
		V3_VMCS_ENTRY_MSR_LOAD_COUNT, V3_VMCS_ENTRY_EVENT, V3_VMCS_ENTRY_ERROR,
		V3_VMCS_ENTRY_INSN_LEN, V3_VMCS_CR0_MASK, V3_VMCS_CR4_MASK, V3_VMCS_CR0_SHADOW,
		V3_VMCS_CR4_SHADOW, V3_VMCS_GUEST_INTERRUPTIBILITY, V3_VMCS_GUEST_ACTIVITY,
		V3_VMCS_GUEST_SYSENTER_CS, V3_VMCS_GUEST_SYSENTER_ESP, V3_VMCS_GUEST_SYSENTER_EIP,
		V3_VMCS_GUEST_DEBUGCTL, V3_VMCS_GUEST_PENDING_DEBUG, V3_VMCS_GUEST_GDTR_BASE,
		V3_VMCS_GUEST_IDTR_BASE, V3_VMCS_GUEST_GDTR_LIMIT, V3_VMCS_GUEST_IDTR_LIMIT,
		V3_VMCS_HOST_ES, V3_VMCS_HOST_DS, V3_VMCS_HOST_FS, V3_VMCS_HOST_GS,
		V3_VMCS_GUEST_RSP, V3_VMCS_GUEST_CR3,
	};

	for (unsigned int i = 0; i < sizeof(zeros) / sizeof(zeros[0]); i++)
		SET(zeros[i], 0);
}

static void fill_host(v3_hpa_t vmcs)
{
	SET(V3_VMCS_HOST_CS, 0x10);
	SET(V3_VMCS_HOST_SS, 0x18);
	SET(V3_VMCS_HOST_TR, 0x40);
	SET(V3_VMCS_HOST_TR_BASE, v3_fake_tss_base());
	SET(V3_VMCS_HOST_GDTR_BASE, v3_fake_segs()->gdtr.base);
	SET(V3_VMCS_HOST_IDTR_BASE, v3_fake_segs()->idtr.base);
	SET(V3_VMCS_HOST_CR0, v3_x86_read_cr0());
	SET(V3_VMCS_HOST_CR3, v3_x86_read_cr3());
	SET(V3_VMCS_HOST_CR4, v3_x86_read_cr4());
	SET(V3_VMCS_HOST_FS_BASE, v3_fake_msr_get(V3_MSR_FS_BASE));
	SET(V3_VMCS_HOST_GS_BASE, v3_fake_msr_get(V3_MSR_GS_BASE));
	SET(V3_VMCS_HOST_SYSENTER_CS, v3_fake_msr_get(V3_MSR_SYSENTER_CS));
	SET(V3_VMCS_HOST_SYSENTER_ESP, v3_fake_msr_get(V3_MSR_SYSENTER_ESP));
	SET(V3_VMCS_HOST_SYSENTER_EIP, v3_fake_msr_get(V3_MSR_SYSENTER_EIP));
}

/* Not every model switches these two. */
static void fill_pat_efer(v3_hpa_t vmcs)
{
	uint64_t exit = v3_fake_vmcs_get(vmcs, V3_VMCS_EXIT_CTLS);
	uint64_t entry = v3_fake_vmcs_get(vmcs, V3_VMCS_ENTRY_CTLS);

	if (exit & V3_VMX_EXIT_CTL_LOAD_PAT)
		SET(V3_VMCS_HOST_PAT, v3_fake_msr_get(V3_MSR_PAT));
	if (exit & V3_VMX_EXIT_CTL_LOAD_EFER)
		SET(V3_VMCS_HOST_EFER, v3_fake_msr_get(V3_MSR_EFER));
	if (entry & V3_VMX_ENTRY_CTL_LOAD_PAT)
		SET(V3_VMCS_GUEST_PAT, 0x0606060606060606);
	if (entry & V3_VMX_ENTRY_CTL_LOAD_EFER)
		SET(V3_VMCS_GUEST_EFER, V3_EFER_LME | V3_EFER_LMA);
}

static void fill_segment(v3_hpa_t vmcs, unsigned int i, uint64_t selector, uint64_t limit,
			 uint64_t access)
{
	SET(V3_VMCS_GUEST_SELECTOR(i), selector);
	SET(V3_VMCS_GUEST_BASE(i), 0);
	SET(V3_VMCS_GUEST_LIMIT(i), limit);
	SET(V3_VMCS_GUEST_ACCESS(i), access);
}

void vmcs_fill(v3_hpa_t vmcs)
{
	unsigned int i;

	fill_controls(vmcs);
	fill_zeros(vmcs);
	fill_host(vmcs);
	for (i = 0; i < 6; i++)
		fill_segment(vmcs, i, 0x18, 0xffffffff, i == 1 ? 0xa09b : 0xc093);
	fill_segment(vmcs, 6, 0, 0, V3_VMX_SEG_UNUSABLE);
	fill_segment(vmcs, 7, 0x40, 0x67, 0x8b);
	SET(V3_VMCS_LINK_POINTER, ~0ull);
	SET(V3_VMCS_GUEST_CR0, V3_CR0_PE | V3_CR0_NE | V3_CR0_PG);
	SET(V3_VMCS_GUEST_CR4, V3_CR4_PAE | V3_CR4_VMXE);
	fill_pat_efer(vmcs);
	SET(V3_VMCS_GUEST_DR7, V3_DR7_RESET);
	SET(V3_VMCS_GUEST_RIP, 0x100000);
	SET(V3_VMCS_GUEST_RFLAGS, V3_RFLAGS_FIXED1);
}

void vmcs_fill_real_mode(v3_hpa_t vmcs)
{
	unsigned int i;

	vmcs_fill(vmcs);
	SET(V3_VMCS_ENTRY_CTLS, v3_fake_vmcs_get(vmcs, V3_VMCS_ENTRY_CTLS) &
					~(uint64_t)V3_VMX_ENTRY_CTL_IA32E);
	SET(V3_VMCS_GUEST_CR0, V3_CR0_NE);
	SET(V3_VMCS_GUEST_CR4, V3_CR4_VMXE);
	SET(V3_VMCS_GUEST_EFER, 0);
	SET(V3_VMCS_GUEST_RIP, 0x7c00);
	for (i = 0; i < 6; i++)
		fill_segment(vmcs, i, 0, 0xffff, i == 1 ? 0x9b : 0x93);
}
