/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Requests of /dev/v3 about the memory that is held for guests. */
#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <v3/pool.h>

#include "blocks.h"

#define GIB (1ull << 30)

/* --- The descriptor --- */

int v3_lx_control_open(struct inode *inode, struct file *file)
{
	file->private_data = kzalloc(sizeof(struct v3_lx_control_file), GFP_KERNEL);
	return file->private_data ? 0 : -ENOMEM;
}

/* Also when its process was killed: what it set offline and nobody claimed is online again. */
int v3_lx_control_release(struct inode *inode, struct file *file)
{
	struct v3_lx_control_file *control = file->private_data;
	int restore = control->restore;

	v3_lx_offline_unplan(0, U64_MAX, control);
	kfree(control);
	v3_lx_restore(restore);
	return 0;
}

struct v3_lx_progress *v3_lx_progress(void)
{
	static struct v3_lx_progress nobodys;
	struct v3_lx_call *call = v3_lx_call_current();

	return call && call->progress ? call->progress : &nobodys;
}

enum v3_status v3_lx_do_mem_progress(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_lx_control_file *file = target;
	struct v3_ioc_mem_progress *arg = data;

	if (arg->reserved)
		return v3_lx_fail(call, V3_ERR_INVALID, "reserved fields are not zero");
	arg->phase = READ_ONCE(file->progress.phase);
	arg->done = READ_ONCE(file->progress.done);
	arg->total = READ_ONCE(file->progress.total);
	return V3_OK;
}

void v3_lx_progress_begin(struct v3_lx_progress *progress, u32 phase, u64 total)
{
	progress->done = 0;
	progress->total = total;
	WRITE_ONCE(progress->phase, phase);
}

/* --- List --- */

/* More entries at a time than any host has nodes, or than it is good to have. */
#define ROOM 4096

static enum v3_status copy_out(struct v3_lx_call *call, u64 user, const void *from, u32 count,
			       u32 room, size_t size)
{
	if (!copy_to_user(u64_to_user_ptr(user), from, min(count, room) * size))
		return V3_OK;
	call->err = -EFAULT;
	return v3_lx_fail(call, V3_ERR_INVALID, "an array is not in writable memory");
}

static enum v3_status list_ranges(struct v3_lx_call *call, struct v3_ioc_mem_list *arg)
{
	u32 room = min_t(u32, arg->ranges_capacity, ROOM), i;
	struct v3_ioc_mem_range *ranges;
	enum v3_status status;

	ranges = kvcalloc(max(room, 1u), sizeof(*ranges), GFP_KERNEL);
	if (!ranges)
		return V3_ERR_NOMEM;
	v3_lx_blocks_ranges(ranges, room, &arg->ranges_count);
	/* as the kernel keeps physical addresses from those who are not root elsewhere */
	for (i = 0; i < room && !capable(CAP_SYS_ADMIN); i++)
		ranges[i].start = 0;
	status = copy_out(call, arg->ranges, ranges, arg->ranges_count, room, sizeof(*ranges));
	kvfree(ranges);
	return status;
}

static enum v3_status list_nodes(struct v3_lx_call *call, struct v3_ioc_mem_list *arg)
{
	u32 room = min_t(u32, arg->nodes_capacity, ROOM);
	struct v3_ioc_mem_node *nodes = kvcalloc(max(room, 1u), sizeof(*nodes), GFP_KERNEL);
	enum v3_status status;

	if (!nodes)
		return V3_ERR_NOMEM;
	v3_lx_blocks_nodes(nodes, room, &arg->nodes_count);
	status = copy_out(call, arg->nodes, nodes, arg->nodes_count, room, sizeof(*nodes));
	kvfree(nodes);
	return status;
}

static enum v3_status list_uses(struct v3_lx_call *call, struct v3_ioc_mem_list *arg)
{
	u32 room = min_t(u32, arg->uses_capacity, ROOM);
	struct v3_ioc_mem_use *uses = kvcalloc(max(room, 1u), sizeof(*uses), GFP_KERNEL);
	enum v3_status status;

	if (!uses)
		return V3_ERR_NOMEM;
	v3_lx_blocks_uses(uses, room, &arg->uses_count);
	status = copy_out(call, arg->uses, uses, arg->uses_count, room, sizeof(*uses));
	kvfree(uses);
	return status;
}

enum v3_status v3_lx_do_mem_list(struct v3_lx_call *call, void *target, void *arg)
{
	enum v3_status status = list_nodes(call, arg);

	if (!status)
		status = list_ranges(call, arg);
	return status ? status : list_uses(call, arg);
}

/* --- Take --- */

static enum v3_status check_node(struct v3_lx_call *call, int node)
{
	if (node == V3_NODE_ANY ||
	    (node >= 0 && node < MAX_NUMNODES && node_state(node, N_MEMORY)))
		return V3_OK;
	return v3_lx_fail(call, V3_ERR_NOENT, "this host has no memory on NUMA node %d", node);
}

/* Ranges on their way from the host into the pool. */
struct taking {
	struct list_head list;
	struct v3_lx_search search;	/* the last one */
	u64 size, have;
	int node;
	bool small;			/* the node has less in all */
};

static bool take_one(struct taking *taking, u64 size, u64 align)
{
	struct v3_lx_range *taken = kzalloc(sizeof(*taken), GFP_KERNEL);

	taking->search = (struct v3_lx_search){
		.count = PHYS_PFN(size), .align = PHYS_PFN(align), .node = taking->node,
		.limit = ULONG_MAX,
	};
	if (!taken)
		return false;
	if (v3_lx_run_alloc(&taking->search)) {
		kfree(taken);
		return false;
	}
	taken->pfn = taking->search.found;
	taken->count = taking->search.count;
	taken->node = page_to_nid(pfn_to_page(taken->pfn));
	list_add_tail(&taken->link, &taking->list);
	taking->have += size;
	return true;
}

/* Aligned pieces of 1 GiB as long as there are any, then whatever large pieces there are. */
static bool take_all(struct taking *taking)
{
	u64 size = GIB, align = GIB, n;

	while (taking->have < taking->size) {
		n = min(size, taking->size - taking->have);
		if (n < GIB)
			align = V3_POOL_UNIT;
		if (take_one(taking, n, align))
			continue;
		if (taking->search.expired || taking->search.reserve)
			return false;
		if (align == GIB)
			align = V3_POOL_UNIT;
		else
			size = n / 2 / V3_POOL_UNIT * V3_POOL_UNIT;
		if (!size)
			return false;
	}
	return true;
}

static bool zero_all(struct taking *taking, struct v3_lx_progress *progress)
{
	struct v3_lx_range *taken;

	if (v3_lx_host_zeroes())
		return true;
	v3_lx_progress_begin(progress, V3_IOC_MEM_PHASE_ZERO, taking->size);
	list_for_each_entry(taken, &taking->list, link)
		if (!v3_lx_zero(taken->pfn, taken->count, taken->node, true))
			return false;
	return true;
}

/* Into the pool, or back to the host. True: it is in. */
static bool settle(struct taking *taking, bool keep)
{
	struct v3_lx_range *taken, *next;

	/* once the pool has them they are no runs any more */
	list_for_each_entry(taken, &taking->list, link)
		v3_lx_run_forget(taken->pfn);
	keep = keep && !v3_lx_blocks_add(&taking->list);
	list_for_each_entry_safe(taken, next, &taking->list, link) {
		if (!keep)
			v3_lx_contig_free(taken->pfn, taken->count);
		kfree(taken);
	}
	return keep;
}

static enum v3_status say_why(struct v3_lx_call *call, const struct taking *taking,
			      struct v3_ioc_mem_take *arg)
{
	const struct v3_lx_search *search = &taking->search;
	enum v3_lx_obstacle obstacle = v3_lx_obstacle(search);
	const char *late = "";
	char where[24] = "this host", why[160] = "no more pieces of 2 MiB are free or movable";

	if (taking->node != V3_NODE_ANY)
		scnprintf(where, sizeof(where), "node %d", taking->node);
	arg->taken = taking->have;
	arg->why = V3_IOC_MEM_WHY_SMALL;
	if (fatal_signal_pending(current)) {
		arg->why = V3_IOC_MEM_WHY_KILLED;
		call->err = -EINTR;
		return v3_lx_fail(call, V3_ERR_AGAIN, "interrupted by a signal");
	}
	if (taking->have == taking->size) {
		scnprintf(why, sizeof(why), "the host has no memory to note it");
	} else if (taking->small) {
		scnprintf(why, sizeof(why), "it has less in all");
	} else if (search->reserve) {
		arg->why = V3_IOC_MEM_WHY_RESERVE;
		scnprintf(why, sizeof(why), "the host has %ld MiB available and keeps %u (reserve_mb)",
			  max(si_mem_available(), 0l) >> (20 - PAGE_SHIFT),
			  v3_lx_memory_reserve());
	} else if (search->expired && !obstacle) {
		arg->why = V3_IOC_MEM_WHY_TIME;
		scnprintf(why, sizeof(why), "the time was over (search_seconds)");
	} else if (obstacle) {
		arg->why = search->expired ? V3_IOC_MEM_WHY_TIME : V3_IOC_MEM_WHY_OBSTACLE;
		late = search->expired ? ", and the time was over (search_seconds)" : "";
		arg->obstacle = PFN_PHYS((u64)search->met[obstacle].pfn);
		scnprintf(why, sizeof(why), "at 0x%llx and elsewhere %s is in the way%s",
			  arg->obstacle, v3_lx_obstacle_text(obstacle), late);
	}
	return v3_lx_fail(call, V3_ERR_NOMEM, "%s: %llu MiB of the %llu MiB could be had: %s", where,
			  taking->have >> 20, taking->size >> 20, why);
}

static bool node_has(int node, u64 size)
{
	u64 pages = 0;
	int i;

	for (i = 0; node != V3_NODE_ANY && i < MAX_NR_ZONES; i++)
		pages += zone_managed_pages(&NODE_DATA(node)->node_zones[i]);
	return node == V3_NODE_ANY || PHYS_PFN(size) <= pages;
}

static enum v3_status take_contig(struct v3_lx_call *call, struct v3_ioc_mem_take *arg)
{
	struct taking taking = { .size = arg->size, .node = arg->node };
	bool ok;

	INIT_LIST_HEAD(&taking.list);
	v3_lx_progress_begin(call->progress, V3_IOC_MEM_PHASE_TAKE, arg->size);
	/* what cannot be is not begun */
	taking.search.reserve = !v3_lx_memory_available(PHYS_PFN(arg->size));
	taking.small = !node_has(arg->node, arg->size);
	ok = !taking.search.reserve && !taking.small && take_all(&taking) &&
	     zero_all(&taking, call->progress);
	if (ok && settle(&taking, true)) {
		arg->taken = arg->size;
		return V3_OK;
	}
	if (!ok)
		settle(&taking, false);
	return say_why(call, &taking, arg);
}

/* Claims and zeroes the next block of the plan that is offline; V3_ERR_NOENT: that was all. */
static enum v3_status claim_block(struct v3_lx_control_file *file, struct list_head *list)
{
	struct v3_lx_range *claimed = kzalloc(sizeof(*claimed), GFP_KERNEL);
	enum v3_status status = V3_ERR_NOMEM;

	if (claimed)
		status = v3_lx_offline_claim(file, claimed);
	if (status) {
		kfree(claimed);
		return status;
	}
	list_add_tail(&claimed->link, list);
	file->progress.total += PFN_PHYS((u64)claimed->count);
	return v3_lx_zero(claimed->pfn, claimed->count, claimed->node, true) ? V3_OK :
									       V3_ERR_AGAIN;
}

/* In the pool; or, with an error, of the plan again. Bytes that are in. */
static u64 settle_blocks(struct v3_lx_control_file *file, struct list_head *list,
			 enum v3_status status)
{
	struct v3_lx_range *claimed, *next;
	u64 taken = 0;

	list_for_each_entry_safe(claimed, next, list, link) {
		if (status)
			v3_lx_offline_unclaim(claimed, file);
		else
			taken += PFN_PHYS((u64)claimed->count);
		kfree(claimed);
	}
	return taken;
}

/* Claims what is offline of the plan. */
static enum v3_status take_plan(struct v3_lx_call *call, struct v3_lx_control_file *file,
				struct v3_ioc_mem_take *arg)
{
	enum v3_status status = V3_OK;
	LIST_HEAD(list);

	v3_lx_progress_begin(call->progress, V3_IOC_MEM_PHASE_ZERO, 0);
	while (!status)
		status = claim_block(file, &list);
	if (status == V3_ERR_NOENT)
		status = v3_lx_blocks_add(&list);
	arg->taken = settle_blocks(file, &list, status);
	if (status == V3_ERR_AGAIN) {
		call->err = -EINTR;
		return v3_lx_fail(call, status, "interrupted by a signal");
	}
	if (!status && !arg->taken)
		return v3_lx_fail(call, V3_ERR_NOENT,
				  "no memory block of the plan is offline: nothing to take");
	return status;
}

enum v3_status v3_lx_do_mem_take(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_ioc_mem_take *arg = data;
	struct v3_lx_control_file *file = target;
	enum v3_status status = check_node(call, arg->node);

	call->progress = &file->progress;
	arg->taken = 0;
	arg->why = V3_IOC_MEM_WHY_NONE;
	arg->obstacle = 0;
	if (arg->reserved || arg->flags & ~V3_IOC_MEM_TAKE_PLAN)
		return v3_lx_fail(call, V3_ERR_INVALID,
				  "reserved fields or unknown flags are not zero");
	if (status)
		return status;
	if (arg->flags & V3_IOC_MEM_TAKE_PLAN)
		return arg->size ? v3_lx_fail(call, V3_ERR_INVALID, "a plan has its own size") :
				   take_plan(call, file, arg);
	if (!arg->size || arg->size % V3_POOL_UNIT)
		return v3_lx_fail(call, V3_ERR_INVALID,
				  "0x%llx bytes of memory are no multiple of 2 MiB", arg->size);
	return take_contig(call, arg);
}

/* --- Give --- */

enum v3_status v3_lx_do_mem_give(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_ioc_mem_give *arg = data;
	struct v3_lx_control_file *file = target;
	enum v3_status status = check_node(call, arg->node);
	struct v3_block_info info;

	call->progress = &file->progress;
	if (arg->flags)
		return v3_lx_fail(call, V3_ERR_INVALID, "unknown flags 0x%x", arg->flags);
	if (status)
		return status;
	if (arg->size % V3_POOL_UNIT)
		return v3_lx_fail(call, V3_ERR_INVALID,
				  "0x%llx bytes of memory are no multiple of 2 MiB", arg->size);
	status = v3_lx_blocks_give(arg->size, arg->node, &arg->given, &arg->later);
	if (status == V3_ERR_IO)
		return v3_lx_fail(call, status,
				  "not all of it could be set online again: the kernel's log tells more");
	if (!status)
		return status;
	v3_lx_block_query(NULL, arg->node, &info);
	if (info.free < arg->size)
		return v3_lx_fail(call, status,
				  "%llu MiB are to go, but only %llu MiB of the %llu MiB held are unused",
				  arg->size >> 20, info.free >> 20, info.held >> 20);
	return v3_lx_fail(call, status,
			  "%llu MiB cannot go: unused are %llu MiB, but memory blocks (%zu MiB) and what guests use in part go as a whole",
			  arg->size >> 20, info.free >> 20,
			  v3_lx_offline_unit() >> (20 - PAGE_SHIFT));
}

/* --- Plans --- */

static enum v3_status with_ranges(struct v3_lx_call *call, const struct v3_ioc_mem_plan *arg,
				  struct v3_ioc_mem_range **ranges)
{
	size_t size = array_size(arg->count, sizeof(**ranges));

	if (!capable(CAP_SYS_ADMIN))
		return v3_lx_fail(call, V3_ERR_DENIED, "setting memory offline is for root");
	if (arg->reserved)
		return v3_lx_fail(call, V3_ERR_INVALID, "reserved fields are not zero");
	if (!arg->count || arg->count > V3_IOC_MEM_PLAN_MAX)
		return v3_lx_fail(call, V3_ERR_RANGE, "a plan has 1 to %u ranges",
				  V3_IOC_MEM_PLAN_MAX);
	*ranges = kvmalloc(size, GFP_KERNEL);
	if (!*ranges)
		return V3_ERR_NOMEM;
	if (!copy_from_user(*ranges, u64_to_user_ptr(arg->ranges), size))
		return V3_OK;
	kvfree(*ranges);
	call->err = -EFAULT;
	return v3_lx_fail(call, V3_ERR_INVALID, "the array of ranges is not in readable memory");
}

enum v3_status v3_lx_do_mem_plan(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_ioc_mem_plan *arg = data;
	struct v3_ioc_mem_range *ranges;
	enum v3_status status = with_ranges(call, arg, &ranges);

	if (status)
		return status;
	status = v3_lx_offline_plan(call, ranges, arg->count, target);
	kvfree(ranges);
	return status;
}

enum v3_status v3_lx_do_mem_unplan(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_ioc_mem_plan *arg = data;
	struct v3_ioc_mem_range *ranges;
	enum v3_status status = with_ranges(call, arg, &ranges);
	bool ok = true;
	u32 i;

	if (status)
		return status;
	for (i = 0; i < arg->count; i++)
		ok &= v3_lx_offline_unplan(ranges[i].start, ranges[i].size, target);
	kvfree(ranges);
	return ok ? V3_OK : v3_lx_fail(call, V3_ERR_IO,
				       "not all of it could be set online again: the kernel's log tells more");
}
