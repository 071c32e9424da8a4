/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest state in and out of the VMCB, and what the public get and set allow. APM2 15.5.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "emul/decode.h"
#include "fakes/fake_host.h"
#include "fakes/fake_x86.h"
#include "svm/svm.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/seg.h"

static struct v3_fake_host *fake;
static struct v3_host *host;
static struct v3_vm *vm;
static struct v3_vcpu *vcpu;

static int set_up(void **state)
{
	const struct v3_mem_config mem = { .size = 2ull << 20, .node = V3_NODE_ANY };
	const struct v3_vm_config config = {
		.struct_size = sizeof(config), .num_vcpus = 1, .name = "vm", .mem = &mem,
		.num_mem = 1,
	};

	(void)state;
	fake = v3_fake_host_create();
	assert_int_equal(v3_init(v3_fake_host_hooks(fake), &host), V3_OK);
	assert_int_equal(v3_vm_create(host, &config, &vm), V3_OK);
	vcpu = v3_vm_vcpu(vm, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	v3_vm_destroy(vm);
	assert_int_equal(v3_exit(host), V3_OK);
	v3_fake_host_destroy(fake);
	return 0;
}

static struct v3_vcpu_state get(void)
{
	struct v3_vcpu_state state;

	assert_int_equal(v3_vcpu_get_state(vcpu, &state), V3_OK);
	return state;
}

/* APM2 14.1.3 */
static void test_reset(void **state)
{
	const struct v3_vcpu_state reset = get();
	const struct svm_vmcb *vmcb = svm_vcpu(vcpu)->vmcb;

	(void)state;
	assert_int_equal(reset.rip, 0xfff0);
	assert_int_equal(reset.seg[V3_SEG_CS].selector, 0xf000);
	assert_int_equal(reset.seg[V3_SEG_CS].base, 0xffff0000);
	assert_int_equal(reset.seg[V3_SEG_CS].limit, 0xffff);
	assert_int_equal(reset.cr0, 0x60000010);
	assert_int_equal(reset.cr2 | reset.cr3 | reset.cr4 | reset.cr8 | reset.efer, 0);
	assert_int_equal(reset.rflags, 2);
	assert_int_equal(reset.dr6, 0xffff0ff0);
	assert_int_equal(reset.dr7, 0x400);
	assert_int_equal(reset.xcr0, 1);
	assert_int_equal(reset.pat, 0x0007040600070406);
	assert_int_equal(reset.idtr.limit, 0xffff);
	/* VMRUN wants SVME, the guest does not see it. */
	assert_int_equal(vmcb->efer, V3_EFER_SVME);
	assert_int_equal(vmcb->cpl, 0);
}

static struct v3_vcpu_state long_mode(void)
{
	struct v3_vcpu_state s = get();
	unsigned int i;

	s.cr0 = V3_CR0_PE | V3_CR0_PG | V3_CR0_ET;
	s.cr4 = V3_CR4_PAE;
	s.efer = V3_EFER_LME | V3_EFER_LMA;
	for (i = 0; i < 6; i++)
		s.seg[i] = (struct v3_segment){ 0x18, V3_SEG_ATTR_DATA32, 0xffffffff, 0 };
	s.seg[V3_SEG_CS] = (struct v3_segment){ 0x10, V3_SEG_ATTR_CODE64, 0xffffffff, 0 };
	return s;
}

static void test_round_trip(void **state)
{
	struct v3_vcpu_state s = long_mode(), back;
	unsigned int i;

	(void)state;
	for (i = 0; i < 16; i++)
		s.gpr[i] = 0x1111111111111111ull * i;
	for (i = 0; i < 4; i++)
		s.dr[i] = 0x1000 + i;
	for (i = 0; i < V3_SEG_COUNT; i++) {
		s.seg[i].selector = (uint16_t)(8 * i);
		s.seg[i].base = 0xffff800000000000 + i;
		s.seg[i].limit = 0x1000 * i + 0xfff;
	}
	s.gdtr = (struct v3_segment){ 0, 0, 0x7f, 0xffff800000001000 };
	s.idtr = (struct v3_segment){ 0, 0, 0xfff, 0xffff800000002000 };
	s.rip = 0xffffffff81000000;
	s.rflags = 0x202;
	s.cr2 = 0x1234;
	s.cr3 = 0x5000;
	s.cr8 = 9;
	s.dr6 = V3_DR6_RESET | 1;
	s.dr7 = 0x401;
	s.xcr0 = 7;
	s.star = 1;
	s.lstar = 2;
	s.cstar = 3;
	s.sfmask = 4;
	s.kernel_gs_base = 5;
	s.sysenter_cs = 6;
	s.sysenter_esp = 7;
	s.sysenter_eip = 8;
	s.pat = 0x0606060606060606;
	assert_int_equal(v3_vcpu_set_state(vcpu, &s), V3_OK);
	back = get();
	assert_memory_equal(&back, &s, sizeof(s));
	assert_true(svm_vcpu(vcpu)->flush);
	assert_int_equal(svm_vcpu(vcpu)->vmcb->clean, 0);
	/* Attributes have 12 bits. */
	s.seg[V3_SEG_DS].attrib |= 0xf000;
	s.rflags = 0;
	assert_int_equal(v3_vcpu_set_state(vcpu, &s), V3_OK);
	assert_int_equal(get().seg[V3_SEG_DS].attrib, V3_SEG_ATTR_DATA32);
	assert_int_equal(get().rflags, V3_RFLAGS_FIXED1);
}

static void test_cpl(void **state)
{
	struct v3_vcpu_state s = long_mode();

	(void)state;
	s.seg[V3_SEG_SS].attrib |= 3 << V3_SEG_DPL_SHIFT;
	assert_int_equal(v3_vcpu_set_state(vcpu, &s), V3_OK);
	assert_int_equal(svm_vcpu(vcpu)->vmcb->cpl, 3);
	s.cr0 = V3_CR0_ET;
	s.efer = 0;
	assert_int_equal(v3_vcpu_set_state(vcpu, &s), V3_OK);
	assert_int_equal(svm_vcpu(vcpu)->vmcb->cpl, 0);
}

#define REFUSED(change) do { \
	struct v3_vcpu_state s = long_mode(); \
	change; \
	assert_int_equal(v3_vcpu_set_state(vcpu, &s), V3_ERR_INVALID); \
	} while (0)

static void test_refused(void **state)
{
	const struct v3_vcpu_state before = get();
	struct v3_vcpu_state after, ok = long_mode();

	(void)state;
	REFUSED(s.cr0 |= 1ull << 32);
	REFUSED(s.cr0 |= 1 << 6);
	REFUSED(s.cr0 &= ~V3_CR0_PE);
	REFUSED(s.cr0 |= V3_CR0_NW);
	REFUSED(s.cr4 |= V3_CR4_VMXE);
	REFUSED(s.cr4 |= V3_CR4_SMAP);
	REFUSED(s.cr4 &= ~V3_CR4_PAE);
	REFUSED(s.efer |= V3_EFER_SVME);
	REFUSED(s.efer &= ~V3_EFER_LMA);
	REFUSED(s.efer &= ~V3_EFER_LME);
	REFUSED(s.cr0 &= ~V3_CR0_PG);
	REFUSED(s.dr6 |= 1ull << 32);
	REFUSED(s.dr7 |= 1ull << 32);
	REFUSED(s.cr8 = 16);
	REFUSED(s.xcr0 = 0);
	REFUSED(s.xcr0 = 5);
	REFUSED(s.xcr0 = 0xf);
	after = get();
	assert_memory_equal(&after, &before, sizeof(before));
	assert_int_equal(v3_vcpu_set_state(vcpu, &ok), V3_OK);
}

/* What the emulator is told about the mode. */
static void test_mode(void **state)
{
	struct v3_vcpu_state s = long_mode();
	struct v3_insn_env env;

	(void)state;
	s.seg[V3_SEG_SS].attrib |= 3 << V3_SEG_DPL_SHIFT;
	s.cr3 = 0x5000;
	assert_int_equal(v3_vcpu_set_state(vcpu, &s), V3_OK);
	svm_insn_env(vcpu, &env);
	assert_int_equal(env.mode, V3_INSN_MODE_64);
	assert_int_equal(env.cpl, 3);
	assert_true(env.walk.user);
	assert_int_equal(env.walk.cr3, 0x5000);
	assert_int_equal(env.walk.phys_bits, 48);
	/* Compatibility mode. */
	s.seg[V3_SEG_CS].attrib = V3_SEG_ATTR_CODE32;
	assert_int_equal(v3_vcpu_set_state(vcpu, &s), V3_OK);
	svm_insn_env(vcpu, &env);
	assert_int_equal(env.mode, V3_INSN_MODE_32);
	s.seg[V3_SEG_CS].attrib = V3_SEG_ATTR_CODE16;
	s.seg[V3_SEG_CS].base = 0xf0000;
	assert_int_equal(v3_vcpu_set_state(vcpu, &s), V3_OK);
	svm_insn_env(vcpu, &env);
	assert_int_equal(env.mode, V3_INSN_MODE_16);
	assert_int_equal(env.cs_base, 0xf0000);
	/* L means nothing outside of long mode. */
	s.cr0 = V3_CR0_PE | V3_CR0_ET;
	s.efer = 0;
	s.seg[V3_SEG_CS].attrib = V3_SEG_ATTR_CODE64;
	assert_int_equal(v3_vcpu_set_state(vcpu, &s), V3_OK);
	svm_insn_env(vcpu, &env);
	assert_int_equal(env.mode, V3_INSN_MODE_16);
}

static void test_control_registers(void **state)
{
	struct v3_vcpu_state s = long_mode();

	(void)state;
	s.cr2 = 2;
	s.cr3 = 0x3000;
	s.cr8 = 8;
	assert_int_equal(v3_vcpu_set_state(vcpu, &s), V3_OK);
	assert_int_equal(svm_get_cr(vcpu, 0), s.cr0);
	assert_int_equal(svm_get_cr(vcpu, 2), 2);
	assert_int_equal(svm_get_cr(vcpu, 3), 0x3000);
	assert_int_equal(svm_get_cr(vcpu, 4), s.cr4);
	assert_int_equal(svm_get_cr(vcpu, 8), 8);
	svm_set_cr(vcpu, 8, 0xf3);
	assert_int_equal(svm_get_cr(vcpu, 8), 3);
	assert_int_equal(svm_get_dr(vcpu, 6), s.dr6);
	assert_int_equal(svm_get_dr(vcpu, 7), s.dr7);
	assert_int_equal(svm_get_efer(vcpu), s.efer);
	svm_set_efer(vcpu, s.efer | V3_EFER_SCE);
	assert_int_equal(svm_get_efer(vcpu), s.efer | V3_EFER_SCE);
	assert_int_equal(svm_vcpu(vcpu)->vmcb->efer, s.efer | V3_EFER_SCE | V3_EFER_SVME);
}

static void test_describe(void **state)
{
	char line[96];

	(void)state;
	assert_true(v3_svm_ops.describe(vcpu, line, sizeof(line)) > 0);
	assert_non_null(strstr(line, "CR0 60000010"));
	v3_svm_ops.describe(vcpu, line, 8);
	assert_int_equal(strlen(line), 7);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_reset),
		TEST(test_round_trip),
		TEST(test_cpl),
		TEST(test_refused),
		TEST(test_mode),
		TEST(test_control_registers),
		TEST(test_describe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
