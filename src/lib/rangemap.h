/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sorted map from disjoint ranges [start, start+size) of 64-bit addresses to a value, in an array
 * that the caller provides. Lookups are binary searches. The caller locks, or stops changing it.
 */
#ifndef V3_LIB_RANGEMAP_H
#define V3_LIB_RANGEMAP_H

#include <v3/types.h>

struct v3_range {
	uint64_t start;
	uint64_t size;	/* never 0; start + size is at most 2^64 */
	void *data;	/* the caller's */
	uint64_t value;	/* the caller's */
};

struct v3_rangemap {
	struct v3_range *ranges;	/* sorted by start, disjoint */
	unsigned int count, capacity;
};

void v3_rangemap_init(struct v3_rangemap *map, struct v3_range *storage, unsigned int capacity);

/*
 * Adds a copy of *range. V3_ERR_INVALID: empty, or it passes 2^64; V3_ERR_EXIST: it overlaps
 * another; V3_ERR_NOMEM: the storage is full. Moves others: pointers into the map become stale.
 */
enum v3_status v3_rangemap_insert(struct v3_rangemap *map, const struct v3_range *range);

/* Removes the range that starts there; V3_ERR_NOENT. Pointers into the map become stale. */
enum v3_status v3_rangemap_remove(struct v3_rangemap *map, uint64_t start);

/* The range that holds addr, or NULL. */
struct v3_range *v3_rangemap_find(const struct v3_rangemap *map, uint64_t addr);

/* The range that holds all of [addr, addr+len), len not 0, or NULL. */
struct v3_range *v3_rangemap_find_all(const struct v3_rangemap *map, uint64_t addr, uint64_t len);

/* The first range with a byte in [addr, addr+len), or NULL. */
struct v3_range *v3_rangemap_overlap(const struct v3_rangemap *map, uint64_t addr, uint64_t len);

/* Index of the first range that ends after addr: it holds addr or comes after; count if none. */
unsigned int v3_rangemap_index(const struct v3_rangemap *map, uint64_t addr);

#endif
