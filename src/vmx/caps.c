/* SPDX-License-Identifier: BSD-2-Clause */
/* From the capability MSRs to the controls of a guest. Pure. SDM vol. 3 appendix A. */
#include "vmx/vmx.h"

#include "lib/mem.h"
#include "paging/ept.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/msr.h"

const char *const vmx_features[] = {
	[VMX_F_VPID] = "vpid", [VMX_F_INVVPID_ONE] = "invvpid-one",
	[VMX_F_INVEPT_ONE] = "invept-one", [VMX_F_EPT_2M] = "ept-2m", [VMX_F_EPT_1G] = "ept-1g",
	[VMX_F_TPR_SHADOW] = "tpr-shadow", [VMX_F_PLE] = "ple", [VMX_F_WBINVD] = "wbinvd",
	[VMX_F_RDTSCP] = "rdtscp", [VMX_F_INVPCID] = "invpcid",
	[VMX_F_UNRESTRICTED] = "unrestricted-guest",
	[VMX_F_APIC_ACCESS] = "apic-access", [VMX_F_X2APIC] = "virtual-x2apic",
	[VMX_F_APIC_REGISTERS] = "apic-registers", [VMX_F_VID] = "virtual-interrupts",
	[VMX_F_TIMER] = "preemption-timer", [VMX_F_L1D_FLUSH] = "l1d-flush",
	[VMX_F_MD_CLEAR] = "md-clear", [VMX_F_TSC_SCALING] = "tsc-scaling",
	[VMX_F_EPT_AD] = "ept-ad", [VMX_F_XSAVES] = "xsaves",
	[VMX_F_APIC_FASTER] = "apic-where-faster",
	[VMX_F_COUNT] = NULL,
};

/*
 * Bits that must be 1 on all CPUs and have no meaning for us (the default1 class, A.2), CR3 exits
 * left out.
 */
#define PIN_RESERVED	0x00000016u
#define PROC_RESERVED	0x04006172u
#define EXIT_RESERVED	0x00036dfbu
#define ENTRY_RESERVED	0x000011fbu

struct control {
	uint32_t bit;
	const char *name;
};

/* In an order that names what an old CPU is best known to lack first. */
static const struct control need_proc2[] = {
	{ V3_VMX_PROC2_EPT, "extended page tables (EPT)" },
	{ 0, NULL },
};

static const struct control need_pin[] = {
	{ V3_VMX_PIN_INTR, "external-interrupt exiting" },
	{ V3_VMX_PIN_NMI, "NMI exiting" },
	{ V3_VMX_PIN_VIRTUAL_NMI, "virtual NMIs" },
	{ 0, NULL },
};

static const struct control need_proc[] = {
	{ V3_VMX_PROC_TSC_OFFSET, "TSC offsetting" },
	{ V3_VMX_PROC_HLT, "HLT exiting" },
	{ V3_VMX_PROC_MWAIT, "MWAIT exiting" },
	{ V3_VMX_PROC_MONITOR, "MONITOR exiting" },
	{ V3_VMX_PROC_RDPMC, "RDPMC exiting" },
	{ V3_VMX_PROC_DR, "MOV-DR exiting" },
	{ V3_VMX_PROC_IO, "unconditional I/O exiting" },
	{ V3_VMX_PROC_MSR_BITMAPS, "MSR bitmaps" },
	{ 0, NULL },
};

/* On only while they are needed. */
static const struct control need_windows[] = {
	{ V3_VMX_PROC_INTR_WINDOW, "interrupt-window exiting" },
	{ V3_VMX_PROC_NMI_WINDOW, "NMI-window exiting" },
	{ 0, NULL },
};

static const struct control need_cr8[] = {
	{ V3_VMX_PROC_CR8_LOAD, "CR8-load exiting" },
	{ V3_VMX_PROC_CR8_STORE, "CR8-store exiting" },
	{ 0, NULL },
};

static const struct control need_exit[] = {
	{ V3_VMX_EXIT_CTL_HOST_64, "64-bit hosts" },
	{ V3_VMX_EXIT_CTL_SAVE_DEBUG, "saving DR7 on VM exit" },
	{ V3_VMX_EXIT_CTL_SAVE_PAT, "saving IA32_PAT on VM exit" },
	{ V3_VMX_EXIT_CTL_LOAD_PAT, "loading IA32_PAT on VM exit" },
	{ V3_VMX_EXIT_CTL_SAVE_EFER, "saving IA32_EFER on VM exit" },
	{ V3_VMX_EXIT_CTL_LOAD_EFER, "loading IA32_EFER on VM exit" },
	{ 0, NULL },
};

static const struct control need_entry[] = {
	{ V3_VMX_ENTRY_CTL_LOAD_DEBUG, "loading DR7 on VM entry" },
	{ V3_VMX_ENTRY_CTL_LOAD_PAT, "loading IA32_PAT on VM entry" },
	{ V3_VMX_ENTRY_CTL_LOAD_EFER, "loading IA32_EFER on VM entry" },
	{ 0, NULL },
};

static const struct control need_64[] = {
	{ V3_VMX_ENTRY_CTL_IA32E, "64-bit guests" },
	{ 0, NULL },
};

static bool allows(uint64_t msr, uint32_t bit)
{
	return msr >> 32 & bit;
}

/* Sets the controls of the list; the name of the first that cannot be set. */
static const char *set(uint32_t *word, uint64_t msr, const struct control *list)
{
	for (; list->name; list++) {
		if (!allows(msr, list->bit))
			return list->name;
		*word |= list->bit;
	}
	return NULL;
}

/* Lets the MSR have its way with bits that mean nothing; false if it forces any other one. */
static bool force(uint32_t *word, uint64_t msr, uint32_t harmless)
{
	uint32_t forced = (uint32_t)msr & ~*word;

	*word |= forced;
	return !(forced & ~harmless);
}

static const char *set_all(const struct vmx_msrs *msrs, struct vmx_caps *caps)
{
	uint32_t none = 0;
	const char *missing;

	if (!allows(msrs->proc, V3_VMX_PROC_SECONDARY))
		return need_proc2[0].name;
	caps->proc |= V3_VMX_PROC_SECONDARY;
	missing = set(&caps->proc2, msrs->proc2, need_proc2);
	if (!missing)
		missing = set(&caps->pin, msrs->pin, need_pin);
	if (!missing)
		missing = set(&caps->proc, msrs->proc, need_proc);
	if (!missing)
		missing = set(&none, msrs->proc, need_windows);
	if (!missing && !caps->tpr_shadow)
		missing = set(&caps->proc, msrs->proc, need_cr8);
	if (!missing)
		missing = set(&caps->exit, msrs->exit, need_exit);
	if (!missing)
		missing = set(&caps->entry, msrs->entry, need_entry);
	return missing ? missing : set(&none, msrs->entry, need_64);
}

static const char *force_all(const struct vmx_msrs *msrs, struct vmx_caps *caps)
{
	if (!force(&caps->proc, msrs->proc, PROC_RESERVED))
		return "a choice of processor-based controls, such as no CR3 exits";
	if (!force(&caps->proc2, msrs->proc2, 0))
		return "a choice of secondary controls";
	if (!force(&caps->pin, msrs->pin, PIN_RESERVED))
		return "a choice of pin-based controls";
	if (!force(&caps->exit, msrs->exit, EXIT_RESERVED))
		return "a choice of VM-exit controls";
	if (!force(&caps->entry, msrs->entry, ENTRY_RESERVED))
		return "a choice of VM-entry controls";
	return NULL;
}

/* Needs INVVPID for all VPIDs: when they run out, and after somebody else used them. */
static bool vpid_usable(const struct vmx_msrs *msrs)
{
	const uint64_t need = V3_VMX_VPID_CAP_INVVPID | V3_VMX_VPID_CAP_ALL;

	return allows(msrs->proc2, V3_VMX_PROC2_VPID) && (msrs->ept_vpid & need) == need;
}

/*
 * None of it without a TPR shadow (27.2.1.1). Interrupts are delivered to what is virtualized; and
 * without one of the two modes nothing is. The controls are set when a vCPU's mode is known.
 */
static void optional_apic(const struct vmx_msrs *msrs, uint32_t off, struct vmx_caps *caps)
{
	const struct {
		unsigned int feature;
		uint32_t bit;
		bool *on;
	} list[] = {
		{ VMX_F_APIC_ACCESS, V3_VMX_PROC2_APIC_ACCESS, &caps->apic_access },
		{ VMX_F_X2APIC, V3_VMX_PROC2_X2APIC, &caps->x2apic },
		{ VMX_F_APIC_REGISTERS, V3_VMX_PROC2_APIC_REGISTERS, &caps->apic_regs },
		{ VMX_F_VID, V3_VMX_PROC2_INTR_DELIVERY, &caps->vid },
	};
	unsigned int i;

	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		*list[i].on = caps->tpr_shadow && !(off >> list[i].feature & 1) &&
			      allows(msrs->proc2, list[i].bit);
	/*
	 * An access exits then as without, and the registers are lent in vain: a read takes 7% more
	 * instructions. All that there is to win is the task priority, which few guests have there.
	 */
	if (!(off >> VMX_F_APIC_FASTER & 1) && !caps->apic_regs && !caps->vid)
		caps->apic_access = false;
	if (!caps->apic_access && !caps->x2apic)
		caps->apic_regs = caps->vid = false;
}

/*
 * CPUs whose preemption timer does not count at the rate that IA32_VMX_MISC tells: errata AAJ124,
 * AAK139, AAZ65 and their like.
 */
static bool timer_broken(uint32_t signature)
{
	static const uint32_t broken[] = { 0x106a0, 0x106a1, 0x106a4, 0x106a5, 0x106e5, 0x20652,
					   0x20655, 0x206e6, 0x306a8 };
	unsigned int i;

	for (i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
		if (signature == broken[i])
			return true;
	return false;
}

static void optional_timer(const struct vmx_msrs *msrs, uint32_t off, struct vmx_caps *caps)
{
	caps->timer = !(off >> VMX_F_TIMER & 1) && allows(msrs->pin, V3_VMX_PIN_TIMER) &&
		      !timer_broken(msrs->signature);
	if (caps->timer)
		caps->pin |= V3_VMX_PIN_TIMER;
	caps->timer_shift = V3_VMX_MISC_TIMER_SHIFT(msrs->misc);
}

/* MDS (CVE-2018-12126 and others), the same by TSX (CVE-2019-11135), RFDS (CVE-2023-28746). */
static bool leaks_buffers(const struct vmx_msrs *msrs)
{
	const uint64_t rfds = V3_ARCH_CAP_RFDS_CLEAR | V3_ARCH_CAP_RFDS_NO;
	bool tsx = msrs->features_7_ebx & V3_CPUID_7_EBX_RTM &&
		   !(msrs->arch_caps & V3_ARCH_CAP_TAA_NO);

	if ((msrs->arch_caps & rfds) == V3_ARCH_CAP_RFDS_CLEAR)
		return true;
	return msrs->features_7_edx & V3_CPUID_7_EDX_MD_CLEAR &&
	       (tsx || !(msrs->arch_caps & V3_ARCH_CAP_MDS_NO));
}

/*
 * L1TF (CVE-2018-3646) and what VERW is for. Microcode has the means on CPUs that are affected, and
 * says so of those that are not.
 */
static void optional_clear(const struct vmx_msrs *msrs, uint32_t off, struct vmx_caps *caps)
{
	const uint64_t no_l1tf = V3_ARCH_CAP_RDCL_NO | V3_ARCH_CAP_SKIP_L1D_FLUSH;

	caps->l1d_flush = !(off >> VMX_F_L1D_FLUSH & 1) && !(msrs->arch_caps & no_l1tf) &&
			  msrs->features_7_edx & V3_CPUID_7_EDX_L1D_FLUSH;
	caps->md_clear = !(off >> VMX_F_MD_CLEAR & 1) && leaks_buffers(msrs);
}

static void optional(const struct vmx_msrs *msrs, uint32_t off, struct vmx_caps *caps)
{
#define ON(feature) (!(off >> (feature) & 1))
	caps->vpid = ON(VMX_F_VPID) && vpid_usable(msrs);
	caps->tpr_shadow = ON(VMX_F_TPR_SHADOW) && allows(msrs->proc, V3_VMX_PROC_TPR_SHADOW);
	caps->ple = ON(VMX_F_PLE) && allows(msrs->proc2, V3_VMX_PROC2_PLE);
	caps->rdtscp = ON(VMX_F_RDTSCP) && allows(msrs->proc2, V3_VMX_PROC2_RDTSCP);
	caps->invpcid = ON(VMX_F_INVPCID) && allows(msrs->proc2, V3_VMX_PROC2_INVPCID);
	caps->unrestricted = ON(VMX_F_UNRESTRICTED) &&
			     allows(msrs->proc2, V3_VMX_PROC2_UNRESTRICTED);
	caps->tsc_scaling = ON(VMX_F_TSC_SCALING) &&
			    allows(msrs->proc2, V3_VMX_PROC2_TSC_SCALING);
	if (caps->unrestricted)
		caps->proc2 |= V3_VMX_PROC2_UNRESTRICTED;
	if (caps->vpid)
		caps->proc2 |= V3_VMX_PROC2_VPID;
	if (caps->tpr_shadow)
		caps->proc |= V3_VMX_PROC_TPR_SHADOW;
	if (caps->ple)
		caps->proc2 |= V3_VMX_PROC2_PLE;
	if (caps->rdtscp)
		caps->proc2 |= V3_VMX_PROC2_RDTSCP;
	if (caps->invpcid)
		caps->proc2 |= V3_VMX_PROC2_INVPCID;
	if (ON(VMX_F_WBINVD) && allows(msrs->proc2, V3_VMX_PROC2_WBINVD))
		caps->proc2 |= V3_VMX_PROC2_WBINVD;
	if (ON(VMX_F_XSAVES) && allows(msrs->proc2, V3_VMX_PROC2_XSAVES))
		caps->proc2 |= V3_VMX_PROC2_XSAVES;
	optional_apic(msrs, off, caps);
	optional_timer(msrs, off, caps);
	optional_clear(msrs, off, caps);
	caps->ept_vpid = msrs->ept_vpid;
	if (!ON(VMX_F_INVVPID_ONE))
		caps->ept_vpid &= ~V3_VMX_VPID_CAP_ONE;
	if (!ON(VMX_F_INVEPT_ONE) && msrs->ept_vpid & V3_VMX_EPT_CAP_INVEPT_ALL)
		caps->ept_vpid &= ~V3_VMX_EPT_CAP_INVEPT_ONE;
	if (!ON(VMX_F_EPT_2M))
		caps->ept_vpid &= ~(V3_EPT_CAP_2M | V3_EPT_CAP_1G);
	if (!ON(VMX_F_EPT_1G))
		caps->ept_vpid &= ~V3_EPT_CAP_1G;
	/* The walks count as writes then, which realmode.c's table is not for. */
	if (!ON(VMX_F_EPT_AD) || !caps->unrestricted)
		caps->ept_vpid &= ~V3_EPT_CAP_AD;
#undef ON
}

/* What an EPT without alternatives needs of its capability MSR. */
static const char *ept_missing(uint64_t cap)
{
	if (!v3_ept_pointer(cap, 0, false))
		return "EPT of four levels in cacheable memory";
	if (!(cap & V3_VMX_EPT_CAP_INVEPT) ||
	    !(cap & (V3_VMX_EPT_CAP_INVEPT_ONE | V3_VMX_EPT_CAP_INVEPT_ALL)))
		return "INVEPT";
	return NULL;
}

const char *vmx_caps_compute(const struct vmx_msrs *msrs, uint32_t off, struct vmx_caps *caps)
{
	/* By unrestricted guest (A.7), or by realmode.c. */
	const uint64_t guests_own = V3_CR0_PE | V3_CR0_PG;
	const char *missing;

	memset(caps, 0, sizeof(*caps));
	caps->revision = V3_VMX_BASIC_REVISION(msrs->basic);
	if (V3_VMX_BASIC_SIZE(msrs->basic) > V3_PAGE_SIZE)
		return "a VMCS of at most 4096 bytes";
	optional(msrs, off, caps);
	missing = set_all(msrs, caps);
	if (!missing)
		missing = force_all(msrs, caps);
	if (!missing)
		missing = ept_missing(caps->ept_vpid);
	if (missing)
		return missing;
	caps->cr0_fixed0 = msrs->cr0_fixed0 & ~guests_own;
	caps->cr4_fixed0 = msrs->cr4_fixed0;
	caps->cr4_fixed1 = msrs->cr4_fixed1;
	/* NE and VMXE can be hidden behind the shadows, and are. */
	if (caps->cr0_fixed0 & ~(V3_CR0_NE | V3_CR0_ET) || V3_CR0_DEFINED & ~msrs->cr0_fixed1 ||
	    caps->cr4_fixed0 & ~V3_CR4_VMXE)
		return "guests that choose their own CR0 and CR4";
	/* Without it a machine check shuts the CPU down, whoever runs on it (6.15, vector 18). */
	caps->cr4_fixed0 |= caps->cr4_fixed1 & V3_CR4_MCE;
	return NULL;
}
