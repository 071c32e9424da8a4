/* SPDX-License-Identifier: BSD-2-Clause */
/* What every test of a device needs. */
#ifndef V3_TESTS_DEVICE_TEST_H
#define V3_TESTS_DEVICE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fakes/fake_core.h"

#define MS 1000000ull
#define SEC 1000000000ull

static inline uint8_t in8(struct v3_vm *vm, uint16_t port)
{
	return (uint8_t)fake_in(vm, 0, port, 1);
}

static inline void out8(struct v3_vm *vm, uint16_t port, uint8_t value)
{
	fake_out(vm, 0, port, 1, value);
}

/*
 * Runs create on a new VM once for each fallible call it makes, with that call failing: each
 * time create has to report the failure, and the VM has to be destroyed without a leak.
 */
static inline void check_create_failures(enum v3_status (*create)(struct v3_vm *vm))
{
	struct v3_vm *vm = fake_vm_create(1);
	unsigned int calls, i;

	fake_vm_add_pc_mem(vm, 64 << 20);
	fake_fail_at(vm, 0, V3_OK);
	assert_int_equal(create(vm), V3_OK);
	calls = vm->fallible_calls;
	assert_true(calls >= 2);
	fake_vm_destroy(vm);
	for (i = 1; i <= calls; i++) {
		vm = fake_vm_create(1);
		fake_vm_add_pc_mem(vm, 64 << 20);
		fake_fail_at(vm, i, V3_ERR_NOMEM);
		assert_int_equal(create(vm), V3_ERR_NOMEM);
		fake_vm_destroy(vm);
	}
}

#endif
