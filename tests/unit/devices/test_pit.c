/* SPDX-License-Identifier: BSD-2-Clause */
/* The 8254 device: ports, interrupt line, timer, port 0x61. */
#include "device_test.h"

#include "devices/io.h"
#include "devices/pit.h"

static struct v3_vm *vm;

static int setup(void **state)
{
	vm = fake_vm_create(1);
	return v3_pit_create(vm);
}

static int teardown(void **state)
{
	fake_vm_destroy(vm);
	return 0;
}

static void program(unsigned int channel, uint8_t mode, uint16_t count)
{
	out8(vm, 0x43, (uint8_t)(channel << 6 | 0x30 | mode << 1));
	out8(vm, (uint16_t)(0x40 + channel), (uint8_t)count);
	out8(vm, (uint16_t)(0x40 + channel), (uint8_t)(count >> 8));
}

static uint16_t read16(uint16_t port)
{
	uint8_t low = in8(vm, port);

	return (uint16_t)(low | in8(vm, port) << 8);
}

static void test_ticks(void **state)
{
	static const uint64_t ns[] = { 0, 1, 838, 839, 999999999, 1000000000, 1000000001,
		86400 * SEC + 123456789, 400ull * 86400 * SEC };
	unsigned int i;
	int64_t tick;

	for (i = 0; i < sizeof(ns) / sizeof(ns[0]); i++) {
		tick = v3_ticks_at(ns[i], V3_PIT_HZ);
		assert_true(tick == (int64_t)((unsigned __int128)ns[i] * V3_PIT_HZ / SEC));
		assert_true(v3_ticks_at(v3_tick_ns(tick, V3_PIT_HZ), V3_PIT_HZ) == tick);
		assert_true(tick == 0 ||
			    v3_ticks_at(v3_tick_ns(tick, V3_PIT_HZ) - 1, V3_PIT_HZ) == tick - 1);
	}
	assert_int_equal(v3_tick_ns(-5, V3_PIT_HZ), 0);
}

static void test_periodic_without_drift(void **state)
{
	program(0, 2, 11932);	/* 99.998 Hz */
	vm->irq_edges[0] = 0;	/* OUT went high with the mode */
	fake_time_advance(vm, 1000 * SEC);
	/* 1193182000 ticks, loaded one tick late: floor(1193181999 / 11932) edges. */
	assert_int_equal(vm->irq_edges[0], 1193181999 / 11932);
	assert_true(vm->irq_level[0]);
}

static void test_one_shot(void **state)
{
	program(0, 0, 1193);
	assert_false(vm->irq_level[0]);
	fake_time_advance(vm, MS / 2);
	assert_int_equal(vm->irq_edges[0], 0);
	fake_time_advance(vm, MS);
	assert_int_equal(vm->irq_edges[0], 1);
	fake_time_advance(vm, SEC);
	assert_int_equal(vm->irq_edges[0], 1);
	assert_null(vm->timers);
}

static void test_missed_ticks_are_caught_up(void **state)
{
	program(0, 2, 11932);
	vm->irq_edges[0] = 0;
	/* The vCPU's thread was away: its timer runs a second late. */
	vm->now += SEC;
	fake_time_advance(vm, 0);
	assert_int_equal(vm->irq_edges[0], 1);
	/* And the phase is what it would have been. */
	assert_int_equal(vm->timers->deadline, v3_tick_ns(1 + 11932 * 100, V3_PIT_HZ));
	fake_time_set(vm, vm->timers->deadline);
	assert_int_equal(vm->irq_edges[0], 2);
	/*
	 * Those that are owed come in between, twice as fast, and not more than a second's worth.
	 */
	assert_int_equal(vm->timers->deadline,
			 v3_tick_ns(1 + 11932 * 100 + 11932 / 2, V3_PIT_HZ));
	fake_time_advance(vm, 2 * SEC);
	assert_in_range(vm->irq_edges[0], 200 + 60, 200 + 66);
	vm->irq_edges[0] = 0;
	fake_time_advance(vm, 10 * SEC);
	assert_in_range(vm->irq_edges[0], 999, 1001);
	/* A new program starts without debts. */
	vm->now += SEC;
	program(0, 2, 11932);
	vm->irq_edges[0] = 0;
	fake_time_advance(vm, SEC);
	assert_in_range(vm->irq_edges[0], 99, 101);
}

static void test_tiny_periods_are_bounded(void **state)
{
	program(0, 2, 1);
	vm->irq_edges[0] = 0;
	fake_time_advance(vm, SEC);
	assert_in_range(vm->timer_runs, 10000, 20500);
	assert_int_equal(vm->irq_edges[0], vm->timer_runs);
}

static void test_line_follows_mode(void **state)
{
	program(0, 2, 1000);
	assert_true(vm->irq_level[0]);
	out8(vm, 0x43, 0x30);
	assert_false(vm->irq_level[0]);
	assert_null(vm->timers);
}

static void test_late_callback_after_reprogramming(void **state)
{
	struct v3_timer *timer;

	program(0, 2, 11932);
	timer = vm->timers;
	program(0, 0, 60000);
	/* The callback had begun on its vCPU when the guest reprogrammed the channel on another. */
	timer->fn(timer, timer->ctx);
	assert_int_equal(vm->irq_edges[0], 1);	/* OUT went high with mode 2 */
	assert_false(vm->irq_level[0]);
	out8(vm, 0x43, 0x30);
	timer->fn(timer, timer->ctx);
	assert_int_equal(vm->irq_edges[0], 1);
}

static void test_reset(void **state)
{
	program(0, 2, 11932);
	program(2, 2, 1000);
	out8(vm, 0x61, 0x03);
	vm->now += SEC;	/* edges are owed */
	fake_time_advance(vm, 0);
	vm->devices[0].ops->reset(vm->devices[0].ctx);
	assert_null(vm->timers);
	assert_false(vm->irq_level[0]);
	assert_int_equal(in8(vm, 0x61) & 0x0f, 0);
	vm->irq_edges[0] = 0;
	program(0, 2, 11932);
	fake_time_advance(vm, SEC);
	assert_in_range(vm->irq_edges[0], 99, 101);
}

static void test_latch_commands(void **state)
{
	program(0, 2, 0x1000);
	program(2, 2, 0x2000);
	out8(vm, 0x61, 1);
	fake_time_advance(vm, 100 * 1000);
	out8(vm, 0x43, 0x00);		/* latch channel 0 */
	fake_time_advance(vm, MS);
	/* 119 ticks after tick 0, loaded at tick 1. */
	assert_int_equal(read16(0x40), 0x1000 - 118);
	out8(vm, 0x43, 0xda);		/* read back count of channels 0 and 2 */
	fake_time_advance(vm, MS);
	assert_int_equal(read16(0x40), 0x1000 - 1311);
	assert_int_equal(read16(0x42), 0x2000 - 1311);
	out8(vm, 0x43, 0xe4);		/* read back status of channel 1 */
	assert_int_equal(in8(vm, 0x41), 0x40 | 0x30);
	assert_int_equal(in8(vm, 0x43), 0xff);
}

static void test_wide_access(void **state)
{
	/* 32 bits to 0x40: three counts' bytes and a control word, in that order. */
	out8(vm, 0x43, 0x14);
	fake_out(vm, 0, 0x40, 4, 0x00000020);
	fake_time_advance(vm, 100 * 1000);
	assert_int_equal(fake_in(vm, 0, 0x42, 2) >> 8, 0xff);
}

/* How kernels measure the TSC: channel 2 in mode 0, polled through port 0x61. */
static void test_channel2_polled(void **state)
{
	uint64_t start;

	out8(vm, 0x61, 0x01);
	out8(vm, 0x43, 0xb0);
	out8(vm, 0x42, 0x0b);	/* 59659 ticks: 50 ms */
	out8(vm, 0x42, 0xe9);
	start = vm->now;
	while (!(in8(vm, 0x61) & 0x20))
		fake_time_advance(vm, 10000);
	assert_in_range(vm->now - start, 50 * MS, 50 * MS + 11000);
	assert_int_equal(vm->irq_edges[0], 0);
}

static void test_port61(void **state)
{
	unsigned int toggles = 0, i;
	uint8_t last = 0, now;

	assert_int_equal(in8(vm, 0x61) & 0x0f, 0);
	out8(vm, 0x61, 0xff);
	assert_int_equal(in8(vm, 0x61) & 0xcf, 0x0f);
	for (i = 0; i < 1000; i++) {
		fake_time_advance(vm, 1000);
		now = in8(vm, 0x61) & 0x10;
		toggles += now != last;
		last = now;
	}
	/* 1 ms / 15.085 us */
	assert_in_range(toggles, 65, 67);
}

static void test_gate2_stops_the_count(void **state)
{
	out8(vm, 0x61, 0x01);
	program(2, 0, 1000);
	fake_time_advance(vm, 100 * 1000);
	out8(vm, 0x61, 0x00);
	fake_time_advance(vm, 10 * MS);
	assert_false(in8(vm, 0x61) & 0x20);
	out8(vm, 0x61, 0x01);
	fake_time_advance(vm, MS);
	assert_true(in8(vm, 0x61) & 0x20);
}

static void test_power_on(void **state)
{
	assert_null(vm->timers);
	assert_false(vm->irq_level[0]);
	assert_int_equal(in8(vm, 0x61) & 0x0f, 0);
}

static void test_create_failures(void **state)
{
	check_create_failures(v3_pit_create);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ticks),
		cmocka_unit_test_setup_teardown(test_periodic_without_drift, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_shot, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missed_ticks_are_caught_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tiny_periods_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_line_follows_mode, setup, teardown),
		cmocka_unit_test_setup_teardown(test_late_callback_after_reprogramming, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_latch_commands, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wide_access, setup, teardown),
		cmocka_unit_test_setup_teardown(test_channel2_polled, setup, teardown),
		cmocka_unit_test_setup_teardown(test_port61, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gate2_stops_the_count, setup, teardown),
		cmocka_unit_test_setup_teardown(test_power_on, setup, teardown),
		cmocka_unit_test(test_create_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
