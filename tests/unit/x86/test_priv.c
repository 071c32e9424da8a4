/* SPDX-License-Identifier: BSD-2-Clause */
/* src/x86/priv.c on the real CPU: the instructions that a user process may execute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/insn.h"

static void test_cpuid(void **state)
{
	struct v3_cpuid_regs regs;
	uint32_t max;

	v3_x86_cpuid(V3_CPUID_LEAF_VENDOR, 0, &regs);
	max = regs.eax;
	assert_true(max >= 1);
	v3_x86_cpuid(V3_CPUID_LEAF_FEATURES, 0, &regs);
	/* What every x86-64 CPU has, APM3 appendix D */
	assert_true(regs.edx & V3_CPUID_1_EDX_SSE2);
	assert_true(regs.edx & V3_CPUID_1_EDX_FXSR);
	v3_x86_cpuid(V3_CPUID_LEAF_EXT1, 0, &regs);
	assert_true(regs.edx & V3_CPUID_80000001_EDX_LM);
}

static void test_rdtsc(void **state)
{
	uint64_t first = v3_x86_rdtsc(), last = first;

	for (int i = 0; i < 1000 && last == first; i++) {
		v3_x86_pause();
		last = v3_x86_rdtsc();
	}
	assert_true(last > first);
}

static void test_fxsave(void **state)
{
	uint8_t before[512] __attribute__((aligned(16))) = { 0 };
	uint8_t after[512] __attribute__((aligned(16))) = { 0 };
	uint32_t mxcsr, changed;

	v3_x86_fxsave64(before);
	memcpy(&mxcsr, before + 24, 4);
	changed = mxcsr ^ 0x6000;	/* rounding mode */
	memcpy(before + 24, &changed, 4);
	v3_x86_fxrstor64(before);
	v3_x86_fxsave64(after);
	memcpy(before + 24, &mxcsr, 4);
	v3_x86_fxrstor64(before);
	memcpy(&changed, after + 24, 4);
	assert_int_equal(changed, mxcsr ^ 0x6000);
}

static void test_xsave(void **state)
{
	static uint8_t area[1024] __attribute__((aligned(64)));
	struct v3_cpuid_regs regs;
	uint64_t xcr0, xstate_bv;

	v3_x86_cpuid(V3_CPUID_LEAF_FEATURES, 0, &regs);
	if (!(regs.ecx & V3_CPUID_1_ECX_OSXSAVE)) {
		print_message("this CPU or kernel has no XSAVE\n");
		skip();
	}
	xcr0 = v3_x86_xgetbv(0);
	assert_true(xcr0 & V3_XCR0_X87);
	v3_x86_xsave64(area, V3_XCR0_X87 | V3_XCR0_SSE);
	memcpy(&xstate_bv, area + 512, 8);
	assert_int_equal(xstate_bv & ~(V3_XCR0_X87 | V3_XCR0_SSE), 0);
	v3_x86_xrstor64(area, V3_XCR0_X87 | V3_XCR0_SSE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpuid),
		cmocka_unit_test(test_rdtsc),
		cmocka_unit_test(test_fxsave),
		cmocka_unit_test(test_xsave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
