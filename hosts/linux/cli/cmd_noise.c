/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3 noise.
 */
#include <argp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "json_out.h"
#include "noise.h"
#include "parse.h"
#include "spec.h"

#define SECONDS_MAX 1000000

struct args {
	const char *name; /* NULL: all */
	bool all, json;
	uint64_t seconds;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *args = state->input;
	struct v3_msg msg;

	switch (key) {
	case 'a':
		args->all = true;
		return 0;
	case 'j':
		args->json = true;
		return 0;
	case 's':
		if (v3_number_parse(arg, "--seconds", 0, SECONDS_MAX, &args->seconds, &msg))
			argp_error(state, "%s", msg.text);
		return 0;
	case ARGP_KEY_ARG:
		if (args->name)
			argp_error(state, "one guest at a time, or --all: '%s' is one too many",
				   v3_printable(arg));
		args->name = arg;
		return 0;
	case ARGP_KEY_END:
		if (args->all && args->name)
			argp_error(state, "a name and --all exclude each other");
		if (!args->all && !args->name)
			argp_error(state, "the name of a guest is missing ('v3 list' shows them), or --all");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* --- Looking --- */

struct guests {
	struct v3_ioc_list_entry *entries;
	int *fds;
	unsigned int count;
	struct v3_ioc_exit_names names;
	struct v3_noise *vcpus;
	unsigned int num_vcpus;
};

static int look(int vm, struct v3_noise *noise, struct v3_noise_look *to, uint32_t flags,
		struct v3_msg *msg)
{
	to->noise = (struct v3_ioc_noise){ .vcpu = noise->vcpu, .flags = flags };
	to->stats = (struct v3_ioc_vcpu_stats){ .vcpu = noise->vcpu };
	if (v3_dev_call(vm, V3_IOC_NOISE, &to->noise, msg) ||
	    v3_dev_call(vm, V3_IOC_VCPU_STATS, &to->stats, msg))
		return -1;
	if (to->stats.num_exits > V3_IOC_EXITS)
		to->stats.num_exits = V3_IOC_EXITS;
	noise->owned = to->noise.cpu >= 0;
	noise->cpu = noise->owned ? to->noise.cpu : to->stats.cpu;
	if (noise->cpu < 0)
		return 0;
	to->num_irqs = v3_irqs_read((unsigned int)noise->cpu, &to->irqs, msg);
	return to->num_irqs < 0 ? -1 : 0;
}

static int look_all(struct guests *guests, bool first, struct v3_msg *msg)
{
	unsigned int i, g = 0;

	for (i = 0; i < guests->num_vcpus; i++) {
		struct v3_noise *noise = &guests->vcpus[i];

		g += i && !noise->vcpu;
		if (look(guests->fds[g], noise, first ? &noise->before : &noise->after,
			 first ? V3_IOC_NOISE_BEGIN : 0, msg))
			return -1;
		if (!first && noise->after.noise.tsc_khz)
			noise->seconds = (double)(noise->after.noise.tsc - noise->before.noise.tsc) /
					 (double)noise->after.noise.tsc_khz / 1000;
	}
	return 0;
}

static void on_signal(int sig)
{
	(void)sig;
}

/* A signal shows what there is. */
static void wait_for(uint64_t seconds)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct timespec time = { .tv_sec = (time_t)seconds };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	nanosleep(&time, NULL);
}

/* --- Guests --- */

static int get_named(const char *name, struct guests *guests, struct v3_msg *msg)
{
	struct v3_ioc_state state;
	int vm = v3_dev_vm(name, msg);

	if (vm < 0)
		return -1;
	guests->entries = v3_xmalloc(sizeof(guests->entries[0]));
	guests->fds = v3_xmalloc(sizeof(guests->fds[0]));
	guests->fds[0] = vm;
	guests->count = 1;
	if (v3_dev_state(vm, &state, msg))
		return -1;
	snprintf(guests->entries[0].name, sizeof(guests->entries[0].name), "%s", name);
	guests->entries[0].num_vcpus = state.num_vcpus;
	return 0;
}

#define LIST_MAX 4096

static int get_all(int dev, struct guests *guests, struct v3_msg *msg)
{
	struct v3_ioc_list list = { .capacity = LIST_MAX };
	unsigned int i;

	guests->entries = v3_xmalloc(LIST_MAX * sizeof(guests->entries[0]));
	list.entries = (uintptr_t)guests->entries;
	if (v3_dev_call(dev, V3_IOC_LIST, &list, msg))
		return -1;
	if (list.count > LIST_MAX)
		return v3_msg_set(msg, "more than %u guests: name one", LIST_MAX);
	guests->fds = v3_xmalloc((list.count + 1) * sizeof(guests->fds[0]));
	for (i = 0; i < list.count; i++) {
		guests->entries[i].name[V3_IOC_NAME - 1] = 0;
		guests->fds[i] = v3_dev_vm(guests->entries[i].name, msg);
		if (guests->fds[i] < 0)
			return -1;
		guests->count++;
	}
	return 0;
}

static int get_guests(const struct args *args, struct guests *guests, struct v3_msg *msg)
{
	int dev = v3_dev_open(msg), err = -1;
	unsigned int i, vcpu;

	if (dev < 0)
		return -1;
	if (!v3_dev_call(dev, V3_IOC_EXIT_NAMES, &guests->names, msg))
		err = args->all ? get_all(dev, guests, msg) : get_named(args->name, guests, msg);
	v3_dev_close(dev);
	for (i = 0; i < V3_IOC_EXITS; i++)
		guests->names.names[i][V3_IOC_EXIT_NAME - 1] = 0;
	for (i = 0; i < guests->count; i++)
		guests->num_vcpus += guests->entries[i].num_vcpus;
	guests->vcpus = v3_xmalloc((guests->num_vcpus + 1) * sizeof(guests->vcpus[0]));
	guests->num_vcpus = 0;
	for (i = 0; i < guests->count; i++)
		for (vcpu = 0; vcpu < guests->entries[i].num_vcpus; vcpu++)
			guests->vcpus[guests->num_vcpus++] = (struct v3_noise){
				.guest = guests->entries[i].name, .vcpu = vcpu, .cpu = -1,
				.names = &guests->names,
			};
	return err;
}

static void free_guests(struct guests *guests)
{
	unsigned int i;

	for (i = 0; i < guests->num_vcpus; i++) {
		free(guests->vcpus[i].before.irqs);
		free(guests->vcpus[i].after.irqs);
	}
	for (i = 0; i < guests->count; i++)
		v3_dev_close(guests->fds[i]);
	free(guests->vcpus);
	free(guests->fds);
	free(guests->entries);
}

/* --- Output --- */

static int print_json(const struct guests *guests)
{
	json_t *all = json_array();
	unsigned int i;

	for (i = 0; all && i < guests->num_vcpus; i++)
		if (json_array_append_new(all, v3_noise_json(&guests->vcpus[i]))) {
			json_decref(all);
			all = NULL;
		}
	return v3_json_print(all) ? V3_CMD_FAILED : V3_CMD_OK;
}

static int print(const struct args *args, const struct guests *guests)
{
	unsigned int i;

	if (args->json)
		return print_json(guests);
	for (i = 0; i < guests->num_vcpus; i++)
		v3_noise_print(&guests->vcpus[i]);
	if (!guests->num_vcpus)
		printf("no guests\n");
	return V3_CMD_OK;
}

int v3_cmd_noise(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "all", 'a', NULL, 0, "Of all guests", 0 },
		{ "seconds", 's', "N", 0, "Count for N seconds (1), or until a signal", 0 },
		{ "json", 'j', NULL, 0, "Print JSON", 0 },
		{ 0 }
	};
	const struct argp argp = {
		.options = options, .parser = parse, .args_doc = "NAME\n--all",
		.doc = "Counts what disturbs the vCPUs of a guest, by cause, and for those that own "
		       "their CPU how long it took.",
	};
	struct args args = { .seconds = 1 };
	struct guests guests = { 0 };
	struct v3_msg msg;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	if (get_guests(&args, &guests, &msg) || look_all(&guests, true, &msg))
		goto failed;
	wait_for(args.seconds);
	if (look_all(&guests, false, &msg))
		goto failed;
	status = print(&args, &guests);
	free_guests(&guests);
	return status;
failed:
	v3_err("%s: %s", args.name ? v3_printable(args.name) : "all guests", msg.text);
	free_guests(&guests);
	return V3_CMD_FAILED;
}
