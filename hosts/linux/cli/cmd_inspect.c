/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3 inspect: a look at a virtual CPU, also after a crash.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "inspect_text.h"
#include "json_out.h"

struct inspect {
	struct v3_target target;
	bool has_address;
	uint64_t address;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct inspect *inspect = state->input;
	char *end;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &inspect->target;
		return 0;
	case 'a':
		errno = 0;
		inspect->address = strtoull(arg, &end, 0);
		if (errno || end == arg || *end || *arg == '-')
			argp_error(state, "--address: '%s' is no address, such as 0x1000",
				   v3_printable(arg));
		inspect->has_address = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The first to the last vCPU that was asked for. */
static int show_all(struct inspect *inspect, struct v3_msg *msg)
{
	const struct v3_target *target = &inspect->target;
	unsigned int first = target->vcpu < 0 ? 0 : (unsigned int)target->vcpu, i;
	unsigned int last = target->vcpu < 0 ? target->state.num_vcpus - 1 : first;
	const uint64_t *address = inspect->has_address ? &inspect->address : NULL;
	json_t *all = target->json ? json_array() : NULL;
	int err = 0;

	if (!target->json)
		v3_inspect_head(target);
	for (i = first; !err && i <= last; i++) {
		struct v3_look look;

		err = v3_look_get(target, i, address, &look, msg);
		if (err)
			break;
		if (!target->json)
			v3_inspect_text(target, &look);
		else if (json_array_append_new(all, v3_inspect_json(target, &look)))
			err = v3_msg_set(msg, "out of memory");
	}
	if (!err && target->json && v3_json_print(json_incref(all)))
		err = v3_msg_set(msg, "not all could be written");
	if (!err && (fflush(stdout) || ferror(stdout)))
		err = v3_msg_set(msg, "standard output cannot be written");
	json_decref(all);
	return err;
}

int v3_cmd_inspect(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "address", 'a', "ADDRESS", 0, "Walk the page tables for this linear address; "
		  "without it, for RIP", 0 },
		{ 0 }
	};
	static const struct argp_child children[] = { { &v3_target_json_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.options = options, .parser = parse, .children = children, .args_doc = "NAME",
		.doc = "Shows registers, what happened last, code, stack and a page walk of each "
		       "virtual CPU. A running guest is stopped for a moment.",
	};
	struct inspect inspect = { .address = 0 };
	struct v3_msg msg;
	int status = V3_CMD_OK;

	argp_parse(&argp, argc, argv, 0, NULL, &inspect);
	if (v3_target_open(&inspect.target))
		return V3_CMD_FAILED;
	if (show_all(&inspect, &msg))
		status = v3_target_failed(&inspect.target, &msg);
	v3_target_close(&inspect.target);
	return status;
}
