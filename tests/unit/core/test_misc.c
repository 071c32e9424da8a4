/* SPDX-License-Identifier: BSD-2-Clause */
/* The other exits: instructions that do little, hypercalls, exceptions, ends. */
#include "guest.h"

#include <string.h>

#include "fakes/fake_x86_state.h"
#include "x86/cr.h"
#include "x86/excp.h"
#include "x86/seg.h"

static struct script *start(const void *code, size_t len)
{
	struct script *script = guest_create(NULL, code, len);

	guest_start(script);
	return script;
}

static void test_skipped(void **state)
{
	/* pause; invd; wbinvd; repnz wbinvd */
	static const uint8_t code[] = { 0xf3, 0x90, 0x0f, 0x08, 0x0f, 0x09, 0xf2, 0x0f, 0x09 };
	struct script *script = start(code, sizeof(code));

	(void)state;
	script->vmcb->int_shadow = 1;
	guest_exit(script, SVM_EXIT_PAUSE, 0, 0);
	assert_int_equal(guest_rip(script), 2);
	assert_int_equal(script->vmcb->int_shadow, 0);
	guest_exit(script, SVM_EXIT_INVD, 0, 0);
	assert_int_equal(guest_rip(script), 4);
	guest_exit(script, SVM_EXIT_WBINVD, 0, 0);
	assert_int_equal(guest_rip(script), 6);
	guest_exit(script, SVM_EXIT_WBINVD, 0, 0);
	assert_int_equal(guest_rip(script), 9);
	/* The host's caches are none of the guest's business. */
	assert_int_equal(fake_x86.cpus[v3_vcpu_cpu(script->vcpu)].trace_count > 0, 1);
	assert_int_equal(script->vcpu->stats.exits[V3_EXIT_INVD], 3);
	guest_destroy(script);
}

/* Host events: nothing changes in the guest. */
static void test_host_events(void **state)
{
	static const uint64_t codes[] = { SVM_EXIT_INTR, SVM_EXIT_NMI, SVM_EXIT_SMI, SVM_EXIT_INIT };
	struct script *script = start("\x90", 1);
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		script->vmcb->int_shadow = 1;
		guest_exit(script, codes[i], 0, 0);
		assert_int_equal(guest_rip(script), 0);
		assert_int_equal(script->vmcb->event_inj, 0);
		assert_int_equal(script->vmcb->int_shadow, 1);
	}
	assert_int_equal(script->vcpu->stats.exits[V3_EXIT_SMI], 1);
	guest_destroy(script);
}

static void test_undefined(void **state)
{
	static const uint64_t codes[] = {
		SVM_EXIT_VMRUN, SVM_EXIT_VMLOAD, SVM_EXIT_SKINIT, SVM_EXIT_MONITOR, SVM_EXIT_MWAIT,
		SVM_EXIT_INVLPGA, SVM_EXIT_RDPRU,
	};
	struct script *script = start("\x0f\x01\xd8", 3);
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		guest_exit(script, codes[i], 0, 0);
		assert_int_equal(script->vmcb->event_inj, INJ_EXCP(V3_EXCP_UD));
		assert_int_equal(guest_rip(script), 0);
	}
	guest_destroy(script);
}

/* What is intercepted only so that it cannot loop goes on to the guest. */
static void test_exceptions(void **state)
{
	struct script *script = start("\x90", 1);

	(void)state;
	guest_exit(script, SVM_EXIT_EXCEPTION + V3_EXCP_DB, 0, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP(V3_EXCP_DB));
	guest_exit(script, SVM_EXIT_EXCEPTION + V3_EXCP_AC, 0, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP_ERR(V3_EXCP_AC, 0));
	assert_int_equal(guest_rip(script), 0);
	assert_int_equal(script->vcpu->stats.injected, 2);
	guest_destroy(script);
}

/* The host's machine-check handler gets it; the guest goes on if that returns. */
static void test_machine_check(void **state)
{
	struct script *script = start("\x90", 1);
	struct fake_cpu *cpu = &fake_x86.cpus[v3_vcpu_cpu(script->vcpu)];
	unsigned int i, found = 0;

	(void)state;
	guest_exit(script, SVM_EXIT_EXCEPTION + V3_EXCP_MC, 0, 0);
	for (i = 0; i < cpu->trace_count && i < V3_FAKE_TRACE_SIZE; i++)
		found += cpu->trace[i].op == V3_FAKE_INT_MCE;
	assert_int_equal(found, 1);
	assert_int_equal(script->vmcb->event_inj, 0);
	guest_destroy(script);
}

/* With RFLAGS.TF an instruction that is done in software traps after it. */
static void test_trap_flag(void **state)
{
	struct script *script = start("\x0f\xa2\x0f\xa2", 4);

	(void)state;
	script->vmcb->rflags |= V3_RFLAGS_TF | V3_RFLAGS_RF;
	guest_exit(script, SVM_EXIT_CPUID, 0, 0);
	assert_int_equal(guest_rip(script), 2);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP(V3_EXCP_DB));
	assert_true(script->vmcb->dr6 & V3_DR6_BS);
	assert_false(script->vmcb->rflags & V3_RFLAGS_RF);
	script->vmcb->rflags &= ~V3_RFLAGS_TF;
	script->vmcb->rflags |= V3_RFLAGS_RF;
	guest_exit(script, SVM_EXIT_CPUID, 0, 0);
	assert_int_equal(script->vmcb->event_inj, 0);
	assert_false(script->vmcb->rflags & V3_RFLAGS_RF);
	guest_destroy(script);
}

/* Outside of 64-bit mode RIP wraps at 4 GiB. */
static void test_rip_wraps(void **state)
{
	struct script *script = start("\xf3\x90", 2);

	(void)state;
	script->vmcb->cs.attrib = V3_SEG_ATTR_CODE32;
	script->vmcb->rip = 0xffffffff;
	guest_exit(script, SVM_EXIT_PAUSE, 0, 0);
	assert_int_equal(script->vmcb->rip, 1);
	guest_destroy(script);
}

/* --- Bytes that cannot be decoded --- */

static void test_bad_bytes(void **state)
{
	/* 16 prefixes; something that is no instruction */
	static const uint8_t too_long[] = { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
					    0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90 };
	struct script *script = start(too_long, sizeof(too_long));

	(void)state;
	guest_exit(script, SVM_EXIT_WBINVD, 0, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP_ERR(V3_EXCP_GP, 0));
	assert_int_equal(guest_rip(script), 0);
	assert_int_equal(v3_vm_write(script->vm, SCRIPT_RIP, "\x06", 1), V3_OK);
	guest_exit(script, SVM_EXIT_WBINVD, 0, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP(V3_EXCP_UD));
	guest_destroy(script);
}

/* An instruction whose second half is in a page that is not there: #PF for that page. */
static void test_cut_instruction(void **state)
{
	struct script *script = guest_create(NULL, "\x90", 1);
	uint64_t entry = 0;

	(void)state;
	/* The last byte of the third 2 MiB page of linear memory; RAM at 0x200000 is behind it. */
	assert_int_equal(v3_vm_write(script->vm, 0x12000 + 8 * 2, &entry, 8), V3_OK);
	assert_int_equal(v3_vm_write(script->vm, 0x3fffff, "\x0f", 1), V3_OK);
	guest_start(script);
	script->vmcb->rip = 0x3fffff;
	guest_exit(script, SVM_EXIT_WBINVD, 0, 0);
	assert_int_equal(script->vmcb->event_inj & 0xff, V3_EXCP_PF);
	assert_int_equal(script->vmcb->cr2, 0x400000);
	assert_int_equal(script->vmcb->rip, 0x3fffff);
	guest_destroy(script);
}

static void test_no_code(void **state)
{
	struct script *script = start("\x90", 1);
	struct v3_vm_end end;

	(void)state;
	script->vmcb->rip = 0xfe000000;	/* mapped, no memory */
	guest_exit_ends(script, SVM_EXIT_WBINVD, 0, 0, &end);
	assert_int_equal(end.kind, V3_END_CRASH);
	assert_non_null(strstr(end.reason, "0xfe000000"));
	guest_destroy(script);
}

/* --- Hypercalls --- */

static enum v3_hook_result hypercall(struct v3_vcpu *vcpu, void *ctx, uint64_t number,
				     const uint64_t args[5], uint64_t *result)
{
	uint64_t *seen = ctx;

	(void)vcpu;
	memcpy(seen, args, 5 * sizeof(*seen));
	*result = number + 1;
	return number == 0x101 ? V3_HOOK_FAULT : number == 0x102 ? V3_HOOK_PASS : V3_HOOK_DONE;
}

static void call(struct script *script, uint64_t number)
{
	guest_set_rip(script, 0);
	script->vmcb->rax = number;
	guest_exit(script, SVM_EXIT_VMMCALL, 0, 0);
}

static void test_hypercalls(void **state)
{
	struct script *script = guest_create(NULL, "\x0f\x01\xd9", 3);
	uint64_t seen[5] = { 0 };
	unsigned int i;

	(void)state;
	assert_int_equal(v3_hypercall_hook(script->vm, 0x100, 3, hypercall, seen), V3_OK);
	assert_int_equal(v3_hypercall_hook(script->vm, 0x102, 1, hypercall, seen), V3_ERR_EXIST);
	assert_int_equal(v3_hypercall_hook(script->vm, 0x200, 0, hypercall, seen), V3_ERR_INVALID);
	assert_int_equal(v3_hypercall_hook(script->vm, 0x200, 1, NULL, seen), V3_ERR_INVALID);
	assert_int_equal(v3_hypercall_hook(script->vm, ~0u, 2, hypercall, seen), V3_ERR_INVALID);
	for (i = 1; i < V3_MAX_HYPERCALL_HOOKS; i++)
		assert_int_equal(v3_hypercall_hook(script->vm, 0x1000 + i, 1, hypercall, seen),
				 V3_OK);
	assert_int_equal(v3_hypercall_hook(script->vm, 0x200, 1, hypercall, seen), V3_ERR_NOMEM);
	guest_start(script);
	assert_int_equal(v3_hypercall_hook(script->vm, 0x200, 1, hypercall, seen), V3_ERR_STATE);
	script->gpr[RBX] = 1;
	script->gpr[RCX] = 2;
	script->gpr[RDX] = 3;
	script->gpr[RSI] = 4;
	script->gpr[RDI] = 5;
	call(script, 0x100);
	assert_int_equal(guest_rip(script), 3);
	assert_int_equal(script->vmcb->rax, 0x101);
	for (i = 0; i < 5; i++)
		assert_int_equal(seen[i], i + 1);
	call(script, 0x101);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP(V3_EXCP_UD));
	assert_int_equal(guest_rip(script), 0);
	assert_int_equal(script->vmcb->rax, 0x101);
	/* Not handled, not hooked, not a number that 32 bits hold. */
	call(script, 0x102);
	assert_int_equal(guest_rip(script), 3);
	call(script, 0x99);
	assert_int_equal((int64_t)script->vmcb->rax, V3_ERR_NOENT);
	call(script, 0x100000100);
	assert_int_equal((int64_t)script->vmcb->rax, V3_ERR_NOENT);
	/* Not for programs of the guest. */
	memset(seen, 0, sizeof(seen));
	script->vmcb->ss.attrib |= 3 << V3_SEG_DPL_SHIFT;
	script->vmcb->cpl = 3;
	call(script, 0x100);
	assert_int_equal((int64_t)script->vmcb->rax, V3_ERR_NOENT);
	assert_int_equal(seen[0], 0);
	guest_destroy(script);
}

static void test_no_hypercalls(void **state)
{
	struct script *script = start("\x0f\x01\xd9", 3);

	(void)state;
	call(script, 1);
	assert_int_equal((int64_t)script->vmcb->rax, V3_ERR_NOENT);
	assert_int_equal(guest_rip(script), 3);
	guest_destroy(script);
}

/* --- Ends --- */

static void test_unknown_exit(void **state)
{
	struct script *script = start("\x90", 1);
	struct v3_vm_end end;

	(void)state;
	guest_exit_ends(script, 0x7d, 0x11, 0x22, &end);
	assert_int_equal(end.kind, V3_END_ERROR);
	assert_non_null(strstr(end.reason, "unknown exit, code 0x7d info 0x11 0x22"));
	assert_true(v3_fake_host_log_has(script->fake, V3_LOG_ERROR, "CR0"));
	guest_destroy(script);
}

static void test_names(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < V3_EXIT_COUNT; i++) {
		assert_non_null(v3_exit_name((enum v3_exit_kind)i));
		assert_true(strlen(v3_exit_name((enum v3_exit_kind)i)) > 1);
	}
	assert_string_equal(v3_exit_name(V3_EXIT_COUNT), "out of range");
	assert_string_equal(v3_exit_name((enum v3_exit_kind)-1), "out of range");
	for (i = V3_OK; i >= V3_ERR_INTERNAL; i--)
		assert_string_not_equal(v3_status_str((enum v3_status)i), "unknown status");
	assert_string_equal(v3_status_str((enum v3_status)(V3_ERR_INTERNAL - 1)), "unknown status");
	assert_string_equal(v3_status_str((enum v3_status)1), "unknown status");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_skipped),
		cmocka_unit_test(test_host_events),
		cmocka_unit_test(test_undefined),
		cmocka_unit_test(test_exceptions),
		cmocka_unit_test(test_machine_check),
		cmocka_unit_test(test_trap_flag),
		cmocka_unit_test(test_rip_wraps),
		cmocka_unit_test(test_bad_bytes),
		cmocka_unit_test(test_cut_instruction),
		cmocka_unit_test(test_no_code),
		cmocka_unit_test(test_hypercalls),
		cmocka_unit_test(test_no_hypercalls),
		cmocka_unit_test(test_unknown_exit),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
