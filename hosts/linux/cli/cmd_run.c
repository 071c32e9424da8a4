/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3 run, v3 create: guests from a description or a kernel.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "console.h"
#include "cpu_own.h"
#include "guest.h"
#include "note.h"
#include "options.h"
#include "verdict.h"

struct run {
	struct v3_spec spec;
	struct v3_run_options options;
	struct v3_guest guest;
	int dev, vm;
	struct v3_console console;
	bool ran;
};

/* The status of what kept the guest from its first start, or from another one. */
static int failed(const struct run *run)
{
	return run->ran ? V3_RUN_ERROR : V3_RUN_FAILED;
}

/* Starts a guest that nobody waits for. */
static int run_detached(struct run *run)
{
	struct v3_msg msg;

	run->vm = v3_guest_create(&run->guest, run->dev, V3_IOC_CREATE_DETACHED, &msg);
	if (run->vm < 0) {
		v3_err("%s", msg.text);
		return V3_RUN_FAILED;
	}
	if (v3_dev_control(run->vm, V3_IOC_START, &msg)) {
		v3_err("%s: %s", run->spec.name, msg.text);
		v3_dev_control(run->vm, V3_IOC_DESTROY, &msg);
		return V3_RUN_FAILED;
	}
	printf("%s\n", run->spec.name);
	return 0;
}

/* The user leaves the guest running. */
static int leave(struct run *run)
{
	struct v3_msg msg;

	if (v3_note_write(run->vm, &run->spec, &msg) ||
	    v3_dev_control(run->vm, V3_IOC_DETACH, &msg)) {
		v3_err("%s: cannot be left running and is stopped: %s", run->spec.name, msg.text);
		return V3_RUN_STOPPED;
	}
	v3_err("%s runs on; 'v3 console %s' attaches to it, 'v3 destroy %s' ends it",
	       run->spec.name, run->spec.name, run->spec.name);
	return 0;
}

/* Whether a guest that ended like this is to run again. */
static bool restarts(const struct run *run, const struct v3_ioc_state *state)
{
	return state->end_kind == V3_END_RESET && run->spec.on_reboot == V3_REBOOT_RESTART &&
	       !run->options.no_reboot;
}

/* Stops the guest because of @end, and says so. */
static int stop(struct run *run, enum v3_console_end end)
{
	struct v3_msg msg;
	struct v3_ioc_state state;

	if (v3_dev_control(run->vm, V3_IOC_STOP, &msg)) {
		v3_err("%s: cannot be stopped: %s", run->spec.name, msg.text);
		return V3_RUN_ERROR;
	}
	if (end != V3_CONSOLE_OUTPUT && !v3_console_drain(&run->console))
		v3_err("%s: the last of its output cannot be written", run->spec.name);
	/* It may have ended by itself just before; a reset would not have been its end. */
	if (!v3_dev_state(run->vm, &state, &msg) && state.end_kind != V3_END_KILLED &&
	    !restarts(run, &state))
		return v3_verdict(run->spec.name, &state);
	switch (end) {
	case V3_CONSOLE_TIMEOUT:
		v3_err("%s: stopped: it ran longer than %llu s", run->spec.name,
		       (unsigned long long)run->options.timeout_s);
		return V3_RUN_TIMEOUT;
	case V3_CONSOLE_OUTPUT:
		v3_err("%s: stopped: its output cannot be written", run->spec.name);
		return V3_RUN_STOPPED;
	default:
		v3_err("%s: stopped by %s", run->spec.name,
		       end == V3_CONSOLE_STOP ? "the escape key" : "a signal");
		return V3_RUN_STOPPED;
	}
}

/* For a look at it; the verdict tells the rest. */
static void keep(struct run *run)
{
	struct v3_msg msg;

	if (v3_note_write(run->vm, &run->spec, &msg) ||
	    v3_dev_control(run->vm, V3_IOC_DETACH, &msg))
		v3_err("%s: cannot be kept: %s", run->spec.name, msg.text);
	else
		v3_err("%s is kept: 'v3 inspect %s' shows it, 'v3 destroy %s' ends it",
		       run->spec.name, run->spec.name, run->spec.name);
}

/* The guest stopped. Returns its status, or -1: it is to run again. */
static int ended(struct run *run)
{
	struct v3_ioc_state state;
	struct v3_msg msg;

	if (v3_dev_state(run->vm, &state, &msg)) {
		v3_err("%s: %s", run->spec.name, msg.text);
		return V3_RUN_STOPPED;
	}
	if (restarts(run, &state)) {
		v3_err("%s: %s and runs again", run->spec.name,
		       strcmp(state.reason, "reset by the host") ? "the guest reset itself" :
								  "the guest was reset");
		return -1;
	}
	if (run->options.keep &&
	    (state.end_kind == V3_END_CRASH || state.end_kind == V3_END_ERROR))
		keep(run);
	return v3_verdict(run->spec.name, &state);
}

/* From the start of a loaded guest to its end. As ended(). */
static int run_started(struct run *run)
{
	enum v3_console_end end;
	struct v3_msg msg;

	/* Not earlier: a signal while images are loaded simply ends us, and the VM with us. */
	v3_console_signals();
	if (v3_console_open(&run->console, run->vm, &msg) ||
	    v3_dev_control(run->vm, V3_IOC_START, &msg)) {
		v3_err("%s: %s", run->spec.name, msg.text);
		return failed(run);
	}
	run->ran = true;
	end = v3_console_run(&run->console);
	switch (end) {
	case V3_CONSOLE_ENDED:
		return ended(run);
	case V3_CONSOLE_DETACH:
		return leave(run);
	default:
		return stop(run, end);
	}
}

/* Runs the guest, again as long as it resets itself. */
static int run_attached(struct run *run)
{
	struct v3_msg msg;
	int status;

	run->console.deadline = 0;
	if (run->options.timeout_s)
		run->console.deadline = v3_clock() + run->options.timeout_s * 1000000000ull;
	run->vm = v3_guest_create(&run->guest, run->dev, 0, &msg);
	if (run->vm < 0) {
		v3_err("%s", msg.text);
		return V3_RUN_FAILED;
	}
	for (;;) {
		run->console.fd = -1;
		status = run_started(run);
		v3_console_close(&run->console);
		if (status >= 0)
			return status;
		if (v3_guest_again(&run->guest, run->vm, &msg)) {
			v3_err("%s: %s", run->spec.name, msg.text);
			return failed(run);
		}
	}
}

int v3_cmd_run(int argc, char **argv)
{
	struct run run = { .dev = -1, .vm = -1 };
	struct v3_msg msg;
	int status;

	status = v3_options_parse(argc, argv, V3_RUN_USAGE, V3_RUN_FAILED, &run.spec, &run.options);
	if (status)
		return status;
	status = V3_RUN_FAILED;
	if (v3_guest_open(&run.guest, &run.spec, &msg)) {
		v3_err("%s", msg.text);
		goto free_spec;
	}
	v3_cpu_stale_warn();
	run.dev = v3_dev_open(&msg);
	if (run.dev < 0)
		v3_err("%s", msg.text);
	else
		status = run.options.detach ? run_detached(&run) : run_attached(&run);
	/* Closing the descriptor ends a VM that is not detached. */
	v3_dev_close(run.vm);
	v3_cpu_guest_end(run.dev, &run.spec);
	v3_dev_close(run.dev);
	v3_guest_close(&run.guest);
free_spec:
	v3_spec_free(&run.spec);
	return status;
}

int v3_cmd_create(int argc, char **argv)
{
	struct v3_guest guest;
	struct v3_spec spec;
	struct v3_msg msg;
	int dev = -1, vm = -1, status;

	status = v3_options_parse(argc, argv, V3_CMD_USAGE, V3_CMD_FAILED, &spec, NULL);
	if (status)
		return status;
	status = V3_CMD_FAILED;
	if (v3_guest_open(&guest, &spec, &msg))
		goto out;
	v3_cpu_stale_warn();
	dev = v3_dev_open(&msg);
	if (dev >= 0)
		vm = v3_guest_create(&guest, dev, V3_IOC_CREATE_DETACHED, &msg);
	v3_guest_close(&guest);
	if (vm >= 0) {
		printf("%s\n", spec.name);
		status = V3_CMD_OK;
	}
out:
	if (status)
		v3_err("%s", msg.text);
	v3_dev_close(vm);
	v3_dev_close(dev);
	v3_spec_free(&spec);
	return status;
}
