/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The v3 command: finds the subcommand.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"

const struct v3_command v3_commands[] = {
	{ "doctor", "tell what this machine can do, and why not", v3_cmd_doctor },
	{ "run", "run a guest on this terminal until it ends", v3_cmd_run },
	{ "create", "create a guest that outlives this command", v3_cmd_create },
	{ "start", "start a created guest", v3_cmd_start },
	{ "stop", "stop a guest, as by pulling the plug", v3_cmd_stop },
	{ "pause", "halt a running guest", v3_cmd_pause },
	{ "resume", "let a paused guest go on", v3_cmd_resume },
	{ "reset", "reset a guest, as by its button", v3_cmd_reset },
	{ "nmi", "send a guest a non-maskable interrupt", v3_cmd_nmi },
	{ "destroy", "stop a guest and free all it has", v3_cmd_destroy },
	{ "list", "list guests", v3_cmd_list },
	{ "console", "attach this terminal to a guest's console", v3_cmd_console },
	{ "stats", "show what a guest costs and why it exits", v3_cmd_stats },
	{ "inspect", "show registers, code, stack and page walk of a guest", v3_cmd_inspect },
	{ "trace", "show what a guest's virtual CPUs did lately", v3_cmd_trace },
	{ "noise", "show what disturbs a guest's virtual CPUs, by cause", v3_cmd_noise },
	{ "cpu", "show, take and give back CPUs for guests", v3_cmd_cpu },
	{ "mem", "show, take and give back memory for guests", v3_cmd_mem },
	{ "version", "show the versions of command and module", v3_cmd_version },
	{ NULL, NULL, NULL },
};

static char *help_filter(int key, const char *text, void *input)
{
	const struct v3_command *command;
	size_t size, used = 0;
	char *list;

	(void)input;
	if (key != ARGP_KEY_HELP_POST_DOC)
		return (char *)(uintptr_t)text;
	size = 4096;
	list = malloc(size);
	if (!list)
		return NULL;
	used += (size_t)snprintf(list, size, "Commands:\n");
	for (command = v3_commands; command->name; command++)
		used += (size_t)snprintf(list + used, size - used, "  %-10s %s\n", command->name,
					 command->summary);
	snprintf(list + used, size - used,
		 "\n'v3 COMMAND --help' tells more about one; v3(1) tells all.");
	return list;
}

static error_t parse_top(int key, char *arg, struct argp_state *state)
{
	static char version[] = "v3 version";

	(void)arg;
	switch (key) {
	case 'V':
		exit(v3_cmd_version(1, (char *[]){ version, NULL }));
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a command is missing");
		return 0;
	case ARGP_KEY_ARG:
		/* Behind an option: the options of v3 itself do not go with a command. */
		argp_error(state, "options of a command come after its name");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Options of v3 itself, or nothing at all. */
static int top(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "version", 'V', NULL, 0, "Show the versions of command and module", -1 },
		{ 0 }
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse_top,
		.args_doc = "COMMAND [ARGUMENT...]",
		.doc = "Runs guests on the libv3 virtual machine monitor.\v ",
		.help_filter = help_filter,
	};

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, NULL);
	return V3_CMD_USAGE;
}

static const struct v3_command *find(const char *name)
{
	const struct v3_command *command;

	for (command = v3_commands; command->name; command++)
		if (!strcmp(command->name, name))
			return command;
	return NULL;
}

/* How many characters both begin with. */
static size_t common(const char *a, const char *b)
{
	size_t len = 0;

	while (a[len] && a[len] == b[len])
		len++;
	return len;
}

static int unknown(const char *name)
{
	const struct v3_command *command;
	const char *guess = NULL;
	size_t best = 1;

	for (command = v3_commands; command->name; command++)
		if (common(command->name, name) > best) {
			guess = command->name;
			best = common(guess, name);
		}
	if (guess)
		v3_err("there is no command '%s'; did you mean '%s'? 'v3 --help' lists them",
		       v3_printable(name), guess);
	else
		v3_err("there is no command '%s'; 'v3 --help' lists them", v3_printable(name));
	return V3_CMD_USAGE;
}

static int run(const struct v3_command *command, int argc, char **argv)
{
	static char name[32];
	int status;

	snprintf(name, sizeof(name), "v3 %s", command->name);
	argv[0] = name;
	argp_err_exit_status = V3_CMD_USAGE;
	status = command->run(argc, argv);
	if (status || (!fflush(stdout) && !ferror(stdout)))
		return status;
	v3_err("%s: standard output cannot be written: %s", command->name, strerror(errno));
	return command->run == v3_cmd_run ? V3_RUN_ERROR : V3_CMD_FAILED;
}

/* v3 help [COMMAND] */
static int help(int argc, char **argv)
{
	static char option[] = "--help";
	const struct v3_command *command;

	if (argc < 3)
		return top(2, (char *[]){ argv[0], option, NULL });
	command = find(argv[2]);
	if (!command)
		return unknown(argv[2]);
	return run(command, 2, (char *[]){ argv[2], option, NULL });
}

int v3_main(int argc, char **argv)
{
	const struct v3_command *command;

	argp_err_exit_status = V3_CMD_USAGE;
	if (argc < 2 || argv[1][0] == '-')
		return top(argc, argv);
	if (!strcmp(argv[1], "help"))
		return help(argc, argv);
	command = find(argv[1]);
	return command ? run(command, argc - 1, argv + 1) : unknown(argv[1]);
}
