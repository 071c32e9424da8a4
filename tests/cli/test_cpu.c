/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUs taken from a host that is a folder: sets, the state file, what moves, what is refused.
 */
#include "cli_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpu_host.h"
#include "spec.h"

#define CPUS 4
#define TASKS 8

/* Threads of the host: thread n has the number 100 + n. */
static struct {
	bool used;
	unsigned int flags, ppid;
	struct v3_mask cpus;
	int fails; /* errno of a change */
} tasks[TASKS];
static unsigned int uid;
static char root[64];

static int fake_get(int tid, struct v3_mask *mask)
{
	if (tid < 100 || tid >= 100 + TASKS || !tasks[tid - 100].used)
		return ESRCH;
	*mask = tasks[tid - 100].cpus;
	return 0;
}

static int fake_set(int tid, const struct v3_mask *mask)
{
	if (tid < 100 || tid >= 100 + TASKS || !tasks[tid - 100].used)
		return ESRCH;
	if (tasks[tid - 100].fails)
		return tasks[tid - 100].fails;
	tasks[tid - 100].cpus = *mask;
	return 0;
}

static unsigned int fake_uid(void)
{
	return uid;
}

/* A file below the root, with the folders above it. */
static void put(const char *path, const char *text)
{
	char full[512], *slash;
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (slash = strchr(full + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(full, 0755);
		*slash = '/';
	}
	file = fopen(full, "w");
	assert_non_null(file);
	assert_int_equal(fchmod(fileno(file), 0644), 0);
	fprintf(file, "%s\n", text);
	fclose(file);
}

static void is(const char *path, const char *text)
{
	char have[256];

	assert_int_equal(v3_cpu_read(root, path, have, sizeof(have)), 0);
	assert_string_equal(have, text);
}

static void no_file(const char *path)
{
	char full[512];

	snprintf(full, sizeof(full), "%s%s", root, path);
	assert_int_not_equal(access(full, F_OK), 0);
}

static void task(int tid, const char *cpus, unsigned int flags, int ppid, unsigned int start)
{
	char path[64], text[256];

	tasks[tid - 100].used = true;
	assert_true(v3_mask_parse(cpus, &tasks[tid - 100].cpus));
	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", tid, tid);
	snprintf(text, sizeof(text),
		 "%d (a )(%d) S %d 0 0 0 0 %u 0 0 0 0 0 0 0 0 20 0 1 0 %u 0 0", tid, tid, ppid,
		 flags, start);
	put(path, text);
}

static void task_is(int tid, const char *cpus)
{
	char text[V3_MASK_TEXT];

	assert_string_equal(v3_mask_text(&tasks[tid - 100].cpus, text), cpus);
}

static const struct v3_mask *list(const char *text)
{
	static struct v3_mask mask;

	assert_true(v3_mask_parse(text, &mask));
	return &mask;
}

static int setup(void **state)
{
	static unsigned int number;
	char path[64];
	int i;

	snprintf(root, sizeof(root), "%s", test_path("host"));
	snprintf(root + strlen(root), sizeof(root) - strlen(root), "%u", number++);
	assert_int_equal(mkdir(root, 0755), 0);
	memset(tasks, 0, sizeof(tasks));
	uid = 0;
	put("/proc/sys/kernel/random/boot_id", "this-boot");
	put("/proc/sys/kernel/sched_rt_runtime_us", "950000");
	put("/proc/sys/vm/stat_interval", "1");
	put("/proc/irq/default_smp_affinity", "f");
	put("/proc/irq/1/smp_affinity_list", "0-3");
	put("/proc/irq/2/smp_affinity_list", "3");
	put("/proc/irq/3/smp_affinity_list", "1");
	put("/sys/devices/virtual/workqueue/cpumask", "f");
	put("/sys/devices/system/cpu/online", "0-3");
	put("/sys/devices/system/cpu/present", "0-4");
	for (i = 0; i < CPUS; i++) {
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", i);
		put(path, "1");
	}
	v3_cpu_host = (struct v3_cpu_host){
		.root = root, .get = fake_get, .set = fake_set, .uid = fake_uid,
	};
	return 0;
}

static int teardown(void **state)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command);
}

static void test_masks(void **state)
{
	static const char *const bad[] = { "x", "1-", "-1", "3-1", "1,,2", "1 2", "8192", "1;" };
	static const char *const bad_hex[] = { "", "g", ",f", "f,", "0x1" };
	char text[V3_MASK_TEXT];
	struct v3_mask mask;
	size_t i;

	assert_true(v3_mask_parse("0-2,5,64-66,8191\n", &mask));
	assert_string_equal(v3_mask_text(&mask, text), "0-2,5,64-66,8191");
	assert_true(v3_mask_parse("", &mask) && v3_mask_empty(&mask));
	assert_string_equal(v3_mask_text(&mask, text), "");
	assert_string_equal(v3_mask_hex(&mask, text), "0");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(v3_mask_parse(bad[i], &mask));
	assert_true(v3_mask_parse_hex("1,00000000,8000000F\n", &mask));
	assert_string_equal(v3_mask_text(&mask, text), "0-3,31,64");
	assert_string_equal(v3_mask_hex(&mask, text), "1,00000000,8000000f");
	for (i = 0; i < sizeof(bad_hex) / sizeof(bad_hex[0]); i++)
		assert_false(v3_mask_parse_hex(bad_hex[i], &mask));
	assert_true(v3_mask_parse("0-3,31,64", &mask));
	assert_int_equal(v3_mask_next(&mask, 4), 31);
	assert_int_equal(v3_mask_next(&mask, 65), -1);
	assert_int_equal(v3_mask_next(&mask, V3_MASK_CPUS), -1);
}

static void test_round_trip(void **state)
{
	struct v3_msg msg;

	task(100, "0-3", 0, 1, 10);
	task(101, "3", 0, 1, 10);
	task(102, "2", 0x04200000, 2, 1); /* the kernel's own of that CPU */
	task(103, "1", 0, 1, 10);
	task(104, "0-3", 0, 1, 10);
	tasks[4].fails = EBUSY;
	assert_int_equal(v3_cpu_take(list("2-3"), "", &msg), 0);
	task_is(100, "0-1");
	task_is(101, "0-1");
	task_is(102, "2");
	task_is(103, "1");
	task_is(104, "0-3");
	is("/proc/sys/kernel/sched_rt_runtime_us", "-1");
	is("/proc/sys/vm/stat_interval", "120");
	is("/proc/irq/default_smp_affinity", "3");
	is("/proc/irq/1/smp_affinity_list", "0-1");
	is("/proc/irq/2/smp_affinity_list", "0-1");
	is("/proc/irq/3/smp_affinity_list", "1");
	is("/sys/devices/virtual/workqueue/cpumask", "3");
	is("/sys/devices/system/cpu/cpu2/online", "1");
	/* Made since, by the first one; and one that was given CPUs by somebody. */
	task(105, "0-1", 0, 100, 4000000000u);
	assert_true(v3_mask_parse("0", &tasks[3].cpus));
	put("/proc/irq/1/smp_affinity_list", "0");
	/* Ended meanwhile. */
	tasks[1].used = false;
	assert_int_equal(v3_cpu_give(3, &msg), 0);
	task_is(100, "0-3");
	task_is(103, "0");
	task_is(105, "0-3");
	is("/proc/irq/1/smp_affinity_list", "0");
	is("/proc/irq/2/smp_affinity_list", "3");
	is("/proc/irq/default_smp_affinity", "f");
	is("/proc/sys/kernel/sched_rt_runtime_us", "950000");
	is("/proc/sys/vm/stat_interval", "1");
	no_file("/run/v3/cpus.json");
	/* Nothing is left to do. */
	assert_int_equal(v3_cpu_give(3, &msg), 0);
}

/* The first that was taken is given first. */
static void test_two(void **state)
{
	struct v3_msg msg;

	task(100, "0-3", 0, 1, 10);
	task(101, "3", 0, 1, 10);
	assert_int_equal(v3_cpu_take(list("3"), "one", &msg), 0);
	assert_int_equal(v3_cpu_take(list("1-2"), "", &msg), 0);
	task_is(100, "0");
	task_is(101, "0");
	is("/proc/irq/default_smp_affinity", "1");
	assert_int_equal(v3_cpu_give(3, &msg), 0);
	task_is(100, "0,3");
	task_is(101, "3");
	is("/proc/irq/default_smp_affinity", "9");
	is("/proc/irq/3/smp_affinity_list", "0,3");
	is("/proc/sys/kernel/sched_rt_runtime_us", "-1");
	is("/proc/sys/vm/stat_interval", "120");
	assert_int_equal(v3_cpu_give(1, &msg), 0);
	task_is(100, "0-3");
	is("/proc/irq/default_smp_affinity", "f");
	is("/proc/irq/3/smp_affinity_list", "1");
	is("/proc/sys/kernel/sched_rt_runtime_us", "950000");
	is("/proc/sys/vm/stat_interval", "1");
	no_file("/run/v3/cpus.json");
}

static void refused(const char *cpus, const char *why)
{
	struct v3_msg msg;

	assert_int_equal(v3_cpu_check(list(cpus), &msg), -1);
	assert_has(msg.text, why);
	assert_int_equal(v3_cpu_take(list(cpus), "", &msg), -1);
	assert_has(msg.text, why);
}

static void test_refused(void **state)
{
	struct v3_msg msg;

	refused("0", "CPU 0 stays with the host");
	refused("0-3", "CPU 0 stays with the host");
	refused("9", "this host has no CPU 9; it has 0-4");
	refused("4", "host CPU 4 is offline");
	uid = 1000;
	refused("3", "is for root");
	assert_int_equal(v3_cpu_give(3, &msg), -1);
	uid = 0;
	assert_int_equal(v3_cpu_take(list("3"), "one", &msg), 0);
	refused("2-3", "CPU 3 is taken already, for guest 'one'");
	assert_int_equal(v3_cpu_take(list("2"), "", &msg), 0);
	refused("1-2", "'v3 cpu give 2' gives it back");
	/* CPU 0 is gone, as some hosts can do. */
	put("/sys/devices/system/cpu/online", "1-3");
	refused("1", "no CPU would be left to the host");
	put("/sys/devices/system/cpu/online", "what");
	refused("1", "'what' is no list of CPUs");
}

/* A CPU whose file is not there will not go offline: everything is as it was. */
static void test_no_offline(void **state)
{
	char path[512];
	struct v3_msg msg;

	task(100, "0-3", 0, 1, 10);
	snprintf(path, sizeof(path), "%s/sys/devices/system/cpu/cpu3/online", root);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(v3_cpu_take(list("2-3"), "", &msg), -1);
	assert_has(msg.text, "CPU 3 will not go offline");
	task_is(100, "0-3");
	is("/proc/irq/1/smp_affinity_list", "0-3");
	is("/proc/irq/2/smp_affinity_list", "3");
	is("/proc/sys/kernel/sched_rt_runtime_us", "950000");
	is("/proc/sys/vm/stat_interval", "1");
	is("/sys/devices/system/cpu/cpu2/online", "1");
	no_file("/run/v3/cpus.json");
}

/* Whoever took them died at some moment: what is restored is in the file. */
static void test_died(void **state)
{
	static const char *const texts[] = {
		/* before anything was changed, and after; a CPU that is offline */
		"{\"version\":1,\"boot\":\"this-boot\",\"since\":20,\"taken\":[{\"cpus\":\"2-3\","
		"\"guest\":\"g\"}],\"items\":[{\"kind\":\"task\",\"path\":\"a\",\"old\":\"0-3\","
		"\"now\":\"0-1\",\"tid\":100,\"tgid\":100,\"start\":10},{\"kind\":\"hex\",\"path\":"
		"\"/proc/irq/default_smp_affinity\",\"old\":\"f\",\"now\":\"3\"},{\"kind\":"
		"\"online\",\"path\":\"/sys/devices/system/cpu/cpu3/online\",\"old\":\"1\",\"now\":"
		"\"0\"}]}",
	};
	struct v3_msg msg;
	int done;

	for (done = 0; done < 2; done++) {
		task(100, done ? "0-1" : "0-3", 0, 1, 10);
		put("/proc/irq/default_smp_affinity", done ? "3" : "f");
		put("/sys/devices/system/cpu/cpu3/online", done ? "0" : "1");
		put("/run/v3/cpus.json", texts[0]);
		put("/run/v3/cpus.json.new", "{");
		assert_int_equal(v3_cpu_give(2, &msg), 0);
		no_file("/run/v3/cpus.json.new");
		task_is(100, "0-3");
		is("/proc/irq/default_smp_affinity", "f");
		is("/sys/devices/system/cpu/cpu3/online", "1");
		no_file("/run/v3/cpus.json");
	}
	/* Another process has the number now. */
	task(100, "0-1", 0, 1, 11);
	put("/run/v3/cpus.json", texts[0]);
	assert_int_equal(v3_cpu_give(2, &msg), 0);
	task_is(100, "0-1");
}

static void test_bad_state(void **state)
{
	static const char *const bad[] = {
		"", "{", "[]", "{\"version\":2,\"boot\":\"this-boot\",\"since\":1,\"taken\":[],\"items\":[]}",
		"{\"version\":1,\"boot\":\"this-boot\",\"since\":1,\"taken\":[{\"cpus\":\"x\","
		"\"guest\":\"\"}],\"items\":[]}",
		"{\"version\":1,\"boot\":\"this-boot\",\"since\":1,\"taken\":[],\"items\":[{\"kind\":"
		"\"what\",\"path\":\"\",\"old\":\"\",\"now\":\"\"}]}",
		/* other files than those that are changed when CPUs are taken */
		"{\"version\":1,\"boot\":\"this-boot\",\"since\":1,\"taken\":[],\"items\":[{\"kind\":"
		"\"text\",\"path\":\"/etc/passwd\",\"old\":\"\",\"now\":\"\"}]}",
		"{\"version\":1,\"boot\":\"this-boot\",\"since\":1,\"taken\":[],\"items\":[{\"kind\":"
		"\"hex\",\"path\":\"/proc/irq/../../etc/passwd\",\"old\":\"1\",\"now\":\"1\"}]}",
	};
	struct v3_msg msg;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put("/run/v3/cpus.json", bad[i]);
		assert_int_equal(v3_cpu_take(list("3"), "", &msg), -1);
		assert_has(msg.text, "is damaged");
		assert_int_equal(v3_cpu_give(3, &msg), -1);
	}
	/* Of an earlier boot: nothing is taken. */
	put("/run/v3/cpus.json", "{\"version\":1,\"boot\":\"other\",\"since\":1,\"taken\":[{\"cpus\":"
				 "\"3\",\"guest\":\"\"}],\"items\":[]}");
	assert_int_equal(v3_cpu_take(list("3"), "", &msg), 0);
}

static const char unsafe_state[] =
	"{\"version\":1,\"boot\":\"this-boot\",\"since\":20,\"taken\":[{\"cpus\":\"2-3\",\"guest\":"
	"\"g\"}],\"items\":[{\"kind\":\"hex\",\"path\":\"/proc/irq/default_smp_affinity\",\"old\":\"e\","
	"\"now\":\"f\"}]}";

static void not_believed(void)
{
	struct v3_msg msg;

	assert_int_equal(v3_cpu_give(2, &msg), -1);
	assert_has(msg.text, "can be written by others than root");
	assert_int_equal(v3_cpu_take(list("1"), "", &msg), -1);
	is("/proc/irq/default_smp_affinity", "f");
}

/* A state file that others can write would have root write where they like. */
static void test_unsafe_state(void **state)
{
	char file[512], folder[512], other[512];
	struct v3_msg msg;

	put("/run/v3/cpus.json", unsafe_state);
	snprintf(file, sizeof(file), "%s/run/v3/cpus.json", root);
	snprintf(folder, sizeof(folder), "%s/run/v3", root);
	snprintf(other, sizeof(other), "%s/run/other", root);
	assert_int_equal(chmod(file, 0666), 0);
	not_believed();
	assert_int_equal(chmod(file, 0644), 0);
	assert_int_equal(chmod(folder, 0770), 0);
	not_believed();
	assert_int_equal(chmod(folder, 0700), 0);
	assert_int_equal(rename(folder, other), 0);
	assert_int_equal(symlink("other", folder), 0);
	not_believed();
	assert_int_equal(unlink(folder), 0);
	assert_int_equal(rename(other, folder), 0);
	assert_int_equal(rename(file, other), 0);
	assert_int_equal(symlink("../other", file), 0);
	assert_int_equal(v3_cpu_give(2, &msg), -1);
	is("/proc/irq/default_smp_affinity", "f");
	assert_int_equal(unlink(file), 0);
	assert_int_equal(mkfifo(file, 0600), 0);
	not_believed();
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rename(other, file), 0);
	assert_int_equal(v3_cpu_give(2, &msg), 0);
	is("/proc/irq/default_smp_affinity", "e");
}

/* Sets of control groups, which a host with many mounts names late. */
static void test_cpusets(void **state)
{
	static const char mount[] = "36 35 0:30 / /cg/set rw - cgroup cgroup rw,cpuset\n";
	static const char filler[] = "22 1 0:20 / /mnt/some/where rw - tmpfs none rw\n";
	const unsigned int lines = 3000;
	char *text = v3_xmalloc(lines * strlen(filler) + sizeof(mount)), *at = text;
	struct v3_msg msg;
	unsigned int i;

	for (i = 0; i < lines; i++)
		at = stpcpy(at, filler);
	strcpy(at, mount);
	put("/proc/self/mountinfo", text);
	free(text);
	put("/cg/set/cpuset.cpus", "0-3");
	put("/cg/set/a/cpuset.cpus", "1-3");
	put("/cg/set/a/b/cpuset.cpus", "1-2");
	assert_int_equal(v3_cpu_take(list("2-3"), "", &msg), 0);
	is("/cg/set/cpuset.cpus", "0-3");
	is("/cg/set/a/cpuset.cpus", "1");
	is("/cg/set/a/b/cpuset.cpus", "1");
	assert_int_equal(v3_cpu_give(2, &msg), 0);
	is("/cg/set/a/cpuset.cpus", "1-3");
	is("/cg/set/a/b/cpuset.cpus", "1-2");
	assert_int_equal(v3_cpu_take(list("1-3"), "", &msg), -1);
	assert_has(msg.text, "the cpuset /cg/set/a/b has no other CPUs");
	is("/cg/set/a/cpuset.cpus", "1-3");
}

int main(void)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test(test_masks),
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_offline, setup, teardown),
		cmocka_unit_test_setup_teardown(test_died, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_state, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unsafe_state, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cpusets, setup, teardown),
	};

	return cmocka_run_group_tests(all, NULL, test_cleanup);
}
