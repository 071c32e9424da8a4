/* SPDX-License-Identifier: BSD-2-Clause */
/* The 8259 pair, reached as a CPU in virtual wire mode reaches it: INTR and INTA. */
#include "intc_test.h"

#define M0 0x20
#define M1 0x21
#define S0 0xa0
#define S1 0xa1

static int pic_setup(void **state)
{
	struct v3_vm *vm = intc_vm(1);

	lapic_write(vm, 0, V3_APIC_LVT_LINT0, V3_APIC_DM_EXTINT << 8);
	pic_init(vm, 0x01, 0x01);
	*state = vm;
	return 0;
}

static uint8_t isr(struct v3_vm *vm, uint16_t port)
{
	fake_out(vm, 0, port, 1, 0x0b);
	return (uint8_t)fake_in(vm, 0, port, 1);
}

static uint8_t irr(struct v3_vm *vm, uint16_t port)
{
	fake_out(vm, 0, port, 1, 0x0a);
	return (uint8_t)fake_in(vm, 0, port, 1);
}

static void command(struct v3_vm *vm, uint16_t port, uint8_t value)
{
	fake_out(vm, 0, port, 1, value);
}

static void edge_and_eoi(void **state)
{
	struct v3_vm *vm = *state;

	v3_irq_set(vm, 4, true);
	assert_int_equal(irr(vm, M0), 0x10);
	take(vm, 0, 0x34);
	assert_int_equal(irr(vm, M0), 0);
	assert_int_equal(isr(vm, M0), 0x10);
	/* Still high: no second edge. */
	command(vm, M0, 0x20);
	assert_int_equal(isr(vm, M0), 0);
	assert_int_equal(peek(vm, 0), -1);
	v3_irq_set(vm, 4, false);
	/* A pulse is remembered. */
	pulse(vm, 4);
	take(vm, 0, 0x34);
	command(vm, M0, 0x64);
	assert_int_equal(isr(vm, M0), 0);
	/* Not through the IRR of the local APIC, whose priority does not matter. */
	lapic_write(vm, 0, V3_APIC_TPR, 0xff);
	pulse(vm, 4);
	take(vm, 0, 0x34);
}

static void priorities(void **state)
{
	struct v3_vm *vm = *state;

	pulse(vm, 6);
	pulse(vm, 1);
	take(vm, 0, 0x31);
	/* Lower: has to wait. Higher: nests. */
	assert_int_equal(peek(vm, 0), -1);
	pulse(vm, 0);
	take(vm, 0, 0x30);
	assert_int_equal(isr(vm, M0), 0x03);
	/* The non-specific EOI ends the highest. */
	command(vm, M0, 0x20);
	assert_int_equal(isr(vm, M0), 0x02);
	command(vm, M0, 0x20);
	take(vm, 0, 0x36);
	command(vm, M0, 0x20);
	assert_int_equal(isr(vm, M0), 0);
	/* For nothing, it does nothing. */
	command(vm, M0, 0x20);
	assert_int_equal(peek(vm, 0), -1);
}

static void masks(void **state)
{
	struct v3_vm *vm = *state;

	fake_out(vm, 0, M1, 1, 0x10);
	assert_int_equal(fake_in(vm, 0, M1, 1), 0x10);
	pulse(vm, 4);
	assert_int_equal(peek(vm, 0), -1);
	assert_int_equal(irr(vm, M0), 0x10);
	fake_out(vm, 0, M1, 1, 0);
	assert_int_equal(peek(vm, 0), 0x34);
	/* Both bytes of a pair in one access */
	assert_int_equal(fake_in(vm, 0, M0, 2), 0x0010);
	fake_out(vm, 0, M0, 2, 0xff0b);
	assert_int_equal(peek(vm, 0), -1);
	assert_int_equal(fake_in(vm, 0, M0, 2), 0xff00);
}

static void cascade(void **state)
{
	struct v3_vm *vm = *state;

	pulse(vm, 12);
	assert_int_equal(irr(vm, M0), 0x04);
	take(vm, 0, 0x3c);
	assert_int_equal(isr(vm, M0), 0x04);
	assert_int_equal(isr(vm, S0), 0x10);
	/* A higher one of the slave waits for the master's EOI, unless specially nested. */
	pulse(vm, 9);
	assert_int_equal(peek(vm, 0), -1);
	command(vm, M0, 0x20);
	take(vm, 0, 0x39);
	command(vm, S0, 0x20);
	command(vm, S0, 0x20);
	command(vm, M0, 0x20);
	assert_int_equal(isr(vm, S0), 0);
	/* Above the master's inputs 3 to 7, below 0 and 1 */
	pulse(vm, 3);
	pulse(vm, 15);
	pulse(vm, 1);
	take(vm, 0, 0x31);
	command(vm, M0, 0x20);
	take(vm, 0, 0x3f);
	command(vm, S0, 0x20);
	command(vm, M0, 0x20);
	take(vm, 0, 0x33);
}

static void special_fully_nested(void **state)
{
	struct v3_vm *vm = *state;

	pic_init(vm, 0x11, 0x01);
	pulse(vm, 12);
	take(vm, 0, 0x3c);
	pulse(vm, 9);
	take(vm, 0, 0x39);
	pulse(vm, 14);
	assert_int_equal(peek(vm, 0), -1);
}

static void special_mask(void **state)
{
	struct v3_vm *vm = *state;

	pulse(vm, 1);
	take(vm, 0, 0x31);
	pulse(vm, 5);
	assert_int_equal(peek(vm, 0), -1);
	/* Masked in service, it lets lower ones through. */
	fake_out(vm, 0, M1, 1, 0x02);
	assert_int_equal(peek(vm, 0), -1);
	command(vm, M0, 0x68);
	take(vm, 0, 0x35);
	/* The non-specific EOI does not see it. */
	command(vm, M0, 0x20);
	assert_int_equal(isr(vm, M0), 0x02);
	command(vm, M0, 0x20);
	assert_int_equal(isr(vm, M0), 0x02);
	command(vm, M0, 0x48);
	command(vm, M0, 0x20);
	assert_int_equal(isr(vm, M0), 0);
}

static void rotation(void **state)
{
	struct v3_vm *vm = *state;

	/* Input 3 gets the lowest priority: 4 is the highest. */
	command(vm, M0, 0xc3);
	pulse(vm, 3);
	pulse(vm, 4);
	pulse(vm, 0);
	take(vm, 0, 0x34);
	/* Rotate on non-specific EOI: 4 becomes the lowest. */
	command(vm, M0, 0xa0);
	take(vm, 0, 0x30);
	/* Rotate on specific EOI */
	command(vm, M0, 0xe0);
	pulse(vm, 1);
	pulse(vm, 0);
	take(vm, 0, 0x31);
	command(vm, M0, 0x61);
	take(vm, 0, 0x33);
	command(vm, M0, 0x63);
	take(vm, 0, 0x30);
}

static void auto_eoi(void **state)
{
	struct v3_vm *vm = *state;

	pic_init(vm, 0x03, 0x03);
	pulse(vm, 5);
	pulse(vm, 6);
	take(vm, 0, 0x35);
	assert_int_equal(isr(vm, M0), 0);
	take(vm, 0, 0x36);
	pulse(vm, 11);
	take(vm, 0, 0x3b);
	assert_int_equal(isr(vm, S0), 0);
	/* Rotating: who was served is the lowest. */
	command(vm, M0, 0x80);
	pulse(vm, 3);
	take(vm, 0, 0x33);
	pulse(vm, 3);
	pulse(vm, 7);
	take(vm, 0, 0x37);
	command(vm, M0, 0x00);
	take(vm, 0, 0x33);
}

static void level_triggered(void **state)
{
	struct v3_vm *vm = *state;

	/* Timer, keyboard, cascade, RTC and FPU inputs cannot be. */
	fake_out(vm, 0, 0x4d0, 1, 0xff);
	fake_out(vm, 0, 0x4d1, 1, 0xff);
	assert_int_equal(fake_in(vm, 0, 0x4d0, 1), 0xf8);
	assert_int_equal(fake_in(vm, 0, 0x4d1, 1), 0xde);
	assert_int_equal(fake_in(vm, 0, 0x4d0, 2), 0xdef8);
	fake_out(vm, 0, 0x4d0, 2, 0x0820);
	assert_int_equal(fake_in(vm, 0, 0x4d0, 2), 0x0820);

	v3_irq_set(vm, 5, true);
	take(vm, 0, 0x35);
	assert_int_equal(irr(vm, M0), 0x20);
	command(vm, M0, 0x20);
	/* Still there: again. */
	take(vm, 0, 0x35);
	v3_irq_set(vm, 5, false);
	command(vm, M0, 0x20);
	assert_int_equal(peek(vm, 0), -1);
	v3_irq_set(vm, 11, true);
	assert_int_equal(peek(vm, 0), 0x3b);
	v3_irq_set(vm, 11, false);
	assert_int_equal(peek(vm, 0), -1);
	/* Initialization keeps what a level still asks for, and forgets edges. */
	v3_irq_set(vm, 11, true);
	pulse(vm, 4);
	pic_init(vm, 0x01, 0x01);
	take(vm, 0, 0x3b);
	command(vm, S0, 0x20);
	command(vm, M0, 0x20);
	v3_irq_set(vm, 11, false);
	assert_int_equal(peek(vm, 0), -1);
}

static void spurious(void **state)
{
	struct v3_vm *vm = *state;
	struct v3_intc *intc = vm->intc_ctx;

	fake_out(vm, 0, 0x4d0, 1, 0x20);
	v3_irq_set(vm, 5, true);
	assert_int_equal(peek(vm, 0), 0x35);
	v3_irq_set(vm, 5, false);
	/* The line fell before the INTA cycle: nothing for the core... */
	assert_int_equal(fake_ack(vm, 0), -1);
	/* ...but a CPU that was on its way gets input 7, without a bit in ISR. */
	assert_int_equal(v3_pic_intack(&intc->pic), 0x37);
	assert_int_equal(isr(vm, M0), 0);
	/* So it does for an ExtINT message of the I/O APIC. */
	lapic_write(vm, 0, V3_APIC_LVT_LINT0, V3_APIC_LVT_MASKED);
	redirect(vm, 0, V3_APIC_DM_EXTINT << V3_IOAPIC_MODE_SHIFT);
	v3_irq_set(vm, 5, true);
	v3_irq_set(vm, 5, false);
	take(vm, 0, 0x37);
	assert_int_equal(peek(vm, 0), -1);
}

static void poll_mode(void **state)
{
	struct v3_vm *vm = *state;

	command(vm, M0, 0x0c);
	assert_int_equal(fake_in(vm, 0, M0, 1), 0x07);
	pulse(vm, 3);
	pulse(vm, 13);
	command(vm, M0, 0x0c);
	assert_int_equal(fake_in(vm, 0, M0, 1), 0x82);
	assert_int_equal(isr(vm, M0), 0x04);
	command(vm, S0, 0x0c);
	assert_int_equal(fake_in(vm, 0, S0, 1), 0x85);
	assert_int_equal(isr(vm, S0), 0x20);
	/* Only one read is a poll. */
	assert_int_equal(fake_in(vm, 0, S1, 1), 0);
	command(vm, S0, 0x20);
	command(vm, M0, 0x20);
	take(vm, 0, 0x33);
}

static void initialization(void **state)
{
	struct v3_vm *vm = *state;

	/* Single and without ICW4: two words, then the mask; there is no slave. */
	fake_out(vm, 0, M0, 1, 0x12);
	fake_out(vm, 0, M1, 1, 0x57);
	assert_int_equal(fake_in(vm, 0, M1, 1), 0);
	fake_out(vm, 0, M1, 1, 0xfb);
	assert_int_equal(fake_in(vm, 0, M1, 1), 0xfb);
	pulse(vm, 9);
	assert_int_equal(peek(vm, 0), -1);
	fake_out(vm, 0, M1, 1, 0xef);
	pulse(vm, 4);
	take(vm, 0, 0x54);
	/* Single with ICW4 */
	fake_out(vm, 0, M0, 1, 0x13);
	fake_out(vm, 0, M1, 1, 0x60);
	fake_out(vm, 0, M1, 1, 0x03);
	pulse(vm, 4);
	take(vm, 0, 0x64);
	assert_int_equal(isr(vm, M0), 0);
	/* Cascaded without ICW4 */
	fake_out(vm, 0, M0, 1, 0x10);
	fake_out(vm, 0, M1, 1, 0x30);
	fake_out(vm, 0, M1, 1, 0x04);
	fake_out(vm, 0, M1, 1, 0xfe);
	assert_int_equal(fake_in(vm, 0, M1, 1), 0xfe);
	/* A new ICW1 in the middle starts anew. */
	fake_out(vm, 0, M0, 1, 0x11);
	fake_out(vm, 0, M1, 1, 0x70);
	fake_out(vm, 0, M0, 1, 0x11);
	fake_out(vm, 0, M1, 1, 0x78);
	fake_out(vm, 0, M1, 1, 0x04);
	fake_out(vm, 0, M1, 1, 0x01);
	/* The slave is back with what it has kept all the time. */
	take(vm, 0, 0x39);
	command(vm, S0, 0x20);
	command(vm, M0, 0x20);
	pulse(vm, 4);
	take(vm, 0, 0x7c);
}

static void power_on_masks_all(void **state)
{
	struct v3_vm *vm = *state;
	unsigned int i;

	assert_int_equal(fake_in(vm, 0, M1, 1), 0xff);
	assert_int_equal(fake_in(vm, 0, S1, 1), 0xff);
	assert_int_equal(fake_in(vm, 0, 0x4d0, 1), 0);
	for (i = 0; i < 16; i++)
		pulse(vm, i);
	assert_int_equal(peek(vm, 0), -1);
}

#define PIC_TEST(f) cmocka_unit_test_setup_teardown(f, pic_setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PIC_TEST(edge_and_eoi),
		PIC_TEST(priorities),
		PIC_TEST(masks),
		PIC_TEST(cascade),
		PIC_TEST(special_fully_nested),
		PIC_TEST(special_mask),
		PIC_TEST(rotation),
		PIC_TEST(auto_eoi),
		PIC_TEST(level_triggered),
		PIC_TEST(spurious),
		PIC_TEST(poll_mode),
		PIC_TEST(initialization),
		TEST_POWER_ON(power_on_masks_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
