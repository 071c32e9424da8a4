/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions that come while another one is delivered, up to shutdown; and error codes. */
#include "guest.h"

#include <string.h>

#include "x86/cr.h"
#include "x86/excp.h"
#include "x86/msr.h"

static const uint8_t vectors[] = {
	V3_EXCP_DE, V3_EXCP_DB, V3_EXCP_BR, V3_EXCP_UD, V3_EXCP_NM, V3_EXCP_DF, V3_EXCP_TS,
	V3_EXCP_NP, V3_EXCP_SS, V3_EXCP_GP, V3_EXCP_PF, V3_EXCP_MF, V3_EXCP_AC, V3_EXCP_XF,
};
#define NUM_VECTORS (sizeof(vectors) / sizeof(vectors[0]))

static bool contributory(uint8_t vector)
{
	return vector == V3_EXCP_DE || (vector >= V3_EXCP_TS && vector <= V3_EXCP_GP);
}

enum outcome { SECOND, DOUBLE, SHUTDOWN };

/* The table of APM2 8.2.9, and SDM3 6.15 for what follows a double fault. */
static enum outcome expected(uint8_t first, uint8_t second)
{
	if (first == V3_EXCP_DF)
		return contributory(second) || second == V3_EXCP_PF || second == V3_EXCP_DF ?
			SHUTDOWN : SECOND;
	if (contributory(first) && contributory(second))
		return DOUBLE;
	if (first == V3_EXCP_PF && (contributory(second) || second == V3_EXCP_PF))
		return DOUBLE;
	return SECOND;
}

static bool has_code(uint8_t vector)
{
	return vector == V3_EXCP_DF || (vector >= V3_EXCP_TS && vector <= V3_EXCP_PF) ||
	       vector == V3_EXCP_AC;
}

static uint64_t event(uint8_t vector, uint32_t code)
{
	return has_code(vector) ? INJ_EXCP_ERR(vector, code) : INJ_EXCP(vector);
}

static struct script *begin(void)
{
	struct script *script = guest_create(NULL, "\x90", 1);

	guest_start(script);
	return script;
}

static void test_pairs(void **state)
{
	struct script *script = begin();
	unsigned int i, k, doubles = 0;

	(void)state;
	for (i = 0; i < NUM_VECTORS; i++) {
		for (k = 0; k < NUM_VECTORS; k++) {
			uint8_t first = vectors[i], second = vectors[k];
			enum outcome outcome = expected(first, second);

			/* A double fault as second one comes from the CPU only. */
			if (second == V3_EXCP_DF || outcome == SHUTDOWN)
				continue;
			script->vmcb->exit_int_info = event(first, 0x18);
			guest_exit(script, SVM_EXIT_EXCEPTION + second, 0x50, 0x1000);
			assert_int_equal(script->vmcb->event_inj,
					 outcome == DOUBLE ? event(V3_EXCP_DF, 0)
							   : event(second, 0x50));
			doubles += outcome == DOUBLE;
			script->vmcb->event_inj = 0;
		}
	}
	/* 5 contributory ones in pairs, and 6 that can follow a page fault. */
	assert_int_equal(doubles, 5 * 5 + 6);
	guest_destroy(script);
}

/* A fault in the delivery of each fault of a chain: #PF, #DF, and the end. */
static void test_shutdown(void **state)
{
	unsigned int k, ends = 0;

	(void)state;
	for (k = 0; k < NUM_VECTORS; k++) {
		struct script *script;
		struct v3_vm_end end;

		if (expected(V3_EXCP_DF, vectors[k]) != SHUTDOWN || vectors[k] == V3_EXCP_DF)
			continue;
		script = begin();
		script->vmcb->exit_int_info = event(V3_EXCP_PF, 2);
		guest_exit(script, SVM_EXIT_EXCEPTION + V3_EXCP_PF, 2, 0xdead000);
		assert_int_equal(script->vmcb->event_inj, event(V3_EXCP_DF, 0));
		script->vmcb->exit_int_info = event(V3_EXCP_DF, 0);
		guest_exit_ends(script, SVM_EXIT_EXCEPTION + vectors[k], 0, 0xdead000, &end);
		assert_int_equal(end.kind, V3_END_CRASH);
		assert_non_null(strstr(end.reason, "triple fault"));
		assert_non_null(strstr(end.reason, "delivering exception 8 at RIP 0x200000"));
		guest_destroy(script);
		ends++;
	}
	assert_int_equal(ends, 6);
}

/* The same, found by the CPU. */
static void test_shutdown_exit(void **state)
{
	struct script *script = begin();
	struct v3_vm_end end;

	(void)state;
	guest_exit_ends(script, SVM_EXIT_SHUTDOWN, 0, 0, &end);
	assert_int_equal(end.kind, V3_END_CRASH);
	assert_non_null(strstr(end.reason, "triple fault at RIP 0x200000"));
	guest_destroy(script);
}

/* Real mode pushes no error codes; virtual-8086 mode does. */
static void test_error_codes(void **state)
{
	struct script *script = begin();

	(void)state;
	script->gpr[RCX] = 0xdeadbeef;
	guest_exit(script, SVM_EXIT_MSR, 0, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP_ERR(V3_EXCP_GP, 0));
	script->vmcb->cr0 &= ~(V3_CR0_PE | V3_CR0_PG);
	guest_exit(script, SVM_EXIT_MSR, 0, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP(V3_EXCP_GP));
	script->vmcb->exit_int_info = INJ_EXCP(V3_EXCP_GP);
	guest_exit(script, SVM_EXIT_MSR, 0, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP(V3_EXCP_DF));
	script->vmcb->cr0 |= V3_CR0_PE;
	script->vmcb->rflags |= V3_RFLAGS_VM;
	guest_exit(script, SVM_EXIT_MSR, 0, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP_ERR(V3_EXCP_GP, 0));
	guest_destroy(script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_shutdown),
		cmocka_unit_test(test_shutdown_exit),
		cmocka_unit_test(test_error_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
