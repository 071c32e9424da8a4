/* SPDX-License-Identifier: BSD-2-Clause */
/* The VM's clock: what the TSC says a deadline is, v3_now() has to say too, also after a year. */
#include "script.h"

static const uint64_t khz[] = { 100000, 1000000, 2000000, 2307949, 2794748, 3693060, 5000001 };
static const uint64_t ns[] = { 0, 1, 999, 1000000007, 86400000000000ull, 30 * 86400000000000ull,
	366 * 86400000000000ull + 123456789 };

static void test_deadlines(void **state)
{
	static struct v3_host host;
	static struct v3_vm vm = { .host = &host, .tsc_base = 1234567890123 };
	unsigned int i, j;
	uint64_t tsc;

	for (i = 0; i < sizeof(khz) / sizeof(khz[0]); i++) {
		host.ns_per_tick_32 = (1000000ull << 32) / khz[i];
		host.ticks_per_ns_32 = (khz[i] << 32) / 1000000;
		for (j = 0; j < sizeof(ns) / sizeof(ns[0]); j++) {
			tsc = v3_vm_ns_to_tsc(&vm, ns[j]);
			v3_fake_tsc_set(tsc);
			assert_true(v3_now(&vm) >= ns[j]);
			/* And not much later: two ticks, and a nanosecond of rounding. */
			v3_fake_tsc_set(tsc > vm.tsc_base + 3 ? tsc - 3 : vm.tsc_base);
			assert_true(v3_now(&vm) <= ns[j] + 1);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deadlines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
