/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What only the emulator can do to a device: vector registers, which are in the CPU meanwhile;
 * operands over borders; instructions that change between exit and fetch; instructions that it does
 * not have.
 */
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

/*
 * The guest is in its first VMRUN, RBX points to the device, and all vector registers have
 * contents.
 */
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

/* --- Over borders --- */

#define TABLE 0x14000ull		/* of the guest's 4 KiB pages at LINEAR */
#define LINEAR 0x800000ull
#define RAM 0x300000ull

/* Page `page` at LINEAR leads to gpa. */
static void map(struct script *script, unsigned int page, uint64_t entry)
{
	const uint64_t table = TABLE | V3_PTE_P | V3_PTE_W | V3_PTE_U;

	assert_int_equal(v3_vm_write(script->vm, 0x12000 + 8 * 4, &table, 8), V3_OK);
	assert_int_equal(v3_vm_write(script->vm, TABLE + 8 * page, &entry, 8), V3_OK);
}

/* vmovups [rbx],ymm3; vmovups ymm4,[rbx] */
static const uint8_t across_code[] = { 0xc5, 0xfc, 0x11, 0x1b, 0xc5, 0xfc, 0x10, 0x23 };

/* From RAM into a device, and from a device into RAM. */
static void test_vector_across(void **state)
{
	struct script *script = begin(NULL, 7, across_code, sizeof(across_code));
	uint8_t *fpu = fake_x86.cpus[0].fpu, want[32], ram[32];
	unsigned int turn;

	(void)state;
	memcpy(want, fpu + XMM(3), 16);
	memcpy(want + 16, fpu + YMM_HI(3), 16);
	for (turn = 0; turn < 2; turn++) {
		bool device_first = turn;
		/* 12 bytes in the first page */
		uint64_t gpa = device_first ? DEVICE + 0xff4 : DEVICE;
		uint64_t ram_gpa = device_first ? RAM : RAM + 0xff4;
		unsigned int in_ram = device_first ? 20 : 12, at = device_first ? 12 : 0;

		map(script, 0, (device_first ? DEVICE : RAM) | V3_PTE_P | V3_PTE_W);
		map(script, 1, (device_first ? RAM : DEVICE) | V3_PTE_P | V3_PTE_W);
		script->gpr[RBX] = LINEAR + 0xff4;
		guest_set_rip(script, 0);
		npf(script, gpa, true);
		assert_int_equal(guest_rip(script), 4);
		assert_int_equal(v3_vm_read(script->vm, ram_gpa, ram, in_ram), V3_OK);
		assert_memory_equal(ram, want + at, in_ram);
		assert_memory_equal(device.bytes + (gpa & 0xfff), want + (at ? 0 : 12),
				    32 - in_ram);
		npf(script, gpa, false);
		assert_int_equal(guest_rip(script), 8);
		assert_memory_equal(fpu + XMM(4), want, 16);
		assert_memory_equal(fpu + YMM_HI(4), want + 16, 16);
	}
	guest_destroy(script);
}

/*
 * The second page is not there, or may not be written: the fault names it, and nothing has changed.
 */
static void test_fault_in_second_page(void **state)
{
	struct script *script = begin(NULL, 7, across_code, sizeof(across_code));
	uint8_t before[V3_FAKE_FPU_SIZE];

	(void)state;
	map(script, 0, DEVICE | V3_PTE_P | V3_PTE_W);
	map(script, 1, 0);
	memcpy(before, fake_x86.cpus[0].fpu, sizeof(before));
	script->gpr[RBX] = LINEAR + 0xff4;
	npf(script, DEVICE + 0xff4, true);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP_ERR(V3_EXCP_PF, V3_PFEC_W));
	assert_int_equal(script->vmcb->cr2, LINEAR + 0x1000);
	assert_int_equal(guest_rip(script), 0);
	map(script, 1, RAM | V3_PTE_P);
	script->vmcb->cr2 = 0;
	npf(script, DEVICE + 0xff4, true);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP_ERR(V3_EXCP_PF, V3_PFEC_W | V3_PFEC_P));
	assert_int_equal(script->vmcb->cr2, LINEAR + 0x1000);
	/* The load only needs it to be there. */
	map(script, 1, 0);
	guest_set_rip(script, 4);
	npf(script, DEVICE + 0xff4, false);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP_ERR(V3_EXCP_PF, 0));
	assert_int_equal(device.writes, 0);
	assert_int_equal(device.reads, 0);
	assert_memory_equal(fake_x86.cpus[0].fpu, before, sizeof(before));
	/* As the handler of the fault leaves it: the same instruction, once more. */
	map(script, 1, RAM | V3_PTE_P | V3_PTE_W);
	guest_set_rip(script, 0);
	npf(script, DEVICE + 0xff4, true);
	assert_int_equal(guest_rip(script), 4);
	assert_int_equal(device.writes, 2);
	guest_destroy(script);
}

/* --- Between exit and fetch --- */

static void code_change(struct script *script, const void *code, size_t len)
{
	assert_int_equal(v3_vm_write(script->vm, SCRIPT_RIP, code, len), V3_OK);
	guest_set_rip(script, 0);
}

/* A load exited, and now there is a store: the page tables have the last word, as for any store. */
static void test_load_becomes_store(void **state)
{
	static const struct {
		uint8_t code[8], len;
	} stores[] = {
		{ { 0x89, 0x03 }, 2 },					/* mov [rbx],eax */
		{ { 0xc7, 0x03, 1, 2, 3, 4 }, 6 },			/* mov dword [rbx],imm */
		{ { 0x88, 0x03 }, 2 },					/* mov [rbx],al */
		{ { 0x66, 0x89, 0x03 }, 3 },				/* mov [rbx],ax */
	};
	struct script *script = begin(NULL, 1, "\x8b\x03", 2);
	unsigned int i;

	(void)state;
	script->gpr[RBX] = LINEAR + 0x40;
	script->vmcb->cr0 |= V3_CR0_WP;
	script->vmcb->rax = 0xdeadbeef;
	for (i = 0; i < sizeof(stores) / sizeof(stores[0]); i++) {
		map(script, 0, DEVICE | V3_PTE_P);
		code_change(script, stores[i].code, stores[i].len);
		npf(script, DEVICE + 0x40, false);
		assert_int_equal(script->vmcb->event_inj,
				 INJ_EXCP_ERR(V3_EXCP_PF, V3_PFEC_W | V3_PFEC_P));
		assert_int_equal(script->vmcb->cr2, LINEAR + 0x40);
		assert_int_equal(guest_rip(script), 0);
		assert_int_equal(device.writes, i);
		map(script, 0, DEVICE | V3_PTE_P | V3_PTE_W);
		npf(script, DEVICE + 0x40, false);
		assert_int_equal(guest_rip(script), stores[i].len);
		assert_int_equal(device.writes, i + 1);
	}
	guest_destroy(script);
}

/*
 * A breakpoint, a jump, UD2, FLD, as another CPU of the guest patches its code: executed by the
 * guest, again and again, as long as it is not the only thing that happens.
 */
static void test_code_is_patched(void **state)
{
	static const char *const patches[] = { "\xcc", "\xeb\x10", "\x0f\x0b", "\xd9\x03" };
	struct script *script = begin(NULL, 1, "\x8b\x03", 2);
	unsigned int i, turn, loads = 0;

	(void)state;
	for (turn = 0; turn < 3; turn++) {
		for (i = 0; i < sizeof(patches) / sizeof(patches[0]); i++) {
			code_change(script, patches[i], strlen(patches[i]));
			npf(script, DEVICE + 0x40, false);
			assert_int_equal(guest_rip(script), 0);
			assert_int_equal(script->vmcb->event_inj, 0);
			code_change(script, "\x8b\x03", 2);
			npf(script, DEVICE + 0x40, false);
			assert_int_equal(guest_rip(script), 2);
			assert_int_equal(device.reads, ++loads);
		}
	}
	/* The same bytes elsewhere are another instruction. */
	assert_int_equal(v3_vm_write(script->vm, SCRIPT_RIP, "\xd9\x03\xd9\x03", 4), V3_OK);
	guest_set_rip(script, 0);
	npf(script, DEVICE + 0x40, false);
	guest_set_rip(script, 2);
	npf(script, DEVICE + 0x40, false);
	assert_int_equal(script->vmcb->event_inj, 0);
	guest_destroy(script);
}

/*
 * Whatever else stands there now, the guest gets what that instruction does, or executes it itself.
 */
static void test_instruction_changes(void **state)
{
	struct script *script = begin(NULL, 1, "\x8b\x03", 2);
	uint8_t ram[8];

	(void)state;
	script->vmcb->rax = 0x11;
	/* Invalid: #UD. Longer than any: #GP. */
	code_change(script, "\x0f\x04", 2);
	npf(script, DEVICE + 0x40, false);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP(V3_EXCP_UD));
	code_change(script, "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90", 16);
	npf(script, DEVICE + 0x40, false);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP_ERR(V3_EXCP_GP, 0));
	/* A port that nobody checked: left to the guest. */
	code_change(script, "\xee", 1);
	npf(script, DEVICE + 0x40, false);
	assert_int_equal(script->vmcb->event_inj, 0);
	assert_int_equal(guest_rip(script), 0);
	/* So is what is atomic, on RAM. */
	code_change(script, "\xf0\x48\x01\x01", 4);	/* lock add [rcx],rax */
	script->gpr[RCX] = RAM;
	npf(script, DEVICE + 0x40, false);
	assert_int_equal(guest_rip(script), 0);
	/* Something else that is emulated, on RAM only. */
	code_change(script, "\x48\x01\x01", 3);	/* add [rcx],rax */
	npf(script, DEVICE + 0x40, false);
	assert_int_equal(guest_rip(script), 3);
	assert_int_equal(v3_vm_read(script->vm, RAM, ram, 8), V3_OK);
	assert_memory_equal(ram, "\x11\0\0\0\0\0\0\0", 8);
	assert_int_equal(device.reads + device.writes, 0);
	/* The page of the code is gone, then not executable, then a device. */
	map(script, 0, 0);
	script->vmcb->rip = LINEAR;
	npf(script, DEVICE + 0x40, false);
	assert_int_equal(script->vmcb->event_inj & 0xff, V3_EXCP_PF);
	assert_int_equal(script->vmcb->cr2, LINEAR);
	script->vmcb->efer |= V3_EFER_NXE;
	map(script, 0, RAM | V3_PTE_P | V3_PTE_W | V3_PTE_NX);
	npf(script, DEVICE + 0x40, false);
	assert_int_equal(script->vmcb->event_inj,
			 INJ_EXCP_ERR(V3_EXCP_PF, V3_PFEC_P | V3_PFEC_I));
	guest_destroy(script);
}

static void test_code_becomes_device(void **state)
{
	struct script *script = begin(NULL, 1, "\x8b\x03", 2);
	struct v3_vm_end end;

	(void)state;
	map(script, 0, DEVICE | V3_PTE_P);
	script->vmcb->rip = LINEAR;
	guest_exit_ends(script, SVM_EXIT_NPF, V3_PFEC_NPF_FINAL | V3_PFEC_U, DEVICE + 0x40, &end);
	assert_int_equal(end.kind, V3_END_CRASH);
	assert_non_null(strstr(end.reason, "no memory to execute"));
	guest_destroy(script);
}

/* An instruction over a page border, whose second page went away. */
static void test_code_across_pages(void **state)
{
	/* mov eax,[rbx+disp32], cut after two bytes */
	struct script *script = begin(NULL, 1, "\x90", 1);

	(void)state;
	assert_int_equal(v3_vm_write(script->vm, RAM + 0xffe, "\x8b\x83\x04\0\0\0", 6), V3_OK);
	map(script, 0, RAM | V3_PTE_P);
	map(script, 1, 0);
	script->vmcb->rip = LINEAR + 0xffe;
	npf(script, DEVICE + 0x44, false);
	assert_int_equal(script->vmcb->event_inj & 0xff, V3_EXCP_PF);
	assert_int_equal(script->vmcb->cr2, LINEAR + 0x1000);
	assert_int_equal(script->vmcb->rip, LINEAR + 0xffe);
	map(script, 1, (RAM + 0x1000) | V3_PTE_P);
	npf(script, DEVICE + 0x44, false);
	assert_int_equal(script->vmcb->rip, LINEAR + 0x1004);
	assert_memory_equal(&script->vmcb->rax, device.bytes + 0x44, 4);
	/* Two bytes are enough for what stands there now. */
	assert_int_equal(v3_vm_write(script->vm, RAM + 0xffe, "\x8b\x03", 2), V3_OK);
	map(script, 1, 0);
	script->vmcb->rip = LINEAR + 0xffe;
	npf(script, DEVICE + 0x40, false);
	assert_int_equal(script->vmcb->rip, LINEAR + 0x1000);
	assert_memory_equal(&script->vmcb->rax, device.bytes + 0x40, 4);
	guest_destroy(script);
}

/* --- What the emulator does not have --- */

/* addps xmm0,[rbx]; fld dword [rbx]; mov ds,[rbx]; vmovups zmm0,[rbx] */
static const struct {
	uint8_t code[6], len;
	const char *text;
} lacking[] = {
	{ { 0x0f, 0x58, 0x03 }, 3, "instruction 0f 58 03 at" },
	{ { 0xd9, 0x03 }, 2, "instruction d9 03 at" },
	{ { 0x8e, 0x1b }, 2, "instruction 8e 1b at" },
	{ { 0x62, 0xf1, 0x7c, 0x48, 0x10, 0x03 }, 6, "instruction 62 f1 7c 48 10 03 at" },
};

static void test_unemulated_stops(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(lacking) / sizeof(lacking[0]); i++) {
		struct script *script = begin(NULL, 7, lacking[i].code, lacking[i].len);
		struct v3_vm_end end;

		/* The guest has to show that it is this instruction that touches the device. */
		npf(script, DEVICE + 0x40, false);
		assert_int_equal(guest_rip(script), 0);
		assert_int_equal(script->vmcb->event_inj, 0);
		guest_intr(script);
		guest_exit_ends(script, SVM_EXIT_NPF, V3_PFEC_NPF_FINAL | V3_PFEC_U,
				DEVICE + 0x40, &end);
		assert_int_equal(end.kind, V3_END_CRASH);
		assert_non_null(strstr(end.reason, lacking[i].text));
		assert_int_equal(device.reads + device.writes, 0);
		guest_destroy(script);
	}
}

static void test_unemulated_ud(void **state)
{
	struct script *script = begin(NULL, 7, "\x90", 1);
	unsigned int i;

	(void)state;
	script->vm->unemulated_ud = true;
	for (i = 0; i < sizeof(lacking) / sizeof(lacking[0]); i++) {
		code_change(script, lacking[i].code, lacking[i].len);
		npf(script, DEVICE + 0x40, false);
		assert_int_equal(script->vmcb->event_inj, 0);
		assert_int_equal(guest_rip(script), 0);
		npf(script, DEVICE + 0x40, false);
		assert_int_equal(script->vmcb->event_inj, INJ_EXCP(V3_EXCP_UD));
		assert_int_equal(guest_rip(script), 0);
	}
	assert_int_equal(device.reads + device.writes, 0);
	guest_destroy(script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sse),
		cmocka_unit_test(test_avx),
		cmocka_unit_test(test_avx_initial),
		cmocka_unit_test(test_vector_faults),
		cmocka_unit_test(test_vector_across),
		cmocka_unit_test(test_fault_in_second_page),
		cmocka_unit_test(test_load_becomes_store),
		cmocka_unit_test(test_code_is_patched),
		cmocka_unit_test(test_instruction_changes),
		cmocka_unit_test(test_code_becomes_device),
		cmocka_unit_test(test_code_across_pages),
		cmocka_unit_test(test_unemulated_stops),
		cmocka_unit_test(test_unemulated_ud),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
