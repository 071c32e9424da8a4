/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/bits.h"
#include "lib/rangemap.h"

void v3_rangemap_init(struct v3_rangemap *map, struct v3_range *storage, unsigned int capacity)
{
	map->ranges = storage;
	map->count = 0;
	map->capacity = capacity;
}

/* The last byte rather than the end, which may be 2^64. */
static uint64_t last_byte(const struct v3_range *range)
{
	return range->start + (range->size - 1);
}

unsigned int v3_rangemap_index(const struct v3_rangemap *map, uint64_t addr)
{
	unsigned int low = 0, high = map->count;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;

		if (last_byte(&map->ranges[mid]) < addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct v3_range *v3_rangemap_overlap(const struct v3_rangemap *map, uint64_t addr, uint64_t len)
{
	unsigned int i = v3_rangemap_index(map, addr);

	if (i == map->count)
		return NULL;
	if (!v3_range_overlap(addr, len, map->ranges[i].start, map->ranges[i].size))
		return NULL;
	return &map->ranges[i];
}

struct v3_range *v3_rangemap_find(const struct v3_rangemap *map, uint64_t addr)
{
	return v3_rangemap_overlap(map, addr, 1);
}

struct v3_range *v3_rangemap_find_all(const struct v3_rangemap *map, uint64_t addr, uint64_t len)
{
	struct v3_range *range = v3_rangemap_find(map, addr);

	if (!range || !v3_range_within(addr - range->start, len, range->size))
		return NULL;
	return range;
}

enum v3_status v3_rangemap_insert(struct v3_rangemap *map, const struct v3_range *range)
{
	uint64_t last;
	unsigned int at;

	if (range->size == 0 || !v3_add_u64(range->start, range->size - 1, &last))
		return V3_ERR_INVALID;
	at = v3_rangemap_index(map, range->start);
	if (at < map->count && map->ranges[at].start <= last)
		return V3_ERR_EXIST;
	if (map->count == map->capacity)
		return V3_ERR_NOMEM;

	for (unsigned int i = map->count; i > at; i--)
		map->ranges[i] = map->ranges[i - 1];
	map->ranges[at] = *range;
	map->count++;
	return V3_OK;
}

enum v3_status v3_rangemap_remove(struct v3_rangemap *map, uint64_t start)
{
	unsigned int at = v3_rangemap_index(map, start);

	if (at == map->count || map->ranges[at].start != start)
		return V3_ERR_NOENT;
	map->count--;
	for (unsigned int i = at; i < map->count; i++)
		map->ranges[i] = map->ranges[i + 1];
	return V3_OK;
}
