/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3 cpu list, take, give.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "commands.h"
#include "cpu_host.h"
#include "cpu_own.h"

struct cpu_args {
	struct v3_mask cpus; /* empty: all */
	int restore;         /* -1: not */
	bool given, json;
	/* What this command takes. */
	bool with_list, with_all;
};

enum { KEY_RESTORE = 0x100 };

static void parse_list(struct cpu_args *args, char *arg, struct argp_state *state)
{
	static int32_t cpus[V3_MASK_CPUS];
	struct v3_msg msg;
	int count, i;

	if (!args->with_list || args->given)
		argp_error(state, "'%s' is one argument too many", v3_printable(arg));
	args->given = true;
	if (args->with_all && !strcmp(arg, "all"))
		return;
	count = v3_cpu_list_parse(arg, cpus, V3_MASK_CPUS, &msg);
	if (count < 0)
		argp_error(state, "%s", msg.text);
	for (i = 0; i < count; i++)
		v3_mask_add(&args->cpus, (unsigned int)cpus[i]);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct cpu_args *args = state->input;
	struct v3_msg msg;
	uint64_t number;

	switch (key) {
	case 'j':
		args->json = true;
		return 0;
	case KEY_RESTORE:
		if (v3_number_parse(arg, "--restore", 0, V3_CPU_MAX, &number, &msg))
			argp_error(state, "%s", msg.text);
		args->restore = (int)number;
		return 0;
	case ARGP_KEY_ARG:
		parse_list(args, arg, state);
		return 0;
	case ARGP_KEY_END:
		if (args->with_list && !args->with_all && !args->given)
			argp_error(state, "which CPUs is missing, such as 2-3");
		if (args->restore >= 0 && args->given)
			argp_error(state, "--restore stands alone");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* --- take --- */

static int cpu_take(const struct cpu_args *args, struct v3_msg *msg)
{
	char text[V3_MASK_TEXT];
	int dev, err;

	/* What shows without the module first. */
	if (v3_cpu_check(&args->cpus, msg))
		return -1;
	dev = v3_dev_open(msg);
	if (dev < 0)
		return -1;
	err = v3_cpu_take_by_hand(dev, &args->cpus, msg);
	v3_dev_close(dev);
	if (!err)
		printf("CPUs %s taken\n", v3_mask_text(&args->cpus, text));
	return err;
}

/* --- give --- */

/* Of one take: 0, -1 with a message; 1 if a guest has it. */
static int give_one(int dev, const struct v3_cpu_taken *taken, struct v3_msg *msg)
{
	char text[V3_MASK_TEXT];
	int cpu = v3_mask_next(&taken->cpus, 0);

	if (taken->guest[0] && v3_cpu_in_use(dev, &taken->cpus, msg))
		return 1;
	if (!taken->guest[0] && v3_cpu_in_use(dev, &taken->cpus, msg))
		return -1;
	if (v3_cpu_give((unsigned int)cpu, msg))
		return -1;
	v3_cpu_release(dev, cpu);
	printf("CPUs %s given back\n", v3_mask_text(&taken->cpus, text));
	return 0;
}

/* The takes that hold one of the CPUs; without any named: all but those of guests. */
static int give_named(int dev, const struct v3_cpu_state *state, const struct cpu_args *args,
		      struct v3_msg *msg)
{
	bool all = v3_mask_empty(&args->cpus);
	struct v3_mask taken;
	char text[V3_MASK_TEXT];
	unsigned int i;
	int result = 0, one;

	v3_cpu_state_mask(state, &taken);
	if (!all) {
		struct v3_mask rest = args->cpus;

		v3_mask_less(&rest, &taken);
		if (!v3_mask_empty(&rest))
			return v3_msg_set(msg, "CPUs %s are not taken", v3_mask_text(&rest, text));
	}
	for (i = 0; result >= 0 && i < state->num_taken; i++) {
		if (!all && !v3_mask_meets(&state->taken[i].cpus, &args->cpus))
			continue;
		one = give_one(dev, &state->taken[i], msg);
		if (one > 0 && all)
			v3_err("%s", msg->text);
		else if (one)
			result = -1;
	}
	return result;
}

/* The module runs us without anybody to read what we say: it goes to the kernel's log. */
static void speak_to_kernel(void)
{
	struct stat stat;
	int fd;

	/* main() puts /dev/null where there is nothing. */
	if (fstat(STDERR_FILENO, &stat) || !S_ISCHR(stat.st_mode) || stat.st_rdev != makedev(1, 3))
		return;
	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	dup2(fd, STDERR_FILENO);
	close(fd);
}

/* By the module, after a guest's end, or as the user asks. Without it there are no guests. */
static int cpu_give(const struct cpu_args *args, struct v3_msg *msg)
{
	struct v3_cpu_state state;
	struct v3_msg ignored;
	int dev = v3_dev_open(&ignored), err;

	if (args->restore >= 0) {
		speak_to_kernel();
		err = v3_cpu_wait_unused(dev, args->restore, msg);
		if (!err)
			err = v3_cpu_give((unsigned int)args->restore, msg);
	} else if (!v3_cpu_state_peek(&state, v3_cpu_host.root, msg)) {
		err = give_named(dev, &state, args, msg);
		v3_cpu_state_close(&state);
	} else {
		err = -1;
	}
	v3_dev_close(dev);
	return err;
}

/* --- The commands --- */

static const struct argp_option list_options[] = {
	{ "json", 'j', NULL, 0, "Print JSON", 0 },
	{ 0 }
};
static const struct argp_option no_options[] = { { 0 } };
static const struct argp_option give_options[] = {
	{ "restore", KEY_RESTORE, "CPU", OPTION_HIDDEN, "What the module asks for", 0 },
	{ 0 }
};

static int cpu_list(const struct cpu_args *args, struct v3_msg *msg)
{
	v3_cpu_stale_warn();
	return v3_cpu_print(args->json, msg);
}

static const struct cpu_command {
	const char *name, *args_doc, *doc;
	const struct argp_option *options;
	bool with_list, with_all;
	int (*run)(const struct cpu_args *args, struct v3_msg *msg);
} commands[] = {
	{ "list", NULL,
	  "Shows who has each CPU of the host, and what keeps the host's tick silent there.",
	  list_options, false, false, cpu_list },
	{ "take", "LIST",
	  "Takes CPUs from the host: moves away tasks, interrupts, work queues and timers. They "
	  "stay taken until 'v3 cpu give', or until the module is unloaded.", no_options, true,
	  false, cpu_take },
	{ "give", "[LIST|all]",
	  "Gives CPUs back to the host, as they were: all that 'v3 cpu take' took and that guests "
	  "left which are gone, or those that were taken together with the ones named.",
	  give_options, true, true, cpu_give },
};

static int run(const struct cpu_command *command, int argc, char **argv)
{
	struct cpu_args args = {
		.restore = -1, .with_list = command->with_list, .with_all = command->with_all,
	};
	struct argp argp = {
		.options = command->options, .parser = parse, .args_doc = command->args_doc,
		.doc = command->doc,
	};
	struct v3_msg msg;
	char name[32];
	int err;

	snprintf(name, sizeof(name), "v3 cpu %s", command->name);
	argv[0] = name;
	argp_parse(&argp, argc, argv, 0, NULL, &args);
	err = command->run(&args, &msg);
	if (err)
		v3_err("cpu %s: %s", command->name, msg.text);
	return err ? V3_CMD_FAILED : V3_CMD_OK;
}

int v3_cmd_cpu(int argc, char **argv)
{
	static const struct argp argp = {
		.args_doc = "list|take|give [ARGUMENT...]",
		.doc = "Shows, takes and gives back CPUs of the host. 'v3 cpu take --help' and the "
		       "like tell more.",
	};
	size_t i;

	for (i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			return run(&commands[i], argc - 1, argv + 1);
	if (argc > 1 && argv[1][0] == '-')
		argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, NULL);
	if (argc > 1 && argv[1][0] != '-')
		v3_err("cpu: there is no '%s'; use list, take or give", v3_printable(argv[1]));
	else
		v3_err("cpu: what to do is missing: list, take or give");
	return V3_CMD_USAGE;
}
