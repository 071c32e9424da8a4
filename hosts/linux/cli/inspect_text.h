/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known about a virtual CPU, and how people and programs are told.
 */
#ifndef V3_CLI_INSPECT_TEXT_H
#define V3_CLI_INSPECT_TEXT_H

#include <jansson.h>
#include <v3/inspect.h>

#include "disasm.h"
#include "trace_text.h"

struct v3_look {
	unsigned int vcpu;
	struct v3_vcpu_inspection at;
	/* The last events of the trace, if it is on; else the last exits, without their time. */
	struct v3_trace_event events[V3_INSPECT_EXITS];
	unsigned int num_events;
	bool traced;
	/* Negative: why there are none is in the message. */
	int num_lines;
	struct v3_disasm_line lines[V3_DISASM_LINES];
	struct v3_msg why;
};

/* Asks for all of it; @address NULL: RIP. 0, or not 0 with a message. */
int v3_look_get(const struct v3_target *target, unsigned int vcpu, const uint64_t *address,
		struct v3_look *look, struct v3_msg *msg);

/* State of the guest, and why it ended. */
void v3_inspect_head(const struct v3_target *target);
void v3_inspect_text(const struct v3_target *target, const struct v3_look *look);
/* Owned by the caller, or NULL: no memory. */
json_t *v3_inspect_json(const struct v3_target *target, const struct v3_look *look);

/* Names of what enumerations of <v3/inspect.h> and <v3/v3.h> say. */
const char *v3_page_end_name(unsigned int end);
const char *v3_mem_kind_name(unsigned int kind);
const char *v3_activity_name(unsigned int activity);
extern const char *const v3_gpr_names[16], *const v3_seg_names[V3_SEG_COUNT];

#endif
