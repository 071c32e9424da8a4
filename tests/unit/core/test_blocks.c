/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest RAM from large blocks: layout, leaves, failures; and the nodes that it lies on. */
#include "script.h"

#include <string.h>

#include "core/nodes.h"
#include "svm/svm.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

static struct v3_fake_host *fake;
static struct v3_host *host;

static void begin(void)
{
	fake = v3_fake_host_create();
	v3_fake_host_add_blocks(fake);
	host = NULL;
}

static void start(void)
{
	assert_int_equal(v3_init(v3_fake_host_hooks(fake), &host), V3_OK);
}

static void finish(void)
{
	if (host)
		assert_int_equal(v3_exit(host), V3_OK);
	v3_fake_host_destroy(fake);
}

static enum v3_status try_create(const struct v3_mem_config *mem, unsigned int num_mem,
				 unsigned int num_vcpus, const int32_t *cpus, struct v3_vm **vm)
{
	const struct v3_vm_config config = {
		.struct_size = sizeof(config), .num_vcpus = num_vcpus, .name = "vm", .cpus = cpus,
		.mem = mem, .num_mem = num_mem,
	};

	*vm = NULL;
	return v3_vm_create(host, &config, vm);
}

static struct v3_vm *create_one(uint64_t size, int32_t node)
{
	const struct v3_mem_config mem = { .size = size, .node = node };
	struct v3_vm *vm;

	assert_int_equal(try_create(&mem, 1, 1, NULL, &vm), V3_OK);
	return vm;
}

static unsigned int level_at(struct v3_vm *vm, v3_gpa_t gpa)
{
	struct v3_nested_leaf leaf;

	if (!v3_nested_lookup(&vm->nested, gpa, &leaf))
		return 0;
	assert_int_equal(leaf.access, V3_NPT_RWX | V3_NPT_TRACKED);
	return leaf.level;
}

/* --- Layout --- */

static void test_whole_gigabytes(void **state)
{
	unsigned int gib;

	(void)state;
	begin();
	v3_fake_host_hold(fake, 8 * GIB, GIB, 0);
	start();
	for (gib = 1; gib <= 8; gib++) {
		struct v3_vm *vm = create_one(gib * GIB, 0);
		unsigned int calls = v3_fake_host_claim_calls(fake);
		struct v3_vm_stats stats;
		v3_gpa_t top = gib <= 3 ? gib * GIB : (gib + 1) * GIB;
		uint8_t byte = 1;

		v3_vm_stats(vm, &stats);
		assert_int_equal(stats.ram, gib * GIB);
		assert_int_equal(stats.leaf_1g, gib * GIB);
		assert_int_equal(stats.leaf_2m + stats.leaf_4k, 0);
		assert_int_equal(stats.table_pages, 2);
		assert_int_equal(v3_fake_host_claims(fake), gib);
		/* One asks for each, and none twice. */
		assert_int_equal(calls, gib * (gib + 1) / 2);
		assert_int_equal(vm->num_blocks, gib > 3 ? 2 : 1);
		assert_int_equal(level_at(vm, 0), 3);
		assert_int_equal(level_at(vm, 0xa0000), 3);
		assert_int_equal(level_at(vm, top - 1), 3);
		assert_int_equal(level_at(vm, top), 0);
		assert_int_equal(level_at(vm, 3 * GIB), 0);
		assert_int_equal(v3_vm_read(vm, top - 1, &byte, 1), V3_OK);
		assert_int_equal(byte, 0);
		v3_vm_destroy(vm);
		assert_int_equal(v3_fake_host_claims(fake), 0);
		assert_int_equal(v3_fake_host_used_releases(fake), gib * (gib + 1) / 2);
	}
	finish();
}

/* Neighbors on one node are one region; on two nodes each has its whole GiB. */
static void test_odd_regions(void **state)
{
	struct v3_mem_config mem[2] = { { 1536 * MIB, 0, 0 }, { 1536 * MIB, 0, 0 } };
	struct v3_vm_stats stats;
	struct v3_vm *vm;

	(void)state;
	begin();
	v3_fake_host_hold(fake, 4 * GIB, GIB, 0);
	v3_fake_host_hold(fake, 4 * GIB, GIB, 1);
	start();
	assert_int_equal(try_create(mem, 2, 1, NULL, &vm), V3_OK);
	v3_vm_stats(vm, &stats);
	assert_int_equal(stats.leaf_1g, 3 * GIB);
	v3_vm_destroy(vm);
	mem[1].node = 1;
	assert_int_equal(try_create(mem, 2, 1, NULL, &vm), V3_OK);
	v3_vm_stats(vm, &stats);
	assert_int_equal(stats.leaf_1g, 2 * GIB);
	assert_int_equal(stats.leaf_2m, GIB);
	assert_true(stats.table_pages <= 8);
	assert_int_equal(level_at(vm, GIB), 2);
	assert_int_equal(level_at(vm, 2 * GIB - 1), 2);
	assert_int_equal(level_at(vm, 2 * GIB), 3);
	v3_vm_destroy(vm);
	finish();
}

/* What is there and where it may be seen, also at the seams. */
static void test_ranges(void **state)
{
	static const struct v3_mem_range want[] = {
		{ 0, 0xa0000, V3_MEM_RAM, 0 }, { 0xc0000, 0x40000, V3_MEM_ROM, 0 },
		{ 0x100000, 3 * GIB - MIB, V3_MEM_RAM, 0 }, { 4 * GIB, 512 * MIB, V3_MEM_RAM, 0 },
	};
	struct v3_mem_range range;
	struct v3_vm *vm;
	uint8_t bytes[4];
	unsigned int i;

	(void)state;
	begin();
	v3_fake_host_hold(fake, 4 * GIB, GIB, 0);
	start();
	vm = create_one(3584 * MIB, V3_NODE_ANY);
	for (i = 0; i < 4; i++) {
		assert_int_equal(v3_vm_mem_range(vm, i, &range), V3_OK);
		assert_int_equal(range.gpa, want[i].gpa);
		assert_int_equal(range.size, want[i].size);
		assert_int_equal(range.kind, want[i].kind);
		assert_int_equal(range.node, 0);
	}
	assert_int_equal(v3_vm_mem_range(vm, 4, &range), V3_ERR_NOENT);
	assert_int_equal(v3_vm_write(vm, GIB - 2, "abcd", 4), V3_OK);
	assert_int_equal(v3_vm_read(vm, GIB - 2, bytes, 4), V3_OK);
	assert_memory_equal(bytes, "abcd", 4);
	assert_non_null(v3_vm_ptr(vm, GIB - 2, 4));
	assert_int_equal(v3_vm_read(vm, 3 * GIB - 2, bytes, 4), V3_ERR_RANGE);
	v3_vm_destroy(vm);
	finish();
}

/* No aligned GiB anywhere: that is asked for once. */
static void test_unaligned(void **state)
{
	const struct v3_os_hooks *os;
	struct v3_vm_stats stats;
	struct v3_vm *vm;
	v3_hpa_t gap;

	(void)state;
	begin();
	v3_fake_host_hold(fake, GIB, GIB, 0);
	/* Behind a gap, and with no whole GiB. */
	os = v3_fake_host_hooks(fake);
	assert_int_equal(os->page_alloc(os->ctx, 512, 512, 0, 0, &gap), V3_OK);
	assert_int_equal(v3_fake_host_hold(fake, 1500 * MIB, 2 * MIB, 0) % GIB, 546 * MIB);
	os->page_free(os->ctx, gap, 512);
	start();
	vm = create_one(2 * GIB, 0);
	v3_vm_stats(vm, &stats);
	assert_int_equal(stats.leaf_1g, GIB);
	assert_int_equal(stats.leaf_2m, GIB);
	/* 1 GiB aligned, the same in vain, 1 GiB */
	assert_int_equal(v3_fake_host_claim_calls(fake), 3);
	v3_vm_destroy(vm);
	finish();
}

/* Pieces of 300 MiB: halves are asked for, and what was refused is not asked for again. */
static void test_fragments(void **state)
{
	struct v3_vm_stats stats;
	struct v3_vm *vm;
	unsigned int i;

	(void)state;
	begin();
	for (i = 0; i < 9; i++)
		v3_fake_host_hold(fake, 300 * MIB, 512 * MIB, 0);
	start();
	vm = create_one(2 * GIB, 0);
	v3_vm_stats(vm, &stats);
	assert_int_equal(stats.leaf_2m, 2 * GIB);
	assert_true(stats.table_pages <= 8);
	assert_int_equal(v3_fake_host_claims(fake), 8);
	/* 1 GiB aligned, 1 GiB, 512 MiB, 8 times 256 MiB */
	assert_int_equal(v3_fake_host_claim_calls(fake), 11);
	v3_vm_destroy(vm);
	finish();
}

/* --- Failures --- */

static void test_not_enough(void **state)
{
	const struct v3_mem_config mem = { .size = 3 * GIB, .node = 1 };
	struct v3_vm *vm;

	(void)state;
	begin();
	v3_fake_host_hold(fake, 2 * GIB + 6 * MIB, GIB, 1);
	v3_fake_host_hold(fake, 4 * GIB, GIB, 0);
	start();
	assert_int_equal(try_create(&mem, 1, 1, NULL, &vm), V3_ERR_NOMEM);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "no 3072 MiB of memory"));
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "node 1 (2054 MiB were found)"));
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "held for guests there: 0 MiB free"));
	assert_int_equal(v3_fake_host_claims(fake), 0);
	assert_int_equal(v3_fake_host_used_releases(fake), 0);
	finish();
}

static void test_too_many_pieces(void **state)
{
	const struct v3_mem_config mem = { .size = 2 * (V3_MAX_BLOCKS + 1) * MIB, .node = 0 };
	struct v3_vm *vm;
	unsigned int i;

	(void)state;
	begin();
	for (i = 0; i < V3_MAX_BLOCKS + 2; i++)
		v3_fake_host_hold(fake, 2 * MIB, 4 * MIB, 0);
	start();
	assert_int_equal(try_create(&mem, 1, 1, NULL, &vm), V3_ERR_NOMEM);
	assert_int_equal(v3_fake_host_claims(fake), 0);
	vm = create_one(2 * V3_MAX_BLOCKS * MIB, 0);
	v3_vm_destroy(vm);
	finish();
}

static void test_each_failure(void **state)
{
	enum v3_status status = V3_ERR_NOMEM;
	unsigned int n, timeouts = 0;

	(void)state;
	for (n = 1; status != V3_OK; n++) {
		const struct v3_mem_config mem[2] = { { 512 * MIB, 0, 0 }, { 512 * MIB, 1, 0 } };
		struct v3_vm *vm = NULL;

		assert_true(n < 100);
		begin();
		v3_fake_host_hold(fake, GIB, GIB, 0);
		v3_fake_host_hold(fake, GIB, GIB, 1);
		v3_fake_host_set_claim_error(fake, V3_ERR_TIMEOUT);
		v3_fake_host_fail_nth(fake, n);
		status = v3_init(v3_fake_host_hooks(fake), &host);
		if (status == V3_OK)
			status = try_create(mem, 2, 2, NULL, &vm);
		assert_true(status == V3_OK || status == V3_ERR_NOMEM || status == V3_ERR_TIMEOUT);
		timeouts += status == V3_ERR_TIMEOUT;
		if (vm)
			v3_vm_destroy(vm);
		finish();
	}
	/* Two claims, two zeroings. */
	assert_int_equal(timeouts, 4);
}

/* A refusal is no end: less is asked for. */
static void test_refused_once(void **state)
{
	const struct v3_mem_config mem = { .size = GIB, .node = 0 };
	unsigned int n, refused = 0;

	(void)state;
	for (n = 1; n < 30; n++) {
		struct v3_vm_stats stats;
		struct v3_vm *vm;

		begin();
		v3_fake_host_hold(fake, 2 * GIB, GIB, 0);
		start();
		v3_fake_host_fail_nth(fake, n);
		if (try_create(&mem, 1, 1, NULL, &vm) == V3_OK) {
			v3_fake_host_fail_nth(fake, 0);
			v3_vm_stats(vm, &stats);
			assert_int_equal(stats.leaf_1g, GIB);
			refused += v3_fake_host_claim_calls(fake) == 2;
			v3_vm_destroy(vm);
		}
		finish();
	}
	assert_int_equal(refused, 1);
}

static void test_missing_hooks(void **state)
{
	struct v3_os_hooks hooks;

	(void)state;
	begin();
	hooks = *v3_fake_host_hooks(fake);
	hooks.block_zero = NULL;
	assert_int_equal(v3_init(&hooks, &host), V3_ERR_HOOK);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "block_zero"));
	v3_fake_host_log_clear(fake);
	hooks = *v3_fake_host_hooks(fake);
	hooks.block_claim = NULL;
	assert_int_equal(v3_init(&hooks, &host), V3_ERR_HOOK);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "block_claim"));
	v3_fake_host_log_clear(fake);
	hooks = *v3_fake_host_hooks(fake);
	hooks.cpu_node = NULL;
	assert_int_equal(v3_init(&hooks, &host), V3_ERR_HOOK);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "cpu_node"));
	v3_fake_host_log_clear(fake);
	hooks = *v3_fake_host_hooks(fake);
	hooks.node_count = NULL;
	assert_int_equal(v3_init(&hooks, &host), V3_ERR_HOOK);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "node_count"));
	host = NULL;
	finish();
}

/* --- A device in the first megabyte --- */

static const struct v3_mmio_ops no_ops;

static void test_device_in_hole(void **state)
{
	struct v3_vm_stats stats;
	struct v3_vm *vm;
	unsigned int n;

	(void)state;
	begin();
	v3_fake_host_hold(fake, GIB, GIB, 0);
	start();
	/* Two tables are needed to split a leaf of 1 GiB down to pages. */
	for (n = 1; n <= 3; n++) {
		vm = create_one(GIB, 0);
		svm_vcpu(vm->vcpus[0])->flush = false;
		v3_fake_host_fail_nth(fake, n);
		assert_int_equal(v3_mmio_hook(vm, 0xb8000, 0x2000, &no_ops, NULL),
				 n < 3 ? V3_ERR_NOMEM : V3_OK);
		v3_fake_host_fail_nth(fake, 0);
		if (n < 3)
			assert_int_equal(v3_mmio_hook(vm, 0xb8000, 0x2000, &no_ops, NULL), V3_OK);
		/* What a guest saw there before a reset it must not see again. */
		assert_true(svm_vcpu(vm->vcpus[0])->flush);
		assert_int_equal(level_at(vm, 0xb7fff), 1);
		assert_int_equal(level_at(vm, 0xb8000), 0);
		assert_int_equal(level_at(vm, 0xb9fff), 0);
		assert_int_equal(level_at(vm, 0xba000), 1);
		assert_int_equal(level_at(vm, 2 * MIB), 2);
		assert_int_equal(v3_mmio_hook(vm, 0xc0000, 0x1000, &no_ops, NULL), V3_ERR_EXIST);
		/* Far from all memory: nothing to split. */
		assert_int_equal(v3_mmio_hook(vm, 0xfee00000, 0x1000, &no_ops, NULL), V3_OK);
		v3_vm_stats(vm, &stats);
		assert_int_equal(stats.table_pages, 4);
		v3_vm_destroy(vm);
	}
	finish();
}

/* --- Nodes --- */

static void test_bad_nodes(void **state)
{
	struct v3_mem_config mem = { .size = GIB, .node = V3_FAKE_NODES };
	struct v3_vm *vm;

	(void)state;
	begin();
	v3_fake_host_hold(fake, GIB, GIB, 0);
	start();
	assert_int_equal(try_create(&mem, 1, 1, NULL, &vm), V3_ERR_NOENT);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "no such NUMA node (2)"));
	mem.node = -2;
	assert_int_equal(try_create(&mem, 1, 1, NULL, &vm), V3_ERR_INVALID);
	mem.node = INT32_MIN;
	assert_int_equal(try_create(&mem, 1, 1, NULL, &vm), V3_ERR_INVALID);
	mem.node = INT32_MAX;
	assert_int_equal(try_create(&mem, 1, 1, NULL, &vm), V3_ERR_NOENT);
	finish();
}

/* In the order in which they are named, whatever their numbers. */
static void test_guest_nodes(void **state)
{
	const struct v3_mem_config mem[] = {
		{ 512 * MIB, 1, 0 }, { 256 * MIB, V3_NODE_ANY, 0 }, { 256 * MIB, 0, 0 }, { GIB, 1, 0 },
	};
	struct v3_vm *vm;

	(void)state;
	begin();
	v3_fake_host_hold(fake, 2 * GIB, GIB, 1);
	v3_fake_host_hold(fake, 512 * MIB, GIB, 0);
	start();
	assert_int_equal(try_create(mem, 4, 4, NULL, &vm), V3_OK);
	assert_int_equal(v3_vm_num_nodes(vm), 2);
	assert_int_equal(v3_vm_guest_node(vm, 1), 0);
	assert_int_equal(v3_vm_guest_node(vm, 0), 1);
	assert_int_equal(v3_vm_guest_node(vm, V3_NODE_ANY), 0);
	assert_int_equal(v3_vm_guest_node(vm, 7), 0);
	assert_int_equal(v3_vm_node_distance(vm, 0, 0), 10);
	assert_int_equal(v3_vm_node_distance(vm, 0, 1), 21);
	v3_fake_host_set_distance(fake, 10);
	assert_int_equal(v3_vm_node_distance(vm, 1, 0), 11);
	v3_fake_host_set_distance(fake, 1000);
	assert_int_equal(v3_vm_node_distance(vm, 1, 0), 254);
	/* Shares of 512 MiB, by their middles: 256, 768, 1280, 1792 MiB. */
	assert_int_equal(v3_vcpu_node(vm->vcpus[0]), 1);
	assert_int_equal(v3_vcpu_node(vm->vcpus[1]), 0);
	assert_int_equal(v3_vcpu_node(vm->vcpus[2]), 1);
	assert_int_equal(v3_vcpu_node(vm->vcpus[3]), 1);
	assert_int_equal(v3_vcpu_guest_node(vm->vcpus[0]), 0);
	assert_int_equal(v3_vcpu_guest_node(vm->vcpus[1]), 1);
	assert_int_equal(v3_fake_host_log_count(fake, V3_LOG_WARN), 0);
	v3_vm_destroy(vm);
	finish();
}

static const struct v3_cpuid *answer(const struct v3_vm *vm, uint32_t leaf, uint32_t subleaf)
{
	unsigned int i;

	for (i = 0; i < vm->num_cpuid; i++)
		if (vm->cpuid[i].leaf == leaf && vm->cpuid[i].subleaf == subleaf)
			return &vm->cpuid[i].regs;
	return NULL;
}

/* No package spans nodes, and nothing promises that a cache does. */
static void test_topology(void **state)
{
	struct v3_mem_config mem[] = { { 512 * MIB, 0, 0 }, { 512 * MIB, 1, 0 } };
	unsigned int nodes, i;
	struct v3_vm *vm;

	(void)state;
	begin();
	v3_fake_cpuid_set(0x80000006, 0, 0, 0, 0x2006140, 0x1009140);
	v3_fake_host_hold(fake, GIB, GIB, 0);
	v3_fake_host_hold(fake, GIB, GIB, 1);
	start();
	for (nodes = 2; nodes >= 1; nodes--) {
		const struct v3_cpuid *regs;

		assert_int_equal(try_create(mem, 2, 4, NULL, &vm), V3_OK);
		assert_int_equal(answer(vm, 1, 0)->ebx >> 16 & 0xff, nodes == 2 ? 1 : 4);
		assert_int_equal(answer(vm, 0x80000006, 0)->ecx, 0x2006140);
		assert_int_equal(answer(vm, 0x80000006, 0)->edx, nodes == 2 ? 0 : 0x1009140);
		assert_int_equal(answer(vm, 0x80000008, 0)->ecx, nodes == 2 ? 0 : 0x2003);
		regs = answer(vm, 0xb, 1);
		if (regs) {
			assert_int_equal(regs->eax, nodes == 2 ? 0 : 2);
			assert_int_equal(regs->ebx, nodes == 2 ? 1 : 4);
		}
		for (i = 0; nodes == 2 && i < vm->num_cpuid; i++)
			if (vm->cpuid[i].leaf == 4 || vm->cpuid[i].leaf == 0x8000001d)
				assert_true((vm->cpuid[i].regs.eax >> 5 & 7) < 3);
		v3_vm_destroy(vm);
		mem[1].node = 0;
	}
	finish();
}

/* One node, or none named: the guest is shown none. */
static void test_one_node(void **state)
{
	struct v3_vm *vm;
	int node;

	(void)state;
	begin();
	v3_fake_host_hold(fake, GIB, GIB, 1);
	start();
	for (node = V3_NODE_ANY; node <= 1; node += 2) {
		vm = create_one(GIB, node);
		assert_int_equal(v3_vm_num_nodes(vm), 1);
		assert_int_equal(v3_vcpu_node(vm->vcpus[0]), 1);
		assert_int_equal(v3_vcpu_guest_node(vm->vcpus[0]), 0);
		assert_int_equal(v3_vm_node_distance(vm, 0, 0), 10);
		v3_vm_destroy(vm);
	}
	finish();
}

/* A CPU that was given decides what the guest is shown; if it is far there is a warning. */
static void test_given_cpus(void **state)
{
	struct v3_mem_config mem[] = { { 512 * MIB, 0, 0 }, { 512 * MIB, 1, 0 } };
	const int32_t cpus[] = { 3, V3_CPU_ANY, 0, 2 };
	struct v3_vm *vm;

	(void)state;
	begin();
	v3_fake_host_hold(fake, 2 * GIB, GIB, 0);
	v3_fake_host_hold(fake, GIB, GIB, 1);
	start();
	assert_int_equal(try_create(mem, 2, 4, cpus, &vm), V3_OK);
	assert_int_equal(v3_fake_host_log_count(fake, V3_LOG_WARN), 0);
	assert_int_equal(v3_vcpu_guest_node(vm->vcpus[0]), 1);
	assert_int_equal(v3_vcpu_guest_node(vm->vcpus[1]), 0);
	assert_int_equal(v3_vcpu_guest_node(vm->vcpus[2]), 0);
	assert_int_equal(v3_vcpu_choose_cpu(vm->vcpus[0]), 3);
	assert_int_equal(v3_vcpu_choose_cpu(vm->vcpus[1]), 0);
	assert_int_equal(v3_vcpu_choose_cpu(vm->vcpus[2]), 0);
	v3_vm_destroy(vm);
	mem[1].node = 0;
	assert_int_equal(try_create(mem, 2, 4, cpus, &vm), V3_OK);
	assert_int_equal(v3_fake_host_log_count(fake, V3_LOG_WARN), 1);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_WARN,
					 "vCPU 0 is on CPU 3 of node 1, where the VM has no memory"));
	assert_true(v3_fake_host_log_has(fake, V3_LOG_WARN, "(vCPUs like that: 2)"));
	assert_int_equal(v3_vcpu_guest_node(vm->vcpus[0]), 0);
	v3_vm_destroy(vm);
	finish();
}

/* A host that tells nothing about its nodes. */
static void test_unknown_nodes(void **state)
{
	const struct v3_mem_config mem[] = { { 512 * MIB, 0, 0 }, { 512 * MIB, 1, 0 } };
	const int32_t cpus[] = { 3, V3_CPU_ANY };
	struct v3_os_hooks *os;
	struct v3_vm *vm;

	(void)state;
	begin();
	v3_fake_host_hold(fake, GIB, GIB, 0);
	v3_fake_host_hold(fake, GIB, GIB, 1);
	os = v3_fake_host_hooks(fake);
	os->node_count = NULL;
	os->cpu_node = NULL;
	os->node_distance = NULL;
	os->cpu_choose = NULL;
	start();
	assert_int_equal(try_create(mem, 2, 2, cpus, &vm), V3_OK);
	assert_int_equal(v3_vm_num_nodes(vm), 2);
	assert_int_equal(v3_vm_node_distance(vm, 0, 1), 20);
	assert_int_equal(v3_vcpu_guest_node(vm->vcpus[0]), 0);
	assert_int_equal(v3_vcpu_guest_node(vm->vcpus[1]), 1);
	assert_int_equal(v3_vcpu_choose_cpu(vm->vcpus[1]), V3_CPU_ANY);
	assert_int_equal(v3_fake_host_log_count(fake, V3_LOG_WARN), 0);
	v3_vm_destroy(vm);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_gigabytes),
		cmocka_unit_test(test_odd_regions),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_unaligned),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_not_enough),
		cmocka_unit_test(test_too_many_pieces),
		cmocka_unit_test(test_each_failure),
		cmocka_unit_test(test_refused_once),
		cmocka_unit_test(test_missing_hooks),
		cmocka_unit_test(test_device_in_hole),
		cmocka_unit_test(test_bad_nodes),
		cmocka_unit_test(test_guest_nodes),
		cmocka_unit_test(test_topology),
		cmocka_unit_test(test_one_node),
		cmocka_unit_test(test_given_cpus),
		cmocka_unit_test(test_unknown_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
