/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3 inspect for programs.
 */
#include <stdio.h>

#include "inspect_text.h"

/* Adds what may be NULL; both are gone in the end if one was. */
static json_t *with(json_t *object, const char *key, json_t *value)
{
	if (!object || !value || json_object_set_new(object, key, value)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static json_t *hex_with(json_t *object, const char *key, uint64_t value)
{
	return with(object, key, v3_json_hex(value));
}

static json_t *bytes_json(const uint8_t *bytes, unsigned int count)
{
	char hex[4 * V3_INSPECT_BYTES + 1] = "";
	unsigned int i;

	for (i = 0; i < count && i < 2 * V3_INSPECT_BYTES; i++)
		sprintf(hex + 2 * i, "%02x", bytes[i]);
	return json_string(hex);
}

static json_t *registers_json(const struct v3_vcpu_state *state)
{
	const struct {
		const char *name;
		uint64_t value;
	} others[] = {
		{ "rip", state->rip }, { "rflags", state->rflags }, { "cr0", state->cr0 },
		{ "cr2", state->cr2 }, { "cr3", state->cr3 }, { "cr4", state->cr4 },
		{ "cr8", state->cr8 }, { "efer", state->efer }, { "xcr0", state->xcr0 },
		{ "dr0", state->dr[0] }, { "dr1", state->dr[1] }, { "dr2", state->dr[2] },
		{ "dr3", state->dr[3] }, { "dr6", state->dr6 }, { "dr7", state->dr7 },
		{ "star", state->star }, { "lstar", state->lstar }, { "cstar", state->cstar },
		{ "sfmask", state->sfmask }, { "kernel_gs_base", state->kernel_gs_base },
		{ "sysenter_cs", state->sysenter_cs }, { "sysenter_esp", state->sysenter_esp },
		{ "sysenter_eip", state->sysenter_eip }, { "pat", state->pat },
	};
	json_t *json = json_object();
	unsigned int i;

	for (i = 0; i < 16; i++)
		json = hex_with(json, v3_gpr_names[i], state->gpr[i]);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		json = hex_with(json, others[i].name, others[i].value);
	return json;
}

static json_t *segment_json(const struct v3_segment *seg)
{
	json_t *json = hex_with(json_object(), "selector", seg->selector);

	json = hex_with(json, "base", seg->base);
	json = hex_with(json, "limit", seg->limit);
	return hex_with(json, "attributes", seg->attrib);
}

static json_t *segments_json(const struct v3_vcpu_state *state)
{
	json_t *json = json_object();
	unsigned int i;

	for (i = 0; i < V3_SEG_COUNT; i++)
		json = with(json, v3_seg_names[i], segment_json(&state->seg[i]));
	json = with(json, "gdtr", segment_json(&state->gdtr));
	return with(json, "idtr", segment_json(&state->idtr));
}

static json_t *event_json(const struct v3_inspect_event *event)
{
	json_t *json;

	if (!event->valid)
		return json_null();
	json = with(json_object(), "vector", json_integer(event->vector));
	return event->has_error ? hex_with(json, "error", event->error) : json;
}

static json_t *levels_json(const struct v3_page_walk *walk)
{
	json_t *levels = json_array(), *json;
	unsigned int i;

	for (i = 0; i < walk->num_levels; i++) {
		json = with(json_object(), "level", json_integer(walk->levels[i].level));
		json = hex_with(json, "entry", walk->levels[i].entry);
		json = hex_with(json, "value", walk->levels[i].value);
		if (levels && json_array_append_new(levels, json)) {
			json_decref(levels);
			levels = NULL;
		}
	}
	return levels;
}

static json_t *walk_json(const struct v3_page_walk *walk)
{
	json_t *json = hex_with(json_object(), "address", walk->gva);

	json = with(json, "end", json_string(v3_page_end_name(walk->end)));
	json = with(json, "levels", levels_json(walk));
	if (walk->end != V3_PAGE_MAPPED)
		return json;
	json = hex_with(json, "guest_physical", walk->gpa);
	json = with(json, "page_size", json_integer((json_int_t)walk->page_size));
	json = with(json, "writable", json_boolean(walk->writable));
	json = with(json, "user", json_boolean(walk->user));
	json = with(json, "executable", json_boolean(walk->executable));
	json = with(json, "kind", json_string(v3_mem_kind_name(walk->kind)));
	json = with(json, "nested_level", json_integer(walk->nested_level));
	json = with(json, "nested_access", json_integer(walk->nested_access));
	if (walk->nested_level && walk->nested_access & V3_NESTED_TRACKED) {
		json = with(json, "accessed",
			    json_boolean(walk->nested_access & V3_NESTED_ACCESSED));
		json = with(json, "dirty", json_boolean(walk->nested_access & V3_NESTED_DIRTY));
	}
	if (walk->nested_level && walk->hpa != V3_HPA_NONE)
		json = hex_with(json, "host_physical", walk->hpa);
	return json;
}

static json_t *code_json(const struct v3_look *look)
{
	const struct v3_inspect_bytes *code = &look->at.code;
	json_t *lines = json_array(), *line, *json;
	int i;

	for (i = 0; i < look->num_lines; i++) {
		line = hex_with(json_object(), "address", look->lines[i].address);
		line = with(line, "length", json_integer(look->lines[i].length));
		line = with(line, "text", json_string(look->lines[i].text));
		if (lines && json_array_append_new(lines, line)) {
			json_decref(lines);
			lines = NULL;
		}
	}
	json = hex_with(json_object(), "address", code->gva);
	json = with(json, "before", json_integer(code->before));
	json = with(json, "bytes", bytes_json(&code->bytes[V3_INSPECT_BYTES - code->before],
					      code->before + code->count));
	return with(json, "instructions", lines);
}

static json_t *events_json(const struct v3_target *target, const struct v3_look *look)
{
	json_t *events = json_array();
	unsigned int i;

	for (i = 0; i < look->num_events; i++)
		if (events && json_array_append_new(events, v3_trace_json(target, look->vcpu,
									  &look->events[i]))) {
			json_decref(events);
			events = NULL;
		}
	return events;
}

json_t *v3_inspect_json(const struct v3_target *target, const struct v3_look *look)
{
	const struct v3_vcpu_inspection *at = &look->at;
	char name[16];
	json_t *json = json_pack("{s:s, s:s, s:i, s:i, s:i, s:s}", "name", target->name, "state",
				 v3_state_name(target->state.state), "vcpu", (int)look->vcpu, "bits",
				 at->bits, "cpl", at->cpl, "activity",
				 v3_activity_name(at->activity));

	json = with(json, "end", json_string(v3_end_name(target->state.end_kind)));
	json = with(json, "reason", json_string(v3_printable(target->state.reason)));
	json = with(json, "registers", registers_json(&at->state));
	json = with(json, "segments", segments_json(&at->state));
	json = with(json, "exception", event_json(&at->exception));
	json = with(json, "interrupt", event_json(&at->intr));
	json = with(json, "nmi_pending", json_boolean(at->nmi_pending));
	json = with(json, "nmi_blocked", json_boolean(at->nmi_blocked));
	json = with(json, "last_exit", at->last_exit.kind ?
		    json_string(v3_target_exit(target, at->last_exit.code, name)) : json_null());
	json = with(json, "events", events_json(target, look));
	json = with(json, "walk", walk_json(&at->walk));
	json = with(json, "code", code_json(look));
	json = hex_with(json, "stack_address", at->stack.gva);
	return with(json, "stack", bytes_json(&at->stack.bytes[V3_INSPECT_BYTES],
					      at->stack.count));
}
