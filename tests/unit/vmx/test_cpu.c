/* SPDX-License-Identifier: BSD-2-Clause */
/* Detection of VT-x, and taking it on CPUs and giving it back. SDM vol. 3 24.6 to 24.8. */
#include "machine.h"

#include "fakes/fake_x86_state.h"
#include "paging/ept.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/msr.h"

static enum v3_status init(void)
{
	return v3_init(&hooks, &host);
}

static bool logged(const char *text)
{
	return v3_fake_host_log_has(fake, V3_LOG_ERROR, text);
}

/* --- Probe --- */

static void test_caps(void **state)
{
	struct v3_host_caps caps;

	(void)state;
	machine_host(V3_FAKE_SKYLAKE_X, NULL);
	assert_int_equal(init(), V3_OK);
	v3_host_caps(host, &caps);
	assert_string_equal(caps.backend, "vmx");
	assert_int_equal(caps.num_asids, 65536);
	assert_true(caps.nested_paging && caps.nested_1g && caps.next_rip && caps.flush_by_asid &&
		    caps.pause_filter);
	assert_false(caps.decode_assist || caps.clean_bits);
	assert_true(caps.phys_bits >= 36);
	machine_destroy();
	machine_host(V3_FAKE_SKYLAKE_X, "vpid,ple,ept-1g");
	assert_int_equal(init(), V3_OK);
	v3_host_caps(host, &caps);
	assert_int_equal(caps.num_asids, 1);
	assert_false(caps.nested_1g || caps.flush_by_asid || caps.pause_filter);
	machine_destroy();
}

static void test_penryn(void **state)
{
	(void)state;
	machine_host(V3_FAKE_PENRYN_T9600, NULL);
	assert_int_equal(init(), V3_ERR_NOTSUP);
	assert_true(logged("lacks extended page tables (EPT), which libv3 needs"));
	machine_destroy();
}

static void test_firmware(void **state)
{
	(void)state;
	machine_host(V3_FAKE_SKYLAKE_X, NULL);
	v3_fake_msr_set(V3_MSR_FEATURE_CONTROL, V3_FEATURE_CONTROL_LOCK);
	assert_int_equal(init(), V3_ERR_DENIED);
	assert_true(logged("disabled by firmware"));
	/* VMX in SMX operation is another bit. */
	v3_fake_msr_set(V3_MSR_FEATURE_CONTROL,
			V3_FEATURE_CONTROL_LOCK | V3_FEATURE_CONTROL_VMX_SMX);
	assert_int_equal(init(), V3_ERR_DENIED);
	machine_destroy();
}

static void test_no_extension(void **state)
{
	(void)state;
	machine_host(V3_FAKE_SKYLAKE_X, NULL);
	v3_fake_cpuid_at(V3_CPUID_LEAF_FEATURES, 0)->ecx &= ~V3_CPUID_1_ECX_VMX;
	assert_int_equal(init(), V3_ERR_NOTSUP);
	assert_true(logged("no Intel VT-x"));
	machine_destroy();
}

static void test_features_off(void **state)
{
	static const char *const bad[] = {
		"nosuch", "vpid,nosuch", "vpi", "vpidx", ",", "vpid,,ple",
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		machine_host(V3_FAKE_SKYLAKE_X, bad[i]);
		assert_int_equal(init(), V3_ERR_INVALID);
		assert_true(logged("cannot be switched off: there are vpid invvpid-one"));
		machine_destroy();
	}
	machine_host(V3_FAKE_SKYLAKE_X, "");
	assert_int_equal(init(), V3_OK);
	assert_int_equal(host->features_off, 0);
	machine_destroy();
	machine_host(V3_FAKE_SKYLAKE_X, "ple,invpcid");
	assert_int_equal(init(), V3_OK);
	assert_int_equal(host->features_off, 1u << VMX_F_PLE | 1u << VMX_F_INVPCID);
	machine_destroy();
}

/* Guests do not see instructions that would raise #UD. */
static void test_hidden_instructions(void **state)
{
	(void)state;
	machine_create(V3_FAKE_SKYLAKE_X, "rdtscp,invpcid");
	assert_false(v3_vm_has(vm, V3_CPU_EXT1_EDX, V3_CPUID_80000001_EDX_RDTSCP));
	assert_false(v3_vm_has(vm, V3_CPU_7_EBX, V3_CPUID_7_EBX_INVPCID));
	machine_destroy();
	machine_create(V3_FAKE_SKYLAKE_X, NULL);
	assert_true(v3_vm_has(vm, V3_CPU_EXT1_EDX, V3_CPUID_80000001_EDX_RDTSCP));
	assert_true(v3_vm_has(vm, V3_CPU_7_EBX, V3_CPUID_7_EBX_INVPCID));
	assert_true(vmx_vm(vm)->proc2 & V3_VMX_PROC2_RDTSCP);
	assert_true(vmx_vm(vm)->proc2 & V3_VMX_PROC2_INVPCID);
	machine_destroy();
}

/* A guest that spins disturbs nobody on a CPU of its own. */
static void test_pause(void **state)
{
	(void)state;
	machine_create(V3_FAKE_SKYLAKE_X, NULL);
	assert_true(vmx_vm(vm)->proc2 & V3_VMX_PROC2_PLE);
	vmx_vm_destroy(vm);
	vm->yield_policy = V3_YIELD_NEVER;
	assert_int_equal(vmx_vm_create(vm), V3_OK);
	assert_false(vmx_vm(vm)->proc2 & V3_VMX_PROC2_PLE);
	machine_destroy();
}

/* XSAVES raises #UD where guests are not shown it; what goes without it is there. */
static void test_xsaves(void **state)
{
	unsigned int with;

	(void)state;
	for (with = 0; with < 2; with++) {
		struct v3_cpuid_regs regs;

		machine_create(V3_FAKE_SKYLAKE_X, with ? NULL : "xsaves");
		v3_x86_cpuid(V3_CPUID_LEAF_XSAVE, 1, &regs);
		assert_true(regs.eax & V3_CPUID_D1_EAX_XSAVES);
		assert_int_equal(v3_vm_has(vm, V3_CPU_D1_EAX, V3_CPUID_D1_EAX_XSAVES), with);
		assert_true(v3_vm_has(vm, V3_CPU_D1_EAX, V3_CPUID_D1_EAX_XSAVEC));
		run_once(0, 0);
		assert_int_equal(!!(entered(v3_vm_vcpu(vm, 0), V3_VMCS_PROC_CTLS2) &
				    V3_VMX_PROC2_XSAVES), with);
		/* A supervisor state that is not there would exit. */
		if (with)
			assert_int_equal(entered(v3_vm_vcpu(vm, 0), V3_VMCS_XSS_EXIT_BITMAP),
					 ~0ull);
		machine_destroy();
	}
	machine_create(V3_FAKE_HASWELL_4770, NULL);
	assert_false(v3_vm_has(vm, V3_CPU_D1_EAX, V3_CPUID_D1_EAX_XSAVES));
	run_once(0, 0);
	machine_destroy();
	/* A VM that does without. */
	machine_host(V3_FAKE_SKYLAKE_X, NULL);
	machine_vm_of("host,-xsaves");
	assert_int_equal(vmx_vm(vm)->proc2 & V3_VMX_PROC2_XSAVES, 0);
	run_once(0, 0);
	machine_destroy();
}

/* Accessed and dirty flags: in the EPT pointer, and told by the nested tables, or in neither. */
static void test_ept_flags(void **state)
{
	static const struct {
		enum v3_fake_vmx_model model;
		const char *off;
		bool on;
	} cases[] = {
		{ V3_FAKE_SKYLAKE_X, NULL, true }, { V3_FAKE_HASWELL_4770, NULL, true },
		{ V3_FAKE_SKYLAKE_X, "ept-ad", false },
		{ V3_FAKE_SKYLAKE_X, "unrestricted-guest", false },
		{ V3_FAKE_SANDY_BRIDGE_2600K, NULL, false },
	};
	struct v3_nested_leaf leaf;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		machine_create(cases[i].model, cases[i].off);
		run_once(0, 0);
		assert_int_equal(!!(entered(v3_vm_vcpu(vm, 0), V3_VMCS_EPTP) & V3_EPTP_AD),
				 cases[i].on);
		assert_true(v3_nested_lookup(&vm->nested, 0x1000, &leaf));
		assert_int_equal(leaf.access, V3_NPT_RWX | (cases[i].on ? V3_NPT_TRACKED : 0));
		machine_destroy();
	}
}

/* --- One CPU --- */

static void test_enable(void **state)
{
	(void)state;
	machine_host(V3_FAKE_SKYLAKE_X, NULL);
	assert_int_equal(init(), V3_OK);
	assert_int_equal(v3_cpu_enable(host, 0), V3_OK);
	assert_true(v3_fake_vmx_on());
	assert_true(v3_x86_read_cr4() & V3_CR4_VMXE);
	assert_int_equal(v3_fake_vmx_region(), vmx_host(host)->cpus[0]->vmxon);
	assert_int_equal(v3_cpu_disable(host, 0), V3_OK);
	assert_false(v3_fake_vmx_on());
	assert_false(v3_x86_read_cr4() & V3_CR4_VMXE);
	machine_destroy();
}

/* KVM, say. Nothing of it is touched. */
static void test_other_owner(void **state)
{
	(void)state;
	machine_host(V3_FAKE_SKYLAKE_X, NULL);
	assert_int_equal(init(), V3_OK);
	v3_fake_vmx_other_owner(true);
	assert_int_equal(v3_cpu_enable(host, 0), V3_ERR_BUSY);
	assert_true(logged("CPU 0: vmx cannot be taken: owned by somebody else"));
	assert_true(v3_x86_read_cr4() & V3_CR4_VMXE);
	assert_true(v3_fake_vmx_on());
	v3_fake_vmx_other_owner(false);
	assert_int_equal(v3_cpu_enable(host, 0), V3_OK);
	machine_destroy();
}

/* Firmware that leaves the choice open: it is made, and locked. */
static void test_unlocked(void **state)
{
	(void)state;
	machine_host(V3_FAKE_SKYLAKE_X, NULL);
	v3_fake_msr_set(V3_MSR_FEATURE_CONTROL, 0);
	assert_int_equal(init(), V3_OK);
	assert_int_equal(v3_fake_msr_get(V3_MSR_FEATURE_CONTROL), 0);
	assert_int_equal(v3_cpu_enable(host, 0), V3_OK);
	assert_int_equal(v3_fake_msr_get(V3_MSR_FEATURE_CONTROL),
			 V3_FEATURE_CONTROL_LOCK | V3_FEATURE_CONTROL_VMX);
	machine_destroy();
}

/* The second CPU alone: the first one is not touched by that, and works again and again. */
static void test_cpu_denied(void **state)
{
	uint64_t control;

	(void)state;
	machine_host(V3_FAKE_SKYLAKE_X, NULL);
	assert_int_equal(init(), V3_OK);
	control = v3_fake_msr_get(V3_MSR_FEATURE_CONTROL);
	v3_fake_msr_set_on(1, V3_MSR_FEATURE_CONTROL, V3_FEATURE_CONTROL_LOCK);
	assert_int_equal(v3_cpu_enable(host, 0), V3_OK);
	assert_int_equal(v3_cpu_enable(host, 1), V3_ERR_DENIED);
	assert_true(logged("CPU 1: vmx cannot be taken: forbidden by firmware or policy"));
	v3_fake_set_cpu(1);
	assert_false(v3_x86_read_cr4() & V3_CR4_VMXE || v3_fake_vmx_on());
	v3_fake_set_cpu(0);
	assert_true(v3_x86_read_cr4() & V3_CR4_VMXE && v3_fake_vmx_on());
	assert_int_equal(v3_cpu_disable(host, 0), V3_OK);
	assert_false(v3_x86_read_cr4() & V3_CR4_VMXE || v3_fake_vmx_on());
	v3_fake_msr_set_on(1, V3_MSR_FEATURE_CONTROL, control);
	assert_int_equal(v3_cpu_enable(host, 1), V3_OK);
	machine_destroy();
}

/* A second socket with another stepping. */
static void test_unlike_cpus(void **state)
{
	uint64_t basic;

	(void)state;
	machine_host(V3_FAKE_SKYLAKE_X, NULL);
	assert_int_equal(init(), V3_OK);
	basic = v3_fake_msr_get(V3_MSR_VMX_BASIC);
	v3_fake_msr_set_on(1, V3_MSR_VMX_BASIC, basic + 1);
	assert_int_equal(v3_cpu_enable(host, 1), V3_ERR_NOTSUP);
	assert_true(logged("CPU 1: its VT-x is not that of the first CPU"));
	assert_int_equal(v3_cpu_enable(host, 0), V3_OK);
	machine_destroy();
}

static void test_bad_cr0(void **state)
{
	(void)state;
	machine_host(V3_FAKE_SKYLAKE_X, NULL);
	assert_int_equal(init(), V3_OK);
	v3_x86_write_cr0(v3_x86_read_cr0() & ~V3_CR0_NE);
	assert_int_equal(v3_cpu_enable(host, 0), V3_ERR_NOTSUP);
	assert_true(logged("CR0 is"));
	v3_x86_write_cr0(v3_x86_read_cr0() | V3_CR0_NE);
	machine_destroy();
}

static void test_vmxon_fails(void **state)
{
	(void)state;
	machine_host(V3_FAKE_SKYLAKE_X, NULL);
	assert_int_equal(init(), V3_OK);
	assert_int_equal(vmx_cpu_prepare(host, 0), V3_OK);
	memset(v3_os_virt(host, vmx_host(host)->cpus[0]->vmxon), 0, 4);
	assert_int_equal(v3_cpu_enable(host, 0), V3_ERR_NOTSUP);
	assert_true(logged("CPU 0: VMXON failed"));
	assert_false(v3_x86_read_cr4() & V3_CR4_VMXE);
	machine_destroy();
}

static enum v3_status no_cr4(void *ctx, uint64_t set, uint64_t clear)
{
	(void)ctx;
	(void)set;
	(void)clear;
	return V3_ERR_NOTSUP;
}

static void test_host_keeps_cr4(void **state)
{
	(void)state;
	machine_host(V3_FAKE_SKYLAKE_X, NULL);
	hooks.cr4_update = no_cr4;
	assert_int_equal(init(), V3_OK);
	assert_int_equal(v3_cpu_enable(host, 0), V3_ERR_NOTSUP);
	assert_false(v3_fake_vmx_on());
	machine_destroy();
}

/* --- Memory --- */

/* off: features off */
static void failing_allocations(const char *off)
{
	const struct v3_mem_config mem = { .size = 2ull << 20, .node = V3_NODE_ANY };
	const struct v3_vm_config config = {
		.struct_size = sizeof(config), .num_vcpus = 2, .name = "vm", .mem = &mem,
		.num_mem = 1,
	};
	enum v3_status status = V3_ERR_NOMEM;
	unsigned int n;

	for (n = 1; status != V3_OK; n++) {
		assert_true(n < 100);
		machine_host(V3_FAKE_SKYLAKE_X, off);
		v3_fake_host_fail_nth(fake, n);
		status = init();
		if (status == V3_OK)
			status = v3_cpu_enable(host, 0);
		if (status == V3_OK)
			status = v3_vm_create(host, &config, &vm);
		if (status != V3_OK)
			assert_int_equal(status, V3_ERR_NOMEM);
		v3_fake_host_fail_nth(fake, 0);
		machine_destroy();
	}
	assert_true(n > 8);
}

static void test_failing_allocations(void **state)
{
	(void)state;
	failing_allocations(NULL);
	/* With the page table that it needs. */
	failing_allocations("unrestricted-guest");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_penryn),
		cmocka_unit_test(test_firmware),
		cmocka_unit_test(test_no_extension),
		cmocka_unit_test(test_features_off),
		cmocka_unit_test(test_hidden_instructions),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_xsaves),
		cmocka_unit_test(test_ept_flags),
		cmocka_unit_test(test_enable),
		cmocka_unit_test(test_other_owner),
		cmocka_unit_test(test_unlocked),
		cmocka_unit_test(test_cpu_denied),
		cmocka_unit_test(test_unlike_cpus),
		cmocka_unit_test(test_bad_cr0),
		cmocka_unit_test(test_vmxon_fails),
		cmocka_unit_test(test_host_keeps_cr4),
		cmocka_unit_test(test_failing_allocations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
