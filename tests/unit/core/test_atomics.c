/* SPDX-License-Identifier: BSD-2-Clause */
/* Locked instructions in software: not on RAM, and across pages of two kinds. */
#include "guest.h"

#include <string.h>

#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/excp.h"
#include "x86/pte.h"

#define DEVICE 0xfe000000ull
#define DATA 0x300000ull

static uint64_t device_value;

static uint64_t device_read(struct v3_vcpu *vcpu, void *ctx, uint64_t offset, unsigned int size)
{
	(void)vcpu;
	(void)ctx;
	return device_value >> (8 * offset) & (size < 8 ? (1ull << (8 * size)) - 1 : ~0ull);
}

static void device_write(struct v3_vcpu *vcpu, void *ctx, uint64_t offset, unsigned int size,
			 uint64_t value)
{
	(void)vcpu;
	(void)ctx;
	memcpy((uint8_t *)&device_value + offset, &value, size);
}

static const struct v3_mmio_ops device_ops = { .read = device_read, .write = device_write };

/* Linear 0x800000 is the page DATA, the next one the device. */
static struct script *create(const void *code, size_t len)
{
	struct script *script = guest_create(NULL, code, len);
	uint64_t entry = 0x14000 | V3_PTE_P | V3_PTE_W;

	assert_int_equal(v3_mmio_hook(script->vm, DEVICE, 0x1000, &device_ops, NULL), V3_OK);
	assert_int_equal(v3_vm_write(script->vm, 0x12000 + 8 * 4, &entry, 8), V3_OK);
	entry = DATA | V3_PTE_P | V3_PTE_W;
	assert_int_equal(v3_vm_write(script->vm, 0x14000, &entry, 8), V3_OK);
	entry = DEVICE | V3_PTE_P | V3_PTE_W;
	assert_int_equal(v3_vm_write(script->vm, 0x14008, &entry, 8), V3_OK);
	guest_start(script);
	return script;
}

static void fault(struct script *script)
{
	guest_exit(script, SVM_EXIT_NPF, V3_PFEC_NPF_FINAL | V3_PFEC_U | V3_PFEC_W, DEVICE);
}

static uint64_t ram(struct script *script, v3_gpa_t gpa)
{
	uint64_t value;

	assert_int_equal(v3_vm_read(script->vm, gpa, &value, 8), V3_OK);
	return value;
}

/* lock add [rbx], cl; cx; ecx; rcx; lock cmpxchg [rbx],rcx; lock cmpxchg16b [rbx] */
static const uint8_t add_code[] = {
	0xf0, 0x00, 0x0b, 0xf0, 0x66, 0x01, 0x0b, 0xf0, 0x01, 0x0b, 0xf0, 0x48, 0x01, 0x0b,
	0xf0, 0x48, 0x0f, 0xb1, 0x0b, 0xf0, 0x48, 0x0f, 0xc7, 0x0b,
};

/*
 * The page tables changed after the fault: the operand is RAM by now. The guest executes the
 * instruction again, as only the CPU can do it in one go.
 */
static void test_on_ram(void **state)
{
	static const uint8_t offsets[] = { 0, 3, 7, 10, 14, 19 };
	struct script *script = create(add_code, sizeof(add_code));
	uint64_t flags = script->vmcb->rflags, entry = (DATA + 0x1000) | V3_PTE_P | V3_PTE_W;
	unsigned int i;

	(void)state;
	script->gpr[RCX] = 0x1122334455667788;
	script->vmcb->rax = 5;
	/* Aligned, and not; then with two pages of RAM across them. */
	for (i = 0; i < 3 * sizeof(offsets); i++) {
		unsigned int at = offsets[i % sizeof(offsets)];

		if (i == 2 * sizeof(offsets))
			assert_int_equal(v3_vm_write(script->vm, 0x14008, &entry, 8), V3_OK);
		script->gpr[RBX] = i < sizeof(offsets) ? DATA + 16 :
				   i < 2 * sizeof(offsets) && at != 19 ? DATA + 17 :
				   at != 19 ? 0x800fff : 0x800ff0;
		guest_set_rip(script, at);
		fault(script);
		assert_int_equal(guest_rip(script), at);
		assert_int_equal(script->vmcb->event_inj, 0);
		assert_int_equal(script->vmcb->rflags, flags);
		assert_int_equal(script->vmcb->rax, 5);
		assert_int_equal(ram(script, DATA + 16), 0);
		assert_int_equal(ram(script, DATA + 0xff8), 0);
	}
	guest_destroy(script);
}

/* Four bytes in RAM, four in the device. */
static void test_across(void **state)
{
	struct script *script = create(add_code, sizeof(add_code));

	(void)state;
	device_value = 0x44332211;
	guest_set_rip(script, 14);
	script->gpr[RBX] = 0x800ffc;
	script->gpr[RCX] = 0x8877665544332211;
	script->vmcb->rax = 1;
	fault(script);
	assert_false(script->vmcb->rflags & V3_RFLAGS_ZF);
	assert_int_equal(script->vmcb->rax, 0x4433221100000000);
	assert_int_equal(device_value, 0x44332211);
	guest_set_rip(script, 14);
	fault(script);
	assert_true(script->vmcb->rflags & V3_RFLAGS_ZF);
	assert_int_equal(device_value, 0x88776655);
	assert_int_equal(ram(script, DATA + 0xff8) >> 32, 0x44332211);
	guest_destroy(script);
}

/* The second page is not there: nothing happens in the first. */
static void test_across_into_nothing(void **state)
{
	struct script *script = create(add_code, sizeof(add_code));
	uint64_t entry = 0;

	(void)state;
	assert_int_equal(v3_vm_write(script->vm, 0x14008, &entry, 8), V3_OK);
	guest_set_rip(script, 10);
	script->gpr[RBX] = 0x800ffc;
	script->gpr[RCX] = ~0ull;
	fault(script);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP_ERR(V3_EXCP_PF, V3_PFEC_W));
	/* Where the page begins that faults (SDM 3A 4.7), or at the operand: never before it. */
	assert_in_range(script->vmcb->cr2, 0x800ffc, 0x801000);
	assert_int_equal(guest_rip(script), 10);
	assert_int_equal(ram(script, DATA + 0xff8), 0);
	guest_destroy(script);
}

/* MOV to CR8 by LOCK and CR0 (APM3 MOV CRn) is a feature that CPUID hides. */
static void test_alternative_cr8(void **state)
{
	struct script *script = guest_create(NULL, "\xf0\x0f\x22\xc0", 4);

	(void)state;
	assert_false(v3_vm_has(script->vm, V3_CPU_EXT1_ECX, V3_CPUID_80000001_ECX_CR8_LEGACY));
	guest_start(script);
	guest_exit(script, SVM_EXIT_CR_WRITE + 8, 0, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP(V3_EXCP_UD));
	assert_int_equal(guest_rip(script), 0);
	guest_destroy(script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_on_ram),
		cmocka_unit_test(test_across),
		cmocka_unit_test(test_across_into_nothing),
		cmocka_unit_test(test_alternative_cr8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
