/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/bits.h"

#define MAX64 UINT64_MAX

static void test_align(void **state)
{
	assert_true(v3_align_down(4097, 4096) == 4096);
	assert_true(v3_align_down(4095, 4096) == 0);
	assert_true(v3_is_pow2(1) && v3_is_pow2(1ULL << 63));
	assert_false(v3_is_pow2(0) || v3_is_pow2(3));
}

static void test_min_max(void **state)
{
	assert_true(v3_min_u64(MAX64, 1) == 1 && v3_min_u64(1, MAX64) == 1);
	assert_true(v3_max_u64(MAX64, 1) == MAX64 && v3_max_u64(1, MAX64) == MAX64);
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
		cmocka_unit_test(test_align),
		cmocka_unit_test(test_min_max),
		cmocka_unit_test(test_mul_div),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
