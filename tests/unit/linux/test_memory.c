/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The module's books of guest memory: whichever allocation fails, and whenever the caller is
 * killed, the host has everything again, or the books have it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <v3/pool.h>

#include "fake_memory.h"

#include "blocks.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

static struct v3_lx_control_file *file;
static struct v3_lx_call call;
static int live;

static void begin(void)
{
	struct file handle;

	memset(&fake, 0, sizeof(fake));
	fake_killed = false;
	assert_int_equal(v3_lx_offline_init(), 0);
	assert_int_equal(v3_lx_control_open(NULL, &handle), 0);
	file = handle.private_data;
	live = fake.live;
}

/* All that the process had open is closed, and so is the module. */
static void finish(void)
{
	struct file handle = { .private_data = file };
	unsigned int i;

	v3_lx_control_release(NULL, &handle);
	v3_lx_blocks_exit();
	v3_lx_offline_exit();
	assert_int_equal(fake.live, 0);
	assert_int_equal(fake.pages, 0);
	assert_int_equal(fake_taken(), 0);
	for (i = 0; i < FAKE_BLOCKS; i++) {
		assert_false(fake.offline[i]);
		assert_false(fake.devices[i].offline_disabled);
		assert_int_equal(fake.devices[i].refs, 0);
	}
}

/* The Nth allocation from here on fails. */
static void fail_at(unsigned int n)
{
	fake.fail_at = n;
	fake.failed = false;
}

static u64 held(void)
{
	struct v3_block_info info;

	assert_int_equal(v3_lx_block_query(NULL, V3_NODE_ANY, &info), V3_OK);
	return info.held;
}

static u64 run_1g(void)
{
	struct v3_block_info info;

	assert_int_equal(v3_lx_block_query(NULL, V3_NODE_ANY, &info), V3_OK);
	return info.largest_1g;
}

static enum v3_status take(u64 size)
{
	struct v3_ioc_mem_take arg = { .size = size, .node = -1 };
	enum v3_status status = v3_lx_do_mem_take(&call, file, &arg);

	if (!status)
		assert_int_equal(arg.taken, size);
	return status;
}

static enum v3_status give(u64 size)
{
	struct v3_ioc_mem_give arg = { .size = size, .node = -1 };

	return v3_lx_do_mem_give(&call, file, &arg);
}

/* Blocks from @first on are planned and, as the v3 command would, set offline. */
static enum v3_status plan(unsigned long first, unsigned int count)
{
	struct v3_ioc_mem_range ranges[2] = {
		{ .start = first * FAKE_BLOCK, .size = FAKE_BLOCK },
		{ .start = (first + 1) * FAKE_BLOCK, .size = (count - 1) * FAKE_BLOCK },
	};
	struct v3_ioc_mem_plan arg = { .ranges = (uintptr_t)ranges, .count = count > 1 ? 2 : 1 };
	enum v3_status status = v3_lx_do_mem_plan(&call, file, &arg);
	unsigned int i;

	for (i = 0; !status && i < count; i++)
		fake_set_offline(first + i);
	return status;
}

static void unplan(void)
{
	struct v3_ioc_mem_range all = { .size = U64_MAX };
	struct v3_ioc_mem_plan arg = { .ranges = (uintptr_t)&all, .count = 1 };

	assert_int_equal(v3_lx_do_mem_unplan(&call, file, &arg), V3_OK);
}

static enum v3_status take_plan(u64 *taken)
{
	struct v3_ioc_mem_take arg = { .node = -1, .flags = V3_IOC_MEM_TAKE_PLAN };
	enum v3_status status = v3_lx_do_mem_take(&call, file, &arg);

	*taken = arg.taken;
	return status;
}

/* --- Taking --- */

static void test_take(void **state)
{
	unsigned int n, refused = 0;
	enum v3_status status;

	(void)state;
	for (n = 1;; n++) {
		begin();
		assert_int_equal(take(64 * MIB), V3_OK);
		fail_at(n);
		status = take(2560 * MIB);
		fake.fail_at = 0;
		refused += status != V3_OK;
		assert_int_equal(held(), 64 * MIB + (status ? 0 : 2560 * MIB));
		assert_int_equal(fake_taken(), held());
		if (status)
			assert_int_equal(status, V3_ERR_NOMEM);
		finish();
		if (!fake.failed)
			break;
	}
	/* each range of 64 MiB takes three; and what is not found at once is asked for in parts */
	assert_true(refused >= 2560 / 64 * 3);
	assert_true(n > refused);
}

static void test_take_killed(void **state)
{
	unsigned int n;

	(void)state;
	for (n = 1; n <= 3; n++) {
		begin();
		fake.zeroings = n;
		assert_int_equal(take(2560 * MIB), V3_ERR_AGAIN);
		assert_string_equal(fake.said, "interrupted by a signal");
		assert_int_equal(held(), 0);
		assert_int_equal(fake_taken(), 0);
		assert_int_equal(fake.live, live);
		fake_killed = false;
		finish();
	}
}

static void test_take_offline(void **state)
{
	enum v3_status status;
	unsigned int n, i, refused = 0;
	u64 taken;

	(void)state;
	for (n = 1;; n++) {
		begin();
		assert_int_equal(take(128 * MIB), V3_OK);
		fail_at(n);
		status = plan(40, 3);
		if (!status)
			status = take_plan(&taken);
		fake.fail_at = 0;
		refused += status != V3_OK;
		assert_int_equal(held(), 128 * MIB + (status ? 0 : 3 * FAKE_BLOCK));
		/* nobody else sets them online meanwhile */
		for (i = 40; i < 43; i++)
			if (fake.offline[i])
				assert_int_equal(fake_set_online(i), -EPERM);
		finish();
		if (!fake.failed)
			break;
	}
	/* blocks and claims, one each, and for each three of the pool, the list of ranges */
	assert_true(refused >= 3 * 2 + 3 * 3 + 1);
}

/* What is refused is not planned. */
static void test_plan_refused(void **state)
{
	(void)state;
	begin();
	fake.poisoned = PHYS_PFN(41 * FAKE_BLOCK) + 5;
	assert_int_equal(plan(40, 3), V3_ERR_IO);
	assert_non_null(strstr(fake.said, "memory block 41 has a page with a hardware error"));
	unplan();
	fake.poisoned = 0;
	fake.memmap = PHYS_PFN(42 * FAKE_BLOCK) + 5;
	assert_int_equal(plan(40, 3), V3_ERR_NOTSUP);
	assert_non_null(strstr(fake.said, "memory block 42 holds"));
	fake.memmap = 0;
	/* its other blocks are planned as long as nobody says otherwise */
	assert_int_equal(plan(40, 1), V3_ERR_BUSY);
	unplan();
	assert_int_equal(plan(FAKE_BLOCKS, 1), V3_ERR_NOENT);
	assert_int_equal(plan(40, 3), V3_OK);
	unplan();
	assert_int_equal(plan(40, 1), V3_OK);
	finish();
}

static void test_take_offline_killed(void **state)
{
	unsigned int n;
	u64 taken;

	(void)state;
	for (n = 1; n <= 3; n++) {
		begin();
		assert_int_equal(plan(40, 3), V3_OK);
		fake.zeroings = n;
		assert_int_equal(take_plan(&taken), V3_ERR_AGAIN);
		assert_int_equal(taken, 0);
		assert_int_equal(held(), 0);
		fake_killed = false;
		/* it is of the plan again */
		assert_int_equal(take_plan(&taken), V3_OK);
		assert_int_equal(taken, 3 * FAKE_BLOCK);
		finish();
	}
}

/* --- Giving --- */

static void test_give_fails(void **state)
{
	enum v3_status status;
	unsigned int n;
	u64 taken;

	(void)state;
	for (n = 1;; n++) {
		begin();
		assert_int_equal(take(160 * MIB), V3_OK);
		assert_int_equal(plan(40, 1), V3_OK);
		assert_int_equal(take_plan(&taken), V3_OK);
		fail_at(n);
		/* first in vain, with what is put back; then as much as it can be */
		status = give(162 * MIB);
		assert_int_equal(status, V3_OK);
		fake.fail_at = 0;
		/* what could not be noted is the host's, nothing is lost */
		assert_true(held() <= 126 * MIB);
		assert_int_equal(held() - (fake.offline[40] ? FAKE_BLOCK : 0), fake_taken());
		finish();
		if (!fake.failed)
			break;
	}
}

static void test_give_order(void **state)
{
	u64 taken;

	(void)state;
	begin();
	/* a whole GiB, and 512 MiB behind it */
	fake.first = GIB;
	assert_int_equal(take(1536 * MIB), V3_OK);
	assert_int_equal(run_1g(), 1536 * MIB);
	assert_int_equal(give(100 * MIB), V3_OK);
	assert_int_equal(give(300 * MIB), V3_OK);
	assert_int_equal(run_1g(), GIB);
	assert_int_equal(held(), 1136 * MIB);
	/* 112 MiB are left beside it */
	assert_int_equal(give(114 * MIB), V3_OK);
	assert_int_equal(run_1g(), 0);
	assert_int_equal(give(0), V3_OK);
	assert_int_equal(held(), 0);

	/* What goes as a whole only, and what can be cut */
	assert_int_equal(take(64 * MIB), V3_OK);
	assert_int_equal(plan(40, 1), V3_OK);
	assert_int_equal(take_plan(&taken), V3_OK);
	assert_int_equal(give(96 * MIB), V3_ERR_NOMEM);
	assert_non_null(strstr(fake.said, "go as a whole"));
	assert_int_equal(held(), 192 * MIB);
	assert_int_equal(give(160 * MIB), V3_OK);
	assert_int_equal(held(), 32 * MIB);
	assert_false(fake.offline[40]);
	assert_int_equal(give(64 * MIB), V3_ERR_NOMEM);
	assert_int_equal(held(), 32 * MIB);

	/* The same with a whole GiB of blocks, which is kept unless it does not come out without */
	assert_int_equal(take(32 * MIB), V3_OK);
	assert_int_equal(plan(32, 8), V3_OK);
	assert_int_equal(take_plan(&taken), V3_OK);
	assert_int_equal(give(32 * MIB), V3_OK);
	assert_int_equal(run_1g(), GIB);
	assert_int_equal(take(32 * MIB), V3_OK);
	assert_int_equal(give(160 * MIB), V3_OK);
	assert_int_equal(held(), 928 * MIB);
	finish();
}

static void test_online_fails(void **state)
{
	u64 taken;

	(void)state;
	begin();
	assert_int_equal(plan(40, 2), V3_OK);
	assert_int_equal(take_plan(&taken), V3_OK);
	fake.online_fails = true;
	assert_int_equal(give(0), V3_ERR_IO);
	assert_non_null(strstr(fake.said, "could be set online"));
	assert_int_equal(held(), 0);
	/* from now on it is the administrator's */
	fake.online_fails = false;
	assert_int_equal(fake_set_online(40), 0);
	assert_int_equal(fake_set_online(41), 0);
	finish();
}

/* --- Virtual machines --- */

struct vm {
	struct v3_lx_vm vm;
	v3_hpa_t at[3];
	unsigned int count;
};

static enum v3_status claim(struct vm *vm, u64 size)
{
	const struct v3_block_request request = {
		.size = size, .align = V3_POOL_UNIT, .node = V3_NODE_ANY,
	};
	int32_t node;
	enum v3_status status = v3_lx_block_claim(NULL, &vm->vm, &request, &vm->at[vm->count],
						  &node);

	vm->count += !status;
	return status;
}

static void release_all(struct vm *vm, u64 size)
{
	while (vm->count)
		v3_lx_block_release(NULL, &vm->vm, vm->at[--vm->count], size, true);
}

static void test_claims(void **state)
{
	struct vm vm = { .vm.name = "one" };
	enum v3_status status;
	unsigned int n, refused = 0, i;
	u32 uses;

	(void)state;
	for (n = 1;; n++) {
		begin();
		assert_int_equal(take(256 * MIB), V3_OK);
		fail_at(n);
		/* two of what is held, then a run of its own */
		for (i = 0, status = V3_OK; i < 3 && !status; i++)
			status = claim(&vm, 128 * MIB);
		fake.fail_at = 0;
		refused += status != V3_OK;
		v3_lx_blocks_uses(NULL, 0, &uses);
		assert_int_equal(uses, vm.count > 0);
		assert_int_equal(fake.pages, PHYS_PFN(vm.count * 128 * MIB));
		/* what is in use goes when it is not */
		if (vm.count)
			assert_int_equal(give(256 * MIB), V3_ERR_NOMEM);
		assert_int_equal(give(0), V3_OK);
		release_all(&vm, 128 * MIB);
		assert_int_equal(held(), 0);
		finish();
		if (!fake.failed)
			break;
	}
	assert_true(refused >= 6);
}

/* A hardware error while memory is held: no guest gets that, and the host has it back. */
static void test_hardware_error(void **state)
{
	struct vm vm = { .vm.name = "one", .vm.held_only = true };
	u64 first;

	(void)state;
	begin();
	assert_int_equal(take(256 * MIB), V3_OK);
	assert_int_equal(claim(&vm, 64 * MIB), V3_OK);
	first = vm.at[0];
	release_all(&vm, 64 * MIB);
	/* the last page of what would be next: 64 MiB of the 256 go */
	fake.poisoned = PHYS_PFN(first + 64 * MIB) - 1;
	assert_int_equal(claim(&vm, 64 * MIB), V3_OK);
	assert_int_equal(vm.at[0], first + 64 * MIB);
	assert_int_equal(held(), 192 * MIB);
	assert_int_equal(fake_taken(), 192 * MIB);
	assert_non_null(strstr(fake.said, "64 MiB go back to the host"));
	release_all(&vm, 64 * MIB);
	/* the first one of a range in use: at the end of the guest beside it */
	assert_int_equal(claim(&vm, 32 * MIB), V3_OK);
	fake.poisoned = PHYS_PFN(vm.at[0] + 32 * MIB);
	assert_int_equal(claim(&vm, 32 * MIB), V3_ERR_NOMEM);
	assert_int_equal(fake.pages, PHYS_PFN(32 * MIB));
	assert_int_equal(held(), 192 * MIB);
	release_all(&vm, 32 * MIB);
	assert_int_equal(held(), 128 * MIB);
	assert_int_equal(fake_taken(), 128 * MIB);
	/* a claim over two ranges, of which the second one goes; then there is too little */
	fake.poisoned = PHYS_PFN(first + 3 * 64 * MIB);
	assert_int_equal(claim(&vm, 128 * MIB), V3_ERR_NOMEM);
	assert_int_equal(held(), 64 * MIB);
	assert_int_equal(claim(&vm, 64 * MIB), V3_OK);
	assert_int_equal(vm.at[0], first + 2 * 64 * MIB);
	release_all(&vm, 64 * MIB);
	/* without held_only: the host's */
	fake.poisoned = PHYS_PFN(first + 2 * 64 * MIB);
	vm.vm.held_only = false;
	assert_int_equal(claim(&vm, 64 * MIB), V3_OK);
	assert_int_equal(held(), 0);
	release_all(&vm, 64 * MIB);
	finish();
}

static void test_zero_killed(void **state)
{
	struct vm vm = { .vm.name = "one" };

	(void)state;
	begin();
	assert_int_equal(claim(&vm, 128 * MIB), V3_OK);
	fake.zeroings = 1;
	assert_int_equal(v3_lx_block_zero(NULL, &vm.vm, vm.at[0], 128 * MIB, 0), V3_ERR_TIMEOUT);
	/* what goes back is zeroed even so */
	release_all(&vm, 128 * MIB);
	fake_killed = false;
	finish();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_take_killed),
		cmocka_unit_test(test_take_offline),
		cmocka_unit_test(test_plan_refused),
		cmocka_unit_test(test_take_offline_killed),
		cmocka_unit_test(test_give_fails),
		cmocka_unit_test(test_give_order),
		cmocka_unit_test(test_online_fails),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_hardware_error),
		cmocka_unit_test(test_zero_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
