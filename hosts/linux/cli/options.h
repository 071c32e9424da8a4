/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command lines of `v3 run` and `v3 create`.
 */
#ifndef V3_CLI_OPTIONS_H
#define V3_CLI_OPTIONS_H

#include "spec.h"

struct v3_run_options {
	bool no_reboot, keep, detach;
	uint64_t timeout_s; /* 0: none */
};

/*
 * Makes the specification from a command line. With @run NULL it is that of `v3 create`,
 * without the options in struct v3_run_options. Ends the process for --help and for mistakes
 * that argp finds. Returns 0; or an exit status after a message: @usage for a bad command line,
 * @failed for a bad description.
 */
int v3_options_parse(int argc, char **argv, int usage, int failed, struct v3_spec *spec,
		     struct v3_run_options *run);

#endif
