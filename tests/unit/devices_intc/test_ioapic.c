/* SPDX-License-Identifier: BSD-2-Clause */
/* I/O APIC: registers, edges, levels with remote IRR, delivery modes. */
#include "intc_test.h"

#define DEST(cpu) ((uint64_t)(cpu) << V3_IOAPIC_DEST_SHIFT)
#define MODE(mode) ((uint64_t)(mode) << V3_IOAPIC_MODE_SHIFT)
#define MMIO(offset) (V3_IOAPIC_DEFAULT_BASE + (offset))

static void registers(void **state)
{
	struct v3_vm *vm = *state;
	unsigned int pin;

	assert_int_equal(ioapic_read(vm, V3_IOAPIC_REG_VERSION), 0x00170020);
	assert_int_equal(ioapic_read(vm, V3_IOAPIC_REG_ID), 0);
	ioapic_write(vm, V3_IOAPIC_REG_ID, 0xffffffff);
	assert_int_equal(ioapic_read(vm, V3_IOAPIC_REG_ID), 0x0f000000);
	assert_int_equal(ioapic_read(vm, V3_IOAPIC_REG_ARB), 0x0f000000);
	ioapic_write(vm, V3_IOAPIC_REG_VERSION, 0);
	assert_int_equal(ioapic_read(vm, V3_IOAPIC_REG_VERSION), 0x00170020);
	for (pin = 0; pin < V3_IOAPIC_PINS; pin++) {
		assert_int_equal(redirection(vm, pin), V3_IOAPIC_MASKED);
		redirect(vm, pin, UINT64_MAX);
		assert_int_equal(redirection(vm, pin), 0xff0000000001afffull);
	}
	/* Absent registers */
	assert_int_equal(ioapic_read(vm, 0x03), 0xffffffff);
	assert_int_equal(ioapic_read(vm, 0x40), 0xffffffff);
	ioapic_write(vm, 0x40, 0);
	ioapic_write(vm, 0xff, 0);
	assert_int_equal(fake_mmio_read(vm, 0, MMIO(0x20), 4), 0xffffffff);
	/* The index is a byte; data wants 32 bits. */
	fake_mmio_write(vm, 0, MMIO(0), 1, 0x10);
	assert_int_equal(fake_mmio_read(vm, 0, MMIO(0), 4), 0x10);
	vm->logs = 0;
	fake_mmio_write(vm, 0, MMIO(0x10), 1, 0);
	assert_int_equal(vm->logs, 1);
	assert_int_equal(redirection(vm, 0), 0xff0000000001afffull);
}

static void edge(void **state)
{
	struct v3_vm *vm = *state;

	/* Masked: lost. */
	pulse(vm, 5);
	redirect(vm, 5, DEST(2) | 0x45);
	assert_int_equal(peek(vm, 2), -1);
	v3_irq_set(vm, 5, true);
	assert_int_equal(vm->vcpus[2].checks, 1);
	/* One edge, one interrupt, no matter how long it is. */
	v3_irq_set(vm, 5, true);
	take(vm, 2, 0x45);
	eoi(vm, 2);
	assert_int_equal(peek(vm, 2), -1);
	v3_irq_set(vm, 5, false);
	assert_int_equal(peek(vm, 2), -1);
	pulse(vm, 5);
	take(vm, 2, 0x45);
	assert_int_equal(lapic_read(vm, 2, V3_APIC_TMR + 0x20), 0);
	assert_false(redirection(vm, 5) & V3_IOAPIC_REMOTE_IRR);
}

static void level(void **state)
{
	struct v3_vm *vm = *state;
	const uint64_t entry = DEST(1) | V3_IOAPIC_LEVEL | V3_IOAPIC_ACTIVE_LOW | 0x71;

	redirect(vm, 20, entry);
	v3_irq_set(vm, 20, true);
	assert_int_equal(redirection(vm, 20), entry | V3_IOAPIC_REMOTE_IRR);
	take(vm, 1, 0x71);
	assert_int_equal(lapic_read(vm, 1, V3_APIC_TMR + 0x30), 1u << 17);
	/* No second one before the EOI, whatever the line does. */
	pulse(vm, 20);
	v3_irq_set(vm, 20, true);
	assert_int_equal(lapic_read(vm, 1, V3_APIC_IRR + 0x30), 0);
	/* Still asserted at EOI: again. */
	eoi(vm, 1);
	assert_int_equal(redirection(vm, 20), entry | V3_IOAPIC_REMOTE_IRR);
	take(vm, 1, 0x71);
	v3_irq_set(vm, 20, false);
	assert_int_equal(redirection(vm, 20), entry | V3_IOAPIC_REMOTE_IRR);
	eoi(vm, 1);
	assert_int_equal(redirection(vm, 20), entry);
	assert_int_equal(peek(vm, 1), -1);
	/* The same vector as an edge clears TMR, and its EOI is the local APIC's own affair. */
	lapic_write(vm, 1, V3_APIC_ICR_LOW, V3_APIC_ICR_SELF | 0x71);
	assert_int_equal(lapic_read(vm, 1, V3_APIC_TMR + 0x30), 0);
	take(vm, 1, 0x71);
	eoi(vm, 1);
}

static void level_masks(void **state)
{
	struct v3_vm *vm = *state;

	/* Asserted while masked: delivered when unmasked. */
	redirect(vm, 9, V3_IOAPIC_LEVEL | V3_IOAPIC_MASKED | 0x59);
	v3_irq_set(vm, 9, true);
	assert_int_equal(peek(vm, 0), -1);
	redirect(vm, 9, V3_IOAPIC_LEVEL | 0x59);
	take(vm, 0, 0x59);
	/* Masked in service: the EOI does not start it again, unmasking does. */
	redirect(vm, 9, V3_IOAPIC_LEVEL | V3_IOAPIC_MASKED | 0x59);
	assert_true(redirection(vm, 9) & V3_IOAPIC_REMOTE_IRR);
	eoi(vm, 0);
	assert_false(redirection(vm, 9) & V3_IOAPIC_REMOTE_IRR);
	assert_int_equal(peek(vm, 0), -1);
	redirect(vm, 9, V3_IOAPIC_LEVEL | 0x59);
	take(vm, 0, 0x59);
	/* Edge and back resets a stuck remote IRR. */
	v3_irq_set(vm, 9, false);
	ioapic_write(vm, V3_IOAPIC_REG_REDIR(9), 0x59 | (uint32_t)V3_IOAPIC_MASKED);
	assert_false(redirection(vm, 9) & V3_IOAPIC_REMOTE_IRR);
	eoi(vm, 0);
}

static void eoi_registers(void **state)
{
	struct v3_vm *vm = *state;

	/* Directed EOI: the local APIC keeps quiet, the guest writes the vector to the I/O APIC. */
	lapic_write(vm, 0, V3_APIC_SVR, SVR_ON | V3_APIC_SVR_EOI_SUPPRESS);
	redirect(vm, 11, V3_IOAPIC_LEVEL | 0x5b);
	redirect(vm, 12, V3_IOAPIC_LEVEL | 0x5c);
	v3_irq_set(vm, 11, true);
	v3_irq_set(vm, 12, true);
	take(vm, 0, 0x5c);
	eoi(vm, 0);
	take(vm, 0, 0x5b);
	eoi(vm, 0);
	v3_irq_set(vm, 11, false);
	assert_true(redirection(vm, 11) & V3_IOAPIC_REMOTE_IRR);
	fake_mmio_write(vm, 0, MMIO(V3_IOAPIC_MMIO_EOI), 4, 0x5b);
	assert_false(redirection(vm, 11) & V3_IOAPIC_REMOTE_IRR);
	assert_true(redirection(vm, 12) & V3_IOAPIC_REMOTE_IRR);
	assert_int_equal(peek(vm, 0), -1);
	fake_mmio_write(vm, 0, MMIO(V3_IOAPIC_MMIO_EOI), 4, 0x5c);
	take(vm, 0, 0x5c);
}

static void modes(void **state)
{
	struct v3_vm *vm = *state;
	unsigned int i, taken = 0;

	redirect(vm, 5, DEST(3) | MODE(V3_APIC_DM_NMI));
	pulse(vm, 5);
	assert_int_equal(vm->vcpus[3].nmis, 1);
	/* With LEVEL set it is an edge all the same: an NMI has no EOI. */
	redirect(vm, 5, DEST(3) | MODE(V3_APIC_DM_NMI) | V3_IOAPIC_LEVEL);
	pulse(vm, 5);
	assert_int_equal(vm->vcpus[3].nmis, 2);
	assert_false(redirection(vm, 5) & V3_IOAPIC_REMOTE_IRR);
	redirect(vm, 5, DEST(2) | MODE(V3_APIC_DM_INIT));
	pulse(vm, 5);
	assert_int_equal(vm->vcpus[2].inits, 1);
	/* SMI and reserved ones */
	redirect(vm, 5, DEST(1) | MODE(V3_APIC_DM_SMI));
	pulse(vm, 5);
	redirect(vm, 5, DEST(1) | MODE(V3_APIC_DM_STARTUP));
	pulse(vm, 5);
	redirect(vm, 5, DEST(1) | MODE(3) | 0x40);
	pulse(vm, 5);
	assert_int_equal(vm->vcpus[1].checks + vm->vcpus[1].sipis, 0);
	/* Logical lowest priority: one of those named */
	for (i = 0; i < 4; i++)
		lapic_write(vm, i, V3_APIC_LDR, 1u << (24 + i));
	redirect(vm, 5, DEST(0x6) | MODE(V3_APIC_DM_LOWEST) | V3_IOAPIC_LOGICAL | 0x55);
	pulse(vm, 5);
	for (i = 0; i < 4; i++)
		if (peek(vm, i) == 0x55)
			taken |= 1u << i;
	assert_true(taken == 2 || taken == 4);
	/* Fixed to all of a logical destination */
	redirect(vm, 6, DEST(0x9) | V3_IOAPIC_LOGICAL | 0x66);
	pulse(vm, 6);
	take(vm, 0, 0x66);
	take(vm, 3, 0x66);
}

/* A level-triggered interrupt that nobody took is not lost. */
static void retry(void **state)
{
	struct v3_vm *vm = *state;

	lapic_write(vm, 1, V3_APIC_SVR, 0xff);
	redirect(vm, 17, DEST(1) | V3_IOAPIC_LEVEL | 0x81);
	v3_irq_set(vm, 17, true);
	assert_false(redirection(vm, 17) & V3_IOAPIC_REMOTE_IRR);
	lapic_write(vm, 1, V3_APIC_SVR, SVR_ON);
	take(vm, 1, 0x81);
}

/* The same when it becomes a destination only later. */
static void retry_new_destination(void **state)
{
	struct v3_vm *vm = *state;

	redirect(vm, 17, DEST(0x2) | V3_IOAPIC_LOGICAL | V3_IOAPIC_LEVEL | 0x81);
	v3_irq_set(vm, 17, true);
	assert_int_equal(peek(vm, 1), -1);
	lapic_write(vm, 1, V3_APIC_LDR, 0x02000000);
	take(vm, 1, 0x81);
	eoi(vm, 1);
	take(vm, 1, 0x81);
	v3_irq_set(vm, 17, false);
	eoi(vm, 1);
	/* By the model: cluster 1, for which the LDR is not right in the flat one. */
	redirect(vm, 18, DEST(0x14) | V3_IOAPIC_LOGICAL | V3_IOAPIC_LEVEL | 0x82);
	v3_irq_set(vm, 18, true);
	assert_int_equal(peek(vm, 2), -1);
	lapic_write(vm, 2, V3_APIC_DFR, V3_APIC_DFR_CLUSTER);
	lapic_write(vm, 2, V3_APIC_LDR, 0x14000000);
	take(vm, 2, 0x82);
	v3_irq_set(vm, 18, false);
	eoi(vm, 2);
	/* By the mode: vCPU 3's logical ID is 8 then. */
	redirect(vm, 19, DEST(0x8) | V3_IOAPIC_LOGICAL | V3_IOAPIC_LEVEL | 0x83);
	v3_irq_set(vm, 19, true);
	assert_int_equal(peek(vm, 3), -1);
	msr_write(vm, 3, V3_MSR_APIC_BASE, X2APIC_ON);
	take(vm, 3, 0x83);
	msr_write(vm, 3, V3_MSR_X2APIC_EOI, 0);
	take(vm, 3, 0x83);
}

/* What a guest does when it moves a level-triggered interrupt that is in service. */
static void level_changes(void **state)
{
	struct v3_vm *vm = *state;

	redirect(vm, 20, DEST(1) | V3_IOAPIC_LEVEL | 0x71);
	v3_irq_set(vm, 20, true);
	take(vm, 1, 0x71);
	/* Another CPU, same vector: the EOI of the first one counts, the next goes to the other. */
	redirect(vm, 20, DEST(2) | V3_IOAPIC_LEVEL | 0x71);
	assert_true(redirection(vm, 20) & V3_IOAPIC_REMOTE_IRR);
	assert_int_equal(peek(vm, 2), -1);
	eoi(vm, 1);
	assert_int_equal(peek(vm, 1), -1);
	take(vm, 2, 0x71);
	/*
	 * Another vector: the EOI of the old one finds no pin, as on a real I/O APIC. The guest
	 * has two ways out: the EOI register with the new vector, ...
	 */
	redirect(vm, 20, DEST(3) | V3_IOAPIC_LEVEL | 0x72);
	eoi(vm, 2);
	assert_true(redirection(vm, 20) & V3_IOAPIC_REMOTE_IRR);
	assert_int_equal(peek(vm, 3), -1);
	fake_mmio_write(vm, 0, MMIO(V3_IOAPIC_MMIO_EOI), 4, 0x72);
	take(vm, 3, 0x72);
	/* ... or edge and back. */
	redirect(vm, 20, DEST(1) | V3_IOAPIC_LEVEL | 0x73);
	eoi(vm, 3);
	assert_int_equal(peek(vm, 1), -1);
	redirect(vm, 20, DEST(1) | 0x73);
	assert_int_equal(peek(vm, 1), -1);
	redirect(vm, 20, DEST(1) | V3_IOAPIC_LEVEL | 0x73);
	take(vm, 1, 0x73);
	/* Remote IRR and delivery status cannot be written. */
	v3_irq_set(vm, 20, false);
	eoi(vm, 1);
	redirect(vm, 20, DEST(1) | V3_IOAPIC_LEVEL | V3_IOAPIC_REMOTE_IRR | V3_IOAPIC_PENDING |
		 0x73);
	assert_int_equal(redirection(vm, 20), DEST(1) | V3_IOAPIC_LEVEL | 0x73);
}

/* Several vCPUs take it: the first EOI ends it, and a line that is still asserted starts anew. */
static void level_to_several(void **state)
{
	struct v3_vm *vm = *state;
	unsigned int i;

	for (i = 0; i < 4; i++)
		lapic_write(vm, i, V3_APIC_LDR, 1u << (24 + i));
	redirect(vm, 21, DEST(0x7) | V3_IOAPIC_LOGICAL | V3_IOAPIC_LEVEL | 0x75);
	v3_irq_set(vm, 21, true);
	for (i = 0; i < 3; i++)
		take(vm, i, 0x75);
	assert_int_equal(peek(vm, 3), -1);
	eoi(vm, 1);
	take(vm, 1, 0x75);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_IRR + 0x30), 1u << 21);
	v3_irq_set(vm, 21, false);
	for (i = 0; i < 3; i++)
		eoi(vm, i);
	take(vm, 0, 0x75);
	take(vm, 2, 0x75);
	assert_false(redirection(vm, 21) & V3_IOAPIC_REMOTE_IRR);
	/* Two pins with one vector: one EOI is for both. */
	redirect(vm, 22, DEST(3) | V3_IOAPIC_LEVEL | 0x76);
	redirect(vm, 23, DEST(3) | V3_IOAPIC_LEVEL | 0x76);
	v3_irq_set(vm, 22, true);
	v3_irq_set(vm, 23, true);
	take(vm, 3, 0x76);
	v3_irq_set(vm, 22, false);
	eoi(vm, 3);
	assert_false(redirection(vm, 22) & V3_IOAPIC_REMOTE_IRR);
	assert_true(redirection(vm, 23) & V3_IOAPIC_REMOTE_IRR);
	take(vm, 3, 0x76);
}

/* ISA interrupt 0 is pin 2, and what does not exist is ignored. */
static void wiring(void **state)
{
	struct v3_vm *vm = *state;

	redirect(vm, 0, 0x40);
	redirect(vm, 2, 0x42);
	pulse(vm, 0);
	take(vm, 0, 0x42);
	eoi(vm, 0);
	pulse(vm, 2);
	assert_int_equal(peek(vm, 0), -1);
	vm->intc->irq_set(vm->intc_ctx, V3_NUM_GSI, true);
	vm->intc->irq_set(vm->intc_ctx, 0xffffffff, true);
	assert_int_equal(peek(vm, 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST1(registers),
		TEST4(edge),
		TEST4(level),
		TEST1(level_masks),
		TEST1(eoi_registers),
		TEST4(modes),
		TEST4(retry),
		TEST4(retry_new_destination),
		TEST4(level_changes),
		TEST4(level_to_several),
		TEST1(wiring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
