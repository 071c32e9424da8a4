/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fake module's memory.
 */
#include "fake_mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct fake_mem fake_mem;

static int fail(struct v3_ioc_head *head, int err, const char *message)
{
	snprintf(head->message, sizeof(head->message), "%s", message);
	errno = err;
	return -1;
}

static int do_list(struct v3_ioc_mem_list *list)
{
	struct v3_ioc_mem_node *nodes = (void *)(uintptr_t)list->nodes;
	struct v3_ioc_mem_range *ranges = (void *)(uintptr_t)list->ranges;
	struct v3_ioc_mem_use *uses = (void *)(uintptr_t)list->uses;
	uint32_t i;

	list->nodes_count = 2 + (fake_mem.lists++ ? fake_mem.extra : 0);
	list->ranges_count = 2;
	list->uses_count = 1;
	if (!list->ranges_capacity || !list->uses_capacity)
		return fail(&list->head, EINVAL, "no room at all");
	for (i = 0; i < list->nodes_count && i < list->nodes_capacity; i++)
		nodes[i] = (struct v3_ioc_mem_node){
			.node = (int32_t)i, .total = 8ull << 30, .free = (4ull + i) << 30,
			.held = i ? 0 : 2ull << 30, .used = i ? 0 : 1ull << 30,
			.unused = i ? 0 : 1ull << 30, .run_1g = i ? 0 : 1ull << 30,
			.run_2m = i ? 0 : 1ull << 30,
		};
	ranges[0] = (struct v3_ioc_mem_range){ .start = 4ull << 30, .size = 1ull << 30,
					       .flags = V3_IOC_MEM_HELD };
	ranges[1] = (struct v3_ioc_mem_range){ .size = 1ull << 30, .used = 1ull << 30,
					       .provider = V3_IOC_MEM_OFFLINE };
	memset(uses[0].name, 'g', sizeof(uses[0].name)); /* without an end */
	uses[0].size = 1ull << 30;
	uses[0].node = 0;
	uses[0].reserved = 0;
	return 0;
}

static int do_take(struct v3_ioc_mem_take *take)
{
	fake_mem.take = *take;
	take->why = fake_mem.take_why;
	take->taken = fake_mem.take_could;
	if (fake_mem.take_errno)
		return fail(&take->head, fake_mem.take_errno, fake_mem.take_message);
	take->taken = take->flags & V3_IOC_MEM_TAKE_PLAN ?
		      fake_mem.planned - fake_mem.unplanned : take->size;
	return 0;
}

static int do_plan(struct v3_ioc_mem_plan *plan, bool undo)
{
	const struct v3_ioc_mem_range *range = (void *)(uintptr_t)plan->ranges;

	if (undo) {
		fake_mem.unplans++;
		fake_mem.unplanned += range->size;
		return 0;
	}
	if (fake_mem.refused_start && range->start == fake_mem.refused_start)
		return fail(&plan->head, EINVAL, "that block is not all RAM");
	if (fake_mem.busy_start && range->start == fake_mem.busy_start)
		return fail(&plan->head, EBUSY, "that block is in use");
	fake_mem.plans++;
	fake_mem.planned += range->size;
	return 0;
}

int fake_mem_request(unsigned long request, void *arg)
{
	struct v3_ioc_mem_give *give = arg;
	struct v3_ioc_mem_progress *progress = arg;

	switch (request) {
	case V3_IOC_MEM_LIST:
		return do_list(arg);
	case V3_IOC_MEM_TAKE:
		return do_take(arg);
	case V3_IOC_MEM_GIVE:
		fake_mem.give = *give;
		give->given = give->size ? give->size : 2ull << 30;
		give->later = fake_mem.later;
		return 0;
	case V3_IOC_MEM_PLAN:
	case V3_IOC_MEM_UNPLAN:
		return do_plan(arg, request == V3_IOC_MEM_UNPLAN);
	case V3_IOC_MEM_PROGRESS:
		progress->phase = V3_IOC_MEM_PHASE_ZERO;
		progress->done = 1;
		progress->total = 2;
		return 0;
	default:
		errno = ENOTTY;
		return -1;
	}
}
