/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3 run from end to end against the fake module: statuses, messages, consoles, signals.
 */
#include "build_image.h"
#include "cli_test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <v3/boot.h>

static struct cli_result r;

static int setup(void **state)
{
	memset(&fake_plan, 0, sizeof(fake_plan));
	return 0;
}

/* Runs "run ARGS KERNEL". */
static void run(const char *input, const char *args)
{
	char line[1024];

	snprintf(line, sizeof(line), "run %s %s", args, test_elf_file());
	cli_run(&r, input, line);
}

static void test_poweroff(void **state)
{
	fake_plan.output = "hello\r\n";
	run("", "");
	assert_int_equal(r.status, 0);
	assert_string_equal(r.out, "hello\r\n");
	assert_line(r.err, "v3: kernel: the guest powered off");
	assert_int_equal(r.seen.create.num_vcpus, 1);
	assert_int_equal(r.seen.create.cpus[0], -1);
	assert_int_equal(r.seen.create.flags, 0);
	assert_true(r.seen.create.mem[0].size == 256 << 20 && r.seen.create.mem[0].node == -1);
	assert_int_equal(r.seen.load_segments.num_segments, 2);
	assert_true(r.seen.load_segments.entry == 0x100010);
	assert_true(r.seen.load_segments.segments[1].gpa == 0x200000);
	assert_true(r.seen.load_segments.segments[1].mem_size == 0x3000);
	assert_string_equal(r.seen.cmdline, "");
}

static void test_codes(void **state)
{
	static const struct {
		uint32_t code;
		int status;
	} codes[] = {
		{0, 0},     {1, 1},     {42, 42},   {127, 127}, {139, 139}, {239, 239},
		{240, 247}, {245, 247}, {247, 247}, {248, 248}, {255, 255}, {0x1ff, 255},
	};
	char text[64];
	unsigned int i;

	fake_plan.end_kind = V3_END_EXIT;
	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		fake_plan.end_code = codes[i].code;
		run("", "");
		assert_int_equal(r.status, codes[i].status);
		snprintf(text, sizeof(text), "exited with code %u", codes[i].code & 0xFF);
		assert_line(r.err, text);
	}
}

static void test_ends(void **state)
{
	static const struct {
		enum v3_end_kind kind;
		const char *args;
		int status;
		const char *text;
	} ends[] = {
		{ V3_END_CRASH, "", 240, "the guest crashed: triple fault" },
		{ V3_END_RESET, "--no-reboot", 241, "the guest reset itself" },
		{ V3_END_KILLED, "", 242, "the guest was stopped: triple fault" },
		{ V3_END_ERROR, "", 244, "the VMM ended the guest: triple fault" },
	};
	unsigned int i;

	fake_plan.reason = "triple fault";
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		fake_plan.end_kind = ends[i].kind;
		run("", ends[i].args);
		assert_int_equal(r.status, ends[i].status);
		assert_line(r.err, ends[i].text);
	}
}

static void test_keep(void **state)
{
	fake_plan.end_kind = V3_END_CRASH;
	run("", "--keep");
	assert_int_equal(r.status, 240);
	assert_has(r.err, "kernel is kept: 'v3 inspect kernel' shows it");
	assert_int_equal(r.seen.detaches, 1);
	/* Only a crash is worth it. */
	fake_plan.end_kind = V3_END_EXIT;
	run("", "--keep");
	assert_int_equal(r.seen.detaches, 0);
	fake_plan.end_kind = V3_END_CRASH;
	fake_plan.fail_request = V3_IOC_DETACH;
	fake_plan.fail_errno = EIO;
	fake_plan.fail_message = "no";
	run("", "--keep");
	assert_int_equal(r.status, 240);
	assert_has(r.err, "kernel: cannot be kept: no");
}

static void test_trace(void **state)
{
	char line[512];
	static const char yaml[] = "kernel: kernel.elf\ntrace: true\n";

	run("", "");
	assert_int_equal(r.status, 0);
	assert_false(r.seen.traced_from_start);
	run("", "--trace");
	assert_int_equal(r.status, 0);
	assert_true(r.seen.traced_from_start);
	snprintf(line, sizeof(line), "run %s", test_file("desc.yaml", yaml, strlen(yaml)));
	cli_run(&r, "", line);
	assert_int_equal(r.status, 0);
	assert_true(r.seen.traced_from_start);
	fake_plan.fail_request = V3_IOC_TRACE;
	fake_plan.fail_errno = ENOMEM;
	fake_plan.fail_message = "no memory for it";
	run("", "--trace");
	assert_int_equal(r.status, 245);
	assert_has(r.err, "no memory for it");
	assert_int_equal(r.seen.starts, 0);
}

static void test_reboot(void **state)
{
	fake_plan.output = "boot\n";
	fake_plan.resets = 2;
	fake_plan.end_kind = V3_END_EXIT;
	fake_plan.end_code = 3;
	run("", "");
	assert_int_equal(r.status, 3);
	assert_string_equal(r.out, "boot\nboot\nboot\n");
	assert_has(r.err, "kernel: the guest reset itself and runs again\n");
	/* The same VM each time. */
	assert_int_equal(r.seen.creates, 1);
	assert_int_equal(r.seen.resets, 2);
	assert_int_equal(r.seen.loads, 3);
	assert_int_equal(r.seen.destroys, 0);
	assert_string_equal(r.seen.create.name, "kernel");
}

/* It ran, so its status is not that of a guest that never did. */
static void test_reboot_fails(void **state)
{
	fake_plan.resets = 1;
	fake_plan.fail_request = V3_IOC_RESET;
	fake_plan.fail_errno = EIO;
	fake_plan.fail_message = "no";
	run("", "");
	assert_int_equal(r.status, 244);
	assert_has(r.err, "kernel: the guest reset itself and runs again\nv3: kernel: no\n");
	assert_int_equal(r.seen.starts, 1);
}

static void test_options(void **state)
{
	char line[1024], yaml[1024];

	run("", "-n named -m 1GiB --pin 3,1 -a 'a  b' --initrd " "/bin/sh");
	assert_int_equal(r.status, 0);
	assert_string_equal(r.seen.create.name, "named");
	assert_int_equal(r.seen.create.num_vcpus, 2);
	assert_true(r.seen.create.cpus[0] == 3 && r.seen.create.cpus[1] == 1);
	assert_true(r.seen.create.mem[0].size == 1 << 30);
	assert_string_equal(r.seen.cmdline, "a  b");
	assert_true(r.seen.load_segments.initrd_size > 0);

	test_elf_file();
	strcpy(yaml, "kernel: kernel.elf\ncmdline: one\nvcpus: 2\nmemory: [{size: 4M, node: 1}]\n"
	       "unemulated: ud\n");
	snprintf(line, sizeof(line), "run --append two %s",
		 test_file("desc.yaml", yaml, strlen(yaml)));
	cli_run(&r, "", line);
	assert_int_equal(r.status, 0);
	assert_string_equal(r.seen.create.name, "desc");
	assert_string_equal(r.seen.cmdline, "one two");
	assert_int_equal(r.seen.create.flags, V3_IOC_CREATE_UNEMULATED_UD);
	assert_int_equal(r.seen.create.num_vcpus, 2);
	assert_true(r.seen.create.mem[0].size == 4 << 20 && r.seen.create.mem[0].node == 1);
	snprintf(line, sizeof(line), "run --vcpus 1 -m 6M -k %s -n x %s", test_bzimage_file(),
		 test_path("desc.yaml"));
	cli_run(&r, "", line);
	assert_int_equal(r.status, 0);
	assert_int_equal(r.seen.create.num_vcpus, 1);
	assert_true(r.seen.create.mem[0].size == 6 << 20 && r.seen.create.mem[0].node == -1);
	assert_true(r.seen.load_linux.kernel_size > 0);
	assert_int_equal(r.seen.load_linux.entry, V3_LINUX_ENTRY_AUTO);
	assert_string_equal(r.seen.create.cpu, "");
}

static void test_cpu(void **state)
{
	char line[1024];
	static const char yaml[] = "kernel: kernel.elf\ncpu: {model: x86-64-v2, hide: [popcnt]}\n"
				   "unknown_msrs: ignore\ntsc_khz: 3000000\n";

	run("", "--cpu x86-64-v3,-avx2");
	assert_int_equal(r.status, 0);
	assert_string_equal(r.seen.create.cpu, "x86-64-v3,-avx2");
	assert_int_equal(r.seen.create.flags, 0);
	assert_int_equal(r.seen.create.tsc_khz, 0);
	run("", "--cpu 486");
	assert_int_equal(r.status, 246);
	assert_has(r.err, "--cpu: '486' is no CPU model: use host");
	run("", "--cpu host,-x87");
	assert_int_equal(r.status, 246);
	assert_has(r.err, "--cpu: '-x87' is no CPU feature");
	test_elf_file();
	snprintf(line, sizeof(line), "run %s", test_file("cpu.yaml", yaml, strlen(yaml)));
	cli_run(&r, "", line);
	assert_int_equal(r.status, 0);
	assert_string_equal(r.seen.create.cpu, "x86-64-v2,-popcnt");
	assert_int_equal(r.seen.create.flags, V3_IOC_CREATE_IGNORE_MSRS);
	assert_int_equal(r.seen.create.tsc_khz, 3000000);
	/* The command line's replaces all of it. */
	snprintf(line, sizeof(line), "run --cpu host --tsc-khz 1000 %s", test_path("cpu.yaml"));
	cli_run(&r, "", line);
	assert_string_equal(r.seen.create.cpu, "host");
	assert_int_equal(r.seen.create.tsc_khz, 1000);
	run("", "--tsc-khz 10000001");
	assert_int_equal(r.status, 246);
	assert_has(r.err, "--tsc-khz: kHz: 10000001 is not in 1000 to 10000000");
}

static void test_multiboot(void **state)
{
	static struct test_elf elf;
	const uint32_t header[3] = { 0x1BADB002, 3, -(0x1BADB002u + 3) };
	char line[1024];

	run("", "--entry multiboot");
	assert_int_equal(r.status, 245);
	assert_has(r.err, "no multiboot header");
	test_elf_build(&elf);
	memcpy(elf.text, header, sizeof(header));
	snprintf(line, sizeof(line), "run --entry multiboot -a words %s",
		 test_file("both.elf", &elf, sizeof(elf)));
	cli_run(&r, "", line);
	assert_int_equal(r.status, 0);
	assert_true(r.seen.load_multiboot);
	assert_string_equal(r.seen.cmdline, "words");
	assert_int_equal(r.seen.load_segments.num_segments, 2);
	assert_true(r.seen.load_segments.entry == 0x100010);
	assert_string_equal(r.seen.modules, "");
	snprintf(line, sizeof(line), "run %s", test_path("both.elf"));
	cli_run(&r, "", line);
	assert_int_equal(r.status, 0);
	assert_false(r.seen.load_multiboot);
}

static void test_modules(void **state)
{
	static const char text[] = "kernel: both.elf\nmodules:\n- file: one\n  args: one a=b\n"
				   "- file: two\n";
	const uint32_t header[3] = { 0x1BADB002, 3, -(0x1BADB002u + 3) };
	static struct test_elf elf;
	char line[2048], *end;
	unsigned int i;

	test_elf_build(&elf);
	memcpy(elf.text, header, sizeof(header));
	test_file("both.elf", &elf, sizeof(elf));
	test_file("one", "first", 5);
	test_file("two", "2nd", 3);
	test_file("modules.yaml", text, sizeof(text) - 1);
	/* They mean the multiboot entry. */
	snprintf(line, sizeof(line), "run %s", test_path("modules.yaml"));
	cli_run(&r, "", line);
	assert_int_equal(r.status, 0);
	assert_true(r.seen.load_multiboot);
	assert_string_equal(r.seen.modules, "one a=b=first;two=2nd;");
	/* Options add to them. */
	end = line + strlen(line);
	snprintf(end, sizeof(line) - strlen(line), " --module %s", test_path("one"));
	cli_run(&r, "", line);
	assert_string_equal(r.seen.modules, "one a=b=first;two=2nd;one=first;");
	snprintf(end, sizeof(line) - strlen(line), " --entry 64");
	cli_run(&r, "", line);
	assert_int_equal(r.status, 245);
	assert_has(r.err, "modules are for multiboot kernels");
	snprintf(end, sizeof(line) - strlen(line), " --module %s", test_path("none"));
	cli_run(&r, "", line);
	assert_int_equal(r.status, 245);
	assert_has(r.err, "none: No such file");
	for (i = 0; i < 14; i++)
		end += snprintf(end, sizeof(line) - (size_t)(end - line), " --module x");
	cli_run(&r, "", line);
	assert_int_equal(r.status, 246);
	assert_has(r.err, "more than 15 modules");
	run("", "--module x");
	assert_int_equal(r.status, 245);
	assert_has(r.err, "no multiboot header");
}

static void test_usage(void **state)
{
	static const struct {
		const char *args, *text;
	} bad[] = {
		{ "run", "no guest is given" },
		{ "run --memory=lots k", "--memory: 'lots' is not a size" },
		{ "run --memory 3M k", "--memory: memory of 3M" },
		{ "run --cpus 1-0 k", "--cpus: '1-0'" },
		{ "run --vcpus 0 k", "--vcpus: vCPUs: 0" },
		{ "run --cpus 1 --pin 2 k", "--cpus and --pin exclude each other" },
		{ "run --pin 1 --host-yield never k", "host_yield (--host-yield) is for CPUs" },
		{ "run --host-yield on-halt k", "host_yield (--host-yield) is for CPUs" },
		{ "run --cpus 1 --host-yield interval=0s k", "--host-yield: an interval of 0s" },
		{ "run --cpus 1 --vcpus 2 k", "1 CPUs are named for 2 vCPUs" },
		{ "run --entry 16 k", "--entry: '16'" },
		{ "run --name a/b k", "--name: 'a/b'" },
		{ "run --timeout 0 k", "--timeout: 0 is not" },
		{ "run --timeout 1s k", "--timeout: '1s'" },
		{ "run --timeout 1 --detach k", "--timeout does not go with --detach" },
		{ "run -k a b", "two kernels" },
		{ "run a b", "'b' is one too many" },
		{ "run --nosuch", "unrecognized option '--nosuch'" },
		{ "run --name", "requires an argument" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cli_run(&r, "", bad[i].args);
		assert_int_equal(r.status, 246);
		assert_has(r.err, bad[i].text);
		assert_string_equal(r.out, "");
	}
	assert_int_equal(r.seen.creates, 0);
}

static void test_not_started(void **state)
{
	char line[512];

	cli_run(&r, "", "run /nosuch.elf");
	assert_int_equal(r.status, 245);
	assert_line(r.err, "v3: /nosuch.elf: No such file or directory");
	cli_run(&r, "", "run /nosuch.yaml");
	assert_int_equal(r.status, 245);
	snprintf(line, sizeof(line), "run %s", test_file("bad.yaml", "kernel: k\nx: 1\n", 15));
	cli_run(&r, "", line);
	assert_int_equal(r.status, 245);
	assert_line(r.err, "bad.yaml:2:1: unknown key 'x'");
	run("", "--initrd /nosuch.cpio");
	assert_int_equal(r.status, 245);
	assert_line(r.err, "/nosuch.cpio");
	run("", "-m 2M");
	assert_int_equal(r.status, 245);
	assert_line(r.err,
		    "the kernel needs memory up to 2.0 MiB, the guest has 2 MiB there: give it "
		    "more with --memory");

	fake_plan.open_errno = ENOENT;
	run("", "");
	assert_int_equal(r.status, 245);
	assert_line(r.err, "/dev/v3 is not there: load the v3 module");
	fake_plan.open_errno = EACCES;
	run("", "");
	assert_line(r.err, "no permission to use /dev/v3");
	fake_plan.open_errno = 0;
	fake_plan.abi_version = 99;
	run("", "");
	assert_int_equal(r.status, 245);
	assert_line(r.err, "interface version 99");
}

static void test_module_errors(void **state)
{
	static const unsigned long requests[] = {
		V3_IOC_VERSION, V3_IOC_CREATE, V3_IOC_LOAD_SEGMENTS, V3_IOC_CONSOLE, V3_IOC_START,
	};
	unsigned int i;

	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		fake_plan.fail_request = requests[i];
		fake_plan.fail_errno = ENOMEM;
		fake_plan.fail_message = "no 256 MiB of contiguous memory";
		run("", "");
		assert_int_equal(r.status, 245);
		assert_line(r.err, "no 256 MiB of contiguous memory");
		run("", "--detach");
		assert_int_equal(r.status, requests[i] == V3_IOC_CONSOLE ? 0 : 245);
		/* Without the module's own words. */
		fake_plan.fail_message = NULL;
		run("", "");
		assert_int_equal(r.status, 245);
		assert_line(r.err, "Cannot allocate memory");
		fake_plan.fail_errno = ENOTTY;
		run("", "");
		assert_line(r.err, "different versions");
	}
}

static void test_name_in_use(void **state)
{
	fake_plan.taken = "kernel";
	run("", "");
	assert_int_equal(r.status, 0);
	assert_has(r.seen.create.name, "kernel-");
	run("", "--name kernel");
	assert_int_equal(r.status, 245);
	assert_line(r.err, "a VM called 'kernel' exists already");
}

static void test_input(void **state)
{
	fake_plan.output = "> ";
	fake_plan.echo_until = '.';
	/*
	 * What comes behind the guest's end has no taker. The escape key is nothing special
	 * here.
	 */
	run("abc\x1d" "d\n.xyz", "");
	assert_int_equal(r.status, 0);
	assert_string_equal(r.out, "> abc\x1d" "d\n.");
}

/* The end of the input is not the end of the guest. */
static void test_input_ends(void **state)
{
	fake_plan.spins = true;
	fake_plan.output = "on\n";
	run("", "--timeout 1");
	assert_int_equal(r.status, 243);
	assert_line(r.err, "stopped: it ran longer than 1 s");
	assert_string_equal(r.out, "on\n");
}

/* More than any buffer on the way, with every byte value. */
static void test_much_output(void **state)
{
	char *text = malloc(60000);
	unsigned int i;

	for (i = 0; i < 60000; i++)
		text[i] = (char)(i * 7 >> 3);
	fake_plan.output = text;
	fake_plan.output_len = 60000;
	run("", "");
	assert_int_equal(r.status, 0);
	assert_int_equal(r.out_len, 60000);
	assert_memory_equal(r.out, text, 60000);
	free(text);
}

/* Sends a signal to the command itself a moment after its start. */
static void signal_soon(int signal_number)
{
	if (!fork()) {
		usleep(300000);
		kill(getppid(), signal_number);
		_exit(0);
	}
}

static void test_signals(void **state)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	unsigned int i;

	fake_plan.spins = true;
	fake_plan.output = "on\n";
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		/* cli_run() forks: the grandchild's parent is the command. */
		fake_plan.on_start = signal_soon;
		fake_plan.on_start_arg = signals[i];
		run("", "");
		assert_int_equal(r.status, 242);
		assert_line(r.err, "stopped by a signal");
		assert_string_equal(r.out, "on\n");
	}
}

/* All that is written from now on is too much to keep. */
static void mute(int signal_number)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDOUT_FILENO) < 0)
		abort();
	close(null);
	if (signal_number)
		signal_soon(signal_number);
}

/* A guest that never stops talking is stopped all the same. */
static void test_flood(void **state)
{
	fake_plan.spins = fake_plan.floods = true;
	fake_plan.on_start = mute;
	run("", "--timeout 1");
	assert_int_equal(r.status, 243);
	assert_line(r.err, "stopped: it ran longer than 1 s");
	fake_plan.on_start_arg = SIGTERM;
	run("", "");
	assert_int_equal(r.status, 242);
	assert_line(r.err, "stopped by a signal");
}

/* Standard output is a pipe from now on that nobody reads. */
static void clog_output(int unused)
{
	int ends[2];

	(void)unused;
	if (pipe2(ends, O_CLOEXEC) || dup2(ends[1], STDOUT_FILENO) < 0)
		abort();
	close(ends[1]);
}

/* The rest of the output is given up then. */
static void test_clogged_output(void **state)
{
	fake_plan.spins = fake_plan.floods = true;
	fake_plan.on_start = clog_output;
	run("", "--timeout 1");
	assert_int_equal(r.status, 243);
	assert_has(r.err, "kernel: the last of its output cannot be written\n");
	assert_has(r.err, "stopped: it ran longer than 1 s\n");
}

static void test_detach(void **state)
{
	char line[1024];

	fake_plan.spins = true;
	snprintf(line, sizeof(line),
		 "run --detach -n bg %s\nlist\nstop bg\nlist --json\ndestroy bg\nlist",
		 test_elf_file());
	cli_run(&r, "", line);
	assert_int_equal(r.status, 0);
	assert_int_equal(r.seen.create.flags, V3_IOC_CREATE_DETACHED);
	assert_string_equal(r.err, "");
	assert_has(r.out, "bg\nNAME");
	assert_has(r.out, "bg    running      1    256 MiB -");
	assert_has(r.out, "\"state\": \"stopped\"");
	assert_has(r.out, "\"end\": \"stopped\"");
}

static void test_keys(void **state)
{
	static const struct cli_step detach[] = {
		{"ready", "hi"},
		{"hi", "\x1d?"},
		{"keys after Ctrl-]", "\x1d\x1d"},
		{"\x1d", "\x1dp"},
		{"paused", "\x1dp"},
		{"resumed", "\x03"},
		{"\x03", "\x1d"
			 "d"},
		{"runs on", NULL},
		{NULL, NULL},
	};
	static const struct cli_step stop[] = {
		{ "ready", "\x1dq" }, { "stopped by the escape key", NULL }, { NULL, NULL },
	};
	char line[1024];

	fake_plan.output = "ready";
	fake_plan.echo_until = '.';
	snprintf(line, sizeof(line), "run %s", test_elf_file());
	cli_run_tty(&r, detach, line);
	assert_int_equal(r.status, 0);
	assert_int_equal(r.seen.detaches, 1);
	cli_run_tty(&r, stop, line);
	assert_int_equal(r.status, 242);
	assert_int_equal(r.seen.detaches, 0);
}

/* The terminal is as before afterwards: the child says so at its end. */
static void test_tty_restored(void **state)
{
	static const struct cli_step steps[] = {
		{ "ready", "." }, { "powered off", NULL }, { NULL, NULL },
	};
	char line[1024];

	fake_plan.output = "ready";
	fake_plan.echo_until = '.';
	snprintf(line, sizeof(line), "run %s", test_elf_file());
	cli_run_tty(&r, steps, line);
	assert_int_equal(r.status, 0);
	assert_true(r.tty_same);
	assert_true(r.seen.tty_was_raw);
}

static void test_console(void **state)
{
	static const struct cli_step steps[] = {
		{ "ready", "x" }, { "x", "." }, { "powered off", NULL }, { NULL, NULL },
	};
	char line[1024];

	fake_plan.output = "ready";
	fake_plan.echo_until = '.';
	snprintf(line, sizeof(line), "run -d -n bg %s\nconsole bg\ndestroy bg", test_elf_file());
	cli_run_tty(&r, steps, line);
	assert_int_equal(r.status, 0);
	cli_run(&r, "ab.", line);
	assert_int_equal(r.status, 0);
	assert_string_equal(r.out, "bg\nreadyab.");
	assert_line(r.err, "bg: the guest powered off");
}

static void test_progress(void **state)
{
	static const struct cli_step steps[] = {
		{ "loading [", NULL }, { "MiB of", NULL }, { "powered off", NULL }, { NULL, NULL },
	};
	char line[1024], *big = calloc(1, 17 << 20);

	fake_plan.load_ms = 500;
	snprintf(line, sizeof(line), "run --initrd %s %s", test_file("big.img", big, 17 << 20),
		 test_elf_file());
	free(big);
	cli_run_tty(&r, steps, line);
	assert_int_equal(r.status, 0);
	/* Not a terminal: no bar. */
	cli_run(&r, "", line);
	assert_int_equal(r.status, 0);
	assert_line(r.err, "powered off");
	/* The load fails behind the bar. */
	fake_plan.fail_request = V3_IOC_LOAD_SEGMENTS;
	fake_plan.fail_errno = EIO;
	fake_plan.fail_message = "the image cannot be read";
	cli_run_tty(&r, (struct cli_step[]){{"the image cannot be read", NULL}, {NULL, NULL}},
		    line);
	assert_int_equal(r.status, 245);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_poweroff, setup),
		cmocka_unit_test_setup(test_codes, setup),
		cmocka_unit_test_setup(test_ends, setup),
		cmocka_unit_test_setup(test_keep, setup),
		cmocka_unit_test_setup(test_trace, setup),
		cmocka_unit_test_setup(test_reboot, setup),
		cmocka_unit_test_setup(test_reboot_fails, setup),
		cmocka_unit_test_setup(test_options, setup),
		cmocka_unit_test_setup(test_cpu, setup),
		cmocka_unit_test_setup(test_multiboot, setup),
		cmocka_unit_test_setup(test_modules, setup),
		cmocka_unit_test_setup(test_usage, setup),
		cmocka_unit_test_setup(test_not_started, setup),
		cmocka_unit_test_setup(test_module_errors, setup),
		cmocka_unit_test_setup(test_name_in_use, setup),
		cmocka_unit_test_setup(test_input, setup),
		cmocka_unit_test_setup(test_input_ends, setup),
		cmocka_unit_test_setup(test_much_output, setup),
		cmocka_unit_test_setup(test_signals, setup),
		cmocka_unit_test_setup(test_flood, setup),
		cmocka_unit_test_setup(test_clogged_output, setup),
		cmocka_unit_test_setup(test_detach, setup),
		cmocka_unit_test_setup(test_keys, setup),
		cmocka_unit_test_setup(test_tty_restored, setup),
		cmocka_unit_test_setup(test_console, setup),
		cmocka_unit_test_setup(test_progress, setup),
	};

	return cmocka_run_group_tests(tests, NULL, test_cleanup);
}
