/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads and events of the fake host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect_fail.h"
#include "fakes/fake_host.h"
#include "fakes/fake_x86.h"

static struct v3_fake_host *host;
static struct v3_os_hooks *os;
static struct v3_host_event *ping, *pong;

static int setup(void **state)
{
	host = v3_fake_host_create();
	os = v3_fake_host_hooks(host);
	return os->event_create(os->ctx, &ping) == V3_OK &&
	       os->event_create(os->ctx, &pong) == V3_OK ? 0 : -1;
}

static int teardown(void **state)
{
	os->event_destroy(os->ctx, ping);
	os->event_destroy(os->ctx, pong);
	v3_fake_host_destroy(host);
	return 0;
}

static void note_cpu(void *arg)
{
	*(unsigned int *)arg = os->cpu_current(os->ctx) + 100;
}

static void test_manual(void **state)
{
	struct v3_host_thread *a, *b;
	unsigned int ran_a = 0, ran_b = 0;

	assert_int_equal(os->thread_start(os->ctx, "a", 3, note_cpu, &ran_a, &a), V3_OK);
	assert_int_equal(os->thread_start(os->ctx, "b", V3_CPU_ANY, note_cpu, &ran_b, &b), V3_OK);
	assert_int_equal(v3_fake_host_threads(host), 2);
	assert_int_equal(ran_a, 0);
	assert_true(v3_fake_host_run_thread(host));
	assert_int_equal(ran_a, 103);
	assert_int_equal(v3_fake_cpu(), 0);
	os->thread_join(os->ctx, b);
	assert_in_range(ran_b, 100, 103);
	assert_false(v3_fake_host_run_thread(host));
	os->thread_join(os->ctx, a);
	EXPECT_FAIL("not there", os->thread_join(os->ctx, a));
	assert_int_equal(os->thread_start(os->ctx, "c", 4, note_cpu, &ran_a, &a), V3_ERR_NOENT);
	v3_fake_host_fail_nth(host, 1);
	assert_int_equal(os->thread_start(os->ctx, "c", 1, note_cpu, &ran_a, &a), V3_ERR_NOMEM);
}

static void test_inline(void **state)
{
	struct v3_host_thread *a;
	unsigned int ran = 0;

	v3_fake_host_set_threads(host, V3_FAKE_INLINE);
	assert_int_equal(os->thread_start(os->ctx, "a", 1, note_cpu, &ran, &a), V3_OK);
	assert_int_equal(ran, 101);
	os->thread_join(os->ctx, a);
}

static void signal_ping(void *arg, uint64_t deadline)
{
	(*(unsigned int *)arg)++;
	os->event_signal(os->ctx, ping);
}

static void test_wait_alone(void **state)
{
	uint64_t now = os->clock_ns(os->ctx);
	unsigned int idle = 0;

	os->event_signal(os->ctx, ping);
	os->event_signal(os->ctx, ping);
	os->event_wait(os->ctx, ping, UINT64_MAX);
	/* Consumed: now the clock moves. */
	os->event_wait(os->ctx, ping, now + 500);
	assert_int_equal(os->clock_ns(os->ctx), now + 500);
	EXPECT_FAIL("wait for ever", os->event_wait(os->ctx, ping, UINT64_MAX));
	v3_fake_host_on_idle(host, signal_ping, &idle);
	os->event_wait(os->ctx, ping, UINT64_MAX);
	assert_int_equal(idle, 1);
}

#define ROUNDS 200

static void answer(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		os->event_wait(os->ctx, ping, UINT64_MAX);
		__atomic_add_fetch((unsigned int *)arg, 1, __ATOMIC_RELAXED);
		os->event_signal(os->ctx, pong);
	}
}

static void test_pthreads(void **state)
{
	struct v3_host_thread *thread;
	unsigned int answers = 0;
	uint64_t now;

	v3_fake_host_set_threads(host, V3_FAKE_PTHREADS);
	assert_int_equal(os->thread_start(os->ctx, "answer", 2, answer, &answers, &thread), V3_OK);
	for (int i = 0; i < ROUNDS; i++) {
		os->event_signal(os->ctx, ping);
		os->event_wait(os->ctx, pong, UINT64_MAX);
	}
	os->thread_join(os->ctx, thread);
	assert_int_equal(answers, ROUNDS);

	now = os->clock_ns(os->ctx);
	os->event_wait(os->ctx, ping, now + 1000000000000ULL);
	assert_int_equal(os->clock_ns(os->ctx) - now, 1000000000000ULL);
}

static void sleep_till(void *arg)
{
	os->event_wait(os->ctx, ping, *(uint64_t *)arg);
}

static void test_clock_by_hand(void **state)
{
	struct v3_host_thread *thread;
	uint64_t deadline = os->clock_ns(os->ctx) + 1000;

	v3_fake_host_set_threads(host, V3_FAKE_PTHREADS);
	v3_fake_host_set_auto_clock(host, false);
	assert_int_equal(os->thread_start(os->ctx, "sleeper", 1, sleep_till, &deadline, &thread),
			 V3_OK);
	v3_fake_host_advance(host, 999);
	v3_fake_host_advance(host, 1);
	os->thread_join(os->ctx, thread);
	assert_int_equal(os->clock_ns(os->ctx), deadline);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_manual, setup, teardown),
		cmocka_unit_test_setup_teardown(test_inline, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wait_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pthreads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clock_by_hand, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
