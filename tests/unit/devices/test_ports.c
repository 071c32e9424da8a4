/* SPDX-License-Identifier: BSD-2-Clause */
/* Reset and exit ports, the 8042, ACPI registers. */
#include "device_test.h"

#include "devices/acpi_pm.h"
#include "devices/i8042.h"
#include "devices/reset.h"

static struct v3_vm *vm;

static int setup(void **state)
{
	vm = fake_vm_create(1);
	return v3_reset_create(vm) || v3_i8042_create(vm) || v3_acpi_pm_create(vm);
}

static int teardown(void **state)
{
	fake_vm_destroy(vm);
	return 0;
}

static void test_exit_port(void **state)
{
	out8(vm, 0xf5, 1);
	assert_int_equal(vm->ends, 0);
	assert_int_equal(fake_in(vm, 0, 0xf4, 4), UINT32_MAX);
	fake_out(vm, 0, 0xf4, 4, 0x1234562a);
	assert_int_equal(vm->end.kind, V3_END_EXIT);
	assert_int_equal(vm->end.code, 0x2a);
	assert_string_equal(vm->end.reason, "guest wrote 42 to the exit port");
	/* The first end counts. */
	out8(vm, 0xf4, 3);
	assert_int_equal(vm->end.code, 0x2a);
}

static void test_exit_port_sizes(void **state)
{
	fake_out(vm, 0, 0xf4, 2, 0xff07);
	assert_int_equal(vm->end.code, 7);
}

static void test_diagnostic_port(void **state)
{
	out8(vm, 0x80, 0x12);
	assert_int_equal(in8(vm, 0x80), 0xff);
	assert_int_equal(vm->logs, 0);
}

static void test_port92(void **state)
{
	assert_int_equal(in8(vm, 0x92), 0x02);
	out8(vm, 0x92, 0x00);
	assert_int_equal(in8(vm, 0x92), 0x00);
	out8(vm, 0x92, 0xfe);
	assert_int_equal(in8(vm, 0x92), 0x02);
	assert_int_equal(vm->ends, 0);
	out8(vm, 0x92, 0x03);
	assert_int_equal(vm->end.kind, V3_END_RESET);
}

/* Sends a command and returns its answer. */
static uint8_t kbc(uint8_t command)
{
	assert_int_equal(in8(vm, 0x64) & 0x03, 0);
	out8(vm, 0x64, command);
	assert_int_equal(in8(vm, 0x64) & 0x03, 0x01);
	return in8(vm, 0x60);
}

static void test_8042_commands(void **state)
{
	assert_int_equal(in8(vm, 0x64), 0x14);
	assert_int_equal(kbc(0xaa), 0x55);
	assert_int_equal(kbc(0x20), 0x34);
	assert_int_equal(kbc(0xab), 0x01);
	assert_int_equal(kbc(0xa9), 0x01);
	assert_int_equal(kbc(0xd0), 0x03);
	assert_int_equal(kbc(0xc0), 0x00);
	out8(vm, 0x64, 0x60);
	out8(vm, 0x60, 0x47);
	assert_int_equal(kbc(0x20), 0x47);
	out8(vm, 0x64, 0xad);
	assert_int_equal(kbc(0x20), 0x57);
	out8(vm, 0x64, 0xa7);
	assert_int_equal(kbc(0x20), 0x77);
	out8(vm, 0x64, 0xae);
	out8(vm, 0x64, 0xa8);
	assert_int_equal(kbc(0x20), 0x47);
	out8(vm, 0x64, 0xd1);
	out8(vm, 0x60, 0x01);
	assert_int_equal(kbc(0xd0), 0x01);
	/* An unknown command has no answer. */
	out8(vm, 0x64, 0x99);
	assert_int_equal(in8(vm, 0x64) & 0x09, 0x08);
	assert_int_equal(vm->ends, 0);
}

/* A keyboard that is not there: the controller answers in its place, with the timeout bit. */
static void test_8042_no_keyboard(void **state)
{
	out8(vm, 0x64, 0x60);
	out8(vm, 0x60, 0x05);
	assert_false(vm->irq_level[1]);
	out8(vm, 0x60, 0xf2);
	assert_int_equal(in8(vm, 0x64) & 0x41, 0x41);
	assert_true(vm->irq_level[1]);
	assert_int_equal(in8(vm, 0x60), 0xfe);
	assert_int_equal(in8(vm, 0x64) & 0x41, 0);
	assert_false(vm->irq_level[1]);
	/* Nor is there a mouse: no loopback, no answer but that. */
	out8(vm, 0x64, 0xd3);
	out8(vm, 0x60, 0x5a);
	assert_int_equal(in8(vm, 0x64) & 0x61, 0x41);
	assert_int_equal(in8(vm, 0x60), 0xfe);
	out8(vm, 0x64, 0xd4);
	out8(vm, 0x60, 0xff);
	assert_int_equal(in8(vm, 0x60), 0xfe);
	out8(vm, 0x64, 0xd2);
	out8(vm, 0x60, 0x1c);
	assert_int_equal(in8(vm, 0x60), 0x1c);
}

static void test_8042_reset(void **state)
{
	out8(vm, 0x64, 0xff);	/* pulses nothing */
	assert_int_equal(vm->ends, 0);
	out8(vm, 0x64, 0xfe);
	assert_int_equal(vm->end.kind, V3_END_RESET);
}

static void test_8042_reset_by_output_port(void **state)
{
	out8(vm, 0x64, 0xd1);
	out8(vm, 0x60, 0xfe);
	assert_int_equal(vm->end.kind, V3_END_RESET);
}

static void test_pm1_registers(void **state)
{
	/* ACPI is on, and nobody can turn it off. */
	assert_int_equal(fake_in(vm, 0, 0x604, 2), 0x0001);
	fake_out(vm, 0, 0x604, 2, 0x0402);
	assert_int_equal(fake_in(vm, 0, 0x604, 2), 0x0403);
	assert_int_equal(in8(vm, 0x605), 0x04);
	fake_out(vm, 0, 0x602, 2, 0xffff);
	assert_int_equal(fake_in(vm, 0, 0x602, 2), 0x0721);
	fake_out(vm, 0, 0x600, 4, 0x0001ffff);
	assert_int_equal(fake_in(vm, 0, 0x600, 4), 0x00010000);
	out8(vm, 0x602, 0);
	assert_int_equal(fake_in(vm, 0, 0x602, 2), 0);
	assert_int_equal(fake_in(vm, 0, 0x606, 2), 0);
	fake_out(vm, 0, 0x606, 2, 0xffff);
}

static void test_poweroff(void **state)
{
	fake_out(vm, 0, 0x604, 2, 0x3400);
	assert_int_equal(vm->end.kind, V3_END_POWEROFF);
}

static void test_poweroff_in_bytes(void **state)
{
	out8(vm, 0x604, 0x00);
	out8(vm, 0x605, 0x34);
	assert_int_equal(vm->end.kind, V3_END_POWEROFF);
}

static void test_other_sleep_types(void **state)
{
	fake_out(vm, 0, 0x604, 2, 0x1400);	/* S5 without the enable bit */
	assert_int_equal(vm->logs, 0);
	fake_out(vm, 0, 0x604, 2, 0x2000);	/* type 0 */
	assert_int_equal(vm->ends, 0);
	assert_int_equal(vm->logs, 1);
	assert_int_equal(vm->last_log_level, V3_LOG_WARN);
	/* The enable bit does not read back. */
	assert_int_equal(fake_in(vm, 0, 0x604, 2), 0x0001);
}

static void test_pm_timer(void **state)
{
	assert_int_equal(fake_in(vm, 0, 0x608, 4), 0);
	fake_time_advance(vm, SEC);
	assert_int_equal(fake_in(vm, 0, 0x608, 4), 3579545);
	assert_int_equal(fake_in(vm, 0, 0x608, 2), 3579545 & 0xffff);
	assert_int_equal(in8(vm, 0x60a), 3579545 >> 16);
	fake_out(vm, 0, 0x608, 4, 0);
	assert_int_equal(fake_in(vm, 0, 0x608, 4), 3579545);
	/* 32 bits: it wraps after 1200 s. */
	fake_time_advance(vm, 1199 * SEC);
	assert_int_equal(fake_in(vm, 0, 0x608, 4), (uint32_t)(1200ull * 3579545));
}

static void test_pm_timer_status(void **state)
{
	const uint64_t half_ns = (1ull << 31) * SEC / 3579545;

	fake_time_advance(vm, half_ns - 1000);
	assert_int_equal(fake_in(vm, 0, 0x600, 2), 0);
	fake_time_advance(vm, 2000);
	assert_int_equal(fake_in(vm, 0, 0x600, 2), 1);
	assert_false(vm->irq_level[9]);
	fake_out(vm, 0, 0x602, 2, 1);
	assert_true(vm->irq_level[9]);
	fake_out(vm, 0, 0x600, 2, 1);
	assert_false(vm->irq_level[9]);
	fake_time_advance(vm, half_ns);
	assert_true(vm->irq_level[9]);
	fake_out(vm, 0, 0x602, 2, 0);
	assert_false(vm->irq_level[9]);
	assert_null(vm->timers);
}

static void test_pm_reset(void **state)
{
	unsigned int pm = vm->num_devices - 1;

	assert_string_equal(vm->devices[pm].ops->name, "acpi-pm");
	fake_out(vm, 0, 0x602, 2, 1);
	fake_out(vm, 0, 0x604, 2, 0x0c02);
	fake_time_advance(vm, 601 * SEC);
	assert_true(vm->irq_level[9]);
	vm->devices[pm].ops->reset(vm->devices[pm].ctx);
	assert_false(vm->irq_level[9]);
	assert_null(vm->timers);
	assert_int_equal(fake_in(vm, 0, 0x600, 4), 0);
	assert_int_equal(fake_in(vm, 0, 0x604, 2), 1);
}

static void test_ports_reset(void **state)
{
	unsigned int i;

	out8(vm, 0x92, 0);
	out8(vm, 0x64, 0x60);	/* the keyboard's interrupt on, then a byte from it, ... */
	out8(vm, 0x60, 0x01);
	out8(vm, 0x64, 0xd2);
	out8(vm, 0x60, 0x1c);
	out8(vm, 0x64, 0xd1);	/* ... and a command half given */
	assert_true(vm->irq_level[V3_I8042_GSI]);
	for (i = 0; i < vm->num_devices; i++)
		vm->devices[i].ops->reset(vm->devices[i].ctx);
	assert_false(vm->irq_level[V3_I8042_GSI]);
	assert_int_equal(in8(vm, 0x92), 2);
	assert_int_equal(in8(vm, 0x64), 0x14);
	out8(vm, 0x60, 0);	/* is none of the output port's, which would reset */
	assert_int_equal(vm->ends, 0);
}

static void test_power_on(void **state)
{
	assert_int_equal(fake_in(vm, 0, 0x602, 2), 0);
	assert_int_equal(fake_in(vm, 0, 0x604, 2), 1);
	assert_int_equal(in8(vm, 0x92), 2);
	assert_int_equal(in8(vm, 0x64), 0x14);
}

static void test_create_failures(void **state)
{
	check_create_failures(v3_reset_create);
	check_create_failures(v3_i8042_create);
	check_create_failures(v3_acpi_pm_create);
}

#define DEVICE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(test_exit_port),
		DEVICE_TEST(test_exit_port_sizes),
		DEVICE_TEST(test_diagnostic_port),
		DEVICE_TEST(test_port92),
		DEVICE_TEST(test_8042_commands),
		DEVICE_TEST(test_8042_no_keyboard),
		DEVICE_TEST(test_8042_reset),
		DEVICE_TEST(test_8042_reset_by_output_port),
		DEVICE_TEST(test_ports_reset),
		DEVICE_TEST(test_pm1_registers),
		DEVICE_TEST(test_poweroff),
		DEVICE_TEST(test_poweroff_in_bytes),
		DEVICE_TEST(test_other_sleep_types),
		DEVICE_TEST(test_pm_timer),
		DEVICE_TEST(test_pm_timer_status),
		DEVICE_TEST(test_pm_reset),
		DEVICE_TEST(test_power_on),
		cmocka_unit_test(test_create_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
