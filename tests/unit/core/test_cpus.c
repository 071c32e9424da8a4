/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that take or give back one CPU at once. What another thread does in between is done by
 * the hook through which the library gets to the CPU.
 */
#include "script.h"

static struct v3_fake_host *fake;
static struct v3_host *host;
static enum v3_status (*real_cpu_call)(void *ctx, unsigned int cpu, void (*fn)(void *arg),
				       void *arg);
static void (*meanwhile)(void);

static enum v3_status cpu_call(void *ctx, unsigned int cpu, void (*fn)(void *arg), void *arg)
{
	void (*once)(void) = meanwhile;

	meanwhile = NULL;
	if (once)
		once();
	return real_cpu_call(ctx, cpu, fn, arg);
}

static int setup(void **state)
{
	struct v3_os_hooks hooks;

	fake = v3_fake_host_create();
	hooks = *v3_fake_host_hooks(fake);
	real_cpu_call = hooks.cpu_call;
	hooks.cpu_call = cpu_call;
	return v3_init(&hooks, &host);
}

static int teardown(void **state)
{
	assert_int_equal(v3_exit(host), V3_OK);
	assert_false(v3_fake_host_virt_held(fake, 1));
	v3_fake_host_destroy(fake);
	return 0;
}

static void enable_too(void)
{
	assert_int_equal(v3_cpu_enable(host, 1), V3_OK);
}

static void use(void)
{
	assert_int_equal(v3_host_cpu_get(host, 1), V3_OK);
}

static void disable(void)
{
	assert_int_equal(v3_cpu_disable(host, 1), V3_OK);
}

static void test_two_enable(void **state)
{
	meanwhile = enable_too;
	assert_int_equal(v3_cpu_enable(host, 1), V3_OK);
	assert_true(v3_fake_host_virt_held(fake, 1));
	assert_int_equal(v3_cpu_disable(host, 1), V3_OK);
	assert_false(v3_fake_host_virt_held(fake, 1));
}

static void test_two_disable(void **state)
{
	assert_int_equal(v3_cpu_enable(host, 1), V3_OK);
	meanwhile = disable;
	assert_int_equal(v3_cpu_disable(host, 1), V3_OK);
	assert_false(v3_fake_host_virt_held(fake, 1));
}

/* A vCPU's thread gets in between: the CPU stays with it. */
static void test_used_while_disabled(void **state)
{
	assert_int_equal(v3_cpu_enable(host, 1), V3_OK);
	meanwhile = use;
	assert_int_equal(v3_cpu_disable(host, 1), V3_ERR_BUSY);
	assert_true(v3_fake_host_virt_held(fake, 1));
	v3_host_cpu_put(host, 1);
}

static void test_offline(void **state)
{
	v3_fake_host_set_online(fake, 1, false);
	assert_int_equal(v3_cpu_enable(host, 1), V3_ERR_NOENT);
	assert_int_equal(v3_cpu_disable(host, 1), V3_OK);
	v3_fake_host_set_online(fake, 1, true);
	assert_int_equal(v3_cpu_enable(host, 1), V3_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_two_enable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_disable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_used_while_disabled, setup, teardown),
		cmocka_unit_test_setup_teardown(test_offline, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
