/* SPDX-License-Identifier: BSD-2-Clause */
/* Each kind of exit through the SVM run loop, with a script in place of the guest. */
#include "script.h"

#include <string.h>

#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/excp.h"
#include "x86/msr.h"
#include "x86/pte.h"

#define RAX 0
#define RCX 1
#define RDX 2
#define RBX 3

static struct v3_vm_end end_of(struct script *script)
{
	struct v3_vm_end end;

	assert_int_equal(v3_vm_state(script->vm, &end), V3_VM_STOPPED);
	return end;
}

/* --- CPUID --- */

static void run_cpuid(struct script *script, unsigned int n)
{
	switch (n) {
	case 0:
		script->vmcb->rax = 0x40000000;
		script_exit(script, SVM_EXIT_CPUID, 0, 0);
		break;
	default:
		assert_int_equal(script->vmcb->rip, SCRIPT_RIP + 2);
		assert_int_equal(script->vmcb->rax, 0x40000010);
		assert_memory_equal(&script->gpr[RBX], "libv", 4);
		assert_memory_equal(&script->gpr[RCX], "3VMM", 4);
		assert_memory_equal(&script->gpr[RDX], "core", 4);
		script_end(script);
	}
}

static void test_cpuid(void **state)
{
	struct script *script = script_create(NULL);

	(void)state;
	script_code(script, "\x0f\xa2", 2);
	script_run(script, run_cpuid);
	assert_int_equal(end_of(script).code, 77);
	assert_int_equal(script->vcpu->stats.exits[V3_EXIT_CPUID], 1);
	script_destroy(script);
}

/* --- MSRs --- */

static void run_msr(struct script *script, unsigned int n)
{
	switch (n) {
	case 0:		/* PAT, readable */
		script->gpr[RCX] = V3_MSR_PAT;
		script_exit(script, SVM_EXIT_MSR, 0, 0);
		break;
	case 1:
		assert_int_equal(script->vmcb->rip, SCRIPT_RIP + 2);
		assert_int_equal(script->gpr[RDX] << 32 | script->vmcb->rax, V3_PAT_RESET);
		/* An unknown one: #GP, RIP stays. */
		script->gpr[RCX] = 0x12345;
		script_exit(script, SVM_EXIT_MSR, 0, 0);
		break;
	case 2:
		assert_int_equal(script->vmcb->rip, SCRIPT_RIP + 2);
		assert_int_equal(script->vmcb->event_inj, 0x80000b0d);
		/* A reserved bit of EFER, then a good value. */
		script->gpr[RCX] = V3_MSR_EFER;
		script->vmcb->rax = V3_EFER_SVME;
		script->gpr[RDX] = 0;
		script_exit(script, SVM_EXIT_MSR, 1, 0);
		break;
	case 3:
		assert_int_equal(script->vmcb->event_inj, 0x80000b0d);
		script->gpr[RCX] = V3_MSR_EFER;
		script->vmcb->rax = V3_EFER_LME | V3_EFER_NXE | V3_EFER_SCE;
		script_exit(script, SVM_EXIT_MSR, 1, 0);
		break;
	default:
		assert_int_equal(script->vmcb->event_inj, 0);
		assert_int_equal(script->vmcb->efer, V3_EFER_LME | V3_EFER_LMA | V3_EFER_NXE |
						     V3_EFER_SCE | V3_EFER_SVME);
		script_end(script);
	}
}

static void test_msr(void **state)
{
	struct script *script = script_create(NULL);

	(void)state;
	script_code(script, "\x0f\x32\x0f\x30\x0f\x30", 6);
	script_run(script, run_msr);
	assert_int_equal(end_of(script).code, 77);
	script_destroy(script);
}

/* --- Ports --- */

struct port {
	uint32_t value;
	unsigned int size;
};

static uint32_t port_in(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size)
{
	struct port *seen = ctx;

	assert_true(v3_fake_host_in_fpu());
	(void)vcpu;
	seen->size = size;
	return 0x11223300u + port;
}

static void port_out(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size,
		     uint32_t value)
{
	struct port *seen = ctx;

	(void)vcpu;
	(void)port;
	seen->size = size;
	seen->value = value;
}

static const struct v3_io_ops port_ops = { .in = port_in, .out = port_out };

static uint64_t ioio(uint16_t port, unsigned int size, bool in)
{
	return (uint64_t)port << 16 | size << 4 | in;
}

static void run_ports(struct script *script, unsigned int n)
{
	const struct port *seen = script->arg;

	switch (n) {
	case 0:
		script->vmcb->rax = 0x8877665544332211;
		script_exit(script, SVM_EXIT_IOIO, ioio(0x50, 1, true), SCRIPT_RIP + 1);
		break;
	case 1:		/* IN AL keeps the rest of RAX */
		assert_int_equal(seen->size, 1);
		assert_int_equal(script->vmcb->rip, SCRIPT_RIP + 1);
		assert_int_equal(script->vmcb->rax, 0x8877665544332250);
		script_exit(script, SVM_EXIT_IOIO, ioio(0x50, 4, true), SCRIPT_RIP + 1);
		break;
	case 2:		/* IN EAX clears the upper half */
		assert_int_equal(script->vmcb->rax, 0x11223350);
		script->vmcb->rax = 0xffffffffaabbccdd;
		script_exit(script, SVM_EXIT_IOIO, ioio(0x50, 2, false), SCRIPT_RIP + 2);
		break;
	case 3:
		assert_int_equal(seen->value, 0xccdd);
		assert_int_equal(seen->size, 2);
		/* Nobody there; then one that begins before the hook. */
		script_exit(script, SVM_EXIT_IOIO, ioio(0x300, 4, true), SCRIPT_RIP + 1);
		break;
	case 4:
		assert_int_equal(script->vmcb->rax, 0xffffffff);
		script_exit(script, SVM_EXIT_IOIO, ioio(0x4f, 2, true), SCRIPT_RIP + 1);
		break;
	default:
		assert_int_equal(script->vmcb->rax, 0xffff50ff);
		script_end(script);
	}
}

static void test_ports(void **state)
{
	struct script *script = script_create(NULL);
	struct port seen = { 0, 0 };

	(void)state;
	script_code(script, "\xec", 1);
	script->arg = &seen;
	assert_int_equal(v3_io_hook(script->vm, 0x50, 4, &port_ops, &seen), V3_OK);
	assert_int_equal(v3_io_hook(script->vm, 0x53, 1, &port_ops, &seen), V3_ERR_EXIST);
	assert_int_equal(v3_io_hook(script->vm, 0xffff, 2, &port_ops, &seen), V3_ERR_RANGE);
	assert_int_equal(v3_io_hook(script->vm, 0x60, 0, &port_ops, &seen), V3_ERR_INVALID);
	script_run(script, run_ports);
	assert_int_equal(end_of(script).code, 77);
	script_destroy(script);
}

/* --- MMIO --- */

#define DEVICE 0xfe000000ull

static uint64_t mmio_read(struct v3_vcpu *vcpu, void *ctx, uint64_t offset, unsigned int size)
{
	(void)vcpu;
	(void)ctx;
	return 0xa0b0c0d000000000ull + (offset << 8) + size;
}

static void mmio_write(struct v3_vcpu *vcpu, void *ctx, uint64_t offset, unsigned int size,
		       uint64_t value)
{
	uint64_t *seen = ctx;

	(void)vcpu;
	seen[0] = offset;
	seen[1] = size;
	seen[2] = value;
}

static const struct v3_mmio_ops mmio_ops = { .read = mmio_read, .write = mmio_write };

static void npf(struct script *script, v3_gpa_t gpa, bool write)
{
	script_exit(script, SVM_EXIT_NPF,
		    V3_PFEC_NPF_FINAL | V3_PFEC_U | (write ? V3_PFEC_W : 0), gpa);
}

/* mov eax,[rbx]; mov [rbx],ecx; add [rbx],ecx; mov eax,[rbx]; mov [rbx],eax (both absent) */
static const uint8_t mmio_code[] = { 0x8b, 0x03, 0x89, 0x0b, 0x01, 0x0b, 0x8b, 0x03, 0x89, 0x03 };

static void run_mmio(struct script *script, unsigned int n)
{
	const uint64_t *seen = script->arg;

	switch (n) {
	case 0:
		script->gpr[RBX] = DEVICE + 8;
		script->gpr[RCX] = 0x1234;
		npf(script, DEVICE + 8, false);
		break;
	case 1:
		assert_int_equal(script->vmcb->rip, SCRIPT_RIP + 2);
		assert_int_equal(script->vmcb->rax, 0x804);
		npf(script, DEVICE + 8, true);
		break;
	case 2:
		assert_int_equal(script->vmcb->rip, SCRIPT_RIP + 4);
		assert_int_equal(seen[0], 8);
		assert_int_equal(seen[1], 4);
		assert_int_equal(seen[2], 0x1234);
		npf(script, DEVICE + 8, true);
		break;
	case 3:		/* through the emulator */
		assert_int_equal(script->vmcb->rip, SCRIPT_RIP + 6);
		assert_int_equal(seen[2], 0x804 + 0x1234);
		script->gpr[RBX] = 0xfd000000;
		npf(script, 0xfd000000, false);
		break;
	case 4:
		assert_int_equal(script->vmcb->rax, 0xffffffff);
		assert_int_equal(script->vmcb->rip, SCRIPT_RIP + 8);
		npf(script, 0xfd000000, true);
		break;
	default:
		assert_int_equal(script->vmcb->rip, SCRIPT_RIP + 10);
		script_end(script);
	}
}

static void test_mmio(void **state)
{
	struct script *script = script_create(NULL);
	uint64_t seen[3] = { 0 };

	(void)state;
	script->arg = seen;
	script_code(script, mmio_code, sizeof(mmio_code));
	assert_int_equal(v3_mmio_hook(script->vm, DEVICE, 0x1000, &mmio_ops, seen), V3_OK);
	assert_int_equal(v3_mmio_hook(script->vm, DEVICE, 0x1000, &mmio_ops, seen), V3_ERR_EXIST);
	assert_int_equal(v3_mmio_hook(script->vm, 0x1000, 0x1000, &mmio_ops, seen), V3_ERR_EXIST);
	assert_int_equal(v3_mmio_hook(script->vm, DEVICE + 1, 0x1000, &mmio_ops, seen),
			 V3_ERR_INVALID);
	script_run(script, run_mmio);
	assert_int_equal(end_of(script).code, 77);
	script_destroy(script);
}

/* --- Ends --- */

static void run_shutdown(struct script *script, unsigned int n)
{
	(void)n;
	script_exit(script, SVM_EXIT_SHUTDOWN, 0, 0);
}

static void test_triple_fault(void **state)
{
	struct script *script = script_create(NULL);

	(void)state;
	script_code(script, "\x90", 1);
	script_run(script, run_shutdown);
	assert_int_equal(end_of(script).kind, V3_END_CRASH);
	assert_non_null(strstr(end_of(script).reason, "triple fault"));
	script_destroy(script);
}

static void run_fetch_nothing(struct script *script, unsigned int n)
{
	(void)n;
	script_exit(script, SVM_EXIT_NPF, V3_PFEC_NPF_FINAL | V3_PFEC_I | V3_PFEC_U, 0xe0000000);
}

static void test_jump_to_nothing(void **state)
{
	struct script *script = script_create(NULL);

	(void)state;
	script_code(script, "\x90", 1);
	script_run(script, run_fetch_nothing);
	assert_int_equal(end_of(script).kind, V3_END_CRASH);
	assert_non_null(strstr(end_of(script).reason, "0xe0000000"));
	script_destroy(script);
}

static void run_invalid(struct script *script, unsigned int n)
{
	(void)n;
	script_exit(script, 0xffffffff, 0, 0);
}

static void test_invalid(void **state)
{
	struct script *script = script_create(NULL);

	(void)state;
	script_code(script, "\x90", 1);
	script_run(script, run_invalid);
	assert_int_equal(end_of(script).kind, V3_END_ERROR);
	assert_non_null(strstr(end_of(script).reason, "invalid"));
	script_destroy(script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpuid),
		cmocka_unit_test(test_msr),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_mmio),
		cmocka_unit_test(test_triple_fault),
		cmocka_unit_test(test_jump_to_nothing),
		cmocka_unit_test(test_invalid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
