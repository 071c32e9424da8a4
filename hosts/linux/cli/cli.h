/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all files of the command share: exit statuses and messages.
 */
#ifndef V3_CLI_H
#define V3_CLI_H

#include <v3/types.h>

/*
 * Exit statuses of `v3 run`. All others are the guest's own exit code; a power-off is 0.
 * The range is one that shells, timeout(1), sysexits(3) and signals leave alone, so that
 * a guest can pass on the status of what it ran. The manual page documents it.
 */
enum v3_run_status {
	V3_RUN_CRASH = 240,   /* the guest could not go on */
	V3_RUN_RESET = 241,   /* the guest reset itself and is not run again */
	V3_RUN_STOPPED = 242, /* somebody stopped it: v3 stop, SIGINT, SIGTERM */
	V3_RUN_TIMEOUT = 243, /* --timeout ran out */
	V3_RUN_ERROR = 244,   /* the VMM or the host failed while it ran */
	V3_RUN_FAILED = 245,  /* it was never started; the message says why */
	V3_RUN_USAGE = 246,   /* bad command line */
	V3_RUN_CODE = 247,    /* the guest's own exit code is one of 240 to 247; see the message */
};

/* Exit statuses of all other commands. */
enum v3_cmd_status {
	V3_CMD_OK = 0,
	V3_CMD_FAILED = 1,
	V3_CMD_USAGE = 2,
};

/* Prints "v3: ..." and a newline to stderr, in one write. Returns -1. */
int v3_err(const char *fmt, ...) V3_PRINTF(1, 2);

/* Room for one message that a parser gives back to its caller. */
#define V3_MSG_MAX 512
struct v3_msg {
	char text[V3_MSG_MAX];
};
/* Formats a message; returns -1. */
int v3_msg_set(struct v3_msg *msg, const char *fmt, ...) V3_PRINTF(2, 3);

/*
 * The text with its control characters replaced by '?': file names, keys and console-borne
 * strings are not to reach the terminal as they are. Four buffers per thread, in turn.
 */
const char *v3_printable(const char *text);

#endif
