/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole platform: it fits together, and each failure on the way unwinds. */
#include "device_test.h"

static struct v3_vm *new_vm(void)
{
	struct v3_vm *vm = fake_vm_create(2);

	fake_vm_add_pc_mem(vm, 64 << 20);
	return vm;
}

static struct v3_pc_config config(void)
{
	struct v3_pc_config pc = { .struct_size = sizeof(pc), .rtc_seconds = 1700000000 };

	return pc;
}

static void test_attach(void **state)
{
	struct v3_vm *vm = new_vm();
	struct v3_pc_config pc = config();
	char rsdp[8];

	assert_int_equal(v3_pc_attach(vm, &pc), V3_OK);
	assert_non_null(vm->intc);
	assert_int_equal(in8(vm, 0x3fd), 0x60);
	assert_int_equal(in8(vm, 0x64), 0x14);
	assert_int_equal(in8(vm, 0x92), 0x02);
	assert_int_equal(fake_in(vm, 0, 0x604, 2), 1);
	out8(vm, 0x70, 9);
	assert_int_equal(in8(vm, 0x71), 0x23);	/* 2023 */
	fake_out(vm, 0, 0xcf8, 4, 0x80000000);
	assert_int_equal(fake_in(vm, 0, 0xcfc, 2), 0x8086);
	assert_int_equal(v3_vm_read(vm, V3_PC_RSDP_GPA, rsdp, sizeof(rsdp)), V3_OK);
	assert_memory_equal(rsdp, "RSD PTR ", 8);
	/* Ports that a PC has and this one has not. */
	assert_int_equal(in8(vm, 0x2f8 + 5), 0xff);
	assert_int_equal(in8(vm, 0x1f7), 0xff);
	fake_vm_reset(vm);
	fake_vm_destroy(vm);
}

static void test_attach_twice(void **state)
{
	struct v3_vm *vm = new_vm();
	struct v3_pc_config pc = config();

	assert_int_equal(v3_pc_attach(vm, &pc), V3_OK);
	assert_int_equal(v3_pc_attach(vm, &pc), V3_ERR_EXIST);
	fake_vm_destroy(vm);
}

static void test_every_failure(void **state)
{
	struct v3_vm *vm = new_vm();
	struct v3_pc_config pc = config();
	unsigned int calls, i;

	fake_fail_at(vm, 0, V3_OK);
	assert_int_equal(v3_pc_attach(vm, &pc), V3_OK);
	calls = vm->fallible_calls;
	assert_true(calls > 25);
	fake_vm_destroy(vm);
	for (i = 1; i <= calls; i++) {
		vm = new_vm();
		fake_fail_at(vm, i, V3_ERR_NOMEM);
		assert_int_equal(v3_pc_attach(vm, &pc), V3_ERR_NOMEM);
		assert_non_null(strstr(vm->last_log, "PC platform: cannot add"));
		fake_vm_destroy(vm);
	}
}

static void test_bad_config(void **state)
{
	struct v3_vm *vm = new_vm();
	struct v3_pc_config pc = config();

	pc.struct_size++;
	assert_int_equal(v3_pc_attach(vm, &pc), V3_ERR_VERSION);
	pc = config();
	pc.reserved = 1;
	assert_int_equal(v3_pc_attach(vm, &pc), V3_ERR_INVALID);
	pc = config();
	vm->state = V3_VM_RUNNING;
	assert_int_equal(v3_pc_attach(vm, &pc), V3_ERR_STATE);
	vm->state = V3_VM_CREATED;
	pc.rtc_seconds = UINT64_MAX;
	assert_int_equal(v3_pc_attach(vm, &pc), V3_ERR_RANGE);
	fake_vm_destroy(vm);
}

/* The timer interrupt reaches the 8259 and a vCPU by way of LINT0, as at boot. */
static void test_timer_interrupt(void **state)
{
	struct v3_vm *vm = new_vm();
	struct v3_pc_config pc = config();
	static const uint8_t init[4] = { 0x11, 0x20, 0x04, 0x01 };
	unsigned int i;

	assert_int_equal(v3_pc_attach(vm, &pc), V3_OK);
	for (i = 0; i < 4; i++)
		out8(vm, i ? 0x21 : 0x20, init[i]);
	out8(vm, 0x21, 0xfe);
	out8(vm, 0x43, 0x34);
	out8(vm, 0x40, 0x9c);
	out8(vm, 0x40, 0x2e);
	if (fake_peek(vm, 0, NULL) == 0x20) {	/* OUT went high with the mode */
		assert_int_equal(fake_ack(vm, 0), 0x20);
		out8(vm, 0x20, 0x20);
	}
	assert_int_equal(fake_peek(vm, 0, NULL), -1);
	fake_time_advance(vm, 11 * MS);
	assert_int_equal(fake_peek(vm, 0, NULL), 0x20);
	assert_int_equal(fake_ack(vm, 0), 0x20);
	fake_vm_destroy(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attach),
		cmocka_unit_test(test_attach_twice),
		cmocka_unit_test(test_every_failure),
		cmocka_unit_test(test_bad_config),
		cmocka_unit_test(test_timer_interrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
