/* SPDX-License-Identifier: BSD-2-Clause */
/* Entries that fail, and what is said about them. SDM vol. 3 27.1, 27.8, 31.4. */
#include "machine.h"

#include "x86/cr.h"

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
	const struct v3_event nmi = { .valid = true, .type = V3_EVENT_NMI, .vector = 2 };
	struct v3_exit exit;

	(void)state;
	begin();
	vmx_write(V3_VMCS_PIN_CTLS, 0);
	v3_vmx_ops.inject(vcpu, &nmi);
	vmx_run(vcpu, &exit);
	/* The event is not for the state that the VM is reset to. */
	assert_int_equal(entered(vcpu, V3_VMCS_ENTRY_EVENT) & V3_VMX_EVENT_VALID, 0);
	assert_true(v3_fake_irqs_on());
	assert_int_equal(vcpu->mode, V3_VCPU_OUTSIDE);
	assert_int_equal(exit.kind, V3_EXIT_INVALID);
	assert_int_equal(exit.raw.info1, 7);
	assert_true(logged("VM entry failed: a control that this CPU does not allow (error 7)"));
	assert_true(logged("vCPU 0: controls: pin 0x0, primary 0x"));
	end();
}

/* What the CPU tells of the guest's state that it did not like. */
static void test_entry_details(void **state)
{
	struct v3_exit exit;

	(void)state;
	begin();
	vmx_write(V3_VMCS_LINK_POINTER, 0x1000);
	vmx_run(vcpu, &exit);
	assert_int_equal(exit.kind, V3_EXIT_INVALID);
	assert_true(logged("failed: a VMCS link pointer that this CPU does not allow (reason"));
	vmx_write(V3_VMCS_LINK_POINTER, ~0ull);
	/* PAE paging, by PDPTEs with a bit that is reserved. */
	vmx_guest_write(vmx_vcpu(vcpu), V3_VMCS_GUEST_CR0, vmx_guest_read(vmx_vcpu(vcpu),
			V3_VMCS_GUEST_CR0) | V3_CR0_PE | V3_CR0_PG);
	vmx_guest_write(vmx_vcpu(vcpu), V3_VMCS_GUEST_CR4, vmx_guest_read(vmx_vcpu(vcpu),
			V3_VMCS_GUEST_CR4) | V3_CR4_PAE);
	vmx_write(V3_VMCS_GUEST_PDPTE(0), 0x1007);
	vmx_write(V3_VMCS_GUEST_PDPTE(1), 0);
	vmx_write(V3_VMCS_GUEST_PDPTE(2), 0);
	vmx_write(V3_VMCS_GUEST_PDPTE(3), 0);
	vmx_vcpu(vcpu)->work &= ~VMX_WORK_PDPTE;
	vmx_run(vcpu, &exit);
	assert_int_equal(exit.kind, V3_EXIT_INVALID);
	assert_true(logged("VM entry failed: PDPTEs that this CPU does not allow"));
	end();
}

/* A task switch ends the VM, and says so. */
static void test_task_switch(void **state)
{
	struct v3_exit exit;
	struct v3_vm_end how;

	(void)state;
	begin();
	vcpu->rip = 0x1234;
	EXIT_WITH({ V3_VMCS_EXIT_REASON, V3_VMX_REASON_TASK_SWITCH },
		  { V3_VMCS_EXIT_QUALIFICATION, 0xc0000028 }, { V3_VMCS_IDT_EVENT, 0x80000b08 });
	exit = enter(vcpu);
	v3_exit_handle(vcpu, &exit);
	vcpu->interrupted.valid = false;
	assert_int_equal(v3_vm_state(vm, &how), V3_VM_STOPPED);
	assert_int_equal(how.kind, V3_END_CRASH);
	assert_string_equal(how.reason, "vCPU 0: an interrupt or exception switches to task 0x28 "
			    "at RIP 0x1234: VT-x has no task switches");
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
		assert_non_null(vmx_entry_text(i, i));
	}
	assert_string_equal(vmx_error_text(8), "host state that this CPU does not allow");
	assert_string_equal(vmx_error_text(14), vmx_error_text(99));
	assert_string_equal(vmx_entry_text(V3_VMX_REASON_ENTRY_FAILED | 41, 2), "a machine check");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entry_fails),
		cmocka_unit_test(test_entry_refused),
		cmocka_unit_test(test_entry_details),
		cmocka_unit_test(test_task_switch),
		cmocka_unit_test(test_no_vmcs),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
