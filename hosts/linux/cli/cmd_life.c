/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3 reset, v3 nmi.
 */
#include <stdio.h>

#include "commands.h"
#include "guest.h"
#include "note.h"
#include "target.h"

/* All that there is to parse is the target's. */
static error_t pass_on(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->child_inputs[0] = state->input;
	return 0;
}

int v3_cmd_nmi(int argc, char **argv)
{
	static const struct argp_child children[] = { { &v3_target_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.children = children, .args_doc = "NAME",
		.doc = "Sends a non-maskable interrupt to all virtual CPUs of a guest that runs, as a "
		       "PC's NMI button does, or to one.",
		.parser = pass_on,
	};
	struct v3_target target;
	struct v3_ioc_nmi request;
	struct v3_msg msg;
	int status = V3_CMD_OK;

	argp_parse(&argp, argc, argv, 0, NULL, &target);
	if (v3_target_open(&target))
		return V3_CMD_FAILED;
	request = (struct v3_ioc_nmi){ .vcpu = target.vcpu };
	if (v3_dev_call(target.vm, V3_IOC_NMI, &request, &msg))
		status = v3_target_failed(&target, &msg);
	v3_target_close(&target);
	return status;
}

/* A guest that nobody waits for: its files are loaded here. */
static int reset_detached(int vm, unsigned int before, struct v3_msg *msg)
{
	struct v3_guest guest;
	struct v3_spec spec;
	int err;

	if (v3_note_read(vm, &spec, msg))
		return -1;
	err = v3_guest_open(&guest, &spec, msg);
	if (!err) {
		err = v3_guest_again(&guest, vm, msg);
		v3_guest_close(&guest);
	}
	v3_spec_free(&spec);
	if (!err && before != V3_VM_CREATED)
		err = v3_dev_control(vm, V3_IOC_START, msg);
	return err;
}

int v3_cmd_reset(int argc, char **argv)
{
	struct v3_ioc_reset ask = { .flags = V3_IOC_RESET_ASK };
	struct v3_ioc_state state;
	const char *name;
	struct v3_msg msg;
	int vm, err;

	v3_parse_simple(argc, argv,
			"Resets a guest, as by the button of a PC: also one that has ended. Its files "
			"are loaded anew, its memory keeps the rest. For a guest of 'v3 run', that "
			"'v3 run' does it.", &name, NULL);
	vm = v3_dev_vm(name, &msg);
	err = vm < 0 ? vm : v3_dev_state(vm, &state, &msg);
	if (!err && state.flags & V3_IOC_LIST_DETACHED)
		err = reset_detached(vm, state.state, &msg);
	else if (!err)
		err = v3_dev_call(vm, V3_IOC_RESET, &ask, &msg);
	v3_dev_close(vm);
	if (!err)
		return V3_CMD_OK;
	v3_err("%s: %s", v3_printable(name), msg.text);
	return V3_CMD_FAILED;
}
