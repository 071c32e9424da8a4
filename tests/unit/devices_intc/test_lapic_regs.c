/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers of both modes, mode changes, CPUID, and accesses that a guest should not make. */
#include "intc_test.h"

static uint32_t latched_esr(struct v3_vm *vm, unsigned int cpu)
{
	lapic_write(vm, cpu, V3_APIC_ESR, 0);
	return lapic_read(vm, cpu, V3_APIC_ESR);
}

static void identity(void **state)
{
	struct v3_vm *vm = *state;

	assert_int_equal(lapic_read(vm, 3, V3_APIC_ID), 3u << 24);
	/* Read-only, and not an error. */
	lapic_write(vm, 3, V3_APIC_ID, 7u << 24);
	assert_int_equal(lapic_read(vm, 3, V3_APIC_ID), 3u << 24);
	lapic_write(vm, 3, V3_APIC_VERSION, 0);
	assert_int_equal(lapic_read(vm, 3, V3_APIC_VERSION), 0x01050014);
	assert_int_equal(latched_esr(vm, 3), 0);
}

static void writable_bits(void **state)
{
	static const struct { uint32_t reg, expected; } regs[] = {
		{ V3_APIC_TPR, 0xff },
		{ V3_APIC_LDR, 0xff000000 },
		{ V3_APIC_DFR, 0xffffffff },
		{ V3_APIC_SVR, 0x13ff },
		{ V3_APIC_LVT_TIMER, 0x700ff },
		{ V3_APIC_LVT_THERMAL, 0x107ff },
		{ V3_APIC_LVT_PERF, 0x107ff },
		{ V3_APIC_LVT_LINT0, 0x1a7ff },
		{ V3_APIC_LVT_LINT1, 0x1a7ff },
		{ V3_APIC_LVT_ERROR, 0x100ff },
		{ V3_APIC_ICR_HIGH, 0xff000000 },
		{ V3_APIC_TIMER_DIVIDE, 0xb },
	};
	struct v3_vm *vm = *state;
	unsigned int i;

	for (i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
		lapic_write(vm, 0, regs[i].reg, 0xffffffff);
		assert_int_equal(lapic_read(vm, 0, regs[i].reg), regs[i].expected);
	}
	lapic_write(vm, 0, V3_APIC_DFR, 0);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_DFR), 0x0fffffff);
	/* Delivery status never shows: delivery takes no time. */
	lapic_write(vm, 0, V3_APIC_ICR_LOW, 0xfff3ffff);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_ICR_LOW), 0xcfff);
	assert_int_equal(latched_esr(vm, 0), 0);
}

static void reserved_registers(void **state)
{
	static const uint32_t reserved[] = { 0x000, 0x010, 0x040, 0x070, 0x290, 0x2e0, 0x2f0,
					     0x3a0, 0x3d0, 0x3f0, 0x400, 0xff0 };
	struct v3_vm *vm = *state;
	unsigned int i;

	for (i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		assert_int_equal(lapic_read(vm, 0, reserved[i]), 0);
		assert_int_equal(latched_esr(vm, 0), V3_APIC_ESR_ILLEGAL_REG);
		lapic_write(vm, 0, reserved[i], 0xffffffff);
		assert_int_equal(latched_esr(vm, 0), V3_APIC_ESR_ILLEGAL_REG);
	}
	/* Write-only and read-only registers are none of them. */
	assert_int_equal(lapic_read(vm, 0, V3_APIC_EOI), 0);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_APR), 0);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_RRR), 0);
	lapic_write(vm, 0, V3_APIC_PPR, 0xff);
	lapic_write(vm, 0, V3_APIC_IRR, 0xffffffff);
	lapic_write(vm, 0, V3_APIC_TIMER_CURRENT, 0xffffffff);
	assert_int_equal(latched_esr(vm, 0), 0);
	assert_int_equal(peek(vm, 0), -1);
}

static void odd_sizes(void **state)
{
	struct v3_vm *vm = *state;

	lapic_write(vm, 0, V3_APIC_TPR, 0x20);
	assert_int_equal(fake_mmio_read(vm, 0, LAPIC(V3_APIC_VERSION), 1), 0x14);
	assert_int_equal(fake_mmio_read(vm, 0, LAPIC(V3_APIC_VERSION + 2), 2), 0x0105);
	assert_int_equal(fake_mmio_read(vm, 0, LAPIC(V3_APIC_VERSION + 4), 4), 0);
	assert_int_equal(fake_mmio_read(vm, 0, LAPIC(V3_APIC_VERSION), 8), 0);
	vm->logs = 0;
	fake_mmio_write(vm, 0, LAPIC(V3_APIC_TPR), 1, 0x40);
	fake_mmio_write(vm, 0, LAPIC(V3_APIC_TPR), 8, 0x40);
	fake_mmio_write(vm, 0, LAPIC(V3_APIC_TPR + 4), 4, 0x40);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TPR), 0x20);
	assert_int_equal(vm->logs, 3);
	assert_non_null(strstr(vm->last_log, "offset 0x84"));
}

static void base_msr(void **state)
{
	struct v3_vm *vm = *state;
	uint64_t on = V3_APIC_DEFAULT_BASE | V3_APIC_BASE_ENABLE;

	assert_int_equal(msr_read(vm, 0, V3_MSR_APIC_BASE), on | V3_APIC_BASE_BSP);
	assert_int_equal(msr_read(vm, 1, V3_MSR_APIC_BASE), on);
	/* The BSP flag does not move. */
	msr_write(vm, 1, V3_MSR_APIC_BASE, on | V3_APIC_BASE_BSP);
	assert_int_equal(msr_read(vm, 1, V3_MSR_APIC_BASE), on);
	assert_wrmsr_faults(vm, 0, V3_MSR_APIC_BASE, on | 1);
	assert_wrmsr_faults(vm, 0, V3_MSR_APIC_BASE, on | (1u << 9));
	assert_wrmsr_faults(vm, 0, V3_MSR_APIC_BASE, on | (1ull << 52));
	assert_int_equal(vm->logs, 0);
	assert_wrmsr_faults(vm, 0, V3_MSR_APIC_BASE, 0xfe000000 | V3_APIC_BASE_ENABLE);
	assert_int_equal(vm->logs, 1);
	assert_non_null(strstr(vm->last_log, "0xfe000000"));
	assert_int_equal(msr_read(vm, 0, V3_MSR_APIC_BASE), on | V3_APIC_BASE_BSP);
}

static void mode_changes(void **state)
{
	struct v3_vm *vm = *state;
	uint64_t base = V3_APIC_DEFAULT_BASE;
	uint64_t on = base | V3_APIC_BASE_ENABLE;

	assert_wrmsr_faults(vm, 1, V3_MSR_APIC_BASE, base | V3_APIC_BASE_X2APIC);
	/* xAPIC to disabled; not from there to x2APIC */
	msr_write(vm, 1, V3_MSR_APIC_BASE, base);
	assert_wrmsr_faults(vm, 1, V3_MSR_APIC_BASE, X2APIC_ON);
	assert_wrmsr_faults(vm, 1, V3_MSR_APIC_BASE, base | V3_APIC_BASE_X2APIC);
	assert_int_equal(lapic_read(vm, 1, V3_APIC_VERSION), 0xffffffff);
	lapic_write(vm, 1, V3_APIC_TPR, 0x40);
	/* back, and on to x2APIC; not back to xAPIC from there */
	msr_write(vm, 1, V3_MSR_APIC_BASE, on);
	assert_int_equal(lapic_read(vm, 1, V3_APIC_TPR), 0);
	assert_int_equal(lapic_read(vm, 1, V3_APIC_SVR), 0xff);
	msr_write(vm, 1, V3_MSR_APIC_BASE, X2APIC_ON);
	assert_int_equal(msr_read(vm, 1, V3_MSR_APIC_BASE), X2APIC_ON);
	assert_wrmsr_faults(vm, 1, V3_MSR_APIC_BASE, on);
	assert_wrmsr_faults(vm, 1, V3_MSR_APIC_BASE, base | V3_APIC_BASE_X2APIC);
	assert_int_equal(lapic_read(vm, 1, V3_APIC_VERSION), 0xffffffff);
	msr_write(vm, 1, V3_MSR_APIC_BASE, base);
	assert_rdmsr_faults(vm, 1, V3_MSR_X2APIC_ID);
	msr_write(vm, 1, V3_MSR_APIC_BASE, on);
	assert_int_equal(lapic_read(vm, 1, V3_APIC_VERSION), 0x01050014);
}

static void x2apic_registers(void **state)
{
	struct v3_vm *vm = *state;

	assert_rdmsr_faults(vm, 3, V3_MSR_X2APIC_ID);
	assert_wrmsr_faults(vm, 3, V3_MSR_X2APIC_TPR, 0);
	msr_write(vm, 3, V3_MSR_APIC_BASE, X2APIC_ON);
	assert_int_equal(msr_read(vm, 3, V3_MSR_X2APIC_ID), 3);
	assert_int_equal(msr_read(vm, 3, V3_MSR_X2APIC_VERSION), 0x01050014);
	assert_int_equal(msr_read(vm, 3, V3_MSR_X2APIC_LDR), 1u << 3);
	/* Enabled by software before, and still. */
	assert_int_equal(msr_read(vm, 3, 0x80f), SVR_ON);
	msr_write(vm, 3, V3_MSR_X2APIC_TPR, 0x33);
	assert_int_equal(msr_read(vm, 3, V3_MSR_X2APIC_TPR), 0x33);
	assert_int_equal(msr_read(vm, 3, 0x80a), 0x33);
	msr_write(vm, 3, V3_MSR_X2APIC_SELF_IPI, 0x77);
	assert_int_equal(msr_read(vm, 3, 0x823), 1u << 23);
	take(vm, 3, 0x77);
	assert_int_equal(msr_read(vm, 3, 0x813), 1u << 23);
	msr_write(vm, 3, V3_MSR_X2APIC_EOI, 0);
	assert_int_equal(msr_read(vm, 3, 0x813), 0);
	msr_write(vm, 3, V3_MSR_X2APIC_ICR, V3_APIC_ICR_SELF | V3_APIC_ICR_PENDING | 0x78);
	assert_int_equal(msr_read(vm, 3, V3_MSR_X2APIC_ICR), V3_APIC_ICR_SELF | 0x78);
	take(vm, 3, 0x78);
}

static void x2apic_faults(void **state)
{
	/* Absent, write-only, or replaced registers */
	static const uint32_t no_read[] = { 0x800, 0x801, 0x804, 0x809, 0x80b, 0x80c, 0x80e, 0x829,
					    0x82f, 0x831, 0x83a, 0x83f, 0x840, 0x8ff };
	static const uint32_t no_write[] = { 0x800, 0x802, 0x803, 0x809, 0x80a, 0x80c, 0x80d, 0x80e,
					     0x810, 0x818, 0x820, 0x82f, 0x831, 0x839, 0x840,
					     0x8ff };
	static const struct { uint32_t msr; uint64_t bad; } reserved[] = {
		{ 0x808, 0x100 }, { 0x80b, 1 }, { 0x80f, 0x400 }, { 0x80f, 1ull << 32 },
		{ 0x828, 1 },
		{ 0x830, 1u << 13 }, { 0x830, 1u << 16 }, { 0x830, 1u << 20 }, { 0x832, 1u << 8 },
		{ 0x832, 1ull << 32 }, { 0x833, 1u << 11 }, { 0x835, 1u << 11 }, { 0x837, 1u << 8 },
		{ 0x838, 1ull << 32 }, { 0x83e, 4 }, { 0x83f, 0x100 },
	};
	struct v3_vm *vm = *state;
	unsigned int i;

	msr_write(vm, 0, V3_MSR_APIC_BASE, X2APIC_ON);
	for (i = 0; i < sizeof(no_read) / sizeof(no_read[0]); i++)
		assert_rdmsr_faults(vm, 0, no_read[i]);
	for (i = 0; i < sizeof(no_write) / sizeof(no_write[0]); i++)
		assert_wrmsr_faults(vm, 0, no_write[i], 0);
	for (i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		assert_wrmsr_faults(vm, 0, reserved[i].msr, reserved[i].bad);
	/* Read-only bits of LVT entries may be written. */
	msr_write(vm, 0, 0x835, V3_APIC_LVT_MASKED | V3_APIC_LVT_PENDING | V3_APIC_LVT_REMOTE_IRR);
	assert_int_equal(msr_read(vm, 0, 0x835), V3_APIC_LVT_MASKED);
	msr_write(vm, 0, 0x828, 0);
	assert_int_equal(peek(vm, 0), -1);
}

static void cpuid_bits(void **state)
{
	struct v3_vm *vm = *state;
	struct v3_cpuid regs = { 1, 2, 0, 0 };

	fake_cpuid(vm, 1, 1, 0, &regs);
	assert_int_equal(regs.eax, 1);
	assert_int_equal(regs.ebx, 2);
	assert_int_equal(regs.ecx, V3_CPUID_1_ECX_X2APIC | V3_CPUID_1_ECX_TSC_DEADLINE);
	assert_int_equal(regs.edx, V3_CPUID_1_EDX_APIC);
	msr_write(vm, 1, V3_MSR_APIC_BASE, V3_APIC_DEFAULT_BASE);
	regs.edx = 0xffffffff;
	fake_cpuid(vm, 1, 1, 0, &regs);
	assert_int_equal(regs.edx, 0xffffffff & ~V3_CPUID_1_EDX_APIC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST4(identity),
		TEST1(writable_bits),
		TEST1(reserved_registers),
		TEST1(odd_sizes),
		TEST4(base_msr),
		TEST4(mode_changes),
		TEST4(x2apic_registers),
		TEST1(x2apic_faults),
		TEST4(cpuid_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
