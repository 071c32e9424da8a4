/* SPDX-License-Identifier: BSD-2-Clause */
/* The preemption timer in place of the host's. SDM vol. 3 26.5.1, A.6. */
#include "machine.h"

#include "x86/insn.h"
#include "x86/msr.h"

#define IDLE 0xffffffffu

static struct v3_vcpu *vcpu;

static void begin(const char *off)
{
	machine_create(V3_FAKE_SKYLAKE_X, off);
	vcpu = machine_load();
}

static uint64_t timer(void)
{
	return entered(vcpu, V3_VMCS_PREEMPTION_TIMER);
}

/* As the guest sets a timer of its local APIC, in nanoseconds from now. */
static void timer_in(uint64_t ns)
{
	v3_vcpu_timer_set(vcpu, v3_now(vm) + ns);
}

static void test_deadline(void **state)
{
	uint64_t left, shift;

	(void)state;
	begin(NULL);
	shift = V3_VMX_MISC_TIMER_SHIFT(v3_fake_msr_get(V3_MSR_VMX_MISC));
	assert_true(host->timer_in_guest);
	enter(vcpu);
	assert_true(entered(vcpu, V3_VMCS_PIN_CTLS) & V3_VMX_PIN_TIMER);
	assert_int_equal(timer(), IDLE);
	timer_in(1000000);
	assert_int_not_equal(vcpu->host_timer_tsc, UINT64_MAX);
	/* The host's is not needed. */
	assert_int_equal(v3_fake_host_timer_deadline(fake, 0), UINT64_MAX);
	enter(vcpu);
	left = vcpu->host_timer_tsc - v3_x86_rdtsc();
	assert_int_equal(timer(), (left >> shift) + 1);
	/* Time passes outside of the guest. */
	v3_fake_tsc_advance(left / 2);
	enter(vcpu);
	left = vcpu->host_timer_tsc - v3_x86_rdtsc();
	assert_int_equal(timer(), (left >> shift) + 1);
	machine_end(vcpu);
}

static void test_far(void **state)
{
	(void)state;
	begin(NULL);
	timer_in(1ull << 42);
	enter(vcpu);
	assert_int_equal(timer(), IDLE);
	machine_end(vcpu);
}

static unsigned int fired;

static void fire(struct v3_vcpu *v, void *ctx, bool due)
{
	(void)v;
	(void)ctx;
	fired += due;
}

static int no_vector(struct v3_vcpu *v, void *ctx, bool *blocked)
{
	(void)v;
	(void)ctx;
	*blocked = false;
	return -1;
}

/* What the core makes of the exit is what it makes of the host's timer. */
static void test_exit(void **state)
{
	static const struct v3_intc_ops ops = { .peek = no_vector, .timer = fire };
	struct v3_exit exit;

	(void)state;
	begin(NULL);
	fired = 0;
	assert_int_equal(v3_intc_attach(vm, &ops, NULL), V3_OK);
	timer_in(1000000);
	EXIT_WITH({ V3_VMCS_EXIT_REASON, V3_VMX_REASON_TIMER });
	exit = enter(vcpu);
	assert_int_equal(exit.kind, V3_EXIT_INTR);
	assert_int_equal(timer(), IDLE);
	/* Too early by a count: not due, and set again. */
	v3_exit_handle(vcpu, &exit);
	assert_int_equal(fired, 0);
	v3_fake_tsc_set(vcpu->host_timer_tsc);
	v3_fake_tsc_step(1);
	v3_exit_handle(vcpu, &exit);
	assert_int_equal(fired, 1);
	/* Nothing is to come: an old count does not end runs for ever. */
	assert_int_equal(vcpu->host_timer_tsc, UINT64_MAX);
	exit_intr();
	enter(vcpu);
	assert_int_equal(timer(), IDLE);
	machine_end(vcpu);
}

static void test_off(void **state)
{
	(void)state;
	begin("preemption-timer");
	assert_false(host->timer_in_guest);
	timer_in(1000000);
	assert_int_not_equal(v3_fake_host_timer_deadline(fake, 0), UINT64_MAX);
	enter(vcpu);
	assert_int_equal(entered(vcpu, V3_VMCS_PIN_CTLS) & V3_VMX_PIN_TIMER, 0);
	machine_end(vcpu);
}

/* CPUs that do not count right, and one that does not count. */
static void test_broken(void **state)
{
	const uint32_t broken[] = { 0x106a5, 0x206e6, 0x306a8 };
	struct vmx_msrs msrs;
	struct vmx_caps caps;
	unsigned int i;

	(void)state;
	begin(NULL);
	memset(&msrs, 0, sizeof(msrs));
	for (i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		msrs.pin = ~0ull << 32;
		msrs.signature = broken[i];
		vmx_caps_compute(&msrs, 0, &caps);
		assert_false(caps.timer);
		msrs.signature = 0x50654;
		vmx_caps_compute(&msrs, 0, &caps);
		assert_true(caps.timer);
		msrs.pin = (uint64_t)~V3_VMX_PIN_TIMER << 32;
		vmx_caps_compute(&msrs, 0, &caps);
		assert_false(caps.timer);
	}
	machine_end(vcpu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deadline), cmocka_unit_test(test_far),
		cmocka_unit_test(test_exit), cmocka_unit_test(test_off),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
