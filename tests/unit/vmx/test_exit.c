/* SPDX-License-Identifier: BSD-2-Clause */
/* From exit reasons and qualifications to the neutral exit. SDM vol. 3 28.2, appendix C. */
#include "machine.h"

#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/seg.h"

static struct v3_vcpu *vcpu;

static int set_up(void **state)
{
	(void)state;
	machine_create(V3_FAKE_SKYLAKE_X, NULL);
	vcpu = v3_vm_vcpu(vm, 0);
	v3_fake_set_cpu(0);
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

static struct v3_exit exit_of(uint32_t reason, uint64_t qualification)
{
	EXIT_WITH({ V3_VMCS_EXIT_REASON, reason }, { V3_VMCS_EXIT_QUALIFICATION, qualification },
		  { V3_VMCS_EXIT_INSN_LEN, 3 }, { V3_VMCS_GUEST_PHYSICAL, 0xfec00010 });
	return enter(vcpu);
}

/* Reasons that need no more than their number. */
static void test_kinds(void **state)
{
	static const struct {
		uint32_t reason;
		enum v3_exit_kind kind;
		bool has_len;
	} kinds[] = {
		{ V3_VMX_REASON_INTR, V3_EXIT_INTR, false },
		{ V3_VMX_REASON_TRIPLE_FAULT, V3_EXIT_SHUTDOWN, false },
		{ V3_VMX_REASON_INIT, V3_EXIT_INIT, false },
		{ V3_VMX_REASON_SIPI, V3_EXIT_UNKNOWN, false },
		{ V3_VMX_REASON_SMI, V3_EXIT_SMI, false },
		{ V3_VMX_REASON_IO_SMI, V3_EXIT_SMI, false },
		{ V3_VMX_REASON_INTR_WINDOW, V3_EXIT_INTR_WINDOW, false },
		{ V3_VMX_REASON_NMI_WINDOW, V3_EXIT_NMI_WINDOW, false },
		{ V3_VMX_REASON_CPUID, V3_EXIT_CPUID, true },
		{ V3_VMX_REASON_GETSEC, V3_EXIT_UNDEFINED, false },
		{ V3_VMX_REASON_HLT, V3_EXIT_HLT, true },
		{ V3_VMX_REASON_INVD, V3_EXIT_INVD, true },
		{ V3_VMX_REASON_INVLPG, V3_EXIT_UNKNOWN, false },
		{ V3_VMX_REASON_RDPMC, V3_EXIT_EXCEPTION, false },
		{ V3_VMX_REASON_VMCALL, V3_EXIT_HYPERCALL, true },
		{ V3_VMX_REASON_VMCLEAR, V3_EXIT_UNDEFINED, false },
		{ V3_VMX_REASON_VMLAUNCH, V3_EXIT_UNDEFINED, false },
		{ V3_VMX_REASON_VMPTRLD, V3_EXIT_UNDEFINED, false },
		{ V3_VMX_REASON_VMREAD, V3_EXIT_UNDEFINED, false },
		{ V3_VMX_REASON_VMXOFF, V3_EXIT_UNDEFINED, false },
		{ V3_VMX_REASON_VMXON, V3_EXIT_UNDEFINED, false },
		{ V3_VMX_REASON_RDMSR, V3_EXIT_RDMSR, true },
		{ V3_VMX_REASON_WRMSR, V3_EXIT_WRMSR, true },
		{ V3_VMX_REASON_MWAIT, V3_EXIT_UNDEFINED, false },
		{ V3_VMX_REASON_MONITOR, V3_EXIT_UNDEFINED, false },
		{ V3_VMX_REASON_PAUSE, V3_EXIT_PAUSE, true },
		{ V3_VMX_REASON_TPR, V3_EXIT_INTR_WINDOW, false },
		{ V3_VMX_REASON_INVEPT, V3_EXIT_UNDEFINED, false },
		{ V3_VMX_REASON_INVVPID, V3_EXIT_UNDEFINED, false },
		{ V3_VMX_REASON_WBINVD, V3_EXIT_INVD, true },
		{ V3_VMX_REASON_XSETBV, V3_EXIT_XSETBV, true },
		{ V3_VMX_REASON_VMFUNC, V3_EXIT_UNDEFINED, false },
		{ V3_VMX_REASON_TIMER, V3_EXIT_INTR, false },
		{ 0xffff, V3_EXIT_UNKNOWN, false },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct v3_exit exit = exit_of(kinds[i].reason, 0x55);

		assert_int_equal(exit.kind, kinds[i].kind);
		assert_int_equal(exit.insn_len, kinds[i].has_len ? 3 : 0);
		if (exit.kind == V3_EXIT_UNKNOWN || exit.kind == V3_EXIT_SHUTDOWN) {
			assert_int_equal(exit.raw.code, kinds[i].reason);
			assert_int_equal(exit.raw.info1, 0x55);
		}
	}
}

static void test_misconfig(void **state)
{
	struct v3_exit exit = exit_of(V3_VMX_REASON_EPT_MISCONFIG, 0);

	(void)state;
	assert_int_equal(exit.kind, V3_EXIT_UNKNOWN);
	assert_int_equal(exit.raw.code, 49);
	assert_int_equal(exit.raw.info2, 0xfec00010);
}

static void test_io(void **state)
{
	struct v3_exit exit;

	(void)state;
	vcpu->rip = 0x1000;
	/* OUT DX, AL; IN EAX, imm8; OUTSW with REP */
	exit = exit_of(V3_VMX_REASON_IO, 0x03f80000);
	assert_int_equal(exit.kind, V3_EXIT_IO);
	assert_int_equal(exit.io.port, 0x3f8);
	assert_int_equal(exit.io.size, 1);
	assert_false(exit.io.in || exit.io.string);
	assert_int_equal(exit.io.next_rip, 0x1003);
	exit = exit_of(V3_VMX_REASON_IO, 0x0060004b);
	assert_int_equal(exit.io.port, 0x60);
	assert_int_equal(exit.io.size, 4);
	assert_true(exit.io.in);
	exit = exit_of(V3_VMX_REASON_IO, 0x01f00031);
	assert_int_equal(exit.io.size, 2);
	assert_true(exit.io.string);
	assert_false(exit.io.in);
	/* Over the end of a 32-bit segment. */
	vcpu->rip = 0xfffffffe;
	exit = exit_of(V3_VMX_REASON_IO, 0x03f80000);
	assert_int_equal(exit.io.next_rip, 1);
	/* 64-bit code goes on. */
	vmx_write(V3_VMCS_GUEST_EFER, V3_EFER_LME | V3_EFER_LMA);
	vmx_write(V3_VMCS_GUEST_ACCESS(V3_SEG_CS), 0xa09b);
	vmx_write(V3_VMCS_ENTRY_CTLS, vmx_read(V3_VMCS_ENTRY_CTLS) | V3_VMX_ENTRY_CTL_IA32E);
	vmx_write(V3_VMCS_GUEST_CR4, vmx_read(V3_VMCS_GUEST_CR4) | V3_CR4_PAE);
	vmx_write(V3_VMCS_GUEST_CR0, vmx_read(V3_VMCS_GUEST_CR0) | V3_CR0_PE | V3_CR0_PG);
	vcpu->rip = 0xfffffffe;
	exit = exit_of(V3_VMX_REASON_IO, 0x03f80000);
	assert_int_equal(exit.io.next_rip, 0x100000001);
}

static void test_ept_violation(void **state)
{
	struct v3_exit exit;

	(void)state;
	exit = exit_of(V3_VMX_REASON_EPT_VIOLATION, 0x181);
	assert_int_equal(exit.kind, V3_EXIT_NESTED_FAULT);
	assert_int_equal(exit.npf.gpa, 0xfec00010);
	assert_false(exit.npf.write || exit.npf.fetch || exit.npf.present || exit.npf.walk ||
		     exit.npf.delivery);
	exit = exit_of(V3_VMX_REASON_EPT_VIOLATION, 0x1aa);
	assert_true(exit.npf.write && exit.npf.present);
	assert_false(exit.npf.fetch || exit.npf.walk);
	exit = exit_of(V3_VMX_REASON_EPT_VIOLATION, 0x184);
	assert_true(exit.npf.fetch);
	/* The guest's tables; the load of its PDPTEs. */
	exit = exit_of(V3_VMX_REASON_EPT_VIOLATION, 0x081);
	assert_true(exit.npf.walk);
	exit = exit_of(V3_VMX_REASON_EPT_VIOLATION, 0x001);
	assert_true(exit.npf.walk);
}

static void test_cr_dr(void **state)
{
	static const struct {
		uint64_t qual;
		unsigned int cr;
		bool write;
	} accesses[] = {
		{ 0x000, 0, true },	/* MOV CR0, RAX */
		{ 0x304, 4, true },	/* MOV CR4, RBX */
		{ 0x118, 8, false },	/* MOV RCX, CR8 */
		{ 0x208, 8, true },
		{ 0x020, 0, true },	/* CLTS */
		{ 0x10030, 0, true },	/* LMSW */
	};
	struct v3_exit exit;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++) {
		exit = exit_of(V3_VMX_REASON_CR, accesses[i].qual);
		assert_int_equal(exit.kind, V3_EXIT_CR);
		assert_int_equal(exit.cr.cr, accesses[i].cr);
		assert_int_equal(exit.cr.write, accesses[i].write);
	}
	exit = exit_of(V3_VMX_REASON_DR, 0x007);
	assert_int_equal(exit.kind, V3_EXIT_DR);
	assert_int_equal(exit.dr.dr, 7);
	assert_true(exit.dr.write);
	exit = exit_of(V3_VMX_REASON_DR, 0x316);
	assert_int_equal(exit.dr.dr, 6);
	assert_false(exit.dr.write);
}

static struct v3_exit exception(uint32_t event, uint32_t error, uint64_t qualification)
{
	EXIT_WITH({ V3_VMCS_EXIT_REASON, V3_VMX_REASON_EXCEPTION }, { V3_VMCS_EXIT_EVENT, event },
		  { V3_VMCS_EXIT_ERROR, error }, { V3_VMCS_EXIT_QUALIFICATION, qualification },
		  { V3_VMCS_EXIT_INSN_LEN, 1 });
	return enter(vcpu);
}

static void test_exceptions(void **state)
{
	struct v3_exit exit;
	uint64_t rip;

	(void)state;
	exit = exception(0x80000b11, 0, 0);		/* #AC */
	assert_int_equal(exit.kind, V3_EXIT_EXCEPTION);
	assert_int_equal(exit.exception.vector, 17);
	assert_true(exit.exception.has_error);
	exit = exception(0x80000b0e, 7, 0x5000);	/* #PF */
	assert_int_equal(exit.exception.error, 7);
	assert_int_equal(exit.exception.cr2, 0x5000);
	assert_int_equal(exception(0x80000312, 0, 0).kind, V3_EXIT_MACHINE_CHECK);
	/* DR6 is told in the qualification. */
	vmx_set_dr(vcpu, 6, V3_DR6_RESET | V3_DR6_B(0));
	rip = vcpu->rip;
	exit = exception(0x80000301, 0, 0x4002);
	assert_int_equal(exit.exception.vector, 1);
	assert_false(exit.exception.has_error);
	assert_int_equal(vmx_get_dr(vcpu, 6), V3_DR6_RESET | V3_DR6_BS | V3_DR6_B(1));
	assert_int_equal(vcpu->rip, rip);
	/* INT1 is a trap: behind the instruction. */
	exception(0x80000501, 0, 0);
	assert_int_equal(vcpu->rip, rip + 1);
}

static void test_msr_bitmap(void **state)
{
	static const uint32_t free_msrs[] = {
		V3_MSR_FS_BASE, V3_MSR_GS_BASE, V3_MSR_KERNEL_GS_BASE, V3_MSR_STAR, V3_MSR_LSTAR,
		V3_MSR_CSTAR, V3_MSR_SFMASK, V3_MSR_SYSENTER_CS, V3_MSR_SYSENTER_ESP,
		V3_MSR_SYSENTER_EIP,
	};
	const uint8_t *bitmap = v3_os_virt(host, vmx_vm(vm)->msr_bitmap);
	unsigned int i, is_free = 0;
	uint32_t msr;

	(void)state;
	for (i = 0; i < sizeof(free_msrs) / sizeof(free_msrs[0]); i++) {
		assert_false(vmx_msr_bitmap_exits(bitmap, free_msrs[i], false));
		assert_false(vmx_msr_bitmap_exits(bitmap, free_msrs[i], true));
	}
	assert_false(vmx_msr_bitmap_exits(bitmap, V3_MSR_TSC, false));
	/* No others. */
	for (msr = 0; msr < 0x2000; msr++)
		is_free += !vmx_msr_bitmap_exits(bitmap, msr, false) +
			   !vmx_msr_bitmap_exits(bitmap, msr, true) +
			   !vmx_msr_bitmap_exits(bitmap, 0xc0000000 + msr, false) +
			   !vmx_msr_bitmap_exits(bitmap, 0xc0000000 + msr, true);
	assert_int_equal(is_free, 2 * i + 1);
	assert_true(vmx_msr_bitmap_exits(bitmap, 0x2000, false));
	assert_true(vmx_msr_bitmap_exits(bitmap, 0xc0010114, true));
}

/* An Intel guest's kernel reads it before it can handle a fault. */
static void test_misc_enable(void **state)
{
	struct v3_exit exit = { .kind = V3_EXIT_RDMSR, .insn_len = 2 };

	(void)state;
	vcpu->gpr[1] = V3_MSR_MISC_ENABLE;
	vcpu->gpr[0] = vcpu->gpr[2] = ~0ull;
	v3_exit_rdmsr(vcpu, &exit);
	assert_false(vcpu->exception.valid);
	assert_int_equal(vcpu->gpr[0], V3_MISC_ENABLE_FAST_STRING | V3_MISC_ENABLE_BTS_UNAVAIL |
			 V3_MISC_ENABLE_PEBS_UNAVAIL);
	assert_int_equal(vcpu->gpr[2], 0);
	vcpu->gpr[0] = 0;
	v3_exit_wrmsr(vcpu, &exit);
	assert_false(vcpu->exception.valid);
	v3_exit_rdmsr(vcpu, &exit);
	assert_true(vcpu->gpr[0] & V3_MISC_ENABLE_FAST_STRING);
	/* AMD's CPUs do not have it. */
	vm->cpuid[0].regs.ebx = 0;
	v3_exit_rdmsr(vcpu, &exit);
	assert_true(vcpu->exception.valid);
	assert_int_equal(vcpu->exception.vector, 13);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_kinds), TEST(test_misconfig), TEST(test_io), TEST(test_ept_violation),
		TEST(test_cr_dr), TEST(test_exceptions), TEST(test_msr_bitmap),
		TEST(test_misc_enable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
