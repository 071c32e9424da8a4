/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest descriptions: what they mean, where mistakes are, and that no damage does harm.
 */
#include "cli_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "yaml_desc.h"

static struct v3_spec spec;
static struct v3_msg msg;

static int parse(const char *text)
{
	/* A copy on the heap, without NUL: reading behind it is noticed. */
	size_t size = strlen(text);
	char *copy = calloc(1, size + !size);
	int result;

	memcpy(copy, text, size);
	msg.text[0] = 0;
	result = v3_yaml_parse("dir/g.yaml", copy, size, &spec, &msg);
	free(copy);
	return result;
}

static void good(const char *text)
{
	if (parse(text))
		fail_msg("%s", msg.text);
}

static void bad(const char *text, const char *message)
{
	assert_int_equal(parse(text), -1);
	assert_string_equal(msg.text, message);
}

static void test_all_keys(void **state)
{
	good("# a comment\n"
	     "name: debian\n"
	     "kernel: /boot/vmlinuz\n"
	     "initrd: initrd.img\n"
	     "cmdline: \"console=ttyS0 a: b\"\n"
	     "memory: 1GiB\n"
	     "vcpus: 3\n"
	     "cpus: 0,2-3\n"
	     "entry: 32\n"
	     "on_reboot: stop\n"
	     "unemulated: ud\n"
	     "cpu: {model: x86-64-v3, hide: [avx2, fma]}\n"
	     "unknown_msrs: ignore\n"
	     "tsc_khz: 2500000\n"
	     "trace: true\n"
	     "memory_from: held\n");
	assert_string_equal(spec.name, "debian");
	assert_true(spec.name_given);
	assert_string_equal(spec.kernel, "/boot/vmlinuz");
	assert_string_equal(spec.initrd, "dir/initrd.img");
	assert_string_equal(spec.cmdline, "console=ttyS0 a: b");
	assert_int_equal(spec.num_mem, 1);
	assert_true(spec.mem[0].size == 1ull << 30 && spec.mem[0].node == V3_NODE_ANY);
	assert_int_equal(spec.num_vcpus, 3);
	assert_int_equal(spec.num_cpus, 3);
	assert_int_equal(spec.cpus[2], 3);
	assert_int_equal(spec.entry, V3_LINUX_ENTRY_32);
	assert_int_equal(spec.on_reboot, V3_REBOOT_STOP);
	assert_int_equal(spec.unemulated, V3_UNEMULATED_UD);
	assert_string_equal(spec.cpu, "x86-64-v3,-avx2,-fma");
	assert_int_equal(spec.unknown_msrs, V3_MSRS_IGNORE);
	assert_int_equal(spec.tsc_khz, 2500000);
	assert_true(spec.trace);
	assert_true(spec.held);
	v3_spec_free(&spec);
}

static void test_lists(void **state)
{
	good("{kernel: k, cpus: [4, 2], memory: [{size: 2M, node: 1}, {size: 1G}]}");
	assert_string_equal(spec.kernel, "dir/k");
	assert_false(spec.name_given);
	assert_int_equal(spec.num_cpus, 2);
	assert_true(spec.cpus[0] == 4 && spec.cpus[1] == 2);
	assert_int_equal(spec.num_mem, 2);
	assert_true(spec.mem[0].size == 2 << 20 && spec.mem[0].node == 1);
	assert_true(spec.mem[1].size == 1 << 30 && spec.mem[1].node == V3_NODE_ANY);
	assert_true(spec.own);
	v3_spec_free(&spec);
	good("{kernel: k, pin: [4, 2]}");
	assert_true(!spec.own && spec.num_cpus == 2 && spec.cpus[0] == 4 && spec.cpus[1] == 2);
	v3_spec_free(&spec);
	good("{kernel: k, pin: 0-1}");
	assert_true(!spec.own && spec.num_cpus == 2 && spec.cpus[1] == 1);
	v3_spec_free(&spec);
	good("{kernel: k, cpus: 1, host_yield: interval=1500ms}");
	assert_true(spec.own && spec.host_yield == V3_IOC_YIELD_INTERVAL);
	assert_true(spec.yield_ns == 1500000000);
	v3_spec_free(&spec);
	good("{kernel: k, cpus: 1, host_yield: never}");
	assert_true(spec.host_yield == V3_IOC_YIELD_NEVER && !spec.yield_ns);
	v3_spec_free(&spec);
	good("---\nkernel: k\ncpus: 7\nmemory: 2097152\n...\n");
	assert_true(spec.num_cpus == 1 && spec.cpus[0] == 7);
	v3_spec_free(&spec);
}

static void test_examples(void **state)
{
	static const char *const files[] = { "lwk.yaml", "linux.yaml", "numa.yaml" };
	char path[512];
	unsigned int i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", TEST_EXAMPLES, files[i]);
		if (v3_yaml_load(path, &spec, &msg) || v3_spec_finish(&spec, path, &msg))
			fail_msg("%s", msg.text);
		v3_spec_free(&spec);
	}
}

static void test_syntax(void **state)
{
	bad("", "dir/g.yaml: describes nothing");
	bad("# nothing\n", "dir/g.yaml: describes nothing");
	bad("- a\n",
	    "dir/g.yaml:1:1: a guest description is a mapping, lines such as 'memory: 1GiB'");
	bad("just text\n",
	    "dir/g.yaml:1:1: a guest description is a mapping, lines such as 'memory: 1GiB'");
	bad("kernel: k\n---\nkernel: j\n",
	    "dir/g.yaml:3:1: a second document begins here; one file describes one guest");
	assert_int_equal(parse("name: [x\nkernel: k\n"), -1);
	assert_has(msg.text, "dir/g.yaml:2:7: ");
	assert_int_equal(parse("kernel: k\n\tname: x\n"), -1);
	assert_has(msg.text, "dir/g.yaml:2:1: ");
	assert_int_equal(parse("kernel: k\nname: \xff\xfe\n"), -1);
	assert_has(msg.text, "dir/g.yaml:2:7: ");
	assert_int_equal(parse("kernel: *nosuch\n"), -1);
	assert_has(msg.text, "dir/g.yaml:1:9: ");
}

static void test_keys(void **state)
{
	bad("name: x\n", "dir/g.yaml:1:1: the key 'kernel' is missing");
	bad("kernel: k\n\nmemroy: 1G\n", "dir/g.yaml:3:1: unknown key 'memroy'");
	bad("kernel: k\nmemory:\n  - size: 2M\n    nodes: 1\n",
	    "dir/g.yaml:4:5: unknown key 'nodes'");
	bad("kernel: k\nmemory:\n  - size: 2M\n    kernel: 1\n",
	    "dir/g.yaml:4:5: unknown key 'kernel'");
	bad("kernel: k\nname: a\nkernel: j\n", "dir/g.yaml:3:1: the key 'kernel' is there twice");
	bad("kernel: k\nmemory:\n  - node: 1\n",
	    "dir/g.yaml:3:5: the key 'size' is missing here");
	bad("kernel: [k]\n",
	    "dir/g.yaml:1:9: 'kernel' has to be a single value, not a list or mapping");
	bad("name: n\nkernel: {a: b}\n",
	    "dir/g.yaml:2:9: 'kernel' has to be a single value, not a list or mapping");
	bad("kernel: k\nmemory: {size: 1G}\n",
	    "dir/g.yaml:2:9: 'memory' has to be a single value, not a list or mapping");
	bad("kernel: k\nmemory: [1G]\n",
	    "dir/g.yaml:2:10: this has to be a mapping, such as 'size: 1GiB'");
	bad("kernel: k\nk\x1b[2Jx: 1\n", "dir/g.yaml:2:2: control characters are not allowed");
}

static void test_values(void **state)
{
	bad("kernel: ''\n", "dir/g.yaml:1:9: kernel: a file name must not be empty");
	bad("kernel: k\nmemory:  lots\n", "dir/g.yaml:2:10: memory: 'lots' is not a size (such as "
					   "512MiB, 1GiB or 2G)");
	bad("kernel: k\nmemory: 3MiB\n",
	    "dir/g.yaml:2:9: memory: memory of 3MiB: it has to be a multiple of 2 MiB");
	bad("kernel: k\nmemory:\n- size: 2M\n- size: 2M\n  node: -1\n",
	    "dir/g.yaml:5:9: memory: NUMA node: '-1' is not a number");
	bad("kernel: k\nmemory:\n- size: 2M\n- node: 0\n  size: 2Q\n",
	    "dir/g.yaml:5:9: memory: '2Q' has an unknown unit (use K, M, G, T or KiB, MiB, "
	    "GiB, TiB)");
	bad("kernel: k\nmemory: []\n", "dir/g.yaml:2:9: memory: the list is empty");
	bad("kernel: k\nvcpus: 2x\n", "dir/g.yaml:2:8: vcpus: vCPUs: '2x' is not a number");
	bad("kernel: k\nvcpus: 65\n", "dir/g.yaml:2:8: vcpus: vCPUs: 65 is not in 1 to 64");
	bad("kernel: k\ncpus: 3-1\n", "dir/g.yaml:2:7: cpus: '3-1': the range 3-1 runs backwards");
	bad("kernel: k\ncpus: [1, two]\n", "dir/g.yaml:2:11: cpus: CPU: 'two' is not a number");
	bad("kernel: k\ncpus: [1, 2,\n 1]\n", "dir/g.yaml:3:2: cpus: CPU 1 is named twice");
	bad("kernel: k\npin: []\n", "dir/g.yaml:2:6: pin: the list is empty");
	bad("kernel: k\ncpus: 1\npin: [2]\n",
	    "dir/g.yaml:3:6: pin: there is 'cpus' as well; CPUs are owned or shared");
	bad("kernel: k\ncpus: 1\nhost_yield: often\n",
	    "dir/g.yaml:3:13: host_yield: 'often' is no rule: use never, on-halt or interval=TIME");
	bad("kernel: k\ncpus: 1\nhost_yield: interval=2\n",
	    "dir/g.yaml:3:13: host_yield: '2' has no unit (use ns, us, ms, s or min)");
	bad("kernel: k\ncpus: 1\nhost_yield: interval=1min\n",
	    "dir/g.yaml:3:13: host_yield: an interval of 1min: it can be 1 ms to 10 s");
	bad("kernel: k\ncpus: []\n", "dir/g.yaml:2:7: cpus: the list is empty");
	bad("kernel: k\nentry: 16\n",
	    "dir/g.yaml:2:8: entry: '16' is not an entry: use auto, 32, 64 or multiboot");
	bad("kernel: k\non_reboot: yes\n",
	    "dir/g.yaml:2:12: on_reboot: 'yes' is not an action: use restart or stop");
	bad("kernel: k\nunemulated: no\n",
	    "dir/g.yaml:2:13: unemulated: 'no' is not an action: use stop or ud");
	bad("kernel: k\ntrace: 1\n",
	    "dir/g.yaml:2:8: trace: '1' is neither true nor false");
	bad("kernel: k\nname: a b\n",
	    "dir/g.yaml:2:7: name: 'a b' is not a name: use letters, digits and -_.+");
}

static void test_cpu(void **state)
{
	good("kernel: k\ncpu: host,-avx\n");
	assert_string_equal(spec.cpu, "host,-avx");
	assert_int_equal(spec.unknown_msrs, V3_MSRS_FAULT);
	v3_spec_free(&spec);
	good("kernel: k\ncpu:\n  hide:\n    - avx\n    - smep\n");
	assert_string_equal(spec.cpu, "host,-avx,-smep");
	v3_spec_free(&spec);
	good("kernel: k\ncpu: {hide: []}\n");
	assert_null(spec.cpu);
	v3_spec_free(&spec);
	bad("kernel: k\ncpu: pentium\n",
	    "dir/g.yaml:2:6: cpu: 'pentium' is no CPU model: use host, x86-64-v2, x86-64-v3 or x86-64-v4");
	bad("kernel: k\ncpu: host,avx\n",
	    "dir/g.yaml:2:6: cpu: 'avx' does not hide a feature: write '-' before its name, as in "
	    "'host,-avx'");
	bad("kernel: k\ncpu:\n  model: pentium\n",
	    "dir/g.yaml:3:10: cpu: 'pentium' is no CPU model: use host, x86-64-v2, x86-64-v3 or "
	    "x86-64-v4");
	bad("kernel: k\ncpu:\n  model: host,-avx\n",
	    "dir/g.yaml:3:10: cpu: what is to be hidden goes into 'hide'");
	bad("kernel: k\ncpu:\n  hide: [avx,\n    awx]\n",
	    "dir/g.yaml:4:5: cpu: 'awx' is no CPU feature: use the names in the flags of "
	    "/proc/cpuinfo");
	bad("kernel: k\ncpu: {hide: [lm]}\n",
	    "dir/g.yaml:2:14: cpu: 'lm' cannot be hidden: every 64-bit guest needs it");
	bad("kernel: k\ncpu: {hide: avx}\n",
	    "dir/g.yaml:2:13: this has to be a list, such as [a, b]");
	bad("kernel: k\ncpu: {hide: [[avx]]}\n",
	    "dir/g.yaml:2:14: this has to be a single value, not a list or mapping");
	bad("kernel: k\ncpu: [host]\n",
	    "dir/g.yaml:2:6: 'cpu' has to be a single value, not a list or mapping");
	bad("kernel: k\nmodules:\n- args: a\n", "dir/g.yaml:3:3: the key 'file' is missing here");
	bad("kernel: k\nmodules:\n- file: ''\n",
	    "dir/g.yaml:3:9: modules: a file name must not be empty");
	bad("kernel: k\nmodules:\n- fiel: a\n", "dir/g.yaml:3:3: unknown key 'fiel'");
	bad("kernel: k\nmodules: a\n", "dir/g.yaml:2:10: this has to be a list, such as [a, b]");
	bad("kernel: k\ncpu:\n  modle: host\n", "dir/g.yaml:3:3: unknown key 'modle'");
	bad("kernel: k\ncpu: {hide: [avx], hide: [fma]}\n",
	    "dir/g.yaml:2:20: the key 'hide' is there twice");
	bad("kernel: k\nunknown_msrs: no\n",
	    "dir/g.yaml:2:15: unknown_msrs: 'no' is not an action: use fault or ignore");
	bad("kernel: k\ntsc_khz: 3GHz\n",
	    "dir/g.yaml:2:10: tsc_khz: kHz: '3GHz' is not a number");
	bad("kernel: k\ntsc_khz: 999\n",
	    "dir/g.yaml:2:10: tsc_khz: kHz: 999 is not in 1000 to 10000000");
	bad("kernel: k\ntsc_khz: -1\n", "dir/g.yaml:2:10: tsc_khz: kHz: '-1' is not a number");
	bad("kernel: k\nmemory_from: host\n",
	    "dir/g.yaml:2:14: memory_from: 'host' is no source of memory: use auto or held");
}

static void test_aliases(void **state)
{
	good("kernel: &k kernel.elf\ninitrd: *k\n");
	assert_string_equal(spec.initrd, "dir/kernel.elf");
	v3_spec_free(&spec);
	/* Nine levels of ten: 10^9 nodes for who unfolds them. */
	assert_int_equal(
		parse("a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
		      "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
		      "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
		      "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
		      "f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\nkernel: *f\n"),
		-1);
}

static void test_limits(void **state)
{
	char text[4096] = "kernel: k\ncpus: [0";
	char *big;
	unsigned int i;

	for (i = 1; i <= V3_MAX_VCPUS; i++)
		sprintf(text + strlen(text), ", %u", i);
	strcat(text, "]\n");
	assert_int_equal(parse(text), -1);
	assert_has(msg.text, "dir/g.yaml:2:");
	assert_has(msg.text, "more than 64 CPUs");
	strcpy(text, "kernel: k\nmemory: [{size: 2M}");
	for (i = 0; i < V3_SPEC_MEMS; i++)
		strcat(text, ", {size: 2M}");
	strcat(text, "]\n");
	assert_int_equal(parse(text), -1);
	assert_has(msg.text, "more than 16 pieces");
	big = malloc(V3_YAML_MAX + 1);
	memset(big, '#', V3_YAML_MAX + 1);
	assert_int_equal(v3_yaml_load(test_file("big.yaml", big, V3_YAML_MAX + 1), &spec, &msg),
			 -1);
	assert_has(msg.text, "too large");
	free(big);
	assert_int_equal(v3_yaml_load(test_path("nosuch.yaml"), &spec, &msg), -1);
	assert_has(msg.text, "nosuch.yaml: No such file");
}

/*
 * Whatever is done to a description, the result is a specification or a message that names the
 * file.
 */
static void test_damage(void **state)
{
	static const char *const seeds[] = {
		"name: debian\nkernel: /vmlinuz\ncmdline: \"a b\"\nmemory: 1GiB\ncpus: 0,2-3\n",
		"kernel: k\nmemory:\n  - size: 2GiB\n    node: 0\n  - size: 2M\ncpus: [1, 2]\n",
		"{kernel: &a k, initrd: *a, vcpus: 2, entry: auto, on_reboot: stop}\n",
	};
	static const char alphabet[] = "{}[]:,-&*!|>'\"%@`#?~ \n\t0aZ\xff\x80";
	uint64_t seed = 1;
	char text[200];
	unsigned int round, hits, accepted = 0;
	size_t len;

	for (round = 0; round < 30000; round++) {
		strcpy(text, seeds[round % 3]);
		len = strlen(text);
		for (hits = 1 + round % 4; hits > 0; hits--) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			text[(seed >> 33) % len] = alphabet[(seed >> 20) % (sizeof(alphabet) - 1)];
		}
		if (!parse(text)) {
			accepted++;
			v3_spec_free(&spec);
		} else {
			assert_has(msg.text, "dir/g.yaml:");
		}
	}
	/* Both answers were seen often. */
	assert_in_range(accepted, 500, 29500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_keys),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_cpu),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, NULL, test_cleanup);
}
