/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUs without unrestricted guest: what the VMCS has while the guest does not use paging, and the
 * emulation of what cannot be entered. SDM vol. 3 24.8, 27.3.1.
 */
#include "machine.h"

#include "core/intr.h"
#include "x86/cr.h"
#include "x86/excp.h"
#include "x86/msr.h"
#include "x86/pte.h"
#include "x86/seg.h"

#define IDENTITY 0xfefff000ull
/* Real-mode code: segment 0x800. */
#define CODE 0x8000u
#define CODE_SEL 0x800u
#define CODE32 0x9000u
#define STACK 0x7000u

static struct v3_vcpu *vcpu;

/* A CPU with EPT that never had the control, as Nehalem. */
static void nehalem(void)
{
	machine_host(V3_FAKE_SANDY_BRIDGE_2600K, NULL);
	v3_fake_vmx_deny(V3_MSR_VMX_PROCBASED_CTLS2, V3_VMX_PROC2_UNRESTRICTED);
	machine_vm();
}

static void put(v3_gpa_t gpa, const void *bytes, size_t len)
{
	assert_int_equal(v3_vm_write(vm, gpa, bytes, len), V3_OK);
}
#define PUT(gpa, ...) \
	put((gpa), (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static uint64_t get(v3_gpa_t gpa, size_t len)
{
	uint64_t value = 0;

	assert_int_equal(v3_vm_read(vm, gpa, &value, len), V3_OK);
	return value;
}

/* As a start-up IPI leaves the vCPU, with a stack, and loaded on CPU 0. */
static int real_mode(void **state)
{
	struct v3_vcpu_state regs;

	(void)state;
	nehalem();
	vcpu = v3_vm_vcpu(vm, 0);
	v3_fake_set_cpu(0);
	assert_int_equal(v3_vcpu_get_state(vcpu, &regs), V3_OK);
	regs.seg[V3_SEG_CS] = (struct v3_segment){ CODE_SEL, V3_SEG_ATTR_CODE16, 0xffff, CODE };
	regs.gpr[4] = STACK;
	regs.rip = 0;
	assert_int_equal(v3_vcpu_set_state(vcpu, &regs), V3_OK);
	vmx_load(vcpu);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	vmx_put(vcpu);
	machine_destroy();
	return 0;
}

/* The run loop, until the guest was entered, cannot be, halts, or so many slices are over. */
static struct v3_exit go(unsigned int slices)
{
	struct v3_exit exit;

	do {
		if (vcpu->inject_work)
			v3_inject_prepare(vcpu);
		vm->arch->run(vcpu, &exit);
		if (vcpu->interrupted.valid)
			v3_inject_requeue(vcpu);
		if (exit.kind != V3_EXIT_EMULATE)
			return exit;
		v3_exit_handle(vcpu, &exit);
	} while (--slices && vcpu->run == V3_RUN_RUNNABLE && v3_vm_state(vm, NULL) != V3_VM_STOPPED);
	return exit;
}

/* The same, to the HLT that ends most of the code here. */
static void run_to_hlt(void)
{
	struct v3_vm_end end;

	assert_int_equal(go(100).kind, V3_EXIT_EMULATE);
	v3_vm_state(vm, &end);
	if (vcpu->run != V3_RUN_HALTED)
		fail_msg("no HLT up to RIP %#llx: %s", (unsigned long long)vcpu->rip, end.reason);
	vcpu->run = V3_RUN_RUNNABLE;
}

static void expect_end(const char *text)
{
	struct v3_vm_end end;

	assert_int_equal(v3_vm_state(vm, &end), V3_VM_STOPPED);
	assert_int_equal(end.kind, V3_END_CRASH);
	if (!strstr(end.reason, text))
		fail_msg("'%s' lacks '%s'", end.reason, text);
}

static struct v3_segment seg(uint16_t selector, uint16_t attrib, uint32_t limit)
{
	return (struct v3_segment){ selector, attrib, limit, 0 };
}

/* --- From real mode to long mode, as kernels start their processors --- */

static void put_gdt(void)
{
	const uint64_t gdt[3] = { 0, v3_desc_make(0, 0xfffff, V3_SEG_ATTR_CODE32),
				  v3_desc_make(0, 0xfffff, V3_SEG_ATTR_DATA32) };

	PUT(CODE + 0x40, 0x17, 0x00, 0x50, 0x80, 0x00, 0x00);	/* limit, base 0x8050 */
	put(CODE + 0x50, gdt, sizeof(gdt));
}

/* The code at 0x9000, which the hardware runs; each line exits, and is executed by the core. */
static void native(unsigned int reason, uint64_t qualification)
{
	struct v3_exit exit;

	EXIT_WITH({ V3_VMCS_EXIT_REASON, reason }, { V3_VMCS_EXIT_QUALIFICATION, qualification });
	exit = go(1);
	assert_true(exit.kind == V3_EXIT_CR || exit.kind == V3_EXIT_WRMSR);
	v3_exit_handle(vcpu, &exit);
}

static void entered_unpaged(void)
{
	uint64_t proc = entered(vcpu, V3_VMCS_PROC_CTLS);

	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_CR0) & (V3_CR0_PE | V3_CR0_PG),
			 V3_CR0_PE | V3_CR0_PG);
	assert_int_equal(entered(vcpu, V3_VMCS_CR0_SHADOW) & (V3_CR0_PE | V3_CR0_PG), V3_CR0_PE);
	assert_int_equal(entered(vcpu, V3_VMCS_CR0_MASK) & (V3_CR0_PE | V3_CR0_PG),
			 V3_CR0_PE | V3_CR0_PG);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_CR3), IDENTITY);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_CR4), V3_CR4_VMXE | V3_CR4_MCE | V3_CR4_PSE);
	assert_true(entered(vcpu, V3_VMCS_CR4_MASK) & V3_CR4_PAE);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_EFER) & (V3_EFER_LME | V3_EFER_LMA), 0);
	assert_false(entered(vcpu, V3_VMCS_ENTRY_CTLS) & V3_VMX_ENTRY_CTL_IA32E);
	assert_true(proc & V3_VMX_PROC_CR3_LOAD && proc & V3_VMX_PROC_CR3_STORE);
}

static void start_protected(void)
{
	struct v3_vcpu_state regs;

	/* With an RPL that VM entry does not take, so that the jump is emulated, too. */
	vm->arch->get_state(vcpu, &regs);
	regs.seg[V3_SEG_CS].selector |= 1;
	vm->arch->set_state(vcpu, &regs);
	put_gdt();
	PUT(CODE, 0xfa, 0x0f, 0x09, 0xb8, 0x00, 0x08,	/* cli; wbinvd; mov ax, 0x800 */
	    0x8e, 0xd8, 0x8e, 0xd0,			/* mov ds, ax; mov ss, ax */
	    0x66, 0x0f, 0x01, 0x16, 0x40, 0x00,		/* lgdtl [0x40] */
	    0xb8, 0x01, 0x00, 0x0f, 0x01, 0xf0,		/* mov ax, 1; lmsw ax */
	    0x66, 0xea, 0x00, 0x90, 0x00, 0x00, 0x08, 0x00);	/* ljmpl 8:0x9000 */
	exit_intr();
	assert_int_equal(go(10).kind, V3_EXIT_INTR);
	assert_int_equal(vcpu->rip, CODE32);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_SELECTOR(V3_SEG_CS)), 8);
	entered_unpaged();
}

static void test_trampoline(void **state)
{
	struct v3_vcpu_state regs;

	(void)state;
	start_protected();
	PUT(CODE32, 0x0f, 0x22, 0xe0, 0x0f, 0x22, 0xd8,	/* mov cr4, eax; mov cr3, eax */
	    0x0f, 0x20, 0xd9, 0x0f, 0x30,		/* mov ecx, cr3; wrmsr */
	    0x0f, 0x22, 0xc0);				/* mov cr0, eax */
	vcpu->gpr[0] = V3_CR4_PAE;
	native(V3_VMX_REASON_CR, 4);
	vcpu->gpr[0] = 0x4000;
	native(V3_VMX_REASON_CR, 3);
	/* What the guest reads is what it wrote. */
	native(V3_VMX_REASON_CR, 3 | 1 << 4);
	assert_int_equal(vcpu->gpr[1], 0x4000);
	assert_int_equal(vm->arch->get_cr(vcpu, 4), V3_CR4_PAE);
	vcpu->gpr[1] = V3_MSR_EFER;
	vcpu->gpr[0] = V3_EFER_LME;
	vcpu->gpr[2] = 0;
	native(V3_VMX_REASON_WRMSR, 0);
	entered_unpaged();
	assert_int_equal(vm->arch->get_efer(vcpu), V3_EFER_LME);
	/* Paging on: long mode by the guest's own tables, and no more exits for CR3. */
	vcpu->gpr[0] = V3_CR0_PG | V3_CR0_PE | V3_CR0_ET;
	native(V3_VMX_REASON_CR, 0);
	exit_intr();
	assert_int_equal(go(1).kind, V3_EXIT_INTR);
	assert_int_equal(vcpu->rip, CODE32 + 14);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_CR3), 0x4000);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_CR4),
			 V3_CR4_VMXE | V3_CR4_MCE | V3_CR4_PAE);
	assert_false(entered(vcpu, V3_VMCS_CR4_MASK) & V3_CR4_PAE);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_EFER), V3_EFER_LME | V3_EFER_LMA);
	assert_true(entered(vcpu, V3_VMCS_ENTRY_CTLS) & V3_VMX_ENTRY_CTL_IA32E);
	assert_false(entered(vcpu, V3_VMCS_PROC_CTLS) & V3_VMX_PROC_CR3_LOAD);
	vm->arch->get_state(vcpu, &regs);
	assert_int_equal(regs.cr3, 0x4000);
	assert_int_equal(regs.efer, V3_EFER_LME | V3_EFER_LMA);
	/* And off again: what the guest had is there. */
	vm->arch->set_efer(vcpu, V3_EFER_LME);
	vm->arch->set_cr(vcpu, 0, V3_CR0_PE | V3_CR0_ET);
	assert_int_equal(go(1).kind, V3_EXIT_INTR);
	assert_int_equal(vm->arch->get_cr(vcpu, 3), 0x4000);
	assert_int_equal(vm->arch->get_cr(vcpu, 4), V3_CR4_PAE);
	entered_unpaged();
	vm->arch->set_cr(vcpu, 3, 0x5000);
	assert_int_equal(vm->arch->get_cr(vcpu, 3), 0x5000);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_CR3), IDENTITY);
}

/* PAE paging: VM entry has the four entries that CR3 points to from the VMCS. */
static void test_pae(void **state)
{
	const uint64_t table[4] = { 0x5000 | V3_PTE_P, 0, 0, 0x6000 | V3_PTE_P };
	struct v3_vcpu_state regs;
	unsigned int i;

	(void)state;
	put(0x4020, table, sizeof(table));
	start_protected();
	vm->arch->set_cr(vcpu, 3, 0x4020);
	vm->arch->set_cr(vcpu, 4, V3_CR4_PAE);
	assert_int_equal(go(1).kind, V3_EXIT_INTR);
	vm->arch->set_cr(vcpu, 0, V3_CR0_PE | V3_CR0_PG | V3_CR0_ET);
	assert_int_equal(go(1).kind, V3_EXIT_INTR);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_CR3), 0x4020);
	for (i = 0; i < 4; i++)
		assert_int_equal(entered(vcpu, V3_VMCS_GUEST_PDPTE(i)), table[i]);
	/* The guest moves to CR3 by itself: that is what it has when paging is off again. */
	vmx_write(V3_VMCS_GUEST_CR3, 0x6020);
	vm->arch->set_cr(vcpu, 0, V3_CR0_PE | V3_CR0_ET);
	vm->arch->set_efer(vcpu, V3_EFER_LME);
	vm->arch->get_state(vcpu, &regs);
	assert_int_equal(regs.cr3, 0x6020);
	assert_int_equal(regs.cr4, V3_CR4_PAE);
	assert_int_equal(regs.efer, V3_EFER_LME);
}

/* What is left to exits finds the registers as they are, and what it changes stays. */
static void test_exit_between(void **state)
{
	struct v3_vcpu_state regs;

	(void)state;
	vmx_vcpu(vcpu)->work = 0;
	PUT(CODE, 0x8c, 0xc8, 0x8e, 0xd8,		/* mov ax, cs; mov ds, ax */
	    0x0f, 0x01, 0x3e, 0x00, 0x10,		/* invlpg [0x1000] */
	    0x66, 0xb8, 0x12, 0x00, 0x00, 0x00,		/* mov eax, 0x12 */
	    0x0f, 0x22, 0xc0, 0x8e, 0xc0, 0xf4);	/* mov cr0, eax; mov es, ax; hlt */
	run_to_hlt();
	vm->arch->get_state(vcpu, &regs);
	assert_int_equal(regs.cr0, V3_CR0_MP | V3_CR0_ET);
	assert_int_equal(regs.seg[V3_SEG_DS].selector, CODE_SEL);
	assert_int_equal(regs.seg[V3_SEG_ES].selector, 0x12);
	assert_true(vmx_vcpu(vcpu)->work & VMX_WORK_EPT);
}

/* As soon as PE is set the hardware goes on, if it can, with what real mode has left. */
static void test_enter_at_once(void **state)
{
	(void)state;
	PUT(CODE, 0xb8, 0x01, 0x00, 0x0f, 0x01, 0xf0, 0x66, 0xea);
	assert_int_equal(go(10).kind, V3_EXIT_INTR);
	assert_int_equal(vcpu->rip, 6);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_SELECTOR(V3_SEG_CS)), CODE_SEL);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_BASE(V3_SEG_CS)), CODE);
	entered_unpaged();
}

/* The same state on another CPU, where the image comes from. */
static void test_other_cpu(void **state)
{
	struct v3_vcpu_state before, after;

	(void)state;
	start_protected();
	vm->arch->set_cr(vcpu, 3, 0x6000);
	vm->arch->set_cr(vcpu, 4, V3_CR4_PGE | V3_CR4_OSFXSR);
	vm->arch->get_state(vcpu, &before);
	vmx_put(vcpu);
	vm->arch->get_state(vcpu, &after);
	assert_int_equal(after.cr0, before.cr0);
	assert_int_equal(after.cr3, 0x6000);
	assert_int_equal(after.cr4, V3_CR4_PGE | V3_CR4_OSFXSR);
	v3_fake_set_cpu(1);
	vmx_load(vcpu);
	assert_int_equal(go(1).kind, V3_EXIT_INTR);
	assert_int_equal(vm->arch->get_cr(vcpu, 4), V3_CR4_PGE | V3_CR4_OSFXSR);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_CR4),
			 V3_CR4_VMXE | V3_CR4_MCE | V3_CR4_PSE | V3_CR4_OSFXSR);
}

/* Instructions and operands are looked for without paging, not in our table. */
static void test_unpaged_walk(void **state)
{
	struct v3_insn_env env;

	(void)state;
	start_protected();
	vm->arch->insn_env(vcpu, &env);
	assert_false(env.walk.cr0 & V3_CR0_PG);
	assert_int_equal(env.walk.cr3, 0);
	vm->arch->set_cr(vcpu, 0, V3_CR0_PE | V3_CR0_PG | V3_CR0_ET);
	vm->arch->insn_env(vcpu, &env);
	assert_true(env.walk.cr0 & V3_CR0_PG);
}

/* --- The page table --- */

static void test_identity(void **state)
{
	struct v3_nested_leaf leaf;
	const uint32_t *table;
	uint32_t i;

	(void)state;
	assert_true(v3_nested_lookup(&vm->nested, IDENTITY, &leaf));
	assert_int_equal(leaf.access, V3_NPT_R);
	assert_int_equal(leaf.level, 1);
	table = v3_os_virt(host, leaf.hpa);
	for (i = 0; i < 1024; i++)
		assert_int_equal(table[i], i << 22 | V3_PTE_P | V3_PTE_W | V3_PTE_U | V3_PTE_A |
				 V3_PTE_D | V3_PTE_PS);
	/* Nobody is told, and the VMM does not take it for memory. */
	assert_null(v3_vm_ptr(vm, IDENTITY, 1));
	assert_false(v3_nested_lookup(&vm->nested, IDENTITY + V3_PAGE_SIZE, &leaf));
}

static void test_no_identity(void **state)
{
	struct v3_nested_leaf leaf;

	(void)state;
	machine_create(V3_FAKE_SANDY_BRIDGE_2600K, NULL);
	assert_ptr_equal(host->arch, &v3_vmx_ops);
	assert_false(v3_nested_lookup(&vm->nested, IDENTITY, &leaf));
	machine_destroy();
	machine_create(V3_FAKE_SKYLAKE_X, "unrestricted-guest");
	assert_ptr_not_equal(host->arch, &v3_vmx_ops);
	assert_true(v3_nested_lookup(&vm->nested, IDENTITY, &leaf));
	machine_destroy();
}

/* --- Emulation --- */

static void test_instructions(void **state)
{
	(void)state;
	PUT(CODE, 0xb8, 0x34, 0x12,			/* mov ax, 0x1234 */
	    0xa3, 0x00, 0x05,				/* mov [0x500], ax */
	    0xf0, 0x0f, 0xba, 0x2e, 0x02, 0x05, 0x03,	/* lock bts word [0x502], 3 */
	    0xf0, 0xfe, 0x06, 0x05, 0x05,		/* lock inc byte [0x505] */
	    0x66, 0xf0, 0xff, 0x06, 0x08, 0x05,		/* lock inc dword [0x508] */
	    0xf0, 0xff, 0x06, 0x0d, 0x05,		/* lock inc word [0x50d]: not aligned */
	    0x66, 0xb8, 0x00, 0x00, 0x00, 0x40,		/* mov eax, 0x40000000 */
	    0x0f, 0xa2,					/* cpuid */
	    0x66, 0x89, 0x1e, 0x10, 0x05,		/* mov [0x510], ebx */
	    0x0f, 0x31,					/* rdtsc */
	    0x66, 0xb9, 0x77, 0x02, 0x00, 0x00,		/* mov ecx, IA32_PAT */
	    0x0f, 0x32,					/* rdmsr */
	    0x66, 0xa3, 0x14, 0x05,			/* mov [0x514], eax */
	    0xe4, 0x99, 0xa2, 0x18, 0x05,		/* in al, 0x99; mov [0x518], al */
	    0xe6, 0x99, 0xf3, 0x90,			/* out 0x99, al; pause */
	    0x0f, 0x20, 0xc0, 0x66, 0xa3, 0x1c, 0x05,	/* mov eax, cr0; mov [0x51c], eax */
	    0x0f, 0x22, 0xd0, 0x0f, 0x20, 0xd3,		/* mov cr2, eax; mov ebx, cr2 */
	    0x0f, 0x21, 0xf0, 0x66, 0xa3, 0x20, 0x05,	/* mov eax, dr6; mov [0x520], eax */
	    0x0f, 0x01, 0x3e, 0x00, 0x00,		/* invlpg [0] */
	    0xf4);
	put(0x508, (const uint32_t[]){ 0xff }, 4);
	put(0x50d, (const uint16_t[]){ 0xff }, 2);
	run_to_hlt();
	assert_int_equal(get(0x500, 2), 0x1234);
	assert_int_equal(get(0x502, 2), 8);
	assert_int_equal(get(0x505, 1), 1);
	assert_int_equal(get(0x508, 4), 0x100);
	assert_int_equal(get(0x50d, 2), 0x100);
	assert_int_equal(get(0x510, 4), 0x7662696c);	/* "libv" */
	assert_int_equal(get(0x514, 4), 0x00070406);
	assert_int_equal(get(0x518, 1), 0xff);
	assert_int_equal(get(0x51c, 4), V3_CR0_RESET);
	assert_int_equal((uint32_t)vcpu->gpr[3], V3_CR0_RESET);
	assert_int_equal(get(0x520, 4), V3_DR6_RESET);
	assert_int_equal(v3_fake_vmx_entries(), 0);
}

static uint64_t device_value;
static unsigned int device_size;

static uint64_t device_read(struct v3_vcpu *v, void *ctx, uint64_t offset, unsigned int size)
{
	(void)v;
	(void)ctx;
	return 0x1122334455667788 + offset + size;
}

static void device_write(struct v3_vcpu *v, void *ctx, uint64_t offset, unsigned int size,
			 uint64_t value)
{
	(void)v;
	(void)ctx;
	(void)offset;
	device_value = value;
	device_size = size;
}

/* A device above 1 MiB from "unreal" mode. */
static void test_device(void **state)
{
	static const struct v3_mmio_ops ops = { .read = device_read, .write = device_write };
	struct v3_vcpu_state regs;

	(void)state;
	assert_int_equal(v3_mmio_hook(vm, 0xfee00000, 0x1000, &ops, NULL), V3_OK);
	vm->arch->get_state(vcpu, &regs);
	regs.seg[V3_SEG_FS].limit = 0xffffffff;
	regs.seg[V3_SEG_FS].attrib |= V3_SEG_G;
	vm->arch->set_state(vcpu, &regs);
	PUT(CODE, 0x64, 0x67, 0x66, 0xa1, 0x10, 0x00, 0xe0, 0xfe,	/* mov eax, fs:[0xfee00010] */
	    0x64, 0x67, 0x66, 0xa3, 0x20, 0x00, 0xe0, 0xfe,		/* mov fs:[0xfee00020], eax */
	    0xf0, 0x64, 0x67, 0x66, 0xff, 0x05, 0x30, 0x00, 0xe0, 0xfe,	/* lock inc fs:[...] */
	    0xf4);
	run_to_hlt();
	assert_int_equal(device_value, 0x55667788 + 0x30 + 4 + 1);
	assert_int_equal(device_size, 4);
	assert_int_equal((uint32_t)vcpu->gpr[0], 0x55667788 + 0x10 + 4);
}

/* Port strings, more of them than a slice takes at once. */
static void test_strings(void **state)
{
	(void)state;
	PUT(CODE, 0xbf, 0x00, 0x06, 0xb9, 0x00, 0x02,	/* mov di, 0x600; mov cx, 0x200 */
	    0xb0, 0x77, 0xf3, 0xaa,			/* mov al, 0x77; rep stosb */
	    0xb9, 0x04, 0x00, 0xf3, 0x6c, 0xf4);	/* mov cx, 4; rep insb */
	run_to_hlt();
	assert_int_equal(get(0x600, 1), 0x77);
	assert_int_equal(get(0x7ff, 1), 0x77);
	assert_int_equal(get(0x800, 4), 0xffffffff);
	assert_int_equal(vcpu->gpr[7], 0x804);
}

/* --- Events --- */

static void put_handler(uint8_t vector)
{
	/* inc word [0x580 + 2 * vector]; iret, at 0xa00:vector * 8 */
	PUT(0xa000u + vector * 8u, 0xff, 0x06, (uint8_t)(0x80 + 2 * vector),
	    (uint8_t)((0x580 + 2 * vector) >> 8), 0xcf);
	put(vector * 4u, (const uint16_t[]){ (uint16_t)(vector * 8), 0xa00 }, 4);
}

#define CALLS(vector) get(0x580u + 2 * (vector), 2)

static void test_exceptions(void **state)
{
	struct v3_vcpu_state regs;

	(void)state;
	vm->arch->get_state(vcpu, &regs);
	regs.seg[V3_SEG_DS].selector = CODE_SEL;
	regs.seg[V3_SEG_DS].base = CODE;
	vm->arch->set_state(vcpu, &regs);
	/* The handler puts two NOPs in place of the instruction, to which it returns. */
	put_handler(V3_EXCP_UD);
	PUT(0xa000 + V3_EXCP_UD * 8, 0xc7, 0x06, 0x00, 0x00, 0x90, 0x90, 0xcf);
	put_handler(V3_EXCP_OF);
	PUT(CODE, 0x0f, 0x0b, 0xcd, V3_EXCP_OF, 0xf4);	/* ud2; int 4; hlt */
	run_to_hlt();
	assert_int_equal(get(CODE, 2), 0x9090);
	assert_int_equal(get(CODE + 0x580 + 2 * V3_EXCP_OF, 2), 1);
	assert_int_equal(vcpu->gpr[4], STACK);
}

static void test_triple_fault(void **state)
{
	struct v3_vcpu_state regs;

	(void)state;
	vm->arch->get_state(vcpu, &regs);
	regs.idtr.limit = 0;
	vm->arch->set_state(vcpu, &regs);
	PUT(CODE, 0x0f, 0x0b);
	go(100);
	expect_end("triple fault");
}

/* Takes what it is given once, in the order of vectors. */
static int next_vector;

static int intc_peek(struct v3_vcpu *v, void *ctx, bool *tpr_blocked)
{
	(void)v;
	(void)ctx;
	*tpr_blocked = false;
	return next_vector;
}

static int intc_ack(struct v3_vcpu *v, void *ctx)
{
	int vector = next_vector;

	(void)v;
	(void)ctx;
	next_vector = -1;
	return vector;
}

static unsigned int intc_tpr_get(struct v3_vcpu *v, void *ctx)
{
	(void)v;
	(void)ctx;
	return 0;
}

static void intc_tpr_set(struct v3_vcpu *v, void *ctx, unsigned int cr8)
{
	(void)v;
	(void)ctx;
	(void)cr8;
}

static void intc_irq_set(void *ctx, unsigned int gsi, bool level)
{
	(void)ctx;
	(void)gsi;
	(void)level;
}

static void intc_init(struct v3_vcpu *v, void *ctx)
{
	(void)v;
	(void)ctx;
}

static void attach_intc(void)
{
	static const struct v3_intc_ops ops = {
		.peek = intc_peek, .ack = intc_ack, .tpr_get = intc_tpr_get, .tpr_set = intc_tpr_set,
		.irq_set = intc_irq_set, .init = intc_init,
	};

	next_vector = -1;
	assert_int_equal(v3_intc_attach(vm, &ops, NULL), V3_OK);
}

static void test_interrupt(void **state)
{
	(void)state;
	attach_intc();
	put_handler(0x20);
	/* It waits for STI and the instruction behind it. */
	PUT(CODE, 0x90, 0x90, 0xfb, 0xff, 0x36, 0xc0, 0x05,	/* nop; nop; sti; push [0x5c0] */
	    0xfa, 0xf4);					/* cli; hlt */
	next_vector = 0x20;
	vcpu->inject_work = true;
	run_to_hlt();
	assert_int_equal(CALLS(0x20), 1);
	/* What PUSH saw is the counter before the handler ran. */
	assert_int_equal(get(STACK - 2, 2), 0);
	assert_int_equal(next_vector, -1);
	assert_false(vcpu->rflags & V3_RFLAGS_IF);
}

static void test_nmi(void **state)
{
	(void)state;
	attach_intc();
	put_handler(V3_EXCP_NMI);
	PUT(0xa014, 0xf4, 0xcf);	/* instead of IRET: hlt; iret */
	PUT(CODE, 0x90, 0x90, 0x90, 0xf4);
	vcpu->nmi_pending = true;
	vcpu->inject_work = true;
	/* A second one comes while the first is handled, and goes in after its IRET. */
	run_to_hlt();
	assert_true(vcpu->nmi_blocked);
	vcpu->nmi_pending = true;
	vcpu->inject_work = true;
	assert_int_equal(CALLS(V3_EXCP_NMI), 1);
	run_to_hlt();
	assert_true(vcpu->nmi_blocked);
	run_to_hlt();
	assert_int_equal(CALLS(V3_EXCP_NMI), 2);
	assert_false(vcpu->nmi_blocked || vcpu->nmi_pending);
	assert_int_equal(vcpu->gpr[4], STACK);
}

static void test_single_step(void **state)
{
	(void)state;
	put_handler(V3_EXCP_DB);
	PUT(CODE, 0x9c, 0x58, 0x80, 0xcc, 0x01,		/* pushf; pop ax; or ah, 1 */
	    0x50, 0x9d, 0x90, 0x8e, 0xd2,		/* push ax; popf; nop; mov ss, dx */
	    0x90, 0x80, 0xe4, 0xfe,			/* nop; and ah, 0xfe */
	    0x50, 0x9d, 0xf4);				/* push ax; popf; hlt */
	run_to_hlt();
	/* Behind NOP, NOP (with the MOV SS before it), AND, PUSH and the POPF that ends it. */
	assert_int_equal(CALLS(V3_EXCP_DB), 5);
	assert_true(vm->arch->get_dr(vcpu, 6) & V3_DR6_BS);
}

/* In protected mode an interrupt waits until the hardware takes it. */
static void test_interrupt_waits(void **state)
{
	struct v3_vcpu_state regs;

	(void)state;
	attach_intc();
	put_gdt();
	PUT(CODE, 0x66, 0x2e, 0x0f, 0x01, 0x16, 0x40, 0x00,	/* lgdtl cs:[0x40] */
	    0xb8, 0x01, 0x00, 0x0f, 0x01, 0xf0,			/* mov ax, 1; lmsw ax */
	    0xfb, 0x90, 0x90,					/* sti; nop; nop */
	    0x66, 0xea, 0x00, 0x90, 0x00, 0x00, 0x08, 0x00);	/* ljmpl 8:0x9000 */
	/* With an RPL that VM entry does not take. */
	vm->arch->get_state(vcpu, &regs);
	regs.seg[V3_SEG_DS].selector = 3;
	vm->arch->set_state(vcpu, &regs);
	PUT(CODE32, 0xb8, 0x10, 0x00, 0x00, 0x00, 0x8e, 0xd8);	/* mov eax, 16; mov ds, ax */
	next_vector = 0x20;
	vcpu->inject_work = true;
	exit_intr();
	assert_int_equal(go(100).kind, V3_EXIT_INTR);
	assert_int_equal(vcpu->rip, CODE32 + 7);
	assert_int_equal(next_vector, -1);
	assert_int_equal(entered(vcpu, V3_VMCS_ENTRY_EVENT) & 0xff, 0x20);
	entered_unpaged();
}

static void test_exception_in_between(void **state)
{
	struct v3_vcpu_state regs;

	(void)state;
	vm->arch->get_state(vcpu, &regs);
	regs.seg[V3_SEG_DS].selector = 3;
	vm->arch->set_state(vcpu, &regs);
	PUT(CODE, 0xb8, 0x01, 0x00, 0x0f, 0x01, 0xf0, 0x0f, 0x0b);
	go(100);
	expect_end("no emulation of the delivery of exception 6");
}

/* --- Bounds, and what there is no emulation for --- */

/* A guest that stays in real mode is left again and again, and never when asked to stop. */
static void test_requests(void **state)
{
	struct v3_exit exit;

	(void)state;
	PUT(CODE, 0xeb, 0xfe);
	assert_int_equal(go(5).kind, V3_EXIT_EMULATE);
	assert_int_equal(vcpu->rip, 0);
	v3_vcpu_request(vcpu, V3_REQ_STOP);
	assert_int_equal(vcpu->mode, V3_VCPU_OUTSIDE);
	vm->arch->run(vcpu, &exit);
	assert_int_equal(exit.kind, V3_EXIT_NONE);
	vm->arch->run_owned(vcpu, &exit);
	assert_int_equal(exit.kind, V3_EXIT_NONE);
	assert_true(v3_fake_irqs_on());
	/* In the middle of a slice: one instruction at most. */
	PUT(CODE, 0x40, 0x40, 0x40, 0x40, 0xeb, 0xfa);
	exit.kind = V3_EXIT_EMULATE;
	exit.emulate.event.valid = false;
	v3_exit_handle(vcpu, &exit);
	assert_int_equal(vcpu->gpr[0], 1);
	/* An event on its way comes back. */
	vm->arch->inject(vcpu, &(struct v3_event){ .valid = true, .type = V3_EVENT_EXCEPTION,
						   .vector = 6 });
	vm->arch->run(vcpu, &exit);
	assert_int_equal(exit.kind, V3_EXIT_NONE);
	assert_true(vcpu->interrupted.valid);
	assert_int_equal(vcpu->interrupted.vector, 6);
}

static void test_lacking(void **state)
{
	(void)state;
	PUT(CODE, 0xdb, 0xe3);				/* fninit */
	go(100);
	expect_end("no emulation for instruction db e3 at RIP 0x0");
}

static void test_lacking_ud(void **state)
{
	(void)state;
	vm->unemulated_ud = true;
	put_handler(V3_EXCP_UD);
	PUT(0xa000 + V3_EXCP_UD * 8, 0xf4);
	PUT(CODE, 0xdb, 0xe3);
	run_to_hlt();
	assert_int_equal(vcpu->rip, V3_EXCP_UD * 8 + 1);
}

static void test_code_limit(void **state)
{
	(void)state;
	put_handler(V3_EXCP_GP);
	PUT(0xa000 + V3_EXCP_GP * 8, 0xf4);
	/* The last byte of an instruction is behind the segment's end. */
	vcpu->rip = 0xffff;
	PUT(CODE + 0xffff, 0xb0, 0x11);
	run_to_hlt();
	assert_int_equal(vcpu->rip, V3_EXCP_GP * 8 + 1);
	assert_int_equal(get(vcpu->gpr[4], 2), 0xffff);
	vcpu->rip = 0x10000;
	run_to_hlt();
	assert_int_equal(vcpu->rip, V3_EXCP_GP * 8 + 1);
}

static void test_no_memory(void **state)
{
	struct v3_vcpu_state regs;

	(void)state;
	vm->arch->get_state(vcpu, &regs);
	regs.seg[V3_SEG_CS].base = 0xffff0000;	/* the reset vector */
	vm->arch->set_state(vcpu, &regs);
	go(100);
	expect_end("no memory to execute");
}

static void test_outer_level(void **state)
{
	struct v3_vcpu_state regs;

	(void)state;
	vm->arch->get_state(vcpu, &regs);
	regs.cr0 |= V3_CR0_PE;
	regs.seg[V3_SEG_SS] = seg(3, V3_SEG_ATTR_DATA16 | V3_SEG_DPL_MASK, 0xffff);
	vm->arch->set_state(vcpu, &regs);
	go(100);
	expect_end("privilege level 3");
}

/* 64-bit code is never emulated: VM entry has its say. */
static void test_bad_64(void **state)
{
	struct v3_vcpu_state regs;

	(void)state;
	vm->arch->get_state(vcpu, &regs);
	regs.cr0 = V3_CR0_PE | V3_CR0_PG | V3_CR0_ET;
	regs.cr4 = V3_CR4_PAE;
	regs.efer = V3_EFER_LME | V3_EFER_LMA;
	regs.seg[V3_SEG_CS] = seg(0x13, V3_SEG_ATTR_CODE64, 0xffffffff);
	regs.seg[V3_SEG_TR].attrib = V3_SEG_P | V3_SEG_TYPE_TSS16_BUSY;
	vm->arch->set_state(vcpu, &regs);
	assert_int_equal(go(1).kind, V3_EXIT_INVALID);
}

int main(void)
{
#define IN_REAL_MODE(test) cmocka_unit_test_setup_teardown(test, real_mode, tear_down)
	const struct CMUnitTest tests[] = {
		IN_REAL_MODE(test_trampoline),
		IN_REAL_MODE(test_pae),
		IN_REAL_MODE(test_exit_between),
		IN_REAL_MODE(test_enter_at_once),
		IN_REAL_MODE(test_other_cpu),
		IN_REAL_MODE(test_unpaged_walk),
		IN_REAL_MODE(test_identity),
		cmocka_unit_test(test_no_identity),
		IN_REAL_MODE(test_instructions),
		IN_REAL_MODE(test_device),
		IN_REAL_MODE(test_strings),
		IN_REAL_MODE(test_exceptions),
		IN_REAL_MODE(test_triple_fault),
		IN_REAL_MODE(test_interrupt),
		IN_REAL_MODE(test_nmi),
		IN_REAL_MODE(test_single_step),
		IN_REAL_MODE(test_interrupt_waits),
		IN_REAL_MODE(test_exception_in_between),
		IN_REAL_MODE(test_requests),
		IN_REAL_MODE(test_lacking),
		IN_REAL_MODE(test_lacking_ud),
		IN_REAL_MODE(test_code_limit),
		IN_REAL_MODE(test_no_memory),
		IN_REAL_MODE(test_outer_level),
		IN_REAL_MODE(test_bad_64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
