/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Memory for libv3: page runs up to the buddy allocator's largest order from it, larger ones by
 * evacuating a range of the host's memory (alloc_contig_range), and small objects from kmalloc.
 */
#include <linux/atomic.h>
#include <linux/log2.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/topology.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>

#include <asm/dma.h>
#include <asm/io.h>

#include "compat.h"
#include "lx.h"

static unsigned int reserve_mb = 64;
module_param(reserve_mb, uint, 0644);
MODULE_PARM_DESC(reserve_mb, "MiB of available memory that guests leave to the host (default 64)");

static unsigned int search_seconds = 20;
module_param(search_seconds, uint, 0644);
MODULE_PARM_DESC(search_seconds, "Longest search for the large blocks of memory of a VM (default 20)");

static atomic_long_t pages_in_use, heap_in_use;

static int get_counter(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%ld\n", atomic_long_read(kp->arg));
}

static const struct kernel_param_ops counter_ops = { .get = get_counter };
module_param_cb(pages_in_use, &counter_ops, &pages_in_use, 0444);
MODULE_PARM_DESC(pages_in_use, "Pages that VMs hold (read only)");
module_param_cb(heap_in_use, &counter_ops, &heap_in_use, 0444);
MODULE_PARM_DESC(heap_in_use, "Bytes of small objects that VMs and the module hold (read only)");

/*
 * All page runs given out, by first page frame: number of pages << 1 | came from
 * alloc_contig_range. So page_free knows how, and refuses what was never given.
 */
static DEFINE_XARRAY(runs);

static enum v3_status run_add(unsigned long pfn, size_t count, bool contig)
{
	void *entry = xa_mk_value(count << 1 | contig);

	if (xa_err(xa_store(&runs, pfn, entry, GFP_KERNEL)))
		return V3_ERR_NOMEM;
	atomic_long_add(count, &pages_in_use);
	return V3_OK;
}

static void free_run(unsigned long pfn, size_t count, bool contig)
{
	const size_t chunk = 1ul << 15;
	size_t i, n;

	if (!contig) {
		for (i = 0; i < count; i++)
			__free_page(pfn_to_page(pfn + i));
		return;
	}
	/* page by page inside: do not keep the CPU for all of a large guest */
	for (i = 0; i < count; i += n) {
		n = min(chunk, count - i);
		free_contig_range(pfn + i, n);
		cond_resched();
	}
}

/* @limit: first page frame that is too high. */
static bool alloc_buddy(unsigned int order, size_t count, int node, unsigned long limit, gfp_t gfp,
			unsigned long *pfn)
{
	struct page *page;
	size_t i;

	/* RETRY_MAYFAIL: rather no VM than the host's OOM killer */
	gfp |= GFP_KERNEL | __GFP_NOWARN | __GFP_RETRY_MAYFAIL;
	if (node != V3_NODE_ANY)
		gfp |= __GFP_THISNODE;
	page = alloc_pages_node(node, gfp, order);
	if (!page)
		return false;
	*pfn = page_to_pfn(page);
	if (*pfn + count > limit) {
		__free_pages(page, order);
		return false;
	}
	/* single pages from here on, without those that round up to a power of two */
	if (order)
		split_page(page, order);
	for (i = count; i < 1ul << order; i++)
		__free_page(page + i);
	return true;
}

/* From the highest zone that can lie below the limit, then from lower ones. */
static bool alloc_small(unsigned int order, size_t count, int node, unsigned long limit,
			unsigned long *pfn)
{
	if (limit > MAX_DMA32_PFN && alloc_buddy(order, count, node, limit, 0, pfn))
		return true;
	if (limit > MAX_DMA_PFN && limit != ULONG_MAX &&
	    alloc_buddy(order, count, node, limit, GFP_DMA32, pfn))
		return true;
	return limit != ULONG_MAX && alloc_buddy(order, count, node, limit, GFP_DMA, pfn);
}

/* Search for a range that can be evacuated. */
struct search {
	size_t count, align;		/* in pages */
	unsigned long limit;		/* first page frame that is too high */
	bool strict;			/* pass over whatever may not be movable */
	unsigned long deadline;		/* jiffies */
	unsigned int attempts;		/* that failed */
	unsigned long found;
};

enum search_result { SEARCH_FOUND, SEARCH_NOT_HERE, SEARCH_STOP };

/*
 * A look without locks: what is wrong about the page may change at once. alloc_contig_range()
 * decides; this only saves attempts that cannot succeed. Whether there is a memory map at all is
 * the same for a whole pageblock, and ranges begin with one: it is asked at its first page.
 */
static bool page_plausible(const struct search *search, struct zone *zone, unsigned long pfn)
{
	struct page *page;

	if (pfn % pageblock_nr_pages == 0 && !pfn_to_online_page(pfn))
		return false;
	page = pfn_to_page(pfn);
	if (page_zone(page) != zone || PageReserved(page) || PageHWPoison(page))
		return false;
	if (!search->strict)
		return true;
	return !page_count(page) || PageLRU(page);
}

static bool search_over(const struct search *search)
{
	return time_after(jiffies, search->deadline) || fatal_signal_pending(current);
}

/*
 * alloc_contig_range() does not let go of the CPU, and many kernels zero all pages inside of it
 * (init_on_alloc): large ranges are taken in pieces. *bad is the start of the piece that failed.
 */
#define PIECE ((128ul << 20) >> PAGE_SHIFT)

static int take_range(unsigned long start, size_t count, unsigned long *bad)
{
	size_t done, n;
	int err;

	for (done = 0; done < count; done += n) {
		n = min(PIECE, count - done);
		err = -EINTR;
		if (!fatal_signal_pending(current))
			err = v3_lx_alloc_contig_range(start + done, start + done + n,
						       GFP_KERNEL | __GFP_NOWARN |
						       __GFP_RETRY_MAYFAIL);
		if (err) {
			free_run(start, done, true);
			*bad = start + done;
			return err;
		}
		cond_resched();
	}
	return 0;
}

static enum search_result search_zone(struct search *search, struct zone *zone)
{
	unsigned long start = ALIGN(zone->zone_start_pfn, search->align), pfn = start;
	unsigned long end = min(zone_end_pfn(zone), search->limit);
	unsigned long step = min(search->count, PIECE) / 4;
	unsigned long steps = 0, bad;
	int err;

	/* [start, pfn) was looked at and is plausible */
	while (start < end && search->count <= end - start) {
		if (++steps % 8192 == 0) {
			cond_resched();
			if (search_over(search))
				return SEARCH_STOP;
		}
		if (pfn < start + search->count) {
			if (page_plausible(search, zone, pfn))
				pfn++;
			else
				pfn = start = ALIGN(pfn + 1, search->align);
			continue;
		}
		err = take_range(start, search->count, &bad);
		if (!err) {
			search->found = start;
			return SEARCH_FOUND;
		}
		search->attempts++;
		if (err == -EINTR || err == -ENOMEM || search_over(search))
			return SEARCH_STOP;
		/* what is in the way is somewhere in that piece */
		start = ALIGN(bad + step, search->align);
		pfn = max(pfn, start);
	}
	return SEARCH_NOT_HERE;
}

/* From the highest zone down: devices need the low ones. ZONE_DMA is left to them. */
static enum search_result search_node(struct search *search, int node)
{
	enum search_result result;
	struct zone *zone;
	int i;

	for (i = ZONE_MOVABLE; i >= ZONE_DMA32; i--) {
		zone = &NODE_DATA(node)->node_zones[i];
		if (!populated_zone(zone))
			continue;
		result = search_zone(search, zone);
		if (result != SEARCH_NOT_HERE)
			return result;
	}
	return SEARCH_NOT_HERE;
}

/* The given node, or all with memory from the nearest to the farthest. */
static enum search_result search_nodes(struct search *search, int node)
{
	enum search_result result;
	nodemask_t left;
	int i, best;

	if (node != V3_NODE_ANY)
		return search_node(search, node);
	left = node_states[N_MEMORY];
	while (!nodes_empty(left)) {
		best = first_node(left);
		for_each_node_mask(i, left)
			if (node_distance(numa_mem_id(), i) < node_distance(numa_mem_id(), best))
				best = i;
		result = search_node(search, best);
		if (result != SEARCH_NOT_HERE)
			return result;
		node_clear(best, left);
	}
	return SEARCH_NOT_HERE;
}

/*
 * First only ranges in which all pages look free or movable, then any without holes: pages on
 * their way to an LRU list look unmovable and are not.
 */
static bool alloc_contig(struct search *search, int node)
{
	struct v3_lx_call *call = v3_lx_call_current();
	enum search_result result;

	/* one limit for all the blocks of a VM, and for the smaller ones tried after large ones */
	search->deadline = jiffies + search_seconds * HZ;
	if (call && !call->search_end)
		call->search_end = search->deadline;
	else if (call)
		search->deadline = call->search_end;
	search->strict = true;
	result = search_nodes(search, node);
	if (result == SEARCH_NOT_HERE) {
		search->strict = false;
		result = search_nodes(search, node);
	}
	return result == SEARCH_FOUND;
}

/* Leaves the host something to live on. */
static bool enough_available(size_t count)
{
	long available = si_mem_available();
	unsigned long reserve = (unsigned long)reserve_mb << (20 - PAGE_SHIFT);

	return available >= 0 && count <= available && reserve <= available - count;
}

enum v3_status v3_lx_memory_check(struct v3_lx_call *call, const char *name, u64 bytes)
{
	if (bytes >> PAGE_SHIFT <= totalram_pages() && enough_available(bytes >> PAGE_SHIFT))
		return V3_OK;
	return v3_lx_fail(call, V3_ERR_NOMEM,
			  "VM '%s': %llu MiB of memory asked for: the host has %ld MiB available and keeps %u MiB of it (reserve_mb)",
			  name, bytes >> 20, max(si_mem_available(), 0l) >> (20 - PAGE_SHIFT),
			  reserve_mb);
}

static bool alloc_run(size_t count, size_t align, int node, unsigned long limit,
		      unsigned long *pfn, bool *contig)
{
	unsigned int order = max_t(unsigned int, order_base_2(count), ilog2(align));
	struct search search = { .count = count, .limit = limit };

	*contig = false;
	if (order <= V3_LX_MAX_ORDER && alloc_small(order, count, node, limit, pfn))
		return true;
	if (order <= PAGE_ALLOC_COSTLY_ORDER)
		return false;
	*contig = true;
	search.align = max_t(size_t, align, pageblock_nr_pages);
	if (alloc_contig(&search, node)) {
		*pfn = search.found;
		return true;
	}
	v3_lx_logf(V3_LOG_DEBUG, "no range of %zu MiB at %zu MiB alignment%s (%u tried)",
		   count >> (20 - PAGE_SHIFT), align >> (20 - PAGE_SHIFT),
		   search_over(&search) ? " in time" : "", search.attempts);
	return false;
}

enum v3_status v3_lx_page_alloc(void *ctx, size_t count, size_t align, int node, uint64_t limit,
				v3_hpa_t *hpa)
{
	unsigned long limit_pfn = limit ? limit >> PAGE_SHIFT : ULONG_MAX;
	unsigned long pfn;
	bool contig;

	if (!count || count > totalram_pages() || !is_power_of_2(align) || align > 1ul << 30)
		return V3_ERR_NOMEM;
	if (node != V3_NODE_ANY &&
	    (node < 0 || node >= MAX_NUMNODES || !node_state(node, N_MEMORY)))
		return V3_ERR_NOMEM;
	if (!enough_available(count) ||
	    !alloc_run(count, align, node, limit_pfn, &pfn, &contig))
		return V3_ERR_NOMEM;
	if (run_add(pfn, count, contig)) {
		free_run(pfn, count, contig);
		return V3_ERR_NOMEM;
	}
	*hpa = PFN_PHYS(pfn);
	return V3_OK;
}

void v3_lx_page_free(void *ctx, v3_hpa_t hpa, size_t count)
{
	unsigned long pfn = PHYS_PFN(hpa), value;
	void *entry = xa_load(&runs, pfn);

	value = entry ? xa_to_value(entry) : 0;
	if (WARN_ONCE(value >> 1 != count, "v3: page_free of %zu pages at 0x%llx, which has %lu",
		      count, (unsigned long long)hpa, value >> 1))
		return;
	xa_erase(&runs, pfn);
	free_run(pfn, count, value & 1);
	atomic_long_sub(count, &pages_in_use);
}

/* kmalloc aligns to 8 bytes only, except that sizes of a power of two are aligned to themselves. */
void *v3_lx_heap_alloc(void *ctx, size_t size)
{
	void *ptr;

	if (!size || size > KMALLOC_MAX_SIZE)
		return NULL;
	ptr = kzalloc(size, GFP_KERNEL | __GFP_NOWARN);
	if (ptr && !IS_ALIGNED((unsigned long)ptr, 16)) {
		kfree(ptr);
		ptr = kzalloc(roundup_pow_of_two(max_t(size_t, size, 16)),
			      GFP_KERNEL | __GFP_NOWARN);
	}
	if (ptr)
		atomic_long_add(size, &heap_in_use);
	return ptr;
}

void v3_lx_heap_free(void *ctx, void *ptr, size_t size)
{
	if (!ptr)
		return;
	kfree(ptr);
	atomic_long_sub(size, &heap_in_use);
}

v3_hpa_t v3_lx_virt_to_phys(void *ctx, const void *virt)
{
	return __pa(virt);
}

void v3_lx_memory_exit(void)
{
	long pages = atomic_long_read(&pages_in_use), heap = atomic_long_read(&heap_in_use);

	WARN(pages || heap, "v3: %ld pages and %ld bytes were not given back", pages, heap);
	xa_destroy(&runs);
}
