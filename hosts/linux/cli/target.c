/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands on one vCPU of a guest that exists.
 */
#include "target.h"

#include <stdio.h>

#include "parse.h"

error_t v3_target_parse(int key, char *arg, struct argp_state *state)
{
	struct v3_target *target = state->input;
	struct v3_msg msg;
	uint64_t number;

	switch (key) {
	case 'j':
		target->json = true;
		return 0;
	case 'c':
		if (v3_number_parse(arg, "--vcpu", 0, V3_IOC_VCPUS - 1, &number, &msg))
			argp_error(state, "%s", msg.text);
		target->vcpu = (int)number;
		return 0;
	case ARGP_KEY_INIT:
		*target = (struct v3_target){ .vcpu = -1, .vm = -1 };
		return 0;
	case ARGP_KEY_ARG:
		if (target->name)
			argp_error(state, "one guest at a time: '%s' is one too many",
				   v3_printable(arg));
		target->name = arg;
		return 0;
	case ARGP_KEY_END:
		if (!target->name)
			argp_error(state, "the name of a guest is missing ('v3 list' shows them)");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option json_options[] = {
	{ "vcpu", 'c', "N", 0, "Only this virtual CPU", 0 },
	{ "json", 'j', NULL, 0, "Print JSON", 0 },
	{ 0 }
};

static const struct argp_option options[] = {
	{ "vcpu", 'c', "N", 0, "Only this virtual CPU", 0 },
	{ 0 }
};

const struct argp v3_target_argp = { .options = options, .parser = v3_target_parse };
const struct argp v3_target_json_argp = { .options = json_options, .parser = v3_target_parse };

int v3_target_failed(const struct v3_target *target, const struct v3_msg *msg)
{
	v3_err("%s: %s", v3_printable(target->name), msg->text);
	return V3_CMD_FAILED;
}

static int ask(struct v3_target *target, struct v3_msg *msg)
{
	unsigned int i;
	int dev = v3_dev_open(msg), err;

	if (dev < 0)
		return -1;
	err = v3_dev_call(dev, V3_IOC_EXIT_NAMES, &target->exits, msg);
	v3_dev_close(dev);
	if (err)
		return -1;
	for (i = 0; i < V3_IOC_EXITS; i++)
		target->exits.names[i][V3_IOC_EXIT_NAME - 1] = 0;
	target->vm = v3_dev_vm(target->name, msg);
	if (target->vm < 0 || v3_dev_state(target->vm, &target->state, msg))
		return -1;
	if (target->state.num_vcpus > V3_IOC_VCPUS)
		target->state.num_vcpus = V3_IOC_VCPUS;
	if (target->vcpu >= (int)target->state.num_vcpus)
		return v3_msg_set(msg, "there is no vCPU %d: its vCPUs are 0 to %u", target->vcpu,
				  target->state.num_vcpus - 1);
	return 0;
}

int v3_target_open(struct v3_target *target)
{
	struct v3_msg msg;

	if (!ask(target, &msg))
		return 0;
	v3_target_close(target);
	return v3_target_failed(target, &msg);
}

void v3_target_close(struct v3_target *target)
{
	v3_dev_close(target->vm);
	target->vm = -1;
}

const char *v3_target_exit(const struct v3_target *target, unsigned int kind, char *buf)
{
	if (kind < target->exits.count && kind < V3_IOC_EXITS && target->exits.names[kind][0])
		return v3_printable(target->exits.names[kind]);
	snprintf(buf, 16, "kind_%u", kind);
	return buf;
}
