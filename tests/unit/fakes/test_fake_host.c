/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory, contexts, CPUs, time, log of the fake host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect_fail.h"
#include "fakes/fake_host.h"
#include "fakes/fake_x86.h"
#include "lib/lock.h"
#include "x86/cr.h"
#include "x86/insn.h"

static struct v3_fake_host *host;
static struct v3_os_hooks *os;

static int setup(void **state)
{
	host = v3_fake_host_create();
	os = v3_fake_host_hooks(host);
	return host ? 0 : -1;
}

static int teardown(void **state)
{
	v3_fake_host_destroy(host);
	return 0;
}

static void test_table_is_complete(void **state)
{
	uint8_t zeros[sizeof(void *)] = { 0 };

	assert_int_equal(os->abi_version, V3_HOOKS_ABI_VERSION);
	assert_int_equal(os->struct_size, sizeof(*os));
	/* All hooks; the text at the end is no hook. */
	for (size_t at = offsetof(struct v3_os_hooks, ctx);
	     at < offsetof(struct v3_os_hooks, features_off); at += sizeof(void *))
		assert_memory_not_equal((uint8_t *)os + at, zeros, sizeof(void *));
}

static void test_pages(void **state)
{
	v3_hpa_t a, b, c;
	uint8_t *virt;

	assert_int_equal(os->page_alloc(os->ctx, 3, 1, V3_NODE_ANY, 0, &a), V3_OK);
	assert_int_equal(os->page_alloc(os->ctx, 512, 512, 1, 0, &b), V3_OK);
	assert_int_equal(os->page_alloc(os->ctx, 1, 1, V3_NODE_ANY, 0xa0000000ULL, &c), V3_OK);
	assert_int_equal(b % (512 * V3_PAGE_SIZE), 0);
	assert_true(b < V3_FAKE_PHYS_BASE + V3_FAKE_PHYS_SIZE / 2);
	assert_true(c < 0xa0000000ULL);
	assert_int_equal(v3_fake_host_pages(host), 516);

	virt = os->phys_to_virt(os->ctx, a + 5000);
	assert_true((uintptr_t)virt != a + 5000);
	assert_true(os->virt_to_phys(os->ctx, virt) == a + 5000);
	assert_int_equal(*virt, 0xa5);
	*virt = 1;

	EXPECT_FAIL("page_free", os->page_free(os->ctx, a, 2));
	EXPECT_FAIL("page_free", os->page_free(os->ctx, a + V3_PAGE_SIZE, 2));
	os->page_free(os->ctx, a, 3);
	EXPECT_FAIL("page_free", os->page_free(os->ctx, a, 3));
	EXPECT_FAIL("phys_to_virt", os->phys_to_virt(os->ctx, a));
	EXPECT_FAIL("phys_to_virt", os->phys_to_virt(os->ctx, V3_HPA_NONE));
	EXPECT_FAIL("phys_to_virt", os->phys_to_virt(os->ctx, 0x1000));
	EXPECT_FAIL("virt_to_phys", os->virt_to_phys(os->ctx, &a));
	os->page_free(os->ctx, b, 512);
	os->page_free(os->ctx, c, 1);
	assert_int_equal(v3_fake_host_pages_peak(host), 516);
}

static void test_pages_run_out(void **state)
{
	v3_hpa_t hpa;

	assert_int_equal(os->page_alloc(os->ctx, V3_FAKE_PHYS_SIZE / V3_PAGE_SIZE + 1, 1, V3_NODE_ANY,
					0, &hpa), V3_ERR_NOMEM);
	assert_int_equal(os->page_alloc(os->ctx, 1, 1, V3_NODE_ANY, 0x1000000, &hpa), V3_ERR_NOMEM);
	assert_int_equal(os->page_alloc(os->ctx, 1, 1, V3_FAKE_NODES, 0, &hpa), V3_ERR_NOMEM);
	v3_fake_host_fail_nth(host, 2);
	assert_int_equal(os->page_alloc(os->ctx, 1, 1, 0, 0, &hpa), V3_OK);
	os->page_free(os->ctx, hpa, 1);
	assert_null(os->heap_alloc(os->ctx, 10));
	assert_int_equal(os->page_alloc(os->ctx, 1, 1, 0, 0, &hpa), V3_OK);
	os->page_free(os->ctx, hpa, 1);
	/* As a whole it fits: nothing is left over from above. */
	assert_int_equal(os->page_alloc(os->ctx, V3_FAKE_PHYS_SIZE / V3_PAGE_SIZE, 1, V3_NODE_ANY, 0,
					&hpa), V3_OK);
	assert_true(hpa == V3_FAKE_PHYS_BASE);
	os->page_free(os->ctx, hpa, V3_FAKE_PHYS_SIZE / V3_PAGE_SIZE);
}

static void test_heap(void **state)
{
	uint8_t *ptr = os->heap_alloc(os->ctx, 100);

	assert_non_null(ptr);
	assert_int_equal((uintptr_t)ptr % 32, 16);
	for (int i = 0; i < 100; i++)
		assert_int_equal(ptr[i], 0);
	assert_ptr_equal(os->phys_to_virt(os->ctx, os->virt_to_phys(os->ctx, ptr + 50)), ptr + 50);
	EXPECT_FAIL("heap_free", os->heap_free(os->ctx, ptr, 99));
	EXPECT_FAIL("heap_free", os->heap_free(os->ctx, ptr + 16, 84));
	os->heap_free(os->ctx, ptr, 100);
	EXPECT_FAIL("heap_free", os->heap_free(os->ctx, ptr, 100));
	os->heap_free(os->ctx, NULL, 5);
	assert_int_equal(v3_fake_host_heap_bytes(host), 0);
	assert_int_equal(v3_fake_host_heap_peak(host), 100);
}

static void test_leaks_are_found(void **state)
{
	struct v3_fake_host *other = v3_fake_host_create();
	struct v3_os_hooks *hooks = v3_fake_host_hooks(other);
	struct v3_host_event *event;
	struct v3_host_timer *timer;
	v3_hpa_t hpa;

	assert_non_null(hooks->heap_alloc(hooks->ctx, 1));
	EXPECT_FAIL("bytes of heap", v3_fake_host_destroy(other));
	other = v3_fake_host_create();
	hooks = v3_fake_host_hooks(other);
	assert_int_equal(hooks->page_alloc(hooks->ctx, 1, 1, 0, 0, &hpa), V3_OK);
	EXPECT_FAIL("leak: 1 pages", v3_fake_host_destroy(other));
	other = v3_fake_host_create();
	hooks = v3_fake_host_hooks(other);
	assert_int_equal(hooks->event_create(hooks->ctx, &event), V3_OK);
	EXPECT_FAIL("an event", v3_fake_host_destroy(other));
	other = v3_fake_host_create();
	hooks = v3_fake_host_hooks(other);
	assert_int_equal(hooks->timer_create(hooks->ctx, 1, &timer), V3_OK);
	EXPECT_FAIL("a timer", v3_fake_host_destroy(other));
	v3_fake_x86_reset();
}

static void test_contexts(void **state)
{
	struct v3_lock lock;
	v3_hpa_t hpa;

	v3_lock_init(&lock);
	v3_x86_cli();
	EXPECT_FAIL("interrupts off", os->heap_free(os->ctx, NULL, 0));
	v3_x86_sti();
	v3_lock_acquire(&lock);
	EXPECT_FAIL("1 locks held", os->heap_free(os->ctx, NULL, 0));
	v3_lock_release(&lock);
	os->fpu_begin(os->ctx);
	assert_true(v3_fake_host_in_fpu());
	EXPECT_FAIL("fpu_begin and", os->page_alloc(os->ctx, 1, 1, 0, 0, &hpa));
	os->cpu_current(os->ctx);
	os->fpu_end(os->ctx);
	os->page_free(os->ctx, hpa, 1);
	EXPECT_FAIL("without fpu_begin", os->fpu_end(os->ctx));
	EXPECT_FAIL("may be moved", os->cpu_current(os->ctx));
}

static unsigned int seen_cpu;

static void look(void *arg)
{
	assert_false(v3_fake_irqs_on());
	seen_cpu = os->cpu_current(os->ctx);
	if (arg)
		assert_int_equal(os->virt_acquire(os->ctx, seen_cpu), *(enum v3_status *)arg);
	else
		os->virt_release(os->ctx, seen_cpu);
}

static void sleep_there(void *arg)
{
	os->heap_free(os->ctx, NULL, 0);
}

static void leave_irqs_on(void *arg)
{
	v3_x86_sti();
}

static void test_cpu_call(void **state)
{
	enum v3_status want = V3_OK;

	assert_int_equal(os->cpu_call(os->ctx, 2, look, &want), V3_OK);
	assert_int_equal(seen_cpu, 2);
	assert_int_equal(v3_fake_cpu(), 0);
	assert_true(v3_fake_irqs_on());
	assert_true(v3_fake_host_virt_held(host, 2));
	assert_int_equal(os->cpu_call(os->ctx, 2, look, NULL), V3_OK);
	want = V3_ERR_BUSY;
	v3_fake_host_set_virt_answer(host, want);
	assert_int_equal(os->cpu_call(os->ctx, 1, look, &want), V3_OK);
	assert_false(v3_fake_host_virt_held(host, 1));
	v3_fake_host_set_online(host, 3, false);
	assert_int_equal(os->cpu_call(os->ctx, 3, look, &want), V3_ERR_NOENT);
	assert_int_equal(os->cpu_call(os->ctx, 4, look, &want), V3_ERR_NOENT);
	EXPECT_FAIL("in cpu_call", os->cpu_call(os->ctx, 0, sleep_there, NULL));
	EXPECT_FAIL("left interrupts on", os->cpu_call(os->ctx, 0, leave_irqs_on, NULL));
	EXPECT_FAIL("virt_acquire", os->virt_acquire(os->ctx, 0));
}

static void take_vmx(void *arg)
{
	const uint64_t vmxe = V3_CR4_VMXE;

	EXPECT_FAIL("which is not held", os->cr4_update(os->ctx, vmxe, 0));
	v3_x86_write_cr4(v3_x86_read_cr4() & ~vmxe);
	assert_int_equal(os->virt_acquire(os->ctx, 1), V3_OK);
	EXPECT_FAIL("cr4_update", os->cr4_update(os->ctx, V3_CR4_SMXE, 0));
	v3_x86_write_cr4(v3_x86_read_cr4() & ~(uint64_t)V3_CR4_SMXE);
	v3_fake_host_set_cr4_answer(host, V3_ERR_NOTSUP);
	assert_int_equal(os->cr4_update(os->ctx, vmxe, 0), V3_ERR_NOTSUP);
	assert_false(v3_x86_read_cr4() & vmxe);
	v3_fake_host_set_cr4_answer(host, V3_OK);
	assert_int_equal(os->cr4_update(os->ctx, vmxe, 0), V3_OK);
	assert_true(v3_x86_read_cr4() & vmxe);
	assert_int_equal(os->cr4_update(os->ctx, 0, vmxe), V3_OK);
	assert_false(v3_x86_read_cr4() & vmxe);
	os->virt_release(os->ctx, 1);
	(void)arg;
}

static void test_cr4(void **state)
{
	assert_int_equal(os->cpu_call(os->ctx, 1, take_vmx, NULL), V3_OK);
}

static void test_time(void **state)
{
	struct v3_host_timer *timer;
	uint64_t start = os->clock_ns(os->ctx), tsc = v3_x86_rdtsc();

	assert_int_equal(os->timer_create(os->ctx, 0, &timer), V3_OK);
	os->timer_arm(os->ctx, timer, start + 1000);
	assert_true(v3_fake_host_timer_deadline(host, 0) == start + 1000);
	v3_fake_host_advance(host, 999);
	assert_int_equal(v3_fake_host_take_irqs(host, 0), 0);
	v3_fake_host_advance(host, 1);
	assert_int_equal(v3_fake_host_take_irqs(host, 0), 1);
	assert_int_equal(v3_fake_host_take_irqs(host, 0), 0);
	assert_int_equal(os->clock_ns(os->ctx) - start, 1000);
	assert_int_equal(v3_x86_rdtsc() - tsc, 2000);

	os->timer_arm(os->ctx, timer, start + 5000);
	os->timer_cancel(os->ctx, timer);
	v3_fake_host_advance(host, 10000);
	assert_int_equal(v3_fake_host_take_irqs(host, 0), 0);
	v3_fake_set_cpu(1);
	EXPECT_FAIL("on CPU 1", os->timer_arm(os->ctx, timer, 0));
	v3_fake_set_cpu(0);
	v3_fake_host_take_irqs(host, 0);
	os->timer_destroy(os->ctx, timer);
	EXPECT_FAIL("not there", os->timer_arm(os->ctx, timer, 0));
}

static void test_log(void **state)
{
	os->log(os->ctx, V3_LOG_WARN, "vm a: strange port 0x70");
	assert_true(v3_fake_host_log_has(host, V3_LOG_WARN, "port 0x70"));
	assert_false(v3_fake_host_log_has(host, V3_LOG_ERROR, "port 0x70"));
	assert_int_equal(v3_fake_host_log_count(host, V3_LOG_WARN), 1);
	EXPECT_FAIL("newline", os->log(os->ctx, V3_LOG_INFO, "a\n"));
	v3_fake_host_log_clear(host);
	assert_int_equal(v3_fake_host_log_count(host, V3_LOG_WARN), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_table_is_complete, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pages_run_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_heap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_leaks_are_found, setup, teardown),
		cmocka_unit_test_setup_teardown(test_contexts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cpu_call, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cr4, setup, teardown),
		cmocka_unit_test_setup_teardown(test_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_log, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
