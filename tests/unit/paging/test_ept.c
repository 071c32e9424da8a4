/* SPDX-License-Identifier: BSD-2-Clause */
/* Which EPT format a CPU gets, and EPT pointers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "paging/ept.h"
#include "x86/msr.h"

/*
 * IA32_VMX_EPT_VPID_CAP as a CPU with everything has it, and one without 1 GiB leaves and A/D
 * flags.
 */
#define CAP_ALL 0x00000f0106334141ull
#define CAP_OLD 0x00000f0106114141ull

static void test_format(void **state)
{
	unsigned int ignore;

	(void)state;
	for (ignore = 0; ignore < 2; ignore++) {
		const struct v3_nested_format *all = v3_ept_format(CAP_ALL, ignore);

		assert_int_equal(all->max_leaf, 3);
		assert_int_equal(!!(all->leaf(2, V3_NPT_RWX) & V3_EPT_IGNORE_PAT), ignore);
		assert_int_equal(v3_ept_format(CAP_OLD, ignore)->max_leaf, 2);
		assert_int_equal(v3_ept_format(V3_EPT_CAP_WALK_4, ignore)->max_leaf, 1);
		/* 1 GiB without 2 MiB is no use: a range can begin in the middle of a GiB. */
		assert_int_equal(v3_ept_format(CAP_ALL & ~V3_EPT_CAP_2M, ignore)->max_leaf, 1);
		assert_null(v3_ept_format(CAP_ALL & ~V3_EPT_CAP_WALK_4, ignore));
		assert_null(v3_ept_format(0, ignore));
	}
}

/* Combinations that the SDM calls misconfigurations (29.3.3.1) never come from a format. */
static void test_no_misconfiguration(void **state)
{
	unsigned int ignore, level, access;

	(void)state;
	for (ignore = 0; ignore < 2; ignore++) {
		const struct v3_nested_format *format = v3_ept_format(CAP_ALL, ignore);

		for (level = 1; level <= 3; level++) {
			for (access = 1; access < 64; access += 2) {
				uint64_t leaf = format->leaf(level, access);
				uint64_t type = leaf >> V3_EPT_MEMTYPE_SHIFT & 7;

				assert_true(leaf & V3_EPT_R);
				assert_true(type == V3_MEMTYPE_UC || type == V3_MEMTYPE_WB);
				assert_int_equal(leaf & ~0x3ffull, 0);
				assert_int_equal(format->access(leaf), access);
				assert_true(format->is_leaf(leaf, level));
			}
			/* Bit 7 tells leaves from tables; bits 6:3 of the latter are reserved. */
			if (level > 1)
				assert_false(format->is_leaf(format->table, level));
		}
		assert_int_equal(format->table & 0xf8, 0);
		assert_int_not_equal(format->access(format->table), 0);
		assert_int_equal(format->access(0), 0);
	}
}

static void test_pointer(void **state)
{
	const v3_hpa_t root = 0x123456000ull;

	(void)state;
	/* Write-back tables, four levels. */
	assert_int_equal(v3_ept_pointer(CAP_ALL, root, false), root | 0x1e);
	assert_int_equal(v3_ept_pointer(CAP_ALL, root, true), root | 0x5e);
	assert_int_equal(v3_ept_pointer(CAP_OLD, root, false), root | 0x1e);
	assert_int_equal(v3_ept_pointer(CAP_OLD, root, true), 0);
	/* A CPU that reads its tables uncached only; one that knows neither type. */
	assert_int_equal(v3_ept_pointer(CAP_ALL & ~V3_EPT_CAP_WB, root, false), root | 0x18);
	assert_int_equal(v3_ept_pointer(CAP_ALL & ~(V3_EPT_CAP_WB | V3_EPT_CAP_UC), root, false),
			 0);
	assert_int_equal(v3_ept_pointer(CAP_ALL & ~V3_EPT_CAP_WALK_4, root, false), 0);
	assert_int_equal(v3_ept_pointer(CAP_ALL, root | 8, false), 0);
	assert_int_equal(v3_ept_pointer(CAP_ALL, 1ull << 52, false), 0);
	assert_int_equal(v3_ept_pointer(CAP_ALL, V3_HPA_NONE, false), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_no_misconfiguration),
		cmocka_unit_test(test_pointer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
