/* SPDX-License-Identifier: BSD-2-Clause */
/* Interprocessor interrupts: delivery modes, shorthands, destinations in both modes. */
#include "intc_test.h"

#define FIXED (V3_APIC_DM_FIXED << 8)
#define LOWEST (V3_APIC_DM_LOWEST << 8)

static void ipi(struct v3_vm *vm, unsigned int cpu, uint32_t low, uint32_t dest)
{
	lapic_write(vm, cpu, V3_APIC_ICR_HIGH, dest << 24);
	lapic_write(vm, cpu, V3_APIC_ICR_LOW, low);
}

/* Takes and ends everything on all vCPUs; returns a bit per vCPU that had just @p vector. */
static uint64_t takers(struct v3_vm *vm, int vector)
{
	uint64_t mask = 0;
	unsigned int i;

	for (i = 0; i < vm->num_vcpus; i++) {
		struct v3_intc *intc = vm->intc_ctx;

		if (peek(vm, i) < 0)
			continue;
		take(vm, i, vector);
		v3_lapic_eoi(&intc->lapic[i]);
		assert_int_equal(peek(vm, i), -1);
		mask |= 1ull << i;
	}
	return mask;
}

static void all_to_x2apic(struct v3_vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->num_vcpus; i++)
		msr_write(vm, i, V3_MSR_APIC_BASE, X2APIC_ON);
}

static void x2ipi(struct v3_vm *vm, unsigned int cpu, uint32_t low, uint32_t dest)
{
	msr_write(vm, cpu, V3_MSR_X2APIC_ICR, low | (uint64_t)dest << 32);
}

static void physical(void **state)
{
	struct v3_vm *vm = *state;

	ipi(vm, 0, FIXED | 0x41, 2);
	assert_int_equal(vm->vcpus[2].checks, 1);
	assert_int_equal(takers(vm, 0x41), 1u << 2);
	ipi(vm, 0, FIXED | 0x41, 0);
	assert_int_equal(takers(vm, 0x41), 1u << 0);
	ipi(vm, 0, FIXED | 0x41, 0xff);
	assert_int_equal(takers(vm, 0x41), 0xf);
	/* Nobody there: no error, nothing happens. */
	ipi(vm, 0, FIXED | 0x41, 9);
	assert_int_equal(takers(vm, 0x41), 0);
	/* Disabled by software, it takes no fixed interrupts; switched off, nothing. */
	lapic_write(vm, 2, V3_APIC_SVR, 0xff);
	msr_write(vm, 3, V3_MSR_APIC_BASE, V3_APIC_DEFAULT_BASE);
	ipi(vm, 0, FIXED | 0x41, 0xff);
	assert_int_equal(takers(vm, 0x41), 3);
	ipi(vm, 0, V3_APIC_DM_NMI << 8, 2);
	ipi(vm, 0, V3_APIC_DM_NMI << 8, 3);
	assert_int_equal(vm->vcpus[2].nmis, 1);
	assert_int_equal(vm->vcpus[3].nmis, 0);
}

static void logical_flat(void **state)
{
	struct v3_vm *vm = *state;
	unsigned int i;

	for (i = 0; i < 4; i++)
		lapic_write(vm, i, V3_APIC_LDR, 1u << (24 + i));
	ipi(vm, 1, V3_APIC_ICR_LOGICAL | 0x50, 0x5);
	assert_int_equal(takers(vm, 0x50), 5);
	ipi(vm, 1, V3_APIC_ICR_LOGICAL | 0x50, 0xff);
	assert_int_equal(takers(vm, 0x50), 0xf);
	ipi(vm, 1, V3_APIC_ICR_LOGICAL | 0x50, 0xf0);
	assert_int_equal(takers(vm, 0x50), 0);
}

static void logical_cluster(void **state)
{
	struct v3_vm *vm = *state;
	unsigned int i;

	/* Two clusters of two */
	for (i = 0; i < 4; i++) {
		lapic_write(vm, i, V3_APIC_DFR, V3_APIC_DFR_CLUSTER);
		lapic_write(vm, i, V3_APIC_LDR, (i / 2) << 28 | 1u << (24 + i % 2));
	}
	ipi(vm, 0, V3_APIC_ICR_LOGICAL | 0x50, 0x03);
	assert_int_equal(takers(vm, 0x50), 0x3);
	ipi(vm, 0, V3_APIC_ICR_LOGICAL | 0x50, 0x12);
	assert_int_equal(takers(vm, 0x50), 0x8);
	/* Cluster 15: all of them */
	ipi(vm, 0, V3_APIC_ICR_LOGICAL | 0x50, 0xf1);
	assert_int_equal(takers(vm, 0x50), 0x5);
	ipi(vm, 0, V3_APIC_ICR_LOGICAL | 0x50, 0xff);
	assert_int_equal(takers(vm, 0x50), 0xf);
	ipi(vm, 0, V3_APIC_ICR_LOGICAL | 0x50, 0x2f);
	assert_int_equal(takers(vm, 0x50), 0);
}

static void shorthands(void **state)
{
	struct v3_vm *vm = *state;

	ipi(vm, 1, V3_APIC_ICR_SELF | 0x50, 3);
	assert_int_equal(takers(vm, 0x50), 2);
	ipi(vm, 1, V3_APIC_ICR_ALL | 0x50, 3);
	assert_int_equal(takers(vm, 0x50), 0xf);
	ipi(vm, 1, V3_APIC_ICR_ALL_BUT_SELF | 0x50, 3);
	assert_int_equal(takers(vm, 0x50), 0xd);
	ipi(vm, 1, V3_APIC_ICR_ALL_BUT_SELF | V3_APIC_DM_NMI << 8, 0);
	assert_int_equal(vm->vcpus[0].nmis + vm->vcpus[2].nmis + vm->vcpus[3].nmis, 3);
	assert_int_equal(vm->vcpus[1].nmis, 0);
	/* Combinations that SDM table 11-3 calls invalid do nothing. */
	ipi(vm, 1, V3_APIC_ICR_SELF | V3_APIC_DM_NMI << 8, 0);
	ipi(vm, 1, V3_APIC_ICR_SELF | LOWEST | 0x50, 0);
	ipi(vm, 1, V3_APIC_ICR_ALL | V3_APIC_DM_INIT << 8, 0);
	assert_int_equal(vm->vcpus[1].nmis, 0);
	assert_int_equal(vm->vcpus[0].inits, 0);
	assert_int_equal(takers(vm, 0x50), 0);
}

static void init_and_startup(void **state)
{
	struct v3_vm *vm = *state;
	const uint32_t init = V3_APIC_DM_INIT << 8 | V3_APIC_ICR_LEVEL;

	ipi(vm, 0, init | V3_APIC_ICR_ASSERT, 2);
	assert_int_equal(vm->vcpus[2].inits, 1);
	/* De-assert does nothing any more. */
	ipi(vm, 0, init, 2);
	assert_int_equal(vm->vcpus[2].inits, 1);
	ipi(vm, 0, V3_APIC_DM_STARTUP << 8 | 0x9a, 2);
	assert_int_equal(vm->vcpus[2].sipis, 1);
	assert_int_equal(vm->vcpus[2].sipi_vector, 0x9a);
	/* A start-up vector below 16 is a page number like any other. */
	ipi(vm, 0, V3_APIC_DM_STARTUP << 8 | 0x08, 3);
	assert_int_equal(vm->vcpus[3].sipi_vector, 0x08);
	/* Edge-triggered INIT is one, too. */
	ipi(vm, 0, V3_APIC_DM_INIT << 8, 3);
	assert_int_equal(vm->vcpus[3].inits, 1);
	assert_int_equal(vm->vcpus[0].inits + vm->vcpus[1].inits, 0);
	/* SMI, reserved and ExtINT do nothing from an ICR. */
	ipi(vm, 0, V3_APIC_DM_SMI << 8, 1);
	ipi(vm, 0, 3 << 8, 1);
	ipi(vm, 0, V3_APIC_DM_EXTINT << 8, 1);
	assert_int_equal(vm->vcpus[1].checks, 0);
	assert_int_equal(peek(vm, 1), -1);
}

static void lowest_priority(void **state)
{
	struct v3_vm *vm = *state;
	uint64_t seen = 0;
	unsigned int i;

	for (i = 0; i < 4; i++)
		lapic_write(vm, i, V3_APIC_LDR, 1u << (24 + i));
	/* One takes it, and they take turns. */
	for (i = 0; i < 4; i++) {
		uint64_t mask;

		ipi(vm, 0, V3_APIC_ICR_LOGICAL | LOWEST | 0x50, 0xff);
		mask = takers(vm, 0x50);
		assert_int_equal(__builtin_popcountll(mask), 1);
		seen |= mask;
	}
	assert_int_equal(seen, 0xf);
	/* The one with the lowest PPR, though masked priorities differ by class only. */
	lapic_write(vm, 0, V3_APIC_TPR, 0x40);
	lapic_write(vm, 1, V3_APIC_TPR, 0x30);
	lapic_write(vm, 2, V3_APIC_TPR, 0x20);
	lapic_write(vm, 3, V3_APIC_TPR, 0x30);
	for (i = 0; i < 3; i++) {
		ipi(vm, 0, V3_APIC_ICR_LOGICAL | LOWEST | 0x50, 0xff);
		assert_int_equal(takers(vm, 0x50), 1u << 2);
	}
	ipi(vm, 0, V3_APIC_ICR_LOGICAL | LOWEST | 0x50, 0x3);
	assert_int_equal(takers(vm, 0x50), 1u << 1);
	/* Who is disabled does not take part. */
	lapic_write(vm, 2, V3_APIC_SVR, 0xff);
	ipi(vm, 0, V3_APIC_ICR_LOGICAL | LOWEST | 0x50, 0x5);
	assert_int_equal(takers(vm, 0x50), 1u << 0);
	ipi(vm, 0, V3_APIC_ICR_LOGICAL | LOWEST | 0x50, 0x4);
	assert_int_equal(takers(vm, 0x50), 0);
	/* Physical, and all but self */
	ipi(vm, 0, LOWEST | 0x50, 3);
	assert_int_equal(takers(vm, 0x50), 1u << 3);
	ipi(vm, 1, V3_APIC_ICR_ALL_BUT_SELF | LOWEST | 0x50, 0);
	assert_int_equal(takers(vm, 0x50), 1u << 3);
}

static void x2apic_physical(void **state)
{
	struct v3_vm *vm = *state;

	all_to_x2apic(vm);
	x2ipi(vm, 0, FIXED | 0x41, 2);
	assert_int_equal(takers(vm, 0x41), 1u << 2);
	x2ipi(vm, 0, FIXED | 0x41, 0xffffffff);
	assert_int_equal(takers(vm, 0x41), 0xf);
	/* 0xff is an ID like any other here, and bits beyond 8 count. */
	x2ipi(vm, 0, FIXED | 0x41, 0xff);
	x2ipi(vm, 0, FIXED | 0x41, 0x102);
	assert_int_equal(takers(vm, 0x41), 0);
}

static void x2apic_logical(void **state)
{
	struct v3_vm *vm = *state;
	unsigned int i;

	fake_vm_destroy(vm);
	/* More than one cluster of 16, and more vCPUs than any mask of 32 has bits. */
	vm = intc_vm(64);
	*state = vm;
	all_to_x2apic(vm);
	for (i = 0; i < 64; i++)
		assert_int_equal(msr_read(vm, i, V3_MSR_X2APIC_LDR),
				 (i / 16) << 16 | 1u << (i % 16));
	x2ipi(vm, 0, V3_APIC_ICR_LOGICAL | 0x60, 2u << 16 | 0x8001);
	assert_int_equal(takers(vm, 0x60), 1ull << 32 | 1ull << 47);
	x2ipi(vm, 0, V3_APIC_ICR_LOGICAL | 0x60, 3u << 16 | 0xffff);
	assert_int_equal(takers(vm, 0x60), 0xffffull << 48);
	x2ipi(vm, 0, V3_APIC_ICR_LOGICAL | 0x60, 0xffffffff);
	assert_int_equal(takers(vm, 0x60), UINT64_MAX);
	x2ipi(vm, 63, V3_APIC_ICR_ALL_BUT_SELF | 0x60, 0);
	assert_int_equal(takers(vm, 0x60), UINT64_MAX >> 1);
	x2ipi(vm, 0, FIXED | 0x60, 63);
	assert_int_equal(takers(vm, 0x60), 1ull << 63);
}

/* All ones as a logical destination are everybody's, also without a logical ID. */
static void logical_broadcast(void **state)
{
	struct v3_vm *vm = *state;

	lapic_write(vm, 2, V3_APIC_DFR, V3_APIC_DFR_CLUSTER);
	ipi(vm, 0, V3_APIC_ICR_LOGICAL | 0x50, 0xff);
	assert_int_equal(takers(vm, 0x50), 0xf);
	ipi(vm, 0, V3_APIC_ICR_LOGICAL | 0x50, 0xfe);
	assert_int_equal(takers(vm, 0x50), 0);
	ipi(vm, 0, V3_APIC_ICR_LOGICAL | V3_APIC_DM_NMI << 8, 0xff);
	assert_int_equal(vm->vcpus[0].nmis & vm->vcpus[1].nmis & vm->vcpus[2].nmis &
			 vm->vcpus[3].nmis, 1);
}

/* Of what is sent to nobody nothing comes, whatever the mode, and it is no error. */
static void absent(void **state)
{
	static const uint32_t modes[] = {
		FIXED, LOWEST, V3_APIC_DM_SMI << 8, V3_APIC_DM_NMI << 8, V3_APIC_DM_INIT << 8,
		V3_APIC_DM_INIT << 8 | V3_APIC_ICR_LEVEL | V3_APIC_ICR_ASSERT,
		V3_APIC_DM_STARTUP << 8, 3 << 8, V3_APIC_DM_EXTINT << 8,
	};
	struct v3_vm *vm = *state;
	unsigned int i, x2;

	for (i = 0; i < 4; i++)
		lapic_write(vm, i, V3_APIC_LDR, 1u << (24 + i));
	for (x2 = 0; x2 < 2; x2++) {
		for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
			if (x2) {
				x2ipi(vm, 0, modes[i] | 0x99, 4);
				x2ipi(vm, 0, modes[i] | 0x99, 0x80000000);
				x2ipi(vm, 0, modes[i] | 0x99 | V3_APIC_ICR_LOGICAL, 0x10001);
				x2ipi(vm, 0, modes[i] | 0x99 | V3_APIC_ICR_LOGICAL, 0);
			} else {
				ipi(vm, 0, modes[i] | 0x99, 4);
				ipi(vm, 0, modes[i] | 0x99, 0xfe);
				ipi(vm, 0, modes[i] | 0x99 | V3_APIC_ICR_LOGICAL, 0xf0);
				ipi(vm, 0, modes[i] | 0x99 | V3_APIC_ICR_LOGICAL, 0);
			}
		}
		for (i = 0; i < 4; i++) {
			assert_int_equal(vm->vcpus[i].checks, 0);
			assert_int_equal(vm->vcpus[i].nmis + vm->vcpus[i].inits +
					 vm->vcpus[i].sipis, 0);
			assert_int_equal(peek(vm, i), -1);
		}
		if (x2) {
			msr_write(vm, 0, 0x828, 0);
			assert_int_equal(msr_read(vm, 0, 0x828), 0);
			break;
		}
		lapic_write(vm, 0, V3_APIC_ESR, 0);
		assert_int_equal(lapic_read(vm, 0, V3_APIC_ESR), 0);
		all_to_x2apic(vm);
		for (i = 0; i < 4; i++)
			vm->vcpus[i].checks = 0;
	}
}

/* Vectors below 16 are not sent, and the sender's ESR says so. */
static void illegal_vectors(void **state)
{
	static const uint32_t low[] = {
		FIXED, LOWEST, V3_APIC_ICR_LOGICAL, V3_APIC_ICR_SELF, V3_APIC_ICR_ALL,
		V3_APIC_ICR_ALL_BUT_SELF, V3_APIC_ICR_ALL_BUT_SELF | LOWEST,
	};
	struct v3_vm *vm = *state;
	unsigned int i, j;

	lapic_write(vm, 0, V3_APIC_LVT_ERROR, 0x80);
	for (i = 0; i < sizeof(low) / sizeof(low[0]); i++) {
		ipi(vm, 0, low[i] | i, 1);
		/* Nothing shows before the write; a second write finds no more. */
		assert_int_equal(lapic_read(vm, 0, V3_APIC_ESR), 0);
		lapic_write(vm, 0, V3_APIC_ESR, 0x12345678);
		assert_int_equal(lapic_read(vm, 0, V3_APIC_ESR), V3_APIC_ESR_SEND_ILLEGAL);
		assert_int_equal(lapic_read(vm, 0, V3_APIC_ESR), V3_APIC_ESR_SEND_ILLEGAL);
		lapic_write(vm, 0, V3_APIC_ESR, 0);
		assert_int_equal(lapic_read(vm, 0, V3_APIC_ESR), 0);
		take(vm, 0, 0x80);
		eoi(vm, 0);
		for (j = 1; j < 4; j++)
			assert_int_equal(peek(vm, j), -1);
	}
	/* NMI and INIT have no vector, so any will do. */
	ipi(vm, 0, V3_APIC_DM_NMI << 8 | 3, 1);
	assert_int_equal(vm->vcpus[1].nmis, 1);
	lapic_write(vm, 0, V3_APIC_ESR, 0);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_ESR), 0);
	/* The same from x2APIC mode, by ICR and by SELF IPI. */
	all_to_x2apic(vm);
	x2ipi(vm, 0, FIXED | 15, 1);
	take(vm, 0, 0x80);
	msr_write(vm, 0, V3_MSR_X2APIC_EOI, 0);
	msr_write(vm, 0, 0x828, 0);
	assert_int_equal(msr_read(vm, 0, 0x828), V3_APIC_ESR_SEND_ILLEGAL);
	msr_write(vm, 0, V3_MSR_X2APIC_SELF_IPI, 0);
	take(vm, 0, 0x80);
	msr_write(vm, 0, V3_MSR_X2APIC_EOI, 0);
	msr_write(vm, 0, 0x828, 0);
	assert_int_equal(msr_read(vm, 0, 0x828), V3_APIC_ESR_SEND_ILLEGAL);
	assert_int_equal(peek(vm, 0), -1);
}

/* No mask of 8, 32 or 64 bits anywhere: 64 vCPUs by xAPIC's means and by x2APIC's. */
static void many(void **state)
{
	struct v3_vm *vm = *state;
	uint64_t seen = 0;
	unsigned int i;

	fake_vm_destroy(vm);
	vm = intc_vm(64);
	*state = vm;
	ipi(vm, 0, FIXED | 0x60, 63);
	assert_int_equal(takers(vm, 0x60), 1ull << 63);
	ipi(vm, 40, FIXED | 0x60, 0xff);
	assert_int_equal(takers(vm, 0x60), UINT64_MAX);
	ipi(vm, 40, V3_APIC_ICR_ALL | 0x60, 0);
	assert_int_equal(takers(vm, 0x60), UINT64_MAX);
	ipi(vm, 40, V3_APIC_ICR_ALL_BUT_SELF | 0x60, 0);
	assert_int_equal(takers(vm, 0x60), ~(1ull << 40));
	/* 15 clusters of 4 are all that xAPIC's logical destinations reach. */
	for (i = 0; i < 64; i++) {
		lapic_write(vm, i, V3_APIC_DFR, V3_APIC_DFR_CLUSTER);
		lapic_write(vm, i, V3_APIC_LDR, i < 60 ? (i / 4) << 28 | 1u << (24 + i % 4) : 0);
	}
	ipi(vm, 0, V3_APIC_ICR_LOGICAL | 0x60, 0xef);
	assert_int_equal(takers(vm, 0x60), 0xfull << 56);
	/* Lowest priority: each takes one of 64. */
	for (i = 0; i < 64; i++) {
		uint64_t mask;

		ipi(vm, 0, LOWEST | 0x60, 0xff);
		mask = takers(vm, 0x60);
		assert_int_equal(__builtin_popcountll(mask), 1);
		seen |= mask;
	}
	assert_int_equal(seen, UINT64_MAX);
	lapic_write(vm, 63, V3_APIC_TPR, 0x10);
	ipi(vm, 0, LOWEST | 0x60, 63);
	assert_int_equal(takers(vm, 0x60), 1ull << 63);
	/* INIT and start-up reach all others. */
	ipi(vm, 0, V3_APIC_ICR_ALL_BUT_SELF | V3_APIC_DM_INIT << 8, 0);
	ipi(vm, 0, V3_APIC_ICR_ALL_BUT_SELF | V3_APIC_DM_STARTUP << 8 | 0x12, 0);
	for (i = 0; i < 64; i++) {
		assert_int_equal(vm->vcpus[i].inits, i != 0);
		assert_int_equal(vm->vcpus[i].sipis, i != 0);
	}
}

/* Each local APIC understands a message in its own mode. */
static void mixed_modes(void **state)
{
	struct v3_vm *vm = *state;
	unsigned int i;

	for (i = 0; i < 4; i++)
		lapic_write(vm, i, V3_APIC_LDR, 1u << (24 + i));
	msr_write(vm, 3, V3_MSR_APIC_BASE, X2APIC_ON);
	ipi(vm, 0, V3_APIC_ICR_LOGICAL | 0x50, 0x0c);
	assert_int_equal(takers(vm, 0x50), 0xc);
	x2ipi(vm, 3, V3_APIC_ICR_LOGICAL | 0x50, 0x0f);
	assert_int_equal(takers(vm, 0x50), 0xf);
	x2ipi(vm, 3, V3_APIC_ICR_LOGICAL | 0x50, 0x1000f);
	assert_int_equal(takers(vm, 0x50), 0);
	ipi(vm, 0, FIXED | 0x50, 0xff);
	assert_int_equal(takers(vm, 0x50), 0xf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST4(physical),
		TEST4(logical_flat),
		TEST4(logical_cluster),
		TEST4(shorthands),
		TEST4(init_and_startup),
		TEST4(lowest_priority),
		TEST4(x2apic_physical),
		TEST4(x2apic_logical),
		TEST4(logical_broadcast),
		TEST4(absent),
		TEST4(illegal_vectors),
		TEST4(many),
		TEST4(mixed_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
