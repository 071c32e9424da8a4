/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands on guests that exist: create, start, stop, pause, resume, destroy, list, stats,
 * version, help.
 */
#include "cli_test.h"

#include <errno.h>
#include <jansson.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tty.h"

static struct cli_result r;

static void with_guest(const char *lines)
{
	cli_run_guest(&r, "--pin 1,0", lines);
}

static void test_life(void **state)
{
	with_guest(
		"list\nstart one\nlist\npause one\nlist\n"
		"resume one\nstop one\nlist\ndestroy one\nlist");
	assert_int_equal(r.status, 0);
	assert_string_equal(r.err, "");
	assert_string_equal(r.out,
			    "one\n"
			    "NAME  STATE    VCPUS     MEMORY OWNER     END\n"
			    "one   created      2     64 MiB -         \n"
			    "NAME  STATE    VCPUS     MEMORY OWNER     END\n"
			    "one   running      2     64 MiB -         \n"
			    "NAME  STATE    VCPUS     MEMORY OWNER     END\n"
			    "one   paused       2     64 MiB -         \n"
			    "NAME  STATE    VCPUS     MEMORY OWNER     END\n"
			    "one   stopped      2     64 MiB -         stopped\n"
			    "NAME  STATE    VCPUS     MEMORY OWNER     END\n");
}

static void test_wrong_state(void **state)
{
	static const char *const lines[] = {
		"pause one", "resume one", "start one\nstart one", "start one\nresume one",
		"start one\nstop one\nstart one", "start one\npause one\npause one",
	};
	unsigned int i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		with_guest(lines[i]);
		assert_int_equal(r.status, 1);
		assert_line(r.err, "v3: one: the VM ");
	}
}

static void test_no_such_guest(void **state)
{
	static const char *const commands[] = {
		"start", "stop", "pause", "resume", "destroy", "console", "stats",
	};
	unsigned int i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		assert_wants_name(&r, commands[i]);
}

static void test_create(void **state)
{
	with_guest("create -n one -m 64MiB /nosuch");
	assert_int_equal(r.status, 1);
	assert_line(r.err, "/nosuch: No such file");
	with_guest("create");
	assert_int_equal(r.status, 2);
	with_guest("create --detach k");
	assert_int_equal(r.status, 2);
	assert_has(r.err, "unrecognized option '--detach'");
	fake_plan.taken = "one";
	with_guest("");
	assert_int_equal(r.status, 1);
	assert_line(r.err, "a VM called 'one' exists already");
	fake_plan.taken = NULL;
	fake_plan.fail_request = V3_IOC_LOAD_SEGMENTS;
	fake_plan.fail_errno = ENOEXEC;
	fake_plan.fail_message = "segment 1 is outside of guest memory";
	with_guest("");
	assert_int_equal(r.status, 1);
	assert_line(r.err, "segment 1 is outside of guest memory");
	assert_int_equal(r.seen.destroys, 1);
}

static void test_console_busy(void **state)
{
	fake_plan.fail_request = V3_IOC_CONSOLE;
	fake_plan.fail_errno = EBUSY;
	fake_plan.fail_message = "the console of 'one' is in use";
	with_guest("console one");
	assert_int_equal(r.status, 1);
	assert_line(r.err, "v3: one: the console of 'one' is in use");
}

/* A job of a shell: raw, then put into the background, then at its end. */
static void job(int to_shell, int from_shell)
{
	struct v3_tty tty;
	char byte = 'r';

	alarm(20);
	setpgid(0, 0);
	signal(SIGTTOU, SIG_IGN);
	tcsetpgrp(STDIN_FILENO, getpid());
	signal(SIGTTOU, SIG_DFL);
	v3_tty_raw(&tty, STDIN_FILENO);
	if (!tty.raw || write(to_shell, &byte, 1) != 1 || read(from_shell, &byte, 1) != 1)
		_exit(1);
	v3_tty_restore(&tty);
	_exit(tty.raw ? 2 : 3);
}

/* The shell. Ends with the status of the job, or 4 if that was stopped, or 5 if it lost the mode. */
static void shell(void)
{
	struct termios now;
	int up[2], down[2], status;
	char byte;
	pid_t pid;

	alarm(20);
	if (pipe(up) || pipe(down))
		_exit(6);
	pid = fork();
	if (!pid)
		job(up[1], down[0]);
	signal(SIGTTOU, SIG_IGN);
	if (read(up[0], &byte, 1) != 1 || tcsetpgrp(STDIN_FILENO, getpid()) ||
	    write(down[1], &byte, 1) != 1 || waitpid(pid, &status, WUNTRACED) != pid)
		_exit(7);
	if (WIFSTOPPED(status)) {
		kill(pid, SIGKILL);
		_exit(4);
	}
	/* raw is what the shell left it in */
	if (tcgetattr(STDIN_FILENO, &now) || now.c_lflag & ICANON)
		_exit(5);
	_exit(WEXITSTATUS(status));
}

/* In the background the terminal is the shell's: not changed, and that does not stop us. */
static void test_tty_of_others(void **state)
{
	int fd, status;
	pid_t pid = forkpty(&fd, NULL, NULL, NULL);

	if (!pid)
		shell();
	assert_true(pid > 0);
	assert_true(waitpid(pid, &status, 0) == pid);
	close(fd);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 3);
}

static json_t *json_of(const char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, 0, &error);

	if (!json)
		fail_msg("line %d: %s in: %s", error.line, error.text, text);
	return json;
}

static void test_list_json(void **state)
{
	const char *name, *vm_state;
	int detached, vcpus, owner;
	json_int_t memory;
	json_t *json;

	cli_run(&r, "", "list --json");
	assert_int_equal(r.status, 0);
	json = json_of(r.out);
	assert_true(json_is_array(json) && json_array_size(json) == 0);
	json_decref(json);

	with_guest("list -j");
	assert_int_equal(r.status, 0);
	json = json_of(r.out + strlen("one\n"));
	assert_int_equal(json_array_size(json), 1);
	assert_int_equal(json_unpack(json_array_get(json, 0), "{s:s, s:s, s:b, s:i, s:I, s:i !}",
				     "name", &name, "state", &vm_state, "detached", &detached,
				     "vcpus", &vcpus, "memory", &memory, "owner_pid", &owner), 0);
	assert_string_equal(name, "one");
	assert_string_equal(vm_state, "created");
	assert_true(detached && vcpus == 2 && memory == 64 << 20 && owner > 0);
	json_decref(json);
}

/* More guests than the first request has room for. */
static void test_list_many(void **state)
{
	char all[8192] = "";
	unsigned int i;

	for (i = 0; i < 30; i++)
		sprintf(all + strlen(all), "create -n guest-with-a-long-name-%u %s\n", i,
			test_elf_file());
	strcat(all, "list");
	cli_run(&r, "", all);
	assert_int_equal(r.status, 0);
	assert_has(r.out, "guest-with-a-long-name-29");
	assert_has(r.out, "NAME                       STATE");
}

static void test_stats(void **state)
{
	json_t *json, *vcpu;
	json_int_t ram, none, hlt, odd, run;
	int cpu;

	with_guest("stats one");
	assert_int_equal(r.status, 0);
	assert_has(r.out, "one: created\n");
	assert_has(r.out, "table pages            5\n");
	assert_has(r.out, "exits                  66\n");
	assert_has(r.out, "    hlt                  22\n");
	assert_has(r.out, "    kind_3               33\n");
	assert_has(r.out, "host CPU               not yet\n");
	assert_has(r.out, "in the run loop        1.500 s\n");

	with_guest("stats --json one");
	assert_int_equal(r.status, 0);
	json = json_of(r.out + strlen("one\n"));
	assert_int_equal(json_unpack(json, "{s:I}", "ram", &ram), 0);
	assert_true(ram == 64 << 20);
	assert_int_equal(json_array_size(json_object_get(json, "vcpus")), 2);
	vcpu = json_array_get(json_object_get(json, "vcpus"), 0);
	assert_int_equal(json_unpack(vcpu, "{s:i, s:I, s:{s:I, s:I, s:I}}", "cpu", &cpu, "run_ns",
				     &run, "exits", "none", &none, "hlt", &hlt, "kind_3", &odd),
			 0);
	assert_true(cpu == 7 && run == 1500000000 && none == 0 && hlt == 22 && odd == 33);
	json_decref(json);
}

static void test_module_fails(void **state)
{
	static const struct {
		unsigned long request;
		const char *line;
	} fails[] = {
		{ V3_IOC_LIST, "list" }, { V3_IOC_VM_STATS, "stats one" },
		{ V3_IOC_VCPU_STATS, "stats one" }, { V3_IOC_EXIT_NAMES, "stats one" },
		{ V3_IOC_STOP, "stop one" }, { V3_IOC_DESTROY, "destroy one" },
		{ V3_IOC_OPEN, "start one" }, { V3_IOC_VERSION, "version" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(fails) / sizeof(fails[0]); i++) {
		fake_plan.fail_request = fails[i].request;
		fake_plan.fail_errno = EIO;
		fake_plan.fail_message = "it does \x1b[2J not work";
		if (fails[i].request == V3_IOC_VERSION)
			cli_run(&r, "", fails[i].line);
		else
			with_guest(fails[i].line);
		assert_int_equal(r.status, 1);
		assert_line(r.err, "it does ?[2J not work");
	}
}

static void test_version(void **state)
{
	cli_run(&r, "", "version");
	assert_int_equal(r.status, 0);
	assert_has(r.out, "v3 " V3_VERSION_STRING " (interface 5)\n");
	assert_has(r.out, "module: v3 9.8.7 (interface 5), back end svm\n");
	fake_plan.abi_version = 6;
	cli_run(&r, "", "--version");
	assert_int_equal(r.status, 0);
	assert_has(r.out, "(interface 6)");
	fake_plan.open_errno = ENOENT;
	cli_run(&r, "", "version");
	assert_int_equal(r.status, 0);
	assert_has(r.out, "module: not loaded\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_life, cli_setup),
		cmocka_unit_test_setup(test_wrong_state, cli_setup),
		cmocka_unit_test_setup(test_no_such_guest, cli_setup),
		cmocka_unit_test_setup(test_create, cli_setup),
		cmocka_unit_test_setup(test_console_busy, cli_setup),
		cmocka_unit_test(test_tty_of_others),
		cmocka_unit_test_setup(test_list_json, cli_setup),
		cmocka_unit_test_setup(test_list_many, cli_setup),
		cmocka_unit_test_setup(test_stats, cli_setup),
		cmocka_unit_test_setup(test_module_fails, cli_setup),
		cmocka_unit_test_setup(test_version, cli_setup),
	};

	return cmocka_run_group_tests(tests, NULL, test_cleanup);
}
