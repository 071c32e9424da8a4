/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Large blocks for guests. What 'v3 mem take' has taken is held in a pool, in which all that is
 * free is zeros. A VM that wants more than that gets page runs of its own, which go back to the
 * host with it.
 */
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include <v3/pool.h>

#include "blocks.h"

#define GIB (1ull << 30)

/* A range of the pool; its cookie. */
struct held {
	bool offline;			/* by offline.c, else from the page allocator */
	bool given;			/* goes back as soon as no VM uses any of it */
};

static DEFINE_MUTEX(pool_lock);

static void *pool_alloc(void *ctx, size_t size)
{
	return kmalloc(size, GFP_KERNEL);
}

static void pool_free(void *ctx, void *ptr, size_t size)
{
	kfree(ptr);
}

static struct v3_pool pool = { .mem = { .alloc = pool_alloc, .free = pool_free } };

/* Held ranges on their way back to the host: taken out of the pool under the lock, then freed. */
struct back {
	struct list_head link;
	v3_hpa_t hpa;
	u64 size;
	int node;
	bool offline;
};

static bool back_free(struct list_head *list, u64 *bytes)
{
	struct back *back, *next;
	bool ok = true;

	list_for_each_entry_safe(back, next, list, link) {
		if (back->offline)
			ok &= v3_lx_offline_release(PHYS_PFN(back->hpa), PHYS_PFN(back->size));
		else
			v3_lx_contig_free(PHYS_PFN(back->hpa), PHYS_PFN(back->size));
		*bytes += back->size;
		kfree(back);
	}
	return ok;
}

/* Takes an unused range out of the pool, but for its last bytes. Needs pool_lock. */
static bool back_add(struct list_head *list, const struct v3_pool_piece *range, u64 keep)
{
	struct back *back = kmalloc(sizeof(*back), GFP_KERNEL | __GFP_NOFAIL);
	struct held *held = range->cookie;

	if (v3_pool_remove(&pool, range->hpa, range->size)) {
		kfree(back);
		return false;
	}
	if (keep && v3_pool_add(&pool, range->hpa + range->size - keep, keep, range->node, held))
		keep = 0;
	*back = (struct back){
		.hpa = range->hpa, .size = range->size - keep, .node = range->node,
		.offline = held->offline,
	};
	list_add_tail(&back->link, list);
	if (!keep)
		kfree(held);
	return true;
}

/* Ranges that were given back while in use, and are not any more. Needs pool_lock. */
static void give_late(struct list_head *list)
{
	struct v3_pool_piece range;
	v3_hpa_t from = 0;

	for (; v3_pool_range(&pool, from, &range); from = range.hpa + range.size)
		if (!range.used && ((struct held *)range.cookie)->given)
			back_add(list, &range, 0);
}

/* --- The hooks --- */

/* What a VM has, by first page frame; under pool_lock. */
struct claim {
	const struct v3_lx_vm *vm;
	u64 size;
	int node;
	bool held;			/* of the pool, else a page run */
	bool zero;			/* nobody has written to it */
};
static DEFINE_XARRAY(claims);

/*
 * A page with a hardware error that came while it is held, in what is claimed, and its range. Of memory
 * that is offline the kernel keeps no books. Needs pool_lock.
 */
static bool find_bad(v3_hpa_t hpa, u64 size, struct v3_pool_piece *range, v3_hpa_t *bad)
{
	v3_hpa_t end = hpa + size, last;
	bool more;

	for (more = v3_pool_range(&pool, 0, range); more && range->hpa < end;
	     more = v3_pool_range_after(range)) {
		if (((struct held *)range->cookie)->offline)
			continue;
		last = min(end, range->hpa + range->size);
		for (*bad = max(hpa, range->hpa); *bad < last; *bad += V3_PAGE_SIZE)
			if (PageHWPoison(pfn_to_page(PHYS_PFN(*bad))))
				return true;
	}
	return false;
}

/*
 * A range with a hardware error leaves the pool, for the host, which knows what of it not to use;
 * false: later, when no VM uses any of it. Needs pool_lock.
 */
static bool drop_bad(struct list_head *list, v3_hpa_t hpa, v3_hpa_t bad)
{
	struct v3_pool_piece range;
	struct held *held;

	v3_pool_range(&pool, hpa, &range);
	held = range.cookie;
	if (!held->given)
		v3_lx_logf(V3_LOG_WARN,
			   "hardware error at 0x%llx, in memory held for guests: %llu MiB go back to the host%s",
			   (unsigned long long)bad, (unsigned long long)range.size >> 20,
			   range.used ? " when the guest in them ends" : "");
	held->given = true;
	return !range.used && back_add(list, &range, 0);
}

/* From what is held; ranges with hardware errors may leave it by @list. Needs pool_lock. */
static enum v3_status claim_held(const struct v3_block_request *request, struct claim *claim,
				 v3_hpa_t *hpa, struct list_head *list)
{
	struct v3_pool_piece range;
	enum v3_status status;
	v3_hpa_t bad;

	claim->held = claim->zero = true;
	for (;;) {
		status = v3_pool_claim(&pool, request, claim, hpa, &claim->node);
		if (status || !find_bad(*hpa, request->size, &range, &bad))
			return status;
		WARN_ON(v3_pool_free(&pool, *hpa, request->size));
		if (!drop_bad(list, range.hpa, bad))
			return V3_ERR_NOMEM;
	}
}

/* For the message of a request that is about to fail. */
static void tell(const struct v3_lx_search *search)
{
	enum v3_lx_obstacle obstacle = v3_lx_obstacle(search);
	char where[24] = "any node";

	if (search->node != V3_NODE_ANY)
		scnprintf(where, sizeof(where), "node %d", search->node);
	if (search->reserve)
		v3_lx_logf(V3_LOG_WARN, "the host keeps %u MiB (reserve_mb)",
			   v3_lx_memory_reserve());
	else if (search->expired)
		v3_lx_logf(V3_LOG_WARN, "%s: the search took too long (search_seconds)", where);
	else if (obstacle)
		v3_lx_logf(V3_LOG_WARN, "%s: at 0x%llx %s is in the way", where,
			   PFN_PHYS((u64)search->met[obstacle].pfn), v3_lx_obstacle_text(obstacle));
}

/* From the host. Takes its time. */
static enum v3_status claim_run(const struct v3_block_request *request, struct claim *claim,
				v3_hpa_t *hpa)
{
	struct v3_lx_search search = {
		.count = PHYS_PFN(request->size), .align = PHYS_PFN(request->align),
		.node = request->node, .limit = ULONG_MAX,
	};

	claim->held = false;
	claim->zero = v3_lx_host_zeroes();
	if (!v3_lx_run_alloc(&search)) {
		*hpa = PFN_PHYS((u64)search.found);
		claim->node = page_to_nid(pfn_to_page(search.found));
		return V3_OK;
	}
	if (search.expired || request->size <= V3_POOL_UNIT)
		tell(&search);
	return search.expired ? V3_ERR_TIMEOUT : V3_ERR_NOMEM;
}

static enum v3_status claim_any(const struct v3_block_request *request, struct claim *claim,
				v3_hpa_t *hpa)
{
	enum v3_status status;
	LIST_HEAD(bad);
	u64 bytes = 0;

	mutex_lock(&pool_lock);
	status = claim_held(request, claim, hpa, &bad);
	mutex_unlock(&pool_lock);
	back_free(&bad, &bytes);
	if (!status)
		v3_lx_pages_count(PHYS_PFN(request->size));
	if (!status || !claim->vm->held_only)
		return status ? claim_run(request, claim, hpa) : V3_OK;
	if (request->size <= V3_POOL_UNIT)
		v3_lx_logf(V3_LOG_WARN,
			   "no more memory is held there: 'v3 mem take' takes more");
	return V3_ERR_NOMEM;
}

/* Back to the pool, or to the host. */
static void unclaim(const struct claim *claim, v3_hpa_t hpa)
{
	LIST_HEAD(list);
	u64 bytes = 0;

	if (!claim->held)
		return v3_lx_page_free(NULL, hpa, PHYS_PFN(claim->size));
	mutex_lock(&pool_lock);
	WARN_ON(v3_pool_free(&pool, hpa, claim->size));
	give_late(&list);
	mutex_unlock(&pool_lock);
	v3_lx_pages_count(-(long)PHYS_PFN(claim->size));
	back_free(&list, &bytes);
}

enum v3_status v3_lx_block_claim(void *ctx, void *vm_ctx, const struct v3_block_request *request,
				 v3_hpa_t *hpa, int32_t *node)
{
	struct claim *claim = kzalloc(sizeof(*claim), GFP_KERNEL);
	u64 start = ktime_get_ns();
	enum v3_status status;
	int err;

	if (!claim)
		return V3_ERR_NOMEM;
	claim->vm = vm_ctx;
	claim->size = request->size;
	status = claim_any(request, claim, hpa);
	v3_lx_spent(V3_LX_SPENT_CLAIM, start);
	if (status) {
		kfree(claim);
		return status;
	}
	mutex_lock(&pool_lock);
	err = xa_err(xa_store(&claims, PHYS_PFN(*hpa), claim, GFP_KERNEL));
	mutex_unlock(&pool_lock);
	*node = claim->node;
	if (err) {
		unclaim(claim, *hpa);
		kfree(claim);
		return V3_ERR_NOMEM;
	}
	return V3_OK;
}

enum v3_status v3_lx_block_zero(void *ctx, void *vm_ctx, v3_hpa_t hpa, uint64_t size,
				int32_t node)
{
	struct v3_lx_progress *progress = v3_lx_progress();
	v3_hpa_t end = hpa + size;
	struct claim *claim;

	if (progress->phase != V3_IOC_MEM_PHASE_ZERO)
		v3_lx_progress_begin(progress, V3_IOC_MEM_PHASE_ZERO, progress->total);
	for (; hpa < end; hpa += claim->size) {
		mutex_lock(&pool_lock);
		claim = xa_load(&claims, PHYS_PFN(hpa));
		mutex_unlock(&pool_lock);
		if (WARN_ON_ONCE(!claim))
			return V3_ERR_INTERNAL;
		/* it is the VM's, which the caller is making: it stays */
		if (!claim->zero && !v3_lx_zero(PHYS_PFN(hpa), PHYS_PFN(claim->size), claim->node,
						true))
			return V3_ERR_TIMEOUT;
		if (claim->zero)
			WRITE_ONCE(progress->done, progress->done + claim->size);
	}
	return V3_OK;
}

void v3_lx_block_release(void *ctx, void *vm_ctx, v3_hpa_t hpa, uint64_t size, bool used)
{
	struct claim *claim;

	mutex_lock(&pool_lock);
	claim = xa_erase(&claims, PHYS_PFN(hpa));
	mutex_unlock(&pool_lock);
	if (WARN_ONCE(!claim || claim->size != size,
		      "v3: release of 0x%llx bytes at 0x%llx, which nobody has",
		      (unsigned long long)size, (unsigned long long)hpa))
		return;
	/* without guest the pool's are zeros still, and the host has seen the others */
	if (used)
		v3_lx_zero(PHYS_PFN(hpa), PHYS_PFN(size), claim->node, false);
	unclaim(claim, hpa);
	kfree(claim);
}

enum v3_status v3_lx_block_query(void *ctx, int32_t node, struct v3_block_info *info)
{
	if (node != V3_NODE_ANY && (node < 0 || node >= MAX_NUMNODES || !node_online(node)))
		return V3_ERR_NOENT;
	mutex_lock(&pool_lock);
	v3_pool_query(&pool, node, info);
	mutex_unlock(&pool_lock);
	return V3_OK;
}

u64 v3_lx_blocks_unused(void)
{
	struct v3_block_info info;

	v3_lx_block_query(NULL, V3_NODE_ANY, &info);
	return info.free;
}

/* --- Taking and giving --- */

/* Needs pool_lock. */
static enum v3_status add_one(unsigned long pfn, size_t count, int node, bool offline)
{
	struct held *held = kzalloc(sizeof(*held), GFP_KERNEL);
	enum v3_status status;

	if (!held)
		return V3_ERR_NOMEM;
	held->offline = offline;
	status = v3_pool_add(&pool, PFN_PHYS((u64)pfn), PFN_PHYS((u64)count), node, held);
	if (status)
		kfree(held);
	return status;
}

/* Needs pool_lock, and that nobody had it since that was added. */
static void remove_from(unsigned long pfn, size_t count)
{
	v3_hpa_t from = PFN_PHYS((u64)pfn), end = from + PFN_PHYS((u64)count);
	struct v3_pool_piece range;

	while (v3_pool_range(&pool, from, &range) && range.hpa < end) {
		WARN_ON(v3_pool_remove(&pool, range.hpa, range.size));
		kfree(range.cookie);
		from = range.hpa + range.size;
	}
}

/*
 * In ranges of that size, as one that a VM uses in part cannot go in part. Claims know no borders
 * between ranges.
 */
#define RANGE ((64ul << 20) >> PAGE_SHIFT)

/* Needs pool_lock. */
static enum v3_status hold_range(const struct v3_lx_range *range)
{
	size_t unit = range->offline ? range->count : RANGE, done = 0, n;
	enum v3_status status = V3_OK;

	while (!status && done < range->count) {
		n = min(unit, range->count - done);
		status = add_one(range->pfn + done, n, range->node, range->offline);
		done += status ? 0 : n;
	}
	if (status)
		remove_from(range->pfn, done);
	return status;
}

enum v3_status v3_lx_blocks_add(const struct list_head *ranges)
{
	enum v3_status status = V3_OK;
	struct v3_lx_range *range;

	mutex_lock(&pool_lock);
	list_for_each_entry(range, ranges, link) {
		status = hold_range(range);
		if (status)
			break;
	}
	if (status)
		list_for_each_entry_continue_reverse(range, ranges, link)
			remove_from(range->pfn, range->count);
	mutex_unlock(&pool_lock);
	return status;
}

static bool can_give(const struct v3_pool_piece *range, int node)
{
	return !range->used && (node == V3_NODE_ANY || range->node == node);
}

/* What goes next if only so much is to go. */
struct give_step {
	bool offline;			/* memory blocks, which go as a whole */
	bool any;			/* also of aligned GiBs that are free as a whole */
};

/* Whether no whole free GiB is the less for it. *piece: as of an earlier range, or the first. */
static bool is_loose(const struct v3_pool_piece *range, struct v3_pool_piece *piece)
{
	v3_hpa_t end = range->hpa + range->size, first, last;

	while (piece->hpa + piece->size <= range->hpa)
		if (!v3_pool_next(&pool, piece->hpa + piece->size, piece))
			return true;
	first = ALIGN(piece->hpa, GIB);
	last = ALIGN_DOWN(piece->hpa + piece->size, GIB);
	return first >= last || end <= first || range->hpa >= last;
}

/* Returns what is still to go. Needs pool_lock. */
static u64 give_by(struct list_head *list, u64 left, int node, const struct give_step *step)
{
	struct v3_pool_piece range, piece = {};
	v3_hpa_t from = 0;
	u64 keep;

	for (; left && v3_pool_range(&pool, from, &range); from = range.hpa + range.size) {
		keep = range.size > left ? range.size - left : 0;
		if (can_give(&range, node) && (step->any || is_loose(&range, &piece)) &&
		    ((struct held *)range.cookie)->offline == step->offline &&
		    !(keep && step->offline) && back_add(list, &range, keep))
			left -= range.size - keep;
		cond_resched();
	}
	return left;
}

/* Gives it back to the pool: not all could be had. What the pool has no memory to note stays. */
static void back_undo(struct list_head *list)
{
	struct back *back, *next;
	struct held *held;

	list_for_each_entry_safe(back, next, list, link) {
		held = kzalloc(sizeof(*held), GFP_KERNEL | __GFP_NOFAIL);
		held->offline = back->offline;
		if (v3_pool_add(&pool, back->hpa, back->size, back->node, held)) {
			kfree(held);
			continue;
		}
		list_del(&back->link);
		kfree(back);
	}
}

/*
 * Whole aligned GiBs are kept as long as there is something else. If it does not come out even so,
 * what goes only as a whole goes first: nothing comes out more often.
 */
static enum v3_status give_some(struct list_head *list, u64 size, int node)
{
	static const struct give_step steps[] = {
		{ true, false }, { false, false }, { true, true }, { false, true },
	};
	u64 left = size;
	int i;

	for (i = 0; i < 4; i++)
		left = give_by(list, left, node, &steps[i]);
	if (!left)
		return V3_OK;
	back_undo(list);
	for (i = 2, left = size; i < 4; i++)
		left = give_by(list, left, node, &steps[i]);
	if (left)
		back_undo(list);
	return left ? V3_ERR_NOMEM : V3_OK;
}

/* All that is unused goes, the rest when it is. */
static void give_all(struct list_head *list, int node, u64 *later)
{
	struct v3_pool_piece range;
	v3_hpa_t from = 0;

	for (; v3_pool_range(&pool, from, &range); from = range.hpa + range.size) {
		if (node != V3_NODE_ANY && range.node != node)
			continue;
		if (range.used) {
			((struct held *)range.cookie)->given = true;
			*later += range.size;
		} else {
			back_add(list, &range, 0);
		}
	}
}

enum v3_status v3_lx_blocks_give(u64 size, int node, u64 *given, u64 *later)
{
	struct v3_lx_progress *progress = v3_lx_progress();
	enum v3_status status = V3_OK;
	struct back *back;
	LIST_HEAD(list);

	*given = *later = 0;
	mutex_lock(&pool_lock);
	if (size)
		status = give_some(&list, size, node);
	else
		give_all(&list, node, later);
	mutex_unlock(&pool_lock);
	v3_lx_progress_begin(progress, V3_IOC_MEM_PHASE_ONLINE, 0);
	list_for_each_entry(back, &list, link)
		progress->total += back->offline ? back->size : 0;
	if (!back_free(&list, given) && !status)
		status = V3_ERR_IO;
	return status;
}

/* --- The list --- */

static void fill_node(struct v3_ioc_mem_node *out, int node)
{
	struct v3_pool_piece range;
	struct v3_block_info info;
	const struct held *held;
	u64 total = 0, free = 0;
	struct zone *zone;
	bool more;
	int i;

	for (i = 0; i < MAX_NR_ZONES; i++) {
		zone = &NODE_DATA(node)->node_zones[i];
		total += zone_managed_pages(zone);
		free += zone_page_state(zone, NR_FREE_PAGES);
	}
	v3_pool_query(&pool, node, &info);
	*out = (struct v3_ioc_mem_node){
		.node = node, .total = PFN_PHYS(total), .free = PFN_PHYS(free),
		.unused = info.free, .run_1g = info.largest_1g, .run_2m = info.largest_2m,
	};
	for (more = v3_pool_range(&pool, 0, &range); more; more = v3_pool_range_after(&range)) {
		held = range.cookie;
		if (range.node != node)
			continue;
		out->held += held->given ? 0 : range.size;
		out->total += held->offline ? range.size : 0;
	}
}

u64 v3_lx_blocks_total(int node)
{
	struct v3_ioc_mem_node one;

	mutex_lock(&pool_lock);
	fill_node(&one, node);
	mutex_unlock(&pool_lock);
	return one.total;
}

void v3_lx_blocks_nodes(struct v3_ioc_mem_node *nodes, u32 room, u32 *count)
{
	struct v3_ioc_mem_node one;
	const struct claim *claim;
	unsigned long pfn;
	int node;

	*count = 0;
	mutex_lock(&pool_lock);
	for_each_online_node(node) {
		fill_node(&one, node);
		if (!one.total)
			continue;
		xa_for_each(&claims, pfn, claim)
			one.used += claim->node == node ? claim->size : 0;
		if (*count < room)
			nodes[*count] = one;
		++*count;
	}
	mutex_unlock(&pool_lock);
}

/* Neighbors that differ in nothing are one. */
static void put_range(struct v3_ioc_mem_range *ranges, u32 room, u32 *count,
		      struct v3_ioc_mem_range *last, const struct v3_ioc_mem_range *range)
{
	if (*count && last->start + last->size == range->start && last->node == range->node &&
	    last->provider == range->provider && last->flags == range->flags) {
		last->size += range->size;
		last->used += range->used;
	} else {
		*last = *range;
		++*count;
	}
	if (*count <= room)
		ranges[*count - 1] = *last;
}

void v3_lx_blocks_ranges(struct v3_ioc_mem_range *ranges, u32 room, u32 *count)
{
	struct v3_ioc_mem_range last = {}, one;
	struct v3_pool_piece range;
	const struct claim *claim;
	const struct held *held;
	unsigned long pfn;
	bool more;

	*count = 0;
	mutex_lock(&pool_lock);
	for (more = v3_pool_range(&pool, 0, &range); more; more = v3_pool_range_after(&range)) {
		held = range.cookie;
		one = (struct v3_ioc_mem_range){
			.start = range.hpa, .size = range.size, .used = range.busy,
			.node = range.node, .flags = held->given ? 0 : V3_IOC_MEM_HELD,
			.provider = held->offline ? V3_IOC_MEM_OFFLINE : V3_IOC_MEM_CONTIG,
		};
		put_range(ranges, room, count, &last, &one);
	}
	xa_for_each(&claims, pfn, claim) {
		if (claim->held)
			continue;
		one = (struct v3_ioc_mem_range){
			.start = PFN_PHYS((u64)pfn), .size = claim->size, .used = claim->size,
			.node = claim->node, .provider = V3_IOC_MEM_CONTIG,
		};
		put_range(ranges, room, count, &last, &one);
	}
	mutex_unlock(&pool_lock);
}

/* The sum of a VM's claims on a node stands at its first one. */
static u64 sum_from(unsigned long first, const struct claim *like)
{
	const struct claim *claim;
	unsigned long pfn;
	u64 sum = 0;

	xa_for_each(&claims, pfn, claim) {
		if (claim->vm != like->vm || claim->node != like->node)
			continue;
		if (pfn < first)
			return 0;
		sum += claim->size;
	}
	return sum;
}

void v3_lx_blocks_uses(struct v3_ioc_mem_use *uses, u32 room, u32 *count)
{
	const struct claim *claim;
	unsigned long pfn;
	u64 sum;

	*count = 0;
	mutex_lock(&pool_lock);
	xa_for_each(&claims, pfn, claim) {
		sum = sum_from(pfn, claim);
		if (!sum)
			continue;
		if (*count < room) {
			uses[*count] = (struct v3_ioc_mem_use){ .size = sum, .node = claim->node };
			strscpy(uses[*count].name, claim->vm->name, V3_IOC_NAME);
		}
		++*count;
	}
	mutex_unlock(&pool_lock);
}

/* Nobody is left to claim any of it. */
void v3_lx_blocks_exit(void)
{
	u64 given, later;

	v3_lx_blocks_give(0, V3_NODE_ANY, &given, &later);
	WARN_ON(later || !xa_empty(&claims));
	v3_pool_destroy(&pool);
}
