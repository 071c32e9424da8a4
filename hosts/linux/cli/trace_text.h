/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events of a vCPU's trace as text and as JSON.
 */
#ifndef V3_CLI_TRACE_TEXT_H
#define V3_CLI_TRACE_TEXT_H

#include <jansson.h>
#include <v3/trace.h>

#include "target.h"

#define V3_TRACE_TEXT 160

/*
 * What happened, without when and where: "exit cpuid rip 0x... leaf 0x1 subleaf 0x0". Returns buf.
 */
const char *v3_trace_text(const struct v3_target *target, const struct v3_trace_event *event,
			  char buf[V3_TRACE_TEXT]);
/* An object, or NULL: no memory. */
json_t *v3_trace_json(const struct v3_target *target, unsigned int vcpu,
		      const struct v3_trace_event *event);
/* "0x..." as a JSON string: JSON's numbers are too small. */
json_t *v3_json_hex(uint64_t value);
/* Reads up to V3_IOC_TRACE_MAX events; *count and *position as V3_IOC_TRACE_READ. 0 or -errno. */
int v3_trace_get(const struct v3_target *target, unsigned int vcpu, uint64_t *position,
		 struct v3_trace_event *events, unsigned int *count, uint64_t *lost, bool *on,
		 struct v3_msg *msg);

#endif
