/* SPDX-License-Identifier: BSD-2-Clause */
/* Controls from capability MSRs. SDM vol. 3 appendix A. */
#include "machine.h"

#include "paging/ept.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/msr.h"

/* The tables of the fake's models, as cpu.c reads them. */
static struct vmx_msrs msrs_of(enum v3_fake_vmx_model model)
{
	struct vmx_msrs msrs = { 0 };

	v3_fake_x86_reset();
	v3_fake_vmx_set_model(model);
	msrs.basic = v3_fake_msr_get(V3_MSR_VMX_BASIC);
	if (msrs.basic & V3_VMX_BASIC_TRUE) {
		msrs.pin = v3_fake_msr_get(V3_MSR_VMX_TRUE_PINBASED_CTLS);
		msrs.proc = v3_fake_msr_get(V3_MSR_VMX_TRUE_PROCBASED_CTLS);
		msrs.exit = v3_fake_msr_get(V3_MSR_VMX_TRUE_EXIT_CTLS);
		msrs.entry = v3_fake_msr_get(V3_MSR_VMX_TRUE_ENTRY_CTLS);
	} else {
		msrs.pin = v3_fake_msr_get(V3_MSR_VMX_PINBASED_CTLS);
		msrs.proc = v3_fake_msr_get(V3_MSR_VMX_PROCBASED_CTLS);
		msrs.exit = v3_fake_msr_get(V3_MSR_VMX_EXIT_CTLS);
		msrs.entry = v3_fake_msr_get(V3_MSR_VMX_ENTRY_CTLS);
	}
	msrs.proc2 = v3_fake_msr_get(V3_MSR_VMX_PROCBASED_CTLS2);
	if (model != V3_FAKE_PENRYN_T9600)
		msrs.ept_vpid = v3_fake_msr_get(V3_MSR_VMX_EPT_VPID_CAP);
	msrs.cr0_fixed0 = v3_fake_msr_get(V3_MSR_VMX_CR0_FIXED0);
	msrs.cr0_fixed1 = v3_fake_msr_get(V3_MSR_VMX_CR0_FIXED1);
	msrs.cr4_fixed0 = v3_fake_msr_get(V3_MSR_VMX_CR4_FIXED0);
	msrs.cr4_fixed1 = v3_fake_msr_get(V3_MSR_VMX_CR4_FIXED1);
	return msrs;
}

static bool agrees(uint64_t msr, uint32_t word)
{
	return !(~word & (uint32_t)msr) && !(word & ~(uint32_t)(msr >> 32));
}

static void expect_allowed(const struct vmx_msrs *msrs, const struct vmx_caps *caps)
{
	assert_true(agrees(msrs->pin, caps->pin));
	assert_true(agrees(msrs->proc, caps->proc));
	assert_true(agrees(msrs->proc2, caps->proc2));
	assert_true(agrees(msrs->exit, caps->exit));
	assert_true(agrees(msrs->entry, caps->entry));
}

static void test_models(void **state)
{
	struct vmx_msrs msrs;
	struct vmx_caps caps;

	(void)state;
	msrs = msrs_of(V3_FAKE_SKYLAKE_X);
	assert_null(vmx_caps_compute(&msrs, 0, &caps));
	expect_allowed(&msrs, &caps);
	assert_true(caps.vpid && caps.tpr_shadow && caps.ple && caps.rdtscp && caps.invpcid &&
		    caps.unrestricted && caps.tsc_scaling);
	assert_int_equal(caps.cr0_fixed0, V3_CR0_NE);
	assert_int_equal(caps.cr4_fixed0, V3_CR4_VMXE | V3_CR4_MCE);
	assert_true(caps.ept_vpid & V3_EPT_CAP_1G);
	/* What would cost exits or offer what nobody implements is off. */
	assert_int_equal(caps.proc & (V3_VMX_PROC_CR3_LOAD | V3_VMX_PROC_CR3_STORE |
				      V3_VMX_PROC_INVLPG | V3_VMX_PROC_RDTSC |
				      V3_VMX_PROC_INTR_WINDOW | V3_VMX_PROC_NMI_WINDOW |
				      V3_VMX_PROC_CR8_LOAD | V3_VMX_PROC_CR8_STORE), 0);
	assert_int_equal(caps.proc2, V3_VMX_PROC2_EPT | V3_VMX_PROC2_RDTSCP | V3_VMX_PROC2_VPID |
			 V3_VMX_PROC2_WBINVD | V3_VMX_PROC2_UNRESTRICTED | V3_VMX_PROC2_PLE |
			 V3_VMX_PROC2_INVPCID | V3_VMX_PROC2_XSAVES);
	assert_true(caps.ept_vpid & V3_EPT_CAP_AD);
	assert_int_equal(caps.exit & V3_VMX_EXIT_CTL_ACK_INTR, 0);
	assert_int_equal(caps.entry & V3_VMX_ENTRY_CTL_IA32E, 0);
	msrs = msrs_of(V3_FAKE_HASWELL_4770);
	assert_null(vmx_caps_compute(&msrs, 0, &caps));
	expect_allowed(&msrs, &caps);
	assert_false(caps.tsc_scaling);
	msrs = msrs_of(V3_FAKE_SANDY_BRIDGE_2600K);
	assert_null(vmx_caps_compute(&msrs, 0, &caps));
	expect_allowed(&msrs, &caps);
	assert_false(caps.invpcid);
	assert_false(caps.ept_vpid & V3_EPT_CAP_AD);
	assert_int_equal(caps.proc2 & V3_VMX_PROC2_XSAVES, 0);
	assert_false(caps.ept_vpid & V3_EPT_CAP_1G);
	msrs = msrs_of(V3_FAKE_PENRYN_T9600);
	assert_string_equal(vmx_caps_compute(&msrs, 0, &caps), "extended page tables (EPT)");
}

/* Each alone, and all. */
static void test_features_off(void **state)
{
	struct vmx_msrs msrs = msrs_of(V3_FAKE_SKYLAKE_X);
	struct vmx_caps all, caps;
	unsigned int i;

	(void)state;
	/* The one thing that this model does not need. */
	msrs.features_7_edx = V3_CPUID_7_EDX_L1D_FLUSH | V3_CPUID_7_EDX_MD_CLEAR;
	assert_null(vmx_caps_compute(&msrs, 0, &all));
	for (i = 0; i < VMX_F_COUNT; i++) {
		assert_non_null(vmx_features[i]);
		assert_null(vmx_caps_compute(&msrs, 1u << i, &caps));
		expect_allowed(&msrs, &caps);
		/* A rule for CPUs that lack something, see test_lone_apic_access(). */
		if (i == VMX_F_APIC_FASTER)
			continue;
		assert_memory_not_equal(&caps, &all, sizeof(caps));
	}
	assert_null(vmx_features[VMX_F_COUNT]);
	assert_null(vmx_caps_compute(&msrs, ~0u, &caps));
	expect_allowed(&msrs, &caps);
	assert_int_equal(caps.proc2, V3_VMX_PROC2_EPT);
	assert_false(caps.unrestricted || caps.vpid || caps.tpr_shadow || caps.ple ||
		     caps.rdtscp || caps.invpcid || caps.apic_access || caps.x2apic ||
		     caps.apic_regs || caps.vid || caps.timer || caps.l1d_flush || caps.md_clear ||
		     caps.tsc_scaling);
	assert_int_equal(caps.ept_vpid & (V3_EPT_CAP_1G | V3_EPT_CAP_2M | V3_VMX_VPID_CAP_ONE |
					  V3_VMX_EPT_CAP_INVEPT_ONE | V3_EPT_CAP_AD), 0);
	/* CR8 exits in place of the shadow. */
	assert_int_equal(caps.proc & (V3_VMX_PROC_CR8_LOAD | V3_VMX_PROC_CR8_STORE),
			 V3_VMX_PROC_CR8_LOAD | V3_VMX_PROC_CR8_STORE);
	/* The table of realmode.c is for reading. */
	assert_null(vmx_caps_compute(&msrs, 1u << VMX_F_UNRESTRICTED, &caps));
	assert_int_equal(caps.ept_vpid & V3_EPT_CAP_AD, 0);
}

/* APIC accesses alone, as this model has them, cost more than they save. */
static void test_lone_apic_access(void **state)
{
	struct vmx_msrs msrs = msrs_of(V3_FAKE_SANDY_BRIDGE_2600K);
	struct vmx_caps caps;

	(void)state;
	assert_null(vmx_caps_compute(&msrs, 0, &caps));
	assert_false(caps.apic_access || caps.apic_regs || caps.vid);
	assert_null(vmx_caps_compute(&msrs, 1u << VMX_F_APIC_FASTER, &caps));
	assert_true(caps.apic_access && !caps.apic_regs && !caps.vid);
	msrs = msrs_of(V3_FAKE_SKYLAKE_X);
	assert_null(vmx_caps_compute(&msrs, 1u << VMX_F_APIC_REGISTERS, &caps));
	assert_true(caps.apic_access && caps.vid);
	assert_null(vmx_caps_compute(&msrs, 1u << VMX_F_VID, &caps));
	assert_true(caps.apic_access && caps.apic_regs);
	assert_null(vmx_caps_compute(&msrs, 1u << VMX_F_VID | 1u << VMX_F_APIC_REGISTERS, &caps));
	assert_true(!caps.apic_access && caps.x2apic);
}

#define WORD(name) offsetof(struct vmx_msrs, name)

/* Each control that is needed, taken away, is named. */
static void test_missing(void **state)
{
	static const struct {
		size_t word;
		uint32_t bit;
		uint32_t off;
		const char *name;
	} needs[] = {
		{ WORD(proc), V3_VMX_PROC_SECONDARY, 0, "EPT" },
		{ WORD(proc2), V3_VMX_PROC2_EPT, 0, "EPT" },
		{ WORD(pin), V3_VMX_PIN_INTR, 0, "external-interrupt" },
		{ WORD(pin), V3_VMX_PIN_NMI, 0, "NMI exiting" },
		{ WORD(pin), V3_VMX_PIN_VIRTUAL_NMI, 0, "virtual NMIs" },
		{ WORD(proc), V3_VMX_PROC_TSC_OFFSET, 0, "TSC offset" },
		{ WORD(proc), V3_VMX_PROC_HLT, 0, "HLT" },
		{ WORD(proc), V3_VMX_PROC_MWAIT, 0, "MWAIT" },
		{ WORD(proc), V3_VMX_PROC_MONITOR, 0, "MONITOR" },
		{ WORD(proc), V3_VMX_PROC_RDPMC, 0, "RDPMC" },
		{ WORD(proc), V3_VMX_PROC_DR, 0, "MOV-DR" },
		{ WORD(proc), V3_VMX_PROC_IO, 0, "I/O" },
		{ WORD(proc), V3_VMX_PROC_MSR_BITMAPS, 0, "MSR bitmaps" },
		{ WORD(proc), V3_VMX_PROC_INTR_WINDOW, 0, "interrupt-window" },
		{ WORD(proc), V3_VMX_PROC_NMI_WINDOW, 0, "NMI-window" },
		{ WORD(proc), V3_VMX_PROC_CR8_LOAD, 1u << VMX_F_TPR_SHADOW, "CR8-load" },
		{ WORD(proc), V3_VMX_PROC_CR8_STORE, 1u << VMX_F_TPR_SHADOW, "CR8-store" },
		{ WORD(exit), V3_VMX_EXIT_CTL_HOST_64, 0, "64-bit hosts" },
		{ WORD(exit), V3_VMX_EXIT_CTL_SAVE_DEBUG, 0, "saving DR7" },
		{ WORD(exit), V3_VMX_EXIT_CTL_SAVE_PAT, 0, "saving IA32_PAT" },
		{ WORD(exit), V3_VMX_EXIT_CTL_LOAD_PAT, 0, "loading IA32_PAT on VM exit" },
		{ WORD(exit), V3_VMX_EXIT_CTL_SAVE_EFER, 0, "saving IA32_EFER" },
		{ WORD(exit), V3_VMX_EXIT_CTL_LOAD_EFER, 0, "loading IA32_EFER on VM exit" },
		{ WORD(entry), V3_VMX_ENTRY_CTL_LOAD_DEBUG, 0, "loading DR7" },
		{ WORD(entry), V3_VMX_ENTRY_CTL_LOAD_PAT, 0, "loading IA32_PAT on VM entry" },
		{ WORD(entry), V3_VMX_ENTRY_CTL_LOAD_EFER, 0, "loading IA32_EFER on VM entry" },
		{ WORD(entry), V3_VMX_ENTRY_CTL_IA32E, 0, "64-bit guests" },
	};
	struct vmx_caps caps;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		struct vmx_msrs msrs = msrs_of(V3_FAKE_SKYLAKE_X);
		uint64_t *word = (uint64_t *)((char *)&msrs + needs[i].word);
		const char *missing;

		*word &= ~((uint64_t)needs[i].bit << 32);
		missing = vmx_caps_compute(&msrs, needs[i].off, &caps);
		assert_non_null(missing);
		assert_non_null(strstr(missing, needs[i].name));
	}
}

/* Controls that the CPU forces on, and other things it has to be. */
static void test_forced(void **state)
{
	static const struct {
		size_t word;
		uint64_t bits;
		const char *name;
	} forced[] = {
		{ WORD(proc), V3_VMX_PROC_CR3_LOAD, "CR3" },
		{ WORD(proc), V3_VMX_PROC_INVLPG, "processor-based" },
		{ WORD(proc2), V3_VMX_PROC2_DESC_TABLE, "secondary" },
		{ WORD(pin), V3_VMX_PIN_POSTED, "pin-based" },
		{ WORD(exit), V3_VMX_EXIT_CTL_ACK_INTR, "VM-exit" },
		{ WORD(entry), V3_VMX_ENTRY_CTL_SMM, "VM-entry" },
		{ WORD(cr0_fixed0), V3_CR0_WP, "CR0" },
		{ WORD(cr4_fixed0), V3_CR4_PAE, "CR4" },
		{ WORD(basic), 0x1001ull << 32, "4096" },
	};
	struct vmx_msrs msrs;
	struct vmx_caps caps;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(forced) / sizeof(forced[0]); i++) {
		uint64_t *word;
		const char *missing;

		msrs = msrs_of(V3_FAKE_SKYLAKE_X);
		word = (uint64_t *)((char *)&msrs + forced[i].word);
		*word |= forced[i].bits;
		missing = vmx_caps_compute(&msrs, 0, &caps);
		assert_non_null(missing);
		assert_non_null(strstr(missing, forced[i].name));
	}
	msrs = msrs_of(V3_FAKE_SKYLAKE_X);
	msrs.cr0_fixed1 &= ~V3_CR0_TS;
	assert_non_null(strstr(vmx_caps_compute(&msrs, 0, &caps), "CR0"));
	msrs = msrs_of(V3_FAKE_SKYLAKE_X);
	msrs.ept_vpid &= ~V3_EPT_CAP_WALK_4;
	assert_non_null(strstr(vmx_caps_compute(&msrs, 0, &caps), "four levels"));
	msrs = msrs_of(V3_FAKE_SKYLAKE_X);
	msrs.ept_vpid &= ~V3_VMX_EPT_CAP_INVEPT;
	assert_string_equal(vmx_caps_compute(&msrs, 0, &caps), "INVEPT");
	/* Without flushes of all VPIDs there are none. */
	msrs = msrs_of(V3_FAKE_SKYLAKE_X);
	msrs.ept_vpid &= ~V3_VMX_VPID_CAP_ALL;
	assert_null(vmx_caps_compute(&msrs, 0, &caps));
	assert_false(caps.vpid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_models),
		cmocka_unit_test(test_features_off),
		cmocka_unit_test(test_lone_apic_access),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_forced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
