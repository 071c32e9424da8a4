/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole platform: it fits together, and each failure on the way unwinds. */
#include "device_test.h"

#include "devices/acpi.h"
#include "devices/mptable.h"

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
	assert_int_equal(vm->wall_seconds, pc.rtc_seconds);
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
	fake_vm_destroy(vm);
}

/* The guest before may have written there. */
static void test_tables_after_reset(void **state)
{
	static uint8_t acpi[V3_ACPI_MAX_SIZE], mp[V3_MPTABLE_MAX_SIZE], now[0x10000];
	size_t acpi_used = v3_acpi_build(acpi, sizeof(acpi), 2, NULL);
	size_t mp_used = v3_mptable_build(mp, sizeof(mp), 2);
	struct v3_vm *vm = new_vm();
	struct v3_pc_config pc = config();
	unsigned int i;

	(void)state;
	assert_int_equal(v3_pc_attach(vm, &pc), V3_OK);
	memset(now, 0xcc, sizeof(now));
	assert_int_equal(v3_vm_write(vm, V3_PC_RSDP_GPA, now, sizeof(now)), V3_OK);
	for (i = 0; i < vm->num_devices; i++)
		if (vm->devices[i].ops->reset)
			vm->devices[i].ops->reset(vm->devices[i].ctx);
	assert_int_equal(v3_vm_read(vm, V3_PC_RSDP_GPA, now, sizeof(now)), V3_OK);
	assert_memory_equal(now, acpi, acpi_used);
	assert_memory_equal(now + (V3_PC_MP_GPA - V3_PC_RSDP_GPA), mp, mp_used);
	assert_int_equal(now[acpi_used], 0xcc);
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

static uint64_t random_next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* A guest that writes anything anywhere, at any time: the sanitizers and the fake watch. */
static void test_hostile_guest(void **state)
{
	static const struct { uint16_t first, count; } ports[] = {
		{ 0x20, 2 }, { 0xa0, 2 }, { 0x4d0, 2 }, { 0x40, 4 }, { 0x60, 5 }, { 0x70, 2 },
		{ 0x80, 1 }, { 0x92, 1 }, { 0xf4, 4 }, { 0x3f8, 8 }, { 0x600, 16 }, { 0xcf8, 8 },
	};
	struct v3_vm *vm = new_vm();
	struct v3_pc_config pc = config();
	uint64_t seed = 0x9e3779b97f4a7c15, r;
	unsigned int i, runs;

	assert_int_equal(v3_pc_attach(vm, &pc), V3_OK);
	for (i = 0; i < 300000; i++) {
		r = random_next(&seed);
		unsigned int n = r % (sizeof(ports) / sizeof(ports[0]));
		uint16_t port = (uint16_t)(ports[n].first + (r >> 8) % ports[n].count);
		unsigned int size = 1u << ((r >> 16) % 3), cpu = r >> 20 & 1;

		switch (r >> 24 & 7) {
		case 0:
			runs = vm->timer_runs;
			fake_time_advance(vm, (r >> 32) % (1u << (r >> 27 & 31)));
			/* 2.2 s at most: no device may ask for more than a timer each 50 us. */
			assert_in_range(vm->timer_runs - runs, 0, 4 * 2200 * 20);
			break;
		case 1:
			fake_in(vm, cpu, port, size);
			break;
		case 2:
			if (vm->console_in_len < 200)
				fake_console_input(vm, &r, 1);
			break;
		default:
			fake_out(vm, cpu, port, size, (uint32_t)(r >> 32));
		}
		vm->console_out_len = 0;
	}
	assert_true(vm->ends > 0);
	fake_vm_destroy(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attach),
		cmocka_unit_test(test_tables_after_reset),
		cmocka_unit_test(test_attach_twice),
		cmocka_unit_test(test_every_failure),
		cmocka_unit_test(test_bad_config),
		cmocka_unit_test(test_timer_interrupt),
		cmocka_unit_test(test_hostile_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
