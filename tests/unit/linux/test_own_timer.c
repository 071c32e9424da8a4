/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC's timer, put off and given back: what is written into it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "own_timer.h"

#define LOCAL_TIMER_VECTOR 0xecu

static void test_modes(void **state)
{
	(void)state;
	assert_true(v3_lx_lvtt_usable(LOCAL_TIMER_VECTOR | V3_LX_LVTT_ONESHOT));
	assert_true(v3_lx_lvtt_usable(LOCAL_TIMER_VECTOR | V3_LX_LVTT_DEADLINE));
	/* Linux does not wait for it, or could not be given back what it waits for. */
	assert_false(v3_lx_lvtt_usable(LOCAL_TIMER_VECTOR | V3_LX_LVTT_MASKED));
	assert_false(v3_lx_lvtt_usable(LOCAL_TIMER_VECTOR | V3_LX_LVTT_DEADLINE |
				       V3_LX_LVTT_MASKED));
	assert_false(v3_lx_lvtt_usable(LOCAL_TIMER_VECTOR | 1u << 17));
	assert_false(v3_lx_lvtt_usable(LOCAL_TIMER_VECTOR | 3u << 17));
}

static void test_rate(void **state)
{
	uint64_t rate;

	(void)state;
	/* 62.5 MHz beside 2 GHz */
	rate = v3_lx_count_rate(3125, 100000);
	assert_int_equal(rate, (1ull << 32) / 32);
	assert_int_equal(v3_lx_count_for(2000000000ull, rate), 62500000);
	/* A count that is as fast as the TSC. */
	assert_int_equal(v3_lx_count_for(12345, v3_lx_count_rate(1000, 1000)), 12345);
	/* A timer that stands still, a clock that does, or one that ran away */
	assert_int_equal(v3_lx_count_rate(0, 100000), 0);
	assert_int_equal(v3_lx_count_rate(3125, 0), 0);
	assert_int_equal(v3_lx_count_rate(3125, 1ull << 32), 0);
	/* Never 0, which would stop it, and never more than it can hold. */
	assert_int_equal(v3_lx_count_for(0, rate), 1);
	assert_int_equal(v3_lx_count_for(31, rate), 1);
	assert_int_equal(v3_lx_count_for(UINT64_MAX, rate), UINT32_MAX);
	assert_int_equal(v3_lx_count_for(UINT64_MAX, UINT64_MAX), UINT32_MAX);
}

static void test_count_left(void **state)
{
	(void)state;
	/* 100 of ours have gone: so have 100 of Linux's. */
	assert_int_equal(v3_lx_count_left(250, 1000, 900), 150);
	assert_int_equal(v3_lx_count_left(250, 1000, 1000), 250);
	assert_int_equal(v3_lx_count_left(101, 1000, 900), 1);
	/* Over: at once. */
	assert_int_equal(v3_lx_count_left(100, 1000, 900), 1);
	assert_int_equal(v3_lx_count_left(99, 1000, 900), 1);
	assert_int_equal(v3_lx_count_left(250, UINT32_MAX, 0), 1);
	/* It was not running: Linux is asked rather than forgotten. */
	assert_int_equal(v3_lx_count_left(0, 1000, 1000), 1);
	assert_int_equal(v3_lx_count_left(UINT32_MAX, UINT32_MAX, 5), 5);
}

static void test_deadline(void **state)
{
	(void)state;
	assert_int_equal(v3_lx_deadline_left(12345), 12345);
	assert_int_equal(v3_lx_deadline_left(0), 1);
	assert_int_equal(v3_lx_deadline_for(1000, 500), 1500);
	assert_int_equal(v3_lx_deadline_for(1000, 0), 1000);
	assert_int_equal(v3_lx_deadline_for(0, 0), 1);
	assert_int_equal(v3_lx_deadline_for(1000, UINT64_MAX), UINT64_MAX);
}

static void test_scale(void **state)
{
	(void)state;
	assert_int_equal(v3_lx_scale(3ull << 32, 5), 15);
	assert_int_equal(v3_lx_scale(1, (1ull << 32) - 1), 0);
	assert_int_equal(v3_lx_scale(UINT64_MAX, 1ull << 32), UINT64_MAX);
	assert_int_equal(v3_lx_scale(UINT64_MAX, 1ull << 33), UINT64_MAX);
}

static void test_look(void **state)
{
	(void)state;
	assert_false(v3_lx_look_due(1000, 2000, 0));
	assert_true(v3_lx_look_due(2000, 2000, 0));
	assert_true(v3_lx_look_due(2001, 2000, 0));
	/* A little early will do. */
	assert_false(v3_lx_look_due(1899, 2000, 100));
	assert_true(v3_lx_look_due(1900, 2000, 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_count_left),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_scale),
		cmocka_unit_test(test_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
