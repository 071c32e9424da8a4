/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of the interrupt controllers share. */
#ifndef INTC_TEST_H
#define INTC_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "devices/intc.h"
#include "fakes/fake_core.h"
#include "x86/apic.h"
#include "x86/cpuid.h"
#include "x86/msr.h"

#define LAPIC(reg) (V3_APIC_DEFAULT_BASE + (reg))
#define X2APIC_ON (V3_APIC_DEFAULT_BASE | V3_APIC_BASE_ENABLE | V3_APIC_BASE_X2APIC)
#define SVR_ON (V3_APIC_SVR_ENABLE | 0xff)

static inline uint32_t lapic_read(struct v3_vm *vm, unsigned int cpu, uint32_t reg)
{
	return (uint32_t)fake_mmio_read(vm, cpu, LAPIC(reg), 4);
}

static inline void lapic_write(struct v3_vm *vm, unsigned int cpu, uint32_t reg, uint32_t value)
{
	fake_mmio_write(vm, cpu, LAPIC(reg), 4, value);
}

static inline uint64_t msr_read(struct v3_vm *vm, unsigned int cpu, uint32_t msr)
{
	uint64_t value = 0;

	assert_int_equal(fake_rdmsr(vm, cpu, msr, &value), V3_HOOK_DONE);
	return value;
}

static inline void msr_write(struct v3_vm *vm, unsigned int cpu, uint32_t msr, uint64_t value)
{
	assert_int_equal(fake_wrmsr(vm, cpu, msr, value), V3_HOOK_DONE);
}

static inline void assert_wrmsr_faults(struct v3_vm *vm, unsigned int cpu, uint32_t msr,
				       uint64_t value)
{
	assert_int_equal(fake_wrmsr(vm, cpu, msr, value), V3_HOOK_FAULT);
}

static inline void assert_rdmsr_faults(struct v3_vm *vm, unsigned int cpu, uint32_t msr)
{
	uint64_t value;

	assert_int_equal(fake_rdmsr(vm, cpu, msr, &value), V3_HOOK_FAULT);
}

/* What a vCPU would take now, without blocked vectors. */
static inline int peek(struct v3_vm *vm, unsigned int cpu)
{
	return fake_peek(vm, cpu, NULL);
}

/* The vCPU takes an interrupt; it has to be this one. */
static inline void take(struct v3_vm *vm, unsigned int cpu, int vector)
{
	assert_int_equal(peek(vm, cpu), vector);
	assert_int_equal(fake_ack(vm, cpu), vector);
}

static inline void self_ipi(struct v3_vm *vm, unsigned int cpu, uint32_t vector)
{
	lapic_write(vm, cpu, V3_APIC_ICR_LOW, V3_APIC_ICR_SELF | vector);
}

static inline void eoi(struct v3_vm *vm, unsigned int cpu)
{
	lapic_write(vm, cpu, V3_APIC_EOI, 0);
}

/* VM whose local APICs are all enabled by software, with LINT0 and LINT1 masked. */
static inline struct v3_vm *intc_vm(unsigned int num_vcpus)
{
	struct v3_vm *vm = fake_vm_create(num_vcpus);
	unsigned int i;

	assert_int_equal(v3_intc_create(vm), V3_OK);
	for (i = 0; i < num_vcpus; i++) {
		lapic_write(vm, i, V3_APIC_SVR, SVR_ON);
		lapic_write(vm, i, V3_APIC_LVT_LINT0, V3_APIC_LVT_MASKED);
		lapic_write(vm, i, V3_APIC_LVT_LINT1, V3_APIC_LVT_MASKED);
		vm->vcpus[i].checks = 0;
	}
	return vm;
}

/* As the host makes it, before any software has touched it. */
static inline int setup_power_on(void **state)
{
	struct v3_vm *vm = fake_vm_create(4);

	assert_int_equal(v3_intc_create(vm), V3_OK);
	*state = vm;
	return 0;
}

static inline int setup1(void **state)
{
	*state = intc_vm(1);
	return 0;
}

static inline int setup4(void **state)
{
	*state = intc_vm(4);
	return 0;
}

static inline int teardown(void **state)
{
	fake_vm_destroy(*state);
	return 0;
}

#define TEST1(f) cmocka_unit_test_setup_teardown(f, setup1, teardown)
#define TEST_POWER_ON(f) cmocka_unit_test_setup_teardown(f, setup_power_on, teardown)
#define TEST4(f) cmocka_unit_test_setup_teardown(f, setup4, teardown)

/* Writes one redirection entry of the I/O APIC. */
static inline void ioapic_write(struct v3_vm *vm, uint32_t index, uint32_t value)
{
	fake_mmio_write(vm, 0, V3_IOAPIC_DEFAULT_BASE + V3_IOAPIC_MMIO_INDEX, 4, index);
	fake_mmio_write(vm, 0, V3_IOAPIC_DEFAULT_BASE + V3_IOAPIC_MMIO_DATA, 4, value);
}

static inline uint32_t ioapic_read(struct v3_vm *vm, uint32_t index)
{
	fake_mmio_write(vm, 0, V3_IOAPIC_DEFAULT_BASE + V3_IOAPIC_MMIO_INDEX, 4, index);
	return (uint32_t)fake_mmio_read(vm, 0, V3_IOAPIC_DEFAULT_BASE + V3_IOAPIC_MMIO_DATA, 4);
}

static inline void redirect(struct v3_vm *vm, unsigned int pin, uint64_t entry)
{
	ioapic_write(vm, V3_IOAPIC_REG_REDIR(pin) + 1, (uint32_t)(entry >> 32));
	ioapic_write(vm, V3_IOAPIC_REG_REDIR(pin), (uint32_t)entry);
}

static inline uint64_t redirection(struct v3_vm *vm, unsigned int pin)
{
	return ioapic_read(vm, V3_IOAPIC_REG_REDIR(pin)) |
	       (uint64_t)ioapic_read(vm, V3_IOAPIC_REG_REDIR(pin) + 1) << 32;
}

static inline void pulse(struct v3_vm *vm, unsigned int gsi)
{
	v3_irq_set(vm, gsi, true);
	v3_irq_set(vm, gsi, false);
}

/* Initializes the 8259 pair as PC operating systems do, all inputs unmasked. */
static inline void pic_init(struct v3_vm *vm, uint8_t master_icw4, uint8_t slave_icw4)
{
	fake_out(vm, 0, 0x20, 1, 0x11);
	fake_out(vm, 0, 0x21, 1, 0x30);
	fake_out(vm, 0, 0x21, 1, 0x04);
	fake_out(vm, 0, 0x21, 1, master_icw4);
	fake_out(vm, 0, 0xa0, 1, 0x11);
	fake_out(vm, 0, 0xa1, 1, 0x38);
	fake_out(vm, 0, 0xa1, 1, 0x02);
	fake_out(vm, 0, 0xa1, 1, slave_icw4);
	fake_out(vm, 0, 0x21, 1, 0);
	fake_out(vm, 0, 0xa1, 1, 0);
}

#endif
