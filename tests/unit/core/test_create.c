/* SPDX-License-Identifier: BSD-2-Clause */
/* Creation of hosts and VMs: bad input, and once with each allocation failing. */
#include "script.h"

#include <string.h>

static const struct v3_mem_config two_mib = { .size = 2ull << 20, .node = V3_NODE_ANY };

static struct v3_vm_config good_config(void)
{
	return (struct v3_vm_config){
		.struct_size = sizeof(struct v3_vm_config), .num_vcpus = 2, .name = "vm",
		.mem = &two_mib, .num_mem = 1,
	};
}

static void test_missing_hooks(void **state)
{
	struct v3_fake_host *fake = v3_fake_host_create();
	struct v3_os_hooks hooks = *v3_fake_host_hooks(fake);
	struct v3_host *host;

	(void)state;
	hooks.cpu_kick = NULL;
	assert_int_equal(v3_init(&hooks, &host), V3_ERR_HOOK);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "cpu_kick"));
	hooks = *v3_fake_host_hooks(fake);
	hooks.fpu_end = NULL;
	assert_int_equal(v3_init(&hooks, &host), V3_ERR_HOOK);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "fpu_end"));
	hooks = *v3_fake_host_hooks(fake);
	hooks.abi_version = 99;
	assert_int_equal(v3_init(&hooks, &host), V3_ERR_VERSION);
	hooks = *v3_fake_host_hooks(fake);
	hooks.struct_size = 8;
	assert_int_equal(v3_init(&hooks, &host), V3_ERR_VERSION);
	assert_int_equal(v3_init(NULL, &host), V3_ERR_INVALID);
	v3_fake_host_destroy(fake);
}

static void test_failing_allocations(void **state)
{
	struct v3_vm_config config = good_config();
	enum v3_status status = V3_ERR_NOMEM;
	unsigned int n;

	(void)state;
	for (n = 1; status != V3_OK; n++) {
		struct v3_fake_host *fake = v3_fake_host_create();
		struct v3_host *host = NULL;
		struct v3_vm *vm = NULL;

		assert_true(n < 100);
		v3_fake_host_fail_nth(fake, n);
		status = v3_init(v3_fake_host_hooks(fake), &host);
		if (status == V3_OK)
			status = v3_vm_create(host, &config, &vm);
		if (vm)
			v3_vm_destroy(vm);
		if (host)
			assert_int_equal(v3_exit(host), V3_OK);
		assert_true(status == V3_OK || status == V3_ERR_NOMEM);
		v3_fake_host_destroy(fake);
	}
	assert_true(n > 10);
}

static void refused(struct v3_host *host, const struct v3_vm_config *config, enum v3_status want)
{
	struct v3_vm *vm;

	assert_int_equal(v3_vm_create(host, config, &vm), want);
}

static void test_bad_config(void **state)
{
	struct v3_fake_host *fake = v3_fake_host_create();
	struct v3_mem_config mem = two_mib;
	const int32_t cpus[2] = { 0, 4 };
	struct v3_vm_config config;
	char long_name[100];
	struct v3_host *host;

	(void)state;
	assert_int_equal(v3_init(v3_fake_host_hooks(fake), &host), V3_OK);
	config = good_config(), config.struct_size--;
	refused(host, &config, V3_ERR_VERSION);
	config = good_config(), config.num_vcpus = 0;
	refused(host, &config, V3_ERR_INVALID);
	config = good_config(), config.num_vcpus = V3_MAX_VCPUS + 1;
	refused(host, &config, V3_ERR_INVALID);
	config = good_config(), config.flags = 1u << 31;
	refused(host, &config, V3_ERR_INVALID);
	config = good_config(), config.reserved = 1;
	refused(host, &config, V3_ERR_INVALID);
	config = good_config(), config.reserved2 = 1;
	refused(host, &config, V3_ERR_INVALID);
	config = good_config(), config.name = "";
	refused(host, &config, V3_ERR_INVALID);
	config = good_config(), config.name = "a b";
	refused(host, &config, V3_ERR_INVALID);
	memset(long_name, 'x', sizeof(long_name));
	long_name[99] = 0;
	config = good_config(), config.name = long_name;
	refused(host, &config, V3_ERR_INVALID);
	config = good_config(), config.cpus = cpus;
	refused(host, &config, V3_ERR_NOENT);
	config = good_config(), config.num_mem = 0;
	refused(host, &config, V3_ERR_INVALID);
	config = good_config(), config.mem = &mem, mem.size = 4096;
	refused(host, &config, V3_ERR_INVALID);
	mem.size = 1ull << 60;
	refused(host, &config, V3_ERR_NOMEM);
	mem.size = 1ull << 40;
	refused(host, &config, V3_ERR_NOMEM);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "MiB"));
	assert_int_equal(v3_exit(host), V3_OK);
	v3_fake_host_destroy(fake);
}

static void test_memory_layout(void **state)
{
	struct v3_fake_host *fake = v3_fake_host_create();
	struct v3_vm_config config = good_config();
	struct v3_mem_config mem = { .size = 1ull << 30, .node = V3_NODE_ANY };
	struct v3_vm_stats stats;
	struct v3_nested_leaf leaf;
	struct v3_host *host;
	struct v3_vm *vm;
	uint8_t byte;

	(void)state;
	assert_int_equal(v3_init(v3_fake_host_hooks(fake), &host), V3_OK);
	config.mem = &mem;
	config.num_vcpus = 1;
	assert_int_equal(v3_vm_create(host, &config, &vm), V3_OK);
	v3_vm_stats(vm, &stats);
	assert_int_equal(stats.ram, 1ull << 30);
	assert_true(stats.vmm_bytes <= 256 << 10);
	assert_true(stats.vcpu_bytes <= 64 << 10);
	/* What is not RAM in the first megabyte is under the same leaf. */
	assert_true(v3_nested_lookup(&vm->nested, 0xa0000, &leaf));
	assert_int_equal(leaf.access, V3_NPT_RWX | V3_NPT_TRACKED);
	assert_int_equal(leaf.level, 3);
	assert_int_equal(stats.leaf_1g, 1ull << 30);
	assert_int_equal(stats.table_pages, 2);
	assert_false(v3_nested_lookup(&vm->nested, 0x40000000, &leaf));
	assert_int_equal(v3_vm_read(vm, 0xa0000, &byte, 1), V3_ERR_RANGE);
	assert_int_equal(v3_vm_read(vm, 0x9ffff, &byte, 2), V3_ERR_RANGE);
	assert_int_equal(v3_vm_read(vm, 0x40000000 - 1, &byte, 1), V3_OK);
	assert_int_equal(v3_vm_write(vm, ~0ull, &byte, 1), V3_ERR_RANGE);
	assert_null(v3_vm_ptr(vm, 0x3fffffff, 2));
	assert_int_equal(v3_exit(host), V3_ERR_BUSY);
	v3_vm_destroy(vm);
	assert_int_equal(v3_exit(host), V3_OK);
	v3_fake_host_destroy(fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_missing_hooks),
		cmocka_unit_test(test_failing_allocations),
		cmocka_unit_test(test_bad_config),
		cmocka_unit_test(test_memory_layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
