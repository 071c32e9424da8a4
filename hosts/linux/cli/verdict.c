/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a guest ended.
 */
#include "verdict.h"

#include <stdio.h>

static int exit_code(const char *name, unsigned int code)
{
	code &= 0xFF;
	if (code >= V3_RUN_CRASH && code <= V3_RUN_CODE) {
		v3_err("%s: the guest exited with code %u; the status is %d, for %u would mean "
		       "something else", name, code, V3_RUN_CODE, code);
		return V3_RUN_CODE;
	}
	v3_err("%s: the guest exited with code %u", name, code);
	return (int)code;
}

int v3_verdict(const char *name, const struct v3_ioc_state *state)
{
	char reason[V3_IOC_REASON + 2] = "";

	if (state->reason[0])
		snprintf(reason, sizeof(reason), ": %.*s", V3_IOC_REASON - 1,
			 v3_printable(state->reason));
	switch (state->end_kind) {
	case V3_END_EXIT:
		return exit_code(name, state->end_code);
	case V3_END_POWEROFF:
		v3_err("%s: the guest powered off", name);
		return 0;
	case V3_END_RESET:
		v3_err("%s: the guest reset itself", name);
		return V3_RUN_RESET;
	case V3_END_CRASH:
		v3_err("%s: the guest crashed%s", name, reason);
		return V3_RUN_CRASH;
	case V3_END_KILLED:
		v3_err("%s: the guest was stopped%s", name, reason);
		return V3_RUN_STOPPED;
	default:
		v3_err("%s: the VMM ended the guest%s", name, reason);
		return V3_RUN_ERROR;
	}
}
