/* SPDX-License-Identifier: BSD-2-Clause */
/* APIC virtualization: controls by mode, what goes to the CPU and back, exits. SDM vol. 3 30. */
#include "machine.h"

#include "paging/ept.h"
#include "x86/apic.h"
#include "x86/msr.h"
#include "x86/pte.h"

/* --- An interrupt controller that notes what it is asked --- */

static struct {
	enum v3_lent_mode mode;		/* what the local APIC is in */
	struct v3_lent lent;
	unsigned int lends, backs, how, peeks;
	uint8_t tpr;			/* from the page */
	uint32_t reg, value;		/* written */
	unsigned int written, eois;
} intc;

static void lend(struct v3_vcpu *v, void *ctx, uint8_t *page, unsigned int how,
		 struct v3_lent *lent)
{
	(void)v;
	(void)ctx;
	intc.lends++;
	intc.how = how;
	*lent = intc.lent;
	lent->mode = intc.mode;
	page[V3_APIC_TPR] = 0x23;
}

static void take_back(struct v3_vcpu *v, void *ctx, const uint8_t *page, unsigned int how)
{
	(void)v;
	(void)ctx;
	assert_int_equal(how, intc.how);
	intc.backs++;
	intc.tpr = page[V3_APIC_TPR];
}

static void written(struct v3_vcpu *v, void *ctx, uint32_t reg, uint32_t value)
{
	(void)v;
	(void)ctx;
	assert_int_equal(intc.lends, intc.backs);
	intc.written++;
	intc.reg = reg;
	intc.value = value;
}

static void eoi_done(struct v3_vcpu *v, void *ctx, uint8_t vector)
{
	(void)v;
	(void)ctx;
	assert_int_equal(intc.lends, intc.backs);
	intc.eois++;
	intc.value = vector;
}

static int peek(struct v3_vcpu *v, void *ctx, bool *blocked)
{
	(void)v;
	(void)ctx;
	*blocked = false;
	assert_int_equal(intc.lends, intc.backs);
	intc.peeks++;
	return -1;
}

static unsigned int tpr_get(struct v3_vcpu *v, void *ctx)
{
	(void)v;
	(void)ctx;
	assert_int_equal(intc.lends, intc.backs);
	return 2;
}

static void tpr_set(struct v3_vcpu *v, void *ctx, unsigned int cr8)
{
	(void)v;
	(void)ctx;
	(void)cr8;
	assert_int_equal(intc.lends, intc.backs);
}

static void init(struct v3_vcpu *v, void *ctx)
{
	(void)v;
	(void)ctx;
	assert_int_equal(intc.lends, intc.backs);
}

static const struct v3_intc_lend_ops lend_ops = {
	.lend = lend, .take_back = take_back, .written = written, .eoi = eoi_done,
};
static const struct v3_intc_ops intc_ops = {
	.peek = peek, .ack = NULL, .tpr_get = tpr_get, .tpr_set = tpr_set, .init = init,
	.lend = &lend_ops,
};

static struct v3_vcpu *vcpu;

static void begin_with(enum v3_lent_mode mode, const char *off)
{
	memset(&intc, 0, sizeof(intc));
	intc.mode = mode;
	machine_create(V3_FAKE_SKYLAKE_X, off);
	assert_int_equal(v3_intc_attach(vm, &intc_ops, NULL), V3_OK);
	vcpu = v3_vm_vcpu(vm, 0);
	v3_fake_set_cpu(0);
	vmx_load(vcpu);
}

static void end(void)
{
	vmx_put(vcpu);
	if (intc.mode != V3_LENT_NOTHING)
		assert_int_equal(intc.lends, intc.backs);
	else
		assert_int_equal(intc.backs, 0);
	machine_destroy();
}

#define APIC_BITS (V3_VMX_PROC2_APIC_ACCESS | V3_VMX_PROC2_X2APIC | V3_VMX_PROC2_APIC_REGISTERS | \
		   V3_VMX_PROC2_INTR_DELIVERY)

static uint32_t bits(void)
{
	return (uint32_t)entered(vcpu, V3_VMCS_PROC_CTLS2) & APIC_BITS;
}

/* What the tables at the EPT pointer have for gpa: the leaf's entry, 0 if there is none. */
static uint64_t walk(uint64_t eptp, v3_gpa_t gpa, unsigned int *level)
{
	v3_hpa_t table = eptp & V3_PTE_ADDR_MASK;

	for (*level = 4;; (*level)--) {
		const uint64_t *entries = v3_os_virt(host, table);
		uint64_t entry = entries[V3_PT_INDEX(gpa, *level)];

		if (!(entry & V3_EPT_R) || *level == 1 || entry & V3_EPT_LEAF)
			return entry & V3_EPT_R ? entry : 0;
		table = entry & V3_PTE_ADDR_MASK;
	}
}

static void test_xapic(void **state)
{
	const v3_gpa_t same[] = { 0, 0x9f000, 0x100000, 0x1fffff, 0x200000, 0xfedff000,
				  0xfee01000, 0xffffffff, 1ull << 32, 1ull << 39 };
	uint64_t eptp, leaf, *root;
	unsigned int i, level, level_2;

	(void)state;
	begin_with(V3_LENT_MMIO, NULL);
	enter(vcpu);
	assert_int_equal(intc.how, V3_LEND_MMIO | V3_LEND_MSR | V3_LEND_ALL);
	assert_int_equal(bits(), APIC_BITS & ~V3_VMX_PROC2_X2APIC);
	eptp = entered(vcpu, V3_VMCS_EPTP);
	assert_int_not_equal(eptp, vmx_vm(vm)->eptp);
	/* The table of its own that may have leaves is known to the VM's; flags agree. */
	root = v3_os_virt(host, eptp & V3_PTE_ADDR_MASK);
	assert_int_equal(vm->nested.twin, root[0] & V3_PTE_ADDR_MASK);
	assert_int_equal(eptp & V3_PAGE_MASK, vmx_vm(vm)->eptp & V3_PAGE_MASK);
	assert_true(eptp & V3_EPTP_AD);
	assert_int_equal(entered(vcpu, V3_VMCS_MSR_BITMAP), vmx_vm(vm)->msr_bitmap);
	/* The page is in its tables, and in the VM's own nothing is there. */
	leaf = walk(eptp, V3_APIC_DEFAULT_BASE, &level);
	assert_int_equal(leaf & V3_PTE_ADDR_MASK, entered(vcpu, V3_VMCS_APIC_ACCESS));
	assert_int_equal(leaf & (V3_EPT_R | V3_EPT_W | V3_EPT_X), V3_EPT_R | V3_EPT_W);
	assert_int_equal(level, 1);
	assert_int_equal(walk(vmx_vm(vm)->eptp, V3_APIC_DEFAULT_BASE, &level), 0);
	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		assert_int_equal(walk(eptp, same[i], &level),
				 walk(vmx_vm(vm)->eptp, same[i], &level_2));
		/* Where nothing is, one finds it out deeper. */
		assert_true(level == level_2 || !walk(eptp, same[i], &level));
	}
	end();
}

/* A device below 1 MiB takes its room out of a leaf that the tables of the xAPIC have copied. */
static void test_room(void **state)
{
	const v3_gpa_t hole = 0xa0000;
	unsigned int level, level_2;
	uint64_t eptp;

	(void)state;
	memset(&intc, 0, sizeof(intc));
	machine_create(V3_FAKE_SKYLAKE_X, NULL);
	/* The VM again, with one leaf for all of its first GiB. */
	vmx_vm_destroy(vm);
	assert_int_equal(v3_nested_map(&vm->nested, 0, V3_PAGE_SIZE_1G, V3_PAGE_SIZE_1G,
				       V3_NPT_RWX), V3_OK);
	assert_int_equal(vmx_vm_create(vm), V3_OK);
	eptp = vmx_vm(vm)->apic_eptp;
	assert_int_not_equal(walk(eptp, hole, &level), 0);
	assert_int_equal(level, 3);
	assert_int_equal(v3_memory_make_room(vm, hole, V3_PAGE_SIZE), V3_OK);
	assert_int_equal(walk(eptp, hole, &level), 0);
	assert_int_equal(walk(eptp, hole - 1, &level),
			 walk(vmx_vm(vm)->eptp, hole - 1, &level_2));
	assert_int_equal(level, level_2);
	assert_int_not_equal(walk(eptp, V3_APIC_DEFAULT_BASE, &level), 0);
	machine_destroy();
}

static void test_x2apic(void **state)
{
	(void)state;
	begin_with(V3_LENT_MSR, NULL);
	enter(vcpu);
	assert_int_equal(bits(), APIC_BITS & ~V3_VMX_PROC2_APIC_ACCESS);
	assert_int_equal(entered(vcpu, V3_VMCS_EPTP), vmx_vm(vm)->eptp);
	assert_int_equal(entered(vcpu, V3_VMCS_MSR_BITMAP), vmx_vm(vm)->apic_pages);
	end();
}

/* A mode is a matter of each vCPU, and of the moment. */
static void test_mode_changes(void **state)
{
	unsigned int flushes;

	(void)state;
	begin_with(V3_LENT_NOTHING, NULL);
	enter(vcpu);
	assert_int_equal(bits(), 0);
	assert_int_equal(entered(vcpu, V3_VMCS_EPTP), vmx_vm(vm)->eptp);
	/* Not asked again before something has happened to it. */
	enter(vcpu);
	assert_int_equal(intc.lends, 1);
	intc.mode = V3_LENT_MMIO;
	intc.backs = intc.lends;
	v3_intc_take_back(vcpu);
	v3_fake_trace_clear();
	enter(vcpu);
	assert_int_equal(bits(), APIC_BITS & ~V3_VMX_PROC2_X2APIC);
	/* What is cached of these tables may be old. */
	flushes = v3_fake_trace_find(V3_FAKE_INVEPT);
	assert_int_equal(flushes, 1);
	v3_intc_take_back(vcpu);
	intc.mode = V3_LENT_NOTHING;
	enter(vcpu);
	assert_int_equal(bits(), 0);
	assert_int_equal(entered(vcpu, V3_VMCS_EPTP), vmx_vm(vm)->eptp);
	assert_int_equal(intc.backs + 1, intc.lends);
	vmx_put(vcpu);
	machine_destroy();
}

/* Code that the CPU cannot run gets its interrupts from the core: what waits goes back before. */
static void test_emulation(void **state)
{
	struct v3_exit exit;

	(void)state;
	begin_with(V3_LENT_MMIO, "unrestricted-guest");
	vm->arch->set_cr(vcpu, 0, V3_CR0_RESET | V3_CR0_PE);
	vm->arch->run(vcpu, &exit);
	assert_int_equal(exit.kind, V3_EXIT_INTR);
	assert_int_equal(intc.lends, intc.backs + 1);
	vm->arch->set_cr(vcpu, 0, V3_CR0_RESET);
	vcpu->inject_work = false;
	vm->arch->run(vcpu, &exit);
	assert_int_equal(exit.kind, V3_EXIT_EMULATE);
	assert_int_equal(intc.lends, intc.backs);
	assert_true(vcpu->inject_work);
	/* Nothing is lent any more. */
	vcpu->inject_work = false;
	vm->arch->run(vcpu, &exit);
	assert_int_equal(exit.kind, V3_EXIT_EMULATE);
	assert_false(vcpu->inject_work);
	end();
}

static void test_features(void **state)
{
	static const struct {
		const char *off;
		unsigned int how;
		uint32_t xapic, x2apic;
	} cases[] = {
		{ "tpr-shadow", 0, 0, 0 },
		{ "apic-access,virtual-x2apic", 0, 0, 0 },
		{ "apic-access", V3_LEND_MSR | V3_LEND_ALL, 0,
		  APIC_BITS & ~V3_VMX_PROC2_APIC_ACCESS },
		{ "virtual-x2apic", V3_LEND_MMIO | V3_LEND_ALL, APIC_BITS & ~V3_VMX_PROC2_X2APIC,
		  0 },
		{ "apic-registers,virtual-interrupts", V3_LEND_MSR, 0, V3_VMX_PROC2_X2APIC },
		{ "apic-registers,virtual-interrupts,apic-where-faster",
		  V3_LEND_MMIO | V3_LEND_MSR,
		  V3_VMX_PROC2_APIC_ACCESS, V3_VMX_PROC2_X2APIC },
		{ "apic-registers", V3_LEND_MMIO | V3_LEND_MSR | V3_LEND_ALL,
		  V3_VMX_PROC2_APIC_ACCESS | V3_VMX_PROC2_INTR_DELIVERY,
		  V3_VMX_PROC2_X2APIC | V3_VMX_PROC2_INTR_DELIVERY },
		{ "virtual-interrupts", V3_LEND_MMIO | V3_LEND_MSR | V3_LEND_ALL,
		  V3_VMX_PROC2_APIC_ACCESS | V3_VMX_PROC2_APIC_REGISTERS,
		  V3_VMX_PROC2_X2APIC | V3_VMX_PROC2_APIC_REGISTERS },
	};
	unsigned int i, x2;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (x2 = 0; x2 < 2; x2++) {
			unsigned int need = x2 ? V3_LEND_MSR : V3_LEND_MMIO;

			begin_with(V3_LENT_NOTHING, cases[i].off);
			if (cases[i].how & need)
				intc.mode = x2 ? V3_LENT_MSR : V3_LENT_MMIO;
			enter(vcpu);
			assert_int_equal(intc.how, cases[i].how);
			assert_int_equal(bits(), x2 ? cases[i].x2apic : cases[i].xapic);
			assert_int_equal(host->lends_intc, cases[i].how != 0);
			assert_int_equal(vm->nested.twin != V3_HPA_NONE,
					 (cases[i].how & V3_LEND_MMIO) != 0);
			end();
		}
	}
}

/* A controller that cannot lend: all is as without. */
static void test_no_lending(void **state)
{
	(void)state;
	machine_create(V3_FAKE_SKYLAKE_X, NULL);
	vcpu = v3_vm_vcpu(vm, 0);
	v3_fake_set_cpu(0);
	vmx_load(vcpu);
	enter(vcpu);
	v3_intc_take_back(vcpu);
	enter(vcpu);
	assert_int_equal(bits(), 0);
	vmx_put(vcpu);
	machine_destroy();
}

/* --- The CPU delivers --- */

static void test_status(void **state)
{
	unsigned int writes, i;

	(void)state;
	begin_with(V3_LENT_MMIO, NULL);
	intc.lent = (struct v3_lent){ .irr = 0x51, .isr = 0xa2,
				      .level = { 1, 2, 1ull << 63, 0x55 } };
	enter(vcpu);
	assert_int_equal(entered(vcpu, V3_VMCS_GUEST_INTR_STATUS), 0xa251);
	for (i = 0; i < 4; i++)
		assert_int_equal(entered(vcpu, V3_VMCS_EOI_EXIT(i)), intc.lent.level[i]);
	/* Lent, and nobody wants it back: the next entry has nothing to do for it. */
	enter(vcpu);
	assert_int_equal(intc.lends, 1);
	v3_intc_take_back(vcpu);
	writes = v3_fake_vmx_vmwrites();
	enter(vcpu);
	/* RIP, which each entry writes, and the status: the rest is as it was. */
	assert_int_equal(v3_fake_vmx_vmwrites() - writes, 2);
	v3_intc_take_back(vcpu);
	intc.lent.level[3] = 0;
	enter(vcpu);
	assert_int_equal(entered(vcpu, V3_VMCS_EOI_EXIT(3)), 0);
	end();
}

/* TPR of the page is what CR8 is, but for its lower bits. */
static void test_tpr(void **state)
{
	uint8_t *page;

	(void)state;
	begin_with(V3_LENT_MMIO, NULL);
	page = vmx_vcpu(vcpu)->virtual_apic;
	vcpu->cr8 = vcpu->cr8_seen = 2;
	enter(vcpu);
	assert_int_equal(page[V3_APIC_TPR], 0x23);
	/* The guest wrote it. */
	page[V3_APIC_TPR] = 0x5a;
	enter(vcpu);
	assert_int_equal(vcpu->cr8, 5);
	assert_int_equal(page[V3_APIC_TPR], 0x5a);
	v3_intc_take_back(vcpu);
	assert_int_equal(intc.tpr, 0x5a);
	/* It was set otherwise since. */
	vcpu->cr8 = 9;
	enter(vcpu);
	assert_int_equal(page[V3_APIC_TPR], 0x90);
	end();
}

/* --- Exits --- */

static void test_access_exits(void **state)
{
	static const struct {
		uint64_t qual, idt;
		bool write, fetch, walk, delivery;
	} cases[] = {
		{ 0x0390, 0, false, false, false, false },
		{ 0x1300, 0, true, false, false, false },
		{ 0x2000, 0, false, true, false, false },
		{ 0x3ff8, 0x80000031, false, false, false, true },
		{ 0xa010, 0x80000b0e, false, false, true, true },
		{ 0xf010, 0, false, false, true, false },
	};
	unsigned int i;

	(void)state;
	begin_with(V3_LENT_MMIO, NULL);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct v3_exit exit;

		EXIT_WITH({ V3_VMCS_EXIT_REASON, V3_VMX_REASON_APIC_ACCESS },
			  { V3_VMCS_EXIT_QUALIFICATION, cases[i].qual },
			  { V3_VMCS_IDT_EVENT, cases[i].idt });
		vcpu->interrupted.valid = false;
		exit = enter(vcpu);
		assert_int_equal(exit.kind, V3_EXIT_NESTED_FAULT);
		assert_int_equal(exit.insn_len, 0);
		assert_int_equal(exit.npf.gpa, V3_APIC_DEFAULT_BASE + (cases[i].qual & 0xfff));
		assert_int_equal(exit.npf.write, cases[i].write);
		assert_int_equal(exit.npf.fetch, cases[i].fetch);
		assert_int_equal(exit.npf.walk, cases[i].walk);
		assert_int_equal(exit.npf.delivery, cases[i].delivery);
		assert_int_equal(vcpu->interrupted.valid, cases[i].delivery);
		assert_false(exit.npf.present);
	}
	end();
}

static void write_script(void *arg, v3_hpa_t vmcs, uint64_t *gpr)
{
	const uint32_t value = 0x000c4041;

	(void)arg;
	(void)gpr;
	memcpy(vmx_vcpu(vcpu)->virtual_apic + V3_APIC_ICR_LOW, &value, sizeof(value));
	v3_fake_vmcs_set(vmcs, V3_VMCS_EXIT_REASON, V3_VMX_REASON_APIC_WRITE);
	v3_fake_vmcs_set(vmcs, V3_VMCS_EXIT_QUALIFICATION, V3_APIC_ICR_LOW);
}

static void test_write_exit(void **state)
{
	struct v3_exit exit;

	(void)state;
	begin_with(V3_LENT_MMIO, NULL);
	v3_fake_vmx_set_script(write_script, NULL);
	vcpu->rip = 0x1234;
	exit = enter(vcpu);
	assert_int_equal(exit.kind, V3_EXIT_INTC);
	v3_exit_handle(vcpu, &exit);
	assert_int_equal(intc.written, 1);
	assert_int_equal(intc.reg, V3_APIC_ICR_LOW);
	assert_int_equal(intc.value, 0x000c4041);
	/* The instruction is done. */
	assert_int_equal(vcpu->rip, 0x1234);
	assert_int_equal(intc.backs, 1);
	end();
}

static void test_eoi_exit(void **state)
{
	struct v3_exit exit;

	(void)state;
	begin_with(V3_LENT_MSR, NULL);
	EXIT_WITH({ V3_VMCS_EXIT_REASON, V3_VMX_REASON_EOI },
		  { V3_VMCS_EXIT_QUALIFICATION, 0x75 });
	exit = enter(vcpu);
	assert_int_equal(exit.kind, V3_EXIT_INTC);
	v3_exit_handle(vcpu, &exit);
	assert_int_equal(intc.eois, 1);
	assert_int_equal(intc.value, 0x75);
	end();
}

/* The core's questions take it back first; each asserts that in this file. */
static void test_questions(void **state)
{
	bool blocked;

	(void)state;
	begin_with(V3_LENT_MMIO, NULL);
	enter(vcpu);
	vm->intc->peek(vcpu, vm->intc_ctx, &blocked);
	enter(vcpu);
	vm->intc->tpr_get(vcpu, vm->intc_ctx);
	enter(vcpu);
	vm->intc->tpr_set(vcpu, vm->intc_ctx, 3);
	enter(vcpu);
	vm->intc->init(vcpu, vm->intc_ctx);
	assert_int_equal(intc.lends, 4);
	assert_int_equal(intc.backs, 4);
	assert_int_equal(intc.peeks, 1);
	/* Once: it is not in the page any more. */
	vm->intc->peek(vcpu, vm->intc_ctx, &blocked);
	assert_int_equal(intc.backs, 4);
	end();
}

/* --- x2APIC's MSRs --- */

static void test_bitmap(void **state)
{
	static uint8_t bitmap[V3_PAGE_SIZE];
	unsigned int how, reg;

	(void)state;
	for (how = 0; how < 4; how++) {
		bool registers = how & 1, delivery = how & 2;

		memset(bitmap, 0xff, sizeof(bitmap));
		vmx_msr_bitmap_x2apic(bitmap, registers, delivery);
		for (reg = 0; reg < 0x100; reg++) {
			/* Those of SDM table 11-6 that can be read, the count of the timer apart. */
			bool exists = reg == 2 || reg == 3 || reg == 0xd ||
				      (reg >= 0xf && reg <= 0x28) || reg == 0x30 ||
				      (reg >= 0x32 && reg <= 0x38) || reg == 0x3e;
			bool read = reg == 8 || (registers && exists) ||
				    (registers && delivery && reg == 0xa);
			bool write = reg == 8 || (delivery && (reg == 0xb || reg == 0x3f));

			assert_int_equal(vmx_msr_bitmap_exits(bitmap, 0x800 + reg, false), !read);
			assert_int_equal(vmx_msr_bitmap_exits(bitmap, 0x800 + reg, true), !write);
		}
		assert_true(vmx_msr_bitmap_exits(bitmap, 0x7ff, false));
		assert_true(vmx_msr_bitmap_exits(bitmap, 0x900, false));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_xapic), cmocka_unit_test(test_room),
		cmocka_unit_test(test_x2apic),
		cmocka_unit_test(test_mode_changes), cmocka_unit_test(test_emulation),
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_no_lending), cmocka_unit_test(test_status),
		cmocka_unit_test(test_tpr), cmocka_unit_test(test_access_exits),
		cmocka_unit_test(test_write_exit), cmocka_unit_test(test_eoi_exit),
		cmocka_unit_test(test_questions), cmocka_unit_test(test_bitmap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
