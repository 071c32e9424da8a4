/* SPDX-License-Identifier: BSD-2-Clause */
/* Bitmaps of 64-bit words. Not atomic: the caller locks. Bits past nbits in the last word are 0. */
#ifndef V3_LIB_BITMAP_H
#define V3_LIB_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/bits.h"

/* Words for nbits bits, e.g. uint64_t map[V3_BITMAP_WORDS(256)]. */
#define V3_BITMAP_WORDS(nbits)	(((nbits) + 63) / 64)

static inline bool v3_bitmap_test(const uint64_t *map, unsigned int bit)
{
	return (map[bit / 64] >> (bit % 64)) & 1;
}

static inline void v3_bitmap_set(uint64_t *map, unsigned int bit)
{
	map[bit / 64] |= V3_BIT(bit % 64);
}

static inline void v3_bitmap_clear(uint64_t *map, unsigned int bit)
{
	map[bit / 64] &= ~V3_BIT(bit % 64);
}

static inline void v3_bitmap_zero(uint64_t *map, unsigned int nbits)
{
	for (unsigned int i = 0; i < V3_BITMAP_WORDS(nbits); i++)
		map[i] = 0;
}

static inline unsigned int v3_bitmap_count(const uint64_t *map, unsigned int nbits)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < V3_BITMAP_WORDS(nbits); i++)
		count += v3_popcount(map[i]);
	return count;
}

/* First bit >= from that is set (invert: clear); nbits if there is none. */
static inline unsigned int v3_bitmap_scan(const uint64_t *map, unsigned int nbits,
					  unsigned int from, bool invert)
{
	uint64_t flip = invert ? ~0ULL : 0;

	for (unsigned int bit = from; bit < nbits; bit = (bit / 64 + 1) * 64) {
		uint64_t word = (map[bit / 64] ^ flip) & (~0ULL << (bit % 64));

		if (word) {
			unsigned int found = bit / 64 * 64 + v3_ctz(word);

			return found < nbits ? found : nbits;
		}
	}
	return nbits;
}

static inline unsigned int v3_bitmap_next_set(const uint64_t *map, unsigned int nbits,
					      unsigned int from)
{
	return v3_bitmap_scan(map, nbits, from, false);
}

static inline unsigned int v3_bitmap_next_clear(const uint64_t *map, unsigned int nbits,
						unsigned int from)
{
	return v3_bitmap_scan(map, nbits, from, true);
}

/* The highest set bit, -1 if there is none. */
static inline int v3_bitmap_last_set(const uint64_t *map, unsigned int nbits)
{
	for (unsigned int i = V3_BITMAP_WORDS(nbits); i-- > 0;)
		if (map[i])
			return (int)(i * 64 + v3_ilog2(map[i]));
	return -1;
}

#endif
