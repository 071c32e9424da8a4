/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3 reset, nmi, inspect and trace.
 */
#include "cli_test.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static struct cli_result r;

static void with_guest(const char *lines)
{
	cli_run_guest(&r, "--vcpus 2 -a 'x y'", lines);
}

static void test_reset(void **state)
{
	with_guest("reset one\nlist");
	assert_int_equal(r.status, 0);
	assert_has(r.out, "created");
	assert_int_equal(r.seen.resets, 1);
	assert_int_equal(r.seen.loads, 2);
	assert_string_equal(r.seen.cmdline, "x y");
	with_guest("start one\nreset one\nlist");
	assert_has(r.out, "running");
	assert_int_equal(r.seen.starts, 2);
	with_guest("start one\nstop one\nreset one\nlist");
	assert_has(r.out, "running");
	assert_string_equal(r.err, "");
}

static void test_reset_note(void **state)
{
	static const struct {
		const char *note, *text;
	} notes[] = {
		{ "", "the note of the guest is damaged" },
		{ "{", "the note of the guest is damaged" },
		{ "[1]", "the note of the guest is damaged" },
		{ "{\"kernel\": 1, \"entry\": 0, \"multiboot\": false}", "is damaged" },
		{ "{\"kernel\": \"/k\", \"entry\": 9, \"multiboot\": false}", "is damaged" },
		{ "{\"kernel\": \"/k\", \"entry\": 0, \"multiboot\": false, \"modules\": [3]}",
		  "is damaged" },
		{ "{\"kernel\": \"/no\\u001bfile\", \"entry\": 0, \"multiboot\": false}",
		  "/no?file: No such file" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
		fake_plan.note = notes[i].note;
		with_guest("reset one");
		assert_int_equal(r.status, 1);
		assert_line(r.err, notes[i].text);
		assert_int_equal(r.seen.resets, 0);
	}
	/* Another user's word is not taken for files that this one may read. */
	fake_plan.note = NULL;
	fake_plan.note_uid = 1;
	with_guest("reset one");
	assert_int_equal(r.status, 1);
	assert_line(r.err, "only that user can have its images loaded again");
	assert_int_equal(r.seen.loads, 1);
}

static void test_nmi(void **state)
{
	with_guest("start one\nnmi one");
	assert_int_equal(r.status, 0);
	assert_int_equal(r.seen.nmis, 1);
	assert_int_equal(r.seen.nmi_vcpu, -1);
	with_guest("start one\nnmi --vcpu 1 one");
	assert_int_equal(r.seen.nmi_vcpu, 1);
	with_guest("nmi one");
	assert_int_equal(r.status, 1);
	assert_line(r.err, "v3: one: the VM does not run");
}

static void test_wrong(void **state)
{
	static const char *const commands[] = { "nmi", "inspect", "trace" };
	char line[200];
	unsigned int i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		assert_wants_name(&r, commands[i]);
		snprintf(line, sizeof(line), "%s --vcpu 2 one", commands[i]);
		with_guest(line);
		assert_int_equal(r.status, 1);
		assert_line(r.err, "v3: one: there is no vCPU 2: its vCPUs are 0 to 1");
		snprintf(line, sizeof(line), "%s --vcpu -1 one", commands[i]);
		with_guest(line);
		assert_int_equal(r.status, 2);
	}
	with_guest("inspect --address 12x one");
	assert_int_equal(r.status, 2);
	with_guest("inspect --address -1 one");
	assert_int_equal(r.status, 2);
	cli_run(&r, "", "reset nosuch");
	assert_int_equal(r.status, 1);
	assert_line(r.err, "no VM is called 'nosuch'");
}

static void test_inspect(void **state)
{
	with_guest("inspect --vcpu 1 --address 0x7fff one");
	assert_int_equal(r.status, 0);
	assert_has(r.out, "one: created\nvCPU 1: 64-bit, CPL 0, runs\n");
	assert_has(r.out, "rbx  000000000000b0b0");
	assert_has(r.out, "rip  0000000000001000");
	assert_has(r.out, "exception to come: vector 14 error 0x2\n");
	assert_has(r.out, "  last exits:\n    exit    kind_9       rip 0xff0 leaf 0x7 subleaf 0x0\n"
			  "    exit    hlt ");
	assert_has(r.out, "page walk of 7fff:\n    PDPT at 2000: 0000000000000083 P W PS\n");
	assert_has(r.out, "nested tables: leaf of 2 MiB, r--, host-physical 55001000\n");
	/* Disassembled or not, it is there; bytes of the guest's are never shown as they are. */
	assert_has(r.out, "=> 1000");
	assert_has(r.out, " 1b 1c 1d");
	assert_null(strchr(r.out, 0x1b));
	with_guest("trace --on one\ninspect one");
	assert_has(r.out, "vCPU 0:");
	assert_has(r.out, "vCPU 1:");
	assert_has(r.out, "last events:\n    entry ");
	/* What a trace has that is off is older. */
	with_guest("trace --on one\ntrace --off one\ninspect one");
	assert_has(r.out, "  last exits:\n");
}

/* What the CPU has noted of a leaf, or that it does not. */
static void test_inspect_flags(void **state)
{
	static const struct {
		uint32_t access;
		const char *text, *accessed, *dirty;
	} cases[] = {
		{ 0x7, "leaf of 2 MiB, rwx, host", NULL, NULL },
		{ 0x37, "leaf of 2 MiB, rwx, host", NULL, NULL },
		{ 0x47, "leaf of 2 MiB, rwx, not accessed, host", "\"accessed\": false",
		  "\"dirty\": false" },
		{ 0x55, "leaf of 2 MiB, r-x, accessed, clean, host", "\"accessed\": true",
		  "\"dirty\": false" },
		{ 0x7b, "leaf of 2 MiB, rw-, uncached, accessed, dirty, host",
		  "\"accessed\": true", "\"dirty\": true" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fake_plan.nested_access = cases[i].access;
		with_guest("inspect one");
		assert_has(r.out, cases[i].text);
		with_guest("inspect --json one");
		if (!cases[i].dirty) {
			assert_null(strstr(r.out, "dirty"));
			continue;
		}
		assert_has(r.out, cases[i].accessed);
		assert_has(r.out, cases[i].dirty);
	}
}

static void test_inspect_wrong(void **state)
{
	fake_plan.inspect_wrong = true;
	with_guest("inspect one");
	assert_int_equal(r.status, 0);
	assert_has(r.out, "unknown");
	with_guest("inspect --json one");
	assert_int_equal(r.status, 0);
}

static void test_inspect_json(void **state)
{
	json_error_t error;
	json_t *json, *vcpu;

	with_guest("inspect --json one");
	assert_int_equal(r.status, 0);
	json = json_loads(strchr(r.out, '['), 0, &error);
	assert_non_null(json);
	assert_int_equal(json_array_size(json), 2);
	vcpu = json_array_get(json, 1);
	assert_int_equal(json_integer_value(json_object_get(vcpu, "vcpu")), 1);
	assert_string_equal(json_string_value(json_object_get(vcpu, "last_exit")), "hlt");
	assert_string_equal(json_string_value(json_object_get(json_object_get(vcpu, "registers"),
							      "rip")), "0x1000");
	assert_string_equal(json_string_value(json_object_get(json_object_get(vcpu, "code"),
							      "bytes")), "9090909090909090f4");
	assert_int_equal(json_array_size(json_object_get(json_object_get(vcpu, "walk"), "levels")),
			 1);
	assert_int_equal(json_array_size(json_object_get(vcpu, "events")), 2);
	assert_true(json_is_null(json_object_get(json_array_get(json_object_get(vcpu, "events"), 0),
						 "tsc")));
	json_decref(json);
}

static void test_trace(void **state)
{
	with_guest("trace one");
	assert_int_equal(r.status, 0);
	assert_has(r.err, "one: the trace is on from now on");
	assert_has(r.out, "(5 earlier events of vCPU 1 were overwritten)\n");
	assert_has(r.out, "    0.000000 vcpu0 entry ");
	assert_has(r.out, "    0.002000 vcpu0 exit    kind_9 ");
	assert_has(r.out, " rip 0x20 leaf 0x1 subleaf 0x7\n");
	assert_has(r.out, "    0.004000 vcpu1 inject  exception    rip 0x20 vector 13 error 0x18\n");
	with_guest("trace --on one\ntrace --vcpu 1 one");
	assert_string_equal(r.err, "");
	assert_null(strstr(r.out, "vcpu0"));
	with_guest("trace --on one\ntrace --json one");
	assert_has(r.out, "{\"vcpu\":0,\"lost\":5}\n");
	assert_has(r.out, "{\"vcpu\":1,\"tsc\":3000,\"event\":\"exit\",\"rip\":\"0x20\",\"exit\":\"kind_9\","
			  "\"info\":\"0x700000001\",\"info2\":\"0x0\"}\n");
	/* It was never on, and will not be. */
	with_guest("start one\nstop one\ntrace one");
	assert_int_equal(r.status, 1);
	assert_line(r.err, "the trace was never turned on");
	/* /dev/null, which stands for the VM, can always be read: it has ended. */
	with_guest("start one\ntrace --follow one");
	assert_int_equal(r.status, 0);
	assert_has(r.out, "inject");
}

static void test_module_fails(void **state)
{
	static const struct {
		unsigned long request;
		const char *line;
	} fails[] = {
		{ V3_IOC_RESET, "reset one" }, { V3_IOC_NOTE, "" },
		{ V3_IOC_NMI, "start one\nnmi one" }, { V3_IOC_INSPECT, "inspect one" },
		{ V3_IOC_TRACE, "trace one" }, { V3_IOC_TRACE, "trace --off one" },
		{ V3_IOC_TRACE_READ, "trace one" }, { V3_IOC_EXIT_NAMES, "inspect one" },
		{ V3_IOC_STATE, "trace one" }, { V3_IOC_CAPS, "trace one" },
		{ V3_IOC_VM_STATS, "reset one" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(fails) / sizeof(fails[0]); i++) {
		fake_plan.fail_request = fails[i].request;
		fake_plan.fail_errno = EIO;
		fake_plan.fail_message = "it does \033[2J not work";
		with_guest(fails[i].line);
		assert_int_equal(r.status, 1);
		assert_line(r.err, "it does ?[2J not work");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_reset, cli_setup),
		cmocka_unit_test_setup(test_reset_note, cli_setup),
		cmocka_unit_test_setup(test_nmi, cli_setup),
		cmocka_unit_test_setup(test_wrong, cli_setup),
		cmocka_unit_test_setup(test_inspect, cli_setup),
		cmocka_unit_test_setup(test_inspect_flags, cli_setup),
		cmocka_unit_test_setup(test_inspect_wrong, cli_setup),
		cmocka_unit_test_setup(test_inspect_json, cli_setup),
		cmocka_unit_test_setup(test_trace, cli_setup),
		cmocka_unit_test_setup(test_module_fails, cli_setup),
	};

	return cmocka_run_group_tests(tests, NULL, test_cleanup);
}
