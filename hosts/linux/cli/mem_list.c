/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What v3 mem list shows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_out.h"
#include "mem.h"
#include "parse.h"
#include "spec.h"

/* Places for what comes to be between two requests. */
#define SPARE 16

static void room(struct v3_mem_list *list)
{
	struct v3_ioc_mem_list *counts = &list->counts;

	v3_mem_list_free(list);
	counts->nodes_capacity = counts->nodes_count + SPARE;
	counts->ranges_capacity = counts->ranges_count + SPARE;
	counts->uses_capacity = counts->uses_count + SPARE;
	list->nodes = v3_xmalloc(counts->nodes_capacity * sizeof(list->nodes[0]));
	list->ranges = v3_xmalloc(counts->ranges_capacity * sizeof(list->ranges[0]));
	list->uses = v3_xmalloc(counts->uses_capacity * sizeof(list->uses[0]));
	counts->nodes = (uintptr_t)list->nodes;
	counts->ranges = (uintptr_t)list->ranges;
	counts->uses = (uintptr_t)list->uses;
}

int v3_mem_list_get(int dev, struct v3_mem_list *list, struct v3_msg *msg)
{
	struct v3_ioc_mem_list *counts = &list->counts;
	unsigned int i;

	*list = (struct v3_mem_list){ 0 };
	do {
		room(list);
		counts->nodes_count = counts->ranges_count = counts->uses_count = 0;
		if (v3_dev_call(dev, V3_IOC_MEM_LIST, counts, msg)) {
			v3_mem_list_free(list);
			return -1;
		}
	} while (counts->nodes_count > counts->nodes_capacity ||
		 counts->ranges_count > counts->ranges_capacity ||
		 counts->uses_count > counts->uses_capacity);
	for (i = 0; i < counts->uses_count; i++)
		list->uses[i].name[V3_IOC_NAME - 1] = 0;
	return 0;
}

void v3_mem_list_free(struct v3_mem_list *list)
{
	free(list->nodes);
	free(list->ranges);
	free(list->uses);
	list->nodes = NULL;
	list->ranges = NULL;
	list->uses = NULL;
}

static const char *provider(const struct v3_ioc_mem_range *range)
{
	return range->provider == V3_IOC_MEM_OFFLINE ? "offline" : "contig";
}

static void print_range(const struct v3_ioc_mem_range *range)
{
	char size[V3_SIZE_TEXT], used[V3_SIZE_TEXT], address[32] = "?";

	if (range->start)
		snprintf(address, sizeof(address), "%#llx", (unsigned long long)range->start);
	printf("%-4d  %-14s %10s %10s  %-8s %s\n", range->node, address,
	       v3_size_text(range->size, size), v3_size_text(range->used, used), provider(range),
	       range->flags & V3_IOC_MEM_HELD ? "until given" : "until its guest ends");
}

void v3_mem_print(const struct v3_mem_list *list)
{
	const struct v3_ioc_mem_list *counts = &list->counts;
	const struct v3_ioc_mem_node *node;
	char a[6][V3_SIZE_TEXT];
	unsigned int i;

	printf("NODE       TOTAL       FREE       HELD       USED     UNUSED    1G RUN     2M RUN\n");
	for (i = 0; i < counts->nodes_count; i++) {
		node = &list->nodes[i];
		printf("%-4d  %10s %10s %10s %10s %10s", node->node,
		       v3_size_text(node->total, a[0]), v3_size_text(node->free, a[1]),
		       v3_size_text(node->held, a[2]), v3_size_text(node->used, a[3]),
		       v3_size_text(node->unused, a[4]));
		printf("%10s %10s\n", v3_size_text(node->run_1g, a[0]),
		       v3_size_text(node->run_2m, a[1]));
	}
	if (counts->ranges_count)
		printf("\nNODE  START                SIZE       USED  FROM     STAYS\n");
	for (i = 0; i < counts->ranges_count; i++)
		print_range(&list->ranges[i]);
	if (counts->uses_count)
		printf("\nNODE        SIZE  GUEST\n");
	for (i = 0; i < counts->uses_count; i++)
		printf("%-4d  %10s  %s\n", list->uses[i].node,
		       v3_size_text(list->uses[i].size, a[0]), list->uses[i].name);
}

static json_t *node_json(const struct v3_ioc_mem_node *node)
{
	return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "node", (int)node->node,
			 "total", v3_json_uint(node->total),
			 "free", v3_json_uint(node->free),
			 "held", v3_json_uint(node->held),
			 "used", v3_json_uint(node->used),
			 "unused", v3_json_uint(node->unused),
			 "run_1g", v3_json_uint(node->run_1g),
			 "run_2m", v3_json_uint(node->run_2m));
}

static json_t *range_json(const struct v3_ioc_mem_range *range)
{
	return json_pack("{s:i, s:o, s:o, s:o, s:s, s:b}",
			 "node", (int)range->node,
			 "start", v3_json_uint(range->start),
			 "size", v3_json_uint(range->size),
			 "used", v3_json_uint(range->used),
			 "provider", provider(range),
			 "held", !!(range->flags & V3_IOC_MEM_HELD));
}

static json_t *use_json(const struct v3_ioc_mem_use *use)
{
	return json_pack("{s:s, s:i, s:o}", "guest", use->name, "node", (int)use->node,
			 "size", v3_json_uint(use->size));
}

int v3_mem_print_json(const struct v3_mem_list *list)
{
	const struct v3_ioc_mem_list *counts = &list->counts;
	json_t *nodes = json_array(), *ranges = json_array(), *uses = json_array();
	unsigned int i;
	int err = 0;

	for (i = 0; i < counts->nodes_count; i++)
		err |= json_array_append_new(nodes, node_json(&list->nodes[i]));
	for (i = 0; i < counts->ranges_count; i++)
		err |= json_array_append_new(ranges, range_json(&list->ranges[i]));
	for (i = 0; i < counts->uses_count; i++)
		err |= json_array_append_new(uses, use_json(&list->uses[i]));
	if (!err)
		return v3_json_print(json_pack("{s:o, s:o, s:o}", "nodes", nodes, "ranges", ranges,
					       "guests", uses));
	json_decref(nodes);
	json_decref(ranges);
	json_decref(uses);
	return v3_json_print(NULL);
}
