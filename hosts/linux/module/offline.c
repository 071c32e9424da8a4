/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Memory blocks that the v3 command sets offline. It tells of them before (a plan), so that
 * whatever becomes of it they are either claimed or online again: this file watches them go
 * offline, keeps others from setting them online or removing them meanwhile, and sets them online
 * itself, by the file in sysfs that users have for it, as the kernel exports no function for that.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/ioport.h>
#include <linux/kernfs.h>
#include <linux/magic.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/namei.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "blocks.h"

enum block_state {
	PLANNED,	/* the owner of the plan may set it offline */
	TAKEN,		/* that has happened */
	CLAIMED,	/* and the memory is held */
	RETURNING,	/* we set it online */
};

struct block {
	unsigned long number;
	enum block_state state;
	bool movable;
	int node;
	const void *owner;		/* of the plan; NULL when claimed */
	struct device *dev;		/* the kernel's */
};

/*
 * Blocks by number, and the block that is being set online by whomever (NO_BLOCK: none). The lock
 * is a leaf: notifiers run with the kernel's locks of memory hotplug.
 */
#define NO_BLOCK ULONG_MAX
static DEFINE_XARRAY(blocks);
static DEFINE_MUTEX(blocks_lock);
static unsigned long onlining = NO_BLOCK;

static unsigned long block_pages(void)
{
	return memory_block_size_bytes() >> PAGE_SHIFT;
}

/* --- The kernel's blocks --- */

/*
 * With a reference. There is no function that gives it to modules: it is what the folder of that
 * name in sysfs stands for.
 */
static struct device *block_device(unsigned long number)
{
	struct device *dev = NULL;
	struct kobject *kobj;
	struct path path;
	char name[64];

	scnprintf(name, sizeof(name), "/sys/devices/system/memory/memory%lu", number);
	if (kern_path(name, LOOKUP_DIRECTORY, &path))
		return NULL;
	if (path.dentry->d_sb->s_magic == SYSFS_MAGIC) {
		kobj = ((struct kernfs_node *)d_backing_inode(path.dentry)->i_private)->priv;
		if (!strcmp(kobject_name(kobj), strrchr(name, '/') + 1))
			dev = get_device(container_of(kobj, struct device, kobj));
	}
	path_put(&path);
	return dev;
}

static void block_free(struct block *block)
{
	put_device(block->dev);
	kfree(block);
}

/* --- Notifications --- */

static int going_online(unsigned long number)
{
	struct block *block = xa_load(&blocks, number);

	if (!block || block->state == PLANNED || block->state == RETURNING) {
		onlining = number;
		return NOTIFY_OK;
	}
	v3_lx_logf(V3_LOG_WARN,
		   "memory block %lu cannot go online: v3 holds it for virtual machines ('v3 mem give' gives it back)",
		   number);
	return NOTIFY_BAD;
}

static int memory_event(struct notifier_block *notifier, unsigned long event, void *data)
{
	const struct memory_notify *notify = data;
	unsigned long number = notify->start_pfn / block_pages();
	int result = NOTIFY_OK;
	struct block *block;

	mutex_lock(&blocks_lock);
	switch (event) {
	case MEM_GOING_ONLINE:
		result = going_online(number);
		break;
	case MEM_ONLINE:
	case MEM_CANCEL_ONLINE:
		if (onlining == number)
			onlining = NO_BLOCK;
		break;
	case MEM_OFFLINE:
		block = xa_load(&blocks, number);
		if (block && block->state == PLANNED) {
			block->state = TAKEN;
			/*
			 * Else its DIMM could be removed, as offline is all that asks for. Whoever
			 * sets a block offline has its device locked.
			 */
			block->dev->offline_disabled = true;
		}
		break;
	}
	mutex_unlock(&blocks_lock);
	return result;
}

static struct notifier_block memory_notifier = { .notifier_call = memory_event };

/* --- Plans --- */

static enum v3_status plan_block(struct v3_lx_call *call, unsigned long number, int node,
				 bool movable, const void *owner)
{
	struct block *block;
	int err;

	block = kzalloc(sizeof(*block), GFP_KERNEL);
	if (!block)
		return V3_ERR_NOMEM;
	*block = (struct block){
		.number = number, .movable = movable, .node = node, .owner = owner,
		.dev = block_device(number),
	};
	if (!block->dev) {
		kfree(block);
		return v3_lx_fail(call, V3_ERR_NOENT,
				  "/sys/devices/system/memory/memory%lu is not there", number);
	}
	mutex_lock(&blocks_lock);
	err = xa_insert(&blocks, number, block, GFP_KERNEL);
	mutex_unlock(&blocks_lock);
	if (!err)
		return V3_OK;
	block_free(block);
	if (err == -EBUSY)
		return v3_lx_fail(call, V3_ERR_BUSY,
				  "memory block %lu is held, or somebody is taking it", number);
	return V3_ERR_NOMEM;
}

/* The kernel sets a block offline in spite of them, and remembers them. */
static bool has_errors(unsigned long number)
{
	unsigned long pages = block_pages(), pfn = number * pages, i;

	for (i = 0; i < pages; i++)
		if (PageHWPoison(pfn_to_page(pfn + i)))
			return true;
	return false;
}

/* Hot-added memory may have its own struct pages in it (memmap_on_memory), also when offline. */
static bool holds_memmap(unsigned long number)
{
	unsigned long pages = block_pages(), first = number * pages;
	unsigned long map = vmalloc_to_pfn(pfn_to_page(first));

	return map >= first && map < first + pages;
}

/*
 * All of it has to be memory that the kernel has booted with or was given since, so that it has
 * struct pages and is in the direct map, online or not: not a device's (pmem, CXL, VRAM).
 */
static enum v3_status check_block(struct v3_lx_call *call, unsigned long number, int node)
{
	unsigned long pages = block_pages(), pfn = number * pages, i;
	int real = phys_to_target_node(PFN_PHYS(pfn));

	for (i = 0; i < pages; i += PAGES_PER_SECTION)
		if (!pfn_valid(pfn + i))
			return v3_lx_fail(call, V3_ERR_NOENT, "this host has no memory block %lu",
					  number);
	if (region_intersects(PFN_PHYS(pfn), PFN_PHYS(pages), IORESOURCE_SYSTEM_RAM,
			      IORES_DESC_NONE) != REGION_INTERSECTS)
		return v3_lx_fail(call, V3_ERR_INVALID, "memory block %lu is not all RAM", number);
	if (holds_memmap(number))
		return v3_lx_fail(call, V3_ERR_NOTSUP,
				  "memory block %lu holds what the kernel knows of its pages (memmap_on_memory)",
				  number);
	if (has_errors(number))
		return v3_lx_fail(call, V3_ERR_IO,
				  "memory block %lu has a page with a hardware error", number);
	if (real != NUMA_NO_NODE && real != node)
		return v3_lx_fail(call, V3_ERR_INVALID,
				  "memory block %lu is on NUMA node %d, not %d", number, real,
				  node);
	return V3_OK;
}

static enum v3_status plan_range(struct v3_lx_call *call, const struct v3_ioc_mem_range *range,
				 const void *owner)
{
	u64 unit = memory_block_size_bytes(), end;
	enum v3_status status = V3_OK;
	u64 at;

	if (range->used || range->provider || range->reserved ||
	    range->flags & ~V3_IOC_MEM_MOVABLE)
		return v3_lx_fail(call, V3_ERR_INVALID,
				  "reserved fields or unknown flags are not zero");
	if (!range->size || range->start % unit || range->size % unit ||
	    check_add_overflow(range->start, range->size, &end) || end > PFN_PHYS(1ull << 40))
		return v3_lx_fail(call, V3_ERR_INVALID,
				  "0x%llx bytes at 0x%llx are no memory blocks of 0x%llx bytes",
				  range->size, range->start, unit);
	if (range->node < 0 || range->node >= MAX_NUMNODES || !node_online(range->node))
		return v3_lx_fail(call, V3_ERR_NOENT, "this host has no NUMA node %d",
				  range->node);
	for (at = range->start; !status && at < end; at += unit) {
		status = check_block(call, at / unit, range->node);
		if (!status)
			status = plan_block(call, at / unit, range->node,
					    range->flags & V3_IOC_MEM_MOVABLE, owner);
		if (signal_pending(current) && !status)
			status = V3_ERR_AGAIN;
	}
	return status;
}

enum v3_status v3_lx_offline_plan(struct v3_lx_call *call, const struct v3_ioc_mem_range *ranges,
				  u32 count, const void *owner)
{
	enum v3_status status = V3_OK;
	u32 i;

	for (i = 0; !status && i < count; i++)
		status = plan_range(call, &ranges[i], owner);
	return status;
}

/* --- Online again --- */

struct online_work {
	struct work_struct work;
	struct block *block;
	int err;
};

/* By a kernel's thread: with its rights, and in its file system. */
static void online_work(struct work_struct *base)
{
	struct online_work *work = container_of(base, struct online_work, work);
	const char *how = work->block->movable ? "online_movable" : "online_kernel";
	char path[64];
	struct file *file;
	loff_t pos = 0;
	ssize_t n;

	scnprintf(path, sizeof(path), "/sys/devices/system/memory/memory%lu/state",
		  work->block->number);
	file = filp_open(path, O_WRONLY, 0);
	if (IS_ERR(file)) {
		work->err = PTR_ERR(file);
		return;
	}
	n = kernel_write(file, how, strlen(how), &pos);
	work->err = n < 0 ? n : 0;
	filp_close(file, NULL);
}

/* Takes the block out of the registry. Its memory has been zeroed if a guest had it. */
static bool set_online(struct block *block)
{
	struct online_work work = { .block = block };
	unsigned long number = block->number;

	device_lock(block->dev);
	block->dev->offline_disabled = false;
	device_unlock(block->dev);
	INIT_WORK_ONSTACK(&work.work, online_work);
	queue_work(system_unbound_wq, &work.work);
	flush_work(&work.work);
	destroy_work_on_stack(&work.work);
	if (work.err)
		v3_lx_logf(V3_LOG_ERROR,
			   "memory block %lu cannot be set online: error %d; try 'echo online >/sys/devices/system/memory/memory%lu/state'",
			   number, work.err, number);
	mutex_lock(&blocks_lock);
	xa_erase(&blocks, number);
	mutex_unlock(&blocks_lock);
	block_free(block);
	return !work.err;
}

/* True if there was something to do, and the block is ours to set online. */
static bool leave_plan(unsigned long number, const void *owner, struct block **out)
{
	struct block *block;
	bool online = false;

	mutex_lock(&blocks_lock);
	block = xa_load(&blocks, number);
	if (block && block->owner == owner && block->state == TAKEN) {
		block->state = RETURNING;
		online = true;
	} else if (block && block->owner == owner && block->state == PLANNED) {
		xa_erase(&blocks, number);
		block_free(block);
	}
	mutex_unlock(&blocks_lock);
	*out = block;
	return online;
}

bool v3_lx_offline_unplan(u64 start, u64 size, const void *owner)
{
	unsigned long first = start / memory_block_size_bytes(), number;
	unsigned long last = (start + min(size, U64_MAX - start)) / memory_block_size_bytes();
	struct block *block;
	bool ok = true;

	if (!size)
		return true;
	last -= IS_ALIGNED(start + size, memory_block_size_bytes());
	mutex_lock(&blocks_lock);
	block = xa_find(&blocks, &first, last, XA_PRESENT);
	mutex_unlock(&blocks_lock);
	while (block) {
		number = first;
		if (leave_plan(number, owner, &block) && !set_online(block))
			ok = false;
		mutex_lock(&blocks_lock);
		block = number < last ? xa_find_after(&blocks, &first, last, XA_PRESENT) : NULL;
		mutex_unlock(&blocks_lock);
	}
	return ok;
}

/* --- Claims --- */

/* Really offline: no section of it is the page allocator's. */
static bool is_offline(unsigned long number)
{
	unsigned long pages = block_pages(), pfn = number * pages, i;

	if (onlining == number)
		return false;
	for (i = 0; i < pages; i += PAGES_PER_SECTION)
		if (!pfn_valid(pfn + i) || pfn_to_online_page(pfn + i))
			return false;
	return true;
}

enum v3_status v3_lx_offline_claim(const void *owner, struct v3_lx_range *range)
{
	enum v3_status status = V3_ERR_NOENT;
	struct block *block;
	unsigned long number;

	mutex_lock(&blocks_lock);
	xa_for_each(&blocks, number, block) {
		if (block->owner != owner || block->state != TAKEN || !is_offline(number))
			continue;
		*range = (struct v3_lx_range){
			.pfn = number * block_pages(), .count = block_pages(),
			.node = block->node, .offline = true,
		};
		block->state = CLAIMED;
		block->owner = NULL;
		status = V3_OK;
		break;
	}
	mutex_unlock(&blocks_lock);
	return status;
}

void v3_lx_offline_unclaim(const struct v3_lx_range *range, const void *owner)
{
	struct block *block;

	mutex_lock(&blocks_lock);
	block = xa_load(&blocks, range->pfn / block_pages());
	if (block) {
		block->state = TAKEN;
		block->owner = owner;
	}
	mutex_unlock(&blocks_lock);
}

bool v3_lx_offline_release(unsigned long pfn, size_t count)
{
	unsigned long number = pfn / block_pages(), end = (pfn + count) / block_pages();
	struct v3_lx_progress *progress = v3_lx_progress();
	struct block *block;
	bool ok = true;

	for (; number < end; number++) {
		mutex_lock(&blocks_lock);
		block = xa_load(&blocks, number);
		if (block)
			block->state = RETURNING;
		mutex_unlock(&blocks_lock);
		if (block && !set_online(block))
			ok = false;
		WRITE_ONCE(progress->done, progress->done + memory_block_size_bytes());
	}
	return ok;
}

size_t v3_lx_offline_unit(void)
{
	return block_pages();
}

int v3_lx_offline_init(void)
{
	return register_memory_notifier(&memory_notifier);
}

void v3_lx_offline_exit(void)
{
	unregister_memory_notifier(&memory_notifier);
	WARN_ON(!xa_empty(&blocks));
	xa_destroy(&blocks);
}
