/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/bits.h"

#define MAX64 UINT64_MAX

static void test_checked(void **state)
{
	uint64_t out;

	assert_true(v3_add_u64(MAX64 - 1, 1, &out));
	assert_true(out == MAX64);
	assert_false(v3_add_u64(MAX64, 1, &out));
	assert_true(v3_mul_u64(1ULL << 32, (1ULL << 32) - 1, &out));
	assert_true(out == 0xffffffff00000000ULL);
	assert_false(v3_mul_u64(1ULL << 32, 1ULL << 32, &out));
}

static void test_ranges(void **state)
{
	assert_true(v3_range_within(0, 10, 10));
	assert_true(v3_range_within(10, 0, 10));
	assert_false(v3_range_within(1, 10, 10));
	assert_false(v3_range_within(11, 0, 10));
	assert_false(v3_range_within(5, MAX64, 10));
	assert_false(v3_range_within(MAX64, 2, 10));

	assert_true(v3_range_overlap(0, 10, 9, 1));
	assert_false(v3_range_overlap(0, 10, 10, 1));
	assert_true(v3_range_overlap(9, 1, 0, 10));
	assert_false(v3_range_overlap(10, 1, 0, 10));
	assert_false(v3_range_overlap(5, 0, 0, 10));
	assert_false(v3_range_overlap(0, 10, 5, 0));
	/* Up to the very end of the address space */
	assert_true(v3_range_overlap(MAX64, 1, MAX64 - 5, 6));
	assert_false(v3_range_overlap(0, 1, MAX64, 1));
}

static void test_align(void **state)
{
	uint64_t out;

	assert_true(v3_align_up(0, 4096, &out));
	assert_true(out == 0);
	assert_true(v3_align_up(1, 4096, &out));
	assert_true(out == 4096);
	assert_true(v3_align_up(4096, 4096, &out));
	assert_true(out == 4096);
	assert_true(v3_align_up(MAX64 - 4095, 4096, &out));
	assert_true(out == MAX64 - 4095);
	assert_false(v3_align_up(MAX64 - 4094, 4096, &out));
	assert_true(v3_align_down(4097, 4096) == 4096);
	assert_true(v3_is_aligned(8192, 4096));
	assert_false(v3_is_aligned(8193, 4096));
	assert_true(v3_is_pow2(1) && v3_is_pow2(1ULL << 63));
	assert_false(v3_is_pow2(0) || v3_is_pow2(3));
}

static void test_scans(void **state)
{
	for (unsigned int bit = 0; bit < 64; bit++) {
		assert_int_equal(v3_ilog2(V3_BIT(bit)), bit);
		assert_int_equal(v3_ilog2(V3_BIT(bit) | 1), bit);
		assert_int_equal(v3_ctz(V3_BIT(bit)), bit);
		assert_int_equal(v3_ctz(V3_BIT(bit) | V3_BIT(63)), bit);
		assert_int_equal(v3_popcount(V3_BIT(bit)), 1);
		assert_int_equal(v3_popcount(~V3_BIT(bit)), 63);
	}
	assert_int_equal(v3_popcount(0), 0);
	assert_int_equal(v3_popcount(MAX64), 64);
	assert_int_equal(v3_popcount(0x123456789abcdef0ULL), 32);
}

static void test_mul_div(void **state)
{
	/* Nanoseconds to ticks for years of uptime pass 64 bits on the way. */
	assert_true(v3_mul_div(1000000000ULL * 3600 * 24 * 3650, 3000000, 1000000) ==
		    3000000000ULL * 3600 * 24 * 3650);
	assert_true(v3_mul_div(7, 3, 2) == 10);
	assert_true(v3_mul_div(MAX64, MAX64, MAX64) == MAX64);
	assert_true(v3_mul_div(MAX64, 1, 1) == MAX64);
	assert_true(v3_mul_div(MAX64, 2, 1) == MAX64);
	assert_true(v3_mul_div(0, 5, 3) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checked), cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_align),	cmocka_unit_test(test_scans),
		cmocka_unit_test(test_mul_div),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
