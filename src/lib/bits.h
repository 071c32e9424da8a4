/* SPDX-License-Identifier: BSD-2-Clause */
/* Integer helpers. None of them needs libgcc. */
#ifndef V3_LIB_BITS_H
#define V3_LIB_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Keeps the rare part of a function out of its frame. */
#define V3_NOINLINE		__attribute__((noinline))
/* Runs seldom, in a file that is made fast: made small. */
#define V3_RARE			__attribute__((cold))
/* A local that a callee fills: kernels that zero locals leave it. */
#if defined(__has_attribute) && __has_attribute(uninitialized)
#define V3_FILLED_BELOW		__attribute__((uninitialized))
#else
#define V3_FILLED_BELOW
#endif

static inline uint64_t v3_min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t v3_max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline bool v3_is_pow2(uint64_t x)
{
	return x != 0 && (x & (x - 1)) == 0;
}

/* align: a power of two */
static inline uint64_t v3_align_down(uint64_t x, uint64_t align)
{
	return x & ~(align - 1);
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
