/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Byte ring for one producer and one consumer, without a lock. Positions run freely and wrap at
 * 2^32; the buffer's size is a power of two up to 2^31.
 */
#ifndef V3_LIB_RING_H
#define V3_LIB_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/atomic.h"
#include "lib/bits.h"

struct v3_ring {
	uint8_t *buf;
	uint32_t size;
	uint32_t head;	/* bytes ever put, written by the producer only */
	uint32_t tail;	/* bytes ever taken, written by the consumer only */
};

/* False if size is not a power of two up to 2^31. */
static inline bool v3_ring_init(struct v3_ring *ring, void *buf, uint32_t size)
{
	ring->buf = buf;
	ring->size = size;
	ring->head = 0;
	ring->tail = 0;
	return v3_is_pow2(size);
}

/* Bytes to take; exact for the consumer, a lower bound that can only grow otherwise. */
static inline uint32_t v3_ring_used(const struct v3_ring *ring)
{
	return v3_atomic_load_acquire(&ring->head) - v3_atomic_load_acquire(&ring->tail);
}

static inline uint32_t v3_ring_free(const struct v3_ring *ring)
{
	return ring->size - v3_ring_used(ring);
}

/* Producer: puts up to len bytes, returns how many fitted. */
static inline size_t v3_ring_put(struct v3_ring *ring, const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint32_t head = ring->head;
	uint32_t room = ring->size - (head - v3_atomic_load_acquire(&ring->tail));
	size_t n = len < room ? len : room;

	for (size_t i = 0; i < n; i++)
		ring->buf[(head + (uint32_t)i) & (ring->size - 1)] = bytes[i];
	v3_atomic_store_release(&ring->head, head + (uint32_t)n);
	return n;
}

/* Consumer: takes up to len bytes, returns how many there were. */
static inline size_t v3_ring_get(struct v3_ring *ring, void *data, size_t len)
{
	uint8_t *bytes = data;
	uint32_t tail = ring->tail;
	uint32_t used = v3_atomic_load_acquire(&ring->head) - tail;
	size_t n = len < used ? len : used;

	for (size_t i = 0; i < n; i++)
		bytes[i] = ring->buf[(tail + (uint32_t)i) & (ring->size - 1)];
	v3_atomic_store_release(&ring->tail, tail + (uint32_t)n);
	return n;
}

/* Consumer's side: forgets the oldest bytes, returns how many. */
static inline size_t v3_ring_drop(struct v3_ring *ring, size_t len)
{
	uint32_t used = v3_ring_used(ring);
	size_t n = len < used ? len : used;

	v3_atomic_store_release(&ring->tail, ring->tail + (uint32_t)n);
	return n;
}

#endif
