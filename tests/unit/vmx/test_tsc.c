/* SPDX-License-Identifier: BSD-2-Clause */
/* TSC scaling: SDM vol. 3 25.6.5, 26.3. The arithmetic is tested by tests/unit/core. */
#include "machine.h"

#include "x86/cpuid.h"
#include "x86/insn.h"

#define GUEST_KHZ (V3_FAKE_TSC_KHZ / 4 * 5)
#define RATIO (5ull << 46)

static struct v3_vcpu *vcpu;

static void begin(uint64_t khz)
{
	machine_host(V3_FAKE_SKYLAKE_X, NULL);
	machine_tsc_khz = khz;
	machine_vm();
	vcpu = machine_load();
}

/* RDTSC in the guest, with what the CPU has been given. */
static uint64_t rdtsc(void)
{
	unsigned __int128 tsc = v3_x86_rdtsc();

	if (entered(vcpu, V3_VMCS_PROC_CTLS2) & V3_VMX_PROC2_TSC_SCALING)
		tsc = tsc * entered(vcpu, V3_VMCS_TSC_MULTIPLIER) >> 48;
	return (uint64_t)tsc + entered(vcpu, V3_VMCS_TSC_OFFSET);
}

static void test_multiplier(void **state)
{
	uint64_t before;

	(void)state;
	v3_fake_tsc_set(123456789);
	begin(GUEST_KHZ);
	v3_vcpu_sync_tsc(vcpu);
	enter(vcpu);
	assert_true(entered(vcpu, V3_VMCS_PROC_CTLS2) & V3_VMX_PROC2_TSC_SCALING);
	assert_int_equal(entered(vcpu, V3_VMCS_TSC_MULTIPLIER), RATIO);
	/* The VM was not started, so its clock stands. */
	v3_vm_clock_go_on(vm);
	v3_vcpu_sync_tsc(vcpu);
	enter(vcpu);
	before = rdtsc();
	assert_int_equal(v3_guest_tsc(vcpu), before);
	v3_fake_tsc_advance(4000000);
	assert_int_equal(v3_guest_tsc(vcpu), rdtsc());
	assert_in_range(rdtsc() - before, 5000000, 5000001);
	/* What it writes, and again on another CPU */
	v3_vcpu_set_tsc(vcpu, 77);
	enter(vcpu);
	assert_int_equal(rdtsc(), 77);
	vmx_put(vcpu);
	v3_fake_set_cpu(1);
	vmx_load(vcpu);
	enter(vcpu);
	assert_int_equal(entered(vcpu, V3_VMCS_TSC_MULTIPLIER), RATIO);
	assert_int_equal(rdtsc(), 77);
	vmx_put(vcpu);
	v3_fake_set_cpu(0);
	vmx_load(vcpu);
	v3_vcpu_power_on(vcpu);
	v3_vcpu_sync_tsc(vcpu);
	enter(vcpu);
	assert_int_equal(entered(vcpu, V3_VMCS_TSC_MULTIPLIER), RATIO);
	assert_int_equal(v3_guest_tsc(vcpu), rdtsc());
	machine_end(vcpu);
}

/* The preemption timer counts with the host's TSC, whatever the guest's does (26.5.1). */
static void test_timer(void **state)
{
	uint64_t left, shift;

	(void)state;
	begin(GUEST_KHZ);
	shift = vmx_vcpu(vcpu)->timer_shift;
	v3_vm_clock_go_on(vm);
	v3_vcpu_timer_set(vcpu, v3_now(vm) + 1000000);
	enter(vcpu);
	left = entered(vcpu, V3_VMCS_PREEMPTION_TIMER) << shift;
	assert_in_range(left, V3_FAKE_TSC_KHZ - 100, V3_FAKE_TSC_KHZ + 100);
	machine_end(vcpu);
}

/* A guest with the host's frequency has no use for the control. */
static void test_same(void **state)
{
	(void)state;
	begin(V3_FAKE_TSC_KHZ);
	enter(vcpu);
	assert_int_equal(entered(vcpu, V3_VMCS_PROC_CTLS2) & V3_VMX_PROC2_TSC_SCALING, 0);
	assert_int_equal(v3_vm_tsc_ratio(vm), 0);
	machine_end(vcpu);
}

/* CPUID 0x15: the crystal's frequency times EBX / EAX. */
static void test_leaf(void **state)
{
	unsigned int i, found = 0;

	(void)state;
	begin(GUEST_KHZ);
	for (i = 0; i < vm->num_cpuid; i++)
		if (vm->cpuid[i].leaf == V3_CPUID_LEAF_TSC) {
			const struct v3_cpuid *r = &vm->cpuid[i].regs;

			assert_int_equal((uint64_t)r->ecx * r->ebx / r->eax, GUEST_KHZ * 1000);
			found++;
		} else if (vm->cpuid[i].leaf == V3_CPUID_LEAF_HV_TIMING) {
			assert_int_equal(vm->cpuid[i].regs.eax, GUEST_KHZ);
			found++;
		}
	assert_int_equal(found, 2);
	machine_end(vcpu);
}

static void refused(enum v3_fake_vmx_model model, const char *off)
{
	const struct v3_mem_config mem = { .size = 2ull << 20, .node = V3_NODE_ANY };
	const struct v3_vm_config config = {
		.struct_size = sizeof(config), .num_vcpus = 1, .name = "vm", .mem = &mem,
		.num_mem = 1, .tsc_khz = GUEST_KHZ,
	};
	struct v3_host_caps caps;

	machine_host(model, off);
	assert_int_equal(v3_init(&hooks, &host), V3_OK);
	v3_host_caps(host, &caps);
	assert_false(caps.tsc_scaling);
	assert_int_equal(v3_vm_create(host, &config, &vm), V3_ERR_NOTSUP);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "no TSC scaling"));
	assert_int_equal(v3_exit(host), V3_OK);
	v3_fake_host_destroy(fake);
}

static void test_refused(void **state)
{
	(void)state;
	refused(V3_FAKE_HASWELL_4770, NULL);
	refused(V3_FAKE_SKYLAKE_X, "tsc-scaling");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_multiplier), cmocka_unit_test(test_timer),
		cmocka_unit_test(test_same), cmocka_unit_test(test_leaf),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
