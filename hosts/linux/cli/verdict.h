/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a guest ended: one line and an exit status.
 */
#ifndef V3_CLI_VERDICT_H
#define V3_CLI_VERDICT_H

#include "device.h"

/* Says how the VM called @name ended. Returns the exit status of v3 run. */
int v3_verdict(const char *name, const struct v3_ioc_state *state);

#endif
