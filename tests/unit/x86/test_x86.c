/* SPDX-License-Identifier: BSD-2-Clause */
/* Inline helpers of src/x86, and some constants against values written down independently. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "x86/apic.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/excp.h"
#include "x86/msr.h"
#include "x86/pte.h"
#include "x86/seg.h"

static void test_error_codes(void **state)
{
	static const uint8_t with[] = { 8, 10, 11, 12, 13, 14, 17, 21, 29, 30 };
	unsigned int next = 0;

	for (unsigned int v = 0; v < 300; v++) {
		bool want = next < sizeof(with) && with[next] == v;

		next += want;
		assert_int_equal(v3_excp_has_error_code(v), want);
	}
	assert_int_equal(next, sizeof(with));
}

static void test_double_fault(void **state)
{
	/* APM2 table 8-3 */
	assert_int_equal(v3_excp_combine(V3_EXCP_GP, V3_EXCP_NP), V3_EXCP_DF);
	assert_int_equal(v3_excp_combine(V3_EXCP_DE, V3_EXCP_TS), V3_EXCP_DF);
	assert_int_equal(v3_excp_combine(V3_EXCP_GP, V3_EXCP_PF), V3_EXCP_PF);
	assert_int_equal(v3_excp_combine(V3_EXCP_PF, V3_EXCP_PF), V3_EXCP_DF);
	assert_int_equal(v3_excp_combine(V3_EXCP_PF, V3_EXCP_GP), V3_EXCP_DF);
	assert_int_equal(v3_excp_combine(V3_EXCP_UD, V3_EXCP_GP), V3_EXCP_GP);
	assert_int_equal(v3_excp_combine(V3_EXCP_PF, V3_EXCP_DB), V3_EXCP_DB);
	assert_int_equal(v3_excp_combine(V3_EXCP_DF, V3_EXCP_NP), -1);
	assert_int_equal(v3_excp_combine(V3_EXCP_DF, V3_EXCP_PF), -1);
	/* An external interrupt's vector is never contributory. */
	assert_int_equal(v3_excp_combine(V3_EXCP_GP, 0x80), 0x80);
	assert_int_equal(v3_excp_combine(0x80, V3_EXCP_GP), V3_EXCP_GP);
}

static void test_descriptor(void **state)
{
	/* Flat 64-bit code and 32-bit data, as every kernel's GDT has them */
	uint64_t code64 = 0x00af9b000000ffffULL, data32 = 0x00cf93000000ffffULL;
	uint64_t odd = v3_desc_make(0x89abcdef, 0x45678, V3_SEG_P | V3_SEG_TYPE_TSS_BUSY);

	assert_int_equal(v3_desc_base(code64), 0);
	assert_int_equal(v3_desc_limit(code64), 0xffffffff);
	assert_int_equal(v3_desc_attr(code64), V3_SEG_ATTR_CODE64);
	assert_int_equal(v3_desc_attr(data32), V3_SEG_ATTR_DATA32);
	assert_true(v3_desc_make(0, 0xfffff, V3_SEG_ATTR_CODE64) == code64);
	assert_int_equal(v3_desc_base(odd), 0x89abcdef);
	assert_int_equal(v3_desc_limit(odd), 0x45678);
	assert_int_equal(v3_desc_attr(odd), V3_SEG_ATTR_TSS_BUSY);
	assert_int_equal(V3_SEG_DPL(0x00f3), 3);
}

static void test_paging(void **state)
{
	assert_true(v3_is_canonical(0x00007fffffffffffULL, 48));
	assert_false(v3_is_canonical(0x0000800000000000ULL, 48));
	assert_false(v3_is_canonical(0xffff7fffffffffffULL, 48));
	assert_true(v3_is_canonical(0xffff800000000000ULL, 48));
	assert_true(v3_is_canonical(0x0000800000000000ULL, 57));
	assert_true(v3_is_canonical(0xff00000000000000ULL, 57));
	assert_false(v3_is_canonical(0xfe00000000000000ULL, 57));

	assert_int_equal(V3_PT_INDEX(0xffffffff80201000ULL, 1), 1);
	assert_int_equal(V3_PT_INDEX(0xffffffff80201000ULL, 2), 1);
	assert_int_equal(V3_PT_INDEX(0xffffffff80201000ULL, 3), 510);
	assert_int_equal(V3_PT_INDEX(0xffffffff80201000ULL, 4), 511);
	assert_true(V3_PTE_ADDR_MASK_2M + (V3_PAGE_SIZE_2M - 1) == (1ULL << 52) - 1);
	assert_true(V3_PTE_ADDR_MASK_1G + (V3_PAGE_SIZE_1G - 1) == (1ULL << 52) - 1);
}

static void test_constants(void **state)
{
	static const char amd[] = "AuthenticAMD", intel[] = "GenuineIntel";
	const uint32_t a[3] = { V3_CPUID_AMD_EBX, V3_CPUID_AMD_EDX, V3_CPUID_AMD_ECX };
	const uint32_t i[3] = { V3_CPUID_INTEL_EBX, V3_CPUID_INTEL_EDX, V3_CPUID_INTEL_ECX };
	const uint32_t h[3] = { V3_CPUID_HYGON_EBX, V3_CPUID_HYGON_EDX, V3_CPUID_HYGON_ECX };

	assert_memory_equal(a, amd, 12);
	assert_memory_equal(i, intel, 12);
	assert_memory_equal(h, "HygonGenuine", 12);
	assert_int_equal(V3_CR0_RESET, 0x60000010);
	assert_int_equal(V3_MSR_MC_STATUS(2), 0x409);
	assert_int_equal(V3_MSR_MTRR_PHYSMASK(7), 0x20f);
	assert_int_equal(V3_MSR_X2APIC_FIRST + (V3_APIC_ICR_LOW >> 4), V3_MSR_X2APIC_ICR);
	assert_int_equal(V3_MSR_X2APIC_FIRST + (V3_APIC_EOI >> 4), V3_MSR_X2APIC_EOI);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error_codes), cmocka_unit_test(test_double_fault),
		cmocka_unit_test(test_descriptor),  cmocka_unit_test(test_paging),
		cmocka_unit_test(test_constants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
