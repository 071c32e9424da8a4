/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers of a local APIC that hardware has while the guest runs. SDM vol. 3 30.1. */
#include "intc_test.h"

static struct v3_vm *vm;

static void begin(void)
{
	vm = fake_vm_create(2);
	vm->lends = true;
	assert_int_equal(v3_intc_create(vm), V3_OK);
	lapic_write(vm, 0, V3_APIC_SVR, SVR_ON);
}

static void end(void)
{
	fake_vm_destroy(vm);
}

static uint32_t page(uint32_t reg)
{
	uint32_t value;

	memcpy(&value, vm->lent_page + reg, sizeof(value));
	return value;
}

static void page_set(uint32_t reg, uint32_t value)
{
	memcpy(vm->lent_page + reg, &value, sizeof(value));
}

static void vector_set(uint32_t reg, unsigned int vector, bool on)
{
	uint32_t bit = 1u << (vector & 31), at = reg + 16 * (vector >> 5);

	page_set(at, on ? page(at) | bit : page(at) & ~bit);
}

static bool vector_get(uint32_t reg, unsigned int vector)
{
	return page(reg + 16 * (vector >> 5)) >> (vector & 31) & 1;
}

/* Every register that the hardware reads by itself is as the device answers. */
static void test_same_registers(void **state)
{
	static const uint32_t regs[] = { 0x20, 0x30, 0x80, 0xa0, 0xb0, 0xd0, 0xe0, 0xf0, 0x280,
					 0x300, 0x310, 0x320, 0x330, 0x340, 0x350, 0x360, 0x370,
					 0x380, 0x3e0 };
	uint32_t reg;
	unsigned int i;

	(void)state;
	begin();
	lapic_write(vm, 0, V3_APIC_TPR, 0x35);
	lapic_write(vm, 0, V3_APIC_LDR, 0x01000000);
	lapic_write(vm, 0, V3_APIC_DFR, 0x0fffffff);
	lapic_write(vm, 0, V3_APIC_LVT_TIMER, 0x00020031);
	lapic_write(vm, 0, V3_APIC_LVT_ERROR, 0x00010032);
	lapic_write(vm, 0, V3_APIC_TIMER_DIVIDE, 0xb);
	lapic_write(vm, 0, V3_APIC_TIMER_INITIAL, 123456789);
	lapic_write(vm, 0, V3_APIC_ICR_HIGH, 0x01000000);
	lapic_write(vm, 0, V3_APIC_ICR_LOW, 0x00000041);
	self_ipi(vm, 0, 0x52);
	self_ipi(vm, 0, 0xe1);
	take(vm, 0, 0xe1);
	assert_int_equal(fake_lend(vm, 0, V3_LEND_MMIO | V3_LEND_ALL).mode, V3_LENT_MMIO);
	for (i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		assert_int_equal(page(regs[i]), fake_mmio_read(vm, 0, LAPIC(regs[i]), 4));
	/* The first look has taken them back. */
	assert_false(vm->lent);
	fake_lend(vm, 0, V3_LEND_MMIO | V3_LEND_ALL);
	for (reg = V3_APIC_ISR; reg < V3_APIC_ESR; reg += 16) {
		uint32_t value = page(reg);

		assert_int_equal(value, lapic_read(vm, 0, reg));
		fake_lend(vm, 0, V3_LEND_MMIO | V3_LEND_ALL);
	}
	/* Again after a write, and after a reset. */
	lapic_write(vm, 0, V3_APIC_LVT_TIMER, 0x00020033);
	fake_lend(vm, 0, V3_LEND_MMIO | V3_LEND_ALL);
	assert_int_equal(page(V3_APIC_LVT_TIMER), 0x00020033);
	v3_intc_take_back(&vm->vcpus[0]);
	vm->intc->init(&vm->vcpus[0], vm->intc_ctx);
	fake_lend(vm, 0, V3_LEND_MMIO | V3_LEND_ALL);
	assert_int_equal(page(V3_APIC_LVT_TIMER), V3_APIC_LVT_MASKED);
	end();
}

static void test_x2apic(void **state)
{
	(void)state;
	begin();
	msr_write(vm, 1, V3_MSR_APIC_BASE, X2APIC_ON & ~(uint64_t)V3_APIC_BASE_BSP);
	msr_write(vm, 1, V3_MSR_X2APIC_FIRST + (V3_APIC_SVR >> 4), SVR_ON);
	msr_write(vm, 1, V3_MSR_X2APIC_ICR, 0x100000041);
	/* Nothing for a mode that the hardware lacks. */
	assert_int_equal(fake_lend(vm, 1, V3_LEND_MMIO | V3_LEND_ALL).mode, V3_LENT_NOTHING);
	assert_int_equal(fake_lend(vm, 0, V3_LEND_MSR | V3_LEND_ALL).mode, V3_LENT_NOTHING);
	assert_int_equal(fake_lend(vm, 1, V3_LEND_MSR | V3_LEND_ALL).mode, V3_LENT_MSR);
	assert_int_equal(page(V3_APIC_ID), 1);
	assert_int_equal(page(V3_APIC_LDR), 2);
	assert_int_equal(page(V3_APIC_ICR_LOW), 0x41);
	assert_int_equal(page(V3_APIC_ICR_LOW + 4), 1);
	/* The register of the destination is no MSR, and what is there is nobody's. */
	page_set(V3_APIC_ICR_HIGH, 0x05000000);
	assert_int_equal(msr_read(vm, 1, V3_MSR_X2APIC_ICR), 0x100000041);
	/* Told of: a vector to itself that is none. */
	vm->intc->lend->written(&vm->vcpus[1], vm->intc_ctx, V3_APIC_SELF_IPI, 5);
	msr_write(vm, 1, V3_MSR_X2APIC_FIRST + (V3_APIC_ESR >> 4), 0);
	assert_int_equal(msr_read(vm, 1, V3_MSR_X2APIC_FIRST + (V3_APIC_ESR >> 4)),
			 V3_APIC_ESR_SEND_ILLEGAL);
	end();
}

static void test_disabled(void **state)
{
	(void)state;
	begin();
	msr_write(vm, 0, V3_MSR_APIC_BASE, V3_APIC_DEFAULT_BASE | V3_APIC_BASE_BSP);
	assert_int_equal(fake_lend(vm, 0, 7).mode, V3_LENT_NOTHING);
	end();
}

/* The hardware takes one, and ends it; another comes meanwhile. */
static void test_delivery(void **state)
{
	struct v3_lent lent;

	(void)state;
	begin();
	self_ipi(vm, 0, 0x61);
	self_ipi(vm, 0, 0xa2);
	lent = fake_lend(vm, 0, V3_LEND_MMIO | V3_LEND_ALL);
	assert_int_equal(lent.irr, 0xa2);
	assert_int_equal(lent.isr, 0);
	assert_true(vector_get(V3_APIC_IRR, 0xa2) && vector_get(V3_APIC_IRR, 0x61));
	/* It is the hardware's now. */
	assert_int_equal(peek(vm, 0), -1);
	vector_set(V3_APIC_IRR, 0xa2, false);
	vector_set(V3_APIC_ISR, 0xa2, true);
	lapic_write(vm, 1, V3_APIC_SVR, SVR_ON);
	assert_true(vm->lent);	/* that was another one's */
	lapic_read(vm, 0, V3_APIC_ID);
	assert_false(vm->lent);
	assert_int_equal(peek(vm, 0), -1);	/* 0x61 behind 0xa2 */
	lent = fake_lend(vm, 0, V3_LEND_MMIO | V3_LEND_ALL);
	assert_int_equal(lent.irr, 0x61);
	assert_int_equal(lent.isr, 0xa2);
	/* A message from outside while it is lent. */
	lapic_write(vm, 1, V3_APIC_ICR_HIGH, 0);
	lapic_write(vm, 1, V3_APIC_ICR_LOW, 0x71);
	assert_true(vm->lent);
	vector_set(V3_APIC_ISR, 0xa2, false);
	v3_intc_take_back(&vm->vcpus[0]);
	take(vm, 0, 0x71);
	lent = fake_lend(vm, 0, V3_LEND_MMIO | V3_LEND_ALL);
	assert_int_equal(lent.irr, 0x61);
	assert_int_equal(lent.isr, 0x71);
	end();
}

/* TPR, and the ICR as the hardware leaves it after a vector to itself. */
static void test_written_by_hardware(void **state)
{
	(void)state;
	begin();
	fake_lend(vm, 0, V3_LEND_MMIO | V3_LEND_ALL);
	page_set(V3_APIC_TPR, 0x47);
	page_set(V3_APIC_ICR_HIGH, 0x03000000);
	page_set(V3_APIC_ICR_LOW, V3_APIC_ICR_SELF | 0x51);
	vector_set(V3_APIC_IRR, 0x51, true);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TPR), 0x47);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_PPR), 0x47);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_ICR_LOW), V3_APIC_ICR_SELF | 0x51);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_ICR_HIGH), 0x03000000);
	take(vm, 0, 0x51);
	/* TPR alone. */
	fake_lend(vm, 0, V3_LEND_MMIO);
	page_set(V3_APIC_TPR, 0x12);
	page_set(V3_APIC_ICR_HIGH, 0x07000000);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TPR), 0x12);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_ICR_HIGH), 0x03000000);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_ISR + 0x20), 1u << 0x11);
	end();
}

/* Stores that the hardware has done and tells of. */
static void test_told(void **state)
{
	const struct v3_intc_lend_ops *ops;

	(void)state;
	begin();
	ops = vm->intc->lend;
	ops->written(&vm->vcpus[0], vm->intc_ctx, V3_APIC_LVT_TIMER, 0x44);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_LVT_TIMER), 0x44);
	fake_lend(vm, 0, V3_LEND_MMIO | V3_LEND_ALL);
	assert_int_equal(page(V3_APIC_LVT_TIMER), 0x44);
	v3_intc_take_back(&vm->vcpus[0]);
	ops->written(&vm->vcpus[0], vm->intc_ctx, V3_APIC_ICR_LOW, V3_APIC_ICR_SELF | 0x51);
	take(vm, 0, 0x51);
	ops->written(&vm->vcpus[0], vm->intc_ctx, V3_APIC_EOI, 0);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_ISR + 0x20), 0);
	/* Read-only, and no such register: as by the device's own store. */
	ops->written(&vm->vcpus[0], vm->intc_ctx, V3_APIC_ID, 0x05000000);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_ID), 0);
	end();
}

/* A level-triggered line that is still up comes again after the EOI that the hardware did. */
static void test_level_eoi(void **state)
{
	struct v3_lent lent;

	(void)state;
	begin();
	fake_mmio_write(vm, 0, V3_IOAPIC_DEFAULT_BASE, 4, V3_IOAPIC_REG_REDIR(5) + 1);
	fake_mmio_write(vm, 0, V3_IOAPIC_DEFAULT_BASE + V3_IOAPIC_MMIO_DATA, 4, 0);
	fake_mmio_write(vm, 0, V3_IOAPIC_DEFAULT_BASE, 4, V3_IOAPIC_REG_REDIR(5));
	fake_mmio_write(vm, 0, V3_IOAPIC_DEFAULT_BASE + V3_IOAPIC_MMIO_DATA, 4,
			V3_IOAPIC_LEVEL | 0x75);
	vm->intc->irq_set(vm->intc_ctx, 5, true);
	take(vm, 0, 0x75);
	lent = fake_lend(vm, 0, V3_LEND_MMIO | V3_LEND_ALL);
	assert_int_equal(lent.level[1], 1ull << (0x75 - 64));
	assert_int_equal(lent.level[0] | lent.level[2] | lent.level[3], 0);
	assert_int_equal(lent.isr, 0x75);
	vector_set(V3_APIC_ISR, 0x75, false);
	v3_intc_take_back(&vm->vcpus[0]);
	assert_int_equal(peek(vm, 0), -1);
	/* Of one that is not level-triggered there is nothing to do. */
	vm->intc->lend->eoi(&vm->vcpus[0], vm->intc_ctx, 0x76);
	assert_int_equal(peek(vm, 0), -1);
	vm->intc->lend->eoi(&vm->vcpus[0], vm->intc_ctx, 0x75);
	take(vm, 0, 0x75);
	vm->intc->irq_set(vm->intc_ctx, 5, false);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_registers), cmocka_unit_test(test_x2apic),
		cmocka_unit_test(test_disabled), cmocka_unit_test(test_delivery),
		cmocka_unit_test(test_written_by_hardware), cmocka_unit_test(test_told),
		cmocka_unit_test(test_level_eoi),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
