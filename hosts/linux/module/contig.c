/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Ranges of the host's memory, taken by evacuating them (alloc_contig_range), and why one cannot be
 * had.
 */
#include <linux/bitmap.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/sched/signal.h>
#include <linux/topology.h>

#include "blocks.h"
#include "compat.h"

enum search_result { SEARCH_FOUND, SEARCH_NOT_HERE, SEARCH_STOP };

/*
 * Single pages become one of a high order again, which is much less work to free than all of them
 * are. Not if somebody has another reference on one, as those who look at page frames they do not
 * own may for a moment; nor if one has a hardware error: only of single pages the page allocator
 * sees that it must not hand them out again.
 */
static bool join(struct page *page, unsigned int order)
{
	unsigned int i;

	for (i = 1; i < 1u << order; i++)
		if (PageHWPoison(page + i) || !page_ref_freeze(page + i, 1))
			break;
	if (i == 1u << order && !PageHWPoison(page))
		return true;
	while (--i)
		page_ref_unfreeze(page + i, 1);
	return false;
}

void v3_lx_contig_free(unsigned long pfn, size_t count)
{
	const size_t block = 1ul << V3_LX_MAX_ORDER;
	size_t n;

	for (; count; pfn += n, count -= n) {
		n = min(block - pfn % block, count);
		if (n == block && join(pfn_to_page(pfn), V3_LX_MAX_ORDER))
			__free_pages(pfn_to_page(pfn), V3_LX_MAX_ORDER);
		else
			free_contig_range(pfn, n);
		cond_resched();
	}
}

const char *v3_lx_obstacle_text(enum v3_lx_obstacle obstacle)
{
	static const char *const texts[] = {
		[V3_LX_NO_OBSTACLE] = "nothing",
		[V3_LX_HOLE] = "a hole in the memory",
		[V3_LX_RESERVED] = "memory that kernel or firmware have reserved since boot",
		[V3_LX_POISONED] = "a page with a hardware error",
		[V3_LX_TABLE] = "a page table",
		[V3_LX_KERNEL] = "unmovable memory of the kernel",
		[V3_LX_PINNED] = "a page that a program or device has pinned",
		[V3_LX_STUCK] = "a page in use that did not move",
	};

	return texts[obstacle];
}

/*
 * A look without locks: what is wrong about the page may change at once. alloc_contig_range()
 * decides; this only saves attempts that cannot succeed. Whether there is a memory map at all is
 * the same for a whole pageblock, and ranges begin with one: it is asked at its first page.
 */
static enum v3_lx_obstacle look(const struct zone *zone, unsigned long pfn)
{
	struct page *page;

	if (pfn % pageblock_nr_pages == 0 && !pfn_to_online_page(pfn))
		return V3_LX_HOLE;
	page = pfn_to_page(pfn);
	if (page_zone(page) != zone)
		return V3_LX_HOLE;
	if (PageReserved(page))
		return V3_LX_RESERVED;
	return PageHWPoison(page) ? V3_LX_POISONED : V3_LX_NO_OBSTACLE;
}

/* The same for a page in use. */
static enum v3_lx_obstacle look_in_use(struct page *page)
{
	if (PageTable(page))
		return V3_LX_TABLE;
	if (!PageLRU(page) && !__PageMovable(page))
		return V3_LX_KERNEL;
	return folio_maybe_dma_pinned(page_folio(page)) ? V3_LX_PINNED : V3_LX_STUCK;
}

/* Pages of files and programs that wait in a CPU's batch for their turn on an LRU list. */
static bool may_become_movable(struct page *page)
{
	page = compound_head(page);
	return !PageSlab(page) && READ_ONCE(page->mapping);
}

static enum v3_lx_obstacle implausible(const struct v3_lx_search *search, struct zone *zone,
				       unsigned long pfn)
{
	enum v3_lx_obstacle obstacle = look(zone, pfn);
	struct page *page = pfn_to_page(pfn);

	if (obstacle || !page_count(page))
		return obstacle;
	obstacle = look_in_use(page);
	if (obstacle == V3_LX_PINNED || obstacle == V3_LX_TABLE)
		return obstacle;
	if (PageLRU(page) || (!search->strict && may_become_movable(page)))
		return V3_LX_NO_OBSTACLE;
	return obstacle;
}

/* Keeps what came closest to a range, of each kind. */
static void note(struct v3_lx_search *search, unsigned long start, unsigned long pfn,
		 enum v3_lx_obstacle obstacle)
{
	struct v3_lx_met *met = &search->met[obstacle];

	if (met->count++ && pfn - start < met->reached)
		return;
	met->reached = pfn - start;
	met->pfn = pfn;
}

enum v3_lx_obstacle v3_lx_obstacle(const struct v3_lx_search *search)
{
	enum v3_lx_obstacle i, most = V3_LX_NO_OBSTACLE;

	for (i = V3_LX_HOLE; i < V3_LX_OBSTACLES; i++)
		if (search->met[i].count > search->met[most].count)
			most = i;
	return most;
}

/* What evacuation has left in that piece. */
static void note_piece(struct v3_lx_search *search, struct zone *zone, unsigned long start,
		       unsigned long piece, size_t count)
{
	enum v3_lx_obstacle obstacle;
	unsigned long pfn;

	for (pfn = piece; pfn < piece + count; pfn++) {
		obstacle = look(zone, pfn);
		if (!obstacle && page_count(pfn_to_page(pfn)))
			obstacle = look_in_use(pfn_to_page(pfn));
		if (obstacle) {
			note(search, start, pfn, obstacle);
			return;
		}
	}
	/* it is gone by now */
	note(search, start, piece, V3_LX_STUCK);
}

static bool search_over(struct v3_lx_search *search)
{
	if (time_after(jiffies, search->deadline) || fatal_signal_pending(current))
		search->expired = true;
	return search->expired;
}

/*
 * alloc_contig_range() does not let go of the CPU, and many kernels zero all pages inside of it
 * (init_on_alloc): large ranges are taken in pieces.
 */
#define PIECE ((32ul << 20) >> PAGE_SHIFT)

static int take_piece(unsigned long start, size_t count)
{
	if (fatal_signal_pending(current))
		return -EINTR;
	cond_resched();
	return v3_lx_alloc_contig_range(start, start + count, GFP_KERNEL | __GFP_NOWARN |
					__GFP_RETRY_MAYFAIL);
}

static bool piece_free(unsigned long start, size_t count)
{
	unsigned long pfn;

	for (pfn = start; pfn < start + count; pfn++)
		if (page_count(pfn_to_page(pfn)))
			return false;
	return true;
}

/*
 * What moves out of one piece must not move into another: pieces that are free come first.
 * *bad is the start of the piece that failed.
 */
static int take_pieces(unsigned long start, size_t count, unsigned long *taken, unsigned long *bad)
{
	struct v3_lx_progress *progress = v3_lx_progress();
	u64 done = progress->done;
	size_t i, n, at;
	int pass, err;

	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i * PIECE < count; i++) {
			at = i * PIECE;
			n = min(PIECE, count - at);
			if (test_bit(i, taken) || (!pass && !piece_free(start + at, n)))
				continue;
			err = take_piece(start + at, n);
			if (!err) {
				__set_bit(i, taken);
				WRITE_ONCE(progress->done, progress->done + PFN_PHYS(n));
			} else if (pass || err == -EINTR) {
				WRITE_ONCE(progress->done, done);
				*bad = start + at;
				return err;
			}
		}
	}
	return 0;
}

static int take_range(unsigned long start, size_t count, unsigned long *bad)
{
	unsigned int pieces = DIV_ROUND_UP(count, PIECE), i;
	unsigned long *taken = bitmap_zalloc(pieces, GFP_KERNEL);
	int err;

	if (!taken)
		return -ENOMEM;
	err = take_pieces(start, count, taken, bad);
	if (err)
		for_each_set_bit(i, taken, pieces)
			v3_lx_contig_free(start + i * PIECE, min(PIECE, count - i * PIECE));
	bitmap_free(taken);
	return err;
}

static enum search_result search_zone(struct v3_lx_search *search, struct zone *zone)
{
	unsigned long start = ALIGN(zone->zone_start_pfn, search->align), pfn = start;
	unsigned long end = min(zone_end_pfn(zone), search->limit);
	unsigned long step = min(search->count, PIECE) / 4;
	unsigned long steps = 0, bad;
	enum v3_lx_obstacle obstacle;
	int err;

	/* [start, pfn) was looked at and is plausible */
	while (start < end && search->count <= end - start) {
		if (++steps % 8192 == 0) {
			cond_resched();
			if (search_over(search))
				return SEARCH_STOP;
		}
		if (pfn < start + search->count) {
			obstacle = implausible(search, zone, pfn);
			if (!obstacle) {
				pfn++;
				continue;
			}
			note(search, start, pfn, obstacle);
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
		note_piece(search, zone, start, bad, min(PIECE, start + search->count - bad));
		/* what is in the way is somewhere in that piece */
		start = ALIGN(bad + step, search->align);
		pfn = max(pfn, start);
	}
	return SEARCH_NOT_HERE;
}

/* From the highest zone down: devices need the low ones. ZONE_DMA is left to them. */
static enum search_result search_node(struct v3_lx_search *search, int node)
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
static enum search_result search_nodes(struct v3_lx_search *search)
{
	enum search_result result;
	nodemask_t left;
	int i, best;

	if (search->node != V3_NODE_ANY)
		return search_node(search, search->node);
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
 * alloc_contig_range() prepares its pages as the page allocator does: with init_on_alloc they are
 * zeros.
 */
bool v3_lx_host_zeroes(void)
{
	return want_init_on_alloc(GFP_KERNEL);
}

/* First only ranges in which all pages look free or movable, then those that may become so. */
bool v3_lx_contig_alloc(struct v3_lx_search *search)
{
	enum search_result result;

	search->align = max_t(size_t, search->align, pageblock_nr_pages);
	memset(search->met, 0, sizeof(search->met));
	search->expired = false;
	search->strict = true;
	result = search_nodes(search);
	if (result == SEARCH_NOT_HERE) {
		search->strict = false;
		result = search_nodes(search);
	}
	return result == SEARCH_FOUND;
}
