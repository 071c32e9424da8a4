/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The doorbell in a VM of the real core, with the PC's interrupt controllers, through the public
 * API alone: a guest rings it and gets the interrupt; the host saves, loads and resets it.
 */
#include "guest.h"

#include <string.h>

#include <v3/pc.h>

#include "doorbell.h"

#define VECTOR 0x51

static unsigned int find(struct v3_vm *vm, const char *name)
{
	unsigned int i = 0;

	while (v3_device_name(vm, i) && strcmp(v3_device_name(vm, i), name))
		i++;
	assert_non_null(v3_device_name(vm, i));
	return i;
}

static void reg_write(struct script *script, uint64_t gpa, uint64_t value)
{
	v3_mmio_write(script->vcpu, gpa, 4, value);
}

static uint64_t reg_read(struct script *script, uint64_t reg)
{
	return v3_mmio_read(script->vcpu, DOORBELL_MMIO + reg, 8);
}

/* A guest that rings: mov edx, port; then out dx, eax each time. */
static struct script *create(void)
{
	struct v3_pc_config pc = { .struct_size = sizeof(pc) };
	struct script *script = guest_create(NULL, "\xef\xef\xef\xf4", 4);

	assert_int_equal(v3_pc_attach(script->vm, &pc), V3_OK);
	assert_int_equal(doorbell_attach(script->vm), V3_OK);
	/* Pin 20, level-triggered, to vCPU 0. */
	reg_write(script, 0xfec00000, 0x10 + 2 * DOORBELL_GSI);
	reg_write(script, 0xfec00010, 1u << 15 | VECTOR);
	reg_write(script, DOORBELL_MMIO + DOORBELL_CONTROL, DOORBELL_ENABLE);
	return script;
}

/* The guest's OUT of EAX to the port; an exit for I/O as APM2 15.10.2 says it. */
static void ring(struct script *script)
{
	script->gpr[RDX] = DOORBELL_PORT;
	script->vmcb->rax = 1;
	guest_exit(script, SVM_EXIT_IOIO, (uint64_t)DOORBELL_PORT << 16 | 1u << 6,
		   script->vmcb->rip + 1);
}

static void test_interrupt(void **state)
{
	struct script *script = create();

	(void)state;
	guest_start(script);
	script->vmcb->rflags |= 1u << 9;
	ring(script);
	assert_int_equal(script->vmcb->event_inj, INJ_INTR(VECTOR));
	guest_destroy(script);
}

static void test_checkpoint(void **state)
{
	struct script *script = create();
	unsigned int index = find(script->vm, DOORBELL_NAME);
	uint8_t buf[64];
	size_t len;

	(void)state;
	guest_start(script);
	ring(script);
	ring(script);
	assert_int_equal(v3_device_save(script->vm, index, buf, sizeof(buf), &len), V3_ERR_STATE);
	assert_int_equal(v3_device_load(script->vm, index, buf, 1), V3_ERR_STATE);
	guest_pause(script);
	assert_int_equal(v3_device_save(script->vm, index, buf, 3, &len), V3_ERR_RANGE);
	assert_true(len > 3 && len <= sizeof(buf));
	assert_int_equal(v3_device_save(script->vm, index, buf, sizeof(buf), &len), V3_OK);
	guest_destroy(script);

	script = create();
	assert_int_equal(v3_device_load(script->vm, index, buf, len - 1), V3_ERR_FORMAT);
	assert_int_equal(reg_read(script, DOORBELL_COUNT), 0);
	assert_int_equal(v3_device_load(script->vm, index, buf, len), V3_OK);
	assert_int_equal(reg_read(script, DOORBELL_COUNT), 2);
	assert_int_equal(reg_read(script, DOORBELL_STATUS), DOORBELL_RUNG);
	/* Its line came with it: the guest is interrupted as soon as it can be. */
	guest_start(script);
	script->vmcb->rflags |= 1u << 9;
	guest_intr(script);
	assert_int_equal(script->vmcb->event_inj, INJ_INTR(VECTOR));
	ring(script);
	assert_int_equal(reg_read(script, DOORBELL_COUNT), 3);
	guest_destroy(script);
}

static void test_refusals(void **state)
{
	struct script *script = create();
	unsigned int count = 0;
	uint8_t buf[8];
	size_t len = 5;

	(void)state;
	while (v3_device_name(script->vm, count))
		count++;
	assert_int_equal(v3_device_save(script->vm, count, buf, sizeof(buf), &len), V3_ERR_NOENT);
	assert_int_equal(len, 0);
	assert_int_equal(v3_device_load(script->vm, ~0u, buf, sizeof(buf)), V3_ERR_NOENT);
	/* The library's own devices cannot be saved yet, and say so. */
	assert_int_equal(v3_device_save(script->vm, 0, buf, sizeof(buf), &len), V3_ERR_NOTSUP);
	assert_int_equal(v3_device_load(script->vm, 0, buf, sizeof(buf)), V3_ERR_NOTSUP);
	/* Lines: a PC's, the doorbell's, none. */
	assert_int_equal(v3_irq_claim(script->vm, 4), V3_ERR_EXIST);
	assert_int_equal(v3_irq_claim(script->vm, DOORBELL_GSI), V3_ERR_EXIST);
	assert_int_equal(v3_irq_claim(script->vm, V3_NUM_GSI), V3_ERR_RANGE);
	assert_int_equal(v3_irq_claim(script->vm, 12), V3_OK);
	guest_start(script);
	assert_int_equal(v3_irq_claim(script->vm, 13), V3_ERR_STATE);
	guest_destroy(script);
}

static void test_reset(void **state)
{
	struct script *script = create();

	(void)state;
	guest_start(script);
	ring(script);
	guest_pause(script);
	assert_int_equal(v3_vm_reset(script->vm), V3_OK);
	assert_int_equal(v3_vm_state(script->vm, NULL), V3_VM_CREATED);
	assert_int_equal(reg_read(script, DOORBELL_COUNT) | reg_read(script, DOORBELL_STATUS), 0);
	/* So were the interrupt controllers: the pin is masked. */
	reg_write(script, 0xfec00000, 0x10 + 2 * DOORBELL_GSI);
	assert_int_equal(v3_mmio_read(script->vcpu, 0xfec00010, 4), 1u << 16);
	guest_destroy(script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_checkpoint),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
