/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3 noise, and reading /proc/interrupts.
 */
#include "cli_test.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "irqs.h"

static struct cli_result r;

/* CPU 2 is offline, the labels are of all kinds, the last rows have no columns. */
static const char text[] =
	"            CPU0       CPU1       CPU3       \n"
	"   0:         36          1          2   IO-APIC   2-edge      timer\n"
	"  24:          0          7 12345678901   PCI-MSI 512000-edge   ahci[0000:00:1f.2]\n"
	" NMI:          4          5          6   Non-maskable interrupts\n"
	" LOC:       1000       2000       3000   Local timer interrupts   \n"
	" ERR:          9\n"
	" MIS:          0\n";

static void test_irqs(void **state)
{
	struct v3_irq *irqs;
	struct v3_msg msg;

	(void)state;
	assert_int_equal(v3_irqs_parse(text, 3, &irqs, &msg), 4);
	assert_string_equal(irqs[0].label, "0");
	assert_string_equal(irqs[0].text, "IO-APIC 2-edge timer");
	assert_int_equal(irqs[0].count, 2);
	assert_string_equal(irqs[1].text, "PCI-MSI 512000-edge ahci[0000:00:1f.2]");
	assert_int_equal(irqs[1].count, 12345678901);
	assert_string_equal(irqs[2].label, "NMI");
	assert_string_equal(irqs[3].text, "Local timer interrupts");
	assert_int_equal(irqs[3].count, 3000);
	free(irqs);
	assert_int_equal(v3_irqs_parse(text, 1, &irqs, &msg), 4);
	assert_int_equal(irqs[3].count, 2000);
	free(irqs);
}

static void test_irqs_bad(void **state)
{
	static const char *const texts[] = { "", "\n", "nonsense", "CPU", " 0: 1 2 3\n" };
	struct v3_irq *irqs;
	struct v3_msg msg;
	unsigned int i;

	(void)state;
	assert_int_equal(v3_irqs_parse(text, 2, &irqs, &msg), -1);
	assert_string_equal(msg.text, "/proc/interrupts has no CPU 2");
	assert_null(irqs);
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(v3_irqs_parse(texts[i], 0, &irqs, &msg), -1);
	/* lines that are cut, or no rows */
	assert_int_equal(v3_irqs_parse("CPU0 CPU1\n: 1 2\nALABELTOOLONGFORIT: 1 2\nA: 1\nB 1 2\nC: 1 x\n"
				       "D: 1 2\nE:", 1, &irqs, &msg), 1);
	assert_string_equal(irqs[0].label, "D");
	assert_string_equal(irqs[0].text, "");
	free(irqs);
}

static void test_irqs_here(void **state)
{
	struct v3_irq *irqs;
	struct v3_msg msg;

	(void)state;
	assert_true(v3_irqs_read(0, &irqs, &msg) > 0);
	free(irqs);
}

static void test_text(void **state)
{
	(void)state;
	cli_run_guest(&r, "--vcpus 2", "noise --seconds 0 one");
	assert_string_equal(r.err, "");
	assert_int_equal(r.status, 0);
	assert_has(r.out, "one, vCPU 0, CPU 0, its own, 2.000 s:");
	assert_has(r.out, "timer, of the host                    5        2.500           5000        777");
	assert_has(r.out, "Linux had the CPU                     0        0.000");
	assert_has(r.out, "one, vCPU 1, has not run yet");
}

static void test_json(void **state)
{
	json_t *json, *vcpu, *causes;
	json_error_t error;

	(void)state;
	cli_run_guest(&r, "--vcpus 2", "noise --all --json -s 0");
	assert_int_equal(r.status, 0);
	json = json_loads(strchr(r.out, '['), 0, &error);
	assert_non_null(json);
	assert_int_equal(json_array_size(json), 2);
	vcpu = json_array_get(json, 0);
	assert_string_equal(json_string_value(json_object_get(vcpu, "name")), "one");
	assert_true(json_is_true(json_object_get(vcpu, "owned")));
	causes = json_object_get(vcpu, "causes");
	assert_int_equal(json_object_size(causes), V3_IOC_NOISE_CAUSES);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(causes, "timer"), "count")),
			 5);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(causes, "timer"),
							    "longest")), 777);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(causes, "nmi"), "count")),
			 0);
	assert_true(json_is_array(json_object_get(vcpu, "interrupts")));
	vcpu = json_array_get(json, 1);
	assert_true(json_is_false(json_object_get(vcpu, "owned")));
	assert_true(json_is_null(json_object_get(vcpu, "causes")));
	assert_int_equal(json_integer_value(json_object_get(vcpu, "cpu")), -1);
	json_decref(json);
}

static void test_nobody(void **state)
{
	(void)state;
	cli_run(&r, "", "noise --all -s 0");
	assert_int_equal(r.status, 0);
	assert_string_equal(r.out, "no guests\n");
}

static void test_bad(void **state)
{
	static const char *const lines[][2] = {
		{ "noise", "the name of a guest is missing" },
		{ "noise --all one", "exclude each other" },
		{ "noise one two", "one too many" },
		{ "noise --seconds x one", "--seconds" },
		{ "noise --seconds -1 one", "--seconds" },
		{ "noise nobody -s 0", "nobody: " },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		cli_run(&r, "", lines[i][0]);
		assert_int_not_equal(r.status, 0);
		assert_has(r.err, lines[i][1]);
	}
}

static void test_failing(void **state)
{
	static const unsigned long requests[] = { V3_IOC_NOISE, V3_IOC_VCPU_STATS, V3_IOC_LIST,
						  V3_IOC_EXIT_NAMES };
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		fake_plan.fail_request = requests[i];
		fake_plan.fail_errno = EIO;
		fake_plan.fail_message = "it broke";
		cli_run_guest(&r, "", "noise --all -s 0");
		assert_int_equal(r.status, 1);
		assert_line(r.err, "all guests: it broke");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_irqs),
		cmocka_unit_test(test_irqs_bad),
		cmocka_unit_test(test_irqs_here),
		cmocka_unit_test_setup(test_text, cli_setup),
		cmocka_unit_test_setup(test_json, cli_setup),
		cmocka_unit_test_setup(test_nobody, cli_setup),
		cmocka_unit_test_setup(test_bad, cli_setup),
		cmocka_unit_test_setup(test_failing, cli_setup),
	};

	return cmocka_run_group_tests(tests, NULL, test_cleanup);
}
