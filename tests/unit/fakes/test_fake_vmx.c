/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fake of VT-x: VMfail with the error numbers of the SDM (vol. 3 31.4), and complaints about
 * faults.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "expect_fail.h"
#include "fakes/fake_host.h"
#include "fakes/fake_vmx.h"
#include "fakes/fake_x86.h"
#include "paging/ept.h"
#include "vmcs_fill.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/insn_vmx.h"
#include "x86/msr.h"
#include "x86/vmcs.h"
#include "x86/vmx.h"

static struct v3_fake_host *fake;
static v3_hpa_t region, vmcs, other;

static v3_hpa_t new_region(void)
{
	const struct v3_os_hooks *os = v3_fake_host_hooks(fake);
	uint32_t revision = V3_VMX_BASIC_REVISION(v3_fake_msr_get(V3_MSR_VMX_BASIC));
	v3_hpa_t hpa;

	assert_int_equal(os->page_alloc(os->ctx, 1, 1, V3_NODE_ANY, 0, &hpa), V3_OK);
	memcpy(os->phys_to_virt(os->ctx, hpa), &revision, sizeof(revision));
	return hpa;
}

static void free_region(v3_hpa_t hpa)
{
	const struct v3_os_hooks *os = v3_fake_host_hooks(fake);

	os->page_free(os->ctx, hpa, 1);
}

static void begin(enum v3_fake_vmx_model model)
{
	fake = v3_fake_host_create();
	v3_fake_vmx_set_model(model);
	region = new_region();
	vmcs = new_region();
	other = new_region();
}

/* A CPU in VMX operation with a current VMCS, and interrupts off. */
static void begin_on(enum v3_fake_vmx_model model)
{
	begin(model);
	v3_fake_set_irqs(false);
	v3_x86_write_cr4(v3_x86_read_cr4() | V3_CR4_VMXE);
	assert_int_equal(v3_x86_vmxon(region), V3_VMX_OK);
	assert_int_equal(v3_x86_vmclear(vmcs), V3_VMX_OK);
	assert_int_equal(v3_x86_vmptrld(vmcs), V3_VMX_OK);
}

static void end(void)
{
	v3_fake_set_irqs(true);
	free_region(region);
	free_region(vmcs);
	free_region(other);
	v3_fake_host_destroy(fake);
}

static void end_on(void)
{
	assert_int_equal(v3_x86_vmclear(vmcs), V3_VMX_OK);
	assert_int_equal(v3_x86_vmxoff(), V3_VMX_OK);
	v3_x86_write_cr4(v3_x86_read_cr4() & ~V3_CR4_VMXE);
	end();
}

static void expect_error(int result, unsigned int error)
{
	uint64_t value = 0;

	assert_int_equal(result, V3_VMX_FAIL_VALID);
	assert_int_equal(v3_x86_vmread(V3_VMCS_INSN_ERROR, &value), V3_VMX_OK);
	assert_int_equal(value, error);
}

static void test_vmxon(void **state)
{
	(void)state;
	begin(V3_FAKE_SKYLAKE_X);
	EXPECT_FAIL("without CR4.VMXE: #UD", v3_x86_vmxon(region));
	EXPECT_FAIL("outside of VMX operation", v3_x86_vmxoff());
	EXPECT_FAIL("outside of VMX operation", v3_x86_vmclear(vmcs));
	v3_x86_write_cr4(v3_x86_read_cr4() | V3_CR4_VMXE);
	v3_fake_msr_set(V3_MSR_FEATURE_CONTROL, V3_FEATURE_CONTROL_LOCK);
	EXPECT_FAIL("FEATURE_CONTROL: #GP", v3_x86_vmxon(region));
	v3_fake_msr_set(V3_MSR_FEATURE_CONTROL, V3_FEATURE_CONTROL_VMX);
	EXPECT_FAIL("FEATURE_CONTROL: #GP", v3_x86_vmxon(region));
	v3_x86_wrmsr(V3_MSR_FEATURE_CONTROL, V3_FEATURE_CONTROL_VMX | V3_FEATURE_CONTROL_LOCK);
	EXPECT_FAIL("locked", v3_x86_wrmsr(V3_MSR_FEATURE_CONTROL, V3_FEATURE_CONTROL_LOCK));
	v3_fake_msr_set(V3_MSR_FEATURE_CONTROL, V3_FEATURE_CONTROL_VMX | V3_FEATURE_CONTROL_LOCK);
	v3_x86_write_cr0(v3_x86_read_cr0() & ~V3_CR0_NE);
	EXPECT_FAIL("CR0", v3_x86_vmxon(region));
	v3_x86_write_cr0(v3_x86_read_cr0() | V3_CR0_NE);
	/* Regions that are none. */
	assert_int_equal(v3_x86_vmxon(region + 8), V3_VMX_FAIL_INVALID);
	assert_int_equal(v3_x86_vmxon(1ull << 40), V3_VMX_FAIL_INVALID);
	memset(v3_fake_host_hooks(fake)->phys_to_virt(fake, region), 0, 4);
	assert_int_equal(v3_x86_vmxon(region), V3_VMX_FAIL_INVALID);
	assert_false(v3_fake_vmx_on());
	assert_int_equal(v3_x86_vmxon(other), V3_VMX_OK);
	assert_int_equal(v3_fake_vmx_region(), other);
	/* Twice; without and with a current VMCS. */
	assert_int_equal(v3_x86_vmxon(other), V3_VMX_FAIL_INVALID);
	assert_int_equal(v3_x86_vmclear(vmcs), V3_VMX_OK);
	assert_int_equal(v3_x86_vmptrld(vmcs), V3_VMX_OK);
	expect_error(v3_x86_vmxon(other), 15);
	EXPECT_FAIL("#GP", v3_x86_write_cr4(v3_x86_read_cr4() & ~V3_CR4_VMXE));
	EXPECT_FAIL("VMXON region", free_region(other));
	other = new_region();
	EXPECT_FAIL("active: VMCLEAR it first", v3_x86_vmxoff());
	assert_false(v3_fake_vmx_on());
	/* Each CPU has its own. */
	v3_fake_set_cpu(1);
	EXPECT_FAIL("without CR4.VMXE: #UD", v3_x86_vmxon(region));
	v3_fake_vmx_other_owner(true);
	assert_true(v3_x86_read_cr4() & V3_CR4_VMXE);
	assert_int_equal(v3_x86_vmxon(region), V3_VMX_FAIL_INVALID);
	EXPECT_FAIL("somebody else", v3_x86_vmxoff());
	assert_true(v3_fake_vmx_on());
	v3_fake_vmx_other_owner(false);
	assert_false(v3_x86_read_cr4() & V3_CR4_VMXE);
	v3_fake_set_cpu(0);
	EXPECT_FAIL("freed while active on CPU 0", free_region(vmcs));
	vmcs = new_region();
	end();
}

/* The host goes while a CPU is in VMX operation. */
static void test_left_on(void **state)
{
	(void)state;
	begin_on(V3_FAKE_SKYLAKE_X);
	assert_int_equal(v3_x86_vmclear(vmcs), V3_VMX_OK);
	v3_fake_set_irqs(true);
	EXPECT_FAIL("VMXON region", free_region(region));
	free_region(vmcs);
	free_region(other);
	EXPECT_FAIL("CPU 0 is still in VMX operation", v3_fake_host_destroy(fake));
}

static void test_regions(void **state)
{
	(void)state;
	begin_on(V3_FAKE_SKYLAKE_X);
	expect_error(v3_x86_vmclear(vmcs + 1), 2);
	expect_error(v3_x86_vmclear(1ull << 40), 2);
	expect_error(v3_x86_vmclear(region), 3);
	expect_error(v3_x86_vmptrld(vmcs + 1), 9);
	expect_error(v3_x86_vmptrld(region), 10);
	EXPECT_FAIL("never cleared", v3_x86_vmptrld(other));
	assert_int_equal(v3_x86_vmclear(other), V3_VMX_OK);
	memset(v3_fake_host_hooks(fake)->phys_to_virt(fake, other), 0, 4);
	expect_error(v3_x86_vmptrld(other), 11);
	assert_int_equal(v3_fake_vmcs_current(), vmcs);
	assert_int_equal(v3_fake_vmcs_active_on(vmcs), 0);
	assert_int_equal(v3_fake_vmcs_active_on(other), -1);
	/* A VMCS is active on one CPU at a time. */
	v3_fake_set_cpu(1);
	v3_x86_write_cr4(v3_x86_read_cr4() | V3_CR4_VMXE);
	memcpy(v3_fake_host_hooks(fake)->phys_to_virt(fake, other),
	       v3_fake_host_hooks(fake)->phys_to_virt(fake, region), 4);
	assert_int_equal(v3_x86_vmxon(other), V3_VMX_OK);
	EXPECT_FAIL("active on CPU 0", v3_x86_vmptrld(vmcs));
	EXPECT_FAIL("active on CPU 0", v3_x86_vmclear(vmcs));
	v3_fake_set_cpu(0);
	assert_int_equal(v3_x86_vmclear(vmcs), V3_VMX_OK);
	assert_int_equal(v3_fake_vmcs_current(), V3_HPA_NONE);
	v3_fake_set_cpu(1);
	assert_int_equal(v3_x86_vmptrld(vmcs), V3_VMX_OK);
	assert_int_equal(v3_x86_vmclear(vmcs), V3_VMX_OK);
	assert_int_equal(v3_x86_vmxoff(), V3_VMX_OK);
	v3_fake_set_cpu(0);
	end_on();
}

static void test_fields(void **state)
{
	uint64_t value = 77;

	(void)state;
	begin_on(V3_FAKE_SANDY_BRIDGE_2600K);
	assert_int_equal(v3_x86_vmwrite(V3_VMCS_GUEST_RIP, 0x1234567890), V3_VMX_OK);
	assert_int_equal(v3_x86_vmread(V3_VMCS_GUEST_RIP, &value), V3_VMX_OK);
	assert_int_equal(value, 0x1234567890);
	assert_int_equal(v3_fake_vmx_vmwrites(), 1);
	assert_int_equal(v3_fake_vmx_vmreads(), 1);
	EXPECT_FAIL("never written", v3_x86_vmread(V3_VMCS_GUEST_RSP, &value));
	EXPECT_FAIL("16 bits", v3_x86_vmwrite(V3_VMCS_VPID, 0x10000));
	EXPECT_FAIL("32 bits", v3_x86_vmwrite(V3_VMCS_PIN_CTLS, 1ull << 32));
	/* No such field; fields that this model lacks; half of a field. */
	expect_error(v3_x86_vmwrite(0x7ffe, 0), 12);
	expect_error(v3_x86_vmread(V3_VMCS_XSS_EXIT_BITMAP, &value), 12);
	expect_error(v3_x86_vmwrite(V3_VMCS_TSC_MULTIPLIER, 0), 12);
	expect_error(v3_x86_vmwrite(V3_VMCS_EPTP + 1, 0), 12);
	expect_error(v3_x86_vmwrite(V3_VMCS_EXIT_REASON, 0), 13);
	/* The test may. */
	v3_fake_vmcs_set(vmcs, V3_VMCS_EXIT_REASON, V3_VMX_REASON_HLT);
	assert_int_equal(v3_x86_vmread(V3_VMCS_EXIT_REASON, &value), V3_VMX_OK);
	assert_int_equal(value, V3_VMX_REASON_HLT);
	EXPECT_FAIL("no such field", v3_fake_vmcs_set(vmcs, V3_VMCS_TSC_MULTIPLIER, 0));
	EXPECT_FAIL("no such VMCS", v3_fake_vmcs_set(other, V3_VMCS_GUEST_RIP, 0));
	EXPECT_FAIL("is no VMCS", v3_fake_vmcs_launched(other));
	/* Without a current VMCS nowhere to put an error. */
	assert_int_equal(v3_x86_vmclear(vmcs), V3_VMX_OK);
	assert_int_equal(v3_x86_vmread(V3_VMCS_GUEST_RIP, &value), V3_VMX_FAIL_INVALID);
	assert_int_equal(v3_x86_vmwrite(V3_VMCS_GUEST_RIP, 0), V3_VMX_FAIL_INVALID);
	assert_int_equal(v3_fake_vmcs_get(vmcs, V3_VMCS_GUEST_RIP), 0x1234567890);
	end_on();
	/* A later CPU lets software write what exits write (IA32_VMX_MISC bit 29). */
	begin_on(V3_FAKE_HASWELL_4770);
	assert_int_equal(v3_x86_vmwrite(V3_VMCS_EXIT_REASON, 0), V3_VMX_OK);
	end_on();
}

/* Each model has what it has in Bochs. */
static void test_models(void **state)
{
	static const struct {
		unsigned int max_leaf;
		bool vpid, unrestricted, intr_delivery, xsaves, tsc_scaling, avx, timer;
	} expected[V3_FAKE_VMX_MODELS] = {
		[V3_FAKE_SKYLAKE_X] = { 3, true, true, true, true, true, true, true },
		[V3_FAKE_HASWELL_4770] = { 3, true, true, true, false, false, true, true },
		[V3_FAKE_SANDY_BRIDGE_2600K] = { 2, true, true, false, false, false, true, true },
		[V3_FAKE_PENRYN_T9600] = { 0, false, false, false, false, false, false, false },
	};
	struct v3_cpuid_regs regs;
	unsigned int i;

	(void)state;
	for (i = 0; i < V3_FAKE_VMX_MODELS; i++) {
		uint64_t proc2, cap = 0;

		begin((enum v3_fake_vmx_model)i);
		proc2 = v3_x86_rdmsr(V3_MSR_VMX_PROCBASED_CTLS2) >> 32;
		if (proc2 & (V3_VMX_PROC2_EPT | V3_VMX_PROC2_VPID))
			cap = v3_x86_rdmsr(V3_MSR_VMX_EPT_VPID_CAP);
		else
			EXPECT_FAIL("RDMSR", v3_x86_rdmsr(V3_MSR_VMX_EPT_VPID_CAP));
		assert_int_equal(cap ? v3_ept_format(cap, false)->max_leaf : 0,
				 expected[i].max_leaf);
		assert_int_equal(!!(proc2 & V3_VMX_PROC2_VPID), expected[i].vpid);
		assert_int_equal(!!(proc2 & V3_VMX_PROC2_UNRESTRICTED), expected[i].unrestricted);
		assert_int_equal(!!(proc2 & V3_VMX_PROC2_INTR_DELIVERY), expected[i].intr_delivery);
		assert_int_equal(!!(proc2 & V3_VMX_PROC2_XSAVES), expected[i].xsaves);
		assert_int_equal(!!(proc2 & V3_VMX_PROC2_TSC_SCALING), expected[i].tsc_scaling);
		assert_int_equal(v3_x86_rdmsr(V3_MSR_VMX_PINBASED_CTLS) >> 32 & V3_VMX_PIN_TIMER,
				 expected[i].timer ? V3_VMX_PIN_TIMER : 0);
		v3_x86_cpuid(V3_CPUID_LEAF_FEATURES, 0, &regs);
		assert_true(regs.ecx & V3_CPUID_1_ECX_VMX);
		assert_int_equal(v3_x86_xgetbv(0) & V3_XCR0_AVX, expected[i].avx ? V3_XCR0_AVX : 0);
		v3_x86_cpuid(V3_CPUID_LEAF_SVM, 0, &regs);
		assert_int_equal(regs.eax | regs.ebx | regs.ecx | regs.edx, 0);
		v3_x86_cpuid(V3_CPUID_LEAF_EXT1, 0, &regs);
		assert_false(regs.ecx & V3_CPUID_80000001_ECX_SVM);
		EXPECT_FAIL("RDMSR", v3_x86_rdmsr(V3_MSR_VM_CR));
		EXPECT_FAIL("not writable", v3_x86_wrmsr(V3_MSR_VMX_BASIC, 0));
		EXPECT_FAIL("have one", v3_fake_vmx_set_model(V3_FAKE_SKYLAKE_X));
		assert_non_null(v3_fake_vmx_model_name((enum v3_fake_vmx_model)i));
		end();
	}
}

static void test_deny(void **state)
{
	uint64_t value;

	(void)state;
	begin_on(V3_FAKE_SKYLAKE_X);
	assert_int_equal(v3_x86_vmwrite(V3_VMCS_VPID, 1), V3_VMX_OK);
	v3_fake_vmx_deny(V3_MSR_VMX_PROCBASED_CTLS2, V3_VMX_PROC2_VPID);
	expect_error(v3_x86_vmwrite(V3_VMCS_VPID, 1), 12);
	assert_int_equal(v3_x86_vmwrite(V3_VMCS_PREEMPTION_TIMER, 1), V3_VMX_OK);
	v3_fake_vmx_deny(V3_MSR_VMX_PINBASED_CTLS, V3_VMX_PIN_TIMER);
	expect_error(v3_x86_vmread(V3_VMCS_PREEMPTION_TIMER, &value), 12);
	assert_false(v3_x86_rdmsr(V3_MSR_VMX_TRUE_PINBASED_CTLS) >> 32 & V3_VMX_PIN_TIMER);
	EXPECT_FAIL("cannot be taken away", v3_fake_vmx_deny(V3_MSR_VMX_PROCBASED_CTLS, 1u << 1));
	end_on();
}

static void test_invalidation(void **state)
{
	const uint64_t eptp = 0x80000000ull | V3_EPTP_WALK_4 | V3_MEMTYPE_WB;

	(void)state;
	begin_on(V3_FAKE_SANDY_BRIDGE_2600K);
	v3_fake_trace_clear();
	assert_int_equal(v3_x86_invept(V3_INVEPT_ONE, eptp), V3_VMX_OK);
	assert_int_equal(v3_x86_invept(V3_INVEPT_ALL, 0), V3_VMX_OK);
	assert_int_equal(v3_fake_trace_find(V3_FAKE_INVEPT), 2);
	assert_int_equal(v3_fake_trace_at(0)->arg, V3_INVEPT_ONE);
	assert_int_equal(v3_fake_trace_at(0)->value, eptp);
	expect_error(v3_x86_invept(0, eptp), 28);
	expect_error(v3_x86_invept(3, eptp), 28);
	expect_error(v3_x86_invept(V3_INVEPT_ONE, 0x80000000), 28);
	expect_error(v3_x86_invept(V3_INVEPT_ONE, eptp | 1ull << 40), 28);
	/* This model has no accessed and dirty flags. */
	expect_error(v3_x86_invept(V3_INVEPT_ONE, eptp | V3_EPTP_AD), 28);
	assert_int_equal(v3_x86_invvpid(V3_INVVPID_ONE, 5, 0), V3_VMX_OK);
	assert_int_equal(v3_x86_invvpid(V3_INVVPID_ADDRESS, 5, 0x1000), V3_VMX_OK);
	assert_int_equal(v3_x86_invvpid(V3_INVVPID_ALL, 0, 0), V3_VMX_OK);
	assert_int_equal(v3_fake_trace_at(2)->arg, V3_INVVPID_ONE << 16 | 5);
	expect_error(v3_x86_invvpid(V3_INVVPID_ONE, 0, 0), 28);
	expect_error(v3_x86_invvpid(V3_INVVPID_ADDRESS, 5, 1ull << 47), 28);
	expect_error(v3_x86_invvpid(4, 5, 0), 28);
	v3_fake_msr_set(V3_MSR_VMX_EPT_VPID_CAP, V3_VMX_VPID_CAP_INVVPID | V3_VMX_VPID_CAP_ALL);
	expect_error(v3_x86_invvpid(V3_INVVPID_ONE, 5, 0), 28);
	EXPECT_FAIL("INVEPT, which this CPU does not have", v3_x86_invept(V3_INVEPT_ALL, 0));
	end_on();
}

/* --- Entries --- */

static unsigned int scripts;

static void halts(void *arg, v3_hpa_t hpa, uint64_t *gpr)
{
	assert_ptr_equal(arg, &scripts);
	assert_int_equal(hpa, vmcs);
	assert_int_equal(gpr[3], 0x33);
	gpr[3]++;
	scripts++;
	/* While the guest runs, its own registers are in the CPU. */
	assert_int_equal(v3_fake_msr_get(V3_MSR_PAT),
			 v3_fake_vmcs_get(hpa, V3_VMCS_ENTRY_CTLS) & V3_VMX_ENTRY_CTL_LOAD_PAT ?
				 0x0606060606060606 : V3_PAT_RESET);
	v3_fake_msr_set(V3_MSR_LSTAR, 0xbad);
	v3_fake_vmcs_set(hpa, V3_VMCS_EXIT_REASON, V3_VMX_REASON_HLT);
}

static void begin_entry(enum v3_fake_vmx_model model)
{
	begin_on(model);
	vmcs_fill(vmcs);
	scripts = 0;
	v3_fake_vmx_set_script(halts, &scripts);
}

static void test_entry(void **state)
{
	const struct v3_os_hooks *os;
	uint64_t gpr[16] = { [3] = 0x33 }, value, lstar;
	uint64_t area[2] = { V3_MSR_LSTAR, 0 };
	v3_hpa_t page;
	unsigned int model;

	(void)state;
	for (model = 0; model < V3_FAKE_VMX_MODELS; model++) {
		begin_entry((enum v3_fake_vmx_model)model);
		os = v3_fake_host_hooks(fake);
		/* What an exit does not restore by itself, an area does. */
		page = other;
		lstar = area[1] = v3_fake_msr_get(V3_MSR_LSTAR);
		memcpy(os->phys_to_virt(os->ctx, page), area, sizeof(area));
		v3_fake_vmcs_set(vmcs, V3_VMCS_EXIT_MSR_LOAD, page);
		v3_fake_vmcs_set(vmcs, V3_VMCS_EXIT_MSR_LOAD_COUNT, 1);
		v3_fake_vmcs_set(vmcs, V3_VMCS_ENTRY_EVENT,
				 V3_VMX_EVENT_VALID |
					 V3_VMX_EVENT_NMI << V3_VMX_EVENT_TYPE_SHIFT | 2);
		gpr[3] = 0x33;
		v3_x86_write_dr7(0x7ff);
		expect_error(v3_fake_vmx_enter(gpr, true), 5);
		assert_int_equal(v3_fake_vmx_enter(gpr, false), V3_VMX_OK);
		assert_int_equal(scripts, 1);
		assert_int_equal(v3_fake_vmx_entries(), 1);
		assert_int_equal(gpr[3], 0x34);
		assert_true(v3_fake_vmcs_launched(vmcs));
		assert_int_equal(v3_x86_vmread(V3_VMCS_EXIT_REASON, &value), V3_VMX_OK);
		assert_int_equal(value, V3_VMX_REASON_HLT);
		/* The event has gone in, and the host has its registers. */
		assert_int_equal(v3_x86_vmread(V3_VMCS_ENTRY_EVENT, &value), V3_VMX_OK);
		assert_false(value & V3_VMX_EVENT_VALID);
		assert_int_equal(v3_fake_msr_get(V3_MSR_LSTAR), lstar);
		assert_int_equal(v3_fake_msr_get(V3_MSR_PAT), V3_PAT_RESET);
		assert_int_equal(v3_x86_read_dr7(), V3_DR7_RESET);
		assert_int_equal(v3_fake_segs()->gdtr.limit, 0xffff);
		assert_int_equal(v3_fake_segs()->tr, 0x40);
		assert_false(v3_fake_irqs_on());
		/* Launched: resume. Cleared: launch. */
		gpr[3] = 0x33;
		expect_error(v3_fake_vmx_enter(gpr, false), 4);
		assert_int_equal(v3_fake_vmx_enter(gpr, true), V3_VMX_OK);
		assert_int_equal(v3_x86_vmclear(vmcs), V3_VMX_OK);
		assert_int_equal(v3_fake_vmx_enter(gpr, true), V3_VMX_FAIL_INVALID);
		assert_int_equal(v3_x86_vmptrld(vmcs), V3_VMX_OK);
		expect_error(v3_fake_vmx_enter(gpr, true), 5);
		assert_int_equal(v3_fake_trace_find(V3_FAKE_VMENTRY), 2);
		end_on();
	}
}

/* One wrong field at a time: how the entry ends. */
enum outcome { CONTROLS = 7, HOST = 8, STATE = 33, MSRS = 34 };

static const struct {
	uint32_t field;
	uint64_t value;
	enum outcome outcome;
} wrong[] = {
	{ V3_VMCS_PIN_CTLS, 0, CONTROLS },
	{ V3_VMCS_PIN_CTLS, 0x80000016, CONTROLS },
	{ V3_VMCS_PROC_CTLS, 0, CONTROLS },
	{ V3_VMCS_PROC_CTLS2, 1u << 31, CONTROLS },
	{ V3_VMCS_EXIT_CTLS, 0, CONTROLS },
	{ V3_VMCS_ENTRY_CTLS, 0, CONTROLS },
	{ V3_VMCS_MSR_BITMAP, 0x80000800, CONTROLS },
	{ V3_VMCS_EPTP, 0x80000000, CONTROLS },
	{ V3_VMCS_VPID, 0, CONTROLS },
	{ V3_VMCS_CR3_TARGET_COUNT, 5, CONTROLS },
	{ V3_VMCS_PROC_CTLS2, V3_VMX_PROC2_UNRESTRICTED, CONTROLS },
	{ V3_VMCS_PROC_CTLS2, V3_VMX_PROC2_X2APIC, CONTROLS },
	/*
	 * Events: no error code for #PF, one for #UD, vector 32 as exception, software interrupt of
	 * length 0
	 */
	{ V3_VMCS_ENTRY_EVENT, 0x8000030e, CONTROLS },
	{ V3_VMCS_ENTRY_EVENT, 0x80000b06, CONTROLS },
	{ V3_VMCS_ENTRY_EVENT, 0x80000320, CONTROLS },
	{ V3_VMCS_ENTRY_EVENT, 0x80000430, CONTROLS },
	{ V3_VMCS_ENTRY_EVENT, 0x80000203, CONTROLS },
	{ V3_VMCS_ENTRY_EVENT, 0x80002030, CONTROLS },
	{ V3_VMCS_HOST_CS, 0, HOST },
	{ V3_VMCS_HOST_SS, 0x1b, HOST },
	{ V3_VMCS_HOST_TR, 0, HOST },
	{ V3_VMCS_HOST_TR_BASE, 1ull << 47, HOST },
	{ V3_VMCS_HOST_PAT, 2, HOST },
	{ V3_VMCS_HOST_EFER, 0, HOST },
	{ V3_VMCS_GUEST_CR0, V3_CR0_PG | V3_CR0_NE, STATE },
	{ V3_VMCS_GUEST_CR0, V3_CR0_PE | V3_CR0_PG, STATE },
	{ V3_VMCS_GUEST_CR4, 0, STATE },
	{ V3_VMCS_GUEST_CR3, 1ull << 52, STATE },
	{ V3_VMCS_GUEST_EFER, 0, STATE },
	{ V3_VMCS_GUEST_DR7, 1ull << 32, STATE },
	{ V3_VMCS_GUEST_RFLAGS, 0, STATE },
	{ V3_VMCS_GUEST_RFLAGS, V3_RFLAGS_FIXED1 | V3_RFLAGS_VM, STATE },
	{ V3_VMCS_GUEST_RIP, 1ull << 48, STATE },
	{ V3_VMCS_GUEST_ACCESS(1), 0xa092, STATE },
	{ V3_VMCS_GUEST_ACCESS(1), V3_VMX_SEG_UNUSABLE, STATE },
	{ V3_VMCS_GUEST_ACCESS(1), 0xe09b, STATE },
	{ V3_VMCS_GUEST_ACCESS(3), 0xc090, STATE },
	{ V3_VMCS_GUEST_LIMIT(3), 0xfff00000, STATE },
	{ V3_VMCS_GUEST_BASE(2), 1ull << 32, STATE },
	{ V3_VMCS_GUEST_ACCESS(7), V3_VMX_SEG_UNUSABLE, STATE },
	{ V3_VMCS_GUEST_ACCESS(7), 0x89, STATE },
	{ V3_VMCS_GUEST_BASE(7), 1ull << 47, STATE },
	{ V3_VMCS_GUEST_PAT, 2, STATE },
	{ V3_VMCS_GUEST_PENDING_DEBUG, 0x10, STATE },
	{ V3_VMCS_GUEST_INTERRUPTIBILITY, V3_VMX_BLOCK_STI | V3_VMX_BLOCK_MOV_SS, STATE },
	{ V3_VMCS_GUEST_GDTR_LIMIT, 0x10000, STATE },
	{ V3_VMCS_GUEST_INTERRUPTIBILITY, V3_VMX_BLOCK_STI, STATE },
	{ V3_VMCS_GUEST_INTERRUPTIBILITY, 0x10, STATE },
	{ V3_VMCS_GUEST_ACTIVITY, 4, STATE },
	{ V3_VMCS_LINK_POINTER, 0, STATE },
	/* An external interrupt with RFLAGS.IF clear */
	{ V3_VMCS_ENTRY_EVENT, 0x80000030, STATE },
};

static void test_wrong_fields(void **state)
{
	uint64_t gpr[16] = { [3] = 0x33 }, right, value;
	unsigned int i;

	(void)state;
	begin_entry(V3_FAKE_SKYLAKE_X);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		right = v3_fake_vmcs_get(vmcs, wrong[i].field);
		v3_fake_vmcs_set(vmcs, wrong[i].field, wrong[i].value);
		if (wrong[i].field == V3_VMCS_HOST_PAT || wrong[i].field == V3_VMCS_HOST_EFER)
			v3_fake_msr_set(wrong[i].field == V3_VMCS_HOST_PAT ? V3_MSR_PAT :
									     V3_MSR_EFER,
					wrong[i].value);
		if (wrong[i].outcome < STATE) {
			expect_error(v3_fake_vmx_enter(gpr, false), wrong[i].outcome);
		} else {
			assert_int_equal(v3_fake_vmx_enter(gpr, false), V3_VMX_OK);
			assert_int_equal(v3_x86_vmread(V3_VMCS_EXIT_REASON, &value), V3_VMX_OK);
			assert_int_equal(value, wrong[i].outcome | V3_VMX_REASON_ENTRY_FAILED);
		}
		assert_false(v3_fake_vmcs_launched(vmcs));
		v3_fake_vmcs_set(vmcs, wrong[i].field, right);
		v3_fake_msr_set(V3_MSR_PAT, v3_fake_vmcs_get(vmcs, V3_VMCS_HOST_PAT));
		v3_fake_msr_set(V3_MSR_EFER, v3_fake_vmcs_get(vmcs, V3_VMCS_HOST_EFER));
	}
	assert_int_equal(scripts, 0);
	/* All of it was the fields' fault. */
	assert_int_equal(v3_fake_vmx_enter(gpr, false), V3_VMX_OK);
	assert_int_equal(scripts, 1);
	end_on();
}

/* Real mode, with unrestricted guest and without. */
static void test_real_mode(void **state)
{
	uint64_t gpr[16] = { [3] = 0x33 }, value;

	(void)state;
	begin_entry(V3_FAKE_SANDY_BRIDGE_2600K);
	vmcs_fill_real_mode(vmcs);
	assert_int_equal(v3_fake_vmx_enter(gpr, false), V3_VMX_OK);
	assert_int_equal(v3_x86_vmread(V3_VMCS_EXIT_REASON, &value), V3_VMX_OK);
	assert_int_equal(value, V3_VMX_REASON_HLT);
	value = v3_fake_vmcs_get(vmcs, V3_VMCS_PROC_CTLS2) & ~(uint64_t)V3_VMX_PROC2_UNRESTRICTED;
	assert_int_equal(v3_x86_vmwrite(V3_VMCS_PROC_CTLS2, value), V3_VMX_OK);
	gpr[3] = 0x33;
	assert_int_equal(v3_fake_vmx_enter(gpr, true), V3_VMX_OK);
	assert_int_equal(v3_x86_vmread(V3_VMCS_EXIT_REASON, &value), V3_VMX_OK);
	assert_int_equal(value, V3_VMX_REASON_ENTRY_STATE | V3_VMX_REASON_ENTRY_FAILED);
	end_on();
}

static void test_entry_msrs(void **state)
{
	const struct v3_os_hooks *os;
	uint64_t gpr[16] = { [3] = 0x33 }, value, *area;

	(void)state;
	begin_entry(V3_FAKE_SKYLAKE_X);
	os = v3_fake_host_hooks(fake);
	area = os->phys_to_virt(os->ctx, other);
	area[0] = V3_MSR_LSTAR;
	area[1] = 1;
	area[2] = V3_MSR_FS_BASE;	/* may not be in an area */
	area[3] = 2;
	v3_fake_vmcs_set(vmcs, V3_VMCS_ENTRY_MSR_LOAD, other);
	v3_fake_vmcs_set(vmcs, V3_VMCS_ENTRY_MSR_LOAD_COUNT, 2);
	assert_int_equal(v3_fake_vmx_enter(gpr, false), V3_VMX_OK);
	assert_int_equal(v3_x86_vmread(V3_VMCS_EXIT_REASON, &value), V3_VMX_OK);
	assert_int_equal(value, MSRS | V3_VMX_REASON_ENTRY_FAILED);
	assert_int_equal(v3_x86_vmread(V3_VMCS_EXIT_QUALIFICATION, &value), V3_VMX_OK);
	assert_int_equal(value, 2);
	/* Stored at exit: what the guest left. */
	v3_fake_vmcs_set(vmcs, V3_VMCS_ENTRY_MSR_LOAD_COUNT, 1);
	v3_fake_vmcs_set(vmcs, V3_VMCS_EXIT_MSR_STORE, other);
	v3_fake_vmcs_set(vmcs, V3_VMCS_EXIT_MSR_STORE_COUNT, 1);
	assert_int_equal(v3_fake_vmx_enter(gpr, false), V3_VMX_OK);
	assert_int_equal(area[1], 0xbad);
	v3_fake_vmcs_set(vmcs, V3_VMCS_EXIT_MSR_STORE, other + 8);
	expect_error(v3_fake_vmx_enter(gpr, true), CONTROLS);
	end_on();
}

/* What no CPU finds, but breaks the host. */
static void test_own_rules(void **state)
{
	static const uint32_t own[] = {
		V3_VMCS_HOST_CR3, V3_VMCS_HOST_FS_BASE, V3_VMCS_HOST_GS_BASE,
		V3_VMCS_HOST_SYSENTER_EIP, V3_VMCS_HOST_TR_BASE, V3_VMCS_HOST_CS,
	};
	uint64_t gpr[16] = { [3] = 0x33 }, right;
	struct v3_x86_segs segs;
	unsigned int i;

	(void)state;
	begin_entry(V3_FAKE_SKYLAKE_X);
	segs = *v3_fake_segs();
	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		right = v3_fake_vmcs_get(vmcs, own[i]);
		v3_fake_vmcs_set(vmcs, own[i], right + 0x1000);
		EXPECT_FAIL("for the host's", v3_fake_vmx_enter(gpr, i > 0));
		/* The exit has loaded that. */
		v3_x86_write_cr3(0x1000);
		*v3_fake_segs() = segs;
		gpr[3] = 0x33;
		v3_fake_vmcs_set(vmcs, own[i], right);
	}
	v3_fake_set_irqs(true);
	EXPECT_FAIL("with interrupts on", v3_fake_vmx_enter(gpr, true));
	v3_fake_set_irqs(false);
	v3_fake_vmx_set_script(NULL, NULL);
	EXPECT_FAIL("no script", v3_fake_vmx_enter(gpr, true));
	/* Another VMCS, with nothing in it. */
	assert_int_equal(v3_x86_vmclear(other), V3_VMX_OK);
	assert_int_equal(v3_x86_vmptrld(other), V3_VMX_OK);
	EXPECT_FAIL("nobody wrote", v3_fake_vmx_enter(gpr, false));
	assert_int_equal(v3_x86_vmclear(other), V3_VMX_OK);
	end_on();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vmxon),
		cmocka_unit_test(test_left_on),
		cmocka_unit_test(test_regions),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_models),
		cmocka_unit_test(test_deny),
		cmocka_unit_test(test_invalidation),
		cmocka_unit_test(test_entry),
		cmocka_unit_test(test_wrong_fields),
		cmocka_unit_test(test_real_mode),
		cmocka_unit_test(test_entry_msrs),
		cmocka_unit_test(test_own_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
