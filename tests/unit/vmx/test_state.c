/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest state in the VMCS and in the image, and what VM entry wants of it. SDM vol. 3 25.4, 27.3.1.
 */
#include "machine.h"

#include "emul/decode.h"
#include "x86/cr.h"
#include "x86/insn.h"
#include "x86/msr.h"
#include "x86/pte.h"
#include "x86/seg.h"

static struct v3_vcpu *vcpu;

static int set_up(void **state)
{
	(void)state;
	machine_create(V3_FAKE_SKYLAKE_X, NULL);
	vcpu = v3_vm_vcpu(vm, 0);
	v3_fake_set_cpu(0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	machine_destroy();
	return 0;
}

/* 64-bit code at privilege level 3. */
static void long_mode(struct v3_vcpu_state *state)
{
	unsigned int i;

	assert_int_equal(v3_vcpu_get_state(vcpu, state), V3_OK);
	for (i = 0; i <= V3_SEG_GS; i++)
		state->seg[i] = (struct v3_segment){ 0x2b, V3_SEG_ATTR_DATA32 | V3_SEG_DPL_MASK,
						     0xffffffff, 0 };
	state->seg[V3_SEG_CS] = (struct v3_segment){ 0x33, V3_SEG_ATTR_CODE64 | V3_SEG_DPL_MASK,
						     0xffffffff, 0 };
	state->seg[V3_SEG_FS].base = 0x7fff12345000;
	state->seg[V3_SEG_LDTR] = (struct v3_segment){ 0 };
	state->seg[V3_SEG_TR] = (struct v3_segment){ 0x40, V3_SEG_ATTR_TSS_BUSY, 0x67,
						     0xffff800000001000 };
	state->gdtr = (struct v3_segment){ .limit = 0x7f, .base = 0xffff800000002000 };
	state->idtr = (struct v3_segment){ .limit = 0xfff, .base = 0xffff800000003000 };
	state->cr0 = V3_CR0_PE | V3_CR0_PG | V3_CR0_WP | V3_CR0_ET | V3_CR0_MP;
	state->cr2 = 0x1111;
	state->cr3 = 0x3000;
	state->cr4 = V3_CR4_PAE | V3_CR4_PGE;
	state->efer = V3_EFER_LME | V3_EFER_LMA | V3_EFER_NXE;
	state->dr6 = V3_DR6_RESET | 2;
	state->dr7 = V3_DR7_RESET;
	state->star = 0x0023001000000000;
	state->lstar = 0xffffffff81000000;
	state->cstar = 0xffffffff81001000;
	state->sfmask = 0x700;
	state->kernel_gs_base = 0xffff888000000000;
	state->sysenter_cs = 0x10;
	state->sysenter_esp = 0xffff888000001000;
	state->sysenter_eip = 0xffffffff81002000;
	state->pat = 0x0407050600070106;
	state->rip = 0x400000;
	state->rflags = V3_RFLAGS_FIXED1 | V3_RFLAGS_IF;
}

static void expect_same(const struct v3_vcpu_state *a, const struct v3_vcpu_state *b)
{
	unsigned int i;

	for (i = 0; i < V3_SEG_COUNT; i++) {
		assert_int_equal(a->seg[i].selector, b->seg[i].selector);
		assert_int_equal(a->seg[i].attrib, b->seg[i].attrib);
		assert_int_equal(a->seg[i].limit, b->seg[i].limit);
		assert_int_equal(a->seg[i].base, b->seg[i].base);
	}
	assert_memory_equal(&a->gdtr, &b->gdtr, sizeof(a->gdtr));
	assert_memory_equal(&a->idtr, &b->idtr, sizeof(a->idtr));
	assert_int_equal(a->cr0, b->cr0);
	assert_int_equal(a->cr2, b->cr2);
	assert_int_equal(a->cr3, b->cr3);
	assert_int_equal(a->cr4, b->cr4);
	assert_int_equal(a->efer, b->efer);
	assert_int_equal(a->dr6, b->dr6);
	assert_int_equal(a->dr7, b->dr7);
	assert_int_equal(a->star, b->star);
	assert_int_equal(a->lstar, b->lstar);
	assert_int_equal(a->cstar, b->cstar);
	assert_int_equal(a->sfmask, b->sfmask);
	assert_int_equal(a->kernel_gs_base, b->kernel_gs_base);
	assert_int_equal(a->sysenter_cs, b->sysenter_cs);
	assert_int_equal(a->sysenter_esp, b->sysenter_esp);
	assert_int_equal(a->sysenter_eip, b->sysenter_eip);
	assert_int_equal(a->pat, b->pat);
}

/* Set and read back: without a CPU, loaded, after a run, on another CPU. */
static void test_round_trip(void **unused)
{
	struct v3_vcpu_state state, other;

	(void)unused;
	long_mode(&state);
	assert_int_equal(v3_vcpu_set_state(vcpu, &state), V3_OK);
	memset(&other, 0, sizeof(other));
	vmx_get_state(vcpu, &other);
	expect_same(&state, &other);
	vmx_load(vcpu);
	vmx_get_state(vcpu, &other);
	expect_same(&state, &other);
	enter(vcpu);
	vmx_get_state(vcpu, &other);
	expect_same(&state, &other);
	vmx_put(vcpu);
	vmx_get_state(vcpu, &other);
	expect_same(&state, &other);
	/* Set while loaded, read on another CPU. */
	state.lstar += 0x1000;
	state.cr3 += 0x1000;
	state.seg[V3_SEG_GS].base = 0x5000;
	vmx_load(vcpu);
	vmx_set_state(vcpu, &state);
	enter(vcpu);
	vmx_put(vcpu);
	run_once(0, 2);
	vmx_get_state(vcpu, &other);
	expect_same(&state, &other);
}

/* What the guest changed is there after put(). */
static void test_guest_changes(void **unused)
{
	struct v3_vcpu_state state;

	(void)unused;
	EXIT_WITH({ V3_VMCS_EXIT_REASON, V3_VMX_REASON_INTR }, { V3_VMCS_GUEST_CR3, 0x9000 },
		  { V3_VMCS_GUEST_BASE(V3_SEG_ES), 0x12340 }, { V3_VMCS_GUEST_RIP, 0x77 },
		  { V3_VMCS_GUEST_RSP, 0x88 });
	run_once(0, 0);
	assert_int_equal(v3_vcpu_get_state(vcpu, &state), V3_OK);
	assert_int_equal(state.cr3, 0x9000);
	assert_int_equal(state.seg[V3_SEG_ES].base, 0x12340);
	assert_int_equal(state.rip, 0x77);
	assert_int_equal(state.gpr[4], 0x88);
}

/* An INIT in the middle of a single step. */
static void test_pending_debug(void **unused)
{
	(void)unused;
	EXIT_WITH({ V3_VMCS_EXIT_REASON, V3_VMX_REASON_INTR },
		  { V3_VMCS_GUEST_PENDING_DEBUG, V3_VMX_PENDING_BS });
	run_once(0, 0);
	exit_intr();
	run_once(0, 0);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_PENDING_DEBUG), V3_VMX_PENDING_BS);
	v3_vcpu_reset(vcpu, true);
	run_once(0, 0);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_PENDING_DEBUG), 0);
}

/* Values that AMD-V takes are made such as VM entry and WRMSR take. */
static void test_inexact_state(void **unused)
{
	struct v3_vcpu_state state;
	unsigned int i;

	(void)unused;
	long_mode(&state);
	for (i = 0; i <= V3_SEG_GS; i++)
		state.seg[i].attrib &= (uint16_t)~V3_SEG_ACCESSED;
	state.seg[V3_SEG_TR].attrib = V3_SEG_P | V3_SEG_TYPE_TSS;
	state.seg[V3_SEG_DS].limit = 0x12345678;
	state.seg[V3_SEG_ES].limit = 0x1fffffff;
	state.seg[V3_SEG_ES].attrib &= (uint16_t)~V3_SEG_G;
	state.seg[V3_SEG_DS].limit = 0x5678;
	state.seg[V3_SEG_SS].base = 0x1234567800000000;
	state.seg[V3_SEG_GS].base = 0x1234567800000000;
	state.lstar = state.cstar = state.kernel_gs_base = 0x1234567800000000;
	state.sysenter_esp = state.sysenter_eip = state.gdtr.base = state.idtr.base = 1ull << 47;
	state.sfmask = ~0ull;
	state.gdtr.limit = ~0u;
	state.rflags = ~0ull & ~V3_RFLAGS_VM & ~V3_RFLAGS_TF;
	assert_int_equal(v3_vcpu_set_state(vcpu, &state), V3_OK);
	assert_int_equal(run_once(0, 0).kind, V3_EXIT_INTR);
	assert_int_equal(v3_fake_msr_get(V3_MSR_EFER) & V3_EFER_LMA, V3_EFER_LMA);
	vmx_get_state(vcpu, &state);
	assert_int_equal(state.sfmask, 0xffffffff);
	assert_int_equal(state.lstar, 0x567800000000);
	assert_int_equal(state.sysenter_esp, 0xffff800000000000);
	assert_int_equal(state.seg[V3_SEG_TR].attrib & V3_SEG_TYPE_MASK, V3_SEG_TYPE_TSS_BUSY);
}

/* Bits that the host owns are the guest's in the shadows only. */
static void test_owned_bits(void **unused)
{
	(void)unused;
	vmx_load(vcpu);
	/* Reset: caches off, and the VMCS does not say so. */
	assert_int_equal(vmx_get_cr(vcpu, 0), V3_CR0_RESET);
	assert_int_equal(vmx_read(V3_VMCS_GUEST_CR0) & (V3_CR0_CD | V3_CR0_NW | V3_CR0_NE),
			 V3_CR0_NE);
	assert_int_equal(vmx_read(V3_VMCS_CR0_SHADOW) & (V3_CR0_CD | V3_CR0_NW | V3_CR0_NE),
			 V3_CR0_CD | V3_CR0_NW);
	assert_int_equal(vmx_get_cr(vcpu, 4), 0);
	assert_int_equal(vmx_read(V3_VMCS_GUEST_CR4), V3_CR4_VMXE | V3_CR4_MCE);
	vmx_set_cr(vcpu, 4, V3_CR4_PAE);
	assert_int_equal(vmx_get_cr(vcpu, 4), V3_CR4_PAE);
	assert_int_equal(vmx_read(V3_VMCS_GUEST_CR4),
			 V3_CR4_VMXE | V3_CR4_MCE | V3_CR4_PAE);
	assert_true(vmx_read(V3_VMCS_CR4_MASK) & V3_CR4_VMXE);
	assert_true(vmx_read(V3_VMCS_CR4_MASK) & V3_CR4_SMXE);
	assert_false(vmx_read(V3_VMCS_CR4_MASK) & V3_CR4_PAE);
	/* A change by the guest itself of what it owns. */
	vmx_write(V3_VMCS_GUEST_CR0, vmx_read(V3_VMCS_GUEST_CR0) | V3_CR0_TS | V3_CR0_PE);
	assert_int_equal(vmx_get_cr(vcpu, 0), V3_CR0_RESET | V3_CR0_TS | V3_CR0_PE);
	vmx_put(vcpu);
}

/* A bit of CR4 that the CPU has, and VMX operation does not take. */
static void test_fixed_cr4(void **unused)
{
	struct v3_vcpu_state state;

	(void)unused;
	assert_true(vm->cpu.cr4_mask & V3_CR4_SMAP);
	machine_destroy();
	machine_host(V3_FAKE_SKYLAKE_X, NULL);
	v3_fake_msr_set(V3_MSR_VMX_CR4_FIXED1,
			v3_fake_msr_get(V3_MSR_VMX_CR4_FIXED1) & ~V3_CR4_SMAP);
	machine_vm();
	vcpu = v3_vm_vcpu(vm, 0);
	assert_int_equal(v3_vcpu_get_state(vcpu, &state), V3_OK);
	state.cr4 = V3_CR4_SMAP;
	assert_int_equal(v3_vcpu_set_state(vcpu, &state), V3_ERR_INVALID);
}

/* A machine check in a CPU whose CR4.MCE is clear shuts it down: the guest's does not count. */
static void test_machine_checks(void **unused)
{
	(void)unused;
	vmx_load(vcpu);
	vmx_set_cr(vcpu, 4, V3_CR4_PGE);
	enter(vcpu);
	assert_true(entered(vcpu, V3_VMCS_CR4_MASK) & V3_CR4_MCE);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_CR4), V3_CR4_PGE | V3_CR4_MCE | V3_CR4_VMXE);
	assert_int_equal(vmx_get_cr(vcpu, 4), V3_CR4_PGE);
	vmx_set_cr(vcpu, 4, V3_CR4_MCE);
	assert_int_equal(vmx_get_cr(vcpu, 4), V3_CR4_MCE);
	enter(vcpu);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_CR4), V3_CR4_MCE | V3_CR4_VMXE);
	vmx_put(vcpu);
}

/* VM entry takes PDPTEs from the VMCS, where a move that was emulated has to put them. */
static void test_pdptes(void **unused)
{
	const uint64_t good = 0x5000 | V3_PTE_P, reserved = 0x6000 | V3_PTE_P | 2;
	uint64_t table[4] = { good, reserved, 0, good | V3_PTE_PWT };
	unsigned int i;

	(void)unused;
	assert_int_equal(v3_vm_write(vm, 0x4020, table, sizeof(table)), V3_OK);
	vmx_load(vcpu);
	vmx_set_cr(vcpu, 3, 0x4020);
	vmx_set_cr(vcpu, 4, V3_CR4_PAE);
	vmx_set_cr(vcpu, 0, V3_CR0_PE | V3_CR0_PG | V3_CR0_ET);
	enter(vcpu);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_PDPTE(0)), good);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_PDPTE(1)), 0);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_PDPTE(2)), 0);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_PDPTE(3)), good | V3_PTE_PWT);
	/* The guest loads its own: nobody reads the table again. */
	table[0] = 0;
	assert_int_equal(v3_vm_write(vm, 0x4020, table, sizeof(table)), V3_OK);
	enter(vcpu);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_PDPTE(0)), good);
	/* Outside of memory there are none. */
	vmx_set_cr(vcpu, 3, 0xfffff000);
	enter(vcpu);
	for (i = 0; i < 4; i++)
		assert_int_equal(entered(vcpu, V3_VMCS_GUEST_PDPTE(i)), 0);
	vmx_put(vcpu);
}

static void test_insn_env(void **unused)
{
	struct v3_vcpu_state state;
	struct v3_insn_env env;

	(void)unused;
	vmx_insn_env(vcpu, &env);
	assert_int_equal(env.mode, V3_INSN_MODE_16);
	assert_int_equal(env.cpl, 0);
	assert_int_equal(env.cs_base, 0xffff0000);
	long_mode(&state);
	assert_int_equal(v3_vcpu_set_state(vcpu, &state), V3_OK);
	vmx_insn_env(vcpu, &env);
	assert_int_equal(env.mode, V3_INSN_MODE_64);
	assert_int_equal(env.cpl, 3);
	assert_true(env.walk.user);
	assert_int_equal(env.walk.cr3, state.cr3);
	assert_int_equal(env.walk.efer, state.efer);
	state.seg[V3_SEG_CS].attrib = V3_SEG_ATTR_CODE32 | V3_SEG_DPL_MASK;
	assert_int_equal(v3_vcpu_set_state(vcpu, &state), V3_OK);
	vmx_load(vcpu);
	vmx_insn_env(vcpu, &env);
	assert_int_equal(env.mode, V3_INSN_MODE_32);
	vmx_put(vcpu);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip), TEST(test_guest_changes), TEST(test_pending_debug),
		TEST(test_inexact_state),
		TEST(test_owned_bits), TEST(test_fixed_cr4), TEST(test_machine_checks),
		TEST(test_pdptes), TEST(test_insn_env),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
