/* SPDX-License-Identifier: BSD-2-Clause */
/* MSRs: the core's own, hooks of devices, and what raises #GP. */
#include "guest.h"

#include <string.h>

#include "devices/intc.h"
#include "fakes/fake_x86_state.h"
#include "x86/apic.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/excp.h"
#include "x86/msr.h"

#define GP INJ_EXCP_ERR(V3_EXCP_GP, 0)

/* rdmsr; wrmsr */
static const uint8_t code[] = { 0x0f, 0x32, 0x0f, 0x30 };

static struct script *start(void)
{
	struct script *script = guest_create(NULL, code, sizeof(code));

	guest_start(script);
	return script;
}

static bool rd(struct script *script, uint32_t msr, uint64_t *value)
{
	guest_set_rip(script, 0);
	script->gpr[RCX] = 0xffffffff00000000 | msr;
	script->vmcb->rax = script->gpr[RDX] = ~0ull;
	guest_exit(script, SVM_EXIT_MSR, 0, 0);
	if (script->vmcb->event_inj) {
		assert_int_equal(script->vmcb->event_inj, GP);
		assert_int_equal(guest_rip(script), 0);
		assert_int_equal(script->vmcb->rax, ~0ull);
		return false;
	}
	assert_int_equal(guest_rip(script), 2);
	assert_int_equal((script->vmcb->rax | script->gpr[RDX]) >> 32, 0);
	*value = script->gpr[RDX] << 32 | script->vmcb->rax;
	return true;
}

static bool wr(struct script *script, uint32_t msr, uint64_t value)
{
	guest_set_rip(script, 2);
	script->gpr[RCX] = msr;
	script->vmcb->rax = 0xffffffff00000000 | (uint32_t)value;
	script->gpr[RDX] = 0xffffffff00000000 | value >> 32;
	guest_exit(script, SVM_EXIT_MSR, 1, 0);
	if (script->vmcb->event_inj) {
		assert_int_equal(script->vmcb->event_inj, GP);
		assert_int_equal(guest_rip(script), 2);
		return false;
	}
	assert_int_equal(guest_rip(script), 4);
	return true;
}

static void expect(struct script *script, uint32_t msr, uint64_t want)
{
	uint64_t value = 0;

	assert_true(rd(script, msr, &value));
	assert_int_equal(value, want);
}

/* A write and what is read back. */
static void round_trip(struct script *script, uint32_t msr, uint64_t value)
{
	assert_true(wr(script, msr, value));
	expect(script, msr, value);
}

static void test_mtrrs(void **state)
{
	struct script *script = start();
	uint32_t msr;

	(void)state;
	/* As firmware leaves them: RAM WB, VGA and 3 to 4 GiB UC, ROM WP. */
	expect(script, V3_MSR_MTRR_DEF_TYPE, 0xc06);
	expect(script, 0x250, 0x0606060606060606);
	expect(script, 0x258, 0x0606060606060606);
	expect(script, 0x259, 0);
	for (msr = 0x268; msr < 0x270; msr++)
		expect(script, msr, 0x0505050505050505);
	expect(script, 0x200, 0xc0000000);
	expect(script, 0x201, 0xffffc0000800);
	expect(script, 0x203, 0);
	round_trip(script, V3_MSR_MTRR_DEF_TYPE, 0);
	expect(script, V3_MSR_MTRRCAP, 8 | V3_MTRRCAP_FIX | V3_MTRRCAP_WC);
	assert_false(wr(script, V3_MSR_MTRRCAP, 8));
	round_trip(script, V3_MSR_MTRR_DEF_TYPE, 0xc06);
	assert_false(wr(script, V3_MSR_MTRR_DEF_TYPE, 0xc02));
	assert_false(wr(script, V3_MSR_MTRR_DEF_TYPE, 0x1c06));
	assert_false(wr(script, V3_MSR_MTRR_DEF_TYPE, 1ull << 40));
	expect(script, V3_MSR_MTRR_DEF_TYPE, 0xc06);
	/* Each is a register of its own. */
	for (msr = 0x200; msr < 0x210; msr++)
		round_trip(script, msr, msr & 1 ? 0xfffff0000800 + ((uint64_t)msr << 16)
						: (uint64_t)msr << 20 | 6);
	round_trip(script, 0x250, 0x0606060606060606);
	round_trip(script, 0x258, 0x0505050505050505);
	round_trip(script, 0x259, 0x0404040404040404);
	for (msr = 0x268; msr < 0x270; msr++)
		round_trip(script, msr, 0x0001000100010000 + (msr & 1));
	expect(script, 0x200, 0x200ull << 20 | 6);
	expect(script, 0x20e, 0x20eull << 20 | 6);
	expect(script, 0x250, 0x0606060606060606);
	/* Types 2, 3 and 7, reserved bits, addresses past 48 bits. */
	assert_false(wr(script, 0x250, 0x0606060206060606));
	assert_false(wr(script, 0x26f, 7));
	assert_false(wr(script, 0x200, 3));
	assert_false(wr(script, 0x200, 0x106));
	assert_false(wr(script, 0x200, 1ull << 48));
	assert_false(wr(script, 0x201, 0x400));
	assert_false(wr(script, 0x201, 1ull << 48));
	/* No ninth, nothing between the fixed ones. */
	assert_false(wr(script, 0x210, 6));
	assert_false(wr(script, 0x251, 0));
	assert_false(wr(script, 0x267, 0));
	guest_destroy(script);
}

static void test_pat(void **state)
{
	struct script *script = start();

	(void)state;
	expect(script, V3_MSR_PAT, V3_PAT_RESET);
	round_trip(script, V3_MSR_PAT, 0x0706050401000606);
	assert_int_equal(script->vmcb->g_pat, 0x0706050401000606);
	assert_false(wr(script, V3_MSR_PAT, 0x0706050401000602));
	assert_false(wr(script, V3_MSR_PAT, 0x0806050401000606));
	assert_int_equal(script->vmcb->g_pat, 0x0706050401000606);
	guest_destroy(script);
}

static void test_efer(void **state)
{
	struct script *script = start();

	(void)state;
	expect(script, V3_MSR_EFER, V3_EFER_LME | V3_EFER_LMA);
	round_trip(script, V3_MSR_EFER, V3_EFER_LME | V3_EFER_LMA | V3_EFER_NXE | V3_EFER_SCE);
	/* LMA cannot be written; LME cannot change under paging. */
	assert_true(wr(script, V3_MSR_EFER, V3_EFER_LME | V3_EFER_NXE));
	expect(script, V3_MSR_EFER, V3_EFER_LME | V3_EFER_LMA | V3_EFER_NXE);
	assert_false(wr(script, V3_MSR_EFER, V3_EFER_NXE));
	assert_false(wr(script, V3_MSR_EFER, V3_EFER_LME | V3_EFER_SVME));
	assert_false(wr(script, V3_MSR_EFER, V3_EFER_LME | V3_EFER_FFXSR));
	assert_false(wr(script, V3_MSR_EFER, V3_EFER_LME | 1ull << 33));
	assert_true(script->vmcb->efer & V3_EFER_SVME);
	guest_destroy(script);
}

static void test_tsc(void **state)
{
	struct script *script = start();
	uint64_t first, second;

	(void)state;
	assert_true(rd(script, V3_MSR_TSC, &first));
	v3_fake_tsc_advance(1000);
	assert_true(rd(script, V3_MSR_TSC, &second));
	assert_int_equal(second - first, 1000);
	assert_int_equal(v3_guest_tsc(script->vcpu), second);
	/* What the guest reads without an exit is the host's TSC plus the offset. */
	assert_int_equal(v3_x86_rdtsc() + script->vmcb->tsc_offset, second);
	assert_true(wr(script, V3_MSR_TSC, 1ull << 40));
	v3_fake_tsc_advance(7);
	expect(script, V3_MSR_TSC, (1ull << 40) + 7);
	assert_int_equal(v3_x86_rdtsc() + script->vmcb->tsc_offset, (1ull << 40) + 7);
	assert_int_equal(v3_vm_tsc_khz(script->vm), V3_FAKE_TSC_KHZ);
	guest_destroy(script);
}

/* A deadline is one of the guest's TSC, also when it sets that. */
static void test_tsc_deadline(void **state)
{
	struct script *script = guest_create(NULL, code, sizeof(code));
	const uint64_t far = 1ull << 50;

	(void)state;
	assert_int_equal(v3_intc_create(script->vm), V3_OK);
	guest_start(script);
	script->vmcb->rflags &= ~V3_RFLAGS_IF;
	assert_true(wr(script, V3_MSR_APIC_BASE, V3_APIC_DEFAULT_BASE | V3_APIC_BASE_ENABLE |
		       V3_APIC_BASE_X2APIC | V3_APIC_BASE_BSP));
	assert_true(wr(script, 0x832, V3_APIC_TIMER_DEADLINE | 0x41));
	assert_true(wr(script, V3_MSR_TSC_DEADLINE, far));
	assert_true(wr(script, V3_MSR_TSC, far - 1000000000));
	expect(script, V3_MSR_TSC_DEADLINE, far);
	assert_true(wr(script, V3_MSR_TSC, far + 1));
	expect(script, V3_MSR_TSC_DEADLINE, 0);
	expect(script, 0x822, 1u << 1);	/* IRR */
	/* Set back it is no deadline any more, and one that was near is far. */
	assert_true(wr(script, V3_MSR_TSC_DEADLINE, far + 1000000));
	assert_true(wr(script, V3_MSR_TSC, 0));
	v3_fake_tsc_advance(2000000);
	expect(script, V3_MSR_TSC_DEADLINE, far + 1000000);
	/* A count that goes by the clock goes on. */
	assert_true(wr(script, 0x832, 0x42));
	assert_true(wr(script, 0x83e, 0xb));
	assert_true(wr(script, 0x838, 1000000));
	assert_true(wr(script, V3_MSR_TSC, far));
	guest_intr(script);
	expect(script, 0x822, 1u << 1);
	v3_fake_tsc_advance(2100000);
	guest_intr(script);
	expect(script, 0x822, 1u << 1 | 1u << 2);
	guest_destroy(script);
}

/* Each of TSC and TSC_ADJUST moves the other (SDM 3B 17.17.3). */
static void test_tsc_adjust(void **state)
{
	struct script *script = start();
	uint64_t first;

	(void)state;
	expect(script, V3_MSR_TSC_ADJUST, 0);
	assert_true(rd(script, V3_MSR_TSC, &first));
	assert_true(wr(script, V3_MSR_TSC_ADJUST, 5000));
	expect(script, V3_MSR_TSC_ADJUST, 5000);
	expect(script, V3_MSR_TSC, first + 5000);
	assert_int_equal(v3_x86_rdtsc() + script->vmcb->tsc_offset, first + 5000);
	assert_true(wr(script, V3_MSR_TSC, first + 7000));
	expect(script, V3_MSR_TSC_ADJUST, 7000);
	assert_true(wr(script, V3_MSR_TSC_ADJUST, -1000ull));
	expect(script, V3_MSR_TSC, first - 1000);
	guest_destroy(script);
}

static void test_tsc_aux(void **state)
{
	struct script *script = guest_create(NULL, code, sizeof(code));
	unsigned int cpu;

	(void)state;
	v3_fake_msr_set(V3_MSR_TSC_AUX, 0x1234);
	guest_start(script);
	cpu = (unsigned int)v3_vcpu_cpu(script->vcpu);
	expect(script, V3_MSR_TSC_AUX, 0);
	assert_int_equal(v3_fake_msr_get_on(cpu, V3_MSR_TSC_AUX), 0);
	round_trip(script, V3_MSR_TSC_AUX, 0x55);
	assert_int_equal(v3_fake_msr_get_on(cpu, V3_MSR_TSC_AUX), 0x55);
	assert_false(wr(script, V3_MSR_TSC_AUX, 1ull << 32));
	guest_pause(script);
	assert_int_equal(v3_fake_msr_get_on(cpu, V3_MSR_TSC_AUX), 0x1234);
	guest_destroy(script);
}

static void without_rdtscp(void)
{
	v3_fake_cpuid_at(V3_CPUID_LEAF_EXT1, 0)->edx &= ~V3_CPUID_80000001_EDX_RDTSCP;
	v3_fake_msr_remove(V3_MSR_TSC_AUX);
}

static void test_no_tsc_aux(void **state)
{
	struct script *script = guest_create(without_rdtscp, code, sizeof(code));
	uint64_t value;

	(void)state;
	guest_start(script);
	assert_false(rd(script, V3_MSR_TSC_AUX, &value));
	assert_false(wr(script, V3_MSR_TSC_AUX, 1));
	guest_destroy(script);
}

static void test_constants(void **state)
{
	struct script *script = start();
	uint64_t value;

	(void)state;
	expect(script, V3_MSR_VM_CR, V3_VM_CR_SVMDIS | V3_VM_CR_LOCK);
	assert_false(wr(script, V3_MSR_VM_CR, 0));
	/*
	 * With an invariant TSC it says that this counts at the rate of P0; what is written is
	 * dropped.
	 */
	expect(script, V3_MSR_AMD_HWCR, V3_HWCR_TSC_FREQ_SEL);
	assert_true(wr(script, V3_MSR_AMD_HWCR, 1));
	expect(script, V3_MSR_AMD_HWCR, V3_HWCR_TSC_FREQ_SEL);
	assert_true(rd(script, V3_MSR_PATCH_LEVEL, &value));
	assert_true(value != 0);
	assert_true(wr(script, V3_MSR_PATCH_LEVEL, 0));
	expect(script, V3_MSR_AMD_DE_CFG, V3_DE_CFG_LFENCE_SERIALIZE);
	assert_true(wr(script, V3_MSR_AMD_DE_CFG, 0));
	/* The host's own. */
	assert_false(rd(script, V3_MSR_VM_HSAVE_PA, &value));
	assert_false(wr(script, V3_MSR_VM_HSAVE_PA, 0x1000));
	assert_false(rd(script, 0x12345678, &value));
	assert_false(wr(script, 0xffffffff, 0));
	assert_true(v3_fake_host_log_has(script->fake, V3_LOG_INFO,
					 "read of unknown MSR 0x12345678: #GP"));
	assert_true(v3_fake_host_log_has(script->fake, V3_LOG_INFO,
					 "write of unknown MSR 0xffffffff: #GP"));
	guest_destroy(script);
}

/*
 * Each unknown MSR is told of once, up to a limit: a guest that tries them all does not flood the
 * log.
 */
static void test_unknown_once(void **state)
{
	struct script *script = start();
	uint64_t value;
	uint32_t i;

	(void)state;
	v3_fake_host_log_clear(script->fake);
	for (i = 0; i < 3; i++) {
		assert_false(rd(script, 0x12345678, &value));
		assert_false(wr(script, 0x12345678, 0));
	}
	assert_int_equal(v3_fake_host_log_count(script->fake, V3_LOG_INFO), 1);
	for (i = 1; i < V3_MAX_UNKNOWN_MSRS; i++)
		assert_false(wr(script, 0x12345678 + i, 0));
	assert_int_equal(v3_fake_host_log_count(script->fake, V3_LOG_INFO), V3_MAX_UNKNOWN_MSRS);
	assert_false(v3_fake_host_log_has(script->fake, V3_LOG_INFO, "more unknown MSRs"));
	for (i = 0; i < 100; i++)
		assert_false(rd(script, 0x20000000 + i, &value));
	assert_int_equal(v3_fake_host_log_count(script->fake, V3_LOG_INFO),
			 V3_MAX_UNKNOWN_MSRS + 1);
	assert_true(v3_fake_host_log_has(script->fake, V3_LOG_INFO, "more unknown MSRs"));
	guest_destroy(script);
}

/*
 * The VM's option: unknown ones read 0 and writes vanish; what a known one does not take still
 * faults.
 */
static void test_unknown_ignored(void **state)
{
	struct script *script = script_create_as(NULL, NULL, V3_VM_IGNORE_UNKNOWN_MSRS);

	(void)state;
	guest_prepare(script, code, sizeof(code));
	guest_start(script);
	v3_fake_host_log_clear(script->fake);
	expect(script, 0x12345678, 0);
	round_trip(script, 0xffffffff, 0);
	assert_true(wr(script, 0x12345678, 7));
	expect(script, 0x12345678, 0);
	expect(script, V3_MSR_XSS, 0);
	assert_int_equal(v3_fake_host_log_count(script->fake, V3_LOG_INFO), 3);
	assert_true(v3_fake_host_log_has(script->fake, V3_LOG_INFO,
					 "read of unknown MSR 0x12345678: ignored"));
	assert_false(wr(script, V3_MSR_PAT, 2));
	assert_false(wr(script, V3_MSR_MTRRCAP, 0));
	assert_false(wr(script, V3_MSR_EFER, V3_EFER_LME | V3_EFER_FFXSR));
	guest_destroy(script);
}

/* IA32_XSS goes with XSAVES, and has no bit that a guest may set. */
static void xsaves_cpu(void)
{
	v3_fake_cpuid_at(V3_CPUID_LEAF_XSAVE, 1)->eax |= V3_CPUID_D1_EAX_XSAVES;
	v3_fake_cpuid_at(V3_CPUID_LEAF_FEATURES, 0)->eax = 0x00a20f10;
	v3_fake_msr_set(V3_MSR_XSS, 0x800);
}

static void test_xss(void **state)
{
	struct script *script = guest_create(xsaves_cpu, code, sizeof(code));
	uint64_t value;

	(void)state;
	guest_start(script);
	round_trip(script, V3_MSR_XSS, 0);
	assert_false(wr(script, V3_MSR_XSS, 0x800));
	assert_false(wr(script, V3_MSR_XSS, 1ull << 63));
	expect(script, V3_MSR_XSS, 0);
	/* The CPU's own has not been touched by any of it. */
	assert_int_equal(v3_fake_msr_get_on((unsigned int)v3_vcpu_cpu(script->vcpu), V3_MSR_XSS),
			 0);
	guest_destroy(script);
	script = start();
	assert_false(rd(script, V3_MSR_XSS, &value));
	assert_false(wr(script, V3_MSR_XSS, 0));
	guest_destroy(script);
}

/* Registers go with their feature. */
static void test_hidden(void **state)
{
	static const uint32_t gone[] = {
		V3_MSR_MTRRCAP, V3_MSR_MTRR_DEF_TYPE, 0x200, 0x20f, 0x250, 0x258, 0x26f, V3_MSR_PAT,
		V3_MSR_MCG_CAP, V3_MSR_MCG_STATUS, V3_MSR_TSC_AUX, V3_MSR_TSC_ADJUST,
	};
	struct script *script = script_create_as(NULL, "host,-mtrr,-pat,-mce,-rdtscp,-nx,-tsc_adjust", 0);
	uint64_t value;
	unsigned int i;

	(void)state;
	guest_prepare(script, code, sizeof(code));
	guest_start(script);
	for (i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
		assert_false(rd(script, gone[i], &value));
		assert_false(wr(script, gone[i], 0));
	}
	assert_false(wr(script, V3_MSR_EFER, V3_EFER_LME | V3_EFER_NXE));
	assert_true(wr(script, V3_MSR_EFER, V3_EFER_LME | V3_EFER_SCE));
	guest_destroy(script);
}

/* EFER bits of features that no guest sees, and reserved ones. */
static void test_efer_reserved(void **state)
{
	struct script *script = start();
	unsigned int bit;

	(void)state;
	for (bit = 0; bit < 64; bit++) {
		uint64_t value = V3_EFER_LME | 1ull << bit;

		assert_int_equal(wr(script, V3_MSR_EFER, value),
				 !!(1ull << bit & (V3_EFER_SCE | V3_EFER_LME | V3_EFER_LMA |
						   V3_EFER_NXE)));
	}
	expect(script, V3_MSR_EFER, V3_EFER_LME | V3_EFER_LMA | V3_EFER_NXE);
	guest_destroy(script);
}

/* Values that a register refuses can be tried for ever: these lines are limited by the second. */
static void test_log_limit(void **state)
{
	struct script *script = start();
	unsigned int i, lines;

	(void)state;
	v3_fake_host_log_clear(script->fake);
	for (i = 0; i < 3 * V3_LOG_BURST; i++)
		assert_false(wr(script, V3_MSR_PAT, 2));
	lines = v3_fake_host_log_count(script->fake, V3_LOG_DEBUG);
	assert_int_equal(lines, V3_LOG_BURST);
	/* Errors always go out. */
	v3_vm_log(script->vm, V3_LOG_ERROR, "an error of %d", 42);
	assert_true(v3_fake_host_log_has(script->fake, V3_LOG_ERROR, "v3: script: an error of 42"));
	v3_fake_host_advance(script->fake, 1000000000);
	assert_false(wr(script, V3_MSR_PAT, 2));
	assert_int_equal(v3_fake_host_log_count(script->fake, V3_LOG_DEBUG), lines + 1);
	assert_true(v3_fake_host_log_has(script->fake, V3_LOG_WARN, "40 lines dropped"));
	guest_destroy(script);
}

/* --- Hooks --- */

static enum v3_hook_result hook_read(struct v3_vcpu *vcpu, void *ctx, uint32_t msr,
				     uint64_t *value)
{
	(void)vcpu;
	(void)ctx;
	*value = 0xabcdef0000000000 | msr;
	return msr == 0x801 ? V3_HOOK_FAULT : msr == 0x802 ? V3_HOOK_PASS : V3_HOOK_DONE;
}

static enum v3_hook_result hook_write(struct v3_vcpu *vcpu, void *ctx, uint32_t msr,
				      uint64_t value)
{
	uint64_t *seen = ctx;

	(void)vcpu;
	*seen = value;
	return msr == 0x801 ? V3_HOOK_FAULT : msr == 0x802 ? V3_HOOK_PASS : V3_HOOK_DONE;
}

static void test_hooks(void **state)
{
	static const struct v3_msr_ops ops = { .read = hook_read, .write = hook_write }, none = { 0 };
	struct script *script = guest_create(NULL, code, sizeof(code));
	uint64_t seen = 0, value;
	unsigned int i;

	(void)state;
	assert_int_equal(v3_msr_hook(script->vm, 0x800, 3, &ops, &seen), V3_OK);
	assert_int_equal(v3_msr_hook(script->vm, 0x802, 3, &ops, &seen), V3_ERR_EXIST);
	assert_int_equal(v3_msr_hook(script->vm, 0x7ff, 2, &ops, &seen), V3_ERR_EXIST);
	assert_int_equal(v3_msr_hook(script->vm, 0x900, 0, &ops, &seen), V3_ERR_INVALID);
	assert_int_equal(v3_msr_hook(script->vm, 0x900, 1, NULL, &seen), V3_ERR_INVALID);
	assert_int_equal(v3_msr_hook(script->vm, 0xffffffff, 2, &ops, &seen), V3_ERR_INVALID);
	/* Hooks come before the core's own. */
	assert_int_equal(v3_msr_hook(script->vm, V3_MSR_PAT, 1, &none, NULL), V3_OK);
	for (i = 2; i < V3_MAX_MSR_HOOKS; i++)
		assert_int_equal(v3_msr_hook(script->vm, 0x1000 + i, 1, &ops, &seen), V3_OK);
	assert_int_equal(v3_msr_hook(script->vm, 0x900, 1, &ops, &seen), V3_ERR_NOMEM);
	guest_start(script);
	assert_int_equal(v3_msr_hook(script->vm, 0x900, 1, &ops, &seen), V3_ERR_STATE);
	expect(script, 0x800, 0xabcdef0000000800);
	assert_false(rd(script, 0x801, &value));
	assert_false(rd(script, 0x802, &value));
	assert_true(wr(script, 0x800, 0x1122334455667788));
	assert_int_equal(seen, 0x1122334455667788);
	assert_false(wr(script, 0x801, 1));
	assert_false(wr(script, 0x802, 2));
	assert_int_equal(seen, 2);
	assert_false(rd(script, V3_MSR_PAT, &value));
	assert_false(wr(script, V3_MSR_PAT, V3_PAT_RESET));
	guest_destroy(script);
}

/* What a device's hook answers for is not there without its feature. */
static void test_hooks_hidden(void **state)
{
	static const struct v3_msr_ops ops = { .read = hook_read, .write = hook_write };
	struct script *script = script_create_as(NULL, "host,-x2apic,-tsc_deadline_timer", 0);
	uint64_t seen = 0, value;

	(void)state;
	guest_prepare(script, code, sizeof(code));
	assert_int_equal(v3_msr_hook(script->vm, 0x800, 3, &ops, &seen), V3_OK);
	assert_int_equal(v3_msr_hook(script->vm, V3_MSR_TSC_DEADLINE, 1, &ops, &seen), V3_OK);
	assert_int_equal(v3_msr_hook(script->vm, V3_MSR_APIC_BASE, 1, &ops, &seen), V3_OK);
	guest_start(script);
	assert_false(rd(script, 0x800, &value));
	assert_false(wr(script, 0x800, 5));
	assert_false(rd(script, V3_MSR_TSC_DEADLINE, &value));
	assert_false(wr(script, V3_MSR_TSC_DEADLINE, 5));
	assert_false(wr(script, V3_MSR_APIC_BASE, V3_APIC_BASE_ENABLE | V3_APIC_BASE_X2APIC));
	assert_int_equal(seen, 0);
	expect(script, V3_MSR_APIC_BASE, 0xabcdef0000000000 | V3_MSR_APIC_BASE);
	assert_true(wr(script, V3_MSR_APIC_BASE, V3_APIC_BASE_ENABLE));
	assert_int_equal(seen, V3_APIC_BASE_ENABLE);
	guest_destroy(script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mtrrs),
		cmocka_unit_test(test_pat),
		cmocka_unit_test(test_efer),
		cmocka_unit_test(test_tsc),
		cmocka_unit_test(test_tsc_deadline),
		cmocka_unit_test(test_tsc_adjust),
		cmocka_unit_test(test_tsc_aux),
		cmocka_unit_test(test_no_tsc_aux),
		cmocka_unit_test(test_constants),
		cmocka_unit_test(test_unknown_once),
		cmocka_unit_test(test_unknown_ignored),
		cmocka_unit_test(test_xss),
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_efer_reserved),
		cmocka_unit_test(test_log_limit),
		cmocka_unit_test(test_hooks),
		cmocka_unit_test(test_hooks_hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
