/* SPDX-License-Identifier: BSD-2-Clause */
#include "device_test.h"

#include "devices/pci.h"

#define ADDRESS 0xcf8
#define DATA 0xcfc

static struct v3_vm *vm;
static struct v3_pci_bus *bus;

static enum v3_status create(struct v3_vm *v)
{
	return v3_pci_create(v, &bus);
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

static void select_reg(unsigned int bus_nr, unsigned int slot, unsigned int function,
		       unsigned int reg)
{
	fake_out(vm, 0, ADDRESS, 4, 1u << 31 | bus_nr << 16 | slot << 11 | function << 8 | reg);
}

static void test_host_bridge(void **state)
{
	select_reg(0, 0, 0, 0);
	assert_int_equal(fake_in(vm, 0, DATA, 4), 0x29c08086);
	assert_int_equal(fake_in(vm, 0, DATA, 2), 0x8086);
	assert_int_equal(fake_in(vm, 0, DATA + 2, 2), 0x29c0);
	assert_int_equal(fake_in(vm, 0, DATA + 3, 1), 0x29);
	select_reg(0, 0, 0, 8);
	assert_int_equal(fake_in(vm, 0, DATA, 4), 0x06000000);
	/* Read-only. */
	fake_out(vm, 0, DATA, 4, 0);
	assert_int_equal(fake_in(vm, 0, DATA, 4), 0x06000000);
	select_reg(0, 0, 0, 0x0c);
	assert_int_equal(fake_in(vm, 0, DATA + 2, 1), 0);
}

static void test_absent_functions(void **state)
{
	unsigned int devfn;

	for (devfn = 1; devfn < 256; devfn++) {
		select_reg(0, devfn >> 3, devfn & 7, 0);
		assert_int_equal(fake_in(vm, 0, DATA, 4), UINT32_MAX);
	}
	select_reg(1, 0, 0, 0);
	assert_int_equal(fake_in(vm, 0, DATA, 4), UINT32_MAX);
	assert_int_equal(fake_in(vm, 0, DATA, 2), 0xffff);
	fake_out(vm, 0, DATA, 4, 0);
}

/* What Linux does to find mechanism 1. */
static void test_probe(void **state)
{
	out8(vm, 0xcfb, 0x01);
	fake_out(vm, 0, ADDRESS, 4, 0x80000000);
	assert_int_equal(fake_in(vm, 0, ADDRESS, 4), 0x80000000);
	assert_int_equal(vm->ends, 0);
}

static void test_address_register(void **state)
{
	fake_out(vm, 0, ADDRESS, 4, 0xffffffff);
	assert_int_equal(fake_in(vm, 0, ADDRESS, 4), 0xfffffffc);
	fake_out(vm, 0, ADDRESS, 2, 0);
	out8(vm, ADDRESS, 0);
	assert_int_equal(fake_in(vm, 0, ADDRESS, 4), 0xfffffffc);
	assert_int_equal(fake_in(vm, 0, ADDRESS, 2), 0xffff);
	assert_int_equal(in8(vm, 0xcfa), 0xff);
	/* Registers beyond 255, as some AMD processors have them, are not there. */
	fake_out(vm, 0, ADDRESS, 4, 0x81000000);
	assert_int_equal(fake_in(vm, 0, DATA, 4), UINT32_MAX);
	/* Without the enable bit nothing answers. */
	fake_out(vm, 0, ADDRESS, 4, 0);
	assert_int_equal(fake_in(vm, 0, DATA, 4), UINT32_MAX);
	fake_out(vm, 0, DATA, 4, 0);
	/* Accesses across registers hit neither, but do no harm. */
	fake_out(vm, 0, 0xcfa, 4, 0xffffffff);
	assert_int_equal(fake_in(vm, 0, 0xcf9, 4), UINT32_MAX);
	assert_int_equal(fake_in(vm, 0, ADDRESS, 4), 0);
	assert_int_equal(vm->ends, 0);
	select_reg(0, 0, 0, 0xfc);
	assert_int_equal(fake_in(vm, 0, DATA, 4), 0);
	/* Beyond the last port the access is split: the rest is nobody's. */
	assert_int_equal(fake_in(vm, 0, DATA + 2, 4), 0xffff0000);
}

static unsigned int written_calls, written_offset, written_size;

static void written(struct v3_pci_dev *dev, unsigned int offset, unsigned int size)
{
	written_calls++;
	written_offset = offset;
	written_size = size;
}

static void test_added_function(void **state)
{
	static const struct v3_pci_dev_ops ops = { .written = written };
	struct v3_pci_dev dev = { .devfn = V3_PCI_DEVFN(3, 1), .ops = &ops }, other = dev;

	v3_pci_identify(&dev, 0x1234, 0x5678, 0x0200, 7);
	dev.writable[V3_PCI_COMMAND] = 0x07;
	dev.writable[V3_PCI_COMMAND + 1] = 0x04;
	assert_int_equal(v3_pci_add(bus, &dev), V3_OK);
	assert_int_equal(v3_pci_add(bus, &other), V3_ERR_EXIST);
	select_reg(0, 3, 1, 0);
	assert_int_equal(fake_in(vm, 0, DATA, 4), 0x56781234);
	select_reg(0, 3, 1, 8);
	assert_int_equal(fake_in(vm, 0, DATA, 4), 0x02000007);
	select_reg(0, 3, 1, 4);
	fake_out(vm, 0, DATA, 2, 0xffff);
	assert_int_equal(written_calls, 1);
	assert_int_equal(written_offset, 4);
	assert_int_equal(written_size, 2);
	assert_int_equal(fake_in(vm, 0, DATA, 4), 0x0407);
	out8(vm, DATA + 1, 0);
	assert_int_equal(fake_in(vm, 0, DATA, 4), 0x0007);
	assert_int_equal(written_offset, 5);
}

static void test_add_after_start(void **state)
{
	struct v3_pci_dev dev = { .devfn = V3_PCI_DEVFN(4, 0) };

	vm->state = V3_VM_RUNNING;
	assert_int_equal(v3_pci_add(bus, &dev), V3_ERR_STATE);
	vm->state = V3_VM_CREATED;
}

static void test_reset_register(void **state)
{
	assert_int_equal(in8(vm, 0xcf9), 0);
	out8(vm, 0xcf9, 0x02);
	assert_int_equal(vm->ends, 0);
	out8(vm, 0xcf9, 0x06);
	assert_int_equal(vm->end.kind, V3_END_RESET);
	assert_string_equal(vm->end.reason, "guest wrote 0x6 to the reset port 0xcf9");
}

static void test_power_on(void **state)
{
	assert_int_equal(fake_in(vm, 0, ADDRESS, 4), 0);
}

static void test_create_failures(void **state)
{
	check_create_failures(create);
}

static void test_reset(void **state)
{
	select_reg(0, 0, 0, 8);
	assert_int_not_equal(fake_in(vm, 0, ADDRESS, 4), 0);
	vm->devices[0].ops->reset(vm->devices[0].ctx);
	assert_int_equal(fake_in(vm, 0, ADDRESS, 4), 0);
}

#define DEVICE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(test_host_bridge),
		DEVICE_TEST(test_absent_functions),
		DEVICE_TEST(test_probe),
		DEVICE_TEST(test_address_register),
		DEVICE_TEST(test_added_function),
		DEVICE_TEST(test_add_after_start),
		DEVICE_TEST(test_reset_register),
		DEVICE_TEST(test_reset),
		DEVICE_TEST(test_power_on),
		cmocka_unit_test(test_create_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
