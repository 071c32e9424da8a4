/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect_fail.h"
#include "fakes/fake_lock.h"
#include "fakes/fake_x86.h"
#include "lib/lock.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/msr.h"

static int reset(void **state)
{
	v3_fake_x86_reset();
	return 0;
}

static void test_msrs(void **state)
{
	assert_true(v3_x86_rdmsr(V3_MSR_PAT) == V3_PAT_RESET);
	v3_x86_wrmsr(V3_MSR_LSTAR, 0x1234);
	assert_int_equal(v3_fake_msr_get(V3_MSR_LSTAR), 0x1234);
	assert_int_equal(v3_fake_msr_writes(V3_MSR_LSTAR), 1);
	assert_int_equal(v3_fake_msr_reads(V3_MSR_LSTAR), 0);
	/* Each CPU has its own. */
	assert_int_not_equal(v3_fake_msr_get_on(1, V3_MSR_LSTAR), 0x1234);
	v3_fake_set_cpu(1);
	assert_int_not_equal(v3_x86_rdmsr(V3_MSR_LSTAR), 0x1234);
	EXPECT_FAIL("RDMSR of MSR 0xdead", v3_x86_rdmsr(0xdead));
	EXPECT_FAIL("WRMSR of MSR 0xdead", v3_x86_wrmsr(0xdead, 0));
	v3_fake_msr_writable(V3_MSR_EFER, ~(uint64_t)V3_EFER_SVME);
	EXPECT_FAIL("not writable", v3_x86_wrmsr(V3_MSR_EFER, V3_EFER_SVME | V3_EFER_LME |
							      V3_EFER_LMA | V3_EFER_NXE | V3_EFER_SCE));
	v3_fake_msr_remove(V3_MSR_VM_CR);
	EXPECT_FAIL("RDMSR", v3_x86_rdmsr(V3_MSR_VM_CR));
}

static void test_cpuid(void **state)
{
	struct v3_cpuid_regs regs;

	v3_x86_cpuid(V3_CPUID_LEAF_SVM, 7, &regs);
	assert_int_equal(regs.ebx, 16);
	assert_int_equal(regs.edx, V3_CPUID_SVM_EDX_NPT);
	v3_fake_cpuid_at(V3_CPUID_LEAF_SVM, 0)->edx |= V3_CPUID_SVM_EDX_NRIPS;
	v3_x86_cpuid(V3_CPUID_LEAF_SVM, 0, &regs);
	assert_true(regs.edx & V3_CPUID_SVM_EDX_NRIPS);
	v3_x86_cpuid(0x12345678, 0, &regs);
	assert_int_equal(regs.eax | regs.ebx | regs.ecx | regs.edx, 0);
	EXPECT_FAIL("no CPUID leaf", v3_fake_cpuid_at(0x12345678, 0));
}

static void test_interrupts(void **state)
{
	uint64_t outer = v3_x86_irq_save();

	assert_false(v3_fake_irqs_on());
	v3_x86_irq_restore(v3_x86_irq_save());
	assert_false(v3_fake_irqs_on());
	v3_x86_irq_restore(outer);
	assert_true(v3_fake_irqs_on());
	EXPECT_FAIL("irq_restore", v3_x86_irq_restore(0));

	EXPECT_FAIL("CLGI", v3_x86_clgi());
	v3_fake_msr_set(V3_MSR_EFER, v3_fake_msr_get(V3_MSR_EFER) | V3_EFER_SVME);
	v3_x86_clgi();
	assert_false(v3_fake_gif());
	assert_false(v3_fake_irqs_on());
	v3_x86_stgi();
	assert_true(v3_fake_irqs_on());
	EXPECT_FAIL("aligned", v3_x86_vmload(0x1234));
}

static void test_trace(void **state)
{
	v3_fake_msr_set(V3_MSR_EFER, V3_EFER_SVME);
	v3_fake_trace_clear();
	v3_x86_vmsave(0x5000);
	v3_x86_wrmsr(V3_MSR_STAR, 7);
	v3_x86_write_dr7(0x401);
	v3_x86_invlpga(0x3000, 9);
	v3_x86_int_mce();
	v3_x86_wbinvd();
	assert_int_equal(v3_fake_trace_count(), 6);
	assert_int_equal(v3_fake_trace_at(0)->op, V3_FAKE_VMSAVE);
	assert_int_equal(v3_fake_trace_at(0)->value, 0x5000);
	assert_int_equal(v3_fake_trace_at(1)->arg, V3_MSR_STAR);
	assert_int_equal(v3_fake_trace_at(2)->arg, 7);
	assert_int_equal(v3_fake_trace_at(3)->arg, 9);
	assert_int_equal(v3_fake_trace_find(V3_FAKE_INT_MCE), 1);
	for (int i = 0; i < 300; i++)
		v3_x86_wbinvd();
	assert_int_equal(v3_fake_trace_find(V3_FAKE_WBINVD), V3_FAKE_TRACE_SIZE);
	EXPECT_FAIL("trace entry", v3_fake_trace_at(0));
}

static void test_registers(void **state)
{
	v3_x86_write_cr2(0x1000);
	v3_x86_write_cr3(0x2000);
	v3_x86_write_cr4(v3_x86_read_cr4() | V3_CR4_VMXE);
	v3_x86_write_cr0(v3_x86_read_cr0() | V3_CR0_TS);
	assert_int_equal(v3_x86_read_cr2() + v3_x86_read_cr3(), 0x3000);
	assert_true(v3_x86_read_cr0() & V3_CR0_TS);
	EXPECT_FAIL("CR0", v3_x86_write_cr0(V3_CR0_PE));
	EXPECT_FAIL("CR4", v3_x86_write_cr4(0));
	v3_x86_write_dr0(~0ULL);
	assert_true(v3_x86_read_dr0() == ~0ULL);
	EXPECT_FAIL("DR6", v3_x86_write_dr6(1ULL << 32));

	v3_fake_tsc_set(100);
	v3_fake_tsc_step(5);
	assert_int_equal(v3_x86_rdtsc(), 105);
	v3_fake_tsc_advance(10);
	assert_int_equal(v3_x86_rdmsr(V3_MSR_TSC), 120);
}

static void test_fpu(void **state)
{
	static uint8_t area[832] __attribute__((aligned(64)));

	memset(v3_fake_fpu(), 0x11, 512);
	memset(v3_fake_fpu() + 576, 0x22, 256);
	v3_x86_xsave64(area, ~0ULL);
	assert_int_equal(area[0], 0x11);
	assert_int_equal(area[576], 0x22);
	assert_int_equal(area[512], V3_XCR0_X87 | V3_XCR0_SSE | V3_XCR0_AVX);
	/* Components that the header leaves out are reset. */
	area[512] = V3_XCR0_X87 | V3_XCR0_SSE;
	v3_x86_xrstor64(area, ~0ULL);
	assert_int_equal(v3_fake_fpu()[511], 0x11);
	assert_int_equal(v3_fake_fpu()[576], 0);
	EXPECT_FAIL("aligned", v3_x86_fxsave64(area + 8));
	area[513] = 0xff;
	EXPECT_FAIL("XRSTOR header", v3_x86_xrstor64(area, ~0ULL));
	EXPECT_FAIL("XSETBV", v3_x86_xsetbv(0, 0));
	EXPECT_FAIL("XSETBV", v3_x86_xsetbv(0, V3_XCR0_X87 | V3_XCR0_AVX));
	EXPECT_FAIL("XSETBV", v3_x86_xsetbv(0, ~0ULL));
	v3_fake_x86_reset();
	v3_x86_xsetbv(0, V3_XCR0_X87);
	assert_int_equal(v3_x86_xgetbv(0), V3_XCR0_X87);
}

static void test_locks(void **state)
{
	struct v3_lock lock, other;

	v3_lock_init(&lock);
	v3_lock_init(&other);
	v3_lock_acquire(&lock);
	assert_int_equal(v3_fake_locks_held(), 1);
	EXPECT_FAIL("taken twice", v3_lock_acquire(&lock));
	EXPECT_FAIL("initialized while", v3_lock_init(&lock));
	assert_false(v3_lock_try(&lock));
	assert_true(v3_lock_try(&other));
	v3_lock_release(&lock);
	EXPECT_FAIL("does not hold", v3_lock_release(&lock));
	assert_false(v3_lock_is_held(&lock));
	v3_lock_release(&other);
	v3_lock_irqrestore(&lock, v3_lock_irqsave(&lock));
	assert_int_equal(v3_fake_locks_held(), 0);
	assert_true(v3_fake_irqs_on());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_msrs, reset),
		cmocka_unit_test_setup(test_cpuid, reset),
		cmocka_unit_test_setup(test_interrupts, reset),
		cmocka_unit_test_setup(test_trace, reset),
		cmocka_unit_test_setup(test_registers, reset),
		cmocka_unit_test_setup(test_fpu, reset),
		cmocka_unit_test_setup(test_locks, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
