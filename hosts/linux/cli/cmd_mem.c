/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3 mem list, take, give.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "mem.h"
#include "parse.h"
#include "progress.h"
#include "spec.h"

struct mem_args {
	uint64_t size; /* 0: all */
	int node;      /* -1: any */
	bool offline, json;
	/* What this command takes. */
	bool with_size, with_all;
	bool given; /* SIZE was */
};

enum { KEY_OFFLINE = 0x100 };

/* Largest number of a NUMA node that is accepted; the module knows which ones exist. */
#define NODE_MAX 1023

static void parse_size(struct mem_args *args, char *arg, struct argp_state *state)
{
	struct v3_msg msg;

	if (!args->with_size || args->given)
		argp_error(state, "'%s' is one argument too many", v3_printable(arg));
	args->given = true;
	if (args->with_all && !strcmp(arg, "all"))
		return;
	if (v3_size_parse(arg, &args->size, &msg))
		argp_error(state, "%s", msg.text);
	if (!args->size || args->size % V3_SPEC_MEMORY_UNIT)
		argp_error(state, "%s: it has to be %s multiple of 2 MiB", v3_printable(arg),
			   args->size ? "a" : "more, a");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct mem_args *args = state->input;
	struct v3_msg msg;
	uint64_t number;

	switch (key) {
	case 'j':
		args->json = true;
		return 0;
	case 'N':
		if (v3_number_parse(arg, "--node", 0, NODE_MAX, &number, &msg))
			argp_error(state, "%s", msg.text);
		args->node = (int)number;
		return 0;
	case KEY_OFFLINE:
		args->offline = true;
		return 0;
	case ARGP_KEY_ARG:
		parse_size(args, arg, state);
		return 0;
	case ARGP_KEY_END:
		if (args->with_size && !args->with_all && !args->given)
			argp_error(state, "how much is missing, such as 1GiB");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* --- take --- */

/* The node other than @node with the most free memory, or NULL. */
static const struct v3_ioc_mem_node *other_node(const struct v3_mem_list *list, int node)
{
	const struct v3_ioc_mem_node *best = NULL;
	unsigned int i;

	for (i = 0; i < list->counts.nodes_count; i++)
		if (list->nodes[i].node != node && (!best || list->nodes[i].free > best->free))
			best = &list->nodes[i];
	return best;
}

/* What may help: for the end of the message. */
static void hint(int dev, const struct mem_args *args, const struct v3_ioc_mem_take *failed,
		 char *buf, size_t size)
{
	const struct v3_ioc_mem_node *other;
	char text[V3_SIZE_TEXT];
	struct v3_mem_list list;
	struct v3_msg ignored;
	size_t used = 0;

	buf[0] = 0;
	if (!failed->why || failed->why == V3_IOC_MEM_WHY_KILLED)
		return;
	if (failed->taken)
		used += (size_t)snprintf(buf, size, "; %s would go", v3_size_text(failed->taken,
										  text));
	if (failed->why == V3_IOC_MEM_WHY_OBSTACLE || failed->why == V3_IOC_MEM_WHY_TIME)
		used += (size_t)snprintf(buf + used, size - used,
					 "; try 'echo 1 >/proc/sys/vm/compact_memory', or take it "
					 "soon after boot");
	if (args->node < 0 || v3_mem_list_get(dev, &list, &ignored))
		return;
	other = other_node(&list, args->node);
	if (other && other->free >= args->size)
		snprintf(buf + used, size - used, "; node %d has %s free", other->node,
			 v3_size_text(other->free, text));
	v3_mem_list_free(&list);
}

static int take_contig(int dev, const struct mem_args *args, uint64_t *taken, struct v3_msg *msg)
{
	struct v3_ioc_mem_take arg = { .size = args->size, .node = args->node };
	char why[V3_MSG_MAX], help[160];

	if (!v3_progress_mem_call(dev, V3_IOC_MEM_TAKE, &arg, args->size, msg)) {
		*taken = arg.taken;
		return 0;
	}
	hint(dev, args, &arg, help, sizeof(help));
	strcpy(why, msg->text);
	return v3_msg_set(msg, "%.320s%s", why, help);
}

static int mem_take(int dev, const struct mem_args *args, struct v3_msg *msg)
{
	char text[V3_SIZE_TEXT];
	uint64_t taken = 0;
	int err;

	if (args->offline)
		err = v3_mem_take_offline(dev, "", args->size, args->node, &taken, msg);
	else
		err = take_contig(dev, args, &taken, msg);
	if (err)
		return -1;
	printf("%s taken\n", v3_size_text(taken, text));
	return 0;
}

/* --- give --- */

static int mem_give(int dev, const struct mem_args *args, struct v3_msg *msg)
{
	struct v3_ioc_mem_give arg = { .size = args->size, .node = args->node };
	char given[V3_SIZE_TEXT], later[V3_SIZE_TEXT];

	if (v3_progress_mem_call(dev, V3_IOC_MEM_GIVE, &arg, UINT64_MAX, msg))
		return -1;
	printf("%s given back", v3_size_text(arg.given, given));
	if (arg.later)
		printf(", %s more when the guests that use it end", v3_size_text(arg.later, later));
	printf("\n");
	return 0;
}

/* --- The commands --- */

static const struct argp_option list_options[] = {
	{ "json", 'j', NULL, 0, "Print JSON", 0 },
	{ 0 }
};
static const struct argp_option take_options[] = {
	{ "node", 'N', "N", 0, "Of this NUMA node (default: any)", 0 },
	{ "offline", KEY_OFFLINE, NULL, 0,
	  "Whole memory blocks, set offline; the host then does not count them as its own", 0 },
	{ 0 }
};
static const struct argp_option give_options[] = {
	{ "node", 'N', "N", 0, "Of this NUMA node (default: any)", 0 },
	{ 0 }
};

static int mem_list(int dev, const struct mem_args *args, struct v3_msg *msg)
{
	struct v3_mem_list list;

	if (v3_mem_list_get(dev, &list, msg))
		return -1;
	if (!args->json)
		v3_mem_print(&list);
	else if (v3_mem_print_json(&list))
		v3_msg_set(msg, "no list");
	v3_mem_list_free(&list);
	return 0;
}

static const struct mem_command {
	const char *name, *args_doc, *doc;
	const struct argp_option *options;
	bool with_size, with_all;
	int (*run)(int dev, const struct mem_args *args, struct v3_msg *msg);
} commands[] = {
	{ "list", NULL, "Shows the memory of each NUMA node that the module holds for guests.",
	  list_options, false, false, mem_list },
	{ "take", "SIZE",
	  "Takes memory from the host for guests, in pieces that are as large as can be had. It "
	  "stays until 'v3 mem give', or until the module is unloaded.", take_options, true, false,
	  mem_take },
	{ "give", "[SIZE|all]",
	  "Gives memory back to the host: all of it, or that much of what no guest uses.",
	  give_options, true, true, mem_give },
};

static int run(const struct mem_command *command, int argc, char **argv)
{
	struct mem_args args = {
		.node = -1, .with_size = command->with_size, .with_all = command->with_all,
	};
	struct argp argp = {
		.options = command->options, .parser = parse, .args_doc = command->args_doc,
		.doc = command->doc,
	};
	struct v3_msg msg;
	char name[32];
	int dev, err;

	snprintf(name, sizeof(name), "v3 mem %s", command->name);
	argv[0] = name;
	argp_parse(&argp, argc, argv, 0, NULL, &args);
	dev = v3_dev_open(&msg);
	err = dev < 0 ? -1 : command->run(dev, &args, &msg);
	v3_dev_close(dev);
	if (err)
		v3_err("mem %s: %s", command->name, msg.text);
	return err ? V3_CMD_FAILED : V3_CMD_OK;
}

int v3_cmd_mem(int argc, char **argv)
{
	static const struct argp argp = {
		.args_doc = "list|take|give [ARGUMENT...]",
		.doc = "Shows, takes and gives back memory that the module holds for guests. 'v3 mem "
		       "take --help' and the like tell more.",
	};
	size_t i;

	for (i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			return run(&commands[i], argc - 1, argv + 1);
	if (argc > 1 && argv[1][0] == '-')
		argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, NULL);
	if (argc > 1 && argv[1][0] != '-')
		v3_err("mem: there is no '%s'; use list, take or give", v3_printable(argv[1]));
	else
		v3_err("mem: what to do is missing: list, take or give");
	return V3_CMD_USAGE;
}
