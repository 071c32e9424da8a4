/* SPDX-License-Identifier: BSD-2-Clause */
#include "device_test.h"

#include "devices/uart.h"

enum { DATA = 0x3f8, IER, IIR, LCR, MCR, LSR, MSR, SCR };
#define FCR IIR

static struct v3_vm *vm;

static enum v3_status create(struct v3_vm *v)
{
	return v3_uart_create(v, V3_COM1_PORT, V3_COM1_GSI, 0);
}

static int setup(void **state)
{
	vm = fake_vm_create(1);
	return create(vm);
}

static int teardown(void **state)
{
	fake_vm_destroy(vm);
	return 0;
}

static void type(const char *text)
{
	fake_console_input(vm, text, strlen(text));
}

static bool irq(void)
{
	return vm->irq_level[V3_COM1_GSI];
}

static void test_polled_output(void **state)
{
	static const char hello[] = "hello\n";
	unsigned int i;

	for (i = 0; hello[i]; i++) {
		assert_int_equal(in8(vm, LSR), 0x60);
		out8(vm, DATA, (uint8_t)hello[i]);
	}
	assert_int_equal(vm->console_out_len, 6);
	assert_memory_equal(vm->console_out, hello, 6);
	assert_int_equal(vm->irq_edges[V3_COM1_GSI], 0);
}

static void test_registers(void **state)
{
	out8(vm, SCR, 0xa5);
	assert_int_equal(in8(vm, SCR), 0xa5);
	out8(vm, IER, 0xff);
	assert_int_equal(in8(vm, IER), 0x0f);
	out8(vm, MCR, 0xef);
	assert_int_equal(in8(vm, MCR), 0x0f);
	out8(vm, LCR, 0x80);
	out8(vm, DATA, 0x34);
	out8(vm, IER, 0x12);
	assert_int_equal(in8(vm, DATA), 0x34);
	assert_int_equal(in8(vm, IER), 0x12);
	out8(vm, LCR, 0x03);
	assert_int_equal(in8(vm, LCR), 0x03);
	assert_int_equal(in8(vm, IER), 0x0f);
	assert_int_equal(vm->console_out_len, 0);
	/* Read-only registers. */
	out8(vm, LSR, 0xff);
	out8(vm, MSR, 0xff);
	assert_int_equal(in8(vm, LSR), 0x60);
	assert_int_equal(in8(vm, MSR), 0xb0);
}

static void test_iir_shows_fifos(void **state)
{
	assert_int_equal(in8(vm, IIR), 0x01);
	out8(vm, FCR, 0x01);
	assert_int_equal(in8(vm, IIR), 0xc1);
	/* Trigger bits without the enable bit turn the FIFOs off. */
	out8(vm, FCR, 0xc0);
	assert_int_equal(in8(vm, IIR), 0x01);
}

static void test_thre_interrupt(void **state)
{
	out8(vm, MCR, 0x08);
	out8(vm, IER, 0x02);
	assert_true(irq());
	assert_int_equal(in8(vm, IIR), 0x02);
	assert_false(irq());
	assert_int_equal(in8(vm, IIR), 0x01);
	/* Each byte sent raises it again. */
	out8(vm, DATA, 'x');
	assert_true(irq());
	assert_int_equal(vm->irq_edges[V3_COM1_GSI], 2);
	out8(vm, IER, 0x00);
	assert_false(irq());
	/* Enabled anew, pending anew: how Linux checks for a working interrupt. */
	assert_int_equal(in8(vm, IIR), 0x01);
	out8(vm, IER, 0x02);
	assert_int_equal(in8(vm, IIR), 0x02);
	/* Written once more while enabled it stays quiet. */
	out8(vm, IER, 0x02);
	assert_int_equal(in8(vm, IIR), 0x01);
}

static void test_out2_gates_the_line(void **state)
{
	out8(vm, IER, 0x02);
	assert_false(irq());
	out8(vm, MCR, 0x08);
	assert_true(irq());
	out8(vm, MCR, 0x00);
	assert_false(irq());
}

static void test_receive_without_fifo(void **state)
{
	out8(vm, MCR, 0x08);
	out8(vm, IER, 0x01);
	type("abc");
	assert_true(irq());
	assert_int_equal(in8(vm, IIR), 0x04);
	assert_int_equal(in8(vm, LSR), 0x61);
	/* The console keeps what does not fit. */
	assert_int_equal(vm->console_in_len, 2);
	assert_int_equal(in8(vm, DATA), 'a');
	assert_true(irq());
	assert_int_equal(in8(vm, DATA), 'b');
	assert_int_equal(in8(vm, DATA), 'c');
	assert_false(irq());
	assert_int_equal(in8(vm, LSR), 0x60);
	assert_int_equal(in8(vm, DATA), 0);
}

static void test_receive_trigger_and_timeout(void **state)
{
	out8(vm, LCR, 0x80);
	out8(vm, DATA, 12);	/* 9600 baud: 4 characters of 10 bits take 4.17 ms */
	out8(vm, LCR, 0x03);
	out8(vm, FCR, 0x81);	/* trigger at 8 */
	out8(vm, MCR, 0x08);
	out8(vm, IER, 0x01);
	type("1234567");
	assert_false(irq());
	fake_time_advance(vm, 4 * MS);
	assert_false(irq());
	fake_time_advance(vm, MS);
	assert_true(irq());
	assert_int_equal(in8(vm, IIR), 0xcc);
	/* Reading a byte ends it and starts the time again. */
	assert_int_equal(in8(vm, DATA), '1');
	assert_false(irq());
	fake_time_advance(vm, 5 * MS);
	assert_int_equal(in8(vm, IIR), 0xcc);
	/* The trigger level has priority. */
	type("89");
	assert_int_equal(in8(vm, IIR), 0xc4);
	type("abcdefghijklmnop");
	assert_int_equal(vm->console_in_len, 8);
	while (in8(vm, LSR) & 1)
		in8(vm, DATA);
	assert_int_equal(vm->console_in_len, 0);
	assert_false(irq());
	fake_time_advance(vm, SEC);
	assert_false(irq());
	assert_null(vm->timers);
}

static void test_timeout_depends_on_line_settings(void **state)
{
	out8(vm, FCR, 0xc1);
	out8(vm, IER, 0x01);
	out8(vm, LCR, 0x80);
	out8(vm, DATA, 0);	/* a divisor of 0 counts as 1 */
	out8(vm, LCR, 0x1f);	/* 8 data bits, parity, 2 stop bits: 12 bits a character */
	type("x");
	assert_int_equal(vm->timers->deadline, 4 * 12 * SEC / 115200);
}

static void test_fifo_reset(void **state)
{
	out8(vm, FCR, 0x01);
	type("abc");
	assert_int_equal(in8(vm, LSR), 0x61);
	out8(vm, FCR, 0x03);
	assert_int_equal(in8(vm, LSR), 0x60);
	type("d");
	/* Changing the enable bit empties them too. */
	out8(vm, FCR, 0x00);
	assert_int_equal(in8(vm, LSR), 0x60);
}

static void test_loopback(void **state)
{
	unsigned int i;

	out8(vm, MCR, 0x10);
	assert_int_equal(in8(vm, MSR), 0x0b);	/* CTS, DSR and DCD went away */
	out8(vm, MCR, 0x1f);
	assert_int_equal(in8(vm, MSR), 0xfb);
	out8(vm, MCR, 0x1b);
	assert_int_equal(in8(vm, MSR), 0xb4);	/* the end of a ring */
	out8(vm, FCR, 0x07);
	/* Linux measures the FIFO like this. */
	for (i = 0; i < 256; i++)
		out8(vm, DATA, (uint8_t)i);
	assert_int_equal(vm->console_out_len, 0);
	assert_int_equal(in8(vm, LSR), 0x63);	/* overrun */
	assert_int_equal(in8(vm, LSR), 0x61);	/* reported once */
	for (i = 0; i < 16; i++)
		assert_int_equal(in8(vm, DATA), i);
	assert_int_equal(in8(vm, LSR), 0x60);
}

static void test_loopback_overrun_without_fifo(void **state)
{
	out8(vm, MCR, 0x10);
	out8(vm, DATA, 1);
	out8(vm, DATA, 2);
	assert_int_equal(in8(vm, LSR), 0x63);
	assert_int_equal(in8(vm, DATA), 2);
}

static void test_loopback_holds_console_input(void **state)
{
	out8(vm, MCR, 0x10);
	type("z");
	assert_int_equal(in8(vm, LSR), 0x60);
	out8(vm, MCR, 0x00);
	assert_int_equal(in8(vm, LSR), 0x61);
	assert_int_equal(in8(vm, DATA), 'z');
}

static void test_priorities(void **state)
{
	out8(vm, IER, 0x0f);
	out8(vm, MCR, 0x18);	/* loopback, OUT2: modem deltas */
	out8(vm, DATA, 1);
	out8(vm, DATA, 2);
	assert_true(irq());
	assert_int_equal(in8(vm, IIR), 0x06);
	in8(vm, LSR);
	assert_int_equal(in8(vm, IIR), 0x04);
	in8(vm, DATA);
	assert_int_equal(in8(vm, IIR), 0x02);
	assert_int_equal(in8(vm, IIR), 0x00);
	assert_true(irq());
	in8(vm, MSR);
	assert_int_equal(in8(vm, IIR), 0x01);
	assert_false(irq());
}

static void test_wide_access(void **state)
{
	/* A 16-bit write to the data register reaches IER with its high byte. */
	fake_out(vm, 0, DATA, 2, 0x0541);
	assert_int_equal(vm->console_out_len, 1);
	assert_int_equal(in8(vm, IER), 0x05);
	assert_int_equal(fake_in(vm, 0, LSR, 2), 0xb060);
	assert_int_equal(fake_in(vm, 0, SCR, 2), 0xff00);
}

static void test_input_while_interrupts_are_off(void **state)
{
	out8(vm, FCR, 0x01);
	type("abc");
	assert_false(irq());
	out8(vm, MCR, 0x08);
	out8(vm, IER, 0x01);
	assert_true(irq());
}

static void test_timeout_starts_when_enabled(void **state)
{
	out8(vm, FCR, 0xc1);
	type("abc");
	assert_null(vm->timers);
	out8(vm, MCR, 0x08);
	out8(vm, IER, 0x01);
	fake_time_advance(vm, MS);
	assert_int_equal(in8(vm, IIR), 0xcc);
	out8(vm, IER, 0x00);
	assert_false(irq());
}

static void test_stale_timeout(void **state)
{
	struct v3_timer *timer;

	out8(vm, FCR, 0xc1);
	out8(vm, IER, 0x01);
	type("a");
	timer = vm->timers;
	in8(vm, DATA);
	/* The callback had begun when the byte was read. */
	timer->fn(timer, timer->ctx);
	assert_int_equal(in8(vm, IIR), 0xc1);
}

static void test_power_on(void **state)
{
	assert_false(irq());
	assert_int_equal(in8(vm, LSR), 0x60);
	assert_int_equal(in8(vm, IER), 0);
	assert_int_equal(in8(vm, MCR), 0);
}

static void test_create_failures(void **state)
{
	check_create_failures(create);
}

static void test_reset(void **state)
{
	out8(vm, FCR, 0xc1);
	out8(vm, IER, 0x0f);
	out8(vm, MCR, 0x0b);
	out8(vm, LCR, 0x83);
	out8(vm, SCR, 0x77);
	type("typed");
	out8(vm, LCR, 0x03);
	assert_true(irq());
	vm->devices[0].ops->reset(vm->devices[0].ctx);
	assert_false(irq());
	assert_null(vm->timers);
	assert_int_equal(in8(vm, IER), 0);
	assert_int_equal(in8(vm, IIR), 0x01);
	assert_int_equal(in8(vm, LCR), 0);
	assert_int_equal(in8(vm, MCR), 0);
	assert_int_equal(in8(vm, LSR), 0x60);
	assert_int_equal(in8(vm, SCR), 0);
}

#define DEVICE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(test_polled_output),
		DEVICE_TEST(test_registers),
		DEVICE_TEST(test_iir_shows_fifos),
		DEVICE_TEST(test_thre_interrupt),
		DEVICE_TEST(test_out2_gates_the_line),
		DEVICE_TEST(test_receive_without_fifo),
		DEVICE_TEST(test_receive_trigger_and_timeout),
		DEVICE_TEST(test_timeout_depends_on_line_settings),
		DEVICE_TEST(test_fifo_reset),
		DEVICE_TEST(test_loopback),
		DEVICE_TEST(test_loopback_overrun_without_fifo),
		DEVICE_TEST(test_loopback_holds_console_input),
		DEVICE_TEST(test_priorities),
		DEVICE_TEST(test_wide_access),
		DEVICE_TEST(test_input_while_interrupts_are_off),
		DEVICE_TEST(test_timeout_starts_when_enabled),
		DEVICE_TEST(test_stale_timeout),
		DEVICE_TEST(test_reset),
		DEVICE_TEST(test_power_on),
		cmocka_unit_test(test_create_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
