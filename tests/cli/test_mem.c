/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3 mem list, take, give; which memory blocks are set offline, in a sysfs made of files.
 */
#include "cli_test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fake_mem.h"
#include "mem.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

static struct cli_result r;

static int setup(void **state)
{
	memset(&fake_mem, 0, sizeof(fake_mem));
	return cli_setup(state);
}

/* --- The command --- */

static void test_list(void **state)
{
	cli_run(&r, "", "mem list");
	assert_int_equal(r.status, 0);
	assert_has(r.out, "NODE       TOTAL       FREE       HELD");
	assert_has(r.out, "0          8 GiB      4 GiB      2 GiB      1 GiB      1 GiB     1 GiB");
	assert_has(r.out, "0     0x100000000         1 GiB    0 bytes  contig   until given");
	assert_has(r.out, "0     ?                   1 GiB      1 GiB  offline  until its guest");
	assert_has(r.out, "ggg\n");
	/* More nodes than there was room for */
	fake_mem.extra = 40;
	cli_run(&r, "", "mem list\nmem list");
	assert_int_equal(r.status, 0);
	assert_has(r.out, "\n41 ");
}

static void test_list_json(void **state)
{
	json_t *json, *node;

	cli_run(&r, "", "mem list --json");
	assert_int_equal(r.status, 0);
	json = json_loads(r.out, 0, NULL);
	assert_non_null(json);
	node = json_array_get(json_object_get(json, "nodes"), 0);
	assert_int_equal(json_integer_value(json_object_get(node, "held")), 2 * GIB);
	assert_int_equal(json_array_size(json_object_get(json, "ranges")), 2);
	assert_int_equal(json_array_size(json_object_get(json, "guests")), 1);
	json_decref(json);
}

static void test_take_give(void **state)
{
	cli_run(&r, "", "mem take 3GiB --node 1\nmem give 2M\nmem give\nmem give all -N 0");
	assert_int_equal(r.status, 0);
	assert_string_equal(r.out, "3 GiB taken\n2 MiB given back\n2 GiB given back\n"
				   "2 GiB given back\n");
	fake_mem.later = GIB;
	cli_run(&r, "", "mem give");
	assert_string_equal(r.out, "2 GiB given back, 1 GiB more when the guests that use it end\n");
}

static void test_take_fails(void **state)
{
	fake_mem.take_errno = ENOMEM;
	fake_mem.take_message = "node 0: a reason";
	fake_mem.take_why = V3_IOC_MEM_WHY_OBSTACLE;
	fake_mem.take_could = 512 * MIB;
	cli_run(&r, "", "mem take 5GiB --node 0");
	assert_int_equal(r.status, 1);
	assert_string_equal(r.err, "v3: mem take: node 0: a reason; 512 MiB would go; try 'echo 1 "
				   ">/proc/sys/vm/compact_memory', or take it soon after boot; node "
				   "1 has 5 GiB free\n");
	/* The other node has too little, too */
	cli_run(&r, "", "mem take 6GiB --node 0");
	assert_null(strstr(r.err, "node 1"));
	fake_mem.take_why = V3_IOC_MEM_WHY_KILLED;
	cli_run(&r, "", "mem take 1GiB");
	assert_string_equal(r.err, "v3: mem take: node 0: a reason\n");
}

static void test_usage(void **state)
{
	static const char *const bad[][2] = {
		{ "mem", "what to do is missing" },
		{ "mem lend", "there is no 'lend'" },
		{ "mem take", "how much is missing" },
		{ "mem take 1", "multiple of 2 MiB" },
		{ "mem take 0", "multiple of 2 MiB" },
		{ "mem take all", "size" },
		{ "mem take 2M 2M", "one argument too many" },
		{ "mem take 2M --node x", "--node" },
		{ "mem take 2M --node 1024", "--node" },
		{ "mem give 2M --offline", "--offline" },
		{ "mem give all all", "one argument too many" },
		{ "mem list 2M", "one argument too many" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cli_run(&r, "", bad[i][0]);
		assert_int_equal(r.status, 2);
		assert_has(r.err, bad[i][1]);
	}
}

/* --- Memory blocks --- */

static char root[256];

static void put(const char *name, const char *text)
{
	char path[400], *slash;
	FILE *file;

	snprintf(path, sizeof(path), "%s%s", root, name);
	for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(path, 0777);
		*slash = '/';
	}
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void block(unsigned int number, const char *state, const char *zone, int node)
{
	char name[128];

	snprintf(name, sizeof(name), "/sys/devices/system/memory/memory%u/state", number);
	put(name, state);
	snprintf(name, sizeof(name), "/sys/devices/system/memory/memory%u/valid_zones", number);
	put(name, zone);
	snprintf(name, sizeof(name), "/sys/devices/system/memory/memory%u/node%d/x", number, node);
	put(name, "");
}

static const char *state_of(unsigned int number)
{
	static char text[32];
	char path[400];
	FILE *file;

	snprintf(path, sizeof(path), "%s/sys/devices/system/memory/memory%u/state", root, number);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	return text;
}

/*
 * Blocks of 256 MiB: 0 to 7 on node 0 (0: in two zones, 1 to 3: DMA32), 8 to 19 on node 1 (13: is
 * offline, 16 to 19: movable).
 */
static void make_sysfs(const char *name)
{
	unsigned int i;

	snprintf(root, sizeof(root), "%s", test_path(name));
	put("/sys/devices/system/memory/block_size_bytes", "10000000\n");
	put("/sys/devices/system/memory/probe", "");
	for (i = 0; i < 20; i++)
		block(i, i == 13 ? "offline\n" : "online\n",
		      i == 0 ? "none\n" : i < 4 ? "DMA32\n" : i < 16 ? "Normal\n" : "Movable\n",
		      i >= 8);
}

static void expect_next(const struct v3_mem_blocks *blocks, int node, unsigned int want,
			unsigned int n, unsigned int number)
{
	unsigned int first = 0;

	assert_int_equal(v3_mem_blocks_next(blocks, node, want, &first), n);
	if (n)
		assert_int_equal(blocks->blocks[first].number, number);
}

static void test_blocks(void **state)
{
	struct v3_mem_blocks blocks;
	struct v3_msg msg;
	unsigned int i;

	make_sysfs("choose");
	assert_int_equal(v3_mem_blocks_read(root, &blocks, &msg), 0);
	assert_int_equal(blocks.count, 20);
	assert_true(blocks.unit == 256 * MIB);
	/* 1 GiB that is movable, else ordinary from above; then parts; low memory last */
	expect_next(&blocks, -1, 9, 4, 16);
	expect_next(&blocks, 0, 4, 4, 4);
	expect_next(&blocks, 1, 3, 2, 18);
	expect_next(&blocks, 1, 1, 1, 19);
	expect_next(&blocks, 2, 1, 0, 0);
	for (i = 16; i < 20; i++)
		blocks.blocks[i].online = false;
	expect_next(&blocks, 1, 4, 4, 8);
	for (i = 8; i < 12; i++)
		blocks.blocks[i].fixed = true;
	expect_next(&blocks, 1, 4, 2, 14);
	for (i = 4; i < 8; i++)
		blocks.blocks[i].online = false;
	expect_next(&blocks, 0, 4, 2, 2);
	blocks.blocks[2].fixed = true;
	expect_next(&blocks, 0, 4, 1, 3);
	blocks.blocks[3].fixed = blocks.blocks[1].fixed = true;
	expect_next(&blocks, 0, 4, 0, 0);
	v3_mem_blocks_free(&blocks);
}

static int take(uint64_t size, int node, uint64_t *taken, struct v3_msg *msg)
{
	int dev = v3_dev_open(msg), err;

	assert_true(dev >= 0);
	err = v3_mem_take_offline(dev, root, size, node, taken, msg);
	v3_dev_close(dev);
	return err;
}

static void test_take_offline(void **state)
{
	uint64_t taken = 0;
	struct v3_msg msg;

	make_sysfs("take");
	assert_int_equal(take(GIB + 512 * MIB, 1, &taken, &msg), 0);
	assert_true(taken == GIB + 512 * MIB);
	assert_true(fake_mem.take.flags == V3_IOC_MEM_TAKE_PLAN && !fake_mem.take.size);
	assert_int_equal(fake_mem.plans, 6);
	assert_int_equal(fake_mem.unplans, 0);
	assert_memory_equal(state_of(16), "offline", 7);
	assert_memory_equal(state_of(19), "offline", 7);
	assert_memory_equal(state_of(14), "offline", 7);
	assert_string_equal(state_of(4), "online\n");
}

static void test_take_refused(void **state)
{
	uint64_t taken = 0;
	struct v3_msg msg;

	make_sysfs("refused");
	/* One that the module does not want: the rest of that run comes back, others are taken */
	fake_mem.refused_start = 18 * 256 * MIB;
	assert_int_equal(take(GIB, 1, &taken, &msg), 0);
	assert_true(taken == GIB || fake_mem.unplanned);
	assert_memory_equal(state_of(8), "offline", 7);
	assert_int_equal(fake_mem.unplans, 1);
	/* More than there is: all comes back */
	make_sysfs("refused");
	memset(&fake_mem, 0, sizeof(fake_mem));
	fake_mem.refused_start = 18 * 256 * MIB;
	assert_int_equal(take(4 * GIB, 1, &taken, &msg), -1);
	assert_has(msg.text, "node 1: 4 GiB wanted, but only 2.5 GiB can be set offline: memory "
			     "block 18 (at 0x120000000) will not go: not all of it is RAM; all "
			     "is online again");
	assert_int_equal(fake_mem.unplans, 2);
	assert_true(fake_mem.take.head.struct_size == 0);
	/* What never can is not the reason if others might have. */
	for (unsigned int i = 0; i < 2; i++) {
		make_sysfs("refused");
		memset(&fake_mem, 0, sizeof(fake_mem));
		fake_mem.refused_start = (i ? 16 : 18) * 256 * MIB;
		fake_mem.busy_start = (i ? 18 : 16) * 256 * MIB;
		assert_int_equal(take(4 * GIB, 1, &taken, &msg), -1);
		assert_has(msg.text, i ? "block 18 (at 0x120000000) will not go: it has memory of "
				       : "block 16 (at 0x100000000) will not go: it has memory of ");
	}
}

static void test_take_offline_bad(void **state)
{
	uint64_t taken;
	struct v3_msg msg;

	make_sysfs("bad");
	assert_int_equal(take(300 * MIB, -1, &taken, &msg), -1);
	assert_string_equal(msg.text, "memory goes offline in blocks of 256 MiB here: take 256 MiB "
				      "or 512 MiB");
	assert_int_equal(take(2 * MIB, -1, &taken, &msg), -1);
	assert_string_equal(msg.text, "memory goes offline in blocks of 256 MiB here: take 256 MiB");
	assert_int_equal(take(256 * MIB, 5, &taken, &msg), -1);
	assert_string_equal(msg.text, "this host has no memory on NUMA node 5");
	put("/sys/devices/system/memory/block_size_bytes", "none\n");
	assert_int_equal(take(256 * MIB, -1, &taken, &msg), -1);
	assert_has(msg.text, "'none' is no size of memory blocks");
	snprintf(root, sizeof(root), "%s", test_path("nowhere"));
	assert_int_equal(take(256 * MIB, -1, &taken, &msg), -1);
	assert_has(msg.text, "cannot set memory offline; do without --offline");
	assert_int_equal(fake_mem.plans, 0);
}

/* A file from which "online" can be read, and to which writing takes for ever. */
static int make_stuck(const char *name)
{
	static char page[4096] = "online\n";
	char path[400];
	int fd;

	snprintf(path, sizeof(path), "%s%s", root, name);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR | O_NONBLOCK);
	while (write(fd, page, sizeof(page)) > 0)
		;
	return fd;
}

/* What taking the highest block of node 1 takes if it does not go offline, in ms. */
static unsigned int stuck_ms(uint64_t yield_ns)
{
	struct timespec start, end;
	uint64_t taken;
	struct v3_msg msg;
	int fd;

	make_sysfs(yield_ns ? "owned" : "stuck");
	put("/sys/module/v3/parameters/search_seconds", "1\n");
	fd = make_stuck("/sys/devices/system/memory/memory19/state");
	fake_plan.cpu1_yield_ns = yield_ns;
	clock_gettime(CLOCK_MONOTONIC, &start);
	assert_int_equal(take(256 * MIB, 1, &taken, &msg), 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_memory_equal(state_of(18), "offline", 7);
	close(fd);
	return (unsigned int)((end.tv_sec - start.tv_sec) * 1000 +
			      (end.tv_nsec - start.tv_nsec) / 1000000);
}

/* Another is taken in its place; later if the kernel may wait for CPUs that guests own. */
static void test_take_stuck(void **state)
{
	assert_true(stuck_ms(0) >= 250);
	assert_true(stuck_ms(100000000) >= 650);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
	return remove(path);
}

static int cleanup(void **state)
{
	static const char *const roots[] = { "choose", "take", "refused", "bad", "nowhere",
					     "stuck", "owned" };
	unsigned int i;

	for (i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
		nftw(test_path(roots[i]), remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return test_cleanup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_list, setup),
		cmocka_unit_test_setup(test_list_json, setup),
		cmocka_unit_test_setup(test_take_give, setup),
		cmocka_unit_test_setup(test_take_fails, setup),
		cmocka_unit_test_setup(test_usage, setup),
		cmocka_unit_test_setup(test_blocks, setup),
		cmocka_unit_test_setup(test_take_offline, setup),
		cmocka_unit_test_setup(test_take_refused, setup),
		cmocka_unit_test_setup(test_take_offline_bad, setup),
		cmocka_unit_test_setup(test_take_stuck, setup),
	};

	return cmocka_run_group_tests(tests, NULL, cleanup);
}
