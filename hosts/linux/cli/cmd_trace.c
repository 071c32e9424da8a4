/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3 trace: what vCPUs did lately.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "json_out.h"
#include "spec.h"
#include "trace_text.h"

#define FOLLOW_MS 100

enum mode { MODE_SHOW, MODE_FOLLOW, MODE_ON, MODE_OFF };

/* One event and whose it is. */
struct item {
	struct v3_trace_event event;
	unsigned int vcpu;
};

struct trace {
	struct v3_target target;
	enum mode mode;
	uint64_t tsc_khz, first_tsc;
	uint64_t position[V3_IOC_VCPUS];
	struct item *items;
	unsigned int count;
	struct v3_trace_event *events; /* of one vCPU */
};

static volatile sig_atomic_t stop_now;

static void on_signal(int number)
{
	(void)number;
	stop_now = 1;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct trace *trace = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &trace->target;
		return 0;
	case 'f':
		trace->mode = MODE_FOLLOW;
		return 0;
	case 'o':
		trace->mode = MODE_ON;
		return 0;
	case 'x':
		trace->mode = MODE_OFF;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int set(struct trace *trace, bool on, struct v3_msg *msg)
{
	struct v3_ioc_trace request = { .on = on };

	return v3_dev_call(trace->target.vm, V3_IOC_TRACE, &request, msg);
}

static int by_time(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->event.tsc != y->event.tsc)
		return x->event.tsc < y->event.tsc ? -1 : 1;
	return x->vcpu < y->vcpu ? -1 : x->vcpu > y->vcpu;
}

static int print_json(json_t *json)
{
	int result;

	if (!json)
		return v3_err("out of memory");
	result = json_dumpf(json, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(json);
	return result || putchar('\n') == EOF ? -1 : 0;
}

static void print_lost(const struct trace *trace, unsigned int vcpu, uint64_t lost)
{
	if (!lost)
		return;
	if (trace->target.json)
		print_json(json_pack("{s:i, s:o}", "vcpu", (int)vcpu, "lost", v3_json_uint(lost)));
	else
		printf("(%llu earlier events of vCPU %u were overwritten)\n",
		       (unsigned long long)lost, vcpu);
}

static void print_item(struct trace *trace, const struct item *item)
{
	uint64_t ticks;
	char text[V3_TRACE_TEXT];

	if (trace->target.json) {
		print_json(v3_trace_json(&trace->target, item->vcpu, &item->event));
		return;
	}
	if (!trace->first_tsc)
		trace->first_tsc = item->event.tsc;
	ticks = item->event.tsc > trace->first_tsc ? item->event.tsc - trace->first_tsc : 0;
	printf("%12.6f vcpu%u %s\n", (double)ticks / 1000 / (double)trace->tsc_khz, item->vcpu,
	       v3_trace_text(&trace->target, &item->event, text));
}

/* All that came since the last time, in the order of time. */
static int print_new(struct trace *trace, bool *on, struct v3_msg *msg)
{
	unsigned int vcpu, count, i;
	uint64_t lost;
	int err;

	trace->count = 0;
	for (vcpu = 0; vcpu < trace->target.state.num_vcpus; vcpu++) {
		if (trace->target.vcpu >= 0 && vcpu != (unsigned int)trace->target.vcpu)
			continue;
		err = v3_trace_get(&trace->target, vcpu, &trace->position[vcpu], trace->events,
				   &count, &lost, on, msg);
		if (err)
			return err;
		print_lost(trace, vcpu, lost);
		for (i = 0; i < count; i++)
			trace->items[trace->count++] = (struct item){ trace->events[i], vcpu };
	}
	qsort(trace->items, trace->count, sizeof(trace->items[0]), by_time);
	for (i = 0; i < trace->count; i++)
		print_item(trace, &trace->items[i]);
	if (fflush(stdout) || ferror(stdout))
		return v3_msg_set(msg, "standard output: %s", strerror(errno));
	return 0;
}

/* Until the guest has stopped or a signal comes. */
static int follow(struct trace *trace, struct v3_msg *msg)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct pollfd poll_vm = { .fd = trace->target.vm, .events = POLLIN };
	bool on, over = false;
	int err = 0;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	while (!err && !over) {
		/* What came before the end is read after it is known. */
		over = poll(&poll_vm, 1, FOLLOW_MS) > 0 || stop_now;
		err = print_new(trace, &on, msg);
	}
	return err;
}

/* Turns it on if it is not. *turned: it was off. */
static int make_sure(struct trace *trace, bool *turned, struct v3_msg *msg)
{
	uint64_t position = ~0ull, lost;
	unsigned int count;
	bool on = false;
	int err;

	err = v3_trace_get(&trace->target, 0, &position, trace->events, &count, &lost, &on, msg);
	if (err && err != -ENOENT)
		return err;
	*turned = !on;
	/* A guest that has ended does no more: what there is, is all. */
	if (on || (!err && trace->target.state.state == V3_VM_STOPPED))
		return 0;
	if (trace->target.state.state == V3_VM_STOPPED)
		return err;
	return set(trace, true, msg);
}

static int show(struct trace *trace, struct v3_msg *msg)
{
	bool turned = false, on = false;
	int err = make_sure(trace, &turned, msg);
	struct v3_msg ignored;

	if (!err && trace->mode == MODE_FOLLOW) {
		err = follow(trace, msg);
		if (turned)
			set(trace, false, &ignored);
		return err;
	}
	if (!err)
		err = print_new(trace, &on, msg);
	if (!err && turned && on)
		v3_err("%s: the trace is on from now on; 'v3 trace --off' turns it off",
		       v3_printable(trace->target.name));
	return err;
}

static int run(struct trace *trace, struct v3_msg *msg)
{
	struct v3_ioc_caps caps = { 0 };
	int dev, err;

	if (trace->mode == MODE_ON || trace->mode == MODE_OFF)
		return set(trace, trace->mode == MODE_ON, msg);
	dev = v3_dev_open(msg);
	if (dev < 0)
		return -1;
	err = v3_dev_call(dev, V3_IOC_CAPS, &caps, msg);
	v3_dev_close(dev);
	if (err)
		return err;
	trace->tsc_khz = caps.tsc_khz ? caps.tsc_khz : 1;
	trace->events = v3_xmalloc(V3_IOC_TRACE_MAX * sizeof(trace->events[0]));
	trace->items = v3_xmalloc(((size_t)trace->target.state.num_vcpus + 1) * V3_IOC_TRACE_MAX *
				  sizeof(trace->items[0]));
	err = show(trace, msg);
	free(trace->events);
	free(trace->items);
	return err;
}

int v3_cmd_trace(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "follow", 'f', NULL, 0, "Go on until the guest stops, or Ctrl-C", 0 },
		{ "on", 'o', NULL, 0, "Only turn the trace on", 0 },
		{ "off", 'x', NULL, 0, "Only turn the trace off; what it has stays", 0 },
		{ 0 }
	};
	static const struct argp_child children[] = { { &v3_target_json_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.options = options, .parser = parse, .children = children, .args_doc = "NAME",
		.doc = "Shows what the virtual CPUs of a guest did lately: entries, exits, injected "
		       "events, requests. The first time turns the trace on.",
	};
	struct trace trace = { .mode = MODE_SHOW };
	struct v3_msg msg;
	int status = V3_CMD_OK;

	argp_parse(&argp, argc, argv, 0, NULL, &trace);
	if (v3_target_open(&trace.target))
		return V3_CMD_FAILED;
	if (run(&trace, &msg))
		status = v3_target_failed(&trace.target, &msg);
	v3_target_close(&trace.target);
	return status;
}
