/* SPDX-License-Identifier: BSD-2-Clause */
/* Integer helpers: checked arithmetic, alignment, bit scans. None of them needs libgcc. */
#ifndef V3_LIB_BITS_H
#define V3_LIB_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Keeps the rare part of a function out of its frame. */
#define V3_NOINLINE		__attribute__((noinline))
/* A local that a callee fills: kernels that zero locals leave it. */
#if defined(__has_attribute) && __has_attribute(uninitialized)
#define V3_FILLED_BELOW		__attribute__((uninitialized))
#else
#define V3_FILLED_BELOW
#endif
#define V3_BIT(n)		(1ULL << (n))
#define V3_ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define V3_CONTAINER_OF(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

static inline uint64_t v3_min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t v3_max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* These return false on overflow, and *out is then undefined. */
static inline bool v3_add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
	unsigned long long sum;
	bool ok = !__builtin_add_overflow((unsigned long long)a, (unsigned long long)b, &sum);

	*out = sum;
	return ok;
}

static inline bool v3_mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
	unsigned long long product;
	bool ok = !__builtin_mul_overflow((unsigned long long)a, (unsigned long long)b, &product);

	*out = product;
	return ok;
}

/* Whether [start, start+size) lies within [0, limit); an empty range may start at limit. */
static inline bool v3_range_within(uint64_t start, uint64_t size, uint64_t limit)
{
	return start <= limit && size <= limit - start;
}

/* Whether [a, a+a_size) and [b, b+b_size) share a byte. Ends may be 2^64; empty ones share none. */
static inline bool v3_range_overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	if (a_size == 0 || b_size == 0)
		return false;
	return a <= b ? b - a < a_size : a - b < b_size;
}

static inline bool v3_is_pow2(uint64_t x)
{
	return x != 0 && (x & (x - 1)) == 0;
}

/* align: a power of two */
static inline bool v3_is_aligned(uint64_t x, uint64_t align)
{
	return (x & (align - 1)) == 0;
}

static inline uint64_t v3_align_down(uint64_t x, uint64_t align)
{
	return x & ~(align - 1);
}

/* False if the result would pass 2^64 - 1. */
static inline bool v3_align_up(uint64_t x, uint64_t align, uint64_t *out)
{
	bool ok = v3_add_u64(x, align - 1, out);

	*out = v3_align_down(*out, align);
	return ok;
}

/* Index of the highest set bit; x must not be 0. */
static inline unsigned int v3_ilog2(uint64_t x)
{
	return 63u - (unsigned int)__builtin_clzll(x);
}

/* Index of the lowest set bit; x must not be 0. */
static inline unsigned int v3_ctz(uint64_t x)
{
	return (unsigned int)__builtin_ctzll(x);
}

/* Without POPCNT, which the baseline lacks, __builtin_popcountll is a call into libgcc. */
static inline unsigned int v3_popcount(uint64_t x)
{
	x -= (x >> 1) & 0x5555555555555555ULL;
	x = (x & 0x3333333333333333ULL) + ((x >> 2) & 0x3333333333333333ULL);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return (unsigned int)((x * 0x0101010101010101ULL) >> 56);
}

/* floor(a * b / c) with a 128-bit product; c not 0. ~0 if the result does not fit. */
static inline uint64_t v3_mul_div(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t low, high, quotient, rest;

	__asm__("mulq %3" : "=a"(low), "=d"(high) : "a"(a), "r"(b) : "cc");
	if (high >= c)
		return ~0ULL;
	__asm__("divq %4" : "=a"(quotient), "=d"(rest) : "a"(low), "d"(high), "r"(c) : "cc");
	return quotient;
}

#endif
