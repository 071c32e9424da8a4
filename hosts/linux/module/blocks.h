/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Large memory: what the files that find, hold and zero it share. */
#ifndef V3_LX_BLOCKS_H
#define V3_LX_BLOCKS_H

#include "lx.h"

/*
 * How far a request that takes its time has come; in a control file, for those who ask meanwhile
 * by V3_IOC_MEM_PROGRESS. Written by the request's threads without a lock: a number for a bar.
 */
struct v3_lx_progress {
	u32 phase;			/* enum v3_ioc_mem_phase */
	u64 done, total;		/* bytes */
};
/* Of the request under way, or a place that nobody reads. */
struct v3_lx_progress *v3_lx_progress(void);
void v3_lx_progress_begin(struct v3_lx_progress *progress, u32 phase, u64 total);

/* contig.c: ranges of the host's memory that are evacuated by alloc_contig_range(). */

/* What is in the way of evacuating a range. */
enum v3_lx_obstacle {
	V3_LX_NO_OBSTACLE,
	V3_LX_HOLE,			/* no memory of the zone */
	V3_LX_RESERVED,			/* by firmware or kernel, since boot */
	V3_LX_POISONED,			/* hardware error */
	V3_LX_TABLE,			/* of a process */
	V3_LX_KERNEL,			/* objects of the kernel, or it does not say what */
	V3_LX_PINNED,			/* for DMA or the like */
	V3_LX_STUCK,			/* should be movable and did not move */
	V3_LX_OBSTACLES
};

/* A search for a range. */
struct v3_lx_search {
	size_t count, align;		/* in pages */
	int node;			/* or V3_NODE_ANY: from the nearest to the farthest */
	unsigned long limit;		/* first page frame that is too high */
	unsigned long deadline;		/* jiffies */

	unsigned long found;
	unsigned int attempts;		/* that failed */
	bool reserve;			/* not begun: the host would keep too little */
	bool expired;			/* the time was over, or the caller was killed */
	bool strict;			/* pass over whatever may not be movable */
	/* What was met how often, and where the search came farthest: pages, and to which. */
	struct v3_lx_met {
		unsigned int count;
		size_t reached;
		unsigned long pfn;
	} met[V3_LX_OBSTACLES];
};
/* What was met most often; V3_LX_NO_OBSTACLE: nothing. */
enum v3_lx_obstacle v3_lx_obstacle(const struct v3_lx_search *search);
bool v3_lx_contig_alloc(struct v3_lx_search *search);
void v3_lx_contig_free(unsigned long pfn, size_t count);
/* Whether what the host's page allocator hands out is zeros. */
bool v3_lx_host_zeroes(void);
const char *v3_lx_obstacle_text(enum v3_lx_obstacle obstacle);

/* memory.c: page runs, freed by v3_lx_page_free(). */
/* By count, align, node, limit of a search. V3_ERR_NOMEM: the search tells why. */
enum v3_status v3_lx_run_alloc(struct v3_lx_search *search);
/* The caller keeps the run that begins there, and frees it by v3_lx_contig_free(). */
void v3_lx_run_forget(unsigned long pfn);
/* Whether the host has that many pages beside what it keeps; how much that is, in MiB. */
bool v3_lx_memory_available(size_t count);
unsigned int v3_lx_memory_reserve(void);
/* Counts pages that VMs have (pages_in_use). */
void v3_lx_pages_count(long pages);

/* For the counters of that name: the time since @start, of ktime_get_ns(). */
enum v3_lx_spent { V3_LX_SPENT_CLAIM, V3_LX_SPENT_ZERO, V3_LX_SPENT_COUNT };
void v3_lx_spent(enum v3_lx_spent what, u64 start);

/* zero.c */
/*
 * Zeroes page frames by threads on the CPUs of the node (V3_NODE_ANY: any). False if the caller
 * was killed meanwhile and @killable. Process.
 */
bool v3_lx_zero(unsigned long pfn, size_t count, int node, bool killable);

/* A range on its way into what is held. */
struct v3_lx_range {
	struct list_head link;
	unsigned long pfn;
	size_t count;
	int node;
	bool offline;			/* by offline.c, else from the page allocator */
};

/* offline.c: memory blocks that the v3 command sets offline. */
/* The owner, an address, may set these blocks offline. */
enum v3_status v3_lx_offline_plan(struct v3_lx_call *call, const struct v3_ioc_mem_range *ranges,
				  u32 count, const void *owner);
/* Blocks of the owner's plan in that range are online again, or not to go; false: not all. */
bool v3_lx_offline_unplan(u64 start, u64 size, const void *owner);
/* Claims the next block of the owner's plan that is offline; V3_ERR_NOENT: there is none. */
enum v3_status v3_lx_offline_claim(const void *owner, struct v3_lx_range *range);
/* It is of the owner's plan again. */
void v3_lx_offline_unclaim(const struct v3_lx_range *range, const void *owner);
/* Sets a claimed range online; false after messages: not all of it would. */
bool v3_lx_offline_release(unsigned long pfn, size_t count);
/* Pages of a block. */
size_t v3_lx_offline_unit(void);
int v3_lx_offline_init(void);
void v3_lx_offline_exit(void);

/* blocks.c: what is held for guests, and the hooks for large blocks. */
enum v3_status v3_lx_block_claim(void *ctx, void *vm_ctx, const struct v3_block_request *request,
				 v3_hpa_t *hpa, int32_t *node);
enum v3_status v3_lx_block_zero(void *ctx, void *vm_ctx, v3_hpa_t hpa, uint64_t size,
				int32_t node);
void v3_lx_block_release(void *ctx, void *vm_ctx, v3_hpa_t hpa, uint64_t size, bool used);
enum v3_status v3_lx_block_query(void *ctx, int32_t node, struct v3_block_info *info);
/* Bytes of memory of a node: the host's, and what is held. */
u64 v3_lx_blocks_total(int node);
/* Bytes that are held and that no VM uses. */
u64 v3_lx_blocks_unused(void);
/* Holds ranges that are zero: all of the list, or none. */
enum v3_status v3_lx_blocks_add(const struct list_head *ranges);
/*
 * Takes bytes (0: all) that no VM uses out of what is held and gives them back to the host.
 * *later: bytes that go back when VMs end. V3_ERR_NOMEM: there is not that much.
 */
enum v3_status v3_lx_blocks_give(u64 size, int node, u64 *given, u64 *later);
/* Fills as many entries as there is room for, and counts all. */
void v3_lx_blocks_nodes(struct v3_ioc_mem_node *nodes, u32 room, u32 *count);
void v3_lx_blocks_ranges(struct v3_ioc_mem_range *ranges, u32 room, u32 *count);
void v3_lx_blocks_uses(struct v3_ioc_mem_use *uses, u32 room, u32 *count);
/* Gives back all that is held. */
void v3_lx_blocks_exit(void);

/* mem.c: requests. */
struct v3_lx_control_file {
	struct v3_lx_progress progress;
	int restore;			/* for v3_lx_restore() at the end */
};
enum v3_status v3_lx_do_mem_list(struct v3_lx_call *call, void *target, void *arg);
enum v3_status v3_lx_do_mem_take(struct v3_lx_call *call, void *target, void *arg);
enum v3_status v3_lx_do_mem_give(struct v3_lx_call *call, void *target, void *arg);
enum v3_status v3_lx_do_mem_plan(struct v3_lx_call *call, void *target, void *arg);
enum v3_status v3_lx_do_mem_unplan(struct v3_lx_call *call, void *target, void *arg);
enum v3_status v3_lx_do_mem_progress(struct v3_lx_call *call, void *target, void *arg);
int v3_lx_control_open(struct inode *inode, struct file *file);
int v3_lx_control_release(struct inode *inode, struct file *file);

#endif
