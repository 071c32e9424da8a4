/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Atomic access to any integer or pointer of up to 8 bytes, named by its memory order. Without a
 * suffix: sequentially consistent.
 */
#ifndef V3_LIB_ATOMIC_H
#define V3_LIB_ATOMIC_H

#define v3_atomic_load(p)		__atomic_load_n((p), __ATOMIC_SEQ_CST)
#define v3_atomic_load_acquire(p)	__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define v3_atomic_load_relaxed(p)	__atomic_load_n((p), __ATOMIC_RELAXED)
#define v3_atomic_store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)

/* The value before the operation */
#define v3_atomic_add(p, v)		__atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)

/* True if *p was *expected and is now v; else *expected is what *p was. */
#define v3_atomic_cmpxchg(p, expected, v) \
	__atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_SEQ_CST, \
				    __ATOMIC_SEQ_CST)

#endif
