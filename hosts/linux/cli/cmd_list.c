/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3 list.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "cpu_own.h"
#include "json_out.h"
#include "parse.h"
#include "spec.h"

/* Places for guests that begin to exist between two requests. */
#define SPARE 16

/* All guests, to be freed. Returns how many, or -1 with a message. */
static int get_list(int dev, struct v3_ioc_list_entry **entries, struct v3_msg *msg)
{
	struct v3_ioc_list list = { .capacity = SPARE };

	*entries = NULL;
	for (;;) {
		free(*entries);
		*entries = v3_xmalloc(list.capacity * sizeof(**entries));
		list.entries = (uintptr_t)*entries;
		list.count = 0;
		if (v3_dev_call(dev, V3_IOC_LIST, &list, msg)) {
			free(*entries);
			*entries = NULL;
			return -1;
		}
		if (list.count <= list.capacity)
			return (int)list.count;
		list.capacity = list.count + SPARE;
	}
}

/* "", or how it ended. */
static const char *end_text(const struct v3_ioc_list_entry *entry, char *buf, size_t size)
{
	if (entry->end_kind == V3_END_EXIT)
		snprintf(buf, size, "exit %u", entry->end_code);
	else
		snprintf(buf, size, "%s",
			 entry->end_kind == V3_END_NONE ? "" : v3_end_name(entry->end_kind));
	return buf;
}

static void print_table(const struct v3_ioc_list_entry *entries, int count)
{
	char size[V3_SIZE_TEXT], end[32], owner[16];
	int width = 4, len, i;

	for (i = 0; i < count; i++) {
		len = (int)strlen(entries[i].name);
		width = len > width ? len : width;
	}
	printf("%-*s  %-8s %5s %10s %-9s %s\n", width, "NAME", "STATE", "VCPUS", "MEMORY", "OWNER",
	       "END");
	for (i = 0; i < count; i++) {
		if (entries[i].flags & V3_IOC_LIST_DETACHED)
			strcpy(owner, "-");
		else
			snprintf(owner, sizeof(owner), "%d", entries[i].owner_pid);
		printf("%-*s  %-8s %5u %10s %-9s %s\n", width, entries[i].name,
		       v3_state_name(entries[i].state), entries[i].num_vcpus,
		       v3_size_text(entries[i].memory, size), owner,
		       end_text(&entries[i], end, sizeof(end)));
	}
}

static json_t *entry_json(const struct v3_ioc_list_entry *entry)
{
	json_t *json = json_pack("{s:s, s:s, s:b, s:i, s:o, s:i}",
				 "name", entry->name,
				 "state", v3_state_name(entry->state),
				 "detached", !!(entry->flags & V3_IOC_LIST_DETACHED),
				 "vcpus", (int)entry->num_vcpus,
				 "memory", v3_json_uint(entry->memory),
				 "owner_pid", (int)entry->owner_pid);

	if (json && entry->end_kind != V3_END_NONE)
		json_object_set_new(json, "end", json_string(v3_end_name(entry->end_kind)));
	if (json && entry->end_kind == V3_END_EXIT)
		json_object_set_new(json, "code", v3_json_uint(entry->end_code));
	return json;
}

static int print_json(const struct v3_ioc_list_entry *entries, int count)
{
	json_t *list = json_array();
	int i;

	for (i = 0; list && i < count; i++)
		if (json_array_append_new(list, entry_json(&entries[i]))) {
			json_decref(list);
			list = NULL;
		}
	return v3_json_print(list) ? V3_CMD_FAILED : V3_CMD_OK;
}

int v3_cmd_list(int argc, char **argv)
{
	struct v3_ioc_list_entry *entries = NULL;
	bool json = false;
	struct v3_msg msg;
	int dev, count = -1, i, status = V3_CMD_OK;

	v3_parse_simple(argc, argv, "Lists all guests, their state and how they ended.", NULL,
			&json);
	v3_cpu_stale_warn();
	dev = v3_dev_open(&msg);
	if (dev >= 0)
		count = get_list(dev, &entries, &msg);
	v3_dev_close(dev);
	if (count < 0) {
		v3_err("%s", msg.text);
		return V3_CMD_FAILED;
	}
	for (i = 0; i < count; i++)
		entries[i].name[sizeof(entries[i].name) - 1] = 0;
	if (json)
		status = print_json(entries, count);
	else
		print_table(entries, count);
	free(entries);
	return status;
}
