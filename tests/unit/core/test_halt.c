/* SPDX-License-Identifier: BSD-2-Clause */
/* HLT: when its end is polled for, what ends a poll, and how polls get longer and shorter. */
#include "guest.h"

#include <string.h>
#include <time.h>

#include "fakes/fake_x86_state.h"
#include "x86/cr.h"

#define MOST (V3_HALT_POLL_NS * (V3_FAKE_TSC_KHZ / 1000) / 1000)

static struct fake_intc intc;

/* A guest of HLTs, interrupts on. The TSC stands still unless the test moves it. */
static struct script *start(void)
{
	uint8_t code[64];
	struct script *script;

	memset(code, 0xf4, sizeof(code));
	script = guest_create(NULL, code, sizeof(code));
	v3_fake_set_cpu(3);	/* the vCPU's thread has another */
	fake_intc_attach(&intc, script->vm);
	guest_start(script);
	script->vmcb->rflags |= V3_RFLAGS_IF;
	return script;
}

static void nap(void)
{
	const struct timespec pause = { .tv_nsec = 2000000 };

	nanosleep(&pause, NULL);
}

static void wake(struct script *script)
{
	fake_intc_raise(&intc, script->vcpu, 0x31);
	guest_wait(script);
	assert_int_equal(script->vmcb->event_inj, INJ_INTR(0x31));
}

static void sleep_for(struct script *script, uint64_t ns)
{
	guest_set_rip(script, 0);
	guest_exit_halts(script, SVM_EXIT_HLT);
	v3_fake_host_advance(script->fake, ns);
	wake(script);
}

/* Only with the guest in VMRUN. */
static void polling(struct script *script, bool on)
{
	v3_fake_host_set_can_poll(script->fake, on);
	script->vcpu->poll = MOST;
	guest_set_rip(script, 0);
}

static void poll_begins(struct script *script)
{
	unsigned int i;

	polling(script, true);
	guest_leave(script, SVM_EXIT_HLT, 0, 0);
	for (i = 0; __atomic_load_n(&script->vcpu->mode, __ATOMIC_SEQ_CST) == V3_VCPU_GUEST; i++) {
		assert_true(i < 5000);
		nap();
	}
	nap();
	assert_int_equal(__atomic_load_n(&script->vcpu->mode, __ATOMIC_SEQ_CST), V3_VCPU_OUTSIDE);
}

static void poll_ends_asleep(struct script *script)
{
	unsigned int i;

	for (i = 0; __atomic_load_n(&script->vcpu->mode, __ATOMIC_SEQ_CST) != V3_VCPU_WAITING; i++) {
		assert_true(i < 5000);
		nap();
	}
}

static uint64_t halts(struct script *script)
{
	struct v3_vcpu_stats stats;

	assert_int_equal(v3_vcpu_stats(script->vcpu, &stats), V3_OK);
	return stats.halts;
}

/* Short sleeps make polls longer up to the limit, long ones shorter down to none. */
static void test_learns(void **state)
{
	struct script *script = start();
	uint64_t expect;

	(void)state;
	assert_int_equal(script->vcpu->poll, 0);
	for (expect = MOST / 16; expect <= MOST; expect *= 2) {
		sleep_for(script, 1000);
		assert_int_equal(script->vcpu->poll, expect);
	}
	sleep_for(script, V3_HALT_POLL_NS - 1000);
	assert_int_equal(script->vcpu->poll, MOST);
	for (expect = MOST / 2; expect >= MOST / 16; expect /= 2) {
		sleep_for(script, V3_HALT_POLL_NS + 1000);
		assert_int_equal(script->vcpu->poll, expect);
	}
	sleep_for(script, V3_HALT_POLL_NS + 1000);
	assert_int_equal(script->vcpu->poll, 0);
	sleep_for(script, V3_HALT_POLL_NS + 1000);
	assert_int_equal(script->vcpu->poll, 0);
	guest_destroy(script);
}

static void test_limit(void **state)
{
	struct script *script = start();

	(void)state;
	sleep_for(script, 1000);
	assert_true(script->vcpu->poll > 0);
	assert_int_equal(v3_host_set_halt_poll(script->host, V3_HALT_POLL_MAX_NS + 1), V3_ERR_RANGE);
	assert_int_equal(script->host->halt_poll, MOST);
	assert_int_equal(v3_host_set_halt_poll(script->host, V3_HALT_POLL_MAX_NS), V3_OK);
	assert_int_equal(script->host->halt_poll, MOST * 50);
	/* None at all: also for those who polled so far. */
	assert_int_equal(v3_host_set_halt_poll(script->host, 0), V3_OK);
	v3_fake_host_set_can_poll(script->fake, true);
	script->vcpu->poll = 0;
	sleep_for(script, 1000);
	assert_int_equal(script->vcpu->poll, 0);
	guest_destroy(script);
}

/* The host has other work: the thread sleeps at once, or as soon as there is some. */
static void test_host_is_busy(void **state)
{
	struct script *script = start();

	(void)state;
	polling(script, false);
	guest_exit_halts(script, SVM_EXIT_HLT);
	wake(script);
	poll_begins(script);
	v3_fake_host_set_can_poll(script->fake, false);
	poll_ends_asleep(script);
	wake(script);
	guest_destroy(script);
}

static void test_interrupt(void **state)
{
	struct script *script = start();
	unsigned int cpu = (unsigned int)v3_vcpu_cpu(script->vcpu);
	unsigned int kicks = v3_fake_host_kicks(script->fake, cpu);

	(void)state;
	poll_begins(script);
	wake(script);
	assert_int_equal(guest_rip(script), 1);
	assert_int_equal(v3_fake_host_kicks(script->fake, cpu), kicks);
	assert_int_equal(halts(script), 1);
	assert_int_equal(script->vcpu->poll, MOST);
	/* A request that wakes nobody does not end it. */
	poll_begins(script);
	v3_vcpu_check_intr(script->vcpu);
	nap();
	assert_int_equal(__atomic_load_n(&script->vcpu->mode, __ATOMIC_SEQ_CST), V3_VCPU_OUTSIDE);
	wake(script);
	assert_int_equal(halts(script), 2);
	guest_destroy(script);
}

static void test_nmi(void **state)
{
	struct script *script = start();

	(void)state;
	poll_begins(script);
	v3_vcpu_nmi(script->vcpu);
	guest_wait(script);
	assert_int_equal(script->vmcb->event_inj, INJ_NMI);
	guest_destroy(script);
}

static void fire(struct v3_timer *timer, void *ctx)
{
	(void)ctx;
	fake_intc_raise(&intc, timer->vcpu, 0x32);
}

static void test_timer(void **state)
{
	struct script *script = start();
	struct v3_timer timer;

	(void)state;
	v3_timer_init(&timer, script->vcpu, fire, NULL);
	v3_timer_arm(&timer, v3_now(script->vm) + 50000);
	guest_intr(script);
	poll_begins(script);
	v3_fake_host_advance(script->fake, 60000);
	guest_wait(script);
	assert_int_equal(script->vmcb->event_inj, INJ_INTR(0x32));
	guest_destroy(script);
}

/* In vain: it sleeps, polls less, and wakes as ever. */
static void test_time_is_over(void **state)
{
	struct script *script = start();

	(void)state;
	poll_begins(script);
	v3_fake_host_advance(script->fake, V3_HALT_POLL_NS + 1);
	poll_ends_asleep(script);
	v3_fake_host_advance(script->fake, V3_HALT_POLL_NS + 1);
	wake(script);
	assert_int_equal(halts(script), 1);
	assert_int_equal(script->vcpu->poll, MOST / 2);
	guest_destroy(script);
}

/* Control calls do not wait for the end of a poll. */
static void test_control(void **state)
{
	struct script *script = start();

	(void)state;
	poll_begins(script);
	assert_int_equal(v3_vm_pause(script->vm), V3_OK);
	assert_int_equal(v3_vm_resume(script->vm), V3_OK);
	poll_ends_asleep(script);
	wake(script);
	poll_begins(script);
	assert_int_equal(v3_vm_stop(script->vm), V3_OK);
	guest_destroy(script);
}

/* INIT ends the HLT in a wait that may be long: that is not polled for. */
static void test_init(void **state)
{
	struct script *script = start();

	(void)state;
	poll_begins(script);
	v3_vcpu_init(script->vcpu);
	/* The first vCPU starts anew at the reset vector. */
	guest_wait(script);
	assert_int_equal(script->vmcb->rip, 0xfff0);
	guest_destroy(script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_learns),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_host_is_busy),
		cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_nmi),
		cmocka_unit_test(test_timer),
		cmocka_unit_test(test_time_is_over),
		cmocka_unit_test(test_control),
		cmocka_unit_test(test_init),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
