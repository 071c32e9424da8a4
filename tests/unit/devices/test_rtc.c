/* SPDX-License-Identifier: BSD-2-Clause */
#define _DEFAULT_SOURCE
#include "device_test.h"

#include <time.h>

#include "devices/rtc.h"
#include "devices/rtc_time.h"

enum { SECOND, SECOND_ALARM, MINUTE, MINUTE_ALARM, HOUR, HOUR_ALARM, WEEKDAY, DAY, MONTH, YEAR,
	A, B, C, D, CENTURY = 0x32 };

#define LEAP_EVE 951782399ull	/* 2000-02-28 23:59:59, a Monday */

static struct v3_vm *vm;

static uint8_t cmos(uint8_t index)
{
	out8(vm, 0x70, index);
	return in8(vm, 0x71);
}

static void cmos_set(uint8_t index, uint8_t value)
{
	out8(vm, 0x70, index);
	out8(vm, 0x71, value);
}

static enum v3_status create(struct v3_vm *v)
{
	return v3_rtc_create(v, LEAP_EVE);
}

static int setup(void **state)
{
	vm = fake_vm_create(1);
	fake_vm_add_pc_mem(vm, 64 << 20);
	return create(vm);
}

static int teardown(void **state)
{
	fake_vm_destroy(vm);
	return 0;
}

static bool irq(void)
{
	return vm->irq_level[V3_RTC_GSI];
}

static void assert_time(uint8_t hour, uint8_t minute, uint8_t second)
{
	assert_int_equal(cmos(HOUR), hour);
	assert_int_equal(cmos(MINUTE), minute);
	assert_int_equal(cmos(SECOND), second);
}

/* Against libc, every 5 hours and a bit from 1970 to 2400. */
static void test_calendar(void **state)
{
	struct v3_rtc_date date;
	struct tm tm;
	time_t t;

	for (t = 0; t < 13569465600; t += 18061) {
		assert_non_null(gmtime_r(&t, &tm));
		v3_rtc_date_of((uint64_t)t + V3_RTC_UNIX_EPOCH, &date);
		assert_int_equal(date.second, tm.tm_sec);
		assert_int_equal(date.minute, tm.tm_min);
		assert_int_equal(date.hour, tm.tm_hour);
		assert_int_equal(date.weekday, tm.tm_wday + 1);
		assert_int_equal(date.day, tm.tm_mday);
		assert_int_equal(date.month, tm.tm_mon + 1);
		assert_int_equal(date.century * 100 + date.year, tm.tm_year + 1900);
		assert_true(v3_rtc_seconds_of(&date) == (uint64_t)t + V3_RTC_UNIX_EPOCH);
	}
}

/* Each day from year 0 to 9999 follows the one before. */
static void test_calendar_is_continuous(void **state)
{
	struct v3_rtc_date date;
	uint64_t day;

	for (day = 0; day < V3_RTC_END / V3_SEC_PER_DAY; day += 7) {
		v3_rtc_date_of(day * V3_SEC_PER_DAY, &date);
		assert_true(v3_rtc_seconds_of(&date) == day * V3_SEC_PER_DAY);
	}
	v3_rtc_date_of(V3_RTC_END - 1, &date);
	assert_int_equal(date.century, 99);
	assert_int_equal(date.year, 99);
	assert_int_equal(date.month, 12);
	assert_int_equal(date.day, 31);
	v3_rtc_date_of(V3_RTC_END, &date);
	assert_int_equal(date.century, 0);
	assert_int_equal(date.year, 0);
}

static void test_calendar_clamps(void **state)
{
	struct v3_rtc_date date = { 99, 99, 99, 0, 99, 99, 165, 165 };

	assert_true(v3_rtc_seconds_of(&date) == V3_RTC_END - 1);
	date = (struct v3_rtc_date){ .century = 19, .year = 99, .month = 2, .day = 31 };
	v3_rtc_date_of(v3_rtc_seconds_of(&date), &date);
	assert_int_equal(date.month, 2);
	assert_int_equal(date.day, 28);
}

static void test_reads_bcd(void **state)
{
	assert_time(0x23, 0x59, 0x59);
	assert_int_equal(cmos(WEEKDAY), 2);
	assert_int_equal(cmos(DAY), 0x28);
	assert_int_equal(cmos(MONTH), 0x02);
	assert_int_equal(cmos(YEAR), 0x00);
	assert_int_equal(cmos(CENTURY), 0x20);
	assert_int_equal(cmos(D), 0x80);
	fake_time_advance(vm, SEC);
	assert_time(0, 0, 0);
	assert_int_equal(cmos(DAY), 0x29);
	assert_int_equal(cmos(WEEKDAY), 3);
	fake_time_advance(vm, 86400 * SEC);
	assert_int_equal(cmos(DAY), 0x01);
	assert_int_equal(cmos(MONTH), 0x03);
}

static void test_formats(void **state)
{
	cmos_set(B, 0x06);
	assert_time(23, 59, 59);
	assert_int_equal(cmos(CENTURY), 20);
	cmos_set(B, 0x04);
	assert_time(11 | 0x80, 59, 59);
	cmos_set(B, 0x00);
	assert_time(0x11 | 0x80, 0x59, 0x59);
	fake_time_advance(vm, SEC);
	assert_time(0x12, 0, 0);	/* midnight is 12 AM */
	fake_time_advance(vm, 12 * 3600 * SEC);
	assert_time(0x92, 0, 0);	/* noon is 12 PM */
	cmos_set(HOUR, 0x01);
	cmos_set(B, 0x02);
	assert_time(0x01, 0, 0);
	cmos_set(B, 0x00);
	cmos_set(HOUR, 0x81);
	cmos_set(B, 0x02);
	assert_time(0x13, 0, 0);
}

static void test_set(void **state)
{
	fake_time_advance(vm, SEC / 4);
	cmos_set(B, 0x82);
	fake_time_advance(vm, 10 * SEC);
	assert_time(0x23, 0x59, 0x59);
	cmos_set(SECOND, 0x30);
	cmos_set(MINUTE, 0x45);
	cmos_set(HOUR, 0x12);
	cmos_set(DAY, 0x24);
	cmos_set(MONTH, 0x12);
	cmos_set(YEAR, 0x99);
	cmos_set(CENTURY, 0x19);
	cmos_set(WEEKDAY, 0x06);
	assert_int_equal(cmos(SECOND), 0x30);
	cmos_set(B, 0x02);
	assert_time(0x12, 0x45, 0x30);
	/* SET does not touch the divider: the next second begins on the old beat. */
	fake_time_advance(vm, SEC * 3 / 4 - 1);
	assert_int_equal(cmos(SECOND), 0x30);
	fake_time_advance(vm, 1);
	assert_int_equal(cmos(SECOND), 0x31);
	assert_int_equal(cmos(WEEKDAY), 6);
	fake_time_advance(vm, 7 * 86400 * SEC);
	assert_int_equal(cmos(WEEKDAY), 6);
	assert_int_equal(cmos(DAY), 0x31);
	fake_time_advance(vm, 86400 * SEC);
	assert_int_equal(cmos(WEEKDAY), 7);
	assert_int_equal(cmos(YEAR), 0x00);
	assert_int_equal(cmos(CENTURY), 0x20);
}

static void test_write_while_running(void **state)
{
	cmos_set(MINUTE, 0x10);
	assert_time(0x23, 0x10, 0x59);
	fake_time_advance(vm, SEC);
	assert_time(0x23, 0x11, 0x00);
}

static void test_nonsense_is_clamped(void **state)
{
	uint8_t i;

	cmos_set(B, 0x82);
	for (i = SECOND; i <= YEAR; i++)
		cmos_set(i, 0xff);
	cmos_set(CENTURY, 0xff);
	cmos_set(B, 0x02);
	assert_time(0x23, 0x59, 0x59);
	assert_int_equal(cmos(DAY), 0x31);
	assert_int_equal(cmos(MONTH), 0x12);
	assert_int_equal(cmos(YEAR), 0x99);
	assert_in_range(cmos(WEEKDAY), 1, 7);
	fake_time_advance(vm, SEC);
	assert_time(0, 0, 0);
}

static void test_divider_reset(void **state)
{
	/* As Linux sets the time: SET, divider reset, values, SET off, divider on. */
	cmos_set(B, 0x82);
	cmos_set(A, 0x76);
	cmos_set(SECOND, 0x10);
	fake_time_advance(vm, 300 * MS);
	cmos_set(B, 0x02);
	fake_time_advance(vm, 5 * SEC);
	assert_int_equal(cmos(SECOND), 0x10);
	cmos_set(A, 0x26);
	fake_time_advance(vm, SEC / 2 - 1);
	assert_int_equal(cmos(SECOND), 0x10);
	fake_time_advance(vm, 1);
	assert_int_equal(cmos(SECOND), 0x11);
	fake_time_advance(vm, SEC);
	assert_int_equal(cmos(SECOND), 0x12);
}

static void test_uip(void **state)
{
	fake_time_advance(vm, SEC - 2228000 - 1);
	assert_int_equal(cmos(A), 0x26);
	fake_time_advance(vm, 1);
	assert_int_equal(cmos(A), 0xa6);
	fake_time_advance(vm, 2228000 - 1);
	assert_int_equal(cmos(A), 0xa6);
	assert_int_equal(cmos(SECOND), 0x59);
	fake_time_advance(vm, 1);
	assert_int_equal(cmos(A), 0x26);
	assert_int_equal(cmos(SECOND), 0x00);
	/* No update, no UIP; it cannot be written either. */
	cmos_set(B, 0x82);
	fake_time_advance(vm, SEC - 1);
	assert_int_equal(cmos(A), 0x26);
	cmos_set(A, 0xa6);
	assert_int_equal(cmos(A), 0x26);
}

static void test_update_interrupt(void **state)
{
	cmos_set(B, 0x12);
	fake_time_advance(vm, SEC - 1);
	assert_false(irq());
	fake_time_advance(vm, 1);
	assert_true(irq());
	/* Nothing more until it is acknowledged: no burst, no timer. */
	assert_null(vm->timers);
	fake_time_advance(vm, 10 * SEC);
	assert_int_equal(vm->irq_edges[V3_RTC_GSI], 1);
	assert_int_equal(cmos(C) & 0x90, 0x90);
	assert_false(irq());
	assert_int_equal(cmos(C), 0);
	fake_time_advance(vm, SEC);
	assert_int_equal(vm->irq_edges[V3_RTC_GSI], 2);
	/* SET turns it off for good. */
	cmos_set(B, 0x92);
	assert_int_equal(cmos(B), 0x82);
}

static void test_flags_without_interrupts(void **state)
{
	cmos_set(SECOND_ALARM, 0xff);
	cmos_set(MINUTE_ALARM, 0xff);
	cmos_set(HOUR_ALARM, 0xff);
	cmos(C);
	fake_time_advance(vm, 2 * SEC);
	assert_null(vm->timers);
	assert_int_equal(cmos(C), 0x70);
	assert_int_equal(cmos(C), 0x00);
	fake_time_advance(vm, SEC);
	/* Enabling an interrupt whose flag is set raises it at once. */
	assert_false(irq());
	cmos_set(B, 0x12);
	assert_true(irq());
}

static void test_periodic_interrupt(void **state)
{
	unsigned int i;

	cmos_set(B, 0x42);	/* rate 6: 1024 Hz */
	for (i = 0; i < 1024; i++) {
		fake_time_advance(vm, SEC / 1024 + 1);
		if (irq())
			assert_int_equal(cmos(C) & 0xc0, 0xc0);
	}
	assert_in_range(vm->irq_edges[V3_RTC_GSI], 1023, 1025);
}

static void test_periodic_rates(void **state)
{
	static const struct { uint8_t rate; uint32_t hz; } rates[] = {
		{ 1, 256 }, { 2, 128 }, { 3, 8192 }, { 4, 4096 }, { 6, 1024 }, { 15, 2 },
	};
	unsigned int i;

	for (i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		cmos_set(A, 0x20 | rates[i].rate);
		cmos_set(B, 0x02);
		fake_time_set(vm, (vm->now / SEC + 1) * SEC);
		cmos(C);
		cmos_set(B, 0x42);
		assert_int_equal(vm->timers->deadline - vm->now,
				 (SEC + rates[i].hz - 1) / rates[i].hz);
	}
	/* Rate 0 and a divider in reset: none. */
	cmos_set(A, 0x20);
	cmos(C);
	assert_null(vm->timers);
	cmos_set(A, 0x66);
	assert_null(vm->timers);
}

static void alarm_at(uint8_t hour, uint8_t minute, uint8_t second)
{
	cmos_set(HOUR_ALARM, hour);
	cmos_set(MINUTE_ALARM, minute);
	cmos_set(SECOND_ALARM, second);
	cmos(C);
	cmos_set(B, 0x22);
}

static void test_alarm(void **state)
{
	alarm_at(0x00, 0x10, 0x05);
	fake_time_advance(vm, (1 + 605) * SEC - 1);
	assert_false(irq());
	fake_time_advance(vm, 1);
	assert_true(irq());
	assert_int_equal(cmos(C) & 0xa0, 0xa0);
	/* Once a day. */
	fake_time_advance(vm, 86400 * SEC - 1);
	assert_false(irq());
	fake_time_advance(vm, 1);
	assert_true(irq());
}

static void test_alarm_wildcards(void **state)
{
	alarm_at(0xff, 0xc0, 0x30);
	fake_time_advance(vm, 31 * SEC);
	assert_true(irq());
	cmos(C);
	fake_time_advance(vm, 60 * SEC);
	assert_int_equal(vm->irq_edges[V3_RTC_GSI], 2);
	cmos(C);
	/* Now 00:01:30. */
	alarm_at(0xff, 0x01, 0x30);
	fake_time_advance(vm, 3600 * SEC - 1);
	assert_int_equal(vm->irq_edges[V3_RTC_GSI], 2);
	fake_time_advance(vm, 1);
	assert_int_equal(vm->irq_edges[V3_RTC_GSI], 3);
	cmos(C);
	/* 01:01:30: an hour that comes tomorrow, any minute and second. */
	alarm_at(0x00, 0xff, 0xff);
	assert_int_equal(vm->timers->deadline, vm->now + (23 * 3600 - 90) * SEC);
}

static void test_alarm_that_cannot_match(void **state)
{
	alarm_at(0x00, 0x00, 0x7f);
	assert_null(vm->timers);
	alarm_at(0x45, 0x00, 0x00);
	assert_null(vm->timers);
	alarm_at(0x00, 0x61, 0x00);
	assert_null(vm->timers);
	fake_time_advance(vm, 3 * 86400 * SEC);
	assert_int_equal(cmos(C) & 0x20, 0);
}

/* Any alarm, computed and by looking at every second of two days. */
static void test_alarm_against_search(void **state)
{
	static const uint8_t alarms[][3] = {
		{ 0x23, 0x59, 0x59 }, { 0x00, 0x00, 0x00 }, { 0xff, 0x59, 0x00 },
		{ 0x12, 0xff, 0x01 }, { 0xff, 0xff, 0x59 }, { 0x05, 0x30, 0xff },
	};
	unsigned int i;

	for (i = 0; i < sizeof(alarms) / sizeof(alarms[0]); i++) {
		uint64_t due;

		cmos_set(B, 0x02);
		alarm_at(alarms[i][0], alarms[i][1], alarms[i][2]);
		assert_non_null(vm->timers);
		due = vm->timers->deadline;
		cmos_set(B, 0x02);
		do {
			fake_time_set(vm, (vm->now / SEC + 1) * SEC);
		} while ((alarms[i][0] < 0xc0 && cmos(HOUR) != alarms[i][0]) ||
			 (alarms[i][1] < 0xc0 && cmos(MINUTE) != alarms[i][1]) ||
			 (alarms[i][2] < 0xc0 && cmos(SECOND) != alarms[i][2]));
		assert_int_equal(vm->now, due);
		assert_int_equal(cmos(C) & 0x20, 0x20);
	}
}

static void test_cmos_memory(void **state)
{
	unsigned int i, sum = 0;

	assert_int_equal(cmos(0x15) | cmos(0x16) << 8, 640);
	assert_int_equal(cmos(0x17) | cmos(0x18) << 8, 63 * 1024);
	assert_int_equal(cmos(0x34) | cmos(0x35) << 8, 48 * 16);
	assert_int_equal(cmos(0x5b), 0);
	for (i = 0x10; i < 0x2e; i++)
		sum += cmos((uint8_t)i);
	assert_int_equal(cmos(0x2e) << 8 | cmos(0x2f), sum);
	/* Plain memory, bit 7 of the index being the NMI mask. */
	cmos_set(0x7f, 0x5a);
	assert_int_equal(cmos(0xff), 0x5a);
	cmos_set(0x8f, 0x0a);
	assert_int_equal(cmos(0x0f), 0x0a);
	assert_int_equal(in8(vm, 0x70), 0xff);
}

static void test_cmos_large_memory(void **state)
{
	struct v3_vm *small = vm;

	vm = fake_vm_create(1);
	fake_vm_add_mem(vm, 0, 640 << 10, V3_MEM_RAM);
	/* Sizes count, not bytes: these ranges are never touched. */
	vm->mem[1].range = (struct v3_mem_range){ 1 << 20, 3071ull << 20, V3_MEM_RAM, 0 };
	vm->mem[2].range = (struct v3_mem_range){ 4ull << 30, 5ull << 30, V3_MEM_RAM, 0 };
	vm->num_mem = 3;
	assert_int_equal(create(vm), V3_OK);
	assert_int_equal(cmos(0x17) | cmos(0x18) << 8, 0xffff);
	assert_int_equal(cmos(0x34) | cmos(0x35) << 8, (3072 - 16) * 16);
	assert_int_equal(cmos(0x5b) | cmos(0x5c) << 8 | cmos(0x5d) << 16, 5 << 14);
	fake_vm_destroy(vm);
	vm = small;
}

static void test_read_only_registers(void **state)
{
	fake_time_advance(vm, 2 * SEC);
	cmos_set(C, 0x00);
	assert_int_equal(cmos(C) & 0x50, 0x50);
	cmos_set(D, 0x00);
	assert_int_equal(cmos(D), 0x80);
}

static void test_wide_access(void **state)
{
	/* Index and data in one 16-bit access. */
	fake_out(vm, 0, 0x70, 2, 0x5a40);
	assert_int_equal(cmos(0x40), 0x5a);
	assert_int_equal(fake_in(vm, 0, 0x70, 2), 0x5aff);
}

static void test_power_on(void **state)
{
	assert_false(irq());
	assert_null(vm->timers);
	assert_int_equal(cmos(B), 0x02);
	assert_int_equal(cmos(0x40), 0);
}

/* Time and CMOS memory survive; interrupts, formats and a clock that was being set do not. */
static void test_reset(void **state)
{
	assert_time(0x23, 0x59, 0x59);
	cmos_set(0x40, 0x5a);
	cmos_set(A, 0x70);
	cmos_set(B, 0xf6);
	cmos_set(1, 0xff);
	vm->devices[0].ops->reset(vm->devices[0].ctx);
	assert_int_equal(cmos(A) & 0x7f, 0x26);
	assert_int_equal(cmos(B), 0x02);
	assert_int_equal(cmos(C), 0);
	assert_int_equal(cmos(1), 0);
	assert_time(0x23, 0x59, 0x59);
	assert_int_equal(cmos(0x40), 0x5a);
	fake_time_advance(vm, 2 * SEC);
	assert_time(0x00, 0x00, 0x01);
	assert_false(irq());
	assert_null(vm->timers);
}

static void test_create(void **state)
{
	struct v3_vm *v;

	check_create_failures(create);
	v = fake_vm_create(1);
	assert_int_equal(v3_rtc_create(v, 253402300800ull), V3_ERR_RANGE);
	assert_int_equal(v3_rtc_create(v, UINT64_MAX), V3_ERR_RANGE);
	assert_int_equal(v3_rtc_create(v, 253402300799ull), V3_OK);
	fake_vm_destroy(v);
}

#define DEVICE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calendar),
		cmocka_unit_test(test_calendar_is_continuous),
		cmocka_unit_test(test_calendar_clamps),
		DEVICE_TEST(test_reads_bcd),
		DEVICE_TEST(test_formats),
		DEVICE_TEST(test_set),
		DEVICE_TEST(test_write_while_running),
		DEVICE_TEST(test_nonsense_is_clamped),
		DEVICE_TEST(test_divider_reset),
		DEVICE_TEST(test_uip),
		DEVICE_TEST(test_update_interrupt),
		DEVICE_TEST(test_flags_without_interrupts),
		DEVICE_TEST(test_periodic_interrupt),
		DEVICE_TEST(test_periodic_rates),
		DEVICE_TEST(test_alarm),
		DEVICE_TEST(test_alarm_wildcards),
		DEVICE_TEST(test_alarm_that_cannot_match),
		DEVICE_TEST(test_alarm_against_search),
		DEVICE_TEST(test_cmos_memory),
		DEVICE_TEST(test_cmos_large_memory),
		DEVICE_TEST(test_read_only_registers),
		DEVICE_TEST(test_wide_access),
		DEVICE_TEST(test_power_on),
		DEVICE_TEST(test_reset),
		cmocka_unit_test(test_create),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
