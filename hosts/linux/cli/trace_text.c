/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events of a vCPU's trace. All they hold is numbers; names come from tables.
 */
#include "trace_text.h"

#include <stdio.h>
#include <string.h>

#include "json_out.h"

typedef unsigned long long ull;

static const char *kind_name(unsigned int kind)
{
	static const char *const names[] = {
		[V3_TRACE_ENTRY] = "entry",
		[V3_TRACE_EXIT] = "exit",
		[V3_TRACE_INJECT] = "inject",
		[V3_TRACE_REQUEST] = "request",
	};

	return kind < sizeof(names) / sizeof(names[0]) && names[kind] ? names[kind] : "unknown";
}

static const char *type_name(unsigned int type)
{
	return type == 0 ? "interrupt" : type == 2 ? "nmi" : type == 3 ? "exception" : "unknown";
}

static void requests_text(uint64_t bits, char *buf, size_t size)
{
	static const char *const names[] = { "interrupt", "timer", "nmi", "init", "sipi" };
	size_t used = 0;
	unsigned int i;

	*buf = 0;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (bits & (1u << i) && used < size)
			used += (size_t)snprintf(buf + used, size - used, " %s", names[i]);
}

/* What the two words say for a kind of exit. */
static void exit_text(const struct v3_trace_event *event, char *buf, size_t size)
{
	uint64_t info = event->info, info2 = event->info2;

	*buf = 0;
	switch (event->code) {
	case V3_EXIT_IO:
		if (info >> 24 & 1)
			snprintf(buf, size, " in port 0x%x size %u%s",
				 (unsigned int)(info & 0xffff), (unsigned int)(info >> 16 & 0xff),
				 info >> 25 & 1 ? " string" : "");
		else
			snprintf(buf, size, " out port 0x%x size %u %s0x%llx",
				 (unsigned int)(info & 0xffff), (unsigned int)(info >> 16 & 0xff),
				 info >> 25 & 1 ? "string " : "", (ull)info2);
		break;
	case V3_EXIT_NESTED_FAULT:
		snprintf(buf, size, " address 0x%llx%s%s%s%s%s", (ull)info,
			 info2 & 1 ? " write" : " read", info2 & 2 ? " fetch" : "",
			 info2 & 4 ? " present" : "", info2 & 8 ? " page-walk" : "",
			 info2 & 16 ? " delivery" : "");
		break;
	case V3_EXIT_CPUID:
		snprintf(buf, size, " leaf 0x%llx subleaf 0x%llx", (ull)(uint32_t)info,
			 (ull)(info >> 32));
		break;
	case V3_EXIT_RDMSR:
		snprintf(buf, size, " msr 0x%llx", (ull)info);
		break;
	case V3_EXIT_WRMSR:
		snprintf(buf, size, " msr 0x%llx value 0x%llx", (ull)info, (ull)info2);
		break;
	case V3_EXIT_CR:
	case V3_EXIT_DR:
		snprintf(buf, size, " %s%u %s", event->code == V3_EXIT_CR ? "cr" : "dr",
			 (unsigned int)(info & 0xff), info >> 8 & 1 ? "write" : "read");
		break;
	case V3_EXIT_EXCEPTION:
		snprintf(buf, size, " vector %u cr2 0x%llx", (unsigned int)info, (ull)info2);
		break;
	case V3_EXIT_HYPERCALL:
		snprintf(buf, size, " number 0x%llx rbx 0x%llx", (ull)info, (ull)info2);
		break;
	default:
		if (info || info2)
			snprintf(buf, size, " info 0x%llx 0x%llx", (ull)info, (ull)info2);
		break;
	}
}

const char *v3_trace_text(const struct v3_target *target, const struct v3_trace_event *event,
			  char buf[V3_TRACE_TEXT])
{
	char more[96] = "", name[16];

	switch (event->kind) {
	case V3_TRACE_EXIT:
		exit_text(event, more, sizeof(more));
		snprintf(buf, V3_TRACE_TEXT, "exit    %-12s rip 0x%llx%s",
			 v3_target_exit(target, event->code, name), (ull)event->rip, more);
		break;
	case V3_TRACE_INJECT:
		if (event->flags & 1)
			snprintf(more, sizeof(more), " error 0x%llx", (ull)event->info);
		snprintf(buf, V3_TRACE_TEXT, "inject  %-12s rip 0x%llx vector %u%s",
			 type_name(event->code), (ull)event->rip, event->vector, more);
		break;
	case V3_TRACE_REQUEST:
		requests_text(event->info, more, sizeof(more));
		snprintf(buf, V3_TRACE_TEXT, "request%s", more);
		break;
	default:
		snprintf(buf, V3_TRACE_TEXT, "%-7s %-12s rip 0x%llx", kind_name(event->kind), "",
			 (ull)event->rip);
		break;
	}
	return buf;
}

json_t *v3_json_hex(uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%llx", (ull)value);
	return json_string(text);
}

json_t *v3_trace_json(const struct v3_target *target, unsigned int vcpu,
		      const struct v3_trace_event *event)
{
	json_t *json = json_pack("{s:i, s:o, s:s, s:o}", "vcpu", (int)vcpu, "tsc",
				 event->tsc ? v3_json_uint(event->tsc) : json_null(), "event",
				 kind_name(event->kind), "rip", v3_json_hex(event->rip));
	char name[16];
	int err = 0;

	if (!json)
		return NULL;
	if (event->kind == V3_TRACE_EXIT)
		err = json_object_set_new(json, "exit",
					  json_string(v3_target_exit(target, event->code, name)));
	if (event->kind == V3_TRACE_INJECT)
		err = json_object_set_new(json, "type", json_string(type_name(event->code))) ||
		      json_object_set_new(json, "vector", json_integer(event->vector));
	if (!err && event->kind != V3_TRACE_ENTRY)
		err = json_object_set_new(json, "info", v3_json_hex(event->info)) ||
		      json_object_set_new(json, "info2", v3_json_hex(event->info2));
	if (!err)
		return json;
	json_decref(json);
	return NULL;
}

int v3_trace_get(const struct v3_target *target, unsigned int vcpu, uint64_t *position,
		 struct v3_trace_event *events, unsigned int *count, uint64_t *lost, bool *on,
		 struct v3_msg *msg)
{
	struct v3_ioc_trace_read request = {
		.vcpu = vcpu, .capacity = V3_IOC_TRACE_MAX, .events = (uintptr_t)events,
		.position = *position,
	};
	int err = v3_dev_call(target->vm, V3_IOC_TRACE_READ, &request, msg);

	*count = 0;
	if (err)
		return err;
	*position = request.position;
	*count = request.count < V3_IOC_TRACE_MAX ? request.count : V3_IOC_TRACE_MAX;
	*lost = request.lost;
	*on = request.on;
	return 0;
}
