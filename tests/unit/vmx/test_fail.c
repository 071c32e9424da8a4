/* SPDX-License-Identifier: BSD-2-Clause */
/* Entries that fail, and what is said about them. SDM vol. 3 27.1, 27.8, 31.4. */
#include "machine.h"

static struct v3_vcpu *vcpu;

static void begin(void)
{
	machine_create(V3_FAKE_SKYLAKE_X, NULL);
	vcpu = v3_vm_vcpu(vm, 0);
	v3_fake_set_cpu(0);
	vmx_load(vcpu);
}

static void end(void)
{
	vmx_put(vcpu);
	machine_destroy();
}

static bool logged(const char *text)
{
	return v3_fake_host_log_has(fake, V3_LOG_ERROR, text);
}

static void test_entry_fails(void **state)
{
	struct v3_exit exit;
	char text[96];

	(void)state;
	begin();
	vmx_guest_write(vmx_vcpu(vcpu), V3_VMCS_GUEST_ACTIVITY, 7);
	vmx_run(vcpu, &exit);
	assert_true(v3_fake_irqs_on());
	assert_int_equal(exit.kind, V3_EXIT_INVALID);
	assert_int_equal(exit.raw.code, V3_VMX_REASON_ENTRY_FAILED | V3_VMX_REASON_ENTRY_STATE);
	assert_true(logged("vCPU 0: VM entry failed: guest state that this CPU does not allow"));
	assert_true(v3_vmx_ops.describe(vcpu, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "CR0"));
	/* Not launched by that. */
	vmx_guest_write(vmx_vcpu(vcpu), V3_VMCS_GUEST_ACTIVITY, V3_VMX_ACTIVE);
	assert_int_equal(enter(vcpu).kind, V3_EXIT_INTR);
	end();
}

static void test_entry_refused(void **state)
{
	struct v3_exit exit;

	(void)state;
	begin();
	vmx_write(V3_VMCS_PIN_CTLS, 0);
	vmx_run(vcpu, &exit);
	assert_true(v3_fake_irqs_on());
	assert_int_equal(vcpu->mode, V3_VCPU_OUTSIDE);
	assert_int_equal(exit.kind, V3_EXIT_INVALID);
	assert_int_equal(exit.raw.info1, 7);
	assert_true(logged("VM entry failed: a control that this CPU does not allow (error 7)"));
	end();
}

/* A VMCS that the CPU does not take. */
static void test_no_vmcs(void **state)
{
	struct v3_exit exit;
	char text[96];

	(void)state;
	machine_create(V3_FAKE_SKYLAKE_X, NULL);
	vcpu = v3_vm_vcpu(vm, 0);
	v3_fake_set_cpu(0);
	memset(v3_os_virt(host, vmx_vcpu(vcpu)->vmcs), 0xee, 4);
	vmx_load(vcpu);
	vmx_run(vcpu, &exit);
	assert_int_equal(exit.kind, V3_EXIT_INVALID);
	assert_true(logged("the VMCS cannot be loaded"));
	v3_vmx_ops.describe(vcpu, text, sizeof(text));
	assert_string_equal(text, "no VMCS");
	vmx_put(vcpu);
	machine_destroy();
}

static void test_texts(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 100; i++) {
		assert_non_null(vmx_error_text(i));
		assert_non_null(vmx_entry_text(i));
	}
	assert_string_equal(vmx_error_text(8), "host state that this CPU does not allow");
	assert_string_equal(vmx_error_text(14), vmx_error_text(99));
	assert_string_equal(vmx_entry_text(V3_VMX_REASON_ENTRY_FAILED | 41), "a machine check");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entry_fails),
		cmocka_unit_test(test_entry_refused),
		cmocka_unit_test(test_no_vmcs),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
