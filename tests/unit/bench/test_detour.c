/* SPDX-License-Identifier: BSD-2-Clause */
/* Selfish Detour with a clock that goes by a script: which steps are detours, and what is told of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "detour.h"

#define STEP	10
#define BEGIN	1000

static char output[8192];

void detour_print(const char *fmt, ...)
{
	size_t used = strlen(output);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(output + used, sizeof(output) - used, fmt, ap);
	va_end(ap);
}

/* Steps of STEP, but for those of the list: read number (from the start of the loop on), length. */
struct script {
	uint64_t now, read;
	const uint64_t (*jumps)[2];
	unsigned int count;
};

static uint64_t scripted(void *ctx)
{
	struct script *script = ctx;
	uint64_t step = STEP;

	for (unsigned int i = 0; i < script->count; i++)
		if (script->jumps[i][0] == script->read)
			step = script->jumps[i][1];
	script->now += step;
	script->read++;
	return script->now;
}

/* Read 0 is the loop's first: calibration has taken DETOUR_SAMPLES + 1 and the start one. */
#define CALIBRATION (DETOUR_SAMPLES + 2)

static void measure(struct detour_run *run, const uint64_t (*jumps)[2], unsigned int count)
{
	struct script script = { .now = BEGIN, .jumps = jumps, .count = count };

	script.read = (uint64_t)-CALIBRATION;
	output[0] = 0;
	detour_measure(run, scripted, &script);
}

static void said(const char *text)
{
	if (!strstr(output, text))
		fail_msg("not said: %s\n%s", text, output);
}

static void test_quiet(void **state)
{
	struct detour records[4];
	struct detour_run run = { .records = records, .capacity = 4, .ticks = 1000 };

	(void)state;
	measure(&run, NULL, 0);
	assert_int_equal(run.step, STEP);
	assert_int_equal(run.step_median, STEP);
	assert_int_equal(run.threshold, DETOUR_FACTOR * STEP);
	assert_int_equal(run.begin, BEGIN + CALIBRATION * STEP);
	assert_int_equal(run.count, 0);
	assert_int_equal(run.lost, 0);
	assert_int_equal(run.elapsed, 1000);
	assert_int_equal(run.reads, 100);
	detour_report(&run, 1000, 4);
	said("detour: khz=1000 step=10 step_median=10 threshold=90\n");
	said("detour: listed=0 of=0\n");
	said("detour: count=0 per_second=0.000 lost_ppm=0.000\n");
	assert_null(strstr(output, "detour+"));
}

static void test_calibration_disturbed(void **state)
{
	static const uint64_t jumps[][2] = { { (uint64_t)-20, 5000 }, { (uint64_t)-10, 90 } };
	struct detour_run run = { .ticks = 500 };

	(void)state;
	measure(&run, jumps, 2);
	assert_int_equal(run.step, STEP);
	assert_int_equal(run.step_median, STEP);
	assert_int_equal(run.count, 0);
}

/* A step of the threshold is none yet; one more is. */
static void test_threshold(void **state)
{
	static const uint64_t jumps[][2] = { { 3, 50 }, { 7, 51 } };
	struct detour records[4];
	struct detour_run run = { .records = records, .capacity = 4, .ticks = 1000,
				  .threshold = 50 };

	(void)state;
	measure(&run, jumps, 2);
	assert_int_equal(run.count, 1);
	assert_int_equal(run.recorded, 1);
	/* reads 0..6: 6 of STEP, one of 50 */
	assert_int_equal(records[0].start, 6 * STEP + 50);
	assert_int_equal(records[0].length, 51);
	assert_int_equal(run.lost, 51 - STEP);
}

/* The clock is read anew after a record: what that took is no part of the next step. */
static void test_record_is_no_detour(void **state)
{
	static const uint64_t jumps[][2] = { { 3, 500 }, { 4, 700 } };
	struct detour records[4];
	struct detour_run run = { .records = records, .capacity = 4, .ticks = 5000 };

	(void)state;
	measure(&run, jumps, 2);
	assert_int_equal(run.count, 1);
	assert_int_equal(run.longest, 500);
}

static void test_more_than_room(void **state)
{
	static const uint64_t jumps[][2] = { { 2, 300 }, { 5, 100 }, { 9, 2000 }, { 12, 200 } };
	struct detour records[2];
	struct detour_run run = { .records = records, .capacity = 2, .ticks = 10000 };

	(void)state;
	measure(&run, jumps, 4);
	assert_int_equal(run.count, 4);
	assert_int_equal(run.recorded, 2);
	assert_int_equal(run.longest, 2000);
	assert_int_equal(run.shortest, 100);
	assert_int_equal(run.lost, 2600 - 4 * STEP);
	detour_report(&run, 0, 2);
	said("detour+ 14:12c ");
	said("detour: listed=2 of=4 truncated\n");
	said("detour: count=4 lost_ppm=");
	assert_null(strstr(output, "per_second"));
	said(" min=100 mean=650 max=2000 p50=100 p90=100 p99=100\n");
}

static void test_backwards(void **state)
{
	static const uint64_t jumps[][2] = { { 5, (uint64_t)-30 } };
	struct detour_run run = { .ticks = 1000 };

	(void)state;
	measure(&run, jumps, 1);
	assert_int_equal(run.backwards, 1);
	assert_int_equal(run.count, 0);
	detour_report(&run, 0, 0);
	said(" backwards=1\n");
}

/* No room at all is room for counting. */
static void test_no_room(void **state)
{
	static const uint64_t jumps[][2] = { { 5, 400 } };
	struct detour_run run = { .ticks = 1000 };

	(void)state;
	measure(&run, jumps, 1);
	assert_int_equal(run.count, 1);
	assert_int_equal(run.recorded, 0);
	detour_report(&run, 1000000, 10);
	said("detour: listed=0 of=1 truncated\n");
	said(" max=400\n");
}

static void test_rates(void **state)
{
	struct detour records[20];
	struct detour_run run = { .records = records, .capacity = 20, .step_median = STEP,
				  .elapsed = 2000000000, .shortest = UINT64_MAX };
	uint64_t i;

	(void)state;
	for (i = 0; i < 17; i++)
		detour_add(&run, 1000 * i, 1000 * i + 100 + i);
	output[0] = 0;
	detour_report(&run, 1000000, 9);
	/* 17 in two seconds; (17 * 90 + 136) ticks of 2e9 */
	said("count=17 per_second=8.500 lost_ppm=0.833 min=100 mean=108 max=116 p50=108 p90=114 p99=115");
	said("detour+ 0:64 3e8:65 7d0:66 bb8:67 fa0:68 1388:69 1770:6a 1b58:6b\ndetour+ 1f40:6c\n");
	said("detour: listed=9 of=17 truncated\n");
}

static void test_sort(void **state)
{
	uint64_t values[100], i;

	(void)state;
	for (i = 0; i < 100; i++)
		values[i] = i * 37 % 100;
	detour_sort(values, 100);
	for (i = 0; i < 100; i++)
		assert_int_equal(values[i], i);
	detour_sort(values, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_calibration_disturbed),
		cmocka_unit_test(test_threshold),
		cmocka_unit_test(test_record_is_no_detour),
		cmocka_unit_test(test_more_than_room),
		cmocka_unit_test(test_backwards),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_sort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
