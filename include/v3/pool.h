/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file pool.h
 * A pool of large blocks of memory, for hosts that implement the block hooks of hooks.h: the ranges
 * that a host holds, and what of them is in use. It knows numbers only and touches no memory but its
 * own bookkeeping.
 *
 * Sizes and addresses are multiples of V3_POOL_UNIT and nothing is rounded up. A claim goes where it
 * breaks the fewest whole areas of 1 GiB, then where the free piece around it is smallest, then to
 * the lowest address. Ranges that follow each other on one node are one memory to claims.
 *
 * The caller keeps calls on one pool apart. Context of all: that of the pool's own functions for
 * memory; those without V3_ERR_NOMEM allocate nothing, and only v3_pool_free(), v3_pool_remove()
 * and v3_pool_destroy() free.
 */
#ifndef V3_POOL_H
#define V3_POOL_H

#include <v3/hooks.h>
#include <v3/types.h>

/** Bytes; everything is a multiple of it. */
#define V3_POOL_UNIT 0x200000ull

/** Where the bookkeeping comes from. */
struct v3_pool_mem {
	/** Memory of @p size bytes, aligned to 8, or NULL. Contents are undefined. */
	void *(*alloc)(void *ctx, size_t size);
	/** Frees what alloc gave. */
	void (*free)(void *ctx, void *ptr, size_t size);
	/** Passed to both. */
	void *ctx;
};

struct v3_pool_node;

/** A pool. The fields are its own. */
struct v3_pool {
	struct v3_pool_mem mem;      /**< for the nodes */
	struct v3_pool_node *ranges; /**< what was added, by address */
	struct v3_pool_node *pieces; /**< all of that, in use and free, by address */
};

/** One piece, as v3_pool_next() tells it, or a range. */
struct v3_pool_piece {
	v3_hpa_t hpa;  /**< where it begins */
	uint64_t size; /**< its bytes */
	void *cookie;  /**< of v3_pool_claim(), or of v3_pool_add() for a range */
	int32_t node;  /**< NUMA node */
	bool used;     /**< claimed; of a range: any of it */
	uint64_t busy; /**< bytes that are claimed */
	const struct v3_pool_node *at; /**< the pool's own */
};

/** An empty pool. @p mem is copied. */
void v3_pool_init(struct v3_pool *pool, const struct v3_pool_mem *mem);

/** Forgets all ranges, in use or not, and frees the bookkeeping. */
void v3_pool_destroy(struct v3_pool *pool);

/**
 * Adds a range of memory. @p cookie is for the caller: v3_pool_range() tells it.
 * @return V3_OK; V3_ERR_INVALID (not in units, empty, past the end of the address space, a negative
 *         node); V3_ERR_EXIST (part of it is there); V3_ERR_NOMEM.
 */
enum v3_status v3_pool_add(struct v3_pool *pool, v3_hpa_t hpa, uint64_t size, int32_t node,
			   void *cookie);

/**
 * Takes out a range exactly as it was added.
 * @return V3_OK; V3_ERR_NOENT (none begins there and is as large); V3_ERR_BUSY (some of it is in
 *         use).
 */
enum v3_status v3_pool_remove(struct v3_pool *pool, v3_hpa_t hpa, uint64_t size);

/**
 * Claims a run. @p cookie is for the caller: v3_pool_next() tells it.
 * @param hpa  receives the address.
 * @param node receives the node; may be NULL.
 * @return V3_OK; V3_ERR_INVALID (no size, one that is not in units, an alignment that is no power of
 *         two or below a unit); V3_ERR_NOMEM (no such run, or no memory for the bookkeeping).
 */
enum v3_status v3_pool_claim(struct v3_pool *pool, const struct v3_block_request *request,
			     void *cookie, v3_hpa_t *hpa, int32_t *node);

/** Gives exactly one claim back. @return V3_OK or V3_ERR_NOENT: there is no such claim. */
enum v3_status v3_pool_free(struct v3_pool *pool, v3_hpa_t hpa, uint64_t size);

/** What there is on a node, or on all with V3_NODE_ANY; zeros if there is nothing. */
void v3_pool_query(const struct v3_pool *pool, int32_t node, struct v3_block_info *info);

/**
 * The first piece, in use or free, that begins at @p from or above; false: there is none. Free pieces
 * that follow each other on one node are one, even across ranges.
 */
bool v3_pool_next(const struct v3_pool *pool, v3_hpa_t from, struct v3_pool_piece *piece);

/** The first range, as it was added, that begins at @p from or above; false: there is none. */
bool v3_pool_range(const struct v3_pool *pool, v3_hpa_t from, struct v3_pool_piece *range);

/**
 * The range after the one that v3_pool_range() or this function told, without a search from the
 * first one on; the pool has not changed since. False: there is none.
 */
bool v3_pool_range_after(struct v3_pool_piece *range);

#endif
