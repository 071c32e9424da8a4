/* SPDX-License-Identifier: BSD-2-Clause */
/* Consoles, and what devices register: a full table, the wrong time, the right order at the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/vm.h"
#include "fakes/fake_host.h"
#include "fakes/fake_x86.h"
#include "x86/cr.h"

static struct v3_fake_host *fake;
static struct v3_host *host;
static struct v3_vm *vm;

static int set_up(void **state)
{
	const struct v3_mem_config mem = { .size = 4ull << 20, .node = 1 };
	const struct v3_vm_config config = {
		.struct_size = sizeof(config), .num_vcpus = 1, .name = "console", .mem = &mem,
		.num_mem = 1,
	};

	(void)state;
	fake = v3_fake_host_create();
	assert_int_equal(v3_init(v3_fake_host_hooks(fake), &host), V3_OK);
	assert_int_equal(v3_vm_create(host, &config, &vm), V3_OK);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (vm)
		v3_vm_destroy(vm);
	assert_int_equal(v3_exit(host), V3_OK);
	v3_fake_host_destroy(fake);
	return 0;
}

/* --- Output --- */

static void test_output(void **state)
{
	char buf[16] = "";

	(void)state;
	assert_int_equal(v3_console_read(vm, 0, buf, sizeof(buf)), 0);
	v3_console_put(vm, 0, "hello", 5);
	assert_int_equal(v3_fake_host_console_notes(fake), 1);
	/* Who has been told comes to read all of it. */
	v3_console_put(vm, 0, " world", 6);
	assert_int_equal(v3_fake_host_console_notes(fake), 1);
	assert_int_equal(v3_console_read(vm, 0, buf, 7), 7);
	assert_memory_equal(buf, "hello w", 7);
	assert_int_equal(v3_console_read(vm, 0, buf, sizeof(buf)), 4);
	assert_memory_equal(buf, "orld", 4);
	assert_int_equal(v3_console_read(vm, 0, buf, sizeof(buf)), 0);
	v3_console_put(vm, 0, "x", 1);
	assert_int_equal(v3_fake_host_console_notes(fake), 2);
}

/* Nobody reads: the oldest bytes go, the newest stay. */
static void test_overflow(void **state)
{
	static uint8_t out[V3_CONSOLE_OUT + 100], in[V3_CONSOLE_OUT + 100];
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7 + i / 256);
	v3_console_put(vm, 0, out, 60);
	v3_console_put(vm, 0, out + 60, V3_CONSOLE_OUT - 60);
	assert_int_equal(vm->consoles[0].dropped, 0);
	v3_console_put(vm, 0, out + V3_CONSOLE_OUT, 100);
	assert_int_equal(vm->consoles[0].dropped, 100);
	assert_int_equal(v3_console_read(vm, 0, in, sizeof(in)), V3_CONSOLE_OUT);
	assert_memory_equal(in, out + 100, V3_CONSOLE_OUT);
	/* More than the ring at once. */
	v3_console_put(vm, 0, out, sizeof(out));
	assert_int_equal(vm->consoles[0].dropped, 200);
	assert_int_equal(v3_console_read(vm, 0, in, sizeof(in)), V3_CONSOLE_OUT);
	assert_memory_equal(in, out + 100, V3_CONSOLE_OUT);
}

/* --- Input --- */

static unsigned int inputs;

static void input(void *ctx)
{
	assert_ptr_equal(ctx, &inputs);
	inputs++;
}

static void test_input(void **state)
{
	static uint8_t text[V3_CONSOLE_IN + 10];
	unsigned int i, notes;
	uint8_t byte;

	(void)state;
	inputs = 0;
	assert_int_equal(v3_console_write(vm, 0, "a", 1), 1);
	assert_int_equal(v3_console_attach(vm, 0, input, &inputs), V3_OK);
	assert_int_equal(v3_console_attach(vm, 0, input, &inputs), V3_ERR_EXIST);
	assert_int_equal(v3_console_attach(vm, 1, input, &inputs), V3_ERR_NOENT);
	assert_int_equal(v3_console_get(vm, 0, &byte), V3_OK);
	assert_int_equal(byte, 'a');
	assert_int_equal(v3_console_get(vm, 0, &byte), V3_ERR_AGAIN);
	/* Full: the rest is not taken, and nothing is lost. */
	for (i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 3);
	assert_int_equal(v3_console_write(vm, 0, text, sizeof(text)), V3_CONSOLE_IN);
	assert_int_equal(inputs, 1);
	assert_int_equal(v3_console_write(vm, 0, text, 1), 0);
	assert_int_equal(inputs, 1);
	notes = v3_fake_host_console_notes(fake);
	for (i = 0; i < V3_CONSOLE_IN; i++) {
		assert_int_equal(v3_console_get(vm, 0, &byte), V3_OK);
		assert_int_equal(byte, text[i]);
		/* Room again: who had to wait is told, once. */
		assert_int_equal(v3_fake_host_console_notes(fake), notes + 1);
	}
	assert_int_equal(v3_console_get(vm, 0, &byte), V3_ERR_AGAIN);
}

static void test_no_such_console(void **state)
{
	uint8_t byte;

	(void)state;
	assert_int_equal(v3_console_read(vm, V3_NUM_CONSOLES, &byte, 1), 0);
	assert_int_equal(v3_console_write(vm, V3_NUM_CONSOLES, "x", 1), 0);
	v3_console_put(vm, ~0u, "x", 1);
	assert_int_equal(v3_console_get(vm, V3_NUM_CONSOLES, &byte), V3_ERR_NOENT);
	v3_vm_stop(vm);
	assert_int_equal(v3_console_attach(vm, 0, input, NULL), V3_ERR_STATE);
}

/* --- Devices --- */

static unsigned int destroyed[3], num_destroyed;

static void destroy(void *ctx)
{
	destroyed[num_destroyed++] = *(unsigned int *)ctx;
}

static void test_devices(void **state)
{
	static const struct v3_device_ops ops = { .name = "test", .destroy = destroy },
					  nothing = { .name = "nothing" },
					  nameless = { .destroy = destroy };
	unsigned int numbers[3] = { 1, 2, 3 }, i;
	struct v3_vm_stats before, after;
	void *memory;

	(void)state;
	num_destroyed = 0;
	assert_int_equal(v3_device_add(vm, NULL, NULL), V3_ERR_INVALID);
	assert_int_equal(v3_device_add(vm, &nameless, NULL), V3_ERR_INVALID);
	for (i = 0; i < 3; i++)
		assert_int_equal(v3_device_add(vm, &ops, &numbers[i]), V3_OK);
	for (; i < V3_MAX_DEVICES; i++)
		assert_int_equal(v3_device_add(vm, &nothing, NULL), V3_OK);
	assert_int_equal(v3_device_add(vm, &ops, &numbers[0]), V3_ERR_NOMEM);
	v3_vm_stats(vm, &before);
	memory = v3_device_alloc(vm, 1000);
	assert_non_null(memory);
	v3_vm_stats(vm, &after);
	assert_int_equal((uintptr_t)memory % 64, 0);
	assert_in_range(after.vmm_bytes - before.vmm_bytes, 1024, 1024 + 72);
	v3_device_free(vm, memory, 1000);
	v3_device_free(vm, NULL, 1000);
	v3_fake_host_fail_nth(fake, 1);
	assert_null(v3_device_alloc(vm, 1000));
	v3_vm_stats(vm, &after);
	assert_int_equal(after.vmm_bytes, before.vmm_bytes);
	v3_vm_stop(vm);
	assert_int_equal(v3_device_add(vm, &ops, &numbers[0]), V3_ERR_STATE);
	assert_int_equal(v3_mmio_hook(vm, 0xf0000000, 0x1000, NULL, NULL), V3_ERR_STATE);
	v3_vm_destroy(vm);
	vm = NULL;
	/* The last one first. */
	assert_int_equal(num_destroyed, 3);
	assert_int_equal(destroyed[0], 3);
	assert_int_equal(destroyed[2], 1);
}

static unsigned int lines;

static void irq_set(void *ctx, unsigned int gsi, bool level)
{
	assert_ptr_equal(ctx, &lines);
	lines = (lines & ~(1u << gsi)) | (unsigned int)level << gsi;
}

static void test_interrupt_lines(void **state)
{
	static const struct v3_intc_ops ops = { .irq_set = irq_set };

	(void)state;
	lines = 0;
	v3_irq_set(vm, 3, true);	/* there is nobody */
	assert_int_equal(v3_intc_attach(vm, &ops, &lines), V3_OK);
	assert_int_equal(v3_intc_attach(vm, &ops, &lines), V3_ERR_EXIST);
	v3_irq_set(vm, 3, true);
	v3_irq_set(vm, 23, true);
	v3_irq_set(vm, V3_NUM_GSI, true);
	v3_irq_set(vm, ~0u, true);
	assert_int_equal(lines, 1u << 3 | 1u << 23);
	v3_irq_set(vm, 3, false);
	assert_int_equal(lines, 1u << 23);
	v3_vm_stop(vm);
	assert_int_equal(v3_intc_attach(vm, &ops, &lines), V3_ERR_STATE);
}

/* --- Memory --- */

static void test_memory_map(void **state)
{
	struct v3_mem_range range;
	uint8_t buf[4] = { 1, 2, 3, 4 };

	(void)state;
	assert_int_equal(v3_vm_mem_range(vm, 0, &range), V3_OK);
	assert_int_equal(range.gpa, 0);
	assert_int_equal(range.size, 0xa0000);
	assert_int_equal(range.kind, V3_MEM_RAM);
	assert_int_equal(range.node, 1);
	assert_int_equal(v3_vm_mem_range(vm, 1, &range), V3_OK);
	assert_int_equal(range.gpa, 0xc0000);
	assert_int_equal(range.size, 0x40000);
	assert_int_equal(range.kind, V3_MEM_ROM);
	assert_int_equal(v3_vm_mem_range(vm, 2, &range), V3_OK);
	assert_int_equal(range.gpa, 0x100000);
	assert_int_equal(range.gpa + range.size, 4ull << 20);
	assert_int_equal(v3_vm_mem_range(vm, 3, &range), V3_ERR_NOENT);
	/* All or nothing. */
	assert_int_equal(v3_vm_write(vm, 0x9fffe, buf, 4), V3_ERR_RANGE);
	assert_int_equal(v3_vm_read(vm, 0x9fffe, buf, 2), V3_OK);
	assert_int_equal(buf[0] | buf[1], 0);
	assert_int_equal(v3_vm_write(vm, 0xbffff, buf, 2), V3_ERR_RANGE);
	assert_int_equal(v3_vm_write(vm, 0xfffff, buf, 2), V3_OK);
	assert_int_equal(v3_vm_read(vm, ~0ull, buf, 2), V3_ERR_RANGE);
	assert_int_equal(v3_vm_read(vm, 0, buf, ~(size_t)0), V3_ERR_RANGE);
	assert_int_equal(v3_vm_write(vm, 1ull << 60, buf, 0), V3_OK);
	assert_null(v3_vm_ptr(vm, 0x9ffff, 2));
	assert_null(v3_vm_ptr(vm, 0, ~(size_t)0));
	assert_null(v3_vm_ptr(vm, ~0ull, 2));
	assert_non_null(v3_vm_ptr(vm, 0xc0000, 0x40000));
}

/* A host in pieces: RAM in several blocks, read and written across them. */
static enum v3_status (*real_alloc)(void *ctx, size_t count, size_t align, int node, uint64_t limit,
				    v3_hpa_t *hpa);

static enum v3_status small_alloc(void *ctx, size_t count, size_t align, int node, uint64_t limit,
				  v3_hpa_t *hpa)
{
	return count > 512 ? V3_ERR_NOMEM : real_alloc(ctx, count, align, node, limit, hpa);
}

static void test_memory_in_pieces(void **state)
{
	const struct v3_mem_config mem[2] = { { .size = 6ull << 20, .node = V3_NODE_ANY },
					      { .size = 4ull << 20, .node = 0 } };
	const struct v3_vm_config config = {
		.struct_size = sizeof(config), .num_vcpus = 1, .name = "pieces", .mem = mem,
		.num_mem = 2,
	};
	struct v3_os_hooks hooks = *v3_fake_host_hooks(fake);
	struct v3_host *other_host;
	struct v3_mem_range range;
	struct v3_vm *other;
	uint8_t out[64], in[64];
	unsigned int i;

	(void)state;
	real_alloc = hooks.page_alloc;
	hooks.page_alloc = small_alloc;
	assert_int_equal(v3_init(&hooks, &other_host), V3_OK);
	assert_int_equal(v3_vm_create(other_host, &config, &other), V3_OK);
	assert_int_equal(other->num_blocks, 5);
	assert_int_equal(v3_vm_mem_range(other, 6, &range), V3_OK);
	assert_int_equal(range.gpa + range.size, 10ull << 20);
	assert_int_equal(range.node, 0);
	assert_int_equal(v3_vm_mem_range(other, 7, &range), V3_ERR_NOENT);
	for (i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i + 1);
	assert_int_equal(v3_vm_write(other, (4ull << 20) - 32, out, sizeof(out)), V3_OK);
	assert_int_equal(v3_vm_read(other, (4ull << 20) - 32, in, sizeof(in)), V3_OK);
	assert_memory_equal(in, out, sizeof(out));
	assert_int_equal(v3_vm_read(other, (10ull << 20) - 32, in, sizeof(in)), V3_ERR_RANGE);
	v3_vm_destroy(other);
	assert_int_equal(v3_exit(other_host), V3_OK);
}

/* --- A host with no more than it must have --- */

static void test_optional_hooks(void **state)
{
	const struct v3_mem_config mem = { .size = 2ull << 20, .node = V3_NODE_ANY };
	const struct v3_vm_config config = {
		.struct_size = sizeof(config), .num_vcpus = 1, .name = "poor", .mem = &mem,
		.num_mem = 1,
	};
	struct v3_os_hooks hooks = *v3_fake_host_hooks(fake);
	struct v3_host_timer *timer = (struct v3_host_timer *)&hooks;
	struct v3_host *poor;
	struct v3_vm *other;

	(void)state;
	hooks.should_yield = NULL;
	hooks.can_poll = NULL;
	hooks.fpu_begin = hooks.fpu_end = NULL;
	hooks.timer_create = NULL;
	hooks.timer_destroy = NULL;
	hooks.timer_arm = NULL;
	hooks.timer_cancel = NULL;
	hooks.virt_acquire = NULL;
	hooks.virt_release = NULL;
	hooks.cr4_update = NULL;
	hooks.console_notify = NULL;
	hooks.state_notify = NULL;
	assert_int_equal(v3_init(&hooks, &poor), V3_OK);
	assert_int_equal(v3_cpu_enable(poor, 1), V3_OK);
	assert_int_equal(v3_cpu_disable(poor, 1), V3_OK);
	assert_int_equal(v3_vm_create(poor, &config, &other), V3_OK);
	v3_console_put(other, 0, "x", 1);
	v3_vm_end(other, V3_END_EXIT, 0, "over");
	assert_false(v3_os_should_yield(poor));
	assert_false(v3_os_can_poll(poor));
	v3_os_fpu_begin(poor);
	v3_os_fpu_end(poor);
	assert_int_equal(v3_os_timer_create(poor, 0, &timer), V3_OK);
	assert_null(timer);
	v3_os_timer_arm(poor, timer, 1);
	v3_os_timer_cancel(poor, timer);
	v3_os_timer_destroy(poor, timer);
	assert_int_equal(v3_os_cr4_update(poor, V3_CR4_VMXE, 0), V3_OK);
	assert_true(v3_x86_read_cr4() & V3_CR4_VMXE);
	assert_true(v3_x86_read_cr4() & V3_CR4_PAE);
	assert_int_equal(v3_os_cr4_update(poor, 0, V3_CR4_VMXE), V3_OK);
	assert_false(v3_x86_read_cr4() & V3_CR4_VMXE);
	v3_vm_destroy(other);
	assert_int_equal(v3_exit(poor), V3_OK);
}

/* Half a group of hooks is none. */
static void test_half_groups(void **state)
{
	struct v3_os_hooks hooks = *v3_fake_host_hooks(fake);
	struct v3_host *none;

	(void)state;
	hooks.virt_release = NULL;
	assert_int_equal(v3_init(&hooks, &none), V3_ERR_HOOK);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "virt_release"));
	hooks = *v3_fake_host_hooks(fake);
	hooks.timer_arm = NULL;
	assert_int_equal(v3_init(&hooks, &none), V3_ERR_HOOK);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "timer_arm"));
	hooks = *v3_fake_host_hooks(fake);
	hooks.fpu_begin = NULL;
	assert_int_equal(v3_init(&hooks, &none), V3_ERR_HOOK);
	hooks = *v3_fake_host_hooks(fake);
	hooks.log = NULL;	/* and nowhere to say so */
	assert_int_equal(v3_init(&hooks, &none), V3_ERR_HOOK);
}

static uint64_t no_khz(void *ctx)
{
	(void)ctx;
	return 0;
}

static unsigned int no_cpus(void *ctx)
{
	(void)ctx;
	return 0;
}

static void test_senseless_host(void **state)
{
	struct v3_os_hooks hooks = *v3_fake_host_hooks(fake);
	struct v3_host *none;

	(void)state;
	hooks.tsc_khz = no_khz;
	assert_int_equal(v3_init(&hooks, &none), V3_ERR_INVALID);
	hooks = *v3_fake_host_hooks(fake);
	hooks.cpu_count = no_cpus;
	assert_int_equal(v3_init(&hooks, &none), V3_ERR_INVALID);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "0 CPUs"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_output),
		TEST(test_overflow),
		TEST(test_input),
		TEST(test_no_such_console),
		TEST(test_devices),
		TEST(test_interrupt_lines),
		TEST(test_memory_map),
		TEST(test_memory_in_pieces),
		TEST(test_optional_hooks),
		TEST(test_half_groups),
		TEST(test_senseless_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
