/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The subcommands. Each gets argv with argv[0] = "v3 NAME", which its help shows, and returns
 * an exit status.
 */
#ifndef V3_CLI_COMMANDS_H
#define V3_CLI_COMMANDS_H

#include <argp.h>

#include "cli.h"
#include "device.h"

struct v3_command {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
};
/* Ends with a NULL name. */
extern const struct v3_command v3_commands[];

int v3_cmd_doctor(int argc, char **argv);
int v3_cmd_run(int argc, char **argv);
int v3_cmd_create(int argc, char **argv);
int v3_cmd_start(int argc, char **argv);
int v3_cmd_stop(int argc, char **argv);
int v3_cmd_pause(int argc, char **argv);
int v3_cmd_resume(int argc, char **argv);
int v3_cmd_destroy(int argc, char **argv);
int v3_cmd_list(int argc, char **argv);
int v3_cmd_console(int argc, char **argv);
int v3_cmd_stats(int argc, char **argv);
int v3_cmd_version(int argc, char **argv);
int v3_cmd_reset(int argc, char **argv);
int v3_cmd_nmi(int argc, char **argv);
int v3_cmd_inspect(int argc, char **argv);
int v3_cmd_trace(int argc, char **argv);
int v3_cmd_mem(int argc, char **argv);
int v3_cmd_cpu(int argc, char **argv);
int v3_cmd_noise(int argc, char **argv);

/*
 * Parses a command line of nothing but --json, if @json is not NULL, and one name, if @name is
 * not NULL. Ends the process for --help and for mistakes.
 */
void v3_parse_simple(int argc, char **argv, const char *doc, const char **name, bool *json);

/* The whole program, for main() and tests. */
int v3_main(int argc, char **argv);

#endif
