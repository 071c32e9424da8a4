/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a CPU that has L1TF or MDS holds of others is gone before each entry; others do nothing for
 * it.
 */
#include "machine.h"

#include "x86/cpuid.h"
#include "x86/msr.h"

static struct v3_vcpu *vcpu;

/* In place of a bit that CPUID.7:EDX does not have: one of EBX. */
#define RTM (1u << 0)

/* CPUID.7:EDX bits, and IA32_ARCH_CAPABILITIES if one of them says that it is there. */
static void begin(uint32_t edx, uint64_t arch_caps, const char *off)
{
	struct v3_cpuid_regs regs;

	machine_host(V3_FAKE_SKYLAKE_X, off);
	v3_x86_cpuid(V3_CPUID_LEAF_EXT_FEATURES, 0, &regs);
	v3_fake_cpuid_set(V3_CPUID_LEAF_EXT_FEATURES, 0, regs.eax,
			  (regs.ebx & ~V3_CPUID_7_EBX_RTM) | (edx & RTM ? V3_CPUID_7_EBX_RTM : 0),
			  regs.ecx, regs.edx | (edx & ~RTM));
	if (edx & V3_CPUID_7_EDX_ARCH_CAPS)
		v3_fake_msr_set(V3_MSR_ARCH_CAPABILITIES, arch_caps);
	if (edx & V3_CPUID_7_EDX_L1D_FLUSH)
		v3_fake_msr_set(V3_MSR_FLUSH_CMD, 0);
	machine_vm();
	vcpu = v3_vm_vcpu(vm, 0);
	v3_fake_set_cpu(0);
	vmx_load(vcpu);
}

static void end(void)
{
	vmx_put(vcpu);
	machine_destroy();
}

#define FLUSH V3_CPUID_7_EDX_L1D_FLUSH
#define CLEAR V3_CPUID_7_EDX_MD_CLEAR
#define TELLS V3_CPUID_7_EDX_ARCH_CAPS

static void test_affected(void **state)
{
	static const struct {
		uint32_t edx;
		uint64_t arch_caps;
		const char *off;
		bool flush, clear;
	} cases[] = {
		{ 0, 0, NULL, false, false },
		{ FLUSH, 0, NULL, true, false },
		{ FLUSH | CLEAR, 0, NULL, true, true },
		{ FLUSH | CLEAR | TELLS, 0, NULL, true, true },
		{ FLUSH | CLEAR | TELLS, V3_ARCH_CAP_RDCL_NO, NULL, false, true },
		{ FLUSH | CLEAR | TELLS, V3_ARCH_CAP_SKIP_L1D_FLUSH, NULL, false, true },
		{ FLUSH | CLEAR | TELLS, V3_ARCH_CAP_MDS_NO, NULL, true, false },
		{ FLUSH | CLEAR | TELLS, V3_ARCH_CAP_RDCL_NO | V3_ARCH_CAP_MDS_NO, NULL, false,
		  false },
		/* By way of TSX. */
		{ CLEAR | TELLS | RTM, V3_ARCH_CAP_MDS_NO, NULL, false, true },
		{ CLEAR | TELLS | RTM, V3_ARCH_CAP_MDS_NO | V3_ARCH_CAP_TAA_NO, NULL, false,
		  false },
		{ CLEAR | TELLS | RTM, V3_ARCH_CAP_TAA_NO, NULL, false, true },
		{ TELLS | RTM, V3_ARCH_CAP_MDS_NO, NULL, false, false },
		/* Register files. */
		{ TELLS, V3_ARCH_CAP_MDS_NO | V3_ARCH_CAP_RFDS_CLEAR, NULL, false, true },
		{ CLEAR | TELLS, V3_ARCH_CAP_MDS_NO | V3_ARCH_CAP_RFDS_CLEAR | V3_ARCH_CAP_RFDS_NO,
		  NULL, false, false },
		{ TELLS, V3_ARCH_CAP_RFDS_CLEAR, "md-clear", false, false },
		{ FLUSH | CLEAR, 0, "l1d-flush", false, true },
		{ FLUSH | CLEAR, 0, "md-clear", true, false },
		{ FLUSH | CLEAR, 0, "md-clear,l1d-flush", false, false },
	};
	unsigned int i, run;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin(cases[i].edx, cases[i].arch_caps, cases[i].off);
		/* Each entry anew. */
		for (run = 0; run < 3; run++) {
			if (cases[i].edx & FLUSH)
				v3_fake_msr_set(V3_MSR_FLUSH_CMD, 0);
			v3_fake_trace_clear();
			enter(vcpu);
			if (cases[i].edx & FLUSH)
				assert_int_equal(v3_fake_msr_get(V3_MSR_FLUSH_CMD),
						 cases[i].flush ? V3_FLUSH_CMD_L1D : 0);
			assert_int_equal(v3_fake_trace_find(V3_FAKE_VERW), cases[i].clear);
		}
		/* Nothing to do is nothing done: no entry looks. */
		assert_int_equal(vmx_vcpu(vcpu)->work != 0, cases[i].flush || cases[i].clear);
		end();
	}
}

/* Cores of two kinds, of which one leaks: all are cleared, for VMs that were there before, too. */
static void test_kinds_of_cores(void **state)
{
	struct v3_cpuid_regs regs;
	unsigned int cpu;

	(void)state;
	machine_host(V3_FAKE_SKYLAKE_X, NULL);
	v3_x86_cpuid(V3_CPUID_LEAF_EXT_FEATURES, 0, &regs);
	v3_fake_cpuid_set(V3_CPUID_LEAF_EXT_FEATURES, 0, regs.eax, regs.ebx & ~V3_CPUID_7_EBX_RTM,
			  regs.ecx, regs.edx | TELLS);
	v3_fake_msr_set(V3_MSR_ARCH_CAPABILITIES, V3_ARCH_CAP_MDS_NO);
	v3_fake_msr_set_on(1, V3_MSR_ARCH_CAPABILITIES, V3_ARCH_CAP_MDS_NO | V3_ARCH_CAP_RFDS_CLEAR);
	machine_vm();
	for (cpu = 0; cpu < 2; cpu++) {
		v3_fake_set_cpu(cpu);
		v3_fake_trace_clear();
		run_once(cpu, cpu);
		assert_int_equal(v3_fake_trace_find(V3_FAKE_VERW), 1);
	}
	machine_destroy();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_affected), cmocka_unit_test(test_kinds_of_cores),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
