/* SPDX-License-Identifier: BSD-2-Clause */
/* Vector loads and stores of devices: the registers are in the CPU while the emulator works. */
#include "guest.h"

#include <string.h>

#include "fakes/fake_x86_state.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/excp.h"
#include "x86/pte.h"

#define DEVICE 0xfe000000ull
/* The fake CPU's XSAVE layout: XMM in the legacy area, upper halves of YMM, then of ZMM. */
#define XMM(reg) (160 + 16 * (reg))
#define YMM_HI(reg) (576 + 16 * (reg))
#define ZMM_HI(reg) (1152 + 32 * (reg))

/* A device page that holds bytes and counts its accesses. */
static struct {
	uint8_t bytes[0x1000];
	unsigned int reads, writes, sizes;	/* sizes: one bit for each seen */
} device;

static uint64_t device_read(struct v3_vcpu *vcpu, void *ctx, uint64_t offset, unsigned int size)
{
	uint64_t value = 0;

	(void)vcpu;
	(void)ctx;
	assert_true(v3_fake_host_in_fpu());
	assert_true(offset + size <= sizeof(device.bytes));
	memcpy(&value, device.bytes + offset, size);
	device.reads++;
	device.sizes |= size;
	return value;
}

static void device_write(struct v3_vcpu *vcpu, void *ctx, uint64_t offset, unsigned int size,
			 uint64_t value)
{
	(void)vcpu;
	(void)ctx;
	assert_true(offset + size <= sizeof(device.bytes));
	memcpy(device.bytes + offset, &value, size);
	device.writes++;
	device.sizes |= size;
}

static const struct v3_mmio_ops device_ops = { .read = device_read, .write = device_write };

/* The guest is in its first VMRUN, RBX points to the device, and all vector registers have contents. */
static struct script *begin(void (*prepare)(void), uint64_t xcr0, const void *code, size_t len)
{
	struct script *script = guest_create(prepare, code, len);
	unsigned int i;

	memset(&device, 0, sizeof(device));
	for (i = 0; i < sizeof(device.bytes); i++)
		device.bytes[i] = (uint8_t)(i * 7 + (i >> 8));
	assert_int_equal(v3_mmio_hook(script->vm, DEVICE, 0x1000, &device_ops, NULL), V3_OK);
	script->vcpu->xcr0 = xcr0;
	guest_start(script);
	for (i = XMM(0); i < XMM(16); i++)
		fake_x86.cpus[0].fpu[i] = (uint8_t)(i | 0x80);
	for (i = YMM_HI(0); xcr0 & V3_XCR0_AVX && i < YMM_HI(16); i++)
		fake_x86.cpus[0].fpu[i] = (uint8_t)(i | 1);
	for (i = ZMM_HI(0); xcr0 & V3_XCR0_ZMM_HI256 && i < ZMM_HI(16); i++)
		fake_x86.cpus[0].fpu[i] = (uint8_t)(i | 2);
	script->gpr[RBX] = DEVICE + 0x40;
	script->vmcb->cr4 |= V3_CR4_OSFXSR | (xcr0 & V3_XCR0_SSE ? V3_CR4_OSXSAVE : 0);
	assert_int_equal(v3_vcpu_cpu(script->vcpu), 0);
	return script;
}

static void npf(struct script *script, v3_gpa_t gpa, bool write)
{
	guest_exit(script, SVM_EXIT_NPF, V3_PFEC_NPF_FINAL | V3_PFEC_U | (write ? V3_PFEC_W : 0),
		   gpa);
}

/* Every byte of the FPU state but `size` of them at `at` is as in `before`. */
static void only_changed(const uint8_t *before, uint32_t at, uint32_t size)
{
	const uint8_t *now = fake_x86.cpus[0].fpu;

	assert_memory_equal(now, before, at);
	assert_memory_equal(now + at + size, before + at + size, V3_FAKE_FPU_SIZE - at - size);
}

static void no_xsave(void)
{
	fake_x86.cpus[0].cr4 &= ~V3_CR4_OSXSAVE;
}

/* SSE works whatever XCR0 says, and on hosts without XSAVE. */
static void sse(void (*prepare)(void), uint64_t xcr0)
{
	/* movaps [rbx],xmm3; movups xmm9,[rbx+4]; movd xmm1,[rbx]; movhps [rbx],xmm2 */
	const uint8_t code[] = { 0x0f, 0x29, 0x1b, 0x44, 0x0f, 0x10, 0x4b, 0x04,
				 0x66, 0x0f, 0x6e, 0x0b, 0x0f, 0x17, 0x13 };
	struct script *script = begin(prepare, xcr0, code, sizeof(code));
	uint8_t before[V3_FAKE_FPU_SIZE], zeros[16] = { 0 };
	uint8_t *fpu = fake_x86.cpus[0].fpu;

	memcpy(before, fpu, sizeof(before));
	npf(script, DEVICE + 0x40, true);
	assert_int_equal(guest_rip(script), 3);
	assert_memory_equal(device.bytes + 0x40, before + XMM(3), 16);
	assert_int_equal(device.writes, 2);	/* 8 bytes each */
	assert_memory_equal(fpu, before, sizeof(before));

	npf(script, DEVICE + 0x44, false);
	assert_int_equal(guest_rip(script), 8);
	assert_memory_equal(fpu + XMM(9), device.bytes + 0x44, 16);
	only_changed(before, XMM(9), 16);
	assert_int_equal(device.reads, 3);	/* 4, 8 and 4 bytes, each where it is aligned */

	memcpy(before, fpu, sizeof(before));
	npf(script, DEVICE + 0x40, false);
	assert_int_equal(guest_rip(script), 12);
	assert_memory_equal(fpu + XMM(1), device.bytes + 0x40, 4);
	assert_memory_equal(fpu + XMM(1) + 4, zeros, 12);
	only_changed(before, XMM(1), 16);

	npf(script, DEVICE + 0x40, true);
	assert_int_equal(guest_rip(script), 15);
	assert_memory_equal(device.bytes + 0x40, before + XMM(2) + 8, 8);
	guest_destroy(script);
}

static void test_sse(void **state)
{
	(void)state;
	sse(NULL, V3_XCR0_X87);
	sse(NULL, V3_XCR0_X87 | V3_XCR0_SSE | V3_XCR0_AVX);
	sse(no_xsave, V3_XCR0_X87);
}

static void avx512_cpu(void)
{
	v3_fake_cpuid_set(V3_CPUID_LEAF_XSAVE, 5, 64, 1088, 0, 0);
	v3_fake_cpuid_set(V3_CPUID_LEAF_XSAVE, 6, 512, 1152, 0, 0);
	v3_fake_cpuid_set(V3_CPUID_LEAF_XSAVE, 7, 1024, 1664, 0, 0);
	v3_fake_cpuid_at(V3_CPUID_LEAF_XSAVE, 0)->eax |= (uint32_t)V3_XCR0_AVX512;
	fake_x86.cpus[0].xcr0 |= V3_XCR0_AVX512;
}

static void avx(void (*prepare)(void), uint64_t xcr0)
{
	/* vmovups [rbx],ymm3; vmovdqu ymm4,[rbx+8]; vmovss xmm5,[rbx] */
	const uint8_t code[] = { 0xc5, 0xfc, 0x11, 0x1b, 0xc5, 0xfe, 0x6f, 0x63, 0x08,
				 0xc5, 0xfa, 0x10, 0x2b };
	struct script *script = begin(prepare, xcr0, code, sizeof(code));
	bool zmm = xcr0 & V3_XCR0_ZMM_HI256;
	uint8_t before[V3_FAKE_FPU_SIZE];
	uint8_t *fpu = fake_x86.cpus[0].fpu;

	memcpy(before, fpu, sizeof(before));
	npf(script, DEVICE + 0x40, true);
	assert_int_equal(guest_rip(script), 4);
	assert_memory_equal(device.bytes + 0x40, before + XMM(3), 16);
	assert_memory_equal(device.bytes + 0x50, before + YMM_HI(3), 16);
	assert_int_equal(device.writes, 4);
	assert_memory_equal(fpu, before, sizeof(before));

	npf(script, DEVICE + 0x48, false);
	assert_int_equal(guest_rip(script), 9);
	memcpy(before + XMM(4), device.bytes + 0x48, 16);
	memcpy(before + YMM_HI(4), device.bytes + 0x58, 16);
	if (zmm)
		memset(before + ZMM_HI(4), 0, 32);
	assert_memory_equal(fpu, before, sizeof(before));

	/* All above the four bytes becomes zero. */
	npf(script, DEVICE + 0x40, false);
	assert_int_equal(guest_rip(script), 13);
	memset(before + XMM(5), 0, 16);
	memcpy(before + XMM(5), device.bytes + 0x40, 4);
	memset(before + YMM_HI(5), 0, 16);
	if (zmm)
		memset(before + ZMM_HI(5), 0, 32);
	assert_memory_equal(fpu, before, sizeof(before));
	assert_int_equal(fake_x86.cpus[0].xcr0, xcr0);
	guest_destroy(script);
}

static void test_avx(void **state)
{
	(void)state;
	avx(NULL, V3_XCR0_X87 | V3_XCR0_SSE | V3_XCR0_AVX);
	/* The guest uses less than the host has, and all of it. */
	avx(avx512_cpu, V3_XCR0_X87 | V3_XCR0_SSE | V3_XCR0_AVX);
	avx(avx512_cpu, V3_XCR0_X87 | V3_XCR0_SSE | V3_XCR0_AVX | V3_XCR0_AVX512);
}

/* Upper halves in their initial state need not be in what XSAVE wrote. */
static void test_avx_initial(void **state)
{
	/* vmovups [rbx],ymm3; vmovdqu ymm4,[rbx+32]; vmovups [rbx],ymm4 */
	const uint8_t code[] = { 0xc5, 0xfc, 0x11, 0x1b, 0xc5, 0xfe, 0x6f, 0x63, 0x20,
				 0xc5, 0xfc, 0x11, 0x23 };
	struct script *script = begin(NULL, 7, code, sizeof(code));
	uint8_t *fpu = fake_x86.cpus[0].fpu;
	uint8_t zeros[256] = { 0 };

	(void)state;
	memset(fpu + YMM_HI(0), 0, sizeof(zeros));
	memset((uint8_t *)script->vcpu->fpu + YMM_HI(0), 0xee, sizeof(zeros));
	npf(script, DEVICE + 0x40, true);
	assert_memory_equal(device.bytes + 0x40, fpu + XMM(3), 16);
	assert_memory_equal(device.bytes + 0x50, zeros, 16);
	npf(script, DEVICE + 0x60, false);
	assert_memory_equal(fpu + YMM_HI(4), device.bytes + 0x70, 16);
	assert_memory_equal(fpu + YMM_HI(0), zeros, 4 * 16);
	assert_memory_equal(fpu + YMM_HI(5), zeros, 11 * 16);
	npf(script, DEVICE + 0x40, true);
	assert_memory_equal(device.bytes + 0x50, device.bytes + 0x70, 16);
	guest_destroy(script);
}

/* What the CPU would say to the instruction if the device were memory. */
static void test_vector_faults(void **state)
{
	const uint8_t code[] = { 0x0f, 0x29, 0x1b, 0xc5, 0xfc, 0x11, 0x1b };
	struct script *script = begin(NULL, V3_XCR0_X87 | V3_XCR0_SSE, code, sizeof(code));

	(void)state;
	script->gpr[RBX] = DEVICE + 0x48;	/* MOVAPS wants 16 */
	npf(script, DEVICE + 0x48, true);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP_ERR(V3_EXCP_GP, 0));
	script->gpr[RBX] = DEVICE;
	script->vmcb->cr0 |= V3_CR0_TS;
	npf(script, DEVICE, true);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP(V3_EXCP_NM));
	script->vmcb->cr0 &= ~V3_CR0_TS;
	/* AVX is off in XCR0. */
	guest_set_rip(script, 3);
	npf(script, DEVICE, true);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP(V3_EXCP_UD));
	assert_int_equal(guest_rip(script), 3);
	assert_int_equal(device.writes, 0);
	assert_int_equal(device.reads, 0);
	guest_destroy(script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sse),
		cmocka_unit_test(test_avx),
		cmocka_unit_test(test_avx_initial),
		cmocka_unit_test(test_vector_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
