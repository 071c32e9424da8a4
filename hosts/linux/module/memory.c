/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Memory for libv3: page runs up to the buddy allocator's largest order from it, larger ones from
 * contig.c, and small objects from kmalloc.
 */
#include <linux/atomic.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>

#include <asm/dma.h>
#include <asm/io.h>

#include "blocks.h"
#include "compat.h"

static unsigned int reserve_mb = 64;
module_param(reserve_mb, uint, 0644);
MODULE_PARM_DESC(reserve_mb, "MiB of available memory that guests leave to the host (default 64)");

static unsigned int search_seconds = 20;
module_param(search_seconds, uint, 0644);
MODULE_PARM_DESC(search_seconds, "Seconds that the search for the large blocks of a VM may spend in vain (default 20)");

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

/* What guest memory has cost in all; for benchmarks. */
static atomic_long_t spent_ns[V3_LX_SPENT_COUNT];
module_param_cb(claim_ns, &counter_ops, &spent_ns[V3_LX_SPENT_CLAIM], 0444);
MODULE_PARM_DESC(claim_ns, "Nanoseconds spent on finding memory for VMs (read only)");
module_param_cb(zero_ns, &counter_ops, &spent_ns[V3_LX_SPENT_ZERO], 0444);
MODULE_PARM_DESC(zero_ns, "Nanoseconds spent on zeroing it (read only)");

void v3_lx_spent(enum v3_lx_spent what, u64 start)
{
	atomic_long_add(ktime_get_ns() - start, &spent_ns[what]);
}

/*
 * All page runs given out, by first page frame: number of pages << 1 | is from contig.c. So
 * page_free knows how, and refuses what was never given.
 */
static DEFINE_XARRAY(runs);

void v3_lx_pages_count(long pages)
{
	atomic_long_add(pages, &pages_in_use);
}

static void free_run(unsigned long pfn, size_t count, bool contig)
{
	size_t i;

	if (contig)
		return v3_lx_contig_free(pfn, count);
	for (i = 0; i < count; i++)
		__free_page(pfn_to_page(pfn + i));
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

bool v3_lx_memory_available(size_t count)
{
	long available = si_mem_available();
	unsigned long reserve = (unsigned long)reserve_mb << (20 - PAGE_SHIFT);

	return available >= 0 && count <= available && reserve <= available - count;
}

enum v3_status v3_lx_memory_check(struct v3_lx_call *call, const char *name, u64 bytes)
{
	u64 held = v3_lx_blocks_unused();

	if (bytes <= held || ((bytes - held) >> PAGE_SHIFT <= totalram_pages() &&
			      v3_lx_memory_available((bytes - held) >> PAGE_SHIFT)))
		return V3_OK;
	return v3_lx_fail(call, V3_ERR_NOMEM,
			  "VM '%s': %llu MiB of memory asked for: the host has %ld MiB available and keeps %u MiB of it (reserve_mb)",
			  name, bytes >> 20, max(si_mem_available(), 0l) >> (20 - PAGE_SHIFT),
			  reserve_mb);
}

unsigned int v3_lx_memory_reserve(void)
{
	return reserve_mb;
}

/* One limit for all that a request searches for, and for the smaller ranges tried after larger. */
static unsigned long deadline(void)
{
	struct v3_lx_call *call = v3_lx_call_current();
	unsigned long end = jiffies + search_seconds * HZ;

	if (!call)
		return end;
	if (!call->search_end)
		call->search_end = end;
	return call->search_end;
}

/* What was found is not counted: a slow host may take its time for a large guest. */
static void not_in_vain(unsigned long begin)
{
	struct v3_lx_call *call = v3_lx_call_current();

	if (call)
		call->search_end += jiffies - begin;
}

/* Small ones from the page allocator, others as contig.c finds them. */
static bool alloc_run(struct v3_lx_search *search, bool *contig)
{
	unsigned int order = max_t(unsigned int, order_base_2(search->count),
				   ilog2(search->align));
	unsigned long begin = jiffies;

	*contig = false;
	if (order <= V3_LX_MAX_ORDER &&
	    alloc_small(order, search->count, search->node, search->limit, &search->found))
		return true;
	if (order <= PAGE_ALLOC_COSTLY_ORDER)
		return false;
	*contig = true;
	search->deadline = deadline();
	if (!v3_lx_contig_alloc(search))
		return false;
	not_in_vain(begin);
	return true;
}

enum v3_status v3_lx_run_alloc(struct v3_lx_search *search)
{
	bool contig;

	if (!search->count || search->count > totalram_pages() || !is_power_of_2(search->align) ||
	    search->align > 1ul << 30)
		return V3_ERR_NOMEM;
	if (search->node != V3_NODE_ANY &&
	    (search->node < 0 || search->node >= MAX_NUMNODES ||
	     !node_state(search->node, N_MEMORY)))
		return V3_ERR_NOMEM;
	search->reserve = !v3_lx_memory_available(search->count);
	if (search->reserve || !alloc_run(search, &contig))
		return V3_ERR_NOMEM;
	if (xa_err(xa_store(&runs, search->found, xa_mk_value(search->count << 1 | contig),
			    GFP_KERNEL))) {
		free_run(search->found, search->count, contig);
		return V3_ERR_NOMEM;
	}
	v3_lx_pages_count(search->count);
	return V3_OK;
}

void v3_lx_run_forget(unsigned long pfn)
{
	void *entry = xa_erase(&runs, pfn);

	if (!WARN_ON(!entry))
		v3_lx_pages_count(-(long)(xa_to_value(entry) >> 1));
}

enum v3_status v3_lx_page_alloc(void *ctx, size_t count, size_t align, int node, uint64_t limit,
				v3_hpa_t *hpa)
{
	struct v3_lx_search search = {
		.count = count, .align = align, .node = node,
		.limit = limit ? limit >> PAGE_SHIFT : ULONG_MAX,
	};
	enum v3_status status = v3_lx_run_alloc(&search);

	*hpa = PFN_PHYS(search.found);
	return status;
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
	v3_lx_pages_count(-(long)count);
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
