/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Helpers for devices with 8-bit registers and with clocks of their own.
 */
#ifndef V3_DEVICES_IO_H
#define V3_DEVICES_IO_H

#include <v3/device.h>

#define V3_NS_PER_SEC 1000000000ull

/** One byte of an 8-bit device. */
typedef uint8_t (*v3_in8_fn)(void *ctx, uint16_t port);
typedef void (*v3_out8_fn)(void *ctx, uint16_t port, uint8_t value);

/** A wide access to 8-bit registers is what the ISA bus makes of it: bytes in ascending order. */
static inline uint32_t v3_in_bytes(void *ctx, uint16_t port, unsigned int size, v3_in8_fn in)
{
	uint32_t value = 0;
	unsigned int i;

	for (i = 0; i < size; i++)
		value |= (uint32_t)in(ctx, (uint16_t)(port + i)) << (8 * i);
	return value;
}

static inline void v3_out_bytes(void *ctx, uint16_t port, unsigned int size, uint32_t value,
				v3_out8_fn out)
{
	unsigned int i;

	for (i = 0; i < size; i++)
		out(ctx, (uint16_t)(port + i), (uint8_t)(value >> (8 * i)));
}

/** Ticks of a clock of @p hz that started at VM time 0. Exact: no drift, no 128-bit arithmetic. */
static inline int64_t v3_ticks_at(uint64_t ns, uint32_t hz)
{
	uint64_t sec = ns / V3_NS_PER_SEC, rest = ns % V3_NS_PER_SEC;

	return (int64_t)(sec * hz + rest * hz / V3_NS_PER_SEC);
}

/** The first nanosecond at which v3_ticks_at() is at least @p tick. */
static inline uint64_t v3_tick_ns(int64_t tick, uint32_t hz)
{
	uint64_t t = tick > 0 ? (uint64_t)tick : 0;

	return t / hz * V3_NS_PER_SEC + (t % hz * V3_NS_PER_SEC + hz - 1) / hz;
}

#endif
