/* SPDX-License-Identifier: BSD-2-Clause */
/* Exits for control registers, debug registers and XCR0. APM2 3.1, 13.1, 11.5. */
#include "guest.h"

#include <string.h>

#include "fakes/fake_x86_state.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/excp.h"
#include "x86/msr.h"
#include "x86/seg.h"

#define GP INJ_EXCP_ERR(V3_EXCP_GP, 0)
#define UD INJ_EXCP(V3_EXCP_UD)

static struct script *start(const void *code, size_t len)
{
	struct script *script = guest_create(NULL, code, len);

	guest_start(script);
	return script;
}

/* At offset 0 of the code with RAX = value; returns what is injected at the next entry. */
static uint64_t run_with(struct script *script, uint64_t rax, uint64_t code)
{
	guest_set_rip(script, 0);
	script->vmcb->rax = rax;
	guest_exit(script, code, 0, 0);
	return script->vmcb->event_inj;
}

/* --- CR0 --- */

/* mov cr0,rax; mov rbx,cr0 */
static const uint8_t cr0_code[] = { 0x0f, 0x22, 0xc0, 0x0f, 0x20, 0xc3 };
#define CR0_NOW (V3_CR0_PE | V3_CR0_PG | V3_CR0_ET | V3_CR0_WP)

static void test_cr0(void **state)
{
	struct script *script = start(cr0_code, sizeof(cr0_code));

	(void)state;
	assert_int_equal(run_with(script, CR0_NOW | V3_CR0_TS, SVM_EXIT_CR_WRITE), 0);
	assert_int_equal(guest_rip(script), 3);
	assert_int_equal(script->vmcb->cr0, CR0_NOW | V3_CR0_TS);
	guest_exit(script, SVM_EXIT_CR_READ, 0, 0);
	assert_int_equal(guest_rip(script), 6);
	assert_int_equal(script->gpr[RBX], CR0_NOW | V3_CR0_TS);
	/* What no CPU takes. */
	assert_int_equal(run_with(script, CR0_NOW | 1ull << 32, SVM_EXIT_CR_WRITE), GP);
	assert_int_equal(guest_rip(script), 0);
	assert_int_equal(run_with(script, CR0_NOW & ~V3_CR0_PE, SVM_EXIT_CR_WRITE), GP);
	assert_int_equal(run_with(script, CR0_NOW | V3_CR0_NW, SVM_EXIT_CR_WRITE), GP);
	assert_int_equal(script->vmcb->cr0, CR0_NOW | V3_CR0_TS);
	/* Reserved bits below 32 are ignored, ET stays. */
	assert_int_equal(run_with(script, (CR0_NOW | 1 << 6) & ~V3_CR0_ET, SVM_EXIT_CR0_SEL), 0);
	assert_int_equal(script->vmcb->cr0, CR0_NOW);
	guest_destroy(script);
}

/* lmsw ax; clts; smsw ebx; smsw bx */
static const uint8_t msw_code[] = { 0x0f, 0x01, 0xf0, 0x0f, 0x06, 0x0f, 0x01, 0xe3,
				    0x66, 0x0f, 0x01, 0xe3 };

static void test_machine_status_word(void **state)
{
	struct script *script = start(msw_code, sizeof(msw_code));

	(void)state;
	/* LMSW writes four bits and cannot clear PE. */
	assert_int_equal(run_with(script, 0xffff0008, SVM_EXIT_CR_WRITE), 0);
	assert_int_equal(script->vmcb->cr0, CR0_NOW | V3_CR0_TS);
	assert_int_equal(guest_rip(script), 3);
	guest_exit(script, SVM_EXIT_CR_WRITE, 0, 0);
	assert_int_equal(script->vmcb->cr0, CR0_NOW);
	assert_int_equal(guest_rip(script), 5);
	script->gpr[RBX] = ~0ull;
	guest_exit(script, SVM_EXIT_CR_READ, 0, 0);
	assert_int_equal(script->gpr[RBX], CR0_NOW);
	assert_int_equal(guest_rip(script), 8);
	script->gpr[RBX] = ~0ull;
	guest_exit(script, SVM_EXIT_CR_READ, 0, 0);
	assert_int_equal(script->gpr[RBX], 0xffffffffffff0000 | (CR0_NOW & 0xffff));
	assert_int_equal(guest_rip(script), 12);
	guest_destroy(script);
}

/* SMSW to memory, which nothing intercepts: not emulated, and said so. */
static void test_unknown_form(void **state)
{
	struct script *script = start("\x0f\x01\x20", 3);
	struct v3_vm_end end;

	(void)state;
	guest_exit_ends(script, SVM_EXIT_CR_READ, 0, 0, &end);
	assert_int_equal(end.kind, V3_END_CRASH);
	assert_non_null(strstr(end.reason, "CR0"));
	guest_destroy(script);
}

/* Paging on and off with LME, from 32-bit code below 4 GiB: LMA follows. */
static void test_long_mode(void **state)
{
	struct script *script = start(cr0_code, sizeof(cr0_code));

	(void)state;
	script->vmcb->cs.attrib = V3_SEG_ATTR_CODE32;
	assert_int_equal(run_with(script, CR0_NOW & ~V3_CR0_PG, SVM_EXIT_CR_WRITE), 0);
	assert_int_equal(script->vmcb->efer, V3_EFER_LME | V3_EFER_SVME);
	assert_int_equal(run_with(script, CR0_NOW, SVM_EXIT_CR_WRITE), 0);
	assert_int_equal(script->vmcb->efer, V3_EFER_LME | V3_EFER_LMA | V3_EFER_SVME);
	/* Not without PAE, not from 64-bit code. */
	assert_int_equal(run_with(script, CR0_NOW & ~V3_CR0_PG, SVM_EXIT_CR_WRITE), 0);
	script->vmcb->cr4 &= ~V3_CR4_PAE;
	assert_int_equal(run_with(script, CR0_NOW, SVM_EXIT_CR_WRITE), GP);
	script->vmcb->cr4 |= V3_CR4_PAE;
	script->vmcb->cs.attrib = V3_SEG_ATTR_CODE64;
	assert_int_equal(run_with(script, CR0_NOW, SVM_EXIT_CR_WRITE), GP);
	/* Nor out of it from there, or with PCIDs. */
	script->vmcb->cs.attrib = V3_SEG_ATTR_CODE32;
	assert_int_equal(run_with(script, CR0_NOW, SVM_EXIT_CR_WRITE), 0);
	script->vmcb->cs.attrib = V3_SEG_ATTR_CODE64;
	assert_int_equal(run_with(script, CR0_NOW & ~V3_CR0_PG, SVM_EXIT_CR_WRITE), GP);
	script->vmcb->cs.attrib = V3_SEG_ATTR_CODE32;
	script->vmcb->cr4 |= V3_CR4_PCIDE;
	assert_int_equal(run_with(script, CR0_NOW & ~V3_CR0_PG, SVM_EXIT_CR_WRITE), GP);
	script->vmcb->cr4 &= ~V3_CR4_PCIDE;
	assert_int_equal(run_with(script, CR0_NOW & ~V3_CR0_PG, SVM_EXIT_CR_WRITE), 0);
	guest_destroy(script);
}

/* --- CR4 --- */

/* mov cr4,rax; mov rbx,cr4 */
static const uint8_t cr4_code[] = { 0x0f, 0x22, 0xe0, 0x0f, 0x20, 0xe3 };

static void with_pcid(void)
{
	v3_fake_cpuid_at(V3_CPUID_LEAF_FEATURES, 0)->ecx |= V3_CPUID_1_ECX_PCID;
}

static void test_cr4(void **state)
{
	struct script *script = guest_create(with_pcid, cr4_code, sizeof(cr4_code));

	(void)state;
	guest_start(script);
	assert_int_equal(run_with(script, V3_CR4_PAE | V3_CR4_PGE, SVM_EXIT_CR_WRITE + 4), 0);
	assert_int_equal(script->vmcb->cr4, V3_CR4_PAE | V3_CR4_PGE);
	guest_exit(script, SVM_EXIT_CR_READ + 4, 0, 0);
	assert_int_equal(script->gpr[RBX], V3_CR4_PAE | V3_CR4_PGE);
	/* PAE cannot go in long mode; bits of features the guest does not have. */
	assert_int_equal(run_with(script, V3_CR4_PGE, SVM_EXIT_CR_WRITE + 4), GP);
	assert_int_equal(run_with(script, V3_CR4_PAE | V3_CR4_VMXE, SVM_EXIT_CR_WRITE + 4), GP);
	assert_int_equal(run_with(script, V3_CR4_PAE | V3_CR4_SMAP, SVM_EXIT_CR_WRITE + 4), GP);
	assert_int_equal(run_with(script, V3_CR4_PAE | V3_CR4_LA57, SVM_EXIT_CR_WRITE + 4), GP);
	assert_int_equal(run_with(script, V3_CR4_PAE | 1ull << 32, SVM_EXIT_CR_WRITE + 4), GP);
	/* PCIDE: only in long mode, and only set while CR3 has PCID 0. */
	script->vmcb->cr3 |= 1;
	assert_int_equal(run_with(script, V3_CR4_PAE | V3_CR4_PCIDE, SVM_EXIT_CR_WRITE + 4), GP);
	script->vmcb->cr3 &= ~0xfffull;
	assert_int_equal(run_with(script, V3_CR4_PAE | V3_CR4_PCIDE, SVM_EXIT_CR_WRITE + 4), 0);
	script->vmcb->efer &= ~V3_EFER_LMA;
	script->vmcb->cr0 &= ~V3_CR0_PG;
	script->vmcb->cs.attrib = V3_SEG_ATTR_CODE32;
	assert_int_equal(run_with(script, V3_CR4_PAE | V3_CR4_PCIDE, SVM_EXIT_CR_WRITE + 4), GP);
	assert_int_equal(run_with(script, V3_CR4_PSE, SVM_EXIT_CR_WRITE + 4), 0);
	guest_destroy(script);
}

/* A control register that does not exist; CR2 and CR3 are the guest's own and never exit. */
static void test_other_crs(void **state)
{
	struct script *script = start("\x0f\x22\xc8", 3);

	(void)state;
	guest_exit(script, SVM_EXIT_CR_WRITE + 1, 0, 0);
	assert_true(script->vmcb->event_inj == UD || script->vmcb->event_inj == GP);
	assert_int_equal(guest_rip(script), 0);
	guest_destroy(script);
}

/* --- Debug registers --- */

/* mov dr<n>,rax; mov rbx,dr<n> */
static void dr_code(struct script *script, unsigned int n)
{
	uint8_t code[] = { 0x0f, 0x23, 0xc0, 0x0f, 0x21, 0xc3 };

	code[2] = (uint8_t)(0xc0 | n << 3);
	code[5] = (uint8_t)(0xc3 | n << 3);
	assert_int_equal(v3_vm_write(script->vm, SCRIPT_RIP, code, sizeof(code)), V3_OK);
	guest_set_rip(script, 0);
}

/* Writes DR n and reads it back. */
static uint64_t dr_round(struct script *script, unsigned int n, uint64_t value)
{
	dr_code(script, n);
	assert_int_equal(run_with(script, value, SVM_EXIT_DR_WRITE + n), 0);
	assert_int_equal(guest_rip(script), 3);
	guest_exit(script, SVM_EXIT_DR_READ + n, 0, 0);
	assert_int_equal(script->vmcb->event_inj, 0);
	assert_int_equal(guest_rip(script), 6);
	return script->gpr[RBX];
}

static void test_debug_registers(void **state)
{
	struct script *script = start("\x90", 1);
	unsigned int n;

	(void)state;
	for (n = 0; n < 4; n++)
		assert_int_equal(dr_round(script, n, 0xffff800012340000 + n),
				 0xffff800012340000 + n);
	assert_int_equal(dr_round(script, 6, 0), V3_DR6_RESET);
	assert_int_equal(dr_round(script, 6, V3_DR6_B(1) | V3_DR6_BS),
			 V3_DR6_RESET | V3_DR6_B(1) | V3_DR6_BS);
	assert_int_equal(script->vmcb->dr6, V3_DR6_RESET | V3_DR6_B(1) | V3_DR6_BS);
	assert_int_equal(dr_round(script, 7, 0), V3_DR7_RESET);
	assert_int_equal(dr_round(script, 7, 0xd000), V3_DR7_RESET);
	assert_int_equal(dr_round(script, 7, 0x101), 0x101 | V3_DR7_RESET);
	assert_int_equal(script->vmcb->dr7, 0x101 | V3_DR7_RESET);
	assert_int_equal(dr_round(script, 7, 0), V3_DR7_RESET);
	/* DR4 and DR5 are DR6 and DR7, unless CR4.DE says that they are not there. */
	assert_int_equal(dr_round(script, 4, V3_DR6_B(2)), V3_DR6_RESET | V3_DR6_B(2));
	assert_int_equal(script->vmcb->dr6, V3_DR6_RESET | V3_DR6_B(2));
	script->vmcb->cr4 |= V3_CR4_DE;
	dr_code(script, 5);
	assert_int_equal(run_with(script, 0, SVM_EXIT_DR_WRITE + 5), UD);
	assert_int_equal(guest_rip(script), 0);
	/* Upper halves of DR6 and DR7. */
	dr_code(script, 7);
	assert_int_equal(run_with(script, 1ull << 32, SVM_EXIT_DR_WRITE + 7), GP);
	assert_int_equal(guest_rip(script), 0);
	guest_destroy(script);
}

/*
 * By the time the exit is looked at another vCPU has written AND [RBX], RCX there, which has the
 * same opcode.
 */
static void test_debug_register_changed(void **state)
{
	struct script *script = start("\x21\x0b", 2);
	uint64_t dr6 = script->vmcb->dr6;

	(void)state;
	script->gpr[RBX] = 0x1234;
	script->gpr[RCX] = 0x5678;
	guest_exit(script, SVM_EXIT_DR_READ + 1, 0, 0);
	assert_int_equal(script->vmcb->event_inj, 0);
	assert_int_equal(guest_rip(script), 0);
	assert_int_equal(script->gpr[RBX], 0x1234);
	assert_int_equal(script->gpr[RCX], 0x5678);
	assert_int_equal(script->vmcb->dr6, dr6);
	guest_destroy(script);
}

static void test_no_such_debug_register(void **state)
{
	struct script *script = start("\x44\x0f\x23\xc0", 4);	/* mov dr8,rax */

	(void)state;
	guest_exit(script, SVM_EXIT_DR_WRITE, 0, 0);
	assert_int_equal(script->vmcb->event_inj, UD);
	guest_destroy(script);
}

static void test_general_detect(void **state)
{
	struct script *script = start("\x90", 1);

	(void)state;
	dr_code(script, 7);
	assert_int_equal(run_with(script, V3_DR7_GD | V3_DR7_RESET, SVM_EXIT_DR_WRITE + 7), 0);
	dr_code(script, 0);
	assert_int_equal(run_with(script, 1, SVM_EXIT_DR_WRITE), INJ_EXCP(V3_EXCP_DB));
	assert_int_equal(guest_rip(script), 0);
	assert_int_equal(script->vmcb->dr6, V3_DR6_RESET | V3_DR6_BD);
	assert_int_equal(script->vmcb->dr7, V3_DR7_RESET);
	/* The handler may use them. */
	assert_int_equal(run_with(script, 1, SVM_EXIT_DR_WRITE), 0);
	guest_destroy(script);
}

/* Breakpoints of guest and host: each has its own DR0-3 while it runs. */
static void test_breakpoints(void **state)
{
	struct script *script = guest_create(NULL, "\x90", 1);
	struct fake_cpu *cpu = NULL;
	unsigned int n, i;

	(void)state;
	for (n = 0; n < V3_FAKE_MAX_CPUS; n++) {
		for (i = 0; i < 4; i++)
			fake_x86.cpus[n].dr[i] = 0x1000 + i;
		fake_x86.cpus[n].dr[7] = 0x401;
	}
	guest_start(script);
	cpu = &fake_x86.cpus[v3_vcpu_cpu(script->vcpu)];
	for (i = 0; i < 4; i++)
		dr_round(script, i, 0x2000 + i);
	/* None enabled: the host's stay. */
	assert_int_equal(cpu->dr[2], 0x1002);
	dr_code(script, 7);
	assert_int_equal(run_with(script, 0x410, SVM_EXIT_DR_WRITE + 7), 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(cpu->dr[i], 0x2000 + i);
	assert_int_equal(run_with(script, 0x400, SVM_EXIT_DR_WRITE + 7), 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(cpu->dr[i], 0x1000 + i);
	cpu->dr[7] = 0x400;	/* as #VMEXIT leaves it */
	guest_pause(script);
	assert_int_equal(cpu->dr[7], 0x401);
	guest_destroy(script);
}

/* --- XSETBV --- */

static uint64_t xsetbv(struct script *script, uint64_t value, uint32_t xcr)
{
	script->gpr[RCX] = xcr;
	script->gpr[RDX] = value >> 32;
	return run_with(script, (uint32_t)value, SVM_EXIT_XSETBV);
}

static void test_xsetbv(void **state)
{
	struct script *script = start("\x0f\x01\xd1", 3);
	struct fake_cpu *cpu = &fake_x86.cpus[v3_vcpu_cpu(script->vcpu)];

	(void)state;
	/* Without CR4.OSXSAVE. */
	assert_int_equal(xsetbv(script, 7, 0), UD);
	script->vmcb->cr4 |= V3_CR4_OSXSAVE;
	assert_int_equal(xsetbv(script, 7, 0), 0);
	assert_int_equal(guest_rip(script), 3);
	assert_int_equal(cpu->xcr0, 7);
	assert_int_equal(xsetbv(script, 1, 0), 0);
	assert_int_equal(cpu->xcr0, 1);
	assert_int_equal(xsetbv(script, 0, 0), GP);		/* x87 is always on */
	assert_int_equal(xsetbv(script, 5, 0), GP);		/* AVX without SSE */
	assert_int_equal(xsetbv(script, 0xf, 0), GP);		/* not there */
	assert_int_equal(xsetbv(script, 0xe7, 0), GP);		/* AVX-512 is not there */
	assert_int_equal(xsetbv(script, 1ull << 62 | 7, 0), GP);
	assert_int_equal(xsetbv(script, 7, 1), GP);		/* no such XCR */
	assert_int_equal(guest_rip(script), 0);
	assert_int_equal(cpu->xcr0, 1);
	/* Only for the kernel. */
	script->vmcb->cpl = 3;
	assert_int_equal(xsetbv(script, 7, 0), GP);
	script->vmcb->cpl = 0;
	/* The host has its own back when the vCPU is out. */
	guest_pause(script);
	assert_int_equal(cpu->xcr0, 7);
	guest_destroy(script);
}

static void without_xsave(void)
{
	unsigned int n;

	for (n = 0; n < V3_FAKE_MAX_CPUS; n++)
		fake_x86.cpus[n].cr4 &= ~V3_CR4_OSXSAVE;
}

/* On a host without XSAVE the FPU goes through FXSAVE. */
static void test_without_xsave(void **state)
{
	struct script *script = guest_create(without_xsave, "\x0f\x01\xd1", 3);
	struct fake_cpu *cpu;

	(void)state;
	guest_start(script);
	cpu = &fake_x86.cpus[v3_vcpu_cpu(script->vcpu)];
	assert_int_equal(xsetbv(script, 1, 0), UD);
	assert_int_equal(cpu->fpu[0], 0x7f);	/* FCW and MXCSR after reset */
	assert_int_equal(cpu->fpu[1], 0x03);
	assert_int_equal(cpu->fpu[25], 0x1f);
	cpu->fpu[160] = 0x55;			/* the guest's XMM0 */
	guest_pause(script);
	assert_int_equal(((uint8_t *)script->vcpu->fpu)[160], 0x55);
	guest_destroy(script);
}

static void xss_cpu(void)
{
	v3_fake_cpuid_at(V3_CPUID_LEAF_XSAVE, 1)->eax |= V3_CPUID_D1_EAX_XSAVES;
	v3_fake_msr_set(V3_MSR_XSS, 0x800);
}

static unsigned int msr_writes(const struct fake_cpu *cpu, uint32_t msr)
{
	unsigned int i;

	for (i = 0; i < cpu->num_msrs; i++)
		if (cpu->msrs[i].number == msr)
			return cpu->msrs[i].writes;
	fail_msg("no MSR %#x", msr);
	return 0;
}

/* IA32_XSS is 0 for guests, be XSAVES shown to them or not; it is left alone if it is so already. */
static void test_host_xss(void **state)
{
	struct script *script = guest_create(xss_cpu, "\x90", 1);
	unsigned int i;
	struct fake_cpu *cpu;

	(void)state;
	guest_start(script);
	i = (unsigned int)v3_vcpu_cpu(script->vcpu);
	cpu = &fake_x86.cpus[i];
	assert_int_equal(v3_fake_msr_get_on(i, V3_MSR_XSS), 0);
	/* Not with each exit. */
	guest_exit(script, SVM_EXIT_INTR, 0, 0);
	assert_int_equal(msr_writes(cpu, V3_MSR_XSS), 1);
	guest_pause(script);
	assert_int_equal(v3_fake_msr_get_on(i, V3_MSR_XSS), 0x800);
	assert_int_equal(msr_writes(cpu, V3_MSR_XSS), 2);
	v3_fake_msr_set(V3_MSR_XSS, 0);
	assert_int_equal(v3_vm_resume(script->vm), V3_OK);
	guest_wait(script);
	guest_pause(script);
	assert_int_equal(msr_writes(cpu, V3_MSR_XSS), 2);
	guest_destroy(script);
}

static void test_fpu_switch(void **state)
{
	struct script *script = start("\x90", 1);
	struct fake_cpu *cpu = &fake_x86.cpus[v3_vcpu_cpu(script->vcpu)];

	(void)state;
	cpu->fpu[160] = 0x55;
	cpu->fpu[576] = 0x66;	/* AVX half */
	guest_pause(script);
	memset(cpu->fpu, 0x11, sizeof(cpu->fpu));
	assert_int_equal(v3_vm_resume(script->vm), V3_OK);
	guest_wait(script);
	assert_int_equal(cpu->fpu[160], 0x55);
	assert_int_equal(cpu->fpu[576], 0x66);
	guest_destroy(script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cr0),
		cmocka_unit_test(test_machine_status_word),
		cmocka_unit_test(test_unknown_form),
		cmocka_unit_test(test_long_mode),
		cmocka_unit_test(test_cr4),
		cmocka_unit_test(test_other_crs),
		cmocka_unit_test(test_debug_registers),
		cmocka_unit_test(test_debug_register_changed),
		cmocka_unit_test(test_no_such_debug_register),
		cmocka_unit_test(test_general_detect),
		cmocka_unit_test(test_breakpoints),
		cmocka_unit_test(test_xsetbv),
		cmocka_unit_test(test_without_xsave),
		cmocka_unit_test(test_host_xss),
		cmocka_unit_test(test_fpu_switch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
