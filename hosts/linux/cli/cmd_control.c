/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3 start, stop, pause, resume, destroy, console: one guest that exists.
 */
#include <stdio.h>

#include "commands.h"
#include "console.h"
#include "verdict.h"

static int control(int argc, char **argv, unsigned long request, const char *doc)
{
	const char *name;
	struct v3_msg msg;
	int vm, err;

	v3_parse_simple(argc, argv, doc, &name, NULL);
	vm = v3_dev_vm(name, &msg);
	err = vm < 0 ? vm : v3_dev_control(vm, request, &msg);
	v3_dev_close(vm);
	if (!err)
		return V3_CMD_OK;
	v3_err("%s: %s", v3_printable(name), msg.text);
	return V3_CMD_FAILED;
}

int v3_cmd_start(int argc, char **argv)
{
	return control(argc, argv, V3_IOC_START,
		       "Starts a guest that 'v3 create' made. A guest that has ended is started "
		       "again by 'v3 reset'.");
}

int v3_cmd_stop(int argc, char **argv)
{
	return control(argc, argv, V3_IOC_STOP,
		       "Stops a guest at once, as by pulling the plug. Its memory stays until "
		       "'v3 destroy'.");
}

int v3_cmd_pause(int argc, char **argv)
{
	return control(argc, argv, V3_IOC_PAUSE, "Halts a running guest; its clock stands still.");
}

int v3_cmd_resume(int argc, char **argv)
{
	return control(argc, argv, V3_IOC_RESUME, "Lets a paused guest go on.");
}

int v3_cmd_destroy(int argc, char **argv)
{
	return control(argc, argv, V3_IOC_DESTROY,
		       "Stops a guest if it runs, and gives back its memory, CPUs and name.");
}

/* After the console was left because of @end. */
static int console_left(const char *name, int vm, enum v3_console_end end)
{
	struct v3_ioc_state state;
	struct v3_msg msg;

	switch (end) {
	case V3_CONSOLE_ENDED:
		if (v3_dev_state(vm, &state, &msg))
			v3_err("%s: %s", name, msg.text);
		else
			v3_verdict(name, &state);
		return V3_CMD_OK;
	case V3_CONSOLE_STOP:
		if (!v3_dev_control(vm, V3_IOC_STOP, &msg)) {
			v3_err("%s: stopped by the escape key", name);
			return V3_CMD_OK;
		}
		v3_err("%s: cannot be stopped: %s", name, msg.text);
		return V3_CMD_FAILED;
	case V3_CONSOLE_OUTPUT:
		v3_err("%s: the console's output cannot be written; the guest runs on", name);
		return V3_CMD_FAILED;
	default:
		v3_err("%s runs on", name);
		return V3_CMD_OK;
	}
}

int v3_cmd_console(int argc, char **argv)
{
	struct v3_console console = { .fd = -1 };
	const char *name;
	struct v3_msg msg;
	int vm, status = V3_CMD_FAILED;

	v3_parse_simple(argc, argv,
			"Attaches this terminal to the console of a guest, until the guest stops "
			"or Ctrl-] d. Ctrl-] ? shows the keys.", &name, NULL);
	vm = v3_dev_vm(name, &msg);
	if (vm < 0 || v3_console_open(&console, vm, &msg)) {
		v3_err("%s: %s", v3_printable(name), msg.text);
	} else {
		v3_console_signals();
		status = console_left(name, vm, v3_console_run(&console));
	}
	v3_console_close(&console);
	v3_dev_close(vm);
	return status;
}
