/* SPDX-License-Identifier: BSD-2-Clause */
/* Creation and its failures, and the wires between the controllers. */
#include "intc_test.h"

#include "fakes/fake_lock.h"

static void create_failures(void **state)
{
	unsigned int nth, failed = 0;

	(void)state;
	for (nth = 1;; nth++) {
		struct v3_vm *vm = fake_vm_create(2);
		enum v3_status status;

		fake_fail_at(vm, nth, V3_ERR_NOMEM);
		status = v3_intc_create(vm);
		/* Leaks and double frees end the program here. */
		fake_vm_destroy(vm);
		if (status == V3_OK)
			break;
		assert_int_equal(status, V3_ERR_NOMEM);
		failed++;
	}
	/* memory, device, 5 hooks of local APICs, I/O APIC, 3 of the 8259 pair, attaching */
	assert_int_equal(failed, 12);
}

static void created_twice(void **state)
{
	struct v3_vm *vm = *state;

	assert_int_equal(v3_intc_create(vm), V3_ERR_EXIST);
}

/* The output of the 8259 pair reaches the vCPU in each of the ways a guest can choose. */
static void virtual_wires(void **state)
{
	struct v3_vm *vm = *state;
	bool blocked;

	pic_init(vm, 0x03, 0x03);
	/* As firmware leaves it: ExtINT at LINT0 of the first vCPU alone */
	vm->vcpus[0].checks = 0;
	pulse(vm, 4);
	assert_int_equal(vm->vcpus[0].checks, 1);
	assert_int_equal(vm->vcpus[1].checks, 0);
	assert_int_equal(peek(vm, 1), -1);
	assert_int_equal(fake_peek(vm, 0, &blocked), 0x34);
	assert_false(blocked);
	take(vm, 0, 0x34);
	/* It comes before what the local APIC has. */
	self_ipi(vm, 0, 0xf0);
	pulse(vm, 4);
	take(vm, 0, 0x34);
	take(vm, 0, 0xf0);
	eoi(vm, 0);
	/* Masked, then unmasked with a request waiting */
	lapic_write(vm, 0, V3_APIC_LVT_LINT0, V3_APIC_LVT_MASKED | 0x700);
	pulse(vm, 4);
	assert_int_equal(peek(vm, 0), -1);
	vm->vcpus[0].checks = 0;
	lapic_write(vm, 0, V3_APIC_LVT_LINT0, 0x700);
	assert_int_equal(vm->vcpus[0].checks, 1);
	take(vm, 0, 0x34);
	/* The local APIC switched off: its pin is INTR */
	lapic_write(vm, 0, V3_APIC_LVT_LINT0, V3_APIC_LVT_MASKED);
	msr_write(vm, 0, V3_MSR_APIC_BASE, V3_APIC_DEFAULT_BASE);
	pulse(vm, 4);
	take(vm, 0, 0x34);
	msr_write(vm, 0, V3_MSR_APIC_BASE, V3_APIC_DEFAULT_BASE | V3_APIC_BASE_ENABLE);
	pulse(vm, 4);
	assert_int_equal(peek(vm, 0), -1);
}

static void lint0_modes(void **state)
{
	struct v3_vm *vm = *state;

	pic_init(vm, 0x01, 0x01);
	fake_out(vm, 0, 0x4d0, 1, 0x20);
	/* Fixed, edge */
	lapic_write(vm, 0, V3_APIC_LVT_LINT0, 0x48);
	v3_irq_set(vm, 5, true);
	take(vm, 0, 0x48);
	eoi(vm, 0);
	v3_irq_set(vm, 5, false);
	assert_int_equal(peek(vm, 0), -1);
	/* Fixed, level: remote IRR until EOI, then again */
	lapic_write(vm, 0, V3_APIC_LVT_LINT0, V3_APIC_LVT_LEVEL | 0x49);
	v3_irq_set(vm, 5, true);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_LVT_LINT0),
			 V3_APIC_LVT_LEVEL | V3_APIC_LVT_REMOTE_IRR | 0x49);
	take(vm, 0, 0x49);
	assert_int_equal(peek(vm, 0), -1);
	eoi(vm, 0);
	take(vm, 0, 0x49);
	v3_irq_set(vm, 5, false);
	eoi(vm, 0);
	assert_int_equal(peek(vm, 0), -1);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_LVT_LINT0), V3_APIC_LVT_LEVEL | 0x49);
	/* Unmasked with the line high */
	lapic_write(vm, 0, V3_APIC_LVT_LINT0, V3_APIC_LVT_MASKED | V3_APIC_LVT_LEVEL | 0x49);
	v3_irq_set(vm, 5, true);
	assert_int_equal(peek(vm, 0), -1);
	lapic_write(vm, 0, V3_APIC_LVT_LINT0, V3_APIC_LVT_LEVEL | 0x49);
	take(vm, 0, 0x49);
	v3_irq_set(vm, 5, false);
	eoi(vm, 0);
	/* NMI: the old watchdog */
	lapic_write(vm, 0, V3_APIC_LVT_LINT0, V3_APIC_DM_NMI << 8);
	pulse(vm, 4);
	assert_int_equal(vm->vcpus[0].nmis, 1);
	/* SMI: nothing */
	lapic_write(vm, 0, V3_APIC_LVT_LINT0, V3_APIC_DM_SMI << 8);
	v3_irq_set(vm, 5, true);
	v3_irq_set(vm, 5, false);
	assert_int_equal(vm->vcpus[0].nmis, 1);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_IRR + 0x20), 0);
}

/* Virtual wire through the I/O APIC: ExtINT message from pin 0 to any vCPU */
static void extint_message(void **state)
{
	struct v3_vm *vm = *state;

	pic_init(vm, 0x03, 0x03);
	redirect(vm, 0, 2ull << V3_IOAPIC_DEST_SHIFT | V3_APIC_DM_EXTINT << V3_IOAPIC_MODE_SHIFT);
	pulse(vm, 3);
	pulse(vm, 4);
	assert_int_equal(peek(vm, 0), -1);
	take(vm, 2, 0x33);
	/* The next is an edge of its own. */
	take(vm, 2, 0x34);
	assert_int_equal(peek(vm, 2), -1);
}

/* No lock is left held, whatever path was taken; the fake locks find the other mistakes. */
static int locks_free(void **state)
{
	assert_int_equal(v3_fake_locks_held(), 0);
	return teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_failures),
		TEST1(created_twice),
		cmocka_unit_test_setup_teardown(virtual_wires, setup_power_on, locks_free),
		cmocka_unit_test_setup_teardown(lint0_modes, setup1, locks_free),
		cmocka_unit_test_setup_teardown(extint_message, setup4, locks_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
