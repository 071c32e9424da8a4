/* SPDX-License-Identifier: BSD-2-Clause */
/* Places in guest RAM, also in memory maps that the core does not make today. */
#include "image.h"

#include "loader/place.h"

static void runs(void **state)
{
	struct v3_vm *vm = fake_vm_create(1);
	struct v3_ram_walk walk = { .vm = vm };
	struct v3_extent run;

	(void)state;
	assert_false(v3_ram_next(&walk, &run));
	/* Two neighbors are one run; MMIO, ROM and holes part them. */
	fake_vm_add_mem(vm, 0, MIB, V3_MEM_RAM);
	fake_vm_add_mem(vm, MIB, MIB, V3_MEM_RAM);
	fake_vm_add_mem(vm, 2 * MIB, MIB, V3_MEM_ROM);
	fake_vm_add_mem(vm, 3 * MIB, MIB, V3_MEM_RAM);
	fake_vm_add_mem(vm, 4 * MIB, MIB, V3_MEM_MMIO);
	fake_vm_add_mem(vm, 6 * MIB, MIB, V3_MEM_RAM);
	walk = (struct v3_ram_walk){ .vm = vm };
	assert_true(v3_ram_next(&walk, &run));
	assert_int_equal(run.start, 0);
	assert_int_equal(run.size, 2 * MIB);
	assert_true(v3_ram_next(&walk, &run));
	assert_int_equal(run.start, 3 * MIB);
	assert_int_equal(run.size, MIB);
	assert_true(v3_ram_next(&walk, &run));
	assert_int_equal(run.start, 6 * MIB);
	assert_int_equal(run.size, MIB);
	assert_false(v3_ram_next(&walk, &run));
	assert_false(v3_ram_next(&walk, &run));

	assert_true(v3_ram_has(vm, 0, 2 * MIB));
	assert_true(v3_ram_has(vm, MIB / 2, MIB));
	assert_false(v3_ram_has(vm, 1, 2 * MIB));
	assert_false(v3_ram_has(vm, 2 * MIB, 1));
	assert_false(v3_ram_has(vm, 6 * MIB, UINT64_MAX));
	assert_false(v3_ram_has(vm, UINT64_MAX, 2));
	assert_true(v3_ram_has(vm, 7 * MIB - 1, 1));
	assert_false(v3_ram_has(vm, 7 * MIB - 1, 2));
	fake_vm_destroy(vm);
}

static void overlap(void **state)
{
	const struct v3_extent a = { 100, 10 };

	(void)state;
	assert_true(v3_extents_overlap(&a, &(struct v3_extent){ 109, 1 }));
	assert_false(v3_extents_overlap(&a, &(struct v3_extent){ 110, 1 }));
	assert_true(v3_extents_overlap(&a, &(struct v3_extent){ 90, 11 }));
	assert_false(v3_extents_overlap(&a, &(struct v3_extent){ 90, 10 }));
	assert_false(v3_extents_overlap(&a, &(struct v3_extent){ 105, 0 }));
	assert_true(v3_extents_overlap(&a, &(struct v3_extent){ 0, 1000 }));
}

static void low(void **state)
{
	struct v3_vm *vm = fake_vm_create(1);
	v3_gpa_t gpa = 1;

	(void)state;
	fake_vm_add_mem(vm, 0x1000, 0x1000, V3_MEM_RAM);
	fake_vm_add_mem(vm, 0x11000, 0x8000, V3_MEM_RAM);
	assert_true(v3_place_low(vm, 0x1000, 0x1000, 0, UINT64_MAX, &gpa));
	assert_int_equal(gpa, 0x1000);
	assert_true(v3_place_low(vm, 0x1001, 0x1000, 0, UINT64_MAX, &gpa));
	assert_int_equal(gpa, 0x11000);
	assert_true(v3_place_low(vm, 0x1000, 0x4000, 0, UINT64_MAX, &gpa));
	assert_int_equal(gpa, 0x14000);
	assert_true(v3_place_low(vm, 0x1000, 0x1000, 0x12001, UINT64_MAX, &gpa));
	assert_int_equal(gpa, 0x13000);
	assert_false(v3_place_low(vm, 0x1000, 0x1000, 0x12001, 0x13fff, &gpa));
	assert_false(v3_place_low(vm, 0x9000, 1, 0, UINT64_MAX, &gpa));
	assert_false(v3_place_low(vm, 1, 0x40000000, 0, UINT64_MAX, &gpa));
	assert_false(v3_place_low(vm, 1, 0x1000, UINT64_MAX, UINT64_MAX, &gpa));
	fake_vm_destroy(vm);
}

static void high(void **state)
{
	struct v3_vm *vm = fake_vm_create(1);
	const struct v3_extent avoid[] = { { 9 * MIB, MIB }, { 7 * MIB, MIB } };
	v3_gpa_t gpa = 0;

	(void)state;
	fake_vm_add_mem(vm, 0, 2 * MIB, V3_MEM_RAM);
	fake_vm_add_mem(vm, 6 * MIB, 4 * MIB, V3_MEM_RAM);
	assert_true(v3_place_high(vm, 100, UINT64_MAX, NULL, 0, &gpa));
	assert_int_equal(gpa, 10 * MIB - 0x1000);
	/* Below one obstacle, then between, then under the other */
	assert_true(v3_place_high(vm, MIB, UINT64_MAX, avoid, 2, &gpa));
	assert_int_equal(gpa, 8 * MIB);
	assert_true(v3_place_high(vm, MIB, 9 * MIB - 1, avoid, 2, &gpa));
	assert_int_equal(gpa, 6 * MIB);
	/* In the run below, but not below 1 MiB */
	assert_true(v3_place_high(vm, MIB, 7 * MIB - 1, avoid, 2, &gpa));
	assert_int_equal(gpa, MIB);
	assert_false(v3_place_high(vm, MIB + 1, 6 * MIB, avoid, 2, &gpa));
	assert_false(v3_place_high(vm, MIB, 2 * MIB - 1, avoid, 2, &gpa));
	assert_false(v3_place_high(vm, 4 * MIB, UINT64_MAX, avoid, 2, &gpa));
	assert_false(v3_place_high(vm, UINT64_MAX, UINT64_MAX, NULL, 0, &gpa));
	assert_false(v3_place_high(vm, 1, 0, NULL, 0, &gpa));
	assert_false(v3_place_high(vm, 1, MIB, NULL, 0, &gpa));
	fake_vm_destroy(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs),
		cmocka_unit_test(overlap),
		cmocka_unit_test(low),
		cmocka_unit_test(high),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
