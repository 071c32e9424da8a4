/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sizes, numbers, CPU lists, names, the escape key.
 */
#include "cli_test.h"

#include <string.h>

#include "escape.h"
#include "parse.h"
#include "progress.h"
#include "spec.h"

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 }, { "1", 1 }, { "4096", 4096 }, { "1K", 1 << 10 }, { "1k", 1 << 10 },
		{ "3KiB", 3 << 10 }, { "512MiB", 512ull << 20 }, { "512mib", 512ull << 20 },
		{ "1GiB", 1ull << 30 }, { "2G", 2ull << 30 }, { "5T", 5ull << 40 },
		{ "16777215TiB", 16777215ull << 40 }, { "18446744073709551615", UINT64_MAX },
		{ "007", 7 },
	};
	static const char *const bad[] = {
		"", " 1", "1 ", "1 G", "-1", "+1", "0x10", "1.5G", "G", "GiB", "1B", "1KB", "1GB",
		"1Gi", "1GiBB", "1P", "1EiB", "lots", "18446744073709551616", "16777216T",
		"99999999999999999999999", "17179869184G", "1\n", "1G\x1b[2J",
	};
	struct v3_msg msg;
	uint64_t bytes;
	unsigned int i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(v3_size_parse(good[i].text, &bytes, &msg), 0);
		assert_true(bytes == good[i].bytes);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		msg.text[0] = 0;
		assert_int_equal(v3_size_parse(bad[i], &bytes, &msg), -1);
		assert_has(msg.text, v3_printable(bad[i]));
		assert_null(strchr(msg.text, '\x1b'));
		assert_null(strchr(msg.text, '\n'));
	}
}

static void test_cpu_lists(void **state)
{
	static const struct {
		const char *text;
		int count;
		int32_t cpus[6];
	} good[] = {
		{ "0", 1, { 0 } }, { "0,2-3", 3, { 0, 2, 3 } }, { "5,4,0-1", 4, { 5, 4, 0, 1 } },
		{ "3-3", 1, { 3 } }, { "8191", 1, { 8191 } }, { "0-5", 6, { 0, 1, 2, 3, 4, 5 } },
	};
	static const char *const bad[] = {
		"", ",", "1,", ",1", "1,,2", "1-", "-1", "3-1", "1-2-3", "0,0", "0-2,1", "a",
		"0 ,1", "8192", "0-99999999999", "99999999999999999999", "0-6", "1;2",
	};
	struct v3_msg msg;
	int32_t cpus[6];
	unsigned int i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(v3_cpu_list_parse(good[i].text, cpus, 6, &msg), good[i].count);
		assert_memory_equal(cpus, good[i].cpus, (size_t)good[i].count * sizeof(cpus[0]));
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		msg.text[0] = 0;
		assert_int_equal(v3_cpu_list_parse(bad[i], cpus, 6, &msg), -1);
		assert_true(msg.text[0]);
	}
}

static void test_numbers(void **state)
{
	struct v3_msg msg;
	uint64_t value;

	assert_int_equal(v3_number_parse("7", "x", 1, 7, &value, &msg), 0);
	assert_true(value == 7);
	assert_int_equal(v3_number_parse("8", "x", 1, 7, &value, &msg), -1);
	assert_string_equal(msg.text, "x: 8 is not in 1 to 7");
	assert_int_equal(v3_number_parse("0", "x", 1, 7, &value, &msg), -1);
	assert_int_equal(v3_number_parse("2x", "x", 1, 7, &value, &msg), -1);
	assert_string_equal(msg.text, "x: '2x' is not a number");
	assert_int_equal(v3_number_parse("", "x", 1, 7, &value, &msg), -1);
}

static void test_size_text(void **state)
{
	char text[V3_SIZE_TEXT];

	assert_string_equal(v3_size_text(0, text), "0 bytes");
	assert_string_equal(v3_size_text(1023, text), "1023 bytes");
	assert_string_equal(v3_size_text(1024, text), "1 KiB");
	assert_string_equal(v3_size_text(512ull << 20, text), "512 MiB");
	assert_string_equal(v3_size_text(3ull << 29, text), "1.5 GiB");
	assert_string_equal(v3_size_text(UINT64_MAX, text), "15.9 EiB");
}

static void test_durations(void **state)
{
	static const char *const bad[] = { "", "s", "2", "2 s", "-1s", "1h", "1.5s", "2S",
					   "18446744073709551616ns", "18446744074s" };
	struct v3_msg msg;
	uint64_t ns;
	size_t i;

	assert_int_equal(v3_duration_parse("500us", &ns, &msg), 0);
	assert_true(ns == 500000);
	assert_int_equal(v3_duration_parse("2min", &ns, &msg), 0);
	assert_true(ns == 120000000000);
	assert_int_equal(v3_duration_parse("7ns", &ns, &msg), 0);
	assert_true(ns == 7);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(v3_duration_parse(bad[i], &ns, &msg), -1);
}

static void test_names(void **state)
{
	struct v3_spec spec;
	struct v3_msg msg;
	char name[V3_NAME_MAX + 2];

	v3_spec_init(&spec);
	assert_int_equal(v3_spec_set_name(&spec, "a-Z_0.9+", &msg), 0);
	assert_string_equal(spec.name, "a-Z_0.9+");
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	assert_int_equal(v3_spec_set_name(&spec, name, &msg), -1);
	name[V3_NAME_MAX] = 0;
	assert_int_equal(v3_spec_set_name(&spec, name, &msg), 0);
	assert_int_equal(v3_spec_set_name(&spec, "", &msg), -1);
	assert_int_equal(v3_spec_set_name(&spec, "a b", &msg), -1);
	assert_int_equal(v3_spec_set_name(&spec, "a/b", &msg), -1);
	assert_int_equal(v3_spec_set_name(&spec, "\xc3\xa4", &msg), -1);
}

static void expect_name(const char *stem, const char *name)
{
	struct v3_spec spec;
	struct v3_msg msg;

	v3_spec_init(&spec);
	v3_spec_set_string(&spec.kernel, "k");
	assert_int_equal(v3_spec_finish(&spec, stem, &msg), 0);
	assert_string_equal(spec.name, name);
	assert_false(spec.name_given);
	assert_int_equal(spec.num_vcpus, 1);
	assert_int_equal(spec.cpus[0], V3_CPU_ANY);
	assert_true(v3_spec_memory(&spec) == V3_SPEC_MEMORY_DEFAULT);
	v3_spec_free(&spec);
}

static void test_default_names(void **state)
{
	expect_name("/boot/vmlinuz-6.1.0-13-amd64", "vmlinuz-6.1.0-13-amd64");
	expect_name("lwk.elf", "lwk");
	expect_name("a/b c.yaml", "b-c");
	expect_name("dir/", "guest");
	expect_name(".hidden", ".hidden");
	expect_name("0123456789012345678901234567890123456789012345678901234567890123456789",
		    "0123456789012345678901234567890123456789012345678901");
}

static void test_spec_limits(void **state)
{
	struct v3_spec spec;
	struct v3_msg msg;
	char text[V3_CMDLINE_MAX + 2];
	unsigned int i;

	v3_spec_init(&spec);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	assert_int_equal(v3_spec_set_cmdline(&spec, text, &msg), -1);
	text[V3_CMDLINE_MAX] = 0;
	assert_int_equal(v3_spec_set_cmdline(&spec, text, &msg), 0);
	assert_int_equal(v3_spec_append(&spec, "", &msg), 0);
	assert_int_equal(v3_spec_append(&spec, "y", &msg), -1);
	assert_int_equal(v3_spec_set_cmdline(&spec, "", &msg), 0);
	assert_int_equal(v3_spec_append(&spec, "a", &msg), 0);
	assert_int_equal(v3_spec_append(&spec, "b c", &msg), 0);
	assert_string_equal(spec.cmdline, "a b c");

	assert_int_equal(v3_spec_set_memory(&spec, "3M", &msg), -1);
	assert_int_equal(v3_spec_set_memory(&spec, "0", &msg), -1);
	assert_int_equal(v3_spec_set_memory(&spec, "9223372036854775808", &msg), 0);
	assert_int_equal(v3_spec_add_memory(&spec, "8388608T", NULL, &msg), -1);
	assert_has(msg.text, "too large");
	assert_int_equal(v3_spec_set_memory(&spec, "2M", &msg), 0);
	for (i = 1; i < V3_SPEC_MEMS; i++)
		assert_int_equal(v3_spec_add_memory(&spec, "2M", "1023", &msg), 0);
	assert_int_equal(v3_spec_add_memory(&spec, "2M", "0", &msg), -1);
	assert_int_equal(v3_spec_set_memory(&spec, "2M", &msg), 0);
	assert_int_equal(v3_spec_add_memory(&spec, "2M", "1024", &msg), -1);

	assert_int_equal(v3_spec_set_vcpus(&spec, "65", &msg), -1);
	assert_int_equal(v3_spec_set_vcpus(&spec, "0", &msg), -1);
	assert_int_equal(v3_spec_set_vcpus(&spec, "2", &msg), 0);
	assert_int_equal(v3_spec_set_cpus(&spec, "1", &msg), 0);
	v3_spec_set_string(&spec.kernel, "k");
	assert_int_equal(v3_spec_finish(&spec, "k", &msg), -1);
	assert_has(msg.text, "1 CPUs are named for 2 vCPUs");
	assert_int_equal(v3_spec_set_entry(&spec, "16", &msg), -1);
	assert_int_equal(v3_spec_set_on_reboot(&spec, "maybe", &msg), -1);
	v3_spec_free(&spec);
}

static void test_escape(void **state)
{
	struct v3_escape escape = { 0 };

	assert_int_equal(v3_escape_key(&escape, 'd'), V3_KEY_PASS);
	assert_int_equal(v3_escape_key(&escape, V3_ESCAPE_KEY), V3_KEY_NONE);
	assert_int_equal(v3_escape_key(&escape, 'd'), V3_KEY_DETACH);
	assert_int_equal(v3_escape_key(&escape, 'q'), V3_KEY_PASS);
	assert_int_equal(v3_escape_key(&escape, V3_ESCAPE_KEY), V3_KEY_NONE);
	assert_int_equal(v3_escape_key(&escape, V3_ESCAPE_KEY), V3_KEY_PASS);
	assert_int_equal(v3_escape_key(&escape, 'x'), V3_KEY_PASS);
	assert_int_equal(v3_escape_key(&escape, V3_ESCAPE_KEY), V3_KEY_NONE);
	assert_int_equal(v3_escape_key(&escape, 'x'), V3_KEY_HELP);
	assert_int_equal(v3_escape_key(&escape, V3_ESCAPE_KEY), V3_KEY_NONE);
	assert_int_equal(v3_escape_key(&escape, 'Q'), V3_KEY_STOP);
	assert_int_equal(v3_escape_key(&escape, V3_ESCAPE_KEY), V3_KEY_NONE);
	assert_int_equal(v3_escape_key(&escape, 'p'), V3_KEY_PAUSE);
}

static void test_progress_text(void **state)
{
	char text[V3_PROGRESS_TEXT];

	assert_string_equal(
		v3_progress_text("loading", 0, 100 << 20, text),
		"loading [........................................] 0 bytes of 100 MiB");
	assert_string_equal(v3_progress_text("loading", 50 << 20, 100 << 20, text),
			    "loading [####################....................] 50 MiB of 100 MiB");
	assert_string_equal(v3_progress_text("loading", 1 << 20, 1 << 20, text),
			    "loading [########################################] 1 MiB of 1 MiB");
	assert_has(v3_progress_text("loading", UINT64_MAX, UINT64_MAX, text), "15.9 EiB of 15.9 EiB");
	assert_has(v3_progress_text("loading", 1, 0, text), "0 bytes of 0 bytes");
}

static void test_printable(void **state)
{
	char text[400];

	assert_string_equal(v3_printable("a\x1b[31m\tb\x7f"), "a?[31m?b?");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	assert_int_equal(strlen(v3_printable(text)), 319);
	assert_string_equal(v3_printable(text) + 314, "xx...");
	text[256] = 0;
	assert_string_equal(v3_printable(text), text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_cpu_lists),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_size_text),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_default_names),
		cmocka_unit_test(test_spec_limits),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_progress_text),
		cmocka_unit_test(test_printable),
	};

	return cmocka_run_group_tests(tests, NULL, test_cleanup);
}
