/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Command lines of "v3 COMMAND NAME [--vcpu N] ...", and the guest that they name.
 */
#ifndef V3_CLI_TARGET_H
#define V3_CLI_TARGET_H

#include <argp.h>

#include "device.h"

/* What all of these commands take. */
struct v3_target {
	const char *name; /* of the command line */
	int vcpu;         /* -1: not given */
	bool json;
	int vm;
	struct v3_ioc_state state;
	struct v3_ioc_exit_names exits;
};

/*
 * For .children of an argp; its input is a struct v3_target. --vcpu and NAME, with_json also
 * --json.
 */
extern const struct argp v3_target_argp, v3_target_json_argp;
error_t v3_target_parse(int key, char *arg, struct argp_state *state);

/*
 * Opens the guest, and asks for its state and the names of exits. Returns 0, or V3_CMD_FAILED after
 * a message: also if it has no such vCPU.
 */
int v3_target_open(struct v3_target *target);
void v3_target_close(struct v3_target *target);
/* Says that something about the guest failed; V3_CMD_FAILED. */
int v3_target_failed(const struct v3_target *target, const struct v3_msg *msg);
/* Name of a kind of exit. buf has room for 16 bytes. */
const char *v3_target_exit(const struct v3_target *target, unsigned int kind, char *buf);

#endif
