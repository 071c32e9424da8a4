/* SPDX-License-Identifier: BSD-2-Clause */
/* The doorbell's registers, line, timer and saved state, against a core that the test drives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "doorbell.h"
#include "fakes/fake_core.h"

#define REG(reg) ((uint64_t)DOORBELL_MMIO + (reg))

static struct v3_vm *vm;

static int set_up(void **state)
{
	(void)state;
	vm = fake_vm_create(2);
	assert_int_equal(doorbell_attach(vm), V3_OK);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fake_vm_destroy(vm);
	return 0;
}

static uint64_t get(uint64_t reg)
{
	return fake_mmio_read(vm, 0, REG(reg), 8);
}

static void set(uint64_t reg, uint64_t value)
{
	fake_mmio_write(vm, 0, REG(reg), 8, value);
}

static void ring(void)
{
	fake_out(vm, 1, DOORBELL_PORT, 4, 1);
}

static bool line(void)
{
	return vm->irq_level[DOORBELL_GSI];
}

static const struct v3_device_ops *ops(void)
{
	return vm->devices[0].ops;
}

static void *ctx(void)
{
	return vm->devices[0].ctx;
}

static void test_registers(void **state)
{
	(void)state;
	assert_int_equal(get(DOORBELL_ID), DOORBELL_ID_VALUE);
	assert_int_equal(get(DOORBELL_CONTROL) | get(DOORBELL_STATUS) | get(DOORBELL_COUNT), 0);
	set(DOORBELL_ID, 0);
	set(DOORBELL_COUNT, 7);
	set(DOORBELL_CONTROL, UINT64_MAX);
	assert_int_equal(get(DOORBELL_ID), DOORBELL_ID_VALUE);
	assert_int_equal(get(DOORBELL_COUNT), 0);
	assert_int_equal(get(DOORBELL_CONTROL), DOORBELL_ENABLE);
	/* Not a register; too small; not at its start. */
	assert_true(get(0x28) == UINT64_MAX);
	assert_int_equal(fake_mmio_read(vm, 0, REG(DOORBELL_ID), 2), 0xffff);
	assert_int_equal(fake_mmio_read(vm, 0, REG(DOORBELL_ID) + 4, 4), 0xffffffff);
	fake_mmio_write(vm, 0, REG(DOORBELL_CONTROL), 1, 0);
	fake_mmio_write(vm, 0, REG(DOORBELL_CONTROL) + 4, 4, 0);
	assert_int_equal(get(DOORBELL_CONTROL), DOORBELL_ENABLE);
}

static void test_port(void **state)
{
	(void)state;
	fake_out(vm, 0, DOORBELL_PORT, 4, 0x12345);
	assert_int_equal(get(DOORBELL_COUNT), 0x12345);
	assert_int_equal(fake_in(vm, 0, DOORBELL_PORT, 4), 0x12345);
	assert_int_equal(fake_in(vm, 0, DOORBELL_PORT + 1, 1), 0x23);
	fake_out(vm, 0, DOORBELL_PORT, 1, 1);
	fake_out(vm, 0, DOORBELL_PORT + 2, 2, 1);
	fake_out(vm, 0, DOORBELL_PORT, 4, 0);
	assert_int_equal(get(DOORBELL_COUNT), 0x12345);
}

static void test_line(void **state)
{
	(void)state;
	assert_int_equal(v3_irq_claim(vm, DOORBELL_GSI), V3_ERR_EXIST);
	ring();
	assert_int_equal(get(DOORBELL_STATUS), DOORBELL_RUNG);
	assert_false(line());
	set(DOORBELL_CONTROL, DOORBELL_ENABLE);
	assert_true(line());
	/* Not the bit that is set. */
	set(DOORBELL_STATUS, DOORBELL_TIMER);
	assert_true(line());
	set(DOORBELL_STATUS, DOORBELL_RUNG);
	assert_false(line());
	ring();
	assert_true(line());
	set(DOORBELL_CONTROL, 0);
	assert_false(line());
}

static void test_timer(void **state)
{
	(void)state;
	set(DOORBELL_CONTROL, DOORBELL_ENABLE);
	set(DOORBELL_DELAY, 1000);
	fake_time_advance(vm, 400);
	assert_int_equal(get(DOORBELL_DELAY), 600);
	assert_false(line());
	fake_time_advance(vm, 600);
	assert_true(line());
	assert_int_equal(get(DOORBELL_STATUS), DOORBELL_TIMER);
	assert_int_equal(get(DOORBELL_DELAY), 0);
	set(DOORBELL_STATUS, DOORBELL_TIMER);
	/* Moved back, then disarmed. */
	set(DOORBELL_DELAY, 1000);
	set(DOORBELL_DELAY, 5000);
	fake_time_advance(vm, 2000);
	assert_int_equal(get(DOORBELL_DELAY), 3000);
	set(DOORBELL_DELAY, 0);
	fake_time_advance(vm, 10000);
	assert_false(line());
	set(DOORBELL_DELAY, UINT64_MAX);
	assert_int_equal(get(DOORBELL_DELAY), DOORBELL_DELAY_MAX);
}

/* A callback that was on its way when the guest moved or cancelled the timer. */
static void test_late_callback(void **state)
{
	struct v3_timer *timer;

	(void)state;
	set(DOORBELL_DELAY, 1000);
	timer = vm->timers;
	timer->fn(timer, timer->ctx);
	assert_int_equal(get(DOORBELL_STATUS), 0);
	set(DOORBELL_DELAY, 0);
	fake_time_advance(vm, 2000);
	timer->fn(timer, timer->ctx);
	assert_int_equal(get(DOORBELL_STATUS), 0);
}

static void test_reset(void **state)
{
	(void)state;
	set(DOORBELL_CONTROL, DOORBELL_ENABLE);
	set(DOORBELL_DELAY, 1000);
	ring();
	assert_true(line());
	ops()->reset(ctx());
	assert_false(line());
	assert_int_equal(get(DOORBELL_CONTROL) | get(DOORBELL_STATUS) | get(DOORBELL_COUNT), 0);
	fake_time_advance(vm, 2000);
	assert_int_equal(get(DOORBELL_STATUS), 0);
}

static void test_save_and_load(void **state)
{
	struct v3_vm *first;
	uint8_t buf[64];
	size_t len;

	(void)state;
	set(DOORBELL_CONTROL, DOORBELL_ENABLE);
	fake_out(vm, 0, DOORBELL_PORT, 4, 42);
	set(DOORBELL_DELAY, 1000);
	fake_time_advance(vm, 300);
	memset(buf, 0xa5, sizeof(buf));
	len = ops()->save(ctx(), buf, 0);
	assert_true(len > 0 && len < sizeof(buf));
	assert_int_equal(ops()->save(ctx(), buf, len - 1), len);
	assert_int_equal(buf[0], 0xa5);
	assert_int_equal(ops()->save(ctx(), buf, len), len);
	assert_int_equal(buf[len], 0xa5);

	/* Another VM, whose clock is another one. */
	first = vm;
	set_up(NULL);
	fake_time_advance(vm, 77777);
	assert_int_equal(ops()->load(ctx(), buf, len), V3_OK);
	assert_true(line());
	assert_int_equal(get(DOORBELL_COUNT), 42);
	assert_int_equal(get(DOORBELL_DELAY), 700);
	set(DOORBELL_STATUS, DOORBELL_RUNG);
	assert_false(line());
	fake_time_advance(vm, 700);
	assert_true(line());
	assert_int_equal(get(DOORBELL_STATUS), DOORBELL_TIMER);
	fake_vm_destroy(first);
}

/* A timer that is due in the first VM fires in the second, at once. */
static void test_save_due_timer(void **state)
{
	uint8_t buf[64];
	size_t len;

	(void)state;
	set(DOORBELL_DELAY, 1000);
	vm->now += 5000;	/* and no vCPU ran */
	len = ops()->save(ctx(), buf, sizeof(buf));
	ops()->reset(ctx());
	assert_int_equal(ops()->load(ctx(), buf, len), V3_OK);
	fake_time_advance(vm, 1);
	assert_int_equal(get(DOORBELL_STATUS), DOORBELL_TIMER);
}

static void test_damaged_state(void **state)
{
	/* Byte, and what it makes of the state; the layout is the example's. */
	static const struct { unsigned int at; uint8_t value; enum v3_status status; } damage[] = {
		{ 0, 2, V3_ERR_VERSION }, { 0, 0, V3_ERR_VERSION }, { 4, 1, V3_ERR_FORMAT },
		{ 8, 2, V3_ERR_FORMAT }, { 11, 0x80, V3_ERR_FORMAT }, { 12, 4, V3_ERR_FORMAT },
		{ 31, 0x80, V3_ERR_FORMAT },
	};
	uint8_t buf[64], bad[64];
	unsigned int i;
	size_t len;

	(void)state;
	len = ops()->save(ctx(), buf, sizeof(buf));
	ring();
	for (i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
		memcpy(bad, buf, len);
		bad[damage[i].at] = damage[i].value;
		assert_int_equal(ops()->load(ctx(), bad, len), damage[i].status);
	}
	assert_int_equal(ops()->load(ctx(), buf, 0), V3_ERR_FORMAT);
	assert_int_equal(ops()->load(ctx(), buf, len - 1), V3_ERR_FORMAT);
	assert_int_equal(ops()->load(ctx(), buf, len + 1), V3_ERR_FORMAT);
	assert_int_equal(get(DOORBELL_COUNT), 1);
	assert_int_equal(ops()->load(ctx(), buf, len), V3_OK);
	assert_int_equal(get(DOORBELL_COUNT), 0);
}

static void test_attach_failures(void **state)
{
	unsigned int i, calls;

	(void)state;
	vm = fake_vm_create(1);
	fake_fail_at(vm, 0, V3_OK);
	assert_int_equal(doorbell_attach(vm), V3_OK);
	calls = vm->fallible_calls;
	assert_int_equal(calls, 5);
	/* There is one already. */
	assert_int_equal(doorbell_attach(vm), V3_ERR_EXIST);
	fake_vm_destroy(vm);
	for (i = 1; i <= calls; i++) {
		vm = fake_vm_create(1);
		fake_fail_at(vm, i, V3_ERR_NOMEM);
		assert_int_equal(doorbell_attach(vm), V3_ERR_NOMEM);
		fake_vm_destroy(vm);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_registers),
		TEST(test_port),
		TEST(test_line),
		TEST(test_timer),
		TEST(test_late_callback),
		TEST(test_reset),
		TEST(test_save_and_load),
		TEST(test_save_due_timer),
		TEST(test_damaged_state),
		cmocka_unit_test(test_attach_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
