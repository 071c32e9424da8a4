/* SPDX-License-Identifier: BSD-2-Clause */
/* src/lib/lock.c itself, with the fake interrupt flag. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fakes/fake_x86.h"
#include "lib/lock.h"

static void test_single(void **state)
{
	struct v3_lock lock;

	v3_lock_init(&lock);
	assert_false(v3_lock_is_held(&lock));
	v3_lock_acquire(&lock);
	assert_true(v3_lock_is_held(&lock));
	assert_false(v3_lock_try(&lock));
	v3_lock_release(&lock);
	assert_true(v3_lock_try(&lock));
	v3_lock_release(&lock);
	assert_false(v3_lock_is_held(&lock));
}

static void test_wrap(void **state)
{
	struct v3_lock lock = { UINT32_MAX, UINT32_MAX };

	v3_lock_acquire(&lock);
	assert_true(v3_lock_is_held(&lock));
	v3_lock_release(&lock);
	assert_false(v3_lock_is_held(&lock));
	assert_true(v3_lock_try(&lock));
}

static void test_irq(void **state)
{
	struct v3_lock a, b;
	uint64_t outer, inner;

	v3_fake_x86_reset();
	v3_lock_init(&a);
	v3_lock_init(&b);
	outer = v3_lock_irqsave(&a);
	assert_false(v3_fake_irqs_on());
	inner = v3_lock_irqsave(&b);
	v3_lock_irqrestore(&b, inner);
	assert_false(v3_fake_irqs_on());
	v3_lock_irqrestore(&a, outer);
	assert_true(v3_fake_irqs_on());
}

#define ROUNDS 2000
static struct v3_lock shared_lock;
static volatile unsigned int shared_count;

static void *count_up(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		v3_lock_acquire(&shared_lock);
		shared_count = shared_count + 1;
		v3_lock_release(&shared_lock);
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[2];

	v3_lock_init(&shared_lock);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_up, NULL), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(shared_count, 2 * ROUNDS);
	assert_false(v3_lock_is_held(&shared_lock));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_single),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_irq),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
