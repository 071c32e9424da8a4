/* SPDX-License-Identifier: BSD-2-Clause */
/* A walk as it is shown to people: what test_walk_model.c does not compare. */
#include "walk_memory.h"

#include "paging/guest_levels.h"

static const struct v3_walk_cpu long_mode = {
	.cr0 = V3_CR0_PE | V3_CR0_PG, .cr3 = BLOCK_A, .cr4 = V3_CR4_PAE,
	.efer = V3_EFER_LME | V3_EFER_LMA | V3_EFER_NXE, .phys_bits = 48,
};

static void test_each_level(void **state)
{
	struct v3_page_walk walk;
	unsigned int i;

	(void)state;
	walk_memory_clear();
	put64(BLOCK_A + 8 * 1, (BLOCK_A + 0x1000) | V3_PTE_P | V3_PTE_W | V3_PTE_U);
	put64(BLOCK_A + 0x1000 + 8 * 2, BLOCK_B | V3_PTE_P | V3_PTE_W);
	put64(BLOCK_B + 8 * 3, (BLOCK_A + 0x2000) | V3_PTE_P | V3_PTE_W | V3_PTE_NX);
	put64(BLOCK_A + 0x2000 + 8 * 4, 0x123456000 | V3_PTE_P);
	v3_guest_levels(&long_mode, &walk_memory, 0x8080604abc, &walk);
	assert_int_equal(walk.end, V3_PAGE_MAPPED);
	assert_int_equal(walk.gva, 0x8080604abc);
	assert_int_equal(walk.gpa, 0x123456abc);
	assert_int_equal(walk.page_size, 4096);
	assert_int_equal(walk.writable | walk.user | walk.executable, 0);
	assert_int_equal(walk.num_levels, 4);
	for (i = 0; i < 4; i++) {
		assert_int_equal(walk.levels[i].level, 4 - i);
		assert_int_equal(walk.levels[i].size, 8);
		assert_int_equal(walk.levels[i].value, get64(walk.levels[i].entry));
	}
	assert_int_equal(walk.levels[3].entry, BLOCK_A + 0x2020);
	/* Nothing was set in them. */
	assert_int_equal(get64(BLOCK_A + 0x2020), 0x123456000 | V3_PTE_P);
}

static void test_not_canonical(void **state)
{
	struct v3_walk_cpu cpu = long_mode;
	struct v3_page_walk walk;

	(void)state;
	v3_guest_levels(&cpu, &walk_memory, 0x800000000000, &walk);
	assert_int_equal(walk.end, V3_PAGE_NOT_CANONICAL);
	assert_int_equal(walk.num_levels, 0);
	cpu.efer = 0;
	v3_guest_levels(&cpu, &walk_memory, 0x100000000, &walk);
	assert_int_equal(walk.end, V3_PAGE_NOT_CANONICAL);
	cpu.cr0 = V3_CR0_PE;
	v3_guest_levels(&cpu, &walk_memory, 0xfffffff0, &walk);
	assert_int_equal(walk.end, V3_PAGE_MAPPED);
	assert_int_equal(walk.gpa, 0xfffffff0);
	assert_int_equal(walk.num_levels, 0);
	assert_int_equal(walk.page_size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_level),
		cmocka_unit_test(test_not_canonical),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
