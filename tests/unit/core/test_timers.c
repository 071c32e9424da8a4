/* SPDX-License-Identifier: BSD-2-Clause */
/* The VM's clock and timers: order, other threads, cancelling, pause, the host's timer. */
#include "guest.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "fakes/fake_x86_state.h"
#include "x86/insn.h"

#define MS 1000000ull

static struct v3_timer *fired[16];
static unsigned int num_fired;
static struct fake_intc intc;

static void fire(struct v3_timer *timer, void *ctx)
{
	assert_ptr_equal(ctx, fired);
	assert_true(v3_now(timer->vcpu->vm) >= timer->deadline);
	assert_true(num_fired < 16);
	fired[num_fired++] = timer;
}

static struct script *start(void)
{
	struct script *script = guest_create(NULL, "\xf4\x90", 2);

	num_fired = 0;
	guest_start(script);
	return script;
}

static unsigned int cpu_of(const struct script *script)
{
	return (unsigned int)v3_vcpu_cpu(script->vcpu);
}

static void test_clock(void **state)
{
	struct script *script = guest_create(NULL, "\x90", 1);
	uint64_t now;

	(void)state;
	assert_int_equal(v3_now(script->vm), 0);
	/* Before the start it stands still. */
	v3_fake_host_advance(script->fake, 5 * MS);
	assert_int_equal(v3_now(script->vm), 0);
	assert_int_equal(v3_guest_tsc(script->vcpu), 0);
	guest_start(script);
	now = v3_now(script->vm);
	v3_fake_host_advance(script->fake, 5 * MS);
	assert_in_range(v3_now(script->vm) - now, 5 * MS - 2, 5 * MS + 2);
	assert_int_equal(v3_guest_tsc(script->vcpu), v3_x86_rdtsc() + script->vmcb->tsc_offset);
	assert_int_equal(v3_vcpu_tsc_offset(script->vcpu), script->vmcb->tsc_offset);
	/* Paused, too; and afterwards it goes on where it was. */
	guest_pause(script);
	now = v3_now(script->vm);
	v3_fake_host_advance(script->fake, 100 * MS);
	assert_int_equal(v3_now(script->vm), now);
	assert_int_equal(v3_vm_resume(script->vm), V3_OK);
	guest_wait(script);
	assert_in_range(v3_now(script->vm) - now, 0, 10);
	assert_int_equal(v3_guest_tsc(script->vcpu), v3_x86_rdtsc() + script->vmcb->tsc_offset);
	assert_int_equal(v3_vcpu_tsc_offset(script->vcpu), script->vmcb->tsc_offset);
	guest_destroy(script);
}

static void test_order(void **state)
{
	struct script *script = start();
	struct v3_timer timers[5];
	static const uint64_t due[5] = { 30, 10, 20, 10, 40 };
	uint64_t now = v3_now(script->vm);
	unsigned int i;

	(void)state;
	for (i = 0; i < 5; i++) {
		v3_timer_init(&timers[i], script->vcpu, fire, fired);
		v3_timer_arm(&timers[i], now + due[i] * MS);
	}
	guest_intr(script);
	assert_int_equal(num_fired, 0);
	/* The host's timer is for the first. */
	assert_in_range(v3_fake_host_timer_deadline(script->fake, cpu_of(script)),
			v3_fake_host_now(script->fake) + 10 * MS - 100,
			v3_fake_host_now(script->fake) + 10 * MS + 100);
	v3_timer_cancel(&timers[2]);
	v3_timer_cancel(&timers[2]);
	v3_fake_host_advance(script->fake, 35 * MS);
	assert_true(v3_fake_host_take_irqs(script->fake, cpu_of(script)) > 0);
	guest_intr(script);
	assert_int_equal(num_fired, 3);
	assert_ptr_equal(fired[0], &timers[1]);
	assert_ptr_equal(fired[1], &timers[3]);
	assert_ptr_equal(fired[2], &timers[0]);
	assert_in_range(v3_fake_host_timer_deadline(script->fake, cpu_of(script)),
			v3_fake_host_now(script->fake) + 5 * MS - 100,
			v3_fake_host_now(script->fake) + 5 * MS + 100);
	/* Moved forward, moved back, cancelled. */
	v3_timer_arm(&timers[4], now + 36 * MS);
	v3_timer_arm(&timers[4], now + 50 * MS);
	v3_fake_host_advance(script->fake, 10 * MS);
	guest_intr(script);
	assert_int_equal(num_fired, 3);
	v3_fake_host_advance(script->fake, 10 * MS);
	guest_intr(script);
	assert_int_equal(num_fired, 4);
	assert_ptr_equal(fired[3], &timers[4]);
	guest_destroy(script);
}

/* One that was moved back while the host's timer fired for its old deadline is not late. */
static void test_moved_back(void **state)
{
	struct script *script = start();
	struct v3_timer timer;
	uint64_t now = v3_now(script->vm);

	(void)state;
	v3_timer_init(&timer, script->vcpu, fire, fired);
	v3_timer_arm(&timer, now + 10 * MS);
	guest_intr(script);
	v3_timer_arm(&timer, now + 20 * MS);
	guest_intr(script);
	v3_fake_host_advance(script->fake, 11 * MS);
	guest_intr(script);
	assert_int_equal(num_fired, 0);
	assert_in_range(v3_fake_host_timer_deadline(script->fake, cpu_of(script)),
			v3_fake_host_now(script->fake) + 9 * MS - 100,
			v3_fake_host_now(script->fake) + 9 * MS + 100);
	guest_destroy(script);
}

/* Deadlines that never come must not look as if they had: no kick, no busy loop. */
static void test_far_away(void **state)
{
	static const uint64_t far[] = { 1ull << 62, 1ull << 63, ~0ull - 1, ~0ull };
	struct script *script = start();
	struct v3_timer timer;
	unsigned int i;

	(void)state;
	v3_timer_init(&timer, script->vcpu, fire, fired);
	for (i = 0; i < 4; i++) {
		v3_timer_arm(&timer, far[i]);
		guest_intr(script);
		assert_int_equal(num_fired, 0);
		assert_true(__atomic_load_n(&script->vcpu->timer_tsc, __ATOMIC_RELAXED) >
			    v3_x86_rdtsc() + (1ull << 40));
		assert_true(v3_timers_deadline(script->vcpu) > v3_fake_host_now(script->fake) +
							       (1ull << 40));
	}
	guest_destroy(script);
}

/* Already due: at the next chance, without waiting for anything. */
static void test_past(void **state)
{
	struct script *script = start();
	struct v3_timer timer;

	(void)state;
	v3_timer_init(&timer, script->vcpu, fire, fired);
	v3_timer_arm(&timer, 0);
	guest_intr(script);
	assert_int_equal(num_fired, 1);
	guest_destroy(script);
}

static uint64_t period_end;

static void fire_again(struct v3_timer *timer, void *ctx)
{
	fire(timer, ctx);
	if (timer->deadline < period_end)
		v3_timer_arm(timer, timer->deadline + 10 * MS);
}

/* A periodic device that is late catches up in one go. */
static void test_periodic(void **state)
{
	struct script *script = start();
	struct v3_timer timer;
	uint64_t now = v3_now(script->vm);

	(void)state;
	period_end = now + 50 * MS;
	v3_timer_init(&timer, script->vcpu, fire_again, fired);
	v3_timer_arm(&timer, now + 10 * MS);
	guest_intr(script);
	v3_fake_host_advance(script->fake, 30 * MS + 10);
	guest_intr(script);
	assert_int_equal(num_fired, 3);
	v3_fake_host_advance(script->fake, 100 * MS);
	guest_intr(script);
	assert_int_equal(num_fired, 5);
	guest_intr(script);
	assert_int_equal(num_fired, 5);
	guest_destroy(script);
}

static void *arm(void *arg)
{
	struct v3_timer *timer = arg;

	v3_timer_arm(timer, v3_now(timer->vcpu->vm) + MS);
	return NULL;
}

/* From another thread, to a vCPU in the guest (kicked) and to one that sleeps (woken). */
static void test_other_thread(void **state)
{
	struct script *script = start();
	struct v3_timer timer;
	pthread_t thread;
	unsigned int kicks = v3_fake_host_kicks(script->fake, cpu_of(script));

	(void)state;
	v3_timer_init(&timer, script->vcpu, fire, fired);
	assert_int_equal(pthread_create(&thread, NULL, arm, &timer), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(v3_fake_host_kicks(script->fake, cpu_of(script)), kicks + 1);
	guest_intr(script);
	v3_fake_host_advance(script->fake, 2 * MS);
	guest_intr(script);
	assert_int_equal(num_fired, 1);
	guest_exit_halts(script, SVM_EXIT_HLT);
	assert_int_equal(pthread_create(&thread, NULL, arm, &timer), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	v3_fake_host_set_auto_clock(script->fake, true);
	v3_vcpu_nmi(script->vcpu);
	guest_wait(script);
	v3_fake_host_advance(script->fake, 2 * MS);
	guest_intr(script);
	assert_int_equal(num_fired, 2);
	guest_destroy(script);
}

/* While the VM is paused no timer runs, and its deadline moves with the clock. */
static void test_pause(void **state)
{
	struct script *script = start();
	struct v3_timer timer;
	uint64_t now = v3_now(script->vm);

	(void)state;
	v3_timer_init(&timer, script->vcpu, fire, fired);
	v3_timer_arm(&timer, now + 10 * MS);
	guest_pause(script);
	v3_fake_host_advance(script->fake, 50 * MS);
	assert_int_equal(num_fired, 0);
	assert_int_equal(v3_vm_resume(script->vm), V3_OK);
	guest_wait(script);
	assert_int_equal(num_fired, 0);
	assert_in_range(v3_fake_host_timer_deadline(script->fake, cpu_of(script)),
			v3_fake_host_now(script->fake) + 10 * MS - 100,
			v3_fake_host_now(script->fake) + 10 * MS + 100);
	v3_fake_host_advance(script->fake, 11 * MS);
	guest_intr(script);
	assert_int_equal(num_fired, 1);
	guest_destroy(script);
}

/* A host that cannot give a timer: said once, and timers still run at exits. */
static void test_no_host_timer(void **state)
{
	struct script *script = guest_create(NULL, "\x90", 1);
	struct v3_timer timer;

	(void)state;
	num_fired = 0;
	fake_intc_attach(&intc, script->vm);
	assert_int_equal(v3_cpu_enable(script->host, 0), V3_OK);
	assert_int_equal(v3_cpu_enable(script->host, 1), V3_OK);
	assert_int_equal(v3_cpu_enable(script->host, 2), V3_OK);
	assert_int_equal(v3_cpu_enable(script->host, 3), V3_OK);
	v3_fake_host_fail_nth(script->fake, 2);	/* after thread_start */
	guest_start(script);
	assert_true(v3_fake_host_log_has(script->fake, V3_LOG_WARN, "no host timer"));
	v3_timer_init(&timer, script->vcpu, fire, fired);
	v3_timer_arm(&timer, v3_now(script->vm) + MS);
	v3_fake_host_advance(script->fake, 2 * MS);
	guest_intr(script);
	assert_int_equal(num_fired, 1);
	/* The vCPU's own, too, and the guest goes on after it. */
	v3_vcpu_timer_set(script->vcpu, v3_now(script->vm) + MS);
	guest_intr(script);
	assert_int_equal(intc.timers, 0);
	v3_fake_host_advance(script->fake, 2 * MS);
	guest_intr(script);
	assert_int_equal(intc.timers, 1);
	guest_intr(script);
	assert_int_equal(intc.timers, 1);
	guest_destroy(script);
}

/* --- The vCPU's own timer, and how early the host's is armed --- */

#define US 1000ull
/* TSC ticks of the fake host */
#define TICKS(ns) ((ns) * (V3_FAKE_TSC_KHZ / 1000) / 1000)

static struct script *start_own(void)
{
	struct script *script = guest_create(NULL, "\xf4\x90", 2);

	num_fired = 0;
	fake_intc_attach(&intc, script->vm);
	guest_start(script);
	return script;
}

static unsigned int own_timers(void)
{
	return __atomic_load_n(&intc.timers, __ATOMIC_SEQ_CST);
}

/* With the guest in VMRUN this stands in for its thread. */
static void own_set(struct script *script, uint64_t after)
{
	v3_vcpu_timer_set(script->vcpu, v3_now(script->vm) + after);
	guest_intr(script);
}

static uint64_t armed_in(const struct script *script)
{
	return v3_fake_host_timer_deadline(script->fake, cpu_of(script)) -
	       v3_fake_host_now(script->fake);
}

static void test_own(void **state)
{
	struct script *script = start_own();
	struct v3_timer timer;

	(void)state;
	own_set(script, 10 * MS);
	assert_in_range(armed_in(script), 10 * MS - 100, 10 * MS + 100);
	v3_fake_host_advance(script->fake, 9 * MS);
	guest_intr(script);
	assert_int_equal(own_timers(), 0);
	v3_fake_host_advance(script->fake, 100 * MS);
	guest_intr(script);
	assert_int_equal(own_timers(), 1);
	guest_intr(script);
	assert_int_equal(own_timers(), 1);
	/* Set again, and taken back. */
	own_set(script, 10 * MS);
	own_set(script, 20 * MS);
	v3_fake_host_advance(script->fake, 11 * MS);
	guest_intr(script);
	assert_int_equal(own_timers(), 1);
	v3_vcpu_timer_set(script->vcpu, UINT64_MAX);
	v3_fake_host_advance(script->fake, 100 * MS);
	guest_intr(script);
	assert_int_equal(own_timers(), 1);
	/* The host's timer is for the first of both kinds. */
	v3_timer_init(&timer, script->vcpu, fire, fired);
	v3_timer_arm(&timer, v3_now(script->vm) + 5 * MS);
	own_set(script, 10 * MS);
	assert_in_range(armed_in(script), 5 * MS - 100, 5 * MS + 100);
	v3_fake_host_advance(script->fake, 50 * MS);
	guest_intr(script);
	assert_int_equal(own_timers(), 2);
	assert_int_equal(num_fired, 1);
	/* It wakes a vCPU, too. */
	own_set(script, 10 * MS);
	guest_exit_halts(script, SVM_EXIT_HLT);
	v3_fake_host_advance(script->fake, 11 * MS);
	v3_vcpu_nmi(script->vcpu);
	guest_wait(script);
	assert_int_equal(own_timers(), 3);
	guest_destroy(script);
}

/* In the past: at once. While paused it does not run, and it moves with the clock. */
static void test_own_clock(void **state)
{
	struct script *script = start_own();

	(void)state;
	v3_vcpu_timer_set(script->vcpu, 0);
	guest_intr(script);
	assert_int_equal(own_timers(), 1);
	own_set(script, 10 * MS);
	guest_pause(script);
	v3_fake_host_advance(script->fake, 50 * MS);
	assert_int_equal(v3_vm_resume(script->vm), V3_OK);
	guest_wait(script);
	assert_int_equal(own_timers(), 1);
	assert_in_range(armed_in(script), 10 * MS - 100, 10 * MS + 100);
	v3_fake_host_advance(script->fake, 11 * MS);
	guest_intr(script);
	assert_int_equal(own_timers(), 2);
	guest_destroy(script);
}

/* One timer whose interrupt ends the guest's run so much after its deadline. */
static void late(struct script *script, uint64_t ns)
{
	unsigned int before = own_timers();

	own_set(script, MS);
	v3_fake_host_advance(script->fake, MS + ns);
	guest_intr(script);
	assert_int_equal(own_timers(), before + 1);
}

static void test_lead_grows(void **state)
{
	struct script *script = start_own();
	uint64_t lead;
	unsigned int i;

	(void)state;
	late(script, 4 * US);
	lead = script->vcpu->lead;
	assert_in_range(lead, TICKS(2 * US) - 10, TICKS(2 * US) + 10);
	own_set(script, MS);
	assert_in_range(armed_in(script), MS - 2 * US - 100, MS - 2 * US + 100);
	v3_fake_host_advance(script->fake, 2 * MS);
	/* Much too late says nothing of what the interrupt takes. */
	guest_intr(script);
	assert_int_equal(script->vcpu->lead, lead);
	for (i = 0; i < 20; i++)
		late(script, 9 * US);
	assert_int_equal(script->vcpu->lead, TICKS(V3_LEAD_MAX_NS));
	guest_destroy(script);
}

/* The guest leaves for the host's timer, which is early; it is not entered before the deadline. */
static void leave_early(struct script *script, uint64_t early)
{
	const struct timespec pause = { .tv_nsec = 2000000 };

	own_set(script, MS);
	v3_fake_host_advance(script->fake, MS - early);
	guest_leave(script, SVM_EXIT_INTR, 0, 0);
	nanosleep(&pause, NULL);
}

static void test_lead_is_waited_for(void **state)
{
	struct script *script = start_own();
	uint64_t lead;

	(void)state;
	late(script, 4 * US);
	lead = script->vcpu->lead;
	leave_early(script, US);
	assert_int_equal(own_timers(), 1);
	v3_fake_host_advance(script->fake, US);
	guest_wait(script);
	assert_int_equal(own_timers(), 2);
	assert_in_range(script->vcpu->lead, lead - TICKS(US) / 8 - 5, lead - TICKS(US) / 8 + 5);
	/* An NMI meanwhile is noticed, but the guest still waits for its timer. */
	leave_early(script, US);
	v3_vcpu_nmi(script->vcpu);
	v3_fake_host_advance(script->fake, US);
	guest_wait(script);
	assert_int_equal(script->vmcb->event_inj, INJ_NMI);
	assert_int_equal(own_timers(), 3);
	/* A pause does not wait for it. */
	leave_early(script, US);
	assert_int_equal(v3_vm_pause(script->vm), V3_OK);
	v3_fake_host_advance(script->fake, MS);
	assert_int_equal(v3_vm_resume(script->vm), V3_OK);
	v3_fake_host_advance(script->fake, 2 * US);
	guest_wait(script);
	assert_int_equal(own_timers(), 4);
	guest_destroy(script);
}

/* A deadline that is nearer than the lead: waited for at once, the host's timer stays as it is. */
static void test_lead_is_too_long(void **state)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	struct script *script = start_own();

	(void)state;
	late(script, 8 * US);
	v3_vcpu_timer_set(script->vcpu, v3_now(script->vm) + 2 * US);
	guest_leave(script, SVM_EXIT_INTR, 0, 0);
	nanosleep(&pause, NULL);
	assert_int_equal(own_timers(), 1);
	v3_fake_host_advance(script->fake, 2 * US);
	guest_wait(script);
	assert_int_equal(own_timers(), 2);
	/* The host wants the CPU: it has it, and the timer fires when that is over. */
	v3_vcpu_timer_set(script->vcpu, v3_now(script->vm) + 2 * US);
	v3_fake_host_set_should_yield(script->fake, true);
	guest_leave(script, SVM_EXIT_INTR, 0, 0);
	/* Again and again, if not within so short a time on a busy machine. ctest ends a wait in vain. */
	while (v3_fake_host_yields(script->fake) <= 1)
		nanosleep(&pause, NULL);
	v3_fake_host_set_should_yield(script->fake, false);
	v3_fake_host_advance(script->fake, 2 * US);
	guest_wait(script);
	assert_int_equal(own_timers(), 3);
	guest_destroy(script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_moved_back),
		cmocka_unit_test(test_far_away),
		cmocka_unit_test(test_past),
		cmocka_unit_test(test_periodic),
		cmocka_unit_test(test_other_thread),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_no_host_timer),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_own_clock),
		cmocka_unit_test(test_lead_grows),
		cmocka_unit_test(test_lead_is_waited_for),
		cmocka_unit_test(test_lead_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
