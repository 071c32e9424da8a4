/* SPDX-License-Identifier: BSD-2-Clause */
/* Detection of SVM, and taking it on CPUs and giving it back. APM2 15.4, 15.30. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/host.h"
#include "fakes/fake_host.h"
#include "fakes/fake_x86.h"
#include "fakes/fake_x86_state.h"
#include "svm/svm.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/msr.h"

static struct v3_fake_host *fake;
static struct v3_host *host;

static int set_up(void **state)
{
	(void)state;
	fake = v3_fake_host_create();
	host = NULL;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (host && v3_exit(host) != V3_OK)
		return -1;
	v3_fake_host_destroy(fake);
	return 0;
}

static enum v3_status init(void)
{
	return v3_init(v3_fake_host_hooks(fake), &host);
}

/* --- Probe --- */

static void test_no_extended_leaves(void **state)
{
	(void)state;
	v3_fake_cpuid_at(V3_CPUID_LEAF_EXT_MAX, 0)->eax = 0x80000000;
	assert_int_equal(init(), V3_ERR_NOTSUP);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "no AMD SVM"));
}

static void test_no_svm(void **state)
{
	(void)state;
	v3_fake_cpuid_at(V3_CPUID_LEAF_EXT1, 0)->ecx &= ~V3_CPUID_80000001_ECX_SVM;
	assert_int_equal(init(), V3_ERR_NOTSUP);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "no AMD SVM"));
}

static void test_no_nested_paging(void **state)
{
	(void)state;
	v3_fake_cpuid_at(V3_CPUID_LEAF_SVM, 0)->edx = 0;
	assert_int_equal(init(), V3_ERR_NOTSUP);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "nested paging"));
}

static void test_one_asid(void **state)
{
	(void)state;
	v3_fake_cpuid_at(V3_CPUID_LEAF_SVM, 0)->ebx = 1;
	assert_int_equal(init(), V3_ERR_NOTSUP);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "ASID"));
}

static void test_disabled_by_firmware(void **state)
{
	(void)state;
	v3_fake_msr_set(V3_MSR_VM_CR, V3_VM_CR_SVMDIS | V3_VM_CR_LOCK);
	assert_int_equal(init(), V3_ERR_DENIED);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "firmware"));
}

static void test_bad_host(void **state)
{
	(void)state;
	v3_fake_cpuid_at(V3_CPUID_LEAF_SVM, 0)->ebx = 2;
	assert_int_equal(init(), V3_OK);
	assert_int_equal(v3_exit(host), V3_OK);
	host = NULL;
	fake_x86.num_cpuid = 0;
	assert_int_equal(init(), V3_ERR_NOTSUP);
}

static void test_caps(void **state)
{
	struct v3_host_caps caps;

	(void)state;
	assert_int_equal(init(), V3_OK);
	v3_host_caps(host, &caps);
	assert_string_equal(caps.backend, "svm");
	assert_int_equal(caps.num_asids, 16);
	assert_true(caps.nested_paging && caps.nested_1g);
	assert_false(caps.next_rip || caps.decode_assist || caps.flush_by_asid ||
		     caps.clean_bits || caps.pause_filter || caps.tsc_scaling);
	assert_int_equal(caps.xcr0, 7);
	assert_int_equal(caps.xsave_size, 832);
	assert_int_equal(caps.phys_bits, 48);
	assert_int_equal(v3_exit(host), V3_OK);
	v3_fake_cpuid_at(V3_CPUID_LEAF_SVM, 0)->edx = ~0u;
	v3_fake_cpuid_at(V3_CPUID_LEAF_EXT1, 0)->edx &= ~V3_CPUID_80000001_EDX_PAGE1GB;
	assert_int_equal(init(), V3_OK);
	v3_host_caps(host, &caps);
	assert_false(caps.nested_1g);
	assert_true(caps.next_rip && caps.decode_assist && caps.flush_by_asid &&
		    caps.clean_bits && caps.pause_filter && caps.tsc_scaling);
	assert_ptr_equal(host->arch->nested_format(host), &v3_npt_format_2m);
}

/* Each of them alone, by the order of the names. */
static void test_features_off(void **state)
{
	struct v3_os_hooks hooks = *v3_fake_host_hooks(fake);
	struct v3_host_caps caps;
	unsigned int i;

	(void)state;
	v3_fake_cpuid_at(V3_CPUID_LEAF_SVM, 0)->edx = ~0u;
	v3_fake_cpuid_at(V3_CPUID_LEAF_FEATURES, 0)->eax = 0x00a20f10;
	for (i = 0; svm_features[i]; i++) {
		hooks.features_off = svm_features[i];
		assert_int_equal(v3_init(&hooks, &host), V3_OK);
		v3_host_caps(host, &caps);
		assert_int_equal(caps.next_rip, i != 0);
		assert_int_equal(caps.decode_assist, i != 1);
		assert_int_equal(caps.clean_bits, i != 2);
		assert_int_equal(caps.flush_by_asid, i != 3);
		assert_int_equal(caps.pause_filter, i != 4);
		assert_int_equal(caps.nested_1g, i != 5);
		assert_int_equal(caps.tsc_scaling, i != 6);
		assert_int_equal(host->tsc_fraction, i == 6 ? 0 : 32);
		assert_int_equal(!(host->no_features.word[V3_CPU_D1_EAX] & V3_CPUID_D1_EAX_XSAVES),
				 i != 7);
		assert_int_equal(v3_exit(host), V3_OK);
		host = NULL;
	}
	assert_int_equal(i, 8);
	hooks.features_off = "vpid";
	assert_int_equal(v3_init(&hooks, &host), V3_ERR_INVALID);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "feature 'vpid' cannot be switched"));
}

/* Of family 17h guests do not get XSAVES; of those around it they do. */
static void test_xsaves_erratum(void **state)
{
	static const struct {
		uint32_t signature;
		bool broken;
	} cpus[] = {
		{ 0x00600f12, false }, { 0x00730f01, false }, { 0x00800f12, true },
		{ 0x00830f10, true }, { 0x00900f02, false }, { 0x00a20f10, false },
		{ 0x00b40f00, false },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(cpus) / sizeof(cpus[0]); i++) {
		v3_fake_cpuid_at(V3_CPUID_LEAF_FEATURES, 0)->eax = cpus[i].signature;
		assert_int_equal(init(), V3_OK);
		assert_int_equal(!!(host->no_features.word[V3_CPU_D1_EAX] & V3_CPUID_D1_EAX_XSAVES),
				 cpus[i].broken);
		assert_int_equal(v3_exit(host), V3_OK);
		host = NULL;
	}
}

/* Only XSAVE components that the host has enabled and that libv3 knows. */
static void test_xsave_caps(void **state)
{
	struct v3_host_caps caps;

	(void)state;
	v3_fake_cpuid_set(V3_CPUID_LEAF_XSAVE, 5, 64, 1088, 0, 0);
	v3_fake_cpuid_set(V3_CPUID_LEAF_XSAVE, 6, 512, 1152, 0, 0);
	v3_fake_cpuid_set(V3_CPUID_LEAF_XSAVE, 7, 1024, 1664, 0, 0);
	v3_fake_cpuid_set(V3_CPUID_LEAF_XSAVE, 9, 8, 2688, 0, 0);
	fake_x86.cpus[0].xcr0 = 0x2e7;
	assert_int_equal(init(), V3_OK);
	v3_host_caps(host, &caps);
	assert_int_equal(caps.xcr0, 0xe7);
	assert_int_equal(caps.xsave_size, 2688);
	assert_int_equal(v3_exit(host), V3_OK);
	/* A part of AVX-512 is none of it. */
	fake_x86.cpus[0].xcr0 = 0x67;
	assert_int_equal(init(), V3_OK);
	v3_host_caps(host, &caps);
	assert_int_equal(caps.xcr0, 7);
	assert_int_equal(caps.xsave_size, 832);
	assert_int_equal(v3_exit(host), V3_OK);
	fake_x86.cpus[0].cr4 &= ~V3_CR4_OSXSAVE;
	assert_int_equal(init(), V3_OK);
	v3_host_caps(host, &caps);
	assert_int_equal(caps.xcr0, 0);
	assert_int_equal(caps.xsave_size, 0);
}

/* --- Enable and disable --- */

static void expect_off(unsigned int cpu)
{
	assert_false(v3_fake_msr_get_on(cpu, V3_MSR_EFER) & V3_EFER_SVME);
	assert_int_equal(v3_fake_msr_get_on(cpu, V3_MSR_VM_HSAVE_PA), 0);
	assert_false(v3_fake_host_virt_held(fake, cpu));
}

static void test_enable(void **state)
{
	uint64_t efer = v3_fake_msr_get_on(2, V3_MSR_EFER), pages;

	(void)state;
	assert_int_equal(init(), V3_OK);
	assert_int_equal(v3_cpu_enable(host, 2), V3_OK);
	assert_int_equal(v3_fake_msr_get_on(2, V3_MSR_EFER), efer | V3_EFER_SVME);
	assert_int_not_equal(v3_fake_msr_get_on(2, V3_MSR_VM_HSAVE_PA), 0);
	assert_int_equal(v3_fake_msr_get_on(2, V3_MSR_VM_HSAVE_PA) & 0xfff, 0);
	assert_true(v3_fake_host_virt_held(fake, 2));
	expect_off(0);
	pages = v3_fake_host_pages(fake);
	assert_int_equal(v3_cpu_enable(host, 2), V3_OK);
	assert_int_equal(v3_cpu_disable(host, 2), V3_OK);
	assert_int_equal(v3_fake_msr_get_on(2, V3_MSR_EFER), efer);
	expect_off(2);
	assert_int_equal(v3_cpu_disable(host, 2), V3_OK);
	assert_int_equal(v3_cpu_enable(host, 2), V3_OK);
	assert_int_equal(v3_fake_host_pages(fake), pages);
	/* v3_exit() gives it back. */
	assert_int_equal(v3_exit(host), V3_OK);
	host = NULL;
	expect_off(2);
}

static void test_enable_refused(void **state)
{
	(void)state;
	assert_int_equal(init(), V3_OK);
	assert_int_equal(v3_cpu_enable(host, 4), V3_ERR_NOENT);
	assert_int_equal(v3_cpu_disable(host, 4), V3_ERR_NOENT);
	v3_fake_host_set_online(fake, 1, false);
	assert_int_equal(v3_cpu_enable(host, 1), V3_ERR_NOENT);
	/* KVM has it. */
	v3_fake_msr_set_on(0, V3_MSR_EFER, v3_fake_msr_get_on(0, V3_MSR_EFER) | V3_EFER_SVME);
	assert_int_equal(v3_cpu_enable(host, 0), V3_ERR_BUSY);
	assert_true(v3_fake_msr_get_on(0, V3_MSR_EFER) & V3_EFER_SVME);
	assert_int_equal(v3_fake_msr_get_on(0, V3_MSR_VM_HSAVE_PA), 0);
	assert_false(v3_fake_host_virt_held(fake, 0));
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "CPU 0"));
	/* The host says no, before anything is touched. */
	v3_fake_host_set_virt_answer(fake, V3_ERR_BUSY);
	assert_int_equal(v3_cpu_enable(host, 2), V3_ERR_BUSY);
	v3_fake_set_cpu(2);
	assert_int_equal(v3_fake_trace_find(V3_FAKE_WRMSR), 0);
	assert_int_equal(v3_fake_msr_reads(V3_MSR_EFER), 0);
	v3_fake_set_cpu(0);
	v3_fake_host_set_virt_answer(fake, V3_OK);
	/* One CPU whose firmware differs. */
	v3_fake_msr_set_on(3, V3_MSR_VM_CR, V3_VM_CR_SVMDIS);
	assert_int_equal(v3_cpu_enable(host, 3), V3_ERR_DENIED);
	expect_off(3);
	assert_int_equal(v3_cpu_enable(host, 2), V3_OK);
}

static void test_enable_without_memory(void **state)
{
	enum v3_status status = V3_ERR_NOMEM;
	unsigned int n;

	(void)state;
	assert_int_equal(init(), V3_OK);
	for (n = 1; status != V3_OK; n++) {
		assert_true(n < 10);
		v3_fake_host_fail_nth(fake, n);
		status = v3_cpu_enable(host, 1);
		if (status != V3_OK) {
			assert_int_equal(status, V3_ERR_NOMEM);
			expect_off(1);
		}
	}
	assert_true(n > 3);
	v3_fake_host_fail_nth(fake, 0);
}

static void release_here(void *arg)
{
	v3_fake_host_hooks(fake)->virt_release(fake, *(unsigned int *)arg);
}

/* A CPU that went away took its state with it. */
static void test_disable_offline(void **state)
{
	unsigned int cpu = 1;

	(void)state;
	assert_int_equal(init(), V3_OK);
	assert_int_equal(v3_cpu_enable(host, cpu), V3_OK);
	v3_fake_host_set_online(fake, cpu, false);
	assert_int_equal(v3_cpu_disable(host, cpu), V3_OK);
	/* It comes back as after power-on, and can be taken again. */
	v3_fake_host_set_online(fake, cpu, true);
	v3_fake_msr_set_on(cpu, V3_MSR_EFER, v3_fake_msr_get_on(0, V3_MSR_EFER));
	v3_fake_msr_set_on(cpu, V3_MSR_VM_HSAVE_PA, 0);
	v3_fake_host_hooks(fake)->cpu_call(fake, cpu, release_here, &cpu);
	assert_int_equal(v3_cpu_enable(host, cpu), V3_OK);
}

/* Users of a CPU keep it. */
static void test_users(void **state)
{
	(void)state;
	assert_int_equal(init(), V3_OK);
	assert_int_equal(v3_host_cpu_get(host, 9), V3_ERR_NOENT);
	assert_int_equal(v3_host_cpu_get(host, 1), V3_OK);
	assert_int_equal(v3_host_cpu_get(host, 1), V3_OK);
	assert_int_equal(v3_cpu_disable(host, 1), V3_ERR_BUSY);
	v3_host_cpu_put(host, 1);
	assert_int_equal(v3_cpu_disable(host, 1), V3_ERR_BUSY);
	assert_true(v3_fake_host_virt_held(fake, 1));
	v3_host_cpu_put(host, 1);
	assert_int_equal(v3_cpu_disable(host, 1), V3_OK);
	expect_off(1);
	/* A failed get counts for nothing. */
	v3_fake_host_set_virt_answer(fake, V3_ERR_DENIED);
	assert_int_equal(v3_host_cpu_get(host, 1), V3_ERR_DENIED);
	v3_fake_host_set_virt_answer(fake, V3_OK);
	assert_int_equal(v3_cpu_enable(host, 1), V3_OK);
	assert_int_equal(v3_cpu_disable(host, 1), V3_OK);
}

/* --- Two threads at once: the second comes in before the first one's call reaches the CPU --- */

static enum v3_status (*real_cpu_call)(void *ctx, unsigned int cpu, void (*fn)(void *arg),
				       void *arg);
static void (*meanwhile)(void);

static enum v3_status late_cpu_call(void *ctx, unsigned int cpu, void (*fn)(void *arg), void *arg)
{
	void (*what)(void) = meanwhile;

	meanwhile = NULL;
	if (what)
		what();
	return real_cpu_call(ctx, cpu, fn, arg);
}

static void init_late(void)
{
	struct v3_os_hooks hooks = *v3_fake_host_hooks(fake);

	real_cpu_call = hooks.cpu_call;
	hooks.cpu_call = late_cpu_call;
	meanwhile = NULL;
	assert_int_equal(v3_init(&hooks, &host), V3_OK);
}

static void enable_meanwhile(void)
{
	assert_int_equal(v3_cpu_enable(host, 1), V3_OK);
}

static void get_meanwhile(void)
{
	assert_int_equal(v3_host_cpu_get(host, 1), V3_OK);
}

static void disable_meanwhile(void)
{
	assert_int_equal(v3_cpu_disable(host, 1), V3_OK);
}

static void test_two_enable(void **state)
{
	(void)state;
	init_late();
	meanwhile = enable_meanwhile;
	assert_int_equal(v3_cpu_enable(host, 1), V3_OK);
	assert_true(v3_fake_host_virt_held(fake, 1));
	assert_int_equal(v3_cpu_disable(host, 1), V3_OK);
	expect_off(1);
}

static void test_disable_and_get(void **state)
{
	(void)state;
	init_late();
	assert_int_equal(v3_cpu_enable(host, 1), V3_OK);
	meanwhile = get_meanwhile;
	assert_int_equal(v3_cpu_disable(host, 1), V3_ERR_BUSY);
	assert_true(v3_fake_host_virt_held(fake, 1));
	v3_host_cpu_put(host, 1);
	meanwhile = disable_meanwhile;
	assert_int_equal(v3_cpu_disable(host, 1), V3_OK);
	expect_off(1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_extended_leaves),
		TEST(test_no_svm),
		TEST(test_no_nested_paging),
		TEST(test_one_asid),
		TEST(test_disabled_by_firmware),
		TEST(test_bad_host),
		TEST(test_caps),
		TEST(test_features_off),
		TEST(test_xsaves_erratum),
		TEST(test_xsave_caps),
		TEST(test_enable),
		TEST(test_enable_refused),
		TEST(test_enable_without_memory),
		TEST(test_disable_offline),
		TEST(test_users),
		TEST(test_two_enable),
		TEST(test_disable_and_get),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
